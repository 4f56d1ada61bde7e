//! Lists every file below a target and examines those that are new or different, in parallel and
//! bounded: neither the listing nor what was found is ever held as a whole.

use std::collections::VecDeque;

use futures::{Stream, StreamExt};
use mastic_lake::LakeError;
use mastic_lake::format::{Examined, examine};
use mastic_lake::input::Input;
use mastic_lake::list::{Entry, Exclusions, stream};
use mastic_lake::store::{Location, Stores};
use object_store::ObjectMeta;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::facts;
use crate::memory::{Memory, Outcome, Remembered};
use crate::report::{CrawlReport, FileProblem};
use crate::tree::Tree;
use crate::{CrawlError, CrawlOptions, Progress, Recrawl, Result, Target};

/// How many files that need no opening wait for one that is being examined.
const WAITING: usize = 4096;
/// Small files are examined several by one task, up to this many or so many bytes.
const BATCH: usize = 16;
const BATCH_BYTES: u64 = 1 << 20;

/// A place to crawl.
pub(crate) struct Root {
    pub(crate) location: Location,
    pub(crate) exclusions: Exclusions,
    /// Globs for what is left out, relative to the place of this target above the location, by the length of
    /// its path: where only one of its folders is looked at.
    pub(crate) above: Option<(Exclusions, usize)>,
}

/// The targets' places. None may lie within another: its files would be in two tables.
pub(crate) fn locate(stores: &Stores, targets: &[Target]) -> Result<Vec<Root>> {
    let mut roots: Vec<Root> = Vec::with_capacity(targets.len());
    for target in targets {
        roots.push(Root {
            location: stores.locate(&target.url)?,
            exclusions: Exclusions::new(&target.exclusions).map_err(LakeError::from)?,
            above: None,
        });
    }
    for (i, inner) in roots.iter().enumerate() {
        for (j, outer) in roots.iter().enumerate() {
            let (inner, outer) = (&inner.location.url, &outer.location.url);
            let within = inner == outer && i > j || inner.starts_with(&format!("{outer}/"));
            if i != j && within {
                return Err(CrawlError::Overlap {
                    inner: inner.clone(),
                    outer: outer.clone(),
                });
            }
        }
    }
    Ok(roots)
}

/// A file on its way from the listing to its folder.
enum Slot {
    Known(u64, Remembered),
    Examined(Vec<Sought>, JoinHandle<Vec<Result<Examined, LakeError>>>),
}

/// A file that is to be examined, and the block of memory that has an older state of it.
struct Sought {
    meta: ObjectMeta,
    before: Option<u64>,
}

/// Looks at every file below a target, and hands what it tells to the tree. The folder of a commit that was
/// interrupted comes back where there is one: it must be recovered, and everything surveyed again.
pub(crate) async fn survey(
    root: &Root,
    options: &CrawlOptions,
    memory: &mut Memory<'_>,
    tree: &mut Tree,
    report: &mut CrawlReport,
    progress: &dyn Progress,
) -> Result<Option<String>> {
    let entries = stream(&root.location, &root.exclusions);
    Surveyor {
        root: &root.location,
        above: root.above.as_ref(),
        options,
        memory,
        tree,
        report,
        progress,
        queue: VecDeque::new(),
        waiting: 0,
        running: 0,
        batch: Vec::new(),
        batch_bytes: 0,
        folders: Vec::new(),
    }
    .run(entries)
    .await
}

struct Surveyor<'a, 'c> {
    root: &'a Location,
    above: Option<&'a (Exclusions, usize)>,
    options: &'a CrawlOptions,
    memory: &'a mut Memory<'c>,
    tree: &'a mut Tree,
    report: &'a mut CrawlReport,
    progress: &'a dyn Progress,
    queue: VecDeque<Slot>,
    /// How many files the queue holds.
    waiting: usize,
    /// How many batches are being examined.
    running: usize,
    batch: Vec<Sought>,
    batch_bytes: u64,
    /// The folders that the last file lies in, and whether an earlier crawl saw files of theirs.
    folders: Vec<(String, bool)>,
}

