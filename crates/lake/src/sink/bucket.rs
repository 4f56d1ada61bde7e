//! Hive's buckets: rows in a fixed number of files by a hash of some columns.
//!
//! The hash is that of Hive's first version of bucketing (`ObjectInspectorUtils.getBucketHashCode`), which Athena and
//! Trino write and read: what Java's `hashCode` gives for a value, combined by `31 * hash + next`.

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampNanosecondType,
};
use arrow::error::ArrowError;

/// Which rows stand together in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// The columns whose values are hashed, in this order. Partition keys are none of them.
    pub columns: Vec<String>,
    /// How many files there are in each partition, at most; at least 1.
    pub count: u32,
}

/// Whether values of this type can be put in buckets: those that Trino's Hive connector hashes, decimals excepted,
/// whose hash differs from version to version of Hive.
pub(super) fn can_bucket(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => can_bucket(value),
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Timestamp(_, _)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => true,
        _ => false,
    }
}

/// The bucket of each row.
pub(super) fn numbers(columns: &[ArrayRef], count: u32) -> Result<Int32Array, ArrowError> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut hashes = vec![0i32; rows];
    for column in columns {
        combine(column, &mut hashes)?;
    }
    let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
    Ok(hashes
        .into_iter()
        .map(|hash| Some((hash & i32::MAX) % count))
        .collect())
}

/// Adds a column's hashes; NULL's is 0.
fn combine(column: &ArrayRef, hashes: &mut [i32]) -> Result<(), ArrowError> {
    let mut add = |of: &dyn Fn(usize) -> i32| {
        for (row, hash) in hashes.iter_mut().enumerate() {
            let own = if column.is_null(row) { 0 } else { of(row) };
            *hash = hash.wrapping_mul(31).wrapping_add(own);
        }
    };
    match column.data_type() {
        DataType::Boolean => {
            let values = column.as_boolean();
            add(&|row| i32::from(values.value(row)));
        }
        DataType::Int8 => {
            let values = column.as_primitive::<Int8Type>();
            add(&|row| i32::from(values.value(row)));
        }
        DataType::Int16 => {
            let values = column.as_primitive::<Int16Type>();
            add(&|row| i32::from(values.value(row)));
        }
        DataType::Int32 => {
            let values = column.as_primitive::<Int32Type>();
            add(&|row| values.value(row));
        }
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>();
            add(&|row| folded(values.value(row)));
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>();
            add(&|row| match values.value(row) {
                // Java has one NaN here.
                value if value.is_nan() => 0x7fc0_0000,
                value => value.to_bits().cast_signed(),
            });
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            add(&|row| match values.value(row) {
                value if value.is_nan() => folded(0x7ff8_0000_0000_0000),
                value => folded(value.to_bits().cast_signed()),
            });
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>();
            add(&|row| values.value(row));
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let values = column.as_primitive::<TimestampNanosecondType>();
            add(&|row| of_moment(i128::from(values.value(row))));
        }
        DataType::Timestamp(unit, _) => {
            let scale: i128 = match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                _ => 1_000,
            };
            let values = cast(column, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            add(&|row| of_moment(i128::from(values.value(row)) * scale));
        }
        DataType::Utf8View => {
            let values = column.as_string_view();
            add(&|row| of_text(values.value(row)));
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            add(&|row| of_text(values.value(row)));
        }
        DataType::LargeUtf8 => {
            let values = column.as_string::<i64>();
            add(&|row| of_text(values.value(row)));
        }
        DataType::Dictionary(_, value) => return combine(&cast(column, value)?, hashes),
        other => {
            return Err(ArrowError::NotYetImplemented(format!(
                "buckets by values of type {other}"
            )));
        }
    }
    Ok(())
}

/// `Long.hashCode`.
#[allow(clippy::cast_possible_truncation, reason = "the two halves are meant")]
fn folded(value: i64) -> i32 {
    (value ^ (value >> 32)) as i32
}

/// `Text`'s bytes, as Hive hashes them: signed.
fn of_text(text: &str) -> i32 {
    text.bytes().fold(0i32, |hash, byte| {
        hash.wrapping_mul(31)
            .wrapping_add(i32::from(byte.cast_signed()))
    })
}

/// `TimestampWritable.hashCode`: seconds shifted by 30 bits, with the nanoseconds in them.
#[allow(clippy::cast_possible_truncation, reason = "an i64's seconds fit")]
fn of_moment(nanos: i128) -> i32 {
    let seconds = nanos.div_euclid(1_000_000_000) as i64;
    let rest = nanos.rem_euclid(1_000_000_000) as i64;
    folded(seconds.wrapping_shl(30) | rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};

    use super::*;

    fn hash(columns: &[ArrayRef]) -> Vec<i32> {
        let mut hashes = vec![0; columns[0].len()];
        for column in columns {
            combine(column, &mut hashes).unwrap();
        }
        hashes
    }

    #[test]
    fn hashes_are_hives() {
        // Trino's `TestHiveBucketing` (version 1): a boolean, bigints, a double, texts, a date.
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            Some(""),
            Some("test string"),
            Some("\u{1f600}"),
            None,
        ]));
        let hashes = hash(&[texts]);
        assert_eq!((hashes[0], hashes[1], hashes[3]), (0, -318_923_937, 0));
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![
            0,
            -1,
            1,
            4_294_967_296,
            300_000_000_000,
        ]));
        // (int)(v ^ v >>> 32), by hand.
        assert_eq!(hash(&[longs])[..4], [0, 0, 1, 1]);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
        assert_eq!(hash(&[flags]), [1, 0, 0]);
        // Double.hashCode(12.34) of Java.
        let double: ArrayRef = Arc::new(Float64Array::from(vec![12.34]));
        assert_eq!(hash(&[double]), [986_311_098]);
        let date: ArrayRef = Arc::new(Date32Array::from(vec![16_734]));
        assert_eq!(hash(&[date]), [16_734]);
    }

    #[test]
    fn columns_are_combined_and_buckets_never_negative() {
        let a: ArrayRef = Arc::new(StringArray::from(vec!["test string", "b"]));
        let b: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let combined = (-318_923_937i32).wrapping_mul(31).wrapping_add(7);
        assert_eq!(hash(&[a.clone(), b.clone()])[0], combined);
        let buckets = numbers(&[a, b], 5).unwrap();
        assert_eq!(buckets.value(0), (combined & i32::MAX) % 5);
        assert!(buckets.values().iter().all(|b| (0..5).contains(b)));
    }
}
