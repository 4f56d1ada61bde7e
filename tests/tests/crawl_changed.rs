//! Crawls of what somebody says was changed: the same catalog as a crawl of everything, and less work.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::Lake;
use mastic_tests::report::Report;

/// A lake with two catalogs that crawled it: `some.db` is told what was changed, `all.db` sees everything.
fn lake<const N: usize>(files: [(&str, &str); N]) -> Lake {
    let lake = Lake::with(files);
    for catalog in ["some.db", "all.db"] {
        lake.ok(["crawl", "l", "-d", "t", "--catalog", catalog]);
    }
    lake
}

fn orders() -> Lake {
    lake([
        ("l/orders/p=1/a.csv", "id,v\n1,1\n"),
        ("l/orders/p=1/b.csv", "id,v\n2,1\n"),
        ("l/orders/p=2/a.csv", "id,v\n3,1\n"),
        ("l/orders/p=3/a.csv", "id,v\n4,1\n"),
        (
            "l/people/a.json",
            "{\"name\":\"Ann\",\"born\":\"1990-01-01\"}\n",
        ),
    ])
}

/// Crawls what was changed in the one catalog and everything in the other, which must be the same then.
#[track_caller]
fn changed(lake: &Lake, urls: &[&str]) -> Report {
    let mut args = vec![
        "crawl",
        "l",
        "-d",
        "t",
        "-o",
        "json",
        "--catalog",
        "some.db",
    ];
    for url in urls {
        args.extend(["--changed", url]);
    }
    let report = Report::of(lake.mastic(args));
    lake.ok(["crawl", "l", "-d", "t", "--catalog", "all.db"]);
    assert_eq!(
        lake.content("some.db"),
        lake.content("all.db"),
        "{}",
        report.output
    );
    // And everything is remembered.
    let args = [
        "crawl",
        "l",
        "-d",
        "t",
        "-o",
        "json",
        "--catalog",
        "some.db",
    ];
    let again = Report::of(lake.mastic(args));
    assert_eq!(again.number("opened"), 0, "{}", again.output);
    let tables = again.json["tables"].as_array().unwrap();
    assert!(
        tables.iter().all(|t| t["outcome"] == "unchanged"),
        "{}",
        again.output
    );
    report
}

