//! A catalog of an older schema version is brought up to date when it is opened, with all that is in it.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use mastic_catalog::testing::ThrowawayPostgres;
use mastic_catalog::{
    Change, ChangeSet, Expected, OpenMode, Partition, PartitionChanges, VersionId, open,
};

const POSTGRES: &str = include_str!("../../../catalog/postgres.sql");
const VERSION_1: &str = include_str!("../../../catalog/0001_catalog.sql");
/// A catalog as a program of schema version 1 left it: a table in two versions, two partitions with one descriptor.
const CONTENT: &str = r#"
    CREATE TABLE schema_version (
        version BIGINT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL, applied_by TEXT NOT NULL
    );
    INSERT INTO schema_version VALUES (1, '2025-01-01T00:00:00Z', 'mastic 0.1.0');
    INSERT INTO databases (name, definition) VALUES ('d', '{"Name":"d"}');
    UPDATE counters SET value = 1 WHERE name = 'table';
    INSERT INTO tables (table_id, database_name, name, last_version) VALUES (1, 'd', 't', 2);
    INSERT INTO table_versions VALUES
        (1, 1, '2025-01-01T00:00:00Z', 'crawl', '{"Name":"t","DatabaseName":"d","PartitionKeys":[{"Name":"k","Type":"string"}]}', 1, 0, 0),
        (1, 2, '2025-01-02T00:00:00Z', 'crawl', '{"Name":"t","DatabaseName":"d","PartitionKeys":[{"Name":"k","Type":"string"}]}', 1, 0, 0);
    INSERT INTO descriptors (table_id, descriptor_id, definition) VALUES (1, 1, '{}');
    INSERT INTO partitions (table_id, partition_values, version_from, created_at, descriptor_id, definition, k0) VALUES
        (1, '["a"]', 1, '2025-01-01T00:00:00Z', 1, '{"Location":"s3://b/t/k=a/"}', 'a'),
        (1, '["b"]', 2, '2025-01-02T00:00:00Z', 1, '{"Location":"s3://b/t/k=b/"}', 'b');
"#;

/// What was there is there; what is put finds the descriptor that was there.
async fn assert_migrated(url: &str) {
    // Twice: the second finds nothing to do.
    open(url, OpenMode::MustExist).await.unwrap();
    let store = open(url, OpenMode::MustExist).await.unwrap();
    let locations = async |version| -> Vec<String> {
        let found = store.get_partitions("d", "t", version, None).await.unwrap();
        found
            .iter()
            .map(|partition| partition.location().unwrap().to_owned())
            .collect()
    };
    assert_eq!(locations(Some(VersionId(1))).await, ["s3://b/t/k=a/"]);
    assert_eq!(locations(None).await, ["s3://b/t/k=a/", "s3://b/t/k=b/"]);
    let put = Change::PutTable {
        table: store.get_table("d", "t").await.unwrap(),
        expected: Expected::Version(VersionId(2)),
        partitions: PartitionChanges::put(vec![
            // As it was: its descriptor is found though it had no digest.
            Partition::new(["a"], "s3://b/t/k=a/"),
            Partition::new(["c"], "s3://b/t/k=c/"),
        ]),
    };
    let applied = store
        .apply(ChangeSet::new("t").with(put).keeping(1))
        .await
        .unwrap();
    let told = &applied.tables[0];
    assert_eq!((told.partitions_added, told.partitions_changed), (1, 0));
    assert_eq!(locations(None).await.len(), 3);
}

#[tokio::test]
async fn sqlite_migrates() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("catalog.db").display().to_string();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{url}?mode=rwc"))
        .await
        .unwrap();
    for script in [VERSION_1, CONTENT] {
        sqlx::raw_sql(script).execute(&pool).await.unwrap();
    }
    assert_migrated(&url).await;
    let descriptors: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM descriptors WHERE digest IS NOT NULL")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(descriptors, 1);
}

#[tokio::test]
async fn postgres_migrates() {
    let Some(server) = ThrowawayPostgres::start().unwrap() else {
        return;
    };
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let schema = "CREATE SCHEMA old; SET search_path TO old;";
    let script = [schema, POSTGRES, VERSION_1, CONTENT].join("\n");
    sqlx::raw_sql(sqlx::AssertSqlSafe(script))
        .execute(&pool)
        .await
        .unwrap();
    assert_migrated(&format!("{}?schema=old", server.url())).await;
}
