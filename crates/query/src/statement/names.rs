//! The names of a query's columns: what DataFusion takes for ambiguous and SQL does not.
//!
//! * An expression without a name is called after its text, as DuckDB does. DataFusion names a cast after what is cast, so
//!   that `SELECT CAST(a AS varchar) … ORDER BY a` and `SELECT 1, 1` would be ambiguous to it.
//! * Several columns of one name get names of their own for planning, and their name back in the answer.
//! * `ORDER BY t.a`, where `a` in the answer is something else, is the table's: it becomes a column that only the order
//!   knows.

use std::collections::{HashMap, HashSet};

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::error::Result;

/// What columns are called while a query is planned, by what they are called in its answer.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The names in the answer by those in the plan, where they are others.
    shown: HashMap<String, String>,
    /// Columns that are no part of the answer.
    hidden: HashSet<String>,
}

/// The most columns that a query is looked through for.
const MOST: usize = 10_000;

/// Names every column of the outermost SELECT so that the planner can tell them apart.
pub(super) fn name(statement: &mut Statement) -> Names {
    let mut names = Names::default();
    let Statement::Statement(inner) = statement else {
        return names;
    };
    let ast::Statement::Query(query) = inner.as_mut() else {
        return names;
    };
    let ast::Query { body, order_by, .. } = query.as_mut();
    let ast::SetExpr::Select(select) = body.as_mut() else {
        return names;
    };
    if select.projection.len() > MOST {
        return names;
    }
    name_all(select, &mut names);
    if let Some(order_by) = order_by {
        hide(select, order_by, &mut names);
    }
    names
}

fn name_all(select: &mut ast::Select, names: &mut Names) {
    let mut taken = HashSet::new();
    let mut columns: HashSet<String> = HashSet::new();
    let mut seen: HashSet<String> = HashSet::new();
    for item in &mut select.projection {
        match item {
            ast::SelectItem::UnnamedExpr(expr) if is_column(expr) => {
                let text = expr.to_string();
                let name = output_name(item).unwrap_or_default();
                // Columns of several tables may share a name; the same column twice, and one that is called like another
                // column's alias, may not.
                let again = !seen.insert(text);
                if again || taken.contains(&name) {
                    rename(item, &name, &mut taken, names);
                } else {
                    columns.insert(name);
                }
            }
            ast::SelectItem::UnnamedExpr(expr) => {
                let text = expr.to_string();
                taken.extend(columns.iter().filter(|name| **name == text).cloned());
                let name = unused(&text, &taken);
                taken.insert(name.clone());
                *item = ast::SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: ast::Ident::with_quote('"', name),
                };
            }
            ast::SelectItem::ExprWithAlias { .. } => {
                let name = output_name(item).unwrap_or_default();
                if taken.contains(&name) || columns.contains(&name) {
                    rename(item, &name, &mut taken, names);
                } else {
                    taken.insert(name);
                }
            }
            _ => {}
        }
    }
}

fn is_column(expr: &ast::Expr) -> bool {
    matches!(
        expr,
        ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)
    )
}

/// A name as the planner reads it: in lower case, unless it is in quotes.
fn read(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn output_name(item: &ast::SelectItem) -> Option<String> {
    match item {
        ast::SelectItem::ExprWithAlias { alias, .. } => Some(read(alias)),
        ast::SelectItem::UnnamedExpr(ast::Expr::Identifier(ident)) => Some(read(ident)),
        ast::SelectItem::UnnamedExpr(ast::Expr::CompoundIdentifier(parts)) => {
            parts.last().map(read)
        }
        _ => None,
    }
}

fn unused(name: &str, taken: &HashSet<String>) -> String {
    let mut found = name.to_owned();
    let mut number = 1;
    while taken.contains(&found) {
        found = format!("{name}:{number}");
        number += 1;
    }
    found
}

fn rename(item: &mut ast::SelectItem, name: &str, taken: &mut HashSet<String>, names: &mut Names) {
    let (ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. }) = item
    else {
        return;
    };
    taken.insert(name.to_owned());
    let own = unused(name, taken);
    taken.insert(own.clone());
    names.shown.insert(own.clone(), name.to_owned());
    *item = ast::SelectItem::ExprWithAlias {
        expr: expr.clone(),
        alias: ast::Ident::with_quote('"', own),
    };
}

/// Orders by a table's column that an alias of the answer hides.
fn hide(select: &mut ast::Select, order_by: &mut ast::OrderBy, names: &mut Names) {
    // What is distinct can be ordered by what it shows only.
    if select.distinct.is_some() {
        return;
    }
    let ast::OrderByKind::Expressions(keys) = &mut order_by.kind else {
        return;
    };
    for (number, key) in keys.iter_mut().enumerate() {
        let ast::Expr::CompoundIdentifier(parts) = &key.expr else {
            continue;
        };
        let Some(last) = parts.last().map(read) else {
            continue;
        };
        let own = key.expr.to_string();
        let hidden = select.projection.iter().any(|item| match item {
            ast::SelectItem::ExprWithAlias { expr, alias } => {
                read(alias) == last && expr.to_string() != own
            }
            _ => false,
        });
        if !hidden {
            continue;
        }
        let name = format!("order:{number}:{own}");
        let alias = ast::Ident::with_quote('"', name.clone());
        select.projection.push(ast::SelectItem::ExprWithAlias {
            expr: key.expr.clone(),
            alias: alias.clone(),
        });
        key.expr = ast::Expr::Identifier(alias);
        names.hidden.insert(name);
    }
}

impl Names {
    /// The plan, with the names that its answer has.
    ///
    /// # Errors
    /// When the plan has no such columns, which is a mistake of the program's.
    pub(super) fn restore(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if self.shown.is_empty() && self.hidden.is_empty() {
            return Ok(plan);
        }
        let mut exprs = Vec::new();
        for (number, (qualifier, field)) in plan.schema().iter().enumerate() {
            if self.hidden.contains(field.name()) {
                continue;
            }
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            let shown = self.shown.get(field.name());
            if shown.is_none() && qualifier.is_some() {
                exprs.push(column);
                continue;
            }
            // A qualifier of its own tells it from the others of its name.
            let own = TableReference::bare(format!("column {number}"));
            let name = shown.unwrap_or(field.name()).clone();
            exprs.push(column.alias_qualified(Some(own), name));
        }
        Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
    }
}
