//! `format`, with the format strings of Java's `Formatter`, and `format_number`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, NaiveDateTime};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::digits::{bits, decimal, masked, padded, scientific, signed};
use super::spec::{Piece, Spec, parse};
use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::rows::{texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Function::new("format", Params::Custom(types), varchar, format).udf(),
        Function::new(
            "format_number",
            Params::Kinds(&[Kind::Double], 1),
            varchar,
            format_number,
        )
        .udf(),
    ]
}

fn types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let Some((first, rest)) = types.split_first() else {
        return plan_err!("{name} takes a format and values");
    };
    let mut wanted = all_of(name, &[Kind::Text], std::slice::from_ref(first))?;
    for given in rest {
        if given.is_nested() {
            return plan_err!("{name}: values of type {given} cannot be formatted");
        }
        wanted.push(given.clone());
    }
    Ok(wanted)
}

fn format(call: &Call<'_>) -> Result<ArrayRef> {
    let formats = call.text(0)?;
    let values: Vec<ArrayRef> = (1..call.len())
        .map(|i| call.array(i))
        .collect::<Result<_>>()?;
    let options = FormatOptions::default().with_null("null");
    let shown: Vec<ArrayFormatter<'_>> = values
        .iter()
        .map(|v| ArrayFormatter::try_new(v.as_ref(), &options))
        .collect::<std::result::Result<_, _>>()?;
    let mut last: Option<(&str, Vec<Piece>)> = None;
    texts(call, |row| {
        let Some(format) = formats.get(row) else {
            return Ok(None);
        };
        let bad = |e: String| exec_datafusion_err!("format: {e}, in '{format}'");
        let pieces = match &last {
            Some((text, pieces)) if *text == format => pieces,
            _ => &last.insert((format, parse(format).map_err(bad)?)).1,
        };
        let mut out = String::new();
        let (mut next, mut before) = (0, None);
        for piece in pieces {
            let spec = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Value(spec) => spec,
            };
            let index = match (spec.again, spec.index) {
                (true, _) => before.ok_or_else(|| bad("nothing stands before '%<'".to_owned()))?,
                (false, Some(index)) => index,
                (false, None) => {
                    next += 1;
                    next - 1
                }
            };
            before = Some(index);
            let (Some(array), Some(shown)) = (values.get(index), shown.get(index)) else {
                return Err(bad(format!("there is no argument {}", index + 1)));
            };
            let text = if array.is_null(row) || array.data_type().is_null() {
                let null = if spec.conversion == 'b' {
                    "false"
                } else {
                    "null"
                };
                padded(null, spec)
            } else {
                one(spec, array, row, &shown.value(row).to_string()).map_err(bad)?
            };
            if spec.upper {
                out.push_str(&text.to_uppercase());
            } else {
                out.push_str(&text);
            }
        }
        Ok(Some(out))
    })
}

