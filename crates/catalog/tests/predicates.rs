//! Any predicate on any partitions: the store's SQL says what `PartitionPredicate::eval` says.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails panics; what it measures goes to stderr"
)]

use std::sync::Arc;

use mastic_catalog::testing::ThrowawayPostgres;
use mastic_catalog::{
    CatalogStore, Change, ChangeSet, Column, CompareOp, Database, Expected, HIVE_DEFAULT_PARTITION,
    OpenMode, Partition, PartitionChanges, PartitionPredicate, Table, Value, open,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const TYPES: [&str; 10] = [
    "string",
    "tinyint",
    "int",
    "bigint",
    "decimal(38,6)",
    "double",
    "float",
    "boolean",
    "date",
    "timestamp",
];

fn keys() -> Vec<Column> {
    TYPES
        .iter()
        .enumerate()
        .map(|(index, text)| Column::new(format!("key{index}"), *text))
        .collect()
}

/// Few enough different values that predicates meet them; spelt in several ways; some none of the type.
fn value_text(key_type: &str) -> BoxedStrategy<String> {
    let valid = match key_type {
        "string" => "[abAé%_ \\\\'~é]{0,3}".boxed(),
        "tinyint" | "int" | "bigint" => prop_oneof![
            (-12_i64..12).prop_map(|n| n.to_string()),
            (0_i64..12).prop_map(|n| format!("{n:03}")),
            any::<i64>().prop_map(|n| n.to_string()),
            (-2_i64..2).prop_map(|n| ((1_i64 << 53) + n).to_string()),
        ]
        .boxed(),
        "decimal(38,6)" => prop_oneof![
            (-200_i64..200, 0_usize..3).prop_map(|(n, zeros)| format!(
                "{}.{:02}{}",
                n / 100,
                n.abs() % 100,
                "0".repeat(zeros)
            )),
            (-50_i64..50, -3_i32..20).prop_map(|(n, exponent)| format!("{n}e{exponent}")),
            any::<i128>().prop_map(|n| (n / 10).to_string()),
        ]
        .boxed(),
        "double" | "float" => prop_oneof![
            (-20_i32..20).prop_map(|n| (f64::from(n) / 4.0).to_string()),
            any::<f64>().prop_map(|n| n.to_string()),
            Just("0.1".to_owned()),
            Just("-0".to_owned()),
        ]
        .boxed(),
        "boolean" => "true|false|TRUE".boxed(),
        "date" => "20(19|20)-0?[1-3]-[0-2][0-9]".boxed(),
        _ => prop_oneof![
            "2020-01-0[12]",
            "2020-01-0[12][ T]0[01]:00:00(\\.[05]{1,3})?",
        ]
        .boxed(),
    };
    prop_oneof![
        8 => valid,
        1 => Just(HIVE_DEFAULT_PARTITION.to_owned()),
        1 => prop_oneof![Just(String::new()), Just("x".to_owned()), Just("NaN".to_owned())],
    ]
    .boxed()
}

fn literal(key_type: &'static str) -> BoxedStrategy<Value> {
    let text = value_text(key_type).prop_map(Value::Str);
    match key_type {
        "tinyint" | "int" | "bigint" | "decimal(38,6)" | "double" | "float" => prop_oneof![
            2 => text,
            3 => (-12_i64..12).prop_map(Value::Int),
            1 => any::<i64>().prop_map(Value::Int),
            2 => (-20_i32..20).prop_map(|n| Value::Double(f64::from(n) / 4.0)),
            1 => any::<f64>().prop_map(Value::Double),
            1 => value_text("decimal(38,6)").prop_map(Value::Decimal),
        ]
        .boxed(),
        "boolean" => prop_oneof![text, any::<bool>().prop_map(Value::Bool)].boxed(),
        "date" | "timestamp" => prop_oneof![
            text,
            value_text("date").prop_map(|text| {
                let date = chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d");
                date.map_or(Value::Str(text), Value::Date)
            }),
            (0_i64..8).prop_map(|hours| {
                Value::Timestamp(
                    chrono::DateTime::from_timestamp(1_577_836_800 + hours * 3_600, 0)
                        .unwrap()
                        .naive_utc(),
                )
            }),
        ]
        .boxed(),
        _ => text.boxed(),
    }
}

fn leaf() -> impl Strategy<Value = PartitionPredicate> {
    (0..TYPES.len()).prop_flat_map(|index| {
        let key = format!("key{index}");
        let op = prop::sample::select(vec![
            CompareOp::Eq,
            CompareOp::Ne,
            CompareOp::Lt,
            CompareOp::Le,
            CompareOp::Gt,
            CompareOp::Ge,
        ]);
        let value = || literal(TYPES[index]);
        let (a, b, c) = (key.clone(), key.clone(), key.clone());
        prop_oneof![
            4 => (op, value()).prop_map(move |(op, value)| PartitionPredicate::Compare { key: a.clone(), op, value }),
            1 => prop::collection::vec(value(), 0..30)
                .prop_map(move |values| PartitionPredicate::In { key: b.clone(), values }),
            1 => (value(), value())
                .prop_map(move |(low, high)| PartitionPredicate::Between { key: c.clone(), low, high }),
            1 => Just(PartitionPredicate::IsNull(key)),
            1 => "[abAé%_\\\\]{0,3}".prop_map(|pattern| PartitionPredicate::Like { key: "key0".into(), pattern }),
        ]
    })
}

fn predicate() -> impl Strategy<Value = PartitionPredicate> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(PartitionPredicate::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(PartitionPredicate::Or),
            inner.prop_map(|inner| PartitionPredicate::Not(Box::new(inner))),
        ]
    })
}

