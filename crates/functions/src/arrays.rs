//! Arrays and maps. Semantics: <https://trino.io/docs/current/functions/array.html> and
//! <https://trino.io/docs/current/functions/map.html>.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt64Array, make_comparator,
};
use arrow::compute::kernels::comparison::contains as text_contains;
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, internal_err, plan_err};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::binary::comparison_coercion;

use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of, exactly};

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new(
            "element_at",
            Params::Custom(element_types),
            element_type,
            element_at,
        )
        .udf(),
        Function::new(
            "cardinality",
            Params::Custom(cardinality_types),
            |_| Ok(DataType::Int64),
            cardinality,
        )
        .udf(),
        Function::new(
            "contains",
            Params::Custom(contains_types),
            |_| Ok(DataType::Boolean),
            contains,
        )
        .udf(),
    ]
}

/// The field of the elements, if this is an array of some kind.
pub(crate) fn element(list: &DataType) -> Option<&FieldRef> {
    match list {
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _) => Some(f),
        _ => None,
    }
}

pub(crate) fn list_of(field: &Field, element: &DataType) -> DataType {
    DataType::List(Arc::new(field.clone().with_data_type(element.clone())))
}

pub(crate) fn key_and_value(map: &DataType) -> Option<(&FieldRef, &FieldRef)> {
    let DataType::Map(entries, _) = map else {
        return None;
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return None;
    };
    Some((fields.first()?, fields.get(1)?))
}

/// Whether values of two types can be equal in Trino; DataFusion would also compare a number with the
/// text it is written as.
pub(crate) fn alike(a: &DataType, b: &DataType) -> bool {
    let plain = |t: &DataType| match t {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    };
    let (a, b) = (plain(a), plain(b));
    let both = |is: fn(&DataType) -> bool| is(&a) && is(&b);
    a == b
        || a.is_null()
        || b.is_null()
        || both(DataType::is_numeric)
        || both(DataType::is_temporal)
        || both(DataType::is_nested)
        || both(DataType::is_string)
        || both(DataType::is_binary)
}

fn element_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 2)?;
    if let Some(field) = element(&types[0]) {
        let index = all_of(name, &[Kind::Int], &types[1..])?;
        return Ok(vec![list_of(field, field.data_type()), index[0].clone()]);
    }
    if let Some((key, _)) = key_and_value(&types[0]) {
        if !alike(key.data_type(), &types[1]) {
            return plan_err!("{name}: a key is {}, not {}", key.data_type(), types[1]);
        }
        return Ok(vec![types[0].clone(), key.data_type().clone()]);
    }
    plan_err!(
        "{name}: the first argument must be an array or a map, not {}",
        types[0]
    )
}

fn element_type(types: &[DataType]) -> Result<DataType> {
    let field = element(&types[0]).or_else(|| key_and_value(&types[0]).map(|(_, value)| value));
    match field {
        Some(field) => Ok(field.data_type().clone()),
        None => plan_err!("element_at: the first argument must be an array or a map"),
    }
}

/// NULL where there is no such element or key. DataFusion's function of this name is `map_extract`, which
/// takes maps only and returns an array.
fn element_at(call: &Call<'_>) -> Result<ArrayRef> {
    let holder = call.array(0)?;
    if matches!(holder.data_type(), DataType::Map(..)) {
        return value_of_key(&holder, &call.array(1)?);
    }
    let Some(list) = holder.as_list_opt::<i32>() else {
        return internal_err!(
            "element_at: {} where an array was coerced",
            holder.data_type()
        );
    };
    let indexes = call.ints(1)?;
    let offsets = list.value_offsets();
    let mut taken = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(index) = indexes.get(row).filter(|_| list.is_valid(row)) else {
            taken.push(None);
            continue;
        };
        let (start, end) = (i64::from(offsets[row]), i64::from(offsets[row + 1]));
        let at = match index {
            0 => return exec_err!("element_at: array indices start at 1, not 0"),
            1.. => start.checked_add(index - 1),
            _ => end.checked_add(index),
        };
        taken.push(
            at.filter(|at| (start..end).contains(at))
                .and_then(|at| u64::try_from(at).ok()),
        );
    }
    Ok(take(list.values(), &UInt64Array::from(taken), None)?)
}

