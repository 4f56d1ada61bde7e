//! `SHOW CREATE …`: the statement that makes what is there.
//!
//! Its form is Athena's: the SerDe and the input and output formats by their classes. A statement that is run makes the
//! same definition again: see the tests.

use std::fmt::Write as _;

use mastic_catalog::{Column, Database, Parameters, Table, parameters};

use super::is_view;
use super::table::COLUMN_PARAMETERS;
use crate::error::Result;
use crate::statement::view::Stored;

/// A name in backticks.
pub(in crate::statement) fn name(text: &str) -> String {
    format!("`{}`", text.replace('`', "``"))
}

/// A text in quotes, in which a backslash escapes (Hive).
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && u32::from(c) <= 0xffff => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A list of properties in parentheses, each on a line.
fn properties(all: &Parameters) -> String {
    let lines: Vec<String> = all
        .iter()
        .map(|(key, value)| format!("  {}={}", text(key), text(value)))
        .collect();
    format!("(\n{})", lines.join(",\n"))
}

/// The statement that makes a database.
pub(super) fn database(database: &Database) -> String {
    let mut out = format!("CREATE DATABASE {}", name(&database.name));
    if let Some(comment) = &database.description {
        let _ = write!(out, "\nCOMMENT {}", text(comment));
    }
    if let Some(location) = &database.location_uri {
        let _ = write!(out, "\nLOCATION {}", text(location));
    }
    if !database.parameters.is_empty() {
        let _ = write!(
            out,
            "\nWITH DBPROPERTIES {}",
            properties(&database.parameters)
        );
    }
    out
}

/// The statement that makes a table or a view.
///
/// # Errors
/// When it is a view that cannot be read.
pub(in crate::statement) fn statement(table: &Table) -> Result<String> {
    if is_view(table) {
        return view(table);
    }
    let full = format!("{}.{}", name(&table.database_name), name(&table.name));
    let mut out = format!(
        "CREATE EXTERNAL TABLE {full}(\n{})",
        columns(table.columns())
    );
    if let Some(comment) = &table.description {
        let _ = write!(out, "\nCOMMENT {}", text(comment));
    }
    if !table.partition_keys.is_empty() {
        let _ = write!(
            out,
            "\nPARTITIONED BY (\n{})",
            columns(&table.partition_keys)
        );
    }
    let mut properties_of = table.parameters.clone();
    if let Some(storage) = &table.storage_descriptor {
        if !storage.bucket_columns.is_empty() {
            let names =
                |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<String>>().join(", ");
            let by = names(&mut storage.bucket_columns.iter().map(|c| name(c)));
            let _ = write!(out, "\nCLUSTERED BY ({by})");
            if !storage.sort_columns.is_empty() {
                let by = names(&mut storage.sort_columns.iter().map(|order| {
                    let way = if order.sort_order == 0 { " DESC" } else { "" };
                    format!("{}{way}", name(&order.column))
                }));
                let _ = write!(out, " SORTED BY ({by})");
            }
            let count = storage.number_of_buckets.unwrap_or(1).max(1);
            let _ = write!(out, " INTO {count} BUCKETS");
        }
        if let Some(serde) = &storage.serde_info {
            if let Some(class) = &serde.serialization_library {
                let _ = write!(out, "\nROW FORMAT SERDE {}", text(class));
            }
            if !serde.parameters.is_empty() {
                let _ = write!(
                    out,
                    "\nWITH SERDEPROPERTIES {}",
                    properties(&serde.parameters)
                );
            }
        }
        if let (Some(input), Some(output)) = (&storage.input_format, &storage.output_format) {
            let (input, output) = (text(input), text(output));
            let _ = write!(
                out,
                "\nSTORED AS INPUTFORMAT {input}\nOUTPUTFORMAT {output}"
            );
        }
    }
    let _ = write!(
        out,
        "\nLOCATION {}",
        text(table.location().unwrap_or_default())
    );
    let of_columns: serde_json::Map<String, serde_json::Value> = table
        .columns()
        .iter()
        .filter(|column| !column.parameters.is_empty())
        .map(|column| {
            let own = column.parameters.iter();
            let own = own.map(|(key, value)| (key.clone(), value.clone().into()));
            (
                column.name.clone(),
                serde_json::Value::Object(own.collect()),
            )
        })
        .collect();
    if !of_columns.is_empty() {
        let of_columns = serde_json::Value::Object(of_columns).to_string();
        properties_of.insert(COLUMN_PARAMETERS.to_owned(), of_columns);
    }
    properties_of.retain(|key, value| key != parameters::CLASSIFICATION || !value.is_empty());
    if !properties_of.is_empty() {
        let _ = write!(out, "\nTBLPROPERTIES {}", properties(&properties_of));
    }
    Ok(out)
}

