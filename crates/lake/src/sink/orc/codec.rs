//! ORC's compression: blocks of at most 256 KiB, each with a header of three bytes
//! (ORC specification v1, "Compression").

use flate2::{Compress, FlushCompress, Status};
use orc_rust::proto::CompressionKind;

use super::error::Result;

/// The most bytes of a block before compression: the specification's default.
pub(super) const BLOCK: usize = 256 * 1024;

/// A compressor of blocks, with what it may use again for the next one.
pub(super) struct Codec {
    method: Method,
    scratch: Vec<u8>,
}

enum Method {
    None,
    Zlib(Box<Compress>),
    Snappy(Box<snap::raw::Encoder>),
    Lz4,
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl Codec {
    /// A compressor of this kind; LZO, for which there is none, is written as no compression. Zlib (0 to 9)
    /// and zstd (1 to 19) have levels: without one, 6 and 1.
    pub(super) fn new(kind: CompressionKind, level: Option<u32>) -> Result<Self> {
        let method = match kind {
            CompressionKind::None | CompressionKind::Lzo => Method::None,
            // Raw deflate, without zlib's header.
            CompressionKind::Zlib => Method::Zlib(Box::new(Compress::new(
                level.map_or_else(flate2::Compression::default, flate2::Compression::new),
                false,
            ))),
            CompressionKind::Snappy => Method::Snappy(Box::new(snap::raw::Encoder::new())),
            CompressionKind::Lz4 => Method::Lz4,
            CompressionKind::Zstd => {
                let level = level.and_then(|l| i32::try_from(l).ok()).unwrap_or(1);
                Method::Zstd(Box::new(zstd::bulk::Compressor::new(level)?))
            }
        };
        Ok(Codec {
            method,
            scratch: Vec::new(),
        })
    }

    /// What the file's postscript calls it.
    pub(super) fn kind(&self) -> CompressionKind {
        match self.method {
            Method::None => CompressionKind::None,
            Method::Zlib(_) => CompressionKind::Zlib,
            Method::Snappy(_) => CompressionKind::Snappy,
            Method::Lz4 => CompressionKind::Lz4,
            Method::Zstd(_) => CompressionKind::Zstd,
        }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.method, Method::None)
    }

    /// Adds `bytes` to `out`: as they are without compression, else as blocks with their headers.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if self.is_none() {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        for block in bytes.chunks(BLOCK) {
            let packed = self.compress(block)?;
            let (stored, is_original) = match self.scratch.get(..packed) {
                Some(packed) if packed.len() < block.len() => (packed, 0),
                _ => (block, 1),
            };
            // At most 256 KiB: within the 23 bits of the header's length.
            let header = ((stored.len() as u32) << 1) | is_original;
            let [low, middle, high, _] = header.to_le_bytes();
            out.extend_from_slice(&[low, middle, high]);
            out.extend_from_slice(stored);
        }
        Ok(())
    }

    /// Compresses a block into the scratch: how long it got, or more than the block when it did not shrink.
    fn compress(&mut self, block: &[u8]) -> Result<usize> {
        let room = match &self.method {
            Method::Lz4 => lz4_flex::block::get_maximum_output_size(block.len()),
            Method::Snappy(_) => snap::raw::max_compress_len(block.len()),
            // More room is no use: what does not shrink is stored as it is.
            Method::None | Method::Zlib(_) => block.len(),
            Method::Zstd(_) => zstd::zstd_safe::compress_bound(block.len()),
        };
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        let scratch = self.scratch.as_mut_slice();
        let other = std::io::Error::other::<Box<dyn std::error::Error + Send + Sync>>;
        Ok(match &mut self.method {
            Method::None => usize::MAX,
            Method::Zlib(deflate) => {
                deflate.reset();
                let status = deflate
                    .compress(block, scratch, FlushCompress::Finish)
                    .map_err(|e| other(e.into()))?;
                match status {
                    Status::StreamEnd => usize::try_from(deflate.total_out()).unwrap_or(usize::MAX),
                    Status::Ok | Status::BufError => usize::MAX,
                }
            }
            Method::Snappy(encoder) => encoder
                .compress(block, scratch)
                .map_err(|e| other(e.into()))?,
            Method::Lz4 => {
                lz4_flex::block::compress_into(block, scratch).map_err(|e| other(e.into()))?
            }
            Method::Zstd(compressor) => compressor.compress_to_buffer(block, scratch)?,
        })
    }
}
