//! Compression around a text file.

use std::io::{self, Write};

use super::super::options::OutputCompression;

/// Takes in a file's text and gives its bytes, compressed.
pub(super) struct Compressor {
    kind: Kind,
    taken_in: u64,
    /// What the compression itself keeps in memory, about.
    state: usize,
}

enum Kind {
    None(Vec<u8>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Bzip2(bzip2::write::BzEncoder<Vec<u8>>),
    Xz(liblzma::write::XzEncoder<Vec<u8>>),
    Snappy(Box<snap::write::FrameEncoder<Vec<u8>>>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
}

/// The usual levels: each program's own, but xz's, whose 6 takes 94 MiB for each open file.
const GZIP: u32 = 6;
const BZIP2: u32 = 9;
const XZ: u32 = 3;

impl Compressor {
    pub(super) fn new(compression: OutputCompression, level: Option<u32>) -> io::Result<Self> {
        let buffer = Vec::new();
        let kind = match compression {
            OutputCompression::Gzip => {
                let level = flate2::Compression::new(level.unwrap_or(GZIP));
                Kind::Gzip(flate2::write::GzEncoder::new(buffer, level))
            }
            OutputCompression::Zstd => {
                // 0 stands for the library's own level, which is 3.
                let level = level.and_then(|l| i32::try_from(l).ok()).unwrap_or(0);
                Kind::Zstd(zstd::stream::write::Encoder::new(buffer, level)?)
            }
            OutputCompression::Bzip2 => {
                let level = bzip2::Compression::new(level.unwrap_or(BZIP2));
                Kind::Bzip2(bzip2::write::BzEncoder::new(buffer, level))
            }
            OutputCompression::Xz => {
                Kind::Xz(liblzma::write::XzEncoder::new(buffer, level.unwrap_or(XZ)))
            }
            OutputCompression::Snappy => {
                Kind::Snappy(Box::new(snap::write::FrameEncoder::new(buffer)))
            }
            OutputCompression::Lz4 => {
                Kind::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(buffer)))
            }
            // Brotli is Parquet's only; options with it around text are refused.
            OutputCompression::None | OutputCompression::Brotli => Kind::None(buffer),
        };
        Ok(Compressor {
            kind,
            taken_in: 0,
            state: state(compression, level),
        })
    }

    /// How many bytes were taken in.
    pub(super) fn taken_in(&self) -> u64 {
        self.taken_in
    }

    /// What it holds in memory, about.
    pub(super) fn memory(&self) -> usize {
        self.ready() + self.state
    }

    pub(super) fn ready(&self) -> usize {
        match &self.kind {
            Kind::None(buffer) => buffer.len(),
            Kind::Gzip(encoder) => encoder.get_ref().len(),
            Kind::Zstd(encoder) => encoder.get_ref().len(),
            Kind::Bzip2(encoder) => encoder.get_ref().len(),
            Kind::Xz(encoder) => encoder.get_ref().len(),
            Kind::Snappy(encoder) => encoder.get_ref().len(),
            Kind::Lz4(encoder) => encoder.get_ref().len(),
        }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(match &mut self.kind {
            Kind::None(buffer) => buffer,
            Kind::Gzip(encoder) => encoder.get_mut(),
            Kind::Zstd(encoder) => encoder.get_mut(),
            Kind::Bzip2(encoder) => encoder.get_mut(),
            Kind::Xz(encoder) => encoder.get_mut(),
            Kind::Snappy(encoder) => encoder.get_mut(),
            Kind::Lz4(encoder) => encoder.get_mut(),
        })
    }

    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self.kind {
            Kind::None(buffer) => Ok(buffer),
            Kind::Gzip(encoder) => encoder.finish(),
            Kind::Zstd(encoder) => encoder.finish(),
            Kind::Bzip2(encoder) => encoder.finish(),
            Kind::Xz(encoder) => encoder.finish(),
            Kind::Snappy(encoder) => encoder
                .into_inner()
                .map_err(snap::write::IntoInnerError::into_error),
            Kind::Lz4(encoder) => encoder.finish().map_err(io::Error::other),
        }
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.kind {
            Kind::None(buffer) => buffer.write(bytes),
            Kind::Gzip(encoder) => encoder.write(bytes),
            Kind::Zstd(encoder) => encoder.write(bytes),
            Kind::Bzip2(encoder) => encoder.write(bytes),
            Kind::Xz(encoder) => encoder.write(bytes),
            Kind::Snappy(encoder) => encoder.write(bytes),
            Kind::Lz4(encoder) => encoder.write(bytes),
        }?;
        self.taken_in += written as u64;
        Ok(written)
    }

    // The CSV writer flushes after each batch. Passed on, that would end a compressed block each
    // time, and cost much of the compression.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a compression keeps in memory, about, by its own documentation: xz(1) and bzip2(1) have tables,
/// zlib's `zconf.h` has a formula; zstd's is `ZSTD_estimateCStreamSize` rounded up.
fn state(compression: OutputCompression, level: Option<u32>) -> usize {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    match compression {
        OutputCompression::None | OutputCompression::Brotli => 0,
        OutputCompression::Gzip => 268 * KIB,
        OutputCompression::Snappy => 256 * KIB,
        OutputCompression::Lz4 => 256 * KIB,
        OutputCompression::Bzip2 => {
            400 * KIB + 800 * KIB * usize::try_from(level.unwrap_or(BZIP2)).unwrap_or(9)
        }
        OutputCompression::Zstd => match level.unwrap_or(3) {
            0..=4 => 4 * MIB,
            5..=9 => 12 * MIB,
            10..=15 => 32 * MIB,
            _ => 96 * MIB,
        },
        OutputCompression::Xz => match level.unwrap_or(XZ) {
            0 => 3 * MIB,
            1 => 9 * MIB,
            2 => 17 * MIB,
            3 => 32 * MIB,
            4 => 48 * MIB,
            _ => 94 * MIB,
        },
    }
}
