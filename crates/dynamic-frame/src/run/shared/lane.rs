//! One partition of a shared frame: read once, handed to every reader.
//!
//! Readers go at their own speed, and one may wait for another: a hash join reads one side to its end before it
//! looks at the other, and both may be the same frame. So nobody is waited for without end. While all readers
//! keep up, the lane is at most [`LEAD`] batches ahead of the slowest. Where one wants a batch and another has
//! as many waiting, that one is given a little time to read; when it does not, what it is given next goes to
//! disk until it reads again.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::SpillManager;
use datafusion::physical_plan::spill::spill_pool::{SpillPoolSink, spsc_channel};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::{Stream, StreamExt};
use tokio::sync::Notify;

use super::run::Slot;

/// So many batches a reader may have waiting in memory.
const LEAD: usize = 4;
/// And so many bytes of them.
const LEAD_BYTES: usize = 32 * 1024 * 1024;
/// So long a reader that has batches waiting is given to read one while another reader waits. Each time that it
/// does not, it is given half as long the next time.
const PATIENCE: Duration = Duration::from_millis(40);
const LEAST_PATIENCE: Duration = Duration::from_millis(1);

/// One partition of a shared frame.
pub(super) struct Lane {
    id: String,
    partition: usize,
    metrics: ExecutionPlanMetricsSet,
    state: Mutex<State>,
    /// A reader has read, or is gone.
    changed: Notify,
}

#[derive(Default)]
struct State {
    readers: Vec<Reader>,
    started: bool,
    ended: Option<End>,
    task: Option<SpawnedTask<()>>,
}

#[derive(Clone)]
enum End {
    Done,
    Failed(Arc<DataFusionError>),
}

/// What waits for one reader.
struct Reader {
    opened: bool,
    gone: bool,
    queue: VecDeque<Item>,
    /// Bytes of the queue in memory.
    bytes: usize,
    spill: Option<SpillPoolSink>,
    /// The other end of `spill`, until the reader takes it.
    spilled: Option<SendableRecordBatchStream>,
    waker: Option<Waker>,
    /// It did not read when it was waited for, and has not read since.
    stalled: bool,
    patience: Duration,
}

enum Item {
    Held(Arc<Held>),
    /// The next batch of the spilled ones.
    Spilled,
}

/// A batch in memory, which all readers share.
struct Held {
    batch: RecordBatch,
    bytes: usize,
    _reservation: MemoryReservation,
}

