//! Nearest neighbours by the cosine of 3-grams over a record's whole text: an operator that joins a table with itself.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt32Type};
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{SortExpr, cast};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::sync::OnceCell;

use super::{Sides, pair};
use crate::error::{MatchError, Result};
use crate::known::Known;
use crate::memory::Share;
use crate::normalise::{column, value};
use crate::operator::{Properties, operator, spilled};
use crate::profile::Column;
use crate::settings::Kind;
use crate::transform::Grams;
use crate::vectors::stored::Stored;
use crate::vectors::{Builder, Near, Tokens};

/// The rows that one query may look at.
const BUDGET: usize = 50_000;
/// Rows of a batch of neighbours.
const BATCH: usize = 1 << 13;
/// Vectors are held if there is room for so many times as much: for the index of them, and for the pairs they make.
pub(crate) const ROOM: usize = 3;

/// Every record's texts as vectors.
#[derive(Debug)]
pub(crate) struct Texts {
    /// 3-grams of all columns together.
    record: Stored,
    /// Words of all columns together.
    words: Stored,
    /// 3-grams of each column that is no number.
    columns: Vec<Option<Stored>>,
    /// How rare parts of them are, if that is to be kept.
    pub(crate) grams: Option<Grams>,
    /// Bytes that were written to the spill folder.
    pub(crate) written: u64,
    share: Mutex<Share>,
}

/// What texts are made of: the kinds of their columns, and how they are weighed.
#[derive(Debug)]
pub(crate) struct Weighing {
    /// Whether each column has vectors of its own.
    own: Vec<bool>,
    /// Whether it is to be kept how rare 3-grams are.
    keep: bool,
    saved: Option<Grams>,
}

impl Weighing {
    /// Of the columns, as is known, if it is.
    pub(crate) fn new(columns: &[Column], known: Known<'_>) -> Arc<Weighing> {
        let own = |c: &Column| matches!(c.kind, Kind::String | Kind::Text);
        Arc::new(Weighing {
            own: columns.iter().map(own).collect(),
            keep: known.keep,
            saved: known.transform.and_then(|t| t.grams.clone()),
        })
    }

    /// The rows that texts are made of, in order: the row's number, and then the normal forms of the columns.
    pub(crate) async fn input(&self, rows: DataFrame) -> Result<Arc<dyn ExecutionPlan>> {
        let mut shown = vec![column("row")];
        for at in 0..self.own.len() {
            shown.push(cast(column(&value(at)), DataType::Utf8).alias(value(at)));
        }
        let sorted = rows
            .select(shown)?
            .sort(vec![SortExpr::new(column("row"), true, false)])?;
        Ok(sorted.create_physical_plan().await?)
    }
}

impl Texts {
    /// Of the rows of a plan, as [`Weighing::input`] gives them.
    pub(crate) async fn read(
        input: Arc<dyn ExecutionPlan>,
        weighing: &Weighing,
        task: Arc<TaskContext>,
    ) -> Result<Texts> {
        let mut share = Share::new("vectors of records", task.memory_pool());
        let disk = task.runtime_env().disk_manager.clone();
        let mut stream = datafusion::physical_plan::execute_stream(input, task)?;
        let (mut record, mut words) = (Builder::new(Tokens::Grams), Builder::new(Tokens::Words));
        let mut each: Vec<Option<Builder>> = weighing
            .own
            .iter()
            .map(|own| own.then(|| Builder::new(Tokens::Grams)))
            .collect();
        let mut to_disk = false;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            debug_assert!(batch.column(0).as_primitive_opt::<UInt32Type>().is_some());
            let texts: Vec<_> = (0..weighing.own.len())
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
            let all = || [&record, &words].into_iter().chain(each.iter().flatten());
            let bytes: usize = all().map(Builder::bytes).sum();
            let what = || "keeping the words of records apart".to_owned();
            to_disk |= share.resize(ROOM * bytes, what).is_err();
            if to_disk {
                record.write(&disk)?;
                words.write(&disk)?;
                for own in each.iter_mut().flatten() {
                    own.write(&disk)?;
                }
                let all = [&record, &words].into_iter().chain(each.iter().flatten());
                share.resize(all.map(Builder::bytes).sum(), what)?;
            }
        }
        let all = [&record, &words].into_iter().chain(each.iter().flatten());
        let written = all.map(Builder::written).sum();
        let grams = weighing.keep.then(|| Grams {
            record: record.rarity(),
            words: words.rarity(),
            columns: each
                .iter()
                .map(|b| b.as_ref().map(Builder::rarity))
                .collect(),
        });
        let saved = weighing.saved.as_ref();
        let mut columns = Vec::new();
        for (at, builder) in each.into_iter().enumerate() {
            let of = saved.and_then(|g| g.columns.get(at)?.as_ref());
            columns.push(builder.map(|b| b.store(of, &disk)).transpose()?);
        }
        let texts = Texts {
            record: record.store(saved.map(|g| &g.record), &disk)?,
            words: words.store(saved.map(|g| &g.words), &disk)?,
            columns,
            grams,
            written,
            share: Mutex::new(share),
        };
        texts.settle();
        Ok(texts)
    }

    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back the memory that only making them, or looking for something in them, took.
    pub(crate) fn settle(&self) {
        let each = self.columns.iter().flatten();
        let all = each.chain([&self.record, &self.words]);
        self.share().shrink_to(all.map(Stored::bytes).sum());
    }

    /// The nearest of some records among others, in the order of the queries.
    fn nearest(&self, queries: &[u32], among: Range<u32>, k: usize) -> Result<Near> {
        let mut share = self.share();
        self.record.nearest(queries, among, k, BUDGET, &mut share)
    }

    /// The cosines of some pairs.
    ///
    /// # Errors
    /// When vectors lie in a file, and there is too little memory to read it, or it cannot be read.
    pub(crate) fn cosines(self: &Arc<Self>, pairs: &[u64]) -> Result<Cosines> {
        let of = |stored: &Stored| match stored.in_memory() {
            Some(_) => Ok(None),
            None => Ok(Some(stored.cosines(pairs, &mut self.share())?)),
        };
        let each = self.columns.iter();
        let each = each.map(|own| own.as_ref().map_or(Ok(None), of));
        Ok(Cosines {
            record: of(&self.record)?,
            words: of(&self.words)?,
            columns: each.collect::<Result<_>>()?,
            texts: self.clone(),
        })
    }
}

