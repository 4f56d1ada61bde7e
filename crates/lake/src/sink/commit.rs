//! The record of a commit, and carrying it out.
//!
//! The record, `_mastic/<run>/commit.json`, names every file to publish and every file to delete.
//! Its appearing is the commit: before it the lake is in the old state, and from then on in the
//! new one, since whoever finds it carries it out. Every step is one that can be taken twice, and by
//! two at once. All is published before anything is deleted, so that no failure loses both.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::multipart::{MultipartStore, PartId};
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::HIDDEN;
use super::staging::{blocking, fs_path, io, remove_tree, store_error, tidy};
use crate::error::{LakeError, Result};
use crate::store::Location;

/// The only version of the record so far.
pub(super) const VERSION: u32 = 1;

/// How many requests or file operations run side by side.
const SIDE_BY_SIDE: usize = 16;

/// A commit, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    pub(super) version: u32,
    pub(super) run: String,
    pub(super) mode: String,
    pub(super) created: String,
    pub(super) publish: Vec<Publish>,
    /// Paths below the root.
    pub(super) delete: Vec<String>,
}

/// A file to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publish {
    /// Its path below the root. On a disk it is staged at the same path below
    /// `_mastic/<run>/data`.
    pub(super) path: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// In an object store: the upload to complete, and its parts in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<String>,
}

/// How carrying out a commit ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The lake is in the new state.
    Done,
    /// None of the files is there or can be had any more, and nothing was published or deleted: the
    /// lake is in the old state. So it is when a run was aborted after a request to record its
    /// commit had seemed to fail, or a store threw old uploads away.
    Void,
}

/// The record's place.
pub(super) fn record(root: &Location, run: &str) -> Location {
    root.child(&format!("{HIDDEN}/{run}/commit.json"))
}

/// Makes the staged files durable, so that a record never survives a crash that they do not.
pub(super) async fn sync_staged(root: &Location, run: &str, files: &[Publish]) -> Result<()> {
    let data = fs_path(root).join(HIDDEN).join(run).join("data");
    let paths: Vec<PathBuf> = files.iter().map(|file| data.join(&file.path)).collect();
    stream::iter(paths)
        .map(|path| async move {
            blocking(&root.url, move || {
                let synced = File::open(&path).and_then(|file| file.sync_all());
                synced.map_err(io("write", &path))
            })
            .await
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

/// Makes the folders that the files will be published in, and proves that files can be made and
/// removed there and where files will be deleted: what cannot be done should be known before the
/// commit is recorded. Gives the folders made.
pub(super) fn prepare(root: &FsPath, commit: &Commit) -> Result<Vec<PathBuf>> {
    let folders: BTreeSet<PathBuf> = commit
        .publish
        .iter()
        .map(|file| &file.path)
        .chain(&commit.delete)
        .filter_map(|path| Some(root.join(path).parent()?.to_owned()))
        .collect();
    let mut made = Vec::new();
    for folder in folders {
        if let Err(error) = prepare_folder(root, &folder, &commit.run, &mut made) {
            undo(&made);
            return Err(error);
        }
    }
    Ok(made)
}

fn prepare_folder(
    root: &FsPath,
    folder: &FsPath,
    run: &str,
    made: &mut Vec<PathBuf>,
) -> Result<()> {
    let missing: Vec<&FsPath> = folder
        .ancestors()
        .take_while(|f| f.starts_with(root) && !f.exists())
        .collect();
    for folder in missing.iter().rev() {
        match std::fs::create_dir(folder) {
            Ok(()) => made.push(folder.to_path_buf()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io("create", folder)(error)),
        }
    }
    if missing.is_empty() {
        let probe = folder.join(format!(".mastic-{run}"));
        let probed = File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
        probed.map_err(io("write to", folder))?;
    }
    Ok(())
}

/// Removes the folders that [`prepare`] made, where they are still empty.
pub(super) fn undo(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        let _ = std::fs::remove_dir(folder);
    }
}

/// Records the commit: all of it, or nothing.
pub(super) async fn write_record(root: &Location, commit: &Commit) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(commit).map_err(|error| LakeError::Sink {
        url: root.url.clone(),
        message: error.to_string(),
    })?;
    let place = record(root, &commit.run);
    if !root.is_local() {
        let put = root.store.put(&place.path, PutPayload::from(bytes)).await;
        return match put {
            Ok(_) => Ok(()),
            Err(error) => {
                // It may have arrived all the same; the caller will abort, so it must not stay.
                let _ = root.store.delete(&place.path).await;
                Err(store_error("write", root, &place.path)(error))
            }
        };
    }
    let path = fs_path(&place);
    blocking(&root.url, move || {
        let new = path.with_extension("json.new");
        let folder = new.parent().unwrap_or(&new);
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        });
        written.map_err(io("write", &path))?;
        // The commit stands from here on, whether or not the folder can be synced.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    })
    .await
}

/// Carries a recorded commit out, from wherever it was left.
pub(super) async fn roll_forward(root: &Location, commit: &Commit) -> Result<Outcome> {
    match &root.multipart {
        Some(store) => roll_forward_uploads(root, store, commit).await,
        None => {
            let (path, commit) = (fs_path(root), commit.clone());
            blocking(&root.url, move || roll_forward_local(&path, &commit)).await
        }
    }
}

fn roll_forward_local(root: &FsPath, commit: &Commit) -> Result<Outcome> {
    let folder = root.join(HIDDEN).join(&commit.run);
    let record = folder.join("commit.json");
    let mut lost = Vec::new();
    for file in &commit.publish {
        let (from, to) = (folder.join("data").join(&file.path), root.join(&file.path));
        match publish_local(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && to.exists() => {}
            Err(error) if error.kind() == ErrorKind::NotFound && !from.exists() => {
                lost.push(&file.path);
            }
            Err(error) => return Err(io("publish", &to)(error)),
        }
    }
    // Without its record, someone else carried the commit out, and the lake may have moved on.
    if !record.exists() {
        return Ok(Outcome::Done);
    }
    if !lost.is_empty() {
        if lost.len() < commit.publish.len() {
            return Err(damaged(&root.to_string_lossy(), commit, lost.len()));
        }
        remove_run(root, &folder, &record)?;
        return Ok(Outcome::Void);
    }
    for path in &commit.delete {
        let path = root.join(path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(io("delete", &path)(error));
            }
            _ => {}
        }
        for emptied in path.ancestors().skip(1) {
            // Fails where something is left in the folder.
            if emptied == root || std::fs::remove_dir(emptied).is_err() {
                break;
            }
        }
    }
    remove_run(root, &folder, &record)?;
    Ok(Outcome::Done)
}

