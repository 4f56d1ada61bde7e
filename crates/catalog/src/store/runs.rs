//! The history of runs, bounded for each job.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::KEPT_RUNS;
use super::driver::{Arg, Pool, Row, RowError, Tx, args};
use super::lookup::{now, parse_time, time_text};
use super::partitions::to_json;
use crate::error::{CatalogError, Result};
use crate::model::named::{check_name, invalid};
use crate::model::{DIED, NewRun, Run, RunBeat, RunOutcome, RunProcess, RunState};

const ACTION: &str = "write the history of runs";
const READ: &str = "read the history of runs";
const COLUMNS: &str =
    "run_id, attempt, previous_run_id, job_name, started_at, completed_at, state, arguments,
    error_message, script, summary, bookmarks_before, bookmarks_after, process, heartbeat_at";
/// What every id begins with, as in Glue.
const PREFIX: &str = "jr_";
/// How many runs an ambiguous id is shown with.
const SHOWN: i64 = 5;

pub(super) async fn start(pool: &Pool, new: NewRun) -> Result<Run> {
    check_name("job", &new.job_name)?;
    if let Some(previous) = &new.previous_run_id {
        check_name("run", previous)?;
    }
    let now = now();
    let mut run = Run {
        id: format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()),
        attempt: new.attempt.max(1),
        previous_run_id: new.previous_run_id,
        job_name: new.job_name,
        started_on: new.started_on.unwrap_or(now),
        completed_on: None,
        job_run_state: RunState::Starting,
        arguments: new.arguments,
        error_message: None,
        execution_time: 0,
        script: new.script,
        summary: Value::Null,
        bookmarks_before: Value::Null,
        bookmarks_after: Value::Null,
        process: new.process.unwrap_or_else(RunProcess::this),
        heartbeat_on: new.started_on.unwrap_or(now),
    };
    let script = run.script.as_ref().map(to_json).transpose()?;
    let mut tx = pool.begin_write().await?;
    let number = next(&mut tx, "run").await?;
    tx.execute(
        ACTION,
        "INSERT INTO runs (run_id, run_number, job_name, attempt, previous_run_id, state, started_at, heartbeat_at,
                           process, arguments, script, summary, bookmarks_before, bookmarks_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'null', 'null', 'null')",
        args![
            run.id.as_str(),
            number,
            run.job_name.as_str(),
            i64::from(run.attempt),
            run.previous_run_id.clone(),
            run.job_run_state.as_str(),
            time_text(run.started_on),
            time_text(run.heartbeat_on),
            to_json(&run.process)?,
            to_json(&run.arguments)?,
            script,
        ],
    )
    .await?;
    // Nothing refers to a run that goes: bookmarks remember the ids that they need.
    tx.execute(
        ACTION,
        "DELETE FROM runs WHERE job_name = $1 AND run_number <= (
             SELECT run_number FROM runs WHERE job_name = $1 ORDER BY run_number DESC LIMIT 1 OFFSET $2
         )",
        args![run.job_name.as_str(), i64::from(KEPT_RUNS)],
    )
    .await?;
    tx.commit().await?;
    run = run.seen_at(now);
    Ok(run)
}

/// The next number of a counter.
pub(super) async fn next(tx: &mut Tx, counter: &str) -> Result<i64> {
    tx.row(
        "count in the catalog",
        "UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value",
        args![counter],
        |row| Ok(row.int(0)?),
    )
    .await?
    .ok_or_else(|| CatalogError::Store {
        action: "count in the catalog".to_owned(),
        source: format!("the counter '{counter}' is missing").into(),
    })
}

fn optional_json(value: Option<&Value>) -> Result<Option<String>> {
    value.map(to_json).transpose()
}

pub(super) async fn beat(pool: &Pool, id: &str, beat: RunBeat) -> Result<()> {
    check_name("run", id)?;
    let mut tx = pool.begin_write().await?;
    let written = tx
        .execute(
            ACTION,
            "UPDATE runs SET state = 'RUNNING', heartbeat_at = $2, summary = COALESCE($3, summary),
                             bookmarks_before = COALESCE($4, bookmarks_before)
             WHERE run_id = $1 AND state IN ('STARTING', 'RUNNING')",
            args![
                id,
                time_text(now()),
                optional_json(beat.summary.as_ref())?,
                optional_json(beat.bookmarks_before.as_ref())?,
            ],
        )
        .await?;
    if written == 0 {
        return Err(not_running(&mut tx, id).await?);
    }
    tx.commit().await
}

