//! Each SerDe over a file of its kind.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::parquet::arrow::ArrowWriter;

use super::*;

#[tokio::test]
async fn delimited_text_with_everything_of_hives() {
    let lake = Lake::new().await;
    // Fields by |, items by ;, keys by =, null is \N; columns have their places, whatever the header says (Hive
    // language manual, "Row Formats & SerDe").
    lake.file(
        "t/a.txt",
        "Number|Some Text|c|d|e\n1|one|x;y|k=1;l=2|2024-01-02\n2||\\N||\\N\n3|a\\|b|z|k=\\N|2024-01-03\n",
    );
    lake.ok(
        r"CREATE EXTERNAL TABLE d.t (
            id int COMMENT 'a number', name STRING, tags ARRAY<STRING>, counts MAP<STRING,INT>, day date)
          ROW FORMAT DELIMITED
            FIELDS TERMINATED BY '|' ESCAPED BY '\\'
            COLLECTION ITEMS TERMINATED BY ';'
            MAP KEYS TERMINATED BY '='
            LINES TERMINATED BY '\n'
          STORED AS TEXTFILE
          LOCATION '{dir}/t/'
          TBLPROPERTIES ('skip.header.line.count'='1', 'has_encrypted_data'='false')",
    )
    .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.t ORDER BY id").await,
        [
            "1|one|[x, y]|{k: 1, l: 2}|2024-01-02",
            "2||NULL|NULL|NULL",
            "3|a|b|[z]|{k: }|2024-01-03",
        ]
    );
    assert_eq!(lake.rows("SELECT id FROM d.t WHERE name = ''").await, ["2"]);
}

#[tokio::test]
async fn the_defaults_of_text_are_hives() {
    let lake = Lake::new().await;
    lake.file("t/a", "1\u{1}a\u{2}b\u{1}beyond\n2\u{1}\\N\n");
    lake.ok("CREATE EXTERNAL TABLE d.t (id bigint, tags array<string>) LOCATION '{dir}/t'")
        .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.t ORDER BY id").await,
        ["1|[a, b]", "2|NULL"]
    );
}

#[tokio::test]
async fn open_csv() {
    let lake = Lake::new().await;
    // "OpenCSVSerDe for processing CSV", Athena user guide.
    lake.file("t/a.csv", "'a, with comma';'1'\n'it\\'s';''\nplain;3\n");
    lake.ok(r#"CREATE EXTERNAL TABLE d.t (`text` string, "n" string)
           ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
           WITH SERDEPROPERTIES ("separatorChar" = ";", "quoteChar" = "'", "escapeChar" = "\\")
           STORED AS TEXTFILE LOCATION '{dir}/t'"#)
        .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.t").await,
        ["a, with comma|1", "it's|", "plain|3"]
    );
}

#[tokio::test]
async fn json_of_both_kinds() {
    let lake = Lake::new().await;
    lake.file(
        "t/a.json",
        "{\"id\": 1, \"Time Stamp\": \"x\", \"in\": {\"a\": [1, 2]}}\nthis is none\n{\"id\": 2}\n",
    );
    // "OpenX JSON SerDe", Athena user guide: mapping., ignore.malformed.json; what is no JSON is a row of nulls, as in
    // Trino's OpenXJsonDeserializer.
    lake.ok(
        "CREATE EXTERNAL TABLE d.t (id bigint, ts string, `in` struct<a:array<int>>)
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
         WITH SERDEPROPERTIES ('mapping.ts'='Time Stamp', 'ignore.malformed.json'='true', 'case.insensitive'='true')
         LOCATION '{dir}/t'",
    )
    .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.t").await,
        ["1|x|{a: [1, 2]}", "NULL|NULL|NULL", "2|NULL|NULL"]
    );
    lake.ok("CREATE EXTERNAL TABLE d.h (id bigint)
         ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe' LOCATION '{dir}/t'")
        .await;
    let error = lake.session.sql("SELECT * FROM d.h").await.unwrap();
    let error = error.collect().await.unwrap_err().to_string();
    assert!(error.contains("a.json, line 2"), "{error}");
    lake.file("u/a.json", "{\"ID\": 7}\n");
    lake.ok("CREATE EXTERNAL TABLE d.u (id bigint) STORED AS JSONFILE LOCATION '{dir}/u'")
        .await;
    assert_eq!(lake.rows("SELECT * FROM d.u").await, ["7"]);
}

#[tokio::test]
async fn parquet() {
    let lake = Lake::new().await;
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), None]))),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    lake.file("t/p=1/a.parquet", file);
    lake.ok(
        "CREATE EXTERNAL TABLE IF NOT EXISTS d.t (name string, id bigint, later decimal(10, 2))
         PARTITIONED BY (p int) STORED AS PARQUET LOCATION '{dir}/t'
         TBLPROPERTIES ('parquet.compression'='SNAPPY')",
    )
    .await;
    assert_eq!(lake.rows("SELECT * FROM d.t").await, Vec::<String>::new());
    assert_eq!(
        lake.rows("MSCK REPAIR TABLE d.t").await,
        [lake.text("added|p=1|{dir}/t/p=1")]
    );
    assert_eq!(
        lake.rows("SELECT * FROM d.t").await,
        ["a|1|NULL|1", "NULL|2|NULL|1"]
    );
}

