//! What the planner is told.
//!
//! DataFusion 55 reads statistics of a scan in these places: `JoinSelection` builds the hash table of the side with
//! fewer bytes, or fewer rows where bytes are not known; `FilterExec` estimates how much passes from the bounds and the
//! number of different values; joins estimate how many rows come out from the number of different keys. It answers
//! `count`, `min` and `max` themselves from what is exact; so nothing is ever given as exact. Bounds deserve the most
//! care: a filter that leaves one value between them makes the column a constant, by which a sort may be left out, so
//! they are given only for the very files they were counted over, and somewhat apart ([`apart`]).

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};
use mastic_catalog::{CatalogStore, ColumnStatisticsData, Table, TableStatistics};

use super::bounds::{apart, bounds, distinct, lengths, nulls};
use super::fingerprint::fingerprint;
use crate::table::FileSet;

/// The bytes of a text or binary in a view, and how long a value is kept within them (Arrow columnar format,
/// "Variable-size Binary View Layout").
const VIEW: usize = 16;
const INLINE: f64 = 12.0;

/// Adds to the files of a scan what is kept of their table. `pruned` are files of some partitions.
///
/// Statistics are a help: where they cannot be read, a scan does without.
pub(crate) async fn inform(
    catalog: &dyn CatalogStore,
    table: &Table,
    schema: &Schema,
    pruned: bool,
    found: &mut FileSet,
) {
    let kept = catalog
        .get_column_statistics(&table.database_name, &table.name)
        .await;
    let Ok(Some(kept)) = kept else { return };
    if kept.fingerprint == fingerprint(table, found) {
        let rows = to_usize(kept.row_count);
        found.rows = Some(rows);
        found.columns = Some(describe(&kept, schema, rows, true));
        return;
    }
    // Of some partitions, their own record counts tell more.
    if !pruned || found.rows.is_none() {
        found.rows = scaled(&kept, found.bytes()).or(found.rows);
    }
    if let Some(rows) = found.rows {
        found.columns = Some(describe(&kept, schema, rows, false));
    }
}

/// How many rows as many bytes as there are now have, as it was when they were counted.
fn scaled(kept: &TableStatistics, bytes: u64) -> Option<usize> {
    let all = u128::from(kept.row_count) * u128::from(bytes);
    let rows = all.checked_div(u128::from(kept.total_bytes))?;
    Some(usize::try_from(rows).unwrap_or(usize::MAX))
}

fn describe(
    kept: &TableStatistics,
    schema: &Schema,
    rows: usize,
    same: bool,
) -> Vec<ColumnStatistics> {
    let columns = kept.columns.iter();
    let columns = columns.map(|c| (c.column_name.as_str(), &c.statistics_data));
    let columns: HashMap<&str, &ColumnStatisticsData> = columns.collect();
    let of = |field: &Field| {
        let data = columns.get(field.name().as_str()).copied();
        let mut out = ColumnStatistics::new_unknown();
        out.byte_size = size(data, field.data_type(), rows);
        // Of other data, only how wide a value is still says something.
        if let (true, Some(data)) = (same, data) {
            out.null_count = Precision::Inexact(to_usize(nulls(data)));
            if let Some(distinct) = distinct(data) {
                out.distinct_count = Precision::Inexact(to_usize(distinct));
            }
            let (low, high) = bounds(&apart(data), field.data_type());
            let inexact =
                |value: Option<ScalarValue>| value.map_or(Precision::Absent, Precision::Inexact);
            (out.min_value, out.max_value) = (inexact(low), inexact(high));
        }
        out
    };
    schema.fields().iter().map(|field| of(field)).collect()
}

/// How many bytes so many values of a column are in memory.
fn size(
    data: Option<&ColumnStatisticsData>,
    data_type: &DataType,
    rows: usize,
) -> Precision<usize> {
    let width = match (data_type.primitive_width(), data_type) {
        (Some(width), _) => width,
        (None, DataType::Boolean) => 1,
        (None, DataType::Utf8View | DataType::BinaryView | DataType::Utf8 | DataType::Binary) => {
            let Some((_, average)) = data.and_then(lengths) else {
                return Precision::Absent;
            };
            viewed(average)
        }
        (None, _) => return Precision::Absent,
    };
    Precision::Inexact(rows.saturating_mul(width))
}

/// The bytes of a text in a view, by the average length of all. It cannot tell how many are longer than a view holds; as
/// good as all or none.
pub(super) fn viewed(average: f64) -> usize {
    let beyond = if average > INLINE { average } else { 0.0 };
    VIEW.saturating_add(beyond as usize)
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
