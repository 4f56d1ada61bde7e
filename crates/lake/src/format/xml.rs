//! XML: the repeating element is the record.
//!
//! Names follow Glue's and spark-xml's defaults: attributes are `_name`, the text of an element
//! that also has attributes or children is `_VALUE`. A record is handed on as JSON, so that typing
//! and decoding are those of JSON.

use std::io::{self, BufReader, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde_json::{Map, Number, Value};

use super::Head;
use crate::value;

/// How XML is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlOptions {
    /// The element that is a record (Glue's `rowTag`).
    pub row_tag: String,
}

/// How deep elements may be nested within a record.
const MAX_DEPTH: usize = 200;

/// How many bytes a record, or anything between two, may have.
const MAX_RECORD: u64 = 64 << 20;

/// What each element and attribute counts for beside its text: what is kept of it in memory.
const OF_ELEMENT: u64 = 64;

/// How deep, and how many names at each depth, are looked through for the element that repeats.
const SNIFFED_DEPTH: usize = 64;
const SNIFFED_NAMES: usize = 1000;

/// Where the text of an XML file begins, if the head is one.
fn start(head: &Head<'_>) -> Option<usize> {
    let mark = usize::from(head.bytes.starts_with(b"\xef\xbb\xbf")) * 3;
    let text = &head.bytes[mark..];
    let start = mark + text.iter().position(|b| !b.is_ascii_whitespace())?;
    let opens = head.bytes[start] == b'<'
        && matches!(
            head.bytes.get(start + 1),
            Some(b'?' | b'!' | b'a'..=b'z' | b'A'..=b'Z' | b'_')
        );
    opens.then_some(start)
}

/// Whether the head is XML with this element, or may have it further on.
pub(super) fn holds(head: &Head<'_>, row_tag: &str) -> bool {
    let Some(start) = start(head) else {
        return false;
    };
    let mut reader = Reader::from_reader(&head.bytes[start..]);
    let (mut buffer, mut elements) = (Vec::new(), 0u64);
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(e) | Event::Empty(e)) => {
                elements += 1;
                if e.name().as_ref() == row_tag.as_bytes() {
                    return true;
                }
            }
            Ok(Event::Eof) | Err(_) => return !head.complete && elements > 0,
            Ok(_) => {}
        }
        buffer.clear();
    }
}

/// The element that repeats, if the head is XML.
pub(super) fn sniff(head: &Head<'_>) -> Option<(XmlOptions, f32, String)> {
    let start = start(head)?;
    let text = head.bytes;
    let mut reader = Reader::from_reader(&text[start..]);
    let mut buffer = Vec::new();
    let mut depth = 0usize;
    // How often each element occurs below the root, by depth: the shallowest that repeats wins.
    let mut counts: Vec<Vec<(String, usize)>> = Vec::new();
    let mut count = |depth: usize, name: &BytesStart<'_>| {
        let name = String::from_utf8_lossy(name.name().as_ref()).into_owned();
        if depth >= SNIFFED_DEPTH {
            return;
        }
        if counts.len() <= depth {
            counts.resize(depth + 1, Vec::new());
        }
        let level = &mut counts[depth];
        match level.iter().position(|(n, _)| *n == name) {
            Some(at) => level[at].1 += 1,
            None if level.len() < SNIFFED_NAMES => level.push((name, 1)),
            None => {}
        }
    };
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(e)) => {
                count(depth, &e);
                depth += 1;
            }
            Ok(Event::Empty(e)) => count(depth, &e),
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
        buffer.clear();
    }
    let root = counts.first()?.first()?.0.clone();
    let repeated = counts.iter().skip(1).find_map(|level| {
        level
            .iter()
            .filter(|(_, n)| *n > 1)
            .max_by_key(|(_, n)| *n)
            .map(|(name, _)| name.clone())
    });
    if root.eq_ignore_ascii_case("html") {
        return None;
    }
    let row_tag = repeated
        .or_else(|| Some(counts.get(1)?.first()?.0.clone()))
        .unwrap_or(root);
    let reason = format!("the text is XML, and <{row_tag}> repeats in it");
    Some((XmlOptions { row_tag }, 1.0, reason))
}

