//! Pairs that share two of their rarest words: what is left of a record whose columns all have a mistake.
//!
//! A word counts by its first four characters in its column, a measured number as a whole. Of each record the four
//! rarest that any other has, too, are taken, by twos: up to six keys a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::cast;
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::Sides;
use super::blocks::{BlockExec, Keys, Walk, Walked};
use super::distinct::{Pairs, pairs_of};
use crate::error::{MatchError, Result};
use crate::memory::Share;
use crate::normalise::{column, value};
use crate::profile::Column;
use crate::settings::Kind;

/// Words of a record that are taken, and characters of a word.
const RAREST: usize = 4;
const CHARACTERS: usize = 4;
/// Words of a record that are looked at.
const MOST_WORDS: usize = 1000;
/// The most rows of a block: the first of these with few enough pairs.
const MOST_ROWS: [u64; 4] = [30, 20, 12, 6];
/// Counters, of 4 bytes each. Two words share one where there are more words.
const COUNTERS: usize = 1 << 25;

/// The pairs, and the greatest block that was taken: none if there would be too many.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) pairs: Pairs,
    pub(crate) walked: Walked,
    pub(crate) most: Option<u64>,
}

/// The pairs, of which there may be `budget`.
pub(crate) async fn pairs(
    context: &SessionContext,
    rows: &DataFrame,
    columns: &[Column],
    sides: Sides,
    budget: f64,
) -> Result<Found> {
    let mut shown = vec![column("row")];
    for at in 0..columns.len() {
        shown.push(cast(column(&value(at)), DataType::Utf8).alias(value(at)));
    }
    let rows = rows.clone().select(shown)?;
    let whole = columns.iter().map(|c| c.kind == Kind::Number).collect();
    let words = Words::count(context, rows.clone(), whole, sides).await?;
    let input = rows.create_physical_plan().await?;
    let plan = Arc::new(BlockExec::new(
        input,
        words,
        Walk::Pairs {
            most: MOST_ROWS.to_vec(),
            budget,
            sides,
        },
    ));
    let pairs = pairs_of(plan.clone(), &context.task_ctx()).await?;
    Ok(Found {
        pairs,
        walked: plan.walked().first().copied().unwrap_or_default(),
        most: plan.taken(),
    })
}

/// How often words are there, and the keys that they make.
#[derive(Debug)]
struct Words {
    /// Whether a column's value is one word.
    whole: Vec<bool>,
    counts: Vec<AtomicU32>,
    rows: usize,
    _share: Share,
}

