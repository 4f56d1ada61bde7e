//! What the pairs say, what is learned from it, and what would match by that alone.

use std::collections::HashSet;
use std::sync::Arc;

use crate::blocking::grams::Texts;
use crate::blocking::{Sides, rows};
use crate::compare::{Compared, NULL, RECORD};
use crate::decide::assignment::{greedy, ranked, without_ties};
use crate::decide::threshold::Curve;
use crate::explain::Decision;
use crate::known::Fresh;
use crate::model::patterns::Patterns;
use crate::model::{Model, em, logit, relations, self_training};
use crate::profile::Column;
use crate::settings::{Kind, Settings};
use crate::transform::Transform;

/// The share of different values from which on nearly every row has its own.
const OWN_VALUES: f64 = 0.8;
/// What it takes from a score if the values that tell rows apart differ, in log odds.
const APART: f32 = 20.0;

/// What is known of the pairs.
pub(crate) struct Evidence<'a> {
    /// The candidates, in order, and then the pairs that only teach.
    all: Vec<u64>,
    /// How many candidates there are.
    real: usize,
    pub(crate) sides: Sides,
    pub(crate) columns: &'a [Column],
    pub(crate) compared: Compared,
    pub(crate) patterns: Patterns,
    comparisons: Vec<(String, Option<Kind>)>,
    /// The vectors of the records, where there are any.
    pub(crate) texts: Option<Arc<Texts>>,
    /// Whether each record's nearest are its candidates, so that lists of them are full.
    pub(crate) neighbours: bool,
    /// Whether there are great groups of equals, cut off by how many neighbours were looked for.
    pub(crate) great_groups: bool,
}

impl<'a> Evidence<'a> {
    /// Of `all` pairs, of which the first `real` are candidates.
    pub(crate) fn new(
        all: Vec<u64>,
        real: usize,
        sides: Sides,
        columns: &'a [Column],
        compared: Compared,
        texts: Option<Arc<Texts>>,
        neighbours: bool,
    ) -> Self {
        let mut comparisons: Vec<(String, Option<Kind>)> = columns
            .iter()
            .map(|c| (c.name.clone(), Some(c.kind)))
            .collect();
        if texts.is_some() {
            comparisons.push((RECORD.to_owned(), None));
        }
        let patterns = Patterns::new(&compared);
        let great_groups = neighbours && all.len() > real;
        Evidence {
            all,
            real,
            sides,
            columns,
            compared,
            patterns,
            comparisons,
            texts,
            neighbours,
            great_groups,
        }
    }

    /// The candidates, in order.
    pub(crate) fn pairs(&self) -> &[u64] {
        &self.all[..self.real]
    }

    /// How alike whole records are, for each candidate.
    pub(crate) fn record(&self) -> &[f32] {
        &self.compared.record[..self.real]
    }

    /// The candidates and how alike they are, when all else is done.
    pub(crate) fn into_compared(mut self) -> (Vec<u64>, Compared) {
        self.all.truncate(self.real);
        (self.all, self.compared)
    }

    /// The candidates and their patterns, when all else is done.
    pub(crate) fn into_pairs(mut self) -> (Vec<u64>, Patterns) {
        self.all.truncate(self.real);
        self.patterns.of.truncate(self.real);
        (self.all, self.patterns)
    }
}

/// What was learned, and what would match by that alone.
pub(crate) struct Learned {
    pub(crate) model: Model,
    /// The score of each candidate by the model of patterns.
    pub(crate) plain: Vec<f32>,
    /// The score of each candidate.
    pub(crate) scores: Vec<f32>,
    /// Places of candidates.
    pub(crate) accepted: Vec<usize>,
    pub(crate) decision: Decision,
    /// Whether each record was taken to have one partner at most.
    pub(crate) one_to_one: bool,
}

