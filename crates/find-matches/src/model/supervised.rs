//! A learner that is taught by labels.
//!
//! A logistic regression over each column's similarity, the unsupervised score, and how far a pair leads over its
//! records' other candidates: labels are few, and what was learned without them is the best feature there is. Pairs that
//! nobody labelled are there with the unsupervised decision, and a tenth of the labels' weight together, so that
//! what labels say nothing of stays as it was.
//!
//! The regression is a loss that `basin` minimises ([`super::logistic`]): examples have weights here, which
//! `linfa-logistic` 0.8 and `smartcore` 0.7 do not take, and boosted trees were no better on 300 labels.

use mastic_functions::sample_number;
use serde::{Deserialize, Serialize};

use super::logistic::{Examples, decide, fit};
use crate::blocking::{Sides, rows};
use crate::compare::Compared;
use crate::decide::assignment::ranked;

/// The inverse of the penalty, as scikit-learn's `C`.
const C: f64 = 0.5;
/// Pairs at random that stand for all, and accepted ones, in the background.
const RANDOM: usize = 4_000;
const ACCEPTED: usize = 2_000;
/// What the background weighs, as a share of the labels.
const BACKGROUND: f64 = 0.1;
/// Beyond this, scores say nothing more.
const MOST: f32 = 20.0;

/// What a feature is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The similarity of a comparison, by its place.
    Similarity(usize),
    /// Whether a comparison has no value, by its place.
    Missing(usize),
    /// The unsupervised score, relative to its threshold.
    Score,
    /// The score of expectation–maximisation alone.
    Weights,
    /// How far the pair leads over its records' other candidates by score: the lesser and the greater of both.
    LeadLeast,
    /// The greater.
    LeadMost,
    /// The same by the cosine of whole records.
    CosineLeadLeast,
    /// The greater.
    CosineLeadMost,
    /// ln(1 + z), by how many usual spacings the pair stands out.
    StandsOut,
}

/// A feature with what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// What it is.
    pub of: Of,
    /// Its mean over all candidate pairs, at which missing values stand.
    pub mean: f64,
    /// Its standard deviation.
    pub scale: f64,
    /// What one standard deviation is worth, in natural units of log odds.
    pub coefficient: f64,
}

/// What was learned from labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Supervised {
    /// The features.
    pub features: Vec<Feature>,
    /// The score of a pair whose features are all usual.
    pub intercept: f64,
    /// Labelled pairs that match, and that do not, from which it was learned.
    pub labels: [u64; 2],
}

/// What is known of all candidate pairs without labels, beside how alike their columns are.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The score relative to the threshold, and of the weights alone.
    scores: Vec<f32>,
    weights: Vec<f32>,
    /// By score and by cosine: the lesser and the greater lead of the pair's records.
    leads: [Vec<f32>; 4],
    stands_out: Vec<f32>,
    /// The unsupervised decision.
    accepted: Vec<bool>,
}

impl Signals {
    /// `scores` are relative to the threshold, `weights` those of expectation–maximisation alone, `record` how alike
    /// whole records are; `leads` as [`crate::decide::gate::leads`] tells them.
    pub(crate) fn new(
        pairs: &[u64],
        sides: Sides,
        record: &[f32],
        scores: Vec<f32>,
        weights: Vec<f32>,
        leads: &[f64],
        accepted: &[usize],
    ) -> Self {
        let (least, most) = over_others(pairs, &scores, sides);
        let (near, far) = over_others(pairs, record, sides);
        let mut is_accepted = vec![false; pairs.len()];
        accepted.iter().for_each(|at| is_accepted[*at] = true);
        let z = |z: &f64| {
            if z.is_nan() {
                0.0
            } else {
                z.max(0.0).ln_1p() as f32
            }
        };
        Signals {
            scores,
            weights,
            leads: [least, most, near, far],
            stands_out: leads.iter().map(z).collect(),
            accepted: is_accepted,
        }
    }

    /// How many pairs there are.
    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    /// The unsupervised scores, relative to the threshold.
    pub(crate) fn scores(&self) -> &[f32] {
        &self.scores
    }
}

