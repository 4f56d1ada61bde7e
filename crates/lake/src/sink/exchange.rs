//! Rows sent to the stream that writes their partition.
//!
//! The engine's own exchange sends rows by a hash of their keys: with seven partitions and two streams it may give
//! one stream five of them, and what it sends is in no order, so that the writer gathers it once more. This one
//! gives a partition that is new to the stream that has had the fewest rows, and sends the rows of each
//! partition side by side.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use futures::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::partition::{Partition, Splitter, side_by_side};

/// How many batches may wait for a stream: while one is behind, the others shall have something to do.
const WAITING: usize = 16;
/// So many rows are sent at once, about,
const ROWS: usize = 24 * 1024;
/// or so many bytes of them.
const BYTES: usize = 32 * 1024 * 1024;

/// Sends each row to the stream that has its partition.
#[derive(Debug)]
pub(super) struct PartitionExchangeExec {
    input: Arc<dyn ExecutionPlan>,
    /// The keys' positions in the input.
    keys: Vec<usize>,
    /// The columns that rows are put in buckets by, and the number of buckets.
    buckets: Option<(Vec<usize>, u32)>,
    properties: Arc<PlanProperties>,
    running: Mutex<Option<Running>>,
}

/// What the streams of one run share.
struct Running {
    receivers: Vec<Option<Receiver<Result<RecordBatch>>>>,
    tasks: Arc<Vec<SpawnedTask<()>>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

impl PartitionExchangeExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        keys: Vec<usize>,
        buckets: Option<(Vec<usize>, u32)>,
        streams: usize,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(streams.max(1)),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            keys,
            buckets,
            properties: Arc::new(properties),
            running: Mutex::default(),
        }
    }

    fn streams(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<Running> {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..self.streams()).map(|_| channel(WAITING)).unzip();
        let owners = Arc::new(Mutex::new(Owners::new(senders.len())));
        let inputs = self.input.output_partitioning().partition_count();
        let tasks = (0..inputs).map(|at| {
            let input = self.input.execute(at, Arc::clone(context))?;
            let splitter = Splitter::new(&self.schema(), &self.keys, self.buckets.clone())?;
            let (senders, owners) = (senders.clone(), Arc::clone(&owners));
            Ok(SpawnedTask::spawn(async move {
                if let Err(error) = send(input, splitter, &owners, &senders).await {
                    let error = Arc::new(error);
                    for sender in &senders {
                        // Who does not listen has ended already.
                        let _ = sender
                            .send(Err(DataFusionError::Shared(error.clone())))
                            .await;
                    }
                }
            }))
        });
        Ok(Running {
            tasks: Arc::new(tasks.collect::<Result<_>>()?),
            receivers: receivers.into_iter().map(Some).collect(),
        })
    }
}

/// Sends the rows of one input.
async fn send(
    mut input: SendableRecordBatchStream,
    splitter: Splitter,
    owners: &Mutex<Owners>,
    senders: &[Sender<Result<RecordBatch>>],
) -> Result<()> {
    let mut gathered = Gathered::new(splitter);
    loop {
        let batch = input.next().await.transpose()?;
        let ended = batch.is_none();
        if let Some(batch) = batch {
            gathered.add(batch)?;
        }
        if !ended && !gathered.is_full() {
            continue;
        }
        for (stream, rows) in gathered.sort(owners)? {
            if senders[stream].send(Ok(rows)).await.is_err() {
                // The stream that has them failed, and tells why.
                return Ok(());
            }
        }
        if ended {
            return Ok(());
        }
        // Who was sent something was woken to run on this very thread: another may have the next batch.
        tokio::task::yield_now().await;
    }
}

/// Batches of one input until there are enough rows: an encoder that gets more of a column at once looks its values up
/// in a dictionary that is still in the processor's cache.
struct Gathered {
    splitter: Splitter,
    batches: Vec<RecordBatch>,
    /// The numbers of the rows' partitions, of all batches.
    numbers: Vec<usize>,
    bytes: usize,
    /// The streams of this input's partitions, by the partitions' numbers.
    known: Vec<usize>,
    /// The partitions, stream by stream.
    order: Vec<usize>,
}

