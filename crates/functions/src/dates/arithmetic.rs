//! `date_add`, `date_diff`, `last_day_of_month` and `to_unixtime`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, Offset, TimeZone};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::unit::Unit;
use crate::args::{Call, Moments, Ticks, to_local};
use crate::function::{Function, Kind, Params};

const DAY_MILLIS: i64 = 86_400_000;
const DAY_SECONDS: i64 = 86_400;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Int, Moment, Text};
    let add = Params::Kinds(&[Text, Int, Moment], 3);
    let diff = Params::Kinds(&[Text, Moment, Moment], 3);
    let one = Params::Kinds(&[Moment], 1);
    vec![
        Function::new("date_add", add, |t| Ok(t[2].clone()), date_add).udf(),
        Function::new("date_diff", diff, |_| Ok(DataType::Int64), date_diff).udf(),
        Function::new("last_day_of_month", one, |_| Ok(DataType::Date32), last_day).udf(),
        Function::new("to_unixtime", one, |_| Ok(DataType::Float64), to_unixtime).udf(),
    ]
}

/// The day `days` after 1970-01-01.
pub(super) fn date_of(days: i64) -> Option<NaiveDate> {
    let days = i32::try_from(days).ok()?;
    NaiveDate::from_epoch_days(days)
}

/// Days from 1970-01-01 to `date`.
pub(super) fn days_of(date: NaiveDate) -> i64 {
    i64::from(date.to_epoch_days())
}

fn date_add(call: &Call<'_>) -> Result<ArrayRef> {
    let (units, counts, moments) = (call.text(0)?, call.ints(1)?, call.moments(2)?);
    let mut last: Option<(&str, Unit)> = None;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(n), Some(raw)) = (units.get(row), counts.get(row), moments.raw(row))
        else {
            out.push(None);
            continue;
        };
        let unit = match last {
            Some((t, unit)) if t == text => unit,
            _ => last.insert((text, Unit::parse(call.name, text)?)).1,
        };
        if moments.ticks == Ticks::Days && matches!(unit, Unit::Millis(_)) {
            return exec_err!("date_add: '{text}' cannot be added to a date; CAST it AS timestamp");
        }
        let sum = add(&moments, unit, n, raw).ok_or_else(|| {
            exec_datafusion_err!("date_add: {n} {text}(s) leads out of the range of dates")
        })?;
        out.push(Some(sum));
    }
    // Through integers, which casts take as they are, back to the type that came in.
    let out = Int64Array::from(out);
    Ok(match moments.ticks {
        Ticks::Days => cast(&cast(&out, &DataType::Int32)?, &DataType::Date32)?,
        Ticks::PerSecond(_) => cast(&out, call.args.return_field.data_type())?,
    })
}

fn add(moments: &Moments, unit: Unit, n: i64, raw: i64) -> Option<i64> {
    let per_second = match moments.ticks {
        Ticks::Days => return i32::try_from(shift_days(raw, unit, n)?).ok().map(i64::from),
        Ticks::PerSecond(per_second) => per_second,
    };
    if let Unit::Millis(millis) = unit {
        // `Kind::Moment` has made sure that ticks are milliseconds or finer.
        return raw.checked_add(n.checked_mul(millis.checked_mul(per_second / 1_000)?)?);
    }
    // Days and months are counted on the calendar of the zone: noon stays noon over a change of clocks.
    let offset = offset_at(moments.zone.as_ref(), raw.div_euclid(per_second))?;
    let local = raw.checked_add(offset.checked_mul(per_second)?)?;
    let per_day = DAY_SECONDS.checked_mul(per_second)?;
    let (day, within) = (local.div_euclid(per_day), local.rem_euclid(per_day));
    // Within the day first, so that the smallest timestamps do not overflow on the way.
    let shifted = shift_days(day, unit, n)?
        .checked_mul(per_day)?
        .checked_add(within)?;
    let offset = local_offset(
        moments.zone.as_ref(),
        shifted.div_euclid(per_second),
        offset,
    )?;
    shifted.checked_sub(offset.checked_mul(per_second)?)
}

fn shift_days(day: i64, unit: Unit, n: i64) -> Option<i64> {
    match unit {
        Unit::Days(days) => day.checked_add(n.checked_mul(days)?),
        Unit::Months(months) => {
            let months = n.checked_mul(months)?;
            let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            let date = date_of(day)?;
            let date = if months < 0 {
                date.checked_sub_months(step)?
            } else {
                date.checked_add_months(step)?
            };
            Some(days_of(date))
        }
        Unit::Millis(_) => None,
    }
}

