//! `format_datetime` and `parse_datetime`.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMillisecondArray};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::joda::{Moment, Pattern};
use crate::args::{Call, Ticks};
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Moment, Text};
    vec![
        Function::new(
            "format_datetime",
            Params::Kinds(&[Moment, Text], 2),
            varchar,
            format,
        )
        .udf(),
        Function::new(
            "parse_datetime",
            Params::Kinds(&[Text, Text], 2),
            |_| {
                Ok(DataType::Timestamp(
                    TimeUnit::Millisecond,
                    Some("UTC".into()),
                ))
            },
            parse,
        )
        .udf(),
    ]
}

/// The pattern last used; nearly always the same for a whole column.
#[derive(Default)]
struct Patterns<'a>(Option<(&'a str, Pattern)>);

impl<'a> Patterns<'a> {
    fn get(&mut self, call: &Call<'_>, text: &'a str) -> Result<&Pattern> {
        if self.0.as_ref().is_none_or(|(t, _)| *t != text) {
            let pattern = Pattern::compile(text)
                .map_err(|e| exec_datafusion_err!("{}: {e}, in '{text}'", call.name))?;
            self.0 = Some((text, pattern));
        }
        match &self.0 {
            Some((_, pattern)) => Ok(pattern),
            None => exec_err!("{}: no pattern", call.name),
        }
    }
}

fn format(call: &Call<'_>) -> Result<ArrayRef> {
    let (moments, patterns) = (call.moments(0)?, call.text(1)?);
    let zone_name = match call.args.arg_fields.first().map(|f| f.data_type()) {
        Some(DataType::Timestamp(_, Some(zone))) => zone.to_string(),
        _ => "UTC".to_owned(),
    };
    let mut compiled = Patterns::default();
    texts(call, |row| {
        let (Some(raw), Some(pattern)) = (moments.raw(row), patterns.get(row)) else {
            return Ok(None);
        };
        let utc = match moments.ticks {
            Ticks::Days => raw
                .checked_mul(86_400)
                .and_then(|s| DateTime::from_timestamp(s, 0)),
            Ticks::PerSecond(n) => {
                let nanos = raw.rem_euclid(n) * (1_000_000_000 / n);
                u32::try_from(nanos)
                    .ok()
                    .and_then(|nanos| DateTime::from_timestamp(raw.div_euclid(n), nanos))
            }
        };
        let Some(utc) = utc.map(|u| u.naive_utc()) else {
            return exec_err!("format_datetime: {raw} is out of the range of dates");
        };
        let offset = moments
            .zone
            .as_ref()
            .map(|z| z.offset_from_utc_datetime(&utc).fix());
        let moment = Moment {
            local: offset.map_or(utc, |o| utc + o),
            offset: offset.map_or(0, |o| o.local_minus_utc()),
            zone: &zone_name,
        };
        let mut out = String::new();
        compiled
            .get(call, pattern)?
            .write(&moment, &mut out)
            .map_err(|e| exec_datafusion_err!("format_datetime: {e}"))?;
        Ok(Some(out))
    })
}

/// In UTC: an Arrow column has one time zone, so the offset of each row is applied, not kept.
fn parse(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, patterns) = (call.text(0)?, call.text(1)?);
    let mut compiled = Patterns::default();
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(pattern)) = (values.get(row), patterns.get(row)) else {
            out.push(None);
            continue;
        };
        match compiled.get(call, pattern)?.read(text) {
            Ok(millis) => out.push(Some(millis)),
            Err(e) => {
                return exec_err!("parse_datetime: '{text}' is not in format '{pattern}': {e}");
            }
        }
    }
    Ok(Arc::new(
        TimestampMillisecondArray::from(out).with_timezone("UTC"),
    ))
}
