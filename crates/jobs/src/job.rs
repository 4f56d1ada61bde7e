//! A job: a script run from its first look at the catalog to its last word in it.
//!
//! What [`crate::Prepared`] does for a plan, this does for a run of a named job: it is recorded in the
//! catalog while it is at work and when it has ended; sources with a bookmark give only what no run has read; and where a
//! source turns out to hold values that its columns were not known to have, it is looked at to its end and the
//! script planned again. Nothing is visible until every sink is staged, so beginning again costs time and
//! nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use mastic_catalog::{
    CatalogError, CatalogStore, HEARTBEAT_SECONDS, NewRun, Run, RunBeat, RunOutcome, RunScript,
    RunState, SourceObject,
};
use mastic_lake::error::LakeError;
use mastic_lake::store::Stores;
use mastic_query::Session;
use mastic_query::frame::{SeenObject, frame_scans};
use sha2::{Digest, Sha256};

use crate::error::ScriptErrors;
use crate::look::{look_at_all, plan_looking};
use crate::plan::Plan;
use crate::run::{Bookmarks, OnSinkProgress, Prepared, Report, RunError};
use crate::script::Script;
use crate::sources::{Reading, Sources};
use crate::stage::Stop;
use crate::summary::SourceReport;

/// What a run does with the bookmarks of its script's sources. Glue: `--job-bookmark-option`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BookmarkMode {
    /// Reads what is new, and advances.
    #[default]
    Enable,
    /// Reads what is new, or what was committed between two runs, and does not advance.
    Pause,
    /// Reads everything, and does not advance.
    Disable,
}

/// Told in a sentence what a run is at; from any thread, and it should return at once.
pub type OnStage = Arc<dyn Fn(&str) + Send + Sync>;

/// How a job is run.
#[derive(Clone, Default)]
pub struct JobOptions {
    /// What becomes of bookmarks.
    pub bookmarks: BookmarkMode,
    /// With [`BookmarkMode::Pause`]: what was committed after this run is read (Glue's `--job-bookmark-from`).
    pub from: Option<String>,
    /// And up to this run (Glue's `--job-bookmark-to`).
    pub to: Option<String>,
    /// Told how far each sink is.
    pub on_progress: Option<OnSinkProgress>,
    /// Told in a sentence what the run is at, beside writing.
    pub on_stage: Option<OnStage>,
}

impl std::fmt::Debug for JobOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobOptions")
            .field("bookmarks", &self.bookmarks)
            .finish_non_exhaustive()
    }
}

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The script is wrong, or does not fit its sources.
    #[error(transparent)]
    Script(#[from] ScriptErrors),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The catalog failed, or another run of the job came first.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What an earlier run left cannot be settled.
    #[error("run {run} died while it committed, and what it left cannot be settled: {source}")]
    Unsettled {
        /// The run.
        run: String,
        /// Why not.
        source: LakeError,
    },
}

impl JobError {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Script(_) => None,
            Self::Run(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Unsettled { source, .. } => source.hint(),
        }
    }
}

/// How often a script is planned again because a source was not what it was known to be. Once is enough for each
/// source, unless files change while the run is at work.
const REPLANS: usize = 8;

