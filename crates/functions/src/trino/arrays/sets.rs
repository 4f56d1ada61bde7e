//! Arrays as sets, and finding elements.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

use super::pick::{Picker, range};
use super::{as_first, held_by_first, list_and_value, one_list, rows_of, two_lists};
use crate::args::Call;
use crate::function::{Function, Params};
use crate::trino::maps::build::{Lengths, map_of, map_type};
use crate::trino::rows::{bigint, boolean, booleans, ints};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let (one, two) = (Params::Custom(one_list), Params::Custom(two_lists));
    let with_value = Params::Custom(list_and_value);
    let counts = |t: &[DataType]| Ok(map_type(held_by_first(t)?, DataType::Int64));
    vec![
        Function::new("array_distinct", one, as_first, distinct).udf(),
        Function::new("array_union", two, as_first, union).udf(),
        Function::new("array_intersect", two, as_first, |c| common(c, true)).udf(),
        Function::new("array_except", two, as_first, |c| common(c, false)).udf(),
        Function::new("arrays_overlap", two, boolean, overlap).udf(),
        Function::new("contains_sequence", two, boolean, contains_sequence).udf(),
        Function::new("array_remove", with_value, as_first, remove).udf(),
        Function::new("array_position", with_value, bigint, position).udf(),
        Function::new("array_histogram", one, counts, histogram).udf(),
    ]
}

fn distinct(call: &Call<'_>) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let rows = rows_of(&[list.values()])?;
    let mut out = Picker::of(&list);
    let mut seen = HashSet::new();
    out.each(|out, _, range| {
        seen.clear();
        for at in range {
            if rows.iter().any(|rows| seen.insert(rows.row(at))) {
                out.pick(at);
            }
        }
        Ok(())
    })?;
    out.finish()
}

fn union(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.list(0)?, call.list(1)?);
    let rows = rows_of(&[a.values(), b.values()])?;
    let mut out = Picker::new(vec![a.clone(), b.clone()]);
    let mut seen = HashSet::new();
    out.each(|out, row, _| {
        seen.clear();
        for (of, (list, rows)) in [&a, &b].into_iter().zip(&rows).enumerate() {
            for at in range(list, row) {
                if seen.insert(rows.row(at)) {
                    out.pick_of(of, at);
                }
            }
        }
        Ok(())
    })?;
    out.finish()
}

/// The different elements of the first array that the second has, or has not.
fn common(call: &Call<'_>, wanted: bool) -> Result<ArrayRef> {
    let (a, b) = (call.list(0)?, call.list(1)?);
    let rows = rows_of(&[a.values(), b.values()])?;
    let [ours, theirs] = rows.as_slice() else {
        return call.array(0);
    };
    let mut out = Picker::new(vec![a.clone(), b.clone()]);
    let (mut held, mut seen) = (HashSet::new(), HashSet::new());
    out.each(|out, row, places| {
        held.clear();
        seen.clear();
        held.extend(range(&b, row).map(|at| theirs.row(at)));
        for at in places {
            let element = ours.row(at);
            if held.contains(&element) == wanted && seen.insert(element) {
                out.pick(at);
            }
        }
        Ok(())
    })?;
    out.finish()
}

/// NULL where nothing is found but either array has a NULL.
fn overlap(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.list(0)?, call.list(1)?);
    let rows = rows_of(&[a.values(), b.values()])?;
    let mut held = HashSet::new();
    booleans(call, |row| {
        let [ours, theirs] = rows.as_slice() else {
            return Ok(None);
        };
        if a.is_null(row) || b.is_null(row) {
            return Ok(None);
        }
        held.clear();
        let (mut unknown, mut found) = (false, false);
        for at in range(&b, row) {
            if b.values().is_null(at) {
                unknown = true;
            } else {
                held.insert(theirs.row(at));
            }
        }
        let filled = b.value_length(row) > 0;
        for at in range(&a, row) {
            if a.values().is_null(at) {
                unknown |= filled;
            } else if held.contains(&ours.row(at)) {
                found = true;
                break;
            }
        }
        if a.value_length(row) == 0 || !filled {
            return Ok(Some(false));
        }
        Ok((found || !unknown).then_some(found))
    })
}

fn contains_sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.list(0)?, call.list(1)?);
    let rows = rows_of(&[a.values(), b.values()])?;
    booleans(call, |row| {
        let [ours, theirs] = rows.as_slice() else {
            return Ok(None);
        };
        if a.is_null(row) || b.is_null(row) {
            return Ok(None);
        }
        let (within, wanted) = (range(&a, row), range(&b, row));
        let Some(last) = within.len().checked_sub(wanted.len()) else {
            return Ok(Some(false));
        };
        let begins = |from: usize| {
            wanted
                .clone()
                .enumerate()
                .all(|(i, at)| ours.row(within.start + from + i) == theirs.row(at))
        };
        Ok(Some((0..=last).any(begins)))
    })
}

/// NULL elements stay; removing NULL gives NULL.
fn remove(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, wanted) = (call.list(0)?, call.array(1)?);
    let rows = rows_of(&[list.values(), &wanted])?;
    let [elements, values] = rows.as_slice() else {
        return call.array(0);
    };
    let mut out = Picker::of(&list);
    for row in 0..call.rows {
        if list.is_null(row) || wanted.is_null(row) {
            out.null();
            continue;
        }
        range(&list, row)
            .filter(|at| elements.row(*at) != values.row(row))
            .for_each(|at| out.pick(at));
        out.end();
    }
    out.finish()
}

/// The first place, from 1, or 0.
fn position(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, wanted) = (call.list(0)?, call.array(1)?);
    let rows = rows_of(&[list.values(), &wanted])?;
    ints(call, |row| {
        let [elements, values] = rows.as_slice() else {
            return Ok(None);
        };
        if list.is_null(row) || wanted.is_null(row) {
            return Ok(None);
        }
        let found = range(&list, row).position(|at| elements.row(at) == values.row(row));
        Ok(Some(found.map_or(0, |n| n as i64 + 1)))
    })
}

/// How often each element stands in the array; NULLs are passed over.
fn histogram(call: &Call<'_>) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let rows = rows_of(&[list.values()])?;
    let mut lengths = Lengths::default();
    let (mut keys, mut counts) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        if list.is_null(row) {
            lengths.null();
            continue;
        }
        let begun = counts.len();
        let mut places = HashMap::new();
        for at in range(&list, row).filter(|at| list.values().is_valid(*at)) {
            for rows in &rows {
                let place = *places.entry(rows.row(at)).or_insert_with(|| {
                    keys.push(at as u64);
                    counts.push(0_i64);
                    counts.len() - 1
                });
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
            }
        }
        lengths.push(counts.len() - begun);
    }
    let keys = take(list.values(), &UInt64Array::from(keys), None)?;
    map_of(keys, Arc::new(Int64Array::from(counts)), lengths)
}
