//! Arguments of a call, read row by row whether they are columns or constants.

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int64Array, LargeStringArray, ListArray, MapArray,
    StringArray, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// One call of a function for one batch.
pub(crate) struct Call<'a> {
    /// The function's name, which opens every error.
    pub(crate) name: &'static str,
    pub(crate) args: &'a ScalarFunctionArgs,
    /// Rows to compute: one if every argument is a constant.
    pub(crate) rows: usize,
}

impl<'a> Call<'a> {
    /// How many arguments were given.
    pub(crate) fn len(&self) -> usize {
        self.args.args.len()
    }

    fn value(&self, i: usize) -> Result<&'a ColumnarValue> {
        match self.args.args.get(i) {
            Some(value) => Ok(value),
            None => internal_err!("{}: argument {} is missing", self.name, i + 1),
        }
    }

    /// Argument `i` as an array of [`Call::rows`] rows.
    pub(crate) fn array(&self, i: usize) -> Result<ArrayRef> {
        self.value(i)?.to_array(self.rows)
    }

    /// Whether argument `i` is a constant.
    pub(crate) fn is_constant(&self, i: usize) -> bool {
        matches!(self.args.args.get(i), Some(ColumnarValue::Scalar(_)))
    }

    /// Argument `i` as text.
    pub(crate) fn text(&self, i: usize) -> Result<Text<'a>> {
        match self.value(i)? {
            ColumnarValue::Scalar(
                ScalarValue::Utf8(s) | ScalarValue::LargeUtf8(s) | ScalarValue::Utf8View(s),
            ) => Ok(Text::Constant(s.as_deref())),
            ColumnarValue::Scalar(s) if s.is_null() => Ok(Text::Constant(None)),
            ColumnarValue::Array(a) => match a.data_type() {
                DataType::Utf8 => Ok(Text::Utf8(a.as_string::<i32>())),
                DataType::LargeUtf8 => Ok(Text::Large(a.as_string::<i64>())),
                DataType::Utf8View => Ok(Text::View(a.as_string_view())),
                other => internal_err!("{}: {other} where text was coerced", self.name),
            },
            other => internal_err!("{}: {other} where text was coerced", self.name),
        }
    }

    /// Argument `i` as bytes.
    pub(crate) fn bytes(&self, i: usize) -> Result<BinaryArray> {
        match self.array(i)?.as_binary_opt::<i32>() {
            Some(bytes) => Ok(bytes.clone()),
            None => internal_err!("{}: argument {} is no varbinary", self.name, i + 1),
        }
    }

    /// Argument `i` as an array of arrays.
    pub(crate) fn list(&self, i: usize) -> Result<ListArray> {
        match self.array(i)?.as_list_opt::<i32>() {
            Some(list) => Ok(list.clone()),
            None => internal_err!("{}: argument {} is no array", self.name, i + 1),
        }
    }

    /// Argument `i` as maps.
    pub(crate) fn map(&self, i: usize) -> Result<MapArray> {
        match self.array(i)?.as_map_opt() {
            Some(map) => Ok(map.clone()),
            None => internal_err!("{}: argument {} is no map", self.name, i + 1),
        }
    }

    /// Argument `i` as integers.
    pub(crate) fn ints(&self, i: usize) -> Result<Ints<'a>> {
        match self.value(i)? {
            ColumnarValue::Scalar(ScalarValue::Int64(v)) => Ok(Ints::Constant(*v)),
            ColumnarValue::Scalar(s) if s.is_null() => Ok(Ints::Constant(None)),
            ColumnarValue::Array(a) => match a.as_primitive_opt::<Int64Type>() {
                Some(a) => Ok(Ints::Array(a)),
                None => internal_err!("{}: {} where bigint was coerced", self.name, a.data_type()),
            },
            other => internal_err!("{}: {other} where bigint was coerced", self.name),
        }
    }

    /// Argument `i` as doubles.
    pub(crate) fn doubles(&self, i: usize) -> Result<arrow::array::Float64Array> {
        Ok(cast(&self.array(i)?, &DataType::Float64)?
            .as_primitive::<Float64Type>()
            .clone())
    }

    /// Argument `i` as dates or timestamps.
    pub(crate) fn moments(&self, i: usize) -> Result<Moments> {
        let array = match self.value(i)? {
            ColumnarValue::Array(a) => a.clone(),
            ColumnarValue::Scalar(s) => s.to_array()?,
        };
        let (unit, zone) = match array.data_type() {
            DataType::Date32 => (Ticks::Days, None),
            DataType::Timestamp(unit, zone) => {
                let zone = zone.as_deref().map(str::parse::<Tz>).transpose()?;
                (Ticks::PerSecond(per_second(*unit)), zone)
            }
            other => return internal_err!("{}: {other} where a timestamp was coerced", self.name),
        };
        let constant = self.is_constant(i);
        let values = cast(&array, &DataType::Int64)?
            .as_primitive::<Int64Type>()
            .clone();
        Ok(Moments {
            name: self.name,
            values,
            ticks: unit,
            zone,
            constant,
        })
    }
}

