//! Regular expressions. Semantics: <https://trino.io/docs/current/functions/regexp.html>.
//!
//! Patterns are those of the [`regex`] crate, which match in linear time. Look-around and
//! back-references, which Trino's Java syntax has, are refused with an error.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::functions::regex::regexp_replace as builtin_replace;
use datafusion::logical_expr::ScalarUDF;
use regex::{Captures, Regex};

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::strings::list_of_text;

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Int, Text};
    let extract_params = Params::Kinds(&[Text, Text, Int], 2);
    let two = Params::Kinds(&[Text, Text], 2);
    let replace_params = Params::Kinds(&[Text, Text, Text, Text], 2);
    let replace_type: fn(&[DataType]) -> Result<DataType> = |t| {
        // With flags the call is DataFusion's own, which keeps the type of its text.
        Ok(if t.len() == 4 {
            t[0].clone()
        } else {
            DataType::Utf8
        })
    };
    vec![
        Function::new(
            "regexp_extract",
            extract_params,
            |_| Ok(DataType::Utf8),
            extract,
        )
        .udf(),
        Function::new(
            "regexp_extract_all",
            extract_params,
            |_| Ok(list_of_text()),
            extract_all,
        )
        .udf(),
        Function::new(
            "regexp_position",
            Params::Kinds(&[Text, Text, Int, Int], 2),
            |_| Ok(DataType::Int64),
            position,
        )
        .udf(),
        Function::new("regexp_split", two, |_| Ok(list_of_text()), split).udf(),
        Function::new("regexp_replace", replace_params, replace_type, replace).udf(),
    ]
}

