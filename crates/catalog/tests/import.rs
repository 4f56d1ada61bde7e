//! What the AWS CLI prints goes in, and what goes out comes in again.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails panics; what it measures goes to stderr"
)]

use std::sync::Arc;

use mastic_catalog::{
    CatalogError, CatalogStore, Column, Database, DatabaseDocument, Document, OpenMode, Partition,
    StorageDescriptor, Table, TableDocument, TableOutcome, VersionId, export, import, open,
};
use proptest::prelude::*;

async fn store(folder: &tempfile::TempDir, name: &str) -> Arc<dyn CatalogStore> {
    let path = folder.path().join(name).display().to_string();
    open(&path, OpenMode::CreateIfMissing).await.unwrap()
}

#[tokio::test]
async fn what_the_aws_cli_prints() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, "a.db").await;
    // `aws glue get-tables --database-name demo > a.json; aws glue get-partitions … >> a.json`
    let text = r#"
        {"TableList": [
          {"Name": "Flights", "DatabaseName": "demo", "CreateTime": "2018-06-07T11:55:10-07:00", "Retention": 0,
           "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "bigint"}], "Location": "s3://b/flights/",
             "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}, "SortColumns": []},
           "PartitionKeys": [{"Name": "year", "Type": "string"}], "TableType": "EXTERNAL_TABLE",
           "Parameters": {"classification": "json"}, "CreatedBy": "arn:aws:iam::1:role/x", "VersionId": "41",
           "IsRegisteredWithLakeFormation": false, "CatalogId": "1"}],
         "NextToken": null}
        {"Partitions": [
          {"Values": ["2018"], "DatabaseName": "demo", "TableName": "flights", "CreationTime": 1528397710.0,
           "StorageDescriptor": {"Location": "s3://b/flights/year=2018/"}, "CatalogId": "1"}]}"#;
    let applied = import(&*store, text, None, "import").await.unwrap();
    assert_eq!(
        applied.tables[0].outcome,
        TableOutcome::Created {
            version: VersionId(1)
        }
    );
    let table = store.get_table("demo", "flights").await.unwrap();
    assert_eq!(
        table.create_time.unwrap().to_rfc3339(),
        "2018-06-07T18:55:10+00:00"
    );
    let partitions = store
        .get_partitions("demo", "flights", None, None)
        .await
        .unwrap();
    assert_eq!(partitions[0].location(), Some("s3://b/flights/year=2018/"));
    assert_eq!(
        partitions[0].creation_time.unwrap().timestamp(),
        1_528_397_710
    );
    assert!(
        !import(&*store, text, None, "import")
            .await
            .unwrap()
            .changed()
    );

    // Partitions alone, of a table that is there.
    let text =
        r#"{"Partition": {"Values": ["2019"], "DatabaseName": "Demo", "TableName": "Flights"}}"#;
    let applied = import(&*store, text, None, "import").await.unwrap();
    assert_eq!(applied.tables[0].partitions_added, 1);
    assert_eq!(
        store
            .count_partitions("demo", "flights", None, None)
            .await
            .unwrap(),
        2
    );

    import(
        &*store,
        r#"{"Database": {"Name": "x", "Description": "new"}}"#,
        None,
        "import",
    )
    .await
    .unwrap();
    import(
        &*store,
        r#"{"DatabaseList": [{"Name": "X", "Description": "newer"}]}"#,
        None,
        "import",
    )
    .await
    .unwrap();
    assert_eq!(
        store
            .get_database("x")
            .await
            .unwrap()
            .description
            .as_deref(),
        Some("newer")
    );
    import(
        &*store,
        r#"{"Table": {"Name": "loose"}}"#,
        Some("x"),
        "import",
    )
    .await
    .unwrap();
    store.get_table("x", "loose").await.unwrap();
}

