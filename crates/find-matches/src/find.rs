//! The way from tables to entities.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::lit;
use datafusion::prelude::SessionContext;

use crate::blocking::{Blocking, Sides};
use crate::compare::compare;
use crate::decide::cluster::cluster;
use crate::error::Result;
use crate::explain::{Decision, Explanation};
use crate::normalise::{column, normalise};
use crate::output::{Matched, Outcome, Summary};
use crate::profile::{Column, profile};
use crate::settings::Settings;
use crate::spool::{ROW, Spool};
use candidates::Candidates;
use learn::Evidence;

mod candidates;
mod describe;
mod input;
mod judge;
mod learn;
mod probe;

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
    input::check(&input, settings)?;
    tell(Stage::Reading);
    let names: Vec<String> = [Some(&input.left), input.right.as_ref()]
        .into_iter()
        .flatten()
        .map(|t| t.name.clone())
        .collect();
    let (raw, shared, sides) = input::read(context, input).await?;
    tell(Stage::Profiling(raw.rows()));
    let all = raw.scan(context, "raw")?;
    let each = match sides.split {
        None => vec![all.clone()],
        Some(split) => vec![
            all.clone().filter(column(ROW).lt(lit(split)))?,
            all.clone().filter(column(ROW).gt_eq(lit(split)))?,
        ],
    };
    let profile = profile(context, all, &each, &shared, settings, &names).await?;
    let normal = normalise(context, &raw, &profile.columns).await?;
    let columns = &profile.columns;

    tell(Stage::Blocking);
    let mut blocking = Blocking::default();
    let found = candidates::find(context, &normal, columns, sides, settings, &mut blocking).await?;
    blocking.pairs = found.pairs.len() as u64;
    tell(Stage::Comparing(blocking.pairs));
    let evidence = gather(context, &normal, columns, sides, found, settings).await?;

    tell(Stage::Learning);
    let learned = judge::judge(context, &normal, &evidence, settings, tell).await?;
    let (model, decision, accepted) = (learned.model, learned.decision, learned.accepted);
    let threshold = model.threshold as f32;
    let relative: Vec<f32> = learned.scores.iter().map(|s| s - threshold).collect();
    let entities = cluster(evidence.pairs(), &relative, &accepted, sides);
    let described = describe::describe(evidence.pairs(), &relative, &accepted, &entities);
    let count: u64 = described.sizes.iter().map(|(_, count)| count).sum();
    let summary = Summary {
        rows: raw.rows(),
        pairs: blocking.pairs,
        matches: accepted.len() as u64,
        entities: count,
        duplicates: raw.rows() - count,
    };
    let explanation = Explanation {
        columns: profile.columns.clone(),
        dropped: profile.dropped,
        blocking,
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
    Matched::new(
        context,
        &raw,
        settings,
        described.ids,
        described.confidence,
        outcome,
        explanation,
        model,
        summary,
    )
}

/// Compares the candidates, and the pairs that only teach.
async fn gather<'a>(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &'a [Column],
    sides: Sides,
    found: Candidates,
    settings: &Settings,
) -> Result<Evidence<'a>> {
    let real = found.pairs.len();
    let mut all = found.pairs;
    all.extend(&found.teach);
    let compared = compare(context, normal, columns, &all, found.texts.clone()).await?;
    let neighbours = found.texts.is_some() && settings.blocking.is_empty();
    Ok(Evidence::new(
        all,
        real,
        sides,
        columns,
        compared,
        found.texts,
        neighbours,
    ))
}
