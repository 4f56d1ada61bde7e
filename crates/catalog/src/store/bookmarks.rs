//! Job bookmarks: what is read of them. The protocol is told at [`super::BookmarkStore`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::dialect::Dialect;
use super::driver::{Arg, Row, RowError, Tx, args};
use super::lookup::parse_time;
use super::runs::{after_prefix, missing_job};
use crate::error::{CatalogError, Result};
use crate::model::named::{check_name, invalid};
use crate::model::{Bookmark, BookmarkCommit, Seen, SourceObject};

mod advance;
mod history;
mod moves;
mod pending;

pub(super) use advance::{check_planned, check_position, commit, set};
pub(super) use moves::{pause, reset, rewind};
pub(super) use pending::{begin, check_settled, job_of, list as list_pending, settle, settled};

const READ: &str = "read the bookmarks";
const WRITE: &str = "write the bookmarks";
/// Paths in one statement.
const PATHS_PER_LIST: usize = 5_000;
/// How long a path may be, in bytes: with what comes beside it, what PostgreSQL takes in an index (2,704).
const MAX_PATH: usize = 2_500;
/// The columns of an object.
const OBJECT: &str = "path, size, modified, etag";

/// A row of `bookmarks`.
#[derive(Debug, Clone)]
struct Place {
    id: i64,
    job: String,
    source: String,
    version: i64,
    position: i64,
    kept_from: i64,
    paused: bool,
}

const PLACE: &str = "bookmark_id, job_name, source_name, version, position, kept_from, paused";

fn place_of(row: &Row<'_>) -> Result<Place, RowError> {
    Ok(Place {
        id: row.int(0)?,
        job: row.text(1)?,
        source: row.text(2)?,
        version: row.int(3)?,
        position: row.int(4)?,
        kept_from: row.int(5)?,
        paused: row.int(6)? != 0,
    })
}

async fn find(tx: &mut Tx, job: &str, source: &str) -> Result<Option<Place>> {
    check_name("job", job)?;
    check_name("source", source)?;
    tx.row(
        READ,
        format!("SELECT {PLACE} FROM bookmarks WHERE job_name = $1 AND source_name = $2"),
        args![job, source],
        |row| place_of(&row),
    )
    .await
}

/// The bookmarks of a job, of one source or of all; that there is none is an error.
async fn places(tx: &mut Tx, job: &str, source: Option<&str>) -> Result<Vec<Place>> {
    check_name("job", job)?;
    let all = tx
        .rows(
            READ,
            format!("SELECT {PLACE} FROM bookmarks WHERE job_name = $1 ORDER BY source_name"),
            args![job],
            |row| place_of(&row),
        )
        .await?;
    if all.is_empty()
        && let Some(missing) = missing_job(tx, job).await?
    {
        return Err(missing);
    }
    let Some(source) = source else {
        return Ok(all);
    };
    check_name("source", source)?;
    let names: Vec<String> = all.iter().map(|place| place.source.clone()).collect();
    let found: Vec<Place> = all
        .into_iter()
        .filter(|place| place.source == source)
        .collect();
    if found.is_empty() {
        let near = mastic_schema::names::closest(source, names.iter().map(String::as_str));
        return Err(CatalogError::BookmarkNotFound {
            job: job.to_owned(),
            source_name: source.to_owned(),
            did_you_mean: near,
        });
    }
    Ok(found)
}

const BOOKMARKS: &str = "SELECT b.job_name, b.source_name, b.version, b.paused, c.run_id, c.run_attempt, c.committed_at,
        c.objects, c.oldest, c.newest, c.up_to
    FROM bookmarks b
    LEFT JOIN bookmark_commits c ON c.bookmark_id = b.bookmark_id AND c.version = b.position";

pub(super) async fn get(tx: &mut Tx, job: &str, source: &str) -> Result<Bookmark> {
    check_name("job", job)?;
    check_name("source", source)?;
    let found = tx
        .row(
            READ,
            format!("{BOOKMARKS} WHERE b.job_name = $1 AND b.source_name = $2"),
            args![job, source],
            |row| bookmark_of(&row),
        )
        .await?;
    Ok(found.unwrap_or_else(|| Bookmark::none(job, source)))
}

pub(super) async fn list(tx: &mut Tx, job: Option<&str>) -> Result<Vec<Bookmark>> {
    let (condition, args) = match job {
        Some(job) => {
            check_name("job", job)?;
            ("WHERE b.job_name = $1", args![job])
        }
        None => ("", vec![]),
    };
    tx.rows(
        READ,
        format!("{BOOKMARKS} {condition} ORDER BY b.job_name, b.source_name"),
        args,
        |row| bookmark_of(&row),
    )
    .await
}

