//! Files become tables.
//!
//! A crawl goes one way: `survey` lists and examines every file, `group` makes tables of
//! folders, `reconcile` holds them against the catalog, and one transaction writes what changed.
//! Every decision leaves its reason in the `report`.
//!
//! ```
//! use mastic_catalog::OpenMode;
//! use mastic_crawler::{CrawlOptions, Silent, crawl};
//! use mastic_lake::store::Stores;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! std::fs::create_dir_all(dir.path().join("sales/year=2024"))?;
//! std::fs::write(dir.path().join("sales/year=2024/a.csv"), "id,price\n1,2.5\n2,3\n")?;
//!
//! let path = dir.path().join("catalog.db").display().to_string();
//! let catalog = mastic_catalog::open(&path, OpenMode::CreateIfMissing).await?;
//! let target = dir.path().join("sales").display().to_string();
//! let options = CrawlOptions::new([target], "shop");
//! let report = crawl(catalog.as_ref(), &Stores::default(), &options, &Silent).await?;
//! assert_eq!(report.tables[0].name, "sales");
//! assert_eq!(report.tables[0].columns, ["id bigint", "price double"]);
//! # Ok(())
//! # }
//! ```
//!
//! It never writes a data file.

mod group;
mod levels;
mod reconcile;
mod report;
mod survey;
mod table;

use mastic_catalog::{CatalogError, CatalogStore};
use mastic_lake::LakeError;
use mastic_lake::format::Limits;
use mastic_lake::store::Stores;

pub use self::report::{CrawlReport, FileProblem, Outcome, TableReport};

/// What is to be crawled, and how.
#[derive(Debug, Clone)]
pub struct CrawlOptions {
    /// Where to look: paths and `s3://` prefixes.
    pub targets: Vec<String>,
    /// The database that the tables go to. It is made where it is missing.
    pub database: String,
    /// What every table's name begins with.
    pub prefix: String,
    /// How much of each file is looked at.
    pub limits: Limits,
    /// How many files are examined at once.
    pub concurrency: usize,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
    /// Go on without files that cannot be read or are in no known format.
    pub skip_bad_files: bool,
}

impl CrawlOptions {
    /// Options with everything at its default.
    pub fn new(targets: impl IntoIterator<Item = String>, database: impl Into<String>) -> Self {
        CrawlOptions {
            targets: targets.into_iter().collect(),
            database: database.into(),
            prefix: String::new(),
            limits: Limits::default(),
            concurrency: 16,
            dry_run: false,
            skip_bad_files: false,
        }
    }
}

/// Why a crawl failed. The catalog is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrawlError {
    /// A place or file could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The catalog could not be read or written.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Files that are no data, and were not to be skipped.
    #[error("{}", bad_files(problems, *skipped))]
    BadFiles {
        /// The files, with their reasons.
        problems: Vec<FileProblem>,
        /// Whether they were to be skipped, and nothing else was there.
        skipped: bool,
    },
    /// Two targets of one crawl lie one within the other.
    #[error("{inner} lies within {outer}: crawl one of them")]
    Overlap {
        /// The narrower target.
        inner: String,
        /// The wider target.
        outer: String,
    },
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
            CrawlError::BadFiles { skipped: false, .. } => Some(
                "move them away, give them a name that begins with '_' or '.', or crawl with --skip-bad-files"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn bad_files(problems: &[FileProblem], skipped: bool) -> String {
    const SHOWN: usize = 10;
    let mut lines = vec![match problems.len() {
        _ if skipped => "no file can be crawled, and nothing was written:".to_owned(),
        1 => "1 file cannot be crawled, and nothing was written:".to_owned(),
        n => format!("{n} files cannot be crawled, and nothing was written:"),
    }];
    lines.extend(
        problems
            .iter()
            .take(SHOWN)
            .map(|p| format!("  {}", p.reason)),
    );
    if problems.len() > SHOWN {
        lines.push(format!("  … and {} more", problems.len() - SHOWN));
    }
    lines.join("\n")
}

/// A result of this crate.
pub type Result<T, E = CrawlError> = std::result::Result<T, E>;

/// Is told how a crawl goes on.
pub trait Progress: Send + Sync {
    /// A target was listed, and this many files are to be examined.
    fn listed(&self, target: &str, files: usize);
    /// One more file was examined.
    fn examined(&self, url: &str, bytes: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn listed(&self, _: &str, _: usize) {}
    fn examined(&self, _: &str, _: u64) {}
}

/// Crawls: lists, examines, groups, reconciles, and writes the catalog in one transaction.
///
/// # Errors
/// When a target is missing or empty, a file is bad and not to be skipped, or another process
/// changed a table meanwhile. Nothing is written then.
pub async fn crawl(
    catalog: &dyn CatalogStore,
    stores: &Stores,
    options: &CrawlOptions,
    progress: &dyn Progress,
) -> Result<CrawlReport> {
    let started = std::time::Instant::now();
    let roots = survey::locate(stores, &options.targets)?;
    let mut tables = Vec::new();
    let mut report = CrawlReport {
        database: options.database.to_lowercase(),
        dry_run: options.dry_run,
        ..CrawlReport::default()
    };
    for root in &roots {
        let survey = survey::survey(root, options, progress).await?;
        report.files += survey.files.len();
        report.bytes += survey.files.iter().map(|f| f.meta.size).sum::<u64>();
        report.empty.extend(survey.empty);
        report.problems.extend(survey.problems);
        tables.extend(group::tables(root, survey.files));
    }
    if !report.problems.is_empty() && (!options.skip_bad_files || tables.is_empty()) {
        return Err(CrawlError::BadFiles {
            problems: report.problems,
            skipped: options.skip_bad_files,
        });
    }
    reconcile::reconcile(catalog, &roots, tables, options, &mut report).await?;
    report.elapsed = started.elapsed();
    Ok(report)
}
