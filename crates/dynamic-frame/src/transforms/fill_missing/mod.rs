//! `FillMissingValues`: values where there are none.

mod model;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::functions::expr_fn::{nullif, round};
use datafusion::functions_aggregate::expr_fn::{approx_median, avg, count, first_value};
use datafusion::functions_window::nth_value::last_value_udwf;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, lit, try_cast,
};
use mastic_schema::hive::format_type;
use mastic_schema::names;

use crate::expression::parse;
use crate::path::Path;
use crate::record::{Node, Value, column};
use crate::run::WORKING;
use crate::{DynamicFrame, FrameError, Result};

/// Where the values come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FillMethod {
    /// What the record's other fields tell: a number by least squares over the other numbers, else the most
    /// frequent value beside that value of the other field which tells most.
    #[default]
    Model,
    /// The mean of the known numbers.
    Mean,
    /// Their median (by t-digest, so approximately where there are many).
    Median,
    /// The most frequent value; of several the least.
    Mode,
    /// The value of an SQL expression over the record.
    Constant(String),
    /// The last known value in the order of an SQL expression.
    Forward(String),
}

impl FillMethod {
    /// The methods' names, as a script writes them.
    pub const NAMES: [&'static str; 6] = ["model", "mean", "median", "mode", "constant", "forward"];
}

/// How [`DynamicFrame::fill_missing_values`] fills.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fill {
    /// The field that lacks values.
    pub missing_values_column: String,
    /// The field that gets the known and the filled values.
    pub output_column: String,
    /// Where the values come from.
    pub method: FillMethod,
}

impl Fill {
    /// Fills a field by a model, into a field of its name with `_filled` behind it; so Glue does.
    pub fn of(missing_values_column: impl Into<String>) -> Self {
        let column = missing_values_column.into();
        Self {
            output_column: format!("{column}_filled"),
            missing_values_column: column,
            method: FillMethod::default(),
        }
    }

    /// Where the values come from.
    #[must_use]
    pub fn by(mut self, method: FillMethod) -> Self {
        self.method = method;
        self
    }

    /// The field that gets them; the field itself, to fill it in place.
    #[must_use]
    pub fn into_column(mut self, column: impl Into<String>) -> Self {
        self.output_column = column.into();
        self
    }
}

fn working(name: impl std::fmt::Display) -> String {
    format!("{WORKING}{name}")
}

/// The value where it is there: empty text is none, as in Glue.
fn known(value: &Value) -> Expr {
    if value.data_type.is_string() {
        let empty = lit(
            ScalarValue::try_from_string(String::new(), &value.data_type)
                .unwrap_or_else(|_| ScalarValue::from("")),
        );
        nullif(value.expr.clone(), empty)
    } else {
        value.expr.clone()
    }
}

/// A number as a value of the field's type, rounded where that has whole numbers only.
fn fitted(number: Expr, data_type: &DataType) -> Expr {
    let number = if data_type.is_integer() {
        round(vec![number])
    } else {
        number
    };
    try_cast(number, data_type.clone())
}

