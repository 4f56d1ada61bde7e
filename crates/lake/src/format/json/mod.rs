//! JSON: lines, arrays, pretty-printed, records one after another, a map of records, or where a path leads.

mod ahead;
mod decode;
mod map;
pub(crate) mod parse;
mod path;
pub(crate) mod records;
#[cfg(test)]
mod tests_ahead;

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

pub(super) use self::ahead::ParallelDecoder;
pub(super) use self::decode::Decoder;
use self::parse::{Parser, Problem, Token};
use self::path::Step;
pub use self::path::{JsonPath, JsonPathError};
use self::records::{Broken, Cause, Failed, Record, Records, Source};
use super::{Head, Inference, Limits};
use crate::error::{LakeError, Result};
use crate::infer::{Choices, Node, Typing};

/// How JSON is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// Where in each document its records are. Without one they are the document itself: an object, or the
    /// objects of an array.
    pub path: Option<JsonPath>,
    /// The column that holds each record's key, where the records are the values of an object: a map of
    /// records, or a path with a wildcard over an object.
    pub keyed: Option<String>,
    /// Columns that are other keys of the records than their names say: each with its key (`mapping.column` of the
    /// `openx` SerDe).
    pub mapping: Vec<(String, String)>,
    /// Whether a record that is no JSON is a row of nulls, and no error (`ignore.malformed.json` of the `openx` SerDe).
    pub ignore_malformed: bool,
}

impl JsonOptions {
    /// The fields of a table by the keys that they are in the records.
    pub(super) fn keys_of(&self, fields: Fields) -> Fields {
        if self.mapping.is_empty() {
            return fields;
        }
        let key = |field: &Arc<Field>| {
            let mapped = self.mapping.iter();
            let mut mapped = mapped.filter(|(column, _)| column.eq_ignore_ascii_case(field.name()));
            match mapped.next() {
                Some((_, key)) => Arc::new(field.as_ref().clone().with_name(key)),
                None => field.clone(),
            }
        };
        fields.iter().map(key).collect()
    }

    pub(super) fn steps(&self) -> &[Step] {
        match (&self.path, &self.keyed) {
            (Some(path), _) => path.steps(),
            (None, Some(_)) => &[Step::All],
            (None, None) => &[],
        }
    }
}

/// Whether the head looks like JSON records: in which layout, how sure, and why.
pub(super) fn sniff(head: &Head<'_>) -> Option<(JsonOptions, f32, String)> {
    let text = head.bytes;
    let plain = |certainty, reason| Some((JsonOptions::default(), certainty, reason));
    let first = text.iter().find(|b| !b" \t\r\n\xef\xbb\xbf".contains(b))?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    let mut records = Records::new(text);
    let mut count = 0u32;
    loop {
        match records.next() {
            Ok(Some(record)) => {
                let problem = match std::str::from_utf8(record.bytes) {
                    Ok(text) => Parser::new(text).skip().err().map(|p| p.message),
                    Err(_) => Some("the text is not UTF-8".to_owned()),
                };
                if let Some(problem) = problem {
                    // One bad record after good ones is a file with a bad record.
                    return match count {
                        0 if looks_like_object(text) && like_json(record.bytes) => plain(
                            0.5,
                            format!("objects, the first of which is bad: {problem}"),
                        ),
                        0 => None,
                        _ => plain(0.8, format!("{count} records, then a bad one")),
                    };
                }
                count += 1;
            }
            Ok(None) => break,
            // The head ends within a record, or the file is cut short.
            Err(Broken::Syntax {
                message,
                cause: Cause::Cut,
                ..
            }) => {
                if count == 0 && head.complete {
                    return match looks_like_object(text) {
                        true => plain(0.5, message),
                        false => None,
                    };
                }
                break;
            }
            Err(Broken::Syntax {
                message,
                cause: Cause::Bounds,
                ..
            }) if looks_like_object(text) => return plain(0.5, message),
            Err(_) => {
                return match count {
                    0 => None,
                    _ => plain(0.8, format!("{count} records, then something else")),
                };
            }
        }
        if count >= 100 {
            break;
        }
    }
    let empty_array = head.complete && text.trim_ascii() == b"[]";
    if count == 0 && !looks_like_object(text) && !empty_array {
        return None;
    }
    // A map is one object, which the head may not hold all of.
    if *first == b'{'
        && count <= 1
        && let Some((entries, all)) = map::entries(text, head.complete)
    {
        let options = JsonOptions {
            path: None,
            keyed: Some(KEY.to_owned()),
            ..JsonOptions::default()
        };
        let least = if all { "" } else { "at least " };
        let reason = format!("the text is one object that maps {least}{entries} keys to records");
        return Some((options, 1.0, reason));
    }
    let layout = if *first == b'[' {
        "an array of objects"
    } else {
        "objects"
    };
    plain(1.0, format!("the text is {layout}"))
}

