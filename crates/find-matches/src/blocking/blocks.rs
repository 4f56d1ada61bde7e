//! Records in blocks: an operator that joins a table with itself on a hash, and gives the pairs of each block.
//!
//! Every row of the input makes numbers under some keys: a hash in the upper half, the row in the lower. They are sorted
//! within the engine's memory ([`crate::external`]), so that a block is a stretch of numbers, and a great one is seen
//! before any of its pairs is made. Keys are read on all cores, and walked on all cores.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, execute_stream_partitioned,
};
use futures::StreamExt;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::{Sides, pair};
use crate::external::{Sorted, Sorters, Space, Unsorted, cores};
use crate::operator::{Properties, operator};

/// Pairs, or sizes, of a batch.
const BATCH: usize = 1 << 15;

/// What numbers a table's rows make.
pub(crate) trait Keys: fmt::Debug + Send + Sync {
    /// How many keys there are, each with blocks of its own.
    fn count(&self) -> usize;
    /// About how many numbers all rows make under a key.
    fn usual(&self) -> usize;
    /// The numbers of a batch under a key.
    fn numbers(&self, batch: &RecordBatch, key: usize, out: &mut Vec<u64>);
}

/// What becomes of the blocks.
#[derive(Debug, Clone)]
pub(crate) enum Walk {
    /// The pairs of two rows with the same hash, of blocks up to the first of these sizes with which there are not more
    /// pairs than the budget allows; none at all if there are too many with the last.
    Pairs {
        /// How many rows a block may have.
        most: Vec<u64>,
        /// How many pairs there may be; it counts what is of one side, too.
        budget: f64,
        /// Which rows may be paired.
        sides: Sides,
    },
    /// How many blocks of equal numbers there are of each size, by the uppermost bits of their number: so many.
    Sizes(u32),
}

/// What is known of a key after its blocks were walked. They are metrics of the operator.
#[derive(Debug, Clone)]
struct Counted {
    pairs: Count,
    oversized_blocks: Count,
    oversized_rows: Count,
}

/// What became of a key's blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) pairs: u64,
    /// Blocks that are too great, and the rows in them.
    pub(crate) oversized_blocks: u64,
    pub(crate) oversized_rows: u64,
}

/// The operator. It gives a column of pairs, or `first`, `rows` and `blocks`: the uppermost bits, a size, and how many
/// blocks there are of it.
#[derive(Debug)]
pub(crate) struct BlockExec {
    input: Arc<dyn ExecutionPlan>,
    keys: Arc<dyn Keys>,
    walk: Walk,
    counted: Arc<Vec<Counted>>,
    /// The size up to which blocks were taken, from 1; 0 if none was.
    taken: Arc<AtomicUsize>,
    metrics: ExecutionPlanMetricsSet,
    properties: Properties,
}

impl BlockExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, keys: Arc<dyn Keys>, walk: Walk) -> Self {
        let field = |name: &str| Field::new(name, DataType::UInt64, false);
        let fields = match walk {
            Walk::Pairs { .. } => vec![field("pair")],
            Walk::Sizes(_) => vec![field("first"), field("rows"), field("blocks")],
        };
        let metrics = ExecutionPlanMetricsSet::new();
        let count = |name: &'static str, key: usize| {
            let of = MetricBuilder::new(&metrics).with_new_label("key", key.to_string());
            of.counter(name, 0)
        };
        let counted = (0..keys.count()).map(|key| Counted {
            pairs: count("pairs", key),
            oversized_blocks: count("oversized_blocks", key),
            oversized_rows: count("oversized_rows", key),
        });
        BlockExec {
            counted: Arc::new(counted.collect()),
            properties: Properties::new(Arc::new(Schema::new(fields))),
            taken: Arc::default(),
            input,
            keys,
            walk,
            metrics,
        }
    }

    /// What became of each key's blocks, when all has been read.
    pub(crate) fn walked(&self) -> Vec<Walked> {
        let of = |c: &Counted| Walked {
            pairs: c.pairs.value() as u64,
            oversized_blocks: c.oversized_blocks.value() as u64,
            oversized_rows: c.oversized_rows.value() as u64,
        };
        self.counted.iter().map(of).collect()
    }

    /// The size up to which blocks were taken, if any were, when all has been read.
    pub(crate) fn taken(&self) -> Option<u64> {
        let taken = self.taken.load(Ordering::Relaxed);
        (taken > 0).then_some(taken as u64)
    }
}

