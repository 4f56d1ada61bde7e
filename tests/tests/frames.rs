//! Dynamic frames through the real binary: values that disagree, records that cannot be read, runs that go on
//! where others stopped, and scripts that cannot be right.
//!
//! Where an expected value is not plain from the test's own data, its source is said beside it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::Path;

use mastic_tests::{Lake, Output, Running, repository};
use serde_json::Value;

/// What a run told machines.
#[track_caller]
fn summary(output: &Output) -> Value {
    assert_eq!(output.code, 0, "{output}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}\n{output}"))
}

/// Runs `s.yaml`.
#[track_caller]
fn run(lake: &Lake) -> Value {
    summary(&lake.ok(["run", "s.yaml", "-o", "json"]))
}

/// Read, made, shared, written, dropped, errors. What was put into the sum is what came out of it.
#[track_caller]
fn totals(summary: &Value) -> [i64; 6] {
    let of = |name: &str| summary["Totals"][name].as_i64().unwrap();
    let all = ["Read", "Made", "Shared", "Written", "Dropped", "Errors"].map(of);
    let [read, made, shared, written, dropped, errors] = all;
    assert_eq!(
        read + made + shared,
        written + dropped + errors,
        "{summary}"
    );
    all
}

/// The rows of an answer, without their header.
#[track_caller]
fn rows(lake: &Lake, query: &str) -> String {
    let answer = lake.sql(query);
    answer.split_once('\n').unwrap().1.trim_end().to_owned()
}

/// The files of a folder that a reader sees.
fn visible(lake: &Lake, folder: &str) -> usize {
    let hidden = |name: &String| name.split('/').any(|part| part.starts_with(['_', '.']));
    lake.names(folder).iter().filter(|n| !hidden(n)).count()
}

/// A run that fails, says this, and leaves no file in `out` and nothing in the catalog.
#[track_caller]
fn refused(lake: &Lake, said: &str) -> Output {
    let tables = lake.tables();
    let output = lake.fails(["run", "s.yaml"], said);
    assert_eq!(visible(lake, "out"), 0, "{output}");
    assert_eq!(lake.tables(), tables, "{output}");
    output
}

/// So many rows of two numbers, the second twice the first, but in one row.
fn doubles(rows: usize, odd: usize, value: &str) -> String {
    let mut text = "id,n\n".to_owned();
    for id in 1..=rows {
        if id == odd {
            writeln!(text, "{id},{value}").unwrap();
        } else {
            writeln!(text, "{id},{}", id * 2).unwrap();
        }
    }
    text
}

const MAKE_COLS: &str = "\
name: kept
sources:
  rows: SOURCE
frames:
  apart:
    - from: rows
    - resolve_choice: {n: make_cols}
sinks:
  - {frame: apart, path: out, mode: overwrite, table: t.apart}
";

#[test]
fn a_value_of_another_type_in_row_160000_is_kept() {
    for value in ["n/a", "abc"] {
        let lake = Lake::with([("rows/a.csv", doubles(200_000, 160_000, value).as_str())]);
        lake.crawl("rows");
        for source in ["t.rows", "{path: rows}"] {
            lake.file("s.yaml", MAKE_COLS.replace("SOURCE", source));
            let told = run(&lake);
            assert_eq!(totals(&told), [200_000, 0, 0, 200_000, 0, 0], "{source}");
            // Twice the sum of 1 to 200,000, less the one: 200,000 × 200,001 − 320,000.
            assert_eq!(
                rows(
                    &lake,
                    "SELECT count(*), sum(n_long), count(n_string), max(n_string), \
                     max(CASE WHEN n_string IS NOT NULL THEN id END) FROM t.apart"
                ),
                format!("200000,39999880000,1,{value},160000"),
                "{source}"
            );
        }
    }
}

