//! Where in a file its table is: below which titles and comments, and with which header.
//!
//! The same function looks at a file when it is crawled and when it is read, at the same bytes, so
//! that both see the same rows however a file's preamble differs from its neighbours'.

use super::CsvOptions;
use super::batch::Batch;
use super::header::{self, Verdict};
use super::lexer::{Lexer, Step};
use super::shape::{Shape, shape};

/// How much of a file is looked at.
pub(super) const HEAD: usize = 64 * 1024;
/// How many rows of it.
const ROWS: usize = 300;
/// How many rows may stand before a table.
const MAX_PREAMBLE: usize = 60;

/// Where a file's table is.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Where in the file the header is, or the first row where there is none.
    pub(super) start: usize,
    /// The line there, from 1.
    pub(super) line: u64,
    /// How many columns most rows have.
    pub(super) width: usize,
    /// Whether there is a header, and why.
    pub(super) header: Verdict,
    /// Whether rows have one column more than the header: R's row names, which have no name.
    pub(super) row_names: bool,
    /// Whether the header itself stands in a comment.
    pub(super) commented: bool,
    /// What comments begin with.
    pub(super) comment: Option<u8>,
}

/// The rows at the beginning of a file.
pub(super) struct Rows {
    pub(super) batch: Batch,
    starts: Vec<usize>,
    /// Whether a quote was opened and not closed.
    pub(super) unclosed: bool,
    /// Bytes that were cut into rows.
    pub(super) used: usize,
}

impl Rows {
    pub(super) fn cut(head: &[u8], complete: bool, lexer: &Lexer, most: usize) -> Rows {
        let mut rows = Rows {
            batch: Batch::default(),
            starts: Vec::new(),
            unclosed: false,
            used: 0,
        };
        let mut line = 1;
        while rows.batch.len() < most {
            let from = rows.used;
            match lexer.step(&head[from..], complete, line, &mut rows.batch) {
                Step::Record { used, lines } => {
                    rows.starts.push(from);
                    rows.used += used;
                    line += lines;
                }
                Step::Skipped { used, lines } => {
                    rows.used += used;
                    line += lines;
                }
                Step::Unclosed => {
                    rows.unclosed = true;
                    break;
                }
                Step::More => {
                    // What is left is one record: too much for one means a quote that is open.
                    let rest = &head[from..];
                    rows.unclosed = memchr::memchr_iter(b'\n', rest).count() > 40;
                    break;
                }
                Step::End => break,
            }
        }
        rows
    }

    pub(super) fn len(&self) -> usize {
        self.batch.len()
    }

    /// The width that most rows have. Titles and notes have one cell, so that wider rows count
    /// double.
    pub(super) fn width(&self) -> usize {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for row in 0..self.len() {
            let width = self.batch.width(row);
            match counts.iter_mut().find(|(w, _)| *w == width) {
                Some((_, count)) => *count += 1,
                None => counts.push((width, 1)),
            }
        }
        let weight =
            |(width, count): (usize, usize)| (count * if width > 1 { 2 } else { 1 }, width);
        counts
            .into_iter()
            .max_by_key(|c| weight(*c))
            .map_or(0, |(width, _)| width)
    }

    /// Cells that are not blank.
    fn filled(&self, row: usize) -> usize {
        let cells = self.batch.cells(row);
        cells.filter(|c| !c.trim_ascii().is_empty()).count()
    }

    fn first(&self, row: usize) -> &[u8] {
        self.batch.cells(row).next().unwrap_or_default()
    }
}

