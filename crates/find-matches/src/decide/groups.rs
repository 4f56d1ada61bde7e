//! Groups of records that are nearer to one another than to all others, and what they say of the table: whether
//! an entity has two records at most.
//!
//! Where a record's list of candidates has a clear gap, what lies above the gap is its group. A group is closed if
//! every member's list says the same. Of pairs alone nearly all closed groups are pairs; of entities of any number
//! of records many are greater.

use hashbrown::HashMap;

use crate::blocking::{Sides, pair, rows};

/// How many candidates of a record are looked at, and above how many of them the gap may lie.
pub(crate) const LOOKED_AT: usize = 10;
const MATCHES: usize = 5;
/// The gap that convinces, in usual spacings.
pub(crate) const CONVINCING: f64 = 3.0;

/// What closed groups there are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Groups {
    /// Groups of two records; linking, of one of either table.
    pub(crate) pairs: f64,
    /// All; linking, those with one record of a table at least, for a family of products is no entity.
    pub(crate) all: f64,
    /// Records that were found in such groups.
    pub(crate) records: usize,
}

impl Groups {
    /// The share of groups that are pairs.
    pub(crate) fn share(&self) -> f64 {
        self.pairs / self.all.max(1e-9)
    }
}

/// The records above the gap of each record with a clear one, in order.
#[derive(Debug, Default)]
pub(crate) struct Tops {
    of: HashMap<u32, Vec<u32>>,
}

/// The lead of a list of candidates, the best first: the size of its greatest gap in usual spacings, and how many
/// lie above it. The k-th spacing counts k times (Rényi 1953).
pub(crate) fn lead(list: &[f32], usual: f64) -> (f64, usize) {
    let spacings = spacings(list);
    let rest = spacings.get(MATCHES - 1..).unwrap_or(&[]);
    let own = match rest.len() {
        0 => usual,
        n => rest.iter().sum::<f64>() / n as f64,
    };
    let mut gap = (0.0, 0);
    for (at, d) in spacings.iter().take(MATCHES).enumerate() {
        if *d > gap.0 {
            gap = (*d, at + 1);
        }
    }
    (gap.0 / (0.5 * own + 0.5 * usual).max(1e-9), gap.1)
}

fn spacings(list: &[f32]) -> Vec<f64> {
    let gaps = list.windows(2).zip(1..);
    gaps.map(|(w, k)| f64::from(w[0] - w[1]) * f64::from(k))
        .collect()
}

/// The median of the spacings beyond those that a match may make; none without any.
pub(crate) fn usual<'a>(lists: impl Iterator<Item = &'a [f32]>) -> Option<f64> {
    let mut all: Vec<f64> = lists
        .flat_map(|l| spacings(l).into_iter().skip(MATCHES - 1))
        .collect();
    all.sort_unstable_by(f64::total_cmp);
    let low = all.get(all.len().checked_sub(1)? / 2)?;
    Some((low + all.get(all.len() / 2)?) / 2.0)
}

