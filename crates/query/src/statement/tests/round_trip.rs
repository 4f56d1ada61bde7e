//! `SHOW CREATE` writes a statement that makes the same definition.

use mastic_catalog::{
    Change, ChangeSet, Column, Expected, Parameters, PartitionChanges, SerDeInfo, StorageDescriptor,
};
use mastic_lake::format::FileFormat;
use proptest::prelude::*;

use super::super::command::Command;
use super::super::parse::parse;
use super::super::run::show_create::statement;
use super::*;

async fn again(lake: &Lake, name: &str) {
    let before = lake.table(name).await;
    let text = lake
        .rows(&format!("SHOW CREATE TABLE d.{name}"))
        .await
        .join("\n");
    lake.ok(&format!("DROP TABLE d.{name}")).await;
    lake.ok(&text).await;
    let after = lake.table(name).await;
    assert!(
        before.same_definition(&after),
        "{text}\n{before:#?}\n{after:#?}"
    );
}

#[tokio::test]
async fn tables_that_statements_make() {
    let lake = Lake::new().await;
    for (at, rest) in [
        "(a int, `b c` string COMMENT 'it\\'s \\\\ \\n \\u0001 ü') COMMENT 'of \"all\"' LOCATION '{dir}'",
        "(a struct<`x-y`:int,z:array<map<string,decimal(10,2)>>>) PARTITIONED BY (p string COMMENT 'key', q int) STORED AS ORC LOCATION '{dir}'",
        "(a int, b int) CLUSTERED BY (a) SORTED BY (b DESC, a) INTO 8 BUCKETS STORED AS PARQUET LOCATION '{dir}' TBLPROPERTIES ('x'='')",
        "(a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' COLLECTION ITEMS TERMINATED BY '\\u0002' NULL DEFINED AS '' LOCATION '{dir}'",
        "(a int) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ('quoteChar'='\\'', 'escapeChar'='\\\\') LOCATION '{dir}' TBLPROPERTIES ('skip.header.line.count'='2')",
        "(a int) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('mapping.a'='A b') LOCATION '{dir}'",
        "(a int) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES ('input.regex'='^(\\\\d+)\\\\s\"\\'.*$') LOCATION '{dir}'",
        "(a int) ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe' WITH SERDEPROPERTIES ('input.format'='%{NUMBER:a}') LOCATION '{dir}'",
        "(a int) ROW FORMAT SERDE 'com.ibm.spss.hive.serde2.xml.XmlSerDe' WITH SERDEPROPERTIES ('rowTag'='r') LOCATION '{dir}'",
        "(a int) STORED AS AVRO LOCATION '{dir}'",
        "(a int) STORED AS JSONFILE LOCATION '{dir}'",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("t{at}");
        lake.ok(&format!("CREATE EXTERNAL TABLE d.{name} {rest}")).await;
        again(&lake, &name).await;
    }
}

