//! `CREATE VIEW`.

use super::super::command::{Command, CreateView};
use super::super::lexer::{Escapes, Token};
use super::super::words::Words;
use crate::error::Result;

/// What follows `CREATE [OR REPLACE] VIEW`.
pub(super) fn create(words: &mut Words<'_>, or_replace: bool) -> Result<Command> {
    words.escaped(Escapes::Sql);
    let if_not_exists = words.if_not_exists();
    let name = words.table_name()?;
    let columns = if words.is_symbol("(") {
        words.list(|words| {
            let name = words.name("the name of a column")?;
            let comment = words
                .eat("COMMENT")
                .then(|| words.string("a comment"))
                .transpose()?;
            Ok((name, comment))
        })?
    } else {
        Vec::new()
    };
    let mut comment = None;
    loop {
        if words.eat("COMMENT") {
            comment = Some(words.string("a comment")?);
        } else if words.is("TBLPROPERTIES") || words.is("SECURITY") {
            return Err(words.wrong(
                words.at(),
                "a view has no properties and no security of its own here".to_owned(),
                None,
            ));
        } else {
            break;
        }
    }
    if !words.eat("AS") {
        return Err(words.expected("AS", &["AS", "COMMENT"]));
    }
    if *words.peek() == Token::End {
        return Err(words.expected("a query", &[]));
    }
    Ok(Command::CreateView(CreateView {
        name,
        or_replace,
        if_not_exists,
        columns,
        comment,
        query: trimmed(words.rest()),
        start: words.at(),
    }))
}

/// A statement without the semicolons at its end.
pub(super) fn trimmed(text: &str) -> String {
    text.trim_end_matches(|c: char| c.is_whitespace() || c == ';')
        .to_owned()
}