impl Surveyor<'_, '_> {
    async fn run(
        mut self,
        mut entries: impl Stream<Item = Result<Entry, LakeError>> + Send + Unpin,
    ) -> Result<Option<String>> {
        while let Some(entry) = entries.next().await {
            match entry? {
                Entry::File(meta) if self.excluded(&meta) => {}
                Entry::File(meta) => self.take(meta).await?,
                Entry::Empty(meta) => {
                    let url = self.root.url_of(&meta.location);
                    self.report.note_empty(url);
                }
                Entry::Problem { url, reason, hides } => {
                    let reason = format!("{url}: {reason}");
                    self.report.note_problem(if hides {
                        FileProblem::of_access(url, reason)
                    } else {
                        FileProblem::of_contents(url, reason)
                    });
                }
                Entry::Pending(folder) => return Ok(Some(folder)),
            }
            while self.running >= self.options.concurrency.max(1) || self.waiting > WAITING {
                self.next().await?;
            }
        }
        self.send_batch();
        while !self.queue.is_empty() {
            self.next().await?;
        }
        Ok(None)
    }

    fn excluded(&self, meta: &ObjectMeta) -> bool {
        self.above.is_some_and(|(globs, prefix)| {
            let below = meta.location.as_ref().get(*prefix..).unwrap_or_default();
            globs.excludes(below.trim_start_matches('/'))
        })
    }

