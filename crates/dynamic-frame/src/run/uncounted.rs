//! A frame's plan a second time.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::step::StepNode;

/// The plan without its counting, for a transform that reads a frame's records twice: what it learns from
/// them (a mean, a model, a sample) must not count them again, nor set the bad ones aside again. Records
/// that a step sets aside are left out here, too.
pub(crate) fn uncounted(plan: LogicalPlan) -> Result<LogicalPlan> {
    let silent = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Extension(extension) = &plan else {
            return Ok(Transformed::no(plan));
        };
        let Some(step) = extension.node.as_any().downcast_ref::<StepNode>() else {
            return Ok(Transformed::no(plan));
        };
        let input = step.input.clone();
        Ok(Transformed::yes(match &step.reason {
            None => input,
            Some(reason) => LogicalPlanBuilder::from(input)
                .filter(reason.clone().is_null())?
                .build()?,
        }))
    })?;
    Ok(silent.data)
}
