//! Rows decoded together as long as all of them are right, and apart where one is not.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, UInt64Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use datafusion::common::Result;

/// A value for each row, and for some rows the reason why it has none.
pub(crate) struct Parsed {
    pub(crate) values: ArrayRef,
    pub(crate) reasons: BTreeMap<usize, String>,
}

/// Decodes rows with a decoder that fails as a whole: where it does, one half after the other is
/// tried, down to the rows that are to blame. One bad row of n costs log n tries, and no row is
/// decoded more than log n times.
pub(super) fn decode_all(
    wanted: &[usize],
    rows: usize,
    data_type: &DataType,
    reasons: BTreeMap<usize, String>,
    mut decode: impl FnMut(&[usize]) -> std::result::Result<ArrayRef, String>,
) -> Result<Parsed> {
    let mut pieces = Vec::new();
    let mut good = Vec::with_capacity(wanted.len());
    let mut parsed = Parsed {
        values: new_null_array(data_type, 0),
        reasons,
    };
    // The halves still to be tried, the next one last.
    let mut open = vec![wanted];
    while let Some(part) = open.pop() {
        if part.is_empty() {
            continue;
        }
        match decode(part) {
            Ok(array) => {
                pieces.push(array);
                good.extend_from_slice(part);
            }
            Err(reason) => match part {
                [row] => {
                    parsed.reasons.insert(*row, reason);
                }
                part => {
                    let (first, second) = part.split_at(part.len() / 2);
                    open.push(second);
                    open.push(first);
                }
            },
        }
    }
    if pieces.is_empty() {
        parsed.values = new_null_array(data_type, rows);
        return Ok(parsed);
    }
    let all: Vec<_> = pieces.iter().map(AsRef::as_ref).collect();
    let all = concat(&all)?;
    if good.len() == rows {
        parsed.values = all;
        return Ok(parsed);
    }
    let mut places = vec![None; rows];
    for (at, row) in good.into_iter().enumerate() {
        if let Some(place) = places.get_mut(row) {
            *place = Some(at as u64);
        }
    }
    parsed.values = take(&all, &UInt64Array::from(places), None)?;
    Ok(parsed)
}

/// The text, or as much of it as an error message has room for.
pub(super) fn cut(text: &str) -> String {
    const ROOM: usize = 60;
    match text.char_indices().nth(ROOM) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
