//! `SelectFields`: the record with only some of its fields.

use crate::path::Path;
use crate::{DynamicFrame, Result};

impl DynamicFrame {
    /// Keeps only these fields, in this order. A field inside a struct stays inside it, as in
    /// Glue: `name.common` gives a struct `name` with the one field `common`.
    ///
    /// # Errors
    /// When there is no such field.
    pub fn select_fields(self, paths: &[impl AsRef<str>]) -> Result<Self> {
        let paths = paths.iter().map(|path| Path::parse(path.as_ref()));
        let record = self.record().select(&paths.collect::<Result<Vec<_>>>()?)?;
        self.with_record(&record)
    }
}
