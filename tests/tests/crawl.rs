//! Crawling: files in, tables of the catalog out, and what SQL then reads.

use mastic_tests::pack::{Packing, zip};
use mastic_tests::{Lake, fixture, snapshot};

/// What every format's three records are, as SQL's CSV.
const RECORDS: &str = "\
id,name,price,paid,at,day,address,tags
1,Ann,2.50,true,2024-01-31 23:59:58.123+00:00,2024-01-31,\"{\"\"street\"\":\"\"Main St 1\"\",\"\"zip\"\":\"\"0123\"\"}\",\"[\"\"a\"\",\"\"b\"\"]\"
2,Bób,,false,1970-01-01 00:00:00.001+00:00,1969-12-31,\"{\"\"zip\"\":\"\"0456\"\"}\",[]
3,,-0.01,,,,,
";

const RECORD_COLUMNS: [&str; 8] = [
    "id bigint",
    "name string",
    "price decimal(10,2)",
    "paid boolean",
    "at timestamp with local time zone",
    "day date",
    "address struct<street:string,zip:string>",
    "tags array<string>",
];

fn binary_format(ending: &str, codecs: &[&str]) {
    let lake = Lake::new();
    for codec in codecs {
        let name = format!("{codec}.{ending}");
        lake.file(&format!("lake/{codec}/{name}"), fixture(&name));
        lake.crawl(&format!("lake/{codec}"));
        assert_eq!(
            lake.columns(&format!("t.{codec}")),
            RECORD_COLUMNS,
            "{name}"
        );
        let rows = lake.sql(&format!("SELECT * FROM t.\"{codec}\" ORDER BY id"));
        assert_eq!(rows, RECORDS, "{name}");
    }
}

#[test]
fn parquet_in_every_compression() {
    binary_format(
        "parquet",
        &["none", "snappy", "gzip", "zstd", "lz4", "brotli"],
    );
}

#[test]
fn orc_in_every_compression() {
    binary_format("orc", &["uncompressed", "snappy", "zlib", "zstd", "lz4"]);
}

#[test]
fn avro_in_every_compression() {
    binary_format(
        "avro",
        &["null", "deflate", "bzip2", "xz", "snappy", "zstandard"],
    );
}

#[test]
fn timestamps_before_1970_with_a_fraction_in_parquet() {
    before_1970("parquet");
}

#[test]
fn timestamps_before_1970_with_a_fraction_in_orc() {
    // orc-rust 0.9 cannot read them. They must be refused, and never be another time.
    let lake = Lake::new();
    lake.file("old/before_1970.orc", fixture("before_1970.orc"));
    lake.crawl("old");
    let output = lake.mastic(["sql", "SELECT * FROM t.old", "-o", "csv"]);
    assert_eq!(output.code, 1, "{output}");
    assert!(!output.stdout.contains("19"), "{output}");
    assert!(output.stderr.contains("before_1970.orc: "), "{output}");
}

fn before_1970(ending: &str) {
    let lake = Lake::new();
    let name = format!("before_1970.{ending}");
    lake.file(&format!("old/{name}"), fixture(&name));
    lake.crawl("old");
    assert_eq!(
        lake.sql("SELECT * FROM t.old"),
        "id,at\n1,1969-12-30 23:59:58.500+00:00\n"
    );
}

/// Two members, of which the second is seen only by a reader that goes on after the first.
const TEXTS: [(&str, [&str; 2]); 4] = [
    ("csv", ["id,name\n1,Ann\n2,\"B, b\"\n", "3,Çem\n"]),
    (
        "json",
        [
            "{\"id\":1,\"name\":\"Ann\"}\n{\"id\":2,\"name\":\"B, b\"}\n",
            "{\"id\":3,\"name\":\"Çem\"}\n",
        ],
    ),
    (
        "array.json",
        [
            "[{\"id\":1,\"name\":\"Ann\"},{\"id\":2,\"name\":\"B, b\"},",
            "{\"id\":3,\"name\":\"Çem\"}]",
        ],
    ),
    (
        "xml",
        [
            "<all><row><id>1</id><name>Ann</name></row><row><id>2</id><name>B, b</name></row>",
            "<row><id>3</id><name>Çem</name></row></all>",
        ],
    ),
];

