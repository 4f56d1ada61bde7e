//! Statistics as rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;
use mastic_catalog::{ColumnStatistics, ColumnStatisticsData, TableStatistics};

use super::bounds::{bounds, distinct, lengths, nulls};
use super::data::Kind;
use crate::error::{QueryError, Result};

/// What `ANALYZE` answers: a row for each column that was asked for. Those that were left out say why.
pub(super) fn counted(
    statistics: &TableStatistics,
    schema: &SchemaRef,
    wanted: Option<&[String]>,
) -> Result<RecordBatch> {
    let rows: Vec<Row> = rows(statistics, schema)
        .filter(|row| wanted.is_none_or(|names| names.iter().any(|name| name == row.name)))
        .collect();
    let lengths = |row: &Row| lengths(row.data()?);
    let boolean = |row: &Row| match row.data()? {
        ColumnStatisticsData::Boolean(data) => Some(*data),
        _ => None,
    };
    batch(vec![
        ("column_name", texts(&rows, |row| Some(row.name.to_owned()))),
        ("type", texts(&rows, |row| Some(row.hive.clone()))),
        ("row_count", numbers(&rows, |_| Some(statistics.row_count))),
        ("nulls", numbers(&rows, |row| row.data().map(nulls))),
        (
            "distinct",
            numbers(&rows, |row| row.data().and_then(distinct)),
        ),
        ("min", texts(&rows, |row| row.low.clone())),
        ("max", texts(&rows, |row| row.high.clone())),
        ("max_length", numbers(&rows, |row| Some(lengths(row)?.0))),
        ("avg_length", doubles(&rows, |row| Some(lengths(row)?.1))),
        (
            "trues",
            numbers(&rows, |row| Some(boolean(row)?.number_of_trues)),
        ),
        (
            "falses",
            numbers(&rows, |row| Some(boolean(row)?.number_of_falses)),
        ),
        (
            "note",
            texts(&rows, |row| {
                row.nested.then(|| "left out: it is nested".to_owned())
            }),
        ),
    ])
}

/// What `SHOW STATS` answers: Trino's columns, a row for each of the table's columns and one for the table, whose
/// `column_name` is NULL (Trino documentation, "SHOW STATS"); and whether the table's files still are those that were
/// counted.
pub(super) fn kept(
    statistics: &TableStatistics,
    schema: &SchemaRef,
    current: bool,
) -> Result<RecordBatch> {
    let count = statistics.row_count as f64;
    let mut rows: Vec<Option<Row>> = rows(statistics, schema).map(Some).collect();
    rows.push(None);
    let data = |row: &Option<Row>| row.as_ref()?.data().cloned();
    let present = |data: &ColumnStatisticsData| count - nulls(data) as f64;
    batch(vec![
        (
            "column_name",
            texts(&rows, |row| row.as_ref().map(|row| row.name.to_owned())),
        ),
        (
            "data_size",
            doubles(&rows, |row| {
                let data = data(row)?;
                Some((lengths(&data)?.1 * present(&data)).round())
            }),
        ),
        (
            "distinct_values_count",
            doubles(&rows, |row| distinct(&data(row)?).map(|n| n as f64)),
        ),
        (
            "nulls_fraction",
            doubles(&rows, |row| {
                let nulls = nulls(&data(row)?) as f64;
                Some(if count > 0.0 { nulls / count } else { 0.0 })
            }),
        ),
        (
            "row_count",
            doubles(&rows, |row| row.is_none().then_some(count)),
        ),
        ("low_value", texts(&rows, |row| row.as_ref()?.low.clone())),
        ("high_value", texts(&rows, |row| row.as_ref()?.high.clone())),
        (
            "current",
            Arc::new(BooleanArray::from(vec![current; rows.len()])),
        ),
    ])
}

/// A column of the table, and what is kept of it.
struct Row<'a> {
    name: &'a str,
    hive: String,
    nested: bool,
    statistics: Option<&'a ColumnStatistics>,
    low: Option<String>,
    high: Option<String>,
}

impl Row<'_> {
    fn data(&self) -> Option<&ColumnStatisticsData> {
        self.statistics.map(|s| &s.statistics_data)
    }
}

fn rows<'a>(
    statistics: &'a TableStatistics,
    schema: &'a SchemaRef,
) -> impl Iterator<Item = Row<'a>> {
    schema.fields().iter().map(|field| {
        let columns = &statistics.columns;
        let own = columns.iter().find(|c| &c.column_name == field.name());
        let (low, high) = own.map_or((None, None), |c| {
            bounds(&c.statistics_data, field.data_type())
        });
        Row {
            name: field.name(),
            hive: own.map_or_else(
                || mastic_schema::hive::format_type(field.data_type()),
                |c| c.column_type.clone(),
            ),
            nested: Kind::of(field.data_type()).is_none(),
            statistics: own,
            low: low.and_then(text),
            high: high.and_then(text),
        }
    })
}

fn text(value: ScalarValue) -> Option<String> {
    array_value_to_string(&value.to_array().ok()?, 0).ok()
}

fn texts<T>(rows: &[T], of: impl FnMut(&T) -> Option<String>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<StringArray>())
}

fn numbers<T>(rows: &[T], of: impl FnMut(&T) -> Option<u64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<UInt64Array>())
}

fn doubles<T>(rows: &[T], of: impl FnMut(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Float64Array>())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|e: ArrowError| QueryError::Engine(e.into()))
}