#[test]
fn a_marker_of_null_is_null_to_sql_and_a_value_to_a_frame() {
    let lake = Lake::with([("rows/a.csv", doubles(5_000, 4_000, "n/a").as_str())]);
    lake.crawl("rows");
    assert_eq!(lake.columns("t.rows"), ["id bigint", "n bigint"]);
    assert_eq!(
        rows(&lake, "SELECT count(*), count(n) FROM t.rows"),
        "5000,4999"
    );
    lake.file("s.yaml", MAKE_COLS.replace("SOURCE", "t.rows"));
    run(&lake);
    assert_eq!(
        rows(
            &lake,
            "SELECT id, n_string FROM t.apart WHERE n_long IS NULL"
        ),
        "4000,n/a"
    );
}

#[test]
fn a_value_that_no_crawl_has_seen_is_found_by_the_run() {
    for odd in ["abc", "n/a"] {
        let lake = Lake::with([("rows/a.csv", doubles(2_000, 0, "").as_str())]);
        lake.crawl("rows");
        // The catalog says bigint, of a file that it has not seen as well.
        lake.file("rows/b.csv", doubles(3_000, 2_500, odd));
        let cast = MAKE_COLS
            .replace("SOURCE", "t.rows")
            .replace("make_cols", "cast:string");
        lake.file("s.yaml", cast);
        let told = run(&lake);
        assert_eq!(totals(&told), [5_000, 0, 0, 5_000, 0, 0]);
        let kept = "SELECT count(*), count(n), min(id) FROM t.apart WHERE n = ";
        assert_eq!(rows(&lake, &format!("{kept} '{odd}'")), "1,1,2500");
        assert_eq!(rows(&lake, "SELECT count(n) FROM t.apart"), "5000");
    }
}

#[test]
fn values_that_disagree_within_structs_and_arrays_are_kept() {
    let mut text = String::new();
    for id in 0..3_000 {
        let (code, tag) = match id {
            2_000 => ("\"x\"".to_owned(), "true".to_owned()),
            _ => (id.to_string(), format!("\"t{id}\"")),
        };
        writeln!(
            text,
            "{{\"id\":{id},\"at\":{{\"code\":{code}}},\"tags\":[{{\"v\":{tag}}}]}}"
        )
        .unwrap();
    }
    let lake = Lake::with([("rows/a.json", text.as_str())]);
    lake.crawl("rows");
    for source in ["t.rows", "{path: rows}"] {
        lake.file(
            "s.yaml",
            format!(
                "sources:\n  rows: {source}\nframes:\n  made:\n    - from: rows\n    \
                 - resolve_choice: {{at.code: make_cols, 'tags[].v': make_struct}}\n    \
                 - map: {{flag: \"tags[1]['v']['boolean']\", text: \"tags[1]['v']['string']\"}}\n    \
                 - apply_mapping: [id -> id, at.code_long -> number, at.code_string -> word, flag -> flag, text -> text]\n\
                 sinks:\n  - {{frame: made, path: out, mode: overwrite, table: t.made}}\n"
            ),
        );
        run(&lake);
        assert_eq!(
            rows(
                &lake,
                "SELECT count(*), sum(number), count(text) FROM t.made"
            ),
            // The sum of 0 to 2,999, less 2,000.
            "3000,4496500,2999",
            "{source}"
        );
        assert_eq!(
            rows(
                &lake,
                "SELECT id, word, flag FROM t.made WHERE number IS NULL"
            ),
            "2000,x,true",
            "{source}"
        );
    }
}

const WITH_ERRORS: &str = "\
name: errors
sources:
  rows: SOURCE
frames:
  good:
    - from: rows
STEPS
sinks:
  - {frame: good, path: out/good, mode: overwrite, table: t.good}
  - {frame: errors, path: out/errors, format: json, mode: overwrite, table: t.bad}
";

fn with_errors(source: &str, steps: &str) -> String {
    WITH_ERRORS
        .replace("SOURCE", source)
        .replace("STEPS\n", steps)
}