#[test]
fn text_in_every_compression_with_members_concatenated() {
    let lake = Lake::new();
    let mut tables = Vec::new();
    for (ending, members) in TEXTS {
        for packing in Packing::ALL {
            let table = format!(
                "{}_{}",
                ending.replace('.', "_"),
                format!("{packing:?}").to_lowercase()
            );
            let path = format!("lake/{table}/data.{ending}{}", packing.ending());
            lake.file(&path, packing.pack_members(&members));
            tables.push(table);
        }
    }
    lake.crawl("lake");
    for table in tables {
        assert_eq!(
            lake.sql(&format!("SELECT id, name FROM t.{table} ORDER BY id")),
            "id,name\n1,Ann\n2,\"B, b\"\n3,Çem\n",
            "{table}"
        );
        assert_eq!(
            lake.columns(&format!("t.{table}")),
            ["id bigint", "name string"],
            "{table}"
        );
    }
}

#[test]
fn compression_is_told_by_content_not_by_name() {
    let lake = Lake::new();
    lake.file("a/x.csv", Packing::Gzip.pack("id,n\n1,2\n"));
    lake.file("b/x.csv.gz", "id,n\n1,2\n");
    lake.file("c/x", Packing::Zstd.pack("id,n\n1,2\n"));
    for table in ["a", "b", "c"] {
        lake.crawl(table);
        assert_eq!(lake.sql(&format!("SELECT * FROM t.{table}")), "id,n\n1,2\n");
    }
}

#[test]
fn files_of_one_table_may_be_packed_differently() {
    let lake = Lake::new();
    for (i, packing) in Packing::ALL.into_iter().enumerate() {
        lake.file(
            &format!("n/{i}.csv{}", packing.ending()),
            packing.pack(format!("id,v\n{i},1\n")),
        );
    }
    lake.crawl("n");
    assert_eq!(lake.tables(), ["t.n"]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n, sum(id) AS s FROM t.n"),
        "n,s\n7,21\n"
    );
}

#[test]
fn a_zip_of_two_files_is_refused_by_name() {
    let lake = Lake::new();
    lake.file(
        "z/two.csv.zip",
        zip(&[("a.csv", b"id\n1\n"), ("b.csv", b"id\n2\n")]),
    );
    let output = lake.fails(["crawl", "z", "--database", "t"], "two.csv.zip");
    snapshot!(lake, output);
}

#[test]
fn json_in_all_its_layouts() {
    let lake = Lake::with([
        (
            "lines/a.json",
            "{\"id\":1,\"v\":{\"x\":1.5}}\n\n{\"id\":2,\"v\":{\"x\":2}}\n",
        ),
        (
            "array/a.json",
            "[{\"id\":1,\"v\":{\"x\":1.5}},{\"id\":2,\"v\":{\"x\":2}}]",
        ),
        (
            "pretty/a.json",
            "{\n  \"id\": 1,\n  \"v\": {\n    \"x\": 1.5\n  }\n}\n{\n  \"id\": 2,\n  \"v\": {\"x\": 2}\n}\n",
        ),
        (
            "pretty_array/a.json",
            "[\n  {\n    \"id\": 1,\n    \"v\": {\"x\": 1.5}\n  },\n  {\n    \"id\": 2,\n    \"v\": {\"x\": 2}\n  }\n]\n",
        ),
        (
            "bom/a.json",
            "\u{feff}{\"id\":1,\"v\":{\"x\":1.5}}\r\n{\"id\":2,\"v\":{\"x\":2}}\r\n",
        ),
    ]);
    for table in ["lines", "array", "pretty", "pretty_array", "bom"] {
        lake.crawl(table);
        assert_eq!(
            lake.columns(&format!("t.{table}")),
            ["id bigint", "v struct<x:double>"],
            "{table}"
        );
        assert_eq!(
            lake.sql(&format!(
                "SELECT id, t.v['x'] AS x FROM t.\"{table}\" AS t ORDER BY id"
            )),
            "id,x\n1,1.5\n2,2.0\n",
            "{table}"
        );
    }
}

#[test]
fn nested_structs_and_arrays_keep_their_shape() {
    let lake = Lake::with([(
        "deep/a.json",
        concat!(
            "{\"id\":1,\"a\":{\"b\":{\"c\":[1,2]}},\"list\":[{\"k\":\"x\",\"n\":1}]}\n",
            "{\"id\":2,\"a\":{\"b\":{\"c\":[],\"d\":true}},\"list\":[{\"k\":\"y\",\"n\":2.5},{\"k\":\"z\"}]}\n",
            "{\"id\":3,\"a\":null}\n",
        ),
    )]);
    lake.crawl("deep");
    assert_eq!(
        lake.columns("t.deep"),
        [
            "id bigint",
            "a struct<b:struct<c:array<bigint>,d:boolean>>",
            "list array<struct<k:string,n:double>>"
        ]
    );
    assert_eq!(
        lake.sql("SELECT id, t.a['b']['c'] AS c, t.list[1]['n'] AS n, cardinality(list) AS size FROM t.deep t ORDER BY id"),
        "id,c,n,size\n1,\"[1,2]\",1.0,1\n2,[],2.5,2\n3,,,\n"
    );
}

