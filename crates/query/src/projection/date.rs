//! Dates of projected keys: bounds with `NOW`, and steps between them.

use chrono::{Datelike, Duration, Months, NaiveDateTime};

use super::pattern::Pattern;

/// A `ChronoUnit` that steps are counted in, the finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Millis,
    Seconds,
    Minutes,
    Hours,
    Days,
    Weeks,
    Months,
    Years,
}

impl Unit {
    pub(super) const NAMES: [(&'static str, Unit); 8] = [
        ("YEARS", Unit::Years),
        ("MONTHS", Unit::Months),
        ("WEEKS", Unit::Weeks),
        ("DAYS", Unit::Days),
        ("HOURS", Unit::Hours),
        ("MINUTES", Unit::Minutes),
        ("SECONDS", Unit::Seconds),
        ("MILLIS", Unit::Millis),
    ];

    /// By its name in any case, in the singular too.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let wanted = text.to_ascii_uppercase();
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == wanted || name.strip_suffix('S') == Some(&wanted))
            .map(|(_, unit)| *unit)
    }

    /// How many months it is, where it is no fixed time.
    fn months(self) -> Option<i64> {
        match self {
            Unit::Years => Some(12),
            Unit::Months => Some(1),
            _ => None,
        }
    }

    fn millis(self) -> i64 {
        match self {
            Unit::Millis => 1,
            Unit::Seconds => 1_000,
            Unit::Minutes => 60_000,
            Unit::Hours => 3_600_000,
            Unit::Days => 86_400_000,
            Unit::Weeks => 604_800_000,
            Unit::Months | Unit::Years => 0,
        }
    }
}

/// A time so many units later; earlier where they are negative. None beyond all dates.
pub(super) fn plus(time: NaiveDateTime, count: i64, unit: Unit) -> Option<NaiveDateTime> {
    match unit.months() {
        Some(months) => {
            let months = count.checked_mul(months)?;
            let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            // The last day of a month that is too short, as in Java.
            if months < 0 {
                time.checked_sub_months(size)
            } else {
                time.checked_add_months(size)
            }
        }
        None => time.checked_add_signed(Duration::try_milliseconds(
            count.checked_mul(unit.millis())?,
        )?),
    }
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    /// `NOW`, so many units later.
    Now(i64, Unit),
    At(NaiveDateTime),
}

impl Bound {
    /// `\s*NOW\s*(([\+\-])\s*([0-9]+)\s*(YEARS?|…|SECONDS?)\s*)?`, or a text of the pattern; what is wrong otherwise.
    /// Source: "Supported types for partition projection", Athena user guide.
    pub(super) fn parse(text: &str, pattern: &Pattern) -> Result<Self, String> {
        let trimmed = text.trim();
        let Some(rest) = trimmed
            .get(..3)
            .filter(|now| now.eq_ignore_ascii_case("NOW"))
            .and_then(|_| trimmed.get(3..))
        else {
            return pattern.read(text).map(Bound::At).map_err(|why| {
                format!("'{text}' is neither a date of the format ({why}) nor NOW, NOW-3YEARS, NOW+1DAY…")
            });
        };
        let rest = rest.trim();
        if rest.is_empty() {
            return Ok(Bound::Now(0, Unit::Millis));
        }
        let bad =
            || format!("'{trimmed}' is not NOW, a sign, a number and a unit, as NOW-3YEARS is");
        let (sign, rest) = match rest.split_at_checked(1) {
            Some(("+", rest)) => (1, rest.trim()),
            Some(("-", rest)) => (-1, rest.trim()),
            _ => return Err(bad()),
        };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = rest.split_at(count);
        let number: i64 = number.parse().map_err(|_| bad())?;
        let unit = Unit::parse(unit.trim()).filter(|unit| *unit != Unit::Millis);
        let unit = unit.ok_or_else(bad)?;
        Ok(Bound::Now(sign * number, unit))
    }

    /// The time it is `now` (in UTC), as exactly as the pattern shows it.
    pub(super) fn at(&self, now: NaiveDateTime, pattern: &Pattern) -> Option<NaiveDateTime> {
        match self {
            Bound::At(time) => Some(*time),
            Bound::Now(count, unit) => {
                let exact = plus(now, *count, *unit)?;
                // A format that does not tell its times apart (`yy`) is not read back as what was written.
                let shown = pattern.read(&pattern.write(exact)).ok();
                Some(
                    shown
                        .filter(|time| time.year() == exact.year())
                        .unwrap_or(exact),
                )
            }
        }
    }
}

/// Times at equal distances.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steps {
    start: NaiveDateTime,
    /// Units between two of them.
    interval: i64,
    unit: Unit,
    count: u64,
}

