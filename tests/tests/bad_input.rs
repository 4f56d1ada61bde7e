//! Bad input: a clear message, a code that is not 0, and the catalog as it was.
#![allow(clippy::print_stderr, reason = "what is skipped is told")]

use mastic_tests::pack::Packing;
use mastic_tests::{Lake, Output, fixture, tamper};

/// A lake with one table in its catalog.
fn lake() -> Lake {
    let lake = Lake::with([("good/a.csv", "id,name\n1,Ann\n2,Bob\n")]);
    lake.crawl("good");
    lake
}

/// Runs what must fail, compares what it says with the snapshot of that name, and checks that the
/// catalog is as it was.
#[track_caller]
fn refused(lake: &Lake, name: &str, args: &[&str]) -> Output {
    let before = lake.catalog();
    let output = lake.mastic(args);
    assert_eq!(output.code, 1, "{name}\n{output}");
    assert_eq!(output.stdout, "", "{name}");
    assert!(output.stderr.contains("error: "), "{name}\n{output}");
    for word in ["panicked", "DataFusion", "Internal error", "bug report"] {
        assert!(
            !output.stderr.contains(word),
            "{name}: '{word}' in\n{output}"
        );
    }
    mastic_tests::snapshots(lake)
        .bind(|| insta::assert_snapshot!(name.to_owned(), output.to_string()));
    assert_eq!(lake.catalog(), before, "{name}");
    output
}

/// Crawls a bad file with a good one beside it: strictly, which fails, and as usual, which leaves it out.
#[track_caller]
fn crawl_refused(name: &str, file: &str, content: impl AsRef<[u8]>) {
    let lake = lake();
    lake.file(&format!("bad/{file}"), content);
    // A good file beside it does not make it good.
    lake.file("bad/fine.csv", "id,name\n3,Cid\n");
    refused(&lake, name, &["crawl", "bad", "-d", "t", "--strict"]);
    let output = lake.ok(["crawl", "bad", "-d", "t"]);
    assert!(
        output
            .stderr
            .lines()
            .any(|l| l.starts_with("skipped: ") && l.contains(&format!("/bad/{file}"))),
        "{name}\n{output}"
    );
    assert_eq!(lake.tables(), ["t.bad", "t.good"], "{name}");
    assert_eq!(
        lake.sql("SELECT * FROM t.bad"),
        "id,name\n3,Cid\n",
        "{name}"
    );
}

#[test]
fn a_missing_path() {
    refused(&lake(), "missing_path", &["crawl", "nowhere", "-d", "t"]);
}

#[test]
fn one_missing_path_among_two() {
    let lake = lake();
    lake.file("more/a.json", "{\"k\":1}\n");
    refused(
        &lake,
        "missing_of_two",
        &["crawl", "more", "nowhere", "-d", "t"],
    );
}

#[test]
fn an_empty_folder() {
    let lake = lake();
    std::fs::create_dir(lake.join("empty")).unwrap();
    refused(&lake, "empty_folder", &["crawl", "empty", "-d", "t"]);
}

#[test]
fn a_folder_of_empty_files() {
    let lake = lake();
    lake.file("empty/a.csv", "");
    refused(&lake, "empty_files", &["crawl", "empty", "-d", "t"]);
}

#[test]
fn a_store_of_a_scheme_that_is_not_known() {
    refused(
        &lake(),
        "unknown_scheme",
        &["crawl", "gs://bucket/x", "-d", "t"],
    );
}

#[test]
fn truncated_files() {
    let text: String = (0..5000)
        .map(|i| format!("{i},name {}\n", i * 7919 % 1000))
        .collect();
    let text = format!("id,name\n{text}");
    for packing in Packing::ALL {
        if packing == Packing::Plain {
            continue;
        }
        let whole = packing.pack(&text);
        let kind = format!("{packing:?}").to_lowercase();
        let file = format!("cut.csv{}", packing.ending());
        crawl_refused(
            &format!("truncated_{kind}"),
            &file,
            &whole[..whole.len() / 2],
        );
    }
}

