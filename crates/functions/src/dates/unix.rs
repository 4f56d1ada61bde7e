//! `from_unixtime`, `from_unixtime_nanos` and `to_iso8601`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, TimestampMillisecondArray, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::arithmetic::date_of;
use super::iso8601;
use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::casts::local;
use crate::trino::rows::{texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new(
            "from_unixtime",
            Params::Kinds(&[Kind::Double], 1),
            |_| {
                Ok(DataType::Timestamp(
                    TimeUnit::Millisecond,
                    Some("UTC".into()),
                ))
            },
            from_unixtime,
        )
        .udf(),
        Function::new(
            "from_unixtime_nanos",
            Params::Kinds(&[Kind::Int], 1),
            |_| {
                Ok(DataType::Timestamp(
                    TimeUnit::Nanosecond,
                    Some("UTC".into()),
                ))
            },
            from_unixtime_nanos,
        )
        .udf(),
        Function::new(
            "from_iso8601_timestamp_nanos",
            Params::Kinds(&[Kind::Text], 1),
            |_| {
                Ok(DataType::Timestamp(
                    TimeUnit::Nanosecond,
                    Some("UTC".into()),
                ))
            },
            from_iso8601_nanos,
        )
        .udf(),
        Function::new(
            "to_iso8601",
            Params::Kinds(&[Kind::Moment], 1),
            varchar,
            to_iso8601,
        )
        .udf(),
    ]
}

/// Seconds with their fraction, to milliseconds in UTC.
fn from_unixtime(call: &Call<'_>) -> Result<ArrayRef> {
    let seconds = call.doubles(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if seconds.is_null(row) {
            out.push(None);
            continue;
        }
        let millis = (seconds.value(row) * 1_000.0).round();
        if !millis.is_finite() || millis.abs() > 8.64e18 {
            return exec_err!(
                "from_unixtime: {} is out of the range of timestamps",
                seconds.value(row)
            );
        }
        out.push(Some(millis as i64));
    }
    Ok(Arc::new(
        TimestampMillisecondArray::from(out).with_timezone("UTC"),
    ))
}

fn from_unixtime_nanos(call: &Call<'_>) -> Result<ArrayRef> {
    let nanos = call.ints(0)?;
    let values: TimestampNanosecondArray = (0..call.rows).map(|row| nanos.get(row)).collect();
    Ok(Arc::new(values.with_timezone("UTC")))
}

/// As `from_iso8601_timestamp`, with up to nine digits of a second.
fn from_iso8601_nanos(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(text) = values.get(row) else {
            out.push(None);
            continue;
        };
        // Behind the millisecond there may be six digits more.
        let nanos = iso8601::timestamp(text).and_then(|millis| {
            let digits: String = text
                .split_once(['.', ','])
                .map(|(_, tail)| {
                    tail.chars()
                        .take_while(char::is_ascii_digit)
                        .skip(3)
                        .take(6)
                        .collect()
                })
                .unwrap_or_default();
            let rest: i64 = format!("{digits:0<6}").parse().ok()?;
            millis.checked_mul(1_000_000)?.checked_add(rest)
        });
        match nanos {
            Some(nanos) => out.push(Some(nanos)),
            None => {
                return exec_err!(
                    "from_iso8601_timestamp_nanos: '{text}' is not an ISO 8601 timestamp of the years 1677 to 2262"
                );
            }
        }
    }
    Ok(Arc::new(
        TimestampNanosecondArray::from(out).with_timezone("UTC"),
    ))
}

fn to_iso8601(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.array(0)?;
    let (unit, name) = match values.data_type() {
        DataType::Timestamp(unit, zone) => (*unit, zone.clone()),
        _ => {
            let days = values.as_primitive::<Date32Type>();
            return texts(call, |row| {
                if days.is_null(row) {
                    return Ok(None);
                }
                match date_of(i64::from(days.value(row))) {
                    Some(date) => Ok(Some(date.format("%Y-%m-%d").to_string())),
                    None => exec_err!("to_iso8601: day {} is out of range", days.value(row)),
                }
            });
        }
    };
    let zone = name
        .as_deref()
        .map(str::parse::<Tz>)
        .transpose()
        .map_err(|e| exec_datafusion_err!("to_iso8601: {e}"))?;
    let ticks = cast(&values, &DataType::Int64)?;
    let ticks = ticks.as_primitive::<Int64Type>();
    texts(call, |row| {
        if ticks.is_null(row) {
            return Ok(None);
        }
        let (mut text, offset) = local(ticks.value(row), unit, zone.as_ref(), 'T')?;
        match offset {
            None => {}
            Some(0) => text.push('Z'),
            Some(seconds) => {
                let sign = if seconds < 0 { '-' } else { '+' };
                let minutes = seconds.abs() / 60;
                text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
            }
        }
        Ok(Some(text))
    })
}
