//! CSV of which a person said something, and the rest is found out.

use super::{CsvOptions, infer, sniff};
use crate::format::{Head, Limits};
use crate::value;

/// What a person said.
#[derive(Debug, Clone, Copy)]
pub(in crate::format) struct Forced<'a> {
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

/// The dialect of the head with what was said in it, how sure, and why; or why it is none of that dialect.
pub(in crate::format) fn sniff_with(
    head: &Head<'_>,
    forced: &Forced<'_>,
) -> Result<(CsvOptions, f32, String), String> {
    if head.bytes.contains(&0)
        && !head.bytes.starts_with(b"\xff\xfe")
        && !head.bytes.starts_with(b"\xfe\xff")
    {
        return Err("it is binary".to_owned());
    }
    let found = sniff(head);
    let same = |options: &CsvOptions| {
        forced.delimiter.is_none_or(|d| d == options.delimiter)
            && forced.quote.is_none_or(|q| Some(q) == options.quote)
    };
    let (mut options, why, known) = match found {
        Some((options, _, why)) if same(&options) => (options, why, true),
        _ if forced.delimiter.is_some() || forced.single_column => {
            let defaults = CsvOptions::default();
            let options = CsvOptions {
                delimiter: forced.delimiter.unwrap_or(defaults.delimiter),
                ..defaults
            };
            (options, String::new(), false)
        }
        _ => {
            return Err("it is no table of any dialect that the classifier leaves open".to_owned());
        }
    };
    options.quote = forced.quote.or(options.quote);
    let first = names(head, &options)?;
    let normal = |name: &String| name.trim().to_lowercase();
    let named = first.iter().map(normal).eq(forced.names.iter().map(normal));
    options.header = match forced.header {
        Some(header) => header,
        None if !forced.names.is_empty() => named,
        None if known => options.header,
        None => first
            .iter()
            .all(|cell| !cell.trim().is_empty() && !typed(cell)),
    };
    if options.header && !forced.names.is_empty() && !named {
        return Err("its header is not the classifier's".to_owned());
    }
    let whole = whole_lines(head);
    let seen = infer(head.name, whole, &mut options.clone(), &Limits::default())
        .map_err(|error| error.to_string())?;
    let width = seen.fields.len();
    if width < 2 && !forced.single_column {
        return Err("it has one column, which the classifier does not allow".to_owned());
    }
    if width == 0 || seen.rows == 0 {
        return Err("it has no rows".to_owned());
    }
    if !forced.names.is_empty() && width != forced.names.len() {
        return Err(format!(
            "it has {width} columns, and the classifier {}",
            forced.names.len()
        ));
    }
    let mut reason = format!(
        "{width} columns between '{}' as the classifier says",
        char::from(options.delimiter).escape_default()
    );
    if !why.is_empty() {
        reason = format!("{reason}; {why}");
    }
    Ok((options, 1.0, reason))
}

fn typed(cell: &str) -> bool {
    let cell = cell.trim();
    value::number(cell).is_some()
        || value::boolean(cell).is_some()
        || value::date(cell).is_some()
        || value::timestamp(cell).is_some()
}

/// The head up to its last whole line.
fn whole_lines<'a>(head: &Head<'a>) -> &'a [u8] {
    match memchr::memrchr(b'\n', head.bytes) {
        Some(last) if !head.complete => &head.bytes[..=last],
        _ => head.bytes,
    }
}

/// The first row's cells.
fn names(head: &Head<'_>, options: &CsvOptions) -> Result<Vec<String>, String> {
    let mut rows = super::rows::Rows::new(whole_lines(head), options);
    let count = rows.read(head.name, 1).map_err(|e| e.to_string())?;
    Ok(match count {
        0 => Vec::new(),
        _ => rows.row(0).map(str::to_owned).collect(),
    })
}
