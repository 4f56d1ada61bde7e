//! Maps from arrays of rows: `map_from_entries`, `multimap_from_entries`; and `map` of keys and values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use arrow::row::{RowConverter, Rows, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::build::{Lengths, map_of, map_type};
use crate::args::Call;
use crate::arrays::element;
use crate::function::{Function, Params};
use crate::trino::arrays::pick::{items, range};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let entries = Params::Custom(entries_types);
    vec![
        Function::new("map_from_entries", entries, map_returns, map_from_entries).udf(),
        Function::new(
            "multimap_from_entries",
            entries,
            multimap_returns,
            multimap_from_entries,
        )
        .udf(),
    ]
}

/// The key's and the value's field of an array of rows of two fields.
fn pair(list: &DataType) -> Option<(&FieldRef, &FieldRef)> {
    match element(list)?.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some((fields.first()?, fields.get(1)?)),
        _ => None,
    }
}

fn entries_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [list] if pair(list).is_some() => Ok(element(list)
            .map(|field| DataType::List(field.clone()))
            .into_iter()
            .collect()),
        [other] => plan_err!("{name} takes an array of rows of a key and a value, not {other}"),
        _ => plan_err!("{name} takes 1 argument, not {}", types.len()),
    }
}

fn map_returns(types: &[DataType]) -> Result<DataType> {
    match types.first().and_then(pair) {
        Some((key, value)) => Ok(map_type(key.data_type().clone(), value.data_type().clone())),
        None => plan_err!("an array of rows of a key and a value is needed"),
    }
}

fn multimap_returns(types: &[DataType]) -> Result<DataType> {
    match types.first().and_then(pair) {
        Some((key, value)) => Ok(map_type(
            key.data_type().clone(),
            DataType::List(items(value.data_type())),
        )),
        None => plan_err!("an array of rows of a key and a value is needed"),
    }
}

/// What the entries of a column are: their keys and values, and the keys as rows that compare.
struct Entries {
    list: ListArray,
    keys: ArrayRef,
    values: ArrayRef,
    rows: Rows,
}

impl Entries {
    fn of(call: &Call<'_>) -> Result<Self> {
        let list = call.list(0)?;
        let entries = list.values().as_struct();
        let (keys, values) = (entries.column(0).clone(), entries.column(1).clone());
        let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(&keys))?;
        Ok(Self {
            list,
            keys,
            values,
            rows,
        })
    }

    fn check(&self, call: &Call<'_>, at: usize) -> Result<()> {
        if self.list.values().is_null(at) {
            return exec_err!("{}: an entry is NULL", call.name);
        }
        if self.keys.is_null(at) {
            return exec_err!("{}: a key is NULL", call.name);
        }
        Ok(())
    }
}

fn map_from_entries(call: &Call<'_>) -> Result<ArrayRef> {
    let entries = Entries::of(call)?;
    let mut lengths = Lengths::default();
    let mut taken: Vec<u64> = Vec::new();
    for row in 0..call.rows {
        if entries.list.is_null(row) {
            lengths.null();
            continue;
        }
        let places = range(&entries.list, row);
        lengths.push(places.len());
        let mut seen = std::collections::HashSet::with_capacity(places.len());
        for at in places {
            entries.check(call, at)?;
            if !seen.insert(entries.rows.row(at)) {
                let key = array_value_to_string(&entries.keys, at)?;
                return exec_err!(
                    "map_from_entries: the key '{key}' stands twice; use multimap_from_entries"
                );
            }
            taken.push(at as u64);
        }
    }
    let taken = UInt64Array::from(taken);
    map_of(
        take(&entries.keys, &taken, None)?,
        take(&entries.values, &taken, None)?,
        lengths,
    )
}

fn multimap_from_entries(call: &Call<'_>) -> Result<ArrayRef> {
    let entries = Entries::of(call)?;
    let mut lengths = Lengths::default();
    let (mut keys, mut values, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        if entries.list.is_null(row) {
            lengths.null();
            continue;
        }
        let mut places = HashMap::new();
        let mut groups: Vec<(u64, Vec<u64>)> = Vec::new();
        for at in range(&entries.list, row) {
            entries.check(call, at)?;
            let place = *places.entry(entries.rows.row(at)).or_insert_with(|| {
                groups.push((at as u64, Vec::new()));
                groups.len() - 1
            });
            if let Some((_, group)) = groups.get_mut(place) {
                group.push(at as u64);
            }
        }
        lengths.push(groups.len());
        for (key, group) in groups {
            keys.push(key);
            held.push(group.len());
            values.extend(group);
        }
    }
    let values = take(&entries.values, &UInt64Array::from(values), None)?;
    let lists = ListArray::try_new(
        items(values.data_type()),
        OffsetBuffer::from_lengths(held),
        values,
        None,
    )?;
    map_of(
        take(&entries.keys, &UInt64Array::from(keys), None)?,
        Arc::new(lists),
        lengths,
    )
}
