//! Cuts a stream of JSON into records, whatever its layout: one a line, pretty-printed, one after
//! another, or all in one array.

use std::io::{self, Read};

/// One record's bytes may not be longer. A "record" that is longer is a file that is not closed.
const MAX_RECORD: usize = 512 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// What is wrong with a stream of records.
#[derive(Debug)]
pub(crate) enum Broken {
    Read(io::Error),
    Syntax {
        line: u64,
        column: u64,
        message: String,
        /// Whether more bytes might have made it right.
        cut: bool,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Between the records of a stream.
    Top,
    /// In an array, before its first element or after a comma.
    Before { first: bool },
    /// In an array, after an element.
    After,
}

/// The records of a stream, each with the line and column it begins at.
pub(crate) struct Records<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    line: u64,
    /// Where in the stream the current line begins, relative to the buffer's first byte.
    line_start: isize,
    eof: bool,
    state: State,
}

/// Where a record lies in the buffer.
pub(crate) struct Record<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Record<'_> {
    /// The line and column of byte `at` of this record.
    pub(crate) fn place(&self, at: usize) -> (u64, u64) {
        let before = &self.bytes[..at.min(self.bytes.len())];
        let lines = memchr::memchr_iter(b'\n', before).count() as u64;
        match memchr::memrchr(b'\n', before) {
            None => (self.line, self.column + before.len() as u64),
            Some(last) => (self.line + lines, (before.len() - last) as u64),
        }
    }
}

impl<R: Read> Records<R> {
    pub(crate) fn new(reader: R) -> Self {
        Records {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            line: 1,
            line_start: 0,
            eof: false,
            state: State::Top,
        }
    }

    fn fill(&mut self) -> Result<bool, Broken> {
        if self.eof {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line_start -= isize::try_from(self.start).unwrap_or(isize::MAX);
            self.start = 0;
        }
        // Growing with the record that does not fit keeps the copying linear.
        let wanted = CHUNK.max(self.buffer.len());
        let mut more = self.reader.by_ref().take(wanted as u64);
        let count = more.read_to_end(&mut self.buffer).map_err(Broken::Read)?;
        self.end = self.buffer.len();
        self.eof = count < wanted;
        Ok(count > 0)
    }

    fn column(&self, at: usize) -> u64 {
        let at = isize::try_from(at).unwrap_or(isize::MAX);
        u64::try_from(at - self.line_start + 1).unwrap_or(1)
    }

    fn broken(&self, message: impl Into<String>) -> Broken {
        Broken::Syntax {
            line: self.line,
            column: self.column(self.start),
            message: message.into(),
            cut: false,
        }
    }

    fn cut_short(&self, what: &str) -> Broken {
        Broken::Syntax {
            line: self.line,
            column: self.column(self.start),
            message: format!("the file is cut short: {what} is not closed"),
            cut: true,
        }
    }

