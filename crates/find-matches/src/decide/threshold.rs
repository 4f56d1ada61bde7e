//! Linking one to one: the threshold of the best expected F1, from rivals.
//!
//! A record that is matched has other candidates, too, of which the best that is free shows what scores records
//! reach that have no match. From their distribution follows, for each threshold, how many of the pairs above
//! it are right, and how many records have a match at all.

use crate::blocking::{Sides, rows};

const ROUNDS: usize = 6;
/// How much of the rivals must lie below a threshold for it to say how many records have no match.
const LEAST: f64 = 0.2;
/// The share of a great lead, that of one in twenty, from which on a record has a match to begin with.
const CLEAR: f64 = 0.5;
/// How much expected F1 the model's own zero may cost.
const SLACK: f64 = 0.005;

/// Expected F1 for some thresholds, and the share of the smaller side's records that have a match.
pub(crate) struct Curve {
    grid: Vec<f64>,
    f1: Vec<f64>,
    /// The share of records with a match.
    pub(crate) matched: f64,
}

impl Curve {
    /// From the scores and the assignment.
    pub(crate) fn new(pairs: &[u64], scores: &[f32], taken: &[usize], sides: Sides) -> Self {
        if scores.is_empty() {
            return Curve {
                grid: Vec::new(),
                f1: Vec::new(),
                matched: 0.0,
            };
        }
        let lowest = f64::from(scores.iter().copied().fold(f32::INFINITY, f32::min)) - 1e-3;
        let (own, rival) = rivals(pairs, scores, taken, sides, lowest);
        // In one table each pair is there from both of its ends, and counts once.
        let n = match sides.split {
            Some(_) => own.len().max(1) as f64,
            None => (0.5 * own.len() as f64).max(1.0),
        };
        let grid = quantiles(&own, &rival);
        let sorted = |mut v: Vec<f64>| {
            v.sort_by(f64::total_cmp);
            v
        };
        let above = |sorted: &[f64], t: f64| {
            let below = sorted.partition_point(|v| *v <= t);
            1.0 - below as f64 / sorted.len().max(1) as f64
        };
        let all = sorted(own.clone());
        let g: Vec<f64> = grid.iter().map(|t| above(&all, *t)).collect();
        let leads: Vec<f64> = own.iter().zip(&rival).map(|(a, b)| a - b).collect();
        // Those that surely have a match: of a table with few matches most have none.
        let clear = CLEAR * quantile(&sorted(leads.clone()), 0.95);
        let mut winners: Vec<bool> = leads.iter().map(|lead| *lead >= clear).collect();
        let (mut f1, mut matched) = (vec![0.0; grid.len()], 0.0);
        for _ in 0..ROUNDS {
            if winners.iter().filter(|w| **w).count() < 5 {
                winners.fill(true);
            }
            let free = sorted(
                rival
                    .iter()
                    .zip(&winners)
                    .filter(|(_, w)| **w)
                    .map(|(b, _)| *b)
                    .collect(),
            );
            let mut unmatched = 1.0_f64;
            for (t, g) in grid.iter().zip(&g) {
                let below = 1.0 - above(&free, *t);
                if below > LEAST {
                    let error = (g * (1.0 - g) / n).sqrt();
                    unmatched = unmatched.min((1.0 - g + 0.5 / n + error) / below);
                }
            }
            for ((t, g), f1) in grid.iter().zip(&g).zip(&mut f1) {
                let right = (g - unmatched * above(&free, *t)).max(0.0);
                *f1 = 2.0 * right / (g + (1.0 - unmatched).max(1.0 / n)).max(1e-9);
            }
            matched = 1.0 - unmatched;
            let best = grid.get(first_best(&f1)).copied().unwrap_or(0.0);
            let next: Vec<bool> = own.iter().map(|a| *a > best).collect();
            if next == winners {
                break;
            }
            winners = next;
        }
        Curve { grid, f1, matched }
    }

    /// The threshold of the greatest expected F1.
    pub(crate) fn best(&self) -> f64 {
        self.grid.get(first_best(&self.f1)).copied().unwrap_or(0.0)
    }