impl Tops {
    /// Of all records, by the scores of their candidates.
    pub(crate) fn new(pairs: &[u64], scores: &[f32], sides: Sides) -> Self {
        let mut starts = vec![0_usize; sides.rows as usize + 1];
        for pair in pairs {
            let (a, b) = rows(*pair);
            starts[a as usize] += 1;
            starts[b as usize] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        let mut near = vec![(0_u32, 0.0_f32); sum];
        let mut next = starts.clone();
        for (pair, score) in pairs.iter().zip(scores) {
            let (a, b) = rows(*pair);
            for (row, other) in [(a, b), (b, a)] {
                near[next[row as usize]] = (other, *score);
                next[row as usize] += 1;
            }
        }
        let (mut others, mut values, mut bounds) = (Vec::new(), Vec::new(), vec![0]);
        for row in starts.windows(2) {
            let list = &mut near[row[0]..row[1]];
            list.sort_by(|a, b| b.1.total_cmp(&a.1));
            let list = &list[..list.len().min(LOOKED_AT)];
            others.extend(list.iter().map(|(other, _)| *other));
            values.extend(list.iter().map(|(_, score)| *score));
            bounds.push(others.len());
        }
        let lists = |row: usize| &values[bounds[row]..bounds[row + 1]];
        let count = bounds.len() - 1;
        let Some(usual) = usual((0..count).map(lists)) else {
            return Tops::default();
        };
        let mut out = Tops::default();
        for row in 0..count {
            out.add(row as u32, lists(row), &others[bounds[row]..], usual);
        }
        out
    }

    /// Adds a record by the scores of its candidates, the best first, and who they are.
    pub(crate) fn add(&mut self, row: u32, scores: &[f32], others: &[u32], usual: f64) -> f64 {
        let (lead, above) = lead(scores, usual);
        if lead >= CONVINCING {
            let mut top = others.get(..above).unwrap_or(&[]).to_vec();
            top.sort_unstable();
            self.of.insert(row, top);
        }
        lead
    }

    /// All records above the gaps.
    pub(crate) fn members(&self) -> impl Iterator<Item = u32> {
        self.of.values().flatten().copied()
    }

    /// The closed groups that some records are in. A group counts once if all its records are asked for.
    pub(crate) fn closed(&self, asked: impl Iterator<Item = u32>, sides: Sides) -> Groups {
        let mut out = Groups::default();
        for row in asked {
            let Some((own, other)) = self.group_of(row, sides) else {
                continue;
            };
            out.records += 1;
            if own.min(other) > 1 && sides.split.is_some() {
                continue;
            }
            let weight = 1.0 / (own + other) as f64;
            out.all += weight;
            if own + other == 2 {
                out.pairs += weight;
            }
        }
        out
    }

    /// How many records of its own table and of the other one are in a record's group, if it is closed; of one table,
    /// itself and the others.
    fn group_of(&self, row: u32, sides: Sides) -> Option<(usize, usize)> {
        let top = self.of.get(&row)?;
        if sides.split.is_none() {
            let closed = top.iter().all(|member| {
                let of = self.of.get(member).map(Vec::as_slice).unwrap_or_default();
                // The same group: of all but this one, and the row.
                of.len() == top.len()
                    && of.binary_search(&row).is_ok()
                    && of.iter().all(|m| *m == row || top.binary_search(m).is_ok())
            });
            return closed.then_some((1, top.len()));
        }
        let own = self.of.get(top.first()?)?;
        let other = top.iter().all(|member| self.of.get(member) == Some(own));
        let same = own.iter().all(|member| self.of.get(member) == Some(top));
        (other && same && own.binary_search(&row).is_ok()).then_some((own.len(), top.len()))
    }

    /// The pairs that are closed groups, in order.
    pub(crate) fn closed_pairs(&self) -> Vec<u64> {
        let best = |row: u32| match self.of.get(&row).map(Vec::as_slice) {
            Some([one]) => Some(*one),
            _ => None,
        };
        let mut out: Vec<u64> = self
            .of
            .keys()
            .filter_map(|row| {
                best(*row)
                    .filter(|other| best(*other) == Some(*row))
                    .map(|o| pair(*row, o))
            })
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of some size, each record with members at 0.9 and strangers from 0.3 down in even spacings.
    fn groups(sizes: &[u32]) -> (Vec<u64>, Vec<f32>, Sides) {
        let rows: u32 = sizes.iter().sum();
        let mut list = std::collections::BTreeMap::new();
        let mut first = 0;
        for size in sizes {
            for a in first..first + size {
                for b in a + 1..first + size {
                    list.insert(pair(a, b), 0.9);
                }
                for n in 1..=10 {
                    let other = (a + 7 * n + 5) % rows;
                    if other != a {
                        list.entry(pair(a, other))
                            .or_insert(0.3 - 0.01 * (n as f32));
                    }
                }
            }
            first += size;
        }
        let sides = Sides { rows, split: None };
        (
            list.keys().copied().collect(),
            list.values().copied().collect(),
            sides,
        )
    }

    #[test]
    fn pairs_and_greater_groups_are_told_apart() {
        let (pairs, scores, sides) = groups(&[2; 60]);
        let found = Tops::new(&pairs, &scores, sides).closed(0..sides.rows, sides);
        assert!(found.share() > 0.99 && found.all > 50.0, "{found:?}");
        let (pairs, scores, sides) =
            groups(&[2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 3, 4]);
        let tops = Tops::new(&pairs, &scores, sides);
        let found = tops.closed(0..sides.rows, sides);
        assert!((0.2..0.5).contains(&found.share()), "{found:?}");
        let pairs = tops.closed_pairs();
        assert!(!pairs.is_empty() && pairs.iter().all(|p| rows(*p).1 == rows(*p).0 + 1));
    }

    #[test]
    fn nothing_is_no_panic() {
        let sides = Sides {
            rows: 3,
            split: None,
        };
        let tops = Tops::new(&[], &[], sides);
        assert_eq!(tops.closed(0..3, sides), Groups::default());
        assert!(tops.closed_pairs().is_empty());
    }
}