#[test]
fn the_last_bytes_of_a_file_are_missing() {
    // All data is there; what says so is not.
    for packing in [Packing::Gzip, Packing::Bzip2, Packing::Xz, Packing::Zip] {
        let whole = packing.pack("id,name\n1,Ann\n2,Bob\n");
        let kind = format!("{packing:?}").to_lowercase();
        let file = format!("cut.csv{}", packing.ending());
        crawl_refused(&format!("cut_end_{kind}"), &file, &whole[..whole.len() - 3]);
    }
}

#[test]
fn bytes_in_the_middle_are_others() {
    for packing in [
        Packing::Gzip,
        Packing::Bzip2,
        Packing::Xz,
        Packing::Snappy,
        Packing::Zip,
    ] {
        let text: String = (0..3000)
            .map(|i| format!("{i},name {}\n", i * 7919 % 1000))
            .collect();
        let mut bytes = packing.pack(format!("id,name\n{text}"));
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle..middle + 8] {
            *byte ^= 0x55;
        }
        let kind = format!("{packing:?}").to_lowercase();
        crawl_refused(
            &format!("damaged_{kind}"),
            &format!("x.csv{}", packing.ending()),
            bytes,
        );
    }
}

#[test]
fn truncated_parquet_orc_and_avro() {
    for name in ["snappy.parquet", "zlib.orc", "deflate.avro"] {
        let whole = fixture(name);
        let kind = name.split_once('.').unwrap().1;
        crawl_refused(
            &format!("truncated_{kind}"),
            name,
            &whole[..whole.len() / 2],
        );
    }
}

#[test]
fn files_that_are_only_a_magic() {
    for (kind, magic) in [
        ("gzip", &b"\x1f\x8b"[..]),
        ("parquet", b"PAR1"),
        ("orc", b"ORC"),
        ("avro", b"Obj\x01"),
        ("zip", b"PK\x03\x04"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    ] {
        crawl_refused(&format!("only_magic_{kind}"), "x", magic);
    }
}

#[test]
fn binary_junk() {
    let mut state = 1u32;
    let junk: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(4000)
    .collect();
    crawl_refused("binary_junk", "x.csv", junk);
}

#[test]
fn text_in_other_encodings_is_read() {
    let utf_16 = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        b"\xff\xfe".iter().copied().chain(units).collect()
    };
    for (name, content) in [
        ("latin_1", b"id,name\n1,Ren\xe9\n2,Zo\xeb\n".to_vec()),
        ("utf_16", utf_16("id,name\n1,René\n2,Zoë\n")),
    ] {
        let lake = lake();
        lake.file("other/x.csv", content);
        lake.file("other/y.csv", "id,name\n3,Zoé\n");
        lake.ok(["crawl", "other", "-d", "t", "--strict"]);
        let mut rows: Vec<String> = Vec::new();
        for table in lake.tables().iter().filter(|t| *t != "t.good") {
            let all = lake.sql(&format!("SELECT id, name FROM {table}"));
            rows.extend(all.lines().skip(1).map(str::to_owned));
        }
        rows.sort();
        assert_eq!(rows, ["1,René", "2,Zoë", "3,Zoé"], "{name}");
    }
}

#[test]
fn text_that_is_no_table() {
    let prose = "It was the best of times, it was the worst of times.\nIt was the age of wisdom\n\nand of foolishness; it was the epoch, they said, of belief, of all things.\n";
    crawl_refused("prose", "x.txt", prose);
}

#[test]
fn json_with_a_mistake_in_it() {
    crawl_refused("json_cut", "x.json", "{\"id\":1}\n{\"id\":2,\"na");
    crawl_refused("json_comma", "x.json", "[{\"id\":1},,{\"id\":2}]");
    crawl_refused("json_scalar", "x.json", "[1,2,3]");
    crawl_refused(
        "json_middle",
        "x.json",
        "{\"id\":1}\n{\"id\":2 \"name\":3}\n{\"id\":4}\n",
    );
}

