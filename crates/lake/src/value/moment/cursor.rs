//! The parts of dates and times, one after another.

use super::{Time, days, digits};

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const WEEKDAYS: [&[u8]; 7] = [
    b"monday",
    b"tuesday",
    b"wednesday",
    b"thursday",
    b"friday",
    b"saturday",
    b"sunday",
];

/// The name that the letters at the beginning are, in full or by at least three letters; and how many
/// letters there are.
fn named(bytes: &[u8], names: &[&[u8]]) -> Option<(usize, usize)> {
    let first = bytes.first()?.to_ascii_lowercase();
    let length = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    // `Sept` and `Tues`, `Thur`, `Thurs` are written too.
    let position = names.iter().position(|name| {
        name[0] == first
            && (length == 3
                || length == name.len()
                || (length < name.len() && (4..6).contains(&length)))
            && bytes[..length].eq_ignore_ascii_case(&name[..length])
    })?;
    Some((position, length))
}

pub(super) fn month(bytes: &[u8]) -> Option<(u32, usize)> {
    named(bytes, &MONTHS).and_then(|(i, length)| Some((u32::try_from(i).ok()? + 1, length)))
}

pub(super) fn weekday(bytes: &[u8]) -> Option<(u32, usize)> {
    named(bytes, &WEEKDAYS).and_then(|(i, length)| Some((u32::try_from(i).ok()?, length)))
}

/// The zones that RFC 2822 names, in hours east of UTC.
const ZONES: [(&[u8], i64); 12] = [
    (b"Z", 0),
    (b"UTC", 0),
    (b"GMT", 0),
    (b"UT", 0),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CST", -6),
    (b"CDT", -5),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
];

/// Microseconds since midnight.
pub(super) fn clock(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60)
        .then(|| i64::from(hour * 3600 + minute * 60 + second) * 1_000_000)
}

