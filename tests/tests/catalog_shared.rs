//! One catalog, several processes: in PostgreSQL and in SQLite.
//!
//! The tests with PostgreSQL start a server of their own from the installed binaries. Where there are none they say
//! that they are skipped; with MASTIC_REQUIRE_POSTGRES=1 they fail instead.
#![allow(clippy::expect_used, reason = "a test may panic")]

use mastic_catalog::testing::ThrowawayPostgres;
use mastic_tests::{Lake, Running, snapshot};

/// A lake whose catalog is a schema of its own in a server of its own.
fn postgres() -> Option<(ThrowawayPostgres, Lake)> {
    let server = ThrowawayPostgres::start().expect("PostgreSQL starts")?;
    let mut lake = Lake::new();
    lake.set("MASTIC_CATALOG", &server.catalog_url());
    Some((server, lake))
}

#[test]
fn the_whole_way_over_postgres() {
    let Some((_server, lake)) = postgres() else {
        return;
    };
    lake.file("d/p=1/a.csv", "id,v\n1,1\n");
    lake.file("d/p=__HIVE_DEFAULT_PARTITION__/a.csv", "id,v\n2,2\n");
    lake.crawl("d");
    lake.crawl("d");
    assert_eq!(lake.versions("t.d"), 1);
    assert_eq!(
        lake.sql("SELECT id, v, p FROM t.d ORDER BY id"),
        "id,v,p\n1,1,1\n2,2,\n"
    );
    assert_eq!(lake.sql("SELECT id FROM t.d WHERE p IS NULL"), "id\n2\n");
    assert_eq!(lake.sql("SELECT id FROM t.d WHERE p > 0"), "id\n1\n");
    lake.file("d/p=2/a.csv", "id,v,w\n3,2.5,x\n");
    lake.crawl("d");
    assert_eq!(lake.versions("t.d"), 2);
    let diff = lake.ok(["catalog", "diff", "t.d", "-o", "csv"]);
    snapshot!(lake, "diff", diff);
    lake.ok(["catalog", "restore", "t.d", "1"]);
    assert_eq!(lake.columns("t.d"), ["id bigint", "v bigint", "[p bigint]"]);
    lake.file("s.yaml", "sources:\n  rows: t.d\nsinks:\n  - {frame: rows, path: out, partition_by: p, table: t.out}\n");
    lake.ok(["run", "s.yaml"]);
    assert_eq!(
        lake.sql("SELECT id, p FROM t.out ORDER BY id"),
        "id,p\n1,1\n2,\n"
    );
    lake.ok(["catalog", "delete", "t.d"]);
    assert_eq!(lake.tables(), ["t.out"]);
    lake.ok(["catalog", "restore", "t.d", "2"]);
    assert_eq!(lake.versions("t.d"), 4);
    // No file was made beside.
    assert!(!lake.join(".mastic").exists());
}

#[test]
fn an_export_of_one_kind_imports_into_the_other() {
    let Some((_server, mut lake)) = postgres() else {
        return;
    };
    lake.file("d/p=1/a.json", "{\"id\":1,\"deep\":{\"x\":[1.5]}}\n");
    lake.crawl("d");
    lake.file("from_postgres.json", lake.catalog());
    let columns = lake.columns("t.d");
    lake.set("MASTIC_CATALOG", "local.db");
    lake.ok(["catalog", "import", "from_postgres.json"]);
    assert_eq!(lake.columns("t.d"), columns);
    assert_eq!(lake.sql("SELECT id, p FROM t.d"), "id,p\n1,1\n");
}

#[test]
fn a_server_that_is_not_there() {
    let mut lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    let closed = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    lake.set(
        "MASTIC_CATALOG",
        &format!("postgres://somebody:secret@127.0.0.1:{closed}/lake"),
    );
    let output = lake.fails(["crawl", "d", "-d", "t"], "error: ");
    assert!(!output.stderr.contains("secret"), "{output}");
    snapshot!(lake, "no_server", output);
}

#[test]
fn a_database_or_user_that_is_not_there() {
    let Some((server, mut lake)) = postgres() else {
        return;
    };
    lake.set(
        "MASTIC_CATALOG",
        &format!("postgres://mastic@127.0.0.1:{}/nowhere", server.port()),
    );
    snapshot!(
        lake,
        "no_database",
        lake.fails(["catalog", "tables"], "nowhere")
    );
    lake.set(
        "MASTIC_CATALOG",
        &format!("postgres://nobody@127.0.0.1:{}/postgres", server.port()),
    );
    snapshot!(lake, "no_user", lake.fails(["catalog", "tables"], "nobody"));
}

/// Crawls of different folders into one database, all at once. Each must be there afterwards, or have been refused.
fn crawls_at_once(lake: &Lake) {
    const CRAWLS: usize = 6;
    for i in 0..CRAWLS {
        for file in 0..20 {
            lake.file(
                &format!("d{i}/p={file}/a.csv"),
                format!("id,c{i}\n{file},1\n"),
            );
        }
    }
    let running: Vec<Running> = (0..CRAWLS)
        .map(|i| Running::start(&mut lake.command(["crawl", &format!("d{i}"), "-d", "t"])))
        .collect();
    for (i, running) in running.into_iter().enumerate() {
        let output = running.finish();
        // They touch different tables, so none is in the way of another.
        assert_eq!(output.code, 0, "crawl {i}\n{output}");
    }
    let expected: Vec<String> = (0..CRAWLS).map(|i| format!("t.d{i}")).collect();
    assert_eq!(lake.tables(), expected);
    for i in 0..CRAWLS {
        assert_eq!(
            lake.sql(&format!("SELECT count(*) AS n FROM t.d{i}")),
            "n\n20\n"
        );
        assert_eq!(lake.versions(&format!("t.d{i}")), 1);
    }
}

