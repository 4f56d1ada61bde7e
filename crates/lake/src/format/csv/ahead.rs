//! Other threads that decode a file ahead of who reads it.
//!
//! The reader cuts the text behind a line feed that looks like the end of a row, and a piece at a time
//! goes to another thread. Whether a cut was right, the thread tells that decodes the piece before
//! it: its rows end there, or they do not. A piece begins where the rows before it ended, and so nothing is ever guessed: where a
//! cut was wrong, what was made of the pieces behind it is thrown away, and they are cut anew. Batches come
//! in the order of the file, and errors name its lines.
//!
//! The first rows (preamble, header) and the last (notes, which are told by the rows around them)
//! are the [`Rows`]' own, and so is a text that no cut was right in.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use super::CsvOptions;
use super::batch::Batch;
use super::footer;
use super::grid::{Cells, Grid};
use super::lexer::{Lexer, Step, lines};
use super::plain::Plain;
use super::rows::{NOT_UTF8, Rows};
use super::target::{BadRow, Target};
use crate::error::{LakeError, Result};
use crate::format::guard::guarded;
use crate::format::threads::{Misses, Threads};

/// How much of the text behind a piece is looked at, where that is enough.
const BEHIND: usize = 64 * 1024;

/// What a thread made of a piece of text.
struct Done {
    batches: Vec<RecordBatch>,
    /// How many bytes the rows took: all, where the piece was cut right.
    used: usize,
    lines: u64,
    /// Whether a row is one cell alone, like a note.
    lone: bool,
    /// Rows that a frame sets aside.
    bad: Vec<BadRow>,
}

/// How text is decoded, for all threads.
struct Work {
    target: Arc<Target>,
    options: CsvOptions,
    lexer: Lexer,
    /// The table's width where rows that are like notes matter.
    notes: Option<usize>,
    /// Nobody waits any more.
    stopped: AtomicBool,
    /// Memory for where cells end.
    ends: Mutex<Vec<Vec<u32>>>,
}

/// A piece of text at work.
struct Job {
    text: Arc<Vec<u8>>,
    done: Receiver<Result<Done>>,
}

/// Pieces of a file that are decoded ahead.
pub(super) struct Ahead {
    threads: Threads,
    work: Arc<Work>,
    /// How many rows have to be left for the end.
    hold: usize,
    jobs: VecDeque<Job>,
    ready: VecDeque<RecordBatch>,
    /// Text that was read and not given to a thread: its first `filled` bytes.
    left: Vec<u8>,
    filled: usize,
    /// Memory of texts that are done with: to get as much anew for each costs more than to read it.
    spare: Vec<Vec<u8>>,
    /// Whether all that is left is the rows' own.
    ended: bool,
    misses: Misses,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.work.stopped.store(true, Ordering::Relaxed);
    }
}

impl Ahead {
    /// Decodes what follows in `rows`, whose header was read.
    pub(super) fn new<R: Read>(
        threads: Threads,
        target: Arc<Target>,
        options: &CsvOptions,
        rows: &Rows<R>,
    ) -> Self {
        Ahead {
            threads,
            work: Arc::new(Work {
                target,
                options: options.clone(),
                lexer: rows.lexer().clone(),
                notes: rows.finds_footer().then(|| rows.layout().width),
                stopped: AtomicBool::new(false),
                ends: Mutex::default(),
            }),
            hold: rows.hold(),
            jobs: VecDeque::new(),
            ready: VecDeque::new(),
            left: Vec::new(),
            filled: 0,
            spare: Vec::new(),
            ended: false,
            misses: Misses::default(),
        }
    }