fn offset_at(zone: Option<&Tz>, seconds: i64) -> Option<i64> {
    let Some(zone) = zone else { return Some(0) };
    let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
    Some(i64::from(
        zone.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
    ))
}

/// The offset at a local time: the earlier where clocks went back, and the one from before where
/// they skipped it, which is how Java's and Trino's arithmetic moves such times forward.
fn local_offset(zone: Option<&Tz>, seconds: i64, before: i64) -> Option<i64> {
    let Some(zone) = zone else { return Some(0) };
    let local = DateTime::from_timestamp(seconds, 0)?.naive_utc();
    Some(match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(o) | LocalResult::Ambiguous(o, _) => {
            i64::from(o.fix().local_minus_utc())
        }
        LocalResult::None => before,
    })
}

fn date_diff(call: &Call<'_>) -> Result<ArrayRef> {
    let (units, from, to) = (call.text(0)?, call.moments(1)?, call.moments(2)?);
    let dates = from.ticks == Ticks::Days && to.ticks == Ticks::Days;
    let zone = from.zone.or(to.zone);
    let mut last: Option<(&str, Unit)> = None;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(a), Some(b)) = (units.get(row), from.millis(row)?, to.millis(row)?)
        else {
            out.push(None);
            continue;
        };
        let unit = match last {
            Some((t, unit)) if t == text => unit,
            _ => last.insert((text, Unit::parse(call.name, text)?)).1,
        };
        // A date has no zone: it is a day on the other side's calendar.
        let local = |millis, m: &Moments| match m.ticks {
            Ticks::Days => Ok(millis),
            Ticks::PerSecond(_) => to_local(call.name, millis, zone.as_ref()),
        };
        out.push(Some(match unit {
            Unit::Millis(_) if dates => {
                return exec_err!(
                    "date_diff: '{text}' is not a unit of dates; CAST them AS timestamp"
                );
            }
            Unit::Millis(millis) => less(b, a)? / millis,
            Unit::Days(days) => less(local(b, &to)?, local(a, &from)?)? / DAY_MILLIS / days,
            Unit::Months(months) => {
                let (a, b) = (local(a, &from)?, local(b, &to)?);
                whole_months(a, b).ok_or_else(|| {
                    exec_datafusion_err!("date_diff: a timestamp is out of the range of dates")
                })? / months
            }
        }));
    }
    Ok(Arc::new(Int64Array::from(out)))
}

fn less(b: i64, a: i64) -> Result<i64> {
    b.checked_sub(a)
        .ok_or_else(|| exec_datafusion_err!("date_diff: {a} ms and {b} ms are too far apart"))
}

/// Complete months from `a` to `b`, both in milliseconds. The last day of a month completes a month
/// begun on any later day: 31 January to 28 February is one (Joda-Time's rule, which is Trino's).
fn whole_months(a: i64, b: i64) -> Option<i64> {
    if b < a {
        return whole_months(b, a).map(|n| -n);
    }
    let (from, to) = (
        date_of(a.div_euclid(DAY_MILLIS))?,
        date_of(b.div_euclid(DAY_MILLIS))?,
    );
    let months =
        i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
    let last = to.checked_add_days(Days::new(1))?.day() == 1;
    let from_day = if last {
        from.day().min(to.day())
    } else {
        from.day()
    };
    let complete = (to.day(), b.rem_euclid(DAY_MILLIS)) >= (from_day, a.rem_euclid(DAY_MILLIS));
    Some(if complete { months } else { months - 1 })
}

fn last_day(call: &Call<'_>) -> Result<ArrayRef> {
    let moments = call.moments(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(millis) = moments.local_millis(row)? else {
            out.push(None);
            continue;
        };
        let last = date_of(millis.div_euclid(DAY_MILLIS))
            .and_then(|d| d.with_day(1))
            .and_then(|d| d.checked_add_months(Months::new(1)))
            .and_then(|d| d.pred_opt());
        match last {
            Some(date) => out.push(Some(date.to_epoch_days())),
            None => {
                return exec_err!("last_day_of_month: {millis} ms is out of the range of dates");
            }
        }
    }
    Ok(Arc::new(Date32Array::from(out)))
}

/// Seconds with their fraction, where DataFusion's own returns whole seconds.
fn to_unixtime(call: &Call<'_>) -> Result<ArrayRef> {
    let moments = call.moments(0)?;
    let seconds = (0..call.rows).map(|row| {
        moments.raw(row).map(|raw| match moments.ticks {
            Ticks::Days => raw as f64 * DAY_SECONDS as f64,
            Ticks::PerSecond(n) => raw as f64 / n as f64,
        })
    });
    Ok(Arc::new(Float64Array::from_iter(seconds)))
}