/// The name of the column of keys, where the records have no field of that name.
const KEY: &str = "key";

fn looks_like_object(text: &[u8]) -> bool {
    let mut bytes = text.iter().filter(|b| !b" \t\r\n[\xef\xbb\xbf".contains(b));
    bytes.next() == Some(&b'{') && matches!(bytes.next(), Some(b'"' | b'}'))
}

/// Whether a bad record begins as JSON does: with a key and a colon.
fn like_json(record: &[u8]) -> bool {
    let text = match std::str::from_utf8(record) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&record[..error.valid_up_to()]).unwrap_or_default(),
    };
    let mut parser = Parser::new(text);
    matches!(parser.start(), Ok(Token::Object)) && matches!(parser.key(&mut true), Ok(Some(_)))
}

/// Why JSON that holds no records is none: arrays of arrays or of values.
pub(super) fn problem(head: &Head<'_>) -> Option<String> {
    let text = match std::str::from_utf8(head.bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head.bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}');
    let mut parser = Parser::new(text);
    let Ok(Token::Array) = parser.start() else {
        return None;
    };
    let (mut first, mut found) = (true, None);
    let closed = loop {
        match parser.element(&mut first) {
            Ok(true) => {}
            Ok(false) => break true,
            Err(_) => break false,
        }
        let kind = match parser.start() {
            Ok(Token::Array) => "arrays",
            Ok(Token::Object) => "objects and other values",
            Ok(_) => "single values",
            Err(_) => break false,
        };
        if matches!(kind, "arrays" | "objects and other values") && parser.skip_open().is_err() {
            found.get_or_insert(kind);
            break false;
        }
        found.get_or_insert(kind);
    };
    // A text that only begins like JSON is something else; one that is cut may be either, and is JSON
    // where it is as far as it goes.
    let far = |position: usize| !head.complete && position + 4096 >= text.len();
    if !closed && !far(parser.position()) {
        return None;
    }
    let mut rest = text[parser.position()..].trim_start();
    while closed && !rest.is_empty() {
        let mut next = Parser::new(rest);
        let nested = rest.starts_with(['[', '{']);
        let position = text.len() - rest.len();
        if !nested || (next.skip().is_err() && !far(position + next.position())) {
            return None;
        }
        if far(position + next.position()) {
            break;
        }
        rest = rest[next.position()..].trim_start();
    }
    let found = found?;
    Some(format!(
        "it is JSON, an array of {found}, and a record is an object in braces"
    ))
}

/// Whether a path leads to records in the head: why, or why not.
pub(super) fn leads_to_records(
    head: &Head<'_>,
    path: &JsonPath,
) -> std::result::Result<String, String> {
    let mut records = Records::at(head.bytes, path.steps());
    let mut count = 0;
    while count < 100 {
        match records.next() {
            Ok(Some(record)) => {
                let text = std::str::from_utf8(record.bytes).map_err(|e| e.to_string())?;
                Parser::new(text).skip().map_err(|p| p.message)?;
                count += 1;
            }
            Ok(None) => break,
            // What leads to the records may be beyond the head.
            Err(Broken::Syntax {
                cause: Cause::Cut, ..
            }) if !head.complete => {
                if count == 0 && !looks_like_object(head.bytes) {
                    return Err("it is no JSON".to_owned());
                }
                return Ok(format!("the text is JSON, read at {path}"));
            }
            Err(Broken::Syntax { message, .. }) => return Err(message),
            Err(Broken::Read(error)) => return Err(error.to_string()),
        }
    }
    if count == 0 {
        return Err(format!("there is no record at the JSON path {path}"));
    }
    Ok(format!("the text is JSON with records at {path}"))
}

