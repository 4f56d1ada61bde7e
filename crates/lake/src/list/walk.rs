//! The files below a local folder, in the order of their keys.
//!
//! `object_store` fails a whole local listing at the first folder that it may not read or link that
//! leads back. Here each such thing is told, and the rest is listed.

use std::cmp::Ordering;
use std::fs::Metadata;
use std::io;
use std::path::{Path as FsPath, PathBuf};
use std::time::UNIX_EPOCH;

use object_store::ObjectMeta;
use object_store::path::Path;
use walkdir::{DirEntry, WalkDir};

use super::{Entry, Exclusions, is_hidden};
use crate::sink::HIDDEN;

/// Every entry below `root`, which is a folder. Blocks.
pub(super) fn walk(root: PathBuf, exclusions: Exclusions) -> impl Iterator<Item = Entry> + Send {
    let base = root.clone();
    let real = std::fs::canonicalize(&root).unwrap_or_else(|_| root.clone());
    let (tell, looped) = std::sync::mpsc::channel();
    let wanted = {
        let base = base.clone();
        move |entry: &DirEntry| {
            if entry.depth() == 0 {
                return true;
            }
            // A link to a folder that the listed one lies in would list all of it once more.
            if let Some(entry) = leads_above(&real, entry) {
                // Whoever listens is the walk itself, which is still there.
                let _ = tell.send(entry);
                return false;
            }
            let Some(relative) = relative(&base, entry.path()) else {
                return true;
            };
            if let Some(visible) = look_into_hidden(relative) {
                return visible;
            }
            !(entry.file_type().is_dir() && exclusions.excludes_all_of(relative))
                && (entry.file_type().is_dir() || !exclusions.excludes(relative))
        }
    };
    WalkDir::new(root)
        .min_depth(1)
        .follow_links(true)
        .sort_by(by_key)
        .into_iter()
        .filter_entry(wanted)
        .map(Some)
        // What was told of after the last entry.
        .chain(std::iter::once(None))
        .flat_map(move |found| {
            let told: Vec<Entry> = looped.try_iter().collect();
            let found = match found {
                Some(Ok(entry)) => file(&base, &entry),
                Some(Err(error)) => problem(&error),
                None => None,
            };
            told.into_iter().chain(found)
        })
}

/// What there is to say of a link to a folder that the listed one, `real`, lies in.
fn leads_above(real: &FsPath, entry: &DirEntry) -> Option<Entry> {
    if !entry.path_is_symlink() || !entry.file_type().is_dir() {
        return None;
    }
    let target = std::fs::canonicalize(entry.path()).ok()?;
    real.starts_with(&target).then(|| {
        told(
            entry.path(),
            format!(
                "the link leads back to {}, in which it lies, and is not followed",
                target.display()
            ),
        )
    })
}

fn relative<'a>(base: &FsPath, path: &'a FsPath) -> Option<&'a str> {
    path.strip_prefix(base).ok()?.to_str()
}

/// For what lies in a hidden folder: whether it is looked at nonetheless. Of hidden folders only those
/// of sinks are, and of those only the records of commits.
fn look_into_hidden(relative: &str) -> Option<bool> {
    let mut parts = relative.split('/').skip_while(|part| !is_hidden(part));
    let hidden = parts.next()?;
    let below = (parts.next(), parts.next(), parts.next());
    Some(hidden == HIDDEN && matches!(below, (_, None | Some("commit.json"), None)))
}

/// The order of whole keys: a folder sorts as its name with the slash that follows it. So a walk, which
/// sorts one folder at a time, gives the order in which object stores list.
fn by_key(a: &DirEntry, b: &DirEntry) -> Ordering {
    let slash = |entry: &DirEntry| {
        let kind = entry.file_type();
        kind.is_dir() || (kind.is_symlink() && entry.path().is_dir())
    };
    let (left, right) = (
        a.file_name().as_encoded_bytes(),
        b.file_name().as_encoded_bytes(),
    );
    let shared = left.len().min(right.len());
    match left[..shared].cmp(&right[..shared]) {
        Ordering::Equal if left.len() != right.len() => {
            // One is the beginning of the other: a slash may stand against the next byte.
            let after = |own: &[u8], entry: &DirEntry| match own.get(shared) {
                Some(byte) => Some(*byte),
                None => slash(entry).then_some(b'/'),
            };
            after(left, a).cmp(&after(right, b))
        }
        order => order,
    }
}

fn told(path: &FsPath, reason: impl Into<String>) -> Entry {
    Entry::Problem {
        url: path.display().to_string(),
        reason: reason.into(),
        hides: false,
    }
}

fn unseen(path: &FsPath, reason: impl Into<String>) -> Entry {
    Entry::Problem {
        url: path.display().to_string(),
        reason: reason.into(),
        hides: true,
    }
}

fn file(base: &FsPath, entry: &DirEntry) -> Option<Entry> {
    let path = entry.path();
    if entry.file_type().is_dir() {
        return None;
    }
    let metadata = match entry.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return problem(&error),
    };
    // Sockets, pipes and devices hold no records, and reading one may never end.
    if !metadata.is_file() {
        return None;
    }
    let Some(key) = path.to_str() else {
        return Some(told(path, "its name is not UTF-8"));
    };
    if upload_in_progress(key) {
        return Some(told(
            path,
            "its name ends in '#' and digits, as files do that are being written",
        ));
    }
    let location = match Path::parse(key) {
        Ok(location) => location,
        Err(error) => return Some(told(path, error.to_string())),
    };
    let hidden = relative(base, path).is_some_and(|r| r.split('/').any(is_hidden));
    if hidden {
        let pending = crate::sink::pending_commit(location.as_ref())?;
        return Some(Entry::Pending(pending.to_owned()));
    }
    Some(Entry::of(meta(&metadata, location)))
}

/// Names that `object_store` keeps for itself, and refuses to open.
fn upload_in_progress(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or_default();
    name.split_once('#')
        .is_some_and(|(_, rest)| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// As `object_store` describes the same file, so that a listing and a look at one file agree.
fn meta(metadata: &Metadata, location: Path) -> ObjectMeta {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    let micros = modified
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = 0u64;
    let size = metadata.len();
    ObjectMeta {
        location,
        last_modified: modified.into(),
        size,
        e_tag: Some(format!("{inode:x}-{micros:x}-{size:x}")),
        version: None,
    }
}

fn problem(error: &walkdir::Error) -> Option<Entry> {
    let path = error.path()?;
    if let Some(ancestor) = error.loop_ancestor() {
        return Some(told(
            path,
            format!(
                "the link leads back to {}, in which it lies, and is not followed",
                ancestor.display()
            ),
        ));
    }
    let reason = error.io_error()?;
    if reason.kind() != io::ErrorKind::NotFound {
        let reason = match reason.kind() {
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => reason.to_string(),
        };
        // A link that leads nowhere, or round in a circle, hides nothing.
        let link = std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
        let denied = reason == "permission denied";
        return Some(if link && !denied {
            told(path, reason)
        } else {
            unseen(path, reason)
        });
    }
    // A link to nothing is told; a file that was removed meanwhile is simply not there.
    let link = std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
    link.then(|| told(path, "the link leads to nothing"))
}
