//! Predicates on partition keys: what the store answers from its indexes, so that a query over a table with a
//! million partitions reads the few rows it needs.
//!
//! # Meaning
//!
//! SQL's, with three truth values, and typed by the declared Hive type of each key:
//!
//! * A value is NULL if it is [`HIVE_DEFAULT_PARTITION`](crate::HIVE_DEFAULT_PARTITION), **or if it is none of its
//!   key's type** (`month=abc` of an `int` key), which is what Hive reads it as. Every comparison with NULL is
//!   unknown, `IS NULL` is true, and a partition is returned only where the predicate is true.
//! * Integers and decimals compare exactly, whatever their size; `05` equals `5`. A `double` literal beside them
//!   counts as the shortest decimal that denotes it. `float` and `double` keys compare as doubles; NaN reads as NULL.
//! * Text compares by its UTF-8 bytes; LIKE knows `%` and `_`, no escape, and tells upper from lower case.
//! * A string literal beside a key of another type is read as that type. A literal that cannot be compared with its
//!   key (`'abc'` with an `int`, 5 with a `string`) is an error, not a guess: Glue compares such as text.
//!
//! Source of the operators and types: `GetPartitions` in the Glue API; of where Glue does otherwise (`IS NULL` finds
//! nothing, NULL beside a numeric key throws): Trino's `GlueExpressionUtil`. Those we do not copy.

use std::cmp::Ordering;
use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};

use crate::error::{CatalogError, Result, nearest};
use crate::model::Column;

pub(crate) mod key;
pub(crate) mod sql;

use key::{KeyType, KeyValue};

/// How deep a predicate may nest.
const MAX_DEPTH: usize = 64;
/// How many comparisons a predicate may have; the values of an IN list do not count.
const MAX_LEAVES: usize = 2_000;
/// How long a LIKE pattern may be, in bytes.
const MAX_PATTERN: usize = 2_048;

/// A predicate on partition keys. Keys are named in any case. See the [module](self) for what it means.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionPredicate {
    /// All hold; true if there are none.
    And(Vec<Self>),
    /// One holds; false if there are none.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// `key op value`.
    Compare {
        /// The partition key.
        key: String,
        /// The operator.
        op: CompareOp,
        /// The literal.
        value: Value,
    },
    /// `key IN (values)`; false if there are none.
    In {
        /// The partition key.
        key: String,
        /// The literals.
        values: Vec<Value>,
    },
    /// `key BETWEEN low AND high`, both included.
    Between {
        /// The partition key.
        key: String,
        /// The lowest.
        low: Value,
        /// The highest.
        high: Value,
    },
    /// `key IS NULL`.
    IsNull(String),
    /// `key LIKE pattern`, for keys that are text.
    Like {
        /// The partition key.
        key: String,
        /// `%`: any text, `_`: any one character.
        pattern: String,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl CompareOp {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }

    /// The operator in SQL.
    pub fn as_sql(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// A literal in a predicate.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Str(String),
    /// An integer.
    Int(i64),
    /// A decimal number, as text: `-1.50`.
    Decimal(String),
    /// A floating-point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// A date.
    Date(NaiveDate),
    /// A point in time without zone.
    Timestamp(NaiveDateTime),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Int(value) => value.fmt(f),
            Self::Decimal(text) => text.fmt(f),
            Self::Double(value) => write!(f, "{value:e}"),
            Self::Bool(value) => value.fmt(f),
            Self::Date(date) => write!(f, "DATE '{date}'"),
            Self::Timestamp(time) => write!(f, "TIMESTAMP '{time}'"),
        }
    }
}

impl PartitionPredicate {
    /// `key op value`.
    pub fn compare(key: impl Into<String>, op: CompareOp, value: impl Into<Value>) -> Self {
        Self::Compare {
            key: key.into(),
            op,
            value: value.into(),
        }
    }

    /// `key = value`.
    pub fn eq(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::compare(key, CompareOp::Eq, value)
    }

