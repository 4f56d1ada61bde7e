//! Patterns of Joda-Time's `DateTimeFormat`, as `format_datetime` and `parse_datetime` take them.
//!
//! A run of one letter is one field: `yyyy-MM-dd HH:mm:ss.SSS Z`. Text in single quotes is itself.

use std::fmt::Write;

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};

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
/// No field is written with more digits.
const LONGEST: usize = 40;

/// A pattern that was understood.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    Field(char, usize),
}

/// A timestamp as a clock shows it, and that clock's distance from UTC.
pub(super) struct Moment<'a> {
    pub(super) local: NaiveDateTime,
    pub(super) offset: i32,
    pub(super) zone: &'a str,
}

impl Pattern {
    pub(super) fn compile(text: &str) -> Result<Self, String> {
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
                c if c.is_ascii_alphabetic() => {
                    if !"GCYxweEyDMdaKhHkmsSzZ".contains(c) {
                        return Err(format!(
                            "'{c}' is not a pattern letter; put text in single quotes"
                        ));
                    }
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
                    pieces.push(Piece::Field(c, count));
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    pub(super) fn write(&self, moment: &Moment<'_>, out: &mut String) -> std::fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(letter, count) => field(*letter, *count, moment, out)?,
            }
        }
        Ok(())
    }

    /// The milliseconds since 1970 in UTC of what a text says; without a zone it is in UTC.
    pub(super) fn read(&self, text: &str) -> Result<i64, String> {
        let mut parsed = Parsed::default();
        let mut rest = text;
        for (i, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Text(wanted) => {
                    rest = rest
                        .strip_prefix(wanted.as_str())
                        .ok_or_else(|| format!("'{wanted}' is missing before '{rest}'"))?;
                }
                Piece::Field(letter, count) => {
                    // Digits that another field follows at once are as many as the pattern has letters.
                    let joined =
                        matches!(self.0.get(i + 1), Some(Piece::Field(c, n)) if is_number(*c, *n));
                    rest = parsed.take(*letter, *count, joined, rest)?;
                }
            }
        }
        if !rest.is_empty() {
            return Err(format!("'{rest}' is too much"));
        }
        parsed.millis()
    }
}

fn is_number(letter: char, count: usize) -> bool {
    match letter {
        'M' => count < 3,
        'G' | 'E' | 'a' | 'z' | 'Z' => false,
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

fn field(letter: char, count: usize, moment: &Moment<'_>, out: &mut String) -> std::fmt::Result {
    let (date, time) = (moment.local.date(), moment.local.time());
    let year = i64::from(date.year());
    let number = match letter {
        'y' if count == 2 => return write!(out, "{:02}", year.rem_euclid(100)),
        'x' if count == 2 => return write!(out, "{:02}", date.iso_week().year().rem_euclid(100)),
        'Y' if count == 2 => return write!(out, "{:02}", year.rem_euclid(100)),
        'G' => return out.write_str(if year > 0 { "AD" } else { "BC" }),
        'C' => year.div_euclid(100),
        'Y' => {
            if year > 0 {
                year
            } else {
                1 - year
            }
        }
        'y' => year,
        'x' => i64::from(date.iso_week().year()),
        'w' => i64::from(date.iso_week().week()),
        'e' => i64::from(date.weekday().number_from_monday()),
        'E' => {
            return out.write_str(name(
                &WEEKDAYS,
                date.weekday().num_days_from_monday(),
                count > 3,
            ));
        }
        'D' => i64::from(date.ordinal()),
        'M' if count >= 3 => return out.write_str(name(&MONTHS, date.month0(), count > 3)),
        'M' => i64::from(date.month()),
        'd' => i64::from(date.day()),
        'a' => return out.write_str(if time.hour() < 12 { "AM" } else { "PM" }),
        'K' => i64::from(time.hour() % 12),
        'h' => i64::from((time.hour() + 11) % 12 + 1),
        'H' => i64::from(time.hour()),
        'k' => i64::from((time.hour() + 23) % 24 + 1),
        'm' => i64::from(time.minute()),
        's' => i64::from(time.second()),
        'S' => {
            let digits = format!("{:09}", time.nanosecond() % 1_000_000_000);
            return write!(
                out,
                "{:0<count$}",
                digits.get(..count.min(9)).unwrap_or(&digits)
            );
        }
        'z' => return out.write_str(moment.zone),
        _ if count > 2 => return out.write_str(moment.zone),
        _ => {
            let sign = if moment.offset < 0 { '-' } else { '+' };
            let minutes = moment.offset.abs() / 60;
            let colon = if count == 2 { ":" } else { "" };
            return write!(out, "{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60);
        }
    };
    write!(out, "{number:0count$}")
}

#[derive(Debug, Default)]
struct Parsed {
    year: Option<i64>,
    week_year: Option<i64>,
    week: Option<i64>,
    weekday: Option<i64>,
    day_of_year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    /// The hour of a half day, and which half it is.
    half_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    offset: Option<i64>,
    before_christ: bool,
}

/// At most so many digits, with a sign if `signed`.
fn digits(text: &str, most: usize, signed: bool) -> Result<(i64, usize, &str), String> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) if signed => (true, body),
        _ => (false, text),
    };
    let count = body
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = body.split_at(count);
    match number.parse::<i64>() {
        Ok(n) => Ok((if negative { -n } else { n }, count, rest)),
        Err(_) => Err(format!("a number is missing before '{text}'")),
    }
}