/// Finds the table in the beginning of a file, which is all of it where `complete`.
pub(super) fn find(head: &[u8], complete: bool, options: &CsvOptions) -> Layout {
    let head = &head[..head.len().min(HEAD)];
    let rows = Rows::cut(head, complete, &Lexer::new(options, None), ROWS);
    let (rows, comment, commented) = match comment(&rows, options) {
        None => (rows, None, None),
        Some(byte) => {
            let without = Rows::cut(head, complete, &Lexer::new(options, Some(byte)), ROWS);
            let titled = commented_header(&rows, &without, byte);
            (without, Some(byte), titled)
        }
    };
    let width = rows.width();
    let skip = preamble(&rows, width);
    if let Some((start, line)) = commented.filter(|_| skip == 0) {
        return Layout {
            start,
            line,
            width,
            header: Verdict {
                header: true,
                why: "the last comment before the first row names the columns",
            },
            row_names: false,
            commented: true,
            comment,
        };
    }
    let mut header = header::judge(&rows.batch, skip, width);
    let row_names = header.header && is_short(&rows, skip, width);
    if rows.len() == skip {
        header.header = options.header;
    }
    Layout {
        start: rows.starts.get(skip).copied().unwrap_or_default(),
        line: if rows.len() > skip {
            rows.batch.line(skip)
        } else {
            1
        },
        width,
        header,
        row_names,
        commented: false,
        comment,
    }
}

/// Whether the row at `at` has one cell less than all that follow it.
fn is_short(rows: &Rows, at: usize, width: usize) -> bool {
    let batch = &rows.batch;
    let below = at + 1..rows.len();
    width > 1
        && batch.width(at) + 1 == width
        && !below.is_empty()
        && below.clone().all(|row| batch.width(row) == width)
        // A delimiter at the end of every row is no column, and no row without a name either.
        && below.clone().any(|row| batch.cells(row).last().is_some_and(|c| !c.trim_ascii().is_empty()))
        && below.clone().all(|row| !rows.first(row).trim_ascii().is_empty())
}

/// How many rows stand before the table: titles, `sep=;`, and what else is too narrow for it.
fn preamble(rows: &Rows, width: usize) -> usize {
    let batch = &rows.batch;
    let count = rows.len();
    let marked = usize::from(count > 0 && is_separator_line(rows.first(0)));
    if width < 2 {
        return marked;
    }
    let narrow = |row: usize| {
        let own = batch.width(row);
        own == 1 && !(width == 2 && is_short(rows, row, width) && !rows.first(row).contains(&b' '))
            || own * 2 < width
    };
    let mut skip = marked;
    while skip < count.min(MAX_PREAMBLE) && narrow(skip) {
        skip += 1;
    }
    // A blank line between what is all narrower than the table and the table.
    let parted = (skip + 1..count.min(MAX_PREAMBLE)).rev().find(|row| {
        batch.apart(*row)
            && (0..*row).all(|above| batch.width(above) < width)
            && (*row + 1..count.min(*row + 6)).all(|below| batch.width(below) >= width)
            && *row + 1 < count
            && batch.width(*row) + 1 >= width
    });
    if let Some(row) = parted {
        skip = row;
    }
    // Spreadsheets pad titles with empty cells. Those are rows as well as titles, by themselves: a
    // row of names has to follow.
    let padded = |row: usize| {
        let filled = rows.filled(row);
        filled == 0
            || width >= 3 && filled == 1 && !rows.first(row).is_empty()
            || width >= 5
                && filled == 2
                && rows.filled(row) * 2 < width
                && !rows.first(row).is_empty()
    };
    let mut below = skip;
    while below < count.min(MAX_PREAMBLE) && (padded(below) || narrow(below)) {
        below += 1;
    }
    if below > skip && below + 1 < count {
        let names = batch.cells(below).all(|c| !shape(c, false).is_value());
        if names && rows.filled(below) * 2 >= width {
            skip = below;
        }
    }
    // A table of which nothing would be left is none.
    if skip >= count || count - skip < 2 && skip > marked && !names_follow(rows, skip) {
        return marked;
    }
    skip
}

/// Whether the row at `at` could be a header with no rows.
fn names_follow(rows: &Rows, at: usize) -> bool {
    rows.batch
        .cells(at)
        .all(|c| matches!(shape(c, false), Shape::Word | Shape::Text | Shape::Empty))
}

