//! Resolutions compiled against a type.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err, plan_datafusion_err, plan_err};
use mastic_schema::choice::{MARK, alternatives};
use mastic_schema::hive::{self, list_of};

use super::convert::{as_list, convert, item, pair, under};
use super::{Action, Resolution, Step};

/// What is done to a value.
pub(super) enum Work {
    Keep,
    Convert(DataType),
    /// The alternative in this place.
    Alternative(usize),
    /// A struct of these fields, each made from the one in that place.
    Struct(Vec<Part>),
    Items(FieldRef, Box<Work>),
    Values(DataType, Box<Work>),
}

pub(super) struct Part {
    from: usize,
    field: FieldRef,
    work: Work,
}

/// What a value becomes: one value, or one for each alternative.
enum Made {
    One(DataType, Work),
    Columns(Vec<(String, DataType, usize)>),
}

/// The type that the resolutions give, and what is to be done for it.
pub(super) fn compile(data_type: &DataType, all: &[Resolution]) -> Result<(DataType, Work)> {
    let all: Vec<Rest<'_>> = all.iter().map(|r| (r.path.as_slice(), &r.action)).collect();
    match made(data_type, &all)? {
        Made::One(data_type, work) => Ok((data_type, work)),
        Made::Columns(_) => plan_err!("make_cols has no place for its fields here"),
    }
}

type Rest<'a> = (&'a [Step], &'a Action);

