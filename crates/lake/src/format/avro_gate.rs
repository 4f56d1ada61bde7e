//! Holds Avro's blocks to what they can be, before a decoder believes them.
//!
//! "Object container files" (Apache Avro specification): a header of metadata and a sync marker, then blocks
//! of a count of records, a count of bytes, the bytes, and the marker.
//!
//! What is handed on is the same file with its blocks decompressed, so that this is done once.

use std::io::{self, BufRead, BufReader, Read};

use super::avro_skip::{Skipper, Unfit};

/// How many bytes a block may have. Writers make blocks of 16 KiB to a few MiB.
const MAX_BLOCK: u64 = 64 << 20;
/// How many it may have decompressed, and from how many times its size on that counts.
const MAX_PLAIN: u64 = 1 << 30;
const HARMLESS: u64 = 64 << 20;
const RATIO: u64 = 500;
/// How many bytes the header may have: it holds a schema.
const MAX_HEADER: u64 = 16 << 20;
/// How many records of a file may be there without a byte of their own (all their fields null).
const MAX_EMPTY: u64 = 1 << 20;

/// Hands an Avro file on, as long as its blocks are plausible.
pub(super) struct AvroGate<R> {
    inner: BufReader<R>,
    /// Bytes that were looked at and are still to be handed on.
    pending: Vec<u8>,
    at: usize,
    /// What the header says, when it has been read.
    header: Option<Header>,
    empty: u64,
}

struct Header {
    codec: Codec,
    /// Nothing where the schema is none; the decoder says so then.
    skipper: Option<Skipper>,
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    None,
    Deflate,
    Zstandard,
    Bzip2,
    Xz,
    Snappy,
    /// One that the decoder is to name.
    Unknown,
}

impl Codec {
    fn of(name: &[u8]) -> Self {
        match name {
            b"null" | b"" => Codec::None,
            b"deflate" => Codec::Deflate,
            b"zstandard" => Codec::Zstandard,
            b"bzip2" => Codec::Bzip2,
            b"xz" => Codec::Xz,
            b"snappy" => Codec::Snappy,
            _ => Codec::Unknown,
        }
    }
}

fn bad(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

impl<R: Read> AvroGate<R> {
    pub(super) fn new(reader: R) -> Self {
        AvroGate {
            inner: BufReader::with_capacity(256 * 1024, reader),
            pending: Vec::new(),
            at: 0,
            header: None,
            empty: 0,
        }
    }

    /// Reads `count` bytes, which are handed on later.
    fn take(&mut self, count: u64) -> io::Result<usize> {
        let from = self.pending.len();
        let mut more = self.inner.by_ref().take(count);
        let read = more.read_to_end(&mut self.pending)? as u64;
        if read < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(from)
    }

    /// Avro's zigzag-coded integer of variable length.
    fn long(&mut self) -> io::Result<i64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let at = self.take(1)?;
            let byte = self.pending[at];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let half = i64::try_from(value >> 1).unwrap_or(i64::MAX);
                return Ok(if value & 1 == 1 { -half - 1 } else { half });
            }
        }
        Err(bad("a number of the Avro file is longer than 64 bits"))
    }

    fn text(&mut self) -> io::Result<Vec<u8>> {
        let length = self.long()?;
        let length = u64::try_from(length)
            .ok()
            .filter(|n| *n <= MAX_HEADER)
            .ok_or_else(|| {
                bad(format!(
                    "the header of the Avro file has {length} bytes of text"
                ))
            })?;
        let from = self.take(length)?;
        Ok(self.pending[from..].to_vec())
    }

    fn header(&mut self) -> io::Result<()> {
        self.take(4)?;
        let from = self.pending.len();
        let mut pairs = Vec::new();
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // A negative count is followed by the bytes of that piece of the map.
                self.long()?;
                count = count.saturating_neg();
            }
            if count == 0 {
                break;
            }
            for _ in 0..count {
                pairs.push((self.text()?, self.text()?));
                if self.pending.len() as u64 > MAX_HEADER {
                    return Err(bad("the header of the Avro file is longer than 16 MiB"));
                }
            }
        }
        let said = |wanted: &[u8]| {
            let found = pairs.iter().rev().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_slice()).unwrap_or_default()
        };
        let codec = Codec::of(said(b"avro.codec"));
        let skipper = Skipper::new(said(b"avro.schema"));
        if codec != Codec::Unknown {
            // The blocks are handed on decompressed.
            pairs.retain(|(key, _)| key != b"avro.codec");
            self.pending.truncate(from);
            if !pairs.is_empty() {
                put_long(&mut self.pending, pairs.len() as u64);
            }
            for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
                put_long(&mut self.pending, text.len() as u64);
                self.pending.extend_from_slice(text);
            }
            put_long(&mut self.pending, 0);
        }
        self.take(16)?;
        self.header = Some(Header { codec, skipper });
        Ok(())
    }

    fn block(&mut self) -> io::Result<()> {
        let (count, size) = (self.long()?, self.long()?);
        let (Ok(records), Ok(bytes)) = (u64::try_from(count), u64::try_from(size)) else {
            return Err(bad(format!(
                "a block of the Avro file says it has {count} records in {size} bytes"
            )));
        };
        if bytes > MAX_BLOCK {
            return Err(bad(format!(
                "a block of the Avro file says it has {bytes} bytes, and 64 MiB are read"
            )));
        }
        let codec = self.header.as_ref().map_or(Codec::Unknown, |h| h.codec);
        let mut from = self.take(bytes)?;
        if codec == Codec::Unknown {
            self.take(16)?;
            return Ok(());
        }
        if codec != Codec::None {
            let plain = decompressed(codec, &self.pending[from..])?;
            self.pending.clear();
            put_long(&mut self.pending, records);
            put_long(&mut self.pending, plain.len() as u64);
            from = self.pending.len();
            self.pending.extend_from_slice(&plain);
        }
        let plain = &self.pending[from..];
        let length = plain.len() as u64;
        let says =
            format!("a block of the Avro file says it has {records} records in {length} bytes");
        self.empty = self.empty.saturating_add(records.saturating_sub(length));
        if self.empty > MAX_EMPTY {
            return Err(bad(says));
        }
        let skipper = self.header.as_ref().and_then(|h| h.skipper.as_ref());
        match skipper.map_or(Ok(()), |skipper| skipper.measure(plain, records)) {
            Ok(()) => {}
            Err(Unfit::Damaged) => {
                return Err(bad(format!("{says}, which are not so many records")));
            }
            Err(Unfit::Short(at)) => {
                return Err(bad(format!("{says}, and they end after {at}")));
            }
        }
        self.take(16)?;
        Ok(())
    }
}

