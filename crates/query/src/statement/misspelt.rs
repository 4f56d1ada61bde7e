//! Keywords of queries that are not written as they should be.

use std::collections::VecDeque;

use datafusion::sql::parser::Statement;
use mastic_functions::sql;

use super::lexer::{self, Escapes, Token};
use crate::error::{QueryError, Result};

/// Words that queries are made of.
const KEYWORDS: [&str; 48] = [
    "SELECT",
    "DISTINCT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "OUTER",
    "CROSS",
    "NATURAL",
    "USING",
    "ON",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "ALL",
    "WITH",
    "RECURSIVE",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "BETWEEN",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "OVER",
    "PARTITION",
    "VALUES",
    "UNNEST",
    "INTERVAL",
    "ESCAPE",
];

/// How many words before the place of an error are looked at: `FORM t` is found to be wrong at `t`.
const BEFORE: usize = 3;

/// Reads the statements of a text. A mistake is told with the keyword that was meant, perhaps.
///
/// # Errors
/// When the text is no SQL.
pub(super) fn parse(text: &str) -> Result<VecDeque<Statement>> {
    super::bounds::check(text)?;
    sql::parse(text).map_err(|error| match QueryError::from(error) {
        QueryError::Statement {
            message,
            place,
            hint: None,
        } => QueryError::Statement {
            hint: meant(text, place),
            message,
            place,
        },
        other => other,
    })
}

/// The keyword that was meant near a place.
fn meant(text: &str, place: Option<(u64, u64)>) -> Option<String> {
    let mut before: VecDeque<&str> = VecDeque::new();
    let mut at = 0;
    loop {
        let found = lexer::next(text, at, Escapes::Sql);
        at = found.end;
        let word = match found.token {
            Token::End | Token::Open(_) => break,
            Token::Word(word) => word,
            _ => "",
        };
        // At the end of the text there may be no place.
        let reached = place.is_some_and(|place| lexer::place(text, found.start) >= place);
        before.push_back(word);
        if before.len() > BEFORE {
            before.pop_front();
        }
        if reached {
            break;
        }
    }
    let words = before.into_iter().rev().filter(|word| word.len() > 2);
    for word in words {
        let upper = word.to_uppercase();
        if KEYWORDS.contains(&upper.as_str()) {
            continue;
        }
        let near = crate::error::closest(&upper, KEYWORDS);
        // A short word is near to too many.
        if let Some(near) = near.filter(|near| near.len() > 3) {
            return Some(format!("did you mean {near} instead of {word}?"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_suggested() {
        for (text, hint) in [
            (
                "SELECT id FORM t",
                Some("did you mean FROM instead of FORM?"),
            ),
            (
                "SELECT id FROM t WHER id = 1",
                Some("did you mean WHERE instead of WHER?"),
            ),
            (
                "SELECT id FROM t GRUOP BY id",
                Some("did you mean GROUP instead of GRUOP?"),
            ),
            (
                "SELECT id FROM t WHERE id BETWEN 1 AND 2",
                Some("did you mean BETWEEN instead of BETWEN?"),
            ),
            (
                "SELECT id FROM t LIMT 5",
                Some("did you mean LIMIT instead of LIMT?"),
            ),
            (
                "SELECT id FROM t ORDR BY id",
                Some("did you mean ORDER instead of ORDR?"),
            ),
            ("SELECT (1", None),
            ("SELECT 1 2", None),
        ] {
            let found = parse(text).unwrap_err().hint();
            assert_eq!(found.as_deref(), hint, "{text}");
        }
    }
}
