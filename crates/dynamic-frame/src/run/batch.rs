//! An operator that makes one batch of another, in order, partition by partition.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};

/// What is done to the batches of one partition.
pub(super) type Pass = Box<dyn FnMut(RecordBatch) -> Result<RecordBatch> + Send>;

/// What such an operator does.
pub(super) trait Operator: fmt::Debug + fmt::Display + Send + Sync {
    /// The batch in such pieces that what is made of each is no larger than a batch should be.
    fn pieces(&self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        Ok(vec![batch])
    }

    /// What is done to the batches of this partition, from the first one on.
    fn begin(&self, partition: usize, schema: SchemaRef) -> Pass;
}

/// An [`Operator`] at work. What it gives follows from the order of what it gets, so nothing may be put
/// between it and its input: two plans that read the same partitions give their records the same numbers.
#[derive(Debug)]
pub(super) struct BatchExec {
    operator: Arc<dyn Operator>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl BatchExec {
    pub(super) fn new(
        operator: Arc<dyn Operator>,
        schema: SchemaRef,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let count = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(count),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            operator,
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for BatchExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchExec: {}", self.operator)
    }
}

impl ExecutionPlan for BatchExec {
    fn name(&self) -> &'static str {
        "BatchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children).map_err(|_| {
            DataFusionError::Internal("an operator on batches has one input".into())
        })?;
        Ok(Arc::new(Self::new(
            Arc::clone(&self.operator),
            self.schema(),
            input,
        )))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, mode)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut pass = self.operator.begin(partition, self.schema());
        let operator = Arc::clone(&self.operator);
        let pieces = self
            .input
            .execute(partition, context)?
            .and_then(move |batch| std::future::ready(operator.pieces(batch)))
            .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
            .try_flatten();
        let made = pieces.map(move |piece: Result<RecordBatch>| pass(piece?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), made)))
    }
}

/// The number of the record in this place of a partition: the partition above 40 bits of count, from 1.
pub(super) fn number(partition: usize, count: u64) -> i64 {
    const BITS: u32 = 40;
    let high = i64::try_from(partition).unwrap_or_default() << BITS;
    high.wrapping_add(i64::try_from(count).unwrap_or_default())
}

/// A column of the numbers of the next `rows` records.
pub(super) fn numbers(partition: usize, next: &mut u64, rows: usize) -> Vec<i64> {
    let from = *next;
    *next += rows as u64;
    (from..*next).map(|n| number(partition, n)).collect()
}
