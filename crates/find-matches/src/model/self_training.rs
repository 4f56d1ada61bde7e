//! Linking one to one: a learner that is taught by the model's own assignment.
//!
//! The assignment is right more often than the model's score alone, for a record's other candidates speak
//! against each other. A logistic regression learns from it, with the similarities themselves beside their
//! levels; and the cosine of whole records is calibrated to it. The score is half of half the model's, half the
//! calibrated cosine's and the learner's together.

use serde::{Deserialize, Serialize};

use super::logistic::{Examples, decide, fit};
use super::tf;
use crate::compare::{Compared, NULL};

/// The most pairs that are learned from.
const MOST: usize = 100_000;

/// What was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learner {
    /// The greatest level of each comparison.
    pub top: Vec<u8>,
    /// Coefficients of similarities, of what is missing, of levels and of rarities; the intercept last.
    pub coefficients: Vec<f64>,
    /// Slope and intercept of the calibrated cosine of whole records.
    pub calibration: [f64; 2],
}

impl Learner {
    /// Each pair's new score, of that by the model alone.
    pub(crate) fn scores(&self, compared: &Compared, scores: &[f32]) -> Vec<f32> {
        let (mut row, [slope, intercept]) = (Vec::new(), self.calibration);
        let each = scores.iter().enumerate().map(|(pair, score)| {
            features(compared, &self.top, pair, &mut row);
            let learned = decide(&row, &self.coefficients);
            let cosine = f64::from(compared.record[pair]) * slope + intercept;
            ((0.5 * f64::from(*score) + 0.5 * cosine + learned) / 2.0) as f32
        });
        each.collect()
    }
}

/// The features of a pair.
fn features(compared: &Compared, top: &[u8], pair: usize, out: &mut Vec<f64>) {
    out.clear();
    let count = compared.similarities.len();
    out.extend((0..count).map(|of| compared.similarity(of, pair).unwrap_or(0.0)));
    for of in &compared.similarities {
        out.push(f64::from(u8::from(of[pair] == NULL)));
    }
    for (of, top) in compared.levels.iter().zip(top) {
        let level = of[pair];
        out.extend((1..=*top).map(|l| f64::from(u8::from(level != NULL && level >= l))));
    }
    for of in &compared.rarity {
        out.push(tf::rarity(of[pair]).unwrap_or(0.0) / 5.0);
    }
}

/// Learns from the pairs that are assigned and over the threshold, and gives each pair its new score. None
/// if there are too few of either kind.
pub(crate) fn learn(
    compared: &Compared,
    scores: &[f32],
    assigned: &[usize],
    threshold: f64,
) -> Option<(Learner, Vec<f32>)> {
    let n = scores.len();
    let mut soft = vec![0.0; n];
    for pair in assigned {
        soft[*pair] = if f64::from(scores[*pair]) > threshold {
            0.98
        } else {
            0.02
        };
    }
    let matches = soft.iter().filter(|w| **w > 0.5).count();
    if matches < 5 || n - matches < 5 {
        return None;
    }
    let top: Vec<u8> = compared
        .levels
        .iter()
        .map(|of| of.iter().copied().filter(|l| *l != NULL).max().unwrap_or(0))
        .collect();
    // Of many pairs, every so many that is assigned to nobody stands for the others.
    let every = n.div_ceil(MOST).max(1);
    let (mut rows, mut y, mut weights, mut row) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (pair, soft) in soft.iter().enumerate() {
        let chosen = *soft > 0.0 || pair.is_multiple_of(every);
        if chosen {
            features(compared, &top, pair, &mut row);
            rows.extend_from_slice(&row);
            y.push(if *soft > 0.5 { 1.0 } else { 0.0 });
            weights.push(if *soft > 0.0 { 1.0 } else { every as f64 });
        }
    }
    let width = row.len();
    let examples = Examples {
        features: rows,
        width,
        matches: y,
        weights,
    };
    let coefficients = fit(&examples, 0.1)?;
    let calibration = calibrate(&compared.record[..n], &soft)?;
    let learner = Learner {
        top,
        coefficients,
        calibration,
    };
    let scores = learner.scores(compared, scores);
    Some((learner, scores))
}

/// Platt's calibration against soft labels.
fn calibrate(cosines: &[f32], soft: &[f64]) -> Option<[f64; 2]> {
    let examples = Examples {
        features: cosines.iter().map(|c| f64::from(*c)).collect(),
        width: 1,
        matches: soft.to_vec(),
        weights: vec![1.0; cosines.len()],
    };
    let w = fit(&examples, 10.0)?;
    Some([*w.first()?, *w.last()?])
}
