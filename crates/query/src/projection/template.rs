//! Where a projected partition lies.

use mastic_catalog::Column;
use mastic_lake::sink::folder;

use crate::error::{QueryError, Result};

/// `storage.location.template`, or Hive's folders below the table's location where there is none.
#[derive(Debug, Clone)]
pub(super) enum Template {
    Hive { root: String, keys: Vec<String> },
    Given(Vec<Piece>),
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    /// The text of the key with this number.
    Key(usize),
}

impl Template {
    pub(super) fn hive(root: &str, keys: &[Column]) -> Self {
        Template::Hive {
            root: root.trim_end_matches('/').to_owned(),
            keys: keys.iter().map(|k| k.name.clone()).collect(),
        }
    }

    /// Reads a template, in which every key must stand as `${key}`.
    pub(super) fn parse(text: &str, keys: &[Column]) -> Result<Self> {
        let bad = |message: String, hint: Option<String>| QueryError::Statement {
            message,
            place: None,
            hint,
        };
        let mut pieces = Vec::new();
        let mut seen = vec![false; keys.len()];
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return Err(bad(format!("'${{{after}' is not closed"), None));
            };
            pieces.push(Piece::Text(before.to_owned()));
            let at = keys.iter().position(|k| k.name.eq_ignore_ascii_case(name));
            let Some(at) = at else {
                let names = keys.iter().map(|k| k.name.as_str());
                let close = mastic_schema::names::closest(name, names);
                return Err(bad(
                    format!("'${{{name}}}' is none of the partition keys"),
                    close.map(|c| format!("did you mean '${{{c}}}'?")),
                ));
            };
            if let Some(seen) = seen.get_mut(at) {
                *seen = true;
            }
            pieces.push(Piece::Key(at));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let missing = keys.iter().zip(&seen).find(|(_, seen)| !**seen);
        if let Some((key, _)) = missing {
            return Err(bad(
                format!("the partition key '{}' does not stand in it", key.name),
                Some(format!("every key has its place, as '${{{}}}'", key.name)),
            ));
        }
        Ok(Template::Given(pieces))
    }

    /// The location of a partition whose keys have these texts.
    pub(super) fn location(&self, texts: &[&str]) -> String {
        match self {
            Template::Hive { root, keys } => {
                let texts = texts.iter().map(|text| Some(*text));
                format!(
                    "{root}/{}",
                    folder(keys.iter().map(String::as_str).zip(texts))
                )
            }
            Template::Given(pieces) => {
                let mut location = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => location.push_str(text),
                        Piece::Key(at) => location.push_str(texts.get(*at).unwrap_or(&"")),
                    }
                }
                location
            }
        }
    }

    /// The folder that all partitions lie below, where the template begins with one.
    pub(super) fn base(&self) -> Option<&str> {
        match self {
            Template::Hive { root, .. } => Some(root),
            Template::Given(pieces) => match pieces.first() {
                Some(Piece::Text(text)) => text.rsplit_once('/').map(|(folder, _)| folder),
                _ => None,
            },
        }
    }
}
