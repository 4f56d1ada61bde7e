//! Commits that are begun and not settled.

use super::super::change::{AppliedBookmark, BookmarkOutcome};
use super::super::dialect::Dialect;
use super::super::driver::{Arg, Pool, Tx, args};
use super::super::lock::lock_key;
use super::super::lookup::{now_text, parse_time};
use super::super::partitions::to_json;
use super::super::runs::{bury, is_alive};
use super::advance::{
    By, With, advance, by_path, check_planned, chunks, ensure, expect, insert, told, unowned,
};
use super::{PLACE, Place, READ, WRITE, place_of};
use crate::error::{CatalogError, Result};
use crate::model::named::{check_name, invalid};
use crate::model::{NewCommit, PendingCommit};

/// On PostgreSQL, makes other writers of the job's bookmarks wait. SQLite has one writer at a time anyway.
pub(super) async fn lock_job(tx: &mut Tx, job: &str) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        let lock = "SELECT pg_advisory_xact_lock($1)";
        let key = lock_key(&["job", job]);
        tx.execute("lock the job", lock, args![key]).await?;
    }
    Ok(())
}

/// The job of a run that has a pending commit or a history, for the lock.
pub(in super::super) async fn job_of(tx: &mut Tx, run: &str) -> Result<Option<String>> {
    tx.row(
        READ,
        "SELECT job_name FROM pending_commits WHERE run_id = $1
         UNION SELECT job_name FROM runs WHERE run_id = $1",
        args![run],
        |row| Ok(row.text(0)?),
    )
    .await
}

/// The run that is committing a bookmark.
pub(super) async fn owner(tx: &mut Tx, place: &Place) -> Result<Option<String>> {
    tx.row(
        READ,
        "SELECT run_id FROM pending_bookmarks WHERE bookmark_id = $1",
        args![place.id],
        |row| Ok(row.text(0)?),
    )
    .await
}

/// Removes what is pending of one bookmark, and the whole commit if that was all of it.
pub(super) async fn drop_parts(tx: &mut Tx, place: &Place) -> Result<()> {
    let Some(run) = owner(tx, place).await? else {
        return Ok(());
    };
    drop_part(tx, place.id).await?;
    if unsettled_of(tx, &run).await? == Some(0) {
        drop_commit(tx, &run).await?;
    }
    Ok(())
}

async fn drop_part(tx: &mut Tx, bookmark: i64) -> Result<()> {
    for sql in [
        "DELETE FROM pending_objects WHERE bookmark_id = $1",
        "DELETE FROM pending_bookmarks WHERE bookmark_id = $1",
    ] {
        tx.execute(WRITE, sql, args![bookmark]).await?;
    }
    Ok(())
}

async fn drop_commit(tx: &mut Tx, run: &str) -> Result<()> {
    let delete = "DELETE FROM pending_commits WHERE run_id = $1";
    tx.execute(WRITE, delete, args![run]).await.map(drop)
}

/// How many bookmarks a run's pending commit has; `None` if it has no pending commit.
async fn unsettled_of(tx: &mut Tx, run: &str) -> Result<Option<i64>> {
    tx.row(
        READ,
        "SELECT COUNT(b.bookmark_id) FROM pending_commits p
         LEFT JOIN pending_bookmarks b ON b.run_id = p.run_id
         WHERE p.run_id = $1 GROUP BY p.run_id",
        args![run],
        |row| Ok(row.int(0)?),
    )
    .await
}

/// That nothing that a run has begun to commit is left, before it may say that it succeeded. The commit of a run whose
/// bookmarks were committed one by one, or were all paused, goes.
pub(in super::super) async fn check_settled(tx: &mut Tx, run: &str) -> Result<()> {
    match unsettled_of(tx, run).await? {
        None => Ok(()),
        Some(0) => drop_commit(tx, run).await,
        Some(_) => {
            let reason = "it cannot have succeeded before its commit is settled".to_owned();
            Err(invalid("run", run, reason))
        }
    }
}

pub(in super::super) async fn begin(pool: &Pool, commit: NewCommit) -> Result<PendingCommit> {
    let (job, run) = (commit.job_name, commit.run_id);
    check_name("job", &job)?;
    check_name("run", &run)?;
    for planned in &commit.bookmarks {
        check_planned(&job, &run, planned)?;
    }
    let mut tx = pool.begin_write().await?;
    lock_job(&mut tx, &job).await?;
    if unsettled_of(&mut tx, &run).await?.is_some() {
        let what = format!("the commit of run {run}");
        return Err(CatalogError::AlreadyExists { what });
    }
    tx.execute(
        WRITE,
        "INSERT INTO pending_commits (run_id, run_attempt, job_name, begun_at, sinks, context)
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![
            run.as_str(),
            i64::from(commit.attempt),
            job.as_str(),
            now_text(),
            to_json(&commit.sinks)?,
            to_json(&commit.context)?,
        ],
    )
    .await?;
    for planned in commit.bookmarks {
        let place = ensure(&mut tx, &job, &planned.source_name).await?;
        if unowned(&mut tx, &place, &run).await? {
            let what = format!("source {} in the commit of run {run}", place.source);
            return Err(CatalogError::AlreadyExists { what });
        }
        expect(&mut tx, &place, planned.expected_version).await?;
        if place.paused {
            continue;
        }
        let objects = by_path(planned.objects);
        tx.execute(
            WRITE,
            "INSERT INTO pending_bookmarks (bookmark_id, run_id, objects) VALUES ($1, $2, $3)",
            args![place.id, run.as_str(), objects.len() as i64],
        )
        .await?;
        for chunk in chunks(objects) {
            let columns = "bookmark_id, path, size, modified, etag";
            insert(
                &mut tx,
                "pending_objects",
                columns,
                "$1, {}",
                place.id,
                &chunk,
                None,
            )
            .await?;
        }
    }
    let mut begun = read(&mut tx, Some(("run_id", &run))).await?;
    tx.commit().await?;
    match begun.pop() {
        Some(begun) => Ok(begun),
        None => Err(CatalogError::CommitNotFound { run }),
    }
}

