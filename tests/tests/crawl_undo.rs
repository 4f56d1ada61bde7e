//! How a crawl is undone.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::{Lake, snapshot};

/// A lake in which a second crawl, of the number 2, made a table, changed one and deleted one.
fn second_crawl() -> (Lake, String) {
    let lake = Lake::with([
        ("l/parts/p=1/a.csv", "id,v\n1,1\n"),
        ("l/parts/p=2/a.csv", "id,v\n2,1\n"),
        ("l/goes/a.json", "{\"k\":\"x\"}\n"),
        ("l/stays/a.json", "{\"s\":[1]}\n"),
    ]);
    lake.report(["l"]);
    let before = lake.content(".mastic/catalog.db");
    lake.file("l/parts/p=3/a.csv", "id,v,w\n3,1.5,x\n");
    lake.file("l/new/a.json", "{\"fresh\":true}\n");
    std::fs::remove_dir_all(lake.join("l/parts/p=1")).unwrap();
    std::fs::remove_dir_all(lake.join("l/goes")).unwrap();
    let report = lake.report(["l", "--on-delete", "delete"]);
    assert_eq!(
        report.outcomes(),
        [
            "goes deleted",
            "new created",
            "parts updated",
            "stays unchanged"
        ]
    );
    assert_eq!(report.number("crawl_id"), 2);
    assert_ne!(lake.content(".mastic/catalog.db"), before);
    (lake, before)
}

#[test]
fn a_crawl_is_undone() {
    let (lake, before) = second_crawl();
    let output = lake.ok(["crawler", "undo", "2"]);
    snapshot!(lake, output);
    assert_eq!(lake.content(".mastic/catalog.db"), before);
    assert_eq!(lake.versions("t.parts"), 3);
    assert_eq!(lake.versions("t.stays"), 1);
    // It can be crawled again.
    let report = lake.report(["l", "--on-delete", "delete"]);
    assert_eq!(
        report.outcomes(),
        [
            "goes deleted",
            "new created",
            "parts updated",
            "stays unchanged"
        ]
    );
    assert_eq!(report.number("opened"), 0);
}

#[test]
fn a_crawl_is_not_undone_over_later_changes() {
    let (lake, _) = second_crawl();
    lake.file("l/parts/p=4/a.csv", "id,v\n4,1\n");
    lake.report(["l"]);
    let before = lake.catalog();
    // One of its tables was changed since; none of them is touched.
    lake.fails(["crawler", "undo", "2"], "t.parts");
    assert_eq!(lake.catalog(), before);
    // The newest first, then the one before.
    lake.ok(["crawler", "undo", "3"]);
    assert_eq!(lake.tables(), ["t.new", "t.parts", "t.stays"]);
}

#[test]
fn crawls_that_cannot_be_undone() {
    let (lake, _) = second_crawl();
    lake.report(["l"]);
    snapshot!(
        lake,
        "undo_of_nothing",
        lake.fails(["crawler", "undo", "3"], "it changed no table")
    );
    lake.fails(["crawler", "undo", "77"], "77");
    let before = lake.catalog();
    lake.ok(["crawler", "undo", "2"]);
    let after = lake.catalog();
    assert_ne!(before, after);
    // Once is enough.
    lake.fails(["crawler", "undo", "2"], "t.");
    assert_eq!(lake.catalog(), after);
}

#[test]
fn a_crawl_of_what_was_changed_is_undone() {
    let lake = Lake::with([("d/p=1/a.csv", "id,v\n1,1\n")]);
    lake.report(["d"]);
    let before = lake.content(".mastic/catalog.db");
    lake.file("d/p=2/a.csv", "id,v\n2,1.5\n");
    lake.report(["d", "--changed", "d/p=2"]);
    lake.ok(["crawler", "undo", "2"]);
    assert_eq!(lake.content(".mastic/catalog.db"), before);
    assert_eq!(lake.sql("SELECT id, v FROM t.d"), "id,v\n1,1\n");
}

#[test]
fn a_first_crawl_is_undone() {
    let lake = Lake::with([
        ("l/a/x.csv", "id,v\n1,1\n"),
        ("l/b/x.json", "{\"k\":\"v\"}\n"),
    ]);
    lake.report(["l"]);
    lake.ok(["crawler", "undo", "1"]);
    assert_eq!(lake.tables(), Vec::<String>::new());
    assert_eq!(lake.report(["l"]).outcomes(), ["a created", "b created"]);
}
