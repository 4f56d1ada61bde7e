//! A frame's plan a second time.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::shared::SharedNode;
use super::step::StepNode;

/// The plan without its counting, for a transform that reads a frame's records twice: what it learns from
/// them (a mean, a model, a sample) must not count them again, nor set the bad ones aside again. Records
/// that a step sets aside are left out here, too. What is shared is left as it is: it is computed once,
/// however often it is read.
pub(crate) fn uncounted(plan: LogicalPlan) -> Result<LogicalPlan> {
    let silent = plan.transform_down_with_subqueries(|mut plan| {
        let mut changed = false;
        while let LogicalPlan::Extension(extension) = &plan {
            if extension.node.as_any().is::<SharedNode>() {
                return Ok(Transformed::new(plan, changed, TreeNodeRecursion::Jump));
            }
            let Some(step) = extension.node.as_any().downcast_ref::<StepNode>() else {
                break;
            };
            let input = step.input.clone();
            plan = match &step.reason {
                None => input,
                Some(reason) => LogicalPlanBuilder::from(input)
                    .filter(reason.clone().is_null())?
                    .build()?,
            };
            changed = true;
        }
        Ok(Transformed::new(plan, changed, TreeNodeRecursion::Continue))
    })?;
    Ok(silent.data)
}
