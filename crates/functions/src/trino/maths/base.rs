//! Numbers in another base, buckets of equal width, and Euler's number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::arrays::{element, list_of};
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::arrays::pick::range;
use crate::trino::rows::{bigint, double, ints, texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Int, Text};
    vec![
        Function::new("to_base", Params::Kinds(&[Int, Int], 2), varchar, to_base).udf(),
        Function::new(
            "from_base",
            Params::Kinds(&[Text, Int], 2),
            bigint,
            from_base,
        )
        .udf(),
        Function::new(
            "width_bucket",
            Params::Custom(bucket_types),
            bigint,
            width_bucket,
        )
        .udf(),
        Function::new("e", Params::Kinds(&[], 0), double, |_| {
            Ok(Arc::new(Float64Array::from(vec![std::f64::consts::E])))
        })
        .udf(),
    ]
}

fn radix(call: &Call<'_>, radix: i64) -> Result<u32> {
    match u32::try_from(radix) {
        Ok(n @ 2..=36) => Ok(n),
        _ => exec_err!(
            "{}: the radix must be between 2 and 36, not {radix}",
            call.name
        ),
    }
}

fn to_base(call: &Call<'_>) -> Result<ArrayRef> {
    let (numbers, bases) = (call.ints(0)?, call.ints(1)?);
    texts(call, |row| {
        let (Some(n), Some(base)) = (numbers.get(row), bases.get(row)) else {
            return Ok(None);
        };
        let base = radix(call, base)?;
        let mut left = n.unsigned_abs();
        let mut digits = Vec::new();
        loop {
            let digit = (left % u64::from(base)) as u32;
            digits.extend(char::from_digit(digit, base));
            left /= u64::from(base);
            if left == 0 {
                break;
            }
        }
        if n < 0 {
            digits.push('-');
        }
        Ok(Some(digits.into_iter().rev().collect::<String>()))
    })
}

fn from_base(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, bases) = (call.text(0)?, call.ints(1)?);
    ints(call, |row| {
        let (Some(text), Some(base)) = (values.get(row), bases.get(row)) else {
            return Ok(None);
        };
        let base = radix(call, base)?;
        i64::from_str_radix(text, base).map(Some).map_err(|e| {
            exec_datafusion_err!("from_base: '{text}' is not a bigint in base {base}: {e}")
        })
    })
}

fn bucket_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if let [x, bins] = types {
        let Some(field) = element(bins) else {
            return plan_err!("{name}: argument 2 must be an array of numbers, not {bins}");
        };
        let x = all_of(name, &[Kind::Double], std::slice::from_ref(x))?;
        return Ok(x
            .into_iter()
            .chain([list_of(field, &DataType::Float64)])
            .collect());
    }
    all_of(
        name,
        &[Kind::Double, Kind::Double, Kind::Double, Kind::Int],
        types,
    )
}

/// 0 is below the first bound and `n + 1` at or above the last; bounds may fall.
fn width_bucket(call: &Call<'_>) -> Result<ArrayRef> {
    let xs = call.doubles(0)?;
    if call.len() == 2 {
        return of_bins(call, &xs);
    }
    let (lows, highs, counts) = (call.doubles(1)?, call.doubles(2)?, call.ints(3)?);
    ints(call, |row| {
        let Some(n) = counts.get(row) else {
            return Ok(None);
        };
        if xs.is_null(row) || lows.is_null(row) || highs.is_null(row) {
            return Ok(None);
        }
        let (x, low, high) = (xs.value(row), lows.value(row), highs.value(row));
        if n <= 0 {
            return exec_err!(
                "width_bucket: the number of buckets must be greater than 0, not {n}"
            );
        }
        if x.is_nan() || !low.is_finite() || !high.is_finite() || low == high {
            return exec_err!(
                "width_bucket: {x} cannot be put between the bounds {low} and {high}; they must be finite and differ"
            );
        }
        let (from, to) = (low.min(high), low.max(high));
        let bucket = if x < from {
            0
        } else if x >= to {
            return match n.checked_add(1) {
                Some(_) if low > high => Ok(Some(0)),
                Some(last) => Ok(Some(last)),
                None => exec_err!("width_bucket: there is no bucket above {n}"),
            };
        } else {
            (n as f64 * (x - from) / (to - from)) as i64 + 1
        };
        Ok(Some(if low > high { n - bucket + 1 } else { bucket }))
    })
}

/// How many of the bins, which rise, are at or below each value.
fn of_bins(call: &Call<'_>, xs: &Float64Array) -> Result<ArrayRef> {
    let list = call.list(1)?;
    let values = list.values().as_primitive::<Float64Type>();
    ints(call, |row| {
        if xs.is_null(row) || list.is_null(row) {
            return Ok(None);
        }
        let (x, range) = (xs.value(row), range(&list, row));
        if range.is_empty() {
            return exec_err!("width_bucket: the array of bins is empty");
        }
        if x.is_nan() {
            return exec_err!("width_bucket: the value is NaN");
        }
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low.midpoint(high);
            if values.is_null(middle) || !values.value(middle).is_finite() {
                return exec_err!("width_bucket: a bin is NULL or not finite");
            }
            if values.value(middle) <= x {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Some((low - range.start) as i64))
    })
}