impl DisplayAs for BlockExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.walk {
            Walk::Pairs { most, .. } => {
                write!(
                    f,
                    "BlockExec: pairs of {} keys, most={most:?}",
                    self.keys.count()
                )
            }
            Walk::Sizes(_) => write!(f, "BlockExec: sizes"),
        }
    }
}

operator!(BlockExec, |own: &BlockExec, input| BlockExec::new(
    input,
    own.keys.clone(),
    own.walk.clone()
));

impl BlockExec {
    fn run(&self, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.schema();
        let mut out = RecordBatchReceiverStream::builder(schema.clone(), 2 * cores());
        let space = Space::new("blocks of records", &task, &self.metrics);
        let (input, keys) = (self.input.clone(), self.keys.clone());
        let work = Walking {
            walk: self.walk.clone(),
            counted: self.counted.clone(),
            taken: self.taken.clone(),
            schema,
            send: out.tx(),
        };
        out.spawn(async move {
            let each = collect(input, keys, space, task).await?;
            work.all(each).await
        });
        Ok(out.build())
    }
}

/// The numbers of all rows, on all cores.
async fn collect(
    input: Arc<dyn ExecutionPlan>,
    keys: Arc<dyn Keys>,
    space: Arc<Space>,
    task: Arc<TaskContext>,
) -> Result<Vec<Unsorted>> {
    let sorters = Sorters::new(space, keys.count(), keys.usual(), false);
    let mut reading = JoinSet::new();
    for mut stream in execute_stream_partitioned(input, task)? {
        let (keys, sorters) = (keys.clone(), sorters.clone());
        reading.spawn(async move {
            let mut numbers = Vec::new();
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                for key in 0..keys.count() {
                    numbers.clear();
                    keys.numbers(&batch, key, &mut numbers);
                    sorters.push(key, &numbers).await?;
                }
            }
            Ok(())
        });
    }
    joined(reading).await?;
    Ok(sorters.finish())
}

/// Waits for all of some tasks.
async fn joined(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|e| DataFusionError::External(Box::new(e)))??;
    }
    Ok(())
}

/// What walks blocks.
#[derive(Clone)]
struct Walking {
    walk: Walk,
    counted: Arc<Vec<Counted>>,
    taken: Arc<AtomicUsize>,
    schema: SchemaRef,
    send: Sender<Result<RecordBatch>>,
}

impl Walking {
    /// Walks all keys, one on each core.
    async fn all(self, each: Vec<Unsorted>) -> Result<()> {
        let threads = cores().min(each.len()).max(1);
        let share = cores() / threads;
        let left = Arc::new(Mutex::new(each.into_iter().enumerate()));
        let mut walking = JoinSet::new();
        for _ in 0..threads {
            let (own, left) = (self.clone(), left.clone());
            walking.spawn_blocking(move || {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((key, of)) = next else {
                        return Ok(());
                    };
                    own.one(key, &of.sort(share)?)?;
                }
            });
        }
        joined(walking).await
    }

    fn one(&self, key: usize, of: &Sorted) -> Result<()> {
        match &self.walk {
            Walk::Pairs {
                most,
                budget,
                sides,
            } => self.pairs(key, of, most, *budget, *sides),
            Walk::Sizes(bits) => self.sizes(of, *bits),
        }
    }

    fn pairs(
        &self,
        key: usize,
        of: &Sorted,
        most: &[u64],
        budget: f64,
        sides: Sides,
    ) -> Result<()> {
        let most = match most {
            [one] if budget.is_infinite() => Some(*one),
            several => affordable(of, several, budget)?,
        };
        let (Some(most), Some(counted)) = (most, self.counted.get(key)) else {
            return Ok(());
        };
        self.taken.store(most as usize, Ordering::Relaxed);
        let mut out = Vec::with_capacity(BATCH + (most * most) as usize);
        of.blocks(32, most as usize, |size, block| {
            if size > most {
                counted.oversized_blocks.add(1);
                counted.oversized_rows.add(size as usize);
                return Ok(());
            }
            for (at, a) in block.iter().enumerate() {
                let others = block.iter().skip(at + 1).map(|b| *b as u32);
                let may = others.filter(|b| sides.may(*a as u32, *b));
                out.extend(may.map(|b| pair(*a as u32, b)));
            }
            if out.len() >= BATCH {
                counted.pairs.add(out.len());
                self.tell([&mut out])?;
            }
            Ok(())
        })?;
        counted.pairs.add(out.len());
        self.tell([&mut out])
    }

    fn sizes(&self, of: &Sorted, bits: u32) -> Result<()> {
        let mut sizes: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        of.blocks(0, 1, |size, block| {
            let first = block.first().map_or(0, |number| number >> (64 - bits));
            *sizes.entry((first, size)).or_default() += 1;
            Ok(())
        })?;
        let (mut first, mut rows, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
        for ((of, size), count) in sizes {
            first.push(of);
            rows.push(size);
            blocks.push(count);
        }
        self.tell([&mut first, &mut rows, &mut blocks])
    }

    /// Gives a batch out, and empties it.
    fn tell<const N: usize>(&self, columns: [&mut Vec<u64>; N]) -> Result<()> {
        let columns = columns.map(|column| {
            let room = Vec::with_capacity(column.capacity());
            Arc::new(UInt64Array::from(std::mem::replace(column, room))) as ArrayRef
        });
        let batch = RecordBatch::try_new(self.schema.clone(), columns.to_vec())?;
        let sent = self.send.blocking_send(Ok(batch));
        sent.map_err(|_| DataFusionError::Execution("nobody wants the pairs any more".into()))
    }
}

