//! Columns under construction: where the values of text formats become Arrow arrays.

mod choice;
mod json;
mod plain;
mod record;

use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, ListArray, MapArray,
    NullArray, PrimitiveBuilder, StringBuilder, StringViewBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use mastic_schema::hive::format_type;

use self::choice::Choice;
pub(super) use self::plain::BLOCK;
pub(crate) use self::plain::is_code;
pub(super) use self::record::{StructColumn, named};
use super::json::parse::{Parser, Problem};
use crate::value::{self, Calendar, DateOrder};

/// How values become those of columns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// Whether a single value stands for an array of one element (XML).
    pub(super) single_is_array: bool,
    /// Whether values are kept as they were found: see [`super::Decode::frame`].
    pub(super) frame: bool,
    /// Whether a key that an object's columns do not have is odd: see [`super::AsFrame::passed_over`].
    pub(super) keys: bool,
}

/// The buffers that a batch's texts are kept in, in bytes; a text that is longer has one of its own.
const TEXT_BLOCK: u32 = 64 * 1024;

/// A column of one type, to which values are appended.
pub(super) struct Column {
    data_type: DataType,
    store: Store,
    reading: Reading,
    /// Whether the day or the month comes first in dates that do not tell.
    date_order: Option<DateOrder>,
}

enum Store {
    Null(usize),
    Boolean(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Decimal(Decimal128Builder, u8, i8),
    Date(PrimitiveBuilder<Date32Type>),
    Seconds(PrimitiveBuilder<TimestampSecondType>),
    Millis(PrimitiveBuilder<TimestampMillisecondType>),
    Micros(PrimitiveBuilder<TimestampMicrosecondType>),
    Nanos(PrimitiveBuilder<TimestampNanosecondType>),
    Utf8(StringBuilder),
    View(StringViewBuilder),
    Binary(BinaryBuilder),
    Struct(Box<StructColumn>),
    List {
        item: FieldRef,
        column: Box<Column>,
        offsets: Vec<i32>,
        validity: NullBufferBuilder,
    },
    Map {
        entries: FieldRef,
        key: Box<Column>,
        value: Box<Column>,
        offsets: Vec<i32>,
        validity: NullBufferBuilder,
    },
    Choice(Box<Choice>),
}

/// Why a value does not fit its column.
pub(super) enum Misfit {
    /// The text is no value of the column's type.
    Value {
        /// The column's type.
        wanted: String,
        /// What was found.
        found: String,
        /// Where within the column that was: the names of fields, and `[]` after an array.
        path: String,
    },
    /// No column is known for the key.
    Key {
        /// The key, behind those of the objects that it is in.
        path: String,
    },
    /// The JSON itself is bad.
    Json(Problem),
    /// The column's type is one that text formats cannot fill.
    Type(DataType),
    /// Offsets of one batch went over two gigabytes.
    TooLong,
}

impl From<Problem> for Misfit {
    fn from(problem: Problem) -> Self {
        Misfit::Json(problem)
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Misfit::Value { wanted, found, .. } => write!(f, "{found} is no {wanted}"),
            Misfit::Key { path } => write!(f, "no column is known for '{path}'"),
            Misfit::Json(problem) => f.write_str(&problem.message),
            Misfit::Type(data_type) => {
                write!(f, "a column of type {data_type} cannot be read from text")
            }
            Misfit::TooLong => f.write_str("a batch of records is longer than two gigabytes"),
        }
    }
}

fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut out: String = text.chars().take(SHOWN).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    format!("'{out}'")
}

