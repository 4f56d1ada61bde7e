//! The pairs joined with the normal forms, twice, by sorting: where those do not fit into memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;

use super::frequencies::{FrequencyExec, saved as saved_of};
use super::{BATCH, Gathered};
use crate::blocking::rows;
use crate::error::Result;
use crate::normalise::column;
use crate::operator::{PlanTable, spilled};
use crate::spool::Spool;
use crate::transform::Transform;

/// A session whose joins sort, for DataFusion's hash joins cannot spill.
fn sorting(context: &SessionContext) -> SessionContext {
    let mut state = context.state();
    let config = state.config_mut();
    let partitions = config.target_partitions().max(2);
    let options = config.options_mut();
    options.optimizer.prefer_hash_join = false;
    options.optimizer.repartition_joins = true;
    options.execution.target_partitions = partitions;
    SessionContext::new_with_state(state)
}

/// As [`super::pairs`].
pub(super) async fn pairs(
    context: &SessionContext,
    normal: &Arc<Spool>,
    pairs: Arc<Vec<u64>>,
    saved: Option<&Transform>,
) -> Result<Gathered> {
    let context = &sorting(context);
    let input = normal.scan(context, "rows")?;
    let columns = input.schema().fields().len();
    let input = input.create_physical_plan().await?;
    let saved = (0..columns).map(|at| saved_of(saved, at)).collect();
    let rows = FrequencyExec::new(input, Arc::new(saved), normal.rows());
    let rows: Arc<dyn ExecutionPlan> = Arc::new(rows);
    let frame = context.read_table(Arc::new(PlanTable(rows.clone())))?;
    let counted = Spool::keep(context, vec![frame], false).await?;

    let side = |prefix: &str| -> Result<DataFrame> {
        let rows = counted.scan(context, "rows")?;
        let names = rows.schema().fields().iter().map(|f| f.name());
        let shown = names.map(|name| column(name).alias(format!("{prefix}{name}")));
        let shown: Vec<Expr> = shown.collect();
        Ok(rows.select(shown)?)
    };
    let (left, right) = (side("l")?, side("r")?);
    let (mut shown, mut names) = (Vec::new(), vec!["p".to_owned(), "a".into(), "b".into()]);
    for side in [&left, &right] {
        let fields = side.schema().fields().iter().map(|f| f.name().clone());
        names.extend(fields.filter(|name| name != "lrow" && name != "rrow"));
    }
    shown.extend(names.iter().map(|name| column(name)));
    let joined = numbers(context, pairs)?
        .join(left, JoinType::Inner, &["a"], &["lrow"], None)?
        .join(right, JoinType::Inner, &["b"], &["rrow"], None)?
        .select(shown)?;
    Ok(Gathered {
        pairs: joined,
        spilled: spilled(rows.as_ref()),
    })
}

/// The pairs with their places.
fn numbers(context: &SessionContext, pairs: Arc<Vec<u64>>) -> Result<DataFrame> {
    let fields = ["p", "a", "b"].map(|name| Field::new(name, DataType::UInt32, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let stream = Arc::new(Numbers {
        schema: schema.clone(),
        pairs,
    });
    let table = StreamingTable::try_new(schema, vec![stream])?;
    Ok(context.read_table(Arc::new(table))?)
}

struct Numbers {
    schema: SchemaRef,
    pairs: Arc<Vec<u64>>,
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Numbers").finish_non_exhaustive()
    }
}

impl PartitionStream for Numbers {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (pairs, schema) = (self.pairs.clone(), self.schema.clone());
        let batches = (0..pairs.len()).step_by(BATCH).map(move |first| {
            let some = pairs.iter().skip(first).take(BATCH);
            let places = first..(first + BATCH).min(pairs.len());
            let columns: [ArrayRef; 3] = [
                Arc::new(UInt32Array::from_iter_values(places.map(|at| at as u32))),
                Arc::new(UInt32Array::from_iter_values(
                    some.clone().map(|p| rows(*p).0),
                )),
                Arc::new(UInt32Array::from_iter_values(some.map(|p| rows(*p).1))),
            ];
            Ok(RecordBatch::try_new(schema.clone(), columns.to_vec())?)
        });
        Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            futures::stream::iter(batches),
        ))
    }
}
