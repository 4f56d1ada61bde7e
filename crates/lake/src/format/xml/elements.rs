//! The records of an XML text, each as one object of JSON.

use std::io::{self, BufReader, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde_json::{Map, Number, Value};

use super::XmlOptions;
use super::gate::{Gate, TOO_LONG};
use crate::format::json::records::{Aside, Broken, Cause, Failed, Record, Source};
use crate::value;

/// How deep elements may be nested within a record.
const MAX_DEPTH: usize = 200;

/// What each element and attribute counts for beside its text: what is kept of it in memory.
const OF_ELEMENT: u64 = 64;

/// The records of an XML text.
pub(in crate::format) struct Elements<R: Read> {
    reader: Reader<BufReader<Gate<R>>>,
    options: XmlOptions,
    buffer: Vec<u8>,
    record: Vec<u8>,
    /// Whether records that cannot be read are passed over.
    lenient: bool,
    /// How many records were handed out.
    count: u64,
    /// The line of the record, from 1, where lines are known; and where it begins in the text.
    line: Option<u64>,
    from: usize,
    /// The beginning of a record that was come upon in the search for it.
    pending: Option<BytesStart<'static>>,
    /// Whether a record has begun, and whether its end has been read.
    inside: bool,
    ended: bool,
    /// Whether the text itself cannot be read any further.
    broken: bool,
    /// How many elements around the records are open.
    depth: usize,
}

impl<R: Read> Elements<R> {
    /// The records of a text. Those that cannot be read may be passed over where `lenient`, and lines are
    /// known; else the first is an error.
    pub(in crate::format) fn new(reader: R, options: &XmlOptions, lenient: bool) -> Self {
        let gate = Gate::new(reader, lenient);
        let mut reader = Reader::from_reader(BufReader::with_capacity(64 * 1024, gate));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        // An element that is not closed is told here, where its record is known.
        config.check_end_names = !lenient;
        config.allow_unmatched_ends = lenient;
        Elements {
            reader,
            options: options.clone(),
            buffer: Vec::new(),
            record: Vec::new(),
            lenient,
            count: 0,
            line: None,
            from: 0,
            pending: None,
            inside: false,
            ended: false,
            broken: false,
            depth: 0,
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn bad(&self, message: impl std::fmt::Display) -> io::Error {
        let at = self.reader.buffer_position();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("at byte {at}: {message}"),
        )
    }

    fn failed(&mut self, error: &quick_xml::Error) -> io::Error {
        if let quick_xml::Error::Io(error) = error {
            self.broken |= error.kind() != TOO_LONG;
        }
        self.bad(error)
    }

    fn gate(&mut self) -> &mut Gate<R> {
        self.reader.get_mut().get_mut()
    }

    /// An element or attribute more is kept.
    fn keep(&mut self) -> io::Result<()> {
        let kept = self.gate().spend(OF_ELEMENT);
        kept.map_err(|e| self.bad(e))
    }

    /// Notes that a record may begin here.
    fn mark(&mut self) {
        if self.lenient {
            let position = self.position();
            self.from = position;
            self.line = self.gate().mark(position);
        }
    }

    /// Reads on to the next record; whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        (self.inside, self.ended) = (false, false);
        loop {
            self.gate().refill();
            let start = match self.pending.take() {
                Some(start) => start,
                None => {
                    self.buffer.clear();
                    self.mark();
                    match self.reader.read_event_into(&mut self.buffer) {
                        Ok(Event::Start(start))
                            if start.name().as_ref() == self.options.row_tag.as_bytes() =>
                        {
                            start.into_owned()
                        }
                        Ok(Event::Start(_)) => {
                            self.depth += 1;
                            continue;
                        }
                        Ok(Event::End(_)) => {
                            self.depth = self.depth.saturating_sub(1);
                            continue;
                        }
                        Ok(Event::Eof) if self.depth > 0 => {
                            return Err(self.bad("the file is cut short"));
                        }
                        Ok(Event::Eof) => return Ok(false),
                        Ok(_) => continue,
                        Err(error) => return Err(self.failed(&error)),
                    }
                }
            };
            self.inside = true;
            let value = self.element(&start, 0)?;
            let record = match value {
                Value::Object(_) => value,
                Value::Null => Value::Object(Map::new()),
                text => {
                    let own = (self.options.value_tag.clone(), text);
                    Value::Object([own].into_iter().collect())
                }
            };
            self.record.clear();
            serde_json::to_writer(&mut self.record, &record)?;
            self.count += 1;
            return Ok(true);
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
            if self.options.exclude_attributes {
                continue;
            }
            self.keep()?;
            let prefix = &self.options.attribute_prefix;
            let name = format!(
                "{prefix}{}",
                String::from_utf8_lossy(attribute.key.as_ref())
            );
            let raw = String::from_utf8_lossy(&attribute.value).into_owned();
            let text = quick_xml::escape::unescape(&raw).map_err(|e| self.bad(e))?;
            insert(&mut fields, name, self.options.scalar(&text));
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
                Ok(Event::End(end)) => {
                    self.ended = end.name().as_ref() == self.options.row_tag.as_bytes();
                    if self.lenient && end.name() != start.name() {
                        let [open, closed] = [start.name(), end.name()]
                            .map(|name| String::from_utf8_lossy(name.as_ref()).into_owned());
                        return Err(self.bad(format!("</{closed}> where </{open}> was expected")));
                    }
                    break;
                }
                Ok(Event::Eof) => return Err(self.bad("the file is cut short")),
                Ok(_) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        if fields.is_empty() {
            return Ok(self.options.scalar(&text));
        }
        // Blanks between elements are no text of theirs.
        if !text.trim().is_empty() {
            let value = self.options.scalar(&text);
            insert(&mut fields, self.options.value_tag.clone(), value);
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

    /// Reads on to the end of a record that cannot be read, or to the beginning of the next; whether there is
    /// either.
    fn resume(&mut self) -> bool {
        if self.ended || self.broken {
            return self.ended;
        }
        let mut errors = 0;
        loop {
            self.buffer.clear();
            self.gate().refill();
            let event = self.reader.read_event_into(&mut self.buffer);
            match event {
                Ok(Event::Start(start))
                    if start.name().as_ref() == self.options.row_tag.as_bytes() =>
                {
                    self.pending = Some(start.into_owned());
                    return true;
                }
                Ok(Event::End(end)) if end.name().as_ref() == self.options.row_tag.as_bytes() => {
                    return true;
                }
                // The file ends within the record, and so within what is around it.
                Ok(Event::Eof) => {
                    self.depth = 0;
                    return self.inside;
                }
                Ok(_) => {}
                Err(error) => {
                    self.failed(&error);
                    errors += 1;
                    if self.broken || errors > MAX_ERRORS {
                        return false;
                    }
                }
            }
        }
    }
}

/// How many errors the search for the end of a bad record goes on over.
const MAX_ERRORS: u32 = 10_000;

impl<R: Read> Source for Elements<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>, Broken> {
        match self.advance() {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(Record {
                bytes: &self.record,
                line: self.line.unwrap_or(self.count),
                column: u64::from(!self.lenient),
                key: None,
            })),
            Err(error) => Err(match self.line.filter(|_| !self.broken) {
                Some(line) => Broken::Syntax {
                    line,
                    // Where in the line is not known, and the message says the byte.
                    column: 0,
                    message: error.to_string(),
                    cause: Cause::Other,
                },
                None => Broken::Read(error),
            }),
        }
    }

    fn recover(&mut self, at: Failed) -> Result<Option<Aside>, Broken> {
        if !self.lenient {
            return Ok(None);
        }
        let line = self.line.unwrap_or(1);
        if at == Failed::Cutting && !self.resume() {
            return Ok(None);
        }
        let length = self.position().saturating_sub(self.from);
        let text = self.gate().shown(length).to_vec();
        if self.pending.is_some() {
            // The next record's line is not that of this one.
            self.mark();
        }
        Ok(Some(Aside { line, text }))
    }

    fn documents(&self) -> u64 {
        0
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

impl XmlOptions {
    /// The value of a text.
    fn scalar(&self, text: &str) -> Value {
        let text = if self.trim { text.trim() } else { text };
        match text {
            "" if !self.empty_is_null => Value::String(String::new()),
            text if self.null.as_deref() == Some(text) => Value::Null,
            text => scalar(text),
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
        // Programs differ in whether they write the sign of an exponent above zero.
        && number.to_string().replace("e+", "e") == text.replace("e+", "e")
    {
        return Value::Number(number);
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => Value::String(text.to_owned()),
    }
}
