//! Snappy without magic bytes: as Hadoop's codec writes it, and bare.

use std::io::{self, BufRead, Read};

use super::{Compression, invalid};

/// Hadoop's blocks are 256 KiB unless `io.compression.codec.snappy.buffersize` says otherwise.
const MAX_BLOCK: usize = 64 << 20;

/// Bare Snappy is one block, which is held in memory.
const MAX_WHOLE: u64 = 256 << 20;

/// The length that a bare block says its contents have.
fn told_length(block: &[u8]) -> Option<u64> {
    snap::raw::decompress_len(block).ok().map(|n| n as u64)
}

/// Whether a block of `compressed` bytes can hold `plain` bytes: Snappy writes 64 bytes in three at best,
/// and adds a sixth and 32 bytes at worst ("Snappy compressed format description").
fn plausible(compressed: u64, plain: u64) -> bool {
    compressed <= 32 + plain + plain / 6 && plain <= compressed.saturating_mul(22)
}

/// Which Snappy a file of `size` bytes is, going by the lengths at its beginning.
pub(super) fn without_magic(head: &[u8], size: u64) -> Compression {
    if let (Some(plain), Some(stored)) = (word(head, 0), word(head, 4))
        && let Some(told) = head.get(8..).and_then(told_length)
        && (1..=MAX_BLOCK as u64).contains(&plain)
        && stored > 0
        && stored + 8 <= size
        && told > 0
        && told <= plain
        && plausible(stored, told)
    {
        return Compression::HadoopSnappy;
    }
    match told_length(head) {
        Some(told)
            if told > 0
                && size <= MAX_WHOLE
                && plausible(size, told)
                && begins_with_literal(head, told) =>
        {
            Compression::RawSnappy
        }
        _ => Compression::None,
    }
}

/// Whether the first element behind a block's length is a literal, as it has to be, and of no more bytes
/// than the block.
fn begins_with_literal(block: &[u8], told: u64) -> bool {
    let length = block.iter().position(|byte| byte & 0x80 == 0);
    let Some(tag) = length.and_then(|last| block.get(last + 1)) else {
        return false;
    };
    let short = u64::from(tag >> 2) < told;
    // From 60 on the length itself follows.
    tag & 3 == 0 && (short || tag >> 2 >= 60)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u64::from(u32::from_be_bytes(bytes)))
}

/// Decompresses a bare block.
pub(super) fn whole(raw: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    raw.take(MAX_WHOLE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_WHOLE {
        return Err(invalid("a bare block of snappy is longer than 256 MiB"));
    }
    snap::raw::Decoder::new()
        .decompress_vec(&bytes)
        .map_err(|e| invalid(format!("the snappy block is bad: {e}")))
}

/// Reads Hadoop's blocks: the length of a block's contents, then chunks of Snappy, each behind its own
/// length, until the block is full.
pub(super) struct HadoopReader<R> {
    raw: R,
    /// What the current block still lacks.
    left: usize,
    stored: Vec<u8>,
    plain: Vec<u8>,
    at: usize,
}

impl<R: BufRead> HadoopReader<R> {
    pub(super) fn new(raw: R) -> Self {
        HadoopReader {
            raw,
            left: 0,
            stored: Vec::new(),
            plain: Vec::new(),
            at: 0,
        }
    }

    fn word(&mut self, what: &str) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.raw.read_exact(&mut bytes)?;
        usize::try_from(u32::from_be_bytes(bytes))
            .ok()
            .filter(|n| *n <= MAX_BLOCK)
            .ok_or_else(|| invalid(format!("a snappy {what} is longer than 64 MiB")))
    }

    /// Decompresses the next chunk; whether there was one.
    fn advance(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            if self.raw.fill_buf()?.is_empty() {
                return Ok(false);
            }
            // A block of no bytes is a stream that was flushed with nothing in it.
            self.left = self.word("block")?;
        }
        let length = self.word("chunk")?;
        self.stored.clear();
        let stored = &mut self.stored;
        self.raw.by_ref().take(length as u64).read_to_end(stored)?;
        if stored.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bad = |e: snap::Error| invalid(format!("a snappy chunk is bad: {e}"));
        let plain = snap::raw::decompress_len(stored).map_err(bad)?;
        if plain == 0 || plain > self.left {
            return Err(invalid("a snappy chunk does not fit its block"));
        }
        self.plain.resize(plain, 0);
        snap::raw::Decoder::new()
            .decompress(stored, &mut self.plain)
            .map_err(bad)?;
        self.left -= plain;
        self.at = 0;
        Ok(true)
    }
}

impl<R: BufRead> Read for HadoopReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.plain.len() && !self.advance()? {
            return Ok(0);
        }
        let count = buffer.len().min(self.plain.len() - self.at);
        buffer[..count].copy_from_slice(&self.plain[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
