//! JSON values into columns.

use mastic_schema::choice::choose;

use super::{Column, Misfit, Store, shown};
use crate::format::json::parse::{Parser, Token};
use crate::infer::number_alone;

impl Column {
    /// Appends the JSON value that the parser stands before. After an error the column may have a row that
    /// was begun: see [`Column::level`].
    pub(in crate::format) fn append_json(&mut self, parser: &mut Parser<'_>) -> Result<(), Misfit> {
        // What most values are, without a token between.
        let byte = parser.next_byte();
        match (byte, &mut self.store) {
            (Some(b'"'), Store::View(b)) => {
                if let Some(text) = parser.plain_string() {
                    b.append_value(text);
                    return Ok(());
                }
            }
            (Some(b'"'), Store::Utf8(b)) => {
                if let Some(text) = parser.plain_string() {
                    b.append_value(text);
                    return Ok(());
                }
            }
            (Some(b'-' | b'0'..=b'9'), Store::Int64(b)) => {
                if let Some(value) = parser.integer() {
                    b.append_value(value);
                    return Ok(());
                }
            }
            (Some(b'-' | b'0'..=b'9'), Store::Float64(b)) => {
                if let Some(value) = parser.short_double() {
                    b.append_value(value);
                    return Ok(());
                }
            }
            _ => {}
        }
        let from = parser.position();
        let token = parser.start()?;
        self.append_token(parser, token, from)
    }

    pub(super) fn append_token(
        &mut self,
        parser: &mut Parser<'_>,
        token: Token<'_>,
        from: usize,
    ) -> Result<(), Misfit> {
        match (token, &mut self.store) {
            (Token::Null, _) => self.append_null(),
            (token, Store::Choice(_)) => self.append_choice(parser, token, from)?,
            (Token::Object, Store::Struct(s)) => s.append_object(parser)?,
            (
                Token::Object,
                Store::Map {
                    key,
                    value,
                    offsets,
                    validity,
                    ..
                },
            ) => {
                let mut count = offsets.last().copied().unwrap_or_default();
                let mut first = true;
                while let Some(name) = parser.key(&mut first)? {
                    key.append_text(&name).map_err(|m| m.within("{}"))?;
                    value.append_json(parser).map_err(|m| m.within("{}"))?;
                    count = count.checked_add(1).ok_or(Misfit::TooLong)?;
                }
                offsets.push(count);
                validity.append_non_null();
            }
            (
                Token::Array,
                Store::List {
                    column,
                    offsets,
                    validity,
                    ..
                },
            ) => {
                let mut count = offsets.last().copied().unwrap_or_default();
                let mut first = true;
                while parser.element(&mut first)? {
                    column.append_json(parser).map_err(|m| m.within("[]"))?;
                    count = count.checked_add(1).ok_or(Misfit::TooLong)?;
                }
                offsets.push(count);
                validity.append_non_null();
            }
            (
                token,
                Store::List {
                    column,
                    offsets,
                    validity,
                    ..
                },
            ) if self.reading.single_is_array => {
                column
                    .append_token(parser, token, from)
                    .map_err(|m| m.within("[]"))?;
                let last = offsets.last().copied().unwrap_or_default();
                offsets.push(last.checked_add(1).ok_or(Misfit::TooLong)?);
                validity.append_non_null();
            }
            (token, _) if self.reading.frame => self.append_as_found(parser, &token)?,
            (Token::String(text), store) => match store {
                // A string that spells an object is still a string: it is not looked into.
                Store::Struct(_) | Store::List { .. } | Store::Map { .. } => {
                    return Err(self.misfit(format!("the string {}", shown(&text))));
                }
                _ => self.append_text(&text)?,
            },
            (Token::Number(text), Store::Date(_) | Store::Boolean(_)) => {
                return Err(self.misfit(format!("the number {text}")));
            }
            (
                Token::Number(text),
                Store::Micros(_) | Store::Millis(_) | Store::Seconds(_) | Store::Nanos(_),
            ) => {
                return Err(self.misfit(format!("the number {text}")));
            }
            (Token::Number(text), Store::Struct(_) | Store::List { .. } | Store::Map { .. }) => {
                return Err(self.misfit(format!("the number {text}")));
            }
            (Token::Number(text), _) => self.append_text(text)?,
            (Token::Boolean(v), Store::Boolean(b)) => b.append_value(v),
            (Token::Boolean(v), Store::Utf8(_) | Store::View(_)) => {
                self.append_text(if v { "true" } else { "false" })?;
            }
            (Token::Boolean(v), _) => return Err(self.misfit(v.to_string())),
            (Token::Object | Token::Array, Store::Utf8(_) | Store::View(_)) => {
                // A column that is text because its values disagree holds documents as JSON.
                parser.skip_open()?;
                let text = parser.text_since(from).to_owned();
                self.append_text(text.trim())?;
            }
            (Token::Object, _) => return Err(self.misfit("an object".into())),
            (Token::Array, _) => return Err(self.misfit("an array".into())),
        }
        Ok(())
    }

