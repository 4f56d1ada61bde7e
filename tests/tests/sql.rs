//! SQL: the files of tests/slt, over a crawl of the golden lake (tests/lake) and of the samples.
//!
//! Each statement is a run of the binary. Answers are read as JSON, which tells NULL from an empty text.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::OnceLock;

use mastic_tests::{Lake, repository, snapshot};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

/// A folder whose catalog has `golden` and `demo`.
fn lake() -> &'static Lake {
    static LAKE: OnceLock<Lake> = OnceLock::new();
    LAKE.get_or_init(|| {
        let lake = Lake::at(concat!(env!("CARGO_TARGET_TMPDIR"), "/sql"));
        let repository = repository();
        for (folder, database) in [("tests/lake", "golden"), ("samples/lake", "demo")] {
            let folder = repository.join(folder).display().to_string();
            lake.ok(["crawl", &folder, "--database", database]);
        }
        lake
    })
}

struct Mastic;

#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl DB for Mastic {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        // Columns without a name of their own may be called alike, and JSON has one of each name.
        let output = lake().mastic(["sql", sql, "--output", "json"]);
        if output.code != 0 {
            return Err(Refused(output.stderr));
        }
        let rows: Vec<Vec<String>> = output.stdout.lines().map(row).collect();
        let width = rows.first().map_or(0, Vec::len);
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Any; width],
            rows,
        })
    }

    fn engine_name(&self) -> &str {
        "mastic"
    }
}

fn row(line: &str) -> Vec<String> {
    let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    row.into_iter().map(|(_, value)| text(value)).collect()
}

fn text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "NULL".into(),
        serde_json::Value::String(text) if text.is_empty() => "(empty)".into(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Runs a file, and tells all of its differences at once.
fn run(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt").join(file);
    let mut runner = Runner::new(|| async { Ok(Mastic) });
    let records = sqllogictest::parse_file(&path).unwrap();
    let mut queries = 0;
    let mut wrong = Vec::new();
    for record in records {
        queries += usize::from(matches!(record, sqllogictest::Record::Query { .. }));
        if let Err(error) = runner.run(record) {
            wrong.push(error.display(false).to_string());
        }
    }
    assert!(queries > 0, "{file} has no queries");
    assert!(
        wrong.is_empty(),
        "{} of {queries}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn select() {
    run("select.slt");
}

#[test]
fn partitions() {
    run("partitions.slt");
}

#[test]
fn joins() {
    run("joins.slt");
}

#[test]
fn nested() {
    run("nested.slt");
}

#[test]
fn unnest() {
    run("unnest.slt");
}

#[test]
fn order() {
    run("order.slt");
}

#[test]
fn alias() {
    run("alias.slt");
}

#[test]
fn order_by_a_hidden_column() {
    run("order_by_a_hidden_column.slt");
}

#[test]
fn functions() {
    run("functions.slt");
}

#[test]
fn trino() {
    run("trino.slt");
}

#[test]
fn samples() {
    run("samples.slt");
}

#[test]
fn every_file_is_run() {
    let here = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql.rs"))
        .unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".slt") {
            assert!(
                here.contains(&format!("run(\"{name}\")")),
                "{name} is run by no test"
            );
        }
    }
}

#[test]
fn the_golden_lakes_catalog() {
    let lake = lake();
    let show = |table: &str| format!("{table}\n  {}\n", lake.columns(table).join("\n  "));
    let all: String = lake
        .tables()
        .iter()
        .filter(|t| t.starts_with("golden."))
        .map(|t| show(t))
        .collect();
    snapshot!(lake, "golden", all);
}

#[test]
fn statements_that_ask_the_catalog() {
    let lake = lake();
    for (name, statement) in [
        ("show_databases", "SHOW DATABASES"),
        ("show_tables", "SHOW TABLES"),
        ("describe", "DESCRIBE golden.orders"),
        ("show_columns", "SHOW COLUMNS FROM golden.orders"),
    ] {
        let output = lake.mastic(["sql", statement, "-o", "csv", "-d", "golden"]);
        mastic_tests::snapshots(lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
}

#[test]
fn a_plan_shows_that_only_partitions_that_are_asked_for_are_read() {
    let lake = lake();
    let plan = |query: &str| lake.ok(["sql", &format!("EXPLAIN VERBOSE {query}")]).stdout;
    let all = plan("SELECT id FROM golden.orders");
    assert!(
        all.contains("region=eu") && all.contains("region=us"),
        "{all}"
    );
    let some = plan("SELECT id FROM golden.orders WHERE region = 'us'");
    assert!(
        !some.contains("region=eu") && some.contains("region=us"),
        "{some}"
    );
    let some = plan("SELECT id FROM golden.orders WHERE region IS NULL");
    assert!(
        !some.contains("region=eu") && !some.contains("region=us"),
        "{some}"
    );
}

#[test]
fn a_database_by_option_needs_no_prefix() {
    let lake = lake();
    let output = lake.ok([
        "sql",
        "-d",
        "golden",
        "SELECT count(*) AS n FROM stores",
        "-o",
        "csv",
    ]);
    assert_eq!(output.stdout, "n\n4\n");
    let output = lake.ok([
        "sql",
        "-d",
        "golden",
        "SELECT count(*) AS n FROM demo.airlines",
        "-o",
        "csv",
    ]);
    assert_eq!(output.stdout, "n\n16\n");
}

#[test]
fn a_statement_from_a_file() {
    let lake = Lake::with([
        ("d/a.csv", "id,v\n1,1\n"),
        ("q.sql", "-- a comment\nSELECT id\nFROM t.d;\n"),
    ]);
    lake.crawl("d");
    assert_eq!(
        lake.ok(["sql", "-f", "q.sql", "-o", "csv"]).stdout,
        "id\n1\n"
    );
}

#[test]
fn equal_names_of_columns_are_kept_apart() {
    let lake = lake();
    let output = lake.ok([
        "sql",
        "SELECT a.store, b.store FROM golden.stores a JOIN golden.stores b ON a.store = b.store ORDER BY 1",
        "-o",
        "csv",
    ]);
    assert_eq!(output.stdout.lines().nth(1), Some("01,01"), "{output}");
}

#[test]
fn files_that_came_since_the_crawl_are_seen_within_known_partitions() {
    let lake = Lake::with([("d/p=1/a.csv", "id,v\n1,1\n")]);
    lake.crawl("d");
    lake.file("d/p=1/b.csv", "id,v\n2,1\n");
    assert_eq!(lake.sql("SELECT id FROM t.d ORDER BY id"), "id\n1\n2\n");
}

#[test]
fn two_queries_in_one_session_see_what_came_between() {
    // Listings are not cached: a crawl in between is seen by the next statement of a prompt.
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.crawl("d");
    use std::io::Write;
    let mut command = lake.command(["sql", "-o", "csv"]);
    command.stdin(std::process::Stdio::piped());
    let mut running = mastic_tests::Running::start(&mut command);
    let mut stdin = running.stdin();
    stdin
        .write_all(b"SELECT count(*) AS before FROM t.d;\n")
        .unwrap();
    running.wait_for("before\n1\n");
    lake.file("d/b.csv", "id,v\n2,1\n");
    lake.file("new/a.csv", "id,v\n2,1\n");
    lake.crawl("d");
    lake.crawl("new");
    stdin
        .write_all(b"SELECT count(*) AS after FROM t.d;\nSELECT id FROM t.new;\n")
        .unwrap();
    drop(stdin);
    let output = running.finish();
    assert_eq!(output.stdout, "before\n1\nafter\n2\nid\n2\n", "{output}");
}
