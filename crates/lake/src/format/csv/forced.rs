//! What a custom classifier says of a dialect, so that it is not to be told by the text.

/// The parts of a dialect that are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::format) struct Forced {
    /// The delimiter.
    pub(in crate::format) delimiter: Option<u8>,
    /// The quote.
    pub(in crate::format) quote: Option<u8>,
    /// Whether there is a header.
    pub(in crate::format) header: Option<bool>,
    /// Whether a text of one column is a table, whatever its file is called.
    pub(in crate::format) single_column: bool,
}