impl Gathered {
    fn new(splitter: Splitter) -> Self {
        Gathered {
            splitter,
            batches: Vec::new(),
            numbers: Vec::new(),
            bytes: 0,
            known: Vec::new(),
            order: Vec::new(),
        }
    }

    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        self.numbers.extend(self.splitter.numbers(&batch)?);
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.numbers.len() >= ROWS || self.bytes >= BYTES
    }

    /// The rows, those of a partition side by side, each with its stream; nothing is left.
    fn sort(&mut self, owners: &Mutex<Owners>) -> Result<Vec<(usize, RecordBatch)>> {
        let batches = std::mem::take(&mut self.batches);
        let numbers = std::mem::take(&mut self.numbers);
        self.bytes = 0;
        let partitions = self.splitter.partitions();
        let mut counts = vec![0; partitions.len()];
        for number in &numbers {
            counts[*number] += 1;
        }
        {
            let mut owners = owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.assign(&mut self.known, partitions, &counts);
        }
        if self.order.len() < self.known.len() {
            self.order = (0..self.known.len()).collect();
            self.order.sort_by_key(|number| self.known[*number]);
        }
        let places = batches.iter().enumerate();
        let places = places.flat_map(|(at, batch)| (0..batch.num_rows()).map(move |row| (at, row)));
        let (places, parts) = side_by_side(&numbers, &self.order, places);
        let sorted = match (batches.as_slice(), parts.as_slice()) {
            ([], _) => return Ok(Vec::new()),
            ([batch], [_]) => batch.clone(),
            _ => interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places)?,
        };
        let streams = parts.chunk_by(|(a, _), (b, _)| self.known[*a] == self.known[*b]);
        let sent = streams.filter_map(|parts| {
            let (number, first) = parts.first()?;
            let count = parts.iter().map(|(_, rows)| rows.len()).sum();
            Some((self.known[*number], sorted.slice(first.start, count)))
        });
        Ok(sent.collect())
    }
}

/// Which stream has which partition.
struct Owners {
    by_folder: HashMap<(String, Option<i32>), usize>,
    /// How many rows each stream was sent.
    rows: Vec<usize>,
}

impl Owners {
    fn new(streams: usize) -> Self {
        Self {
            by_folder: HashMap::new(),
            rows: vec![0; streams],
        }
    }

    /// Gives partitions that are not `known` yet to streams, and counts rows of all.
    fn assign(&mut self, known: &mut Vec<usize>, partitions: &[Partition], counts: &[usize]) {
        for (stream, count) in known.iter().zip(counts) {
            self.rows[*stream] += count;
        }
        let old = known.len();
        known.resize(partitions.len(), 0);
        let mut new: Vec<usize> = (old..partitions.len()).collect();
        // The largest first: the streams come out more even.
        new.sort_by_key(|number| Reverse(counts[*number]));
        for number in new {
            let stream = self.of(&partitions[number]);
            known[number] = stream;
            self.rows[stream] += counts[number];
        }
    }

    /// The stream of a partition: where it is new, the one with the fewest rows.
    fn of(&mut self, partition: &Partition) -> usize {
        let place = (partition.folder.clone(), partition.bucket);
        if let Some(known) = self.by_folder.get(&place) {
            return *known;
        }
        let fewest = self.rows.iter().enumerate().min_by_key(|(_, rows)| **rows);
        let stream = fewest.map_or(0, |(stream, _)| stream);
        self.by_folder.insert(place, stream);
        stream
    }
}

impl DisplayAs for PartitionExchangeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema();
        let keys = self.keys.iter().map(|at| schema.field(*at).name().as_str());
        write!(
            f,
            "PartitionExchangeExec: streams={}, by=[{}]",
            self.streams(),
            keys.collect::<Vec<_>>().join(", ")
        )
    }
}

