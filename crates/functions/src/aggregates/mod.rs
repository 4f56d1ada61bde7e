//! Aggregates. Semantics: <https://trino.io/docs/current/functions/aggregate.html>.

mod by;
mod count_if;
mod maps;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    [by::all(), maps::all(), vec![count_if::udaf()]].concat()
}
