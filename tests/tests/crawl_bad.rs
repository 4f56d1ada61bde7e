//! Bad input in crawls: each file is named with its reason, the rest goes on, and `--strict` fails.
#![allow(clippy::print_stderr, reason = "what is skipped is told")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;

use mastic_tests::pack::{self, Packing};
use mastic_tests::report::Report;
use mastic_tests::{Lake, fixture};

/// A lake with a good table in `l/good`, and what is bad beside it.
fn lake() -> Lake {
    Lake::with([("l/good/a.csv", "id,v\n1,1\n2,2\n")])
}

/// Crawls what holds one thing that is bad: strictly, which writes nothing, and as usual.
#[track_caller]
fn named(lake: &Lake, url: &str, reason: &str) -> Report {
    let output = lake.fails(["crawl", "l", "-d", "t", "--strict"], url);
    assert!(output.stderr.contains(reason), "no '{reason}' in\n{output}");
    let tables = lake.ok(["catalog", "tables", "-o", "json"]).stdout;
    assert_eq!(tables, "", "nothing is written");
    let report = lake.report(["l"]);
    let problems = report.problems();
    assert_eq!(problems.len(), 1, "{}", report.output);
    assert_eq!(report.number("problem_count"), 1);
    assert!(
        problems[0].contains(url) && problems[0].contains(reason),
        "no '{url}' and '{reason}' in\n{}",
        report.output
    );
    assert!(
        report
            .output
            .stderr
            .contains(&format!("skipped: {}", problems[0])),
        "{}",
        report.output
    );
    assert_eq!(lake.sql("SELECT id FROM t.good ORDER BY id"), "id\n1\n2\n");
    report
}

/// As [`named`], for a file, once beside the good one and once in a folder of its own.
#[track_caller]
fn file_named(name: &str, content: &[u8], reason: &str) {
    for folder in ["good", "other"] {
        let lake = lake();
        let file = format!("l/{folder}/{name}");
        lake.file(&file, content);
        let report = named(&lake, &file, reason);
        assert_eq!(report.outcomes(), ["good created"], "{file}");
    }
}

#[test]
fn empty_files_are_no_mistake() {
    let lake = lake();
    lake.file("l/good/none.csv", "");
    lake.file("l/good/blank.csv", "\n\n\n");
    lake.file("l/other/none.json", "");
    lake.file("l/other/packed.csv.gz", Packing::Gzip.pack(""));
    let report = lake.report(["l", "--strict"]);
    assert_eq!(report.number("empty_count"), 4, "{}", report.output);
    assert_eq!(report.outcomes(), ["good created"]);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.good"), "n\n2\n");
}

