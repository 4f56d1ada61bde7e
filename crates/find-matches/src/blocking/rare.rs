//! Pairs that share two of their rarest words: what is left of a record whose columns all have a mistake.
//!
//! A word counts by its first four characters in its column, a measured number as a whole. Of each record the four
//! rarest that any other has, too, are taken, by twos: up to six keys a record.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::cast;
use datafusion::prelude::SessionContext;

use super::Sides;
use super::blocks::{Walked, read_all, sort, walk};
use crate::error::{MatchError, Result};
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
/// Keys held at a time, of 8 bytes each.
const HELD: usize = 1 << 26;

/// The pairs, of which there may be `budget`; and the greatest block that was taken. None if they are too many.
pub(crate) async fn pairs(
    context: &SessionContext,
    rows: &DataFrame,
    columns: &[Column],
    sides: Sides,
    budget: f64,
) -> Result<Option<(Walked, u64)>> {
    let mut shown = vec![column("row")];
    for at in 0..columns.len() {
        shown.push(cast(column(&value(at)), DataType::Utf8).alias(value(at)));
    }
    let rows = rows.clone().select(shown)?;
    let whole: Arc<Vec<bool>> = Arc::new(columns.iter().map(|c| c.kind == Kind::Number).collect());
    let size = (16 * sides.rows as usize).next_power_of_two();
    let size = size.clamp(1 << 16, COUNTERS);
    let counts: Arc<Vec<AtomicU32>> = Arc::new((0..size).map(|_| AtomicU32::new(0)).collect());
    let (counted, is_whole) = (counts.clone(), whole.clone());
    read_all(context, rows.clone(), move |batch| {
        each_row(batch, &is_whole, |_, words| {
            for word in words.iter() {
                counter(&counted, *word).fetch_add(1, Ordering::Relaxed);
            }
        });
    })
    .await?;
    // The keys of one part of all hashes at a time.
    let parts = (6 * sides.rows as usize).div_ceil(HELD).max(1) as u64;
    let mut sorted = Vec::new();
    for part in 0..parts {
        let held: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (out, counts, is_whole) = (held.clone(), counts.clone(), whole.clone());
        read_all(context, rows.clone(), move |batch| {
            let mut own = Vec::new();
            each_row(batch, &is_whole, |row, words| {
                keys(&counts, words, |key| {
                    if u64::from(key) % parts == part {
                        own.push(u64::from(key) << 32 | u64::from(row));
                    }
                });
            });
            if let Ok(mut out) = out.lock() {
                out.append(&mut own);
            }
        })
        .await?;
        let mut entries = std::mem::take(&mut *held.lock().map_err(|_| lost())?);
        entries = tokio::task::spawn_blocking(move || {
            sort(&mut entries);
            // A key that one row has alone makes no pair.
            let blocks = entries.chunk_by(|a, b| a >> 32 == b >> 32);
            blocks.filter(|b| b.len() > 1).flatten().copied().collect()
        })
        .await
        .map_err(|_| lost())?;
        sorted.push(entries);
    }
    let total = |most: u64| {
        let blocks = sorted
            .iter()
            .flat_map(|s| s.chunk_by(|a, b| a >> 32 == b >> 32));
        let sizes = blocks.map(|b| b.len() as u64).filter(|size| *size <= most);
        sizes.map(|size| size * (size - 1) / 2).sum::<u64>() as f64
    };
    let Some(most) = MOST_ROWS.into_iter().find(|most| total(*most) <= budget) else {
        return Ok(None);
    };
    let mut all = Walked::default();
    for entries in sorted {
        let walked = walk(&entries, most, sides);
        all.pairs.extend(walked.pairs);
        all.oversized_blocks += walked.oversized_blocks;
        all.oversized_rows += walked.oversized_rows;
    }
    Ok(Some((all, most)))
}

fn lost() -> MatchError {
    MatchError::Spool("a thread that looked for rare words ended early".into())
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