#[test]
fn leading_zeros_stay_strings() {
    let lake = Lake::with([
        ("zips/a.csv", "zip,n\n01234,0\n90210,10\n"),
        ("ids/a.json", "{\"id\":\"007\"}\n{\"id\":\"12\"}\n"),
        ("zero/a.csv", "n,x\n0,0.5\n-0.25,10\n"),
    ]);
    for table in ["zips", "ids", "zero"] {
        lake.crawl(table);
    }
    assert_eq!(lake.columns("t.zips"), ["zip string", "n bigint"]);
    assert_eq!(
        lake.sql("SELECT zip FROM t.zips ORDER BY n"),
        "zip\n01234\n90210\n"
    );
    assert_eq!(lake.columns("t.ids"), ["id string"]);
    assert_eq!(lake.columns("t.zero"), ["n double", "x double"]);
}

#[test]
fn null_markers_are_nulls() {
    let lake = Lake::with([
        ("na/a.csv", "id,n,s\n1,NA,x\n2,5,NA\n3,7,y\n"),
        ("hive/a.csv", "id,n\n1,\\N\n2,5\n"),
        ("null/a.csv", "id,n\n1,NULL\n2,5\n"),
        ("none/a.csv", "id,n,s\n1,,x\n2,5,\n"),
    ]);
    for table in ["na", "hive", "null", "none"] {
        lake.crawl(table);
        assert_eq!(
            lake.columns(&format!("t.{table}"))[1],
            "n bigint",
            "{table}"
        );
        assert_eq!(
            lake.sql(&format!(
                "SELECT sum(n) AS s FROM t.\"{table}\" WHERE id <= 2"
            )),
            "s\n5\n",
            "{table}"
        );
    }
    assert_eq!(lake.sql("SELECT id FROM t.na WHERE s IS NULL"), "id\n2\n");
}

#[test]
fn a_country_whose_code_is_na_is_not_null() {
    let lake = Lake::with([("c/a.csv", "code,n\nDE,1\nNA,2\nFR,3\n")]);
    lake.crawl("c");
    assert_eq!(lake.sql("SELECT code FROM t.c WHERE n = 2"), "code\nNA\n");
}

#[test]
fn disagreements_widen_and_never_fail() {
    let lake = Lake::with([
        ("w/p=1/a.csv", "id,a,b,c,d\n1,1,1,2024-01-01,true\n"),
        (
            "w/p=2/a.csv",
            "id,a,b,c,d\n2,1.5,x,2024-01-01T10:00:00Z,7\n",
        ),
        (
            "j/p=1/a.json",
            "{\"id\":1,\"a\":1,\"b\":{\"x\":1},\"c\":[1],\"d\":\"s\"}\n",
        ),
        (
            "j/p=2/a.json",
            "{\"id\":2,\"a\":\"one\",\"b\":[2],\"c\":3,\"d\":{\"y\":true}}\n",
        ),
    ]);
    lake.crawl("w");
    assert_eq!(
        lake.columns("t.w")[..3],
        ["id bigint", "a double", "b string"]
    );
    assert_eq!(
        lake.sql("SELECT id, a, b, d FROM t.w ORDER BY id"),
        "id,a,b,d\n1,1.0,1,true\n2,1.5,x,7\n"
    );
    lake.crawl("j");
    assert_eq!(
        lake.columns("t.j"),
        [
            "id bigint",
            "a string",
            "b string",
            "c string",
            "d string",
            "[p bigint]"
        ]
    );
    assert_eq!(
        lake.sql("SELECT id, a, b, c, d FROM t.j ORDER BY id"),
        "id,a,b,c,d\n1,1,\"{\"\"x\"\":1}\",[1],s\n2,one,[2],3,\"{\"\"y\"\":true}\"\n"
    );
}

#[test]
fn a_number_after_many_megabytes_does_not_lose_the_file() {
    // What the sample did not see must not become a wrong value in a query.
    let lake = Lake::new();
    let mut text = String::from("id,v\n");
    for i in 0..150_000 {
        text.push_str(&format!("{i},1\n"));
    }
    text.push_str("150000,x\n");
    lake.file("late/a.csv", &text);
    lake.ok(["crawl", "late", "--database", "t", "--sample", "1"]);
    assert_eq!(lake.columns("t.late")[1], "v bigint");
    let output = lake.mastic(["sql", "SELECT count(v) AS n FROM t.late", "-o", "csv"]);
    snapshot!(lake, output);
}

