//! The way from tables to entities.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::SessionContext;

use crate::align;
use crate::blocking::grams::Texts;
use crate::blocking::{Blocking, Sides, keys, random, rows};
use crate::compare::{NULL, RECORD, compare};
use crate::decide::assignment::{greedy, without_ties};
use crate::decide::cluster::cluster;
use crate::decide::gate::{Verdict, gate, leads};
use crate::decide::threshold::Curve;
use crate::error::{MatchError, Result};
use crate::explain::{Decision, Explanation};
use crate::model::patterns::Patterns;
use crate::model::{em, logit, relations, self_training, sigmoid};
use crate::normalise::{column, normalise};
use crate::output::{Matched, Outcome, Summary};
use crate::profile::profile;
use crate::settings::{Kind, Settings};
use crate::spool::{ROW, Spool};

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
    check(&input, settings)?;
    tell(Stage::Reading);
    let names: Vec<String> = [Some(&input.left), input.right.as_ref()]
        .into_iter()
        .flatten()
        .map(|t| t.name.clone())
        .collect();
    let (raw, shared, sides) = read(context, input).await?;
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
    let found = block(context, &normal, columns, sides, settings, &mut blocking).await?;
    blocking.pairs = found.pairs.len() as u64;

    tell(Stage::Comparing(blocking.pairs));
    let real = found.pairs.len();
    let mut pairs = found.pairs;
    pairs.extend(&found.teach);
    let mut compared = compare(
        context,
        &normal,
        columns,
        &pairs,
        found.texts.clone(),
        settings.one_to_one,
    )
    .await?;

    tell(Stage::Learning);
    let mut comparisons: Vec<(String, Option<Kind>)> = columns
        .iter()
        .map(|c| (c.name.clone(), Some(c.kind)))
        .collect();
    if found.texts.is_some() {
        comparisons.push((RECORD.to_owned(), None));
    }
    let mut patterns = Patterns::new(&compared);
    let chances = beginning(
        &pairs,
        &compared.record,
        sides,
        settings,
        found.texts.is_some(),
    );
    let input = em::Input {
        pairs: &pairs,
        sides,
        patterns: &patterns,
        comparisons: &comparisons,
        one_to_one: settings.one_to_one,
        relations: false,
    };
    let (mut model, mut scores) =
        match relations::learn(&input, columns, &compared.record, &chances) {
            Some(found) => found,
            None => em::learn(&input, &compared.record, chances),
        };
    // What only taught goes.
    for list in [&mut compared.levels, &mut compared.rarity] {
        list.iter_mut().for_each(|l| l.truncate(real));
    }
    compared
        .similarities
        .iter_mut()
        .for_each(|l| l.truncate(real));
    compared.record.truncate(real);
    patterns.of.truncate(real);
    scores.truncate(real);
    pairs.truncate(real);

    tell(Stage::Deciding);
    if settings.one_to_one {
        let taken = greedy(&pairs, &scores, sides);
        let threshold = Curve::new(&pairs, &scores, &taken, sides).best();
        if let Some((learner, better)) = self_training::learn(&compared, &scores, &taken, threshold)
        {
            model.learner = Some(learner);
            scores = better;
        }
    }
    thin_evidence(
        &patterns,
        columns.len(),
        columns.iter().map(|c| c.kind),
        &mut scores,
    );
    let (accepted, threshold, mut decision) = decide(&pairs, &scores, model.prior, sides, settings);
    model.threshold = threshold;
    let before = accepted.len();
    let (accepted, verdict) = if found.texts.is_some() && settings.blocking.is_empty() {
        let leads = leads(&pairs, &compared.record, sides);
        gate(&scores, accepted, &leads, sides.smaller().len())
    } else {
        probe::gate(context, &normal, columns, &pairs, &scores, accepted, sides).await?
    };
    decision.gate(before, accepted.len(), verdict);
    let relative: Vec<f32> = scores.iter().map(|s| s - threshold as f32).collect();
    let entities = cluster(&pairs, &relative, &accepted, sides);
    let (ids, confidence, sizes) = describe(&pairs, &relative, &accepted, &entities);
    decision.sizes = sizes;
    let summary = Summary {
        rows: raw.rows(),
        pairs: blocking.pairs,
        matches: accepted.len() as u64,
        entities: decision.sizes.iter().map(|(_, count)| count).sum(),
        duplicates: raw.rows() - decision.sizes.iter().map(|(_, count)| count).sum::<u64>(),
    };
    let explanation = Explanation {
        columns: profile.columns.clone(),
        dropped: profile.dropped,
        blocking,
        decision,
        comparisons: model.comparisons.clone(),
        prior: model.prior,
        related: model.related,
    };
    let mut is_match = vec![false; pairs.len()];
    accepted.iter().for_each(|at| is_match[*at] = true);
    let outcome = Outcome {
        pairs,
        scores,
        is_match,
        patterns,
        model: model.clone(),
    };
    Matched::new(
        context,
        &raw,
        settings,
        ids,
        confidence,
        outcome,
        explanation,
        model,
        summary,
    )
}

