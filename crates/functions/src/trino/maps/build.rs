//! Making maps.

use std::sync::Arc;

use arrow::array::{ArrayRef, MapArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;

/// The fields of a map's entries, named as DataFusion's `map` names them.
pub(crate) fn entry_fields(key: DataType, value: DataType) -> Fields {
    Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ])
}

/// A map from one type to another.
pub(crate) fn map_type(key: DataType, value: DataType) -> DataType {
    let entries = Field::new("entries", DataType::Struct(entry_fields(key, value)), false);
    DataType::Map(Arc::new(entries), false)
}

/// How many entries, or elements, each row has, and which rows are NULL.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl Lengths {
    /// A row of so many.
    pub(crate) fn push(&mut self, length: usize) {
        self.lengths.push(length);
        self.valid.push(true);
    }

    /// A row that is NULL.
    pub(crate) fn null(&mut self) {
        self.lengths.push(0);
        self.valid.push(false);
    }

    /// As Arrow has them.
    pub(crate) fn finish(self) -> (OffsetBuffer<i32>, NullBuffer) {
        (
            OffsetBuffer::from_lengths(self.lengths),
            NullBuffer::from(self.valid),
        )
    }
}

/// A column of maps from the keys and values of all rows.
pub(crate) fn map_of(keys: ArrayRef, values: ArrayRef, lengths: Lengths) -> Result<ArrayRef> {
    let fields = entry_fields(keys.data_type().clone(), values.data_type().clone());
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let (offsets, nulls) = lengths.finish();
    let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
    Ok(Arc::new(MapArray::try_new(
        field,
        offsets,
        entries,
        Some(nulls),
        false,
    )?))
}