#[tokio::test]
async fn what_is_no_catalog_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, "a.db").await;
    for (text, part) in [
        ("", "empty"),
        ("[1]", "not a JSON object"),
        ("{\"Tables\": []}", "but Tables"),
        ("{\"Table\": {\"Name\": \"t\"}}", "no DatabaseName"),
        ("{\"Partitions\": [{\"Values\": [\"1\"]}]}", "TableName"),
        ("{\"Database\": {\"Name\": \"d\"}", "EOF"),
        (
            "{\"Database\": {\"Name\": \"d\"}} {\"Table\": {\"Name\": 5}}",
            "invalid type",
        ),
    ] {
        let error = import(&*store, text, None, "import").await.unwrap_err();
        assert!(
            matches!(error, CatalogError::InvalidImport { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(part), "{error}");
    }
    let bad = r#"{"Database": {"Name": "d"}, "Table": {"Name": "t", "DatabaseName": "d"},
                  "Partitions": [{"Values": ["1"], "DatabaseName": "d", "TableName": "t"}]}"#;
    let error = import(&*store, bad, None, "import").await.unwrap_err();
    assert!(
        matches!(error, CatalogError::InvalidPartition { .. }),
        "{error:?}"
    );
    assert_eq!(store.list_databases().await.unwrap(), []);
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 é'\"\\\\\n{}%/]{1,12}"
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    let hive_type = prop::sample::select(vec![
        "bigint",
        "string",
        "array<struct<a:int,b:map<string,date>>>",
    ]);
    prop::collection::vec((text(), hive_type, prop::option::of(text())), 0..4).prop_map(|columns| {
        columns
            .into_iter()
            .map(|(name, hive_type, comment)| Column {
                comment,
                ..Column::new(name, hive_type)
            })
            .collect()
    })
}

fn parameters() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    prop::collection::btree_map(text(), text(), 0..3)
}

fn descriptor() -> impl Strategy<Value = StorageDescriptor> {
    (
        columns(),
        prop::option::of(text()),
        prop::option::of(any::<bool>()),
        parameters(),
    )
        .prop_map(
            |(columns, location, compressed, parameters)| StorageDescriptor {
                columns,
                location,
                compressed,
                parameters,
                ..StorageDescriptor::default()
            },
        )
}

