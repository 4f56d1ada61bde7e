//! Frames from JSON lines, and frames as text.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::json::ReaderBuilder;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use mastic_dynamic_frame::{DynamicFrame, Ledger};
use mastic_schema::hive::parse_type;

/// A frame of these records, of these fields (`id:bigint,c:choice<bigint,string>`). A choice's value is
/// written with its alternative: `{"c": {"long": 1}}`.
pub fn json(fields: &str, lines: &str) -> DynamicFrame {
    let DataType::Struct(fields) = parse_type(&format!("struct<{fields}>")).unwrap() else {
        panic!()
    };
    let schema = Arc::new(Schema::new(fields));
    let reader = ReaderBuilder::new(schema.clone())
        .build(lines.as_bytes())
        .unwrap();
    let mut batches: Vec<_> = reader.map(Result::unwrap).collect();
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    let ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    DynamicFrame::new(ctx.read_batches(batches).unwrap()).unwrap()
}

/// The records as lines, in their own order.
pub async fn rows(frame: DynamicFrame) -> String {
    let batches = frame.into_dataframe().collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().filter(|l| l.starts_with('|')).map(|line| {
        let inner = &line[1..line.len() - 1];
        inner
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("|")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The records that are left, and the reasons of those that were set aside.
pub async fn run(frame: DynamicFrame) -> (String, Vec<String>) {
    let (mut state, plan) = frame.into_dataframe().into_parts();
    let ledger = Ledger::new(None, state.runtime_env().clone());
    ledger.attach(&mut state);
    let frame = datafusion::dataframe::DataFrame::new(state, plan);
    let left = rows(DynamicFrame::new(frame).unwrap()).await;
    let mut reasons = Vec::new();
    for batch in ledger.error_batches().unwrap() {
        let column = batch.column_by_name("reason").unwrap();
        let shown =
            arrow::util::display::ArrayFormatter::try_new(column, &Default::default()).unwrap();
        reasons.extend((0..batch.num_rows()).map(|row| shown.value(row).to_string()));
    }
    (left, reasons)
}
