//! `mastic match` for new records of two tables that were linked, and with the labels that a transform keeps; over tables
//! of persons with known truth.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mastic_tests::persons::{HEADER, column, f1, persons};
use mastic_tests::{Lake, Output};

/// What the right table calls its columns: two of them otherwise than the left one.
const RIGHT: &str = "id,First,last,address,city,born\n";

/// Two tables, in which some persons are once in each: lines with the person.
fn two(count: usize) -> [Vec<(String, usize)>; 2] {
    let (text, truth) = persons(count, true);
    let mut seen = std::collections::BTreeSet::new();
    let [mut left, mut right] = [const { Vec::new() }; 2];
    for (line, person) in text.lines().skip(1).zip(truth) {
        let row = (line.to_owned(), person);
        let again = !seen.insert(person);
        match person % 4 {
            0 if again => right.push(row),
            1 => right.push(row),
            _ => left.push(row),
        }
    }
    [left, right]
}

fn table(header: &str, rows: &[(String, usize)]) -> String {
    let rows: String = rows.iter().map(|(line, _)| format!("{line}\n")).collect();
    header.to_owned() + &rows
}

/// The entity of each record, by the table and the record's id.
fn entities(text: &str) -> BTreeMap<(String, String), String> {
    let keys = column(text, "source").into_iter().zip(column(text, "id"));
    let out: BTreeMap<_, _> = keys.zip(column(text, "match_id")).collect();
    assert_eq!(out.len(), text.lines().count() - 1);
    out
}

/// F1 of the pairs against the truth.
fn figure(found: &BTreeMap<(String, String), String>, tables: &[Vec<(String, usize)>; 2]) -> f64 {
    let (mut ids, mut truth) = (Vec::new(), Vec::new());
    for (name, rows) in ["left", "right"].iter().zip(tables) {
        for (line, person) in rows {
            let id = line.split(',').next().unwrap();
            ids.push(found[&((*name).to_owned(), id.to_owned())].clone());
            truth.push(*person);
        }
    }
    f1(&ids, &truth)
}

fn json(told: &Output) -> serde_json::Value {
    serde_json::from_str(&told.stdout).unwrap()
}

#[test]
fn new_records_join_what_was_linked() {
    let lake = Lake::new();
    let tables = two(600);
    let [left, right] = &tables;
    lake.file("left.csv", table(HEADER, left));
    lake.file("right.csv", table(RIGHT, right));
    lake.ok([
        "match",
        "left.csv",
        "right.csv",
        "--one-to-one",
        "-o",
        "whole.csv",
    ]);
    let whole = figure(&entities(&lake.read("whole.csv")), &tables);

    // Four fifths of both, and then the rest.
    let (old_left, new_left) = left.split_at(left.len() * 4 / 5);
    let (old_right, new_right) = right.split_at(right.len() * 4 / 5);
    lake.file("left.csv", table(HEADER, old_left));
    lake.file("right.csv", table(RIGHT, old_right));
    lake.ok([
        "match",
        "left.csv",
        "right.csv",
        "--one-to-one",
        "--save",
        "linked",
        "-o",
        "linked.csv",
    ]);
    let before = entities(&lake.read("linked.csv"));
    lake.file("new/left.csv", table(HEADER, new_left));
    lake.file("new/right.csv", table(RIGHT, new_right));
    let told = lake.ok([
        "match",
        "new/left.csv",
        "new/right.csv",
        "--transform",
        "linked",
        "--incremental",
        "-o",
        "both.csv",
        "--json",
    ]);
    let both = entities(&lake.read("both.csv"));
    for (key, id) in &before {
        assert_eq!(both.get(key), Some(id), "{key:?}");
    }
    let parts = figure(&both, &tables);
    assert!(
        whole > 0.97 && parts > whole - 0.02,
        "{whole} {parts}\n{told}"
    );
    let joined = &json(&told)["joined"];
    assert_eq!(joined["existing"], before.len(), "{told}");
    assert_eq!(joined["new"], new_left.len() + new_right.len(), "{told}");
    // No entity has two records of one table.
    let mut sizes: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for ((source, _), id) in &both {
        *sizes.entry((source, id)).or_default() += 1;
    }
    assert!(sizes.values().all(|n| *n == 1), "{sizes:?}");

    // Each table by itself, one after the other: the name says which it is, or --side does. The transform knows where the
    // entities are.
    lake.ok([
        "match",
        "left.csv",
        "right.csv",
        "--one-to-one",
        "--save",
        "steps",
        "-o",
        "steps.csv",
    ]);
    lake.file("late.csv", table(RIGHT, new_right));
    let late = ["match", "late.csv", "--transform", "steps", "--incremental"];
    lake.fails(
        late,
        "is 'late' of the left table, which was 'left', or of the right one, which was 'right'?",
    );
    lake.ok([
        "match",
        "new/left.csv",
        "--transform",
        "steps",
        "--incremental",
    ]);
    lake.ok(late.into_iter().chain(["--side", "right"]));
    let steps = entities(&lake.read("steps.csv"));
    assert!(before.iter().all(|(key, id)| steps[key] == *id));
    assert!(figure(&steps, &tables) > whole - 0.02);
    // What is there already adds nothing.
    let told = lake.ok(late.into_iter().chain(["--side", "right", "--json"]));
    let joined = &json(&told)["joined"];
    assert_eq!(joined["already_there"], new_right.len(), "{told}");
    assert_eq!(entities(&lake.read("steps.csv")), steps);
}

