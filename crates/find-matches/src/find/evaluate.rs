//! Measures matching by labels: each part of the labelling sets is held out in turn, and what the others teach is held
//! against it.

use datafusion::prelude::SessionContext;

use super::learn::{Evidence, Learned};
use super::prepare::{Input, Prepared};
use super::{MatchInput, Stage, judge, labelled, learn, taught};
use crate::blocking::rows;
use crate::error::{MatchError, Result};
use crate::evaluate::{ColumnImportance, ConfusionMatrix, Evaluation, average_precision};
use crate::known::Known;
use crate::labels::{Label, Labelled, Labels};
use crate::model::em;
use crate::model::supervised::{Supervised, View};
use crate::settings::Settings;
use crate::transform::Transform;

/// In how many parts labelling sets are held out.
const FOLDS: u32 = 5;

/// Measures how good [`super::find_matches_with`] is with these labels, by labels that it is not shown: in five parts
/// of the labelling sets, in turn. With a transform, which is not changed, all labels are held against it.
///
/// # Errors
/// As [`super::find_matches_with`]; when no pair is labelled.
pub async fn evaluate(
    context: &SessionContext,
    input: MatchInput,
    settings: &Settings,
    labels: &Labels,
    transform: Option<&Transform>,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Evaluation> {
    let input = Input::read(context, input, settings, false, tell).await?;
    let labelled = labelled(context, &input, Some(labels), settings).await?;
    let labelled = labelled.unwrap_or_default();
    if labelled.pairs.is_empty() {
        return Err(MatchError::Label(format!(
            "{} labels no pair: it takes sets of two rows or more that have labels",
            labels.name
        )));
    }
    let known = Known {
        transform,
        ..Known::default()
    };
    let (prepared, found) = Prepared::new(context, input, settings, known, tell).await?;
    tell(Stage::Comparing(prepared.blocking.pairs));
    let evidence = prepared.gather(context, found, settings, transform).await?;
    tell(Stage::Learning);
    let learned = match transform {
        None => judge::judge(context, &prepared.normal, &evidence, settings, tell).await?,
        Some(transform) => learn::apply(&evidence, transform, settings, None),
    };
    tell(Stage::Deciding);
    Ok(measure(&evidence, &learned, &labelled, settings))
}

/// One turn: what is held out, and the scores and entities that the rest comes to.
struct Turn<'a> {
    held: Vec<&'a Label>,
    /// What was taught, if anything was.
    supervised: Option<Supervised>,
    scores: Vec<f32>,
    entities: Vec<u32>,
}

fn measure(
    evidence: &Evidence<'_>,
    learned: &Learned,
    labelled: &Labelled,
    settings: &Settings,
) -> Evaluation {
    let pairs = evidence.pairs();
    let place = |label: &Label| pairs.binary_search(&label.pair).ok();
    let signals = taught::signals(evidence, learned);
    let view = taught::view(evidence, &signals);
    let threshold = settings.shift();
    let without = taught::entities(
        pairs,
        signals.scores(),
        &learned.accepted,
        evidence.sides,
        threshold,
    );
    let fixed = learned.model.supervised.as_ref();
    let folds = match fixed {
        Some(_) => 1,
        None => FOLDS.min(labelled.sets).max(1),
    };
    let (mut pair_model, mut whole) = (ConfusionMatrix::default(), ConfusionMatrix::default());
    let (mut scored, mut importances) = (Vec::new(), Importances::new(evidence));
    for fold in 0..folds {
        let turn = turn(evidence, learned, view, labelled, settings, (fold, folds));
        importances.add(evidence, learned, view, &turn);
        for label in &turn.held {
            if let Some(at) = place(label) {
                let score = turn.scores[at];
                pair_model.count(f64::from(score) > threshold, label.is_match);
                scored.push((score, label.is_match));
            }
            whole.count(one(&turn.entities, label), label.is_match);
        }
    }
    let mut unlabelled = ConfusionMatrix::default();
    for label in &labelled.pairs {
        unlabelled.count(one(&without, label), label.is_match);
    }
    let matches = labelled.matches() as u64;
    let found = labelled
        .pairs
        .iter()
        .filter(|l| l.is_match && place(l).is_some());
    let found = found.count() as f64;
    Evaluation {
        matches,
        non_matches: labelled.pairs.len() as u64 - matches,
        sets: u64::from(labelled.sets),
        folds: match fixed {
            Some(_) => 0,
            None => u64::from(folds),
        },
        pair_model: pair_model.into(),
        area_under_pr_curve: average_precision(scored),
        blocking_recall: (matches > 0).then(|| found / matches as f64),
        whole: whole.into(),
        without_labels: unlabelled.into(),
        column_importances: importances.finish(evidence),
    }
}

