//! `Map`: fields computed from the record.

use datafusion::logical_expr::ExprSchemable;

use crate::expression::parse;
use crate::path::Path;
use crate::record::{Node, Value};
use crate::{DynamicFrame, Result};

/// One change of a [`DynamicFrame::map`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The field gets the value of an SQL expression; it is added where it does not exist.
    Set {
        /// The field's path.
        field: String,
        /// The expression, over the record as it was before the whole map.
        expression: String,
    },
    /// The field is removed.
    Remove {
        /// The field's path.
        field: String,
    },
}

impl Change {
    /// Sets a field to an SQL expression.
    pub fn set(field: impl Into<String>, expression: impl Into<String>) -> Self {
        Self::Set {
            field: field.into(),
            expression: expression.into(),
        }
    }

    /// Removes a field.
    pub fn remove(field: impl Into<String>) -> Self {
        Self::Remove {
            field: field.into(),
        }
    }
}

impl DynamicFrame {
    /// Adds, changes and removes fields. All expressions see the record as it was before the map,
    /// so their order does not matter; what builds on a new field goes into a second map. A field
    /// that exists is changed in its place, a new one is added at the end (of its struct, which
    /// is made where it does not exist).
    ///
    /// # Errors
    /// When an expression is no SQL or does not fit the fields, or a field to remove does not
    /// exist.
    pub fn map(self, changes: &[Change]) -> Result<Self> {
        let mut record = self.record();
        let schema = self.inner.schema();
        let state = self.state();
        for change in changes {
            match change {
                Change::Set { field, expression } => {
                    let path = Path::parse(field)?;
                    let expr = parse(&state, schema, expression)?;
                    let (_, made) = expr.to_field(schema)?;
                    let value = Value {
                        data_type: made.data_type().clone(),
                        nullable: made.is_nullable(),
                        expr,
                    };
                    record.set(&path, Node::Value(value))?;
                }
                Change::Remove { field } => record.drop_field(&Path::parse(field)?)?,
            }
        }
        self.with_record(&record)
    }
}