// By hand: a copy of a record that has its partner is nobody's, and that is told.
#[test]
fn a_place_that_is_taken_stays_taken() {
    let lake = Lake::new();
    let tables = two(400);
    let [left, right] = &tables;
    lake.file("left.csv", table(HEADER, left));
    lake.file("right.csv", table(RIGHT, right));
    lake.ok([
        "match",
        "left.csv",
        "right.csv",
        "--one-to-one",
        "--save",
        "linked",
        "-o",
        "linked.csv",
    ]);
    let before = entities(&lake.read("linked.csv"));
    let linked = |id: &str| {
        let own = &before[&("left".to_owned(), id.to_owned())];
        before
            .iter()
            .any(|((source, _), entity)| source == "right" && entity == own)
    };
    let id = |line: &str| line.split(',').next().unwrap().to_owned();
    let (line, _) = left.iter().find(|(line, _)| linked(&id(line))).unwrap();
    let copy = line.splitn(2, ',').last().unwrap();
    lake.file("new.csv", format!("{RIGHT}9999,{copy}\n"));
    let told = lake.ok([
        "match",
        "new.csv",
        "--transform",
        "linked",
        "--incremental",
        "--side",
        "right",
    ]);
    assert!(
        told.stderr
            .contains("place taken: the new record of entity"),
        "{told}"
    );
    let after = entities(&lake.read("linked.csv"));
    let new = &after[&("right".to_owned(), "9999".to_owned())];
    assert_eq!(after.values().filter(|entity| *entity == new).count(), 1);
    assert!(before.iter().all(|(key, entity)| after[key] == *entity));

    // What is not of these tables is told.
    lake.file("odd.csv", "id,name\n1,x\n2,y\n");
    let odd = [
        "match",
        "odd.csv",
        "--transform",
        "linked",
        "--incremental",
        "--side",
    ];
    lake.fails(
        odd.into_iter().chain(["right"]),
        "'odd' has a column 'name', which 'linked' has not",
    );
    let text = lake.read("linked.csv").replace(",left,", ",elsewhere,");
    lake.file("linked.csv", text);
    lake.fails(
        [
            "match",
            "new.csv",
            "--transform",
            "linked",
            "--incremental",
            "--side",
            "right",
        ],
        "are neither of 'left' nor of 'right', by their column 'source'",
    );
}

