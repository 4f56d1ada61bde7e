//! Hive and Glue type strings, to and from Arrow.
//!
//! The grammar is that of the Hive language manual ("LanguageManual Types"), which Glue's
//! `Column.Type` follows. Three things are added, because files in a lake need them:
//!
//! * a struct field whose name is not a plain word is quoted with backticks, as Spark does
//!   (``struct<`a:b`:int>``);
//! * `timestamp with local time zone` (Hive 3) is an instant; plain `timestamp` has no zone;
//! * `choice<bigint,string>` is a choice ([`crate::choice`]); it is read, and written only where asked for.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};

use crate::choice;

/// The time zone of every instant that Mastic stores.
pub const UTC: &str = "UTC";

/// A Hive type string that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The string does not follow the grammar.
    #[error("type '{text}' is not a Hive type: {reason} at character {position}")]
    Syntax {
        /// The whole type string.
        text: String,
        /// What was expected or found.
        reason: String,
        /// Where, counted in characters from 1.
        position: usize,
    },
    /// The grammar is right, but no such type exists.
    #[error("type '{name}' is unknown{}", did_you_mean.as_ref().map(|s| format!(" (did you mean '{s}'?)")).unwrap_or_default())]
    Unknown {
        /// The type's name as written.
        name: String,
        /// The closest type name, where one is close.
        did_you_mean: Option<String>,
    },
    /// The type exists in Hive, but Mastic does not have it.
    #[error("type '{name}' is not supported by Mastic")]
    Unsupported {
        /// The type's name.
        name: String,
    },
}

const NAMES: &[&str] = &[
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "integer",
    "bigint",
    "long",
    "float",
    "real",
    "double",
    "decimal",
    "string",
    "varchar",
    "char",
    "binary",
    "date",
    "timestamp",
    "array",
    "map",
    "struct",
];

/// The element field that every list of ours has.
pub fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// A map from strings to `value`, as JSON objects and Hive maps with string keys are.
pub fn map_of(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries), false)),
        false,
    )
}

/// Reads a Hive type string.
///
/// # Errors
/// When the string does not follow Hive's grammar, or names a type that does not exist.
pub fn parse_type(text: &str) -> Result<DataType, TypeError> {
    let mut parser = Parser {
        text,
        chars: text.chars().collect(),
        at: 0,
        depth: 0,
    };
    let parsed = parser.data_type()?;
    parser.space();
    if parser.at < parser.chars.len() {
        return Err(parser.syntax("nothing more was expected"));
    }
    Ok(parsed)
}

/// Writes an Arrow type as a Hive type string. Types that Hive lacks become the closest type
/// that holds their values: unsigned integers the next wider integer, times a string.
pub fn format_type(data_type: &DataType) -> String {
    let mut out = String::new();
    write_type(data_type, false, &mut out);
    out
}

/// Like [`format_type`], with choices as `choice<…>`.
pub(crate) fn format_choices(data_type: &DataType) -> String {
    let mut out = String::new();
    write_type(data_type, true, &mut out);
    out
}

fn write_type(data_type: &DataType, choices: bool, out: &mut String) {
    let plain = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "int",
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::UInt64 => "decimal(20,0)",
        DataType::Float16 | DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with local time zone",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "binary",
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "decimal({p},{s})");
            return;
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            out.push_str("array<");
            write_type(item.data_type(), choices, out);
            out.push('>');
            return;
        }
        DataType::Map(entries, _) => {
            if let DataType::Struct(fields) = entries.data_type()
                && let [key, value] = fields.as_ref()
            {
                out.push_str("map<");
                write_type(key.data_type(), choices, out);
                out.push(',');
                write_type(value.data_type(), choices, out);
                out.push('>');
            }
            return;
        }
        DataType::Struct(fields) if choices && choice::is_choice(data_type) => {
            out.push_str("choice<");
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_type(field.data_type(), choices, out);
            }
            out.push('>');
            return;
        }
        DataType::Struct(fields) => {
            out.push_str("struct<");
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_name(field.name(), out);
                out.push(':');
                write_type(field.data_type(), choices, out);
            }
            out.push('>');
            return;
        }
        DataType::Dictionary(_, value) => return write_type(value, choices, out),
        DataType::RunEndEncoded(_, value) => return write_type(value.data_type(), choices, out),
        // A column in which only nulls were seen, and what Hive has no type for.
        _ => "string",
    };
    out.push_str(plain);
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@' | ' ' | '/')
}

