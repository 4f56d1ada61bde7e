//! Dates and times as people and programs write them.
//!
//! ISO 8601 first, since most files have it. Then the forms that say themselves what they are: a
//! year that comes first, a month by its name, days before dots (`24.12.1998`, as German, Russian
//! and Swiss writers do). The forms of which nobody can say what comes first
//! (`03/04/2024`) are read by [`Ordered`], and need a [`DateOrder`] that the file's other
//! values decide.

mod cursor;
mod ordered;

use chrono::{Datelike, NaiveDate};

use self::cursor::{Cursor, clock, month, weekday};
pub use self::ordered::{DateOrder, Ordered, Orders, ordered};

const DAY: i64 = 86_400;

/// A moment in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970-01-01 00:00:00, in UTC where `zoned`.
    pub micros: i64,
    /// Whether the text named its offset from UTC.
    pub zoned: bool,
}

/// A date, with a time where the text has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// Days since 1970-01-01.
    Date(i32),
    /// A moment.
    Moment(Moment),
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    micros: i64,
    /// Seconds east of UTC, where the text says so.
    offset: Option<i64>,
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

fn days(year: i32, month: u32, day: u32) -> Option<i32> {
    // Days from year 1 to 1970-01-01.
    NaiveDate::from_ymd_opt(year, month, day).map(|d| d.num_days_from_ce() - 719_163)
}

fn at(days: i32, time: Time) -> Moment {
    let micros = i64::from(days) * DAY * 1_000_000 + time.micros;
    Moment {
        micros: micros - time.offset.unwrap_or(0) * 1_000_000,
        zoned: time.offset.is_some(),
    }
}

fn calendar(days: i32, time: Option<Time>) -> Calendar {
    match time {
        None => Calendar::Date(days),
        Some(time) => Calendar::Moment(at(days, time)),
    }
}

/// A date of ISO 8601, `yyyy-mm-dd`.
fn iso(bytes: &[u8]) -> Option<i32> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(digits(&bytes[..4])?).ok()?;
    days(year, digits(&bytes[5..7])?, digits(&bytes[8..])?)
}

/// A date in any form that says itself what it is, in days since 1970-01-01.
pub fn date(text: &str) -> Option<i32> {
    if let Some(days) = iso(text.as_bytes()) {
        return Some(days);
    }
    match spoken(text)? {
        Calendar::Date(days) => Some(days),
        Calendar::Moment(_) => None,
    }
}

/// A date and a time in any form that says itself what it is. Digits beyond the microsecond are
/// cut off, since no engine's timestamp holds them.
pub fn timestamp(text: &str) -> Option<Moment> {
    match instant(text)? {
        Calendar::Moment(moment) => Some(moment),
        Calendar::Date(_) => None,
    }
}

/// Whether a timestamp has digits, other than zeros, beyond the microsecond, where they are cut off.
pub fn is_finer(text: &str) -> bool {
    // `20000102T030405.0000001` is the shortest that may.
    if text.len() < 23 {
        return false;
    }
    // Dates may have points, too: the fraction is behind the last of them.
    let Some(point) = memchr::memrchr2(b'.', b',', text.as_bytes()) else {
        return false;
    };
    let fraction = text.bytes().skip(point + 1).take_while(u8::is_ascii_digit);
    fraction.skip(6).any(|digit| digit != b'0')
}

/// A date or a timestamp, in any form that says itself what it is.
pub fn instant(text: &str) -> Option<Calendar> {
    let bytes = text.as_bytes();
    if bytes.len() == 10
        && let Some(days) = iso(bytes)
    {
        return Some(Calendar::Date(days));
    }
    if bytes.len() >= 16
        && matches!(bytes[10], b'T' | b't' | b' ')
        && let Some(days) = iso(&bytes[..10])
    {
        return time(&bytes[11..]).map(|time| Calendar::Moment(at(days, time)));
    }
    spoken(text)
}

/// The forms beyond ISO's, told by their first bytes.
fn spoken(text: &str) -> Option<Calendar> {
    let bytes = text.as_bytes();
    // The shortest is `1.1.1970`; the longest names weekday, month and zone.
    if bytes.len() < 8 || bytes.len() > 45 || !text.is_ascii() {
        return None;
    }
    if bytes[0].is_ascii_digit() {
        match bytes.iter().position(|b| !b.is_ascii_digit())? {
            4 => year_first(bytes),
            8 => basic(bytes),
            1 | 2 if bytes[1..3].contains(&b'.') => dotted(bytes),
            1 | 2 => day_month_name(bytes),
            _ => None,
        }
    } else {
        month(bytes).or_else(|| weekday(bytes))?;
        name_first(bytes)
    }
}

