//! Entities: what is joined by matches, the best first, as long as the rest does not speak against it.

use crate::blocking::{Sides, rows};

/// What a pair that was not compared counts for.
const ABSENT: f64 = -2.0;
/// The most that a pair counts for, either way.
const MOST: f64 = 6.0;
/// The most cross pairs of two entities that are looked at.
const LOOKED_AT: usize = 10_000;

/// The entities as the least row of each row's entity. `scores` are relative to the threshold.
pub(crate) fn cluster(pairs: &[u64], scores: &[f32], accepted: &[usize], sides: Sides) -> Vec<u32> {
    let n = sides.rows as usize;
    // Where all of a record's candidates match, its list may be cut short: what is absent says nothing.
    let mut all_match = vec![true; n];
    let mut is_accepted = vec![false; pairs.len()];
    accepted.iter().for_each(|at| is_accepted[*at] = true);
    for (pair, accepted) in pairs.iter().zip(&is_accepted) {
        if !accepted {
            let (a, b) = rows(*pair);
            all_match[a as usize] = false;
            all_match[b as usize] = false;
        }
    }
    let mut parent: Vec<u32> = (0..sides.rows).collect();
    let mut members: std::collections::HashMap<u32, Vec<u32>> = std::collections::HashMap::new();
    let mut order = accepted.to_vec();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    for at in order {
        let (a, b) = rows(pairs[at]);
        let (a, b) = (find(&mut parent, a), find(&mut parent, b));
        if a == b {
            continue;
        }
        let left = members.remove(&a).unwrap_or_else(|| vec![a]);
        let right = members.remove(&b).unwrap_or_else(|| vec![b]);
        let joined = left.len() * right.len() == 1
            || speak_for(pairs, scores, &left, &right, &all_match, sides);
        if !joined {
            members.insert(a, left);
            members.insert(b, right);
            continue;
        }
        let (mut great, small) = if left.len() >= right.len() {
            (left, right)
        } else {
            (right, left)
        };
        great.extend(small);
        let (least, other) = (a.min(b), a.max(b));
        parent[other as usize] = least;
        members.insert(least, great);
    }
    (0..sides.rows).map(|row| find(&mut parent, row)).collect()
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
            Ok(at) => sum += f64::from(scores[at]).clamp(-MOST, MOST),
            Err(_) if all_match[x as usize] || all_match[y as usize] => continue,
            Err(_) => sum += ABSENT,
        }
        count += 1;
    }
    count == 0 || sum > 0.0
}

fn find(parent: &mut [u32], mut row: u32) -> u32 {
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
