//! Arrays in order: `array_sort`, `array_min`, `array_max`, `shuffle`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::functions_nested::sort::array_sort_udf;
use datafusion::logical_expr::{Expr, ScalarUDF};
use rand::seq::SliceRandom;

use super::pick::{Picker, range};
use super::{as_first, held_by_first, one_list, rows_of};
use crate::args::Call;
use crate::function::{Function, Params};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Custom(one_list);
    vec![
        Function::new("array_sort", Params::Custom(sort_types), as_first, sort)
            .rewritten_by_type(builtin_sort)
            .udf(),
        Function::new("array_min", one, held_by_first, |c| extreme(c, true)).udf(),
        Function::new("array_max", one, held_by_first, |c| extreme(c, false)).udf(),
        Function::new("shuffle", one, as_first, shuffle)
            .volatile()
            .udf(),
    ]
}

/// With more arguments it is DataFusion's function of the same name.
fn sort_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let mut wanted = one_list(name, types.get(..1).unwrap_or_default())?;
    wanted.extend(types.iter().skip(1).cloned());
    Ok(wanted)
}

fn builtin_sort(args: &[Expr], _: &[DataType]) -> Option<Expr> {
    (args.len() > 1).then(|| array_sort_udf().call(args.to_vec()))
}

/// NULLs come last.
fn sort(call: &Call<'_>) -> Result<ArrayRef> {
    if call.len() > 1 {
        return array_sort_udf()
            .invoke_with_args(call.args.clone())?
            .into_array(call.rows);
    }
    let list = call.list(0)?;
    let rows = rows_of(&[list.values()])?;
    let mut out = Picker::of(&list);
    let mut places = Vec::new();
    out.each(|out, _, range| {
        places.clear();
        places.extend(range);
        for rows in &rows {
            places.sort_by(|a, b| rows.row(*a).cmp(&rows.row(*b)));
        }
        places.iter().for_each(|at| out.pick(*at));
        Ok(())
    })?;
    out.finish()
}

/// NULL of an array that is empty or has a NULL.
fn extreme(call: &Call<'_>, least: bool) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let rows = rows_of(&[list.values()])?;
    let found = (0..call.rows).map(|row| {
        let rows = rows.first()?;
        let mut places = range(&list, row);
        if list.is_null(row) || places.clone().any(|at| list.values().is_null(at)) {
            return None;
        }
        let first = places.next()?;
        let best = places.fold(first, |best, at| {
            let better = if least {
                rows.row(at) < rows.row(best)
            } else {
                rows.row(at) > rows.row(best)
            };
            if better { at } else { best }
        });
        Some(best as u64)
    });
    Ok(take(list.values(), &UInt64Array::from_iter(found), None)?)
}

fn shuffle(call: &Call<'_>) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let mut out = Picker::of(&list);
    let mut rng = rand::rng();
    out.each(|out, _, range| {
        let mut places: Vec<usize> = range.collect();
        places.shuffle(&mut rng);
        places.into_iter().for_each(|at| out.pick(at));
        Ok(())
    })?;
    out.finish()
}
