//! `Unnest`: structs to columns.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::Expr;
use mastic_functions::choice::array_field;
use mastic_schema::choice::is_choice;

use crate::path::Path;
use crate::record::{column, field_expr};
use crate::types::element;
use crate::{DynamicFrame, FrameError, Result};

/// Structs deeper than any type can be written.
const DEEPEST: usize = 100;

impl DynamicFrame {
    /// Makes a column of each field of each struct, named by its path: `a.b`. Fields of structs in an array
    /// `a` become arrays of their own, `a.val.b`, as Glue names them; their elements stand in the order of
    /// `a`'s. (Glue's makes a join key of such an array, and leaves out its elements: that is what
    /// [`DynamicFrame::relationalize`] is for.) Choices and maps stay as they are.
    ///
    /// # Errors
    /// When a column has the name that a field would get.
    pub fn unnest(self) -> Result<Self> {
        self.flattened(true)
    }

    /// Structs to columns, and with them arrays of structs, where that is wanted.
    pub(super) fn flattened(self, arrays: bool) -> Result<Self> {
        let mut columns = Vec::new();
        for field in self.fields() {
            let expr = column(field.name());
            flatten(
                &expr,
                field.data_type(),
                field.name(),
                arrays,
                0,
                &mut columns,
            );
        }
        let mut columns = named(columns)?;
        columns.extend(self.origin());
        Ok(Self::of(self.inner.select(columns)?))
    }
}

/// The columns under their names, each of which may stand once.
pub(super) fn named(columns: Vec<(String, Expr)>) -> Result<Vec<Expr>> {
    let mut seen = HashSet::new();
    let columns = columns.into_iter().map(|(name, expr)| {
        if !seen.insert(name.to_lowercase()) {
            return Err(FrameError::FieldExists {
                path: Path::of([name]).to_string(),
            });
        }
        Ok(match &expr {
            // A column under its own name keeps its metadata.
            Expr::Column(c) if c.name == name => expr,
            _ => expr.alias(name),
        })
    });
    columns.collect()
}

fn flatten(
    expr: &Expr,
    data_type: &DataType,
    name: &str,
    arrays: bool,
    depth: usize,
    out: &mut Vec<(String, Expr)>,
) {
    if depth < DEEPEST {
        if let Some(fields) = fields(data_type) {
            for field in fields {
                let inner = field_expr(expr, field.name());
                let name = format!("{name}.{}", field.name());
                flatten(&inner, field.data_type(), &name, arrays, depth + 1, out);
            }
            return;
        }
        if arrays && let Some(fields) = element(data_type).and_then(|e| fields(e.data_type())) {
            spread(expr, fields, &format!("{name}.val"), depth + 1, out);
            return;
        }
    }
    out.push((name.to_owned(), expr.clone()));
}

/// One array for each field of the structs in an array.
fn spread(expr: &Expr, all: &Fields, name: &str, depth: usize, out: &mut Vec<(String, Expr)>) {
    for field in all {
        let inner = array_field(expr.clone(), field.name());
        let name = format!("{name}.{}", field.name());
        match fields(field.data_type()).filter(|_| depth < DEEPEST) {
            Some(deeper) => spread(&inner, deeper, &name, depth + 1, out),
            None => out.push((name, inner)),
        }
    }
}

/// The fields of a struct that is no choice and has any.
fn fields(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Struct(fields) if !fields.is_empty() && !is_choice(data_type) => Some(fields),
        _ => None,
    }
}

/// The expressions that take a value apart, as [`flatten`] does without arrays; choices too, which a flat
/// table cannot hold.
pub(super) fn flat<'a>(
    expr: &Expr,
    field: &'a Field,
    name: &str,
    out: &mut Vec<(String, Expr, &'a DataType)>,
) {
    match field.data_type() {
        DataType::Struct(fields) if !fields.is_empty() => {
            for inner in fields {
                let name = format!("{name}.{}", inner.name());
                flat(&field_expr(expr, inner.name()), inner, &name, out);
            }
        }
        other => out.push((name.to_owned(), expr.clone(), other)),
    }
}