fn one(entities: &[u32], label: &Label) -> bool {
    let (a, b) = rows(label.pair);
    entities[a as usize] == entities[b as usize]
}

/// What all sets but a part of them teach, or what was learned before.
fn turn<'a>(
    evidence: &Evidence<'_>,
    learned: &Learned,
    view: View<'_>,
    labelled: &'a Labelled,
    settings: &Settings,
    (fold, folds): (u32, u32),
) -> Turn<'a> {
    let (pairs, sides) = (evidence.pairs(), evidence.sides);
    let saved = learned.model.supervised.as_ref();
    let is_held = |label: &&Label| saved.is_some() || folds > 1 && label.set % folds == fold;
    let (held, shown): (Vec<&Label>, Vec<&Label>) = labelled.pairs.iter().partition(is_held);
    // Of one set there is nothing to hold out: it is judged by what was learned without it.
    let (held, shown) = match held.is_empty() {
        true => (shown, held),
        false => (held, shown),
    };
    let places: Vec<(usize, bool)> = shown
        .iter()
        .filter_map(|l| Some((pairs.binary_search(&l.pair).ok()?, l.is_match)))
        .collect();
    let supervised = match saved {
        Some(saved) => Some(saved.clone()),
        None if places.is_empty() => None,
        None => Supervised::learn(view, &places),
    };
    let mut scores = match &supervised {
        Some(supervised) => supervised.scores(view),
        None => view.signals.scores().to_vec(),
    };
    if settings.enforce_provided_labels {
        taught::enforce(&mut scores, &places);
    }
    let threshold = settings.shift();
    let accepted = match supervised {
        Some(_) => taught::accept(pairs, &scores, sides, learned.assigned(pairs), threshold),
        None => learned.accepted.clone(),
    };
    let entities = taught::entities(pairs, &scores, &accepted, sides, threshold);
    Turn {
        held,
        supervised,
        scores,
        entities,
    }
}

/// How much each comparison moves scores.
struct Importances {
    names: Vec<String>,
    moved: Vec<f64>,
}

impl Importances {
    fn new(evidence: &Evidence<'_>) -> Self {
        let mut names: Vec<String> = evidence.columns.iter().map(|c| c.name.clone()).collect();
        names.extend(["*3gram".to_owned(), "*word".to_owned()]);
        Importances {
            moved: vec![0.0; names.len()],
            names,
        }
    }

    fn add(&mut self, evidence: &Evidence<'_>, learned: &Learned, view: View<'_>, turn: &Turn<'_>) {
        let pairs = evidence.pairs();
        let held: Vec<usize> = turn
            .held
            .iter()
            .filter_map(|l| pairs.binary_search(&l.pair).ok())
            .collect();
        let patterns = &evidence.patterns;
        let parts = |pair: usize| -> Vec<f64> {
            let pattern = patterns.of[pair] as usize;
            em::parts(&learned.model, patterns, pattern).collect()
        };
        let moved = match &turn.supervised {
            Some(supervised) => supervised.moved(view, &held, self.moved.len(), &parts),
            None => Supervised::by_weights(view).moved(view, &held, self.moved.len(), &parts),
        };
        for (sum, own) in self.moved.iter_mut().zip(moved) {
            *sum += own * held.len() as f64;
        }
    }

    fn finish(self, evidence: &Evidence<'_>) -> Vec<ColumnImportance> {
        let all: f64 = self.moved.iter().sum();
        let each = self.names.into_iter().zip(self.moved).enumerate();
        let mut out: Vec<ColumnImportance> = each
            .filter(|(at, (_, moved))| *at < evidence.columns.len() || *moved > 0.0)
            .map(|(_, (column, moved))| ColumnImportance {
                column,
                importance: if all > 0.0 { moved / all } else { 0.0 },
            })
            .collect();
        out.sort_by(|a, b| b.importance.total_cmp(&a.importance));
        out
    }
}
