//! `split_to_map` and `split_to_multimap`: keys and values from text.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::strings::list_of_text;
use crate::trino::maps::build::{Lengths, map_of, map_type};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::Text;
    let three = Params::Kinds(&[Text, Text, Text], 3);
    let map = |_: &[DataType]| Ok(map_type(DataType::Utf8, DataType::Utf8));
    let multimap = |_: &[DataType]| Ok(map_type(DataType::Utf8, list_of_text()));
    vec![
        Function::new("split_to_map", three, map, split_to_map).udf(),
        Function::new("split_to_multimap", three, multimap, split_to_multimap).udf(),
    ]
}

/// The pairs of one row, or `None` where an argument is NULL.
fn pairs<'a>(call: &Call<'a>, row: usize) -> Result<Option<Vec<(&'a str, &'a str)>>> {
    let (Some(text), Some(entry), Some(pair)) = (
        call.text(0)?.get(row),
        call.text(1)?.get(row),
        call.text(2)?.get(row),
    ) else {
        return Ok(None);
    };
    let name = call.name;
    if entry.is_empty() || pair.is_empty() {
        return exec_err!("{name}: a delimiter is empty");
    }
    if entry == pair {
        return exec_err!("{name}: the two delimiters are both '{entry}'");
    }
    let mut found = Vec::new();
    let text = text.strip_suffix(entry).unwrap_or(text);
    if text.is_empty() {
        return Ok(Some(found));
    }
    for part in text.split(entry) {
        match part.split_once(pair) {
            Some((key, value)) if !value.contains(pair) => found.push((key, value)),
            _ => return exec_err!("{name}: '{pair}' does not stand exactly once in '{part}'"),
        }
    }
    Ok(Some(found))
}

fn split_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let mut lengths = Lengths::default();
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let Some(found) = pairs(call, row)? else {
            lengths.null();
            continue;
        };
        lengths.push(found.len());
        let mut seen = HashMap::with_capacity(found.len());
        for (key, value) in found {
            if seen.insert(key, ()).is_some() {
                return exec_err!(
                    "split_to_map: the key '{key}' stands twice; use split_to_multimap"
                );
            }
            keys.push(key);
            values.push(value);
        }
    }
    map_of(
        Arc::new(StringArray::from(keys)),
        Arc::new(StringArray::from(values)),
        lengths,
    )
}

fn split_to_multimap(call: &Call<'_>) -> Result<ArrayRef> {
    let mut lengths = Lengths::default();
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let mut held: Vec<usize> = Vec::new();
    for row in 0..call.rows {
        let Some(found) = pairs(call, row)? else {
            lengths.null();
            continue;
        };
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (key, value) in found {
            let place = *places.entry(key).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            if let Some((_, group)) = groups.get_mut(place) {
                group.push(value);
            }
        }
        lengths.push(groups.len());
        for (key, group) in groups {
            keys.push(key);
            held.push(group.len());
            values.extend(group);
        }
    }
    let lists = ListArray::try_new(
        Arc::new(Field::new_list_field(DataType::Utf8, true)),
        OffsetBuffer::from_lengths(held),
        Arc::new(StringArray::from(values)),
        None,
    )?;
    map_of(Arc::new(StringArray::from(keys)), Arc::new(lists), lengths)
}
