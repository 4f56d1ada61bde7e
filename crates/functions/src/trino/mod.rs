//! The functions of Trino, a folder for each topic of its documentation.

pub(crate) mod arrays;
mod binary;
pub(crate) mod casts;
mod geo;
mod ip;
mod lambda;
pub(crate) mod maps;
pub(crate) mod maths;
pub(crate) mod rows;
mod text;
mod url;
pub(crate) mod values;

use std::sync::Arc;

use datafusion::logical_expr::{HigherOrderUDF, ScalarUDF};

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    [
        arrays::all(),
        binary::all(),
        casts::all(),
        geo::all(),
        ip::all(),
        maps::all(),
        maths::all(),
        text::all(),
        url::all(),
        values::all(),
    ]
    .concat()
}

/// The functions that take functions.
pub(crate) fn higher_order() -> Vec<Arc<HigherOrderUDF>> {
    lambda::all()
}
