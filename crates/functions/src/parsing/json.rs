//! JSON texts to values of a type, by arrow-json.
//!
//! Fields that the type lacks are passed over and those that the text lacks are NULL. A number or
//! boolean where text is wanted is its text; a text where a number is wanted is parsed. Anything
//! else that the type cannot hold is a mistake in that text.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use datafusion::common::Result;
use mastic_schema::hive::format_type;

use super::rows::{Parsed, cut, decode_all};
use crate::args::Text;

pub(crate) fn parse(texts: &Text<'_>, rows: usize, data_type: &DataType) -> Result<Parsed> {
    let there: Vec<usize> = (0..rows)
        .filter(|row| texts.get(*row).is_some_and(|t| !t.trim().is_empty()))
        .collect();
    let field = Field::new("value", data_type.clone(), true);
    decode_all(&there, rows, data_type, BTreeMap::new(), |part| {
        decode(part, texts, &field).map_err(|error| {
            let text = part.first().and_then(|row| texts.get(*row));
            let why = match error {
                ArrowError::JsonError(message) => message,
                other => other.to_string(),
            };
            format!(
                "'{}' is no JSON of {}: {why}",
                cut(text.unwrap_or_default()),
                format_type(data_type)
            )
        })
    })
}

fn decode(part: &[usize], texts: &Text<'_>, field: &Field) -> Result<ArrayRef, ArrowError> {
    let mut decoder = ReaderBuilder::new_with_field(field.clone())
        // One more, so that the decoder never stops by itself.
        .with_batch_size(part.len() + 1)
        .with_coerce_primitive(true)
        .build_decoder()?;
    let bad = |what: &str| Err(ArrowError::JsonError(what.to_owned()));
    for (count, row) in part.iter().enumerate() {
        let text = texts.get(*row).unwrap_or_default().as_bytes();
        // The line end closes a number, and nothing else.
        if decoder.decode(text)? != text.len() || decoder.decode(b"\n")? != 1 {
            return bad("it goes on behind the value");
        }
        if decoder.has_partial_record() {
            return bad("it ends within the value");
        }
        if decoder.len() != count + 1 {
            return bad("it is not one value");
        }
    }
    match decoder.flush()? {
        Some(batch) if batch.num_rows() == part.len() => Ok(batch.column(0).clone()),
        _ => bad("it is not one value"),
    }
}
