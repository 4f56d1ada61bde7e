//! `ceil`, `floor` and `sign`, which give an integer of an integer. DataFusion's own give a double.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, plan_err};
use datafusion::functions::math;
use datafusion::logical_expr::{Expr, ScalarUDF};

use crate::args::Call;
use crate::function::{Function, Params};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new(
            "ceil",
            Params::Custom(types),
            |t| returns(&math::ceil(), t),
            |c| whole(c, &math::ceil()),
        )
        .rewritten_by_type(|args, types| plain(&math::ceil(), args, types))
        .aliases(&["ceiling"])
        .udf(),
        Function::new(
            "floor",
            Params::Custom(types),
            |t| returns(&math::floor(), t),
            |c| whole(c, &math::floor()),
        )
        .rewritten_by_type(|args, types| plain(&math::floor(), args, types))
        .udf(),
        Function::new(
            "sign",
            Params::Custom(types),
            |t| returns(&math::signum(), t),
            sign,
        )
        .udf(),
    ]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let builtin = match name {
        "ceil" => math::ceil(),
        "floor" => math::floor(),
        _ => math::signum(),
    };
    match types {
        [one] if one.is_integer() => Ok(types.to_vec()),
        [DataType::Null] => Ok(vec![DataType::Float64]),
        [one] if one.is_decimal() && name != "sign" => Ok(types.to_vec()),
        [one] if one.is_floating() => Ok(types.to_vec()),
        [one] if one.is_numeric() => Ok(vec![DataType::Float64]),
        [other] => plan_err!("{name} takes a number, not {other}"),
        _ => plan_err!("{} takes 1 argument, not {}", builtin.name(), types.len()),
    }
}

fn returns(builtin: &ScalarUDF, types: &[DataType]) -> Result<DataType> {
    match types {
        [one] if one.is_integer() => Ok(one.clone()),
        _ => builtin.return_type(types),
    }
}

fn plain(builtin: &Arc<ScalarUDF>, args: &[Expr], types: &[DataType]) -> Option<Expr> {
    match (args, types) {
        ([value], [one]) if one.is_integer() => Some(value.clone()),
        ([_], [one]) if one.is_floating() || one.is_decimal() => Some(builtin.call(args.to_vec())),
        _ => None,
    }
}

fn whole(call: &Call<'_>, builtin: &ScalarUDF) -> Result<ArrayRef> {
    let values = call.array(0)?;
    if values.data_type().is_integer() {
        return Ok(values);
    }
    builtin
        .invoke_with_args(call.args.clone())?
        .into_array(call.rows)
}

fn sign(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.array(0)?;
    if !values.data_type().is_integer() {
        let builtin = math::signum();
        return builtin
            .invoke_with_args(call.args.clone())?
            .into_array(call.rows);
    }
    let wide = cast(&values, &DataType::Int64)?;
    let signs = wide
        .as_primitive::<Int64Type>()
        .unary::<_, Int64Type>(i64::signum);
    Ok(cast(&signs, values.data_type())?)
}
