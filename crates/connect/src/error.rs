//! What goes wrong with a database, and what to do about it.

/// The result of anything that a database is asked.
pub type Result<T, E = ConnectError> = std::result::Result<T, E>;

/// Why a database's records cannot be had. No message has a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is none of a database.
    #[error("'{url}' is no connection: {reason}")]
    Url {
        /// The URL, without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database does not answer, or does not let us in.
    #[error("cannot connect to {to}: {reason}")]
    Connect {
        /// The kind of database, its host and port or file, its name and the user's.
        to: String,
        /// What happened.
        reason: String,
        /// What to look at.
        check: String,
    },
    /// The database has no such table or view.
    #[error("{to} has no table '{table}'")]
    NoTable {
        /// The database.
        to: String,
        /// The table, as it was asked for.
        table: String,
        /// The closest that it has.
        did_you_mean: Option<String>,
        /// Some that it has.
        known: Vec<String>,
    },
    /// The database does not take the SQL.
    #[error("{to}: {message}")]
    Sql {
        /// The database.
        to: String,
        /// What it says.
        message: String,
        /// What it says to do.
        advice: Option<String>,
    },
    /// Two columns of a query have one name.
    #[error("the query gives two columns named '{column}'")]
    DuplicateColumn {
        /// The name.
        column: String,
    },
    /// The relation has no columns.
    #[error("{relation} has no columns")]
    NoColumns {
        /// The table, or "the query".
        relation: String,
    },
    /// A value is none of its column's type.
    #[error(
        "{relation}, column '{column}': {reason}; a query that casts the column to text reads it as it is"
    )]
    Value {
        /// The table, or "the query", and the database.
        relation: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine makes no plan of the relation.
    #[error("{0}")]
    Engine(String),
}

impl ConnectError {
    /// The closest name that exists.
    pub fn did_you_mean(&self) -> Option<&str> {
        match self {
            Self::NoTable { did_you_mean, .. } => did_you_mean.as_deref(),
            _ => None,
        }
    }

    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Url { .. } => Some(
                "write postgresql://user@host:5432/database, or sqlite:path/to/file.db".to_owned(),
            ),
            Self::Connect { check, .. } => Some(check.clone()),
            Self::NoTable { known, .. } if known.is_empty() => {
                Some("it has no tables that this user may see".to_owned())
            }
            Self::NoTable { known, .. } => Some(format!("it has {}", known.join(", "))),
            Self::Sql { advice, .. } => advice.clone(),
            Self::DuplicateColumn { .. } => {
                Some("give one of them another name with AS".to_owned())
            }
            Self::NoColumns { .. } => Some("name a table or a SELECT that gives some".to_owned()),
            Self::Value { .. } | Self::Engine(_) => None,
        }
    }
}
