//! `Union`: the records of several frames.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Fields};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, cast, lit};
use mastic_schema::choice::{choose_fields, format_type, has_choice};
use mastic_schema::hive::parse_type;
use mastic_schema::merge::{position, widen_fields};
use mastic_schema::origin;

use crate::record::column;
use crate::{DynamicFrame, Result};

impl DynamicFrame {
    /// Puts the records of another frame behind those of this one. Fields go by name, whatever
    /// their order and case; where a frame lacks a field its records hold NULL. Where both have it
    /// with types that disagree (`bigint` and `string`), it becomes a choice of the two, as in Glue, at any
    /// depth; numbers of different widths become the wider one (`bigint` and `double`: `double`), where
    /// Glue makes a choice of those, too. Records that are equal stay as many as they were.
    ///
    /// # Errors
    /// When a type cannot be made the common one.
    pub fn union(self, other: Self) -> Result<Self> {
        let common = choose_fields(self.fields(), other.fields());
        self.put_together(other, &common.iter().map(plainly).collect())
    }

    /// [`DynamicFrame::union`], in which types that disagree become the one type that holds both
    /// (`bigint` and `string`: `string`), as in a table.
    ///
    /// # Errors
    /// When a type cannot be made the common one.
    pub fn union_widened(self, other: Self) -> Result<Self> {
        let common = widen_fields(self.fields(), other.fields(), &mut |_| {});
        self.put_together(other, &common)
    }

    fn put_together(self, other: Self, common: &Fields) -> Result<Self> {
        let origin = !self.origin().is_empty() || !other.origin().is_empty();
        let left = self.conform(common, origin)?;
        let right = other.conform(common, origin)?;
        Ok(Self::of(left.inner.union(right.inner)?))
    }

    /// The frame with exactly these fields, and both columns of the origin where they are wanted.
    fn conform(self, fields: &Fields, origin: bool) -> Result<Self> {
        let mut used = HashSet::new();
        let columns = fields.iter().map(|wanted| {
            let own = position(self.fields(), wanted.name()).filter(|at| used.insert(*at));
            Ok(match own.map(|at| &self.fields()[at]) {
                None => lit(ScalarValue::try_from(wanted.data_type())?).alias(wanted.name()),
                Some(own) => conformed(own, wanted),
            })
        });
        let mut columns: Vec<Expr> = columns.collect::<Result<_>>()?;
        for field in [origin::file_field(), origin::line_field()] {
            let own = self.origin().contains(&column(field.name()));
            match (origin, own) {
                (false, _) => {}
                (true, true) => columns.push(column(field.name())),
                (true, false) => {
                    columns
                        .push(lit(ScalarValue::try_from(field.data_type())?).alias(field.name()));
                }
            }
        }
        Ok(Self::of(self.inner.select(columns)?))
    }
}

/// A field with a choice, as its type's text says: with one of Arrow's types for each of Hive's, which is
/// what `to_choice` makes.
fn plainly(field: &FieldRef) -> FieldRef {
    if !has_choice(field.data_type()) {
        return Arc::clone(field);
    }
    match parse_type(&format_type(field.data_type())) {
        Ok(plain) => Arc::new(field.as_ref().clone().with_data_type(plain)),
        Err(_) => Arc::clone(field),
    }
}

fn conformed(own: &Field, wanted: &Field) -> Expr {
    let mut expr = column(own.name());
    if own.data_type() != wanted.data_type() && has_choice(wanted.data_type()) {
        let text = lit(format_type(wanted.data_type()));
        expr = mastic_functions::to_choice().call(vec![expr, text]);
    } else if own.data_type() != wanted.data_type() {
        expr = cast(expr, wanted.data_type().clone());
    } else if own.name() == wanted.name() {
        return expr;
    }
    expr.alias(wanted.name())
}
