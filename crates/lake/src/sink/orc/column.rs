//! The columns of a stripe, each with its streams; nested ones hold theirs.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, OffsetSizeTrait};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, FilterBuilder, cast_with_options, filter};
use arrow::datatypes::{DataType, FieldRef};
use orc_rust::proto;
use orc_rust::proto::column_encoding::Kind as Encoding;
use orc_rust::proto::stream::Kind as StreamKind;

use super::bytes::Present;
use super::codec::Codec;
use super::error::{OrcError, Result};
use super::integers::IntRle;
use super::leaf::Leaf;
use super::statistics::Statistics;
use super::types::{orc_type, stored};

/// The deepest nesting of types, as in the JSON reader.
const MAX_DEPTH: usize = 256;

/// What the columns write at a stripe's end, in the order of their ids.
pub(super) struct Stripe<'a> {
    pub(super) codec: &'a mut Codec,
    /// The file.
    pub(super) out: &'a mut Vec<u8>,
    pub(super) streams: Vec<proto::Stream>,
    pub(super) encodings: Vec<proto::ColumnEncoding>,
    pub(super) statistics: Vec<proto::ColumnStatistics>,
}

impl Stripe<'_> {
    /// Notes a stream that was written.
    pub(super) fn stream(&mut self, kind: StreamKind, column: u32, length: u64) {
        self.streams.push(proto::Stream {
            kind: Some(kind.into()),
            column: Some(column),
            length: Some(length),
        });
    }

    /// Notes the encoding of the next column.
    pub(super) fn encoding(&mut self, kind: Encoding) {
        self.encodings.push(proto::ColumnEncoding {
            kind: Some(kind.into()),
            ..Default::default()
        });
    }

    /// Notes that the next column has a dictionary of so many values.
    pub(super) fn dictionary(&mut self, size: u32) {
        self.encodings.push(proto::ColumnEncoding {
            kind: Some(Encoding::DictionaryV2.into()),
            dictionary_size: Some(size),
            ..Default::default()
        });
    }
}

/// A column: values come in, and at a stripe's end go out as streams.
pub(super) struct Column {
    id: u32,
    /// What arrays are cast to first, where they are of another type.
    cast: Option<DataType>,
    present: Present,
    statistics: Statistics,
    /// Of the stripes that were written.
    whole: Statistics,
    data: Data,
}

enum Data {
    Leaf(Box<Leaf>),
    Struct(Vec<Column>),
    /// The items of lists; the keys and values of maps.
    Repeated {
        lengths: IntRle,
        items: Vec<Column>,
    },
}

