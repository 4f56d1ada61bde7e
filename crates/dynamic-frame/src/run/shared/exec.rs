//! The operator that reads a shared frame.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{ReplaceChildrenOptions, SchedulingType};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use datafusion::physical_planner::PhysicalPlanner;

use super::lane::Lane;
use super::node::ReadNode;
use super::run::Slot;

/// One reader of a shared frame. It is a leaf: what it reads is planned once, and runs when the first reader
/// asks for a batch.
#[derive(Debug)]
struct SharedExec {
    slot: Arc<Slot>,
    input: Arc<dyn ExecutionPlan>,
    lanes: Vec<Arc<Lane>>,
    /// Nothing is said of the input's order: a reader that merged partitions to keep it would wait for each of
    /// them in turn, and hold what cannot be spilled.
    properties: Arc<PlanProperties>,
}

impl ReadNode {
    /// The operator of this reader.
    pub(crate) async fn operator(
        &self,
        planner: &dyn PhysicalPlanner,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let run = &self.slot.run;
        let planned = run.planned(planner, session).await?;
        let own = PlanProperties::new(
            EquivalenceProperties::new(planned.input.schema()),
            planned.input.output_partitioning().clone(),
            planned.input.pipeline_behavior(),
            planned.input.boundedness(),
        )
        // Its streams give way by themselves.
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Arc::new(SharedExec {
            properties: Arc::new(own),
            slot: self.slot.claim()?,
            input: Arc::clone(&planned.input),
            lanes: planned.lanes.clone(),
        }))
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedExec: {}", self.slot.run.id)
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &'static str {
        "SharedExec"
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
        let Some(lane) = self.lanes.get(partition) else {
            return Err(DataFusionError::Internal(format!(
                "the shared frame '{}' has no partition {partition}",
                self.slot.run.id
            )));
        };
        let stream = lane.open(&self.slot, Arc::clone(&self.input), context)?;
        Ok(make_cooperative(stream))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.slot.run.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        // What is computed for all is no child of any reader's plan.
        StatisticsContext::new().compute(self.input.as_ref(), args)
    }
}
