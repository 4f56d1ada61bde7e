//! What is the same as the same is the same: if of three records two pairs match, so does the third, however much it
//! differs.

use crate::blocking::{Sides, rows};
use crate::decide::cluster::find;

/// From which chance on a pair that is the best of one of its records joins a group.
const LIKELY: f32 = 0.5;
/// How many records a group has of which all pairs match: greater ones may be chains.
const SIZES: std::ops::RangeInclusive<u32> = 3..=12;

/// Groups of three records or more.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The first row of each row's group; its own number beyond all rows where the group is none of these.
    of: Vec<u32>,
}

impl Groups {
    /// Of the best pairs that are likely.
    pub(super) fn new(pairs: &[u64], sides: Sides, best: &[bool], chances: &[f32]) -> Groups {
        let mut parent: Vec<u32> = (0..sides.rows).collect();
        for ((pair, best), chance) in pairs.iter().zip(best).zip(chances) {
            if *best && *chance > LIKELY {
                let (a, b) = rows(*pair);
                let (a, b) = (find(&mut parent, a), find(&mut parent, b));
                parent[a.max(b) as usize] = a.min(b);
            }
        }
        let mut of: Vec<u32> = (0..sides.rows).map(|row| find(&mut parent, row)).collect();
        let mut sizes = vec![0_u32; of.len()];
        of.iter().for_each(|first| sizes[*first as usize] += 1);
        for first in &mut of {
            if !SIZES.contains(&sizes[*first as usize]) {
                *first = u32::MAX;
            }
        }
        Groups { of }
    }

    /// Whether both records of a pair are in one of the groups.
    pub(super) fn hold(&self, pair: u64) -> bool {
        let (a, b) = rows(pair);
        let of = |row: u32| {
            self.of
                .get(row as usize)
                .filter(|first| **first != u32::MAX)
        };
        of(a).is_some() && of(a) == of(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;

    #[test]
    fn the_third_pair_of_three_records_matches() {
        let pairs = [pair(0, 1), pair(0, 2), pair(1, 2), pair(3, 4), pair(2, 3)];
        let sides = Sides {
            rows: 6,
            split: None,
        };
        let best = [true, false, true, true, false];
        let found = Groups::new(&pairs, sides, &best, &[0.9, 0.1, 0.6, 0.9, 0.9]);
        // Two records have no third pair; and what is nobody's best joins nothing.
        assert_eq!(
            pairs.map(|p| found.hold(p)),
            [true, true, true, false, false]
        );
        assert!(!Groups::default().hold(pair(0, 1)));
    }
}
