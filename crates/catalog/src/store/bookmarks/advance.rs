//! Bringing a bookmark forward: compare-and-swap on its version, and rows for what was seen.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::KEPT_COMMITS;
use super::super::change::{AppliedBookmark, BookmarkOutcome};
use super::super::dialect::Dialect;
use super::super::driver::{Tx, args};
use super::super::job_store::micros;
use super::super::lookup::{now, time_text};
use super::super::partitions::to_json;
use super::super::runs::next;
use super::pending::{drop_parts, owner};
use super::{PATHS_PER_LIST, Place, WRITE, check_path, current, find, get};
use crate::error::{CatalogError, Result};
use crate::model::named::{check_name, invalid};
use crate::model::{BookmarkPosition, PlannedBookmark, SourceObject};

/// Who brings it forward.
pub(super) struct By<'a> {
    pub(super) run: Option<&'a str>,
    pub(super) attempt: u32,
}

/// What it is brought forward by.
pub(super) enum With {
    /// These objects.
    Objects(Vec<SourceObject>),
    /// Those of the pending commit.
    Pending,
}

/// That a planned bookmark names what is allowed.
pub(in super::super) fn check_planned(
    job: &str,
    run: &str,
    planned: &PlannedBookmark,
) -> Result<()> {
    check_name("job", job)?;
    check_name("run", run)?;
    check_name("source", &planned.source_name)?;
    check_objects(&planned.objects)
}

/// That a place to put a bookmark names what is allowed.
pub(in super::super) fn check_position(
    job: &str,
    source: &str,
    position: &BookmarkPosition,
) -> Result<()> {
    check_name("job", job)?;
    check_name("source", source)?;
    check_objects(&position.objects)
}

fn check_objects(objects: &[SourceObject]) -> Result<()> {
    for object in objects {
        check_path(&object.path)?;
        let etag = object.etag.as_deref().unwrap_or_default();
        let wrong = if etag.contains('\0') {
            "its ETag contains a NUL character"
        } else if object.size.is_some_and(|size| i64::try_from(size).is_err()) {
            "its size is more than 63 bits hold"
        } else {
            continue;
        };
        return Err(invalid("object", &object.path, wrong.to_owned()));
    }
    Ok(())
}

/// The bookmark, made if it is not there.
pub(super) async fn ensure(tx: &mut Tx, job: &str, source: &str) -> Result<Place> {
    if let Some(place) = find(tx, job, source).await? {
        return Ok(place);
    }
    let id = next(tx, "bookmark").await?;
    tx.execute(
        WRITE,
        "INSERT INTO bookmarks (bookmark_id, job_name, source_name, version, position, kept_from, paused)
         VALUES ($1, $2, $3, 0, 0, 0, 0)",
        args![id, job, source],
    )
    .await?;
    Ok(Place {
        id,
        job: job.to_owned(),
        source: source.to_owned(),
        version: 0,
        position: 0,
        kept_from: 0,
        paused: false,
    })
}

/// That a bookmark is at the version that somebody has read.
pub(super) async fn expect(tx: &mut Tx, place: &Place, expected: i64) -> Result<()> {
    if place.version == expected {
        return Ok(());
    }
    let found = get(tx, &place.job, &place.source).await?;
    // What a run committed is no reason if the bookmark was reset, rewound or set since.
    let by_run = place.position == place.version;
    Err(CatalogError::BookmarkConflict {
        job: place.job.clone(),
        source_name: place.source.clone(),
        expected,
        found: place.version,
        run: found.run_id.filter(|_| by_run),
        committed_on: found.committed_on.filter(|_| by_run),
    })
}

/// That no other run is committing a bookmark; whether this one is.
pub(super) async fn unowned(tx: &mut Tx, place: &Place, run: &str) -> Result<bool> {
    match owner(tx, place).await? {
        Some(owner) if owner != run => Err(CatalogError::BookmarkBusy {
            job: place.job.clone(),
            source_name: place.source.clone(),
            run: owner,
        }),
        owner => Ok(owner.is_some()),
    }
}

/// Commits a bookmark that is checked already.
pub(in super::super) async fn commit(
    tx: &mut Tx,
    job: &str,
    run: &str,
    attempt: u32,
    planned: PlannedBookmark,
) -> Result<AppliedBookmark> {
    let place = ensure(tx, job, &planned.source_name).await?;
    let begun = unowned(tx, &place, run).await?;
    expect(tx, &place, planned.expected_version).await?;
    // What was begun before it was paused is brought to its end.
    if place.paused && !begun {
        return Ok(told(&place, BookmarkOutcome::Paused));
    }
    if begun {
        drop_parts(tx, &place).await?;
    }
    let by = By {
        run: Some(run),
        attempt,
    };
    advance(tx, &place, &by, With::Objects(planned.objects), None).await
}

