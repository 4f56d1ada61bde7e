//! What rows become: batches of the wanted columns, bound to a file's header by name.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use mastic_schema::names::column_names;

use super::CsvOptions;
use super::grid::Grid;
use crate::error::{LakeError, Result};
use crate::format::Decode;
use crate::format::columns::{BLOCK, Column, Misfit};
use crate::value::DateOrder;

/// The texts that stand for null in a column.
#[derive(Debug)]
struct Nulls {
    markers: Vec<String>,
    /// The bytes that markers begin with: most cells begin with none of them.
    first: [bool; 256],
    /// The bytes that neither a marker nor blanks around one begin with.
    plain: [bool; 256],
}

impl Nulls {
    fn of(markers: Vec<String>) -> Nulls {
        let mut first = [false; 256];
        for byte in markers.iter().filter_map(|m| m.as_bytes().first()) {
            first[usize::from(*byte)] = true;
        }
        let mut plain = [false; 256];
        for (byte, plain) in (0..=u8::MAX).zip(&mut plain) {
            *plain = byte > b' ' && byte < 0x7f && !first[usize::from(byte)];
        }
        Nulls {
            markers,
            first,
            plain,
        }
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

/// The wanted columns of a table, and where a file has them. Several threads may fill columns of it.
#[derive(Debug)]
pub(super) struct Target {
    file: String,
    /// All columns of the table that are kept in files.
    table: SchemaRef,
    /// Which of them are wanted.
    projection: Vec<usize>,
    /// The wanted ones.
    schema: SchemaRef,
    batch_size: usize,
    date_order: Option<DateOrder>,
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
}

impl Target {
    /// The wanted columns, before the file's header is known.
    pub(super) fn new(options: &CsvOptions, decode: &Decode) -> Result<Self> {
        let schema = Arc::new(decode.schema.project(&decode.projection)?);
        let all = [options.null_markers.as_slice(), &options.text_nulls].concat();
        let literal = schema
            .fields()
            .iter()
            .map(|f| options.is_literal(f.name()))
            .collect();
        Ok(Target {
            file: decode.file.clone(),
            table: decode.schema.clone(),
            projection: decode.projection.clone(),
            schema,
            batch_size: decode.batch_size,
            date_order: options.date_order,
            nulls: [Nulls::of(options.text_nulls.clone()), Nulls::of(all)],
            literal,
            header: Vec::new(),
            binding: Vec::new(),
            width: 0,
        })
    }

    /// How many rows a batch has at most.
    pub(super) fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The file's name in messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Binds columns by their place: the file has no header.
    pub(super) fn bind_by_place(&mut self) {
        self.binding = self.projection.iter().map(|i| Some(*i)).collect();
        self.width = self.table.fields().len();
    }

    /// Binds columns to the header, which stands in `line`.
    ///
    /// # Errors
    /// When the header has none of the table's columns.
    pub(super) fn bind(&mut self, header: Vec<String>, line: u64) -> Result<()> {
        self.header = header;
        let table = self.table.fields();
        // Values beyond the header belong to the columns that inference named by their position.
        let mut written = self.header.clone();
        written.resize(self.header.len().max(table.len()), String::new());
        let names = column_names(written.iter().map(String::as_str));
        let taken: Vec<Option<usize>> = names
            .iter()
            .map(|name| mastic_schema::merge::position(table, name))
            .collect();
        if taken.iter().all(Option::is_none) && !table.is_empty() {
            // Rows of nulls would hide that the file is another table's, or in another dialect.
            let shown: Vec<&str> = self.header.iter().take(5).map(String::as_str).collect();
            return Err(self.bad(line, format!(
                "the header has none of the table's columns ({}): the file is another table's, or has another delimiter",
                shown.join(", ")
            )));
        }
        let known = taken
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        self.width = self.header.len().max(known);
        self.binding = self
            .projection
            .iter()
            .map(|wanted| {
                let exact = names.iter().position(|n| n == table[*wanted].name());
                exact.or_else(|| taken.iter().position(|t| *t == Some(*wanted)))
            })
            .collect();
        Ok(())
    }

    fn bad(&self, line: u64, message: impl Into<String>) -> LakeError {
        LakeError::Data {
            file: self.file.clone(),
            line: Some(line),
            column: None,
            message: message.into(),
        }
    }

    /// Empty columns to fill.
    ///
    /// # Errors
    /// When a column's type is one that text cannot fill.
    pub(super) fn columns(&self) -> Result<Vec<Column>> {
        let fields = self.schema.fields().iter();
        fields
            .map(|f| Ok(Column::new(f.data_type(), false)?.with_date_order(self.date_order)))
            .collect::<Result<Vec<_>, Misfit>>()
            .map_err(|m| LakeError::data(&self.file, m.to_string()))
    }

    /// A batch of some rows of a grid, made in `columns`, which are empty before and after.
    ///
    /// # Errors
    /// When a cell does not fit its column, or a row has more values than there are columns.
    pub(super) fn batch(
        &self,
        columns: &mut [Column],
        grid: &impl Grid,
        rows: Range<usize>,
    ) -> Result<RecordBatch> {
        // A file appended to another brings its header along: rows come in runs between headers.
        let mut runs = Vec::new();
        let mut from = rows.start;
        for row in rows.clone() {
            if grid.same_as(row, &self.header) {
                runs.push(from..row);
                from = row + 1;
            }
        }
        runs.push(from..rows.end);
        let kept = runs.iter().map(ExactSizeIterator::len).sum();
        for row in runs.iter().cloned().flatten() {
            self.check_length(grid, row)?;
        }
        for run in runs {
            let mut from = run.start;
            // A block of text that is in the processor's cache, column by column.
            while from < run.end {
                let to = run.end.min(from + BLOCK);
                for (i, column) in columns.iter_mut().enumerate() {
                    self.fill(i, column, grid, from..to)?;
                }
                from = to;
            }
        }
        let arrays = columns
            .iter_mut()
            .map(Column::finish)
            .collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(kept));
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            arrays,
            &options,
        )?)
    }

    /// A row with more values than columns has lost its shape: which value belongs where?
    fn check_length(&self, grid: &impl Grid, row: usize) -> Result<()> {
        let (length, width) = (grid.width(row), self.width);
        let filled = |column| {
            let cell = grid.cell(row, column);
            cell.is_some_and(|c| !c.trim().is_empty())
        };
        if length > width && (width..length).any(filled) {
            return Err(self.bad(
                grid.line(row),
                format!("the row has {length} values, and there are {width} columns"),
            ));
        }
        Ok(())
    }

    /// Fills one column with the cells of some rows.
    fn fill(
        &self,
        number: usize,
        column: &mut Column,
        grid: &impl Grid,
        rows: Range<usize>,
    ) -> Result<()> {
        let Some(at) = self.binding[number] else {
            rows.for_each(|_| column.append_null());
            return Ok(());
        };
        let plain = &self.nulls_of(number, column).plain;
        let mut row = rows.start;
        while row < rows.end {
            row += column.append_plain(plain, (row..rows.end).map(|row| grid.cell(row, at)));
            if row < rows.end {
                let text = grid.cell(row, at).unwrap_or_default();
                self.append_odd(number, column, text, || grid.line(row))?;
                row += 1;
            }
        }
        Ok(())
    }

    fn nulls_of(&self, number: usize, column: &Column) -> &Nulls {
        &self.nulls[usize::from(!(column.is_text() && self.literal[number]))]
    }

    /// Appends a cell that is not what most are: one that is empty or a null marker, has blanks around
    /// it, is written in one of the rarer ways that its type has, or does not fit its column.
    fn append_odd(
        &self,
        number: usize,
        column: &mut Column,
        text: &str,
        line: impl FnOnce() -> u64,
    ) -> Result<()> {
        let nulls = self.nulls_of(number, column);
        let is_text = column.is_text();
        // Blanks are text in a column of text, and nothing in any other.
        let shown = if is_text { text } else { text.trim() };
        // A marker stands between blanks, too; a text of blanks alone is one.
        if nulls.has(shown) || is_text && shown.len() > 1 && nulls.has_within(shown) {
            column.append_null();
            return Ok(());
        }
        column
            .append_text(shown)
            .map_err(|misfit| self.misfit(number, line(), misfit))
    }

    /// What is said of a cell in `line` that does not fit its column.
    fn misfit(&self, number: usize, line: u64, misfit: Misfit) -> LakeError {
        let name = self.schema.field(number).name();
        let message = match misfit {
            Misfit::Value { wanted, found } => {
                format!("{found} in column '{name}' is no {wanted}")
            }
            other => format!("column '{name}': {other}"),
        };
        self.bad(line, message)
    }
}