/// Crawls of one folder whose files have changed, all at once. One wins; the others are refused or find nothing to do,
/// and none is lost.
fn one_table_at_once(lake: &Lake) {
    const CRAWLS: usize = 5;
    for i in 0..30 {
        lake.file(&format!("d/p={i}/a.csv"), "id,v\n1,1\n");
    }
    lake.crawl("d");
    lake.file("d/p=30/a.csv", "id,v,new\n1,2.5,x\n");
    let running: Vec<Running> = (0..CRAWLS)
        .map(|_| Running::start(&mut lake.command(["crawl", "d", "-d", "t"])))
        .collect();
    let mut done = 0;
    for running in running {
        let output = running.finish();
        match output.code {
            0 => done += 1,
            1 => assert!(
                output.stderr.contains("t.d") && output.stderr.contains("hint: "),
                "a conflict names its table, and says what to do\n{output}"
            ),
            _ => panic!("{output}"),
        }
    }
    assert!(done >= 1);
    assert_eq!(
        lake.versions("t.d"),
        2,
        "one change is one version, whoever made it"
    );
    assert_eq!(
        lake.sql("SELECT count(*) AS n, count(new) AS new FROM t.d"),
        "n,new\n31,1\n"
    );
    // Whoever was refused crawls again, and all is well.
    lake.crawl("d");
    assert_eq!(lake.versions("t.d"), 2);
}

#[test]
fn crawls_of_different_tables_at_once_in_sqlite() {
    crawls_at_once(&Lake::new());
}

#[test]
fn crawls_of_different_tables_at_once_in_postgres() {
    if let Some((_server, lake)) = postgres() {
        crawls_at_once(&lake);
    }
}

#[test]
fn crawls_of_one_table_at_once_in_sqlite() {
    one_table_at_once(&Lake::new());
}

#[test]
fn crawls_of_one_table_at_once_in_postgres() {
    if let Some((_server, lake)) = postgres() {
        one_table_at_once(&lake);
    }
}

/// A run that is held between its reading of the catalog and its change of it, while another changes the same table.
fn conflict(lake: &Lake, name: &str) {
    lake.file("in.json", "{\"id\":1}\n");
    lake.file(
        "s.yaml",
        "\
sources:
  rows: {path: in.json}
sinks:
  - {frame: rows, path: out, format: json, table: t.out}
",
    );
    lake.ok(["run", "s.yaml"]);
    let rows: String = (0..1_500).map(|i| format!("{i}\n")).collect();
    lake.file("big/a.csv", format!("id\n{rows}"));
    lake.file(
        "slow.yaml",
        "\
sources:
  big: {path: big}
frames:
  pairs:
    - sql: SELECT x.id FROM big x CROSS JOIN big y
sinks:
  - {frame: pairs, path: out, format: json, table: t.out}
",
    );
    let mut slow = Running::start(&mut lake.command(["run", "slow.yaml"]));
    // It has read the catalog when it stages its first file.
    let staged = || {
        lake.names("out")
            .iter()
            .any(|n| n.starts_with("_mastic/") && n.ends_with(".json"))
    };
    while !staged() {
        assert!(!slow.ended(), "it was too fast for this test");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    slow.signal("STOP");
    lake.file("in.json", "{\"id\":2,\"more\":true}\n");
    lake.ok(["run", "s.yaml"]);
    assert_eq!(lake.versions("t.out"), 2);
    slow.signal("CONT");
    let output = slow.finish();
    assert_eq!(output.code, 1, "{output}");
    mastic_tests::snapshots(lake)
        .bind(|| insta::assert_snapshot!(format!("conflict_{name}"), output.to_string()));
    // The first change is not lost.
    assert_eq!(lake.versions("t.out"), 2);
    assert_eq!(lake.columns("t.out"), ["id bigint", "more boolean"]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.out WHERE more"),
        "n\n1\n"
    );
    // And what was refused has left nothing: who runs it again has its rows once.
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.out"),
        "n\n2\n",
        "{output}"
    );
}

#[test]
fn a_run_that_comes_second_in_sqlite() {
    conflict(&Lake::new(), "sqlite");
}

#[test]
fn a_run_that_comes_second_in_postgres() {
    if let Some((_server, lake)) = postgres() {
        conflict(&lake, "postgres");
    }
}

#[test]
fn a_query_goes_on_with_what_it_saw() {
    // A crawl during a query changes nothing under it, nor does a reader hold back a writer.
    let lake = Lake::new();
    let rows: String = (0..5_000).map(|i| format!("{i}\n")).collect();
    lake.file("d/a.csv", format!("id\n{rows}"));
    lake.crawl("d");
    let query = "SELECT count(*) AS n FROM t.d a JOIN t.d b ON a.id + b.id >= 0";
    let running = Running::start(&mut lake.command(["sql", query, "-o", "csv"]));
    for i in 0..3 {
        lake.file(&format!("e{i}/a.csv"), "id,v\n1,1\n");
        lake.crawl(&format!("e{i}"));
    }
    let output = running.finish();
    assert_eq!(output.stdout, "n\n25000000\n", "{output}");
}