/// What a pair's features are made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) compared: &'a Compared,
    pub(crate) signals: &'a Signals,
}

impl View<'_> {
    /// All features that there could be.
    fn all(&self) -> Vec<Of> {
        let comparisons = 0..self.compared.similarities.len();
        let mut out: Vec<Of> = comparisons.clone().map(Of::Similarity).collect();
        out.extend(comparisons.map(Of::Missing));
        out.extend([
            Of::Score,
            Of::Weights,
            Of::LeadLeast,
            Of::LeadMost,
            Of::CosineLeadLeast,
            Of::CosineLeadMost,
            Of::StandsOut,
        ]);
        out
    }

    /// A feature of a pair, if it has it.
    fn value(&self, of: &Of, pair: usize) -> Option<f64> {
        let clipped = |list: &[f32], most: f32| f64::from(list[pair].clamp(-most, most));
        let signals = self.signals;
        Some(match of {
            Of::Similarity(k) => self.compared.similarity(*k, pair)?,
            Of::Missing(k) => match self.compared.similarity(*k, pair) {
                Some(_) => 0.0,
                None => 1.0,
            },
            Of::Score => clipped(&signals.scores, MOST),
            Of::Weights => clipped(&signals.weights, MOST),
            Of::LeadLeast => clipped(&signals.leads[0], MOST),
            Of::LeadMost => clipped(&signals.leads[1], MOST),
            Of::CosineLeadLeast => clipped(&signals.leads[2], 0.5),
            Of::CosineLeadMost => clipped(&signals.leads[3], 0.5),
            Of::StandsOut => f64::from(signals.stands_out[pair]),
        })
    }

    /// The features that differ between pairs, with their means and deviations.
    fn features(&self) -> Vec<Feature> {
        let n = self.signals.len();
        let mut out = Vec::new();
        for of in self.all() {
            let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
            for value in (0..n).filter_map(|pair| self.value(&of, pair)) {
                sum += value;
                squares += value * value;
                count += 1.0;
            }
            if count == 0.0 {
                continue;
            }
            let mean = sum / count;
            // What is missing stands at the mean, and makes the deviation less.
            let variance = (squares / count - mean * mean).max(0.0) * count / n as f64;
            let scale = variance.sqrt();
            if scale > 1e-6 {
                out.push(Feature {
                    of,
                    mean,
                    scale,
                    coefficient: 0.0,
                });
            }
        }
        out
    }

    /// Missing values stand at the mean.
    fn standardised(&self, features: &[Feature], pair: usize, out: &mut Vec<f64>) {
        out.clear();
        out.extend(features.iter().map(|f| {
            let value = self.value(&f.of, pair);
            value.map_or(0.0, |value| (value - f.mean) / f.scale)
        }));
    }
}

/// Each pair's score less the best other score of its records: the lesser and the greater of both.
fn over_others(pairs: &[u64], scores: &[f32], sides: Sides) -> (Vec<f32>, Vec<f32>) {
    const NONE: f32 = -99.0;
    let mut best = vec![[NONE; 2]; sides.rows as usize];
    for at in ranked(scores) {
        let (a, b) = rows(pairs[at]);
        for row in [a, b] {
            let best = &mut best[row as usize];
            if best[0] == NONE {
                best[0] = scores[at];
            } else if best[1] == NONE {
                best[1] = scores[at];
            }
        }
    }
    let lead = |row: u32, score: f32| {
        let [first, second] = best[row as usize];
        score - if score >= first { second } else { first }
    };
    pairs
        .iter()
        .zip(scores)
        .map(|(pair, score)| {
            let (a, b) = rows(*pair);
            let (x, y) = (lead(a, *score), lead(b, *score));
            (x.min(y), x.max(y))
        })
        .unzip()
}

