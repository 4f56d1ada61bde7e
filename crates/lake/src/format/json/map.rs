//! One object that is a map of records: `{"US": {...}, "FR": {...}}`.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Parser, Token};
use super::path::Step;
use super::records::{Broken, Cause, Records, Source};

/// How many records of the head are held against each other.
const RECORDS: usize = 1000;

/// How much of an entry's fields and of the fields that most entries have must be the same, on average.
const ALIKE: f64 = 0.6;

/// The same of an object of two entries, of which an ordinary record may have two by chance.
const ALIKE_OF_TWO: f64 = 0.75;

/// A field's name, and what its value looks like.
type Fields = BTreeMap<String, char>;

/// How many entries of the map were looked at, and whether they are all, where the head holds a map of
/// records: a single object, whose
/// values are all objects, or all arrays of objects, that share most of their fields.
///
/// An object like `{"config": {…}, "data": {…}}` is a record, for its values have little in common.
pub(super) fn entries(head: &[u8], complete: bool) -> Option<(usize, bool)> {
    let mut records = Records::at(head, &[Step::All]);
    let mut entries: BTreeMap<String, Fields> = BTreeMap::new();
    let mut all = false;
    for _ in 0..RECORDS {
        match records.next() {
            Ok(Some(record)) => {
                // An array has no keys, and of several objects none is a map of all records.
                let key = record.key?.to_owned();
                let text = std::str::from_utf8(record.bytes).ok()?;
                let fields = fields(text)?;
                entries.entry(key).or_default().extend(fields);
            }
            Ok(None) if complete => {
                all = true;
                break;
            }
            Err(Broken::Syntax {
                cause: Cause::Cut, ..
            }) if !complete => break,
            // Values that are no objects, a second document cut short, bad JSON.
            Ok(None) | Err(_) => return None,
        }
    }
    (records.documents() == 1 && alike(&entries)).then_some((entries.len(), all))
}

fn fields(text: &str) -> Option<Fields> {
    let mut parser = Parser::new(text);
    let Ok(Token::Object) = parser.start() else {
        return None;
    };
    let (mut first, mut fields) = (true, Fields::new());
    while let Some(key) = parser.key(&mut first).ok()? {
        let kind = match parser.start().ok()? {
            Token::Null => '?',
            Token::Boolean(_) => 'b',
            Token::Number(_) => '0',
            Token::String(_) => 's',
            Token::Object => {
                parser.skip_open().ok()?;
                '{'
            }
            Token::Array => {
                parser.skip_open().ok()?;
                '['
            }
        };
        fields.insert(key.into_owned(), kind);
    }
    Some(fields)
}

fn alike(entries: &BTreeMap<String, Fields>) -> bool {
    if entries.len() < 2 {
        return false;
    }
    let mut seen: BTreeMap<(&str, char), usize> = BTreeMap::new();
    for fields in entries.values() {
        for (name, kind) in fields {
            *seen.entry((name, *kind)).or_default() += 1;
        }
    }
    // What most entries have, of one kind.
    let common: BTreeMap<&str, char> = seen
        .iter()
        .filter(|((_, kind), count)| *kind != '?' && **count * 2 > entries.len())
        .map(|((name, kind), _)| (*name, *kind))
        .collect();
    let shares = entries.values().map(|fields| {
        let shared = fields
            .iter()
            .filter(|(name, kind)| match common.get(name.as_str()) {
                Some(usual) => **kind == *usual || **kind == '?',
                None => false,
            })
            .count();
        let all: BTreeSet<&str> = fields
            .keys()
            .map(String::as_str)
            .chain(common.keys().copied())
            .collect();
        ratio(shared, all.len())
    });
    let mean = shares.sum::<f64>() / ratio(entries.len(), 1);
    match entries.len() {
        2 => common.len() > 1 && mean >= ALIKE_OF_TWO,
        _ => !common.is_empty() && mean >= ALIKE,
    }
}

#[allow(clippy::cast_precision_loss)] // counts within one MiB of text
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_records_are_told_from_records() {
        for (text, expected) in [
            (
                r#"{"US": {"name": "a", "pop": 1}, "FR": {"name": "b", "pop": 2}}"#,
                Some(2),
            ),
            (
                r#"{"US": {"pop": 1}, "FR": {"pop": 2}, "DE": {"pop": null}}"#,
                Some(3),
            ),
            (
                r#"{"A": [{"id": 1, "n": "x"}], "B": [{"id": 2, "n": "y"}, {"id": 3, "n": "z"}]}"#,
                Some(2),
            ),
            // Ordinary records.
            (r#"{"config": {"port": 1}, "data": {"rows": [1]}}"#, None),
            (r#"{"id": {"v": 1}, "name": {"v": "x"}}"#, None),
            (r#"{"US": {"pop": 1}, "FR": {"pop": 2}}"#, None),
            (r#"{"a": {"x": 1, "y": 2}}"#, None),
            (
                r#"{"a": 1, "b": {"x": 1, "y": 2}, "c": {"x": 1, "y": 2}}"#,
                None,
            ),
            (
                r#"{"users": [{"id": 1, "mail": "x"}], "orders": [{"id": 7, "total": 3, "user": 1}]}"#,
                None,
            ),
            // Records one after another, and an array.
            (
                "{\"a\": {\"x\": 1, \"y\": 2}, \"b\": {\"x\": 1, \"y\": 2}}\n{\"a\": {\"x\": 1, \"y\": 2}, \"b\": {\"x\": 1, \"y\": 2}}",
                None,
            ),
            (r#"[{"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}}]"#, None),
            ("{}", None),
        ] {
            let found = entries(text.as_bytes(), true);
            assert_eq!(found, expected.map(|n| (n, true)), "{text}");
        }
        let cut = r#"{"US": {"name": "a", "pop": 1}, "FR": {"name": "b", "pop": 2}, "D"#;
        assert_eq!(entries(cut.as_bytes(), false), Some((2, false)));
        assert_eq!(entries(cut.as_bytes(), true), None);
    }
}
