//! Functions that take functions. Semantics: <https://trino.io/docs/current/functions/lambda.html>.
//!
//! A lambda is computed over all elements of a batch at once, as an expression over columns.

mod map;
mod reduce;
mod replace;
mod sort;
mod try_or_null;
mod zip;

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderSignature, HigherOrderTypeSignature,
    HigherOrderUDF, LambdaArgument, ValueOrLambda, Volatility,
};

/// All of them.
pub(crate) fn all() -> Vec<Arc<HigherOrderUDF>> {
    [
        map::all(),
        vec![
            reduce::udf(),
            replace::udf(),
            sort::udf(),
            try_or_null::udf(),
            zip::udf(),
        ],
    ]
    .concat()
}

/// A function whose arguments it checks itself.
fn signature() -> HigherOrderSignature {
    HigherOrderSignature::new(HigherOrderTypeSignature::UserDefined, Volatility::Immutable)
}

fn field(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new("", data_type.clone(), true))
}

/// The value arguments and the lambdas of a call, each in their order.
struct Parts<'a> {
    name: &'a str,
    values: Vec<ArrayRef>,
    lambdas: Vec<&'a LambdaArgument>,
}

impl<'a> Parts<'a> {
    fn of(name: &'a str, args: &'a HigherOrderFunctionArgs) -> Result<Self> {
        let (mut values, mut lambdas) = (Vec::new(), Vec::new());
        for arg in &args.args {
            match arg {
                ValueOrLambda::Value(value) => values.push(value.to_array(args.number_rows)?),
                ValueOrLambda::Lambda(lambda) => lambdas.push(lambda),
            }
        }
        Ok(Self {
            name,
            values,
            lambdas,
        })
    }

    fn value(&self, i: usize) -> Result<&ArrayRef> {
        match self.values.get(i) {
            Some(value) => Ok(value),
            None => exec_err!("{} lacks an argument", self.name),
        }
    }

    /// Computes lambda `i` for `rows` rows with these parameters; each is of the row that `of` says.
    fn call(&self, i: usize, parameters: &[ArrayRef], of: &UInt64Array) -> Result<ArrayRef> {
        let Some(lambda) = self.lambdas.get(i) else {
            return exec_err!("{} lacks a function", self.name);
        };
        let closures: Vec<_> = parameters
            .iter()
            .map(|p| move || Ok(Arc::clone(p)))
            .collect();
        let closures: Vec<&dyn Fn() -> Result<ArrayRef>> = closures
            .iter()
            .map(|c| c as &dyn Fn() -> Result<ArrayRef>)
            .collect();
        lambda
            .evaluate(&closures, |captured| Ok(take_arrays(captured, of, None)?))?
            .into_array(of.values().len())
    }
}

/// The types of the value arguments and, where they are known, of the lambdas' results.
fn split<V: Clone, L: Clone>(fields: &[ValueOrLambda<V, L>]) -> (Vec<V>, Vec<L>) {
    let (mut values, mut lambdas) = (Vec::new(), Vec::new());
    for field in fields {
        match field {
            ValueOrLambda::Value(value) => values.push(value.clone()),
            ValueOrLambda::Lambda(lambda) => lambdas.push(lambda.clone()),
        }
    }
    (values, lambdas)
}

/// Refuses a call that has not so many values followed by so many lambdas.
fn expect<V, L>(
    name: &str,
    fields: &[ValueOrLambda<V, L>],
    values: usize,
    lambdas: usize,
) -> Result<()> {
    let given = fields
        .iter()
        .take_while(|f| matches!(f, ValueOrLambda::Value(_)))
        .count();
    if given != values || fields.len() != values + lambdas {
        let functions = if lambdas == 1 {
            "a function".to_owned()
        } else {
            format!("{lambdas} functions")
        };
        let before = match values {
            0 => String::new(),
            1 => "1 value and ".to_owned(),
            n => format!("{n} values and "),
        };
        return plan_err!("{name} takes {before}{functions}, such as x -> x + 1");
    }
    Ok(())
}

/// What an evaluation gives, as the column of a call.
fn column(array: ArrayRef) -> Result<ColumnarValue> {
    Ok(ColumnarValue::Array(array))
}