impl Reader {
    fn new() -> Self {
        Self {
            opened: false,
            gone: false,
            queue: VecDeque::new(),
            bytes: 0,
            spill: None,
            spilled: None,
            waker: None,
            stalled: false,
            patience: PATIENCE,
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// What the lane does next.
enum Next {
    /// Reads a batch.
    Read,
    /// Waits until a reader has read.
    Wait,
    /// Waits so long, then goes on.
    WaitFor(Duration),
    /// Ends: nobody is left.
    End,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.id, self.partition)
    }
}

impl Lane {
    pub(super) fn new(id: String, partition: usize, metrics: ExecutionPlanMetricsSet) -> Self {
        Self {
            id,
            partition,
            metrics,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps batches for this reader.
    pub(super) fn expect(&self, number: usize) -> Result<()> {
        let mut state = self.state();
        if number < state.readers.len() {
            return Ok(());
        }
        if state.started {
            return Err(self.error("is read by one more after it was begun"));
        }
        state.readers.resize_with(number + 1, Reader::new);
        Ok(())
    }

    fn error(&self, what: &str) -> DataFusionError {
        DataFusionError::Internal(format!("the shared frame '{}' {what}", self.id))
    }

    /// The batches, to this reader.
    pub(super) fn open(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        input: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut state = self.state();
        match state.readers.get_mut(slot.number) {
            Some(reader) if !reader.opened && !reader.gone => reader.opened = true,
            _ => return Err(self.error("is read twice by one reader")),
        }
        drop(state);
        Ok(Box::pin(Reading {
            schema: input.schema(),
            lane: Arc::clone(self),
            slot: Arc::clone(slot),
            begin: Some((input, context)),
            spilled: None,
            from_disk: false,
            ended: false,
        }))
    }

    /// Forgets a reader. When it was the last one, the input is dropped.
    pub(super) fn leave(&self, number: usize) {
        let mut state = self.state();
        let Some(reader) = state.readers.get_mut(number).filter(|r| !r.gone) else {
            return;
        };
        reader.gone = true;
        let left = (
            std::mem::take(&mut reader.queue),
            reader.spill.take(),
            reader.spilled.take(),
        );
        let last = state.readers.iter().all(|r| r.gone);
        let task = if last { state.task.take() } else { None };
        drop(state);
        // Dropped without the lock: streams that end may tell other lanes.
        drop(left);
        drop(task);
        self.changed.notify_one();
    }

    fn begin(self: &Arc<Self>, input: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) {
        let mut state = self.state();
        if state.started {
            return;
        }
        state.started = true;
        let lane = Arc::clone(self);
        state.task = Some(SpawnedTask::spawn(async move {
            // Tells the readers even where the input panics.
            let ending = Ending(&lane);
            let result = lane.run(input, context).await;
            lane.end(match result {
                Ok(()) => End::Done,
                Err(error) => End::Failed(Arc::new(error)),
            });
            drop(ending);
        }));
    }

    async fn run(&self, input: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<()> {
        let out = Output::new(self, &input.schema(), &context);
        let mut stream = input.execute(self.partition, context)?;
        drop(input);
        while self.paced().await {
            let Some(batch) = stream.next().await else {
                break;
            };
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.deliver(batch, &out)?;
            }
        }
        Ok(())
    }

    /// Waits until a batch is wanted; whether one ever is.
    async fn paced(&self) -> bool {
        loop {
            match self.next() {
                Next::Read => return true,
                Next::End => return false,
                Next::Wait => self.changed.notified().await,
                Next::WaitFor(time) => {
                    if tokio::time::timeout(time, self.changed.notified())
                        .await
                        .is_err()
                    {
                        self.give_up();
                    }
                }
            }
        }
    }

    fn next(&self) -> Next {
        let state = self.state();
        let (mut any, mut hungry, mut full, mut patience) = (false, false, false, None);
        for reader in state.readers.iter().filter(|r| !r.gone) {
            any = true;
            hungry |= reader.queue.is_empty();
            if reader.queue.len() >= LEAD {
                full = true;
                if !reader.stalled {
                    patience = patience.max(Some(reader.patience));
                }
            }
        }
        match (any, full, hungry, patience) {
            (false, ..) => Next::End,
            (_, false, ..) => Next::Read,
            (_, _, false, _) => Next::Wait,
            (.., Some(time)) => Next::WaitFor(time),
            (.., None) => Next::Read,
        }
    }

    /// Does not wait for those that do not read.
    fn give_up(&self) {
        for reader in &mut self.state().readers {
            if reader.queue.len() >= LEAD && !reader.stalled {
                reader.stalled = true;
                reader.patience = (reader.patience / 2).max(LEAST_PATIENCE);
            }
        }
    }

    /// Hands a batch to every reader: in memory, or on disk where it has enough waiting or there is no memory
    /// for it.
    fn deliver(&self, batch: RecordBatch, out: &Output) -> Result<()> {
        let bytes = batch.get_array_memory_size();
        let reservation = out.reservation.new_empty();
        let reserved = reservation.try_grow(bytes).is_ok();
        let held = Arc::new(Held {
            batch,
            bytes,
            _reservation: reservation,
        });
        let mut to_disk = Vec::new();
        let mut state = self.state();
        for (number, reader) in state.readers.iter_mut().enumerate() {
            if reader.gone {
                continue;
            }
            let room = reserved && reader.queue.len() < LEAD && reader.bytes + bytes <= LEAD_BYTES;
            if reader.queue.is_empty() || room {
                reader.queue.push_back(Item::Held(Arc::clone(&held)));
                reader.bytes += bytes;
                reader.wake();
            } else {
                to_disk.push((number, reader.spill.take()));
            }
        }
        drop(state);
        for (number, sink) in to_disk {
            let (sink, stream) = match sink {
                Some(sink) => (sink, None),
                None => {
                    let (sink, stream) = out.channel();
                    (sink, Some(stream))
                }
            };
            sink.push_batch(&held.batch)?;
            let mut state = self.state();
            let Some(reader) = state.readers.get_mut(number).filter(|r| !r.gone) else {
                continue;
            };
            reader.spill = Some(sink);
            if stream.is_some() {
                reader.spilled = stream;
            }
            reader.queue.push_back(Item::Spilled);
            reader.wake();
        }
        Ok(())
    }

    fn end(&self, end: End) {
        let mut state = self.state();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(end);
        for reader in &mut state.readers {
            reader.spill = None;
            reader.wake();
        }
    }

    /// The next batch of a reader, or where it is.
    fn take(&self, number: usize, cx: &Context<'_>) -> Poll<Taken> {
        let mut state = self.state();
        let ended = state.ended.clone();
        let Some(reader) = state.readers.get_mut(number) else {
            return Poll::Ready(Taken::Done);
        };
        let taken = match (reader.queue.pop_front(), ended) {
            (Some(Item::Held(held)), _) => {
                reader.bytes -= held.bytes;
                Taken::Batch(held.batch.clone())
            }
            (Some(Item::Spilled), _) => Taken::Spilled(reader.spilled.take()),
            (None, Some(End::Done)) => return Poll::Ready(Taken::Done),
            (None, Some(End::Failed(error))) => return Poll::Ready(Taken::Failed(error)),
            (None, None) => {
                reader.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        };
        reader.stalled = false;
        drop(state);
        self.changed.notify_one();
        Poll::Ready(taken)
    }
}

enum Taken {
    Batch(RecordBatch),
    /// It is on disk, the first time with the stream that reads it.
    Spilled(Option<SendableRecordBatchStream>),
    Done,
    Failed(Arc<DataFusionError>),
}

/// Sees to it that readers do not wait for a lane that is no more.
struct Ending<'a>(&'a Lane);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let error = DataFusionError::Execution(format!(
            "the shared frame '{}' stopped before its end",
            self.0.id
        ));
        self.0.end(End::Failed(Arc::new(error)));
    }
}

/// Where a lane keeps batches.
struct Output {
    reservation: MemoryReservation,
    manager: Arc<SpillManager>,
    file_bytes: usize,
}

impl Output {
    fn new(lane: &Lane, schema: &SchemaRef, context: &Arc<TaskContext>) -> Self {
        let consumer = MemoryConsumer::new(format!("SharedExec[{} {}]", lane.id, lane.partition));
        let metrics = SpillMetrics::new(&lane.metrics, lane.partition);
        let config = context.session_config();
        let manager = SpillManager::new(context.runtime_env(), metrics, Arc::clone(schema))
            .with_compression_type(config.spill_compression());
        Self {
            reservation: consumer.register(context.memory_pool()),
            manager: Arc::new(manager),
            file_bytes: config.options().execution.max_spill_file_size_bytes.into(),
        }
    }

