//! `UNNEST` in FROM that reads columns of the tables before it: `FROM t CROSS JOIN UNNEST(t.a, t.m) WITH
//! ORDINALITY AS u (x, k, v, n)`.
//!
//! DataFusion's planner looks at each table of FROM by itself. So a table and the `UNNEST` that is joined to it
//! are gathered in parentheses, and what stands in them is planned here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference, plan_err};
use datafusion::functions::core;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    self, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins,
};

use crate::arrays::{element, key_and_value};
use crate::trino::arrays::unnest_rows;

/// The column that is unnested while the plan is made.
const ROWS: &str = "$unnested";

/// The planner of such joins.
pub fn relation_planner() -> Arc<dyn RelationPlanner> {
    Arc::new(Unnest)
}

/// Puts each `UNNEST` in parentheses with all that stands before it in its FROM.
pub(super) fn gather(from: &mut Vec<TableWithJoins>) {
    // Commas before UNNEST are cross joins: it may read any of the tables before it.
    let mut at = 1;
    while at < from.len() {
        if !from.get(at).is_some_and(|t| is_unnest(&t.relation)) {
            at += 1;
            continue;
        }
        let mut tables = from.drain(..=at).collect::<Vec<_>>().into_iter();
        if let Some(mut first) = tables.next() {
            for table in tables {
                let relation = match is_unnest(&table.relation) || table.joins.is_empty() {
                    true => table.relation,
                    false => TableFactor::NestedJoin {
                        table_with_joins: Box::new(TableWithJoins {
                            relation: table.relation,
                            joins: table.joins.clone(),
                        }),
                        alias: None,
                    },
                };
                let rest = if is_unnest(&relation) {
                    table.joins
                } else {
                    Vec::new()
                };
                first.joins.push(Join {
                    relation,
                    global: false,
                    join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                });
                first.joins.extend(rest);
            }
            from.insert(0, first);
        }
        at = 1;
    }
    for table in from {
        if let Some(last) = table
            .joins
            .iter()
            .rposition(|j| is_unnest(&j.relation) && is_outer(&j.join_operator).is_ok())
        {
            let rest = table.joins.split_off(last + 1);
            let mut gathered = std::mem::replace(
                table,
                TableWithJoins {
                    relation: nowhere(),
                    joins: rest,
                },
            );
            // What stands before may hold another UNNEST.
            let unnest = gathered.joins.pop();
            let mut before = vec![TableWithJoins {
                relation: gathered.relation,
                joins: gathered.joins,
            }];
            gather(&mut before);
            if let (Some(unnest), Some(mut before)) = (unnest, before.pop()) {
                before.joins.push(unnest);
                table.relation = TableFactor::NestedJoin {
                    table_with_joins: Box::new(before),
                    alias: None,
                };
            }
        }
    }
}

fn nowhere() -> TableFactor {
    TableFactor::UNNEST {
        alias: None,
        array_exprs: Vec::new(),
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }
}

fn is_unnest(factor: &TableFactor) -> bool {
    matches!(
        factor,
        TableFactor::UNNEST {
            with_offset: false,
            ..
        }
    )
}

#[derive(Debug)]
struct Unnest;

impl RelationPlanner for Unnest {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } if table_with_joins
                .joins
                .last()
                .is_some_and(|j| is_unnest(&j.relation)) =>
            {
                let mut before = *table_with_joins;
                let Some(join) = before.joins.pop() else {
                    return plan_err!("UNNEST is joined to nothing");
                };
                let outer = is_outer(&join.join_operator)?;
                let left = if before.joins.is_empty() {
                    context.plan(before.relation)?
                } else {
                    context.plan(TableFactor::NestedJoin {
                        table_with_joins: Box::new(before),
                        alias: None,
                    })?
                };
                planned(unnested(left, join.relation, outer, context)?)
            }
            TableFactor::UNNEST {
                array_exprs,
                with_ordinality,
                with_offset: false,
                alias,
                with_offset_alias,
            } if with_ordinality || array_exprs.len() > 1 => {
                let left = LogicalPlanBuilder::empty(true).build()?;
                let factor = TableFactor::UNNEST {
                    alias,
                    array_exprs,
                    with_offset: false,
                    with_offset_alias,
                    with_ordinality,
                };
                planned(unnested(left, factor, false, context)?)
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

fn planned(plan: LogicalPlan) -> Result<RelationPlanning> {
    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
        plan, None,
    ))))
}

