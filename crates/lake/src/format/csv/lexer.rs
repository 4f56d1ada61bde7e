//! One record of delimited text at a time, cut into cells.
//!
//! Beyond RFC 4180: quotes may be escaped by a backslash; a quote within a cell that does not begin
//! with one is a character like any other, and so is one that is neither doubled nor followed by
//! the end of the cell; spaces may stand between a delimiter and a quote; a carriage return alone
//! ends a line, too.

use memchr::{memchr, memchr2};

use super::CsvOptions;
use super::batch::{Batch, Fact};

/// What the beginning of the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A record of so many bytes and lines, added to the batch.
    Record { used: usize, lines: u64 },
    /// A blank line or a comment.
    Skipped { used: usize, lines: u64 },
    /// More input is needed to tell.
    More,
    /// A record whose quote is never closed.
    Unclosed,
    /// The end.
    End,
}

/// The rules of a dialect, ready for use.
#[derive(Debug, Clone)]
pub(super) struct Lexer {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    collapse: bool,
    comment: Option<u8>,
    /// Bytes at which an unquoted cell may end.
    stops: [bool; 256],
}

enum Quoted {
    /// The content's end, where the cell's delimiter is, and whether anything is escaped.
    Closed {
        end: usize,
        next: usize,
        escaped: bool,
    },
    /// The quote is no quote.
    Literal,
    More,
    Unclosed,
}

impl Lexer {
    pub(super) fn new(options: &CsvOptions, comment: Option<u8>) -> Lexer {
        let mut stops = [false; 256];
        for byte in [options.delimiter, b'\n', b'\r']
            .into_iter()
            .chain(options.escape)
        {
            stops[usize::from(byte)] = true;
        }
        if options.collapse {
            stops[usize::from(b'\t')] = true;
        }
        Lexer {
            delimiter: options.delimiter,
            quote: options.quote,
            escape: options.escape.filter(|e| options.quote != Some(*e)),
            collapse: options.collapse,
            comment,
            stops,
        }
    }

    /// The same dialect, in which comments are rows.
    pub(super) fn without_comments(mut self) -> Lexer {
        self.comment = None;
        self
    }

    /// What a line begins with that is a comment.
    pub(super) fn comment(&self) -> Option<u8> {
        self.comment
    }

    fn is_delimiter(&self, byte: u8) -> bool {
        byte == self.delimiter || (self.collapse && byte == b'\t')
    }

    fn ends_cell(&self, byte: u8) -> bool {
        self.is_delimiter(byte) || byte == b'\n' || byte == b'\r'
    }

    /// Takes one record, blank line or comment from the beginning of `input`, which is all there is
    /// where `last`. `line` is the input's first line.
    pub(super) fn step(&self, input: &[u8], last: bool, line: u64, batch: &mut Batch) -> Step {
        let Some(first) = input.first() else {
            return if last { Step::End } else { Step::More };
        };
        let blank =
            |b: &u8| *b == b' ' || (*b == b'\t' && (self.collapse || self.delimiter != b'\t'));
        let text = input.iter().take_while(|b| blank(b)).count();
        match input.get(text) {
            None if last => return self.skipped(input.len(), 0, batch),
            None => return Step::More,
            Some(b'\n') => return self.skipped(text + 1, 1, batch),
            Some(b'\r') => {
                return match after_return(input, text, last) {
                    Some(used) => self.skipped(used, 1, batch),
                    None => Step::More,
                };
            }
            Some(_) => {}
        }
        let begins = if self.collapse {
            input.get(text)
        } else {
            Some(first)
        };
        if self.comment.is_some() && self.comment == begins.copied() {
            return match memchr2(b'\n', b'\r', input) {
                Some(at) => match after_return(input, at, last) {
                    Some(used) => Step::Skipped { used, lines: 1 },
                    None => Step::More,
                },
                None if last => Step::Skipped {
                    used: input.len(),
                    lines: 0,
                },
                None => Step::More,
            };
        }
        let start = if self.collapse { text } else { 0 };
        self.record(input, start, last, line, batch)
    }