/// Runs a script as the job of its name.
///
/// When `stop` is ready before the first commit, what was staged is removed, nothing is changed, and the run is
/// recorded as stopped.
///
/// # Errors
/// When the script is wrong, a source or sink fails, or another run came first. The run is recorded as failed.
pub async fn run_job(
    script: &Script,
    session: &Session,
    stores: &Stores,
    options: &JobOptions,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(Run, Report), JobError> {
    let catalog = session.catalog().as_ref();
    let run = catalog.start_run(new_run(script)).await?;
    let stop: Stop = (Box::pin(stop) as BoxFuture<'static, ()>).shared();
    let beating = Beating::start(session.catalog().clone(), run.id.clone());
    let job = Job {
        script,
        session,
        stores,
        options,
        run: &run,
        stop: stop.clone(),
    };
    let result = job.go().await;
    drop(beating);
    match result {
        Ok(report) => Ok((catalog.get_run(&run.id).await?, report)),
        Err(error) => {
            let state = match stop.peek() {
                Some(()) => RunState::Stopped,
                None => RunState::Failed,
            };
            let outcome = RunOutcome {
                error_message: Some(error.to_string()),
                ..RunOutcome::new(state)
            };
            // The error itself says more than that it could not be recorded.
            if let Err(unrecorded) = catalog.finish_run(&run.id, outcome).await {
                log::warn!(
                    "the end of run {} could not be recorded: {unrecorded}",
                    run.id
                );
            }
            Err(error)
        }
    }
}

fn new_run(script: &Script) -> NewRun {
    let digest = Sha256::digest(script.source.text().as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    NewRun {
        arguments: script
            .parameters
            .iter()
            .map(|p| (p.name.to_string(), p.shown()))
            .collect(),
        script: Some(RunScript {
            path: script.source.name().to_owned(),
            digest: format!("sha256:{hex}"),
        }),
        ..NewRun::new(&script.name)
    }
}

/// Says, as long as it is there, that a run lives.
struct Beating(tokio::task::JoinHandle<()>);

impl Beating {
    fn start(catalog: Arc<dyn CatalogStore>, run: String) -> Self {
        Self(tokio::spawn(async move {
            loop {
                if let Err(error) = catalog.beat_run(&run, RunBeat::default()).await {
                    log::warn!("run {run} could not say that it lives: {error}");
                }
                tokio::time::sleep(Duration::from_secs(HEARTBEAT_SECONDS)).await;
            }
        }))
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Job<'a> {
    script: &'a Script,
    session: &'a Session,
    stores: &'a Stores,
    options: &'a JobOptions,
    run: &'a Run,
    stop: Stop,
}

impl Job<'_> {
    fn at(&self, stage: &str) {
        if let Some(tell) = &self.options.on_stage {
            tell(stage);
        }
    }

    async fn go(&self) -> Result<Report, JobError> {
        let catalog = self.session.catalog().as_ref();
        crate::settle::settle(catalog, self.stores, &self.script.name).await?;
        self.at("looking for new objects");
        let mut reading = Reading {
            ignore_bookmarks: self.options.bookmarks == BookmarkMode::Disable,
            ..Reading::default()
        };
        let bookmarks = match self.bookmarks(&mut reading).await {
            Ok(bookmarks) => bookmarks,
            Err(JobError::Script(errors)) => {
                // All that is wrong is told at once, as without bookmarks.
                let mut without = Reading::default();
                plan_looking(self.script, self.session, &mut without, &|_| ()).await?;
                return Err(errors.into());
            }
            Err(other) => return Err(other),
        };
        for _ in 0..REPLANS {
            self.at("planning");
            let tell = |stage: &str| self.at(stage);
            let plan = plan_looking(self.script, self.session, &mut reading, &tell).await?;
            let files = files(&plan);
            // What was found holds for the files that were looked at, as they were.
            let stale = files.iter().find(|f| !f.is_looked_at(&reading));
            if let Some(stale) = stale {
                self.look_at_all(&stale.source, &mut reading).await?;
                continue;
            }
            let prepared = Prepared::new(self.script, plan, self.stores, catalog).await?;
            self.at("running");
            let progress = self.options.on_progress.clone();
            let staged = match prepared.stage(progress, &self.stop).await {
                Ok(staged) => staged,
                Err(error) => match error.misfit() {
                    // A column holds what it was not known to hold: look at all of it, and begin again.
                    Some(file) => {
                        let source = source_of(file, &files);
                        let new = source.filter(|s| !reading.looked.contains_key(*s));
                        match (new, source) {
                            (Some(source), _) => self.look_at_all(source, &mut reading).await?,
                            (None, Some(source))
                                if self.changed(source, &files, &reading).await =>
                            {
                                reading.looked.remove(source);
                            }
                            _ => return Err(error.into()),
                        }
                        continue;
                    }
                    None => return Err(error.into()),
                },
            };
            let bookmarks = Bookmarks {
                job: self.script.name.clone(),
                run: self.run.id.clone(),
                attempt: self.run.attempt,
                planned: bookmarks,
            };
            let sources = files.into_iter().map(|f| f.told).collect();
            return Ok(prepared
                .commit(staged, catalog, Some(bookmarks), sources)
                .await?);
        }
        Err(ScriptErrors(vec![crate::ScriptError::new(
            &self.script.source,
            crate::Span::default(),
            "the files of a source change faster than they can be read",
        )])
        .into())
    }

    /// Whether a source's files are others now than those that were planned.
    async fn changed(&self, source: &str, files: &[SourceFiles], reading: &Reading) -> bool {
        let planned = files.iter().find(|f| f.source == source);
        let def = self
            .script
            .sources
            .iter()
            .find(|s| s.name.as_str() == source);
        let (Some(planned), Some(def)) = (planned, def) else {
            return false;
        };
        let ledger = mastic_dynamic_frame::Ledger::new(None, self.session.context().runtime_env());
        let options = def.frame_options(reading, &ledger);
        let Some(files) = def.frame_source() else {
            return false;
        };
        let now = Sources::objects(self.session, &files, &options).await;
        let now: HashSet<SeenObject> = now.unwrap_or_default().into_iter().collect();
        planned.objects.iter().any(|o| !now.contains(o))
    }

    async fn look_at_all(&self, source: &str, reading: &mut Reading) -> Result<(), JobError> {
        self.at(&format!(
            "looking at every record of {source}, for its values disagree in type"
        ));
        look_at_all(self.script, self.session, source, reading).await?;
        Ok(())
    }

    /// Finds what is new of each source with a bookmark.
    async fn bookmarks(
        &self,
        reading: &mut Reading,
    ) -> Result<Vec<mastic_catalog::PlannedBookmark>, JobError> {
        let mut planned = Vec::new();
        if self.options.bookmarks == BookmarkMode::Disable {
            return Ok(planned);
        }
        let catalog = self.session.catalog().as_ref();
        let job = self.script.name.as_str();
        let ledger = mastic_dynamic_frame::Ledger::new(None, self.session.context().runtime_env());
        for def in self.script.sources.iter().filter(|s| s.bookmark) {
            let source = def.name.as_str();
            let bookmark = catalog.get_bookmark(job, source).await?;
            let options = def.frame_options(reading, &ledger);
            // A connection with a bookmark was complained of when the script was read.
            let Some(files) = def.frame_source() else {
                continue;
            };
            let found = Sources::objects(self.session, &files, &options).await;
            let objects = found.map_err(|error| {
                let mut told = crate::ScriptError::new(
                    &self.script.source,
                    def.name.span(),
                    error.to_string(),
                );
                told.did_you_mean.clone_from(&error.did_you_mean);
                told.hint.clone_from(&error.hint);
                ScriptErrors(vec![told])
            })?;
            let objects: Vec<SourceObject> = objects.into_iter().map(source_object).collect();
            let wanted = if self.options.from.is_some() || self.options.to.is_some() {
                self.between(source, objects).await?
            } else {
                unseen(catalog, job, source, objects).await?
            };
            let paths = wanted.iter().map(|o| o.path.clone()).collect();
            reading.objects.insert(source.to_owned(), Arc::new(paths));
            if self.options.bookmarks == BookmarkMode::Enable && !bookmark.paused {
                planned.push(mastic_catalog::PlannedBookmark {
                    source_name: source.to_owned(),
                    expected_version: bookmark.version,
                    objects: wanted,
                });
            }
        }
        Ok(planned)
    }

    /// Of these objects, those that were committed between two runs.
    async fn between(
        &self,
        source: &str,
        objects: Vec<SourceObject>,
    ) -> Result<Vec<SourceObject>, JobError> {
        const PAGE: usize = 10_000;
        let catalog = self.session.catalog().as_ref();
        let (from, to) = (self.options.from.as_deref(), self.options.to.as_deref());
        let mut committed = HashSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = catalog
                .objects_between(&self.script.name, source, from, to, after.as_deref(), PAGE)
                .await?;
            let last = page.last().map(|o| o.path.clone());
            let full = page.len() == PAGE;
            committed.extend(page.into_iter().map(|o| o.path));
            match last {
                Some(last) if full => after = Some(last),
                _ => break,
            }
        }
        Ok(objects
            .into_iter()
            .filter(|o| committed.contains(&o.path))
            .collect())
    }
}

fn source_object(object: SeenObject) -> SourceObject {
    SourceObject::new(object.path, object.size, object.last_modified, object.e_tag)
}

/// The objects that the bookmark has not seen as they are now.
async fn unseen(
    catalog: &dyn CatalogStore,
    job: &str,
    source: &str,
    objects: Vec<SourceObject>,
) -> Result<Vec<SourceObject>, CatalogError> {
    const AT_ONCE: usize = 5_000;
    let mut wanted = Vec::new();
    for some in objects.chunks(AT_ONCE) {
        let seen = catalog.seen_objects(job, source, some).await?;
        let new = some.iter().zip(seen).filter(|(_, seen)| seen.is_wanted());
        wanted.extend(new.map(|(object, _)| object.clone()));
    }
    Ok(wanted)
}

/// The files that a source's plan reads.
struct SourceFiles {
    source: String,
    objects: Vec<SeenObject>,
    paths: HashSet<String>,
    told: SourceReport,
}

impl SourceFiles {
    /// Whether what is known of the source's records, if anything is, was found in these files.
    fn is_looked_at(&self, reading: &Reading) -> bool {
        let looked = reading.looked.get(&self.source);
        looked.is_none_or(|looked| looked.covers(&self.objects))
    }
}

fn files(plan: &Plan) -> Vec<SourceFiles> {
    let files = plan.sources.iter().map(|(name, frame)| {
        let scans = frame_scans(frame.plan());
        let objects = scans.iter().flat_map(|scan| &scan.objects);
        SourceFiles {
            source: name.clone(),
            paths: objects.clone().map(|o| o.path.clone()).collect(),
            objects: objects.cloned().collect(),
            told: SourceReport {
                source: name.clone(),
                files: scans.iter().map(|s| s.files).sum(),
                bytes: scans.iter().map(|s| s.bytes).sum(),
            },
        }
    });
    files.collect()
}

fn source_of<'a>(file: &str, sources: &'a [SourceFiles]) -> Option<&'a str> {
    let found = sources.iter().find(|s| s.paths.contains(file));
    found.map(|s| s.source.as_str())
}
