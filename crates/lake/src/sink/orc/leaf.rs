//! Columns that hold values themselves.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use orc_rust::proto::column_encoding::Kind as Encoding;
use orc_rust::proto::stream::Kind as StreamKind;

use super::bytes::{BitRle, ByteRle};
use super::codec::Codec;
use super::column::Stripe;
use super::error::{OrcError, Result};
use super::integers::{IntRle, write_wide_varint};
use super::statistics::{Bounds, Statistics, Values};
use super::stream::OutStream;
use super::text::{Direct, Text, for_each};
use super::timestamp::Timestamps;

/// The streams of a column's values, by its type.
pub(super) enum Leaf {
    Boolean(BitRle),
    Byte(ByteRle),
    Short(IntRle),
    Int(IntRle),
    Long(IntRle),
    Date(IntRle),
    Float(OutStream),
    Double(OutStream),
    Text(Text),
    Binary(Direct),
    Timestamp(TimeUnit, Timestamps),
    Decimal {
        scale: i8,
        digits: OutStream,
        scales: IntRle,
    },
}

/// The values that are not null, as they come out of `each`.
fn compact<T: ArrowPrimitiveType, V>(
    array: &PrimitiveArray<T>,
    each: impl Fn(T::Native) -> V,
) -> Vec<V> {
    let mut out = Vec::with_capacity(array.len() - array.null_count());
    let values = array.values();
    match array.nulls() {
        None => out.extend(values.iter().map(|v| each(*v))),
        Some(nulls) => {
            for (start, end) in nulls.valid_slices() {
                let run = values.get(start..end).unwrap_or_default();
                out.extend(run.iter().map(|v| each(*v)));
            }
        }
    }
    out
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    array
        .as_primitive_opt::<T>()
        .ok_or_else(|| OrcError::Mismatch {
            expected: T::DATA_TYPE.to_string(),
            found: array.data_type().clone(),
        })
}

fn integers<T>(array: &ArrayRef) -> Result<Vec<i64>>
where
    T: ArrowPrimitiveType<Native: Into<i64>>,
{
    Ok(compact(primitive::<T>(array)?, Into::into))
}

impl Leaf {
    /// The streams for values of a type that `types::stored` gave.
    pub(super) fn new(stored: &DataType) -> Result<Self> {
        Ok(match stored {
            DataType::Boolean => Leaf::Boolean(BitRle::default()),
            DataType::Int8 => Leaf::Byte(ByteRle::default()),
            DataType::Int16 => Leaf::Short(IntRle::signed()),
            DataType::Int32 => Leaf::Int(IntRle::signed()),
            DataType::Int64 => Leaf::Long(IntRle::signed()),
            DataType::Date32 => Leaf::Date(IntRle::signed()),
            DataType::Float32 => Leaf::Float(OutStream::default()),
            DataType::Float64 => Leaf::Double(OutStream::default()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Leaf::Text(Text::new()),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Leaf::Binary(Direct::new())
            }
            DataType::Timestamp(unit, _) => Leaf::Timestamp(*unit, Timestamps::new()),
            DataType::Decimal128(_, scale) => Leaf::Decimal {
                scale: *scale,
                digits: OutStream::default(),
                scales: IntRle::signed(),
            },
            other => return Err(OrcError::Type(other.clone())),
        })
    }

