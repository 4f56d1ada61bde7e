//! CSV, with nested columns as JSON text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryBuilder, RecordBatch, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use datafusion::error::Result;

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
            let text = json_text(field, column)?;
            let field = Field::new(field.name(), DataType::Utf8, true);
            Ok((Arc::new(field), Arc::new(text) as ArrayRef))
        })
        .collect::<Result<Vec<_>, ArrowError>>()?
        .into_iter()
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn json_text(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = EncoderOptions::default();
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
