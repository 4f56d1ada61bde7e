//! `Filter`: the records for which something is true.

use arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, ExprSchemable};
use mastic_schema::choice::format_type;

use crate::expression::{holds, parse};
use crate::run::hinted;
use crate::{DynamicFrame, FrameError, Result};

impl DynamicFrame {
    /// Keeps the records for which the SQL condition is true; where it is false or NULL, the
    /// record goes.
    ///
    /// Names follow SQL: they are lowered unless they stand in double quotes, and a dot leads into
    /// a struct.
    ///
    /// # Errors
    /// When the text is no SQL expression, does not fit the fields, or is no condition.
    pub fn filter(self, condition: &str) -> Result<Self> {
        let expr = self.condition(condition)?;
        let (state, plan) = self.inner.into_parts();
        let plan = hinted(&plan, &expr)?;
        Ok(Self::of(DataFrame::new(state, plan).filter(expr)?))
    }

    /// The SQL text as a condition over a record.
    pub(super) fn condition(&self, condition: &str) -> Result<Expr> {
        let expr = parse(&self.state(), self.inner.schema(), condition)?;
        let data_type = expr.get_type(self.inner.schema())?;
        if !matches!(data_type, DataType::Boolean | DataType::Null) {
            return Err(FrameError::TypeMismatch {
                path: condition.to_owned(),
                expected: "a condition, true or false,".to_owned(),
                found: format_type(&data_type),
                hint: None,
            });
        }
        if holds(&expr, |e| matches!(e, Expr::WindowFunction(_))) {
            return Err(FrameError::Expression {
                text: condition.to_owned(),
                message: "a window function has no place in a filter".to_owned(),
                span: None,
                did_you_mean: None,
                hint: Some("compute it in a map step first, then filter by that field".to_owned()),
            });
        }
        Ok(expr)
    }
}
