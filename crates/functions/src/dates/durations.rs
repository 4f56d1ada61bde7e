//! Lengths of time, and of data: `human_readable_seconds`, `parse_duration`, `to_milliseconds`,
//! `parse_data_size`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{bigint, ints, texts, varchar};

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const DAY_NANOS: i64 = 86_400_000_000_000;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let text = Params::Kinds(&[Kind::Text], 1);
    vec![
        Function::new(
            "human_readable_seconds",
            Params::Kinds(&[Kind::Double], 1),
            varchar,
            human_readable,
        )
        .udf(),
        Function::new("parse_duration", text, |_| Ok(INTERVAL), parse_duration).udf(),
        Function::new(
            "to_milliseconds",
            Params::Custom(interval),
            bigint,
            to_milliseconds,
        )
        .udf(),
        Function::new(
            "parse_data_size",
            text,
            |_| Ok(DataType::Decimal128(38, 0)),
            parse_data_size,
        )
        .udf(),
    ]
}

/// Weeks to seconds: `1 week, 2 hours, 3 seconds`.
fn human_readable(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.doubles(0)?;
    texts(call, |row| {
        if values.is_null(row) {
            return Ok(None);
        }
        let seconds = values.value(row);
        if !seconds.is_finite() || seconds.abs() > i64::MAX as f64 {
            return exec_err!("human_readable_seconds: {seconds} is not a number of seconds");
        }
        // The sign is passed over, as by Trino.
        let mut left = seconds.abs().round() as i64;
        let mut parts = Vec::new();
        for (name, length) in [
            ("week", 604_800),
            ("day", 86_400),
            ("hour", 3_600),
            ("minute", 60),
            ("second", 1),
        ] {
            let n = left / length;
            left %= length;
            if n > 0 || (length == 1 && parts.is_empty()) {
                parts.push(format!("{n} {name}{}", if n == 1 { "" } else { "s" }));
            }
        }
        Ok(Some(parts.join(", ")))
    })
}

/// A number and a unit, with blanks between them or not.
fn measure(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim()))
}

fn parse_duration(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(text) = values.get(row) else {
            out.push(None);
            continue;
        };
        let nanos = measure(text).and_then(|(n, unit)| {
            Some(
                n * match unit {
                    "ns" => 1.0,
                    "us" => 1e3,
                    "ms" => 1e6,
                    "s" => 1e9,
                    "m" => 60e9,
                    "h" => 3_600e9,
                    "d" => 86_400e9,
                    _ => return None,
                },
            )
        });
        match nanos {
            // To the millisecond, the precision that Trino's intervals have.
            Some(nanos) if nanos < i64::MAX as f64 => {
                let nanos = (nanos / 1e6).round() as i64 * 1_000_000;
                let days = i32::try_from(nanos / DAY_NANOS).unwrap_or(i32::MAX);
                out.push(Some(IntervalMonthDayNano::new(0, days, nanos % DAY_NANOS)));
            }
            _ => {
                return exec_err!(
                    "parse_duration: '{text}' is not a number and one of ns, us, ms, s, m, h, d"
                );
            }
        }
    }
    Ok(Arc::new(IntervalMonthDayNanoArray::from(out)))
}

fn interval(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::Interval(_) | DataType::Duration(_) | DataType::Null] => Ok(vec![INTERVAL]),
        [other] => plan_err!("{name} takes an interval, not {other}"),
        _ => plan_err!("{name} takes 1 argument, not {}", types.len()),
    }
}

fn to_milliseconds(call: &Call<'_>) -> Result<ArrayRef> {
    let values = cast(&call.array(0)?, &INTERVAL)?;
    let values = values.as_primitive::<IntervalMonthDayNanoType>();
    ints(call, |row| {
        if values.is_null(row) {
            return Ok(None);
        }
        let value = values.value(row);
        if value.months != 0 {
            return exec_err!("to_milliseconds: an interval of months has no fixed length");
        }
        Ok(Some(
            i64::from(value.days) * 86_400_000 + value.nanoseconds / 1_000_000,
        ))
    })
}

/// `2.3MB` in bytes; units are powers of 1024.
fn parse_data_size(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(text) = values.get(row) else {
            out.push(None);
            continue;
        };
        let size = measure(text).and_then(|(n, unit)| {
            let power = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
                .iter()
                .position(|u| *u == unit)?;
            Some(n * 1024_f64.powi(power as i32))
        });
        match size {
            Some(size) if size < 1e38 => out.push(Some(size as i128)),
            _ => {
                return exec_err!(
                    "parse_data_size: '{text}' is not a number and one of B, kB, MB, GB, TB, PB, EB, ZB, YB"
                );
            }
        }
    }
    Ok(Arc::new(
        Decimal128Array::from(out).with_precision_and_scale(38, 0)?,
    ))
}
