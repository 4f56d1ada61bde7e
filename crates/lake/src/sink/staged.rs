//! What was written and is not visible yet: to commit, or to abort.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};

use super::commit::{
    Commit, Outcome, Publish, VERSION, prepare, roll_forward, sync_staged, undo, write_record,
};
use super::lock::{self, Lock};
use super::run::refuse_existing;
use super::staging::{Staging, blocking, fs_path};
use super::visible::{Visible, visible};
use super::{SinkMode, SinkSpec, Written, WrittenFile, recover};
use crate::error::{LakeError, Result};

/// How long a commit waits for another one that is at it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files that were written and wait, invisible, for [`Staged::commit`] or [`Staged::abort`].
///
/// Dropping it aborts, as far as that can be done without waiting.
#[derive(Debug)]
pub struct Staged {
    spec: SinkSpec,
    staging: Arc<Staging>,
    before: Vec<Visible>,
    plan: Arc<dyn ExecutionPlan>,
    publish: Vec<Publish>,
    written: Written,
    /// Whether what is staged is still ours to remove.
    ours: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.ours {
            self.staging.abandon();
        }
    }
}

impl Staged {
    pub(super) fn new(
        spec: &SinkSpec,
        run: String,
        staging: Arc<Staging>,
        before: Vec<Visible>,
        plan: Arc<dyn ExecutionPlan>,
        file_schema: SchemaRef,
        key_schema: SchemaRef,
    ) -> Self {
        Staged {
            spec: spec.clone(),
            staging,
            before,
            plan,
            publish: Vec::new(),
            written: Written {
                run,
                files: Vec::new(),
                rows: 0,
                bytes: 0,
                file_schema,
                key_schema,
                replaced: Vec::new(),
            },
            ours: true,
        }
    }

    pub(super) fn set_files(&mut self, mut files: Vec<(Publish, Vec<Option<String>>)>) {
        // By folder first, so that the files of a partition are together.
        files.sort_by(|(a, _), (b, _)| {
            let parts = |file: &Publish| {
                let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
                (folder.to_owned(), name.to_owned())
            };
            parts(a).cmp(&parts(b))
        });
        for (file, partition) in files {
            self.written.rows += file.rows;
            self.written.bytes += file.bytes;
            self.written.files.push(WrittenFile {
                path: file.path.clone(),
                rows: file.rows,
                bytes: file.bytes,
                partition,
            });
            self.publish.push(file);
        }
    }

    pub(super) fn spec(&self) -> &SinkSpec {
        &self.spec
    }

    pub(super) fn publish(&self) -> &[Publish] {
        &self.publish
    }

