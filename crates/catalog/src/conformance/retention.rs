//! Versions are bounded: the newest stay whole, the others go.

use super::{outcome, partition, put, table, values, with_database};
use crate::error::CatalogError;
use crate::model::{Column, VersionId};
use crate::store::{
    CatalogStore, Change, ChangeSet, Expected, KEPT_VERSIONS, PartitionChanges, TableOutcome,
};

async fn kept(store: &dyn CatalogStore) -> Vec<i64> {
    store
        .list_table_versions("d", "t")
        .await
        .unwrap()
        .iter()
        .map(|version| version.version.0)
        .collect()
}

pub(super) async fn retention(store: &dyn CatalogStore) {
    with_database(store).await;
    let keyed = table(&[("k", "int")]);
    // Each version adds one partition and removes the one of two versions before; each has its own columns.
    for number in 1..=8 {
        let mut new = partition(&[&number.to_string()]);
        if let Some(descriptor) = &mut new.storage_descriptor {
            descriptor
                .columns
                .push(Column::new(format!("column_{number}"), "int"));
        }
        let changes = PartitionChanges {
            put: vec![new],
            delete: vec![vec![(number - 2).to_string()]],
            replace_all: false,
        };
        store
            .apply(put(keyed.clone(), Expected::Any, changes).keeping(3))
            .await
            .unwrap();
    }
    assert_eq!(kept(store).await, [8, 7, 6]);
    for (version, expected) in [(6, ["5", "6"]), (7, ["6", "7"]), (8, ["7", "8"])] {
        let version = VersionId(version);
        let found = store
            .get_partitions("d", "t", Some(version), None)
            .await
            .unwrap();
        assert_eq!(values(&found), expected);
        for partition in found {
            let columns = partition.storage_descriptor.unwrap().columns;
            assert_eq!(
                columns[2].name,
                format!("column_{}", partition.values[0]),
                "each keeps its own descriptor"
            );
        }
        store.get_table_version("d", "t", version).await.unwrap();
    }
    let diff = store
        .diff_partitions("d", "t", VersionId(6), VersionId(8))
        .await
        .unwrap();
    assert_eq!((diff.added.len(), diff.removed.len()), (2, 2));

    asking_for_what_is_gone(store).await;

    // What writes no version removes none.
    let applied = store
        .apply(put(keyed.clone(), Expected::Any, PartitionChanges::none()).keeping(1))
        .await
        .unwrap();
    assert!(!applied.changed());
    assert_eq!(kept(store).await, [8, 7, 6]);

    // Going back makes a version too; the one it goes back to may go with it.
    let restore = Change::RestoreTable {
        database: "d".into(),
        name: "t".into(),
        version: VersionId(6),
        expected: Expected::Version(VersionId(8)),
    };
    store
        .apply(ChangeSet::new("undo").with(restore).keeping(0))
        .await
        .unwrap();
    assert_eq!(kept(store).await, [9]);
    let found = store.get_partitions("d", "t", None, None).await.unwrap();
    assert_eq!(values(&found), ["5", "6"]);
    assert_eq!(
        found[1].storage_descriptor.as_ref().unwrap().columns[2].name,
        "column_6"
    );

    // A deleted table keeps what it had, and counts on when it is made again.
    let delete = Change::DeleteTable {
        database: "d".into(),
        name: "t".into(),
        expected: Expected::Any,
    };
    store
        .apply(ChangeSet::new("test").with(delete).keeping(1))
        .await
        .unwrap();
    let past = store
        .get_partitions("d", "t", Some(VersionId(9)), None)
        .await
        .unwrap();
    assert_eq!(values(&past), ["5", "6"]);
    let again = put(keyed, Expected::Absent, PartitionChanges::none()).keeping(1);
    let applied = store.apply(again).await.unwrap();
    let version = VersionId(10);
    assert_eq!(outcome(&applied), TableOutcome::Created { version });
    assert_eq!(kept(store).await, [10]);
    assert_eq!(
        store.get_partitions("d", "t", None, None).await.unwrap(),
        []
    );
}

async fn asking_for_what_is_gone(store: &dyn CatalogStore) {
    let restore = Change::RestoreTable {
        database: "d".into(),
        name: "t".into(),
        version: VersionId(5),
        expected: Expected::Any,
    };
    let refused = [
        store
            .get_table_version("d", "t", VersionId(5))
            .await
            .map(drop),
        store
            .get_partitions("d", "t", Some(VersionId(5)), None)
            .await
            .map(drop),
        store
            .diff_partitions("d", "t", VersionId(5), VersionId(8))
            .await
            .map(drop),
        store
            .apply(ChangeSet::new("undo").with(restore))
            .await
            .map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, CatalogError::VersionNotFound { .. }),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            "table d.t has no version 5 any more; it has versions 6 to 8"
        );
    }
    let error = store
        .get_table_version("d", "t", VersionId(99))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "table d.t has no version 99; it has versions 6 to 8"
    );
}

/// Without a word about it, versions are bounded too.
pub(super) async fn retention_by_default(store: &dyn CatalogStore) {
    with_database(store).await;
    let last = i64::from(KEPT_VERSIONS) + 3;
    for number in 1..=last {
        let mut changed = table(&[]);
        changed.description = Some(number.to_string());
        store
            .apply(put(changed, Expected::Any, PartitionChanges::none()))
            .await
            .unwrap();
    }
    let kept = kept(store).await;
    assert_eq!(kept.len(), KEPT_VERSIONS as usize);
    assert_eq!((kept[0], kept[kept.len() - 1]), (last, 4));
    assert_eq!(ChangeSet::default().keep_versions, KEPT_VERSIONS);
}
