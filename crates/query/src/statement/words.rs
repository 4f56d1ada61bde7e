//! What statements are made of: keywords, names, texts, lists and properties, each with its place.

use super::lexer::{self, Escapes, Spanned, Token};
use crate::error::{QueryError, Result};

/// A name of one's own, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// As it is written, without quotes.
    pub(super) value: String,
    /// Whether it stands in quotes.
    pub(super) quoted: bool,
    pub(super) start: usize,
}

/// The name of a table, in the database that it names, if it names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    /// In lower case.
    pub(super) database: Option<String>,
    /// In lower case.
    pub(super) table: String,
    pub(super) start: usize,
}

/// Keys and values, in the order they were written.
pub(super) type Properties = Vec<(String, String)>;

/// A statement that is read from its beginning.
#[derive(Clone)]
pub(super) struct Words<'a> {
    text: &'a str,
    escapes: Escapes,
    next: Spanned<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str, escapes: Escapes) -> Self {
        Words {
            text,
            escapes,
            next: lexer::next(text, 0, escapes),
        }
    }

    /// Reads what follows by other rules for quotes.
    pub(super) fn escaped(&mut self, escapes: Escapes) {
        self.escapes = escapes;
        self.next = lexer::next(self.text, self.next.start, escapes);
    }

    /// The next word.
    pub(super) fn peek(&self) -> &Token<'a> {
        &self.next.token
    }

    /// Where the next word is.
    pub(super) fn at(&self) -> usize {
        self.next.start
    }

    /// Everything from the next word on.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.next.start..).unwrap_or_default()
    }

    /// The text between two places.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Takes the next word.
    pub(super) fn advance(&mut self) -> Spanned<'a> {
        let next = lexer::next(self.text, self.next.end, self.escapes);
        std::mem::replace(&mut self.next, next)
    }

    /// Whether the next word is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self.next.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Takes a keyword, if it is the next.
    pub(super) fn eat(&mut self, keyword: &str) -> bool {
        let found = self.is(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// Takes several keywords, if they are the next.
    pub(super) fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = self.clone();
        let found = keywords.iter().all(|keyword| ahead.eat(keyword));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes the first of these keywords that is the next.
    pub(super) fn eat_any(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        keywords.iter().copied().find(|keyword| self.eat(keyword))
    }

    /// Whether the next word is this symbol.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.next.token, Token::Symbol(found) if found == symbol)
    }

    /// Takes a symbol, if it is the next.
    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Takes a symbol.
    pub(super) fn need_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            Err(self.expected(&format!("'{symbol}'"), &[]))
        }
    }

    /// Takes a keyword.
    pub(super) fn need(&mut self, keyword: &str) -> Result<()> {
        if self.eat(keyword) {
            Ok(())
        } else {
            Err(self.expected(keyword, &[keyword]))
        }
    }

    /// `IF EXISTS`.
    pub(super) fn if_exists(&mut self) -> bool {
        self.eat_all(&["IF", "EXISTS"])
    }

    /// `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat_all(&["IF", "NOT", "EXISTS"])
    }

    /// A name: a word, or anything in backticks or double quotes.
    pub(super) fn name(&mut self, what: &str) -> Result<Name> {
        let found = match &self.next.token {
            Token::Word(word) => (*word).to_owned(),
            Token::Quoted(value, '`' | '"') => value.clone(),
            _ => return Err(self.expected(what, &[])),
        };
        let quoted = !matches!(self.next.token, Token::Word(_));
        let start = self.advance().start;
        if found.is_empty() {
            return Err(self.wrong(start, format!("{what} is empty"), None));
        }
        Ok(Name {
            value: found,
            quoted,
            start,
        })
    }

    /// `table`, `database.table` or `awsdatacatalog.database.table`.
    pub(super) fn table_name(&mut self) -> Result<TableName> {
        let mut parts = vec![self.name("the name of a table")?];
        let start = self.at();
        while self.eat_symbol(".") {
            parts.push(self.name("the name of a table")?);
        }
        let start = parts.first().map_or(start, |part| part.start);
        if let [catalog, _, _] = parts.as_slice() {
            if !catalog.value.eq_ignore_ascii_case(crate::session::CATALOG) {
                let message = format!("there is no catalog '{}'", catalog.value);
                let hint = format!("the only one is '{}'", crate::session::CATALOG);
                return Err(self.wrong(catalog.start, message, Some(hint)));
            }
            parts.remove(0);
        }
        let mut parts = parts.into_iter().map(|part| part.value.to_lowercase());
        match (parts.next(), parts.next(), parts.next()) {
            (Some(table), None, _) => Ok(TableName {
                database: None,
                table,
                start,
            }),
            (database, Some(table), None) => Ok(TableName {
                database,
                table,
                start,
            }),
            _ => Err(self.wrong(
                start,
                "a table's name has too many parts".to_owned(),
                Some("it is `table` or `database.table`".to_owned()),
            )),
        }
    }

    /// A text in single quotes, or, as Hive has it, in double quotes.
    pub(super) fn string(&mut self, what: &str) -> Result<String> {
        if matches!(self.next.token, Token::Quoted(_, '\'' | '"'))
            && let Token::Quoted(value, _) = self.advance().token
        {
            return Ok(value);
        }
        Err(self.expected(&format!("{what} in quotes"), &[]))
    }

    /// A whole number.
    pub(super) fn integer(&mut self, what: &str) -> Result<i64> {
        let number = match self.next.token {
            Token::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => {
                self.advance();
                Ok(number)
            }
            None => Err(self.expected(what, &[])),
        }
    }

    /// `(a, b, …)`, with something for each.
    pub(super) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.need_symbol("(")?;
        let mut all = vec![one(self)?];
        while self.eat_symbol(",") {
            all.push(one(self)?);
        }
        if !self.eat_symbol(")") {
            return Err(self.expected("',' or ')'", &[]));
        }
        Ok(all)
    }

    /// `('key' = 'value', …)`. Words and numbers need no quotes.
    pub(super) fn properties(&mut self) -> Result<Properties> {
        self.list(|words| {
            let key = words.loose("a property's name")?;
            words.need_symbol("=")?;
            Ok((key, words.loose("a property's value")?))
        })
    }

    /// A text, in quotes or not.
    pub(super) fn loose(&mut self, what: &str) -> Result<String> {
        let sign = self.is_symbol("-");
        let mut ahead = self.clone();
        if sign {
            ahead.advance();
        }
        let text = match &ahead.next.token {
            Token::Quoted(value, _) if !sign => value.clone(),
            Token::Word(word) if !sign => (*word).to_owned(),
            Token::Number(digits) => format!("{}{digits}", if sign { "-" } else { "" }),
            _ => return Err(self.expected(&format!("{what} in quotes"), &[])),
        };
        ahead.advance();
        *self = ahead;
        Ok(text)
    }

    /// The end of the statement, behind any semicolons.
    pub(super) fn end(&mut self) -> Result<()> {
        let mut semicolons = false;
        while self.eat_symbol(";") {
            semicolons = true;
        }
        match self.next.token {
            Token::End => Ok(()),
            _ if semicolons => Err(QueryError::Unsupported(
                "there are several statements; give one at a time".into(),
            )),
            _ => Err(self.expected("the end of the statement", &[])),
        }
    }

    /// An error at a place.
    pub(super) fn wrong(&self, at: usize, message: String, hint: Option<String>) -> QueryError {
        QueryError::Statement {
            message,
            place: Some(lexer::place(self.text, at)),
            hint,
        }
    }

    /// That something else is here than what may be; with the nearest of these keywords.
    pub(super) fn expected(&self, what: &str, keywords: &[&str]) -> QueryError {
        let (found, hint) = match &self.next.token {
            Token::Word(word) => (
                format!("'{}'", shortened(word)),
                crate::error::closest(word, keywords.iter().copied())
                    .map(|near| format!("did you mean {near}?")),
            ),
            Token::Quoted(value, quote) => (format!("{quote}{}{quote}", shortened(value)), None),
            Token::Number(digits) => (format!("'{}'", shortened(digits)), None),
            Token::Symbol(symbol) => (
                format!("'{symbol}'"),
                typographic(symbol).then(|| "it is a typographic quote: write ' or \"".to_owned()),
            ),
            Token::Open("/*") => ("a comment that does not end".to_owned(), None),
            Token::Open(quote) => (
                format!("a text that does not end, from its {quote} on"),
                None,
            ),
            Token::End => ("the end of the statement".to_owned(), None),
        };
        self.wrong(
            self.at(),
            format!("{what} was expected, and {found} was found"),
            hint,
        )
    }
}

fn typographic(symbol: &str) -> bool {
    matches!(symbol, "‘" | "’" | "“" | "”" | "„" | "´")
}

/// A text's beginning, for a message.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