async fn sql_says_what_eval_says(store: Arc<dyn CatalogStore>, predicates: usize) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let row: Vec<BoxedStrategy<String>> =
        TYPES.iter().map(|key_type| value_text(key_type)).collect();
    let rows = prop::collection::btree_set(row, 400..401)
        .new_tree(&mut runner)
        .unwrap()
        .current();

    let mut table = Table::new("d", "t");
    table.partition_keys = keys();
    let partitions = rows
        .iter()
        .map(|row| Partition::new(row.clone(), "s3://b/"))
        .collect();
    let changes = ChangeSet::new("t")
        .with(Change::CreateDatabase {
            database: Database::new("d"),
            if_not_exists: false,
        })
        .with(Change::PutTable {
            table,
            expected: Expected::Any,
            partitions: PartitionChanges::put(partitions),
        });
    store.apply(changes).await.unwrap();

    let keys = keys();
    let (mut asked, mut found, mut refused) = (0, 0, 0);
    while asked < predicates {
        let predicate = predicate().new_tree(&mut runner).unwrap().current();
        if predicate.check(&keys).is_err() {
            assert!(
                store
                    .get_partitions("d", "t", None, Some(&predicate))
                    .await
                    .is_err()
            );
            refused += 1;
            continue;
        }
        asked += 1;
        let expected: Vec<&Vec<String>> = rows
            .iter()
            .filter(|row| predicate.eval(&keys, row) == Some(true))
            .collect();
        let got = store
            .get_partitions("d", "t", None, Some(&predicate))
            .await
            .unwrap();
        let got: Vec<&Vec<String>> = got.iter().map(|partition| &partition.values).collect();
        assert_eq!(got, expected, "{predicate}\n{predicate:?}");
        found += got.len();
    }
    // The test is worth nothing if predicates hold always, never, or make no sense.
    assert!(
        found > asked * 20 && found < asked * 380,
        "{found} found by {asked}"
    );
    assert!(refused < asked * 4, "{refused} refused");
    eprintln!("{asked} predicates found {found} partitions; {refused} were refused");
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("catalog.db").display().to_string();
    sql_says_what_eval_says(open(&url, OpenMode::CreateIfMissing).await.unwrap(), 600).await;
}

#[tokio::test]
async fn on_postgres() {
    let Some(server) = ThrowawayPostgres::start().unwrap() else {
        return;
    };
    let store = open(&server.catalog_url(), OpenMode::CreateIfMissing)
        .await
        .unwrap();
    sql_says_what_eval_says(store, 600).await;
}
