//! `regexp_replace(text, pattern, groups -> …)`, which the statement layer writes as `regexp_replace_by`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListArray, ListBuilder, StringBuilder, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda,
};
use regex::Regex;

use super::{Parts, column, expect, field, signature, split};
use crate::strings::list_of_text;

pub(super) fn udf() -> Arc<HigherOrderUDF> {
    Arc::new(HigherOrderUDF::new_from_impl(ReplaceBy {
        signature: signature(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReplaceBy {
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for ReplaceBy {
    fn name(&self) -> &str {
        "regexp_replace_by"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types.iter().find(|t| !t.is_string() && !t.is_null()) {
            Some(other) => plan_err!("regexp_replace takes varchar, not {other}"),
            None => Ok(vec![DataType::Utf8; types.len()]),
        }
    }

    fn lambda_parameters(
        &self,
        _: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        expect("regexp_replace", fields, 2, 1)?;
        Ok(LambdaParametersProgress::Complete(vec![vec![field(
            &list_of_text(),
        )]]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        match split(args.arg_fields).1.first() {
            Some(made) if made.data_type().is_string() || made.data_type().is_null() => {
                Ok(field(&DataType::Utf8))
            }
            Some(made) => {
                plan_err!(
                    "regexp_replace: the function must give varchar, not {}",
                    made.data_type()
                )
            }
            None => plan_err!("regexp_replace takes a text, a pattern and a function"),
        }
    }

    /// The function gets each match's groups; the text of a match for which it gives NULL makes all NULL.
    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let parts = Parts::of("regexp_replace", &args)?;
        let (texts, patterns) = (
            parts.value(0)?.as_string::<i32>(),
            parts.value(1)?.as_string::<i32>(),
        );
        let mut last: Option<(&str, Regex)> = None;
        let mut groups = ListBuilder::new(StringBuilder::new());
        let mut of = Vec::new();
        let mut places: Vec<std::ops::Range<usize>> = Vec::new();
        for row in 0..texts.len() {
            if texts.is_null(row) || patterns.is_null(row) {
                continue;
            }
            let pattern = patterns.value(row);
            let regex = match &last {
                Some((p, regex)) if *p == pattern => regex,
                _ => {
                    let regex = Regex::new(pattern).map_err(|e| {
                        exec_datafusion_err!("regexp_replace: bad pattern '{pattern}': {e}")
                    })?;
                    &last.insert((pattern, regex)).1
                }
            };
            for captures in regex.captures_iter(texts.value(row)) {
                for group in captures.iter().skip(1) {
                    groups.values().append_option(group.map(|g| g.as_str()));
                }
                groups.append(true);
                of.push(row as u64);
                places.extend(captures.get(0).map(|m| m.range()));
            }
        }
        let groups: ListArray = groups.finish();
        let of = UInt64Array::from(of);
        let made = parts.call(0, &[Arc::new(groups)], &of)?;
        let made = cast(&made, &DataType::Utf8)?;
        let made = made.as_string::<i32>();
        let mut out = StringBuilder::with_capacity(texts.len(), texts.len() * 16);
        let mut matched = of.values().iter().zip(places).enumerate().peekable();
        for row in 0..texts.len() {
            if texts.is_null(row) || patterns.is_null(row) {
                out.append_null();
                continue;
            }
            let text = texts.value(row);
            let (mut replaced, mut from, mut known) = (String::new(), 0, true);
            while let Some((n, (_, place))) = matched.next_if(|(_, (of, _))| **of == row as u64) {
                replaced.push_str(text.get(from..place.start).unwrap_or_default());
                known &= made.is_valid(n);
                if made.is_valid(n) {
                    replaced.push_str(made.value(n));
                }
                from = place.end;
            }
            replaced.push_str(text.get(from..).unwrap_or_default());
            out.append_option(known.then_some(replaced));
        }
        column(Arc::new(out.finish()))
    }
}
