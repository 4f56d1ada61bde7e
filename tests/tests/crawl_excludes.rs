//! What is left out of a crawl, by Glue's globs, is left out of its tables for good.

use mastic_tests::Lake;

/// Five files of partitions, with an id each.
fn lake() -> Lake {
    Lake::with([
        ("d/p=1/ab.csv", "id,v\n1,1\n"),
        ("d/p=1/ac.csv", "id,v\n2,1\n"),
        ("d/p=2/ab.csv", "id,v\n3,1\n"),
        ("d/p=2/ad.csv", "id,v\n4,1\n"),
        ("d/p=3/b{1}.csv", "id,v\n5,1\n"),
    ])
}

#[test]
fn every_element_of_the_grammar() {
    // "Include and exclude patterns" (AWS Glue developer guide, "Crawler properties").
    let lake = lake();
    for (i, (globs, left)) in [
        // A star stays within a folder; two do not.
        (&["*"][..], "1 2 3 4 5"),
        (&["*.csv"], "1 2 3 4 5"),
        (&["p=1/*"], "3 4 5"),
        (&["p=1/**"], "3 4 5"),
        (&["p=1**"], "3 4 5"),
        (&["*/ab.csv"], "2 4 5"),
        (&["**ab.csv"], "2 4 5"),
        (&["**/ab.csv"], "2 4 5"),
        (&["ab.csv"], "1 2 3 4 5"),
        (&["**/a*"], "5"),
        // One character.
        (&["p=?/a?.csv"], "5"),
        (&["p=?/?.csv"], "1 2 3 4 5"),
        // Sets and ranges.
        (&["p=[12]/ab.csv"], "2 4 5"),
        (&["p=[!1]/**"], "1 2"),
        (&["*/a[b-c].csv"], "4 5"),
        (&["*/a[!b-c].csv"], "1 2 3 5"),
        (&["*/a[cd].csv"], "1 3 5"),
        // Alternatives, and what is meant as it is.
        (&["p={1,3}/**"], "3 4"),
        (&["**/{ab,ad}.{csv,json}"], "2 5"),
        (&["p=3/b\\{1\\}.csv"], "1 2 3 4"),
        (&["p=3/b{1}.csv"], "1 2 3 4 5"),
        // A leading slash is that of the target, and several globs leave out what any does.
        (&["/p=1/*"], "3 4 5"),
        (&["p=1/**", "p=2/ad.csv"], "3 5"),
    ]
    .into_iter()
    .enumerate()
    {
        let database = format!("db{i}");
        let mut args = vec!["crawl", "d", "-d", &database];
        for glob in globs {
            args.extend(["--exclude", glob]);
        }
        lake.ok(args);
        let ids = lake.sql(&format!("SELECT id FROM {database}.d ORDER BY id"));
        let ids: Vec<&str> = ids.lines().skip(1).collect();
        assert_eq!(ids.join(" "), left, "{globs:?}");
    }
}

#[test]
fn a_table_without_partitions_does_not_read_what_was_left_out() {
    let lake = Lake::with([
        ("d/a.csv", "id,v\n1,1\n"),
        ("d/b.csv", "id,v\n2,1\n"),
        ("d/b.csv.bak", "id,v\n3,1\n"),
    ]);
    lake.report(["d", "--exclude", "*.bak"]);
    assert_eq!(lake.sql("SELECT id FROM t.d ORDER BY id"), "id\n1\n2\n");
    // What comes later neither.
    lake.file("d/c.csv.bak", "id,v\n4,1\n");
    lake.file("d/c.csv", "id,v\n5,1\n");
    assert_eq!(lake.sql("SELECT id FROM t.d ORDER BY id"), "id\n1\n2\n5\n");
    // A crawl without exclusions takes them in again.
    lake.report(["d"]);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.d"), "n\n5\n");
}

#[test]
fn what_is_left_out_is_not_opened_and_not_bad() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.file("d/tmp/junk.bin", b"\x00\x01\xff\xfe\x00");
    lake.file("d/x.csv.gz", b"\x1f\x8b");
    let report = lake.report(["d", "--strict", "--exclude", "tmp/**", "--exclude", "*.gz"]);
    assert_eq!(report.files(), (1, 1, 0));
    assert_eq!(lake.sql("SELECT id FROM t.d"), "id\n1\n");
}

#[test]
fn everything_left_out_is_an_empty_place() {
    let lake = lake();
    lake.fails(["crawl", "d", "-d", "t", "--exclude", "**"], "d");
    assert_eq!(lake.tables(), Vec::<String>::new());
}

#[test]
fn globs_that_cannot_be_read_are_told() {
    let lake = lake();
    for (glob, told) in [
        ("p={1,2", "a brace is not closed"),
        ("p=[12", "a bracket is not closed"),
        ("{a,{b,c}}", "braces cannot be nested"),
        ("a\\", "a backslash escapes nothing"),
    ] {
        let output = lake.fails(["crawl", "d", "-d", "t", "--exclude", glob], told);
        assert!(output.stderr.contains(glob), "{output}");
        lake.fails(["crawler", "create", "c", "d", "--exclude", glob], told);
    }
    let listed = lake.mastic(["crawler", "list", "-o", "json"]);
    assert_eq!(listed.stdout, "", "{listed}");
}

#[test]
fn the_names_of_folders_above_mean_nothing_to_a_glob() {
    // The crawled place has characters of the grammar in its own name.
    let lake = Lake::with([
        ("odd [x] {y}*/a.csv", "id,v\n1,1\n"),
        ("odd [x] {y}*/b.tmp", "id,v\n2,1\n"),
    ]);
    lake.report(["odd [x] {y}*", "--exclude", "*.tmp"]);
    let [table] = lake.tables().try_into().expect("one table");
    let name = table.trim_start_matches("t.").to_owned();
    assert_eq!(lake.sql(&format!("SELECT id FROM t.\"{name}\"")), "id\n1\n");
}

#[test]
fn a_crawler_leaves_out_what_its_targets_say() {
    let lake = Lake::with([
        ("a/x.csv", "id,v\n1,1\n"),
        ("a/y.csv", "id,v\n2,1\n"),
        ("b/x.csv", "id,v\n3,1\n"),
        ("b/y.csv", "id,v\n4,1\n"),
    ]);
    lake.ok([
        "crawler",
        "create",
        "c",
        "a",
        "b",
        "-d",
        "t",
        "--exclude",
        "y*",
    ]);
    lake.ok(["crawler", "run", "c"]);
    assert_eq!(lake.sql("SELECT id FROM t.a"), "id\n1\n");
    assert_eq!(lake.sql("SELECT id FROM t.b"), "id\n3\n");
}
