//! Cuts a stream of JSON into records, whatever its layout: one a line, pretty-printed, one after
//! another, all in one array, or where a path leads. What lies beside the path is read over and never held.

mod text;

use std::io::{self, Read};

pub(super) use self::text::Place;
use super::parse::{MAX_DEPTH, Parser, Problem, Token};
use super::path::Step;
use crate::format::BadRecord;

/// One record's bytes may not be longer. A "record" that is longer is a file that is not closed, or no
/// data.
const MAX_RECORD: usize = 64 << 20;
const CHUNK: usize = 256 * 1024;

/// What is wrong with a stream of records.
#[derive(Debug)]
pub(crate) enum Broken {
    Read(io::Error),
    Syntax {
        line: u64,
        column: u64,
        message: String,
        cause: Cause,
    },
}

/// Of what kind a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// More bytes might have made it right.
    Cut,
    /// It goes beyond what is read: too deep, too long.
    Bounds,
    /// It is no JSON, or no record.
    Other,
}

/// An array or object on the way to the records that is open.
struct Frame {
    /// Whether it is an object.
    object: bool,
    /// What is wanted of it.
    wanted: Wanted,
    /// How many steps of the path have been taken to its values.
    depth: usize,
    /// How many of its values have begun.
    count: u64,
    /// Whether a value has just ended.
    after: bool,
    /// The key of the current value.
    key: String,
}

#[derive(Clone, PartialEq)]
enum Wanted {
    All,
    Index(u64),
    /// The key of this step.
    Key,
    /// The elements of the array that the path led to.
    Records,
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
    /// Why no more can be read, told when what was read before it is used up.
    failed: Option<io::Error>,
    steps: Vec<Step>,
    frames: Vec<Frame>,
    documents: u64,
    /// Where the last record began in the buffer, its line, and where that begins.
    last: (usize, u64, isize),
}

/// Where records come from.
pub(crate) trait Source {
    /// The next record.
    fn next(&mut self) -> Result<Option<Record<'_>>, Broken>;

    /// The rest of the line that the next record begins with, where records stand on lines of their own. It is
    /// only looked at: [`Self::passed`] moves over what turned out to be a record.
    fn line(&mut self) -> Result<Option<Record<'_>>, Broken> {
        Ok(None)
    }

    /// Moves over so many bytes of the line.
    fn passed(&mut self, _length: usize) {}

    /// Whether the line, of so many bytes, is followed by one that begins as a record does, or by none.
    fn stands_alone(&mut self, _length: usize) -> Result<bool, Broken> {
        Ok(false)
    }

    /// Moves over a record that [`Self::next`] failed at (`Some`) or handed out and that turned out to be bad
    /// (`None`), to where records can be read again; what was passed over. Nothing where there is no such
    /// place.
    fn recover(&mut self, at: Failed) -> Result<Option<Aside>, Broken>;

    /// How many documents have begun.
    fn documents(&self) -> u64;
}

/// Where a record turned out to be bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It could not be cut out.
    Cutting,
    /// It was cut out.
    Within,
    /// It is a line of its own, and so is the next one.
    Line,
}

/// A record that was passed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    pub(crate) line: u64,
    /// Its bytes, as many as are shown.
    pub(crate) text: Vec<u8>,
}

/// Where a record lies in the buffer.
pub(crate) struct Record<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) line: u64,
    /// 0 where it is not known.
    pub(crate) column: u64,
    /// The key of the innermost object on the path of which all values are wanted.
    pub(crate) key: Option<&'a str>,
}

impl Record<'_> {
    /// The line and column of byte `at` of this record.
    pub(crate) fn place(&self, at: usize) -> (u64, u64) {
        if self.column == 0 {
            return (self.line, 0);
        }
        let before = &self.bytes[..at.min(self.bytes.len())];
        let lines = memchr::memchr_iter(b'\n', before).count() as u64;
        match memchr::memrchr(b'\n', before) {
            None => (self.line, self.column + before.len() as u64),
            Some(last) => (self.line + lines, (before.len() - last) as u64),
        }
    }
}

/// How far a scan over a value has come.
#[derive(Default)]
struct Scan {
    depth: usize,
    string: bool,
}

impl<R: Read> Records<R> {
    /// The objects of the stream, on their own or in an array.
    pub(crate) fn new(reader: R) -> Self {
        Self::at(reader, &[])
    }

