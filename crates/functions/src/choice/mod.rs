//! Choices made into plain types, and values converted as far as they can be: what a frame's
//! `resolve_choice` and `apply_mapping` put into their plans.
//!
//! | function | gives |
//! |---|---|
//! | `resolve_choice(value, resolutions)` | the value with the choices in it resolved, at any depth |
//! | `cast_failure(value, converted, path, type)` | why a conversion lost a value, or NULL |
//! | `array_field(array, name)` | an array of the elements' fields of that name |
//!
//! The texts are written by this module ([`resolve`], [`cast_failure`], [`array_field`]); a plan that
//! is read elsewhere finds the functions by name.

mod convert;
mod failure;
mod work;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{Expr, ScalarUDF, lit};
use mastic_schema::{choice, hive};
use serde::{Deserialize, Serialize};

use crate::typed::Typed;
pub use convert::convertible;
pub(crate) use convert::{as_list, convert as convert_array, either, under};
pub use failure::{Conversion, can_fail, conversion};
pub use mastic_schema::plain::PlainChoices;

/// One step of the way from a value to a choice in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Into the field of a struct, or the alternative of a choice, by its exact name.
    Field(String),
    /// Into the elements of an array, or the values of a map.
    Items,
}

/// What becomes of a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Every value is converted to this type (Hive's name of it); what cannot be is NULL.
    Cast(String),
    /// Only the values of the alternative of this name are kept.
    Project(String),
    /// Each alternative becomes a field of its own, in the place of the choice.
    MakeCols,
    /// The choice becomes a plain struct of its alternatives.
    MakeStruct,
}

/// A choice in a value, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The way to the choice; no step for the value itself.
    pub path: Vec<Step>,
    /// What becomes of it.
    pub action: Action,
}

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![resolve_udf(), failure_udf(), array_field_udf()]
}

fn resolve_udf() -> Arc<ScalarUDF> {
    Typed::udf(
        "resolve_choice",
        1,
        1,
        |types, texts| match (types, texts) {
            ([data_type], [text]) => Ok(work::compile(data_type, &read(text)?)?.0),
            _ => plan_err!("resolve_choice takes a value and a text"),
        },
        |values, texts| match (values, texts) {
            ([value], [text]) => {
                let (_, work) = work::compile(value.data_type(), &read(text)?)?;
                work.run(value)
            }
            _ => exec_err!("resolve_choice takes a value and a text"),
        },
    )
}

fn failure_udf() -> Arc<ScalarUDF> {
    Typed::udf(
        "cast_failure",
        2,
        2,
        |_, _| Ok(DataType::Utf8),
        |values, texts| match (values, texts) {
            ([value, converted], [path, wanted]) => {
                failure::reasons(value, converted, path, wanted)
            }
            _ => exec_err!("cast_failure takes two values and two texts"),
        },
    )
}

fn array_field_udf() -> Arc<ScalarUDF> {
    Typed::udf(
        "array_field",
        1,
        1,
        |types, texts| match (types, texts) {
            ([data_type], [name]) => {
                let item = convert::item(data_type).map(Field::data_type);
                let Some(DataType::Struct(fields)) = item else {
                    return plan_err!("array_field: {data_type} is no array of structs");
                };
                match fields.iter().find(|f| f.name() == name) {
                    Some(field) => Ok(hive::list_of(field.data_type().clone())),
                    None => plan_err!("array_field: there is no field '{name}'"),
                }
            }
            _ => plan_err!("array_field takes an array and a name"),
        },
        |values, texts| match (values, texts) {
            ([value], [name]) => field_of_items(value, name),
            _ => exec_err!("array_field takes an array and a name"),
        },
    )
}