/// A place in a text.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    pub(super) fn skip(&mut self, any: &[u8]) -> usize {
        let count = self.rest().iter().take_while(|b| any.contains(b)).count();
        self.at += count;
        count
    }

    pub(super) fn end(&self) -> Option<()> {
        (self.at == self.bytes.len()).then_some(())
    }

    /// A number of one to `most` digits.
    pub(super) fn number(&mut self, most: usize) -> Option<u32> {
        let rest = self.rest();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 || count > most {
            return None;
        }
        let value = digits(&rest[..count]);
        self.at += count;
        value
    }

    pub(super) fn pair(&mut self) -> Option<u32> {
        let value = digits(self.rest().get(..2)?);
        self.at += 2;
        value
    }

    /// A year of four digits, which no digit or colon follows.
    pub(super) fn year(&mut self) -> Option<i32> {
        let rest = self.rest();
        let year = digits(rest.get(..4)?)?;
        if rest.get(4).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        self.at += 4;
        i32::try_from(year).ok()
    }

    /// A year of two digits: 69 to 99 are of the last century, as POSIX's `strptime` has it.
    pub(super) fn short_year(&mut self) -> Option<i32> {
        let rest = self.rest();
        let year = i32::try_from(digits(rest.get(..2)?)?).ok()?;
        if rest.get(2).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        self.at += 2;
        Some(if year < 69 { 2000 + year } else { 1900 + year })
    }

    pub(super) fn month(&mut self) -> Option<u32> {
        let (month, length) = month(self.rest())?;
        self.at += length;
        Some(month)
    }

    pub(super) fn weekday(&mut self) -> Option<u32> {
        let (weekday, length) = weekday(self.rest())?;
        self.at += length;
        Some(weekday)
    }

    /// Day, a month's name and a year, and a time where there is one.
    pub(super) fn day_first(&mut self) -> Option<(i32, Option<Time>)> {
        let day = self.number(2)?;
        let between = self.peek()?;
        if between == b'.' {
            self.at += 1;
        }
        if self.skip(b" -/") == 0 && between.is_ascii_digit() {
            return None;
        }
        let month = self.month()?;
        self.skip(b". -/,");
        let year = match self.year() {
            Some(year) => year,
            // Oracle's `05-MAR-98`.
            None if between == b'-' => self.short_year()?,
            None => return None,
        };
        let time = self.time()?;
        Some((days(year, month, day)?, time))
    }

    /// What follows a date: nothing, or a time to the end.
    pub(super) fn time(&mut self) -> Option<Option<Time>> {
        if self.end().is_some() {
            return Some(None);
        }
        match self.peek()? {
            // The common log format has a colon between date and time.
            b'T' | b't' | b':' => self.at += 1,
            b' ' | b',' => {
                self.skip(b", ");
            }
            _ => return None,
        }
        let time = self.time_of_day()?;
        self.end()?;
        Some(Some(time))
    }

    pub(super) fn fraction(&mut self) -> Option<i64> {
        if !matches!(self.peek(), Some(b'.' | b',')) {
            return Some(0);
        }
        self.at += 1;
        let rest = self.rest();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 || count > 9 {
            return None;
        }
        let micros = (0..6).fold(0, |all, place| {
            let digit = rest[..count].get(place).map_or(0, |d| d - b'0');
            all * 10 + i64::from(digit)
        });
        self.at += count;
        Some(micros)
    }

    /// `h:mm`, `hh:mm:ss`, `hh:mm:ss.fraction`, in microseconds since midnight.
    pub(super) fn clock(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.byte(b':')?;
        let minute = self.pair()?;
        let mut second = 0;
        let mut micros = 0;
        if self.peek() == Some(b':') {
            self.at += 1;
            second = self.pair()?;
            micros = self.fraction()?;
        }
        clock(hour, minute, second).map(|clock| clock + micros)
    }

    pub(super) fn time_of_day(&mut self) -> Option<Time> {
        let mut micros = self.clock()?;
        if let Some(afternoon) = self.half_of_day() {
            const NOON: i64 = 12 * 3600 * 1_000_000;
            const HOUR: i64 = 3600 * 1_000_000;
            // There is no 0 and no 13 o'clock where halves are told apart.
            if !(HOUR..NOON + HOUR).contains(&micros) {
                return None;
            }
            micros = micros % NOON + if afternoon { NOON } else { 0 };
        }
        let offset = self.offset()?;
        Some(Time { micros, offset })
    }

    /// `AM`, `pm`, `a.m.` and their like: whether it is the afternoon.
    pub(super) fn half_of_day(&mut self) -> Option<bool> {
        let rest = self.rest();
        let spaces = rest.iter().take_while(|b| **b == b' ').count();
        let word = &rest[spaces..];
        for (name, afternoon) in [
            (&b"am"[..], false),
            (b"pm", true),
            (b"a.m.", false),
            (b"p.m.", true),
        ] {
            let found = word
                .get(..name.len())
                .is_some_and(|w| w.eq_ignore_ascii_case(name));
            if found && !word.get(name.len()).is_some_and(u8::is_ascii_alphanumeric) {
                self.at += spaces + name.len();
                return Some(afternoon);
            }
        }
        None
    }

    /// Seconds east of UTC; `Some(None)` where the text ends without a zone.
    #[allow(clippy::option_option)] // no zone, and a bad one
    pub(super) fn offset(&mut self) -> Option<Option<i64>> {
        if self.end().is_some() {
            return Some(None);
        }
        self.skip(b" ");
        if let Some(offset) = self.zone_name() {
            return Some(Some(offset));
        }
        let sign = match self.peek()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let hours = i64::from(self.pair()?);
        let minutes = match self.peek() {
            Some(b':') => {
                self.at += 1;
                i64::from(self.pair()?)
            }
            Some(c) if c.is_ascii_digit() => i64::from(self.pair()?),
            _ => 0,
        };
        // RFC 2822 lets the zone's name follow in parentheses.
        if let Some(open) = self.rest().strip_prefix(b" (") {
            let name = open.iter().take_while(|b| b.is_ascii_alphabetic()).count();
            if open.get(name) == Some(&b')') {
                self.at += 3 + name;
            }
        }
        (hours <= 15 && minutes <= 59).then_some(Some(sign * (hours * 3600 + minutes * 60)))
    }

    pub(super) fn zone_name(&mut self) -> Option<i64> {
        let rest = self.rest();
        let length = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (_, hours) = ZONES
            .iter()
            .find(|(name, _)| rest[..length].eq_ignore_ascii_case(name))?;
        self.at += length;
        Some(hours * 3600)
    }
}
