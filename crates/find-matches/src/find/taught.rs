//! What labels teach, and what they say outright.

use super::learn::{Evidence, Learned};
use crate::blocking::Sides;
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
