//! Aggregates. Semantics: <https://trino.io/docs/current/functions/aggregate.html>.

mod by;
mod count_if;
mod kmeans;
mod least_squares;
mod maps;
mod moments;
mod numeric_histogram;
mod percentile;
mod top;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

pub use kmeans::{kmeans, nearest_centroid};
pub use least_squares::least_squares;

pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    let own = vec![
        count_if::udaf(),
        kmeans(),
        least_squares(),
        numeric_histogram::udaf(),
        percentile::udaf(),
    ];
    [by::all(), maps::all(), moments::all(), top::all(), own].concat()
}