impl Words {
    /// Counts the words of all rows: their number and then their columns.
    async fn count(
        context: &SessionContext,
        rows: DataFrame,
        whole: Vec<bool>,
        sides: Sides,
    ) -> Result<Arc<Words>> {
        let size = (16 * sides.rows as usize).next_power_of_two();
        let size = size.clamp(1 << 16, COUNTERS);
        let task = context.task_ctx();
        let mut share = Share::new("counters of words", task.memory_pool());
        share.grow(4 * size, || {
            format!("counting the words of {} rows", sides.rows)
        })?;
        let words = Arc::new(Words {
            whole,
            counts: (0..size).map(|_| AtomicU32::new(0)).collect(),
            rows: sides.rows as usize,
            _share: share,
        });
        let plan = rows.create_physical_plan().await?;
        let mut reading = tokio::task::JoinSet::new();
        for mut stream in execute_stream_partitioned(plan, task)? {
            let words = words.clone();
            reading.spawn(async move {
                while let Some(batch) = stream.next().await {
                    each_row(&batch?, &words.whole, |_, of_row| {
                        for word in of_row.iter() {
                            counter(&words.counts, *word).fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                Ok::<_, MatchError>(())
            });
        }
        while let Some(ended) = reading.join_next().await {
            ended.map_err(|e| MatchError::Spool(e.to_string()))??;
        }
        Ok(words)
    }
}

impl Keys for Words {
    fn count(&self) -> usize {
        1
    }

    fn usual(&self) -> usize {
        6 * self.rows
    }

    fn numbers(&self, batch: &RecordBatch, _: usize, out: &mut Vec<u64>) {
        each_row(batch, &self.whole, |row, words| {
            keys(&self.counts, words, |key| {
                out.push(u64::from(key) << 32 | u64::from(row));
            });
        });
    }
}

fn counter(counts: &[AtomicU32], word: u64) -> &AtomicU32 {
    &counts[(word >> 20) as usize & (counts.len() - 1)]
}

/// Tells each row's different words.
fn each_row(batch: &RecordBatch, whole: &[bool], mut tell: impl FnMut(u32, &mut Vec<u64>)) {
    let numbers = batch.column(0).as_primitive::<UInt32Type>().values();
    let texts: Vec<_> = (1..batch.num_columns())
        .map(|at| batch.column(at).as_string::<i32>())
        .collect();
    let mut words = Vec::new();
    for (at, row) in numbers.iter().enumerate() {
        words.clear();
        for ((seed, text), whole) in (1_u64..).zip(&texts).zip(whole) {
            if text.is_null(at) {
                continue;
            }
            let text = text.value(at);
            if *whole {
                words.push(hash(seed, text));
                continue;
            }
            let room = MOST_WORDS.saturating_sub(words.len());
            let tokens = text.split(' ').filter(|w| !w.is_empty()).take(room);
            words.extend(tokens.map(|word| {
                let end = word
                    .char_indices()
                    .nth(CHARACTERS)
                    .map_or(word.len(), |c| c.0);
                hash(seed, word.get(..end).unwrap_or(word))
            }));
        }
        words.sort_unstable();
        words.dedup();
        tell(*row, &mut words);
    }
}

/// The keys of a row: each two of its rarest words.
fn keys(counts: &[AtomicU32], words: &mut Vec<u64>, mut tell: impl FnMut(u32)) {
    let times = |word: u64| counter(counts, word).load(Ordering::Relaxed);
    words.retain(|word| times(*word) > 1);
    if words.len() > RAREST {
        words.select_nth_unstable_by_key(RAREST, |word| (times(*word), *word));
        words.truncate(RAREST);
    }
    words.sort_unstable();
    for (at, a) in words.iter().enumerate() {
        for b in words.iter().skip(at + 1) {
            let mixed = (a ^ b.rotate_left(31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            tell((mixed >> 32) as u32);
        }
    }
}

/// FNV-1a, mixed at the end so that its upper half is as good as the lower.
fn hash(seed: u64, text: &str) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let sum = text
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64.wrapping_mul(seed | 1), step);
    (sum ^ (sum >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_words_make_the_keys() {
        let counts: Vec<AtomicU32> = (0..1 << 16).map(|_| AtomicU32::new(0)).collect();
        let word = |text: &str| hash(1, text);
        for (text, times) in [
            ("inc", 900),
            ("acme", 3),
            ("zeta", 2),
            ("lond", 50),
            ("road", 700),
            ("uniq", 1),
        ] {
            counter(&counts, word(text)).store(times, Ordering::Relaxed);
        }
        let keys_of = |texts: &[&str]| {
            let mut words: Vec<u64> = texts.iter().map(|t| word(t)).collect();
            words.sort_unstable();
            let mut out = Vec::new();
            keys(&counts, &mut words, |key| out.push(key));
            out.sort_unstable();
            out
        };
        let of_four = keys_of(&["acme", "zeta", "lond", "road"]);
        assert_eq!(of_four.len(), 6);
        // The most frequent and the one that no other record has take no part.
        assert_eq!(
            keys_of(&["inc", "acme", "zeta", "lond", "road", "uniq"]),
            of_four
        );
        assert!(keys_of(&["acme"]).is_empty());
    }
}
