//! What classifiers and crawlers have in common: names, times and versions.

use chrono::{DateTime, Utc};

use crate::error::{CatalogError, Result};

/// Names have at most this many characters (Glue API: `NameString`).
pub(crate) const MAX_NAME: usize = 255;

/// What the store writes into a definition.
pub(crate) struct Stamp<'a> {
    pub(crate) created: &'a mut Option<DateTime<Utc>>,
    pub(crate) updated: &'a mut Option<DateTime<Utc>>,
    pub(crate) version: &'a mut Option<i64>,
}

impl Stamp<'_> {
    pub(crate) fn clear(self) {
        *self.created = None;
        *self.updated = None;
        *self.version = None;
    }
}

/// That a name is one by Glue's API (`NameString`): 1 to 255 characters, no control characters but the tab. Case counts.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let allowed = |character: char| {
        character == '\t' || (character >= ' ' && !matches!(character, '\u{fffe}' | '\u{ffff}'))
    };
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.chars().count() > MAX_NAME {
        "it has more than 255 characters"
    } else if !name.chars().all(allowed) {
        "it contains a control character"
    } else {
        return Ok(());
    };
    Err(CatalogError::InvalidName {
        what,
        name: name.to_owned(),
        reason,
    })
}

pub(crate) fn invalid(what: &'static str, name: &str, reason: String) -> CatalogError {
    CatalogError::InvalidDefinition {
        what,
        name: name.to_owned(),
        reason,
    }
}

/// That a field is there.
pub(crate) fn some(field: &str, text: &str) -> Result<(), String> {
    length(field, text, 1, usize::MAX)
}

/// That a field has so many characters.
pub(crate) fn length(field: &str, text: &str, least: usize, most: usize) -> Result<(), String> {
    let characters = text.chars().count();
    if characters < least {
        Err(format!("{field} is missing"))
    } else if characters > most {
        Err(format!(
            "{field} has {characters} characters, more than {most}"
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_as_glue_allows() {
        for name in ["a", "A b", "é\t😀", " ", &"ü".repeat(255)] {
            check_name("crawler", name).unwrap();
        }
        for name in ["", "a\nb", "\0", "\u{ffff}", &"x".repeat(256)] {
            assert!(check_name("crawler", name).is_err(), "{name:?}");
        }
    }
}
