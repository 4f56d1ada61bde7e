//! Numbers sorted within a share of the engine's memory.
//!
//! What operators of this crate sort are numbers of 64 bits: a hash and a row, or a pair of rows. Several sorters of one
//! operator share a [`Space`]. They hold what they are told as long as the engine's memory pool grants it; when it
//! refuses, the one that holds most writes what it has to the engine's spill folder, as a sorted run ([`run`]), and the
//! runs are merged when all is read.

mod run;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

use run::{Run, merge};

/// The most numbers that an operator holds, whatever the pool grants: 1 GiB of them.
const MOST: usize = 1 << 27;
/// Fewer numbers than these are never written as a run of their own.
const LEAST: usize = 1 << 13;
/// Numbers that are read from a run, or told, at a time.
const CHUNK: usize = 1 << 13;
/// From so many numbers on a sort is worth several cores.
const MANY: usize = 100_000;

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory and the disk that the sorters of one operator share.
#[derive(Debug)]
pub(crate) struct Space {
    reservation: MemoryReservation,
    disk: Arc<DiskManager>,
    spilled: SpillMetrics,
    held: AtomicUsize,
    fan_in: usize,
}

impl Space {
    /// Of a task, for an operator of this name, whose metrics tell what was spilled.
    pub(crate) fn new(
        name: &'static str,
        task: &TaskContext,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Arc<Space> {
        let env = task.runtime_env();
        let disk = env.disk_manager.clone();
        Arc::new(Space {
            reservation: MemoryConsumer::new(name)
                .with_can_spill(true)
                .register(&env.memory_pool),
            fan_in: disk.max_spill_merge_fan_in().clamp(2, 64),
            disk,
            spilled: SpillMetrics::new(metrics, 0),
            held: AtomicUsize::new(0),
        })
    }

    fn try_grow(&self, numbers: usize) -> bool {
        let before = self.held.fetch_add(numbers, Ordering::Relaxed);
        let granted = before + numbers <= MOST && self.reservation.try_grow(8 * numbers).is_ok();
        if !granted {
            self.held.fetch_sub(numbers, Ordering::Relaxed);
        }
        granted
    }

    fn grow(&self, numbers: usize) {
        self.held.fetch_add(numbers, Ordering::Relaxed);
        self.reservation.grow(8 * numbers);
    }

    fn shrink(&self, numbers: usize) {
        self.held.fetch_sub(numbers, Ordering::Relaxed);
        self.reservation.shrink(8 * numbers);
    }
}

/// Numbers in memory, with what was granted for them.
#[derive(Debug)]
struct Held {
    numbers: Vec<u64>,
    granted: usize,
    space: Arc<Space>,
}

impl Held {
    fn new(space: Arc<Space>) -> Held {
        Held {
            numbers: Vec::new(),
            granted: 0,
            space,
        }
    }

    /// Makes room for so many more; up to `usual` it is doubled. Whether it was granted.
    fn reserve(&mut self, more: usize, usual: usize, anyway: bool) -> bool {
        let need = self.numbers.len() + more;
        if need <= self.granted {
            return true;
        }
        let wish = need.max((2 * self.granted).min(usual.max(need)));
        let to = if self.space.try_grow(wish - self.granted) {
            wish
        } else if self.space.try_grow(need - self.granted) {
            need
        } else if anyway {
            self.space.grow(need - self.granted);
            need
        } else {
            return false;
        };
        self.granted = to;
        self.numbers.reserve_exact(to - self.numbers.len());
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.space.shrink(self.granted);
    }
}

/// One of the sorters.
#[derive(Debug)]
struct Sorter {
    held: Held,
    runs: Vec<Run>,
}

/// Sorters that share memory.
#[derive(Debug)]
pub(crate) struct Sorters {
    space: Arc<Space>,
    each: Vec<Mutex<Sorter>>,
    /// What was granted to each, in numbers.
    granted: Vec<AtomicUsize>,
    /// About how many numbers each is told.
    usual: usize,
    /// Whether each number comes out once.
    distinct: bool,
}

impl Sorters {
    /// So many sorters, of which each is told about `usual` numbers.
    pub(crate) fn new(space: Arc<Space>, count: usize, usual: usize, distinct: bool) -> Arc<Self> {
        let sorter = |_| {
            Mutex::new(Sorter {
                held: Held::new(space.clone()),
                runs: Vec::new(),
            })
        };
        Arc::new(Sorters {
            each: (0..count).map(sorter).collect(),
            granted: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            space,
            usual,
            distinct,
        })
    }

    /// Tells one of them numbers.
    ///
    /// # Errors
    /// When a run cannot be written.
    pub(crate) async fn push(self: &Arc<Self>, at: usize, numbers: &[u64]) -> Result<()> {
        while !self.take(at, numbers, false) {
            let Some(greatest) = self.greatest() else {
                self.take(at, numbers, true);
                break;
            };
            let all = self.clone();
            tokio::task::spawn_blocking(move || all.spill(greatest))
                .await
                .map_err(|e| DataFusionError::External(Box::new(e)))??;
        }
        Ok(())
    }

