//! `CREATE TABLE … AS`, `INSERT` and `UNLOAD` through the real binary, on a disk and in S3-compatible storage.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mastic_tests::s3::S3;
use mastic_tests::{Lake, Running};

const ORDERS: &str =
    "id,price,place\n1,2.50,Rome\n2,4.00,Oslo\n3,,Rome\n4,1.25,\n5,9.99,\"São Paulo/1\"\n";

fn crawled() -> Lake {
    let lake = Lake::with([("raw/orders/a.csv", ORDERS)]);
    lake.crawl("raw");
    lake
}

/// The files of a folder that a reader sees.
fn visible(lake: &Lake, folder: &str) -> Vec<String> {
    let mut names = lake.names(folder);
    names.retain(|name| !name.split('/').any(|part| part.starts_with('_')));
    names
}

#[test]
fn from_a_crawl_to_a_table_and_on() {
    let lake = crawled();
    let made = lake.sql(
        "CREATE TABLE t.by_place WITH (format = 'ORC', external_location = 'out', partitioned_by = ARRAY['place']) \
         AS SELECT id, price, place FROM t.orders",
    );
    assert_eq!(made, "rows\n5\n");
    let folders: Vec<String> = visible(&lake, "out")
        .iter()
        .map(|name| name.split('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        folders,
        [
            "place=Oslo",
            "place=Rome",
            "place=São Paulo%2F1",
            "place=__HIVE_DEFAULT_PARTITION__"
        ]
    );
    assert_eq!(
        lake.sql("INSERT OVERWRITE t.by_place SELECT id + 100, price, place FROM t.by_place WHERE place = 'Rome'"),
        "rows\n2\n"
    );
    assert_eq!(
        lake.sql("SELECT id, place FROM t.by_place ORDER BY id"),
        "id,place\n2,Oslo\n4,\n5,São Paulo/1\n101,Rome\n103,Rome\n"
    );
    // A crawl of what was written finds the same table.
    lake.ok(["crawl", "out", "--database", "again"]);
    assert_eq!(
        lake.sql("SELECT id, place FROM again.out WHERE place LIKE 'São%'"),
        "id,place\n5,São Paulo/1\n"
    );
    // The table that was crawled takes rows, too, in files like those it has.
    assert_eq!(
        lake.sql("INSERT INTO t.orders VALUES (6, 7.5, 'Bonn, \"am\" Rhein')"),
        "rows\n1\n"
    );
    assert_eq!(
        lake.sql("SELECT * FROM t.orders WHERE id > 4 ORDER BY id"),
        "id,price,place\n5,9.99,São Paulo/1\n6,7.5,\"Bonn, \"\"am\"\" Rhein\"\n"
    );
    let unloaded = lake.sql("UNLOAD (SELECT id FROM t.orders) TO 'files' WITH (format = 'JSON')");
    assert!(
        unloaded.starts_with("file,rows,bytes\n") && unloaded.contains("/files/part-"),
        "{unloaded}"
    );
    let lines: usize = lake
        .files("files")
        .values()
        .map(|bytes| bytes.iter().filter(|b| **b == b'\n').count())
        .sum();
    assert_eq!(lines, 6);
}

#[test]
fn mistakes_are_marked_in_the_statement() {
    let lake = crawled();
    let before = lake.catalog();
    let output = lake.fails(
        [
            "sql",
            "CREATE TABLE t.x WITH (formt = 'ORC')\nAS SELECT 1 AS a",
        ],
        "has no property 'formt'",
    );
    assert!(output.stderr.contains("did you mean 'format'"), "{output}");
    assert!(output.stderr.contains("^^^^^"), "{output}");
    let output = lake.fails(
        [
            "sql",
            "INSERT INTO t.orders\nSELECT idd, 1, 'x' FROM t.orders",
        ],
        "idd",
    );
    assert!(
        output.stderr.contains("did you mean 'id'") && output.stderr.contains("2 |"),
        "{output}"
    );
    lake.fails(
        ["sql", "INSERT INTO t.nothing VALUES (1)"],
        "there is no table 't.nothing'",
    );
    assert_eq!(lake.catalog(), before);
    assert_eq!(
        lake.names("")
            .iter()
            .filter(|n| n.contains("tables/"))
            .count(),
        0
    );
}

/// A query whose rows would take hours to write.
const ENDLESS: &str =
    "SELECT x.a AS n, concat(x.b, y.b) AS text, x.a % 3 AS k FROM t.big AS x CROSS JOIN t.big AS y";

fn until_staged(lake: &Lake, running: &mut Running) {
    for _ in 0..12_000 {
        let staged = lake.names("out").iter().any(|n| n.contains("_mastic/"));
        if staged {
            return;
        }
        assert!(!running.ended(), "it ended before it was stopped");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nothing was ever staged: {:?}", lake.names("out"));
}

#[test]
fn a_crash_in_the_middle_of_a_write_shows_nothing() {
    let lake = Lake::new();
    let rows: String = (0..100_000)
        .map(|i| format!("{i},some text that takes space {i}\n"))
        .collect();
    lake.file("raw/big/a.csv", format!("a,b\n{rows}"));
    lake.crawl("raw");
    lake.sql("CREATE TABLE t.grown WITH (format = 'CSV', external_location = 'out', partitioned_by = ARRAY['k']) AS SELECT CAST(1 AS bigint) AS n, 'x' AS text, CAST(0 AS bigint) AS k");
    let (before, seen) = (lake.catalog(), visible(&lake, "out"));
    let statements = [
        format!("INSERT INTO t.grown {ENDLESS}"),
        format!("INSERT OVERWRITE t.grown {ENDLESS}"),
    ];
    for statement in statements {
        let mut running = Running::start(&mut lake.command(["sql", &statement]));
        until_staged(&lake, &mut running);
        running.signal("KILL");
        assert_eq!(running.finish().code, -1);
        assert_eq!(lake.catalog(), before);
        assert_eq!(visible(&lake, "out"), seen);
        std::fs::remove_dir_all(lake.join("out/_mastic")).unwrap();
    }
    // Ctrl-C leaves nothing behind, either.
    let statement = format!("INSERT INTO t.grown {ENDLESS}");
    let mut running = Running::start(&mut lake.command(["sql", &statement]));
    until_staged(&lake, &mut running);
    running.signal("INT");
    assert_eq!(running.finish().code, 1);
    assert_eq!((lake.catalog(), lake.names("out")), (before, seen));
    assert_eq!(
        lake.sql("SELECT n, text, k FROM t.grown"),
        "n,text,k\n1,x,0\n"
    );
}

#[test]
fn tables_in_a_bucket() {
    let s3 = S3::start(&["lake"]);
    let mut lake = Lake::with([("raw/orders/a.csv", ORDERS)]);
    s3.enter(&mut lake);
    lake.crawl("raw");
    lake.sql(
        "CREATE TABLE t.far WITH (external_location = 's3://lake/far/', partitioned_by = ARRAY['place']) \
         AS SELECT id, price, place FROM t.orders",
    );
    lake.sql("INSERT INTO t.far SELECT id + 10, price, place FROM t.far WHERE place = 'Rome'");
    lake.sql("INSERT OVERWRITE t.far VALUES (50, 1, 'Oslo')");
    assert_eq!(
        lake.sql("SELECT id, place FROM t.far ORDER BY id"),
        "id,place\n1,Rome\n3,Rome\n4,\n5,São Paulo/1\n11,Rome\n13,Rome\n50,Oslo\n"
    );
    let keys = s3.keys("lake");
    assert_eq!(keys.len(), 5, "{keys:?}");
    assert!(
        keys.iter().all(|key| key.starts_with("far/place=")),
        "{keys:?}"
    );
    lake.fails(
        [
            "sql",
            "CREATE TABLE t.other WITH (external_location = 's3://lake/far') AS SELECT 1 AS a",
        ],
        "is not empty",
    );
    lake.fails(
        [
            "sql",
            "INSERT INTO t.far SELECT CAST(1 / (id - 5) AS int), price, 'new' FROM t.orders",
        ],
        "zero",
    );
    assert_eq!(s3.keys("lake"), keys);
    assert_eq!(s3.open_parts(), Vec::<String>::new());
}