#[test]
fn binary_junk() {
    let junk: Vec<u8> = (0..5000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    file_named("x.csv", &junk, "no format that Mastic knows");
    file_named(
        "x",
        b"\x7fELF\x02\x01\x01\x00\x00\x00",
        "no format that Mastic knows",
    );
}

#[test]
fn truncated_archives() {
    let text: String = (0..3000)
        .map(|i| format!("{i},name {}\n", i * 7919 % 1000))
        .collect();
    for packing in Packing::ALL {
        if packing == Packing::Plain {
            continue;
        }
        let whole = packing.pack(format!("id,name\n{text}"));
        let name = format!("cut.csv{}", packing.ending());
        file_named(&name, &whole[..whole.len() / 2], "cut short");
    }
    let whole = fixture("snappy.parquet");
    file_named("cut.parquet", &whole[..whole.len() / 2], "");
    file_named("cut.avro", &fixture("deflate.avro")[..40], "");
}

#[test]
fn archives_of_several_files_and_of_archives() {
    let two = pack::zip(&[("a.csv", b"id\n1\n"), ("b.csv", b"id\n2\n")]);
    file_named("two.zip", &two, "holds 2 files");
}

/// 200 MB of rows in 200 kB.
fn bomb(packing: Packing) -> Vec<u8> {
    let rows = b"1,1\n".repeat(50_000);
    let write = |to: &mut dyn Write| {
        to.write_all(b"id,v\n").unwrap();
        for _ in 0..1000 {
            to.write_all(&rows).unwrap();
        }
    };
    if packing == Packing::Zip {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_level(Some(9));
        writer.start_file("x.csv", options).unwrap();
        write(&mut writer);
        writer.finish().unwrap().into_inner()
    } else {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        write(&mut writer);
        writer.finish().unwrap()
    }
}

#[test]
fn bombs_are_named() {
    for packing in [Packing::Gzip, Packing::Zip] {
        let lake = lake();
        let file = format!("l/good/x.csv{}", packing.ending());
        let bytes = bomb(packing);
        assert!(bytes.len() < 400_000, "{} bytes", bytes.len());
        lake.file(&file, bytes);
        named(&lake, &file, "bomb");
    }
}

#[test]
fn a_line_of_100_megabytes() {
    let lake = lake();
    let mut file = std::fs::File::create(lake.file("l/other/x.json", "")).unwrap();
    file.write_all(b"{\"id\":1,\"text\":\"").unwrap();
    let block = [b'a'; 1 << 20];
    for _ in 0..100 {
        file.write_all(&block).unwrap();
    }
    file.write_all(b"\"}\n").unwrap();
    named(&lake, "l/other/x.json", "64 MiB");
}

#[test]
fn a_csv_line_of_100_megabytes() {
    let lake = lake();
    let mut file = std::fs::File::create(lake.file("l/other/x.csv", "")).unwrap();
    file.write_all(b"id,text\n1,").unwrap();
    let block = [b'a'; 1 << 20];
    for _ in 0..100 {
        file.write_all(&block).unwrap();
    }
    file.write_all(b"\n2,b\n").unwrap();
    named(&lake, "l/other/x.csv", "");
}

#[test]
fn json_and_xml_that_are_nested_very_deeply() {
    let deep =
        |open: &str, close: &str| format!("{}1{}\n", open.repeat(10_000), close.repeat(10_000));
    file_named(
        "x.json",
        deep("{\"a\":", "}").as_bytes(),
        "nested deeper than",
    );
    file_named("y.json", deep("[", "]").as_bytes(), "");
    let record = format!("{{\"id\":1,\"v\":{}}}\n", deep("[", "]").trim());
    file_named("z.json", record.as_bytes(), "nested deeper than");
    file_named(
        "x.xml",
        deep("<a>", "</a>").as_bytes(),
        "nested deeper than",
    );
}

#[test]
fn links_that_lead_back() {
    let lake = lake();
    std::os::unix::fs::symlink("..", lake.join("l/good/up")).unwrap();
    named(&lake, "l/good/up", "leads back to");
}

#[test]
fn links_that_lead_nowhere_or_elsewhere() {
    let lake = lake();
    std::os::unix::fs::symlink("nowhere", lake.join("l/good/broken.csv")).unwrap();
    named(&lake, "l/good/broken.csv", "leads to nothing");
    // A good link is followed.
    lake.remove("l/good/broken.csv");
    lake.file("elsewhere/c.csv", "id,v\n3,3\n");
    std::os::unix::fs::symlink("../../elsewhere/c.csv", lake.join("l/good/c.csv")).unwrap();
    lake.report(["l", "--strict"]);
    assert_eq!(
        lake.sql("SELECT id FROM t.good ORDER BY id"),
        "id\n1\n2\n3\n"
    );
}

#[test]
fn pipes_and_sockets_are_not_waited_for() {
    let lake = lake();
    let made = lake
        .program("mkfifo")
        .arg(lake.join("l/good/pipe.csv"))
        .status()
        .unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(lake.join("l/good/socket.csv")).unwrap();
    lake.report(["l"]);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.good"), "n\n2\n");
}

#[test]
fn what_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let lake = lake();
    let file = lake.file("l/good/secret.csv", "id,v\n3,3\n");
    lake.file("l/closed/a.csv", "id,v\n4,4\n");
    let closed = lake.join("l/closed");
    for path in [&file, &closed] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let readable = std::fs::read(&file).is_ok();
    if !readable {
        let report = lake.report(["l"]);
        assert_eq!(report.number("problem_count"), 2, "{}", report.output);
        assert_eq!(report.outcomes(), ["good created"]);
        lake.fails(["crawl", "l", "-d", "t", "--strict"], "l/good/secret.csv");
    }
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    if readable {
        eprintln!("skipped: what_may_not_be_read needs a user other than root");
    }
}

