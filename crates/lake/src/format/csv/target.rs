//! What rows become: batches of the wanted columns, bound to a file's header by name.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use mastic_schema::names::column_names;

use super::CsvOptions;
use super::frame;
use super::grid::Grid;
use super::nested;
use crate::error::{LakeError, Result};
use crate::format::columns::{BLOCK, Column, Misfit, Reading};
use crate::format::frame::{Wanted, odd_reason, set_aside, without};
use crate::format::predicate::Predicate;
use crate::format::{AsFrame, Decode, Odd};
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

/// A row that is none, as a frame sets it aside.
#[derive(Debug)]
pub(super) struct BadRow {
    line: u64,
    reason: String,
    text: String,
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
    delimiter: u8,
    /// Whether an empty text is one, and cells beyond the columns are nothing.
    as_hive: bool,
    /// What stands between the parts of nested values, by level.
    nested: Vec<u8>,
    /// Where a frame's bad records go.
    frame: Option<AsFrame>,
    /// The table's columns that files have: all but the one of lines.
    own: Vec<usize>,
    /// Which wanted column is the one of lines.
    lines: Option<usize>,
    /// What a filter above will keep.
    predicate: Option<Predicate>,
}

impl Target {
    /// The wanted columns, before the file's header is known.
    pub(super) fn new(options: &CsvOptions, decode: &Decode) -> Result<Self> {
        let schema = Arc::new(decode.schema.project(&decode.projection)?);
        // A rare marker is a value in a frame.
        let markers: Vec<String> = match &decode.frame {
            Some(_) => options.common_markers().cloned().collect(),
            None => options.null_markers.clone(),
        };
        let all = [markers.as_slice(), &options.text_nulls].concat();
        let places = 0..decode.schema.fields().len();
        let lines = Wanted::of(decode).line;
        // Lines are no cells.
        let predicate = decode.predicate.as_ref();
        let predicate = predicate
            .and_then(|p| Predicate::new(p, &schema))
            .filter(|p| !lines.is_some_and(|at| p.columns().contains(&at)));
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
            delimiter: options.delimiter,
            as_hive: options.as_hive,
            nested: options.nested.clone(),
            frame: decode.frame.clone(),
            own: places.filter(|at| !decode.is_line(*at)).collect(),
            lines,
            predicate,
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
        let place = |wanted: &usize| self.own.iter().position(|at| at == wanted);
        self.binding = self.projection.iter().map(place).collect();
        self.width = self.own.len();
    }

    /// Whether what stands in the place of a header is a row: it names no column, has a cell for each, and those of columns
    /// that are no text are values of their types, of which there is one at least. A frame is told of a header that it
    /// does not know.
    pub(super) fn is_no_header(&self, cells: &[String]) -> bool {
        let table = self.table.fields();
        if self.frame.is_some() || cells.len() != self.own.len() {
            return false;
        }
        let names = column_names(cells.iter().map(String::as_str));
        let named = |name: &String| mastic_schema::merge::position(table, name).is_some();
        if names.iter().any(named) {
            return false;
        }
        let mut typed = false;
        for (cell, at) in cells.iter().zip(&self.own) {
            let Some(field) = table.get(*at) else {
                return false;
            };
            let cell = cell.trim();
            let text = matches!(
                field.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            );
            if text || cell.is_empty() {
                continue;
            }
            let value: ArrayRef = Arc::new(StringArray::from(vec![cell]));
            match cast(&value, field.data_type()) {
                Ok(value) if value.null_count() == 0 => typed = true,
                _ => return false,
            }
        }
        typed
    }

