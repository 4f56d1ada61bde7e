//! `CREATE TABLE … AS`, `INSERT` and `UNLOAD`, as Athena, Trino and Hive write them.
//!
//! Only what stands around the query is read here. The query itself is planned as if it were the whole statement:
//! in its text all else is blank, so that places in messages are places of the statement.

use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use mastic_functions::sql::AthenaDialect;

use crate::error::{QueryError, Result};

/// A statement that writes.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    CreateAs(CreateAs),
    Insert(Insert),
    Unload(Unload),
}

/// `CREATE TABLE … AS query`.
#[derive(Debug, PartialEq)]
pub(super) struct CreateAs {
    pub(super) table: TableReference,
    pub(super) place: Location,
    pub(super) if_not_exists: bool,
    /// Trino's `CREATE TABLE t (a, b) AS …`: names for the query's columns.
    pub(super) columns: Option<Vec<Ident>>,
    pub(super) comment: Option<String>,
    pub(super) properties: Vec<Property>,
    pub(super) query: String,
    /// Whether rows are written, or only the table made.
    pub(super) with_data: bool,
}

/// `INSERT INTO` and `INSERT OVERWRITE`.
#[derive(Debug, PartialEq)]
pub(super) struct Insert {
    pub(super) table: TableReference,
    pub(super) place: Location,
    pub(super) overwrite: bool,
    /// Hive's `PARTITION (k = 'v', other)`: a key without a value comes from the query.
    pub(super) partition: Vec<(Ident, Option<Value>)>,
    /// Which columns the query's are, where the statement says so.
    pub(super) columns: Option<Vec<Ident>>,
    pub(super) query: String,
}

/// `UNLOAD (query) TO 'place' WITH (…)`.
#[derive(Debug, PartialEq)]
pub(super) struct Unload {
    pub(super) query: String,
    pub(super) to: String,
    /// Where the place is written in the statement.
    pub(super) place: Location,
    pub(super) properties: Vec<Property>,
}

/// One of `WITH (name = value, …)`.
#[derive(Debug, PartialEq)]
pub(super) struct Property {
    /// In lower case.
    pub(super) name: String,
    pub(super) place: Location,
    pub(super) value: Value,
    pub(super) value_place: Location,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
    Array(Vec<Value>),
}

/// How deeply `ARRAY[…]` may be nested.
const MAX_DEPTH: usize = 8;

/// Reads a statement; none where the text is another one, `CREATE TABLE` without a query among them.
pub(super) fn parse(text: &str) -> Result<Option<Command>> {
    // What is no SQL at all is told by the parser of all other statements.
    let Ok(tokens) = Tokenizer::new(&AthenaDialect, text).tokenize_with_location() else {
        return Ok(None);
    };
    let tokens: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .collect();
    let begins = |keyword: Keyword| matches!(tokens.first().map(|t| &t.token), Some(Token::Word(w)) if w.keyword == keyword);
    let mut reader = Reader {
        text,
        parser: Parser::new(&AthenaDialect).with_tokens_with_locations(tokens.clone()),
        tokens: &tokens,
    };
    if begins(Keyword::CREATE) {
        return Ok(reader.create()?.map(Command::CreateAs));
    }
    if begins(Keyword::INSERT) {
        return reader.insert().map(|i| Some(Command::Insert(i)));
    }
    if begins(Keyword::UNLOAD) {
        return reader.unload().map(|u| Some(Command::Unload(u)));
    }
    Ok(None)
}

fn no_sql(error: ParserError) -> QueryError {
    DataFusionError::SQL(Box::new(error), None).into()
}

struct Reader<'a> {
    text: &'a str,
    /// Without white space.
    tokens: &'a [TokenWithSpan],
    parser: Parser<'a>,
}