/// `yyyy/m/d`, `yyyy.m.d`, `yyyy-m-d` and `yyyy-Mon-d`.
fn year_first(bytes: &[u8]) -> Option<Calendar> {
    let year = i32::try_from(digits(&bytes[..4])?).ok()?;
    let between = bytes[4];
    if !matches!(between, b'/' | b'.' | b'-' | b' ') {
        return None;
    }
    let mut cursor = Cursor { bytes, at: 5 };
    let month = match cursor.number(2) {
        Some(_) if between == b' ' => return None,
        Some(month) => month,
        None => cursor.month()?,
    };
    cursor.byte(between)?;
    let day = cursor.number(2)?;
    Some(calendar(days(year, month, day)?, cursor.time()?))
}

/// ISO's basic form of a timestamp, `yyyymmddThhmmss`; without the `T` it is a number.
fn basic(bytes: &[u8]) -> Option<Calendar> {
    if bytes.len() < 15 || !matches!(bytes[8], b'T' | b't') {
        return None;
    }
    let year = i32::try_from(digits(&bytes[..4])?).ok()?;
    let days = days(year, digits(&bytes[4..6])?, digits(&bytes[6..8])?)?;
    let clock = clock(
        digits(&bytes[9..11])?,
        digits(&bytes[11..13])?,
        digits(&bytes[13..15])?,
    )?;
    let mut cursor = Cursor { bytes, at: 15 };
    let micros = clock + cursor.fraction()?;
    let offset = cursor.offset()?;
    cursor.end()?;
    Some(Calendar::Moment(at(days, Time { micros, offset })))
}

/// `d.m.yyyy`: who writes dots writes the day first.
fn dotted(bytes: &[u8]) -> Option<Calendar> {
    let mut cursor = Cursor { bytes, at: 0 };
    let day = cursor.number(2)?;
    cursor.byte(b'.')?;
    let month = cursor.number(2)?;
    cursor.byte(b'.')?;
    let year = cursor.year()?;
    Some(calendar(days(year, month, day)?, cursor.time()?))
}

/// `12-Jun-1998`, `12 June 1998`, `10/Oct/2000:13:55:36 -0700`, `05-Mar-98`.
fn day_month_name(bytes: &[u8]) -> Option<Calendar> {
    let mut cursor = Cursor { bytes, at: 0 };
    let (date, time) = cursor.day_first()?;
    Some(calendar(date, time))
}

/// `June 12, 1998`, `Mon, 12 Jun 1998 10:00:00 +0000` (RFC 2822), `Mon Jun 12 10:00:00 1998`
/// (C's `ctime`).
fn name_first(bytes: &[u8]) -> Option<Calendar> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.weekday().is_some() {
        cursor.skip(b",. ");
        if cursor.peek()?.is_ascii_digit() {
            let (date, time) = cursor.day_first()?;
            return Some(calendar(date, time));
        }
    }
    let month = cursor.month()?;
    if cursor.skip(b". -/") == 0 {
        return None;
    }
    let day = cursor.number(2)?;
    if cursor.skip(b", -/") == 0 {
        return None;
    }
    let before = cursor.at;
    if let Some(year) = cursor.year() {
        return Some(calendar(days(year, month, day)?, cursor.time()?));
    }
    // ctime puts the time before the year, and `date` a zone between them.
    cursor.at = before;
    let micros = cursor.clock()?;
    cursor.byte(b' ')?;
    let offset = match cursor.peek()? {
        b'+' | b'-' => cursor.offset()?,
        _ => cursor.zone_name(),
    };
    if offset.is_some() {
        cursor.byte(b' ')?;
    }
    let year = cursor.year()?;
    cursor.end()?;
    Some(calendar(
        days(year, month, day)?,
        Some(Time { micros, offset }),
    ))
}

