//! A file as batches of the wanted columns.

use std::io::Read;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::CsvOptions;
use super::ahead::Ahead;
use super::frame::Aside;
use super::rows::Rows;
use super::target::Target;
use crate::error::Result;
use crate::format::Decode;
use crate::format::columns::Column;
use crate::format::threads::Threads;

/// Decodes a file.
pub(in crate::format) struct Decoder<R> {
    rows: Rows<R>,
    target: Arc<Target>,
    columns: Vec<Column>,
    options: CsvOptions,
    threads: Option<Threads>,
    /// What other threads decode ahead; where there is none, rows are decoded here.
    ahead: Option<Ahead>,
    started: bool,
    done: bool,
}

impl<R: Read> Decoder<R> {
    /// A decoder that decodes on the thread that asks for batches, and on others where `threads` are given.
    pub(in crate::format) fn new(
        reader: R,
        options: &CsvOptions,
        decode: &Decode,
        threads: Option<Threads>,
    ) -> Result<Self> {
        let target = Target::new(options, decode)?;
        let aside = decode.frame.as_ref();
        let aside = aside.map(|f| Aside::new(&decode.file, f.bad_records.clone()));
        Ok(Decoder {
            rows: Rows::open(&decode.file, reader, options, false)?.with_aside(aside),
            columns: target.columns()?,
            target: Arc::new(target),
            options: options.clone(),
            threads,
            ahead: None,
            started: false,
            done: false,
        })
    }

    /// Reads the header, if the file has one, and binds the columns.
    fn start(&mut self) -> Result<()> {
        self.started = true;
        let line = self.rows.layout().line;
        let header = match self.options.header {
            false => None,
            true => match self.rows.header()? {
                Some(header) => Some(header),
                None => {
                    self.done = true;
                    return Ok(());
                }
            },
        };
        let layout = self.rows.layout();
        let plain = !layout.commented && !layout.row_names;
        let header = match header {
            // Some of a table's files may lack the header that the others have.
            Some(row) if plain && self.target.is_no_header(&row) => {
                self.rows.give_back_header();
                // Other threads are given what was not read yet.
                self.threads = None;
                None
            }
            header => header,
        };
        // Nobody shares it yet.
        if let Some(target) = Arc::get_mut(&mut self.target) {
            match header {
                Some(header) => target.bind(header, line)?,
                None => target.bind_by_place(),
            }
        }
        if let Some(threads) = self.threads.take() {
            self.ahead = Some(Ahead::new(
                threads,
                self.target.clone(),
                &self.options,
                &self.rows,
            ));
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<Option<RecordBatch>> {
        if !self.started {
            self.start()?;
        }
        if let Some(ahead) = &mut self.ahead {
            match ahead.next(&mut self.rows)? {
                Some(batch) => return Ok(Some(batch)),
                None => self.ahead = None,
            }
        }
        if self.done || self.rows.read(self.target.batch_size())? == 0 {
            self.done = true;
            return Ok(None);
        }
        let rows = 0..self.rows.len();
        let left_out = |line: u64| {
            let aside = self.rows.aside();
            aside.is_some_and(|aside| aside.is_left_out(line))
        };
        let mut bad = Vec::new();
        let batch = self.target.batch(
            &mut self.columns,
            &self.rows.cells(),
            rows,
            self.rows.aside().is_some().then_some(&left_out as _),
            &mut bad,
        )?;
        for bad in bad {
            self.target.set_aside(bad, 0)?;
        }
        Ok(Some(batch))
    }
}

impl<R: Read> Iterator for Decoder<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.fill();
        if batch.is_err() {
            self.done = true;
            self.ahead = None;
        }
        batch.transpose()
    }
}
