//! CSV of which a custom classifier says something, and the rest is found out.

use std::io::Cursor;

use super::CsvOptions;
use super::dialect::{Sniffed, sniff_with};
use super::forced::Forced;
use super::rows::Rows;
use crate::format::Head;

/// What a classifier says.
#[derive(Debug, Clone, Copy)]
pub(in crate::format) struct Said<'a> {
    /// What stands between cells.
    pub(in crate::format) delimiter: Option<u8>,
    /// What cells may be quoted with.
    pub(in crate::format) quote: Option<u8>,
    /// Whether the first row names the columns.
    pub(in crate::format) header: Option<bool>,
    /// The columns' names; a file that has a header must have the same.
    pub(in crate::format) names: &'a [String],
    /// Whether one column is a table.
    pub(in crate::format) single_column: bool,
}

/// The dialect of the head with what was said of it, how sure, and why; or why it is none of that dialect.
pub(in crate::format) fn classify(head: &Head<'_>, said: &Said<'_>) -> Result<Sniffed, String> {
    let mut forced = Forced {
        delimiter: said.delimiter,
        quote: said.quote,
        header: said.header,
        single_column: said.single_column,
    };
    let none = || "it is no table of a dialect that the classifier leaves open".to_owned();
    let (mut options, _, mut why) = sniff_with(head, &forced).ok_or_else(none)?;
    let first = first_row(head, &options)?;
    if !said.names.is_empty() {
        let normal = |name: &String| name.trim().to_lowercase();
        let named = first.iter().map(normal).eq(said.names.iter().map(normal));
        if said.header == Some(true) && !named {
            return Err("its header is not the classifier's".to_owned());
        }
        if said.header.is_none() && options.header != named {
            forced.header = Some(named);
            (options, _, why) = sniff_with(head, &forced).ok_or_else(none)?;
        }
        if first.len() != said.names.len() {
            return Err(format!(
                "it has {} columns, and the classifier {}",
                first.len(),
                said.names.len()
            ));
        }
    }
    if first.len() < 2 && !said.single_column {
        return Err("it has one column, which the classifier does not allow".to_owned());
    }
    Ok((options, 1.0, format!("as the classifier says: {why}")))
}

/// The first row of the table: its header, where it has one.
pub(in crate::format) fn first_row(
    head: &Head<'_>,
    options: &CsvOptions,
) -> Result<Vec<String>, String> {
    let whole = match memchr::memrchr(b'\n', head.bytes) {
        Some(last) if !head.complete => &head.bytes[..=last],
        _ => head.bytes,
    };
    let read = |e: crate::LakeError| e.to_string();
    let mut rows =
        Rows::open(head.name, Cursor::new(whole.to_vec()), options, false).map_err(read)?;
    if let Some(header) = rows.header().map_err(read)? {
        return Ok(header);
    }
    Ok(match rows.read(1).map_err(read)? {
        0 => Vec::new(),
        _ => rows.row(0).map(str::to_owned).collect(),
    })
}
