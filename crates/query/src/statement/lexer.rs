//! Cuts the text of a statement into words, one at a time.
//!
//! Hive's statements and Trino's have different rules for what is in quotes: a backslash escapes in Hive's (Hive language
//! manual, "Literals"; `BaseSemanticAnalyzer.unescapeSQLString`) and is a character like any other in Trino's. A text is
//! cut only as far as somebody asks, so that the query within a statement is left to the parser of queries.

/// What is in quotes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// A backslash escapes, in single and in double quotes.
    Hive,
    /// Only a quote that is doubled is an escape.
    Sql,
}

/// A word of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name, as it is written.
    Word(&'a str),
    /// A text in quotes, without them, and the quote.
    Quoted(String, char),
    /// A number, with its sign as a symbol of its own.
    Number(&'a str),
    /// Any other character, or two that are one comparison (`<=`, `<>`, `!=`, `>=`).
    Symbol(&'a str),
    /// A quote or a comment that does not end.
    Open(&'static str),
    /// Nothing more.
    End,
}

/// A word and where it is, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spanned<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The word at a place, or the first behind it.
pub(super) fn next(text: &str, at: usize, escapes: Escapes) -> Spanned<'_> {
    let (start, open) = match blank(text, at) {
        Ok(start) => (start, None),
        Err(start) => (start, Some("/*")),
    };
    let rest = text.get(start..).unwrap_or_default();
    let spanned = |token, length: usize| Spanned {
        token,
        start,
        end: start + length,
    };
    if let Some(open) = open {
        return spanned(Token::Open(open), rest.len());
    }
    let Some(first) = rest.chars().next() else {
        return spanned(Token::End, 0);
    };
    let while_ = |keep: fn(char) -> bool| rest.find(|c| !keep(c)).unwrap_or(rest.len());
    match first {
        '\'' | '"' | '`' => match quoted(rest, first, escapes) {
            Some((value, length)) => spanned(Token::Quoted(value, first), length),
            None => spanned(
                Token::Open(match first {
                    '\'' => "'",
                    '"' => "\"",
                    _ => "`",
                }),
                rest.len(),
            ),
        },
        c if c.is_ascii_digit() => {
            let length = while_(is_word);
            let word = rest.get(..length).unwrap_or_default();
            // `2020_sales` is a name, and `1.5` and `1e6` are numbers.
            let number = |word: &str| {
                let mut parts = word.splitn(2, ['e', 'E']);
                parts.all(|p| p.bytes().all(|b| b.is_ascii_digit()))
            };
            if !number(word) {
                return spanned(Token::Word(word), length);
            }
            let fraction = rest
                .get(length..)
                .and_then(|r| r.strip_prefix('.'))
                .map(|r| {
                    r.find(|c: char| !c.is_ascii_alphanumeric())
                        .unwrap_or(r.len())
                })
                .map_or(0, |digits| digits + 1);
            let length = length + fraction;
            spanned(
                Token::Number(rest.get(..length).unwrap_or_default()),
                length,
            )
        }
        c if is_word(c) => {
            let length = while_(is_word);
            spanned(Token::Word(rest.get(..length).unwrap_or_default()), length)
        }
        c => {
            let two = rest
                .get(..2)
                .filter(|two| matches!(*two, "<=" | ">=" | "<>" | "!="));
            let symbol = two.unwrap_or_else(|| rest.get(..c.len_utf8()).unwrap_or_default());
            spanned(Token::Symbol(symbol), symbol.len())
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '@'
}

/// Where blanks and comments end; the place of a comment that does not end as the error.
fn blank(text: &str, mut at: usize) -> Result<usize, usize> {
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else {
            return Ok(at);
        };
        if first.is_whitespace() || first == '\u{feff}' {
            at += first.len_utf8();
        } else if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            match comment.find("*/") {
                Some(end) => at += end + 4,
                None => return Err(at),
            }
        } else {
            return Ok(at);
        }
    }
}

/// What is in the quotes that the text begins with, and how many bytes it takes with them.
fn quoted(text: &str, quote: char, escapes: Escapes) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                    value.push(quote);
                }
                _ => return Some((value, at + quote.len_utf8())),
            }
        } else if c == '\\' && quote != '`' && escapes == Escapes::Hive {
            unescape(&mut chars, &mut value)?;
        } else {
            value.push(c);
        }
    }
    None
}

