//! Columns of choices: each value goes to the alternative that it is, and is null in the others.

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Fields};
use arrow::error::ArrowError;

use super::{Column, Misfit, Reading, Store};
use crate::format::json::parse::Token;
use crate::value::{self, DateOrder};

/// The alternatives of a choice. What is null in one of them is appended only when a value follows, or at
/// the end: a value costs as much as in a column of its own type.
pub(super) struct Choice {
    fields: Fields,
    columns: Vec<Column>,
    /// How many rows each alternative has so far.
    filled: Vec<usize>,
    validity: NullBufferBuilder,
}

impl Choice {
    pub(super) fn new(alternatives: &Fields, reading: Reading) -> Result<Choice, Misfit> {
        let columns = alternatives
            .iter()
            .map(|f| Column::new(f.data_type(), reading))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Choice {
            fields: alternatives.clone(),
            filled: vec![0; columns.len()],
            columns,
            validity: NullBufferBuilder::new(0),
        })
    }

    pub(super) fn set_date_order(&mut self, order: Option<DateOrder>) {
        for column in &mut self.columns {
            column.date_order = order;
        }
    }

    pub(super) fn append_null(&mut self) {
        self.validity.append_null();
    }

    /// The alternative, ready for this row's value.
    fn ready(&mut self, at: usize) -> &mut Column {
        let missing = self.validity.len() - self.filled[at];
        self.columns[at].append_nulls(missing);
        self.filled[at] += missing;
        &mut self.columns[at]
    }

    /// Notes that the row's value was appended to the alternative.
    fn filled(&mut self, at: usize) {
        self.filled[at] += 1;
        self.validity.append_non_null();
    }

    /// Appends cells to the first alternative, up to the first that is not plainly one of its values; how many.
    pub(super) fn append_plain(
        &mut self,
        plain: &[bool; 256],
        cells: &mut dyn Iterator<Item = &str>,
    ) -> usize {
        // Of text it cannot be told whether another alternative would take it first.
        if self.columns.first().is_none_or(Column::is_text) {
            return 0;
        }
        let count = self.ready(0).append_plain(plain, cells.map(Some));
        self.filled[0] += count;
        self.validity.append_n_non_nulls(count);
        count
    }

    /// Appends a text to the first alternative that it is a value of; whether there is one.
    pub(super) fn append_text(&mut self, text: &str) -> bool {
        let bare = text.trim();
        for at in 0..self.columns.len() {
            let column = self.ready(at);
            // A string keeps its blanks.
            let own = if column.is_text() { text } else { bare };
            if column.try_found(own, false) {
                self.filled(at);
                return true;
            }
        }
        false
    }

    /// Which alternative a JSON value is of, if any.
    pub(super) fn of_token(&mut self, token: &Token<'_>, reading: Reading) -> Option<usize> {
        let place = |wanted: &dyn Fn(&Column) -> bool| self.columns.iter().position(wanted);
        let text = |column: &Column| column.is_text();
        let array = |column: &Column| matches!(column.store, Store::List { .. });
        let found = match token {
            Token::Null => return None,
            Token::Boolean(_) => place(&|c| matches!(c.store, Store::Boolean(_)))
                .or_else(|| place(&text).filter(|_| reading.single_is_array)),
            Token::Object => place(&|c| matches!(c.store, Store::Struct(_) | Store::Map { .. })),
            Token::Array => place(&array),
            // Strings and numbers are tried one by one.
            Token::Number(_) | Token::String(_) => None,
        };
        found.or_else(|| place(&array).filter(|_| reading.single_is_array))
    }

    /// Appends a number to the first alternative of numbers that holds it; whether there is one.
    pub(super) fn append_number(&mut self, text: &str) -> bool {
        self.append_where(text, Column::is_number)
    }

    /// Appends a string, which is a date or time where the choice has them, and else text.
    pub(super) fn append_string(&mut self, text: &str) -> bool {
        self.append_where(text, |column| column.is_text() || column.is_moment())
    }

    /// Appends a number as it is written to the alternative of text; whether there is one.
    pub(super) fn append_written(&mut self, text: &str) -> bool {
        self.append_where(text, Column::is_text)
    }

    fn append_where(&mut self, text: &str, wanted: impl Fn(&Column) -> bool) -> bool {
        for at in 0..self.columns.len() {
            if wanted(&self.columns[at]) && self.ready(at).try_found(text, false) {
                self.filled(at);
                return true;
            }
        }
        false
    }

    /// Appends to an alternative by what `append` does.
    pub(super) fn append_with(
        &mut self,
        at: usize,
        append: impl FnOnce(&mut Column) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        append(self.ready(at))?;
        self.filled(at);
        Ok(())
    }

    /// The types of the alternatives.
    pub(super) fn types(&self) -> impl Iterator<Item = &DataType> {
        self.fields.iter().map(|f| f.data_type())
    }

    pub(super) fn longest(&self) -> usize {
        let longest = self.columns.iter().map(Column::longest).max();
        longest.unwrap_or_default().max(self.validity.len())
    }

    /// See [`Column::level`].
    pub(super) fn level(&mut self, rows: usize) {
        for (column, filled) in self.columns.iter_mut().zip(&mut self.filled) {
            *filled = column.longest();
            column.level(*filled);
        }
        self.validity
            .append_n_nulls(rows.saturating_sub(self.validity.len()));
    }

    pub(super) fn finish(&mut self) -> Result<StructArray, ArrowError> {
        let rows = self.validity.len();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for at in 0..self.columns.len() {
            arrays.push(self.ready(at).finish()?);
            self.filled[at] = 0;
        }
        StructArray::try_new_with_length(self.fields.clone(), arrays, self.validity.finish(), rows)
    }
}