#[test]
fn a_script_has_new_records_join_what_was_linked() {
    let lake = Lake::new();
    let tables = two(400);
    let [left, right] = &tables;
    let (old, new) = right.split_at(right.len() - 20);
    lake.file("left.csv", table(HEADER, left));
    lake.file("right.csv", table(RIGHT, old));
    lake.file("new.csv", table(RIGHT, new));
    lake.ok([
        "match",
        "left.csv",
        "right.csv",
        "--one-to-one",
        "--save",
        "linked",
        "-o",
        "linked.csv",
    ]);
    lake.ok([
        "match",
        "new.csv",
        "--transform",
        "linked",
        "--incremental",
        "--side",
        "right",
        "-o",
        "all.csv",
    ]);
    let script = |step: &str| {
        format!(
            "name: grow\nsources:\n  old: {{path: linked.csv}}\n  new: {{path: new.csv}}\nframes:\n  \
             old:\n    - resolve_choice: {{born: cast:string}}\n  all:\n    - from: new\n    - resolve_choice: {{born: cast:string}}\n    \
             - find_matches: {step}\nsinks:\n  - {{frame: all, path: grown, format: csv, mode: overwrite}}\n"
        )
    };
    lake.file(
        "grow.yaml",
        script("{existing: old, transform: linked, side: right}"),
    );
    lake.ok(["run", "grow.yaml"]);
    let files = lake.files("grown");
    let grown: Vec<_> = files
        .iter()
        .filter(|(name, _)| name.ends_with(".csv"))
        .collect();
    assert_eq!(grown.len(), 1);
    let grown = std::str::from_utf8(grown[0].1).unwrap();
    assert_eq!(entities(grown), entities(&lake.read("all.csv")));
    lake.file("grow.yaml", script("{existing: old, transform: linked}"));
    lake.fails(
        ["run", "grow.yaml"],
        "is 'all' of the left table, which was 'left'",
    );
    lake.file("grow.yaml", script("{side: right}"));
    lake.fails(["run", "grow.yaml"], "it goes with 'existing'");
}

/// Labels that say the contrary of what is found: of the first two rows of a person, and of two that are nobody's.
fn contrary(text: &str, truth: &[usize]) -> (String, [usize; 4]) {
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let mut seen = BTreeMap::new();
    let pair = truth.iter().enumerate();
    let (a, b) = pair
        .clone()
        .find_map(|(at, person)| seen.insert(person, at).map(|before| (before, at)))
        .unwrap();
    let others: Vec<usize> = (0..rows.len()).filter(|r| truth[*r] != truth[a]).collect();
    let (c, d) = (others[0], others[1]);
    let mut labels = format!("labeling_set_id,label,{HEADER}");
    for (set, label, row) in [("1", "x", a), ("1", "y", b), ("2", "x", c), ("2", "x", d)] {
        writeln!(labels, "{set},{label},{}", rows[row]).unwrap();
    }
    (labels, [a, b, c, d])
}