    /// The same, moved up towards the model's zero as far as it costs next to nothing: rivals are too lenient,
    /// and the model too strict, where texts are long.
    pub(crate) fn pick(&self) -> f64 {
        let best = self.best();
        if best >= 0.0 {
            return best;
        }
        let most = self.f1.get(first_best(&self.f1)).copied().unwrap_or(0.0);
        let close = self
            .grid
            .iter()
            .zip(&self.f1)
            .filter(|(t, f)| **f >= most - SLACK && **t <= 0.0);
        close.map(|(t, _)| *t).fold(best, f64::max)
    }
}

fn first_best(values: &[f64]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if values.get(best).is_none_or(|b| value > b) {
            best = at;
        }
    }
    best
}

/// A quantile of sorted values, interpolated as NumPy does.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = sorted.len().saturating_sub(1) as f64 * share;
    let (low, part) = (at.floor() as usize, at.fract());
    let value = |at: usize| sorted.get(at).copied();
    let first = value(low).unwrap_or(0.0);
    first + part * (value(low + 1).unwrap_or(first) - first)
}

/// 500 quantiles of both together, each once.
fn quantiles(own: &[f64], rival: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = own.iter().chain(rival).copied().collect();
    all.sort_by(f64::total_cmp);
    if all.is_empty() {
        return Vec::new();
    }
    let mut grid: Vec<f64> = (0..500)
        .map(|q| quantile(&all, f64::from(q) / 499.0))
        .collect();
    grid.dedup();
    grid
}

/// For each record of the smaller side, or of the one table, its assigned score and the best of a rival that no better
/// pair has.
fn rivals(
    pairs: &[u64],
    scores: &[f32],
    taken: &[usize],
    sides: Sides,
    lowest: f64,
) -> (Vec<f64>, Vec<f64>) {
    let range = sides.smaller();
    let place = |row: u32| (row - range.start) as usize;
    // A pair as one of its records and the other.
    let ends = |pair: u64| {
        let (a, b) = rows(pair);
        let own = |row: u32, other: u32| range.contains(&row).then_some((row, other));
        [own(a, b), own(b, a)].into_iter().flatten()
    };
    let mut own = vec![lowest; range.len()];
    let mut partner: Vec<Option<(u32, f32)>> = vec![None; sides.rows as usize];
    for at in taken {
        for (row, other) in ends(pairs[*at]) {
            own[place(row)] = f64::from(scores[*at]);
            partner[other as usize] = Some((row, scores[*at]));
        }
    }
    let mut rival = vec![lowest; range.len()];
    for (pair, score) in pairs.iter().zip(scores) {
        for (row, other) in ends(*pair) {
            let blocked =
                partner[other as usize].is_some_and(|(of, better)| of == row || better > *score);
            let rival = &mut rival[place(row)];
            if !blocked {
                *rival = rival.max(f64::from(*score));
            }
        }
    }
    (own, rival)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;
    use crate::decide::assignment::greedy;

    /// A number between -1 and 1 that looks like chance.
    fn noise(at: u64) -> f32 {
        (mastic_functions::sample_number(at) % 2001) as f32 / 1000.0 - 1.0
    }

    // Half of 200 records have a partner, around 8; each has rivals around -3.
    #[test]
    fn the_threshold_lies_between_matches_and_rivals() {
        let sides = Sides {
            rows: 400,
            split: Some(200),
        };
        let mut list = Vec::new();
        for row in 0..200_u32 {
            if row < 100 {
                list.push((pair(row, 200 + row), 8.0 + noise(u64::from(row))));
            }
            for n in 1..5 {
                let other = 200 + (row * 7 + n * 31) % 200;
                if other != 200 + row {
                    let score = -3.0 + 2.0 * noise(u64::from(row * 10 + n) + 1000);
                    list.push((pair(row, other), score));
                }
            }
        }
        list.sort_by_key(|(pair, _)| *pair);
        let pairs: Vec<u64> = list.iter().map(|(pair, _)| *pair).collect();
        let scores: Vec<f32> = list.iter().map(|(_, score)| *score).collect();
        let taken = greedy(&pairs, &scores, sides);
        let curve = Curve::new(&pairs, &scores, &taken, sides);
        assert!((-1.5..7.5).contains(&curve.pick()), "{}", curve.pick());
        assert!((0.4..0.7).contains(&curve.matched), "{}", curve.matched);
    }

    #[test]
    fn nothing_is_no_panic() {
        let sides = Sides {
            rows: 2,
            split: Some(1),
        };
        let curve = Curve::new(&[], &[], &[], sides);
        assert_eq!(curve.matched, 0.0);
        assert!(!curve.pick().is_nan());
    }
}