#[track_caller]
fn ids(lake: &Lake, table: &str) -> String {
    let query = format!("SELECT id FROM t.{table} ORDER BY id");
    let answer = lake.ok(["sql", &query, "-o", "csv", "--catalog", "some.db"]);
    answer.stdout.lines().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_new_partition() {
    let lake = orders();
    lake.file("l/orders/p=4/a.csv", "id,v\n5,1\n");
    let report = changed(&lake, &["l/orders/p=4"]);
    assert_eq!(report.files(), (1, 1, 0));
    assert_eq!(report.notes(), "");
    assert_eq!(report.outcomes(), ["orders updated"]);
    assert_eq!(
        report.lines("orders", "changes").lines().last(),
        Some("+ partition 4")
    );
    assert_eq!(ids(&lake, "orders"), "1 2 3 4 5");
}

#[test]
fn a_changed_partition_opens_only_the_changed_file() {
    let lake = orders();
    lake.file("l/orders/p=1/b.csv", "id,v\n2,1\n20,1\n");
    let report = changed(&lake, &["l/orders/p=1/"]);
    assert_eq!(report.files(), (2, 1, 1));
    assert_eq!(ids(&lake, "orders"), "1 2 3 4 20");
}

#[test]
fn a_file_in_place_of_its_folder() {
    let lake = orders();
    lake.file("l/orders/p=1/c.csv", "id,v\n9,1\n");
    let report = changed(&lake, &["l/orders/p=1/c.csv"]);
    assert_eq!(report.files(), (3, 1, 2));
    assert_eq!(report.notes(), "");
    assert_eq!(ids(&lake, "orders"), "1 2 3 4 9");
}

#[test]
fn a_partition_that_is_gone() {
    let lake = orders();
    lake.remove("l/orders/p=2/a.csv");
    let report = changed(&lake, &["l/orders/p=2/a.csv"]);
    assert_eq!(report.files(), (0, 0, 0));
    assert_eq!(ids(&lake, "orders"), "1 2 4");
    std::fs::remove_dir_all(lake.join("l/orders/p=3")).unwrap();
    changed(&lake, &["l/orders/p=3"]);
    assert_eq!(ids(&lake, "orders"), "1 2");
}

#[test]
fn a_file_that_is_gone_of_several() {
    let lake = orders();
    lake.remove("l/orders/p=1/a.csv");
    let report = changed(&lake, &["l/orders/p=1/a.csv"]);
    assert_eq!(report.files(), (1, 0, 1));
    assert_eq!(ids(&lake, "orders"), "2 3 4");
}

#[test]
fn columns_are_added_and_widened() {
    let lake = orders();
    lake.file("l/orders/p=5/a.csv", "id,v,note\n6,1.5,x\n");
    changed(&lake, &["l/orders/p=5"]);
    let args = [
        "sql",
        "SELECT id, v, note FROM t.orders WHERE p > 2 ORDER BY id",
        "-o",
        "csv",
        "--catalog",
        "some.db",
    ];
    assert_eq!(lake.ok(args).stdout, "id,v,note\n4,1.0,\n6,1.5,x\n");
}

#[test]
fn several_at_once_new_changed_and_gone() {
    let lake = orders();
    lake.file("l/orders/p=6/a.csv", "id,v\n6,1\n");
    lake.file("l/orders/p=7/a.csv", "id,v\n7,1\n");
    lake.file("l/orders/p=2/a.csv", "id,v\n3,1\n33,1\n");
    lake.remove("l/orders/p=3/a.csv");
    let report = changed(
        &lake,
        &[
            "l/orders/p=6",
            "l/orders/p=7/a.csv",
            "l/orders/p=2",
            "l/orders/p=3",
            "l/orders/p=2/a.csv",
        ],
    );
    assert_eq!(report.files(), (3, 3, 0));
    assert_eq!(ids(&lake, "orders"), "1 2 3 6 7 33");
    assert_eq!(
        report
            .lines("orders", "changes")
            .lines()
            .filter(|l| l.contains("partition "))
            .collect::<Vec<_>>(),
        [
            "+ partition 6",
            "+ partition 7",
            "~ partition 2",
            "- partition 3"
        ]
    );
}

#[test]
fn nothing_was_changed_after_all() {
    let lake = orders();
    let report = changed(&lake, &["l/orders/p=1"]);
    assert_eq!(report.files(), (2, 0, 2));
    assert_eq!(report.outcomes(), ["orders unchanged"]);
    let listed = lake.ok([
        "catalog",
        "versions",
        "t.orders",
        "-o",
        "json",
        "--catalog",
        "some.db",
    ]);
    assert_eq!(listed.stdout.lines().count(), 1);
}

#[test]
fn keys_within_keys() {
    let lake = lake([
        ("l/a/k=x y/q=1/a.csv", "id,v\n1,1\n"),
        ("l/a/k=x y/q=2/a.csv", "id,v\n2,1\n"),
        ("l/a/k=z/q=1/a.csv", "id,v\n3,1\n"),
        ("l/b/2024/01/31/a.json", "{\"id\":1,\"s\":{\"a\":1}}\n"),
        ("l/b/2024/02/01/a.json", "{\"id\":2,\"s\":{\"a\":1}}\n"),
    ]);
    lake.file("l/a/k=%C3%A9/q=7/a.csv", "id,v\n4,1\n");
    lake.file("l/a/k=x y/q=2/b.csv", "id,v\n5,1\n");
    lake.file(
        "l/b/2025/12/09/a.json",
        "{\"id\":3,\"s\":{\"a\":1.5,\"b\":[\"x\"]}}\n",
    );
    let report = changed(
        &lake,
        &["l/a/k=%C3%A9/q=7", "l/a/k=x y/q=2", "l/b/2025/12/09/a.json"],
    );
    assert_eq!(report.notes(), "");
    assert_eq!(report.outcomes(), ["a updated", "b updated"]);
    assert_eq!(report.files(), (4, 3, 1));
    let query = "SELECT id, k, q FROM t.a WHERE k <> 'z' ORDER BY id";
    let args = ["sql", query, "-o", "csv", "--catalog", "some.db"];
    assert_eq!(
        lake.ok(args).stdout,
        "id,k,q\n1,x y,1\n2,x y,2\n4,é,7\n5,x y,2\n"
    );
    let query = "SELECT id, year, month, day FROM t.b WHERE year = 2025";
    let args = ["sql", query, "-o", "csv", "--catalog", "some.db"];
    assert_eq!(lake.ok(args).stdout, "id,year,month,day\n3,2025,12,9\n");
}

#[test]
fn a_null_partition() {
    let lake = orders();
    lake.file("l/orders/p=__HIVE_DEFAULT_PARTITION__/a.csv", "id,v\n0,1\n");
    changed(&lake, &["l/orders/p=__HIVE_DEFAULT_PARTITION__"]);
    let query = "SELECT id FROM t.orders WHERE p IS NULL";
    let args = ["sql", query, "-o", "csv", "--catalog", "some.db"];
    assert_eq!(lake.ok(args).stdout, "id\n0\n");
}

#[test]
fn what_lies_in_no_partition_makes_a_crawl_of_everything() {
    for (file, url) in [
        // A table without partitions, a level above partitions, a new table.
        ("l/people/b.json", "l/people"),
        ("l/orders/p=8/a.csv", "l/orders"),
        ("l/orders/p=8/a.csv", "l"),
        ("l/new/a.csv", "l/new"),
    ] {
        let lake = orders();
        let text = if file.ends_with("json") {
            "{\"name\":\"Bob\",\"born\":\"1991-01-01\"}\n"
        } else {
            "id,v\n8,1\n"
        };
        lake.file(file, text);
        let report = changed(&lake, &[url]);
        assert_eq!(report.files(), (6, 1, 5), "{url}");
        assert!(
            report
                .notes()
                .starts_with("everything was crawled, because")
                && report.notes().contains(url),
            "{url}: {}",
            report.notes()
        );
    }
}

#[test]
fn a_folder_that_is_not_below_the_target() {
    let lake = orders();
    lake.file("elsewhere/p=9/a.csv", "id,v\n9,1\n");
    let report = changed(&lake, &["elsewhere/p=9"]);
    assert!(
        report
            .notes()
            .contains("elsewhere/p=9 lies in none of the crawled places"),
        "{}",
        report.notes()
    );
    assert_eq!(ids(&lake, "orders"), "1 2 3 4");
}

#[test]
fn a_partition_of_other_columns_or_another_format_is_decided_with_all_others() {
    for text in ["{\"id\":5,\"v\":1}\n", "x;y;z\nfoo;bar;2\nbar;foo;3\n"] {
        let lake = orders();
        lake.file("l/orders/p=4/a.txt", text);
        changed(&lake, &["l/orders/p=4"]);
    }
}

#[test]
fn bad_and_empty_files_in_what_was_changed() {
    let lake = orders();
    lake.file("l/orders/p=4/a.csv", "id,v\n5,1\n");
    lake.file("l/orders/p=4/junk.csv", b"\x00\x01\xff\xfe\x00junk");
    lake.file("l/orders/p=4/empty.csv", "");
    let report = changed(&lake, &["l/orders/p=4"]);
    assert_eq!(report.number("problem_count"), 1);
    assert_eq!(ids(&lake, "orders"), "1 2 3 4 5");
    // Strictly, and what was there goes on being there.
    lake.file("l/orders/p=5/a.csv", b"\x00\x01\xff\xfe\x00junk");
    let before = lake.content("some.db");
    lake.fails(
        [
            "crawl",
            "l",
            "-d",
            "t",
            "--catalog",
            "some.db",
            "--changed",
            "l/orders/p=5",
            "--strict",
        ],
        "l/orders/p=5/a.csv",
    );
    assert_eq!(lake.content("some.db"), before);
}

#[test]
fn a_dry_run_of_what_was_changed_writes_nothing() {
    let lake = orders();
    lake.file("l/orders/p=4/a.csv", "id,v\n5,1\n");
    let before = lake.content("some.db");
    let args = [
        "crawl",
        "l",
        "-d",
        "t",
        "-o",
        "json",
        "--catalog",
        "some.db",
        "--changed",
        "l/orders/p=4",
        "--dry-run",
    ];
    let report = Report::of(lake.mastic(args));
    assert_eq!(report.outcomes(), ["orders updated"]);
    assert_eq!(lake.content("some.db"), before);
    assert_eq!(changed(&lake, &["l/orders/p=4"]).files(), (1, 1, 0));
}

#[test]
fn exclusions_hold_for_what_was_changed() {
    let lake = Lake::with([
        ("l/p=1/a.csv", "id,v\n1,1\n"),
        ("l/p=2/a.csv", "id,v\n2,1\n"),
    ]);
    let crawl = |more: &[&str]| {
        let args = [
            "l",
            "-d",
            "t",
            "--exclude",
            "p=*/*.tmp",
            "--exclude",
            "p=3/b*",
        ];
        let args = ["crawl", "-o", "json"].iter().chain(&args).chain(more);
        Report::of(lake.mastic(args))
    };
    crawl(&[]);
    lake.file("l/p=3/a.csv", "id,v\n3,1\n");
    lake.file("l/p=3/b.csv", "id,v\n4,1\n");
    lake.file("l/p=3/c.tmp", "id,v\n5,1\n");
    let report = crawl(&["--changed", "l/p=3"]);
    assert_eq!(report.files(), (1, 1, 0));
    assert_eq!(lake.sql("SELECT id FROM t.l ORDER BY id"), "id\n1\n2\n3\n");
    assert_eq!(crawl(&[]).outcomes(), ["l unchanged"]);
}

#[test]
fn paths_come_from_standard_input() {
    let lake = orders();
    lake.file("l/orders/p=4/a.csv", "id,v\n5,1\n");
    lake.file("l/orders/p=2/b.csv", "id,v\n6,1\n");
    let args = [
        "crawl",
        "l",
        "-d",
        "t",
        "-o",
        "json",
        "--catalog",
        "some.db",
        "--events",
        "-",
    ];
    let input = "# what came in\nl/orders/p=4/a.csv\n\nl/orders/p=2/b.csv\nl/orders/p=4/a.csv\n";
    let report = Report::of(lake.mastic_fed(args, input.as_bytes()));
    assert_eq!(report.files(), (3, 2, 1));
    assert_eq!(ids(&lake, "orders"), "1 2 3 4 5 6");
    // What is no event is refused.
    let output = lake.mastic_fed(args, b"{\"colour\": \"red\"}");
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("no event of S3"), "{output}");
}

#[test]
fn a_changed_partition_of_many_is_all_that_is_looked_at() {
    let lake = Lake::new();
    for i in 0..2000 {
        lake.file(&format!("l/p={i}/a.csv"), format!("id,v\n{i},1\n"));
    }
    for catalog in ["some.db", "all.db"] {
        lake.ok(["crawl", "l", "-d", "t", "--catalog", catalog]);
    }
    for i in 2000..2010 {
        lake.file(&format!("l/p={i}/a.csv"), format!("id,v\n{i},1\n"));
    }
    let urls: Vec<String> = (2000..2010).map(|i| format!("l/p={i}")).collect();
    let report = changed(&lake, &urls.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(report.files(), (10, 10, 0));
    let args = [
        "sql",
        "SELECT count(*) AS n FROM t.l",
        "-o",
        "csv",
        "--catalog",
        "some.db",
    ];
    assert_eq!(lake.ok(args).stdout, "n\n2010\n");
}
