//! Holds Avro's blocks to what they can be, before a decoder believes them.
//!
//! "Object container files" (Apache Avro specification): a header of metadata and a sync marker, then blocks
//! of a count of records, a count of bytes, the bytes, and the marker.

use std::io::{self, BufRead, BufReader, Read};

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
    /// Bytes that are handed on without a look.
    passing: u64,
    codec: Option<Vec<u8>>,
    /// Whether blocks are decompressed to see how much comes out of them.
    thorough: bool,
    empty: u64,
}

fn bad(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

impl<R: Read> AvroGate<R> {
    pub(super) fn new(reader: R, thorough: bool) -> Self {
        AvroGate {
            inner: BufReader::with_capacity(256 * 1024, reader),
            pending: Vec::new(),
            at: 0,
            passing: 0,
            codec: None,
            thorough,
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
        let mut codec = b"null".to_vec();
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
                let key = self.text()?;
                let value = self.text()?;
                if key == b"avro.codec" {
                    codec = value;
                }
                if self.pending.len() as u64 > MAX_HEADER {
                    return Err(bad("the header of the Avro file is longer than 16 MiB"));
                }
            }
        }
        self.take(16)?;
        self.codec = Some(codec);
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
        let plain = self.codec.as_deref() == Some(b"null");
        if !plain && !self.thorough {
            self.passing = bytes + 16;
            return Ok(());
        }
        let length = if plain {
            self.passing = bytes;
            bytes
        } else {
            let from = self.take(bytes)?;
            decompressed(
                self.codec.as_deref().unwrap_or_default(),
                &self.pending[from..],
            )?
        };
        self.passing += 16;
        self.empty = self.empty.saturating_add(records.saturating_sub(length));
        if self.empty > MAX_EMPTY {
            return Err(bad(format!(
                "a block of the Avro file says it has {records} records in {length} bytes"
            )));
        }
        Ok(())
    }
}

/// How many bytes come out of a block.
fn decompressed(codec: &[u8], block: &[u8]) -> io::Result<u64> {
    let reader: Box<dyn Read + '_> = match codec {
        b"deflate" => Box::new(flate2::read::DeflateDecoder::new(block)),
        b"zstandard" => Box::new(zstd::stream::read::Decoder::with_buffer(block)?),
        b"bzip2" => Box::new(bzip2::read::MultiBzDecoder::new(block)),
        b"xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(block)),
        b"snappy" => {
            // The block's length stands at its beginning, a checksum at its end.
            let length = snap::raw::decompress_len(block).map_err(io::Error::other)? as u64;
            return plausible(length, block.len() as u64).map(|()| length);
        }
        // A codec that is none the decoder itself names.
        _ => return Ok(u64::MAX),
    };
    let length = io::copy(&mut reader.take(MAX_PLAIN + 1), &mut io::sink())?;
    plausible(length, block.len() as u64).map(|()| length)
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
            if self.passing > 0 {
                let most = usize::try_from(self.passing).unwrap_or(usize::MAX);
                let most = most.min(buffer.len());
                let count = self.inner.read(&mut buffer[..most])?;
                if count == 0 && most > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.passing -= count as u64;
                return Ok(count);
            }
            if self.inner.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.codec {
                None => self.header()?,
                Some(_) => self.block()?,
            }
        }
    }
}
