//! A schema as people write one: `a bigint, b array<string>`.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Fields};
use mastic_schema::hive::parse_type;

use crate::error::{LakeError, Result};

/// The columns of a schema: names and Hive's types, between commas. A name may stand in backticks.
pub(super) fn parse(option: &str, text: &str) -> Result<Fields> {
    let columns: Vec<FieldRef> = split(text)
        .into_iter()
        .map(|column| {
            let bad = |why: &str| {
                LakeError::Option(format!(
                    "{option} is columns with their types, such as 'a bigint, b array<string>'; '{}' {why}",
                    column.trim()
                ))
            };
            let (name, rest) = cut_name(column.trim()).ok_or_else(|| bad("has no name"))?;
            if rest.is_empty() {
                return Err(bad("has no type"));
            }
            let data_type = parse_type(rest).map_err(|e| bad(&format!("has a bad type: {e}")))?;
            Ok(Arc::new(Field::new(name, data_type, true)))
        })
        .collect::<Result<_>>()?;
    let named = |a: &FieldRef, b: &FieldRef| a.name().eq_ignore_ascii_case(b.name());
    for (at, column) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|other| named(other, column)) {
            return Err(LakeError::Option(format!(
                "{option} has the column '{}' twice",
                column.name()
            )));
        }
    }
    Ok(columns.into())
}

/// The parts between commas that stand in no brackets and no backticks.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut ticked) = (Vec::new(), 0, 0u32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'`' => ticked = !ticked,
            _ if ticked => {}
            b'<' | b'(' => depth += 1,
            b'>' | b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// A column's name and what follows it: blanks, or a colon as within structs.
fn cut_name(column: &str) -> Option<(&str, &str)> {
    let (name, rest) = match column.strip_prefix('`') {
        Some(ticked) => ticked.split_once('`')?,
        None => {
            let end = column
                .find(|c: char| c.is_whitespace() || c == ':')
                .unwrap_or(column.len());
            column.split_at(end)
        }
    };
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim();
    (!name.trim().is_empty()).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mastic_schema::hive::format_type;
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let fields = parse("schema", text).unwrap();
        let fields = fields.iter();
        fields
            .map(|f| format!("{} {}", f.name(), format_type(f.data_type())))
            .collect()
    }

    #[test]
    fn columns_have_names_and_types() {
        assert_eq!(
            shown("a bigint, `b, c` decimal(10,2),d:struct<x:int,y:map<string,int>>"),
            [
                "a bigint",
                "b, c decimal(10,2)",
                "d struct<x:int,y:map<string,int>>"
            ]
        );
    }

    #[test]
    fn what_is_no_column_is_told() {
        for (text, says) in [
            ("", "'' has no name"),
            ("a", "'a' has no type"),
            ("a bigint,", "'' has no name"),
            ("a bigit", "has a bad type"),
            ("a int, A string", "the column 'A' twice"),
            ("`a int", "has no name"),
        ] {
            let told = parse("schema", text).unwrap_err().to_string();
            assert!(told.contains(says), "{told}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[a-z`<>():, ]{0,40}") {
            let _ = parse("schema", &text);
        }
    }
}
