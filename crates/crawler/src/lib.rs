//! Files become tables.
//!
//! A crawl goes one way: `survey` lists every file and examines those that no earlier crawl saw (`memory`),
//! `tree` and `group` make tables of folders as the listing leaves them, `reconcile` holds them against the
//! catalog, and one transaction writes what changed. Every decision leaves its reason in the `report`, and
//! every crawl its line in the catalog's history.
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
//!
//! // What is as it was is not opened again.
//! let again = crawl(catalog.as_ref(), &Stores::default(), &options, &Silent).await?;
//! assert_eq!((again.opened, again.unchanged), (0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! It never writes a data file.

mod changed;
mod changes;
mod choices;
mod columns;
mod definition;
mod error;
mod events;
mod facts;
mod found;
mod group;
mod history;
mod levels;
mod memory;
mod names;
mod options;
mod reconcile;
mod report;
mod survey;
mod table;
mod tree;
mod why;

use std::collections::BTreeSet;

use mastic_catalog::{CatalogError, CatalogStore, Table};
use mastic_lake::LakeError;
use mastic_lake::store::{Location, Stores};
use object_store::path::Path;

use crate::changed::Changed;
use crate::facts::Shapes;
use crate::group::Rules;
use crate::memory::Memory;
use crate::reconcile::Surveyed;
use crate::survey::Root;
use crate::tree::Tree;

pub use self::definition::{custom_classifiers, options_of};
pub use self::error::{CrawlError, Result};
pub use self::events::changed_urls;
pub use self::history::{Undone, undo};
pub use self::options::{CrawlOptions, DeleteBehavior, Recrawl, Target, UpdateBehavior};
pub use self::report::{CrawlReport, FileProblem, Outcome, TableReport};