/// The lines of the error records of a file.
fn bad_lines(lake: &Lake, file: &str) -> String {
    rows(
        lake,
        &format!("SELECT line FROM t.bad WHERE file LIKE '%{file}' ORDER BY line"),
    )
    .replace('\n', " ")
}

#[test]
fn rows_with_too_many_values_are_set_aside() {
    let lake = Lake::with([("rows/a.csv", "id,n\n1,2\n3,4\n")]);
    lake.crawl("rows");
    lake.file(
        "rows/b.csv",
        "id,n\n5,6\n7,8,9\n10,11\n12,13,14,15\n16,17\n",
    );
    lake.file("s.yaml", with_errors("t.rows", ""));
    let told = run(&lake);
    assert_eq!(totals(&told), [7, 0, 0, 5, 0, 2]);
    assert_eq!(rows(&lake, "SELECT sum(id), sum(n) FROM t.good"), "35,40");
    assert_eq!(bad_lines(&lake, "rows/b.csv"), "3 5");
    assert_eq!(
        rows(&lake, "SELECT step, record FROM t.bad ORDER BY line"),
        "rows,\"7,8,9\"\nrows,\"12,13,14,15\""
    );
    let reason = rows(&lake, "SELECT reason FROM t.bad ORDER BY line LIMIT 1");
    assert!(reason.contains("3 values"), "{reason}");
    // Where the columns are found by the run itself, there are as many as the longest row needs.
    lake.file("s.yaml", with_errors("{path: rows}", ""));
    assert_eq!(totals(&run(&lake)), [7, 0, 0, 7, 0, 0]);
    assert_eq!(rows(&lake, "SELECT sum(id), sum(n) FROM t.good"), "54,61");
}

#[test]
fn lines_that_are_no_json_are_set_aside() {
    let lake = Lake::with([("rows/a.json", "{\"id\":1}\n{\"id\":2}\n")]);
    lake.crawl("rows");
    lake.file(
        "rows/b.json",
        "{\"id\":3}\n{\"id\":4,\n{\"id\":5}\nnot json\n{\"id\":6,\"id\":7}\n{\"id\":8}\n",
    );
    for source in ["t.rows", "{path: rows, format: json}"] {
        lake.file("s.yaml", with_errors(source, ""));
        let told = run(&lake);
        let [read, _, shared, written, dropped, errors] = totals(&told);
        assert_eq!((read, shared, dropped), (8, 0, 0), "{source} {told}");
        assert_eq!((written, errors), (5, 3), "{source} {told}");
        assert_eq!(rows(&lake, "SELECT sum(id) FROM t.good"), "19", "{source}");
        assert_eq!(bad_lines(&lake, "rows/b.json"), "2 4 5", "{source}");
    }
}

#[test]
fn xml_records_that_cannot_be_read_are_set_aside() {
    let lake = Lake::with([(
        "rows/a.xml",
        "<all>\n<row><id>1</id></row>\n<row><id>2</id></row>\n</all>\n",
    )]);
    lake.crawl("rows");
    lake.file(
        "rows/b.xml",
        "<all>\n<row><id>3</id></row>\n<row><id>4</ix></row>\n<row><id>5</id></row>\n</all>\n",
    );
    lake.file("s.yaml", with_errors("t.rows", ""));
    let told = run(&lake);
    assert_eq!(totals(&told), [5, 0, 0, 4, 0, 1], "{told}");
    assert_eq!(rows(&lake, "SELECT sum(id) FROM t.good"), "11");
    assert_eq!(bad_lines(&lake, "rows/b.xml"), "3");
}

/// 20 rows of a text that is a number in most, and a word in every fifth.
fn words() -> String {
    let mut text = "id,n\n".to_owned();
    for id in 1..=20 {
        if id % 5 == 0 {
            writeln!(text, "{id},w{id}").unwrap();
        } else {
            writeln!(text, "{id},{id}").unwrap();
        }
    }
    text
}

