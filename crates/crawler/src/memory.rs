//! What earlier crawls learned of each file, so that a file which is as it was is never opened again.
//!
//! Files are kept in blocks of a few hundred, in the byte order of their paths, as the catalog's crawl
//! memory. A crawl reads the blocks along with its listing, in the same order, and writes only those in
//! which something is different: neither the memory in use nor the amount written grows with the
//! number of files that are as they were.
//!
//! It is a cache of what is in files, and says nothing of what is in the catalog's tables. So it may be
//! lost, and is thrown away when the program's inference changes.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use mastic_catalog::CatalogStore;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::facts::{Fact, Shapes};
use crate::{CrawlOptions, Result};

/// To be raised with every change of what inference makes of a file.
const INFERENCE: u32 = 3;

/// How many files a block has.
const BLOCK: usize = 512;
/// How many blocks are read, and written, at once.
const PAGE: usize = 16;

/// What is kept of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// Its path within the store.
    #[serde(rename = "p")]
    pub(crate) path: String,
    #[serde(rename = "z")]
    size: u64,
    /// When it was last modified, in microseconds since 1970.
    #[serde(rename = "t")]
    modified: i64,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(rename = "o")]
    pub(crate) outcome: Outcome,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It holds records.
    #[serde(rename = "d")]
    Data(Fact),
    /// It holds no record.
    #[serde(rename = "n")]
    NoRecords,
    /// It is bad, or in no known format.
    #[serde(rename = "b")]
    Bad(String),
}

impl Remembered {
    pub(crate) fn new(meta: &ObjectMeta, outcome: Outcome) -> Self {
        Remembered {
            path: meta.location.as_ref().to_owned(),
            size: meta.size,
            modified: meta.last_modified.timestamp_micros(),
            etag: meta.e_tag.clone(),
            outcome,
        }
    }

    /// Whether the file is as it was. Stores that have no ETags are asked for size and time alone.
    pub(crate) fn is_of(&self, meta: &ObjectMeta) -> bool {
        self.size == meta.size
            && self.modified == meta.last_modified.timestamp_micros()
            && self.etag == meta.e_tag
    }
}

impl Remembered {
    /// Its size in bytes, as stored.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// A hash of its name, size and time, by which a change is told.
    pub(crate) fn print(&self, name: &str) -> u64 {
        let numbers = [self.size.to_le_bytes(), self.modified.to_le_bytes()].concat();
        fnv(name.bytes().chain([0]).chain(numbers))
    }
}

/// FNV-1a: a fingerprint that tables are told by must not change with the compiler, as std's hasher may.
pub(crate) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[derive(Debug)]
struct OpenBlock {
    item: String,
    /// How many of its files the listing has not come to.
    left: usize,
    /// Whether any of its files is different or gone.
    stale: bool,
    /// Its files that are as they were.
    kept: Vec<Remembered>,
}

/// The memory of one target, read and written along with its listing.
pub(crate) struct Memory<'a> {
    catalog: &'a dyn CatalogStore,
    scope: String,
    /// Whether anything may be written.
    writes: bool,
    /// The last item that was read, where there are more.
    after: Option<String>,
    pages: VecDeque<(String, Vec<Remembered>)>,
    blocks: HashMap<u64, OpenBlock>,
    next_block: u64,
    ahead: BTreeMap<String, (u64, Remembered)>,
    out: Vec<Remembered>,
    full: Vec<(String, Vec<u8>)>,
    /// Shapes that are to be written, before the files that have them.
    shapes: Vec<(String, Vec<u8>)>,
    forgotten: Vec<String>,
    /// Items written by this crawl.
    written: HashSet<String>,
    /// Whether only some folders are looked at.
    some: bool,
    /// Of the folders that the last file lies in, those that had files which are gone.
    gone: Vec<String>,
}

/// Blocks of files are items that begin with this.
const FILES: &str = "f";

impl<'a> Memory<'a> {
    /// Opens the memory of `target`, and reads its shapes. Memories of the same target under other
    /// options that tell what a file is taken for are dropped.
    pub(crate) async fn open(
        catalog: &'a dyn CatalogStore,
        target: &str,
        options: &CrawlOptions,
        shapes: &mut Shapes,
    ) -> Result<Self> {
        let memory = Memory {
            catalog,
            scope: scope(target, options),
            writes: !options.dry_run,
            after: Some(FILES.to_owned()),
            pages: VecDeque::new(),
            blocks: HashMap::new(),
            next_block: 0,
            ahead: BTreeMap::new(),
            out: Vec::new(),
            full: Vec::new(),
            shapes: Vec::new(),
            forgotten: Vec::new(),
            written: HashSet::new(),
            some: false,
            gone: Vec::new(),
        };
        memory.drop_others(target).await?;
        let mut after: Option<String> = None;
        loop {
            let page = catalog
                .recall(&memory.shapes_scope(), after.as_deref(), 1000)
                .await?;
            let full = page.len() == 1000;
            after = page.last().map(|(item, _)| item.clone());
            for (_, bytes) in page {
                shapes.restore(&bytes);
            }
            if !full {
                break;
            }
        }
        Ok(memory)
    }

