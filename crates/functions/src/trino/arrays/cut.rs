//! Parts of arrays: one element, or some of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array, make_comparator};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::pick::{Picker, range};
use super::{as_first, held_by_first, one_list};
use crate::args::Call;
use crate::arrays::{alike, element, key_and_value, list_of};
use crate::function::{Function, Kind, Params, all_of};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Custom(one_list);
    vec![
        subscript(),
        Function::new("array_first", one, held_by_first, |c| end(c, true)).udf(),
        Function::new("array_last", one, held_by_first, |c| end(c, false)).udf(),
        Function::new("slice", Params::Custom(list_and_ints), as_first, slice).udf(),
        Function::new("trim_array", Params::Custom(list_and_ints), as_first, trim).udf(),
    ]
}

/// `a[i]` and `m[k]`: unlike `element_at`, an error where there is no such element or key.
pub(crate) fn subscript() -> Arc<ScalarUDF> {
    Function::new(
        "subscript",
        Params::Custom(subscript_types),
        subscript_type,
        at_subscript,
    )
    .udf()
}

fn list_and_ints(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let wanted = if name == "slice" { 3 } else { 2 };
    if types.len() != wanted {
        return plan_err!("{name} takes {wanted} arguments, not {}", types.len());
    }
    let mut coerced = one_list(name, types.get(..1).unwrap_or_default())?;
    for given in types.iter().skip(1) {
        coerced.extend(all_of(name, &[Kind::Int], std::slice::from_ref(given))?);
    }
    Ok(coerced)
}

fn subscript_types(_: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [holder, index] = types else {
        return plan_err!("[] takes one subscript");
    };
    if let Some(field) = element(holder) {
        if !index.is_integer() && !index.is_null() {
            return plan_err!("[]: the subscript of an array must be an integer, not {index}");
        }
        return Ok(vec![list_of(field, field.data_type()), DataType::Int64]);
    }
    match key_and_value(holder) {
        Some((key, _)) if alike(key.data_type(), index) => {
            Ok(vec![holder.clone(), key.data_type().clone()])
        }
        Some((key, _)) => plan_err!("[]: a key is {}, not {index}", key.data_type()),
        None => plan_err!("[]: {holder} has no elements"),
    }
}

fn subscript_type(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(holder) => match element(holder).or_else(|| key_and_value(holder).map(|(_, v)| v)) {
            Some(field) => Ok(field.data_type().clone()),
            None => plan_err!("[]: {holder} has no elements"),
        },
        None => plan_err!("[] takes one subscript"),
    }
}

fn at_subscript(call: &Call<'_>) -> Result<ArrayRef> {
    if let Ok(maps) = call.map(0) {
        let wanted = call.array(1)?;
        let same = make_comparator(maps.keys(), &wanted, SortOptions::default())?;
        let mut taken = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            if maps.is_null(row) || wanted.is_null(row) {
                taken.push(None);
                continue;
            }
            let mut entries = match maps.value_offsets().get(row..row + 2) {
                Some([from, to]) => *from as usize..*to as usize,
                _ => 0..0,
            };
            match entries.find(|entry| same(*entry, row).is_eq()) {
                Some(entry) => taken.push(Some(entry as u64)),
                None => {
                    let key = array_value_to_string(&wanted, row)?;
                    return exec_err!(
                        "the map has no key '{key}'; element_at gives NULL where there is none"
                    );
                }
            }
        }
        return Ok(take(maps.values(), &UInt64Array::from(taken), None)?);
    }
    let (list, indexes) = (call.list(0)?, call.ints(1)?);
    let mut taken = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(index) = indexes.get(row).filter(|_| list.is_valid(row)) else {
            taken.push(None);
            continue;
        };
        let places = range(&list, row);
        let place = index.checked_sub(1).and_then(|i| usize::try_from(i).ok());
        match place {
            Some(place) if place < places.len() => taken.push(Some((places.start + place) as u64)),
            _ if index == 0 => return exec_err!("array subscripts start at 1, not 0"),
            None => {
                return exec_err!(
                    "the array subscript {index} is negative; element_at counts from the end"
                );
            }
            Some(_) => {
                return exec_err!(
                    "the array subscript {index} is greater than the array's length, {}; element_at gives NULL there",
                    places.len()
                );
            }
        }
    }
    Ok(take(list.values(), &UInt64Array::from(taken), None)?)
}

fn end(call: &Call<'_>, first: bool) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let taken = (0..call.rows).map(|row| {
        let mut places = range(&list, row);
        let place = if first {
            places.next()
        } else {
            places.next_back()
        };
        place.filter(|_| list.is_valid(row)).map(|at| at as u64)
    });
    Ok(take(list.values(), &UInt64Array::from_iter(taken), None)?)
}

/// From a place counted from 1, or from the end if it is negative, so many elements.
fn slice(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, starts, lengths) = (call.list(0)?, call.ints(1)?, call.ints(2)?);
    let mut out = Picker::of(&list);
    for row in 0..call.rows {
        let (Some(start), Some(length)) = (starts.get(row), lengths.get(row)) else {
            out.null();
            continue;
        };
        if list.is_null(row) {
            out.null();
            continue;
        }
        if length < 0 {
            return exec_err!("slice: the length must not be negative, as {length} is");
        }
        if start == 0 {
            return exec_err!("slice: array indices start at 1, not 0");
        }
        let places = range(&list, row);
        let from = if start > 0 {
            usize::try_from(start - 1).ok()
        } else {
            usize::try_from(start.unsigned_abs())
                .ok()
                .and_then(|n| places.len().checked_sub(n))
        };
        if let Some(from) = from {
            let count = usize::try_from(length).unwrap_or(usize::MAX);
            places.skip(from).take(count).for_each(|at| out.pick(at));
        }
        out.end();
    }
    out.finish()
}

/// Without so many elements at the end.
fn trim(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, counts) = (call.list(0)?, call.ints(1)?);
    let mut out = Picker::of(&list);
    for row in 0..call.rows {
        let Some(count) = counts.get(row).filter(|_| list.is_valid(row)) else {
            out.null();
            continue;
        };
        let places = range(&list, row);
        let kept = usize::try_from(count)
            .ok()
            .and_then(|n| places.len().checked_sub(n));
        let Some(kept) = kept else {
            return exec_err!(
                "trim_array: {count} elements cannot be taken from an array of {}",
                places.len()
            );
        };
        places.take(kept).for_each(|at| out.pick(at));
        out.end();
    }
    out.finish()
}
