//! The files that a reader of a sink's folder would see: what an overwrite replaces.

use std::path::Path as FsPath;
use std::time::UNIX_EPOCH;

use futures::TryStreamExt;

use super::staging::{blocking, fs_path, io, store_error};
use crate::error::{LakeError, Result};
use crate::list::is_hidden;
use crate::store::Location;

/// A visible file, and what tells it from another under its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visible {
    /// Its path below the root.
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) stamp: String,
}

/// The visible files in `folder` of `root` (`""` for all of it), ordered by path.
pub(super) async fn visible(root: &Location, folder: &str) -> Result<Vec<Visible>> {
    let mut files = if root.is_local() {
        let (path, below) = (fs_path(root), folder.to_owned());
        blocking(&root.url, move || {
            let mut files = Vec::new();
            walk(&path, &below, &mut files)?;
            Ok(files)
        })
        .await?
    } else {
        list(root, folder).await?
    };
    files.sort_unstable();
    Ok(files)
}

fn walk(root: &FsPath, below: &str, files: &mut Vec<Visible>) -> Result<()> {
    let folder = root.join(below);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("list", &folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(io("list", &folder))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(LakeError::Sink {
                url: entry.path().display().to_string(),
                message: "its name is not UTF-8".into(),
            });
        };
        if is_hidden(name) {
            continue;
        }
        let path = match below {
            "" => name.to_owned(),
            below => format!("{below}/{name}"),
        };
        let kind = entry.file_type().map_err(io("read", &entry.path()))?;
        // A link is itself what is replaced, never what it points to.
        if kind.is_dir() {
            walk(root, &path, files)?;
            continue;
        }
        match entry.metadata() {
            Ok(found) => {
                let changed = found.modified().ok();
                let since = changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                files.push(Visible {
                    path,
                    size: found.len(),
                    stamp: format!("{since:?}"),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io("read", &entry.path())(error)),
        }
    }
    Ok(())
}

async fn list(root: &Location, folder: &str) -> Result<Vec<Visible>> {
    let prefix = root.child(folder).path;
    let whole_bucket = prefix.as_ref().is_empty();
    let found: Vec<_> = root
        .store
        .list((!whole_bucket).then_some(&prefix))
        .try_collect()
        .await
        .map_err(store_error("list", root, &prefix))?;
    Ok(found
        .into_iter()
        .filter_map(|object| {
            let parts: Vec<_> = object.location.prefix_match(&root.path)?.collect();
            let hidden = parts.iter().any(|part| is_hidden(part.as_ref()));
            if hidden || parts.is_empty() {
                return None;
            }
            let path: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            Some(Visible {
                path: path.join("/"),
                size: object.size,
                stamp: object
                    .e_tag
                    .unwrap_or_else(|| object.last_modified.to_rfc3339()),
            })
        })
        .collect())
}
