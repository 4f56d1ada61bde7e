//! Columns that differ together: who moved has another street, postcode and city, which is one reason to doubt and not
//! three. Fellegi and Sunter add their weights as if each were by chance.

use hashbrown::HashMap;

use super::patterns::Patterns;
use crate::compare::{NULL, levels_of};
use crate::settings::Kind;

/// From which squared correlation on columns differ together.
const TOGETHER: f64 = 0.5;
/// The fewest matches that say so.
const LEAST: f64 = 5.0;
/// The most columns that are looked at.
const COLUMNS: usize = 128;

/// On which columns the pairs of each pattern agree.
#[derive(Debug)]
pub(super) struct Together {
    /// Columns with a value on both sides, and those of them that agree, a bit for each.
    masks: Vec<(u128, u128)>,
    /// The mask of each pattern.
    of: Vec<u32>,
    columns: usize,
    comparisons: usize,
}

impl Together {
    /// Of the comparisons that are of columns, which are the first.
    pub(super) fn new(patterns: &Patterns, comparisons: &[(String, Option<Kind>)]) -> Together {
        let columns = comparisons.iter().take_while(|(_, kind)| kind.is_some());
        let tops: Vec<usize> = columns
            .map(|(_, kind)| levels_of(*kind) - 1)
            .take(COLUMNS)
            .collect();
        let (mut masks, mut of) = (Vec::new(), Vec::with_capacity(patterns.len()));
        let mut known: HashMap<(u128, u128), u32> = HashMap::new();
        for pattern in 0..patterns.len() {
            let (mut given, mut agree) = (0_u128, 0_u128);
            for (k, top) in tops.iter().enumerate() {
                let level = patterns.level(pattern, k);
                if level != NULL {
                    given |= 1 << k;
                    agree |= u128::from(usize::from(level) * 5 >= top * 3) << k;
                }
            }
            let next = masks.len() as u32;
            let mask = *known.entry((given, agree)).or_insert(next);
            if mask == next {
                masks.push((given, agree));
            }
            of.push(mask);
        }
        Together {
            masks,
            of,
            columns: tops.len(),
            comparisons: comparisons.len(),
        }
    }

    /// How much of each comparison's weight against a match counts, by what weighs as matches of each pattern: one part
    /// of as many as differ together, in so far as they do.
    pub(super) fn parts(&self, matches: &[f64]) -> Vec<f64> {
        let mut weights = vec![0.0; self.masks.len()];
        for (mask, weight) in self.of.iter().zip(matches) {
            weights[*mask as usize] += weight;
        }
        let mut sums = vec![1.0; self.comparisons];
        for a in 0..self.columns {
            for b in 0..a {
                let squared = self.correlation(&weights, a, b).powi(2);
                if squared >= TOGETHER {
                    sums[a] += squared;
                    sums[b] += squared;
                }
            }
        }
        sums.into_iter().map(|sum| 1.0 / sum).collect()
    }

    /// The correlation of agreement on two columns.
    fn correlation(&self, weights: &[f64], a: usize, b: usize) -> f64 {
        let both = 1_u128 << a | 1_u128 << b;
        let (mut all, mut on_a, mut on_b, mut on_both) = (0.0, 0.0, 0.0, 0.0);
        for ((given, agree), weight) in self.masks.iter().zip(weights) {
            if given & both != both {
                continue;
            }
            let (x, y) = (agree >> a & 1 == 1, agree >> b & 1 == 1);
            all += weight;
            on_a += if x { *weight } else { 0.0 };
            on_b += if y { *weight } else { 0.0 };
            on_both += if x && y { *weight } else { 0.0 };
        }
        if all < LEAST {
            return 0.0;
        }
        let (x, y) = (on_a / all, on_b / all);
        let (of_x, of_y) = (x * (1.0 - x), y * (1.0 - y));
        if of_x.min(of_y) < 1e-6 {
            return 0.0;
        }
        (on_both / all - x * y) / (of_x * of_y).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_reason() {
        // Three columns; 80 pairs agree on all, 10 differ on the second and third, 10 on the first.
        let together = Together {
            masks: vec![(7, 7), (7, 1), (7, 6)],
            of: vec![0, 1, 2],
            columns: 3,
            comparisons: 4,
        };
        let found = together.parts(&[80.0, 10.0, 10.0]);
        assert!(
            (found[1] - 0.5).abs() < 1e-9 && (found[2] - 0.5).abs() < 1e-9,
            "{found:?}"
        );
        assert_eq!((found[0], found[3]), (1.0, 1.0));
        // Nothing to learn from.
        assert_eq!(together.parts(&[1.0, 1.0, 1.0]), [1.0; 4]);
    }
}
