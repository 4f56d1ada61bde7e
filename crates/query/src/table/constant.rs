//! Conditions on what is the same for all records of a file: partition keys, and the columns that tell of the file.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{FieldRef, Schema};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;

/// Whether an expression says the same of all records of which these columns have one value each.
pub(crate) fn is_of(expr: &Expr, constant: &[FieldRef]) -> bool {
    let columns = expr.column_refs();
    !columns.is_empty()
        && !expr.is_volatile()
        && !expr.contains_outer()
        && columns
            .iter()
            .all(|c| constant.iter().any(|field| field.name() == &c.name))
}

/// For which of the rows every one of the conditions is true. The first values of a row are those of `constant`; a
/// value that is missing is NULL.
pub(crate) fn selected(
    session: &dyn Session,
    conditions: &[Expr],
    constant: &[FieldRef],
    rows: &[&[ScalarValue]],
) -> EngineResult<Vec<bool>> {
    let mut all = vec![true; rows.len()];
    if conditions.is_empty() || rows.is_empty() {
        return Ok(all);
    }
    let columns: EngineResult<Vec<ArrayRef>> = constant
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let missing = ScalarValue::try_from(field.data_type())?;
            let values = rows
                .iter()
                .map(|values| values.get(at).unwrap_or(&missing).clone());
            ScalarValue::iter_to_array(values)
        })
        .collect();
    let schema = Arc::new(Schema::new(constant.to_vec()));
    let batch = RecordBatch::try_new(schema.clone(), columns?)?;
    let schema = DFSchema::try_from(schema)?;
    for condition in conditions {
        let condition =
            session.create_physical_expr(unnormalize_col(condition.clone()), &schema)?;
        let verdicts = condition.evaluate(&batch)?.into_array(rows.len())?;
        let Some(verdicts) = verdicts.as_boolean_opt() else {
            continue;
        };
        for (kept, verdict) in all.iter_mut().zip(verdicts) {
            *kept &= verdict == Some(true);
        }
    }
    Ok(all)
}
