//! Whether what pairs agree on identifies them.
//!
//! A list of parts, stations or events has no duplicates, but every row has neighbours, and a model learns their
//! likeness as if it were identity. What gives such a table away is a column of which nearly every row has a value of
//! its own, and on which the pairs that would match agree no more than others do: an article's name, an airport's code,
//! the time of an event. It is a key, or it is written anew with each record. Which of the two, the other columns say.
//! Agreement by chance is measured in bits, -log2 of how often it happens: where records are the same, a pair agrees on
//! more than it differs on, and on more than a pair needs to be the only such one in the table.

use crate::compare::NULL;

/// Below which part of its bits, on average, a column says that pairs are not the same.
const SILENT: f64 = 0.25;
/// The part of its bits that a pair agrees on where records are the same; and where most pairs' are less.
const HALF: f64 = 0.5;
const MOST: f64 = 2.0 / 3.0;

/// What the pairs agree on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreement<'a> {
    /// For each column, the level of each pair.
    pub(crate) levels: &'a [Vec<u8>],
    /// For each column, over 0 for pairs that have the same value.
    pub(crate) same: &'a [Vec<u8>],
    /// For each column, the bits of agreeing exactly: -log2 of how often two rows do.
    pub(crate) bits: &'a [f64],
    /// The columns of which nearly every row has its own value.
    pub(crate) own: &'a [bool],
    /// How many rows there are.
    pub(crate) rows: u32,
}

/// The accepted ones of the first `pairs` pairs that are the same for all that columns say which tell rows apart; none
/// if there are no such columns, or if they do not.
pub(crate) fn identified(
    of: Agreement<'_>,
    pairs: usize,
    accepted: &[usize],
) -> Option<Vec<usize>> {
    let mut is_accepted = vec![false; pairs];
    accepted.iter().for_each(|at| is_accepted[*at] = true);
    let surprise: Vec<Vec<f64>> = of
        .levels
        .iter()
        .map(|levels| surprises(&levels[..pairs], &is_accepted))
        .collect();
    // The bits that a pair agrees on in a column, where both have a value.
    let agrees = |column: usize, pair: usize| -> Option<f64> {
        let (all, level) = (*of.bits.get(column)?, of.levels[column][pair]);
        if level == NULL {
            return None;
        }
        let near = surprise[column].get(usize::from(level)).copied();
        Some(match of.same[column][pair] > 0 {
            true => all,
            false => near.unwrap_or(0.0).min(all),
        })
    };
    let tells_apart = |column: usize| {
        let found: Vec<f64> = accepted
            .iter()
            .filter_map(|at| agrees(column, *at))
            .collect();
        let all = of.bits[column] * found.len() as f64;
        !found.is_empty() && found.iter().sum::<f64>() < SILENT * all
    };
    if !(0..of.bits.len()).any(|column| of.own[column] && tells_apart(column)) {
        return None;
    }
    // As many bits as there are pairs of rows, in log2.
    let needed = 2.0 * f64::from(of.rows.max(2)).log2() - 1.0;
    let is_same = |pair: usize, part: f64| {
        let (mut found, mut all) = (0.0, 0.0);
        for (column, bits) in of.bits.iter().enumerate() {
            if let Some(agreed) = agrees(column, pair) {
                found += agreed;
                all += bits;
            }
        }
        found >= needed && found >= part * all
    };
    let same = accepted.iter().filter(|at| is_same(**at, HALF)).count();
    if 2 * same >= accepted.len() {
        return None;
    }
    Some(
        accepted
            .iter()
            .copied()
            .filter(|at| is_same(*at, MOST))
            .collect(),
    )
}

/// For each level of a column the bits of being so alike or more: -log2 of how many pairs are that are not accepted.
fn surprises(levels: &[u8], is_accepted: &[bool]) -> Vec<f64> {
    let mut counts = Vec::new();
    for (level, _) in levels
        .iter()
        .zip(is_accepted)
        .filter(|(l, a)| **l != NULL && !**a)
    {
        let level = usize::from(*level);
        if counts.len() <= level {
            counts.resize(level + 1, 0_u64);
        }
        counts[level] += 1;
    }
    let all: u64 = counts.iter().sum();
    let top = levels.iter().filter(|l| **l != NULL).max();
    counts.resize(
        counts.len().max(top.map_or(0, |top| usize::from(*top) + 1)),
        0,
    );
    let mut above = all;
    counts
        .into_iter()
        .map(|count| {
            let bits = -((above.max(1) as f64) / (all.max(1) as f64)).log2();
            above -= count;
            bits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 accepted pairs of 2,000 in a table of 1,000 rows, whose levels of each column are given for accepted ones and
    /// for others; level 5 is the same value.
    fn judged(columns: &[(f64, bool, u8, u8)]) -> Option<usize> {
        let accepted: Vec<usize> = (0..200).collect();
        let levels: Vec<Vec<u8>> = columns
            .iter()
            .map(|(_, _, own, other)| {
                (0..2000)
                    .map(|at| if at < 200 { *own } else { *other })
                    .collect()
            })
            .collect();
        let same: Vec<Vec<u8>> = levels
            .iter()
            .map(|l| l.iter().map(|l| u8::from(*l == 5)).collect())
            .collect();
        let bits: Vec<f64> = columns.iter().map(|c| c.0).collect();
        let own: Vec<bool> = columns.iter().map(|c| c.1).collect();
        let of = Agreement {
            levels: &levels,
            same: &same,
            bits: &bits,
            own: &own,
            rows: 1000,
        };
        identified(of, 2000, &accepted).map(|kept| kept.len())
    }

    #[test]
    fn rows_with_a_key_of_their_own_are_different() {
        // Stations of one city and line: 10 bits of name differ, 5 agree.
        assert_eq!(
            judged(&[(10.0, true, 0, 0), (3.0, false, 5, 0), (2.0, false, 5, 0)]),
            Some(0)
        );
        // The same without such a column says nothing.
        assert_eq!(
            judged(&[(10.0, false, 0, 0), (3.0, false, 5, 0), (2.0, false, 5, 0)]),
            None
        );
        // Names with typing errors, which are nearer than those of other candidates.
        assert_eq!(judged(&[(10.0, true, 4, 0), (3.0, false, 5, 0)]), None);
        // A number that each record gets anew, and 22 bits of a person.
        assert_eq!(
            judged(&[
                (10.0, true, 0, 0),
                (8.0, false, 5, 0),
                (9.0, false, 5, 0),
                (5.0, false, 5, 0)
            ]),
            None
        );
        assert_eq!(judged(&[]), None);
    }

    #[test]
    fn alike_as_everything_is_no_surprise() {
        // Of four pairs that are not accepted three are on level 1 or above, one on level 2.
        let bits = surprises(
            &[0, 1, 1, 2, 3, NULL],
            &[false, false, false, false, true, false],
        );
        let expected = [0.0, 0.415_037_499_278_843_8, 2.0, 2.0];
        assert!(
            bits.iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12),
            "{bits:?}"
        );
        assert_eq!(bits.len(), 4);
    }
}
