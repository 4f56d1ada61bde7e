//! Bits of integers, all of which are taken as `bigint`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::compute::kernels::bitwise;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{bigint, ints};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Kinds(&[Kind::Int], 1);
    let two = Params::Kinds(&[Kind::Int, Kind::Int], 2);
    vec![
        Function::new("bitwise_and", two, bigint, |c| {
            kernel(c, bitwise::bitwise_and)
        })
        .udf(),
        Function::new("bitwise_or", two, bigint, |c| {
            kernel(c, bitwise::bitwise_or)
        })
        .udf(),
        Function::new("bitwise_xor", two, bigint, |c| {
            kernel(c, bitwise::bitwise_xor)
        })
        .udf(),
        Function::new("bitwise_not", one, bigint, |c| {
            Ok(Arc::new(bitwise::bitwise_not(&column(c, 0)?)?))
        })
        .udf(),
        Function::new("bitwise_left_shift", two, bigint, |c| {
            shift(c, |n, by| if by >= 64 { 0 } else { n.wrapping_shl(by) })
        })
        .udf(),
        Function::new("bitwise_right_shift", two, bigint, |c| {
            shift(c, |n, by| {
                if by >= 64 {
                    0
                } else {
                    (n as u64).wrapping_shr(by) as i64
                }
            })
        })
        .udf(),
        Function::new("bitwise_right_shift_arithmetic", two, bigint, |c| {
            shift(c, |n, by| n.wrapping_shr(by.min(63)))
        })
        .udf(),
        Function::new("bit_count", two, bigint, bit_count).udf(),
    ]
}

type Kernel = fn(&Int64Array, &Int64Array) -> Result<Int64Array, arrow::error::ArrowError>;

fn column(call: &Call<'_>, i: usize) -> Result<Int64Array> {
    let values = call.ints(i)?;
    Ok((0..call.rows).map(|row| values.get(row)).collect())
}

fn kernel(call: &Call<'_>, kernel: Kernel) -> Result<ArrayRef> {
    Ok(Arc::new(kernel(&column(call, 0)?, &column(call, 1)?)?))
}

fn shift(call: &Call<'_>, by: fn(i64, u32) -> i64) -> Result<ArrayRef> {
    let (values, shifts) = (call.ints(0)?, call.ints(1)?);
    ints(call, |row| {
        let (Some(n), Some(shift)) = (values.get(row), shifts.get(row)) else {
            return Ok(None);
        };
        match u32::try_from(shift.min(64)) {
            Ok(shift) => Ok(Some(by(n, shift))),
            Err(_) => exec_err!("{}: a shift by {shift} bits is negative", call.name),
        }
    })
}

/// How many bits are set in the two's complement of so many bits.
fn bit_count(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, widths) = (call.ints(0)?, call.ints(1)?);
    ints(call, |row| {
        let (Some(n), Some(width)) = (values.get(row), widths.get(row)) else {
            return Ok(None);
        };
        if !(2..=64).contains(&width) {
            return exec_err!(
                "bit_count: the number of bits must be between 2 and 64, not {width}"
            );
        }
        let half = 1_i128 << (width - 1);
        if !(-half..half).contains(&i128::from(n)) {
            return exec_err!("bit_count: {n} has no representation of {width} bits");
        }
        let mask = u64::MAX >> (64 - width);
        Ok(Some(i64::from((n as u64 & mask).count_ones())))
    })
}
