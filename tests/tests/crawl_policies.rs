//! Living with change: what becomes of tables and partitions when files change or go, of what people edited.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::Lake;
use serde_json::json;

#[test]
fn merging_adds_and_widens_and_never_drops() {
    let lake = Lake::with([("d/a.csv", "id,v,w\n1,1,x\n")]);
    lake.report(["d"]);
    lake.file("d/a.csv", "id,v,new\n1,1.5,true\n");
    let report = lake.report(["d"]);
    assert_eq!(report.outcomes(), ["d updated"]);
    assert_eq!(
        lake.columns("t.d"),
        ["id bigint", "v double", "w string", "new boolean"]
    );
    let changes = report.lines("d", "changes");
    assert!(changes.contains("~ column v: bigint → double"), "{changes}");
    assert!(changes.contains("+ column new: boolean"), "{changes}");
}

#[test]
fn replacing_makes_the_columns_what_the_files_have() {
    let lake = Lake::with([("d/a.csv", "id,v,w\n1,1.5,x\n")]);
    lake.report(["d"]);
    lake.file("d/a.csv", "id,v,new\n1,1,true\n");
    let report = lake.report(["d", "--on-update", "replace"]);
    assert_eq!(report.outcomes(), ["d updated"]);
    assert_eq!(
        lake.columns("t.d"),
        ["id bigint", "v bigint", "new boolean"]
    );
    assert_eq!(lake.sql("SELECT * FROM t.d"), "id,v,new\n1,1,true\n");
    assert_eq!(
        lake.report(["d", "--on-update", "replace"]).outcomes(),
        ["d unchanged"]
    );
    assert_eq!(lake.versions("t.d"), 2);
}

#[test]
fn logging_says_what_differs_and_changes_nothing_but_new_partitions() {
    let lake = Lake::with([("d/p=1/a.csv", "id,v\n1,1\n")]);
    lake.report(["d"]);
    let before = lake.catalog();
    lake.file("d/p=1/a.csv", "id,v,new\n1,1.5,true\n");
    let report = lake.report(["d", "--on-update", "log"]);
    assert_eq!(report.outcomes(), ["d logged"]);
    let changes = report.lines("d", "changes");
    assert!(changes.contains("~ column v: bigint → double"), "{changes}");
    assert!(changes.contains("+ column new: boolean"), "{changes}");
    assert_eq!(lake.catalog(), before);
    // New tables and new partitions are made, whatever the policy (Glue: "Setting crawler configuration
    // options").
    lake.file("d/p=2/a.csv", "id,v\n2,2\n");
    let report = lake.report(["d", "--on-update", "log"]);
    assert_eq!(report.outcomes(), ["d updated"]);
    assert_eq!(lake.columns("t.d"), ["id bigint", "v bigint", "[p bigint]"]);
    assert_eq!(lake.sql("SELECT v FROM t.d WHERE p = 2"), "v\n2\n");
    lake.file("e/a.csv", "id,v\n2,2\n");
    let report = lake.report(["e", "--on-update", "log"]);
    assert_eq!(report.outcomes(), ["e created"]);
}

/// A lake with two tables, of which one has lost its files since it was crawled.
fn gone() -> Lake {
    let lake = Lake::with([
        ("l/stays/a.csv", "id,v\n1,1\n"),
        ("l/goes/p=1/a.json", "{\"k\":\"x\"}\n"),
        ("l/goes/p=2/a.json", "{\"k\":\"y\"}\n"),
    ]);
    lake.report(["l"]);
    std::fs::remove_dir_all(lake.join("l/goes")).unwrap();
    lake
}

#[test]
fn tables_whose_files_are_gone_are_deprecated_by_default() {
    let lake = gone();
    let report = lake.report(["l"]);
    assert_eq!(report.outcomes(), ["goes deprecated", "stays unchanged"]);
    let shown = lake.ok(["catalog", "show", "t.goes", "-o", "json"]).stdout;
    // The parameter of Glue's DEPRECATE_IN_DATABASE.
    assert!(shown.contains("DEPRECATED_BY_CRAWLER"), "{shown}");
    assert_eq!(lake.report(["l"]).outcomes(), ["stays unchanged"]);
    assert_eq!(lake.versions("t.goes"), 2);
}

