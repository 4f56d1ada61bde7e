//! `mastic crawl`.

use std::io::Write;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use mastic_catalog::{CatalogStore, Classifier};
use mastic_crawler::{
    CrawlError, CrawlOptions, CrawlReport, DeleteBehavior, Outcome, Recrawl, TableReport, Target,
    UpdateBehavior, changed_urls, crawl_until, custom_classifiers,
};
use mastic_lake::format::Limits;
use mastic_query::{Session, analyze};

use crate::args::{Crawl, Global, How, OnDelete, OnUpdate, Output, Policy};
use crate::command::classifier;
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{bytes, count, counted, duration};
use crate::output::Listing;
use crate::progress::Line;

pub(crate) async fn run(arguments: Crawl, global: &Global, setting: &Setting) -> Result<()> {
    let how = arguments.how;
    let catalog = opened(setting, how.dry_run).await?;
    let named = named_classifiers(catalog.store.as_ref(), &arguments.policy.classifiers).await?;
    let mut options = options(&arguments.targets, &arguments.policy);
    options.classifiers = custom_classifiers(&named)?;
    if arguments.new_folders_only {
        options.recrawl = Recrawl::NewFolders;
    }
    apply(&how, &mut options)?;
    if let Some(changed) = changed(&how)? {
        options.recrawl = Recrawl::Changed(changed);
    }
    let report = watched(catalog.store.as_ref(), &options, setting).await?;
    tell(&report, &how, global, setting)?;
    statistics(&report, &how, catalog.store, setting).await
}

/// Computes column statistics, where they were asked for.
pub(crate) async fn statistics(
    report: &CrawlReport,
    how: &How,
    catalog: Arc<dyn CatalogStore>,
    setting: &Setting,
) -> Result<()> {
    if !how.statistics {
        return Ok(());
    }
    let session = Session::open(catalog.clone(), setting.stores.clone(), None).await?;
    let mut computed = 0;
    for table in &report.tables {
        let name = (report.database.as_str(), table.name.as_str());
        let wanted = match table.outcome {
            Outcome::Created | Outcome::Updated => true,
            Outcome::Deprecated | Outcome::Deleted => false,
            _ => catalog
                .get_column_statistics(name.0, name.1)
                .await?
                .is_none(),
        };
        if wanted {
            let _line = Line::new(&format!("statistics of {} …", table.name));
            analyze(&session, name, None).await?;
            computed += 1;
        }
    }
    anstream::eprintln!("column statistics: {} computed", counted(computed, "table"));
    Ok(())
}

/// What a definition's policy says, as options of a crawl.
fn options(targets: &[String], policy: &Policy) -> CrawlOptions {
    let mut options = CrawlOptions::new([], policy.database.clone());
    options.targets = targets
        .iter()
        .map(|url| Target {
            url: url.clone(),
            exclusions: policy.exclude.clone(),
        })
        .collect();
    options.prefix.clone_from(&policy.prefix);
    options.update = match policy.on_update {
        OnUpdate::Merge => UpdateBehavior::MergeNewColumns,
        OnUpdate::Replace => UpdateBehavior::UpdateInDatabase,
        OnUpdate::Log => UpdateBehavior::Log,
    };
    options.delete = match policy.on_delete {
        OnDelete::Deprecate => DeleteBehavior::Deprecate,
        OnDelete::Delete => DeleteBehavior::Delete,
        OnDelete::Log => DeleteBehavior::Log,
    };
    options.combine_compatible_schemas = policy.combine_compatible_schemas;
    options.table_level = policy.table_level.map(usize::from);
    options.table_threshold = policy.table_threshold.and_then(|n| usize::try_from(n).ok());
    options.inherit_from_table = policy.inherit_from_table;
    options
}

