//! Running a planned script: all sinks are staged, then all committed, then the catalog is told.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use mastic_catalog::{Applied, CatalogError, CatalogStore, ChangeSet};
use mastic_lake::error::LakeError;
use mastic_lake::sink::{
    self, OutputOptions, Progress, SinkMode as LakeMode, SinkSpec, Staged, Written,
};
use mastic_lake::store::Stores;

use crate::error::{ScriptError, ScriptErrors};
use crate::plan::{Plan, PlannedSink};
use crate::script::{Script, SinkMode};
use crate::tables::{self, Target};

/// Told how far each sink has come, by its number; from any thread, and it should return at once.
pub type OnSinkProgress = Arc<dyn Fn(usize, Progress) + Send + Sync>;

/// A script that is planned and whose sinks have their places: all that can be checked without
/// reading records is checked.
#[derive(Debug)]
pub struct Prepared {
    plan: Plan,
    sinks: Vec<PreparedSink>,
    by: String,
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
    /// What each sink wrote, as the script orders them.
    pub sinks: Vec<SinkReport>,
    /// What became of the catalog.
    pub catalog: Applied,
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

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Writing a sink failed. Nothing was changed.
    #[error("{source}")]
    Write {
        /// The sink's folder.
        url: String,
        /// What happened.
        source: LakeError,
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
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Write { source, .. } | Self::Commit { source, .. } => source.hint(),
            Self::Changed { source } => source.hint(),
            Self::Catalog { .. } => {
                Some("crawl the folders that were written, or run the script again".to_owned())
            }
        }
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
        let begun = Instant::now();
        let stop = stop.boxed().shared();
        let mut staged: Vec<Staged> = Vec::new();
        for (number, sink) in self.sinks.iter().enumerate() {
            let frame = self.plan.sinks[number].frame.clone().into_dataframe();
            let progress = on_progress.clone().map(|tell| {
                let tell: sink::OnProgress = Arc::new(move |progress| tell(number, progress));
                tell
            });
            let context = Arc::new(frame.task_ctx());
            let written = match frame.create_physical_plan().await {
                Ok(plan) => {
                    sink::write_until(plan, context, &sink.spec, progress, stop.clone()).await
                }
                Err(error) => Err(LakeError::from(error)),
            };
            match written {
                Ok(done) => staged.push(done),
                Err(source) => {
                    abort(staged).await;
                    let url = sink.spec.root.url.clone();
                    return Err(RunError::Write { url, source });
                }
            }
        }

        // Whoever came first has changed the table that this run was planned for.
        for sink in &self.sinks {
            if let Some(target) = &sink.target
                && let Err(source) = target.unchanged(catalog).await
            {
                abort(staged).await;
                return Err(RunError::Changed { source });
            }
        }

        let mut committed: Vec<Written> = Vec::new();
        let mut rest = staged.into_iter();
        while let Some(next) = rest.next() {
            let number = committed.len();
            match next.commit().await {
                Ok(written) => committed.push(written),
                Err(source) => {
                    abort(rest).await;
                    let done = self.sinks[..number].iter();
                    return Err(RunError::Commit {
                        url: self.sinks[number].spec.root.url.clone(),
                        committed: done.map(|s| s.spec.root.url.clone()).collect(),
                        source,
                    });
                }
            }
        }

        let mut changes = ChangeSet::new(self.by);
        for (sink, written) in self.sinks.iter().zip(&committed) {
            if let Some(target) = &sink.target {
                changes.changes.extend(target.changes(&sink.spec, written));
            }
        }
        let applied = if changes.changes.is_empty() {
            Applied::default()
        } else {
            catalog
                .apply(changes)
                .await
                .map_err(|source| RunError::Catalog { source })?
        };
        let sinks = self
            .sinks
            .into_iter()
            .zip(committed)
            .map(|(sink, written)| SinkReport {
                url: sink.spec.root.url,
                table: sink.target.map(|t| format!("{}.{}", t.database, t.name)),
                written,
            });
        Ok(Report {
            sinks: sinks.collect(),
            catalog: applied,
            elapsed: begun.elapsed(),
        })
    }
}

async fn abort(staged: impl IntoIterator<Item = Staged>) {
    for staged in staged {
        if let Err(left) = staged.abort().await {
            log::warn!("{left}");
        }
    }
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
    let mode = match def.mode {
        SinkMode::Append => LakeMode::Append,
        SinkMode::Overwrite => LakeMode::Overwrite,
        SinkMode::OverwritePartitions => LakeMode::OverwritePartitions,
        SinkMode::Error => LakeMode::ErrorIfExists,
    };
    Ok(SinkSpec::new(root, options, mode).partitioned_by(sink.partition_by.iter().cloned()))
}
