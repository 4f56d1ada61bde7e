//! A pull parser for one JSON value (RFC 8259) in memory.
//!
//! serde_json reads a number beyond 64 bits as a rounded double. A lake's values must survive, so
//! this parser hands numbers out as they are written; and it fills columns without a tree between.

use std::borrow::Cow;

/// How deep values may be nested. Deeper documents are not data, and would exhaust the stack.
pub(crate) const MAX_DEPTH: usize = 256;

/// What is wrong with a text, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// The beginning of a value. Scalars are whole; the contents of the others follow.
#[derive(Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Null,
    Boolean(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Object,
    Array,
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Result<T> = std::result::Result<T, Problem>;

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Parser {
            text,
            at: 0,
            depth: 0,
        }
    }

    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            at: self.at,
            message: message.into(),
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn text_since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The first byte of the value that comes next.
    pub(crate) fn next_byte(&mut self) -> Option<u8> {
        self.space();
        self.byte()
    }

    /// Reads an integer of up to 18 digits that is next, where nothing but an integer can be; else nothing
    /// is read.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let bytes = self.text.as_bytes().get(self.at..)?;
        let negative = bytes.first() == Some(&b'-');
        let (value, digits) = digits(&bytes[usize::from(negative)..]);
        let end = usize::from(negative) + digits;
        let zero = digits > 1 && bytes[usize::from(negative)] == b'0';
        let more = matches!(bytes.get(end), Some(b'.' | b'e' | b'E'));
        if digits == 0 || digits > 18 || zero || more {
            return None;
        }
        self.at += end;
        let value = i64::try_from(value).ok()?;
        Some(if negative { -value } else { value })
    }

    /// Reads a number that is next, where its digits are few enough for the double to be exact by one
    /// division; else nothing is read.
    pub(crate) fn short_double(&mut self) -> Option<f64> {
        const TENS: [f64; 16] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        ];
        let bytes = self.text.as_bytes().get(self.at..)?;
        let from = usize::from(bytes.first() == Some(&b'-'));
        let (whole, count) = digits(&bytes[from..]);
        let mut end = from + count;
        if count == 0 || count > 15 || count > 1 && bytes[from] == b'0' {
            return None;
        }
        let (mut mantissa, mut places) = (whole, 0);
        if bytes.get(end) == Some(&b'.') {
            let (fraction, behind) = digits(&bytes[end + 1..]);
            if behind == 0 || count + behind > 15 {
                return None;
            }
            mantissa = whole * 10u64.pow(u32::try_from(behind).ok()?) + fraction;
            places = behind;
            end += 1 + behind;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            return None;
        }
        self.at += end;
        // Both are whole numbers below 2^53, and the quotient of two doubles is the nearest one.
        #[allow(clippy::cast_precision_loss)]
        let value = mantissa as f64 / TENS[places];
        Some(if from == 1 { -value } else { value })
    }

    /// Reads the string that is next, where nothing in it is escaped; else nothing is read.
    pub(crate) fn plain_string(&mut self) -> Option<&'a str> {
        let from = self.at + 1;
        let bytes = self.text.as_bytes().get(from..)?;
        let length = quote_or_escape(bytes)?;
        if bytes[length] != b'"' {
            return None;
        }
        let text = self.text.get(from..from + length)?;
        self.at = from + length + 1;
        Some(text)
    }

    /// Whether the next key of an open object is this one, in quotes. If so it is read.
    pub(crate) fn key_is(&mut self, first: &mut bool, quoted: &[u8]) -> bool {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        let space = |at: &mut usize| {
            while matches!(bytes.get(*at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
                *at += 1;
            }
        };
        space(&mut at);
        if !*first {
            if bytes.get(at) != Some(&b',') {
                return false;
            }
            at += 1;
            space(&mut at);
        }
        let end = at + quoted.len();
        let found = bytes.get(at..end) == Some(quoted) && bytes.get(end) == Some(&b':');
        if found {
            self.at = end + 1;
            *first = false;
        }
        found
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        match self.text[self.at..].chars().next() {
            Some(c) => self.problem(format!("'{c}' where {wanted} was expected")),
            None => self.problem(format!("the record ends where {wanted} was expected")),
        }
    }

    /// Reads a value, or the opening of an object or array.
    pub(crate) fn start(&mut self) -> Result<Token<'a>> {
        self.space();
        match self.byte() {
            Some(b'"') => Ok(Token::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'{') => self.open(Token::Object),
            Some(b'[') => self.open(Token::Array),
            Some(b't') => self.word("true", Token::Boolean(true)),
            Some(b'f') => self.word("false", Token::Boolean(false)),
            Some(b'n') => self.word("null", Token::Null),
            // No JSON, but what Python's json module writes for a missing number.
            Some(b'N') => self.word("NaN", Token::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn open(&mut self, token: Token<'a>) -> Result<Token<'a>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.problem(format!("values are nested deeper than {MAX_DEPTH} levels")));
        }
        self.at += 1;
        Ok(token)
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(token)
        } else {
            Err(self.unexpected("a value"))
        }
    }

    fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        let digits = |p: &mut Self| {
            let from = p.at;
            while matches!(p.byte(), Some(b'0'..=b'9')) {
                p.at += 1;
            }
            p.at - from
        };
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.byte() == Some(b'0');
        let whole = digits(self);
        if whole == 0 {
            return Err(self.unexpected("a digit"));
        }
        if zero && whole > 1 {
            return Err(self.problem("a number begins with a zero"));
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if digits(self) == 0 {
                return Err(self.unexpected("a digit"));
            }
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if digits(self) == 0 {
                return Err(self.unexpected("a digit"));
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.at += 1;
        let bytes = self.text.as_bytes();
        let mut from = self.at;
        let mut owned: Option<String> = None;
        loop {
            let Some(skip) = quote_or_escape(&bytes[self.at..]) else {
                self.at = bytes.len();
                return Err(self.problem("a string is not closed"));
            };
            // RFC 8259 wants control characters escaped; files have them raw, and they are harmless.
            self.at += skip;
            let piece = &self.text[from..self.at];
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(match owned {
                    None => Cow::Borrowed(piece),
                    Some(mut text) => {
                        text.push_str(piece);
                        Cow::Owned(text)
                    }
                });
            }
            let text = owned.get_or_insert_default();
            text.push_str(piece);
            let escaped = self.escape()?;
            text.push(escaped);
            from = self.at;
        }
    }

    fn escape(&mut self) -> Result<char> {
        self.at += 1;
        let c = match self.byte() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("an escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char> {
        let high = self.hex()?;
        if !(0xd800..0xe000).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if high < 0xdc00 && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Err(self.problem("half of a surrogate pair stands alone"))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        match digits.map(|d| {
            (
                d.bytes().all(|b| b.is_ascii_hexdigit()),
                u32::from_str_radix(d, 16),
            )
        }) {
            Some((true, Ok(code))) => {
                self.at += 4;
                Ok(code)
            }
            _ => Err(self.unexpected("four hexadecimal digits")),
        }
    }

    /// The next key of an open object, the parser then standing before its value; `None` after its end.
    pub(crate) fn key(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>> {
        self.space();
        match self.byte() {
            Some(b'}') => {
                self.at += 1;
                self.depth -= 1;
                return Ok(None);
            }
            Some(b',') if !*first => {
                self.at += 1;
                self.space();
            }
            _ if *first => {}
            _ => return Err(self.unexpected("',' or '}'")),
        }
        *first = false;
        if self.byte() != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let key = self.string()?;
        self.space();
        if self.byte() != Some(b':') {
            return Err(self.unexpected("':'"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether an open array has another element, the parser then standing before it.
    pub(crate) fn element(&mut self, first: &mut bool) -> Result<bool> {
        self.space();
        match self.byte() {
            Some(b']') => {
                self.at += 1;
                self.depth -= 1;
                return Ok(false);
            }
            Some(b',') if !*first => self.at += 1,
            _ if *first => {}
            _ => return Err(self.unexpected("',' or ']'")),
        }
        *first = false;
        Ok(true)
    }

    /// Reads over a value.
    pub(crate) fn skip(&mut self) -> Result<()> {
        match self.start()? {
            Token::Object | Token::Array => self.skip_open(),
            _ => Ok(()),
        }
    }

    /// Reads to the end of the object or array that was just opened.
    pub(crate) fn skip_open(&mut self) -> Result<()> {
        let object = self.text.as_bytes()[self.at - 1] == b'{';
        let mut first = true;
        if object {
            while self.key(&mut first)?.is_some() {
                self.skip()?;
            }
        } else {
            while self.element(&mut first)? {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// Makes sure that nothing but space follows.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.space();
        match self.byte() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the record")),
        }
    }
}

/// The number that the digits at the beginning spell, and how many they are; of more than 19 the number
/// is of no use.
fn digits(bytes: &[u8]) -> (u64, usize) {
    let mut value = 0u64;
    let mut count = 0;
    while let Some(byte) = bytes.get(count) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    (value, count)
}

/// Where the first quote or backslash is. Most strings are short: eight bytes are looked at in a word before
/// a longer search is set up.
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    /// The top bit of each byte that is zero, and of no byte before the first of them.
    fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & TOPS
    }
    let mut at = 0;
    while let Some(Ok(chunk)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(chunk);
        let found = zeros(word ^ u64::from_le_bytes([b'"'; 8]))
            | zeros(word ^ u64::from_le_bytes([b'\\'; 8]));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at == 32 {
            break;
        }
    }
    memchr::memchr2(b'"', b'\\', &bytes[at..]).map(|more| at + more)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// The value as serde_json has it: the independent reader that the parser is held against.
    fn tree(parser: &mut Parser<'_>) -> Result<Value> {
        Ok(match parser.start()? {
            Token::Null => Value::Null,
            Token::Boolean(b) => Value::Bool(b),
            // serde_json's own reading of doubles is off by a bit unless it is built otherwise.
            Token::Number(n) => match n.parse::<i64>() {
                Ok(whole) => whole.into(),
                Err(_) => n.parse::<f64>().unwrap().into(),
            },
            Token::String(s) => Value::String(s.into_owned()),
            Token::Array => {
                let (mut first, mut all) = (true, Vec::new());
                while parser.element(&mut first)? {
                    all.push(tree(parser)?);
                }
                Value::Array(all)
            }
            Token::Object => {
                let (mut first, mut all) = (true, serde_json::Map::new());
                while let Some(key) = parser.key(&mut first)? {
                    let value = tree(parser)?;
                    all.insert(key.into_owned(), value);
                }
                Value::Object(all)
            }
        })
    }

    fn parse(text: &str) -> Result<Value> {
        let mut parser = Parser::new(text);
        let value = tree(&mut parser)?;
        parser.finish()?;
        Ok(value)
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has no infinities", |f| f.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn short_ways_read_what_the_long_ones_do(text in "-?[0-9]{0,20}(\\.[0-9]{0,17})?(e[0-9])?[,} ]") {
            let mut long = Parser::new(&text);
            let number = match long.start() {
                Ok(Token::Number(number)) => Some(number),
                _ => None,
            };
            let mut short = Parser::new(&text);
            if let Some(value) = short.integer() {
                prop_assert_eq!(number.and_then(|n| n.parse().ok()), Some(value));
                prop_assert_eq!(short.position(), long.position());
            } else {
                prop_assert!(number.is_none_or(|n| n.len() > 18 || n.parse::<i64>().is_err()), "{}", text);
            }
            let mut short = Parser::new(&text);
            if let Some(value) = short.short_double() {
                prop_assert_eq!(number.and_then(|n| n.parse().ok()), Some(value));
                prop_assert_eq!(short.position(), long.position());
            }
        }

        #[test]
        fn quotes_are_found(text in "[a-zé\"\\\\]{0,50}") {
            let place = text.bytes().position(|b| b == b'"' || b == b'\\');
            prop_assert_eq!(quote_or_escape(text.as_bytes()), place);
            let long = format!("{}{text}", "x".repeat(40));
            prop_assert_eq!(quote_or_escape(long.as_bytes()), place.map(|p| p + 40));
        }

        #[test]
        fn reads_what_serde_json_writes(value in any_json()) {
            prop_assert_eq!(parse(&value.to_string()).unwrap(), value.clone());
            prop_assert_eq!(parse(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn refuses_what_serde_json_refuses(text in "[\\[\\]{}:,\"a0-9.eE+\\\\u tfn-]{0,24}") {
            if let Ok(value) = parse(&text) {
                let theirs = serde_json::from_str::<Value>(&text);
                prop_assert!(theirs.is_ok() || theirs.unwrap_err().to_string().contains("out of range"), "{text} -> {value}");
            }
        }

        #[test]
        fn skipping_ends_where_reading_does(value in any_json()) {
            let text = value.to_string();
            let mut parser = Parser::new(&text);
            parser.skip().unwrap();
            prop_assert_eq!(parser.position(), text.len());
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(10_000);
        assert_eq!(
            parse(&deep).unwrap_err().message,
            "values are nested deeper than 256 levels"
        );
    }

    #[test]
    fn problems_say_what_and_where() {
        for (text, at, message) in [
            ("{\"a\" 1}", 5, "'1' where ':' was expected"),
            ("{\"a\":}", 5, "'}' where a value was expected"),
            ("[1 2]", 3, "'2' where ',' or ']' was expected"),
            ("\"abc", 4, "a string is not closed"),
            ("\"\\ud800\"", 7, "half of a surrogate pair stands alone"),
            ("01", 2, "a number begins with a zero"),
        ] {
            let problem = parse(text).unwrap_err();
            assert_eq!(
                (problem.at, problem.message.as_str()),
                (at, message),
                "{text}"
            );
        }
    }
}
