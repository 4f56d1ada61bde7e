//! The store over SQL, whichever of the two databases is beneath: what it reads. What it writes is in `write`.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::driver::{Pool, Row, RowError, Tx, args};
use super::{
    Applied, CatalogStore, ChangeSet, PartitionDiff, crawls, definitions, memory, partitions, write,
};
use crate::error::{CatalogError, Result, nearest};
use crate::model::{
    Classifier, Crawl, CrawlState, Crawler, Database, NewCrawl, Partition, Table, TableVersion,
    VersionId,
};
use crate::predicate::PartitionPredicate;

/// A catalog in SQLite or PostgreSQL.
pub(crate) struct SqlStore {
    pool: Pool,
    location: String,
}

impl SqlStore {
    pub(crate) fn new(pool: Pool, location: String) -> Self {
        Self { pool, location }
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("location", &self.location)
            .finish()
    }
}

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

#[async_trait]
impl CatalogStore for SqlStore {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn list_databases(&self) -> Result<Vec<Database>> {
        let mut tx = self.pool.begin_read().await?;
        tx.rows(
            "list the databases",
            "SELECT definition FROM databases WHERE dropped_at IS NULL ORDER BY name",
            vec![],
            |row| Ok(serde_json::from_str(&row.text(0)?)?),
        )
        .await
    }

    async fn get_database(&self, name: &str) -> Result<Database> {
        let mut tx = self.pool.begin_read().await?;
        existing_database(&mut tx, &name.to_lowercase()).await
    }

    async fn list_tables(&self, database: &str) -> Result<Vec<Table>> {
        let database = database.to_lowercase();
        let mut tx = self.pool.begin_read().await?;
        existing_database(&mut tx, &database).await?;
        tx.rows(
            &format!("list the tables of {database}"),
            "SELECT v.definition, v.version, v.created_at
             FROM tables t JOIN table_versions v ON v.table_id = t.table_id AND v.version = t.last_version
             WHERE t.database_name = $1 AND t.dropped_at IS NULL
             ORDER BY t.name",
            args![database.clone()],
            |row| table_of(&row),
        )
        .await
    }

