//! Values of partition keys: read by the key's type, compared, and written as sort keys.
//!
//! # Sort keys
//!
//! The store holds each value as text whose byte order is the order of the key's type, so that one index per key
//! serves every type and nothing is lost between 64-bit integers, decimals and floating point.
//!
//! | type | sort key | example |
//! |---|---|---|
//! | `string`, `char`, `varchar` | the text itself | `de` |
//! | integers, `decimal` | `p`, the number of digits before the point (two digits), the digits, the fraction; below zero `n`, each digit turned to its nines' complement, then `~` | `2024` → `p042024`, `1.5` → `p011.5`, `-5` → `n984~` |
//! | `float`, `double` | the 16 hexadecimal digits of its bits, made to ascend | |
//! | `boolean` | `0`, `1` | |
//! | `date`, `timestamp` | ISO 8601, without the time of day at midnight, without trailing zeros of the fraction | `2024-01-31`, `2024-01-31 10:00:00.5` |

use std::cmp::Ordering;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::Value;
use crate::model::{Column, HIVE_DEFAULT_PARTITION};

/// The integer digits a number may have; Hive's decimals have 38 digits in all.
const MAX_DIGITS: usize = 76;

/// What a partition key's values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    Text,
    /// An integer of so many bits.
    Integer(u32),
    Decimal,
    Float,
    Double,
    Boolean,
    Date,
    Timestamp,
}

impl KeyType {
    /// From the column's Hive type; `None` where its values have no order we know.
    pub(crate) fn of(column: &Column) -> Option<Self> {
        let text = column.hive_type().trim().to_ascii_lowercase();
        let base = text.split('(').next().unwrap_or_default().trim_end();
        Some(match base {
            "string" | "char" | "varchar" => Self::Text,
            "tinyint" => Self::Integer(8),
            "smallint" => Self::Integer(16),
            "int" | "integer" => Self::Integer(32),
            "bigint" | "long" => Self::Integer(64),
            "decimal" | "numeric" | "dec" => Self::Decimal,
            "float" | "real" => Self::Float,
            "double" | "double precision" => Self::Double,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }
}

/// A value that is not NULL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyValue {
    Text(String),
    Number(Number),
    Double(f64),
    Boolean(bool),
    Time(NaiveDateTime),
}

impl KeyValue {
    /// A partition's value; `None` if it is NULL, or none of the key's type (which reads as NULL, as in Hive).
    pub(crate) fn read(key: KeyType, text: &str) -> Option<Self> {
        if text == HIVE_DEFAULT_PARTITION {
            return None;
        }
        Self::parse(key, text)
    }

    fn parse(key: KeyType, text: &str) -> Option<Self> {
        Some(match key {
            KeyType::Text => Self::Text(text.to_owned()),
            KeyType::Integer(bits) => {
                let value: i64 = text.parse().ok()?;
                let limit = i64::MAX >> (64 - bits);
                if value > limit || value < -limit - 1 {
                    return None;
                }
                Self::Number(Number::from(value))
            }
            KeyType::Decimal => Self::Number(Number::parse(text)?),
            // Widened exactly: SQL compares a float with a double as doubles.
            KeyType::Float => Self::double(f64::from(text.parse::<f32>().ok()?))?,
            KeyType::Double => Self::double(text.parse().ok()?)?,
            KeyType::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" => Self::Boolean(true),
                "false" => Self::Boolean(false),
                _ => return None,
            },
            KeyType::Date => Self::Time(parse_date(text)?.and_time(NaiveTime::MIN)),
            KeyType::Timestamp => Self::Time(parse_timestamp(text)?),
        })
    }

    /// A literal, as the key's type compares it; `None` if the two cannot be compared.
    pub(crate) fn literal(key: KeyType, value: &Value) -> Option<Self> {
        match (key, value) {
            // Not narrowed to the key's range: `tinyint < 1000` holds.
            (KeyType::Integer(_) | KeyType::Decimal, Value::Str(text) | Value::Decimal(text)) => {
                Number::parse(text).map(Self::Number)
            }
            (KeyType::Float | KeyType::Double, Value::Str(text) | Value::Decimal(text)) => {
                Self::double(text.parse().ok()?)
            }
            (_, Value::Str(text)) => Self::parse(key, text),
            (KeyType::Integer(_) | KeyType::Decimal, Value::Int(value)) => {
                Some(Self::Number(Number::from(*value)))
            }
            (KeyType::Integer(_) | KeyType::Decimal, Value::Double(value)) => {
                Number::from_f64(*value).map(Self::Number)
            }
            (KeyType::Float | KeyType::Double, Value::Int(value)) => Self::double(*value as f64),
            (KeyType::Float | KeyType::Double, Value::Double(value)) => Self::double(*value),
            (KeyType::Boolean, Value::Bool(value)) => Some(Self::Boolean(*value)),
            (KeyType::Date | KeyType::Timestamp, Value::Date(date)) => {
                in_years(date.and_time(NaiveTime::MIN))
            }
            (KeyType::Date | KeyType::Timestamp, Value::Timestamp(time)) => in_years(*time),
            _ => None,
        }
    }