#[test]
fn tables_whose_files_are_gone_can_be_deleted_and_restored() {
    let lake = gone();
    let report = lake.report(["l", "--on-delete", "delete"]);
    assert_eq!(report.outcomes(), ["goes deleted", "stays unchanged"]);
    assert_eq!(lake.tables(), ["t.stays"]);
    lake.ok(["catalog", "restore", "t.goes", "1"]);
    assert_eq!(lake.tables(), ["t.goes", "t.stays"]);
    lake.file("l/goes/p=1/a.json", "{\"k\":\"x\"}\n");
    lake.file("l/goes/p=2/a.json", "{\"k\":\"y\"}\n");
    assert_eq!(
        lake.sql("SELECT k, p FROM t.goes ORDER BY p"),
        "k,p\nx,1\ny,2\n"
    );
}

#[test]
fn tables_whose_files_are_gone_can_be_left_alone() {
    let lake = gone();
    let before = lake.catalog();
    for _ in 0..2 {
        let report = lake.report(["l", "--on-delete", "log"]);
        assert_eq!(report.outcomes(), ["goes logged", "stays unchanged"]);
    }
    assert_eq!(lake.catalog(), before);
}

#[test]
fn partitions_whose_files_are_gone() {
    for (policy, left) in [
        ("deprecate", "p\n2\n"),
        ("delete", "p\n2\n"),
        ("log", "p\n1\n2\n"),
    ] {
        let lake = Lake::with([
            ("d/p=1/a.csv", "id,v\n1,1\n"),
            ("d/p=2/a.csv", "id,v\n2,1\n"),
        ]);
        lake.report(["d"]);
        let before = lake
            .ok(["catalog", "partitions", "t.d", "-o", "csv"])
            .stdout;
        std::fs::remove_dir_all(lake.join("d/p=1")).unwrap();
        lake.report(["d", "--on-delete", policy]);
        let after = lake
            .ok(["catalog", "partitions", "t.d", "-o", "csv"])
            .stdout;
        assert_eq!(
            after.lines().count(),
            left.lines().count(),
            "{policy}\n{after}"
        );
        assert_eq!(after == before, policy == "log", "{policy}\n{after}");
        // What is restored has them again.
        lake.ok(["catalog", "restore", "t.d", "1"]);
        let restored = lake
            .ok(["catalog", "partitions", "t.d", "-o", "csv"])
            .stdout;
        assert_eq!(restored, before, "{policy}");
    }
}

#[test]
fn a_target_that_is_gone_altogether_changes_nothing() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.report(["d"]);
    let before = lake.catalog();
    std::fs::remove_dir_all(lake.join("d")).unwrap();
    lake.fails(["crawl", "d", "-d", "t", "--on-delete", "delete"], "d");
    assert_eq!(lake.catalog(), before);
}

fn columns(table: &mut serde_json::Value) -> &mut Vec<serde_json::Value> {
    table["StorageDescriptor"]["Columns"]
        .as_array_mut()
        .unwrap()
}

#[test]
fn an_edited_column_is_kept() {
    for policy in ["merge", "replace"] {
        let lake = Lake::with([("d/a.csv", "id,zip,v\n1,10115,1\n2,90210,2\n")]);
        lake.report(["d"]);
        lake.edit("t.d", |table| {
            columns(table)[1] = json!({"Name": "zip", "Type": "string", "Comment": "US and DE"});
            table["Description"] = json!("by hand");
        });
        let edited = ["id bigint", "zip string", "v bigint"];
        assert_eq!(lake.columns("t.d"), edited);
        assert_eq!(
            lake.report(["d", "--on-update", policy]).outcomes(),
            ["d unchanged"]
        );
        lake.file("d/b.csv", "id,zip,v,w\n3,33333,2.5,x\n");
        let report = lake.report(["d", "--on-update", policy]);
        assert_eq!(
            lake.columns("t.d"),
            ["id bigint", "zip string", "v double", "w string"],
            "{policy}"
        );
        let why = report.lines("d", "why");
        assert!(
            why.contains("column 'zip' stays string: it was edited by hand"),
            "{policy}\n{why}"
        );
        let shown = lake.ok(["catalog", "show", "t.d", "-o", "json"]).stdout;
        assert!(
            shown.contains("US and DE") && shown.contains("by hand"),
            "{policy}\n{shown}"
        );
        assert_eq!(
            lake.sql("SELECT id, zip FROM t.d ORDER BY id"),
            "id,zip\n1,10115\n2,90210\n3,33333\n",
            "{policy}"
        );
        // And for good.
        let again = lake.report(["d", "--on-update", policy]);
        assert_eq!(again.outcomes(), ["d unchanged"], "{policy}");
    }
}

