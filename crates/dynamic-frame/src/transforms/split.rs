//! `SplitFields` and `SplitRows`: a frame into two.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};
use mastic_schema::choice::{alternatives, format_type};

use crate::path::Path;
use crate::record::field_expr;
use crate::{DynamicFrame, FrameCollection, FrameError, Result};

/// A field compared with a value, as `SplitRows` takes it: `{age: {'>': 10}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The field's path.
    pub path: String,
    /// One of [`Comparison::OPERATORS`].
    pub operator: String,
    /// The value, as text; it is read as the field's type.
    pub value: String,
}

impl Comparison {
    /// Glue's operators.
    pub const OPERATORS: [&'static str; 6] = ["=", "!=", "<", "<=", ">", ">="];
}

impl DynamicFrame {
    /// A collection of two frames: the first has the fields of these paths, the second all others. Their
    /// records stand in no order that would tell which belong together, so the paths of a key go into both.
    ///
    /// # Errors
    /// When there is no such field, no field is left for the second frame, or both have the same name.
    pub fn split_fields(
        self,
        paths: &[impl AsRef<str>],
        name1: &str,
        name2: &str,
    ) -> Result<FrameCollection> {
        let first = self.clone().select_fields(paths)?;
        let second = self.drop_fields(paths)?;
        FrameCollection::new([(name1.to_owned(), first), (name2.to_owned(), second)])
    }

    /// A collection of two frames: the first has the records for which all comparisons are true, the second
    /// all others, those among them in which a field is NULL.
    ///
    /// # Errors
    /// When there is no such field, a value cannot be read as the field's type, an operator is none of Glue's,
    /// or both frames have the same name.
    pub fn split_rows(
        self,
        comparisons: &[Comparison],
        name1: &str,
        name2: &str,
    ) -> Result<FrameCollection> {
        let all = comparisons.iter().map(|c| self.comparison(c));
        let all = all.collect::<Result<Vec<_>>>()?;
        let condition = all
            .into_iter()
            .reduce(Expr::and)
            .unwrap_or_else(|| lit(true));
        self.split_by(condition, name1, name2)
    }

    /// Like [`DynamicFrame::split_rows`], by an SQL condition.
    ///
    /// # Errors
    /// When the condition is none, as with [`DynamicFrame::filter`], or both frames have the same name.
    pub fn split_rows_where(
        self,
        condition: &str,
        name1: &str,
        name2: &str,
    ) -> Result<FrameCollection> {
        let condition = self.condition(condition)?;
        self.split_by(condition, name1, name2)
    }

    fn split_by(self, condition: Expr, name1: &str, name2: &str) -> Result<FrameCollection> {
        let first = Self::of(self.inner.clone().filter(condition.clone())?);
        let rest = Self::of(self.inner.filter(Expr::IsNotTrue(Box::new(condition)))?);
        FrameCollection::new([(name1.to_owned(), first), (name2.to_owned(), rest)])
    }

    fn comparison(&self, wanted: &Comparison) -> Result<Expr> {
        let operator = match wanted.operator.as_str() {
            "=" | "==" => Operator::Eq,
            "!=" | "<>" => Operator::NotEq,
            "<" => Operator::Lt,
            "<=" => Operator::LtEq,
            ">" => Operator::Gt,
            ">=" => Operator::GtEq,
            other => {
                return Err(FrameError::BadComparison {
                    text: other.to_owned(),
                    hint: format!("the operators are {}", Comparison::OPERATORS.join(" ")),
                });
            }
        };
        let mut value = self.record().value(&Path::parse(&wanted.path)?)?;
        if let Some(first) = alternatives(&value.data_type).and_then(|all| all.first()) {
            let data_type = first.data_type().clone();
            value.expr = field_expr(&value.expr, first.name());
            value.data_type = data_type;
        }
        // A number is compared as a number, whatever the width of the field.
        let read_as = match &value.data_type {
            t if t.is_integer() && wanted.value.contains(['.', 'e', 'E']) => DataType::Float64,
            t => t.clone(),
        };
        let literal = match read_as.is_nested() {
            true => None,
            false => ScalarValue::try_from_string(wanted.value.clone(), &read_as).ok(),
        };
        let Some(literal) = literal else {
            return Err(FrameError::BadComparison {
                text: wanted.value.clone(),
                hint: format!(
                    "'{}' is {}: compare it with a value of that type",
                    wanted.path,
                    format_type(&value.data_type)
                ),
            });
        };
        Ok(binary_expr(value.expr, operator, lit(literal)))
    }
}