#[tokio::test]
async fn a_crawled_table_keeps_its_parameters() {
    let lake = Lake::new().await;
    for (at, format) in ["csv", "json", "parquet", "orc", "avro", "combined_apache"]
        .into_iter()
        .enumerate()
    {
        let name = format!("c{at}");
        let serde = FileFormat::named(format).unwrap().serde();
        let mut column = Column::new("Id", "struct<a-b:bigint,c d:string>");
        column
            .parameters
            .insert("mastic.choice".into(), "choice<bigint,string>".into());
        let mut table = Table::new("d", name.as_str());
        table.table_type = Some("EXTERNAL_TABLE".into());
        table.partition_keys = vec![Column::new("p", "int")];
        table.parameters = [
            ("classification", serde.classification.as_str()),
            ("compressionType", "gzip,none"),
            ("UPDATED_BY_CRAWLER", "mastic"),
            ("mastic.inferred", "{\"id\":\"void\"}"),
            ("exclusions", "[\"/a\\\\*b/**\"]"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        table.storage_descriptor = Some(StorageDescriptor {
            columns: vec![column, Column::new("id", "bigint")],
            location: Some(lake.path().display().to_string()),
            input_format: Some(serde.input_format.into()),
            output_format: Some(serde.output_format.into()),
            compressed: Some(true),
            number_of_buckets: Some(-1),
            serde_info: Some(SerDeInfo {
                name: None,
                serialization_library: Some(serde.library.into()),
                parameters: serde.parameters,
            }),
            ..StorageDescriptor::default()
        });
        let put = Change::PutTable {
            table,
            expected: Expected::Absent,
            partitions: PartitionChanges::none(),
        };
        lake.catalog()
            .apply(ChangeSet::new("test").with(put))
            .await
            .unwrap();
        again(&lake, &name).await;
    }
}

#[tokio::test]
async fn views() {
    let lake = Lake::new().await;
    for (at, rest) in [
        "COMMENT 'it''s' AS SELECT 1 AS a, '\\' AS \"b\"\"c\"",
        "(x COMMENT 'the ''first''', \"y z\") AS SELECT 1, 2 -- the end",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("v{at}");
        lake.ok(&format!("CREATE VIEW d.{name} {rest}")).await;
        let before = lake.table(&name).await;
        let rows = lake.rows(&format!("SELECT * FROM d.{name}")).await;
        let text = lake
            .rows(&format!("SHOW CREATE VIEW d.{name}"))
            .await
            .join("\n");
        lake.ok(&format!("DROP VIEW d.{name}")).await;
        lake.ok(&text).await;
        let after = lake.table(&name).await;
        assert_eq!(before.columns(), after.columns(), "{text}");
        assert_eq!(before.description, after.description, "{text}");
        assert_eq!(
            lake.rows(&format!("SELECT * FROM d.{name}")).await,
            rows,
            "{text}"
        );
    }
}

fn texts() -> impl Strategy<Value = Parameters> {
    proptest::collection::btree_map("[a-z.%_\\\\'\"`\\n\u{1}ü😀 ]{1,12}", any::<String>(), 0..4)
}

proptest! {
    /// Whatever the names, types, comments and properties are, they are read as they were.
    #[test]
    fn what_is_shown_is_what_was_meant(
        name in "[^A-Z\0]{1,20}",
        column in any::<String>().prop_filter("a name", |n| !n.is_empty() && n.to_lowercase() == *n),
        field in any::<String>().prop_filter("a field", |n| !n.trim().is_empty()),
        comment in proptest::option::of(any::<String>()),
        properties in texts(),
        of_serde in texts(),
    ) {
        let mut table = Table::new("d", name.to_lowercase());
        let hive_type = format!("array<struct<{}:decimal(5,2),b:map<string,int>>>", mastic_schema::hive::format_name(&field));
        prop_assume!(mastic_schema::hive::parse_type(&hive_type).is_ok());
        table.description.clone_from(&comment);
        table.parameters = properties.clone();
        table.storage_descriptor = Some(StorageDescriptor {
            columns: vec![Column { comment, ..Column::new(column.as_str(), hive_type.as_str()) }],
            location: Some("/x".into()),
            serde_info: Some(SerDeInfo {
                name: None,
                serialization_library: Some("x'y".into()),
                parameters: of_serde.clone(),
            }),
            ..StorageDescriptor::default()
        });
        let text = statement(&table).unwrap();
        let Some(Command::CreateTable(made)) = parse(&text).unwrap() else {
            panic!("{text}");
        };
        prop_assert_eq!(&made.name.table, &table.name);
        prop_assert_eq!(made.comment, table.description);
        prop_assert_eq!(&made.columns[0].name.value, &column);
        prop_assert_eq!(&made.columns[0].hive_type, &hive_type);
        prop_assert_eq!(made.properties.into_iter().collect::<Parameters>(), properties);
        prop_assert_eq!(made.serde_properties.into_iter().collect::<Parameters>(), of_serde);
    }
}
