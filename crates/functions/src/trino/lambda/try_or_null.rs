//! `try(x)`: NULL where computing `x` fails.
//!
//! The statement layer writes `try(x)` as `try(row -> x)`, so that `x` arrives here uncomputed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda,
};

use super::{expect, field, signature, split};

pub(super) fn udf() -> Arc<HigherOrderUDF> {
    Arc::new(HigherOrderUDF::new_from_impl(Try {
        signature: signature(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Try {
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for Try {
    fn name(&self) -> &str {
        "try"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn lambda_parameters(
        &self,
        _: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        expect("try", fields, 0, 1)?;
        Ok(LambdaParametersProgress::Complete(vec![vec![field(
            &DataType::Null,
        )]]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        match split(args.arg_fields).1.first() {
            Some(result) => Ok(field(result.data_type())),
            None => plan_err!("try takes one expression"),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let [ValueOrLambda::Lambda(lambda)] = args.args.as_slice() else {
            return exec_err!("try takes one expression");
        };
        let answer = attempt(lambda, 0, args.number_rows, args.return_type())?;
        Ok(ColumnarValue::Array(answer))
    }

    fn short_circuits(&self) -> bool {
        true
    }
}

/// Computes some rows, and where that fails each half of them, so that one bad value among many costs little.
fn attempt(lambda: &LambdaArgument, from: usize, rows: usize, to: &DataType) -> Result<ArrayRef> {
    let nothing = || Ok(new_null_array(&DataType::Null, rows));
    let answer = lambda
        .evaluate(&[&nothing], |captured| {
            Ok(captured.iter().map(|c| c.slice(from, rows)).collect())
        })
        .and_then(|value| value.into_array(rows));
    match answer {
        Ok(array) => Ok(array),
        Err(error) if !is_of_values(&error) => Err(error),
        Err(_) if rows <= 1 => Ok(new_null_array(to, rows)),
        Err(_) => {
            let half = rows / 2;
            let first = attempt(lambda, from, half, to)?;
            let second = attempt(lambda, from + half, rows - half, to)?;
            Ok(concat(&[first.as_ref(), second.as_ref()])?)
        }
    }
}

/// Whether an error says that a value cannot be computed; what is wrong with the machine or with Mastic is
/// not hidden.
fn is_of_values(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::Execution(_) => true,
        DataFusionError::ArrowError(inner, _) => matches!(
            inner.as_ref(),
            ArrowError::CastError(_)
                | ArrowError::ParseError(_)
                | ArrowError::ComputeError(_)
                | ArrowError::DivideByZero
                | ArrowError::ArithmeticOverflow(_)
                | ArrowError::InvalidArgumentError(_)
                | ArrowError::JsonError(_)
        ),
        _ => false,
    }
}
