//! Arrays. Semantics: <https://trino.io/docs/current/functions/array.html>.
//!
//! Elements are compared by Arrow's row format, in which NULL equals NULL and NaN equals NaN, as in Trino's
//! `IS NOT DISTINCT FROM`.

mod cut;
mod groups;
mod order;
pub(crate) mod pick;
mod sequence;
mod sets;
mod vectors;
mod zip;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::binary::comparison_coercion;

use crate::arrays::{alike, element, list_of};

pub(crate) use cut::subscript;
pub(crate) use zip::unnest_rows;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    [
        cut::all(),
        groups::all(),
        order::all(),
        sequence::all(),
        sets::all(),
        vectors::all(),
        zip::all(),
    ]
    .concat()
}

/// The elements of columns of one type as rows, which compare and hash; NULL is the greatest.
fn rows_of(columns: &[&ArrayRef]) -> Result<Vec<Rows>> {
    let Some(first) = columns.first() else {
        return Ok(Vec::new());
    };
    let options = SortOptions {
        descending: false,
        nulls_first: false,
    };
    let field = SortField::new_with_options(first.data_type().clone(), options);
    let converter = RowConverter::new(vec![field])?;
    columns
        .iter()
        .map(|c| Ok(converter.convert_columns(std::slice::from_ref(*c))?))
        .collect()
}

/// One array.
fn one_list(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::Null] => Ok(vec![DataType::new_list(DataType::Null, true)]),
        [list] => match element(list) {
            Some(field) => Ok(vec![list_of(field, field.data_type())]),
            None => plan_err!("{name} takes an array, not {list}"),
        },
        _ => plan_err!("{name} takes 1 argument, not {}", types.len()),
    }
}

/// Two arrays or more, whose elements get the type that they have in common.
fn lists(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let mut common: Option<DataType> = None;
    for given in types {
        let held = match given {
            DataType::Null => &DataType::Null,
            list => match element(list) {
                Some(field) => field.data_type(),
                None => return plan_err!("{name} takes arrays, not {list}"),
            },
        };
        common = Some(match common {
            None => held.clone(),
            Some(before) => match together(&before, held) {
                Some(both) => both,
                None => {
                    return plan_err!(
                        "{name}: arrays of {before} and of {held} have no type in common"
                    );
                }
            },
        });
    }
    match common {
        Some(held) => Ok(vec![DataType::List(pick::items(&held)); types.len()]),
        None => plan_err!("{name} takes arrays"),
    }
}

/// The type in which values of two types compare.
fn together(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b || b.is_null() {
        return Some(a.clone());
    }
    if a.is_null() {
        return Some(b.clone());
    }
    alike(a, b).then(|| comparison_coercion(a, b)).flatten()
}

fn two_lists(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types.len() {
        2 => lists(name, types),
        n => plan_err!("{name} takes 2 arguments, not {n}"),
    }
}

/// An array and a value that it could hold.
fn list_and_value(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [list, value] = types else {
        return plan_err!("{name} takes 2 arguments, not {}", types.len());
    };
    let held = match element(list) {
        Some(field) => field.data_type().clone(),
        None if list.is_null() => DataType::Null,
        None => return plan_err!("{name}: argument 1 must be an array, not {list}"),
    };
    match together(&held, value) {
        Some(both) => Ok(vec![DataType::List(pick::items(&both)), both]),
        None => plan_err!("{name}: an array of {held} cannot hold a {value}"),
    }
}

/// The type of the first argument.
fn as_first(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(first) => Ok(first.clone()),
        None => plan_err!("an argument is missing"),
    }
}

/// The type of the first argument's elements.
fn held_by_first(types: &[DataType]) -> Result<DataType> {
    match types.first().and_then(element) {
        Some(field) => Ok(field.data_type().clone()),
        None => plan_err!("the first argument must be an array"),
    }
}
