//! What can go wrong with a statement, told to the person who wrote it.

use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use mastic_catalog::CatalogError;
use mastic_lake::LakeError;

/// A result of this crate.
pub type Result<T, E = QueryError> = std::result::Result<T, E>;

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The statement is wrong, or asks for what is not there.
    #[error("{message}")]
    Statement {
        /// What is wrong.
        message: String,
        /// Where in the statement: line and column, from 1.
        place: Option<(u64, u64)>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The statement is none that Mastic answers.
    #[error("{0}")]
    Unsupported(String),
    /// A limit that somebody set was reached.
    #[error("{message}")]
    Limit {
        /// Which limit, what it is, and what went beyond it.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The query was stopped.
    #[error("{0}")]
    Cancelled(String),
    /// The catalog could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A file or store could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The engine failed.
    #[error("{}", mastic_lake::error::message(.0))]
    Engine(DataFusionError),
}

impl QueryError {
    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            QueryError::Statement { hint, .. } => hint.clone(),
            QueryError::Catalog(error) => error.hint(),
            QueryError::Lake(error) => error.hint(),
            QueryError::Engine(error) => match error.find_root() {
                DataFusionError::External(inner) => inner
                    .downcast_ref::<QueryError>()
                    .and_then(QueryError::hint),
                _ => None,
            }
            .or_else(|| mastic_lake::error::find(error).and_then(LakeError::hint)),
            QueryError::Limit { hint, .. } => Some(hint.clone()),
            QueryError::Unsupported(_) | QueryError::Cancelled(_) => None,
        }
    }

    /// The line and column of the statement that it is about, from 1.
    pub fn place(&self) -> Option<(u64, u64)> {
        match self {
            QueryError::Statement { place, .. } => *place,
            _ => None,
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        if error.to_string().contains("OuterReferenceColumn") {
            return QueryError::Unsupported(
                "a subquery that reads another table's columns, other than in EXISTS, IN or a comparison, is not built: join the tables; of an array, write CROSS JOIN UNNEST(column)".into(),
            );
        }
        if mastic_lake::error::find(&error).is_some() {
            return QueryError::Engine(error);
        }
        if let Some(own) = own(&error) {
            return own;
        }
        let diagnostic = error.iter().find_map(|e| e.diagnostic().cloned());
        match error.find_root() {
            DataFusionError::SQL(parser, _) => {
                let message = parser.to_string();
                let (message, place) = cut_place(
                    message
                        .strip_prefix("sql parser error: ")
                        .unwrap_or(&message),
                );
                QueryError::Statement {
                    message: readable(format!("the statement is no SQL: {message}")),
                    place,
                    hint: None,
                }
            }
            DataFusionError::Plan(message) => QueryError::Statement {
                message: readable(message.clone()),
                place: diagnostic.as_ref().and_then(place),
                hint: diagnostic.as_ref().and_then(notes),
            },
            DataFusionError::SchemaError(schema, _) => QueryError::Statement {
                message: readable(schema_message(schema)),
                place: diagnostic.as_ref().and_then(place),
                hint: meant_field(schema),
            },
            _ => QueryError::Engine(error),
        }
    }
}

/// What a table or a view said while it was looked up.
fn own(error: &DataFusionError) -> Option<QueryError> {
    let DataFusionError::External(inner) = error.find_root() else {
        return None;
    };
    match inner.downcast_ref::<QueryError>()? {
        QueryError::Statement {
            message,
            place,
            hint,
        } => Some(QueryError::Statement {
            message: message.clone(),
            place: *place,
            hint: hint.clone(),
        }),
        QueryError::Unsupported(message) => Some(QueryError::Unsupported(message.clone())),
        _ => None,
    }
}

fn place(diagnostic: &Diagnostic) -> Option<(u64, u64)> {
    diagnostic
        .span
        .map(|span| (span.start.line, span.start.column))
}

fn notes(diagnostic: &Diagnostic) -> Option<String> {
    let mut all = diagnostic.helps.iter().map(|h| h.message.clone());
    all.next()
}

/// sqlparser writes the place at the end of its message: `… at Line: 1, Column: 8`.
fn cut_place(message: &str) -> (String, Option<(u64, u64)>) {
    let Some((head, tail)) = message.rsplit_once(" at Line: ") else {
        return (message.to_owned(), None);
    };
    let place = tail.split_once(", Column: ").and_then(|(line, column)| {
        let column = column.trim_end_matches(|c: char| !c.is_ascii_digit());
        Some((line.parse().ok()?, column.parse().ok()?))
    });
    match place {
        Some(place) => (head.to_owned(), Some(place)),
        None => (message.to_owned(), None),
    }
}

fn schema_message(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, .. } => {
            format!("there is no column '{}'", field.flat_name())
        }
        other => other.to_string(),
    }
}

fn meant_field(error: &SchemaError) -> Option<String> {
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = error
    else {
        return None;
    };
    let names: Vec<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
    meant(&field.name, &names)
}

/// The name that was meant by one that there is not, as far as anything can be meant by it.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Longer ones are compared for too long, and nobody mistypes them.
    const LONGEST: usize = 256;
    (name.len() <= LONGEST).then(|| mastic_schema::names::closest(name, known))?
}

/// A message, without the middle of what is too long for anybody to read.
fn readable(message: String) -> String {
    const LONGEST: usize = 2_000;
    const KEPT: usize = 500;
    if message.len() <= LONGEST {
        return message;
    }
    let head = message.char_indices().nth(KEPT).map_or(0, |(at, _)| at);
    let tail = message
        .char_indices()
        .rev()
        .nth(KEPT)
        .map_or(0, |(at, _)| at);
    let (head, tail) = (message.get(..head), message.get(tail..));
    format!(
        "{} … {}",
        head.unwrap_or_default(),
        tail.unwrap_or_default()
    )
}

/// Which of the columns there are was meant by a name that none has.
pub(crate) fn meant(name: &str, names: &[&str]) -> Option<String> {
    if let Some(close) = closest(name, names.iter().copied()) {
        // A name that differs by its case only was written without quotes.
        return Some(
            if close
                .chars()
                .any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
            {
                format!(
                    "did you mean \"{close}\"? Names that are not plain lower case need the quotes"
                )
            } else {
                format!("did you mean '{close}'?")
            },
        );
    }
    const SHOWN: usize = 12;
    let mut known = names
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if names.is_empty() {
        return None;
    }
    if names.len() > SHOWN {
        known.push_str(" …");
    }
    Some(format!("there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_cut_from_messages() {
        assert_eq!(
            cut_place("Expected: x, found: y at Line: 2, Column: 8"),
            ("Expected: x, found: y".into(), Some((2, 8)))
        );
        assert_eq!(cut_place("no place"), ("no place".into(), None));
    }
}