    /// Binds columns to the header, which stands in `line`.
    ///
    /// # Errors
    /// When the header has none of the table's columns, or, in a frame, one that nothing is known of.
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
            .map(|at| at.filter(|at| self.own.contains(at)))
            .collect();
        if taken.iter().all(Option::is_none) && !table.is_empty() {
            // Rows of nulls would hide that the file is another table's, or in another dialect.
            let shown: Vec<&str> = self.header.iter().take(5).map(String::as_str).collect();
            return Err(self.bad(line, format!(
                "the header has none of the table's columns ({}): the file is another table's, or has another delimiter",
                shown.join(", ")
            )));
        }
        if let Some(frame) = self.frame.as_ref().filter(|f| f.odd == Odd::Told) {
            let named = self.header.iter().zip(&names).zip(&taken);
            let mut unknown =
                named.filter(|((written, _), taken)| taken.is_none() && !written.trim().is_empty());
            if let Some(((written, _), _)) = unknown.find(|((_, name), _)| frame.is_odd(name)) {
                return Err(LakeError::UnknownKey {
                    file: self.file.clone(),
                    line: Some(line),
                    key: written.trim().to_owned(),
                });
            }
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
                if !self.own.contains(wanted) {
                    return None;
                }
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
        let reading = Reading {
            frame: self.frame.is_some(),
            ..Reading::default()
        };
        let fields = self.schema.fields().iter();
        fields
            .map(|f| Ok(Column::new(f.data_type(), reading)?.with_date_order(self.date_order)))
            .collect::<Result<Vec<_>, Misfit>>()
            .map_err(|m| LakeError::data(&self.file, m.to_string()))
    }

