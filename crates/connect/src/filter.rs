//! Conditions that a database is asked to see to.
//!
//! The engine applies every condition itself as well. What is asked of the database only has to give every row for
//! which the condition is true; where the two may compare differently, nothing is asked.

use arrow::datatypes::{DataType, Decimal128Type, DecimalType as _};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use crate::column::{Asked, Column, literal, quoted};

/// How deep a condition may be nested.
const DEPTH: usize = 64;
/// How many values a list may have.
const VALUES: usize = 1_000;

/// The condition in the database's SQL; nothing where it is not one that the database can see to.
pub(crate) fn condition(expr: &Expr, columns: &[Column]) -> Option<String> {
    translate(expr, columns, DEPTH)
}

fn translate(expr: &Expr, columns: &[Column], depth: usize) -> Option<String> {
    let deeper = depth.checked_sub(1)?;
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => {
                let sides = [left, right].map(|side| translate(side, columns, deeper));
                // One of them alone gives more rows, which does no harm.
                match sides {
                    [Some(left), Some(right)] => Some(format!("({left} AND {right})")),
                    [Some(one), None] | [None, Some(one)] => Some(one),
                    [None, None] => None,
                }
            }
            Operator::Or => {
                let left = translate(left, columns, deeper)?;
                let right = translate(right, columns, deeper)?;
                Some(format!("({left} OR {right})"))
            }
            _ => match (left.as_ref(), right.as_ref()) {
                (Expr::Column(c), Expr::Literal(value, _)) => {
                    compared(named(&c.name, columns)?, *op, value)
                }
                (Expr::Literal(value, _), Expr::Column(c)) => {
                    compared(named(&c.name, columns)?, op.swap()?, value)
                }
                _ => None,
            },
        },
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            let (Expr::Column(c), Expr::Literal(low, _), Expr::Literal(high, _)) =
                (expr.as_ref(), low.as_ref(), high.as_ref())
            else {
                return None;
            };
            let column = named(&c.name, columns)?;
            let low = compared(column, Operator::GtEq, low)?;
            let high = compared(column, Operator::LtEq, high)?;
            Some(format!("({low} AND {high})"))
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let Expr::Column(c) = expr.as_ref() else {
                return None;
            };
            let column = named(&c.name, columns)?;
            if list.len() > VALUES {
                return None;
            }
            let values = list.iter().map(|value| match value {
                Expr::Literal(value, _) => written(value, column),
                _ => None,
            });
            let values = values.collect::<Option<Vec<_>>>()?;
            let own = operand(column, Operator::Eq)?;
            Some(format!("{own} IN ({})", values.join(", ")))
        }
        Expr::IsNull(inner) => null(inner, columns, "IS NULL"),
        Expr::IsNotNull(inner) => null(inner, columns, "IS NOT NULL"),
        // The engine writes `flag = true` so.
        Expr::Column(c) => truth(named(&c.name, columns)?),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::Column(c) => Some(format!("NOT {}", truth(named(&c.name, columns)?)?)),
            _ => None,
        },
        _ => None,
    }
}

fn named<'a>(name: &str, columns: &'a [Column]) -> Option<&'a Column> {
    columns.iter().find(|c| c.name == name)
}

fn null(expr: &Expr, columns: &[Column], what: &str) -> Option<String> {
    let Expr::Column(c) = expr else { return None };
    let column = named(&c.name, columns)?;
    Some(format!("{} {what}", quoted(&column.name)))
}

fn truth(column: &Column) -> Option<String> {
    (column.data_type == DataType::Boolean).then(|| quoted(&column.name))
}

/// What stands on the column's side of a comparison.
fn operand(column: &Column, operator: Operator) -> Option<String> {
    match &column.asked {
        Asked::All => Some(quoted(&column.name)),
        Asked::Equal(own) if operator == Operator::Eq => Some(own.clone()),
        _ => None,
    }
}

fn compared(column: &Column, operator: Operator, value: &ScalarValue) -> Option<String> {
    let sign = match operator {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    };
    Some(format!(
        "{} {sign} {}",
        operand(column, operator)?,
        written(value, column)?
    ))
}