/// Ends a run's staging: the record first, since what is left then is only stale.
fn remove_run(root: &FsPath, folder: &FsPath, record: &FsPath) -> Result<()> {
    match std::fs::remove_file(record) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(io("remove", record)(error));
        }
        _ => {}
    }
    if let Err(error) = remove_tree(folder) {
        log::warn!("cannot remove {}: {error}", folder.display());
    }
    tidy(root, None);
    Ok(())
}

fn publish_local(from: &FsPath, to: &FsPath) -> std::io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound && from.exists() => {
            // Someone removed the emptied folder meanwhile.
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::rename(from, to)
        }
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            // A folder of the lake is a mount or a link to another disk: copied under a hidden name
            // there, then renamed, the file still appears whole.
            let name = to.file_name().unwrap_or_default().to_string_lossy();
            let copy = to.with_file_name(format!(".{name}"));
            std::fs::copy(from, &copy)?;
            File::open(&copy)?.sync_all()?;
            std::fs::rename(&copy, to)?;
            std::fs::remove_file(from)
        }
        other => other,
    }
}

async fn roll_forward_uploads(
    root: &Location,
    store: &Arc<dyn MultipartStore>,
    commit: &Commit,
) -> Result<Outcome> {
    let there: Vec<bool> = stream::iter(commit.publish.clone())
        .map(|file| complete(root, store, file))
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let place = record(root, &commit.run).path;
    let lost = there.iter().filter(|there| !**there).count();
    if lost > 0 || !commit.delete.is_empty() {
        // Without its record, someone else carried the commit out, and the lake may have moved on.
        match root.store.head(&place).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(Outcome::Done),
            Err(error) => return Err(store_error("read", root, &place)(error)),
            Ok(_) => {}
        }
    }
    if lost > 0 && lost < there.len() {
        return Err(damaged(&root.url, commit, lost));
    }
    if lost == 0 {
        let old: Vec<_> = commit
            .delete
            .iter()
            .map(|path| Ok(root.child(path).path))
            .collect();
        let mut deleted = root.store.delete_stream(stream::iter(old).boxed());
        while let Some(one) = deleted.next().await {
            match one {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(store_error("delete from", root, &root.path)(error)),
            }
        }
    }
    match root.store.delete(&place).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => return Err(store_error("delete", root, &place)(error)),
    }
    Ok(if lost > 0 {
        Outcome::Void
    } else {
        Outcome::Done
    })
}

/// Completes one upload; whether the file is there then.
async fn complete(root: &Location, store: &Arc<dyn MultipartStore>, file: Publish) -> Result<bool> {
    let path = root.child(&file.path).path;
    let upload = file.upload.unwrap_or_default();
    let parts = file
        .parts
        .into_iter()
        .map(|content_id| PartId { content_id });
    let completed = store.complete_multipart(&path, &upload, parts.collect());
    let Err(failure) = completed.await else {
        return Ok(true);
    };
    // The upload is gone when another run has completed it; then the file is there.
    match root.store.head(&path).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. })
            if matches!(failure, object_store::Error::NotFound { .. })
                || failure.to_string().contains("NoSuchUpload") =>
        {
            Ok(false)
        }
        Err(_) => Err(store_error("publish", root, &path)(failure)),
    }
}

fn damaged(url: &str, commit: &Commit, lost: usize) -> LakeError {
    LakeError::Sink {
        url: url.to_owned(),
        message: format!(
            "the commit of run {} can be neither finished nor undone: {lost} of its {} files are lost, and the others are published. No old file was deleted. Run the job again, or delete the files named part-{}-*, and then delete {HIDDEN}/{}/commit.json",
            commit.run,
            commit.publish.len(),
            commit.run,
            commit.run
        ),
    }
}