    /// The next batch; `None` when what follows is left to the rows, which are then where it begins.
    ///
    /// # Errors
    /// When the text cannot be read, or is no table's.
    pub(super) fn next<R: Read>(&mut self, rows: &mut Rows<R>) -> Result<Option<RecordBatch>> {
        loop {
            self.hand_out(rows);
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            let Some(job) = self.jobs.pop_front() else {
                self.left.truncate(self.filled);
                rows.give_back(std::mem::take(&mut self.left));
                return Ok(None);
            };
            let done = match job.done.recv() {
                // A frame sets aside what is not UTF-8: the rows do, one by one.
                Ok(Err(LakeError::Data { message, .. }))
                    if message == NOT_UTF8 && rows.aside().is_some() =>
                {
                    self.take_back(&job, 0);
                    continue;
                }
                Ok(done) => done.map_err(|e| shifted(e, rows.lines_before()))?,
                Err(_) => {
                    let file = self.work.target.file();
                    return Err(LakeError::data(file, "a thread that decodes it stopped"));
                }
            };
            if done.used == job.text.len() {
                self.misses.right();
            } else if !self.take_back(&job, done.used) {
                // From where this piece began, which is known to be right.
                continue;
            }
            let before = rows.lines_before();
            for bad in done.bad {
                self.work.target.set_aside(bad, before)?;
            }
            for batch in done.batches {
                self.ready
                    .push_back(self.work.target.shifted(batch, before)?);
            }
            rows.pass(done.lines, done.lone);
            self.spare.extend(Arc::try_unwrap(job.text));
        }
    }

    /// Gives threads as much as they can have.
    fn hand_out<R: Read>(&mut self, rows: &mut Rows<R>) {
        while !self.ended && self.jobs.len() <= 2 * self.threads.count {
            match self.cut(rows) {
                None => self.ended = true,
                Some(text) => {
                    let text = Arc::new(text);
                    let done = self.start(text.clone());
                    self.jobs.push_back(Job { text, done });
                }
            }
        }
    }

    fn start(&self, text: Arc<Vec<u8>>) -> Receiver<Result<Done>> {
        let work = self.work.clone();
        self.threads.start(move || {
            if work.stopped.load(Ordering::Relaxed) {
                return None;
            }
            // Dropped when this is done: the text is the reader's again, who uses its memory once more.
            let text = text;
            Some(guarded(work.target.file(), || work.decode(&text)))
        })
    }

    /// Cuts a piece off the text, behind which enough rows are left; `None` where there is none.
    fn cut<R: Read>(&mut self, rows: &mut Rows<R>) -> Option<Vec<u8>> {
        let piece = self.threads.piece;
        let mut behind = BEHIND.min(piece);
        self.filled = rows.take_text(&mut self.left, self.filled, piece + behind);
        if self.filled < piece + behind {
            return None;
        }
        let cut = self.work.likely_end(&self.left[..piece])?;
        while !self
            .work
            .has_rows(&self.left[cut..self.filled], self.hold + 1)
        {
            if behind >= piece {
                return None;
            }
            behind = piece.min(behind * 4);
            self.filled = rows.take_text(&mut self.left, self.filled, piece + behind);
        }
        let after = &self.left[cut..self.filled];
        let mut rest = self.spare.pop().unwrap_or_default();
        if rest.len() < after.len() {
            rest.resize(after.len(), 0);
        }
        rest[..after.len()].copy_from_slice(after);
        self.filled = after.len();
        self.left.truncate(cut);
        Some(std::mem::replace(&mut self.left, rest))
    }

    /// Takes back what was cut wrong: all that follows the first `used` bytes of a piece. `false` where
    /// even they are taken back.
    fn take_back(&mut self, job: &Job, used: usize) -> bool {
        let mut left = job.text.to_vec();
        for later in self.jobs.drain(..) {
            left.extend_from_slice(&later.text);
        }
        left.extend_from_slice(&self.left[..self.filled]);
        self.filled = left.len();
        self.left = left;
        let kept = self.misses.wrong()
            && used > 0
            && self
                .work
                .has_rows(&self.left[used..self.filled], self.hold + 1);
        if kept {
            self.left.drain(..used);
            self.filled -= used;
        } else {
            self.ended = true;
        }
        kept
    }
}

/// An error in a text that begins behind so many lines.
fn shifted(error: LakeError, before: u64) -> LakeError {
    match error {
        LakeError::Data {
            file,
            line: Some(line),
            column,
            message,
        } => LakeError::Data {
            file,
            line: Some(line + before),
            column,
            message,
        },
        LakeError::Misfit {
            file,
            line: Some(line),
            name,
            wanted,
            found,
        } => LakeError::Misfit {
            file,
            line: Some(line + before),
            name,
            wanted,
            found,
        },
        other => other,
    }
}

