//! Why a crawl failed.

use mastic_catalog::CatalogError;
use mastic_lake::LakeError;

use crate::report::FileProblem;

/// A result of this crate.
pub type Result<T, E = CrawlError> = std::result::Result<T, E>;

/// Why a crawl failed. The catalog's tables are as they were before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrawlError {
    /// A place or file could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The catalog could not be read or written.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Files that are no data, and were not to be passed over.
    #[error("{}", bad_files("cannot be crawled, and nothing was written", problems, *count))]
    BadFiles {
        /// How many there are.
        count: u64,
        /// The files, with their reasons: those that are named.
        problems: Vec<FileProblem>,
    },
    /// There are files, and none can be read.
    #[error("{}", bad_files("cannot be crawled, and there is no other", problems, *count))]
    NothingReadable {
        /// How many there are.
        count: u64,
        /// The files, with their reasons: those that are named.
        problems: Vec<FileProblem>,
    },
    /// Two targets of one crawl lie one within the other.
    #[error("{inner} lies within {outer}: crawl one of them")]
    Overlap {
        /// The narrower target.
        inner: String,
        /// The wider target.
        outer: String,
    },
    /// More tables than the crawler may make.
    #[error("the crawl found {found} tables, more than the {limit} that it may make ({}, …), and nothing was written", some.join(", "))]
    TooManyTables {
        /// How many it found.
        found: usize,
        /// How many it may make.
        limit: usize,
        /// Some of them.
        some: Vec<String>,
    },
    /// A crawler's definition that cannot be followed.
    #[error("crawler '{crawler}' cannot be run: {reason}")]
    Definition {
        /// The crawler.
        crawler: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A crawl that cannot be undone.
    #[error("crawl {id} cannot be undone: {reason}")]
    Undo {
        /// The crawl.
        id: i64,
        /// Why not.
        reason: String,
    },
    /// Somebody stopped the crawl.
    #[error("interrupted; the catalog's tables are as they were")]
    Cancelled,
    /// A task of the crawl failed.
    #[error("a task of the crawl failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl CrawlError {
    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            CrawlError::Lake(error) => error.hint(),
            CrawlError::Catalog(error) => error.hint(),
            CrawlError::BadFiles { .. } => Some(
                "move them away, give them a name that begins with '_' or '.', leave them out with --exclude, or crawl without --strict"
                    .into(),
            ),
            CrawlError::NothingReadable { .. } => Some(
                "Mastic reads CSV, JSON, XML, logs, Parquet, Avro and ORC, plain or compressed; a format of your own is a classifier: mastic classifier --help"
                    .into(),
            ),
            CrawlError::TooManyTables { .. } => Some(
                "combine folders with --combine-compatible-schemas, say on which level tables are with --table-level, or raise --table-threshold"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn bad_files(what: &str, problems: &[FileProblem], count: u64) -> String {
    const SHOWN: usize = 10;
    let mut lines = vec![match count {
        1 => format!("1 file {what}:"),
        n => format!("{n} files {what}:"),
    }];
    lines.extend(
        problems
            .iter()
            .take(SHOWN)
            .map(|p| format!("  {}", p.reason)),
    );
    if count > SHOWN as u64 {
        lines.push(format!("  … and {} more", count - SHOWN as u64));
    }
    lines.join("\n")
}
