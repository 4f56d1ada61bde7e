//! `ApplyMapping`: fields to other names, types and places.

use std::str::FromStr;

use arrow::datatypes::DataType;
use datafusion::functions::core;
use mastic_functions::choice::{can_fail, cast_failure, convertible};
use mastic_schema::choice::{alternatives, format_type};
use mastic_schema::hive::parse_type;
use mastic_schema::merge::widen;
use mastic_schema::names;

use crate::path::Path;
use crate::record::{Node, Record, converted};
use crate::{DynamicFrame, FrameError, Result};

/// One field of a [`DynamicFrame::apply_mapping`]: where it comes from and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapping {
    /// The source field's path.
    pub source: String,
    /// The type that the source is taken to have; its own where none is given.
    pub source_type: Option<String>,
    /// The target field's path.
    pub target: String,
    /// The type that the target gets; the source's where none is given.
    pub target_type: Option<String>,
}

impl Mapping {
    /// A mapping that keeps the type.
    pub fn new(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            source_type: None,
            target: target.into(),
            target_type: None,
        }
    }

    /// Glue's tuple: source, its type, target, its type.
    pub fn typed(
        source: impl Into<String>,
        source_type: impl Into<String>,
        target: impl Into<String>,
        target_type: impl Into<String>,
    ) -> Self {
        Self {
            source_type: Some(source_type.into()),
            target_type: Some(target_type.into()),
            ..Self::new(source, target)
        }
    }
}

impl FromStr for Mapping {
    type Err = FrameError;

    /// Reads the arrow form, `origin string -> route.origin string`, in which both types may be
    /// left out.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || FrameError::BadMapping {
            text: text.to_owned(),
        };
        let mut in_ticks = false;
        let arrow = text
            .char_indices()
            .find(|(at, c)| {
                in_ticks ^= *c == '`';
                !in_ticks && text[*at..].starts_with("->")
            })
            .map(|(at, _)| at)
            .ok_or_else(bad)?;
        let (source, source_type) = field_and_type(&text[..arrow]).ok_or_else(bad)?;
        let (target, target_type) = field_and_type(&text[arrow + 2..]).ok_or_else(bad)?;
        Ok(Self {
            source,
            source_type,
            target,
            target_type,
        })
    }
}

/// Parts `` `a b`.c struct<x: int> `` after the path.
fn field_and_type(text: &str) -> Option<(String, Option<String>)> {
    let text = text.trim();
    let mut in_ticks = false;
    let end = text.find(|c: char| {
        in_ticks ^= c == '`';
        !in_ticks && c.is_whitespace()
    });
    let (path, data_type) = text.split_at(end.unwrap_or(text.len()));
    if path.is_empty() {
        return None;
    }
    let data_type = data_type.trim();
    Some((
        path.to_owned(),
        (!data_type.is_empty()).then(|| data_type.to_owned()),
    ))
}

/// What becomes of a record with a value that cannot be cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnError {
    /// It becomes an error record.
    #[default]
    SetAside,
    /// The value becomes NULL, as in Glue.
    Null,
}

impl OnError {
    /// The names, as a script writes them.
    pub const NAMES: [&'static str; 2] = ["set_aside", "null"];
}

impl FromStr for OnError {
    type Err = Option<String>;

    /// Reads a name; the error is the closest one, where one is close.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "set_aside" => Ok(Self::SetAside),
            "null" => Ok(Self::Null),
            _ => Err(names::closest(text, Self::NAMES)),
        }
    }
}

impl DynamicFrame {
    /// [`DynamicFrame::apply_mapping_with`], in which a record with a value that cannot be cast is set aside.
    ///
    /// # Errors
    /// As there.
    pub fn apply_mapping(self, mappings: &[Mapping]) -> Result<Self> {
        self.apply_mapping_with(mappings, OnError::SetAside)
    }

