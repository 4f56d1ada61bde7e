//! Entities: what is joined by matches, the best first, as long as the rest does not speak against it.

use std::collections::HashMap;

use crate::blocking::{Sides, rows};

/// What a pair that was not compared counts for.
const ABSENT: f64 = -2.0;
/// The most that a pair counts for, either way.
const MOST: f64 = 6.0;
/// The score of what is sure, either way: labels that are enforced.
pub(crate) const SURE: f32 = 1_000.0;
/// From which score on, either way, a pair is sure, whatever the threshold.
const DOUBTLESS: f32 = 900.0;
/// The most cross pairs of two entities that are looked at.
const LOOKED_AT: usize = 10_000;

/// Whether a score is beyond doubt, as labels are that are enforced.
pub(crate) fn is_sure(score: f32) -> bool {
    score > DOUBTLESS
}

/// Groups of records under way.
pub(crate) struct Groups<'a> {
    pairs: &'a [u64],
    sides: Sides,
    parent: Vec<u32>,
    members: HashMap<u32, Vec<u32>>,
    /// Where all of a record's candidates match, its list may be cut short: what is absent says nothing.
    all_match: Vec<bool>,
}

impl<'a> Groups<'a> {
    /// Each record by itself.
    pub(crate) fn new(pairs: &'a [u64], accepted: &[usize], sides: Sides) -> Self {
        let mut all_match = vec![true; sides.rows as usize];
        let mut is_accepted = vec![false; pairs.len()];
        accepted.iter().for_each(|at| is_accepted[*at] = true);
        for (pair, accepted) in pairs.iter().zip(&is_accepted) {
            if !accepted {
                let (a, b) = rows(*pair);
                all_match[a as usize] = false;
                all_match[b as usize] = false;
            }
        }
        Groups {
            pairs,
            sides,
            parent: (0..sides.rows).collect(),
            members: HashMap::new(),
            all_match,
        }
    }

    /// The least row of a record's group.
    pub(crate) fn of(&mut self, row: u32) -> u32 {
        find(&mut self.parent, row)
    }

    /// Joins the groups of two records.
    pub(crate) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.of(a), self.of(b));
        if a == b {
            return;
        }
        let left = self.members.remove(&a).unwrap_or_else(|| vec![a]);
        let right = self.members.remove(&b).unwrap_or_else(|| vec![b]);
        let (mut great, small) = if left.len() >= right.len() {
            (left, right)
        } else {
            (right, left)
        };
        great.extend(small);
        let (least, other) = (a.min(b), a.max(b));
        self.parent[other as usize] = least;
        self.members.insert(least, great);
    }

    /// Whether the pairs of two groups, which are given by their least rows, do not speak against joining them.
    pub(crate) fn may_join(&self, a: u32, b: u32, scores: &[f32]) -> bool {
        let (own, other) = ([a], [b]);
        let left = self.members.get(&a).map_or(&own[..], Vec::as_slice);
        let right = self.members.get(&b).map_or(&other[..], Vec::as_slice);
        left.len() * right.len() == 1
            || speak_for(self.pairs, scores, left, right, &self.all_match, self.sides)
    }
}

/// The entities as the least row of each row's entity. `scores` are relative to the threshold.
pub(crate) fn cluster(pairs: &[u64], scores: &[f32], accepted: &[usize], sides: Sides) -> Vec<u32> {
    let mut groups = Groups::new(pairs, accepted, sides);
    let mut order = accepted.to_vec();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    for at in order {
        let (a, b) = rows(pairs[at]);
        let (a, b) = (groups.of(a), groups.of(b));
        if a != b && (is_sure(scores[at]) || groups.may_join(a, b, scores)) {
            groups.join(a, b);
        }
    }
    (0..sides.rows).map(|row| groups.of(row)).collect()
}

