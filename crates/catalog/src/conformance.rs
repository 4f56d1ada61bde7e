//! What every [`CatalogStore`] does, as a test that any implementation runs.
//!
//! ```no_run
//! # async fn example() {
//! use mastic_catalog::{OpenMode, conformance::conformance, open};
//!
//! conformance(async || open("/tmp/a-new-file-each-time.db", OpenMode::CreateIfMissing).await.unwrap()).await;
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test suite, made to panic"
)]

use std::sync::Arc;

use crate::error::CatalogError;
use crate::model::{
    Column, Database, HIVE_DEFAULT_PARTITION, Partition, StorageDescriptor, Table, VersionId,
};
use crate::predicate::{CompareOp, PartitionPredicate, Value};
use crate::store::{
    Applied, CatalogStore, Change, ChangeSet, DatabaseOutcome, Expected, PartitionChanges,
    TableOutcome,
};
use crate::transfer::{export, import};

/// Runs the whole suite; each part on a new, empty store from `make`. Panics where the store does otherwise.
pub async fn conformance(make: impl AsyncFn() -> Arc<dyn CatalogStore>) {
    databases(&*make().await).await;
    tables(&*make().await).await;
    names(&*make().await).await;
    swaps(&*make().await).await;
    versions(&*make().await).await;
    partitions(&*make().await).await;
    partition_history(&*make().await).await;
    predicates(&*make().await).await;
    retyped_keys(&*make().await).await;
    many_keys(&*make().await).await;
    all_or_nothing(&*make().await).await;
    deletion(&*make().await).await;
    transfer(&*make().await, &*make().await).await;
    concurrent_writers(make().await).await;
}

fn put(table: Table, expected: Expected, partitions: PartitionChanges) -> ChangeSet {
    ChangeSet::new("test").with(Change::PutTable {
        table,
        expected,
        partitions,
    })
}

async fn with_database(store: &dyn CatalogStore) {
    let database = Change::CreateDatabase {
        database: Database::new("d"),
        if_not_exists: true,
    };
    store
        .apply(ChangeSet::new("test").with(database))
        .await
        .unwrap();
}

/// A table `d.t` with two columns and the keys.
fn table(keys: &[(&str, &str)]) -> Table {
    let mut table = Table::new("d", "t");
    table.storage_descriptor = Some(StorageDescriptor {
        columns: vec![Column::new("id", "bigint"), Column::new("name", "string")],
        location: Some("s3://bucket/t/".into()),
        ..StorageDescriptor::default()
    });
    table.partition_keys = keys
        .iter()
        .map(|(name, text)| Column::new(*name, *text))
        .collect();
    table
}

fn partition(values: &[&str]) -> Partition {
    let mut partition = Partition::new(
        values.iter().copied(),
        format!("s3://bucket/t/{}/", values.join("/")),
    );
    if let Some(descriptor) = &mut partition.storage_descriptor {
        descriptor.columns = vec![Column::new("id", "bigint"), Column::new("name", "string")];
        descriptor
            .parameters
            .insert("objectCount".into(), values.len().to_string());
    }
    partition
}

fn outcome(applied: &Applied) -> TableOutcome {
    assert_eq!(applied.tables.len(), 1, "{applied:?}");
    applied.tables[0].outcome
}

fn values(partitions: &[Partition]) -> Vec<String> {
    partitions
        .iter()
        .map(|partition| partition.values.join("/"))
        .collect()
}

async fn current(store: &dyn CatalogStore, predicate: Option<&PartitionPredicate>) -> Vec<String> {
    let found = store
        .get_partitions("d", "t", None, predicate)
        .await
        .unwrap();
    let count = store
        .count_partitions("d", "t", None, predicate)
        .await
        .unwrap();
    assert_eq!(count, found.len() as u64);
    values(&found)
}

