//! Compare-and-swap, and the versions of a table.

use super::{outcome, put, table, with_database};
use crate::error::CatalogError;
use crate::model::{Column, VersionId};
use crate::store::{CatalogStore, Change, ChangeSet, Expected, PartitionChanges, TableOutcome};

pub(super) async fn swaps(store: &dyn CatalogStore) {
    with_database(store).await;
    let none = PartitionChanges::none;
    assert!(matches!(
        store
            .apply(put(table(&[]), Expected::Version(VersionId(1)), none()))
            .await,
        Err(CatalogError::TableNotFound { .. })
    ));
    store
        .apply(put(table(&[]), Expected::Absent, none()))
        .await
        .unwrap();
    assert!(matches!(
        store.apply(put(table(&[]), Expected::Absent, none())).await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    // Nothing new: no version, whoever asks.
    for expected in [Expected::Any, Expected::Version(VersionId(1))] {
        let applied = store
            .apply(put(table(&[]), expected, none()))
            .await
            .unwrap();
        assert_eq!(
            outcome(&applied),
            TableOutcome::Unchanged {
                version: VersionId(1)
            }
        );
        assert!(!applied.changed());
    }
    let mut other = table(&[]);
    other.owner = Some("me".into());
    let applied = store
        .apply(put(other, Expected::Version(VersionId(1)), none()))
        .await
        .unwrap();
    let expected = TableOutcome::Updated {
        from: VersionId(1),
        to: VersionId(2),
    };
    assert_eq!(outcome(&applied), expected);
    // Even a change that would change nothing has to be made for what is there.
    match store
        .apply(put(table(&[]), Expected::Version(VersionId(1)), none()))
        .await
    {
        Err(CatalogError::Conflict {
            expected,
            found,
            table,
        }) => {
            assert_eq!(
                (expected, found, table.as_str()),
                (VersionId(1), VersionId(2), "d.t")
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.list_table_versions("d", "t").await.unwrap().len(), 2);

    // Several at once: in the order that is asked for, in any case, and none for what is not there.
    let name = |database: &str, name: &str| (database.to_owned(), name.to_owned());
    let found = store
        .find_tables(&[name("d", "x"), name("D", "T"), name("e", "t")])
        .await
        .unwrap();
    assert_eq!(
        found
            .iter()
            .map(|t| t.as_ref().and_then(|t| t.version_id))
            .collect::<Vec<_>>(),
        [None, Some(VersionId(2)), None]
    );
    assert_eq!(store.list_table_names().await.unwrap(), [name("d", "t")]);
}

pub(super) async fn versions(store: &dyn CatalogStore) {
    with_database(store).await;
    let first = table(&[]);
    let mut second = first.clone();
    second.description = Some("second".into());
    let mut third = first.clone();
    third.partition_keys = vec![Column::new("day", "date")];
    for (by, table) in [("crawl", &first), ("run one", &second), ("run two", &third)] {
        let mut changes = put(table.clone(), Expected::Any, PartitionChanges::none());
        changes.by = by.to_owned();
        store.apply(changes).await.unwrap();
    }
    let versions = store.list_table_versions("d", "T").await.unwrap();
    let told: Vec<(i64, &str)> = versions
        .iter()
        .map(|each| (each.version.0, each.by.as_str()))
        .collect();
    assert_eq!(told, [(3, "run two"), (2, "run one"), (1, "crawl")]);
    let create_time = versions[0].table.create_time;
    for (version, expected) in versions.iter().rev().zip([&first, &second, &third]) {
        assert!(version.table.same_definition(expected));
        assert_eq!(version.table.create_time, create_time);
        let found = store
            .get_table_version("d", "t", version.version)
            .await
            .unwrap();
        assert_eq!(found, version.table);
    }
    assert!(matches!(
        store.get_table_version("d", "t", VersionId(4)).await,
        Err(CatalogError::VersionNotFound { .. })
    ));

    let restore = |version: i64, expected| {
        ChangeSet::new("undo").with(Change::RestoreTable {
            database: "D".into(),
            name: "T".into(),
            version: VersionId(version),
            expected,
        })
    };
    assert!(matches!(
        store
            .apply(restore(1, Expected::Version(VersionId(2))))
            .await,
        Err(CatalogError::Conflict { .. })
    ));
    let applied = store
        .apply(restore(1, Expected::Version(VersionId(3))))
        .await
        .unwrap();
    let expected = TableOutcome::Updated {
        from: VersionId(3),
        to: VersionId(4),
    };
    assert_eq!(outcome(&applied), expected);
    assert!(
        store
            .get_table("d", "t")
            .await
            .unwrap()
            .same_definition(&first)
    );
    let applied = store.apply(restore(4, Expected::Any)).await.unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Unchanged {
            version: VersionId(4)
        }
    );
}
