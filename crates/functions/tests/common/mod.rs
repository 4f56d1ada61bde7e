//! Running one SQL expression against a session that has the functions.

#![allow(dead_code, reason = "each test file uses its part")]

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

pub(crate) fn session() -> SessionContext {
    let planners = SessionContext::new().state().expr_planners().to_vec();
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_expr_planners([mastic_functions::sql::planners(), planners].concat())
        .with_relation_planners(vec![mastic_functions::sql::relation_planner()])
        .build();
    let mut session = SessionContext::new_with_state(state);
    mastic_functions::register_all(&mut session).unwrap();
    session
}

pub(crate) async fn query(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    let mut statement = mastic_functions::sql::parse(sql)?.pop_front().unwrap();
    mastic_functions::sql::rewrite(&mut statement);
    let plan = session.state().statement_to_plan(statement).await?;
    session.execute_logical_plan(plan).await?.collect().await
}

/// The only value of the only row, NULL as `NULL`.
pub(crate) async fn value(session: &SessionContext, sql: &str) -> Result<String> {
    let batches = query(session, sql).await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut values = Vec::new();
    for batch in &batches {
        let format = ArrayFormatter::try_new(batch.column(0), &options)?;
        values.extend((0..batch.column(0).len()).map(|row| format.value(row).to_string()));
    }
    Ok(values.join(" ; "))
}

/// Checks `(expression, expected value)` pairs, all of them before failing.
pub(crate) async fn check(cases: &[(&str, &str)]) {
    let session = session();
    let mut wrong = Vec::new();
    for (expression, expected) in cases {
        let sql = format!("SELECT {expression}");
        let found = value(&session, &sql)
            .await
            .unwrap_or_else(|e| format!("error: {e}"));
        if found != *expected {
            wrong.push(format!(
                "{expression}\n    expected {expected}\n    found    {found}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Checks that each expression is an error with these words in it.
pub(crate) async fn refuse(cases: &[(&str, &[&str])]) {
    let session = session();
    let mut wrong = Vec::new();
    for (expression, words) in cases {
        match value(&session, &format!("SELECT {expression}")).await {
            Ok(found) => wrong.push(format!("{expression}\n    gave {found}")),
            Err(e) => {
                let e = e.to_string();
                if let Some(word) = words.iter().find(|w| !e.contains(**w)) {
                    wrong.push(format!("{expression}\n    {word:?} is not in: {e}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
