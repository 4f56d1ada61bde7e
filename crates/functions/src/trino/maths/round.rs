//! `CAST` of a number to an integer as Trino does it: to the nearest, halves away from zero. DataFusion, as
//! Arrow, drops the fraction.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{Expr, ScalarUDF, cast as cast_expr, try_cast};

use crate::args::Call;
use crate::function::{Function, Params, exactly};

/// Casts to the integer types: the function's name, the type, and whether what does not fit is NULL.
const CASTS: [(&str, DataType, bool); 8] = [
    ("cast_to_tinyint", DataType::Int8, false),
    ("cast_to_smallint", DataType::Int16, false),
    ("cast_to_integer", DataType::Int32, false),
    ("cast_to_bigint", DataType::Int64, false),
    ("try_cast_to_tinyint", DataType::Int8, true),
    ("try_cast_to_smallint", DataType::Int16, true),
    ("try_cast_to_integer", DataType::Int32, true),
    ("try_cast_to_bigint", DataType::Int64, true),
];

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    macro_rules! casts {
        ($($at:literal),*) => {
            vec![$({
                const CAST: &(&str, DataType, bool) = &CASTS[$at];
                Function::new(
                    CAST.0,
                    Params::Custom(|name, types| exactly(name, types, 1).map(|()| types.to_vec())),
                    |_| Ok(CAST.1.clone()),
                    |call| round(call, &CAST.1, CAST.2),
                )
                .rewritten_by_type(|args, types| plain(args, types, &CAST.1, CAST.2))
                .udf()
            }),*]
        };
    }
    casts!(0, 1, 2, 3, 4, 5, 6, 7)
}

fn has_fraction(data_type: &DataType) -> bool {
    data_type.is_floating() || data_type.is_decimal()
}

/// Of what has no fraction it is a plain cast, which the optimizer understands.
fn plain(args: &[Expr], types: &[DataType], to: &DataType, lenient: bool) -> Option<Expr> {
    match (args, types) {
        ([value], [from]) if !has_fraction(from) => Some(if lenient {
            try_cast(value.clone(), to.clone())
        } else {
            cast_expr(value.clone(), to.clone())
        }),
        _ => None,
    }
}

fn round(call: &Call<'_>, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let values = call.array(0)?;
    let from = values.data_type();
    let options = CastOptions {
        safe: lenient,
        ..Default::default()
    };
    let whole = match from {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let values = cast(&values, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            let rounded = values.unary::<_, Float64Type>(f64::round);
            Arc::new(rounded) as ArrayRef
        }
        // Arrow rounds where it makes a scale smaller.
        DataType::Decimal256(..) => {
            cast_with_options(&values, &DataType::Decimal256(76, 0), &options)?
        }
        t if t.is_decimal() => cast_with_options(&values, &DataType::Decimal128(38, 0), &options)?,
        _ => values.clone(),
    };
    cast_with_options(&whole, to, &options)
        .map_err(|e| exec_datafusion_err!("CAST: a value of type {from} does not fit {to}: {e}"))
}
