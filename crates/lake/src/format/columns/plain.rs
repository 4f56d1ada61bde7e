//! Cells as nearly all files have them, many at a time.
//!
//! What is read here is what [`Column::append_text`] reads from the same text, in the one way of writing it that most
//! files use: whole numbers without a plus, fractions of at most fifteen digits without an exponent, dates
//! of ISO 8601. Anything else is left to that.

use arrow::array::PrimitiveBuilder;
use arrow::datatypes::ArrowPrimitiveType;

use super::{Column, Store};

/// How many cells are appended at a time, at most.
pub(in crate::format) const BLOCK: usize = 256;

impl Column {
    /// Appends cells up to the first that is not plain: one that is missing or empty, begins with a
    /// byte that is none of `plain`, or is written in another way than most. How many there were.
    pub(in crate::format) fn append_plain<'a>(
        &mut self,
        plain: &[bool; 256],
        cells: impl Iterator<Item = Option<&'a str>>,
    ) -> usize {
        let as_found = self.reading.frame && self.is_number();
        let cells = cells.map_while(|cell| if_plain(plain, as_found, cell));
        match &mut self.store {
            Store::Utf8(b) => cells.map(|cell| b.append_value(cell)).count(),
            Store::View(b) => cells.map(|cell| b.append_value(cell)).count(),
            Store::Int8(b) => run(b, cells, |c| i8::try_from(integer(c)?).ok()),
            Store::Int16(b) => run(b, cells, |c| i16::try_from(integer(c)?).ok()),
            Store::Int32(b) => run(b, cells, |c| i32::try_from(integer(c)?).ok()),
            Store::Int64(b) => run(b, cells, integer),
            Store::Float64(b) => run(b, cells, double),
            Store::Decimal(b, precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                let mut count = 0;
                for value in cells.map_while(|c| decimal(c.as_bytes(), precision, scale)) {
                    b.append_value(value);
                    count += 1;
                }
                count
            }
            Store::Date(b) => run(b, cells, date),
            Store::Choice(choice) => {
                let mut cells = cells;
                choice.append_plain(plain, &mut cells)
            }
            _ => 0,
        }
    }

    /// Appends cells at rising places, of which the first is the next, like [`Self::append_plain`], and something else
    /// between them. How many there were; nothing is appended behind the last of them.
    pub(in crate::format) fn append_plain_at<'a>(
        &mut self,
        plain: &[bool; 256],
        places: &[usize],
        cell: impl Fn(usize) -> Option<&'a str>,
    ) -> usize {
        let Some(from) = places.first().copied() else {
            return 0;
        };
        let as_found = self.reading.frame && self.is_number();
        let cells = places.iter().map(|place| cell(*place));
        let cells = cells.map_while(|cell| if_plain(plain, as_found, cell));
        match &mut self.store {
            Store::View(b) => {
                let (mut count, mut at) = (0, from);
                for (place, cell) in places.iter().zip(cells) {
                    (at..*place).for_each(|_| b.append_value(""));
                    b.append_value(cell);
                    (count, at) = (count + 1, place + 1);
                }
                count
            }
            Store::Int8(b) => run_at(b, from, places, cells, |c| i8::try_from(integer(c)?).ok()),
            Store::Int16(b) => run_at(b, from, places, cells, |c| i16::try_from(integer(c)?).ok()),
            Store::Int32(b) => run_at(b, from, places, cells, |c| i32::try_from(integer(c)?).ok()),
            Store::Int64(b) => run_at(b, from, places, cells, integer),
            Store::Float64(b) => run_at(b, from, places, cells, double),
            Store::Date(b) => run_at(b, from, places, cells, date),
            // Those that follow each other.
            _ => {
                let run = places.iter().zip(from..).take_while(|(a, b)| *a == b);
                let run = places[..run.count()].iter().map(|place| cell(*place));
                self.append_plain(plain, run)
            }
        }
    }

    /// Appends so many values that nobody will look at.
    pub(in crate::format) fn append_unread(&mut self, count: usize) {
        match &mut self.store {
            Store::Int8(b) => b.append_value_n(0, count),
            Store::Int16(b) => b.append_value_n(0, count),
            Store::Int32(b) => b.append_value_n(0, count),
            Store::Int64(b) => b.append_value_n(0, count),
            Store::Float64(b) => b.append_value_n(0.0, count),
            Store::Date(b) => b.append_value_n(0, count),
            Store::View(b) => (0..count).for_each(|_| b.append_value("")),
            _ => self.append_nulls(count),
        }
    }
}

