//! CSV with an escape, or without quotes.
//!
//! The writer of the `csv` crate escapes quotes but not the escape itself, so that a cell that ends with one
//! swallows its own closing quote; and without quotes it writes cells that are read back as several.

use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::{DataFusionError, Result};

use super::super::options::OutputOptions;
use super::compress::Compressor;
use super::csv::{TIMESTAMP, TIMESTAMP_TZ};

/// Text is handed on in pieces of about this size.
const PIECE: usize = 64 * 1024;

struct Marks {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    /// The bytes that a cell cannot hold as they are.
    special: [bool; 256],
}

impl Marks {
    fn new(options: &OutputOptions) -> Self {
        // An escape that is the quote itself is the quote doubled.
        let escape = options.escape.filter(|e| options.quote != Some(*e));
        let mut special = [false; 256];
        let bytes = [options.delimiter, b'\n', b'\r'].into_iter();
        for byte in bytes.chain(options.quote).chain(escape) {
            special[usize::from(byte)] = true;
        }
        Marks {
            delimiter: options.delimiter,
            quote: options.quote,
            escape,
            special,
        }
    }

    /// Whether a text can stand as it is, outside quotes.
    fn is_bare(&self, text: &str) -> bool {
        let ends = |byte| byte == self.delimiter || byte == b'\n' || byte == b'\r';
        !text.is_empty()
            && !text.bytes().any(ends)
            && text.bytes().next() != self.quote
            && text.bytes().last() != self.escape
    }

    /// Adds a cell to the line; where that is impossible, the character that does not fit.
    fn cell(&self, cell: &str, alone: bool, line: &mut Vec<u8>) -> std::result::Result<(), char> {
        let plain = !cell.bytes().any(|byte| self.special[usize::from(byte)]);
        match (self.quote, self.escape) {
            // A line of nothing would be no row.
            (None, _) if alone && cell.is_empty() => Err('\n'),
            _ if plain && !(alone && cell.is_empty()) => {
                line.extend_from_slice(cell.as_bytes());
                Ok(())
            }
            (Some(quote), escape) => {
                line.push(quote);
                for byte in cell.bytes() {
                    if byte == quote || Some(byte) == escape {
                        line.push(escape.unwrap_or(quote));
                    }
                    line.push(byte);
                }
                line.push(quote);
                Ok(())
            }
            (None, Some(escape)) => {
                for byte in cell.bytes() {
                    // Readers cut lines before they look at cells.
                    if byte == b'\n' || byte == b'\r' {
                        return Err(char::from(byte));
                    }
                    if self.special[usize::from(byte)] {
                        line.push(escape);
                    }
                    line.push(byte);
                }
                Ok(())
            }
            (None, None) => Err(cell
                .chars()
                .find(|c| u8::try_from(*c).is_ok_and(|b| self.special[usize::from(b)]))
                .unwrap_or('\n')),
        }
    }
}

/// Writes a batch without nested columns; `before` rows of the file come before it.
///
/// # Errors
/// When a value cannot be told from what stands around it, with its row and column.
pub(super) fn write_marked(
    options: &OutputOptions,
    header: bool,
    batch: &RecordBatch,
    before: u64,
    out: &mut Compressor,
) -> Result<()> {
    let marks = Marks::new(options);
    let format = FormatOptions::new()
        .with_null(&options.null)
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(TIMESTAMP_TZ));
    let schema = batch.schema_ref();
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &format))
        .collect::<std::result::Result<_, _>>()?;
    let alone = columns.len() == 1;
    let nulls: Vec<_> = batch.columns().iter().map(|c| c.logical_nulls()).collect();
    // What stands for NULL has no escapes: `\N` is how Hive knows it.
    let bare_null = marks.is_bare(&options.null);
    let mut text = Vec::with_capacity(2 * PIECE);
    if header {
        for (at, field) in schema.fields().iter().enumerate() {
            if at > 0 {
                text.push(marks.delimiter);
            }
            marks
                .cell(field.name(), alone, &mut text)
                .map_err(|c| misfit(options, c, "the header", field.name()))?;
        }
        text.push(b'\n');
    }
    let mut cell = String::new();
    for row in 0..batch.num_rows() {
        for (at, (column, field)) in columns.iter().zip(schema.fields()).enumerate() {
            if at > 0 {
                text.push(marks.delimiter);
            }
            let null = nulls.get(at).and_then(Option::as_ref);
            if bare_null && null.is_some_and(|nulls| nulls.is_null(row)) {
                text.extend_from_slice(options.null.as_bytes());
                continue;
            }
            cell.clear();
            column.value(row).write(&mut cell)?;
            marks.cell(&cell, alone, &mut text).map_err(|c| {
                let row = before + row as u64 + 1;
                misfit(options, c, &format!("row {row}"), field.name())
            })?;
        }
        text.push(b'\n');
        if text.len() >= PIECE {
            out.write_all(&text)?;
            text.clear();
        }
    }
    Ok(out.write_all(&text)?)
}

fn misfit(options: &OutputOptions, c: char, place: &str, column: &str) -> DataFusionError {
    let what = match c {
        '\n' => "an end of a line, or nothing in a line of its own".to_owned(),
        '\r' => "an end of a line".to_owned(),
        _ => format!("'{}'", c.escape_debug()),
    };
    let instead = match options.escape {
        Some(_) => "give a quote",
        None => "give a quote or an escape, or another delimiter",
    };
    DataFusionError::Execution(format!(
        "{place} of the file has {what} in column '{column}', which CSV without quotes cannot hold; {instead}, or write another format"
    ))
}