/// The bookmarks of a job, of one source or of all; that there is no such job or source is an error.
pub(super) async fn find_all(
    tx: &mut Tx,
    job: &str,
    source: Option<&str>,
) -> Result<Vec<Bookmark>> {
    let places = places(tx, job, source).await?;
    let mut bookmarks = Vec::with_capacity(places.len());
    for place in &places {
        bookmarks.push(get(tx, &place.job, &place.source).await?);
    }
    Ok(bookmarks)
}

fn bookmark_of(row: &Row<'_>) -> Result<Bookmark, RowError> {
    let run_id = row.optional_text(4)?;
    let attempt = row.optional_int(5)?.and_then(|n| u32::try_from(n).ok());
    let time = |index| -> Result<_, RowError> {
        Ok(row
            .optional_int(index)?
            .and_then(DateTime::from_timestamp_micros))
    };
    Ok(Bookmark {
        job_name: row.text(0)?,
        source_name: row.text(1)?,
        version: row.int(2)?,
        attempt: attempt.filter(|_| run_id.is_some()),
        run_id,
        committed_on: row
            .optional_text(6)?
            .as_deref()
            .map(parse_time)
            .transpose()?,
        paused: row.int(3)? != 0,
        objects: row.optional_int(7)?.unwrap_or(0).unsigned_abs(),
        oldest: time(8)?,
        newest: time(9)?,
        up_to: time(10)?,
    })
}

pub(super) async fn commits(
    tx: &mut Tx,
    job: &str,
    source: &str,
    limit: u32,
) -> Result<Vec<BookmarkCommit>> {
    let Some(place) = find(tx, job, source).await? else {
        return Ok(Vec::new());
    };
    tx.rows(
        READ,
        "SELECT version, run_id, run_attempt, committed_at, added, objects FROM bookmark_commits
         WHERE bookmark_id = $1 ORDER BY version DESC LIMIT $2",
        args![place.id, i64::from(limit)],
        |row| {
            Ok(BookmarkCommit {
                version: row.int(0)?,
                run_id: row.optional_text(1)?,
                attempt: u32::try_from(row.int(2)?).unwrap_or(1),
                committed_on: parse_time(&row.text(3)?)?,
                added: row.int(4)?.unsigned_abs(),
                objects: row.int(5)?.unsigned_abs(),
            })
        },
    )
    .await
}

pub(super) async fn seen(
    tx: &mut Tx,
    job: &str,
    source: &str,
    of: &[SourceObject],
) -> Result<Vec<Seen>> {
    let Some(place) = find(tx, job, source).await?.filter(|p| p.position > 0) else {
        return Ok(vec![Seen::New; of.len()]);
    };
    let up_to = up_to(tx, &place).await?;
    let below = |object: &SourceObject| {
        let time = object.last_modified.map(|time| time.timestamp_micros());
        time.is_some() && up_to.is_some() && time <= up_to
    };
    let mut told = Vec::with_capacity(of.len());
    for chunk in of.chunks(PATHS_PER_LIST) {
        let mut paths: Vec<String> = chunk
            .iter()
            // A path that the store does not take was never seen.
            .filter(|object| check_path(&object.path).is_ok() && !below(object))
            .map(|object| object.path.clone())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let known = current(tx, place.id, paths).await?;
        told.extend(chunk.iter().map(|object| match known.get(&object.path) {
            _ if below(object) => Seen::Unchanged,
            None => Seen::New,
            Some(seen) if seen.same_content(object) => Seen::Unchanged,
            Some(_) => Seen::Changed,
        }));
    }
    Ok(told)
}

/// The time at or before which everything counts as seen, in microseconds.
async fn up_to(tx: &mut Tx, place: &Place) -> Result<Option<i64>> {
    let found = tx
        .row(
            READ,
            "SELECT up_to FROM bookmark_commits WHERE bookmark_id = $1 AND version = $2",
            args![place.id, place.position],
            |row| Ok(row.optional_int(0)?),
        )
        .await?;
    Ok(found.flatten())
}

/// What is seen now of these paths.
async fn current(
    tx: &mut Tx,
    bookmark: i64,
    paths: Vec<String>,
) -> Result<HashMap<String, SourceObject>> {
    if paths.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = tx.dialect().select_by_list(
        OBJECT,
        "bookmark_objects",
        "bookmark_id = $1 AND version_to IS NULL",
        "path",
        "$2",
    );
    let found = tx
        .rows(READ, sql, args![bookmark, paths], |row| object_of(&row))
        .await?;
    Ok(found
        .into_iter()
        .map(|object| (object.path.clone(), object))
        .collect())
}