/// The cosines of pairs: of their vectors, or worked out before where those are not in memory.
#[derive(Debug)]
pub(crate) struct Cosines {
    texts: Arc<Texts>,
    record: Option<Vec<f32>>,
    words: Option<Vec<f32>>,
    columns: Vec<Option<Vec<f32>>>,
}

/// A pair, by its place among those that are compared and its rows.
pub(crate) type Placed = (u32, u32, u32);

fn cosine(of: &Stored, known: Option<&Vec<f32>>, (place, a, b): Placed) -> f32 {
    match (of.in_memory(), known) {
        (Some(vectors), _) => vectors.cosine(a, b),
        (_, Some(known)) => known.get(place as usize).copied().unwrap_or(0.0),
        _ => 0.0,
    }
}

impl Cosines {
    /// Gives back the memory of what was worked out before.
    pub(crate) fn settle(&self) {
        self.texts.settle();
    }

    /// Of whole records.
    pub(crate) fn record(&self, pair: Placed) -> f32 {
        cosine(&self.texts.record, self.record.as_ref(), pair)
    }

    /// Of the records' words.
    pub(crate) fn words(&self, pair: Placed) -> f32 {
        cosine(&self.texts.words, self.words.as_ref(), pair)
    }

    /// Whether a column has vectors of its own.
    pub(crate) fn has(&self, column: usize) -> bool {
        matches!(self.texts.columns.get(column), Some(Some(_)))
    }

    /// Of a column.
    pub(crate) fn column(&self, column: usize, pair: Placed) -> f32 {
        let known = self.columns.get(column).and_then(Option::as_ref);
        match self.texts.columns.get(column) {
            Some(Some(of)) => cosine(of, known, pair),
            _ => 0.0,
        }
    }
}

/// Which records' neighbours are looked for: among all, or among those of the other side.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    pub(crate) sides: Sides,
    /// Some records, in order; all otherwise.
    pub(crate) own: Option<Arc<Vec<u32>>>,
}

/// Where the vectors are that several such operators over the same rows share.
pub(crate) type Slot = Arc<OnceCell<Arc<Texts>>>;

/// The operator. It gives each record (`row`) with those that are near it (`other`, `cosine`), the nearest first.
#[derive(Debug)]
pub(crate) struct NeighbourExec {
    input: Arc<dyn ExecutionPlan>,
    weighing: Arc<Weighing>,
    slot: Slot,
    queries: Queries,
    k: usize,
    metrics: ExecutionPlanMetricsSet,
    properties: Properties,
}