impl Learned {
    /// Whether pairs are assigned: each record to one partner at most, and none has more for another reason.
    pub(crate) fn assigned(&self, pairs: &[u64]) -> bool {
        let mut seen = HashSet::new();
        let mut first = |row: u32| seen.insert(row);
        let mut accepted = self.accepted.iter().map(|at| rows(pairs[*at]));
        self.one_to_one && accepted.all(|(a, b)| first(a) && first(b))
    }
}

/// Learns from the pairs without labels, as if a record had one partner at most or not, and decides.
pub(crate) fn learn(evidence: &Evidence<'_>, one_to_one: bool, settings: &Settings) -> Learned {
    let patterns = &evidence.patterns;
    let all_record = &evidence.compared.record;
    let chances = beginning(evidence, one_to_one);
    let input = em::Input {
        pairs: &evidence.all,
        sides: evidence.sides,
        patterns,
        comparisons: &evidence.comparisons,
        one_to_one,
        great_groups: evidence.great_groups && !one_to_one,
        relations: false,
    };
    let related = relations::learn(&input, evidence.columns, all_record, &chances);
    let (mut model, mut plain) = related.unwrap_or_else(|| em::learn(&input, all_record, chances));
    plain.truncate(evidence.real);
    let mut scores = plain.clone();
    let pairs = evidence.pairs();
    if one_to_one {
        let taken = greedy(pairs, &scores, evidence.sides);
        let threshold = Curve::new(pairs, &scores, &taken, evidence.sides).best();
        if let Some((learner, better)) =
            self_training::learn(&evidence.compared, &scores, &taken, threshold)
        {
            model.learner = Some(learner);
            scores = better;
        }
    }
    thin_evidence(patterns, evidence.columns, &mut scores);
    told_apart(evidence, &mut scores);
    let (accepted, decision) = match one_to_one {
        true => assign(evidence, &scores, model.prior, settings),
        false => above(&scores, settings),
    };
    model.threshold = decision.threshold;
    model.unsupervised_threshold = decision.threshold;
    model.one_to_one = one_to_one;
    Learned {
        model,
        plain,
        scores,
        accepted,
        decision,
        one_to_one,
    }
}

/// Where a record had one partner: what of the pairs of new records matches. An old
/// record is free for them, whatever other old ones it matches. A second new one for the same is one whose best it
/// is, if it is over the model's own zero, and over nine in ten of those that are assigned.
fn taken_by_new(
    pairs: &[u64],
    scores: &[f32],
    sides: Sides,
    fresh: &Fresh,
    threshold: f64,
) -> Vec<usize> {
    let own: Vec<usize> = (0..pairs.len())
        .filter(|at| fresh.has(pairs[*at]))
        .collect();
    let (some, worth): (Vec<u64>, Vec<f32>) =
        own.iter().map(|at| (pairs[*at], scores[*at])).unzip();
    let mut over = greedy(&some, &worth, sides);
    over.retain(|at| f64::from(worth[*at]) > threshold);
    let mut out = without_ties(&some, &worth, over);
    let mut reached: Vec<f32> = out.iter().map(|at| worth[*at]).collect();
    reached.sort_by(f32::total_cmp);
    let least = reached.get(reached.len() / 10).copied().unwrap_or(0.0);
    let least = least.max(0.0).max(threshold as f32);
    let known: HashSet<usize> = out.iter().copied().collect();
    let mut seen = HashSet::new();
    for at in ranked(&worth) {
        let (a, b) = rows(some[at]);
        // Each new record's best comes first.
        let mut is_best = false;
        for row in [a, b].into_iter().filter(|row| fresh.is_new(*row)) {
            is_best |= seen.insert(row);
        }
        if is_best && worth[at] > least && !known.contains(&at) {
            out.push(at);
        }
    }
    let mut out: Vec<usize> = out.into_iter().map(|at| own[at]).collect();
    out.sort_unstable();
    out
}

