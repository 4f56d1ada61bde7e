//! What a run meets beyond what was known of its sources when it was planned, through the real binary: keys and
//! values that no sample has, markers that mean something else further on, codes, and choices that a script expects.
//!
//! Where an expected value is not plain from the test's own data, its source is said beside it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;

use mastic_tests::Lake;
use serde_json::Value;

/// Runs a script of one frame; what was read, written and set aside.
#[track_caller]
fn run(lake: &Lake, source: &str, steps: &str) -> [i64; 3] {
    let script = format!(
        "name: odd\nsources:\n  rows: {source}\nframes:\n  made:\n    - from: rows\n{steps}sinks:\n  \
         - {{frame: made, path: out/made, mode: overwrite, table: t.made}}\n  \
         - {{frame: errors, path: out/bad, format: json, mode: overwrite, table: t.bad}}\n"
    );
    lake.file("s.yaml", script);
    let output = lake.ok(["run", "s.yaml", "-o", "json"]);
    let told: Value = serde_json::from_str(&output.stdout).unwrap();
    let of = |name: &str| told["Totals"][name].as_i64().unwrap();
    assert_eq!(
        of("Read") + of("Shared") + of("Made"),
        of("Written") + of("Dropped") + of("Errors"),
        "{told}"
    );
    [of("Read"), of("Written"), of("Errors")]
}

/// The rows of an answer, without their header.
#[track_caller]
fn rows(lake: &Lake, query: &str) -> String {
    let answer = lake.sql(query);
    answer.split_once('\n').unwrap().1.trim_end().to_owned()
}

/// Changes what the catalog says of its tables, as somebody does by hand.
#[track_caller]
fn edit(lake: &Lake, change: impl Fn(&mut Value)) {
    fn tables(value: &mut Value, change: &impl Fn(&mut Value)) {
        match value {
            Value::Object(map)
                if map.contains_key("StorageDescriptor") && map.contains_key("Name") =>
            {
                change(value);
            }
            Value::Object(map) => map.values_mut().for_each(|v| tables(v, change)),
            Value::Array(all) => all.iter_mut().for_each(|v| tables(v, change)),
            _ => {}
        }
    }
    let mut said: Value = serde_json::from_str(&lake.catalog()).unwrap();
    tables(&mut said, &change);
    lake.file("edited.json", said.to_string());
    lake.ok(["catalog", "import", "edited.json"]);
}

/// Drops a column.
fn without(table: &mut Value, column: &str) {
    let columns = &mut table["StorageDescriptor"]["Columns"];
    columns
        .as_array_mut()
        .unwrap()
        .retain(|c| c["Name"] != column);
}

#[test]
fn a_key_that_no_crawl_has_seen_becomes_a_column() {
    let lake = Lake::with([
        ("rows/day=1/a.json", "{\"id\":1,\"at\":{\"x\":1}}\n"),
        (
            "log/a.xml",
            "<all>\n<row><id>1</id></row>\n<row><id>2</id></row>\n</all>\n",
        ),
        ("csv/a.csv", "id,n\n1,2\n"),
    ]);
    for folder in ["rows", "log", "csv"] {
        lake.crawl(folder);
    }
    // The partition key is a key of the records, too, and is no news.
    lake.file(
        "rows/day=1/b.json",
        "{\"id\":2,\"day\":7,\"at\":{\"x\":2,\"y\":[{\"z\":\"deep\"}]}}\n{\"id\":3,\"New\":\"n\"}\n",
    );
    lake.file(
        "log/b.xml",
        "<all>\n<row><id>3</id><more>m</more></row>\n</all>\n",
    );
    lake.file("csv/b.csv", "id,extra,n\n3,e,4\n");
    for _ in 0..2 {
        assert_eq!(run(&lake, "t.rows", ""), [3, 3, 0]);
        assert_eq!(
            rows(
                &lake,
                "SELECT id, at['x'], at['y'][1]['z'], new, day FROM t.made ORDER BY id"
            ),
            "1,1,,,1\n2,2,deep,,1\n3,,,n,1"
        );
    }
    // Of the columns that a script reads, none may be the new one.
    let one = "    - select_fields: [id]\n";
    assert_eq!(run(&lake, "t.rows", one), [3, 3, 0]);
    assert_eq!(rows(&lake, "SELECT sum(id) FROM t.made"), "6");
    assert_eq!(run(&lake, "t.log", ""), [3, 3, 0]);
    assert_eq!(
        rows(&lake, "SELECT id, more FROM t.made WHERE id > 2"),
        "3,m"
    );
    assert_eq!(run(&lake, "t.csv", ""), [2, 2, 0]);
    assert_eq!(
        rows(&lake, "SELECT id, n, extra FROM t.made ORDER BY id"),
        "1,2,\n3,4,e"
    );
}

