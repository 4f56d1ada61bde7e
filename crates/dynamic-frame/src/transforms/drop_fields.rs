//! `DropFields`: the record without some of its fields.

use crate::path::Path;
use crate::{DynamicFrame, Result};

impl DynamicFrame {
    /// Drops fields, at any depth. A path leads through structs and, as in Glue, through arrays of
    /// structs: `terms.start` drops `start` from every term. A struct or array that loses its last
    /// field goes with it.
    ///
    /// # Errors
    /// When there is no such field (Glue passes over it), or no field would be left.
    pub fn drop_fields(self, paths: &[impl AsRef<str>]) -> Result<Self> {
        let mut record = self.record();
        let whole = record.clone();
        for path in paths {
            let path = Path::parse(path.as_ref())?;
            // Looked up in the whole record, so that `[a, a.b]` is right in either order.
            whole.clone().drop_field(&path)?;
            if let Err(error) = record.drop_field(&path)
                && !matches!(error, crate::FrameError::FieldNotFound { .. })
            {
                return Err(error);
            }
        }
        self.with_record(&record)
    }
}
