#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int32Array, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampSecondArray,
};
use arrow::datatypes::{Field, Int8Type, Schema};
use proptest::prelude::*;

use super::*;

fn rendered(column: impl Array + 'static) -> Vec<Option<String>> {
    let column: ArrayRef = Arc::new(column);
    (0..column.len())
        .map(|row| render(&column, row).unwrap())
        .collect()
}

fn texts(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|v| Some((*v).to_owned())).collect()
}

#[test]
fn paths_are_escaped_as_hive_does() {
    assert_eq!(escape("a/b=c%d"), "a%2Fb%3Dc%25d");
    assert_eq!(escape("\u{1}\u{7f}\n"), "%01%7F%0A");
    assert_eq!(escape("\"#'*:?\\{[]^"), "%22%23%27%2A%3A%3F%5C%7B%5B%5D%5E");
    // Hive leaves these alone.
    assert_eq!(escape("} <>|+~&é ü"), "} <>|+~&é ü");
    assert_eq!(unescape("2013-01-01 05%3A00%3a00"), "2013-01-01 05:00:00");
    // Escaped letters of other writers, and what is no escape.
    assert_eq!(unescape("caf%C3%A9"), "café");
    assert_eq!(unescape("100%"), "100%");
    assert_eq!(unescape("%FF"), "%FF");
    assert_eq!(
        folder([("a/b", Some("x")), ("n", None), ("e", Some(""))]),
        "a%2Fb=x/n=__HIVE_DEFAULT_PARTITION__/e=__HIVE_DEFAULT_PARTITION__"
    );
}

proptest! {
    #[test]
    fn escaping_is_undone(text in any::<String>()) {
        let escaped = escape(&text);
        prop_assert!(!escaped.contains(['/', '=', '\0', '\n']));
        prop_assert_eq!(unescape(&escaped), text);
    }
}

#[test]
fn values_are_rendered_as_hive_does() {
    assert_eq!(
        rendered(Int32Array::from(vec![Some(-7), None])),
        [Some("-7".into()), None]
    );
    assert_eq!(
        rendered(BooleanArray::from(vec![true, false])),
        texts(&["true", "false"])
    );
    assert_eq!(
        rendered(StringViewArray::from(vec![
            Some("a b"),
            Some(""),
            None,
            Some(DEFAULT_PARTITION)
        ])),
        [Some("a b".into()), None, None, None]
    );
    assert_eq!(
        rendered(Date32Array::from(vec![15706])),
        texts(&["2013-01-01"])
    );
    assert_eq!(
        rendered(Date64Array::from(vec![15706 * 86_400_000])),
        texts(&["2013-01-01"])
    );
    assert_eq!(
        rendered(TimestampMicrosecondArray::from(vec![
            1_357_016_400_000_000,
            1_357_016_400_120_000,
            -1
        ])),
        texts(&[
            "2013-01-01 05:00:00",
            "2013-01-01 05:00:00.12",
            "1969-12-31 23:59:59.999999"
        ])
    );
    assert_eq!(
        rendered(TimestampSecondArray::from(vec![1_357_016_400]).with_timezone("+02:00")),
        texts(&["2013-01-01 05:00:00"])
    );
    assert_eq!(
        rendered(
            Decimal128Array::from(vec![150, -5])
                .with_precision_and_scale(10, 2)
                .unwrap()
        ),
        texts(&["1.50", "-0.05"])
    );
    let words: DictionaryArray<Int8Type> = vec![Some("x"), None].into_iter().collect();
    assert_eq!(rendered(words), [Some("x".into()), None]);
}

#[test]
fn floats_are_rendered_as_java_does() {
    // Expected texts are those of Double.toString (JDK 19 and later: the shortest digits).
    assert_eq!(
        rendered(Float64Array::from(vec![
            0.0,
            -0.0,
            1.0,
            -1.5,
            100.0,
            0.001,
            0.000_999,
            1_234_567.5,
            9_999_999.0,
            1e7,
            1.25e-7,
            1e21,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.1,
            12_345.678_9,
        ])),
        texts(&[
            "0.0",
            "-0.0",
            "1.0",
            "-1.5",
            "100.0",
            "0.001",
            "9.99E-4",
            "1234567.5",
            "9999999.0",
            "1.0E7",
            "1.25E-7",
            "1.0E21",
            "NaN",
            "Infinity",
            "-Infinity",
            "0.1",
            "12345.6789",
        ])
    );
    assert_eq!(
        rendered(Float32Array::from(vec![0.1, 16_777_216.0])),
        texts(&["0.1", "1.6777216E7"])
    );
}

