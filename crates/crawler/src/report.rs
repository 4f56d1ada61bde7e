//! What a crawl saw, decided and changed.

use std::time::Duration;

use serde::Serialize;

/// How many problems and empty files are named; beyond that they are counted.
const NAMED: usize = 10_000;

/// What a crawl saw, decided and changed.
#[derive(Debug, Default, Serialize)]
pub struct CrawlReport {
    /// The number of the crawl in the catalog's history; none on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crawl_id: Option<i64>,
    /// The database that the tables are in.
    pub database: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// How many data files there are.
    pub files: u64,
    /// Their size in bytes, as stored.
    pub bytes: u64,
    /// How many of them were opened, because they are new or different.
    pub opened: u64,
    /// How many of them are as an earlier crawl saw them.
    pub unchanged: u64,
    /// How many new files were passed over, because only new folders were looked at.
    pub skipped: u64,
    /// The tables, by name.
    pub tables: Vec<TableReport>,
    /// Files without records, which were passed over; the first ten thousand.
    pub empty: Vec<String>,
    /// How many files have no records.
    pub empty_count: u64,
    /// Files and folders that cannot be read, or are in no known format; the first ten thousand.
    pub problems: Vec<FileProblem>,
    /// How many files and folders cannot be read, or are in no known format.
    pub problem_count: u64,
    /// Whether there are files that could not be looked at beside those that are named.
    #[serde(skip)]
    pub(crate) unseen: bool,
    /// What else is to be said of the crawl as a whole.
    pub notes: Vec<String>,
    /// How long it took.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
}

impl CrawlReport {
    pub(crate) fn note_empty(&mut self, url: String) {
        self.empty_count += 1;
        if self.empty.len() < NAMED {
            self.empty.push(url);
        }
    }

    pub(crate) fn note_problem(&mut self, problem: FileProblem) {
        self.problem_count += 1;
        self.unseen |= problem.hides && self.problems.len() >= NAMED;
        if self.problems.len() < NAMED {
            self.problems.push(problem);
        }
    }

    /// Adds what was seen below one target.
    pub(crate) fn add(&mut self, seen: CrawlReport) {
        self.files += seen.files;
        self.bytes += seen.bytes;
        self.opened += seen.opened;
        self.unchanged += seen.unchanged;
        self.skipped += seen.skipped;
        self.empty_count += seen.empty_count;
        self.problem_count += seen.problem_count;
        self.unseen |= seen.unseen || self.problems.len() + seen.problems.len() > NAMED;
        let room = |all: usize| NAMED.saturating_sub(all);
        let (empty, problems) = (room(self.empty.len()), room(self.problems.len()));
        self.empty.extend(seen.empty.into_iter().take(empty));
        self.problems
            .extend(seen.problems.into_iter().take(problems));
    }

    /// Whether anything that could not be looked at lies at `url` or below it: what it holds is not gone. What
    /// is not named may lie anywhere.
    pub(crate) fn may_hide_below(&self, url: &str) -> bool {
        self.unseen
            || self.problems.iter().filter(|p| p.hides).any(|p| {
                let within = |inner: &str, outer: &str| {
                    inner
                        .strip_prefix(outer)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                // A folder that cannot be listed hides whatever lies below it.
                within(&p.url, url) || within(url, &p.url)
            })
    }
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(elapsed.as_secs_f64())
}

/// A file that cannot be crawled.
#[derive(Debug, Clone, Serialize)]
pub struct FileProblem {
    /// The file.
    pub url: String,
    /// What is wrong with it, and where.
    pub reason: String,
    /// Whether the file may hold data nonetheless: it could not be looked at.
    #[serde(skip)]
    pub(crate) hides: bool,
}

impl FileProblem {
    /// What is in the file is no data.
    pub(crate) fn of_contents(url: String, reason: impl ToString) -> Self {
        FileProblem {
            url,
            reason: reason.to_string(),
            hides: false,
        }
    }

    /// What is in the file or folder cannot be seen.
    pub(crate) fn of_access(url: String, reason: impl ToString) -> Self {
        FileProblem {
            url,
            reason: reason.to_string(),
            hides: true,
        }
    }
}

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// It is new.
    Created,
    /// It has a new version.
    Updated,
    /// It is as it was.
    Unchanged,
    /// It is as it was, although its files are not, as the crawler was told.
    Logged,
    /// Its files are gone; it was marked so.
    Deprecated,
    /// Its files are gone; it was deleted.
    Deleted,
}

/// A table of a crawl.
#[derive(Debug, Clone, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// What became of it, or would become.
    pub outcome: Outcome,
    /// Its version before the crawl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_version: Option<u64>,
    /// Its version after the crawl; before it, on a dry run.
    pub version: Option<u64>,
    /// Its format.
    pub classification: String,
    /// How its files are compressed.
    pub compression: String,
    /// Where it is.
    pub location: String,
    /// How many files it has.
    pub files: u64,
    /// Their size in bytes, as stored.
    pub bytes: u64,
    /// How many records it has; an estimate where not all bytes were looked at.
    pub records: u64,
    /// Its columns, each with its type.
    pub columns: Vec<String>,
    /// Its partition keys, each with its type.
    pub partition_keys: Vec<String>,
    /// How many partitions it has.
    pub partitions: u64,
    /// Why it is one table, and why its columns have their types.
    pub why: Vec<String>,
    /// What is different from the version before.
    pub changes: Vec<String>,
}
