//! The store over SQL, whichever of the two databases is beneath: what it reads. What it writes is in `write`.

use std::fmt;

use async_trait::async_trait;

use super::driver::{Pool, args};
use super::lookup::{
    existing_database, find_table, parse_time, resolve, table_at, table_not_found, table_of,
};
use super::{
    Applied, CatalogStore, ChangeSet, PartitionDiff, crawls, definitions, memory, partitions,
    statistics, write,
};
use crate::error::Result;
use crate::model::{
    Classifier, Crawl, CrawlState, Crawler, Database, MlTransform, NewCrawl, Partition, Table,
    TableStatistics, TableVersion, VersionId,
};
use crate::predicate::PartitionPredicate;

/// A catalog in SQLite or PostgreSQL.
pub(crate) struct SqlStore {
    pub(super) pool: Pool,
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

    async fn find_tables(&self, names: &[(String, String)]) -> Result<Vec<Option<Table>>> {
        let mut tx = self.pool.begin_read().await?;
        let mut tables = Vec::with_capacity(names.len());
        for (database, name) in names {
            let (database, name) = (database.to_lowercase(), name.to_lowercase());
            let found = find_table(&mut tx, &database, &name).await?;
            tables.push(match found.filter(|found| !found.dropped) {
                Some(found) => {
                    Some(table_at(&mut tx, &found, found.last_version, &database, &name).await?)
                }
                None => None,
            });
        }
        Ok(tables)
    }

    async fn list_table_names(&self) -> Result<Vec<(String, String)>> {
        let mut tx = self.pool.begin_read().await?;
        let mut names = tx
            .rows(
                "list the tables",
                "SELECT database_name, name FROM tables WHERE dropped_at IS NULL",
                vec![],
                |row| Ok((row.text(0)?, row.text(1)?)),
            )
            .await?;
        // Databases order text by ways of their own.
        names.sort_unstable();
        Ok(names)
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

    async fn list_transforms(&self) -> Result<Vec<MlTransform>> {
        definitions::list(&mut self.pool.begin_read().await?).await
    }

    async fn get_transform(&self, name: &str) -> Result<MlTransform> {
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

    async fn recall_last(&self, scope: &str, up_to: &str) -> Result<Option<(String, Vec<u8>)>> {
        memory::recall_last(&mut self.pool.begin_read().await?, scope, up_to).await
    }

    async fn recall_items(&self, scope: &str, items: &[String]) -> Result<Vec<(String, Vec<u8>)>> {
        memory::recall_items(&mut self.pool.begin_read().await?, scope, items).await
    }

    async fn list_scopes(&self) -> Result<Vec<String>> {
        memory::scopes(&mut self.pool.begin_read().await?).await
    }

    async fn get_column_statistics(
        &self,
        database: &str,
        table: &str,
    ) -> Result<Option<TableStatistics>> {
        statistics::get(&mut self.pool.begin_read().await?, database, table).await
    }

    async fn put_column_statistics(
        &self,
        database: &str,
        table: &str,
        statistics: TableStatistics,
    ) -> Result<()> {
        statistics::put(&self.pool, database, table, &statistics).await
    }

    async fn delete_column_statistics(&self, database: &str, table: &str) -> Result<()> {
        statistics::delete(&self.pool, database, table).await
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Applied> {
        write::apply(&self.pool, changes).await
    }
}