/// Lets no more bytes through than one record may have.
struct Gate<R> {
    inner: R,
    left: u64,
}

impl<R> Gate<R> {
    fn spend(&mut self, bytes: u64) -> io::Result<()> {
        self.left = self.left.saturating_sub(bytes);
        if self.left > 0 {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an element is longer than 64 MiB, or has more than a million others within, and is not read",
        ))
    }
}

impl<R: Read> Read for Gate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.spend(count as u64)?;
        Ok(count)
    }
}

/// The records of an XML text, as lines of JSON.
pub(super) struct AsJson<R: Read> {
    reader: Reader<BufReader<Gate<R>>>,
    row_tag: Vec<u8>,
    buffer: Vec<u8>,
    line: Vec<u8>,
    at: usize,
    done: bool,
    /// How many elements around the records are open.
    depth: usize,
}

impl<R: Read> AsJson<R> {
    pub(super) fn new(reader: R, options: &XmlOptions) -> Self {
        let gate = Gate {
            inner: reader,
            left: MAX_RECORD,
        };
        let mut reader = Reader::from_reader(BufReader::with_capacity(64 * 1024, gate));
        reader.config_mut().expand_empty_elements = true;
        AsJson {
            reader,
            row_tag: options.row_tag.clone().into_bytes(),
            buffer: Vec::new(),
            line: Vec::new(),
            at: 0,
            done: false,
            depth: 0,
        }
    }

    fn bad(&self, message: impl std::fmt::Display) -> io::Error {
        let at = self.reader.buffer_position();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("at byte {at}: {message}"),
        )
    }

    /// An element or attribute more is kept.
    fn keep(&mut self) -> io::Result<()> {
        let kept = self.reader.get_mut().get_mut().spend(OF_ELEMENT);
        kept.map_err(|e| self.bad(e))
    }

    fn advance(&mut self) -> io::Result<()> {
        self.line.clear();
        self.at = 0;
        loop {
            self.buffer.clear();
            self.reader.get_mut().get_mut().left = MAX_RECORD;
            let event = self.reader.read_event_into(&mut self.buffer);
            match event {
                Ok(Event::Start(start)) if start.name().as_ref() == self.row_tag.as_slice() => {
                    let start = start.into_owned();
                    let value = self.element(&start, 0)?;
                    let record = match value {
                        Value::Object(_) => value,
                        Value::Null => Value::Object(Map::new()),
                        text => Value::Object([("_VALUE".to_owned(), text)].into_iter().collect()),
                    };
                    serde_json::to_writer(&mut self.line, &record)?;
                    self.line.push(b'\n');
                    return Ok(());
                }
                Ok(Event::Start(_)) => self.depth += 1,
                Ok(Event::End(_)) => self.depth = self.depth.saturating_sub(1),
                Ok(Event::Eof) if self.depth > 0 => return Err(self.bad("the file is cut short")),
                Ok(Event::Eof) => {
                    self.done = true;
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => return Err(self.bad(error)),
            }
        }
    }

    fn element(&mut self, start: &BytesStart<'_>, depth: usize) -> io::Result<Value> {
        if depth > MAX_DEPTH {
            return Err(self.bad(format!(
                "elements are nested deeper than {MAX_DEPTH} levels"
            )));
        }
        let mut fields = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| self.bad(e))?;
            self.keep()?;
            let name = format!("_{}", String::from_utf8_lossy(attribute.key.as_ref()));
            let raw = String::from_utf8_lossy(&attribute.value).into_owned();
            let text = quick_xml::escape::unescape(&raw).map_err(|e| self.bad(e))?;
            insert(&mut fields, name, scalar(&text));
        }
        let mut text = String::new();
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let event = self.reader.read_event_into(&mut buffer);
            match event {
                Ok(Event::Start(child)) => {
                    self.keep()?;
                    let name = String::from_utf8_lossy(child.name().as_ref()).into_owned();
                    let child = child.into_owned();
                    let value = self.element(&child, depth + 1)?;
                    insert(&mut fields, name, value);
                }
                Ok(Event::Text(t)) => text.push_str(&t.decode().map_err(|e| self.bad(e))?),
                Ok(Event::CData(t)) => {
                    text.push_str(std::str::from_utf8(&t).map_err(|e| self.bad(e))?);
                }
                Ok(Event::GeneralRef(entity)) => text.push_str(&self.entity(&entity)?),
                Ok(Event::End(_)) => break,
                Ok(Event::Eof) => return Err(self.bad("the file is cut short")),
                Ok(_) => {}
                Err(error) => return Err(self.bad(error)),
            }
        }
        let text = text.trim();
        if fields.is_empty() {
            return Ok(scalar(text));
        }
        if !text.is_empty() {
            insert(&mut fields, "_VALUE".to_owned(), scalar(text));
        }
        Ok(Value::Object(fields))
    }

    fn entity(&self, entity: &BytesRef<'_>) -> io::Result<String> {
        if let Some(c) = entity.resolve_char_ref().map_err(|e| self.bad(e))? {
            return Ok(c.to_string());
        }
        let name = entity.decode().map_err(|e| self.bad(e))?;
        resolve_predefined_entity(&name)
            .map(str::to_owned)
            .ok_or_else(|| self.bad(format!("the entity &{name}; is not defined")))
    }
}

