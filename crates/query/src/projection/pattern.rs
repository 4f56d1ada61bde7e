//! Date formats of projected keys: patterns of Java's `DateTimeFormatter`.
//!
//! Source of the letters: `java.time.format.DateTimeFormatter`, "Patterns for Formatting and Parsing". A run of one
//! letter is one field; text in single quotes is itself; other letters are refused by name.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::date::Unit;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// No field has more letters (Java's own limit for numbers).
const LONGEST: usize = 19;
/// No pattern has more characters.
const MAX_PATTERN: usize = 200;

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Field(Field, usize),
}

/// What a run of letters stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Year,
    Month,
    Day,
    DayOfYear,
    Weekday,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    HourFromOne,
    /// 1 to 12.
    HalfHour,
    /// 0 to 11.
    HalfHourFromZero,
    HalfDay,
    Minute,
    Second,
    Fraction,
}

impl Field {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'y' | 'u' => Field::Year,
            'M' | 'L' => Field::Month,
            'd' => Field::Day,
            'D' => Field::DayOfYear,
            'E' => Field::Weekday,
            'H' => Field::Hour,
            'k' => Field::HourFromOne,
            'h' => Field::HalfHour,
            'K' => Field::HalfHourFromZero,
            'a' => Field::HalfDay,
            'm' => Field::Minute,
            's' => Field::Second,
            'S' => Field::Fraction,
            _ => return None,
        })
    }

    fn unit(self) -> Unit {
        match self {
            Field::Year => Unit::Years,
            Field::Month => Unit::Months,
            Field::Day | Field::DayOfYear | Field::Weekday => Unit::Days,
            Field::Hour
            | Field::HourFromOne
            | Field::HalfHour
            | Field::HalfHourFromZero
            | Field::HalfDay => Unit::Hours,
            Field::Minute => Unit::Minutes,
            Field::Second => Unit::Seconds,
            Field::Fraction => Unit::Millis,
        }
    }
}

impl Pattern {
    /// Reads a pattern; what is wrong with it otherwise.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_PATTERN {
            return Err(format!("it is longer than {MAX_PATTERN} characters"));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' if chars.next_if_eq(&'\'').is_some() => plain.push('\''),
                '\'' => loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => plain.push('\''),
                        Some('\'') => break,
                        Some(c) => plain.push(c),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                },
                '[' | ']' | '{' | '}' | '#' => {
                    return Err(format!("'{c}' needs single quotes around it"));
                }
                c if c.is_ascii_alphabetic() => {
                    let Some(field) = Field::of(c) else {
                        return Err(format!(
                            "'{c}' is none of the letters y u M L d D E H k h K a m s S; put text in single quotes"
                        ));
                    };
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if count > LONGEST {
                        return Err(format!("'{c}' stands more than {LONGEST} times"));
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Field(field, count));
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let pattern = Pattern { pieces };
        if pattern.precision().is_none() {
            return Err("it has no field of a date".to_owned());
        }
        Ok(pattern)
    }

    fn fields(&self) -> impl Iterator<Item = (Field, usize)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field, count) => Some((*field, *count)),
            Piece::Text(_) => None,
        })
    }

    /// The finest unit that it shows.
    pub(super) fn precision(&self) -> Option<Unit> {
        self.fields().map(|(field, _)| field.unit()).min()
    }

    /// Whether texts of years 0 to 9999 have the order of their times: numbers of a fixed width, the coarsest first.
    pub(super) fn sorts(&self) -> bool {
        let mut last = None;
        for (field, count) in self.fields() {
            let fixed = match field {
                Field::Year => count == 4,
                Field::Month | Field::Day | Field::Hour | Field::Minute | Field::Second => {
                    count == 2
                }
                Field::DayOfYear => count == 3,
                Field::Fraction => true,
                _ => false,
            };
            let expected = match last {
                None => Unit::Years,
                Some(Unit::Years) if field == Field::DayOfYear => Unit::Days,
                Some(unit) => match finer(unit) {
                    Some(unit) => unit,
                    None => return false,
                },
            };
            if !fixed || field.unit() != expected {
                return false;
            }
            last = Some(expected);
        }
        last.is_some()
    }

    /// The text of a time.
    pub(super) fn write(&self, time: NaiveDateTime) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(field, count) => write_field(*field, *count, time, &mut out),
            }
        }
        out
    }

    /// The time that a text stands for; what it leaves out is the first there is. What is wrong otherwise.
    pub(super) fn read(&self, text: &str) -> Result<NaiveDateTime, String> {
        let mut read = Read::default();
        let mut rest = text;
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(wanted) => {
                    rest = rest
                        .strip_prefix(wanted.as_str())
                        .ok_or_else(|| format!("'{wanted}' is missing before '{rest}'"))?;
                }
                Piece::Field(field, count) => {
                    // Digits that another number follows at once are as many as the pattern has letters.
                    let joined = matches!(
                        self.pieces.get(i + 1),
                        Some(Piece::Field(f, n)) if is_number(*f, *n)
                    );
                    rest = read.take(*field, *count, joined, rest)?;
                }
            }
        }
        if !rest.is_empty() {
            return Err(format!("'{rest}' is too much"));
        }
        read.time()
    }
}

