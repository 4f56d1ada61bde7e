//! What a crawl remembers: files that are as they were are never opened again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use mastic_tests::Lake;

/// A lake of five files: two tables, one of them with partitions.
fn lake() -> Lake {
    let lake = Lake::with([
        ("l/flat/a.csv", "id,v\n1,1\n"),
        ("l/flat/b.csv", "id,v\n2,2\n"),
        ("l/parts/p=1/a.json", "{\"k\":\"x\",\"w\":1}\n"),
        ("l/parts/p=2/a.json", "{\"k\":\"y\",\"w\":2}\n"),
        ("l/parts/p=3/a.json", "{\"k\":\"z\",\"w\":3}\n"),
    ]);
    let first = lake.report(["l"]);
    assert_eq!(first.files(), (5, 5, 0));
    assert_eq!(first.outcomes(), ["flat created", "parts created"]);
    lake
}

fn touch(lake: &Lake, file: &str) {
    let file = std::fs::File::options()
        .append(true)
        .open(lake.join(file))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600))
        .unwrap();
}

#[test]
fn what_is_as_it_was_is_not_opened() {
    let lake = lake();
    let again = lake.report(["l"]);
    assert_eq!(again.files(), (5, 0, 5));
    assert_eq!(again.outcomes(), ["flat unchanged", "parts unchanged"]);
    assert_eq!(again.table("parts")["partitions"], 3);
    // The report of what was remembered is that of what was seen.
    assert_eq!(again.table("flat")["records"], 2);
}

#[test]
fn only_what_is_different_is_opened() {
    let lake = lake();
    lake.file("l/flat/b.csv", "id,v\n2,2.5\n3,3\n");
    let changed = lake.report(["l"]);
    assert_eq!(changed.files(), (5, 1, 4));
    assert_eq!(changed.outcomes(), ["flat updated", "parts unchanged"]);
    assert_eq!(lake.columns("t.flat"), ["id bigint", "v double"]);

    lake.file("l/parts/p=4/a.json", "{\"k\":\"q\",\"w\":4}\n");
    assert_eq!(lake.report(["l"]).files(), (6, 1, 5));

    lake.remove("l/flat/b.csv");
    assert_eq!(lake.report(["l"]).files(), (5, 0, 5));
    assert_eq!(lake.sql("SELECT id FROM t.flat"), "id\n1\n");

    // A file of another name is another file.
    std::fs::rename(lake.join("l/flat/a.csv"), lake.join("l/flat/z.csv")).unwrap();
    assert_eq!(lake.report(["l"]).files(), (5, 1, 4));
    assert_eq!(lake.report(["l"]).files(), (5, 0, 5));
}

#[test]
fn a_change_that_leaves_the_size_is_seen_by_the_time() {
    let lake = lake();
    lake.file("l/flat/b.csv", "id,v\n2,x\n");
    assert_eq!(lake.report(["l"]).files(), (5, 1, 4));
    assert_eq!(lake.columns("t.flat"), ["id bigint", "v string"]);
}

#[test]
fn a_touched_file_is_looked_at_once_more() {
    let lake = lake();
    touch(&lake, "l/parts/p=2/a.json");
    assert_eq!(lake.report(["l"]).files(), (5, 1, 4));
    assert_eq!(lake.report(["l"]).files(), (5, 0, 5));
    assert_eq!(
        lake.columns("t.parts"),
        ["k string", "w bigint", "[p bigint]"]
    );
    // It is what it was, and so is its table.
    assert_eq!(lake.versions("t.parts"), 1);
}

#[test]
fn a_file_that_went_and_came_back() {
    let lake = lake();
    let text = lake.read("l/parts/p=2/a.json");
    lake.remove("l/parts/p=2/a.json");
    assert_eq!(lake.report(["l"]).files(), (4, 0, 4));
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.parts"), "n\n2\n");
    lake.file("l/parts/p=2/a.json", text);
    assert_eq!(lake.report(["l"]).files(), (5, 1, 4));
    assert_eq!(lake.sql("SELECT k FROM t.parts WHERE p = 2"), "k\ny\n");
}

