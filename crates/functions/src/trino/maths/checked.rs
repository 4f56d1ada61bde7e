//! `+`, `-` and `*` of integers that fail where the answer does not fit, as in Trino. DataFusion's own wrap
//! around.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{ColumnarValue, Operator, ScalarUDF};

use crate::args::Call;
use crate::function::{Function, Params};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![add(), subtract(), multiply()]
}

/// `a + b` of integers.
pub(crate) fn add() -> Arc<ScalarUDF> {
    Function::new("checked_add", Params::Custom(types), returns, |c| {
        compute(c, "+", numeric::add)
    })
    .written("+")
    .udf()
}

/// `a - b` of integers.
pub(crate) fn subtract() -> Arc<ScalarUDF> {
    Function::new("checked_subtract", Params::Custom(types), returns, |c| {
        compute(c, "-", numeric::sub)
    })
    .written("-")
    .udf()
}

/// `a * b` of integers.
pub(crate) fn multiply() -> Arc<ScalarUDF> {
    Function::new("checked_multiply", Params::Custom(types), returns, |c| {
        compute(c, "*", numeric::mul)
    })
    .written("*")
    .udf()
}

/// The type that two integers have in common, as DataFusion finds it for the operator.
fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [a, b] if a.is_integer() && b.is_integer() => {
            let (a, b) = BinaryTypeCoercer::new(a, &Operator::Plus, b).get_input_types()?;
            Ok(vec![a, b])
        }
        _ => plan_err!("{name} takes two integers"),
    }
}

fn returns(types: &[DataType]) -> Result<DataType> {
    match types {
        [a, b] => BinaryTypeCoercer::new(a, &Operator::Plus, b).get_result_type(),
        _ => plan_err!("two integers are needed"),
    }
}

type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

fn compute(call: &Call<'_>, operator: &str, kernel: Kernel) -> Result<ArrayRef> {
    let (a, b) = match call.args.args.as_slice() {
        [a, b] => (a, b),
        _ => return plan_err!("two integers are needed"),
    };
    let answer = match (a, b) {
        (ColumnarValue::Array(a), ColumnarValue::Array(b)) => kernel(a, b),
        (ColumnarValue::Array(a), ColumnarValue::Scalar(b)) => kernel(a, &b.to_scalar()?),
        (ColumnarValue::Scalar(a), ColumnarValue::Array(b)) => kernel(&a.to_scalar()?, b),
        (ColumnarValue::Scalar(a), ColumnarValue::Scalar(b)) => {
            kernel(&a.to_array()?, &b.to_array()?)
        }
    };
    answer.map_err(|e| match e {
        ArrowError::ArithmeticOverflow(what) => exec_datafusion_err!(
            "the result of '{operator}' does not fit {}: {what}; CAST the operands to a wider type, or use try()",
            call.args.return_field.data_type()
        ),
        other => other.into(),
    })
}
