//! Partitions: put, replaced, removed, and as they were.

use super::{current, outcome, partition, put, table, values, with_database};
use crate::error::CatalogError;
use crate::model::{HIVE_DEFAULT_PARTITION, Partition, VersionId};
use crate::predicate::{CompareOp, PartitionPredicate};
use crate::store::{CatalogStore, Change, ChangeSet, Expected, PartitionChanges, TableOutcome};

pub(super) async fn partitions(store: &dyn CatalogStore) {
    with_database(store).await;
    let table = table(&[("year", "int"), ("country", "string")]);
    let given = vec![
        partition(&["2024", "fr"]),
        partition(&["2023", "de"]),
        partition(&["2024", "De"]),
        partition(&["2024", HIVE_DEFAULT_PARTITION]),
        partition(&["2024", "a/b=c d'\"é\\"]),
        partition(&["2024", ""]),
    ];
    let changes = put(
        table.clone(),
        Expected::Any,
        PartitionChanges::put(given.clone()),
    );
    let applied = store.apply(changes.clone()).await.unwrap();
    assert_eq!(applied.tables[0].partitions_added, 6);
    // By bytes, whatever the locale.
    assert_eq!(
        current(store, None).await,
        [
            "2023/de",
            "2024/",
            "2024/De",
            "2024/__HIVE_DEFAULT_PARTITION__",
            "2024/a/b=c d'\"é\\",
            "2024/fr"
        ]
    );
    for found in store.get_partitions("d", "t", None, None).await.unwrap() {
        let like = given
            .iter()
            .find(|each| each.values == found.values)
            .unwrap();
        assert_eq!(found.storage_descriptor, like.storage_descriptor);
        assert_eq!(
            (found.database_name.as_str(), found.table_name.as_str()),
            ("d", "t")
        );
        assert!(found.creation_time.is_some());
    }
    let before = store.get_partitions("d", "t", None, None).await.unwrap();

    // The same again, and then also as they were read: nothing new.
    let applied = store.apply(changes).await.unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Unchanged {
            version: VersionId(1)
        }
    );
    let again = PartitionChanges::replace_all(before.clone());
    let applied = store
        .apply(put(table.clone(), Expected::Any, again))
        .await
        .unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Unchanged {
            version: VersionId(1)
        }
    );

    // One new, one changed, one gone, one that was not there gone.
    let mut changed = partition(&["2023", "de"]);
    changed.parameters.insert("recordCount".into(), "7".into());
    let mixed = PartitionChanges {
        put: vec![partition(&["2025", "it"]), changed.clone()],
        delete: vec![
            vec!["2024".into(), "fr".into()],
            vec!["1".into(), "x".into()],
        ],
        replace_all: false,
    };
    let applied = store
        .apply(put(table.clone(), Expected::Any, mixed))
        .await
        .unwrap();
    let told = &applied.tables[0];
    assert_eq!(
        (
            told.partitions_added,
            told.partitions_removed,
            told.partitions_changed
        ),
        (1, 1, 1)
    );
    let version = &store.list_table_versions("d", "t").await.unwrap()[0];
    assert_eq!(
        (
            version.partitions_added,
            version.partitions_removed,
            version.partitions_changed
        ),
        (1, 1, 1)
    );
    let now = store.get_partitions("d", "t", None, None).await.unwrap();
    assert_eq!(now[0].parameters, changed.parameters);
    assert_eq!(
        now[0].creation_time, before[0].creation_time,
        "a change is no creation"
    );

    // Both put and removed: it is put, and counted once.
    let both = PartitionChanges {
        put: vec![partition(&["2023", "de"])],
        delete: vec![vec!["2023".into(), "de".into()]],
        replace_all: false,
    };
    for (version, changes) in [(3, both), (4, PartitionChanges::put(vec![changed.clone()]))] {
        let applied = store
            .apply(put(table.clone(), Expected::Any, changes))
            .await
            .unwrap();
        let told = &applied.tables[0];
        assert_eq!(
            (
                told.partitions_added,
                told.partitions_removed,
                told.partitions_changed
            ),
            (0, 0, 1)
        );
        let to = VersionId(version);
        let from = VersionId(version - 1);
        assert_eq!(told.outcome, TableOutcome::Updated { from, to });
    }

    // Refused, with nothing written.
    for bad in [
        vec![partition(&["2024"])],
        vec![partition(&["2024", "a\u{0}b"])],
        vec![partition(&["2024", &"x".repeat(5_000)])],
        vec![partition(&["2024", "zz"]), partition(&["2024", "zz"])],
    ] {
        let refused = store
            .apply(put(
                table.clone(),
                Expected::Any,
                PartitionChanges::put(bad),
            ))
            .await;
        assert!(
            matches!(refused, Err(CatalogError::InvalidPartition { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        store.get_table("d", "t").await.unwrap().version_id,
        Some(VersionId(4))
    );

    let only = PartitionChanges::replace_all(vec![partition(&["1999", "xx"])]);
    let applied = store
        .apply(put(table.clone(), Expected::Any, only))
        .await
        .unwrap();
    assert_eq!(applied.tables[0].partitions_removed, 6);
    assert_eq!(current(store, None).await, ["1999/xx"]);
    let applied = store
        .apply(put(
            table.clone(),
            Expected::Any,
            PartitionChanges::replace_all(vec![]),
        ))
        .await
        .unwrap();
    assert_eq!(applied.tables[0].partitions_removed, 1);
    assert_eq!(current(store, None).await, [""; 0]);

    // Enough for several statements.
    let many: Vec<Partition> = (0..12_345)
        .map(|index| partition(&[&index.to_string(), "x"]))
        .collect();
    let applied = store
        .apply(put(
            table.clone(),
            Expected::Any,
            PartitionChanges::replace_all(many.clone()),
        ))
        .await
        .unwrap();
    assert_eq!(applied.tables[0].partitions_added, 12_345);
    let delete = many.into_iter().skip(1).map(|each| each.values).collect();
    let applied = store
        .apply(put(table, Expected::Any, PartitionChanges::delete(delete)))
        .await
        .unwrap();
    assert_eq!(applied.tables[0].partitions_removed, 12_344);
    assert_eq!(current(store, None).await, ["0/x"]);
}

pub(super) async fn partition_history(store: &dyn CatalogStore) {
    with_database(store).await;
    let table = table(&[("k", "string")]);
    let mut changed = partition(&["b"]);
    changed.parameters.insert("n".into(), "1".into());
    for changes in [
        PartitionChanges::put(vec![partition(&["a"]), partition(&["b"])]),
        PartitionChanges::put(vec![partition(&["c"]), changed]),
        PartitionChanges::delete(vec![vec!["a".into()]]),
        PartitionChanges::put(vec![partition(&["a"])]),
    ] {
        store
            .apply(put(table.clone(), Expected::Any, changes))
            .await
            .unwrap();
    }
    for (version, expected) in [(1, "a b"), (2, "a b c"), (3, "b c"), (4, "a b c")] {
        let version = Some(VersionId(version));
        let found = store.get_partitions("d", "t", version, None).await.unwrap();
        assert_eq!(values(&found).join(" "), expected);
        let not_b = PartitionPredicate::compare("k", CompareOp::Ne, "b");
        let count = store
            .count_partitions("d", "t", version, Some(&not_b))
            .await
            .unwrap();
        assert_eq!(count, found.len() as u64 - 1);
    }
    let diff = async |from, to| {
        let diff = store
            .diff_partitions("d", "t", VersionId(from), VersionId(to))
            .await
            .unwrap();
        let join = |list: Vec<Vec<String>>| list.concat().join(" ");
        [join(diff.added), join(diff.removed), join(diff.changed)]
    };
    assert_eq!(diff(1, 2).await, ["c", "", "b"]);
    assert_eq!(diff(2, 1).await, ["", "c", "b"]);
    assert_eq!(diff(1, 3).await, ["c", "a", "b"]);
    assert_eq!(diff(2, 4).await, ["", "", ""]);
    let nothing = store
        .diff_partitions("d", "t", VersionId(1), VersionId(9))
        .await;
    assert!(matches!(nothing, Err(CatalogError::VersionNotFound { .. })));

    let restore = Change::RestoreTable {
        database: "d".into(),
        name: "t".into(),
        version: VersionId(1),
        expected: Expected::Version(VersionId(4)),
    };
    store
        .apply(ChangeSet::new("undo").with(restore))
        .await
        .unwrap();
    assert_eq!(current(store, None).await, ["a", "b"]);
    assert_eq!(diff(1, 5).await, ["", "", ""]);
}

pub(super) async fn partitions_by_values(store: &dyn CatalogStore) {
    with_database(store).await;
    let table = table(&[("year", "int"), ("country", "string")]);
    let list = |rows: &[[&str; 2]]| -> Vec<Vec<String>> {
        rows.iter()
            .map(|row| row.iter().map(|value| (*value).to_owned()).collect())
            .collect()
    };
    let given = vec![
        partition(&["2024", "fr"]),
        partition(&["2023", "de"]),
        partition(&["2024", HIVE_DEFAULT_PARTITION]),
        partition(&["2024", "a/b=c d'\"é\\"]),
    ];
    for changes in [
        PartitionChanges::put(given),
        PartitionChanges::delete(list(&[["2024", "fr"]])),
    ] {
        store
            .apply(put(table.clone(), Expected::Any, changes))
            .await
            .unwrap();
    }
    let asked = list(&[
        ["2024", "a/b=c d'\"é\\"],
        ["2024", "fr"],
        ["2023", "de"],
        ["2023", "de"],
        // Values as they are written, not what they mean.
        ["02023", "de"],
        ["1999", "\0"],
        ["2024", HIVE_DEFAULT_PARTITION],
    ]);
    let all = store.get_partitions("d", "t", None, None).await.unwrap();
    assert_eq!(all.len(), 3);
    let found = store
        .get_partitions_by_values("D", "T", None, &asked)
        .await
        .unwrap();
    assert_eq!(found, all);
    let before = store
        .get_partitions_by_values("d", "t", Some(VersionId(1)), &asked)
        .await
        .unwrap();
    assert_eq!(before.len(), 4);
    let some = store
        .get_partitions_by_values("d", "t", None, &asked[2..4])
        .await
        .unwrap();
    assert_eq!(values(&some), ["2023/de"]);
    // Nothing asked, and values of no such table.
    let one = vec!["2024".to_owned()];
    for asked in [vec![], vec![one, vec![]]] {
        let found = store
            .get_partitions_by_values("d", "t", None, &asked)
            .await
            .unwrap();
        assert_eq!(found, []);
    }
    // More than one statement asks for.
    let mut many: Vec<Vec<String>> = (0..12_000)
        .map(|number| vec![number.to_string(), "de".to_owned()])
        .collect();
    let found = store
        .get_partitions_by_values("d", "t", None, &many)
        .await
        .unwrap();
    assert_eq!(values(&found), ["2023/de"]);
    many.clear();
    assert!(matches!(
        store
            .get_partitions_by_values("d", "t", Some(VersionId(9)), &many)
            .await,
        Err(CatalogError::VersionNotFound { .. })
    ));
    assert!(matches!(
        store.get_partitions_by_values("d", "u", None, &many).await,
        Err(CatalogError::TableNotFound { .. })
    ));
}
