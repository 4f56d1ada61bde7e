//! The way from tables to entities.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use crate::blocking::{Blocking, rows};
use crate::error::{MatchError, Result};
use crate::explain::{Decision, Explanation};
use crate::incremental::{self, Join};
use crate::known::{Fresh, Known};
use crate::labels::{KeptLabels, Labelled, Labels, tie};
use crate::model::supervised::Supervised;
use crate::output::{Matched, Outcome, Summary};
use crate::settings::Settings;
use crate::transform::{Linked, Side, Transform};
use learn::{Evidence, Learned};
use prepare::{Input, Prepared};

mod candidates;
mod dependence;
pub(crate) mod describe;
pub(crate) mod evaluate;
pub(crate) mod input;
pub(crate) mod judge;
pub(crate) mod labelling;
pub(crate) mod learn;
mod null;
pub(crate) mod prepare;
mod probe;
pub(crate) mod taught;

/// A table to be matched.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it is called in messages, and in the column `source`.
    pub name: String,
    /// Its rows.
    pub rows: DataFrame,
}

/// What is matched: a table with itself, or with another.
#[derive(Debug, Clone)]
pub struct MatchInput {
    /// The table, or the left one.
    pub left: Table,
    /// The right one, where two are linked.
    pub right: Option<Table>,
}

/// What is known before a table is matched.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// What people say of pairs: it teaches, and is enforced if the settings say so.
    pub labels: Option<Labels>,
    /// What was learned before. Nothing is learned then, but from labels if it was not taught by any.
    pub transform: Option<Transform>,
    /// Records that have entities already, in the columns `match_id` and `match_confidence`: what is matched joins
    /// them. It needs a transform.
    pub existing: Option<Table>,
    /// Of which of the two tables that the transform linked new records are, where they are of one, and its name does not
    /// say so.
    pub side: Option<Side>,
    /// Whether [`Matched::transform`] is wanted.
    pub keep: bool,
    /// Linking: columns are the same by their names alone, and not by their values.
    pub by_name: bool,
}

/// The columns of [`Matched::rows`], told before anything is read: of two tables with [`Given::by_name`].
///
/// # Errors
/// When tables cannot be matched, or settings make no sense, as far as that is known without rows.
pub fn output_schema(
    input: MatchInput,
    settings: &Settings,
    existing: Option<Table>,
    (transform, side): (Option<&Transform>, Option<Side>),
) -> Result<Schema> {
    let own = match existing {
        None => {
            input::check(&input, settings)?;
            input::columns(input)?
        }
        Some(existing) => {
            incremental::check(&input, settings)?;
            incremental::columns(existing, input, transform, side)?
        }
    };
    let mut fields: Vec<Field> = own
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    fields.push(Field::new("match_id", DataType::Int64, true));
    fields.push(Field::new("match_confidence", DataType::Float64, true));
    Ok(Schema::new(fields))
}

/// Where the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The input is read.
    Reading,
    /// This many rows are profiled and brought to normal forms.
    Profiling(u64),
    /// Pairs are looked for.
    Blocking,
    /// This many pairs are compared.
    Comparing(u64),
    /// Weights are learned.
    Learning,
    /// Matches are decided on, and clustered.
    Deciding,
}