/// The unit below, of those that a sortable text has.
fn finer(unit: Unit) -> Option<Unit> {
    Some(match unit {
        Unit::Years => Unit::Months,
        Unit::Months => Unit::Days,
        Unit::Days => Unit::Hours,
        Unit::Hours => Unit::Minutes,
        Unit::Minutes => Unit::Seconds,
        Unit::Seconds => Unit::Millis,
        Unit::Weeks | Unit::Millis => return None,
    })
}

fn is_number(field: Field, count: usize) -> bool {
    match field {
        Field::Month => count < 3,
        Field::Weekday | Field::HalfDay => false,
        _ => true,
    }
}

fn name<'a>(names: &[&'a str], at: u32, long: bool) -> &'a str {
    let name = names.get(at as usize).copied().unwrap_or_default();
    if long {
        name
    } else {
        name.get(..3).unwrap_or(name)
    }
}

fn write_field(field: Field, count: usize, time: NaiveDateTime, out: &mut String) {
    let number = match field {
        Field::Year if count == 2 => i64::from(time.year().rem_euclid(100)),
        Field::Year => i64::from(time.year()),
        Field::Month if count >= 3 => {
            out.push_str(name(&MONTHS, time.month0(), count > 3));
            return;
        }
        Field::Month => i64::from(time.month()),
        Field::Day => i64::from(time.day()),
        Field::DayOfYear => i64::from(time.ordinal()),
        Field::Weekday => {
            let day = time.weekday().num_days_from_monday();
            out.push_str(name(&WEEKDAYS, day, count > 3));
            return;
        }
        Field::Hour => i64::from(time.hour()),
        Field::HourFromOne => i64::from((time.hour() + 23) % 24 + 1),
        Field::HalfHour => i64::from((time.hour() + 11) % 12 + 1),
        Field::HalfHourFromZero => i64::from(time.hour() % 12),
        Field::HalfDay => {
            out.push_str(if time.hour() < 12 { "AM" } else { "PM" });
            return;
        }
        Field::Minute => i64::from(time.minute()),
        Field::Second => i64::from(time.second()),
        Field::Fraction => {
            let digits = format!("{:09}", time.nanosecond() % 1_000_000_000);
            let digits = digits.get(..count.min(9)).unwrap_or(&digits);
            // Writing to a text cannot fail.
            let _ = write!(out, "{digits:0<count$}");
            return;
        }
    };
    let _ = write!(out, "{number:0count$}");
}

#[derive(Debug, Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
}

/// A number of at most so many digits.
fn digits(text: &str, most: usize) -> Result<(i64, usize, &str), String> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text.split_at(count);
    let n = number
        .parse::<i64>()
        .map_err(|_| format!("a number is missing before '{text}'"))?;
    Ok((n, count, rest))
}