    async fn get_table(&self, database: &str, name: &str) -> Result<Table> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        let mut tx = self.pool.begin_read().await?;
        let found = find_table(&mut tx, &database, &name).await?;
        match found.filter(|found| !found.dropped) {
            Some(found) => table_at(&mut tx, &found, found.last_version, &database, &name).await,
            None => Err(table_not_found(&mut tx, &database, &name).await?),
        }
    }

    async fn list_table_versions(&self, database: &str, name: &str) -> Result<Vec<TableVersion>> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        let mut tx = self.pool.begin_read().await?;
        let Some(found) = find_table(&mut tx, &database, &name).await? else {
            return Err(table_not_found(&mut tx, &database, &name).await?);
        };
        tx.rows(
            &format!("list the versions of {database}.{name}"),
            "SELECT definition, version, created_at, created_by, partitions_added, partitions_removed,
                    partitions_changed
             FROM table_versions WHERE table_id = $1 ORDER BY version DESC",
            args![found.id],
            |row| {
                Ok(TableVersion {
                    table: table_of(&row)?,
                    version: VersionId(row.int(1)?),
                    created: parse_time(&row.text(2)?)?,
                    by: row.text(3)?,
                    partitions_added: row.int(4)?.unsigned_abs(),
                    partitions_removed: row.int(5)?.unsigned_abs(),
                    partitions_changed: row.int(6)?.unsigned_abs(),
                })
            },
        )
        .await
    }

    async fn get_table_version(
        &self,
        database: &str,
        name: &str,
        version: VersionId,
    ) -> Result<Table> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        let mut tx = self.pool.begin_read().await?;
        let Some(found) = find_table(&mut tx, &database, &name).await? else {
            return Err(table_not_found(&mut tx, &database, &name).await?);
        };
        table_at(&mut tx, &found, version, &database, &name).await
    }

    async fn get_partitions(
        &self,
        database: &str,
        table: &str,
        version: Option<VersionId>,
        predicate: Option<&PartitionPredicate>,
    ) -> Result<Vec<Partition>> {
        let mut tx = self.pool.begin_read().await?;
        let (found, table) = resolve(&mut tx, database, table, version).await?;
        partitions::read(&mut tx, &found, &table, predicate).await
    }

    async fn get_partitions_by_values(
        &self,
        database: &str,
        table: &str,
        version: Option<VersionId>,
        values: &[Vec<String>],
    ) -> Result<Vec<Partition>> {
        let mut tx = self.pool.begin_read().await?;
        let (found, table) = resolve(&mut tx, database, table, version).await?;
        partitions::read_by_values(&mut tx, &found, &table, values).await
    }

    async fn count_partitions(
        &self,
        database: &str,
        table: &str,
        version: Option<VersionId>,
        predicate: Option<&PartitionPredicate>,
    ) -> Result<u64> {
        let mut tx = self.pool.begin_read().await?;
        let (found, table) = resolve(&mut tx, database, table, version).await?;
        partitions::count(&mut tx, &found, &table, predicate).await
    }

    async fn diff_partitions(
        &self,
        database: &str,
        table: &str,
        from: VersionId,
        to: VersionId,
    ) -> Result<PartitionDiff> {
        let mut tx = self.pool.begin_read().await?;
        let (found, _) = resolve(&mut tx, database, table, Some(from)).await?;
        resolve(&mut tx, database, table, Some(to)).await?;
        partitions::diff(&mut tx, &found, from, to).await
    }

    async fn list_classifiers(&self) -> Result<Vec<Classifier>> {
        definitions::list(&mut self.pool.begin_read().await?).await
    }

    async fn get_classifier(&self, name: &str) -> Result<Classifier> {
        definitions::get(&mut self.pool.begin_read().await?, name).await
    }

    async fn list_crawlers(&self) -> Result<Vec<Crawler>> {
        definitions::list(&mut self.pool.begin_read().await?).await
    }

    async fn get_crawler(&self, name: &str) -> Result<Crawler> {
        definitions::get(&mut self.pool.begin_read().await?, name).await
    }

    async fn start_crawl(&self, crawl: NewCrawl) -> Result<i64> {
        crawls::start(&self.pool, crawl).await
    }

    async fn finish_crawl(
        &self,
        id: i64,
        state: CrawlState,
        error: Option<&str>,
        summary: &serde_json::Value,
    ) -> Result<()> {
        crawls::finish(&self.pool, id, state, error, summary).await
    }

    async fn list_crawls(&self, crawler: Option<&str>, limit: u32) -> Result<Vec<Crawl>> {
        crawls::list(&mut self.pool.begin_read().await?, crawler, limit).await
    }

    async fn get_crawl(&self, id: i64) -> Result<Crawl> {
        crawls::get(&mut self.pool.begin_read().await?, id).await
    }

    async fn remember(&self, scope: &str, items: Vec<(String, Vec<u8>)>) -> Result<()> {
        memory::remember(&self.pool, scope, items).await
    }

    async fn forget(&self, scope: &str, items: &[String]) -> Result<()> {
        memory::forget(&self.pool, scope, items).await
    }

    async fn forget_all(&self, scope: &str) -> Result<()> {
        memory::forget_all(&self.pool, scope).await
    }

    async fn recall(
        &self,
        scope: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        memory::recall(&mut self.pool.begin_read().await?, scope, after, limit).await
    }

    async fn recall_items(&self, scope: &str, items: &[String]) -> Result<Vec<(String, Vec<u8>)>> {
        memory::recall_items(&mut self.pool.begin_read().await?, scope, items).await
    }

    async fn list_scopes(&self) -> Result<Vec<String>> {
        memory::scopes(&mut self.pool.begin_read().await?).await
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Applied> {
        write::apply(&self.pool, changes).await
    }
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
async fn resolve(
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
fn table_of(row: &Row<'_>) -> Result<Table, RowError> {
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
