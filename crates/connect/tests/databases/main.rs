//! Real databases, read through the engine: SQLite files, and a PostgreSQL server of the test's own (skipped, and said
//! so, where it is not installed).
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod postgres;
mod sqlite;

use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use mastic_connect::{ConnectError, ConnectionTable, Relation, connection_scans};

/// An engine with one relation, called `t`.
async fn engine(url: &str, relation: Relation) -> Result<SessionContext, ConnectError> {
    let table = ConnectionTable::open(url.parse()?, relation).await?;
    let engine = SessionContext::new();
    engine.register_table("t", Arc::new(table)).unwrap();
    Ok(engine)
}

fn table(name: &str) -> Relation {
    Relation::Table(name.to_owned())
}

fn query(sql: &str) -> Relation {
    Relation::Query(sql.to_owned())
}

/// The rows of a query over `t`, drawn; or what went wrong.
async fn answer(engine: &SessionContext, sql: &str) -> String {
    match engine.sql(sql).await.unwrap().collect().await {
        Ok(rows) => pretty_format_batches(&rows).unwrap().to_string(),
        Err(error) => error.find_root().strip_backtrace(),
    }
}

/// The names and types of the columns of `t`.
async fn types(engine: &SessionContext) -> Vec<String> {
    let table = engine.table("t").await.unwrap();
    let fields = table.schema().fields().iter();
    fields
        .map(|f| format!("{} {}", f.name(), f.data_type()))
        .collect()
}

/// The query that is sent for a query over `t`.
async fn sent(engine: &SessionContext, sql: &str) -> String {
    let plan = engine.sql(sql).await.unwrap();
    let plan = plan.into_optimized_plan().unwrap();
    let scans = connection_scans(&plan);
    scans.into_iter().map(|scan| scan.sql).collect()
}