    async fn take(&mut self, meta: ObjectMeta) -> Result<()> {
        self.report.files += 1;
        self.report.bytes += meta.size;
        self.progress.listed(self.report.files);
        let known = self.memory.recall(meta.location.as_ref()).await?;
        // A shape that another crawl is about to keep, or dropped, is none.
        let whole = |file: &Remembered| match &file.outcome {
            Outcome::Data(fact) => self.tree.knows(fact.shape),
            _ => true,
        };
        let before = match known {
            Some((block, file))
                if whole(&file) && (file.is_of(&meta) || self.only_new_folders()) =>
            {
                self.note_folder(&meta, true);
                self.send_batch();
                self.queue.push_back(Slot::Known(block, file));
                self.waiting += 1;
                return Ok(());
            }
            known => known.map(|(block, _)| block),
        };
        if self.only_new_folders() && self.in_known_folder(&meta).await? {
            self.report.skipped += 1;
            return Ok(());
        }
        self.batch_bytes += meta.size;
        self.batch.push(Sought { meta, before });
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            self.send_batch();
        }
        Ok(())
    }

    fn only_new_folders(&self) -> bool {
        self.options.recrawl == Recrawl::NewFolders
    }

    /// Notes whether the folder of a file was crawled before, and forgets those that the file is not in.
    fn note_folder(&mut self, meta: &ObjectMeta, known: bool) {
        if !self.only_new_folders() {
            return;
        }
        let folder = folder_of(meta);
        self.folders.retain(|(other, _)| {
            folder
                .strip_prefix(other.as_str())
                .is_some_and(|rest| rest.is_empty() || other.is_empty() || rest.starts_with('/'))
        });
        match self.folders.last_mut() {
            Some((last, state)) if last == folder => *state |= known,
            _ => self.folders.push((folder.to_owned(), known)),
        }
    }

    /// Whether an earlier crawl saw any file of this one's folder.
    async fn in_known_folder(&mut self, meta: &ObjectMeta) -> Result<bool> {
        let folder = folder_of(meta);
        if let Some((_, known)) = self.folders.iter().find(|(other, _)| other == folder) {
            return Ok(*known);
        }
        let known = self.memory.has_folder(folder).await?;
        self.note_folder(meta, known);
        Ok(known)
    }

    /// Hands the files that wait for it to a task of their own.
    fn send_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let inputs: Vec<Input> = batch
            .iter()
            .map(|sought| {
                let url = self.root.url_of(&sought.meta.location);
                let store = self.root.store.clone();
                Input::new(store, sought.meta.clone(), url, Handle::current())
            })
            .collect();
        let limits = self.options.limits;
        let classifiers = self.options.classifiers.clone();
        let task = tokio::task::spawn_blocking(move || {
            inputs
                .iter()
                .map(|input| examine(input, &limits, &classifiers))
                .collect()
        });
        self.waiting += batch.len();
        self.running += 1;
        self.queue.push_back(Slot::Examined(batch, task));
    }

    /// Deals with the first of the queue.
    async fn next(&mut self) -> Result<()> {
        match self.queue.pop_front() {
            None => {}
            Some(Slot::Known(block, file)) => {
                self.waiting -= 1;
                self.report.unchanged += 1;
                self.settle(&file);
                self.memory.keep(block, file);
            }
            Some(Slot::Examined(batch, task)) => {
                self.running -= 1;
                self.waiting -= batch.len();
                let results = task.await?;
                for (sought, result) in batch.into_iter().zip(results) {
                    self.examined(sought, result)?;
                }
            }
        }
        Ok(())
    }

    fn examined(&mut self, sought: Sought, result: Result<Examined, LakeError>) -> Result<()> {
        let Sought { meta, before } = sought;
        let url = self.root.url_of(&meta.location);
        self.report.opened += 1;
        self.progress.examined(&url, meta.size);
        let outcome = match result {
            Ok(found) => {
                let folders = self.folders_of(meta.location.as_ref());
                let folders = &folders[..folders.len().saturating_sub(1)];
                let fact = facts::of(
                    found,
                    &self.options.classifiers,
                    folders,
                    meta.size,
                    self.tree.shapes(),
                );
                self.memory.add_shapes(self.tree.shapes());
                Outcome::Data(fact)
            }
            Err(LakeError::NoRecords { .. }) => Outcome::NoRecords,
            Err(error @ (LakeError::Data { .. } | LakeError::UnknownFormat { .. })) => {
                Outcome::Bad(error.to_string())
            }
            // A store that is gone is no matter of one file; one that refuses an object may be.
            Err(LakeError::Store {
                url,
                action,
                source,
            }) if !self.root.is_local() && !refused(&source) => {
                return Err(LakeError::Store {
                    url,
                    action,
                    source,
                }
                .into());
            }
            // What may be otherwise the next time is not remembered.
            Err(error) => {
                self.tree.add_bad(meta.location.as_ref());
                self.report.note_problem(FileProblem::of_access(url, error));
                self.memory.learn(before, None);
                return Ok(());
            }
        };
        let file = Remembered::new(&meta, outcome);
        self.settle(&file);
        self.memory.learn(before, Some(file));
        Ok(())
    }

    /// The names between the target and a file, whichever of its folders is looked at.
    fn folders_of<'p>(&self, path: &'p str) -> Vec<&'p str> {
        let target = match self.above {
            Some((_, length)) => *length,
            None => self.root.path.as_ref().len(),
        };
        let below = path.get(target..).unwrap_or_default();
        below.trim_start_matches('/').split('/').collect()
    }

    /// Tells the tree, or the report, what a file is.
    fn settle(&mut self, file: &Remembered) {
        match &file.outcome {
            Outcome::Data(fact) => self.tree.add(file, fact),
            outcome => {
                let url = self.root.url_of(&file.path.as_str().into());
                match outcome {
                    Outcome::Bad(reason) => {
                        self.tree.add_bad(&file.path);
                        self.report
                            .note_problem(FileProblem::of_contents(url, reason));
                    }
                    _ => self.report.note_empty(url),
                }
            }
        }
    }
}

fn refused(error: &object_store::Error) -> bool {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    matches!(
        error,
        NotFound { .. } | PermissionDenied { .. } | Unauthenticated { .. }
    )
}

fn folder_of(meta: &ObjectMeta) -> &str {
    let path = meta.location.as_ref();
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
