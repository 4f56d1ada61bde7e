//! Statistics of tables: one JSON document for each, replaced as a whole, gone with the table.

use super::dialect::Dialect;
use super::driver::{Pool, Tx, args};
use super::lock::lock_key;
use super::lookup::{FoundTable, find_table, table_not_found};
use super::partitions::to_json;
use crate::error::Result;
use crate::model::TableStatistics;
use crate::model::named::invalid;

pub(super) async fn get(
    tx: &mut Tx,
    database: &str,
    table: &str,
) -> Result<Option<TableStatistics>> {
    let found = existing_table(tx, database, table).await?;
    tx.row(
        &format!("read the statistics of {database}.{table}"),
        "SELECT definition FROM table_statistics WHERE table_id = $1",
        args![found.id],
        |row| Ok(serde_json::from_str(&row.text(0)?)?),
    )
    .await
}

pub(super) async fn put(
    pool: &Pool,
    database: &str,
    table: &str,
    statistics: &TableStatistics,
) -> Result<()> {
    let name = format!("{}.{}", database.to_lowercase(), table.to_lowercase());
    statistics
        .check()
        .map_err(|reason| invalid("statistics of table", &name, reason))?;
    let mut tx = pool.begin_write().await?;
    let found = locked_table(&mut tx, database, table).await?;
    tx.execute(
        &format!("write the statistics of {name}"),
        "INSERT INTO table_statistics (table_id, definition) VALUES ($1, $2)
         ON CONFLICT (table_id) DO UPDATE SET definition = excluded.definition",
        args![found.id, to_json(statistics)?],
    )
    .await?;
    tx.commit().await
}

pub(super) async fn delete(pool: &Pool, database: &str, table: &str) -> Result<()> {
    let mut tx = pool.begin_write().await?;
    let found = locked_table(&mut tx, database, table).await?;
    delete_of(&mut tx, found.id).await?;
    tx.commit().await
}

/// Deletes a table's, if there are any.
pub(super) async fn delete_of(tx: &mut Tx, table_id: i64) -> Result<()> {
    let delete = "DELETE FROM table_statistics WHERE table_id = $1";
    tx.execute("delete statistics", delete, args![table_id])
        .await
        .map(drop)
}

/// The table, which nobody deletes meanwhile.
async fn locked_table(tx: &mut Tx, database: &str, table: &str) -> Result<FoundTable> {
    if tx.dialect() == Dialect::Postgres {
        let key = lock_key(&["table", &database.to_lowercase(), &table.to_lowercase()]);
        let lock = "SELECT pg_advisory_xact_lock($1)";
        tx.execute("lock the table", lock, args![key]).await?;
    }
    existing_table(tx, database, table).await
}

async fn existing_table(tx: &mut Tx, database: &str, table: &str) -> Result<FoundTable> {
    let (database, table) = (database.to_lowercase(), table.to_lowercase());
    match find_table(tx, &database, &table).await? {
        Some(found) if !found.dropped => Ok(found),
        _ => Err(table_not_found(tx, &database, &table).await?),
    }
}
