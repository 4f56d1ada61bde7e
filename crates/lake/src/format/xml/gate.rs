//! What an XML text is read through: it bounds what a record may take, and knows lines.

use std::io::{self, Read};

use crate::format::BadRecord;

/// How many bytes a record, or anything between two, may have.
const MAX_RECORD: u64 = 64 << 20;

/// The error of a record that takes more.
pub(super) const TOO_LONG: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// Lets no more bytes through than one record may have.
pub(super) struct Gate<R> {
    inner: R,
    left: u64,
    seen: Option<Seen>,
}

/// What was read last, kept to show a record and its line.
#[derive(Default)]
struct Seen {
    /// The bytes that were read last, and where they begin in the text.
    chunk: Vec<u8>,
    base: usize,
    /// How far lines are counted in the chunk, and the line there, less one.
    counted: usize,
    lines: u64,
    /// The beginning of the record that was marked.
    shown: Vec<u8>,
}

impl<R> Gate<R> {
    /// A gate that shows records and their lines where it `keeps` them.
    pub(super) fn new(inner: R, keeps: bool) -> Self {
        Gate {
            inner,
            left: MAX_RECORD,
            seen: keeps.then(Seen::default),
        }
    }

    pub(super) fn spend(&mut self, bytes: u64) -> io::Result<()> {
        self.left = self.left.saturating_sub(bytes);
        if self.left > 0 {
            return Ok(());
        }
        Err(io::Error::new(
            TOO_LONG,
            "an element is longer than 64 MiB, or has more than a million others within, and is not read",
        ))
    }

    /// As many bytes again may be read.
    pub(super) fn refill(&mut self) {
        self.left = MAX_RECORD;
    }

    /// Notes that a record may begin at this byte of the text; the line it is in.
    pub(super) fn mark(&mut self, position: usize) -> Option<u64> {
        let seen = self.seen.as_mut()?;
        let at = position.saturating_sub(seen.base).min(seen.chunk.len());
        seen.count(at);
        let rest = seen.chunk.get(at..).unwrap_or_default();
        seen.shown.clear();
        seen.shown
            .extend_from_slice(&rest[..rest.len().min(BadRecord::SHOWN)]);
        Some(seen.lines + 1)
    }

    /// The beginning of the record that was marked, of which `length` bytes were read.
    pub(super) fn shown(&self, length: usize) -> &[u8] {
        let shown = self.seen.as_ref().map_or(&[][..], |seen| &seen.shown);
        &shown[..shown.len().min(length)]
    }
}

impl Seen {
    fn count(&mut self, to: usize) {
        if let Some(passed) = self.chunk.get(self.counted..to) {
            self.lines += memchr::memchr_iter(b'\n', passed).count() as u64;
            self.counted = to;
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.count(self.chunk.len());
        self.base += self.chunk.len();
        self.counted = 0;
        self.chunk.clear();
        self.chunk.extend_from_slice(bytes);
        let room = BadRecord::SHOWN.saturating_sub(self.shown.len());
        self.shown
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl<R: Read> Read for Gate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Nothing that was read is lost: reading can go on behind what was too long.
        self.spend(0)?;
        let count = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        if let Some(seen) = &mut self.seen {
            seen.read(&buffer[..count]);
        }
        Ok(count)
    }
}
