//! Texts as vectors of 3-grams or words, weighted by how rare each is (TF-IDF), of length 1; and the nearest
//! ones of each by the cosine.
//!
//! A text of 60 characters takes about 500 bytes. The weight of a gram that is there n times in one text
//! and in d of N texts is (1 + ln n) · ln((1 + N) / (1 + d)). Vectors that do not fit into memory lie in a file, and are
//! read a block of rows at a time ([`stored`]).

mod postings;
pub(crate) mod stored;

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::disk_manager::DiskManager;
use hashbrown::HashMap;
use mastic_functions::matching::grams;
use serde::{Deserialize, Serialize};

use postings::{Postings, Scratch};
use stored::{Stored, Written};

/// The most grams of which it is kept in how many texts they are.
const MOST_GRAMS: usize = 300_000;

/// Vectors, one a row, of ascending grams with their weights.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    starts: Vec<usize>,
    grams: Vec<u32>,
    weights: Vec<f32>,
    vocabulary: usize,
}

/// In how many texts each gram is, to weigh other texts by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rarity {
    /// How many texts there were.
    rows: u32,
    /// Grams that are in two texts or more, with how many; others count as in one.
    documents: Vec<(u64, u32)>,
}

/// What a text is taken apart into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokens {
    Grams,
    Words,
}

/// Makes [`Vectors`] of rows that are told one after the other.
#[derive(Debug)]
pub(crate) struct Builder {
    tokens: Tokens,
    ids: HashMap<u64, u32>,
    documents: Vec<u32>,
    starts: Vec<usize>,
    grams: Vec<u32>,
    weights: Vec<f32>,
    row: Vec<u32>,
    /// What was written to a file already.
    written: Option<Written>,
}

