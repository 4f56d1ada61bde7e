//! `mastic match` with labels, with transforms that were saved, and for new records; over tables of persons with
//! known truth.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mastic_tests::persons::{HEADER, column, f1, persons};
use mastic_tests::{Lake, Output, repository};

/// The lines of a table, each with the person.
fn lines(text: &str) -> Vec<&str> {
    text.lines().skip(1).collect()
}

fn table(rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|r| format!("{r}\n")).collect();
    HEADER.to_owned() + &rows
}

/// Answers the questions of a file by the truth, as somebody with an editor does.
fn filled(questions: &str, truth: &[usize]) -> String {
    let mut lines = questions.lines();
    let mut out = format!("{}\n", lines.next().unwrap());
    for line in lines {
        let cells: Vec<&str> = line.splitn(4, ',').collect();
        let person = truth[cells[2].parse::<usize>().unwrap()];
        writeln!(out, "{},p{person},{},{}", cells[0], cells[2], cells[3]).unwrap();
    }
    out
}

fn json(told: &Output) -> serde_json::Value {
    serde_json::from_str(&told.stdout).unwrap()
}

#[test]
fn pairs_are_labelled_in_the_terminal() {
    let lake = Lake::new();
    let (text, _) = persons(300, true);
    lake.file("people.csv", &text);
    let label = |answers: &str, count: &str| {
        let args = [
            "match",
            "label",
            "people.csv",
            "--labels",
            "labels.csv",
            "--count",
            count,
        ];
        let told = lake.mastic_fed(args, answers.as_bytes());
        assert_eq!(told.code, 0, "{told}");
        told
    };
    // A word that is none is asked again; the first pair cannot be gone back from; what is unsure has no label.
    let told = label("maybe\nb\ny\nu\nn\nq\n", "10");
    assert!(told.stderr.contains("y, n, u, b or q?"), "{told}");
    assert!(told.stderr.contains("this is the first pair"), "{told}");
    let labels = lake.read("labels.csv");
    assert_eq!(
        column(&labels, "labeling_set_id"),
        ["1", "1", "2", "2", "3", "3"]
    );
    assert_eq!(column(&labels, "label"), ["A", "A", "", "", "A", "B"]);
    assert!(labels.starts_with("labeling_set_id,label,id,first,last,street,city,born\n"));
    // Nothing is asked twice, and going back takes the last answer out of the file.
    let told = label("n\nb\nn\nn\n", "2");
    assert!(told.stderr.contains("1 match and 1 do not"), "{told}");
    let later = lake.read("labels.csv");
    assert!(later.starts_with(&labels), "{later}");
    let ids = column(&later, "id");
    let pairs: Vec<_> = ids.chunks(2).map(<[String]>::to_vec).collect();
    assert_eq!(pairs.len(), 5);
    for (at, pair) in pairs.iter().enumerate() {
        assert!(!pairs[..at].contains(pair), "{pair:?}");
    }
    // An end of the input is as good as q.
    label("", "5");
    assert_eq!(lake.read("labels.csv"), later);
}

#[test]
fn an_answer_that_contradicts_others_is_not_kept() {
    let lake = Lake::new();
    // Three that are alike, and others.
    let mut text = String::from("name,city\n");
    for name in [
        "anna smith",
        "anna smyth",
        "ana smith",
        "bob jones",
        "carl king",
        "dora lund",
    ] {
        writeln!(text, "{name},york").unwrap();
        writeln!(text, "{name} x,leeds").unwrap();
    }
    lake.file("people.csv", &text);
    lake.file(
        "labels.csv",
        "labeling_set_id,label,name,city\n1,A,anna smith,york\n1,A,anna smyth,york\n2,A,anna smyth,york\n2,A,ana smith,york\n",
    );
    // All that is left is no match: of the pair of the first and the third that cannot be said.
    let args = [
        "match",
        "label",
        "people.csv",
        "--labels",
        "labels.csv",
        "--count",
        "100",
    ];
    let told = lake.mastic_fed(args, "n\n".repeat(200).as_bytes());
    assert!(
        told.stderr
            .contains("not kept, for it contradicts another answer"),
        "{told}"
    );
    lake.ok([
        "match",
        "people.csv",
        "--labels",
        "labels.csv",
        "-o",
        "out.csv",
    ]);
}