/// A name that is there already becomes an array.
fn insert(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => {
            fields.insert(name, value);
        }
        Some(Value::Array(all)) => all.push(value),
        Some(one) => {
            let first = one.take();
            *one = Value::Array(vec![first, value]);
        }
    }
}

/// XML has only text: what looks like a number or boolean and would be written the same way again
/// is one.
fn scalar(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    if value::number(text) == Some(value::Number::Integer)
        && let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Value::Number(number.into());
    }
    if value::number(text) == Some(value::Number::Real)
        && let Ok(number) = text.parse::<f64>()
        && let Some(number) = Number::from_f64(number)
        && number.to_string() == text
    {
        return Value::Number(number);
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => Value::String(text.to_owned()),
    }
}

impl<R: Read> Read for AsJson<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.line.len() && !self.done {
            self.advance()?;
        }
        let mut rest = &self.line[self.at..];
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

impl<R: Read> std::fmt::Debug for AsJson<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsJson").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0"?>
<films>
  <film id="7"><title>Up &amp; down</title><genre>a</genre><genre>b</genre><year>2009</year></film>
  <film id="8"><title><![CDATA[x < y]]></title><code>007</code><price cur="EUR">1.5</price></film>
  <film/>
</films>"#;

    #[test]
    fn records_become_json() {
        let head = Head {
            bytes: TEXT.as_bytes(),
            complete: true,
            name: "films.xml",
        };
        let (options, ..) = sniff(&head).unwrap();
        assert_eq!(options.row_tag, "film");
        let mut json = String::new();
        AsJson::new(TEXT.as_bytes(), &options)
            .read_to_string(&mut json)
            .unwrap();
        assert_eq!(
            json.lines().collect::<Vec<_>>(),
            [
                r#"{"_id":7,"title":"Up & down","genre":["a","b"],"year":2009}"#,
                r#"{"_id":8,"title":"x < y","code":"007","price":{"_cur":"EUR","_VALUE":1.5}}"#,
                "{}",
            ]
        );
    }

    #[test]
    fn what_is_cut_short_says_so() {
        let options = XmlOptions {
            row_tag: "film".into(),
        };
        let mut json = String::new();
        let error = AsJson::new(&TEXT.as_bytes()[..TEXT.find("Up").unwrap()], &options)
            .read_to_string(&mut json)
            .unwrap_err();
        assert!(error.to_string().contains("cut short"), "{error}");
    }

    #[test]
    fn pages_are_no_data() {
        let head = Head {
            bytes: b"<html><p>a</p><p>b</p></html>",
            complete: true,
            name: "x",
        };
        assert!(sniff(&head).is_none());
    }
}