impl DynamicFrame {
    /// Adds a field with the values of another one, and a value where that has none: where it is NULL, or
    /// empty text.
    ///
    /// Glue's `FillMissingValues` predicts values by a model that it does not publish; what the methods
    /// here do is said of [`FillMethod`]. All of it is one plan, in which the frame is read again for what is
    /// learned from it. A value stays missing where nothing is known.
    ///
    /// # Errors
    /// When the field does not exist or its type does not go with the method, the output's name is taken by
    /// another field, or an expression does not fit.
    pub fn fill_missing_values(self, fill: &Fill) -> Result<Self> {
        let path = Path::parse(&fill.missing_values_column)?;
        let target = Path::parse(&fill.output_column)?;
        let mut record = self.record();
        let value = record.value(&path)?;
        let in_place = record.value(&target).is_ok_and(|t| t.expr == value.expr);
        if !in_place && record.has(&target) {
            return Err(FrameError::FieldExists {
                path: target.to_string(),
            });
        }
        let number = value.data_type.is_numeric();
        let needed = match &fill.method {
            FillMethod::Mean | FillMethod::Median if !number => Some("a number"),
            FillMethod::Model | FillMethod::Mode if value.data_type.is_nested() => {
                Some("a plain value")
            }
            _ => None,
        };
        if let Some(needed) = needed {
            return Err(FrameError::TypeMismatch {
                path: fill.missing_values_column.clone(),
                expected: needed.to_owned(),
                found: format_type(&value.data_type),
                hint: Some("methods for all types are constant and forward".to_owned()),
            });
        }
        let known = known(&value);
        let filled = |by: Expr| {
            let expr = datafusion::functions::core::expr_fn::coalesce(vec![known.clone(), by]);
            Node::Value(Value {
                expr,
                data_type: value.data_type.clone(),
                nullable: true,
            })
        };
        let one = column(&working("fill"));
        let (frame, by) = match &fill.method {
            FillMethod::Model if number => self.by_line(&path, &value)?,
            FillMethod::Model => self.by_companion(&path, &value)?,
            FillMethod::Mean => {
                let mean = avg(known.clone()).alias(working("fill"));
                (self.learned(vec![mean])?, fitted(one, &value.data_type))
            }
            FillMethod::Median => {
                let median = approx_median(try_cast(known.clone(), DataType::Float64));
                let learned = self.learned(vec![median.alias(working("fill"))])?;
                (learned, fitted(one, &value.data_type))
            }
            FillMethod::Mode => {
                let mode = self.mode(&known)?;
                (self.beside(mode)?, one)
            }
            FillMethod::Constant(text) => {
                let expr = parse(&self.state(), self.inner.schema(), text)?;
                let found = expr.get_type(self.inner.schema())?;
                if !arrow::compute::can_cast_types(&found, &value.data_type) {
                    return Err(FrameError::TypeMismatch {
                        path: text.clone(),
                        expected: format_type(&value.data_type),
                        found: format_type(&found),
                        hint: None,
                    });
                }
                (
                    self,
                    datafusion::logical_expr::cast(expr, value.data_type.clone()),
                )
            }
            FillMethod::Forward(order) => {
                let order = parse(&self.state(), self.inner.schema(), order)?;
                (self, last_known(&known, order)?)
            }
        };
        record.set(&target, filled(by))?;
        frame.with_record(&record)
    }

    /// The frame beside aggregates of all of its records.
    fn learned(self, aggregates: Vec<Expr>) -> Result<Self> {
        let learned = self.uncounted()?.inner.aggregate(Vec::new(), aggregates)?;
        self.beside(learned)
    }

    /// One record with the most frequent known value.
    fn mode(&self, known: &Expr) -> Result<DataFrame> {
        let (value, times) = (working("value"), working("times"));
        let counted = self
            .uncounted()?
            .inner
            .select(vec![known.clone().alias(&value)])?
            .filter(column(&value).is_not_null())?
            .aggregate(vec![column(&value)], vec![count(lit(1_i64)).alias(&times)])?
            .sort(vec![
                column(&times).sort(false, false),
                column(&value).sort(true, false),
            ])?
            .limit(0, Some(1))?;
        // One record even where there is no value.
        let first = first_value(column(&value), Vec::new()).alias(working("fill"));
        Ok(counted.aggregate(Vec::new(), vec![first])?)
    }
}

/// The last known value up to a record, in this order.
fn last_known(known: &Expr, order: Expr) -> Result<Expr> {
    let last = WindowFunction::new(
        WindowFunctionDefinition::WindowUDF(last_value_udwf()),
        vec![known.clone()],
    );
    let frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    let last = Expr::from(last)
        .order_by(vec![order.sort(true, false)])
        .window_frame(frame)
        .null_treatment(NullTreatment::IgnoreNulls)
        .build()?;
    Ok(last)
}

/// The closest method to a name that is none.
impl std::str::FromStr for FillMethod {
    type Err = Option<String>;

    /// Reads the name of a method that takes nothing; the error is the closest name, where one is close.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "model" => Ok(Self::Model),
            "mean" => Ok(Self::Mean),
            "median" => Ok(Self::Median),
            "mode" => Ok(Self::Mode),
            _ => Err(names::closest(text, Self::NAMES)),
        }
    }
}
