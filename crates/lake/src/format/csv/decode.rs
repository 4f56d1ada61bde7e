//! Rows as batches of the wanted columns, bound to the header by name.

use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use mastic_schema::names::column_names;

use super::CsvOptions;
use super::frame::{self, Aside};
use super::rows::Rows;
use crate::error::{LakeError, Result};
use crate::format::Decode;
use crate::format::columns::{Column, Misfit, Reading};
use crate::format::frame::Wanted;

fn bad(file: &str, line: u64, message: impl Into<String>) -> LakeError {
    LakeError::Data {
        file: file.to_owned(),
        line: Some(line),
        column: None,
        message: message.into(),
    }
}

/// The texts that stand for null in a column.
struct Nulls {
    markers: Vec<String>,
    /// The bytes that markers begin with: most cells begin with none of them.
    first: [bool; 256],
}

impl Nulls {
    fn of(markers: Vec<String>) -> Nulls {
        let mut first = [false; 256];
        for byte in markers.iter().filter_map(|m| m.as_bytes().first()) {
            first[usize::from(*byte)] = true;
        }
        Nulls { markers, first }
    }

    fn has(&self, text: &str) -> bool {
        match text.as_bytes().first() {
            None => true,
            Some(byte) => self.first[usize::from(*byte)] && self.markers.iter().any(|m| m == text),
        }
    }

    /// Whether the text is a marker between blanks.
    fn has_within(&self, text: &str) -> bool {
        let bare = text.trim();
        bare.len() < text.len() && !bare.is_empty() && self.has(bare)
    }
}

/// Decodes a file.
pub(in crate::format) struct Decoder<R> {
    file: String,
    rows: Rows<R>,
    options: CsvOptions,
    decode: Decode,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// What is null in columns of text where markers are values, and in all others.
    nulls: [Nulls; 2],
    /// Whether each wanted column is one where markers are values.
    literal: Vec<bool>,
    /// The file's header as it is written.
    header: Vec<String>,
    /// For each wanted column, where the file has it.
    binding: Vec<Option<usize>>,
    /// How many values a row may have.
    width: usize,
    started: bool,
    done: bool,
}

impl<R: Read> Decoder<R> {
    pub(in crate::format) fn new(reader: R, options: &CsvOptions, decode: &Decode) -> Result<Self> {
        let schema = Arc::new(decode.schema.project(&decode.projection)?);
        let reading = Reading {
            frame: decode.frame.is_some(),
            ..Reading::default()
        };
        let columns = schema
            .fields()
            .iter()
            .map(|f| Ok(Column::new(f.data_type(), reading)?.with_date_order(options.date_order)))
            .collect::<Result<Vec<_>, Misfit>>()
            .map_err(|m| LakeError::data(&decode.file, m.to_string()))?;
        // A rare marker is a value in a frame.
        let markers: Vec<String> = match &decode.frame {
            Some(_) => options.common_markers().cloned().collect(),
            None => options.null_markers.clone(),
        };
        let all = [markers.as_slice(), &options.text_nulls].concat();
        let aside = decode.frame.clone().map(|to| Aside::new(&decode.file, to));
        let literal = schema
            .fields()
            .iter()
            .map(|f| options.is_literal(f.name()))
            .collect();
        Ok(Decoder {
            file: decode.file.clone(),
            rows: Rows::open(&decode.file, reader, options, false)?.with_aside(aside),
            options: options.clone(),
            decode: decode.clone(),
            schema,
            columns,
            nulls: [Nulls::of(options.text_nulls.clone()), Nulls::of(all)],
            literal,
            header: Vec::new(),
            binding: Vec::new(),
            width: 0,
            started: false,
            done: false,
        })
    }

