//! `mastic runs`.

use std::io::Write;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use mastic_catalog::{CatalogStore, Run, RunState, RunStep, RunSummary, RunVolume};
use serde_json::Value;

use crate::args::{Global, Output};
use crate::command::catalog::json;
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{bytes, count, duration};
use crate::output::Listing;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  mastic runs                          the newest runs of all jobs
  mastic runs clean_orders --limit 5   those of one
  mastic runs show jr_3f2a             what one read, dropped and wrote; the beginning of its id is enough
  mastic runs clean_orders -o json     one object a line, in the shape of Glue's JobRun"
)]
pub(crate) struct Runs {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only the runs of this job
    job: Option<String>,
    /// How many runs
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one run: its arguments, what each source, step and sink counted, its bookmarks, and why it failed
    Show {
        /// Its id, or the beginning of it
        run: String,
    },
}

pub(crate) async fn run(arguments: Runs, global: &Global, setting: &Setting) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    match arguments.command {
        Some(Command::Show { run }) => show(&catalog.get_run(&run).await?, global.output),
        None => {
            let job = arguments.job.as_deref();
            list(catalog.as_ref(), job, arguments.limit, global.output).await
        }
    }
}

async fn list(
    catalog: &dyn CatalogStore,
    job: Option<&str>,
    limit: u32,
    output: Output,
) -> Result<()> {
    let runs = catalog.list_runs(job, limit).await?;
    if let (true, Some(job)) = (runs.is_empty(), job) {
        // A job with bookmarks and without runs has no history; a name that is no job's is a mistake.
        catalog.check_job(job).await?;
    }
    if output == Output::Json {
        return lines(&runs);
    }
    let mut listing = Listing::new(&[
        "run",
        "job",
        "attempt",
        "state",
        "began",
        "took",
        "read",
        "written",
        "set aside",
        "error",
    ]);
    for run in &runs {
        let summary = RunSummary::of(&run.summary);
        let rows = |volumes: &[RunVolume]| {
            if volumes.is_empty() {
                return String::new();
            }
            number(volumes.iter().map(|volume| volume.rows).sum(), output)
        };
        let error = run.error_message.as_deref().unwrap_or_default();
        listing.push(vec![
            run.id.clone(),
            run.job_name.clone(),
            run.attempt.to_string(),
            run.job_run_state.as_str().to_owned(),
            time(run.started_on),
            took(run),
            rows(&summary.sources),
            match &summary.totals {
                // Without error records and samples, which have sinks of their own.
                Some(totals) => number(totals.written, output),
                None => rows(&summary.sinks),
            },
            match summary.totals.as_ref().map(|totals| totals.errors) {
                Some(errors) if errors > 0 => number(errors, output),
                _ => String::new(),
            },
            error.lines().next().unwrap_or_default().to_owned(),
        ]);
    }
    listing.write(output)
}

fn show(run: &Run, output: Output) -> Result<()> {
    if output == Output::Json {
        return json(run);
    }
    let summary = RunSummary::of(&run.summary);
    let mut out = std::io::stdout().lock();
    let mut told = vec![
        ("run", run.id.clone()),
        ("job", run.job_name.clone()),
        ("attempt", run.attempt.to_string()),
        ("state", run.job_run_state.as_str().to_owned()),
        ("began", time(run.started_on)),
        ("ended", run.completed_on.map(time).unwrap_or_default()),
        ("took", took(run)),
        ("process", process(run)),
    ];
    if let Some(before) = &run.previous_run_id {
        told.insert(3, ("attempt after", before.clone()));
    }
    if let Some(script) = &run.script {
        told.push(("script", format!("{} ({})", script.path, script.digest)));
    }
    for (name, value) in &run.arguments {
        told.push(("argument", format!("{name}={value}")));
    }
    for (name, value) in told.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<14} {value}")?;
    }
    if let Some(error) = &run.error_message {
        writeln!(
            out,
            "{:<14} {}",
            "error",
            error.replace('\n', "\n               ")
        )?;
    }
    drop(out);
    volumes("source", &summary.sources, output)?;
    if !summary.steps.is_empty() {
        let mut head = vec!["step", "rows in", "rows out", "dropped", "errors"];
        // Few scripts cast values away.
        let cast = summary.steps.iter().any(|s| lost(s) > 0);
        if cast {
            head.push("cast to NULL");
        }
        let mut listing = Listing::new(&head);
        for step in &summary.steps {
            let mut row = vec![
                step.name.clone(),
                number(step.rows_in, output),
                number(step.rows_out, output),
                number(step.dropped, output),
                number(step.errors, output),
            ];
            if cast {
                row.push(number(lost(step), output));
            }
            listing.push(row);
        }
        section(&listing, output)?;
    }
    volumes("sink", &summary.sinks, output)?;
    bookmarks(run, output)
}

