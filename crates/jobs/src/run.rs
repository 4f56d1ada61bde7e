//! Running a planned script: all sinks are staged, then all committed, then the catalog is told.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use futures::FutureExt;
use mastic_catalog::{
    Applied, CatalogError, CatalogStore, Change, ChangeSet, NewCommit, PlannedBookmark, RunOutcome,
    RunState, SinkCommit,
};
use mastic_dynamic_frame::{DynamicFrame, ErrorRecord, Ledger};
use mastic_lake::error::LakeError;
use mastic_lake::sink::{
    self, Intent, OutputOptions, Progress, SinkMode as LakeMode, SinkSpec, Staged, Written,
};
use mastic_lake::store::Stores;

use crate::error::{ScriptError, ScriptErrors};
use crate::plan::{Plan, PlannedSink};
use crate::script::{Script, SinkMode};
use crate::stage::{self, Job, Stop};
use crate::summary::SourceReport;
use crate::tables::{self, Target};
use crate::tally::{self, StepReport, Totals};

/// Told how far each sink has come, by its number; from any thread, and it should return at once.
pub type OnSinkProgress = Arc<dyn Fn(usize, Progress) + Send + Sync>;

/// A script that is planned and whose sinks have their places: all that can be checked without
/// reading records is checked.
#[derive(Debug)]
pub struct Prepared {
    plan: Plan,
    sinks: Vec<PreparedSink>,
    by: String,
    begun: Instant,
}

#[derive(Debug)]
struct PreparedSink {
    spec: SinkSpec,
    target: Option<Target>,
}

/// What a run did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// What was read of each source, where that is known.
    pub sources: Vec<SourceReport>,
    /// What each sink wrote, as the script orders them.
    pub sinks: Vec<SinkReport>,
    /// What became of the catalog.
    pub catalog: Applied,
    /// What each source and step did.
    pub steps: Vec<StepReport>,
    /// The sum of it.
    pub totals: Totals,
    /// The first error record of each step that has any, by the step's label.
    pub first_errors: Vec<(String, ErrorRecord)>,
    /// Whether the script writes its error records.
    pub errors_written: bool,
    /// How long the run took.
    pub elapsed: Duration,
}

/// What a sink wrote.
#[derive(Debug)]
#[non_exhaustive]
pub struct SinkReport {
    /// The folder.
    pub url: String,
    /// The table that was created or updated.
    pub table: Option<String>,
    /// The files.
    pub written: Written,
}

/// The bookmarks of a run, and the run itself.
pub(crate) struct Bookmarks {
    pub(crate) job: String,
    pub(crate) run: String,
    pub(crate) attempt: u32,
    /// Those that advance.
    pub(crate) planned: Vec<PlannedBookmark>,
}

impl Bookmarks {
    /// Writes down what is about to be committed, where bookmarks depend on it.
    async fn begin(
        &self,
        staged: &[Staged],
        catalog: &dyn CatalogStore,
    ) -> Result<(), CatalogError> {
        if self.planned.is_empty() {
            return Ok(());
        }
        let intents: Vec<Intent> = staged.iter().map(Staged::intent).collect();
        let commit = NewCommit {
            job_name: self.job.clone(),
            run_id: self.run.clone(),
            attempt: self.attempt,
            bookmarks: self.planned.clone(),
            sinks: intents
                .iter()
                .map(|intent| SinkCommit {
                    url: intent.url.clone(),
                    commit_id: intent.run.clone(),
                    file: intent.first_file().map(str::to_owned),
                })
                .collect(),
            context: serde_json::to_value(&intents).unwrap_or_default(),
        };
        catalog.begin_commit(commit).await?;
        Ok(())
    }

    /// Nothing was committed, and nothing will be.
    async fn give_up(&self, catalog: &dyn CatalogStore) {
        if self.planned.is_empty() {
            return;
        }
        if let Err(error) = catalog.settle(&self.run, false).await {
            log::warn!(
                "the commit of run {} could not be dropped: {error}",
                self.run
            );
        }
    }

