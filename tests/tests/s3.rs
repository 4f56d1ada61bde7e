//! S3-compatible storage, over HTTP to a real server in this process.

use mastic_tests::pack::Packing;
use mastic_tests::s3::{ACCESS_KEY, S3, SECRET_KEY};
use mastic_tests::{Lake, Running, fixture, snapshot};

/// A server with the bucket `lake`, and a working folder whose commands find it.
fn start() -> (S3, Lake) {
    let s3 = S3::start(&["lake"]);
    let mut lake = Lake::new();
    s3.enter(&mut lake);
    (s3, lake)
}

#[test]
fn crawl_and_query() {
    let (s3, lake) = start();
    s3.put(
        "lake",
        "raw/orders/year=2024/month=01/a.csv",
        "id,amount\n1,2.50\n2,NA\n",
    );
    s3.put(
        "lake",
        "raw/orders/year=2024/month=02/a.csv",
        "amount,id\n4,3\n",
    );
    s3.put(
        "lake",
        "raw/people/a.json",
        "{\"name\":\"Ann\",\"at\":{\"city\":\"Rome\"}}\n",
    );
    let output = lake.crawl("s3://lake/raw");
    snapshot!(lake, "crawled", output);
    assert_eq!(
        lake.sql("SELECT id, amount, year, month FROM t.orders ORDER BY id"),
        "id,amount,year,month\n1,2.5,2024,1\n2,,2024,1\n3,4.0,2024,2\n"
    );
    assert_eq!(
        lake.sql("SELECT p.at['city'] AS city FROM t.people p"),
        "city\nRome\n"
    );
    snapshot!(lake, "tables", lake.ok(["catalog", "tables", "-o", "csv"]));

    // A second crawl finds nothing new; a changed object makes one version.
    lake.crawl("s3://lake/raw");
    assert_eq!(
        (lake.versions("t.orders"), lake.versions("t.people")),
        (1, 1)
    );
    s3.put(
        "lake",
        "raw/orders/year=2024/month=03/a.csv",
        "id,amount\n9,1\n",
    );
    lake.crawl("s3://lake/raw/");
    assert_eq!(
        (lake.versions("t.orders"), lake.versions("t.people")),
        (2, 1)
    );
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.orders"), "n\n4\n");
}

#[test]
fn every_compression_with_members_concatenated() {
    let (s3, lake) = start();
    let members = ["id,name\n1,Ann\n2,Bob\n", "3,Cid\n"];
    for packing in Packing::ALL {
        let table = format!("{packing:?}").to_lowercase();
        let key = format!("in/{table}/data.csv{}", packing.ending());
        s3.put("lake", &key, packing.pack_members(&members));
    }
    for packing in Packing::ALL {
        let table = format!("{packing:?}").to_lowercase();
        lake.crawl(&format!("s3://lake/in/{table}"));
        assert_eq!(
            lake.sql(&format!("SELECT * FROM t.{table} ORDER BY id")),
            "id,name\n1,Ann\n2,Bob\n3,Cid\n",
            "{table}"
        );
    }
}

#[test]
fn formats_that_are_read_by_ranges() {
    let (s3, lake) = start();
    for name in ["snappy.parquet", "zlib.orc", "deflate.avro"] {
        let table = name.split_once('.').unwrap().1;
        s3.put("lake", &format!("in/{table}/{name}"), fixture(name));
        lake.crawl(&format!("s3://lake/in/{table}"));
        assert_eq!(
            lake.sql(&format!(
                "SELECT id, name, price FROM t.{table} ORDER BY id"
            )),
            "id,name,price\n1,Ann,2.50\n2,Bób,\n3,,-0.01\n",
            "{table}"
        );
    }
}

#[test]
fn a_listing_longer_than_a_page() {
    let (s3, lake) = start();
    for i in 0..1234 {
        s3.put(
            "lake",
            &format!("many/p={}/f{i:04}.csv", i % 3),
            format!("id,v\n{i},1\n"),
        );
    }
    lake.crawl("s3://lake/many");
    assert_eq!(
        lake.sql("SELECT count(*) AS n, count(DISTINCT id) AS d, sum(id) AS s FROM t.many"),
        "n,d,s\n1234,1234,760761\n"
    );
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.many WHERE p = 0"),
        "n\n412\n"
    );
}