    /// The objects that the steps lead to in each document of the stream.
    pub(crate) fn at(reader: R, steps: &[Step]) -> Self {
        Records {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            line: 1,
            line_start: 0,
            eof: false,
            failed: None,
            steps: steps.to_vec(),
            frames: Vec::new(),
            documents: 0,
            last: (0, 1, 0),
        }
    }

    fn fill(&mut self) -> Result<bool, Broken> {
        if let Some(error) = self.failed.take() {
            return Err(Broken::Read(error));
        }
        if self.eof {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line_start -= isize::try_from(self.start).unwrap_or(isize::MAX);
            self.start = 0;
        }
        // Growing with the record that does not fit keeps the copying linear.
        let wanted = CHUNK.max(self.buffer.len().min(MAX_RECORD / 4));
        let mut more = self.reader.by_ref().take(wanted as u64);
        let count = more.read_to_end(&mut self.buffer).map_err(Broken::Read)?;
        self.end = self.buffer.len();
        self.eof = count < wanted;
        Ok(count > 0)
    }

    fn column(&self, at: usize) -> u64 {
        let at = isize::try_from(at).unwrap_or(isize::MAX);
        u64::try_from(at.saturating_sub(self.line_start).saturating_add(1)).unwrap_or(1)
    }

    fn syntax(&self, message: impl Into<String>, cause: Cause) -> Broken {
        Broken::Syntax {
            line: self.line,
            column: self.column(self.start),
            message: message.into(),
            cause,
        }
    }

    fn unexpected(&self, byte: u8, wanted: &str) -> Broken {
        let shown = if byte.is_ascii_graphic() {
            format!("'{}'", char::from(byte))
        } else {
            format!("the byte 0x{byte:02x}")
        };
        self.syntax(format!("{shown} where {wanted} was expected"), Cause::Other)
    }

    fn unexpected_after(&self, byte: u8, wanted: &str) -> Broken {
        match self.unexpected(byte, wanted) {
            Broken::Syntax {
                line,
                column,
                message,
                cause,
            } => Broken::Syntax {
                line,
                column,
                message: format!("{message} after a record"),
                cause,
            },
            other => other,
        }
    }

    fn cut_short(&self, what: &str) -> Broken {
        self.syntax(
            format!("the file is cut short: {what} is not closed"),
            Cause::Cut,
        )
    }

    /// Moves over `length` bytes of the buffer.
    fn advance(&mut self, length: usize) {
        let from = self.start;
        let passed = &self.buffer[from..from + length];
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', passed) {
            self.line_start = isize::try_from(from + last + 1).unwrap_or(isize::MAX);
        }
        self.start += length;
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

    /// Takes one step towards the next record; whether it has been reached.
    fn seek(&mut self) -> Result<bool, Broken> {
        let byte = self.peek()?;
        let Some(frame) = self.frames.last_mut() else {
            let Some(byte) = byte else {
                return Ok(false);
            };
            self.documents += 1;
            return self.enter(byte, 0);
        };
        let (object, depth, count) = (frame.object, frame.depth, frame.count);
        let close = if object { b'}' } else { b']' };
        let Some(byte) = byte else {
            return Err(self.cut_short(if object { "its object" } else { "its array" }));
        };
        if byte == close && (frame.after || count == 0) {
            self.start += 1;
            self.frames.pop();
            return Ok(false);
        }
        if frame.after {
            if byte != b',' {
                let wanted = if object { "',' or '}'" } else { "',' or ']'" };
                return Err(self.unexpected_after(byte, wanted));
            }
            frame.after = false;
            self.start += 1;
            return Ok(false);
        }
        frame.count += 1;
        frame.after = true;
        let wanted = match frame.wanted {
            Wanted::All | Wanted::Records => true,
            Wanted::Index(index) => index == count,
            Wanted::Key => {
                let key = self.key(byte)?;
                match self.steps.get(depth.wrapping_sub(1)) {
                    Some(Step::Key(step)) => *step == key,
                    _ => false,
                }
            }
        };
        let byte = if object {
            if let Some(frame) = self.frames.last()
                && frame.wanted == Wanted::All
            {
                let key = self.key(byte)?;
                if let Some(frame) = self.frames.last_mut() {
                    frame.key = key;
                }
            }
            match self.peek()? {
                Some(byte) => byte,
                None => return Err(self.cut_short("its object")),
            }
        } else {
            byte
        };
        if wanted {
            self.enter(byte, depth)
        } else {
            self.skip(byte)?;
            Ok(false)
        }
    }