#[test]
fn hive_partitions_are_keys_with_types() {
    let lake = Lake::with([
        ("s/year=2023/month=12/region=eu/a.csv", "id,v\n1,10\n"),
        ("s/year=2024/month=01/region=us/a.csv", "id,v\n2,20\n"),
        (
            "s/year=2024/month=02/region=__HIVE_DEFAULT_PARTITION__/a.csv",
            "id,v\n3,30\n",
        ),
    ]);
    lake.crawl("s");
    assert_eq!(
        lake.columns("t.s"),
        [
            "id bigint",
            "v bigint",
            "[year int]",
            "[month int]",
            "[region string]"
        ]
    );
    assert_eq!(
        lake.sql("SELECT * FROM t.s ORDER BY id"),
        "id,v,year,month,region\n1,10,2023,12,eu\n2,20,2024,1,us\n3,30,2024,2,\n"
    );
    assert_eq!(
        lake.sql("SELECT id FROM t.s WHERE year = 2024 AND month < 2"),
        "id\n2\n"
    );
    assert_eq!(
        lake.sql("SELECT id FROM t.s WHERE region IS NULL"),
        "id\n3\n"
    );
    assert_eq!(
        lake.sql("SELECT id FROM t.s WHERE region <> 'eu'"),
        "id\n2\n"
    );
    let shown = lake.ok(["catalog", "partitions", "t.s", "-o", "csv"]);
    snapshot!(lake, shown);
}

#[test]
fn integer_keys_may_be_null() {
    let lake = Lake::with([
        ("s/n=1/a.csv", "id,v\n1,10\n"),
        ("s/n=__HIVE_DEFAULT_PARTITION__/a.csv", "id,v\n2,20\n"),
    ]);
    lake.crawl("s");
    assert_eq!(lake.columns("t.s")[2], "[n bigint]");
    assert_eq!(
        lake.sql("SELECT id, n FROM t.s ORDER BY id"),
        "id,n\n1,1\n2,\n"
    );
    assert_eq!(lake.sql("SELECT id FROM t.s WHERE n IS NULL"), "id\n2\n");
    assert_eq!(lake.sql("SELECT id FROM t.s WHERE n = 0"), "id\n");
}

#[test]
fn an_empty_key_and_a_null_key_are_both_null() {
    // DataFusion writes NULL as `k=`, Hive as `k=__HIVE_DEFAULT_PARTITION__`.
    let lake = Lake::with([
        ("s/k=a/a.csv", "id,v\n1,10\n"),
        ("s/k=__HIVE_DEFAULT_PARTITION__/a.csv", "id,v\n2,20\n"),
        ("s/k=/a.csv", "id,v\n3,30\n"),
    ]);
    lake.crawl("s");
    assert_eq!(
        lake.sql("SELECT id, k FROM t.s ORDER BY id"),
        "id,k\n1,a\n2,\n3,\n"
    );
}

#[test]
fn two_folders_of_one_value_are_both_read() {
    // `a b` written by hand, `a%20b` by a tool that encodes spaces.
    let lake = Lake::with([
        ("s/k=a b/a.csv", "id,v\n1,10\n"),
        ("s/k=a%20b/a.csv", "id,v\n2,20\n"),
    ]);
    lake.crawl("s");
    assert_eq!(
        lake.sql("SELECT id, k FROM t.s ORDER BY id"),
        "id,k\n1,a b\n2,a b\n"
    );
}

#[test]
fn percent_encoded_keys_are_decoded_once() {
    let lake = Lake::with([
        ("s/at=2024-01-01 10%3A00%3A00/a.csv", "id,v\n1,10\n"),
        ("s/at=a%2Fb%3Dc/a.csv", "id,v\n2,20\n"),
        ("s/at=100%25/a.csv", "id,v\n3,30\n"),
        ("s/at=%C3%A9té/a.csv", "id,v\n4,40\n"),
    ]);
    lake.crawl("s");
    assert_eq!(
        lake.sql("SELECT at, id FROM t.s ORDER BY id"),
        "at,id\n2024-01-01 10:00:00,1\na/b=c,2\n100%,3\nété,4\n"
    );
    assert_eq!(lake.sql("SELECT id FROM t.s WHERE at = 'a/b=c'"), "id\n2\n");
}

