//! The W3C's extended log format, which names its own fields: IIS and CloudFront write it.
//!
//! "Extended Log File Format", W3C working draft WD-logfile-960323: directives begin with `#`, and `#Fields:`
//! names what the lines below it hold. Values are separated by spaces, in CloudFront's files by tabs.

use std::borrow::Cow;

use super::GrokOptions;

/// What the format is called.
pub(super) const CLASSIFICATION: &str = "w3c_extended";

/// More fields than any program logs.
const MAX_FIELDS: usize = 200;

/// The format, where a directive among the first lines names its fields.
pub(super) fn sniff(lines: &[Cow<'_, str>]) -> Option<GrokOptions> {
    let directives = lines.iter().take_while(|line| line.starts_with('#'));
    let fields = directives
        .filter_map(|line| line.strip_prefix("#Fields:"))
        .last()?;
    let names: Vec<String> = fields.split_whitespace().map(column).collect();
    if names.is_empty() || names.len() > MAX_FIELDS || names.iter().any(String::is_empty) {
        return None;
    }
    let record = lines.iter().find(|line| !line.starts_with('#'))?;
    let (between, value) = if record.contains('\t') {
        ("\\t", "[^\\t]*")
    } else {
        (" ", "(?:\"[^\"]*\"|[^ ]*)")
    };
    let mut pattern = String::from("^");
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            pattern.push_str(between);
        }
        pattern.push_str("%{W3C_VALUE:");
        pattern.push_str(name);
        pattern.push('}');
    }
    pattern.push('$');
    Some(GrokOptions {
        classification: CLASSIFICATION.to_owned(),
        pattern,
        custom_patterns: format!("W3C_VALUE {value}"),
        ..GrokOptions::default()
    })
}

/// `cs(User-Agent)` as a column: `cs_user_agent`.
fn column(field: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    field
        .chars()
        .map(plain)
        .collect::<String>()
        .trim_matches('_')
        .to_owned()
}