/// What stands behind a backslash in a text of Hive's.
fn unescape(
    chars: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)> + Clone>,
    value: &mut String,
) -> Option<()> {
    /// The number that so many digits are, which are then read over.
    fn digits<I: Iterator<Item = (usize, char)> + Clone>(
        chars: &mut std::iter::Peekable<I>,
        count: usize,
        radix: u32,
    ) -> Option<char> {
        let mut ahead = chars.clone();
        let mut number = 0;
        for _ in 0..count {
            number = number * radix + ahead.next()?.1.to_digit(radix)?;
        }
        let found = char::from_u32(number)?;
        *chars = ahead;
        Some(found)
    }
    // Three octal digits, of which the first is 0 or 1.
    if matches!(chars.peek(), Some((_, '0' | '1')))
        && let Some(c) = digits(chars, 3, 8)
    {
        value.push(c);
        return Some(());
    }
    let (_, c) = chars.next()?;
    // A pattern's own escapes stay what they are.
    if matches!(c, '%' | '_') {
        value.push('\\');
    }
    value.push(match c {
        'u' => digits(chars, 4, 16).unwrap_or('u'),
        '0' => '\0',
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        other => other,
    });
    Some(())
}

/// Line and column of a place, from 1, as they are told to people.
pub(super) fn place(text: &str, at: usize) -> (u64, u64) {
    let before = text.get(..at).unwrap_or(text);
    let lines = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    (lines as u64, last.chars().count() as u64 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str, escapes: Escapes) -> Vec<Token<'_>> {
        let mut at = 0;
        let mut tokens = Vec::new();
        loop {
            let found = next(text, at, escapes);
            at = found.end;
            if found.token == Token::End {
                return tokens;
            }
            tokens.push(found.token);
        }
    }

    #[test]
    fn words_and_symbols() {
        assert_eq!(
            all("DROP -- x\n/* y */ `a``b`.2020_t(1.5, 7)<>;", Escapes::Hive),
            [
                Token::Word("DROP"),
                Token::Quoted("a`b".into(), '`'),
                Token::Symbol("."),
                Token::Word("2020_t"),
                Token::Symbol("("),
                Token::Number("1.5"),
                Token::Symbol(","),
                Token::Number("7"),
                Token::Symbol(")"),
                Token::Symbol("<>"),
                Token::Symbol(";"),
            ]
        );
    }

    // The escapes are those of Hive's BaseSemanticAnalyzer.unescapeSQLString.
    #[test]
    fn escapes_are_hives_or_none() {
        for (text, hive, sql) in [
            (r"'a\tb'", "a\tb", r"a\tb"),
            (r"'\u0001'", "\u{1}", r"\u0001"),
            (r"'\001'", "\u{1}", r"\001"),
            (r"'\\s+'", r"\s+", r"\\s+"),
            (r"'\%\_'", r"\%\_", r"\%\_"),
            (r"'it''s'", "it's", "it's"),
            (r"'\q'", "q", r"\q"),
            (r"'\uzz'", "uzz", r"\uzz"),
        ] {
            assert_eq!(
                all(text, Escapes::Hive),
                [Token::Quoted(hive.into(), '\'')],
                "{text}"
            );
            assert_eq!(
                all(text, Escapes::Sql),
                [Token::Quoted(sql.into(), '\'')],
                "{text}"
            );
        }
        assert_eq!(
            all(r#""it\'s \"so\"""#, Escapes::Hive),
            [Token::Quoted("it's \"so\"".into(), '"')]
        );
    }

    #[test]
    fn what_does_not_end_is_told() {
        assert_eq!(all("'a", Escapes::Sql), [Token::Open("'")]);
        assert_eq!(all(r"'a\'", Escapes::Hive), [Token::Open("'")]);
        assert_eq!(all("/* a", Escapes::Sql), [Token::Open("/*")]);
    }

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(place("é\nöx", "é\nö".len()), (2, 2));
        assert_eq!(place("", 9), (1, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_cut_to_its_end(text in "\\PC*", hive: bool) {
            let escapes = if hive { Escapes::Hive } else { Escapes::Sql };
            let (mut at, mut steps) = (0, 0);
            loop {
                let found = next(&text, at, escapes);
                prop_assert!(found.end > at || found.token == Token::End);
                prop_assert!(text.is_char_boundary(found.end));
                at = found.end;
                steps += 1;
                if found.token == Token::End {
                    break;
                }
                prop_assert!(steps <= text.len());
            }
        }

        #[test]
        fn what_is_quoted_is_what_was_meant(value in any::<String>()) {
            let written = format!("'{}'", value.replace('\'', "''"));
            prop_assert_eq!(all(&written, Escapes::Sql), [Token::Quoted(value, '\'')]);
        }
    }
}
