//! What a piece of text can be: the one place where text becomes a value.
//!
//! Inference and decoding share these functions, so that a column that was inferred as a type can
//! always be read as that type.

mod look;
mod moment;
mod numbers;

use arrow::datatypes::TimeUnit;

pub use self::look::Looks;
pub use self::moment::{
    Calendar, DateOrder, Moment, Ordered, Orders, date, instant, is_finer, ordered, timestamp,
};
pub use self::numbers::{Digits, is_exact_double};

/// Text that stands for "no value" in files that people and programs write. In a column of text
/// most of them may be values (`NA` is Namibia): see [`TEXT_NULLS`].
pub const NULL_MARKERS: &[&str] = &[
    "NA", "N/A", "n/a", "na", "NULL", "null", "Null", "None", "none", "\\N", "NaN", "nan", "NAN",
    "#N/A", "#NA", "#N/A N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "<NA>", "<null>",
    "<NULL>", "(null)", "(NULL)", "nil", "n.a.", "N.A.", "-", "--", "---", "?", ".", "..", "...",
    "*", "–", "—", "missing", "Missing", "MISSING", "-nan", "-NaN", "1.#QNAN", "-1.#IND", ":",
];

/// Markers that stand for null even among text: no program writes them for anything else, and no
/// person for a name. `\N` is Hive's and MySQL's own; databases export `NULL`, Excel `#N/A`, R and
/// Julia `<NA>`. `Null`, a surname, and `NA`, a country, are not among them.
pub const TEXT_NULLS: &[&str] = &[
    "\\N", "NULL", "null", "(null)", "(NULL)", "<null>", "<NULL>", "<NA>", "#N/A",
];

/// Whether a text is one of [`NULL_MARKERS`]. Cheap for all that are longer.
pub fn is_null_marker(text: &str) -> bool {
    text.len() <= 8 && NULL_MARKERS.contains(&text)
}

/// `true` or `false` in any case, and the other words by which files say so.
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        flag(text).map(|flag| flag & (YES | Y | T) != 0)
    }
}

/// `yes`.
pub const YES: u8 = 1;
/// `no`.
pub const NO: u8 = 2;
/// `y`.
pub const Y: u8 = 4;
/// `n`.
pub const N: u8 = 8;
/// `t`.
pub const T: u8 = 16;
/// `f`.
pub const F: u8 = 32;

/// Which word beside `true` and `false` a text is that may be a boolean, in any case: one of
/// [`YES`] to [`F`]. Whether it is one, its column tells: `F` may be female, and `N` north.
pub fn flag(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [b'y' | b'Y'] => Some(Y),
        [b'n' | b'N'] => Some(N),
        [b't' | b'T'] => Some(T),
        [b'f' | b'F'] => Some(F),
        [_, _] => text.eq_ignore_ascii_case("no").then_some(NO),
        [_, _, _] => text.eq_ignore_ascii_case("yes").then_some(YES),
        _ => None,
    }
}

/// Whether words are the two sides of one question: `yes` or `no` alone are enough, but of single
/// letters both must be there.
pub fn flags_are_boolean(flags: u8) -> bool {
    flags & !(YES | NO) == 0 && flags != 0 || flags == Y | N || flags == T | F
}

/// Infinity as programs write it; a number only in a column of numbers.
pub fn infinite(text: &str) -> bool {
    let name = text.strip_prefix(['-', '+']).unwrap_or(text);
    name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("infinity")
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

/// The digits before a number's point, and whether it has a point or an exponent.
fn written(text: &str) -> Option<(usize, bool)> {
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
    (at == body.len()).then_some((whole, real))
}

/// Whether a text is written as a number is: see [`number`].
pub fn is_number(text: &str) -> bool {
    written(text).is_some()
}

/// Tells numbers from what only looks like one: leading zeros (`007`, an id), a leading plus
/// (`+4912`, a telephone number) and names of numbers (`inf`) are no numbers.
pub fn number(text: &str) -> Option<Number> {
    let (whole, real) = written(text)?;
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
    fn words_are_booleans_where_their_column_says_so() {
        let all = |words: &[&str]| words.iter().filter_map(|w| flag(w)).fold(0, |a, b| a | b);
        assert!(flags_are_boolean(all(&["yes", "No"])));
        assert!(flags_are_boolean(all(&["Y", "n"])));
        assert!(!flags_are_boolean(all(&["F"])));
        assert!(!flags_are_boolean(all(&["Y", "no"])));
        assert_eq!(boolean("YES"), Some(true));
        assert_eq!(boolean("f"), Some(false));
        assert_eq!(boolean("1"), None);
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

        #[test]
        fn integers_survive(value: i64) {
            prop_assert_eq!(number(&value.to_string()), Some(Number::Integer));
        }
    }
}