fn table() -> impl Strategy<Value = TableDocument> {
    let partition = (text(), prop::option::of(descriptor()), parameters()).prop_map(
        |(value, descriptor, parameters)| {
            (
                value.clone(),
                Partition {
                    values: vec![value],
                    storage_descriptor: descriptor,
                    parameters,
                    ..Partition::default()
                },
            )
        },
    );
    (
        prop::option::of(text()),
        prop::option::of(descriptor()),
        parameters(),
        prop::collection::btree_map(any::<u8>(), partition, 0..5),
    )
        .prop_map(
            |(description, storage_descriptor, parameters, partitions)| {
                let partitions: std::collections::BTreeMap<String, Partition> =
                    partitions.into_values().collect();
                TableDocument {
                    table: Table {
                        description,
                        storage_descriptor,
                        parameters,
                        partition_keys: vec![Column::new("k", "string")],
                        ..Table::default()
                    },
                    partitions: partitions.into_values().collect(),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// What goes in comes out, and what came out goes into another store as the same.
    #[test]
    fn round_trip(
        database in (prop::option::of(text()), parameters()),
        tables in prop::collection::btree_map("[a-z][a-z0-9_]{0,8}", table(), 0..4),
    ) {
        let mut given = DatabaseDocument {
            database: Database { description: database.0, parameters: database.1, ..Database::new("d") },
            tables: Vec::new(),
        };
        for (name, mut table) in tables {
            table.table.name = name;
            table.table.database_name = "d".into();
            given.tables.push(table);
        }
        let given = Document { databases: vec![given], ..Document::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (first, second) = (store(&folder, "a.db").await, store(&folder, "b.db").await);
            let text = serde_json::to_string(&given).unwrap();
            import(&*first, &text, None, "import").await.unwrap();
            let out = export(&*first, &[]).await.unwrap();
            import(&*second, &serde_json::to_string_pretty(&out).unwrap(), None, "import").await.unwrap();
            let mut again = export(&*second, &[]).await.unwrap();
            for (table, like) in again.databases[0].tables.iter_mut().zip(&out.databases[0].tables) {
                table.table.update_time = like.table.update_time;
            }
            assert_eq!(again, out);
            for (table, like) in out.databases[0].tables.iter().zip(&given.databases[0].tables) {
                assert!(table.table.same_definition(&like.table), "{table:?}\n{like:?}");
                assert_eq!(table.partitions.len(), like.partitions.len());
                for (partition, like) in table.partitions.iter().zip(&like.partitions) {
                    assert_eq!(partition.storage_descriptor, like.storage_descriptor);
                    assert_eq!((&partition.values, &partition.parameters), (&like.values, &like.parameters));
                }
            }
        });
    }
}

#[tokio::test]
async fn crawlers_and_classifiers_that_the_aws_cli_prints() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, "crawlers.db").await;
    // `aws glue get-crawlers; aws glue get-classifiers; aws glue get-classifier --name …` (shapes: botocore's service
    // model `glue/2017-03-31`).
    let text = r#"
        {"Crawlers": [
          {"Name": "Sales", "Role": "service-role/x", "Targets": {"S3Targets": [{"Path": "s3://b/sales", "Exclusions": []}],
             "JdbcTargets": [], "DynamoDBTargets": [], "CatalogTargets": []}, "DatabaseName": "sales",
           "Classifiers": ["percent", "app"], "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
           "SchemaChangePolicy": {"UpdateBehavior": "LOG", "DeleteBehavior": "DELETE_FROM_DATABASE"},
           "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"}, "State": "READY", "CrawlElapsedTime": 0,
           "CreationTime": "2024-05-01T10:00:00+02:00", "LastUpdated": "2024-05-02T10:00:00+02:00",
           "LastCrawl": {"Status": "SUCCEEDED", "LogGroup": "/aws-glue/crawlers"}, "Version": 7,
           "LakeFormationConfiguration": {"UseLakeFormationCredentials": false, "AccountId": ""}}],
         "NextToken": null}
        {"Classifiers": [{"CsvClassifier": {"Name": "percent", "CreationTime": 1714550400.0, "Version": 2,
           "Delimiter": "%", "QuoteSymbol": "\"", "ContainsHeader": "PRESENT", "Header": [], "AllowSingleColumn": false}}]}
        {"Classifier": {"GrokClassifier": {"Name": "app", "Classification": "app", "GrokPattern": "%{WORD:a}"}}}"#;
    let applied = import(&*store, text, None, "import").await.unwrap();
    assert_eq!((applied.classifiers.len(), applied.crawlers.len()), (2, 1));
    let crawler = store.get_crawler("Sales").await.unwrap();
    assert_eq!(crawler.classifiers, ["percent", "app"]);
    // When it was made is kept; how often it was written is this catalog's own.
    assert_eq!(
        crawler.creation_time.unwrap().to_rfc3339(),
        "2024-05-01T08:00:00+00:00"
    );
    assert_eq!(crawler.version, Some(1));
    assert!(
        !import(&*store, text, None, "import")
            .await
            .unwrap()
            .changed()
    );

    for (text, told) in [
        (
            r#"{"Classifiers": [{"CsvClassifier": {"Name": "p", "Serde": "x"}}]}"#,
            r#"classifier "p": unknown variant `x`"#,
        ),
        (
            r#"{"Crawler": {"Name": "c", "SchemaChangePolicy": {"DeleteBehavior": "x"}}}"#,
            r#"crawler "c": unknown variant `x`"#,
        ),
        (
            r#"{"Classifier": {"CsvClassifier": {"Name": "p"}, "JsonClassifier": {"Name": "p", "JsonPath": "$"}}}"#,
            "one classifier is of one kind",
        ),
        (
            r#"{"Crawlers": [{"Name": "c", "Targets": {"JdbcTargets": [{"Path": "db/%"}]}}]}"#,
            "Mastic crawls files only",
        ),
        (
            r#"{"Crawlers": [{"Name": "c", "Targets": {"S3Targets": [{"Path": "x"}]}, "Classifiers": ["nope"]}]}"#,
            "classifier nope does not exist",
        ),
    ] {
        let error = import(&*store, text, None, "import").await.unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
    }
    assert!(store.get_crawler("c").await.is_err());
}
