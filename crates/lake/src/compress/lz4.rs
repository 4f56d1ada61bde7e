//! LZ4 frames, one after another.

use std::io::{self, BufRead, Read};

use lz4_flex::frame::FrameDecoder;

/// Remembers the last bytes read: how a frame ended is not told by its decoder.
struct Tail<R> {
    inner: R,
    last: [u8; 8],
}

impl<R: BufRead> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count >= 8 {
            self.last.copy_from_slice(&buffer[count - 8..count]);
        } else {
            self.last.copy_within(count.., 0);
            self.last[8 - count..].copy_from_slice(&buffer[..count]);
        }
        Ok(count)
    }
}

/// The contents of all frames of a file.
pub(super) struct Frames<R: BufRead> {
    decoder: FrameDecoder<Tail<R>>,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(raw: R) -> Self {
        Frames {
            decoder: FrameDecoder::new(Tail {
                inner: raw,
                last: [0; 8],
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
            let tail = self.decoder.get_mut();
            if !tail.inner.fill_buf()?.is_empty() {
                // The next frame.
                continue;
            }
            // A frame ends in a block length of zero, which a checksum may follow ("LZ4 Frame Format
            // Description"). The decoder takes a missing one for an end as well.
            let ended = tail.last[..4] == [0; 4] || tail.last[4..] == [0; 4];
            return if ended {
                Ok(0)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
    }
}