    #[allow(clippy::unused_self)]
    fn skipped(&self, used: usize, lines: u64, batch: &mut Batch) -> Step {
        batch.apart = true;
        Step::Skipped { used, lines }
    }

    fn record(&self, input: &[u8], start: usize, last: bool, line: u64, batch: &mut Batch) -> Step {
        let base = batch.spans.len();
        batch.escaped.clear();
        let mut at = start;
        let mut quoted_lines = false;
        let undo = |batch: &mut Batch, step| {
            batch.spans.truncate(base);
            step
        };
        #[allow(clippy::cast_possible_truncation)] // a record is far shorter than 4 GiB
        let span = |from: usize, to: usize| (from as u32, to as u32);
        let used = loop {
            let mut next = None;
            if let Some(quote) = self.quote {
                let mut open = at;
                while self.delimiter != b' ' && input.get(open) == Some(&b' ') {
                    open += 1;
                }
                if input.get(open) == Some(&quote) {
                    match self.quoted(input, open, quote, last) {
                        Quoted::Closed {
                            end,
                            next: after,
                            escaped,
                        } => {
                            if escaped {
                                batch.escaped.push(batch.spans.len());
                            }
                            batch.spans.push(span(open + 1, end));
                            quoted_lines |= memchr2(b'\n', b'\r', &input[open..end]).is_some();
                            next = Some(after);
                        }
                        Quoted::Literal => {}
                        Quoted::More => return undo(batch, Step::More),
                        Quoted::Unclosed => return undo(batch, Step::Unclosed),
                    }
                }
            }
            let end = match next {
                Some(next) => next,
                None => {
                    let mut end = at;
                    loop {
                        while end < input.len() && !self.stops[usize::from(input[end])] {
                            end += 1;
                        }
                        if end < input.len() && !self.ends_cell(input[end]) {
                            // An escape: of a delimiter, a quote or itself; else a backslash.
                            match input.get(end + 1) {
                                None if !last => return undo(batch, Step::More),
                                Some(c) if self.escapes(*c) => {
                                    if batch.escaped.last() != Some(&batch.spans.len()) {
                                        batch.escaped.push(batch.spans.len());
                                    }
                                    end += 2;
                                }
                                _ => end += 1,
                            }
                            continue;
                        }
                        break;
                    }
                    if end == input.len() && !last {
                        return undo(batch, Step::More);
                    }
                    batch.spans.push(span(at, end));
                    end
                }
            };
            match input.get(end) {
                None => break end,
                Some(b'\n' | b'\r') => match after_return(input, end, last) {
                    Some(used) => break used,
                    None => return undo(batch, Step::More),
                },
                Some(_) if self.collapse => {
                    at = end;
                    while at < input.len() && self.is_delimiter(input[at]) {
                        at += 1;
                    }
                    match input.get(at) {
                        // Blanks at the end of a line are no column.
                        None if last => break at,
                        None => return undo(batch, Step::More),
                        Some(b'\n' | b'\r') => match after_return(input, at, last) {
                            Some(used) => break used,
                            None => return undo(batch, Step::More),
                        },
                        Some(_) => {}
                    }
                }
                Some(_) => at = end + 1,
            }
        };
        let lines = if quoted_lines {
            lines(&input[..used])
        } else {
            u64::from(matches!(
                input.get(used.wrapping_sub(1)),
                Some(b'\n' | b'\r')
            ))
        };
        self.take(&input[..used], base, line, batch);
        Step::Record { used, lines }
    }

