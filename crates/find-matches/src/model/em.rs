//! The weights of Fellegi and Sunter, by expectation–maximisation, with competition.
//!
//! Plain EM finds whatever two classes explain the pairs best, "the same brand" among them. Here only pairs
//! that are the best of one of their records (one to one: that are assigned to each other) count as possible
//! matches; all count as what chance makes. Each round is a sum over patterns, weighted by how many of a
//! pattern's pairs are such best ones. In the last rounds the other pairs of small groups of matches count, too
//! ([`transitive`]): else only the likest two of three records that are one would say how much such records differ.

use crate::blocking::{Sides, rows};
use crate::compare::{NULL, levels_of};
use crate::decide::assignment::greedy;
use crate::model::patterns::Patterns;
use crate::model::together::Together;
use crate::model::{ComparisonModel, Model, logit, sigmoid, tf, transitive};
use crate::settings::Kind;

/// Rounds.
const ROUNDS: usize = 12;
/// In how many of them, the last, all pairs of a group of matches count as such; and at least for how much.
const TRANSITIVE: usize = 4;
const OF_GROUP: f64 = 0.8;

/// What EM is told of the pairs.
pub(crate) struct Input<'a> {
    pub(crate) pairs: &'a [u64],
    pub(crate) sides: Sides,
    pub(crate) patterns: &'a Patterns,
    /// The names and kinds of the comparisons.
    pub(crate) comparisons: &'a [(String, Option<Kind>)],
    pub(crate) one_to_one: bool,
    /// Whether there are great groups of equals, in which most matches are nobody's best: then no pair competes.
    pub(crate) great_groups: bool,
    /// Whether there is a class of pairs that are related without being the same.
    pub(crate) relations: bool,
}

/// Learns a model; `scores` order the pairs, and `chances` are what they are thought to be, at the beginning.
/// Returns the model and each pair's score.
pub(crate) fn learn(input: &Input<'_>, scores: &[f32], chances: Vec<f32>) -> (Model, Vec<f32>) {
    let patterns = input.patterns;
    let n = input.pairs.len();
    let rarity: Vec<Option<f64>> = (0..input.comparisons.len())
        .map(|k| tf::mean(patterns, k))
        .collect();
    let mut scores = scores.to_vec();
    let mut chances = chances;
    let mut model = Model::default();
    // An entity of any number of records, and no other model of why pairs are alike.
    let several = !input.one_to_one && !input.great_groups && !input.relations;
    let looks: Vec<Look> = (0..patterns.len()).map(|p| look(input, p)).collect();
    // How much of what is no match is related, for each pattern.
    let mut related: Vec<f64> = looks
        .iter()
        .map(|l| {
            if *l == Look::Related && input.relations {
                0.95
            } else {
                0.0
            }
        })
        .collect();
    if input.relations {
        for (chance, pattern) in chances.iter_mut().zip(&patterns.of) {
            *chance = if looks[*pattern as usize] == Look::Same {
                0.95
            } else {
                0.02
            };
        }
    }
    let together = match several {
        true => Some(Together::new(patterns, input.comparisons)),
        false => None,
    };
    for round in 0..ROUNDS {
        let best = competitors(input, &scores);
        let groups = match several && round + TRANSITIVE >= ROUNDS {
            true => transitive::Groups::new(input.pairs, input.sides, &best, &chances),
            false => transitive::Groups::default(),
        };
        // For each pattern: how much of it is matches, and how much is not.
        let (mut matches, mut others) =
            (vec![0.0_f64; patterns.len()], vec![0.0_f64; patterns.len()]);
        for pair in 0..n {
            let (chance, pattern) = (f64::from(chances[pair]), patterns.of[pair] as usize);
            if groups.hold(input.pairs[pair]) {
                let chance = chance.max(OF_GROUP);
                matches[pattern] += chance;
                others[pattern] += 1.0 - chance;
            } else if best[pair] {
                matches[pattern] += chance;
                others[pattern] += 1.0 - chance;
            } else {
                others[pattern] += if input.one_to_one { 1.0 } else { 1.0 - chance };
            }
        }
        let near: Vec<f64> = others.iter().zip(&related).map(|(o, r)| o * r).collect();
        let far: Vec<f64> = others
            .iter()
            .zip(&related)
            .map(|(o, r)| o * (1.0 - r))
            .collect();
        let share = |of: &[f64]| (of.iter().sum::<f64>() / n.max(1) as f64).clamp(1e-6, 0.5);
        model.prior = share(&matches);
        model.related = if input.relations { share(&near) } else { 0.0 };
        model.comparisons = (0..input.comparisons.len())
            .map(|k| {
                maximise(
                    input,
                    k,
                    &matches,
                    &far,
                    &near,
                    rarity.get(k).copied().flatten(),
                )
            })
            .collect();
        if let Some(together) = &together {
            let parts = together.parts(&matches);
            for (comparison, part) in model.comparisons.iter_mut().zip(parts) {
                comparison.part = part;
            }
        }
        let table = Table::new(&model);
        let worth: Vec<f32> = (0..patterns.len())
            .map(|p| table.score(&model, patterns, p) as f32)
            .collect();
        let likely: Vec<f32> = worth
            .iter()
            .map(|score| sigmoid(f64::from(*score)) as f32)
            .collect();
        if input.relations {
            for (pattern, related) in related.iter_mut().enumerate() {
                if looks[pattern] != Look::Far {
                    *related = share_of_related(&model, patterns, pattern);
                }
            }
        }
        for pair in 0..n {
            let pattern = patterns.of[pair] as usize;
            scores[pair] = worth[pattern];
            chances[pair] = likely[pattern];
        }
    }
    (model, scores)
}