    fn double(value: f64) -> Option<Self> {
        // NaN is not a value anything compares with; -0.0 equals 0.0.
        (!value.is_nan()).then_some(Self::Double(value + 0.0))
    }

    /// The order of two values of one key; `None` if they are of different kinds.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Number(a), Self::Number(b)) => Some(a.compare(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The text whose byte order is the order of the values.
    pub(crate) fn sort_key(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.sort_key(),
            Self::Double(value) => {
                let bits = value.to_bits();
                let ascending = if bits >> 63 == 0 {
                    bits | (1 << 63)
                } else {
                    !bits
                };
                format!("{ascending:016x}")
            }
            Self::Boolean(value) => u8::from(*value).to_string(),
            Self::Time(time) => {
                let mut key = time.format("%Y-%m-%d").to_string();
                if time.time() != NaiveTime::MIN {
                    key.push_str(&time.format(" %H:%M:%S").to_string());
                    if time.nanosecond() != 0 {
                        let fraction = format!(".{:09}", time.nanosecond());
                        key.push_str(fraction.trim_end_matches('0'));
                    }
                }
                key
            }
        }
    }
}

/// Years are four digits, or ISO text would not sort.
fn in_years(time: NaiveDateTime) -> Option<KeyValue> {
    // A leap second's nanoseconds would not fit nine digits.
    ((0..=9999).contains(&time.year()) && time.nanosecond() < 1_000_000_000)
        .then_some(KeyValue::Time(time))
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| -> Option<u32> {
        (digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    NaiveDate::from_ymd_opt(
        i32::try_from(number(year, 4..=4)?).ok()?,
        number(month, 1..=2)?,
        number(day, 1..=2)?,
    )
}

fn parse_timestamp(text: &str) -> Option<NaiveDateTime> {
    let Some((date, time)) = text.split_once([' ', 'T']) else {
        return Some(parse_date(text)?.and_time(NaiveTime::MIN));
    };
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S%.f")
        .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"))
        .ok()?;
    // No leap seconds, as in `in_years`.
    (time.nanosecond() < 1_000_000_000).then_some(parse_date(date)?.and_time(time))
}

/// A decimal number of any scale, without leading zeros before the point or trailing ones after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    integer: String,
    fraction: String,
}

impl Number {
    fn new(negative: bool, integer: &str, fraction: &str) -> Option<Self> {
        let integer = integer.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        (integer.len() <= MAX_DIGITS && fraction.len() <= MAX_DIGITS).then(|| Self {
            negative: negative && !(integer.is_empty() && fraction.is_empty()),
            integer: integer.to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    /// `[+-]digits[.digits][e[+-]digits]`.
    fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if (integer.is_empty() && fraction.is_empty())
            || !integer
                .bytes()
                .chain(fraction.bytes())
                .all(|byte| byte.is_ascii_digit())
            || exponent.unsigned_abs() as usize > 2 * MAX_DIGITS
        {
            return None;
        }
        let shift = exponent.unsigned_abs() as usize;
        if exponent >= 0 {
            let (moved, rest) = fraction.split_at(shift.min(fraction.len()));
            let zeros = "0".repeat(shift - moved.len());
            Self::new(negative, &format!("{integer}{moved}{zeros}"), rest)
        } else {
            let (rest, moved) = integer.split_at(integer.len().saturating_sub(shift));
            let zeros = "0".repeat(shift - moved.len());
            Self::new(negative, rest, &format!("{zeros}{moved}{fraction}"))
        }
    }

    /// By the shortest decimal that denotes the double, as SQL's casts print it. Beyond all decimals it is the
    /// largest (smallest) there is; `None` for NaN.
    fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        // `{}` never writes an exponent for floats.
        let text = value.abs().to_string();
        let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
        if value.is_infinite() || integer.len() > MAX_DIGITS {
            return Self::new(value < 0.0, &"9".repeat(MAX_DIGITS), "");
        }
        let fraction = &fraction[..fraction.len().min(MAX_DIGITS)];
        Self::new(value < 0.0, integer, fraction)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let magnitude = || {
            self.integer
                .len()
                .cmp(&other.integer.len())
                .then_with(|| self.integer.cmp(&other.integer))
                .then_with(|| self.fraction.cmp(&other.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }

    fn sort_key(&self) -> String {
        let mut key = format!("{:02}{}", self.integer.len(), self.integer);
        if !self.fraction.is_empty() {
            key.push('.');
            key.push_str(&self.fraction);
        }
        if self.negative {
            let complement = key.chars().map(|character| match character {
                '0'..='9' => char::from(b'9' - (character as u8 - b'0')),
                other => other,
            });
            format!("n{}~", complement.collect::<String>())
        } else {
            format!("p{key}")
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        let integer = value.unsigned_abs().to_string();
        Self {
            negative: value < 0,
            integer: integer.trim_start_matches('0').to_owned(),
            fraction: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(key_type: KeyType, text: &str) -> KeyValue {
        KeyValue::read(key_type, text).unwrap_or_else(|| panic!("{text} is no {key_type:?}"))
    }

    /// Sort keys order as `expected` says, and so does `compare`.
    fn assert_order(a: &KeyValue, b: &KeyValue, expected: Ordering) {
        assert_eq!(
            a.sort_key().as_bytes().cmp(b.sort_key().as_bytes()),
            expected,
            "{a:?} {b:?}"
        );
        assert_eq!(a.compare(b), Some(expected), "{a:?} {b:?}");
    }

    #[test]
    fn what_is_none_of_the_type_is_null() {
        for (key_type, text) in [
            (KeyType::Integer(64), "x"),
            (KeyType::Integer(64), ""),
            (KeyType::Integer(64), "9223372036854775808"),
            (KeyType::Integer(8), "128"),
            (KeyType::Decimal, "1,5"),
            (KeyType::Decimal, "."),
            (KeyType::Double, "NaN"),
            (KeyType::Date, "2024-02-30"),
            (KeyType::Date, "24-02-03"),
            (KeyType::Timestamp, "2024-01-01 25:00:00"),
            (KeyType::Boolean, "yes"),
            (KeyType::Text, HIVE_DEFAULT_PARTITION),
        ] {
            assert_eq!(
                KeyValue::read(key_type, text),
                None,
                "{text} as {key_type:?}"
            );
        }
        assert_eq!(key(KeyType::Integer(8), "-128").sort_key(), "n96871~");
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (key_type, a, b) in [
            (KeyType::Integer(32), "05", "5"),
            (KeyType::Integer(32), "-0", "0"),
            (KeyType::Decimal, "1.50", "15e-1"),
            (KeyType::Decimal, "1E+2", "100"),
            (KeyType::Double, "-0.0", "0"),
            (KeyType::Date, "2024-1-5", "2024-01-05"),
            (KeyType::Timestamp, "2024-01-05", "2024-01-05T00:00:00.000"),
            (KeyType::Boolean, "TRUE", "true"),
        ] {
            assert_order(&key(key_type, a), &key(key_type, b), Ordering::Equal);
        }
    }

    fn number() -> impl Strategy<Value = (i128, u32)> {
        (
            prop_oneof![-200_i128..200, -10_i128.pow(18)..10_i128.pow(18)],
            0_u32..6,
        )
    }

    proptest! {
        #[test]
        fn integers_sort(a in prop_oneof![any::<i64>(), -120_i64..120], b in prop_oneof![any::<i64>(), -120_i64..120]) {
            assert_order(
                &key(KeyType::Integer(64), &a.to_string()),
                &key(KeyType::Integer(64), &b.to_string()),
                a.cmp(&b),
            );
        }

        #[test]
        fn decimals_sort(a in number(), b in number()) {
            let text = |(digits, scale): (i128, u32)| format!("{digits}e-{scale}");
            let scaled = |(digits, scale): (i128, u32)| digits * 10_i128.pow(6 - scale);
            assert_order(
                &key(KeyType::Decimal, &text(a)),
                &key(KeyType::Decimal, &text(b)),
                scaled(a).cmp(&scaled(b)),
            );
        }

        #[test]
        fn doubles_sort(a in any::<f64>(), b in any::<f64>()) {
            assert_order(
                &key(KeyType::Double, &a.to_string()),
                &key(KeyType::Double, &b.to_string()),
                a.partial_cmp(&b).unwrap(),
            );
        }

        #[test]
        fn times_sort(a in 0_i64..3_000, b in 0_i64..3_000, nanos in 0_u32..3) {
            // Around midnight, in steps that meet it.
            let time = |step: i64, nanos: u32| {
                chrono::DateTime::from_timestamp(1_700_000_000 + step * 60, nanos * 500_000_000 / 2).unwrap().naive_utc()
            };
            let (a, b) = (time(a, nanos), time(b, 0));
            assert_order(&KeyValue::Time(a), &KeyValue::Time(b), a.cmp(&b));
            prop_assert_eq!(key(KeyType::Timestamp, &KeyValue::Time(a).sort_key()), KeyValue::Time(a));
        }

        #[test]
        fn nothing_panics(text in "[-+0-9.eE: T]{0,30}", which in 0_usize..8) {
            let types = [KeyType::Text, KeyType::Integer(16), KeyType::Decimal, KeyType::Float, KeyType::Double,
                KeyType::Boolean, KeyType::Date, KeyType::Timestamp];
            let _ = KeyValue::read(types[which], &text).map(|value| value.sort_key());
            let _ = KeyValue::literal(types[which], &Value::Str(text.clone()));
            let _ = KeyValue::literal(types[which], &Value::Decimal(text));
        }
    }
}
