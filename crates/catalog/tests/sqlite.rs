//! The store on SQLite.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails panics; what it measures goes to stderr"
)]

use std::path::Path;
use std::sync::Arc;

use mastic_catalog::conformance::{add_one, assert_counted, conformance};
use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Column, Database, Expected, OpenMode, Partition,
    PartitionChanges, PartitionPredicate, StorageDescriptor, Table, open,
};

async fn open_in(folder: &Path) -> Arc<dyn CatalogStore> {
    let file = folder.join(format!("{}.db", uuid::Uuid::new_v4()));
    open(&file.display().to_string(), OpenMode::CreateIfMissing)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conformance(async || open_in(folder.path()).await).await;
}

#[tokio::test]
async fn what_is_missing_stays_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sub/catalog.db");
    let url = format!("sqlite:{}", file.display());
    let error = open(&url, OpenMode::MustExist).await.unwrap_err();
    assert!(matches!(error, CatalogError::NoCatalog { .. }), "{error}");
    assert!(!folder.path().join("sub").exists());

    // A file without a catalog in it is none either.
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(&file, "").unwrap();
    let error = open(&url, OpenMode::MustExist).await.unwrap_err();
    assert!(matches!(error, CatalogError::NoCatalog { .. }), "{error}");
    let other = folder.path().join("text.db");
    std::fs::write(
        &other,
        "not a database, but a text that is longer than a header".repeat(50),
    )
    .unwrap();
    let error = open(&other.display().to_string(), OpenMode::CreateIfMissing)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("text.db"), "{error}");

    open(&url, OpenMode::CreateIfMissing).await.unwrap();
    open(&url, OpenMode::MustExist).await.unwrap();
}

#[tokio::test]
async fn a_newer_catalog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.db");
    let url = file.display().to_string();
    drop(open(&url, OpenMode::CreateIfMissing).await.unwrap());
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{url}"))
        .await
        .unwrap();
    sqlx::query("INSERT INTO schema_version VALUES (1000, 'x', 'mastic 99')")
        .execute(&pool)
        .await
        .unwrap();
    let error = open(&url, OpenMode::CreateIfMissing).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::Newer { found: 1000, .. }),
        "{error}"
    );
}

/// As processes would: each thread has a runtime and connections of its own, and makes the file if it is not there.
#[test]
fn several_writers_with_their_own_connections() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("new/catalog.db").display().to_string();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let store = open(&url, OpenMode::CreateIfMissing).await.unwrap();
                    let database = Change::CreateDatabase {
                        database: Database::new("d"),
                        if_not_exists: true,
                    };
                    store
                        .apply(ChangeSet::new("t").with(database))
                        .await
                        .unwrap();
                    let made = Change::PutTable {
                        table: Table::new("d", "t"),
                        expected: Expected::Absent,
                        partitions: PartitionChanges::none(),
                    };
                    // One of them makes it.
                    match store.apply(ChangeSet::new("t").with(made)).await {
                        Ok(_) | Err(CatalogError::AlreadyExists { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    for _ in 0..25 {
                        add_one(&*store).await;
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open(&url, OpenMode::MustExist).await.unwrap();
        assert_counted(&*store, 100).await;
    });
}

/// A reader's answer is of one moment, and it need not wait for a writer.
#[tokio::test(flavor = "multi_thread")]
async fn readers_do_not_wait_for_writers() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("catalog.db").display().to_string();
    let store = open(&url, OpenMode::CreateIfMissing).await.unwrap();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{url}"))
        .await
        .unwrap();
    let writer = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    // A reader that waited would wait for as long as the writer is here, and give up.
    store.list_databases().await.unwrap();
    drop(writer);
}

fn keyed(partitions: usize) -> (Table, Vec<Partition>) {
    let mut table = Table::new("d", "t");
    table.partition_keys = vec![Column::new("day", "string"), Column::new("n", "int")];
    let descriptor = StorageDescriptor {
        columns: (0..30)
            .map(|index| Column::new(format!("column_{index}"), "bigint"))
            .collect(),
        ..StorageDescriptor::default()
    };
    let partitions = (0..partitions)
        .map(|index| {
            let mut partition = Partition::new(
                [format!("day-{}", index % 1000), index.to_string()],
                format!("s3://bucket/t/day=day-{}/n={index}/", index % 1000),
            );
            if let Some(own) = &mut partition.storage_descriptor {
                own.columns.clone_from(&descriptor.columns);
            }
            partition
        })
        .collect();
    (table, partitions)
}

