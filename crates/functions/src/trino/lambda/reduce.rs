//! `reduce(array, state, (state, x) -> …, state -> …)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array, new_empty_array};
use arrow::compute::{cast, concat, nullif, take};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::binary::type_union_resolution;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda,
};

use super::{Parts, column, expect, field, signature, split};
use crate::arrays::element;
use crate::trino::arrays::pick::{items, range};

pub(super) fn udf() -> Arc<HigherOrderUDF> {
    Arc::new(HigherOrderUDF::new_from_impl(Reduce {
        signature: signature(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Reduce {
    signature: HigherOrderSignature,
}

/// The type of the state: of the first one and of what the function makes of it.
fn state(first: &DataType, made: &DataType) -> Result<DataType> {
    if first == made {
        return Ok(first.clone());
    }
    match type_union_resolution(&[first.clone(), made.clone()]) {
        Some(both) => Ok(both),
        None => plan_err!("reduce: the state is {first} at first, and {made} after a step"),
    }
}

impl HigherOrderUDFImpl for Reduce {
    fn name(&self) -> &str {
        "reduce"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::Null, state] => {
                Ok(vec![DataType::List(items(&DataType::Null)), state.clone()])
            }
            [list, state] => match element(list) {
                Some(field) => Ok(vec![
                    DataType::List(items(field.data_type())),
                    state.clone(),
                ]),
                None => plan_err!("reduce: argument 1 must be an array, not {list}"),
            },
            _ => plan_err!("reduce takes an array, a state and two functions"),
        }
    }

    fn coerce_values_for_lambdas(
        &self,
        fields: &[ValueOrLambda<DataType, DataType>],
    ) -> Result<Option<Vec<DataType>>> {
        let (values, lambdas) = split(fields);
        match (values.as_slice(), lambdas.first()) {
            ([list, first], Some(made)) => Ok(Some(vec![list.clone(), state(first, made)?])),
            _ => Ok(None),
        }
    }

    fn lambda_parameters(
        &self,
        step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        expect("reduce", fields, 2, 2)?;
        let (values, lambdas) = split(fields);
        let ([list, first], [made, _]) = (values.as_slice(), lambdas.as_slice()) else {
            return plan_err!("reduce takes an array, a state and two functions");
        };
        let Some(held) = element(list.data_type()) else {
            return plan_err!(
                "reduce: argument 1 must be an array, not {}",
                list.data_type()
            );
        };
        let with = |state: &DataType| vec![field(state), field(held.data_type())];
        // The type that the function makes of the first state may be wider than it: then the function is
        // looked at again with that.
        match made {
            None => Ok(LambdaParametersProgress::Partial(vec![
                Some(with(first.data_type())),
                None,
            ])),
            Some(made) => {
                let state = state(first.data_type(), made.data_type())?;
                if step < 2 && &state != first.data_type() {
                    return Ok(LambdaParametersProgress::Partial(vec![
                        Some(with(&state)),
                        None,
                    ]));
                }
                Ok(LambdaParametersProgress::Complete(vec![
                    with(&state),
                    vec![field(&state)],
                ]))
            }
        }
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        match split(args.arg_fields).1.as_slice() {
            [_, last] => Ok(field(last.data_type())),
            _ => plan_err!("reduce takes an array, a state and two functions"),
        }
    }

    /// All arrays of the batch are gone through side by side, longest first, so that at each step those that
    /// still have an element are the first ones.
    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let parts = Parts::of("reduce", &args)?;
        let (list, first) = (parts.value(0)?.as_list::<i32>(), parts.value(1)?);
        let kind = first.data_type();
        let length = |row: usize| {
            if list.is_null(row) {
                0
            } else {
                range(list, row).len()
            }
        };
        let mut order: Vec<u64> = (0..list.len() as u64).collect();
        order.sort_by_key(|row| std::cmp::Reverse(length(*row as usize)));
        let rows = UInt64Array::from(order.clone());
        let mut states = take(first, &rows, None)?;
        // What is ready, shortest first.
        let mut ready: Vec<ArrayRef> = Vec::new();
        for step in 0.. {
            let going = order.partition_point(|row| length(*row as usize) > step);
            if going < states.len() {
                ready.push(states.slice(going, states.len() - going));
                states = states.slice(0, going);
            }
            if going == 0 {
                break;
            }
            let of = rows.slice(0, going);
            let places: UInt64Array = of
                .values()
                .iter()
                .map(|row| (range(list, *row as usize).start + step) as u64)
                .collect();
            let elements = take(list.values(), &places, None)?;
            states = cast(&parts.call(0, &[states, elements], &of)?, kind)?;
        }
        ready.reverse();
        let ready: Vec<&dyn Array> = ready.iter().map(AsRef::as_ref).collect();
        let done = if ready.is_empty() {
            new_empty_array(kind)
        } else {
            concat(&ready)?
        };
        let mut back = vec![0_u64; order.len()];
        for (place, row) in order.iter().enumerate() {
            if let Some(back) = back.get_mut(*row as usize) {
                *back = place as u64;
            }
        }
        let done = take(&done, &UInt64Array::from(back), None)?;
        let every: UInt64Array = (0..list.len() as u64).collect();
        let answer = parts.call(1, &[done], &every)?;
        if list.null_count() == 0 {
            return column(answer);
        }
        let missing = BooleanArray::from_iter((0..list.len()).map(|row| Some(list.is_null(row))));
        column(nullif(&answer, &missing)?)
    }

    // The arrays that are NULL are looked at here.
    fn clear_null_values(&self) -> bool {
        false
    }
}