#[test]
fn bare_dates_are_partitions() {
    let lake = Lake::with([
        ("logs/2023/12/31/a.json", "{\"m\":\"x\"}\n"),
        ("logs/2024/01/01/a.json", "{\"m\":\"y\"}\n"),
        ("logs/2024/01/02/b.json", "{\"m\":\"z\"}\n"),
    ]);
    lake.crawl("logs");
    assert_eq!(
        lake.columns("t.logs"),
        ["m string", "[year int]", "[month int]", "[day int]"]
    );
    assert_eq!(
        lake.sql("SELECT m, year, month, day FROM t.logs WHERE year = 2024 ORDER BY day"),
        "m,year,month,day\ny,2024,1,1\nz,2024,1,2\n"
    );
}

#[test]
fn a_mixed_folder_becomes_a_table_for_each_kind() {
    let lake = Lake::with([
        (
            "shop/orders_2019.csv",
            "id,day,amount\n1,2019-05-01,2.50\n2,2019-06-01,1\n",
        ),
        ("shop/orders_2020.csv", "id,day,amount\n3,2020-05-01,4\n"),
        ("shop/stores.csv", "store,city\n01,Rome\n02,Oslo\n"),
        (
            "shop/events.json",
            "{\"kind\":\"open\",\"at\":\"2020-01-01T00:00:00Z\"}\n",
        ),
    ]);
    lake.crawl("shop");
    assert_eq!(lake.tables(), ["t.events", "t.orders", "t.stores"]);
    assert_eq!(
        lake.sql("SELECT count(*) AS n, sum(amount) AS s FROM t.orders"),
        "n,s\n3,7.5\n"
    );
    assert_eq!(
        lake.sql("SELECT city FROM t.stores WHERE store = '02'"),
        "city\nOslo\n"
    );
    assert_eq!(lake.sql("SELECT kind FROM t.events"), "kind\nopen\n");

    // A file that comes later goes to its table, and to no other.
    lake.file("shop/orders_2021.csv", "id,day,amount\n4,2021-05-01,1\n");
    lake.crawl("shop");
    assert_eq!(lake.tables(), ["t.events", "t.orders", "t.stores"]);
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.orders"), "n\n4\n");
    assert_eq!(lake.versions("t.orders"), 2);
    assert_eq!(lake.versions("t.stores"), 1);
}

#[test]
fn a_folder_that_begins_like_another_is_another() {
    let lake = Lake::with([
        ("lake/data/a.csv", "id,v\n1,1\n"),
        ("lake/data2/a.csv", "id,v\n2,1\n"),
        ("lake/data.old/a.csv", "id,v\n3,1\n"),
    ]);
    lake.crawl("lake/data");
    assert_eq!(lake.sql("SELECT id FROM t.data"), "id\n1\n");
    lake.crawl("lake/data2");
    assert_eq!(lake.sql("SELECT id FROM t.data2"), "id\n2\n");
    // The first crawl's table is not told to be gone by the second's.
    assert_eq!(lake.versions("t.data"), 1);
    assert_eq!(lake.sql("SELECT id FROM t.data"), "id\n1\n");
}

#[test]
fn similar_folders_are_partitions_and_different_ones_tables() {
    let lake = Lake::with([
        ("similar/rome/a.csv", "id,name,amount\n1,x,2\n"),
        ("similar/oslo/a.csv", "id,name,amount\n2,y,3\n"),
        ("different/people/a.csv", "person,born\nAnn,1990\n"),
        ("different/places/a.csv", "city,lat,lon\nRome,41.9,12.5\n"),
    ]);
    lake.crawl("similar");
    lake.crawl("different");
    assert_eq!(lake.tables(), ["t.people", "t.places", "t.similar"]);
    assert_eq!(
        lake.sql("SELECT id, partition_0 FROM t.similar ORDER BY id"),
        "id,partition_0\n1,rome\n2,oslo\n"
    );
}

#[test]
fn hidden_and_empty_files_are_no_data() {
    let lake = Lake::with([
        ("d/a.csv", "id,v\n1,1\n"),
        ("d/_SUCCESS", "junk"),
        ("d/.a.csv.crc", "junk"),
        ("d/_temporary/0/b.csv", "id,v\n2,1\n"),
        ("d/empty.csv", ""),
    ]);
    let output = lake.crawl("d");
    assert!(output.stderr.contains("1 file without records"), "{output}");
    assert_eq!(lake.sql("SELECT id FROM t.d"), "id\n1\n");
}