    /// Skips space; the next byte, if there is one.
    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            while self.start < self.end {
                match self.buffer[self.start] {
                    b'\n' => {
                        self.start += 1;
                        self.line += 1;
                        self.line_start = isize::try_from(self.start).unwrap_or(isize::MAX);
                    }
                    b' ' | b'\t' | b'\r' => self.start += 1,
                    // A byte-order mark, at the beginning of a file or of one appended to it.
                    0xef if self.buffer[self.start..self.end].starts_with(&[0xef, 0xbb, 0xbf]) => {
                        self.start += 3;
                    }
                    0xef if self.end - self.start < 3 && !self.eof => break,
                    byte => return Ok(Some(byte)),
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, Broken> {
        loop {
            let byte = self.peek()?;
            match (self.state, byte) {
                (State::Top, None) => return Ok(None),
                (_, None) => {
                    return Err(self.cut_short("its array"));
                }
                (State::Top, Some(b'[')) => {
                    self.start += 1;
                    self.state = State::Before { first: true };
                }
                (State::Before { first: true } | State::After, Some(b']')) => {
                    self.start += 1;
                    self.state = State::Top;
                }
                (State::After, Some(b',')) => {
                    self.start += 1;
                    self.state = State::Before { first: false };
                }
                (State::Top | State::Before { .. }, Some(b'{')) => break,
                (State::After, Some(other)) => {
                    return Err(self.broken(format!(
                        "'{}' where ',' or ']' was expected after a record",
                        char::from(other)
                    )));
                }
                (_, Some(other)) => {
                    return Err(self.broken(format!(
                        "'{}' where a record, an object in braces, was expected",
                        char::from(other)
                    )));
                }
            }
        }
        let length = self.object()?;
        let (line, column, from) = (self.line, self.column(self.start), self.start);
        // The position moves past the record; its bytes stay until the next call.
        let bytes = &self.buffer[from..from + length];
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line_start = isize::try_from(from + last + 1).unwrap_or(isize::MAX);
        }
        self.start += length;
        if self.state != State::Top {
            self.state = State::After;
        }
        Ok(Some(Record {
            bytes: &self.buffer[from..from + length],
            line,
            column,
        }))
    }

    /// The length of the object that begins at the current position.
    fn object(&mut self) -> Result<usize, Broken> {
        let mut at = 0;
        let mut depth = 0usize;
        let mut string = false;
        loop {
            while self.start + at < self.end {
                let rest = &self.buffer[self.start + at..self.end];
                if string {
                    match memchr::memchr2(b'"', b'\\', rest) {
                        None => at += rest.len(),
                        Some(skip) if rest[skip] == b'"' => {
                            at += skip + 1;
                            string = false;
                        }
                        // The escaped byte may not have been read yet.
                        Some(skip) if skip + 1 < rest.len() => at += skip + 2,
                        Some(skip) => {
                            at += skip;
                            break;
                        }
                    }
                    continue;
                }
                match rest[0] {
                    b'"' => string = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Ok(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            if at > MAX_RECORD {
                return Err(self.broken("a record is longer than 512 MiB"));
            }
            if !self.fill()? {
                return Err(self.cut_short("this record"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A reader that hands out few bytes at a time, as a network does.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn cut(text: &str, step: usize) -> Result<Vec<(String, u64, u64)>, String> {
        let mut records = Records::new(Slow(text.as_bytes(), step));
        let mut all = Vec::new();
        loop {
            match records.next() {
                Ok(None) => return Ok(all),
                Ok(Some(r)) => all.push((
                    String::from_utf8_lossy(r.bytes).into_owned(),
                    r.line,
                    r.column,
                )),
                Err(Broken::Read(e)) => return Err(e.to_string()),
                Err(Broken::Syntax {
                    line,
                    column,
                    message,
                    ..
                }) => return Err(format!("{line}:{column} {message}")),
            }
        }
    }

    #[test]
    fn every_layout_gives_the_same_records() {
        let records = ["{\"a\":\"}\\\"{\"}", "{\"b\":[1,{}]}"];
        for text in [
            format!("{}\n{}\n", records[0], records[1]),
            format!("[{},{}]", records[0], records[1]),
            format!("\u{feff}[\n {} ,\n {}\n]\n", records[0], records[1]),
            format!("{}{}", records[0], records[1]),
            format!("[{}] [{}]", records[0], records[1]),
        ] {
            for step in [1, 2, 3, 1000] {
                let found: Vec<String> =
                    cut(&text, step).unwrap().into_iter().map(|r| r.0).collect();
                assert_eq!(found, records, "{text} by {step}");
            }
        }
    }

    #[test]
    fn what_is_broken_is_told_with_its_place() {
        for (text, told) in [
            (
                "[{}\n,{}",
                "2:4 the file is cut short: its array is not closed",
            ),
            (
                "{}\n {\"a\":",
                "2:2 the file is cut short: this record is not closed",
            ),
            (
                "{}\nx",
                "2:1 'x' where a record, an object in braces, was expected",
            ),
            (
                "[{} {}]",
                "1:5 '{' where ',' or ']' was expected after a record",
            ),
            (
                "[{},]",
                "1:5 ']' where a record, an object in braces, was expected",
            ),
        ] {
            assert_eq!(cut(text, 2).unwrap_err(), told, "{text}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[\\[\\]{},\"\\\\a\n ]{0,30}", step in 1usize..5) {
            prop_assert_eq!(cut(&text, step), cut(&text, 1000));
        }
    }
}