/// What is said of one crawl, over what its definition says.
pub(crate) fn apply(how: &How, options: &mut CrawlOptions) -> Result<()> {
    options.dry_run = how.dry_run;
    options.strict = how.strict;
    options.keep_versions = how.keep_versions;
    options.limits = Limits {
        bytes: how.sample << 20,
    };
    if let Some(file) = &how.classifiers_file {
        let mut first = custom_classifiers(&classifier::read(file)?)?;
        first.append(&mut options.classifiers);
        options.classifiers = first;
    }
    Ok(())
}

/// What was changed, where that was said.
pub(crate) fn changed(how: &How) -> Result<Option<Vec<String>>> {
    if let Some(file) = &how.events {
        let text = classifier::text_of(file)?;
        let urls = changed_urls(&text)
            .map_err(|e| CliError::failed(format!("cannot read {}: {e}", file.display())))?;
        return Ok(Some(urls));
    }
    Ok((!how.changed.is_empty()).then(|| how.changed.clone()))
}

async fn named_classifiers(store: &dyn CatalogStore, names: &[String]) -> Result<Vec<Classifier>> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push(store.get_classifier(name).await?);
    }
    Ok(found)
}

/// Says what a crawl did.
pub(crate) fn tell(
    report: &CrawlReport,
    how: &How,
    global: &Global,
    setting: &Setting,
) -> Result<()> {
    match global.output {
        Output::Json => {
            let text =
                serde_json::to_string(report).map_err(|e| CliError::failed(e.to_string()))?;
            writeln!(std::io::stdout(), "{text}")?;
        }
        output => list(report, output)?,
    }
    if how.explain {
        explain(report);
    } else if how.dry_run || report.tables.iter().any(|t| !t.changes.is_empty()) {
        changes(report);
    }
    summary(report);
    let mut there = report
        .tables
        .iter()
        .filter(|t| !matches!(t.outcome, Outcome::Deprecated | Outcome::Deleted));
    if let (false, Some(table)) = (how.dry_run, there.next()) {
        let option = setting.catalog_option(global);
        anstream::eprintln!(
            "next: mastic sql{option} 'SELECT * FROM {}.{} LIMIT 5'",
            quoted(&report.database),
            quoted(&table.name)
        );
    }
    Ok(())
}

/// A name as it must be written in SQL.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

/// The catalog that a crawl writes to.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn CatalogStore>,
    /// Where a dry run that found no catalog has an empty one.
    _nowhere: Option<tempfile::TempDir>,
}

/// Opens the catalog. A dry run changes nothing, and so makes none either.
pub(crate) async fn opened(setting: &Setting, dry_run: bool) -> Result<Opened> {
    if !dry_run {
        return Ok(Opened {
            store: setting.catalog().await?,
            _nowhere: None,
        });
    }
    if let Ok(store) = setting.existing_catalog().await {
        return Ok(Opened {
            store,
            _nowhere: None,
        });
    }
    let nowhere = tempfile::tempdir()
        .map_err(|e| CliError::failed(format!("cannot make a temporary folder: {e}")))?;
    let path = nowhere.path().join("catalog.db").display().to_string();
    Ok(Opened {
        store: mastic_catalog::open(&path, mastic_catalog::OpenMode::CreateIfMissing).await?,
        _nowhere: Some(nowhere),
    })
}

/// Crawls with progress, and stops cleanly on Ctrl-C: no table is written before the end.
pub(crate) async fn watched(
    catalog: &dyn CatalogStore,
    options: &CrawlOptions,
    setting: &Setting,
) -> Result<CrawlReport> {
    let line = Line::new("listing …");
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without signals nobody can stop it.
            std::future::pending::<()>().await;
        }
    };
    let report = crawl_until(catalog, &setting.stores, options, &line, stop).await;
    drop(line);
    report.map_err(|error| match error {
        CrawlError::Cancelled => CliError::failed(error.to_string()),
        other => other.into(),
    })
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "new",
        Outcome::Updated => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::Logged => "differs",
        Outcome::Deprecated => "files gone",
        Outcome::Deleted => "deleted",
        _ => "",
    }
}