#[tokio::test]
async fn orc_and_avro() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    for (format, name) in [("ORC", "zlib.orc"), ("AVRO", "deflate.avro")] {
        let lake = Lake::new().await;
        let file = lake.file(
            &format!("t/{name}"),
            std::fs::read(fixtures.join(name)).unwrap(),
        );
        // What a look at the file finds is what the table is made of.
        let found = lake
            .session
            .path(&file.display().to_string(), None)
            .await
            .unwrap();
        let columns: Vec<String> = found
            .schema()
            .fields()
            .iter()
            .map(|f| {
                format!(
                    "`{}` {}",
                    f.name(),
                    mastic_schema::hive::format_type(f.data_type())
                )
            })
            .collect();
        let expected = found.count().await.unwrap();
        let make = format!(
            "CREATE EXTERNAL TABLE d.t ({}) STORED AS {format} LOCATION '{{dir}}/t'",
            columns.join(", ")
        );
        lake.ok(&make).await;
        assert!(expected > 0);
        assert_eq!(
            lake.rows("SELECT count(*) FROM d.t").await,
            [expected.to_string()],
            "{format}"
        );
    }
}

#[tokio::test]
async fn regular_expressions_and_grok() {
    let lake = Lake::new().await;
    lake.file("t/a.log", "10 GET /index\n20 PUT /x y\n");
    lake.ok(
        r#"CREATE EXTERNAL TABLE d.t (ms int, verb string, path string)
           ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
           WITH SERDEPROPERTIES ("input.regex" = "^(\\d+)\\s+([A-Z]+) (.*)$")
           LOCATION '{dir}/t'"#,
    )
    .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.t ORDER BY ms").await,
        ["10|GET|/index", "20|PUT|/x y"]
    );
    lake.ok(
        "CREATE EXTERNAL TABLE d.g (ms int, verb string, path string)
         ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
         WITH SERDEPROPERTIES ('input.format'='%{NUMBER:ms} %{VERB:verb} %{GREEDYDATA:path}',
                               'input.grokCustomPatterns' = 'VERB [A-Z]+')
         STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
         OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
         LOCATION '{dir}/t'",
    )
    .await;
    assert_eq!(
        lake.rows("SELECT * FROM d.g ORDER BY ms").await,
        ["10|GET|/index", "20|PUT|/x y"]
    );
}

#[tokio::test]
async fn xml() {
    let lake = Lake::new().await;
    lake.file(
        "t/a.xml",
        "<all><row><id>1</id><n>x</n></row><row><id>2</id></row></all>",
    );
    lake.ok("CREATE EXTERNAL TABLE d.t (id int, n string)
         ROW FORMAT SERDE 'com.ibm.spss.hive.serde2.xml.XmlSerDe'
         WITH SERDEPROPERTIES ('rowTag'='row') LOCATION '{dir}/t'")
        .await;
    assert_eq!(lake.rows("SELECT * FROM d.t").await, ["1|x", "2|NULL"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_said_when_the_table_is_made() {
    let lake = Lake::new().await;
    for (statement, message, hint) in [
        (
            "CREATE EXTERNAL TABLE d.t (a int) STORED AS PARKET LOCATION '{dir}'",
            "there is no format 'PARKET'",
            "did you mean PARQUET?",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) STORED AS SEQUENCEFILE LOCATION '{dir}'",
            "not built",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) ROW FORMAT SERDE 'com.example.X' LOCATION '{dir}'",
            "com.example.x",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' LOCATION '{dir}'",
            "input.regex",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) ROW FORMAT SERDE 'x.RegexSerDe' WITH SERDEPROPERTIES ('input.regex'='(') LOCATION '{dir}'",
            "cannot be used",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a strng) LOCATION '{dir}'",
            "'strng' is unknown",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a row(b int)) LOCATION '{dir}'",
            "row is a type of queries",
            "struct<",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int, A int) LOCATION '{dir}'",
            "two columns 'a'",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) PARTITIONED BY (a int) LOCATION '{dir}'",
            "there already",
            "leave it out",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) PARTITIONED BY (day(b)) LOCATION '{dir}'",
            "has no type",
            "Iceberg",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int)",
            "no LOCATION",
            "LOCATION",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) LOCATION 'hdfs://x/y'",
            "hdfs",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t LOCATION '{dir}'",
            "no columns",
            "crawl",
        ),
        (
            "CREATE EXTERNAL TABLE x.t (a int) LOCATION '{dir}'",
            "there is no database 'x'",
            "did you mean 'd'?",
        ),
        (
            "CREATE TABLE d.t (a int) LOCATION '{dir}'",
            "needs the word EXTERNAL",
            "AS SELECT",
        ),
        (
            "CREATE TABLE d.t (a int) LOCATION '{dir}' TBLPROPERTIES ('table_type'='ICEBERG')",
            "Iceberg",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t LIKE d.u",
            "LIKE is not built",
            "SHOW CREATE",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) LOCATON '{dir}'",
            "'LOCATON' was found",
            "did you mean LOCATION?",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) LOCATION “x”",
            "'“' was found",
            "typographic",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) LOCATION 'x",
            "does not end",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int NOT NULL) LOCATION '{dir}'",
            "constraints",
            "",
        ),
        (
            "CREATE EXTERNAL TABLE d.t (a int) STORED BY 'x' LOCATION '{dir}'",
            "STORED BY",
            "",
        ),
    ] {
        let (found, found_hint) = lake.refused(statement).await;
        assert!(found.contains(message), "{statement}: {found}");
        let found_hint = found_hint.unwrap_or_default();
        assert!(found_hint.contains(hint), "{statement}: {found_hint}");
    }
    assert_eq!(lake.rows("SHOW TABLES IN d").await, Vec::<String>::new());
}
