//! `FlatMap`: several records of one.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, NullHandling, UnnestOptions};
use datafusion::dataframe::DataFrame;
use datafusion::functions::core;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder, lit};
use mastic_schema::hive::format_type;

use crate::expression::parse;
use crate::path::Path;
use crate::record::{Node, Value, column};
use crate::run::WORKING;
use crate::types::element;
use crate::{DynamicFrame, FrameError, Result};

/// What [`DynamicFrame::flat_map`] makes of each record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlatMap {
    /// An SQL expression that gives an array.
    pub expression: String,
    /// The field that gets an element; where the expression is a field, that field.
    pub output: Option<String>,
    /// Whether a record without an element stays, with NULL for it.
    pub outer: bool,
    /// Whether the fields of elements that are structs become fields of the record, with this before their
    /// names (which may be nothing); the array is dropped where it was a field.
    pub spread: Option<String>,
}

impl FlatMap {
    /// One record for each element of the array that an expression gives.
    pub fn of(expression: impl Into<String>) -> Self {
        Self {
            expression: expression.into(),
            output: None,
            outer: false,
            spread: None,
        }
    }

    /// The field that gets the element.
    #[must_use]
    pub fn output(mut self, field: impl Into<String>) -> Self {
        self.output = Some(field.into());
        self
    }

    /// Keeps records without an element.
    #[must_use]
    pub fn outer(mut self) -> Self {
        self.outer = true;
        self
    }

    /// Spreads structs into fields with this prefix.
    #[must_use]
    pub fn spread(mut self, prefix: impl Into<String>) -> Self {
        self.spread = Some(prefix.into());
        self
    }
}

impl DynamicFrame {
    /// Makes one record of each element of an array; the other fields are repeated. An array that is empty
    /// or NULL makes no record, or with `outer` one; an element that is NULL makes one.
    ///
    /// Glue's `FlatMap` takes a function from a record of a collection to frames; here the function
    /// is an SQL expression from a record to an array (`map_entries(m)` for a map, `make_array(a, b)` for
    /// fields). Each record keeps its origin.
    ///
    /// # Errors
    /// When the expression does not fit the fields or gives no array, the name of the element is taken
    /// or not given, or elements that are to be spread are no structs.
    pub fn flat_map(self, options: &FlatMap) -> Result<Self> {
        let text = options.expression.as_str();
        // A field by its path, as in other transforms, else SQL.
        let own = Path::parse(text).and_then(|path| {
            let value = self.record().value(&path)?;
            Ok((path, value.expr))
        });
        let (from, array) = match own {
            Ok((path, expr)) => (Some(path), expr),
            Err(_) => (None, parse(&self.state(), self.inner.schema(), text)?),
        };
        let data_type = array.get_type(self.inner.schema())?;
        let mismatch = |expected: &str, found: &DataType, hint: Option<&str>| {
            Err(FrameError::TypeMismatch {
                path: text.to_owned(),
                expected: expected.to_owned(),
                found: format_type(found),
                hint: hint.map(str::to_owned),
            })
        };
        let Some(item) = element(&data_type) else {
            let hint = matches!(data_type, DataType::Map(..))
                .then(|| format!("write map_entries({text}) for the keys and values"));
            return mismatch("an array", &data_type, hint.as_deref());
        };
        let item = item.data_type().clone();

        let name = format!("{WORKING}element");
        let mut columns = self.columns();
        columns.push(array.alias(&name));
        columns.extend(self.origin());
        let handling = match options.outer {
            true => NullHandling::PreserveAndExpandEmpty,
            false => NullHandling::Drop,
        };
        let record = self.record();
        let (state, plan) = self.inner.clone().into_parts();
        let plan = LogicalPlanBuilder::from(plan)
            .project(columns)?
            .unnest_columns_with_options(
                vec![Column::new_unqualified(&name)],
                UnnestOptions::new().with_null_handling(handling),
            )?
            .build()?;
        let apart = self.over(DataFrame::new(state, plan));

        let mut record = record;
        let one = Value {
            expr: column(&name),
            data_type: item.clone(),
            nullable: true,
        };
        match &options.spread {
            None => {
                let target = match (&options.output, &from) {
                    (Some(name), _) => Path::parse(name)?,
                    (None, Some(path)) => path.clone(),
                    (None, None) => {
                        return Err(FrameError::Expression {
                            text: text.to_owned(),
                            message: "the element needs a name".to_owned(),
                            span: None,
                            did_you_mean: None,
                            hint: Some("say which field gets it, say as: element".to_owned()),
                        });
                    }
                };
                if from.as_ref() != Some(&target) && record.has(&target) {
                    return Err(FrameError::FieldExists {
                        path: target.to_string(),
                    });
                }
                record.set(&target, Node::Value(one))?;
            }
            Some(prefix) => {
                let DataType::Struct(fields) = &item else {
                    return mismatch("an array of structs, to be spread,", &data_type, None);
                };
                if let Some(path) = &from {
                    record.take(path)?;
                }
                for field in fields {
                    let target = Path::of([format!("{prefix}{}", field.name())]);
                    if record.has(&target) {
                        return Err(FrameError::FieldExists {
                            path: target.to_string(),
                        });
                    }
                    record.set(&target, Node::Value(part(&one, field)))?;
                }
            }
        }
        apart.with_record(&record)
    }
}

/// A field of a struct.
fn part(value: &Value, field: &Field) -> Value {
    let expr: Expr = core::get_field().call(vec![value.expr.clone(), lit(field.name().as_str())]);
    Value {
        expr,
        data_type: field.data_type().clone(),
        nullable: true,
    }
}
