//! `EXPLAIN`.

use super::super::command::{Command, Explain, ExplainFormat, ExplainType};
use super::super::lexer::{Escapes, Token};
use super::super::words::Words;
use super::view::trimmed;
use crate::error::Result;

/// `[ANALYZE] [VERBOSE] [(TYPE …, FORMAT …)] statement`.
pub(super) fn explain(words: &mut Words<'_>) -> Result<Command> {
    words.escaped(Escapes::Sql);
    let analyze = words.eat("ANALYZE");
    let verbose = words.eat("VERBOSE");
    let mut kind = None;
    let mut format = ExplainFormat::Text;
    let mut ahead = words.clone();
    ahead.advance();
    // What else may stand in parentheses is a query.
    if words.is_symbol("(") && (ahead.is("TYPE") || ahead.is("FORMAT")) {
        words.list(|words| {
            if words.eat("TYPE") {
                let kinds = ["LOGICAL", "DISTRIBUTED", "VALIDATE", "IO"];
                kind = Some(match words.eat_any(&kinds) {
                    Some("LOGICAL") => ExplainType::Logical,
                    Some("DISTRIBUTED") => ExplainType::Distributed,
                    Some("VALIDATE") => ExplainType::Validate,
                    Some(_) => ExplainType::Io,
                    None => {
                        return Err(words.expected("LOGICAL, DISTRIBUTED, VALIDATE or IO", &kinds));
                    }
                });
            } else if words.eat("FORMAT") {
                let formats = ["TEXT", "JSON", "GRAPHVIZ"];
                format = match words.eat_any(&formats) {
                    Some("TEXT") => ExplainFormat::Text,
                    Some("JSON") => ExplainFormat::Json,
                    Some(_) => ExplainFormat::Graphviz,
                    None => return Err(words.expected("TEXT, JSON or GRAPHVIZ", &formats)),
                };
            } else {
                return Err(words.expected("TYPE or FORMAT", &["TYPE", "FORMAT"]));
            }
            Ok(())
        })?;
    }
    if *words.peek() == Token::End {
        return Err(words.expected("a statement", &[]));
    }
    Ok(Command::Explain(Explain {
        analyze,
        verbose,
        kind,
        format,
        statement: trimmed(words.rest()),
        start: words.at(),
    }))
}