#[test]
fn csv_rows_that_are_longer_or_shorter_than_the_header_lose_nothing() {
    let lake = lake();
    let good: String = (10..40).map(|i| format!("{i},n{i}\n")).collect();
    let text = format!("id,name\n1,Ann\n2,Bob,extra,fields\n3\n{good}");
    lake.file("x/a.csv", text);
    lake.crawl("x");
    assert_eq!(
        lake.sql("SELECT * FROM t.x WHERE id < 11 ORDER BY id"),
        "id,name,col2,col3\n1,Ann,,\n2,Bob,extra,fields\n3,,,\n10,n10,,\n"
    );
}

#[test]
fn csv_with_a_quote_that_never_ends_loses_no_row() {
    let lake = lake();
    lake.file("open/x.csv", "id,name\n1,\"Ann\n2,Bob\n3,Cid\n");
    lake.ok(["crawl", "open", "-d", "t", "--strict"]);
    // The quote is one of the text.
    assert_eq!(
        lake.sql("SELECT id, name FROM t.open ORDER BY id"),
        "id,name\n1,\"\"\"Ann\"\n2,Bob\n3,Cid\n"
    );
}

#[test]
fn nothing_but_bad_files() {
    let lake = lake();
    lake.file(
        "bad/cut.csv.gz",
        &Packing::Gzip.pack("id,name\n1,x\n")[..14],
    );
    refused(&lake, "nothing_readable", &["crawl", "bad", "-d", "t"]);
}

#[test]
fn a_file_that_may_not_be_read() {
    // Root may read everything.
    let lake = lake();
    let path = lake.file("bad/a.csv", "id,name\n1,x\n");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o000);
    std::fs::set_permissions(&path, permissions).unwrap();
    if std::fs::read(&path).is_ok() {
        eprintln!("skipped: a_file_that_may_not_be_read needs a user other than root");
        return;
    }
    refused(&lake, "unreadable", &["crawl", "bad", "-d", "t"]);
}

#[test]
fn a_file_that_changed_or_went_since_the_crawl() {
    let lake = lake();
    lake.file("good/b.csv", "id,name\n3,Cid\n");
    lake.crawl("good");
    lake.file("good/b.csv", "id,name\nthree,Cid\n");
    refused(
        &lake,
        "changed_since",
        &["sql", "SELECT sum(id) FROM t.good"],
    );
    lake.remove("good/a.csv");
    lake.remove("good/b.csv");
    std::fs::remove_dir(lake.join("good")).unwrap();
    let output = lake.mastic(["sql", "SELECT * FROM t.good", "-o", "csv"]);
    mastic_tests::snapshot!(lake, "gone_since", output);
}

#[test]
fn sql_with_mistakes() {
    let lake = lake();
    for (name, query) in [
        ("sql_unknown_table", "SELECT * FROM t.goood"),
        ("sql_unknown_database", "SELECT * FROM tt.good"),
        ("sql_no_database", "SELECT * FROM good"),
        ("sql_unknown_column", "SELECT id,\n       nmae\nFROM t.good"),
        ("sql_unknown_function", "SELECT lenght(name) FROM t.good"),
        ("sql_keyword", "SELEC * FROM t.good"),
        ("sql_inner_keyword", "SELECT *\nFORM t.good"),
        ("sql_unfinished", "SELECT * FROM t.good WHERE"),
        ("sql_quote", "SELECT 'abc FROM t.good"),
        ("sql_types", "SELECT name + 1 FROM t.good"),
        ("sql_cast", "SELECT CAST(name AS bigint) FROM t.good"),
        ("sql_no_group", "SELECT id, count(*) FROM t.good"),
        ("sql_divide", "SELECT 1 / (id - id) FROM t.good"),
        ("sql_subquery", "SELECT (SELECT id FROM t.good) AS x"),
        ("sql_empty", ""),
        ("sql_insert", "INSERT INTO t.good VALUES (3)"),
        ("sql_drop", "DROP TABLE t.goood"),
        ("sql_create", "CREATE TABLE t.other AS SELECT 1"),
        ("sql_copy", "COPY t.good TO 'out.csv'"),
    ] {
        refused(&lake, name, &["sql", query]);
    }
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.good"), "n\n2\n");
}