#[test]
fn keys_that_need_encoding() {
    let (s3, lake) = start();
    let keys = [
        "a b.csv",
        "a+b.csv",
        "50%.csv",
        "%41.csv",
        "été.csv",
        "x=y.csv",
        "q&a;.csv",
        "it's.csv",
        "(1) [2] {3}.csv",
        "#hash~.csv",
        "a@b:c,d$e!.csv",
        "%2F.csv",
        "日本.csv",
        "sub folder/a.csv",
    ];
    for (i, key) in keys.iter().enumerate() {
        s3.put(
            "lake",
            &format!("odd/{}", key.replacen("sub folder/", "sub folder ", 1)),
            format!("id,v\n{i},1\n"),
        );
    }
    lake.crawl("s3://lake/odd");
    assert_eq!(lake.tables(), ["t.odd"]);
    let expected: String = (0..keys.len()).map(|i| format!("{i}\n")).collect();
    assert_eq!(
        lake.sql("SELECT id FROM t.odd ORDER BY id"),
        format!("id\n{expected}")
    );
}

#[test]
fn partitions_whose_keys_need_encoding() {
    let (s3, lake) = start();
    for (i, folder) in ["k=a b", "k=a+b", "k=a%2Fb", "k=100%25", "k=é", "k=a=b"]
        .iter()
        .enumerate()
    {
        s3.put(
            "lake",
            &format!("parts/{folder}/f.csv"),
            format!("id,v\n{i},1\n"),
        );
    }
    lake.crawl("s3://lake/parts");
    assert_eq!(
        lake.sql("SELECT id, k FROM t.parts ORDER BY id"),
        "id,k\n0,a b\n1,a+b\n2,a/b\n3,100%\n4,é\n5,a=b\n"
    );
    assert_eq!(
        lake.sql("SELECT id FROM t.parts WHERE k = 'a/b'"),
        "id\n2\n"
    );
}

#[test]
fn a_prefix_in_the_url_needs_no_encoding_by_hand() {
    let (s3, lake) = start();
    s3.put("lake", "my data/50% é/a.csv", "id,v\n1,1\n");
    lake.crawl("s3://lake/my data/50% é");
    let [table] = lake.tables().try_into().expect("one table");
    let name = table.split_once('.').unwrap().1.to_owned();
    assert_eq!(lake.sql(&format!("SELECT id FROM t.\"{name}\"")), "id\n1\n");
}

#[test]
fn a_prefix_that_looks_like_another() {
    let (s3, lake) = start();
    s3.put("lake", "data/a.csv", "id,v\n1,1\n");
    s3.put("lake", "data2/a.csv", "id,v\n2,1\n");
    s3.put("lake", "data.csv", "id,v\n3,1\n");
    s3.put("lake", "data-old/a.csv", "id,v\n4,1\n");
    lake.crawl("s3://lake/data");
    assert_eq!(lake.tables(), ["t.data"]);
    assert_eq!(lake.sql("SELECT id FROM t.data"), "id\n1\n");
    lake.crawl("s3://lake/data2");
    assert_eq!(lake.versions("t.data"), 1);
    // A beginning of a name is no folder.
    snapshot!(
        lake,
        lake.fails(["crawl", "s3://lake/dat", "-d", "t"], "s3://lake/dat")
    );
}

#[test]
fn a_table_sees_only_its_own_prefix() {
    let (s3, lake) = start();
    s3.put("lake", "x/data/p=1/a.csv", "id,v\n1,1\n");
    s3.put(
        "lake",
        "x/data2/p=1/a.json",
        "{\"other\":true,\"w\":\"x\"}\n",
    );
    lake.crawl("s3://lake/x");
    s3.put(
        "lake",
        "x/data2/p=1/b.json",
        "{\"other\":false,\"w\":\"x\"}\n",
    );
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.data"), "n\n1\n");
}

#[test]
fn one_object_is_a_table() {
    let (s3, lake) = start();
    s3.put("lake", "in/orders.csv", "id,v\n1,1\n");
    s3.put("lake", "in/orders.csv.old", "zzz");
    lake.crawl("s3://lake/in/orders.csv");
    let [table] = lake.tables().try_into().expect("one table");
    assert_eq!(lake.sql(&format!("SELECT * FROM {table}")), "id,v\n1,1\n");
}

#[test]
fn a_whole_bucket() {
    let (s3, lake) = start();
    s3.put("lake", "people/a.csv", "name,born\nAnn,1990\n");
    s3.put(
        "lake",
        "places/a.json",
        "{\"city\":\"Rome\",\"at\":[41.9,12.5]}\n",
    );
    for url in ["s3://lake", "s3://lake/"] {
        lake.crawl(url);
        assert_eq!(lake.tables(), ["t.people", "t.places"]);
    }
    assert_eq!(lake.versions("t.people"), 1);
}

