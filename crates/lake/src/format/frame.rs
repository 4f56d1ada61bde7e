//! Reading as a dynamic frame does: values keep the types that they were found with, and a record that
//! cannot be read is set aside and does not end the run.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use mastic_schema::origin::LINE;

use super::Decode;
use crate::error::{LakeError, Result};
use crate::input::Input;

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The file's URL.
    pub file: String,
    /// The record's first line, from 1, where the format has lines.
    pub line: Option<u64>,
    /// The byte in the line, from 1, where known.
    pub column: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
    /// Its text, cut to [`BadRecord::SHOWN`] bytes at most.
    pub text: String,
}

impl BadRecord {
    /// How many bytes of a bad record's text are kept.
    pub const SHOWN: usize = 4096;
}

/// Where a frame's bad records go.
pub trait BadRecords: fmt::Debug + Send + Sync {
    /// Takes a record that could not be read. Called from any thread; it should return at once.
    ///
    /// # Errors
    /// When there are too many: reading ends with this error.
    fn set_aside(&self, record: BadRecord) -> Result<()>;
}

/// What becomes of what a frame's columns do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Odd {
    /// Reading ends with [`LakeError::Misfit`] or [`LakeError::UnknownKey`]: the columns can be found out
    /// by a look at all records.
    #[default]
    Told,
    /// The record is set aside: all records have been looked at, and the columns are what they are.
    SetAside,
}

/// How a dynamic frame reads.
#[derive(Debug, Clone)]
pub struct AsFrame {
    /// Where records go that cannot be read.
    pub bad_records: Arc<dyn BadRecords>,
    /// What becomes of values that no column holds, and of keys that no column has.
    pub odd: Odd,
    /// The names of keys of records (in CSV, of columns) that are passed over though no column has them, in
    /// any case. All others are odd. Without it no key is.
    pub passed_over: Option<Arc<[String]>>,
}

impl AsFrame {
    /// A frame whose bad records go there; values that no column holds end the reading, and keys that no
    /// column has are passed over.
    pub fn new(bad_records: Arc<dyn BadRecords>) -> AsFrame {
        AsFrame {
            bad_records,
            odd: Odd::default(),
            passed_over: None,
        }
    }

    /// Whether a key that no column has is odd.
    pub(super) fn is_odd(&self, key: &str) -> bool {
        let Some(passed_over) = &self.passed_over else {
            return false;
        };
        let lower = key.trim().to_lowercase();
        // Nothing is bound to a key without a name.
        !lower.is_empty() && !passed_over.iter().any(|name| name.to_lowercase() == lower)
    }
}

/// Where the bad records of one file go. Where all records have been looked at before, the first of them has the
/// file looked at once more: it may not be the one that was listed any more.
#[derive(Debug)]
struct OfFile {
    to: Arc<dyn BadRecords>,
    input: Input,
    unchanged: OnceLock<bool>,
}

impl BadRecords for OfFile {
    fn set_aside(&self, record: BadRecord) -> Result<()> {
        match self.unchanged.get_or_init(|| self.input.is_unchanged()) {
            true => self.to.set_aside(record),
            false => Err(LakeError::Changed {
                file: self.input.url.clone(),
            }),
        }
    }
}

/// What is said of a record whose value or key is odd, and has to be set aside.
pub(super) fn odd_reason(error: &LakeError) -> Option<String> {
    match error {
        LakeError::Misfit {
            name,
            wanted,
            found,
            ..
        } => Some(format!("{found} in column '{name}' is no {wanted}")),
        LakeError::UnknownKey { key, .. } => Some(format!("no column is known for '{key}'")),
        _ => None,
    }
}

/// A batch without some of its rows, which are in order.
pub(super) fn without(batch: RecordBatch, dropped: &[usize]) -> Result<RecordBatch> {
    if dropped.is_empty() {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let kept = BooleanBuffer::collect_bool(rows, |row| dropped.binary_search(&row).is_err());
    Ok(filter_record_batch(&batch, &BooleanArray::from(kept))?)
}

/// Sets a record aside for the reason that an error gives: its place is the error's, or this line. Errors that
/// are about no record are handed back.
pub(super) fn set_aside(
    frame: &dyn BadRecords,
    error: LakeError,
    line: u64,
    text: &[u8],
) -> Result<()> {
    let LakeError::Data {
        file,
        line: at,
        column,
        message,
    } = error
    else {
        return Err(error);
    };
    let text = &text[..text.len().min(BadRecord::SHOWN)];
    let mut text = String::from_utf8_lossy(text.trim_ascii_end()).into_owned();
    // What is no text is shown by a mark that is longer.
    while text.len() > BadRecord::SHOWN {
        text.pop();
    }
    frame.set_aside(BadRecord {
        file,
        // Its first line, and the column only where that is in the same one.
        line: Some(line),
        column: column.filter(|_| at == Some(line)),
        reason: message,
        text,
    })
}

/// The wanted columns of a decoder, parted.
pub(super) struct Wanted {
    /// Those of the file: their places among the wanted columns, and in the table.
    pub(super) columns: Vec<(usize, usize)>,
    /// The place of the column of lines.
    pub(super) line: Option<usize>,
}

impl Wanted {
    pub(super) fn of(decode: &Decode) -> Wanted {
        let places = decode.projection.iter().copied().enumerate();
        let (lines, columns): (Vec<_>, Vec<_>) = places.partition(|(_, at)| decode.is_line(*at));
        Wanted {
            columns,
            line: lines.first().map(|(place, _)| *place),
        }
    }
}

impl Decode {
    /// The same for this file, of which a record that is set aside says that it did not change.
    pub(super) fn watching(&self, input: &Input) -> Decode {
        let mut decode = self.clone();
        if let Some(frame) = decode.frame.as_mut().filter(|f| f.odd == Odd::SetAside) {
            frame.bad_records = Arc::new(OfFile {
                to: frame.bad_records.clone(),
                input: input.clone(),
                unchanged: OnceLock::new(),
            });
        }
        decode
    }

    /// Whether a column of the table is the one that a frame has each record's line in. It is bound to no
    /// column of a file.
    pub(super) fn is_line(&self, column: usize) -> bool {
        let fields = self.schema.fields();
        self.frame.is_some() && fields.get(column).is_some_and(|f| f.name() == LINE)
    }
}
