//! ETL scripts: from the catalog's tables, through the steps, to files and tables.
#![allow(clippy::print_stderr, reason = "what is skipped is told")]

use std::collections::BTreeSet;

use mastic_tests::{Lake, Output, Running, finish, repository, snapshot};

/// The golden lake's tables in the catalog as `g`, and a script.
fn with(script: &str) -> Lake {
    let lake = Lake::new();
    let golden = repository().join("tests/lake").display().to_string();
    lake.ok(["crawl", &golden, "--database", "g"]);
    lake.file("s.yaml", script);
    lake
}

#[track_caller]
fn run(lake: &Lake) -> Output {
    lake.ok(["run", "s.yaml", "-o", "csv"])
}

/// The visible files of a folder.
fn visible(lake: &Lake, folder: &str) -> Vec<String> {
    let hidden = |name: &String| name.split('/').any(|part| part.starts_with(['_', '.']));
    lake.names(folder)
        .into_iter()
        .filter(|name| !hidden(name))
        .collect()
}

fn folders(lake: &Lake, folder: &str) -> BTreeSet<String> {
    let parent = |name: String| {
        name.rsplit_once('/')
            .map_or(String::new(), |(p, _)| p.to_owned())
    };
    visible(lake, folder).into_iter().map(parent).collect()
}

const ENRICHED: &str = "\
name: enriched
sources:
  orders: g.orders
  stores: {table: g.stores, where: opened is not null}
frames:
  stores:
    - rename_field: {city: town}
    - drop_fields: [opened]
  enriched:
    - from: orders
    # 01 and 02 are text, 10 and 99 are numbers: a choice.
    - resolve_choice: {store: 'cast:string'}
    - filter: amount is not null
    - join: {with: stores, on: store, how: left}
    - map:
        doubled: amount * 2
        note: upper(note)
    - apply_mapping:
        - id -> id int
        - store -> shop.code
        - town -> shop.town
        - doubled -> money.doubled double
        - note -> note
        - region -> region
        - year -> year int
sinks:
  - frame: enriched
    path: out/enriched
    partition_by: [region, year]
    mode: overwrite
    table: g.enriched
";

