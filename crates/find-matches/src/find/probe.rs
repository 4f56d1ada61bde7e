//! The gate where candidates agree on keys: their lists are too short to tell a lead, so that some accepted
//! records are held against a sample of all.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::logical_expr::cast;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hashbrown::{HashMap, HashSet};
use mastic_functions::sample_number;

use crate::blocking::{Sides, rows};
use crate::decide::gate::{Verdict, doubtful, gate as by_leads, leads_of};
use crate::error::Result;
use crate::normalise::{column, value};
use crate::profile::Column;
use crate::spool::Spool;
use crate::vectors::{Builder, Tokens, Vectors};

/// Records that are probed.
const PROBES: usize = 300;
/// Records that stand for all.
const SAMPLE: u64 = 50_000;
/// The most records that are probed where a table is doubtful.
const MOST: usize = 100_000;
const NEIGHBOURS: usize = 10;
const BUDGET: usize = 200_000;

/// What of the accepted pairs remains.
pub(super) async fn gate(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
    pairs: &[u64],
    scores: &[f32],
    accepted: Vec<usize>,
    sides: Sides,
) -> Result<(Vec<usize>, Verdict)> {
    if accepted.len() < 5 {
        return Ok((accepted, Verdict::Silent));
    }
    let mut few: Vec<usize> = accepted.clone();
    few.sort_by_key(|at| sample_number(*at as u64));
    few.truncate(PROBES);
    let found = neighbours(context, normal, columns, pairs, &few, sides).await?;
    let Some((lists, own, _)) = found else {
        return Ok((accepted, Verdict::Silent));
    };
    if !doubtful(&lists, &own) {
        return Ok((accepted, Verdict::Passed));
    }
    if accepted.len() > MOST {
        return Ok((Vec::new(), Verdict::Doubtful));
    }
    let Some((lists, own, ends)) =
        neighbours(context, normal, columns, pairs, &accepted, sides).await?
    else {
        return Ok((Vec::new(), Verdict::Doubtful));
    };
    let each = leads_of(&lists, &own);
    let mut leads = vec![0.0; pairs.len()];
    for (place, at) in accepted.iter().enumerate() {
        let of = |end: usize| each.get(ends[place][end]).copied().unwrap_or(0.0);
        leads[*at] = of(0).min(of(1));
    }
    let (kept, _) = by_leads(scores, accepted, &leads, sides.smaller().len());
    Ok((kept, Verdict::Doubtful))
}

/// For both records of each pair: the greatest cosines to a sample of all records, with the pair's own first if
/// it is greater; and the pair's own cosine.
type Found = (Vec<Vec<f32>>, Vec<Vec<f32>>, Vec<[usize; 2]>);

async fn neighbours(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
    pairs: &[u64],
    probed: &[usize],
    sides: Sides,
) -> Result<Option<Found>> {
    let every = u64::from(sides.rows).div_ceil(SAMPLE).max(1);
    let wanted: HashSet<u32> = probed
        .iter()
        .flat_map(|at| [rows(pairs[*at]).0, rows(pairs[*at]).1])
        .collect();
    let mut shown = vec![column("row")];
    for at in 0..columns.len() {
        shown.push(cast(column(&value(at)), DataType::Utf8).alias(value(at)));
    }
    let mut stream = normal
        .scan(context, "rows")?
        .select(shown)?
        .execute_stream()
        .await?;
    let mut builder = Builder::new(Tokens::Grams);
    let (mut place, mut row_at, mut sampled) = (HashMap::new(), Vec::new(), Vec::new());
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let numbers = batch.column(0).as_primitive::<UInt32Type>();
        let texts: Vec<_> = (0..columns.len())
            .map(|at| batch.column(at + 1).as_string::<i32>())
            .collect();
        for at in 0..batch.num_rows() {
            let row = numbers.value(at);
            let in_sample = sample_number(u64::from(row)).is_multiple_of(every);
            if !in_sample && !wanted.contains(&row) {
                continue;
            }
            for text in texts.iter().filter(|t| t.is_valid(at)) {
                builder.add(text.value(at));
            }
            builder.end_row();
            place.insert(row, row_at.len() as u32);
            row_at.push(row);
            sampled.push(in_sample);
        }
    }
    let vectors = builder.finish();
    let mut ends: Vec<[usize; 2]> = Vec::new();
    let mut queries: Vec<u32> = Vec::new();
    let mut known: HashMap<u32, usize> = HashMap::new();
    for at in probed {
        let (a, b) = rows(pairs[*at]);
        let of = [a, b].map(|row| {
            *known.entry(row).or_insert_with(|| {
                queries.push(place.get(&row).copied().unwrap_or(0));
                queries.len() - 1
            })
        });
        ends.push(of);
    }
    let count = u32::try_from(vectors.len()).unwrap_or(u32::MAX);
    let (vectors, near) = search(vectors, queries.clone(), count).await?;
    // Of a sample the second best is less: by the logarithm of how many records each stands for.
    let mut lists: Vec<Vec<f32>> = near
        .into_iter()
        .map(|(query, list)| {
            let side = |at: u32| row_at.get(at as usize).copied().unwrap_or(0);
            let kept = list.into_iter().filter(|(other, _)| {
                sampled.get(*other as usize).copied().unwrap_or(false)
                    && sides.may(side(query), side(*other))
            });
            kept.map(|(_, cosine)| cosine).take(NEIGHBOURS).collect()
        })
        .collect();
    let mut own: Vec<Vec<f32>> = vec![Vec::new(); lists.len()];
    for (at, ends) in probed.iter().zip(&ends) {
        let _ = at;
        let cosine = vectors.cosine(queries[ends[0]], queries[ends[1]]);
        for end in ends {
            own[*end].push(cosine);
        }
    }
    let gap = (every as f64).ln() as f32;
    for (list, own) in lists.iter_mut().zip(&own) {
        lift(list, gap);
        for cosine in own {
            if !list.iter().any(|c| (c - cosine).abs() < 1e-6) {
                list.push(*cosine);
            }
        }
        list.sort_by(|a, b| b.total_cmp(a));
        list.truncate(NEIGHBOURS);
    }
    Ok((!lists.is_empty()).then_some((lists, own, ends)))
}

/// Raises the cosines of a sample to where those of all would be: by `gap` of the usual spacings.
fn lift(list: &mut [f32], gap: f32) {
    if gap <= 0.0 || list.len() < 3 {
        return;
    }
    let spacings = list
        .windows(2)
        .zip(1_u16..)
        .skip(list.len() / 2)
        .map(|(w, k)| (w[0] - w[1]) * f32::from(k));
    let (sum, count) = spacings.fold((0.0, 0_u16), |(sum, count), s| (sum + s, count + 1));
    let by = gap * sum / f32::from(count.max(1));
    list.iter_mut().for_each(|c| *c = (*c + by).min(1.0));
}

async fn search(
    vectors: Vectors,
    queries: Vec<u32>,
    count: u32,
) -> Result<(Vectors, Vec<(u32, Vec<(u32, f32)>)>)> {
    tokio::task::spawn_blocking(move || {
        // More than are wanted, for some are probed records that are not in the sample.
        let near = vectors.nearest(&queries, 0..count, 2 * NEIGHBOURS, BUDGET);
        (vectors, near)
    })
    .await
    .map_err(|e| crate::MatchError::Spool(e.to_string()))
}
