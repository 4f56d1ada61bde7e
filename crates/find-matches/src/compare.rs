//! Pairs compared: for each comparison a level, 0 for the least alike, and the rarity of what agrees exactly.
//!
//! Edit distances are functions in a plan over the pairs and the normal forms of both records. A comparison takes
//! three bytes a pair, so that 10 million pairs of 8 columns are 240 MB. They are reserved, with what is made of them, as
//! long as the pairs are there.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, UInt32Type};
use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, cast, lit, when};
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::blocking::grams::{Cosines, Texts};
use crate::error::{MatchError, Result};
use crate::gather;
use crate::memory::Share;
use crate::normalise::{call, column, frequency, number, value};
use crate::operator::spilled;
use crate::profile::Column;
use crate::settings::Kind;
use crate::spool::Spool;
use crate::transform::Transform;

/// The level of a comparison where a side has no value.
pub(crate) const NULL: u8 = u8::MAX;

/// The name of the comparison of whole records.
pub(crate) const RECORD: &str = "*3gram";

/// How many buckets of rarity there are to a factor of e.
pub(crate) const RARITY: f32 = 8.0;

/// What was found of all pairs.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// For each comparison, the columns' first, each pair's level.
    pub(crate) levels: Vec<Vec<u8>>,
    /// For each comparison, 0 or one more than the rarity, -ln of the frequency times [`RARITY`], of the value
    /// that both agree on exactly.
    pub(crate) rarity: Vec<Vec<u8>>,
    /// For each comparison and then for words, each pair's similarity in 254 steps, [`NULL`] where there is none.
    pub(crate) similarities: Vec<Vec<u8>>,
    /// How alike whole records are.
    pub(crate) record: Vec<f32>,
    /// How many bytes were spilled on the way.
    pub(crate) spilled: u64,
    /// The memory that this takes, and what is learned and decided from it.
    pub(crate) _share: Option<Share>,
}

/// Bytes that a pair takes, beside three a comparison: its rows, how alike they are, its pattern, two scores, and what is
/// made of each of them while weights are learned and pairs are ranked.
const A_PAIR: usize = 8 + 4 + 4 + 2 * 4 + 3 * 8;
/// Bytes that a record takes while pairs are assigned or clustered, and of its entity.
const A_ROW: usize = 40;

/// Below which similarities each level lies, and the level of equality.
pub(crate) fn cuts(kind: Kind) -> (&'static [f32], u8) {
    match kind {
        Kind::Text => (&[0.1, 0.2, 0.35, 0.5, 0.7], 6),
        Kind::Number => (&[0.7, 0.9, 0.98], 4),
        Kind::Code => (&[], 3),
        Kind::String => (&[0.3, 0.5, 0.7, 0.85], 5),
    }
}

/// The cuts of the comparison of whole records.
pub(crate) const RECORD_CUTS: [f32; 8] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

/// How many levels a comparison has.
pub(crate) fn levels_of(kind: Option<Kind>) -> usize {
    kind.map_or(RECORD_CUTS.len() + 1, |kind| usize::from(cuts(kind).1) + 1)
}

fn level(similarity: f32, cuts: &[f32]) -> u8 {
    cuts.iter().filter(|cut| similarity >= **cut).count() as u8
}

fn rarity(frequency: f32) -> u8 {
    1 + (-frequency.max(1e-12).ln() * RARITY)
        .round()
        .clamp(0.0, 250.0) as u8
}

/// A similarity in steps.
fn steps(similarity: f32) -> u8 {
    match similarity.is_nan() {
        true => NULL,
        false => (similarity.clamp(0.0, 1.0) * 254.0).round() as u8,
    }
}

impl Compared {
    /// The similarity of a pair by a comparison, where there is one.
    pub(crate) fn similarity(&self, comparison: usize, pair: usize) -> Option<f64> {
        let of = self.similarities.get(comparison)?;
        let steps = of.get(pair).filter(|s| **s != NULL)?;
        Some(f64::from(*steps) / 254.0)
    }
}

/// One batch of answers.
struct Answer {
    pairs: Vec<u32>,
    levels: Vec<Vec<u8>>,
    rarity: Vec<Vec<u8>>,
    similarities: Vec<Vec<u8>>,
    record: Vec<f32>,
}

