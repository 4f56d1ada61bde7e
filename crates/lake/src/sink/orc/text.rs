//! Strings and bytes: one after the other with their lengths, or numbers into a sorted dictionary
//! (ORC specification v1, "String, Char, and VarChar Columns").

use std::hash::BuildHasher;

use arrow::array::{
    Array, AsArray, BinaryViewArray, GenericByteArray, GenericByteViewArray, StringViewArray,
};
use arrow::datatypes::{ByteArrayType, ByteViewType, DataType};
use datafusion::common::HashMap;
use orc_rust::proto::column_encoding::Kind as Encoding;
use orc_rust::proto::stream::Kind as StreamKind;

use super::codec::Codec;
use super::column::Stripe;
use super::error::{OrcError, Result};
use super::integers::IntRle;
use super::statistics::{Bounds, Values};
use super::stream::OutStream;

/// After so many values a dictionary must have paid; the Java writer looks after 10,000 rows, too.
const TRIAL: usize = 10_000;
/// A dictionary's most bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Calls `each` with every value that is not null.
pub(super) fn for_each(array: &dyn Array, mut each: impl FnMut(&[u8])) -> Result<()> {
    fn bytes<T: ByteArrayType>(array: &GenericByteArray<T>, each: &mut impl FnMut(&[u8]))
    where
        T::Native: AsRef<[u8]>,
    {
        match array.nulls() {
            None => (0..array.len()).for_each(|i| each(array.value(i).as_ref())),
            Some(nulls) => nulls
                .valid_indices()
                .for_each(|i| each(array.value(i).as_ref())),
        }
    }
    fn views<T: ByteViewType>(array: &GenericByteViewArray<T>, each: &mut impl FnMut(&[u8]))
    where
        T::Native: AsRef<[u8]>,
    {
        match array.nulls() {
            None => (0..array.len()).for_each(|i| each(array.value(i).as_ref())),
            Some(nulls) => nulls
                .valid_indices()
                .for_each(|i| each(array.value(i).as_ref())),
        }
    }
    let mismatch = || OrcError::Mismatch {
        expected: "strings or bytes".to_owned(),
        found: array.data_type().clone(),
    };
    match array.data_type() {
        DataType::Utf8 => bytes(array.as_string::<i32>(), &mut each),
        DataType::LargeUtf8 => bytes(array.as_string::<i64>(), &mut each),
        DataType::Binary => bytes(array.as_binary::<i32>(), &mut each),
        DataType::LargeBinary => bytes(array.as_binary::<i64>(), &mut each),
        DataType::Utf8View => {
            let array: &StringViewArray = array.as_string_view_opt().ok_or_else(mismatch)?;
            views(array, &mut each);
        }
        DataType::BinaryView => {
            let array: &BinaryViewArray = array.as_binary_view_opt().ok_or_else(mismatch)?;
            views(array, &mut each);
        }
        _ => return Err(mismatch()),
    }
    Ok(())
}

/// The values, one after the other, and their lengths.
pub(super) struct Direct {
    bytes: OutStream,
    lengths: IntRle,
}

impl Direct {
    pub(super) fn new() -> Self {
        Direct {
            bytes: OutStream::default(),
            lengths: IntRle::unsigned(),
        }
    }

    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.raw().extend_from_slice(value);
        self.lengths.push(value.len() as i64);
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.bytes.spill(codec)?;
        self.lengths.spill(codec)
    }

    pub(super) fn finish(&mut self, id: u32, stripe: &mut Stripe<'_>) -> Result<()> {
        let length = self.bytes.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::Data, id, length);
        let length = self.lengths.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::Length, id, length);
        stripe.encoding(Encoding::DirectV2);
        Ok(())
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.size() + self.lengths.size()
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.memory() + self.lengths.memory()
    }
}

/// A column of strings. A stripe begins with a dictionary, and goes on without when more than half of the
/// values are new ones.
pub(super) struct Text {
    dictionary: Option<Dictionary>,
    direct: Direct,
    bounds: Option<Bounds<Vec<u8>>>,
    bytes: u64,
}

impl Text {
    pub(super) fn new() -> Self {
        Text {
            dictionary: Some(Dictionary::default()),
            direct: Direct::new(),
            bounds: None,
            bytes: 0,
        }
    }

    pub(super) fn write(&mut self, array: &dyn Array) -> Result<()> {
        for_each(array, |value| self.push(value))?;
        if self.dictionary.as_ref().is_some_and(|d| !d.pays()) {
            self.give_up();
        }
        Ok(())
    }

    fn push(&mut self, value: &[u8]) {
        if let Some(dictionary) = &mut self.dictionary {
            if dictionary.bytes.len() + value.len() <= MOST_BYTES {
                dictionary.push(value);
                return;
            }
            self.give_up();
        }
        self.direct.push(value);
        self.bytes += value.len() as u64;
        self.bound(value);
    }

    fn bound(&mut self, value: &[u8]) {
        match &mut self.bounds {
            Some(bounds) => bounds.widen(value),
            None => self.bounds = Some(Bounds(value.to_vec(), value.to_vec())),
        }
    }

    /// What was numbered so far, written out.
    fn give_up(&mut self) {
        let Some(dictionary) = self.dictionary.take() else {
            return;
        };
        for number in &dictionary.numbers {
            let value = dictionary.value(*number);
            self.direct.push(value);
            self.bytes += value.len() as u64;
        }
        for value in dictionary.values() {
            self.bound(value);
        }
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.direct.spill(codec)
    }

