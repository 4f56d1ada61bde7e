//! What predicates on partition keys select.

use super::{current, partition, put, table, values, with_database};
use crate::error::CatalogError;
use crate::model::{HIVE_DEFAULT_PARTITION, VersionId};
use crate::predicate::{CompareOp, PartitionPredicate, Value};
use crate::store::{CatalogStore, Expected, PartitionChanges};

pub(super) async fn predicates(store: &dyn CatalogStore) {
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
pub(super) async fn retyped_keys(store: &dyn CatalogStore) {
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
pub(super) async fn many_keys(store: &dyn CatalogStore) {
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