/// How many values a step's casts lost.
fn lost(step: &RunStep) -> u64 {
    step.casts.iter().map(|cast| cast.lost).sum()
}

/// A table below what was written before.
fn section(listing: &Listing, output: Output) -> Result<()> {
    if output != Output::Table {
        writeln!(std::io::stdout())?;
    }
    listing.write(output)
}

fn volumes(what: &'static str, volumes: &[RunVolume], output: Output) -> Result<()> {
    if volumes.is_empty() {
        return Ok(());
    }
    let mut listing = Listing::new(&[what, "rows", "files", "size"]);
    for volume in volumes {
        let size = match output {
            Output::Table => bytes(volume.bytes),
            _ => volume.bytes.to_string(),
        };
        listing.push(vec![
            volume.name.clone(),
            number(volume.rows, output),
            number(volume.files, output),
            size,
        ]);
    }
    section(&listing, output)
}

/// The bookmarks before and after, by source.
fn bookmarks(run: &Run, output: Output) -> Result<()> {
    let (before, after) = (
        run.bookmarks_before.as_object(),
        run.bookmarks_after.as_object(),
    );
    let all = before.into_iter().chain(after);
    let mut sources: Vec<&String> = all.flat_map(|of| of.keys()).collect();
    sources.sort_unstable();
    sources.dedup();
    if sources.is_empty() {
        return Ok(());
    }
    let mut listing = Listing::new(&[
        "bookmark",
        "version before",
        "version after",
        "objects before",
        "objects after",
    ]);
    for source in sources {
        let field = |of: Option<&serde_json::Map<String, Value>>, name: &str| {
            let value = of.and_then(|of| of.get(source)?.get(name)?.as_u64());
            value.map(|n| number(n, output)).unwrap_or_default()
        };
        listing.push(vec![
            source.clone(),
            field(before, "Version"),
            field(after, "Version"),
            field(before, "Objects"),
            field(after, "Objects"),
        ]);
    }
    section(&listing, output)
}

fn process(run: &Run) -> String {
    match run.process.host.as_str() {
        "" => run.process.process_id.to_string(),
        host => format!("{} on {host}", run.process.process_id),
    }
}

/// How long it took; so far, while it is at work.
fn took(run: &Run) -> String {
    let end = match run.job_run_state {
        RunState::Starting | RunState::Running => Utc::now(),
        _ => run.completed_on.unwrap_or(run.started_on),
    };
    let took = (end - run.started_on).to_std().ok();
    took.map(duration).unwrap_or_default()
}

fn number(number: u64, output: Output) -> String {
    match output {
        Output::Table => count(number),
        _ => number.to_string(),
    }
}

/// A time in UTC, as lists show it.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// One JSON object a line.
pub(crate) fn lines<T: serde::Serialize>(values: &[T]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for value in values {
        let text = serde_json::to_string(value).map_err(|e| CliError::failed(e.to_string()))?;
        writeln!(out, "{text}")?;
    }
    out.flush()?;
    Ok(())
}