/// Patterns compiled in this batch.
struct Patterns(&'static str, HashMap<String, Regex>);

impl Patterns {
    fn new(call: &Call<'_>) -> Self {
        Self(call.name, HashMap::new())
    }

    fn get(&mut self, pattern: &str) -> Result<Regex> {
        if let Some(regex) = self.1.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = Regex::new(pattern)
            .map_err(|e| exec_datafusion_err!("{}: bad pattern '{pattern}': {e}", self.0))?;
        self.1.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }
}

/// Calls `f` with each row's text, pattern and group, or `None` where one of them is NULL.
fn each_group(
    call: &Call<'_>,
    mut f: impl FnMut(Option<(&str, &Regex, usize)>) -> Result<()>,
) -> Result<()> {
    let (texts, patterns) = (call.text(0)?, call.text(1)?);
    let groups = (call.len() > 2).then(|| call.ints(2)).transpose()?;
    let mut compiled = Patterns::new(call);
    let mut last: Option<(&str, Regex)> = None;
    for row in 0..call.rows {
        let group = groups.map_or(Some(0), |g| g.get(row));
        let (Some(text), Some(pattern), Some(group)) = (texts.get(row), patterns.get(row), group)
        else {
            f(None)?;
            continue;
        };
        let regex = match &last {
            Some((p, regex)) if *p == pattern => regex,
            _ => &last.insert((pattern, compiled.get(pattern)?)).1,
        };
        match usize::try_from(group) {
            Ok(group) if group < regex.captures_len() => f(Some((text, regex, group)))?,
            _ => {
                return exec_err!(
                    "{}: '{pattern}' has {} group(s), there is no group {group}",
                    call.name,
                    regex.captures_len() - 1
                );
            }
        }
    }
    Ok(())
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 8);
    each_group(call, |row| {
        out.append_option(row.and_then(|(text, regex, group)| {
            match group {
                0 => regex.find(text).map(|m| m.as_str()),
                _ => regex
                    .captures(text)
                    .and_then(|c| c.get(group))
                    .map(|m| m.as_str()),
            }
        }));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringBuilder::new());
    each_group(call, |row| {
        match row {
            None => out.append_null(),
            Some((text, regex, group)) => {
                for captures in regex.captures_iter(text) {
                    // A group that took no part in the match is NULL.
                    out.values()
                        .append_option(captures.get(group).map(|m| m.as_str()));
                }
                out.append(true);
            }
        }
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// Where the n-th match from a place on begins, in characters from 1; -1 if there is none.
fn position(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0)?, call.text(1)?);
    let starts = (call.len() > 2).then(|| call.ints(2)).transpose()?;
    let occurrences = (call.len() > 3).then(|| call.ints(3)).transpose()?;
    let mut compiled = Patterns::new(call);
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let start = starts.map_or(Some(1), |s| s.get(row));
        let occurrence = occurrences.map_or(Some(1), |o| o.get(row));
        let (Some(text), Some(pattern), Some(start), Some(occurrence)) =
            (texts.get(row), patterns.get(row), start, occurrence)
        else {
            out.push(None);
            continue;
        };
        let (Some(skip), Some(nth)) = (
            start.checked_sub(1).and_then(|n| usize::try_from(n).ok()),
            occurrence
                .checked_sub(1)
                .and_then(|n| usize::try_from(n).ok()),
        ) else {
            return exec_err!(
                "regexp_position: the start and the occurrence count from 1, not {start} and {occurrence}"
            );
        };
        let regex = compiled.get(pattern)?;
        let from = match text.char_indices().nth(skip) {
            Some((at, _)) => Some(at),
            None => (text.chars().count() == skip).then_some(text.len()),
        };
        let found = from.and_then(|from| {
            regex
                .find_iter(text)
                .filter(|m| m.start() >= from)
                .nth(nth)
                .and_then(|m| text.get(..m.start()))
        });
        out.push(Some(
            found.map_or(-1, |head| head.chars().count() as i64 + 1),
        ));
    }
    Ok(Arc::new(Int64Array::from(out)))
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringBuilder::new());
    each_group(call, |row| {
        match row {
            None => out.append_null(),
            Some((text, regex, _)) => {
                for part in regex.split(text) {
                    out.values().append_value(part);
                }
                out.append(true);
            }
        }
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// Replaces every match, where DataFusion's own replaces the first unless it is given the flag `g`.
/// A fourth argument, which Trino does not have, is DataFusion's flags and gets its behaviour.
fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    if call.len() == 4 {
        return builtin_replace()
            .invoke_with_args(call.args.clone())?
            .into_array(call.rows);
    }
    let (texts, patterns) = (call.text(0)?, call.text(1)?);
    let replacements = (call.len() > 2).then(|| call.text(2)).transpose()?;
    let mut compiled = Patterns::new(call);
    let mut last: Option<(&str, &str, Regex, Replacement)> = None;
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
    for row in 0..call.rows {
        let replacement = replacements.map_or(Some(""), |r| r.get(row));
        let (Some(text), Some(pattern), Some(replacement)) =
            (texts.get(row), patterns.get(row), replacement)
        else {
            out.append_null();
            continue;
        };
        let (regex, template) = match &last {
            Some((p, r, regex, template)) if *p == pattern && *r == replacement => {
                (regex, template)
            }
            _ => {
                let regex = compiled.get(pattern)?;
                let template = Replacement::parse(replacement, &regex)
                    .map_err(|e| exec_datafusion_err!("regexp_replace: {e} in '{replacement}'"))?;
                let new = last.insert((pattern, replacement, regex, template));
                (&new.2, &new.3)
            }
        };
        out.append_value(regex.replace_all(text, |c: &Captures<'_>| template.fill(c)));
    }
    Ok(Arc::new(out.finish()))
}

/// A replacement in Java's syntax: `$1` and `${name}` are groups, a backslash makes the next character
/// plain. (In the regex crate's own syntax `$1a` would be a group named `1a`.)
struct Replacement(Vec<Piece>);

enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    fn parse(text: &str, regex: &Regex) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let group = match c {
                '\\' => {
                    plain.push(chars.next().ok_or("nothing follows the last backslash")?);
                    continue;
                }
                '$' if chars.peek() == Some(&'{') => {
                    chars.next();
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some(c) => name.push(c),
                            None => return Err("a '${' is not closed".to_owned()),
                        }
                    }
                    let found = regex.capture_names().position(|n| n == Some(name.as_str()));
                    found.ok_or_else(|| format!("there is no group named '{name}'"))?
                }
                '$' => {
                    let digit = chars.next().and_then(|c| c.to_digit(10));
                    let mut group = digit.ok_or("no group follows a '$'")? as usize;
                    // More digits belong to the number as long as there is such a group.
                    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                        let longer = group * 10 + digit as usize;
                        if longer >= regex.captures_len() {
                            break;
                        }
                        group = longer;
                        chars.next();
                    }
                    if group >= regex.captures_len() {
                        return Err(format!("there is no group {group}"));
                    }
                    group
                }
                c => {
                    plain.push(c);
                    continue;
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Group(group));
        }
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    fn fill(&self, captures: &Captures<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    out.push_str(captures.get(*group).map_or("", |m| m.as_str()));
                }
            }
        }
        out
    }
}