pub(crate) fn list(report: &CrawlReport, output: Output) -> Result<()> {
    let headers = [
        "table",
        "state",
        "version",
        "format",
        "columns",
        "partition keys",
        "partitions",
        "files",
        "size",
        "rows",
    ];
    let mut listing = Listing::new(&headers);
    for table in &report.tables {
        let format = match table.compression.as_str() {
            "" | "none" => table.classification.clone(),
            compression => format!("{} ({compression})", table.classification),
        };
        let (size, rows) = match output {
            Output::Table => (bytes(table.bytes), count(table.records)),
            _ => (table.bytes.to_string(), table.records.to_string()),
        };
        listing.push(vec![
            format!("{}.{}", report.database, table.name),
            outcome(table.outcome).to_owned(),
            table.version.map(|v| v.to_string()).unwrap_or_default(),
            format,
            table.columns.len().to_string(),
            table.partition_keys.join(", "),
            if table.partition_keys.is_empty() {
                String::new()
            } else {
                table.partitions.to_string()
            },
            table.files.to_string(),
            size,
            rows,
        ]);
    }
    listing.write(output)
}

fn heading(table: &TableReport, database: &str) {
    let bold = Style::new().bold();
    anstream::eprintln!(
        "\n{bold}{database}.{}{bold:#}  {}",
        table.name,
        table.location
    );
}

/// Why each table came out as it did, and what changed.
pub(crate) fn explain(report: &CrawlReport) {
    for table in &report.tables {
        heading(table, &report.database);
        for reason in &table.why {
            anstream::eprintln!("  • {reason}");
        }
        show_changes(table);
    }
    anstream::eprintln!();
}

fn changes(report: &CrawlReport) {
    for table in report.tables.iter().filter(|t| !t.changes.is_empty()) {
        heading(table, &report.database);
        show_changes(table);
    }
    anstream::eprintln!();
}

fn show_changes(table: &TableReport) {
    for change in &table.changes {
        let colour = match change.chars().next() {
            Some('+') => AnsiColor::Green,
            Some('-') => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        let style = Style::new().fg_color(Some(colour.into()));
        anstream::eprintln!("  {style}{change}{style:#}");
    }
}

pub(crate) fn summary(report: &CrawlReport) {
    const SHOWN: usize = 20;
    for problem in report.problems.iter().take(SHOWN) {
        anstream::eprintln!("skipped: {}", problem.reason);
    }
    if report.problem_count > SHOWN as u64 {
        anstream::eprintln!(
            "skipped: … and {} more (all in the report of --output json)",
            report.problem_count - SHOWN as u64
        );
    }
    if report.empty_count > 0 {
        anstream::eprintln!(
            "passed over {} without records",
            counted(report.empty_count, "file")
        );
    }
    if report.skipped > 0 {
        anstream::eprintln!(
            "passed over {} in folders that were crawled before",
            counted(report.skipped, "new file")
        );
    }
    for note in &report.notes {
        anstream::eprintln!("{note}");
    }
    let of = |wanted: Outcome| report.tables.iter().filter(|t| t.outcome == wanted).count();
    let mut parts = Vec::new();
    for kind in [
        Outcome::Created,
        Outcome::Updated,
        Outcome::Unchanged,
        Outcome::Logged,
        Outcome::Deprecated,
        Outcome::Deleted,
    ] {
        let number = of(kind);
        if number > 0 {
            parts.push(format!("{number} {}", outcome(kind)));
        }
    }
    let dry = if report.dry_run {
        "; dry run, nothing was written"
    } else {
        ""
    };
    let opened = if report.unchanged > 0 {
        format!(", {} opened", count(report.opened))
    } else {
        String::new()
    };
    let tables = counted(report.tables.len() as u64, "table");
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    };
    anstream::eprintln!(
        "{} ({}{opened}) → {tables}{parts} in {}{dry}",
        counted(report.files, "file"),
        bytes(report.bytes),
        duration(report.elapsed)
    );
}