    /// The bookmarks advance, and the run has ended.
    fn changes(&self, report: &Report) -> Vec<Change> {
        let told = |by: i64| -> serde_json::Value {
            let each = self.planned.iter().map(|b| {
                let told = serde_json::json!({
                    "Version": b.expected_version + by,
                    "New": b.objects.len(),
                });
                (b.source_name.clone(), told)
            });
            serde_json::Value::Object(each.collect())
        };
        let mut changes = Vec::new();
        if !self.planned.is_empty() {
            changes.push(Change::SettleCommit {
                run_id: self.run.clone(),
            });
        }
        changes.push(Change::FinishRun {
            run_id: self.run.clone(),
            outcome: RunOutcome {
                summary: Some(report.summary()),
                bookmarks_before: Some(told(0)),
                bookmarks_after: Some(told(1)),
                ..RunOutcome::new(RunState::Succeeded)
            },
        });
        changes
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Writing a sink failed. Nothing was changed.
    #[error("{}", told(source))]
    Write {
        /// The sink's folder.
        url: String,
        /// What happened.
        source: LakeError,
    },
    /// A step could not transform any of its records. Nothing was changed.
    #[error("{step} could take none of its {errors} records: {reason}")]
    AllSetAside {
        /// The step's label.
        step: String,
        /// How many records it was given.
        errors: u64,
        /// What was wrong with the first.
        reason: String,
    },
    /// A step could cast none of a column's values. Nothing was changed.
    #[error("{step}: cast:{to} could take none of the {lost} values of '{path}': {reason}")]
    NothingCast {
        /// The step's label.
        step: String,
        /// The values' path.
        path: String,
        /// The type, by Hive's name.
        to: String,
        /// How many values there were.
        lost: u64,
        /// What was wrong with the first.
        reason: String,
    },
    /// A sink could not be committed.
    #[error("{source}{}", already(committed))]
    Commit {
        /// The sink's folder.
        url: String,
        /// The folders of sinks that were committed before.
        committed: Vec<String>,
        /// What happened.
        source: LakeError,
    },
    /// Another process changed a table meanwhile. Nothing was changed.
    #[error("{source}")]
    Changed {
        /// What is different.
        source: CatalogError,
    },
    /// The files are there, but the catalog could not be told.
    #[error("the files are written and committed, but the catalog could not be updated: {source}")]
    Catalog {
        /// What happened.
        source: CatalogError,
    },
}

impl RunError {
    /// The file with a value that its column was not known to hold, or a key that no column is known for, where that is
    /// why.
    pub(crate) fn misfit(&self) -> Option<&str> {
        let Self::Write { source, .. } = self else {
            return None;
        };
        let found = match source {
            LakeError::Engine(engine) => mastic_lake::error::find(engine)?,
            other => other,
        };
        match found {
            LakeError::Misfit { file, .. } | LakeError::UnknownKey { file, .. } => Some(file),
            _ => None,
        }
    }

    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Write { source, .. } => match stage::frame_error(source) {
                Some(error) => error.hint(),
                None => stage::memory_hint(source).or_else(|| told_by(source).hint()),
            },
            Self::Commit { source, .. } => source.hint(),
            Self::AllSetAside { .. } | Self::NothingCast { .. } => {
                Some("nothing was written".to_owned())
            }
            Self::Changed { source } => source.hint(),
            Self::Catalog { .. } => {
                Some("crawl the folders that were written, or run the script again".to_owned())
            }
        }
    }
}

fn told(error: &LakeError) -> String {
    match stage::frame_error(error) {
        Some(ours) => ours.to_string(),
        None => stage::memory(error).unwrap_or_else(|| match error {
            LakeError::Engine(engine) => mastic_lake::error::message(engine),
            other => other.to_string(),
        }),
    }
}

/// The lake's own error within the engine's, which several sinks may share.
fn told_by(error: &LakeError) -> &LakeError {
    match error {
        LakeError::Engine(engine) => mastic_lake::error::find(engine).unwrap_or(error),
        other => other,
    }
}

fn already(committed: &[String]) -> String {
    if committed.is_empty() {
        return String::new();
    }
    format!("; committed before it: {}", committed.join(", "))
}