    /// This and the other, without nesting deeper.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// This or the other, without nesting deeper.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut any) => {
                any.push(other);
                Self::Or(any)
            }
            first => Self::Or(vec![first, other]),
        }
    }

    /// Whether a table with these partition keys can be asked this: every key exists and every literal can be
    /// compared with its key.
    pub fn check(&self, keys: &[Column]) -> Result<()> {
        let mut leaves = 0;
        self.check_at(keys, 0, &mut leaves)
    }

    fn check_at(&self, keys: &[Column], depth: usize, leaves: &mut usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(invalid(format!("it nests deeper than {MAX_DEPTH} levels")));
        }
        let (key, values): (&str, Vec<&Value>) = match self {
            Self::And(all) | Self::Or(all) => {
                return all
                    .iter()
                    .try_for_each(|each| each.check_at(keys, depth + 1, leaves));
            }
            Self::Not(inner) => return inner.check_at(keys, depth + 1, leaves),
            Self::Compare { key, value, .. } => (key, vec![value]),
            Self::In { key, values } => (key, values.iter().collect()),
            Self::Between { key, low, high } => (key, vec![low, high]),
            Self::IsNull(key) | Self::Like { key, .. } => (key, vec![]),
        };
        *leaves += 1;
        if *leaves > MAX_LEAVES {
            return Err(invalid(format!(
                "it has more than {MAX_LEAVES} comparisons"
            )));
        }
        let (_, key_type) = find_key(keys, key)?;
        for value in values {
            if KeyValue::literal(key_type, value).is_none()
                || matches!(value, Value::Str(text) if text.contains('\0'))
            {
                return Err(invalid(format!(
                    "{value} cannot be compared with partition key {key}, which is of type {}",
                    hive_type(keys, key)
                )));
            }
        }
        if let Self::Like { pattern, .. } = self {
            if key_type != KeyType::Text {
                return Err(invalid(format!(
                    "LIKE needs text, and partition key {key} is of type {}",
                    hive_type(keys, key)
                )));
            }
            if pattern.len() > MAX_PATTERN || pattern.contains('\0') {
                return Err(invalid(format!(
                    "the LIKE pattern for {key} is longer than {MAX_PATTERN} bytes"
                )));
            }
        }
        Ok(())
    }

    /// What the predicate says of one partition: true, false, or unknown (`None`).
    ///
    /// This is the reference: the store's SQL is tested against it. Of a predicate that [`check`](Self::check)
    /// refuses, the parts that make no sense are unknown.
    pub fn eval(&self, keys: &[Column], values: &[String]) -> Option<bool> {
        let value_of = |key: &str| -> Option<(KeyType, Option<KeyValue>)> {
            let (position, key_type) = find_key(keys, key).ok()?;
            Some((key_type, KeyValue::read(key_type, values.get(position)?)))
        };
        let holds = |key: &str, op: CompareOp, value: &Value| -> Option<bool> {
            let (key_type, left) = value_of(key)?;
            let right = KeyValue::literal(key_type, value)?;
            left?.compare(&right).map(|ordering| op.holds(ordering))
        };
        match self {
            Self::And(all) => all_of(all.iter().map(|each| each.eval(keys, values))),
            Self::Or(any) => any_of(any.iter().map(|each| each.eval(keys, values))),
            Self::Not(inner) => inner.eval(keys, values).map(|holds| !holds),
            Self::Compare { key, op, value } => holds(key, *op, value),
            Self::In { key, values } => {
                any_of(values.iter().map(|value| holds(key, CompareOp::Eq, value)))
            }
            Self::Between { key, low, high } => all_of([
                holds(key, CompareOp::Ge, low),
                holds(key, CompareOp::Le, high),
            ]),
            Self::IsNull(key) => Some(value_of(key)?.1.is_none()),
            Self::Like { key, pattern } => match value_of(key)?.1? {
                KeyValue::Text(text) => Some(like(&text, pattern)),
                _ => None,
            },
        }
    }
}

fn all_of(all: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for each in all {
        match each {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}

fn any_of(any: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all_of(any.into_iter().map(|each| each.map(|holds| !holds))).map(|holds| !holds)
}

/// SQL's LIKE, without an escape character.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut at, mut in_pattern) = (0, 0);
    // Where the last `%` was, and how much of the text it has swallowed so far.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('%') => {
                retry = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(&expected) if expected == '_' || expected == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match retry {
                Some((percent, swallowed)) => {
                    retry = Some((percent, swallowed + 1));
                    at = swallowed + 1;
                    in_pattern = percent + 1;
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..]
        .iter()
        .all(|&character| character == '%')
}

fn invalid(reason: String) -> CatalogError {
    CatalogError::InvalidPredicate { reason }
}

fn hive_type<'a>(keys: &'a [Column], name: &str) -> &'a str {
    keys.iter()
        .find(|key| key.name.eq_ignore_ascii_case(name))
        .map_or("string", Column::hive_type)
}

