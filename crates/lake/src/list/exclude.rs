//! Exclude patterns, as Glue's crawlers take them.
//!
//! The grammar is that of "Include and exclude patterns" (AWS Glue developer guide, "Crawler
//! properties"), which is that of Java's `glob:`. It is not the shell's: `**` crosses folders wherever it
//! stands (`**.csv`, `logs**`), and within brackets no character is escaped. So patterns are translated
//! to regular expressions here, and not handed to a library for another grammar.

use regex::{RegexSet, RegexSetBuilder};

use crate::error::LakeError;

/// A pattern that breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the exclude pattern '{pattern}' cannot be read: {reason}, character {at}")]
pub struct PatternError {
    /// The pattern as given.
    pub pattern: String,
    /// The character that is wrong, from 1.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl From<PatternError> for LakeError {
    fn from(error: PatternError) -> Self {
        LakeError::Option(error.to_string())
    }
}

/// What a listing leaves out: patterns over keys relative to the listed place.
///
/// `*` matches within a folder, `**` across folders, `?` one character, `[a-z]` and `[!a-z]` one of or
/// none of a set, `{a,b}` alternatives, `\` takes the next character as it is. A leading dot is a character
/// like any other.
#[derive(Debug, Clone)]
pub struct Exclusions {
    patterns: Vec<String>,
    keys: RegexSet,
    /// The patterns that end in `**`: what they match a folder's beginning with, they match all of.
    folders: RegexSet,
}

impl Default for Exclusions {
    fn default() -> Self {
        Exclusions {
            patterns: Vec::new(),
            keys: RegexSet::empty(),
            folders: RegexSet::empty(),
        }
    }
}

/// What all patterns together may compile to, in bytes.
const SIZE: usize = 16 << 20;

impl Exclusions {
    /// Exclusions by these patterns; of none, nothing is left out.
    ///
    /// # Errors
    /// When a pattern has an open bracket or brace, nested braces, or a lone backslash at its end, or
    /// when the patterns together are too large.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, PatternError> {
        let (mut given, mut keys, mut folders) = (Vec::new(), Vec::new(), Vec::new());
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            // An include path may be written with a slash at its end, and so a pattern with one at
            // its beginning.
            let relative = pattern.strip_prefix('/').unwrap_or(pattern);
            if relative.is_empty() {
                continue;
            }
            let Translated {
                regex,
                whole_folders,
            } = translate(pattern, relative)?;
            if whole_folders {
                folders.push(regex.clone());
            }
            keys.push(regex);
            given.push(pattern.to_owned());
        }
        let compiled = |regexes: &[String]| {
            RegexSetBuilder::new(regexes)
                .size_limit(SIZE)
                .dot_matches_new_line(true)
                .build()
                .map_err(|_| PatternError {
                    pattern: given.join(", "),
                    at: 1,
                    reason: "the patterns are too large or too many",
                })
        };
        Ok(Exclusions {
            keys: compiled(&keys)?,
            folders: compiled(&folders)?,
            patterns: given,
        })
    }

    /// The patterns as given.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether the object with this key, relative to the listed place, is left out.
    pub fn excludes(&self, key: &str) -> bool {
        !self.patterns.is_empty() && self.keys.is_match(key)
    }

    /// Whether everything below this folder is left out, so that it need not be looked into.
    pub fn excludes_all_of(&self, folder: &str) -> bool {
        !self.folders.is_empty() && self.folders.is_match(&format!("{folder}/"))
    }
}

struct Translated {
    regex: String,
    whole_folders: bool,
}