/// Ticks in a second of a timestamp's unit.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A text argument.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    Constant(Option<&'a str>),
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Text<'a> {
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Constant(s) => *s,
            Self::Utf8(a) => a.is_valid(row).then(|| a.value(row)),
            Self::Large(a) => a.is_valid(row).then(|| a.value(row)),
            Self::View(a) => a.is_valid(row).then(|| a.value(row)),
        }
    }
}

/// An integer argument.
#[derive(Clone, Copy)]
pub(crate) enum Ints<'a> {
    Constant(Option<i64>),
    Array(&'a Int64Array),
}

impl Ints<'_> {
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        match self {
            Self::Constant(v) => *v,
            Self::Array(a) => a.is_valid(row).then(|| a.value(row)),
        }
    }
}

/// What one step of a [`Moments`] value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticks {
    /// A date: days since 1970.
    Days,
    /// A timestamp: this many to the second.
    PerSecond(i64),
}

/// A date or timestamp argument.
pub(crate) struct Moments {
    name: &'static str,
    values: Int64Array,
    pub(crate) ticks: Ticks,
    pub(crate) zone: Option<Tz>,
    constant: bool,
}

impl Moments {
    /// The stored number, in [`Moments::ticks`].
    pub(crate) fn raw(&self, row: usize) -> Option<i64> {
        let row = if self.constant { 0 } else { row };
        self.values.is_valid(row).then(|| self.values.value(row))
    }

    /// Milliseconds since 1970 UTC (a date: of its midnight), rounded down as Trino does.
    pub(crate) fn millis(&self, row: usize) -> Result<Option<i64>> {
        let Some(raw) = self.raw(row) else {
            return Ok(None);
        };
        let millis = match self.ticks {
            Ticks::Days => raw.checked_mul(86_400_000),
            Ticks::PerSecond(1) => raw.checked_mul(1_000),
            Ticks::PerSecond(n) => Some(raw.div_euclid(n / 1_000)),
        };
        match millis {
            Some(millis) => Ok(Some(millis)),
            None => exec_err!("{}: {raw} is out of range", self.name),
        }
    }

    /// [`Moments::millis`] as a clock in the column's time zone would show them.
    pub(crate) fn local_millis(&self, row: usize) -> Result<Option<i64>> {
        let Some(millis) = self.millis(row)? else {
            return Ok(None);
        };
        to_local(self.name, millis, self.zone.as_ref()).map(Some)
    }
}

/// Milliseconds UTC to milliseconds on a clock in `zone`.
pub(crate) fn to_local(name: &str, millis: i64, zone: Option<&Tz>) -> Result<i64> {
    use chrono::{Offset, TimeZone};
    let Some(zone) = zone else { return Ok(millis) };
    match chrono::DateTime::from_timestamp_millis(millis) {
        Some(utc) => {
            let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
            Ok(millis + i64::from(offset.local_minus_utc()) * 1_000)
        }
        None => exec_err!("{name}: {millis} ms is out of range"),
    }
}
