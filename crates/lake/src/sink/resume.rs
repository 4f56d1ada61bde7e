//! Settling what a run left that died among the commits of its sinks.
//!
//! A run with several sinks commits them one after another. Before the first it writes down, where its
//! bookmarks are kept, what each is about to publish ([`Staged::intent`]); whoever finds the run dead asks whether a
//! sink was committed ([`was_committed`]), and then commits the others too ([`resume`]), or throws all of it away
//! ([`discard`]). So of the sinks of a run all become visible, or none.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};

use super::commit::{Commit, Outcome, Publish, VERSION, prepare, roll_forward, write_record};
use super::staging::{blocking, fs_path, io, remove_tree, store_error, tidy};
use super::visible::visible;
use super::{HIDDEN, SinkMode, Staged, lock, recover};
use crate::error::{LakeError, Result};
use crate::store::Location;

/// How long it waits for another commit that is at work.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a sink is about to publish: all that it takes to commit it in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The sink's folder, as a URL.
    pub url: String,
    /// The run's id, which names its folder below `_mastic`.
    pub run: String,
    mode: String,
    publish: Vec<Publish>,
    /// The files that are replaced, where the mode names them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    replaces: BTreeSet<String>,
    /// The folders that are emptied although nothing is published there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    emptied: BTreeSet<String>,
}

impl Intent {
    /// One of the files that will be there, below the sink's folder; nothing where none will.
    pub fn first_file(&self) -> Option<&str> {
        self.publish.first().map(|file| file.path.as_str())
    }
}

impl Staged {
    /// What [`Staged::commit`] is about to publish.
    pub fn intent(&self) -> Intent {
        Intent {
            url: self.spec().root.url.clone(),
            run: self.written().run.clone(),
            mode: self.spec().mode.name().to_owned(),
            publish: self.publish().to_vec(),
            replaces: self.spec().replaces.as_ref().clone(),
            emptied: self.spec().emptied.as_ref().clone(),
        }
    }
}

/// Whether a sink's commit was recorded or carried out. One that was recorded is carried out first.
///
/// # Errors
/// When the store fails, or a recorded commit can be neither finished nor undone.
pub async fn was_committed(root: &Location, intent: &Intent) -> Result<bool> {
    let recovered = recover(root).await?;
    if recovered.completed.contains(&intent.run) {
        return Ok(true);
    }
    let Some(file) = intent.first_file() else {
        return Ok(false);
    };
    let place = root.child(file);
    match root.store.head(&place.path).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(store_error("read", root, &place.path)(error)),
    }
}

/// Commits what a dead run had staged.
///
/// # Errors
/// When the store fails, or what was staged is lost.
pub async fn resume(root: &Location, intent: &Intent) -> Result<()> {
    let mode: SinkMode = intent.mode.parse()?;
    let lock = match mode {
        SinkMode::Append => None,
        _ => Some(lock::acquire(root, &intent.run, PATIENCE).await?),
    };
    let done = carry_out(root, intent, mode).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    match done? {
        Outcome::Done => Ok(()),
        Outcome::Void => Err(LakeError::Sink {
            url: root.url.clone(),
            message: format!("what run {} had staged is lost", intent.run),
        }),
    }
}

async fn carry_out(root: &Location, intent: &Intent, mode: SinkMode) -> Result<Outcome> {
    let new: BTreeSet<&str> = intent.publish.iter().map(|f| f.path.as_str()).collect();
    let replaced = match mode {
        SinkMode::Append | SinkMode::ErrorIfExists => Vec::new(),
        SinkMode::Overwrite => visible(root, "").await?,
        SinkMode::ReplaceFiles => {
            let mut there = visible(root, "").await?;
            there.retain(|file| intent.replaces.contains(&root.child(&file.path).url));
            there
        }
        SinkMode::OverwritePartitions => {
            let folders: BTreeSet<&str> = new
                .iter()
                .map(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder))
                .chain(intent.emptied.iter().map(String::as_str))
                .collect();
            stream::iter(folders)
                .map(|folder| async move { visible(root, folder).await })
                .buffered(16)
                .try_concat()
                .await?
        }
    };
    let commit = Commit {
        version: VERSION,
        run: intent.run.clone(),
        mode: intent.mode.clone(),
        created: chrono::Utc::now().to_rfc3339(),
        publish: intent.publish.clone(),
        delete: replaced
            .into_iter()
            .map(|file| file.path)
            .filter(|path| !new.contains(path.as_str()))
            .collect(),
    };
    if commit.publish.is_empty() && commit.delete.is_empty() {
        return Ok(Outcome::Done);
    }
    if root.is_local() {
        let (path, planned) = (fs_path(root), commit.clone());
        blocking(&root.url, move || prepare(&path, &planned)).await?;
    }
    write_record(root, &commit).await?;
    roll_forward(root, &commit).await
}

/// Removes what a dead run had staged.
///
/// # Errors
/// When the store fails; what is left is invisible.
pub async fn discard(root: &Location, intent: &Intent) -> Result<()> {
    if let Some(store) = &root.multipart {
        for file in &intent.publish {
            let Some(id) = &file.upload else { continue };
            let path = root.child(&file.path).path;
            match store.abort_multipart(&path, id).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(store_error("abort the upload of", root, &path)(error)),
            }
        }
        return Ok(());
    }
    let (path, run) = (fs_path(root), intent.run.clone());
    blocking(&root.url, move || {
        let folder = path.join(HIDDEN).join(run);
        remove_tree(&folder).map_err(io("remove", &folder))?;
        tidy(&path, None);
        Ok(())
    })
    .await
}
