//! ISO 8601 dates and times as `from_iso8601_date` and `from_iso8601_timestamp` take them.

use chrono::{FixedOffset, NaiveDate, NaiveTime, Weekday};

/// A calendar date (`2020-05-11`, `2020-05`, `2020`), a week date (`2020-W10`, `2020-W10-2`) or a day of
/// a year (`2020-123`).
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    let (year, rest) = digits(text, 4)?;
    let year = year as i32;
    if rest.is_empty() {
        return NaiveDate::from_ymd_opt(year, 1, 1);
    }
    let rest = rest.strip_prefix('-')?;
    if let Some(week) = rest.strip_prefix('W') {
        let (week, rest) = digits(week, 2)?;
        let day = match rest {
            "" => 1,
            _ => last(digits(rest.strip_prefix('-')?, 1)?)?,
        };
        let weekday = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
        return NaiveDate::from_isoywd_opt(year, week, weekday);
    }
    if rest.len() == 3 {
        return NaiveDate::from_yo_opt(year, last(digits(rest, 3)?)?);
    }
    let (month, rest) = digits(rest, 2)?;
    let day = match rest {
        "" => 1,
        _ => last(digits(rest.strip_prefix('-')?, 2)?)?,
    };
    NaiveDate::from_ymd_opt(year, month, day)
}

/// A date, then perhaps `T`, a time to the hour, minute, second or a fraction of it, and an offset.
/// The answer is in milliseconds UTC; without an offset the time is taken to be UTC.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let Some((day, rest)) = text.split_once('T') else {
        return Some(
            date(text)?
                .and_time(NaiveTime::MIN)
                .and_utc()
                .timestamp_millis(),
        );
    };
    let (clock, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => (&rest[..at], offset(&rest[at..])?),
        None => (rest, FixedOffset::east_opt(0)?),
    };
    // `2020-05-11T` and `2020-05-11T+01:00` are midnight, as Joda-Time takes them.
    let time = if clock.is_empty() {
        NaiveTime::MIN
    } else {
        time(clock)?
    };
    let local = date(day)?.and_time(time).and_utc().timestamp_millis();
    Some(local - i64::from(offset.local_minus_utc()) * 1_000)
}

fn time(text: &str) -> Option<NaiveTime> {
    let (hour, rest) = digits(text, 2)?;
    let Some(rest) = following(rest, ':')? else {
        return NaiveTime::from_hms_opt(hour, 0, 0);
    };
    let (minute, rest) = digits(rest, 2)?;
    let Some(rest) = following(rest, ':')? else {
        return NaiveTime::from_hms_opt(hour, minute, 0);
    };
    let (second, rest) = digits(rest, 2)?;
    let Some(fraction) = following(&rest.replacen(',', ".", 1), '.')?.map(str::to_owned) else {
        return NaiveTime::from_hms_opt(hour, minute, second);
    };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Cut to milliseconds, the precision of the type returned.
    let millis = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    NaiveTime::from_hms_milli_opt(hour, minute, second, millis)
}

fn offset(text: &str) -> Option<FixedOffset> {
    if text == "Z" {
        return FixedOffset::east_opt(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let minutes = match rest {
        "" => 0,
        _ => last(digits(rest.strip_prefix(':').unwrap_or(rest), 2)?)?,
    };
    if minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3_600 + minutes * 60) as i32)
}

/// Exactly `n` digits, and what is behind them.
fn digits(text: &str, n: usize) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(n)?;
    let all = digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok())?
        .map(|number| (number, rest))
}

/// The number, if nothing is behind it.
fn last((number, rest): (u32, &str)) -> Option<u32> {
    rest.is_empty().then_some(number)
}

/// `Some(None)` at the end of the text, `Some(rest)` behind `mark`, and `None` where else stands.
fn following(text: &str, mark: char) -> Option<Option<&str>> {
    if text.is_empty() {
        Some(None)
    } else {
        text.strip_prefix(mark).map(Some)
    }
}
