//! Finishing what a stopped run left.

use std::io::ErrorKind;
use std::path::{Path as FsPath, PathBuf};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::HIDDEN;
use super::commit::{Commit, Outcome, VERSION, roll_forward};
use super::staging::{blocking, fs_path, io, remove_tree, store_error, tidy};
use crate::error::{LakeError, Result};
use crate::store::Location;

/// Staging without a recorded commit is left alone this long after its last change: its run may
/// still be at work.
const STALE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What [`recover`] did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Runs whose recorded commits were finished.
    pub completed: Vec<String>,
    /// Runs whose recorded commits had nothing left to publish, and were dropped.
    pub discarded: Vec<String>,
    /// Runs that never committed and whose stale staging was removed.
    pub removed: Vec<String>,
    /// Runs whose recorded commits could not be finished for want of permission: a reader sees
    /// part of the new files beside the old ones.
    pub blocked: Vec<String>,
}

impl Recovered {
    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        *self == Recovered::default()
    }
}

/// Whether a key below some root is the record of a commit that waits to be carried out, and then
/// the folder, relative to that root, to call [`recover`] on. For readers that list above a sink's
/// own folder.
pub fn pending_commit(relative: &str) -> Option<&str> {
    let run = relative.strip_suffix("/commit.json")?;
    let (folder, _) = run.rsplit_once('/')?;
    match folder.strip_suffix(HIDDEN)? {
        "" => Some(""),
        parent => parent.strip_suffix('/'),
    }
}

/// Finishes the commits that were recorded below `root` and not carried out to their end, oldest
/// first, and removes what runs that stopped before their commit left a day ago or more.
///
/// Any reader or writer calls it before it lists: one list request, or one look at a folder, when
/// there is nothing to do. Two may do it at once, also while the run itself is at it.
///
/// # Errors
/// When the store fails, or a commit can be neither finished nor undone. A lack of permission is no
/// error, see [`Recovered::blocked`].
pub async fn recover(root: &Location) -> Result<Recovered> {
    let mut recovered = Recovered::default();
    let mut commits = if root.is_local() {
        let (path, url) = (fs_path(root), root.url.clone());
        let (commits, removed) = blocking(&root.url, move || {
            look_local(&path, &url, SystemTime::now())
        })
        .await?;
        recovered.removed = removed;
        commits
    } else {
        look(root).await?
    };
    commits.sort_by(|a, b| (&a.created, &a.run).cmp(&(&b.created, &b.run)));
    for commit in commits {
        match roll_forward(root, &commit).await {
            Ok(Outcome::Done) => recovered.completed.push(commit.run),
            Ok(Outcome::Void) => recovered.discarded.push(commit.run),
            Err(error) if is_denied(&error) => {
                log::warn!("the commit of run {} waits: {error}", commit.run);
                recovered.blocked.push(commit.run);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(recovered)
}

fn is_denied(error: &LakeError) -> bool {
    match error {
        LakeError::Io { source, .. } => matches!(
            source.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
        ),
        LakeError::Store { source, .. } => matches!(
            source,
            object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
        ),
        _ => false,
    }
}

fn look_local(root: &FsPath, url: &str, now: SystemTime) -> Result<(Vec<Commit>, Vec<String>)> {
    let (mut commits, mut removed) = (Vec::new(), Vec::new());
    let hidden = root.join(HIDDEN);
    let runs = match std::fs::read_dir(&hidden) {
        Ok(runs) => runs,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok((commits, removed));
        }
        Err(error) => return Err(io("list", &hidden)(error)),
    };
    for run in runs {
        let run = match run {
            Ok(run) => run,
            // Another run's end may empty the folder under us.
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(io("list", &hidden)(error)),
        };
        let folder = run.path();
        if !folder.is_dir() {
            continue;
        }
        let record = folder.join("commit.json");
        match std::fs::read(&record) {
            Ok(bytes) => commits.push(parse(url, &record.to_string_lossy(), &bytes)?),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let changed = last_change(&folder);
                let stale = changed
                    .and_then(|changed| now.duration_since(changed).ok())
                    .is_some_and(|age| age > STALE_AFTER);
                if stale {
                    match remove_tree(&folder) {
                        Ok(()) => removed.push(run.file_name().to_string_lossy().into_owned()),
                        Err(error) => log::warn!("cannot remove {}: {error}", folder.display()),
                    }
                }
            }
            Err(error) => return Err(io("read", &record)(error)),
        }
    }
    if !removed.is_empty() {
        tidy(root, None);
    }
    Ok((commits, removed))
}

/// When anything in a folder last changed.
fn last_change(folder: &FsPath) -> Option<SystemTime> {
    let mut latest = None;
    let mut left: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(found) = path.symlink_metadata() else {
            continue;
        };
        latest = latest.max(found.modified().ok());
        if found.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        }
    }
    latest
}

async fn look(root: &Location) -> Result<Vec<Commit>> {
    let hidden = root.child(HIDDEN).path;
    let failed = |path: &object_store::path::Path| store_error("read", root, path);
    let found: Vec<_> = root
        .store
        .list(Some(&hidden))
        .try_collect()
        .await
        .map_err(store_error("list", root, &hidden))?;
    let mut commits = Vec::new();
    for object in found {
        let path = object.location;
        if path.filename() != Some("commit.json") {
            continue;
        }
        let bytes = match root.store.get(&path).await {
            Ok(found) => found.bytes().await.map_err(failed(&path))?,
            // Carried out meanwhile.
            Err(object_store::Error::NotFound { .. }) => continue,
            Err(error) => return Err(failed(&path)(error)),
        };
        commits.push(parse(&root.url, path.as_ref(), &bytes)?);
    }
    Ok(commits)
}

fn parse(url: &str, record: &str, bytes: &[u8]) -> Result<Commit> {
    let message = match serde_json::from_slice::<Commit>(bytes) {
        Ok(commit) if commit.version == VERSION => return Ok(commit),
        Ok(commit) => format!(
            "{record} is of version {}, which this Mastic does not know; use a newer one",
            commit.version
        ),
        Err(error) => format!("{record} cannot be read: {error}"),
    };
    Err(LakeError::Sink {
        url: url.to_owned(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_from_other_keys() {
        assert_eq!(pending_commit("_mastic/r/commit.json"), Some(""));
        assert_eq!(pending_commit("a/b/_mastic/r/commit.json"), Some("a/b"));
        assert_eq!(pending_commit("a/_mastic/r/data/commit.json"), None);
        assert_eq!(pending_commit("a/x_mastic/r/commit.json"), None);
        assert_eq!(pending_commit("commit.json"), None);
        assert_eq!(pending_commit("_mastic/lock"), None);
    }
}
