//! Text. Semantics: <https://trino.io/docs/current/functions/string.html>.

mod cut;
mod digits;
mod format;
mod pairs;
mod spec;
mod words;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    [cut::all(), format::all(), pairs::all(), words::all()].concat()
}
