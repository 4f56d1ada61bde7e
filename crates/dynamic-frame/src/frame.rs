//! The frame itself.

use std::collections::HashSet;
use std::fmt::Write as _;

use arrow::datatypes::{DataType, Fields, SchemaRef};
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use mastic_schema::hive::format_type;

use crate::record::Record;
use crate::types::element;
use crate::{FrameError, Result};

/// A collection of records, as a plan that has not run yet.
///
/// A frame is cheap to clone: it is a plan and the session that can run it. Each transform takes a
/// frame and gives the next one; nothing is read before [`DynamicFrame::into_dataframe`]'s result
/// is executed.
#[derive(Debug, Clone)]
pub struct DynamicFrame {
    pub(crate) inner: DataFrame,
}

impl DynamicFrame {
    /// Wraps a DataFusion data frame. Columns lose their table's name, because a record does not
    /// remember where it came from.
    ///
    /// # Errors
    /// When two columns have the same name.
    pub fn new(frame: DataFrame) -> Result<Self> {
        let mut seen = HashSet::new();
        for field in frame.schema().fields() {
            if !seen.insert(field.name()) {
                return Err(FrameError::FieldExists {
                    path: field.name().clone(),
                });
            }
        }
        let (mut state, plan) = frame.into_parts();
        guard(&mut state);
        let frame = DataFrame::new(state, plan);
        if frame.schema().iter().all(|(table, _)| table.is_none()) {
            return Ok(Self { inner: frame });
        }
        let columns = frame.schema().iter().map(|(table, field)| {
            Expr::Column(Column::new(table.cloned(), field.name())).alias(field.name())
        });
        let columns: Vec<Expr> = columns.collect();
        Ok(Self {
            inner: frame.select(columns)?,
        })
    }

    /// The frame as DataFusion's own, to run it or to go on with its methods.
    pub fn into_dataframe(self) -> DataFrame {
        self.inner
    }

    /// The frame as DataFusion's own.
    pub fn dataframe(&self) -> &DataFrame {
        &self.inner
    }

    /// The plan that makes the records.
    pub fn plan(&self) -> &LogicalPlan {
        self.inner.logical_plan()
    }

    /// The records' schema.
    pub fn schema(&self) -> SchemaRef {
        self.inner.schema().inner().clone()
    }

    /// The records' fields.
    pub fn fields(&self) -> &Fields {
        self.inner.schema().as_arrow().fields()
    }

    /// The schema as a tree, as Glue's `printSchema` draws it, with Hive's type names.
    pub fn pretty_schema(&self) -> String {
        let mut out = String::from("root\n");
        draw_fields(self.fields(), 0, &mut out);
        out
    }

    pub(crate) fn state(&self) -> SessionState {
        self.inner.clone().into_parts().0
    }

    pub(crate) fn record(&self) -> Record {
        Record::of_schema(self.inner.schema().as_arrow())
    }

    /// The frame with this record put out in the place of the present one.
    pub(crate) fn with_record(self, record: &Record) -> Result<Self> {
        let columns = record.render()?;
        Ok(Self {
            inner: self.inner.select(columns)?,
        })
    }
}

/// Turns off what goes wrong with frames: DataFusion 55.2's `push_down_leaf_projections` fails with
/// an ambiguous reference where a struct's field is read above a projection that has both `t.a AS
/// b` and another `a`, which is what renaming fields makes.
fn guard(state: &mut SessionState) {
    let options = state.config_mut().options_mut();
    options.optimizer.enable_leaf_expression_pushdown = false;
}

fn draw_fields(fields: &Fields, depth: usize, out: &mut String) {
    for field in fields {
        draw(field.name(), field.data_type(), depth, out);
    }
}

fn draw(name: &str, data_type: &DataType, depth: usize, out: &mut String) {
    let kind = match data_type {
        DataType::Struct(_) => "struct".to_owned(),
        DataType::Map(..) => "map".to_owned(),
        DataType::Null => "null".to_owned(),
        list if element(list).is_some() => "array".to_owned(),
        plain => format_type(plain),
    };
    out.push_str(&"|    ".repeat(depth));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "|-- {name}: {kind}");
    match data_type {
        DataType::Struct(fields) => draw_fields(fields, depth + 1, out),
        DataType::Map(entries, _) => {
            if let DataType::Struct(pair) = entries.data_type() {
                for (name, field) in ["keyType", "valueType"].iter().zip(pair) {
                    draw(name, field.data_type(), depth + 1, out);
                }
            }
        }
        other => {
            if let Some(inner) = element(other) {
                draw("element", inner.data_type(), depth + 1, out);
            }
        }
    }
}