impl Supervised {
    /// Learns from labelled pairs, given by place. None if all of them say the same, as does the background.
    pub(crate) fn learn(view: View<'_>, labels: &[(usize, bool)]) -> Option<Supervised> {
        let mut features = view.features();
        let signals = view.signals;
        let n = signals.len();
        let mut labelled = vec![false; n];
        labels.iter().for_each(|(pair, _)| labelled[*pair] = true);
        let every = n.div_ceil(RANDOM).max(1) as u64;
        let mut accepted: Vec<usize> = (0..n).filter(|pair| signals.accepted[*pair]).collect();
        accepted.sort_by(|a, b| signals.scores[*b].total_cmp(&signals.scores[*a]));
        accepted.truncate(ACCEPTED);
        let mut background: Vec<usize> = (0..n)
            .filter(|pair| sample_number(*pair as u64).is_multiple_of(every))
            .chain(accepted)
            .filter(|pair| !labelled[*pair])
            .collect();
        background.sort_unstable();
        background.dedup();
        let light = BACKGROUND * labels.len().max(1) as f64 / background.len().max(1) as f64;
        let each = labels
            .iter()
            .map(|(pair, is_match)| (*pair, *is_match, 1.0))
            .chain(
                background
                    .iter()
                    .map(|pair| (*pair, signals.accepted[*pair], light)),
            );
        let mut examples = Examples {
            features: Vec::new(),
            width: features.len(),
            matches: Vec::new(),
            weights: Vec::new(),
        };
        let mut row = Vec::new();
        for (pair, is_match, weight) in each {
            view.standardised(&features, pair, &mut row);
            examples.features.extend_from_slice(&row);
            examples.matches.push(f64::from(u8::from(is_match)));
            examples.weights.push(weight);
        }
        let matches: f64 = examples.matches.iter().sum();
        if features.is_empty() || matches == 0.0 || matches as usize == examples.matches.len() {
            return None;
        }
        let coefficients = fit(&examples, C)?;
        for (feature, coefficient) in features.iter_mut().zip(&coefficients) {
            feature.coefficient = *coefficient;
        }
        let yes = labels.iter().filter(|(_, is_match)| *is_match).count() as u64;
        Some(Supervised {
            features,
            intercept: coefficients.last().copied().unwrap_or(0.0),
            labels: [yes, labels.len() as u64 - yes],
        })
    }

    /// The weights alone, as if they had been taught.
    pub(crate) fn by_weights(view: View<'_>) -> Supervised {
        let mut features = view.features();
        features.retain(|f| f.of == Of::Weights);
        for feature in &mut features {
            feature.coefficient = feature.scale;
        }
        Supervised {
            features,
            intercept: 0.0,
            labels: [0, 0],
        }
    }

    /// Each pair's score: over 0 it is a match.
    pub(crate) fn scores(&self, view: View<'_>) -> Vec<f32> {
        let mut coefficients: Vec<f64> = self.features.iter().map(|f| f.coefficient).collect();
        coefficients.push(self.intercept);
        let mut row = Vec::new();
        (0..view.signals.len())
            .map(|pair| {
                view.standardised(&self.features, pair, &mut row);
                decide(&row, &coefficients).clamp(-100.0, 100.0) as f32
            })
            .collect()
    }

