//! What a store knows of jobs: their runs and their bookmarks.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::change::AppliedBookmark;
use crate::error::Result;
use crate::model::{
    Bookmark, BookmarkCommit, BookmarkPosition, NewCommit, NewRun, PendingCommit, PlannedBookmark,
    RewindTo, Run, RunBeat, RunOutcome, Seen, SourceObject,
};

/// The history of the runs of jobs. A job is no more than its name here, in which case counts.
#[async_trait]
pub trait RunStore {
    /// Begins a run, `STARTING`. Of each job the newest [`super::KEPT_RUNS`] are kept. Two runs of one job at once are
    /// allowed; their bookmarks ([`BookmarkStore`]) keep them apart.
    async fn start_run(&self, run: NewRun) -> Result<Run>;

    /// Says that a run lives, is `RUNNING` now, and how far it has come; [`crate::model::HEARTBEAT_SECONDS`] says how
    /// often to. [`crate::CatalogError::RunEnded`] if its end was written already.
    async fn beat_run(&self, id: &str, beat: RunBeat) -> Result<()>;

    /// Says how a run ended: [`super::Change::FinishRun`] alone.
    async fn finish_run(&self, id: &str, outcome: RunOutcome) -> Result<()>;

    /// The runs of a job, by its exact name, or of all jobs; newest first. A job without any is no error.
    async fn list_runs(&self, job: Option<&str>, limit: u32) -> Result<Vec<Run>>;

    /// One run by its id or an unambiguous beginning of it, with or without `jr_`.
    async fn get_run(&self, id: &str) -> Result<Run>;

    /// The names of all jobs that have runs or bookmarks.
    async fn list_jobs(&self) -> Result<Vec<String>>;

    /// That there is such a job; [`crate::CatalogError::JobNotFound`] names the nearest.
    async fn check_job(&self, job: &str) -> Result<()>;
}

/// Job bookmarks: for each source of a job the objects that it has processed. What was seen is told by path, size, ETag
/// and modification time, and not by time alone as in Glue, so that an object that arrives late is not missed.
///
/// # How rows are neither lost nor repeated
///
/// Files lie in a lake and bookmarks in the catalog, which no transaction spans. A run goes through these steps:
///
/// 1. It reads its bookmarks ([`get_bookmark`](Self::get_bookmark)), asks which of the listed objects are new
///    ([`seen_objects`](Self::seen_objects)), and stages what it makes of them.
/// 2. [`begin_commit`](Self::begin_commit) writes down which objects it is about to have processed, and where the commits
///    of its sinks will be found. Here, before anything is visible, a second run of the job that has read the same
///    objects fails with [`crate::CatalogError::BookmarkConflict`], which names the first.
/// 3. It commits its sinks.
/// 4. One change set advances the bookmarks ([`super::Change::SettleCommit`]), finishes the run
///    ([`super::Change::FinishRun`]) and changes the tables that were written.
///
/// A run that dies leaves this behind, by the step before which it died:
///
/// | died before | in the catalog | in the lake | the job's next run |
/// |---|---|---|---|
/// | 2 | nothing | staged files | reads the objects again; staging that is old is removed |
/// | 3 | a pending commit | no record of a commit | [`settle`](Self::settle)s it as not applied: the objects are read again |
/// | 4 | a pending commit | the record, or the files that it published | settles it as applied: the objects are seen |
/// | the end of 4 | as before 4: the change set is one transaction | the files | the same |
///
/// So a run begins with [`pending_commits`](Self::pending_commits) of its job. For each whose run is no longer alive it
/// finishes the sinks' commits (`mastic_lake::sink::recover`), looks for what [`crate::SinkCommit`] names, and settles.
/// One whose run is alive is left to it. Until a commit is settled no other run can advance its bookmarks, and they can
/// be reset, set and rewound only once its run is dead, which drops it.
///
/// A pending commit whose run was taken for dead ([`crate::model::DEAD_AFTER_SECONDS`]) while it only stood still cannot
/// be settled by that run any more: step 4 fails with [`crate::CatalogError::CommitNotFound`]. Whoever settles it as not
/// applied therefore removes its staged files first, so that step 3 fails, too. A run with several sinks that died
/// between two of their commits is, for the catalog, as its next run decides: `PendingCommit::sinks` has them in the order
/// in which they are committed.
#[async_trait]
pub trait BookmarkStore {
    /// The bookmark of a source: [`Bookmark::none`], at version 0, if nothing of it was seen yet.
    async fn get_bookmark(&self, job: &str, source: &str) -> Result<Bookmark>;