/// A time of day that is the whole text, perhaps with an offset.
fn time(bytes: &[u8]) -> Option<Time> {
    let mut cursor = Cursor { bytes, at: 0 };
    let time = cursor.time_of_day()?;
    cursor.end()?;
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Option<String> {
        let (micros, zoned) = match instant(text)? {
            Calendar::Date(days) => (i64::from(days) * DAY * 1_000_000, None),
            Calendar::Moment(m) => (m.micros, Some(m.zoned)),
        };
        let time = chrono::DateTime::from_timestamp_micros(micros)?;
        Some(match zoned {
            None => time.format("%F").to_string(),
            Some(false) => time.format("%F %T%.f").to_string(),
            Some(true) => time.format("%F %T%.fZ").to_string(),
        })
    }

    #[test]
    fn iso_comes_first() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("2023-02-29"), None);
        let at = |t| timestamp(t).map(|m| (m.micros, m.zoned));
        assert_eq!(at("1970-01-01 00:00:01.5"), Some((1_500_000, false)));
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Some((0, true)));
        assert_eq!(at("1970-01-01T00:00Z"), Some((0, true)));
        assert_eq!(at("1970-01-01T00:00:00.123456789"), Some((123_456, false)));
        assert_eq!(at("1970-01-01T00:00:00.1234567890"), None);
        assert_eq!(at("1970-01-01T25:00:00"), None);
        assert_eq!(at("1970-01-01Tx0:00:00"), None);
    }

    /// What Python's `dateutil` and `email.utils` make of the same texts.
    #[test]
    fn forms_that_say_what_they_are() {
        for (text, expected) in [
            ("1998/06/12", "1998-06-12"),
            ("1998/6/2", "1998-06-02"),
            ("1998.06.12", "1998-06-12"),
            ("1998-6-2", "1998-06-02"),
            ("12.06.1998", "1998-06-12"),
            ("2.6.1998 14:05", "1998-06-02 14:05:00"),
            ("12-Jun-1998", "1998-06-12"),
            ("12-JUN-98", "1998-06-12"),
            ("12 June 1998", "1998-06-12"),
            ("June 12, 1998", "1998-06-12"),
            ("Jun 12 1998 10:00PM", "1998-06-12 22:00:00"),
            ("Sept. 1, 2001", "2001-09-01"),
            ("Mon, 12 Jun 1998 10:00:00 +0200", "1998-06-12 08:00:00Z"),
            ("Mon, 12 Jun 1998 10:00:00 GMT", "1998-06-12 10:00:00Z"),
            ("Mon Jun 12 10:00:00 1998", "1998-06-12 10:00:00"),
            ("Mon Jun 12 10:00:00 EST 1998", "1998-06-12 15:00:00Z"),
            ("Wed Aug 27 13:08:45 +0000 2008", "2008-08-27 13:08:45Z"),
            ("10/Oct/2000:13:55:36 -0700", "2000-10-10 20:55:36Z"),
            ("20000102T030405Z", "2000-01-02 03:04:05Z"),
            ("2000-01-02 03:04:05 UTC", "2000-01-02 03:04:05Z"),
            ("2000-01-02 3:04:05 pm", "2000-01-02 15:04:05"),
            ("2000-01-02 12:04 AM", "2000-01-02 00:04:00"),
            ("1998-Jun-12", "1998-06-12"),
        ] {
            assert_eq!(shown(text).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn digits_beyond_the_microsecond_are_told() {
        assert!(is_finer("1970-01-01T00:00:00.123456789"));
        assert!(is_finer("19700101T000000.1234567Z"));
        assert!(!is_finer("1970-01-01T00:00:00.123456000"));
        assert!(!is_finer("1970-01-01T00:00:00.123456+01:00"));
    }

    #[test]
    fn what_only_looks_like_a_date_is_none() {
        for text in [
            "12 Main Street",
            "May",
            "May 2020",
            "Marching on 12",
            "1.2.3",
            "10.0.0.1234",
            "1998 06 12",
            "20000102",
            "31.02.2000",
            "Mon 13:00:00",
            "2000-01-02 15:04 PM",
            "1/2",
            "2019-20",
            "555-0100",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (instant(&text), ordered(&text));
        }

        #[test]
        fn texts_like_dates_do_not_panic(text in "[-+0-9/.:,TZ aApPmM(GjJunMo)]{0,40}") {
            let _ = (instant(&text), ordered(&text));
        }

        /// chrono's own parser is the judge.
        #[test]
        fn timestamps_agree_with_chrono(seconds in -62_000_000_000i64..250_000_000_000, micros in 0u32..1_000_000) {
            let time = chrono::DateTime::from_timestamp(seconds, micros * 1000).unwrap();
            for form in ["%Y-%m-%dT%H:%M:%S%.6f+00:00", "%d %B %Y %H:%M:%S%.6f +0000", "%b %e, %Y %I:%M:%S%.6f %p UTC"] {
                let text = time.format(form).to_string();
                prop_assert_eq!(timestamp(&text).map(|m| m.micros), Some(time.timestamp_micros()), "{}", text);
            }
        }
    }
}
