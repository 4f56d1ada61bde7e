//! One record of CSV to a struct of plain values.
//!
//! The options are those of Glue's `unbox`: `separator`, `quote`, `escaper`, `skipFirst`, `withHeader`.
//! With a header fields go by their names, else by their places. An empty field is NULL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, StringBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Fields};
use csv_core::{ReadRecordResult, ReaderBuilder};
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use mastic_schema::hive::format_type;
use serde::Deserialize;

use super::rows::{Parsed, cut};
use crate::args::Text;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    separator: String,
    /// No quotes where it is empty.
    quote: String,
    escaper: Option<String>,
    #[serde(rename = "skipFirst")]
    skip_first: bool,
    #[serde(rename = "withHeader")]
    with_header: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            separator: ",".to_owned(),
            quote: "\"".to_owned(),
            escaper: None,
            skip_first: false,
            with_header: false,
        }
    }
}

impl Options {
    pub(super) fn of(name: &str, json: Option<&str>) -> Result<Self> {
        json.map_or_else(
            || Ok(Self::default()),
            |json| {
                serde_json::from_str(json)
                    .map_err(|error| plan_datafusion_err!("{name}: bad options: {error}"))
            },
        )
    }
}

fn byte(name: &str, what: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => plan_err!("{name}: the {what} must be one character of ASCII, not '{text}'"),
    }
}

/// The header and the record of a text, read by these options (as JSON); nothing where it is not one record.
pub fn csv_record(text: &str, options: &str) -> Option<(Option<Vec<String>>, Vec<String>)> {
    let options = Options::of("csv", Some(options)).ok()?;
    let csv = Csv::of("csv", DataType::Struct(Fields::empty()), options).ok()?;
    let (header, record) = csv.apart(text).ok()?;
    Some((header, record))
}

pub(super) struct Csv {
    fields: Fields,
    separator: u8,
    quote: Option<u8>,
    escaper: Option<u8>,
    skip_first: bool,
    with_header: bool,
}

impl Csv {
    pub(super) fn of(name: &str, data_type: DataType, options: Options) -> Result<Self> {
        let DataType::Struct(fields) = data_type else {
            let found = format_type(&data_type);
            return plan_err!("{name}: a record of CSV is a struct, not {found}");
        };
        if let Some(deep) = fields.iter().find(|f| f.data_type().is_nested()) {
            let found = format_type(deep.data_type());
            return plan_err!(
                "{name}: CSV cannot hold '{}', which is {found}",
                deep.name()
            );
        }
        let quote = match options.quote.as_str() {
            "" | "-1" => None,
            quote => Some(byte(name, "quote", quote)?),
        };
        let escaper = options.escaper.as_deref().filter(|e| !e.is_empty());
        Ok(Self {
            fields,
            separator: byte(name, "separator", &options.separator)?,
            quote,
            escaper: escaper.map(|e| byte(name, "escaper", e)).transpose()?,
            skip_first: options.skip_first,
            with_header: options.with_header,
        })
    }

    pub(super) fn data_type(&self) -> DataType {
        DataType::Struct(self.fields.clone())
    }

