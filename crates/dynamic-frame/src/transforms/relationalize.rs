//! `Relationalize`: nested records as flat tables that refer to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::{DataType, Field};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, when};
use mastic_functions::choice::elements_type;

use super::unnest::{flat, named};
use crate::path::Path;
use crate::record::{Value, column, converted};
use crate::run::{ExplodeNode, INDEX, NumberNode, PARENT, RECORD, VALUE};
use crate::{DynamicFrame, FrameCollection, FrameError, Result};

/// Collections of one process, told apart.
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);

impl DynamicFrame {
    /// Takes nested records apart into flat tables: a collection of the frame `root` and one for each array
    /// at any depth.
    ///
    /// * Structs become columns by their fields' paths, `a.b`; a choice becomes one column for each of its
    ///   alternatives, `c.long` and `c.string`.
    /// * An array `a` becomes the table `root_a`, with a record for each element: `id`, `index` (from 0), and
    ///   `a.val`, or `a.val.x` for the fields of structs. In its place in the parent stands the number that
    ///   the elements' `id` is. It is NULL where the array is, and a number without elements where the array
    ///   is empty. (These names are those of Glue's real output; its Scala page writes `root.a` and `val`.)
    /// * An array within the elements, `b`, is the table `root_a.val.b`, whose `id` is the number in the
    ///   column `a.val.b` of `root_a`.
    /// * A map is an array of its pairs, `m.val.key` and `m.val.value`.
    ///
    /// The numbers are unique within a run, and begin anew with the next, as in Glue without bookmarks. The
    /// frame is read once for all tables that a run writes together.
    ///
    /// # Errors
    /// When two columns of a table, or two tables, would have the same name.
    pub fn relationalize(self, root: &str) -> Result<FrameCollection> {
        let fields = self.schema();
        let mut frame = self;
        let nested = fields
            .fields()
            .iter()
            .any(|f| holds_elements(f.data_type()));
        if nested {
            if let Some(taken) = fields.fields().iter().find(|f| f.name() == RECORD) {
                return Err(FrameError::FieldExists {
                    path: Path::of([taken.name()]).to_string(),
                });
            }
            let number = COLLECTIONS.fetch_add(1, Ordering::Relaxed);
            let id = format!("{} {root} {number}", frame.step("relationalize"));
            let (state, plan) = frame.inner.into_parts();
            let plan = extension(NumberNode::new(RECORD, plan)?);
            // The numbers are made beneath what is shared: all tables see the same.
            frame = Self::of(DataFrame::new(state, plan)).shared(&id);
        }
        let mut tables = Vec::new();
        let values: Vec<(Expr, &Field, String)> = fields
            .fields()
            .iter()
            .map(|f| (column(f.name()), f.as_ref(), f.name().clone()))
            .collect();
        frame.table(root, None, &values, &mut tables)?;
        FrameCollection::new(tables)
    }

    /// Adds the table of these values, and those of the arrays in them.
    fn table(
        &self,
        root: &str,
        own: Option<&str>,
        values: &[(Expr, &Field, String)],
        out: &mut Vec<(String, Self)>,
    ) -> Result<()> {
        let mut columns: Vec<(String, Expr)> = Vec::new();
        if own.is_some() {
            columns.push(("id".to_owned(), column(PARENT)));
            columns.push(("index".to_owned(), column(INDEX)));
        }
        let mut deeper: Vec<(String, Vec<String>, DataType)> = Vec::new();
        for (expr, field, name) in values {
            let mut parts = Vec::new();
            flat(expr, field, name, &mut parts);
            for (name, part, data_type) in parts {
                match elements_type(data_type) {
                    Some(element) => {
                        let key = when(part.clone().is_not_null(), column(RECORD)).end()?;
                        deeper.push((name.clone(), route(&part), element));
                        columns.push((name, key));
                    }
                    // No file can hold a column without a type.
                    None if *data_type == DataType::Null => {
                        let value = Value {
                            expr: part,
                            data_type: DataType::Null,
                            nullable: true,
                        };
                        columns.push((name, converted(&value, &DataType::Utf8)?.expr));
                    }
                    None => columns.push((name, part)),
                }
            }
        }
        let mut columns = named(columns)?;
        columns.extend(self.origin());
        let table = Self::of(self.inner.clone().select(columns)?);
        let name = match own {
            Some(own) => format!("{root}_{own}"),
            None => root.to_owned(),
        };
        out.push((name, table));
        for (name, route, element) in deeper {
            let (state, plan) = self.inner.clone().into_parts();
            let plan = extension(ExplodeNode::new(route, plan)?);
            let field = Field::new(VALUE, element, true);
            let value = (column(VALUE), &field, format!("{name}.val"));
            Self::of(DataFrame::new(state, plan)).table(root, Some(&name), &[value], out)?;
        }
        Ok(())
    }
}

fn extension(node: impl UserDefinedLogicalNode + 'static) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    })
}

/// Whether the value has an array or a map in it, through structs.
fn holds_elements(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|f| holds_elements(f.data_type())),
        other => elements_type(other).is_some(),
    }
}

/// The column and the names of fields that an expression of [`flat`]'s leads through.
fn route(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::Column(column) => vec![column.name.clone()],
        Expr::ScalarFunction(call) => {
            let mut names = call.args.first().map(route).unwrap_or_default();
            for name in call.args.iter().skip(1) {
                if let Expr::Literal(value, _) = name
                    && let Some(Some(text)) = value.try_as_str()
                {
                    names.push(text.to_owned());
                }
            }
            names
        }
        _ => Vec::new(),
    }
}
