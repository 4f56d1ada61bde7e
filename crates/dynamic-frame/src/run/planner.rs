//! From a frame's logical nodes to operators.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::batch::{BatchExec, Operator};
use super::exchange::{ExchangeExec, ExchangeNode};
use super::explode::ExplodeNode;
use super::matching::{MatchExec, MatchNode};
use super::number::{Number, NumberNode};
use super::shared::{ReadNode, SharedNode};
use super::step::{StepExec, StepNode, WatchedExpr};

/// The session with a planner that knows a frame's nodes.
pub(crate) fn with_planner(state: SessionState) -> SessionState {
    let planner: &dyn std::any::Any = state.query_planner().as_ref();
    if planner.is::<FramePlanner>() {
        return state;
    }
    SessionStateBuilder::new_from_existing(state)
        .with_query_planner(Arc::new(FramePlanner))
        .build()
}

#[derive(Debug)]
struct FramePlanner;

#[async_trait]
impl QueryPlanner for FramePlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Nodes)])
            .create_physical_plan(plan, session)
            .await
    }
}

struct Nodes;

#[async_trait]
impl ExtensionPlanner for Nodes {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(exchange) = node.as_any().downcast_ref::<ExchangeNode>() {
            let ([logical], [input]) = (logical_inputs, physical_inputs) else {
                return Err(DataFusionError::Internal(
                    "an exchange has one input".into(),
                ));
            };
            let keys = exchange.keys().iter();
            let keys = keys
                .map(|e| planner.create_physical_expr(e, logical.schema(), session, context))
                .collect::<Result<_>>()?;
            let exec = ExchangeExec::new(exchange.to.clone(), keys, Arc::clone(input));
            return Ok(Some(Arc::new(exec)));
        }
        if let Some(operator) = operator(node) {
            let [input] = physical_inputs else {
                return Err(DataFusionError::Internal(
                    "an operator on batches has one input".into(),
                ));
            };
            let schema = Arc::new(node.schema().as_arrow().clone());
            return Ok(Some(Arc::new(BatchExec::new(
                operator,
                schema,
                Arc::clone(input),
            ))));
        }
        if let Some(read) = node.as_any().downcast_ref::<ReadNode>() {
            return read.operator(planner, session).await.map(Some);
        }
        if node.as_any().is::<SharedNode>() {
            // A frame that is run by itself: there is nobody to share with.
            return Ok(physical_inputs.first().cloned());
        }
        if let Some(matching) = node.as_any().downcast_ref::<MatchNode>() {
            let exec = MatchExec::new(matching, physical_inputs.to_vec());
            return Ok(Some(Arc::new(exec)));
        }
        let Some(step) = node.as_any().downcast_ref::<StepNode>() else {
            return Ok(None);
        };
        let ([logical], [input]) = (logical_inputs, physical_inputs) else {
            return Err(DataFusionError::Internal("a step has one input".into()));
        };
        let reason = step
            .reason
            .as_ref()
            .map(|e| planner.create_physical_expr(e, logical.schema(), session, context))
            .transpose()?;
        let physical = |e| planner.create_physical_expr(e, logical.schema(), session, context);
        let casts = step.casts.iter().map(|watched| {
            Ok(WatchedExpr {
                cast: watched.cast.clone(),
                before: physical(&watched.before)?,
                after: physical(&watched.after)?,
            })
        });
        Ok(Some(Arc::new(StepExec::new(
            step.label.clone(),
            reason,
            casts.collect::<Result<_>>()?,
            Arc::clone(input),
        ))))
    }
}

/// The operator of a node that makes one batch of another.
fn operator(node: &dyn UserDefinedLogicalNode) -> Option<Arc<dyn Operator>> {
    let node = node.as_any();
    if node.is::<NumberNode>() {
        return Some(Arc::new(Number));
    }
    let explode = node.downcast_ref::<ExplodeNode>()?;
    Some(Arc::new(explode.operator()))
}
