//! `mastic run`.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use mastic_catalog::Run as RunRecord;
use mastic_jobs::{
    BookmarkMode, JobError, JobOptions, OnSinkProgress, Prepared, Reading, Report, Script,
    ScriptError, ScriptErrors, Source, explain, plan_looking, run_job,
};
use mastic_lake::sink::Progress;
use mastic_query::Session;

use crate::args::{Bookmarks, Global, Run};
use crate::command::report;
use crate::config::Setting;
use crate::error::{CliError, Excerpt, Mistake, Result};
use crate::format::{bytes, counted};
use crate::progress::Line;

impl From<ScriptErrors> for CliError {
    fn from(errors: ScriptErrors) -> Self {
        CliError::Failed(errors.0.iter().map(mistake).collect())
    }
}

fn mistake(error: &ScriptError) -> Mistake {
    Mistake {
        message: error.message.clone(),
        excerpt: Some(Excerpt {
            source: error.source.text().to_owned(),
            file: Some(error.source.name().to_owned()),
            range: error.span.range(),
            label: error.label.clone().unwrap_or_default(),
        }),
        hint: error.help(),
    }
}

impl From<JobError> for CliError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Script(errors) => errors.into(),
            other => CliError::hinted(other.to_string(), other.hint()),
        }
    }
}

pub(crate) async fn run(arguments: Run, global: &Global, setting: &Setting) -> Result<()> {
    let script = read(&arguments.script, &arguments.set)?;
    let catalog = setting.catalog().await?;
    let session = Session::open_within(
        catalog.clone(),
        setting.stores.clone(),
        arguments.database.as_deref(),
        arguments.memory_limit.or(setting.memory_limit),
    )
    .await?;
    let planned = async || {
        let _line = Line::new("planning …");
        let mut reading = Reading {
            ignore_bookmarks: matches!(arguments.bookmarks, Bookmarks::Disable),
            ..Reading::default()
        };
        plan_looking(&script, &session, &mut reading, &|_| ()).await
    };
    if arguments.explain {
        let planned = planned().await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", explain(&script, Some(&planned)).trim_end())?;
        for sink in &planned.sinks {
            let drawn = sink
                .logical_plan()
                .map_err(mastic_query::QueryError::from)?;
            writeln!(out, "\nplan of {}", sink.def.path)?;
            for line in drawn.lines() {
                writeln!(out, "  {line}")?;
            }
            for scan in sink.reads().map_err(mastic_query::QueryError::from)? {
                writeln!(out, "{}", report::scan(&scan))?;
            }
            for query in sink.queries().map_err(mastic_query::QueryError::from)? {
                writeln!(out, "reads {}: asks {}", query.name, query.connection)?;
                for line in query.sql.lines() {
                    writeln!(out, "  {line}")?;
                }
            }
        }
        return Ok(());
    }
    if arguments.check {
        let planned = planned().await?;
        Prepared::new(&script, planned, &setting.stores, catalog.as_ref()).await?;
        anstream::eprintln!(
            "{} is right: {}, {}, {}",
            script.source.name(),
            counted(script.sources.len() as u64, "source"),
            counted(script.frames.len() as u64, "frame"),
            counted(script.sinks.len() as u64, "sink")
        );
        return Ok(());
    }
    // The job plans the script itself, so that one that cannot be planned is recorded as a run that failed.
    let options = JobOptions {
        bookmarks: match arguments.bookmarks {
            Bookmarks::Enable => BookmarkMode::Enable,
            Bookmarks::Pause => BookmarkMode::Pause,
            Bookmarks::Disable => BookmarkMode::Disable,
        },
        from: arguments.bookmark_from,
        to: arguments.bookmark_to,
        ..JobOptions::default()
    };
    let (run, report) = execute(&script, &session, options, setting).await?;
    report::tell(&run, &report, global.output)?;
    if let Some(table) = report.sinks.iter().find_map(|s| s.table.as_ref()) {
        let option = setting.catalog_option(global);
        anstream::eprintln!("next: mastic sql{option} 'SELECT * FROM {table} LIMIT 5'");
    }
    Ok(())
}

/// Reads a script, with the values that were given for its parameters.
pub(crate) fn read(path: &Path, set: &[String]) -> Result<Script> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| CliError::failed(format!("cannot read {}: {e}", path.display())))?;
    let given = set
        .iter()
        .map(|pair| {
            pair.split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .ok_or_else(|| CliError::Usage(format!("--set wants NAME=VALUE, and got '{pair}'")))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Script::parse(
        &Source::new(path.display().to_string(), text),
        &given,
    )?)
}

/// Runs with progress. Ctrl-C removes what was staged before the program ends.
pub(crate) async fn execute(
    script: &Script,
    session: &Session,
    mut options: JobOptions,
    setting: &Setting,
) -> Result<(RunRecord, Report)> {
    let line = Arc::new(Line::new("running …"));
    let sinks: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let told = line.clone();
    let on_progress: OnSinkProgress = Arc::new(move |number, progress| {
        let mut sinks = sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if sinks.len() <= number {
            sinks.resize(number + 1, Progress::default());
        }
        sinks[number] = progress;
        let all = sinks.iter().fold(Progress::default(), |a, b| Progress {
            rows: a.rows + b.rows,
            bytes: a.bytes + b.bytes,
            files: a.files + b.files,
        });
        told.say(format!(
            "writing: {}, {}, {}",
            counted(all.rows, "row"),
            counted(all.files, "file"),
            bytes(all.bytes)
        ));
    });
    options.on_progress = Some(on_progress);
    let told = line.clone();
    options.on_stage = Some(Arc::new(move |stage| told.say(format!("{stage} …"))));
    let stop = async {
        // Where Ctrl-C cannot be listened for, it ends the program, and the next run cleans up.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(run_job(script, session, &setting.stores, &options, stop).await?)
}
