//! Moving bookmarks by hand: reset, rewind, pause.

use super::super::driver::{Pool, Tx, args};
use super::super::runs::is_alive;
use super::pending::{drop_parts, lock_job, owner};
use super::{Place, WRITE, find_all, history, places};
use crate::error::{CatalogError, Result};
use crate::model::{Bookmark, RewindTo};

/// That no run that is alive is committing a bookmark. What a dead one was about to commit is dropped: it would come
/// after the place that the bookmark is moved to.
pub(super) async fn may_move(tx: &mut Tx, place: &Place) -> Result<()> {
    let Some(run) = owner(tx, place).await? else {
        return Ok(());
    };
    if is_alive(tx, &run).await? {
        return Err(CatalogError::BookmarkBusy {
            job: place.job.clone(),
            source_name: place.source.clone(),
            run,
        });
    }
    drop_parts(tx, place).await
}

/// Removes everything that was seen.
pub(super) async fn forget(tx: &mut Tx, place: &Place) -> Result<()> {
    for sql in [
        "DELETE FROM bookmark_objects WHERE bookmark_id = $1",
        "DELETE FROM bookmark_commits WHERE bookmark_id = $1",
    ] {
        tx.execute(WRITE, sql, args![place.id]).await?;
    }
    Ok(())
}

pub(in super::super) async fn reset(
    pool: &Pool,
    job: &str,
    source: Option<&str>,
) -> Result<Vec<Bookmark>> {
    let mut tx = pool.begin_write().await?;
    lock_job(&mut tx, job).await?;
    let places = places(&mut tx, job, source).await?;
    for place in &places {
        may_move(&mut tx, place).await?;
        if place.position == 0 {
            continue;
        }
        forget(&mut tx, place).await?;
        tx.execute(
            WRITE,
            "UPDATE bookmarks SET version = version + 1, position = 0, kept_from = version + 1
             WHERE bookmark_id = $1",
            args![place.id],
        )
        .await?;
    }
    let bookmarks = find_all(&mut tx, job, source).await?;
    tx.commit().await?;
    Ok(bookmarks)
}

pub(in super::super) async fn rewind(
    pool: &Pool,
    job: &str,
    source: Option<&str>,
    to: RewindTo,
) -> Result<Vec<Bookmark>> {
    let mut tx = pool.begin_write().await?;
    lock_job(&mut tx, job).await?;
    let places = places(&mut tx, job, source).await?;
    let sequence = match &to {
        RewindTo::Run(run) => history::sequence_of(&mut tx, job, run).await?,
        RewindTo::Time(_) => 0,
    };
    for place in &places {
        let version = history::version_at(&mut tx, place, |step| match &to {
            RewindTo::Run(_) => step.sequence <= sequence,
            RewindTo::Time(time) => step.time <= *time,
        })
        .await?;
        may_move(&mut tx, place).await?;
        if version == place.position {
            continue;
        }
        for sql in [
            "DELETE FROM bookmark_objects WHERE bookmark_id = $1 AND version_from > $2",
            "UPDATE bookmark_objects SET version_to = NULL WHERE bookmark_id = $1 AND version_to > $2",
            "DELETE FROM bookmark_commits WHERE bookmark_id = $1 AND version > $2",
            "UPDATE bookmarks SET version = version + 1, position = $2 WHERE bookmark_id = $1",
        ] {
            tx.execute(WRITE, sql, args![place.id, version]).await?;
        }
    }
    let bookmarks = find_all(&mut tx, job, source).await?;
    tx.commit().await?;
    Ok(bookmarks)
}

pub(in super::super) async fn pause(
    pool: &Pool,
    job: &str,
    source: Option<&str>,
    paused: bool,
) -> Result<Vec<Bookmark>> {
    let mut tx = pool.begin_write().await?;
    lock_job(&mut tx, job).await?;
    let places = places(&mut tx, job, source).await?;
    for place in &places {
        tx.execute(
            WRITE,
            "UPDATE bookmarks SET paused = $2 WHERE bookmark_id = $1",
            args![place.id, i64::from(paused)],
        )
        .await?;
    }
    let bookmarks = find_all(&mut tx, job, source).await?;
    tx.commit().await?;
    Ok(bookmarks)
}