impl Builder {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Builder {
            tokens,
            ids: HashMap::new(),
            documents: Vec::new(),
            starts: vec![0],
            grams: Vec::new(),
            weights: Vec::new(),
            row: Vec::new(),
            written: None,
        }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        // A place of a hash table is a key, a value and a byte, and one in eight is free at least.
        let ids = self.ids.capacity() * 8 / 7 * (8 + 4 + 4 + 1);
        let each =
            4 * (self.documents.capacity() + self.grams.capacity() + self.weights.capacity());
        ids + each + 8 * self.starts.capacity()
    }

    /// Writes the vectors so far to a file; what follows is to be written, too, now and then.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&mut self, disk: &Arc<DiskManager>) -> Result<()> {
        if self.written.is_none() {
            self.written = Some(Written::new(disk)?);
        }
        if let Some(written) = &mut self.written {
            written.add(&self.grams, &self.weights)?;
        }
        (self.grams, self.weights) = (Vec::new(), Vec::new());
        Ok(())
    }

    /// Bytes that were written.
    pub(crate) fn written(&self) -> u64 {
        self.written.as_ref().map_or(0, Written::bytes)
    }

    /// A text of the row that comes next; there may be several.
    pub(crate) fn add(&mut self, text: &str) {
        let (ids, documents, row) = (&mut self.ids, &mut self.documents, &mut self.row);
        let mut tell = |gram: u64| {
            let id = *ids.entry(gram).or_insert_with(|| {
                documents.push(0);
                (documents.len() - 1) as u32
            });
            row.push(id);
        };
        match self.tokens {
            Tokens::Grams => grams(text, tell),
            Tokens::Words => text
                .split(' ')
                .filter(|w| !w.is_empty())
                .for_each(|w| tell(word(w))),
        }
    }

    /// Ends a row.
    pub(crate) fn end_row(&mut self) {
        self.row.sort_unstable();
        for same in self.row.chunk_by(|a, b| a == b) {
            let Some(gram) = same.first() else { continue };
            self.grams.push(*gram);
            self.weights.push(match self.tokens {
                Tokens::Grams => 1.0 + (same.len() as f32).ln(),
                Tokens::Words => 1.0,
            });
            if let Some(documents) = self.documents.get_mut(*gram as usize) {
                *documents += 1;
            }
        }
        self.row.clear();
        let written = self.written.as_ref().map_or(0, Written::entries);
        self.starts.push(written + self.grams.len());
    }

    /// In how many of the rows each gram is, the most frequent ones first.
    pub(crate) fn rarity(&self) -> Rarity {
        let each = self.ids.iter().filter_map(|(gram, id)| {
            let documents = self.documents.get(*id as usize)?;
            (*documents > 1).then_some((*gram, *documents))
        });
        let mut documents: Vec<(u64, u32)> = each.collect();
        documents.sort_unstable_by_key(|(gram, documents)| (u32::MAX - documents, *gram));
        documents.truncate(MOST_GRAMS);
        Rarity {
            rows: u32::try_from(self.starts.len() - 1).unwrap_or(u32::MAX),
            documents,
        }
    }

    /// Weighs all rows by what is known of other texts, if it is. What was written stays where it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn store(
        mut self,
        known: Option<&Rarity>,
        disk: &Arc<DiskManager>,
    ) -> Result<Stored> {
        if self.written.is_none() {
            return Ok(Stored::held(match known {
                Some(known) => self.finish_by(known),
                None => self.finish(),
            }));
        }
        self.write(disk)?;
        let rows = match known {
            Some(known) => self.know(known),
            None => self.rows() as f32,
        };
        let rarity = self.rarities(rows);
        match self.written {
            Some(written) => Stored::written(written, self.starts, rarity),
            None => Ok(Stored::held(Vectors::default())),
        }
    }

    /// Weighs all rows by what is known of other texts.
    pub(crate) fn finish_by(mut self, known: &Rarity) -> Vectors {
        let rows = self.know(known);
        self.weigh(rows)
    }

    /// Weighs all rows.
    pub(crate) fn finish(self) -> Vectors {
        let rows = self.rows() as f32;
        self.weigh(rows)
    }

    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Takes over what is known of other texts: how many there were.
    fn know(&mut self, known: &Rarity) -> f32 {
        let mut documents = vec![1; self.documents.len()];
        for (gram, count) in &known.documents {
            if let Some(own) = self
                .ids
                .get(gram)
                .and_then(|id| documents.get_mut(*id as usize))
            {
                *own = *count;
            }
        }
        self.documents = documents;
        known.rows as f32
    }

    /// How rare each gram is among so many texts.
    fn rarities(&self, rows: f32) -> Vec<f32> {
        self.documents
            .iter()
            .map(|d| ((1.0 + rows) / (1.0 + *d as f32)).ln().max(0.0))
            .collect()
    }

    fn weigh(self, rows: f32) -> Vectors {
        let rarity = self.rarities(rows);
        let mut out = Vectors {
            starts: self.starts,
            grams: self.grams,
            weights: self.weights,
            vocabulary: self.documents.len(),
        };
        out.weigh(&rarity);
        out
    }
}

/// FNV-1a.
fn word(text: &str) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    text.bytes().fold(0xCBF2_9CE4_8422_2325, step)
}

impl Vectors {
    /// Makes weights of how often grams are in their row: by how rare they are, and of length 1.
    fn weigh(&mut self, rarity: &[f32]) {
        for bounds in self.starts.windows(2) {
            let &[from, to] = bounds else { continue };
            let mut length = 0.0;
            for (gram, weight) in self.grams[from..to].iter().zip(&mut self.weights[from..to]) {
                *weight *= rarity.get(*gram as usize).copied().unwrap_or(0.0);
                length += *weight * *weight;
            }
            if length > 0.0 {
                let length = length.sqrt();
                self.weights[from..to].iter_mut().for_each(|w| *w /= length);
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn row(&self, row: usize) -> (&[u32], &[f32]) {
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(from), Some(to)) => (&self.grams[*from..*to], &self.weights[*from..*to]),
            _ => (&[], &[]),
        }
    }

    /// The cosine of two rows.
    pub(crate) fn cosine(&self, a: u32, b: u32) -> f32 {
        cosine(self.row(a as usize), self.row(b as usize))
    }

    /// For each of `queries`, the `k` rows of `among` (never itself) that are nearest by the cosine, the nearest first.
    /// A query looks at the rarest of its grams, as many as have `budget` rows together, and at one at least.
    pub(crate) fn nearest(
        &self,
        queries: &[u32],
        among: std::ops::Range<u32>,
        k: usize,
        budget: usize,
    ) -> Near {
        let postings = Postings::new(self, among.start as usize..among.end as usize, 0);
        let lists = postings.lists();
        let of = |query: u32| self.row(query as usize);
        nearest(&postings, &lists, queries, of, k, budget)
    }
}

/// Rows with the rows that are near them, each with its cosine.
pub(crate) type Near = Vec<(u32, Vec<(u32, f32)>)>;

/// The nearest of some queries, on all cores.
fn nearest<'a>(
    postings: &Postings,
    lists: &[u32],
    queries: &[u32],
    of: impl Fn(u32) -> (&'a [u32], &'a [f32]) + Sync,
    k: usize,
    budget: usize,
) -> Near {
    let share = queries.len().div_ceil(crate::external::cores()).max(1);
    std::thread::scope(|scope| {
        let each = queries.chunks(share).map(|part| {
            let of = &of;
            scope.spawn(move || {
                let mut scratch = Scratch::new(postings);
                part.iter()
                    .map(|query| {
                        let near =
                            postings.nearest(lists, *query, of(*query), k, budget, &mut scratch);
                        (*query, near)
                    })
                    .collect::<Vec<_>>()
            })
        });
        let each: Vec<_> = each.collect();
        each.into_iter()
            .filter_map(|thread| thread.join().ok())
            .flatten()
            .collect()
    })
}

