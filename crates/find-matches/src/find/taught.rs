//! What labels teach, and what they say outright.

use hashbrown::{HashMap, HashSet};

use super::learn::{Evidence, Learned};
use crate::blocking::{Sides, rows};
use crate::decide::assignment::greedy;
use crate::decide::cluster::{SURE, cluster};
use crate::decide::gate::leads;
use crate::labels::Labelled;
use crate::model::supervised::{Signals, View};

/// What is known of the pairs without labels.
pub(crate) fn signals(evidence: &Evidence<'_>, learned: &Learned) -> Signals {
    let (pairs, sides) = (evidence.pairs(), evidence.sides);
    let threshold = learned.model.unsupervised_threshold as f32;
    let scores: Vec<f32> = learned.scores.iter().map(|s| s - threshold).collect();
    let leads = match evidence.neighbours {
        true => leads(pairs, evidence.record(), sides),
        false => vec![f64::NAN; pairs.len()],
    };
    Signals::new(
        pairs,
        sides,
        evidence.record(),
        scores,
        learned.plain.clone(),
        &leads,
        &learned.accepted,
    )
}

/// What a pair's features are made from.
pub(crate) fn view<'a>(evidence: &'a Evidence<'_>, signals: &'a Signals) -> View<'a> {
    View {
        compared: &evidence.compared,
        signals,
    }
}

/// The labelled pairs among candidates, by place.
pub(crate) fn places(pairs: &[u64], labelled: &Labelled) -> Vec<(usize, bool)> {
    let each = labelled.pairs.iter();
    each.filter_map(|l| Some((pairs.binary_search(&l.pair).ok()?, l.is_match)))
        .collect()
}

/// Has scores say what labels say, beyond any doubt.
pub(crate) fn enforce(scores: &mut [f32], labels: &[(usize, bool)]) {
    for (pair, is_match) in labels {
        scores[*pair] = if *is_match { SURE } else { -SURE };
    }
}

/// The pairs over the threshold; with one partner a record, the assigned ones.
pub(crate) fn accept(
    pairs: &[u64],
    scores: &[f32],
    sides: Sides,
    assigned: bool,
    threshold: f64,
) -> Vec<usize> {
    let over = |at: &usize| f64::from(scores[*at]) > threshold;
    match assigned {
        true => greedy(pairs, scores, sides)
            .into_iter()
            .filter(over)
            .collect(),
        false => (0..scores.len()).filter(over).collect(),
    }
}

/// Accepted pairs with what labels say outright: those that match, without those that do not; with one partner a
/// record, without other pairs of the records that match.
pub(crate) fn amend(
    pairs: &[u64],
    accepted: &[usize],
    labels: &[(usize, bool)],
    assigned: bool,
) -> Vec<usize> {
    let said: HashMap<usize, bool> = labels.iter().copied().collect();
    let matched: HashSet<u32> = labels
        .iter()
        .filter(|(_, is_match)| *is_match)
        .flat_map(|(at, _)| <[u32; 2]>::from(rows(pairs[*at])))
        .collect();
    let stays = |at: &usize| match said.get(at) {
        Some(_) => false,
        None => {
            let (a, b) = rows(pairs[*at]);
            !assigned || !matched.contains(&a) && !matched.contains(&b)
        }
    };
    let own = labels.iter().filter(|(_, is_match)| *is_match);
    let mut out: Vec<usize> = accepted.iter().copied().filter(stays).collect();
    out.extend(own.map(|(at, _)| *at));
    out.sort_unstable();
    out
}

/// The entities of accepted pairs, as the least row of each row's.
pub(crate) fn entities(
    pairs: &[u64],
    scores: &[f32],
    accepted: &[usize],
    sides: Sides,
    threshold: f64,
) -> Vec<u32> {
    let relative: Vec<f32> = scores.iter().map(|s| s - threshold as f32).collect();
    cluster(pairs, &relative, accepted, sides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;

    #[test]
    fn what_is_said_outright_counts() {
        let pairs = [pair(0, 1), pair(0, 2), pair(1, 3), pair(4, 5), pair(6, 7)];
        let labels = [(0, false), (1, true)];
        assert_eq!(amend(&pairs, &[0, 2, 3], &labels, false), [1, 2, 3]);
        // 1 and 3 are each other's: with one partner each, nothing else is theirs.
        let labels = [(2, true), (3, false)];
        assert_eq!(amend(&pairs, &[0, 3, 4], &labels, true), [2, 4]);
    }
}