#[test]
fn labels_are_exported_imported_learned_from_and_measured() {
    let lake = Lake::new();
    let (text, truth) = persons(500, true);
    lake.file("people.csv", &text);
    let labels = ["match", "label", "people.csv", "--labels", "labels.csv"];
    lake.ok(labels
        .into_iter()
        .chain(["--export", "questions.csv", "--count", "40"]));
    assert!(!lake.join("labels.csv").exists());
    let questions = lake.read("questions.csv");
    assert_eq!(column(&questions, "label"), vec![""; 80]);
    lake.file("questions.csv", filled(&questions, &truth));
    lake.ok(labels.into_iter().chain(["--import", "questions.csv"]));
    // The same file again changes nothing.
    let first = lake.read("labels.csv");
    lake.ok(labels.into_iter().chain(["--import", "questions.csv"]));
    assert_eq!(lake.read("labels.csv"), first);

    let told = lake.ok([
        "match",
        "people.csv",
        "--labels",
        "labels.csv",
        "-o",
        "out.csv",
        "--explain",
    ]);
    assert!(told.stderr.contains("have taught"), "{told}");
    assert!(
        f1(&column(&lake.read("out.csv"), "match_id"), &truth) > 0.98,
        "{told}"
    );

    let told = lake.ok([
        "match",
        "evaluate",
        "people.csv",
        "--labels",
        "labels.csv",
        "--json",
    ]);
    let measured = json(&told);
    let whole = &measured["whole"];
    assert_eq!(measured["folds"], 5, "{told}");
    assert_eq!(
        measured["matches"].as_u64().unwrap() + measured["non_matches"].as_u64().unwrap(),
        40,
        "{told}"
    );
    let counts: u64 = whole["confusion_matrix"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(counts, 40, "{told}");
    assert_eq!(measured["blocking_recall"], 1.0, "{told}");
    assert!(whole["f1"].as_f64().unwrap() > 0.9, "{told}");
    assert!(
        measured["area_under_pr_curve"].as_f64().unwrap() > 0.9,
        "{told}"
    );
    let importances = measured["column_importances"].as_array().unwrap();
    let sum: f64 = importances
        .iter()
        .map(|c| c["importance"].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-9 && importances.len() >= 5, "{told}");
    let told = lake.ok(["match", "evaluate", "people.csv", "--labels", "labels.csv"]);
    assert!(
        told.stdout
            .contains("blocking found 100.00 % of the labelled matches"),
        "{told}"
    );
}

#[test]
fn what_is_enforced_comes_out_as_it_is_labelled() {
    let lake = Lake::new();
    let (text, truth) = persons(200, true);
    lake.file("people.csv", &text);
    let rows = lines(&text);
    // Two that have nothing in common are one, and two that are one are not.
    let mut seen = BTreeMap::new();
    let (a, b) = truth
        .iter()
        .enumerate()
        .find_map(|(at, person)| seen.insert(person, at).map(|before| (before, at)))
        .unwrap();
    let others: Vec<usize> = (0..rows.len())
        .filter(|r| truth[*r] != truth[a])
        .take(2)
        .collect();
    let labels = format!(
        "labeling_set_id,label,{HEADER}s1,x,{}\ns1,y,{}\ns2,x,{}\ns2,x,{}\n",
        rows[a], rows[b], rows[others[0]], rows[others[1]]
    );
    lake.file("labels.csv", labels);
    let ids = |more: &[&str]| {
        let args = [
            "match",
            "people.csv",
            "--labels",
            "labels.csv",
            "-o",
            "out.csv",
        ];
        lake.ok(args.into_iter().chain(more.iter().copied()));
        column(&lake.read("out.csv"), "match_id")
    };
    let enforced = ids(&["--enforce-labels"]);
    assert_ne!(enforced[a], enforced[b]);
    assert_eq!(enforced[others[0]], enforced[others[1]]);
    // Glue's default: labels teach, and are not forced on what comes out.
    let free = ids(&[]);
    assert_ne!(free[others[0]], free[others[1]]);
}

#[test]
fn labels_that_cannot_be_are_told_with_set_and_line() {
    let lake = Lake::new();
    let (text, _) = persons(60, true);
    lake.file("people.csv", &text);
    let rows = lines(&text);
    let head = format!("labeling_set_id,label,{HEADER}");
    let strange = rows[1].replacen(',', ",x", 1);
    for (labels, wanted) in [
        (
            format!("{head}one,A,{}\none,A,{strange}\n", rows[0]),
            "labelling set 'one' of labels.csv, line 3: the row is not in the table: id: ",
        ),
        (
            format!(
                "{head}one,A,{0}\none,A,{1}\ntwo,A,{0}\ntwo,B,{1}\n",
                rows[0], rows[1]
            ),
            "labelling set 'two' of labels.csv, lines 4 and 5, says that two rows do not match, and labelling set 'one' of labels.csv, lines 2 and 3, that they match",
        ),
        (
            format!(
                "{head}1,A,{0}\n1,A,{1}\n2,A,{1}\n2,A,{2}\n3,A,{0}\n3,B,{2}\n",
                rows[0], rows[1], rows[2]
            ),
            "labelling set '3' of labels.csv, lines 6 and 7, says that two rows do not match, and the labels of other rows",
        ),
        (
            format!("{head}1,A,{0}\n1,A,{0}\n", rows[0]),
            "the row is in the table 1 times, and in the set more often",
        ),
        (
            "label,id\nA,1\n".to_owned(),
            "labels.csv has no column 'labeling_set_id'",
        ),
        (
            format!(
                "labeling_set_id,label,id,first,lst,street,city,born\n1,A,{}\n",
                rows[0]
            ),
            "labels.csv has no column 'last', which the table has; is it 'lst'?",
        ),
    ] {
        lake.file("labels.csv", &labels);
        let told = lake.mastic([
            "match",
            "people.csv",
            "--labels",
            "labels.csv",
            "-o",
            "out.csv",
        ]);
        assert_eq!(told.code, 1, "{told}");
        assert!(told.stderr.contains(wanted), "{wanted}\n{told}");
        assert!(!lake.join("out.csv").exists());
    }
    // By a primary key, a label file needs nothing else; columns' order and case are of no account.
    lake.file(
        "labels.csv",
        "LABEL,LABELING_SET_ID,ID\nA,1,0\nB,1,1\nA,2,2\n,2,3\n",
    );
    lake.ok([
        "match",
        "people.csv",
        "--labels",
        "labels.csv",
        "--primary-key",
        "id",
        "-o",
        "out.csv",
    ]);
    // What contradicts is not imported.
    lake.file("good.csv", "labeling_set_id,label,id\n1,A,0\n1,B,1\n");
    lake.file("bad.csv", "labeling_set_id,label,id\n2,A,0\n2,A,1\n");
    let told = lake.mastic([
        "match",
        "label",
        "people.csv",
        "--labels",
        "good.csv",
        "--import",
        "bad.csv",
        "--primary-key",
        "id",
    ]);
    assert_eq!(told.code, 1, "{told}");
    assert_eq!(
        lake.read("good.csv"),
        "labeling_set_id,label,id\n1,A,0\n1,B,1\n"
    );
}

#[test]
fn what_was_learned_is_saved_listed_and_applied() {
    let lake = Lake::new();
    let (text, truth) = persons(600, true);
    let rows = lines(&text);
    let (first, second) = rows.split_at(400);
    lake.file("first.csv", table(first));
    lake.file("second.csv", table(second));
    lake.ok([
        "match",
        "first.csv",
        "--save",
        "persons",
        "--precision-recall",
        "0.6",
        "-o",
        "entities.csv",
    ]);
    let told = lake.ok(["match", "list", "-o", "csv"]);
    assert!(
        told.stdout
            .starts_with("transform,rows,labels,columns,entities,version\n"),
        "{told}"
    );
    assert!(
        told.stdout
            .contains("persons,400,0,\"first, last, street, city, born\","),
        "{told}"
    );
    let shown = json(&lake.ok(["match", "show", "persons"]));
    assert_eq!(shown["Model"]["settings"]["precision_recall_tradeoff"], 0.6);
    assert_eq!(shown["RecordCount"], 400);

    lake.ok([
        "match",
        "second.csv",
        "--transform",
        "persons",
        "-o",
        "out.csv",
    ]);
    let out = lake.read("out.csv");
    assert!(f1(&column(&out, "match_id"), &truth[400..]) > 0.97);
    // It is the same whenever it is applied, and what is asked for over it counts.
    lake.ok([
        "match",
        "second.csv",
        "--transform",
        "persons",
        "-o",
        "again.csv",
    ]);
    assert_eq!(lake.read("again.csv"), out);
    let threshold = |more: &[&str]| {
        let args = ["match", "second.csv", "--transform", "persons", "--json"];
        json(&lake.ok(args.into_iter().chain(more.iter().copied())))["threshold"]
            .as_f64()
            .unwrap()
    };
    let moved = threshold(&["--precision-recall", "0.7"]) - threshold(&[]);
    assert!((moved - 1.2).abs() < 1e-6, "{moved}");

    let fails = |args: &[&str], wanted: &str| {
        let told = lake.mastic(["match"].iter().chain(args));
        assert_eq!(told.code, 1, "{told}");
        assert!(told.stderr.contains(wanted), "{wanted}\n{told}");
    };
    fails(
        &["first.csv", "--save", "persons"],
        "transform persons exists already",
    );
    fails(
        &["second.csv", "--transform", "person"],
        "did you mean persons?",
    );
    fails(
        &["first.csv", "second.csv", "--transform", "persons"],
        "finds duplicates of one table, and here are two",
    );
    lake.file(
        "other.csv",
        "id,first,name,street,city,born\n1,a,b,c,d,e\n2,f,g,h,i,j\n",
    );
    fails(
        &["other.csv", "--transform", "persons"],
        "the transform names the column 'last', which is not there",
    );
    lake.ok(["match", "delete", "persons"]);
    assert_eq!(
        lake.ok(["match", "list", "-o", "csv"])
            .stdout
            .lines()
            .count(),
        1
    );
    fails(&["show", "persons"], "transform persons does not exist");
}

#[test]
fn a_taught_transform_keeps_what_it_was_taught() {
    let lake = Lake::new();
    let (text, truth) = persons(400, true);
    lake.file("people.csv", &text);
    let label = ["match", "label", "people.csv", "--labels", "labels.csv"];
    lake.ok(label
        .into_iter()
        .chain(["--export", "q.csv", "--count", "60"]));
    lake.file("q.csv", filled(&lake.read("q.csv"), &truth));
    lake.ok(label.into_iter().chain(["--import", "q.csv"]));
    lake.ok([
        "match",
        "people.csv",
        "--labels",
        "labels.csv",
        "--save",
        "taught",
        "-o",
        "a.csv",
    ]);
    lake.ok([
        "match",
        "people.csv",
        "--transform",
        "taught",
        "-o",
        "b.csv",
    ]);
    assert_eq!(
        column(&lake.read("a.csv"), "match_id"),
        column(&lake.read("b.csv"), "match_id")
    );
    let measured = json(&lake.ok([
        "match",
        "evaluate",
        "people.csv",
        "--labels",
        "labels.csv",
        "--transform",
        "taught",
        "--json",
    ]));
    assert_eq!(measured["folds"], 0);
    assert!(
        measured["whole"]["f1"].as_f64().unwrap() > 0.95,
        "{measured}"
    );
}

#[test]
fn new_records_join_entities_and_ids_stay() {
    let lake = Lake::new();
    let (text, truth) = persons(600, true);
    let rows = lines(&text);
    let (old, new) = rows.split_at(450);
    lake.file("old.csv", table(old));
    lake.file("new.csv", table(new));
    lake.ok([
        "match",
        "old.csv",
        "--save",
        "persons",
        "-o",
        "entities.csv",
    ]);
    let before = lake.read("entities.csv");
    let told = lake.ok([
        "match",
        "new.csv",
        "--transform",
        "persons",
        "--incremental",
        "--json",
    ]);
    let after = lake.read("entities.csv");
    // What was there is as it was, to the letter; what is new comes after it.
    assert!(after.starts_with(&before), "{told}");
    let ids = column(&after, "match_id");
    assert_eq!(ids.len(), 750);
    let reached = f1(&ids, &truth);
    assert!(reached > 0.98, "{reached} {told}");
    let joined = &json(&told)["joined"];
    let known: Vec<&String> = ids[..450].iter().collect();
    let in_old = ids[450..].iter().filter(|id| known.contains(id)).count();
    assert_eq!(joined["joined"], in_old, "{told}");
    assert_eq!(
        (&joined["existing"], &joined["new"]),
        (&450.into(), &300.into()),
        "{told}"
    );

    // The same file again adds nothing.
    let told = lake.ok([
        "match",
        "new.csv",
        "--transform",
        "persons",
        "--incremental",
        "--json",
    ]);
    assert_eq!(lake.read("entities.csv"), after);
    assert_eq!(json(&told)["joined"]["already_there"], 300, "{told}");
    // Half of it, and others: the others alone are new. They go elsewhere, and from there on.
    let mut more = new[..10].to_vec();
    more.push("9001,zzxq,qqvw,1 nowhere road,elsewhere,1901-01-01");
    lake.file("more.csv", table(&more));
    lake.ok([
        "match",
        "more.csv",
        "--transform",
        "persons",
        "--incremental",
        "-o",
        "moved.parquet",
    ]);
    assert_eq!(lake.read("entities.csv"), after);
    let listed = lake.ok(["match", "list", "-o", "csv"]).stdout;
    assert!(listed.contains("moved.parquet"), "{listed}");
    let told = lake.ok([
        "match",
        "more.csv",
        "--transform",
        "persons",
        "--incremental",
        "--json",
    ]);
    assert_eq!(json(&told)["joined"]["existing"], 751, "{told}");
    assert_eq!(json(&told)["joined"]["new"], 0, "{told}");
}

#[test]
fn new_records_without_entities_to_join_are_refused() {
    let lake = Lake::new();
    lake.file("people.csv", persons(100, true).0);
    lake.ok(["match", "people.csv", "--save", "bare"]);
    lake.fails(
        [
            "match",
            "people.csv",
            "--transform",
            "bare",
            "--incremental",
        ],
        "saved without entities",
    );
    lake.ok([
        "match",
        "people.csv",
        "--save",
        "full",
        "-o",
        "entities.csv",
    ]);
    lake.file("other.csv", "id,first,last,street,town,born\n1,a,b,c,d,e\n");
    lake.fails(
        ["match", "other.csv", "--transform", "full", "--incremental"],
        "has a column 'town'",
    );
    // By a primary key a record is known whatever else it says.
    lake.file(
        "key.csv",
        "id,first,last,street,city,born\n0,other,name,here,there,1950-01-01\n",
    );
    let told = lake.ok([
        "match",
        "key.csv",
        "--transform",
        "full",
        "--incremental",
        "--primary-key",
        "id",
        "--json",
    ]);
    assert_eq!(json(&told)["joined"]["changed"], 1, "{told}");
    let told = lake.mastic(["match", "people.csv", "--incremental"]);
    assert_eq!(told.code, 2, "{told}");
}

#[test]
fn a_script_matches_with_labels_and_transforms() {
    let lake = Lake::new();
    let (text, truth) = persons(400, true);
    let rows = lines(&text);
    let (old, new) = rows.split_at(300);
    lake.file("old.csv", table(old));
    lake.file("new.csv", table(new));
    lake.ok([
        "match",
        "old.csv",
        "--save",
        "persons",
        "-o",
        "entities.csv",
    ]);
    lake.ok([
        "match",
        "new.csv",
        "--transform",
        "persons",
        "--incremental",
        "-o",
        "all.csv",
    ]);
    lake.file(
        "grow.yaml",
        "name: grow\nsources:\n  old: {path: entities.csv}\n  new: {path: new.csv}\nframes:\n  \
         old:\n    - resolve_choice: {born: cast:string}\n  all:\n    - from: new\n    - resolve_choice: {born: cast:string}\n    \
         - find_matches: {existing: old, transform: persons}\nsinks:\n  - {frame: all, path: grown, format: csv}\n",
    );
    // The same as the command makes of it, from the entities that are there.
    let told = lake.ok(["run", "grow.yaml"]);
    let files = lake.files("grown");
    let grown: String = files
        .iter()
        .filter(|(name, _)| name.ends_with(".csv"))
        .map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap())
        .collect();
    assert_eq!(
        column(&grown, "match_id"),
        column(&lake.read("all.csv"), "match_id"),
        "{told}"
    );
    assert!(f1(&column(&grown, "match_id"), &truth) > 0.97);

    let label = |second: &str| {
        format!(
            "labeling_set_id,label,{HEADER}one,x,{}\none,x,{second}\n",
            old[0]
        )
    };
    lake.file("labels.csv", label(old[1]));
    lake.file(
        "taught.yaml",
        "name: taught\nsources:\n  people: {path: old.csv}\n  labels: {path: labels.csv}\nframes:\n  people:\n    \
         - resolve_choice: {born: cast:string}\n    - find_matches: {labels: labels, enforce_provided_labels: true}\nsinks:\n  - {frame: people, path: taught, format: csv, mode: overwrite}\n",
    );
    lake.ok(["run", "taught.yaml"]);
    let files = lake.files("taught");
    let taught = files
        .iter()
        .find(|(name, _)| name.ends_with(".csv"))
        .unwrap();
    let ids = column(std::str::from_utf8(taught.1).unwrap(), "match_id");
    assert_eq!(ids[0], ids[1]);
    // A label of nobody is told with its line, and nothing is written.
    lake.file(
        "labels.csv",
        label("9999,no,body,no road,no city,1900-01-01"),
    );
    lake.fails(
        ["run", "taught.yaml"],
        "labelling set 'one' of labels, line 3: the row is not in the table: id: 9999, first: no",
    );
    // Values of several types are no text to compare.
    lake.file(
        "mixed.yaml",
        "sources:\n  people: {path: old.csv}\nframes:\n  people:\n    - find_matches: {comparisons: [first, born]}\nsinks:\n  - {frame: people, path: mixed}\n",
    );
    lake.fails(
        ["run", "mixed.yaml", "--check"],
        "'born' is choice<date,string>, but one type is needed",
    );
    // Nor does anything come of a transform that is not there.
    lake.file(
        "wrong.yaml",
        "sources:\n  people: {path: old.csv}\nframes:\n  people:\n    - find_matches: {transform: person}\nsinks:\n  - {frame: people, path: wrong}\n",
    );
    lake.fails(["run", "wrong.yaml", "--check"], "did you mean 'persons'?");
}

