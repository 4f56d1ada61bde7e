//! Whole files, read back by orc-rust, which shares no code with the writer but the messages of the
//! tail. The same values were compared by hand with what pyarrow and pyorc (ORC's C++ library) read.
#![allow(clippy::unwrap_used)]

mod random;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal256Array, DictionaryArray,
    FixedSizeListArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray, NullArray,
    RecordBatch, StringArray, StringViewArray, StructArray, Time32SecondArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt8Array, UInt64Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef, i256};
use bytes::Bytes;
use orc_rust::proto::CompressionKind;
use orc_rust::statistics::TypeStatistics;
use orc_rust::{ArrowReaderBuilder, TimestampPrecision};
use proptest::prelude::*;

use super::OrcWriter;

const ALL: [CompressionKind; 5] = [
    CompressionKind::None,
    CompressionKind::Zlib,
    CompressionKind::Snappy,
    CompressionKind::Lz4,
    CompressionKind::Zstd,
];

fn file(schema: &SchemaRef, batches: &[RecordBatch], kind: CompressionKind, rows: usize) -> Bytes {
    let mut writer = OrcWriter::new(schema, (kind, None), usize::MAX, rows).unwrap();
    let mut bytes = Vec::new();
    for batch in batches {
        writer.write(batch).unwrap();
        bytes.extend(writer.take());
    }
    bytes.extend(writer.finish().unwrap());
    bytes.into()
}

/// What orc-rust reads, of which it says how many stripes there were.
fn read(bytes: Bytes) -> (RecordBatch, usize) {
    let builder = ArrowReaderBuilder::try_new(bytes)
        .unwrap()
        .with_timestamp_precision(TimestampPrecision::Microsecond);
    let stripes = builder.file_metadata().stripe_metadatas().len();
    let schema = builder.schema();
    let batches: Vec<_> = builder.build().map(Result::unwrap).collect();
    (concat_batches(&schema, &batches).unwrap(), stripes)
}

