//! JSON paths, as Glue's custom JSON classifiers take them.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value of this key.
    Key(String),
    /// This element, from 0.
    Index(u64),
    /// Every element of an array, or every value of an object.
    All,
}

/// Where in each document of a file its records are: `$[*]`, `$.a.b[*]`, `$.a[0]`, `$['a b'].*`.
///
/// The operators are those of Glue ("Writing JSON custom classifiers", AWS Glue developer guide): the root
/// `$`, children by dot or by bracket and quotes, elements by number, and the wildcard in place of either.
/// An array at the end of a path is taken apart as if `[*]` followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

/// A path that breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the JSON path '{path}' cannot be read: {reason}, character {at}")]
pub struct JsonPathError {
    /// The path as given.
    pub path: String,
    /// The character that is wrong, from 1.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// How many steps a path may have: as deep as values may be nested.
const MAX_STEPS: usize = super::parse::MAX_DEPTH;

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// When it does not begin with `$`, or uses an operator that there is not.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let text = text.trim();
        let chars: Vec<char> = text.chars().collect();
        let bad = |at: usize, reason| JsonPathError {
            path: text.to_owned(),
            at: at + 1,
            reason,
        };
        if chars.first() != Some(&'$') {
            return Err(bad(0, "a path begins with '$'"));
        }
        let mut steps = Vec::new();
        let mut at = 1;
        while let Some(c) = chars.get(at) {
            let from = at;
            at += 1;
            let step = match c {
                '.' if chars.get(at) == Some(&'.') => {
                    return Err(bad(at, "'..' is not built: name every step"));
                }
                '.' => {
                    let start = at;
                    while chars.get(at).is_some_and(|c| !matches!(c, '.' | '[' | ']')) {
                        at += 1;
                    }
                    let name: String = chars[start..at].iter().collect();
                    match name.as_str() {
                        "" => return Err(bad(from, "a dot names nothing")),
                        "*" => Step::All,
                        _ => Step::Key(name),
                    }
                }
                '[' => bracket(&chars, &mut at).map_err(|reason| bad(from, reason))?,
                _ => return Err(bad(from, "'.' or '[' was expected")),
            };
            steps.push(step);
            if steps.len() > MAX_STEPS {
                return Err(bad(from, "the path has too many steps"));
            }
        }
        Ok(JsonPath {
            text: text.to_owned(),
            steps,
        })
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// The step in brackets; `at` stands after the opening one, and afterwards after the closing one.
fn bracket(chars: &[char], at: &mut usize) -> Result<Step, &'static str> {
    let step = match chars.get(*at) {
        Some('*') => {
            *at += 1;
            Step::All
        }
        Some(quote @ ('\'' | '"')) => {
            *at += 1;
            let mut key = String::new();
            loop {
                match chars.get(*at) {
                    None => return Err("a quote is not closed"),
                    Some(c) if c == quote => break,
                    Some('\\') => {
                        *at += 1;
                        key.push(*chars.get(*at).ok_or("a quote is not closed")?);
                    }
                    Some(c) => key.push(*c),
                }
                *at += 1;
            }
            *at += 1;
            Step::Key(key)
        }
        Some(c) if c.is_ascii_digit() => {
            let start = *at;
            while chars.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            let digits: String = chars[start..*at].iter().collect();
            Step::Index(digits.parse().map_err(|_| "the number is too large")?)
        }
        _ => return Err("brackets hold '*', a number, or a name in quotes"),
    };
    if chars.get(*at) != Some(&']') {
        return Err("a bracket is not closed, or holds more than one thing");
    }
    *at += 1;
    Ok(step)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_read_in_either_notation() {
        let key = |k: &str| Step::Key(k.to_owned());
        for (text, steps) in [
            ("$", vec![]),
            ("$[*]", vec![Step::All]),
            ("$.*", vec![Step::All]),
            ("$.a.b[*]", vec![key("a"), key("b"), Step::All]),
            ("$.a[0]", vec![key("a"), Step::Index(0)]),
            ("$['x y'][\"it's\"]", vec![key("x y"), key("it's")]),
            (" $.Records[*] ", vec![key("Records"), Step::All]),
            (r"$['it\'s']", vec![key("it's")]),
        ] {
            let path = JsonPath::parse(text).unwrap();
            assert_eq!(path.steps(), steps, "{text}");
            assert_eq!(JsonPath::parse(&path.to_string()).unwrap(), path);
        }
    }

    #[test]
    fn bad_paths_are_named() {
        for (text, at, reason) in [
            ("a.b", 1, "a path begins with '$'"),
            ("$..a", 3, "'..' is not built: name every step"),
            ("$.", 2, "a dot names nothing"),
            ("$a", 2, "'.' or '[' was expected"),
            ("$[", 2, "brackets hold '*', a number, or a name in quotes"),
            (
                "$[1",
                2,
                "a bracket is not closed, or holds more than one thing",
            ),
            (
                "$[-1]",
                2,
                "brackets hold '*', a number, or a name in quotes",
            ),
            ("$['a", 2, "a quote is not closed"),
            ("$[99999999999999999999]", 2, "the number is too large"),
        ] {
            let error = JsonPath::parse(text).unwrap_err();
            assert_eq!((error.at, error.reason), (at, reason), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_refused(text in "[$.\\[\\]*'\"a0-9\\\\é]{0,16}") {
            let _ = JsonPath::parse(&text);
        }
    }
}
