//! CSV, with nested columns as JSON text, and choices as the values that they have.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, RecordBatch, StringArray, StringBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use mastic_schema::choice::alternatives;
use mastic_schema::plain::PlainChoices;

use super::super::options::OutputOptions;
use super::compress::Compressor;
use super::csv_marks::write_marked;

/// Timestamps in CSV, as Hive and Athena read them (`yyyy-MM-dd HH:mm:ss[.f…]`): they do not take
/// the `T` of ISO 8601.
pub(super) const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
pub(super) const TIMESTAMP_TZ: &str = "%Y-%m-%d %H:%M:%S%.f%:z";

/// Writes a batch; `before` rows of the file come before it.
pub(super) fn write_csv(
    options: &OutputOptions,
    header: bool,
    batch: &RecordBatch,
    before: u64,
    out: &mut Compressor,
) -> Result<()> {
    let batch = nested_to_json(batch)?;
    match (options.quote, options.escape) {
        (Some(quote), None) => csv::WriterBuilder::new()
            .with_header(header)
            .with_delimiter(options.delimiter)
            .with_quote(quote)
            .with_null(options.null.clone())
            .with_timestamp_format(TIMESTAMP.to_owned())
            .with_timestamp_tz_format(TIMESTAMP_TZ.to_owned())
            .build(out)
            .write(&batch)?,
        _ => write_marked(options, header, &batch, before, out)?,
    }
    Ok(())
}

/// Columns that CSV cannot hold, as JSON text.
fn nested_to_json(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch
        .schema_ref()
        .fields()
        .iter()
        .any(|f| f.data_type().is_nested())
    {
        return Ok(batch.clone());
    }
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if !field.data_type().is_nested() {
                return Ok((field.clone(), column.clone()));
            }
            let text = match alternatives(field.data_type()) {
                Some(all) => choice_text(all, column)?,
                None => json_text(field, column)?,
            };
            let field = Field::new(field.name(), DataType::Utf8, true);
            Ok((Arc::new(field), Arc::new(text) as ArrayRef))
        })
        .collect::<Result<Vec<_>, ArrowError>>()?
        .into_iter()
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// The value of each choice: a plain one as a cell has it, a nested one as JSON text.
fn choice_text(all: &Fields, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let Some(own) = column.as_struct_opt() else {
        let message = format!("{} is no choice", column.data_type());
        return Err(ArrowError::SchemaError(message));
    };
    let nested = all.iter().zip(own.columns()).map(|(field, column)| {
        if field.data_type().is_nested() {
            json_text(field, column).map(|text| Arc::new(text) as ArrayRef)
        } else {
            Ok(column.clone())
        }
    });
    let columns: Vec<ArrayRef> = nested.collect::<Result<_, _>>()?;
    let format = FormatOptions::default()
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(TIMESTAMP_TZ));
    let mut shown = Vec::with_capacity(columns.len());
    for column in &columns {
        let nulls = column.logical_nulls();
        shown.push((nulls, ArrayFormatter::try_new(column.as_ref(), &format)?));
    }
    let mut text = StringBuilder::with_capacity(own.len(), own.len() * 16);
    let mut one = String::new();
    for row in 0..own.len() {
        let there = |nulls: &Option<NullBuffer>| nulls.as_ref().is_none_or(|n| n.is_valid(row));
        let value = shown.iter().find(|(nulls, _)| there(nulls));
        match value.filter(|_| own.is_valid(row)) {
            Some((_, value)) => {
                one.clear();
                value.value(row).write(&mut one)?;
                text.append_value(&one);
            }
            None => text.append_null(),
        }
    }
    Ok(text.finish())
}

fn json_text(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = EncoderOptions::default().with_encoder_factory(Arc::new(PlainChoices));
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut text = BinaryBuilder::with_capacity(column.len(), column.len() * 32);
    let mut one = Vec::new();
    for row in 0..column.len() {
        if encoder.is_null(row) {
            text.append_null();
            continue;
        }
        one.clear();
        encoder.encode(row, &mut one);
        text.append_value(&one);
    }
    StringArray::try_from_binary(text.finish())
}
