//! Casts that Trino writes another way than Arrow: to text, to and from JSON, and between nested types.
//! Semantics: <https://trino.io/docs/current/functions/conversion.html>.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StringBuilder, StructArray, new_null_array,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, Int64Type, TimeUnit};
use arrow::json::writer::{EncoderOptions, make_encoder};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{Expr, ScalarUDF, cast as cast_expr};
use mastic_schema::hive::parse_type;

use crate::args::Call;
use crate::args::{Text, per_second};
use crate::arrays::{element, key_and_value};
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{texts, varchar};
use crate::typed::Typed;

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let any = Params::Kinds(&[Kind::Any], 1);
    vec![
        Function::new("cast_to_varchar", any, text_type, to_varchar)
            .rewritten_by_type(plain)
            .udf(),
        Function::new("to_json", any, varchar, to_json).udf(),
        Typed::udf("cast_to", 1, 1, cast_type, cast_to),
    ]
}

/// Text stays what it is, in whichever of Arrow's types.
fn text_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [text] if text.is_string() => Ok(text.clone()),
        [other] if other.is_nested() || other.is_binary() => plan_err!(
            "CAST: {} cannot be cast to varchar; {}",
            super::values::sql_name(other),
            if other.is_nested() {
                "use json_format(CAST(x AS json))"
            } else {
                "use from_utf8, to_hex or to_base64"
            }
        ),
        _ => Ok(DataType::Utf8),
    }
}

fn own(data_type: &DataType) -> bool {
    data_type.is_floating() || matches!(data_type, DataType::Timestamp(..))
}

fn plain(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    match (args, types) {
        ([value], [text]) if text.is_string() => Some(value.clone()),
        ([value], [other]) if !own(other) && !other.is_nested() && !other.is_binary() => {
            Some(cast_expr(value.clone(), DataType::Utf8))
        }
        _ => None,
    }
}

fn to_varchar(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.array(0)?;
    match values.data_type() {
        text if text.is_string() => Ok(values),
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>();
            let text = |x: f64| java(x, &format!("{x:?}"), &format!("{x:e}"));
            texts(call, |row| {
                Ok(values.is_valid(row).then(|| text(values.value(row))))
            })
        }
        DataType::Float16 | DataType::Float32 => {
            let values = cast(&values, &DataType::Float32)?;
            let values = values.as_primitive::<Float32Type>();
            let text = |x: f32| java(f64::from(x), &format!("{x:?}"), &format!("{x:e}"));
            texts(call, |row| {
                Ok(values.is_valid(row).then(|| text(values.value(row))))
            })
        }
        DataType::Timestamp(unit, zone) => {
            let (unit, name) = (*unit, zone.clone());
            let zone = name.as_deref().map(str::parse::<Tz>).transpose()?;
            let ticks = cast(&values, &DataType::Int64)?;
            let ticks = ticks.as_primitive::<Int64Type>();
            texts(call, |row| {
                if ticks.is_null(row) {
                    return Ok(None);
                }
                moment(ticks.value(row), unit, zone.as_ref().zip(name.as_deref())).map(Some)
            })
        }
        _ => Ok(cast(&values, &DataType::Utf8)?),
    }
}

/// As Java writes a number: plain between a thousandth and ten millions, with an exponent elsewhere.
fn java(x: f64, plain: &str, scientific: &str) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if x == 0.0 || (1e-3..1e7).contains(&x.abs()) {
        return plain.to_owned();
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let dot = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{dot}E{exponent}")
}

/// `2020-01-02 03:04:05.678`, with as many digits as the type or the value has, in threes.
fn moment(ticks: i64, unit: TimeUnit, zone: Option<(&Tz, &str)>) -> Result<String> {
    let (mut out, _) = local(ticks, unit, zone.map(|(zone, _)| zone), ' ')?;
    if let Some((_, name)) = zone {
        out.push(' ');
        out.push_str(name);
    }
    Ok(out)
}

