//! How frequent the value of each row is.
//!
//! Values are the same if the upper halves of their hashes are. In memory that is one sort of a column; an operator does
//! the same within the engine's memory, and gives the shares to the rows that it reads again.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::spill_file::SpillFile;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, execute_stream_partitioned,
};
use futures::StreamExt;
use hashbrown::HashMap;

use super::{hash, place_of};
use crate::external::{Sorted, Sorters, Space, cores};
use crate::normalise::frequency;
use crate::operator::{Properties, operator};
use crate::transform::{Frequencies, Transform};

/// Rows of a value that are held until it is known how many there are. Of more frequent values the rows are read again.
const MOST: usize = 4096;

/// How frequent a column's values were in other rows.
pub(super) fn saved(saved: Option<&Transform>, column: usize) -> Option<Frequencies> {
    saved.and_then(|s| s.frequencies.get(column).cloned())
}

/// The share of all values that are the same as each row's.
pub(super) fn counted(values: &ArrayRef) -> ArrayRef {
    let texts = values.as_string_view();
    let mut hashes: Vec<u64> = (0..texts.len())
        .filter(|at| texts.is_valid(*at))
        .map(|at| hash(texts.value(at)) >> 32 << 32 | at as u64)
        .collect();
    hashes.sort_unstable();
    let all = hashes.len().max(1) as f32;
    let mut out = vec![0.0_f32; texts.len()];
    for same in hashes.chunk_by(|a, b| a >> 32 == b >> 32) {
        for at in same {
            out[*at as u32 as usize] = same.len() as f32 / all;
        }
    }
    Arc::new(Float32Array::from(out))
}

/// The same, as it was of other rows.
pub(super) fn known(values: &ArrayRef, saved: &Frequencies) -> ArrayRef {
    let texts = values.as_string_view();
    let counts: HashMap<u64, u64> = saved.counts.iter().copied().collect();
    let all = saved.values.max(1.0);
    let shares = (0..texts.len()).map(|at| {
        let times = texts
            .is_valid(at)
            .then(|| counts.get(&hash(texts.value(at))));
        match times {
            None => 0.0,
            Some(times) => (times.copied().unwrap_or(1) as f64 / all) as f32,
        }
    });
    Arc::new(shares.collect::<Float32Array>())
}

/// An operator that adds the frequency of each text's value to rows. It reads them twice.
#[derive(Debug)]
pub(super) struct FrequencyExec {
    input: Arc<dyn ExecutionPlan>,
    saved: Arc<Vec<Option<Frequencies>>>,
    rows: u64,
    metrics: ExecutionPlanMetricsSet,
    properties: Properties,
}