    pub(super) fn write(&mut self, array: &ArrayRef, statistics: &mut Statistics) -> Result<()> {
        match self {
            Leaf::Boolean(bits) => {
                let array = array.as_boolean_opt().ok_or_else(|| OrcError::Mismatch {
                    expected: DataType::Boolean.to_string(),
                    found: array.data_type().clone(),
                })?;
                match array.nulls() {
                    None => bits.push_buffer(array.values()),
                    Some(nulls) => nulls
                        .valid_indices()
                        .for_each(|i| bits.push(array.value(i))),
                }
                let trues = array.true_count() as u64;
                statistics.add(Values::Boolean { trues });
            }
            Leaf::Byte(bytes) => {
                let values = integers::<Int8Type>(array)?;
                statistics.add(Values::integers(&values));
                values.iter().for_each(|v| bytes.push(*v as u8));
            }
            Leaf::Short(stream) => {
                write_integers(integers::<Int16Type>(array)?, stream, statistics)
            }
            Leaf::Int(stream) => write_integers(integers::<Int32Type>(array)?, stream, statistics),
            Leaf::Long(stream) => {
                let array = primitive::<Int64Type>(array)?;
                if array.null_count() == 0 {
                    statistics.add(Values::integers(array.values()));
                    stream.push_slice(array.values());
                } else {
                    write_integers(compact(array, |v| v), stream, statistics);
                }
            }
            Leaf::Date(stream) => {
                let days = integers::<Date32Type>(array)?;
                statistics.add(Bounds::of(&days).map_or(Values::None, Values::Date));
                stream.push_slice(&days);
            }
            Leaf::Float(stream) => {
                let values = compact(primitive::<Float32Type>(array)?, |v| v);
                statistics.add(Values::doubles(values.iter().map(|v| f64::from(*v))));
                let out = stream.raw();
                values
                    .iter()
                    .for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
            }
            Leaf::Double(stream) => {
                let values = compact(primitive::<Float64Type>(array)?, |v| v);
                statistics.add(Values::doubles(values.iter().copied()));
                let out = stream.raw();
                values
                    .iter()
                    .for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
            }
            Leaf::Text(text) => text.write(array)?,
            Leaf::Binary(direct) => {
                let mut bytes = 0;
                for_each(array, |value| {
                    bytes += value.len() as u64;
                    direct.push(value);
                })?;
                statistics.add(Values::Binary { bytes });
            }
            Leaf::Timestamp(unit, times) => {
                let values = match unit {
                    TimeUnit::Second => compact(primitive::<TimestampSecondType>(array)?, |v| v),
                    TimeUnit::Millisecond => {
                        compact(primitive::<TimestampMillisecondType>(array)?, |v| v)
                    }
                    TimeUnit::Microsecond => {
                        compact(primitive::<TimestampMicrosecondType>(array)?, |v| v)
                    }
                    TimeUnit::Nanosecond => {
                        compact(primitive::<TimestampNanosecondType>(array)?, |v| v)
                    }
                };
                statistics.add(times.write(&values, *unit)?);
            }
            Leaf::Decimal {
                scale,
                digits,
                scales,
            } => {
                let values = compact(primitive::<Decimal128Type>(array)?, |v| v);
                let out = digits.raw();
                for value in &values {
                    write_wide_varint(*value, out);
                    scales.push(i64::from(*scale));
                }
                statistics
                    .add(Bounds::of(&values).map_or(Values::None, |b| Values::Decimal(b, *scale)));
            }
        }
        Ok(())
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        match self {
            Leaf::Boolean(bits) => bits.spill(codec),
            Leaf::Byte(bytes) => bytes.spill(codec),
            Leaf::Short(stream) | Leaf::Int(stream) | Leaf::Long(stream) | Leaf::Date(stream) => {
                stream.spill(codec)
            }
            Leaf::Float(stream) | Leaf::Double(stream) => stream.spill(codec),
            Leaf::Text(text) => text.spill(codec),
            Leaf::Binary(direct) => direct.spill(codec),
            Leaf::Timestamp(_, times) => times.spill(codec),
            Leaf::Decimal { digits, scales, .. } => {
                digits.spill(codec)?;
                scales.spill(codec)
            }
        }
    }

    pub(super) fn finish(
        &mut self,
        id: u32,
        stripe: &mut Stripe<'_>,
        statistics: &mut Statistics,
    ) -> Result<()> {
        let (length, encoding) = match self {
            Leaf::Text(text) => {
                statistics.add(text.finish(id, stripe)?);
                return Ok(());
            }
            Leaf::Binary(direct) => return direct.finish(id, stripe),
            Leaf::Timestamp(_, times) => return times.finish(id, stripe),
            Leaf::Decimal { digits, scales, .. } => {
                let length = digits.finish(stripe.codec, stripe.out)?;
                stripe.stream(StreamKind::Data, id, length);
                let length = scales.finish(stripe.codec, stripe.out)?;
                stripe.stream(StreamKind::Secondary, id, length);
                stripe.encoding(Encoding::DirectV2);
                return Ok(());
            }
            Leaf::Boolean(bits) => (bits.finish(stripe.codec, stripe.out)?, Encoding::Direct),
            Leaf::Byte(bytes) => (bytes.finish(stripe.codec, stripe.out)?, Encoding::Direct),
            Leaf::Float(stream) | Leaf::Double(stream) => {
                (stream.finish(stripe.codec, stripe.out)?, Encoding::Direct)
            }
            Leaf::Short(stream) | Leaf::Int(stream) | Leaf::Long(stream) | Leaf::Date(stream) => {
                (stream.finish(stripe.codec, stripe.out)?, Encoding::DirectV2)
            }
        };
        stripe.stream(StreamKind::Data, id, length);
        stripe.encoding(encoding);
        Ok(())
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Leaf::Boolean(bits) => bits.size(),
            Leaf::Byte(bytes) => bytes.size(),
            Leaf::Short(stream) | Leaf::Int(stream) | Leaf::Long(stream) | Leaf::Date(stream) => {
                stream.size()
            }
            Leaf::Float(stream) | Leaf::Double(stream) => stream.size(),
            Leaf::Text(text) => text.size(),
            Leaf::Binary(direct) => direct.size(),
            Leaf::Timestamp(_, times) => times.size(),
            Leaf::Decimal { digits, scales, .. } => digits.size() + scales.size(),
        }
    }

    pub(super) fn memory(&self) -> usize {
        match self {
            Leaf::Boolean(bits) => bits.memory(),
            Leaf::Byte(bytes) => bytes.memory(),
            Leaf::Short(stream) | Leaf::Int(stream) | Leaf::Long(stream) | Leaf::Date(stream) => {
                stream.memory()
            }
            Leaf::Float(stream) | Leaf::Double(stream) => stream.memory(),
            Leaf::Text(text) => text.memory(),
            Leaf::Binary(direct) => direct.memory(),
            Leaf::Timestamp(_, times) => times.memory(),
            Leaf::Decimal { digits, scales, .. } => digits.memory() + scales.memory(),
        }
    }
}

fn write_integers(values: Vec<i64>, stream: &mut IntRle, statistics: &mut Statistics) {
    statistics.add(Values::integers(&values));
    stream.push_slice(&values);
}