pub(in super::super) async fn list(tx: &mut Tx, job: Option<&str>) -> Result<Vec<PendingCommit>> {
    if let Some(job) = job {
        check_name("job", job)?;
    }
    read(tx, job.map(|job| ("job_name", job))).await
}

/// The pending commits of which a column is so; oldest first.
async fn read(tx: &mut Tx, of: Option<(&str, &str)>) -> Result<Vec<PendingCommit>> {
    let condition = of.map(|(column, _)| format!("WHERE {column} = $1"));
    let mut commits = tx
        .rows(
            READ,
            format!(
                "SELECT job_name, run_id, run_attempt, begun_at, sinks, context FROM pending_commits {}",
                condition.unwrap_or_default()
            ),
            of.map(|(_, value)| Arg::from(value)).into_iter().collect(),
            |row| {
                Ok(PendingCommit {
                    job_name: row.text(0)?,
                    run_id: row.text(1)?,
                    attempt: u32::try_from(row.int(2)?).unwrap_or(1),
                    alive: false,
                    begun_on: parse_time(&row.text(3)?)?,
                    sinks: serde_json::from_str(&row.text(4)?)?,
                    bookmarks: Vec::new(),
                    context: serde_json::from_str(&row.text(5)?)?,
                })
            },
        )
        .await?;
    for commit in &mut commits {
        commit.alive = is_alive(tx, &commit.run_id).await?;
        commit.bookmarks = tx
            .rows(
                READ,
                "SELECT b.source_name, p.objects FROM pending_bookmarks p
                 JOIN bookmarks b ON b.bookmark_id = p.bookmark_id
                 WHERE p.run_id = $1 ORDER BY b.source_name",
                args![commit.run_id.as_str()],
                |row| Ok((row.text(0)?, row.int(1)?.unsigned_abs())),
            )
            .await?;
    }
    commits.sort_by(|a, b| (a.begun_on, &a.run_id).cmp(&(b.begun_on, &b.run_id)));
    Ok(commits)
}

/// Settles in a transaction of its own.
pub(in super::super) async fn settle(
    pool: &Pool,
    run: &str,
    applied: bool,
) -> Result<Vec<AppliedBookmark>> {
    check_name("run", run)?;
    let mut tx = pool.begin_write().await?;
    if let Some(job) = job_of(&mut tx, run).await? {
        lock_job(&mut tx, &job).await?;
    }
    let done = settled(&mut tx, run, applied).await?;
    let what = if applied {
        "its files were there, and its bookmarks were advanced afterwards"
    } else {
        "nothing that it wrote was kept"
    };
    bury(&mut tx, run, what).await?;
    tx.commit().await?;
    Ok(done)
}

/// Settles a run's pending commit.
pub(in super::super) async fn settled(
    tx: &mut Tx,
    run: &str,
    applied: bool,
) -> Result<Vec<AppliedBookmark>> {
    let attempt = tx
        .row(
            READ,
            "SELECT run_attempt FROM pending_commits WHERE run_id = $1",
            args![run],
            |row| Ok(row.int(0)?),
        )
        .await?;
    let Some(attempt) = attempt else {
        return Err(CatalogError::CommitNotFound {
            run: run.to_owned(),
        });
    };
    let places: Vec<Place> = tx
        .rows(
            READ,
            format!(
                "SELECT {PLACE} FROM bookmarks
                 WHERE bookmark_id IN (SELECT bookmark_id FROM pending_bookmarks WHERE run_id = $1)
                 ORDER BY source_name"
            ),
            args![run],
            |row| place_of(&row),
        )
        .await?;
    let mut done = Vec::with_capacity(places.len());
    for place in places {
        done.push(if applied {
            let by = By {
                run: Some(run),
                attempt: u32::try_from(attempt).unwrap_or(1),
            };
            // Nobody else could advance it since the commit was begun.
            advance(tx, &place, &by, With::Pending, None).await?
        } else {
            let version = place.version;
            told(&place, BookmarkOutcome::Unchanged { version })
        });
        drop_part(tx, place.id).await?;
    }
    drop_commit(tx, run).await?;
    Ok(done)
}
