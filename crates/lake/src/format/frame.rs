//! Reading as a dynamic frame does: values keep the types that they were found with, and a record that
//! cannot be read is set aside and does not end the run.

use std::fmt;

use crate::error::Result;

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
