//! The format strings of `date_parse` and `date_format`: MySQL's, as Trino takes them.
//!
//! A format is compiled once and then both read and written with. `%D %U %u %V %w %X` are refused,
//! as Trino refuses them.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(char),
    WeekdayShort,
    WeekdayLong,
    MonthShort,
    MonthLong,
    /// A number of the date or time, written with at least so many digits.
    Number(Field, usize),
    Fraction,
    HalfDay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    ShortYear,
    WeekYear,
    Week,
    Month,
    Day,
    DayOfYear,
    Hour,
    HalfDayHour,
    Minute,
    Second,
}

/// A compiled format.
#[derive(Debug)]
pub(super) struct Format(Vec<Item>);

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

impl Format {
    /// Compiles `format`; the error says which specifier is not supported.
    pub(super) fn compile(format: &str) -> Result<Self, String> {
        use Item::{Literal, Number};
        let mut items = Vec::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                items.push(Literal(c));
                continue;
            }
            let Some(specifier) = chars.next() else { break };
            let item = match specifier {
                'a' => Item::WeekdayShort,
                'b' => Item::MonthShort,
                'c' => Number(Field::Month, 1),
                'd' => Number(Field::Day, 2),
                'e' => Number(Field::Day, 1),
                'f' => Item::Fraction,
                'H' => Number(Field::Hour, 2),
                'h' | 'I' => Number(Field::HalfDayHour, 2),
                'i' => Number(Field::Minute, 2),
                'j' => Number(Field::DayOfYear, 3),
                'k' => Number(Field::Hour, 1),
                'l' => Number(Field::HalfDayHour, 1),
                'M' => Item::MonthLong,
                'm' => Number(Field::Month, 2),
                'p' => Item::HalfDay,
                'S' | 's' => Number(Field::Second, 2),
                'v' => Number(Field::Week, 2),
                'W' => Item::WeekdayLong,
                'x' => Number(Field::WeekYear, 4),
                'Y' => Number(Field::Year, 4),
                'y' => Number(Field::ShortYear, 2),
                'r' | 'T' => {
                    let twelve = specifier == 'r';
                    let hour = if twelve {
                        Field::HalfDayHour
                    } else {
                        Field::Hour
                    };
                    items.extend([
                        Number(hour, 2),
                        Literal(':'),
                        Number(Field::Minute, 2),
                        Literal(':'),
                    ]);
                    if twelve {
                        items.extend([Number(Field::Second, 2), Literal(' ')]);
                        Item::HalfDay
                    } else {
                        Number(Field::Second, 2)
                    }
                }
                'D' | 'U' | 'u' | 'V' | 'w' | 'X' => {
                    return Err(format!("%{specifier} is not supported in a date format"));
                }
                other => Literal(other),
            };
            items.push(item);
        }
        Ok(Self(items))
    }

    /// Appends `moment` to `out` in this format.
    pub(super) fn write(&self, moment: NaiveDateTime, out: &mut String) -> std::fmt::Result {
        use std::fmt::Write;
        for item in &self.0 {
            match item {
                Item::Literal(c) => out.push(*c),
                Item::WeekdayShort => out.push_str(&weekday(moment)[..3]),
                Item::WeekdayLong => out.push_str(weekday(moment)),
                Item::MonthShort => out.push_str(&month(moment)[..3]),
                Item::MonthLong => out.push_str(month(moment)),
                // Milliseconds only, as Trino: 123456 microseconds are written 123000.
                Item::Fraction => write!(out, "{:03}000", moment.nanosecond() / 1_000_000)?,
                Item::HalfDay => out.push_str(if moment.hour() < 12 { "AM" } else { "PM" }),
                Item::Number(field, digits) => {
                    write!(out, "{:0digits$}", field.of(moment))?;
                }
            }
        }
        Ok(())
    }

    /// Reads the whole of `text`; the error says what stands where it should not.
    pub(super) fn read(&self, text: &str) -> Result<NaiveDateTime, String> {
        let mut rest = text;
        let mut found = Found::default();
        for item in &self.0 {
            let read = match item {
                Item::Literal(c) => literal(rest, *c),
                Item::Number(field, digits) => {
                    number(rest, field.max_digits(*digits)).map(|(n, rest)| {
                        found.set(*field, n);
                        rest
                    })
                }
                Item::Fraction => fraction(rest).map(|(nanos, rest)| {
                    found.millis = nanos / 1_000_000;
                    rest
                }),
                Item::HalfDay => named(rest, &["AM", "PM"], 2).map(|(i, rest)| {
                    found.afternoon = i == 1;
                    rest
                }),
                Item::MonthShort | Item::MonthLong => named(rest, &MONTHS, 3).map(|(i, rest)| {
                    found.set(Field::Month, i + 1);
                    rest
                }),
                Item::WeekdayShort | Item::WeekdayLong => {
                    named(rest, &WEEKDAYS, 3).map(|(i, rest)| {
                        found.weekday = Weekday::try_from(i as u8).ok();
                        rest
                    })
                }
            };
            rest = read.ok_or_else(|| malformed(rest))?;
        }
        if !rest.is_empty() {
            return Err(malformed(rest));
        }
        found
            .moment()
            .ok_or_else(|| "no such date or time".to_owned())
    }
}

fn malformed(rest: &str) -> String {
    if rest.is_empty() {
        "it is too short".to_owned()
    } else {
        format!("malformed at '{rest}'")
    }
}