fn lake_error(file: &str, broken: Broken) -> LakeError {
    match broken {
        Broken::Read(e) => LakeError::data(
            file,
            match e.kind() {
                std::io::ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
                _ => e.to_string(),
            },
        ),
        Broken::Syntax {
            line,
            column,
            message,
            ..
        } => LakeError::Data {
            file: file.to_owned(),
            line: Some(line),
            column: (column > 0).then_some(column),
            message,
        },
    }
}

fn at(file: &str, record: &Record<'_>, problem: Problem) -> LakeError {
    let (line, column) = record.place(problem.at);
    LakeError::Data {
        file: file.to_owned(),
        line: Some(line),
        column: (column > 0).then_some(column),
        message: problem.message,
    }
}

fn text<'a>(file: &str, record: &Record<'a>) -> Result<&'a str> {
    std::str::from_utf8(record.bytes).map_err(|e| {
        at(
            file,
            record,
            Problem {
                at: e.valid_up_to(),
                message: "the text is not UTF-8".into(),
            },
        )
    })
}

/// How many different keys the objects of one column may have in all: beyond it they are no names of
/// columns, and what is kept of each would fill the memory.
const MAX_FIELDS: usize = 20_000;

/// How a file's records are watched.
pub(super) struct Watch<'a> {
    /// How far.
    pub(super) limits: &'a Limits,
    /// How types are chosen in the end.
    pub(super) choices: Choices,
    /// What the format says of types.
    pub(super) typing: Typing,
    /// Whether records that cannot be read are passed over, as a dynamic frame does.
    pub(super) lenient: bool,
}

/// Watches every record up to the limits. Where records have keys, the column of keys gets its name.
pub(super) fn infer(
    file: &str,
    reader: impl Read,
    options: &mut JsonOptions,
    watch: &Watch<'_>,
) -> Result<Inference> {
    infer_from(file, Records::at(reader, options.steps()), options, watch)
}

/// As [`infer`], from any source of records.
pub(super) fn infer_from(
    file: &str,
    mut records: impl Source,
    options: &mut JsonOptions,
    watch: &Watch<'_>,
) -> Result<Inference> {
    let choices = watch.choices;
    let (mut root, mut keys) = (Node::default(), Node::default());
    let (mut rows, mut bytes) = (0, 0);
    let mut complete = true;
    let mut line = 1;
    loop {
        let failed = match records.next() {
            Ok(None) => break,
            Ok(Some(_)) if bytes >= watch.limits.bytes => {
                complete = false;
                break;
            }
            Ok(Some(record)) => {
                bytes += record.bytes.len() as u64;
                line = record.line;
                match see_record(file, &record, &mut root, watch.lenient) {
                    Ok(()) => {
                        rows += 1;
                        if let Some(key) = record.key {
                            keys.see_string(record.line, key);
                        }
                        None
                    }
                    Err(error) => Some((Failed::Within, error)),
                }
            }
            Err(broken @ Broken::Syntax { .. }) => {
                Some((Failed::Cutting, lake_error(file, broken)))
            }
            Err(broken) => return Err(lake_error(file, broken)),
        };
        if let Some((at, error)) = failed {
            // A file of nothing but bad records is no JSON.
            let passed = watch.lenient
                && records
                    .recover(at)
                    .map_err(|b| lake_error(file, b))?
                    .is_some();
            if !passed {
                return Err(error);
            }
        }
        if root.fields().size_hint().0 > MAX_FIELDS {
            return Err(LakeError::Data {
                file: file.to_owned(),
                line: Some(line),
                column: None,
                message: format!(
                    "the records have more than {MAX_FIELDS} different keys in all, which are no columns"
                ),
            });
        }
    }
    if let Some(path) = &options.path
        && rows == 0
        && records.documents() > 0
    {
        return Err(LakeError::data(
            file,
            format!("there is no record at the JSON path {path}"),
        ));
    }
    // Records with many varying keys are still records.
    let columns = |whole: DataType, own: &dyn Fn(&str, &Node) -> Field| -> Vec<Arc<Field>> {
        match whole {
            DataType::Struct(fields)
                if !mastic_schema::choice::is_choice(&DataType::Struct(fields.clone())) =>
            {
                fields.iter().cloned().collect()
            }
            _ => root
                .fields()
                .map(|(name, node)| Arc::new(own(name, node)))
                .collect(),
        }
    };
    let plain = |node: &Node| node.data_type(&[], choices);
    let chosen = |node: &Node| node.choice_type(&[], choices, watch.typing);
    let mut fields = columns(plain(&root), &|name, node| {
        Field::new(name, plain(node), true)
    });
    let mut chosen = columns(chosen(&root), &|name, node| {
        node.choice_field(name, &[], choices, watch.typing)
    });
    if let Some(keyed) = &mut options.keyed {
        *keyed = unused(keyed, &fields);
        let key = Arc::new(Field::new(keyed.as_str(), plain(&keys), true));
        *root.field(keyed) = keys;
        if rows > 0 {
            fields.insert(0, key.clone());
            chosen.insert(0, key);
        }
    }
    Ok(Inference {
        choices: (chosen != fields).then(|| chosen.into()),
        fields: fields.into(),
        rows,
        bytes,
        complete,
        node: Some(root),
    })
}