/// The first of some sizes up to which blocks have few enough pairs.
fn affordable(of: &Sorted, sizes: &[u64], budget: f64) -> Result<Option<u64>> {
    let mut pairs = vec![0_u64; sizes.len()];
    of.blocks(32, 1, |size, _| {
        for (most, sum) in sizes.iter().zip(&mut pairs) {
            if size <= *most {
                *sum += size * (size - 1) / 2;
            }
        }
        Ok(())
    })?;
    let mut each = sizes.iter().zip(pairs);
    let found = each.find(|(_, pairs)| *pairs as f64 <= budget);
    Ok(found.map(|(most, _)| *most))
}

#[cfg(test)]
mod tests {
    use super::super::distinct::pairs_of;
    use super::*;
    use arrow::array::{AsArray, UInt32Array};
    use arrow::datatypes::UInt64Type;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// Columns of hashes, 0 for none; the row's number comes first.
    #[derive(Debug)]
    struct Columns(usize);

    impl Keys for Columns {
        fn count(&self) -> usize {
            self.0
        }

        fn usual(&self) -> usize {
            7
        }

        fn numbers(&self, batch: &RecordBatch, key: usize, out: &mut Vec<u64>) {
            let of = |at: usize| {
                let column = batch.column(at);
                column
                    .as_primitive::<arrow::datatypes::UInt32Type>()
                    .values()
            };
            let numbers = of(0).iter().zip(of(key + 1));
            let numbers = numbers.filter(|(_, hash)| **hash != 0);
            out.extend(numbers.map(|(row, hash)| u64::from(*hash) << 32 | u64::from(*row)));
        }
    }

    async fn table(context: &SessionContext, columns: &[Vec<u32>]) -> Arc<dyn ExecutionPlan> {
        let rows: Vec<u32> = (0..columns[0].len() as u32).collect();
        let columns = std::iter::once(&rows).chain(columns).enumerate();
        let columns = columns.map(|(at, c)| {
            let values = Arc::new(UInt32Array::from(c.clone())) as ArrayRef;
            (format!("c{at}"), values)
        });
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let frame = context.read_batch(batch).unwrap();
        frame.create_physical_plan().await.unwrap()
    }

    fn blocks(input: Arc<dyn ExecutionPlan>, count: usize, walk: Walk) -> Arc<BlockExec> {
        Arc::new(BlockExec::new(input, Arc::new(Columns(count)), walk))
    }

    fn up_to(most: &[u64], budget: f64, sides: Sides) -> Walk {
        Walk::Pairs {
            most: most.to_vec(),
            budget,
            sides,
        }
    }

