//! Rows that will be dropped are not decoded in full.
//!
//! A filter above a scan tells what it will drop ([`Decode::predicate`](super::Decode::predicate)). A decoder may
//! then decode the columns that the filter looks at, and pass over the other cells of rows that it will drop: the rows
//! stay, with NULL or anything else in those columns, and the filter drops them, so that they are counted where they
//! always were. What would be wrong with the cells that are left out, nobody hears of.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};

/// What a filter keeps, asked of the columns that it looks at.
#[derive(Debug, Clone)]
pub(in crate::format) struct Predicate {
    expression: Arc<dyn PhysicalExpr>,
    /// The columns that it looks at, by their places among the wanted ones.
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl Predicate {
    /// The predicate over wanted columns, whose indexes are theirs; `None` where it can save nothing, or a column
    /// that it does not look at cannot be NULL.
    pub(in crate::format) fn new(
        expression: &Arc<dyn PhysicalExpr>,
        wanted: &SchemaRef,
    ) -> Option<Predicate> {
        let mut columns: Vec<usize> = collect_columns(expression)
            .into_iter()
            .map(|column| {
                let known = wanted.fields().get(column.index())?;
                (known.name() == column.name()).then_some(column.index())
            })
            .collect::<Option<_>>()?;
        columns.sort_unstable();
        columns.dedup();
        let mut others = (0..wanted.fields().len()).filter(|at| !columns.contains(at));
        if columns.is_empty() || others.clone().next().is_none() {
            return None;
        }
        if !others.all(|at| wanted.field(at).is_nullable()) {
            return None;
        }
        let schema = Arc::new(wanted.project(&columns).ok()?);
        Some(Predicate {
            expression: reassign_expr_columns(expression.clone(), &schema).ok()?,
            columns,
            schema,
        })
    }

    /// The columns that it looks at, by their places among the wanted ones, in their order.
    pub(in crate::format) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Which rows the filter keeps, given the columns that it looks at; `None` where it keeps all, or this
    /// cannot be told: the filter itself will say why.
    pub(in crate::format) fn kept(
        &self,
        arrays: Vec<ArrayRef>,
        rows: usize,
    ) -> Option<BooleanArray> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch =
            RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).ok()?;
        let kept = self.expression.evaluate(&batch).ok()?;
        let kept = kept.into_array(rows).ok()?;
        let kept = kept.as_boolean_opt()?;
        let kept = match kept.null_count() {
            0 => kept.clone(),
            _ => prep_null_mask_filter(kept),
        };
        (kept.true_count() < rows).then_some(kept)
    }
}
