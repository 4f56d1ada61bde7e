//! Text. Semantics: <https://trino.io/docs/current/functions/string.html>.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Int, Text};
    let split_params = Params::Kinds(&[Text, Text, Int], 2);
    let part_params = Params::Kinds(&[Text, Text, Int], 3);
    let one = Params::Kinds(&[Text], 1);
    let two = Params::Kinds(&[Text, Text], 2);
    vec![
        Function::new("split", split_params, |_| Ok(list_of_text()), split).udf(),
        Function::new(
            "split_part",
            part_params,
            |_| Ok(DataType::Utf8),
            split_part,
        )
        .udf(),
        Function::new("codepoint", one, |_| Ok(DataType::Int32), codepoint).udf(),
        Function::new(
            "hamming_distance",
            two,
            |_| Ok(DataType::Int64),
            hamming_distance,
        )
        .udf(),
    ]
}

/// `array(varchar)`.
pub(crate) fn list_of_text() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, delimiters) = (call.text(0)?, call.text(1)?);
    let limits = (call.len() > 2).then(|| call.ints(2)).transpose()?;
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let limit = limits.map_or(Some(i64::MAX), |l| l.get(row));
        let (Some(text), Some(delimiter), Some(limit)) =
            (texts.get(row), delimiters.get(row), limit)
        else {
            out.append_null();
            continue;
        };
        if delimiter.is_empty() {
            return exec_err!("split: the delimiter of '{text}' is empty");
        }
        if limit < 1 {
            return exec_err!("split: the limit must be positive, not {limit}");
        }
        for part in text.splitn(usize::try_from(limit).unwrap_or(usize::MAX), delimiter) {
            out.values().append_value(part);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

/// NULL beyond the last field, where DataFusion's own returns empty text.
fn split_part(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, delimiters, indexes) = (call.text(0)?, call.text(1)?, call.ints(2)?);
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 8);
    for row in 0..call.rows {
        let (Some(text), Some(delimiter), Some(index)) =
            (texts.get(row), delimiters.get(row), indexes.get(row))
        else {
            out.append_null();
            continue;
        };
        let Some(skip) = index.checked_sub(1).and_then(|i| usize::try_from(i).ok()) else {
            return exec_err!("split_part: the index must be greater than zero, not {index}");
        };
        if delimiter.is_empty() {
            // Without a delimiter every character is a field, as in Trino.
            let field = text
                .char_indices()
                .nth(skip)
                .map(|(i, c)| &text[i..i + c.len_utf8()]);
            out.append_option(field);
        } else {
            out.append_option(text.split(delimiter).nth(skip));
        }
    }
    Ok(Arc::new(out.finish()))
}

fn codepoint(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(text) = texts.get(row) else {
            out.push(None);
            continue;
        };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            // A char is at most 0x10FFFF.
            (Some(c), None) => out.push(Some(c as i32)),
            _ => return exec_err!("codepoint: '{text}' is not a single character"),
        }
    }
    Ok(Arc::new(Int32Array::from(out)))
}

fn hamming_distance(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(a), Some(b)) = (left.get(row), right.get(row)) else {
            out.push(None);
            continue;
        };
        let (mut a_chars, mut b_chars) = (a.chars(), b.chars());
        let mut distance = 0_i64;
        loop {
            match (a_chars.next(), b_chars.next()) {
                (Some(x), Some(y)) => distance += i64::from(x != y),
                (None, None) => break,
                _ => {
                    return exec_err!(
                        "hamming_distance: '{a}' and '{b}' do not have the same length"
                    );
                }
            }
        }
        out.push(Some(distance));
    }
    Ok(Arc::new(Int64Array::from(out)))
}
