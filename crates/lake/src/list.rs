//! The visible data files below a location.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::error::{LakeError, Result};
use crate::sink::unescape;
use crate::store::Location;

/// What lies below a location.
#[derive(Debug, Default)]
pub struct Listing {
    /// The visible data files, ordered by key.
    pub files: Vec<ObjectMeta>,
    /// Files of no bytes. They hold no record, so they are no data files, but they are told of.
    pub empty: Vec<ObjectMeta>,
    /// Folders of sinks whose commit was interrupted, as keys: see [`crate::sink::recover`].
    pub pending: Vec<String>,
}

/// Whether Hive and Athena hide a file or folder: its name begins with `_` or `.`
/// ("Tables, databases and schemas", Athena user guide).
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('_') || name.starts_with('.')
}

/// Every visible data file below `root`, or `root` itself where it is an object. A sink's commit that
/// was interrupted in the middle is completed first, so that no half of it is seen.
///
/// # Errors
/// When the store cannot be listed, or nothing is there at all.
pub async fn list(root: &Location) -> Result<Listing> {
    let listing = list_once(root).await?;
    if listing.pending.is_empty() {
        return Ok(listing);
    }
    for folder in &listing.pending {
        // Keys of a listing are well-formed paths.
        let path = Path::parse(folder).unwrap_or_else(|_| root.path.clone());
        let place = Location {
            url: root.url_of(&path),
            path,
            ..root.clone()
        };
        crate::sink::recover(&place).await?;
    }
    list_once(root).await
}

async fn list_once(root: &Location) -> Result<Listing> {
    let failed = |source| LakeError::Store {
        url: root.url.clone(),
        action: "list",
        source,
    };
    if root.is_local() && !root.path.as_ref().is_empty() {
        // A local listing of something that is not there is empty, without an error.
        let path = std::path::PathBuf::from(&root.url);
        match tokio::fs::metadata(&path).await {
            Ok(found) if found.is_file() => {
                let meta = root.store.head(&root.path).await.map_err(failed)?;
                return Ok(one(meta));
            }
            // Told apart from an empty folder, which a listing would show it as.
            Ok(_) => drop(
                tokio::fs::read_dir(&path)
                    .await
                    .map_err(|source| LakeError::Io {
                        path: path.clone(),
                        action: "list",
                        source,
                    })?,
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LakeError::NotFound {
                    url: root.url.clone(),
                });
            }
            Err(source) => {
                return Err(LakeError::Io {
                    path,
                    action: "list",
                    source,
                });
            }
        }
    }
    let depth = root.path.parts().count();
    let mut seen = false;
    let mut listing = Listing::default();
    let prefix = (!root.path.as_ref().is_empty()).then_some(&root.path);
    let mut objects = root.store.list(prefix);
    while let Some(meta) = objects.try_next().await.map_err(failed)? {
        seen = true;
        let hidden = meta
            .location
            .parts()
            .skip(depth)
            .any(|part| is_hidden(part.as_ref()));
        if hidden {
            let pending = crate::sink::pending_commit(meta.location.as_ref());
            listing.pending.extend(pending.map(str::to_owned));
            continue;
        }
        if meta.size == 0 {
            listing.empty.push(meta);
        } else {
            listing.files.push(meta);
        }
    }
    if !seen && !root.is_local() && !root.path.as_ref().is_empty() {
        // `s3://bucket/file.csv` is an object, not a prefix.
        return match root.store.head(&root.path).await {
            Ok(meta) => Ok(one(meta)),
            Err(object_store::Error::NotFound { .. }) => Err(LakeError::NotFound {
                url: root.url.clone(),
            }),
            Err(source) => Err(failed(source)),
        };
    }
    listing.files.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(listing)
}

fn one(meta: ObjectMeta) -> Listing {
    let mut listing = Listing::default();
    if meta.size == 0 {
        listing.empty.push(meta);
    } else {
        listing.files.push(meta);
    }
    listing
}

/// The key, in lower case, and the value of a folder that is named as Hive names partitions.
pub fn hive_folder(name: &str) -> Option<(String, String)> {
    let (key, value) = name.split_once('=')?;
    (!key.is_empty()).then(|| (unescape(key).to_lowercase(), unescape(value)))
}

/// Whether a file's name fits one of these patterns, in which `*` stands for any characters.
/// No pattern at all lets every name in.
pub fn fits(name: &str, patterns: &BTreeSet<String>) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, name))
}

fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut middle: Vec<&str> = parts.collect();
    let Some(last) = middle.pop() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::Stores;

    #[tokio::test]
    async fn hidden_and_empty_files_are_no_data() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "a/x.csv",
            "a/_SUCCESS",
            "_tmp/y.csv",
            "a/.crc/z.csv",
            "b c/%41.csv",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::fs::write(dir.path().join("empty.csv"), "").unwrap();
        let root = Stores::default()
            .locate(dir.path().to_str().unwrap())
            .unwrap();
        let listing = list(&root).await.unwrap();
        let names: Vec<String> = listing
            .files
            .iter()
            .map(|f| root.url_of(&f.location)[root.url.len()..].to_owned())
            .collect();
        assert_eq!(names, ["/a/x.csv", "/b c/%41.csv"]);
        assert_eq!(listing.empty.len(), 1);
        // What a listing names can be read back.
        let bytes = root.store.get(&listing.files[1].location).await.unwrap();
        assert_eq!(bytes.meta.size, 1);

        let missing = list(&root.child("no such")).await.unwrap_err();
        assert!(missing.to_string().ends_with("no such does not exist"));
        assert_eq!(list(&root.child("a/x.csv")).await.unwrap().files.len(), 1);
    }

    #[test]
    fn patterns_match_as_globs_do() {
        let set = |p: &[&str]| p.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        assert!(fits("orders_2019.csv", &set(&["orders_*.csv"])));
        assert!(!fits("stores.csv", &set(&["orders_*.csv"])));
        assert!(fits("stores.csv", &set(&["stores.csv"])));
        assert!(!fits("stores.csv.gz", &set(&["stores.csv"])));
        assert!(fits("anything", &set(&[])));
        assert!(!fits("ab", &set(&["ab*b"])));
    }
}
