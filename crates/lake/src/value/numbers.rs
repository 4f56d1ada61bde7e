//! The type of a column of numbers: a double only where no value is another one in it.

use arrow::datatypes::DataType;

/// The significant digits that every double keeps (IEEE 754, `DBL_DIG`).
const DOUBLE_DIGITS: usize = 15;
/// The significant digits by which every double is told from all others (C's `DBL_DECIMAL_DIG`): a
/// fraction with as many was a floating-point number before it was written.
const PRINTED_DIGITS: usize = 17;
/// The digits of a decimal.
const DECIMAL_DIGITS: usize = 38;
/// The digits of an integer of 64 bits, at most.
const INTEGER_DIGITS: usize = 19;
/// Doubles hold every integer up to this one (2^53).
const WHOLE: u64 = 1 << 53;

/// The digits of a column's numbers.
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    /// Digits before the point, at most.
    whole: usize,
    /// Digits behind it, at least and at most.
    scale: (usize, usize),
    /// Whether one has more digits than every double keeps.
    long: bool,
    /// Whether one has an exponent.
    exponent: bool,
    /// Whether one, written without an exponent, is another number as a double.
    changes: bool,
    /// How many numbers have a fraction or an exponent.
    reals: u64,
    /// Whether there are integers of 64 bits, and others beyond them.
    integers: bool,
    beyond: bool,
}

impl Default for Digits {
    fn default() -> Self {
        Digits {
            whole: 0,
            scale: (usize::MAX, 0),
            long: false,
            exponent: false,
            changes: false,
            reals: 0,
            integers: false,
            beyond: false,
        }
    }
}

/// Whether a number is another one as a double: its own significant digits, as many as there are,
/// are not those that the double has. `text` has no exponent.
fn changes(text: &str, significant: usize) -> bool {
    // A double has no more digits, all told.
    let Some(value) = text.parse::<f64>().ok().filter(|_| significant < 800) else {
        return true;
    };
    let digits = |text: &str| -> Vec<u8> {
        let own = text.bytes().filter(u8::is_ascii_digit);
        own.skip_while(|b| *b == b'0').collect()
    };
    let held = format!("{:.*e}", significant.saturating_sub(1), value.abs());
    let held = held.split('e').next().unwrap_or_default();
    digits(text) != digits(held)
}

/// Whether a double keeps the digits that a number is written with.
pub fn is_exact_double(text: &str) -> bool {
    let mut digits = Digits::default();
    if memchr::memchr3(b'.', b'e', b'E', text.as_bytes()).is_some() {
        digits.see_real(text);
    } else {
        digits.see_integer(text, text.parse::<i64>().is_err());
    }
    !digits.changes
}

impl Digits {
    /// An integer, of 64 bits or `beyond` them.
    pub fn see_integer(&mut self, text: &str, beyond: bool) {
        let body = text.trim_start_matches('-');
        self.whole = self.whole.max(body.len());
        self.integers |= !beyond;
        self.beyond |= beyond;
        // 2^53 has 16 digits.
        self.changes |=
            beyond || body.len() > DOUBLE_DIGITS && body.parse::<u64>().is_ok_and(|n| n > WHOLE);
    }

    /// A number with a fraction or an exponent.
    pub fn see_real(&mut self, text: &str) {
        let body = text.trim_start_matches('-');
        let (whole, scale) = match memchr::memchr(b'.', body.as_bytes()) {
            Some(point) => (point, body.len() - point - 1),
            None => (body.len(), 0),
        };
        self.reals += 1;
        self.whole = self.whole.max(whole);
        self.scale = (self.scale.0.min(scale), self.scale.1.max(scale));
        if memchr::memchr2(b'e', b'E', body.as_bytes()).is_some() {
            self.exponent = true;
        } else if body.len() > DOUBLE_DIGITS {
            let digits = body.bytes().filter(u8::is_ascii_digit);
            let significant = digits.skip_while(|b| *b == b'0').count();
            self.long |= significant > DOUBLE_DIGITS;
            self.changes |= (significant > PRINTED_DIGITS || whole > DOUBLE_DIGITS)
                && changes(body, significant);
        }
    }

    /// The type of all that was seen, in a column with infinities where `infinite`. A double, unless
    /// that would be another number than is written; then a decimal; and text where none has the
    /// digits.
    ///
    /// Amounts, all written with one scale, are a decimal before they are another number: doubles
    /// would lose digits of their sums. `amounts` says whether numbers are written by people and
    /// databases (CSV), and not by programs that have doubles (JSON).
    ///
    /// Whoever writes an exponent means a floating-point number, the nearest double.
    pub fn data_type(&self, infinite: bool, amounts: bool) -> DataType {
        let decimal = || self.decimal().filter(|_| !infinite && !self.exponent);
        if self.reals == 0 && !infinite {
            return match self.beyond {
                true => DataType::Decimal128(38, 0),
                false => DataType::Int64,
            };
        }
        if self.changes {
            return decimal().unwrap_or(DataType::Utf8);
        }
        let amounts = amounts && self.long && self.reals > 1 && self.scale.0 == self.scale.1;
        decimal().filter(|_| amounts).unwrap_or(DataType::Float64)
    }

    fn decimal(&self) -> Option<DataType> {
        let scale = self.scale.1;
        let seen = (self.whole + scale).max(DOUBLE_DIGITS + 1);
        if seen > DECIMAL_DIGITS {
            return None;
        }
        // Integers further on may be longer than those that were seen.
        let digits = match (self.beyond, self.integers) {
            (true, _) => DECIMAL_DIGITS,
            (_, true) => seen.max(scale + INTEGER_DIGITS).min(DECIMAL_DIGITS),
            _ => seen,
        };
        let scale = i8::try_from(scale).ok()?;
        Some(DataType::Decimal128(u8::try_from(digits).ok()?, scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_that_are_other_numbers_are_told() {
        // Python: `float('0.1234567890123456789')` prints as 0.12345678901234568.
        for (text, expected) in [
            ("0.1234567890123456789", true),
            ("9007199254740993.5", true),
            ("0.12345678901234567", false),
            ("0.1000000000000000055511", false),
            ("123456789012345.67", false),
            ("0.00000000000000000000", false),
            ("100000000000000000000.0", false),
        ] {
            let mut digits = Digits::default();
            digits.see_real(text);
            assert_eq!(digits.changes, expected, "{text}");
        }
    }

    proptest! {
        /// What a program prints of a double, to as many digits as it likes, is that double.
        #[test]
        fn doubles_that_were_printed_stay_doubles(value in -1e12f64..1e12, places in 0usize..60) {
            let mut digits = Digits::default();
            digits.see_real(&format!("{value:.places$}"));
            let mut shortest = Digits::default();
            shortest.see_real(&format!("{value:?}"));
            prop_assert!(!digits.changes && !shortest.changes);
        }

        #[test]
        fn any_number_of_digits_is_looked_at(whole in "[0-9]{1,400}", fraction in "[0-9]{0,900}") {
            let mut digits = Digits::default();
            digits.see_real(&format!("{whole}.{fraction}"));
            digits.see_integer(&whole, whole.len() > 18);
            let _ = digits.data_type(false, true);
        }
    }
}
