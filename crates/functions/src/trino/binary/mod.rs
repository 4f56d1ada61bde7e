//! Bytes: encodings and digests. Semantics: <https://trino.io/docs/current/functions/binary.html>.

mod base32;
mod digest;
mod encode;
mod murmur3;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    [encode::all(), digest::all()].concat()
}
