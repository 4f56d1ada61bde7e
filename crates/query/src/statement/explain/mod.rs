//! `EXPLAIN`: what a query does, for people to read.
//!
//! The types and formats are Athena's ("Using EXPLAIN and EXPLAIN ANALYZE in Athena"). Where no type is given, the plan that
//! would be run is shown; `EXPLAIN VERBOSE` shows each of the engine's plans as it writes them.

mod node;
mod render;
mod scans;

use std::time::Instant;

use arrow::array::BooleanArray;
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;
use serde_json::json;

use self::node::Node;
use super::command::{Command, Explain, ExplainFormat, ExplainType};
use super::run::Context;
use super::{parse, plan_query, shifted};
use crate::error::{QueryError, Result};

/// The column of the answer, as Athena calls it.
const COLUMN: &str = "Query Plan";

/// Answers `EXPLAIN`.
pub(super) async fn answer(context: &Context<'_>, explain: &Explain) -> Result<DataFrame> {
    let of_text = |error| shifted(context.text, explain.start, error);
    let validate = explain.kind == Some(ExplainType::Validate);
    if let Some(command) = parse::parse(&explain.statement).map_err(of_text)? {
        return of_command(context, explain, command, validate).await;
    }
    let writes = ["INSERT", "UNLOAD", "CREATE", "ANALYZE"];
    let first = explain
        .statement
        .split_whitespace()
        .next()
        .unwrap_or_default();
    if let Some(verb) = writes
        .into_iter()
        .find(|verb| first.eq_ignore_ascii_case(verb))
    {
        if validate {
            return valid(context);
        }
        return Err(context.wrong(
            explain.start,
            format!("EXPLAIN of {verb} is not built"),
            Some("explain the query that it writes the rows of".to_owned()),
        ));
    }
    let state = context.session.statements().state();
    let database = context.session.database();
    let plan = plan_query(&state, context.snapshot, database, &explain.statement)
        .await
        .map_err(of_text)?;
    if validate {
        return valid(context);
    }
    if explain.verbose && !explain.analyze && explain.kind.is_none() {
        return Ok(DataFrame::new(state, plan).explain(true, false)?);
    }
    of_plan(context, explain, &state, plan).await
}

/// `EXPLAIN` of a statement that is no query.
async fn of_command(
    context: &Context<'_>,
    explain: &Explain,
    command: Command,
    validate: bool,
) -> Result<DataFrame> {
    match command {
        Command::Execute { name, arguments } => {
            let statement = super::run::prepared(context, &name).await?;
            let filled = super::parameters::fill(&statement, &arguments)?;
            let inner = Explain {
                statement: filled.text,
                ..*explain
            };
            let text = inner.statement.clone();
            let context = Context {
                text: &text,
                ..*context
            };
            let inner = Explain { start: 0, ..inner };
            Box::pin(answer(&context, &inner)).await
        }
        _ if validate => valid(context),
        _ => Err(context.wrong(
            explain.start,
            "EXPLAIN is of queries: what this statement does, it does at once",
            Some("EXPLAIN (TYPE VALIDATE) says whether it is written well".to_owned()),
        )),
    }
}

fn valid(context: &Context<'_>) -> Result<DataFrame> {
    let array: arrow::array::ArrayRef = std::sync::Arc::new(BooleanArray::from(vec![true]));
    let batch = arrow::array::RecordBatch::try_from_iter([("Valid", array)])
        .map_err(|e| QueryError::Engine(e.into()))?;
    context.batch(batch)
}

async fn of_plan(
    context: &Context<'_>,
    explain: &Explain,
    state: &SessionState,
    plan: LogicalPlan,
) -> Result<DataFrame> {
    let optimized = state.optimize(&plan)?;
    let scans = scans::find(&optimized).await?;
    let (node, total) = match explain.kind {
        Some(ExplainType::Io) => {
            let io = scans::io(&scans);
            return lines(context, &[format!("{io:#}")]);
        }
        Some(ExplainType::Logical) if !explain.analyze => (Node::logical(&optimized, &scans), None),
        _ => {
            let physical = state
                .query_planner()
                .create_physical_plan(&optimized, state)
                .await?;
            let mut total = None;
            if explain.analyze {
                let begun = Instant::now();
                let mut rows = 0;
                let mut stream = execute_stream(physical.clone(), state.task_ctx())?;
                while let Some(batch) = stream.try_next().await? {
                    rows += batch.num_rows();
                }
                drop(stream);
                total = Some((rows, begun.elapsed()));
            }
            let verbose = explain.verbose;
            (
                Node::physical(&physical, &scans, explain.analyze, verbose),
                total,
            )
        }
    };
    let text = match explain.format {
        ExplainFormat::Text => render::text(&node, total),
        ExplainFormat::Json => {
            let json = match total {
                Some((rows, time)) => json!({
                    "rows": rows,
                    "seconds": time.as_secs_f64(),
                    "plan": render::json(&node),
                }),
                None => render::json(&node),
            };
            vec![format!("{json:#}")]
        }
        ExplainFormat::Graphviz => vec![render::graphviz(&node)],
    };
    lines(context, &text)
}

fn lines(context: &Context<'_>, lines: &[String]) -> Result<DataFrame> {
    let lines = lines.iter().cloned().map(Some).collect();
    context.texts(&[(COLUMN, lines)])
}
