//! Rows and cells, however a text was cut into them.

use std::ops::Range;

use super::batch::Batch;

/// Rows of cells.
pub(super) trait Grid {
    /// How many cells a row has.
    fn width(&self, row: usize) -> usize;

    /// The text of a cell without its quotes; `None` where the row has no such cell.
    fn cell(&self, row: usize, column: usize) -> Option<&str>;

    /// The line that a row begins in, from 1.
    fn line(&self, row: usize) -> u64;

    /// The lines that rows begin in.
    fn lines(&self, rows: Range<usize>) -> Vec<u64> {
        rows.map(|row| self.line(row)).collect()
    }

    /// Whether a row is the header once more.
    fn same_as(&self, row: usize, header: &[String]) -> bool {
        header.len() > 1
            && self.width(row) == header.len()
            && header
                .iter()
                .enumerate()
                .all(|(column, name)| self.cell(row, column) == Some(name))
    }
}

/// Records as the lexer cuts them, whose text is UTF-8.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub(super) batch: &'a Batch,
    /// The batch's text, which is not there.
    pub(super) text: &'a str,
}

impl Grid for Cells<'_> {
    fn width(&self, row: usize) -> usize {
        self.batch.width(row)
    }

    fn cell(&self, row: usize, column: usize) -> Option<&str> {
        let (from, to) = self.batch.span(row, column)?;
        self.text.get(from..to)
    }

    fn line(&self, row: usize) -> u64 {
        self.batch.line(row)
    }
}