#[test]
fn an_edited_column_that_the_files_come_to_disagree_with_is_kept_and_told() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n2,2\n")]);
    lake.report(["d"]);
    lake.edit("t.d", |table| columns(table)[1]["Type"] = json!("int"));
    lake.file("d/b.csv", "id,v\n3,many\n");
    let report = lake.report(["d"]);
    assert_eq!(lake.columns("t.d"), ["id bigint", "v int"]);
    let why = report.lines("d", "why");
    assert!(
        why.contains("column 'v' stays int: it was edited by hand (the files say string)"),
        "{why}"
    );
    assert_eq!(lake.sql("SELECT id FROM t.d ORDER BY id"), "id\n1\n2\n3\n");
}

#[test]
fn a_dropped_column_stays_away() {
    for policy in ["merge", "replace"] {
        let lake = Lake::with([("d/a.csv", "id,secret,v\n1,x,1\n")]);
        lake.report(["d"]);
        lake.edit("t.d", |table| {
            columns(table).remove(1);
        });
        assert_eq!(lake.sql("SELECT * FROM t.d"), "id,v\n1,1\n");
        lake.report(["d", "--on-update", policy]);
        lake.file("d/b.csv", "id,secret,v,new\n2,y,2,true\n");
        let report = lake.report(["d", "--on-update", policy]);
        assert_eq!(
            lake.columns("t.d"),
            ["id bigint", "v bigint", "new boolean"],
            "{policy}"
        );
        let why = report.lines("d", "why");
        assert!(
            why.contains("column 'secret' stays away"),
            "{policy}\n{why}"
        );
        lake.report(["d", "--on-update", policy]);
        assert_eq!(
            lake.sql("SELECT * FROM t.d ORDER BY id"),
            "id,v,new\n1,1,\n2,2,true\n",
            "{policy}"
        );
    }
}

#[test]
fn a_column_that_was_added_by_hand_is_kept() {
    for policy in ["merge", "replace"] {
        let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
        lake.report(["d"]);
        lake.edit("t.d", |table| {
            columns(table).push(json!({"Name": "later", "Type": "date"}));
        });
        lake.file("d/b.csv", "id,v\n2,2\n");
        lake.report(["d", "--on-update", policy]);
        assert_eq!(
            lake.columns("t.d"),
            ["id bigint", "v bigint", "later date"],
            "{policy}"
        );
    }
}

#[test]
fn edits_survive_a_crawl_of_what_was_changed() {
    let lake = Lake::with([("d/p=1/a.csv", "id,zip,x\n1,10115,1\n")]);
    lake.report(["d"]);
    lake.edit("t.d", |table| {
        columns(table)[1]["Type"] = json!("string");
        columns(table).remove(2);
    });
    lake.file("d/p=2/a.csv", "id,zip,x\n2,20000,2\n");
    let report = lake.report(["d", "--changed", "d/p=2"]);
    assert_eq!(report.files(), (1, 1, 0));
    assert_eq!(
        lake.columns("t.d"),
        ["id bigint", "zip string", "[p bigint]"]
    );
    assert_eq!(
        lake.sql("SELECT * FROM t.d ORDER BY id"),
        "id,zip,p\n1,10115,1\n2,20000,2\n"
    );
}

