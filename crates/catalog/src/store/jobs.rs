//! Runs and bookmarks of the store over SQL.

use async_trait::async_trait;

use super::sql::SqlStore;
use super::{
    AppliedBookmark, BookmarkOutcome, BookmarkStore, Change, ChangeSet, RunStore, bookmarks, runs,
    write,
};
use crate::error::Result;
use crate::model::{
    Bookmark, BookmarkCommit, BookmarkPosition, NewCommit, NewRun, PendingCommit, PlannedBookmark,
    RewindTo, Run, RunBeat, RunOutcome, Seen, SourceObject,
};

#[async_trait]
impl RunStore for SqlStore {
    async fn start_run(&self, run: NewRun) -> Result<Run> {
        runs::start(&self.pool, run).await
    }

    async fn beat_run(&self, id: &str, beat: RunBeat) -> Result<()> {
        runs::beat(&self.pool, id, beat).await
    }

    async fn finish_run(&self, id: &str, outcome: RunOutcome) -> Result<()> {
        let run_id = id.to_owned();
        let finish = Change::FinishRun { run_id, outcome };
        let changes = ChangeSet::new("").with(finish);
        write::apply(&self.pool, changes).await.map(drop)
    }

    async fn list_runs(&self, job: Option<&str>, limit: u32) -> Result<Vec<Run>> {
        runs::list(&mut self.pool.begin_read().await?, job, limit).await
    }

    async fn get_run(&self, id: &str) -> Result<Run> {
        runs::get(&mut self.pool.begin_read().await?, id).await
    }

    async fn list_jobs(&self) -> Result<Vec<String>> {
        runs::jobs(&mut self.pool.begin_read().await?).await
    }

    async fn check_job(&self, job: &str) -> Result<()> {
        match runs::missing_job(&mut self.pool.begin_read().await?, job).await? {
            Some(missing) => Err(missing),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl BookmarkStore for SqlStore {
    async fn get_bookmark(&self, job: &str, source: &str) -> Result<Bookmark> {
        bookmarks::get(&mut self.pool.begin_read().await?, job, source).await
    }

    async fn list_bookmarks(&self, job: Option<&str>) -> Result<Vec<Bookmark>> {
        bookmarks::list(&mut self.pool.begin_read().await?, job).await
    }

    async fn find_bookmarks(&self, job: &str, source: Option<&str>) -> Result<Vec<Bookmark>> {
        bookmarks::find_all(&mut self.pool.begin_read().await?, job, source).await
    }

    async fn list_bookmark_commits(
        &self,
        job: &str,
        source: &str,
        limit: u32,
    ) -> Result<Vec<BookmarkCommit>> {
        bookmarks::commits(&mut self.pool.begin_read().await?, job, source, limit).await
    }

    async fn seen_objects(
        &self,
        job: &str,
        source: &str,
        of: &[SourceObject],
    ) -> Result<Vec<Seen>> {
        bookmarks::seen(&mut self.pool.begin_read().await?, job, source, of).await
    }

    async fn list_seen(
        &self,
        job: &str,
        source: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceObject>> {
        let mut tx = self.pool.begin_read().await?;
        bookmarks::list_seen(&mut tx, job, source, prefix, after, limit).await
    }

    async fn objects_between(
        &self,
        job: &str,
        source: &str,
        from: Option<&str>,
        to: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceObject>> {
        let mut tx = self.pool.begin_read().await?;
        bookmarks::between(&mut tx, job, source, (from, to), after, limit).await
    }

    async fn commit_bookmark(
        &self,
        job: &str,
        run_id: &str,
        attempt: u32,
        bookmark: PlannedBookmark,
    ) -> Result<AppliedBookmark> {
        let source = bookmark.source_name.clone();
        let version = bookmark.expected_version;
        let commit = Change::CommitBookmark {
            job: job.to_owned(),
            run_id: run_id.to_owned(),
            attempt,
            bookmark,
        };
        let applied = write::apply(&self.pool, ChangeSet::new("").with(commit)).await?;
        let only = applied.bookmarks.into_iter().next();
        Ok(only.unwrap_or_else(|| AppliedBookmark {
            job: job.to_owned(),
            source,
            outcome: BookmarkOutcome::Unchanged { version },
        }))
    }

    async fn reset_bookmark(&self, job: &str, source: Option<&str>) -> Result<Vec<Bookmark>> {
        bookmarks::reset(&self.pool, job, source).await
    }

    async fn rewind_bookmark(
        &self,
        job: &str,
        source: Option<&str>,
        to: RewindTo,
    ) -> Result<Vec<Bookmark>> {
        bookmarks::rewind(&self.pool, job, source, to).await
    }

    async fn pause_bookmark(
        &self,
        job: &str,
        source: Option<&str>,
        paused: bool,
    ) -> Result<Vec<Bookmark>> {
        bookmarks::pause(&self.pool, job, source, paused).await
    }

    async fn set_bookmark(
        &self,
        job: &str,
        source: &str,
        position: BookmarkPosition,
    ) -> Result<Bookmark> {
        let set = Change::SetBookmark {
            job: job.to_owned(),
            source: source.to_owned(),
            position,
            paused: false,
            only_new: false,
        };
        write::apply(&self.pool, ChangeSet::new("").with(set)).await?;
        self.get_bookmark(job, source).await
    }

    async fn begin_commit(&self, commit: NewCommit) -> Result<PendingCommit> {
        bookmarks::begin(&self.pool, commit).await
    }

    async fn pending_commits(&self, job: Option<&str>) -> Result<Vec<PendingCommit>> {
        bookmarks::list_pending(&mut self.pool.begin_read().await?, job).await
    }

    async fn settle(&self, run_id: &str, applied: bool) -> Result<Vec<AppliedBookmark>> {
        bookmarks::settle(&self.pool, run_id, applied).await
    }
}
