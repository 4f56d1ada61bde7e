//! Run lengths of integers, version 2 (ORC specification v1, "Integer Run Length Encoding, version 2"):
//! SHORT_REPEAT, DELTA and DIRECT. PATCHED_BASE is never written; it only saves room beside outliers.

use super::codec::Codec;
use super::error::Result;
use super::stream::OutStream;

/// The most values of a run. Values are encoded in windows of as many.
const WINDOW: usize = 512;
/// The fewest equal values that make a run of their own.
const SHORTEST_REPEAT: usize = 3;
/// The most values of a SHORT_REPEAT.
const LONGEST_SHORT_REPEAT: usize = 10;
/// Fewer equal values than this do not end the literals that they stand among: two more headers cost
/// more than they save.
const WORTH_A_BREAK: usize = 8;

const DIRECT: u16 = 1 << 14;
const DELTA: u16 = 3 << 14;

/// A stream of integers as run lengths.
pub(super) struct IntRle {
    signed: bool,
    pending: Vec<i64>,
    out: OutStream,
}

impl IntRle {
    /// A stream of values of both signs.
    pub(super) fn signed() -> Self {
        IntRle {
            signed: true,
            pending: Vec::new(),
            out: OutStream::default(),
        }
    }

    /// A stream of values that are never negative.
    pub(super) fn unsigned() -> Self {
        IntRle {
            signed: false,
            ..IntRle::signed()
        }
    }

    pub(super) fn push(&mut self, value: i64) {
        self.pending.push(value);
        if self.pending.len() >= WINDOW {
            self.encode_pending();
        }
    }

    pub(super) fn push_slice(&mut self, mut values: &[i64]) {
        if !self.pending.is_empty() {
            let (head, rest) = values.split_at(values.len().min(WINDOW - self.pending.len()));
            self.pending.extend_from_slice(head);
            values = rest;
            if self.pending.len() < WINDOW {
                return;
            }
            self.encode_pending();
        }
        let mut windows = values.chunks_exact(WINDOW);
        for window in &mut windows {
            encode(window, self.signed, self.out.raw());
        }
        self.pending.extend_from_slice(windows.remainder());
    }

    fn encode_pending(&mut self) {
        encode(&self.pending, self.signed, self.out.raw());
        self.pending.clear();
    }

    pub(super) fn spill(&mut self, codec: &mut Codec) -> Result<()> {
        self.out.spill(codec)
    }

    pub(super) fn finish(&mut self, codec: &mut Codec, out: &mut Vec<u8>) -> Result<u64> {
        self.encode_pending();
        self.pending = Vec::new();
        self.out.finish(codec, out)
    }

    pub(super) fn size(&self) -> usize {
        self.out.size() + self.pending.len() * 2
    }

    pub(super) fn memory(&self) -> usize {
        self.out.memory() + self.pending.capacity() * size_of::<i64>()
    }
}

/// Zigzag: small for small values of either sign.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn plain(value: i64, signed: bool) -> u64 {
    if signed { zigzag(value) } else { value as u64 }
}

/// A varint of base 128, as in Protocol Buffers.
pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A signed varint of base 128, of 128 bits.
pub(super) fn write_wide_varint(value: i128, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 127)) as u128;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// How many bytes [`write_varint`] takes.
fn varint_length(value: u64) -> usize {
    (bits(value).max(1) as usize).div_ceil(7)
}

