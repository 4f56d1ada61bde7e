//! Shared frames in logical plans.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::run::Slot;

/// A frame that may be read by several plans. Projections pass; filters and limits do not, because what one
/// reader leaves out another may want. A plan that is run by itself goes on below as if the node were not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedNode {
    pub(crate) id: String,
    /// What this reader's filters say, for scans to be told if all readers say something.
    pub(crate) told: Vec<Expr>,
    pub(crate) input: LogicalPlan,
}

impl Hash for SharedNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for SharedNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let by_id = self.id.partial_cmp(&other.id)?;
        (by_id.is_ne() || self == other).then_some(by_id)
    }
}

impl UserDefinedLogicalNodeCore for SharedNode {
    fn name(&self) -> &'static str {
        "Shared"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    // The defaults of `prevent_predicate_push_down_columns` and `supports_limit_pushdown` keep filters and
    // limits above.

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared: {}", self.id)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("a shared frame has one input".into()))?;
        Ok(Self {
            id: self.id.clone(),
            told: self.told.clone(),
            input,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}

/// One reader's place at a frame that is computed once for several. No rule of the optimizer looks below it, so
/// all readers have the same.
#[derive(Debug, Clone)]
pub(crate) struct ReadNode {
    pub(super) slot: Arc<Slot>,
}

impl PartialEq for ReadNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot)
    }
}

impl Eq for ReadNode {}

impl Hash for ReadNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.slot).hash(state);
    }
}

impl PartialOrd for ReadNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self == other).then_some(std::cmp::Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for ReadNode {
    fn name(&self) -> &'static str {
        "ReadShared"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        self.slot.run.plan.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadShared: {}", self.slot.run.id)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}
