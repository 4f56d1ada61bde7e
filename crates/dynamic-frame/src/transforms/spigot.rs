//! `Spigot`: a sample of the records, to be written aside.

use datafusion::logical_expr::{Expr, lit};

use crate::{DynamicFrame, Result};

impl DynamicFrame {
    /// A sample of the records: each with this probability (from 0 to 1), and at most so many of them, as
    /// Glue's `spigot` writes one to a path while the frame passes through.
    ///
    /// Which records are in it depends on their values alone, so it is the same in every run; equal
    /// records are in it together. Which ones `topk` cuts off depends on the run. Reading the sample counts
    /// nothing and sets nothing aside: the frame itself does.
    ///
    /// # Errors
    /// When the engine refuses the plan.
    pub fn spigot(&self, topk: Option<usize>, prob: f64) -> Result<Self> {
        let mut sample = self.uncounted()?;
        if prob < 1.0 {
            let mut arguments: Vec<Expr> = vec![lit(1_i64)];
            arguments.extend(sample.columns());
            arguments.extend(sample.origin());
            let number = mastic_functions::sample_hash().call(arguments);
            sample = Self::of(sample.inner.filter(number.lt(lit(prob)))?);
        }
        if let Some(most) = topk {
            sample = Self::of(sample.inner.limit(0, Some(most))?);
        }
        Ok(sample)
    }
}
