//! Keys that pairs agree on: which there could be, which are taken, and their pairs.
//!
//! Keys are chosen as a set cover of mistakes: any few columns of a record may be wrong at once, and for each
//! such set there should be three keys that do not touch it, for as few pairs as can be. All that is needed for
//! it are counts; no pair is made before.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit, when};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::blocks::{BlockExec, Walk};
use super::distinct::{Pairs, pairs_of};
use super::hashes::{Hashes, Sample};
use super::oversize::{MOST_ROWS, Size};
use super::{Blocking, Rule, Sides, rare};
use crate::error::Result;
use crate::normalise::{call, column, value};
use crate::operator::spilled;
use crate::profile::Column;
use crate::settings::{Kind, Settings};

/// How many keys there should be that survive each set of mistakes.
const KEYS_A_MISTAKE: f64 = 3.0;
/// The most keys.
const MOST_KEYS: usize = 30;
/// The most columns that keys are made of.
const MOST_COLUMNS: usize = 12;
/// The most columns that are thought to be wrong at once.
const WRONG_AT_ONCE: usize = 4;
/// From how many rows on a table is big.
const BIG: u32 = 200_000;
/// About how many rows of each key are counted.
const COUNTED: u64 = 50_000;

/// What of a value is in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    /// The first three characters.
    Start,
    /// The last four of more.
    End,
}

/// A part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    column: usize,
    form: Form,
}

impl Part {
    fn expression(self, context: &SessionContext) -> Result<Expr> {
        let text = column(&value(self.column));
        Ok(match self.form {
            Form::Whole => text,
            Form::Start => call(context, "left", vec![text, lit(3_i64)])?,
            Form::End => {
                let length = call(context, "character_length", vec![text.clone()])?;
                let end = call(context, "right", vec![text, lit(4_i64)])?;
                when(length.gt(lit(4)), end)
                    .otherwise(lit(ScalarValue::try_from(&DataType::Utf8)?))?
            }
        })
    }

    fn name(self, columns: &[Column]) -> String {
        let name = columns.get(self.column).map_or("", |c| c.name.as_str());
        match self.form {
            Form::Whole => name.to_owned(),
            Form::Start => format!("first 3 of {name}"),
            Form::End => format!("last 4 of {name}"),
        }
    }
}

type Key = Vec<Part>;

/// The pairs that agree on a key, and how it was chosen. None if the keys cover too little.
pub(crate) async fn pairs(
    context: &SessionContext,
    rows: &DataFrame,
    columns: &[Column],
    sides: Sides,
    settings: &Settings,
    blocking: &mut Blocking,
) -> Result<Option<Pairs>> {
    let chosen = if settings.blocking.is_empty() {
        match choose(context, rows, columns, sides, settings, blocking).await? {
            Some(keys) => keys,
            None => return Ok(None),
        }
    } else {
        let place = |name: &String| columns.iter().position(|c| c.name == *name);
        let whole = |column| Part {
            column,
            form: Form::Whole,
        };
        let rules = settings.blocking.iter();
        rules
            .map(|rule| rule.iter().filter_map(place).map(whole).collect())
            .filter(|k: &Key| !k.is_empty())
            .collect()
    };
    let mut all = agreeing(context, rows, columns, &chosen, sides, blocking).await?;
    if settings.blocking.is_empty() {
        // About nine pairs a row with those of the keys; of big tables three, for time.
        let share = if sides.rows > BIG { 0.375 } else { 1.125 };
        let budget =
            share * settings.pairs_a_row() * f64::from(sides.rows) - all.numbers.len() as f64;
        let found = rare::pairs(context, rows, columns, sides, budget).await?;
        blocking.spilled += found.pairs.spilled;
        if let Some(most) = found.most {
            blocking.rules.push(Rule {
                agree_on: vec![format!(
                    "two of the four rarest words of each record that up to {most} records share"
                )],
                pairs: found.walked.pairs,
                oversized_blocks: found.walked.oversized_blocks,
                oversized_rows: found.walked.oversized_rows,
            });
            all.add(found.pairs)?;
        }
    }
    Ok(Some(all))
}

/// The pairs that agree on one of some keys, in order, each once.
async fn agreeing(
    context: &SessionContext,
    rows: &DataFrame,
    columns: &[Column],
    keys: &[Key],
    sides: Sides,
    blocking: &mut Blocking,
) -> Result<Pairs> {
    let mut parts: Vec<Part> = Vec::new();
    let mut places = Vec::new();
    for key in keys {
        let place = key.iter().map(|part| {
            parts.iter().position(|p| p == part).unwrap_or_else(|| {
                parts.push(*part);
                parts.len() - 1
            })
        });
        places.push(place.collect::<Vec<_>>());
    }
    let mut shown = vec![column("row")];
    shown.extend(hashed(context, &parts)?);
    let input = rows.clone().select(shown)?.create_physical_plan().await?;
    let plan = Arc::new(BlockExec::new(
        input,
        Arc::new(Hashes::new(places, sides.rows)),
        Walk::Pairs {
            most: vec![MOST_ROWS],
            budget: f64::INFINITY,
            sides,
        },
    ));
    let all = pairs_of(plan.clone(), &context.task_ctx()).await?;
    blocking.spilled += all.spilled;
    for (key, walked) in keys.iter().zip(plan.walked()) {
        blocking.rules.push(Rule {
            agree_on: key.iter().map(|part| part.name(columns)).collect(),
            pairs: walked.pairs,
            oversized_blocks: walked.oversized_blocks,
            oversized_rows: walked.oversized_rows,
        });
    }
    Ok(all)
}

