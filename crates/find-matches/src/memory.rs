//! What is held in memory because nothing else will do, as a share of the engine's memory pool.

use std::sync::Arc;

use datafusion::common::human_readable_size;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::error::{MatchError, Result};

/// Memory that cannot be spilled. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    reservation: MemoryReservation,
    pool: Arc<dyn MemoryPool>,
}

impl Share {
    /// Nothing as yet, of a pool, for what is called so.
    pub(crate) fn new(name: &'static str, pool: &Arc<dyn MemoryPool>) -> Share {
        Share {
            reservation: MemoryConsumer::new(name).register(pool),
            pool: pool.clone(),
        }
    }

    /// Asks for more; whether it was granted.
    pub(crate) fn try_grow(&mut self, bytes: usize) -> bool {
        self.reservation.try_grow(bytes).is_ok()
    }

    /// Asks for more. `what` says what for, if it is refused.
    ///
    /// # Errors
    /// When the pool refuses.
    pub(crate) fn grow(&mut self, bytes: usize, what: impl FnOnce() -> String) -> Result<()> {
        match self.try_grow(bytes) {
            true => Ok(()),
            false => Err(self.refused(bytes, what())),
        }
    }

    /// Asks for what is missing to so many bytes, or gives back what is too much.
    ///
    /// # Errors
    /// When the pool refuses.
    pub(crate) fn resize(&mut self, bytes: usize, what: impl FnOnce() -> String) -> Result<()> {
        let held = self.reservation.size();
        if bytes < held {
            self.reservation.shrink(held - bytes);
            return Ok(());
        }
        self.grow(bytes - held, what)
    }

    /// Gives back what is more than so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.shrink(self.reservation.size().saturating_sub(bytes));
    }

    /// Gives back so many bytes.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.reservation.shrink(bytes.min(self.reservation.size()));
    }

    fn refused(&self, bytes: usize, what: String) -> MatchError {
        let needs = self.reservation.size() + bytes;
        let others = self.pool.reserved().saturating_sub(self.reservation.size());
        MatchError::Memory {
            what,
            needs: human_readable_size(needs),
            others: human_readable_size(others),
            limit: limit(self.pool.as_ref()),
        }
    }
}

/// A pool's limit, as messages continue with it; nothing where there is none.
pub(crate) fn limit(pool: &dyn MemoryPool) -> String {
    match pool.memory_limit() {
        MemoryLimit::Finite(bytes) => format!(" of {}", human_readable_size(bytes)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn what_is_refused_is_said() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(10 << 20));
        let mut others = Share::new("others", &pool);
        assert!(others.try_grow(4 << 20));
        let mut share = Share::new("pairs", &pool);
        share.grow(2 << 20, String::new).unwrap();
        let refused = share
            .grow(8 << 20, || "matching 1000 pairs".into())
            .unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("matching 1000 pairs needs 10.0 MB"), "{said}");
        assert!(
            said.contains("4.0 MB") && said.contains("of 10.0 MB"),
            "{said}"
        );
        assert!(refused.hint().unwrap().contains("--memory-limit"));
        share.resize(1 << 20, String::new).unwrap();
        assert_eq!(pool.reserved(), 5 << 20);
        drop(share);
        assert_eq!(pool.reserved(), 4 << 20);
    }
}