#[test]
fn a_second_crawl_of_the_same_files_makes_no_version() {
    let lake = Lake::with([
        ("l/flat/a.csv", "id,v\n1,1\n"),
        ("l/parts/p=1/a.json", "{\"id\":1}\n"),
        ("l/parts/p=2/a.json", "{\"id\":2,\"x\":[1.5]}\n"),
    ]);
    lake.crawl("l");
    let before = lake.catalog();
    let output = lake.crawl("l");
    assert_eq!(
        output.stdout.matches(",unchanged,1,").count(),
        2,
        "{output}"
    );
    assert_eq!(lake.catalog(), before);
    assert_eq!((lake.versions("t.flat"), lake.versions("t.parts")), (1, 1));
}

#[test]
fn changed_files_make_one_version_of_each_changed_table() {
    let lake = Lake::with([
        ("l/flat/a.csv", "id,v\n1,1\n"),
        ("l/still/a.csv", "k,w,z\nx,1,2\n"),
        ("l/parts/p=1/a.json", "{\"id\":1}\n"),
    ]);
    lake.crawl("l");
    // Three changes at once, of schema, files and partitions: still one version.
    lake.file("l/parts/p=1/b.json", "{\"id\":2}\n");
    lake.file("l/parts/p=2/a.json", "{\"id\":2.5,\"new\":true}\n");
    lake.file("l/parts/p=3/a.json", "{\"id\":3}\n");
    lake.file("l/flat/a.csv", "id,v\n1,1\n2,2\n");
    let output = lake.crawl("l");
    assert_eq!(lake.versions("t.parts"), 2, "{output}");
    assert_eq!(lake.versions("t.flat"), 2, "{output}");
    assert_eq!(lake.versions("t.still"), 1, "{output}");
    assert_eq!(lake.columns("t.parts")[..2], ["id double", "new boolean"]);
    let shown = lake.ok(["catalog", "diff", "t.parts", "-o", "csv"]);
    snapshot!(lake, shown);
}

#[test]
fn a_column_is_never_dropped_or_narrowed() {
    let lake = Lake::with([("d/a.csv", "id,v,w\n1,1.5,x\n")]);
    lake.crawl("d");
    lake.file("d/a.csv", "id,v\n1,1\n2,2\n");
    lake.crawl("d");
    assert_eq!(lake.columns("t.d"), ["id bigint", "v double", "w string"]);
    assert_eq!(
        lake.sql("SELECT * FROM t.d ORDER BY id"),
        "id,v,w\n1,1.0,\n2,2.0,\n"
    );
}

#[test]
fn files_that_are_gone_deprecate_their_table_once() {
    let lake = Lake::with([
        ("l/a/x.csv", "id,v\n1,1\n"),
        ("l/b/x.json", "{\"k\":\"v\"}\n"),
    ]);
    lake.crawl("l");
    lake.remove("l/b/x.json");
    let output = lake.crawl("l");
    assert!(output.stdout.contains("t.b,files gone,2"), "{output}");
    lake.crawl("l");
    assert_eq!(lake.versions("t.b"), 2);
    // They come back, and so does the table.
    lake.file("l/b/x.json", "{\"k\":\"v\"}\n");
    lake.crawl("l");
    assert_eq!(lake.sql("SELECT * FROM t.b"), "k\nv\n");
    assert_eq!(lake.versions("t.b"), 3);
}

#[test]
fn a_partition_that_is_gone_leaves_the_table() {
    let lake = Lake::with([
        ("d/p=1/a.csv", "id,v\n1,1\n"),
        ("d/p=2/a.csv", "id,v\n2,1\n"),
    ]);
    lake.crawl("d");
    lake.remove("d/p=1/a.csv");
    lake.crawl("d");
    assert_eq!(lake.sql("SELECT id, p FROM t.d"), "id,p\n2,2\n");
    assert_eq!(lake.versions("t.d"), 2);
}

#[test]
fn a_dry_run_says_what_would_change_and_writes_nothing() {
    let lake = Lake::with([("d/p=1/a.csv", "id,v\n1,1\n")]);
    let first = lake.ok(["crawl", "d", "--database", "t", "--dry-run", "-o", "csv"]);
    assert!(first.stdout.contains("t.d,new,"), "{first}");
    let empty = lake.mastic(["catalog", "tables", "-o", "csv"]);
    assert!(!empty.stdout.contains("t.d"), "{empty}");

    lake.crawl("d");
    let before = lake.catalog();
    lake.file("d/p=2/a.csv", "id,v,w\n1,1.5,new\n");
    let output = lake.ok(["crawl", "d", "--database", "t", "--dry-run", "-o", "csv"]);
    assert_eq!(lake.catalog(), before);
    assert_eq!(lake.versions("t.d"), 1);
    snapshot!(lake, output);
}

