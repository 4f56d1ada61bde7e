//! Dates and timestamps. Semantics: <https://trino.io/docs/current/functions/datetime.html>.

mod arithmetic;
mod durations;
mod extract;
mod iso8601;
mod joda;
mod joda_text;
mod mysql;
mod text;
mod truncate;
mod unit;
mod unix;
mod zones;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    [
        extract::all(),
        arithmetic::all(),
        text::all(),
        truncate::all(),
        joda_text::all(),
        unix::all(),
        zones::all(),
        durations::all(),
    ]
    .concat()
}