    /// Reads the header, if the file has one, and binds the columns.
    fn start(&mut self) -> Result<()> {
        self.started = true;
        let table = self.decode.schema.fields();
        if !self.options.header {
            // By place among the columns that files have.
            let own: Vec<usize> = (0..table.len())
                .filter(|i| !self.decode.is_line(*i))
                .collect();
            let place = |wanted: &usize| own.iter().position(|i| i == wanted);
            self.binding = self.decode.projection.iter().map(place).collect();
            self.width = own.len();
            return Ok(());
        }
        let Some(header) = self.rows.header()? else {
            self.done = true;
            return Ok(());
        };
        self.header = header;
        // Values beyond the header belong to the columns that inference named by their position.
        let mut written = self.header.clone();
        written.resize(self.header.len().max(table.len()), String::new());
        let names = column_names(written.iter().map(String::as_str));
        let taken: Vec<Option<usize>> = names
            .iter()
            .map(|name| mastic_schema::merge::position(table, name))
            .map(|at| at.filter(|at| !self.decode.is_line(*at)))
            .collect();
        if taken.iter().all(Option::is_none) && !table.is_empty() {
            // Rows of nulls would hide that the file is another table's, or in another dialect.
            let shown: Vec<&str> = self.header.iter().take(5).map(String::as_str).collect();
            return Err(LakeError::Data {
                file: self.file.clone(),
                line: Some(self.rows.layout().line),
                column: None,
                message: format!(
                    "the header has none of the table's columns ({}): the file is another table's, or has another delimiter",
                    shown.join(", ")
                ),
            });
        }
        let known = taken
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        self.width = self.header.len().max(known);
        self.binding = self
            .decode
            .projection
            .iter()
            .map(|wanted| {
                if self.decode.is_line(*wanted) {
                    return None;
                }
                let exact = names.iter().position(|n| n == table[*wanted].name());
                exact.or_else(|| taken.iter().position(|t| *t == Some(*wanted)))
            })
            .collect();
        Ok(())
    }

    fn fill(&mut self) -> Result<Option<RecordBatch>> {
        if !self.started {
            self.start()?;
        }
        if self.done || self.rows.read(self.decode.batch_size)? == 0 {
            self.done = true;
            return Ok(None);
        }
        let mut repeated: Vec<bool> = (0..self.rows.len())
            .map(|row| self.rows.same_as(row, &self.header))
            .collect();
        self.check_lengths(&mut repeated)?;
        let kept = repeated.iter().filter(|r| !**r).count();
        let lines = Wanted::of(&self.decode).line;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (i, column) in self.columns.iter_mut().enumerate() {
            if lines == Some(i) {
                let rows = (0..self.rows.len()).filter(|row| !repeated[*row]);
                let lines = rows.map(|row| i64::try_from(self.rows.line(row)).ok());
                arrays.push(Arc::new(lines.collect::<Int64Array>()));
                continue;
            }
            let text = column.is_text();
            let nulls = &self.nulls[usize::from(!(text && self.literal[i]))];
            for row in (0..self.rows.len()).filter(|row| !repeated[*row]) {
                let cell = self.binding[i]
                    .and_then(|at| self.rows.cell(row, at))
                    .unwrap_or_default();
                // Blanks are text in a column of text, and nothing in any other.
                let shown = if text { cell } else { cell.trim() };
                // A marker stands between blanks, too; a text of blanks alone is one.
                if nulls.has(shown) || text && shown.len() > 1 && nulls.has_within(shown) {
                    column.append_null();
                    continue;
                }
                if self.decode.frame.is_some() {
                    let (line, name) = (self.rows.line(row), self.schema.field(i).name());
                    frame::append(column, cell, &self.file, line, name)?;
                    continue;
                }
                let appended = column.append_text(shown);
                if let Err(misfit) = appended {
                    let line = self.rows.line(row);
                    let name = self.schema.field(i).name();
                    let message = match misfit {
                        Misfit::Value { wanted, found, .. } => {
                            format!("{found} in column '{name}' is no {wanted}")
                        }
                        other => format!("column '{name}': {other}"),
                    };
                    return Err(bad(&self.file, line, message));
                }
            }
            arrays.push(column.finish()?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(kept));
        Ok(Some(RecordBatch::try_new_with_options(
            self.schema.clone(),
            arrays,
            &options,
        )?))
    }

    /// A row with more values than columns has lost its shape: which value belongs where? A frame sets it aside,
    /// and leaves it out with the rows that are `repeated`.
    fn check_lengths(&self, repeated: &mut [bool]) -> Result<()> {
        let width = self.width;
        for (row, repeated) in repeated.iter_mut().enumerate().filter(|(_, r)| !**r) {
            let length = self.rows.width(row);
            let line = self.rows.line(row);
            let aside = self.rows.aside();
            if aside.is_some_and(|aside| aside.is_left_out(line)) {
                *repeated = true;
                continue;
            }
            let mut beyond = self.rows.row(row).skip(width);
            if length <= width || beyond.all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let message = format!("the row has {length} values, and there are {width} columns");
            let Some(aside) = aside else {
                return Err(bad(&self.file, line, message));
            };
            let delimiter = char::from(self.options.delimiter).to_string();
            let cells: Vec<&str> = self.rows.row(row).collect();
            aside.set(line, &message, cells.join(&delimiter).as_bytes())?;
            *repeated = true;
        }
        Ok(())
    }
}

impl<R: Read> Iterator for Decoder<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.fill();
        if batch.is_err() {
            self.done = true;
        }
        batch.transpose()
    }
}
