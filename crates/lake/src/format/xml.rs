//! XML: the repeating element is the record.
//!
//! Names follow Glue's and spark-xml's defaults: attributes are `_name`, the text of an element
//! that also has attributes or children is `_VALUE`. A record is handed on as JSON, so that typing
//! and decoding are those of JSON.

mod elements;
mod gate;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

pub(super) use self::elements::Elements;
use super::Head;

/// How XML is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlOptions {
    /// The element that is a record (Glue's `rowTag`).
    pub row_tag: String,
    /// What attributes' names begin with as columns (`attributePrefix`).
    pub attribute_prefix: String,
    /// The column of the text of an element that also has attributes or children (`valueTag`).
    pub value_tag: String,
    /// Whether attributes are left out (`excludeAttribute`).
    pub exclude_attributes: bool,
    /// Whether elements and attributes with nothing in them are null, and no empty texts
    /// (`treatEmptyValuesAsNulls`).
    pub empty_is_null: bool,
    /// Whether blanks around a text are none of it (`ignoreSurroundingSpaces`).
    pub trim: bool,
    /// A text that stands for null (spark-xml's `nullValue`).
    pub null: Option<String>,
    /// The files' encoding, by its name in the WHATWG's list, where they do not tell it themselves.
    pub encoding: Option<String>,
}

impl XmlOptions {
    /// The usual options for records in elements of this name: Glue's, but that empty elements are null and
    /// blanks around texts are left out, without which few columns would be of any type but text.
    pub fn new(row_tag: impl Into<String>) -> Self {
        XmlOptions {
            row_tag: row_tag.into(),
            attribute_prefix: "_".into(),
            value_tag: "_VALUE".into(),
            exclude_attributes: false,
            empty_is_null: true,
            trim: true,
            null: None,
            encoding: None,
        }
    }
}

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
    Some((XmlOptions::new(row_tag), 1.0, reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::format::json::records::{Broken, Source};

    const TEXT: &str = r#"<?xml version="1.0"?>
<films>
  <film id="7"><title>Up &amp; down</title><genre>a</genre><genre>b</genre><year>2009</year></film>
  <film id="8"><title><![CDATA[x < y]]></title><code>007</code><price cur="EUR">1.5</price></film>
  <film/>
</films>"#;

    fn read(text: &str, options: &XmlOptions) -> Result<String, String> {
        let mut elements = Elements::new(text.as_bytes(), options, false);
        let mut json = String::new();
        loop {
            match elements.next() {
                Ok(Some(record)) => {
                    json.push_str(std::str::from_utf8(record.bytes).unwrap());
                    json.push('\n');
                }
                Ok(None) => return Ok(json),
                Err(Broken::Read(error)) => return Err(error.to_string()),
                Err(Broken::Syntax { message, .. }) => return Err(message),
            }
        }
    }

    #[test]
    fn records_become_json() {
        let head = Head {
            bytes: TEXT.as_bytes(),
            complete: true,
            name: "films.xml",
        };
        let (options, ..) = sniff(&head).unwrap();
        assert_eq!(options.row_tag, "film");
        let json = read(TEXT, &options).unwrap();
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
        let options = XmlOptions::new("film");
        let error = read(&TEXT[..TEXT.find("Up").unwrap()], &options).unwrap_err();
        assert!(error.contains("cut short"), "{error}");
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
