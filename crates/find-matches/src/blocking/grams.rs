//! Nearest neighbours by the cosine of 3-grams over a record's whole text.

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{SortExpr, cast};
use futures::StreamExt;

use super::{Sides, pair, random};
use crate::error::Result;
use crate::known::Known;
use crate::normalise::{column, value};
use crate::profile::Column;
use crate::settings::{Kind, Settings};
use crate::transform::Grams;
use crate::vectors::{Builder, Rarity, Tokens, Vectors};

/// Every record's texts as vectors.
#[derive(Debug)]
pub(crate) struct Texts {
    /// 3-grams of all columns together.
    pub(crate) record: Vectors,
    /// Words of all columns together.
    pub(crate) words: Vectors,
    /// 3-grams of each column that is no number.
    pub(crate) columns: Vec<Option<Vectors>>,
    /// How rare parts of them are, if that is to be kept.
    pub(crate) grams: Option<Grams>,
}

/// The rows that one query may look at.
const BUDGET: usize = 50_000;

impl Texts {
    /// Of the normal forms of the columns, weighed as is known, if it is.
    pub(crate) async fn read(
        rows: DataFrame,
        columns: &[Column],
        known: Known<'_>,
    ) -> Result<Texts> {
        let mut shown = vec![column("row")];
        for at in 0..columns.len() {
            let text = cast(column(&value(at)), arrow::datatypes::DataType::Utf8);
            shown.push(text.alias(value(at)));
        }
        let sorted = rows
            .select(shown)?
            .sort(vec![SortExpr::new(column("row"), true, false)])?;
        let mut stream = sorted.execute_stream().await?;
        let (mut record, mut words) = (Builder::new(Tokens::Grams), Builder::new(Tokens::Words));
        let mut each: Vec<Option<Builder>> = columns
            .iter()
            .map(|c| {
                matches!(c.kind, Kind::String | Kind::Text).then(|| Builder::new(Tokens::Grams))
            })
            .collect();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            debug_assert!(batch.column(0).as_primitive_opt::<UInt32Type>().is_some());
            let texts: Vec<_> = (0..columns.len())
                .map(|at| batch.column(at + 1).as_string::<i32>())
                .collect();
            for row in 0..batch.num_rows() {
                for (text, own) in texts.iter().zip(&mut each) {
                    if text.is_valid(row) {
                        let text = text.value(row);
                        record.add(text);
                        words.add(text);
                        if let Some(own) = own {
                            own.add(text);
                        }
                    }
                }
                record.end_row();
                words.end_row();
                each.iter_mut().flatten().for_each(Builder::end_row);
            }
        }
        let grams = known.keep.then(|| Grams {
            record: record.rarity(),
            words: words.rarity(),
            columns: each
                .iter()
                .map(|b| b.as_ref().map(Builder::rarity))
                .collect(),
        });
        let by = |builder: Builder, known: Option<&Rarity>| match known {
            Some(known) => builder.finish_by(known),
            None => builder.finish(),
        };
        let saved = known.transform.and_then(|t| t.grams.as_ref());
        let of = |at: usize| saved.and_then(|g| g.columns.get(at)?.as_ref());
        let each = each.into_iter().enumerate();
        Ok(Texts {
            record: by(record, saved.map(|g| &g.record)),
            words: by(words, saved.map(|g| &g.words)),
            columns: each.map(|(at, b)| b.map(|b| by(b, of(at)))).collect(),
            grams,
        })
    }

    /// The pairs of near records, random ones that only teach where there are great groups of equals, and how many
    /// neighbours were looked for.
    pub(crate) fn pairs(&self, sides: Sides, settings: &Settings) -> (Vec<u64>, Vec<u64>, usize) {
        let k = settings.neighbours();
        let near = self.neighbours(sides, k);
        if !saturated(&near, k, sides) {
            return (unique(&near), Vec::new(), k);
        }
        let near = self.neighbours(sides, 5 * k);
        let pairs = unique(&near);
        let teach = random(sides, 2 * u64::from(sides.rows), &pairs);
        (pairs, teach, 5 * k)
    }

    /// The pairs of these records, which are in order, and of those near them, with the nearest of each.
    pub(crate) fn pairs_of(&self, own: &[u32], sides: Sides, k: usize) -> Vec<u64> {
        let near = self.nearest_of(own, sides, k);
        let mut others: Vec<u32> = near
            .iter()
            .flat_map(|(_, list)| list.iter().map(|(other, _)| *other))
            .filter(|other| own.binary_search(other).is_err())
            .collect();
        others.sort_unstable();
        others.dedup();
        let further = self.nearest_of(&others, sides, k);
        let mut pairs = unique(&near);
        pairs.extend(unique(&further));
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    fn neighbours(&self, sides: Sides, k: usize) -> Vec<(u32, Vec<(u32, f32)>)> {
        let all: Vec<u32> = (0..sides.rows).collect();
        self.nearest_of(&all, sides, k)
    }

    /// The nearest of some records, in order: of all, or of the other table's.
    fn nearest_of(&self, own: &[u32], sides: Sides, k: usize) -> Vec<(u32, Vec<(u32, f32)>)> {
        match sides.split {
            None => self.record.nearest(own, 0..sides.rows, k, BUDGET),
            Some(split) => {
                let (left, right) = own.split_at(own.partition_point(|row| *row < split));
                let mut near = self.record.nearest(left, split..sides.rows, k, BUDGET);
                near.extend(self.record.nearest(right, 0..split, k, BUDGET));
                near
            }
        }
    }
}

fn unique(near: &[(u32, Vec<(u32, f32)>)]) -> Vec<u64> {
    let each = near
        .iter()
        .flat_map(|(row, list)| list.iter().map(|(other, _)| pair(*row, *other)));
    let mut pairs: Vec<u64> = each.collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Whether most lists are full of records as near as their first: then great groups of equals are cut
/// off, and nothing that is no match is left to learn from.
fn saturated(near: &[(u32, Vec<(u32, f32)>)], k: usize, sides: Sides) -> bool {
    if (sides.rows as usize) <= 4 * k {
        return false;
    }
    // A pair is in the list of both of its records.
    let mut each: Vec<(u64, f32)> = near
        .iter()
        .flat_map(|(row, list)| {
            list.iter()
                .map(|(other, cosine)| (pair(*row, *other), *cosine))
        })
        .collect();
    each.sort_unstable_by_key(|(pair, _)| *pair);
    each.dedup_by_key(|(pair, _)| *pair);
    let rows = sides.rows as usize;
    let (mut best, mut count) = (vec![0.0_f32; rows], vec![0_usize; rows]);
    for (pair, cosine) in &each {
        let (a, b) = super::rows(*pair);
        for row in [a, b] {
            let best = &mut best[row as usize];
            *best = best.max(*cosine);
        }
    }
    for (pair, cosine) in &each {
        let (a, b) = super::rows(*pair);
        for row in [a as usize, b as usize] {
            count[row] += usize::from(*cosine >= (0.6 * best[row]).max(0.5));
        }
    }
    count.sort_unstable();
    let middle = |at: usize| count.get(at).copied().unwrap_or(0);
    (middle((rows - 1) / 2) + middle(rows / 2)) / 2 >= k
}
