//! Columns whose values disagree in type: what a crawl keeps of them for dynamic frames.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::Lake;
use serde_json::Value;

/// The columns that are choices, as `name: choice`.
fn choices(lake: &Lake, table: &str) -> Vec<String> {
    let shown = lake.ok(["catalog", "show", table, "-o", "json"]).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let columns = shown["Table"]["StorageDescriptor"]["Columns"].clone();
    let of = |column: &Value| {
        let choice = column["Parameters"]["mastic.choice"].as_str()?;
        Some(format!("{}: {choice}", column["Name"].as_str().unwrap()))
    };
    columns.as_array().unwrap().iter().filter_map(of).collect()
}

#[test]
fn files_that_disagree_make_a_choice_beside_the_column() {
    let lake = Lake::with([
        ("d/1.json", "{\"a\":1,\"b\":1,\"s\":{\"c\":1,\"d\":1}}\n"),
        (
            "d/2.json",
            "{\"a\":\"x\",\"b\":1.5,\"s\":{\"c\":true,\"d\":2}}\n",
        ),
    ]);
    let report = lake.report(["d"]);
    let wanted = [
        "a: choice<bigint,string>",
        "s: struct<c:choice<boolean,bigint>,d:bigint>",
    ];
    assert_eq!(choices(&lake, "t.d"), wanted);
    assert_eq!(
        lake.columns("t.d"),
        ["a string", "b double", "s struct<c:string,d:bigint>"]
    );
    let why = report.lines("d", "why");
    let told = "column 'a' is choice<bigint,string> to a dynamic frame";
    assert!(why.contains(told), "{why}");
    // What is remembered of files tells as much as they do.
    let again = lake.report(["d"]);
    assert_eq!(again.files(), (2, 0, 2));
    assert_eq!(again.outcomes(), ["d unchanged"]);
    assert_eq!(choices(&lake, "t.d"), wanted);
    lake.file("d/3.json", "{\"a\":[1],\"b\":1,\"s\":{\"c\":1,\"d\":1}}\n");
    let report = lake.report(["d"]);
    let changes = report.lines("d", "changes");
    let told = "mastic.choice: choice<bigint,string> → choice<bigint,array<bigint>,string>";
    assert!(changes.contains(told), "{changes}");
    assert_eq!(lake.versions("t.d"), 2);
    // Once all files agree, no choice is left.
    lake.remove("d/2.json");
    lake.remove("d/3.json");
    lake.report(["d"]);
    assert_eq!(choices(&lake, "t.d"), [""; 0]);
}

#[test]
fn partitions_have_no_choices_of_their_own() {
    let lake = Lake::with([
        ("d/p=1/a.csv", "id,v\n1,1\n2,2\n"),
        ("d/p=2/a.csv", "id,v\n1,x\n2,y\n"),
        ("d/p=3/a.csv", "id,v\n1,z\n2,y\n"),
    ]);
    lake.report(["d"]);
    assert_eq!(choices(&lake, "t.d"), ["v: choice<bigint,string>"]);
    let all: Value = serde_json::from_str(&lake.catalog()).unwrap();
    let partitions = all["Databases"][0]["Tables"][0]["Partitions"].clone();
    let columns = |p: &Value| {
        let columns = p["StorageDescriptor"]["Columns"].as_array().cloned();
        let columns = columns.unwrap_or_default();
        assert!(columns.iter().all(|c| c["Parameters"].is_null()), "{p}");
        columns.len()
    };
    let partitions: Vec<usize> = partitions.as_array().unwrap().iter().map(columns).collect();
    // Only where the files have other columns than the table.
    assert_eq!(partitions, [2, 0, 0]);
}

#[test]
fn a_column_that_somebody_edited_is_no_choice() {
    let lake = Lake::with([
        ("d/1.json", "{\"a\":1,\"b\":1,\"c\":1,\"e\":1}\n"),
        ("d/2.json", "{\"a\":\"x\",\"b\":1,\"c\":1,\"e\":1}\n"),
    ]);
    lake.report(["d"]);
    assert_eq!(choices(&lake, "t.d"), ["a: choice<bigint,string>"]);
    lake.edit("t.d", |table| {
        table["StorageDescriptor"]["Columns"][0]["Type"] = "bigint".into();
    });
    lake.file("d/3.json", "{\"a\":\"y\",\"b\":1,\"c\":1,\"e\":1}\n");
    lake.report(["d"]);
    assert_eq!(lake.columns("t.d")[0], "a bigint");
    assert_eq!(choices(&lake, "t.d"), [""; 0]);
}
