//! CSV and its kin: any one-byte delimiter, quoted or not, with or without a header.
//!
//! * [`encoding`]: bytes become UTF-8;
//! * [`lexer`]: text becomes records and cells;
//! * [`layout`]: where in a file its table is; [`header`]: whether its first row names the columns;
//!   [`footer`]: which last rows are notes;
//! * [`dialect`]: which dialect a text is in: the one that [`fit`]s best by the [`shape`]s of cells;
//! * [`custom`]: CSV of which a custom classifier says something;
//! * [`rows`]: a file as batches of rows, for [`infer`](mod@infer) and [`decode`] alike;
//! * [`target`]: rows become columns, from any [`grid`] of cells: the rows' own, or the pieces that other
//!   threads decode [`ahead`], cut by the lexer or, where the text is [`plain`], many bytes at a time.

mod ahead;
mod batch;
mod custom;
mod decode;
mod dialect;
mod encoding;
mod fit;
mod footer;
mod forced;
mod frame;
mod grid;
mod header;
mod infer;
mod layout;
mod lexer;
mod nested;
mod options;
mod plain;
mod rows;
mod shape;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_ahead;
#[cfg(test)]
mod tests_predicate;

pub(super) use self::custom::{Said, classify, first_row};
pub(super) use self::decode::Decoder;
pub(super) use self::dialect::{problem, sniff, sniff_with};
pub(super) use self::forced::Forced;
pub(super) use self::infer::infer;
pub use self::options::CsvOptions;
