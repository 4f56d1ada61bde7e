//! What the footers of Parquet files tell the planner, where nothing was counted.
//!
//! Of a few files all are read, for bounds are only worth something when they are those of all rows; the readers take
//! them from the scan's cache, so that nothing is read twice. Of many files only some are, to learn what decoding a column costs.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::logical_expr::Expr;
use mastic_lake::footers::{FooterFacts, Footers};
use mastic_lake::format::FileFormat;
use mastic_lake::scan::ScanFile;
use object_store::ObjectMeta;

use super::late;
use crate::table::FileSet;

/// Of so many files all footers are read.
const ALL: usize = 64;
/// Of more, so many.
const SOME: usize = 8;

/// Adds to a scan's files what their footers tell, and decides whether rows are filtered while they are decoded.
///
/// `columns` are those that files hold, and the first of all columns; `wanted` are places among all columns.
pub(crate) async fn look(
    columns: &std::sync::Arc<Schema>,
    all: usize,
    wanted: Option<&Vec<usize>>,
    filters: &[Expr],
    found: &mut FileSet,
) {
    let [(place, files)] = found.places.as_slice() else {
        return;
    };
    if files.is_empty() || files.iter().any(|f| f.format != FileFormat::Parquet) {
        return;
    }
    let every = files
        .len()
        .div_ceil(if files.len() <= ALL { ALL } else { SOME });
    let chosen: Vec<&ObjectMeta> = files
        .iter()
        .step_by(every)
        .map(|f: &ScanFile| &f.meta)
        .collect();
    let complete = chosen.len() == files.len();
    let footers = Footers::default();
    let Some(facts) = footers.read(&place.store, &chosen, columns).await else {
        return;
    };
    if complete && found.columns.is_none() {
        let rows = facts.statistics.num_rows.get_value().copied();
        found.rows = rows.or(found.rows);
        found.columns = Some(describe(columns, all, &facts, rows));
    }
    let known = found.columns.as_deref().unwrap_or_default();
    found.late = late::worthwhile(columns, wanted, filters, known, &facts);
    found.footers = Some(footers);
}

/// The columns, as estimates.
fn describe(
    columns: &Schema,
    all: usize,
    facts: &FooterFacts,
    rows: Option<usize>,
) -> Vec<ColumnStatistics> {
    let mut out: Vec<ColumnStatistics> = columns
        .fields()
        .iter()
        .zip(&facts.statistics.column_statistics)
        .zip(&facts.bits)
        .map(|((field, own), bits)| {
            let (low, high) = match (own.min_value.get_value(), own.max_value.get_value()) {
                (Some(low), Some(high)) => super::bounds::values_apart(low, high),
                _ => None,
            }
            .map_or((Precision::Absent, Precision::Absent), |(low, high)| {
                (Precision::Inexact(low), Precision::Inexact(high))
            });
            ColumnStatistics {
                null_count: own.null_count.to_inexact(),
                min_value: low,
                max_value: high,
                byte_size: size(field.data_type(), *bits, rows),
                ..ColumnStatistics::new_unknown()
            }
        })
        .collect();
    out.resize(all, ColumnStatistics::new_unknown());
    out
}

/// How many bytes the values of a column are in memory, about.
fn size(data_type: &DataType, bits: Option<f64>, rows: Option<usize>) -> Precision<usize> {
    let Some(rows) = rows else {
        return Precision::Absent;
    };
    let width = match (data_type.primitive_width(), data_type) {
        (Some(width), _) => width,
        (None, DataType::Boolean) => 1,
        (None, DataType::Utf8View | DataType::BinaryView) => match bits {
            Some(bits) => super::inform::viewed(bits / 8.0),
            None => return Precision::Absent,
        },
        (None, _) => return Precision::Absent,
    };
    Precision::Inexact(rows.saturating_mul(width))
}

/// A value as a number, where values of its type have distances.
pub(super) fn number(value: &ScalarValue) -> Option<f64> {
    Some(match value {
        ScalarValue::Int8(Some(n)) => f64::from(*n),
        ScalarValue::Int16(Some(n)) => f64::from(*n),
        ScalarValue::Int32(Some(n)) | ScalarValue::Date32(Some(n)) => f64::from(*n),
        ScalarValue::Int64(Some(n))
        | ScalarValue::TimestampSecond(Some(n), _)
        | ScalarValue::TimestampMillisecond(Some(n), _)
        | ScalarValue::TimestampMicrosecond(Some(n), _)
        | ScalarValue::TimestampNanosecond(Some(n), _) => *n as f64,
        ScalarValue::Float32(Some(n)) => f64::from(*n),
        ScalarValue::Float64(Some(n)) => *n,
        ScalarValue::Decimal128(Some(n), _, scale) => *n as f64 / 10_f64.powi(i32::from(*scale)),
        _ => return None,
    })
}