/// The name of a struct's field as it stands in a type string: in backticks where it is no plain word.
pub fn format_name(name: &str) -> String {
    let mut out = String::new();
    write_name(name, &mut out);
    out
}

fn write_name(name: &str, out: &mut String) {
    let plain = !name.is_empty()
        && name.chars().all(is_plain)
        && !name.starts_with(' ')
        && !name.ends_with(' ');
    if plain {
        out.push_str(name);
    } else {
        out.push('`');
        out.push_str(&name.replace('`', "``"));
        out.push('`');
    }
}

/// How deeply types may be nested: a recursive parser of hostile text has to stop somewhere.
const MAX_DEPTH: usize = 100;

struct Parser<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn syntax(&self, reason: &str) -> TypeError {
        TypeError::Syntax {
            text: self.text.to_owned(),
            reason: reason.to_owned(),
            position: self.at + 1,
        }
    }

    fn space(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.space();
        let found = self.chars.get(self.at) == Some(&wanted);
        if found {
            self.at += 1;
        }
        found
    }

    fn need(&mut self, wanted: char) -> Result<(), TypeError> {
        if self.eat(wanted) {
            Ok(())
        } else {
            Err(self.syntax(&format!("'{wanted}' was expected")))
        }
    }

    fn word(&mut self) -> String {
        self.space();
        let start = self.at;
        while self
            .chars
            .get(self.at)
            .is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn number(&mut self) -> Result<i64, TypeError> {
        self.space();
        let negative = self.eat('-');
        let word = self.word();
        match word.parse::<i64>() {
            Ok(n) => Ok(if negative { -n } else { n }),
            Err(_) => Err(self.syntax("a number was expected")),
        }
    }

    fn field_name(&mut self) -> Result<String, TypeError> {
        self.space();
        let mut name = String::new();
        if self.eat('`') {
            loop {
                match self.chars.get(self.at) {
                    None => return Err(self.syntax("a closing backtick was expected")),
                    Some('`') if self.chars.get(self.at + 1) == Some(&'`') => {
                        name.push('`');
                        self.at += 2;
                    }
                    Some('`') => {
                        self.at += 1;
                        return Ok(name);
                    }
                    Some(c) => {
                        name.push(*c);
                        self.at += 1;
                    }
                }
            }
        }
        while let Some(c) = self.chars.get(self.at)
            && *c != ':'
            && !matches!(c, '<' | '>' | ',' | '`')
        {
            name.push(*c);
            self.at += 1;
        }
        let trimmed = name.trim();
        if trimmed.is_empty() {
            return Err(self.syntax("a field name was expected"));
        }
        Ok(trimmed.to_owned())
    }

    fn data_type(&mut self) -> Result<DataType, TypeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.syntax("types are nested too deeply before"));
        }
        let found = self.data_type_within();
        self.depth -= 1;
        found
    }

    fn data_type_within(&mut self) -> Result<DataType, TypeError> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.syntax("a type was expected"));
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "boolean" => DataType::Boolean,
            "tinyint" => DataType::Int8,
            "smallint" => DataType::Int16,
            "int" | "integer" => DataType::Int32,
            "bigint" | "long" => DataType::Int64,
            "float" | "real" => DataType::Float32,
            "double" => {
                let back = self.at;
                if !self.word().eq_ignore_ascii_case("precision") {
                    self.at = back;
                }
                DataType::Float64
            }
            "decimal" | "numeric" => self.decimal()?,
            "string" => DataType::Utf8,
            "varchar" | "char" => {
                if self.eat('(') {
                    self.number()?;
                    self.need(')')?;
                }
                DataType::Utf8
            }
            "binary" => DataType::Binary,
            "date" => DataType::Date32,
            "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, self.zone()?),
            "array" => {
                self.need('<')?;
                let element = self.data_type()?;
                self.need('>')?;
                list_of(element)
            }
            "map" => {
                self.need('<')?;
                let key = self.data_type()?;
                self.need(',')?;
                let value = self.data_type()?;
                self.need('>')?;
                map_of(key, value)
            }
            "struct" => self.fields()?,
            "choice" => {
                self.need('<')?;
                let mut types = vec![self.data_type()?];
                while self.eat(',') {
                    types.push(self.data_type()?);
                }
                self.need('>')?;
                choice::choice_of(types)
            }
            "uniontype" | "interval" | "variant" => {
                return Err(TypeError::Unsupported { name: word });
            }
            other => {
                return Err(TypeError::Unknown {
                    name: word.clone(),
                    did_you_mean: crate::names::closest(other, NAMES.iter().copied()),
                });
            }
        })
    }

    fn decimal(&mut self) -> Result<DataType, TypeError> {
        // Hive: decimal without arguments is decimal(10,0).
        let (mut precision, mut scale) = (10, 0);
        if self.eat('(') {
            precision = self.number()?;
            if self.eat(',') {
                scale = self.number()?;
            }
            self.need(')')?;
        }
        match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(p @ 1..=38), Ok(s)) if s >= 0 && i64::from(s) <= precision => {
                Ok(DataType::Decimal128(p, s))
            }
            _ => Err(self.syntax("decimal(p,s) needs 1 ≤ p ≤ 38 and 0 ≤ s ≤ p before")),
        }
    }

    fn zone(&mut self) -> Result<Option<Arc<str>>, TypeError> {
        let back = self.at;
        if !self.word().eq_ignore_ascii_case("with") {
            self.at = back;
            return Ok(None);
        }
        let mut word = self.word();
        if word.eq_ignore_ascii_case("local") {
            word = self.word();
        }
        if word.eq_ignore_ascii_case("time") && self.word().eq_ignore_ascii_case("zone") {
            Ok(Some(UTC.into()))
        } else {
            Err(self.syntax("'with local time zone' was expected"))
        }
    }

    fn fields(&mut self) -> Result<DataType, TypeError> {
        self.need('<')?;
        let mut fields: Vec<FieldRef> = Vec::new();
        if !self.eat('>') {
            loop {
                let name = self.field_name()?;
                self.need(':')?;
                let data_type = self.data_type()?;
                fields.push(Arc::new(Field::new(name, data_type, true)));
                if self.eat('>') {
                    break;
                }
                self.need(',')?;
            }
        }
        Ok(DataType::Struct(fields.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_glue_writes() {
        // Type strings from the Glue developer guide and the Hive language manual.
        for (text, expected) in [
            ("bigint", DataType::Int64),
            ("decimal(10,2)", DataType::Decimal128(10, 2)),
            ("DECIMAL", DataType::Decimal128(10, 0)),
            ("varchar(20)", DataType::Utf8),
            ("double precision", DataType::Float64),
            ("array<string>", list_of(DataType::Utf8)),
            ("map<string,int>", map_of(DataType::Utf8, DataType::Int32)),
            (
                "timestamp",
                DataType::Timestamp(TimeUnit::Microsecond, None),
            ),
        ] {
            assert_eq!(parse_type(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let said = |text: &str| match parse_type(text) {
            Ok(found) => format!("{found:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(
            said("bigin"),
            "type 'bigin' is unknown (did you mean 'bigint'?)"
        );
        assert_eq!(
            said("array<int"),
            "type 'array<int' is not a Hive type: '>' was expected at character 10"
        );
        assert_eq!(
            said("int int"),
            "type 'int int' is not a Hive type: nothing more was expected at character 5"
        );
        assert_eq!(
            said("uniontype<int,string>"),
            "type 'uniontype' is not supported by Mastic"
        );
    }

    fn any_type() -> impl Strategy<Value = DataType> {
        let leaf = prop_oneof![
            Just(DataType::Boolean),
            Just(DataType::Int32),
            Just(DataType::Int64),
            Just(DataType::Float64),
            Just(DataType::Utf8),
            Just(DataType::Date32),
            Just(DataType::Timestamp(TimeUnit::Microsecond, None)),
            Just(DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))),
            (1u8..=38).prop_flat_map(
                |p| (0..=p.min(30) as i8).prop_map(move |s| DataType::Decimal128(p, s))
            ),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                inner.clone().prop_map(list_of),
                inner.clone().prop_map(|v| map_of(DataType::Utf8, v)),
                proptest::collection::vec(("[ -~é]{1,8}", inner), 0..5).prop_map(|fields| {
                    DataType::Struct(
                        fields
                            .into_iter()
                            .map(|(n, t)| Field::new(n, t, true))
                            .collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_type_survives_its_text(data_type in any_type()) {
            prop_assert_eq!(parse_type(&format_type(&data_type)), Ok(data_type));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_type(&text);
        }
    }
}
