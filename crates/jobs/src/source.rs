//! The text of a script, and places in it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that was read, and what to call it in messages: a script's path, or `--set`.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// A text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and column of a byte offset, both from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// A range of bytes in a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` to before `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// As a range, to slice the source's text by.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A scalar of a script, with its parameters put in, that knows where each of its letters stands
/// in the script.
#[derive(Debug, Clone, Default)]
pub struct Text {
    value: String,
    span: Span,
    /// For every byte of `value`, the part of the script that it comes from.
    places: Vec<Span>,
}

/// Two texts are equal where they say the same, wherever they stand.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Text {}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)
    }
}

impl Text {
    /// A scalar as YAML gives it: `value` is what the bytes of `span` mean.
    pub(crate) fn aligned(value: &str, source: &str, span: Span) -> Self {
        let mut places = Vec::with_capacity(value.len());
        let mut at = span.start;
        for c in value.chars() {
            let here = source.get(at..span.end).unwrap_or_default();
            // Indentation, folded line ends, quotes and the marks of escapes stand between the
            // letters; the letters themselves come in the same order.
            let found = if c.is_whitespace() {
                here.char_indices().find(|(_, s)| s.is_whitespace())
            } else {
                here.char_indices().find(|(_, s)| *s == c)
            };
            let place = match found {
                Some((offset, s)) => Span::new(at + offset, at + offset + s.len_utf8()),
                None => Span::new(at, at),
            };
            at = place.end;
            places.extend(std::iter::repeat_n(place, c.len_utf8()));
        }
        Self {
            value: value.to_owned(),
            span,
            places,
        }
    }

    /// A text that stands nowhere but at `span` as a whole.
    pub(crate) fn made(value: impl Into<String>, span: Span) -> Self {
        let value = value.into();
        Self {
            places: vec![span; value.len()],
            value,
            span,
        }
    }

    pub(crate) fn push(&mut self, part: &Self) {
        self.value.push_str(&part.value);
        self.places.extend(&part.places);
    }

    pub(crate) fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// The part of this text at these bytes of its value.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        Self {
            value: self.value.get(range.clone()).unwrap_or_default().to_owned(),
            span: self.locate(range.clone()),
            places: self.places.get(range).unwrap_or_default().to_vec(),
        }
    }

    /// What it says.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// Where it stands as a whole.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Where these bytes of its value stand.
    pub fn locate(&self, range: Range<usize>) -> Span {
        let places = self.places.get(range.clone()).unwrap_or_default();
        match (places.first(), places.last()) {
            (Some(first), Some(last)) => Span::new(first.start, last.end),
            // Past the end: what is missing belongs after the last letter.
            _ if range.start >= self.value.len() => {
                let end = self.places.last().map_or(self.span.end, |p| p.end);
                Span::new(end, end)
            }
            _ => self.span,
        }
    }
}