    /// Comes to a value that `depth` steps led to; whether it is a record.
    fn enter(&mut self, byte: u8, depth: usize) -> Result<bool, Broken> {
        let wanted = match (self.steps.get(depth), byte) {
            (None, b'{') => return Ok(true),
            (None, b'[')
                if !self
                    .frames
                    .last()
                    .is_some_and(|f| f.wanted == Wanted::Records) =>
            {
                Wanted::Records
            }
            // Where a path leads to null there is nothing.
            (None, b'n') if !self.steps.is_empty() => {
                self.skip(byte)?;
                return Ok(false);
            }
            (None, other) => {
                return Err(self.unexpected(other, "a record, an object in braces,"));
            }
            (Some(Step::All), b'{' | b'[') => Wanted::All,
            (Some(Step::Index(index)), b'[') => Wanted::Index(*index),
            (Some(Step::Key(_)), b'{') => Wanted::Key,
            (Some(_), _) => {
                self.skip(byte)?;
                return Ok(false);
            }
        };
        let depth = depth + usize::from(wanted != Wanted::Records);
        self.start += 1;
        self.frames.push(Frame {
            object: byte == b'{',
            wanted,
            depth,
            count: 0,
            after: false,
            key: String::new(),
        });
        Ok(false)
    }

    /// Reads the key that begins with `byte`, and the colon after it.
    fn key(&mut self, byte: u8) -> Result<String, Broken> {
        if byte != b'"' {
            return Err(self.unexpected(byte, "a key"));
        }
        let mut scan = Scan::default();
        let mut at = 0;
        let length = loop {
            match scan.run(&self.buffer[self.start + at..self.end]) {
                Ok((used, true)) => break at + used,
                Ok((used, false)) => at += used,
                Err(()) => return Err(self.too_deep()),
            }
            self.more(at, "this key")?;
        };
        let text = std::str::from_utf8(&self.buffer[self.start..self.start + length]);
        let token = text
            .map_err(|_| "the text is not UTF-8".to_owned())
            .and_then(|text| Parser::new(text).start().map_err(|p| p.message));
        let key = match token {
            Ok(Token::String(key)) => key.into_owned(),
            Ok(_) => String::new(),
            Err(message) => return Err(self.syntax(message, Cause::Other)),
        };
        self.advance(length);
        match self.peek()? {
            Some(b':') => self.start += 1,
            Some(other) => return Err(self.unexpected(other, "':'")),
            None => return Err(self.cut_short("its object")),
        }
        Ok(key)
    }

    /// Reads on within a value of which `at` bytes have been seen.
    fn more(&mut self, at: usize, what: &str) -> Result<(), Broken> {
        if at > MAX_RECORD {
            let message = "a record is longer than 64 MiB, and is not read";
            return Err(self.syntax(message, Cause::Bounds));
        }
        if self.fill()? {
            Ok(())
        } else {
            Err(self.cut_short(what))
        }
    }

    fn too_deep(&self) -> Broken {
        self.syntax(
            format!("values are nested deeper than {MAX_DEPTH} levels"),
            Cause::Bounds,
        )
    }

    /// The length of the object that begins at the current position.
    fn object(&mut self) -> Result<usize, Broken> {
        let mut scan = Scan::default();
        let mut at = 0;
        loop {
            match scan.run(&self.buffer[self.start + at..self.end]) {
                Ok((used, true)) => return Ok(at + used),
                Ok((used, false)) => at += used,
                Err(()) => return Err(self.too_deep()),
            }
            if let Err(broken) = self.more(at, "this record") {
                return Err(self.explained(broken));
            }
        }
    }

