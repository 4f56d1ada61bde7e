//! Reading as a dynamic frame does: values keep the types that they were found with, and a record that
//! cannot be read is set aside and does not end the run.

use std::fmt;

use mastic_schema::origin::LINE;

use super::Decode;
use crate::error::{LakeError, Result};

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
    /// Whether a column of the table is the one that a frame has each record's line in. It is bound to no
    /// column of a file.
    pub(super) fn is_line(&self, column: usize) -> bool {
        let fields = self.schema.fields();
        self.frame.is_some() && fields.get(column).is_some_and(|f| f.name() == LINE)
    }
}
