//! `mastic match`: entities of tables of persons that are made here, with known truth.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;

use mastic_tests::Lake;
use mastic_tests::persons::{Chance, HEADER, column, f1, persons};

#[test]
fn duplicates_of_a_table_are_found() {
    let lake = Lake::new();
    let (text, truth) = persons(800, true);
    lake.file("people.csv", &text);
    let told = lake.ok([
        "match",
        "people.csv",
        "--output",
        "out.csv",
        "--pairs",
        "pairs.parquet",
        "--explain",
    ]);
    let out = lake.read("out.csv");
    assert!(f1(&column(&out, "match_id"), &truth) > 0.98, "{told}");
    assert_eq!(column(&out, "id"), column(&text, "id"));
    assert!(told.stderr.contains("id: not compared: a key"), "{told}");
    assert!(told.stderr.contains("1,000 rows"), "{told}");
    let confident = column(&out, "match_confidence")
        .iter()
        .all(|c| (0.0..=1.0).contains(&c.parse::<f64>().unwrap()));
    assert!(confident);
    // Each pair is there once, and two are of one entity where they are said to match.
    assert!(lake.join("pairs.parquet").exists());
}

#[test]
fn the_best_record_of_each_entity_is_kept() {
    let lake = Lake::new();
    let (text, truth) = persons(400, true);
    lake.file("people.csv", &text);
    lake.ok(["match", "people.csv", "-o", "all.csv"]);
    lake.ok([
        "match",
        "people.csv",
        "--dedupe-keep",
        "best",
        "-o",
        "best.csv",
        "--primary-key",
        "id",
    ]);
    let all = lake.read("all.csv");
    let best = lake.read("best.csv");
    let mut ids = column(&all, "match_id");
    ids.sort();
    ids.dedup();
    let mut kept = column(&best, "match_id");
    kept.sort();
    assert_eq!(ids, kept);
    assert!((380..=420).contains(&kept.len()), "{}", kept.len());
    assert!(truth.len() == 500);
}

#[test]
fn two_tables_are_linked_one_to_one() {
    let lake = Lake::new();
    let (text, truth) = persons(600, true);
    // Even rows are the left table, odd ones the right, with other names of columns.
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let part = |odd: usize| {
        rows.iter()
            .skip(odd)
            .step_by(2)
            .map(|r| format!("{r}\n"))
            .collect::<String>()
    };
    lake.file("left.csv", HEADER.to_owned() + &part(0));
    lake.file(
        "right.csv",
        "key,First,LAST,road,town,birth\n".to_owned() + &part(1),
    );
    let told = lake.ok([
        "match",
        "left.csv",
        "right.csv",
        "--one-to-one",
        "--output",
        "out.csv",
        "--json",
    ]);
    let summary: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(summary["rows"], 750);
    let out = lake.read("out.csv");
    let truth: Vec<usize> = truth
        .iter()
        .step_by(2)
        .chain(truth.iter().skip(1).step_by(2))
        .copied()
        .collect();
    let (ids, sources) = (column(&out, "match_id"), column(&out, "source"));
    assert_eq!(sources.iter().filter(|s| *s == "left").count(), 375);
    // What is twice on one side is no pair of a linking.
    let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
    for a in 0..375 {
        for b in 375..750 {
            let (found, right) = (ids[a] == ids[b], truth[a] == truth[b]);
            both += f64::from(u8::from(found && right));
            ours += f64::from(u8::from(found));
            theirs += f64::from(u8::from(right));
        }
    }
    assert!(
        2.0 * both / (ours + theirs) > 0.98,
        "{both} {ours} {theirs} {told}"
    );
}