fn check(input: &MatchInput, settings: &Settings) -> Result<()> {
    for (name, value) in [
        (
            "precision-recall trade-off",
            settings.precision_recall_tradeoff,
        ),
        ("accuracy-cost trade-off", settings.accuracy_cost_tradeoff),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(MatchError::Setting(format!(
                "the {name} is {value}, which is not from 0 to 1"
            )));
        }
    }
    if settings.one_to_one && input.right.is_none() {
        return Err(MatchError::Setting(
            "one to one needs two tables to link".into(),
        ));
    }
    if settings.blocking.iter().any(Vec::is_empty) {
        return Err(MatchError::Setting(
            "a blocking rule names no column".into(),
        ));
    }
    let tables = [Some(&input.left), input.right.as_ref()]
        .into_iter()
        .flatten();
    for table in tables {
        for taken in ["match_id", "match_confidence"] {
            if table
                .rows
                .schema()
                .field_with_unqualified_name(taken)
                .is_ok()
            {
                return Err(MatchError::Setting(format!(
                    "'{}' has a column '{taken}' already; rename it or leave it out first",
                    table.name
                )));
            }
        }
    }
    Ok(())
}

/// Keeps the input, so that rows have numbers and can be read again.
async fn read(
    context: &SessionContext,
    input: MatchInput,
) -> Result<(Arc<Spool>, Vec<align::Shared>, Sides)> {
    let empty = |table: String| MatchError::Empty { table };
    let sides = |rows: u64, split: Option<u64>| Sides {
        rows: u32::try_from(rows).unwrap_or(u32::MAX),
        split: split.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
    };
    let left = unqualified(input.left.rows)?;
    let Some(right) = input.right else {
        let shared = align::of_one(left.schema().as_arrow());
        let raw = Spool::keep(context, vec![left], true).await?;
        match raw.rows() {
            0 => return Err(empty(input.left.name)),
            1 => {
                return Err(MatchError::OneRow {
                    table: input.left.name,
                });
            }
            rows => return Ok((raw, shared, sides(rows, None))),
        }
    };
    let (left, right_rows, shared) = align::of_two(context, left, unqualified(right.rows)?).await?;
    let (a, b) = source_names(&input.left.name, &right.name);
    let name = source_column(&shared);
    let left = left.with_column(name, lit(a))?;
    let right_rows = right_rows.with_column(name, lit(b))?;
    let first = Spool::keep(context, vec![left], true).await?;
    let second = Spool::keep(context, vec![right_rows], true).await?;
    if first.rows() == 0 {
        return Err(empty(input.left.name));
    }
    if second.rows() == 0 {
        return Err(empty(right.name));
    }
    let split = first.rows();
    let raw = Spool::concat(first, second)?;
    let rows = raw.rows();
    Ok((raw, shared, sides(rows, Some(split))))
}

