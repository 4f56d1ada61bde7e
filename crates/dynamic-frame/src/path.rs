//! Paths to fields, as Glue writes them: names joined by dots, a name that holds a dot itself in
//! backticks.

use std::fmt;

use crate::FrameError;

/// A path to a field: `route.origin`, or `` `a.b`.c `` for the field `c` of the column `a.b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    parts: Vec<String>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// When a name is empty or a backtick is not closed.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let bad = |reason: &str| FrameError::BadPath {
            path: text.to_owned(),
            reason: reason.to_owned(),
        };
        let mut parts = Vec::new();
        let mut chars = text.trim().chars().peekable();
        loop {
            let mut name = String::new();
            if chars.next_if_eq(&'`').is_some() {
                loop {
                    match chars.next() {
                        // A doubled backtick stands for one, as in Hive and Spark.
                        Some('`') if chars.next_if_eq(&'`').is_some() => name.push('`'),
                        Some('`') => break,
                        Some(c) => name.push(c),
                        None => return Err(bad("a backtick is not closed")),
                    }
                }
            } else {
                while let Some(c) = chars.next_if(|c| *c != '.') {
                    name.push(c);
                }
            }
            if name.is_empty() {
                return Err(bad("a name is empty"));
            }
            parts.push(name);
            match chars.next() {
                None => return Ok(Self { parts }),
                Some('.') => {}
                Some(_) => return Err(bad("a dot was expected after the closing backtick")),
            }
        }
    }

    /// A path of these names, whatever characters they hold.
    pub fn of(parts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            parts: parts.into_iter().map(Into::into).collect(),
        }
    }

    /// The names, outermost first. There is at least one in every path that was parsed.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The last name and the names before it.
    pub(crate) fn split(&self) -> (&[String], &str) {
        match self.parts.split_last() {
            Some((last, parents)) => (parents, last),
            None => (&[], ""),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.parts.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            if part.contains(['.', '`']) || part.is_empty() {
                write!(f, "`{}`", part.replace('`', "``"))?;
            } else {
                f.write_str(part)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dots_part_names_and_backticks_keep_them() {
        assert_eq!(Path::parse("a.b").unwrap().parts(), ["a", "b"]);
        assert_eq!(Path::parse("`a.b`.c").unwrap().parts(), ["a.b", "c"]);
        assert_eq!(Path::parse("`a``b`").unwrap().parts(), ["a`b"]);
        for text in ["a.b", "`a.b`.c", "`a``b`"] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a.", ".a", "`a", "`a`b", "``"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
