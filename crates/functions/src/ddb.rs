//! DynamoDB's JSON, in which every value says its type (`{"S": "text"}`, `{"N": "1"}`, `{"L": […]}`,
//! `{"M": {…}}`), as plain values.
//!
//! Source: "DynamoDB low-level API", data type descriptors, and Glue's `simplify_ddb_json`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{Expr, ScalarUDF, lit};
use mastic_schema::choice::{alternatives, choice_of, format_type, is_choice};
use mastic_schema::hive::{self, list_of};

use crate::choice::{as_list, convert_array, either, under};
use crate::typed::Typed;

const TAGS: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"];

pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![udf()]
}

fn udf() -> Arc<ScalarUDF> {
    Typed::udf(
        "simplify_ddb_json",
        1,
        1,
        |types, texts| match (types, texts) {
            ([data_type], [numbers]) => Ok(simplified_type(data_type, &number_type(numbers)?)),
            _ => plan_err!("simplify_ddb_json takes a value and a type"),
        },
        |values, texts| match (values, texts) {
            ([value], [numbers]) => value_of(value, &number_type(numbers)?),
            _ => exec_err!("simplify_ddb_json takes a value and a type"),
        },
    )
}

fn number_type(text: &str) -> Result<DataType> {
    hive::parse_type(text).map_err(|e| plan_datafusion_err!("simplify_ddb_json: {e}"))
}

/// The attribute's value without the descriptors of its types, at every depth; numbers, which DynamoDB
/// writes as text, become `numbers`.
pub fn simplify(value: Expr, numbers: &DataType) -> Expr {
    udf().call(vec![value, lit(format_type(numbers))])
}

/// Whether this is how DynamoDB's JSON writes a value.
pub fn is_attribute(data_type: &DataType) -> bool {
    tags(data_type).is_some()
}

fn tags(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Struct(fields)
            if !fields.is_empty()
                && !is_choice(data_type)
                && fields.iter().all(|f| TAGS.contains(&f.name().as_str())) =>
        {
            Some(fields)
        }
        _ => None,
    }
}

/// The type that [`simplify`] gives. What is no attribute's value stays as it is.
pub fn simplified_type(data_type: &DataType, numbers: &DataType) -> DataType {
    let Some(fields) = tags(data_type) else {
        return data_type.clone();
    };
    let types: Vec<DataType> = told(fields)
        .map(|(_, field)| tagged_type(field, numbers))
        .collect();
    match shape(&types) {
        Shape::One => types.into_iter().next().unwrap_or(DataType::Boolean),
        Shape::Choice(choice) => choice,
        Shape::Struct => {
            let fields = told(fields)
                .zip(types)
                .map(|((_, field), data_type)| Arc::new(Field::new(field.name(), data_type, true)));
            DataType::Struct(fields.collect())
        }
    }
}

/// The descriptors that say something: `NULL` says that there is no value, unless nothing else was seen.
fn told(fields: &Fields) -> impl Iterator<Item = (usize, &FieldRef)> {
    let only = fields.len() == 1;
    fields
        .iter()
        .enumerate()
        .filter(move |(_, f)| only || f.name() != "NULL")
}

enum Shape {
    /// All are of one type.
    One,
    /// Each is an alternative of its own.
    Choice(DataType),
    /// Two arrays of different elements, say: the descriptors stay.
    Struct,
}

fn shape(types: &[DataType]) -> Shape {
    let mut different: Vec<&DataType> = Vec::new();
    for data_type in types {
        if !different.contains(&data_type) {
            different.push(data_type);
        }
    }
    if different.len() <= 1 {
        return Shape::One;
    }
    let choice = choice_of(different.iter().map(|t| (*t).clone()));
    let whole = alternatives(&choice).is_some_and(|own| {
        own.len() == different.len() && own.iter().all(|f| different.contains(&f.data_type()))
    });
    if whole {
        Shape::Choice(choice)
    } else {
        Shape::Struct
    }
}