/// The columns of one comparison, for records joined as left and right.
fn expressions(context: &SessionContext, columns: &[Column], vectors: bool) -> Result<Vec<Expr>> {
    let mut out = Vec::new();
    for (at, c) in columns.iter().enumerate() {
        let (a, b) = (
            column(&format!("l{}", value(at))),
            column(&format!("r{}", value(at))),
        );
        let both = a.clone().is_not_null().and(b.clone().is_not_null());
        let mut exact = a.clone().eq(b.clone());
        let similarity = match c.kind {
            Kind::String if vectors => {
                call(context, "edit_similarity", vec![a.clone(), b.clone()])?
            }
            Kind::String => call(context, "string_similarity", vec![a.clone(), b.clone()])?,
            Kind::Text if vectors => cast(exact.clone(), DataType::Float32),
            Kind::Text => call(context, "qgram_similarity", vec![a.clone(), b.clone()])?,
            Kind::Code => {
                let distance = call(
                    context,
                    "damerau_levenshtein_distance",
                    vec![a.clone(), b.clone()],
                )?;
                cast(distance, DataType::Float32)
            }
            Kind::Number => {
                let (x, y) = (
                    column(&format!("l{}", number(at))),
                    column(&format!("r{}", number(at))),
                );
                exact = x.clone().eq(y.clone());
                let abs = |e: Expr| call(context, "abs", vec![e]);
                let most = call(
                    context,
                    "greatest",
                    vec![abs(x.clone())?, abs(y.clone())?, lit(1e-9)],
                )?;
                let apart = abs(x - y)? / most;
                let alike = call(context, "greatest", vec![lit(1.0) - apart, lit(0.0)])?;
                let nothing = lit(ScalarValue::Float32(None));
                when(
                    both.clone(),
                    cast(coalesce(vec![alike, lit(0.0)]), DataType::Float32),
                )
                .otherwise(nothing)?
            }
        };
        out.push(similarity.alias(format!("s{at}")));
        let mut times = when(exact.and(both), column(&format!("l{}", frequency(at))));
        out.push(
            times
                .otherwise(lit(ScalarValue::Float32(None)))?
                .alias(format!("t{at}")),
        );
        if c.kind == Kind::Code {
            let length = |e: Expr| call(context, "character_length", vec![e]);
            let most = call(context, "greatest", vec![length(a)?, length(b)?])?;
            out.push(cast(most, DataType::Float32).alias(format!("n{at}")));
        }
    }
    Ok(out)
}

/// Compares pairs, whose memory is `share`. `texts` are the records' vectors, where there are any; how frequent values
/// are may be `saved`.
pub(crate) async fn compare(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
    pairs: Arc<Vec<u64>>,
    mut share: Share,
    texts: Option<Arc<Texts>>,
    saved: Option<&Transform>,
) -> Result<Compared> {
    if pairs.len() > u32::MAX as usize {
        return Err(MatchError::Setting(format!(
            "{} pairs are more than can be compared at once; ask for fewer with a lower accuracy-cost trade-off",
            pairs.len()
        )));
    }
    let all = pairs.len();
    let count = columns.len() + usize::from(texts.is_some());
    let of_pairs = all * (A_PAIR + 2 * count + columns.len() + 2);
    let bytes = of_pairs + A_ROW * usize::try_from(normal.rows()).unwrap_or(usize::MAX);
    share.resize(bytes, || {
        format!("matching {all} pairs of {} rows", normal.rows())
    })?;
    let cosines = match texts {
        Some(texts) => {
            let of = pairs.clone();
            let work = tokio::task::spawn_blocking(move || texts.cosines(&of));
            let found = work.await.map_err(|e| MatchError::Spool(e.to_string()))?;
            Some(Arc::new(found?))
        }
        None => None,
    };
    let gathered = gather::pairs(context, normal, pairs, saved).await?;
    let joined = gathered.pairs;
    let mut shown = vec![column("p"), column("a"), column("b")];
    shown.extend(expressions(context, columns, cosines.is_some())?);
    let plan = joined.select(shown)?.create_physical_plan().await?;
    let streams = execute_stream_partitioned(plan.clone(), context.task_ctx())?;
    let kinds: Arc<Vec<Kind>> = Arc::new(columns.iter().map(|c| c.kind).collect());
    let (send, mut receive) = tokio::sync::mpsc::channel(8);
    for mut stream in streams {
        let (send, kinds, cosines) = (send.clone(), kinds.clone(), cosines.clone());
        tokio::spawn(async move {
            while let Some(batch) = stream.next().await {
                let answer = batch
                    .map_err(MatchError::from)
                    .and_then(|b| answer(&b, &kinds, cosines.as_deref()));
                if send.send(answer).await.is_err() {
                    break;
                }
            }
        });
    }
    drop(send);
    let mut out = Compared {
        levels: vec![vec![NULL; all]; count],
        rarity: vec![vec![0; all]; count],
        similarities: vec![vec![NULL; all]; columns.len() + 2],
        record: vec![0.0; all],
        spilled: 0,
        _share: Some(share),
    };
    let mut done = 0;
    while let Some(answer) = receive.recv().await {
        let answer = answer?;
        done += answer.pairs.len();
        scatter(&answer.pairs, &answer.levels, &mut out.levels);
        scatter(&answer.pairs, &answer.rarity, &mut out.rarity);
        scatter(&answer.pairs, &answer.similarities, &mut out.similarities);
        scatter(
            &answer.pairs,
            std::slice::from_ref(&answer.record),
            std::slice::from_mut(&mut out.record),
        );
    }
    if done != all {
        return Err(MatchError::Spool(format!(
            "{done} of {all} pairs were compared"
        )));
    }
    if let Some(cosines) = cosines {
        cosines.settle();
    }
    out.spilled = gathered.spilled + spilled(plan.as_ref());
    Ok(out)
}

