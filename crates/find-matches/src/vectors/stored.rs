//! Vectors in memory, or in a file of the engine's spill folder.
//!
//! What is done with those in a file is done in blocks of rows, as many as memory is granted for: each block of the rows
//! that are looked at is held against each block of the others. What comes out is the same.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::spill_file::{SpillFile, SpillWriter};

use super::postings::{Postings, best};
use super::{Near, Vectors, cosine, nearest};
use crate::blocking::rows as rows_of;
use crate::error::Result as MatchResult;
use crate::memory::Share;

/// Bytes of an entry of a vector: a gram, and its weight.
const ENTRY: usize = 4 + 4;
/// Bytes of an entry that is looked for: its vector, and its posting.
const SOUGHT: usize = 2 * ENTRY;
/// The least memory that blocks are worth reading in.
const LEAST: usize = 1 << 20;

/// Vectors that are being written.
pub(super) struct Written {
    file: Arc<dyn SpillFile>,
    writer: Box<dyn SpillWriter>,
    entries: usize,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl Written {
    pub(super) fn new(disk: &Arc<DiskManager>) -> Result<Written> {
        let file = disk.create_tmp_file("vectors of records")?;
        Ok(Written {
            writer: file.open_writer()?,
            file,
            entries: 0,
        })
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn bytes(&self) -> u64 {
        (ENTRY * self.entries) as u64
    }

    pub(super) fn add(&mut self, grams: &[u32], weights: &[f32]) -> Result<()> {
        let mut bytes = Vec::with_capacity(1 << 16);
        for (gram, weight) in grams.iter().zip(weights) {
            bytes.extend_from_slice(&gram.to_le_bytes());
            bytes.extend_from_slice(&weight.to_le_bytes());
            if bytes.len() >= 1 << 16 {
                self.writer.write_all(&bytes)?;
                bytes.clear();
            }
        }
        self.writer.write_all(&bytes)?;
        self.entries += grams.len();
        Ok(())
    }
}

/// Vectors, wherever they are.
#[derive(Debug)]
pub(crate) struct Stored(Place);

enum Place {
    Held(Vectors),
    File {
        file: Mutex<File>,
        /// It is gone with the last of these.
        _spill: Arc<dyn SpillFile>,
        starts: Vec<usize>,
        rarity: Vec<f32>,
    },
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Held(vectors) => write!(f, "{} vectors in memory", vectors.len()),
            Place::File { starts, .. } => write!(f, "{} vectors in a file", starts.len() - 1),
        }
    }
}

impl Stored {
    pub(super) fn held(vectors: Vectors) -> Stored {
        Stored(Place::Held(vectors))
    }

    pub(super) fn written(
        mut written: Written,
        starts: Vec<usize>,
        rarity: Vec<f32>,
    ) -> Result<Stored> {
        written.writer.finish()?;
        let path = written.file.path().ok_or_else(|| {
            DataFusionError::NotImplemented("the spill folder is no local one".into())
        })?;
        Ok(Stored(Place::File {
            file: Mutex::new(File::open(path)?),
            _spill: written.file,
            starts,
            rarity,
        }))
    }

    /// The vectors, if they are in memory.
    pub(crate) fn in_memory(&self) -> Option<&Vectors> {
        match &self.0 {
            Place::Held(vectors) => Some(vectors),
            Place::File { .. } => None,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.starts().len().saturating_sub(1)
    }

    fn starts(&self) -> &[usize] {
        match &self.0 {
            Place::Held(vectors) => &vectors.starts,
            Place::File { starts, .. } => starts,
        }
    }

    fn vocabulary(&self) -> usize {
        match &self.0 {
            Place::Held(vectors) => vectors.vocabulary,
            Place::File { rarity, .. } => rarity.len(),
        }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let entries = match &self.0 {
            Place::Held(vectors) => vectors.grams.len(),
            Place::File { rarity, .. } => rarity.len() / 2,
        };
        ENTRY * entries + 8 * self.starts().len()
    }

    /// The vectors of some rows, as those of rows from 0.
    fn read(&self, rows: Range<usize>) -> Result<Vectors> {
        let starts = self.starts();
        let starts = starts.get(rows.start..=rows.end).unwrap_or_default();
        let (Some(from), Some(to)) = (starts.first(), starts.last()) else {
            return Ok(Vectors::default());
        };
        let mut out = Vectors {
            starts: starts.iter().map(|at| at - from).collect(),
            vocabulary: self.vocabulary(),
            ..Vectors::default()
        };
        match &self.0 {
            Place::Held(vectors) => {
                out.grams = vectors.grams[*from..*to].to_vec();
                out.weights = vectors.weights[*from..*to].to_vec();
            }
            Place::File { file, rarity, .. } => {
                out.grams.reserve_exact(to - from);
                out.weights.reserve_exact(to - from);
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start((ENTRY * from) as u64))?;
                let mut left = to - from;
                let mut bytes = Vec::new();
                while left > 0 {
                    let some = left.min(1 << 13);
                    bytes.resize(ENTRY * some, 0);
                    file.read_exact(&mut bytes)?;
                    for [a, b, c, d, e, f, g, h] in bytes.as_chunks().0 {
                        out.grams.push(u32::from_le_bytes([*a, *b, *c, *d]));
                        out.weights.push(f32::from_le_bytes([*e, *f, *g, *h]));
                    }
                    left -= some;
                }
                out.weigh(rarity);
            }
        }
        Ok(out)
    }

