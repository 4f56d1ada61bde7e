//! What can be wrong with a transform.

use std::ops::Range;

use datafusion::error::DataFusionError;
use mastic_find_matches::MatchError;
use mastic_schema::hive::TypeError;

use crate::run::ErrorRecord;

/// A transform that cannot be applied to a frame. Every kind can say what to do about it: see
/// [`FrameError::hint`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame has no such field.
    #[error("there is no field '{path}'")]
    FieldNotFound {
        /// The path that was asked for, as written.
        path: String,
        /// The closest path that exists.
        did_you_mean: Option<String>,
        /// The fields that do exist where the first unknown name was looked up.
        available: Vec<String>,
    },
    /// A field would get the name of another one.
    #[error("the field '{path}' is there already")]
    FieldExists {
        /// The path of both.
        path: String,
    },
    /// The text is no path.
    #[error("'{path}' is no path to a field: {reason}")]
    BadPath {
        /// The text.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The text is no Hive type.
    #[error("{source}")]
    BadType {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: TypeError,
    },
    /// The text is no mapping of a field to another.
    #[error("'{text}' is no mapping")]
    BadMapping {
        /// The text.
        text: String,
    },
    /// The text is no action of `resolve_choice`.
    #[error("'{text}' does not say what becomes of a choice")]
    BadAction {
        /// The text.
        text: String,
        /// The closest action.
        did_you_mean: Option<String>,
    },
    /// The text is no comparison of `split_rows`.
    #[error("'{text}' is no comparison")]
    BadComparison {
        /// The operator or value.
        text: String,
        /// What would do.
        hint: String,
    },
    /// A collection has no frame under this key.
    #[error("the collection has no frame '{key}'")]
    KeyNotFound {
        /// The key.
        key: String,
        /// The closest key.
        did_you_mean: Option<String>,
        /// The keys that exist.
        available: Vec<String>,
    },
    /// Two frames of a collection would have the same key.
    #[error("the collection has a frame '{key}' already")]
    KeyExists {
        /// The key of both.
        key: String,
    },
    /// A field has a type that the transform cannot work on.
    #[error("'{path}' is {found}, but {expected} is needed")]
    TypeMismatch {
        /// The field's path, or the expression's text.
        path: String,
        /// What would do.
        expected: String,
        /// What it is, as a Hive type.
        found: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A choice is to be resolved, and the field is none, or has no alternative of that type.
    #[error("'{path}' is {found}, but {expected} is needed")]
    NoChoice {
        /// The field's path.
        path: String,
        /// What would do.
        expected: String,
        /// What it is, as a Hive type.
        found: String,
        /// What to do about it.
        hint: String,
    },
    /// An SQL expression or query that cannot be read, or does not fit the frame.
    #[error("{message}")]
    Expression {
        /// The SQL text.
        text: String,
        /// What is wrong.
        message: String,
        /// Where in `text`, in bytes, where that is known.
        span: Option<Range<usize>>,
        /// The closest name that exists.
        did_you_mean: Option<String>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A query names a frame that does not exist.
    #[error("there is no frame '{name}'")]
    FrameNotFound {
        /// The name.
        name: String,
        /// Where in the query, in bytes, where that is known.
        span: Option<Range<usize>>,
        /// The closest name that exists.
        did_you_mean: Option<String>,
        /// The names that exist.
        available: Vec<String>,
    },
    /// More records were set aside than a step, or the run, may have.
    #[error("{step} set aside {errors} records, and may set aside {threshold}: {}", first.reason)]
    TooManyErrors {
        /// The step, or `the run`.
        step: String,
        /// How many records were set aside.
        errors: u64,
        /// How many may be.
        threshold: u64,
        /// The first of the last ones.
        first: Box<ErrorRecord>,
    },
    /// A number that is no such number.
    #[error("{what} is {value}, but must be {range}")]
    OutOfRange {
        /// What it is the number of.
        what: String,
        /// The number.
        value: String,
        /// What it may be.
        range: String,
    },
    /// Text is to be parsed, and nobody says as what.
    #[error("nothing says what the text of '{path}' holds")]
    NoSchema {
        /// The field's path.
        path: String,
    },
    /// A transform would leave a frame without a field.
    #[error("no field would be left")]
    NoFieldsLeft,
    /// Records that cannot be matched so.
    #[error(transparent)]
    Match(#[from] MatchError),
    /// The engine could not make a plan of it.
    #[error("{}", brief(source))]
    Engine {
        /// The engine's own error.
        #[from]
        source: DataFusionError,
    },
}

impl FrameError {
    /// What to do about the error, in a sentence, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        let meant = |name: &Option<String>| name.as_ref().map(|n| format!("did you mean '{n}'?"));
        match self {
            Self::FieldNotFound {
                did_you_mean,
                available,
                ..
            } => meant(did_you_mean).or_else(|| {
                (!available.is_empty()).then(|| format!("there are {}", listed(available)))
            }),
            Self::FrameNotFound {
                did_you_mean,
                available,
                ..
            }
            | Self::KeyNotFound {
                did_you_mean,
                available,
                ..
            } => meant(did_you_mean).or_else(|| {
                (!available.is_empty()).then(|| format!("there are {}", listed(available)))
            }),
            Self::Expression {
                did_you_mean, hint, ..
            } => meant(did_you_mean).or_else(|| hint.clone()),
            Self::TypeMismatch { hint, .. } => hint.clone(),
            Self::NoChoice { hint, .. } => Some(hint.clone()),
            Self::FieldExists { path } => Some(format!(
                "drop or rename '{path}' first, or choose another name"
            )),
            Self::BadPath { .. } => Some(
                "write names joined by dots, and a name that holds a dot in `backticks`".to_owned(),
            ),
            Self::BadMapping { .. } => Some(
                "write 'source type -> target type' or [source, type, target, type]".to_owned(),
            ),
            Self::BadAction { did_you_mean, .. } => meant(did_you_mean).or_else(|| {
                Some("write cast:TYPE, project:TYPE, make_cols or make_struct".to_owned())
            }),
            Self::BadComparison { hint, .. } => Some(hint.clone()),
            Self::KeyExists { .. } => Some("give one of them another name".to_owned()),
            Self::NoFieldsLeft => Some("a frame needs at least one field".to_owned()),
            Self::TooManyErrors { first, .. } => first.file.as_ref().map(|file| match first.line {
                Some(line) => format!("one of them is in {file}, line {line}"),
                None => format!("one of them is in {file}"),
            }),
            Self::NoSchema { .. } => {
                Some("give its type, as in schema: struct<a:bigint>, or an Avro schema".to_owned())
            }
            Self::Match(error) => error.hint(),
            Self::OutOfRange { .. } | Self::BadType { .. } | Self::Engine { .. } => None,
        }
    }

    /// The closest name that exists, where the error is about an unknown name.
    pub fn did_you_mean(&self) -> Option<&str> {
        match self {
            Self::FieldNotFound { did_you_mean, .. }
            | Self::FrameNotFound { did_you_mean, .. }
            | Self::KeyNotFound { did_you_mean, .. }
            | Self::BadAction { did_you_mean, .. }
            | Self::Expression { did_you_mean, .. } => did_you_mean.as_deref(),
            _ => None,
        }
    }
}

/// The names, and where there are many only how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).map(String::as_str);
    let list = shown.collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{list} and {more} more"),
        _ => list,
    }
}

/// The engine's message without its own prefixes and backtrace.
pub(crate) fn brief(error: &DataFusionError) -> String {
    let message = match error.find_root() {
        DataFusionError::SQL(parser, _) => parser.to_string(),
        root => root.message().into_owned(),
    };
    let message = message
        .split(DataFusionError::BACK_TRACE_SEP)
        .next()
        .unwrap_or_default()
        .trim();
    message
        .strip_prefix("sql parser error: ")
        .unwrap_or(message)
        .to_owned()
}
