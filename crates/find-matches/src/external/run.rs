//! Sorted numbers in a file of the engine's spill folder, of 8 bytes each, the lowest byte first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::spill_file::SpillFile;

use super::{CHUNK, Space};

/// A run, which is gone when it is dropped.
pub(super) struct Run {
    file: Arc<dyn SpillFile>,
    numbers: usize,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("numbers", &self.numbers)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// Writes what `numbers` tells, in order.
    pub(super) fn write(
        space: &Space,
        numbers: impl FnOnce(&mut dyn FnMut(&[u64]) -> Result<()>) -> Result<()>,
    ) -> Result<Run> {
        let file = space
            .disk
            .create_tmp_file("sorted hashes or pairs of records")?;
        let mut writer = file.open_writer()?;
        let (mut count, mut bytes) = (0, Vec::with_capacity(8 * CHUNK));
        numbers(&mut |some| {
            for some in some.chunks(CHUNK) {
                bytes.clear();
                some.iter()
                    .for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
                writer.write_all(&bytes)?;
                count += some.len();
            }
            Ok(())
        })?;
        writer.finish()?;
        space.spilled.spill_file_count.add(1);
        space.spilled.spilled_bytes.add(8 * count);
        space.spilled.spilled_rows.add(count);
        Ok(Run {
            file,
            numbers: count,
        })
    }

    fn open(&self) -> Result<Reader> {
        let path = self.file.path().ok_or_else(|| {
            DataFusionError::NotImplemented("the spill folder is no local one".into())
        })?;
        Ok(Reader {
            file: File::open(path)?,
            left: self.numbers,
            bytes: Vec::new(),
            at: 0,
        })
    }
}

/// Where a run is read.
struct Reader {
    file: File,
    left: usize,
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Result<Option<u64>> {
        if self.at == self.bytes.len() {
            let count = self.left.min(CHUNK);
            self.left -= count;
            self.bytes.resize(8 * count, 0);
            self.file.read_exact(&mut self.bytes)?;
            self.at = 0;
        }
        let number = self.bytes.get(self.at..).and_then(|b| b.first_chunk());
        self.at += 8 * usize::from(number.is_some());
        Ok(number.map(|bytes| u64::from_le_bytes(*bytes)))
    }
}

/// Tells the numbers of runs and of sorted ones in memory in order, some at a time. What is read ahead is reserved,
/// whether it is granted or not: without it nothing could be read again.
pub(super) fn merge(
    runs: &[Run],
    held: &[u64],
    distinct: bool,
    reservation: &MemoryReservation,
    tell: &mut dyn FnMut(&[u64]) -> Result<()>,
) -> Result<()> {
    let ahead = reservation.new_empty();
    ahead.grow(8 * CHUNK * (runs.len() + 1));
    let mut readers = Vec::with_capacity(runs.len());
    let mut heap = BinaryHeap::with_capacity(runs.len() + 1);
    for (at, run) in runs.iter().enumerate() {
        let mut reader = run.open()?;
        heap.extend(reader.next()?.map(|number| Reverse((number, at))));
        readers.push(reader);
    }
    let mut held = held.iter().copied();
    heap.extend(held.next().map(|number| Reverse((number, runs.len()))));
    let mut out: Vec<u64> = Vec::with_capacity(CHUNK);
    let mut last = None;
    while let Some(mut top) = heap.peek_mut() {
        let Reverse((number, at)) = *top;
        if !distinct || last != Some(number) {
            last = Some(number);
            out.push(number);
            if out.len() == CHUNK {
                tell(&out)?;
                out.clear();
            }
        }
        let next = match readers.get_mut(at) {
            Some(reader) => reader.next()?,
            None => held.next(),
        };
        match next {
            Some(number) => *top = Reverse((number, at)),
            None => {
                PeekMut::pop(top);
            }
        }
    }
    tell(&out)
}
