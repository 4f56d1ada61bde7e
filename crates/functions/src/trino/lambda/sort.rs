//! `array_sort(array, (a, b) -> …)`, which the statement layer writes as `array_sort_by`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda,
};

use super::{Parts, column, expect, field, signature, split};
use crate::arrays::element;
use crate::trino::arrays::pick::{Picker, items, range};

pub(super) fn udf() -> Arc<HigherOrderUDF> {
    Arc::new(HigherOrderUDF::new_from_impl(SortBy {
        signature: signature(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SortBy {
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for SortBy {
    fn name(&self) -> &str {
        "array_sort_by"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [list] => match element(list) {
                Some(field) => Ok(vec![DataType::List(items(field.data_type()))]),
                None => plan_err!("array_sort takes an array, not {list}"),
            },
            _ => plan_err!("array_sort takes an array and a function"),
        }
    }

    fn lambda_parameters(
        &self,
        _: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        expect("array_sort", fields, 1, 1)?;
        let values = split(fields).0;
        match values.first().and_then(|v| element(v.data_type())) {
            Some(held) => Ok(LambdaParametersProgress::Complete(vec![vec![
                field(held.data_type()),
                field(held.data_type()),
            ]])),
            None => plan_err!("array_sort takes an array and a function"),
        }
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (values, lambdas) = split(args.arg_fields);
        match (values.first(), lambdas.first()) {
            (Some(list), Some(made)) if made.data_type().is_integer() => {
                Ok(field(list.data_type()))
            }
            (_, Some(made)) => plan_err!(
                "array_sort: the function must give -1, 0 or 1, not a {}",
                made.data_type()
            ),
            _ => plan_err!("array_sort takes an array and a function"),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let parts = Parts::of("array_sort", &args)?;
        let list = parts.value(0)?.as_list::<i32>();
        let mut sorts: Vec<Merge> = (0..list.len())
            .filter(|row| list.is_valid(*row))
            .map(|row| Merge::new(row, range(list, row)))
            .collect();
        // Each round asks the function one question for every array that is not in order yet.
        loop {
            let (mut left, mut right, mut of, mut asking) =
                (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for (i, sort) in sorts.iter_mut().enumerate() {
                if let Some((a, b)) = sort.question() {
                    left.push(a as u64);
                    right.push(b as u64);
                    of.push(sort.row as u64);
                    asking.push(i);
                }
            }
            if asking.is_empty() {
                break;
            }
            let answers = ask(&parts, list.values(), left, right, of)?;
            let answers = answers.as_primitive::<Int64Type>();
            for (n, i) in asking.into_iter().enumerate() {
                if answers.is_null(n) || !(-1..=1).contains(&answers.value(n)) {
                    return exec_err!("array_sort: the function must give -1, 0 or 1");
                }
                if let Some(sort) = sorts.get_mut(i) {
                    sort.answer(answers.value(n) > 0);
                }
            }
        }
        let mut out = Picker::of(list);
        let mut sorted = sorts.into_iter();
        for row in 0..list.len() {
            if list.is_null(row) {
                out.null();
                continue;
            }
            let places = sorted.next().map(|s| s.places).unwrap_or_default();
            places.into_iter().for_each(|at| out.pick(at));
            out.end();
        }
        column(out.finish()?)
    }

    fn clear_null_values(&self) -> bool {
        false
    }
}

fn ask(
    parts: &Parts<'_>,
    values: &ArrayRef,
    left: Vec<u64>,
    right: Vec<u64>,
    of: Vec<u64>,
) -> Result<ArrayRef> {
    let left = take(values, &UInt64Array::from(left), None)?;
    let right = take(values, &UInt64Array::from(right), None)?;
    let answers = parts.call(0, &[left, right], &UInt64Array::from(of))?;
    Ok(cast(&answers, &DataType::Int64)?)
}

/// A merge sort from the bottom up that stops at each comparison.
struct Merge {
    row: usize,
    /// The elements' places, in runs of `width` that are in order.
    places: Vec<usize>,
    width: usize,
    merged: Vec<usize>,
    left: usize,
    right: usize,
    /// Where the run that is being merged begins.
    begin: usize,
}

impl Merge {
    fn new(row: usize, places: std::ops::Range<usize>) -> Self {
        Self {
            row,
            places: places.collect(),
            width: 1,
            merged: Vec::new(),
            left: 0,
            right: 1,
            begin: 0,
        }
    }

    /// The two places to compare next; none when all is in order.
    fn question(&mut self) -> Option<(usize, usize)> {
        let length = self.places.len();
        loop {
            if self.width >= length {
                return None;
            }
            let middle = (self.begin + self.width).min(length);
            let end = (self.begin + 2 * self.width).min(length);
            if self.left < middle && self.right < end {
                return Some((*self.places.get(self.left)?, *self.places.get(self.right)?));
            }
            self.merged.extend(self.places.get(self.left..middle)?);
            self.merged
                .extend(self.places.get(self.right.min(end)..end)?);
            self.begin = end;
            if self.begin >= length {
                self.places = std::mem::take(&mut self.merged);
                self.width *= 2;
                self.begin = 0;
            }
            self.left = self.begin;
            self.right = (self.begin + self.width).min(length);
        }
    }

    fn answer(&mut self, greater: bool) {
        let next = if greater {
            &mut self.right
        } else {
            &mut self.left
        };
        self.merged.extend(self.places.get(*next));
        *next += 1;
    }
}
