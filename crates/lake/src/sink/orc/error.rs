//! What can go wrong when ORC is written.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// Why rows cannot be written as ORC.
#[derive(Debug, thiserror::Error)]
pub(in crate::sink) enum OrcError {
    /// A type that ORC has no place for.
    #[error("ORC has no type for {0}; cast it, to a string for instance")]
    Type(DataType),
    /// Types within types without end.
    #[error("its type is nested deeper than {0} levels; unnest or drop the innermost fields")]
    Depth(usize),
    /// A time that every reader would take for another one.
    #[error(
        "ORC cannot hold {nanos} ns before 1970-01-01 00:00:00: readers take a time within the last second \
         before 1970 for one second later (ORC-763); cast the column to a string, or truncate it to seconds"
    )]
    LastSecond {
        /// How long before 1970, in nanoseconds.
        nanos: i64,
    },
    /// A time beyond the seconds that ORC counts in 64 bits.
    #[error("ORC cannot hold the time {seconds} s from 1970, which is too far away")]
    TooFar {
        /// Seconds from 1970.
        seconds: i64,
    },
    /// An array that is not of its column's type.
    #[error("a column of {expected} was given {found}")]
    Mismatch {
        /// The column's type.
        expected: String,
        /// The array's.
        found: DataType,
    },
    /// Where it went wrong.
    #[error("column '{column}': {source}")]
    Column {
        /// The column, with dots into structs.
        column: String,
        /// What went wrong there.
        source: Box<OrcError>,
    },
    /// A kernel failed, a cast for instance.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// A compressor failed.
    #[error("a block cannot be compressed: {0}")]
    Compress(#[from] std::io::Error),
}

impl OrcError {
    /// The same in a field of this name.
    pub(super) fn within(self, field: &str) -> Self {
        match self {
            OrcError::Column { column, source } => OrcError::Column {
                column: format!("{field}.{column}"),
                source,
            },
            source => OrcError::Column {
                column: field.to_owned(),
                source: Box::new(source),
            },
        }
    }
}

impl From<OrcError> for DataFusionError {
    fn from(error: OrcError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// A result of this module.
pub(in crate::sink) type Result<T, E = OrcError> = std::result::Result<T, E>;