impl FrequencyExec {
    /// For rows that are numbered below `rows` in their column `row`.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        saved: Arc<Vec<Option<Frequencies>>>,
        rows: u64,
    ) -> Self {
        let given = input.schema();
        let texts = texts(&given);
        let mut fields: Vec<_> = given.fields().iter().cloned().collect();
        fields.extend(
            texts
                .iter()
                .map(|(place, _)| Arc::new(Field::new(frequency(*place), DataType::Float32, true))),
        );
        FrequencyExec {
            properties: Properties::new(Arc::new(Schema::new(fields))),
            metrics: ExecutionPlanMetricsSet::new(),
            input,
            saved,
            rows,
        }
    }

    fn run(&self, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.schema();
        let mut out = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let send = out.tx();
        let space = Space::new("frequencies of values", &task, &self.metrics);
        let (input, rows) = (self.input.clone(), self.rows);
        let texts: Arc<[Text]> = texts(&input.schema())
            .into_iter()
            .map(|(place, column)| Text {
                column,
                saved: self
                    .saved
                    .get(place)
                    .and_then(Option::as_ref)
                    .map(Known::new),
            })
            .collect();
        out.spawn(async move {
            let shares = collect(input.clone(), texts, space, task.clone(), rows).await?;
            for mut stream in execute_stream_partitioned(input, task)? {
                while let Some(batch) = stream.next().await {
                    let batch = batch?;
                    let numbers = row_numbers(&batch)?;
                    let mut columns = batch.columns().to_vec();
                    for of in &shares {
                        columns.push(of.read(numbers)?);
                    }
                    let batch = RecordBatch::try_new(schema.clone(), columns)?;
                    if send.send(Ok(batch)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        Ok(out.build())
    }
}

impl DisplayAs for FrequencyExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FrequencyExec: {} columns",
            texts(&self.input.schema()).len()
        )
    }
}

operator!(FrequencyExec, |own: &FrequencyExec, input| {
    FrequencyExec::new(input, own.saved.clone(), own.rows)
});

/// The columns of texts: which they are of those that are compared, and where they lie.
fn texts(schema: &Schema) -> Vec<(usize, usize)> {
    let each = schema.fields().iter().enumerate();
    each.filter_map(|(at, f)| Some((place_of(f.name())?, at)))
        .collect()
}

fn row_numbers(batch: &RecordBatch) -> Result<&[u32]> {
    let column = batch.column_by_name("row");
    let column = column.and_then(|c| c.as_primitive_opt::<UInt32Type>());
    column
        .map(|c| c.values().as_ref())
        .ok_or_else(|| DataFusionError::Internal("rows have no numbers".into()))
}

/// A column whose values are counted, or were before.
#[derive(Debug)]
struct Text {
    column: usize,
    saved: Option<Known>,
}

/// How often values were there.
#[derive(Debug)]
struct Known {
    counts: HashMap<u64, u64>,
    all: f64,
}

impl Known {
    fn new(saved: &Frequencies) -> Known {
        Known {
            counts: saved.counts.iter().copied().collect(),
            all: saved.values.max(1.0),
        }
    }

    fn share(&self, text: &str) -> f32 {
        (self.counts.get(&hash(text)).copied().unwrap_or(1) as f64 / self.all) as f32
    }
}

/// A row and the share of its value.
fn entry(row: u32, share: f32) -> u64 {
    u64::from(row) << 32 | u64::from(share.to_bits())
}

/// The shares of all rows, one file a column.
async fn collect(
    input: Arc<dyn ExecutionPlan>,
    texts: Arc<[Text]>,
    space: Arc<Space>,
    task: Arc<TaskContext>,
    rows: u64,
) -> Result<Vec<Shares>> {
    let disk = task.runtime_env().disk_manager.clone();
    let sorters = Sorters::new(space.clone(), texts.len(), rows as usize, false);
    let mut values_of = vec![0; texts.len()];
    for mut stream in execute_stream_partitioned(input, task)? {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let numbers = row_numbers(&batch)?;
            for ((at, text), count) in texts.iter().enumerate().zip(&mut values_of) {
                let values = cast(batch.column(text.column), &DataType::Utf8View)?;
                let values = values.as_string_view();
                let given = numbers.iter().enumerate();
                let given = given.filter(|(at, _)| values.is_valid(*at));
                let entries: Vec<u64> = match &text.saved {
                    Some(known) => given
                        .map(|(at, row)| entry(*row, known.share(values.value(at))))
                        .collect(),
                    None => given
                        .map(|(at, row)| hash(values.value(at)) >> 32 << 32 | u64::from(*row))
                        .collect(),
                };
                *count += entries.len();
                sorters.push(at, &entries).await?;
            }
        }
    }
    let work = move || {
        let mut out = Vec::new();
        for ((text, of), values) in texts.iter().zip(sorters.finish()).zip(values_of) {
            let mut sorted = of.sort(cores())?;
            if text.saved.is_none() {
                sorted = by_row(&sorted, &space, values)?;
            }
            out.push(Shares::write(&sorted, &disk, rows)?);
        }
        Ok(out)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| DataFusionError::External(Box::new(e)))?
}

/// From hashes and rows, in order, to rows and shares of so many values, in order.
fn by_row(sorted: &Sorted, space: &Arc<Space>, values: usize) -> Result<Sorted> {
    let out = Sorters::new(space.clone(), 1, values, false);
    let all = values.max(1) as f32;
    let mut frequent: HashMap<u64, f32> = HashMap::new();
    let mut entries = Vec::new();
    sorted.blocks(32, MOST, |size, block| {
        let share = size as f32 / all;
        if size as usize > MOST {
            frequent.extend(block.first().map(|number| (number >> 32, share)));
            return Ok(());
        }
        entries.extend(block.iter().map(|number| entry(*number as u32, share)));
        if entries.len() >= MOST {
            out.push_waiting(0, &entries)?;
            entries.clear();
        }
        Ok(())
    })?;
    out.push_waiting(0, &entries)?;
    if !frequent.is_empty() {
        sorted.each(|numbers| {
            entries.clear();
            entries.extend(numbers.iter().filter_map(|number| {
                let share = frequent.get(&(number >> 32))?;
                Some(entry(*number as u32, *share))
            }));
            out.push_waiting(0, &entries)
        })?;
    }
    let of = out.finish().pop();
    let lost = || DataFusionError::Internal("a sorter is gone".into());
    of.ok_or_else(lost)?.sort(cores())
}

/// The share of each row's value in a file, 4 bytes a row; 0 where there is no value.
struct Shares(
    Mutex<File>,
    #[allow(dead_code, reason = "the file is gone with it")] Arc<dyn SpillFile>,
);