    /// Stretches of rows whose vectors have so many entries together, or one row.
    fn blocks(&self, rows: Range<usize>, entries: usize) -> Vec<Range<usize>> {
        let starts = self.starts();
        let mut out = Vec::new();
        let mut first = rows.start;
        for row in rows.clone() {
            if starts[row + 1] - starts[first] > entries && row > first {
                out.push(first..row);
                first = row;
            }
        }
        if first < rows.end {
            out.push(first..rows.end);
        }
        out
    }

    fn entries(&self, rows: &Range<usize>) -> usize {
        let of = |row: usize| self.starts().get(row).copied().unwrap_or(0);
        of(rows.end).saturating_sub(of(rows.start))
    }

    /// As [`Vectors::nearest`], in the memory that `share` gets. The queries are in order.
    ///
    /// # Errors
    /// When there is too little memory for a block, or for what comes out, and when the file cannot be read.
    pub(crate) fn nearest(
        &self,
        queries: &[u32],
        among: Range<u32>,
        k: usize,
        budget: usize,
        share: &mut Share,
    ) -> MatchResult<Near> {
        let what = || format!("searching {} rows for neighbours", self.len());
        let among = among.start as usize..(among.end as usize).min(self.len());
        let found = queries.len() * (32 + 8 * k.min(among.len()));
        let lists = (8 + 4) * self.vocabulary() + 8;
        let scores = 4 * crate::external::cores() * among.len();
        share.grow(found + lists, what)?;
        let all = self.entries(&among);
        if let (Some(vectors), true) = (self.in_memory(), share.try_grow(ENTRY * all + scores)) {
            let among = among.start as u32..among.end as u32;
            let out = vectors.nearest(queries, among, k, budget);
            share.shrink(ENTRY * all + scores + lists);
            return Ok(out);
        }
        let asked = match (queries.first(), queries.last()) {
            (Some(first), Some(last)) => *first as usize..*last as usize + 1,
            _ => return Ok(Near::new()),
        };
        let most = SOUGHT * all + ENTRY * self.entries(&asked) + scores;
        let room = granted(share, most, what)?;
        // Scores take of it what they would take of all, so that blocks of short rows have room for theirs.
        let entries = (room / 2 * all.max(1) / (SOUGHT * all + scores).max(1)).max(1);
        let (sought, asking) = (
            self.blocks(among.clone(), entries),
            self.blocks(asked, room / 2 / ENTRY),
        );
        let mut rows = vec![0_u32; self.vocabulary()];
        for block in &sought {
            for gram in self.read(block.clone())?.grams {
                rows[gram as usize] += 1;
            }
        }
        let mut out: Near = queries.iter().map(|query| (*query, Vec::new())).collect();
        for block in sought {
            let vectors = self.read(block.clone())?;
            let postings = Postings::new(&vectors, 0..block.len(), block.start);
            drop(vectors);
            for of in &asking {
                let from = queries.partition_point(|query| (*query as usize) < of.start);
                let to = queries.partition_point(|query| (*query as usize) < of.end);
                let Some(own) = queries.get(from..to).filter(|own| !own.is_empty()) else {
                    continue;
                };
                let vectors = self.read(of.clone())?;
                let row = |query: u32| vectors.row(query as usize - of.start);
                let near = nearest(&postings, &rows, own, row, k, budget);
                for ((_, best_of), (_, new)) in out[from..to].iter_mut().zip(near) {
                    best_of.extend(new);
                    best_of.sort_unstable_by(best);
                    best_of.truncate(k);
                }
            }
        }
        share.shrink(room + lists);
        Ok(out)
    }