impl ExecutionPlan for PartitionExchangeExec {
    fn name(&self) -> &'static str {
        "PartitionExchangeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("an exchange has one input".into()))?;
        let (keys, buckets) = (self.keys.clone(), self.buckets.clone());
        Ok(Arc::new(Self::new(input, keys, buckets, self.streams())))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, mode)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match &mut *running {
            Some(running) => running,
            none => none.insert(self.start(&context)?),
        };
        let receiver = running
            .receivers
            .get_mut(partition)
            .and_then(Option::take)
            .ok_or_else(|| DataFusionError::Internal("a stream is read once".into()))?;
        // Tasks end with the last stream that reads from them.
        let tasks = Arc::clone(&running.tasks);
        let rows = futures::stream::unfold((receiver, tasks), |(mut receiver, tasks)| async move {
            let batch = receiver.recv().await?;
            Some((batch, (receiver, tasks)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
    use arrow::datatypes::Int32Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use futures::TryStreamExt;

    fn partition(folder: &str) -> Partition {
        Partition {
            values: Vec::new(),
            folder: folder.to_owned(),
            bucket: None,
        }
    }

    #[test]
    fn streams_come_out_even() {
        let mut owners = Owners::new(2);
        let partitions: Vec<_> = ["a", "b", "c", "d"].map(partition).into();
        let mut known = Vec::new();
        owners.assign(&mut known, &partitions, &[10, 40, 20, 15]);
        assert_eq!(known, [1, 0, 1, 1]);
        assert_eq!(owners.rows, [40, 45]);
        // Another input numbers the same partitions otherwise.
        let mut others = Vec::new();
        let partitions: Vec<_> = ["e", "b"].map(partition).into();
        owners.assign(&mut others, &partitions, &[1, 9]);
        assert_eq!(others, [1, 0]);
        assert_eq!(owners.rows, [49, 46]);
    }

    fn batch(rows: &[(Option<&str>, i32)]) -> RecordBatch {
        let keys: StringArray = rows.iter().map(|(key, _)| *key).collect();
        let numbers: Int32Array = rows.iter().map(|(_, n)| *n).collect();
        let columns = [
            ("k", Arc::new(keys) as ArrayRef),
            ("n", Arc::new(numbers) as ArrayRef),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, c)| (name, c, true))).unwrap()
    }

    #[tokio::test]
    async fn every_row_comes_once_and_a_partition_to_one_stream() {
        let inputs: Vec<Vec<RecordBatch>> = (0..3)
            .map(|input| {
                let rows = (0..50).map(|i| {
                    let key = [Some("a"), Some("b"), None, Some(""), Some("c")][i % 5];
                    (key, i32::try_from(input * 50 + i).unwrap())
                });
                let rows: Vec<_> = rows.collect();
                rows.chunks(7).map(batch).collect()
            })
            .collect();
        let schema = inputs[0][0].schema();
        let input = MemorySourceConfig::try_new_exec(&inputs, schema, None).unwrap();
        let exchange = PartitionExchangeExec::new(input, vec![0], None, 2);
        let context = Arc::new(TaskContext::default());
        let streams = [0, 1].map(|at| exchange.execute(at, context.clone()).unwrap());
        let [first, second] = streams.map(SendableRecordBatchStream::try_collect::<Vec<_>>);
        let (first, second) = tokio::try_join!(first, second).unwrap();
        let mut numbers = Vec::new();
        let mut folders = Vec::new();
        for stream in [first, second] {
            let mut own = Vec::new();
            for batch in &stream {
                // NULL and the empty string are one folder.
                own.extend(
                    batch
                        .column(0)
                        .as_string::<i32>()
                        .iter()
                        .map(|k| k.filter(|k| !k.is_empty()).map(str::to_owned)),
                );
                numbers.extend(
                    batch
                        .column(1)
                        .as_primitive::<Int32Type>()
                        .values()
                        .iter()
                        .copied(),
                );
            }
            own.sort();
            own.dedup();
            folders.push(own);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..150).collect::<Vec<i32>>());
        assert!(
            folders[0].iter().all(|folder| !folders[1].contains(folder)),
            "{folders:?}"
        );
        assert!(folders.iter().all(|own| !own.is_empty()), "{folders:?}");
        // It runs once.
        assert!(exchange.execute(0, context).is_err());
    }
}
