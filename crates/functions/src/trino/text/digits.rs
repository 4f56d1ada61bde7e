//! Digits as formats write them.

use arrow::datatypes::DataType;

use super::spec::Spec;

/// Text with blanks in front or behind.
pub(super) fn padded(text: &str, spec: &Spec) -> String {
    let width = spec.width.unwrap_or(0);
    if spec.left {
        format!("{text:<width$}")
    } else {
        format!("{text:>width$}")
    }
}

/// The bits of an integer in the width of its type.
pub(super) fn masked(n: i64, kind: &DataType) -> u64 {
    match kind.primitive_width() {
        Some(1) => n as u64 & 0xFF,
        Some(2) => n as u64 & 0xFFFF,
        Some(4) => n as u64 & 0xFFFF_FFFF,
        _ => n as u64,
    }
}

/// Digits of another base, with their prefix and zeros in front as the flags say.
pub(super) fn bits(digits: &str, prefix: &str, spec: &Spec) -> String {
    let digits = if spec.alternate {
        format!("{prefix}{digits}")
    } else {
        digits.to_owned()
    };
    if spec.zero {
        let width = spec.width.unwrap_or(0);
        return format!("{digits:0>width$}");
    }
    padded(&digits, spec)
}

/// A number's digits with its sign, its thousands set apart, and zeros in front as the flags say.
pub(super) fn signed(digits: &str, negative: bool, spec: &Spec) -> String {
    let mut digits = if spec.comma {
        grouped(digits)
    } else {
        digits.to_owned()
    };
    let (before, after) = match (negative, spec.paren) {
        (true, true) => ("(", ")"),
        (true, false) => ("-", ""),
        (false, _) if spec.plus => ("+", ""),
        (false, _) if spec.space => (" ", ""),
        (false, _) => ("", ""),
    };
    if spec.zero {
        let width = spec
            .width
            .unwrap_or(0)
            .saturating_sub(before.len() + after.len());
        digits = format!("{digits:0>width$}");
    }
    padded(&format!("{before}{digits}{after}"), spec)
}

fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::with_capacity(digits.len() + whole.len() / 3);
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out + fraction
}

/// Decimal digits (no sign, no exponent) rounded to so many behind the point, halves up.
pub(super) fn decimal(digits: &str, precision: usize) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() <= precision {
        let dot = if precision > 0 { "." } else { "" };
        return format!("{whole}{dot}{fraction:0<precision$}");
    }
    let up = fraction
        .as_bytes()
        .get(precision)
        .is_some_and(|b| *b >= b'5');
    let kept = fraction.get(..precision).unwrap_or_default();
    let mut all: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    let mut carry = up;
    for digit in all.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    if carry {
        all.insert(0, b'1');
    }
    let text: String = all.into_iter().map(char::from).collect();
    let (whole, fraction) = text.split_at(text.len() - precision);
    let dot = if precision > 0 { "." } else { "" };
    format!("{whole}{dot}{fraction}")
}

/// One digit, a point and so many more, with an exponent of two digits or more.
pub(super) fn scientific(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let sign = if exponent.starts_with('-') { '-' } else { '+' };
            format!("{digits}e{sign}{:0>2}", exponent.trim_start_matches('-'))
        }
        None => text,
    }
}
