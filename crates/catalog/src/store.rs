//! The transactional store of the catalog: what any store can do, and how one is opened.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{
    Classifier, Crawl, CrawlState, Crawler, Database, MlTransform, NewCrawl, Partition, Table,
    TableStatistics, TableVersion, VersionId,
};
use crate::predicate::PartitionPredicate;

mod bookmarks;
mod change;
mod crawls;
mod definitions;
mod descriptors;
pub(crate) mod dialect;
pub(crate) mod driver;
mod job_store;
mod jobs;
mod location;
mod lock;
mod lookup;
mod memory;
mod migrate;
mod partitions;
mod plan;
mod postgres;
mod prune;
mod queries;
mod query_store;
mod runs;
mod sql;
mod sqlite;
mod statistics;
mod write;

pub use change::{
    Applied, AppliedBookmark, AppliedDatabase, AppliedDefinition, AppliedRun, AppliedTable,
    BookmarkOutcome, Change, ChangeSet, DatabaseOutcome, DefinitionOutcome, Expected,
    KEPT_VERSIONS, PartitionChanges, TableOutcome,
};
pub use job_store::{BookmarkStore, RunStore};
pub use location::{OpenMode, open};
pub use query_store::{KeptResult, QueryStore};

/// How many crawls the history keeps: the newest.
pub const KEPT_CRAWLS: u32 = 1_000;

/// How many runs of each job the history keeps: the newest.
pub const KEPT_RUNS: u32 = 1_000;

/// How many queries the history keeps: the newest.
pub const KEPT_QUERIES: u32 = 10_000;

/// How many commits a bookmark can be rewound by: the newest. What was seen by older ones stays seen.
pub const KEPT_COMMITS: u32 = 1_000;

/// 64-bit FNV-1a of the bytes, for digests and numbers of locks: stable, whatever the program and the machine.
/// Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (draft-eastlake-fnv).
fn fnv1a(bytes: impl Iterator<Item = u8>) -> i64 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_ne_bytes(hash.to_ne_bytes())
}

/// The values of the partitions in which two versions of a table differ, each list in the order of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PartitionDiff {
    /// In the later version only.
    pub added: Vec<Vec<String>>,
    /// In the earlier version only.
    pub removed: Vec<Vec<String>>,
    /// In both, with another location, descriptor or parameters.
    pub changed: Vec<Vec<String>>,
}

impl PartitionDiff {
    /// Whether the partitions are the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A store of databases, tables, their versions and partitions; of runs ([`RunStore`]), bookmarks
/// ([`BookmarkStore`]) and queries ([`QueryStore`]).
///
/// Names of databases and tables are taken in any case and kept in lower case, as Glue does. Every change of what is
/// defined goes through [`apply`](Self::apply); what was read of a version stays true, so a plan made from `(table, version)` sees one state however long it runs.
///
/// Whoever writes another store runs [`crate::conformance::conformance`] on it.
#[async_trait]
pub trait CatalogStore: RunStore + BookmarkStore + QueryStore + Send + Sync + Debug {
    /// Where the store is, without password: for messages.
    fn location(&self) -> String;

    /// All databases by name.
    async fn list_databases(&self) -> Result<Vec<Database>>;

    /// One database.
    async fn get_database(&self, name: &str) -> Result<Database>;

    /// All tables of a database by name, each in its current version.
    async fn list_tables(&self, database: &str) -> Result<Vec<Table>>;

    /// A table in its current version.
    async fn get_table(&self, database: &str, name: &str) -> Result<Table>;

    /// Tables by database and name, each in its current version, in the order they are asked for; none for what is not
    /// there. All are of one moment.
    async fn find_tables(&self, names: &[(String, String)]) -> Result<Vec<Option<Table>>>;

    /// The names of all tables, as database and name, ordered by both.
    async fn list_table_names(&self) -> Result<Vec<(String, String)>>;

    /// All versions of a table that are kept ([`ChangeSet::keep_versions`]), newest first. Those of a deleted table are
    /// still there.
    async fn list_table_versions(&self, database: &str, name: &str) -> Result<Vec<TableVersion>>;

    /// A table as it was in a version. [`crate::CatalogError::VersionNotFound`] if the version is not kept any more.
    async fn get_table_version(
        &self,
        database: &str,
        name: &str,
        version: VersionId,
    ) -> Result<Table>;

    /// The partitions of a version (the current one if `None`) for which the predicate is true, ordered by their
    /// values as text. The predicate's keys have the types they had in that version.
    async fn get_partitions(
        &self,
        database: &str,
        table: &str,
        version: Option<VersionId>,
        predicate: Option<&PartitionPredicate>,
    ) -> Result<Vec<Partition>>;

    /// The partitions of a version (the current one if `None`) that have one of these lists of values, ordered by their
    /// values as text; what is not there is left out, and what is asked for twice is returned once. It takes time by how
    /// many are asked for, not by how many the table has.
    async fn get_partitions_by_values(
        &self,
        database: &str,
        table: &str,
        version: Option<VersionId>,
        values: &[Vec<String>],
    ) -> Result<Vec<Partition>>;

    /// How many partitions [`get_partitions`](Self::get_partitions) would return.
    async fn count_partitions(
        &self,
        database: &str,
        table: &str,
        version: Option<VersionId>,
        predicate: Option<&PartitionPredicate>,
    ) -> Result<u64>;

    /// In which partitions two versions differ.
    async fn diff_partitions(
        &self,
        database: &str,
        table: &str,
        from: VersionId,
        to: VersionId,
    ) -> Result<PartitionDiff>;

    /// All classifiers by name.
    async fn list_classifiers(&self) -> Result<Vec<Classifier>>;

    /// One classifier. Case counts.
    async fn get_classifier(&self, name: &str) -> Result<Classifier>;

