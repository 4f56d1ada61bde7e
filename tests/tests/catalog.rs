//! The catalog from the command line: list, show, versions, diff, restore, delete, export, import.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::{Lake, snapshot};

/// A lake whose table `t.d` has three versions: it grew a partition and a column, then widened.
fn three_versions() -> Lake {
    let lake = Lake::with([("d/p=1/a.csv", "id,v\n1,1\n")]);
    lake.crawl("d");
    lake.file("d/p=2/a.csv", "id,v,w\n2,2,x\n");
    lake.crawl("d");
    lake.file("d/p=3/a.csv", "id,v,w\n3,2.5,y\n");
    lake.crawl("d");
    assert_eq!(lake.versions("t.d"), 3);
    lake
}

#[test]
fn databases_tables_columns_and_partitions_are_listed() {
    let lake = three_versions();
    lake.file("e/a.json", "{\"k\":1}\n");
    lake.ok(["crawl", "e", "-d", "other"]);
    snapshot!(
        lake,
        "databases",
        lake.ok(["catalog", "databases", "-o", "csv"])
    );
    snapshot!(lake, "tables", lake.ok(["catalog", "tables", "-o", "csv"]));
    snapshot!(
        lake,
        "tables_of_one",
        lake.ok(["catalog", "tables", "other", "-o", "csv"])
    );
    snapshot!(lake, "show", lake.ok(["catalog", "show", "t.d"]));
    snapshot!(
        lake,
        "show_csv",
        lake.ok(["catalog", "show", "t.d", "-o", "csv"])
    );
    snapshot!(
        lake,
        "partitions",
        lake.ok(["catalog", "partitions", "t.d", "-o", "csv"])
    );
}

#[test]
fn versions_and_what_changed_between_any_two() {
    let lake = three_versions();
    snapshot!(
        lake,
        "versions",
        lake.ok(["catalog", "versions", "t.d", "-o", "csv"])
    );
    snapshot!(
        lake,
        "diff_last",
        lake.ok(["catalog", "diff", "t.d", "-o", "csv"])
    );
    snapshot!(
        lake,
        "diff_1_3",
        lake.ok(["catalog", "diff", "t.d", "1", "3", "-o", "csv"])
    );
    snapshot!(
        lake,
        "diff_back",
        lake.ok(["catalog", "diff", "t.d", "3", "1", "-o", "csv"])
    );
    snapshot!(
        lake,
        "diff_json",
        lake.ok(["catalog", "diff", "t.d", "1", "2", "-o", "json"])
    );
    snapshot!(
        lake,
        "diff_same",
        lake.ok(["catalog", "diff", "t.d", "2", "2", "-o", "csv"])
    );
    snapshot!(
        lake,
        "diff_unknown",
        lake.fails(["catalog", "diff", "t.d", "1", "9"], "9")
    );
    snapshot!(lake, "diff_of_one", {
        lake.file("one/a.json", "{\"k\":1}\n");
        lake.crawl("one");
        lake.fails(["catalog", "diff", "t.one"], "one version only")
    });
    let old = lake
        .ok(["catalog", "show", "t.d", "--version", "1", "-o", "csv"])
        .stdout;
    assert_eq!(
        old,
        "column,type,partition key,comment\nid,bigint,,\nv,bigint,,\np,bigint,yes,\n"
    );
    let old = lake
        .ok([
            "catalog",
            "partitions",
            "t.d",
            "--version",
            "2",
            "-o",
            "csv",
        ])
        .stdout;
    assert_eq!(old.lines().count(), 3, "{old}");
}

#[test]
fn an_older_version_comes_back_as_a_new_one() {
    let lake = three_versions();
    let output = lake.ok(["catalog", "restore", "t.d", "1"]);
    snapshot!(lake, "restored", output);
    assert_eq!(lake.versions("t.d"), 4);
    assert_eq!(lake.columns("t.d"), ["id bigint", "v bigint", "[p bigint]"]);
    assert_eq!(lake.sql("SELECT * FROM t.d"), "id,v,p\n1,1,1\n");
    // History is all there still.
    assert_eq!(
        lake.ok(["catalog", "diff", "t.d", "1", "4", "-o", "csv"])
            .stdout,
        ""
    );
    lake.ok(["catalog", "restore", "t.d", "3"]);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.d"), "n\n3\n");
    snapshot!(
        lake,
        "restore_unknown",
        lake.fails(["catalog", "restore", "t.d", "17"], "17")
    );
}