const CAST: &str = "    - filter: id <> 1\n    - apply_mapping: [id -> id int, n -> n bigint]\n";

#[test]
fn values_that_cannot_be_cast_are_set_aside_with_file_line_step_and_reason() {
    let lake = Lake::with([("rows/a.csv", words().as_str())]);
    lake.crawl("rows");
    for source in ["t.rows", "{path: rows}"] {
        lake.file("s.yaml", with_errors(source, CAST));
        let told = run(&lake);
        assert_eq!(totals(&told), [20, 0, 0, 15, 1, 4], "{source}");
        // 1 to 20 without 1 and without 5, 10, 15 and 20: 210 − 1 − 50.
        assert_eq!(rows(&lake, "SELECT sum(n) FROM t.good"), "159");
        // The header is line 1.
        assert_eq!(bad_lines(&lake, "rows/a.csv"), "6 11 16 21", "{source}");
        assert_eq!(
            rows(&lake, "SELECT DISTINCT step FROM t.bad"),
            "good: 3 apply_mapping"
        );
        assert_eq!(
            rows(&lake, "SELECT reason FROM t.bad ORDER BY line LIMIT 1"),
            "'w5' in field n is no bigint"
        );
        let steps = told["Steps"].as_array().unwrap();
        let step = steps.iter().find(|s| s["Verb"] == "apply_mapping").unwrap();
        assert_eq!(
            (&step["RowsIn"], &step["RowsOut"], &step["Errors"]),
            (&19.into(), &15.into(), &4.into())
        );
    }
    // On the screen the first of them is told, and where.
    let shown = lake.ok(["run", "s.yaml"]);
    for said in [
        "20 read = 15 written + 1 dropped + 4 set aside as errors",
        "'w5' in field n is no bigint",
        "a.csv, line 6",
    ] {
        assert!(shown.stderr.contains(said), "no '{said}' in\n{shown}");
    }
}

#[test]
fn error_records_beyond_a_threshold_fail_the_run() {
    for (place, limit, fails) in [
        ("total_threshold", 3, true),
        ("total_threshold", 4, false),
        ("stage_threshold", 3, true),
        ("stage_threshold", 4, false),
        ("beside the verb", 3, true),
        ("beside the verb", 4, false),
    ] {
        let lake = Lake::with([("rows/a.csv", words().as_str())]);
        lake.crawl("rows");
        let script = match place {
            "beside the verb" => {
                with_errors("t.rows", &format!("{CAST}      stage_threshold: {limit}\n"))
            }
            _ => format!("{place}: {limit}\n{}", with_errors("t.rows", CAST)),
        };
        lake.file("s.yaml", script);
        if fails {
            refused(&lake, "may set aside");
            let told = lake.ok(["runs", "errors", "-o", "json"]).stdout;
            assert!(told.contains("FAILED"), "{told}");
        } else {
            assert_eq!(totals(&run(&lake))[5], 4, "{place}");
        }
    }
    // A source's bad records count as well.
    let lake = Lake::with([("rows/a.csv", "id,n\n1,2\n3,4\n")]);
    lake.crawl("rows");
    lake.file("rows/b.csv", "id,n\n5,6\n7,8,9\n");
    lake.file(
        "s.yaml",
        format!("total_threshold: 0\n{}", with_errors("t.rows", "")),
    );
    refused(&lake, "may set aside");
}

