//! Column statistics: what ANALYZE counts, what is kept, and what the planner makes of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write;

use mastic_tests::{Lake, fixture, repository, snapshot, snapshots};

/// The plan with what the planner knows of each node.
fn plan_with_statistics(lake: &Lake, query: &str) -> String {
    let output = lake.ok(["sql", &format!("EXPLAIN VERBOSE {query}"), "-o", "json"]);
    let rows = output.stdout.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        (row["plan_type"].clone(), row["plan"].clone())
    });
    let mut found = rows.filter(|(kind, _)| kind == "physical_plan_with_stats");
    let text = found.next().unwrap().1.as_str().unwrap().to_owned();
    assert!(text.contains("statistics="), "{text}");
    text
}

/// The lines of a plan that read files.
fn scans(plan: &str) -> Vec<&str> {
    let lines = plan.lines().filter(|l| l.contains("DataSourceExec"));
    lines.collect()
}

fn plan(lake: &Lake, query: &str) -> String {
    let output = lake.ok(["sql", &format!("EXPLAIN VERBOSE {query}"), "-o", "json"]);
    let mut rows = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let last = rows.rfind(|row| row["plan_type"] == "physical_plan");
    last.unwrap()["plan"].as_str().unwrap().to_owned()
}

/// An answer of ANALYZE or SHOW STATS, by column.
fn rows(lake: &Lake, statement: &str) -> Vec<serde_json::Value> {
    let output = lake.ok(["sql", statement, "-o", "json"]);
    let lines = output.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of<'a>(rows: &'a [serde_json::Value], column: &str) -> &'a serde_json::Value {
    rows.iter()
        .find(|row| row["column_name"] == column)
        .unwrap()
}

#[test]
fn the_figures_are_those_that_duckdb_finds() {
    let lake = Lake::new();
    let flights = repository().join("samples/lake/flights");
    lake.crawl(flights.to_str().unwrap());
    let counted = rows(&lake, "ANALYZE TABLE t.flights COMPUTE STATISTICS");
    assert_eq!(counted.len(), 19);
    // DuckDB 2.0.0 over the same files, 'NA' being NULL: count(*) - count(c), count(DISTINCT c), min(c), max(c).
    for (column, nulls, distinct, min, max) in [
        ("dep_time", 8_255, 1_318, "1", "2400"),
        ("dep_delay", 8_255, 527, "-43", "1301"),
        ("air_time", 9_430, 509, "20", "695"),
        (
            "time_hour",
            0,
            6_936,
            "2013-01-01T10:00:00Z",
            "2014-01-01T04:00:00Z",
        ),
        // A partition key.
        ("month", 0, 12, "1", "12"),
    ] {
        let row = of(&counted, column);
        assert_eq!(row["row_count"], 336_776, "{row}");
        assert_eq!(row["nulls"], nulls, "{row}");
        assert_eq!(
            (&row["min"], &row["max"]),
            (&min.into(), &max.into()),
            "{row}"
        );
        let estimate = row["distinct"].as_f64().unwrap();
        assert!((estimate / f64::from(distinct) - 1.0).abs() < 0.03, "{row}");
    }
    // max(strlen(c)), avg(strlen(c)).
    let row = of(&counted, "tailnum");
    assert_eq!(
        (&row["nulls"], &row["max_length"]),
        (&2_512.into(), &6.into())
    );
    let average = row["avg_length"].as_f64().unwrap();
    assert!((average - 5.995_222_339_228_873).abs() < 1e-9, "{row}");

    let shown = rows(&lake, "SHOW STATS FOR t.flights");
    assert_eq!(shown.len(), 20);
    let row = of(&shown, "tailnum");
    assert_eq!(row["data_size"], f64::from(2_003_987));
    assert!((row["nulls_fraction"].as_f64().unwrap() - 2_512.0 / 336_776.0).abs() < 1e-12);
    assert_eq!(shown[19]["column_name"], serde_json::Value::Null);
    assert_eq!(shown[19]["row_count"], 336_776.0);

    // Of one partition, the crawl counted the rows; bounds of all are none of it.
    let plan = plan_with_statistics(&lake, "SELECT day FROM t.flights WHERE month = 2");
    let [scan] = scans(&plan)[..] else {
        panic!("{plan}");
    };
    // DuckDB: count(*) of that file.
    assert!(scan.contains("Rows=Inexact(24951)"), "{scan}");
    assert!(
        !scan.contains("Min=") && !scan.contains("Distinct="),
        "{scan}"
    );
}

