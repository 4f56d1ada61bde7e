//! What a store knows of queries: their history, and the workgroups that they belong to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::DefinitionOutcome;
use crate::error::Result;
use crate::model::{QueryExecution, QueryFilter, WorkGroup};

/// A result that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptResult {
    /// The query whose own result it is.
    pub query_execution_id: String,
    /// How many bytes its files have.
    pub bytes: u64,
}

/// The history of queries, and workgroups.
///
/// A query that is over within a blink is recorded once, at its end; others when they begin, so that they are seen and
/// can be stopped from elsewhere.
#[async_trait]
pub trait QueryStore {
    /// Writes a query as it is now: a new one, or what has become of one. [`crate::CatalogError::QueryEnded`] if its end
    /// was written already. The newest [`super::KEPT_QUERIES`] are kept, and older ones while they have a result.
    async fn record_query(&self, query: &QueryExecution) -> Result<()>;

    /// Lets a query that waits go to work, `RUNNING`, if fewer than `limit` of its workgroup are at work and none waits
    /// that was handed in before it. Whether it may. Those whose process is dead do not count.
    async fn admit_query(&self, id: &str, limit: u32) -> Result<bool>;

    /// Says that a query lives. Whether somebody asked for it to be stopped.
    async fn beat_query(&self, id: &str) -> Result<bool>;

    /// Asks for a query to be stopped, by its id or an unambiguous beginning of it: its process sees it by its next
    /// heartbeat. [`crate::CatalogError::QueryEnded`] if it has ended.
    async fn cancel_query(&self, id: &str) -> Result<QueryExecution>;

    /// One query by its id or an unambiguous beginning of it.
    async fn get_query(&self, id: &str) -> Result<QueryExecution>;

    /// Queries, newest first.
    async fn list_queries(&self, filter: &QueryFilter) -> Result<Vec<QueryExecution>>;

    /// The newest query that succeeded with this [`QueryExecution::reuse_key`], has a kept result of its own, and ended
    /// after `since`.
    async fn reusable_query(
        &self,
        reuse_key: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<QueryExecution>>;

    /// The results that are kept, newest first.
    async fn kept_results(&self) -> Result<Vec<KeptResult>>;

    /// Forgets that queries have results, before their files are removed; what these were. Those that have none are no
    /// error.
    async fn forget_results(&self, ids: &[String]) -> Result<Vec<QueryExecution>>;

    /// All workgroups by name, `primary` among them.
    async fn list_workgroups(&self) -> Result<Vec<WorkGroup>>;

    /// One workgroup. Case counts.
    async fn get_workgroup(&self, name: &str) -> Result<WorkGroup>;

    /// Makes a workgroup, or with `replace` changes one. `primary` is there to be changed only.
    async fn put_workgroup(&self, workgroup: WorkGroup, replace: bool)
    -> Result<DefinitionOutcome>;

    /// Deletes a workgroup; the history of its queries stays. `primary` cannot be deleted.
    async fn delete_workgroup(&self, name: &str) -> Result<()>;
}
