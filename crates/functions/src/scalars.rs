//! Conditions and numbers. Semantics: <https://trino.io/docs/current/functions/conditional.html> and
//! <https://trino.io/docs/current/functions/math.html>.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, new_null_array};
use arrow::compute::kernels::numeric::rem;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{CastOptions, cast_with_options, prep_null_mask_filter};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::binary::{BinaryTypeCoercer, type_union_resolution};
use datafusion::logical_expr::{Expr, Operator, ScalarUDF, binary_expr, cast, lit, when};

use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of, exactly};

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let number = Params::Kinds(&[Kind::Double], 1);
    let boolean = |_: &[DataType]| Ok(DataType::Boolean);
    vec![
        Function::new(
            "if",
            Params::Custom(if_types),
            |t| Ok(t[1].clone()),
            if_else,
        )
        .rewritten(if_to_case)
        .lazy()
        .udf(),
        Function::new(
            "date",
            Params::Custom(date_types),
            |_| Ok(DataType::Date32),
            date,
        )
        .rewritten(date_to_cast)
        .udf(),
        Function::new("mod", Params::Custom(mod_types), mod_type, modulo)
            .rewritten(mod_to_operator)
            .udf(),
        Function::new("is_finite", number, boolean, |c| test(c, f64::is_finite)).udf(),
        Function::new("is_infinite", number, boolean, |c| {
            test(c, f64::is_infinite)
        })
        .udf(),
        Function::new("nan", Params::Kinds(&[], 0), double, |_| constant(f64::NAN)).udf(),
        Function::new("infinity", Params::Kinds(&[], 0), double, |_| {
            constant(f64::INFINITY)
        })
        .udf(),
    ]
}

fn double(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Float64)
}

fn constant(value: f64) -> Result<ArrayRef> {
    Ok(Arc::new(Float64Array::from(vec![value])))
}

fn test(call: &Call<'_>, is: fn(f64) -> bool) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::from_unary(&call.doubles(0)?, is)))
}

fn if_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() != 2 && types.len() != 3 {
        return plan_err!("{name} takes a condition and one or two values");
    }
    if !matches!(types[0], DataType::Boolean | DataType::Null) {
        return plan_err!("{name}: the condition must be boolean, not {}", types[0]);
    }
    match type_union_resolution(&types[1..]) {
        Some(value) => {
            let mut wanted = vec![value; types.len()];
            wanted[0] = DataType::Boolean;
            Ok(wanted)
        }
        None => plan_err!(
            "{name}: {} and {} have no type in common",
            types[1],
            types[2]
        ),
    }
}

/// So that only the branch taken is computed: `if(n = 0, 0, 1 / n)`.
fn if_to_case(args: Vec<Expr>) -> Result<Expr> {
    let mut args = args.into_iter();
    match (args.next(), args.next(), args.next()) {
        (Some(condition), Some(then), Some(otherwise)) => {
            when(condition, then).otherwise(otherwise)
        }
        (Some(condition), Some(then), None) => when(condition, then).end(),
        _ => plan_err!("if takes a condition and one or two values"),
    }
}

fn if_else(call: &Call<'_>) -> Result<ArrayRef> {
    let condition = call.array(0)?;
    // An unknown condition takes the second value.
    let mask = match condition.as_boolean() {
        mask if mask.null_count() > 0 => prep_null_mask_filter(mask),
        mask => mask.clone(),
    };
    let then = call.array(1)?;
    let otherwise = if call.len() > 2 {
        call.array(2)?
    } else {
        new_null_array(then.data_type(), call.rows)
    };
    Ok(zip(&mask, &then, &otherwise)?)
}

fn date_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    all_of(name, &[Kind::Moment], types).or_else(|_| all_of(name, &[Kind::Text], types))
}

fn date_to_cast(args: Vec<Expr>) -> Result<Expr> {
    match args.into_iter().next() {
        Some(value) => Ok(cast(value, DataType::Date32)),
        None => plan_err!("date takes 1 argument"),
    }
}

fn date(call: &Call<'_>) -> Result<ArrayRef> {
    let strict = CastOptions {
        safe: false,
        ..Default::default()
    };
    cast_with_options(&call.array(0)?, &DataType::Date32, &strict)
        .map_err(|e| exec_datafusion_err!("date: {e}"))
}

fn mod_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 2)?;
    if let Some(t) = types.iter().find(|t| !t.is_numeric() && !t.is_null()) {
        return plan_err!("{name}: the arguments must be numbers, not {t}");
    }
    let (a, b) =
        BinaryTypeCoercer::new(&types[0], &Operator::Modulo, &types[1]).get_input_types()?;
    Ok(vec![a, b])
}

fn mod_type(types: &[DataType]) -> Result<DataType> {
    BinaryTypeCoercer::new(&types[0], &Operator::Modulo, &types[1]).get_result_type()
}

fn mod_to_operator(args: Vec<Expr>) -> Result<Expr> {
    let mut args = args.into_iter();
    Ok(match (args.next(), args.next()) {
        (Some(a), Some(b)) => binary_expr(a, Operator::Modulo, b),
        _ => lit(datafusion::common::ScalarValue::Null),
    })
}

fn modulo(call: &Call<'_>) -> Result<ArrayRef> {
    match rem(&call.array(0)?, &call.array(1)?) {
        Ok(array) => Ok(array),
        Err(e) => exec_err!("mod: {e}"),
    }
}
