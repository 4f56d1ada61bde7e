//! What kind of statement a text is, by its first words.

use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use mastic_catalog::StatementType;
use mastic_functions::sql::AthenaDialect;

/// How Athena keeps the result of a statement ("Working with query results", *Query output files*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// `ID.csv`: rows of a query.
    Csv,
    /// `ID.txt`: what DDL and utility statements say, with tabs between values.
    Txt,
    /// `ID-manifest.csv`: the files that were written.
    Manifest,
}

/// A statement's type by Athena's API, and how its result is kept. What is no SQL is taken for a query.
pub(super) fn kind(text: &str) -> (StatementType, Kept) {
    let mut tokens = Vec::new();
    // Of a text that is no SQL the beginning tells as much as there is.
    let _ = Tokenizer::new(&AthenaDialect, text).tokenize_with_location_into_buf(&mut tokens);
    let mut tokens = tokens
        .iter()
        .map(|token| &token.token)
        .filter(|token| !matches!(token, Token::Whitespace(_)));
    let word = |token: Option<&Token>| match token {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_uppercase(),
        _ => String::new(),
    };
    match word(tokens.next()).as_str() {
        "INSERT" | "UNLOAD" => (StatementType::Dml, Kept::Manifest),
        "UPDATE" | "DELETE" | "MERGE" => (StatementType::Dml, Kept::Txt),
        "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" => (StatementType::Utility, Kept::Txt),
        "CREATE" if word(tokens.next()) == "TABLE" && is_query(tokens) => {
            (StatementType::Ddl, Kept::Manifest)
        }
        "CREATE" | "DROP" | "ALTER" | "MSCK" | "ANALYZE" | "PREPARE" | "DEALLOCATE" | "VACUUM"
        | "OPTIMIZE" | "GRANT" | "REVOKE" | "USE" => (StatementType::Ddl, Kept::Txt),
        _ => (StatementType::Dml, Kept::Csv),
    }
}

/// Whether what follows `CREATE TABLE` ends in `AS` and a query.
fn is_query<'a>(tokens: impl Iterator<Item = &'a Token>) -> bool {
    let mut depth = 0u32;
    for token in tokens {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word)
                if depth == 0
                    && word.quote_style.is_none()
                    && word.value.eq_ignore_ascii_case("as") =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_athenas_api() {
        use StatementType::{Ddl, Dml, Utility};
        for (text, expected) in [
            ("SELECT 1", (Dml, Kept::Csv)),
            ("-- x\n(select 1)", (Dml, Kept::Csv)),
            ("WITH a AS (SELECT 1) SELECT * FROM a", (Dml, Kept::Csv)),
            ("insert into t select 1", (Dml, Kept::Manifest)),
            ("UNLOAD (SELECT 1) TO 's3://b/'", (Dml, Kept::Manifest)),
            (
                "CREATE TABLE t WITH (format = 'ORC') AS SELECT 1",
                (Ddl, Kept::Manifest),
            ),
            ("CREATE TABLE t (\"as\" int) COMMENT 'as'", (Ddl, Kept::Txt)),
            ("create external table t (a int)", (Ddl, Kept::Txt)),
            ("CREATE VIEW v AS SELECT 1", (Ddl, Kept::Txt)),
            ("SHOW TABLES", (Utility, Kept::Txt)),
            ("EXPLAIN SELECT 1", (Utility, Kept::Txt)),
            ("'", (Dml, Kept::Csv)),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