    /// As [`Sorters::push`], from a thread that may wait.
    ///
    /// # Errors
    /// When a run cannot be written.
    pub(crate) fn push_waiting(&self, at: usize, numbers: &[u64]) -> Result<()> {
        while !self.take(at, numbers, false) {
            match self.greatest() {
                Some(greatest) => self.spill(greatest)?,
                None => {
                    self.take(at, numbers, true);
                    break;
                }
            }
        }
        Ok(())
    }

    fn take(&self, at: usize, numbers: &[u64], anyway: bool) -> bool {
        let (Some(sorter), Some(granted)) = (self.each.get(at), self.granted.get(at)) else {
            return true;
        };
        let mut sorter = lock(sorter);
        if !sorter.held.reserve(numbers.len(), self.usual, anyway) {
            return false;
        }
        sorter.held.numbers.extend_from_slice(numbers);
        granted.store(sorter.held.granted, Ordering::Relaxed);
        true
    }

    /// The sorter that holds most, if that is worth a run.
    fn greatest(&self) -> Option<usize> {
        let held = |at: &usize| {
            self.granted
                .get(*at)
                .map_or(0, |granted| granted.load(Ordering::Relaxed))
        };
        (0..self.each.len())
            .max_by_key(held)
            .filter(|at| held(at) >= LEAST)
    }

    fn spill(&self, at: usize) -> Result<()> {
        let (Some(sorter), Some(granted)) = (self.each.get(at), self.granted.get(at)) else {
            return Ok(());
        };
        let mut sorter = lock(sorter);
        if sorter.held.granted < LEAST {
            // Somebody else has done it.
            return Ok(());
        }
        let mut held = std::mem::replace(&mut sorter.held, Held::new(self.space.clone()));
        granted.store(0, Ordering::Relaxed);
        held.numbers.sort_unstable();
        if self.distinct {
            held.numbers.dedup();
        }
        let run = Run::write(&self.space, |write| write(&held.numbers))?;
        sorter.runs.push(run);
        Ok(())
    }

    /// What each was told, when all have been told everything.
    pub(crate) fn finish(&self) -> Vec<Unsorted> {
        let each = self.each.iter().map(|sorter| {
            let mut sorter = lock(sorter);
            Unsorted {
                held: std::mem::replace(&mut sorter.held, Held::new(self.space.clone())),
                runs: std::mem::take(&mut sorter.runs),
                distinct: self.distinct,
            }
        });
        each.collect()
    }
}

/// What one sorter was told.
#[derive(Debug)]
pub(crate) struct Unsorted {
    held: Held,
    runs: Vec<Run>,
    distinct: bool,
}

impl Unsorted {
    /// Sorts it on so many cores, and merges runs until there are few.
    ///
    /// # Errors
    /// When runs cannot be read or written.
    pub(crate) fn sort(mut self, threads: usize) -> Result<Sorted> {
        sort(&mut self.held.numbers, threads);
        if self.distinct {
            self.held.numbers.dedup();
        }
        let space = self.held.space.clone();
        while self.runs.len() > space.fan_in {
            let few: Vec<Run> = self.runs.drain(..space.fan_in).collect();
            let run = Run::write(&space, |write| {
                merge(&few, &[], self.distinct, &space.reservation, write)
            })?;
            self.runs.push(run);
        }
        Ok(Sorted(self))
    }
}

/// Numbers in order, in memory or in a few runs; they can be read again.
#[derive(Debug)]
pub(crate) struct Sorted(Unsorted);

impl Sorted {
    /// Tells all numbers in order, some at a time.
    ///
    /// # Errors
    /// When a run cannot be read, and whatever `tell` answers.
    pub(crate) fn each(&self, mut tell: impl FnMut(&[u64]) -> Result<()>) -> Result<()> {
        let Sorted(of) = self;
        if of.runs.is_empty() {
            return of.held.numbers.chunks(CHUNK).try_for_each(tell);
        }
        let reservation = &of.held.space.reservation;
        merge(
            &of.runs,
            &of.held.numbers,
            of.distinct,
            reservation,
            &mut tell,
        )
    }

