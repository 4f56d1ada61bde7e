//! Rows of cells, in batches that share one buffer.

use std::io::{ErrorKind, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::CsvOptions;
use crate::error::{LakeError, Result};

const CHUNK: usize = 256 * 1024;
/// A batch ends when it has as many bytes, however few rows they are.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// A row that is longer is a quote that was never closed.
const MAX_ROW: usize = 256 * 1024 * 1024;

pub(super) struct Rows<R> {
    reader: R,
    parser: Reader,
    input: Vec<u8>,
    at: usize,
    end: usize,
    eof: bool,
    /// The unquoted text of the batch's cells, one after another.
    text: String,
    /// Where each cell ends in the text.
    ends: Vec<usize>,
    /// For each row, the number of cells up to its end.
    row_ends: Vec<usize>,
    lines: Vec<u64>,
    output: Vec<u8>,
    cells: Vec<usize>,
    bytes: u64,
    first: bool,
    skip: usize,
    /// The quote, where an odd number of them means that one is not closed.
    quote: Option<u8>,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(reader: R, options: &CsvOptions) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(options.delimiter);
        match options.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        if let Some(escape) = options.escape {
            // Quotes may be doubled nonetheless: both styles stand in one file.
            builder.escape(Some(escape));
        }
        Rows {
            reader,
            parser: builder.build(),
            input: vec![0; CHUNK],
            at: 0,
            end: 0,
            eof: false,
            text: String::new(),
            ends: Vec::new(),
            row_ends: Vec::new(),
            lines: Vec::new(),
            output: vec![0; 4096],
            cells: vec![0; 64],
            bytes: 0,
            first: true,
            skip: 0,
            quote: options.quote.filter(|_| options.escape.is_none()),
        }
    }

    /// The beginning of a file may end within a quoted cell.
    pub(super) fn cut_off(mut self) -> Self {
        self.quote = None;
        self
    }

    /// Bytes of rows read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.row_ends.len()
    }

    pub(super) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    fn span(&self, row: usize) -> (usize, usize) {
        let from = if row == 0 { 0 } else { self.row_ends[row - 1] };
        (from, self.row_ends[row])
    }

    pub(super) fn width(&self, row: usize) -> usize {
        let (from, to) = self.span(row);
        to - from
    }

    fn cell_at(&self, at: usize) -> &str {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[from..self.ends[at]]
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> Option<&str> {
        let (from, to) = self.span(row);
        (from + column < to).then(|| self.cell_at(from + column))
    }

    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        let (from, to) = self.span(row);
        (from..to).map(|at| self.cell_at(at))
    }

    /// Whether a row is the header once more.
    pub(super) fn same_as(&self, row: usize, header: &[String]) -> bool {
        header.len() > 1
            && self.width(row) == header.len()
            && self.row(row).zip(header).all(|(cell, name)| cell == name)
    }

    /// Reads up to `count` rows; how many there were.
    pub(super) fn read(&mut self, file: &str, count: usize) -> Result<usize> {
        self.text.clear();
        self.ends.clear();
        self.row_ends.clear();
        self.lines.clear();
        let mut raw: Vec<u8> = Vec::new();
        while self.len() < count && raw.len() < BATCH_BYTES && self.read_row(file, &mut raw)? {}
        let whole = |text: &str| self.ends.iter().all(|end| text.is_char_boundary(*end));
        match String::from_utf8(raw) {
            // Halves of two characters of another encoding may make one of ours between two cells.
            Ok(text) if !whole(&text) => {
                return Err(LakeError::Data {
                    file: file.to_owned(),
                    line: self.lines.first().copied(),
                    column: None,
                    message: "the text is not UTF-8".into(),
                });
            }
            Ok(text) => self.text = text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let cell = self.ends.partition_point(|end| *end <= at);
                let row = self.row_ends.partition_point(|end| *end <= cell);
                return Err(LakeError::Data {
                    file: file.to_owned(),
                    line: self.lines.get(row).copied(),
                    column: None,
                    message: "the text is not UTF-8".into(),
                });
            }
        }
        Ok(self.len())
    }

    fn read_row(&mut self, file: &str, raw: &mut Vec<u8>) -> Result<bool> {
        let (mut out, mut cells) = (0, 0);
        let line = self.parser.line();
        let mut quotes = 0;
        loop {
            if self.at == self.end && !self.eof {
                self.refill(file)?;
            }
            let (result, used, written, ended) = self.parser.read_record(
                &self.input[self.at..self.end],
                &mut self.output[out..],
                &mut self.cells[cells..],
            );
            if let Some(quote) = self.quote {
                let taken = &self.input[self.at..self.at + used];
                quotes += memchr::memchr_iter(quote, taken).count();
            }
            self.at += used;
            self.bytes += used as u64;
            out += written;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.output.len() > MAX_ROW {
                        return Err(LakeError::Data {
                            file: file.to_owned(),
                            line: Some(line),
                            column: None,
                            message: "the row is longer than 256 MiB; is a quote not closed?"
                                .into(),
                        });
                    }
                    self.output.resize(self.output.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => self.cells.resize(self.cells.len() * 2, 0),
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::Record => {
                    // A quote that is never closed swallows all that follows it.
                    let last = self.eof && self.at == self.end;
                    if last && quotes % 2 == 1 && self.output[..out].contains(&b'\n') {
                        return Err(LakeError::Data {
                            file: file.to_owned(),
                            line: Some(line.max(1)),
                            column: None,
                            message: "a quote is opened in this row and never closed".into(),
                        });
                    }
                    let base = raw.len();
                    raw.extend_from_slice(&self.output[..out]);
                    self.ends
                        .extend(self.cells[..cells].iter().map(|end| base + end));
                    self.row_ends.push(self.ends.len());
                    self.lines.push(line.max(1));
                    return Ok(true);
                }
            }
        }
    }

    fn refill(&mut self, file: &str) -> Result<()> {
        self.at = 0;
        loop {
            match self.reader.read(&mut self.input) {
                Ok(count) => {
                    self.end = count;
                    self.eof = count == 0;
                    break;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    let message = match e.kind() {
                        ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
                        _ => e.to_string(),
                    };
                    return Err(LakeError::Data {
                        file: file.to_owned(),
                        line: Some(self.parser.line()),
                        column: None,
                        message,
                    });
                }
            }
        }
        if self.first {
            self.first = false;
            if self.input[..self.end].starts_with(b"\xef\xbb\xbf") {
                self.skip = 3;
            }
        }
        self.at = std::mem::take(&mut self.skip).min(self.end);
        Ok(())
    }
}