/// A cell that begins as most do.
#[inline]
fn if_plain<'a>(plain: &[bool; 256], as_found: bool, cell: Option<&'a str>) -> Option<&'a str> {
    let cell = cell?;
    let first = cell.as_bytes().first()?;
    let kept = plain[usize::from(*first)] && !(as_found && has_leading_zero(cell));
    kept.then_some(cell)
}

/// Appends what cells are read as at their places, the first of which is `from`, up to the first that is not; something
/// else between them. How many there were.
fn run_at<'a, T: ArrowPrimitiveType>(
    builder: &mut PrimitiveBuilder<T>,
    from: usize,
    places: &[usize],
    cells: impl Iterator<Item = &'a str>,
    read: impl Fn(&[u8]) -> Option<T::Native>,
) -> usize {
    let mut values = [T::Native::default(); BLOCK];
    let (mut count, mut end) = (0, 0);
    let read = cells.map_while(|cell| read(cell.as_bytes()));
    for (place, value) in places.iter().zip(read) {
        let Some(slot) = values.get_mut(place - from) else {
            break;
        };
        *slot = value;
        (count, end) = (count + 1, place - from + 1);
    }
    builder.append_slice(&values[..end]);
    count
}

/// Appends what cells are read as, up to the first that is not.
fn run<'a, T: ArrowPrimitiveType>(
    builder: &mut PrimitiveBuilder<T>,
    cells: impl Iterator<Item = &'a str>,
    read: impl Fn(&[u8]) -> Option<T::Native>,
) -> usize {
    let mut values = [T::Native::default(); BLOCK];
    let mut count = 0;
    for (slot, value) in values
        .iter_mut()
        .zip(cells.map_while(|cell| read(cell.as_bytes())))
    {
        *slot = value;
        count += 1;
    }
    builder.append_slice(&values[..count]);
    count
}

/// Whether a digit follows a zero at the beginning, as in `007`: a frame takes that for text.
fn has_leading_zero(text: &str) -> bool {
    matches!(signed(text.as_bytes()).1, [b'0', b'0'..=b'9', ..])
}

/// Whether a text is a code and no number: digits alone, the first of several a zero.
pub(crate) fn is_code(text: &str) -> bool {
    has_leading_zero(text) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A sign and what follows it.
fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    }
}

/// Up to 18 digits, and nothing else.
fn digits(text: &[u8], mut value: u64) -> Option<u64> {
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

fn integer(text: &[u8]) -> Option<i64> {
    let (negative, body) = signed(text);
    if body.is_empty() || body.len() > 18 {
        return None;
    }
    let value = digits(body, 0)?.cast_signed();
    Some(if negative { -value } else { value })
}

/// Digits with a point among them or without: all of them as one number, and how many are behind the
/// point. At most 18.
fn fraction(body: &[u8]) -> Option<(u64, usize)> {
    if body.len() > 19 {
        return None;
    }
    let Some(point) = body.iter().position(|b| *b == b'.') else {
        return (body.len() < 19 && !body.is_empty())
            .then(|| digits(body, 0))
            .flatten()
            .map(|value| (value, 0));
    };
    let (whole, behind) = (&body[..point], &body[point + 1..]);
    if whole.is_empty() || behind.is_empty() {
        return None;
    }
    Some((digits(behind, digits(whole, 0)?)?, behind.len()))
}

/// The powers of ten that a quotient by them is rounded but once with: doubles hold them exactly, as
/// they do the numbers of fifteen digits that are divided (Clinger, "How to read floating point numbers
/// accurately", 1990).
const TENS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

fn double(text: &[u8]) -> Option<f64> {
    let (negative, body) = signed(text);
    if body.len() > 16 {
        return None;
    }
    let (value, behind) = fraction(body)?;
    if value >= 1_000_000_000_000_000 {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // it has fifteen digits
    let value = value as f64 / TENS.get(behind)?;
    Some(if negative { -value } else { value })
}

fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, body) = signed(text);
    let (value, behind) = fraction(body)?;
    // Digits that the scale has no place for may be zeros.
    let missing = u32::try_from(usize::try_from(scale).ok()?.checked_sub(behind)?).ok()?;
    let value = i128::from(value).checked_mul(10i128.checked_pow(missing)?)?;
    let digits = value.checked_ilog10().map_or(1, |l| l + 1);
    (digits <= u32::from(precision)).then_some(if negative { -value } else { value })
}