fn value_of_key(maps: &ArrayRef, wanted: &ArrayRef) -> Result<ArrayRef> {
    let maps = maps.as_map();
    let same = make_comparator(maps.keys(), wanted, SortOptions::default())?;
    let offsets = maps.value_offsets();
    let taken = (0..maps.len()).map(|row| {
        if maps.is_null(row) || wanted.is_null(row) {
            return None;
        }
        let mut entries = offsets[row] as usize..offsets[row + 1] as usize;
        entries
            .find(|entry| same(*entry, row).is_eq())
            .map(|entry| entry as u64)
    });
    Ok(take(maps.values(), &UInt64Array::from_iter(taken), None)?)
}

fn cardinality_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 1)?;
    if let Some(field) = element(&types[0]) {
        return Ok(vec![list_of(field, field.data_type())]);
    }
    if types[0].is_null() {
        return Ok(vec![DataType::new_list(DataType::Null, true)]);
    }
    match &types[0] {
        DataType::Map(..) => Ok(types.to_vec()),
        other => plan_err!("{name} takes an array or a map, not {other}"),
    }
}

/// The length, as a `bigint`. DataFusion's own counts the innermost elements of nested arrays and
/// is unsigned, so that `cardinality(x) - 1` is not an integer.
fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let holder = call.array(0)?;
    let offsets = match holder.data_type() {
        DataType::Map(..) => holder.as_map().value_offsets(),
        _ => holder.as_list::<i32>().value_offsets(),
    };
    let lengths = offsets
        .windows(2)
        .map(|w| i64::from(w[1]) - i64::from(w[0]))
        .collect();
    Ok(Arc::new(Int64Array::new(lengths, holder.nulls().cloned())))
}

fn contains_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 2)?;
    let Some(field) = element(&types[0]) else {
        return all_of(name, &[Kind::Text, Kind::Text], types);
    };
    let held = field.data_type();
    let common = match held {
        DataType::Null => Some(types[1].clone()),
        held if alike(held, &types[1]) => comparison_coercion(held, &types[1]),
        _ => None,
    };
    match common {
        Some(common) => Ok(vec![list_of(field, &common), common]),
        None => plan_err!("{name}: an array of {held} cannot hold a {}", types[1]),
    }
}

/// Of an array: true, false, or NULL if it is not found but an element is NULL. Of text, which is
/// DataFusion's meaning of the name: whether it is within.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let holder = call.array(0)?;
    let wanted = call.array(1)?;
    if !matches!(holder.data_type(), DataType::List(_)) {
        // A constant needle is searched for with one prepared searcher.
        let found = if call.is_constant(1) {
            text_contains(
                &holder,
                &arrow::array::Scalar::new(wanted.slice(0, 1.min(wanted.len()))),
            )
        } else {
            text_contains(&holder, &wanted)
        };
        return Ok(Arc::new(found?));
    }
    let list = holder.as_list::<i32>();
    let values = list.values();
    let same = make_comparator(values, &wanted, SortOptions::default())?;
    let offsets = list.value_offsets();
    let found = (0..call.rows).map(|row| {
        if list.is_null(row) || wanted.is_null(row) {
            return None;
        }
        let mut unknown = false;
        for element in offsets[row] as usize..offsets[row + 1] as usize {
            if values.is_null(element) {
                unknown = true;
            } else if same(element, row).is_eq() {
                return Some(true);
            }
        }
        (!unknown).then_some(false)
    });
    Ok(Arc::new(BooleanArray::from_iter(found)))
}