#[test]
fn every_type() {
    // Three records, as `tests/fixtures/README.md` tells them: counted by hand.
    let lake = Lake::new();
    lake.file("d/none.parquet", fixture("none.parquet"));
    lake.crawl("d");
    let output = lake.ok(["sql", "ANALYZE t.d", "-o", "csv"]);
    snapshot!(lake, "every_type", output);
    let output = lake.ok(["sql", "SHOW STATS FOR t.d", "-o", "csv"]);
    snapshot!(lake, "every_type_shown", output);
    // Times have no fraction in Glue: theirs are rounded outwards.
    let shown = rows(&lake, "SHOW STATS FOR t.d");
    let at = of(&shown, "at");
    assert_eq!(
        (&at["low_value"], &at["high_value"]),
        (
            &"1970-01-01T00:00:00Z".into(),
            &"2024-01-31T23:59:59Z".into()
        )
    );
    // Bounds of every type, in every predicate, change no answer.
    for (predicate, ids) in [
        ("price < 0", "3\n"),
        ("price = 2.50 AND id < 10", "1\n"),
        ("day >= DATE '2024-01-31'", "1\n"),
        (
            "\"at\" < TIMESTAMP '1980-01-01 00:00:00Z' OR id > 2",
            "2\n3\n",
        ),
        ("paid AND id >= 1", "1\n"),
        ("name > 'B' AND id <= 3", "2\n"),
        ("price IS NULL AND id > 0", "2\n"),
    ] {
        let query = format!("SELECT id FROM t.d WHERE {predicate} ORDER BY id");
        assert_eq!(lake.sql(&query), format!("id\n{ids}"), "{predicate}");
    }
    let all = "SELECT count(price) AS p, count(\"at\") AS a, max(day) AS d, count(name) AS n, count(paid) AS b, count(tags) AS t FROM t.d WHERE id >= 2";
    assert_eq!(lake.sql(all), "p,a,d,n,b,t\n1,1,1969-12-31,1,1,1\n");
}

#[test]
fn a_table_without_rows_and_a_column_without_values() {
    let lake = Lake::with([("none/a.csv", "id,v\n"), ("nulls/a.csv", "id,v\n1,\n2,\n")]);
    lake.crawl("none");
    lake.crawl("nulls");
    let output = lake.ok(["sql", "ANALYZE t.none", "-o", "csv"]);
    snapshot!(lake, "no_rows", output);
    let output = lake.ok(["sql", "ANALYZE t.nulls", "-o", "csv"]);
    snapshot!(lake, "no_values", output);
    let join = "SELECT count(*) AS n FROM t.nulls a JOIN t.none b ON a.id = CAST(b.id AS bigint)";
    assert_eq!(lake.sql(join), "n\n0\n");
    assert_eq!(lake.sql("SELECT count(v) AS n FROM t.nulls"), "n\n0\n");
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.nulls WHERE v IS NULL"),
        "n\n2\n"
    );
}

#[test]
fn names_that_need_quotes() {
    let lake = Lake::with([("2024 sales/a.csv", "the id,\"a.b\",select\n1,2,3\n4,,6\n")]);
    lake.crawl("2024 sales");
    let columns = rows(
        &lake,
        "ANALYZE TABLE t.\"2024_sales\" COMPUTE STATISTICS FOR COLUMNS \"the id\", \"a.b\", `select`",
    );
    let (min, nulls) = (
        &of(&columns, "the id")["min"],
        &of(&columns, "a.b")["nulls"],
    );
    assert_eq!((min, nulls), (&"1".into(), &1.into()));
    assert_eq!(of(&columns, "select")["max"], "6");
    let shown = rows(&lake, "show stats for T.\"2024_sales\";");
    assert_eq!(of(&shown, "a.b")["nulls_fraction"], 0.5);
}