fn columns(columns: &[Column]) -> String {
    let lines: Vec<String> = columns
        .iter()
        .map(|column| {
            let mut line = format!("  {} {}", name(&column.name), data_type(column.hive_type()));
            if let Some(comment) = &column.comment {
                let _ = write!(line, " COMMENT {}", text(comment));
            }
            line
        })
        .collect();
    lines.join(",\n")
}

/// A type of the catalog as a statement writes it: with the names of fields in backticks where they are no words.
fn data_type(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<bool> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '<' | ',' => {
                out.push(c);
                rest = rest.get(1..).unwrap_or_default();
                if c == ',' && !open.last().copied().unwrap_or(false) {
                    continue;
                }
                if c == '<' {
                    let before = out.trim_end_matches('<').trim_end();
                    open.push(before.to_ascii_lowercase().ends_with("struct"));
                }
                if open.last().copied().unwrap_or(false)
                    && let Some(end) = field_end(rest)
                {
                    let field = rest.get(..end).unwrap_or_default().trim();
                    let quoted = field.starts_with('`') || field.chars().all(is_word);
                    if quoted {
                        out.push_str(field);
                    } else {
                        out.push_str(&name(field));
                    }
                    rest = rest.get(end..).unwrap_or_default();
                }
            }
            '>' => {
                open.pop();
                out.push(c);
                rest = rest.get(1..).unwrap_or_default();
            }
            '(' => {
                // decimal(10,2): its comma is no field's.
                let end = rest.find(')').map_or(rest.len(), |end| end + 1);
                out.push_str(rest.get(..end).unwrap_or_default());
                rest = rest.get(end..).unwrap_or_default();
            }
            _ => {
                let end = rest.find(['<', '>', ',', '(']).unwrap_or(rest.len());
                out.push_str(rest.get(..end).unwrap_or_default());
                rest = rest.get(end..).unwrap_or_default();
            }
        }
    }
    out
}

/// Where the name of a field ends, before its colon.
fn field_end(text: &str) -> Option<usize> {
    if !text.starts_with('`') {
        return text.find(':');
    }
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '`' {
            match chars.peek() {
                Some((_, '`')) => {
                    chars.next();
                }
                _ => return Some(at + 1),
            }
        }
    }
    None
}

fn view(table: &Table) -> Result<String> {
    let stored = Stored::of(table).unwrap_or_else(|| Ok(Stored::default()))?;
    let sql_name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let sql_text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let full = format!(
        "{}.{}",
        sql_name(&table.database_name),
        sql_name(&table.name)
    );
    let mut out = format!("CREATE VIEW {full}");
    if table.columns().iter().any(|c| c.comment.is_some()) {
        let columns: Vec<String> = table
            .columns()
            .iter()
            .map(|c| match &c.comment {
                Some(comment) => format!("  {} COMMENT {}", sql_name(&c.name), sql_text(comment)),
                None => format!("  {}", sql_name(&c.name)),
            })
            .collect();
        let _ = write!(out, " (\n{})", columns.join(",\n"));
    }
    if let Some(comment) = stored.comment.as_ref() {
        let _ = write!(out, "\nCOMMENT {}", sql_text(comment));
    }
    let _ = write!(out, " AS\n{}", stored.query);
    Ok(out)
}
