//! Linking one to one: the best pair first, then the best of what is left.

use std::collections::HashMap;

use crate::blocking::{Sides, rows};
use crate::external::{cores, sort};

/// Places of pairs, the greatest score first; of equal ones, the first pair.
pub(crate) fn ranked(scores: &[f32]) -> Vec<usize> {
    // A score as a number in the order of scores, the greatest first, and then the place.
    let key = |(at, score): (u64, &f32)| {
        let bits = score.to_bits();
        let ascending = if bits >> 31 == 1 {
            !bits
        } else {
            bits | 1 << 31
        };
        u64::from(!ascending) << 32 | at
    };
    let mut keys: Vec<u64> = (0..).zip(scores).map(key).collect();
    sort(&mut keys, cores());
    keys.into_iter().map(|key| key as u32 as usize).collect()
}

/// The assignment, as places of pairs.
pub(crate) fn greedy(pairs: &[u64], scores: &[f32], sides: Sides) -> Vec<usize> {
    let mut used = vec![false; sides.rows as usize];
    let mut taken = Vec::new();
    for at in ranked(scores) {
        let (a, b) = rows(pairs[at]);
        if !used[a as usize] && !used[b as usize] {
            used[a as usize] = true;
            used[b as usize] = true;
            taken.push(at);
        }
    }
    taken
}

/// Takes out assigned pairs that have as good rivals which are free: the chance of the right one is below 2 in 5.
pub(crate) fn without_ties(pairs: &[u64], scores: &[f32], taken: Vec<usize>) -> Vec<usize> {
    let mut own: HashMap<u32, f32> = HashMap::new();
    for at in &taken {
        let (a, b) = rows(pairs[*at]);
        own.insert(a, scores[*at]);
        own.insert(b, scores[*at]);
    }
    let of = |row: u32| own.get(&row).copied().unwrap_or(f32::NEG_INFINITY);
    let mut rivals: HashMap<u32, f64> = HashMap::new();
    for (pair, score) in pairs.iter().zip(scores) {
        let (a, b) = rows(*pair);
        if of(a) > score + 1e-6 && of(b) > score + 1e-6 {
            continue;
        }
        for (row, other) in [(a, b), (b, a)] {
            if of(other) <= score + 1e-6 && own.contains_key(&row) && *score <= of(row) + 1e-6 {
                *rivals.entry(row).or_default() += f64::from((score - of(row)).min(0.0)).exp();
            }
        }
    }
    let weight = |row: u32| rivals.get(&row).copied().unwrap_or(0.0);
    let free = |at: &usize| {
        let (a, b) = rows(pairs[*at]);
        weight(a).max(weight(b)) < 2.5
    };
    taken.into_iter().filter(free).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::blocking::pair;

    #[test]
    fn ties_are_nobodys() {
        // Row 0 is as near to 10, 11 and 12; row 1 has one partner.
        let pairs = [pair(0, 10), pair(0, 11), pair(0, 12), pair(1, 13)];
        let scores = [3.0, 3.0, 3.0, 2.0];
        let taken = greedy(
            &pairs,
            &scores,
            Sides {
                rows: 14,
                split: Some(10),
            },
        );
        assert_eq!(without_ties(&pairs, &scores, taken), [3]);
    }

    proptest! {
        #[test]
        fn the_greatest_score_is_first(scores in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 0..50)) {
            let mut expected: Vec<usize> = (0..scores.len()).collect();
            expected.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            prop_assert_eq!(ranked(&scores), expected);
        }

        #[test]
        fn no_record_twice_and_none_left_over(edges in prop::collection::btree_map((0_u32..8, 8_u32..16), -5.0_f32..5.0, 0..40)) {
            let pairs: Vec<u64> = edges.keys().map(|(a, b)| pair(*a, *b)).collect();
            let scores: Vec<f32> = edges.values().copied().collect();
            let taken = greedy(&pairs, &scores, Sides { rows: 16, split: Some(8) });
            let mut used = [0; 16];
            for at in &taken {
                used[rows(pairs[*at]).0 as usize] += 1;
                used[rows(pairs[*at]).1 as usize] += 1;
            }
            prop_assert!(used.iter().all(|n| *n <= 1));
            // Of each pair one record at least is in a pair that is as good.
            for (at, pair) in pairs.iter().enumerate() {
                let (a, b) = rows(*pair);
                let better = taken.iter().any(|t| {
                    let (x, y) = rows(pairs[*t]);
                    (x == a || y == b) && scores[*t] >= scores[at]
                });
                prop_assert!(better);
            }
        }
    }
}
