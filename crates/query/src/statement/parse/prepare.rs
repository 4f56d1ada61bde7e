//! `PREPARE`, `EXECUTE` and `DEALLOCATE`.

use super::super::command::Command;
use super::super::lexer::{Escapes, Token};
use super::super::words::Words;
use super::view::trimmed;
use crate::error::Result;

const NAME: &str = "the name of a prepared statement";

/// `name FROM statement`.
pub(super) fn prepare(words: &mut Words<'_>) -> Result<Command> {
    words.escaped(Escapes::Sql);
    let name = words.name(NAME)?;
    words.need("FROM")?;
    if *words.peek() == Token::End {
        return Err(words.expected("a statement", &[]));
    }
    Ok(Command::Prepare {
        name,
        statement: trimmed(words.rest()),
        start: words.at(),
    })
}

/// `name [USING value, …]`: each value an expression, as it is written.
pub(super) fn execute(words: &mut Words<'_>) -> Result<Command> {
    words.escaped(Escapes::Sql);
    if words.is("IMMEDIATE") {
        return Err(words.wrong(
            words.at(),
            "EXECUTE IMMEDIATE is not built".to_owned(),
            Some("run the statement itself, or PREPARE it first".to_owned()),
        ));
    }
    let name = words.name(NAME)?;
    let mut arguments = Vec::new();
    if words.eat("USING") {
        loop {
            arguments.push(argument(words)?);
            if !words.eat_symbol(",") {
                break;
            }
        }
    }
    words.end()?;
    Ok(Command::Execute { name, arguments })
}

/// Everything up to a comma or the end that is in no brackets.
fn argument(words: &mut Words<'_>) -> Result<String> {
    let start = words.at();
    let mut end = start;
    let mut depth = 0usize;
    loop {
        match words.peek() {
            Token::End | Token::Symbol(";") => break,
            Token::Symbol(",") if depth == 0 => break,
            Token::Symbol("(" | "[") => depth += 1,
            Token::Symbol(")" | "]") => depth = depth.saturating_sub(1),
            Token::Open(_) => return Err(words.expected("a value", &[])),
            _ => {}
        }
        end = words.advance().end;
    }
    if start == end {
        return Err(words.expected("a value", &[]));
    }
    Ok(words.slice(start, end).to_owned())
}

/// `[PREPARE] name`.
pub(super) fn deallocate(words: &mut Words<'_>) -> Result<Command> {
    words.eat("PREPARE");
    let name = words.name(NAME)?;
    words.end()?;
    Ok(Command::Deallocate(name))
}