fn tagged_type(field: &Field, numbers: &DataType) -> DataType {
    let own = field.data_type();
    match (field.name().as_str(), own) {
        ("N", _) => numbers.clone(),
        ("NS", DataType::List(_)) => list_of(numbers.clone()),
        ("L", DataType::List(item)) => list_of(simplified_type(item.data_type(), numbers)),
        ("M", DataType::Struct(fields)) if !is_choice(own) => {
            let fields = fields.iter().map(|f| {
                let simple = simplified_type(f.data_type(), numbers);
                Arc::new(
                    f.as_ref()
                        .clone()
                        .with_data_type(simple)
                        .with_nullable(true),
                )
            });
            DataType::Struct(fields.collect())
        }
        ("M", DataType::Map(entries, sorted)) => match entries.data_type() {
            DataType::Struct(pair) => {
                let fields = pair.iter().enumerate().map(|(at, f)| match at {
                    0 => Arc::clone(f),
                    _ => {
                        let simple = simplified_type(f.data_type(), numbers);
                        Arc::new(
                            f.as_ref()
                                .clone()
                                .with_data_type(simple)
                                .with_nullable(true),
                        )
                    }
                });
                let pair = DataType::Struct(fields.collect());
                let entries = entries.as_ref().clone().with_data_type(pair);
                DataType::Map(Arc::new(entries), *sorted)
            }
            _ => own.clone(),
        },
        _ => own.clone(),
    }
}

fn value_of(array: &ArrayRef, numbers: &DataType) -> Result<ArrayRef> {
    let Some(fields) = tags(array.data_type()) else {
        return Ok(Arc::clone(array));
    };
    let own = array.as_struct();
    let mut made = Vec::new();
    for (at, field) in told(fields) {
        let column = under(own.nulls(), own.column(at))?;
        made.push((field.name(), tagged(field.name(), &column, numbers)?));
    }
    let types: Vec<DataType> = made.iter().map(|(_, a)| a.data_type().clone()).collect();
    match shape(&types) {
        Shape::One => {
            let mut all: Option<ArrayRef> = None;
            for (_, next) in made {
                all = Some(match all {
                    None => next,
                    Some(before) => either(before, next)?,
                });
            }
            Ok(all.unwrap_or_else(|| new_null_array(&DataType::Boolean, array.len())))
        }
        Shape::Choice(choice) => {
            let DataType::Struct(fields) = choice else {
                return exec_err!("simplify_ddb_json: {choice} is no choice");
            };
            let mut columns = Vec::with_capacity(fields.len());
            for field in &fields {
                let mut all = new_null_array(field.data_type(), array.len());
                for (_, next) in made
                    .iter()
                    .filter(|(_, a)| a.data_type() == field.data_type())
                {
                    all = either(all, Arc::clone(next))?;
                }
                columns.push(all);
            }
            let nulls = own.nulls().cloned();
            Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?))
        }
        Shape::Struct => {
            let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = made
                .into_iter()
                .map(|(name, a)| (Arc::new(Field::new(name, a.data_type().clone(), true)), a))
                .unzip();
            let nulls = own.nulls().cloned();
            Ok(Arc::new(StructArray::try_new(
                Fields::from(fields),
                columns,
                nulls,
            )?))
        }
    }
}

fn tagged(tag: &str, array: &ArrayRef, numbers: &DataType) -> Result<ArrayRef> {
    match (tag, array.data_type()) {
        ("N", _) => convert_array(array, numbers),
        ("NS", DataType::List(_)) => convert_array(array, &list_of(numbers.clone())),
        ("L", DataType::List(_)) => {
            let list = as_list(array)?;
            let values = value_of(list.values(), numbers)?;
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            let made = arrow::array::ListArray::try_new(item, offsets, values, nulls)?;
            Ok(Arc::new(made))
        }
        ("M", DataType::Struct(fields)) if !is_choice(array.data_type()) => {
            let own = array.as_struct();
            let columns = own.columns().iter().map(|c| value_of(c, numbers));
            let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
            let fields = fields.iter().zip(&columns).map(|(f, c)| {
                let field = f.as_ref().clone().with_data_type(c.data_type().clone());
                Arc::new(field.with_nullable(true))
            });
            let nulls = own.nulls().cloned();
            Ok(Arc::new(StructArray::try_new(
                fields.collect(),
                columns,
                nulls,
            )?))
        }
        ("M", DataType::Map(..)) => {
            let own = array.as_map();
            let to = tagged_type(&Field::new("M", array.data_type().clone(), true), numbers);
            let DataType::Map(entries, sorted) = to else {
                return exec_err!("simplify_ddb_json: {to} is no map");
            };
            let DataType::Struct(pair) = entries.data_type().clone() else {
                return exec_err!("simplify_ddb_json: a map without pairs");
            };
            let columns = vec![Arc::clone(own.keys()), value_of(own.values(), numbers)?];
            Ok(Arc::new(MapArray::try_new(
                entries,
                own.offsets().clone(),
                StructArray::try_new(pair, columns, None)?,
                own.nulls().cloned(),
                sorted,
            )?))
        }
        _ => Ok(Arc::clone(array)),
    }
}
