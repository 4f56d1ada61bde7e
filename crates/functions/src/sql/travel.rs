//! Older versions of tables, as Trino writes them: `FROM t FOR VERSION AS OF 3`, `FROM t FOR TIMESTAMP AS OF …`.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Takes the `FOR` away, which the parser does not expect there; whether there was any version.
pub(super) fn without_for(tokens: &mut Vec<TokenWithSpan>) -> bool {
    let words: Vec<(usize, Keyword)> = tokens
        .iter()
        .enumerate()
        .filter(|(_, t)| !matches!(t.token, Token::Whitespace(_)))
        .map(|(at, t)| match &t.token {
            Token::Word(word) if word.quote_style.is_none() => (at, word.keyword),
            _ => (at, Keyword::NoKeyword),
        })
        .collect();
    let mut found = false;
    let mut gone = Vec::new();
    for four in words.windows(4) {
        let [(at, first), (_, what), (_, Keyword::AS), (_, Keyword::OF)] = four else {
            continue;
        };
        match (first, what) {
            (Keyword::FOR, Keyword::VERSION | Keyword::TIMESTAMP) => gone.push(*at),
            (Keyword::FOR, Keyword::SYSTEM_TIME) => {}
            _ => continue,
        }
        found = true;
    }
    for at in gone.into_iter().rev() {
        tokens.remove(at);
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::sql::parse;

    #[test]
    fn versions_are_read_and_other_statements_are_as_they_were() {
        for (text, read) in [
            (
                "SELECT * FROM t FOR VERSION AS OF 3 AS x",
                // The parser writes the name first.
                "SELECT * FROM t AS x VERSION AS OF 3",
            ),
            (
                "SELECT * FROM a.t for timestamp as of TIMESTAMP '2024-01-01' JOIN u ON true",
                "SELECT * FROM a.t TIMESTAMP AS OF TIMESTAMP '2024-01-01' JOIN u ON true",
            ),
            (
                "SELECT * FROM t FOR SYSTEM_TIME AS OF now()",
                "SELECT * FROM t FOR SYSTEM_TIME AS OF now()",
            ),
        ] {
            let statements = parse(text).unwrap();
            assert_eq!(statements.front().unwrap().to_string(), read);
        }
        for text in [
            "SELECT at.a FROM t at",
            "SELECT substring(a FROM 1 FOR 2) AS of FROM t changes",
        ] {
            let statements = parse(text).unwrap();
            assert!(!statements.front().unwrap().to_string().contains("OF "));
        }
        assert!(parse("SELECT * FROM t FOR VERSION AS OF").is_err());
    }
}
