//! `RenameField`: a field under another name.

use crate::path::Path;
use crate::{DynamicFrame, FrameError, Result};

impl DynamicFrame {
    /// Renames a field. Both names are whole paths, as in Glue: `address.state` to
    /// `address.state_code` renames inside the struct, and `address.state` to `state` takes the
    /// field out of it. A field that keeps its struct keeps its place; one that moves goes to the
    /// end.
    ///
    /// # Errors
    /// When there is no such field, or the new name is taken.
    pub fn rename_field(self, path: &str, new_path: &str) -> Result<Self> {
        let from = Path::parse(path)?;
        let to = Path::parse(new_path)?;
        let mut record = self.record();
        let (from_parents, _) = from.split();
        let (to_parents, new_name) = to.split();
        if from_parents == to_parents {
            record.rename(&from, new_name)?;
        } else {
            let node = record.take(&from)?;
            if record.has(&to) {
                return Err(FrameError::FieldExists {
                    path: to.to_string(),
                });
            }
            record.set(&to, node)?;
        }
        self.with_record(&record)
    }
}