#[test]
fn a_deleted_table_can_be_restored() {
    let lake = three_versions();
    snapshot!(lake, "deleted", lake.ok(["catalog", "delete", "t.d"]));
    assert!(lake.tables().is_empty());
    lake.fails(["sql", "SELECT * FROM t.d"], "t.d");
    // Data is never touched.
    assert_eq!(lake.names("d").len(), 3);
    let output = lake.ok(["catalog", "restore", "t.d", "2"]);
    snapshot!(lake, "undeleted", output);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.d"), "n\n2\n");
}

#[test]
fn a_database_with_tables_is_deleted_only_with_cascade() {
    let lake = three_versions();
    let before = lake.catalog();
    snapshot!(
        lake,
        "delete_full",
        lake.fails(["catalog", "delete", "t"], "1 table")
    );
    assert_eq!(lake.catalog(), before);
    snapshot!(
        lake,
        "delete_cascade",
        lake.ok(["catalog", "delete", "t", "--cascade"])
    );
    let left = lake.ok(["catalog", "databases", "-o", "csv"]).stdout;
    assert_eq!(left.lines().count(), 1, "{left}");
    snapshot!(
        lake,
        "delete_unknown",
        lake.fails(["catalog", "delete", "nope"], "nope")
    );
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let lake = three_versions();
    lake.file("orders/a.json", "{\"k\":1}\n");
    lake.crawl("orders");
    for (name, args) in [
        ("show", ["catalog", "show", "t.ordres"]),
        ("versions", ["catalog", "versions", "t.ordres"]),
        ("partitions", ["catalog", "partitions", "t.ordres"]),
        ("tables", ["catalog", "tables", "tt"]),
    ] {
        let output = lake.fails(args, "does not exist");
        mastic_tests::snapshots(&lake)
            .bind(|| insta::assert_snapshot!(format!("unknown_{name}"), output.to_string()));
    }
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let lake = three_versions();
    lake.file("e/a.json", "{\"k\":{\"x\":[1.5]},\"w\":\"y\"}\n");
    lake.crawl("e");
    let exported = lake.catalog();
    lake.file("export.json", &exported);
    let import = ["--catalog", "other.db", "catalog", "import", "export.json"];
    snapshot!(lake, "imported", lake.ok(import));
    let there = |args: &[&str]| {
        let all = ["--catalog", "other.db"].iter().chain(args);
        lake.ok(all).stdout
    };
    // Only what a catalog counts for itself may differ: versions and times.
    assert_eq!(plain(&there(&["catalog", "export"])), plain(&exported));
    assert_eq!(
        there(&[
            "sql",
            "SELECT id, v, w, p FROM t.d ORDER BY id",
            "-o",
            "csv"
        ]),
        "id,v,w,p\n1,1.0,,1\n2,2.0,x,2\n3,2.5,y,3\n"
    );
    // Twice changes nothing.
    lake.ok(import);
    let versions = there(&["catalog", "versions", "t.d", "-o", "json"]);
    assert_eq!(versions.lines().count(), 1);
    // From standard input, and of one database only.
    let only = lake.ok(["catalog", "export", "t"]).stdout;
    let output = lake.mastic_fed(
        ["--catalog", "third.db", "catalog", "import", "-"],
        only.as_bytes(),
    );
    assert_eq!(output.code, 0, "{output}");
}