    pub(super) fn parse(&self, texts: &Text<'_>, rows: usize) -> Result<Parsed> {
        let mut reasons = BTreeMap::new();
        let mut there = vec![false; rows];
        let mut columns: Vec<StringBuilder> = Vec::new();
        columns.resize_with(self.fields.len(), StringBuilder::new);
        for (row, there) in there.iter_mut().enumerate() {
            let text = texts.get(row).filter(|t| !t.trim().is_empty());
            let values = match text.map(|text| self.record(text)) {
                None => None,
                Some(Ok(values)) => Some(values),
                Some(Err(reason)) => {
                    reasons.insert(row, reason);
                    None
                }
            };
            *there = values.is_some();
            for (at, column) in columns.iter_mut().enumerate() {
                let value = values.as_ref().and_then(|v| v.get(at)?.as_deref());
                column.append_option(value);
            }
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        for (field, mut column) in self.fields.iter().zip(columns) {
            let texts = column.finish();
            let array = values_of(&texts, field.data_type())?;
            for row in (0..rows).filter(|row| texts.is_valid(*row) && array.is_null(*row)) {
                let (value, kind) = (cut(texts.value(row)), format_type(field.data_type()));
                reasons
                    .entry(row)
                    .or_insert_with(|| format!("'{value}' in field {} is no {kind}", field.name()));
            }
            arrays.push(array);
        }
        let valid = there
            .iter()
            .enumerate()
            .map(|(row, there)| *there && !reasons.contains_key(&row));
        let nulls: NullBuffer = valid.collect();
        let values =
            StructArray::try_new_with_length(self.fields.clone(), arrays, Some(nulls), rows)?;
        Ok(Parsed {
            values: Arc::new(values),
            reasons,
        })
    }

    /// The header, where there is one, and the one record.
    fn apart(&self, text: &str) -> std::result::Result<(Option<Vec<String>>, Vec<String>), String> {
        let mut records = self.split(text).into_iter();
        if self.skip_first {
            records.next();
        }
        let header = if self.with_header {
            records.next()
        } else {
            None
        };
        let Some(record) = records.next() else {
            return Err(format!("'{}' holds no record", cut(text)));
        };
        if records.next().is_some() {
            return Err(format!("'{}' holds more than one record", cut(text)));
        }
        Ok((header, record))
    }

    /// The fields' values in the order of the type.
    fn record(&self, text: &str) -> std::result::Result<Vec<Option<String>>, String> {
        let (header, mut record) = self.apart(text)?;
        let wanted = header.as_ref().map_or(self.fields.len(), Vec::len);
        if record.len() != wanted {
            let found = record.len();
            return Err(format!(
                "'{}' has {found} fields where {wanted} are expected",
                cut(text)
            ));
        }
        let mut take = |at: Option<usize>| {
            let value = at.and_then(|at| record.get_mut(at)).map(std::mem::take);
            value.filter(|v| !v.is_empty())
        };
        Ok(match header {
            None => (0..wanted).map(|at| take(Some(at))).collect(),
            Some(header) => {
                let names: Vec<&str> = header.iter().map(|h| h.trim()).collect();
                let place = |wanted: &str| {
                    let exact = names.iter().position(|name| *name == wanted);
                    exact.or_else(|| names.iter().position(|n| n.eq_ignore_ascii_case(wanted)))
                };
                let places = self.fields.iter().map(|f| place(f.name()));
                places.map(take).collect()
            }
        })
    }

    /// The records of a text; lines without anything are none.
    fn split(&self, text: &str) -> Vec<Vec<String>> {
        let mut reader = ReaderBuilder::new()
            .delimiter(self.separator)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .escape(self.escaper)
            .build();
        // The buffers hold all that a text of this length can have, so they are never too small.
        let mut out = vec![0; text.len() + 1];
        let mut ends = vec![0; text.len() + 2];
        let (mut written, mut ended) = (0, 0);
        let mut records = Vec::new();
        let mut input = text.as_bytes();
        // A skipped line, a header, a record, and what is too much.
        while records.len() < 4 {
            let (Some(room), Some(marks)) = (out.get_mut(written..), ends.get_mut(ended..)) else {
                break;
            };
            let (result, read, bytes, fields) = reader.read_record(input, room, marks);
            input = input.get(read..).unwrap_or_default();
            written += bytes;
            ended += fields;
            match result {
                ReadRecordResult::InputEmpty => continue,
                ReadRecordResult::Record => {}
                _ => break,
            }
            let mut start = 0;
            let mut record = Vec::with_capacity(ended);
            for end in ends.iter().take(ended) {
                let field = out.get(start..*end).unwrap_or_default();
                record.push(String::from_utf8_lossy(field).into_owned());
                start = *end;
            }
            records.push(record);
            (written, ended) = (0, 0);
        }
        records
    }
}

/// The texts as values of the type; NULL where one is no such value.
fn values_of(texts: &StringArray, data_type: &DataType) -> Result<ArrayRef> {
    let safe = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    if data_type.is_string() {
        return Ok(cast_with_options(texts, data_type, &safe)?);
    }
    let trimmed: StringArray = texts.iter().map(|t| t.map(str::trim)).collect();
    Ok(cast_with_options(&trimmed, data_type, &safe)?)
}
