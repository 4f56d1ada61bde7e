//! Values as Athena writes them into result files: Trino's text of each type.
//!
//! Source: files written by Athena as its clients read them (PyAthena's `converter.py`, awswrangler's `athena` module), and
//! Trino's casts to varchar for numbers.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::temporal_conversions as temporal;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{NaiveDateTime, Timelike};
use mastic_schema::choice::alternatives;

/// Writes the values of one column.
pub(super) struct Texts<'a> {
    kind: Kind<'a>,
    nulls: Option<NullBuffer>,
}

enum Kind<'a> {
    Boolean(&'a BooleanArray),
    /// Whole numbers, as the closure reads them.
    Whole(Box<dyn Fn(usize) -> i128 + 'a>),
    Double(Box<dyn Fn(usize) -> (f64, String) + 'a>),
    Decimal(Box<dyn Fn(usize) -> String + 'a>),
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    Binary(Box<dyn Fn(usize) -> &'a [u8] + 'a>),
    Time(Box<dyn Fn(usize) -> Option<String> + 'a>),
    List(
        Box<Texts<'a>>,
        Box<dyn Fn(usize) -> std::ops::Range<usize> + 'a>,
    ),
    Row(Vec<(&'a str, Texts<'a>)>),
    /// A choice: the one of its alternatives that is there.
    Choice(Vec<Texts<'a>>),
    Map(Box<Texts<'a>>, Box<Texts<'a>>, &'a [i32]),
    /// Types that Athena does not have.
    Other(ArrayFormatter<'a>),
}

impl<'a> Texts<'a> {
    /// A writer of a column's values.
    pub(super) fn new(
        array: &'a ArrayRef,
        options: &'a FormatOptions<'a>,
    ) -> Result<Self, ArrowError> {
        let own = |array: &'a ArrayRef| Texts::new(array, options);
        let kind = match array.data_type() {
            DataType::Boolean => Kind::Boolean(array.as_boolean()),
            DataType::Int8 => whole::<Int8Type>(array),
            DataType::Int16 => whole::<Int16Type>(array),
            DataType::Int32 => whole::<Int32Type>(array),
            DataType::Int64 => whole::<Int64Type>(array),
            DataType::UInt8 => whole::<UInt8Type>(array),
            DataType::UInt16 => whole::<UInt16Type>(array),
            DataType::UInt32 => whole::<UInt32Type>(array),
            DataType::UInt64 => whole::<UInt64Type>(array),
            DataType::Float16 => {
                let array = array.as_primitive::<Float16Type>();
                single(move |i| array.value(i).to_f32())
            }
            DataType::Float32 => {
                let array = array.as_primitive::<Float32Type>();
                single(move |i| array.value(i))
            }
            DataType::Float64 => {
                let array = array.as_primitive::<Float64Type>();
                Kind::Double(Box::new(move |i| {
                    let value = array.value(i);
                    (value, format!("{value:e}"))
                }))
            }
            DataType::Decimal32(p, s) => decimal::<Decimal32Type>(array, *p, *s),
            DataType::Decimal64(p, s) => decimal::<Decimal64Type>(array, *p, *s),
            DataType::Decimal128(p, s) => decimal::<Decimal128Type>(array, *p, *s),
            DataType::Decimal256(p, s) => decimal::<Decimal256Type>(array, *p, *s),
            DataType::Utf8 => {
                let array = array.as_string::<i32>();
                Kind::Text(Box::new(move |i| array.value(i)))
            }
            DataType::LargeUtf8 => {
                let array = array.as_string::<i64>();
                Kind::Text(Box::new(move |i| array.value(i)))
            }
            DataType::Utf8View => {
                let array = array.as_string_view();
                Kind::Text(Box::new(move |i| array.value(i)))
            }
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                Kind::Binary(Box::new(move |i| array.value(i)))
            }
            DataType::LargeBinary => {
                let array = array.as_binary::<i64>();
                Kind::Binary(Box::new(move |i| array.value(i)))
            }
            DataType::BinaryView => {
                let array = array.as_binary_view();
                Kind::Binary(Box::new(move |i| array.value(i)))
            }
            DataType::FixedSizeBinary(_) => {
                let array = array.as_fixed_size_binary();
                Kind::Binary(Box::new(move |i| array.value(i)))
            }
            DataType::Date32 => {
                let array = array.as_primitive::<Date32Type>();
                Kind::Time(Box::new(move |i| {
                    Some(
                        temporal::date32_to_datetime(array.value(i))?
                            .date()
                            .to_string(),
                    )
                }))
            }
            DataType::Date64 => {
                let array = array.as_primitive::<Date64Type>();
                Kind::Time(Box::new(move |i| {
                    Some(
                        temporal::date64_to_datetime(array.value(i))?
                            .date()
                            .to_string(),
                    )
                }))
            }
            DataType::Timestamp(unit, zone) => timestamp(array, *unit, zone.as_deref())?,
            DataType::List(_) => {
                let array = array.as_list::<i32>();
                let offsets = array.value_offsets();
                let range = move |i: usize| offsets[i] as usize..offsets[i + 1] as usize;
                Kind::List(Box::new(own(array.values())?), Box::new(range))
            }
            DataType::LargeList(_) => {
                let array = array.as_list::<i64>();
                let offsets = array.value_offsets();
                let range = move |i: usize| offsets[i] as usize..offsets[i + 1] as usize;
                Kind::List(Box::new(own(array.values())?), Box::new(range))
            }
            DataType::FixedSizeList(_, size) => {
                let size = usize::try_from(*size).unwrap_or(0);
                let array = array.as_fixed_size_list();
                let range = move |i: usize| i * size..(i + 1) * size;
                Kind::List(Box::new(own(array.values())?), Box::new(range))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                if alternatives(array.data_type()).is_some() {
                    Kind::Choice(columns.iter().map(own).collect::<Result<_, _>>()?)
                } else {
                    let fields = fields.iter().zip(columns);
                    let fields = fields.map(|(f, column)| Ok((f.name().as_str(), own(column)?)));
                    Kind::Row(fields.collect::<Result<_, ArrowError>>()?)
                }
            }
            DataType::Map(_, _) => {
                let array = array.as_map();
                Kind::Map(
                    Box::new(own(array.keys())?),
                    Box::new(own(array.values())?),
                    array.value_offsets(),
                )
            }
            _ => Kind::Other(ArrayFormatter::try_new(array.as_ref(), options)?),
        };
        Ok(Texts {
            kind,
            nulls: array.logical_nulls(),
        })
    }

    /// Whether a row's value is NULL.
    pub(super) fn is_null(&self, row: usize) -> bool {
        let own = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        own || match &self.kind {
            Kind::Choice(all) => all.iter().all(|texts| texts.is_null(row)),
            _ => false,
        }
    }

    /// Appends a row's value, which is not NULL.
    pub(super) fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        match &self.kind {
            Kind::Boolean(array) => out.push_str(if array.value(row) { "true" } else { "false" }),
            // Writing to a string does not fail, here and below.
            Kind::Whole(value) => drop(write!(out, "{}", value(row))),
            Kind::Double(value) => {
                let (value, digits) = value(row);
                double(value, &digits, out);
            }
            Kind::Decimal(value) => out.push_str(&value(row)),
            Kind::Text(value) => out.push_str(value(row)),
            Kind::Binary(value) => {
                for (i, byte) in value(row).iter().enumerate() {
                    let space = if i > 0 { " " } else { "" };
                    let _ = write!(out, "{space}{byte:02x}");
                }
            }
            Kind::Time(value) => match value(row) {
                Some(text) => out.push_str(&text),
                None => {
                    return Err(ArrowError::CastError(
                        "a date or time lies beyond the years that can be written".into(),
                    ));
                }
            },
            Kind::List(values, range) => {
                out.push('[');
                for (i, row) in range(row).enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    values.nested(row, out)?;
                }
                out.push(']');
            }
            Kind::Row(fields) => {
                out.push('{');
                for (i, (name, values)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(name);
                    out.push('=');
                    values.nested(row, out)?;
                }
                out.push('}');
            }
            Kind::Choice(all) => {
                if let Some(there) = all.iter().find(|texts| !texts.is_null(row)) {
                    there.write(row, out)?;
                }
            }
            Kind::Map(keys, values, offsets) => {
                out.push('{');
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                for entry in from..to {
                    if entry > from {
                        out.push_str(", ");
                    }
                    keys.nested(entry, out)?;
                    out.push('=');
                    values.nested(entry, out)?;
                }
                out.push('}');
            }
            Kind::Other(formatter) => formatter.value(row).write(out)?,
        }
        Ok(())
    }

    /// A value within another: NULL is a word there.
    fn nested(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        if self.is_null(row) {
            out.push_str("null");
            Ok(())
        } else {
            self.write(row, out)
        }
    }
}

fn whole<'a, T>(array: &'a ArrayRef) -> Kind<'a>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128>,
{
    let array: &PrimitiveArray<T> = array.as_primitive();
    Kind::Whole(Box::new(move |i| array.value(i).into()))
}

fn single<'a>(value: impl Fn(usize) -> f32 + 'a) -> Kind<'a> {
    Kind::Double(Box::new(move |i| {
        let value = value(i);
        (f64::from(value), format!("{value:e}"))
    }))
}

fn decimal<'a, T: DecimalType>(array: &'a ArrayRef, precision: u8, scale: i8) -> Kind<'a> {
    let array = array.as_primitive::<T>();
    Kind::Decimal(Box::new(move |i| {
        T::format_decimal(array.value(i), precision, scale)
    }))
}

