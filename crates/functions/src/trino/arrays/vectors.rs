//! Arrays of numbers as vectors, and maps of numbers as sparse ones.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, MapArray, make_comparator};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::pick::{items, range};
use crate::args::Call;
use crate::arrays::{element, key_and_value};
use crate::function::{Function, Params};
use crate::trino::rows::{double, doubles};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let vectors = Params::Custom(types);
    vec![
        Function::new("dot_product", vectors, double, |c| dense(c, |v| v.dot)).udf(),
        Function::new("euclidean_distance", vectors, double, |c| {
            dense(c, |v| v.squares.sqrt())
        })
        .udf(),
        Function::new("cosine_similarity", vectors, double, |c| cosine(c, |x| x)).udf(),
        Function::new("cosine_distance", vectors, double, |c| {
            cosine(c, |x| 1.0 - x)
        })
        .udf(),
    ]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [a, b] = types else {
        return plan_err!("{name} takes 2 arguments, not {}", types.len());
    };
    if element(a).is_some() && element(b).is_some() {
        return Ok(vec![DataType::List(items(&DataType::Float64)); 2]);
    }
    if key_and_value(a).is_some() && a == b && name.starts_with("cosine") {
        return Ok(types.to_vec());
    }
    plan_err!("{name} takes two arrays of numbers, not {a} and {b}")
}

/// Sums over the elements of two vectors.
#[derive(Default)]
struct Sums {
    dot: f64,
    /// Of the differences.
    squares: f64,
    left: f64,
    right: f64,
}

fn dense(call: &Call<'_>, of: fn(Sums) -> f64) -> Result<ArrayRef> {
    let (a, b) = (call.list(0)?, call.list(1)?);
    let (left, right) = (
        a.values().as_primitive::<Float64Type>(),
        b.values().as_primitive::<Float64Type>(),
    );
    doubles(call, |row| {
        if a.is_null(row) || b.is_null(row) {
            return Ok(None);
        }
        let (ours, theirs) = (range(&a, row), range(&b, row));
        if ours.len() != theirs.len() {
            return exec_err!(
                "{}: the arrays have {} and {} elements; they must have the same number",
                call.name,
                ours.len(),
                theirs.len()
            );
        }
        let mut sums = Sums::default();
        for (i, j) in ours.zip(theirs) {
            if left.is_null(i) || right.is_null(j) {
                return Ok(None);
            }
            let (x, y) = (left.value(i), right.value(j));
            sums.dot += x * y;
            sums.squares += (x - y) * (x - y);
            sums.left += x * x;
            sums.right += y * y;
        }
        Ok(Some(of(sums)))
    })
}

fn cosine(call: &Call<'_>, of: fn(f64) -> f64) -> Result<ArrayRef> {
    let similar = if call.map(0).is_ok() {
        sparse(call)?
    } else {
        dense(call, |v| v.dot / (v.left * v.right).sqrt())?
    };
    let similar = similar.as_primitive::<Float64Type>();
    Ok(Arc::new(similar.unary::<_, Float64Type>(of)))
}

fn sparse(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.map(0)?, call.map(1)?);
    let numbers = |map: &MapArray| -> Result<Float64Array> {
        Ok(cast(map.values(), &DataType::Float64)?
            .as_primitive::<Float64Type>()
            .clone())
    };
    let (left, right) = (numbers(&a)?, numbers(&b)?);
    let same = make_comparator(a.keys(), b.keys(), SortOptions::default())?;
    let entries = |map: &MapArray, row: usize| match map.value_offsets().get(row..row + 2) {
        Some([from, to]) => *from as usize..*to as usize,
        _ => 0..0,
    };
    doubles(call, |row| {
        if a.is_null(row) || b.is_null(row) {
            return Ok(None);
        }
        let (ours, theirs) = (entries(&a, row), entries(&b, row));
        let known = |values: &Float64Array, mut places: std::ops::Range<usize>| {
            places.all(|at| values.is_valid(at))
        };
        if !known(&left, ours.clone()) || !known(&right, theirs.clone()) {
            return Ok(None);
        }
        let length = |values: &Float64Array, places: std::ops::Range<usize>| {
            places.map(|at| values.value(at).powi(2)).sum::<f64>()
        };
        let mut dot = 0.0;
        for i in ours.clone() {
            if let Some(j) = theirs.clone().find(|j| same(i, *j).is_eq()) {
                dot += left.value(i) * right.value(j);
            }
        }
        Ok(Some(
            dot / (length(&left, ours) * length(&right, theirs)).sqrt(),
        ))
    })
}
