//! What is counted of a column, by the kind of its type: the aggregates, and Glue's shape of their values.

use std::sync::Arc;

use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Duration, Utc};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result as EngineResult;
use datafusion::functions::expr_fn::octet_length;
use datafusion::functions_aggregate::expr_fn::{approx_distinct, avg, count, max, min};
use datafusion::logical_expr::expr_fn::SimpleScalarUDF;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarUDF, Signature, Volatility, cast, lit, when,
};
use mastic_catalog::{
    BinaryColumnStatisticsData, BooleanColumnStatisticsData, ColumnStatisticsData,
    DateColumnStatisticsData, DecimalColumnStatisticsData, DecimalNumber,
    DoubleColumnStatisticsData, LongColumnStatisticsData, StringColumnStatisticsData,
};

/// Which of Glue's shapes a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Date,
    Decimal,
    Double,
    Long,
    /// Glue has no shape for it: as in Hive, it is a long, of seconds since 1970 (`GenericUDAFComputeStats`).
    Timestamp,
    String,
    Binary,
}

impl Kind {
    /// The kind of a type; none of a nested one, of which Glue keeps nothing.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Kind::Boolean,
            DataType::Date32 => Kind::Date,
            DataType::Decimal128(..) => Kind::Decimal,
            DataType::Float32 | DataType::Float64 => Kind::Double,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Kind::Long,
            DataType::Timestamp(..) => Kind::Timestamp,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::String,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Kind::Binary,
            _ => return None,
        })
    }

    /// The aggregates that tell the statistics of a column. The first counts its values.
    pub(super) fn aggregates(self, column: &Expr) -> EngineResult<Vec<Expr>> {
        let c = || column.clone();
        let mut all = vec![count(c())];
        match self {
            Kind::Boolean => all.push(count(when(c(), lit(1)).end()?)),
            Kind::Date | Kind::Decimal | Kind::Long | Kind::Timestamp => {
                all.extend([approx_distinct(c()), min(c()), max(c())]);
            }
            // DataFusion counts no different floats; two are the same text where they are the same.
            Kind::Double => all.extend([
                approx_distinct(cast(c(), DataType::Utf8View)),
                min(c()),
                max(c()),
            ]),
            // Lengths in bytes and averages over what is no NULL, as Trino keeps them: so they tell the size of the data.
            Kind::String => all.extend([
                approx_distinct(c()),
                max(octet_length(c())),
                avg(octet_length(c())),
            ]),
            Kind::Binary => {
                let bytes = || length_in_bytes().call(vec![c()]);
                all.extend([max(bytes()), avg(bytes())]);
            }
        }
        Ok(all)
    }

    /// The statistics that the values of [`Kind::aggregates`] tell, over `rows` rows.
    pub(super) fn data(self, rows: u64, values: &[ScalarValue]) -> ColumnStatisticsData {
        let number = |at: usize| values.get(at).map_or(0, whole);
        let value = |at: usize| values.get(at).filter(|value| !value.is_null());
        let present = number(0);
        let number_of_nulls = rows.saturating_sub(present);
        // An estimate, which may be more than there can be.
        let number_of_distinct_values = number(1).min(present);
        match self {
            Kind::Boolean => ColumnStatisticsData::Boolean(BooleanColumnStatisticsData {
                number_of_trues: number(1),
                number_of_falses: present.saturating_sub(number(1)),
                number_of_nulls,
            }),
            Kind::Date => ColumnStatisticsData::Date(DateColumnStatisticsData {
                minimum_value: value(2).and_then(midnight),
                maximum_value: value(3).and_then(midnight),
                number_of_nulls,
                number_of_distinct_values,
            }),
            Kind::Decimal => ColumnStatisticsData::Decimal(DecimalColumnStatisticsData {
                minimum_value: value(2).and_then(decimal),
                maximum_value: value(3).and_then(decimal),
                number_of_nulls,
                number_of_distinct_values,
            }),
            Kind::Double => ColumnStatisticsData::Double(DoubleColumnStatisticsData {
                minimum_value: value(2).and_then(double),
                maximum_value: value(3).and_then(double),
                number_of_nulls,
                number_of_distinct_values,
            }),
            Kind::Long => ColumnStatisticsData::Long(LongColumnStatisticsData {
                minimum_value: value(2).and_then(long),
                maximum_value: value(3).and_then(long),
                number_of_nulls,
                number_of_distinct_values,
            }),
            // Rounded outwards: nothing is beyond them.
            Kind::Timestamp => ColumnStatisticsData::Long(LongColumnStatisticsData {
                minimum_value: value(2).and_then(|v| seconds(v, false)),
                maximum_value: value(3).and_then(|v| seconds(v, true)),
                number_of_nulls,
                number_of_distinct_values,
            }),
            Kind::String => ColumnStatisticsData::String(StringColumnStatisticsData {
                maximum_length: number(2),
                average_length: value(3).and_then(double).unwrap_or_default(),
                number_of_nulls,
                number_of_distinct_values,
            }),
            Kind::Binary => ColumnStatisticsData::Binary(BinaryColumnStatisticsData {
                maximum_length: number(1),
                average_length: value(2).and_then(double).unwrap_or_default(),
                number_of_nulls,
            }),
        }
    }
}

/// `octet_length` for bytes: DataFusion's own takes them for text.
fn length_in_bytes() -> ScalarUDF {
    let signature = Signature::any(1, Volatility::Immutable);
    SimpleScalarUDF::new_with_signature(
        "length_in_bytes",
        signature,
        DataType::Int64,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [array] = arrays.as_slice() else {
                return exec_err!("length_in_bytes takes one argument");
            };
            let lengths = arrow::compute::kernels::length::length(array)?;
            Ok(ColumnarValue::Array(arrow::compute::cast(
                &lengths,
                &DataType::Int64,
            )?))
        }),
    )
    .into()
}