    /// What was written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// The plan that was run, with its metrics.
    pub fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }

    /// Makes the files visible, and deletes those that they replace. Either all of it happens, at
    /// the latest with the next [`recover`], or none.
    ///
    /// Once begun it runs to its end, even if the future is dropped.
    ///
    /// # Errors
    /// When nothing was changed and what was staged is removed: the store failed, or another run
    /// changed what this one replaces. The message says so where the commit stands and only its
    /// carrying out failed.
    pub async fn commit(self) -> Result<Written> {
        let url = self.spec.root.url.clone();
        match tokio::spawn(self.commit_to_the_end()).await {
            Ok(result) => result,
            Err(error) => Err(LakeError::Sink {
                url,
                message: format!("the commit stopped: {error}"),
            }),
        }
    }

    async fn commit_to_the_end(mut self) -> Result<Written> {
        let locked = self.lock().await;
        let committed = match &locked {
            Ok(lock) => self.record(lock.as_ref()).await,
            Err(_) => Ok(None),
        };
        let carried_out = match &committed {
            Ok(Some(commit)) => roll_forward(&self.spec.root, commit).await,
            _ => Ok(Outcome::Done),
        };
        let refused = match locked {
            Ok(Some(lock)) => {
                lock.release().await;
                None
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let url = self.spec.root.url.clone();
        match (refused, committed, carried_out) {
            (Some(error), _, _) | (None, Err(error), _) => {
                if let Err(left) = self.remove_staged().await {
                    log::warn!("{left}");
                }
                Err(error)
            }
            (None, Ok(None), _) => {
                // No file to publish and none to delete: the lake is in its new state already.
                self.remove_staged().await?;
                Ok(self.written.clone())
            }
            (None, Ok(Some(commit)), Ok(Outcome::Done)) => {
                self.written.replaced = commit.delete;
                Ok(self.written.clone())
            }
            (None, Ok(Some(_)), Ok(Outcome::Void)) => Err(LakeError::Sink {
                url,
                message: "the store lost what was staged before it could be published; nothing was changed".into(),
            }),
            (None, Ok(Some(commit)), Err(error)) => Err(LakeError::Sink {
                url,
                message: format!(
                    "the commit of run {} is recorded but not carried out to its end; the next run or query there will finish it ({error})",
                    commit.run
                ),
            }),
        }
    }

    /// Everything slow that needs no lock, and then the lock, for modes that do.
    async fn lock(&self) -> Result<Option<Lock>> {
        let root = &self.spec.root;
        if root.is_local() && self.spec.fsync {
            sync_staged(root, &self.written.run, &self.publish).await?;
        }
        if self.spec.mode == SinkMode::Append {
            return Ok(None);
        }
        Ok(Some(
            lock::acquire(root, &self.written.run, PATIENCE).await?,
        ))
    }

    /// Records the commit; `None` when there is nothing to commit. From the moment of the record on,
    /// what is staged belongs to it.
    pub(super) async fn record(&mut self, lock: Option<&Lock>) -> Result<Option<Commit>> {
        let root = self.spec.root.clone();
        if lock.is_some() {
            // A commit that its run did not finish comes before ours.
            recover(&root).await?;
        }
        let delete = self.replaced().await?;
        if self.publish.is_empty() && delete.is_empty() {
            return Ok(None);
        }
        let commit = Commit {
            version: VERSION,
            run: self.written.run.clone(),
            mode: self.spec.mode.name().to_owned(),
            created: chrono::Utc::now().to_rfc3339(),
            publish: self.publish.clone(),
            delete,
        };
        let mut made = Vec::new();
        if root.is_local() {
            let (path, planned) = (fs_path(&root), commit.clone());
            made = blocking(&root.url, move || prepare(&path, &planned)).await?;
        }
        let recorded = match lock.map_or(Ok(()), Lock::check) {
            Ok(()) => write_record(&root, &commit).await,
            Err(expired) => Err(expired),
        };
        if let Err(error) = recorded {
            undo(&made);
            return Err(error);
        }
        self.ours = false;
        self.staging.hand_over();
        Ok(Some(commit))
    }

    /// The files that this commit replaces, as they are now.
    async fn replaced(&self) -> Result<Vec<String>> {
        let root = &self.spec.root;
        let now = match self.spec.mode {
            SinkMode::Append => return Ok(Vec::new()),
            SinkMode::Overwrite | SinkMode::ReplaceFiles | SinkMode::ErrorIfExists => {
                visible(root, "").await?
            }
            SinkMode::OverwritePartitions => {
                let files = self.written.files.iter();
                let mut folders: BTreeSet<String> =
                    files.map(|file| file.folder().to_owned()).collect();
                folders.extend(self.spec.emptied.iter().cloned());
                stream::iter(folders)
                    .map(|folder| async move { visible(root, &folder).await })
                    .buffered(16)
                    .try_concat()
                    .await?
            }
        };
        if self.spec.mode == SinkMode::ErrorIfExists {
            refuse_existing(&self.spec, &now)?;
        }
        let mut now = now;
        let mut unchanged = now == self.before;
        if self.spec.mode == SinkMode::ReplaceFiles {
            now.retain(|file| self.spec.replaces.contains(&root.child(&file.path).url));
            unchanged &= now.len() == self.spec.replaces.len();
        }
        let replaces = matches!(self.spec.mode, SinkMode::Overwrite | SinkMode::ReplaceFiles);
        if replaces && !unchanged {
            return Err(LakeError::Sink {
                url: root.url.clone(),
                message: "its files were changed by another run while this one wrote; nothing was overwritten, run it again".into(),
            });
        }
        Ok(now.into_iter().map(|file| file.path).collect())
    }

    async fn remove_staged(&mut self) -> Result<()> {
        if !self.ours {
            return Ok(());
        }
        self.ours = false;
        self.staging.abort().await
    }

    /// Removes what was staged; the lake is as it was before.
    ///
    /// # Errors
    /// When the store fails to; what is left is invisible.
    pub async fn abort(mut self) -> Result<()> {
        self.remove_staged().await
    }
}
