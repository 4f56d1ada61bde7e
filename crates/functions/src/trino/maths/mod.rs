//! Numbers. Semantics: <https://trino.io/docs/current/functions/math.html> and
//! <https://trino.io/docs/current/functions/bitwise.html>.

mod base;
mod bits;
pub(crate) mod checked;
mod distributions;
mod random;
mod round;
mod whole;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    [
        base::all(),
        bits::all(),
        checked::all(),
        distributions::all(),
        random::all(),
        round::all(),
        whole::all(),
    ]
    .concat()
}