#[test]
fn a_cast_that_fails_for_every_row_fails_the_run() {
    let lake = Lake::with([("rows/a.csv", "id,n\n1,x\n2,y\n3,z\n")]);
    lake.crawl("rows");
    lake.file("s.yaml", with_errors("t.rows", CAST));
    let output = refused(&lake, "could take none of its 2 records");
    assert!(output.stderr.contains("'y' in field n"), "{output}");
    // It is another matter where NULL is asked for, as Glue gives it.
    let nulls = CAST.replace(
        "apply_mapping: [id -> id int, n -> n bigint]",
        "apply_mapping: {mappings: [id -> id int, n -> n bigint], on_error: null}",
    );
    lake.file("s.yaml", with_errors("t.rows", &nulls));
    assert_eq!(totals(&run(&lake)), [3, 0, 0, 2, 1, 0]);
    assert_eq!(rows(&lake, "SELECT count(*), count(n) FROM t.good"), "2,0");
}

const BOOKMARKED: &str = "\
name: seen
sources:
  rows: {table: t.rows, bookmark: true}
sinks:
  - {frame: rows, path: out, table: t.copy}
";

/// Runs `s.yaml`, and says how many files and rows it read.
#[track_caller]
fn read(lake: &Lake) -> (u64, u64) {
    let told = run(lake);
    let source = &told["Sources"][0];
    let of = |name: &str| source[name].as_u64().unwrap();
    (of("Files"), of("Rows"))
}

fn bookmarked() -> Lake {
    let lake = Lake::with([
        ("rows/a.csv", "id,n\n1,2\n3,4\n"),
        ("rows/b.csv", "id,n\n5,6\n"),
        ("s.yaml", BOOKMARKED),
    ]);
    lake.crawl("rows");
    lake
}

#[test]
fn a_bookmark_gives_each_object_once() {
    let lake = bookmarked();
    let ids = || rows(&lake, "SELECT id FROM t.copy ORDER BY id").replace('\n', " ");
    assert_eq!(read(&lake), (2, 3));
    assert_eq!(read(&lake), (0, 0));
    assert_eq!(ids(), "1 3 5");
    lake.file("rows/c.csv", "id,n\n7,8\n");
    assert_eq!(read(&lake), (1, 1));
    assert_eq!(ids(), "1 3 5 7");
    // What is changed is new.
    lake.file("rows/b.csv", "id,n\n50,6\n51,6\n");
    assert_eq!(read(&lake), (1, 2));
    assert_eq!(read(&lake), (0, 0));
    assert_eq!(ids(), "1 3 5 7 50 51");
    // Without its bookmark a run reads everything, and moves nothing.
    let all = summary(&lake.ok(["run", "s.yaml", "--bookmarks", "disable", "-o", "json"]));
    assert_eq!(all["Sources"][0]["Files"], 3, "{all}");
    assert_eq!(read(&lake), (0, 0));
}

/// A bookmark of `seen`, for machines.
#[track_caller]
fn bookmark(lake: &Lake) -> Value {
    let shown = lake.ok(["bookmark", "show", "seen", "-o", "json"]).stdout;
    serde_json::from_str(shown.lines().next().unwrap()).unwrap()
}

