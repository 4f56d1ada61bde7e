//! Records in blocks: those with the same hash of a key, and the pairs of each block.
//!
//! The hashes are made in a plan, on all cores. What is held are 4 bytes a row for each of some keys at a time, and 8 a
//! row while a key's are sorted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{UInt32Type, UInt64Type};
use datafusion::dataframe::DataFrame;
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::{Sides, pair};
use crate::error::{MatchError, Result};

/// Hashes held at a time, of 4 bytes each.
const HELD: usize = 1 << 26;

/// Blocks that were walked.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    pub(crate) pairs: Vec<u64>,
    /// Blocks that are too great, and the rows in them.
    pub(crate) oversized_blocks: u64,
    pub(crate) oversized_rows: u64,
}

/// How many keys' hashes are held at a time.
pub(crate) fn at_a_time(rows: u32) -> usize {
    (HELD / (rows as usize).max(1)).max(1)
}

/// Runs a plan on all cores; `each` is told every batch.
pub(crate) async fn read_all(
    context: &SessionContext,
    rows: DataFrame,
    each: impl Fn(&RecordBatch) + Send + Sync + 'static,
) -> Result<()> {
    let plan = rows.create_physical_plan().await?;
    let each = Arc::new(each);
    let mut tasks = Vec::new();
    for mut stream in execute_stream_partitioned(plan, context.task_ctx())? {
        let each = each.clone();
        tasks.push(tokio::spawn(async move {
            while let Some(batch) = stream.next().await {
                each(&batch?);
            }
            Ok::<_, MatchError>(())
        }));
    }
    for task in tasks {
        task.await.map_err(|e| MatchError::Spool(e.to_string()))??;
    }
    Ok(())
}

/// The hash of a key for each row, 0 where a part has no value, from the hashes of some parts. `rows` have the row's
/// number and then the parts; a key is the places of its parts.
pub(crate) async fn hashes(
    context: &SessionContext,
    rows: DataFrame,
    keys: &[Vec<usize>],
    count: u32,
) -> Result<Vec<Vec<u32>>> {
    let column = || (0..count).map(|_| AtomicU32::new(0)).collect::<Vec<_>>();
    let out: Arc<Vec<Vec<AtomicU32>>> = Arc::new(keys.iter().map(|_| column()).collect());
    let (cells, keys) = (out.clone(), keys.to_vec());
    read_all(context, rows, move |batch| {
        let numbers = batch.column(0).as_primitive::<UInt32Type>().values();
        for (key, cells) in keys.iter().zip(cells.iter()) {
            for (sum, row) in mixed(batch, 1, key).into_iter().zip(numbers) {
                let hash = match sum {
                    0 => 0,
                    sum => ((sum >> 32) as u32).max(1),
                };
                if let Some(cell) = cells.get(*row as usize) {
                    cell.store(hash, Ordering::Relaxed);
                }
            }
        }
    })
    .await?;
    let cells = Arc::try_unwrap(out).unwrap_or_default();
    Ok(cells
        .into_iter()
        .map(|column| column.into_iter().map(AtomicU32::into_inner).collect())
        .collect())
}

/// The hashes of some columns of a batch, from `first` on, mixed for each row; 0 where one has no value.
pub(crate) fn mixed(batch: &RecordBatch, first: usize, columns: &[usize]) -> Vec<u64> {
    let mut out = vec![1_u64; batch.num_rows()];
    for column in columns {
        let hashes = batch.column(first + column).as_primitive::<UInt64Type>();
        for (row, sum) in out.iter_mut().enumerate() {
            if *sum == 0 || hashes.is_null(row) {
                *sum = 0;
            } else {
                let next = (*sum ^ hashes.value(row)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                *sum = (next ^ (next >> 29)).max(1);
            }
        }
    }
    out
}

/// The pairs in blocks of up to `most` rows, of entries that are a hash and a row.
pub(crate) fn walk(entries: &[u64], most: u64, sides: Sides) -> Walked {
    let mut out = Walked::default();
    for block in entries.chunk_by(|a, b| a >> 32 == b >> 32) {
        let size = block.len() as u64;
        if size > most {
            out.oversized_blocks += 1;
            out.oversized_rows += size;
            continue;
        }
        for (at, a) in block.iter().enumerate() {
            let others = block.iter().skip(at + 1).map(|b| *b as u32);
            let may = others.filter(|b| sides.may(*a as u32, *b));
            out.pairs.extend(may.map(|b| pair(*a as u32, b)));
        }
    }
    out
}

/// The pairs of each key's blocks, by the hashes of its rows, on all cores.
pub(crate) async fn walk_all(
    hashes: Vec<Vec<u32>>,
    most: u64,
    sides: Sides,
) -> Result<Vec<Walked>> {
    let walk_one = move |hashes: &Vec<u32>| {
        let entries = hashes.iter().zip(0_u64..).filter(|(hash, _)| **hash != 0);
        let mut entries: Vec<u64> = entries.map(|(h, row)| u64::from(*h) << 32 | row).collect();
        entries.sort_unstable();
        walk(&entries, most, sides)
    };
    let work = move || {
        let next = std::sync::atomic::AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut found: Vec<(usize, Walked)> = std::thread::scope(|scope| {
            let each = (0..threads.min(hashes.len())).map(|_| {
                scope.spawn(|| {
                    let mut own = Vec::new();
                    while let Some((at, of)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        hashes.get(at).map(|of| (at, of))
                    } {
                        own.push((at, walk_one(of)));
                    }
                    own
                })
            });
            let each: Vec<_> = each.collect();
            each.into_iter()
                .filter_map(|thread| thread.join().ok())
                .flatten()
                .collect()
        });
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, walked)| walked).collect()
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| MatchError::Spool(e.to_string()))
}

/// Sorts numbers on two cores.
pub(crate) fn sort(numbers: &mut [u64]) {
    if numbers.len() < 100_000 {
        numbers.sort_unstable();
        return;
    }
    let (low, _, high) = numbers.select_nth_unstable(numbers.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| low.sort_unstable());
        high.sort_unstable();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_of_one_block_are_pairs_and_great_blocks_are_left() {
        let sides = Sides {
            rows: 7,
            split: None,
        };
        let found = walk_all(vec![vec![5, 0, 5, 9, 9, 9, 0], vec![0; 7]], 2, sides)
            .await
            .unwrap();
        assert_eq!(found[0].pairs, [pair(0, 2)]);
        assert_eq!((found[0].oversized_blocks, found[0].oversized_rows), (1, 3));
        assert!(found[1].pairs.is_empty());
    }

    #[test]
    fn sorting_on_two_cores_sorts() {
        let mut numbers: Vec<u64> = (0..200_000).map(mastic_functions::sample_number).collect();
        let mut expected = numbers.clone();
        expected.sort();
        sort(&mut numbers);
        assert_eq!(numbers, expected);
    }
}