    /// Puts out exactly the mapped fields, in their order. Dots in a source lead into structs and to a
    /// choice's alternatives, dots in a target nest into structs that are made; neither leads into arrays, as
    /// in Glue.
    ///
    /// * A record with a value that cannot be cast to the target type is set aside as an error record, or the
    ///   value becomes NULL, as in Glue: `on_error` says which. In structs, arrays and maps, which are cast by
    ///   the names of their fields and by their elements, it is the same.
    /// * A choice that is mapped to a type is cast to it as by [`DynamicFrame::resolve_choice`]; mapped without
    ///   one, it stays a choice. Its source type is `choice` or that of one of its alternatives.
    /// * A source type that does not hold the field's own type is an error: the field is not what
    ///   the mapping was written for.
    /// * A struct that is made is NULL where all its fields are.
    ///
    /// # Errors
    /// When a source does not exist (Glue passes over it), a type is no Hive type or cannot be
    /// cast, or two mappings have the same target.
    pub fn apply_mapping_with(self, mappings: &[Mapping], on_error: OnError) -> Result<Self> {
        let source = self.record();
        let mut target = Record::default();
        let mut reasons = Vec::new();
        for mapping in mappings {
            let from = Path::parse(&mapping.source)?;
            let to = Path::parse(&mapping.target)?;
            let mut value = source.value(&from)?;
            if let Some(wanted) = wanted(mapping, &value.data_type)?
                && !same(&wanted, &value.data_type)
            {
                if !convertible(&value.data_type, &wanted) {
                    return Err(FrameError::TypeMismatch {
                        path: mapping.source.clone(),
                        expected: format!("a type that can be cast to {}", format_type(&wanted)),
                        found: format_type(&value.data_type),
                        hint: None,
                    });
                }
                let made = converted(&value, &wanted)?;
                if on_error == OnError::SetAside && can_fail(&value.data_type, &wanted) {
                    reasons.push(cast_failure(
                        value.expr,
                        made.expr.clone(),
                        &mapping.source,
                        &format_type(&wanted),
                    ));
                }
                value = made;
            }
            if target.has(&to) {
                return Err(FrameError::FieldExists {
                    path: to.to_string(),
                });
            }
            target.set_new(&to, Node::Value(value))?;
        }
        let step = self.step("apply_mapping");
        let frame = match reasons.len() {
            0 => self,
            1 => reasons
                .into_iter()
                .fold(self, |f, reason| f.set_aside(&step, reason)),
            _ => self.set_aside(&step, core::coalesce().call(reasons)),
        };
        frame.with_record(&target)
    }
}

/// The type that a mapping gives its target, where it says one.
fn wanted(mapping: &Mapping, own: &DataType) -> Result<Option<DataType>> {
    let choice = alternatives(own);
    let declared = match &mapping.source_type {
        // Glue's scripts write so where they do not know better.
        Some(text) if choice.is_some() && text.trim() == "choice" => None,
        Some(text) => Some(data_type(text)?),
        None => None,
    };
    if let Some(declared) = &declared {
        let one_of = choice.is_some_and(|all| all.iter().any(|f| same(declared, f.data_type())));
        if !one_of && !same(declared, own) && !same(&widen(own, declared), declared) {
            return Err(FrameError::TypeMismatch {
                path: mapping.source.clone(),
                expected: format_type(declared),
                found: format_type(own),
                hint: Some(format!(
                    "write its own type, '{}', or leave the source type out",
                    format_type(own)
                )),
            });
        }
    }
    match &mapping.target_type {
        Some(text) => data_type(text).map(Some),
        None => Ok(declared),
    }
}

fn data_type(text: &str) -> Result<DataType> {
    parse_type(text).map_err(|source| FrameError::BadType {
        text: text.to_owned(),
        source,
    })
}

/// Whether the types are the same to Hive: Arrow has several for text, and units of time.
fn same(a: &DataType, b: &DataType) -> bool {
    a.equals_datatype(b) || format_type(a) == format_type(b)
}
