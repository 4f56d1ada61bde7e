//! Records and their cells, in one buffer.

/// Records and their cells, in one buffer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The text of records, one after another.
    pub(super) text: Vec<u8>,
    pub(super) spans: Vec<(u32, u32)>,
    pub(super) ends: Vec<u32>,
    pub(super) facts: Vec<Fact>,
    /// Cells whose quotes have to be unescaped: which span, and where it stands in the record.
    pub(super) escaped: Vec<usize>,
    /// Whether a blank line stands before the next record.
    pub(super) apart: bool,
}

/// What is known of a record beside its cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    pub(super) line: u64,
    pub(super) apart: bool,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
        self.ends.clear();
        self.facts.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn line(&self, row: usize) -> u64 {
        self.facts[row].line
    }

    /// The line of the row that has the text's byte `at`; of the first where none has it, `None` where
    /// there are no rows.
    pub(super) fn line_at(&self, at: usize) -> Option<u64> {
        let has = |row: &usize| self.spans(*row).any(|(_, to)| to > at);
        let row = (0..self.len()).find(has).unwrap_or_default();
        (row < self.len()).then(|| self.line(row))
    }

    /// Whether a blank line stands before the row.
    pub(super) fn apart(&self, row: usize) -> bool {
        self.facts[row].apart
    }

    fn spans_of(&self, row: usize) -> &[(u32, u32)] {
        let from = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.spans[from as usize..self.ends[row] as usize]
    }

    pub(super) fn width(&self, row: usize) -> usize {
        self.spans_of(row).len()
    }

    fn slice(&self, span: (u32, u32)) -> &[u8] {
        &self.text[span.0 as usize..span.1 as usize]
    }

    /// The bytes of a row's cells.
    pub(super) fn cells(&self, row: usize) -> impl ExactSizeIterator<Item = &[u8]> {
        self.spans_of(row).iter().map(|span| self.slice(*span))
    }

    /// Where a cell stands in the text.
    pub(super) fn span(&self, row: usize, column: usize) -> Option<(usize, usize)> {
        let span = self.spans_of(row).get(column)?;
        Some((span.0 as usize, span.1 as usize))
    }

    pub(super) fn spans(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let spans = self.spans_of(row).iter();
        spans.map(|(from, to)| (*from as usize, *to as usize))
    }

    /// Forgets all rows before `row`.
    pub(super) fn keep_from(&mut self, row: usize) {
        if row >= self.len() {
            return self.clear();
        }
        if row == 0 {
            return;
        }
        let cells = self.ends[row - 1];
        self.spans.drain(..cells as usize);
        self.ends.drain(..row);
        self.facts.drain(..row);
        let base = self.spans.iter().map(|s| s.0).min().unwrap_or_default();
        self.text.drain(..base as usize);
        for span in &mut self.spans {
            *span = (span.0 - base, span.1 - base);
        }
        for end in &mut self.ends {
            *end -= cells;
        }
    }
}
