//! Values of options, as people write them in scripts: what they mean, and what is said when they mean nothing.

use mastic_schema::names::closest;

use crate::error::{LakeError, Result};

/// "did you mean …" where a known name is close, and all of them.
pub(crate) fn instead(name: &str, known: &[&str]) -> String {
    instead_or(name, known, &[])
}

/// As [`instead`], for names that have others beside them, which may be meant but are not listed.
pub(crate) fn instead_or(name: &str, known: &[&str], others: &[&str]) -> String {
    let all = known.join(", ");
    match closest(name, known.iter().chain(others).copied()) {
        Some(near) => format!("; did you mean '{near}'? there are {all}"),
        None => format!("; there are {all}"),
    }
}

fn bad<T>(message: String) -> Result<T> {
    Err(LakeError::Option(message))
}

/// One ASCII character that ends no line: itself, `tab`, `\t`, `\\`, or `\u0001` and the like.
pub(crate) fn one_byte(option: &str, value: &str) -> Result<u8> {
    let byte = match value {
        "\\t" | "tab" => Some(b'\t'),
        "\\\\" => Some(b'\\'),
        _ => match (value.as_bytes(), value.strip_prefix("\\u")) {
            ([byte], _) => Some(*byte),
            (_, Some(hex)) if hex.len() == 4 => u8::from_str_radix(hex, 16).ok(),
            _ => None,
        },
    };
    match byte {
        Some(byte) if byte.is_ascii() && !matches!(byte, 0 | b'\n' | b'\r') => Ok(byte),
        _ => bad(format!(
            "{option} is one ASCII character (or 'tab'), not '{}'",
            value.escape_debug()
        )),
    }
}

/// A character as [`one_byte`] reads it, or none: `-1`, as in Glue, `none` or nothing at all.
pub(crate) fn byte_or_none(option: &str, value: &str) -> Result<Option<u8>> {
    match value {
        "" | "-1" | "none" => Ok(None),
        _ => one_byte(option, value).map(Some),
    }
}

/// `true` or `false`, `yes` or `no`, `1` or `0`.
pub(crate) fn boolean(option: &str, value: &str) -> Result<bool> {
    match value.trim().to_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => bad(format!("{option} is true or false, not '{value}'")),
    }
}

/// A whole number from 1, with underscores between its digits where one likes.
pub(crate) fn positive(option: &str, value: &str) -> Result<usize> {
    match value.trim().replace('_', "").parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => bad(format!("{option} is a whole number from 1, not '{value}'")),
    }
}

/// A number of bytes from 1: `134217728`, or with a unit: `128MB` (10⁶), `128MiB` (2²⁰), `1.5 GiB`.
pub(crate) fn bytes(option: &str, value: &str) -> Result<u64> {
    let wrong = || {
        LakeError::Option(format!(
            "{option} is a number of bytes such as 134217728, 128MB or 1GiB, not '{value}'"
        ))
    };
    let text = value.trim().replace('_', "");
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let power = |base: u64, exponent: u32| base.checked_pow(exponent);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => power(1000, 1),
        "m" | "mb" => power(1000, 2),
        "g" | "gb" => power(1000, 3),
        "t" | "tb" => power(1000, 4),
        "kib" => power(1024, 1),
        "mib" => power(1024, 2),
        "gib" => power(1024, 3),
        "tib" => power(1024, 4),
        _ => None,
    }
    .ok_or_else(wrong)?;
    let size = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        // A part of a unit: the nearest byte, within what a double holds exactly.
        Err(_) => number
            .parse::<f64>()
            .ok()
            .map(|part| part * factor as f64)
            .filter(|size| *size < 9e15)
            .map(|size| size.round() as u64),
    };
    size.filter(|size| *size > 0).ok_or_else(wrong)
}

/// A list of texts: a JSON array, or one text by itself.
pub(crate) fn texts(option: &str, value: &str) -> Result<Vec<String>> {
    if !value.trim_start().starts_with('[') {
        return Ok(vec![value.to_owned()]);
    }
    serde_json::from_str(value).map_err(|e| {
        LakeError::Option(format!(
            "{option} is a text or a list of texts, and '{value}' is no list: {e}"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_have_units_of_thousands_and_of_1024() {
        for (text, size) in [
            ("1", 1),
            ("134_217_728", 134_217_728),
            ("128MB", 128_000_000),
            ("128 MiB", 134_217_728),
            ("1gib", 1_073_741_824),
            ("1.5k", 1500),
            ("2TB", 2_000_000_000_000),
        ] {
            assert_eq!(bytes("size", text).unwrap(), size, "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "1.5.2",
            "MB",
            "1 parsec",
            "99999999999TiB",
            "1e3",
        ] {
            let told = bytes("size", text).unwrap_err().to_string();
            assert!(
                told.starts_with("size is a number of bytes such as"),
                "{told}"
            );
        }
    }

    #[test]
    fn characters_are_named_or_numbered() {
        for (text, byte) in [
            ("\\t", 9),
            ("tab", 9),
            ("\\u0001", 1),
            ("\\\\", 92),
            (";", 59),
        ] {
            assert_eq!(one_byte("delimiter", text).unwrap(), byte);
        }
        for text in ["", "ä", "||", "\n", "\\u00e4", "\\u0000"] {
            assert!(one_byte("delimiter", text).is_err(), "{text:?}");
        }
        assert_eq!(byte_or_none("quote", "-1").unwrap(), None);
        assert_eq!(byte_or_none("quote", "'").unwrap(), Some(b'\''));
    }

    #[test]
    fn lists_are_json_or_one_text() {
        assert_eq!(texts("nulls", "NA").unwrap(), ["NA"]);
        assert_eq!(texts("nulls", r#"["NA", "-"]"#).unwrap(), ["NA", "-"]);
        assert!(texts("nulls", "[NA]").is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,20}") {
            let _ = (bytes("a", &text), one_byte("a", &text), positive("a", &text), texts("a", &text));
        }

        #[test]
        fn plain_numbers_are_themselves(size in 1u64..) {
            prop_assert_eq!(bytes("a", &size.to_string()).unwrap(), size);
        }
    }
}