impl Steps {
    /// From `start` to `end`, both included where they are met. The interval is positive.
    pub(super) fn new(start: NaiveDateTime, end: NaiveDateTime, interval: i64, unit: Unit) -> Self {
        let interval = interval.max(1);
        let mut steps = Steps {
            start,
            interval,
            unit,
            count: 0,
        };
        if start <= end {
            steps.count = steps.before(end).map_or(0, |last| last + 1);
        }
        steps
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// What steps are counted in.
    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// The time with this number, from 0.
    pub(super) fn get(&self, at: u64) -> Option<NaiveDateTime> {
        let count = i64::try_from(at).ok()?.checked_mul(self.interval)?;
        plus(self.start, count, self.unit)
    }

    /// The number of the last one that is not after a time.
    fn before(&self, time: NaiveDateTime) -> Option<u64> {
        let guess = match self.unit.months() {
            Some(months) => {
                let of = |t: NaiveDateTime| i64::from(t.year()) * 12 + i64::from(t.month0());
                (of(time) - of(self.start)) / months / self.interval
            }
            None => {
                let millis = (time - self.start).num_milliseconds();
                millis / self.unit.millis().max(1) / self.interval
            }
        };
        let guess = u64::try_from(guess).ok()?;
        // The day of the month may not be reached yet.
        match self.get(guess) {
            Some(found) if found <= time => Some(guess),
            _ => guess.checked_sub(1),
        }
    }

    /// The number of a time, if it is one of them.
    pub(super) fn position(&self, time: NaiveDateTime) -> Option<u64> {
        if time < self.start {
            return None;
        }
        let at = self.before(time)?;
        (at < self.count && self.get(at) == Some(time)).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    fn all(steps: &Steps) -> Vec<String> {
        (0..steps.len())
            .map(|i| steps.get(i).unwrap().format("%Y-%m-%d %H:%M").to_string())
            .collect()
    }

    #[test]
    fn bounds_of_athenas_documentation() {
        let month = Pattern::compile("yyyyMM").unwrap();
        let now = at("2024-03-31 14:55");
        for (text, expected) in [
            ("201801", "2018-01-01 00:00"),
            ("NOW", "2024-03-01 00:00"),
            (" now - 3 years ", "2021-03-01 00:00"),
            ("NOW+1MONTH", "2024-04-01 00:00"),
            ("NOW-5WEEKS", "2024-02-01 00:00"),
        ] {
            let bound = Bound::parse(text, &month).unwrap();
            assert_eq!(bound.at(now, &month), Some(at(expected)), "{text}");
        }
        for text in [
            "NOW3YEARS",
            "NOW-YEARS",
            "NOW-3",
            "NOW-3FORTNIGHTS",
            "2018",
            "NOWADAYS",
            "NOW-99999999999999999999DAYS",
        ] {
            assert!(Bound::parse(text, &month).is_err(), "{text}");
        }
        let far = Bound::parse("NOW+9000000000000000000YEARS", &month).unwrap();
        assert_eq!(far.at(now, &month), None);
    }

    #[test]
    fn steps_do_not_drift() {
        let steps = Steps::new(
            at("2024-01-31 00:00"),
            at("2024-05-31 00:00"),
            1,
            Unit::Months,
        );
        assert_eq!(
            all(&steps),
            [
                "2024-01-31 00:00",
                "2024-02-29 00:00",
                "2024-03-31 00:00",
                "2024-04-30 00:00",
                "2024-05-31 00:00"
            ]
        );
        let steps = Steps::new(
            at("2020-02-29 00:00"),
            at("2022-02-28 00:00"),
            1,
            Unit::Years,
        );
        assert_eq!(all(&steps).len(), 3);
        let hours = Steps::new(
            at("2024-01-01 00:00"),
            at("2024-01-01 23:59"),
            6,
            Unit::Hours,
        );
        assert_eq!(hours.len(), 4);
        assert_eq!(hours.position(at("2024-01-01 12:00")), Some(2));
        assert_eq!(hours.position(at("2024-01-01 13:00")), None);
        assert_eq!(hours.position(at("2024-01-02 00:00")), None);
        let none = Steps::new(
            at("2024-01-02 00:00"),
            at("2024-01-01 00:00"),
            1,
            Unit::Days,
        );
        assert_eq!(none.len(), 0);
    }

    proptest! {
        #[test]
        fn every_step_is_found_and_none_is_left_out(
            start in 0_i64..2_000_000, length in 0_i64..2_000_000, interval in 1_i64..40, which in 0_usize..8,
        ) {
            let (_, unit) = Unit::NAMES[which];
            let time = |minutes: i64| chrono::DateTime::from_timestamp(minutes * 60, 0).unwrap().naive_utc();
            let (start, end) = (time(start), time(start + length));
            let steps = Steps::new(start, end, interval, unit);
            let len = steps.len();
            prop_assert!(len >= 1);
            prop_assert!(steps.get(len - 1).unwrap() <= end);
            prop_assert!(steps.get(len).unwrap() > end);
            let step = (len / 50).max(1);
            for i in (0..len).step_by(usize::try_from(step).unwrap()) {
                let found = steps.position(steps.get(i).unwrap());
                // Of steps that fall on one day because a month is short, there are none here: a step is a month or more.
                prop_assert_eq!(found, Some(i));
            }
        }
    }
}