#[test]
fn a_file_whose_name_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let lake = lake();
    let name = std::ffi::OsStr::from_bytes(b"bad\xff.csv");
    if std::fs::write(lake.join("l/good").join(name), "id,v\n3,3\n").is_err() {
        eprintln!("skipped: this file system has no names that are not UTF-8");
        return;
    }
    named(&lake, "l/good/bad", "not UTF-8");
}

/// Everything at once, below tables with and without partitions.
#[test]
fn a_messy_lake() {
    let lake = Lake::with([
        ("l/orders/year=2023/a.csv", "id,v\n1,10\n"),
        ("l/orders/year=2024/a.csv", "id,v\n2,20\n"),
        ("l/orders/year=2024/empty.csv", ""),
        ("l/people/a.json", "{\"name\":\"Ann\",\"tags\":[\"x\"]}\n"),
        ("l/people/cut.json", "{\"name\":\"Bob\"}\n{\"na"),
        ("l/shop/orders_2023.csv", "id,total,day\n1,2.5,2023-01-01\n"),
        ("l/shop/orders_2024.csv", "id,total,day\n2,3.5,2024-01-01\n"),
        ("l/shop/stores.csv", "store,city\n01,Rome\n"),
        ("l/_hidden/x.csv", "no,no\n1,2\n"),
    ]);
    lake.file("l/orders/year=2023/junk.csv", b"\x00\x01\xff\xfe\x00junk");
    lake.file(
        "l/shop/cut.csv.gz",
        &Packing::Gzip.pack("id,v\n1,1\n2,2\n")[..16],
    );
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    lake.file("l/people/deep.json", deep);
    std::os::unix::fs::symlink("..", lake.join("l/people/up")).unwrap();
    std::os::unix::fs::symlink("nowhere", lake.join("l/shop/gone.csv")).unwrap();
    lake.file("l/junk/only.bin", b"\x00\x01\xff\xfe\x00junk");
    let bad = [
        "l/junk/only.bin",
        "l/orders/year=2023/junk.csv",
        "l/people/cut.json",
        "l/people/deep.json",
        "l/people/up",
        "l/shop/cut.csv.gz",
        "l/shop/gone.csv",
    ];
    let strict = lake.fails(["crawl", "l", "-d", "t", "--strict"], "7 files");
    for file in bad {
        assert!(strict.stderr.contains(file), "{file}\n{strict}");
    }
    assert_eq!(lake.tables(), Vec::<String>::new());

    for again in [false, true] {
        let report = lake.report(["l"]);
        let problems = report.problems().join("\n");
        assert_eq!(report.problems().len(), 7, "{problems}");
        for file in bad {
            assert!(problems.contains(file), "{file} in\n{problems}");
        }
        assert_eq!(report.number("empty_count"), 1);
        // `orders` is the name of a folder and of files: one of the two has another.
        let tables = report.json["tables"].as_array().unwrap();
        let records = tables.iter().map(|t| t["records"].as_u64().unwrap());
        assert_eq!((tables.len(), records.sum()), (4, 6), "{}", report.output);
        if again {
            assert!(
                report.outcomes().iter().all(|o| o.ends_with(" unchanged")),
                "{:?}",
                report.outcomes()
            );
        }
    }
    let report = lake.report(["l"]);
    let at = |place: &str| {
        let tables = report.json["tables"].as_array().unwrap().iter();
        let mut named = tables.filter(|t| {
            t["location"]
                .as_str()
                .unwrap()
                .ends_with(&format!("/l/{place}"))
                && t["name"] != "stores"
        });
        named.next().unwrap()["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        lake.sql(&format!(
            "SELECT id, year FROM t.{} ORDER BY id",
            at("orders")
        )),
        "id,year\n1,2023\n2,2024\n"
    );
    assert_eq!(
        lake.sql(&format!(
            "SELECT id, total FROM t.{} ORDER BY id",
            at("shop")
        )),
        "id,total\n1,2.5\n2,3.5\n"
    );
    assert_eq!(lake.sql("SELECT name FROM t.people"), "name\nAnn\n");
    assert_eq!(lake.sql("SELECT city FROM t.stores"), "city\nRome\n");
}
