//! Which frames of several plans are computed once, and with which columns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};

use super::super::hint::tell;
use super::node::{ReadNode, SharedNode};
use super::run::SharedRun;
use crate::DynamicFrame;
use crate::record::column;

/// Frames that are run together: what several of them read of a frame that was
/// [marked as shared](DynamicFrame::shared) is computed once.
///
/// What is given back is to be run once, all of it, and at the same time: a frame that is not run keeps nothing
/// waiting once it is dropped, but what it was to read may be written to disk until then. Filters that all
/// readers of a shared frame begin with are told to its sources together.
///
/// # Errors
/// When the engine cannot optimize a plan.
pub fn share(frames: Vec<DynamicFrame>) -> crate::Result<Vec<DynamicFrame>> {
    let roots: Vec<(SessionState, LogicalPlan)> = frames
        .into_iter()
        .map(|frame| frame.into_dataframe().into_parts())
        .collect();
    let mut seen = Seen::default();
    for (_, plan) in &roots {
        seen.walk(plan)?;
    }
    let Some((state, _)) = roots.first() else {
        return Ok(Vec::new());
    };
    let state = state.clone();
    let keep: BTreeSet<&str> = seen.shared().collect();
    let stripped = roots
        .into_iter()
        .map(|(state, plan)| Ok((state, strip(plan, &keep)?)));
    let mut roots = stripped.collect::<Result<Vec<_>>>()?;
    if !keep.is_empty() {
        for (state, plan) in &mut roots {
            *plan = state.optimize(plan)?;
        }
        let plans = roots.iter().map(|(_, plan)| plan);
        let runs = runs(&seen, &keep, plans, &state)?;
        for (_, plan) in &mut roots {
            *plan = read(plan.clone(), &runs)?;
        }
    }
    let frames = roots.into_iter();
    Ok(frames
        .map(|(state, plan)| DynamicFrame::of(DataFrame::new(state, plan)))
        .collect())
}

/// The shared frames that a plan reads after [`share()`], those that they read included.
pub(crate) fn shared_ids(plan: &LogicalPlan, ids: &mut BTreeSet<String>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let Some(read) = node_of::<ReadNode>(node) {
            let run = &read.slot.run;
            if ids.insert(run.id.clone()) {
                shared_ids(&run.plan, ids)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn node_of<T: 'static>(plan: &LogicalPlan) -> Option<&T> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

/// What is marked as shared in plans.
#[derive(Default)]
struct Seen {
    /// By id: the frame, and of each reader what its filters say.
    marks: BTreeMap<String, Mark>,
    /// The ids, each after those that its frame reads.
    order: Vec<String>,
}

struct Mark {
    input: LogicalPlan,
    told: Vec<Vec<Expr>>,
}

impl Seen {
    /// Takes in a plan. A frame below a shared one is read by that one alone, however many read it in turn.
    fn walk(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            // What a recursive query reads again and again cannot be handed out once.
            if matches!(node, LogicalPlan::RecursiveQuery(_)) {
                return Ok(TreeNodeRecursion::Jump);
            }
            let Some(shared) = node_of::<SharedNode>(node) else {
                return Ok(TreeNodeRecursion::Continue);
            };
            if let Some(mark) = self.marks.get_mut(&shared.id) {
                mark.told.push(shared.told.clone());
            } else {
                self.walk(&shared.input)?;
                let mark = Mark {
                    input: shared.input.clone(),
                    told: vec![shared.told.clone()],
                };
                self.marks.insert(shared.id.clone(), mark);
                self.order.push(shared.id.clone());
            }
            Ok(TreeNodeRecursion::Jump)
        })?;
        Ok(())
    }

    /// The ids with more than one reader.
    fn shared(&self) -> impl Iterator<Item = &str> {
        let several = self.marks.iter().filter(|(_, mark)| mark.told.len() > 1);
        several.map(|(id, _)| id.as_str())
    }
}

/// The plan with no marks but these.
fn strip(plan: LogicalPlan, keep: &BTreeSet<&str>) -> Result<LogicalPlan> {
    let stripped = plan.transform_down_with_subqueries(|node| {
        if matches!(node, LogicalPlan::RecursiveQuery(_)) && !keep.is_empty() {
            let plain = strip(node, &BTreeSet::new())?;
            return Ok(Transformed::new(plain, true, TreeNodeRecursion::Jump));
        }
        let Some(shared) = node_of::<SharedNode>(&node) else {
            return Ok(Transformed::no(node));
        };
        if keep.contains(shared.id.as_str()) {
            return Ok(Transformed::no(node));
        }
        let told = tell(&shared.input, shared.told.clone())?;
        let plain = strip(told, keep)?;
        Ok(Transformed::new(plain, true, TreeNodeRecursion::Jump))
    })?;
    Ok(stripped.data)
}

/// The frames that are computed once, with the columns that their readers want.
fn runs<'a>(
    seen: &Seen,
    keep: &BTreeSet<&str>,
    roots: impl Iterator<Item = &'a LogicalPlan>,
    state: &SessionState,
) -> Result<BTreeMap<String, Arc<SharedRun>>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for plan in roots {
        want(plan, &mut wanted)?;
    }
    // Readers first: what a shared frame wants of another depends on what is wanted of it.
    let mut plans = Vec::new();
    for id in seen.order.iter().rev() {
        let (Some(mark), true) = (seen.marks.get(id), keep.contains(id.as_str())) else {
            continue;
        };
        let input = tell(&mark.input, together(&mark.told))?;
        let input = strip(input, keep)?;
        let wanted_here = wanted.remove(id).unwrap_or_default();
        let input = project(input, &wanted_here)?;
        let plan = state.optimize(&input)?;
        want(&plan, &mut wanted)?;
        plans.push((id, plan));
    }
    let mut runs = BTreeMap::new();
    for (id, plan) in plans.into_iter().rev() {
        let plan = read(plan, &runs)?;
        runs.insert(id.clone(), SharedRun::new(id.clone(), plan));
    }
    Ok(runs)
}

