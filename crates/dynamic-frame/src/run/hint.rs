//! A filter told to the scan that it reads from.
//!
//! A step is counted where it stands, so no filter moves below one. But a table that knows which of its
//! partitions a condition can hold in need not list the others: the condition is told to the scan as a hint,
//! and the filter stays where it is.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, TableProviderFilterPushDown};

use super::shared::SharedNode;
use super::step::StepNode;

/// The plan, with the scan below it told of `predicate`; the plan as it is where there is none, or
/// another kind of operator stands between.
pub(crate) fn hinted(plan: &LogicalPlan, predicate: &Expr) -> Result<LogicalPlan> {
    let parts = split_conjunction(predicate);
    let parts = parts.into_iter().filter(|part| {
        !part.is_volatile()
            && !crate::expression::holds(part, |e| {
                matches!(
                    e,
                    Expr::ScalarSubquery(_)
                        | Expr::InSubquery(_)
                        | Expr::Exists(_)
                        | Expr::SetComparison(_)
                        | Expr::WindowFunction(_)
                )
            })
    });
    tell(plan, parts.cloned().collect())
}

pub(super) fn tell(plan: &LogicalPlan, parts: Vec<Expr>) -> Result<LogicalPlan> {
    if parts.is_empty() {
        return Ok(plan.clone());
    }
    Ok(match plan {
        LogicalPlan::Extension(extension) => {
            // What other readers want is not known here.
            if let Some(shared) = extension.node.as_any().downcast_ref::<SharedNode>() {
                let mut shared = shared.clone();
                shared.told.extend(parts);
                return Ok(LogicalPlan::Extension(Extension {
                    node: Arc::new(shared),
                }));
            }
            match extension.node.as_any().downcast_ref::<StepNode>() {
                Some(step) if step.reason.is_none() => LogicalPlan::Extension(Extension {
                    node: Arc::new(StepNode {
                        input: tell(&step.input, parts)?,
                        ..step.clone()
                    }),
                }),
                _ => plan.clone(),
            }
        }
        LogicalPlan::Filter(filter) => {
            let mut filter = filter.clone();
            filter.input = Arc::new(tell(&filter.input, parts)?);
            LogicalPlan::Filter(filter)
        }
        LogicalPlan::Projection(projection) => {
            let source = |name: &str| {
                projection.expr.iter().find_map(|e| match e {
                    Expr::Column(c) if c.name == name => Some(c.clone()),
                    Expr::Alias(alias) if alias.name == name => match alias.expr.as_ref() {
                        Expr::Column(c) => Some(c.clone()),
                        _ => None,
                    },
                    _ => None,
                })
            };
            let below = parts
                .into_iter()
                .filter_map(|p| renamed(p, &source).transpose());
            let below = below.collect::<Result<Vec<_>>>()?;
            let mut projection = projection.clone();
            projection.input = Arc::new(tell(&projection.input, below)?);
            LogicalPlan::Projection(projection)
        }
        LogicalPlan::TableScan(scan) => {
            let mut scan = scan.clone();
            let own = |name: &str| {
                let (table, field) = scan
                    .projected_schema
                    .iter()
                    .find(|(_, f)| f.name() == name)?;
                Some(Column::new(table.cloned(), field.name()))
            };
            let told = parts
                .into_iter()
                .filter_map(|p| renamed(p, &own).transpose());
            let told = told.collect::<Result<Vec<_>>>()?;
            let heard = scan
                .source
                .supports_filters_pushdown(&told.iter().collect::<Vec<_>>())?;
            let told = told.into_iter().zip(heard);
            let told = told.filter(|(_, heard)| *heard != TableProviderFilterPushDown::Unsupported);
            scan.filters.extend(told.map(|(part, _)| part));
            LogicalPlan::TableScan(scan)
        }
        other => other.clone(),
    })
}

/// The expression with its columns named otherwise; nothing where one of them is not known below.
fn renamed(part: Expr, to: &dyn Fn(&str) -> Option<Column>) -> Result<Option<Expr>> {
    let mut known = true;
    let renamed = part.transform(|e| {
        Ok(match e {
            Expr::Column(c) => match to(&c.name) {
                Some(column) => Transformed::yes(Expr::Column(column)),
                None => {
                    known = false;
                    Transformed::no(Expr::Column(c))
                }
            },
            other => Transformed::no(other),
        })
    })?;
    Ok(known.then_some(renamed.data))
}