    /// Why a record goes on to the end of the file, or beyond what is read: most often a brace, a bracket or a quote is
    /// missing in a line, and the lines below are taken for its own. Where the text is no JSON before its end, that
    /// is what is wrong, and not that it ends. The cause stays, for it is about where a reader that has only a part of
    /// the text can go on.
    fn explained(&self, broken: Broken) -> Broken {
        let Broken::Syntax { cause, .. } = broken else {
            return broken;
        };
        let bytes = &self.buffer[self.start..self.end];
        let (text, utf8) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => {
                let valid = &bytes[..error.valid_up_to()];
                let text = std::str::from_utf8(valid).unwrap_or_default();
                (text, error.error_len().is_none())
            }
        };
        let Err(mut problem) = Parser::new(text).skip() else {
            return broken;
        };
        // A word or an escape that is cut is told of at its beginning.
        let rest = text.get(problem.at..).unwrap_or_default();
        if rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'\\')
        {
            if utf8 {
                return broken;
            }
            problem = Problem {
                at: text.len(),
                message: "the text is not UTF-8".to_owned(),
            };
        }
        let record = Record {
            bytes,
            line: self.line,
            column: self.column(self.start),
            key: None,
        };
        let (line, column) = record.place(problem.at);
        let mut message = problem.message;
        if line != self.line {
            message = format!("{message}, in the record that begins in line {}", self.line);
        }
        Broken::Syntax {
            line,
            column,
            message,
            cause,
        }
    }

    /// Moves over the value that begins with `byte`, holding none of it.
    fn skip(&mut self, byte: u8) -> Result<(), Broken> {
        if !matches!(byte, b'{' | b'[' | b'"') {
            return self.skip_word(byte);
        }
        let mut scan = Scan::default();
        loop {
            match scan.run(&self.buffer[self.start..self.end]) {
                Ok((used, ended)) => {
                    self.advance(used);
                    if ended {
                        return Ok(());
                    }
                }
                Err(()) => return Err(self.too_deep()),
            }
            if !self.fill()? {
                return Err(self.cut_short("a value"));
            }
        }
    }

    fn skip_word(&mut self, byte: u8) -> Result<(), Broken> {
        let of_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !of_word(&byte) {
            return Err(self.unexpected(byte, "a value"));
        }
        loop {
            let rest = &self.buffer[self.start..self.end];
            let length = rest.iter().take_while(|b| of_word(b)).count();
            let ended = length < rest.len();
            self.start += length;
            if ended || !self.fill()? {
                return Ok(());
            }
        }
    }
}

impl<R: Read> Source for Records<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>, Broken> {
        while !self.seek()? {
            if self.frames.is_empty() && self.peek()?.is_none() {
                return Ok(None);
            }
        }
        let length = self.object()?;
        let (line, column, from) = (self.line, self.column(self.start), self.start);
        self.last = (from, line, self.line_start);
        // The position moves past the record; its bytes stay until the next call.
        self.advance(length);
        let keyed = self.frames.iter().rev();
        let mut keyed = keyed.filter(|f| f.object && f.wanted == Wanted::All);
        Ok(Some(Record {
            bytes: &self.buffer[from..from + length],
            line,
            column,
            key: keyed.next().map(|f| f.key.as_str()),
        }))
    }

    fn line(&mut self) -> Result<Option<Record<'_>>, Broken> {
        if !self.steps.is_empty() || !self.frames.is_empty() || self.peek()? != Some(b'{') {
            return Ok(None);
        }
        let mut seen = 0;
        let length = loop {
            let rest = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &rest[seen..]) {
                break seen + at;
            }
            seen = rest.len();
            // What is longer than a record may be is told where records are cut.
            if seen > MAX_RECORD {
                return Ok(None);
            }
            if !self.fill()? {
                break seen;
            }
        };
        let bytes = &self.buffer[self.start..self.start + length];
        if bytes.trim_ascii_end().last() != Some(&b'}') {
            return Ok(None);
        }
        self.last = (self.start, self.line, self.line_start);
        Ok(Some(Record {
            bytes,
            line: self.line,
            column: self.column(self.start),
            key: None,
        }))
    }

    fn passed(&mut self, length: usize) {
        self.start = (self.start + length).min(self.end);
    }

    fn stands_alone(&mut self, length: usize) -> Result<bool, Broken> {
        if self.start + length + 1 >= self.end {
            self.fill()?;
        }
        let next = self.buffer[..self.end].get(self.start + length + 1);
        Ok(next.is_none_or(|byte| *byte == b'{'))
    }

    fn recover(&mut self, at: Failed) -> Result<Option<Aside>, Broken> {
        if at == Failed::Within {
            let mut aside = self.within();
            if self.frames.is_empty() {
                self.rest_of_line(&mut aside)?;
            }
            return Ok(Some(aside));
        }
        let starts = |byte: u8| at == Failed::Line || byte == b'{';
        let record = self.buffer.get(self.start) == Some(&b'{');
        let nested = !self.frames.is_empty();
        // The elements of one array are as many lines as records on their own.
        if nested && !(self.steps.is_empty() && self.frames.len() == 1) {
            return Ok(None);
        }
        let mut aside = Aside {
            line: self.line,
            text: Vec::new(),
        };
        loop {
            // To the end of the line.
            loop {
                let rest = &self.buffer[self.start..self.end];
                let end = memchr::memchr(b'\n', rest).map(|end| end + 1);
                let length = end.unwrap_or(rest.len());
                let room = BadRecord::SHOWN.saturating_sub(aside.text.len());
                aside.text.extend_from_slice(&rest[..length.min(room)]);
                self.advance(length);
                if end.is_some() {
                    break;
                }
                if !self.fill()? {
                    self.frames.clear();
                    return Ok((!nested).then_some(aside));
                }
            }
            if nested {
                if self.element()? {
                    return Ok(Some(aside));
                }
                continue;
            }
            if self.start == self.end && !self.fill()? {
                return Ok(Some(aside));
            }
            if !record || self.buffer.get(self.start).is_some_and(|b| starts(*b)) {
                return Ok(Some(aside));
            }
        }
    }

    fn documents(&self) -> u64 {
        self.documents
    }
}