impl Column {
    /// Whether the column is of a choice.
    pub(in crate::format) fn is_choice(&self) -> bool {
        matches!(self.store, Store::Choice(_))
    }

    /// The column's type.
    pub(in crate::format) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(
            self.store,
            Store::Int8(_)
                | Store::Int16(_)
                | Store::Int32(_)
                | Store::Int64(_)
                | Store::Float32(_)
                | Store::Float64(_)
                | Store::Decimal(..)
        )
    }

    pub(super) fn is_moment(&self) -> bool {
        matches!(
            self.store,
            Store::Date(_)
                | Store::Seconds(_)
                | Store::Millis(_)
                | Store::Micros(_)
                | Store::Nanos(_)
        )
    }

    /// Appends a text that is a value of the column as it is written: `007` is no number, and no text is an
    /// object. Whether it was appended. `alone` says whether the column is no alternative of a choice: then
    /// yes and no are booleans in it, as inference takes them where a column has nothing else.
    pub(super) fn try_found(&mut self, text: &str, alone: bool) -> bool {
        let fits = match &self.store {
            Store::Null(_) | Store::Struct(_) | Store::List { .. } | Store::Map { .. } => false,
            Store::Choice(_) => alone,
            Store::Boolean(_) => {
                alone || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            Store::Float64(_) => {
                // Integers of 64 bits widen to doubles, as in a table.
                let exact = || alone && text.parse::<i64>().is_ok() || value::is_exact_double(text);
                value::is_number(text) && (text.len() <= 15 || exact()) || value::infinite(text)
            }
            _ if self.is_number() => value::is_number(text),
            _ => true,
        };
        fits && self.append_text(text).is_ok()
    }

    /// Appends what a text stands for where values are kept as they were found.
    ///
    /// # Errors
    /// When the text is no value of the column as it is written. Nothing is appended then.
    pub(in crate::format) fn append_found(&mut self, text: &str) -> Result<(), Misfit> {
        if matches!(
            self.store,
            Store::Struct(_) | Store::List { .. } | Store::Map { .. }
        ) {
            return self.append_text(text);
        }
        match self.try_found(text, true) {
            true => Ok(()),
            false => Err(self.misfit(super::shown(text))),
        }
    }

    /// Appends a number of 64 bits to a column of those.
    pub(in crate::format) fn append_integer(&mut self, value: i64) {
        match &mut self.store {
            Store::Int64(b) => b.append_value(value),
            _ => self.append_null(),
        }
    }

    /// How many rows the column has, one that was begun and not ended among them.
    pub(in crate::format) fn longest(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.store {
            Store::Null(n) => *n,
            Store::Boolean(b) => b.len(),
            Store::Int8(b) => b.len(),
            Store::Int16(b) => b.len(),
            Store::Int32(b) => b.len(),
            Store::Int64(b) => b.len(),
            Store::Float32(b) => b.len(),
            Store::Float64(b) => b.len(),
            Store::Decimal(b, ..) => b.len(),
            Store::Date(b) => b.len(),
            Store::Seconds(b) => b.len(),
            Store::Millis(b) => b.len(),
            Store::Micros(b) => b.len(),
            Store::Nanos(b) => b.len(),
            Store::Utf8(b) => b.len(),
            Store::View(b) => b.len(),
            Store::Binary(b) => b.len(),
            Store::Struct(s) => s.longest(),
            Store::Choice(choice) => choice.longest(),
            Store::List {
                column,
                offsets,
                validity,
                ..
            } => validity.len() + begun(offsets, column.longest()),
            Store::Map {
                key,
                value,
                offsets,
                validity,
                ..
            } => validity.len() + begun(offsets, key.longest().max(value.longest())),
        }
    }

    /// Ends what a record began that could not be read to its end, so that the column has so many rows, which
    /// is as many as it has or one more. What stands in the row is of no use: it is left out of the batch.
    pub(in crate::format) fn level(&mut self, rows: usize) {
        match &mut self.store {
            Store::Struct(s) => s.level(rows),
            Store::Choice(choice) => choice.level(rows),
            Store::List {
                column,
                offsets,
                validity,
                ..
            } => {
                let end = column.longest();
                column.level(end);
                close(offsets, validity, end, rows);
            }
            Store::Map {
                key,
                value,
                offsets,
                validity,
                ..
            } => {
                let end = key.longest().max(value.longest());
                key.level(end);
                value.level(end);
                close(offsets, validity, end, rows);
            }
            _ => {
                for _ in self.longest()..rows {
                    self.append_null();
                }
            }
        }
    }
}

/// One row more where there are elements beyond the last that a row has.
fn begun(offsets: &[i32], elements: usize) -> usize {
    let ended = offsets.last().copied().unwrap_or_default();
    usize::from(usize::try_from(ended).is_ok_and(|ended| ended < elements))
}

fn close(offsets: &mut Vec<i32>, validity: &mut NullBufferBuilder, end: usize, rows: usize) {
    while validity.len() < rows {
        offsets.push(i32::try_from(end).unwrap_or(i32::MAX));
        validity.append_null();
    }
}