/// A name, whole or as its first three letters, in any case.
fn named<'t>(text: &'t str, names: &[&str], long: bool) -> Result<(i64, &'t str), String> {
    for (i, name) in (0..).zip(names) {
        let wanted = if long {
            name
        } else {
            name.get(..3).unwrap_or(name)
        };
        let found = text.get(..wanted.len());
        if found.is_some_and(|t| t.eq_ignore_ascii_case(wanted)) {
            return Ok((i, text.get(wanted.len()..).unwrap_or_default()));
        }
    }
    Err(format!("no name stands before '{text}'"))
}

impl Read {
    fn take<'t>(
        &mut self,
        field: Field,
        count: usize,
        joined: bool,
        text: &'t str,
    ) -> Result<&'t str, String> {
        let free = match field {
            Field::Year | Field::Fraction => 9,
            Field::DayOfYear => 3,
            _ => 2,
        };
        let most = if joined { count } else { count.max(free) };
        let place = match field {
            Field::Month if count >= 3 => {
                let (at, rest) = named(text, &MONTHS, count > 3)?;
                self.month = Some(at + 1);
                return Ok(rest);
            }
            Field::Weekday => return named(text, &WEEKDAYS, count > 3).map(|(_, rest)| rest),
            Field::HalfDay => {
                let (half, rest) = text.split_at_checked(2).unwrap_or((text, ""));
                self.afternoon = Some(match half.to_ascii_uppercase().as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return Err(format!("AM or PM is missing before '{text}'")),
                });
                return Ok(rest);
            }
            Field::Fraction => {
                let (_, length, rest) = digits(text, most)?;
                let written = text.get(..length.min(9)).unwrap_or_default();
                self.nanos = format!("{written:0<9}").parse().ok();
                return Ok(rest);
            }
            Field::Year => {
                let (n, _, rest) = digits(text, most)?;
                // Java's two digits are of the years 2000 to 2099.
                self.year = Some(if count == 2 { n + 2000 } else { n });
                return Ok(rest);
            }
            Field::Month => &mut self.month,
            Field::Day => &mut self.day,
            Field::DayOfYear => &mut self.day_of_year,
            Field::Hour | Field::HourFromOne => &mut self.hour,
            Field::HalfHour | Field::HalfHourFromZero => &mut self.half_hour,
            Field::Minute => &mut self.minute,
            Field::Second => &mut self.second,
        };
        let (n, _, rest) = digits(text, most)?;
        *place = Some(match (field, n) {
            (Field::HalfHour, 12) | (Field::HourFromOne, 24) => 0,
            _ => n,
        });
        Ok(rest)
    }

    fn time(&self) -> Result<NaiveDateTime, String> {
        let hour = match (self.half_hour, self.afternoon) {
            (Some(hour), Some(true)) if hour < 12 => hour + 12,
            (Some(hour), _) => hour,
            (None, _) => self.hour.unwrap_or(0),
        };
        let part = |n: Option<i64>, least: i64| u32::try_from(n.unwrap_or(least)).ok();
        let time = part(Some(hour), 0)
            .zip(part(self.minute, 0))
            .zip(part(self.second, 0))
            .zip(part(self.nanos, 0))
            .and_then(|(((h, m), s), n)| NaiveTime::from_hms_nano_opt(h, m, s, n))
            .ok_or("there is no such time")?;
        let date = || {
            let year = i32::try_from(self.year.unwrap_or(1970)).ok()?;
            match self.day_of_year {
                Some(day) => NaiveDate::from_yo_opt(year, u32::try_from(day).ok()?),
                None => NaiveDate::from_ymd_opt(year, part(self.month, 1)?, part(self.day, 1)?),
            }
        };
        let date = date().ok_or("there is no such day")?;
        Ok(date.and_time(time))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap()
    }

    /// What `DateTimeFormatter.ofPattern(…)` gives by its documentation.
    #[test]
    fn javas_letters() {
        let time = at("2024-03-05 14:07:09.123456");
        for (pattern, text) in [
            ("yyyy-MM-dd", "2024-03-05"),
            ("uuuu/M/d", "2024/3/5"),
            ("yy", "24"),
            ("yyyyMM", "202403"),
            ("yyyyDDD", "2024065"),
            ("dd-MMM-yyyy", "05-Mar-2024"),
            ("MMMM d", "March 5"),
            ("EEE EEEE", "Tue Tuesday"),
            ("yyyy-MM-dd-HH-mm-ss", "2024-03-05-14-07-09"),
            ("hh a", "02 PM"),
            ("yyyy'y'MM''SSS", "2024y03'123"),
            ("kk KK", "14 02"),
        ] {
            let compiled = Pattern::compile(pattern).unwrap();
            assert_eq!(compiled.write(time), text, "{pattern}");
        }
        for (pattern, why) in [
            ("yyyy-MM-ddX", "'X' is none"),
            ("YYYY", "'Y' is none"),
            ("'yyyy", "not closed"),
            ("[yyyy]", "needs single quotes"),
            ("--", "no field"),
            ("", "no field"),
            ("yyyyyyyyyyyyyyyyyyyyyy", "more than 19"),
        ] {
            let error = Pattern::compile(pattern).unwrap_err();
            assert!(error.contains(why), "{pattern}: {error}");
        }
    }

    #[test]
    fn texts_are_read_and_what_is_left_out_is_the_first() {
        for (pattern, text, time) in [
            ("yyyyMM", "201803", "2018-03-01 00:00:00"),
            ("MM-dd-yyyy", "12-31-2018", "2018-12-31 00:00:00"),
            ("yyyyDDD", "2024060", "2024-02-29 00:00:00"),
            ("d MMMM yyyy", "1 may 2020", "2020-05-01 00:00:00"),
            ("yyyy-MM-dd-hh-a", "2020-01-01-12-AM", "2020-01-01 00:00:00"),
            ("yy", "69", "2069-01-01 00:00:00"),
        ] {
            let compiled = Pattern::compile(pattern).unwrap();
            assert_eq!(compiled.read(text), Ok(at(time)), "{pattern}");
        }
        let day = Pattern::compile("yyyy-MM-dd").unwrap();
        for text in [
            "2020-02-30",
            "2020-13-01",
            "2020-01",
            "x",
            "2020-01-01 ",
            "2020/01/01",
        ] {
            assert!(day.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_numbers_of_a_fixed_width_in_order_sort() {
        for (pattern, sorts) in [
            ("yyyy", true),
            ("yyyy-MM-dd", true),
            ("yyyyMMddHHmmss", true),
            ("yyyy-DDD-HH", true),
            ("yyyy/MM/dd/HH", true),
            ("dd-MM-yyyy", false),
            ("yyyy-M-d", false),
            ("yyyy-dd", false),
            ("yyyy-MMM", false),
            ("yy-MM", false),
            ("HH", false),
        ] {
            let compiled = Pattern::compile(pattern).unwrap();
            assert_eq!(compiled.sorts(), sorts, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0_i64..4_000_000_000, which in 0_usize..6) {
            let patterns = ["yyyy-MM-dd HH:mm:ss", "yyyyMMddHHmmss", "ssmmHHddMMyyyy", "yyyyDDDHHmmss",
                "EEE, d MMM yyyy h:m:s a", "'at' kk 'of' D/yyyy mm ss"];
            let pattern = Pattern::compile(patterns[which]).unwrap();
            let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
            prop_assert_eq!(pattern.read(&pattern.write(time)), Ok(time));
        }

        #[test]
        fn sortable_texts_sort(a in 0_i64..4_000_000_000, b in 0_i64..4_000_000_000, which in 0_usize..3) {
            let pattern = Pattern::compile(["yyyy-MM-dd", "yyyyDDDHH", "yyyy/MM/dd/HH/mm"][which]).unwrap();
            prop_assert!(pattern.sorts());
            let text = |n| pattern.write(chrono::DateTime::from_timestamp(n, 0).unwrap().naive_utc());
            prop_assert!((a <= b) <= (text(a) <= text(b)));
        }

        #[test]
        fn nothing_panics(pattern in "[-yuMLdDEHkhKamsS'/ ]{0,12}", text in "[-0-9a-zA-Z/ é]{0,20}") {
            if let Ok(pattern) = Pattern::compile(&pattern) {
                let _ = pattern.read(&text);
                let _ = pattern.sorts();
                pattern.write(at("2024-03-05 14:07:09"));
            }
        }
    }
}
