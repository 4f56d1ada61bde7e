//! What differs between two versions of a schema.

use std::fmt;

use arrow_schema::{DataType, Fields};

use crate::hive::format_type;
use crate::merge::position;

/// One difference between two schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field, with `.` between the names of nested fields and `[]` after an array.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// Only the new schema has it.
    Added {
        /// Its type.
        data_type: DataType,
    },
    /// Only the old schema had it.
    Removed {
        /// The type it had.
        data_type: DataType,
    },
    /// Its type is another one.
    Retyped {
        /// The old type.
        from: DataType,
        /// The new type.
        to: DataType,
    },
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            ChangeKind::Added { data_type } => write!(f, "+ {path}: {}", format_type(data_type)),
            ChangeKind::Removed { data_type } => write!(f, "- {path}: {}", format_type(data_type)),
            ChangeKind::Retyped { from, to } => {
                write!(f, "~ {path}: {} → {}", format_type(from), format_type(to))
            }
        }
    }
}

/// Every difference between two schemas, in the order of the new one, removed fields last.
/// Structs are compared field by field, so that a change deep in a document is told as what it is.
pub fn schema_changes(old: &Fields, new: &Fields) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", old, new, &mut changes);
    changes
}

fn compare(path: &str, old: &Fields, new: &Fields, changes: &mut Vec<FieldChange>) {
    let full = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for field in new {
        match position(old, field.name()) {
            None => changes.push(FieldChange {
                path: full(field.name()),
                kind: ChangeKind::Added {
                    data_type: field.data_type().clone(),
                },
            }),
            Some(i) => compare_types(
                &full(field.name()),
                old[i].data_type(),
                field.data_type(),
                changes,
            ),
        }
    }
    for field in old {
        if position(new, field.name()).is_none() {
            changes.push(FieldChange {
                path: full(field.name()),
                kind: ChangeKind::Removed {
                    data_type: field.data_type().clone(),
                },
            });
        }
    }
}

fn compare_types(path: &str, old: &DataType, new: &DataType, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (DataType::Struct(a), DataType::Struct(b)) => compare(path, a, b, changes),
        (DataType::List(a), DataType::List(b)) => {
            compare_types(&format!("{path}[]"), a.data_type(), b.data_type(), changes);
        }
        _ if old == new => {}
        _ => changes.push(FieldChange {
            path: path.to_owned(),
            kind: ChangeKind::Retyped {
                from: old.clone(),
                to: new.clone(),
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::parse_type;

    #[test]
    fn names_each_change_by_its_path() {
        let (Ok(DataType::Struct(old)), Ok(DataType::Struct(new))) = (
            parse_type("struct<a:int,b:struct<c:int,d:string>,e:array<struct<f:int>>,g:date>"),
            parse_type("struct<a:bigint,b:struct<c:int,x:date>,e:array<struct<f:double>>>"),
        ) else {
            panic!("both are structs")
        };
        let told: Vec<String> = schema_changes(&old, &new)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "~ a: int → bigint",
                "+ b.x: date",
                "- b.d: string",
                "~ e[].f: int → double",
                "- g: date",
            ]
        );
        assert_eq!(schema_changes(&old, &old), []);
    }
}
