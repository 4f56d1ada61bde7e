//! The visible data files below a location.
//!
//! A listing comes in the byte order of its keys, locally as in object stores, which list so ("ListObjectsV2",
//! Amazon S3 API reference; S3's directory buckets do not). In that order all that lies below one folder
//! stands together.

mod exclude;
mod walk;

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio::sync::mpsc;

pub use self::exclude::{Exclusions, PatternError};
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
    /// What was left out, by URL, and why: links to nothing, links that lead back.
    pub problems: Vec<(String, String)>,
    /// What could not be listed, by URL, and why: it may hold files nonetheless.
    pub hidden: Vec<(String, String)>,
}

/// One thing that a listing comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A visible data file.
    File(ObjectMeta),
    /// A file of no bytes.
    Empty(ObjectMeta),
    /// The folder, as a key, of a sink whose commit was interrupted: see [`crate::sink::recover`].
    Pending(String),
    /// Something that could not be listed.
    Problem {
        /// Where.
        url: String,
        /// Why not.
        reason: String,
        /// Whether there may be files that cannot be seen.
        hides: bool,
    },
}

impl Entry {
    fn of(meta: ObjectMeta) -> Self {
        if meta.size == 0 {
            Entry::Empty(meta)
        } else {
            Entry::File(meta)
        }
    }
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
    list_without(root, &Exclusions::default()).await
}

/// As [`list`], without what is excluded.
///
/// # Errors
/// As [`list`].
pub async fn list_without(root: &Location, exclusions: &Exclusions) -> Result<Listing> {
    let listing = list_once(root, exclusions).await?;
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
    list_once(root, exclusions).await
}

async fn list_once(root: &Location, exclusions: &Exclusions) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut entries = stream(root, exclusions);
    while let Some(entry) = entries.try_next().await? {
        match entry {
            Entry::File(meta) => listing.files.push(meta),
            Entry::Empty(meta) => listing.empty.push(meta),
            Entry::Pending(folder) => listing.pending.push(folder),
            Entry::Problem {
                url,
                reason,
                hides: true,
            } => listing.hidden.push((url, reason)),
            Entry::Problem { url, reason, .. } => listing.problems.push((url, reason)),
        }
    }
    // Stores that do not keep the order are none that a whole listing need suffer from.
    listing.files.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(listing)
}

/// What lies below `root`, in the byte order of keys, or `root` itself where it is an object. What is
/// excluded is not listed, and a local folder that is excluded as a whole is not looked into. Memory
/// does not grow with the number of objects, but for the names within one local folder.
///
/// Interrupted commits are told of ([`Entry::Pending`]), not completed: what stands below such a folder
/// may change when they are.
///
/// # Errors
/// As items: when the store cannot be listed, or nothing is there at all. The stream then ends.
pub fn stream(root: &Location, exclusions: &Exclusions) -> BoxStream<'static, Result<Entry>> {
    let (root, exclusions) = (root.clone(), exclusions.clone());
    futures::stream::once(async move {
        if root.is_local() {
            local(root, exclusions).await
        } else {
            remote(root, exclusions)
        }
    })
    .flatten()
    .boxed()
}

fn failed(root: &Location) -> impl Fn(object_store::Error) -> LakeError + Send + 'static {
    let url = root.url.clone();
    move |source| LakeError::Store {
        url: url.clone(),
        action: "list",
        source,
    }
}

/// Entries that are handed over at once, and how many such pieces may wait.
const PIECE: usize = 256;
const WAITING: usize = 4;

async fn local(root: Location, exclusions: Exclusions) -> BoxStream<'static, Result<Entry>> {
    let one = |result: Result<Entry>| futures::stream::once(async { result }).boxed();
    let path = PathBuf::from(format!("/{}", root.path));
    let refused = |source| LakeError::Io {
        path: path.clone(),
        action: "list",
        source,
    };
    match tokio::fs::metadata(&path).await {
        Ok(found) if found.is_file() => {
            let meta = root.store.head(&root.path).await.map_err(failed(&root));
            return one(meta.map(Entry::of));
        }
        // Told apart from an empty folder: the walk would name it among the problems only.
        Ok(_) => {
            if let Err(source) = tokio::fs::read_dir(&path).await {
                return one(Err(refused(source)));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return one(Err(LakeError::NotFound { url: root.url }));
        }
        Err(source) => return one(Err(refused(source))),
    }
    let (sender, receiver) = mpsc::channel::<Vec<Entry>>(WAITING);
    let walker = tokio::task::spawn_blocking(move || {
        let mut entries = walk::walk(path, exclusions);
        loop {
            let piece: Vec<Entry> = entries.by_ref().take(PIECE).collect();
            // Nobody listens any more.
            if piece.is_empty() || sender.blocking_send(piece).is_err() {
                break;
            }
        }
    });
    let pieces = futures::stream::unfold(
        (receiver, Some(walker)),
        |(mut receiver, walker)| async move {
            if let Some(piece) = receiver.recv().await {
                let piece = piece.into_iter().map(Ok).collect::<Vec<_>>();
                return Some((futures::stream::iter(piece), (receiver, walker)));
            }
            // A walk that panicked must not look like one that came to its end.
            let error = walker?.await.err()?;
            let error = LakeError::Engine(datafusion::error::DataFusionError::Internal(format!(
                "a listing failed: {error}"
            )));
            Some((futures::stream::iter(vec![Err(error)]), (receiver, None)))
        },
    );
    pieces.flatten().boxed()
}