/// `sep=;`, by which Excel is told the delimiter.
pub(super) fn is_separator_line(cell: &[u8]) -> bool {
    cell.get(..4)
        .is_some_and(|c| c.eq_ignore_ascii_case(b"sep="))
        && cell.len() <= 6
}

/// What lines begin with that are comments: more than one such line that has not the shape of the
/// table's rows, or a single one that has not.
fn comment(rows: &Rows, options: &CsvOptions) -> Option<u8> {
    let width = rows.width();
    [b'#', b'%', b'!'].into_iter().find(|byte| {
        if *byte == options.delimiter {
            return false;
        }
        let mut marked = 0;
        let mut fitting = 0;
        let mut others = 0;
        for row in 0..rows.len() {
            let first = rows.first(row);
            if first.first() == Some(byte) {
                marked += 1;
                fitting += usize::from(rows.batch.width(row) == width && width > 1);
            } else {
                others += 1;
            }
        }
        let first = rows.len() > 0 && rows.first(0).first() == Some(byte);
        if width < 2 {
            // A list: comments stand before it and have words in them.
            return *byte == b'#' && first && others > 1 && rows.first(0).contains(&b' ');
        }
        // `#id,name` is a header, and `#1,…` below it are rows.
        marked > fitting && others > 0
            || first && fitting > 0 && fitting == marked && marked > 1 && others > marked
    })
}

/// Where the header is that stands in the last comment before the first row.
fn commented_header(all: &Rows, without: &Rows, byte: u8) -> Option<(usize, u64)> {
    let width = without.width();
    let first = *without.starts.first()?;
    let at = all.starts.iter().rposition(|start| *start < first)?;
    let cells: Vec<&[u8]> = all.batch.cells(at).collect();
    if cells.first()?.first() != Some(&byte) || width < 2 {
        return None;
    }
    let own = strip_comment(&cells, byte);
    let names = own
        .iter()
        .all(|c| matches!(shape(c, false), Shape::Word | Shape::Text | Shape::Code));
    // A header of its own, below the comments, is the better one.
    let below = header::judge(&without.batch, 0, width);
    (own.len() == width && names && !below.header)
        .then(|| Some((*all.starts.get(at)?, all.batch.line(at))))
        .flatten()
}

/// The cells of a comment without what makes it one.
pub(super) fn strip_comment<'a>(cells: &[&'a [u8]], byte: u8) -> Vec<&'a [u8]> {
    let mut own: Vec<&[u8]> = cells.to_vec();
    if let Some(first) = own.first_mut() {
        let bare = first.iter().position(|b| *b != byte).unwrap_or(first.len());
        *first = first[bare..].trim_ascii();
        if first.is_empty() {
            own.remove(0);
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (u64, usize, bool) {
        let layout = find(text.as_bytes(), true, &CsvOptions::default());
        (layout.line, layout.width, layout.header.header)
    }

    #[test]
    fn tables_below_titles_and_comments() {
        for (text, expected) in [
            ("a,b\n1,2\n", (1, 2, true)),
            ("Report of 2020\n\na,b\n1,2\n3,4\n", (3, 2, true)),
            (
                "Sales,,\nby month,,\nid,name,n\n1,x,2\n2,y,3\n",
                (3, 3, true),
            ),
            ("sep=,\na,b\n1,2\n", (2, 2, true)),
            ("# a note\n# b\nx,y\n1,2\n3,4\n", (3, 2, true)),
            ("#id,name\n1,x\n2,y\n", (1, 2, true)),
            ("# made by R\n# x,y\n1,2\n3,4\n", (2, 2, true)),
            ("1,,\n2,3,4\n5,6,7\n", (1, 3, false)),
            ("a\n\"r1\",1\n\"r2\",2\n", (1, 2, true)),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let layout = find(b"x,y\nr1,1,2\nr2,3,4\n", true, &CsvOptions::default());
        assert!(layout.row_names);
    }
}