    /// Moves a record's text into the batch.
    fn take(&self, record: &[u8], base: usize, line: u64, batch: &mut Batch) {
        #[allow(clippy::cast_possible_truncation)] // batches are far shorter than 4 GiB
        let offset = batch.text.len() as u32;
        batch.text.extend_from_slice(record);
        for span in &mut batch.spans[base..] {
            *span = (span.0 + offset, span.1 + offset);
        }
        for index in std::mem::take(&mut batch.escaped) {
            let (from, to) = batch.spans[index];
            let start = batch.text.len();
            let mut at = from as usize;
            let to = to as usize;
            let is_quoted = self.quote.is_some()
                && at > 0
                && Some(batch.text[at - 1]) == self.quote
                && from > offset;
            while at < to {
                let byte = batch.text[at];
                let following = batch.text.get(at + 1).copied().filter(|_| at + 1 < to);
                let skip = match following {
                    Some(c) if Some(byte) == self.escape => self.escapes(c),
                    Some(c) => is_quoted && Some(byte) == self.quote && c == byte,
                    None => false,
                };
                if let (true, Some(c)) = (skip, following) {
                    batch.text.push(c);
                    at += 2;
                } else {
                    batch.text.push(byte);
                    at += 1;
                }
            }
            #[allow(clippy::cast_possible_truncation)]
            let span = (start as u32, batch.text.len() as u32);
            batch.spans[index] = span;
            // What stands between cells is ASCII, so that no two halves make a character.
            batch.text.push(b'\n');
        }
        #[allow(clippy::cast_possible_truncation)]
        batch.ends.push(batch.spans.len() as u32);
        batch.facts.push(Fact {
            line,
            apart: std::mem::take(&mut batch.apart),
        });
    }

    /// Whether an escape before `byte` is one.
    fn escapes(&self, byte: u8) -> bool {
        Some(byte) == self.quote || Some(byte) == self.escape || self.is_delimiter(byte)
    }

    /// A cell whose quote stands at `open`.
    fn quoted(&self, input: &[u8], open: usize, quote: u8, last: bool) -> Quoted {
        let unfinished = if last { Quoted::Unclosed } else { Quoted::More };
        let mut at = open + 1;
        let mut escaped = false;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let found = match self.escape {
                Some(escape) => memchr2(quote, escape, rest),
                None => memchr(quote, rest),
            };
            let Some(found) = found else {
                return unfinished;
            };
            at += found;
            if input[at] != quote {
                match input.get(at + 1) {
                    None => return unfinished,
                    Some(c) if self.escapes(*c) => {
                        escaped = true;
                        at += 2;
                    }
                    Some(_) => at += 1,
                }
                continue;
            }
            match input.get(at + 1) {
                None if last => {
                    return Quoted::Closed {
                        end: at,
                        next: at + 1,
                        escaped,
                    };
                }
                None => return Quoted::More,
                Some(c) if *c == quote => {
                    escaped = true;
                    at += 2;
                    continue;
                }
                Some(_) => {}
            }
            let mut next = at + 1;
            while self.delimiter != b' ' && input.get(next) == Some(&b' ') {
                next += 1;
            }
            match input.get(next) {
                None if !last => return Quoted::More,
                None => {}
                Some(c) if self.ends_cell(*c) => {}
                Some(_) => match self.closes_later(input, at + 1, quote, last) {
                    None => return Quoted::More,
                    Some(true) => {
                        at += 1;
                        continue;
                    }
                    Some(false) => return Quoted::Literal,
                },
            }
            return Quoted::Closed {
                end: at,
                next,
                escaped,
            };
        }
    }

    /// Whether a quote that is followed by more text is one within the cell: another one on the same
    /// line ends the cell, before any begins a new one. `None` where the line is not all there.
    fn closes_later(&self, input: &[u8], from: usize, quote: u8, last: bool) -> Option<bool> {
        let mut at = from;
        loop {
            let rest = &input[at..];
            let Some(found) = rest
                .iter()
                .position(|b| *b == quote || *b == b'\n' || *b == b'\r')
            else {
                return last.then_some(false);
            };
            at += found;
            if input[at] != quote || self.is_delimiter(input[at - 1]) {
                return Some(false);
            }
            match input.get(at + 1) {
                None => return last.then_some(true),
                Some(c) if self.ends_cell(*c) => return Some(true),
                Some(_) => at += 1,
            }
        }
    }
}

/// Where the line that ends at `at` is over; `None` where a carriage return is the last byte so far.
fn after_return(input: &[u8], at: usize, last: bool) -> Option<usize> {
    if input[at] == b'\n' {
        return Some(at + 1);
    }
    match input.get(at + 1) {
        Some(b'\n') => Some(at + 2),
        Some(_) => Some(at + 1),
        None => last.then_some(at + 1),
    }
}