#[test]
fn a_bucket_whose_files_lie_at_its_top_is_called_by_its_name() {
    let (s3, lake) = start();
    s3.put("lake", "2019.csv", "id,v\n1,1\n");
    s3.put("lake", "2020.csv", "id,v\n2,1\n");
    lake.crawl("s3://lake");
    assert_eq!(lake.tables(), ["t.lake"]);
}

#[test]
fn wrong_credentials() {
    let (s3, mut lake) = start();
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    lake.crawl("s3://lake/raw");
    let before = lake.catalog();
    lake.set("AWS_SECRET_ACCESS_KEY", "wrong");
    refused(
        &lake,
        "wrong_secret",
        &["crawl", "s3://lake/raw", "-d", "t"],
    );
    refused(&lake, "wrong_secret_sql", &["sql", "SELECT * FROM t.raw"]);
    lake.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    lake.set("AWS_ACCESS_KEY_ID", "nobody");
    refused(&lake, "wrong_key", &["crawl", "s3://lake/raw", "-d", "t"]);
    lake.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    assert_eq!(lake.catalog(), before);
    assert_eq!(lake.sql("SELECT * FROM t.raw"), "id,v\n1,1\n");
}

/// Credentials are what is wrong, and what the hint is about.
#[track_caller]
fn refused(lake: &Lake, name: &str, args: &[&str]) {
    let output = lake.fails(args, "s3://lake/raw");
    mastic_tests::snapshots(lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    assert!(
        output.stderr.contains("hint: check AWS_ACCESS_KEY_ID"),
        "{name}\n{output}"
    );
    assert!(!output.stderr.contains("<?xml"), "{name}\n{output}");
}

#[test]
fn no_credentials() {
    let s3 = S3::start(&["lake"]);
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    let mut lake = Lake::new();
    lake.set("AWS_ENDPOINT_URL", &s3.endpoint());
    // What the machine's own metadata service answers, where there is one, differs from one to the next.
    let output = lake.fails(["crawl", "s3://lake/raw", "-d", "t"], "s3://lake/raw");
    assert!(output.stderr.contains("AWS_ACCESS_KEY_ID"), "{output}");
}

#[test]
fn a_bucket_that_is_not_there() {
    let (_s3, lake) = start();
    let output = lake.fails(["crawl", "s3://nowhere/raw", "-d", "t"], "s3://nowhere");
    snapshot!(lake, output);
    assert!(!output.stderr.contains("<?xml"), "{output}");
}

#[test]
fn a_bucket_with_nothing_in_it() {
    let (s3, lake) = start();
    snapshot!(
        lake,
        "empty_bucket",
        lake.fails(["crawl", "s3://lake", "-d", "t"], "s3://lake")
    );
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    snapshot!(
        lake,
        "empty_prefix",
        lake.fails(["crawl", "s3://lake/row", "-d", "t"], "s3://lake/row")
    );
    s3.put("lake", "marker/folder.csv", "");
    snapshot!(
        lake,
        "empty_object",
        lake.fails(["crawl", "s3://lake/marker", "-d", "t"], "s3://lake/marker")
    );
    snapshot!(
        lake,
        "no_bucket",
        lake.fails(["crawl", "s3://", "-d", "t"], "bucket")
    );
}

#[test]
fn an_endpoint_where_nobody_listens() {
    // The harness ends what takes minutes.
    let mut lake = Lake::new();
    let closed = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    lake.set("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{closed}"));
    lake.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    lake.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    let output = lake.fails(["crawl", "s3://lake/raw", "-d", "t"], "s3://lake");
    snapshot!(lake, output);
}

#[test]
fn settings_come_from_mastic_toml() {
    let s3 = S3::start(&["lake"]);
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    let lake = Lake::new();
    lake.file(
        "mastic.toml",
        format!(
            "[s3]\nendpoint = \"{}\"\nregion = \"us-east-1\"\npath_style = true\naccess_key_id = \"{ACCESS_KEY}\"\nsecret_access_key = \"{SECRET_KEY}\"\n",
            s3.endpoint()
        ),
    );
    lake.crawl("s3://lake/raw");
    assert_eq!(lake.sql("SELECT * FROM t.raw"), "id,v\n1,1\n");
}