impl NeighbourExec {
    /// The `k` nearest of each record that is asked about. The vectors are made from `input`, as [`Weighing::input`] gives
    /// it, unless they are in the slot already.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        weighing: Arc<Weighing>,
        slot: Slot,
        queries: Queries,
        k: usize,
    ) -> Self {
        let schema = Schema::new(vec![
            Field::new("row", DataType::UInt32, false),
            Field::new("other", DataType::UInt32, false),
            Field::new("cosine", DataType::Float32, false),
        ]);
        NeighbourExec {
            input,
            weighing,
            slot,
            queries,
            k,
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Properties::new(Arc::new(schema)),
        }
    }

    fn run(&self, task: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let schema = self.properties.schema();
        let mut out = RecordBatchReceiverStream::builder(schema.clone(), 4);
        let send = out.tx();
        let spilled = SpillMetrics::new(&self.metrics, 0);
        let (input, weighing, slot) =
            (self.input.clone(), self.weighing.clone(), self.slot.clone());
        let (queries, k) = (self.queries.clone(), self.k);
        out.spawn(async move {
            let make = || async {
                let texts = Texts::read(input, &weighing, task).await?;
                spilled.spill_file_count.add(usize::from(texts.written > 0));
                spilled.spilled_bytes.add(texts.written as usize);
                Ok::<_, MatchError>(Arc::new(texts))
            };
            let texts = slot.get_or_try_init(make).await.map_err(engine)?.clone();
            let work = move || {
                for (own, among) in parts(&queries) {
                    let near = texts.nearest(&own, among, k).map_err(engine)?;
                    let mut next = (Vec::new(), Vec::new(), Vec::new());
                    for (row, list) in near {
                        for (other, cosine) in list {
                            next.0.push(row);
                            next.1.push(other);
                            next.2.push(cosine);
                        }
                        if next.0.len() >= BATCH {
                            let some = std::mem::take(&mut next);
                            send.blocking_send(batch(&schema, some)).map_err(unwanted)?;
                        }
                    }
                    send.blocking_send(batch(&schema, next)).map_err(unwanted)?;
                }
                Ok(())
            };
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|e| DataFusionError::External(Box::new(e)))?
        });
        Ok(out.build())
    }
}

fn unwanted<T>(_: T) -> DataFusionError {
    DataFusionError::Execution("nobody wants the neighbours any more".into())
}

fn engine(error: MatchError) -> DataFusionError {
    match error {
        MatchError::Engine(error) => error,
        other => DataFusionError::External(Box::new(other)),
    }
}

fn batch(
    schema: &Arc<Schema>,
    (rows, others, cosines): (Vec<u32>, Vec<u32>, Vec<f32>),
) -> EngineResult<RecordBatch> {
    let columns: [ArrayRef; 3] = [
        Arc::new(UInt32Array::from(rows)),
        Arc::new(UInt32Array::from(others)),
        Arc::new(Float32Array::from(cosines)),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns.to_vec())?)
}

/// The records that are asked about, and among which each are searched.
fn parts(queries: &Queries) -> Vec<(Vec<u32>, Range<u32>)> {
    let all = queries.sides.rows;
    let own = match &queries.own {
        Some(own) => own.to_vec(),
        None => (0..all).collect(),
    };
    match queries.sides.split {
        None => vec![(own, 0..all)],
        Some(split) => {
            let (left, right) = own.split_at(own.partition_point(|row| *row < split));
            vec![(left.to_vec(), split..all), (right.to_vec(), 0..split)]
        }
    }
}

impl DisplayAs for NeighbourExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NeighbourExec: {} nearest by the cosine of 3-grams",
            self.k
        )
    }
}

operator!(NeighbourExec, |own: &NeighbourExec, input| {
    NeighbourExec::new(
        input,
        own.weighing.clone(),
        own.slot.clone(),
        own.queries.clone(),
        own.k,
    )
});

/// Near records: pairs with their cosine, in the order of the records and of how near they are, and their memory, twice
/// for when they are sorted.
#[derive(Debug)]
pub(crate) struct Neighbours {
    pub(crate) pairs: Vec<(u64, f32)>,
    pub(crate) spilled: u64,
    _share: Share,
}

impl Neighbours {
    /// Runs a plan.
    pub(crate) async fn find(context: &SessionContext, plan: NeighbourExec) -> Result<Neighbours> {
        let plan = Arc::new(plan);
        let task = context.task_ctx();
        let mut share = Share::new("neighbours of records", task.memory_pool());
        let mut pairs = Vec::new();
        let mut stream = plan.execute(0, task)?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(MatchError::from_engine)?;
            let of = |at: usize| batch.column(at).as_primitive::<UInt32Type>().values();
            let cosines = batch.column(2).as_primitive::<Float32Type>().values();
            share.grow(2 * 16 * batch.num_rows(), || {
                format!("matching more than {} pairs", pairs.len())
            })?;
            let both = of(0).iter().zip(of(1)).zip(cosines);
            pairs.extend(both.map(|((row, other), cosine)| (pair(*row, *other), *cosine)));
        }
        Ok(Neighbours {
            pairs,
            spilled: spilled(plan.as_ref()),
            _share: share,
        })
    }

    /// The pairs in order, each once.
    pub(crate) fn unique(&self) -> Vec<u64> {
        let mut pairs: Vec<u64> = self.pairs.iter().map(|(pair, _)| *pair).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// Whether most lists are full of records as near as their first: then great groups of equals are cut
    /// off, and nothing that is no match is left to learn from.
    pub(crate) fn saturated(&self, k: usize, sides: Sides) -> bool {
        if (sides.rows as usize) <= 4 * k {
            return false;
        }
        // A pair is in the list of both of its records.
        let mut each = self.pairs.clone();
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
}