    const SEVEN: Sides = Sides {
        rows: 7,
        split: None,
    };

    #[tokio::test]
    async fn rows_of_one_block_are_pairs_and_great_blocks_are_left() {
        let context = SessionContext::new();
        let input = table(&context, &[vec![5, 0, 5, 9, 9, 9, 0], vec![0; 7]]).await;
        let plan = blocks(input, 2, up_to(&[2], f64::INFINITY, SEVEN));
        let found = pairs_of(plan.clone(), &context.task_ctx()).await.unwrap();
        assert_eq!(found.numbers, [pair(0, 2)]);
        let expected = Walked {
            pairs: 1,
            oversized_blocks: 1,
            oversized_rows: 3,
        };
        assert_eq!(plan.walked(), [expected, Walked::default()]);
    }

    #[tokio::test]
    async fn blocks_are_as_great_as_is_affordable() {
        let context = SessionContext::new();
        // Two rows make one pair, three make three.
        let all = vec![pair(0, 2), pair(3, 4), pair(3, 5), pair(4, 5)];
        for (budget, taken, pairs) in [
            (4.0, Some(3), all),
            (3.0, Some(2), vec![pair(0, 2)]),
            (0.5, None, vec![]),
        ] {
            let input = table(&context, &[vec![5, 0, 5, 9, 9, 9, 0]]).await;
            let plan = blocks(input, 1, up_to(&[3, 2], budget, SEVEN));
            let found = pairs_of(plan.clone(), &context.task_ctx()).await.unwrap();
            assert_eq!((found.numbers, plan.taken()), (pairs, taken));
        }
    }

    #[tokio::test]
    async fn sizes_are_counted() {
        let context = SessionContext::new();
        #[derive(Debug)]
        struct Same;
        impl Keys for Same {
            fn count(&self) -> usize {
                1
            }
            fn usual(&self) -> usize {
                0
            }
            fn numbers(&self, _: &RecordBatch, _: usize, out: &mut Vec<u64>) {
                let second = 1 << 60;
                out.extend([7, 7, 8, 9, 9, second, second | 1]);
            }
        }
        let input = table(&context, &[vec![1]]).await;
        let plan = BlockExec::new(input, Arc::new(Same), Walk::Sizes(4));
        let batches = datafusion::physical_plan::collect(Arc::new(plan), context.task_ctx());
        let batches = batches.await.unwrap();
        let of = |at: usize| batches[0].column(at).as_primitive::<UInt64Type>().values();
        assert_eq!((&of(0)[..], &of(1)[..]), (&[0, 0, 1][..], &[1, 2, 1][..]));
        assert_eq!(of(2)[..], [1, 2, 2]);
    }

    // 360,000 numbers take 3 MB.
    #[tokio::test]
    async fn a_small_pool_spills_and_changes_nothing() {
        let columns: Vec<Vec<u32>> = (0..6_u64)
            .map(|key| {
                let hash = |row| mastic_functions::sample_number(key << 32 | row) % 20_000;
                (0..60_000).map(|row| hash(row) as u32).collect()
            })
            .collect();
        let sides = Sides {
            rows: 60_000,
            split: Some(20_000),
        };
        let mut expected: Option<(Vec<u64>, Vec<Walked>)> = None;
        for (bytes, spills) in [(1 << 30, false), (2 << 20, true)] {
            let pool = Arc::new(GreedyMemoryPool::new(bytes));
            let env = RuntimeEnvBuilder::new().with_memory_pool(pool);
            let config = SessionConfig::new();
            let context = SessionContext::new_with_config_rt(config, env.build_arc().unwrap());
            let input = table(&context, &columns).await;
            let plan = blocks(input, 6, up_to(&[4], f64::INFINITY, sides));
            let found = pairs_of(plan.clone(), &context.task_ctx()).await.unwrap();
            let count = plan.metrics().unwrap().spill_count().unwrap_or(0);
            assert_eq!((count > 0, found.spilled > 0), (spills, spills), "{bytes}");
            let found = (found.numbers, plan.walked());
            assert!(found.0.is_sorted() && found.0.len() > 50_000);
            match &expected {
                None => expected = Some(found),
                Some(expected) => assert!(*expected == found),
            }
        }
    }
}