fn unqualified(frame: DataFrame) -> Result<DataFrame> {
    let columns: Vec<Expr> = frame
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            Expr::Column(datafusion::common::Column::new(
                qualifier.cloned(),
                field.name(),
            ))
            .alias(field.name())
        })
        .collect();
    Ok(frame.select(columns)?)
}

/// What the two tables are called in the output.
fn source_names(left: &str, right: &str) -> (ScalarValue, ScalarValue) {
    let (a, b) = if left == right {
        ("left", "right")
    } else {
        (left, right)
    };
    (ScalarValue::from(a), ScalarValue::from(b))
}

fn source_column(shared: &[align::Shared]) -> &'static str {
    if shared.iter().any(|s| s.name == "source") {
        "match_source"
    } else {
        "source"
    }
}

/// Candidates, pairs that only teach, and vectors where there are any.
struct Candidates {
    pairs: Vec<u64>,
    teach: Vec<u64>,
    texts: Option<Arc<Texts>>,
}

async fn block(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[crate::profile::Column],
    sides: Sides,
    settings: &Settings,
    blocking: &mut Blocking,
) -> Result<Candidates> {
    let rows = normal.scan(context, "rows")?;
    let small = sides.rows as usize <= settings.search_rows();
    let text = columns.iter().find(|c| c.kind == Kind::Text);
    let ruled = !settings.blocking.is_empty();
    let mut uncovered = false;
    if ruled || !small && text.is_none() {
        if let Some(pairs) = keys::pairs(context, &rows, columns, sides, settings, blocking).await?
        {
            blocking.method = match ruled {
                true => "the rules that were given".into(),
                false => format!(
                    "keys, for {} rows of short columns: the fewest pairs that survive mistakes in any few columns at once",
                    sides.rows
                ),
            };
            let teach = random(sides, u64::from(sides.rows).min(500_000), &pairs);
            let texts = match ruled && small {
                true => Some(Arc::new(Texts::read(rows, columns).await?)),
                false => None,
            };
            return Ok(Candidates {
                pairs,
                teach,
                texts,
            });
        }
        uncovered = true;
    }
    let texts = Arc::new(Texts::read(rows, columns).await?);
    let (search, options) = (texts.clone(), settings.clone());
    let (pairs, teach, k) = tokio::task::spawn_blocking(move || search.pairs(sides, &options))
        .await
        .map_err(|e| MatchError::Spool(e.to_string()))?;
    let why = match (small, text) {
        (true, _) => format!("{} rows are few enough to search all", sides.rows),
        (_, Some(text)) => format!("'{}' is long text, which no key holds", text.name),
        _ if uncovered => "no keys survive mistakes in some columns at once".into(),
        _ => String::new(),
    };
    blocking.method = format!("the {k} nearest records of each by the cosine of 3-grams: {why}");
    blocking.neighbours = Some(k);
    Ok(Candidates {
        pairs,
        teach,
        texts: Some(texts),
    })
}

