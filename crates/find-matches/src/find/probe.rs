//! A look around some records, where candidates agree on keys: their lists are too short to tell a lead, so that
//! records of accepted pairs are held against a sample of all.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::logical_expr::cast;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hashbrown::HashMap;
use mastic_functions::sample_number;

use super::learn::Evidence;
use crate::blocking::grams::ROOM;
use crate::blocking::{pair, rows};
use crate::decide::groups::{CONVINCING, Groups, LOOKED_AT, Tops, lead, usual};
use crate::error::{MatchError, Result};
use crate::memory::Share;
use crate::normalise::{column, value};
use crate::spool::Spool;
use crate::vectors::stored::Stored;
use crate::vectors::{Builder, Near, Tokens};

/// Accepted pairs that are looked at.
const PROBES: usize = 500;
/// Records that stand for all.
const SAMPLE: u64 = 50_000;
/// The most accepted pairs of which each must stand for itself.
const MOST: usize = 10_000;
/// The rows that one query may look at.
const BUDGET: usize = 200_000;

/// What was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Whether most accepted pairs are no nearer than a record's other neighbours.
    pub(super) doubtful: bool,
    /// The closed groups around them.
    pub(super) groups: Groups,
}

/// Looks around some of the accepted pairs. None if there are too few to say anything.
pub(super) async fn look(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    accepted: &[usize],
) -> Result<Option<Seen>> {
    if accepted.len() < 5 {
        return Ok(None);
    }
    let mut few = accepted.to_vec();
    few.sort_by_key(|at| sample_number(*at as u64));
    few.truncate(PROBES);
    let asked = ends(evidence, &few);
    let found = near(context, normal, evidence, &asked).await?;
    let Some(usual) = usual(found.values().map(|n| n.cosines.as_slice())) else {
        return Ok(None);
    };
    let mut leads: Vec<f64> = few
        .iter()
        .map(|at| lead_of(evidence.pairs()[*at], &found, usual))
        .collect();
    leads.sort_by(f64::total_cmp);
    let doubtful = leads
        .get(leads.len() / 2)
        .is_some_and(|middle| *middle < CONVINCING);
    let mut tops = Tops::default();
    for (row, near) in &found {
        tops.add(*row, &near.cosines, &near.others, usual);
    }
    let mut members: Vec<u32> = tops.members().filter(|m| !found.contains_key(m)).collect();
    members.sort_unstable();
    members.dedup();
    for (row, near) in near(context, normal, evidence, &members).await? {
        tops.add(row, &near.cosines, &near.others, usual);
    }
    let groups = tops.closed(asked.into_iter(), evidence.sides);
    Ok(Some(Seen { doubtful, groups }))
}

/// The lead of each accepted pair, in their order; none if there are too many to look at each.
pub(super) async fn leads(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    accepted: &[usize],
) -> Result<Option<Vec<f64>>> {
    if accepted.len() > MOST {
        return Ok(None);
    }
    let found = near(context, normal, evidence, &ends(evidence, accepted)).await?;
    let usual = usual(found.values().map(|n| n.cosines.as_slice())).unwrap_or(1.0);
    let each = accepted
        .iter()
        .map(|at| lead_of(evidence.pairs()[*at], &found, usual));
    Ok(Some(each.collect()))
}

fn ends(evidence: &Evidence<'_>, accepted: &[usize]) -> Vec<u32> {
    let ends = accepted.iter().flat_map(|at| {
        let (a, b) = rows(evidence.pairs()[*at]);
        [a, b]
    });
    let mut ends: Vec<u32> = ends.collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// The lesser lead of a pair's records, 0 where the other one lies below the gap.
fn lead_of(pair: u64, found: &HashMap<u32, Nearest>, usual: f64) -> f64 {
    let (a, b) = rows(pair);
    let of = |row: u32, other: u32| {
        let Some(near) = found.get(&row) else {
            return 0.0;
        };
        let (lead, above) = lead(&near.cosines, usual);
        let is_above = near.others.iter().take(above).any(|o| *o == other);
        if is_above { lead } else { 0.0 }
    };
    of(a, b).min(of(b, a))
}

/// The nearest records of one, the nearest first.
struct Nearest {
    cosines: Vec<f32>,
    others: Vec<u32>,
}

/// The nearest of some records, among their candidates and a sample of all.
async fn near(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    asked: &[u32],
) -> Result<HashMap<u32, Nearest>> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let sides = evidence.sides;
    let every = u64::from(sides.rows).div_ceil(SAMPLE).max(1);
    let candidates = candidates(evidence, asked);
    let mut wanted = vec![false; sides.rows as usize];
    for row in asked.iter().chain(candidates.values().flatten()) {
        wanted[*row as usize] = true;
    }
    let (vectors, row_at, share) = read(context, normal, evidence, |row| {
        wanted[row as usize] || sample_number(u64::from(row)).is_multiple_of(every)
    })
    .await?;
    let place: HashMap<u32, u32> = row_at.iter().copied().zip(0..).collect();
    let mut queries: Vec<u32> = asked
        .iter()
        .filter_map(|row| place.get(row).copied())
        .collect();
    queries.sort_unstable();
    // The candidates of each record, as pairs of vectors.
    let mut pairs = Vec::new();
    for query in &queries {
        let row = row_at[*query as usize];
        let own = candidates.get(&row).map(Vec::as_slice).unwrap_or(&[]);
        let own = own.iter().filter_map(|other| place.get(other));
        pairs.extend(own.map(|at| pair(*query, *at)));
    }
    let (found, cosines) = search(vectors, share, queries, pairs).await?;
    let mut cosines = cosines.into_iter();
    // Of a sample the second best is less: by the logarithm of how many records each stands for.
    let gap = (every as f64).ln() as f32;
    let lists = found.into_iter().map(|(query, list)| {
        let row = row_at[query as usize];
        let own = candidates.get(&row).map(Vec::as_slice).unwrap_or(&[]);
        let sampled = list.into_iter().filter_map(|(other, cosine)| {
            let other = row_at[other as usize];
            let in_sample = sample_number(u64::from(other)).is_multiple_of(every);
            let new = in_sample && sides.may(row, other) && !own.contains(&other);
            new.then_some((other, cosine))
        });
        let mut all: Vec<(u32, f32)> = sampled.take(LOOKED_AT).collect();
        lift(&mut all, gap);
        let known = own.iter().filter(|other| place.contains_key(*other));
        all.extend(
            known
                .zip(cosines.by_ref())
                .map(|(other, cosine)| (*other, cosine)),
        );
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(LOOKED_AT);
        let (others, cosines) = all.into_iter().unzip();
        (row, Nearest { cosines, others })
    });
    Ok(lists.collect())
}

