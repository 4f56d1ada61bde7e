//! Which columns depend on one another apart from matches: records of one city have the same postcode.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, UInt32Type, UInt64Type};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use mastic_functions::sample_number;

use crate::error::Result;
use crate::normalise::{call, column, number, value};
use crate::profile::Column;
use crate::settings::Kind;
use crate::spool::Spool;

/// Rows that are looked at.
const MOST_ROWS: u64 = 500_000;
/// Pairs that agree on a column, and pairs at random, that are looked at.
const AGREEING: usize = 4_000;
const RANDOM: u64 = 20_000;
/// Of the other columns at most this share agrees where a pair is no match.
const OTHERS: f64 = 0.34;
/// Below which share of the rows different values are few.
const FEW_VALUES: f64 = 0.05;
/// Parts that measured numbers are cut into.
const STEPS: usize = 30;

/// The columns in blocks of those that depend on one another, by their places; and whether all have few values, so that
/// they say of what kind a record is.
pub(super) async fn blocks(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
) -> Result<(Vec<Vec<usize>>, bool)> {
    let values = hashes(context, normal, columns).await?;
    let few = FEW_VALUES * normal.rows() as f64;
    let kinds: Vec<bool> = columns.iter().map(|c| (c.distinct as f64) < few).collect();
    Ok((of(&values, &kinds), kinds.iter().all(|kind| *kind)))
}

/// For each column the bits of agreeing exactly: -log2 of how often two rows with a value do, of as many as there are
/// rows at most.
pub(super) async fn bits(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
) -> Result<Vec<f64>> {
    let as_text = |c: &Column| Column {
        kind: Kind::String,
        ..c.clone()
    };
    let columns: Vec<Column> = columns.iter().map(as_text).collect();
    let values = hashes(context, normal, &columns).await?;
    let least = 1.0 / normal.rows().max(1) as f64;
    Ok(values
        .into_iter()
        .map(|v| -repeats(v).max(least).log2())
        .collect())
}

/// How often two of some values are the same; 0 stands for none.
fn repeats(mut values: Vec<u32>) -> f64 {
    values.retain(|v| *v != 0);
    values.sort_unstable();
    let pairs = |n: usize| n as f64 * n.saturating_sub(1) as f64;
    let same: f64 = values
        .chunk_by(|a, b| a == b)
        .map(|equal| pairs(equal.len()))
        .sum();
    same / pairs(values.len()).max(1.0)
}

/// The hash of each value, or where among all a measured number lies, 0 where there is none, for each column.
async fn hashes(
    context: &SessionContext,
    normal: &Arc<Spool>,
    columns: &[Column],
) -> Result<Vec<Vec<u32>>> {
    let mut shown = vec![column("row")];
    for (at, c) in columns.iter().enumerate() {
        let seen = match c.kind {
            Kind::Number => column(&number(at)),
            _ => call(context, "match_hash", vec![column(&value(at))])?,
        };
        shown.push(seen.alias(format!("h{at}")));
    }
    let every = normal.rows().div_ceil(MOST_ROWS).max(1);
    let rows = normal.scan(context, "rows")?.select(shown)?;
    let mut stream = rows.execute_stream().await?;
    let mut out = vec![Vec::new(); columns.len()];
    let mut numeric: Vec<Vec<f64>> = vec![Vec::new(); columns.len()];
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let numbers = batch.column(0).as_primitive::<UInt32Type>().values();
        let chosen: Vec<usize> = (0..batch.num_rows())
            .filter(|row| sample_number(u64::from(numbers[*row])).is_multiple_of(every))
            .collect();
        for (at, (out, numeric)) in out.iter_mut().zip(&mut numeric).enumerate() {
            let chosen = chosen.iter().copied();
            let column = batch.column(at + 1);
            if let Some(values) = column.as_primitive_opt::<Float64Type>() {
                numeric.extend(chosen.map(|row| match values.is_valid(row) {
                    true => values.value(row),
                    false => f64::NAN,
                }));
                continue;
            }
            let hashes = column.as_primitive::<UInt64Type>();
            out.extend(chosen.map(|row| match hashes.is_valid(row) {
                true => (hashes.value(row) as u32).max(1),
                false => 0,
            }));
        }
    }
    for (out, numeric) in out.iter_mut().zip(numeric) {
        if !numeric.is_empty() {
            *out = steps(&numeric);
        }
    }
    Ok(out)
}

/// In which of [`STEPS`] parts of all numbers, of about as many each, a number lies; 0 where there is none.
fn steps(numbers: &[f64]) -> Vec<u32> {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|n| !n.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let step = |n: &f64| match n.is_nan() {
        true => 0,
        false => 1 + (STEPS * sorted.partition_point(|s| s < n) / sorted.len().max(1)) as u32,
    };
    numbers.iter().map(step).collect()
}

/// How many pairs agree on a column, of those that have it twice.
#[derive(Default, Clone, Copy)]
struct Share {
    agree: f64,
    given: f64,
}

