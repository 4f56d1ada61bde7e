//! Values for the question marks of a statement.
//!
//! A value is an expression, as it stands behind `USING` (Athena's `ExecutionParameters` are written alike: a text has its
//! quotes). It is parsed by itself, so that it can be nothing but one value, and then put in the place of its question
//! mark; places in errors are those of the statement as it was written.

use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token as SqlToken;
use mastic_functions::sql::AthenaDialect;

use super::lexer::{self, Escapes, Token};
use crate::error::{QueryError, Result};

/// A statement whose question marks have values.
#[derive(Debug)]
pub(super) struct Filled {
    /// The statement with the values in it.
    pub(super) text: String,
    /// For each value: where it is in the text, how long it is there, and where its question mark was.
    values: Vec<(usize, usize, usize)>,
}

/// Where the question marks of a statement are.
pub(super) fn marks(text: &str) -> Vec<usize> {
    let mut marks = Vec::new();
    let mut at = 0;
    loop {
        let found = lexer::next(text, at, Escapes::Sql);
        match found.token {
            Token::End | Token::Open(_) => return marks,
            Token::Symbol("?") => marks.push(found.start),
            _ => {}
        }
        at = found.end;
    }
}

/// The statement with these values for its question marks, in their order.
///
/// # Errors
/// When there are more or fewer of them, or one is no value.
pub(super) fn fill(text: &str, values: &[String]) -> Result<Filled> {
    let marks = marks(text);
    if marks.len() != values.len() {
        let count = |count: usize, what: &str| match count {
            0 => format!("no {what}s"),
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        return Err(QueryError::Statement {
            message: format!(
                "the statement has {}, and there are {} for them",
                count(marks.len(), "parameter"),
                count(values.len(), "value")
            ),
            place: marks.get(values.len()).map(|at| lexer::place(text, *at)),
            hint: Some("each ? needs a value, in their order".to_owned()),
        });
    }
    let mut filled = Filled {
        text: String::with_capacity(text.len()),
        values: Vec::with_capacity(values.len()),
    };
    let mut from = 0;
    for (number, (mark, value)) in marks.iter().zip(values).enumerate() {
        filled
            .text
            .push_str(text.get(from..*mark).unwrap_or_default());
        let value = format!("({})", one(value, number + 1)?);
        filled.values.push((filled.text.len(), value.len(), *mark));
        filled.text.push_str(&value);
        from = mark + 1;
    }
    filled.text.push_str(text.get(from..).unwrap_or_default());
    Ok(filled)
}

/// A value, written so that nothing of it can be read otherwise.
fn one(value: &str, number: usize) -> Result<String> {
    let wrong = |why: String| QueryError::Statement {
        message: format!("the value of parameter {number} is none: {why}"),
        place: None,
        hint: Some("a value is written as in SQL: 5, 'text', DATE '2024-01-31', NULL".to_owned()),
    };
    let mut parser = Parser::new(&AthenaDialect)
        .try_with_sql(value)
        .map_err(|e| wrong(e.to_string()))?;
    let expr = parser.parse_expr().map_err(|e| wrong(e.to_string()))?;
    if parser.peek_token_ref().token != SqlToken::EOF {
        return Err(wrong(format!(
            "'{}' is more than one",
            super::words::shortened(value)
        )));
    }
    Ok(expr.to_string())
}

impl Filled {
    /// An error of the statement with its values, with its place in the statement `text` without them.
    pub(super) fn error(&self, text: &str, error: QueryError) -> QueryError {
        let QueryError::Statement {
            message,
            place: Some(place),
            hint,
        } = error
        else {
            return error;
        };
        let at = offset(&self.text, place);
        let mut shift = 0;
        let mut own = None;
        for (start, length, mark) in &self.values {
            if at >= start + length {
                shift += length - 1;
            } else if at >= *start {
                own = Some(*mark);
            }
        }
        let at = own.unwrap_or_else(|| at.saturating_sub(shift));
        QueryError::Statement {
            message,
            place: Some(lexer::place(text, at)),
            hint,
        }
    }
}

/// The byte at a line and a column.
fn offset(text: &str, (line, column): (u64, u64)) -> usize {
    let lines = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let before: usize = rest.chars().take(column).map(char::len_utf8).sum();
    start + before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, values: &[&str]) -> Result<String> {
        let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        fill(text, &values).map(|filled| filled.text)
    }

    #[test]
    fn question_marks_are_values_in_their_order() {
        assert_eq!(
            filled("SELECT '?', \"?\", ? -- ?\n, ?", &["'it''s'", "1 + 2"]).unwrap(),
            "SELECT '?', \"?\", ('it''s') -- ?\n, (1 + 2)"
        );
        assert_eq!(filled("SELECT 1", &[]).unwrap(), "SELECT 1");
    }

    #[test]
    fn a_value_is_one_value() {
        for value in [
            "1) OR (1 = 1",
            "1; DROP TABLE t",
            "",
            "1 2",
            "'open",
            "1, 2",
        ] {
            assert!(filled("SELECT ?", &[value]).is_err(), "{value}");
        }
        // A comment does not reach beyond its value.
        assert_eq!(filled("SELECT ?, 2", &["1 -- x"]).unwrap(), "SELECT (1), 2");
        let error = filled("SELECT ?, ?", &["1"]).unwrap_err();
        assert_eq!(error.place(), Some((1, 11)));
    }

    #[test]
    fn places_are_those_of_the_text_without_values() {
        let text = "SELECT ?,\n ?, nothing";
        let values = ["'a long text'".to_owned(), "2".to_owned()];
        let filled = fill(text, &values).unwrap();
        let at = |place| {
            let error = QueryError::Statement {
                message: String::new(),
                place: Some(place),
                hint: None,
            };
            filled.error(text, error).place()
        };
        assert_eq!(at((2, 7)), Some((2, 5)));
        assert_eq!(at((1, 12)), Some((1, 8)));
        assert_eq!(at((1, 1)), Some((1, 1)));
    }
}
