//! The text that most files are made of, cut into cells 64 bytes at a time.
//!
//! Such text has rows of as many cells each, and quotes only around whole cells. What stands between cells is then
//! found without a look at each byte: which of 64 bytes are quotes is a number of 64 bits, and the
//! exclusive or of all its lower bits tells for every byte whether it is within quotes (Langdale and
//! Lemire, "Parsing gigabytes of JSON per second", 2019, section 3.1.1). Any other text is the [`Lexer`]'s,
//! and so is the last word on what a text means: this must agree with it, or find nothing.
//!
//! [`Lexer`]: super::lexer::Lexer

use std::ops::Range;

use super::CsvOptions;
use super::grid::Grid;
use super::lexer::lines;

/// Rows of equally many cells.
pub(super) struct Plain<'a> {
    text: &'a str,
    /// Where each cell ends: at a delimiter or a line feed.
    ends: &'a [u32],
    /// How many cells a row has.
    width: usize,
    quote: Option<u8>,
    /// Whether carriage returns stand before line feeds.
    returns: bool,
    /// How many line feeds there are, within quotes or not.
    feeds: usize,
}

/// For each of 64 bytes, a bit of its own among the bits of eight.
const BITS: [u8; 64] = {
    let mut bits = [0; 64];
    let mut i = 0;
    while i < 64 {
        bits[i] = 1 << (i % 8);
        i += 1;
    }
    bits
};

/// Which of 64 bytes are `a` or `b`, the first one lowest. Written so that the compiler compares 16 bytes
/// at a time.
fn mask(block: &[u8; 64], a: u8, b: u8) -> u64 {
    let mut found = [0u8; 64];
    for ((found, byte), bit) in found.iter_mut().zip(block).zip(BITS) {
        *found = if *byte == a || *byte == b { bit } else { 0 };
    }
    let (words, _) = found.as_chunks::<8>();
    let mut all = 0;
    for (i, word) in words.iter().enumerate() {
        // The sum of eight bytes, which have no bit in common, is in the highest.
        let sum = u64::from_le_bytes(*word).wrapping_mul(0x0101_0101_0101_0101) >> 56;
        all |= sum << (8 * i);
    }
    all
}

/// For each bit, whether it or an odd number of all below it are set.
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

impl<'a> Plain<'a> {
    /// Cuts `text`, which begins with a row and should end with one; `None` where it is no such text.
    /// Where cells end is kept in `ends`, whatever was there before.
    pub(super) fn cut(
        text: &'a str,
        options: &CsvOptions,
        comment: Option<u8>,
        ends: &'a mut Vec<u32>,
    ) -> Option<Self> {
        let bytes = text.as_bytes();
        let CsvOptions {
            delimiter,
            quote,
            escape,
            ..
        } = *options;
        // Blanks that delimit may stand alone in a line, or be many.
        let special = [b' ', b'\n', b'\r', 0].contains(&delimiter)
            || quote.is_some_and(|q| [delimiter, b'\n', b'\r', 0].contains(&q));
        if options.collapse || special || u32::try_from(bytes.len()).is_err() {
            return None;
        }
        if escape.is_some_and(|e| quote != Some(e) && memchr::memchr(e, bytes).is_some()) {
            return None;
        }
        // Mostly there is neither, which one look at the text tells.
        let odd = memchr::memchr2(quote.unwrap_or(b'\r'), b'\r', bytes);
        let odd = odd.map_or(&[][..], |at| &bytes[at..]);
        let quote = quote.filter(|q| memchr::memchr(*q, odd).is_some());
        let returns = memchr::memchr(b'\r', odd).is_some();
        let lone = |at: usize| bytes.get(at + 1) != Some(&b'\n');
        if returns && memchr::memchr_iter(b'\r', bytes).any(lone) {
            return None;
        }
        ends.clear();
        match (quote, returns) {
            (None, _) => find_ends::<false, false>(bytes, delimiter, 0, ends),
            (Some(quote), false) => find_ends::<true, false>(bytes, delimiter, quote, ends),
            (Some(quote), true) => find_ends::<true, true>(bytes, delimiter, quote, ends),
        }?;
        let width = ends.iter().position(|at| bytes[*at as usize] == b'\n')? + 1;
        let plain = Plain {
            text,
            ends,
            width,
            quote,
            returns,
            feeds: memchr::memchr_iter(b'\n', bytes).count(),
        };
        // A blank line is a row of one cell.
        (width > 1 && plain.is_regular(comment)).then_some(plain)
    }

