//! Rows of cells, in batches that share one buffer.

use std::io::Read;

use super::CsvOptions;
use super::batch::Batch;
use super::encoding::{self, Utf8Reader};
use super::footer;
use super::frame::Aside;
use super::grid::Cells;
use super::header::Verdict;
use super::layout::{self, Layout, strip_comment};
use super::lexer::{Lexer, Step};
use crate::error::{LakeError, Result};

/// What is said of text that is not UTF-8.
pub(super) const NOT_UTF8: &str = "the text is not UTF-8";

const CHUNK: usize = 256 * 1024;
/// A batch ends when it has as many bytes, however few rows they are.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// A row that is longer is a quote that was never closed.
const MAX_ROW: usize = 16 * 1024 * 1024;

pub(super) struct Rows<R> {
    file: String,
    reader: Utf8Reader<R>,
    lexer: Lexer,
    input: Vec<u8>,
    at: usize,
    end: usize,
    eof: bool,
    /// Why no more could be read, until those who are to hear of it have come that far.
    failure: Option<std::io::Error>,
    line: u64,
    /// Bytes of text cut into rows so far.
    used: u64,
    /// Bytes of text read so far.
    read: u64,
    batch: Batch,
    /// The batch's text.
    text: String,
    /// How many of the batch's rows were handed out.
    given: usize,
    /// How many rows are held back until it is known whether the file ends with them.
    hold: usize,
    /// Whether the held rows are told by their looks, and not all are notes.
    finds_footer: bool,
    /// Whether a row like a note was handed out, so that such a row is no note.
    lone_row: bool,
    /// How many rows at the end are no rows: told once, when the end is first seen, by the rows before it.
    footer: Option<usize>,
    footer_line: Option<u64>,
    layout: Layout,
    /// Where rows go that are none; without it they are errors.
    aside: Option<Aside>,
}

impl<R: Read> Rows<R> {
    /// Opens a file and finds its table. Lines that are not UTF-8 are in the options' encoding; without
    /// one it is guessed where `guess`, and else they are errors.
    pub(super) fn open(file: &str, reader: R, options: &CsvOptions, guess: bool) -> Result<Self> {
        let fallback = match &options.encoding {
            None => None,
            Some(name) => Some(
                encoding::of_name(name)
                    .ok_or_else(|| LakeError::Option(format!("there is no encoding '{name}'")))?,
            ),
        };
        let mut reader = Utf8Reader::new(reader, fallback);
        if guess {
            reader = reader.guessing();
        }
        let mut rows = Rows {
            file: file.to_owned(),
            reader,
            lexer: Lexer::new(options, options.comment),
            input: vec![0; layout::HEAD],
            at: 0,
            end: 0,
            eof: false,
            failure: None,
            line: 1,
            used: 0,
            read: 0,
            batch: Batch::default(),
            text: String::new(),
            given: 0,
            hold: 0,
            finds_footer: options.per_file,
            lone_row: false,
            footer: None,
            footer_line: None,
            layout: Layout {
                start: 0,
                line: 1,
                width: 0,
                header: Verdict {
                    header: options.header,
                    why: "",
                },
                row_names: false,
                commented: false,
                comment: options.comment,
            },
            aside: None,
        };
        rows.fill()?;
        if options.per_file {
            let layout = layout::find(&rows.input[..rows.end], rows.eof, options);
            rows.lexer = Lexer::new(options, layout.comment);
            rows.at = layout.start;
            rows.used = layout.start as u64;
            rows.line = layout.line;
            rows.layout = layout;
            rows.hold = footer::MOST;
        } else {
            rows.skip_lines(options.preamble)?;
            rows.hold = usize::try_from(options.footer).unwrap_or(usize::MAX);
            if rows.hold > MAX_FOOTER {
                return Err(LakeError::Option(format!(
                    "the parameter skip.footer.line.count is {}, and at most {MAX_FOOTER} can be held back",
                    options.footer
                )));
            }
        }
        Ok(rows)
    }

    /// Sets rows aside that are none.
    pub(super) fn with_aside(mut self, aside: Option<Aside>) -> Self {
        self.aside = aside;
        self
    }

    /// Where rows go that are none.
    pub(super) fn aside(&self) -> Option<&Aside> {
        self.aside.as_ref()
    }

