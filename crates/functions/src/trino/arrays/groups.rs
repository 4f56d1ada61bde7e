//! Arrays of arrays: `combinations`, `ngrams`, `flatten`; and `repeat`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::pick::{MOST_OF_A_BATCH, Picker, items};
use super::{as_first, one_list};
use crate::args::Call;
use crate::arrays::element;
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::maps::build::Lengths;

/// No call makes more sub-groups of a row, or copies of a value, than this.
const MOST: usize = 1_000_000;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let groups = Params::Custom(list_and_count);
    let nested = |t: &[DataType]| Ok(DataType::List(items(&as_first(t)?)));
    vec![
        Function::new("combinations", groups, nested, combinations).udf(),
        Function::new("ngrams", groups, nested, ngrams).udf(),
        Function::new(
            "flatten",
            Params::Custom(flatten_types),
            inner_type,
            flatten,
        )
        .udf(),
        Function::new("repeat", Params::Custom(repeat_types), repeated, repeat).udf(),
    ]
}

fn list_and_count(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [list, count] = types else {
        return plan_err!("{name} takes 2 arguments, not {}", types.len());
    };
    let list = one_list(name, std::slice::from_ref(list))?;
    let count = all_of(name, &[Kind::Int], std::slice::from_ref(count))?;
    // The elements' field is named as in what is made here.
    let list = list
        .iter()
        .filter_map(element)
        .map(|f| DataType::List(items(f.data_type())));
    Ok(list.chain(count).collect())
}

/// Every choice of `n` elements, in the order of their places.
fn combinations(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, counts) = (call.list(0)?, call.ints(1)?);
    let mut out = Picker::of(&list);
    let mut outer = Lengths::default();
    for row in 0..call.rows {
        let Some(n) = counts.get(row).filter(|_| list.is_valid(row)) else {
            outer.null();
            continue;
        };
        let Some(n) = usize::try_from(n).ok().filter(|n| *n <= 5) else {
            return exec_err!("combinations: the size of the groups must be 0 to 5, not {n}");
        };
        out.check(call.name)?;
        let places: Vec<usize> = super::pick::range(&list, row).collect();
        let mut chosen: Vec<usize> = (0..n).collect();
        let mut made = 0;
        while n <= places.len() {
            made += 1;
            if made * n.max(1) > MOST {
                return exec_err!(
                    "combinations: {n} of {} elements are more than {MOST} elements in all",
                    places.len()
                );
            }
            chosen
                .iter()
                .filter_map(|c| places.get(*c))
                .for_each(|at| out.pick(*at));
            out.end();
            // The last place that can move on does, and those behind it follow it closely.
            let free = (0..n)
                .rev()
                .find(|i| chosen.get(*i).is_some_and(|c| c + n < places.len() + i));
            let Some(free) = free else { break };
            let next = chosen.get(free).map_or(0, |c| c + 1);
            for (place, value) in chosen.iter_mut().skip(free).zip(next..) {
                *place = value;
            }
        }
        outer.push(made);
    }
    out.finish_nested(outer)
}

/// Runs of `n` neighbours; the whole array where it is shorter.
fn ngrams(call: &Call<'_>) -> Result<ArrayRef> {
    let (list, counts) = (call.list(0)?, call.ints(1)?);
    let mut out = Picker::of(&list);
    let mut outer = Lengths::default();
    for row in 0..call.rows {
        let Some(n) = counts.get(row).filter(|_| list.is_valid(row)) else {
            outer.null();
            continue;
        };
        let Some(n) = usize::try_from(n).ok().filter(|n| *n > 0) else {
            return exec_err!("ngrams: n must be greater than 0, not {n}");
        };
        out.check(call.name)?;
        let places: Vec<usize> = super::pick::range(&list, row).collect();
        let n = n.min(places.len());
        let grams = places.len() - n + 1;
        if grams.saturating_mul(n) > MOST {
            return exec_err!("ngrams: {grams} groups of {n} are more than {MOST} elements");
        }
        for from in 0..grams {
            places
                .iter()
                .skip(from)
                .take(n)
                .for_each(|at| out.pick(*at));
            out.end();
        }
        outer.push(grams);
    }
    out.finish_nested(outer)
}

fn flatten_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let lists = one_list(name, types)?;
    match lists.first().and_then(element).map(|f| f.data_type()) {
        Some(DataType::Null) => Ok(vec![DataType::List(items(&DataType::List(items(
            &DataType::Null,
        ))))]),
        Some(inner) => match element(inner) {
            Some(field) => Ok(vec![DataType::List(items(&DataType::List(items(
                field.data_type(),
            ))))]),
            None => plan_err!("{name} takes an array of arrays, not an array of {inner}"),
        },
        None => plan_err!("{name} takes an array of arrays"),
    }
}

fn inner_type(types: &[DataType]) -> Result<DataType> {
    super::held_by_first(types)
}

/// One level; inner arrays that are NULL are passed over.
fn flatten(call: &Call<'_>) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let Some(inner) = list.values().as_list_opt::<i32>() else {
        return plan_err!("flatten takes an array of arrays");
    };
    let mut lengths = Lengths::default();
    let mut taken: Vec<u64> = Vec::new();
    for row in 0..call.rows {
        if list.is_null(row) {
            lengths.null();
            continue;
        }
        let begun = taken.len();
        for at in super::pick::range(&list, row).filter(|at| inner.is_valid(*at)) {
            taken.extend(super::pick::range(inner, at).map(|at| at as u64));
        }
        lengths.push(taken.len() - begun);
    }
    let values = take(inner.values(), &UInt64Array::from(taken), None)?;
    let (offsets, nulls) = lengths.finish();
    let field = items(values.data_type());
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        values,
        Some(nulls),
    )?))
}

fn repeat_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    all_of(name, &[Kind::Any, Kind::Int], types)
}

fn repeated(types: &[DataType]) -> Result<DataType> {
    Ok(DataType::List(items(&as_first(types)?)))
}

/// An array of copies, where DataFusion's own makes one text of copies of a text.
fn repeat(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, counts) = (call.array(0)?, call.ints(1)?);
    let mut lengths = Lengths::default();
    let mut taken: Vec<u64> = Vec::new();
    for row in 0..call.rows {
        let Some(count) = counts.get(row) else {
            lengths.null();
            continue;
        };
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        if count > MOST || taken.len() + count > MOST_OF_A_BATCH {
            return exec_err!("repeat: {count} copies are too many; {MOST} is the most");
        }
        taken.extend(std::iter::repeat_n(row as u64, count));
        lengths.push(count);
    }
    let values = take(&values, &UInt64Array::from(taken), None)?;
    let (offsets, nulls): (OffsetBuffer<i32>, _) = lengths.finish();
    let field = items(values.data_type());
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        values,
        Some(nulls),
    )?))
}