fn made(data_type: &DataType, all: &[Rest<'_>]) -> Result<Made> {
    let here = all.iter().find(|(path, _)| path.is_empty());
    if let Some((_, action)) = here {
        if all.len() > 1 {
            return plan_err!("a choice and one within it cannot be resolved at once");
        }
        return act(data_type, action);
    }
    if all.is_empty() {
        return Ok(Made::One(data_type.clone(), Work::Keep));
    }
    match data_type {
        DataType::Struct(fields) => within(fields, all),
        DataType::Map(entries, sorted) => {
            let Some((key, value)) = pair(data_type) else {
                return plan_err!("{data_type} is no map");
            };
            let (value_type, work) = inside(value.data_type(), all)?;
            let value = value.as_ref().clone().with_data_type(value_type);
            let fields = Fields::from(vec![key.clone(), Arc::new(value.with_nullable(true))]);
            let entries = entries
                .as_ref()
                .clone()
                .with_data_type(DataType::Struct(fields));
            let made = DataType::Map(Arc::new(entries), *sorted);
            Ok(Made::One(made.clone(), Work::Values(made, work.into())))
        }
        _ => match item(data_type) {
            Some(item) => {
                let (item_type, work) = inside(item.data_type(), all)?;
                let made = list_of(item_type.clone());
                let item = Arc::new(Field::new_list_field(item_type, true));
                Ok(Made::One(made, Work::Items(item, work.into())))
            }
            None => plan_err!("a path leads into {data_type}"),
        },
    }
}

/// The elements of an array, the values of a map.
fn inside(data_type: &DataType, all: &[Rest<'_>]) -> Result<(DataType, Work)> {
    let rest: Option<Vec<Rest<'_>>> = all
        .iter()
        .map(|(path, action)| match path.split_first() {
            Some((Step::Items, rest)) => Some((rest, *action)),
            _ => None,
        })
        .collect();
    let Some(rest) = rest else {
        return plan_err!("a path leads to a field of an array");
    };
    match made(data_type, &rest)? {
        Made::One(data_type, work) => Ok((data_type, work)),
        Made::Columns(_) => plan_err!("an array's elements cannot be made columns"),
    }
}

fn within(fields: &Fields, all: &[Rest<'_>]) -> Result<Made> {
    for (path, _) in all {
        match path.first() {
            Some(Step::Field(name)) if fields.iter().any(|f| f.name() == name) => {}
            Some(Step::Field(name)) => return plan_err!("there is no field '{name}'"),
            _ => return plan_err!("a path leads into a struct as if it were an array"),
        }
    }
    let mut parts = Vec::with_capacity(fields.len());
    for (from, field) in fields.iter().enumerate() {
        let rest: Vec<Rest<'_>> = all
            .iter()
            .filter_map(|(path, action)| match path.split_first() {
                Some((Step::Field(name), rest)) if name == field.name() => Some((rest, *action)),
                _ => None,
            })
            .collect();
        match made(field.data_type(), &rest)? {
            Made::One(data_type, work) => {
                let field = match work {
                    Work::Keep => Arc::clone(field),
                    _ => {
                        let made = field.as_ref().clone().with_data_type(data_type);
                        Arc::new(made.with_nullable(true))
                    }
                };
                parts.push(Part { from, field, work });
            }
            Made::Columns(columns) => {
                for (suffix, data_type, at) in columns {
                    let name = format!("{}_{suffix}", field.name());
                    parts.push(Part {
                        from,
                        field: Arc::new(Field::new(name, data_type, true)),
                        work: Work::Alternative(at),
                    });
                }
            }
        }
    }
    let mut seen = HashSet::new();
    if let Some(twice) = parts.iter().find(|p| !seen.insert(p.field.name())) {
        return plan_err!("the field '{}' is there already", twice.field.name());
    }
    let fields = parts.iter().map(|p| Arc::clone(&p.field)).collect();
    Ok(Made::One(DataType::Struct(fields), Work::Struct(parts)))
}

fn act(data_type: &DataType, action: &Action) -> Result<Made> {
    if let Action::Cast(text) = action {
        let to = hive::parse_type(text).map_err(|e| plan_datafusion_err!("{e}"))?;
        let work = Work::Convert(to.clone());
        return Ok(Made::One(to, work));
    }
    let Some(own) = alternatives(data_type) else {
        return plan_err!("{data_type} is no choice");
    };
    match action {
        Action::Cast(_) | Action::MakeStruct => {
            let parts: Vec<Part> = own
                .iter()
                .enumerate()
                .map(|(from, field)| Part {
                    from,
                    field: unmarked(field),
                    work: Work::Keep,
                })
                .collect();
            let fields = parts.iter().map(|p| Arc::clone(&p.field)).collect();
            Ok(Made::One(DataType::Struct(fields), Work::Struct(parts)))
        }
        Action::Project(name) => match own.iter().position(|f| f.name() == name) {
            Some(at) => Ok(Made::One(
                own[at].data_type().clone(),
                Work::Alternative(at),
            )),
            None => plan_err!("the choice has no '{name}'"),
        },
        Action::MakeCols => {
            let columns = own
                .iter()
                .enumerate()
                .map(|(at, f)| (f.name().clone(), f.data_type().clone(), at));
            Ok(Made::Columns(columns.collect()))
        }
    }
}

fn unmarked(field: &FieldRef) -> FieldRef {
    let mut metadata = field.metadata().clone();
    metadata.remove(MARK);
    Arc::new(field.as_ref().clone().with_metadata(metadata))
}

impl Work {
    pub(super) fn run(&self, array: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Self::Keep => Ok(Arc::clone(array)),
            Self::Convert(to) => convert(array, to),
            Self::Alternative(at) => {
                let Some(own) = array.as_struct_opt() else {
                    return exec_err!("{} is no choice", array.data_type());
                };
                match own.columns().get(*at) {
                    Some(column) => under(own.nulls(), column),
                    None => exec_err!("{} has no alternative {at}", array.data_type()),
                }
            }
            Self::Struct(parts) => {
                let Some(own) = array.as_struct_opt() else {
                    return exec_err!("{} is no struct", array.data_type());
                };
                let columns = parts.iter().map(|part| match own.columns().get(part.from) {
                    Some(column) => part.work.run(column),
                    None => exec_err!("{} has no field {}", array.data_type(), part.from),
                });
                let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
                let fields: Fields = parts.iter().map(|p| Arc::clone(&p.field)).collect();
                let nulls = own.nulls().cloned();
                Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?))
            }
            Self::Items(item, work) => {
                let list = as_list(array)?;
                let values = work.run(list.values())?;
                Ok(Arc::new(ListArray::try_new(
                    Arc::clone(item),
                    list.offsets().clone(),
                    values,
                    list.nulls().cloned(),
                )?))
            }
            Self::Values(to, work) => {
                let (DataType::Map(entries, sorted), Some(own)) = (to, array.as_map_opt()) else {
                    return exec_err!("{} is no map", array.data_type());
                };
                let DataType::Struct(fields) = entries.data_type() else {
                    return exec_err!("{to} is no map");
                };
                let columns = vec![Arc::clone(own.keys()), work.run(own.values())?];
                let pairs = StructArray::try_new(fields.clone(), columns, None)?;
                Ok(Arc::new(MapArray::try_new(
                    Arc::clone(entries),
                    own.offsets().clone(),
                    pairs,
                    own.nulls().cloned(),
                    *sorted,
                )?))
            }
        }
    }
}