#[test]
fn a_bookmark_is_shown_rewound_paused_set_and_reset() {
    let lake = bookmarked();
    assert_eq!(read(&lake), (2, 3));
    let first = summary(&lake.ok(["runs", "seen", "-o", "json"]));
    assert_eq!(first["JobRunState"], "SUCCEEDED", "{first}");
    lake.file("rows/c.csv", "id,n\n7,8\n");
    assert_eq!(read(&lake), (1, 1));
    let shown = lake.ok(["bookmark", "show", "seen", "rows", "--objects", "-o", "csv"]);
    for name in ["rows/a.csv", "rows/b.csv", "rows/c.csv"] {
        assert!(shown.stdout.contains(name), "{shown}");
    }
    let by = |args: &[&str]| {
        let mut all = vec!["bookmark"];
        all.extend(args);
        lake.ok(all)
    };
    by(&["rewind", "seen", "--to-run", first["Id"].as_str().unwrap()]);
    assert_eq!(read(&lake), (1, 1));
    by(&["pause", "seen"]);
    lake.file("rows/d.csv", "id,n\n9,8\n");
    assert_eq!(read(&lake), (1, 1));
    assert_eq!(read(&lake), (1, 1));
    assert_eq!(bookmark(&lake)["Paused"], true, "{}", bookmark(&lake));
    by(&["resume", "seen"]);
    assert_eq!(read(&lake), (1, 1));
    assert_eq!(read(&lake), (0, 0));
    by(&["reset", "seen"]);
    assert_eq!(read(&lake), (4, 5));
    by(&["set", "seen", "rows", "--up-to", "2001-01-01"]);
    assert_eq!(read(&lake), (4, 5));
    by(&["set", "seen", "rows", "--up-to", "2999-01-01"]);
    assert_eq!(read(&lake), (0, 0));
    let listed = lake.ok(["runs", "seen", "-o", "json"]).stdout;
    assert!(listed.lines().count() >= 10, "{listed}");
    lake.fails(["bookmark", "show", "sene"], "sene");
    // A run is shown with what it read and wrote, by the beginning of its id.
    let id = first["Id"].as_str().unwrap();
    let one = lake.ok(["runs", "show", &id[..12], "-o", "json"]);
    assert!(one.stdout.contains(id), "{one}");
}

#[test]
fn a_run_that_fails_moves_no_bookmark() {
    let lake = bookmarked();
    let fails = BOOKMARKED.replace(
        "sinks:\n  - {frame: rows",
        "frames:\n  bad:\n    - from: rows\n    - map: {x: id / (n - n)}\nsinks:\n  - {frame: bad",
    );
    lake.file("s.yaml", fails);
    refused(&lake, "ivide");
    let shown = lake.ok(["runs", "seen", "-o", "json"]).stdout;
    assert!(shown.contains("FAILED"), "{shown}");
    lake.file("s.yaml", BOOKMARKED);
    assert_eq!(read(&lake), (2, 3));
}

