//! `MergeDynamicFrame`: records replaced by newer ones with the same keys.

use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit};
use mastic_schema::origin::FILE;

use super::{JoinKey, JoinKind};
use crate::record::column;
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

    /// The names of the files that hold a record with one of these keys, each once, as a column of text: those that
    /// [`DynamicFrame::merge`] with records of these keys would take a record from. Of this frame only the keys are
    /// read; `bounds`, the least and the greatest value of a key, tell readers of formats with statistics what they
    /// can leave out.
    ///
    /// # Errors
    /// As with [`DynamicFrame::merge`], and when the frame does not know its records' files.
    pub fn files_with(
        self,
        keys: Self,
        primary_keys: &[impl AsRef<str>],
        bounds: &[(String, ScalarValue, ScalarValue)],
    ) -> Result<DataFrame> {
        let on: Vec<JoinKey> = primary_keys
            .iter()
            .map(|key| JoinKey::same(key.as_ref()))
            .collect();
        let mut frame = self;
        for (key, least, greatest) in bounds {
            let within = column(key)
                .gt_eq(lit(least.clone()))
                .and(column(key).lt_eq(lit(greatest.clone())));
            let inner = frame.inner.clone().filter(within)?;
            frame = frame.over(inner);
        }
        let found = frame.join(keys, &on, JoinKind::Semi)?;
        Ok(found.inner.select(vec![column(FILE)])?.distinct()?)
    }

    /// The records of these files alone, named as [`DynamicFrame::files_with`] names them.
    ///
    /// # Errors
    /// When the frame does not know its records' files.
    pub fn of_files(self, files: impl IntoIterator<Item = String>) -> Result<Self> {
        let files: Vec<Expr> = files.into_iter().map(lit).collect();
        let condition = match files.is_empty() {
            true => lit(false),
            false => column(FILE).in_list(files, false),
        };
        let inner = self.inner.clone().filter(condition)?;
        Ok(self.over(inner))
    }

    /// [`DynamicFrame::merge`], where the staged records' keys are known and are not to be read from them again.
    ///
    /// # Errors
    /// As there.
    pub fn merge_known(
        self,
        staged: Self,
        keys: Self,
        primary_keys: &[impl AsRef<str>],
    ) -> Result<Self> {
        let on: Vec<JoinKey> = primary_keys
            .iter()
            .map(|key| JoinKey::same(key.as_ref()))
            .collect();
        self.join(keys, &on, JoinKind::Anti)?.union(staged)
    }

    /// The frame for a second reading; see [`uncounted`].
    pub(crate) fn uncounted(&self) -> Result<Self> {
        let (state, plan) = self.inner.clone().into_parts();
        Ok(Self::of(DataFrame::new(state, uncounted(plan)?)))
    }
}