fn one(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

fn round_trip(column: ArrayRef) -> ArrayRef {
    let batch = one("c", column);
    let bytes = file(&batch.schema(), &[batch], CompressionKind::None, usize::MAX);
    read(bytes).0.column(0).clone()
}

fn refused(column: ArrayRef) -> String {
    let batch = one("c", column);
    let writer = OrcWriter::new(
        &batch.schema(),
        (CompressionKind::None, None),
        1 << 20,
        1000,
    );
    let written = writer.and_then(|mut writer| writer.write(&batch));
    written.unwrap_err().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any nesting of any types, with nulls at every level, hidden values beneath nulls and slices at odd
    /// offsets, in batches and stripes of any size, is read back as it was.
    #[test]
    fn what_is_written_is_read_back(
        types in prop::collection::vec(random::types(), 1..4),
        seed in any::<u64>(),
        sizes in prop::collection::vec(0_usize..700, 0..4),
        stripe_rows in prop::sample::select(vec![1_usize, 100, 513, usize::MAX]),
        kind in prop::sample::select(ALL.to_vec()),
    ) {
        let names = ["a", "b", "c"];
        let fields: Vec<Field> = types
            .iter()
            .zip(names)
            .map(|(t, name)| Field::new(name, t.clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let mut random = random::Random::new(seed);
        let batches: Vec<RecordBatch> = sizes
            .iter()
            .map(|rows| {
                let columns = types.iter().map(|t| random.sliced(t, *rows)).collect();
                RecordBatch::try_new(schema.clone(), columns).unwrap()
            })
            .collect();
        let rows: usize = sizes.iter().sum();
        let stripe_rows = if rows > 300 { stripe_rows.max(50) } else { stripe_rows };
        let (found, stripes) = read(file(&schema, &batches, kind, stripe_rows));
        prop_assert_eq!(stripes, rows.div_ceil(stripe_rows));
        let wanted = concat_batches(&schema, &batches).unwrap();
        prop_assert_eq!(found.num_rows(), rows);
        for (wanted, found) in wanted.columns().iter().zip(found.columns()) {
            prop_assert_eq!(&cast(wanted, found.data_type()).unwrap(), found);
        }
    }

    /// Integers of every shape: the run lengths are read as what they were written from.
    #[test]
    fn integers_are_read_back(pieces in prop::collection::vec(random::integers(), 0..12)) {
        let column: ArrayRef = Arc::new(Int64Array::from(pieces.concat()));
        prop_assert_eq!(&round_trip(column.clone()), &column);
    }
}

#[test]
fn row_counts_around_the_encoders_windows() {
    for rows in [0, 1, 2, 511, 512, 513, 1024, 10_000, 40_000] {
        let text = |i: i64| (i % 5 > 0).then(|| format!("{}", i % 97));
        let batch = RecordBatch::try_from_iter_with_nullable([
            (
                "n",
                Arc::new(Int64Array::from_iter_values((0..rows).map(|i| i * i))) as ArrayRef,
                true,
            ),
            (
                "s",
                Arc::new(StringArray::from_iter((0..rows).map(text))) as _,
                true,
            ),
            (
                "b",
                Arc::new(BooleanArray::from_iter(
                    (0..rows).map(|i| (i % 11 > 0).then_some(i % 3 == 0)),
                )) as _,
                true,
            ),
        ])
        .unwrap();
        for kind in ALL {
            let bytes = file(&batch.schema(), std::slice::from_ref(&batch), kind, 9_000);
            let (found, stripes) = read(bytes);
            assert_eq!(found.columns(), batch.columns());
            assert_eq!(stripes, (rows as usize).div_ceil(9_000));
        }
    }
}

#[test]
fn stripes_end_by_their_size() {
    let numbers = random::Random::new(7).numbers(200_000);
    let batch = one("n", Arc::new(Int64Array::from(numbers)));
    let mut writer = OrcWriter::new(
        &batch.schema(),
        (CompressionKind::Zstd, None),
        400 * 1024,
        usize::MAX,
    )
    .unwrap();
    writer.write(&batch).unwrap();
    // Random numbers do not shrink: 1.6 MB, four stripes of 400 KiB or a little more.
    let size = writer.size();
    assert!((1_500_000..1_700_000).contains(&size), "{size}");
    assert!(writer.memory() > writer.ready());
    let (found, stripes) = read(writer.finish().unwrap().into());
    assert_eq!(stripes, 4);
    assert_eq!(found, batch);
}

#[test]
fn types_that_orc_lacks_become_the_ones_the_catalog_names() {
    let date = |days: i32| Date32Array::from(vec![days]);
    let strings = StringArray::from(vec![Some("x"), None, Some("x")]);
    let keys = cast(
        &strings,
        &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
    )
    .unwrap();
    let keys: ArrayRef = Arc::new(
        keys.as_any()
            .downcast_ref::<DictionaryArray<Int8Type>>()
            .unwrap()
            .clone(),
    );
    let cases: Vec<(ArrayRef, DataType, &str)> = vec![
        (
            Arc::new(UInt8Array::from(vec![255])),
            DataType::Int16,
            "255",
        ),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            DataType::Decimal128(20, 0),
            "18446744073709551615",
        ),
        (
            cast(&date(3), &DataType::Date64).unwrap(),
            DataType::Date32,
            "1970-01-04",
        ),
        (
            Arc::new(Time32SecondArray::from(vec![61])),
            DataType::Utf8,
            "00:01:01",
        ),
        (Arc::new(NullArray::new(1)), DataType::Utf8, ""),
        (
            Arc::new(StringViewArray::from(vec!["long enough to be kept aside"])),
            DataType::Utf8,
            "long enough to be kept aside",
        ),
        (keys, DataType::Utf8, "x"),
        (
            Arc::new(
                Decimal256Array::from(vec![i256::from_i128(-12345)])
                    .with_precision_and_scale(30, 2)
                    .unwrap(),
            ),
            DataType::Decimal128(30, 2),
            "-123.45",
        ),
        (
            Arc::new(
                arrow::array::Decimal128Array::from(vec![12])
                    .with_precision_and_scale(5, -3)
                    .unwrap(),
            ),
            DataType::Decimal128(8, 0),
            "12000",
        ),
    ];
    for (column, data_type, text) in cases {
        let hive =
            mastic_schema::hive::format_type(&super::types::stored(column.data_type()).unwrap());
        if column.data_type() != &DataType::Decimal128(5, -3) {
            assert_eq!(hive, mastic_schema::hive::format_type(column.data_type()));
        }
        let found = round_trip(column);
        assert_eq!(found.data_type(), &data_type);
        let shown = arrow::util::display::array_value_to_string(&found, 0).unwrap();
        assert_eq!(shown, text);
    }
}

#[test]
fn what_stands_beneath_nulls_is_not_written() {
    // Lists, of which the null one has items; structs, of which the null one has fields.
    let items: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
    let field = Arc::new(Field::new("item", DataType::Int32, true));
    let list = ListArray::new(
        field.clone(),
        OffsetBuffer::new(vec![0, 2, 4, 5].into()),
        items,
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let found = round_trip(Arc::new(list.clone()));
    let shown = |i| arrow::util::display::array_value_to_string(&found, i).unwrap();
    assert_eq!([shown(0), shown(1), shown(2)], ["[1, 2]", "", "[5]"]);
    let fixed = FixedSizeListArray::new(
        field.clone(),
        2,
        Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5, 6])),
        Some(NullBuffer::from(vec![false, true, false])),
    );
    let found = round_trip(Arc::new(fixed));
    let shown = |i| arrow::util::display::array_value_to_string(&found, i).unwrap();
    assert_eq!([shown(0), shown(1), shown(2)], ["", "[3, 4]", ""]);
    let inner: ArrayRef = Arc::new(list);
    let fields = vec![Field::new("l", inner.data_type().clone(), true)];
    let outer = StructArray::new(
        fields.into(),
        vec![inner],
        Some(NullBuffer::from(vec![false, true, true])),
    );
    let found = round_trip(Arc::new(outer));
    let shown = |i| arrow::util::display::array_value_to_string(&found, i).unwrap();
    assert_eq!([shown(0), shown(1), shown(2)], ["", "{l: }", "{l: [5]}"]);
}

