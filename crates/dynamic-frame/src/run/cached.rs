//! Records that are read once, however many plans use them.
//!
//! What a lookup looks up in is small and used often: by several frames, in several sinks. Its records are
//! read when the first plan runs, and kept in memory, under the engine's limit, until the last plan
//! is gone. Only columns that somebody asked for are kept: a lookup says which when it is planned, so that the
//! first reading has them all.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex as Lock, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Statistics};
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream, execute_stream,
};
use futures::lock::Mutex;
use futures::{StreamExt, TryStreamExt};

/// A frame's records as a table that is read once.
#[derive(Debug)]
pub(crate) struct CachedTable {
    plan: LogicalPlan,
    schema: SchemaRef,
    /// The columns that somebody asked for.
    wanted: Lock<BTreeSet<usize>>,
    kept: Arc<Mutex<Option<Arc<Kept>>>>,
}

struct Kept {
    columns: Vec<usize>,
    batches: Vec<RecordBatch>,
    /// Gives the memory back when the last plan is gone.
    _reservation: MemoryReservation,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("columns", &self.columns)
            .field("batches", &self.batches.len())
            .finish_non_exhaustive()
    }
}

/// Tells the cached tables of a plan that these of their columns will be read.
pub(crate) fn want<'a>(plan: &LogicalPlan, names: impl Iterator<Item = &'a str> + Clone) {
    // The visitor itself never fails.
    let _ = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            let table: &dyn std::any::Any = provider.as_ref();
            if let Some(table) = table.downcast_ref::<CachedTable>() {
                let places = names.clone().filter_map(|n| table.schema.index_of(n).ok());
                table.want(places);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
}

/// The plans of the cached tables that a plan reads.
pub(crate) fn behind(plan: &LogicalPlan) -> Vec<LogicalPlan> {
    let mut plans = Vec::new();
    // The visitor itself never fails.
    let _ = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            let table: &dyn std::any::Any = provider.as_ref();
            if let Some(table) = table.downcast_ref::<CachedTable>() {
                plans.push(table.plan.clone());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    plans
}

impl CachedTable {
    pub(crate) fn new(plan: LogicalPlan) -> Self {
        Self {
            schema: Arc::clone(plan.schema().inner()),
            plan,
            wanted: Lock::default(),
            kept: Arc::default(),
        }
    }

    /// All columns that were ever asked for, in order.
    fn want(&self, columns: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.extend(columns);
        wanted.iter().copied().collect()
    }
}

#[async_trait]
impl TableProvider for CachedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let output: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let mut columns = self.want(output.iter().copied());
        if columns.is_empty() {
            // Somebody counts the records: any column will do.
            columns.push(0);
        }
        let names = columns.iter().map(|at| self.schema.field(*at).name());
        let names = names.map(|n| Expr::Column(Column::new_unqualified(n)));
        let plan = LogicalPlanBuilder::from(self.plan.clone())
            .project(names)?
            .build()?;
        let source = state.create_physical_plan(&plan).await?;
        let statistics =
            StatisticsContext::new().compute(source.as_ref(), &StatisticsArgs::new())?;
        let rows = statistics.num_rows;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(self.schema.project(&output)?)),
            Partitioning::UnknownPartitioning(
                source.output_partitioning().partition_count().max(1),
            ),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(CachedExec {
            kept: Arc::clone(&self.kept),
            source,
            columns,
            output,
            rows: rows.to_inexact(),
            properties: Arc::new(properties),
        }))
    }
}

/// The operator of a [`CachedTable`]. Its source was planned and optimized by itself, and is no child.
#[derive(Debug)]
struct CachedExec {
    kept: Arc<Mutex<Option<Arc<Kept>>>>,
    source: Arc<dyn ExecutionPlan>,
    /// The columns that the source gives, by their places in the table.
    columns: Vec<usize>,
    /// The columns that this gives.
    output: Vec<usize>,
    /// How many records the source expects to have.
    rows: Precision<usize>,
    properties: Arc<PlanProperties>,
}

/// The records, read if no plan before had them.
async fn load(
    kept: Arc<Mutex<Option<Arc<Kept>>>>,
    source: Arc<dyn ExecutionPlan>,
    columns: Vec<usize>,
    context: Arc<TaskContext>,
) -> Result<Arc<Kept>> {
    let mut kept = kept.lock().await;
    if let Some(known) = kept.as_ref()
        && columns.iter().all(|c| known.columns.contains(c))
    {
        return Ok(Arc::clone(known));
    }
    let reservation = MemoryConsumer::new("lookup").register(context.memory_pool());
    let mut stream = execute_stream(source, context)?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        reservation
            .try_grow(batch.get_array_memory_size())
            .map_err(|error| {
                error.context("what a lookup looks up in must fit into memory: use a join for more")
            })?;
        batches.push(batch);
    }
    let read = Arc::new(Kept {
        columns,
        batches,
        _reservation: reservation,
    });
    *kept = Some(Arc::clone(&read));
    Ok(read)
}

impl DisplayAs for CachedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema();
        let names = schema.fields().iter().map(|f| f.name().as_str());
        let names: Vec<&str> = names.collect();
        write!(f, "CachedExec: read once, columns=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for CachedExec {
    fn name(&self) -> &'static str {
        "CachedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let streams = self.properties.partitioning.partition_count();
        let output = self.output.clone();
        let loaded = load(
            Arc::clone(&self.kept),
            Arc::clone(&self.source),
            self.columns.clone(),
            context,
        );
        // A task of its own: whoever waits for what another stream began to read must not depend on that
        // stream being asked.
        let loaded = async move {
            let task = SpawnedTask::spawn(loaded);
            task.join()
                .await
                .map_err(|e| DataFusionError::External(Box::new(e)))?
        };
        let batches = futures::stream::once(loaded).map_ok(move |kept| {
            let places: Option<Vec<usize>> = output
                .iter()
                .map(|wanted| kept.columns.iter().position(|c| c == wanted))
                .collect();
            let own = (partition..kept.batches.len()).step_by(streams);
            futures::stream::iter(own).map(move |at| match (&places, kept.batches.get(at)) {
                (Some(places), Some(batch)) => Ok(batch.project(places)?),
                _ => Err(DataFusionError::Internal(
                    "a cached column is not there".into(),
                )),
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            batches.try_flatten(),
        )))
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if args.partition().is_none() {
            statistics.num_rows = self.rows;
        }
        Ok(Arc::new(statistics))
    }
}