    /// A batch of some rows of a grid, made in `columns`, which are empty before and after. Rows whose line is
    /// `left_out` are passed over, and so are a frame's bad rows, which come back in `bad`.
    ///
    /// # Errors
    /// When a cell does not fit its column, or a row has more values than there are columns.
    pub(super) fn batch(
        &self,
        columns: &mut [Column],
        grid: &impl Grid,
        rows: Range<usize>,
        left_out: Option<&dyn Fn(u64) -> bool>,
        bad: &mut Vec<BadRow>,
    ) -> Result<RecordBatch> {
        // Rows come in runs between those that are passed over. A file appended to another brings its
        // header along.
        let mut runs = Vec::new();
        let mut from = rows.start;
        for row in rows.clone() {
            if grid.same_as(row, &self.header) || !self.is_row(grid, row, left_out, bad)? {
                runs.push(from..row);
                from = row + 1;
            }
        }
        runs.push(from..rows.end);
        let kept = runs.iter().map(ExactSizeIterator::len).sum();
        let mut odd = BTreeMap::new();
        columns.iter_mut().for_each(|column| column.reserve(kept));
        let first: &[usize] = match &self.predicate {
            Some(predicate) => predicate.columns(),
            None => &[],
        };
        self.fill_all(columns, first.iter().copied(), grid, &runs, None, &mut odd)?;
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; columns.len()];
        for at in first {
            arrays[*at] = Some(columns[*at].finish()?);
        }
        let wanted = self.predicate.as_ref().and_then(|predicate| {
            let known = first.iter().filter_map(|at| arrays[*at].clone());
            predicate.kept(known.collect(), kept)
        });
        let rest = (0..columns.len()).filter(|at| !first.contains(at) && self.lines != Some(*at));
        let wanted = wanted.as_ref();
        self.fill_all(columns, rest.clone(), grid, &runs, wanted, &mut odd)?;
        for at in rest {
            arrays[at] = Some(columns[at].finish()?);
        }
        if let Some(at) = self.lines {
            let lines = grid.lines(rows.clone());
            let of = |row: usize| i64::try_from(*lines.get(row - rows.start)?).ok();
            let lines: Int64Array = runs.iter().cloned().flatten().map(of).collect();
            arrays[at] = Some(Arc::new(lines));
        }
        let arrays = arrays.into_iter().flatten().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(kept));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?;
        if odd.is_empty() {
            return Ok(batch);
        }
        let places = runs.into_iter().flatten().enumerate();
        let dropped = places.filter(|(_, row)| odd.contains_key(row));
        let dropped: Vec<usize> = dropped.map(|(place, _)| place).collect();
        for (row, reason) in odd {
            bad.push(self.bad_row(grid, row, reason));
        }
        bad.sort_by_key(|row| row.line);
        without(batch, &dropped)
    }

    /// A batch whose lines were counted from a line behind so many others.
    pub(super) fn shifted(&self, batch: RecordBatch, before: u64) -> Result<RecordBatch> {
        let (Some(at), Ok(before)) = (self.lines, i64::try_from(before)) else {
            return Ok(batch);
        };
        let mut columns = batch.columns().to_vec();
        if let Some(lines) = columns[at].as_any().downcast_ref::<Int64Array>() {
            columns[at] = Arc::new(lines.unary::<_, Int64Type>(|line| line + before));
        }
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }

    /// Sets a row aside whose line was counted from a line behind so many others.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn set_aside(&self, bad: BadRow, before: u64) -> Result<()> {
        let Some(to) = &self.frame else {
            return Ok(());
        };
        let line = bad.line + before;
        let error = self.bad(line, bad.reason);
        set_aside(to.bad_records.as_ref(), error, line, bad.text.as_bytes())
    }

    /// Whether a row is one that a batch gets. A row with more values than columns has lost its shape: which
    /// value belongs where? It is an error, or a frame's bad record.
    fn is_row(
        &self,
        grid: &impl Grid,
        row: usize,
        left_out: Option<&dyn Fn(u64) -> bool>,
        bad: &mut Vec<BadRow>,
    ) -> Result<bool> {
        if let Some(left_out) = left_out
            && left_out(grid.line(row))
        {
            return Ok(false);
        }
        let (length, width) = (grid.width(row), self.width);
        if length <= width || self.as_hive && self.frame.is_none() {
            return Ok(true);
        }
        let cell = |column| grid.cell(row, column).unwrap_or_default();
        if (width..length).all(|column| cell(column).trim().is_empty()) {
            return Ok(true);
        }
        let reason = format!("the row has {length} values, and there are {width} columns");
        if self.frame.is_none() {
            return Err(self.bad(grid.line(row), reason));
        }
        bad.push(self.bad_row(grid, row, reason));
        Ok(false)
    }

    fn bad_row(&self, grid: &impl Grid, row: usize, reason: String) -> BadRow {
        let cell = |column| grid.cell(row, column).unwrap_or_default();
        let cells: Vec<&str> = (0..grid.width(row)).map(cell).collect();
        BadRow {
            line: grid.line(row),
            reason,
            text: cells.join(&char::from(self.delimiter).to_string()),
        }
    }

    /// Fills some columns with the cells of all runs; where some rows are not `wanted`, counted over all runs, what their
    /// cells hold afterwards is of no account.
    fn fill_all(
        &self,
        columns: &mut [Column],
        numbers: impl Iterator<Item = usize> + Clone,
        grid: &impl Grid,
        runs: &[Range<usize>],
        wanted: Option<&BooleanArray>,
        odd: &mut BTreeMap<usize, String>,
    ) -> Result<()> {
        let (mut before, mut places) = (0, Vec::with_capacity(BLOCK));
        for run in runs {
            let mut from = run.start;
            // A block of text that is in the processor's cache, column by column.
            while from < run.end {
                let to = run.end.min(from + BLOCK);
                if let Some(wanted) = wanted {
                    places.clear();
                    let own = wanted.values().slice(before, to - from);
                    places.extend(own.set_indices());
                }
                for number in numbers.clone() {
                    let column = &mut columns[number];
                    match wanted {
                        None => self.fill(number, column, grid, from..to, odd)?,
                        Some(_) => {
                            self.fill_some(number, column, grid, from..to, &places, odd)?;
                        }
                    }
                }
                before += to - from;
                from = to;
            }
        }
        Ok(())
    }

    /// Fills one column with the cells of some rows. Rows that are to be set aside for an odd cell come back in `odd`,
    /// with the reason; they have nulls.
    fn fill(
        &self,
        number: usize,
        column: &mut Column,
        grid: &impl Grid,
        rows: Range<usize>,
        odd: &mut BTreeMap<usize, String>,
    ) -> Result<()> {
        let Some(at) = self.binding[number] else {
            column.append_nulls(rows.len());
            return Ok(());
        };
        let plain = &self.nulls_of(number, column).plain;
        let mut row = rows.start;
        while row < rows.end {
            let cells = (row..rows.end).map(|row| grid.cell(row, at));
            row += column.append_plain(plain, cells);
            if row < rows.end {
                self.fill_odd(number, column, grid, (row, at), odd)?;
                row += 1;
            }
        }
        Ok(())
    }

    /// As [`Self::fill`], with the cells of the rows at `wanted` places only, and something else in the others.
    fn fill_some(
        &self,
        number: usize,
        column: &mut Column,
        grid: &impl Grid,
        rows: Range<usize>,
        wanted: &[usize],
        odd: &mut BTreeMap<usize, String>,
    ) -> Result<()> {
        let Some(at) = self.binding[number] else {
            column.append_nulls(rows.len());
            return Ok(());
        };
        let plain = &self.nulls_of(number, column).plain;
        let (mut place, mut wanted) = (0, wanted);
        while let [next, rest @ ..] = wanted {
            column.append_unread(next - place);
            let cell = |place| grid.cell(rows.start + place, at);
            match column.append_plain_at(plain, wanted, cell) {
                0 => {
                    self.fill_odd(number, column, grid, (rows.start + next, at), odd)?;
                    (place, wanted) = (next + 1, rest);
                }
                count => {
                    place = wanted[count - 1] + 1;
                    wanted = &wanted[count..];
                }
            }
        }
        column.append_unread(rows.len() - place);
        Ok(())
    }

    /// Fills one column with one cell, of a row and a column of the grid.
    fn fill_odd(
        &self,
        number: usize,
        column: &mut Column,
        grid: &impl Grid,
        (row, at): (usize, usize),
        odd: &mut BTreeMap<usize, String>,
    ) -> Result<()> {
        let cell = grid.cell(row, at);
        let rows = column.longest();
        if self.as_hive && cell == Some("") && column.is_text() && self.frame.is_none() {
            return column
                .append_text("")
                .map_err(|misfit| self.misfit(number, grid.line(row), misfit));
        }
        let text = cell.unwrap_or_default();
        if let Err(error) = self.append_odd(number, column, text, || grid.line(row)) {
            let Some(reason) = self.why_aside(&error) else {
                return Err(error);
            };
            column.level(rows + 1);
            odd.entry(row).or_insert(reason);
        }
        Ok(())
    }

    /// Why a row is set aside, where what is odd is.
    fn why_aside(&self, error: &LakeError) -> Option<String> {
        let frame = self.frame.as_ref()?;
        (frame.odd == Odd::SetAside).then(|| odd_reason(error))?
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
        if self.frame.is_some() {
            let name = self.schema.field(number).name();
            return frame::append(column, text, &self.file, line, name);
        }
        let json = match self.nested.is_empty() || shown.starts_with(['{', '[']) {
            true => None,
            false => self.json(number, text),
        };
        column
            .append_text(json.as_deref().unwrap_or(shown))
            .map_err(|misfit| self.misfit(number, line(), misfit))
    }

    /// A nested value between delimiters, as JSON.
    fn json(&self, number: usize, text: &str) -> Option<String> {
        let data_type = self.schema.field(number).data_type();
        let nested = data_type.is_nested();
        nested.then(|| nested::to_json(text, data_type, &self.nested))?
    }

    /// What is said of a cell in `line` that does not fit its column.
    fn misfit(&self, number: usize, line: u64, misfit: Misfit) -> LakeError {
        let name = self.schema.field(number).name();
        let message = match misfit {
            Misfit::Value { wanted, found, .. } => {
                format!("{found} in column '{name}' is no {wanted}")
            }
            other => format!("column '{name}': {other}"),
        };
        self.bad(line, message)
    }
}