/// What pairs are thought to be before anything is learned.
fn beginning(
    pairs: &[u64],
    record: &[f32],
    sides: Sides,
    settings: &Settings,
    cosine: bool,
) -> Vec<f32> {
    if settings.one_to_one {
        let taken = greedy(pairs, record, sides);
        let threshold = Curve::new(pairs, record, &taken, sides).best();
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
    let (from, over) = if cosine { (0.3, 0.5) } else { (0.55, 0.35) };
    record
        .iter()
        .map(|s| ((s - from) / over).clamp(0.01, 0.99))
        .collect()
}

/// One short column in common, of three or more, is weak evidence.
fn thin_evidence(
    patterns: &Patterns,
    columns: usize,
    kinds: impl Iterator<Item = Kind>,
    scores: &mut [f32],
) {
    let kinds: Vec<Kind> = kinds.collect();
    if columns < 3 {
        return;
    }
    let thin: Vec<bool> = (0..patterns.len())
        .map(|p| {
            let given: Vec<usize> = (0..columns)
                .filter(|k| patterns.level(p, *k) != NULL)
                .collect();
            matches!(given.as_slice(), [one] if kinds.get(*one) != Some(&Kind::Text))
        })
        .collect();
    for (score, pattern) in scores.iter_mut().zip(&patterns.of) {
        if thin[*pattern as usize] {
            *score -= 3.0;
        }
    }
}

fn decide(
    pairs: &[u64],
    scores: &[f32],
    prior: f64,
    sides: Sides,
    settings: &Settings,
) -> (Vec<usize>, f64, Decision) {
    let mut decision = Decision::default();
    if !settings.one_to_one {
        let threshold = settings.shift();
        decision.threshold = threshold;
        decision.why = "where a match is as likely as not by the model".into();
        if threshold != 0.0 {
            decision
                .why
                .push_str(", moved by the precision-recall trade-off");
        }
        let accepted = (0..scores.len())
            .filter(|at| f64::from(scores[*at]) > threshold)
            .collect();
        return (accepted, threshold, decision);
    }
    let taken = greedy(pairs, scores, sides);
    let curve = Curve::new(pairs, scores, &taken, sides);
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
    decision.threshold = threshold;
    decision.ties = (count - accepted.len()) as u64;
    decision.why = format!(
        "where the F1 expected from each record's second best is greatest; {:.0} % of the smaller table's records seem to have a partner",
        100.0 * curve.matched
    );
    (accepted, threshold, decision)
}

/// Ids by the order of first rows, each row's confidence, and how many entities there are of each size.
fn describe(
    pairs: &[u64],
    relative: &[f32],
    accepted: &[usize],
    entities: &[u32],
) -> (Vec<i64>, Vec<f64>, Vec<(u64, u64)>) {
    let mut ids = vec![0_i64; entities.len()];
    let mut sizes = vec![0_u64; entities.len()];
    let mut next = 0;
    for (row, entity) in entities.iter().enumerate() {
        if *entity as usize == row {
            next += 1;
            ids[row] = next;
        } else {
            ids[row] = ids[*entity as usize];
        }
        sizes[*entity as usize] += 1;
    }
    // How likely a record's best match in its entity is; of one that is alone, that it has none.
    let mut confidence: Vec<Option<f64>> = vec![None; entities.len()];
    for at in accepted {
        let (a, b) = rows(pairs[*at]);
        if entities[a as usize] == entities[b as usize] {
            let chance = sigmoid(f64::from(relative[*at]));
            for row in [a, b] {
                let own = &mut confidence[row as usize];
                *own = Some(own.map_or(chance, |c| c.max(chance)));
            }
        }
    }
    let mut rival = vec![0.0_f64; entities.len()];
    for (pair, score) in pairs.iter().zip(relative) {
        let (a, b) = rows(*pair);
        let chance = sigmoid(f64::from(*score));
        for row in [a, b] {
            let own = &mut rival[row as usize];
            *own = own.max(chance);
        }
    }
    let confidence = confidence
        .into_iter()
        .zip(rival)
        .map(|(own, rival)| own.unwrap_or(1.0 - rival))
        .collect();
    let mut counts = std::collections::BTreeMap::new();
    for size in sizes.into_iter().filter(|size| *size > 0) {
        *counts.entry(size).or_insert(0) += 1;
    }
    (ids, confidence, counts.into_iter().collect())
}

impl Decision {
    fn gate(&mut self, before: usize, after: usize, verdict: Verdict) {
        self.refused = (before - after) as u64;
        self.doubtful = verdict == Verdict::Doubtful;
        self.gate = match verdict {
            Verdict::Silent => "could not be told from the candidates".into(),
            Verdict::Passed => "matches stand out from each record's other candidates".into(),
            Verdict::Doubtful => {
                "most matches do not stand out from each record's other candidates, so that only those count that do by themselves".into()
            }
        };
    }
}