    /// All crawlers by name.
    async fn list_crawlers(&self) -> Result<Vec<Crawler>>;

    /// One crawler. Case counts.
    async fn get_crawler(&self, name: &str) -> Result<Crawler>;

    /// All transforms by name.
    async fn list_transforms(&self) -> Result<Vec<MlTransform>>;

    /// One transform. Case counts.
    async fn get_transform(&self, name: &str) -> Result<MlTransform>;

    /// Begins a crawl's entry in the history, and returns its number. Only the newest [`KEPT_CRAWLS`] are kept.
    ///
    /// Two crawls of one crawler at once are allowed. But those of the same crawler (without one: of the same targets
    /// into the same database) that have been running for more than a day are taken for dead, and marked as failed.
    async fn start_crawl(&self, crawl: NewCrawl) -> Result<i64>;

    /// Says how a crawl ended. [`crate::CatalogError::CrawlNotFound`] if its entry is no longer kept.
    async fn finish_crawl(
        &self,
        id: i64,
        state: CrawlState,
        error: Option<&str>,
        summary: &serde_json::Value,
    ) -> Result<()>;

    /// The history, newest first: of one crawler, by its exact name, or of all crawls. A crawler's history outlives it,
    /// and one that has none is no error.
    async fn list_crawls(&self, crawler: Option<&str>, limit: u32) -> Result<Vec<Crawl>>;

    /// One crawl of the history.
    async fn get_crawl(&self, id: i64) -> Result<Crawl>;

    /// Remembers a value for each item, instead of what was remembered of it before: all of them or none. Where an item
    /// is given twice the last counts. This is a cache: it has no versions and no part in a [`ChangeSet`], and an item
    /// of more than 1,600 bytes is not remembered. A scope has at most 1,000 bytes.
    async fn remember(&self, scope: &str, items: Vec<(String, Vec<u8>)>) -> Result<()>;

    /// Forgets these items. Those that are not there are no error.
    async fn forget(&self, scope: &str, items: &[String]) -> Result<()>;

    /// Forgets everything of a scope.
    async fn forget_all(&self, scope: &str) -> Result<()>;

    /// The items of a scope and their values, ordered by the bytes of the item: at most `limit`, from the one that
    /// follows `after` (which need not be there). Pages of any size read a scope of any size in bounded memory.
    async fn recall(
        &self,
        scope: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>>;

    /// The last item of a scope, by the bytes of the item, that is not after `up_to`.
    async fn recall_last(&self, scope: &str, up_to: &str) -> Result<Option<(String, Vec<u8>)>>;

    /// These items of a scope and their values, as far as they are remembered, ordered as [`recall`](Self::recall)
    /// orders them, each once.
    async fn recall_items(&self, scope: &str, items: &[String]) -> Result<Vec<(String, Vec<u8>)>>;

    /// The scopes of which anything is remembered, ordered by bytes.
    async fn list_scopes(&self) -> Result<Vec<String>>;

    /// What was counted of a table, if it was. It is no part of the table's versions.
    async fn get_column_statistics(
        &self,
        database: &str,
        table: &str,
    ) -> Result<Option<TableStatistics>>;

    /// Keeps what was counted of a table, instead of what was counted before, until the table is deleted.
    async fn put_column_statistics(
        &self,
        database: &str,
        table: &str,
        statistics: TableStatistics,
    ) -> Result<()>;

    /// Forgets what was counted of a table. That there is nothing is no error.
    async fn delete_column_statistics(&self, database: &str, table: &str) -> Result<()>;

    /// Makes all the changes or none, in order. The only way to change what is defined.
    async fn apply(&self, changes: ChangeSet) -> Result<Applied>;

    /// Applies [`Change::PutClassifier`] alone.
    async fn put_classifier(
        &self,
        classifier: Classifier,
        replace: bool,
    ) -> Result<DefinitionOutcome> {
        let put = Change::PutClassifier {
            classifier,
            replace,
        };
        let applied = self.apply(ChangeSet::new("").with(put)).await?;
        Ok(only_outcome(&applied.classifiers))
    }

    /// Applies [`Change::DeleteClassifier`] alone.
    async fn delete_classifier(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let delete = Change::DeleteClassifier { name };
        self.apply(ChangeSet::new("").with(delete)).await.map(drop)
    }

    /// Applies [`Change::PutCrawler`] alone.
    async fn put_crawler(&self, crawler: Crawler, replace: bool) -> Result<DefinitionOutcome> {
        let put = Change::PutCrawler { crawler, replace };
        let applied = self.apply(ChangeSet::new("").with(put)).await?;
        Ok(only_outcome(&applied.crawlers))
    }

    /// Applies [`Change::PutTransform`] alone.
    async fn put_transform(
        &self,
        transform: MlTransform,
        replace: bool,
    ) -> Result<DefinitionOutcome> {
        let put = Change::PutTransform {
            transform: Box::new(transform),
            replace,
        };
        let applied = self.apply(ChangeSet::new("").with(put)).await?;
        Ok(only_outcome(&applied.transforms))
    }

    /// Applies [`Change::DeleteTransform`] alone.
    async fn delete_transform(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let delete = Change::DeleteTransform { name };
        self.apply(ChangeSet::new("").with(delete)).await.map(drop)
    }

    /// Applies [`Change::DeleteCrawler`] alone.
    async fn delete_crawler(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let delete = Change::DeleteCrawler { name };
        self.apply(ChangeSet::new("").with(delete)).await.map(drop)
    }
}

fn only_outcome(applied: &[AppliedDefinition]) -> DefinitionOutcome {
    applied
        .first()
        .map_or(DefinitionOutcome::Unchanged, |applied| applied.outcome)
}
