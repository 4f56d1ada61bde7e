//! CSV and its kin: any one-byte delimiter, quoted or not, with or without a header.

mod dialect;
mod forced;
mod rows;

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Fields, SchemaRef};
use mastic_schema::names::column_names;

pub use self::dialect::CsvOptions;
pub(super) use self::dialect::{problem, sniff};
pub(super) use self::forced::{Forced, sniff_with};
use self::rows::Rows;
use super::columns::{Column, Misfit};
use super::{Decode, Inference, Limits};
use crate::error::{LakeError, Result};
use crate::infer::{Choices, Node};

/// How many rows are held at once while a schema is inferred.
const INFER_ROWS: usize = 1024;

fn bad(file: &str, line: u64, message: impl Into<String>) -> LakeError {
    LakeError::Data {
        file: file.to_owned(),
        line: Some(line),
        column: None,
        message: message.into(),
    }
}

/// Watches every row up to the limits. The options' null markers are set to those that the
/// columns themselves tell of.
pub(super) fn infer(
    file: &str,
    reader: impl Read,
    options: &mut CsvOptions,
    limits: &Limits,
) -> Result<Inference> {
    let mut rows = Rows::new(reader, options);
    let mut header: Vec<String> = Vec::new();
    if options.header && rows.read(file, 1)? > 0 {
        header = rows.row(0).map(str::to_owned).collect();
    }
    let mut root = Node::default();
    let mut nodes: Vec<Node> = vec![Node::default(); header.len()];
    let mut count = 0u64;
    let mut complete = true;
    loop {
        if rows.bytes() >= limits.bytes {
            complete = false;
            break;
        }
        if rows.read(file, INFER_ROWS)? == 0 {
            break;
        }
        for row in 0..rows.len() {
            if rows.same_as(row, &header) {
                // A file appended to another brings its header along.
                continue;
            }
            count += 1;
            let line = rows.line(row);
            for (i, cell) in rows.row(row).enumerate() {
                if i == nodes.len() {
                    nodes.push(Node::default());
                }
                nodes[i].see_text(line, cell.trim());
            }
        }
    }
    let markers: BTreeSet<String> = nodes
        .iter()
        .flat_map(Node::telling_markers)
        .map(str::to_owned)
        .collect();
    options.null_markers = markers.into_iter().collect();

    // A row longer than the header is a ragged row, unless all it has more is empty.
    let named = header.len();
    if options.header && nodes.len() > named {
        let extra = nodes[named..]
            .iter()
            .position(|n| !n.sightings().is_empty());
        if extra.is_none() {
            nodes.truncate(named);
        }
    }
    header.resize(nodes.len(), String::new());
    let names = column_names(header.iter().map(String::as_str));
    let fields: Fields = names
        .iter()
        .zip(&nodes)
        .map(|(name, node)| {
            Field::new(
                name,
                node.data_type(&options.null_markers, Choices::default()),
                true,
            )
        })
        .collect();
    for (name, node) in names.iter().zip(nodes) {
        *root.field(name) = node;
    }
    Ok(Inference {
        fields,
        rows: count,
        bytes: rows.bytes(),
        complete,
        node: Some(root),
    })
}

/// Rows as batches of the wanted columns, bound to the header by name.
pub(super) struct Decoder<R> {
    file: String,
    rows: Rows<R>,
    options: CsvOptions,
    decode: Decode,
    schema: SchemaRef,
    columns: Vec<Column>,
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
    pub(super) fn new(reader: R, options: &CsvOptions, decode: &Decode) -> Result<Self> {
        let schema = Arc::new(decode.schema.project(&decode.projection)?);
        let columns = schema
            .fields()
            .iter()
            .map(|f| Column::new(f.data_type(), false))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|m| LakeError::data(&decode.file, m.to_string()))?;
        Ok(Decoder {
            file: decode.file.clone(),
            rows: Rows::new(reader, options),
            options: options.clone(),
            decode: decode.clone(),
            schema,
            columns,
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
            self.binding = self.decode.projection.iter().map(|i| Some(*i)).collect();
            self.width = table.len();
            return Ok(());
        }
        if self.rows.read(&self.file, 1)? == 0 {
            self.done = true;
            return Ok(());
        }
        self.header = self.rows.row(0).map(str::to_owned).collect();
        // Values beyond the header belong to the columns that inference named by their position.
        let mut written = self.header.clone();
        written.resize(self.header.len().max(table.len()), String::new());
        let names = column_names(written.iter().map(String::as_str));
        let taken: Vec<Option<usize>> = names
            .iter()
            .map(|name| mastic_schema::merge::position(table, name))
            .collect();
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
        if self.done || self.rows.read(&self.file, self.decode.batch_size)? == 0 {
            self.done = true;
            return Ok(None);
        }
        let repeated: Vec<bool> = (0..self.rows.len())
            .map(|row| self.rows.same_as(row, &self.header))
            .collect();
        let kept = repeated.iter().filter(|r| !**r).count();
        self.check_lengths(&repeated)?;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (i, column) in self.columns.iter_mut().enumerate() {
            let text = column.is_text();
            for row in (0..self.rows.len()).filter(|row| !repeated[*row]) {
                let cell = self.binding[i]
                    .and_then(|at| self.rows.cell(row, at))
                    .unwrap_or_default();
                let trimmed = cell.trim();
                // Blanks are text in a column of text, and nothing in any other.
                let shown = if text { cell } else { trimmed };
                if shown.is_empty() || self.options.null_markers.iter().any(|m| m == shown) {
                    column.append_null();
                    continue;
                }
                let appended = column.append_text(shown);
                if let Err(misfit) = appended {
                    let line = self.rows.line(row);
                    let name = self.schema.field(i).name();
                    let message = match misfit {
                        Misfit::Value { wanted, found } => {
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

    /// A row with more values than columns has lost its shape: which value belongs where?
    fn check_lengths(&self, repeated: &[bool]) -> Result<()> {
        let width = self.width;
        for row in (0..self.rows.len()).filter(|row| !repeated[*row]) {
            let length = self.rows.width(row);
            if length > width
                && self
                    .rows
                    .row(row)
                    .skip(width)
                    .any(|cell| !cell.trim().is_empty())
            {
                return Err(bad(
                    &self.file,
                    self.rows.line(row),
                    format!("the row has {length} values, and there are {width} columns"),
                ));
            }
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
