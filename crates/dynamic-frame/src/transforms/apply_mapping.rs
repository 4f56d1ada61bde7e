//! `ApplyMapping`: fields to other names, types and places.

use std::str::FromStr;

use arrow::datatypes::DataType;
use datafusion::arrow::compute::can_cast_types;
use mastic_schema::hive::{format_type, parse_type};
use mastic_schema::merge::widen;

use crate::path::Path;
use crate::record::{Node, Record, cast};
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

impl DynamicFrame {
    /// Puts out exactly the mapped fields, in their order. Dots in a source lead into structs, dots
    /// in a target nest into structs that are made; neither leads into arrays, as in Glue.
    ///
    /// * A value that cannot be cast to the target type becomes NULL, as in Glue.
    /// * A source type that does not hold the field's own type is an error: the field is not what
    ///   the mapping was written for.
    /// * A struct that is made is NULL where all its fields are.
    ///
    /// # Errors
    /// When a source does not exist (Glue passes over it), a type is no Hive type or cannot be
    /// cast, or two mappings have the same target.
    pub fn apply_mapping(self, mappings: &[Mapping]) -> Result<Self> {
        let source = self.record();
        let mut target = Record::default();
        for mapping in mappings {
            let from = Path::parse(&mapping.source)?;
            let to = Path::parse(&mapping.target)?;
            let mut value = source.value(&from)?;
            if let Some(text) = &mapping.source_type {
                let declared = data_type(text)?;
                let own = &value.data_type;
                if !same(&declared, own) && !same(&widen(own, &declared), &declared) {
                    return Err(FrameError::TypeMismatch {
                        path: mapping.source.clone(),
                        expected: format_type(&declared),
                        found: format_type(own),
                        hint: Some(format!(
                            "write its own type, '{}', or leave the source type out",
                            format_type(own)
                        )),
                    });
                }
            }
            let wanted = mapping
                .target_type
                .as_ref()
                .or(mapping.source_type.as_ref());
            if let Some(text) = wanted {
                let wanted = data_type(text)?;
                if !same(&wanted, &value.data_type) {
                    if !castable(&value.data_type, &wanted) {
                        return Err(FrameError::TypeMismatch {
                            path: mapping.source.clone(),
                            expected: format!(
                                "a type that can be cast to {}",
                                format_type(&wanted)
                            ),
                            found: format_type(&value.data_type),
                            hint: None,
                        });
                    }
                    value = cast(&value, wanted);
                }
            }
            if target.has(&to) {
                return Err(FrameError::FieldExists {
                    path: to.to_string(),
                });
            }
            target.set_new(&to, Node::Value(value))?;
        }
        self.with_record(&target)
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

fn castable(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Struct(a), DataType::Struct(b)) => b.iter().any(|wanted| {
            a.iter().any(|own| {
                own.name() == wanted.name() && castable(own.data_type(), wanted.data_type())
            })
        }),
        (DataType::Struct(_) | DataType::Map(..), _) => false,
        (_, DataType::Struct(_) | DataType::Map(..)) => matches!(from, DataType::Null),
        _ => can_cast_types(from, to),
    }
}
