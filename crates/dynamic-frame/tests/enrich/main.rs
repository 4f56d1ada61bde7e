//! Transforms that bring something into a frame, or make several records of one: a file for each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod fill_missing;
mod find_matches;
mod flat_map;
mod kmeans;
mod lookup;
mod merge;
mod repartition;
mod spigot;
mod unbox;
mod union;

use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use mastic_dynamic_frame::{DynamicFrame, Ledger};

async fn frame(sql: &str) -> DynamicFrame {
    let mut ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(3));
    mastic_functions::register_all(&mut ctx).unwrap();
    DynamicFrame::new(ctx.sql(sql).await.expect(sql)).unwrap()
}

/// A table as text: its head, and its lines in order.
fn table(batches: &[datafusion::arrow::array::RecordBatch]) -> String {
    let table = pretty_format_batches(batches).unwrap().to_string();
    let mut lines: Vec<String> = table
        .lines()
        .filter(|l| l.starts_with('|'))
        .map(|line| {
            let inner = &line[1..line.len() - 1];
            let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
            cells.join("|")
        })
        .collect();
    if lines.len() > 1 {
        lines[1..].sort_unstable();
    }
    lines.join("\n")
}

async fn rows(frame: DynamicFrame) -> String {
    table(&frame.into_dataframe().collect().await.unwrap())
}

/// What a run of the frame gives, and the steps and reasons of its error records.
async fn run(frame: DynamicFrame) -> (String, String, Arc<Ledger>) {
    let (mut state, plan) = frame.into_dataframe().into_parts();
    let ledger = Ledger::new(None, state.runtime_env().clone());
    ledger.attach(&mut state);
    let batches = DataFrame::new(state, plan).collect().await.unwrap();
    let errors: Vec<_> = ledger
        .error_batches()
        .unwrap()
        .iter()
        .map(|b| b.project(&[0, 1, 4]).unwrap())
        .collect();
    let errors = match errors.is_empty() {
        true => String::new(),
        false => table(&errors),
    };
    (table(&batches), errors, ledger)
}