#[test]
fn explain_says_why_each_table_came_out_so() {
    let lake = Lake::with([
        (
            "l/orders/year=2023/a.csv",
            "id,zip,amount\n1,00123,1\n2,90210,NA\n",
        ),
        (
            "l/orders/year=2024/a.csv",
            "id,zip,amount\n3,10115,2.5\n4,x,3\n",
        ),
        ("l/mixed/a.json", "{\"v\":1}\n{\"v\":\"one\"}\n"),
    ]);
    let output = lake.ok(["crawl", "l", "--database", "t", "--explain", "-o", "csv"]);
    snapshot!(lake, output);
}

#[test]
fn a_report_for_programs_is_json() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    let output = lake.ok(["crawl", "d", "--database", "t", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["tables"][0]["name"], "d");
    assert_eq!(report["tables"][0]["columns"][0], "id bigint");
    assert_eq!(report["tables"][0]["outcome"], "created");
}

#[test]
fn csv_files_bind_by_header_not_by_position() {
    let lake = Lake::with([
        ("d/1.csv", "id,name,amount\n1,Ann,2.5\n"),
        ("d/2.csv", "amount,id,name\n3.5,2,Bob\n"),
        ("d/3.csv", "NAME,Amount,ID\nCid,4.5,3\n"),
    ]);
    lake.crawl("d");
    assert_eq!(lake.tables(), ["t.d"]);
    assert_eq!(
        lake.sql("SELECT id, name, amount FROM t.d ORDER BY id"),
        "id,name,amount\n1,Ann,2.5\n2,Bob,3.5\n3,Cid,4.5\n"
    );
}

#[test]
fn an_older_partition_adapts_to_columns_that_came_later() {
    let lake = Lake::with([
        ("csv/p=1/a.csv", "id,amount\n1,10\n"),
        ("csv/p=2/a.csv", "note,amount,id\nnew,2.5,2\n"),
        ("json/p=1/a.json", "{\"id\":1,\"s\":{\"a\":1}}\n"),
        (
            "json/p=2/a.json",
            "{\"id\":2,\"s\":{\"a\":1.5,\"b\":\"x\"},\"note\":\"new\"}\n",
        ),
    ]);
    lake.file("parquet/p=1/a.parquet", fixture("narrow.parquet"));
    lake.file("parquet/p=2/a.parquet", fixture("wide.parquet"));
    for table in ["csv", "json", "parquet"] {
        lake.crawl(table);
    }
    assert_eq!(
        lake.sql("SELECT id, amount, note, p FROM t.csv ORDER BY id"),
        "id,amount,note,p\n1,10.0,,1\n2,2.5,new,2\n"
    );
    assert_eq!(
        lake.sql("SELECT id, t.s['a'] AS a, t.s['b'] AS b, note, p FROM t.json t ORDER BY id"),
        "id,a,b,note,p\n1,1.0,,,1\n2,1.5,x,new,2\n"
    );
    assert_eq!(
        lake.columns("t.parquet")[..2],
        ["id bigint", "amount double"]
    );
    assert_eq!(
        lake.sql("SELECT id, amount, note, p FROM t.parquet ORDER BY id"),
        "id,amount,note,p\n1,10.0,,1\n2,20.0,,1\n3,2.5,new,2\n"
    );
}

#[test]
fn csv_in_the_dialects_people_write() {
    let lake = Lake::with([
        ("semicolon/a.csv", "id;name\n1;\"a;b\"\n2;c\n"),
        ("tab/a.tsv", "id\tname\n1\ta;b\n2\tc\n"),
        ("pipe/a.txt", "id|name\n1|a;b\n2|c\n"),
        ("crlf/a.csv", "id,name\r\n1,a;b\r\n2,c\r\n"),
        ("bom/a.csv", "\u{feff}id,name\n1,a;b\n2,c\n"),
        ("noeol/a.csv", "id,name\n1,a;b\n2,c"),
        (
            "quoted/a.csv",
            "\"id\",\"name\"\n\"1\",\"a;b\"\n\"2\",\"c\"\n",
        ),
    ]);
    for table in ["semicolon", "tab", "pipe", "crlf", "bom", "noeol", "quoted"] {
        lake.crawl(table);
        assert_eq!(
            lake.sql(&format!("SELECT id, name FROM t.\"{table}\" ORDER BY id")),
            "id,name\n1,a;b\n2,c\n",
            "{table}"
        );
    }
}

