//! What is the same in all operators of this crate: one input, one output, and nothing known of its order.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};

/// The properties of an operator that gives one stream.
#[derive(Debug, Clone)]
pub(crate) struct Properties(pub(crate) Arc<PlanProperties>);

impl Properties {
    /// Of an operator with such columns.
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Properties(Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        )))
    }

    /// The columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.0.eq_properties.schema().clone()
    }
}

/// How many bytes the operators of a plan have spilled.
pub(crate) fn spilled(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.spilled_bytes());
    let below = plan.children().into_iter().map(|p| spilled(p.as_ref()));
    own.unwrap_or(0) as u64 + below.sum::<u64>()
}

/// A plan of operators as a table.
#[derive(Debug)]
pub(crate) struct PlanTable(pub(crate) Arc<dyn ExecutionPlan>);

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
            return Ok(self.0.clone());
        };
        let schema = self.0.schema();
        let shown = columns.iter().map(|at| {
            let name = schema.field(*at).name().clone();
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&name, *at));
            (column, name)
        });
        let shown: Vec<_> = shown.collect();
        Ok(Arc::new(ProjectionExec::try_new(shown, self.0.clone())?))
    }
}

/// An [`ExecutionPlan`] with the fields `input`, `metrics` and `properties` and the method `run`. The closure makes it
/// with another input.
macro_rules! operator {
    ($name:ident, $new:expr) => {
        impl datafusion::physical_plan::ExecutionPlan for $name {
            fn name(&self) -> &'static str {
                stringify!($name)
            }

            fn properties(&self) -> &std::sync::Arc<datafusion::physical_plan::PlanProperties> {
                &self.properties.0
            }

            fn children(
                &self,
            ) -> Vec<&std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
                vec![&self.input]
            }

            fn apply_expressions(
                &self,
                _: &mut dyn FnMut(
                    &std::sync::Arc<dyn datafusion::physical_expr::PhysicalExpr>,
                ) -> datafusion::error::Result<
                    datafusion::common::tree_node::TreeNodeRecursion,
                >,
            ) -> datafusion::error::Result<datafusion::common::tree_node::TreeNodeRecursion> {
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            }

            fn replace_children(
                self: std::sync::Arc<Self>,
                children: Vec<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
                _: datafusion::physical_plan::execution_plan::ReplaceChildrenOptions,
            ) -> datafusion::error::Result<
                std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>,
            > {
                let make: fn(
                    &$name,
                    std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>,
                ) -> $name = $new;
                match <[_; 1]>::try_from(children) {
                    Ok([input]) => Ok(std::sync::Arc::new(make(&self, input))),
                    Err(_) => Err(datafusion::error::DataFusionError::Internal(
                        "this operator has one input".into(),
                    )),
                }
            }

            fn with_new_children(
                self: std::sync::Arc<Self>,
                children: Vec<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
            ) -> datafusion::error::Result<
                std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>,
            > {
                use datafusion::physical_plan::execution_plan::{
                    ChildrenPropertiesMode, ReplaceChildrenOptions,
                };
                let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
                self.replace_children(children, mode)
            }

            fn benefits_from_input_partitioning(&self) -> Vec<bool> {
                vec![false]
            }

            fn metrics(&self) -> Option<datafusion::physical_plan::metrics::MetricsSet> {
                Some(self.metrics.clone_inner())
            }

            fn execute(
                &self,
                _: usize,
                task: std::sync::Arc<datafusion::execution::TaskContext>,
            ) -> datafusion::error::Result<datafusion::execution::SendableRecordBatchStream> {
                self.run(task)
            }
        }
    };
}
pub(crate) use operator;