/// A timestamp as a clock in the zone shows it, the date set off by `between`, and the zone's offset.
pub(crate) fn local(
    ticks: i64,
    unit: TimeUnit,
    zone: Option<&Tz>,
    between: char,
) -> Result<(String, Option<i32>)> {
    let per_second = per_second(unit);
    let (seconds, rest) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    let nanos = rest * (1_000_000_000 / per_second);
    let Some(utc) = u32::try_from(nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(seconds, nanos))
    else {
        return exec_err!("CAST: the timestamp {ticks} is out of the range of dates");
    };
    let offset = zone.map(|zone| zone.offset_from_utc_datetime(&utc.naive_utc()).fix());
    let local = match offset {
        Some(offset) => utc.naive_utc() + offset,
        None => utc.naive_utc(),
    };
    let digits = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        _ if nanos == 0 => 0,
        _ if nanos % 1_000_000 == 0 => 3,
        _ if nanos % 1_000 == 0 => 6,
        _ => 9,
    };
    let mut out = String::new();
    write!(
        out,
        "{}",
        local.format(&format!("%Y-%m-%d{between}%H:%M:%S"))
    )
    .map_err(|e| exec_datafusion_err!("CAST: {e}"))?;
    if digits > 0 {
        out.push('.');
        out.extend(format!("{nanos:09}").chars().take(digits));
    }
    Ok((out, offset.map(|o| o.local_minus_utc())))
}

/// Text becomes a JSON string, a row an object with all its fields, a map an object.
fn to_json(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.array(0)?;
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let field: FieldRef = Arc::new(Field::new("value", values.data_type().clone(), true));
    let mut encoder = make_encoder(&field, values.as_ref(), &options)
        .map_err(|e| exec_datafusion_err!("CAST to json: {e}"))?;
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
    let mut buffer = Vec::new();
    for row in 0..call.rows {
        if values.is_null(row) {
            out.append_null();
            continue;
        }
        buffer.clear();
        encoder.encode(row, &mut buffer);
        out.append_value(String::from_utf8_lossy(&buffer));
    }
    Ok(Arc::new(out.finish()))
}

fn cast_type(_: &[DataType], types: &[&str]) -> Result<DataType> {
    match types {
        [text] => match parse_type(text) {
            Ok(data_type) => Ok(data_type),
            Err(e) => plan_err!("CAST: '{text}' is no type: {e}"),
        },
        _ => plan_err!("CAST takes one type"),
    }
}

fn cast_to(values: &[ArrayRef], types: &[&str]) -> Result<ArrayRef> {
    let to = cast_type(&[], types)?;
    let Some(value) = values.first() else {
        return exec_err!("CAST: there is no value");
    };
    if !value.data_type().is_string() {
        return between(value, &to);
    }
    // Text is JSON here.
    let texts = cast(value, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let parsed = crate::parsing::json::parse(&Text::Utf8(texts), texts.len(), &to)?;
    match parsed.reasons.values().next() {
        Some(reason) => exec_err!("CAST: {reason}"),
        None => Ok(parsed.values),
    }
}

/// Rows by the place of their fields, arrays and maps by their elements.
fn between(value: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = value.data_type();
    if from == to {
        return Ok(value.clone());
    }
    if from.is_null() {
        return Ok(new_null_array(to, value.len()));
    }
    let unlike = || {
        exec_err!(
            "CAST: {} cannot be cast to {}",
            super::values::sql_name(from),
            super::values::sql_name(to)
        )
    };
    Ok(match (from, to) {
        (DataType::Struct(fields), DataType::Struct(wanted)) => {
            if fields.len() != wanted.len() {
                return unlike();
            }
            let rows = value.as_struct();
            let columns = rows
                .columns()
                .iter()
                .zip(wanted)
                .map(|(column, field)| between(column, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new(
                wanted.clone(),
                columns,
                rows.nulls().cloned(),
            )?)
        }
        (_, DataType::List(wanted)) => {
            let Some(field) = element(from) else {
                return unlike();
            };
            let plain = cast(value, &DataType::List(field.clone()))?;
            let list = plain.as_list::<i32>();
            let values = between(list.values(), wanted.data_type())?;
            Arc::new(ListArray::try_new(
                wanted.clone(),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let Some((key, of)) = key_and_value(to) else {
                return unlike();
            };
            let map = value.as_map();
            let columns = vec![
                between(map.keys(), key.data_type())?,
                between(map.values(), of.data_type())?,
            ];
            let DataType::Struct(fields) = entries.data_type() else {
                return unlike();
            };
            let rows = StructArray::try_new(fields.clone(), columns, None)?;
            Arc::new(MapArray::try_new(
                entries.clone(),
                map.offsets().clone(),
                rows,
                map.nulls().cloned(),
                *sorted,
            )?)
        }
        (from, to) if from.is_nested() != to.is_nested() => return unlike(),
        _ => {
            let strict = CastOptions {
                safe: false,
                ..Default::default()
            };
            cast_with_options(value, to, &strict).map_err(|e| exec_datafusion_err!("CAST: {e}"))?
        }
    })
}