    /// Ends the stripe, and says what the values were.
    pub(super) fn finish(&mut self, id: u32, stripe: &mut Stripe<'_>) -> Result<Values> {
        if self
            .dictionary
            .as_ref()
            .is_some_and(|d| !d.is_smaller_than_direct())
        {
            self.give_up();
        }
        let (bounds, bytes) = match self.dictionary.take() {
            Some(dictionary) => {
                let bytes = dictionary.total;
                (dictionary.finish(id, stripe)?, bytes)
            }
            None => {
                self.direct.finish(id, stripe)?;
                (self.bounds.take(), self.bytes)
            }
        };
        *self = Text::new();
        Ok(match bounds {
            Some(bounds) => Values::Text { bounds, bytes },
            None => Values::None,
        })
    }

    pub(super) fn size(&self) -> usize {
        self.direct.size() + self.dictionary.as_ref().map_or(0, Dictionary::size)
    }

    pub(super) fn memory(&self) -> usize {
        self.direct.memory() + self.dictionary.as_ref().map_or(0, Dictionary::memory)
    }
}

/// Values, each once, and the numbers of the column's values.
#[derive(Default)]
struct Dictionary {
    /// The values, one after the other.
    bytes: Vec<u8>,
    /// Where each value begins and ends in them, and its hash.
    entries: Vec<Entry>,
    /// Open addressing: an entry's number plus one, or 0. A power of two, at most half full.
    slots: Vec<u32>,
    hasher: Hasher,
    /// The values, in their order.
    numbers: Vec<u32>,
    /// The bytes of all values.
    total: u64,
}

/// Seeded at random: no input is slow on purpose.
#[derive(Default)]
struct Hasher(HashMap<(), ()>);

struct Entry {
    start: u32,
    end: u32,
    hash: u32,
}

impl Dictionary {
    fn push(&mut self, value: &[u8]) {
        self.total += value.len() as u64;
        // Values are often like the one before.
        if let Some(last) = self.numbers.last()
            && self.value(*last) == value
        {
            self.numbers.push(*last);
            return;
        }
        if self.entries.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = self.hasher.0.hasher().hash_one(value) as u32;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        let number = loop {
            let Some(slot) = self.slots.get(at).copied() else {
                return;
            };
            let Some(number) = slot.checked_sub(1) else {
                break self.add(value, hash, at);
            };
            if self.entry_hash(number) == hash && self.value(number) == value {
                break number;
            }
            at = (at + 1) & mask;
        };
        self.numbers.push(number);
    }

    fn add(&mut self, value: &[u8], hash: u32, slot: usize) -> u32 {
        let number = self.entries.len() as u32;
        // At most `MOST_BYTES`.
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        let end = self.bytes.len() as u32;
        self.entries.push(Entry { start, end, hash });
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = number + 1;
        }
        number
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(1024);
        let mut slots = vec![0; size];
        for (number, entry) in (1..).zip(&self.entries) {
            let mut at = entry.hash as usize & (size - 1);
            while slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & (size - 1);
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = number;
            }
        }
        self.slots = slots;
    }

    fn entry_hash(&self, number: u32) -> u32 {
        self.entries.get(number as usize).map_or(0, |e| e.hash)
    }

    fn value(&self, number: u32) -> &[u8] {
        self.entries
            .get(number as usize)
            .and_then(|e| self.bytes.get(e.start as usize..e.end as usize))
            .unwrap_or_default()
    }

    fn values(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.entries.len() as u32).map(|number| self.value(number))
    }

    /// Whether it is worth going on.
    fn pays(&self) -> bool {
        self.numbers.len() < TRIAL || self.entries.len() * 2 <= self.numbers.len()
    }

    /// Whether it takes less room than the values with their lengths would.
    fn is_smaller_than_direct(&self) -> bool {
        (self.size() as u64) < self.total + self.numbers.len() as u64
    }

    /// About the size when written.
    fn size(&self) -> usize {
        let bits = u32::BITS - (self.entries.len() as u32).leading_zeros();
        self.bytes.len() + self.entries.len() + self.numbers.len() * bits as usize / 8
    }

    fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + (self.slots.capacity() + self.numbers.capacity()) * size_of::<u32>()
    }

    /// Writes the sorted dictionary and the numbers into it; returns its first and last value.
    fn finish(self, id: u32, stripe: &mut Stripe<'_>) -> Result<Option<Bounds<Vec<u8>>>> {
        let mut order: Vec<u32> = (0..self.entries.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.value(*a).cmp(self.value(*b)));
        let mut rank = vec![0_i64; order.len()];
        for (place, number) in (0..).zip(&order) {
            if let Some(rank) = rank.get_mut(*number as usize) {
                *rank = place;
            }
        }
        let mut references = IntRle::unsigned();
        for number in &self.numbers {
            references.push(rank.get(*number as usize).copied().unwrap_or_default());
        }
        let length = references.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::Data, id, length);
        let mut sorted = Direct::new();
        for number in &order {
            sorted.push(self.value(*number));
        }
        let length = sorted.bytes.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::DictionaryData, id, length);
        let length = sorted.lengths.finish(stripe.codec, stripe.out)?;
        stripe.stream(StreamKind::Length, id, length);
        stripe.dictionary(order.len() as u32);
        let ends = order.first().zip(order.last());
        Ok(ends.map(|(a, b)| Bounds(self.value(*a).to_vec(), self.value(*b).to_vec())))
    }
}
