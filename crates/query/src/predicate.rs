//! What of a statement's filters the catalog store can answer.

use arrow::datatypes::DataType;
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use mastic_catalog::{Column, CompareOp, PartitionPredicate, Value};

/// A predicate over partition keys that holds wherever the filter does, if there is one.
/// The filter is evaluated again on the rows, so leaving out what does not translate is safe.
pub(crate) fn translate(filter: &Expr, keys: &[Column]) -> Option<PartitionPredicate> {
    exact(filter, keys).or_else(|| match filter {
        // Of a conjunction, the one side that translates is still a condition.
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => match (translate(left, keys), translate(right, keys)) {
            (Some(a), Some(b)) => Some(a.and(b)),
            (a, b) => a.or(b),
        },
        _ => None,
    })
}

fn exact(filter: &Expr, keys: &[Column]) -> Option<PartitionPredicate> {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => Some(exact(left, keys)?.and(exact(right, keys)?)),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => Some(exact(left, keys)?.or(exact(right, keys)?)),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (key, literal, op) = match (key(left, keys), key(right, keys)) {
                (Some(key), None) => (key, right, *op),
                (None, Some(key)) => (key, left, op.swap()?),
                _ => return None,
            };
            let op = match op {
                Operator::Eq => CompareOp::Eq,
                Operator::NotEq => CompareOp::Ne,
                Operator::Lt => CompareOp::Lt,
                Operator::LtEq => CompareOp::Le,
                Operator::Gt => CompareOp::Gt,
                Operator::GtEq => CompareOp::Ge,
                _ => return None,
            };
            let value = value(literal, key)?;
            Some(PartitionPredicate::compare(&key.name, op, value))
        }
        Expr::Not(inner) => Some(PartitionPredicate::Not(Box::new(exact(inner, keys)?))),
        Expr::IsNull(inner) => Some(PartitionPredicate::IsNull(key(inner, keys)?.name.clone())),
        Expr::IsNotNull(inner) => {
            let name = key(inner, keys)?.name.clone();
            Some(PartitionPredicate::Not(Box::new(
                PartitionPredicate::IsNull(name),
            )))
        }
        Expr::InList(list) => {
            let key = key(&list.expr, keys)?;
            let values = list
                .list
                .iter()
                .map(|e| value(e, key))
                .collect::<Option<Vec<_>>>()?;
            negated(
                list.negated,
                PartitionPredicate::In {
                    key: key.name.clone(),
                    values,
                },
            )
        }
        Expr::Between(between) => {
            let key = key(&between.expr, keys)?;
            let predicate = PartitionPredicate::Between {
                key: key.name.clone(),
                low: value(&between.low, key)?,
                high: value(&between.high, key)?,
            };
            negated(between.negated, predicate)
        }
        Expr::Like(like) if !like.case_insensitive && like.escape_char.is_none() => {
            let key = key(&like.expr, keys)?;
            let Some(Value::Str(pattern)) = value(&like.pattern, key) else {
                return None;
            };
            // The engine's patterns have an escape character, and the store's have none.
            if pattern.contains('\\') {
                return None;
            }
            let key = key.name.clone();
            negated(like.negated, PartitionPredicate::Like { key, pattern })
        }
        // A key alone is a condition where it is a boolean.
        Expr::Column(_) => {
            let key = key(filter, keys)?;
            (key.hive_type() == "boolean")
                .then(|| PartitionPredicate::compare(&key.name, CompareOp::Eq, Value::Bool(true)))
        }
        _ => None,
    }
}

fn negated(negated: bool, predicate: PartitionPredicate) -> Option<PartitionPredicate> {
    Some(if negated {
        PartitionPredicate::Not(Box::new(predicate))
    } else {
        predicate
    })
}

fn key<'a>(expr: &Expr, keys: &'a [Column]) -> Option<&'a Column> {
    match expr {
        Expr::Column(column) => keys.iter().find(|k| k.name == column.name),
        _ => None,
    }
}

