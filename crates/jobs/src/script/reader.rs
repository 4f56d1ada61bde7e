//! What all sections of a script are read with: nodes to texts, lists and known keys, and a
//! complaint with a place for all that is not as it should be.

use std::collections::HashSet;
use std::sync::Arc;

use mastic_lake::format::option_list;
use mastic_schema::names;

use crate::error::ScriptError;
use crate::script::parameters::{Parameter, Role, may_be_password, substitute};
use crate::script::tree::{Kind, Node};
use crate::source::{Source, Span, Text};

pub(crate) struct Reader {
    pub(crate) source: Arc<Source>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) errors: Vec<ScriptError>,
    /// The names of sources and frames, those that could not be read included.
    pub(crate) declared: Vec<String>,
}

impl Reader {
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut ScriptError {
        self.errors
            .push(ScriptError::new(&self.source, span, message));
        let last = self.errors.len() - 1;
        &mut self.errors[last]
    }

    /// A complaint about a name, with the closest of those that would be right.
    pub(crate) fn unknown<'a>(
        &mut self,
        name: &Text,
        what: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) {
        let meant = names::closest(name.as_str(), known.clone());
        let list = known.into_iter().collect::<Vec<_>>().join(", ");
        let error = self.error(name.span(), format!("there is no {what} '{name}'"));
        error.did_you_mean = meant;
        if !list.is_empty() {
            error.hint = Some(format!("there are {list}"));
        }
    }

    /// A scalar as it is written, without parameters put in.
    pub(crate) fn raw(&mut self, node: &Node, what: &str) -> Option<Text> {
        match &node.kind {
            Kind::Scalar { value, .. } if !node.is_null() => {
                Some(Text::aligned(value, self.source.text(), node.span))
            }
            _ => {
                let found = node.what();
                self.error(
                    first_line(node),
                    format!("{what} was expected here, not {found}"),
                );
                None
            }
        }
    }

    /// A scalar, with parameters put in.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<Text> {
        self.filled(node, what, Role::Plain)
    }

    /// An SQL expression or query, with parameters put in as literals.
    pub(crate) fn sql(&mut self, node: &Node, what: &str) -> Option<Text> {
        self.filled(node, what, Role::Sql)
    }

    /// A URL, with parameters put in as parts of it. A parameter that may be its password is secret from here on.
    pub(crate) fn url(&mut self, node: &Node, what: &str) -> Option<Text> {
        if let Kind::Scalar { value, .. } = &node.kind {
            for parameter in &mut self.parameters {
                let named = format!("${{{}}}", parameter.name);
                let mut places = value.match_indices(&named);
                parameter.secret |= places.any(|(at, _)| may_be_password(&value[..at]));
            }
        }
        self.filled(node, what, Role::Url)
    }

    fn filled(&mut self, node: &Node, what: &str, role: Role) -> Option<Text> {
        let raw = self.raw(node, what)?;
        let text = substitute(&self.source, raw, &self.parameters, role, &mut self.errors);
        if text.as_str().trim().is_empty() && !text.as_str().is_empty() {
            self.error(node.span, format!("{what} was expected here, not blanks"));
            return None;
        }
        Some(text)
    }

    /// A list of texts; one text alone is a list of one.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<Text> {
        match &node.kind {
            Kind::Sequence(items) if items.is_empty() => {
                self.error(
                    node.span,
                    format!("a list of at least one is needed: {what}"),
                );
                Vec::new()
            }
            Kind::Sequence(items) => items.iter().filter_map(|n| self.text(n, what)).collect(),
            _ => self.text(node, what).into_iter().collect(),
        }
    }

    /// The pairs of a mapping of whatever keys; a key that stands twice is an error.
    pub(crate) fn pairs<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(Text, &'n Node)> {
        let Kind::Mapping(pairs) = &node.kind else {
            let found = node.what();
            self.error(
                first_line(node),
                format!("{what} was expected here, not {found}"),
            );
            return Vec::new();
        };
        let mut seen = HashSet::new();
        let mut out = Vec::new();
        for (key, value) in pairs {
            // A key like `null` or `1` is a name all the same.
            let Kind::Scalar { value: name, .. } = &key.kind else {
                self.error(first_line(key), "a key is a plain name");
                continue;
            };
            let name = Text::aligned(name, self.source.text(), key.span);
            if !seen.insert(name.as_str().to_owned()) {
                self.error(name.span(), format!("'{name}' stands here twice"))
                    .hint = Some("keep one of them".to_owned());
                continue;
            }
            out.push((name, value));
        }
        out
    }

    /// The pairs of a mapping of known keys.
    pub(crate) fn known<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        keys: &[&str],
    ) -> Vec<(Text, &'n Node)> {
        let pairs = self.pairs(node, what);
        for (key, _) in &pairs {
            if !keys.contains(&key.as_str()) {
                let meant = names::closest(key.as_str(), keys.iter().copied());
                let list = keys.join(", ");
                let error = self.error(key.span(), format!("'{key}' is no key of {what}"));
                error.did_you_mean = meant;
                error.hint = Some(format!("its keys are {list}"));
            }
        }
        pairs
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> bool {
        let Some(text) = self.text(node, what) else {
            return false;
        };
        match text.as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.error(
                    text.span(),
                    format!("'{text}' is neither true nor false, which {what} needs"),
                );
                false
            }
        }
    }

    /// A whole number, not negative.
    pub(crate) fn whole_number(&mut self, node: &Node, what: &str) -> Option<u64> {
        let text = self.text(node, what)?;
        let number = text.as_str().replace('_', "").parse().ok();
        if number.is_none() {
            self.error(
                text.span(),
                format!("'{text}' is no whole number, which {what} needs"),
            );
        }
        number
    }

    /// An option's value: a text, or a list of texts.
    fn option(&mut self, node: &Node) -> Option<Text> {
        if !matches!(node.kind, Kind::Sequence(_)) {
            // A delimiter may well be a blank or a tab.
            let raw = self.raw(node, "an option's value")?;
            let (source, parameters) = (&self.source, &self.parameters);
            let text = substitute(source, raw, parameters, Role::Plain, &mut self.errors);
            return Some(text);
        }
        let items = self.texts(node, "an option's value");
        let items: Vec<&str> = items.iter().map(Text::as_str).collect();
        Some(Text::made(option_list(&items), first_line(node)))
    }

    /// Options: names to plain values, or lists of them.
    pub(crate) fn options(&mut self, node: &Node) -> Vec<(Text, Text)> {
        let pairs = self.pairs(node, "a mapping of options");
        let texts = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key, self.option(value)?)));
        texts.collect()
    }
}

/// The value under a key.
pub(crate) fn get<'n>(pairs: &[(Text, &'n Node)], key: &str) -> Option<&'n Node> {
    let found = pairs.iter().find(|(name, _)| name.as_str() == key);
    found.map(|(_, node)| *node)
}

/// The first line of a node, which is what there is to point at.
pub(crate) fn first_line(node: &Node) -> Span {
    match &node.kind {
        Kind::Scalar { .. } => node.span,
        Kind::Sequence(items) => items.first().map_or(node.span, first_line),
        Kind::Mapping(pairs) => pairs.first().map_or(node.span, |(key, _)| first_line(key)),
    }
}