/// Where a key is among the table's, and what its values are compared as.
pub(crate) fn find_key(keys: &[Column], name: &str) -> Result<(usize, KeyType)> {
    let position = keys
        .iter()
        .position(|key| key.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            let suggestion = nearest(name, keys.iter().map(|key| key.name.as_str()))
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_default();
            invalid(format!(
                "{name} is not a partition key of the table{suggestion}"
            ))
        })?;
    let key_type = KeyType::of(&keys[position]).ok_or_else(|| {
        invalid(format!(
            "partition key {name} is of type {}, whose values cannot be compared",
            keys[position].hive_type()
        ))
    })?;
    Ok((position, key_type))
}

impl fmt::Display for PartitionPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, all: &[Self], word: &str, none: &str| {
            if all.is_empty() {
                return f.write_str(none);
            }
            for (index, each) in all.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match each {
                    Self::And(_) | Self::Or(_) => write!(f, "({each})")?,
                    _ => write!(f, "{each}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(all) => list(f, all, "AND", "TRUE"),
            Self::Or(any) => list(f, any, "OR", "FALSE"),
            Self::Not(inner) => write!(f, "NOT ({inner})"),
            Self::Compare { key, op, value } => write!(f, "{key} {} {value}", op.as_sql()),
            Self::In { key, values } => {
                let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                write!(f, "{key} IN ({})", values.join(", "))
            }
            Self::Between { key, low, high } => write!(f, "{key} BETWEEN {low} AND {high}"),
            Self::IsNull(key) => write!(f, "{key} IS NULL"),
            Self::Like { key, pattern } => write!(f, "{key} LIKE {}", Value::Str(pattern.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HIVE_DEFAULT_PARTITION;

    fn keys() -> Vec<Column> {
        vec![Column::new("year", "int"), Column::new("country", "string")]
    }

    fn eval(predicate: &PartitionPredicate, year: &str, country: &str) -> Option<bool> {
        predicate.check(&keys()).unwrap();
        predicate.eval(&keys(), &[year.to_owned(), country.to_owned()])
    }

    #[test]
    fn null_is_unknown_but_for_is_null() {
        let equal = PartitionPredicate::eq("YEAR", 2024);
        assert_eq!(eval(&equal, "2024", "de"), Some(true));
        assert_eq!(eval(&equal, "02024", "de"), Some(true));
        assert_eq!(eval(&equal, HIVE_DEFAULT_PARTITION, "de"), None);
        assert_eq!(eval(&equal, "none", "de"), None);
        assert_eq!(
            eval(
                &PartitionPredicate::Not(Box::new(equal.clone())),
                "none",
                "de"
            ),
            None
        );
        assert_eq!(
            eval(&PartitionPredicate::IsNull("year".into()), "none", "de"),
            Some(true)
        );
        let either = equal.or(PartitionPredicate::eq("country", "de"));
        assert_eq!(eval(&either, "none", "de"), Some(true));
        assert_eq!(eval(&either, "none", "fr"), None);
    }

    #[test]
    fn like_is_sql_s() {
        for (text, pattern, expected) in [
            ("de", "d%", true),
            ("de", "D%", false),
            ("de", "_", false),
            ("größe", "gr__e", true),
            ("a%b", "a\\%b", false),
            ("abcabd", "%ab_", true),
            ("abcabd", "%abc", false),
            ("", "%", true),
            ("", "_", false),
            ("aaab", "%a%b", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn nonsense_is_told() {
        let message =
            |predicate: PartitionPredicate| predicate.check(&keys()).unwrap_err().to_string();
        assert_contains(
            &message(PartitionPredicate::eq("yaer", 1)),
            "did you mean year?",
        );
        assert_contains(
            &message(PartitionPredicate::eq("year", "abc")),
            "'abc' cannot be compared with partition key year",
        );
        assert_contains(
            &message(PartitionPredicate::eq("country", 5)),
            "type string",
        );
        assert_contains(
            &message(PartitionPredicate::Like {
                key: "year".into(),
                pattern: "2%".into(),
            }),
            "LIKE needs text",
        );
        let mut deep = PartitionPredicate::eq("year", 1);
        for _ in 0..100 {
            deep = PartitionPredicate::Not(Box::new(deep));
        }
        assert_contains(&message(deep), "deeper");
    }

    fn assert_contains(message: &str, part: &str) {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }

    #[test]
    fn it_prints_as_sql() {
        let predicate = PartitionPredicate::eq("year", 2024).and(
            PartitionPredicate::eq("country", "d'e")
                .or(PartitionPredicate::IsNull("country".into())),
        );
        assert_eq!(
            predicate.to_string(),
            "year = 2024 AND (country = 'd''e' OR country IS NULL)"
        );
    }
}
