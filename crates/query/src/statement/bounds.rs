//! How deep an expression may be.
//!
//! Brackets are bounded by the parser itself. But a chain such as `1 + 1 + 1 …` becomes a tree that is as deep as the chain is
//! long, and who walks down a tree needs room on the stack.

use super::lexer::{self, Escapes, Token};
use crate::error::{QueryError, Result};

/// How many operators an expression may have, one below the other.
const MOST: usize = 2_000;

/// How many brackets may be open behind one of [`TRIED_TWICE`].
const DEEPEST: usize = 12;

/// Words behind which sqlparser 0.62 reads a bracket a second time where there is a mistake in it: each level of them
/// doubles the time that it takes to find the mistake.
const TRIED_TWICE: [&str; 22] = [
    "ARRAY",
    "CAST",
    "TRY_CAST",
    "SAFE_CAST",
    "CONVERT",
    "TRY_CONVERT",
    "EXISTS",
    "EXTRACT",
    "CEIL",
    "FLOOR",
    "POSITION",
    "SUBSTR",
    "SUBSTRING",
    "OVERLAY",
    "TRIM",
    "INTERVAL",
    "STRUCT",
    "MAP",
    "MATCH",
    "LAMBDA",
    "NOT",
    "PRIOR",
];

/// That no expression of a statement is deeper than a stack allows.
///
/// # Errors
/// When one may be.
pub(super) fn check(text: &str) -> Result<()> {
    let mut open = vec![Chain::default()];
    let mut all = 0usize;
    let mut at = 0;
    let mut twice = 0usize;
    let mut is_tried_twice = false;
    loop {
        let found = lexer::next(text, at, Escapes::Sql);
        at = found.end;
        let behind = std::mem::take(&mut is_tried_twice);
        let before = open.last().map_or(0, Chain::depth);
        match found.token {
            Token::End | Token::Open(_) => return Ok(()),
            Token::Symbol("(" | "[") => {
                open.push(Chain {
                    tried_twice: behind,
                    ..Chain::default()
                });
                twice += usize::from(behind);
                if twice > DEEPEST {
                    return Err(QueryError::Statement {
                        message: format!(
                            "more than {DEEPEST} arrays, casts and the like are within each other"
                        ),
                        place: Some(lexer::place(text, found.start)),
                        hint: Some("give parts of it names in a WITH".to_owned()),
                    });
                }
                continue;
            }
            Token::Symbol(")" | "]") => {
                if open.len() > 1
                    && let Some(chain) = open.pop()
                {
                    twice -= usize::from(chain.tried_twice);
                    all = all.saturating_sub(before);
                }
                continue;
            }
            _ => {}
        }
        let Some(chain) = open.last_mut() else {
            return Ok(());
        };
        match found.token {
            Token::Symbol("," | ";") => {
                (chain.values, chain.conditions) = (0, 0);
            }
            // A name's parts and a lambda's arrow are no operators.
            Token::Symbol("." | ":") => {}
            Token::Symbol(_) => chain.values += 1,
            Token::Word(word) => {
                let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
                is_tried_twice = is(&TRIED_TWICE);
                if is(&["UNION", "INTERSECT", "EXCEPT", "JOIN"]) {
                    chain.queries += 1;
                } else if is(&["AND", "OR"]) {
                    chain.conditions += 1;
                    chain.values = 0;
                } else if is(&["NOT", "LIKE", "IN", "IS", "BETWEEN", "CASE"]) {
                    chain.values += 1;
                }
            }
            _ => {}
        }
        all = (all + chain.depth()).saturating_sub(before);
        if all > MOST {
            return Err(QueryError::Statement {
                message: format!("an expression has more than {MOST} operators in a row"),
                place: Some(lexer::place(text, found.start)),
                hint: Some(
                    "write `x IN (a, b, …)` for many comparisons, or join with VALUES".to_owned(),
                ),
            });
        }
    }
}

/// What stands in a row within one bracket.
#[derive(Default)]
struct Chain {
    /// Operators since the last condition began.
    values: usize,
    conditions: usize,
    queries: usize,
    /// Whether its bracket is behind one of [`TRIED_TWICE`].
    tried_twice: bool,
}

impl Chain {
    fn depth(&self) -> usize {
        self.values + self.conditions + self.queries
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn long_chains_are_refused_and_long_lists_are_not() {
        let chain = format!("SELECT {}1", "1 + ".repeat(2_500));
        assert_eq!(check(&chain).unwrap_err().place(), Some((1, 8010)));
        assert!(check(&format!("SELECT {}1", "1 OR (".repeat(2_500))).is_err());
        assert!(check(&"SELECT 1 UNION ALL ".repeat(2_500)).is_err());
        assert!(check(&format!("SELECT {}1", "ARRAY[".repeat(13))).is_err());
        for fine in [
            format!("SELECT {}1", "a + 1, ".repeat(100_000)),
            format!("SELECT a IN ({}1)", "-1, ".repeat(100_000)),
            format!("VALUES {}(1)", "(1 + 2), ".repeat(100_000)),
            format!("SELECT '{}'", "+".repeat(100_000)),
            format!("SELECT {}true", "t.a = 1 AND ".repeat(1_900)),
            format!(
                "SELECT {}a{}",
                "replace(".repeat(40),
                ", 'a', 'b')".repeat(40)
            ),
            format!("SELECT {}1", "CAST(a AS int), ARRAY[1], ".repeat(1_000)),
        ] {
            check(&fine).unwrap();
        }
    }
}
