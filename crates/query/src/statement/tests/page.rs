//! The page of statements, `docs/sql.md`.

use super::super::lexer::{Escapes, Token, next};
use super::super::parse::parse;

/// The statements of a text, without their semicolons.
fn statements(text: &str) -> Vec<&str> {
    let (mut all, mut from, mut at) = (Vec::new(), 0, 0);
    loop {
        let found = next(text, at, Escapes::Hive);
        at = found.end;
        match found.token {
            Token::Symbol(";") => {
                all.push(&text[from..found.start]);
                from = found.end;
            }
            Token::End => return all,
            _ => {}
        }
    }
}

#[test]
fn every_statement_of_the_page_is_one() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut count = 0;
    for block in page.split("```sql\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for statement in statements(block) {
            count += 1;
            assert!(parse(statement).unwrap().is_some(), "{statement}");
        }
    }
    assert!(count > 30, "{count}");
}