/// Puts a bookmark somewhere, whatever it said; nothing of it is under way. `only_new`: unless it is there already.
pub(in super::super) async fn set(
    tx: &mut Tx,
    job: &str,
    source: &str,
    position: BookmarkPosition,
    paused: bool,
    only_new: bool,
) -> Result<AppliedBookmark> {
    let place = ensure(tx, job, source).await?;
    if only_new && place.version > 0 {
        let version = place.version;
        return Ok(told(&place, BookmarkOutcome::Unchanged { version }));
    }
    super::moves::may_move(tx, &place).await?;
    super::moves::forget(tx, &place).await?;
    let place = Place {
        position: 0,
        ..place
    };
    let by = By {
        run: None,
        attempt: 0,
    };
    let up_to = position.up_to.map(micros);
    let done = advance(tx, &place, &by, With::Objects(position.objects), up_to).await?;
    tx.execute(
        WRITE,
        "UPDATE bookmarks SET kept_from = position, paused = $2 WHERE bookmark_id = $1",
        args![place.id, i64::from(paused || place.paused)],
    )
    .await?;
    Ok(done)
}

pub(super) fn told(place: &Place, outcome: BookmarkOutcome) -> AppliedBookmark {
    AppliedBookmark {
        job: place.job.clone(),
        source: place.source.clone(),
        outcome,
    }
}

/// Brings a bookmark forward, with a new time up to which everything counts as seen, or the one that it has.
pub(super) async fn advance(
    tx: &mut Tx,
    place: &Place,
    by: &By<'_>,
    with: With,
    up_to: Option<i64>,
) -> Result<AppliedBookmark> {
    let version = place.version + 1;
    let (ended, added) = match with {
        With::Objects(objects) => write(tx, place.id, version, objects).await?,
        With::Pending => write_pending(tx, place.id, version).await?,
    };
    let (objects, oldest, newest, before) = tx
        .row(
            WRITE,
            "SELECT objects, oldest, newest, up_to FROM bookmark_commits WHERE bookmark_id = $1 AND version = $2",
            args![place.id, place.position],
            |row| {
                Ok((
                    row.int(0)?,
                    row.optional_int(1)?,
                    row.optional_int(2)?,
                    row.optional_int(3)?,
                ))
            },
        )
        .await?
        .unwrap_or_default();
    let (least, greatest) = tx
        .row(
            WRITE,
            "SELECT MIN(modified), MAX(modified) FROM bookmark_objects WHERE bookmark_id = $1 AND version_from = $2",
            args![place.id, version],
            |row| Ok((row.optional_int(0)?, row.optional_int(1)?)),
        )
        .await?
        .unwrap_or_default();
    let sequence = next(tx, "bookmark commit").await?;
    tx.execute(
        WRITE,
        "INSERT INTO bookmark_commits (bookmark_id, version, sequence, run_id, run_attempt, committed_at, added,
                                       objects, oldest, newest, up_to)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![
            place.id,
            version,
            sequence,
            by.run.map(str::to_owned),
            i64::from(by.attempt),
            time_text(now()),
            added,
            objects + added - ended,
            oldest.into_iter().chain(least).min(),
            newest.into_iter().chain(greatest).max(),
            up_to.or(before),
        ],
    )
    .await?;
    tx.execute(
        WRITE,
        "UPDATE bookmarks SET version = $2, position = $2 WHERE bookmark_id = $1",
        args![place.id, version],
    )
    .await?;
    prune(tx, place.id).await?;
    let added = added.unsigned_abs();
    Ok(told(place, BookmarkOutcome::Advanced { version, added }))
}

/// Writes what was seen: how many rows ended, and how many began.
async fn write(
    tx: &mut Tx,
    bookmark: i64,
    version: i64,
    objects: Vec<SourceObject>,
) -> Result<(i64, i64)> {
    let objects = by_path(objects);
    let added = objects.len() as i64;
    let mut ended = 0;
    for chunk in chunks(objects) {
        let paths = chunk.iter().map(|object| object.path.clone()).collect();
        // Mostly there are none: what is read is new.
        let mut known: Vec<String> = current(tx, bookmark, paths).await?.into_keys().collect();
        known.sort_unstable();
        if !known.is_empty() {
            let sql = format!(
                "UPDATE bookmark_objects SET version_to = $2
                 WHERE bookmark_id = $1 AND version_to IS NULL AND {}",
                tx.dialect().in_list("path", "$3")
            );
            let done = tx
                .execute(WRITE, sql, args![bookmark, version, known])
                .await?;
            ended += done as i64;
        }
        let columns = "bookmark_id, path, size, modified, etag, version_from";
        insert(
            tx,
            "bookmark_objects",
            columns,
            "$1, {}, $3",
            bookmark,
            &chunk,
            Some(version),
        )
        .await?;
    }
    Ok((ended, added))
}

