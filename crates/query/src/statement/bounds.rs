//! How deep an expression may be.
//!
//! Brackets are bounded by the parser itself. But a chain such as `1 + 1 + 1 …` becomes a tree that is as deep as the chain is
//! long, and who walks down a tree needs room on the stack.

use super::lexer::{self, Escapes, Token};
use crate::error::{QueryError, Result};

/// How many operators an expression may have, one below the other.
const MOST: usize = 2_000;

/// That no expression of a statement is deeper than a stack allows.
///
/// # Errors
/// When one may be.
pub(super) fn check(text: &str) -> Result<()> {
    let mut open = vec![Chain::default()];
    let mut all = 0usize;
    let mut at = 0;
    loop {
        let found = lexer::next(text, at, Escapes::Sql);
        at = found.end;
        let before = open.last().map_or(0, Chain::depth);
        match found.token {
            Token::End | Token::Open(_) => return Ok(()),
            Token::Symbol("(" | "[") => {
                open.push(Chain::default());
                continue;
            }
            Token::Symbol(")" | "]") => {
                if open.len() > 1 {
                    open.pop();
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
        for fine in [
            format!("SELECT {}1", "a + 1, ".repeat(100_000)),
            format!("SELECT a IN ({}1)", "-1, ".repeat(100_000)),
            format!("VALUES {}(1)", "(1 + 2), ".repeat(100_000)),
            format!("SELECT '{}'", "+".repeat(100_000)),
            format!("SELECT {}true", "t.a = 1 AND ".repeat(1_900)),
        ] {
            check(&fine).unwrap();
        }
    }
}