/// The candidates of some records.
fn candidates(evidence: &Evidence<'_>, asked: &[u32]) -> HashMap<u32, Vec<u32>> {
    let mut is_asked = vec![false; evidence.sides.rows as usize];
    asked.iter().for_each(|row| is_asked[*row as usize] = true);
    let mut out: HashMap<u32, Vec<u32>> = HashMap::new();
    for pair in evidence.pairs() {
        let (a, b) = rows(*pair);
        for (row, other) in [(a, b), (b, a)] {
            if is_asked[row as usize] {
                out.entry(row).or_default().push(other);
            }
        }
    }
    out
}

/// The vectors of the rows that are wanted, which rows they are, and the memory that they take.
async fn read(
    context: &SessionContext,
    normal: &Arc<Spool>,
    evidence: &Evidence<'_>,
    wanted: impl Fn(u32) -> bool,
) -> Result<(Stored, Vec<u32>, Share)> {
    let count = evidence.columns.len();
    let disk = context.runtime_env().disk_manager.clone();
    let mut share = Share::new("vectors of a sample", context.task_ctx().memory_pool());
    let mut to_disk = false;
    let mut shown = vec![column("row")];
    for at in 0..count {
        shown.push(cast(column(&value(at)), DataType::Utf8).alias(value(at)));
    }
    let rows = normal.scan(context, "rows")?.select(shown)?;
    let mut stream = rows.execute_stream().await?;
    let mut builder = Builder::new(Tokens::Grams);
    let mut row_at = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let numbers = batch.column(0).as_primitive::<UInt32Type>();
        let texts: Vec<_> = (0..count)
            .map(|at| batch.column(at + 1).as_string::<i32>())
            .collect();
        for at in (0..batch.num_rows()).filter(|at| wanted(numbers.value(*at))) {
            for text in texts.iter().filter(|t| t.is_valid(at)) {
                builder.add(text.value(at));
            }
            builder.end_row();
            row_at.push(numbers.value(at));
        }
        let what = || "looking around a sample of records".to_owned();
        to_disk |= share.resize(ROOM * builder.bytes(), what).is_err();
        if to_disk {
            builder.write(&disk)?;
            share.resize(builder.bytes(), what)?;
        }
    }
    let vectors = builder.store(None, &disk)?;
    share.shrink_to(vectors.bytes());
    Ok((vectors, row_at, share))
}

/// Raises the cosines of a sample to where those of all would be: by `gap` of the usual spacings.
fn lift(list: &mut [(u32, f32)], gap: f32) {
    if gap <= 0.0 || list.len() < 3 {
        return;
    }
    let spacings = list
        .windows(2)
        .zip(1_u16..)
        .skip(list.len() / 2)
        .map(|(w, k)| (w[0].1 - w[1].1) * f32::from(k));
    let (sum, count) = spacings.fold((0.0, 0_u16), |(sum, count), s| (sum + s, count + 1));
    let by = gap * sum / f32::from(count.max(1));
    list.iter_mut().for_each(|(_, c)| *c = (*c + by).min(1.0));
}

/// The nearest of each query, in order, and the cosines of pairs.
async fn search(
    vectors: Stored,
    mut share: Share,
    queries: Vec<u32>,
    pairs: Vec<u64>,
) -> Result<(Near, Vec<f32>)> {
    tokio::task::spawn_blocking(move || {
        // More than are wanted, for some are candidates that are not in the sample.
        let all = 0..u32::try_from(vectors.len()).unwrap_or(u32::MAX);
        let near = vectors.nearest(&queries, all, 4 * LOOKED_AT, BUDGET, &mut share)?;
        let cosines = vectors.cosines(&pairs, &mut share)?;
        Ok((near, cosines))
    })
    .await
    .map_err(|e| MatchError::Spool(e.to_string()))?
}
