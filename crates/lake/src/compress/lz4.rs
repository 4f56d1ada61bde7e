//! LZ4 frames, one after another.

use std::io::{self, BufRead, Read};

use lz4_flex::frame::FrameDecoder;

/// What the next bytes of a frame are ("LZ4 Frame Format Description").
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// The magic number, the flags and the largest block's size.
    Start,
    /// The rest of the header, of which nothing is needed.
    Header,
    /// A block's length.
    Length,
    /// A block, and its checksum.
    Block,
    /// The checksum of the contents.
    Checksum,
}

/// Follows the frames that pass by: the decoder takes a missing end for an end.
struct Watched<R> {
    inner: R,
    part: Part,
    /// How many bytes the part lacks.
    left: u64,
    /// The bytes of the part, where they are few and matter.
    seen: Vec<u8>,
    flags: u8,
}

const START: u64 = 6;

impl<R> Watched<R> {
    fn watch(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = usize::try_from(self.left).unwrap_or(usize::MAX);
            let (part, rest) = bytes.split_at(count.min(bytes.len()));
            if matches!(self.part, Part::Start | Part::Length) {
                self.seen.extend_from_slice(part);
            }
            self.left -= part.len() as u64;
            bytes = rest;
            while self.left == 0 {
                self.turn();
            }
        }
    }

    /// A part is there as a whole.
    fn turn(&mut self) {
        let flag = |mask: u8, bytes: u64| u64::from(self.flags & mask != 0) * bytes;
        (self.part, self.left) = match self.part {
            Part::Start => {
                self.flags = self.seen.get(4).copied().unwrap_or_default();
                let flags = self.flags;
                let flag = |mask: u8, bytes: u64| u64::from(flags & mask != 0) * bytes;
                // The contents' size, the dictionary's id, the header's checksum.
                (Part::Header, flag(0x08, 8) + flag(0x01, 4) + 1)
            }
            Part::Header | Part::Block => (Part::Length, 4),
            Part::Length => {
                let length = self
                    .seen
                    .as_slice()
                    .try_into()
                    .map_or(0, u32::from_le_bytes);
                match length & 0x7fff_ffff {
                    0 => (Part::Checksum, flag(0x04, 4)),
                    length => (Part::Block, u64::from(length) + flag(0x10, 4)),
                }
            }
            Part::Checksum => (Part::Start, START),
        };
        self.seen.clear();
    }

    /// Whether no frame is open.
    fn ended(&self) -> bool {
        self.part == Part::Start && self.left == START
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.watch(&buffer[..count]);
        Ok(count)
    }
}

/// The contents of all frames of a file.
pub(super) struct Frames<R: BufRead> {
    decoder: FrameDecoder<Watched<R>>,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(raw: R) -> Self {
        Frames {
            decoder: FrameDecoder::new(Watched {
                inner: raw,
                part: Part::Start,
                left: START,
                seen: Vec::new(),
                flags: 0,
            }),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let watched = self.decoder.get_mut();
            if watched.inner.fill_buf()?.is_empty() {
                return if watched.ended() {
                    Ok(0)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
            // The next frame, or the next block of this one.
        }
    }
}