fn bits(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// The least width, of those that are not deprecated, that holds so many bits, and its code.
fn width(bits: u32) -> (usize, u16) {
    match bits {
        0 | 1 => (1, 0),
        2 => (2, 1),
        3 | 4 => (4, 3),
        5..=8 => (8, 7),
        9..=16 => (16, 15),
        17..=24 => (24, 23),
        25..=32 => (32, 27),
        33..=40 => (40, 28),
        41..=48 => (48, 29),
        49..=56 => (56, 30),
        _ => (64, 31),
    }
}

/// The same for the differences of DELTA, where code 0 stands for a width of none.
fn delta_width(bits: u32) -> (usize, u16) {
    width(bits.max(2))
}

/// How many values at the front are equal.
fn run(values: &[i64]) -> usize {
    match values {
        [first, rest @ ..] => 1 + rest.iter().take_while(|v| *v == first).count(),
        [] => 0,
    }
}

/// Encodes at most [`WINDOW`] values.
fn encode(values: &[i64], signed: bool, out: &mut Vec<u8>) {
    let mut rest = values;
    while let [first, ..] = rest {
        let repeated = run(rest);
        if repeated >= WORTH_A_BREAK || (repeated >= SHORTEST_REPEAT && repeated == rest.len()) {
            write_repeat(*first, repeated, signed, out);
            rest = rest.get(repeated..).unwrap_or_default();
            continue;
        }
        let mut end = repeated;
        loop {
            let next = run(rest.get(end..).unwrap_or_default());
            if next == 0 || next >= WORTH_A_BREAK {
                break;
            }
            end += next;
        }
        let (literals, after) = rest.split_at(end);
        write_literals(literals, signed, out);
        rest = after;
    }
}

/// One value, 3 to 512 times.
fn write_repeat(value: i64, times: usize, signed: bool, out: &mut Vec<u8>) {
    let value = plain(value, signed);
    if times > LONGEST_SHORT_REPEAT {
        write_header(DELTA, 0, times, out);
        write_varint(value, out);
        out.push(0);
        return;
    }
    let bytes = (bits(value).max(1) as usize).div_ceil(8);
    // Both are below eight.
    out.push(((bytes - 1) << 3 | (times - SHORTEST_REPEAT)) as u8);
    write_big_endian(value, bytes, out);
}

fn write_header(kind: u16, width_code: u16, length: usize, out: &mut Vec<u8>) {
    // At most 512 values: nine bits.
    let header = kind | width_code << 9 | (length - 1) as u16;
    out.extend_from_slice(&header.to_be_bytes());
}

fn write_big_endian(value: u64, bytes: usize, out: &mut Vec<u8>) {
    out.extend(value.to_be_bytes().into_iter().skip(8 - bytes));
}

/// Values of which no long run is equal, by what takes the least room.
fn write_literals(values: &[i64], signed: bool, out: &mut Vec<u8>) {
    let all = values
        .iter()
        .fold(0, |all, value| all | plain(*value, signed));
    let (width, code) = width(bits(all));
    let direct = 2 + (values.len() * width).div_ceil(8);
    if let Some(delta) = Delta::of(values, signed)
        && delta.size < direct
    {
        delta.write(values, signed, out);
        return;
    }
    write_header(DIRECT, code, values.len(), out);
    pack(values.iter().map(|v| plain(*v, signed)), width, out);
}

/// How values that only rise, or only fall, are written by their differences.
struct Delta {
    /// Values at the front that equal the one after them. DELTA takes its direction from the first
    /// difference, which therefore must not be 0: they are written before it.
    leading: usize,
    /// The bits of a difference after the first, and their code; none when all are like the first.
    width: Option<(usize, u16)>,
    /// The bytes that it takes.
    size: usize,
}

impl Delta {
    fn of(values: &[i64], signed: bool) -> Option<Self> {
        let leading = run(values).saturating_sub(1);
        let moving = values.get(leading..)?;
        let [base, second, ..] = moving else {
            return None;
        };
        let last = moving.last()?;
        // Where the ends' difference is no overflow, none between them is.
        last.checked_sub(*base)?;
        let rising = moving.is_sorted();
        if !rising && !moving.is_sorted_by(|a, b| a >= b) {
            return None;
        }
        let first = second - base;
        let differences = moving.windows(2).map(|pair| match pair {
            [a, b] => (b - a).unsigned_abs(),
            _ => 0,
        });
        let (mut all, mut same) = (0, true);
        for difference in differences.skip(1) {
            all |= difference;
            same &= difference == first.unsigned_abs();
        }
        let width = (!same).then(|| delta_width(bits(all)));
        let before = match leading {
            0 => 0,
            // A short repeat takes no more than this.
            _ => 2 + leading.min(2) * varint_length(plain(*base, signed)).min(8),
        };
        let size = before
            + 2
            + varint_length(plain(*base, signed))
            + varint_length(zigzag(first))
            + ((moving.len() - 2) * width.map_or(0, |(width, _)| width)).div_ceil(8);
        Some(Delta {
            leading,
            width,
            size,
        })
    }

    fn write(&self, values: &[i64], signed: bool, out: &mut Vec<u8>) {
        let (leading, moving) = values.split_at(self.leading);
        let [base, second, ..] = moving else {
            return;
        };
        match leading {
            [] => {}
            [first, ..] if leading.len() >= SHORTEST_REPEAT => {
                write_repeat(*first, leading.len(), signed, out);
            }
            [first, ..] => {
                let (width, code) = width(bits(plain(*first, signed)));
                write_header(DIRECT, code, leading.len(), out);
                pack(leading.iter().map(|v| plain(*v, signed)), width, out);
            }
        }
        let (width, code) = self.width.unwrap_or((0, 0));
        write_header(DELTA, code, moving.len(), out);
        write_varint(plain(*base, signed), out);
        write_varint(zigzag(second - base), out);
        if width > 0 {
            let differences = moving.windows(2).skip(1).map(|pair| match pair {
                [a, b] => (b - a).unsigned_abs(),
                _ => 0,
            });
            pack(differences, width, out);
        }
    }
}

/// Values of so many bits each, one after the other, the highest bit first; the last byte is filled up.
fn pack(values: impl Iterator<Item = u64>, width: usize, out: &mut Vec<u8>) {
    match width {
        8 => out.extend(values.map(|value| value as u8)),
        64 => values.for_each(|value| out.extend_from_slice(&value.to_be_bytes())),
        32 => values.for_each(|value| out.extend_from_slice(&(value as u32).to_be_bytes())),
        16 => values.for_each(|value| out.extend_from_slice(&(value as u16).to_be_bytes())),
        9.. => values.for_each(|value| write_big_endian(value, width / 8, out)),
        _ => {
            // 1, 2 or 4 bits: they never straddle bytes.
            let (mut byte, mut filled) = (0_u8, 0);
            for value in values {
                byte = byte << width | value as u8;
                filled += width;
                if filled == 8 {
                    out.push(byte);
                    (byte, filled) = (0, 0);
                }
            }
            if filled > 0 {
                out.push(byte << (8 - filled));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[i64], signed: bool) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, signed, &mut out);
        out
    }

    /// The example of the ORC specification v1, "Short Repeat".
    #[test]
    fn a_short_repeat_is_as_the_specification_has_it() {
        assert_eq!(encoded(&[10000; 5], false), [0x0a, 0x27, 0x10]);
    }

    /// The example of the ORC specification v1, "Direct".
    #[test]
    fn direct_is_as_the_specification_has_it() {
        assert_eq!(
            encoded(&[23713, 43806, 57005, 48879], false),
            [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef]
        );
    }

    /// The example of the ORC specification v1, "Delta".
    #[test]
    fn delta_is_as_the_specification_has_it() {
        assert_eq!(
            encoded(&[2, 3, 5, 7, 11, 13, 17, 19, 23, 29], false),
            [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46]
        );
    }

    /// The examples of the ORC specification v1, "Base 128 Varint".
    #[test]
    fn varints_are_as_the_specification_has_them() {
        let of = |value| {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            assert_eq!(out.len(), varint_length(value));
            out
        };
        assert_eq!(of(0), [0]);
        assert_eq!(of(127), [0x7f]);
        assert_eq!(of(128), [0x80, 0x01]);
        assert_eq!(of(16_383), [0xff, 0x7f]);
        assert_eq!(of(16_384), [0x80, 0x80, 0x01]);
        assert_eq!([0, -1, 1, -2, 2].map(zigzag), [0, 1, 2, 3, 4]);
        assert_eq!(of(u64::MAX).len(), 10);
        let mut wide = Vec::new();
        write_wide_varint(i128::MIN, &mut wide);
        assert_eq!(wide.len(), 19);
    }

    #[test]
    fn values_without_differences_that_fit_are_direct() {
        // Their difference is more than 64 bits of a signed number hold.
        let far = encoded(&[i64::MIN, i64::MAX], true);
        assert_eq!(far[0], 0x7e);
        assert_eq!(far.len(), 18);
    }

    #[test]
    fn sorted_values_that_begin_with_equal_ones_are_still_deltas() {
        // Two of them in front as DIRECT of 16 bits (0x5e, length 2), then DELTA of 2 bits (0xc2).
        let mut values = vec![10_000, 10_000];
        values.extend(10_000..10_200);
        values.push(10_202);
        let out = encoded(&values, false);
        assert_eq!(out[..6], [0x5e, 0x01, 0x27, 0x10, 0x27, 0x10]);
        assert_eq!(out[6] & 0xfe, 0xc2);
        assert!(out.len() < 70, "{}", out.len());
    }

    #[test]
    fn a_long_repeat_is_a_delta_of_nothing() {
        // What the Java and C++ writers write too: DELTA, width 0, 512 values, base 7, delta 0.
        assert_eq!(encoded(&[7; 512], false), [0xc1, 0xff, 0x07, 0x00]);
    }
}