/// The hashes of some parts, as expressions.
fn hashed(context: &SessionContext, parts: &[Part]) -> Result<Vec<Expr>> {
    let hash = |(at, part): (usize, &Part)| {
        let hash = call(context, "match_hash", vec![part.expression(context)?])?;
        Ok(hash.alias(format!("h{at}")))
    };
    parts.iter().enumerate().map(hash).collect()
}

/// The parts that keys could have.
fn parts(columns: &[Column]) -> Vec<Part> {
    let mut best: Vec<usize> = (0..columns.len()).collect();
    let worth = |at: &usize| {
        columns
            .get(*at)
            .map_or(0.0, |c| c.fill * (c.distinct as f64).ln_1p())
    };
    best.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    best.truncate(MOST_COLUMNS);
    best.sort_unstable();
    let mut out = Vec::new();
    for at in best {
        let Some(c) = columns.get(at) else { continue };
        let number = matches!(c.kind, Kind::Number | Kind::Code);
        out.push(Part {
            column: at,
            form: Form::Whole,
        });
        if !number {
            out.push(Part {
                column: at,
                form: Form::Start,
            });
        }
        if number || c.length >= 8.0 {
            out.push(Part {
                column: at,
                form: Form::End,
            });
        }
    }
    out
}

/// The sizes of keys, from all blocks whose hash falls into a sample.
async fn sizes(
    context: &SessionContext,
    rows: &DataFrame,
    parts: &[Part],
    keys: &[Vec<usize>],
    sides: Sides,
    blocking: &mut Blocking,
) -> Result<Vec<Size>> {
    let shown = hashed(context, parts)?;
    let every = (u64::from(sides.rows) / COUNTED).max(1);
    let input = rows.clone().select(shown)?.create_physical_plan().await?;
    let sample = Sample::new(keys.to_vec(), every);
    let plan: Arc<dyn ExecutionPlan> = Arc::new(BlockExec::new(
        input,
        Arc::new(sample),
        Walk::Sizes(Sample::BITS),
    ));
    let mut stream = execute_stream(plan.clone(), context.task_ctx())?;
    let mut out = vec![Size::default(); keys.len()];
    while let Some(batch) = stream.next().await {
        let batch: RecordBatch = batch?;
        let of = |at: usize| batch.column(at).as_primitive::<UInt64Type>().values();
        for ((key, rows), blocks) in of(0).iter().zip(of(1)).zip(of(2)) {
            if let Some(size) = out.get_mut(*key as usize) {
                size.add(*rows, (every * blocks) as f64);
            }
        }
    }
    blocking.spilled += spilled(plan.as_ref());
    Ok(out)
}

async fn choose(
    context: &SessionContext,
    rows: &DataFrame,
    columns: &[Column],
    sides: Sides,
    settings: &Settings,
    blocking: &mut Blocking,
) -> Result<Option<Vec<Key>>> {
    let parts = parts(columns);
    let column_of = |part: usize| parts.get(part).map(|p| p.column);
    let whole = |part: usize| parts.get(part).is_some_and(|p| p.form == Form::Whole);
    let mut keys: Vec<Vec<usize>> = (0..parts.len()).map(|at| vec![at]).collect();
    for a in 0..parts.len() {
        for b in a + 1..parts.len() {
            if column_of(a) != column_of(b) {
                keys.push(vec![a, b]);
            }
        }
    }
    let n = f64::from(sides.rows);
    let mut found = sizes(context, rows, &parts, &keys, sides, blocking).await?;
    let fit = |size: &Size, most: f64| size.pairs > 0.0 && size.pairs <= most && !size.refused();
    let mut use_of: Vec<(Vec<usize>, Size)> = Vec::new();
    let mut refine = Vec::new();
    for (key, size) in keys.into_iter().zip(found.drain(..)) {
        if fit(&size, 2.0 * n) {
            use_of.push((key, size));
            continue;
        }
        if size.refused() && key.iter().all(|p| whole(*p)) {
            let names: Vec<String> = key
                .iter()
                .filter_map(|p| parts.get(*p))
                .map(|p| p.name(columns))
                .collect();
            blocking.refused.push(format!(
                "{}: {:.0} % of its rows lie in blocks of over {MOST_ROWS}",
                names.join(" and "),
                100.0 * size.oversized / size.rows.max(1.0)
            ));
        }
        if key.len() == 2 && key.iter().all(|p| whole(*p)) {
            refine.push(key);
        }
    }
    // Two whole columns that agree too often are refined by a third.
    let mut triples: Vec<Vec<usize>> = Vec::new();
    for key in refine {
        for third in 0..parts.len() {
            if key.iter().any(|p| column_of(*p) == column_of(third)) {
                continue;
            }
            let mut triple = key.clone();
            triple.push(third);
            triple.sort_unstable();
            if !triples.contains(&triple) {
                triples.push(triple);
            }
        }
    }
    triples.truncate(1000);
    if !triples.is_empty() {
        let found = sizes(context, rows, &parts, &triples, sides, blocking).await?;
        use_of.extend(
            triples
                .into_iter()
                .zip(found)
                .filter(|(_, size)| fit(size, n)),
        );
    }
    let taken = cover(&parts, &use_of, n, settings.pairs_a_row());
    // Without keys that survive most mistakes the neighbours are looked for after all.
    let Some(taken) = taken else { return Ok(None) };
    let of = |key: &Vec<usize>| key.iter().filter_map(|p| parts.get(*p).copied()).collect();
    Ok(Some(
        taken
            .into_iter()
            .filter_map(|at| use_of.get(at))
            .map(|(key, _)| of(key))
            .collect(),
    ))
}

