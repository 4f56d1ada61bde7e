//! Pairs in order, each once: an operator that sorts them within the engine's memory.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, execute_stream_partitioned,
};
use futures::StreamExt;

use crate::error;
use crate::external::{Sorters, Space, cores};
use crate::memory::Share;
use crate::operator::{Properties, operator, spilled};

/// The operator, over one column of numbers.
#[derive(Debug)]
pub(crate) struct DistinctExec {
    input: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
    properties: Properties,
}

impl DistinctExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        DistinctExec {
            properties: Properties::new(input.schema()),
            metrics: ExecutionPlanMetricsSet::new(),
            input,
        }
    }

    fn run(&self, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.schema();
        let mut out = RecordBatchReceiverStream::builder(schema.clone(), 4);
        let send = out.tx();
        let space = Space::new("different pairs", &task, &self.metrics);
        let streams = execute_stream_partitioned(self.input.clone(), task)?;
        out.spawn(async move {
            let sorters = Sorters::new(space, 1, usize::MAX, true);
            for mut stream in streams {
                while let Some(batch) = stream.next().await {
                    let batch = batch?;
                    let numbers = batch.column(0).as_primitive::<UInt64Type>().values();
                    sorters.push(0, numbers).await?;
                }
            }
            let work = move || {
                for of in sorters.finish() {
                    of.sort(cores())?.each(|numbers| {
                        let numbers = Arc::new(UInt64Array::from(numbers.to_vec()));
                        let batch = RecordBatch::try_new(schema.clone(), vec![numbers])?;
                        send.blocking_send(Ok(batch)).map_err(|_| {
                            DataFusionError::Execution("nobody wants the pairs any more".into())
                        })
                    })?;
                }
                Ok(())
            };
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|e| DataFusionError::External(Box::new(e)))?
        });
        Ok(out.build())
    }
}

impl DisplayAs for DistinctExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinctExec: {}", self.input.schema().field(0).name())
    }
}

operator!(DistinctExec, |_: &DistinctExec, input| DistinctExec::new(
    input
));

/// Pairs in order, each once, and the memory that they take.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) numbers: Vec<u64>,
    pub(crate) share: Share,
    /// How many bytes were spilled on the way to them.
    pub(crate) spilled: u64,
}

impl Pairs {
    /// Adds others. Both are in order, which makes it one walk along them.
    ///
    /// # Errors
    /// When the memory for it is refused.
    pub(crate) fn add(&mut self, others: Pairs) -> error::Result<()> {
        let count = self.numbers.len() + others.numbers.len();
        self.share
            .resize(8 * count, || format!("matching up to {count} pairs"))?;
        self.numbers.extend(others.numbers);
        // A stable sort finds the two stretches that are in order, and merges them.
        self.numbers.sort();
        self.numbers.dedup();
        self.share.shrink(8 * (count - self.numbers.len()));
        Ok(())
    }
}

/// The different pairs of a plan.
pub(crate) async fn pairs_of(
    plan: Arc<dyn ExecutionPlan>,
    task: &Arc<TaskContext>,
) -> error::Result<Pairs> {
    let plan: Arc<dyn ExecutionPlan> = Arc::new(DistinctExec::new(plan));
    let mut share = Share::new("pairs of records", task.memory_pool());
    let mut numbers: Vec<u64> = Vec::new();
    let mut stream = plan.execute(0, task.clone())?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let some = batch.column(0).as_primitive::<UInt64Type>().values();
        share.grow(8 * some.len(), || {
            format!("matching more than {} pairs", numbers.len())
        })?;
        numbers.extend_from_slice(some);
    }
    numbers.shrink_to_fit();
    Ok(Pairs {
        numbers,
        share,
        spilled: spilled(plan.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::ArrayRef;
    use datafusion::prelude::SessionContext;

    #[tokio::test]
    async fn pairs_come_out_once_and_in_order() {
        let context = SessionContext::new();
        let numbers: Vec<u64> = (0..50_000)
            .map(|n| mastic_functions::sample_number(n) % 30_000)
            .collect();
        let mut expected = numbers.clone();
        expected.sort_unstable();
        expected.dedup();
        let numbers: ArrayRef = Arc::new(UInt64Array::from(numbers));
        let batch = RecordBatch::try_from_iter([("pair", numbers)]).unwrap();
        let plan = context.read_batch(batch).unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let found = pairs_of(plan, &context.task_ctx()).await.unwrap();
        assert!(found.numbers == expected && found.spilled == 0);
        let (even, odd) = (0..1000).partition(|n: &u64| n.is_multiple_of(3));
        let of = |numbers: Vec<u64>| Pairs {
            share: Share::new("pairs", context.task_ctx().memory_pool()),
            numbers,
            spilled: 0,
        };
        let mut all = of(even);
        all.add(of(odd)).unwrap();
        all.add(of(vec![7, 1000])).unwrap();
        assert_eq!(all.numbers, (0..1001).collect::<Vec<u64>>());
    }
}
