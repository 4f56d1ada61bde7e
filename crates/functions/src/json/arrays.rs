//! `json_array_get`, `json_array_contains` and `is_json_scalar`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;
use serde_json::Value;
use serde_json::value::RawValue;

use super::seek;
use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::rows::{boolean, booleans, texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Int, Text};
    vec![
        Function::new(
            "json_array_get",
            Params::Kinds(&[Text, Int], 2),
            varchar,
            get,
        )
        .udf(),
        Function::new(
            "json_array_contains",
            Params::Custom(contains_types),
            boolean,
            contains,
        )
        .udf(),
        Function::new(
            "is_json_scalar",
            Params::Kinds(&[Text], 1),
            boolean,
            is_scalar,
        )
        .udf(),
    ]
}

/// The element at a place counted from 0, or from the end if it is negative.
fn get(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, places) = (call.text(0)?, call.ints(1)?);
    texts(call, |row| {
        let (Some(text), Some(place)) = (values.get(row), places.get(row)) else {
            return Ok(None);
        };
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) else {
            return Ok(None);
        };
        let at = if place < 0 {
            elements
                .len()
                .checked_sub(usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX))
        } else {
            usize::try_from(place).ok()
        };
        let found = at.and_then(|at| elements.get(at));
        Ok(found.map(|json| seek::compact(json.get())))
    })
}

fn contains_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [json, value] = types else {
        return plan_err!("{name} takes 2 arguments, not {}", types.len());
    };
    let json = all_of(name, &[Kind::Text], std::slice::from_ref(json))?;
    let value = match value {
        DataType::Boolean => DataType::Boolean,
        t if t.is_integer() => DataType::Int64,
        t if t.is_numeric() => DataType::Float64,
        t if t.is_string() || t.is_null() => DataType::Utf8,
        other => {
            return plan_err!(
                "{name}: argument 2 must be a boolean, a number or varchar, not {other}"
            );
        }
    };
    Ok(json.into_iter().chain([value]).collect())
}

/// Whether an element is this value; NULL if the text is no JSON array.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    use arrow::datatypes::{Float64Type, Int64Type};
    let (values, wanted) = (call.text(0)?, call.array(1)?);
    booleans(call, |row| {
        let Some(text) = values.get(row).filter(|_| wanted.is_valid(row)) else {
            return Ok(None);
        };
        let Ok(elements) = serde_json::from_str::<Vec<Value>>(text) else {
            return Ok(None);
        };
        Ok(Some(match wanted.data_type() {
            DataType::Boolean => {
                let wanted = wanted.as_boolean().value(row);
                elements.iter().any(|e| e.as_bool() == Some(wanted))
            }
            DataType::Int64 => {
                let wanted = wanted.as_primitive::<Int64Type>().value(row);
                elements.iter().any(|e| e.as_i64() == Some(wanted))
            }
            DataType::Float64 => {
                let wanted = wanted.as_primitive::<Float64Type>().value(row);
                elements
                    .iter()
                    .any(|e| e.is_f64() && e.as_f64() == Some(wanted))
            }
            _ => {
                let wanted = wanted.as_string::<i32>().value(row);
                elements.iter().any(|e| e.as_str() == Some(wanted))
            }
        }))
    })
}

/// Whether it is text, a number, a boolean or null; an error if it is no JSON.
fn is_scalar(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    booleans(call, |row| {
        let Some(text) = values.get(row) else {
            return Ok(None);
        };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(json) => Ok(Some(!json.get().starts_with(['{', '[']))),
            Err(e) => exec_err!("is_json_scalar: '{text}' is not JSON: {e}"),
        }
    })
}
