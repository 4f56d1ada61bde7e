//! Types as Trino writes them: `array(bigint)`, `row(a bigint)`, `map(varchar, double)`.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Writes the types in casts as the parser reads them: `array(…)` as `array<…>`, `row(…)` as `struct<…>`.
pub(super) fn in_angle_brackets(tokens: &mut [TokenWithSpan]) {
    // The parentheses that are open: whether each is a cast's, or a type's, and so ends with what.
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let word = match tokens.get(at).map(|t| &t.token) {
            Some(Token::Word(word)) => {
                let name = word.value.to_ascii_lowercase();
                if word.keyword == Keyword::AS
                    && let Some(Open::Cast { in_type }) = open.last_mut()
                {
                    *in_type = true;
                }
                Some(name)
            }
            Some(Token::RParen) => {
                if let Some(Open::Type) = open.pop() {
                    set(tokens, at, Token::Gt);
                }
                None
            }
            Some(Token::LParen) => {
                open.push(Open::Other);
                None
            }
            _ => None,
        };
        at += 1;
        let Some(word) = word else { continue };
        let Some(next) = next_token(tokens, at)
            .filter(|i| matches!(tokens.get(*i).map(|t| &t.token), Some(Token::LParen)))
        else {
            continue;
        };
        let within_type = matches!(
            open.last(),
            Some(Open::Cast { in_type: true } | Open::Type | Open::Map)
        );
        match word.as_str() {
            "cast" | "try_cast" => open.push(Open::Cast { in_type: false }),
            "array" if within_type => {
                set(tokens, next, Token::Lt);
                open.push(Open::Type);
            }
            "row" if within_type => {
                set(tokens, next, Token::Lt);
                if let Some(TokenWithSpan {
                    token: Token::Word(word),
                    ..
                }) = tokens.get_mut(at - 1)
                {
                    word.value = "STRUCT".to_owned();
                    word.keyword = Keyword::STRUCT;
                }
                open.push(Open::Type);
            }
            "map" if within_type => open.push(Open::Map),
            _ => open.push(Open::Other),
        }
        at = next + 1;
    }
}

enum Open {
    Cast { in_type: bool },
    Type,
    Map,
    Other,
}

fn set(tokens: &mut [TokenWithSpan], at: usize, token: Token) {
    if let Some(old) = tokens.get_mut(at) {
        old.token = token;
    }
}

fn next_token(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let rest = tokens.get(from..)?;
    let at = rest
        .iter()
        .position(|t| !matches!(t.token, Token::Whitespace(_)))?;
    Some(from + at)
}

/// A nested type as Hive writes it; nothing if the type is not nested, or is none that Hive has.
pub(super) fn nested(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Array(_) | DataType::Map(..) | DataType::Struct(..) => hive(data_type),
        _ => None,
    }
}

fn hive(data_type: &DataType) -> Option<String> {
    use DataType as T;
    Some(match data_type {
        T::Array(
            ArrayElemTypeDef::AngleBracket(of)
            | ArrayElemTypeDef::Parenthesis(of)
            | ArrayElemTypeDef::SquareBracket(of, _),
        ) => format!("array<{}>", hive(of)?),
        T::Map(key, value) => format!("map<{},{}>", hive(key)?, hive(value)?),
        T::Struct(fields, _) => {
            let fields = fields.iter().enumerate().map(|(i, f)| {
                let name = match &f.field_name {
                    Some(name) => name.value.clone(),
                    None => format!("field{i}"),
                };
                Some(format!("{name}:{}", hive(&f.field_type)?))
            });
            format!("struct<{}>", fields.collect::<Option<Vec<_>>>()?.join(","))
        }
        T::BigInt(_) => "bigint".into(),
        T::Int(_) | T::Integer(_) => "int".into(),
        T::SmallInt(_) => "smallint".into(),
        T::TinyInt(_) => "tinyint".into(),
        T::Double(_) | T::DoublePrecision => "double".into(),
        T::Real | T::Float(_) => "float".into(),
        T::Boolean | T::Bool => "boolean".into(),
        T::Varchar(_) | T::String(_) | T::Text | T::Char(_) | T::JSON => "string".into(),
        T::Varbinary(_) | T::Binary(_) => "binary".into(),
        T::Date => "date".into(),
        T::Timestamp(..) => "timestamp".into(),
        T::Decimal(_) | T::Numeric(_) => data_type
            .to_string()
            .to_lowercase()
            .replace("numeric", "decimal"),
        _ => return None,
    })
}