/// What a pattern looks like before anything is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Nothing disagrees altogether, and half or more agrees.
    Same,
    /// Some of it agrees, and some disagrees altogether.
    Related,
    /// The rest, which is taken for chance all along.
    Far,
}

fn look(input: &Input<'_>, pattern: usize) -> Look {
    let (mut given, mut agree, mut apart) = (0, 0, 0);
    for (k, (_, kind)) in input.comparisons.iter().enumerate() {
        let Some(kind) = kind else { continue };
        let level = input.patterns.level(pattern, k);
        if level == NULL {
            continue;
        }
        let top = levels_of(Some(*kind)) - 1;
        given += 1;
        agree += usize::from(usize::from(level) * 5 >= top * 3);
        apart += usize::from(level == 0);
    }
    if apart == 0 && 2 * agree >= given {
        Look::Same
    } else if agree >= 2 && 10 * agree >= 3 * given {
        Look::Related
    } else {
        Look::Far
    }
}

fn maximise(
    input: &Input<'_>,
    k: usize,
    matches: &[f64],
    far: &[f64],
    near: &[f64],
    rarity: Option<f64>,
) -> ComparisonModel {
    let (name, kind) = input.comparisons.get(k).cloned().unwrap_or_default();
    // Levels beyond the greatest that occurs have no share.
    let top = (0..input.patterns.len())
        .map(|p| input.patterns.level(p, k))
        .filter(|l| *l != NULL)
        .max();
    let levels = top.map_or(levels_of(kind), |top| usize::from(top) + 1);
    let shares = |weights: &[f64]| {
        let mut shares = vec![0.5; levels];
        for (pattern, weight) in weights.iter().enumerate() {
            if let Some(share) = shares.get_mut(usize::from(input.patterns.level(pattern, k))) {
                *share += weight;
            }
        }
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        shares
    };
    ComparisonModel {
        name,
        kind,
        m: shares(matches),
        u: shares(far),
        related: if input.relations {
            shares(near)
        } else {
            Vec::new()
        },
        rarity,
        part: 1.0,
    }
}

/// How much of what is no match of a pattern is related.
fn share_of_related(model: &Model, patterns: &Patterns, pattern: usize) -> f64 {
    if model.related == 0.0 {
        return 0.0;
    }
    let mut odds = (model.related / (1.0 - model.prior - model.related).max(1e-6)).ln();
    for (k, comparison) in model.comparisons.iter().enumerate() {
        let level = usize::from(patterns.level(pattern, k));
        if let (Some(near), Some(far)) = (comparison.related.get(level), comparison.u.get(level)) {
            odds += (near / far).ln();
        }
    }
    sigmoid(odds)
}

/// The parts of a pattern's score, one for each comparison; 0 where a value is missing. Against which of the
/// classes of what is no match is weighed by how likely each is.
pub(crate) fn parts<'a>(
    model: &'a Model,
    patterns: &'a Patterns,
    pattern: usize,
) -> impl Iterator<Item = f64> + 'a {
    let related = share_of_related(model, patterns, pattern);
    model
        .comparisons
        .iter()
        .enumerate()
        .map(move |(k, comparison)| match patterns.level(pattern, k) {
            NULL => 0.0,
            level => {
                let level = usize::from(level);
                let extra = tf::adjustment(patterns.rarity(pattern, k), comparison.rarity);
                let weights = [
                    comparison.weight(level),
                    comparison.weight_of_related(level),
                ];
                part(related, weights, extra)
            }
        })
}

/// What a level adds to a score, by what it weighs against each class of what is no match.
fn part(related: f64, [far, near]: [f64; 2], extra: f64) -> f64 {
    (1.0 - related) * far + related * near + extra
}

/// What [`parts`] says of each level and rarity, worked out once for all patterns: their logarithms take the time.
struct Table {
    /// For each comparison and level.
    weights: Vec<Vec<[f64; 2]>>,
    /// For each comparison and rarity.
    extra: Vec<Vec<f64>>,
}

