//! Records as batches of the wanted columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Fields, SchemaRef};

use super::parse::{Parser, Problem};
use super::records::{Broken, Cause, Failed, Record, Source};
use super::{JsonOptions, at, lake_error, text};
use crate::error::{LakeError, Result};
use crate::format::columns::{Column, Misfit, Reading, StructColumn};
use crate::format::frame::{Wanted, odd_reason, set_aside, without};
use crate::format::{AsFrame, Decode, Odd};

/// A batch ends when its records have as many bytes, however few they are.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// How often the first record may turn out to be none that is a line of its own.
const LINES_TRIED: u32 = 8;

/// Records as batches of the wanted columns.
pub(in crate::format) struct Decoder<S> {
    file: String,
    records: S,
    columns: StructColumn,
    keys: Option<Keys>,
    lines: Option<Lines>,
    /// Rows of the batch that are no records.
    dropped: Vec<usize>,
    /// How many records were read as lines of their own, and whether that is still tried.
    by_line: u64,
    try_lines: bool,
    /// Whether the text is a part of one: what is open at its end is an error then, and no bad record.
    part: bool,
    /// How many lines that looked like records were none, before the first that was one.
    tried: u32,
    frame: Option<AsFrame>,
    /// Whether what is no JSON is a row of nulls.
    ignore: bool,
    schema: SchemaRef,
    batch_size: usize,
    done: bool,
}

/// How records are read when enough of them were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    /// Whether records are lines: then a bad line is a bad record.
    by_line: bool,
}

/// The column of the records' keys.
struct Keys {
    column: Column,
    /// Its place among the wanted columns.
    place: usize,
}

/// The column of the records' lines.
struct Lines {
    numbers: Vec<i64>,
    place: usize,
}

/// What became of a record.
enum Read {
    /// It was appended; so many bytes were read.
    Record(usize),
    /// It is no record, or none that can be read.
    Bad(LakeError),
}

impl<S: Source> Decoder<S> {
    pub(in crate::format) fn new(
        records: S,
        options: &JsonOptions,
        decode: &Decode,
        single_is_array: bool,
    ) -> Result<Self> {
        let bad = |m: Misfit| LakeError::data(&decode.file, m.to_string());
        let reading = Reading {
            single_is_array,
            frame: decode.frame.is_some(),
            keys: decode
                .frame
                .as_ref()
                .is_some_and(|f| f.passed_over.is_some()),
        };
        let all: &Fields = decode.schema.fields();
        let Wanted { columns, line } = Wanted::of(decode);
        // A field of the records that has the name of the keys' column is not that column.
        let keyed = options.keyed.as_deref();
        let key = keyed.and_then(|name| mastic_schema::merge::position(all, name));
        let keys = match key.and_then(|key| decode.projection.iter().position(|w| *w == key)) {
            Some(place) => {
                let field = &all[decode.projection[place]];
                let column = Column::new(field.data_type(), reading).map_err(bad)?;
                Some(Keys { column, place })
            }
            None => None,
        };
        // Fields that are not read from the records.
        let own: Vec<usize> = (0..all.len())
            .filter(|i| Some(*i) != key && !decode.is_line(*i))
            .collect();
        let wanted: Vec<usize> = columns
            .iter()
            .filter_map(|(_, wanted)| own.iter().position(|i| i == wanted))
            .collect();
        let own: Fields = own.iter().map(|i| all[*i].clone()).collect();
        let own = options.keys_of(own);
        let mut columns = StructColumn::new(&own, &wanted, reading).map_err(bad)?;
        if let Some(names) = decode.frame.as_ref().and_then(|f| f.passed_over.as_ref()) {
            columns.pass_over(names);
        }
        Ok(Decoder {
            file: decode.file.clone(),
            records,
            columns,
            keys,
            lines: line.map(|place| Lines {
                numbers: Vec::new(),
                place,
            }),
            dropped: Vec::new(),
            by_line: 0,
            part: false,
            tried: 0,
            try_lines: options.path.is_none() && options.keyed.is_none(),
            frame: decode.frame.clone(),
            ignore: options.ignore_malformed,
            schema: Arc::new(decode.schema.project(&decode.projection)?),
            batch_size: decode.batch_size,
            done: false,
        })
    }

