//! Finding databases and tables by name, or saying that they are not there; and times as text.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::driver::{Row, RowError, Tx, args};
use crate::error::{CatalogError, Result, nearest};
use crate::model::{Database, Table, VersionId};

/// Now, to the millisecond.
pub(super) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

pub(super) fn now_text() -> String {
    time_text(now())
}

pub(super) fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub(super) fn parse_time(text: &str) -> Result<DateTime<Utc>, chrono::ParseError> {
    Ok(DateTime::parse_from_rfc3339(text)?.to_utc())
}

/// A row of `tables`.
pub(super) struct FoundTable {
    pub(super) id: i64,
    pub(super) last_version: VersionId,
    pub(super) dropped: bool,
}

/// The table, deleted or not. Names are in lower case.
pub(super) async fn find_table(
    tx: &mut Tx,
    database: &str,
    name: &str,
) -> Result<Option<FoundTable>> {
    tx.row(
        &format!("find the table {database}.{name}"),
        "SELECT table_id, last_version, dropped_at FROM tables WHERE database_name = $1 AND name = $2",
        args![database, name],
        |row| {
            Ok(FoundTable {
                id: row.int(0)?,
                last_version: VersionId(row.int(1)?),
                dropped: row.optional_text(2)?.is_some(),
            })
        },
    )
    .await
}

/// The table as of a version.
pub(super) async fn table_at(
    tx: &mut Tx,
    found: &FoundTable,
    version: VersionId,
    database: &str,
    name: &str,
) -> Result<Table> {
    let action = format!("read the table {database}.{name}");
    let table = tx
        .row(
            &action,
            "SELECT definition, version, created_at FROM table_versions WHERE table_id = $1 AND version = $2",
            args![found.id, version.0],
            |row| table_of(&row),
        )
        .await?;
    if let Some(table) = table {
        return Ok(table);
    }
    // Those that are kept have no gaps.
    let oldest = tx
        .row(
            &action,
            "SELECT COALESCE(MIN(version), 0) FROM table_versions WHERE table_id = $1",
            args![found.id],
            |row| Ok(row.int(0)?),
        )
        .await?;
    Err(CatalogError::VersionNotFound {
        database: database.to_owned(),
        name: name.to_owned(),
        version,
        oldest: oldest.map_or(found.last_version, VersionId),
        newest: found.last_version,
    })
}

/// The table in a version, or in its current one.
pub(super) async fn resolve(
    tx: &mut Tx,
    database: &str,
    name: &str,
    version: Option<VersionId>,
) -> Result<(FoundTable, Table)> {
    let (database, name) = (database.to_lowercase(), name.to_lowercase());
    let found = find_table(tx, &database, &name).await?;
    let Some(found) = found.filter(|found| version.is_some() || !found.dropped) else {
        return Err(table_not_found(tx, &database, &name).await?);
    };
    let table = table_at(
        tx,
        &found,
        version.unwrap_or(found.last_version),
        &database,
        &name,
    )
    .await?;
    Ok((found, table))
}

/// From the columns definition, version, created_at.
pub(super) fn table_of(row: &Row<'_>) -> Result<Table, RowError> {
    let mut table: Table = serde_json::from_str(&row.text(0)?)?;
    table.version_id = Some(VersionId(row.int(1)?));
    table.update_time = Some(parse_time(&row.text(2)?)?);
    Ok(table)
}

/// The database, or that there is none. The name is in lower case.
pub(super) async fn existing_database(tx: &mut Tx, name: &str) -> Result<Database> {
    let action = format!("find the database {name}");
    let found = tx
        .row(
            &action,
            "SELECT definition FROM databases WHERE name = $1 AND dropped_at IS NULL",
            args![name],
            |row| Ok(serde_json::from_str(&row.text(0)?)?),
        )
        .await?;
    if let Some(found) = found {
        return Ok(found);
    }
    let names = tx
        .rows(
            &action,
            "SELECT name FROM databases WHERE dropped_at IS NULL",
            vec![],
            |row| Ok(row.text(0)?),
        )
        .await?;
    Err(CatalogError::DatabaseNotFound {
        name: name.to_owned(),
        did_you_mean: nearest(name, names.iter().map(String::as_str)),
    })
}

/// The error for a table that is not there: it may be the database that is not.
pub(super) async fn table_not_found(
    tx: &mut Tx,
    database: &str,
    name: &str,
) -> Result<CatalogError> {
    existing_database(tx, database).await?;
    let names = tx
        .rows(
            "list the tables",
            "SELECT name FROM tables WHERE database_name = $1 AND dropped_at IS NULL",
            args![database],
            |row| Ok(row.text(0)?),
        )
        .await?;
    Ok(CatalogError::TableNotFound {
        database: database.to_owned(),
        name: name.to_owned(),
        did_you_mean: nearest(name, names.iter().map(String::as_str)),
    })
}