fn plain(exported: &str) -> serde_json::Value {
    fn clean(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                for name in ["VersionId", "CreateTime", "UpdateTime", "CreationTime"] {
                    map.remove(name);
                }
                map.values_mut().for_each(clean);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(clean),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(exported).unwrap();
    clean(&mut value);
    value
}

#[test]
fn an_export_has_glues_shapes() {
    let lake = Lake::with([("d/year=2024/a.csv", "id,v\n1,1\n")]);
    lake.crawl("d");
    snapshot!(lake, lake.ok(["catalog", "export"]));
}

#[test]
fn what_aws_prints_is_imported() {
    // As `aws glue get-tables` and `aws glue get-partitions` print it.
    let lake = Lake::new();
    lake.file("orders/year=2024/a.csv", "1,2.5\n2,3.5\n");
    let root = lake.join("orders").display().to_string();
    let tables = r#"{"TableList":[{"Name":"orders","DatabaseName":"shop","CreateTime":"2024-05-01T10:00:00+02:00",
      "UpdateTime":"2024-05-01T10:00:00+02:00","Retention":0,"StorageDescriptor":{"Columns":[{"Name":"id","Type":"bigint"},
      {"Name":"amount","Type":"double"}],"Location":"ROOT/","InputFormat":"org.apache.hadoop.mapred.TextInputFormat",
      "OutputFormat":"org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat","Compressed":false,"NumberOfBuckets":-1,
      "SerdeInfo":{"SerializationLibrary":"org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe","Parameters":{"field.delim":","}},
      "BucketColumns":[],"SortColumns":[],"Parameters":{},"StoredAsSubDirectories":false},
      "PartitionKeys":[{"Name":"year","Type":"int"}],"TableType":"EXTERNAL_TABLE",
      "Parameters":{"classification":"csv","EXTERNAL":"TRUE"},"CreatedBy":"arn:aws:iam::123456789012:user/x",
      "IsRegisteredWithLakeFormation":false,"CatalogId":"123456789012","VersionId":"7"}]}"#;
    let tables = tables.replace("ROOT", &root);
    let output = lake.mastic_fed(["catalog", "import", "-"], tables.as_bytes());
    assert_eq!(output.code, 0, "{output}");
    let partitions = r#"{"Partitions":[{"Values":["2024"],"DatabaseName":"shop","TableName":"orders",
      "CreationTime":"2024-05-01T10:00:00+02:00","StorageDescriptor":{"Columns":[{"Name":"id","Type":"bigint"},
      {"Name":"amount","Type":"double"}],"Location":"ROOT/year=2024/","InputFormat":"org.apache.hadoop.mapred.TextInputFormat",
      "OutputFormat":"org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
      "SerdeInfo":{"SerializationLibrary":"org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe","Parameters":{"field.delim":","}}},
      "CatalogId":"123456789012"}]}"#;
    let partitions = partitions.replace("ROOT", &root);
    let output = lake.mastic_fed(["catalog", "import", "-"], partitions.as_bytes());
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(
        lake.sql("SELECT id, amount, year FROM shop.orders ORDER BY id"),
        "id,amount,year\n1,2.5,2024\n2,3.5,2024\n"
    );
}

#[test]
fn a_bad_import_changes_nothing() {
    let lake = three_versions();
    let before = lake.catalog();
    for (name, text) in [
        ("no_json", "{\"TableList\": ["),
        ("no_shape", "[1, 2]"),
        ("no_database", "{\"TableList\": [{\"Name\": \"x\"}]}"),
        ("no_name", "{\"TableList\": [{\"DatabaseName\": \"t\"}]}"),
        (
            "partition_of_no_table",
            "{\"Partitions\": [{\"Values\": [\"1\"], \"DatabaseName\": \"t\", \"TableName\": \"nope\"}]}",
        ),
        (
            "partition_of_other_keys",
            "{\"Partitions\": [{\"Values\": [\"1\", \"2\"], \"DatabaseName\": \"t\", \"TableName\": \"d\"}]}",
        ),
    ] {
        lake.file("in.json", text);
        let output = lake.fails(["catalog", "import", "in.json"], "error");
        mastic_tests::snapshots(&lake)
            .bind(|| insta::assert_snapshot!(format!("bad_import_{name}"), output.to_string()));
        assert_eq!(lake.catalog(), before, "{name}");
    }
    snapshot!(
        lake,
        "bad_import_no_file",
        lake.fails(["catalog", "import", "no.json"], "no.json")
    );
}

#[test]
fn a_type_that_mastic_does_not_know_is_told_when_it_is_read() {
    let lake = three_versions();
    let table = r#"{"TableList": [{"Name": "x", "DatabaseName": "t", "StorageDescriptor":
      {"Columns": [{"Name": "a", "Type": "bigimt"}], "Location": "/tmp/x"}}]}"#;
    lake.file("in.json", table);
    lake.ok(["catalog", "import", "in.json"]);
    snapshot!(
        lake,
        "unknown_type",
        lake.fails(["sql", "SELECT * FROM t.x"], "bigimt")
    );
    // It spoils no other table.
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.d"), "n\n3\n");
}
