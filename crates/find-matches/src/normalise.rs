//! Values in the form in which they are compared, as expressions.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::SessionContext;

use crate::error::Result;
use crate::profile;
use crate::settings::Kind;
use crate::spool::{ROW, Spool};

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

/// Keeps the normal forms of the columns.
pub(crate) async fn normalise(
    context: &SessionContext,
    raw: &Arc<Spool>,
    columns: &[profile::Column],
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
    Spool::keep(context, vec![rows.select(shown)?], false).await
}