async fn filled(folder: &Path, partitions: usize) -> Arc<dyn CatalogStore> {
    let store = open(
        &folder.join("catalog.db").display().to_string(),
        OpenMode::CreateIfMissing,
    )
    .await
    .unwrap();
    let (table, partitions) = keyed(partitions);
    let changes = ChangeSet::new("t")
        .with(Change::CreateDatabase {
            database: Database::new("d"),
            if_not_exists: false,
        })
        .with(Change::PutTable {
            table,
            expected: Expected::Absent,
            partitions: PartitionChanges::put(partitions),
        });
    store.apply(changes).await.unwrap();
    store
}

#[tokio::test]
async fn one_value_is_found_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 10_000).await;
    let by_both = PartitionPredicate::eq("day", "day-7").and(PartitionPredicate::eq("n", 7));
    let found = store
        .get_partitions("d", "t", None, Some(&by_both))
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    // What the store asks, explained.
    let url = format!("sqlite:{}", folder.path().join("catalog.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    for (condition, index) in [
        ("k0 = 'x'", "partitions_by_k0 (table_id=? AND k0=?)"),
        ("k1 = 'x'", "partitions_by_k1 (table_id=? AND k1=?)"),
        (
            "k0 = 'x' AND k1 = 'y'",
            "partitions_by_k0 (table_id=? AND k0=? AND k1=?)",
        ),
        ("k0 > 'x'", "partitions_by_k0 (table_id=? AND k0>?)"),
        (
            "partition_values IN (SELECT value FROM json_each('[]'))",
            "partition_values=?)",
        ),
    ] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT definition FROM partitions
             WHERE table_id = 1 AND version_to IS NULL AND {condition}"
        );
        let plan: Vec<String> = sqlx::Row::get::<String, _>(
            &sqlx::query(sqlx::AssertSqlSafe(sql))
                .fetch_one(&pool)
                .await
                .unwrap(),
            "detail",
        )
        .lines()
        .map(str::to_owned)
        .collect();
        assert!(plan.concat().contains(index), "{condition}: {plan:?}");
    }
}

/// What no kept version has is gone from the store, found by index.
#[tokio::test]
async fn what_no_version_has_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("catalog.db").display().to_string();
    let store = open(&url, OpenMode::CreateIfMissing).await.unwrap();
    let database = Change::CreateDatabase {
        database: Database::new("d"),
        if_not_exists: false,
    };
    store
        .apply(ChangeSet::new("t").with(database))
        .await
        .unwrap();
    let mut table = Table::new("d", "t");
    table.partition_keys = vec![Column::new("k", "int")];
    for number in 0..10 {
        // One partition that stays, and one that gets another descriptor each time.
        let mut changing = Partition::new(["1"], "s3://bucket/t/k=1/");
        if let Some(descriptor) = &mut changing.storage_descriptor {
            descriptor.columns = vec![Column::new(format!("c{number}"), "int")];
        }
        let put = Change::PutTable {
            table: table.clone(),
            expected: Expected::Any,
            partitions: PartitionChanges::put(vec![
                Partition::new(["0"], "s3://bucket/t/k=0/"),
                changing,
            ]),
        };
        store
            .apply(ChangeSet::new("t").with(put).keeping(2))
            .await
            .unwrap();
    }
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{url}"))
        .await
        .unwrap();
    for (counted, expected) in [
        ("table_versions", 2),
        // The one that stays; the changing one in two versions.
        ("partitions", 3),
        ("descriptors", 3),
        ("descriptors WHERE digest IS NULL", 0),
    ] {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT COUNT(*) FROM {counted}"
        )))
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(count, expected, "{counted}");
    }
    for (statement, index) in [
        (
            "DELETE FROM partitions WHERE table_id = 1 AND version_to <= 7",
            "partitions_ended (table_id=? AND version_to<?)",
        ),
        (
            "SELECT MIN(p.descriptor_id) FROM partitions p WHERE p.table_id = 1 AND p.descriptor_id >= 3",
            "partitions_by_descriptor (table_id=? AND descriptor_id>?)",
        ),
        (
            "SELECT item FROM crawl_memory WHERE (scope, item) > ('s', 'i') AND scope <= 's'
             ORDER BY scope, item LIMIT 5",
            "sqlite_autoindex_crawl_memory_1 ((scope,item)>(?,?) AND scope<?)",
        ),
        (
            "SELECT definition FROM descriptors WHERE table_id = 1 AND digest IN (1, 2)",
            "descriptors_by_digest (table_id=? AND digest=?)",
        ),
    ] {
        let plan = sqlx::query(sqlx::AssertSqlSafe(format!(
            "EXPLAIN QUERY PLAN {statement}"
        )))
        .fetch_one(&pool)
        .await
        .unwrap();
        let plan: String = sqlx::Row::get(&plan, "detail");
        assert!(plan.contains(index), "{statement}: {plan}");
    }
}
