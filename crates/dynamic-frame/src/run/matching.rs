//! Records find their entities: an operator that needs all of its records before it has the first answer.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use mastic_find_matches::{
    Given, Labels, MatchError, MatchInput, Settings, Side, Table, Transform, find_matches_with,
};

/// Which frame an input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// The records, or the left ones.
    Left,
    /// Those that they are linked with.
    Right,
    /// What is labelled, with the column of lines if there is one.
    Labels(Option<String>),
    /// Records that have entities already.
    Existing,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) settings: Settings,
    pub(crate) transform: Option<Transform>,
    /// Of which table that the transform linked new records are.
    pub(crate) side: Option<Side>,
    /// Whether the best record of each entity is kept, and no other.
    pub(crate) best: bool,
    /// What each input is, and is called.
    pub(crate) inputs: Vec<(Role, String)>,
}

/// A frame whose records get entities. What is asked for is told from others by where it lies in memory.
#[derive(Debug, Clone)]
pub(crate) struct MatchNode {
    pub(crate) spec: Arc<Spec>,
    pub(crate) inputs: Vec<LogicalPlan>,
    pub(crate) schema: DFSchemaRef,
}

impl PartialEq for MatchNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.spec, &other.spec) && self.inputs == other.inputs
    }
}

impl Eq for MatchNode {}

impl Hash for MatchNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.spec).hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for MatchNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self == other).then_some(std::cmp::Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for MatchNode {
    fn name(&self) -> &'static str {
        "FindMatches"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    // The defaults keep filters and limits above, and all columns below: entities are of all the records.

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.spec.inputs.iter().map(|(_, n)| n.as_str()).collect();
        write!(f, "FindMatches: {}", names.join(", "))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self {
            spec: Arc::clone(&self.spec),
            inputs,
            schema: Arc::clone(&self.schema),
        })
    }
}

/// The operator of a [`MatchNode`].
#[derive(Debug)]
pub(super) struct MatchExec {
    spec: Arc<Spec>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl MatchExec {
    pub(super) fn new(node: &MatchNode, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let schema = Arc::new(node.schema.as_arrow().clone());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            spec: Arc::clone(&node.spec),
            inputs,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for MatchExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.spec.inputs.iter().map(|(_, n)| n.as_str()).collect();
        write!(f, "MatchExec: {}", names.join(", "))
    }
}

impl ExecutionPlan for MatchExec {
    fn name(&self) -> &'static str {
        "MatchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
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
        Ok(Arc::new(Self {
            spec: Arc::clone(&self.spec),
            inputs: children,
            properties: Arc::clone(&self.properties),
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        self.replace_children(children, mode)
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (spec, inputs) = (Arc::clone(&self.spec), self.inputs.clone());
        let schema = self.schema();
        let given = Arc::clone(&schema);
        let answer = async move { answer(&spec, inputs, &context).await };
        let batches = futures::stream::once(answer).try_flatten();
        let batches = batches.and_then(move |batch| {
            let named = RecordBatch::try_new(Arc::clone(&given), batch.columns().to_vec());
            std::future::ready(named.map_err(DataFusionError::from))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

fn failed(error: MatchError) -> DataFusionError {
    match error {
        MatchError::Engine(error) => error,
        other => DataFusionError::External(Box::new(other)),
    }
}

async fn answer(
    spec: &Spec,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    task: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let mut context =
        SessionContext::new_with_config_rt(task.session_config().clone(), task.runtime_env());
    mastic_functions::register_all(&mut context)?;
    let (mut left, mut right, mut existing, mut labels) = (None, None, None, None);
    for ((role, name), plan) in spec.inputs.iter().zip(inputs) {
        let rows: DataFrame = context.read_table(Arc::new(PlanTable(plan)))?;
        let name = name.clone();
        match role {
            Role::Left => left = Some(Table { name, rows }),
            Role::Right => right = Some(Table { name, rows }),
            Role::Existing => existing = Some(Table { name, rows }),
            Role::Labels(line) => {
                let line = line.clone();
                labels = Some(Labels {
                    name,
                    rows,
                    line,
                    partial: false,
                });
            }
        }
    }
    let left =
        left.ok_or_else(|| DataFusionError::Internal("there is nothing to be matched".into()))?;
    let given = Given {
        labels,
        transform: spec.transform.clone(),
        existing,
        side: spec.side,
        keep: false,
        by_name: true,
    };
    let input = MatchInput { left, right };
    let matched = find_matches_with(&context, input, &spec.settings, given, &|_| {})
        .await
        .map_err(failed)?;
    let rows = match spec.best {
        true => matched.best,
        false => matched.rows,
    };
    rows.execute_stream().await
}

/// A plan of operators as a table, which is to be read once.
#[derive(Debug)]
struct PlanTable(Arc<dyn ExecutionPlan>);

#[async_trait]
impl TableProvider for PlanTable {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(columns) = projection else {
            return Ok(Arc::clone(&self.0));
        };
        let schema = self.0.schema();
        let shown = columns.iter().map(|at| {
            let name = schema.field(*at).name().clone();
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&name, *at));
            (column, name)
        });
        let shown: Vec<_> = shown.collect();
        Ok(Arc::new(ProjectionExec::try_new(
            shown,
            Arc::clone(&self.0),
        )?))
    }
}