#[test]
fn a_file_of_sql_with_a_mistake_is_named() {
    let lake = lake();
    lake.file(
        "report.sql",
        "-- a report\nSELECT id,\n  nmae\nFROM t.good\n",
    );
    let output = refused(&lake, "sql_file", &["sql", "-f", "report.sql"]);
    assert!(output.stderr.contains("report.sql:3"), "{output}");
    refused(&lake, "sql_no_file", &["sql", "-f", "no.sql"]);
}

#[test]
fn an_unknown_database_is_told() {
    refused(
        &lake(),
        "sql_option_database",
        &["sql", "-d", "nope", "SELECT * FROM good"],
    );
}

#[test]
fn no_catalog() {
    let lake = Lake::new();
    for (name, args) in [
        ("no_catalog_sql", &["sql", "SELECT 1"][..]),
        ("no_catalog_tables", &["catalog", "tables"]),
        (
            "no_catalog_named",
            &["catalog", "tables", "--catalog", "x/y.db"],
        ),
        (
            "no_catalog_scheme",
            &["catalog", "tables", "--catalog", "mysql://x/y"],
        ),
    ] {
        let output = lake.fails(args, "error: ");
        mastic_tests::snapshots(&lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
    assert!(
        lake.names("").is_empty(),
        "a question makes no catalog: {:?}",
        lake.names("")
    );
}

#[test]
fn a_failed_first_crawl_leaves_no_catalog_that_is_not_one() {
    let lake = Lake::new();
    lake.fails(["crawl", "nowhere", "-d", "t"], "does not exist");
    // Either none was made, or a good one that is empty.
    lake.file("d/a.csv", "id,v\n1,1\n");
    lake.crawl("d");
    assert_eq!(lake.tables(), ["t.d"]);
}

#[test]
fn a_catalog_that_is_damaged() {
    let lake = lake();
    // Empty the log into the file first, which the last one to close it does.
    let path = lake.join(".mastic/catalog.db");
    let text = "this is no database, whatever its name says. ".repeat(200);
    for name in [".mastic/catalog.db-wal", ".mastic/catalog.db-shm"] {
        let _ = std::fs::remove_file(lake.join(name));
    }
    std::fs::write(&path, &text).unwrap();
    for (name, args) in [
        ("damaged_sql", &["sql", "SELECT * FROM t.good"][..]),
        ("damaged_tables", &["catalog", "tables"]),
        ("damaged_crawl", &["crawl", "good", "-d", "t"]),
    ] {
        let output = lake.fails(args, "catalog.db");
        mastic_tests::snapshots(&lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
    // It is not overwritten: somebody may want to mend it.
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_catalog_that_a_newer_mastic_made() {
    let lake = lake();
    tamper(
        &lake,
        "INSERT INTO schema_version (version, applied_at, applied_by) VALUES (99, '2030-01-01', 'mastic 9.9.9')",
    );
    for (name, args) in [
        ("newer_tables", &["catalog", "tables"][..]),
        ("newer_crawl", &["crawl", "good", "-d", "t"]),
    ] {
        let output = lake.fails(args, "error: ");
        mastic_tests::snapshots(&lake).bind(|| insta::assert_snapshot!(name, output.to_string()));
    }
}

#[test]
fn a_catalog_in_a_folder_that_cannot_be_made() {
    let lake = lake();
    lake.file("file", "x");
    let output = lake.fails(["crawl", "good", "--catalog", "file/c.db"], "file");
    mastic_tests::snapshot!(lake, "catalog_below_a_file", output);
    assert_eq!(lake.read("file"), "x");
}