impl Share {
    fn add(&mut self, values: &[u32], a: usize, b: usize) {
        if values[a] != 0 && values[b] != 0 {
            self.given += 1.0;
            self.agree += f64::from(u8::from(values[a] == values[b]));
        }
    }
}

/// The blocks, where columns of `kinds` have so few values that they say of what kind a record is: those are one.
fn of(values: &[Vec<u32>], kinds: &[bool]) -> Vec<Vec<usize>> {
    let rows = values.first().map_or(0, Vec::len);
    let mut base = vec![Share::default(); values.len()];
    for at in (0..RANDOM).filter(|_| rows > 1) {
        let a = (sample_number(2 * at) % rows as u64) as usize;
        let b = (sample_number(2 * at + 1) % rows as u64) as usize;
        for (share, values) in base.iter_mut().zip(values).filter(|_| a != b) {
            share.add(values, a, b);
        }
    }
    let first = kinds.iter().position(|kind| *kind).unwrap_or(0);
    let own = kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| if *kind { first } else { at });
    let mut block: Vec<usize> = own.collect();
    for a in 0..values.len() {
        let pairs = agreeing(&values[a]);
        if pairs.len() < 10 {
            continue;
        }
        for b in (0..values.len()).filter(|b| *b != a) {
            let usual = (base[b].agree + 0.5) / (base[b].given + 1.0);
            let share = elsewhere_apart(values, &pairs, a, b);
            let rate = share.agree / share.given.max(1.0);
            if share.agree >= 5.0 && rate > 0.1 && rate > 3.0 * usual {
                let (from, to) = (block[b], block[a]);
                block
                    .iter_mut()
                    .filter(|x| **x == from)
                    .for_each(|x| *x = to);
            }
        }
    }
    let mut out = vec![Vec::new(); values.len()];
    for (column, block) in block.into_iter().enumerate() {
        out[block].push(column);
    }
    out.retain(|block| !block.is_empty());
    out
}

/// Pairs of rows that agree on a column: neighbours, of which each value has some, in an order by chance.
fn agreeing(values: &[u32]) -> Vec<(u32, u32)> {
    let mut order: Vec<u32> = (0..values.len() as u32)
        .filter(|row| values[*row as usize] != 0)
        .collect();
    order.sort_unstable_by_key(|row| (values[*row as usize], sample_number(u64::from(*row))));
    let mut pairs = Vec::new();
    for apart in 1..=3 {
        let both = order.iter().zip(order.iter().skip(apart));
        let same = both.filter(|(a, b)| values[**a as usize] == values[**b as usize]);
        pairs.extend(same.map(|(a, b)| (*a, *b)));
    }
    if pairs.len() > AGREEING {
        let by_chance = |(a, b): &(u32, u32)| sample_number(u64::from(*a) << 32 | u64::from(*b));
        pairs.select_nth_unstable_by_key(AGREEING, by_chance);
        pairs.truncate(AGREEING);
    }
    pairs
}

/// Agreement on `b` of pairs that agree on `a` and differ on most of the rest, so that they are hardly matches.
fn elsewhere_apart(values: &[Vec<u32>], pairs: &[(u32, u32)], a: usize, b: usize) -> Share {
    let mut out = Share::default();
    for (x, y) in pairs {
        let (x, y) = (*x as usize, *y as usize);
        let mut others = Share::default();
        for (at, values) in values.iter().enumerate() {
            if at != a && at != b {
                others.add(values, x, y);
            }
        }
        if others.agree <= OTHERS * others.given.max(1.0) {
            out.add(&values[b], x, y);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postcode_depends_on_its_city_and_a_name_on_nothing() {
        let chance = |at: u64, of: u64| (sample_number(at) % of) as u32 + 1;
        let city: Vec<u32> = (0..2000).map(|row| chance(row, 40)).collect();
        let code: Vec<u32> = (0..2000_u64)
            .map(|row| 10 * city[row as usize] + chance(row + 9_000, 3))
            .collect();
        let name: Vec<u32> = (0..2000).map(|row| chance(row + 20_000, 300)).collect();
        let born: Vec<u32> = (0..2000).map(|row| chance(row + 40_000, 500)).collect();
        let found = of(&[city, name, code, born], &[false; 4]);
        assert_eq!(found, [vec![0, 2], vec![1], vec![3]]);
        assert!(of(&[], &[]).is_empty());
        assert_eq!(of(&[Vec::new()], &[true]), [vec![0]]);
        // Of 4 · 3 ordered pairs of values two are the same.
        assert_eq!(repeats(vec![7, 0, 3, 7, 9]), 2.0 / 12.0);
        assert_eq!(repeats(vec![0, 4]), 0.0);
        assert_eq!(steps(&[5.0, f64::NAN, 1.0, 5.0, 9.0]), [8, 0, 1, 8, 23]);
    }
}