async fn write_pending(tx: &mut Tx, bookmark: i64, version: i64) -> Result<(i64, i64)> {
    let ended = tx
        .execute(
            WRITE,
            "UPDATE bookmark_objects SET version_to = $2
             WHERE bookmark_id = $1 AND version_to IS NULL
               AND path IN (SELECT path FROM pending_objects WHERE bookmark_id = $1)",
            args![bookmark, version],
        )
        .await?;
    let added = tx
        .execute(
            WRITE,
            "INSERT INTO bookmark_objects (bookmark_id, path, size, modified, etag, version_from)
             SELECT bookmark_id, path, size, modified, etag, $2 FROM pending_objects WHERE bookmark_id = $1",
            args![bookmark, version],
        )
        .await?;
    Ok((ended as i64, added as i64))
}

/// Each path once, the last one counts; in the order of the index.
pub(super) fn by_path(objects: Vec<SourceObject>) -> Vec<SourceObject> {
    let by_path: BTreeMap<String, SourceObject> = objects
        .into_iter()
        .map(|object| (object.path.clone(), object))
        .collect();
    by_path.into_values().collect()
}

/// Lists for one statement each.
pub(super) fn chunks(objects: Vec<SourceObject>) -> impl Iterator<Item = Vec<SourceObject>> {
    let mut objects = objects.into_iter().peekable();
    std::iter::from_fn(move || {
        objects.peek()?;
        Some(objects.by_ref().take(PATHS_PER_LIST).collect())
    })
}

/// Inserts objects, all in one statement, given as JSON: SQLite is slow with thousands of numbered values, and PostgreSQL
/// with thousands of statements. `values` is what is selected, in which `{}` stands for the object's columns; $1 is the
/// bookmark, $2 the objects, and $3 what else there is.
pub(super) async fn insert(
    tx: &mut Tx,
    table: &str,
    columns: &str,
    values: &str,
    bookmark: i64,
    objects: &[SourceObject],
    more: Option<i64>,
) -> Result<()> {
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let time: Option<i64> = object.last_modified.map(|time: DateTime<Utc>| micros(time));
            json!([object.path, object.size, time, object.etag])
        })
        .collect();
    let (object, from) = match tx.dialect() {
        Dialect::Sqlite => (
            "value ->> 0, value ->> 1, value ->> 2, value ->> 3",
            "json_each($2)",
        ),
        Dialect::Postgres => (
            "value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint, value ->> 3",
            "jsonb_array_elements($2::jsonb) AS given (value)",
        ),
    };
    let values = values.replace("{}", object);
    let mut given = args![bookmark, to_json(&rows)?];
    given.extend(more.map(super::super::driver::Arg::from));
    let sql = format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {from}");
    tx.execute(WRITE, sql, given).await.map(drop)
}

/// Forgets commits that are no longer kept, and the rows that only they had.
async fn prune(tx: &mut Tx, bookmark: i64) -> Result<()> {
    let oldest = tx
        .row(
            WRITE,
            "SELECT version FROM bookmark_commits WHERE bookmark_id = $1 ORDER BY version DESC LIMIT 1 OFFSET $2",
            args![bookmark, i64::from(KEPT_COMMITS) - 1],
            |row| Ok(row.int(0)?),
        )
        .await?;
    let Some(oldest) = oldest else {
        return Ok(());
    };
    let gone = tx
        .execute(
            WRITE,
            "DELETE FROM bookmark_commits WHERE bookmark_id = $1 AND version < $2",
            args![bookmark, oldest],
        )
        .await?;
    if gone == 0 {
        return Ok(());
    }
    for sql in [
        "DELETE FROM bookmark_objects WHERE bookmark_id = $1 AND version_to <= $2",
        "UPDATE bookmarks SET kept_from = $2 WHERE bookmark_id = $1",
    ] {
        tx.execute(WRITE, sql, args![bookmark, oldest]).await?;
    }
    Ok(())
}