/// A count or a length, of whichever integer type.
fn whole(value: &ScalarValue) -> u64 {
    match value {
        ScalarValue::UInt64(Some(n)) => *n,
        other => long(other)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or_default(),
    }
}

fn long(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(n) => n.map(i64::from),
        ScalarValue::Int16(n) => n.map(i64::from),
        ScalarValue::Int32(n) => n.map(i64::from),
        ScalarValue::Int64(n) => *n,
        _ => None,
    }
}

/// A finite number: JSON has no other, and a NaN bounds nothing.
fn double(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Float32(n) => n.map(f64::from),
        ScalarValue::Float64(n) => *n,
        _ => None,
    }
    .filter(|n| n.is_finite())
}

fn decimal(value: &ScalarValue) -> Option<DecimalNumber> {
    match value {
        ScalarValue::Decimal128(Some(unscaled), _, scale) => {
            Some(DecimalNumber::new(*unscaled, i32::from(*scale)))
        }
        _ => None,
    }
}

/// A day, where its year has four digits, as the catalog wants it.
fn midnight(value: &ScalarValue) -> Option<DateTime<Utc>> {
    match value {
        ScalarValue::Date32(Some(days)) => DateTime::UNIX_EPOCH
            .checked_add_signed(Duration::try_days(i64::from(*days))?)
            .filter(|time| (0..=9999).contains(&time.year())),
        _ => None,
    }
}

fn seconds(value: &ScalarValue, up: bool) -> Option<i64> {
    let (ticks, in_a_second) = match value {
        ScalarValue::TimestampSecond(Some(t), _) => (*t, 1),
        ScalarValue::TimestampMillisecond(Some(t), _) => (*t, 1_000),
        ScalarValue::TimestampMicrosecond(Some(t), _) => (*t, 1_000_000),
        ScalarValue::TimestampNanosecond(Some(t), _) => (*t, 1_000_000_000),
        _ => return None,
    };
    let rest = ticks.rem_euclid(in_a_second) != 0;
    Some(ticks.div_euclid(in_a_second) + i64::from(up && rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_outwards() {
        let half = ScalarValue::TimestampMillisecond(Some(-1_500), None);
        assert_eq!(seconds(&half, false), Some(-2));
        assert_eq!(seconds(&half, true), Some(-1));
        let even = ScalarValue::TimestampNanosecond(Some(2_000_000_000), None);
        assert_eq!(seconds(&even, false), Some(2));
        assert_eq!(seconds(&even, true), Some(2));
        let last = ScalarValue::TimestampMicrosecond(Some(i64::MAX), None);
        assert_eq!(seconds(&last, true), Some(i64::MAX / 1_000_000 + 1));
    }

    #[test]
    fn what_is_not_finite_is_no_bound() {
        assert_eq!(double(&ScalarValue::Float64(Some(f64::NAN))), None);
        assert_eq!(double(&ScalarValue::Float32(Some(f32::INFINITY))), None);
        assert_eq!(double(&ScalarValue::Float32(Some(0.5))), Some(0.5));
    }

    #[test]
    fn years_that_the_catalog_cannot_keep_are_no_bound() {
        assert_eq!(midnight(&ScalarValue::Date32(Some(i32::MAX))), None);
        let day = midnight(&ScalarValue::Date32(Some(-1))).unwrap();
        assert_eq!(day.to_rfc3339(), "1969-12-31T00:00:00+00:00");
    }

    /// Hand counts of what no text format has: bytes that are no text, and floats that are no numbers.
    #[tokio::test]
    async fn bytes_and_floats() {
        use arrow::array::{ArrayRef, BinaryArray, Float64Array, RecordBatch};
        use datafusion::prelude::{SessionContext, col};

        let bytes = BinaryArray::from_opt_vec(vec![Some(&[0xff, 0xfe, 0][..]), None, Some(&[])]);
        let floats = Float64Array::from(vec![f64::NAN, -1.5, 2.0]);
        let batch = RecordBatch::try_from_iter([
            ("bytes", Arc::new(bytes) as ArrayRef),
            ("floats", Arc::new(floats)),
        ])
        .unwrap();
        let frame = SessionContext::new().read_batch(batch).unwrap();
        let counted = async |kind: Kind, name: &str| {
            let all = kind.aggregates(&col(name)).unwrap().into_iter();
            let all = all.enumerate().map(|(at, a)| a.alias(at.to_string()));
            let frame = frame.clone().aggregate(vec![], all.collect()).unwrap();
            let found = frame.collect().await.unwrap();
            let columns = found[0].columns().iter();
            let values: Vec<_> = columns
                .map(|c| ScalarValue::try_from_array(c, 0).unwrap())
                .collect();
            kind.data(3, &values)
        };
        assert_eq!(
            counted(Kind::Binary, "bytes").await,
            ColumnStatisticsData::Binary(BinaryColumnStatisticsData {
                maximum_length: 3,
                average_length: 1.5,
                number_of_nulls: 1,
            })
        );
        assert_eq!(
            counted(Kind::Double, "floats").await,
            ColumnStatisticsData::Double(DoubleColumnStatisticsData {
                minimum_value: Some(-1.5),
                // NaN is greater than every number, and no bound.
                maximum_value: None,
                number_of_nulls: 0,
                number_of_distinct_values: 3,
            })
        );
    }
}
