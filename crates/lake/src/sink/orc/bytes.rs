//! Run lengths of bytes and of bits (ORC specification v1, "Byte Run Length Encoding" and
//! "Boolean Run Length Encoding").

use arrow::buffer::{BooleanBuffer, NullBuffer};

use super::codec::Codec;
use super::error::Result;
use super::stream::OutStream;

/// Bytes are encoded in pieces of this many, so that a run may be cut there.
const WINDOW: usize = 8192;
const SHORTEST_RUN: usize = 3;
const LONGEST_RUN: usize = 130;
const MOST_LITERALS: usize = 128;

/// A stream of bytes as run lengths.
#[derive(Default)]
pub(super) struct ByteRle {
    pending: Vec<u8>,
    out: OutStream,
}

impl ByteRle {
    pub(super) fn push(&mut self, byte: u8) {
        self.pending.push(byte);
        if self.pending.len() >= WINDOW {
            self.encode();
        }
    }

    fn encode(&mut self) {
        encode(&self.pending, self.out.raw());
        self.pending.clear();
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.out.spill(codec)
    }

    pub(super) fn finish(&mut self, codec: &mut Codec, out: &mut Vec<u8>) -> Result<u64> {
        self.encode();
        self.pending = Vec::new();
        self.out.finish(codec, out)
    }

    pub(super) fn size(&self) -> usize {
        self.out.size() + self.pending.len()
    }

    pub(super) fn memory(&self) -> usize {
        self.out.memory() + self.pending.capacity()
    }
}

fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let mut literals = bytes.get(..0).unwrap_or_default();
    let mut rest = bytes;
    while let [first, ..] = rest {
        let run = rest.iter().take(LONGEST_RUN).take_while(|b| *b == first);
        let run = run.count();
        let (head, tail) = rest.split_at(run);
        rest = tail;
        if run < SHORTEST_RUN {
            // The literals and what follows them are one slice.
            let from = bytes.len() - rest.len() - run - literals.len();
            literals = bytes
                .get(from..from + literals.len() + run)
                .unwrap_or_default();
            continue;
        }
        write_literals(literals, out);
        literals = &[];
        // 0 to 127.
        out.push((run - SHORTEST_RUN) as u8);
        out.extend_from_slice(head.get(..1).unwrap_or_default());
    }
    write_literals(literals, out);
}

fn write_literals(literals: &[u8], out: &mut Vec<u8>) {
    for piece in literals.chunks(MOST_LITERALS) {
        // The count, negative.
        out.push((piece.len() as u8).wrapping_neg());
        out.extend_from_slice(piece);
    }
}

/// A stream of bits: eight to a byte, the first the highest.
#[derive(Default)]
pub(super) struct BitRle {
    bytes: ByteRle,
    /// The last bits, fewer than eight, in the low places.
    open: u8,
    count: u32,
}

impl BitRle {
    /// Adds the lowest `count` (at most 8) bits of `bits`, the highest of them first.
    fn push_bits(&mut self, bits: u8, count: u32) {
        let room = 8 - self.count;
        if count < room {
            self.open = (self.open << count) | bits;
            self.count += count;
            return;
        }
        let left = count - room;
        let both = (u16::from(self.open) << count) | u16::from(bits);
        // The upper eight of all bits, and those that are left.
        self.bytes.push((both >> left) as u8);
        self.open = (both & ((1 << left) - 1)) as u8;
        self.count = left;
    }

    pub(super) fn push(&mut self, bit: bool) {
        self.push_bits(u8::from(bit), 1);
    }

    pub(super) fn push_buffer(&mut self, buffer: &BooleanBuffer) {
        let chunks = buffer.bit_chunks();
        for chunk in chunks.iter() {
            for byte in chunk.to_le_bytes() {
                self.push_bits(byte.reverse_bits(), 8);
            }
        }
        let rest = chunks.remainder_bits();
        for place in 0..chunks.remainder_len() {
            self.push(rest >> place & 1 == 1);
        }
    }

    pub(super) fn push_ones(&mut self, count: u64) {
        for _ in 0..count / 8 {
            self.push_bits(0xff, 8);
        }
        for _ in 0..count % 8 {
            self.push(true);
        }
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.bytes.spill(codec)
    }