#[test]
fn statistics_say_what_is_there_and_nothing_that_is_not_sure() {
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "n",
            Arc::new(Int64Array::from(vec![Some(5), None, Some(-7), Some(9)])) as ArrayRef,
            true,
        ),
        (
            "d",
            Arc::new(Float64Array::from(vec![0.0, 2.5, 1.0, f64::NAN])) as _,
            true,
        ),
        (
            "s",
            Arc::new(StringArray::from(vec!["b", "ä", "a", "c"])) as _,
            true,
        ),
        (
            "t",
            // 500 ms and 1 µs before 1969-12-31 23:59:58, 1 µs after 1970, …
            Arc::new(TimestampMicrosecondArray::from(vec![
                -2_500_001, 1, 2, 3_000,
            ])) as _,
            true,
        ),
        ("m", new_null_array(&DataType::Int32, 4), true),
    ])
    .unwrap();
    let bytes = file(
        &batch.schema(),
        std::slice::from_ref(&batch),
        CompressionKind::Zlib,
        2,
    );
    let builder = ArrowReaderBuilder::try_new(bytes).unwrap();
    let metadata = builder.file_metadata();
    assert_eq!(metadata.number_of_rows(), 4);
    let [root, n, d, s, t, m] = metadata.column_file_statistics() else {
        panic!("six columns");
    };
    assert_eq!((root.number_of_values(), root.has_null()), (4, false));
    assert_eq!((n.number_of_values(), n.has_null()), (3, true));
    assert!(matches!(
        n.type_statistics(),
        Some(TypeStatistics::Integer {
            min: -7,
            max: 9,
            sum: Some(7)
        })
    ));
    // A NaN is neither less nor more: no bounds.
    assert!(d.type_statistics().is_none());
    assert!(matches!(
        s.type_statistics(),
        Some(TypeStatistics::String { lower_bound, upper_bound, sum: 5, is_exact_min: true, is_exact_max: true }) if lower_bound == "a" && upper_bound == "ä"
    ));
    // Rounded down.
    assert!(matches!(
        t.type_statistics(),
        Some(TypeStatistics::Timestamp {
            min: -2501,
            max: 3,
            min_utc: -2501,
            max_utc: 3
        })
    ));
    assert_eq!((m.number_of_values(), m.has_null()), (0, true));
    assert!(m.type_statistics().is_none());
    let first = metadata.stripe_metadatas()[0].column_statistics();
    assert!(matches!(
        first[1].type_statistics(),
        Some(TypeStatistics::Integer {
            min: 5,
            max: 5,
            sum: Some(5)
        })
    ));
    // The first stripe has no NaN; its 0.0 may be either zero.
    assert!(matches!(
        first[2].type_statistics(),
        Some(TypeStatistics::Double { min, max, .. }) if min.to_bits() == (-0.0_f64).to_bits() && *max == 2.5
    ));
}