fn speak_for(
    pairs: &[u64],
    scores: &[f32],
    left: &[u32],
    right: &[u32],
    all_match: &[bool],
    sides: Sides,
) -> bool {
    let (mut sum, mut count) = (0.0, 0);
    for (x, y) in left
        .iter()
        .flat_map(|x| right.iter().map(move |y| (*x, *y)))
        .take(LOOKED_AT)
    {
        if !sides.may(x, y) {
            continue;
        }
        match pairs.binary_search(&crate::blocking::pair(x, y)) {
            Ok(at) if scores[at] < -DOUBTLESS => return false,
            Ok(at) => sum += f64::from(scores[at]).clamp(-MOST, MOST),
            Err(_) if all_match[x as usize] || all_match[y as usize] => continue,
            Err(_) => sum += ABSENT,
        }
        count += 1;
    }
    count == 0 || sum > 0.0
}

/// The first of a row's group, and the way to it made shorter.
pub(crate) fn find(parent: &mut [u32], mut row: u32) -> u32 {
    while parent[row as usize] != row {
        let above = parent[parent[row as usize] as usize];
        parent[row as usize] = above;
        row = above;
    }
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::blocking::pair;

    #[test]
    fn a_weak_bridge_joins_nothing() {
        // Two triangles, one edge between them, and three pairs that speak against it.
        let edges = [
            (0, 1, 5.0),
            (0, 2, 5.0),
            (1, 2, 5.0),
            (3, 4, 5.0),
            (3, 5, 5.0),
            (4, 5, 5.0),
            (2, 3, 0.5),
            (0, 3, -5.0),
            (1, 4, -5.0),
            (2, 5, -5.0),
        ];
        let mut edges = edges.map(|(a, b, s)| (pair(a, b), s));
        edges.sort_by_key(|e| e.0);
        let pairs = edges.map(|e| e.0);
        let scores = edges.map(|e| e.1);
        let accepted: Vec<usize> = (0..10).filter(|at| scores[*at] > 0.0).collect();
        assert_eq!(
            cluster(
                &pairs,
                &scores,
                &accepted,
                Sides {
                    rows: 6,
                    split: None
                }
            ),
            [0, 0, 0, 3, 3, 3]
        );
    }

    #[test]
    fn what_is_sure_is_joined_and_kept_apart() {
        let sides = Sides {
            rows: 5,
            split: None,
        };
        // 0, 1 and 2 go together, but 0 and 2 must not; 3 and 4 must, against all odds.
        let pairs = [pair(0, 1), pair(0, 2), pair(1, 2), pair(1, 3), pair(3, 4)];
        let scores = [5.0, -SURE, 4.0, 3.0, SURE];
        let found = cluster(&pairs, &scores, &[0, 2, 4], sides);
        assert_eq!(found, [0, 0, 2, 3, 3]);
    }

    proptest! {
        #[test]
        fn entities_are_a_partition_along_matches(edges in prop::collection::btree_map((0_u32..12, 0_u32..12), -5.0_f32..5.0, 0..60)) {
            let mut list: Vec<(u64, f32)> = edges.iter().filter(|((a, b), _)| a != b).map(|((a, b), s)| (pair(*a, *b), *s)).collect();
            list.sort_by_key(|e| e.0);
            list.dedup_by_key(|e| e.0);
            let pairs: Vec<u64> = list.iter().map(|e| e.0).collect();
            let scores: Vec<f32> = list.iter().map(|e| e.1).collect();
            let accepted: Vec<usize> = (0..pairs.len()).filter(|at| scores[*at] > 0.0).collect();
            let of = cluster(&pairs, &scores, &accepted, Sides { rows: 12, split: None });
            prop_assert_eq!(of.len(), 12);
            for row in 0..12_u32 {
                let entity = of[row as usize];
                prop_assert!(entity <= row && of[entity as usize] == entity);
                // Whoever is not alone has a match within.
                let others = (0..12_u32).filter(|o| *o != row && of[*o as usize] == entity).count();
                let matched = accepted.iter().any(|at| {
                    let (a, b) = rows(pairs[*at]);
                    (a == row || b == row) && of[a as usize] == of[b as usize]
                });
                prop_assert!(others == 0 || matched);
            }
        }
    }
}