fn see_record(file: &str, record: &Record<'_>, root: &mut Node, lenient: bool) -> Result<()> {
    let text = text(file, record)?;
    // Of a record that is passed over nothing is seen.
    if lenient && let Err(problem) = Parser::new(text).skip() {
        return Err(at(file, record, problem));
    }
    let mut parser = Parser::new(text);
    let mut keys = Vec::new();
    let seen = parser
        .start()
        .and_then(|token| see(root, &mut parser, token, record.line, &mut keys));
    seen.map_err(|problem| at(file, record, problem))
}

/// The name, or one made from it, that no field has.
fn unused(name: &str, fields: &[Arc<Field>]) -> String {
    let taken = |name: &str| fields.iter().any(|f| f.name().eq_ignore_ascii_case(name));
    let others = (1u64..).map(|n| format!("{name}_{n}"));
    std::iter::once(name.to_owned())
        .chain(others)
        .find(|n| !taken(n))
        .unwrap_or_default()
}

/// Shows a value to its node. `keys` holds the keys of the objects that are open.
fn see<'a>(
    node: &mut Node,
    parser: &mut Parser<'a>,
    token: Token<'a>,
    line: u64,
    keys: &mut Vec<Cow<'a, str>>,
) -> std::result::Result<(), Problem> {
    match token {
        Token::Null => node.see_null(),
        Token::Boolean(value) => node.see_boolean(line, value),
        Token::Number(text) => node.see_number(line, text),
        Token::String(text) => node.see_string(line, &text),
        Token::Object => {
            node.see_object(line);
            let mut first = true;
            let (mut position, own) = (0, keys.len());
            while let Some(key) = parser.key(&mut first)? {
                let token = parser.start()?;
                see(field_of(node, position, &key), parser, token, line, keys)?;
                keys.push(key);
                position += 1;
            }
            if let Some(twice) = repeated(&mut keys[own..]) {
                return Err(parser.problem(format!("the key '{twice}' is there twice")));
            }
            keys.truncate(own);
        }
        Token::Array => {
            node.see_array(line);
            let mut first = true;
            while parser.element(&mut first)? {
                let token = parser.start()?;
                see(node.element(), parser, token, line, keys)?;
            }
        }
    }
    Ok(())
}

/// The node of a field. An object with no end of different keys is a map, whose values are all alike: once
/// there are too many keys, all further values are shown to the first one's node.
fn field_of<'a>(node: &'a mut Node, position: usize, key: &str) -> &'a mut Node {
    let key = super::columns::named(key);
    if node.fields().size_hint().0 > MAX_FIELDS {
        let first = node.fields().next().map(|(name, _)| name.to_owned());
        return node.field_at(0, first.as_deref().unwrap_or(key));
    }
    node.field_at(position, key)
}

/// A key that is among the keys twice. A decoder would have to choose between its values.
fn repeated<'k>(keys: &'k mut [Cow<'_, str>]) -> Option<&'k str> {
    const FEW: usize = 12;
    if keys.len() > FEW {
        keys.sort_unstable();
        let at = keys.windows(2).position(|pair| pair[0] == pair[1])?;
        return Some(&keys[at]);
    }
    let twice = (1..keys.len()).find(|i| keys[..*i].contains(&keys[*i]))?;
    Some(&keys[twice])
}