fn object_of(row: &Row<'_>) -> Result<SourceObject, RowError> {
    Ok(SourceObject {
        path: row.text(0)?,
        size: row.optional_int(1)?.map(i64::unsigned_abs),
        last_modified: row
            .optional_int(2)?
            .and_then(DateTime::<Utc>::from_timestamp_micros),
        etag: row.optional_text(3)?,
    })
}

/// One page of the objects of a bookmark for which a condition holds, whose values are given; numbers from $1 to $5 are
/// the page's.
async fn page(
    tx: &mut Tx,
    place: &Place,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
    condition: &str,
    more: Vec<Arg>,
) -> Result<Vec<SourceObject>> {
    // No path has a NUL: what follows one that does is what follows its beginning.
    let cut = |text: &str| text.split('\0').next().unwrap_or_default().to_owned();
    if prefix.contains('\0') {
        return Ok(Vec::new());
    }
    let after = after.map(cut).filter(|after| after.as_str() >= prefix);
    let (beyond, from) = match after {
        Some(after) => (">", after),
        None => (">=", prefix.to_owned()),
    };
    let end = after_prefix(prefix);
    let bound = if end.is_some() {
        "path < $4"
    } else {
        "$4::text IS NULL"
    };
    let bound = match tx.dialect() {
        Dialect::Sqlite => bound.replace("::text", ""),
        Dialect::Postgres => bound.to_owned(),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut given = args![place.id, from, limit, end];
    given.extend(more);
    // A comparison of rows, so that PostgreSQL can follow an index and stop at the limit: see `memory::recall`. Before the
    // table is analyzed it believes that few rows are left to sort, and would read all of them for each page.
    if tx.dialect() == Dialect::Postgres {
        tx.script(READ, "SET LOCAL enable_sort TO off").await?;
    }
    let sql = format!(
        "SELECT {OBJECT} FROM bookmark_objects
         WHERE (bookmark_id, path) {beyond} ($1, $2) AND bookmark_id <= $1 AND {bound} AND {condition}
         ORDER BY bookmark_id, path LIMIT $3"
    );
    tx.rows(READ, sql, given, |row| object_of(&row)).await
}

pub(super) async fn list_seen(
    tx: &mut Tx,
    job: &str,
    source: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<SourceObject>> {
    match find(tx, job, source).await? {
        Some(place) => {
            let current = "version_to IS NULL";
            page(tx, &place, prefix, after, limit, current, vec![]).await
        }
        None => Ok(Vec::new()),
    }
}

pub(super) async fn between(
    tx: &mut Tx,
    job: &str,
    source: &str,
    (from, to): (Option<&str>, Option<&str>),
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<SourceObject>> {
    let mut sequences = [None, None];
    for (sequence, run) in sequences.iter_mut().zip([from, to]) {
        if let Some(run) = run {
            *sequence = Some(history::sequence_of(tx, job, run).await?);
        }
    }
    if let [Some(first), Some(last)] = sequences
        && first > last
    {
        let reason = "the run that it begins after committed later than the one that it ends with";
        return Err(invalid("range of runs of job", job, reason.to_owned()));
    }
    let Some(place) = find(tx, job, source).await? else {
        return Ok(Vec::new());
    };
    let mut versions = [0, place.position];
    for (version, sequence) in versions.iter_mut().zip(sequences) {
        if let Some(sequence) = sequence {
            *version =
                history::version_at(tx, &place, |commit| commit.sequence <= sequence).await?;
        }
    }
    let condition =
        "version_from > $5 AND version_from <= $6 AND (version_to IS NULL OR version_to > $6)";
    let more = args![versions[0], versions[1]];
    page(tx, &place, "", after, limit, condition, more).await
}

/// That a path can be one.
fn check_path(path: &str) -> Result<()> {
    let reason = if path.is_empty() {
        "it is empty"
    } else if path.len() > MAX_PATH {
        "it has more than 2,500 bytes"
    } else if path.contains('\0') {
        "it contains a NUL character"
    } else {
        return Ok(());
    };
    // The error says which, without filling a screen.
    let shown = path.chars().take(200).collect();
    Err(CatalogError::InvalidName {
        what: "object",
        name: shown,
        reason,
    })
}