/// Writes how a run ended.
pub(super) async fn finish(tx: &mut Tx, id: &str, outcome: &RunOutcome) -> Result<()> {
    let now = time_text(now());
    let written = tx
        .execute(
            ACTION,
            "UPDATE runs SET state = $2, completed_at = $3, heartbeat_at = $3, error_message = $4,
                             summary = COALESCE($5, summary), bookmarks_before = COALESCE($6, bookmarks_before),
                             bookmarks_after = COALESCE($7, bookmarks_after)
             WHERE run_id = $1 AND state IN ('STARTING', 'RUNNING')",
            args![
                id,
                outcome.state.as_str(),
                now,
                outcome.error_message.as_deref().map(printable),
                optional_json(outcome.summary.as_ref())?,
                optional_json(outcome.bookmarks_before.as_ref())?,
                optional_json(outcome.bookmarks_after.as_ref())?,
            ],
        )
        .await?;
    if written == 0 {
        return Err(not_running(tx, id).await?);
    }
    Ok(())
}

/// That an outcome is one.
pub(super) fn check_outcome(id: &str, outcome: &RunOutcome) -> Result<()> {
    check_name("run", id)?;
    if outcome.state.has_ended() {
        return Ok(());
    }
    let reason = format!("a run that ends is not {}", outcome.state.as_str());
    Err(invalid("run", id, reason))
}

/// Writes of a run whose process died that it did, and what became of what it had begun to commit.
pub(super) async fn bury(tx: &mut Tx, id: &str, what: &str) -> Result<()> {
    let Some(run) = find(tx, id).await? else {
        return Ok(());
    };
    if run.is_alive() || run.error_message.as_deref() != Some(DIED) {
        return Ok(());
    }
    tx.execute(
        ACTION,
        "UPDATE runs SET state = 'FAILED', completed_at = heartbeat_at, error_message = $2
         WHERE run_id = $1 AND state IN ('STARTING', 'RUNNING')",
        args![id, format!("{DIED}; {what}")],
    )
    .await
    .map(drop)
}

/// Whether a run is at work, as far as is known.
pub(super) async fn is_alive(tx: &mut Tx, id: &str) -> Result<bool> {
    Ok(find(tx, id).await?.is_some_and(|run| run.is_alive()))
}

/// PostgreSQL takes no NUL, and who reads a message wants none.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

async fn not_running(tx: &mut Tx, id: &str) -> Result<CatalogError> {
    Ok(match find(tx, id).await? {
        Some(run) => CatalogError::RunEnded {
            id: run.id,
            state: run.job_run_state,
        },
        None => CatalogError::RunNotFound { id: id.to_owned() },
    })
}

async fn find(tx: &mut Tx, id: &str) -> Result<Option<Run>> {
    let now = now();
    tx.row(
        READ,
        format!("SELECT {COLUMNS} FROM runs WHERE run_id = $1"),
        args![id],
        |row| run_of(&row, now),
    )
    .await
}

pub(super) async fn list(tx: &mut Tx, job: Option<&str>, limit: u32) -> Result<Vec<Run>> {
    let limit = i64::from(limit);
    let (condition, args) = match job {
        Some(name) => {
            check_name("job", name)?;
            ("WHERE job_name = $2", args![limit, name])
        }
        None => ("", args![limit]),
    };
    let now = now();
    tx.rows(
        READ,
        format!("SELECT {COLUMNS} FROM runs {condition} ORDER BY run_number DESC LIMIT $1"),
        args,
        |row| run_of(&row, now),
    )
    .await
}

pub(super) async fn get(tx: &mut Tx, id: &str) -> Result<Run> {
    check_name("run", id)?;
    let full = full_id(id);
    let (condition, mut given) = with_prefix("run_id", &full, 1);
    given.push(Arg::from(SHOWN));
    let now = now();
    let mut found = tx
        .rows(
            READ,
            format!(
                "SELECT {COLUMNS} FROM runs WHERE {condition} ORDER BY run_number DESC LIMIT $3"
            ),
            given,
            |row| run_of(&row, now),
        )
        .await?;
    if let Some(exact) = found.iter().position(|run| run.id == full) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        0 => Err(CatalogError::RunNotFound { id: id.to_owned() }),
        1 => Ok(found.swap_remove(0)),
        _ => Err(CatalogError::RunAmbiguous {
            id: id.to_owned(),
            matches: found.into_iter().map(|run| run.id).collect(),
        }),
    }
}

