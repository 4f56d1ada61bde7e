//! Kept statistics as the engine's values.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use mastic_catalog::ColumnStatisticsData;

/// How many values are NULL.
pub(super) fn nulls(data: &ColumnStatisticsData) -> u64 {
    match data {
        ColumnStatisticsData::Boolean(d) => d.number_of_nulls,
        ColumnStatisticsData::Date(d) => d.number_of_nulls,
        ColumnStatisticsData::Decimal(d) => d.number_of_nulls,
        ColumnStatisticsData::Double(d) => d.number_of_nulls,
        ColumnStatisticsData::Long(d) => d.number_of_nulls,
        ColumnStatisticsData::String(d) => d.number_of_nulls,
        ColumnStatisticsData::Binary(d) => d.number_of_nulls,
    }
}

/// How many different values there are, where it was counted.
pub(super) fn distinct(data: &ColumnStatisticsData) -> Option<u64> {
    Some(match data {
        ColumnStatisticsData::Boolean(d) => {
            u64::from(d.number_of_trues > 0) + u64::from(d.number_of_falses > 0)
        }
        ColumnStatisticsData::Date(d) => d.number_of_distinct_values,
        ColumnStatisticsData::Decimal(d) => d.number_of_distinct_values,
        ColumnStatisticsData::Double(d) => d.number_of_distinct_values,
        ColumnStatisticsData::Long(d) => d.number_of_distinct_values,
        ColumnStatisticsData::String(d) => d.number_of_distinct_values,
        ColumnStatisticsData::Binary(_) => return None,
    })
}

/// The longest and the average length of a text's or binary's values, in bytes.
pub(super) fn lengths(data: &ColumnStatisticsData) -> Option<(u64, f64)> {
    match data {
        ColumnStatisticsData::String(d) => Some((d.maximum_length, d.average_length)),
        ColumnStatisticsData::Binary(d) => Some((d.maximum_length, d.average_length)),
        _ => None,
    }
}

/// The least and the greatest value, of the column's own type; none that the type cannot hold, and none where they
/// contradict each other, as nothing that was counted does.
pub(super) fn bounds(
    data: &ColumnStatisticsData,
    data_type: &DataType,
) -> (Option<ScalarValue>, Option<ScalarValue>) {
    let (low, high) = match data {
        ColumnStatisticsData::Long(d) => {
            let of = |n: i64| match data_type {
                DataType::Timestamp(unit, zone) => timestamp(n, *unit, zone.clone()),
                DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                    ScalarValue::Int64(Some(n)).cast_to(data_type).ok()
                }
                _ => None,
            };
            (d.minimum_value.and_then(of), d.maximum_value.and_then(of))
        }
        ColumnStatisticsData::Double(d) => {
            let of = |n: f64| match data_type {
                DataType::Float32 | DataType::Float64 => {
                    ScalarValue::Float64(Some(n)).cast_to(data_type).ok()
                }
                _ => None,
            };
            (d.minimum_value.and_then(of), d.maximum_value.and_then(of))
        }
        ColumnStatisticsData::Decimal(d) => {
            let of = |n: &mastic_catalog::DecimalNumber| match data_type {
                DataType::Decimal128(precision, scale) if i32::from(*scale) == n.scale => Some(
                    ScalarValue::Decimal128(Some(n.unscaled()?), *precision, *scale),
                ),
                _ => None,
            };
            (
                d.minimum_value.as_ref().and_then(of),
                d.maximum_value.as_ref().and_then(of),
            )
        }
        ColumnStatisticsData::Date(d) => {
            let of = |time: chrono::DateTime<chrono::Utc>| {
                let days = time.timestamp().div_euclid(24 * 60 * 60);
                let days = i32::try_from(days).ok()?;
                (data_type == &DataType::Date32).then_some(ScalarValue::Date32(Some(days)))
            };
            (d.minimum_value.and_then(of), d.maximum_value.and_then(of))
        }
        ColumnStatisticsData::Boolean(_)
        | ColumnStatisticsData::String(_)
        | ColumnStatisticsData::Binary(_) => (None, None),
    };
    let (low, high) = (
        low.filter(|value| !value.is_null()),
        high.filter(|value| !value.is_null()),
    );
    match (&low, &high) {
        (Some(l), Some(h)) if !l.partial_cmp(h).is_some_and(|order| order.is_le()) => (None, None),
        _ => (low, high),
    }
}

fn timestamp(
    seconds: i64,
    unit: TimeUnit,
    zone: Option<std::sync::Arc<str>>,
) -> Option<ScalarValue> {
    let ticks = |in_a_second: i64| seconds.checked_mul(in_a_second).map(Some);
    Some(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(ticks(1)?, zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(ticks(1_000)?, zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(ticks(1_000_000)?, zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(ticks(1_000_000_000)?, zone),
    })
}

#[cfg(test)]
mod tests {
    use mastic_catalog::{DecimalColumnStatisticsData, DecimalNumber, LongColumnStatisticsData};

    use super::*;

    fn long(minimum: i64, maximum: i64) -> ColumnStatisticsData {
        ColumnStatisticsData::Long(LongColumnStatisticsData {
            minimum_value: Some(minimum),
            maximum_value: Some(maximum),
            ..LongColumnStatisticsData::default()
        })
    }

    #[test]
    fn bounds_are_of_the_columns_type_or_none() {
        assert_eq!(
            bounds(&long(-1, 2), &DataType::Int16),
            (
                Some(ScalarValue::Int16(Some(-1))),
                Some(ScalarValue::Int16(Some(2)))
            )
        );
        // 40,000 is no smallint, and a number is no bound of text.
        assert_eq!(
            bounds(&long(0, 40_000), &DataType::Int16),
            (Some(ScalarValue::Int16(Some(0))), None)
        );
        assert_eq!(bounds(&long(0, 1), &DataType::Utf8View), (None, None));
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(
            bounds(&long(1, i64::MAX), &micros),
            (
                Some(ScalarValue::TimestampMicrosecond(Some(1_000_000), None)),
                None
            )
        );
    }

    #[test]
    fn bounds_that_contradict_each_other_are_none() {
        assert_eq!(bounds(&long(2, 1), &DataType::Int64), (None, None));
    }

    #[test]
    fn a_decimal_of_another_scale_is_no_bound() {
        let data = ColumnStatisticsData::Decimal(DecimalColumnStatisticsData {
            minimum_value: Some(DecimalNumber::new(-150, 2)),
            ..DecimalColumnStatisticsData::default()
        });
        assert_eq!(
            bounds(&data, &DataType::Decimal128(5, 2)).0,
            Some(ScalarValue::Decimal128(Some(-150), 5, 2))
        );
        assert_eq!(bounds(&data, &DataType::Decimal128(5, 3)).0, None);
    }
}