impl Field {
    fn of(self, moment: NaiveDateTime) -> i64 {
        match self {
            Self::Year => i64::from(moment.year()),
            Self::ShortYear => i64::from(moment.year().rem_euclid(100)),
            Self::WeekYear => i64::from(moment.iso_week().year()),
            Self::Week => i64::from(moment.iso_week().week()),
            Self::Month => i64::from(moment.month()),
            Self::Day => i64::from(moment.day()),
            Self::DayOfYear => i64::from(moment.ordinal()),
            Self::Hour => i64::from(moment.hour()),
            Self::HalfDayHour => i64::from(moment.hour12().1),
            Self::Minute => i64::from(moment.minute()),
            Self::Second => i64::from(moment.second()),
        }
    }

    /// Digits read at most; fewer are taken, so `%m` reads `3` as well as `03`.
    fn max_digits(self, written: usize) -> usize {
        written.max(2)
    }
}

fn weekday(moment: NaiveDateTime) -> &'static str {
    WEEKDAYS[moment.weekday().num_days_from_monday() as usize]
}

fn month(moment: NaiveDateTime) -> &'static str {
    MONTHS[moment.month0() as usize]
}

fn literal(text: &str, wanted: char) -> Option<&str> {
    let mut chars = text.chars();
    let found = chars.next()?;
    (found == wanted || found.eq_ignore_ascii_case(&wanted)).then_some(chars.as_str())
}

fn number(text: &str, max: usize) -> Option<(u32, &str)> {
    let digits = text
        .bytes()
        .take(max)
        .take_while(u8::is_ascii_digit)
        .count();
    let (digits, rest) = text.split_at(digits);
    Some((digits.parse().ok()?, rest))
}

/// One to nine digits, as nanoseconds.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = number(text, 9)?;
    let read = text.len() - rest.len();
    Some((digits * 10_u32.pow(9 - read as u32), rest))
}

/// The index of the name that `text` begins with, whole or cut to `short` letters.
fn named<'t>(text: &'t str, names: &[&str], short: usize) -> Option<(u32, &'t str)> {
    let begins = |name: &str| {
        text.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let whole = names
        .iter()
        .position(|name| begins(name))
        .map(|i| (i, names[i].len()));
    let (i, read) = whole.or_else(|| {
        names
            .iter()
            .position(|n| begins(&n[..short]))
            .map(|i| (i, short))
    })?;
    Some((i as u32, &text[read..]))
}

/// What has been read so far.
#[derive(Default)]
struct Found {
    year: Option<u32>,
    week_year: Option<u32>,
    week: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    weekday: Option<Weekday>,
    hour: u32,
    half_day_hour: Option<u32>,
    afternoon: bool,
    minute: u32,
    second: u32,
    millis: u32,
}

impl Found {
    fn set(&mut self, field: Field, n: u32) {
        match field {
            Field::Year => self.year = Some(n),
            Field::ShortYear => self.year = Some(if n < 70 { 2_000 + n } else { 1_900 + n }),
            Field::WeekYear => self.week_year = Some(n),
            Field::Week => self.week = Some(n),
            Field::Month => self.month = Some(n),
            Field::Day => self.day = Some(n),
            Field::DayOfYear => self.day_of_year = Some(n),
            Field::Hour => self.hour = n,
            Field::HalfDayHour => self.half_day_hour = Some(n),
            Field::Minute => self.minute = n,
            Field::Second => self.second = n,
        }
    }

    fn moment(&self) -> Option<NaiveDateTime> {
        let hour = match self.half_day_hour {
            Some(h @ 1..=12) => h % 12 + if self.afternoon { 12 } else { 0 },
            Some(_) => return None,
            None => self.hour,
        };
        let time = NaiveTime::from_hms_milli_opt(hour, self.minute, self.second, self.millis)?;
        Some(self.date()?.and_time(time))
    }

    fn date(&self) -> Option<NaiveDate> {
        if self.week.is_some() || self.week_year.is_some() {
            let year = self.week_year.or(self.year).unwrap_or(1970);
            let weekday = self.weekday.unwrap_or(Weekday::Mon);
            return NaiveDate::from_isoywd_opt(year as i32, self.week.unwrap_or(1), weekday);
        }
        // A month or day without a year is one of 2000 in Joda-Time, so that 29 February can be read.
        let partial = self.month.is_some() || self.day.is_some();
        let year = self.year.unwrap_or(if partial { 2_000 } else { 1_970 }) as i32;
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        // A weekday that contradicts the date is bad input, not a reason to move the date.
        (self.weekday.is_none_or(|w| w == date.weekday())).then_some(date)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What a complete format writes, it reads back.
        #[test]
        fn reads_what_it_writes(
            seconds in -60_000_000_000_i64..250_000_000_000,
            millis in 0_u32..1_000,
            format in prop::sample::select(vec![
                "%Y-%m-%d %H:%i:%s.%f", "%e %M %Y %r %f", "%x-W%v %a %T.%f", "%Y/%j %l.%i.%S %p %f",
                "%W, %d. %b %Y %k:%i:%s %f %%",
            ]),
        ) {
            let moment = chrono::DateTime::from_timestamp(seconds, millis * 1_000_000)
                .unwrap()
                .naive_utc();
            let format = Format::compile(format).unwrap();
            let mut text = String::new();
            format.write(moment, &mut text).unwrap();
            prop_assert_eq!(format.read(&text), Ok(moment), "{}", text);
        }

        /// No input makes it panic.
        #[test]
        fn takes_any_input(format in "(%[a-zA-Z%]|[ -~é]){0,6}", text in "[0-9A-Za-zé :%/-]{0,20}") {
            if let Ok(format) = Format::compile(&format) {
                let _ = format.read(&text);
            }
        }
    }
}
