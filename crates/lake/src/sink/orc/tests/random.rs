//! Columns of any type, from a seed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, LargeListArray, ListArray, MapArray,
    StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, TimeUnit};
use proptest::prelude::*;

/// Any type that is read back as itself, or as one that it can be cast to.
pub(super) fn types() -> impl Strategy<Value = DataType> {
    let micros =
        |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let leaf = prop::sample::select(vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Utf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::Date32,
        micros(None),
        micros(Some("UTC")),
        DataType::Decimal128(38, 10),
        DataType::Decimal128(9, 2),
    ]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let item = |t| Arc::new(Field::new("item", t, true));
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|types| {
                let names = ["x", "y", "z"].iter().zip(types);
                DataType::Struct(names.map(|(n, t)| Field::new(*n, t, true)).collect())
            }),
            inner.clone().prop_map(move |t| DataType::List(item(t))),
            inner
                .clone()
                .prop_map(move |t| DataType::LargeList(item(t))),
            inner.prop_map(|value| {
                let entries = vec![
                    Field::new("keys", DataType::Utf8, false),
                    Field::new("values", value, true),
                ];
                let entries = DataType::Struct(entries.into());
                DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
            }),
        ]
    })
}

/// Pieces of the shapes that run lengths tell apart.
pub(super) fn integers() -> impl Strategy<Value = Vec<i64>> {
    let any = prop_oneof![any::<i64>(), -5_i64..5, -100_000_i64..100_000];
    prop_oneof![
        (any.clone(), 1_usize..600).prop_map(|(value, times)| vec![value; times]),
        prop::collection::vec(any.clone(), 1..40),
        (any.clone(), prop::collection::vec(0_i64..4, 1..600)).prop_map(|(start, steps)| {
            let sums = steps.iter().scan(start, |at, step| {
                *at = at.saturating_add(*step);
                Some(*at)
            });
            sums.collect()
        }),
        (any, -9_i64..9, 1_i64..300).prop_map(|(start, step, times)| {
            (0..times).map(|i| start.wrapping_add(i * step)).collect()
        }),
    ]
}

