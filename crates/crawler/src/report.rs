//! What a crawl saw, decided and changed.

use std::time::Duration;

use serde::Serialize;

/// What a crawl saw, decided and changed.
#[derive(Debug, Default, Serialize)]
pub struct CrawlReport {
    /// The database that the tables are in.
    pub database: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// How many data files were examined.
    pub files: usize,
    /// Their size in bytes, as stored.
    pub bytes: u64,
    /// The tables, by name.
    pub tables: Vec<TableReport>,
    /// Files of no bytes, which were passed over.
    pub empty: Vec<String>,
    /// Files that were skipped because they cannot be read.
    pub problems: Vec<FileProblem>,
    /// How long it took.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
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
    /// Its files are gone; it was marked so.
    Deprecated,
}

/// A table of a crawl.
#[derive(Debug, Clone, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// What became of it, or would become.
    pub outcome: Outcome,
    /// Its version after the crawl; before it, on a dry run.
    pub version: Option<u64>,
    /// Its format.
    pub classification: String,
    /// How its files are compressed.
    pub compression: String,
    /// Where it is.
    pub location: String,
    /// How many files it has.
    pub files: usize,
    /// Their size in bytes, as stored.
    pub bytes: u64,
    /// How many records it has; an estimate where not all bytes were looked at.
    pub records: u64,
    /// Its columns, each with its type.
    pub columns: Vec<String>,
    /// Its partition keys, each with its type.
    pub partition_keys: Vec<String>,
    /// How many partitions it has.
    pub partitions: usize,
    /// Why it is one table, and why its columns have their types.
    pub why: Vec<String>,
    /// What is different from the version before.
    pub changes: Vec<String>,
}
