//! What can go wrong with files and stores.

use std::path::PathBuf;

use datafusion::error::DataFusionError;

/// A result of this crate.
pub type Result<T, E = LakeError> = std::result::Result<T, E>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// A URL that no store answers to.
    #[error("'{url}' is not a place that Mastic can read: {reason}")]
    Url {
        /// The URL as given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// Nothing is there.
    #[error("{url} does not exist")]
    NotFound {
        /// What was looked for.
        url: String,
    },
    /// The place is there, but holds no data file.
    #[error("{url} holds no data files")]
    Empty {
        /// The place.
        url: String,
    },
    /// The object store refused or failed.
    #[error("cannot {action} {url}: {}", reason(source))]
    Store {
        /// The object or prefix.
        url: String,
        /// What was tried: `read`, `list`, `write`.
        action: &'static str,
        /// What the store said.
        source: object_store::Error,
    },
    /// The file system refused or failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file whose contents break the rules of its format.
    #[error("{file}{}: {message}", place(*line, *column))]
    Data {
        /// The file.
        file: String,
        /// The line, from 1, where the format has lines.
        line: Option<u64>,
        /// The column, from 1: a byte in the line, where known.
        column: Option<u64>,
        /// What is wrong there.
        message: String,
    },
    /// A value that a frame's column does not hold as it was found: the column is a choice, and was not known to
    /// be one. Look at all of the source's records, and plan again.
    #[error("{file}{}: {found} in column '{name}' is no {wanted}", place(*line, None))]
    Misfit {
        /// The file.
        file: String,
        /// The line, from 1, where the format has lines.
        line: Option<u64>,
        /// The column's name.
        name: String,
        /// The column's type, as a Hive type with choices.
        wanted: String,
        /// What was found.
        found: String,
    },
    /// A key or a column of a file that a frame has no column for, and was not known to be there. Look at all of
    /// the source's records, and plan again.
    #[error("{file}{}: no column is known for '{key}'", place(*line, None))]
    UnknownKey {
        /// The file.
        file: String,
        /// The line, from 1.
        line: Option<u64>,
        /// The key, behind those of the objects that it is in.
        key: String,
    },
    /// A file that is not what it was when it was listed.
    #[error("{file} changed while it was read")]
    Changed {
        /// The file.
        file: String,
    },
    /// A file that holds no record at all: an empty array, an empty archive.
    #[error("{file} holds no records")]
    NoRecords {
        /// The file.
        file: String,
    },
    /// A file that no format recognises.
    #[error("{file} is in no format that Mastic knows: {reason}")]
    UnknownFormat {
        /// The file.
        file: String,
        /// What was seen.
        reason: String,
    },
    /// A sink that cannot be written as asked.
    #[error("cannot write to {url}: {message}")]
    Sink {
        /// The sink's root.
        url: String,
        /// Why not.
        message: String,
    },
    /// An option of a format or sink with a bad name or value.
    #[error("{0}")]
    Option(String),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] DataFusionError),
    /// Arrow failed.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

/// The error of ours within one of the engine's, where there is one.
pub fn find(error: &DataFusionError) -> Option<&LakeError> {
    let mut current: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = current {
        if let Some(ours) = error.downcast_ref::<LakeError>() {
            return match ours {
                LakeError::Engine(inner) => find(inner).or(Some(ours)),
                ours => Some(ours),
            };
        }
        if let Some(DataFusionError::Shared(inner)) = error.downcast_ref::<DataFusionError>() {
            return find(inner);
        }
        current = error.source();
    }
    None
}

/// What an error of the engine says, without the layers that it was passed through.
pub fn message(error: &DataFusionError) -> String {
    match find(error) {
        Some(LakeError::Engine(inner)) => inner.strip_backtrace(),
        Some(ours) => ours.to_string(),
        None => match error.find_root() {
            // An error that another crate of ours passed through the engine.
            DataFusionError::External(inner) => inner.to_string(),
            _ => error.strip_backtrace(),
        },
    }
}

