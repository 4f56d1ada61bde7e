//! `mastic crawl`.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use mastic_crawler::{CrawlOptions, CrawlReport, Outcome, TableReport, crawl};
use mastic_lake::format::Limits;

use crate::args::{Crawl, Global, Output};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{bytes, count, counted, duration};
use crate::output::Listing;
use crate::progress::Line;

pub(crate) async fn run(arguments: Crawl, global: &Global, setting: &Setting) -> Result<()> {
    let mut options = CrawlOptions::new(arguments.targets, arguments.database);
    options.prefix = arguments.prefix;
    options.dry_run = arguments.dry_run;
    options.skip_bad_files = arguments.skip_bad_files;
    options.limits = Limits {
        bytes: arguments.sample << 20,
    };
    let report = watched(&options, setting).await?;
    match global.output {
        Output::Json => {
            let text =
                serde_json::to_string(&report).map_err(|e| CliError::failed(e.to_string()))?;
            writeln!(std::io::stdout(), "{text}")?;
        }
        output => list(&report, output)?,
    }
    if arguments.explain {
        explain(&report);
    } else if report.tables.iter().any(|t| t.outcome == Outcome::Updated) || arguments.dry_run {
        changes(&report);
    }
    summary(&report);
    let mut there = report
        .tables
        .iter()
        .filter(|t| t.outcome != Outcome::Deprecated);
    if let (false, Some(table)) = (arguments.dry_run, there.next()) {
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

/// Crawls with progress, and stops cleanly on Ctrl-C: nothing is written before the end.
pub(crate) async fn watched(options: &CrawlOptions, setting: &Setting) -> Result<CrawlReport> {
    let work = async {
        // A dry run changes nothing, and so makes no catalog either.
        let nowhere = tempfile::tempdir()
            .map_err(|e| CliError::failed(format!("cannot make a temporary folder: {e}")))?;
        let catalog = match (options.dry_run, setting.existing_catalog().await) {
            (true, Err(_)) => {
                let path = nowhere.path().join("catalog.db").display().to_string();
                mastic_catalog::open(&path, mastic_catalog::OpenMode::CreateIfMissing).await?
            }
            (true, Ok(catalog)) => catalog,
            (false, _) => setting.catalog().await?,
        };
        let line = Line::new("listing …");
        Ok(crawl(catalog.as_ref(), &setting.stores, options, &line).await?)
    };
    tokio::select! {
        report = work => report,
        _ = tokio::signal::ctrl_c() => {
            Err(CliError::failed("interrupted; the catalog is as it was"))
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "new",
        Outcome::Updated => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::Deprecated => "files gone",
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
    for problem in &report.problems {
        anstream::eprintln!("skipped: {}", problem.reason);
    }
    if !report.empty.is_empty() {
        anstream::eprintln!(
            "passed over {} of no bytes",
            counted(report.empty.len() as u64, "file")
        );
    }
    let of = |wanted: Outcome| report.tables.iter().filter(|t| t.outcome == wanted).count();
    let mut parts = Vec::new();
    for kind in [
        Outcome::Created,
        Outcome::Updated,
        Outcome::Unchanged,
        Outcome::Deprecated,
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
    let tables = counted(report.tables.len() as u64, "table");
    anstream::eprintln!(
        "{} ({}) → {tables} ({}) in {}{dry}",
        counted(report.files as u64, "file"),
        bytes(report.bytes),
        parts.join(", "),
        duration(report.elapsed)
    );
}