/// Is told how a crawl goes on.
pub trait Progress: Send + Sync {
    /// So many files were listed.
    fn listed(&self, files: u64);
    /// One more file was examined.
    fn examined(&self, url: &str, bytes: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn listed(&self, _: u64) {}
    fn examined(&self, _: &str, _: u64) {}
}

/// Crawls, to the end: see [`crawl_until`].
///
/// # Errors
/// As [`crawl_until`].
pub async fn crawl(
    catalog: &dyn CatalogStore,
    stores: &Stores,
    options: &CrawlOptions,
    progress: &dyn Progress,
) -> Result<CrawlReport> {
    crawl_until(catalog, stores, options, progress, std::future::pending()).await
}

/// Crawls: lists, examines, groups, reconciles, and writes the catalog in one transaction. The crawl is
/// entered in the catalog's history, whether it succeeds or fails, unless it is a dry run.
///
/// # Errors
/// When a target is missing or empty, a file is bad and bad files are not to be passed over, there are more
/// tables than the threshold allows, another process changed a table meanwhile, or `stop` came first. No table
/// is changed then.
pub async fn crawl_until(
    catalog: &dyn CatalogStore,
    stores: &Stores,
    options: &CrawlOptions,
    progress: &dyn Progress,
    stop: impl Future<Output = ()>,
) -> Result<CrawlReport> {
    let started = std::time::Instant::now();
    let roots = survey::locate(stores, &options.targets)?;
    let entry = history::start(catalog, options, &roots).await?;
    let mut report = CrawlReport {
        crawl_id: entry,
        database: options.database.to_lowercase(),
        dry_run: options.dry_run,
        ..CrawlReport::default()
    };
    let result = tokio::select! {
        result = run(catalog, stores, options, &roots, progress, &mut report) => result,
        () = stop => Err(CrawlError::Cancelled),
    };
    report.elapsed = started.elapsed();
    history::finish(catalog, &report, result.as_ref().err()).await?;
    result.map(|()| report)
}

async fn run(
    catalog: &dyn CatalogStore,
    stores: &Stores,
    options: &CrawlOptions,
    roots: &[Root],
    progress: &dyn Progress,
    report: &mut CrawlReport,
) -> Result<()> {
    if let Recrawl::Changed(urls) = &options.recrawl {
        let changed = Changed {
            catalog,
            stores,
            roots,
            options,
            progress,
        };
        let mut some = CrawlReport {
            database: report.database.clone(),
            ..CrawlReport::default()
        };
        match changed.crawl(urls, &mut some).await? {
            None => {
                let (crawl_id, dry_run) = (report.crawl_id, report.dry_run);
                *report = CrawlReport {
                    crawl_id,
                    dry_run,
                    ..some
                };
                return Ok(());
            }
            Some(why) => report
                .notes
                .push(format!("everything was crawled, because {why}")),
        }
    }
    let mut targets = Vec::with_capacity(roots.len());
    for root in roots {
        targets.push(one(catalog, options, root, progress, report).await?);
    }
    refuse_bad_files(options, report)?;
    if report.problem_count > 0 && targets.iter().all(|t| t.proposals.is_empty()) {
        return Err(CrawlError::NothingReadable {
            count: report.problem_count,
            problems: report.problems.clone(),
        });
    }
    reconcile::reconcile(catalog, roots, targets, options, report).await
}

fn refuse_bad_files(options: &CrawlOptions, report: &CrawlReport) -> Result<()> {
    if report.problem_count > 0 && options.strict {
        return Err(CrawlError::BadFiles {
            count: report.problem_count,
            problems: report.problems.clone(),
        });
    }
    Ok(())
}

/// The tables below one target.
async fn one(
    catalog: &dyn CatalogStore,
    options: &CrawlOptions,
    root: &Root,
    progress: &dyn Progress,
    report: &mut CrawlReport,
) -> Result<Surveyed> {
    let location = &root.location;
    // Of `s3://lake` the bucket is the name.
    let name = location
        .url
        .rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or("root");
    let rules = Rules {
        combine: options.combine_compatible_schemas,
        table_depth: options.table_level.map(|level| depth_of(root, level)),
        established: established(catalog, options, root).await?,
    };
    let (found, shapes) = loop {
        let mut seen = CrawlReport::default();
        let mut shapes = Shapes::default();
        let mut memory = Memory::open(catalog, &location.url, options, &mut shapes).await?;
        let mut tree = Tree::new(location.path.as_ref(), name, shapes, rules.clone());
        let surveyed =
            survey::survey(root, options, &mut memory, &mut tree, &mut seen, progress).await;
        let pending = match surveyed {
            // An object store has no empty folders: one whose objects are all gone is not there.
            Err(CrawlError::Lake(LakeError::NotFound { .. }))
                if !location.is_local() && had_tables(catalog, options, root).await? =>
            {
                None
            }
            surveyed => surveyed?,
        };
        if let Some(folder) = pending {
            recover(root, &folder).await?;
            continue;
        }
        memory.finish().await?;
        if seen.files + seen.problem_count == 0 && !had_tables(catalog, options, root).await? {
            return Err(LakeError::Empty {
                url: location.url.clone(),
            }
            .into());
        }
        report.add(seen);
        break tree.finish();
    };
    let proposals = found
        .into_iter()
        .map(|found| table::propose(found, location, root.exclusions.patterns()))
        .collect();
    Ok(Surveyed { proposals, shapes })
}

/// The folders of a target whose own folders are a table's partitions already, without a name of their own.
async fn established(
    catalog: &dyn CatalogStore,
    options: &CrawlOptions,
    root: &Root,
) -> Result<BTreeSet<String>> {
    let tables = match catalog.list_tables(&options.database).await {
        Ok(tables) => tables,
        Err(CatalogError::DatabaseNotFound { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let below = |table: &Table| {
        let first = table.partition_keys.first()?;
        let location = table.location()?.trim_end_matches('/');
        let below = location.strip_prefix(root.location.url.as_str())?;
        first.name.starts_with("partition_").then_some(())?;
        match below.strip_prefix('/') {
            Some(folder) => Some(folder.to_owned()),
            None => below.is_empty().then(String::new),
        }
    };
    Ok(tables
        .iter()
        .filter(|t| reconcile::is_crawled_below(t, std::slice::from_ref(root)))
        .filter_map(below)
        .collect())
}

/// Whether the catalog has tables of files below a target, which then are gone.
async fn had_tables(
    catalog: &dyn CatalogStore,
    options: &CrawlOptions,
    root: &Root,
) -> Result<bool> {
    match catalog.list_tables(&options.database).await {
        Ok(tables) => Ok(tables
            .iter()
            .any(|t| reconcile::is_crawled_below(t, std::slice::from_ref(root)))),
        Err(CatalogError::DatabaseNotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Completes a sink's commit that was interrupted, so that no half of it is seen.
async fn recover(root: &Root, folder: &str) -> Result<()> {
    // Keys of a listing are well-formed paths.
    let path = Path::parse(folder).unwrap_or_else(|_| root.location.path.clone());
    let place = Location {
        url: root.location.url_of(&path),
        path,
        ..root.location.clone()
    };
    mastic_lake::sink::recover(&place).await?;
    Ok(())
}

/// How many folders below the target a level is: 1 is the bucket, as in Glue, or the target itself on a
/// local disk, which has no buckets.
fn depth_of(root: &Root, level: usize) -> isize {
    let above = if root.location.is_local() {
        0
    } else {
        root.location.path.parts().count()
    };
    let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
    signed(level) - 1 - signed(above)
}
