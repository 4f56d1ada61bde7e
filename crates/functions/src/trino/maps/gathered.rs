//! What aggregates of maps end with: `map_union(m)` is written `map_union_of(array_agg(m))`,
//! `approx_most_frequent(n, x, capacity)` is written `most_frequent(histogram(x), n)`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::build::{Lengths, map_of, map_type};
use crate::args::Call;
use crate::arrays::{element, key_and_value};
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::arrays::pick::{items, range};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new("map_union_of", Params::Custom(list_of_maps), held, union).udf(),
        Function::new(
            "most_frequent",
            Params::Custom(counts),
            first,
            most_frequent,
        )
        .udf(),
    ]
}

fn list_of_maps(_: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [list] => match element(list).filter(|f| key_and_value(f.data_type()).is_some()) {
            Some(field) => Ok(vec![DataType::List(items(field.data_type()))]),
            None => plan_err!("map_union takes maps"),
        },
        _ => plan_err!("map_union takes 1 argument"),
    }
}

fn held(types: &[DataType]) -> Result<DataType> {
    match types
        .first()
        .and_then(element)
        .and_then(|f| key_and_value(f.data_type()))
    {
        Some((key, value)) => Ok(map_type(key.data_type().clone(), value.data_type().clone())),
        None => plan_err!("map_union takes maps"),
    }
}

/// Of a key that several maps have, one's value is taken.
fn union(call: &Call<'_>) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let maps = list.values().as_map();
    let converter = RowConverter::new(vec![SortField::new(maps.keys().data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(maps.keys()))?;
    let mut lengths = Lengths::default();
    let mut taken: Vec<u64> = Vec::new();
    for row in 0..call.rows {
        if list.is_null(row) {
            lengths.null();
            continue;
        }
        let begun = taken.len();
        let mut seen = HashSet::new();
        let mut known = false;
        for at in range(&list, row).filter(|at| maps.is_valid(*at)) {
            known = true;
            if let Some([from, to]) = maps.value_offsets().get(at..at + 2) {
                let entries = *from as usize..*to as usize;
                taken.extend(
                    entries
                        .filter(|e| seen.insert(rows.row(*e)))
                        .map(|e| e as u64),
                );
            }
        }
        if known {
            lengths.push(taken.len() - begun);
        } else {
            lengths.null();
        }
    }
    let taken = UInt64Array::from(taken);
    map_of(
        take(maps.keys(), &taken, None)?,
        take(maps.values(), &taken, None)?,
        lengths,
    )
}

fn counts(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [map, n] if key_and_value(map).is_some() => {
            let n = all_of(name, &[Kind::Int], std::slice::from_ref(n))?;
            Ok(std::iter::once(map.clone()).chain(n).collect())
        }
        _ => plan_err!("approx_most_frequent takes a number of buckets, a value and a capacity"),
    }
}

fn first(types: &[DataType]) -> Result<DataType> {
    match types.first().and_then(key_and_value) {
        Some((key, _)) => Ok(map_type(key.data_type().clone(), DataType::Int64)),
        None => plan_err!("a map of counts is needed"),
    }
}

/// The keys with the greatest counts, the greatest first.
fn most_frequent(call: &Call<'_>) -> Result<ArrayRef> {
    let (map, wanted) = (call.map(0)?, call.ints(1)?);
    let counts = cast(map.values(), &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    let mut lengths = Lengths::default();
    let mut taken: Vec<u64> = Vec::new();
    for row in 0..call.rows {
        let Some(n) = wanted.get(row).filter(|_| map.is_valid(row)) else {
            lengths.null();
            continue;
        };
        let Some(n) = usize::try_from(n).ok().filter(|n| *n > 1) else {
            return exec_err!(
                "approx_most_frequent: the number of buckets must be 2 or more, not {n}"
            );
        };
        let mut entries: Vec<usize> = match map.value_offsets().get(row..row + 2) {
            Some([from, to]) => (*from as usize..*to as usize).collect(),
            _ => Vec::new(),
        };
        entries.sort_by_key(|e| std::cmp::Reverse(counts.value(*e)));
        entries.truncate(n);
        lengths.push(entries.len());
        taken.extend(entries.into_iter().map(|e| e as u64));
    }
    let taken = UInt64Array::from(taken);
    map_of(
        take(map.keys(), &taken, None)?,
        take(counts, &taken, None)?,
        lengths,
    )
}