// The truth is the code that both lists have, which the script does not look at.
#[test]
fn the_sample_links_countries_by_their_names() {
    let lake = Lake::new();
    let samples = repository().join("samples");
    let countries = samples.join("lake/countries").display().to_string();
    lake.ok(["crawl", countries.as_str(), "--database", "demo"]);
    let script = samples
        .join("scripts/countries_linked.yaml")
        .display()
        .to_string();
    lake.ok(["run", script.as_str()]);
    let answer = lake
        .sql("SELECT count(*) AS n, sum(CAST(is_right AS int)) AS r FROM demo.countries_linked");
    let numbers: Vec<u32> = answer
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(
        numbers[0] >= 240 && numbers[1] >= numbers[0] - 2,
        "{answer}"
    );
}

// A label file says which row it means by the row's values alone.
#[test]
fn rows_that_are_equal_are_asked_about_once() {
    let lake = Lake::new();
    let mut text = String::from("name,city\n");
    for name in [
        "anna smith",
        "anna smyth",
        "bob jones",
        "carl king",
        "dora lund",
        "eve moss",
    ] {
        writeln!(text, "{name},york\n{name},york\n{name},leeds").unwrap();
    }
    lake.file("people.csv", &text);
    let args = [
        "match",
        "label",
        "people.csv",
        "--labels",
        "labels.csv",
        "--count",
        "100",
    ];
    let told = lake.mastic_fed(args, "n\n".repeat(200).as_bytes());
    assert_eq!(told.code, 0, "{told}");
    let labels = lake.read("labels.csv");
    let rows: Vec<String> = lines(&labels)
        .iter()
        .map(|l| l.splitn(3, ',').last().unwrap().to_owned())
        .collect();
    assert!(
        rows.len() >= 12 && rows.chunks(2).all(|pair| pair[0] != pair[1]),
        "{labels}"
    );
    lake.ok([
        "match",
        "people.csv",
        "--labels",
        "labels.csv",
        "--enforce-labels",
        "-o",
        "out.csv",
    ]);
    let ids = column(&lake.read("out.csv"), "match_id");
    assert_ne!(ids[0], ids[3]);
}