/// The greedy set cover.
fn cover(parts: &[Part], keys: &[(Vec<usize>, Size)], n: f64, budget: f64) -> Option<Vec<usize>> {
    let mut used: Vec<usize> = parts.iter().map(|p| p.column).collect();
    used.dedup();
    let bit = |column: usize| {
        used.iter()
            .position(|c| *c == column)
            .map_or(0_u64, |at| 1 << at)
    };
    let wrong = used.len().saturating_sub(2).clamp(1, WRONG_AT_ONCE) as u32;
    let scenarios: Vec<u64> = (0..1_u64 << used.len())
        .filter(|s| s.count_ones() == wrong)
        .collect();
    let mut need = vec![KEYS_A_MISTAKE; scenarios.len()];
    struct Candidate {
        at: usize,
        touches: u64,
        worth: f64,
        cost: f64,
        pairs: f64,
    }
    let mut left: Vec<Candidate> = keys
        .iter()
        .enumerate()
        .map(|(at, (key, size))| {
            let of: Vec<Part> = key.iter().filter_map(|p| parts.get(*p).copied()).collect();
            let halves = of.iter().filter(|p| p.form != Form::Whole).count();
            Candidate {
                at,
                touches: of.iter().fold(0, |sum, p| sum | bit(p.column)),
                worth: (size.rows - size.oversized) / n * 0.9_f64.powi(halves as i32),
                cost: size.pairs + 0.2 * n,
                pairs: size.pairs,
            }
        })
        .collect();
    let (mut taken, mut spent) = (Vec::new(), 0.0);
    while taken.len() < MOST_KEYS && spent < budget * n && !left.is_empty() {
        let gain = |c: &Candidate| {
            let survived = scenarios
                .iter()
                .zip(&need)
                .filter(|(s, _)| *s & c.touches == 0);
            survived.map(|(_, need)| need.min(1.0)).sum::<f64>() * c.worth / c.cost
        };
        let best = left
            .iter()
            .enumerate()
            .map(|(at, c)| (at, gain(c)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((at, gain)) = best else { break };
        if gain <= 1e-12 {
            break;
        }
        let best = left.swap_remove(at);
        for (scenario, need) in scenarios.iter().zip(&mut need) {
            if scenario & best.touches == 0 {
                *need = (*need - best.worth).max(0.0);
            }
        }
        spent += best.pairs;
        taken.push(best.at);
    }
    let uncovered = need.iter().filter(|need| **need >= KEYS_A_MISTAKE).count();
    (!taken.is_empty() && uncovered * 4 <= scenarios.len()).then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_leaves_a_key() {
        let part = |column| Part {
            column,
            form: Form::Whole,
        };
        let parts: Vec<Part> = (0..5).map(part).collect();
        let size = |pairs: f64| Size {
            pairs,
            rows: 1000.0,
            oversized: 0.0,
        };
        // One column is a good key, the others are by twos.
        let mut keys = vec![(vec![0], size(200.0))];
        for a in 1..5 {
            for b in a + 1..5 {
                keys.push((vec![a, b], size(300.0)));
            }
        }
        let taken = cover(&parts, &keys, 1000.0, 8.0).unwrap();
        for wrong in 0..5 {
            let survives = taken.iter().filter(|at| !keys[**at].0.contains(&wrong));
            assert!(survives.count() >= 2, "{wrong} {taken:?}");
        }
        // A key on two columns alone leaves most mistakes uncovered.
        assert!(cover(&parts, &[(vec![1, 2], size(300.0))], 1000.0, 8.0).is_none());
    }
}