    /// Appends a value to a column of one type that is neither of objects nor of arrays, where it is a value of
    /// that type.
    fn append_as_found(&mut self, parser: &Parser<'_>, token: &Token<'_>) -> Result<(), Misfit> {
        // In XML everything is text, and what is a number or boolean is written as that type would be.
        let written = self.reading.single_is_array && self.is_text();
        let found = match token {
            Token::String(text) if self.is_text() || self.is_moment() => self.try_found(text, true),
            Token::Number(text) if self.is_number() || written => self.try_found(text, true),
            Token::Boolean(value) => match &mut self.store {
                Store::Boolean(b) => {
                    b.append_value(*value);
                    true
                }
                _ if written => self.try_found(if *value { "true" } else { "false" }, true),
                _ => false,
            },
            _ => false,
        };
        if found {
            return Ok(());
        }
        Err(self.unfit(parser, token))
    }

    fn append_choice(
        &mut self,
        parser: &mut Parser<'_>,
        token: Token<'_>,
        from: usize,
    ) -> Result<(), Misfit> {
        let reading = self.reading;
        let Store::Choice(choice) = &mut self.store else {
            return Err(self.misfit("a value".into()));
        };
        let appended = match &token {
            Token::Number(text) => {
                choice.append_number(text) || {
                    // A number that no type holds is kept as it is written.
                    let alone = number_alone(text);
                    let planned = alone.is_some_and(|alone| {
                        let mut numbers = choice.types().filter(|t| choose(t, &alone) == **t);
                        numbers.next().is_none()
                    });
                    (reading.single_is_array || !planned) && choice.append_written(text)
                }
            }
            Token::String(text) => choice.append_string(text),
            _ => false,
        };
        if appended {
            return Ok(());
        }
        match choice.of_token(&token, reading) {
            Some(at) => choice.append_with(at, |column| column.append_token(parser, token, from)),
            None => Err(self.unfit(parser, &token)),
        }
    }

    /// Why a value is none of the column's: another type of the column would hold it, or none would.
    fn unfit(&self, parser: &Parser<'_>, token: &Token<'_>) -> Misfit {
        let found = match token {
            Token::Null => "null".to_owned(),
            Token::Boolean(value) => value.to_string(),
            Token::Number(text) => {
                let found = format!("the number {text}");
                let wider = number_alone(text)
                    .is_none_or(|alone| choose(&self.data_type, &alone) != self.data_type);
                if !wider {
                    let wanted = mastic_schema::choice::format_type(&self.data_type);
                    return Misfit::Json(parser.problem(format!("{found} is no {wanted}")));
                }
                found
            }
            Token::String(text) => format!("the string {}", shown(text)),
            Token::Object => "an object".to_owned(),
            Token::Array => "an array".to_owned(),
        };
        self.misfit(found)
    }
}

impl Misfit {
    /// The same, of a value within another: in the field of this name, or of an array (`[]`) or map (`{}`).
    pub(super) fn within(self, outer: &str) -> Misfit {
        let within = |path: String| match path.as_bytes().first() {
            None | Some(b'[' | b'{') => format!("{outer}{path}"),
            Some(_) => format!("{outer}.{path}"),
        };
        match self {
            Misfit::Value {
                wanted,
                found,
                path,
            } => Misfit::Value {
                wanted,
                found,
                path: within(path),
            },
            Misfit::Key { path } => Misfit::Key { path: within(path) },
            other => other,
        }
    }
}