/// The id, or the beginning of one, as the store has it.
pub(super) fn full_id(id: &str) -> String {
    if id.starts_with(PREFIX) || PREFIX.starts_with(id) {
        id.to_owned()
    } else {
        format!("{PREFIX}{id}")
    }
}

/// The condition that a column begins with a text, with two values from number `first` on: a range, which an index
/// answers, and not LIKE, in which some characters mean something.
pub(super) fn with_prefix(column: &str, prefix: &str, first: usize) -> (String, Vec<Arg>) {
    let second = first + 1;
    match after_prefix(prefix) {
        Some(end) => (
            format!("({column} >= ${first} AND {column} < ${second})"),
            args![prefix, end],
        ),
        // Every text that begins with it comes last; the second value is there to keep the numbers.
        None => (
            format!("({column} >= ${first} AND {column} >= ${second})"),
            args![prefix, prefix],
        ),
    }
}

/// The least text that is greater than all that begin with the prefix; `None` if there is none. Bytes of UTF-8 are in
/// the order of the characters.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = match last {
            char::MAX => continue,
            '\u{d7ff}' => '\u{e000}',
            last => char::from_u32(u32::from(last) + 1)?,
        };
        end.push(next);
        return Some(end);
    }
    None
}

pub(super) async fn jobs(tx: &mut Tx) -> Result<Vec<String>> {
    tx.rows(
        "list the jobs",
        "SELECT job_name FROM runs UNION SELECT job_name FROM bookmarks ORDER BY 1",
        vec![],
        |row| Ok(row.text(0)?),
    )
    .await
}

/// The error for a job that there is nothing of; `None` if there is something.
pub(super) async fn missing_job(tx: &mut Tx, job: &str) -> Result<Option<CatalogError>> {
    check_name("job", job)?;
    let jobs = jobs(tx).await?;
    if jobs.iter().any(|name| name == job) {
        return Ok(None);
    }
    Ok(Some(CatalogError::JobNotFound {
        name: job.to_owned(),
        did_you_mean: mastic_schema::names::closest(job, jobs.iter().map(String::as_str)),
    }))
}

fn run_of(row: &Row<'_>, now: DateTime<Utc>) -> Result<Run, RowError> {
    let run = Run {
        id: row.text(0)?,
        attempt: u32::try_from(row.int(1)?).unwrap_or(1),
        previous_run_id: row.optional_text(2)?,
        job_name: row.text(3)?,
        started_on: parse_time(&row.text(4)?)?,
        completed_on: row
            .optional_text(5)?
            .as_deref()
            .map(parse_time)
            .transpose()?,
        job_run_state: serde_json::from_value(Value::String(row.text(6)?))?,
        arguments: serde_json::from_str(&row.text(7)?)?,
        error_message: row.optional_text(8)?,
        execution_time: 0,
        script: row
            .optional_text(9)?
            .map(|script| serde_json::from_str(&script))
            .transpose()?,
        summary: serde_json::from_str(&row.text(10)?)?,
        bookmarks_before: serde_json::from_str(&row.text(11)?)?,
        bookmarks_after: serde_json::from_str(&row.text(12)?)?,
        process: serde_json::from_str(&row.text(13)?)?,
        heartbeat_on: parse_time(&row.text(14)?)?,
    };
    Ok(run.seen_at(now))
}

#[cfg(test)]
mod tests {
    use super::after_prefix;

    #[test]
    fn the_end_of_a_prefix_follows_all_that_begin_with_it() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix(""), None);
        for (prefix, text) in [
            ("é", "é/x"),
            ("a/", "a/\u{10ffff}b"),
            ("x\u{7f}", "x\u{7f}"),
        ] {
            let end = after_prefix(prefix).unwrap();
            assert!(
                prefix <= text && text < end.as_str(),
                "{prefix} {text} {end}"
            );
        }
    }
}