/// Scores the pairs by what was learned before, and decides by the threshold of then.
pub(crate) fn apply(
    evidence: &Evidence<'_>,
    transform: &Transform,
    settings: &Settings,
    new: Option<&Fresh>,
) -> Learned {
    let mut model = transform.model.clone();
    let patterns = &evidence.patterns;
    let worth: Vec<f32> = (0..patterns.len())
        .map(|pattern| em::score(&model, patterns, pattern) as f32)
        .collect();
    let of = &patterns.of[..evidence.real];
    let plain: Vec<f32> = of.iter().map(|pattern| worth[*pattern as usize]).collect();
    let mut scores = match &model.learner {
        Some(learner) => learner.scores(&evidence.compared, &plain),
        None => plain.clone(),
    };
    thin_evidence(patterns, evidence.columns, &mut scores);
    let one_to_one = model.one_to_one;
    // A taught model's own threshold is its zero; what it was taught over keeps the one that it had.
    let threshold = model.unsupervised_threshold - transform.settings.shift() + settings.shift();
    let pairs = evidence.pairs();
    let over = |at: &usize| f64::from(scores[*at]) > threshold;
    let accepted: Vec<usize> = match (one_to_one, new) {
        (_, Some(fresh)) if fresh.one_to_one() => {
            fresh.assign(pairs, &scores, evidence.sides, threshold, true)
        }
        (true, Some(fresh)) => taken_by_new(pairs, &scores, evidence.sides, fresh, threshold),
        (true, None) => {
            let taken = greedy(pairs, &scores, evidence.sides);
            without_ties(pairs, &scores, taken.into_iter().filter(over).collect())
        }
        (false, _) => (0..scores.len()).filter(over).collect(),
    };
    model.threshold = threshold;
    let decision = Decision {
        threshold,
        why: "as was learned before".into(),
        gate: "what was learned before is taken to be there".into(),
        ..Decision::default()
    };
    Learned {
        model,
        plain,
        scores,
        accepted,
        decision,
        one_to_one,
    }
}

/// What pairs are thought to be before anything is learned.
fn beginning(evidence: &Evidence<'_>, one_to_one: bool) -> Vec<f32> {
    let record = &evidence.compared.record;
    if one_to_one {
        let taken = greedy(&evidence.all, record, evidence.sides);
        let threshold = Curve::new(&evidence.all, record, &taken, evidence.sides).best();
        let mut out = vec![0.01; record.len()];
        for at in taken {
            out[at] = if f64::from(record[at]) > threshold {
                0.95
            } else {
                0.05
            };
        }
        return out;
    }
    // The mean of similarities is greater than a cosine over the whole record.
    let (from, over) = match evidence.texts {
        Some(_) => (0.3, 0.5),
        None => (0.55, 0.35),
    };
    record
        .iter()
        .map(|s| ((s - from) / over).clamp(0.01, 0.99))
        .collect()
}

/// One short column in common, of three or more, is weak evidence.
fn thin_evidence(patterns: &Patterns, columns: &[Column], scores: &mut [f32]) {
    if columns.len() < 3 {
        return;
    }
    let thin: Vec<bool> = (0..patterns.len())
        .map(|p| {
            let given: Vec<usize> = (0..columns.len())
                .filter(|k| patterns.level(p, *k) != NULL)
                .collect();
            let of = |at: usize| columns.get(at).map(|c| c.kind);
            matches!(given.as_slice(), [one] if of(*one) != Some(Kind::Text))
        })
        .collect();
    for (score, pattern) in scores.iter_mut().zip(&patterns.of) {
        if thin[*pattern as usize] {
            *score -= 3.0;
        }
    }
}

