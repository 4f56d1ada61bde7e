//! The statement layer: what a text asks for, and who answers it.

use std::collections::HashSet;

use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, ShowStatementFilter, ShowStatementFilterPosition};
use mastic_functions::sql;

use crate::error::{QueryError, Result};
use crate::relation;
use crate::session::{CATALOG, Session};
use crate::snapshot::Snapshot;

/// Plans one statement over a snapshot.
pub(crate) async fn plan(session: &Session, snapshot: &Snapshot, text: &str) -> Result<DataFrame> {
    if let Some(frame) = crate::statistics::answer(session, snapshot, text).await? {
        return Ok(frame);
    }
    if let Some(frame) = crate::write::answer(session, snapshot, text).await? {
        return Ok(frame);
    }
    let mut statements = sql::parse(text).map_err(QueryError::from)?;
    let mut statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(one), true) => one,
        (None, _) => return Err(QueryError::Unsupported("there is no statement".into())),
        (Some(_), false) => {
            return Err(QueryError::Unsupported(
                "there are several statements; give one at a time".into(),
            ));
        }
    };
    if let Some(query) = utility(session, snapshot, &statement)? {
        return Ok(session.context().sql(&query).await?);
    }
    refuse(&statement)?;
    name_columns(&mut statement);
    let state = session.statements().state();
    // Until the statement is planned.
    let database = session.database();
    let _prepared = relation::prepare(&state, snapshot, database, &mut statement).await?;
    sql::rewrite(&mut statement);
    let plan = match state.statement_to_plan(statement).await {
        Ok(plan) => plan,
        Err(error) => {
            // What was meant is found among all names.
            snapshot.load_names().await?;
            return Err(explain(session, snapshot, error));
        }
    };
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|_| refused("this statement"))?;
    Ok(DataFrame::new(state, plan))
}

fn refused(what: &str) -> QueryError {
    QueryError::Unsupported(format!(
        "{what} is not built: `mastic sql` answers SELECT, WITH, VALUES, EXPLAIN, DESCRIBE, SHOW and ANALYZE; tables come from `mastic crawl` and `mastic run`"
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

/// Names every unnamed expression of the outermost SELECT after its text, as DuckDB does. DataFusion
/// names a cast after what is cast, so that `SELECT CAST(a AS varchar) … ORDER BY a` and `SELECT 1, 1`
/// would be ambiguous to it.
fn name_columns(statement: &mut Statement) {
    let Statement::Statement(inner) = statement else {
        return;
    };
    let ast::Statement::Query(query) = inner.as_mut() else {
        return;
    };
    let ast::SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let mut taken = HashSet::new();
    for item in &mut select.projection {
        let ast::SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if matches!(
            expr,
            ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)
        ) {
            continue;
        }
        let text = expr.to_string();
        let mut name = text.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            name = format!("{text}:{number}");
            number += 1;
        }
        *item = ast::SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias: ast::Ident::with_quote('"', name),
        };
    }
}

/// `SHOW DATABASES` and `SHOW TABLES`, as queries: DataFusion shows its own schemas among them.
fn utility(
    session: &Session,
    snapshot: &Snapshot,
    statement: &Statement,
) -> Result<Option<String>> {
    let Statement::Statement(inner) = statement else {
        return Ok(None);
    };
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let like = |filter: &Option<ShowStatementFilterPosition>, column: &str| match filter {
        None => Ok(String::new()),
        Some(
            ShowStatementFilterPosition::Infix(ShowStatementFilter::Like(pattern))
            | ShowStatementFilterPosition::Suffix(ShowStatementFilter::Like(pattern)),
        ) => Ok(format!(" AND {column} LIKE {}", quoted(pattern))),
        Some(_) => Err(refused("SHOW with a filter other than LIKE")),
    };
    Ok(match inner.as_ref() {
        ast::Statement::ShowDatabases { show_options, .. }
        | ast::Statement::ShowSchemas { show_options, .. } => Some(format!(
            "SELECT schema_name AS database FROM information_schema.schemata \
             WHERE catalog_name = '{CATALOG}' AND schema_name <> 'information_schema'{} ORDER BY 1",
            like(&show_options.filter_position, "schema_name")?
        )),
        ast::Statement::ShowTables { show_options, .. } => {
            let database = match &show_options.show_in {
                Some(place) => place.parent_name.as_ref().map(|name| {
                    let name = name.to_string();
                    name.trim_matches(['"', '`']).to_lowercase()
                }),
                None => session.database().map(str::to_owned),
            };
            let condition = match &database {
                Some(name) if snapshot.database_names().contains(name) => {
                    format!("table_schema = {}", quoted(name))
                }
                Some(name) => {
                    let known = snapshot.database_names();
                    return Err(QueryError::Statement {
                        message: format!("there is no database '{name}'"),
                        place: None,
                        hint: mastic_schema::names::closest(name, known.iter().map(String::as_str))
                            .map(|n| format!("did you mean '{n}'?")),
                    });
                }
                None => "table_schema <> 'information_schema'".to_owned(),
            };
            Some(format!(
                "SELECT table_schema AS database, table_name AS \"table\" FROM information_schema.tables \
                 WHERE table_catalog = '{CATALOG}' AND {condition}{} ORDER BY 1, 2",
                like(&show_options.filter_position, "table_name")?
            ))
        }
        _ => None,
    })
}

/// A planning error, with "did you mean" for tables, which DataFusion does not have.
fn explain(session: &Session, snapshot: &Snapshot, error: DataFusionError) -> QueryError {
    if let Some(name) = unknown_function(&error) {
        return no_function(session, &name, error);
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
    no_table(session, snapshot, name, place)
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
fn no_function(session: &Session, name: &str, error: DataFusionError) -> QueryError {
    let state = session.context().state();
    let known = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys())
        .chain(state.higher_order_functions().keys())
        .map(String::as_str)
        .chain(sql::REWRITTEN);
    let hint = match mastic_schema::names::closest(name, known) {
        Some(close) => format!("did you mean '{close}'?"),
        None => "`docs/functions.md` lists the functions that there are".to_owned(),
    };
    let place = match QueryError::from(error) {
        QueryError::Statement { place, .. } => place,
        _ => None,
    };
    QueryError::Statement {
        message: format!("there is no function '{name}'"),
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
    let tables = snapshot.table_names();
    let (database, table) = name.split_once('.').unwrap_or(("", name));
    let shown = if session.database().is_none() && database == "default" {
        table
    } else {
        name
    };
    // The same table in another database, then the closest name.
    let close = tables
        .iter()
        .find(|t| t.split_once('.').is_some_and(|(_, t)| t == table))
        .cloned()
        .or_else(|| mastic_schema::names::closest(name, tables.iter().map(String::as_str)))
        .or_else(|| {
            let bare = tables
                .iter()
                .filter_map(|t| t.split_once('.').map(|(_, t)| t));
            let bare = mastic_schema::names::closest(table, bare)?;
            tables
                .iter()
                .find(|t| t.ends_with(&format!(".{bare}")))
                .cloned()
        });
    QueryError::Statement {
        message: format!("there is no table '{shown}'"),
        place,
        hint: Some(match close {
            Some(close) => format!("did you mean '{close}'?"),
            None if tables.is_empty() => "the catalog is empty: `mastic crawl` fills it".into(),
            None => "`mastic catalog tables` lists them all".into(),
        }),
    }
}