#[test]
fn a_bad_file_is_not_opened_again_and_named_again() {
    let lake = lake();
    lake.file("l/flat/bad.csv", b"\x00\x01\x02\xff\xfe junk \x00");
    let first = lake.report(["l"]);
    assert_eq!(first.files(), (6, 1, 5));
    assert_eq!(first.number("problem_count"), 1);
    assert!(
        first.problems()[0].contains("l/flat/bad.csv"),
        "{}",
        first.output
    );

    let second = lake.report(["l"]);
    assert_eq!(second.files(), (6, 0, 6));
    assert_eq!(second.problems(), first.problems());
    assert_eq!(lake.versions("t.flat"), 2);
    lake.fails(["crawl", "l", "-d", "t", "--strict"], "l/flat/bad.csv");
    assert_eq!(lake.sql("SELECT id FROM t.flat ORDER BY id"), "id\n1\n2\n");

    // It is mended.
    lake.file("l/flat/bad.csv", "id,v\n3,3\n");
    let third = lake.report(["l", "--strict"]);
    assert_eq!(third.files(), (6, 1, 5));
    assert_eq!(third.number("problem_count"), 0);
    assert_eq!(
        lake.sql("SELECT id FROM t.flat ORDER BY id"),
        "id\n1\n2\n3\n"
    );
}

#[test]
fn a_good_file_that_turned_bad_leaves_its_table() {
    let lake = lake();
    lake.file("l/flat/b.csv", b"\x00\x01\x02\xff\xfe junk \x00");
    let report = lake.report(["l"]);
    assert_eq!(report.files(), (5, 1, 4));
    assert_eq!(report.number("problem_count"), 1);
    assert_eq!(lake.sql("SELECT id FROM t.flat"), "id\n1\n");
}

#[test]
fn an_empty_file_is_not_opened_again() {
    let lake = lake();
    lake.file("l/flat/empty.csv", "");
    lake.file("l/flat/blank.csv", "\n\n");
    let first = lake.report(["l"]);
    assert_eq!(first.number("empty_count"), 2);
    let second = lake.report(["l"]);
    assert_eq!(second.number("opened"), 0);
    assert_eq!(second.number("empty_count"), 2);
    assert_eq!(second.number("problem_count"), 0);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.flat"), "n\n2\n");
}

#[test]
fn a_dry_run_remembers_nothing() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n"), ("d/b.csv", "id,v\n2,1\n")]);
    assert_eq!(lake.report(["d", "--dry-run"]).files(), (2, 2, 0));
    assert_eq!(lake.report(["d", "--dry-run"]).files(), (2, 2, 0));
    assert_eq!(lake.report(["d"]).files(), (2, 2, 0));
    // It may use what a crawl remembered.
    lake.file("d/b.csv", "id,v\n2,1\n3,1\n");
    assert_eq!(lake.report(["d", "--dry-run"]).files(), (2, 1, 1));
    assert_eq!(lake.report(["d", "--dry-run"]).files(), (2, 1, 1));
    assert_eq!(lake.report(["d"]).files(), (2, 1, 1));
    // Nor does it appear in the history.
    let history = lake.ok(["crawler", "history", "-o", "json"]).stdout;
    assert_eq!(history.lines().count(), 2, "{history}");
}

#[test]
fn other_options_look_anew() {
    let lake = lake();
    assert_eq!(lake.report(["l", "--sample", "1"]).files(), (5, 5, 0));
    assert_eq!(lake.report(["l", "--sample", "1"]).files(), (5, 0, 5));
    lake.ok([
        "classifier",
        "create-csv",
        "bare",
        "--delimiter",
        ",",
        "--header",
        "absent",
        "--names",
        "a,b",
    ]);
    let report = lake.report(["l", "--sample", "1", "--classifier", "bare"]);
    assert_eq!(report.files(), (5, 5, 0));
    // An edited classifier is another one.
    lake.ok([
        "classifier",
        "create-csv",
        "bare",
        "--delimiter",
        ",",
        "--header",
        "present",
        "--replace",
    ]);
    let report = lake.report(["l", "--sample", "1", "--classifier", "bare"]);
    assert_eq!(report.files(), (5, 5, 0));
}