impl Column {
    pub(super) fn new(data_type: &DataType, reading: Reading) -> Result<Column, Misfit> {
        let nested = |t: &DataType| Column::new(t, reading).map(Box::new);
        let alternatives = mastic_schema::choice::alternatives(data_type).filter(|_| reading.frame);
        let store = match data_type {
            _ if let Some(alternatives) = alternatives => {
                Store::Choice(Box::new(Choice::new(alternatives, reading)?))
            }
            DataType::Null => Store::Null(0),
            DataType::Boolean => Store::Boolean(BooleanBuilder::new()),
            DataType::Int8 => Store::Int8(PrimitiveBuilder::new()),
            DataType::Int16 => Store::Int16(PrimitiveBuilder::new()),
            DataType::Int32 => Store::Int32(PrimitiveBuilder::new()),
            DataType::Int64 => Store::Int64(PrimitiveBuilder::new()),
            DataType::Float32 => Store::Float32(PrimitiveBuilder::new()),
            DataType::Float64 => Store::Float64(PrimitiveBuilder::new()),
            DataType::Decimal128(p, s) => Store::Decimal(
                Decimal128Builder::new().with_data_type(data_type.clone()),
                *p,
                *s,
            ),
            DataType::Date32 => Store::Date(PrimitiveBuilder::new()),
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => {
                    Store::Seconds(PrimitiveBuilder::new().with_data_type(data_type.clone()))
                }
                TimeUnit::Millisecond => {
                    Store::Millis(PrimitiveBuilder::new().with_data_type(data_type.clone()))
                }
                TimeUnit::Microsecond => {
                    Store::Micros(PrimitiveBuilder::new().with_data_type(data_type.clone()))
                }
                TimeUnit::Nanosecond => {
                    Store::Nanos(PrimitiveBuilder::new().with_data_type(data_type.clone()))
                }
            },
            DataType::Utf8 => Store::Utf8(StringBuilder::new()),
            DataType::Utf8View => Store::View(StringViewBuilder::new()),
            DataType::Binary => Store::Binary(BinaryBuilder::new()),
            DataType::Struct(fields) => {
                let all: Vec<usize> = (0..fields.len()).collect();
                Store::Struct(Box::new(StructColumn::new(fields, &all, reading)?))
            }
            DataType::List(item) => Store::List {
                item: item.clone(),
                column: nested(item.data_type())?,
                offsets: vec![0],
                validity: NullBufferBuilder::new(0),
            },
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Store::Map {
                    entries: entries.clone(),
                    key: nested(fields[0].data_type())?,
                    value: nested(fields[1].data_type())?,
                    offsets: vec![0],
                    validity: NullBufferBuilder::new(0),
                },
                _ => return Err(Misfit::Type(data_type.clone())),
            },
            other => return Err(Misfit::Type(other.clone())),
        };
        Ok(Column {
            data_type: data_type.clone(),
            store,
            reading,
            date_order: None,
        })
    }

    /// Dates that do not tell whether the day or the month comes first are read in this order.
    pub(super) fn with_date_order(mut self, order: Option<DateOrder>) -> Column {
        self.date_order = order;
        if let Store::Choice(choice) = &mut self.store {
            choice.set_date_order(order);
        }
        self
    }

    /// Whether values that are strings keep their text as it is.
    pub(super) fn is_text(&self) -> bool {
        matches!(
            self.store,
            Store::Utf8(_) | Store::View(_) | Store::Binary(_)
        )
    }

    pub(super) fn append_null(&mut self) {
        match &mut self.store {
            Store::Null(n) => *n += 1,
            Store::Boolean(b) => b.append_null(),
            Store::Int8(b) => b.append_null(),
            Store::Int16(b) => b.append_null(),
            Store::Int32(b) => b.append_null(),
            Store::Int64(b) => b.append_null(),
            Store::Float32(b) => b.append_null(),
            Store::Float64(b) => b.append_null(),
            Store::Decimal(b, ..) => b.append_null(),
            Store::Date(b) => b.append_null(),
            Store::Seconds(b) => b.append_null(),
            Store::Millis(b) => b.append_null(),
            Store::Micros(b) => b.append_null(),
            Store::Nanos(b) => b.append_null(),
            Store::Utf8(b) => b.append_null(),
            Store::View(b) => b.append_null(),
            Store::Binary(b) => b.append_null(),
            Store::Struct(s) => s.append_null(),
            Store::List {
                offsets, validity, ..
            }
            | Store::Map {
                offsets, validity, ..
            } => {
                // The first offset is always there.
                let last = offsets.last().copied().unwrap_or_default();
                offsets.push(last);
                validity.append_null();
            }
            Store::Choice(choice) => choice.append_null(),
        }
    }

    /// Makes room for so many values, where there are none yet: builders that grow copy all that they have.
    pub(super) fn reserve(&mut self, rows: usize) {
        fn grow<T: ArrowPrimitiveType>(b: &mut PrimitiveBuilder<T>, rows: usize, of: &DataType) {
            if b.is_empty() {
                *b = PrimitiveBuilder::with_capacity(rows).with_data_type(of.clone());
            }
        }
        let of = &self.data_type;
        match &mut self.store {
            Store::Int8(b) => grow(b, rows, of),
            Store::Int16(b) => grow(b, rows, of),
            Store::Int32(b) => grow(b, rows, of),
            Store::Int64(b) => grow(b, rows, of),
            Store::Float32(b) => grow(b, rows, of),
            Store::Float64(b) => grow(b, rows, of),
            Store::Decimal(b, ..) => grow(b, rows, of),
            Store::Date(b) => grow(b, rows, of),
            Store::Seconds(b) => grow(b, rows, of),
            Store::Millis(b) => grow(b, rows, of),
            Store::Micros(b) => grow(b, rows, of),
            Store::Nanos(b) => grow(b, rows, of),
            Store::View(b) if b.is_empty() => {
                *b = StringViewBuilder::with_capacity(rows).with_fixed_block_size(TEXT_BLOCK);
            }
            _ => {}
        }
    }

    /// Appends so many nulls.
    pub(super) fn append_nulls(&mut self, count: usize) {
        match &mut self.store {
            Store::Null(n) => *n += count,
            Store::Boolean(b) => b.append_nulls(count),
            Store::Int8(b) => b.append_nulls(count),
            Store::Int16(b) => b.append_nulls(count),
            Store::Int32(b) => b.append_nulls(count),
            Store::Int64(b) => b.append_nulls(count),
            Store::Float32(b) => b.append_nulls(count),
            Store::Float64(b) => b.append_nulls(count),
            Store::Date(b) => b.append_nulls(count),
            Store::Micros(b) => b.append_nulls(count),
            _ => (0..count).for_each(|_| self.append_null()),
        }
    }

    fn misfit(&self, found: String) -> Misfit {
        Misfit::Value {
            wanted: match self.reading.frame {
                true => mastic_schema::choice::format_type(&self.data_type),
                false => format_type(&self.data_type),
            },
            found,
            path: String::new(),
        }
    }

    /// Appends what a text stands for.
    pub(super) fn append_text(&mut self, text: &str) -> Result<(), Misfit> {
        fn push<T: ArrowPrimitiveType>(b: &mut PrimitiveBuilder<T>, v: Option<T::Native>) -> bool {
            v.map(|v| b.append_value(v)).is_some()
        }
        let fits = match &mut self.store {
            Store::Utf8(b) => {
                b.append_value(text);
                true
            }
            Store::View(b) => {
                b.append_value(text);
                true
            }
            Store::Binary(b) => {
                b.append_value(text.as_bytes());
                true
            }
            Store::Null(_) => false,
            Store::Boolean(b) => value::boolean(text).map(|v| b.append_value(v)).is_some(),
            Store::Int8(b) => push(b, text.parse().ok()),
            Store::Int16(b) => push(b, text.parse().ok()),
            Store::Int32(b) => push(b, text.parse().ok()),
            Store::Int64(b) => push(b, text.parse().ok()),
            // A float takes only text that is one, so that narrowing never happens unseen.
            Store::Float32(b) => push(b, text.parse::<f32>().ok().filter(|v| v.is_finite())),
            Store::Float64(b) => push(b, value::double(text)),
            Store::Decimal(b, p, s) => value::decimal(text, *p, *s)
                .map(|v| b.append_value(v))
                .is_some(),
            Store::Date(b) => push(b, date(text, self.date_order)),
            Store::Seconds(b) => push(b, moment(text, &self.data_type, self.date_order)),
            Store::Millis(b) => push(b, moment(text, &self.data_type, self.date_order)),
            Store::Micros(b) => push(b, moment(text, &self.data_type, self.date_order)),
            Store::Nanos(b) => push(b, moment(text, &self.data_type, self.date_order)),
            Store::Choice(choice) => choice.append_text(text),
            Store::Struct(_) | Store::List { .. } | Store::Map { .. } => {
                let mut parser = Parser::new(text);
                let token = parser.start()?;
                self.append_token(&mut parser, token, 0)?;
                return Ok(parser.finish()?);
            }
        };
        if fits {
            Ok(())
        } else {
            Err(self.misfit(shown(text)))
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, arrow::error::ArrowError> {
        Ok(match &mut self.store {
            Store::Null(n) => Arc::new(NullArray::new(std::mem::take(n))),
            Store::Boolean(b) => Arc::new(b.finish()),
            Store::Int8(b) => Arc::new(b.finish()),
            Store::Int16(b) => Arc::new(b.finish()),
            Store::Int32(b) => Arc::new(b.finish()),
            Store::Int64(b) => Arc::new(b.finish()),
            Store::Float32(b) => Arc::new(b.finish()),
            Store::Float64(b) => Arc::new(b.finish()),
            Store::Decimal(b, ..) => Arc::new(b.finish()),
            Store::Date(b) => Arc::new(b.finish()),
            Store::Seconds(b) => Arc::new(b.finish()),
            Store::Millis(b) => Arc::new(b.finish()),
            Store::Micros(b) => Arc::new(b.finish()),
            Store::Nanos(b) => Arc::new(b.finish()),
            Store::Utf8(b) => Arc::new(b.finish()),
            Store::View(b) => Arc::new(b.finish()),
            Store::Binary(b) => Arc::new(b.finish()),
            Store::Struct(s) => Arc::new(s.finish()?),
            Store::Choice(choice) => Arc::new(choice.finish()?),
            Store::List {
                item,
                column,
                offsets,
                validity,
            } => {
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                Arc::new(ListArray::try_new(
                    item.clone(),
                    offsets,
                    column.finish()?,
                    validity.finish(),
                )?)
            }
            Store::Map {
                entries,
                key,
                value,
                offsets,
                validity,
            } => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(arrow::error::ArrowError::SchemaError(
                        "the entries of a map are a struct".into(),
                    ));
                };
                let pairs = StructArray::try_new(
                    fields.clone(),
                    vec![key.finish()?, value.finish()?],
                    None,
                )?;
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                Arc::new(MapArray::try_new(
                    entries.clone(),
                    offsets,
                    pairs,
                    validity.finish(),
                    false,
                )?)
            }
        })
    }
}

fn calendar(text: &str, order: Option<DateOrder>) -> Option<Calendar> {
    value::instant(text).or_else(|| value::ordered(text)?.read(order?))
}

fn date(text: &str, order: Option<DateOrder>) -> Option<i32> {
    match calendar(text, order)? {
        Calendar::Date(days) => Some(days),
        Calendar::Moment(_) => None,
    }
}

fn moment(text: &str, data_type: &DataType, order: Option<DateOrder>) -> Option<i64> {
    let DataType::Timestamp(unit, zone) = data_type else {
        return None;
    };
    let micros = match calendar(text, order)? {
        // Text without an offset in a column of instants, or the other way round, would have to
        // be guessed at.
        Calendar::Moment(moment) if moment.zoned == zone.is_some() => moment.micros,
        Calendar::Moment(_) => return None,
        // A date in a column that was widened from date to timestamp.
        Calendar::Date(days) if zone.is_none() => i64::from(days) * 86_400_000_000,
        Calendar::Date(_) => return None,
    };
    value::in_unit(micros, *unit)
}
