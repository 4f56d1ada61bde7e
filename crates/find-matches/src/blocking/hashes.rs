//! Keys as hashes of a row's parts, mixed.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{UInt32Type, UInt64Type};

use super::blocks::Keys;

/// Keys that are the places of their parts, in a table of the row's number and then the parts' hashes.
#[derive(Debug)]
pub(crate) struct Hashes {
    keys: Vec<Vec<usize>>,
    rows: usize,
}

impl Hashes {
    /// The keys of so many rows.
    pub(crate) fn new(keys: Vec<Vec<usize>>, rows: u32) -> Self {
        Hashes {
            keys,
            rows: rows as usize,
        }
    }
}

impl Keys for Hashes {
    fn count(&self) -> usize {
        self.keys.len()
    }

    fn usual(&self) -> usize {
        self.rows
    }

    fn numbers(&self, batch: &RecordBatch, key: usize, out: &mut Vec<u64>) {
        let Some(key) = self.keys.get(key) else {
            return;
        };
        let rows = batch.column(0).as_primitive::<UInt32Type>().values();
        let sums = mixed(batch, 1, key).into_iter().zip(rows);
        let sums = sums.filter(|(sum, _)| *sum != 0);
        out.extend(sums.map(|(sum, row)| (sum >> 32).max(1) << 32 | u64::from(*row)));
    }
}

/// A sample of the hashes of many keys, in a table of their parts' hashes: the key in the uppermost bits of a number,
/// and of the hash what is left. All rows with the same hash are in it, or none.
#[derive(Debug)]
pub(crate) struct Sample {
    keys: Vec<Vec<usize>>,
    /// One hash in so many is in the sample.
    every: u64,
}

impl Sample {
    /// The bits of the key.
    pub(crate) const BITS: u32 = 12;

    /// Of one hash in `every` of up to 4096 keys.
    pub(crate) fn new(keys: Vec<Vec<usize>>, every: u64) -> Self {
        Sample { keys, every }
    }
}

impl Keys for Sample {
    fn count(&self) -> usize {
        1
    }

    fn usual(&self) -> usize {
        usize::MAX
    }

    fn numbers(&self, batch: &RecordBatch, _: usize, out: &mut Vec<u64>) {
        for (at, key) in (0_u64..1 << Self::BITS).zip(&self.keys) {
            let sums = mixed(batch, 0, key).into_iter();
            let sums = sums.filter(|sum| *sum != 0 && (sum >> 8).is_multiple_of(self.every));
            out.extend(sums.map(|sum| at << (64 - Self::BITS) | sum >> Self::BITS));
        }
    }
}

/// The hashes of some columns of a batch, from `first` on, mixed for each row; 0 where one has no value.
fn mixed(batch: &RecordBatch, first: usize, columns: &[usize]) -> Vec<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, UInt32Array, UInt64Array};
    use std::sync::Arc;

    #[test]
    fn equal_parts_make_equal_numbers() {
        let rows: ArrayRef = Arc::new(UInt32Array::from(vec![4, 5, 6, 7]));
        let first: ArrayRef = Arc::new(UInt64Array::from(vec![Some(11), None, Some(11), Some(12)]));
        let second: ArrayRef = Arc::new(UInt64Array::from(vec![1, 1, 1, 1]));
        let batch = RecordBatch::try_from_iter([("row", rows), ("h0", first), ("h1", second)]);
        let batch = batch.unwrap();
        let hashes = Hashes::new(vec![vec![0], vec![0, 1]], 4);
        for key in 0..hashes.count() {
            let mut out = Vec::new();
            hashes.numbers(&batch, key, &mut out);
            let rows: Vec<u32> = out.iter().map(|n| *n as u32).collect();
            assert_eq!(rows, [4, 6, 7]);
            assert_eq!(out[0] >> 32, out[1] >> 32);
            assert_ne!(out[0] >> 32, out[2] >> 32);
        }
        let sample = Sample::new(vec![vec![0], vec![0, 1]], 1);
        let parts = batch.project(&[1, 2]).unwrap();
        let mut out = Vec::new();
        sample.numbers(&parts, 0, &mut out);
        let keys: Vec<u64> = out.iter().map(|n| n >> (64 - Sample::BITS)).collect();
        assert_eq!(keys, [0, 0, 0, 1, 1, 1]);
        assert_eq!(out[3], out[4]);
    }
}