    /// How much each comparison moves the scores of these pairs: the mean of the absolute value of what its
    /// similarity, and its part in the unsupervised scores, add. `parts` are those of the weights, one a
    /// comparison. Not divided by anything.
    pub(crate) fn moved(
        &self,
        view: View<'_>,
        pairs: &[usize],
        comparisons: usize,
        parts: &dyn Fn(usize) -> Vec<f64>,
    ) -> Vec<f64> {
        let mut through = 0.0;
        for f in &self.features {
            if matches!(f.of, Of::Score | Of::Weights) {
                through += f.coefficient / f.scale;
            }
        }
        let each: Vec<Vec<f64>> = pairs.iter().map(|pair| parts(*pair)).collect();
        let mean = |k: usize| {
            let sum: f64 = each.iter().filter_map(|p| p.get(k)).sum();
            sum / each.len().max(1) as f64
        };
        let mut out = vec![0.0; comparisons];
        let mut row = Vec::new();
        let means: Vec<f64> = (0..comparisons).map(mean).collect();
        for (pair, parts) in pairs.iter().zip(&each) {
            view.standardised(&self.features, *pair, &mut row);
            let mut own = vec![0.0; comparisons];
            for (value, f) in row.iter().zip(&self.features) {
                if let Of::Similarity(k) | Of::Missing(k) = f.of
                    && let Some(own) = own.get_mut(k)
                {
                    *own += value * f.coefficient;
                }
            }
            for (k, (out, own)) in out.iter_mut().zip(own).enumerate() {
                let part = parts.get(k).copied().unwrap_or(0.0) - means[k];
                *out += (own + through * part).abs();
            }
        }
        out.iter_mut().for_each(|o| *o /= pairs.len().max(1) as f64);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;
    use crate::compare::NULL;

    /// 300 pairs of 600 records: those that match have a great first similarity. The unsupervised score goes by the
    /// second, which says nothing.
    fn made() -> (Vec<u64>, Compared, Vec<f32>, Vec<bool>) {
        let chance = |at: u64| (sample_number(at) % 1000) as f32 / 1000.0;
        let mut compared = Compared {
            similarities: vec![Vec::new(); 2],
            ..Compared::default()
        };
        let (mut pairs, mut scores, mut truth) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..300_u64 {
            let is_match = at % 3 == 0;
            pairs.push(pair(2 * at as u32, 2 * at as u32 + 1));
            let near = chance(at) * 0.4 + if is_match { 0.5 } else { 0.2 };
            compared.similarities[0].push(if at % 50 == 7 {
                NULL
            } else {
                (near * 254.0) as u8
            });
            compared.similarities[1].push((chance(at + 1000) * 254.0) as u8);
            compared.record.push(chance(at + 2000));
            scores.push(chance(at + 1000) - 0.5);
            truth.push(is_match);
        }
        (pairs, compared, scores, truth)
    }

    #[test]
    fn labels_teach_what_scores_do_not_know() {
        let (pairs, compared, scores, truth) = made();
        let sides = Sides {
            rows: 600,
            split: None,
        };
        let accepted: Vec<usize> = (0..300).filter(|at| scores[*at] > 0.0).collect();
        let right = |scores: &[f32]| {
            (0..300)
                .filter(|at| (scores[*at] > 0.0) == truth[*at])
                .count()
        };
        assert!(right(&scores) < 180);
        let signals = Signals::new(
            &pairs,
            sides,
            &compared.record,
            scores.clone(),
            scores,
            &[f64::NAN; 300],
            &accepted,
        );
        let view = View {
            compared: &compared,
            signals: &signals,
        };
        let labels: Vec<(usize, bool)> = (0..100).map(|at| (at, truth[at])).collect();
        let learned = Supervised::learn(view, &labels).unwrap();
        assert_eq!(learned.labels, [34, 66]);
        let found = learned.scores(view);
        assert!(right(&found) > 250, "{}", right(&found));
        let moved = learned.moved(view, &[0, 1, 2, 3, 4, 5], 2, &|_| vec![0.0, 0.0]);
        assert!(moved[0] > 3.0 * moved[1], "{moved:?}");
        // What was learned is the same when it was written and read.
        let text = serde_json::to_string(&learned).unwrap();
        let again: Supervised = serde_json::from_str(&text).unwrap();
        assert_eq!(again.scores(view), found);
    }

    #[test]
    fn leads_are_over_other_candidates() {
        let pairs = [pair(0, 10), pair(0, 11), pair(1, 11)];
        let sides = Sides {
            rows: 12,
            split: Some(10),
        };
        let (least, most) = over_others(&pairs, &[5.0, 2.0, 4.0], sides);
        // Row 10 has no other candidate: its lead is over -99.
        assert_eq!(least, [3.0, -3.0, 2.0]);
        assert_eq!(most, [104.0, -2.0, 103.0]);
    }

    #[test]
    fn nothing_to_learn_from() {
        let compared = Compared::default();
        let sides = Sides {
            rows: 2,
            split: None,
        };
        let signals = Signals::new(&[], sides, &[], Vec::new(), Vec::new(), &[], &[]);
        let view = View {
            compared: &compared,
            signals: &signals,
        };
        assert!(Supervised::learn(view, &[]).is_none());
    }
}