/// Finds which records mean the same thing. `tell` is told at each stage.
///
/// The context must know the functions of `mastic_functions::register_all`.
///
/// # Errors
/// When the input cannot be read, has nothing to match or to match by, or a setting makes no sense.
pub async fn find_matches(
    context: &SessionContext,
    input: MatchInput,
    settings: &Settings,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Matched> {
    find_matches_with(context, input, settings, Given::default(), tell).await
}

/// As [`find_matches`], with labels, with what was learned before, or with records that have entities already.
///
/// # Errors
/// As [`find_matches`]; when labels contradict each other or name rows that are not there; when a transform does not
/// fit the table.
pub async fn find_matches_with(
    context: &SessionContext,
    input: MatchInput,
    settings: &Settings,
    given: Given,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Matched> {
    let found = matched(context, input, settings, given, tell).await;
    found.map_err(|error| error.within(context.runtime_env().memory_pool.as_ref()))
}

async fn matched(
    context: &SessionContext,
    input: MatchInput,
    settings: &Settings,
    given: Given,
    tell: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Matched> {
    let transform = given.transform.as_ref();
    let (input, join) = match given.existing {
        None => (
            Input::read(context, input, settings, given.by_name, tell).await?,
            None,
        ),
        Some(existing) => {
            let known = (transform, given.side);
            let read = incremental::read(context, existing, input, settings, known, tell);
            let (input, join) = read.await?;
            (input, Some(join))
        }
    };
    let known = Known {
        transform,
        keep: given.keep,
        new: join.as_ref().map(|join| &join.fresh),
    };
    let labels = match given.labels {
        Some(labels) => Some(labels),
        None => kept_labels(context, transform, settings)?,
    };
    let labelled = labelled(context, &input, labels.as_ref(), settings).await?;
    let (mut prepared, mut found) = Prepared::new(context, input, settings, known, tell).await?;
    if settings.enforce_provided_labels
        && let Some(labelled) = &labelled
    {
        // What is enforced need not have been found.
        found.add(labelled.pairs.iter().map(|l| l.pair));
        prepared.blocking.pairs = found.pairs.len() as u64;
    }
    tell(Stage::Comparing(prepared.blocking.pairs));
    let grams = found.texts.as_ref().and_then(|t| t.grams.clone());
    let evidence = prepared.gather(context, found, settings, transform).await?;

    tell(Stage::Learning);
    let mut learned = match transform {
        None => judge::judge(context, &prepared.normal, &evidence, settings, tell).await?,
        Some(transform) => learn::apply(&evidence, transform, settings, known.new),
    };
    tell(Stage::Deciding);
    if labelled.is_some() || learned.model.supervised.is_some() {
        let labelled = labelled.as_ref();
        teach(&evidence, &mut learned, labelled, settings, known.new);
    }
    let transform = match given.keep {
        true => {
            let input = &prepared.input;
            let between = input
                .sides
                .split
                .map(|_| Linked::new(&input.shared, &input.names));
            let (normal, model) = (&prepared.normal, learned.model.clone());
            let columns = &prepared.columns;
            let kept =
                Transform::learned(context, normal, settings, between, columns, grams, model);
            let mut kept = kept.await?;
            if let Some(labels) = &labels {
                kept.labels = Some(KeptLabels::read(labels).await?);
            }
            Some(kept)
        }
        false => None,
    };
    finish(
        context, &prepared, evidence, learned, settings, join, transform,
    )
}

/// The labels that a transform has: to be enforced, or to teach it if it was taught by none.
fn kept_labels(
    context: &SessionContext,
    transform: Option<&Transform>,
    settings: &Settings,
) -> Result<Option<Labels>> {
    let Some(transform) = transform else {
        return Ok(None);
    };
    match &transform.labels {
        Some(kept) if settings.enforce_provided_labels || transform.model.supervised.is_none() => {
            Ok(Some(kept.labels(context, "the transform's labels")?))
        }
        None if settings.enforce_provided_labels => Err(MatchError::Transform(
            "the transform has no labels that could be enforced".into(),
        )),
        _ => Ok(None),
    }
}

/// The labelled pairs, if there are labels.
pub(crate) async fn labelled(
    context: &SessionContext,
    input: &Input,
    labels: Option<&Labels>,
    settings: &Settings,
) -> Result<Option<Labelled>> {
    let Some(labels) = labels else {
        return Ok(None);
    };
    let rows = tie(context, &input.raw, &input.shared, labels, settings).await?;
    let found = Labelled::new(&labels.name, &rows, input.sides, settings.one_to_one)?;
    Ok(Some(found))
}

/// Decides by what labels teach, and say.
fn teach(
    evidence: &Evidence<'_>,
    learned: &mut Learned,
    labelled: Option<&Labelled>,
    settings: &Settings,
    fresh: Option<&Fresh>,
) {
    let (pairs, sides) = (evidence.pairs(), evidence.sides);
    let labels = labelled.map_or_else(Vec::new, |l| taught::places(pairs, l));
    let signals = taught::signals(evidence, learned);
    let view = taught::view(evidence, &signals);
    let known = learned.model.supervised.take();
    let taught = || match labels.is_empty() {
        true => None,
        false => Supervised::learn(view, &labels),
    };
    let enforced = settings.enforce_provided_labels && labelled.is_some();
    let assigned = learned.assigned(pairs);
    let Some(supervised) = known.or_else(taught) else {
        // Too little to learn from: what was found stays, but for what is said outright.
        if enforced {
            taught::enforce(&mut learned.scores, &labels);
            learned.accepted = taught::amend(pairs, &learned.accepted, &labels, assigned);
            if let Some(fresh) = fresh.filter(|fresh| fresh.one_to_one()) {
                let may = |row| !fresh.is_taken(row);
                let free = |at: &usize| <[u32; 2]>::from(rows(pairs[*at])).into_iter().all(may);
                learned.accepted.retain(free);
            }
            learned
                .decision
                .why
                .push_str("; what is labelled is as it is labelled");
        }
        return;
    };
    let mut scores = supervised.scores(view);
    let threshold = settings.shift();
    if enforced {
        taught::enforce(&mut scores, &labels);
    }
    learned.accepted = match fresh {
        Some(fresh) if fresh.one_to_one() => fresh.assign(pairs, &scores, sides, threshold, false),
        _ => taught::accept(pairs, &scores, sides, assigned, threshold),
    };
    learned.scores = scores;
    learned.model.threshold = threshold;
    learned.decision = Decision {
        threshold,
        why: format!(
            "where a match is as likely as not, as {} labelled pairs that match and {} that do not have taught{}",
            supervised.labels[0],
            supervised.labels[1],
            match enforced {
                true => "; what is labelled is as it is labelled",
                false => "",
            }
        ),
        gate: "labels say what there is to be found".into(),
        doubtful: false,
        refused: 0,
        ties: 0,
        sizes: Vec::new(),
        ..std::mem::take(&mut learned.decision)
    };
    learned.model.supervised = Some(supervised);
}

fn finish(
    context: &SessionContext,
    prepared: &Prepared,
    evidence: Evidence<'_>,
    learned: Learned,
    settings: &Settings,
    join: Option<Join>,
    transform: Option<Transform>,
) -> Result<Matched> {
    let (model, decision, accepted) = (learned.model, learned.decision, learned.accepted);
    let (pairs, sides) = (evidence.pairs(), evidence.sides);
    let mut accepted = accepted;
    if let Some(join) = &join {
        // Old records are compared as rivals of new ones; they match no others than before.
        accepted.retain(|at| join.fresh.has(pairs[*at]));
    }
    let threshold = model.threshold as f32;
    let relative: Vec<f32> = learned.scores.iter().map(|s| s - threshold).collect();
    let rows = prepared.input.raw.rows();
    let (described, joined) = match &join {
        None => {
            let entities =
                taught::entities(pairs, &learned.scores, &accepted, sides, model.threshold);
            (
                describe::describe(pairs, &relative, &accepted, &entities),
                None,
            )
        }
        Some(join) => {
            let (described, joined) = join.describe(pairs, &relative, &accepted, sides);
            (described, Some(joined))
        }
    };
    let count: u64 = described.sizes.iter().map(|(_, count)| count).sum();
    let summary = Summary {
        rows,
        pairs: prepared.blocking.pairs,
        matches: accepted.len() as u64,
        entities: count,
        duplicates: rows - count,
    };
    let explanation = Explanation {
        columns: prepared.columns.clone(),
        dropped: prepared.dropped.clone(),
        blocking: Blocking {
            spilled: prepared.blocking.spilled + evidence.compared.spilled,
            ..prepared.blocking.clone()
        },
        decision: Decision {
            sizes: described.sizes,
            ..decision
        },
        comparisons: model.comparisons.clone(),
        prior: model.prior,
        related: model.related,
    };
    let (pairs, patterns) = evidence.into_pairs();
    let mut is_match = vec![false; pairs.len()];
    accepted.iter().for_each(|at| is_match[*at] = true);
    let outcome = Outcome {
        pairs,
        scores: learned.scores,
        is_match,
        patterns,
        model: model.clone(),
    };
    let matched = Matched::new(
        context,
        &prepared.input.raw,
        settings,
        described.ids,
        described.confidence,
        outcome,
        explanation,
        model,
        summary,
    )?;
    Ok(Matched {
        transform,
        joined,
        ..matched
    })
}
