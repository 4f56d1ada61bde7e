//! How good matches are, by labels that were held out.
//!
//! Two things are measured, and both matter: the *pair model* alone, on labelled pairs that blocking found, as Glue
//! does; and the *whole*, on all labelled pairs, where a pair that was not compared is missed, and one counts as a match
//! if both of its records ended in one entity.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often it was right, and how often wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Matches that were found.
    pub true_positives: u64,
    /// What was found and is no match.
    pub false_positives: u64,
    /// Matches that were not found.
    pub false_negatives: u64,
    /// What is no match, and was not found.
    pub true_negatives: u64,
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

impl ConfusionMatrix {
    /// Counts one pair.
    pub(crate) fn count(&mut self, found: bool, is_match: bool) {
        match (found, is_match) {
            (true, true) => self.true_positives += 1,
            (true, false) => self.false_positives += 1,
            (false, true) => self.false_negatives += 1,
            (false, false) => self.true_negatives += 1,
        }
    }

    /// The share of what was found that is right. None if nothing was found.
    pub fn precision(&self) -> Option<f64> {
        share(
            self.true_positives,
            self.true_positives + self.false_positives,
        )
    }

    /// The share of the matches that were found. None if there are none.
    pub fn recall(&self) -> Option<f64> {
        share(
            self.true_positives,
            self.true_positives + self.false_negatives,
        )
    }

    /// The harmonic mean of both. None if nothing was found and nothing is there.
    pub fn f1(&self) -> Option<f64> {
        share(
            2 * self.true_positives,
            2 * self.true_positives + self.false_positives + self.false_negatives,
        )
    }
}

/// What was measured of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The share of what was found that is right.
    pub precision: Option<f64>,
    /// The share of the matches that were found.
    pub recall: Option<f64>,
    /// The harmonic mean of both.
    pub f1: Option<f64>,
    /// The counts.
    pub confusion_matrix: ConfusionMatrix,
}

impl From<ConfusionMatrix> for Figures {
    fn from(matrix: ConfusionMatrix) -> Self {
        Figures {
            precision: matrix.precision(),
            recall: matrix.recall(),
            f1: matrix.f1(),
            confusion_matrix: matrix,
        }
    }
}

/// How much a column matters to the pair model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnImportance {
    /// The column, or `*3gram` and `*word` for whole records.
    pub column: String,
    /// Its share, of all together 1: of what it adds to or takes from the scores of labelled pairs, on average.
    pub importance: f64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Labelled pairs that match.
    pub matches: u64,
    /// Labelled pairs that do not.
    pub non_matches: u64,
    /// Labelling sets.
    pub sets: u64,
    /// In how many parts the sets were held out, each in turn.
    pub folds: u64,
    /// The pair model, on the labelled pairs that blocking found.
    pub pair_model: Figures,
    /// The area under the pair model's curve of precision over recall, as the average precision: the mean of the
    /// precisions at each match, in the order of scores (scikit-learn's `average_precision_score`).
    pub area_under_pr_curve: Option<f64>,
    /// The share of labelled matches that blocking found.
    pub blocking_recall: Option<f64>,
    /// Blocking, pair model, decision and clustering together, on all labelled pairs.
    pub whole: Figures,
    /// The same without any label, on the same pairs: what labels are worth.
    pub without_labels: Figures,
    /// What matters, the most first.
    pub column_importances: Vec<ColumnImportance>,
}

/// Average precision: of pairs with their scores, Σ (Rₙ − Rₙ₋₁) Pₙ over the different scores, descending.
pub(crate) fn average_precision(mut scored: Vec<(f32, bool)>) -> Option<f64> {
    let all = scored.iter().filter(|(_, is_match)| *is_match).count();
    if all == 0 {
        return None;
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut seen, mut area) = (0_usize, 0_usize, 0.0);
    for same in scored.chunk_by(|a, b| a.0 == b.0) {
        let more = same.iter().filter(|(_, is_match)| *is_match).count();
        found += more;
        seen += same.len();
        area += more as f64 / all as f64 * (found as f64 / seen as f64);
    }
    Some(area)
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |v| format!("{:.2} %", 100.0 * v))
}

impl Figures {
    fn line(&self) -> String {
        let m = &self.confusion_matrix;
        format!(
            "precision {}, recall {}, F1 {} ({} right and {} wrong of those found; {} missed; {} rightly not found)",
            percent(self.precision),
            percent(self.recall),
            percent(self.f1),
            m.true_positives,
            m.false_positives,
            m.false_negatives,
            m.true_negatives
        )
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Labels\n  {} pairs match and {} do not, in {} sets; held out in {} parts in turn",
            self.matches, self.non_matches, self.sets, self.folds
        )?;
        writeln!(f, "Pair model, on the labelled pairs that blocking found")?;
        writeln!(f, "  {}", self.pair_model.line())?;
        writeln!(
            f,
            "  area under the precision-recall curve (average precision) {}",
            percent(self.area_under_pr_curve)
        )?;
        writeln!(
            f,
            "The whole: blocking, pair model, decision and clusters, on all labelled pairs"
        )?;
        writeln!(f, "  {}", self.whole.line())?;
        writeln!(
            f,
            "  blocking found {} of the labelled matches",
            percent(self.blocking_recall)
        )?;
        writeln!(f, "Without labels, the whole on the same pairs")?;
        writeln!(f, "  {}", self.without_labels.line())?;
        writeln!(f, "What matters to the pair model")?;
        for c in &self.column_importances {
            writeln!(f, "  {}: {:.1} %", c.column, 100.0 * c.importance)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // scikit-learn 1.9: average_precision_score([1, 0, 1, 1, 0, 0, 1], [.9, .8, .7, .7, .6, .3, .2]).
    #[test]
    fn average_precision_is_scikit_learns() {
        let truth = [true, false, true, true, false, false, true];
        let scores = [0.9, 0.8, 0.7, 0.7, 0.6, 0.3, 0.2];
        let found = average_precision(scores.into_iter().zip(truth).collect()).unwrap();
        assert!((found - 0.767_857_142_857).abs() < 1e-9, "{found}");
        assert_eq!(average_precision(vec![(1.0, false)]), None);
    }

    #[test]
    fn figures_are_shares() {
        let mut matrix = ConfusionMatrix::default();
        for (found, is_match, times) in [
            (true, true, 6),
            (true, false, 2),
            (false, true, 3),
            (false, false, 9),
        ] {
            (0..times).for_each(|_| matrix.count(found, is_match));
        }
        let figures = Figures::from(matrix);
        assert_eq!(figures.precision, Some(0.75));
        assert_eq!(figures.recall, Some(6.0 / 9.0));
        assert_eq!(figures.f1, Some(12.0 / 17.0));
        assert_eq!(Figures::from(ConfusionMatrix::default()).f1, None);
    }
}
