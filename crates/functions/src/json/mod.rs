//! JSON held in text. Semantics: <https://trino.io/docs/current/functions/json.html>.
//!
//! There is no JSON type: what Trino types as `json` is text here that is known to be valid.

mod arrays;
mod path;
mod query;
mod seek;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;
use serde_json::value::RawValue;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use path::Path;

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Kinds(&[Kind::Text], 1);
    let two = Params::Kinds(&[Kind::Text, Kind::Text], 2);
    let text = |_: &[DataType]| Ok(DataType::Utf8);
    let bigint = |_: &[DataType]| Ok(DataType::Int64);
    let own = vec![
        Function::new("json_extract_scalar", two, text, extract_scalar).udf(),
        Function::new("json_extract", two, text, extract).udf(),
        Function::new("json_array_length", one, bigint, array_length).udf(),
        Function::new("json_size", two, bigint, size).udf(),
        Function::new("json_parse", one, text, parse).udf(),
        Function::new("json_format", one, text, parse).udf(),
    ];
    [own, arrays::all(), query::all()].concat()
}

/// Calls `f` for each row with what the path leads to: nothing for NULL, for text that is not JSON and
/// for a path that leads nowhere, which Trino does not tell apart either.
fn each_found(call: &Call<'_>, mut f: impl FnMut(Option<&RawValue>)) -> Result<()> {
    let (texts, paths) = (call.text(0)?, call.text(1)?);
    let mut last: Option<(&str, Path)> = None;
    for row in 0..call.rows {
        let (Some(text), Some(path)) = (texts.get(row), paths.get(row)) else {
            f(None);
            continue;
        };
        let parsed = match &last {
            Some((p, parsed)) if *p == path => parsed,
            _ => {
                let parsed = Path::parse(path).map_err(|e| {
                    exec_datafusion_err!("{}: bad JSON path '{path}': {e}", call.name)
                })?;
                &last.insert((path, parsed)).1
            }
        };
        f(seek::find(text, parsed.steps()));
    }
    Ok(())
}

/// Text, numbers and booleans as text; NULL for objects, arrays and JSON's null.
fn extract_scalar(call: &Call<'_>) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 8);
    each_found(call, |found| match found.map(RawValue::get) {
        Some(json) if json.starts_with('"') => match serde_json::from_str::<String>(json) {
            Ok(text) => out.append_value(text),
            Err(_) => out.append_null(),
        },
        Some(json) if !json.starts_with(['{', '[', 'n']) => out.append_value(json),
        _ => out.append_null(),
    })?;
    Ok(Arc::new(out.finish()))
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
    each_found(call, |found| {
        out.append_option(found.map(|json| seek::compact(json.get())))
    })?;
    Ok(Arc::new(out.finish()))
}

/// Members of the object or array that the path leads to; 0 for a scalar.
fn size(call: &Call<'_>) -> Result<ArrayRef> {
    let mut out = Vec::with_capacity(call.rows);
    each_found(call, |found| {
        out.push(found.and_then(|json| seek::size(json.get())))
    })?;
    Ok(Arc::new(Int64Array::from(out)))
}

fn array_length(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let lengths = (0..call.rows).map(|row| {
        let text = texts.get(row)?.trim_start_matches([' ', '\t', '\r', '\n']);
        text.starts_with('[').then(|| seek::size(text))?
    });
    Ok(Arc::new(Int64Array::from_iter(lengths)))
}

/// The text, if it is JSON, without the blanks between its tokens.
fn parse(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
    for row in 0..call.rows {
        match texts.get(row) {
            None => out.append_null(),
            Some(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(json) => out.append_value(seek::compact(json.get())),
                Err(e) => return exec_err!("{}: '{text}' is not JSON: {e}", call.name),
            },
        }
    }
    Ok(Arc::new(out.finish()))
}