#[test]
fn a_table_of_the_catalog_is_matched_into_another() {
    let lake = Lake::new();
    lake.file("shop/people/people.csv", persons(300, true).0);
    lake.ok(["crawl", "shop", "--database", "shop"]);
    lake.ok([
        "match",
        "shop.people",
        "--output",
        "shop.entities",
        "--location",
        "entities",
    ]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM shop.entities"),
        "n\n375\n"
    );
    // It is there now, and is replaced where it lies.
    lake.ok([
        "match",
        "shop.people",
        "--output",
        "shop.entities",
        "--dedupe-keep",
        "best",
    ]);
    let left: usize = lake
        .sql("SELECT count(*) AS n FROM shop.entities")
        .lines()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert!((290..=310).contains(&left), "{left}");
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let lake = Lake::new();
    lake.file("people.csv", persons(900, false).0);
    let told = lake.ok(["match", "people.csv", "--output", "out.csv", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(summary["duplicates"], 0, "{told}");
}

/// Aircraft: their marks tell them apart, and of each make, model and year there are many. No two are one.
#[test]
fn things_of_few_kinds_are_not_one_thing() {
    let lake = Lake::new();
    let mut chance = Chance(3);
    let mut text = "mark,year,maker,model,seats\n".to_owned();
    for at in 0..900 {
        let model = chance.below(12);
        let (maker, seats) = (["boeing", "airbus", "embraer"][model % 3], 50 + 10 * model);
        let year = 1990 + chance.below(20);
        writeln!(text, "N{}X,{year},{maker},model {model},{seats}", 1000 + at).unwrap();
    }
    lake.file("planes.csv", &text);
    let told = lake.ok(["match", "planes.csv", "--output", "out.csv", "--explain"]);
    let ids: Vec<String> = (1..=900).map(|id: u32| id.to_string()).collect();
    assert_eq!(column(&lake.read("out.csv"), "match_id"), ids, "{told}");
    assert!(
        told.stderr
            .contains("no column tells which of them are one"),
        "{told}"
    );
}

/// Nobody said that a record has one partner at most; the records do.
#[test]
fn pairs_are_found_to_be_pairs() {
    let lake = Lake::new();
    lake.file("people.csv", persons(800, true).0);
    let told = lake.ok(["match", "people.csv", "--output", "out.csv", "--explain"]);
    assert!(
        told.stderr.contains("an entity has two records at most"),
        "{told}"
    );
}

#[test]
fn settings_are_followed() {
    let lake = Lake::new();
    lake.file("people.csv", persons(400, true).0);
    let told = lake.ok([
        "match",
        "people.csv",
        "--compare",
        "first",
        "--compare",
        "born:code",
        "--blocking",
        "born,first",
        "-o",
        "csv",
        "--explain",
    ]);
    assert!(
        told.stdout
            .starts_with("id,first,last,street,city,born,match_id,match_confidence\n"),
        "{told}"
    );
    assert!(told.stderr.contains("born: code (as asked for"), "{told}");
    assert!(told.stderr.contains("born + first: "), "{told}");
    let duplicates = |precision: &str| -> u64 {
        let told = lake.ok([
            "match",
            "people.csv",
            "--precision-recall",
            precision,
            "--json",
            "-o",
            "out.csv",
        ]);
        let summary: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        summary["duplicates"].as_u64().unwrap()
    };
    assert!(duplicates("1") <= duplicates("0"));
}

#[test]
fn bad_input_is_told() {
    let lake = Lake::new();
    lake.file("empty.csv", "a,b\n");
    lake.file("one.csv", "a,b\nx,y\n");
    lake.file("same.csv", "name,city\nanna,york\nanna,york\nanna,york\n");
    lake.file(
        "keys.csv",
        "id,name,city\n1,anna,york\n1,bob,leeds\n2,carl,bath\n",
    );
    lake.file(
        "nulls.csv",
        "id,name,city\n1,anna,york\n,bob,leeds\n2,carl,bath\n",
    );
    // Text that was decoded wrongly before it was written.
    lake.file(
        "broken.csv",
        "name,city\nJos\u{FFFD},york\nanna,leeds\nAndr\u{FFFD},bath\nbob,hull\n",
    );
    lake.file("matched.csv", "name,match_id\nanna,1\nbob,2\n");
    for (args, wanted) in [
        (&["one.csv"][..], "'one' has one row"),
        (
            &["same.csv"],
            "no usable column: 'name': all its values are the same",
        ),
        (
            &["keys.csv", "--primary-key", "id"],
            "'id' is no primary key of 'keys': 1 rows repeat",
        ),
        (&["nulls.csv", "--primary-key", "id"], "1 rows have none"),
        (
            &["keys.csv", "--compare", "nam"],
            "a comparison names the column 'nam', which is not there; did you mean 'name'?",
        ),
        (
            &["keys.csv", "--blocking", "town"],
            "a blocking rule names the column 'town'",
        ),
        (
            &["keys.csv", "--precision-recall", "2"],
            "which is not from 0 to 1",
        ),
        (&["matched.csv"], "has a column 'match_id' already"),
        (&["nowhere.csv"], "nowhere.csv"),
        (
            &["broken.csv"],
            "'name' holds text in an encoding that was not recognised: 50.0 % of its values",
        ),
        (&["empty.csv"], "empty"),
    ] {
        let told = lake.mastic(
            ["match"]
                .into_iter()
                .chain(args.iter().copied())
                .chain(["-o", "out.csv"]),
        );
        assert_eq!(told.code, 1, "{told}");
        assert!(told.stderr.contains(wanted), "{wanted}\n{told}");
        assert!(!lake.join("out.csv").exists());
    }
    let told = lake.mastic(["match", "keys.csv", "--one-to-one"]);
    assert_eq!(told.code, 2, "{told}");
    let told = lake.mastic(["match", "keys.csv", "--compare", "name:word"]);
    assert_eq!(told.code, 2, "{told}");
}

#[test]
fn records_without_anything_in_common_are_entities_of_their_own() {
    let lake = Lake::new();
    lake.file("a.csv", "name,city\nanna,york\nbob,leeds\n");
    lake.file("b.csv", "name,city\nxerxes,quito\nzzz,mumm\n");
    lake.ok(["match", "a.csv", "-o", "out.csv"]);
    assert_eq!(column(&lake.read("out.csv"), "match_id"), ["1", "2"]);
    lake.ok(["match", "a.csv", "b.csv", "--one-to-one", "-o", "out.csv"]);
    assert_eq!(
        column(&lake.read("out.csv"), "match_id"),
        ["1", "2", "3", "4"]
    );
}

#[test]
fn a_column_of_nulls_is_left_out_and_said() {
    let lake = Lake::new();
    let (text, _) = persons(200, true);
    let with: String = text.lines().map(|l| format!("{l},\n")).collect();
    lake.file("people.csv", with.replacen("born,", "born,note", 1));
    let told = lake.ok(["match", "people.csv", "-o", "out.csv"]);
    assert!(told.stderr.contains("note: it has no values"), "{told}");
}

/// Half of the lines are in Latin-1: each is read for itself, so that it is as if all were in UTF-8.
#[test]
fn mixed_encodings_are_read_line_by_line() {
    let lake = Lake::new();
    let (text, truth) = persons(200, true);
    let (mut mixed, mut plain) = (Vec::new(), String::new());
    for (at, line) in text.lines().enumerate() {
        let line = match at {
            0 => line.to_owned(),
            _ => line.replacen('a', "\u{e9}", 1),
        };
        match at % 2 {
            0 => mixed.extend(line.as_bytes()),
            _ => mixed.extend(line.chars().map(|c| c as u32 as u8)),
        }
        mixed.push(b'\n');
        plain.push_str(&line);
        plain.push('\n');
    }
    lake.file("mixed.csv", mixed);
    lake.file("plain.csv", plain);
    for name in ["mixed", "plain"] {
        let (table, out) = (format!("{name}.csv"), format!("{name}_out.csv"));
        lake.ok(["match", table.as_str(), "--output", out.as_str()]);
    }
    let out = lake.read("mixed_out.csv");
    assert_eq!(out, lake.read("plain_out.csv"));
    assert!(out.contains('\u{e9}') && !out.contains('\u{fffd}'));
    assert!(f1(&column(&out, "match_id"), &truth) > 0.97);
}

/// What was broken before it came here, nobody is told apart by.
#[test]
fn text_that_is_broken_is_told() {
    let lake = Lake::new();
    let (text, _) = persons(200, false);
    lake.file("people.csv", text.replace("an", "\u{fffd}"));
    lake.fails(
        ["match", "people.csv", "--output", "out.csv"],
        "holds text in an encoding that was not recognised",
    );
    assert!(!lake.join("out.csv").exists());
}
