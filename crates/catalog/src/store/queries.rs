//! The history of queries in the store over SQL: one JSON document for each, and beside it what is looked for.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::dialect::Dialect;
use super::driver::{Arg, Row, RowError, Tx, args};
use super::lock::lock_key;
use super::lookup::{now, now_text, parse_time, time_text};
use super::partitions::to_json;
use super::query_store::{KeptResult, QueryStore};
use super::runs::{next, with_prefix};
use super::sql::SqlStore;
use super::{DefinitionOutcome, KEPT_QUERIES, definitions};
use crate::error::{CatalogError, Result};
use crate::model::named::{check_name, invalid};
use crate::model::{PRIMARY_WORKGROUP, QueryExecution, QueryFilter, QueryState, WorkGroup};

const ACTION: &str = "write the history of queries";
const READ: &str = "read the history of queries";
const COLUMNS: &str = "definition, state, heartbeat_at, process";
/// How many queries an ambiguous id is shown with.
const SHOWN: i64 = 5;

#[async_trait]
impl QueryStore for SqlStore {
    async fn record_query(&self, query: &QueryExecution) -> Result<()> {
        let id = query.query_execution_id.as_str();
        check_name("query", id)?;
        check_name("workgroup", &query.work_group)?;
        let mut tx = self.pool.begin_write().await?;
        if !update(&mut tx, query).await? {
            if let Some(found) = find(&mut tx, id).await? {
                return Err(ended(found));
            }
            insert(&mut tx, query).await?;
        }
        tx.commit().await
    }