fn remote(root: Location, exclusions: Exclusions) -> BoxStream<'static, Result<Entry>> {
    let base = root.path.as_ref().to_owned();
    let prefix = (!base.is_empty()).then_some(&root.path);
    // Asked for once more after its end, where the place turns out to be one object.
    let objects = root.store.list(prefix).map_err(failed(&root)).fuse();
    let state = (objects, false, root.clone());
    let mut below = base.len();
    // The slash after the prefix.
    below += usize::from(below > 0);
    let entries = futures::stream::try_unfold(state, |(mut objects, seen, root)| async move {
        match objects.try_next().await? {
            Some(meta) => Ok(Some((meta, (objects, true, root)))),
            None if seen || root.path.as_ref().is_empty() => Ok(None),
            // `s3://bucket/file.csv` is an object, not a prefix.
            None => match root.store.head(&root.path).await {
                Ok(meta) => Ok(Some((meta, (objects, true, root)))),
                Err(object_store::Error::NotFound { .. }) => {
                    Err(LakeError::NotFound { url: root.url })
                }
                Err(source) => Err(failed(&root)(source)),
            },
        }
    });
    entries
        .try_filter_map(move |meta| {
            let key = meta.location.as_ref();
            let relative = key.get(below..).unwrap_or_default();
            let entry = if relative.split('/').any(is_hidden) {
                crate::sink::pending_commit(key).map(|folder| Entry::Pending(folder.to_owned()))
            } else if exclusions.excludes(relative) {
                None
            } else {
                Some(Entry::of(meta))
            };
            async move { Ok(entry) }
        })
        .boxed()
}

