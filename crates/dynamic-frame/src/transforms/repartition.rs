//! `Repartition` and `Coalesce`: records in another number of streams, and so of files.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};

use crate::path::Path;
use crate::run::{Exchange, ExchangeNode};
use crate::{DynamicFrame, Result};

/// More streams than this only cost.
const MOST: usize = 10_000;

impl DynamicFrame {
    /// Deals the records out to so many streams (from 1 to 10,000), evenly. A sink writes at least one file
    /// for each stream that has records, so as a frame's last step it says how many files there will be.
    /// Records move in batches, so few records fill fewer streams.
    #[must_use]
    pub fn repartition(self, streams: usize) -> Self {
        self.exchanged(Exchange::Evenly(streams.clamp(1, MOST)))
    }

    /// Deals the records out to so many streams, those with equal fields to the same stream.
    ///
    /// # Errors
    /// When there is no such field.
    pub fn repartition_by(self, paths: &[impl AsRef<str>], streams: usize) -> Result<Self> {
        let record = self.record();
        let keys = paths.iter().map(|path| {
            let value = record.value(&Path::parse(path.as_ref())?)?;
            Ok(value.expr)
        });
        let keys: Vec<Expr> = keys.collect::<Result<_>>()?;
        Ok(self.exchanged(Exchange::ByKey(keys, streams.clamp(1, MOST))))
    }

    /// Puts streams together until there are at most so many; nothing is dealt out.
    #[must_use]
    pub fn coalesce(self, streams: usize) -> Self {
        self.exchanged(Exchange::AtMost(streams.clamp(1, MOST)))
    }

    fn exchanged(self, to: Exchange) -> Self {
        let (state, input) = self.inner.into_parts();
        let node = Arc::new(ExchangeNode { to, input });
        let plan = LogicalPlan::Extension(Extension { node });
        Self::of(DataFrame::new(state, plan))
    }
}