    /// Tells all blocks of numbers that are the same above their lowest `bits`: how many there are, and the first
    /// `most` of them at least.
    ///
    /// # Errors
    /// As [`Sorted::each`].
    pub(crate) fn blocks(
        &self,
        bits: u32,
        most: usize,
        mut tell: impl FnMut(u64, &[u64]) -> Result<()>,
    ) -> Result<()> {
        let Sorted(of) = self;
        if of.runs.is_empty() {
            let blocks = of.held.numbers.chunk_by(|a, b| a >> bits == b >> bits);
            return blocks
                .map(|block| (block.len() as u64, block))
                .try_for_each(|(size, block)| tell(size, block));
        }
        let (mut size, mut block): (u64, Vec<u64>) = (0, Vec::with_capacity(most));
        self.each(|numbers| {
            for number in numbers {
                if block.first().is_some_and(|b| b >> bits != number >> bits) {
                    tell(size, &block)?;
                    (size, _) = (0, block.clear());
                }
                size += 1;
                if block.len() < most.max(1) {
                    block.push(*number);
                }
            }
            Ok(())
        })?;
        match block.is_empty() {
            true => Ok(()),
            false => tell(size, &block),
        }
    }
}

/// Sorts numbers on so many cores.
pub(crate) fn sort(numbers: &mut [u64], threads: usize) {
    if threads < 2 || numbers.len() < MANY {
        numbers.sort_unstable();
        return;
    }
    let (low, _, high) = numbers.select_nth_unstable(numbers.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| sort(low, threads / 2));
        sort(high, threads - threads / 2);
    });
}

/// How many cores there are.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    fn task(bytes: usize) -> Arc<TaskContext> {
        let pool = Arc::new(GreedyMemoryPool::new(bytes));
        let env = RuntimeEnvBuilder::new().with_memory_pool(pool);
        let config = SessionConfig::new();
        SessionContext::new_with_config_rt(config, env.build_arc().unwrap()).task_ctx()
    }

    /// Sorts on two sorters that have so much memory, and says how many runs were written.
    async fn sorted(bytes: usize, numbers: &[u64], distinct: bool) -> ([Vec<u64>; 2], usize) {
        let task = task(bytes);
        let metrics = ExecutionPlanMetricsSet::new();
        let space = Space::new("test", &task, &metrics);
        let sorters = Sorters::new(space, 2, numbers.len(), distinct);
        for chunk in numbers.chunks(1000) {
            sorters.push(0, chunk).await.unwrap();
            let odd: Vec<u64> = chunk.iter().copied().filter(|n| n % 2 == 1).collect();
            sorters.push(1, &odd).await.unwrap();
        }
        let out: Vec<Vec<u64>> = sorters
            .finish()
            .into_iter()
            .map(|of| {
                let mut out = Vec::new();
                let of = of.sort(2).unwrap();
                of.each(|some| {
                    out.extend_from_slice(some);
                    Ok(())
                })
                .unwrap();
                out
            })
            .collect();
        drop(sorters);
        assert_eq!(task.memory_pool().reserved(), 0);
        let files = metrics.clone_inner().spill_count().unwrap_or(0);
        (out.try_into().unwrap(), files)
    }

    #[tokio::test]
    async fn what_does_not_fit_is_merged_from_runs() {
        let numbers: Vec<u64> = (0..300_000)
            .map(|n| mastic_functions::sample_number(n) % 200_000)
            .collect();
        for distinct in [false, true] {
            let mut all = numbers.clone();
            all.sort_unstable();
            if distinct {
                all.dedup();
            }
            let odd: Vec<u64> = all.iter().copied().filter(|n| n % 2 == 1).collect();
            for (bytes, spills) in [(1 << 30, false), (1 << 20, true), (100, true)] {
                let ([first, second], files) = sorted(bytes, &numbers, distinct).await;
                assert!(first == all && second == odd, "{bytes} {distinct}");
                assert_eq!(files > 0, spills, "{bytes} {files}");
            }
        }
    }

    #[test]
    fn sorting_on_cores_sorts() {
        let numbers: Vec<u64> = (0..400_000).map(mastic_functions::sample_number).collect();
        let mut expected = numbers.clone();
        expected.sort();
        for threads in [1, 2, 3, 8] {
            let mut numbers = numbers.clone();
            sort(&mut numbers, threads);
            assert_eq!(numbers, expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Blocks are the same whether they come from memory or from runs.
        #[test]
        fn blocks_are_those_of_memory(
            seed in any::<u64>(),
            rows in 20_000_usize..60_000,
            values in 1_u64..9000,
        ) {
            let numbers: Vec<u64> = (0..rows as u64)
                .map(|row| (mastic_functions::sample_number(row ^ seed) % values) << 32 | row)
                .collect();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let blocks = |bytes: usize| {
                let task = task(bytes);
                let metrics = ExecutionPlanMetricsSet::new();
                let sorters = Sorters::new(Space::new("test", &task, &metrics), 1, rows, false);
                runtime.block_on(async {
                    for chunk in numbers.chunks(777) {
                        sorters.push(0, chunk).await.unwrap();
                    }
                });
                let mut out = Vec::new();
                for of in sorters.finish() {
                    of.sort(1).unwrap().blocks(32, 4, |size, block| {
                        out.push((size, block.iter().copied().take(4).collect::<Vec<_>>()));
                        Ok(())
                    }).unwrap();
                }
                (out, metrics.clone_inner().spill_count().unwrap_or(0))
            };
            let (in_memory, none) = blocks(1 << 30);
            let (merged, some) = blocks(50_000);
            prop_assert!(none == 0 && some > 0);
            prop_assert_eq!(in_memory, merged);
        }
    }
}
