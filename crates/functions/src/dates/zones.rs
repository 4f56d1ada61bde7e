//! Time zones: `at_timezone`, `with_timezone`, `timezone`, `timezone_hour`, `timezone_minute`,
//! `current_timezone`.
//!
//! An Arrow column has one time zone, so a zone must be a constant. The session's zone is UTC, as Athena's is.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{bigint, ints, texts, varchar};
use crate::typed::Typed;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let moment = Params::Kinds(&[Kind::Moment], 1);
    vec![
        Typed::udf(
            "at_timezone",
            1,
            1,
            |t, z| zoned("at_timezone", t, z),
            at_timezone,
        ),
        Typed::udf(
            "with_timezone",
            1,
            1,
            |t, z| zoned("with_timezone", t, z),
            with_timezone,
        ),
        Function::new("timezone", moment, varchar, timezone).udf(),
        Function::new("timezone_hour", moment, bigint, |c| {
            offset(c, |s| s / 3_600)
        })
        .udf(),
        Function::new("timezone_minute", moment, bigint, |c| {
            offset(c, |s| s % 3_600 / 60)
        })
        .udf(),
        Function::new("current_timezone", Params::Kinds(&[], 0), varchar, |_| {
            Ok(Arc::new(StringArray::from(vec!["UTC"])))
        })
        .udf(),
    ]
}

fn zoned(name: &str, types: &[DataType], zones: &[&str]) -> Result<DataType> {
    let [zone] = zones else {
        return plan_err!("{name} takes a timestamp and a time zone");
    };
    if zone.parse::<Tz>().is_err() {
        return plan_err!("{name}: '{zone}' is not a time zone such as Europe/Berlin or +02:00");
    }
    match types {
        [DataType::Timestamp(_, Some(_))] if name == "with_timezone" => {
            plan_err!(
                "with_timezone takes a timestamp without a time zone; at_timezone moves one that has it"
            )
        }
        [DataType::Timestamp(unit, _)] => Ok(DataType::Timestamp(*unit, Some((*zone).into()))),
        [DataType::Date32 | DataType::Null] => Ok(DataType::Timestamp(
            TimeUnit::Millisecond,
            Some((*zone).into()),
        )),
        [other] => plan_err!("{name} takes a timestamp, not {other}"),
        _ => plan_err!("{name} takes a timestamp and a time zone"),
    }
}

/// The same instant on another clock.
fn at_timezone(values: &[ArrayRef], zones: &[&str]) -> Result<ArrayRef> {
    let Some(value) = values.first() else {
        return exec_err!("at_timezone: there is no value");
    };
    let to = zoned("at_timezone", &[value.data_type().clone()], zones)?;
    let value = match value.data_type() {
        DataType::Date32 | DataType::Null => {
            cast(value, &DataType::Timestamp(TimeUnit::Millisecond, None))?
        }
        _ => Arc::clone(value),
    };
    // Through integers, which name the instant whatever the zone is.
    Ok(cast(&cast(&value, &DataType::Int64)?, &to)?)
}

/// What a clock in the zone shows.
fn with_timezone(values: &[ArrayRef], zones: &[&str]) -> Result<ArrayRef> {
    let Some(value) = values.first() else {
        return exec_err!("with_timezone: there is no value");
    };
    let to = zoned("with_timezone", &[value.data_type().clone()], zones)?;
    let value = match value.data_type() {
        DataType::Date32 | DataType::Null => {
            cast(value, &DataType::Timestamp(TimeUnit::Millisecond, None))?
        }
        _ => Arc::clone(value),
    };
    Ok(cast(&value, &to)?)
}

fn timezone(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.array(0)?;
    let name = match values.data_type() {
        DataType::Timestamp(_, Some(zone)) => zone.to_string(),
        _ => "UTC".to_owned(),
    };
    texts(call, |row| {
        Ok(values.is_valid(row).then_some(name.as_str()))
    })
}

/// Of the zone's offset from UTC, in seconds, at each instant.
fn offset(call: &Call<'_>, part: fn(i64) -> i64) -> Result<ArrayRef> {
    let moments = call.moments(0)?;
    ints(call, |row| {
        let Some(millis) = moments.millis(row)? else {
            return Ok(None);
        };
        let Some(utc) = DateTime::from_timestamp_millis(millis) else {
            return exec_err!("{}: {millis} ms is out of range", call.name);
        };
        let seconds = moments.zone.as_ref().map_or(0, |zone| {
            zone.offset_from_utc_datetime(&utc.naive_utc())
                .fix()
                .local_minus_utc()
        });
        Ok(Some(part(i64::from(seconds))))
    })
}