    /// The cosines of pairs, in the memory that `share` gets beside 4 bytes a pair.
    ///
    /// # Errors
    /// When there is too little memory, and when the file cannot be read.
    pub(crate) fn cosines(&self, pairs: &[u64], share: &mut Share) -> MatchResult<Vec<f32>> {
        let what = || format!("comparing the texts of {} pairs", pairs.len());
        share.grow(4 * pairs.len(), what)?;
        if let Some(vectors) = self.in_memory() {
            let each = pairs.iter().map(|pair| rows_of(*pair));
            return Ok(each.map(|(a, b)| vectors.cosine(a, b)).collect());
        }
        let rows = 0..self.len();
        let room = granted(share, 2 * ENTRY * self.entries(&rows), what)?;
        let blocks = self.blocks(rows, room / 2 / ENTRY);
        let mut out = vec![0.0; pairs.len()];
        let within = |block: &Range<usize>, row: u32| block.contains(&(row as usize));
        for (at, lower) in blocks.iter().enumerate() {
            // A pair's first row is the lesser one.
            let own: Vec<usize> = (0..pairs.len())
                .filter(|at| within(lower, rows_of(pairs[*at]).0))
                .collect();
            if own.is_empty() {
                continue;
            }
            let left = self.read(lower.clone())?;
            for upper in &blocks[at..] {
                let mut both = own
                    .iter()
                    .filter(|at| within(upper, rows_of(pairs[**at]).1))
                    .peekable();
                if both.peek().is_none() {
                    continue;
                }
                let right = self.read(upper.clone())?;
                for at in both {
                    let (a, b) = rows_of(pairs[*at]);
                    out[*at] = cosine(
                        left.row(a as usize - lower.start),
                        right.row(b as usize - upper.start),
                    );
                }
            }
        }
        share.shrink(room);
        Ok(out)
    }
}

/// As much of `most` bytes as is granted, by halves.
fn granted(share: &mut Share, most: usize, what: impl Fn() -> String) -> MatchResult<usize> {
    let mut bytes = most.max(1);
    while bytes > LEAST {
        if share.try_grow(bytes) {
            return Ok(bytes);
        }
        bytes /= 2;
    }
    share.grow(bytes, what)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Tokens};
    use super::*;
    use crate::blocking::pair;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    fn built(disk: Option<&Arc<DiskManager>>) -> Builder {
        let mut builder = Builder::new(Tokens::Grams);
        for row in 0..3000_u64 {
            let number = |at: u64| mastic_functions::sample_number(row * 8 + at);
            for at in 0..row % 4 {
                builder.add(&format!("{} {}", number(at) % 3000, number(at) % 70));
            }
            builder.end_row();
            if let (Some(disk), 0) = (disk, row % 500) {
                builder.write(disk).unwrap();
            }
        }
        builder
    }

    // The same numbers to the last bit, in blocks of a megabyte or less.
    #[test]
    fn a_file_of_vectors_is_as_good_as_memory() {
        let env = datafusion::prelude::SessionContext::new().runtime_env();
        let disk = env.disk_manager.clone();
        let memory = built(None).finish();
        let stored = built(Some(&disk)).store(None, &disk).unwrap();
        assert!(stored.in_memory().is_none() && memory.len() == 3000);
        let pool = |bytes| Arc::new(GreedyMemoryPool::new(bytes)) as Arc<dyn MemoryPool>;
        let queries: Vec<u32> = (100..2900).collect();
        let pairs: Vec<u64> = (0..5000_u32)
            .map(|at| pair(at * 7 % 3000, at * 13 % 2999))
            .collect();
        let cosines: Vec<f32> = pairs
            .iter()
            .map(|p| memory.cosine(rows_of(*p).0, rows_of(*p).1))
            .collect();
        for bytes in [1 << 30, 3 << 20, 1_300_000] {
            for (among, k, budget) in [(0..3000, 7, 50_000), (500..2600, 3, 90)] {
                let mut share = Share::new("test", &pool(bytes));
                let expected = memory.nearest(&queries, among.clone(), k, budget);
                let found = stored
                    .nearest(&queries, among, k, budget, &mut share)
                    .unwrap();
                assert!(found == expected, "{bytes} {k}");
            }
            let mut share = Share::new("test", &pool(bytes));
            assert!(stored.cosines(&pairs, &mut share).unwrap() == cosines);
        }
        let mut share = Share::new("test", &pool(1000));
        let refused = stored.nearest(&queries, 0..3000, 7, 90, &mut share);
        assert!(refused.unwrap_err().to_string().contains("neighbours"));
    }

    #[test]
    fn blocks_have_as_many_entries_as_is_said() {
        let stored = Stored::held(built(None).finish());
        let blocks = stored.blocks(10..2990, 500);
        assert_eq!((blocks[0].start, blocks[blocks.len() - 1].end), (10, 2990));
        assert!(blocks.windows(2).all(|w| w[0].end == w[1].start));
        assert!(
            blocks
                .iter()
                .all(|b| stored.entries(b) <= 500 || b.len() == 1)
        );
        assert!(blocks.len() > 20 && stored.blocks(5..5, 10).is_empty());
    }
}
