//! Which files become which tables: Glue's rule and its options, siblings, and what lies beside.

use mastic_tests::Lake;

/// A JSON record of these columns, all of them numbers.
fn record(columns: &str) -> String {
    let columns: Vec<String> = columns.chars().map(|c| format!("\"{c}\":1")).collect();
    format!("{{{}}}\n", columns.join(","))
}

#[track_caller]
fn rows(lake: &Lake, table: &str) -> String {
    lake.sql(&format!("SELECT count(*) AS n FROM t.\"{table}\""))
        .replace("n\n", "")
        .trim()
        .to_owned()
}

#[test]
fn folders_of_70_percent_are_tables_and_of_more_are_partitions() {
    // Glue: the threshold is more than 0.7 ("How does the AWS Glue crawler detect the schema?").
    for (other, tables) in [
        ("abcdefgpqr", vec!["l.a", "l.b"]),
        ("abcdefghqr", vec!["l.l"]),
        ("abcdefghij", vec!["l.l"]),
        ("pqrstuvwxy", vec!["l.a", "l.b"]),
    ] {
        let lake = Lake::new();
        lake.file("l/a/x.json", record("abcdefghij"));
        lake.file("l/b/x.json", record(other));
        lake.ok(["crawl", "l", "-d", "l"]);
        assert_eq!(lake.tables(), tables, "{other}");
    }
}

#[test]
fn more_than_five_schemas_are_tables() {
    // Glue: at most 5 distinct schemas. Each shares ten of eleven columns with every other.
    for (folders, table_count) in [(5, 1), (6, 6)] {
        let lake = Lake::new();
        for i in 0..folders {
            let own = char::from(b'p' + i);
            lake.file(
                &format!("l/f{i}/x.json"),
                record(&format!("abcdefghij{own}")),
            );
        }
        let report = lake.report(["l", "--explain"]);
        let tables = report.json["tables"].as_array().unwrap();
        assert_eq!(tables.len(), table_count, "{}", report.output);
        if table_count > 1 {
            let why = report.lines("f0", "why");
            assert!(why.contains("more than 5 distinct schemas"), "{why}");
        } else {
            let why = report.lines("l", "why");
            assert!(why.contains("5 distinct (at most 5)"), "{why}");
        }
    }
}

#[test]
fn thousands_of_folders_of_one_schema_are_one_table() {
    let lake = Lake::new();
    for i in 0..1500 {
        lake.file(&format!("l/shard-{i:04}/x.json"), record("abc"));
    }
    let report = lake.report(["l"]);
    assert_eq!(report.outcomes(), ["l created"]);
    assert_eq!(report.table("l")["partitions"], 1500);
    assert_eq!(
        lake.sql("SELECT count(*) AS n FROM t.l WHERE partition_0 = 'shard-0777'"),
        "n\n1\n"
    );
}

#[test]
fn one_folder_is_no_partition() {
    let lake = Lake::with([("l/only/a.json", "{\"a\":1}\n")]);
    lake.report(["l"]);
    assert_eq!(lake.tables(), ["t.only"]);
}

#[test]
fn compatible_schemas_are_combined_where_that_is_said() {
    // The example of Glue's page "Creating a single schema for each Amazon S3 include path".
    let lake = Lake::with([
        ("l/year=2017/a.json", "{\"A\":1,\"B\":2}\n"),
        ("l/year=2018/a.json", "{\"C\":3,\"D\":4}\n"),
    ]);
    lake.report(["l", "--combine-compatible-schemas"]);
    assert_eq!(lake.tables(), ["t.l"]);
    assert_eq!(
        lake.columns("t.l"),
        ["a bigint", "b bigint", "c bigint", "d bigint", "[year int]"]
    );
    assert_eq!(
        lake.sql("SELECT * FROM t.l ORDER BY year"),
        "a,b,c,d,year\n1,2,,,2017\n,,3,4,2018\n"
    );
}