#[test]
fn a_transform_keeps_its_labels() {
    let lake = Lake::new();
    let (text, truth) = persons(300, true);
    lake.file("people.csv", &text);
    let (labels, [a, b, c, d]) = contrary(&text, &truth);
    lake.file("labels.csv", labels);
    let needs = lake.mastic(["match", "people.csv", "--enforce-labels"]);
    assert_eq!(needs.code, 2, "{needs}");
    assert!(
        needs.stderr.contains("--enforce-labels needs --labels"),
        "{needs}"
    );
    lake.ok(["match", "people.csv", "--save", "plain", "-o", "plain.csv"]);
    let enforced = [
        "match",
        "people.csv",
        "--enforce-labels",
        "-o",
        "out.csv",
        "--transform",
    ];
    lake.fails(
        enforced.into_iter().chain(["plain"]),
        "transform plain keeps no labels",
    );
    lake.ok([
        "match",
        "people.csv",
        "--labels",
        "labels.csv",
        "--save",
        "kept",
        "-o",
        "kept.csv",
    ]);
    std::fs::remove_file(lake.join("labels.csv")).unwrap();
    lake.ok(enforced.into_iter().chain(["kept"]));
    let ids = column(&lake.read("out.csv"), "match_id");
    assert_ne!(ids[a], ids[b]);
    assert_eq!(ids[c], ids[d]);
    // Of rows that another table has not, nothing is said there.
    let half: String = text
        .lines()
        .take(c.max(d) + 2)
        .map(|l| format!("{l}\n"))
        .collect();
    lake.file(
        "half.csv",
        half.replace(text.lines().nth(a + 1).unwrap(), "1,x,y,z,u,v"),
    );
    lake.ok([
        "match",
        "half.csv",
        "--transform",
        "kept",
        "--enforce-labels",
        "-o",
        "half_out.csv",
    ]);
    let ids = column(&lake.read("half_out.csv"), "match_id");
    assert_eq!(ids[c], ids[d]);

    let shown = json(&lake.ok(["match", "show", "kept"]));
    assert_eq!(
        (&shown["LabelCount"], &shown["Model"]["format"]),
        (&2.into(), &2.into())
    );
    let listed = lake.ok(["match", "list", "-o", "csv"]).stdout;
    assert_eq!(column(&listed, "labels")[..], ["2", "0"]);
}

/// Answers the questions of a file by the truth.
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

#[test]
fn labels_are_added_to_a_transform_and_measured() {
    let lake = Lake::new();
    let (text, truth) = persons(300, true);
    lake.file("people.csv", &text);
    lake.ok(["match", "people.csv", "--save", "persons", "-o", "a.csv"]);
    let label = ["match", "label", "people.csv", "--transform", "persons"];
    lake.ok(label
        .into_iter()
        .chain(["--export", "q.csv", "--count", "40"]));
    lake.file("q.csv", filled(&lake.read("q.csv"), &truth));
    let told = lake.ok(label.into_iter().chain(["--import", "q.csv"]));
    assert!(told.stderr.contains("in transform persons"), "{told}");
    let told = lake.mastic_fed(label.into_iter().chain(["--count", "2"]), b"n\nu\n");
    assert_eq!(told.code, 0, "{told}");
    assert_eq!(
        json(&lake.ok(["match", "show", "persons"]))["LabelCount"],
        41
    );
    // They are held out in turn.
    let measured = json(&lake.ok([
        "match",
        "evaluate",
        "people.csv",
        "--transform",
        "persons",
        "--json",
    ]));
    assert_eq!(measured["folds"], 5);
    let pairs = measured["matches"].as_u64().unwrap() + measured["non_matches"].as_u64().unwrap();
    assert_eq!(pairs, 41);
    // They teach when the transform is saved again, and are kept.
    let told = lake.ok([
        "match",
        "people.csv",
        "--save",
        "persons",
        "--replace",
        "-o",
        "a.csv",
        "--explain",
    ]);
    assert!(
        told.stderr
            .contains("by 41 labelled pairs that transform persons keeps"),
        "{told}"
    );
    assert!(told.stderr.contains("have taught"), "{told}");
    assert!(
        f1(&column(&lake.read("a.csv"), "match_id"), &truth) > 0.97,
        "{told}"
    );
    let shown = json(&lake.ok(["match", "show", "persons"]));
    assert_eq!(shown["LabelCount"], 41);
    let taught = shown["Model"]["model"]["supervised"]["labels"]
        .as_array()
        .unwrap();
    assert_eq!(taught.iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 41);

    // An export has all of it.
    let document = lake.ok(["catalog", "export"]).stdout;
    lake.file("catalog.json", &document);
    lake.ok(["match", "delete", "persons"]);
    let told = lake.ok(["catalog", "import", "catalog.json"]);
    assert!(told.stderr.contains("1 transform"), "{told}");
    let again = json(&lake.ok(["match", "show", "persons"]));
    assert_eq!(again["Model"], shown["Model"]);
    lake.ok([
        "match",
        "people.csv",
        "--transform",
        "persons",
        "--enforce-labels",
        "-o",
        "b.csv",
    ]);
}
