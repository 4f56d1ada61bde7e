//! Tables as a statement names them: with their hidden columns (`"$path"`), or in an older version
//! (`FOR VERSION AS OF 3`).
//!
//! DataFusion knows neither. A statement that asks for one of them is looked through before it is planned ([`prepare`]):
//! each table in its FROM clauses gets a mark that stands for a provider that was opened for it, and [`TablePlanner`]
//! scans that provider under the name that the statement gives the table. What `*` stands for is written out, so that it
//! leaves the hidden columns out. All other statements are planned as they are.

mod marks;
#[cfg(test)]
mod tests;
mod travel;
mod wildcard;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as EngineResult;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, TableAlias, TableFactor};

use self::marks::Marked;
use crate::error::Result;
use crate::session::{CATALOG, DEFAULT_DATABASE};
use crate::snapshot::Snapshot;
use crate::table::{LakeTable, hidden};

/// The providers of marked tables, while their statements are planned.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    next: AtomicU64,
    tables: Mutex<HashMap<u64, Arc<LakeTable>>>,
}

impl Opened {
    fn add(&self, table: LakeTable) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(id, Arc::new(table));
        id
    }

    fn get(&self, id: u64) -> Option<Arc<LakeTable>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(&id).cloned()
    }
}

/// Keeps the providers of a statement until it is planned.
pub(crate) struct Prepared {
    opened: Arc<Opened>,
    ids: Vec<u64>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let tables = self.opened.tables.lock();
        let mut tables = tables.unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            tables.remove(id);
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("ids", &self.ids).finish()
    }
}

/// Resolves the tables that a statement names, all at one moment, and makes ready those that it reads with hidden columns
/// or in another version. What is returned has to stay until the statement is planned.
///
/// `state` is what plans the statement, over this snapshot; `database` is that of names without one, where it was chosen.
///
/// # Errors
/// When the catalog cannot be read, or has no such version.
pub(crate) async fn prepare(
    state: &SessionState,
    snapshot: &Snapshot,
    database: Option<&str>,
    statement: &mut Statement,
) -> Result<Prepared> {
    let mut prepared = Prepared {
        opened: snapshot.opened().clone(),
        ids: Vec::new(),
    };
    let references = state.resolve_table_references(statement)?;
    let names = references.iter().filter_map(|r| place(database, r));
    snapshot.resolve(names).await?;
    let Some(statement) = inner(statement) else {
        return Ok(prepared);
    };
    let with_hidden = marks::names_hidden(statement);
    let found = marks::mark(statement, with_hidden)?;
    if found.is_empty() {
        return Ok(prepared);
    }
    let mut marks = HashMap::with_capacity(found.len());
    let within = travel::Within {
        state,
        snapshot,
        database,
    };
    for Marked {
        mark,
        name,
        version,
    } in found
    {
        let Some(table) = within.open(&name, version).await? else {
            continue;
        };
        let table = if with_hidden {
            table.with_hidden()
        } else {
            table
        };
        let id = prepared.opened.add(table);
        prepared.ids.push(id);
        marks.insert(mark, id);
    }
    marks::settle(statement, &marks);
    if with_hidden {
        wildcard::write_out(statement, &prepared.opened)?;
    }
    Ok(prepared)
}

/// The statement proper, within EXPLAIN.
fn inner(statement: &mut Statement) -> Option<&mut ast::Statement> {
    match statement {
        Statement::Statement(inner) => Some(inner),
        Statement::Explain(explain) => inner(&mut explain.statement),
        _ => None,
    }
}

/// The database and table that a reference means, where it is one of ours.
fn place(database: Option<&str>, reference: &TableReference) -> Option<(String, String)> {
    if reference.catalog().is_some_and(|c| c != CATALOG) {
        return None;
    }
    let database = reference.schema().or(database).unwrap_or(DEFAULT_DATABASE);
    Some((database.to_owned(), reference.table().to_owned()))
}

/// Plans the tables that were made ready.
#[derive(Debug)]
pub(crate) struct TablePlanner(pub(crate) Arc<Opened>);

impl RelationPlanner for TablePlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> EngineResult<RelationPlanning> {
        let (name, alias, table) = match relation {
            TableFactor::Table {
                name,
                alias,
                version: Some(ref version),
                ..
            } if let Some(table) = marks::settled(version).and_then(|id| self.0.get(id)) => {
                (name, alias, table)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let reference = context.object_name_to_table_reference(name)?;
        let source = provider_as_source(table);
        let plan = LogicalPlanBuilder::scan(reference, source, None)?.build()?;
        let (plan, alias) = renamed(plan, alias, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, alias,
        ))))
    }
}

/// A plan whose columns have the names that an alias gives them: `t AS x (a, b)` names the columns that are not hidden.
fn renamed(
    plan: LogicalPlan,
    alias: Option<TableAlias>,
    context: &dyn RelationPlannerContext,
) -> EngineResult<(LogicalPlan, Option<TableAlias>)> {
    let Some(mut alias) = alias else {
        return Ok((plan, None));
    };
    let columns: Vec<Column> = plan.schema().columns();
    let own = columns
        .iter()
        .filter(|c| !hidden::NAMES.contains(&c.name.as_str()))
        .count();
    // Any other number is told by the engine, which counts the names.
    if alias.columns.len() != own || own == columns.len() {
        return Ok((plan, Some(alias)));
    }
    let mut names = std::mem::take(&mut alias.columns).into_iter();
    let exprs = columns.into_iter().map(|column| {
        let is_hidden = hidden::NAMES.contains(&column.name.as_str());
        let name = if is_hidden { None } else { names.next() };
        match name {
            Some(name) => Expr::Column(column).alias(context.normalize_ident(name.name)),
            None => Expr::Column(column),
        }
    });
    let exprs: Vec<Expr> = exprs.collect();
    let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
    Ok((plan, Some(alias)))
}
