//! Rows as a dynamic frame takes them: what fits no column is told, and what is no row is set aside.

use std::sync::Arc;

use mastic_schema::choice;

use crate::error::{LakeError, Result};
use crate::format::BadRecords;
use crate::format::columns::{Column, Misfit};
use crate::format::frame::set_aside;

/// Appends a cell that is no null, as it was found. `name` is its column's.
///
/// # Errors
/// [`LakeError::Misfit`] where the column does not hold it.
pub(super) fn append(
    column: &mut Column,
    cell: &str,
    file: &str,
    line: impl FnOnce() -> u64,
    name: &str,
) -> Result<()> {
    // Of the alternatives of a choice only text keeps its blanks, and takes them off for the others itself.
    let cell = match column.is_text() || column.is_choice() {
        true => cell,
        false => cell.trim(),
    };
    column.append_found(cell).map_err(|misfit| match misfit {
        Misfit::Value { wanted, found, .. } => LakeError::Misfit {
            file: file.to_owned(),
            line: Some(line()),
            name: name.to_owned(),
            wanted,
            found,
        },
        other => LakeError::Misfit {
            file: file.to_owned(),
            line: Some(line()),
            name: name.to_owned(),
            wanted: choice::format_type(column.data_type()),
            found: other.to_string(),
        },
    })
}

/// The rows of a file that are none.
#[derive(Debug)]
pub(super) struct Aside {
    file: String,
    to: Arc<dyn BadRecords>,
    /// The lines of rows that are in a batch and are left out of it.
    lines: Vec<u64>,
}

impl Aside {
    pub(super) fn new(file: &str, to: Arc<dyn BadRecords>) -> Aside {
        Aside {
            file: file.to_owned(),
            to,
            lines: Vec::new(),
        }
    }

    /// Sets aside what begins in `line`.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn set(&self, line: u64, reason: &str, text: &[u8]) -> Result<()> {
        let error = LakeError::Data {
            file: self.file.clone(),
            line: Some(line),
            column: None,
            message: reason.to_owned(),
        };
        set_aside(self.to.as_ref(), error, line, text)
    }

    /// Leaves out the row of a batch that begins in `line`.
    pub(super) fn leave_out(&mut self, line: u64) {
        self.lines.push(line);
    }

    /// Whether the row that begins in `line` is left out.
    pub(super) fn is_left_out(&self, line: u64) -> bool {
        self.lines.contains(&line)
    }

    /// Rows before `line` are not asked for any more.
    pub(super) fn forget_before(&mut self, line: u64) {
        self.lines.retain(|own| *own >= line);
    }
}