/// Adds a number that is not negative, as Avro writes it.
fn put_long(out: &mut Vec<u8>, number: u64) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        // The lowest seven bits, and a mark that more follow.
        out.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or_default());
}

/// What comes out of a block.
fn decompressed(codec: Codec, block: &[u8]) -> io::Result<Vec<u8>> {
    let stored = block.len() as u64;
    let reader: Box<dyn Read + '_> = match codec {
        Codec::Deflate => Box::new(flate2::read::DeflateDecoder::new(block)),
        Codec::Zstandard => Box::new(zstd::stream::read::Decoder::with_buffer(block)?),
        Codec::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(block)),
        Codec::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(block)),
        Codec::Snappy => {
            // The block's length stands at its beginning, the checksum of what comes out at its end.
            let Some((block, sum)) = block.split_last_chunk::<4>() else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let length = snap::raw::decompress_len(block).map_err(io::Error::other)?;
            plausible(length as u64, stored)?;
            let plain = snap::raw::Decoder::new().decompress_vec(block);
            let plain = plain.map_err(io::Error::other)?;
            let mut found = flate2::Crc::new();
            found.update(&plain);
            if found.sum() != u32::from_be_bytes(*sum) {
                return Err(bad("a block of the Avro file does not have its checksum"));
            }
            return Ok(plain);
        }
        Codec::None | Codec::Unknown => return Ok(block.to_vec()),
    };
    let mut plain = Vec::new();
    // In steps, so that a bomb is seen before it has filled the memory.
    let mut reader = reader.take(MAX_PLAIN + 1);
    loop {
        let step = HARMLESS + 1;
        let read = reader.by_ref().take(step).read_to_end(&mut plain)? as u64;
        plausible(plain.len() as u64, stored)?;
        if read < step {
            return Ok(plain);
        }
    }
}

fn plausible(length: u64, stored: u64) -> io::Result<()> {
    if length > MAX_PLAIN || (length > HARMLESS && length / RATIO > stored) {
        return Err(bad(format!(
            "a block of the Avro file is likely a decompression bomb: more than {} MiB come out of {stored} bytes",
            length >> 20
        )));
    }
    Ok(())
}

impl<R: Read> Read for AvroGate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.at < self.pending.len() {
                let count = buffer.len().min(self.pending.len() - self.at);
                buffer[..count].copy_from_slice(&self.pending[self.at..self.at + count]);
                self.at += count;
                return Ok(count);
            }
            self.pending.clear();
            self.at = 0;
            if self.inner.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.header {
                None => self.header()?,
                Some(_) => self.block()?,
            }
        }
    }
}
