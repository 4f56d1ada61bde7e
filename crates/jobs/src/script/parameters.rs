//! A script's parameters: their types, their values, and where `${name}` puts them.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use mastic_schema::names;

use crate::error::ScriptError;
use crate::source::{Source, Span, Text};

/// What messages call the values that were given from outside the script.
pub(crate) const GIVEN: &str = "--set";

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParameterType {
    /// Any text.
    String,
    /// A whole number.
    Bigint,
    /// A number.
    Double,
    /// `true` or `false`.
    Boolean,
    /// `2013-01-31`.
    Date,
    /// `2013-01-31 12:00:00`, with or without a zone.
    Timestamp,
}

impl ParameterType {
    /// The types' names, as a script writes them.
    pub const NAMES: [&'static str; 6] =
        ["string", "bigint", "double", "boolean", "date", "timestamp"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "string" => Self::String,
            "bigint" | "int" | "integer" | "long" => Self::Bigint,
            "double" | "float" => Self::Double,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }

    /// The narrowest type of a value that is written without quotes.
    pub(crate) fn of(value: &str) -> Self {
        [
            Self::Boolean,
            Self::Bigint,
            Self::Double,
            Self::Date,
            Self::Timestamp,
        ]
        .into_iter()
        .find(|kind| kind.holds(value))
        .unwrap_or(Self::String)
    }

    /// Whether the text is a value of the type.
    pub fn holds(self, value: &str) -> bool {
        match self {
            Self::String => true,
            Self::Bigint => value.parse::<i64>().is_ok(),
            // Rust would also take `inf` and `nan`, which SQL reads as names.
            Self::Double => {
                value.parse::<f64>().is_ok() && !value.contains(|c: char| "nNaAiI".contains(c))
            }
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Date => NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok(),
            Self::Timestamp => {
                let forms = [
                    "%Y-%m-%d %H:%M:%S%.f",
                    "%Y-%m-%dT%H:%M:%S%.f",
                    "%Y-%m-%d %H:%M",
                ];
                forms
                    .iter()
                    .any(|form| NaiveDateTime::parse_from_str(value, form).is_ok())
                    || DateTime::parse_from_rfc3339(value).is_ok()
                    || Self::Date.holds(value)
            }
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::String => "any text",
            Self::Bigint => "a whole number, like 2013",
            Self::Double => "a number, like 0.5",
            Self::Boolean => "true or false",
            Self::Date => "a date, like 2013-01-31",
            Self::Timestamp => "a timestamp, like 2013-01-31 12:00:00",
        }
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

/// A parameter of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name.
    pub name: Text,
    /// What its values can be.
    pub kind: ParameterType,
    /// The value where none is given; where there is no default, one must be given.
    pub default: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// The value in force.
    pub value: Option<String>,
    /// Whether it may be the password of a connection, or have it in it. Its value is shown to nobody.
    pub secret: bool,
}

impl Parameter {
    /// The value in force, as it may be shown and recorded.
    pub fn shown(&self) -> String {
        match &self.value {
            Some(_) if self.secret => "***".to_owned(),
            Some(value) => mastic_connect::redacted(value),
            None => String::new(),
        }
    }
}

/// Puts the values that were given over the defaults, and checks them.
pub(crate) fn apply(
    script: &Arc<Source>,
    parameters: &mut [Parameter],
    given: &[(String, String)],
    errors: &mut Vec<ScriptError>,
) {
    for (name, value) in given {
        let source = Source::new(GIVEN, format!("{name}={value}"));
        let Some(parameter) = parameters.iter_mut().find(|p| p.name.as_str() == name) else {
            let known = parameters.iter().map(|p| p.name.as_str());
            let error = ScriptError::new(
                &source,
                Span::new(0, name.len()),
                format!("the script has no parameter '{name}'"),
            );
            let meant = names::closest(name, known.clone());
            let list = known.collect::<Vec<_>>().join(", ");
            errors.push(if list.is_empty() {
                error.hint("it has no parameters at all")
            } else {
                error.meant(meant).hint(format!("it has {list}"))
            });
            continue;
        };
        if !parameter.kind.holds(value) {
            let span = Span::new(name.len() + 1, name.len() + 1 + value.len());
            errors.push(
                ScriptError::new(&source, span, format!("'{value}' is no {}", parameter.kind))
                    .hint(format!("'{name}' takes {}", parameter.kind.example())),
            );
        }
        parameter.value = Some(value.clone());
    }
    for parameter in parameters {
        if let Some(default) = &parameter.default
            && !parameter.kind.holds(default.as_str())
        {
            errors.push(
                ScriptError::new(
                    script,
                    default.span(),
                    format!("'{default}' is no {}", parameter.kind),
                )
                .hint(format!(
                    "'{}' takes {}",
                    parameter.name,
                    parameter.kind.example()
                )),
            );
        }
        if parameter.value.is_none() {
            let name = &parameter.name;
            errors.push(
                ScriptError::new(
                    script,
                    name.span(),
                    format!("parameter '{name}' has no value"),
                )
                .hint(format!(
                    "give it one with --set {name}=VALUE, or a default here"
                )),
            );
            // So that it is complained of once, and not wherever it is used.
            parameter.value = Some(String::new());
        }
    }
}

/// What a text with parameters is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A path, a name, an option: values are put in as they are.
    Plain,
    /// A URL: a value is one part of it, whatever is in it, unless the URL begins with it.
    Url,
    /// An SQL expression or query: a value is a literal of its parameter's type, and never becomes
    /// more SQL than that, whatever is in it.
    Sql,
}

/// The value of a parameter after the SQL in `before`.
fn literal(parameter: &Parameter, before: &str) -> String {
    let value = parameter.value.clone().unwrap_or_default();
    // A quote that is doubled within quotes opens and closes, so that counting them is enough.
    let mut open = None;
    for c in before.chars() {
        match open {
            None if matches!(c, '\'' | '"') => open = Some(c),
            Some(quote) if c == quote => open = None,
            _ => {}
        }
    }
    if let Some(quote) = open {
        return value.replace(quote, &format!("{quote}{quote}"));
    }
    match parameter.kind {
        ParameterType::Bigint | ParameterType::Double if value.starts_with('-') => {
            format!("({value})")
        }
        ParameterType::Bigint | ParameterType::Double | ParameterType::Boolean => value,
        ParameterType::String => format!("'{}'", value.replace('\'', "''")),
        ParameterType::Date => format!("DATE '{value}'"),
        ParameterType::Timestamp => format!("TIMESTAMP '{value}'"),
    }
}

/// Whether what follows `before` in a URL may be a password: all but the user's name, the host, and what comes after it
/// up to the options.
pub(crate) fn may_be_password(before: &str) -> bool {
    match before.split_once("://") {
        None => true,
        Some((_, rest)) => rest.contains('?') || (rest.contains(':') && !rest.contains('@')),
    }
}

/// Puts the parameters' values in the place of `${name}`. `$${` stands for `${`.
pub(crate) fn substitute(
    script: &Arc<Source>,
    text: Text,
    parameters: &[Parameter],
    role: Role,
    errors: &mut Vec<ScriptError>,
) -> Text {
    if !text.as_str().contains("${") {
        return text;
    }
    let mut out = Text::made("", text.span());
    let value = text.as_str();
    let mut at = 0;
    while let Some(found) = value[at..].find("${").map(|i| at + i) {
        if value[..found].ends_with('$') && found > at {
            out.push(&text.slice(at..found - 1));
            out.push(&text.slice(found..found + 2));
            at = found + 2;
            continue;
        }
        out.push(&text.slice(at..found));
        let Some(end) = value[found..].find('}').map(|i| found + i) else {
            errors.push(
                ScriptError::new(
                    script,
                    text.locate(found..found + 2),
                    "'${' is not closed by '}'",
                )
                .hint("write $${ for a dollar sign and a brace"),
            );
            at = value.len();
            break;
        };
        let name = value[found + 2..end].trim();
        let place = text.locate(found..end + 1);
        match parameters.iter().find(|p| p.name.as_str() == name) {
            Some(parameter) => {
                let value = match role {
                    Role::Plain => parameter.value.clone().unwrap_or_default(),
                    Role::Url => {
                        let value = parameter.value.clone().unwrap_or_default();
                        match out.as_str().is_empty() {
                            true => value,
                            false => mastic_connect::url_part(&value),
                        }
                    }
                    Role::Sql => literal(parameter, out.as_str()),
                };
                out.push(&Text::made(value, place));
            }
            None => {
                let known = parameters.iter().map(|p| p.name.as_str());
                errors.push(
                    ScriptError::new(script, place, format!("there is no parameter '{name}'"))
                        .meant(names::closest(name, known))
                        .hint("declare it under 'parameters'"),
                );
            }
        }
        at = end + 1;
    }
    out.push(&text.slice(at..value.len()));
    out.with_span(text.span())
}
