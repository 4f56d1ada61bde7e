//! `json_exists`, `json_value` and `json_query` with paths of SQL's own kind: `lax $.a[0]`, `strict $.a`.
//!
//! Of the path language there are member and element accessors. Without `strict`, a path that leads nowhere
//! is an empty answer; with it, it is an error, which `json_exists` answers with false and the others with NULL.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;
use serde_json::value::RawValue;

use super::path::{Path, Step};
use super::seek;
use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{boolean, booleans, texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let two = Params::Kinds(&[Kind::Text, Kind::Text], 2);
    vec![
        Function::new("json_exists", two, boolean, exists).udf(),
        Function::new("json_value", two, varchar, value).udf(),
        Function::new("json_query", two, varchar, query).udf(),
    ]
}

/// A path and whether it is strict. In these paths elements count from 0, as in the others.
fn parse(call: &Call<'_>, text: &str) -> Result<(Path, bool)> {
    let trimmed = text.trim();
    let (rest, strict) = match trimmed.split_once(char::is_whitespace) {
        Some((mode, rest)) if mode.eq_ignore_ascii_case("lax") => (rest, false),
        Some((mode, rest)) if mode.eq_ignore_ascii_case("strict") => (rest, true),
        _ => (trimmed, false),
    };
    // A name may stand in double quotes: `$."a b"` is `$["a b"]`.
    let mut plain = String::with_capacity(rest.len());
    let mut tail = rest.trim();
    while let Some(at) = tail.find(".\"") {
        let (before, quoted) = tail.split_at(at);
        let name = quoted.get(2..).unwrap_or_default();
        let Some(end) = name.find('"') else { break };
        plain.push_str(before);
        plain.push_str(&format!("[\"{}\"]", name.get(..end).unwrap_or_default()));
        tail = name.get(end + 1..).unwrap_or_default();
    }
    plain.push_str(tail);
    match Path::parse(&plain) {
        Ok(path) => Ok((path, strict)),
        Err(e) => exec_err!("{}: bad JSON path '{text}': {e}", call.name),
    }
}

/// What a path leads to. In lax mode a member of an array is that member of its only element, and element 0 of
/// what is no array is that itself.
fn follow<'j>(text: &'j str, steps: &[Step], strict: bool) -> Option<&'j RawValue> {
    if strict {
        return seek::find(text, steps);
    }
    let mut at = seek::find(text, &[])?;
    for step in steps {
        let json = at.get().trim_start();
        at = match (json.starts_with('['), step.index) {
            (true, None) if seek::size(json) == Some(1) => {
                let first = Step {
                    name: "0".to_owned(),
                    index: Some(0),
                };
                let inner = seek::find(at.get(), std::slice::from_ref(&first))?;
                seek::find(inner.get(), std::slice::from_ref(step))?
            }
            (false, Some(0)) if !json.starts_with('{') => at,
            _ => seek::find(at.get(), std::slice::from_ref(step))?,
        };
    }
    Some(at)
}

fn each<T>(
    call: &Call<'_>,
    of: impl Fn(Option<&RawValue>) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    let (values, paths) = (call.text(0)?, call.text(1)?);
    let mut last: Option<(&str, (Path, bool))> = None;
    (0..call.rows)
        .map(|row| {
            let (Some(text), Some(path)) = (values.get(row), paths.get(row)) else {
                return Ok(None);
            };
            let (parsed, strict) = match &last {
                Some((p, parsed)) if *p == path => parsed,
                _ => &last.insert((path, parse(call, path)?)).1,
            };
            of(follow(text, parsed.steps(), *strict))
        })
        .collect()
}

fn exists(call: &Call<'_>) -> Result<ArrayRef> {
    let found = each(call, |found| Ok(Some(found.is_some())))?;
    let mut found = found.into_iter();
    booleans(call, |_| Ok(found.next().flatten()))
}

/// A scalar as text; NULL for an object or an array.
fn value(call: &Call<'_>) -> Result<ArrayRef> {
    let found = each(call, |found| {
        let Some(json) = found.map(|f| f.get().trim()) else {
            return Ok(None);
        };
        match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(json)
                .map(Some)
                .map_err(|e| exec_datafusion_err!("json_value: {e}")),
            Some(b'{' | b'[' | b'n') | None => Ok(None),
            Some(_) => Ok(Some(json.to_owned())),
        }
    })?;
    let mut found = found.into_iter();
    texts(call, |_| Ok(found.next().flatten()))
}

/// The JSON itself.
fn query(call: &Call<'_>) -> Result<ArrayRef> {
    let found = each(call, |found| Ok(found.map(|f| seek::compact(f.get()))))?;
    let mut found = found.into_iter();
    texts(call, |_| Ok(found.next().flatten()))
}
