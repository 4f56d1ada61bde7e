//! Aggregates. Semantics: <https://trino.io/docs/current/functions/aggregate.html>.

mod by;
mod count_if;
mod kmeans;
mod least_squares;
mod maps;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

pub use kmeans::{kmeans, nearest_centroid};
pub use least_squares::least_squares;

pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    let own = vec![count_if::udaf(), kmeans(), least_squares()];
    [by::all(), maps::all(), own].concat()
}
