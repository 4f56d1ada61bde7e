//! How well a dialect explains a text: by how regular its rows are, and how much their cells look
//! like values.

use super::CsvOptions;
use super::layout::Rows;
use super::lexer::Lexer;
use super::shape::{Shape, shape};

/// Glue's five, in the order in which ties are broken.
pub(super) const COMMON: &[u8] = b",\t;|\x01";

/// How many rows' cells are looked at.
const SCORED: usize = 60;
const COLUMNS: usize = 100;

/// How a dialect explains a text.
pub(super) struct Fit {
    pub(super) options: CsvOptions,
    pub(super) width: usize,
    pub(super) rows: usize,
    /// The share of rows that have the width, from the first to the last that has it.
    pub(super) exact: f64,
    /// Rows before the first and after the last of that width, as a share.
    pub(super) outside: f64,
    pub(super) unclosed: bool,
    /// Whether a cell begins with a quote that is none.
    pub(super) stray: bool,
    /// Columns of numbers or times.
    pub(super) typed: usize,
    pub(super) score: f64,
}

#[allow(clippy::cast_precision_loss)] // counts of a head
pub(super) fn share(part: usize, of: usize) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

impl Fit {
    pub(super) fn of(text: &[u8], complete: bool, options: CsvOptions, most: usize) -> Option<Fit> {
        let rows = Rows::cut(text, complete, &Lexer::new(&options, None), most);
        let width = rows.width();
        let count = rows.len();
        if count == 0 {
            return None;
        }
        let fits = |row: &usize| rows.batch.width(*row) == width;
        let first = (0..count).find(fits)?;
        let last = (0..count).rev().find(fits)?;
        let inner = last + 1 - first;
        let mut exact = (first..=last).filter(fits).count();
        // A header without a name for R's row names is none the worse for it.
        let short = first == 1 && last + 1 == count && rows.batch.width(0) + 1 == width;
        exact += usize::from(short);
        let outside = count - inner - usize::from(short);
        Some(
            Fit {
                width,
                rows: count,
                exact: share(exact, inner + usize::from(short)),
                outside: share(outside, count),
                unclosed: rows.unclosed,
                stray: false,
                typed: 0,
                score: 0.0,
                options,
            }
            .scored(&rows, first, last),
        )
    }

    /// Scores the shapes of the cells of rows from `first` to `last`.
    fn scored(mut self, rows: &Rows, first: usize, last: usize) -> Fit {
        let step = ((last + 1 - first) / SCORED).max(1);
        let columns = self.width.min(COLUMNS);
        let mut kinds = vec![[0usize; 5]; columns];
        let (mut worth, mut cells) = (0.0, 0usize);
        for row in (first..=last).step_by(step) {
            let batch = &rows.batch;
            for (column, (from, to)) in batch.spans(row).enumerate().take(columns) {
                let quoted = from > 0
                    && self
                        .options
                        .quote
                        .is_some_and(|q| batch.text[from - 1] == q);
                let shape = shape(&batch.text[from..to], quoted);
                self.stray |= !quoted && batch.text.get(from).copied() == self.options.quote;
                worth += shape.worth();
                cells += 1;
                // The first row may be names, which are of no column's kind.
                if row == first && last - first > 2 {
                    continue;
                }
                kinds[column][match shape {
                    Shape::Number => 0,
                    Shape::Time | Shape::Boolean => 1,
                    Shape::Code => 2,
                    Shape::Word | Shape::Text | Shape::Odd => 3,
                    Shape::Empty | Shape::Marker => 4,
                }] += 1;
            }
        }
        let worth = if cells == 0 {
            0.0
        } else {
            #[allow(clippy::cast_precision_loss)]
            let cells = cells as f64;
            worth / cells
        };
        let mut alike = 0.0;
        for kinds in &kinds {
            let most = kinds[..4].iter().max().copied().unwrap_or_default();
            let all: usize = kinds[..4].iter().sum();
            alike += if all == 0 { 0.7 } else { share(most, all) };
            let values = kinds[0].max(kinds[1]);
            self.typed += usize::from(values > 0 && values * 10 >= all * 8);
        }
        #[allow(clippy::cast_precision_loss)]
        let alike = if columns == 0 {
            0.0
        } else {
            alike / columns as f64
        };
        let parts = share(self.width.saturating_sub(1), self.width);
        let prior = match self.options.delimiter {
            b',' | b'\t' | b';' | 1 => 1.0,
            b'|' => 0.95,
            b' ' if self.options.collapse => 0.6,
            b' ' => 0.5,
            b':' => 0.4,
            _ => 0.6,
        };
        // A row or two before the table are a title; the fewer rows there are, the more they tell.
        let outside = 1.0 - self.outside * 0.6;
        self.score = self.exact * self.exact * worth * worth * alike * parts * prior * outside;
        if self.unclosed {
            self.score *= 0.3;
        }
        self
    }

    pub(super) fn is_common(&self) -> bool {
        COMMON.contains(&self.options.delimiter)
    }

    /// Every row has as many cells, several of them.
    pub(super) fn is_perfect(&self) -> bool {
        self.width > 1 && self.exact >= 1.0 && self.outside == 0.0 && !self.unclosed
    }
}
