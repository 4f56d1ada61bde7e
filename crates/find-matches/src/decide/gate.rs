//! Is there anything to be found at all?
//!
//! A table without duplicates has nearest neighbours, too. What a match has and they have not is a lead: a gap
//! between it and the record's other candidates. If none of a record's candidates matches, the spacings of its
//! sorted cosines, the k-th times k, are about exponential with one mean (Rényi 1953).

use crate::blocking::{Sides, rows};

use super::assignment::ranked;

/// How many candidates of a record are looked at, and how many of them may be matches.
const LOOKED_AT: usize = 10;
const MATCHES: usize = 5;
/// The lead that convinces, in usual spacings.
const CONVINCING: f64 = 3.0;

/// For each pair, the lesser of its two records' leads, 0 if it lies below the gap, NaN if a record's candidates
/// say nothing.
pub(crate) fn leads(pairs: &[u64], cosines: &[f32], sides: Sides) -> Vec<f64> {
    let mut lists: Vec<Vec<f32>> = vec![Vec::new(); sides.rows as usize];
    let mut counts = vec![0_usize; sides.rows as usize];
    for at in ranked(cosines) {
        let (a, b) = rows(pairs[at]);
        for row in [a, b] {
            counts[row as usize] += 1;
            let list = &mut lists[row as usize];
            if list.len() < LOOKED_AT {
                list.push(cosines[at]);
            }
        }
    }
    let Some(all) = Leads::new(&lists, &counts) else {
        return vec![f64::NAN; pairs.len()];
    };
    let each = pairs.iter().zip(cosines);
    each.map(|(pair, cosine)| {
        let (a, b) = rows(*pair);
        let (x, y) = (all.of(a as usize, *cosine), all.of(b as usize, *cosine));
        if x.is_nan() || y.is_nan() {
            f64::NAN
        } else {
            x.min(y)
        }
    })
    .collect()
}

struct Leads {
    /// Of each record: the lead, the cosine above the gap, and whether it says anything.
    each: Vec<(f64, f32, bool)>,
}

impl Leads {
    fn new(lists: &[Vec<f32>], counts: &[usize]) -> Option<Leads> {
        let spacings = |list: &Vec<f32>| -> Vec<f64> {
            let gaps = list.windows(2).zip(1..);
            gaps.map(|(w, k)| f64::from(w[0] - w[1]) * f64::from(k))
                .collect()
        };
        let mut usual: Vec<f64> = lists
            .iter()
            .flat_map(|l| spacings(l).into_iter().skip(MATCHES - 1))
            .collect();
        usual.sort_by(f64::total_cmp);
        let middle = |at: usize| usual.get(at).copied();
        let sigma = (middle(usual.len().checked_sub(1)? / 2)? + middle(usual.len() / 2)?) / 2.0;
        if sigma <= 1e-6 {
            return None;
        }
        let each = lists.iter().zip(counts).map(|(list, count)| {
            let spacings = spacings(list);
            let (first, rest) = spacings.split_at(spacings.len().min(MATCHES - 1));
            let own = match rest.len() {
                0 => sigma,
                n => rest.iter().sum::<f64>() / n as f64,
            };
            let mut gap = (0, 0.0);
            for (k, d) in first.iter().chain(rest.first()).enumerate() {
                if *d > gap.1 {
                    gap = (k, *d);
                }
            }
            let top = list.first().copied().unwrap_or(9.0);
            let full = list.get(LOOKED_AT - 1).copied().unwrap_or(0.0) >= (0.6 * top).max(0.5);
            let cut = list.get(gap.0).copied().unwrap_or(f32::INFINITY);
            (gap.1 / (0.5 * own + 0.5 * sigma), cut, *count < 3 || full)
        });
        Some(Leads {
            each: each.collect(),
        })
    }

    fn of(&self, row: usize, cosine: f32) -> f64 {
        match self.each.get(row) {
            Some((_, _, true)) | None => f64::NAN,
            Some((lead, cut, false)) => {
                if cosine >= cut - 1e-6 {
                    *lead
                } else {
                    0.0
                }
            }
        }
    }
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// Leads say nothing here.
    Silent,
    /// The leads convince.
    Passed,
    /// Most do not: each must stand for itself.
    Doubtful,
    /// Most do not, or there are few: what counts is more than the same values make by chance.
    Shuffled,
    /// Nothing tells equals apart.
    Alike,
}

