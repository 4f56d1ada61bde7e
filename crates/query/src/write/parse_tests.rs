#![allow(clippy::unwrap_used)]
use super::*;

fn create(text: &str) -> CreateAs {
    match parse(text).unwrap() {
        Some(Command::CreateAs(create)) => create,
        other => panic!("{text}: {other:?}"),
    }
}

fn insert(text: &str) -> Insert {
    match parse(text).unwrap() {
        Some(Command::Insert(insert)) => insert,
        other => panic!("{text}: {other:?}"),
    }
}

fn names(idents: &Option<Vec<Ident>>) -> Vec<&str> {
    idents.iter().flatten().map(|i| i.value.as_str()).collect()
}

#[test]
fn create_table_as_is_read() {
    // The examples of "Examples of CTAS queries" and "CREATE TABLE AS", Athena user guide, in one.
    let text = "CREATE TABLE IF NOT EXISTS d.\"New T\" COMMENT 'it''s new' WITH (\n  format = 'ORC', \
                partitioned_by = ARRAY['a', 'b'], bucket_count = 3, is_external = TRUE)\n AS SELECT 1 AS x WITH NO DATA;";
    let create = create(text);
    assert_eq!(create.table, TableReference::partial("d", "New T"));
    assert!(create.if_not_exists && !create.with_data);
    assert_eq!(create.comment.as_deref(), Some("it's new"));
    let properties: Vec<(&str, &Value)> = create
        .properties
        .iter()
        .map(|p| (p.name.as_str(), &p.value))
        .collect();
    let texts =
        |texts: &[&str]| Value::Array(texts.iter().map(|t| Value::Text((*t).to_owned())).collect());
    assert_eq!(
        properties,
        [
            ("format", &Value::Text("ORC".into())),
            ("partitioned_by", &texts(&["a", "b"])),
            ("bucket_count", &Value::Number("3".into())),
            ("is_external", &Value::Bool(true)),
        ]
    );
    // The query stands where it stood, for the sake of places in messages.
    assert_eq!(create.query.trim(), "SELECT 1 AS x");
    assert_eq!(
        create.query.lines().nth(2).unwrap().find('S'),
        text.lines().nth(2).unwrap().find("SELECT")
    );
}

#[test]
fn other_ways_to_write_a_table_with_a_query() {
    let one = create("create table t as (select 1 as data) with data");
    assert!(one.with_data);
    assert_eq!(one.query.trim(), "(select 1 as data)");
    // A column called data, and a common table expression.
    assert_eq!(
        create("CREATE TABLE t AS WITH data AS (SELECT 1) SELECT * FROM data")
            .query
            .trim(),
        "WITH data AS (SELECT 1) SELECT * FROM data"
    );
    let named = create("CREATE TABLE t (a, \"B\") AS VALUES (1, 2)");
    assert_eq!(names(&named.columns), ["a", "B"]);
}

#[test]
fn inserts_are_read() {
    let one = insert("INSERT INTO d.t VALUES (1, 'a')");
    assert_eq!(one.table, TableReference::partial("d", "t"));
    assert!(!one.overwrite && one.columns.is_none() && one.partition.is_empty());
    let two = insert("INSERT INTO t (a, `b`) (SELECT 1, 2)");
    assert_eq!(names(&two.columns), ["a", "b"]);
    assert_eq!(two.query.trim(), "(SELECT 1, 2)");
    assert!(insert("INSERT INTO t (SELECT 1)").columns.is_none());
    let three = insert(
        "INSERT OVERWRITE TABLE t PARTITION (y = 2024, m = '01', d = DATE '2024-01-02', n = NULL, h) SELECT 1",
    );
    assert!(three.overwrite);
    let keys: Vec<(&str, Option<&Value>)> = three
        .partition
        .iter()
        .map(|(name, value)| (name.value.as_str(), value.as_ref()))
        .collect();
    assert_eq!(
        keys,
        [
            ("y", Some(&Value::Number("2024".into()))),
            ("m", Some(&Value::Text("01".into()))),
            ("d", Some(&Value::Text("2024-01-02".into()))),
            ("n", Some(&Value::Null)),
            ("h", None),
        ]
    );
}

#[test]
fn unload_is_read_up_to_its_own_parenthesis() {
    let text = "UNLOAD (SELECT ')' AS a, (1) AS b FROM (SELECT 1) AS x) TO 's3://b/c/' WITH (format = 'PARQUET');";
    let Some(Command::Unload(unload)) = parse(text).unwrap() else {
        panic!("no UNLOAD");
    };
    assert_eq!(
        unload.query.trim(),
        "SELECT ')' AS a, (1) AS b FROM (SELECT 1) AS x"
    );
    assert_eq!(unload.to, "s3://b/c/");
    assert_eq!(unload.properties.len(), 1);
}

#[test]
fn other_statements_are_not_its_own() {
    for text in [
        "",
        "'",
        "SELECT 1",
        "CREATE DATABASE d",
        "CREATE EXTERNAL TABLE t (a int) LOCATION 'x'",
        "CREATE TABLE t (a int, b string) STORED AS PARQUET",
        "CREATE TABLE t (a int) WITH (format = 'PARQUET')",
        "CREATE VIEW v AS SELECT 1",
        "EXPLAIN INSERT INTO t SELECT 1",
        "CREATE TABLE",
    ] {
        assert_eq!(parse(text).unwrap(), None, "{text}");
    }
}

#[test]
fn mistakes_have_their_place() {
    let place = |text: &str| parse(text).unwrap_err().place();
    assert_eq!(place("INSERT t SELECT 1"), Some((1, 8)));
    assert_eq!(place("INSERT INTO t\nDELETE FROM t"), Some((2, 1)));
    assert_eq!(
        place("CREATE TABLE t WITH (format 'ORC') AS SELECT 1"),
        Some((1, 29))
    );
    assert_eq!(
        place("CREATE TABLE t WITH (a = 1, A = 2) AS SELECT 1"),
        Some((1, 29))
    );
    assert_eq!(
        place("CREATE TABLE t WITH (a = b) AS SELECT 1"),
        Some((1, 26))
    );
    assert_eq!(place("UNLOAD (SELECT 1 TO 'x'"), Some((1, 8)));
    assert!(place("UNLOAD (SELECT 1) TO 'x' WITH (a = 1) AND").is_some());
}