#[test]
fn joins_nests_filters_and_writes_a_table() {
    let lake = with(ENRICHED);
    let output = run(&lake);
    // How large Parquet makes it is Parquet's matter.
    let row = output.stdout.lines().nth(1).unwrap();
    let out = lake.join("out/enriched").display().to_string();
    assert!(
        row.starts_with(&format!("{out},g.enriched,6,4,")) && row.ends_with(",4"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("next: mastic sql 'SELECT * FROM g.enriched"),
        "{output}"
    );
    assert_eq!(
        lake.columns("g.enriched"),
        [
            "id int",
            "shop struct<code:string,town:string>",
            "money struct<doubled:double>",
            "note string",
            "[region string]",
            "[year int]"
        ]
    );
    // By hand: orders 2 and 7 have no amount; store 03 has no day, 99 is unknown.
    assert_eq!(
        lake.sql("SELECT id, e.shop['code'] AS code, e.shop['town'] AS town, e.money['doubled'] AS doubled, note, region, year FROM g.enriched e ORDER BY id"),
        "id,code,town,doubled,note,region,year\n\
         1,01,Rome,21.0,FIRST,eu,2023\n\
         3,01,Rome,14.5,,eu,2023\n\
         4,02,Oslo,40.0,X,eu,2024\n\
         5,03,,10.0,\"SAY \"\"HI\"\"\",eu,2024\n\
         6,10,Reno,200.0,ÜNÏCODE,us,2024\n\
         8,99,,2.0,NOWHERE,,2024\n"
    );
    let expected = [
        "region=__HIVE_DEFAULT_PARTITION__/year=2024",
        "region=eu/year=2023",
        "region=eu/year=2024",
        "region=us/year=2024",
    ];
    assert_eq!(
        folders(&lake, "out/enriched"),
        expected.map(str::to_owned).into()
    );
    assert_eq!(
        lake.sql("SELECT id FROM g.enriched WHERE region IS NULL"),
        "id\n8\n"
    );
    assert_eq!(
        lake.sql("SELECT id FROM g.enriched WHERE region = 'us'"),
        "id\n6\n"
    );

    // What was written is what a crawl finds: no version comes of it.
    let out = lake.join("out").display().to_string();
    lake.ok(["crawl", &out, "--database", "again"]);
    assert_eq!(lake.columns("again.enriched"), lake.columns("g.enriched"));
}

#[test]
fn a_crawl_of_what_a_script_wrote_changes_nothing() {
    let lake = with(ENRICHED);
    run(&lake);
    let output = lake.ok(["crawl", "out/enriched", "-d", "g", "-o", "csv"]);
    assert_eq!(lake.columns("g.enriched").len(), 6, "{output}");
    // What the crawl counts for itself may make one version; a second crawl makes none.
    let versions = lake.versions("g.enriched");
    lake.crawl("out/enriched");
    lake.ok(["crawl", "out/enriched", "-d", "g"]);
    assert_eq!(lake.versions("g.enriched"), versions);
}

/// A script that copies `in.json` to a sink with these settings.
fn copy(settings: &str) -> Lake {
    let lake = Lake::new();
    lake.file("s.yaml", format!(
        "sources:\n  rows: {{path: in.json}}\nsinks:\n  - frame: rows\n    path: out\n{settings}"
    ));
    lake.file(
        "in.json",
        concat!(
            "{\"id\":1,\"k\":\"a b/c\",\"n\":7,\"text\":\"x,\\\"y\\\"\",\"deep\":{\"z\":[1,2]}}\n",
            "{\"id\":2,\"k\":null,\"n\":null,\"text\":\"\",\"deep\":null}\n",
            "{\"id\":3,\"k\":\"é=%\",\"n\":-1,\"text\":null,\"deep\":{\"z\":[]}}\n",
        ),
    );
    lake
}

const COPIED: &str = "\
id,k,n,text
1,a b/c,7,\"x,\"\"y\"\"\"
2,,,
3,é=%,-1,
";

#[test]
fn every_format_and_compression_reads_back_with_null_keys() {
    for format in ["parquet", "csv", "json", "orc"] {
        let compressions: &[&str] = match format {
            "parquet" => &["none", "snappy", "gzip", "zstd", "lz4"],
            "orc" => &["none", "snappy", "zlib", "zstd", "lz4"],
            _ => &["none", "gzip", "zstd", "bzip2"],
        };
        for compression in compressions {
            let about = format!("{format} {compression}");
            let mut lake = copy(&format!(
                "    format: {format}\n    options: {{compression: {compression}}}\n    partition_by: [k, n]\n    table: t.out\n"
            ));
            if format == "csv" {
                // CSV has no structs.
                let script = lake.read("s.yaml").replace(
                    "sinks:",
                    "frames:\n  flat:\n    - from: rows\n    - drop_fields: [deep]\nsinks:",
                );
                lake.file("s.yaml", script.replace("frame: rows", "frame: flat"));
            }
            run(&lake);
            let rows = "SELECT id, k, n, text FROM t.out ORDER BY id";
            assert_eq!(lake.sql(rows), COPIED, "{about}");
            assert_eq!(
                lake.sql("SELECT id FROM t.out WHERE k IS NULL AND n IS NULL"),
                "id\n2\n",
                "{about}"
            );
            assert_eq!(
                lake.sql("SELECT id FROM t.out WHERE n = -1"),
                "id\n3\n",
                "{about}"
            );
            let expected = [
                "k=__HIVE_DEFAULT_PARTITION__/n=__HIVE_DEFAULT_PARTITION__",
                "k=a b%2Fc/n=7",
                "k=é%3D%25/n=-1",
            ];
            assert_eq!(
                folders(&lake, "out"),
                expected.map(str::to_owned).into(),
                "{about}"
            );
            // And a crawl of another catalog finds the same.
            lake.set("MASTIC_CATALOG", "other.db");
            lake.crawl("out");
            assert_eq!(lake.sql(rows), COPIED, "{about}, crawled");
        }
    }
}

#[test]
fn structs_in_csv_are_refused_or_kept_but_never_lost() {
    let lake = copy("    format: csv\n    table: t.out\n");
    let output = lake.mastic(["run", "s.yaml"]);
    snapshot!(lake, output);
}

#[test]
fn append_adds_and_overwrite_replaces() {
    let lake = copy(
        "    mode: ${mode}\n    partition_by: [k]\n    table: t.out\nparameters:\n  mode: append\n",
    );
    let ids = || lake.sql("SELECT id, count(*) AS n FROM t.out GROUP BY id ORDER BY id");
    run(&lake);
    run(&lake);
    assert_eq!(ids(), "id,n\n1,2\n2,2\n3,2\n");

    lake.file("in.json", "{\"id\":3,\"k\":\"é=%\",\"n\":1,\"text\":\"t\",\"deep\":null}\n{\"id\":4,\"k\":\"new\",\"n\":1,\"text\":\"t\",\"deep\":null}\n");
    lake.ok(["run", "s.yaml", "--set", "mode=overwrite_partitions"]);
    assert_eq!(ids(), "id,n\n1,2\n2,2\n3,1\n4,1\n");

    lake.ok(["run", "s.yaml", "--set", "mode=overwrite"]);
    assert_eq!(ids(), "id,n\n3,1\n4,1\n");
    assert_eq!(visible(&lake, "out").len(), 2);
    let before = (lake.catalog(), lake.files("out"));
    let output = lake.fails(["run", "s.yaml", "--set", "mode=error"], "out");
    snapshot!(lake, "something_is_there", output);
    assert_eq!((lake.catalog(), lake.files("out")), before);
}

#[test]
fn the_same_overwrite_twice_leaves_the_same_rows() {
    let lake = with(ENRICHED);
    run(&lake);
    let once = lake.sql("SELECT id, note, region, year FROM g.enriched ORDER BY id");
    run(&lake);
    assert_eq!(
        lake.sql("SELECT id, note, region, year FROM g.enriched ORDER BY id"),
        once
    );
    assert_eq!(folders(&lake, "out/enriched").len(), 4);
    assert_eq!(visible(&lake, "out/enriched").len(), 4);
}

#[test]
fn a_table_grows_with_what_is_appended() {
    let lake = copy("    table: t.out\n");
    run(&lake);
    lake.file(
        "in.json",
        "{\"id\":4.5,\"k\":\"x\",\"n\":1,\"text\":\"t\",\"deep\":null,\"more\":true}\n",
    );
    run(&lake);
    assert_eq!(lake.versions("t.out"), 2);
    assert_eq!(lake.columns("t.out")[0], "id double");
    assert_eq!(
        lake.sql("SELECT id, more FROM t.out ORDER BY id"),
        "id,more\n1.0,\n2.0,\n3.0,\n4.5,true\n"
    );
    let diff = lake.ok(["catalog", "diff", "t.out", "-o", "csv"]);
    assert!(
        diff.stdout.contains("changed,column,id,bigint,double"),
        "{diff}"
    );
    assert!(diff.stdout.contains("added,column,more,,boolean"), "{diff}");
    let versions = lake
        .ok(["catalog", "versions", "t.out", "-o", "csv"])
        .stdout;
    assert!(versions.contains("run"), "{versions}");
}

#[test]
fn a_frame_without_rows_makes_an_empty_table() {
    let lake = with(&ENRICHED.replace("amount is not null", "amount < 0"));
    run(&lake);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM g.enriched"), "n\n0\n");
}

#[test]
fn a_frame_without_rows_makes_an_empty_table_without_partitions() {
    for format in ["parquet", "csv", "json"] {
        let lake = with(&ENRICHED
            .replace("amount is not null", "amount < 0")
            .replace("        - store -> shop.code\n        - town -> shop.town\n        - doubled -> money.doubled double\n", "")
            .replace("    partition_by: [region, year]\n", &format!("    format: {format}\n")));
        run(&lake);
        assert_eq!(
            lake.sql("SELECT * FROM g.enriched"),
            "id,note,region,year\n",
            "{format}"
        );
    }
}

#[test]
fn overwriting_what_is_read() {
    // A table that a script cleans in place: the old files are read until the new ones are whole.
    let lake = copy("    table: t.out\n");
    run(&lake);
    lake.file("clean.yaml", "sources:\n  rows: t.out\nframes:\n  clean:\n    - from: rows\n    - filter: id > 1\nsinks:\n  - {frame: clean, path: out, mode: overwrite, table: t.out}\n");
    let output = lake.mastic(["run", "clean.yaml"]);
    if output.code == 0 {
        assert_eq!(lake.sql("SELECT id FROM t.out ORDER BY id"), "id\n2\n3\n");
    } else {
        snapshot!(lake, output);
        assert_eq!(
            lake.sql("SELECT id FROM t.out ORDER BY id"),
            "id\n1\n2\n3\n"
        );
    }
}

#[test]
fn parameters_are_set_from_the_command_line() {
    let script = "\
parameters:
  out:
  least: {type: bigint, default: 0, description: the first id}
  word: first
sources:
  orders: {table: g.orders, where: \"id >= ${least}\"}
frames:
  some:
    - from: orders
    - filter: note = '${word}' or id = 8
    - select_fields: [id]
sinks:
  - {frame: some, path: \"${out}/some\", format: csv, mode: overwrite, table: g.some}
";
    let lake = with(script);
    lake.ok(["run", "s.yaml", "--set", "out=a"]);
    assert_eq!(lake.sql("SELECT * FROM g.some ORDER BY id"), "id\n1\n8\n");
    lake.ok([
        "run", "s.yaml", "--set", "out=a", "--set", "least=2", "--set", "word=x",
    ]);
    assert_eq!(lake.sql("SELECT * FROM g.some ORDER BY id"), "id\n4\n8\n");
    for (name, set) in [
        ("set_missing", &[][..]),
        ("set_unknown", &["out=a", "leest=1"]),
        ("set_type", &["out=a", "least=many"]),
        ("set_form", &["out"]),
    ] {
        let mut args = vec!["run", "s.yaml"];
        set.iter().for_each(|s| args.extend(["--set", s]));
        let output = lake.mastic(args);
        assert_ne!(output.code, 0, "{name}");
        mastic_tests::snapshots(&lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
}

/// Records with a day and a word, filtered by a parameter.
fn filtered(condition: &str) -> Lake {
    let lake = Lake::with([(
        "in.json",
        "{\"id\":1,\"d\":\"2024-01-31\",\"w\":\"it's\"}\n{\"id\":2,\"d\":\"2024-02-01\",\"w\":\"x\"}\n",
    )]);
    lake.file(
        "s.yaml",
        format!(
            "\
parameters:
  day: {{type: date, default: 2024-01-31}}
  word: x
sources:
  rows: {{path: in.json}}
frames:
  some:
    - from: rows
    - filter: {condition}
sinks:
  - {{frame: some, path: out, format: csv, mode: overwrite, table: t.out}}
"
        ),
    );
    lake
}

#[test]
fn a_parameter_that_is_a_date_is_never_a_subtraction() {
    // 2024-01-31 without quotes is 1992, and 1992 days after 1970 is a day in 1975.
    let lake = filtered("d = ${day}");
    let output = lake.mastic(["run", "s.yaml"]);
    if output.code == 0 {
        assert_eq!(lake.sql("SELECT id FROM t.out"), "id\n1\n", "{output}");
    }
}

#[test]
fn a_parameter_that_is_a_date_within_quotes() {
    let lake = filtered("d = date '${day}'");
    run(&lake);
    assert_eq!(lake.sql("SELECT id FROM t.out"), "id\n1\n");
}

#[test]
fn a_quote_in_a_parameter_is_part_of_its_value() {
    let lake = filtered("w = '${word}'");
    lake.ok(["run", "s.yaml", "--set", "word=it's"]);
    assert_eq!(lake.sql("SELECT id FROM t.out"), "id\n1\n");
}

#[test]
fn a_parameter_is_a_value_and_never_a_piece_of_sql() {
    let lake = filtered("w = '${word}'");
    let output = lake.mastic(["run", "s.yaml", "--set", "word=nothing' OR 'a' = 'a"]);
    if output.code == 0 {
        assert_eq!(
            lake.sql("SELECT count(*) AS n FROM t.out"),
            "n\n0\n",
            "{output}"
        );
    }
}

#[test]
fn check_finds_mistakes_and_runs_nothing() {
    let lake = with(ENRICHED);
    let before = lake.catalog();
    let output = lake.ok(["run", "s.yaml", "--check"]);
    snapshot!(lake, "check", output);
    assert!(!lake.join("out").exists());
    assert_eq!(lake.catalog(), before);
    lake.file(
        "s.yaml",
        ENRICHED.replace("town -> shop.town", "towm -> shop.town"),
    );
    lake.fails(["run", "s.yaml", "--check"], "towm");
}

#[test]
fn explain_shows_the_flow_and_runs_nothing() {
    let lake = with(ENRICHED);
    let output = lake.ok(["run", "s.yaml", "--explain"]);
    snapshot!(lake, "explain", output);
    assert!(!lake.join("out").exists());
}

#[test]
fn typos_are_answered_with_their_line_and_what_was_meant() {
    let lake = with(ENRICHED);
    let before = lake.catalog();
    for (name, right, wrong) in [
        ("typo_section", "frames:", "framse:"),
        ("typo_verb", "- rename_field:", "- rename_feild:"),
        ("typo_table", "orders: g.orders", "orders: g.ordres"),
        ("typo_database", "orders: g.orders", "orders: gg.orders"),
        ("typo_column", "filter: amount is", "filter: amuont is"),
        (
            "typo_drop",
            "drop_fields: [opened]",
            "drop_fields: [openned]",
        ),
        ("typo_function", "upper(note)", "uper(note)"),
        ("typo_frame", "with: stores", "with: store"),
        ("typo_join_key", "on: store,", "on: stroe,"),
        ("typo_option", "how: left", "how: lfet"),
        ("typo_sink_frame", "frame: enriched", "frame: enrichd"),
        ("typo_mode", "mode: overwrite", "mode: overwritte"),
        ("typo_key", "partition_by: [region", "partition_by: [regoin"),
        (
            "typo_type",
            "doubled -> money.doubled double",
            "doubled -> money.doubled duoble",
        ),
        ("typo_field", "partition_by:", "partition_key:"),
        (
            "typo_yaml",
            "frame: enriched\n    path",
            "frame: enriched\n   path",
        ),
        ("typo_sql_syntax", "amount * 2", "amount *"),
    ] {
        assert!(ENRICHED.contains(right), "{name}");
        lake.file("s.yaml", ENRICHED.replacen(right, wrong, 1));
        let output = lake.fails(["run", "s.yaml"], "s.yaml:");
        mastic_tests::snapshots(&lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
    assert!(!lake.join("out").exists());
    assert_eq!(lake.catalog(), before);
}

#[test]
fn scripts_that_are_none() {
    let lake = with(ENRICHED);
    for (name, script) in [
        ("none_empty", ""),
        ("none_list", "- a\n- b\n"),
        ("none_text", "hello\n"),
        ("none_binary", "\u{1}\u{2}\n"),
        ("none_tab", "sources:\n\torders: g.orders\n"),
    ] {
        lake.file("s.yaml", script);
        let output = lake.fails(["run", "s.yaml"], "error: ");
        mastic_tests::snapshots(&lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
    snapshot!(
        lake,
        "none_there",
        lake.fails(["run", "nope.yaml"], "nope.yaml")
    );
    snapshot!(lake, "none_source", {
        lake.file(
            "s.yaml",
            "sources:\n  rows: {path: nowhere}\nsinks:\n  - {frame: rows, path: out}\n",
        );
        lake.fails(["run", "s.yaml"], "nowhere")
    });
}

/// A lake with a table that a script has written, whose next run must fail.
fn written() -> Lake {
    let lake = copy("    mode: overwrite\n    partition_by: [k]\n    table: t.out\n");
    run(&lake);
    lake
}

#[test]
fn a_run_that_fails_leaves_all_as_it_was() {
    let lake = written();
    let before = (lake.catalog(), lake.files("out"));
    // The second sink divides by zero, long after the first has staged its files.
    lake.file(
        "s.yaml",
        "\
sources:
  rows: {path: in.json}
frames:
  bad:
    - from: rows
    - map: {z: 1 / (n - n)}
sinks:
  - {frame: rows, path: out, mode: overwrite, partition_by: k, table: t.out}
  - {frame: bad, path: other, table: t.other}
",
    );
    let output = lake.fails(["run", "s.yaml"], "ivide by zero");
    snapshot!(lake, "divided", output);
    assert_eq!((lake.catalog(), lake.files("out")), before);
    assert!(lake.names("other").is_empty(), "{:?}", lake.names("other"));
}

#[test]
fn a_run_whose_source_is_damaged_leaves_all_as_it_was() {
    let lake = written();
    let before = (lake.catalog(), lake.files("out"));
    lake.file("in.json", "{\"id\":1,\"k\":\"a\",\"n\":1}\n{\"id\":2,");
    // What cannot be read is an error record; where none is allowed, the run fails.
    let script = lake.read("s.yaml");
    lake.file("s.yaml", format!("total_threshold: 0\n{script}"));
    lake.fails(["run", "s.yaml"], "in.json");
    assert_eq!((lake.catalog(), lake.files("out")), before);
}

#[test]
fn a_sink_below_a_file_or_upon_a_source() {
    let lake = written();
    let before = lake.catalog();
    let script = lake.read("s.yaml");
    lake.file(
        "s.yaml",
        script
            .replace("path: out\n", "path: in.json/out\n")
            .replace("t.out", "t.x"),
    );
    snapshot!(
        lake,
        "sink_upon_its_source",
        lake.fails(["run", "s.yaml"], "in.json")
    );
    lake.file("plain", "a file");
    lake.file(
        "s.yaml",
        script
            .replace("path: out\n", "path: plain/out\n")
            .replace("t.out", "t.x"),
    );
    snapshot!(
        lake,
        "sink_below_a_file",
        lake.fails(["run", "s.yaml"], "plain")
    );
    assert_eq!(lake.read("plain"), "a file");
    lake.file("s.yaml", script.replace("path: out\n", "path: elsewhere\n"));
    snapshot!(
        lake,
        "table_is_elsewhere",
        lake.fails(["run", "s.yaml"], "t.out")
    );
    assert_eq!(lake.catalog(), before);
}

/// A script over two tables of so many rows that it would write for hours.
fn endless() -> Lake {
    let lake = written();
    let rows: String = (0..100_000)
        .map(|i| format!("{i},some text that takes space {i}\n"))
        .collect();
    lake.file("big/a.csv", format!("a,b\n{rows}"));
    lake.file(
        "endless.yaml",
        "\
sources:
  big: {path: big}
frames:
  pairs:
    - sql: SELECT x.a, y.b, x.b AS c, x.a % 3 AS k FROM big x CROSS JOIN big y
sinks:
  - frame: pairs
    path: out
    format: csv
    mode: overwrite
    partition_by: k
    table: t.out
",
    );
    lake
}

/// Waits until the run has begun to stage files.
fn until_staged(lake: &Lake, running: &mut Running) {
    for _ in 0..6000 {
        let staged = lake
            .names("out")
            .iter()
            .any(|n| n.contains("_mastic/") && n.ends_with(".csv"));
        if staged {
            return;
        }
        assert!(!running.ended(), "it ended before it was stopped");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nothing was ever staged: {:?}", lake.names("out"));
}

#[test]
fn ctrl_c_in_the_middle_of_a_write_leaves_nothing() {
    let lake = endless();
    let before = (lake.catalog(), lake.files("out"));
    let mut running = Running::start(&mut lake.command(["run", "endless.yaml"]));
    until_staged(&lake, &mut running);
    running.signal("INT");
    let output = running.finish();
    assert_eq!(output.code, 1, "{output}");
    snapshot!(lake, output);
    assert_eq!((lake.catalog(), lake.files("out")), before);
}

#[test]
fn a_crash_in_the_middle_of_a_write_shows_nothing_and_the_next_run_tidies_up() {
    let lake = endless();
    let before = lake.catalog();
    let rows = lake.sql("SELECT id, k FROM t.out ORDER BY id");
    let seen = visible(&lake, "out");
    let mut running = Running::start(&mut lake.command(["run", "endless.yaml"]));
    until_staged(&lake, &mut running);
    running.signal("KILL");
    assert_eq!(running.finish().code, -1);
    assert_eq!(lake.catalog(), before);
    assert_eq!(visible(&lake, "out"), seen);
    assert_eq!(lake.sql("SELECT id, k FROM t.out ORDER BY id"), rows);
    // Neither a crawl nor the next run sees or needs what is left.
    lake.ok(["crawl", "out", "-d", "t"]);
    assert_eq!(lake.sql("SELECT id, k FROM t.out ORDER BY id"), rows);
    run(&lake);
    assert_eq!(lake.sql("SELECT id, k FROM t.out ORDER BY id"), rows);
}

#[test]
fn a_file_that_may_not_grow_leaves_all_as_it_was() {
    // As a full disk or a quota does, at any file beyond 4 MB; it needs no root.
    let lake = endless();
    let before = (lake.catalog(), lake.files("out"));
    let script = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" run endless.yaml";
    let mut shell = lake.program("sh");
    shell.arg("-c").arg(script).arg(mastic_tests::binary());
    let output = finish(&mut shell, b"");
    assert_eq!(output.code, 1, "{output}");
    snapshot!(lake, output);
    assert_eq!((lake.catalog(), lake.files("out")), before);
}

#[test]
fn a_full_disk_leaves_all_as_it_was() {
    let lake = endless();
    std::fs::create_dir(lake.join("small")).unwrap();
    let mount = |args: &[&str]| {
        let mut command = lake.program(args[0]);
        command.args(&args[1..]);
        command.status().is_ok_and(|s| s.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=2m", "none", "small"]) {
        eprintln!("skipped: a_full_disk_leaves_all_as_it_was needs root, to mount a small disk");
        return;
    }
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(&self.0).status();
        }
    }
    let _mounted = Mounted(lake.join("small"));
    let small = lake
        .read("s.yaml")
        .replace("path: out", "path: small/out")
        .replace("t.out", "t.small");
    lake.file("small.yaml", small);
    lake.ok(["run", "small.yaml"]);
    let before = (lake.catalog(), lake.files("small"));
    let endless = lake
        .read("endless.yaml")
        .replace("path: out", "path: small/out")
        .replace("t.out", "t.small");
    lake.file("endless.yaml", endless);
    let output = lake.fails(["run", "endless.yaml"], "No space left on device");
    snapshot!(lake, output);
    assert_eq!((lake.catalog(), lake.files("small")), before);
}

#[test]
fn two_runs_at_once_into_one_table_lose_nothing() {
    let lake = copy("    table: t.out\n");
    run(&lake);
    let mut runs: Vec<Running> = (0..4)
        .map(|_| Running::start(&mut lake.command(["run", "s.yaml"])))
        .collect();
    let mut done = 1;
    for running in runs.drain(..) {
        let output = running.finish();
        match output.code {
            0 => done += 1,
            _ => assert!(output.stderr.contains("changed"), "{output}"),
        }
    }
    // Whoever was told that it is done has its rows there; who was told otherwise may have.
    let files = visible(&lake, "out").len();
    assert!(files >= done, "{files} files of {done} runs");
    let counted = lake.sql("SELECT count(*) AS n FROM t.out");
    assert_eq!(counted, format!("n\n{}\n", files * 3));
}

#[test]
fn the_samples_scripts_are_right() {
    let lake = Lake::new();
    let samples = repository().join("samples");
    lake.ok([
        "crawl",
        &samples.join("lake").display().to_string(),
        "-d",
        "demo",
    ]);
    let mut scripts = 0;
    for entry in std::fs::read_dir(samples.join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            lake.ok(["run", path.to_str().unwrap(), "--check"]);
            scripts += 1;
        }
    }
    assert!(scripts >= 3);
}

#[test]
fn an_overwriting_sink_never_deletes_what_is_not_its_own() {
    let lake = Lake::with([("src/a.json", "{\"a\":1}\n")]);
    lake.crawl("src");
    for path in [".", "src"] {
        let script = format!(
            "sources:\n  src: t.src\nsinks:\n  - {{frame: src, path: {path}, mode: overwrite}}\n"
        );
        lake.file("s.yaml", script);
        let output = lake.mastic(["run", "s.yaml"]);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains("would delete"), "{output}");
    }
    assert_eq!(lake.sql("SELECT a FROM t.src"), "a\n1\n");
}
