//! Counts and error records of one run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;

use mastic_functions::choice::Conversion;

use super::errors::{ErrorRecord, Errors};
use crate::FrameError;

/// What one step did in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepCount {
    /// The step's label, as it was declared.
    pub step: String,
    /// Records that it gave out.
    pub rows: u64,
    /// Records that it set aside.
    pub errors: u64,
    /// What became of the values that it cast, by path.
    pub casts: Vec<CastCount>,
}

/// What became of the values that a step cast, where a value that cannot be cast becomes NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CastCount {
    /// The path of the values.
    pub path: String,
    /// The type that they were cast to, by Hive's name.
    pub to: String,
    /// How many values became NULL, or lost a value within.
    pub lost: u64,
    /// How many values are there after the cast.
    pub kept: u64,
    /// The first that was lost, as in `'abc' in field x is no bigint`.
    pub first: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Counter {
    rows: AtomicU64,
    errors: AtomicU64,
    first: OnceLock<ErrorRecord>,
    casts: Mutex<Vec<CastCount>>,
    /// The most errors of the step; beyond it the run fails.
    threshold: AtomicU64,
}

impl Counter {
    pub(super) fn passed(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Takes in what a cast of a batch lost.
    pub(super) fn cast(&self, path: &str, to: &str, found: Conversion) {
        let mut casts = self.casts.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match casts.iter().position(|c| c.path == path && c.to == to) {
            Some(at) => at,
            None => {
                casts.push(CastCount {
                    path: path.to_owned(),
                    to: to.to_owned(),
                    ..CastCount::default()
                });
                casts.len() - 1
            }
        };
        let count = &mut casts[at];
        count.lost += found.lost;
        count.kept += found.kept;
        if count.first.is_none() {
            count.first = found.first;
        }
    }

    fn casts(&self) -> Vec<CastCount> {
        let casts = self.casts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut casts = casts.clone();
        casts.sort_by(|a, b| a.path.cmp(&b.path));
        casts
    }
}

/// Counts and error records of one run. Shared by all of its plans.
#[derive(Debug)]
pub struct Ledger {
    counters: Mutex<BTreeMap<String, Arc<Counter>>>,
    errors: Errors,
    all: AtomicU64,
    threshold: u64,
}

impl Ledger {
    /// A ledger of a run that fails when it has more than `threshold` error records in all. Error records
    /// beyond what memory may hold are spilled to disk by `runtime`.
    pub fn new(threshold: Option<u64>, runtime: Arc<RuntimeEnv>) -> Arc<Self> {
        Arc::new(Self {
            counters: Mutex::default(),
            errors: Errors::new(runtime),
            all: AtomicU64::new(0),
            threshold: threshold.unwrap_or(u64::MAX),
        })
    }

    /// Puts the ledger into a session, whose plans then count into it.
    pub fn attach(self: &Arc<Self>, state: &mut SessionState) {
        state.config_mut().set_extension(Arc::clone(self));
    }

    /// Lets a step have at most so many error records (Glue's `stageThreshold`).
    pub fn limit(&self, step: &str, threshold: u64) {
        self.counter(step)
            .threshold
            .store(threshold.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn counter(&self, step: &str) -> Arc<Counter> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        match counters.get(step) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(counters.entry(step.to_owned()).or_default()),
        }
    }

    /// Takes in error records of a step.
    ///
    /// # Errors
    /// When there are more than the step or the run may have, or they cannot be spilled.
    pub fn set_aside(&self, step: &str, records: Vec<ErrorRecord>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let count = records.len() as u64;
        let counter = self.counter(step);
        let first = records[0].clone();
        let _ = counter.first.set(first.clone());
        self.errors.add(records)?;
        let of_step = counter.errors.fetch_add(count, Ordering::Relaxed) + count;
        let all = self.all.fetch_add(count, Ordering::Relaxed) + count;
        // One more than the threshold, so that nought stands for none.
        let threshold = counter.threshold.load(Ordering::Relaxed);
        let too_many = |errors, threshold, what: &str| {
            Err(DataFusionError::External(Box::new(
                FrameError::TooManyErrors {
                    step: what.to_owned(),
                    errors,
                    threshold,
                    first: Box::new(first.clone()),
                },
            )))
        };
        if threshold > 0 && of_step >= threshold {
            return too_many(of_step, threshold - 1, step);
        }
        if all > self.threshold {
            return too_many(all, self.threshold, "the run");
        }
        Ok(())
    }

    /// What every step did, by label.
    pub fn counts(&self) -> Vec<StepCount> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counters.iter().map(|(step, counter)| StepCount {
            step: step.clone(),
            rows: counter.rows.load(Ordering::Relaxed),
            errors: counter.errors.load(Ordering::Relaxed),
            casts: counter.casts(),
        });
        counts.collect()
    }

    /// The first record that a step set aside.
    pub fn first_error(&self, step: &str) -> Option<ErrorRecord> {
        self.counter(step).first.get().cloned()
    }

    /// How many records were set aside.
    pub fn errors(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// The error records, in batches of [`error_fields`](super::error_fields).
    ///
    /// # Errors
    /// When spilled ones cannot be read.
    pub fn error_batches(&self) -> Result<Vec<RecordBatch>> {
        self.errors.batches()
    }

    /// Forgets all counts and records: the run begins again.
    pub fn clear(&self) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for counter in counters.values_mut() {
            let threshold = counter.threshold.load(Ordering::Relaxed);
            *counter = Arc::new(Counter {
                threshold: AtomicU64::new(threshold),
                ..Counter::default()
            });
        }
        self.all.store(0, Ordering::Relaxed);
        self.errors.clear();
    }
}
