//! `DropNullFields`: the record without the fields that hold nothing but NULL.

use arrow::datatypes::{DataType, Fields};

use mastic_schema::choice::is_choice;

use crate::path::Path;
use crate::types::element;
use crate::{DynamicFrame, Result};

impl DynamicFrame {
    /// Drops the fields whose *type* is null, that is, of which no value was ever seen: columns,
    /// fields of structs, and fields of structs in arrays; not in maps, as in Glue. An array of
    /// nulls stays, as in Glue, and so does a choice, whatever its alternatives hold.
    ///
    /// A field that has a type stays, even where all its values are NULL: Glue's transform looks
    /// at the schema, not at the data, and so the result's schema does not depend on the run.
    ///
    /// # Errors
    /// When no field would be left.
    pub fn drop_null_fields(self) -> Result<Self> {
        let mut paths = Vec::new();
        null_fields(self.fields(), &mut Vec::new(), &mut paths);
        if paths.is_empty() {
            return Ok(self);
        }
        let mut record = self.record();
        for path in &paths {
            record.drop_field(path)?;
        }
        self.with_record(&record)
    }
}

fn null_fields(fields: &Fields, prefix: &mut Vec<String>, out: &mut Vec<Path>) {
    for field in fields {
        prefix.push(field.name().clone());
        let mut data_type = field.data_type();
        while let Some(inner) = element(data_type) {
            data_type = inner.data_type();
        }
        match data_type {
            DataType::Null if element(field.data_type()).is_none() => {
                out.push(Path::of(prefix.iter().map(String::as_str)));
            }
            DataType::Struct(inner) if !is_choice(data_type) => null_fields(inner, prefix, out),
            _ => {}
        }
        prefix.pop();
    }
}
