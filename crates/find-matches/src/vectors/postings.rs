//! The rows of a block that hold each gram.

use std::ops::Range;

use super::Vectors;

/// The rows that hold each gram, and with what weight.
pub(super) struct Postings {
    /// The number of the block's first row.
    first: u32,
    /// How many rows the block has.
    count: usize,
    starts: Vec<usize>,
    rows: Vec<u32>,
    weights: Vec<f32>,
}

/// Scratch space of one thread.
pub(super) struct Scratch {
    scores: Vec<f32>,
    touched: Vec<u32>,
    order: Vec<(u32, u32, f32)>,
}

impl Scratch {
    pub(super) fn new(postings: &Postings) -> Self {
        Scratch {
            scores: vec![0.0; postings.count],
            touched: Vec::new(),
            order: Vec::new(),
        }
    }
}

/// The nearest first; of equal ones the first row.
pub(super) fn best(a: &(u32, f32), b: &(u32, f32)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

impl Postings {
    /// Of a part of some vectors, of which the first has the number `first`.
    pub(super) fn new(vectors: &Vectors, part: Range<usize>, first: usize) -> Self {
        let mut starts = vec![0_usize; vectors.vocabulary + 2];
        for row in part.clone() {
            for gram in vectors.row(row).0 {
                starts[*gram as usize + 2] += 1;
            }
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let total = starts.last().copied().unwrap_or(0);
        let (mut rows, mut weights) = (vec![0; total], vec![0.0; total]);
        for row in part.clone() {
            let (grams, values) = vectors.row(row);
            for (gram, weight) in grams.iter().zip(values) {
                let place = &mut starts[*gram as usize + 1];
                rows[*place] = (row - part.start) as u32;
                weights[*place] = *weight;
                *place += 1;
            }
        }
        Postings {
            first: (first + part.start) as u32,
            count: part.len(),
            starts,
            rows,
            weights,
        }
    }

    fn of(&self, gram: u32) -> Range<usize> {
        self.starts[gram as usize]..self.starts[gram as usize + 1]
    }

    /// How many rows hold each gram.
    pub(super) fn lists(&self) -> Vec<u32> {
        let bounds = self.starts.windows(2);
        bounds.map(|of| (of[1] - of[0]) as u32).collect()
    }

    /// The `k` rows nearest to a query. `lists` are how many rows hold each gram, of all blocks together: by them it is
    /// decided which grams are looked at, as many as have `budget` rows, so that blocks change nothing.
    pub(super) fn nearest(
        &self,
        lists: &[u32],
        query: u32,
        (grams, values): (&[u32], &[f32]),
        k: usize,
        budget: usize,
        scratch: &mut Scratch,
    ) -> Vec<(u32, f32)> {
        let Scratch {
            scores,
            touched,
            order,
        } = scratch;
        order.clear();
        let each = grams.iter().zip(values);
        order.extend(each.map(|(gram, weight)| (lists[*gram as usize], *gram, *weight)));
        order.sort_unstable_by_key(|(rows, gram, _)| (*rows, *gram));
        let mut spent = 0;
        for (rows, gram, weight) in order.iter() {
            let rows = *rows as usize;
            if rows > 0 && spent > 0 && spent + rows > budget {
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
        if found.len() > k {
            found.select_nth_unstable_by(k, best);
            found.truncate(k);
        }
        found.sort_unstable_by(best);
        found
    }
}