fn timestamp<'a>(
    array: &'a ArrayRef,
    unit: TimeUnit,
    zone: Option<&'a str>,
) -> Result<Kind<'a>, ArrowError> {
    // Views of the same values, without copying.
    let values = array.to_data();
    let values = arrow::array::ArrayData::builder(DataType::Int64)
        .len(values.len())
        .offset(values.offset())
        .buffers(values.buffers().to_vec())
        .nulls(values.nulls().cloned())
        .build()?;
    let values = PrimitiveArray::<Int64Type>::from(values);
    let naive = move |i: usize| -> Option<NaiveDateTime> {
        let value = values.value(i);
        match unit {
            TimeUnit::Second => temporal::timestamp_s_to_datetime(value),
            TimeUnit::Millisecond => temporal::timestamp_ms_to_datetime(value),
            TimeUnit::Microsecond => temporal::timestamp_us_to_datetime(value),
            TimeUnit::Nanosecond => temporal::timestamp_ns_to_datetime(value),
        }
    };
    let Some(zone) = zone else {
        return Ok(Kind::Time(Box::new(move |i| {
            let mut out = String::with_capacity(23);
            moment(naive(i)?, &mut out);
            Some(out)
        })));
    };
    let parsed: arrow::array::timezone::Tz = zone.parse()?;
    // Trino writes the zone's name; of UTC by whatever name, that.
    let name = if matches!(zone, "UTC" | "Z" | "+00:00" | "Etc/UTC") {
        "UTC"
    } else {
        zone
    };
    Ok(Kind::Time(Box::new(move |i| {
        let local = naive(i)?.and_utc().with_timezone(&parsed).naive_local();
        let mut out = String::with_capacity(27);
        moment(local, &mut out);
        out.push(' ');
        out.push_str(name);
        Some(out)
    })))
}

