//! Conditions on partition keys, evaluated over the files that were listed.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::catalog::Session as Engine;
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::prelude::SessionContext;
use mastic_lake::scan::ScanFile;

use crate::error::{QueryError, Result};
pub(super) use crate::table::{is_of, selected as selected_values};

/// The conditions of a partition predicate, which may name nothing but the `keys` of `whose`.
pub(super) fn strict(
    context: &SessionContext,
    text: &str,
    keys: &[FieldRef],
    whose: &str,
) -> Result<Vec<Expr>> {
    if keys.is_empty() {
        return Err(QueryError::Statement {
            message: format!("{whose} has no partition keys, which '{text}' could select by"),
            place: None,
            hint: Some("use a filter step, which selects records".to_owned()),
        });
    }
    let schema = schema_of(keys)?;
    let failed = |error: DataFusionError| {
        let told = QueryError::from(error);
        let names: Vec<&str> = keys.iter().map(|k| k.name().as_str()).collect();
        QueryError::Statement {
            message: format!("the partition predicate '{text}' of {whose}: {told}"),
            place: None,
            hint: Some(format!(
                "it can name partition keys: {}; other columns are for a filter step",
                names.join(", ")
            )),
        }
    };
    let expr = context.parse_sql_expr(text, &schema).map_err(failed)?;
    let all = split_conjunction_owned(expr);
    let all: EngineResult<Vec<Expr>> = all.into_iter().map(|e| settled(e, &schema)).collect();
    let all = all.map_err(failed)?;
    for expr in &all {
        let found = expr_type(expr, &schema).map_err(failed)?;
        if !matches!(found, DataType::Boolean | DataType::Null) {
            return Err(failed(DataFusionError::Plan(format!(
                "it is {}, and true or false is wanted",
                mastic_schema::hive::format_type(&found)
            ))));
        }
    }
    Ok(all)
}

/// What a condition on records says of partition keys alone.
pub(super) fn loose(
    context: &SessionContext,
    text: &str,
    columns: &[FieldRef],
    keys: &[FieldRef],
) -> Vec<Expr> {
    let all: Vec<FieldRef> = columns.iter().chain(keys).cloned().collect();
    let (Ok(schema), Ok(of_keys)) = (schema_of(&all), schema_of(keys)) else {
        return Vec::new();
    };
    let Ok(expr) = context.parse_sql_expr(text, &schema) else {
        return Vec::new();
    };
    split_conjunction_owned(expr)
        .into_iter()
        .filter(|e| is_of(e, keys))
        .filter_map(|e| settled(e, &of_keys).ok())
        .collect()
}

fn expr_type(expr: &Expr, schema: &DFSchema) -> EngineResult<DataType> {
    use datafusion::logical_expr::ExprSchemable;
    expr.get_type(schema)
}

fn schema_of(fields: &[FieldRef]) -> EngineResult<DFSchema> {
    DFSchema::try_from(Schema::new(fields.to_vec()))
}

/// With literals of the keys' own types, as the catalog store needs them.
fn settled(expr: Expr, schema: &DFSchema) -> EngineResult<Expr> {
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_current_time()
        .build();
    let simplifier = ExprSimplifier::new(context);
    let expr = simplifier.coerce(unnormalize_col(expr), schema)?;
    simplifier.simplify(expr)
}

/// Which of the files are of partitions for which every one of the conditions is true. The first values of a file's
/// partition are those of `keys`.
pub(super) fn selected(
    session: &dyn Engine,
    conditions: &[Expr],
    keys: &[FieldRef],
    files: &[ScanFile],
) -> EngineResult<Vec<bool>> {
    let values: Vec<_> = files
        .iter()
        .map(|f| f.partition_values.as_slice())
        .collect();
    selected_values(session, conditions, keys, &values)
}
