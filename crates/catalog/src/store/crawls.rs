//! The history of crawls, bounded.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::KEPT_CRAWLS;
use super::driver::{Pool, Row, RowError, Tx, args};
use super::lookup::{now, parse_time, time_text};
use super::partitions::to_json;
use crate::error::{CatalogError, Result};
use crate::model::named::{check_name, invalid};
use crate::model::{Crawl, CrawlState, NewCrawl};

/// A crawl that has been running for longer than this when its crawler starts again is taken for dead.
const DEAD_AFTER: TimeDelta = TimeDelta::days(1);
/// What is written of it.
const DIED: &str = "the process ended without saying so";

const COLUMNS: &str = "crawl_id, crawler_name, database_name, targets, state, start_time, end_time, error_message, summary";

pub(super) async fn start(pool: &Pool, crawl: NewCrawl) -> Result<i64> {
    if let Some(name) = &crawl.crawler_name {
        check_name("crawler", name)?;
    }
    check_name("database", &crawl.database_name)?;
    let action = "write the history of crawls";
    let now = now();
    let start = crawl.start_time.unwrap_or(now);
    let targets = to_json(&crawl.targets)?;
    let mut tx = pool.begin_write().await?;
    mark_dead(&mut tx, &crawl, &targets, now).await?;
    let id = tx
        .row(
            action,
            "UPDATE counters SET value = value + 1 WHERE name = 'crawl' RETURNING value",
            vec![],
            |row| Ok(row.int(0)?),
        )
        .await?
        .ok_or_else(|| CatalogError::Store {
            action: action.to_owned(),
            source: "the counter 'crawl' is missing".into(),
        })?;
    tx.execute(
        action,
        "INSERT INTO crawls (crawl_id, crawler_name, database_name, targets, state, start_time, summary)
         VALUES ($1, $2, $3, $4, $5, $6, 'null')",
        args![
            id,
            crawl.crawler_name,
            crawl.database_name,
            targets,
            CrawlState::Running.as_str(),
            time_text(start),
        ],
    )
    .await?;
    tx.execute(
        action,
        "DELETE FROM crawls WHERE crawl_id <= $1",
        args![id - i64::from(KEPT_CRAWLS)],
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Crawls of the same crawler (or, without one, of the same targets into the same database) that have been running for
/// so long that their processes must be gone are marked as failed.
async fn mark_dead(tx: &mut Tx, crawl: &NewCrawl, targets: &str, now: DateTime<Utc>) -> Result<()> {
    // Times as text are in order but for fractions of a second, which do not count here.
    let mut args = args![
        CrawlState::Failed.as_str(),
        time_text(now),
        DIED,
        time_text(now - DEAD_AFTER),
    ];
    let same = match &crawl.crawler_name {
        Some(name) => {
            args.extend(args![name.as_str()]);
            "crawler_name = $5"
        }
        None => {
            args.extend(args![crawl.database_name.as_str(), targets]);
            "crawler_name IS NULL AND database_name = $5 AND targets = $6"
        }
    };
    let sql = format!(
        "UPDATE crawls SET state = $1, end_time = $2, error_message = $3
         WHERE state = 'RUNNING' AND start_time < $4 AND {same}"
    );
    tx.execute("write the history of crawls", sql, args)
        .await
        .map(drop)
}

pub(super) async fn finish(
    pool: &Pool,
    id: i64,
    state: CrawlState,
    error: Option<&str>,
    summary: &Value,
) -> Result<()> {
    if state == CrawlState::Running {
        let reason = "a crawl that ends is not RUNNING".to_owned();
        return Err(invalid("crawl", &id.to_string(), reason));
    }
    let mut tx = pool.begin_write().await?;
    let written = tx
        .execute(
            "write the history of crawls",
            "UPDATE crawls SET state = $1, end_time = $2, error_message = $3, summary = $4 WHERE crawl_id = $5",
            args![
                state.as_str(),
                time_text(now()),
                // PostgreSQL takes no NUL, and who reads a message wants none.
                error.map(|error| error.replace('\0', "\u{fffd}")),
                to_json(summary)?,
                id,
            ],
        )
        .await?;
    if written == 0 {
        return Err(CatalogError::CrawlNotFound { id });
    }
    tx.commit().await
}

pub(super) async fn list(tx: &mut Tx, crawler: Option<&str>, limit: u32) -> Result<Vec<Crawl>> {
    let limit = i64::from(limit);
    let (condition, args) = match crawler {
        Some(name) => {
            check_name("crawler", name)?;
            ("WHERE crawler_name = $2", args![limit, name])
        }
        None => ("", args![limit]),
    };
    tx.rows(
        "read the history of crawls",
        format!("SELECT {COLUMNS} FROM crawls {condition} ORDER BY crawl_id DESC LIMIT $1"),
        args,
        |row| crawl_of(&row),
    )
    .await
}

pub(super) async fn get(tx: &mut Tx, id: i64) -> Result<Crawl> {
    tx.row(
        "read the history of crawls",
        format!("SELECT {COLUMNS} FROM crawls WHERE crawl_id = $1"),
        args![id],
        |row| crawl_of(&row),
    )
    .await?
    .ok_or(CatalogError::CrawlNotFound { id })
}

fn crawl_of(row: &Row<'_>) -> Result<Crawl, RowError> {
    Ok(Crawl {
        crawl_id: row.int(0)?,
        crawler_name: row.optional_text(1)?,
        database_name: row.text(2)?,
        targets: serde_json::from_str(&row.text(3)?)?,
        state: serde_json::from_value(Value::String(row.text(4)?))?,
        start_time: parse_time(&row.text(5)?)?,
        end_time: row
            .optional_text(6)?
            .as_deref()
            .map(parse_time)
            .transpose()?,
        error_message: row.optional_text(7)?,
        summary: serde_json::from_str(&row.text(8)?)?,
    })
}
