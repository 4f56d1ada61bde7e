//! A memory pool in which idle operators do not starve busy ones.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::human_readable_size;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// Of the pool, what one operator may have beyond its fair share while there is room.
const FLOOR_PART: usize = 4;
/// Of four parts of the pool, so many may be used beyond fair shares; the rest is for what cannot spill.
const ROOM_PARTS: usize = 3;

/// What an operator that can spill may have in any case: with less than a batch it could not even spill.
const LEAST_PART: usize = 16;
/// And in bytes, of a small pool: DataFusion 55.2's groups by text begin with buffers of 2 MB, twice.
const LEAST: usize = 6 * 1024 * 1024;

/// DataFusion's `FairSpillPool` gives each operator that can spill an equal share, whether the others use theirs
/// or not: with a dozen of them the share can be less than one batch. Here an operator may go up to a quarter of
/// the pool while three quarters of it are not in use.
///
/// What cannot spill comes before what can: it gets what others like it have not, and the others give way as soon
/// as they want more. Until then more than the pool may be in use, at worst twice as much.
#[derive(Debug)]
pub(crate) struct SharePool {
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Operators that can spill.
    spillers: usize,
    spillable: usize,
    unspillable: usize,
}

impl SharePool {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for SharePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share({})", human_readable_size(self.size))
    }
}

impl MemoryPool for SharePool {
    fn name(&self) -> &'static str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.state().spillers += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut state = self.state();
            state.spillers = state.spillers.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut state = self.state();
        if reservation.consumer().can_spill() {
            state.spillable += additional;
        } else {
            state.unspillable += additional;
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state();
        let used = if reservation.consumer().can_spill() {
            &mut state.spillable
        } else {
            &mut state.unspillable
        };
        *used = used.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let used = state.spillable + state.unspillable;
        let left = if reservation.consumer().can_spill() {
            let all = self.size.saturating_sub(state.unspillable);
            let fair = all / state.spillers.max(1);
            let room = (self.size / 4 * ROOM_PARTS).saturating_sub(used);
            let held = reservation.size();
            let floor = (self.size / FLOOR_PART).saturating_sub(held).min(room);
            let least = (self.size / LEAST_PART).max(LEAST.min(self.size / FLOOR_PART));
            let least = least.saturating_sub(held);
            fair.saturating_sub(held).max(floor).max(least)
        } else {
            self.size.saturating_sub(state.unspillable)
        };
        if additional > left {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} needs {} more than the {} that it has, and may have {}",
                reservation.consumer().name(),
                human_readable_size(additional),
                human_readable_size(reservation.size()),
                human_readable_size(left),
            )));
        }
        if reservation.consumer().can_spill() {
            state.spillable += additional;
        } else {
            state.unspillable += additional;
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = self.state();
        state.spillable + state.unspillable
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    const MB: usize = 1_000_000;

    #[test]
    fn idle_operators_leave_room_and_shares_are_kept() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharePool::new(1600 * MB));
        let spiller = |n: usize| {
            let consumer = MemoryConsumer::new(format!("s{n}")).with_can_spill(true);
            consumer.register(&pool)
        };
        let many: Vec<MemoryReservation> = (0..16).map(spiller).collect();
        // The fair share is 100, a quarter 400.
        many[0].try_grow(400 * MB).unwrap();
        assert!(many[0].try_grow(MB).is_err());
        // What cannot spill comes first, whoever has it.
        let firm = MemoryConsumer::new("firm").register(&pool);
        firm.try_grow(1400 * MB).unwrap();
        // The fair share of the rest is 12; a sixteenth is 100.
        many[1].try_grow(100 * MB).unwrap();
        assert!(many[1].try_grow(MB).is_err());
        assert!(firm.try_grow(201 * MB).is_err());
        drop(many);
        firm.try_grow(200 * MB).unwrap();
        assert_eq!(pool.reserved(), 1600 * MB);
    }
}