/// The accepted pairs, the best first, and how many of the first of them stand out by half; none if leads say
/// nothing.
fn standing(scores: &[f32], mut order: Vec<usize>, leads: &[f64]) -> (Vec<usize>, Option<usize>) {
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let silent = order.iter().filter(|at| leads[**at].is_nan()).count();
    if order.is_empty() || silent * 2 > order.len() {
        return (order, None);
    }
    let (mut strong, mut kept) = (0.0, 0);
    for (at, place) in order.iter().enumerate() {
        let z = leads[*place];
        strong += f64::from(u8::from(z.is_nan() || z >= CONVINCING));
        if strong >= 0.5 * (at + 1) as f64 - 0.5 {
            kept = at + 1;
        }
    }
    (order, Some(kept))
}

/// Whether too few of the accepted pairs stand out.
pub(crate) fn is_doubtful(scores: &[f32], accepted: &[usize], leads: &[f64]) -> bool {
    let (order, kept) = standing(scores, accepted.to_vec(), leads);
    kept.is_some_and(|kept| (kept as f64) < 0.8 * order.len() as f64)
}

/// What of the accepted pairs remains.
pub(crate) fn gate(
    scores: &[f32],
    accepted: Vec<usize>,
    leads: &[f64],
    records: usize,
) -> (Vec<usize>, Verdict) {
    let (mut order, kept) = standing(scores, accepted, leads);
    let Some(kept) = kept else {
        return (order, Verdict::Silent);
    };
    if kept as f64 >= 0.8 * order.len() as f64 {
        order.truncate(kept);
        return (order, Verdict::Passed);
    }
    let lead: Vec<f64> = order.iter().map(|at| leads[*at]).collect();
    // Benjamini and Hochberg, at 10 %, over all records.
    let chance: Vec<f64> = lead
        .iter()
        .map(|z| (5.0 * (-if z.is_nan() { 0.0 } else { *z }).exp()).min(1.0))
        .collect();
    let mut by_chance: Vec<usize> = (0..order.len()).collect();
    by_chance.sort_by(|a, b| chance[*a].total_cmp(&chance[*b]));
    let passes = |(rank, at): (usize, &usize)| {
        chance[*at] <= 0.1 * (rank + 1) as f64 / records.max(1) as f64
    };
    let last = by_chance
        .iter()
        .enumerate()
        .filter(|e| passes((e.0, e.1)))
        .map(|(rank, _)| rank + 1)
        .max();
    let kept = by_chance
        .into_iter()
        .take(last.unwrap_or(0))
        .map(|at| order[at])
        .collect();
    (kept, Verdict::Doubtful)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;

    /// Cosines of 300 records in a ring with their 10 next, even spacings but for chance; `duplicates` have one
    /// neighbour that is much nearer.
    fn ring(duplicates: bool) -> (Vec<u64>, Vec<f32>) {
        let mut list = Vec::new();
        for row in 0..300_u32 {
            for n in 1..=10 {
                let chance =
                    (mastic_functions::sample_number(u64::from(row * 10 + n)) % 1000) as f32;
                let near = duplicates && n == 1 && row % 3 == 0;
                let cosine = if near {
                    0.9
                } else {
                    0.2 - 0.03 * (1.0 - chance / 1001.0).ln()
                };
                list.push((pair(row, (row + n) % 300), cosine));
            }
        }
        list.sort_by_key(|(pair, _)| *pair);
        list.into_iter().unzip()
    }

    #[test]
    fn matches_that_stand_out_pass_and_chance_does_not() {
        let sides = Sides {
            rows: 300,
            split: None,
        };
        let (pairs, cosines) = ring(true);
        let accepted: Vec<usize> = (0..pairs.len()).filter(|at| cosines[*at] > 0.8).collect();
        let found = gate(
            &cosines,
            accepted.clone(),
            &leads(&pairs, &cosines, sides),
            300,
        );
        assert_eq!((found.0.len(), found.1), (accepted.len(), Verdict::Passed));

        let (pairs, cosines) = ring(false);
        let mut order = ranked(&cosines);
        order.truncate(100);
        let found = gate(&cosines, order, &leads(&pairs, &cosines, sides), 300);
        assert!(
            found.0.len() <= 5 && found.1 == Verdict::Doubtful,
            "{found:?}"
        );
    }

    #[test]
    fn nothing_is_no_panic() {
        let sides = Sides {
            rows: 3,
            split: None,
        };
        assert!(leads(&[], &[], sides).is_empty());
        assert_eq!(gate(&[], Vec::new(), &[], 3), (Vec::new(), Verdict::Silent));
    }
}
