//! What can be wrong with a table, or with what is asked of it.

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryPool;

use crate::memory::limit;

/// Why no matches were looked for.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// The engine's, among them those of reading the input.
    #[error(transparent)]
    Engine(#[from] DataFusionError),
    /// A table without rows.
    #[error("'{table}' has no rows")]
    Empty {
        /// The table.
        table: String,
    },
    /// One row has nothing to match.
    #[error("'{table}' has one row, which has nothing to be compared with")]
    OneRow {
        /// The table.
        table: String,
    },
    /// Nothing that says who is who.
    #[error("no usable column: {why}")]
    NoColumn {
        /// Each column, and what is wrong with it.
        why: String,
    },
    /// A column that is not there.
    #[error("{what} names the column '{name}', which is not there{}", meant.as_ref().map(|m| format!("; did you mean '{m}'?")).unwrap_or_default())]
    UnknownColumn {
        /// Where it was named.
        what: &'static str,
        /// The name.
        name: String,
        /// The closest name that is there.
        meant: Option<String>,
    },
    /// A primary key that is none.
    #[error("'{column}' is no primary key of '{table}': {why}")]
    PrimaryKey {
        /// The column.
        column: String,
        /// The table.
        table: String,
        /// Nulls, or values that are there twice.
        why: String,
    },
    /// A setting out of its range, or that means nothing.
    #[error("{0}")]
    Setting(String),
    /// Labels that contradict each other or name rows that are not there, with set and line.
    #[error("{0}")]
    Label(String),
    /// New records of which nobody says which of the linked tables they are of.
    #[error(
        "is '{table}' of the left table, which was '{left}', or of the right one, which was '{right}'?"
    )]
    Side {
        /// The table.
        table: String,
        /// What the left table was called.
        left: String,
        /// What the right table was called.
        right: String,
    },
    /// A saved transform that does not fit, or is none.
    #[error("{0}")]
    Transform(String),
    /// Text that was read in an encoding that it is not in.
    #[error(
        "'{column}' holds text in an encoding that was not recognised: {share:.1} % of its values have the replacement character U+FFFD"
    )]
    Encoding {
        /// The column.
        column: String,
        /// Percent of its values.
        share: f64,
    },
    /// More rows than row numbers.
    #[error("{rows} rows are more than the 4,294,967,295 that can be matched at once")]
    TooManyRows {
        /// The rows.
        rows: u64,
    },
    /// What has to be in memory is more than the limit leaves.
    #[error(
        "{what} needs {needs} of memory for what cannot be spilled, beside {others} that others hold; the limit{limit} leaves less"
    )]
    Memory {
        /// What is done.
        what: String,
        /// How much it needs.
        needs: String,
        /// What others hold.
        others: String,
        /// The limit, if it is known.
        limit: String,
    },
    /// An operator of the engine has less memory than it must have.
    #[error("matching needs more memory than the limit{limit} leaves: {why}")]
    Limit {
        /// The limit, if it is known.
        limit: String,
        /// Which operator, and how much it asked for.
        why: String,
    },
    /// The hard disk, or wherever intermediate rows lie.
    #[error("cannot keep intermediate rows: {0}")]
    Spool(String),
}

impl MatchError {
    /// An engine's error, or the one of ours that it carries.
    pub(crate) fn from_engine(error: DataFusionError) -> MatchError {
        match error {
            DataFusionError::External(other) => match other.downcast::<MatchError>() {
                Ok(own) => *own,
                Err(other) => MatchError::Engine(DataFusionError::External(other)),
            },
            other => MatchError::Engine(other),
        }
    }

    /// The engine's error where a limit is too low, as one of ours.
    pub(crate) fn within(self, pool: &dyn MemoryPool) -> MatchError {
        let MatchError::Engine(error) = &self else {
            return self;
        };
        let DataFusionError::ResourcesExhausted(why) = error.find_root() else {
            return self;
        };
        // Only its first sentence is about the operator; the others name settings that nobody can set here.
        let why = why.lines().next().unwrap_or_default();
        MatchError::Limit {
            limit: limit(pool),
            why: why.split(" - ").next().unwrap_or(why).to_owned(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            MatchError::NoColumn { .. } => {
                Some("name columns to compare with --compare COLUMN".into())
            }
            MatchError::PrimaryKey { .. } => Some(
                "a primary key has no nulls and no value twice; leave it out, and rows are told apart by their place"
                    .into(),
            ),
            MatchError::Label(_) => Some(
                "correct the label file, or empty the label of the rows that are not to be used".into(),
            ),
            MatchError::Memory { .. } | MatchError::Limit { .. } => Some(
                "give it more with --memory-limit, or compare fewer pairs or columns: a lower --accuracy-cost, --ignore COLUMN"
                    .into(),
            ),
            MatchError::Side { .. } => Some("say --side left or --side right; in a script, side: left or side: right".into()),
            MatchError::Encoding { .. } => {
                Some("convert the files to UTF-8, or leave the column out with --ignore".into())
            }
            _ => None,
        }
    }
}

/// A result of this crate.
pub type Result<T, E = MatchError> = std::result::Result<T, E>;
