//! Where a record came from: two columns that a frame carries along unseen, so that an error record can
//! say the file and line it was read from.

use arrow_schema::{DataType, Field};

/// The column with the URL of a record's file.
pub const FILE: &str = "$file";

/// The column with a record's line in a text file, from 1; NULL where a format has no lines.
pub const LINE: &str = "$line";

/// Whether a column is one of these two.
pub fn is_origin(name: &str) -> bool {
    name == FILE || name == LINE
}

/// The field of [`FILE`].
pub fn file_field() -> Field {
    Field::new(FILE, DataType::Utf8View, true)
}

/// The field of [`LINE`].
pub fn line_field() -> Field {
    Field::new(LINE, DataType::Int64, true)
}
