//! The statement layer: what a text asks for, and who answers it.
//!
//! [`parse`] reads what is no query, [`run`] does it, and everything else is planned by the engine.

mod bounds;
mod command;
mod explain;
mod lexer;
mod misspelt;
mod names;
mod parameters;
mod parse;
mod run;
#[cfg(test)]
mod tests;
mod view;
mod words;

use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use mastic_functions::sql;

use crate::error::{QueryError, Result};
use crate::relation;
use crate::session::{CATALOG, Session};
use crate::snapshot::Snapshot;

use self::command::Command;
pub(crate) use self::view::{VIRTUAL_VIEW, provider};

/// Answers one statement over a snapshot: a query is planned, and what changes the catalog is done.
pub(crate) async fn plan(session: &Session, snapshot: &Snapshot, text: &str) -> Result<DataFrame> {
    if let Some(frame) = crate::write::answer(session, snapshot, text).await? {
        return Ok(frame);
    }
    if let Some(command) = parse::parse(text)? {
        let context = run::Context {
            session,
            snapshot,
            text,
        };
        // The future of a statement that changes the catalog is large, and queries are many.
        return Box::pin(run::run(&context, command)).await;
    }
    if let Some(frame) = crate::statistics::answer(session, snapshot, text).await? {
        return Ok(frame);
    }
    let state = session.statements().state();
    let plan = plan_query(&state, snapshot, session.database(), text).await?;
    Ok(DataFrame::new(state, plan))
}

/// As [`plan`], with values for the question marks of the statement.
pub(crate) async fn plan_with(
    session: &Session,
    snapshot: &Snapshot,
    text: &str,
    values: &[String],
) -> Result<DataFrame> {
    if values.is_empty() && parameters::marks(text).is_empty() {
        return plan(session, snapshot, text).await;
    }
    if let Some(Command::Execute { name, arguments }) = parse::parse(text)?
        && arguments.is_empty()
    {
        let context = run::Context {
            session,
            snapshot,
            text,
        };
        let arguments = values.to_vec();
        return Box::pin(run::run(&context, Command::Execute { name, arguments })).await;
    }
    let filled = parameters::fill(text, values)?;
    plan(session, snapshot, &filled.text)
        .await
        .map_err(|e| filled.error(text, e))
}

/// Plans a query, and nothing else, over the catalogs of a state, which hold this snapshot. `database` is that of names
/// without one, where it was chosen.
async fn plan_query(
    state: &SessionState,
    snapshot: &Snapshot,
    database: Option<&str>,
    text: &str,
) -> Result<LogicalPlan> {
    let mut statements = misspelt::parse(text)?;
    let mut statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(one), true) => one,
        (None, _) => return Err(QueryError::Unsupported("there is no statement".into())),
        (Some(_), false) => {
            return Err(QueryError::Unsupported(
                "there are several statements; give one at a time".into(),
            ));
        }
    };
    refuse(&statement)?;
    // Until the statement is planned.
    let _prepared = relation::prepare(state, snapshot, database, &mut statement).await?;
    let names = names::name(&mut statement);
    sql::rewrite(&mut statement);
    let plan = match state.statement_to_plan(statement).await {
        Ok(plan) => plan,
        Err(error) => {
            // What was meant is found among all names.
            snapshot.load_names().await?;
            return Err(explain(state, snapshot, database, error));
        }
    };
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|_| refused("this statement"))?;
    names.restore(plan)
}

/// An error in a part of a statement that begins at a byte of it, with its place in the whole.
fn shifted(text: &str, start: usize, error: QueryError) -> QueryError {
    match error {
        QueryError::Statement {
            message,
            place: Some((line, column)),
            hint,
        } => {
            let (first_line, first_column) = lexer::place(text, start);
            let column = if line == 1 {
                column + first_column - 1
            } else {
                column
            };
            QueryError::Statement {
                message,
                place: Some((line + first_line - 1, column)),
                hint,
            }
        }
        other => other,
    }
}

fn refused(what: &str) -> QueryError {
    QueryError::Unsupported(format!(
        "{what} is not built; `docs/sql.md` lists the statements that there are"
    ))
}