/// Waits until the run has staged a file.
fn until_staged(lake: &Lake, running: &mut Running) {
    for _ in 0..12_000 {
        let staged = |name: &String| name.contains("_mastic/") && name.ends_with(".csv");
        if lake.names("out").iter().any(staged) {
            return;
        }
        assert!(!running.ended(), "it ended before it staged anything");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("nothing was staged: {:?}", lake.names("out"));
}

#[test]
fn of_two_runs_at_once_one_writes_and_one_is_told() {
    let lake = Lake::with([("rows/a.csv", doubles(20_000, 0, "").as_str())]);
    lake.crawl("rows");
    lake.file(
        "s.yaml",
        "\
name: seen
parameters: {times: 1}
sources:
  rows: {table: t.rows, bookmark: true}
frames:
  many:
    - sql: SELECT x.id, y.id AS other FROM rows x CROSS JOIN rows y WHERE y.id <= ${times}
sinks:
  - {frame: many, path: out, format: csv, table: t.copy}
",
    );
    // The first is held while it writes, the second goes all the way meanwhile.
    let slow = ["run", "s.yaml", "--set", "times=100"];
    let mut first = Running::start(&mut lake.command(slow));
    until_staged(&lake, &mut first);
    first.signal("STOP");
    let second = lake.mastic(["run", "s.yaml"]);
    first.signal("CONT");
    let first = first.finish();
    assert_eq!(second.code, 0, "{second}");
    assert_eq!(first.code, 1, "{first}");
    assert!(first.stderr.contains("error: "), "{first}");
    assert_eq!(
        rows(&lake, "SELECT count(*), count(DISTINCT id) FROM t.copy"),
        "20000,20000"
    );
    // Nothing is left to be read, and nothing of the first run's is left to be seen.
    assert_eq!(read(&lake), (0, 0));
    assert_eq!(
        rows(&lake, "SELECT count(*) FROM t.copy"),
        "20000",
        "after the next run"
    );
    let states = lake.ok(["runs", "seen", "-o", "json"]).stdout;
    let failed = states.lines().filter(|l| l.contains("\"FAILED\"")).count();
    assert_eq!(failed, 1, "{states}");
}

fn one_table() -> Lake {
    let lake = Lake::with([("rows/a.csv", "id,amount\n1,2\n3,4\n")]);
    lake.crawl("rows");
    lake
}

#[test]
fn scripts_that_cannot_be_right_are_refused_before_they_read() {
    let lake = one_table();
    let sink = "sinks:\n  - {frame: x, path: out/x, table: t.x}\n";
    for (script, said) in [
        (
            format!("sources: {{rows: t.rows}}\nframes:\n  x:\n    - from: rows\n    - apply_mapping: [id -> id, amuont -> amount]\n{sink}"),
            "did you mean 'amount'",
        ),
        (
            "sources: {rows: t.rows}\nsinks:\n  - {frame: rows, path: out/x}\n  - {frame: rows, path: out/x/}\n".to_owned(),
            "two sinks write to",
        ),
        (
            "sources: {rows: t.rows}\nsinks:\n  - {frame: rows, path: out/x}\n  - {frame: rows, path: out/x/y}\n".to_owned(),
            "two sinks write to",
        ),
        (
            "sources: {rows: {path: rows}}\nsinks:\n  - {frame: rows, path: rows/x}\n".to_owned(),
            "reads what it writes",
        ),
        (
            "sources: {rows: {path: rows}}\nsinks:\n  - {frame: rows, path: ./rows}\n".to_owned(),
            "reads what it writes",
        ),
        (
            format!("sources: {{rows: t.rows}}\nframes:\n  x:\n    - from: y\n  y:\n    - from: z\n    - join: {{with: rows, on: id}}\n  z:\n    - sql: SELECT * FROM x\n{sink}"),
            "circle",
        ),
        (
            format!("sources: {{rows: t.rows}}\nframes:\n  x:\n    - from: rows\n    - resolve_choice: {{amount: make_cols}}\n{sink}"),
            "a choice",
        ),
        (
            "sources: {rows: t.rows}\nframes:\n  errors:\n    - from: rows\nsinks:\n  - {frame: errors, path: out/x}\n".to_owned(),
            "'errors' is the frame of the run's error records",
        ),
    ] {
        lake.file("s.yaml", &script);
        let output = refused(&lake, said);
        assert!(output.stderr.contains("s.yaml:"), "{output}");
        assert_eq!(lake.names("rows"), ["a.csv"], "{output}");
    }
}

#[test]
fn a_join_on_a_choice_is_told_to_resolve_it() {
    let lake = one_table();
    lake.file("odd/a.json", "{\"id\":1}\n{\"id\":\"x\"}\n");
    lake.crawl("odd");
    let join = |left: &str, right: &str| {
        format!(
            "sources: {{rows: t.rows, odd: t.odd}}\nframes:\n  x:\n    - from: {left}\n    - join: {{with: {right}, on: id}}\nsinks:\n  - {{frame: x, path: out/x}}\n"
        )
    };
    for (left, right, side) in [("rows", "odd", "right"), ("odd", "rows", "left")] {
        lake.file("s.yaml", join(left, right));
        refused(
            &lake,
            &format!(
                "make it one type first, on the {side}: resolve_choice: {{id: 'cast:bigint'}}"
            ),
        );
    }
    lake.file(
        "s.yaml",
        join("odd", "rows").replace(
            "- from: odd\n",
            "- from: odd\n    - resolve_choice: {id: 'cast:bigint'}\n",
        ),
    );
    assert_eq!(run(&lake)["Sinks"][0]["Rows"], 1);
}

#[test]
fn a_table_that_is_overwritten_by_itself_is_whole_or_as_it_was() {
    let lake = one_table();
    lake.file(
        "s.yaml",
        "sources: {rows: t.rows}\nsinks:\n  - {frame: rows, path: rows, mode: overwrite, format: csv, table: t.rows}\n",
    );
    let output = lake.mastic(["run", "s.yaml"]);
    assert_eq!(
        rows(&lake, "SELECT sum(id), sum(amount) FROM t.rows"),
        "4,6",
        "{output}"
    );
}

#[test]
fn json_that_is_too_deep_or_too_wide_is_refused_and_bounded() {
    let deep = |n: usize| format!("{{\"a\":{}1{}}}\n", "[".repeat(n), "]".repeat(n));
    let mut wide = String::from("{");
    for key in 0..200_000 {
        if key > 0 {
            wide.push(',');
        }
        write!(wide, "\"key_{key}\":{key}").unwrap();
    }
    wide.push_str("}\n");
    let lake = Lake::with([
        ("deep/a.json", deep(100_000).as_str()),
        ("wide/a.json", wide.as_str()),
    ]);
    for source in ["deep", "wide"] {
        lake.file(
            "s.yaml",
            format!(
                "sources: {{rows: {{path: {source}, format: json}}}}\nsinks:\n  - {{frame: rows, path: out, format: json}}\n"
            ),
        );
        let output = lake.mastic(["run", "s.yaml"]);
        assert_eq!(output.code, 1, "{source}: {}", output.stderr);
        assert!(
            output.stderr.contains("error: ") && output.stderr.contains("a.json"),
            "{source}: {}",
            output.stderr
        );
        assert_eq!(visible(&lake, "out"), 0, "{source}");
    }
    // One such record among others is an error record.
    lake.file(
        "mixed/a.json",
        format!("{{\"a\":[[1]]}}\n{}{{\"a\":[[2]]}}\n", deep(100_000)),
    );
    lake.file("s.yaml", with_errors("{path: mixed, format: json}", ""));
    let told = run(&lake);
    assert_eq!(totals(&told), [3, 0, 0, 2, 0, 1], "{told}");
}

/// Every table of the samples, and how many rows it has; samples/README.md has the numbers, which R and pandas counted.
const SAMPLES: [(&str, u64); 8] = [
    ("airlines", 16),
    ("airports", 1_458),
    ("countries", 250),
    ("countries_xml", 250),
    ("flights", 336_776),
    ("movies", 3_201),
    ("planes", 3_322),
    ("weather", 26_115),
];

#[test]
fn a_generated_script_runs_as_it_is_written() {
    let lake = Lake::new();
    let samples = repository().join("samples/lake").display().to_string();
    lake.ok(["crawl", &samples, "--database", "demo"]);
    for (name, expected) in SAMPLES {
        let (source, script) = (format!("demo.{name}"), format!("{name}.yaml"));
        let (path, table) = (format!("out/{name}"), format!("made.{name}"));
        lake.ok([
            "generate", &source, "--to", &path, "--table", &table, "--script", &script,
        ]);
        let told = summary(&lake.ok(["run", &script, "-o", "json"]));
        let all = i64::try_from(expected).unwrap();
        assert_eq!(totals(&told), [all, 0, 0, all, 0, 0], "{name}");
        assert_eq!(
            rows(&lake, &format!("SELECT count(*) FROM {table}")),
            expected.to_string()
        );
        // It is not written over.
        let before = lake.read(&script);
        lake.fails(
            ["generate", &source, "--to", &path, "--script", &script],
            &script,
        );
        assert_eq!(lake.read(&script), before);
    }
    // From files that no catalog knows, too, and into a table that is there already.
    let movies = Path::new(&samples).join("movies").display().to_string();
    lake.ok([
        "generate",
        &movies,
        "--to",
        "out/movies",
        "--table",
        "made.movies",
        "--script",
        "again.yaml",
    ]);
    lake.ok(["run", "again.yaml"]);
    assert_eq!(rows(&lake, "SELECT count(*) FROM made.movies"), "6402");
    assert_eq!(lake.versions("made.movies"), 1);
}
