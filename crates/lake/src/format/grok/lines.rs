//! Lines of a text, one at a time.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::WINDOWS_1252;

/// A line may not be longer: 64 MiB without a line's end are no log.
const MAX_LINE: u64 = 64 << 20;

/// The error of a line that is too long.
pub(super) const TOO_LONG: io::ErrorKind = io::ErrorKind::FileTooLarge;

pub(super) struct Lines<R> {
    reader: BufReader<R>,
    bytes: Vec<u8>,
    number: u64,
    read: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Lines {
            reader: BufReader::with_capacity(256 * 1024, reader),
            bytes: Vec::new(),
            number: 0,
            read: 0,
        }
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes read so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Moves to the end of a line that is too long.
    pub(super) fn pass(&mut self) -> io::Result<()> {
        while !self.bytes.ends_with(b"\n") {
            self.bytes.clear();
            let mut reader = self.reader.by_ref().take(MAX_LINE);
            let count = reader.read_until(b'\n', &mut self.bytes)? as u64;
            if count == 0 {
                break;
            }
            self.read += count;
        }
        Ok(())
    }

    /// The line that was read last, or its beginning.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The next line that is not blank, without its end, and its number.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Cow<'_, str>)>> {
        loop {
            self.bytes.clear();
            let mut reader = self.reader.by_ref().take(MAX_LINE + 1);
            let count = reader.read_until(b'\n', &mut self.bytes)? as u64;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.read += count;
            if count > MAX_LINE {
                return Err(io::Error::new(
                    TOO_LONG,
                    "the line is longer than 64 MiB, and is not read",
                ));
            }
            if self.number == 1 && self.bytes.starts_with(b"\xef\xbb\xbf") {
                self.bytes.drain(..3);
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        Ok(Some((self.number, line(&self.bytes))))
    }
}

/// A line as text: UTF-8, or else Windows' Latin-1, for logs hold what clients sent.
pub(super) fn line(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}
