//! Statements about databases, tables and views, through the real binary.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::Lake;

/// A lake whose catalog is there.
fn lake() -> Lake {
    let lake = Lake::with([
        ("first/a.csv", "id\n1\n"),
        ("sales/day=2024-01-01/a.csv", "1;ann;2.50\n2;bob;1.00\n"),
        ("sales/Day=2024-01-02/a.csv", "3;ann;4.25\n"),
    ]);
    lake.crawl("first");
    lake
}

const SALES: &str = "CREATE EXTERNAL TABLE shop.sales (id int COMMENT 'its number', who string, amount decimal(6,2))
    PARTITIONED BY (day date)
    ROW FORMAT DELIMITED FIELDS TERMINATED BY ';'
    LOCATION 'sales'";

#[test]
fn a_table_made_by_statements_is_read_by_other_processes() {
    let lake = lake();
    lake.ok(["sql", "CREATE DATABASE shop"]);
    lake.ok(["sql", SALES]);
    let repaired = lake.sql("MSCK REPAIR TABLE shop.sales");
    assert_eq!(repaired.matches("added").count(), 2, "{repaired}");
    assert_eq!(
        lake.sql("SELECT who, sum(amount) AS total FROM shop.sales GROUP BY who ORDER BY who"),
        "who,total\nann,6.75\nbob,1.00\n"
    );
    lake.ok([
        "sql",
        "-d",
        "shop",
        "CREATE VIEW ann AS SELECT id, day FROM sales WHERE who = 'ann'",
    ]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM shop.ann WHERE day > DATE '2024-01-01'"),
        "n\n1\n"
    );
    assert_eq!(
        lake.sql("SHOW TABLES IN shop"),
        "database,table\nshop,ann\nshop,sales\n"
    );
    lake.ok([
        "sql",
        "PREPARE by_who FROM SELECT id FROM shop.sales WHERE who = ? ORDER BY id",
    ]);
    assert_eq!(lake.sql("EXECUTE by_who USING 'ann'"), "id\n1\n3\n");
    lake.ok([
        "sql",
        "ALTER TABLE shop.sales DROP PARTITION (day = '2024-01-01')",
    ]);
    assert_eq!(lake.sql("EXECUTE by_who USING 'ann'"), "id\n3\n");
    // What a statement did is a version like any other.
    lake.ok(["catalog", "restore", "shop.sales", "2"]);
    assert_eq!(lake.sql("EXECUTE by_who USING 'ann'"), "id\n1\n3\n");
    lake.ok(["sql", "DROP DATABASE shop CASCADE"]);
    assert!(lake.path().join("sales/day=2024-01-01/a.csv").is_file());
}

#[test]
fn mistakes_are_marked_where_they_are() {
    let lake = lake();
    lake.ok(["sql", "CREATE DATABASE shop"]);
    for (statement, wanted) in [
        ("SELCT 1", "did you mean SELECT?"),
        (
            "CREATE EXTERNAL TABLE shop.t (a strng) LOCATION 'x'",
            "did you mean 'string'?",
        ),
        (
            "CREATE EXTERNAL TABLE shp.t (a int) LOCATION 'x'",
            "did you mean 'shop'?",
        ),
        ("DROP TABLE shop.t", "there is no table 'shop.t'"),
        (
            "UPDATE shop.t SET a = 1",
            "UPDATE, which needs Iceberg tables, is not built",
        ),
    ] {
        lake.fails(["sql", statement], wanted);
    }
}

/// What the catalog has of a table, but for its times and its version.
fn definition(lake: &Lake, table: &str) -> serde_json::Value {
    let shown = lake.ok(["catalog", "show", table, "-o", "json"]).stdout;
    let mut shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let mut table = shown["Table"].take();
    let fields = table.as_object_mut().unwrap();
    fields.retain(|name, _| !["CreateTime", "UpdateTime", "VersionId"].contains(&name.as_str()));
    table
}

#[test]
fn what_a_crawl_found_is_made_again_by_what_is_shown() {
    let lake = Lake::with([
        (
            "all/csv/p=1/a.csv",
            "Id,some name,v\n1,x,2.5\n2,NA,3\n3,y,NA\n",
        ),
        ("all/csv/p=2/a.csv", "Id,some name,v\n4,z,1\n"),
        (
            "all/json/a.json",
            "{\"a\": {\"b-c\": [1]}, \"n\": 1}\n{\"a\": {\"b-c\": [2]}, \"n\": \"x\"}\n",
        ),
        (
            "all/xml/a.xml",
            "<all><row k='1'><v>1</v></row><row k='2'><v>x</v></row></all>",
        ),
        (
            "all/log/a.log",
            "127.0.0.1 - ann [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.0\" 200 2326\n",
        ),
    ]);
    lake.crawl("all");
    let tables = lake.tables();
    assert!(tables.len() >= 4, "{tables:?}");
    for table in tables {
        let before = definition(&lake, &table);
        let shown = lake
            .ok(["sql", &format!("SHOW CREATE TABLE {table}"), "-o", "json"])
            .stdout;
        let row: serde_json::Value = serde_json::from_str(shown.trim()).unwrap();
        let statement = row["statement"].as_str().unwrap();
        lake.ok(["sql", &format!("DROP TABLE {table}")]);
        lake.ok(["sql", statement]);
        assert_eq!(definition(&lake, &table), before, "{statement}");
    }
}
