//! Maps. Semantics: <https://trino.io/docs/current/functions/map.html>.

pub(crate) mod build;
mod combine;
mod entries;
mod gathered;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    [combine::all(), entries::all(), gathered::all()].concat()
}
