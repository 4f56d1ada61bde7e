//! The catalog's history of crawls: what each saw, changed and passed over, and how one is undone.

use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, CrawlState, Expected, NewCrawl, VersionId,
};
use serde_json::{Value, json};

use crate::report::{CrawlReport, Outcome};
use crate::survey::Root;
use crate::{CrawlError, CrawlOptions, Result};

/// How many bad and empty files the history names.
const NAMED: usize = 100;

/// Enters a crawl that begins; a dry run leaves no trace.
pub(crate) async fn start(
    catalog: &dyn CatalogStore,
    options: &CrawlOptions,
    roots: &[Root],
) -> Result<Option<i64>> {
    if options.dry_run {
        return Ok(None);
    }
    let crawl = NewCrawl {
        crawler_name: options.crawler.clone(),
        database_name: options.database.to_lowercase(),
        targets: roots.iter().map(|r| r.location.url.clone()).collect(),
        start_time: None,
    };
    Ok(Some(catalog.start_crawl(crawl).await?))
}

/// Enters how a crawl ended.
pub(crate) async fn finish(
    catalog: &dyn CatalogStore,
    report: &CrawlReport,
    error: Option<&CrawlError>,
) -> Result<()> {
    let Some(id) = report.crawl_id else {
        return Ok(());
    };
    let state = match error {
        None => CrawlState::Succeeded,
        Some(CrawlError::Cancelled) => CrawlState::Cancelled,
        Some(_) => CrawlState::Failed,
    };
    let message = error.map(ToString::to_string);
    catalog
        .finish_crawl(id, state, message.as_deref(), &summary(report))
        .await?;
    Ok(())
}

fn summary(report: &CrawlReport) -> Value {
    // A report is always valid JSON; were it not, the history would have no more than the state.
    let mut summary = serde_json::to_value(report).unwrap_or(Value::Null);
    if let Some(summary) = summary.as_object_mut() {
        summary.insert("table_count".into(), report.tables.len().into());
    }
    // A crawl that changed nothing has as little to say as there is to undo.
    if let Some(Value::Array(tables)) = summary.get_mut("tables") {
        let same = json!(Outcome::Unchanged);
        tables.retain(|table| table.get("outcome") != Some(&same));
    }
    for name in ["problems", "empty"] {
        if let Some(Value::Array(files)) = summary.get_mut(name) {
            files.truncate(NAMED);
        }
    }
    summary
}

/// A table as it is after a crawl was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// It is as it was in this version.
    Restored(String, u64),
    /// The crawl had made it; it is gone.
    Deleted(String),
}

/// Brings every table that a crawl changed back to what it was before, in one transaction: tables that it made
/// are deleted, the others get a version like the one before, partitions included.
///
/// # Errors
/// When there is no such crawl, it changed nothing, or one of its tables was changed since.
pub async fn undo(catalog: &dyn CatalogStore, id: i64) -> Result<Vec<Undone>> {
    let crawl = catalog.get_crawl(id).await?;
    let database = crawl.database_name;
    let mut changes = ChangeSet::new(format!("undo of crawl {id}"));
    let mut undone = Vec::new();
    let tables = crawl.summary.get("tables").and_then(Value::as_array);
    for table in tables.into_iter().flatten() {
        let version = |name: &str| table.get(name).and_then(Value::as_i64).map(VersionId);
        let (name, outcome) = (table.get("name"), table.get("outcome"));
        let Some(name) = name.and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        let is = |wanted: Outcome| outcome == Some(&json!(wanted));
        let (from, to) = (version("from_version"), version("version"));
        let restore = |version, expected| Change::RestoreTable {
            database: database.clone(),
            name: name.clone(),
            version,
            expected,
        };
        let change = match (from, to) {
            (Some(from), _) if is(Outcome::Deleted) => restore(from, Expected::Absent),
            (Some(from), Some(to)) if from != to => restore(from, Expected::Version(to)),
            (None, Some(to)) if is(Outcome::Created) => Change::DeleteTable {
                database: database.clone(),
                name: name.clone(),
                expected: Expected::Version(to),
            },
            _ => continue,
        };
        undone.push(match from.and_then(|v| u64::try_from(v.0).ok()) {
            Some(version) => Undone::Restored(name.clone(), version),
            None => Undone::Deleted(name.clone()),
        });
        changes = changes.with(change);
    }
    if undone.is_empty() {
        return Err(CrawlError::Undo {
            id,
            reason: "it changed no table".into(),
        });
    }
    match catalog.apply(changes).await {
        Ok(_) => Ok(undone),
        Err(CatalogError::Conflict { table, found, .. }) => Err(CrawlError::Undo {
            id,
            reason: format!(
                "{table} was changed since, and is at version {found}; restore it alone with `mastic catalog restore`"
            ),
        }),
        Err(error) => Err(error.into()),
    }
}
