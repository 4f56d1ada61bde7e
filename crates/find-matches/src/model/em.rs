//! The weights of Fellegi and Sunter, by expectation–maximisation, with competition.
//!
//! Plain EM finds whatever two classes explain the pairs best, "the same brand" among them. Here only pairs
//! that are the best of one of their records (one to one: that are assigned to each other) count as possible
//! matches; all count as what chance makes. Each round is a sum over patterns, weighted by how many of a
//! pattern's pairs are such best ones.

use crate::blocking::{Sides, rows};
use crate::compare::{NULL, levels_of};
use crate::decide::assignment::greedy;
use crate::model::patterns::Patterns;
use crate::model::{ComparisonModel, Model, logit, sigmoid, tf};
use crate::settings::Kind;

/// Rounds.
const ROUNDS: usize = 12;

/// What EM is told of the pairs.
pub(crate) struct Input<'a> {
    pub(crate) pairs: &'a [u64],
    pub(crate) sides: Sides,
    pub(crate) patterns: &'a Patterns,
    /// The names and kinds of the comparisons.
    pub(crate) comparisons: &'a [(String, Option<Kind>)],
    pub(crate) one_to_one: bool,
}

/// Learns a model; `scores` order the pairs, and `chances` are what they are thought to be, at the beginning.
/// Returns the model and each pair's score.
pub(crate) fn learn(input: &Input<'_>, scores: &[f32], chances: Vec<f32>) -> (Model, Vec<f32>) {
    let patterns = input.patterns;
    let n = input.pairs.len();
    let rarity: Vec<Option<f64>> = (0..patterns.width()).map(|k| tf::mean(patterns, k)).collect();
    let mut scores = scores.to_vec();
    let mut chances = chances;
    let mut model = Model::default();
    for _ in 0..ROUNDS {
        let best = competitors(input, &scores);
        // For each pattern: how much of it is matches, and how much is not.
        let (mut matches, mut others) = (vec![0.0_f64; patterns.len()], vec![0.0_f64; patterns.len()]);
        for pair in 0..n {
            let (chance, pattern) = (f64::from(chances[pair]), patterns.of[pair] as usize);
            if best[pair] {
                matches[pattern] += chance;
                others[pattern] += 1.0 - chance;
            } else {
                others[pattern] += if input.one_to_one { 1.0 } else { 1.0 - chance };
            }
        }
        let prior = (matches.iter().sum::<f64>() / n.max(1) as f64).clamp(1e-6, 0.5);
        model.prior = prior;
        model.comparisons = (0..patterns.width())
            .map(|k| maximise(input, k, &matches, &others, rarity.get(k).copied().flatten()))
            .collect();
        let worth: Vec<f32> = (0..patterns.len()).map(|p| score(&model, patterns, p) as f32).collect();
        for pair in 0..n {
            scores[pair] = worth[patterns.of[pair] as usize];
            chances[pair] = sigmoid(f64::from(scores[pair])) as f32;
        }
    }
    (model, scores)
}

fn maximise(
    input: &Input<'_>,
    k: usize,
    matches: &[f64],
    others: &[f64],
    rarity: Option<f64>,
) -> ComparisonModel {
    let (name, kind) = input.comparisons.get(k).cloned().unwrap_or_default();
    // Levels beyond the greatest that occurs have no share.
    let top = (0..input.patterns.len()).map(|p| input.patterns.level(p, k)).filter(|l| *l != NULL).max();
    let levels = top.map_or(levels_of(kind), |top| usize::from(top) + 1);
    let (mut m, mut u) = (vec![0.5; levels], vec![0.5; levels]);
    for pattern in 0..input.patterns.len() {
        let level = usize::from(input.patterns.level(pattern, k));
        if let (Some(m), Some(u)) = (m.get_mut(level), u.get_mut(level)) {
            *m += matches[pattern];
            *u += others[pattern];
        }
    }
    for shares in [&mut m, &mut u] {
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
    }
    ComparisonModel { name, kind, m, u, rarity }
}

/// The parts of a pattern's score, one for each comparison; 0 where a value is missing.
pub(crate) fn parts<'a>(
    model: &'a Model,
    patterns: &'a Patterns,
    pattern: usize,
) -> impl Iterator<Item = f64> + 'a {
    model.comparisons.iter().enumerate().map(move |(k, comparison)| {
        match patterns.level(pattern, k) {
            NULL => 0.0,
            level => {
                let extra = tf::adjustment(patterns.rarity(pattern, k), comparison.rarity);
                comparison.weight(usize::from(level)) + extra
            }
        }
    })
}

/// A pattern's score: the log odds that a pair of it is a match.
pub(crate) fn score(model: &Model, patterns: &Patterns, pattern: usize) -> f64 {
    logit(model.prior) + parts(model, patterns, pattern).sum::<f64>()
}

fn competitors(input: &Input<'_>, scores: &[f32]) -> Vec<bool> {
    if input.one_to_one {
        let mut out = vec![false; scores.len()];
        for pair in greedy(input.pairs, scores, input.sides) {
            out[pair] = true;
        }
        return out;
    }
    let mut best = vec![f32::NEG_INFINITY; input.sides.rows as usize];
    for (pair, score) in input.pairs.iter().zip(scores) {
        let (a, b) = rows(*pair);
        for row in [a, b] {
            let best = &mut best[row as usize];
            *best = best.max(*score);
        }
    }
    let close = |row: u32, score: f32| score >= best[row as usize] - 1e-6;
    let each = input.pairs.iter().zip(scores);
    each.map(|(pair, score)| close(rows(*pair).0, *score) || close(rows(*pair).1, *score)).collect()
}
