//! Which pairs are compared.
//!
//! Of small tables, and of long texts, each record's nearest neighbours by the cosine of 3-grams ([`grams`]).
//! Of big tables of short columns, the pairs that agree on one of some keys ([`keys`]) or on two rare words ([`rare`]):
//! hashes are made in a plan, and an operator joins them with themselves ([`blocks`]). No block over 50 rows is ever
//! multiplied out ([`oversize`]). Pairs come out of a plan in order, each once ([`distinct`]).

pub(crate) mod blocks;
pub(crate) mod distinct;
pub(crate) mod grams;
mod hashes;
pub(crate) mod keys;
pub(crate) mod oversize;
pub(crate) mod rare;

use mastic_functions::sample_number;
use serde::{Deserialize, Serialize};

/// The records: how many, and where the right table's begin when two are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) rows: u32,
    /// The first row of the right table.
    pub(crate) split: Option<u32>,
}

impl Sides {
    /// Whether two records may match at all.
    pub(crate) fn may(&self, a: u32, b: u32) -> bool {
        a != b && self.split.is_none_or(|split| (a < split) != (b < split))
    }

    /// The rows of the smaller side.
    pub(crate) fn smaller(&self) -> std::ops::Range<u32> {
        match self.split {
            Some(split) if split <= self.rows - split => 0..split,
            Some(split) => split..self.rows,
            None => 0..self.rows,
        }
    }
}

/// A pair as one number, by which pairs are ordered.
pub(crate) fn pair(a: u32, b: u32) -> u64 {
    u64::from(a.min(b)) << 32 | u64::from(a.max(b))
}

/// The two rows of a pair.
pub(crate) fn rows(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

/// Pairs at random, the same in every run, which are almost never matches: what the model learns chance
/// agreement from where nearly all candidates are matches. They are in no result.
pub(crate) fn random(sides: Sides, wanted: u64, candidates: &[u64]) -> Vec<u64> {
    let below = |at: u64, range: std::ops::Range<u32>| {
        range.start + (sample_number(at) % u64::from(range.len().max(1) as u32)) as u32
    };
    let mut out: Vec<u64> = (0..wanted)
        .filter_map(|at| {
            let (left, right) = match sides.split {
                Some(split) => (0..split, split..sides.rows),
                None => (0..sides.rows, 0..sides.rows),
            };
            let (a, b) = (below(2 * at, left), below(2 * at + 1, right));
            let found = pair(a, b);
            (a != b && candidates.binary_search(&found).is_err()).then_some(found)
        })
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// What a blocking rule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What pairs agree on: columns, or the beginnings and ends of their values.
    pub agree_on: Vec<String>,
    /// The pairs that it makes.
    pub pairs: u64,
    /// Blocks that were too great to be compared.
    pub oversized_blocks: u64,
    /// The rows in them, which only other rules can find partners for.
    pub oversized_rows: u64,
}

/// How pairs were found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Blocking {
    /// The method, and why it was chosen.
    pub method: String,
    /// Neighbours of each record, where neighbours were looked for.
    pub neighbours: Option<usize>,
    /// The rules, where pairs agree on a key.
    pub rules: Vec<Rule>,
    /// Keys that were refused, and why: too many of their rows lie in oversized blocks.
    pub refused: Vec<String>,
    /// Pairs compared, each once.
    pub pairs: u64,
    /// Bytes that did not fit into memory and were written to the spill folder: hashes, pairs and normal forms.
    #[serde(default)]
    pub spilled: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_ordered_and_of_two_sides() {
        assert_eq!(rows(pair(7, 3)), (3, 7));
        let sides = Sides {
            rows: 10,
            split: Some(4),
        };
        assert!(sides.may(3, 4) && !sides.may(1, 2) && !sides.may(5, 5));
        assert_eq!(sides.smaller(), 0..4);
        let found = random(sides, 20, &[pair(0, 4)]);
        assert!(
            !found.is_empty()
                && found
                    .iter()
                    .all(|p| rows(*p).0 < 4 && rows(*p).1 >= 4 && *p != pair(0, 4))
        );
    }
}
