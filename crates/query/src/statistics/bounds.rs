//! Kept statistics as the engine's values.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use mastic_catalog::{ColumnStatisticsData, DecimalNumber};

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
            let of = |n: &DecimalNumber| match data_type {
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

/// The same statistics with bounds that are farther apart by some of their distance, so that nothing there is lies at one.
///
/// A filter that leaves one value between two bounds makes the column a constant to DataFusion, even where they are
/// inexact, and a sort by a constant is left out. Filters that do so compare with the least or the greatest value
/// (`day >= DATE '2024-12-31'`); with these bounds they leave more than one, and an estimate stays an estimate.
pub(super) fn apart(data: &ColumnStatisticsData) -> ColumnStatisticsData {
    /// What part of the distance, and the least for what goes in steps: `n > 5` begins one step behind 5.
    const PART: i64 = 64;
    const STEPS: i64 = 2;
    let mut data = data.clone();
    match &mut data {
        ColumnStatisticsData::Long(d) => {
            let (low, high) = (d.minimum_value, d.maximum_value);
            let distance = high.unwrap_or(0).saturating_sub(low.unwrap_or(0));
            let by = (distance / PART).max(STEPS);
            d.minimum_value = low.map(|n| n.saturating_sub(by));
            d.maximum_value = high.map(|n| n.saturating_add(by));
        }
        ColumnStatisticsData::Date(d) => {
            let (low, high) = (d.minimum_value, d.maximum_value);
            let distance = low.zip(high).map_or(0, |(l, h)| (h - l).num_days());
            let by = chrono::Duration::days((distance / PART).max(STEPS));
            d.minimum_value = low.and_then(|day| day.checked_sub_signed(by));
            d.maximum_value = high.and_then(|day| day.checked_add_signed(by));
        }
        ColumnStatisticsData::Double(d) => {
            let (low, high) = (
                d.minimum_value.unwrap_or(0.0),
                d.maximum_value.unwrap_or(0.0),
            );
            let by = ((high - low) / PART as f64)
                .max(low.abs().max(high.abs()) / 1_024.0)
                .max(f64::MIN_POSITIVE);
            let finite = |n: f64| Some(n).filter(|n| n.is_finite());
            d.minimum_value = d.minimum_value.and_then(|n| finite(n - by));
            d.maximum_value = d.maximum_value.and_then(|n| finite(n + by));
        }
        ColumnStatisticsData::Decimal(d) => {
            let unscaled = |n: &Option<DecimalNumber>| n.as_ref().and_then(DecimalNumber::unscaled);
            let (low, high) = (unscaled(&d.minimum_value), unscaled(&d.maximum_value));
            let distance = high.unwrap_or(0).saturating_sub(low.unwrap_or(0));
            let by = (distance / i128::from(PART)).max(i128::from(STEPS));
            let moved = |from: &Option<DecimalNumber>, to: Option<i128>| {
                Some(DecimalNumber::new(to?, from.as_ref()?.scale))
            };
            let (low, high) = (
                low.and_then(|n| n.checked_sub(by)),
                high.and_then(|n| n.checked_add(by)),
            );
            d.minimum_value = moved(&d.minimum_value, low);
            d.maximum_value = moved(&d.maximum_value, high);
        }
        ColumnStatisticsData::Boolean(_)
        | ColumnStatisticsData::String(_)
        | ColumnStatisticsData::Binary(_) => (),
    }
    data
}

/// Two bounds, farther apart as [`apart`] says; none where their type has no steps to count in.
pub(super) fn values_apart(
    low: &ScalarValue,
    high: &ScalarValue,
) -> Option<(ScalarValue, ScalarValue)> {
    macro_rules! moved {
        ($l:expr, $h:expr, $of:expr) => {{
            let by = ($h.checked_sub(*$l)? / 64).max(2);
            Some(($of($l.checked_sub(by)?), $of($h.checked_add(by)?)))
        }};
    }
    use ScalarValue::{
        Date32, Decimal128, Int8, Int16, Int32, Int64, TimestampMicrosecond, TimestampMillisecond,
        TimestampNanosecond, TimestampSecond,
    };
    match (low, high) {
        (Int8(Some(l)), Int8(Some(h))) => moved!(l, h, |n| Int8(Some(n))),
        (Int16(Some(l)), Int16(Some(h))) => moved!(l, h, |n| Int16(Some(n))),
        (Int32(Some(l)), Int32(Some(h))) => moved!(l, h, |n| Int32(Some(n))),
        (Int64(Some(l)), Int64(Some(h))) => moved!(l, h, |n| Int64(Some(n))),
        (Date32(Some(l)), Date32(Some(h))) => moved!(l, h, |n| Date32(Some(n))),
        (TimestampSecond(Some(l), z), TimestampSecond(Some(h), _)) => {
            moved!(l, h, |n| TimestampSecond(Some(n), z.clone()))
        }
        (TimestampMillisecond(Some(l), z), TimestampMillisecond(Some(h), _)) => {
            moved!(l, h, |n| TimestampMillisecond(Some(n), z.clone()))
        }
        (TimestampMicrosecond(Some(l), z), TimestampMicrosecond(Some(h), _)) => {
            moved!(l, h, |n| TimestampMicrosecond(Some(n), z.clone()))
        }
        (TimestampNanosecond(Some(l), z), TimestampNanosecond(Some(h), _)) => {
            moved!(l, h, |n| TimestampNanosecond(Some(n), z.clone()))
        }
        (Decimal128(Some(l), p, s), Decimal128(Some(h), ..)) => {
            moved!(l, h, |n| Decimal128(Some(n), *p, *s))
        }
        _ => None,
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
    use mastic_catalog::{
        DateColumnStatisticsData, DecimalColumnStatisticsData, DoubleColumnStatisticsData,
        LongColumnStatisticsData,
    };

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

    #[test]
    fn bounds_apart_hold_all_that_the_bounds_hold() {
        let date = |days: i64| chrono::DateTime::from_timestamp(days * 24 * 60 * 60, 0);
        let number = |n: i128| Some(DecimalNumber::new(n, 2));
        let of_dates = |a: i64, b: i64| {
            ColumnStatisticsData::Date(DateColumnStatisticsData {
                minimum_value: date(a),
                maximum_value: date(b),
                ..DateColumnStatisticsData::default()
            })
        };
        let of_doubles = |a: f64, b: f64| {
            ColumnStatisticsData::Double(DoubleColumnStatisticsData {
                minimum_value: Some(a),
                maximum_value: Some(b),
                ..DoubleColumnStatisticsData::default()
            })
        };
        let of_decimals = |a: i128, b: i128| {
            ColumnStatisticsData::Decimal(DecimalColumnStatisticsData {
                minimum_value: number(a),
                maximum_value: number(b),
                ..DecimalColumnStatisticsData::default()
            })
        };
        // By a 64th of the distance, and two steps at least.
        assert_eq!(apart(&long(0, 640)), long(-10, 650));
        assert_eq!(apart(&long(5, 5)), long(3, 7));
        assert_eq!(apart(&long(i64::MIN, i64::MAX)), long(i64::MIN, i64::MAX));
        assert_eq!(apart(&of_dates(0, 0)), of_dates(-2, 2));
        assert_eq!(apart(&of_dates(0, 6_400)), of_dates(-100, 6_500));
        assert_eq!(apart(&of_decimals(-64, 64)), of_decimals(-66, 66));
        assert_eq!(apart(&of_doubles(0.0, 64.0)), of_doubles(-1.0, 65.0));
        let (low, high) = bounds(&apart(&of_doubles(0.0, 0.0)), &DataType::Float64);
        assert!(low < Some(ScalarValue::Float64(Some(0.0))));
        assert!(high > Some(ScalarValue::Float64(Some(0.0))));
        // Beyond the greatest number there is no bound.
        let (low, high) = bounds(&apart(&of_doubles(f64::MIN, f64::MAX)), &DataType::Float64);
        assert_eq!((low, high), (None, None));
        let (low, high) = bounds(
            &apart(&of_decimals(i128::MIN, 0)),
            &DataType::Decimal128(38, 2),
        );
        assert_eq!(low, None);
        assert!(high.is_some());
    }
}