    /// The bookmarks of a job, or of all jobs, by name. A job without any is no error.
    async fn list_bookmarks(&self, job: Option<&str>) -> Result<Vec<Bookmark>>;

    /// The bookmarks of a job, of one source or of all. That there is no such job
    /// ([`crate::CatalogError::JobNotFound`]) or no such bookmark of it is an error.
    async fn find_bookmarks(&self, job: &str, source: Option<&str>) -> Result<Vec<Bookmark>>;

    /// The commits that a bookmark can be rewound to, newest first; at most [`super::KEPT_COMMITS`] are kept.
    async fn list_bookmark_commits(
        &self,
        job: &str,
        source: &str,
        limit: u32,
    ) -> Result<Vec<BookmarkCommit>>;

    /// What the bookmark says of each of these objects, in their order. It takes time by how many are asked for; some
    /// thousands at a time are right. `last_modified` of those asked for should be there.
    async fn seen_objects(&self, job: &str, source: &str, of: &[SourceObject])
    -> Result<Vec<Seen>>;

    /// The objects that were seen, as they were then, whose path has the prefix; ordered by the bytes of the path: at
    /// most `limit`, from the one that follows `after`. Pages of any size read any number in bounded memory.
    async fn list_seen(
        &self,
        job: &str,
        source: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceObject>>;

    /// The objects that were committed after the run `from`, up to and including the run `to`, each as it was last seen
    /// by then; in pages like those of [`list_seen`](Self::list_seen). Without `from` it is from the beginning, without
    /// `to` up to now. Glue: `--job-bookmark-from` and `--job-bookmark-to`. Runs are named by their id or an unambiguous
    /// beginning of it; each must have committed a bookmark of the job.
    async fn objects_between(
        &self,
        job: &str,
        source: &str,
        from: Option<&str>,
        to: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceObject>>;

    /// Applies [`super::Change::CommitBookmark`] alone: for a source whose rows go nowhere that the catalog cannot see.
    async fn commit_bookmark(
        &self,
        job: &str,
        run_id: &str,
        attempt: u32,
        bookmark: PlannedBookmark,
    ) -> Result<AppliedBookmark>;

    /// Forgets everything that was seen of a source, or of all sources of the job. A bookmark that was paused stays so.
    async fn reset_bookmark(&self, job: &str, source: Option<&str>) -> Result<Vec<Bookmark>>;

    /// Makes unseen again what was committed after a run, or after a time, of a source or of all sources of the job.
    async fn rewind_bookmark(
        &self,
        job: &str,
        source: Option<&str>,
        to: RewindTo,
    ) -> Result<Vec<Bookmark>>;

    /// Pauses bookmarks, of a source or of all sources of the job, or lets them advance again. A paused bookmark filters,
    /// and does not advance; a commit that has begun advances it nonetheless.
    async fn pause_bookmark(
        &self,
        job: &str,
        source: Option<&str>,
        paused: bool,
    ) -> Result<Vec<Bookmark>>;

    /// Puts a bookmark somewhere, whatever was seen before; the job and the source need not have been heard of.
    async fn set_bookmark(
        &self,
        job: &str,
        source: &str,
        position: BookmarkPosition,
    ) -> Result<Bookmark>;

    /// Writes down what is about to be committed: step 2 of the protocol. Sources whose bookmark is paused are left out.
    async fn begin_commit(&self, commit: NewCommit) -> Result<PendingCommit>;

    /// The commits of a job, or of all, that were begun and not settled; oldest first.
    async fn pending_commits(&self, job: Option<&str>) -> Result<Vec<PendingCommit>>;

    /// Settles a run's pending commit: applied, its bookmarks advance; otherwise nothing has happened. If the run is dead,
    /// that is written into its history.
    async fn settle(&self, run_id: &str, applied: bool) -> Result<Vec<AppliedBookmark>>;
}

/// A time as the store has it.
pub(super) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}
