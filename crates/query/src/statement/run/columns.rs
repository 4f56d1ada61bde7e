//! Columns of a statement as columns of the catalog.

use std::collections::HashSet;

use mastic_catalog::{Column, Table};

use super::super::command::ColumnDef;
use super::super::words::Name;
use super::{Context, full_name};
use crate::error::Result;

/// Columns, none of which has the name of another or of `taken`.
pub(super) fn columns(
    context: &Context<'_>,
    defined: &[ColumnDef],
    taken: &[Column],
) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::with_capacity(defined.len());
    let mut names: HashSet<String> = taken.iter().map(|c| c.name.to_lowercase()).collect();
    let written: HashSet<&str> = defined.iter().map(|one| one.name.value.as_str()).collect();
    for one in defined {
        let mut name = one.name.value.to_lowercase();
        // Two columns of files may differ by their case alone: a crawl keeps the case of one of them.
        if one.name.quoted && name != one.name.value && written.contains(name.as_str()) {
            name.clone_from(&one.name.value);
        }
        if !names.insert(name.clone()) {
            let partition = taken.iter().any(|c| c.name.eq_ignore_ascii_case(&name));
            let message = if partition {
                format!("'{name}' is there already, as a column or a partition key")
            } else {
                format!("there are two columns '{name}'")
            };
            let hint = partition.then(|| {
                "a partition key is no column of the files: leave it out of the columns".to_owned()
            });
            return Err(context.wrong(one.name.start, message, hint));
        }
        columns.push(Column {
            comment: one.comment.clone(),
            ..Column::new(name, one.hive_type.as_str())
        });
    }
    Ok(columns)
}

/// Where a table's column is among those of its files.
pub(super) fn position(context: &Context<'_>, table: &Table, name: &Name) -> Result<usize> {
    let columns = table.columns();
    let exact = columns.iter().position(|c| c.name == name.value);
    let found = exact.or_else(|| {
        columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(&name.value))
    });
    if let Some(at) = found {
        return Ok(at);
    }
    if table
        .partition_keys
        .iter()
        .any(|key| key.name.eq_ignore_ascii_case(&name.value))
    {
        let message = format!(
            "'{}' is a partition key of {}",
            name.value,
            full_name(table)
        );
        return Err(context.wrong(name.start, message, None));
    }
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let message = format!("{} has no column '{}'", full_name(table), name.value);
    Err(context.wrong(
        name.start,
        message,
        crate::error::meant(&name.value, &names),
    ))
}
