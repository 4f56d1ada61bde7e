//! What a piece of text can be: the one place where text becomes a value.
//!
//! Inference and decoding share these functions, so that a column that was inferred as a type can
//! always be read as that type.

use arrow::datatypes::TimeUnit;
use chrono::{Datelike, NaiveDate};

/// Text that stands for "no value" in files that people and programs write.
pub const NULL_MARKERS: &[&str] = &[
    "NA", "N/A", "n/a", "NULL", "null", "Null", "None", "\\N", "NaN", "nan", "#N/A", "-",
];

/// `true` or `false` in any case.
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// How a text looks as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Digits that fit 64 bits.
    Integer,
    /// Digits that do not; this many.
    Long(u8),
    /// With a point or an exponent.
    Real,
}

/// Tells numbers from what only looks like one: leading zeros (`007`, an id), a leading plus
/// (`+4912`, a telephone number) and names of numbers (`inf`) are no numbers.
pub fn number(text: &str) -> Option<Number> {
    let bytes = text.as_bytes();
    let body = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = body.iter().take_while(|b| b.is_ascii_digit()).count();
    if whole > 1 && body[0] == b'0' {
        return None;
    }
    let mut at = whole;
    let mut fraction = 0;
    if body.get(at) == Some(&b'.') {
        fraction = body[at + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    let mut real = at > whole;
    if matches!(body.get(at), Some(b'e' | b'E')) {
        let mut digits = at + 1;
        if matches!(body.get(digits), Some(b'+' | b'-')) {
            digits += 1;
        }
        let count = body[digits..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count == 0 {
            return None;
        }
        at = digits + count;
        real = true;
    }
    if at != body.len() {
        return None;
    }
    Some(if real {
        // "-.": no digits at all was ruled out above; "1e999" is no finite number.
        return text
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite())
            .map(|_| Number::Real);
    } else if text.parse::<i64>().is_ok() {
        Number::Integer
    } else {
        Number::Long(u8::try_from(whole).unwrap_or(u8::MAX))
    })
}

/// A 64-bit integer.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A double. Text that stands for no finite number is none, but for `NaN` and the infinities as
/// JSON and CSV writers spell them.
pub fn double(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    // An overflow ("1e999") would silently be another value.
    (value.is_finite() || !text.bytes().any(|b| b.is_ascii_digit())).then_some(value)
}

/// A decimal of `precision` digits, `scale` of them after the point, as an unscaled integer.
/// Digits that the scale has no place for must be zeros.
pub fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (
            &body[..at],
            body[at + 1..].parse::<i32>().ok()?.clamp(-10_000, 10_000),
        ),
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value: i128 = 0;
    // The place of the next digit, counted from the last one that the scale keeps.
    let mut place = i32::try_from(whole.len()).ok()? + exponent + i32::try_from(scale).ok()?;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        place -= 1;
        if place >= 0 {
            value = value
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
        } else if digit != b'0' {
            return None;
        }
    }
    if value != 0 {
        for _ in 0..place {
            value = value.checked_mul(10)?;
        }
    }
    let digits = value.checked_ilog10().map_or(1, |l| l + 1);
    (digits <= u32::from(precision)).then_some(if negative { -value } else { value })
}

fn digits(bytes: &[u8]) -> Option<u32> {
    let mut value: u32 = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u32::from(byte - b'0');
    }
    Some(value)
}

fn days(bytes: &[u8]) -> Option<i32> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(digits(&bytes[..4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, digits(&bytes[5..7])?, digits(&bytes[8..])?)?;
    // Days from year 1 to 1970-01-01.
    Some(date.num_days_from_ce() - 719_163)
}

/// A date `yyyy-mm-dd`, in days since 1970-01-01.
pub fn date(text: &str) -> Option<i32> {
    days(text.as_bytes())
}

/// A moment in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970-01-01 00:00:00, in UTC where `zoned`.
    pub micros: i64,
    /// Whether the text named its offset from UTC.
    pub zoned: bool,
}