impl Work {
    /// Behind the last line feed that has an even number of quotes before it.
    fn likely_end(&self, text: &[u8]) -> Option<usize> {
        let count = |text: &[u8]| match self.options.quote {
            Some(quote) => memchr::memchr_iter(quote, text).count(),
            None => 0,
        };
        let mut end = memchr::memrchr(b'\n', text)?;
        let mut quotes = count(&text[..end]);
        while quotes % 2 == 1 {
            let before = memchr::memrchr(b'\n', &text[..end])?;
            quotes -= count(&text[before..end]);
            end = before;
        }
        Some(end + 1)
    }

    /// Whether a text, which begins with a row, has so many whole ones.
    fn has_rows(&self, text: &[u8], count: usize) -> bool {
        let mut batch = Batch::default();
        let mut at = 0;
        while batch.len() < count {
            match self.lexer.step(&text[at..], false, 1, &mut batch) {
                Step::Record { used, .. } | Step::Skipped { used, .. } => at += used,
                Step::More | Step::Unclosed | Step::End => return false,
            }
        }
        true
    }

    fn decode(&self, text: &[u8]) -> Result<Done> {
        let lock = || self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ends = lock().pop().unwrap_or_default();
        let plain = std::str::from_utf8(text).ok().and_then(|text| {
            let comment = self.lexer.comment();
            Plain::cut(text, &self.options, comment, &mut ends)
        });
        let mut bad = Vec::new();
        let (used, count, batches, lone) = match plain {
            Some(grid) => {
                let batches = self.batches(&grid, grid.len(), &mut bad)?;
                let lone = self.has_lone(&grid, grid.len());
                (text.len(), grid.all_lines(), batches, lone)
            }
            None => {
                let (batch, cells, used) = self.lex(text)?;
                let grid = Cells {
                    batch: &batch,
                    text: &cells,
                };
                let batches = self.batches(&grid, batch.len(), &mut bad)?;
                let lone = self.has_lone(&grid, batch.len());
                (used, lines(&text[..used]), batches, lone)
            }
        };
        lock().push(ends);
        Ok(Done {
            batches,
            used,
            lines: count,
            lone,
            bad,
        })
    }

    /// Cuts text row by row, as far as there are whole ones.
    fn lex(&self, text: &[u8]) -> Result<(Batch, String, usize)> {
        let mut batch = Batch::default();
        let (mut at, mut line) = (0, 1);
        while at < text.len() {
            match self.lexer.step(&text[at..], false, line, &mut batch) {
                Step::Record { used, lines } | Step::Skipped { used, lines } => {
                    at += used;
                    line += lines;
                }
                Step::More | Step::Unclosed | Step::End => break,
            }
        }
        match String::from_utf8(std::mem::take(&mut batch.text)) {
            Ok(text) => Ok((batch, text, at)),
            Err(error) => Err(LakeError::Data {
                file: self.target.file().to_owned(),
                line: batch
                    .line_at(error.utf8_error().valid_up_to())
                    .or(Some(line)),
                column: None,
                message: NOT_UTF8.to_owned(),
            }),
        }
    }

    /// Batches of equal size, as large as they may be.
    fn batches(
        &self,
        grid: &impl Grid,
        rows: usize,
        bad: &mut Vec<BadRow>,
    ) -> Result<Vec<RecordBatch>> {
        let count = rows.div_ceil(self.target.batch_size().max(1));
        let mut columns = self.target.columns()?;
        (0..count)
            .map(|i| {
                let rows = rows * i / count..rows * (i + 1) / count;
                self.target.batch(&mut columns, grid, rows, None, bad)
            })
            .collect()
    }

    fn has_lone(&self, grid: &impl Grid, rows: usize) -> bool {
        let Some(width) = self.notes else {
            return false;
        };
        // Nearly every row has something in its second cell.
        let filled = |cell: &str| cell.as_bytes().first().is_some_and(u8::is_ascii_graphic);
        (0..rows).any(|row| {
            if grid.cell(row, 1).is_some_and(filled) {
                return false;
            }
            let cells = (0..grid.width(row)).map(|i| grid.cell(row, i).unwrap_or_default());
            footer::is_lone(cells, width)
        })
    }
}