/// What holds of every record that any of the readers wants.
fn together(told: &[Vec<Expr>]) -> Vec<Expr> {
    let each: Option<Vec<Expr>> = told.iter().map(|all| conjunction(all.clone())).collect();
    each.and_then(disjunction).into_iter().collect()
}

/// Adds the columns that a plan reads of shared frames.
fn want(plan: &LogicalPlan, wanted: &mut BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let Some(shared) = node_of::<SharedNode>(node) else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let names = shared.input.schema().fields().iter().map(|f| f.name());
        let columns = wanted.entry(shared.id.clone()).or_default();
        columns.extend(names.cloned());
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(())
}

/// The plan with these columns of its own, and one at least: records are counted by it.
fn project(plan: LogicalPlan, wanted: &BTreeSet<String>) -> Result<LogicalPlan> {
    let names: Vec<String> = names(plan.schema());
    let mut kept: Vec<&String> = names.iter().filter(|n| wanted.contains(*n)).collect();
    if kept.is_empty() {
        kept = names.iter().take(1).collect();
    }
    if kept.len() == names.len() {
        return Ok(plan);
    }
    let columns: Vec<Expr> = kept.into_iter().map(|name| column(name)).collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn names(schema: &DFSchemaRef) -> Vec<String> {
    schema.fields().iter().map(|f| f.name().clone()).collect()
}

/// The plan with a reader in the place of each mark.
fn read(plan: LogicalPlan, runs: &BTreeMap<String, Arc<SharedRun>>) -> Result<LogicalPlan> {
    let read = plan.transform_down_with_subqueries(|node| {
        let Some(shared) = node_of::<SharedNode>(&node) else {
            return Ok(Transformed::no(node));
        };
        let run = runs.get(&shared.id).ok_or_else(|| {
            let id = &shared.id;
            DataFusionError::Internal(format!("the shared frame '{id}' is not planned"))
        })?;
        let wanted = names(shared.input.schema());
        let reader = LogicalPlan::Extension(Extension {
            node: Arc::new(ReadNode { slot: run.slot()? }),
        });
        let reader = if names(reader.schema()) == wanted {
            reader
        } else {
            let columns: Vec<Expr> = wanted.iter().map(|name| column(name)).collect();
            LogicalPlanBuilder::from(reader).project(columns)?.build()?
        };
        Ok(Transformed::new(reader, true, TreeNodeRecursion::Jump))
    })?;
    Ok(read.data)
}