impl Table {
    fn new(model: &Model) -> Table {
        let each = model.comparisons.iter();
        let weights = each.clone().map(|c| {
            let levels = 0..=usize::from(u8::MAX);
            levels
                .map(|level| [c.weight(level), c.weight_of_related(level)])
                .collect()
        });
        let extra = each.map(|c| {
            (0..=u8::MAX)
                .map(|rarity| tf::adjustment(rarity, c.rarity))
                .collect()
        });
        Table {
            weights: weights.collect(),
            extra: extra.collect(),
        }
    }

    /// As [`score`].
    fn score(&self, model: &Model, patterns: &Patterns, pattern: usize) -> f64 {
        let related = share_of_related(model, patterns, pattern);
        let each = self.weights.iter().zip(&self.extra).enumerate();
        let sum = each
            .map(|(k, (weights, extra))| match patterns.level(pattern, k) {
                NULL => 0.0,
                level => {
                    let rarity = usize::from(patterns.rarity(pattern, k));
                    part(related, weights[usize::from(level)], extra[rarity])
                }
            })
            .sum();
        odds(model, related, sum)
    }
}

/// A pattern's score: the log odds that a pair of it is a match.
pub(crate) fn score(model: &Model, patterns: &Patterns, pattern: usize) -> f64 {
    let sum = parts(model, patterns, pattern).sum::<f64>();
    odds(model, share_of_related(model, patterns, pattern), sum)
}

/// The log odds of a match, by the sum of the parts.
fn odds(model: &Model, related: f64, sum: f64) -> f64 {
    if model.related == 0.0 {
        return logit(model.prior) + sum;
    }
    // ln Σ x = Σ ρ ln x - Σ ρ ln ρ, for the classes of what is no match and their shares ρ.
    let related = related.clamp(1e-12, 1.0 - 1e-12);
    let entropy = -(related * related.ln() + (1.0 - related) * (1.0 - related).ln());
    let near = related * model.related.ln();
    let far = (1.0 - related) * (1.0 - model.prior - model.related).max(1e-6).ln();
    model.prior.ln() - near - far - entropy + sum
}

fn competitors(input: &Input<'_>, scores: &[f32]) -> Vec<bool> {
    if input.great_groups {
        return vec![true; scores.len()];
    }
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
    each.map(|(pair, score)| close(rows(*pair).0, *score) || close(rows(*pair).1, *score))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;
    use crate::compare::Compared;

    // 100 pairs that agree on two of three columns each, of 1,000 that agree on one by chance: m is about 0.9 and u
    // about 0.1, as they were made.
    #[test]
    fn weights_are_learned_without_labels() {
        let chance = |at: u64| mastic_functions::sample_number(at) % 100;
        let mut compared = Compared {
            levels: vec![Vec::new(); 4],
            ..Compared::default()
        };
        let mut pairs = Vec::new();
        for at in 0..1100_u64 {
            let is_match = at < 100;
            pairs.push(pair(2 * at as u32, 2 * at as u32 + 1));
            for (k, levels) in (0_u64..).zip(&mut compared.levels) {
                let agrees = chance(7 * at + k) < if is_match { 90 } else { 10 };
                levels.push(if agrees { 5 } else { 0 });
            }
            compared.record.push(0.0);
        }
        for at in 0..1100 {
            let agree = compared.levels.iter().filter(|l| l[at] == 5).count();
            compared.record[at] = agree as f32 / 4.0;
        }
        compared.rarity = vec![vec![0; 1100]; 4];
        let patterns = Patterns::new(&compared);
        let comparisons: Vec<_> = (0..4)
            .map(|k| (format!("c{k}"), Some(Kind::String)))
            .collect();
        let input = Input {
            pairs: &pairs,
            sides: Sides {
                rows: 2200,
                split: None,
            },
            patterns: &patterns,
            comparisons: &comparisons,
            one_to_one: false,
            great_groups: false,
            relations: false,
        };
        let chances = compared
            .record
            .iter()
            .map(|s| s.clamp(0.01, 0.99))
            .collect();
        let (model, scores) = learn(&input, &compared.record, chances);
        for c in &model.comparisons {
            assert!(c.m[5] > 0.8 && c.u[5] < 0.2, "{c:?}");
        }
        let right = (0..1100)
            .filter(|at| (scores[*at] > 0.0) == (*at < 100))
            .count();
        assert!(right > 1070, "{right}");
        let table = Table::new(&model);
        for pattern in 0..patterns.len() {
            let (fast, slow) = (
                table.score(&model, &patterns, pattern),
                score(&model, &patterns, pattern),
            );
            assert_eq!(fast, slow);
        }
        // The parts and the prior make the score.
        let whole = score(&model, &patterns, 0);
        let sum: f64 = parts(&model, &patterns, 0).sum();
        assert!((whole - sum - logit(model.prior)).abs() < 1e-9);
    }
}
