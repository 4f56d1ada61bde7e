//! Values in the form in which they are compared, as expressions.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinType;
use datafusion::common::{Column, DFSchema};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::SessionContext;

use crate::error::Result;
use crate::profile;
use crate::settings::Kind;
use crate::spool::{ROW, Spool};
use crate::transform::{Frequencies, Transform};

/// A column by its very name, whatever characters are in it.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// A column's value as text.
pub(crate) fn text(name: &str, schema: &DFSchema) -> Result<Expr> {
    let field = schema.field_with_unqualified_name(name)?;
    Ok(match field.data_type() {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => column(name),
        _ => cast(column(name), DataType::Utf8),
    })
}

/// A function by its name, as all functions in a plan are found.
pub(crate) fn call(context: &SessionContext, name: &str, args: Vec<Expr>) -> Result<Expr> {
    Ok(context.udf(name)?.call(args))
}

/// A text's normal form.
pub(crate) fn normal(context: &SessionContext, text: Expr) -> Result<Expr> {
    call(context, "match_normalize", vec![text])
}

/// The name of the normal form of the column at a place.
pub(crate) fn value(at: usize) -> String {
    format!("v{at}")
}

/// The name of the number of the column at a place.
pub(crate) fn number(at: usize) -> String {
    format!("x{at}")
}

/// The name of the frequency of the value of the column at a place.
pub(crate) fn frequency(at: usize) -> String {
    format!("f{at}")
}

/// Keeps the normal forms of the columns, with the frequency of each value that is there more than once.
pub(crate) async fn normalise(
    context: &SessionContext,
    raw: &Arc<Spool>,
    columns: &[profile::Column],
    saved: Option<&Transform>,
) -> Result<Arc<Spool>> {
    let rows = raw.scan(context, "raw")?;
    let mut shown = vec![column(ROW).alias("row")];
    for (at, c) in columns.iter().enumerate() {
        let raw = text(&c.name, rows.schema())?;
        shown.push(normal(context, raw.clone())?.alias(value(at)));
        if c.kind == Kind::Number {
            shown.push(call(context, "match_number", vec![raw])?.alias(number(at)));
        }
    }
    let plain = Spool::keep(context, vec![rows.select(shown)?], false).await?;
    let mut joined = plain.scan(context, "plain")?;
    let names: Vec<String> = joined
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let mut shown: Vec<Expr> = names.iter().map(|name| column(name)).collect();
    for (at, c) in columns.iter().enumerate() {
        let saved = saved.and_then(|s| s.frequencies.get(at));
        let frequent = match saved {
            Some(saved) => known(context, saved, at)?,
            None => frequencies(context, &plain, at)?,
        };
        let hash = call(context, "match_hash", vec![column(&value(at))])?;
        joined = joined.join_on(
            frequent,
            JoinType::Left,
            [hash.eq(column(&format!("h{at}")))],
        )?;
        let values = saved
            .map_or(c.fill * raw.rows() as f64, |s| s.values)
            .max(1.0);
        let times = coalesce(vec![
            cast(column(&format!("n{at}")), DataType::Float64),
            lit(1.0),
        ]);
        shown.push(cast(times / lit(values), DataType::Float32).alias(frequency(at)));
    }
    Spool::keep(context, vec![joined.select(shown)?], false).await
}

/// Frequencies that were kept, as [`frequencies`] tells them.
fn known(context: &SessionContext, saved: &Frequencies, at: usize) -> Result<DataFrame> {
    let schema = Arc::new(Schema::new(vec![
        Field::new(format!("h{at}"), DataType::UInt64, true),
        Field::new(format!("n{at}"), DataType::UInt64, true),
    ]));
    let hashes = UInt64Array::from_iter_values(saved.counts.iter().map(|(hash, _)| *hash));
    let times = UInt64Array::from_iter_values(saved.counts.iter().map(|(_, times)| *times));
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(hashes), Arc::new(times)]);
    let batch = batch.map_err(DataFusionError::from)?;
    let table = MemTable::try_new(schema, vec![vec![batch]])?;
    Ok(context.read_table(Arc::new(table))?)
}

/// How often each value is there that is there more than once, by its hash.
pub(crate) fn frequencies(
    context: &SessionContext,
    plain: &Arc<Spool>,
    at: usize,
) -> Result<DataFrame> {
    let hash = call(context, "match_hash", vec![column(&value(at))])?.alias(format!("h{at}"));
    let times = count(lit(1)).alias(format!("n{at}"));
    let rows = plain
        .scan(context, "plain")?
        .select(vec![column(&value(at))])?;
    let counted = rows
        .filter(column(&value(at)).is_not_null())?
        .aggregate(vec![hash], vec![times])?
        .filter(column(&format!("n{at}")).gt(lit(1)))?;
    Ok(counted)
}
