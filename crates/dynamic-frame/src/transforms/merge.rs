//! `MergeDynamicFrame`: records replaced by newer ones with the same keys.

use datafusion::dataframe::DataFrame;

use super::{JoinKey, JoinKind};
use crate::run::uncounted;
use crate::{DynamicFrame, Result};

impl DynamicFrame {
    /// Puts staged records in the place of those with the same primary keys, as Glue's
    /// `mergeDynamicFrame` does: all staged records come out, and of this frame's those whose keys no
    /// staged record has. Nothing is deduplicated on either side. A key that is NULL equals none, so its
    /// record stays. The schemas may differ: fields go together as in [`DynamicFrame::union`],
    /// with choices where types disagree.
    ///
    /// # Errors
    /// When a frame lacks a key, or the keys cannot be equal by their types.
    pub fn merge(self, staged: Self, primary_keys: &[impl AsRef<str>]) -> Result<Self> {
        let keys: Vec<JoinKey> = primary_keys
            .iter()
            .map(|key| JoinKey::same(key.as_ref()))
            .collect();
        let again = staged.uncounted()?;
        self.join(again, &keys, JoinKind::Anti)?.union(staged)
    }

    /// The frame for a second reading; see [`uncounted`].
    pub(crate) fn uncounted(&self) -> Result<Self> {
        let (state, plan) = self.inner.clone().into_parts();
        Ok(Self::of(DataFrame::new(state, uncounted(plan)?)))
    }
}