/// `2020-01-01 00:00:00.000`: Athena's timestamps have milliseconds. What is finer is not lost: then there are six digits,
/// or nine.
fn moment(time: NaiveDateTime, out: &mut String) {
    let nanos = time.nanosecond() % 1_000_000_000;
    let shown = if nanos.is_multiple_of(1_000_000) {
        time.format("%Y-%m-%d %H:%M:%S%.3f")
    } else if nanos.is_multiple_of(1_000) {
        time.format("%Y-%m-%d %H:%M:%S%.6f")
    } else {
        time.format("%Y-%m-%d %H:%M:%S%.9f")
    };
    // Writing to a string does not fail.
    let _ = write!(out, "{shown}");
}

/// A number as Java's `Double.toString` writes it: with a point in any case, and as `1.0E7` from ten millions on and below a
/// thousandth. `shortest` are its digits as Rust's `{:e}` has them: the fewest that tell it from its neighbours.
fn double(value: f64, shortest: &str, out: &mut String) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.strip_prefix('-') {
        Some(rest) => {
            out.push('-');
            rest
        }
        None => mantissa,
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if value == 0.0 {
        out.push_str("0.0");
    } else if (-3..7).contains(&exponent) {
        if exponent < 0 {
            out.push_str("0.");
            for _ in 1..-exponent {
                out.push('0');
            }
            out.push_str(&digits);
            return;
        }
        let whole = exponent.unsigned_abs() as usize + 1;
        for place in 0..whole {
            out.push_str(digits.get(place..=place).unwrap_or("0"));
        }
        out.push('.');
        match digits.get(whole..) {
            Some(rest) if !rest.is_empty() => out.push_str(rest),
            _ => out.push('0'),
        }
    } else {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let rest = if rest.is_empty() { "0" } else { rest };
        // Writing to a string does not fail.
        let _ = write!(out, "{first}.{rest}E{exponent}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, Decimal128Array, Int32Array, Int32Builder, Int64Array, ListArray, MapBuilder,
        StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Field;

    use super::*;

    fn texts(array: impl Array + 'static) -> Vec<Option<String>> {
        let array: ArrayRef = Arc::new(array);
        let options = FormatOptions::default();
        let texts = Texts::new(&array, &options).unwrap();
        (0..array.len())
            .map(|row| {
                let mut out = String::new();
                (!texts.is_null(row)).then(|| {
                    texts.write(row, &mut out).unwrap();
                    out
                })
            })
            .collect()
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        // By `jshell`: Double.toString of JDK 21, Float.toString for the last.
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (123.456, "123.456"),
            (0.001, "0.001"),
            (0.00099, "9.9E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (1.2345e-10, "1.2345E-10"),
            (-1.5e300, "-1.5E300"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut out = String::new();
            double(value, &format!("{value:e}"), &mut out);
            assert_eq!(out, expected);
        }
        assert_eq!(
            texts(arrow::array::Float32Array::from(vec![0.1f32])),
            [Some("0.1".to_owned())]
        );
    }

    #[test]
    fn values_are_those_of_athenas_files() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            texts(TimestampMicrosecondArray::from(vec![
                Some(1_577_836_800_000_000),
                Some(1_577_836_800_123_456),
                None,
            ])),
            [
                some("2020-01-01 00:00:00.000"),
                some("2020-01-01 00:00:00.123456"),
                None
            ]
        );
        assert_eq!(
            texts(
                TimestampMicrosecondArray::from(vec![1_577_836_800_500_000])
                    .with_timezone("+00:00")
            ),
            [some("2020-01-01 00:00:00.500 UTC")]
        );
        assert_eq!(
            texts(BinaryArray::from(vec![b"hel".as_slice(), b""])),
            [some("68 65 6c"), some("")]
        );
        assert_eq!(
            texts(
                Decimal128Array::from(vec![-12_345])
                    .with_precision_and_scale(10, 2)
                    .unwrap()
            ),
            [some("-123.45")]
        );
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), None]),
            Some(vec![]),
            None,
        ]);
        assert_eq!(texts(list), [some("[1, null]"), some("[]"), None]);
        let row = StructArray::from(vec![
            (
                Arc::new(Field::new("a", DataType::Int64, true)),
                Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef,
            ),
            (
                Arc::new(Field::new("b", DataType::Utf8, true)),
                Arc::new(StringArray::from(vec!["x", "y, \"z\""])) as ArrayRef,
            ),
        ]);
        assert_eq!(
            texts(row),
            [some("{a=1, b=x}"), some("{a=null, b=y, \"z\"}")]
        );
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        map.keys().append_value("k");
        map.values().append_value(1);
        map.keys().append_value("l");
        map.values().append_null();
        map.append(true).unwrap();
        assert_eq!(texts(map.finish()), [some("{k=1, l=null}")]);
        let sliced = TimestampMicrosecondArray::from(vec![0, 1_000, 2_000]).slice(1, 2);
        assert_eq!(
            texts(sliced),
            [
                some("1970-01-01 00:00:00.001"),
                some("1970-01-01 00:00:00.002")
            ]
        );
        assert_eq!(texts(Int32Array::from(vec![-7])), [some("-7")]);
    }
}
