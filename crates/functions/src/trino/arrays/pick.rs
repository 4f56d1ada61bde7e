//! Arrays made of elements that other arrays hold: their places are collected, and one kernel takes them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};

use crate::trino::maps::build::Lengths;

/// No batch of arrays that a function makes longer than what it is given has more elements than this.
pub(crate) const MOST_OF_A_BATCH: usize = 1 << 26;

/// Collects, row by row, which elements the arrays of a new column have.
pub(crate) struct Picker {
    lists: Vec<ListArray>,
    /// Where the elements of each column begin among those of all.
    bases: Vec<usize>,
    picked: Vec<Option<u64>>,
    lengths: Lengths,
    begun: usize,
}

/// The places that one row's elements have in a column.
pub(crate) fn range(list: &ListArray, row: usize) -> Range<usize> {
    match list.value_offsets().get(row..row + 2) {
        Some([start, end]) => *start as usize..*end as usize,
        _ => 0..0,
    }
}

impl Picker {
    /// From one column of arrays.
    pub(crate) fn of(list: &ListArray) -> Self {
        Self::new(vec![list.clone()])
    }

    /// From several columns of arrays whose elements are of one type.
    pub(crate) fn new(lists: Vec<ListArray>) -> Self {
        let bases = lists
            .iter()
            .scan(0, |base, list| {
                let here = *base;
                *base += list.values().len();
                Some(here)
            })
            .collect();
        Self {
            lists,
            bases,
            picked: Vec::new(),
            lengths: Lengths::default(),
            begun: 0,
        }
    }

    /// Takes element `at` of the first column.
    pub(crate) fn pick(&mut self, at: usize) {
        self.picked.push(Some(at as u64));
    }

    /// Takes element `at` of column `of`.
    pub(crate) fn pick_of(&mut self, of: usize, at: usize) {
        let base = self.bases.get(of).copied().unwrap_or_default();
        self.picked.push(Some((base + at) as u64));
    }

    /// Refuses to go on where the batch has grown too large.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        if self.picked.len() > MOST_OF_A_BATCH {
            return exec_err!(
                "{name}: the arrays of a batch of rows have more than {MOST_OF_A_BATCH} elements"
            );
        }
        Ok(())
    }

    /// Ends a row's array.
    pub(crate) fn end(&mut self) {
        self.lengths.push(self.picked.len() - self.begun);
        self.begun = self.picked.len();
    }

    /// Ends a row that is NULL.
    pub(crate) fn null(&mut self) {
        self.picked.truncate(self.begun);
        self.lengths.null();
    }

    /// Calls `f` with each row whose arrays are not NULL and the places of the first one's elements, and ends
    /// the row after it; a row with a NULL array is NULL.
    pub(crate) fn each(
        &mut self,
        mut f: impl FnMut(&mut Self, usize, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let rows = self.lists.first().map_or(0, Array::len);
        for row in 0..rows {
            if self.lists.iter().any(|list| list.is_null(row)) {
                self.null();
                continue;
            }
            let range = self.lists.first().map_or(0..0, |list| range(list, row));
            f(self, row, range)?;
            self.end();
        }
        Ok(())
    }

    /// The elements that were taken, one after another.
    fn values(&self) -> Result<ArrayRef> {
        if i32::try_from(self.picked.len()).is_err() {
            return exec_err!("a batch of arrays has more than 2,147,483,647 elements");
        }
        let all: Vec<&dyn Array> = self.lists.iter().map(|l| l.values().as_ref()).collect();
        let all = match all.as_slice() {
            [one] => one.slice(0, one.len()),
            _ => concat(&all)?,
        };
        let indices: UInt64Array = self.picked.iter().copied().collect();
        Ok(take(&all, &indices, None)?)
    }

    /// The new column of arrays.
    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let values = self.values()?;
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let (offsets, nulls) = self.lengths.finish();
        Ok(Arc::new(ListArray::try_new(
            field,
            offsets,
            values,
            Some(nulls),
        )?))
    }

    /// The new column of arrays of arrays: what [`Picker::end`] ended are the inner ones, of which each outer
    /// one has so many.
    pub(crate) fn finish_nested(self, outer: Lengths) -> Result<ArrayRef> {
        let inner = self.finish()?;
        let field = Arc::new(Field::new_list_field(inner.data_type().clone(), true));
        let (offsets, nulls) = outer.finish();
        Ok(Arc::new(ListArray::try_new(
            field,
            offsets,
            inner,
            Some(nulls),
        )?))
    }
}

/// The field of an array's elements as these functions name it.
pub(crate) fn items(element: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(element.clone(), true))
}