#[test]
fn options_that_do_not_change_what_a_file_is_open_none() {
    let lake = lake();
    for args in [
        ["l", "--on-update", "replace"],
        ["l", "--on-delete", "log"],
        ["l", "--table-level", "2"],
        ["l", "--keep-versions", "7"],
        ["l", "--exclude", "flat/b.csv"],
    ] {
        assert_eq!(lake.report(args).number("opened"), 0, "{args:?}");
    }
}

#[test]
fn a_table_that_was_deleted_comes_back_without_opening_a_file() {
    let lake = lake();
    lake.ok(["catalog", "delete", "t.flat"]);
    let report = lake.report(["l"]);
    assert_eq!(report.files(), (5, 0, 5));
    assert_eq!(report.outcomes(), ["flat created", "parts unchanged"]);
    assert_eq!(lake.sql("SELECT id FROM t.flat ORDER BY id"), "id\n1\n2\n");
}

#[test]
fn a_change_among_thousands_of_files_opens_one() {
    // More than several blocks of memory, with folders that begin alike.
    let lake = Lake::new();
    for folder in ["a", "a-b", "a.b", "ab"] {
        for i in 0..450 {
            lake.file(
                &format!("l/{folder}/p={i}/x.json"),
                format!("{{\"id\":{i},\"{folder}\":true}}\n"),
            );
        }
    }
    assert_eq!(lake.report(["l"]).files(), (1800, 1800, 0));
    assert_eq!(lake.report(["l"]).files(), (1800, 0, 1800));
    lake.file("l/a.b/p=222/x.json", "{\"id\":222,\"a.b\":false}\n\n");
    lake.remove("l/a/p=0/x.json");
    lake.file("l/a-b/p=449/y.json", "{\"id\":1,\"a-b\":true}\n");
    lake.file("l/zz/p=1/y.json", "{\"other\":[1]}\n");
    assert_eq!(lake.report(["l"]).files(), (1801, 3, 1798));
    assert_eq!(lake.report(["l"]).files(), (1801, 0, 1801));
    // All but the first of the blocks are gone.
    for folder in ["a-b", "a.b", "ab"] {
        std::fs::remove_dir_all(lake.join("l").join(folder)).unwrap();
    }
    assert_eq!(lake.report(["l"]).files(), (450, 0, 450));
    assert_eq!(lake.report(["l"]).files(), (450, 0, 450));
}

#[test]
fn only_folders_that_no_crawl_has_seen() {
    let lake = lake();
    // A new file in a known folder waits; new folders do not, at whatever depth.
    lake.file("l/parts/p=1/b.json", "{\"k\":\"late\",\"w\":9}\n");
    lake.file("l/flat/b.csv", "id,v\n2,2\n4,4\n");
    lake.file("l/parts/p=4/a.json", "{\"k\":\"new\",\"w\":4}\n");
    lake.file("l/more/deep/a.json", "{\"other\":true,\"x\":\"y\"}\n");
    let report = lake.report(["l", "--new-folders-only"]);
    assert_eq!(report.number("opened"), 2, "{}", report.output);
    assert_eq!(report.number("skipped"), 1, "{}", report.output);
    assert_eq!(
        report.outcomes(),
        ["deep created", "flat unchanged", "parts updated"]
    );
    assert_eq!(
        lake.sql("SELECT p, k FROM t.parts WHERE p > 2 ORDER BY p"),
        "p,k\n3,z\n4,new\n"
    );
    assert!(
        report.output.stderr.contains("passed over 1 new file"),
        "{}",
        report.output
    );
    // A crawl of everything sees what waited.
    let all = lake.report(["l"]);
    assert_eq!(all.number("opened"), 2, "{}", all.output);
    assert_eq!(
        all.outcomes(),
        ["deep unchanged", "flat updated", "parts updated"]
    );
    let again = lake.report(["l", "--new-folders-only"]);
    assert_eq!((again.number("opened"), again.number("skipped")), (0, 0));
}

#[test]
fn a_first_crawl_of_new_folders_sees_all() {
    let lake = Lake::with([
        ("d/p=1/a.csv", "id,v\n1,1\n"),
        ("d/p=1/b.csv", "id,v\n2,1\n"),
    ]);
    let report = lake.report(["d", "--new-folders-only"]);
    assert_eq!(report.files(), (2, 2, 0));
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.d"), "n\n2\n");
}
