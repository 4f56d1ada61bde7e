//! What is known before a table is matched.

use crate::blocking::{Sides, rows};
use crate::decide::assignment::{greedy, without_ties};
use crate::transform::Transform;

/// Which rows are new, where new records are to join others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fresh {
    is_new: Vec<bool>,
    /// Rows whose entity has a record of either table already, where linking is one to one.
    taken: Vec<bool>,
    one_to_one: bool,
}

impl Fresh {
    /// `entities` has the entity of each old row, and none for new ones; `one_to_one` is how they were linked.
    pub(crate) fn new(entities: &[Option<i64>], sides: Sides, one_to_one: bool) -> Self {
        let is_new: Vec<bool> = entities.iter().map(Option::is_none).collect();
        let mut taken = vec![false; entities.len()];
        if let (true, Some(split)) = (one_to_one, sides.split) {
            let (left, right) = entities.split_at((split as usize).min(entities.len()));
            let known = |of: &[Option<i64>]| of.iter().flatten().copied().collect();
            let [on_left, on_right]: [hashbrown::HashSet<i64>; 2] = [known(left), known(right)];
            for (taken, id) in taken.iter_mut().zip(entities) {
                *taken = id.is_some_and(|id| on_left.contains(&id) && on_right.contains(&id));
            }
        }
        Fresh {
            is_new,
            taken,
            one_to_one,
        }
    }

    /// Whether the row is new.
    pub(crate) fn is_new(&self, row: u32) -> bool {
        self.is_new.get(row as usize).copied().unwrap_or(false)
    }

    /// Whether linking is one to one, and the row has its partner.
    pub(crate) fn is_taken(&self, row: u32) -> bool {
        self.taken.get(row as usize).copied().unwrap_or(false)
    }

    /// Whether linking is one to one.
    pub(crate) fn one_to_one(&self) -> bool {
        self.one_to_one
    }

    /// The new rows.
    pub(crate) fn rows(&self) -> Vec<u32> {
        let each = (0_u32..).zip(&self.is_new);
        each.filter(|(_, is_new)| **is_new)
            .map(|(row, _)| row)
            .collect()
    }

    /// Whether one of the pair's records is new.
    pub(crate) fn has(&self, pair: u64) -> bool {
        let (a, b) = rows(pair);
        self.is_new(a) || self.is_new(b)
    }

    /// The assignment of new records to what is free, as places of pairs over the threshold; those that have rivals as
    /// good are left out if `doubt` says so.
    pub(crate) fn assign(
        &self,
        pairs: &[u64],
        scores: &[f32],
        sides: Sides,
        threshold: f64,
        doubt: bool,
    ) -> Vec<usize> {
        let free = |at: &usize| {
            let (a, b) = rows(pairs[*at]);
            self.has(pairs[*at]) && !self.is_taken(a) && !self.is_taken(b)
        };
        let open: Vec<usize> = (0..pairs.len()).filter(free).collect();
        let (some, worth): (Vec<u64>, Vec<f32>) =
            open.iter().map(|at| (pairs[*at], scores[*at])).unzip();
        let mut over = greedy(&some, &worth, sides);
        over.retain(|at| f64::from(worth[*at]) > threshold);
        if doubt {
            over = without_ties(&some, &worth, over);
        }
        let mut out: Vec<usize> = over.into_iter().map(|at| open[at]).collect();
        out.sort_unstable();
        out
    }
}

/// What was learned before, and which rows are new.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    /// What is applied.
    pub(crate) transform: Option<&'a Transform>,
    /// Whether what is learned is to be kept.
    pub(crate) keep: bool,
    /// Which rows are new, where new records are to join others.
    pub(crate) new: Option<&'a Fresh>,
}

impl Known<'_> {
    /// The pairs that matter: all, or those of new records and of the records that those are paired with.
    pub(crate) fn among(&self, pairs: Vec<u64>) -> Vec<u64> {
        let Some(fresh) = self.new else {
            return pairs;
        };
        let near: hashbrown::HashSet<u32> = pairs
            .iter()
            .filter(|pair| fresh.has(**pair))
            .flat_map(|pair| <[u32; 2]>::from(rows(*pair)))
            .filter(|row| !fresh.is_new(*row))
            .collect();
        let matters = |pair: &u64| {
            let (a, b) = rows(*pair);
            fresh.has(*pair) || near.contains(&a) || near.contains(&b)
        };
        pairs.into_iter().filter(matters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;

    const ONE: Sides = Sides {
        rows: 7,
        split: None,
    };

    #[test]
    fn pairs_of_new_records_and_their_rivals_matter() {
        let pairs = vec![pair(0, 1), pair(1, 5), pair(2, 3), pair(1, 2), pair(5, 6)];
        let ids = [Some(1), Some(1), Some(2), Some(3), Some(3), None, None];
        let fresh = Fresh::new(&ids, ONE, false);
        let known = Known {
            new: Some(&fresh),
            ..Known::default()
        };
        assert_eq!(
            known.among(pairs),
            [pair(0, 1), pair(1, 5), pair(1, 2), pair(5, 6)]
        );
        assert_eq!(fresh.rows(), [5, 6]);
    }

    #[test]
    fn what_has_its_partner_is_taken() {
        // Left 0 to 2, of which 2 is new; right 3 to 5, of which 5 is new. 0 and 3 are linked.
        let ids = [Some(1), Some(2), None, Some(1), Some(3), None];
        let sides = Sides {
            rows: 6,
            split: Some(3),
        };
        let pairs = [pair(0, 5), pair(1, 4), pair(1, 5), pair(2, 3), pair(2, 5)];
        let scores = [9.0, 8.0, 3.0, 7.0, 4.0];
        let fresh = Fresh::new(&ids, sides, true);
        // The best of both new ones is taken; what is left is assigned, the best first.
        assert_eq!(fresh.assign(&pairs, &scores, sides, 0.0, true), [4]);
        assert_eq!(fresh.assign(&pairs, &scores, sides, 5.0, true), [0; 0]);
        let free = Fresh::new(&ids, sides, false);
        assert_eq!(free.assign(&pairs, &scores, sides, 0.0, true), [0, 3]);
    }
}