/// Says so, in one sentence, where a statement would otherwise change nothing but this process.
fn refuse(statement: &Statement) -> Result<()> {
    let Statement::Statement(inner) = statement else {
        return match statement {
            Statement::Explain(_) => Ok(()),
            Statement::CreateExternalTable(_) => Err(refused("CREATE EXTERNAL TABLE")),
            Statement::CopyTo(_) => Err(refused("COPY")),
            _ => Err(refused("this statement")),
        };
    };
    match inner.as_ref() {
        ast::Statement::Query(_)
        | ast::Statement::Explain { .. }
        | ast::Statement::ExplainTable { .. }
        | ast::Statement::ShowColumns { .. }
        | ast::Statement::ShowVariable { .. }
        | ast::Statement::ShowFunctions { .. } => Ok(()),
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(refused(&words.join(" ").to_uppercase()))
        }
    }
}

/// A planning error, with "did you mean" for tables, which DataFusion does not have.
fn explain(
    state: &SessionState,
    snapshot: &Snapshot,
    database: Option<&str>,
    error: DataFusionError,
) -> QueryError {
    if let Some(name) = unknown_function(&error) {
        return no_function(state, &name, error);
    }
    let missing = match error.find_root() {
        DataFusionError::Plan(message) => message
            .strip_prefix("table '")
            .and_then(|rest| rest.split_once("' not found"))
            .map(|(name, _)| name.to_owned()),
        _ => None,
    };
    let Some(full) = missing else {
        return error.into();
    };
    let place = match QueryError::from(error) {
        QueryError::Statement { place, .. } => place,
        _ => None,
    };
    let name = full.strip_prefix(&format!("{CATALOG}.")).unwrap_or(&full);
    missing_table(snapshot, database, name, place)
}

fn unknown_function(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::Plan(message) => message
            .strip_prefix("Invalid function '")
            .and_then(|rest| rest.split_once('\''))
            .map(|(name, _)| name.to_owned()),
        _ => None,
    }
}

/// A function that is not there, with the one that was meant among all that a statement can call.
fn no_function(state: &SessionState, name: &str, error: DataFusionError) -> QueryError {
    let known = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys())
        .chain(state.higher_order_functions().keys())
        .map(String::as_str)
        .chain(sql::REWRITTEN);
    let hint = match crate::error::closest(name, known) {
        Some(close) => format!("did you mean '{close}'?"),
        None => "`docs/functions.md` lists the functions that there are".to_owned(),
    };
    let place = match QueryError::from(error) {
        QueryError::Statement { place, .. } => place,
        _ => None,
    };
    QueryError::Statement {
        message: format!("there is no function '{}'", words::shortened(name)),
        place,
        hint: Some(hint),
    }
}

/// A table, named `database.table`, that is not there; with the one that was meant, perhaps.
pub(crate) fn no_table(
    session: &Session,
    snapshot: &Snapshot,
    name: &str,
    place: Option<(u64, u64)>,
) -> QueryError {
    missing_table(snapshot, session.database(), name, place)
}

fn missing_table(
    snapshot: &Snapshot,
    chosen: Option<&str>,
    name: &str,
    place: Option<(u64, u64)>,
) -> QueryError {
    let tables = snapshot.table_names();
    let (database, table) = name.split_once('.').unwrap_or(("", name));
    let shown = if chosen.is_none() && database == "default" {
        table
    } else {
        name
    };
    // The same table in another database, then the closest name.
    let close = tables
        .iter()
        .find(|t| t.split_once('.').is_some_and(|(_, t)| t == table))
        .cloned()
        .or_else(|| crate::error::closest(name, tables.iter().map(String::as_str)))
        .or_else(|| {
            let bare = tables
                .iter()
                .filter_map(|t| t.split_once('.').map(|(_, t)| t));
            let bare = crate::error::closest(table, bare)?;
            tables
                .iter()
                .find(|t| t.ends_with(&format!(".{bare}")))
                .cloned()
        });
    QueryError::Statement {
        message: format!("there is no table '{}'", words::shortened(shown)),
        place,
        hint: Some(match close {
            Some(close) => format!("did you mean '{close}'?"),
            None if tables.is_empty() => "the catalog is empty: `mastic crawl` fills it".into(),
            None => "`mastic catalog tables` lists them all".into(),
        }),
    }
}