fn text(scalar: &ScalarValue) -> Option<String> {
    match scalar {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A timestamp without a zone.
fn timestamp(scalar: &ScalarValue) -> Option<NaiveDateTime> {
    let time = match scalar {
        ScalarValue::TimestampSecond(Some(n), None) => DateTime::from_timestamp(*n, 0)?,
        ScalarValue::TimestampMillisecond(Some(n), None) => DateTime::from_timestamp_millis(*n)?,
        ScalarValue::TimestampMicrosecond(Some(n), None) => DateTime::from_timestamp_micros(*n)?,
        ScalarValue::TimestampNanosecond(Some(n), None) => DateTime::from_timestamp_nanos(*n),
        _ => return None,
    };
    Some(time.naive_utc())
}

/// The literal, as a value of the key's own type; none where it is of another.
fn value(expr: &Expr, key: &Column) -> Option<Value> {
    let Expr::Literal(scalar, _) = expr else {
        return None;
    };
    if scalar.is_null() {
        return None;
    }
    match key.hive_type() {
        "tinyint" | "smallint" | "int" | "bigint" => match scalar.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(n))) if scalar.data_type().is_integer() => {
                Some(Value::Int(n))
            }
            _ => None,
        },
        of if of == "string" || of.starts_with("varchar") => text(scalar).map(Value::Str),
        "timestamp" => timestamp(scalar).map(Value::Timestamp),
        "date" => match scalar {
            ScalarValue::Date32(Some(days)) => NaiveDate::from_ymd_opt(1970, 1, 1)?
                .checked_add_signed(Duration::try_days(i64::from(*days))?)
                .map(Value::Date),
            _ => None,
        },
        "boolean" => match scalar {
            ScalarValue::Boolean(Some(b)) => Some(Value::Bool(*b)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::prelude::{col, lit};

    fn keys() -> Vec<Column> {
        vec![Column::new("year", "int"), Column::new("origin", "string")]
    }

    #[test]
    fn texts_times_and_patterns_translate() {
        let keys = [
            Column::new("name", "varchar(10)"),
            Column::new("at", "timestamp"),
        ];
        let literal = |s: ScalarValue| Expr::Literal(s, None);
        let view = ScalarValue::Utf8View(Some("x".into()));
        assert_eq!(
            translate(&col("name").eq(literal(view)), &keys),
            Some(PartitionPredicate::eq("name", "x"))
        );
        assert_eq!(
            translate(&col("name").not_like(lit("a%")), &keys),
            Some(PartitionPredicate::Not(Box::new(
                PartitionPredicate::Like {
                    key: "name".into(),
                    pattern: "a%".into(),
                }
            )))
        );
        // The engine escapes by a backslash.
        assert_eq!(translate(&col("name").like(lit("a\\%")), &keys), None);
        assert_eq!(translate(&col("name").ilike(lit("a%")), &keys), None);
        // 1970-01-01 00:00:00.5, in any unit.
        let half = DateTime::from_timestamp_millis(500).unwrap().naive_utc();
        for scalar in [
            ScalarValue::TimestampMillisecond(Some(500), None),
            ScalarValue::TimestampMicrosecond(Some(500_000), None),
            ScalarValue::TimestampNanosecond(Some(500_000_000), None),
        ] {
            assert_eq!(
                translate(&col("at").lt(literal(scalar)), &keys),
                Some(PartitionPredicate::compare(
                    "at",
                    CompareOp::Lt,
                    Value::Timestamp(half)
                ))
            );
        }
        let zoned = ScalarValue::TimestampMillisecond(Some(500), Some("UTC".into()));
        assert_eq!(translate(&col("at").lt(literal(zoned)), &keys), None);
    }

    #[test]
    fn filters_on_keys_translate_and_others_do_not() {
        let year = col("year").eq(lit(2013));
        assert_eq!(
            translate(&year, &keys()),
            Some(PartitionPredicate::eq("year", Value::Int(2013)))
        );
        assert_eq!(translate(&col("dep_delay").gt(lit(1)), &keys()), None);
        // A conjunction keeps what translates; a disjunction must translate as a whole.
        let mixed = year.clone().and(col("dep_delay").gt(lit(1)));
        assert_eq!(
            translate(&mixed, &keys()),
            Some(PartitionPredicate::eq("year", Value::Int(2013)))
        );
        assert_eq!(
            translate(&year.or(col("dep_delay").gt(lit(1))), &keys()),
            None
        );
        // Negating half a condition would turn it around.
        let not = Expr::Not(Box::new(mixed));
        assert_eq!(translate(&not, &keys()), None);
        // Literals of another type are left to the engine and its coercions.
        assert_eq!(translate(&col("origin").eq(lit(5)), &keys()), None);
        let swapped = lit(2000).lt(col("year"));
        assert_eq!(
            translate(&swapped, &keys()),
            Some(PartitionPredicate::compare(
                "year",
                CompareOp::Gt,
                Value::Int(2000)
            ))
        );
    }
}