impl Column {
    /// A column of this type, and those within it; their ORC types are added to `types`, where a
    /// column's place is its id.
    pub(super) fn new(
        data_type: &DataType,
        types: &mut Vec<proto::Type>,
        depth: usize,
    ) -> Result<Self> {
        if depth > MAX_DEPTH {
            return Err(OrcError::Depth(MAX_DEPTH));
        }
        let stored = stored(data_type)?;
        let at = types.len();
        types.push(orc_type(&stored)?);
        let mut names = Vec::new();
        let mut inner = Vec::new();
        let data = match &stored {
            DataType::Struct(fields) => {
                let mut columns = Vec::new();
                for field in fields {
                    names.push(field.name().clone());
                    inner.push(types.len() as u32);
                    columns.push(Column::new(field.data_type(), types, depth + 1)?);
                }
                Data::Struct(columns)
            }
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                inner.push(types.len() as u32);
                Data::Repeated {
                    lengths: IntRle::unsigned(),
                    items: vec![Column::new(item.data_type(), types, depth + 1)?],
                }
            }
            DataType::Map(entries, _) => {
                let mut columns = Vec::new();
                for field in key_and_value(entries)? {
                    inner.push(types.len() as u32);
                    columns.push(Column::new(field.data_type(), types, depth + 1)?);
                }
                Data::Repeated {
                    lengths: IntRle::unsigned(),
                    items: columns,
                }
            }
            leaf => Data::Leaf(Box::new(Leaf::new(leaf)?)),
        };
        if let Some(own) = types.get_mut(at) {
            own.field_names = names;
            own.subtypes = inner;
        }
        Ok(Column {
            id: at as u32,
            cast: (stored != *data_type).then_some(stored),
            present: Present::default(),
            statistics: Statistics::default(),
            whole: Statistics::default(),
            data,
        })
    }

    /// Takes in values.
    pub(super) fn write(&mut self, array: &ArrayRef) -> Result<()> {
        let cast;
        let array = match &self.cast {
            Some(to) => {
                // What does not fit is an error, not a null.
                let strict = CastOptions {
                    safe: false,
                    ..Default::default()
                };
                cast = cast_with_options(array, to, &strict)?;
                &cast
            }
            None => array,
        };
        let nulls = array.nulls();
        self.present.push(array.len(), nulls);
        let missing = array.null_count();
        self.statistics.count += (array.len() - missing) as u64;
        self.statistics.has_null |= missing > 0;
        match &mut self.data {
            Data::Leaf(leaf) => leaf.write(array, &mut self.statistics),
            Data::Struct(columns) => write_struct(array, columns),
            Data::Repeated { lengths, items } => write_repeated(array, lengths, items),
        }
    }

    /// Compresses what fills blocks.
    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.present.spill(codec)?;
        match &mut self.data {
            Data::Leaf(leaf) => leaf.spill(codec),
            Data::Struct(columns) => columns.iter_mut().try_for_each(|c| c.spill(codec)),
            Data::Repeated { lengths, items } => {
                lengths.spill(codec)?;
                items.iter_mut().try_for_each(|c| c.spill(codec))
            }
        }
    }

    /// Ends the stripe.
    pub(super) fn finish(&mut self, stripe: &mut Stripe<'_>) -> Result<()> {
        if let Some(length) = self.present.finish(stripe.codec, stripe.out)? {
            stripe.stream(StreamKind::Present, self.id, length);
        }
        match &mut self.data {
            Data::Leaf(leaf) => leaf.finish(self.id, stripe, &mut self.statistics)?,
            Data::Struct(_) => stripe.encoding(Encoding::Direct),
            Data::Repeated { lengths, .. } => {
                let length = lengths.finish(stripe.codec, stripe.out)?;
                stripe.stream(StreamKind::Length, self.id, length);
                stripe.encoding(Encoding::DirectV2);
            }
        }
        let statistics = std::mem::take(&mut self.statistics);
        stripe.statistics.push(statistics.to_proto());
        self.whole.merge(statistics);
        match &mut self.data {
            Data::Leaf(_) => Ok(()),
            Data::Struct(columns) | Data::Repeated { items: columns, .. } => {
                columns.iter_mut().try_for_each(|c| c.finish(stripe))
            }
        }
    }

    /// Adds the statistics of all stripes, this column's first.
    pub(super) fn whole(&self, out: &mut Vec<proto::ColumnStatistics>) {
        out.push(self.whole.to_proto());
        if let Data::Struct(columns) | Data::Repeated { items: columns, .. } = &self.data {
            columns.iter().for_each(|c| c.whole(out));
        }
    }

    /// The bytes of the stripe so far, about.
    pub(super) fn size(&self) -> usize {
        self.sum(|c| {
            c.present.size()
                + match &c.data {
                    Data::Leaf(leaf) => leaf.size(),
                    Data::Struct(_) => 0,
                    Data::Repeated { lengths, .. } => lengths.size(),
                }
        })
    }

    /// The memory in use, about.
    pub(super) fn memory(&self) -> usize {
        self.sum(|c| {
            c.present.memory()
                + match &c.data {
                    Data::Leaf(leaf) => leaf.memory(),
                    Data::Struct(_) => 0,
                    Data::Repeated { lengths, .. } => lengths.memory(),
                }
        })
    }

    fn sum(&self, own: impl Fn(&Column) -> usize + Copy) -> usize {
        let inner = match &self.data {
            Data::Leaf(_) => 0,
            Data::Struct(columns) | Data::Repeated { items: columns, .. } => {
                columns.iter().map(|c| c.sum(own)).sum()
            }
        };
        own(self) + inner
    }
}