fn field_of_items(value: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let list = as_list(value)?;
    let Some(items) = list.values().as_struct_opt() else {
        return exec_err!("array_field: {} is no array of structs", value.data_type());
    };
    let Some(field) = items.column_by_name(name) else {
        return exec_err!("array_field: there is no field '{name}'");
    };
    let field = under(items.nulls(), field)?;
    let item = Arc::new(Field::new_list_field(field.data_type().clone(), true));
    let made = ListArray::try_new(item, list.offsets().clone(), field, list.nulls().cloned())?;
    Ok(Arc::new(made))
}

/// The value with choices in it resolved. Where there is nothing to resolve it is the value itself.
pub fn resolve(value: Expr, resolutions: &[Resolution]) -> Result<Expr> {
    if resolutions.is_empty() {
        return Ok(value);
    }
    let text = serde_json::to_string(resolutions)
        .map_err(|e| plan_datafusion_err!("resolve_choice: {e}"))?;
    Ok(resolve_udf().call(vec![value, lit(text)]))
}

/// The type that [`resolve`] gives to a value of this type.
///
/// # Errors
/// When a path leads nowhere, or an action does not fit what it leads to.
pub fn resolved_type(data_type: &DataType, resolutions: &[Resolution]) -> Result<DataType> {
    Ok(work::compile(data_type, resolutions)?.0)
}

/// The value converted to a type, as far as it can be: structs by the names of their fields, arrays and
/// maps by their elements, choices by their alternatives, nested values to text as JSON; what cannot be
/// converted is NULL.
pub fn convert(value: Expr, to: &DataType) -> Result<Expr> {
    resolve(
        value,
        &[Resolution {
            path: Vec::new(),
            action: Action::Cast(choice::format_type(to)),
        }],
    )
}

/// The type that [`convert`] gives: the one that Hive's name of it stands for.
///
/// # Errors
/// When the type has no name that can be read.
pub fn converted_type(to: &DataType) -> Result<DataType> {
    let name = choice::format_type(to);
    hive::parse_type(&name).map_err(|e| plan_datafusion_err!("{e}"))
}

/// Why a conversion lost a value, as in `'abc' in field x is no bigint`; NULL where it lost none.
pub fn cast_failure(value: Expr, converted: Expr, path: &str, wanted: &str) -> Expr {
    failure_udf().call(vec![value, converted, lit(path), lit(wanted)])
}

/// An array of the elements' fields of this name.
pub fn array_field(array: Expr, name: &str) -> Expr {
    array_field_udf().call(vec![array, lit(name)])
}

/// The field that these names lead to through structs, NULL where a struct on the way is.
///
/// # Errors
/// When there is no such field.
pub fn field_at(array: &ArrayRef, path: &[String]) -> Result<ArrayRef> {
    let mut here = Arc::clone(array);
    for name in path {
        let next = here.as_struct_opt().and_then(|own| {
            let column = own.column_by_name(name)?;
            Some(under(own.nulls(), column))
        });
        here = match next {
            Some(next) => next?,
            None => return exec_err!("there is no field '{name}'"),
        };
    }
    Ok(here)
}

/// What an array's elements are, or a map's pairs; nothing where the type is neither.
pub fn elements_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Map(entries, _) => Some(entries.data_type().clone()),
        other => convert::item(other).map(|item| item.data_type().clone()),
    }
}

/// The array, or the map as an array of its pairs, with offsets that begin at nought.
///
/// # Errors
/// When it is neither.
pub fn elements(array: &ArrayRef) -> Result<ListArray> {
    let Some(map) = array.as_map_opt() else {
        return as_list(array);
    };
    let pairs: ArrayRef = Arc::new(map.entries().clone());
    let item = Arc::new(Field::new_list_field(pairs.data_type().clone(), true));
    let list = ListArray::try_new(item, map.offsets().clone(), pairs, map.nulls().cloned())?;
    let list: ArrayRef = Arc::new(list);
    as_list(&list)
}

fn read(text: &str) -> Result<Vec<Resolution>> {
    serde_json::from_str(text).map_err(|e| {
        plan_datafusion_err!("resolve_choice: the text is no list of resolutions: {e}")
    })
}
