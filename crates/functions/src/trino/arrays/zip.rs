//! `zip`: arrays side by side as an array of rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StructArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::one_list;
use super::pick::{items, range};
use crate::args::Call;
use crate::arrays::element;
use crate::function::{Function, Params};
use crate::trino::maps::build::Lengths;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new("zip", Params::Custom(types), returns, zip).udf(),
        unnest_rows(),
    ]
}

/// What `UNNEST(…)` in FROM goes through: the arrays and maps of a row side by side, an array that is NULL
/// counting as empty. The last two arguments say whether each row gets its number, and whether a row without
/// elements gets one of NULLs.
pub(crate) fn unnest_rows() -> Arc<ScalarUDF> {
    Function::new("unnest_rows", Params::Custom(rows_types), rows_type, rows).udf()
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() < 2 {
        return plan_err!("{name} takes two arrays or more");
    }
    let each = types
        .iter()
        .map(|t| one_list(name, std::slice::from_ref(t)));
    Ok(each.collect::<Result<Vec<_>>>()?.concat())
}

/// A row's fields are called `field0`, `field1` and so on, as Athena shows them.
fn fields(types: &[DataType]) -> Fields {
    types
        .iter()
        .filter_map(element)
        .enumerate()
        .map(|(i, f)| Field::new(format!("field{i}"), f.data_type().clone(), true))
        .collect()
}

fn returns(types: &[DataType]) -> Result<DataType> {
    Ok(DataType::List(items(&DataType::Struct(fields(types)))))
}

/// As long as the longest; NULLs stand where another is shorter.
fn zip(call: &Call<'_>) -> Result<ArrayRef> {
    let lists: Vec<ListArray> = (0..call.len())
        .map(|i| call.list(i))
        .collect::<Result<_>>()?;
    let mut lengths = Lengths::default();
    let mut taken: Vec<Vec<Option<u64>>> = vec![Vec::new(); lists.len()];
    for row in 0..call.rows {
        if lists.iter().any(|list| list.is_null(row)) {
            lengths.null();
            continue;
        }
        let longest = lists.iter().map(|l| range(l, row).len()).max().unwrap_or(0);
        lengths.push(longest);
        for (list, taken) in lists.iter().zip(&mut taken) {
            let places = range(list, row).map(|at| Some(at as u64));
            taken.extend(places.chain(std::iter::repeat(None)).take(longest));
        }
    }
    let columns: Vec<ArrayRef> = lists
        .iter()
        .zip(taken)
        .map(|(list, taken)| Ok(take(list.values(), &UInt64Array::from(taken), None)?))
        .collect::<Result<_>>()?;
    let types: Vec<DataType> = lists.iter().map(|l| l.data_type().clone()).collect();
    let rows: ArrayRef = Arc::new(StructArray::try_new(fields(&types), columns, None)?);
    let (offsets, nulls) = lengths.finish();
    let field = items(rows.data_type());
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        rows,
        Some(nulls),
    )?))
}

fn rows_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let Some((holders, [DataType::Boolean, DataType::Boolean])) = types.split_last_chunk::<2>()
    else {
        return plan_err!("{name} takes arrays and two constants");
    };
    let mut wanted = Vec::with_capacity(types.len());
    for holder in holders {
        match holder {
            DataType::Map(..) => wanted.push(holder.clone()),
            other => wanted.extend(one_list(name, std::slice::from_ref(other))?),
        }
    }
    wanted.extend([DataType::Boolean, DataType::Boolean]);
    Ok(wanted)
}

/// What one element is: of a map its entry.
fn held(holder: &DataType) -> DataType {
    match holder {
        DataType::Map(entries, _) => entries.data_type().clone(),
        other => element(other).map_or(DataType::Null, |f| f.data_type().clone()),
    }
}

/// The rows' fields; the number is always among them, as its type cannot follow from a constant.
fn row_fields(types: &[DataType]) -> Fields {
    let holders = types
        .get(..types.len().saturating_sub(2))
        .unwrap_or_default();
    let numbered = [DataType::Int64];
    holders
        .iter()
        .map(held)
        .chain(numbered)
        .enumerate()
        .map(|(i, t)| Field::new(format!("field{i}"), t, true))
        .collect()
}

fn rows_type(types: &[DataType]) -> Result<DataType> {
    Ok(DataType::List(items(&DataType::Struct(row_fields(types)))))
}

fn rows(call: &Call<'_>) -> Result<ArrayRef> {
    let count = call.len().saturating_sub(2);
    let outer = call.array(count + 1)?;
    let outer = call.rows > 0 && outer.as_boolean().value(0);
    let mut holders = Vec::with_capacity(count);
    for i in 0..count {
        let array = call.array(i)?;
        let (offsets, values): (Vec<i32>, ArrayRef) = match array.as_map_opt() {
            Some(map) => (
                map.value_offsets().to_vec(),
                Arc::new(map.entries().clone()),
            ),
            None => {
                let list = array.as_list::<i32>();
                (list.value_offsets().to_vec(), list.values().clone())
            }
        };
        holders.push((array, offsets, values));
    }
    let mut lengths = Lengths::default();
    let mut taken: Vec<Vec<Option<u64>>> = vec![Vec::new(); count];
    let mut numbers: Vec<Option<i64>> = Vec::new();
    for row in 0..call.rows {
        let places: Vec<std::ops::Range<u64>> = holders
            .iter()
            .map(|(array, offsets, _)| match offsets.get(row..row + 2) {
                Some([from, to]) if array.is_valid(row) => *from as u64..*to as u64,
                _ => 0..0,
            })
            .collect();
        let longest = places.iter().map(|p| p.end - p.start).max().unwrap_or(0);
        let length = if outer { longest.max(1) } else { longest };
        lengths.push(length as usize);
        for (places, taken) in places.into_iter().zip(&mut taken) {
            taken.extend(
                places
                    .map(Some)
                    .chain(std::iter::repeat(None))
                    .take(length as usize),
            );
        }
        numbers.extend((1..=length).map(|n| (n <= longest).then_some(n as i64)));
    }
    let mut columns: Vec<ArrayRef> = holders
        .iter()
        .zip(taken)
        .map(|((_, _, values), taken)| Ok(take(values, &UInt64Array::from(taken), None)?))
        .collect::<Result<_>>()?;
    columns.push(Arc::new(Int64Array::from(numbers)));
    let types: Vec<DataType> = call
        .args
        .arg_fields
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    let rows: ArrayRef = Arc::new(StructArray::try_new(row_fields(&types), columns, None)?);
    let (offsets, nulls) = lengths.finish();
    let field = items(rows.data_type());
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        rows,
        Some(nulls),
    )?))
}