impl<R: Read> Records<R> {
    /// What is set aside of a record that was cut out and is bad: all of it; but where a line within it begins
    /// as a record does, only what is before it. A quote that is not closed swallows the lines below it.
    fn within(&mut self) -> Aside {
        let (from, line, line_start) = self.last;
        let bytes = &self.buffer[from..self.start];
        let next = memchr::memmem::find(bytes, b"\n{").filter(|_| self.frames.is_empty());
        if let Some(at) = next {
            self.start = from;
            (self.line, self.line_start) = (line, line_start);
            self.advance(at + 1);
        }
        let bytes = &self.buffer[from..self.start];
        Aside {
            line,
            text: bytes[..bytes.len().min(BadRecord::SHOWN)].to_vec(),
        }
    }

    /// What follows a bad record in its line goes with it, unless it begins as a record does.
    fn rest_of_line(&mut self, aside: &mut Aside) -> Result<(), Broken> {
        loop {
            let rest = &self.buffer[self.start..self.end];
            let end = memchr::memchr(b'\n', rest);
            let own = &rest[..end.unwrap_or(rest.len())];
            match own.trim_ascii_start().first() {
                Some(b'{') => return Ok(()),
                None if end.is_some() => return Ok(()),
                _ => {}
            }
            let length = own.len();
            let room = BadRecord::SHOWN.saturating_sub(aside.text.len());
            aside.text.extend_from_slice(&own[..length.min(room)]);
            self.advance(length);
            if end.is_some() || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Whether the line is one that an element of the open array begins with, or the array's end; then the
    /// position is before it.
    fn element(&mut self) -> Result<bool, Broken> {
        let mut byte = self.peek()?;
        let comma = byte == Some(b',');
        if comma {
            self.start += 1;
            byte = self.peek()?;
        }
        let after = match byte {
            Some(b'{') => false,
            Some(b']') if !comma => true,
            _ => return Ok(false),
        };
        if let Some(frame) = self.frames.last_mut() {
            frame.after = after;
        }
        Ok(true)
    }
}

impl Scan {
    /// Scans on; how many bytes were used, and whether the value ended with the last of them. What is
    /// not used is to be handed in again, with more behind it.
    fn run(&mut self, text: &[u8]) -> Result<(usize, bool), ()> {
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            if self.string {
                let rest = &text[at..];
                match memchr::memchr2(b'"', b'\\', rest) {
                    None => at = text.len(),
                    Some(skip) if rest[skip] == b'"' => {
                        at += skip + 1;
                        self.string = false;
                        if self.depth == 0 {
                            return Ok((at, true));
                        }
                    }
                    // The escaped byte may not have been read yet.
                    Some(skip) if skip + 1 < rest.len() => at += skip + 2,
                    Some(skip) => return Ok((at + skip, false)),
                }
                continue;
            }
            at += 1;
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(());
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Ok((at, true));
                    }
                }
                _ => {}
            }
        }
        Ok((at, false))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::format::json::JsonPath;
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
                "{\"a\":1}\n{\"a\":2\n{\"a\":3}\n",
                "3:1 '{' where ',' or '}' was expected, in the record that begins in line 2",
            ),
            (
                "{\"a\":1}\n{\"a\":[2}\n{\"a\":3}\n",
                "2:8 '}' where ',' or ']' was expected",
            ),
            (
                "{\"a\":\"x}\n{\"a\":3}\n",
                "2:3 'a' where ',' or '}' was expected, in the record that begins in line 1",
            ),
            (
                "{\"a\":tr",
                "1:1 the file is cut short: this record is not closed",
            ),
            (
                "{\"a\":\"\\u12",
                "1:1 the file is cut short: this record is not closed",
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

    fn found(text: &str, path: &str, step: usize) -> Result<Vec<(Option<String>, String)>, String> {
        let path = JsonPath::parse(path).unwrap();
        let mut records = Records::at(Slow(text.as_bytes(), step), path.steps());
        let mut all = Vec::new();
        loop {
            match records.next() {
                Ok(None) => return Ok(all),
                Ok(Some(r)) => all.push((
                    r.key.map(str::to_owned),
                    String::from_utf8_lossy(r.bytes).into_owned(),
                )),
                Err(Broken::Read(e)) => return Err(e.to_string()),
                Err(Broken::Syntax {
                    message,
                    line,
                    column,
                    ..
                }) => {
                    return Err(format!("{line}:{column} {message}"));
                }
            }
        }
    }

    #[test]
    fn paths_lead_to_records() {
        let text = r#"{"skip": [{"x": "]}\""}, 1e5, null], "a": {"b": [{"i": 1}, {"i": 2}], "c": {"i": 3}},
            "m": {"k\u0031": {"i": 4}, "k2": [{"i": 5}, {"i": 6}], "k3": null}, "t": true}"#;
        let path = |path: &str| -> Vec<String> {
            let all = found(text, path, 3).unwrap();
            all.into_iter()
                .map(|(key, r)| format!("{}{r}", key.map(|k| k + " ").unwrap_or_default()))
                .collect()
        };
        assert_eq!(path("$.a.b[*]"), [r#"{"i": 1}"#, r#"{"i": 2}"#]);
        assert_eq!(path("$.a.b"), path("$.a.b[*]"));
        assert_eq!(path("$['a']['b'][1]"), [r#"{"i": 2}"#]);
        assert_eq!(path("$.a.c"), [r#"{"i": 3}"#]);
        assert_eq!(
            path("$.m.*"),
            [r#"k1 {"i": 4}"#, r#"k2 {"i": 5}"#, r#"k2 {"i": 6}"#]
        );
        assert_eq!(path("$.nothing[*]").len(), 0);
        assert_eq!(path("$.t.x").len(), 0);
        let lines = "{\"Records\":[{}]}\n{\"Records\":[{},{}]}\n";
        assert_eq!(found(lines, "$.Records[*]", 2).unwrap().len(), 3);
        assert_eq!(
            found("{\"a\":\n[1]}", "$.a[*]", 100).unwrap_err(),
            "2:2 '1' where a record, an object in braces, was expected"
        );
    }

    #[test]
    fn what_a_path_leads_past_is_not_held() {
        // Ten times what a record may be, none of which is kept.
        let long = std::iter::repeat_n(b"0123456789,".as_slice(), 4 << 20);
        let middle: Vec<u8> = long.flatten().copied().collect();
        let text = [b"{\"a\":[".as_slice(), &middle, b"0],\n\"b\":{\"c\":1}}"].concat();
        let mut records = Records::at(text.as_slice(), &[Step::Key("b".into())]);
        let record = records.next().unwrap().unwrap();
        assert_eq!(
            (record.bytes, record.line, record.column),
            (&b"{\"c\":1}"[..], 2, 5)
        );
        assert!(records.buffer.capacity() <= 4 * CHUNK);
    }

    #[test]
    fn a_record_is_bounded() {
        let endless = b"{\"a\":\"".chain(io::repeat(b'x'));
        let mut records = Records::new(endless);
        let Err(Broken::Syntax { message, cause, .. }) = records.next() else {
            panic!("an endless record");
        };
        assert_eq!(message, "a record is longer than 64 MiB, and is not read");
        assert_eq!(cause, Cause::Bounds);
        for (text, path) in [
            (format!("{{\"a\":{}", "[".repeat(10_000)), "$"),
            (format!("{{\"a\":{}", "[".repeat(10_000)), "$.b"),
        ] {
            let error = found(&text, path, 1000).unwrap_err();
            assert!(
                error.ends_with("values are nested deeper than 256 levels"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[\\[\\]{},\"\\\\a\n ]{0,30}", step in 1usize..5) {
            prop_assert_eq!(cut(&text, step), cut(&text, 1000));
        }

        #[test]
        fn pieces_do_not_matter_on_a_path(
            text in "[\\[\\]{}:,\"\\\\a\n ]{0,30}",
            step in 1usize..5,
            path in prop_oneof![Just("$.a"), Just("$[*]"), Just("$[1]"), Just("$.a.*")],
        ) {
            prop_assert_eq!(found(&text, path, step), found(&text, path, 1000));
        }
    }
}