    /// Shapes are kept beside the files, so that they are read first and alone.
    fn shapes_scope(&self) -> String {
        format!("{}s", self.scope)
    }

    /// Drops what is remembered of the same place under other options, or by another version.
    async fn drop_others(&self, target: &str) -> Result<()> {
        if !self.writes {
            return Ok(());
        }
        for scope in self.catalog.list_scopes().await? {
            let same = scope
                .strip_prefix(target)
                .is_some_and(|rest| rest.starts_with('#') && !rest[1..].contains('#'));
            if same && scope != self.scope && scope != self.shapes_scope() {
                self.catalog.forget_all(&scope).await?;
            }
        }
        Ok(())
    }

    /// What is known of the file at `path`. Paths must be asked for in the listing's order.
    pub(crate) async fn recall(&mut self, path: &str) -> Result<Option<(u64, Remembered)>> {
        self.read_up_to(path).await?;
        // Files before this one that were not asked for are gone, if all are asked for.
        while let Some(entry) = self.ahead.first_entry() {
            if entry.key().as_str() >= path || self.some {
                break;
            }
            let (block, gone) = entry.remove();
            let folder = gone.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            if path.starts_with(folder) && self.gone.last().is_none_or(|last| last != folder) {
                self.gone.push(folder.to_owned());
            }
            self.count_down(block, None);
        }
        self.gone.retain(|folder| path.starts_with(folder.as_str()));
        if !self.some {
            self.flush(false).await?;
        }
        Ok(self.ahead.remove(path))
    }

    /// Whether a file directly in `folder`, from the last one asked for on, is remembered.
    pub(crate) async fn has_folder(&mut self, folder: &str) -> Result<bool> {
        if self.gone.iter().any(|gone| gone == folder) {
            return Ok(true);
        }
        let start = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        self.read_up_to(&format!("{start}\u{10ffff}")).await?;
        Ok(self
            .ahead
            .range(start.clone()..)
            .take_while(|(key, _)| key.starts_with(&start))
            .any(|(key, _)| !key[start.len()..].contains('/')))
    }

    async fn read_up_to(&mut self, key: &str) -> Result<()> {
        loop {
            if self.pages.is_empty() {
                let Some(after) = self.after.take() else {
                    return Ok(());
                };
                let page = self.catalog.recall(&self.scope, Some(&after), PAGE).await?;
                if page.len() == PAGE {
                    self.after = page.last().map(|(item, _)| item.clone());
                }
                for (item, bytes) in page {
                    match serde_json::from_slice(&bytes) {
                        Ok(files) => self.pages.push_back((item, files)),
                        Err(_) => self.forgotten.push(item),
                    }
                }
                if self.pages.is_empty() {
                    continue;
                }
            }
            match self.pages.front() {
                Some((item, _)) if &item[FILES.len()..] <= key => {}
                _ => return Ok(()),
            }
            if let Some((item, files)) = self.pages.pop_front() {
                let block = self.next_block;
                self.next_block += 1;
                let left = files.len();
                self.blocks.insert(
                    block,
                    OpenBlock {
                        item,
                        left,
                        stale: left == 0,
                        kept: Vec::new(),
                    },
                );
                for file in files {
                    let twin = self.ahead.insert(file.path.clone(), (block, file));
                    if let Some((before, _)) = twin {
                        // A crawl that was cut off may have left a file in two blocks.
                        self.count_down(before, None);
                    }
                }
            }
        }
    }

    /// One of a block's files was dealt with: it is as it was, or it is not.
    fn count_down(&mut self, block: u64, kept: Option<Remembered>) {
        let Some(open) = self.blocks.get_mut(&block) else {
            return;
        };
        open.left = open.left.saturating_sub(1);
        match kept {
            Some(file) => open.kept.push(file),
            None => open.stale = true,
        }
        if open.left == 0
            && let Some(done) = self.blocks.remove(&block)
            && done.stale
        {
            self.forgotten.push(done.item);
            self.out.extend(done.kept);
        }
    }

    /// The file is as it was.
    pub(crate) fn keep(&mut self, block: u64, file: Remembered) {
        self.count_down(block, Some(file));
    }

    /// The file is new, or different; `before` is the block that had it. Without a `file` nothing is
    /// remembered of it.
    pub(crate) fn learn(&mut self, before: Option<u64>, file: Option<Remembered>) {
        if let Some(block) = before {
            self.count_down(block, None);
        }
        self.out.extend(file);
    }