#[test]
fn some_columns_are_counted_and_others_stay() {
    let lake = Lake::with([("d/a.csv", "a,b\n1,2\n")]);
    lake.crawl("d");
    let known = |lake: &Lake| {
        let rows = rows(lake, "SHOW STATS FOR t.d");
        let known = rows.iter().filter(|row| !row["high_value"].is_null());
        let text = known.map(|row| format!("{}={}", row["column_name"], row["high_value"]));
        text.collect::<Vec<_>>().join(" ").replace('"', "")
    };
    lake.ok(["sql", "ANALYZE TABLE t.d COMPUTE STATISTICS FOR COLUMNS b"]);
    assert_eq!(known(&lake), "b=2");
    lake.ok(["sql", "ANALYZE TABLE t.d COMPUTE STATISTICS FOR COLUMNS a"]);
    assert_eq!(known(&lake), "a=1 b=2");
    // Of other files, what was counted before says nothing.
    lake.file("d/b.csv", "a,b\n3,4\n");
    lake.ok(["sql", "ANALYZE TABLE t.d COMPUTE STATISTICS FOR COLUMNS a"]);
    assert_eq!(known(&lake), "a=3");
    lake.ok([
        "sql",
        "ANALYZE TABLE t.d COMPUTE STATISTICS FOR ALL COLUMNS",
    ]);
    assert_eq!(known(&lake), "a=3 b=4");
}

#[test]
fn what_was_counted_of_other_files_is_not_believed() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,a\n2,b\n")]);
    lake.crawl("d");
    lake.ok(["sql", "ANALYZE t.d"]);
    let query = "SELECT id, v FROM t.d";
    let before = plan_with_statistics(&lake, query);
    assert!(before.contains("Rows=Inexact(2)"), "{before}");
    // Bounds are given two steps apart.
    assert!(before.contains("Max=Inexact(Int64(4))"), "{before}");

    // Of more files, rows are expected by their bytes, and nothing else is.
    lake.file(
        "d/b.csv",
        "id,v\n8,a\n9,b\n7,c\n6,d\n5,e\n4,f\n3,ghijkl123\n",
    );
    assert_eq!(
        (lake.read("d/a.csv").len(), lake.read("d/b.csv").len()),
        (13, 41)
    );
    let after = plan_with_statistics(&lake, query);
    // 2 rows × 54 bytes ÷ 13 bytes.
    assert!(after.contains("Rows=Inexact(8)"), "{after}");
    assert!(
        !after.contains("Max=") && !after.contains("Distinct="),
        "{after}"
    );
    let shown = rows(&lake, "SHOW STATS FOR t.d");
    assert!(shown.iter().all(|row| row["current"] == false), "{shown:?}");
    let figures = "SELECT count(*) AS n, min(id) AS a, max(id) AS z FROM t.d";
    assert_eq!(lake.sql(figures), "n,a,z\n9,1,9\n");
    assert_eq!(
        lake.sql("SELECT id FROM t.d WHERE id > 7 ORDER BY id"),
        "id\n8\n9\n"
    );

    lake.ok(["sql", "ANALYZE t.d"]);
    let again = plan_with_statistics(&lake, query);
    assert!(again.contains("Rows=Inexact(9)"), "{again}");
    assert!(
        rows(&lake, "SHOW STATS FOR t.d")
            .iter()
            .all(|row| row["current"] == true)
    );
    // Another version of the table is other data too: a column may have another type.
    lake.file("d/c.csv", "id,v,w\n10,a,1\n");
    lake.crawl("d");
    lake.remove("d/c.csv");
    let other = plan_with_statistics(&lake, query);
    assert!(!other.contains("Max="), "{other}");
}

#[test]
fn no_answer_comes_from_statistics() {
    // Even of a file that cannot be told from the one that was counted: the same size, time and inode.
    let lake = Lake::with([("d/a.csv", "id,v\n1,a\n2,b\n")]);
    lake.crawl("d");
    lake.ok(["sql", "ANALYZE t.d"]);
    let path = lake.join("d/a.csv");
    let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "id,v\n7,a\n3,b\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(changed).unwrap();
    drop(file);
    let shown = rows(&lake, "SHOW STATS FOR t.d");
    assert!(shown.iter().all(|row| row["current"] == true), "{shown:?}");
    let figures = "SELECT count(*) AS n, count(v) AS v, min(id) AS a, max(id) AS z FROM t.d";
    assert_eq!(lake.sql(figures), "n,v,a,z\n2,2,3,7\n");
    assert_eq!(
        lake.sql("SELECT max(id) AS z FROM t.d WHERE id > 5"),
        "z\n7\n"
    );
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.d WHERE id = 7"),
        "n\n1\n"
    );
    let join = "SELECT count(*) AS n FROM t.d a JOIN t.d b ON a.id = b.id WHERE b.id > 2";
    assert_eq!(lake.sql(join), "n\n2\n");
    // A filter at the greatest value leaves no constant, by which there would be nothing to sort.
    for predicate in ["id >= 2", "id > 1", "id > 2", "id >= 1"] {
        let query = format!("SELECT id FROM t.d WHERE {predicate} ORDER BY id");
        assert_eq!(lake.sql(&query), "id\n3\n7\n", "{predicate}");
    }
}