/// The cosine of two vectors of length 1.
fn cosine(left: (&[u32], &[f32]), right: (&[u32], &[f32])) -> f32 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while let (Some(x), Some(y)) = (left.0.get(i), right.0.get(j)) {
        match x.cmp(y) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => {
                sum += left.1[i] * right.1[j];
                i += 1;
                j += 1;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(texts: &[&str]) -> Vectors {
        let mut builder = Builder::new(Tokens::Grams);
        for text in texts {
            builder.add(text);
            builder.end_row();
        }
        builder.finish()
    }

    // scikit-learn 1.9: TfidfVectorizer(analyzer=lambda s: grams(s), sublinear_tf=True) with
    // idf = ln((1 + n) / (1 + df)) in place of its + 1.
    #[test]
    fn cosines_are_tf_idf() {
        let v = vectors(&["anna smith", "anna smyth", "bob jones", "anna anna jones"]);
        let expected = [
            (0, 1, 0.222_561),
            (0, 2, 0.0),
            (0, 3, 0.136_799),
            (2, 3, 0.487_198),
            (3, 3, 1.0),
        ];
        for (a, b, cosine) in expected {
            assert!(
                (v.cosine(a, b) - cosine).abs() < 1e-5,
                "{a} {b} {}",
                v.cosine(a, b)
            );
        }
    }

    // What is known of texts weighs the same texts as they weigh themselves, where all that is in one text only is
    // taken for what is in none.
    #[test]
    fn texts_are_weighed_by_others() {
        let texts = ["anna smith", "anna smyth", "bob jones", "anna anna jones"];
        let builder = || {
            let mut builder = Builder::new(Tokens::Grams);
            for text in texts {
                builder.add(text);
                builder.end_row();
            }
            builder
        };
        let known = builder().rarity();
        let (own, by) = (builder().finish(), builder().finish_by(&known));
        for (a, b) in [(0, 1), (0, 2), (0, 3), (2, 3), (3, 3)] {
            assert!((own.cosine(a, b) - by.cosine(a, b)).abs() < 1e-6);
        }
        let mut one = Builder::new(Tokens::Grams);
        one.add("anna smith");
        one.end_row();
        one.add("anna");
        one.end_row();
        let (alone, by) = (one.finish_by(&known), own.cosine(0, 3));
        assert!(alone.cosine(0, 1) > 0.0 && by > 0.0);
    }

    #[test]
    fn neighbours_are_the_greatest_cosines() {
        let v = vectors(&[
            "anna smith",
            "anna smyth",
            "bob jones",
            "anna anna jones",
            "",
        ]);
        let near = v.nearest(&[0, 2, 4], 0..5, 1, usize::MAX);
        assert_eq!(near[0].1[0].0, 1);
        assert_eq!(near[1].1[0].0, 3);
        assert!(near[2].1.is_empty());
        let other = v.nearest(&[0], 2..5, 5, usize::MAX);
        assert_eq!(
            other[0].1.iter().map(|(row, _)| *row).collect::<Vec<_>>(),
            [3]
        );
    }
}
