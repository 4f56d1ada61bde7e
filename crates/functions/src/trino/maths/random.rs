//! `rand` and `random` with bounds; without any they are DataFusion's `random()`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;
use rand::RngExt;

use crate::args::Call;
use crate::function::{Function, Params};
use crate::trino::rows::ints;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new("random", Params::Custom(types), returns, random)
            .aliases(&["rand"])
            .volatile()
            .udf(),
    ]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types.iter().find(|t| !t.is_integer() && !t.is_null()) {
        _ if types.len() > 2 => plan_err!("{name} takes 0 to 2 argument(s), not {}", types.len()),
        Some(other) => plan_err!("{name}: a bound must be an integer, not {other}"),
        None => Ok(vec![DataType::Int64; types.len()]),
    }
}

fn returns(types: &[DataType]) -> Result<DataType> {
    Ok(if types.is_empty() {
        DataType::Float64
    } else {
        DataType::Int64
    })
}

/// From 0, or from the first bound, up to but not including the last.
fn random(call: &Call<'_>) -> Result<ArrayRef> {
    let mut rng = rand::rng();
    if call.len() == 0 {
        let values = (0..call.rows).map(|_| rng.random::<f64>());
        return Ok(Arc::new(Float64Array::from_iter_values(values)));
    }
    let last = call.ints(call.len() - 1)?;
    let first = (call.len() > 1).then(|| call.ints(0)).transpose()?;
    ints(call, |row| {
        let first = first.map_or(Some(0), |f| f.get(row));
        match (first, last.get(row)) {
            (Some(first), Some(last)) if first < last => Ok(Some(rng.random_range(first..last))),
            (Some(first), Some(last)) => {
                exec_err!("random: the upper bound {last} must be greater than {first}")
            }
            _ => Ok(None),
        }
    })
}