    /// Where records come from.
    pub(super) fn records(&mut self) -> &mut S {
        &mut self.records
    }

    /// How records are read from now on, whatever follows; `None` while that is not settled.
    pub(super) fn settled(&self) -> Option<Settled> {
        let by_line = self.by_line > 0;
        (by_line || !self.try_lines).then_some(Settled { by_line })
    }

    /// Reads a part of a text as another decoder settled to.
    pub(super) fn read_part(&mut self, settled: Settled) {
        self.by_line = u64::from(settled.by_line);
        self.try_lines = settled.by_line;
        self.part = true;
    }

    /// Where records come from, when no more are wanted.
    pub(super) fn into_records(self) -> S {
        self.records
    }

    fn fill(&mut self) -> Result<()> {
        let mut bytes = 0;
        while self.columns.len() < self.batch_size && bytes < BATCH_BYTES {
            let read = match self.try_lines {
                true => self.line()?,
                false => None,
            };
            let read = match read {
                Some(length) => Some(length),
                None => self.record()?,
            };
            match read {
                Some(length) => bytes += length,
                None => {
                    self.done = true;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads a record that is a line; how long it is. Nothing where the next record is none.
    fn line(&mut self) -> Result<Option<usize>> {
        let (file, odd) = (&self.file, self.odd());
        let record = match self.records.line() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            // What is wrong is found again, with its place, where records are cut.
            Err(Broken::Syntax { .. }) => return Ok(None),
            Err(broken) => return Err(lake_error(file, broken)),
        };
        let length = record.bytes.len();
        match append(file, &record, &mut self.columns, self.lines.as_mut(), odd)? {
            Read::Record(used) => {
                self.by_line += 1;
                self.records.passed(used);
                Ok(Some(used))
            }
            Read::Bad(error) => {
                self.drop_row();
                // One that goes on in the lines below it, unless lines are records here.
                let alone = self.records.stands_alone(length);
                let alone = alone.map_err(|b| lake_error(&self.file, b))?;
                let strict = self.frame.is_none() && !self.ignore;
                if strict || self.by_line == 0 || !alone {
                    self.tried += 1;
                    self.try_lines = self.by_line > 0 || self.tried < LINES_TRIED;
                    return Ok(None);
                }
                self.bad(Failed::Line, error)?;
                Ok(Some(length))
            }
        }
    }

    /// Reads a record that has to be found first; how long it is.
    fn record(&mut self) -> Result<Option<usize>> {
        let (file, odd) = (&self.file, self.odd());
        let (failed, error, length) = match self.records.next() {
            Ok(None) => return Ok(None),
            Ok(Some(record)) => {
                let length = record.bytes.len();
                if let Some(keys) = &mut self.keys {
                    let appended = match record.key {
                        Some(key) => keys.column.append_text(key),
                        None => {
                            keys.column.append_null();
                            Ok(())
                        }
                    };
                    appended.map_err(|misfit| {
                        let message = format!("the record's key: {misfit}");
                        at(file, &record, Problem { at: 0, message })
                    })?;
                }
                match append(file, &record, &mut self.columns, self.lines.as_mut(), odd)? {
                    Read::Record(_) => return Ok(Some(length)),
                    Read::Bad(error) => (Failed::Within, error, length),
                }
            }
            Err(broken @ Broken::Syntax { cause, .. }) => {
                let error = lake_error(file, broken);
                if self.part && cause == Cause::Cut {
                    return Err(error);
                }
                (Failed::Cutting, error, 0)
            }
            Err(broken) => return Err(lake_error(file, broken)),
        };
        if failed == Failed::Within {
            self.drop_row();
        }
        self.bad(failed, error)?;
        Ok(Some(length))
    }

    fn odd(&self) -> Odd {
        self.frame.as_ref().map(|f| f.odd).unwrap_or_default()
    }

    /// Ends the row of a record that could not be read to its end, and marks it.
    fn drop_row(&mut self) {
        let row = self.columns.len();
        self.columns.level(row + 1);
        if let Some(keys) = &mut self.keys {
            keys.column.level(row + 1);
        }
        if let Some(lines) = &mut self.lines {
            lines.numbers.resize(row + 1, 0);
        }
        self.dropped.push(row);
    }

    /// Sets a record aside and goes to where the next one may be; without a frame it is an error.
    fn bad(&mut self, failed: Failed, error: LakeError) -> Result<()> {
        let Some(frame) = &self.frame else {
            if !self.ignore {
                return Err(error);
            }
            let recovered = self.records.recover(failed);
            recovered
                .map_err(|b| lake_error(&self.file, b))?
                .ok_or(error)?;
            if failed == Failed::Cutting {
                self.drop_row();
            }
            // The row that was begun stays, with nulls.
            self.dropped.pop();
            return Ok(());
        };
        let recovered = self.records.recover(failed);
        match recovered.map_err(|b| lake_error(&self.file, b))? {
            Some(aside) => set_aside(frame.bad_records.as_ref(), error, aside.line, &aside.text),
            None => Err(error),
        }
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let (mut arrays, rows): (Vec<ArrayRef>, usize) = self.columns.finish_records()?;
        let mut others: Vec<(usize, ArrayRef)> = Vec::new();
        if let Some(keys) = &mut self.keys {
            others.push((keys.place, keys.column.finish()?));
        }
        if let Some(lines) = &mut self.lines {
            let numbers = std::mem::take(&mut lines.numbers);
            others.push((lines.place, Arc::new(Int64Array::from(numbers))));
        }
        others.sort_by_key(|(place, _)| *place);
        for (place, array) in others {
            arrays.insert(place, array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?;
        let dropped = std::mem::take(&mut self.dropped);
        without(batch, &dropped)
    }
}

fn append(
    file: &str,
    record: &Record<'_>,
    columns: &mut StructColumn,
    lines: Option<&mut Lines>,
    odd: Odd,
) -> Result<Read> {
    let text = match text(file, record) {
        Ok(text) => text,
        Err(error) => return Ok(Read::Bad(error)),
    };
    let mut parser = Parser::new(text);
    let read = parser
        .start()
        .map_err(Misfit::from)
        .and_then(|_| columns.append_object(&mut parser));
    match read {
        Ok(()) => {
            if let Some(lines) = lines {
                let number = i64::try_from(record.line).unwrap_or(i64::MAX);
                lines.numbers.push(number);
            }
            Ok(Read::Record(parser.position()))
        }
        Err(Misfit::Json(problem)) => Ok(Read::Bad(at(file, record, problem))),
        Err(misfit @ (Misfit::Value { .. } | Misfit::Key { .. })) => {
            // Of a record that is no JSON further on, inference has seen nothing: its values are no news.
            if let Err(problem) = Parser::new(text).skip() {
                return Ok(Read::Bad(at(file, record, problem)));
            }
            let line = Some(record.place(parser.position()).0);
            let file_name = file.to_owned();
            let error = match misfit {
                Misfit::Value {
                    wanted,
                    found,
                    path,
                } => LakeError::Misfit {
                    file: file_name,
                    line,
                    name: path,
                    wanted,
                    found,
                },
                other => LakeError::UnknownKey {
                    file: file_name,
                    line,
                    key: match other {
                        Misfit::Key { path } => path,
                        other => other.to_string(),
                    },
                },
            };
            match odd_reason(&error).filter(|_| odd == Odd::SetAside) {
                Some(reason) => Ok(Read::Bad(at(file, record, parser.problem(reason)))),
                None => Err(error),
            }
        }
        Err(other) => Err(at(file, record, parser.problem(other.to_string()))),
    }
}

impl<S: Source> Iterator for Decoder<S> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.done {
                return None;
            }
            if let Err(error) = self.fill() {
                self.done = true;
                return Some(Err(error));
            }
            if self.columns.len() == 0 {
                return None;
            }
            match self.batch() {
                // All of its records were bad.
                Ok(batch) if batch.num_rows() == 0 => {}
                batch => return Some(batch),
            }
        }
    }
}