    pub(super) fn finish(&mut self, codec: &mut Codec, out: &mut Vec<u8>) -> Result<u64> {
        if self.count > 0 {
            self.push_bits(0, 8 - self.count);
        }
        self.bytes.finish(codec, out)
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.size()
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.memory()
    }
}

/// A column's PRESENT stream, which begins with the stripe's first null.
#[derive(Default)]
pub(super) struct Present {
    bits: Option<BitRle>,
    rows: u64,
}

impl Present {
    /// Takes in `length` values, of which those that `nulls` says are null.
    pub(super) fn push(&mut self, length: usize, nulls: Option<&NullBuffer>) {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        match (&mut self.bits, nulls) {
            (Some(bits), Some(nulls)) => bits.push_buffer(nulls.inner()),
            (Some(bits), None) => bits.push_ones(length as u64),
            (None, Some(nulls)) => {
                let mut bits = BitRle::default();
                bits.push_ones(self.rows);
                bits.push_buffer(nulls.inner());
                self.bits = Some(bits);
            }
            (None, None) => {}
        }
        self.rows += length as u64;
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.bits.as_mut().map_or(Ok(()), |bits| bits.spill(codec))
    }

    /// The stream's length, where there is one.
    pub(super) fn finish(&mut self, codec: &mut Codec, out: &mut Vec<u8>) -> Result<Option<u64>> {
        self.rows = 0;
        self.bits
            .take()
            .map(|mut bits| bits.finish(codec, out))
            .transpose()
    }

    pub(super) fn size(&self) -> usize {
        self.bits.as_ref().map_or(0, BitRle::size)
    }

    pub(super) fn memory(&self) -> usize {
        self.bits.as_ref().map_or(0, BitRle::memory)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use orc_rust::proto::CompressionKind;

    fn bytes(values: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, &mut out);
        out
    }

    /// The examples of the ORC specification v1, "Byte Run Length Encoding".
    #[test]
    fn bytes_are_as_the_specification_has_them() {
        assert_eq!(bytes(&[0; 100]), [0x61, 0x00]);
        assert_eq!(bytes(&[0x44, 0x45]), [0xfe, 0x44, 0x45]);
        assert_eq!(bytes(&[]), [0u8; 0]);
    }

    #[test]
    fn runs_and_literals_are_cut_at_their_longest() {
        // 130 is the longest run, 128 the most literals, by the widths of their counts.
        assert_eq!(bytes(&[7; 133]), [127, 7, 0, 7]);
        assert_eq!(bytes(&[1, 7, 7, 7, 2, 2]), [0xff, 1, 0, 7, 0xfe, 2, 2]);
        let literals: Vec<u8> = (0..130).collect();
        let encoded = bytes(&literals);
        assert_eq!((encoded[0], encoded[129], encoded.len()), (0x80, 0xfe, 132));
    }

    /// The example of the ORC specification v1, "Boolean Run Length Encoding": the bytes 0xff, 0x80
    /// are one literal, the byte 0x80, which is one true and seven false.
    #[test]
    fn bits_are_as_the_specification_has_them() {
        let mut codec = Codec::new(CompressionKind::None, None).unwrap();
        let (mut bits, mut out) = (BitRle::default(), Vec::new());
        bits.push(true);
        bits.push_buffer(&BooleanBuffer::new_unset(7));
        bits.finish(&mut codec, &mut out).unwrap();
        assert_eq!(out, [0xff, 0x80]);
    }

    #[test]
    fn a_buffer_at_any_offset_is_its_bits_one_by_one() {
        let mut codec = Codec::new(CompressionKind::None, None).unwrap();
        let source: BooleanBuffer = (0..300).map(|i| i % 3 == 0 || i % 7 == 2).collect();
        for (before, from, length) in [(0, 0, 300), (3, 5, 131), (7, 64, 64), (5, 1, 2)] {
            let slice = source.slice(from, length);
            let (mut at_once, mut one_by_one) = (BitRle::default(), BitRle::default());
            at_once.push_ones(before);
            at_once.push_buffer(&slice);
            (0..before).for_each(|_| one_by_one.push(true));
            slice.iter().for_each(|bit| one_by_one.push(bit));
            let (mut a, mut b) = (Vec::new(), Vec::new());
            at_once.finish(&mut codec, &mut a).unwrap();
            one_by_one.finish(&mut codec, &mut b).unwrap();
            assert_eq!(a, b);
        }
    }
}