/// A value that is of its column's type as both databases write it; nothing for NULL, which nothing equals.
fn written(value: &ScalarValue, column: &Column) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let number = match value {
        ScalarValue::Int8(Some(n)) => Some(i64::from(*n)),
        ScalarValue::Int16(Some(n)) => Some(i64::from(*n)),
        ScalarValue::Int32(Some(n)) => Some(i64::from(*n)),
        ScalarValue::Int64(Some(n)) => Some(*n),
        _ => None,
    };
    if let Some(number) = number {
        return column.data_type.is_integer().then(|| number.to_string());
    }
    match (value, &column.data_type) {
        (ScalarValue::Boolean(Some(flag)), DataType::Boolean) => {
            Some(if *flag { "TRUE" } else { "FALSE" }.to_owned())
        }
        // Zero has a sign to the engine, and none to databases.
        (ScalarValue::Float64(Some(n)), DataType::Float64) => {
            n.is_normal().then(|| format!("{n:e}"))
        }
        (ScalarValue::Decimal128(Some(n), precision, scale), DataType::Decimal128(..)) => {
            Some(Decimal128Type::format_decimal(*n, *precision, *scale))
        }
        (
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            DataType::Utf8View,
        ) => (!text.contains('\0')).then(|| literal(text)),
        (ScalarValue::Date32(_), DataType::Date32) => dated(value),
        (ScalarValue::TimestampMicrosecond(_, None), DataType::Timestamp(_, None)) => dated(value),
        (ScalarValue::TimestampMicrosecond(Some(n), Some(_)), DataType::Timestamp(_, Some(_))) => {
            dated(&ScalarValue::TimestampMicrosecond(Some(*n), None))
                .map(|text| format!("{}+00'", text.trim_end_matches('\'')))
        }
        _ => None,
    }
}

/// A date or timestamp of a year of four digits, in ISO 8601.
fn dated(value: &ScalarValue) -> Option<String> {
    let ScalarValue::Utf8(Some(text)) = value.cast_to(&DataType::Utf8).ok()? else {
        return None;
    };
    let year = text.split('-').next()?;
    let plain = year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && year != "0000";
    plain.then(|| literal(&text.replace('T', " ")))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;
    use crate::column::Wire;

    fn columns() -> Vec<Column> {
        vec![
            Column::plain("n", Wire::Int64, Asked::All),
            Column::plain("x", Wire::Float64, Asked::All),
            Column::plain("na\"me", Wire::Text, Asked::Equal(quoted("na\"me"))),
            Column::plain("flag", Wire::Boolean, Asked::All),
            Column::plain("data", Wire::Bytes, Asked::Null),
            Column::text("d", quoted("d"), DataType::Date32, Asked::All),
            Column::text(
                "t",
                quoted("t"),
                DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
                Asked::All,
            ),
        ]
    }

    fn asked(expr: &Expr) -> Option<String> {
        condition(expr, &columns())
    }

    fn column(name: &str) -> Expr {
        Expr::Column(datafusion::common::Column::new_unqualified(name))
    }

    #[test]
    fn simple_conditions_are_asked() {
        let at = |text: &str, of: &DataType| {
            lit(ScalarValue::Utf8(Some(text.to_owned()))
                .cast_to(of)
                .unwrap())
        };
        let zoned =
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
        for (expr, sql) in [
            (col("n").gt(lit(5_i64)), "\"n\" > 5"),
            (lit(5_i64).gt(col("n")), "\"n\" < 5"),
            (col("x").lt_eq(lit(-0.1)), "\"x\" <= -1e-1"),
            (
                column("na\"me").eq(lit("O'Hara")),
                "\"na\"\"me\" = 'O''Hara'",
            ),
            (
                column("na\"me").in_list(vec![lit("a"), lit("b")], false),
                "\"na\"\"me\" IN ('a', 'b')",
            ),
            (col("data").is_null(), "\"data\" IS NULL"),
            (!col("flag"), "NOT \"flag\""),
            (
                col("n").between(lit(1_i64), lit(2_i64)).or(col("flag")),
                "((\"n\" >= 1 AND \"n\" <= 2) OR \"flag\")",
            ),
            // Half of an AND is better than nothing.
            (
                col("n").gt(lit(5_i64)).and(column("na\"me").gt(lit("x"))),
                "\"n\" > 5",
            ),
            (
                col("d").gt_eq(at("2024-02-29", &DataType::Date32)),
                "\"d\" >= '2024-02-29'",
            ),
            (
                col("t").lt(at("2024-02-29T12:30:00.5Z", &zoned)),
                "\"t\" < '2024-02-29 12:30:00.500+00'",
            ),
        ] {
            assert_eq!(asked(&expr).as_deref(), Some(sql), "{expr}");
        }
    }

    #[test]
    fn what_databases_see_differently_is_not_asked() {
        for expr in [
            // Collations order, engines of bytes do too, but not alike.
            column("na\"me").gt(lit("a")),
            column("na\"me").not_eq(lit("a")),
            column("na\"me").in_list(vec![lit("a")], true),
            column("na\"me").eq(lit("a\0")),
            col("x").lt(lit(0.0)),
            col("x").lt(lit(f64::NAN)),
            col("data").eq(lit(ScalarValue::Binary(Some(vec![1])))),
            col("n").gt(lit(5_i64)).or(column("na\"me").gt(lit("x"))),
            col("n").gt(col("x")),
            col("n").eq(lit(ScalarValue::Int64(None))),
            (col("n") + lit(1_i64)).gt(lit(2_i64)),
            col("unknown").eq(lit(1_i64)),
        ] {
            assert_eq!(asked(&expr), None, "{expr}");
        }
    }
}