impl Prepared {
    /// Gives each sink its place, options and table.
    ///
    /// # Errors
    /// Every sink that cannot be written as the script says, with its place in the script.
    pub async fn new(
        script: &Script,
        plan: Plan,
        stores: &Stores,
        catalog: &dyn CatalogStore,
    ) -> Result<Self, ScriptErrors> {
        let mut errors = Vec::new();
        let mut sinks = Vec::new();
        for sink in &plan.sinks {
            let found = match spec(script, sink, stores) {
                Ok(spec) => match crate::guard::check(script, sink, &spec, catalog).await {
                    Ok(()) => tables::find(script, sink, &spec, catalog)
                        .await
                        .map(|target| PreparedSink { spec, target }),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match found {
                Ok(sink) => sinks.push(sink),
                Err(error) => errors.push(error),
            }
        }
        ScriptErrors::check(errors)?;
        Ok(Self {
            plan,
            sinks,
            by: format!("run {}", script.name),
            begun: Instant::now(),
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs it. When `stop` is ready before the first commit, what was staged is removed and the
    /// run fails with nothing changed; from the first commit on, the run goes to its end.
    ///
    /// # Errors
    /// When a sink cannot be written or committed, or the catalog cannot be updated.
    pub async fn run(
        self,
        catalog: &dyn CatalogStore,
        on_progress: Option<OnSinkProgress>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Report, RunError> {
        let stop: Stop = stop.boxed().shared();
        let staged = self.stage(on_progress, &stop).await?;
        self.commit(staged, catalog, None, Vec::new()).await
    }

    /// Commits what was staged, then tells the catalog: of tables, and with `bookmarks` of these and of the
    /// run's end, all in one transaction.
    pub(crate) async fn commit(
        self,
        staged: Vec<Staged>,
        catalog: &dyn CatalogStore,
        bookmarks: Option<Bookmarks>,
        sources: Vec<SourceReport>,
    ) -> Result<Report, RunError> {
        // Whoever came first has changed the table that this run was planned for.
        for sink in &self.sinks {
            if let Some(target) = &sink.target
                && let Err(source) = target.unchanged(catalog).await
            {
                stage::abort(staged).await;
                return Err(RunError::Changed { source });
            }
        }
        if let Some(bookmarks) = &bookmarks
            && let Err(source) = bookmarks.begin(&staged, catalog).await
        {
            stage::abort(staged).await;
            return Err(RunError::Changed { source });
        }

        let mut committed: Vec<Written> = Vec::new();
        let mut rest = staged.into_iter();
        while let Some(next) = rest.next() {
            let number = committed.len();
            match next.commit().await {
                Ok(written) => committed.push(written),
                Err(source) => {
                    stage::abort(rest).await;
                    if let (0, Some(bookmarks)) = (number, &bookmarks) {
                        bookmarks.give_up(catalog).await;
                    }
                    let done = self.sinks[..number].iter();
                    return Err(RunError::Commit {
                        url: self.sinks[number].spec.root.url.clone(),
                        committed: done.map(|s| s.spec.root.url.clone()).collect(),
                        source,
                    });
                }
            }
        }

        let ledger = &self.plan.ledger;
        let steps = tally::report(&self.plan.steps, ledger);
        let of_records = self
            .plan
            .sinks
            .iter()
            .zip(&committed)
            .filter(|(s, _)| !s.late && !s.aside);
        let totals = tally::totals(&steps, of_records.map(|(_, w)| w.rows).sum());
        let first_errors = steps
            .iter()
            .filter(|s| s.errors > 0)
            .filter_map(|s| Some((s.step.label.clone(), ledger.first_error(&s.step.label)?)));
        let first_errors = first_errors.collect();

        let mut changes = ChangeSet::new(self.by);
        for (sink, written) in self.sinks.iter().zip(&committed) {
            if let Some(target) = &sink.target {
                changes.changes.extend(target.changes(&sink.spec, written));
            }
        }
        let sinks = self
            .sinks
            .into_iter()
            .zip(committed)
            .map(|(sink, written)| SinkReport {
                url: sink.spec.root.url,
                table: sink.target.map(|t| format!("{}.{}", t.database, t.name)),
                written,
            });
        let mut report = Report {
            sources,
            sinks: sinks.collect(),
            catalog: Applied::default(),
            first_errors,
            errors_written: self.plan.sinks.iter().any(|s| s.late),
            steps,
            totals,
            elapsed: self.begun.elapsed(),
        };
        if let Some(bookmarks) = bookmarks {
            changes.changes.extend(bookmarks.changes(&report));
        }
        if !changes.changes.is_empty() {
            report.catalog = catalog
                .apply(changes)
                .await
                .map_err(|source| RunError::Catalog { source })?;
        }
        Ok(report)
    }

    /// Stages all sinks: those of error records when the others are staged, and all errors are known.
    pub(crate) async fn stage(
        &self,
        on_progress: Option<OnSinkProgress>,
        stop: &Stop,
    ) -> Result<Vec<Staged>, RunError> {
        let ledger = &self.plan.ledger;
        let sinks = self.to_write(stop).await?;
        let mut all: Vec<Option<Staged>> = self.sinks.iter().map(|_| None).collect();
        for late in [false, true] {
            let numbers: Vec<usize> = (0..self.sinks.len())
                .filter(|n| self.plan.sinks[*n].late == late)
                .collect();
            let jobs = numbers.iter().map(|&number| Job {
                frame: sinks[number].0.clone(),
                spec: &sinks[number].1,
                on_progress: on_progress.clone().map(|tell| {
                    let tell: sink::OnProgress = Arc::new(move |progress| tell(number, progress));
                    tell
                }),
            });
            let failed = match stage::stage(jobs.collect(), ledger, stop).await {
                Ok(staged) => {
                    for (number, staged) in numbers.into_iter().zip(staged) {
                        all[number] = Some(staged);
                    }
                    self.none_left(ledger)
                }
                Err((at, source)) => Some(RunError::Write {
                    url: self.sinks[numbers[at]].spec.root.url.clone(),
                    source,
                }),
            };
            if let Some(error) = failed {
                stage::abort(all.into_iter().flatten()).await;
                return Err(error);
            }
        }
        Ok(all.into_iter().flatten().collect())
    }

    /// What each sink writes: of one that leaves files as they are, what remains to be written.
    async fn to_write(&self, stop: &Stop) -> Result<Vec<(DynamicFrame, SinkSpec)>, RunError> {
        let ledger = &self.plan.ledger;
        let mut all = Vec::with_capacity(self.sinks.len());
        let mut read = false;
        for (planned, prepared) in self.plan.sinks.iter().zip(&self.sinks) {
            let (mut frame, mut spec) = (planned.frame.clone(), prepared.spec.clone());
            if let (Some(upsert), LakeMode::ReplaceFiles) = (&planned.upsert, spec.mode) {
                let found = tokio::select! {
                    found = upsert.found(ledger) => found,
                    () = stop.clone() => Err(LakeError::Sink {
                        url: spec.root.url.clone(),
                        message: "stopped before the commit; nothing was changed".into(),
                    }),
                };
                let (records, files) = found.map_err(|source| RunError::Write {
                    url: spec.root.url.clone(),
                    source,
                })?;
                (frame, spec.replaces) = (records, Arc::new(files));
                read = true;
            }
            all.push((frame, spec));
        }
        // Records that were read for their keys are read again, and counted then.
        if read {
            ledger.clear();
        }
        Ok(all)
    }

    /// A step that failed every record that it was given, or a cast that failed for every value, is a mistake of
    /// the script's, not of the data.
    fn none_left(&self, ledger: &Ledger) -> Option<RunError> {
        let steps = tally::report(&self.plan.steps, ledger);
        for step in &steps {
            if let Some(cast) = step.casts.iter().find(|c| c.lost > 0 && c.kept == 0) {
                return Some(RunError::NothingCast {
                    step: step.step.label.clone(),
                    path: cast.path.clone(),
                    to: cast.to.clone(),
                    lost: cast.lost,
                    reason: cast.first.clone().unwrap_or_default(),
                });
            }
        }
        let step = steps
            .into_iter()
            .find(|s| s.errors > 0 && s.errors == s.rows_in)?;
        let first = ledger.first_error(&step.step.label);
        Some(RunError::AllSetAside {
            step: step.step.label,
            errors: step.errors,
            reason: first.map(|e| e.reason).unwrap_or_default(),
        })
    }
}

/// Whether the sink's format can hold its columns, the partition keys left out.
fn checked_columns(
    script: &Script,
    sink: &PlannedSink,
    options: &OutputOptions,
) -> Result<(), ScriptError> {
    let fields = sink.frame.fields().iter();
    let kept: Vec<_> = fields
        .filter(|field| !sink.partition_by.contains(field.name()))
        .cloned()
        .collect();
    sink::check_schema(options, &Arc::new(Schema::new(kept))).map_err(|error| {
        let message = match error {
            DataFusionError::Plan(message) => message,
            other => other.strip_backtrace(),
        };
        ScriptError::new(&script.source, sink.def.frame.span(), message)
    })
}

fn spec(script: &Script, sink: &PlannedSink, stores: &Stores) -> Result<SinkSpec, ScriptError> {
    let def = &sink.def;
    let told = |span, error: &LakeError| {
        let told = ScriptError::new(&script.source, span, error.to_string());
        match error.hint() {
            Some(hint) => told.hint(hint),
            None => told,
        }
    };
    let root = stores
        .locate(def.path.as_str())
        .map_err(|e| told(def.path.span(), &e))?;
    let mut options =
        OutputOptions::parse(def.format.name(), []).map_err(|e| told(def.frame.span(), &e))?;
    for (name, value) in &def.options {
        options
            .set(name.as_str(), value.as_str())
            .map_err(|e| told(name.span(), &e))?;
    }
    options.check().map_err(|e| told(def.frame.span(), &e))?;
    checked_columns(script, sink, &options)?;
    let mode = match def.mode {
        SinkMode::Append => LakeMode::Append,
        // What is there already is among the records that are written, unless it can stay as it is.
        SinkMode::Overwrite | SinkMode::Upsert => LakeMode::Overwrite,
        SinkMode::OverwritePartitions => LakeMode::OverwritePartitions,
        SinkMode::Error => LakeMode::ErrorIfExists,
    };
    let keys = sink.partition_by.iter().cloned();
    let mut spec = SinkSpec::new(root, options, mode).partitioned_by(keys);
    // What is made from error records is known when all else is staged: too late to read it twice.
    let upsert = sink.upsert.as_ref().filter(|_| !sink.late);
    if upsert.is_some_and(|upsert| upsert.in_place(&spec)) {
        spec.mode = LakeMode::ReplaceFiles;
    }
    Ok(spec)
}