/// Whether a row whose arrays are empty stays, with NULLs.
fn is_outer(operator: &JoinOperator) -> Result<bool> {
    use JoinOperator as J;
    let always = |c: &JoinConstraint| match c {
        JoinConstraint::None => true,
        JoinConstraint::On(ast::Expr::Value(v)) => matches!(v.value, ast::Value::Boolean(true)),
        _ => false,
    };
    match operator {
        J::CrossJoin(c) | J::Join(c) | J::Inner(c) if always(c) => Ok(false),
        J::Left(c) | J::LeftOuter(c) if always(c) => Ok(true),
        _ => plan_err!("UNNEST can be joined by CROSS JOIN, or by JOIN or LEFT JOIN … ON TRUE"),
    }
}

/// The left side's columns, and one for each field of what is unnested.
fn unnested(
    left: LogicalPlan,
    factor: TableFactor,
    outer: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let TableFactor::UNNEST {
        alias,
        array_exprs,
        with_ordinality,
        ..
    } = factor
    else {
        return plan_err!("UNNEST was expected");
    };
    let schema: Arc<DFSchema> = Arc::clone(left.schema());
    let mut args = Vec::with_capacity(array_exprs.len() + 2);
    let mut columns: Vec<Vec<Field>> = Vec::new();
    let (relation, names) = named(alias, context);
    for expr in array_exprs {
        let expr = context.sql_to_expr(expr, &schema)?;
        let given = expr.get_type(&schema)?;
        columns.push(fields_of(&given)?);
        args.push(expr);
    }
    // As Athena's users write it too: one name for a whole row.
    let is_map = |arg: &Expr| matches!(arg.get_type(&schema), Ok(DataType::Map(..)));
    let whole: usize = args.iter().map(|a| if is_map(a) { 2 } else { 1 }).sum();
    if names.len() == whole + usize::from(with_ordinality) {
        for (fields, arg) in columns.iter_mut().zip(&args) {
            if !is_map(arg) {
                *fields = vec![Field::new("element", DataType::Null, true)];
            }
        }
    }
    args.push(lit(with_ordinality));
    args.push(lit(outer));
    let mut exprs: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let kept = exprs.clone();
    exprs.push(unnest_rows().call(args).alias(ROWS));
    let plan = LogicalPlanBuilder::from(left)
        .project(exprs)?
        .unnest_column(Column::new_unqualified(ROWS))?
        .build()?;
    // What of an unnested row becomes a column.
    let part = |i: usize| {
        core::get_field().call(vec![
            Expr::Column(Column::new_unqualified(ROWS)),
            lit(format!("field{i}")),
        ])
    };
    let mut parts: Vec<(Expr, String)> = Vec::new();
    for (i, fields) in columns.iter().enumerate() {
        match fields.as_slice() {
            [one] => parts.push((part(i), one.name().clone())),
            several => {
                for field in several {
                    let name = ScalarValue::from(field.name().as_str());
                    let value = core::get_field().call(vec![part(i), Expr::Literal(name, None)]);
                    parts.push((value, field.name().clone()));
                }
            }
        }
    }
    if with_ordinality {
        parts.push((part(columns.len()), "ordinality".to_owned()));
    }
    if names.len() > parts.len() {
        return plan_err!(
            "UNNEST gives {} column(s), and {} names were given",
            parts.len(),
            names.len()
        );
    }
    let mut exprs = kept;
    for (i, (expr, own)) in parts.into_iter().enumerate() {
        let name = names.get(i).cloned().unwrap_or(own);
        exprs.push(match &relation {
            Some(relation) => expr.alias_qualified(Some(relation.clone()), name),
            None => expr.alias(name),
        });
    }
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

fn named(
    alias: Option<TableAlias>,
    context: &mut dyn RelationPlannerContext,
) -> (Option<TableReference>, Vec<String>) {
    let Some(alias) = alias else {
        return (None, Vec::new());
    };
    let relation = TableReference::bare(context.normalize_ident(alias.name));
    let names = alias
        .columns
        .into_iter()
        .map(|c| context.normalize_ident(c.name))
        .collect();
    (Some(relation), names)
}

/// What one argument becomes: an array of rows their fields, any other array one column, a map two.
fn fields_of(given: &DataType) -> Result<Vec<Field>> {
    if let Some((key, value)) = key_and_value(given) {
        return Ok(vec![
            Field::new(key.name(), key.data_type().clone(), true),
            Field::new(value.name(), value.data_type().clone(), true),
        ]);
    }
    match element(given).map(|f| f.data_type()) {
        Some(DataType::Struct(fields)) if fields.len() > 1 => {
            Ok(fields.iter().map(|f| f.as_ref().clone()).collect())
        }
        Some(other) => Ok(vec![Field::new("element", other.clone(), true)]),
        None if given.is_null() => Ok(vec![Field::new("element", DataType::Null, true)]),
        None => plan_err!("UNNEST takes arrays and maps, not {given}"),
    }
}