    /// Whether every row has as many cells as the first, all text is in rows, and none is a comment.
    fn is_regular(&self, comment: Option<u8>) -> bool {
        let bytes = self.text.as_bytes();
        let feeds = |at: &u32| bytes[*at as usize] == b'\n';
        let rows = self.ends.chunks_exact(self.width);
        if !rows.remainder().is_empty() || !rows.clone().all(|row| row.last().is_some_and(feeds)) {
            return false;
        }
        // Mostly there are as many line feeds as rows, so that one at the end of each leaves none within; others
        // may be within quotes.
        let within = |row: &[u32]| row.iter().rev().skip(1).any(feeds);
        self.ends.last().map(|at| *at as usize + 1) == Some(bytes.len())
            && (self.feeds == rows.len() || !rows.clone().any(within))
            && comment.is_none_or(|byte| {
                (0..rows.len()).all(|row| bytes.get(self.start(row * self.width)) != Some(&byte))
            })
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len() / self.width
    }

    /// How many lines there are: no carriage return ends one alone.
    pub(super) fn all_lines(&self) -> u64 {
        self.feeds as u64
    }

    fn start(&self, cell: usize) -> usize {
        match cell.checked_sub(1) {
            None => 0,
            Some(before) => self.ends[before] as usize + 1,
        }
    }
}

impl Grid for Plain<'_> {
    fn width(&self, _row: usize) -> usize {
        self.width
    }

    #[inline]
    fn cell(&self, row: usize, column: usize) -> Option<&str> {
        if column >= self.width {
            return None;
        }
        let cell = row * self.width + column;
        let (mut from, mut to) = (self.start(cell), self.ends[cell] as usize);
        let bytes = self.text.as_bytes();
        if self.returns && column + 1 == self.width && to > from && bytes[to - 1] == b'\r' {
            to -= 1;
        }
        if let Some(quote) = self.quote
            && bytes[from] == quote
        {
            // The other one is right before the end.
            from += 1;
            to -= 1;
        }
        self.text.get(from..to)
    }

    fn line(&self, row: usize) -> u64 {
        let before = &self.text.as_bytes()[..self.start(row * self.width)];
        lines(before) + 1
    }

    // Counted on from row to row: each by itself would count all lines before it.
    fn lines(&self, rows: Range<usize>) -> Vec<u64> {
        let mut line = self.line(rows.start);
        let mut from = self.start(rows.start * self.width);
        let counted = rows.map(|row| {
            let to = self.start(row * self.width);
            line += lines(&self.text.as_bytes()[from..to]);
            from = to;
            line
        });
        counted.collect()
    }
}

/// Where cells end; `None` where a quote stands elsewhere than around a cell. Quotes and carriage returns
/// are looked for where there are any.
fn find_ends<const QUOTES: bool, const RETURNS: bool>(
    bytes: &[u8],
    delimiter: u8,
    quote: u8,
    ends: &mut Vec<u32>,
) -> Option<()> {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut last = [0u8; 64];
    last[..rest.len()].copy_from_slice(rest);
    // Whether the byte before the block is within quotes, ends a cell, or ends a quoted text.
    let (mut within, mut ended, mut closed) = (0u64, 1u64, 0u64);
    let mut base = 0u32;
    for block in blocks.iter().chain((!rest.is_empty()).then_some(&last)) {
        let mut cells = mask(block, delimiter, b'\n');
        if QUOTES {
            let quotes = mask(block, quote, quote);
            let returns = if RETURNS {
                mask(block, b'\r', b'\r')
            } else {
                0
            };
            // From an opening quote on, and not from the closing one on.
            let inside = parity(quotes) ^ within;
            cells &= !inside;
            let (opening, closing) = (quotes & inside, quotes & !inside);
            let first = cells << 1 | ended;
            let behind = closing << 1 | closed;
            // A doubled quote opens right behind the one that closes.
            if opening & !first != 0 || behind & !(cells | returns) != 0 {
                return None;
            }
            within = (inside >> 63).wrapping_neg();
            ended = cells >> 63;
            closed = closing >> 63;
        }
        let mut places = [0u32; 64];
        let mut left = cells;
        let count = cells.count_ones() as usize;
        for place in &mut places[..count] {
            *place = base + left.trailing_zeros();
            left &= left - 1;
        }
        ends.extend_from_slice(&places[..count]);
        base += 64;
    }
    Some(())
}
