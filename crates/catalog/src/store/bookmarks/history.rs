//! The commits of a bookmark, and which of them is meant by a run or a time.

use chrono::{DateTime, Utc};

use super::super::driver::{Arg, Tx, args};
use super::super::lookup::parse_time;
use super::super::runs::{full_id, missing_job, with_prefix};
use super::{Place, READ};
use crate::error::{CatalogError, Result};
use crate::model::named::check_name;

/// A commit that a bookmark can be rewound to.
pub(super) struct Step {
    pub(super) version: i64,
    pub(super) sequence: i64,
    pub(super) time: DateTime<Utc>,
}

/// The version of the newest commit that is wanted; those that are wanted come before those that are not. 0: none is,
/// and before the first nothing was seen. An error if what was before the first is not kept.
pub(super) async fn version_at(
    tx: &mut Tx,
    place: &Place,
    wanted: impl Fn(&Step) -> bool,
) -> Result<i64> {
    let steps = tx
        .rows(
            READ,
            "SELECT version, sequence, committed_at FROM bookmark_commits WHERE bookmark_id = $1 ORDER BY version",
            args![place.id],
            |row| {
                Ok(Step {
                    version: row.int(0)?,
                    sequence: row.int(1)?,
                    time: parse_time(&row.text(2)?)?,
                })
            },
        )
        .await?;
    match steps.iter().rev().find(|step| wanted(step)) {
        Some(step) => Ok(step.version),
        None if place.kept_from == 0 => Ok(0),
        None => Err(CatalogError::BookmarkHistory {
            job: place.job.clone(),
            source_name: place.source.clone(),
            oldest: steps.first().map(|step| step.time),
        }),
    }
}

/// Where a run's commits are in the order of all. The run is named by its id or the beginning of it.
pub(super) async fn sequence_of(tx: &mut Tx, job: &str, run: &str) -> Result<i64> {
    check_name("job", job)?;
    check_name("run", run)?;
    let mut given = args![job];
    // Other programs may number their runs as they like.
    let (condition, range) = with_prefix("c.run_id", run, 2);
    given.extend(range);
    let (other, range) = with_prefix("c.run_id", &full_id(run), 4);
    given.extend(range);
    given.push(Arg::from(run));
    let found = tx
        .rows(
            READ,
            format!(
                "SELECT c.run_id, MAX(c.sequence) FROM bookmarks b
                 JOIN bookmark_commits c ON c.bookmark_id = b.bookmark_id
                 WHERE b.job_name = $1 AND ({condition} OR {other} OR c.run_id = $6)
                 GROUP BY c.run_id ORDER BY c.run_id LIMIT 5"
            ),
            given,
            |row| Ok((row.text(0)?, row.int(1)?)),
        )
        .await?;
    if let Some((_, sequence)) = found.iter().find(|(id, _)| id == run) {
        return Ok(*sequence);
    }
    match found.as_slice() {
        [(_, sequence)] => Ok(*sequence),
        [] => Err(match missing_job(tx, job).await? {
            Some(missing) => missing,
            None => CatalogError::RunWithoutBookmark {
                job: job.to_owned(),
                run: run.to_owned(),
            },
        }),
        several => Err(CatalogError::RunAmbiguous {
            id: run.to_owned(),
            matches: several.iter().map(|(id, _)| id.clone()).collect(),
        }),
    }
}