/// Many events, few documents. The file of the documents is larger, for a column that no query here reads.
fn events_and_documents() -> Lake {
    let mut events = "id,doc,kind\n".to_owned();
    for id in 0..2_000 {
        writeln!(events, "{id},{},k{}", id % 100, id % 3).unwrap();
    }
    let body = "x".repeat(1_000);
    let mut documents = String::new();
    for doc in 0..100 {
        writeln!(
            documents,
            r#"{{"doc":{doc},"title":"t{doc}","body":"{body}"}}"#
        )
        .unwrap();
    }
    let lake = Lake::new();
    lake.file("events/a.csv", events);
    lake.file("documents/a.json", documents);
    lake.crawl("events");
    lake.crawl("documents");
    lake
}

#[test]
fn a_join_builds_on_the_smaller_side() {
    let lake = events_and_documents();
    let join = "SELECT d.title, e.kind, e.id FROM t.events e JOIN t.documents d ON e.doc = d.doc";
    let ordered = format!("{join} ORDER BY e.id");
    let (before, answer) = (plan(&lake, join), lake.sql(&ordered));
    lake.ok(["sql", "ANALYZE t.events"]);
    lake.ok(["sql", "ANALYZE t.documents"]);
    let (after, same) = (plan(&lake, join), lake.sql(&ordered));
    assert!(scans(&before)[0].contains("events/a.csv"), "{before}");
    assert!(scans(&after)[0].contains("documents/a.json"), "{after}");
    assert_eq!(answer.lines().count(), 2_001);
    assert_eq!(answer, same);
    // Without what depends on the folder and on how many cores there are.
    let folder = lake.path().to_str().unwrap().trim_start_matches('/');
    let essence = |plan: &str| {
        let lines = plan.lines().filter(|l| !l.contains("RepartitionExec"));
        let lines = lines.map(|l| l.trim_start().replace(folder, "[LAKE]"));
        lines
            .filter(|l| !l.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(
            "join",
            format!(
                "without statistics:\n{}\n\nwith statistics:\n{}",
                essence(&before),
                essence(&after)
            )
        );
    });
}

#[test]
fn a_join_that_multiplies_rows_is_not_built_on() {
    // Without the number of different keys, a join is thought to have as many rows as its smaller side.
    let lake = events_and_documents();
    let join = "SELECT count(*) AS n FROM t.events a JOIN t.events b ON a.kind = b.kind JOIN t.events c ON c.id = a.id";
    let before = plan_with_statistics(&lake, join);
    let answer = lake.sql(join);
    lake.ok(["sql", "ANALYZE t.events"]);
    let after = plan_with_statistics(&lake, join);
    assert_eq!(lake.sql(join), answer);
    let build_side = |plan: &str| {
        let mut lines = plan
            .lines()
            .skip_while(|l| !l.contains("HashJoinExec"))
            .skip(1);
        let found = lines.find(|l| l.contains("HashJoinExec") || l.contains("DataSourceExec"));
        found.unwrap().trim_start().to_owned()
    };
    let (before, after) = (build_side(&before), build_side(&after));
    assert!(before.starts_with("HashJoinExec"), "{before}");
    assert!(after.starts_with("DataSourceExec"), "{after}");
}

#[test]
fn a_filter_is_judged_by_the_bounds() {
    let lake = events_and_documents();
    lake.ok(["sql", "ANALYZE t.events"]);
    let plan = plan_with_statistics(&lake, "SELECT kind FROM t.events WHERE id >= 1900");
    let filter = plan.lines().find(|l| l.contains("FilterExec")).unwrap();
    // Of 0 to 1999, 31 (a 64th) farther apart, 131 of 2,062 numbers: of 2,000 rows, 127.1, rounded up.
    assert!(filter.contains("Rows=Inexact(128)"), "{filter}");
}