#[test]
fn bounds_that_are_too_long_are_left_out() {
    let long = "x".repeat(1025);
    let batch = one("s", Arc::new(StringArray::from(vec!["a", &long])));
    let bytes = file(&batch.schema(), &[batch], CompressionKind::None, 10);
    let builder = ArrowReaderBuilder::try_new(bytes).unwrap();
    let found = &builder.file_metadata().column_file_statistics()[1];
    assert_eq!(found.number_of_values(), 2);
    assert!(found.type_statistics().is_none());
}

#[test]
fn strings_get_a_dictionary_where_it_pays() {
    let few = StringArray::from_iter_values((0..50_000).map(|i| ["RAIL", "SHIP", "AIR"][i % 3]));
    let many = StringArray::from_iter_values((0..50_000).map(|i| format!("value {i}")));
    let turns = StringArray::from_iter_values((0..50_000).map(|i| match i {
        0..20_000 => "same".to_owned(),
        _ => format!("value {i}"),
    }));
    let size = |column: StringArray| {
        let batch = one("s", Arc::new(column));
        let schema = batch.schema();
        let mut writer = OrcWriter::new(
            &schema,
            (CompressionKind::None, None),
            usize::MAX,
            usize::MAX,
        )
        .unwrap();
        writer.write(&batch).unwrap();
        let bytes: Bytes = writer.finish().unwrap().into();
        let size = bytes.len();
        assert_eq!(read(bytes).0, batch);
        size
    };
    // Two bits a value.
    assert!((12_500..14_000).contains(&size(few)));
    // 10.8 bytes a value, and nearly nothing for its length.
    assert!((538_000..560_000).contains(&size(many)));
    assert!(size(turns) < 480_000);
}

#[test]
fn times_that_no_reader_would_read_right_are_refused() {
    let inner: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1]));
    let fields = vec![Field::new("at", inner.data_type().clone(), true)];
    let told = refused(Arc::new(StructArray::new(fields.into(), vec![inner], None)));
    assert!(
        told.starts_with("column 'c.at': ORC cannot hold 1 ns before 1970-01-01 00:00:00: "),
        "{told}"
    );
    let whole: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![-1_000_000, -999_001]));
    assert_eq!(round_trip(whole.clone()).as_ref(), whole.as_ref());
}

#[test]
fn what_orc_has_no_type_for_is_refused() {
    let told = refused(new_null_array(
        &DataType::Duration(arrow::datatypes::TimeUnit::Second),
        1,
    ));
    assert_eq!(
        told,
        "ORC has no type for Duration(s); cast it, to a string for instance"
    );
    let told = refused(new_null_array(&DataType::Decimal256(39, 0), 1));
    assert!(
        told.starts_with("ORC has no type for Decimal256(39, 0)"),
        "{told}"
    );
    let mut deep = DataType::Int32;
    for _ in 0..300 {
        deep = DataType::List(Arc::new(Field::new("item", deep, true)));
    }
    let schema = Schema::new(vec![Field::new("c", deep, true)]);
    let told = OrcWriter::new(&schema, (CompressionKind::None, None), 1, 1)
        .err()
        .unwrap();
    assert!(
        told.to_string().contains("deeper than 256 levels"),
        "{told}"
    );
}

#[test]
fn maps_keep_their_order_and_empty_structs_their_rows() {
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["z", "a", "k"]));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let fields = vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Int32, true),
    ];
    let entries = StructArray::new(fields.into(), vec![keys, values], None);
    let field = Field::new("entries", entries.data_type().clone(), false);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 2, 2, 3]));
    let map = MapArray::new(Arc::new(field), offsets, entries, None, false);
    let found = round_trip(Arc::new(map));
    let shown = |i| arrow::util::display::array_value_to_string(&found, i).unwrap();
    assert_eq!(
        [shown(0), shown(1), shown(2)],
        ["{z: 1, a: }", "{}", "{k: 3}"]
    );
}
