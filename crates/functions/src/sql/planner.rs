//! Operators with Trino's meaning.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::trino::arrays::subscript;
use crate::trino::maths::checked;
use crate::trino::values::sql_name;

/// Planners that give operators Trino's meaning; they must be asked before DataFusion's own.
pub fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(Operators)]
}

#[derive(Debug)]
struct Operators;

impl ExprPlanner for Operators {
    /// `+`, `-` and `*` of integers fail where the answer does not fit; text and a number do not compare.
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as B;
        let make = match expr.op {
            B::Plus => checked::add,
            B::Minus => checked::subtract,
            B::Multiply => checked::multiply,
            B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq => {
                let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
                refuse_text_and_number(&expr, &left, &right)?;
                return Ok(PlannerResult::Original(expr));
            }
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        if left.is_integer() && right.is_integer() {
            let call = make().call(vec![expr.left, expr.right]);
            return Ok(PlannerResult::Planned(call));
        }
        Ok(PlannerResult::Original(expr))
    }

    /// `a[i]` and `m[k]` fail where there is no such element or key.
    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        // `array_agg(x)[i]` has a plan of its own.
        if matches!(expr.expr, Expr::AggregateFunction(_)) {
            return Ok(PlannerResult::Original(expr));
        }
        let holder = expr.expr.get_type(schema)?;
        let index = match (&holder, &expr.field_access) {
            (DataType::Map(..), GetFieldAccess::NamedStructField { name }) => {
                Expr::Literal(name.clone(), None)
            }
            (
                DataType::Map(..)
                | DataType::List(_)
                | DataType::LargeList(_)
                | DataType::ListView(_)
                | DataType::LargeListView(_)
                | DataType::FixedSizeList(..),
                GetFieldAccess::ListIndex { key },
            ) => key.as_ref().clone(),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(
            subscript().call(vec![expr.expr, index]),
        ))
    }
}

/// DataFusion would read the text as a number, and fail on the first row where it is none.
fn refuse_text_and_number(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Result<()> {
    let plain = |t: &DataType| match t {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    };
    let (left, right) = (plain(left), plain(right));
    if (left.is_string() && right.is_numeric()) || (left.is_numeric() && right.is_string()) {
        let (text, number, kind) = if left.is_string() {
            (&expr.left, &expr.right, &right)
        } else {
            (&expr.right, &expr.left, &left)
        };
        // A constant that is the text of a number is taken for it.
        if let Expr::Literal(value, _) = text
            && let Some(Some(text)) = value.try_as_str()
            && text.trim().parse::<f64>().is_ok()
        {
            return Ok(());
        }
        return plan_err!(
            "'{}' does not compare {} with {}: write CAST({} AS {}), or CAST({} AS varchar)",
            expr.op,
            sql_name(&left),
            sql_name(&right),
            text,
            sql_name(kind),
            number
        );
    }
    Ok(())
}