/// Columns of which nearly every row has its own value tell rows apart: countries of one region and currency are not
/// one country if their names and codes differ. Where most of what would match does not agree on a quarter of those,
/// a match has to.
fn told_apart(evidence: &Evidence<'_>, scores: &mut [f32]) {
    let rows = f64::from(evidence.sides.rows);
    let telling = evidence.columns.iter().enumerate().filter_map(|(k, c)| {
        // Long texts and measured numbers differ where the things are the same.
        let agrees = match c.kind {
            Kind::String => Some(3),
            Kind::Code => Some(2),
            Kind::Text | Kind::Number => None,
        };
        let own = c.distinct as f64 >= OWN_VALUES * c.fill * rows;
        agrees.filter(|_| own).map(|agrees| (k, agrees))
    });
    let telling: Vec<(usize, u8)> = telling.collect();
    if telling.len() < 3 {
        return;
    }
    let patterns = &evidence.patterns;
    let mut apart: Vec<bool> = (0..patterns.len())
        .map(|p| {
            let levels = telling
                .iter()
                .map(|(k, agrees)| (patterns.level(p, *k), *agrees));
            let (mut given, mut agree) = (0, 0);
            for (level, agrees) in levels.filter(|(level, _)| *level != NULL) {
                given += 1;
                agree += usize::from(level >= agrees);
            }
            given >= 2 && (agree == 0 || 4 * agree < given)
        })
        .collect();
    // Unless most of what would match agrees, so that the others are matches with many mistakes.
    let (mut all, mut refused) = (0_u64, 0_u64);
    for (score, pattern) in scores.iter().zip(&patterns.of) {
        if *score > 0.0 {
            all += 1;
            refused += u64::from(apart[*pattern as usize]);
        }
    }
    if 2 * refused < all {
        apart.fill(false);
    }
    for (score, pattern) in scores.iter_mut().zip(&patterns.of) {
        if apart[*pattern as usize] {
            *score -= APART;
        }
    }
}

/// The pairs over the model's own zero.
fn above(scores: &[f32], settings: &Settings) -> (Vec<usize>, Decision) {
    let threshold = settings.shift();
    let mut decision = Decision {
        threshold,
        why: "where a match is as likely as not by the model".into(),
        ..Decision::default()
    };
    if threshold != 0.0 {
        decision
            .why
            .push_str(", moved by the precision-recall trade-off");
    }
    let accepted = (0..scores.len())
        .filter(|at| f64::from(scores[*at]) > threshold)
        .collect();
    (accepted, decision)
}

/// The assigned pairs over the threshold that rivals show.
fn assign(
    evidence: &Evidence<'_>,
    scores: &[f32],
    prior: f64,
    settings: &Settings,
) -> (Vec<usize>, Decision) {
    let pairs = evidence.pairs();
    let taken = greedy(pairs, scores, evidence.sides);
    let curve = Curve::new(pairs, scores, &taken, evidence.sides);
    // A pair's score has the share of matches among candidates in it. Among assigned pairs the share is that of
    // records with a partner: by Bayes' rule nothing is a match below the difference of the two.
    let floor = logit(prior) - logit(curve.matched.clamp(0.001, 0.999));
    let threshold = curve.pick().max(floor) + settings.shift();
    let above: Vec<usize> = taken
        .into_iter()
        .filter(|at| f64::from(scores[*at]) > threshold)
        .collect();
    let count = above.len();
    let accepted = without_ties(pairs, scores, above);
    let of = match evidence.sides.split {
        Some(_) => "the smaller table's records",
        None => "the records",
    };
    let decision = Decision {
        threshold,
        ties: (count - accepted.len()) as u64,
        why: format!(
            "where the F1 expected from each record's second best is greatest; {:.0} % of {of} seem to have a partner",
            100.0 * curve.matched
        ),
        ..Decision::default()
    };
    (accepted, decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::pair;

    #[test]
    fn old_records_are_free_for_new_ones() {
        // 0 and 1 match each other; 2 and 4 are new and match 0 best; 3 is new and matches nothing.
        let pairs = [pair(0, 1), pair(0, 2), pair(0, 3), pair(0, 4), pair(1, 2)];
        let scores = [9.0, 8.0, -2.0, 8.5, 7.0];
        let sides = Sides {
            rows: 5,
            split: None,
        };
        // 4 is assigned to 0, 2 to 1; 0 is the best of 2, too, and as good.
        let fresh = Fresh::new(&[Some(1), Some(1), None, None, None], sides, false);
        let found = taken_by_new(&pairs, &scores, sides, &fresh, -3.0);
        assert_eq!(found, [1, 3, 4]);
    }
}
