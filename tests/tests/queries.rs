//! Queries as things that are run: kept results, re-use, history, cancelling, workgroups and limits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use mastic_tests::s3::S3;
use mastic_tests::{Lake, Running};
use serde_json::Value;

const RESULTS: &str = ".mastic/catalog.db.results";
/// 4·10⁸ pairs and more: it does not end by itself soon.
const LONG: &str =
    "SELECT count(*) FROM t.d a JOIN t.d b ON a.id + b.id <> 0 JOIN t.d c ON c.id <> a.id + b.id";

/// A lake with one table `t.d` of ids.
fn many_rows() -> Lake {
    let rows: String = (0..20_000).map(|i| format!("{i}\n")).collect();
    let lake = Lake::with([("d/a.csv", &format!("id\n{rows}"))]);
    lake.crawl("d");
    lake
}

/// The history, newest first.
#[track_caller]
fn queries(lake: &Lake) -> Vec<Value> {
    let listed = lake.ok(["queries", "-o", "json"]).stdout;
    let queries = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    queries.collect()
}

fn id(query: &Value) -> &str {
    query["QueryExecutionId"].as_str().unwrap()
}

fn state(query: &Value) -> &str {
    query["Status"]["State"].as_str().unwrap()
}

/// Waits until the newest query that does is in a state; the query.
#[track_caller]
fn wait_for(lake: &Lake, wanted: &str) -> Value {
    for _ in 0..600 {
        if let Some(query) = queries(lake).into_iter().find(|q| state(q) == wanted) {
            return query;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no query is {wanted}: {:?}", queries(lake));
}

/// Makes a file as old as one that nobody is writing any more.
fn settle(lake: &Lake, path: &str) {
    let file = std::fs::File::options()
        .write(true)
        .open(lake.join(path))
        .unwrap();
    let then = SystemTime::now() - Duration::from_secs(60);
    file.set_modified(then).unwrap();
}

#[test]
fn results_are_kept_as_athena_writes_them() {
    let lake = Lake::with([(
        "d/a.json",
        r#"{"i":1,"d":1.0,"s":"say \"hi\", ok","b":true,"l":[1,2],"r":{"a":1,"b":"x"}}
{"i":2,"d":12345678.5,"s":"","b":false,"l":[],"r":{"a":null,"b":"y"}}
{"i":3}
"#,
    )]);
    lake.crawl("d");
    let query = "SELECT i, d, s, b, TIMESTAMP '2020-01-01 10:00:00.25' AS t, l, r, to_utf8(s) AS x, MAP(ARRAY['k'], ARRAY[i]) AS m FROM t.d ORDER BY i";
    let shown = lake.sql(query);
    let query = &queries(&lake)[0];
    assert_eq!(state(query), "SUCCEEDED");
    assert_eq!(query["StatementType"], "DML");
    assert_eq!(query["Statistics"]["RowsReturned"], 3);
    assert_eq!(query["Statistics"]["FilesRead"], 1);
    let bytes = lake.read("d/a.json").len();
    assert_eq!(query["Statistics"]["DataScannedInBytes"], bytes);
    let id = id(query);
    // By the forms of Athena's files: Athena user guide, "Working with query results"; Java's doubles; Trino's rows.
    assert_eq!(
        lake.read(&format!("{RESULTS}/{id}.csv")),
        concat!(
            "\"i\",\"d\",\"s\",\"b\",\"t\",\"l\",\"r\",\"x\",\"m\"\n",
            "\"1\",\"1.0\",\"say \"\"hi\"\", ok\",\"true\",\"2020-01-01 10:00:00.250\",\"[1, 2]\",\"{a=1, b=x}\",\"73 61 79 20 22 68 69 22 2c 20 6f 6b\",\"{k=1}\"\n",
            "\"2\",\"1.23456785E7\",\"\",\"false\",\"2020-01-01 10:00:00.250\",\"[]\",\"{a=null, b=y}\",\"\",\"{k=2}\"\n",
            "\"3\",,,,\"2020-01-01 10:00:00.250\",,,,\"{k=3}\"\n",
        )
    );
    let about: Value =
        serde_json::from_str(&lake.read(&format!("{RESULTS}/{id}.csv.metadata"))).unwrap();
    let types: Vec<&str> = about["ColumnInfo"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["Type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "bigint",
            "double",
            "varchar",
            "boolean",
            "timestamp",
            "array",
            "row",
            "varbinary",
            "map"
        ]
    );
    // The same rows with their types, by the beginning of the id.
    let again = lake.ok(["queries", "result", &id[..8], "-o", "csv"]);
    assert_eq!(again.stdout, shown);
    lake.ok(["queries", "result", id, "--to", "r.parquet"]);
    assert!(lake.files("")["r.parquet"].starts_with(b"PAR1"));
    // What is shown is text without a header; a failed query has no result, and says why it failed.
    lake.ok(["sql", "SHOW TABLES"]);
    let shown = &queries(&lake)[0];
    assert_eq!(shown["StatementType"], "UTILITY");
    let text = shown["ResultConfiguration"]["OutputLocation"]
        .as_str()
        .unwrap();
    assert!(text.ends_with(".txt"), "{text}");
    let text = std::fs::read_to_string(text).unwrap();
    assert!(text == "d\n" || text == "t\td\n", "{text}");
    lake.fails(["sql", "SELECT nope FROM t.d"], "nope");
    let failed = &queries(&lake)[0];
    assert_eq!(state(failed), "FAILED");
    assert_eq!(failed["Status"]["AthenaError"]["Kind"], "STATEMENT");
    assert_eq!(failed["Status"]["AthenaError"]["Column"], 8);
    let failed = self::id(failed);
    lake.fails(["queries", "result", failed], "has no kept result");
    let shown = lake.ok(["queries", "show", failed]).stdout;
    assert!(shown.contains("there is no column 'nope'"), "{shown}");
    assert!(!lake.names(RESULTS).iter().any(|name| name.contains(failed)));
}

#[test]
fn a_result_is_used_again_while_nothing_changed() {
    let lake = Lake::with([
        ("d/k=1/a.csv", "id,v\n1,x\n2,y\n"),
        ("d/k=2/a.csv", "id,v\n3,z\n"),
    ]);
    lake.crawl("d");
    settle(&lake, "d/k=1/a.csv");
    settle(&lake, "d/k=2/a.csv");
    let ask = |query: &str| lake.ok(["sql", "--reuse", "60", query, "-o", "csv"]);
    let reused = || {
        let newest = &queries(&lake)[0];
        newest["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
            .as_bool()
            .unwrap()
    };
    let query = "SELECT count(*) AS n, max(v) AS v FROM t.d";
    assert_eq!(ask(query).stdout, "n,v\n3,z\n");
    assert!(!reused());
    let first = id(&queries(&lake)[0]).to_owned();
    let again = ask(query);
    assert_eq!(again.stdout, "n,v\n3,z\n");
    assert!(again.stderr.contains(&first), "{again}");
    assert!(reused());
    let newest = &queries(&lake)[0];
    assert_eq!(newest["Statistics"]["FilesRead"], 2);
    assert_eq!(newest["Statistics"]["DataScannedInBytes"], 0);
    assert_eq!(
        lake.ok(["queries", "result", id(newest), "-o", "csv"])
            .stdout,
        again.stdout
    );
    // Without being asked, nothing is used again; nor for another text.
    lake.sql(query);
    assert!(!reused());
    ask("SELECT count(*) AS n, max(v)  AS v FROM t.d");
    assert!(!reused());
    // What depends on more than its inputs is asked again.
    for query in [
        "SELECT count(*), now() FROM t.d",
        "SELECT id FROM t.d WHERE random() < 2",
        "SELECT count(*) FROM t.d WHERE current_date > DATE '2000-01-01'",
        "SELECT table_name FROM information_schema.tables",
    ] {
        ask(query);
        ask(query);
        assert!(!reused(), "{query}");
    }
    // As many bytes as before, and the catalog knows nothing of it.
    ask(query);
    assert!(reused());
    lake.file("d/k=1/a.csv", "id,v\n1,x\n2,~\n");
    assert_eq!(ask(query).stdout, "n,v\n3,~\n");
    assert!(!reused());
    // It was changed just now, and could be changed again without a sign.
    assert_eq!(ask(query).stdout, "n,v\n3,~\n");
    assert!(!reused());
    // Another file; another partition, which a filter leaves out.
    settle(&lake, "d/k=1/a.csv");
    let filtered = "SELECT count(*) AS n FROM t.d WHERE k = 2";
    for query in [query, filtered] {
        ask(query);
        ask(query);
        assert!(reused(), "{query}");
    }
    lake.file("d/k=1/b.csv", "id,v\n9,w\n");
    settle(&lake, "d/k=1/b.csv");
    assert_eq!(ask(query).stdout, "n,v\n4,~\n");
    assert!(!reused());
    assert_eq!(ask(filtered).stdout, "n\n1\n");
    assert!(reused());
    // A result that is gone is no result.
    for name in lake.names(RESULTS) {
        lake.remove(&format!("{RESULTS}/{name}"));
    }
    assert_eq!(ask(filtered).stdout, "n\n1\n");
    assert!(!reused());
}

#[test]
fn another_process_stops_a_query() {
    let lake = many_rows();
    let running = Running::start(&mut lake.command(["sql", LONG]));
    let query = wait_for(&lake, "RUNNING");
    let asked = lake.ok(["queries", "cancel", id(&query)]);
    assert!(asked.stderr.contains("asked to stop"), "{asked}");
    let output = running.finish();
    assert_eq!(output.code, 1, "{output}");
    assert!(
        output.stderr.contains("the query was cancelled"),
        "{output}"
    );
    assert_eq!(state(&queries(&lake)[0]), "CANCELLED");
    assert_eq!(lake.names(RESULTS), [""; 0]);
    lake.fails(["queries", "cancel", id(&query)], "has ended already");
    lake.fails(["queries", "show", "zz"], "the history has no query zz");
}

#[cfg(target_os = "linux")]
#[test]
fn a_query_whose_process_was_killed_has_failed() {
    let lake = many_rows();
    let running = Running::start(&mut lake.command(["sql", LONG]));
    wait_for(&lake, "RUNNING");
    running.signal("KILL");
    running.finish();
    let query = &queries(&lake)[0];
    assert_eq!(state(query), "FAILED");
    assert_eq!(query["Status"]["AthenaError"]["Kind"], "DIED");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_is_in_the_history() {
    let lake = many_rows();
    let running = Running::start(&mut lake.command(["sql", LONG]));
    wait_for(&lake, "RUNNING");
    running.signal("INT");
    let output = running.finish();
    assert!(output.stderr.contains("interrupted"), "{output}");
    assert_eq!(state(&queries(&lake)[0]), "CANCELLED");
}

#[test]
fn each_limit_says_which_it_is() {
    let lake = many_rows();
    let refused = lake.fails(
        ["sql", "--timeout", "300ms", LONG],
        "it took longer than its timeout of 300 ms",
    );
    assert!(refused.stderr.contains("--timeout"), "{refused}");
    let size = lake.read("d/a.csv").len();
    lake.fails(
        [
            "sql",
            "--bytes-scanned-limit",
            "100kB",
            "SELECT count(*) FROM t.d",
        ],
        &format!("it would read {size} bytes, and its limit on bytes scanned is 100000"),
    );
    lake.ok([
        "sql",
        "--bytes-scanned-limit",
        "200kB",
        "SELECT count(*) FROM t.d",
    ]);
    // Where a limit may leave some of it unread, only what was read counts.
    lake.fails(
        ["sql", "--bytes-scanned-limit", "10B", LONG],
        "and its limit on bytes scanned is 10",
    );
    let kinds: Vec<Value> = queries(&lake)
        .iter()
        .map(|query| query["Status"]["AthenaError"]["Kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["LIMIT".into(), Value::Null, "LIMIT".into(), "LIMIT".into()]
    );
    lake.fails(
        [
            "sql",
            "--memory-limit",
            "16MB",
            "SELECT array_agg(concat(cast(a.id as varchar), repeat('x', 200))) FROM t.d a JOIN t.d b ON a.id % 100 = b.id % 100",
        ],
        "needs more memory than its limit of 16 MB",
    );
    // What fits once some of it is on disk is answered.
    lake.ok([
        "sql",
        "--memory-limit",
        "16MB",
        "--spill-dir",
        "spill",
        "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY b.m, a.id) AS n FROM t.d a CROSS JOIN (SELECT id AS m FROM t.d WHERE id < 60) AS b) AS s",
    ]);
    let statistics = &queries(&lake)[0]["Statistics"];
    assert!(
        statistics["SpilledBytes"].as_u64().unwrap() > 0,
        "{statistics}"
    );
    let held = statistics["PeakMemoryBytes"].as_u64().unwrap();
    assert!(held > 1_000_000 && held <= 32_000_000, "{statistics}");
    assert_eq!(lake.names("spill"), [""; 0]);
}

#[test]
fn workgroups_limit_and_queue() {
    let lake = many_rows();
    lake.ok([
        "workgroup",
        "create",
        "one",
        "--concurrency",
        "1",
        "--results",
        "kept",
        "--enforce",
    ]);
    lake.fails(
        ["workgroup", "create", "one"],
        "workgroup one already exists",
    );
    lake.fails(
        ["workgroup", "create", "w", "--bytes-scanned-limit", "1MB"],
        "at least 10000000 bytes",
    );
    lake.fails(
        ["sql", "--workgroup", "oen", "SELECT 1"],
        "workgroup oen does not exist",
    );
    let first = Running::start(&mut lake.command(["sql", "--workgroup=one", LONG]));
    let running = wait_for(&lake, "RUNNING");
    let second =
        Running::start(&mut lake.command(["sql", "--workgroup=one", "SELECT 7 AS n", "-o", "csv"]));
    let queued = wait_for(&lake, "QUEUED");
    assert_ne!(id(&queued), id(&running));
    // Another workgroup has its own places.
    assert_eq!(lake.sql("SELECT 1 AS n"), "n\n1\n");
    lake.ok(["queries", "cancel", id(&running)]);
    assert_eq!(first.finish().code, 1);
    let output = second.finish();
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (0, "n\n7\n"),
        "{output}"
    );
    let done = lake.ok([
        "queries",
        "--workgroup",
        "one",
        "--state",
        "succeeded",
        "-o",
        "json",
    ]);
    let done: Value = serde_json::from_str(done.stdout.trim()).unwrap();
    assert_eq!(id(&done), id(&queued));
    assert!(
        done["Statistics"]["QueryQueueTimeInMillis"]
            .as_u64()
            .unwrap()
            > 0
    );
    // The workgroup says where results go, whatever a query says.
    lake.ok([
        "sql",
        "--workgroup=one",
        "--results",
        "none",
        "SELECT 8 AS n",
    ]);
    let mut csv: Vec<String> = lake
        .names("kept")
        .into_iter()
        .filter(|n| n.ends_with(".csv"))
        .collect();
    assert_eq!(csv.len(), 2);
    csv.retain(|name| lake.read(&format!("kept/{name}")) == "\"n\"\n\"7\"\n");
    assert_eq!(csv, [format!("{}.csv", id(&queued))]);

    lake.ok([
        "workgroup",
        "update",
        "one",
        "--disable",
        "--no-concurrency",
    ]);
    lake.fails(
        ["sql", "--workgroup=one", "SELECT 1"],
        "workgroup one is disabled",
    );
    let shown: Value = serde_json::from_str(&lake.ok(["workgroup", "show", "one"]).stdout).unwrap();
    let shown = shown.get("WorkGroup").unwrap_or(&shown);
    assert_eq!(shown["State"], "DISABLED");
    assert_eq!(
        shown["Configuration"]["EnforceWorkGroupConfiguration"],
        true
    );
    assert!(shown["Configuration"].get("MaxConcurrentQueries").is_none());
    let listed = lake.ok(["workgroup", "list", "-o", "csv"]).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    lake.ok(["workgroup", "delete", "one"]);
    lake.fails(["workgroup", "delete", "primary"], "every catalog has it");
}

#[test]
fn the_newest_results_are_kept() {
    let lake = Lake::with([
        ("d/a.csv", "id,v\n1,x\n2,y\n"),
        ("mastic.toml", "[results]\nkeep = 2\nmax_bytes = \"1MB\"\n"),
    ]);
    lake.crawl("d");
    for n in 0..4 {
        lake.sql(&format!("SELECT {n} AS n"));
    }
    let all = queries(&lake);
    let kept: Vec<String> = lake
        .names(RESULTS)
        .into_iter()
        .filter(|n| n.ends_with(".csv"))
        .collect();
    let mut newest = [&all[0], &all[1]].map(|query| format!("{}.csv", id(query)));
    newest.sort();
    assert_eq!(kept, newest);
    assert_eq!(lake.names(RESULTS).len(), 6);
    let gone = lake.fails(["queries", "result", id(&all[3])], "");
    assert!(
        gone.stderr.contains("no longer kept") || gone.stderr.contains("does not exist"),
        "{gone}"
    );
    // One that is too large by itself is shown, and not kept.
    let large = lake.sql("SELECT repeat('x', 1000) AS x FROM UNNEST(sequence(1, 2000)) AS t(n)");
    assert_eq!(large.lines().count(), 2001);
    let newest = &queries(&lake)[0];
    assert!(
        newest["ResultConfiguration"]["NotKept"]
            .as_str()
            .unwrap()
            .contains("larger than")
    );
    assert_eq!(lake.names(RESULTS).len(), 6);
    // Nowhere, and elsewhere.
    lake.ok(["sql", "--results", "none", "SELECT 1"]);
    assert_eq!(lake.names(RESULTS).len(), 6);
    lake.ok(["sql", "--results", "other", "SELECT 1"]);
    assert_eq!(lake.names("other").len(), 3);
    // A place that somebody chose has to take it; the one beside the catalog need not.
    lake.file("file", "x");
    lake.fails(["sql", "--results", "file/below", "SELECT 1"], "file/below");
}

#[test]
fn results_go_to_s3() {
    let mut lake = Lake::with([("d/a.csv", "id,v\n1,x\n2,y\n")]);
    let s3 = S3::start(&["lake"]);
    s3.enter(&mut lake);
    lake.crawl("d");
    let shown = lake.ok([
        "sql",
        "--results",
        "s3://lake/results/",
        "SELECT * FROM t.d ORDER BY id",
        "-o",
        "csv",
    ]);
    let query = &queries(&lake)[0];
    let url = query["ResultConfiguration"]["OutputLocation"]
        .as_str()
        .unwrap();
    assert_eq!(url, format!("s3://lake/results/{}.csv", id(query)));
    assert_eq!(
        lake.ok(["queries", "result", id(query), "-o", "csv"])
            .stdout,
        shown.stdout
    );
    let mut names =
        [".arrows", ".csv", ".csv.metadata"].map(|ending| format!("results/{}{ending}", id(query)));
    names.sort();
    assert_eq!(s3.keys("lake"), names);
    // A query that fails leaves nothing there, and no upload that was begun.
    lake.fails(
        [
            "sql",
            "--results",
            "s3://lake/results/",
            "SELECT 1/(id-1) FROM t.d",
        ],
        "",
    );
    assert_eq!(s3.keys("lake"), names);
    assert_eq!(s3.open_parts(), [""; 0]);
}

#[test]
fn statements_of_a_file_go_up_to_the_first_that_fails() {
    let lake = Lake::with([
        ("d/a.csv", "id,v\n1,x\n2,y\n"),
        (
            "q.sql",
            "-- first; of all\nSELECT count(*) AS n FROM t.d WHERE v <> ';';\n\nSELECT ';' AS \"a;b\";\nSELECT id,\n  nope FROM t.d;\nSELECT 3;\n",
        ),
    ]);
    lake.crawl("d");
    let output = lake.fails(
        ["sql", "-f", "q.sql", "-o", "csv"],
        "there is no column 'nope'",
    );
    assert_eq!(output.stdout, "n\n2\na;b\n;\n");
    assert!(output.stderr.contains("q.sql:6:3"), "{output}");
    assert_eq!(queries(&lake).len(), 3);
    let several = lake.ok(["sql", "SELECT 1 AS a; SELECT 2 AS b;", "-o", "csv"]);
    assert_eq!(several.stdout, "a\n1\nb\n2\n");
    lake.fails(["sql", " ; -- nothing\n"], "there is no statement");
    let piped = lake.mastic_fed(
        ["sql", "-o", "csv"],
        b"SELECT ';\n' AS a; SELECT 2 AS b\n; SELECT 3 AS c",
    );
    assert_eq!(piped.stdout, "a\n\";\n\"\nb\n2\nc\n3\n", "{piped}");
}

#[test]
fn columns_of_one_name_are_all_in_json() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,x\n")]);
    lake.crawl("d");
    let query = "SELECT a.*, b.* FROM t.d a JOIN t.d b ON a.id = b.id";
    let output = lake.ok(["sql", query, "-o", "json"]);
    assert_eq!(
        output.stdout,
        "{\"id\":1,\"v\":\"x\",\"id:1\":1,\"v:1\":\"x\"}\n"
    );
}

#[test]
fn what_was_not_read_is_told() {
    let lake = Lake::with([
        ("d/k=1/a.csv", "id,v\n1,x\n2,y\n"),
        ("d/k=2/a.csv", "id,v\n3,z\n"),
        ("d/k=3/a.csv", "id,v\n4,z\n"),
    ]);
    lake.crawl("d");
    lake.sql("SELECT * FROM t.d WHERE k = 2");
    let query = &queries(&lake)[0];
    let statistics = &query["Statistics"];
    assert_eq!(statistics["PartitionsRead"], 1);
    assert_eq!(statistics["Pruned"]["Partitions"], 2);
    assert_eq!(statistics["FilesRead"], 1);
    assert_eq!(statistics["RowsScanned"], 1);
    assert_eq!(statistics["RowsReturned"], 1);
    let shown = lake.ok(["queries", "show", id(query)]).stdout;
    assert!(
        shown.contains("left out   2 partitions by their values"),
        "{shown}"
    );
    assert!(
        shown.contains("read       1 row, 1 file, 1 partition, 9 B"),
        "{shown}"
    );
}