impl Reader<'_> {
    fn place(&self) -> Location {
        self.parser.peek_token_ref().span.start
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        let found = self.parser.peek_token_ref().clone();
        self.parser.expected(what, found).map_err(no_sql)
    }

    fn keyword(&mut self, keyword: Keyword) -> bool {
        self.parser.parse_keyword(keyword)
    }

    fn name(&mut self) -> Result<(TableReference, Location)> {
        let place = self.place();
        let name = self.parser.parse_object_name(false).map_err(no_sql)?;
        Ok((object_name_to_table_reference(name, true)?, place))
    }

    fn create(&mut self) -> Result<Option<CreateAs>> {
        if !self
            .parser
            .parse_keywords(&[Keyword::CREATE, Keyword::TABLE])
        {
            return Ok(None);
        }
        let if_not_exists =
            self.parser
                .parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
        // What is wrong with a statement that is not ours is not ours to tell.
        let Ok((table, place)) = self.name() else {
            return Ok(None);
        };
        let mut columns = None;
        if self.parser.peek_token_ref().token == Token::LParen {
            match self.identifiers() {
                Ok(names) => columns = Some(names),
                // A list with types: a table without a query.
                Err(_) => return Ok(None),
            }
        }
        let mut comment = None;
        if self.keyword(Keyword::COMMENT) {
            comment = Some(self.parser.parse_literal_string().map_err(no_sql)?);
        }
        let begun = self.place();
        let (properties, wrong) = match self.keyword(Keyword::WITH) {
            false => (Vec::new(), None),
            true => match self.properties() {
                Ok(properties) => (properties, None),
                Err(error) => (Vec::new(), Some(error)),
            },
        };
        if let Some(error) = wrong {
            // `WITH SERDEPROPERTIES …` and the like.
            return if self.has_query_after(begun) {
                Err(error)
            } else {
                Ok(None)
            };
        }
        if !self.keyword(Keyword::AS) {
            return Ok(None);
        }
        let from = self.query_begins()?;
        let (until, with_data) = self.data_clause(from);
        Ok(Some(CreateAs {
            table,
            place,
            if_not_exists,
            columns,
            comment,
            properties,
            query: blank_but(self.text, from, until),
            with_data,
        }))
    }

    /// Whether `AS` and a query follow somewhere.
    fn has_query_after(&self, from: Location) -> bool {
        self.tokens.windows(2).any(|pair| {
            let [first, second] = pair else { return false };
            let is_as = matches!(&first.token, Token::Word(w) if w.keyword == Keyword::AS);
            first.span.start >= from && is_as && begins_query(&second.token)
        })
    }

    /// `(a, b, …)`.
    fn identifiers(&mut self) -> Result<Vec<Ident>> {
        self.parser.expect_token(&Token::LParen).map_err(no_sql)?;
        let names = self
            .parser
            .parse_comma_separated(Parser::parse_identifier)
            .map_err(no_sql)?;
        self.parser.expect_token(&Token::RParen).map_err(no_sql)?;
        Ok(names)
    }

    /// Where the query begins, which stands next.
    fn query_begins(&self) -> Result<Location> {
        let next = self.parser.peek_token_ref();
        if begins_query(&next.token) {
            return Ok(next.span.start);
        }
        self.expected("a query: SELECT, WITH or VALUES")
    }

    /// Where `WITH [NO] DATA` begins, which may end the statement, and what it says.
    fn data_clause(&self, from: Location) -> (Option<Location>, bool) {
        let words: Vec<(Keyword, Location)> = self
            .tokens
            .iter()
            .filter(|t| t.span.start > from)
            .rev()
            .skip_while(|t| matches!(t.token, Token::SemiColon | Token::EOF))
            .take(3)
            .map(|t| match &t.token {
                Token::Word(word) if word.quote_style.is_none() => (word.keyword, t.span.start),
                _ => (Keyword::NoKeyword, t.span.start),
            })
            .collect();
        match words.as_slice() {
            [(Keyword::DATA, _), (Keyword::WITH, at), ..] => (Some(*at), true),
            [(Keyword::DATA, _), (Keyword::NO, _), (Keyword::WITH, at)] => (Some(*at), false),
            _ => (None, true),
        }
    }

    fn insert(&mut self) -> Result<Insert> {
        self.parser
            .expect_keyword(Keyword::INSERT)
            .map_err(no_sql)?;
        let overwrite = self.keyword(Keyword::OVERWRITE);
        if !overwrite && !self.keyword(Keyword::INTO) {
            return self.expected("INTO or OVERWRITE");
        }
        if overwrite && (self.keyword(Keyword::DIRECTORY) || self.keyword(Keyword::LOCAL)) {
            return Err(QueryError::Unsupported(
                "INSERT OVERWRITE DIRECTORY is not built: `UNLOAD (query) TO 'place' WITH (format = 'PARQUET')` writes files without a table".into(),
            ));
        }
        if overwrite {
            let _ = self.keyword(Keyword::INTO);
        }
        let _ = self.keyword(Keyword::TABLE);
        let (table, place) = self.name()?;
        let partition = if self.keyword(Keyword::PARTITION) {
            self.partition()?
        } else {
            Vec::new()
        };
        let mut columns = None;
        let next = &self.parser.peek_nth_token_ref(1).token;
        if self.parser.peek_token_ref().token == Token::LParen && !begins_query(next) {
            columns = Some(self.identifiers()?);
        }
        if self.keyword(Keyword::DEFAULT) {
            return Err(QueryError::Unsupported(
                "INSERT … DEFAULT VALUES is not built: tables have no defaults; give the values"
                    .into(),
            ));
        }
        let from = self.query_begins()?;
        Ok(Insert {
            table,
            place,
            overwrite,
            partition,
            columns,
            query: blank_but(self.text, from, None),
        })
    }

    /// `(k = 'v', other)`.
    fn partition(&mut self) -> Result<Vec<(Ident, Option<Value>)>> {
        self.parser.expect_token(&Token::LParen).map_err(no_sql)?;
        let mut keys = Vec::new();
        loop {
            let name = self.parser.parse_identifier().map_err(no_sql)?;
            let value = match self.parser.consume_token(&Token::Eq) {
                true => Some(self.value(0)?),
                false => None,
            };
            keys.push((name, value));
            if !self.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        self.parser.expect_token(&Token::RParen).map_err(no_sql)?;
        Ok(keys)
    }

    fn unload(&mut self) -> Result<Unload> {
        self.parser
            .expect_keyword(Keyword::UNLOAD)
            .map_err(no_sql)?;
        let opened = self.place();
        self.parser.expect_token(&Token::LParen).map_err(no_sql)?;
        let from = self.query_begins()?;
        let mut depth = 1usize;
        let until = loop {
            let token = self.parser.next_token();
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::EOF => {
                    return Err(told(
                        "the parenthesis before the query is never closed",
                        opened,
                        Some("write UNLOAD (query) TO 'place' WITH (…)".into()),
                    ));
                }
                _ => {}
            }
            if depth == 0 {
                break token.span.start;
            }
        };
        self.parser.expect_keyword(Keyword::TO).map_err(no_sql)?;
        let place = self.place();
        let to = self.parser.parse_literal_string().map_err(no_sql)?;
        let properties = match self.keyword(Keyword::WITH) {
            true => self.properties()?,
            false => Vec::new(),
        };
        while self.parser.consume_token(&Token::SemiColon) {}
        if self.parser.peek_token_ref().token != Token::EOF {
            return self.expected("end of statement");
        }
        Ok(Unload {
            query: blank_but(self.text, from, Some(until)),
            to,
            place,
            properties,
        })
    }

    /// `(name = value, …)`.
    fn properties(&mut self) -> Result<Vec<Property>> {
        self.parser.expect_token(&Token::LParen).map_err(no_sql)?;
        let mut properties: Vec<Property> = Vec::new();
        while !self.parser.consume_token(&Token::RParen) {
            if !properties.is_empty() {
                self.parser.expect_token(&Token::Comma).map_err(no_sql)?;
            }
            let place = self.place();
            let name = self.parser.parse_identifier().map_err(no_sql)?;
            let name = name.value.to_lowercase();
            self.parser.expect_token(&Token::Eq).map_err(no_sql)?;
            let value_place = self.place();
            let value = self.value(0)?;
            if properties.iter().any(|p| p.name == name) {
                return Err(told(format!("'{name}' is given twice"), place, None));
            }
            properties.push(Property {
                name,
                place,
                value,
                value_place,
            });
        }
        Ok(properties)
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        let token = self.parser.peek_token_ref().token.clone();
        let value = match token {
            Token::SingleQuotedString(text) => Value::Text(text),
            Token::Number(number, _) => Value::Number(number),
            Token::Minus => {
                self.parser.advance_token();
                match self.parser.peek_token_ref().token.clone() {
                    Token::Number(number, _) => Value::Number(format!("-{number}")),
                    _ => return self.expected("a number"),
                }
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::TRUE => Value::Bool(true),
                Keyword::FALSE => Value::Bool(false),
                Keyword::NULL => Value::Null,
                // `DATE '2024-01-01'`: the text says it.
                Keyword::DATE | Keyword::TIMESTAMP => {
                    self.parser.advance_token();
                    match self.parser.peek_token_ref().token.clone() {
                        Token::SingleQuotedString(text) => Value::Text(text),
                        _ => return self.expected("a text in single quotes"),
                    }
                }
                Keyword::ARRAY if depth < MAX_DEPTH => {
                    self.parser.advance_token();
                    return self.array(depth);
                }
                _ => return self.constant_expected(),
            },
            _ => return self.constant_expected(),
        };
        self.parser.advance_token();
        Ok(value)
    }

    fn constant_expected<T>(&self) -> Result<T> {
        self.expected("a text in single quotes, a number, true, false, NULL or ARRAY[…]")
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.parser.expect_token(&Token::LBracket).map_err(no_sql)?;
        let mut values = Vec::new();
        while !self.parser.consume_token(&Token::RBracket) {
            if !values.is_empty() {
                self.parser.expect_token(&Token::Comma).map_err(no_sql)?;
            }
            values.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(values))
    }
}

fn begins_query(token: &Token) -> bool {
    match token {
        Token::LParen => true,
        Token::Word(word) if word.quote_style.is_none() => matches!(
            word.keyword,
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE | Keyword::FROM
        ),
        _ => false,
    }
}

/// An error at a place of the statement.
pub(super) fn told(
    message: impl Into<String>,
    place: Location,
    hint: Option<String>,
) -> QueryError {
    QueryError::Statement {
        message: message.into(),
        place: (place.line > 0).then_some((place.line, place.column)),
        hint,
    }
}

/// The text with all blank that is not between two places.
fn blank_but(text: &str, from: Location, until: Option<Location>) -> String {
    let mut here = Location { line: 1, column: 1 };
    let mut blank = String::with_capacity(text.len());
    for c in text.chars() {
        let within = here >= from && until.is_none_or(|until| here < until);
        blank.push(if within || c.is_whitespace() { c } else { ' ' });
        if c == '\n' {
            here = Location {
                line: here.line + 1,
                column: 1,
            };
        } else {
            here.column += 1;
        }
    }
    blank
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