    /// New shapes, which files that are learned refer to.
    pub(crate) fn add_shapes(&mut self, shapes: &mut Shapes) {
        let new = shapes.unkept().into_iter();
        self.shapes
            .extend(new.map(|(id, bytes)| (format!("{id:016x}"), bytes)));
    }

    async fn flush(&mut self, all: bool) -> Result<()> {
        while self.out.len() >= BLOCK || (all && !self.out.is_empty()) {
            let mut rest = self.out.split_off(BLOCK.min(self.out.len()));
            std::mem::swap(&mut rest, &mut self.out);
            let mut files = rest;
            files.sort_by_cached_key(|f| f.path.clone());
            if let (Some(first), Ok(bytes)) = (files.first(), serde_json::to_vec(&files)) {
                self.full.push((format!("{FILES}{}", first.path), bytes));
            }
        }
        if self.full.len() < PAGE && !all {
            return Ok(());
        }
        if !self.writes {
            self.shapes.clear();
            self.full.clear();
            self.forgotten.clear();
            return Ok(());
        }
        if !self.shapes.is_empty() {
            let shapes = std::mem::take(&mut self.shapes);
            self.catalog.remember(&self.shapes_scope(), shapes).await?;
        }
        if !self.forgotten.is_empty() {
            let mut forgotten = std::mem::take(&mut self.forgotten);
            forgotten.retain(|item| !self.written.contains(item));
            self.catalog.forget(&self.scope, &forgotten).await?;
        }
        if !self.full.is_empty() {
            let full = std::mem::take(&mut self.full);
            self.written
                .extend(full.iter().map(|(item, _)| item.clone()));
            self.catalog.remember(&self.scope, full).await?;
        }
        Ok(())
    }

    /// The listing is at its end: what was not asked for is gone.
    pub(crate) async fn finish(mut self) -> Result<()> {
        for (block, _) in std::mem::take(&mut self.ahead).into_values() {
            self.count_down(block, None);
        }
        let pages = std::mem::take(&mut self.pages);
        self.forgotten
            .extend(pages.into_iter().map(|(item, _)| item));
        while let Some(after) = self.after.take() {
            let page = self.catalog.recall(&self.scope, Some(&after), PAGE).await?;
            if page.len() == PAGE {
                self.after = page.last().map(|(item, _)| item.clone());
            }
            self.forgotten
                .extend(page.into_iter().map(|(item, _)| item));
        }
        self.flush(true).await
    }

    /// Opens the memory for a look at some folders only.
    pub(crate) async fn open_for_some(
        catalog: &'a dyn CatalogStore,
        target: &str,
        options: &CrawlOptions,
        shapes: &mut Shapes,
    ) -> Result<Self> {
        let mut memory = Self::open(catalog, target, options, shapes).await?;
        memory.after = None;
        memory.some = true;
        Ok(memory)
    }

    /// What is asked for from here on is of files in this folder: reads on from the block that may hold the
    /// first of them.
    pub(crate) async fn begin_folder(&mut self, path: &str) -> Result<()> {
        self.written.clear();
        let start = format!("{FILES}{path}/");
        let last = self.catalog.recall_last(&self.scope, &start).await?;
        // Another kind of item, or none: then all blocks begin in the folder or after it.
        let last = last.filter(|(item, _)| item.starts_with(FILES));
        self.after = Some(match &last {
            Some((item, _)) => item.clone(),
            None => FILES.to_owned(),
        });
        if let Some((item, bytes)) = last
            && let Ok(files) = serde_json::from_slice(&bytes)
        {
            self.pages.push_back((item, files));
        }
        Ok(())
    }

    /// The folder is at its end: what was not asked for of it is gone, and all other files are as they were,
    /// whatever they are.
    pub(crate) async fn end_folder(&mut self, path: &str) -> Result<()> {
        let within = format!("{path}/");
        self.read_up_to(&format!("{within}\u{10ffff}")).await?;
        for (key, (block, file)) in std::mem::take(&mut self.ahead) {
            let kept = (!key.starts_with(&within)).then_some(file);
            self.count_down(block, kept);
        }
        self.pages.clear();
        self.blocks.clear();
        self.after = None;
        self.flush(true).await
    }
}

/// What a memory holds for: the place, and whatever tells what a file is taken for.
fn scope(target: &str, options: &CrawlOptions) -> String {
    let mut hasher = DefaultHasher::new();
    INFERENCE.hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    options.limits.bytes.hash(&mut hasher);
    format!("{:?}", options.classifiers).hash(&mut hasher);
    // The catalog bounds the length of a scope.
    let place = match target.get(..900) {
        None => target.to_owned(),
        Some(begin) => format!("{begin}…{:016x}", fnv(target.bytes())),
    };
    format!("{place}#{:016x}", hasher.finish())
}
