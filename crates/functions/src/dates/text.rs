//! Dates and timestamps from text and to text.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, StringBuilder, TimestampMillisecondArray};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::iso8601;
use super::mysql::Format;
use crate::args::{Call, Text};
use crate::function::{Function, Kind, Params};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    use Kind::{Moment, Text};
    let text = Params::Kinds(&[Text], 1);
    let parse = Params::Kinds(&[Text, Text], 2);
    let format = Params::Kinds(&[Moment, Text], 2);
    vec![
        Function::new("date_parse", parse, |_| Ok(timestamp(None)), date_parse).udf(),
        Function::new("date_format", format, |_| Ok(DataType::Utf8), date_format).udf(),
        Function::new(
            "from_iso8601_date",
            text,
            |_| Ok(DataType::Date32),
            from_date,
        )
        .udf(),
        Function::new(
            "from_iso8601_timestamp",
            text,
            |_| Ok(timestamp(Some("UTC"))),
            from_timestamp,
        )
        .udf(),
    ]
}

fn timestamp(zone: Option<&str>) -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, zone.map(Into::into))
}

/// The format last used; nearly always the same for a whole column.
#[derive(Default)]
struct Formats<'a>(Option<(&'a str, Format)>);

impl<'a> Formats<'a> {
    fn get(&mut self, call: &Call<'_>, text: &'a str) -> Result<&Format> {
        if self.0.as_ref().is_none_or(|(t, _)| *t != text) {
            let format = Format::compile(text)
                .map_err(|e| exec_datafusion_err!("{}: {e}, in '{text}'", call.name))?;
            self.0 = Some((text, format));
        }
        match &self.0 {
            Some((_, format)) => Ok(format),
            None => exec_err!("{}: no format", call.name),
        }
    }
}

fn date_parse(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, formats): (Text<'_>, Text<'_>) = (call.text(0)?, call.text(1)?);
    let mut compiled = Formats::default();
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            out.push(None);
            continue;
        };
        match compiled.get(call, format)?.read(text) {
            Ok(moment) => out.push(Some(moment.and_utc().timestamp_millis())),
            Err(e) => return exec_err!("date_parse: '{text}' is not in format '{format}': {e}"),
        }
    }
    Ok(Arc::new(TimestampMillisecondArray::from(out)))
}

fn date_format(call: &Call<'_>) -> Result<ArrayRef> {
    let (moments, formats) = (call.moments(0)?, call.text(1)?);
    let mut compiled = Formats::default();
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
    let mut buffer = String::new();
    for row in 0..call.rows {
        let (Some(millis), Some(format)) = (moments.local_millis(row)?, formats.get(row)) else {
            out.append_null();
            continue;
        };
        let Some(moment) = chrono::DateTime::from_timestamp_millis(millis) else {
            return exec_err!("date_format: {millis} ms is out of the range of dates");
        };
        buffer.clear();
        compiled
            .get(call, format)?
            .write(moment.naive_utc(), &mut buffer)
            .map_err(|e| exec_datafusion_err!("date_format: {e}"))?;
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}

fn from_date(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        out.push(match texts.get(row) {
            None => None,
            Some(text) => match iso8601::date(text) {
                Some(date) => Some(date.to_epoch_days()),
                None => return exec_err!("from_iso8601_date: '{text}' is not an ISO 8601 date"),
            },
        });
    }
    Ok(Arc::new(Date32Array::from(out)))
}

/// In UTC: an Arrow column has one time zone, so the offset of each row is applied, not kept.
fn from_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut out = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        out.push(match texts.get(row) {
            None => None,
            Some(text) => match iso8601::timestamp(text) {
                Some(millis) => Some(millis),
                None => {
                    return exec_err!(
                        "from_iso8601_timestamp: '{text}' is not an ISO 8601 timestamp"
                    );
                }
            },
        });
    }
    Ok(Arc::new(
        TimestampMillisecondArray::from(out).with_timezone("UTC"),
    ))
}