/// The visible folders right below `root`, ordered by key: one request a thousand of them, however much
/// lies in them.
///
/// # Errors
/// When the store cannot be listed, or a local folder is not there.
pub async fn folders(root: &Location) -> Result<Vec<Location>> {
    let mut names: Vec<String> = if root.is_local() {
        let path = PathBuf::from(format!("/{}", root.path));
        let refused = |path: PathBuf| {
            move |source: std::io::Error| match source.kind() {
                std::io::ErrorKind::NotFound => LakeError::NotFound {
                    url: path.display().to_string(),
                },
                _ => LakeError::Io {
                    path,
                    action: "list",
                    source,
                },
            }
        };
        let mut names = Vec::new();
        let mut entries = tokio::fs::read_dir(&path)
            .await
            .map_err(refused(path.clone()))?;
        while let Some(entry) = entries.next_entry().await.map_err(refused(path.clone()))? {
            let folder = match entry.file_type().await {
                Ok(kind) if kind.is_symlink() => tokio::fs::metadata(entry.path())
                    .await
                    .is_ok_and(|m| m.is_dir()),
                Ok(kind) => kind.is_dir(),
                Err(_) => false,
            };
            if folder && let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names
    } else {
        let prefix = (!root.path.as_ref().is_empty()).then_some(&root.path);
        let found = root
            .store
            .list_with_delimiter(prefix)
            .await
            .map_err(failed(root))?;
        let names = found.common_prefixes.iter();
        names
            .filter_map(|p| p.filename().map(str::to_owned))
            .collect()
    };
    names.retain(|name| !is_hidden(name));
    // By key: each name is followed by a slash.
    names.sort_unstable_by(|a, b| {
        let key = |name: &str| name.bytes().chain([b'/']).collect::<Vec<_>>();
        key(a).cmp(&key(b))
    });
    Ok(names.iter().map(|name| root.child(name)).collect())
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

    async fn entries(root: &Location, patterns: &[&str]) -> (Vec<String>, Vec<String>) {
        let exclusions = Exclusions::new(patterns).unwrap();
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        let all: Vec<Entry> = stream(root, &exclusions).try_collect().await.unwrap();
        for entry in all {
            match entry {
                Entry::File(meta) | Entry::Empty(meta) => {
                    files.push(meta.location.as_ref()[root.path.as_ref().len()..].to_owned());
                }
                Entry::Problem { url, reason, .. } => {
                    let name = url.rsplit('/').next().unwrap_or_default();
                    problems.push(format!("{name}: {reason}"));
                }
                Entry::Pending(folder) => problems.push(format!("pending {folder}")),
            }
        }
        (files, problems)
    }

    fn tree(files: &[&str]) -> (tempfile::TempDir, Location) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let root = Stores::default()
            .locate(dir.path().to_str().unwrap())
            .unwrap();
        (dir, root)
    }

    /// The order is that of whole keys, as `object_store`'s own in-memory store lists them.
    #[tokio::test]
    async fn a_walk_has_the_order_of_keys() {
        let files = [
            "a/b",
            "a.csv",
            "a-b/c",
            "a0",
            "a/b.csv",
            "a/b/../c/d",
            "ab/x",
            "a b/c",
            "z",
        ];
        let (dir, root) = tree(&files[1..]);
        let (found, problems) = entries(&root, &[]).await;
        assert_eq!(problems, [""; 0]);
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!(found, sorted);
        assert_eq!(found.len(), 8);
        let folders: Vec<String> = folders(&root)
            .await
            .unwrap()
            .iter()
            .map(|f| f.url[root.url.len()..].to_owned())
            .collect();
        assert_eq!(folders, ["/a b", "/a-b", "/a", "/ab"]);
        let all = list(&root).await.unwrap();
        assert_eq!(all.files.len(), 8);
        // Described as the store itself describes them.
        for file in &all.files {
            assert_eq!(*file, root.store.head(&file.location).await.unwrap());
        }
        drop(dir);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_cannot_be_listed_is_told_and_the_rest_listed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (dir, root) = tree(&["a/x.csv", "b/y.csv", "shut/z.csv", "n#1", "other/o.csv"]);
        let at = |name: &str| dir.path().join(name);
        symlink(at("a"), at("a/back")).unwrap();
        symlink(at("nowhere"), at("b/broken.csv")).unwrap();
        symlink(at("b/self"), at("b/self")).unwrap();
        symlink(at("other"), at("z")).unwrap();
        let shut = std::fs::Permissions::from_mode(0o0);
        std::fs::set_permissions(at("shut"), shut).unwrap();
        // Whoever may read everything (root) sees the shut folder's file.
        let readable = std::fs::read_dir(at("shut")).is_ok();
        let (files, mut problems) = entries(&root, &[]).await;
        std::fs::set_permissions(at("shut"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut expected = vec!["/a/x.csv", "/b/y.csv", "/other/o.csv", "/z/o.csv"];
        if readable {
            expected.insert(3, "/shut/z.csv");
        } else {
            problems.retain(|p| p != "shut: permission denied");
        }
        assert_eq!(files, expected);
        problems.sort_unstable();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with("back: the link leads back to"));
        assert_eq!(problems[1], "broken.csv: the link leads to nothing");
        assert!(problems[2].starts_with("n#1: its name ends in '#'"));
        assert!(problems[3].starts_with("self: "));
        assert_eq!(list(&root).await.unwrap().problems.len(), 4);
    }

    #[tokio::test]
    async fn excluded_files_are_not_listed() {
        let (_dir, root) = tree(&["a/x.csv", "a/y.json", "tmp/z.csv", "tmp/d/z.csv"]);
        let (files, _) = entries(&root, &["tmp/**", "**.json"]).await;
        assert_eq!(files, ["/a/x.csv"]);
        let memory = Location {
            url: "s3://b/p".into(),
            store_url: datafusion::datasource::object_store::ObjectStoreUrl::parse("s3://b")
                .unwrap(),
            store: std::sync::Arc::new(object_store::memory::InMemory::new()),
            path: Path::from("p"),
            multipart: None,
        };
        for key in [
            "p/a/x.csv",
            "p/a/y.json",
            "p/tmp/z.csv",
            "p/_mastic/r/commit.json",
            "q/x.csv",
        ] {
            memory
                .store
                .put(&Path::from(key), "x".into())
                .await
                .unwrap();
        }
        let (files, other) = entries(&memory, &["tmp/**", "**.json"]).await;
        assert_eq!(
            (files, other),
            (vec!["/a/x.csv".to_owned()], vec!["pending p".to_owned()])
        );
        let below: Vec<String> = folders(&memory)
            .await
            .unwrap()
            .iter()
            .map(|f| f.url.clone())
            .collect();
        assert_eq!(below, ["s3://b/p/a", "s3://b/p/tmp"]);
        assert_eq!(entries(&memory.child("a/x.csv"), &[]).await.0.len(), 1);
    }
}