#[test]
fn batches_are_split_in_order_and_lose_their_keys() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int32, false),
        Field::new("k", DataType::Utf8, true),
    ]));
    let batch = |k: Vec<Option<&str>>| {
        let n: Vec<i32> = (0..).take(k.len()).collect();
        RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int32Array::from(n)),
                Arc::new(StringArray::from(k)),
            ],
        )
        .unwrap()
    };
    let mut splitter = Splitter::new(&schema, &[1], None).unwrap();
    let parts = splitter
        .split(&batch(vec![
            Some("b"),
            Some("a"),
            None,
            Some("b"),
            Some(""),
            Some("a"),
        ]))
        .unwrap();
    let seen: Vec<(usize, Vec<i32>)> = parts
        .iter()
        .map(|(number, part)| {
            assert_eq!(part.num_columns(), 1);
            let n = part.column(0).as_primitive::<arrow::datatypes::Int32Type>();
            (*number, n.values().to_vec())
        })
        .collect();
    assert_eq!(seen, [(0, vec![0, 3]), (1, vec![1, 5]), (2, vec![2, 4])]);
    // The same numbers in a later batch, and a batch of one partition.
    let parts = splitter.split(&batch(vec![Some("a"), Some("a")])).unwrap();
    assert_eq!((parts.len(), parts[0].0, parts[0].1.num_rows()), (1, 1, 2));
    let folders: Vec<&str> = splitter
        .partitions()
        .iter()
        .map(|p| p.folder.as_str())
        .collect();
    assert_eq!(folders, ["k=b", "k=a", "k=__HIVE_DEFAULT_PARTITION__"]);
    assert!(splitter.split(&batch(vec![])).unwrap().is_empty());
}

/// For each partition that `splitter` has seen: its folder, and the rows of these batches that are in it.
fn rows_by_folder(mut splitter: Splitter, batches: &[RecordBatch]) -> Vec<(String, Vec<i32>)> {
    let mut rows: Vec<Vec<i32>> = Vec::new();
    for batch in batches {
        for (number, part) in splitter.split(batch).unwrap() {
            rows.resize(rows.len().max(number + 1), Vec::new());
            let n = part.column(0).as_primitive::<arrow::datatypes::Int32Type>();
            rows[number].extend(n.values());
        }
    }
    let folders = splitter.partitions().iter().map(|p| p.folder.clone());
    folders.zip(rows).collect()
}

proptest! {
    // Views of short texts are compared as numbers, all else as rows: what is in which folder is the same.
    #[test]
    fn views_are_split_like_other_texts(
        batches in prop::collection::vec(
            prop::collection::vec(prop::option::weighted(0.98, "[ab]{0,3}|[a-z]{11,14}|[a-z]é"), 0..40),
            1..5,
        )
    ) {
        let split = |data_type: DataType| {
            let schema: SchemaRef = Arc::new(Schema::new(vec![
                Field::new("n", DataType::Int32, false),
                Field::new("k", data_type.clone(), true),
            ]));
            let of = |keys: &Vec<Option<String>>| {
                let n = Int32Array::from_iter_values((0i32..).take(keys.len()));
                let keys = StringArray::from_iter(keys.iter().map(Option::as_deref));
                let keys = cast(&keys, &data_type).unwrap();
                RecordBatch::try_new(schema.clone(), vec![Arc::new(n), keys]).unwrap()
            };
            let batches: Vec<RecordBatch> = batches.iter().map(of).collect();
            rows_by_folder(Splitter::new(&schema, &[1], None).unwrap(), &batches)
        };
        prop_assert_eq!(split(DataType::Utf8View), split(DataType::Utf8));
    }
}

#[test]
fn rows_side_by_side_are_not_gathered() {
    assert_eq!(
        runs(&[2, 2, 0, 1, 1]),
        Some(vec![(2, 0..2), (0, 2..3), (1, 3..5)])
    );
    assert_eq!(runs(&[2, 0, 2]), None);
    assert_eq!(runs(&[]), Some(Vec::new()));
}

#[test]
fn rows_keep_their_order_within_a_partition() {
    let (rows, parts) = side_by_side(&[1, 0, 2, 1, 0], &[2, 0, 1], 0u32..);
    assert_eq!(rows, [2, 1, 4, 0, 3]);
    assert_eq!(parts, vec![(2, 0..1), (0, 1..3), (1, 3..5)]);
}
