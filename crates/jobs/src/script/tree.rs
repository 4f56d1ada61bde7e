//! YAML as a tree that forgets nothing: the text of every scalar, the place of every node, and a
//! key that stands twice.

use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::error::ScriptError;
use crate::source::{Source, Span};

/// Deeper than any script is; what is deeper would only exhaust the stack.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar { value: String, plain: bool },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Whether nothing is written, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { value, plain: true }
            if matches!(value.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }
}

/// A node that is being read.
struct Open {
    span: Span,
    mapping: bool,
    children: Vec<Node>,
}

/// Reads the one document of a script.
pub(crate) fn read(source: &Arc<Source>) -> Result<Option<Node>, ScriptError> {
    let text = source.text();
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let byte = |index: usize| offsets.get(index).copied().unwrap_or(text.len());
    let error = |span: Span, message: &str| ScriptError::new(source, span, message);

    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, mark) = event.map_err(|e| syntax(source, &e, byte(e.marker().index())))?;
        let mut span = Span::new(byte(mark.start.index()), byte(mark.end.index()));
        let done = match event {
            Event::Scalar(value, style, ..) => {
                let length = text[span.range()].trim_end().len();
                span.end = span.start + length;
                let plain = style == ScalarStyle::Plain;
                Some(Node {
                    kind: Kind::Scalar {
                        value: value.into_owned(),
                        plain,
                    },
                    span,
                })
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if open.len() >= MAX_DEPTH {
                    return Err(error(span, "lists and mappings are nested too deeply"));
                }
                open.push(Open {
                    span,
                    mapping: matches!(event, Event::MappingStart(..)),
                    children: Vec::new(),
                });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop().map(|node| close(node, span, text))
            }
            Event::Alias(_) => {
                return Err(error(span, "YAML aliases have no place in a script").hint(
                    "what two frames share is a frame of its own: name it, and start both from it",
                ));
            }
            Event::DocumentStart(_) if root.is_some() => {
                return Err(error(span, "a file holds one script")
                    .hint("put what follows '---' into a file of its own"));
            }
            _ => None,
        };
        if let Some(node) = done {
            match open.last_mut() {
                Some(parent) => parent.children.push(node),
                None => root = Some(node),
            }
        }
    }
    Ok(root)
}

fn close(node: Open, end: Span, text: &str) -> Node {
    let whole = Span::new(node.span.start, end.end.max(node.span.end));
    let length = text.get(whole.range()).unwrap_or_default().trim_end().len();
    let kind = if node.mapping {
        let mut children = node.children.into_iter();
        let mut pairs = Vec::new();
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            pairs.push((key, value));
        }
        Kind::Mapping(pairs)
    } else {
        Kind::Sequence(node.children)
    };
    Node {
        kind,
        span: Span::new(whole.start, whole.start + length),
    }
}

fn syntax(source: &Arc<Source>, error: &ScanError, at: usize) -> ScriptError {
    let text = source.text();
    let rest = text.get(at..).unwrap_or_default();
    let length = rest
        .chars()
        .next()
        .filter(|c| *c != '\n')
        .map_or(0, char::len_utf8);
    let span = Span::new(at, at + length);
    let line_start = text[..at].rfind('\n').map_or(0, |i| i + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let hint = if line.trim_start_matches(' ').starts_with('\t') || rest.starts_with('\t') {
        "YAML is indented with spaces, not with tabs"
    } else if line.contains("${") {
        "inside { } or [ ] a text with a ${name} in it goes into quotes"
    } else {
        "a text that holds ': ' or ' #', or that starts with a quote or one of { [ & * ! % @ `, goes \
         into quotes, or under a | on lines of its own"
    };
    ScriptError::new(source, span, format!("this is no YAML: {}", error.info())).hint(hint)
}