#[test]
fn a_column_of_nothing_but_nulls_gets_its_type_later() {
    let lake = Lake::with([
        ("csv/a.csv", "id,x\n1,\n2,\n"),
        ("json/a.json", "{\"id\":1,\"x\":null}\n{\"id\":2}\n"),
    ]);
    for table in ["csv", "json"] {
        lake.report([table]);
    }
    assert_eq!(lake.columns("t.csv"), ["id bigint", "x string"]);
    assert_eq!(lake.columns("t.json"), ["id bigint", "x string"]);
    lake.file("csv/b.csv", "id,x\n3,2024-01-31\n");
    lake.file("json/b.json", "{\"id\":3,\"x\":{\"a\":[1]}}\n");
    for table in ["csv", "json"] {
        lake.report([table]);
    }
    assert_eq!(lake.columns("t.csv"), ["id bigint", "x date"]);
    assert_eq!(
        lake.columns("t.json"),
        ["id bigint", "x struct<a:array<bigint>>"]
    );
    assert_eq!(
        lake.sql("SELECT id, x FROM t.csv ORDER BY id"),
        "id,x\n1,\n2,\n3,2024-01-31\n"
    );
}

#[test]
fn versions_are_bounded() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    for i in 1..=8 {
        lake.file(&format!("d/{i}.csv"), "id,v\n1,1\n");
        lake.report(["d", "--keep-versions", "3"]);
    }
    let listed = lake.ok(["catalog", "versions", "t.d", "-o", "csv"]).stdout;
    let numbers: Vec<&str> = listed
        .lines()
        .skip(1)
        .map(|l| l.split(',').next().unwrap())
        .collect();
    assert_eq!(numbers, ["8", "7", "6"], "{listed}");
    lake.fails(["catalog", "restore", "t.d", "5"], "it has versions 6 to 8");
    lake.ok(["catalog", "restore", "t.d", "6"]);
}

#[test]
fn no_version_is_written_where_nothing_is_different() {
    let lake = Lake::with([
        ("l/a/x.csv", "id,v\n1,1\n"),
        ("l/b/p=1/x.json", "{\"k\":\"v\"}\n"),
        ("l/shop/orders_1.csv", "id,total,day\n1,2.5,2024-01-01\n"),
        ("l/shop/stores.csv", "store,city\n01,Rome\n"),
    ]);
    lake.report(["l"]);
    let before = lake.catalog();
    for args in [
        ["--on-update", "merge"],
        ["--on-update", "replace"],
        ["--on-update", "log"],
        ["--on-delete", "delete"],
        ["--sample", "1"],
    ] {
        let args = ["crawl", "l", "-d", "t"].iter().chain(&args);
        lake.ok(args);
    }
    lake.report(["l", "--new-folders-only"]);
    lake.report(["l", "--changed", "l/b/p=1"]);
    assert_eq!(lake.catalog(), before);
}

#[test]
fn partitions_keep_columns_of_their_own_only_where_they_differ() {
    let files = [
        ("d/p=1/a.csv", "id,v\n1,1\n"),
        ("d/p=2/a.csv", "id,v\n2,1.5\n"),
    ];
    let own = |lake: &Lake| -> Vec<String> {
        let all: serde_json::Value = serde_json::from_str(&lake.catalog()).unwrap();
        let partitions = &all["Databases"][0]["Tables"][0]["Partitions"];
        let columns = partitions.as_array().unwrap().iter();
        columns
            .map(|p| p["StorageDescriptor"]["Columns"].to_string())
            .collect()
    };
    let lake = Lake::with(files);
    lake.report(["d"]);
    assert_eq!(
        own(&lake),
        [
            r#"[{"Name":"id","Type":"bigint"},{"Name":"v","Type":"bigint"}]"#,
            "null"
        ]
    );
    let rows = "id,v\n1,1.0\n2,1.5\n";
    assert_eq!(lake.sql("SELECT id, v FROM t.d ORDER BY id"), rows);

    let lake = Lake::with(files);
    lake.report(["d", "--inherit-from-table"]);
    assert_eq!(own(&lake), ["null", "null"]);
    assert_eq!(lake.sql("SELECT id, v FROM t.d ORDER BY id"), rows);
}
