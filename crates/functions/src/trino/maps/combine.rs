//! `map_concat`: several maps as one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, MapArray, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::build::{Lengths, map_of, map_type};
use crate::args::Call;
use crate::arrays::key_and_value;
use crate::function::{Function, Params};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![Function::new("map_concat", Params::Custom(types), returns, map_concat).udf()]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let Some((first, rest)) = types.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return plan_err!("{name} takes two maps or more");
    };
    for given in types {
        if key_and_value(given).is_none() {
            return plan_err!("{name} takes maps, not {given}");
        }
    }
    let plain = |t: &DataType| {
        key_and_value(t).map(|(k, v)| (k.data_type().clone(), v.data_type().clone()))
    };
    match rest.iter().find(|t| plain(t) != plain(first)) {
        Some(other) => {
            plan_err!("{name}: {first} and {other} are different types; CAST one of them")
        }
        None => Ok(types.to_vec()),
    }
}

fn returns(types: &[DataType]) -> Result<DataType> {
    match types.first().and_then(key_and_value) {
        Some((key, value)) => Ok(map_type(key.data_type().clone(), value.data_type().clone())),
        None => plan_err!("map_concat takes maps"),
    }
}

/// Of a key that several maps have, the last one's value counts.
fn map_concat(call: &Call<'_>) -> Result<ArrayRef> {
    let maps: Vec<MapArray> = (0..call.len())
        .map(|i| call.map(i))
        .collect::<Result<_>>()?;
    let keys: Vec<&dyn Array> = maps.iter().map(|m| m.keys().as_ref()).collect();
    let values: Vec<&dyn Array> = maps.iter().map(|m| m.values().as_ref()).collect();
    let (keys, values) = (concat(&keys)?, concat(&values)?);
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(&keys))?;
    let mut lengths = Lengths::default();
    let mut taken: Vec<u64> = Vec::new();
    let mut key_places: Vec<u64> = Vec::new();
    for row in 0..call.rows {
        if maps.iter().any(|m| m.is_null(row)) {
            lengths.null();
            continue;
        }
        let begun = taken.len();
        let mut places = HashMap::new();
        let mut base = 0;
        for map in &maps {
            if let Some([from, to]) = map.value_offsets().get(row..row + 2) {
                for at in *from as usize..*to as usize {
                    let at = base + at;
                    let place = *places.entry(rows.row(at)).or_insert(taken.len());
                    if place == taken.len() {
                        taken.push(at as u64);
                        key_places.push(at as u64);
                    } else if let Some(taken) = taken.get_mut(place) {
                        *taken = at as u64;
                    }
                }
            }
            base += map.keys().len();
        }
        lengths.push(taken.len() - begun);
    }
    map_of(
        take(&keys, &UInt64Array::from(key_places), None)?,
        take(&values, &UInt64Array::from(taken), None)?,
        lengths,
    )
}