    fn channel(&self) -> (SpillPoolSink, SendableRecordBatchStream) {
        spsc_channel(self.file_bytes, Arc::clone(&self.manager))
    }
}

/// The stream of one reader.
struct Reading {
    schema: SchemaRef,
    lane: Arc<Lane>,
    slot: Arc<Slot>,
    /// What the lane reads, until it is known to have begun.
    begin: Option<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)>,
    spilled: Option<SendableRecordBatchStream>,
    from_disk: bool,
    ended: bool,
}

impl Stream for Reading {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some((input, context)) = this.begin.take() {
            this.lane.begin(input, context);
        }
        loop {
            if this.from_disk {
                let next = match &mut this.spilled {
                    Some(spilled) => ready!(spilled.poll_next_unpin(cx)),
                    None => None,
                };
                this.from_disk = false;
                let next = next.unwrap_or_else(|| Err(this.lane.error("has lost a spilled batch")));
                this.ended = next.is_err();
                return Poll::Ready(Some(next));
            }
            match ready!(this.lane.take(this.slot.number, cx)) {
                Taken::Batch(batch) => return Poll::Ready(Some(Ok(batch))),
                Taken::Spilled(stream) => {
                    this.from_disk = true;
                    if stream.is_some() {
                        this.spilled = stream;
                    }
                }
                Taken::Done => {
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Taken::Failed(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(DataFusionError::Shared(error))));
                }
            }
        }
    }
}

impl RecordBatchStream for Reading {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.lane.leave(self.slot.number);
    }
}