async fn databases(store: &dyn CatalogStore) {
    assert_eq!(store.list_databases().await.unwrap(), []);
    let mut database = Database::new("Sales");
    database.description = Some("what was sold".into());
    database.parameters.insert("k".into(), "v".into());
    let create = |database: &Database, if_not_exists| {
        ChangeSet::new("test").with(Change::CreateDatabase {
            database: database.clone(),
            if_not_exists,
        })
    };
    let applied = store.apply(create(&database, false)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Created);
    assert_eq!(applied.databases[0].name, "sales");
    assert!(matches!(
        store.apply(create(&database, false)).await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    let applied = store.apply(create(&database, true)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Unchanged);
    assert!(!applied.changed());

    let found = store.get_database("SALES").await.unwrap();
    assert!(found.create_time.is_some());
    assert_eq!(found.description.as_deref(), Some("what was sold"));
    match store.get_database("slaes").await {
        Err(error @ CatalogError::DatabaseNotFound { .. }) => {
            assert_eq!(error.hint().as_deref(), Some("did you mean sales?"));
        }
        other => panic!("{other:?}"),
    }

    let update = |database: &Database| {
        ChangeSet::new("test").with(Change::UpdateDatabase {
            database: database.clone(),
        })
    };
    let applied = store.apply(update(&found)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Unchanged);
    let mut other = found.clone();
    other.location_uri = Some("s3://bucket/sales/".into());
    let applied = store.apply(update(&other)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Updated);
    assert_eq!(store.get_database("sales").await.unwrap(), other);

    let delete = Change::DeleteDatabase {
        name: "SALES".into(),
        cascade: false,
    };
    store
        .apply(ChangeSet::new("test").with(delete))
        .await
        .unwrap();
    assert_eq!(store.list_databases().await.unwrap(), []);
    let applied = store.apply(create(&database, false)).await.unwrap();
    assert_eq!(applied.databases[0].outcome, DatabaseOutcome::Created);
}

async fn tables(store: &dyn CatalogStore) {
    assert!(matches!(
        store
            .apply(put(table(&[]), Expected::Any, PartitionChanges::none()))
            .await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    assert!(matches!(
        store.list_tables("d").await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    with_database(store).await;
    assert_eq!(store.list_tables("d").await.unwrap(), []);
    let mut given = table(&[("year", "int")]);
    given.version_id = Some(VersionId(99));
    given
        .parameters
        .insert("classification".into(), "parquet".into());
    let applied = store
        .apply(put(
            given.clone(),
            Expected::Absent,
            PartitionChanges::none(),
        ))
        .await
        .unwrap();
    assert_eq!(
        outcome(&applied),
        TableOutcome::Created {
            version: VersionId(1)
        }
    );

    let found = store.get_table("D", "T").await.unwrap();
    assert!(found.same_definition(&given));
    assert_eq!(found.version_id, Some(VersionId(1)));
    assert!(found.create_time.is_some() && found.update_time.is_some());
    assert_eq!(store.list_tables("d").await.unwrap(), [found]);

    let mut longer = table(&[]);
    longer.name = "order_items".into();
    store
        .apply(put(longer, Expected::Absent, PartitionChanges::none()))
        .await
        .unwrap();
    match store.get_table("d", "oder_items").await {
        Err(error @ CatalogError::TableNotFound { .. }) => {
            assert_eq!(error.hint().as_deref(), Some("did you mean d.order_items?"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        store.get_table("e", "t").await,
        Err(CatalogError::DatabaseNotFound { .. })
    ));
    let names: Vec<String> = store
        .list_tables("d")
        .await
        .unwrap()
        .into_iter()
        .map(|table| table.name)
        .collect();
    assert_eq!(names, ["order_items", "t"]);
}

async fn names(store: &dyn CatalogStore) {
    with_database(store).await;
    for name in ["", " ", "a\u{0}b", &"x".repeat(256)] {
        let mut bad = table(&[]);
        bad.name = name.to_owned();
        let refused = store
            .apply(put(bad, Expected::Any, PartitionChanges::none()))
            .await;
        assert!(
            matches!(refused, Err(CatalogError::InvalidName { .. })),
            "{name:?}"
        );
    }
    for name in ["Ünïcode Tab'le", "a\"b", "a;b--", "%_"] {
        let mut fine = table(&[]);
        fine.name = name.to_owned();
        store
            .apply(put(fine, Expected::Absent, PartitionChanges::none()))
            .await
            .unwrap();
        assert_eq!(
            store.get_table("d", name).await.unwrap().name,
            name.to_lowercase()
        );
    }
}

async fn swaps(store: &dyn CatalogStore) {
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
}

async fn versions(store: &dyn CatalogStore) {
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

async fn partitions(store: &dyn CatalogStore) {
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
        Some(VersionId(2))
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

async fn partition_history(store: &dyn CatalogStore) {
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

async fn predicates(store: &dyn CatalogStore) {
    with_database(store).await;
    let table = table(&[
        ("n", "bigint"),
        ("amount", "decimal(20,2)"),
        ("day", "date"),
        ("at", "timestamp"),
        ("text", "string"),
        ("ratio", "double"),
        ("flag", "boolean"),
    ]);
    let null = HIVE_DEFAULT_PARTITION;
    let rows = [
        [
            "1",
            "1.50",
            "2024-01-31",
            "2024-01-31 10:00:00",
            "de",
            "0.5",
            "true",
        ],
        [
            "-2",
            "-10.25",
            "2023-12-31",
            "2024-01-31 10:00:00.5",
            "De",
            "-1e300",
            "false",
        ],
        [
            "10",
            "9.99",
            "2024-2-1",
            "2024-01-31",
            "d_%",
            "1e-5",
            "TRUE",
        ],
        ["9007199254740993", "100", null, null, null, null, null],
        ["9007199254740992", "x", "x", "x", "é", "x", "x"],
    ];
    let given = rows.iter().map(|row| partition(row)).collect();
    store
        .apply(put(table, Expected::Any, PartitionChanges::put(given)))
        .await
        .unwrap();
    let select = async |predicate: PartitionPredicate| -> Vec<i64> {
        let mut found: Vec<i64> = store
            .get_partitions("d", "t", None, Some(&predicate))
            .await
            .unwrap()
            .iter()
            .map(|partition| partition.values[0].parse().unwrap())
            .collect();
        found.sort_unstable();
        found
    };
    let (big, bigger) = (9_007_199_254_740_992, 9_007_199_254_740_993);
    let compare = |key: &str, op, value: Value| PartitionPredicate::compare(key, op, value);
    let not = |predicate| PartitionPredicate::Not(Box::new(predicate));
    use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
    assert_eq!(select(compare("N", Eq, Value::Int(bigger))).await, [bigger]);
    assert_eq!(select(compare("n", Gt, Value::Int(big))).await, [bigger]);
    assert_eq!(select(compare("n", Lt, Value::Int(10))).await, [-2, 1]);
    assert_eq!(select(compare("n", Le, Value::Double(1.5))).await, [-2, 1]);
    assert_eq!(select(compare("n", Eq, "010".into())).await, [10]);
    assert_eq!(
        select(compare("amount", Gt, Value::Decimal("1.5".into()))).await,
        [10, bigger]
    );
    assert_eq!(
        select(compare("amount", Ne, Value::Int(100))).await,
        [-2, 1, 10]
    );
    assert_eq!(select(compare("day", Ge, "2024-02-01".into())).await, [10]);
    assert_eq!(
        select(compare("at", Gt, "2024-01-31 10:00:00".into())).await,
        [-2]
    );
    assert_eq!(select(compare("at", Eq, "2024-01-31".into())).await, [10]);
    assert_eq!(select(compare("text", Eq, "de".into())).await, [1]);
    assert_eq!(select(compare("text", Gt, "de".into())).await, [big]);
    assert_eq!(select(compare("ratio", Lt, Value::Int(0))).await, [-2]);
    assert_eq!(
        select(compare("flag", Eq, Value::Bool(true))).await,
        [1, 10]
    );
    assert_eq!(
        select(not(compare("flag", Eq, Value::Bool(true)))).await,
        [-2]
    );
    assert_eq!(
        select(PartitionPredicate::IsNull("day".into())).await,
        [big, bigger]
    );
    assert_eq!(
        select(not(PartitionPredicate::IsNull("text".into()))).await,
        [-2, 1, 10, big]
    );
    let like = |pattern: &str| PartitionPredicate::Like {
        key: "text".into(),
        pattern: pattern.into(),
    };
    assert_eq!(select(like("d%")).await, [1, 10]);
    assert_eq!(select(like("_")).await, [big]);
    assert_eq!(select(not(like("d%"))).await, [-2, big]);
    assert_eq!(select(like("d\\%")).await, [0; 0]);
    let between = |low: &str, high: &str| PartitionPredicate::Between {
        key: "day".into(),
        low: low.into(),
        high: high.into(),
    };
    assert_eq!(select(between("2023-12-31", "2024-01-31")).await, [-2, 1]);
    let within = |values: Vec<Value>| PartitionPredicate::In {
        key: "n".into(),
        values,
    };
    assert_eq!(select(within(vec![])).await, [0; 0]);
    assert_eq!(
        select(within(vec![1.into(), 10.into(), 11.into()])).await,
        [1, 10]
    );
    assert_eq!(
        select(within((0..5_000).map(Value::Int).collect())).await,
        [1, 10]
    );
    assert_eq!(
        select(not(within((0..5_000).map(Value::Int).collect()))).await,
        [-2, big, bigger]
    );
    let either = PartitionPredicate::eq("n", 1).or(PartitionPredicate::eq("text", "De"));
    assert_eq!(select(either.clone()).await, [-2, 1]);
    assert_eq!(
        select(either.and(PartitionPredicate::eq("flag", "false"))).await,
        [-2]
    );
    assert_eq!(select(PartitionPredicate::And(vec![])).await.len(), 5);
    assert_eq!(select(PartitionPredicate::Or(vec![])).await.len(), 0);
    let wide = PartitionPredicate::Or(
        (0..1_900)
            .map(|index| PartitionPredicate::eq("n", index))
            .collect(),
    );
    assert_eq!(select(wide).await, [1, 10]);
    for bad in [
        PartitionPredicate::eq("nope", 1),
        PartitionPredicate::eq("n", "abc"),
        PartitionPredicate::eq("text", 1),
    ] {
        let refused = store.get_partitions("d", "t", None, Some(&bad)).await;
        assert!(matches!(
            refused,
            Err(CatalogError::InvalidPredicate { .. })
        ));
    }
}

/// A key that gets another type is compared by it at once, and by the old one in old versions.
async fn retyped_keys(store: &dyn CatalogStore) {
    with_database(store).await;
    let given = PartitionChanges::put(vec![
        partition(&["9"]),
        partition(&["10"]),
        partition(&["x"]),
    ]);
    store
        .apply(put(table(&[("k", "string")]), Expected::Any, given))
        .await
        .unwrap();
    let more = PartitionChanges::put(vec![partition(&["11"])]);
    let applied = store
        .apply(put(table(&[("k", "int")]), Expected::Any, more))
        .await
        .unwrap();
    assert_eq!(applied.tables[0].partitions_added, 1);
    assert_eq!(applied.tables[0].partitions_changed, 0);
    let over_nine = PartitionPredicate::compare("k", CompareOp::Ge, "9");
    assert_eq!(current(store, Some(&over_nine)).await, ["10", "11", "9"]);
    assert_eq!(
        current(store, Some(&PartitionPredicate::IsNull("k".into()))).await,
        ["x"]
    );
    let old = store
        .get_partitions("d", "t", Some(VersionId(1)), Some(&over_nine))
        .await
        .unwrap();
    assert_eq!(values(&old), ["9", "x"]);
    let diff = store
        .diff_partitions("d", "t", VersionId(1), VersionId(2))
        .await
        .unwrap();
    assert_eq!(
        (diff.added, diff.removed.len(), diff.changed.len()),
        (vec![vec!["11".to_owned()]], 0, 0)
    );

    // Another number of keys needs other partitions.
    let two = table(&[("k", "int"), ("l", "int")]);
    let refused = store
        .apply(put(two.clone(), Expected::Any, PartitionChanges::none()))
        .await;
    assert!(matches!(
        refused,
        Err(CatalogError::InvalidPartition { .. })
    ));
    let all = PartitionChanges::replace_all(vec![partition(&["1", "2"])]);
    store.apply(put(two, Expected::Any, all)).await.unwrap();
    assert_eq!(current(store, None).await, ["1/2"]);
    let old = store
        .get_partitions("d", "t", Some(VersionId(2)), None)
        .await
        .unwrap();
    assert_eq!(old.len(), 4);
}

/// More keys than the store has columns for.
async fn many_keys(store: &dyn CatalogStore) {
    with_database(store).await;
    let names: Vec<String> = (0..11).map(|index| format!("key{index}")).collect();
    let keys: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "int")).collect();
    let row = |last: &str| {
        let mut values = vec!["1"; 10];
        values.push(last);
        partition(&values)
    };
    let given = PartitionChanges::put(vec![row("5"), row("10"), row(HIVE_DEFAULT_PARTITION)]);
    store
        .apply(put(table(&keys), Expected::Any, given))
        .await
        .unwrap();
    let select = async |predicate| current(store, Some(&predicate)).await.len();
    assert_eq!(
        select(PartitionPredicate::compare("key10", CompareOp::Gt, 5)).await,
        1
    );
    assert_eq!(
        select(PartitionPredicate::compare("key10", CompareOp::Le, 10)).await,
        2
    );
    assert_eq!(select(PartitionPredicate::IsNull("key10".into())).await, 1);
    assert_eq!(select(PartitionPredicate::eq("key8", 1)).await, 3);
    let list = PartitionPredicate::In {
        key: "key10".into(),
        values: (0..100).map(Value::Int).collect(),
    };
    assert_eq!(select(list).await, 2);
}

async fn all_or_nothing(store: &dyn CatalogStore) {
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

async fn deletion(store: &dyn CatalogStore) {
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

async fn transfer(from: &dyn CatalogStore, to: &dyn CatalogStore) {
    with_database(from).await;
    let given = PartitionChanges::put(vec![
        partition(&["1"]),
        partition(&[HIVE_DEFAULT_PARTITION]),
    ]);
    from.apply(put(table(&[("k", "int")]), Expected::Any, given))
        .await
        .unwrap();
    let document = export(from, &[]).await.unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap();
    let applied = import(to, &text, None, "import").await.unwrap();
    assert!(applied.changed());
    let mut copy = export(to, &["D"]).await.unwrap();
    // Only the time of this version is the copy's own.
    copy.databases[0].tables[0].table.update_time =
        document.databases[0].tables[0].table.update_time;
    assert_eq!(copy, document);
    assert!(!import(to, &text, None, "import").await.unwrap().changed());
}

/// Many writers at once, each adding one to a counter in the table, as compare-and-swap has it.
async fn concurrent_writers(store: Arc<dyn CatalogStore>) {
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