fn key_and_value(entries: &FieldRef) -> Result<[&FieldRef; 2]> {
    if let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = fields.as_ref()
    {
        return Ok([key, value]);
    }
    Err(OrcError::Type(entries.data_type().clone()))
}

fn mismatch(expected: &str, array: &dyn Array) -> OrcError {
    OrcError::Mismatch {
        expected: expected.to_owned(),
        found: array.data_type().clone(),
    }
}

/// The fields, without what stands in rows where the struct itself is null: ORC does not write those.
fn write_struct(array: &ArrayRef, columns: &mut [Column]) -> Result<()> {
    let array = array
        .as_struct_opt()
        .ok_or_else(|| mismatch("structs", array))?;
    let keep = array
        .nulls()
        .filter(|nulls| nulls.null_count() > 0)
        .map(|nulls| BooleanArray::new(nulls.inner().clone(), None))
        .map(|keep| FilterBuilder::new(&keep).optimize().build());
    let named = array.fields().iter().zip(array.columns());
    for ((field, values), column) in named.zip(columns) {
        let written = match &keep {
            None => column.write(values),
            Some(keep) => match keep.filter(values) {
                Ok(kept) => column.write(&kept),
                Err(error) => Err(error.into()),
            },
        };
        written.map_err(|error| error.within(field.name()))?;
    }
    Ok(())
}

fn write_repeated(array: &ArrayRef, lengths: &mut IntRle, items: &mut [Column]) -> Result<()> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let columns: Vec<ArrayRef> = match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            ranges(list.offsets(), nulls, lengths, [list.values()])?
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            ranges(list.offsets(), nulls, lengths, [list.values()])?
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            ranges(map.offsets(), nulls, lengths, [map.keys(), map.values()])?
        }
        DataType::FixedSizeList(_, _) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(list.value_length()).unwrap_or_default();
            let offsets = OffsetBuffer::<i64>::from_repeated_length(size, list.len());
            ranges(&offsets, nulls, lengths, [list.values()])?
        }
        _ => return Err(mismatch("lists or maps", array)),
    };
    items
        .iter_mut()
        .zip(&columns)
        .try_for_each(|(column, values)| column.write(values))
}

/// Writes the lengths of the lists that are not null, and returns their items alone: a slice of `values`,
/// or a part of it where null lists have items too (which Arrow allows).
fn ranges<O: OffsetSizeTrait, const N: usize>(
    offsets: &OffsetBuffer<O>,
    nulls: Option<&NullBuffer>,
    lengths: &mut IntRle,
    values: [&ArrayRef; N],
) -> Result<Vec<ArrayRef>> {
    let first = offsets.first().map_or(0, |o| o.as_usize());
    let last = offsets.last().map_or(0, |o| o.as_usize());
    let mut hidden = false;
    for (row, length) in offsets.lengths().enumerate() {
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            lengths.push(length as i64);
        } else {
            hidden |= length > 0;
        }
    }
    let within = values.map(|v| v.slice(first, last - first));
    let Some(nulls) = nulls.filter(|_| hidden) else {
        return Ok(within.into());
    };
    let mut keep = BooleanBufferBuilder::new(last - first);
    for (length, valid) in offsets.lengths().zip(nulls) {
        keep.append_n(length, valid);
    }
    let keep = BooleanArray::new(keep.finish(), None);
    Ok(within
        .iter()
        .map(|v| filter(v, &keep))
        .collect::<Result<_, _>>()?)
}