/// The days of each month, and of all months before it, in a year that is no leap year.
const MONTHS: [(u32, u32); 12] = [
    (31, 0),
    (28, 31),
    (31, 59),
    (30, 90),
    (31, 120),
    (30, 151),
    (31, 181),
    (31, 212),
    (30, 243),
    (31, 273),
    (30, 304),
    (31, 334),
];
/// From 0000-01-01 to 1970-01-01, in the calendar as it would have been.
const EPOCH: i32 = 719_528;

/// `yyyy-mm-dd`, in days since 1970-01-01.
fn date(text: &[u8]) -> Option<i32> {
    let (head, tail) = text.split_first_chunk::<8>()?;
    let [d1, d2] = *tail else {
        return None;
    };
    // Eight bytes at once: this leaves the value of digits and nothing of dashes, so that a byte to which as much is
    // added as makes the most it may be 127 has its highest bit where it is more.
    let head = u64::from_le_bytes(*head) ^ u64::from_le_bytes(*b"0000-00-");
    let most = head.wrapping_add(0x7f76_767f_7676_7676);
    if (head | most) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let [y1, y2, y3, y4, _, m1, m2, _] = head.to_le_bytes().map(u32::from);
    let (d1, d2) = (d1.wrapping_sub(b'0'), d2.wrapping_sub(b'0'));
    if d1 > 9 || d2 > 9 {
        return None;
    }
    let year = y1 * 1000 + y2 * 100 + y3 * 10 + y4;
    let (month, day) = (m1 * 10 + m2, u32::from(d1 * 10 + d2));
    let (length, before) = *MONTHS.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if day < 1 || day > length + u32::from(leap && month == 2) {
        return None;
    }
    // The leap days of all years before this one, of which 0000 is the first.
    let leaps = year.div_ceil(4) - year.div_ceil(100) + year.div_ceil(400);
    let days = year * 365 + leaps + before + u32::from(leap && month > 2) + day - 1;
    Some(days.cast_signed() - EPOCH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::value;
    use proptest::prelude::*;

    /// Whatever is read here is what the one place where text becomes a value reads.
    fn agrees(text: &str) {
        let bytes = text.as_bytes();
        if let Some(read) = integer(bytes) {
            assert_eq!(text.parse::<i64>(), Ok(read), "{text}");
        }
        if let Some(read) = double(bytes) {
            let expected = value::double(text).unwrap();
            assert_eq!(read.to_bits(), expected.to_bits(), "{text}");
        }
        for (precision, scale) in [(38, 0), (38, 10), (10, 2), (3, 3)] {
            if let Some(read) = decimal(bytes, precision, scale) {
                assert_eq!(value::decimal(text, precision, scale), Some(read), "{text}");
            }
        }
        if let Some(read) = date(bytes) {
            assert_eq!(value::date(text), Some(read), "{text}");
        }
    }

    #[test]
    fn what_most_files_have_is_read() {
        assert_eq!(integer(b"-42"), Some(-42));
        assert_eq!(
            integer(b"123456789012345678"),
            Some(123_456_789_012_345_678)
        );
        assert_eq!(double(b"21168.23"), Some(21_168.23));
        assert_eq!(double(b"-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
        assert_eq!(decimal(b"-12.5", 10, 2), Some(-1250));
        assert_eq!(decimal(b"12.5", 3, 2), None);
        // Python: (date(1996, 3, 13) - date(1970, 1, 1)).days
        assert_eq!(date(b"1996-03-13"), Some(9568));
        assert_eq!(date(b"2023-02-29"), None);
        for odd in [
            "",
            "-",
            "+1",
            "1e3",
            ".5",
            "5.",
            "1_0",
            " 1",
            "1.2.3",
            "9999999999999999999",
        ] {
            let bytes = odd.as_bytes();
            assert_eq!(
                (integer(bytes), double(bytes), date(bytes)),
                (None, None, None),
                "{odd}"
            );
        }
    }

    #[test]
    fn every_day_of_the_calendar_is_read() {
        for days in -719_528..2_932_897 {
            let text = chrono::DateTime::from_timestamp(i64::from(days) * 86_400, 0)
                .unwrap()
                .format("%Y-%m-%d")
                .to_string();
            assert_eq!(date(text.as_bytes()), Some(days), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn numbers_agree(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?") {
            agrees(&text);
        }

        #[test]
        fn dates_agree(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}") {
            agrees(&text);
        }

        #[test]
        fn any_text_agrees(text in "\\PC{0,24}") {
            agrees(&text);
        }

        #[test]
        fn doubles_that_were_printed_are_read_back(value: f64, places in 0usize..12) {
            agrees(&format!("{value:.places$}"));
            agrees(&format!("{value}"));
        }
    }
}
