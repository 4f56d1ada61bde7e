//! Records dealt out to another number of streams, because a script says so.
//!
//! The engine's optimizer puts its own exchanges where it wants them, and takes out any that it finds; this
//! one stays, for the sink writes one file a stream.

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};

/// How records are dealt out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) enum Exchange {
    /// To so many streams, in turn.
    Evenly(usize),
    /// To so many streams, those with equal keys to the same one.
    ByKey(Vec<Expr>, usize),
    /// Streams put together until there are at most so many.
    AtMost(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) struct ExchangeNode {
    pub(crate) to: Exchange,
    pub(crate) input: LogicalPlan,
}

impl ExchangeNode {
    pub(super) fn keys(&self) -> &[Expr] {
        match &self.to {
            Exchange::ByKey(keys, _) => keys,
            _ => &[],
        }
    }
}

impl UserDefinedLogicalNodeCore for ExchangeNode {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.keys().to_vec()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange: {:?}", self.to)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("an exchange has one input".into()))?;
        let to = match &self.to {
            Exchange::ByKey(_, streams) => Exchange::ByKey(exprs, *streams),
            other => other.clone(),
        };
        Ok(Self { to, input })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut wanted = output_columns.to_vec();
        let schema = self.input.schema();
        for column in self.keys().iter().flat_map(Expr::column_refs) {
            wanted.extend(schema.maybe_index_of_column(column));
        }
        wanted.sort_unstable();
        wanted.dedup();
        Some(vec![wanted])
    }
}

/// The operator of an [`ExchangeNode`].
#[derive(Debug)]
pub(super) struct ExchangeExec {
    to: Exchange,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    /// What deals the records out, made when the first stream is asked for.
    dealer: OnceLock<Arc<RepartitionExec>>,
}

impl ExchangeExec {
    pub(super) fn new(
        to: Exchange,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let before = input.output_partitioning().partition_count();
        let streams = match &to {
            Exchange::Evenly(streams) | Exchange::ByKey(_, streams) => *streams,
            Exchange::AtMost(streams) => before.min(*streams),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(streams.max(1)),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            to,
            keys,
            input,
            properties: Arc::new(properties),
            dealer: OnceLock::new(),
        }
    }

    fn streams(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    fn dealer(&self) -> Result<Arc<RepartitionExec>> {
        if let Some(dealer) = self.dealer.get() {
            return Ok(Arc::clone(dealer));
        }
        let partitioning = match self.to {
            Exchange::ByKey(..) => Partitioning::Hash(self.keys.clone(), self.streams()),
            _ => Partitioning::RoundRobinBatch(self.streams()),
        };
        let made = RepartitionExec::try_new(Arc::clone(&self.input), partitioning)?;
        Ok(Arc::clone(self.dealer.get_or_init(|| Arc::new(made))))
    }
}

impl DisplayAs for ExchangeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeExec: streams={}", self.streams())?;
        if !self.keys.is_empty() {
            let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
            write!(f, ", by=[{}]", keys.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for ExchangeExec {
    fn name(&self) -> &'static str {
        "ExchangeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for key in &self.keys {
            if f(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("an exchange has one input".into()))?;
        Ok(Arc::new(Self::new(
            self.to.clone(),
            self.keys.clone(),
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
        if !matches!(self.to, Exchange::AtMost(_)) {
            return self.dealer()?.execute(partition, context);
        }
        let before = self.input.output_partitioning().partition_count();
        let own = (partition..before).step_by(self.streams());
        let inputs = own.map(|at| self.input.execute(at, Arc::clone(&context)));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            futures::stream::select_all(inputs),
        )))
    }
}
