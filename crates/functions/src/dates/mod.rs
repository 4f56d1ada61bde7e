//! Dates and timestamps. Semantics: <https://trino.io/docs/current/functions/datetime.html>.

mod arithmetic;
mod extract;
mod iso8601;
mod mysql;
mod text;
mod unit;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    [extract::all(), arithmetic::all(), text::all()].concat()
}