#[test]
fn a_column_that_was_dropped_by_hand_stays_away() {
    let lake = Lake::with([("rows/a.json", "{\"id\":1,\"secret\":\"s\"}\n")]);
    lake.crawl("rows");
    edit(&lake, |table| without(table, "secret"));
    assert_eq!(lake.columns("t.rows"), ["id bigint"]);
    assert_eq!(run(&lake, "t.rows", ""), [1, 1, 0]);
    assert_eq!(lake.columns("t.made"), ["id bigint"]);
    // With what is new, the look at all records does not bring it back.
    lake.file("rows/b.json", "{\"id\":2,\"secret\":\"t\",\"open\":true}\n");
    assert_eq!(run(&lake, "t.rows", ""), [2, 2, 0]);
    assert_eq!(lake.columns("t.made"), ["id bigint", "open boolean"]);
}

#[test]
fn a_table_that_no_crawl_has_made_has_the_columns_that_it_names() {
    let lake = Lake::with([("rows/a.json", "{\"id\":1,\"other\":{\"a\":1}}\n")]);
    lake.crawl("rows");
    edit(&lake, |table| {
        without(table, "other");
        table["Parameters"] = serde_json::json!({"classification": "json"});
    });
    assert_eq!(run(&lake, "t.rows", ""), [1, 1, 0]);
    assert_eq!(lake.columns("t.made"), ["id bigint"]);
    // So has a path whose columns are named.
    let source = "{path: rows, format: json, options: {schema: 'id bigint'}}";
    assert_eq!(run(&lake, source, ""), [1, 1, 0]);
    assert_eq!(lake.columns("t.made"), ["id bigint"]);
}

#[test]
fn a_column_that_a_crawler_may_not_add_is_in_the_frame() {
    let lake = Lake::with([("rows/a.json", "{\"id\":1}\n")]);
    lake.crawl("rows");
    lake.file("rows/b.json", "{\"id\":2,\"late\":3}\n");
    lake.ok(["crawl", "rows", "--database", "t", "--on-update", "log"]);
    assert_eq!(lake.columns("t.rows"), ["id bigint"]);
    assert_eq!(run(&lake, "t.rows", ""), [2, 2, 0]);
    assert_eq!(rows(&lake, "SELECT sum(id), sum(late) FROM t.made"), "3,3");
}

/// More than a sample is of a file, 64 MiB, and more rows than the 160,000.
fn long(row: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for id in 1..=170_000 {
        text.push_str(&row(id));
        text.push('\n');
    }
    assert!(text.len() > 66 << 20, "{}", text.len());
    text
}

#[test]
fn what_comes_behind_the_sample_of_a_path_is_found() {
    let pad = "x".repeat(400);
    let json = long(|id| match id {
        170_000 => format!("{{\"id\":{id},\"pad\":\"{pad}\",\"late\":{{\"k\":1}}}}"),
        _ => format!("{{\"id\":{id},\"pad\":\"{pad}\"}}"),
    });
    // From row 160,000 on every hundredth value is a marker, which is none before.
    let csv = long(|id| match id {
        1 => format!("n,m,{pad}"),
        160_000.. if id % 10 == 0 => format!("NA,{id},{pad}"),
        _ => format!("{id},{id},{pad}"),
    });
    let lake = Lake::with([("json/a.json", json.as_str()), ("csv/a.csv", csv.as_str())]);
    let drop = "    - drop_fields: [pad]\n";
    assert_eq!(run(&lake, "{path: json}", drop), [170_000, 170_000, 0]);
    assert_eq!(
        rows(&lake, "SELECT count(*), sum(id), sum(late.k) FROM t.made"),
        // The sum of 1 to 170,000.
        "170000,14450085000,1"
    );
    let select = "    - select_fields: [n, m]\n";
    for _ in 0..2 {
        assert_eq!(run(&lake, "{path: csv}", select), [169_999, 169_999, 0]);
        assert_eq!(lake.columns("t.made"), ["n bigint", "m bigint"]);
        // 160,000, 160,010 … 170,000.
        assert_eq!(
            rows(&lake, "SELECT count(*), count(n), count(m) FROM t.made"),
            "169999,168998,169999"
        );
    }
}

