//! Texts and bytes as views into buffers that other rows may have a part in.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use arrow::datatypes::{ByteViewType, DataType};
use arrow::error::ArrowError;

/// The batch, without the bytes that its own texts do not use, where those are most of what it holds: a few rows
/// that refer to the buffers of many others count, and keep, as much as all of them.
///
/// # Errors
/// None that a batch can make.
pub fn compact(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let found: Vec<Option<ArrayRef>> = batch.columns().iter().map(compacted).collect();
    if found.iter().all(Option::is_none) {
        return Ok(batch);
    }
    let columns = batch.columns().iter().zip(found);
    let columns = columns.map(|(old, new)| new.unwrap_or_else(|| Arc::clone(old)));
    RecordBatch::try_new(batch.schema(), columns.collect())
}

fn compacted(column: &ArrayRef) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::Utf8View => gc(column.as_string_view_opt()?),
        DataType::BinaryView => gc(column.as_binary_view_opt()?),
        _ => None,
    }
}

fn gc<T: ByteViewType>(views: &GenericByteViewArray<T>) -> Option<ArrayRef> {
    const SLACK: usize = 64 * 1024;
    let held: usize = views.data_buffers().iter().map(|b| b.capacity()).sum();
    (held > SLACK && held > views.total_buffer_bytes_used() * 2)
        .then(|| Arc::new(views.gc()) as ArrayRef)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::StringViewArray;

    #[test]
    fn a_few_rows_do_not_keep_the_bytes_of_many() {
        let texts = (0..10_000).map(|n| format!("a text that is too long for a view: {n}"));
        let all: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let batch = RecordBatch::try_from_iter([("t", all)]).unwrap();
        let few = compact(batch.slice(17, 3)).unwrap();
        assert_eq!(few, batch.slice(17, 3));
        assert!(few.get_array_memory_size() < 1000);
        let same = compact(batch.clone()).unwrap();
        assert_eq!(same.get_array_memory_size(), batch.get_array_memory_size());
    }
}
