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

use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of};
use crate::trino::rows::{texts, varchar};

/// No width or precision is larger, so that a format cannot ask for gigabytes.
const WIDEST: usize = 10_000;

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

/// One `%…` of a format.
#[derive(Debug, Default, Clone)]
struct Spec {
    /// Which argument, from 0; the next one if it is not said.
    index: Option<usize>,
    /// The same argument as the one before (`%<s`).
    again: bool,
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    comma: bool,
    paren: bool,
    alternate: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// The letter, and the letter behind a `t`.
    conversion: char,
    moment: Option<char>,
    upper: bool,
}

enum Piece {
    Text(String),
    Value(Spec),
}

fn parse(format: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            plain.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut digits = String::new();
        while let Some(d) = chars.next_if(char::is_ascii_digit) {
            digits.push(d);
        }
        if chars.next_if_eq(&'$').is_some() {
            let index: usize = digits
                .parse()
                .map_err(|_| "a '$' without a number".to_owned())?;
            spec.index = Some(index.checked_sub(1).ok_or("arguments count from 1")?);
            digits.clear();
        } else if digits.starts_with('0') {
            spec.zero = true;
            digits.remove(0);
        }
        if digits.is_empty() {
            while let Some(flag) = chars.next_if(|c| "-#+ 0,(<".contains(*c)) {
                let set = match flag {
                    '-' => &mut spec.left,
                    '#' => &mut spec.alternate,
                    '+' => &mut spec.plus,
                    ' ' => &mut spec.space,
                    '0' => &mut spec.zero,
                    ',' => &mut spec.comma,
                    '(' => &mut spec.paren,
                    _ => &mut spec.again,
                };
                if std::mem::replace(set, true) {
                    return Err(format!("the flag '{flag}' stands twice"));
                }
            }
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
        }
        spec.width = bounded(&digits)?;
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
            spec.precision = bounded(&digits)?;
            if spec.precision.is_none() {
                return Err("no number follows a '.'".to_owned());
            }
        }
        let letter = chars.next().ok_or("nothing follows the last '%'")?;
        spec.upper = letter.is_ascii_uppercase();
        spec.conversion = letter.to_ascii_lowercase();
        if (spec.left || spec.zero) && spec.width.is_none() {
            return Err(format!("'%…{letter}' has a flag that needs a width"));
        }
        if spec.left && spec.zero {
            return Err("the flags '-' and '0' exclude each other".to_owned());
        }
        match spec.conversion {
            'n' => {
                plain.push('\n');
                continue;
            }
            '%' => {
                let width = spec.width.unwrap_or(1);
                if spec.left {
                    let _ = write!(plain, "{:<width$}", "%");
                } else {
                    let _ = write!(plain, "{:>width$}", "%");
                }
                continue;
            }
            't' => spec.moment = Some(chars.next().ok_or("nothing follows a 't'")?),
            'd' | 'x' | 'o' if spec.precision.is_some() => {
                return Err(format!("'{letter}' has no precision"));
            }
            's' | 'b' | 'c' if spec.plus || spec.comma || spec.paren || spec.zero || spec.space => {
                return Err(format!("'{letter}' does not take that flag"));
            }
            's' | 'd' | 'x' | 'o' | 'f' | 'e' | 'g' | 'b' | 'c' => {}
            _ => return Err(format!("there is no '%{letter}'")),
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Value(spec));
    }
    pieces.push(Piece::Text(plain));
    Ok(pieces)
}

fn bounded(digits: &str) -> Result<Option<usize>, String> {
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(n) if n <= WIDEST => Ok(Some(n)),
        _ => Err(format!("{digits} is too wide; {WIDEST} is the most")),
    }
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

fn padded(text: &str, spec: &Spec) -> String {
    let width = spec.width.unwrap_or(0);
    if spec.left {
        format!("{text:<width$}")
    } else {
        format!("{text:>width$}")
    }
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

fn masked(n: i64, kind: &DataType) -> u64 {
    match kind.primitive_width() {
        Some(1) => n as u64 & 0xFF,
        Some(2) => n as u64 & 0xFFFF,
        Some(4) => n as u64 & 0xFFFF_FFFF,
        _ => n as u64,
    }
}

fn bits(digits: &str, prefix: &str, spec: &Spec) -> String {
    let digits = if spec.alternate {
        format!("{prefix}{digits}")
    } else {
        digits.to_owned()
    };
    if spec.zero {
        let width = spec.width.unwrap_or(0);
        return format!("{digits:0>width$}");
    }
    padded(&digits, spec)
}

/// A number's digits with its sign, its thousands set apart, and zeros in front as the flags say.
fn signed(digits: &str, negative: bool, spec: &Spec) -> String {
    let mut digits = if spec.comma {
        grouped(digits)
    } else {
        digits.to_owned()
    };
    let (before, after) = match (negative, spec.paren) {
        (true, true) => ("(", ")"),
        (true, false) => ("-", ""),
        (false, _) if spec.plus => ("+", ""),
        (false, _) if spec.space => (" ", ""),
        (false, _) => ("", ""),
    };
    if spec.zero {
        let width = spec
            .width
            .unwrap_or(0)
            .saturating_sub(before.len() + after.len());
        digits = format!("{digits:0>width$}");
    }
    padded(&format!("{before}{digits}{after}"), spec)
}

fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::with_capacity(digits.len() + whole.len() / 3);
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out + fraction
}

/// Decimal digits (no sign, no exponent) rounded to so many behind the point, halves up.
fn decimal(digits: &str, precision: usize) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() <= precision {
        let dot = if precision > 0 { "." } else { "" };
        return format!("{whole}{dot}{fraction:0<precision$}");
    }
    let up = fraction
        .as_bytes()
        .get(precision)
        .is_some_and(|b| *b >= b'5');
    let kept = fraction.get(..precision).unwrap_or_default();
    let mut all: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    let mut carry = up;
    for digit in all.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    if carry {
        all.insert(0, b'1');
    }
    let text: String = all.into_iter().map(char::from).collect();
    let (whole, fraction) = text.split_at(text.len() - precision);
    let dot = if precision > 0 { "." } else { "" };
    format!("{whole}{dot}{fraction}")
}

fn scientific(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let sign = if exponent.starts_with('-') { '-' } else { '+' };
            format!("{digits}e{sign}{:0>2}", exponent.trim_start_matches('-'))
        }
        None => text,
    }
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