#[test]
fn a_marker_that_no_crawl_has_seen_is_what_all_records_say() {
    let mut text = "n,m\n".to_owned();
    for id in 1..=2_000 {
        match id {
            // Of every ten values one is a marker: it is the file's own.
            _ if id % 10 == 0 => writeln!(text, "NA,{id}").unwrap(),
            // And one alone is odd.
            1_001 => writeln!(text, "{id},n/a").unwrap(),
            _ => writeln!(text, "{id},{id}").unwrap(),
        }
    }
    let lake = Lake::with([("rows/a.csv", "n,m\n1,1\n2,2\n")]);
    lake.crawl("rows");
    lake.file("rows/b.csv", text);
    let cast = "    - resolve_choice: {m: make_cols}\n";
    for _ in 0..2 {
        assert_eq!(run(&lake, "t.rows", cast), [2_002, 2_002, 0]);
        assert_eq!(
            lake.columns("t.made"),
            ["n bigint", "m_long bigint", "m_string string"]
        );
        assert_eq!(
            rows(
                &lake,
                "SELECT count(*), count(n), count(m_long), max(m_string) FROM t.made"
            ),
            "2002,1802,2001,n/a"
        );
    }
}

#[test]
fn codes_are_text_by_crawl_and_by_path() {
    let lake = Lake::with([
        ("rows/a.csv", "id,code\n1,99\n2,98\n"),
        ("rows/b.csv", "id,code\n3,01\n4,97\n5,96\n"),
    ]);
    lake.crawl("rows");
    assert_eq!(lake.columns("t.rows"), ["id bigint", "code string"]);
    for source in ["t.rows", "{path: rows}"] {
        assert_eq!(run(&lake, source, ""), [5, 5, 0], "{source}");
        assert_eq!(lake.columns("t.made"), ["id bigint", "code string"]);
        assert_eq!(
            rows(&lake, "SELECT min(code), max(code) FROM t.made"),
            "01,99"
        );
    }
    // And where the file with the zeros comes after the crawl of the others.
    let lake = Lake::with([("rows/a.csv", "id,code\n1,99\n2,98\n")]);
    lake.crawl("rows");
    lake.file("rows/b.csv", "id,code\n3,01\n4,97\n5,96\n");
    assert_eq!(run(&lake, "t.rows", ""), [5, 5, 0]);
    assert_eq!(lake.columns("t.made"), ["id bigint", "code string"]);
    lake.crawl("rows");
    assert_eq!(lake.columns("t.rows"), ["id bigint", "code string"]);
    assert_eq!(run(&lake, "t.rows", ""), [5, 5, 0]);
    assert_eq!(rows(&lake, "SELECT min(code) FROM t.made"), "01");
}

#[test]
fn a_choice_that_a_script_expects_is_looked_for() {
    for (step, columns) in [
        (
            "{n: make_cols}",
            ["id bigint", "n_long bigint", "n_string string"].as_slice(),
        ),
        (
            "{n: make_struct}",
            &["id bigint", "n struct<long:bigint,string:string>"],
        ),
        ("{n: 'project:string'}", &["id bigint", "n string"]),
    ] {
        let lake = Lake::with([("rows/a.csv", "id,n\n1,2\n2,4\n")]);
        lake.crawl("rows");
        // The crawl has seen nothing odd, and there is nothing: all records were looked at before that is said.
        let script = format!(
            "name: s\nsources:\n  rows: t.rows\nframes:\n  made:\n    - from: rows\n    - resolve_choice: {step}\n\
             sinks:\n  - {{frame: made, path: out/made, mode: overwrite, table: t.made}}\n"
        );
        lake.file("s.yaml", &script);
        lake.fails(["run", "s.yaml"], "'n' is bigint, but a choice");
        lake.file("rows/b.csv", "id,n\n3,abc\n4,8\n5,10\n");
        lake.ok(["run", "s.yaml", "--check"]);
        lake.ok(["run", "s.yaml"]);
        assert_eq!(lake.columns("t.made"), columns);
        // What is wrong however the records are is told without a look at them.
        lake.file("s.yaml", script.replace("from: rows", "from: rwos"));
        lake.fails(["run", "s.yaml"], "rwos");
    }
}