fn scatter<T: Copy>(places: &[u32], from: &[Vec<T>], to: &mut [Vec<T>]) {
    for (from, to) in from.iter().zip(to) {
        for (place, v) in places.iter().zip(from) {
            if let Some(cell) = to.get_mut(*place as usize) {
                *cell = *v;
            }
        }
    }
}

fn answer(batch: &RecordBatch, kinds: &[Kind], cosines: Option<&Cosines>) -> Result<Answer> {
    let ints = |at: usize| batch.column(at).as_primitive::<UInt32Type>().values();
    let (p, a, b) = (ints(0), ints(1), ints(2));
    let n = batch.num_rows();
    let mut out = Answer {
        pairs: p.to_vec(),
        levels: Vec::new(),
        rarity: Vec::new(),
        similarities: Vec::new(),
        record: vec![0.0; n],
    };
    let mut at = 3;
    for (place, kind) in kinds.iter().enumerate() {
        let similar = batch.column(at).as_primitive::<Float32Type>();
        let exact = batch.column(at + 1).as_primitive::<Float32Type>();
        at += 2;
        let lengths = (*kind == Kind::Code).then(|| {
            at += 1;
            batch.column(at - 1).as_primitive::<Float32Type>()
        });
        let own = cosines.filter(|c| c.has(place));
        let (cuts, top) = cuts(*kind);
        let (mut levels, mut rare, mut values) = (vec![NULL; n], vec![0_u8; n], vec![NULL; n]);
        for row in 0..n {
            if similar.is_null(row) {
                continue;
            }
            let mut s = similar.value(row);
            let equal = exact.is_valid(row);
            let level = match (kind, lengths) {
                (Kind::Code, Some(lengths)) => {
                    let distance = s;
                    s = 1.0 - distance / lengths.value(row).max(1.0);
                    if distance <= 1.0 {
                        2
                    } else {
                        u8::from(distance <= 2.0)
                    }
                }
                _ => {
                    if let (Some(own), false) = (own, equal) {
                        let cosine = own.column(place, (p[row], a[row], b[row]));
                        s = if *kind == Kind::Text {
                            cosine
                        } else {
                            s.max(cosine).clamp(0.0, 1.0)
                        };
                    } else if equal {
                        s = 1.0;
                    }
                    level(s, cuts)
                }
            };
            levels[row] = if equal { top } else { level };
            if equal {
                rare[row] = rarity(exact.value(row));
            }
            values[row] = steps(s);
            out.record[row] += s;
        }
        out.levels.push(levels);
        out.rarity.push(rare);
        out.similarities.push(values);
    }
    match cosines {
        Some(cosines) => {
            let placed = || (0..n).map(|row| (p[row], a[row], b[row]));
            out.record = placed().map(|pair| cosines.record(pair)).collect();
            let words: Vec<f32> = placed().map(|pair| cosines.words(pair)).collect();
            out.levels
                .push(out.record.iter().map(|s| level(*s, &RECORD_CUTS)).collect());
            out.rarity.push(vec![0; n]);
            let all_steps = |of: &[f32]| of.iter().map(|s| steps(*s)).collect();
            out.similarities.push(all_steps(&out.record));
            out.similarities.push(all_steps(&words));
        }
        // The mean similarity; a column without a value counts as half alike.
        None => {
            for (row, sum) in out.record.iter_mut().enumerate() {
                let nulls = out.levels.iter().filter(|l| l[row] == NULL).count();
                *sum = (*sum + 0.5 * nulls as f32) / kinds.len().max(1) as f32;
            }
            let whole: Vec<u8> = out.record.iter().map(|s| steps(*s)).collect();
            out.similarities.extend([whole.clone(), whole]);
        }
    }
    Ok(out)
}