#[test]
fn a_damaged_object_is_told_as_a_file_is() {
    let (s3, lake) = start();
    let whole = Packing::Gzip.pack("id,v\n1,1\n2,2\n");
    s3.put("lake", "raw/cut.csv.gz", &whole[..whole.len() / 2]);
    s3.put("lake", "raw/fine.csv", "id,v\n1,1\n");
    let output = lake.fails(
        ["crawl", "s3://lake/raw", "-d", "t", "--strict"],
        "s3://lake/raw/cut.csv.gz",
    );
    snapshot!(lake, output);
    let output = lake.crawl("s3://lake/raw");
    assert!(
        output.stderr.contains("skipped: s3://lake/raw/cut.csv.gz"),
        "{output}"
    );
    assert_eq!(lake.sql("SELECT * FROM t.raw"), "id,v\n1,1\n");
}

#[test]
fn an_object_that_went_since_the_crawl() {
    let (s3, lake) = start();
    s3.put("lake", "raw/a.csv", "id,v\n1,1\n");
    let second = s3.put("lake", "raw/b.csv", "id,v\n2,1\n");
    lake.crawl("s3://lake/raw");
    std::fs::remove_file(second).unwrap();
    // What is there now is what a query sees.
    assert_eq!(lake.sql("SELECT id FROM t.raw"), "id\n1\n");
    std::fs::remove_dir_all(s3.bucket("lake").join("raw")).unwrap();
    snapshot!(
        lake,
        lake.fails(["sql", "SELECT id FROM t.raw"], "s3://lake/raw")
    );
}

#[test]
fn only_the_partitions_that_are_asked_for_are_opened() {
    let (s3, lake) = start();
    for month in 1..=12 {
        s3.put(
            "lake",
            &format!("f/month={month:02}/a.csv"),
            format!("id,v\n{month},1\n"),
        );
    }
    lake.crawl("s3://lake/f");
    // What is not asked for may be damaged, and nobody notices.
    for month in (1..=12).filter(|m| *m != 7) {
        s3.put(
            "lake",
            &format!("f/month={month:02}/a.csv"),
            b"\x1f\x8bjunk",
        );
    }
    assert_eq!(lake.sql("SELECT id FROM t.f WHERE month = 7"), "id\n7\n");
    assert_eq!(
        lake.sql("SELECT id FROM t.f WHERE month > 6 AND month < 8"),
        "id\n7\n"
    );
    assert_eq!(lake.sql("SELECT id FROM t.f WHERE month IN (7)"), "id\n7\n");
    assert_eq!(lake.mastic(["sql", "SELECT id FROM t.f"]).code, 1);
}

/// A script that copies what lies below `raw` to `out`, and grows it so that a file has several parts.
const GROW: &str = "\
sources:
  rows: {path: s3://lake/raw}
frames:
  grown:
    - sql: SELECT x.id * 1000 + y.id AS id, x.k, md5(CAST(x.id * 1000 + y.id AS varchar)) AS text FROM rows x CROSS JOIN rows y
sinks:
  - frame: grown
    path: s3://lake/out
    options: {compression: none}
    partition_by: k
    mode: overwrite
    table: t.out
";

fn grow(script: &str) -> (S3, Lake) {
    let (s3, lake) = start();
    let rows: String = (0..1000)
        .map(|i| format!("{i},{}\n", if i % 4 == 0 { "" } else { "a b" }))
        .collect();
    s3.put("lake", "raw/a.csv", format!("id,k\n{rows}"));
    lake.file("s.yaml", script);
    (s3, lake)
}

fn visible(s3: &S3) -> Vec<String> {
    let hidden = |key: &String| key.split('/').any(|part| part.starts_with(['_', '.']));
    s3.keys("lake")
        .into_iter()
        .filter(|key| !hidden(key))
        .collect()
}

#[test]
fn a_script_writes_partitions_in_several_parts() {
    let (s3, lake) = grow(GROW);
    lake.ok(["run", "s.yaml"]);
    // Parquet of a million texts of 32 letters that do not repeat: more than one part of any size.
    let size = |part: &str| -> u64 {
        let keys = visible(&s3).into_iter().filter(|k| k.starts_with(part));
        keys.map(|k| std::fs::metadata(s3.bucket("lake").join(k)).unwrap().len())
            .sum()
    };
    assert!(size("out/k=a b/") > 20_000_000, "{:?}", s3.keys("lake"));
    assert!(
        size("out/k=__HIVE_DEFAULT_PARTITION__/") > 5_000_000,
        "{:?}",
        s3.keys("lake")
    );
    assert_eq!(s3.open_parts(), Vec::<String>::new());
    assert_eq!(
        lake.sql("SELECT k, count(*) AS n, count(DISTINCT id) AS d, sum(id) AS s FROM t.out GROUP BY k ORDER BY n"),
        // By hand: the ids are 0 to 999999; a group's sum is 1000·1000·Σx + 499500·Σ1 over its x.
        "k,n,d,s\n,250000,250000,124624875000\na b,750000,750000,375374625000\n"
    );
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.out WHERE k IS NULL"),
        "n\n250000\n"
    );
    assert_eq!(
        lake.sql("SELECT text FROM t.out WHERE id = 7"),
        "text\n8f14e45fceea167a5a36dedd4bea2543\n"
    );
    // Again: the same, and nothing is left of the first.
    let files = visible(&s3).len();
    lake.ok(["run", "s.yaml"]);
    assert_eq!(visible(&s3).len(), files);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.out"), "n\n1000000\n");
}

