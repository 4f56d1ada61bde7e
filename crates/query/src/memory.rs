//! How much memory a session's operators may hold.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use crate::execution::Size;
use crate::pool::SharePool;

/// The most memory, in bytes, that the operators of a session may hold between them: sorts, groups, joins, open
/// files. What does not fit is spilled to disk. The program itself and the readers of files need some tens of
/// megabytes beside it.
///
/// Within a limit joins are by sorting, because DataFusion 55.2's hash join cannot spill; neither can `array_agg`
/// and other aggregates whose state grows with their group, `ORDER BY` with a `LIMIT` of many rows, or a join
/// without an equality. Window functions hold their partition and count nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryLimit(usize);

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryLimitError {
    /// It is no size.
    #[error("'{text}' is no size: write a number and a unit, such as 512MB or 2GiB")]
    NotASize {
        /// What was given.
        text: String,
    },
    /// Nothing can be done with so little.
    #[error("'{text}' is too little: the least is 16MB")]
    TooLittle {
        /// What was given.
        text: String,
    },
}

const MB: usize = 1_000_000;
const LEAST: usize = 16 * MB;

impl MemoryLimit {
    /// The limit in bytes.
    pub fn bytes(self) -> usize {
        self.0
    }

    /// Settings with which operators get along within the limit.
    pub(crate) fn configure(self, config: &mut SessionConfig) {
        let options = config.options_mut();
        // Each partition has its own sorts and groups, and joins are sorted only where there are two.
        let partitions = options
            .execution
            .target_partitions
            .min(self.0 / (16 * MB))
            .max(2);
        config.options_mut().optimizer.prefer_hash_join = false;
        *config = config.clone().with_target_partitions(partitions);
        let execution = &mut config.options_mut().execution;
        // What a sort sets aside to merge with, of a share that many sorts may have a part in.
        let share = self.0 / partitions / 16;
        execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(share);
        execution.sort_in_place_threshold_bytes =
            execution.sort_in_place_threshold_bytes.min(share);
        let batch = match self.0 / MB {
            0..64 => 1024,
            64..256 => 2048,
            _ => return,
        };
        *config = config.clone().with_batch_size(batch);
    }

    /// A limit of so many bytes; the least that anything can be done with, where it is less.
    pub fn at_least(bytes: u64) -> Self {
        Self(usize::try_from(bytes).unwrap_or(usize::MAX).max(LEAST))
    }

    pub(crate) fn runtime(self, spill_dir: Option<&Path>) -> Result<Arc<RuntimeEnv>> {
        // Those that hold most are named when there is no more.
        let named = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
        let pool = TrackConsumersPool::new(SharePool::new(self.0), named);
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            // A merge takes what memory there is for as many runs as there are, and gives none of it back: two
            // sorts below a join would starve each other.
            .with_disk_manager_builder(
                disk(spill_dir)?.with_max_spill_merge_fan_in((self.0 / (4 * MB)).clamp(4, 64)),
            )
            .build_arc()
    }
}

/// An environment without a limit whose temporary files go to a folder.
pub(crate) fn spilling_to(dir: &Path) -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk(Some(dir))?)
        .build_arc()
}

fn disk(dir: Option<&Path>) -> Result<DiskManagerBuilder> {
    let builder = DiskManagerBuilder::default();
    let Some(dir) = dir else {
        return Ok(builder);
    };
    std::fs::create_dir_all(dir).map_err(|e| {
        DataFusionError::Execution(format!(
            "the spill folder {} cannot be made: {e}",
            dir.display()
        ))
    })?;
    Ok(builder.with_mode(DiskManagerMode::Directories(vec![dir.to_owned()])))
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB", self.0 / MB)
    }
}

/// As a [`Size`] is written.
impl FromStr for MemoryLimit {
    type Err = MemoryLimitError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let Size(bytes) = text.parse().map_err(|_| MemoryLimitError::NotASize {
            text: text.to_owned(),
        })?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes < LEAST {
            return Err(MemoryLimitError::TooLittle {
                text: text.to_owned(),
            });
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_are_read() {
        let read = |text: &str| text.parse::<MemoryLimit>().map(MemoryLimit::bytes);
        assert_eq!(read("512MB"), Ok(512_000_000));
        assert_eq!(read("2GiB"), Ok(2 << 30));
        assert_eq!(read(" 1.5 gb "), Ok(1_500_000_000));
        assert_eq!(read("33554432"), Ok(32 << 20));
        for wrong in ["", "much", "5 apples", "-3GB", "1.2.3MB", "NaN", "inf"] {
            assert!(
                matches!(read(wrong), Err(MemoryLimitError::NotASize { .. })),
                "{wrong}"
            );
        }
        assert!(matches!(
            read("512"),
            Err(MemoryLimitError::TooLittle { .. })
        ));
    }
}
