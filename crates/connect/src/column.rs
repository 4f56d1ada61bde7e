//! The columns of a relation: what the database is asked for, and what Arrow makes of the answer.

use arrow::datatypes::{DataType, Field, Schema};

/// How a column's values come from the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Boolean,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Text,
    Bytes,
}

/// What may be asked of a column in the database, so that it gives every row for which the engine finds the same to be
/// true. What the engine compares in another way than the database is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Only whether it is null.
    Null,
    /// Equality, of this expression: databases order text by languages, the engine by bytes.
    Equal(String),
    /// All comparisons, of the column itself.
    All,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// What is selected, in the database's SQL.
    pub(crate) sql: String,
    pub(crate) wire: Wire,
    /// What it is to plans. Where it is not what `wire` gives, Arrow casts it.
    pub(crate) data_type: DataType,
    pub(crate) asked: Asked,
}

impl Column {
    /// A column that is selected as it is.
    pub(crate) fn plain(name: &str, wire: Wire, asked: Asked) -> Self {
        let data_type = match wire {
            Wire::Boolean => DataType::Boolean,
            Wire::Int16 => DataType::Int16,
            Wire::Int32 => DataType::Int32,
            Wire::Int64 => DataType::Int64,
            Wire::Float32 => DataType::Float32,
            Wire::Float64 => DataType::Float64,
            Wire::Text => DataType::Utf8View,
            Wire::Bytes => DataType::Binary,
        };
        Self {
            name: name.to_owned(),
            sql: quoted(name),
            wire,
            data_type,
            asked,
        }
    }

    /// A column that the database gives as text, by this expression.
    pub(crate) fn text(name: &str, sql: String, data_type: DataType, asked: Asked) -> Self {
        Self {
            name: name.to_owned(),
            sql,
            wire: Wire::Text,
            data_type,
            asked,
        }
    }
}

/// The columns as plans see them. Any may be null: what a database promises of a table says little of a query.
pub(crate) fn schema(columns: &[Column]) -> Schema {
    let fields = columns
        .iter()
        .map(|c| Field::new(&c.name, c.data_type.clone(), true));
    Schema::new(fields.collect::<Vec<_>>())
}

/// A name as SQL has it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