impl Shares {
    /// Of rows and shares, in order.
    fn write(sorted: &Sorted, disk: &Arc<DiskManager>, rows: u64) -> Result<Shares> {
        let file = disk.create_tmp_file("frequencies of values")?;
        let mut writer = std::io::BufWriter::with_capacity(1 << 16, file.open_writer()?);
        let mut next = 0;
        sorted.each(|entries| {
            for entry in entries {
                let row = entry >> 32;
                while next < row {
                    writer.write_all(&[0; 4])?;
                    next += 1;
                }
                writer.write_all(&(*entry as u32).to_le_bytes())?;
                next += 1;
            }
            Ok(())
        })?;
        for _ in next..rows {
            writer.write_all(&[0; 4])?;
        }
        let ended = writer.into_inner().map_err(|e| e.into_error());
        ended?.finish()?;
        let path = file.path().ok_or_else(|| {
            DataFusionError::NotImplemented("the spill folder is no local one".into())
        })?;
        Ok(Shares(Mutex::new(File::open(path)?), file))
    }

    /// Of some rows. Those of a batch lie beside each other, so that they are mostly one read.
    fn read(&self, rows: &[u32]) -> Result<ArrayRef> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::with_capacity(rows.len());
        for some in rows.chunk_by(|a, b| *b == a.wrapping_add(1)) {
            let first = some.first().copied().unwrap_or(0);
            let mut bytes = vec![0; 4 * some.len()];
            file.seek(SeekFrom::Start(4 * u64::from(first)))?;
            file.read_exact(&mut bytes)?;
            let shares = bytes.as_chunks().0.iter();
            out.extend(shares.map(|share| f32::from_le_bytes(*share)));
        }
        Ok(Arc::new(Float32Array::from(out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{StringViewArray, UInt32Array};
    use arrow::compute::concat_batches;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::collect as collect_all;
    use datafusion::prelude::{SessionConfig, SessionContext};

    #[test]
    fn frequencies_are_shares_of_values() {
        let values = arrow::array::StringViewArray::from(vec![
            Some("a"),
            None,
            Some("b"),
            Some("a"),
            Some("c"),
        ]);
        let found = counted(&(Arc::new(values) as ArrayRef));
        let found = found.as_primitive::<arrow::datatypes::Float32Type>();
        assert_eq!(found.values(), &[0.5, 0.0, 0.25, 0.5, 0.25]);
    }

    #[test]
    fn frequencies_may_be_those_of_other_rows() {
        let values = arrow::array::StringViewArray::from(vec![Some("a"), None, Some("z")]);
        let saved = Frequencies {
            values: 10.0,
            counts: vec![(hash("a"), 4), (hash("b"), 2)],
        };
        let found = known(&(Arc::new(values) as ArrayRef), &saved);
        let found = found.as_primitive::<arrow::datatypes::Float32Type>();
        assert_eq!(found.values(), &[0.4, 0.0, 0.1]);
    }

    // One value of three in five rows, one of many rows, and others: as in memory.
    #[tokio::test]
    async fn the_operator_counts_as_is_counted_in_memory() {
        let count = 60_000_u32;
        let text = |row: u32| match row % 5 {
            0 => None,
            1 => Some("smith".to_owned()),
            _ => Some(format!(
                "name {}",
                mastic_functions::sample_number(u64::from(row)) % 9000
            )),
        };
        let values: StringViewArray = (0..count).map(text).collect();
        let other: StringViewArray = (0..count).map(|row| text(row / 7)).collect();
        let rows: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..count));
        let values: [ArrayRef; 2] = [Arc::new(values), Arc::new(other)];
        let batch = RecordBatch::try_from_iter([
            ("row", rows),
            ("v0", values[0].clone()),
            ("v3", values[1].clone()),
        ])
        .unwrap();
        let saved = Frequencies {
            values: 50_000.0,
            counts: vec![(hash("smith"), 12_000)],
        };
        for (bytes, spills) in [(1 << 30, false), (300_000, true)] {
            for saved in [None, Some(saved.clone())] {
                let pool = Arc::new(GreedyMemoryPool::new(bytes));
                let env = RuntimeEnvBuilder::new().with_memory_pool(pool);
                let config = SessionConfig::new();
                let context = SessionContext::new_with_config_rt(config, env.build_arc().unwrap());
                let input = context.read_batch(batch.clone()).unwrap();
                let input = input.create_physical_plan().await.unwrap();
                let of_both = Arc::new(vec![saved.clone(), None, None, None]);
                let plan = Arc::new(FrequencyExec::new(input, of_both, u64::from(count)));
                let found = collect_all(plan.clone(), context.task_ctx()).await.unwrap();
                let found = concat_batches(&plan.schema(), &found).unwrap();
                let expected = match &saved {
                    Some(saved) => known(&values[0], saved),
                    None => counted(&values[0]),
                };
                assert_eq!(found.column_by_name("f0").unwrap(), &expected);
                assert_eq!(found.column_by_name("f3").unwrap(), &counted(&values[1]));
                let files = plan.metrics().unwrap().spill_count().unwrap_or(0);
                assert_eq!(files > 0, spills);
            }
        }
    }
}
