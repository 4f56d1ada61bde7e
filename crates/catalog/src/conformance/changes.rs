//! All or nothing, deletion, and several writers at once.

use std::sync::Arc;

use super::{current, outcome, partition, put, table, values, with_database};
use crate::error::CatalogError;
use crate::model::{Database, VersionId};
use crate::store::{
    CatalogStore, Change, ChangeSet, DatabaseOutcome, Expected, PartitionChanges, TableOutcome,
};

pub(super) async fn all_or_nothing(store: &dyn CatalogStore) {
    with_database(store).await;
    let changes = put(
        table(&[("k", "int")]),
        Expected::Any,
        PartitionChanges::put(vec![partition(&["1"])]),
    )
    .with(Change::CreateDatabase {
        database: Database::new("e"),
        if_not_exists: false,
    })
    .with(Change::DeleteTable {
        database: "d".into(),
        name: "missing".into(),
        expected: Expected::Any,
    });
    assert!(matches!(
        store.apply(changes).await,
        Err(CatalogError::TableNotFound { .. })
    ));
    assert_eq!(store.list_tables("d").await.unwrap(), []);
    assert_eq!(store.list_databases().await.unwrap().len(), 1);
    // Several changes to one table in one set build on each other.
    let mut second = table(&[]);
    second.owner = Some("x".into());
    let changes =
        put(table(&[]), Expected::Absent, PartitionChanges::none()).with(Change::PutTable {
            table: second,
            expected: Expected::Version(VersionId(1)),
            partitions: PartitionChanges::none(),
        });
    let applied = store.apply(changes).await.unwrap();
    assert_eq!(applied.tables.len(), 2);
    assert_eq!(
        store.get_table("d", "t").await.unwrap().version_id,
        Some(VersionId(2))
    );
}

pub(super) async fn deletion(store: &dyn CatalogStore) {
    with_database(store).await;
    let keyed = table(&[("k", "int")]);
    let given = PartitionChanges::put(vec![partition(&["1"]), partition(&["2"])]);
    store
        .apply(put(keyed.clone(), Expected::Any, given))
        .await
        .unwrap();
    let delete = |expected| {
        ChangeSet::new("test").with(Change::DeleteTable {
            database: "D".into(),
            name: "T".into(),
            expected,
        })
    };
    assert!(matches!(
        store.apply(delete(Expected::Version(VersionId(7)))).await,
        Err(CatalogError::Conflict { .. })
    ));
    let applied = store
        .apply(delete(Expected::Version(VersionId(1))))
        .await
        .unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Deleted {
            version: VersionId(1)
        }
    );
    assert_eq!(applied.tables[0].partitions_removed, 2);
    assert!(matches!(
        store.get_table("d", "t").await,
        Err(CatalogError::TableNotFound { .. })
    ));
    assert!(matches!(
        store.get_partitions("d", "t", None, None).await,
        Err(CatalogError::TableNotFound { .. })
    ));
    assert!(matches!(
        store.apply(delete(Expected::Any)).await,
        Err(CatalogError::TableNotFound { .. })
    ));
    // Its past is still there, and can be brought back.
    assert_eq!(store.list_table_versions("d", "t").await.unwrap().len(), 1);
    let past = store
        .get_partitions("d", "t", Some(VersionId(1)), None)
        .await
        .unwrap();
    assert_eq!(values(&past), ["1", "2"]);
    let restore = Change::RestoreTable {
        database: "d".into(),
        name: "t".into(),
        version: VersionId(1),
        expected: Expected::Absent,
    };
    let applied = store
        .apply(ChangeSet::new("undo").with(restore))
        .await
        .unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Created {
            version: VersionId(2)
        }
    );
    assert_eq!(current(store, None).await, ["1", "2"]);

    // Made again after it was deleted, it has none of its old partitions, and counts on.
    store.apply(delete(Expected::Any)).await.unwrap();
    let applied = store
        .apply(put(keyed, Expected::Absent, PartitionChanges::none()))
        .await
        .unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Created {
            version: VersionId(3)
        }
    );
    assert_eq!(current(store, None).await, [""; 0]);

    let drop_database = |cascade| {
        ChangeSet::new("test").with(Change::DeleteDatabase {
            name: "d".into(),
            cascade,
        })
    };
    assert!(matches!(
        store.apply(drop_database(false)).await,
        Err(CatalogError::DatabaseNotEmpty { tables: 1, .. })
    ));
    let applied = store.apply(drop_database(true)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Deleted);
    assert_eq!(
        outcome(&applied),
        TableOutcome::Deleted {
            version: VersionId(3)
        }
    );
    assert!(matches!(
        store.get_database("d").await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    with_database(store).await;
    assert_eq!(store.list_tables("d").await.unwrap(), []);
}

/// Many writers at once, each adding one to a counter in the table, as compare-and-swap has it.
pub(super) async fn concurrent_writers(store: Arc<dyn CatalogStore>) {
    with_database(&*store).await;
    store
        .apply(put(table(&[]), Expected::Absent, PartitionChanges::none()))
        .await
        .unwrap();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    add_one(&*store).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_counted(&*store, 20).await;
}

/// Adds one to the parameter `count` of `d.t`, again and again until nobody was faster.
pub async fn add_one(store: &dyn CatalogStore) {
    loop {
        let mut table = store.get_table("d", "t").await.unwrap();
        let count: u64 = table
            .parameters
            .get("count")
            .map_or(0, |text| text.parse().unwrap());
        table
            .parameters
            .insert("count".into(), (count + 1).to_string());
        let expected = Expected::Version(table.version_id.unwrap());
        match store
            .apply(put(table, expected, PartitionChanges::none()))
            .await
        {
            Ok(_) => return,
            Err(CatalogError::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Asserts that [`add_one`] was called so many times on `d.t`, each making one version.
pub async fn assert_counted(store: &dyn CatalogStore, count: i64) {
    let table = store.get_table("d", "t").await.unwrap();
    let told = (table.parameters.get("count"), table.version_id);
    assert_eq!(told, (Some(&count.to_string()), Some(VersionId(count + 1))));
}
