//! `CREATE VIEW`.

use std::collections::HashSet;

use datafusion::dataframe::DataFrame;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use mastic_catalog::{Change, Column, Expected, PartitionChanges};
use mastic_schema::hive::{format_type, parse_type};

use super::super::command::CreateView;
use super::super::view::{self, Stored};
use super::{Context, expected, is_view};
use crate::error::{QueryError, Result};

pub(super) async fn create(context: &Context<'_>, made: CreateView) -> Result<DataFrame> {
    let database = context.database_of(&made.name).to_owned();
    context.check_database(&database, made.name.start)?;
    let full = format!("{database}.{}", made.name.table);
    let there = context.snapshot.table(&database, &made.name.table).await?;
    match &there {
        Some(there) if !is_view(there) => {
            let message = format!("{full} is a table, and a view cannot take its place");
            return Err(context.wrong(made.name.start, message, None));
        }
        Some(_) if made.if_not_exists && !made.or_replace => {
            return context.status(format!("the view {full} is there already"));
        }
        Some(_) if !made.or_replace => {
            return Err(context.wrong(
                made.name.start,
                format!("there is a view '{full}' already"),
                Some("write CREATE OR REPLACE VIEW".to_owned()),
            ));
        }
        _ => {}
    }
    let query = if made.columns.is_empty() {
        check_names(context, &made)?;
        made.query.clone()
    } else {
        // The names are part of the query, so that others who read the view find them.
        let names: Vec<String> = made
            .columns
            .iter()
            .map(|(name, _)| format!("\"{}\"", name.value.replace('"', "\"\"")))
            .collect();
        let alias = made.name.table.replace('"', "\"\"");
        format!(
            "SELECT * FROM (\n{}\n) AS \"{alias}\" ({})",
            made.query,
            names.join(", ")
        )
    };
    let inner = view::within(context.snapshot, &full)?;
    let state = context.session.statements().state();
    let plan = view::plan(state, inner, &database, &query)
        .await
        .map_err(|e| shifted(context, e, &made))?;
    let mut taken = HashSet::new();
    let mut columns = Vec::new();
    let mut types = Vec::new();
    for (at, field) in plan.schema().fields().iter().enumerate() {
        let name = field.name().to_lowercase();
        if !taken.insert(name.clone()) {
            return Err(context.wrong(
                made.start,
                format!("the view has two columns '{name}'"),
                Some("give one of them another name: expression AS name".to_owned()),
            ));
        }
        let hive_type = format_type(field.data_type());
        let mut column = Column::new(name, hive_type.as_str());
        column.comment = made
            .columns
            .get(at)
            .and_then(|(_, comment)| comment.clone());
        columns.push(column);
        // The type that the view's columns have when it is read.
        let read = parse_type(&hive_type);
        types.push(read.unwrap_or_else(|_| field.data_type().clone()));
    }
    let stored = Stored {
        query,
        database,
        comment: made.comment,
    };
    let table = stored.table(&made.name.table, columns, &types);
    let replaced = there.is_some();
    let change = Change::PutTable {
        table,
        expected: there.as_deref().map_or(Expected::Absent, expected),
        partitions: PartitionChanges::none(),
    };
    context.apply(vec![change]).await?;
    context.status(if replaced {
        format!("replaced the view {full}")
    } else {
        format!("created the view {full}")
    })
}

/// That every column of the query has a name.
fn check_names(context: &Context<'_>, made: &CreateView) -> Result<()> {
    // What is no query at all is said when it is planned.
    let Ok(mut statements) = mastic_functions::sql::parse(&made.query) else {
        return Ok(());
    };
    let Some(Statement::Statement(statement)) = statements.pop_front() else {
        return Ok(());
    };
    let ast::Statement::Query(query) = statement.as_ref() else {
        return Ok(());
    };
    let ast::SetExpr::Select(select) = query.body.as_ref() else {
        return Ok(());
    };
    for (at, item) in select.projection.iter().enumerate() {
        let ast::SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if !matches!(
            expr,
            ast::Expr::Identifier(_)
                | ast::Expr::CompoundIdentifier(_)
                | ast::Expr::CompoundFieldAccess { .. }
        ) {
            let text = super::super::words::shortened(&expr.to_string());
            return Err(context.wrong(
                made.start,
                format!("column {} of the view has no name: {text}", at + 1),
                Some(format!("write {text} AS name")),
            ));
        }
    }
    Ok(())
}

/// An error in the query, with its place in the whole statement.
fn shifted(context: &Context<'_>, error: QueryError, made: &CreateView) -> QueryError {
    let error = super::super::shifted(context.text, made.start, error);
    match error {
        // The query stands in another one: its own places are lost.
        QueryError::Statement { message, hint, .. } if !made.columns.is_empty() => {
            QueryError::Statement {
                message,
                place: None,
                hint,
            }
        }
        other => other,
    }
}