/// A timestamp of ISO 8601: a date, `T` or a space, `hh:mm[:ss[.fraction]]`, and perhaps `Z` or an
/// offset `±hh[[:]mm]`. A fraction finer than a microsecond is no timestamp of ours.
pub fn timestamp(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    if bytes.len() < 16 || !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' {
        return None;
    }
    let days = i64::from(days(&bytes[..10])?);
    let (hour, minute) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?);
    let mut at = 16;
    let mut second = 0;
    let mut micros: i64 = 0;
    if bytes.get(at) == Some(&b':') {
        second = digits(bytes.get(at + 1..at + 3)?)?;
        at += 3;
        if matches!(bytes.get(at), Some(b'.' | b',')) {
            let count = bytes[at + 1..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
            if count == 0 {
                return None;
            }
            for place in 0..count {
                let digit = i64::from(bytes[at + 1 + place] - b'0');
                if place < 6 {
                    micros = micros * 10 + digit;
                } else if digit != 0 {
                    return None;
                }
            }
            micros *= 10i64.pow(u32::try_from(6usize.saturating_sub(count)).ok()?);
            at += 1 + count;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = offset_minutes(&bytes[at..])?;
    let seconds = days * 86_400
        + i64::from(hour) * 3600
        + (i64::from(minute) - offset.unwrap_or(0)) * 60
        + i64::from(second);
    Some(Moment {
        micros: seconds * 1_000_000 + micros,
        zoned: offset.is_some(),
    })
}

/// `Some(None)` where there is no offset at all.
fn offset_minutes(bytes: &[u8]) -> Option<Option<i64>> {
    let (sign, rest) = match bytes {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b' ', b'U', b'T', b'C'] => return Some(Some(0)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [_, _] => (digits(rest)?, 0),
        [_, _, b':', _, _] => (digits(&rest[..2])?, digits(&rest[3..])?),
        [_, _, _, _] => (digits(&rest[..2])?, digits(&rest[2..])?),
        _ => return None,
    };
    (hours <= 15 && minutes <= 59).then(|| Some(sign * i64::from(hours * 60 + minutes)))
}

/// Microseconds in another unit; `None` where the unit cannot hold them exactly.
pub fn in_unit(micros: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => (micros % 1_000_000 == 0).then_some(micros / 1_000_000),
        TimeUnit::Millisecond => (micros % 1000 == 0).then_some(micros / 1000),
        TimeUnit::Microsecond => Some(micros),
        TimeUnit::Nanosecond => micros.checked_mul(1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_told_from_ids() {
        assert_eq!(number("42"), Some(Number::Integer));
        assert_eq!(number("-0.5"), Some(Number::Real));
        assert_eq!(number("1e-7"), Some(Number::Real));
        assert_eq!(number("12345678901234567890"), Some(Number::Long(20)));
        for id in [
            "007", "00", "+49", "1,000", "inf", "NaN", "", "-", ".", "1e", "0x10", "1_000", " 1",
            "1e999",
        ] {
            assert_eq!(number(id), None, "{id}");
        }
        assert_eq!(number("0"), Some(Number::Integer));
        assert_eq!(number("0.10"), Some(Number::Real));
    }

    #[test]
    fn dates_and_timestamps() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("2023-02-29"), None);
        let at = |t| timestamp(t).map(|m| (m.micros, m.zoned));
        assert_eq!(at("1970-01-01 00:00:01.5"), Some((1_500_000, false)));
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Some((0, true)));
        assert_eq!(at("1970-01-01T00:00Z"), Some((0, true)));
        assert_eq!(at("1970-01-01T00:00:00.1234567"), None);
        assert_eq!(at("1970-01-01T00:00:00.123456000"), Some((123_456, false)));
        assert_eq!(at("1970-01-01T25:00:00"), None);
        assert_eq!(at("1970-01-01Tx0:00:00"), None);
    }

    #[test]
    fn decimals_are_exact_or_nothing() {
        assert_eq!(decimal("12.345", 10, 3), Some(12_345));
        assert_eq!(decimal("12.340", 10, 2), Some(1_234));
        assert_eq!(decimal("12.345", 10, 2), None);
        assert_eq!(decimal("-1e3", 10, 2), Some(-100_000));
        assert_eq!(decimal("1.5e-1", 10, 2), Some(15));
        assert_eq!(decimal("999", 2, 0), None);
        assert_eq!(decimal("1e400", 38, 0), None);
        assert_eq!(decimal("", 38, 0), None);
        assert_eq!(decimal("1e2147483647", 38, 0), None);
        assert_eq!(decimal(".5e-2147483648", 38, 0), None);
        assert_eq!(decimal("0.00", 3, 1), Some(0));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = (number(&text), date(&text), timestamp(&text), decimal(&text, 38, 10), double(&text));
        }

        #[test]
        fn texts_like_values_do_not_panic(text in "[-+0-9eE.:TZ ]{0,30}") {
            let _ = (number(&text), date(&text), timestamp(&text), decimal(&text, 38, 10), double(&text));
        }

        /// chrono's own parser is the judge.
        #[test]
        fn timestamps_agree_with_chrono(seconds in -62_000_000_000i64..250_000_000_000, micros in 0u32..1_000_000) {
            let time = chrono::DateTime::from_timestamp(seconds, micros * 1000).unwrap();
            let text = time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
            prop_assert_eq!(timestamp(&text).map(|m| m.micros), Some(time.timestamp_micros()));
        }

        #[test]
        fn integers_survive(value: i64) {
            prop_assert_eq!(number(&value.to_string()), Some(Number::Integer));
        }
    }
}
