//! A text of several statements, one by one.

use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, Whitespace,
};
use mastic_functions::sql::AthenaDialect;

/// A statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its text, without the semicolon that ends it.
    pub text: String,
    /// The line of the whole text that it begins on, from 1.
    pub line: u64,
    /// The column that it begins at, in characters from 1.
    pub column: u64,
    /// Whether a semicolon ends it; the last one may do without.
    pub ended: bool,
}

impl Part {
    /// A place in this statement as a place in the whole text.
    pub fn place(&self, (line, column): (u64, u64)) -> (u64, u64) {
        let before = if line == 1 { self.column - 1 } else { 0 };
        (line + self.line - 1, column + before)
    }
}

/// The statements of a text: what stands between semicolons that are in no string, quoted name or comment. What is empty,
/// or nothing but comments, is no statement. Where a text cannot be told apart any further (a string does not end), the
/// rest of it is one statement, and whoever parses it says what is wrong.
pub fn split(text: &str) -> Vec<Part> {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    let whole = Tokenizer::new(&AthenaDialect, text)
        .tokenize_with_location_into_buf(&mut tokens)
        .is_ok();
    let offsets = Offsets::new(text);
    let mut parts = Vec::new();
    // Where the statement begins that is being read, once there is anything of it.
    let mut begun: Option<Location> = None;
    let mut push = |from: Location, to: usize, ended: bool| {
        let start = offsets.of(from);
        if let Some(text) = text.get(start..to) {
            parts.push(Part {
                text: text.trim_end().to_owned(),
                line: from.line,
                column: from.column,
                ended,
            });
        }
    };
    for token in &tokens {
        match &token.token {
            Token::SemiColon => {
                if let Some(from) = begun.take() {
                    push(from, offsets.of(token.span.start), true);
                }
            }
            Token::Whitespace(
                Whitespace::Space
                | Whitespace::Newline
                | Whitespace::Tab
                | Whitespace::SingleLineComment { .. }
                | Whitespace::MultiLineComment(_),
            )
            | Token::EOF => {}
            _ => {
                begun.get_or_insert(token.span.start);
            }
        }
    }
    match begun {
        Some(from) => push(from, text.len(), false),
        None if !whole => {
            // What could not be told apart begins after the last that could.
            let from = tokens.last().map_or(0, |token| offsets.of(token.span.end));
            let blank = text
                .get(from..)
                .map_or(0, |rest| rest.len() - rest.trim_start().len());
            push(offsets.location(from + blank), text.len(), false);
        }
        None => {}
    }
    parts
}

/// From lines and columns, in characters, to bytes.
struct Offsets<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Offsets<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect();
        Offsets { text, lines }
    }

    fn of(&self, place: Location) -> usize {
        let line = usize::try_from(place.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(start) = self.lines.get(line).copied() else {
            return self.text.len();
        };
        let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest = self.text.get(start..).unwrap_or_default();
        let within: usize = rest.chars().take(column).map(char::len_utf8).sum();
        start + within
    }

    fn location(&self, offset: usize) -> Location {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Location::new(line as u64, before.chars().count() as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<(String, bool)> {
        split(text).into_iter().map(|p| (p.text, p.ended)).collect()
    }

    #[test]
    fn semicolons_in_strings_names_and_comments_end_nothing() {
        let text = "SELECT ';' -- a;b\n , \"a;\"\"b\" ; ;\n/* ; */ SELECT 'it''s;' /* x; */;\n\n  SELECT `c;d`";
        let parts = split(text);
        assert_eq!(
            texts(text),
            [
                ("SELECT ';' -- a;b\n , \"a;\"\"b\"".to_owned(), true),
                ("SELECT 'it''s;' /* x; */".to_owned(), true),
                ("SELECT `c;d`".to_owned(), false),
            ]
        );
        let places: Vec<_> = parts.iter().map(|p| (p.line, p.column)).collect();
        assert_eq!(places, [(1, 1), (3, 9), (5, 3)]);
        assert_eq!(parts[1].place((1, 8)), (3, 16));
        assert_eq!(parts[1].place((2, 8)), (4, 8));
    }

    #[test]
    fn nothing_is_no_statement_and_what_does_not_end_is_one() {
        for text in ["", " ;; \n", "-- nothing", "/* ; */ ;"] {
            assert_eq!(split(text), [], "{text}");
        }
        assert_eq!(
            texts("SELECT 1; SELECT 'a; SELECT 2;"),
            [
                ("SELECT 1".to_owned(), true),
                ("SELECT 'a; SELECT 2;".to_owned(), false)
            ]
        );
        assert_eq!(
            texts("é; 'ü"),
            [("é".to_owned(), true), ("'ü".to_owned(), false)]
        );
    }

    proptest! {
        /// Statements that are put together are told apart again.
        #[test]
        fn what_is_joined_is_split(parts in prop::collection::vec("[a-z]{1,5}( '[a-z; é\n]*'| \"[a-z;]+\")?", 0..6)) {
            let text = parts.join(" ;\n");
            let found: Vec<String> = split(&text).into_iter().map(|p| p.text).collect();
            prop_assert_eq!(found, parts);
        }

        /// No text makes it fail, and each statement is found at its place.
        #[test]
        fn any_text_is_split(text in "[-a'\"`;/*\n $é ]{0,40}") {
            let lines: Vec<&str> = text.split('\n').collect();
            for part in split(&text) {
                let line = lines[usize::try_from(part.line).unwrap() - 1];
                let rest: String = line.chars().skip(usize::try_from(part.column).unwrap() - 1).collect();
                let first = part.text.split('\n').next().unwrap_or_default();
                prop_assert!(rest.starts_with(first), "{part:?} in {text:?}");
            }
        }
    }
}