    async fn admit_query(&self, id: &str, limit: u32) -> Result<bool> {
        check_name("query", id)?;
        let mut tx = self.pool.begin_write().await?;
        let Some(query) = find(&mut tx, id).await? else {
            return Err(not_found(id));
        };
        if tx.dialect() == Dialect::Postgres {
            let key = lock_key(&["workgroup", &query.work_group]);
            let lock = "SELECT pg_advisory_xact_lock($1)";
            tx.execute("lock the workgroup", lock, args![key]).await?;
        }
        let now = now();
        let open = tx
            .rows(
                READ,
                format!(
                    "SELECT {COLUMNS} FROM queries
                     WHERE workgroup = $1 AND state IN ('QUEUED', 'RUNNING') ORDER BY query_number"
                ),
                args![query.work_group.as_str()],
                |row| query_of(&row, now),
            )
            .await?;
        let mut running = 0;
        let mut before = true;
        let mut mine = None;
        for other in open.into_iter().filter(QueryExecution::is_alive) {
            if other.query_execution_id == id {
                before = false;
                mine = Some(other);
            } else if other.status.state == QueryState::Running {
                running += 1;
            } else if before {
                // One that waits was here first.
                return Ok(false);
            }
        }
        let Some(mut mine) = mine else {
            return Err(ended(query));
        };
        if mine.status.state == QueryState::Running {
            return Ok(true);
        }
        if running >= limit {
            return Ok(false);
        }
        mine.status.state = QueryState::Running;
        update(&mut tx, &mine).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn beat_query(&self, id: &str) -> Result<bool> {
        check_name("query", id)?;
        let mut tx = self.pool.begin_write().await?;
        let cancel = tx
            .row(
                ACTION,
                "UPDATE queries SET heartbeat_at = $2
                 WHERE query_id = $1 AND state IN ('QUEUED', 'RUNNING') RETURNING cancel",
                args![id, now_text()],
                |row| Ok(row.int(0)? != 0),
            )
            .await?;
        match cancel {
            Some(cancel) => {
                tx.commit().await?;
                Ok(cancel)
            }
            None => Err(match find(&mut tx, id).await? {
                Some(found) => ended(found),
                None => not_found(id),
            }),
        }
    }

    async fn cancel_query(&self, id: &str) -> Result<QueryExecution> {
        let mut tx = self.pool.begin_write().await?;
        let query = get(&mut tx, id).await?;
        if !query.is_alive() {
            return Err(ended(query));
        }
        tx.execute(
            ACTION,
            "UPDATE queries SET cancel = 1 WHERE query_id = $1 AND state IN ('QUEUED', 'RUNNING')",
            args![query.query_execution_id.as_str()],
        )
        .await?;
        tx.commit().await?;
        Ok(query)
    }

    async fn get_query(&self, id: &str) -> Result<QueryExecution> {
        get(&mut self.pool.begin_read().await?, id).await
    }

    async fn list_queries(&self, filter: &QueryFilter) -> Result<Vec<QueryExecution>> {
        let mut tx = self.pool.begin_read().await?;
        let now = now();
        let mut before = match &filter.before {
            None => i64::MAX,
            Some(id) => {
                let id = get(&mut tx, id).await?.query_execution_id;
                number(&mut tx, &id).await?
            }
        };
        let wanted =
            |query: &QueryExecution| filter.state.is_none_or(|state| query.status.state == state);
        let (condition, group) = match &filter.work_group {
            Some(name) => {
                check_name("workgroup", name)?;
                ("AND workgroup = $3", Some(name.as_str()))
            }
            None => ("", None),
        };
        // That a process died is not written anywhere, so states are told one by one; in pages, for most may be others.
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let page = if filter.state.is_some() {
            1_000
        } else {
            i64::from(filter.limit)
        };
        let mut out = Vec::new();
        while out.len() < limit {
            let mut given = args![before, page];
            given.extend(group.map(Arg::from));
            let mut seen = 0;
            let found = tx
                .rows(
                    READ,
                    format!(
                        "SELECT {COLUMNS}, query_number FROM queries WHERE query_number < $1 {condition}
                         ORDER BY query_number DESC LIMIT $2"
                    ),
                    given,
                    |row| {
                        seen += 1;
                        before = row.int(4)?;
                        query_of(&row, now)
                    },
                )
                .await?;
            out.extend(found.into_iter().filter(wanted));
            if seen < page {
                break;
            }
        }
        out.truncate(limit);
        Ok(out)
    }

    async fn reusable_query(
        &self,
        reuse_key: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<QueryExecution>> {
        check_name("reuse key", reuse_key)?;
        let mut tx = self.pool.begin_read().await?;
        let now = now();
        let found = tx
            .row(
                READ,
                format!(
                    "SELECT {COLUMNS} FROM queries
                     WHERE reuse_key = $1 AND state = 'SUCCEEDED' AND result_bytes IS NOT NULL
                     ORDER BY query_number DESC LIMIT 1"
                ),
                args![reuse_key],
                |row| query_of(&row, now),
            )
            .await?;
        Ok(found.filter(|query| query.status.completion_date_time > Some(since)))
    }

    async fn kept_results(&self) -> Result<Vec<KeptResult>> {
        let mut tx = self.pool.begin_read().await?;
        tx.rows(
            READ,
            "SELECT query_id, result_bytes FROM queries WHERE result_bytes IS NOT NULL ORDER BY query_number DESC",
            vec![],
            |row| {
                Ok(KeptResult {
                    query_execution_id: row.text(0)?,
                    bytes: u64::try_from(row.int(1)?).unwrap_or(0),
                })
            },
        )
        .await
    }

    async fn forget_results(&self, ids: &[String]) -> Result<Vec<QueryExecution>> {
        let mut tx = self.pool.begin_write().await?;
        let mut out = Vec::new();
        for id in ids {
            check_name("query", id)?;
            let Some(query) = find(&mut tx, id).await? else {
                continue;
            };
            if query.result_configuration.files.is_empty() {
                continue;
            }
            let mut left = query.clone();
            left.result_configuration.files.clear();
            left.result_configuration.bytes = None;
            left.result_configuration.output_location = None;
            left.result_configuration.arrow_location = None;
            left.result_configuration.not_kept =
                Some("it is no longer kept: newer results took its place".to_owned());
            left.reuse_key = None;
            tx.execute(
                ACTION,
                "UPDATE queries SET definition = $2, reuse_key = NULL, result_bytes = NULL WHERE query_id = $1",
                args![id.as_str(), to_json(&left)?],
            )
            .await?;
            out.push(query);
        }
        tx.commit().await?;
        Ok(out)
    }

    async fn list_workgroups(&self) -> Result<Vec<WorkGroup>> {
        let mut all: Vec<WorkGroup> = definitions::list(&mut self.pool.begin_read().await?).await?;
        if !all.iter().any(|group| group.name == PRIMARY_WORKGROUP) {
            all.push(WorkGroup::primary());
            all.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(all)
    }

    async fn get_workgroup(&self, name: &str) -> Result<WorkGroup> {
        match definitions::get(&mut self.pool.begin_read().await?, name).await {
            Err(CatalogError::WorkGroupNotFound { .. }) if name == PRIMARY_WORKGROUP => {
                Ok(WorkGroup::primary())
            }
            other => other,
        }
    }

    async fn put_workgroup(
        &self,
        workgroup: WorkGroup,
        replace: bool,
    ) -> Result<DefinitionOutcome> {
        workgroup.check()?;
        if workgroup.name == PRIMARY_WORKGROUP && !replace {
            return Err(CatalogError::AlreadyExists {
                what: format!("workgroup {PRIMARY_WORKGROUP}"),
            });
        }
        let mut tx = self.pool.begin_write().await?;
        if replace && workgroup.name != PRIMARY_WORKGROUP {
            definitions::get::<WorkGroup>(&mut tx, &workgroup.name).await?;
        }
        let outcome = definitions::put(&mut tx, workgroup, replace, now()).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    async fn delete_workgroup(&self, name: &str) -> Result<()> {
        check_name("workgroup", name)?;
        if name == PRIMARY_WORKGROUP {
            let reason = "every catalog has it: change it instead".to_owned();
            return Err(invalid("workgroup", name, reason));
        }
        let mut tx = self.pool.begin_write().await?;
        definitions::delete::<WorkGroup>(&mut tx, name).await?;
        tx.commit().await
    }
}

/// Its values, in the order of the columns that are written.
fn values(query: &QueryExecution) -> Result<Vec<Arg>> {
    let kept = query.result_configuration.bytes;
    let own = !query.result_configuration.files.is_empty();
    let bytes = kept
        .filter(|_| own)
        .map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    Ok(args![
        query.query_execution_id.as_str(),
        query.work_group.as_str(),
        query.status.state.as_str(),
        now_text(),
        to_json(&query.process)?,
        to_json(query)?,
        query.status.completion_date_time.map(time_text),
        query.reuse_key.clone(),
        bytes,
    ])
}

/// Writes one that has not ended; false if there is none.
async fn update(tx: &mut Tx, query: &QueryExecution) -> Result<bool> {
    let written = tx
        .execute(
            ACTION,
            "UPDATE queries SET workgroup = $2, state = $3, heartbeat_at = $4, process = $5, definition = $6,
                                completed_at = $7, reuse_key = $8, result_bytes = $9
             WHERE query_id = $1 AND state IN ('QUEUED', 'RUNNING')",
            values(query)?,
        )
        .await?;
    Ok(written > 0)
}

async fn insert(tx: &mut Tx, query: &QueryExecution) -> Result<()> {
    let number = next(tx, "query").await?;
    let mut given = values(query)?;
    given.push(Arg::from(number));
    tx.execute(
        ACTION,
        "INSERT INTO queries (query_id, workgroup, state, heartbeat_at, process, definition, completed_at, reuse_key,
                              result_bytes, query_number, cancel)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)",
        given,
    )
    .await?;
    // Files are removed by whoever knows stores; until then the history says that they are there.
    tx.execute(
        ACTION,
        "DELETE FROM queries WHERE query_number <= $1 AND result_bytes IS NULL
             AND state NOT IN ('QUEUED', 'RUNNING')",
        args![number - i64::from(KEPT_QUERIES)],
    )
    .await
    .map(drop)
}

async fn number(tx: &mut Tx, id: &str) -> Result<i64> {
    tx.row(
        READ,
        "SELECT query_number FROM queries WHERE query_id = $1",
        args![id],
        |row| Ok(row.int(0)?),
    )
    .await?
    .ok_or_else(|| not_found(id))
}

async fn find(tx: &mut Tx, id: &str) -> Result<Option<QueryExecution>> {
    let now = now();
    tx.row(
        READ,
        format!("SELECT {COLUMNS} FROM queries WHERE query_id = $1"),
        args![id],
        |row| query_of(&row, now),
    )
    .await
}

async fn get(tx: &mut Tx, id: &str) -> Result<QueryExecution> {
    check_name("query", id)?;
    let id = &id.to_lowercase();
    let (condition, mut given) = with_prefix("query_id", id, 1);
    given.push(Arg::from(SHOWN));
    let now = now();
    let mut found = tx
        .rows(
            READ,
            format!(
                "SELECT {COLUMNS} FROM queries WHERE {condition} ORDER BY query_number DESC LIMIT $3"
            ),
            given,
            |row| query_of(&row, now),
        )
        .await?;
    match found.len() {
        0 => Err(not_found(id)),
        1 => Ok(found.swap_remove(0)),
        _ => Err(CatalogError::QueryAmbiguous {
            id: id.clone(),
            matches: found.into_iter().map(|q| q.query_execution_id).collect(),
        }),
    }
}

fn not_found(id: &str) -> CatalogError {
    CatalogError::QueryNotFound { id: id.to_owned() }
}

fn ended(query: QueryExecution) -> CatalogError {
    CatalogError::QueryEnded {
        id: query.query_execution_id,
        state: query.status.state,
    }
}

fn query_of(row: &Row<'_>, now: DateTime<Utc>) -> Result<QueryExecution, RowError> {
    let mut query: QueryExecution = serde_json::from_str(&row.text(0)?)?;
    query.status.state = serde_json::from_value(Value::String(row.text(1)?))?;
    let heartbeat = parse_time(&row.text(2)?)?;
    query.process = serde_json::from_str(&row.text(3)?)?;
    Ok(query.seen_at(heartbeat, now))
}