#[test]
fn a_run_that_fails_leaves_the_bucket_as_it_was() {
    let script = GROW.replace(
        "md5(CAST(x.id * 1000 + y.id AS varchar))",
        "1 / (999 - x.id) + y.id",
    );
    let (s3, lake) = grow(&script);
    let before = s3.keys("lake");
    let output = lake.fails(["run", "s.yaml"], "ivide by zero");
    assert_eq!(visible(&s3), before, "{output}");
    assert_eq!(s3.open_parts(), Vec::<String>::new());
    assert_eq!(lake.tables(), Vec::<String>::new());
}

#[test]
fn ctrl_c_in_the_middle_of_a_write_leaves_the_bucket_as_it_was() {
    // Texts that do not repeat, whichever way the engine joins: repeated ones are so small that no part is sent.
    let script = GROW
        .replace("CROSS JOIN rows y", "CROSS JOIN rows y CROSS JOIN rows z")
        .replace("y.id AS varchar", "y.id + z.id * 1000000 AS varchar");
    let (s3, lake) = grow(&script);
    let before = s3.keys("lake");
    let mut running = Running::start(&mut lake.command(["run", "s.yaml"]));
    // Until the first part has come.
    for _ in 0..6000 {
        if !s3.open_parts().is_empty() {
            break;
        }
        assert!(!running.ended(), "it ended before it was stopped");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(!s3.open_parts().is_empty(), "nothing was ever sent");
    assert_eq!(visible(&s3), before);
    running.signal("INT");
    let output = running.finish();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("nothing was changed"), "{output}");
    assert_eq!(visible(&s3), before);
    assert_eq!(
        s3.open_parts(),
        Vec::<String>::new(),
        "parts that nobody will complete cost money"
    );
}

#[test]
fn append_and_overwrite() {
    let script = "\
parameters: {mode: append}
sources:
  rows: {path: s3://lake/raw}
sinks:
  - {frame: rows, path: s3://lake/out, format: json, partition_by: k, mode: \"${mode}\", table: t.out}
";
    let (s3, lake) = grow(script);
    s3.put("lake", "out2/other.json", "{}");
    lake.ok(["run", "s.yaml"]);
    lake.ok(["run", "s.yaml"]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n, count(DISTINCT id) AS d FROM t.out"),
        "n,d\n2000,1000\n"
    );
    lake.ok(["run", "s.yaml", "--set", "mode=overwrite"]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n, count(DISTINCT id) AS d FROM t.out"),
        "n,d\n1000,1000\n"
    );
    // A prefix that begins alike is none of its business.
    assert!(s3.keys("lake").contains(&"out2/other.json".to_owned()));
    snapshot!(
        lake,
        lake.fails(["run", "s.yaml", "--set", "mode=error"], "s3://lake/out")
    );
}

#[test]
fn from_a_bucket_to_a_disk_and_back() {
    let (s3, lake) = grow(
        "\
sources:
  rows: {path: s3://lake/raw}
sinks:
  - {frame: rows, path: local, format: csv, table: t.local}
",
    );
    lake.ok(["run", "s.yaml"]);
    lake.file(
        "s.yaml",
        "\
sources:
  rows: t.local
sinks:
  - {frame: rows, path: s3://lake/there and back, table: t.back}
",
    );
    lake.ok(["run", "s.yaml"]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n, sum(id) AS s FROM t.back"),
        "n,s\n1000,499500\n"
    );
    assert!(
        s3.keys("lake")
            .iter()
            .any(|k| k.starts_with("there and back/part-")),
        "{:?}",
        s3.keys("lake")
    );
}

#[test]
fn a_sink_in_a_bucket_that_is_not_there_or_not_ours() {
    let (_s3, mut lake) = grow(&GROW.replace("path: s3://lake/out", "path: s3://nowhere/out"));
    lake.fails(["run", "s.yaml"], "s3://nowhere");
    lake.file("s.yaml", GROW);
    lake.set("AWS_SECRET_ACCESS_KEY", "wrong");
    lake.fails(["run", "s.yaml"], "s3://lake");
}
