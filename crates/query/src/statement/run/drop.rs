//! Tables and views dropped. No file is ever deleted.

use datafusion::dataframe::DataFrame;
use mastic_catalog::Change;

use super::super::command::Kind;
use super::super::words::TableName;
use super::{Context, expected, full_name, is_of, is_view};
use crate::error::Result;

pub(super) async fn drop(
    context: &Context<'_>,
    what: Kind,
    name: &TableName,
    if_exists: bool,
) -> Result<DataFrame> {
    let word = match what {
        Kind::Table => "table",
        Kind::View => "view",
    };
    let table = match context.find(name).await {
        Ok(table) => table,
        Err(_) if if_exists => {
            let database = context.database_of(name);
            return context.status(format!("there is no {word} {database}.{}", name.table));
        }
        Err(error) => return Err(error),
    };
    if !is_of(&table, what) {
        let (is, write) = match what {
            Kind::Table => ("a view", "DROP VIEW"),
            Kind::View => ("a table", "DROP TABLE"),
        };
        let message = format!("{} is {is}", full_name(&table));
        return Err(context.wrong(name.start, message, Some(format!("write {write}"))));
    }
    let change = Change::DeleteTable {
        database: table.database_name.clone(),
        name: table.name.clone(),
        expected: expected(&table),
    };
    context.apply(vec![change]).await?;
    let full = full_name(&table);
    context.status(match table.location() {
        Some(place) if !is_view(&table) => {
            format!("dropped the table {full}; its files are still in {place}")
        }
        _ => format!("dropped the {word} {full}"),
    })
}
