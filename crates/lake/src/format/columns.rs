//! Columns under construction: where the values of text formats become Arrow arrays.

mod plain;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, ListArray, MapArray, NullArray,
    PrimitiveBuilder, StringBuilder, StringViewBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, FieldRef, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use mastic_schema::hive::format_type;

pub(super) use self::plain::BLOCK;
use super::json::parse::{Parser, Problem, Token};
use crate::value::{self, Calendar, DateOrder};

/// The validity of the slots of a nested column.
#[derive(Default)]
struct Validity {
    bits: Vec<bool>,
}

impl Validity {
    fn push(&mut self, valid: bool) {
        self.bits.push(valid);
    }

    fn take(&mut self) -> Option<NullBuffer> {
        let nulls = NullBuffer::from(std::mem::take(&mut self.bits));
        (nulls.null_count() > 0).then_some(nulls)
    }
}

/// A column of one type, to which values are appended.
pub(super) struct Column {
    data_type: DataType,
    store: Store,
    /// Whether a single value stands for an array of one element (XML).
    single_is_array: bool,
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
        validity: Validity,
    },
    Map {
        entries: FieldRef,
        key: Box<Column>,
        value: Box<Column>,
        offsets: Vec<i32>,
        validity: Validity,
    },
}

/// Why a value does not fit its column.
pub(super) enum Misfit {
    /// The text is no value of the column's type.
    Value {
        /// The column's type.
        wanted: String,
        /// What was found.
        found: String,
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
            Misfit::Value { wanted, found } => write!(f, "{found} is no {wanted}"),
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
    pub(super) fn new(data_type: &DataType, single_is_array: bool) -> Result<Column, Misfit> {
        let nested = |t: &DataType| Column::new(t, single_is_array).map(Box::new);
        let store = match data_type {
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
                Store::Struct(Box::new(StructColumn::new(fields, &all, single_is_array)?))
            }
            DataType::List(item) => Store::List {
                item: item.clone(),
                column: nested(item.data_type())?,
                offsets: vec![0],
                validity: Validity::default(),
            },
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Store::Map {
                    entries: entries.clone(),
                    key: nested(fields[0].data_type())?,
                    value: nested(fields[1].data_type())?,
                    offsets: vec![0],
                    validity: Validity::default(),
                },
                _ => return Err(Misfit::Type(data_type.clone())),
            },
            other => return Err(Misfit::Type(other.clone())),
        };
        Ok(Column {
            data_type: data_type.clone(),
            store,
            single_is_array,
            date_order: None,
        })
    }

    /// Dates that do not tell whether the day or the month comes first are read in this order.
    pub(super) fn with_date_order(mut self, order: Option<DateOrder>) -> Column {
        self.date_order = order;
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
                validity.push(false);
            }
        }
    }

    fn misfit(&self, found: String) -> Misfit {
        Misfit::Value {
            wanted: format_type(&self.data_type),
            found,
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

    /// Appends the JSON value that the parser stands before.
    pub(super) fn append_json(&mut self, parser: &mut Parser<'_>) -> Result<(), Misfit> {
        let from = parser.position();
        let token = parser.start()?;
        self.append_token(parser, token, from)
    }

    fn append_token(
        &mut self,
        parser: &mut Parser<'_>,
        token: Token<'_>,
        from: usize,
    ) -> Result<(), Misfit> {
        match (token, &mut self.store) {
            (Token::Null, _) => self.append_null(),
            (Token::Object, Store::Struct(s)) => s.append_object(parser)?,
            (
                Token::Object,
                Store::Map {
                    key,
                    value,
                    offsets,
                    validity,
                    ..
                },
            ) => {
                let mut count = offsets.last().copied().unwrap_or_default();
                let mut first = true;
                while let Some(name) = parser.key(&mut first)? {
                    key.append_text(&name)?;
                    value.append_json(parser)?;
                    count = count.checked_add(1).ok_or(Misfit::TooLong)?;
                }
                offsets.push(count);
                validity.push(true);
            }
            (
                Token::Array,
                Store::List {
                    column,
                    offsets,
                    validity,
                    ..
                },
            ) => {
                let mut count = offsets.last().copied().unwrap_or_default();
                let mut first = true;
                while parser.element(&mut first)? {
                    column.append_json(parser)?;
                    count = count.checked_add(1).ok_or(Misfit::TooLong)?;
                }
                offsets.push(count);
                validity.push(true);
            }
            (
                token,
                Store::List {
                    column,
                    offsets,
                    validity,
                    ..
                },
            ) if self.single_is_array => {
                column.append_token(parser, token, from)?;
                let last = offsets.last().copied().unwrap_or_default();
                offsets.push(last.checked_add(1).ok_or(Misfit::TooLong)?);
                validity.push(true);
            }
            (Token::String(text), store) => match store {
                // A string that spells an object is still a string: it is not looked into.
                Store::Struct(_) | Store::List { .. } | Store::Map { .. } => {
                    return Err(self.misfit(format!("the string {}", shown(&text))));
                }
                _ => self.append_text(&text)?,
            },
            (Token::Number(text), Store::Date(_) | Store::Boolean(_)) => {
                return Err(self.misfit(format!("the number {text}")));
            }
            (
                Token::Number(text),
                Store::Micros(_) | Store::Millis(_) | Store::Seconds(_) | Store::Nanos(_),
            ) => {
                return Err(self.misfit(format!("the number {text}")));
            }
            (Token::Number(text), Store::Struct(_) | Store::List { .. } | Store::Map { .. }) => {
                return Err(self.misfit(format!("the number {text}")));
            }
            (Token::Number(text), _) => self.append_text(text)?,
            (Token::Boolean(v), Store::Boolean(b)) => b.append_value(v),
            (Token::Boolean(v), Store::Utf8(_) | Store::View(_)) => {
                self.append_text(if v { "true" } else { "false" })?;
            }
            (Token::Boolean(v), _) => return Err(self.misfit(v.to_string())),
            (Token::Object | Token::Array, Store::Utf8(_) | Store::View(_)) => {
                // A column that is text because its values disagree holds documents as JSON.
                parser.skip_open()?;
                let text = parser.text_since(from).to_owned();
                self.append_text(text.trim())?;
            }
            (Token::Object, _) => return Err(self.misfit("an object".into())),
            (Token::Array, _) => return Err(self.misfit("an array".into())),
        }
        Ok(())
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
                    validity.take(),
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
                    validity.take(),
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

/// The columns of a record, or of a struct in it. Keys are bound to fields by name: the same case
/// first, then any case.
pub(super) struct StructColumn {
    fields: Fields,
    columns: Vec<Column>,
    /// By key: the column it belongs to, `None` for fields that are not wanted.
    binding: HashMap<String, Option<usize>>,
    /// The same by the key in lower case; of several the first.
    lower: HashMap<String, Option<usize>>,
    /// The keys of the last record in their order, with what they are bound to.
    order: Vec<(String, Option<usize>)>,
    /// In which record each column was last filled.
    filled: Vec<u64>,
    record: u64,
    validity: Validity,
}

impl StructColumn {
    /// Columns for the fields numbered in `wanted`; keys are bound with regard to all of them.
    pub(super) fn new(
        all: &Fields,
        wanted: &[usize],
        single_is_array: bool,
    ) -> Result<StructColumn, Misfit> {
        let mut binding = HashMap::with_capacity(all.len());
        let mut lower = HashMap::with_capacity(all.len());
        for (i, field) in all.iter().enumerate() {
            let column = wanted.iter().position(|w| *w == i);
            binding.insert(field.name().clone(), column);
            lower.entry(field.name().to_lowercase()).or_insert(column);
        }
        let fields: Fields = wanted.iter().map(|i| all[*i].clone()).collect();
        let columns = fields
            .iter()
            .map(|f| Column::new(f.data_type(), single_is_array))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(StructColumn {
            filled: vec![0; columns.len()],
            fields,
            columns,
            binding,
            lower,
            order: Vec::new(),
            record: 0,
            validity: Validity::default(),
        })
    }

    /// How many records were appended since the last finish.
    pub(super) fn len(&self) -> usize {
        self.validity.bits.len()
    }

    fn bind(&mut self, position: usize, key: &str) -> Option<usize> {
        if let Some((known, bound)) = self.order.get(position)
            && known == key
        {
            return *bound;
        }
        let bound = match self.binding.get(key) {
            Some(bound) => *bound,
            None => self.lower.get(&key.to_lowercase()).copied().flatten(),
        };
        self.order.truncate(position);
        if self.order.len() == position {
            self.order.push((key.to_owned(), bound));
        }
        bound
    }

    /// Appends the object whose opening brace was just read.
    pub(super) fn append_object(&mut self, parser: &mut Parser<'_>) -> Result<(), Misfit> {
        self.record += 1;
        let mut first = true;
        let mut position = 0;
        while let Some(key) = parser.key(&mut first)? {
            match self.bind(position, &key) {
                None => parser.skip()?,
                Some(i) if self.filled[i] == self.record => {
                    return Err(Misfit::Json(
                        parser.problem(format!("the key '{key}' is there twice")),
                    ));
                }
                Some(i) => {
                    self.columns[i].append_json(parser).map_err(|m| match m {
                        Misfit::Value { wanted, found } => Misfit::Json(
                            parser.problem(format!("{found} in field '{key}' is no {wanted}")),
                        ),
                        other => other,
                    })?;
                    self.filled[i] = self.record;
                }
            }
            position += 1;
        }
        for (column, filled) in self.columns.iter_mut().zip(&self.filled) {
            if *filled != self.record {
                column.append_null();
            }
        }
        self.validity.push(true);
        Ok(())
    }

    fn append_null(&mut self) {
        for column in &mut self.columns {
            column.append_null();
        }
        self.validity.push(false);
    }

    fn finish(&mut self) -> Result<StructArray, arrow::error::ArrowError> {
        let length = self.len();
        let arrays = self.take_columns()?;
        StructArray::try_new_with_length(self.fields.clone(), arrays, self.validity.take(), length)
    }

    fn take_columns(&mut self) -> Result<Vec<ArrayRef>, arrow::error::ArrowError> {
        self.columns.iter_mut().map(Column::finish).collect()
    }

    /// The records appended so far, as columns, and how many they are.
    pub(super) fn finish_records(
        &mut self,
    ) -> Result<(Vec<ArrayRef>, usize), arrow::error::ArrowError> {
        let length = self.len();
        let columns = self.take_columns()?;
        self.validity.bits.clear();
        Ok((columns, length))
    }
}