fn named<'t>(text: &'t str, names: &[&str]) -> Result<(i64, &'t str), String> {
    for (i, name) in names.iter().enumerate() {
        for length in [name.len(), 3] {
            let wanted = name.get(..length).unwrap_or(name);
            if text
                .get(..wanted.len())
                .is_some_and(|t| t.eq_ignore_ascii_case(wanted))
            {
                return Ok((i as i64, text.get(wanted.len()..).unwrap_or_default()));
            }
        }
    }
    Err(format!("no name stands before '{text}'"))
}

impl Parsed {
    fn take<'t>(
        &mut self,
        letter: char,
        count: usize,
        joined: bool,
        text: &'t str,
    ) -> Result<&'t str, String> {
        let most = |free: usize| if joined { count } else { free.max(count) };
        let place = match letter {
            'G' => {
                let (at, rest) = match text.get(..2) {
                    Some("AD") => (0, text.get(2..)),
                    Some("BC") => (1, text.get(2..)),
                    _ => return Err(format!("an era is missing before '{text}'")),
                };
                self.before_christ = at == 1;
                return Ok(rest.unwrap_or_default());
            }
            'E' => {
                let (at, rest) = named(text, &WEEKDAYS)?;
                self.weekday = Some(at + 1);
                return Ok(rest);
            }
            'M' if count >= 3 => {
                let (at, rest) = named(text, &MONTHS)?;
                self.month = Some(at + 1);
                return Ok(rest);
            }
            'a' => {
                let (half, rest) = text.split_at_checked(2).unwrap_or((text, ""));
                self.afternoon = Some(match half.to_ascii_uppercase().as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return Err(format!("AM or PM is missing before '{text}'")),
                });
                return Ok(rest);
            }
            'z' | 'Z' => return self.zone(text),
            'S' => {
                let (_, length, rest) = digits(text, count.max(9).min(most(9)), false)?;
                let written = text.get(..length.min(9)).unwrap_or_default();
                self.nanos = format!("{written:0<9}").parse().ok();
                return Ok(rest);
            }
            'y' | 'Y' | 'x' => {
                let (mut n, length, rest) = digits(text, most(9), true)?;
                // Two digits are a year of 1950 to 2049. (Joda-Time counts from 80 years before the present one.)
                if count == 2 && length == 2 {
                    n += if n >= 50 { 1900 } else { 2000 };
                }
                let place = if letter == 'x' {
                    &mut self.week_year
                } else {
                    &mut self.year
                };
                *place = Some(n);
                return Ok(rest);
            }
            'C' => return digits(text, most(9), false).map(|(_, _, rest)| rest),
            'w' => &mut self.week,
            'e' => &mut self.weekday,
            'D' => &mut self.day_of_year,
            'M' => &mut self.month,
            'd' => &mut self.day,
            'K' | 'h' => &mut self.half_hour,
            'H' | 'k' => &mut self.hour,
            'm' => &mut self.minute,
            _ => &mut self.second,
        };
        let free = if letter == 'D' { 3 } else { 2 };
        let (n, _, rest) = digits(text, most(free), false)?;
        *place = Some(match (letter, n) {
            ('h', 12) | ('k', 24) => 0,
            _ => n,
        });
        Ok(rest)
    }

    fn zone<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        for utc in ["UTC", "GMT", "Z"] {
            if let Some(rest) = text.strip_prefix(utc) {
                self.offset = Some(0);
                return Ok(rest);
            }
        }
        let sign = match text.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => {
                return Err(format!(
                    "an offset such as +01:00, or UTC, is missing before '{text}'"
                ));
            }
        };
        let (hours, _, rest) = digits(text.get(1..).unwrap_or_default(), 2, false)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let (minutes, rest) = match digits(rest, 2, false) {
            Ok((minutes, 2, rest)) => (minutes, rest),
            _ => (0, rest),
        };
        self.offset = Some(sign * (hours * 60 + minutes) * 60);
        Ok(rest)
    }

    fn millis(&self) -> Result<i64, String> {
        let date = self.date().ok_or("there is no such day")?;
        let hour = match (self.half_hour, self.afternoon) {
            (Some(hour), Some(true)) if hour < 12 => hour + 12,
            (Some(hour), _) => hour,
            (None, _) => self.hour.unwrap_or(0),
        };
        let part = |n: i64| u32::try_from(n).ok();
        let time = part(hour)
            .zip(part(self.minute.unwrap_or(0)))
            .zip(part(self.second.unwrap_or(0)))
            .zip(part(self.nanos.unwrap_or(0)))
            .and_then(|(((h, m), s), n)| NaiveTime::from_hms_nano_opt(h, m, s, n))
            .ok_or("there is no such time")?;
        let local = date.and_time(time);
        local
            .checked_sub_signed(Duration::seconds(self.offset.unwrap_or(0)))
            .map(|utc| utc.and_utc().timestamp_millis())
            .ok_or_else(|| "it is out of range".to_owned())
    }

    fn date(&self) -> Option<NaiveDate> {
        let mut year = self
            .year
            .unwrap_or(if self.week_year.is_some() { 1970 } else { 2000 });
        if self.year.is_none() && self.month.is_none() && self.day.is_none() {
            year = 1970;
        }
        if self.before_christ {
            year = 1 - year;
        }
        let part = |n: i64| u32::try_from(n).ok();
        if let (Some(year), None) = (self.week_year, self.month) {
            let weekday = self.weekday.unwrap_or(1).checked_sub(1)?;
            let weekday = Weekday::try_from(u8::try_from(weekday).ok()?).ok()?;
            return NaiveDate::from_isoywd_opt(
                i32::try_from(year).ok()?,
                part(self.week.unwrap_or(1))?,
                weekday,
            );
        }
        let year = i32::try_from(year).ok()?;
        if let Some(day) = self.day_of_year {
            return NaiveDate::from_yo_opt(year, part(day)?);
        }
        NaiveDate::from_ymd_opt(
            year,
            part(self.month.unwrap_or(1))?,
            part(self.day.unwrap_or(1))?,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_what_it_writes(millis in 0_i64..4_000_000_000_000) {
            let local = chrono::DateTime::from_timestamp_millis(millis).unwrap().naive_utc();
            let moment = Moment { local, offset: 3_600, zone: "Europe/Berlin" };
            for text in ["yyyy-MM-dd HH:mm:ss.SSS Z", "yyyyMMddHHmmssSSSZZ", "d MMMM yyyy, hh:mm:ss.SSS a ZZ", "xxxx-ww-e kk:mm:ss.SSS Z", "yyyy-DDD HH:mm:ss.SSSZ"] {
                let pattern = Pattern::compile(text).unwrap();
                let mut out = String::new();
                pattern.write(&moment, &mut out).unwrap();
                prop_assert_eq!(pattern.read(&out), Ok(millis - 3_600_000), "{} {}", text, out);
            }
        }

        #[test]
        fn takes_any_input(pattern in "[GCYxweEyDMdaKhHkmsSzZ' :-]{0,12}", text in "[0-9A-Za-zé :+-]{0,20}") {
            if let Ok(pattern) = Pattern::compile(&pattern) {
                let _ = pattern.read(&text);
            }
        }
    }
}