    /// Where the file's table is.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of the file's contents that the rows so far took, as they stand in the file.
    pub(super) fn bytes(&self) -> u64 {
        if self.read == 0 {
            return 0;
        }
        let scaled =
            u128::from(self.used) * u128::from(self.reader.total()) / u128::from(self.read);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// The encoding of the lines that were not UTF-8.
    pub(super) fn encoding(&self) -> Option<String> {
        self.reader.fallback().map(|e| e.name().to_owned())
    }

    /// How many lines at the end are no rows.
    pub(super) fn footer_lines(&self) -> u64 {
        self.footer_line
            .map_or(0, |from| self.line.saturating_sub(from).max(1))
    }

    pub(super) fn len(&self) -> usize {
        self.given
    }

    /// The rows' cells.
    pub(super) fn cells(&self) -> Cells<'_> {
        Cells {
            batch: &self.batch,
            text: &self.text,
        }
    }

    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        let spans = self.batch.spans(row);
        spans.map(|(from, to)| self.text.get(from..to).unwrap_or_default())
    }

    fn bad(&self, line: u64, message: &str) -> LakeError {
        LakeError::Data {
            file: self.file.clone(),
            line: Some(line.max(1)),
            column: None,
            message: message.to_owned(),
        }
    }

    /// The header's cells, where the file has a row for it.
    pub(super) fn header(&mut self) -> Result<Option<Vec<String>>> {
        let comment = self.layout.comment.filter(|_| self.layout.commented);
        let (hold, finds_footer, lexer) = (self.hold, self.finds_footer, self.lexer.clone());
        // The header is no note, however few the rows below it are.
        self.hold = 0;
        self.finds_footer = false;
        if comment.is_some() {
            self.lexer = self.lexer.clone().without_comments();
        }
        let count = self.next_rows(1);
        self.hold = hold;
        self.finds_footer = finds_footer;
        self.lexer = lexer;
        if count? == 0 {
            return Ok(None);
        }
        let mut header: Vec<String> = match comment {
            None => self.row(0).map(str::to_owned).collect(),
            Some(byte) => {
                let cells: Vec<&[u8]> = self.row(0).map(str::as_bytes).collect();
                let own = strip_comment(&cells, byte);
                let text = |c: &[u8]| String::from_utf8_lossy(c).into_owned();
                own.into_iter().map(text).collect()
            }
        };
        if self.layout.row_names {
            header.insert(0, String::new());
        }
        Ok(Some(header))
    }

    /// Gives the row that was read as a header back: it is read again. Not for one that stands in a comment, or that
    /// lacks the name of rows' names.
    pub(super) fn give_back_header(&mut self) {
        self.given = 0;
    }

    /// Reads up to `count` rows; how many there were.
    pub(super) fn read(&mut self, count: usize) -> Result<usize> {
        self.next_rows(count)
    }

    fn next_rows(&mut self, count: usize) -> Result<usize> {
        self.batch.text = std::mem::take(&mut self.text).into_bytes();
        self.batch.keep_from(self.given);
        self.given = 0;
        let wanted = count.saturating_add(self.hold);
        let mut ended = false;
        while self.batch.len() < wanted && self.batch.text.len() < BATCH_BYTES {
            if !self.read_row()? {
                ended = true;
                break;
            }
        }
        self.validate()?;
        let length = self.batch.len();
        self.given = if ended || self.at_end()? {
            length - self.notes(length)
        } else {
            length.saturating_sub(self.hold)
        };
        // Rows that are handed out now may have been held before, more than were asked for.
        self.given = self.given.min(count);
        if self.finds_footer {
            self.lone_row |=
                (0..self.given).any(|row| footer::is_lone(self.row(row), self.layout.width));
        }
        // Long rows may leave none to hand out but those that are held back.
        if self.given == 0 && !ended && length > 0 && !self.at_end()? {
            self.given = 1;
        }
        Ok(self.given)
    }

    /// How many of the last rows are no rows.
    fn notes(&mut self, length: usize) -> usize {
        if !self.finds_footer {
            return self.hold.min(length);
        }
        if let Some(footer) = self.footer {
            return footer.min(length);
        }
        let from = length.saturating_sub(footer::MOST);
        // However the rows came in batches, those before the last few are looked at.
        let lone =
            self.lone_row || (0..from).any(|row| footer::is_lone(self.row(row), self.layout.width));
        let rows: Vec<(Vec<&str>, bool)> = (from..length)
            .map(|row| (self.row(row).collect(), self.batch.apart(row)))
            .collect();
        let footer = footer::find(&rows, self.layout.width, lone).min(length);
        self.footer = Some(footer);
        if footer > 0 {
            self.footer_line = Some(self.batch.line(length - footer));
        }
        footer
    }

    /// Whether nothing but what was read is there.
    fn at_end(&mut self) -> Result<bool> {
        loop {
            if self.eof {
                return Ok(self.input[self.at..self.end]
                    .iter()
                    .all(u8::is_ascii_whitespace));
            }
            if self.input[self.at..self.end]
                .iter()
                .any(|b| !b.is_ascii_whitespace())
            {
                return Ok(false);
            }
            if self.end - self.at >= MAX_ROW {
                return Ok(false);
            }
            self.fill()?;
        }
    }

    fn validate(&mut self) -> Result<()> {
        match String::from_utf8(std::mem::take(&mut self.batch.text)) {
            Ok(text) => {
                self.text = text;
                Ok(())
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let line = self.batch.line_at(at).unwrap_or(self.line);
                if self.aside.is_some() {
                    return self.validate_rows(error.into_bytes());
                }
                self.batch.clear();
                self.given = 0;
                Err(self.bad(line, NOT_UTF8))
            }
        }
    }

    /// Sets aside the rows of the batch's text that are not UTF-8. They stay in the batch, to be left out.
    fn validate_rows(&mut self, mut text: Vec<u8>) -> Result<()> {
        let Some(aside) = &mut self.aside else {
            return Ok(());
        };
        if self.batch.len() > 0 {
            aside.forget_before(self.batch.line(0));
        }
        for row in 0..self.batch.len() {
            let spans = || self.batch.spans(row);
            let from = spans().map(|s| s.0).min().unwrap_or_default();
            let to = spans().map(|s| s.1).max().unwrap_or_default();
            let own = text.get(from..to).unwrap_or_default();
            let line = self.batch.line(row);
            if std::str::from_utf8(own).is_err() && !aside.is_left_out(line) {
                aside.set(line, "the text is not UTF-8", own)?;
                aside.leave_out(line);
            }
        }
        // Each byte that is wrong becomes another one, so that cells stay where they are.
        while let Err(error) = std::str::from_utf8(&text) {
            let from = error.valid_up_to();
            let length = error.error_len().unwrap_or(text.len() - from);
            text[from..from + length].fill(b'?');
        }
        self.text = String::from_utf8(text).unwrap_or_default();
        Ok(())
    }

    /// Sets aside the line that is next, which begins a row that does not end.
    fn pass_line(&mut self, reason: &str) -> Result<()> {
        let line = self.line;
        let rest = &self.input[self.at..self.end];
        let ended = memchr::memchr(b'\n', rest);
        let length = ended.map_or(rest.len(), |at| at + 1);
        if let Some(aside) = &self.aside {
            aside.set(line, reason, &rest[..length])?;
        }
        self.advance(length, ended.is_some().into());
        // What follows of a line that is longer than a row may be.
        let mut ended = ended.is_some();
        while !ended && !self.eof {
            self.fill()?;
            let rest = &self.input[self.at..self.end];
            let found = memchr::memchr(b'\n', rest);
            ended = found.is_some();
            self.advance(found.map_or(rest.len(), |at| at + 1), ended.into());
        }
        Ok(())
    }

    fn read_row(&mut self) -> Result<bool> {
        loop {
            let input = &self.input[self.at..self.end];
            match self.lexer.step(input, self.eof, self.line, &mut self.batch) {
                Step::Record { used, lines } => {
                    self.advance(used, lines);
                    return Ok(true);
                }
                Step::Skipped { used, lines } => self.advance(used, lines),
                Step::End => return Ok(false),
                Step::Unclosed if self.aside.is_some() => self.pass_line(UNCLOSED)?,
                Step::More if self.end - self.at >= MAX_ROW && self.aside.is_some() => {
                    self.pass_line(TOO_LONG)?;
                }
                Step::Unclosed => {
                    return Err(self.bad(self.line, UNCLOSED));
                }
                Step::More if self.end - self.at >= MAX_ROW => {
                    return Err(self.bad(self.line, TOO_LONG));
                }
                Step::More => self.fill()?,
            }
        }
    }

    fn advance(&mut self, used: usize, lines: u64) {
        self.at += used;
        self.used += used as u64;
        self.line += lines;
    }

    /// The rules that rows are cut by.
    pub(super) fn lexer(&self) -> &Lexer {
        &self.lexer
    }

    /// How many rows are held back until the end is known.
    pub(super) fn hold(&self) -> usize {
        self.hold
    }

    /// Whether notes at the end are told by their looks.
    pub(super) fn finds_footer(&self) -> bool {
        self.finds_footer
    }

    /// The lines before the next row.
    pub(super) fn lines_before(&self) -> u64 {
        self.line.saturating_sub(1)
    }

    /// Moves the text that follows to `text`, behind its first `filled` bytes, until there are `size` of them or
    /// there is no more; how many there are then. What `text` has behind them is left of another use: to fill
    /// it with zeros first costs as much as to read it. No row may be held back.
    pub(super) fn take_text(&mut self, text: &mut Vec<u8>, filled: usize, size: usize) -> usize {
        let own = &self.input[self.at..self.end];
        let mut filled = filled;
        let wanted = size.max(filled + own.len());
        if text.len() < wanted {
            text.resize(wanted, 0);
        }
        text[filled..filled + own.len()].copy_from_slice(own);
        filled += own.len();
        self.at = self.end;
        while filled < size && !self.eof && self.failure.is_none() {
            match self.reader.read(&mut text[filled..size]) {
                Ok(0) => self.eof = true,
                Ok(count) => {
                    filled += count;
                    self.read += count as u64;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                // The rows before it come first.
                Err(e) => self.failure = Some(e),
            }
        }
        filled
    }

    /// Takes back text that was moved away and is to be cut here.
    pub(super) fn give_back(&mut self, mut text: Vec<u8>) {
        text.extend_from_slice(&self.input[self.at..self.end]);
        self.at = 0;
        self.end = text.len();
        self.input = text;
    }

    /// Rows of so many lines were cut elsewhere; whether one of them is like a note.
    pub(super) fn pass(&mut self, lines: u64, lone: bool) {
        self.line += lines;
        self.lone_row |= lone;
    }

    fn skip_lines(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            loop {
                let rest = &self.input[self.at..self.end];
                if let Some(at) = memchr::memchr(b'\n', rest) {
                    self.advance(at + 1, 1);
                    break;
                }
                if self.eof {
                    self.advance(self.end - self.at, 0);
                    return Ok(());
                }
                // The line's beginning is of no use.
                self.advance(self.end - self.at, 0);
                self.fill()?;
            }
        }
        Ok(())
    }

    /// Reads more behind what is left, which moves to the front.
    fn fill(&mut self) -> Result<()> {
        self.input.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        if self.read > 0 {
            let size = self.input.len();
            if size < CHUNK {
                self.input.resize(CHUNK, 0);
            } else if self.end * 2 > size {
                self.input.resize(size * 2, 0);
            }
        }
        // The first piece is filled to the brim: a table is found by it, always by the same bytes.
        let first = self.read == 0;
        while self.end < self.input.len() && !self.eof {
            let failed = self.failure.take().map(Err);
            match failed.unwrap_or_else(|| self.reader.read(&mut self.input[self.end..])) {
                Ok(0) => self.eof = true,
                Ok(count) => {
                    self.end += count;
                    self.read += count as u64;
                    if !first {
                        break;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let message = match e.kind() {
                        std::io::ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
                        _ => e.to_string(),
                    };
                    return Err(self.bad(self.line, &message));
                }
            }
        }
        Ok(())
    }
}

const UNCLOSED: &str = "a quote is opened in this row and never closed";
const TOO_LONG: &str = "the row is longer than 16 MiB; is a quote not closed?";

/// How many lines a table may say to leave out at the end of each file.
const MAX_FOOTER: usize = 100_000;