#[test]
fn folders_of_one_format_are_combined_where_that_is_said() {
    let files = [
        ("l/people/a.json", "{\"name\":\"Ann\",\"born\":1990}\n"),
        ("l/places/a.json", "{\"city\":\"Rome\",\"lat\":41.9}\n"),
    ];
    let lake = Lake::with(files);
    lake.report(["l"]);
    assert_eq!(lake.tables(), ["t.people", "t.places"]);
    let lake = Lake::with(files);
    lake.report(["l", "--combine-compatible-schemas"]);
    assert_eq!(lake.tables(), ["t.l"]);
    assert_eq!(
        lake.sql("SELECT name, city, partition_0 FROM t.l ORDER BY partition_0"),
        "name,city,partition_0\nAnn,,people\n,Rome,places\n"
    );
}

#[test]
fn compatible_folders_beside_another_format() {
    let lake = Lake::with([
        ("l/people/a.json", "{\"name\":\"Ann\",\"born\":1990}\n"),
        ("l/places/a.json", "{\"city\":\"Rome\",\"lat\":41.9}\n"),
        ("l/more/a.csv", "x,y\n1,2\n"),
    ]);
    let report = lake.report(["l", "--combine-compatible-schemas"]);
    let tables = report.json["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 2, "{}", report.output);
    for table in tables {
        let records = if table["classification"] == "json" {
            "2"
        } else {
            "1"
        };
        assert_eq!(
            rows(&lake, table["name"].as_str().unwrap()),
            records,
            "{table}"
        );
    }
}

#[test]
fn tables_are_on_the_level_that_was_said() {
    let lake = Lake::new();
    for table in ["one", "two"] {
        for part in ["x", "y"] {
            let text = format!("{{\"id\":1,\"{part}\":true}}\n");
            lake.file(&format!("l/{table}/{part}/deep/a.json"), text);
        }
    }
    // 1 is the crawled folder itself, as it is the bucket with Glue.
    let report = lake.report(["l", "--table-level", "1"]);
    assert_eq!(report.outcomes(), ["l created"]);
    assert_eq!(
        lake.columns("t.l")[3..],
        [
            "[partition_0 string]",
            "[partition_1 string]",
            "[partition_2 string]"
        ]
    );
    assert_eq!(rows(&lake, "l"), "4");
    for (level, tables, keys) in [
        ("2", vec!["one", "two"], 2),
        ("3", vec!["one_x", "one_y", "two_x", "two_y"], 1),
    ] {
        let output = lake.ok([
            "crawl",
            "l",
            "-d",
            &format!("level{level}"),
            "--table-level",
            level,
            "-o",
            "json",
        ]);
        let report = mastic_tests::report::Report::of(output);
        let found = report.json["tables"].as_array().unwrap();
        assert_eq!(found.len(), tables.len(), "{}", report.output);
        for table in found {
            assert_eq!(
                table["partition_keys"].as_array().unwrap().len(),
                keys,
                "{table}"
            );
        }
        let mut places: Vec<String> = found
            .iter()
            .map(|t| {
                t["location"]
                    .as_str()
                    .unwrap()
                    .rsplit("/l/")
                    .next()
                    .unwrap()
                    .replace('/', "_")
            })
            .collect();
        places.sort();
        assert_eq!(places, tables);
    }
}

#[test]
fn more_tables_than_were_allowed_are_none() {
    let lake = Lake::with([
        ("l/people/a.json", "{\"name\":\"Ann\",\"born\":1990}\n"),
        ("l/places/a.csv", "city,lat\nRome,41.9\n"),
        (
            "l/things/a.json",
            "{\"size\":1.5,\"colour\":\"red\",\"on\":true}\n",
        ),
    ]);
    let output = lake.fails(
        ["crawl", "l", "-d", "t", "--table-threshold", "2"],
        "3 tables",
    );
    assert!(output.stderr.contains("hint: "), "{output}");
    assert_eq!(lake.tables(), Vec::<String>::new());
    lake.report(["l", "--table-threshold", "3"]);
    assert_eq!(lake.tables(), ["t.people", "t.places", "t.things"]);
}

#[test]
fn siblings_become_tables_by_schema_and_name() {
    let lake = Lake::new();
    for year in 2019..=2024 {
        let text = format!("id,day,total\n{year},{year}-05-01,2.50\n");
        lake.file(&format!("shop/orders_{year}.csv"), text);
    }
    lake.file("shop/stores.csv", "store,city\n01,Rome\n02,Oslo\n");
    lake.report(["shop"]);
    assert_eq!(lake.tables(), ["t.orders", "t.stores"]);
    assert_eq!(rows(&lake, "orders"), "6");
    assert_eq!(rows(&lake, "stores"), "2");
}

#[test]
fn two_families_of_the_same_columns_are_two_tables() {
    let lake = Lake::new();
    for year in 2019..=2021 {
        for (kind, id) in [("orders", 1), ("returns", 2)] {
            let text = format!("id,day,total\n{id},{year}-05-01,2.50\n");
            lake.file(&format!("shop/{kind}_{year}.csv"), text);
        }
    }
    lake.report(["shop"]);
    assert_eq!(lake.tables(), ["t.orders", "t.returns"]);
    assert_eq!(lake.sql("SELECT sum(id) AS s FROM t.orders"), "s\n3\n");
    assert_eq!(lake.sql("SELECT sum(id) AS s FROM t.returns"), "s\n6\n");
    // What comes later joins its own.
    lake.file("shop/returns_2022.csv", "id,day,total\n2,2022-01-01,1\n");
    lake.report(["shop"]);
    assert_eq!(lake.sql("SELECT sum(id) AS s FROM t.orders"), "s\n3\n");
    assert_eq!(lake.sql("SELECT sum(id) AS s FROM t.returns"), "s\n8\n");
    assert_eq!(
        (lake.versions("t.orders"), lake.versions("t.returns")),
        (1, 2)
    );
}

#[test]
fn siblings_of_other_columns_are_tables_of_their_own() {
    let lake = Lake::with([
        (
            "shop/customers.csv",
            "id,name,email,since\n1,Ann,a@b.c,2020-01-01\n",
        ),
        (
            "shop/suppliers.csv",
            "id,name,country,vat,terms\n7,Acme,DE,DE123,30\n",
        ),
    ]);
    lake.report(["shop"]);
    assert_eq!(lake.tables(), ["t.customers", "t.suppliers"]);
    assert_eq!(lake.sql("SELECT email FROM t.customers"), "email\na@b.c\n");
    assert_eq!(lake.sql("SELECT vat FROM t.suppliers"), "vat\nDE123\n");
}

#[test]
fn a_second_file_joins_a_table_of_one() {
    let lake = Lake::with([
        ("shop/stores.csv", "store,city\n01,Rome\n"),
        ("shop/events.json", "{\"kind\":\"open\"}\n"),
    ]);
    lake.report(["shop"]);
    assert_eq!(lake.tables(), ["t.events", "t.stores"]);
    lake.file("shop/stores_2.csv", "store,city\n02,Oslo\n");
    let report = lake.report(["shop"]);
    assert_eq!(report.outcomes(), ["events unchanged", "stores updated"]);
    assert_eq!(
        lake.sql("SELECT store, city FROM t.stores ORDER BY store"),
        "store,city\n01,Rome\n02,Oslo\n"
    );
    // And leaves it again.
    lake.remove("shop/stores_2.csv");
    let report = lake.report(["shop"]);
    assert_eq!(report.outcomes(), ["events unchanged", "stores updated"]);
    assert_eq!(rows(&lake, "stores"), "1");
}

#[test]
fn a_scratch_folder_beside_partitions_is_a_table_of_its_own() {
    for scratch in ["id,v\n9,9\n", "other,columns,here\n1,2,3\n"] {
        let lake = Lake::with([
            ("l/year=2023/a.csv", "id,v\n1,1\n"),
            ("l/year=2024/a.csv", "id,v\n2,1\n"),
        ]);
        lake.file("l/tmp/a.csv", scratch);
        lake.report(["l"]);
        assert_eq!(lake.tables(), ["t.l", "t.tmp"], "{scratch}");
        assert_eq!(
            lake.sql("SELECT id, year FROM t.l ORDER BY id"),
            "id,year\n1,2023\n2,2024\n",
            "{scratch}"
        );
        assert_eq!(rows(&lake, "tmp"), "1");
    }
}

#[test]
fn no_record_is_lost_or_doubled_where_levels_are_mixed() {
    let lake = Lake::with([
        ("l/a.csv", "id,v\n1,1\n"),
        ("l/x/b.csv", "id,v\n2,1\n"),
        ("l/x/y/c.csv", "id,v\n4,1\n"),
        ("l/z/p=1/d.csv", "id,v\n8,1\n"),
        ("l/z/e.csv", "id,v\n16,1\n"),
    ]);
    lake.report(["l"]);
    let sums = lake.tables().into_iter().map(|table| {
        let sum = lake.sql(&format!("SELECT sum(id) AS s FROM {table}"));
        sum.trim_start_matches("s\n").trim().parse::<u64>().unwrap()
    });
    assert_eq!(sums.sum::<u64>(), 31, "{:?}", lake.tables());
    assert!(
        lake.report(["l"])
            .outcomes()
            .iter()
            .all(|o| o.ends_with(" unchanged")),
        "{:?}",
        lake.tables()
    );
}

#[test]
fn junk_beside_data_in_some_partitions_changes_no_name_and_loses_no_row() {
    let lake = Lake::with([
        ("l/orders/year=2022/part-a.csv", "id,v\n1,10\n"),
        ("l/orders/year=2023/part-b.csv", "id,v\n2,20\n"),
        (
            "l/orders/year=2023/notes.txt",
            "It was the best of times, it was the worst of times.\nIt was the age of wisdom\n\nand of foolishness, it was the epoch.\n",
        ),
        ("l/orders/year=2024/part-c.csv", "id,v\n3,30\n"),
        ("l/orders/year=2024/manifest.json", "{\"entries\": [1]}\n"),
    ]);
    lake.file(
        "l/orders/year=2024/logo.png",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    );
    let report = lake.report(["l/orders"]);
    assert_eq!(report.number("problem_count"), 2, "{}", report.output);
    assert_eq!(
        lake.sql("SELECT id, year FROM t.orders ORDER BY id"),
        "id,year\n1,2022\n2,2023\n3,2024\n"
    );
}

#[test]
fn a_junk_file_that_comes_later_does_not_rename_the_table() {
    let lake = Lake::with([
        ("orders/year=2022/a.csv", "id,v\n1,10\n"),
        ("orders/year=2023/a.csv", "id,v\n2,20\n"),
    ]);
    lake.report(["orders"]);
    lake.file("orders/year=2024/manifest.json", "{\"entries\": [1]}\n");
    let report = lake.report(["orders"]);
    assert!(
        report.outcomes().contains(&"orders unchanged".to_owned()),
        "{:?}",
        report.outcomes()
    );
    assert_eq!(rows(&lake, "orders"), "2");
}

#[test]
fn files_of_different_compression_are_one_table() {
    use mastic_tests::pack::Packing;
    let lake = Lake::with([("l/a/1.csv", "id,v\n1,1\n")]);
    lake.file("l/b/2.csv.gz", Packing::Gzip.pack("id,v\n2,1\n"));
    lake.report(["l"]);
    assert_eq!(lake.tables(), ["t.l"]);
    assert_eq!(rows(&lake, "l"), "2");
}
