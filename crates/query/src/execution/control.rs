//! What an execution's task, its watch and its handle share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;
use mastic_catalog::{CatalogStore, QUERY_BEAT_SECONDS, QueryExecution, QueryState};
use tokio::sync::watch;

use super::measure::{bytes_scanned, measure};
use super::peak::PeakPool;
use super::request::Limits;
use crate::error::QueryError;

tokio::task_local! {
    /// The execution that the running statement belongs to.
    pub(super) static CURRENT: Arc<Control>;
}

/// How often limits are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A query that has ended by then is written into the history once, at its end.
const BRIEF: Duration = Duration::from_millis(250);

/// Why a query is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// It took too long.
    Timeout(Duration),
    /// It read too much.
    Bytes { limit: u64, read: u64 },
}

impl Stop {
    pub(super) fn into_error(self) -> QueryError {
        match self {
            Stop::Cancelled => QueryError::Cancelled("the query was cancelled".to_owned()),
            Stop::Timeout(limit) => QueryError::Limit {
                message: format!(
                    "the query was stopped: it took longer than its timeout of {}",
                    shown(limit)
                ),
                hint: "give it more with --timeout, or read fewer rows".to_owned(),
            },
            Stop::Bytes { limit, read } => too_many_bytes(limit, read, "has read"),
        }
    }
}

fn shown(time: Duration) -> String {
    if time.subsec_millis() > 0 {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", time.as_secs())
    }
}

/// The error of a query that reads more than it may.
pub(super) fn too_many_bytes(limit: u64, read: u64, what: &str) -> QueryError {
    QueryError::Limit {
        message: format!(
            "the query was stopped: it {what} {read} bytes, and its limit on bytes scanned is {limit}"
        ),
        hint: "filter by partition keys, name fewer columns, or have the limit raised (`mastic workgroup update --bytes-scanned-limit`)".to_owned(),
    }
}

/// What is known of a query while it is at work.
pub(super) struct Control {
    query: Mutex<QueryExecution>,
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    written: Mutex<Vec<String>>,
    peak: Mutex<Option<Arc<PeakPool>>>,
    /// When it began to plan.
    begun: Mutex<Option<Instant>>,
    stop: watch::Sender<Option<Stop>>,
    /// Whether it has ended, also where its task does not let go.
    over: watch::Sender<bool>,
    /// Whether all rows were given.
    whole: AtomicBool,
    /// Whether its result is being made visible.
    closing: AtomicBool,
    /// Whether the history has it.
    recorded: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left is still a whole value: each is replaced or added to at once.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    pub(super) fn new(query: QueryExecution) -> Self {
        Control {
            query: Mutex::new(query),
            plans: Mutex::default(),
            written: Mutex::default(),
            peak: Mutex::default(),
            begun: Mutex::default(),
            stop: watch::Sender::new(None),
            over: watch::Sender::new(false),
            whole: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            recorded: AtomicBool::new(false),
        }
    }

    /// The query as it is now.
    pub(super) fn query(&self) -> QueryExecution {
        lock(&self.query).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut QueryExecution)) {
        change(&mut lock(&self.query));
    }

    /// It does not wait any more.
    pub(super) fn begin(&self) {
        *lock(&self.begun) = Some(Instant::now());
        self.change(|query| query.status.state = QueryState::Running);
    }

    pub(super) fn observe(&self, plan: Arc<dyn ExecutionPlan>) {
        lock(&self.plans).push(plan);
    }

    pub(super) fn wrote(&self, urls: impl IntoIterator<Item = String>) {
        lock(&self.written).extend(urls);
    }

    pub(super) fn written(&self) -> Vec<String> {
        lock(&self.written).clone()
    }

    pub(super) fn hold(&self, pool: Arc<PeakPool>) {
        *lock(&self.peak) = Some(pool);
    }

    /// Whether somebody has written it into the history; whoever asks does from now on.
    pub(super) fn recorded_before(&self) -> bool {
        self.recorded.swap(true, Ordering::AcqRel)
    }

    /// How many bytes of files were read so far.
    pub(super) fn bytes_scanned(&self) -> u64 {
        let plans = lock(&self.plans).clone();
        bytes_scanned(&plans)
    }

    /// Its result is being made visible from here on.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Whether its result is being made visible.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// All rows were given.
    pub(super) fn complete(&self) {
        self.whole.store(true, Ordering::Release);
    }

    /// Whether all rows were given.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// Fills in what the plans have read so far.
    pub(super) fn measure(&self) {
        let plans = lock(&self.plans).clone();
        let peak = lock(&self.peak).as_ref().map_or(0, |pool| pool.peak());
        self.change(|query| {
            measure(&plans, &mut query.statistics);
            query.statistics.peak_memory_bytes = peak;
        });
    }

    /// Asks for the query to be stopped; the first reason counts.
    pub(super) fn stop(&self, why: Stop) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            if first {
                *stop = Some(why);
            }
            first
        });
    }

    /// Waits until the query is to be stopped.
    pub(super) async fn stopped(&self) -> Stop {
        let mut stop = self.stop.subscribe();
        let why = stop.wait_for(Option::is_some).await;
        // This holds the sender, so that there is always an answer.
        why.ok()
            .and_then(|why| why.clone())
            .unwrap_or(Stop::Cancelled)
    }

    /// It has ended, whatever its task still does.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) {
        // This holds the sender, so that there is always an answer.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// Looks after limits, says in the history that the query lives, and hears there that it is to be stopped. It never
    /// ends by itself.
    pub(super) async fn watch(
        self: Arc<Self>,
        catalog: Option<Arc<dyn CatalogStore>>,
        limits: Limits,
    ) {
        let mut told = Instant::now();
        let mut every = BRIEF;
        let mut look = Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            let begun = *lock(&self.begun);
            if let (Some(limit), Some(begun)) = (limits.timeout, begun)
                && begun.elapsed() >= limit
            {
                self.stop(Stop::Timeout(limit));
            }
            if let Some(limit) = limits.bytes_scanned
                && Instant::now() >= look
            {
                let began = Instant::now();
                let read = self.bytes_scanned();
                if read > limit {
                    self.stop(Stop::Bytes { limit, read });
                }
                // Of very many files there is much to add up: a twentieth of the time at most.
                look = Instant::now() + began.elapsed() * 20;
            }
            let Some(catalog) = &catalog else { continue };
            if told.elapsed() < every {
                continue;
            }
            told = Instant::now();
            every = Duration::from_secs(QUERY_BEAT_SECONDS);
            let id = lock(&self.query).query_execution_id.clone();
            let heard = if self.recorded_before() {
                catalog.beat_query(&id).await
            } else {
                self.measure();
                let written = catalog.record_query(&self.query()).await;
                written.map(|()| false)
            };
            match heard {
                Ok(true) => self.stop(Stop::Cancelled),
                Ok(false) => {}
                Err(error) => log::debug!("the history of queries: {error}"),
            }
        }
    }
}
