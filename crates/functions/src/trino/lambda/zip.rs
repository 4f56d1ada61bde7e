//! `zip_with(a, b, (x, y) -> …)`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda,
};

use super::{Parts, column, expect, field, signature, split};
use crate::arrays::element;
use crate::trino::arrays::pick::{items, range};
use crate::trino::maps::build::Lengths;

pub(super) fn udf() -> Arc<HigherOrderUDF> {
    Arc::new(HigherOrderUDF::new_from_impl(ZipWith {
        signature: signature(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ZipWith {
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for ZipWith {
    fn name(&self) -> &str {
        "zip_with"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        types
            .iter()
            .map(|given| match element(given) {
                Some(field) => Ok(DataType::List(items(field.data_type()))),
                None if given.is_null() => Ok(DataType::List(items(given))),
                None => plan_err!("zip_with takes arrays, not {given}"),
            })
            .collect()
    }

    fn lambda_parameters(
        &self,
        _: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        expect("zip_with", fields, 2, 1)?;
        let values = split(fields).0;
        let elements = values.iter().filter_map(|v| element(v.data_type()));
        Ok(LambdaParametersProgress::Complete(vec![
            elements.map(|e| field(e.data_type())).collect(),
        ]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        match split(args.arg_fields).1.first() {
            Some(made) => Ok(field(&DataType::List(items(made.data_type())))),
            None => plan_err!("zip_with takes two arrays and a function"),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let parts = Parts::of("zip_with", &args)?;
        let (a, b) = (
            parts.value(0)?.as_list::<i32>(),
            parts.value(1)?.as_list::<i32>(),
        );
        let mut lengths = Lengths::default();
        let (mut left, mut right, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..a.len() {
            if a.is_null(row) || b.is_null(row) {
                lengths.null();
                continue;
            }
            let longest = range(a, row).len().max(range(b, row).len());
            lengths.push(longest);
            for (list, taken) in [(a, &mut left), (b, &mut right)] {
                let places = range(list, row).map(|at| Some(at as u64));
                taken.extend(places.chain(std::iter::repeat(None)).take(longest));
            }
            of.extend(std::iter::repeat_n(row as u64, longest));
        }
        let left = take(a.values(), &UInt64Array::from(left), None)?;
        let right = take(b.values(), &UInt64Array::from(right), None)?;
        let made = parts.call(0, &[left, right], &UInt64Array::from(of))?;
        let (offsets, nulls) = lengths.finish();
        let list = ListArray::try_new(items(made.data_type()), offsets, made, Some(nulls))?;
        column(Arc::new(list))
    }
}