fn one(spec: &Spec, array: &ArrayRef, row: usize, shown: &str) -> Result<String, String> {
    let kind = array.data_type();
    let refuse = || format!("'%{}' does not format a {kind}", spec.conversion);
    match spec.conversion {
        's' => {
            let cut: String = match spec.precision {
                Some(n) => shown.chars().take(n).collect(),
                None => shown.to_owned(),
            };
            Ok(padded(&cut, spec))
        }
        'b' => {
            let truth = match kind {
                DataType::Boolean => array.as_boolean().value(row),
                _ => true,
            };
            Ok(padded(if truth { "true" } else { "false" }, spec))
        }
        'c' if kind.is_integer() => {
            let code = whole(array, row).and_then(|n| u32::try_from(n).ok());
            let c = code.and_then(char::from_u32).ok_or_else(refuse)?;
            Ok(padded(&c.to_string(), spec))
        }
        'c' if shown.chars().count() == 1 => Ok(padded(shown, spec)),
        'd' | 'x' | 'o' => {
            if !kind.is_integer() {
                return Err(refuse());
            }
            let n = whole(array, row).ok_or_else(refuse)?;
            match spec.conversion {
                'd' => Ok(signed(&n.unsigned_abs().to_string(), n < 0, spec)),
                // As Java has it: the bits of the type's width.
                'x' => Ok(bits(&format!("{:x}", masked(n, kind)), "0x", spec)),
                _ => Ok(bits(&format!("{:o}", masked(n, kind)), "0", spec)),
            }
        }
        'f' | 'e' | 'g' => {
            if !kind.is_floating() && !kind.is_decimal() {
                return Err(refuse());
            }
            let precision = spec.precision.unwrap_or(6);
            if spec.conversion == 'f' && kind.is_decimal() {
                let negative = shown.starts_with('-');
                return Ok(signed(
                    &decimal(shown.trim_start_matches('-'), precision),
                    negative,
                    spec,
                ));
            }
            let x = real(array, row).ok_or_else(refuse)?;
            if !x.is_finite() {
                let text = if x.is_nan() {
                    "NaN".to_owned()
                } else {
                    signed(
                        "Infinity",
                        x < 0.0,
                        &Spec {
                            zero: false,
                            comma: false,
                            ..spec.clone()
                        },
                    )
                };
                return Ok(padded(&text, spec));
            }
            let text = match spec.conversion {
                // Java rounds the shortest decimal that stands for the double, halves up.
                'f' => decimal(&format!("{}", x.abs()), precision),
                'e' => scientific(x.abs(), precision),
                _ => {
                    let precision = precision.max(1);
                    let magnitude = x.abs();
                    if magnitude != 0.0
                        && !(1e-4..10f64.powi(precision as i32)).contains(&magnitude)
                    {
                        scientific(magnitude, precision - 1)
                    } else {
                        let whole = if magnitude < 1.0 {
                            1
                        } else {
                            magnitude.log10().floor() as usize + 1
                        };
                        decimal(&format!("{magnitude}"), precision.saturating_sub(whole))
                    }
                }
            };
            Ok(signed(&text, x.is_sign_negative(), spec))
        }
        't' => {
            let moment = moment(array, row).ok_or_else(refuse)?;
            let format = match spec.moment.unwrap_or_default() {
                'F' => "%Y-%m-%d",
                'T' => "%H:%M:%S",
                'R' => "%H:%M",
                'r' => "%I:%M:%S %p",
                'D' => "%m/%d/%y",
                'Y' => "%Y",
                'y' => "%y",
                'm' => "%m",
                'd' => "%d",
                'e' => "%-d",
                'j' => "%j",
                'B' => "%B",
                'b' | 'h' => "%b",
                'A' => "%A",
                'a' => "%a",
                'H' => "%H",
                'k' => "%-H",
                'I' => "%I",
                'l' => "%-I",
                'M' => "%M",
                'S' => "%S",
                'L' => "%3f",
                'N' => "%9f",
                'p' => "%P",
                's' => "%s",
                other => return Err(format!("there is no '%t{other}'")),
            };
            let mut out = String::new();
            write!(out, "{}", moment.format(format)).map_err(|e| e.to_string())?;
            Ok(padded(&out, spec))
        }
        _ => Err(refuse()),
    }
}

fn whole(array: &ArrayRef, row: usize) -> Option<i64> {
    let one = cast(&array.slice(row, 1), &DataType::Int64).ok()?;
    let one = one.as_primitive::<Int64Type>();
    one.is_valid(0).then(|| one.value(0))
}

fn real(array: &ArrayRef, row: usize) -> Option<f64> {
    let one = cast(&array.slice(row, 1), &DataType::Float64).ok()?;
    let one: &Float64Array = one.as_primitive::<Float64Type>();
    one.is_valid(0).then(|| one.value(0))
}

fn moment(array: &ArrayRef, row: usize) -> Option<NaiveDateTime> {
    let kind = array.data_type();
    let millis = match kind {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        _ => return None,
    };
    let one = cast(&array.slice(row, 1), &millis).ok()?;
    let one = one.as_primitive::<TimestampMillisecondType>();
    DateTime::from_timestamp_millis(one.value(0)).map(|m| m.naive_utc())
}

/// Three digits or so and a letter: `1.23K`, `12.3M`, `123B`.
fn format_number(call: &Call<'_>) -> Result<ArrayRef> {
    const UNITS: [&str; 6] = ["", "K", "M", "B", "T", "Q"];
    let values = call.doubles(0)?;
    texts(call, |row| {
        if values.is_null(row) {
            return Ok(None);
        }
        let mut x = values.value(row);
        if !x.is_finite() {
            return exec_err!("format_number: {x} is not finite");
        }
        let mut unit = 0;
        while x.abs() >= 1000.0 && unit + 1 < UNITS.len() {
            x /= 1000.0;
            unit += 1;
        }
        // Trino's choice of digits looks at the value with its sign.
        let digits = if x < 10.0 {
            2
        } else if x < 100.0 {
            1
        } else {
            0
        };
        let text = format!("{x:.digits$}");
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        let unit = UNITS.get(unit).copied().unwrap_or_default();
        Ok(Some(format!("{text}{unit}")))
    })
}