fn translate(pattern: &str, relative: &str) -> Result<Translated, PatternError> {
    let skipped = pattern.chars().count() - relative.chars().count();
    let bad = |at: usize, reason| PatternError {
        pattern: pattern.to_owned(),
        at: at + skipped + 1,
        reason,
    };
    let chars: Vec<char> = relative.chars().collect();
    let mut regex = String::from("^(?:");
    let mut group = None;
    let mut at = 0;
    let mut whole_folders = false;
    while let Some(&c) = chars.get(at) {
        let here = at;
        at += 1;
        whole_folders = false;
        match c {
            '*' if chars.get(at) == Some(&'*') => {
                while chars.get(at) == Some(&'*') {
                    at += 1;
                }
                regex.push_str(".*");
                whole_folders = group.is_none();
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '\\' => {
                let next = chars
                    .get(at)
                    .ok_or_else(|| bad(here, "a backslash escapes nothing"))?;
                push_literal(&mut regex, *next);
                at += 1;
            }
            '[' => at = bracket(&chars, at, &mut regex).map_err(|reason| bad(here, reason))?,
            '{' if group.is_some() => return Err(bad(here, "braces cannot be nested")),
            '{' => {
                group = Some(here);
                regex.push_str("(?:(?:");
            }
            '}' if group.is_some() => {
                group = None;
                regex.push_str("))");
            }
            ',' if group.is_some() => regex.push_str(")|(?:"),
            other => push_literal(&mut regex, other),
        }
    }
    if let Some(opened) = group {
        return Err(bad(opened, "a brace is not closed"));
    }
    regex.push_str(")$");
    Ok(Translated {
        regex,
        whole_folders,
    })
}

fn push_literal(regex: &mut String, c: char) {
    let mut buffer = [0; 4];
    regex.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
}

/// Translates a bracket expression whose `[` stands before `at`; where it ends.
fn bracket(chars: &[char], mut at: usize, regex: &mut String) -> Result<usize, &'static str> {
    // A set never matches the slash: it stands for a character of a folder's or file's name.
    regex.push_str("(?:[");
    let negated = chars.get(at) == Some(&'!');
    if negated {
        regex.push_str("^/");
        at += 1;
    }
    let push = |regex: &mut String, c: char| {
        // `&`, `~` and `-` mean something in sets of regular expressions, `^` at their beginning.
        if matches!(c, '\\' | '[' | ']' | '^' | '-' | '&' | '~') {
            regex.push('\\');
        }
        regex.push(c);
    };
    let first = at;
    loop {
        let c = *chars.get(at).ok_or("a bracket is not closed")?;
        if c == ']' && at > first {
            break;
        }
        if c == '/' {
            return Err("a slash stands between brackets");
        }
        let to = match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(to)) if *to != ']' => Some(*to),
            _ => None,
        };
        match to {
            Some('/') => return Err("a slash stands between brackets"),
            Some(to) if to < c => return Err("a range runs backwards"),
            Some(to) if !negated && c < '/' && to > '/' => {
                // The range without the slash.
                push(regex, c);
                regex.push_str("-.0-");
                push(regex, to);
                at += 3;
            }
            Some(to) => {
                push(regex, c);
                regex.push('-');
                push(regex, to);
                at += 3;
            }
            None => {
                push(regex, c);
                at += 1;
            }
        }
    }
    regex.push_str("])");
    Ok(at + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn excludes(pattern: &str, key: &str) -> bool {
        Exclusions::new([pattern]).unwrap().excludes(key)
    }

    /// The examples of Glue's page "Crawler properties".
    #[test]
    fn patterns_mean_what_glue_says() {
        for (pattern, key, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "d/a.csv", false),
            ("*.*", "a.b", true),
            ("*.{csv,avro}", "a.avro", true),
            ("*.{csv,avro}", "a.json", false),
            ("foo.?", "foo.a", true),
            ("foo.?", "foo.ab", false),
            ("myfolder/*", "myfolder/mysource", true),
            ("myfolder/*", "myfolder/mysource/data", false),
            ("myfolder/*/*", "myfolder/mysource/data", true),
            ("myfolder/**", "myfolder/mysource/data", true),
            ("myfolder/**", "myfolder", false),
            ("myfolder**", "myfolder", true),
            ("myfolder**", "myfolder/mydata.txt", true),
            ("departments/market*", "departments/market-us.json", true),
            ("departments/market*", "departments/finance.json", false),
            ("**.csv", "employees/john.csv", true),
            ("**.csv", "employees/juan.txt", false),
            ("*", ".hidden", true),
            ("2015/01/{[!0],0[8-9]}**", "2015/01/12/a", true),
            ("2015/01/{[!0],0[8-9]}**", "2015/01/08/a", true),
            ("2015/01/{[!0],0[8-9]}**", "2015/01/07/a", false),
            ("2015/0[2-9]/**", "2015/02/x/y", true),
            ("[abce-g].x", "f.x", true),
            ("[abce-g].x", "d.x", false),
            ("[-a].x", "-.x", true),
            ("[!-a].x", "b.x", true),
            ("[!-a].x", "-.x", false),
            ("[*?\\]x", "\\x", true),
            ("a\\{b", "a{b", true),
            ("a\\\\b", "a\\b", true),
            ("[!a]b", "/b", false),
            ("[+-9]b", "/b", false),
            ("[+-9]b", "7b", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(excludes(pattern, key), expected, "{pattern} on {key}");
        }
    }

    #[test]
    fn a_folder_that_is_left_out_as_a_whole_is_known() {
        let these = Exclusions::new(["tmp/**", "**/_old**", "*.csv"]).unwrap();
        assert!(these.excludes_all_of("tmp"));
        assert!(these.excludes_all_of("tmp/deeper"));
        assert!(these.excludes_all_of("a/_old2"));
        assert!(!these.excludes_all_of("a"));
        assert!(!Exclusions::default().excludes_all_of("tmp"));
    }

    #[test]
    fn bad_patterns_are_named() {
        for (pattern, told) in [
            (
                "a{b",
                "the exclude pattern 'a{b' cannot be read: a brace is not closed, character 2",
            ),
            (
                "{a,{b}}",
                "the exclude pattern '{a,{b}}' cannot be read: braces cannot be nested, character 4",
            ),
            (
                "[a",
                "the exclude pattern '[a' cannot be read: a bracket is not closed, character 1",
            ),
            (
                "x\\",
                "the exclude pattern 'x\\' cannot be read: a backslash escapes nothing, character 2",
            ),
            (
                "[z-a]",
                "the exclude pattern '[z-a]' cannot be read: a range runs backwards, character 1",
            ),
        ] {
            assert_eq!(Exclusions::new([pattern]).unwrap_err().to_string(), told);
        }
    }

    proptest! {
        #[test]
        fn any_text_compiles_or_is_refused(pattern in "[a-c*?\\[\\]!{},\\\\/.^&~\\-é]{0,12}", key in "[a-c/.]{0,8}") {
            if let Ok(these) = Exclusions::new([&pattern]) {
                // A folder that is left out as a whole holds nothing that is not.
                if these.excludes_all_of(&key) {
                    let inside = format!("{key}/x/y.csv");
                    prop_assert!(these.excludes(&inside));
                }
            }
        }

        #[test]
        fn an_escaped_key_matches_itself_alone(key in "[a-c*?\\[\\]!{},/.^&~é-]{1,8}", other in "[a-c*?/.]{1,8}") {
            prop_assume!(!key.starts_with('/'));
            let pattern: String = key.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert!(excludes(&pattern, &key));
            prop_assert_eq!(excludes(&pattern, &other), key == other);
        }
    }
}