/// A sequence of numbers from a seed (xorshift64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub(super) fn numbers(&mut self, count: usize) -> Vec<i64> {
        (0..count).map(|_| self.next() as i64).collect()
    }

    /// Small more often than large, and often the one before.
    fn integers(&mut self, count: usize) -> Vec<i64> {
        let mut last = 0;
        (0..count)
            .map(|_| {
                if self.below(3) > 0 {
                    let shift = self.below(64);
                    last = self.next() as i64 >> shift;
                }
                last
            })
            .collect()
    }

    fn nulls(&mut self, count: usize) -> Option<NullBuffer> {
        let often = [0, 2, 10][self.below(3) as usize];
        (often > 0).then(|| (0..count).map(|_| self.below(often) > 0).collect())
    }

    fn texts(&mut self, count: usize) -> Vec<String> {
        let kinds = [2, 1 << 40][self.below(2) as usize];
        (0..count)
            .map(|_| {
                let number = self.below(kinds);
                ["", "é", "text "][number as usize % 3].repeat(number as usize % 4)
                    + &number.to_string()
            })
            .collect()
    }

    fn offsets(&mut self, count: usize) -> (Vec<usize>, usize) {
        let lengths: Vec<usize> = (0..count).map(|_| self.below(4) as usize).collect();
        let items = lengths.iter().sum();
        (lengths, items)
    }

    /// A slice of a longer column.
    pub(super) fn sliced(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        let (before, after) = (self.below(20) as usize, self.below(20) as usize);
        self.column(data_type, before + rows + after)
            .slice(before, rows)
    }

    fn column(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        let nulls = self.nulls(rows);
        let integers = |random: &mut Self| random.integers(rows);
        match data_type {
            DataType::Boolean => {
                let values = integers(self).iter().map(|v| v & 1 == 1).collect();
                Arc::new(BooleanArray::new(values, nulls))
            }
            DataType::Int8 => {
                let values = integers(self).iter().map(|v| *v as i8).collect();
                Arc::new(Int8Array::new(values, nulls))
            }
            DataType::Int16 => {
                let values = integers(self).iter().map(|v| *v as i16).collect();
                Arc::new(Int16Array::new(values, nulls))
            }
            DataType::Int32 => {
                let values = integers(self).iter().map(|v| *v as i32).collect();
                Arc::new(Int32Array::new(values, nulls))
            }
            DataType::Int64 => Arc::new(Int64Array::new(integers(self).into(), nulls)),
            DataType::Float32 => {
                let values = integers(self).iter().map(|v| *v as f32 / 7.0).collect();
                Arc::new(Float32Array::new(values, nulls))
            }
            DataType::Float64 => {
                let values = integers(self).iter().map(|v| *v as f64 / 7.0).collect();
                Arc::new(Float64Array::new(values, nulls))
            }
            DataType::Date32 => {
                let values = integers(self)
                    .iter()
                    .map(|v| (v % 1_000_000) as i32)
                    .collect();
                Arc::new(Date32Array::new(values, nulls))
            }
            DataType::Timestamp(_, zone) => {
                // Not within the last second before 1970, which ORC cannot hold.
                let whole = |v: &i64| {
                    if (-1_000_000..0).contains(v) {
                        0
                    } else {
                        v % (1 << 52)
                    }
                };
                let values = integers(self).iter().map(whole).collect();
                Arc::new(
                    TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(zone.clone()),
                )
            }
            DataType::Decimal128(digits, scale) => {
                let most = 10_i128.pow(u32::from(*digits));
                let value = |v: &i64| (i128::from(*v) * i128::from(*v >> 2) * 3) % most;
                let values = integers(self).iter().map(value).collect();
                let array = Decimal128Array::new(values, nulls);
                Arc::new(array.with_precision_and_scale(*digits, *scale).unwrap())
            }
            DataType::Utf8 => {
                Arc::new(StringArray::from(self.optional_texts(rows, nulls.as_ref())))
            }
            DataType::Utf8View => Arc::new(StringViewArray::from(
                self.optional_texts(rows, nulls.as_ref())
                    .iter()
                    .map(Option::as_deref)
                    .collect::<Vec<_>>(),
            )),
            DataType::Binary => {
                let texts = self.optional_texts(rows, nulls.as_ref());
                Arc::new(texts.iter().map(Option::as_ref).collect::<BinaryArray>())
            }
            DataType::Struct(fields) => {
                let columns = fields
                    .iter()
                    .map(|f| self.column(f.data_type(), rows))
                    .collect();
                Arc::new(StructArray::new(fields.clone(), columns, nulls))
            }
            DataType::List(item) => {
                let (lengths, items) = self.offsets(rows);
                let values = self.column(item.data_type(), items);
                Arc::new(ListArray::new(
                    item.clone(),
                    OffsetBuffer::from_lengths(lengths),
                    values,
                    nulls,
                ))
            }
            DataType::LargeList(item) => {
                let (lengths, items) = self.offsets(rows);
                let values = self.column(item.data_type(), items);
                Arc::new(LargeListArray::new(
                    item.clone(),
                    OffsetBuffer::from_lengths(lengths),
                    values,
                    nulls,
                ))
            }
            DataType::Map(entries, _) => {
                let (lengths, items) = self.offsets(rows);
                let DataType::Struct(fields) = entries.data_type() else {
                    panic!("a map's entries are structs");
                };
                let keys: ArrayRef = Arc::new(StringArray::from(self.texts(items)));
                let values = self.column(fields[1].data_type(), items);
                let pairs = StructArray::new(fields.clone(), vec![keys, values], None);
                Arc::new(MapArray::new(
                    entries.clone(),
                    OffsetBuffer::from_lengths(lengths),
                    pairs,
                    nulls,
                    false,
                ))
            }
            other => panic!("no random values of {other}"),
        }
    }

    fn optional_texts(&mut self, rows: usize, nulls: Option<&NullBuffer>) -> Vec<Option<String>> {
        let texts = self.texts(rows).into_iter().enumerate();
        texts
            .map(|(i, text)| nulls.is_none_or(|n| n.is_valid(i)).then_some(text))
            .collect()
    }
}
