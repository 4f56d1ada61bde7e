//! The text between records, taken out and given back.

use std::io::{self, Read};

use super::Records;

/// Where a text begins in its stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::format::json) struct Place {
    /// Its first line, from 1.
    line: u64,
    /// Where that line begins, relative to the text.
    line_start: isize,
}

impl Place {
    /// Where the text behind this one begins, which ends with a line.
    pub(in crate::format::json) fn behind(self, text: &[u8]) -> Place {
        Place {
            line: self.line + memchr::memchr_iter(b'\n', text).count() as u64,
            line_start: 0,
        }
    }
}

impl Records<io::Empty> {
    /// The records of a text, which has no path to them.
    pub(in crate::format::json) fn of_text(text: Vec<u8>, place: Place) -> Self {
        let mut records = Records::new(io::empty());
        records.eof = true;
        records.give_back(text, place);
        records
    }

    /// All of the text, however far it was read.
    pub(in crate::format::json) fn into_text(self) -> Vec<u8> {
        // Nothing was ever read behind it, for which what is done with would have been dropped.
        self.buffer
    }
}

impl<R: Read> Records<R> {
    /// Whether the position is between two documents, of which each object is a record.
    pub(in crate::format::json) fn is_between(&self) -> bool {
        self.steps.is_empty() && self.frames.is_empty()
    }

    /// Where the text from the current position on begins.
    pub(in crate::format::json) fn place(&self) -> Place {
        let start = isize::try_from(self.start).unwrap_or(isize::MAX);
        Place {
            line: self.line,
            line_start: self.line_start.saturating_sub(start),
        }
    }

    /// Takes text from the current position on until `into` holds so many bytes, or there is no more. Why
    /// there is none is told when records are read again.
    pub(in crate::format::json) fn take_text(&mut self, into: &mut Vec<u8>, wanted: usize) {
        let short = |into: &Vec<u8>| wanted.saturating_sub(into.len());
        let held = short(into).min(self.end - self.start);
        into.extend_from_slice(&self.buffer[self.start..self.start + held]);
        self.start += held;
        let missing = short(into);
        if missing == 0 || self.eof || self.failed.is_some() {
            return;
        }
        let mut more = self.reader.by_ref().take(missing as u64);
        match more.read_to_end(into) {
            Ok(count) => self.eof = count < missing,
            Err(error) => self.failed = Some(error),
        }
    }

    /// Gives text back that was taken from here, and that begins there.
    pub(in crate::format::json) fn give_back(&mut self, text: Vec<u8>, place: Place) {
        let mut text = text;
        text.extend_from_slice(&self.buffer[self.start..self.end]);
        self.end = text.len();
        self.buffer = text;
        self.start = 0;
        (self.line, self.line_start) = (place.line, place.line_start);
        self.last = (0, self.line, self.line_start);
    }
}
