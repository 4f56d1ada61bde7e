//! Texts as vectors of 3-grams or words, weighted by how rare each is (TF-IDF), of length 1; and the nearest
//! ones of each by the cosine.
//!
//! A text of 60 characters takes about 500 bytes. The weight of a gram that is there n times in one text
//! and in d of N texts is (1 + ln n) · ln((1 + N) / (1 + d)).

use std::cmp::Ordering;

use hashbrown::HashMap;
use mastic_functions::matching::grams;
use serde::{Deserialize, Serialize};

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
        }
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
        self.starts.push(self.grams.len());
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

    /// Weighs all rows by what is known of other texts.
    pub(crate) fn finish_by(mut self, known: &Rarity) -> Vectors {
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
        self.weigh(known.rows as f32)
    }

    /// Weighs all rows.
    pub(crate) fn finish(self) -> Vectors {
        let rows = (self.starts.len() - 1) as f32;
        self.weigh(rows)
    }

    fn weigh(mut self, rows: f32) -> Vectors {
        let rarity: Vec<f32> = self
            .documents
            .iter()
            .map(|d| ((1.0 + rows) / (1.0 + *d as f32)).ln().max(0.0))
            .collect();
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
        Vectors {
            starts: self.starts,
            grams: self.grams,
            weights: self.weights,
            vocabulary: self.documents.len(),
        }
    }
}

/// FNV-1a.
fn word(text: &str) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    text.bytes().fold(0xCBF2_9CE4_8422_2325, step)
}

impl Vectors {
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
        let (left, right) = (self.row(a as usize), self.row(b as usize));
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

    /// For each of `queries`, the `k` rows of `among` (never itself) that are nearest by the cosine, as pairs
    /// of the lesser and the greater row number. A query looks at the rarest of its grams, as many as have
    /// `budget` rows together, and at one at least.
    pub(crate) fn nearest(
        &self,
        queries: &[u32],
        among: std::ops::Range<u32>,
        k: usize,
        budget: usize,
    ) -> Vec<(u32, Vec<(u32, f32)>)> {
        let postings = Postings::new(self, among.clone());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = queries.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let each = queries.chunks(share).map(|part| {
                let (postings, among) = (&postings, among.clone());
                scope.spawn(move || {
                    let mut scores = vec![0.0_f32; among.len()];
                    let mut touched = Vec::new();
                    let mut order = Vec::new();
                    part.iter()
                        .map(|query| {
                            let near = postings.nearest(
                                self,
                                *query,
                                k,
                                budget,
                                &mut scores,
                                &mut touched,
                                &mut order,
                            );
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
}

/// The rows that hold each gram.
struct Postings {
    first: u32,
    starts: Vec<usize>,
    rows: Vec<u32>,
    weights: Vec<f32>,
}

impl Postings {
    fn new(vectors: &Vectors, among: std::ops::Range<u32>) -> Self {
        let mut starts = vec![0_usize; vectors.vocabulary + 2];
        for row in among.clone() {
            for gram in vectors.row(row as usize).0 {
                starts[*gram as usize + 2] += 1;
            }
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let total = starts.last().copied().unwrap_or(0);
        let (mut rows, mut weights) = (vec![0; total], vec![0.0; total]);
        for row in among.clone() {
            let (grams, values) = vectors.row(row as usize);
            for (gram, weight) in grams.iter().zip(values) {
                let place = &mut starts[*gram as usize + 1];
                rows[*place] = row - among.start;
                weights[*place] = *weight;
                *place += 1;
            }
        }
        Postings {
            first: among.start,
            starts,
            rows,
            weights,
        }
    }

    fn of(&self, gram: u32) -> std::ops::Range<usize> {
        self.starts[gram as usize]..self.starts[gram as usize + 1]
    }

    #[allow(clippy::too_many_arguments, reason = "scratch space of one thread")]
    fn nearest(
        &self,
        vectors: &Vectors,
        query: u32,
        k: usize,
        budget: usize,
        scores: &mut [f32],
        touched: &mut Vec<u32>,
        order: &mut Vec<(usize, u32, f32)>,
    ) -> Vec<(u32, f32)> {
        let (grams, values) = vectors.row(query as usize);
        order.clear();
        order.extend(
            grams
                .iter()
                .zip(values)
                .map(|(g, w)| (self.of(*g).len(), *g, *w)),
        );
        order.sort_unstable_by_key(|(rows, gram, _)| (*rows, *gram));
        let mut spent = 0;
        for (rows, gram, weight) in order.iter() {
            if *rows > 0 && spent > 0 && spent + rows > budget {
                break;
            }
            spent += rows;
            if *weight <= 0.0 {
                continue;
            }
            let range = self.of(*gram);
            for (row, value) in self.rows[range.clone()].iter().zip(&self.weights[range]) {
                let score = &mut scores[*row as usize];
                if *score == 0.0 {
                    touched.push(*row);
                }
                *score += weight * value;
            }
        }
        let mut found: Vec<(u32, f32)> = touched
            .iter()
            .map(|row| (row + self.first, scores[*row as usize]))
            .filter(|(row, score)| *row != query && *score > 0.0)
            .collect();
        for row in touched.drain(..) {
            scores[row as usize] = 0.0;
        }
        let best = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if found.len() > k {
            found.select_nth_unstable_by(k, best);
            found.truncate(k);
        }
        found.sort_unstable_by(best);
        found
    }
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