/// Line ends: line feeds, and carriage returns that none follows.
pub(super) fn lines(text: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', text).count();
    let returns = memchr::memchr_iter(b'\r', text)
        .filter(|at| text.get(at + 1) != Some(&b'\n'))
        .count();
    (feeds + returns) as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8], options: &CsvOptions) -> Vec<Vec<String>> {
        let lexer = Lexer::new(options, None);
        let mut batch = Batch::default();
        let mut at = 0;
        let mut line = 1;
        loop {
            match lexer.step(&text[at..], true, line, &mut batch) {
                Step::Record { used, lines } | Step::Skipped { used, lines } => {
                    at += used;
                    line += lines;
                }
                Step::End => break,
                other => panic!("{other:?}"),
            }
        }
        (0..batch.len())
            .map(|row| {
                batch
                    .cells(row)
                    .map(|c| String::from_utf8_lossy(c).into_owned())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn quotes_of_every_style() {
        let csv = CsvOptions::default();
        for (text, expected) in [
            ("a,\"b, c\"\n", vec!["a", "b, c"]),
            ("a, \"b, c\" ,d", vec!["a", "b, c", "d"]),
            ("\"a\"\"b\",\"\"", vec!["a\"b", ""]),
            ("5\" pipe,x\n", vec!["5\" pipe", "x"]),
            (
                "\"He said \"hi\" to me\",x\n",
                vec!["He said \"hi\" to me", "x"],
            ),
            ("\"Heroes\" (live),x\n", vec!["\"Heroes\" (live)", "x"]),
            ("a,\"line\nbreak\"\r\n", vec!["a", "line\nbreak"]),
            ("a,,\n", vec!["a", "", ""]),
        ] {
            assert_eq!(cut(text.as_bytes(), &csv), vec![expected], "{text}");
        }
        let escaped = CsvOptions {
            escape: Some(b'\\'),
            ..CsvOptions::default()
        };
        assert_eq!(
            cut(b"\"a\\\"b\",c\\,d,C:\\x,\"e\\\\\"\n", &escaped),
            vec![vec!["a\"b", "c,d", "C:\\x", "e\\"]]
        );
        let spaces = CsvOptions {
            delimiter: b' ',
            collapse: true,
            ..CsvOptions::default()
        };
        assert_eq!(
            cut(b"  a   \"b c\" 3  \n\n d e f", &spaces),
            vec![vec!["a", "b c", "3"], vec!["d", "e", "f"]]
        );
    }

    #[test]
    fn lines_end_in_three_ways() {
        let csv = CsvOptions::default();
        let rows = vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]];
        assert_eq!(cut(b"a\r\nb\rc\n\n  \r\nd", &csv), rows);
        assert_eq!(lines(b"a\r\nb\rc\n\n"), 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// However the input is cut, the records are those of the whole.
        #[test]
        fn pieces_give_the_same_records(text in "[ab,\"\\\\ \n\r]{0,60}", cut_at in 0usize..60) {
            let options = CsvOptions { escape: Some(b'\\'), ..CsvOptions::default() };
            let lexer = Lexer::new(&options, None);
            let bytes = text.as_bytes();
            let cut_at = cut_at.min(bytes.len());
            let mut whole = Batch::default();
            let first = lexer.step(bytes, true, 1, &mut whole);
            let mut part = Batch::default();
            let step = lexer.step(&bytes[..cut_at], false, 1, &mut part);
            if step != Step::More {
                prop_assert_eq!(step, first);
                prop_assert_eq!(part.spans, whole.spans);
            }
        }

        #[test]
        fn any_bytes_are_cut(bytes in proptest::collection::vec(any::<u8>(), 0..80), collapse: bool) {
            let options = CsvOptions { delimiter: b' ', collapse, escape: Some(b'\\'), ..CsvOptions::default() };
            let lexer = Lexer::new(&options, Some(b'#'));
            let mut batch = Batch::default();
            let mut at = 0;
            while let Step::Record { used, .. } | Step::Skipped { used, .. } = lexer.step(&bytes[at..], true, 1, &mut batch) {
                prop_assert!(used > 0);
                at += used;
            }
        }
    }
}