#[test]
fn quotes_and_newlines_within_csv_values_are_kept() {
    let lake = Lake::with([(
        "q/a.csv",
        "id,text\n1,\"two\nlines\"\n2,\"say \"\"hi\"\"\"\n3,\"a,b\"\n",
    )]);
    lake.crawl("q");
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.q"), "n\n3\n");
    assert_eq!(
        lake.sql("SELECT text FROM t.q ORDER BY id"),
        "text\n\"two\nlines\"\n\"say \"\"hi\"\"\"\n\"a,b\"\n"
    );
}

#[test]
fn csv_without_a_header_has_numbered_columns() {
    let lake = Lake::with([(
        "n/a.csv",
        "1,2.5,2024-01-01\n2,3.5,2024-01-02\n3,4,2024-01-03\n",
    )]);
    lake.crawl("n");
    assert_eq!(lake.sql("SELECT count(*) AS n FROM t.n"), "n\n3\n");
    assert_eq!(lake.columns("t.n").len(), 3);
    snapshot!(lake, lake.columns("t.n").join("\n"));
}

#[test]
fn names_of_folders_and_columns_become_names_of_sql() {
    let lake = Lake::with([(
        "My Orders (2024)/a.csv",
        "Order ID,Ünit Price,select\n1,2.5,x\n2,3,y\n",
    )]);
    lake.crawl("My Orders (2024)");
    let names = format!("{:?} {:?}", lake.tables(), lake.columns(&lake.tables()[0]));
    snapshot!(lake, names);
    let table = lake.tables()[0].split_once('.').unwrap().1.to_owned();
    assert_eq!(
        lake.sql(&format!("SELECT count(*) AS n FROM t.\"{table}\"")),
        "n\n2\n"
    );
}

#[test]
fn two_targets_may_not_lie_within_each_other() {
    let lake = Lake::with([("d/e/a.csv", "id,v\n1,1\n")]);
    lake.fails(["crawl", "d", "d/e", "-d", "t"], "crawl one of them");
}

#[test]
fn a_single_file_is_a_table() {
    let lake = Lake::with([
        ("d/orders.csv", "id,v\n1,1\n"),
        ("d/other.csv", "a,b\nx,y\n"),
    ]);
    lake.crawl("d/orders.csv");
    let [table] = lake.tables().try_into().expect("one table");
    assert_eq!(lake.sql(&format!("SELECT * FROM {table}")), "id,v\n1,1\n");
}

#[test]
fn a_prefix_goes_before_every_name() {
    let lake = Lake::with([("d/a.csv", "id,v\n1,1\n")]);
    lake.ok(["crawl", "d", "-d", "t", "--prefix", "raw_"]);
    assert_eq!(lake.tables(), ["t.raw_d"]);
}

#[test]
fn a_stray_file_in_one_partition_hides_no_other() {
    let lake = Lake::with([
        ("s/year=2022/part-a.csv", "id,v\n1,10\n"),
        ("s/year=2023/part-b.csv", "id,v\n2,20\n"),
        ("s/year=2023/manifest.json", "{\"entries\": [1]}\n"),
    ]);
    lake.crawl("s");
    assert_eq!(
        lake.sql("SELECT id, year FROM t.s ORDER BY id"),
        "id,year\n1,2022\n2,2023\n"
    );
}

#[test]
fn a_column_with_its_keys_name_and_other_values_is_kept() {
    let lake = Lake::with([("s/region=eu/a.csv", "id,region\n1,north\n2,south\n")]);
    lake.crawl("s");
    assert_eq!(
        lake.sql("SELECT id, region, partition_region FROM t.s ORDER BY id"),
        "id,region,partition_region\n1,north,eu\n2,south,eu\n"
    );
}

#[test]
fn a_month_of_nothing_but_markers_does_not_stop_the_others() {
    let lake = Lake::with([
        ("s/month=1/a.csv", "id,delay\n1,NA\n2,NA\n"),
        ("s/month=2/a.csv", "id,delay\n3,5\n4,7\n"),
    ]);
    lake.crawl("s");
    assert_eq!(
        lake.sql("SELECT id, delay FROM t.s ORDER BY id"),
        "id,delay\n1,\n2,\n3,5\n4,7\n"
    );
}

#[test]
fn a_column_that_is_empty_today_keeps_its_type() {
    let lake = Lake::with([("s/a.csv", "id,amount\n1,10\n2,20\n")]);
    lake.crawl("s");
    lake.file("s/a.csv", "id,amount\n1,\n2,\n3,\n");
    lake.crawl("s");
    assert_eq!(lake.columns("t.s"), ["id bigint", "amount bigint"]);
}