#[test]
fn answers_are_the_same_with_statistics() {
    let lake = Lake::new();
    lake.file(
        "d/p=1/a.json",
        "{\"n\":-9223372036854775808,\"f\":-1e308,\"s\":\"a\",\"b\":true}\n{\"n\":null,\"f\":0.5,\"s\":null,\"b\":null}\n",
    );
    lake.file(
        "d/p=2/a.json",
        "{\"n\":9223372036854775807,\"f\":1e308,\"s\":\"\",\"b\":false}\n{\"n\":5,\"f\":null,\"s\":\"zz\",\"b\":true}\n",
    );
    lake.crawl("d");
    let predicates = [
        "true",
        "n > 5",
        "n >= 9223372036854775807",
        "n < 0",
        "n = 5",
        "n <> 5",
        "n > 9223372036854775806",
        "n / 2 > 1 AND n < 100",
        "n IS NULL",
        "n IS NOT NULL",
        "f > 1e307",
        "f = 0.5",
        "f >= 1e308",
        "f < -1e308",
        "f * 2 > 1",
        "s = ''",
        "s > 'b'",
        "s IS NULL",
        "b",
        "NOT b",
        "b IS NULL",
        "p = 1",
        "p = 2 AND n = 5",
        "p > 2",
        "p = 1 AND p = 2",
        "n = 1 AND n = 2",
        "n BETWEEN -1 AND 5",
        "n IN (5, 6)",
        "n = 5 OR f = 0.5",
        "n > 7 AND s = 'a'",
    ];
    let joins = [
        "x.n > 5",
        "x.f >= 1e308",
        "y.p > 2",
        "x.n < 0 AND y.b",
        "x.n > y.p",
    ];
    let joins = joins.iter().map(|predicate| {
        format!("SELECT x.p, y.p AS q FROM t.d x JOIN t.d y ON x.n = y.n WHERE {predicate} ORDER BY 1, 2")
    });
    let queries: Vec<String> = predicates
        .iter()
        .flat_map(|predicate| {
            [
                format!("SELECT n, f, s, b, p FROM t.d WHERE {predicate} ORDER BY p, n, f"),
                format!("SELECT count(*) AS c, count(n) AS n, min(n) AS a, max(n) AS z, min(f) AS f, max(s) AS s FROM t.d WHERE {predicate}"),
            ]
        })
        .chain(joins)
        .collect();
    // One prompt answers them all.
    let script = queries.iter().fold(String::new(), |all, q| all + q + ";\n");
    let before = lake.mastic_fed(["sql", "-o", "csv"], script.as_bytes());
    assert!(!before.stderr.contains("error"), "{before}");
    lake.ok(["sql", "ANALYZE t.d"]);
    let after = lake.mastic_fed(["sql", "-o", "csv"], script.as_bytes());
    assert_eq!(before.to_string(), after.to_string());
    assert!(before.stdout.lines().count() > queries.len());
}

#[test]
fn statements_that_cannot_be_answered() {
    let lake = Lake::with([(
        "orders/a.json",
        "{\"id\":1,\"Total\":2.5,\"address\":{\"city\":\"x\"}}\n",
    )]);
    lake.crawl("orders");
    let mut all = String::new();
    for statement in [
        "ANALYZE",
        "ANALYZE t.ordrs",
        "ANALYZE TABLE\n  nowhere.orders COMPUTE STATISTICS",
        "ANALYZE TABLE t.orders COMPUTE STATISTICS FOR COLUMNS id, totl",
        "ANALYZE TABLE t.orders COMPUTE STATISTICS FOR COLUMNS address",
        "ANALYZE TABLE t.orders COMPUTE STATISTICS NOSCAN",
        "ANALYZE TABLE t.orders COMPUTE",
        "ANALYZE TABLE t.orders PARTITION (p = 1) COMPUTE STATISTICS",
        "ANALYZE t.orders WITH (columns = ARRAY['id'])",
        "ANALYZE a.b.c.d",
        "SHOW STATS t.orders",
        "SHOW STATS FOR t.order",
        "SHOW STATS FOR (SELECT 1)",
        "SHOW STATS FOR t.orders",
    ] {
        let output = lake.fails(["sql", statement], "error: ");
        writeln!(all, "$ {statement}\n{}", output.stderr).unwrap();
    }
    snapshots(&lake).bind(|| insta::assert_snapshot!("mistakes", all));
    // Nothing was kept of what failed; and files that are gone are told as a query tells them.
    lake.fails(["sql", "SHOW STATS FOR t.orders"], "no statistics are kept");
    std::fs::remove_dir_all(lake.join("orders")).unwrap();
    lake.fails(["sql", "ANALYZE t.orders"], "are gone");
}