fn place(line: Option<u64>, column: Option<u64>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(", line {line}, column {column}"),
        (Some(line), None) => format!(", line {line}"),
        _ => String::new(),
    }
}

/// The code that an S3 store gives in the XML of its answer.
fn s3_code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

/// Whether it is the credentials that a store does not take, or that none were found.
fn is_about_credentials(error: &object_store::Error) -> bool {
    let text = error.to_string();
    let denied = [
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AccessDenied",
        "InvalidToken",
        "ExpiredToken",
    ];
    matches!(
        error,
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. }
    ) || s3_code(&text).is_some_and(|code| denied.contains(&code))
        || text.contains("403 Forbidden")
        || no_credentials(&text)
}

/// Where nothing else names credentials, object_store asks the metadata service of EC2 for them.
fn no_credentials(text: &str) -> bool {
    text.contains("http://169.254.169.254/")
}

/// The store's own words, without its wrapping.
fn reason(error: &object_store::Error) -> String {
    let text = error.to_string();
    if no_credentials(&text) {
        return "no credentials were found".to_owned();
    }
    if let Some(code) = s3_code(&text) {
        return match code {
            "NoSuchBucket" => "there is no such bucket".to_owned(),
            "SignatureDoesNotMatch" => {
                "the store does not take the secret key (SignatureDoesNotMatch)".to_owned()
            }
            "InvalidAccessKeyId" => {
                "the store does not know the access key (InvalidAccessKeyId)".to_owned()
            }
            "AccessDenied" => "the store denies access (AccessDenied)".to_owned(),
            other => format!("the store answers {other}"),
        };
    }
    let mut innermost: &dyn std::error::Error = error;
    let mut words = error.to_string();
    while let Some(source) = innermost.source() {
        innermost = source;
        words = source.to_string();
    }
    // The innermost words alone can be as bare as "403"; the outermost always name the case.
    let outer = error.to_string();
    if outer.len() < 300 { outer } else { words }
}

impl LakeError {
    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            LakeError::Store { source, url, .. } => match source {
                error if url.starts_with("s3://") && is_about_credentials(error) => Some(
                    "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the [s3] part of mastic.toml"
                        .into(),
                ),
                error if s3_code(&error.to_string()) == Some("NoSuchBucket") => Some(
                    "check the bucket's name, and AWS_ENDPOINT_URL for a store that is not AWS".into(),
                ),
                _ if url.starts_with("s3://") => Some(
                    "for a store that is not AWS set AWS_ENDPOINT_URL (and AWS_REGION), or `endpoint` in the [s3] part of mastic.toml"
                        .into(),
                ),
                _ => None,
            },
            LakeError::UnknownFormat { .. } => {
                Some("Mastic reads CSV, JSON, XML, Parquet, Avro and ORC, plain or compressed".into())
            }
            LakeError::Misfit { .. } | LakeError::UnknownKey { .. } => {
                Some("crawl the files again, so that it is known what their columns hold".into())
            }
            LakeError::Changed { .. } => Some(
                "run again when whoever writes the file is done; a file is best written under another name and renamed"
                    .into(),
            ),
            _ => None,
        }
    }

    pub(crate) fn data(file: &str, message: impl Into<String>) -> Self {
        LakeError::Data {
            file: file.to_owned(),
            line: None,
            column: None,
            message: message.into(),
        }
    }

    /// Wraps this error for the engine, which hands it back unchanged inside its own.
    pub fn into_engine(self) -> DataFusionError {
        match self {
            LakeError::Engine(error) => error,
            other => DataFusionError::External(Box::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_as_far_as_it_is_known() {
        let error = |line, column| {
            LakeError::Data {
                file: "a.csv".into(),
                line,
                column,
                message: "bad".into(),
            }
            .to_string()
        };
        assert_eq!(error(Some(3), Some(7)), "a.csv, line 3, column 7: bad");
        assert_eq!(error(Some(3), None), "a.csv, line 3: bad");
        assert_eq!(error(None, None), "a.csv: bad");
    }
}
