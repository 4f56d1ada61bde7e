//! Addresses of the web. Semantics: <https://trino.io/docs/current/functions/url.html>.
//!
//! An address is taken apart by the expression of RFC 3986, appendix B; text that cannot be one gives NULL.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{bigint, ints, texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Kinds(&[Kind::Text], 1);
    let two = Params::Kinds(&[Kind::Text, Kind::Text], 2);
    vec![
        Function::new("url_extract_protocol", one, varchar, |c| {
            part(c, |u| Some(u.scheme.unwrap_or_default().to_owned()))
        })
        .udf(),
        Function::new("url_extract_host", one, varchar, |c| {
            part(c, |u| Some(u.host.unwrap_or_default().to_owned()))
        })
        .udf(),
        Function::new("url_extract_port", one, bigint, port).udf(),
        Function::new("url_extract_path", one, varchar, |c| {
            part(c, |u| Some(decode_percent(u.path)))
        })
        .udf(),
        Function::new("url_extract_query", one, varchar, |c| {
            part(c, |u| Some(decode_percent(u.query.unwrap_or_default())))
        })
        .udf(),
        Function::new("url_extract_fragment", one, varchar, |c| {
            part(c, |u| Some(decode_percent(u.fragment.unwrap_or_default())))
        })
        .udf(),
        Function::new("url_extract_parameter", two, varchar, parameter).udf(),
        Function::new("url_encode", one, varchar, encode).udf(),
        Function::new("url_decode", one, varchar, decode).udf(),
    ]
}

struct Url<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<i64>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let allowed = |c: char| {
            c.is_alphanumeric()
                || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
                || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
        };
        if !text.chars().all(allowed) || !escapes_are_whole(text) {
            return None;
        }
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, tail)) if !scheme.contains('/') => {
                let mut chars = scheme.chars();
                let first = chars.next()?.is_ascii_alphabetic();
                if !first || !chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
                    return None;
                }
                (Some(scheme), tail)
            }
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(tail) => {
                let end = tail.find('/').unwrap_or(tail.len());
                let (authority, path) = tail.split_at(end);
                (Some(authority), path)
            }
            None => (None, rest),
        };
        let (mut host, mut port) = (None, None);
        if let Some(authority) = authority.filter(|a| !a.is_empty()) {
            let place = authority
                .rsplit_once('@')
                .map_or(authority, |(_, place)| place);
            let (name, number) = match place.rfind(':') {
                Some(at) if !place.get(at..)?.contains(']') => {
                    (place.get(..at)?, place.get(at + 1..)?)
                }
                _ => (place, ""),
            };
            host = Some(name);
            if !number.is_empty() {
                port = Some(number.parse::<u32>().ok().map(i64::from)?);
            }
        }
        Some(Self {
            scheme,
            host,
            port,
            path,
            query,
            fragment,
        })
    }
}

fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|tail| {
        tail.as_bytes()
            .get(..2)
            .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

fn decode_percent(text: &str) -> String {
    String::from_utf8_lossy(&decoded(text, false)).into_owned()
}

/// What the escapes of a text stand for; a `%` that begins none stays.
fn decoded(text: &str, plus_is_blank: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match escape {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(if plus_is_blank && *byte == b'+' {
                    b' '
                } else {
                    *byte
                });
                at += 1;
            }
        }
    }
    out
}

fn part(call: &Call<'_>, of: fn(Url<'_>) -> Option<String>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        Ok(values.get(row).and_then(Url::parse).and_then(of))
    })
}

fn port(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    ints(call, |row| {
        Ok(values.get(row).and_then(Url::parse).and_then(|u| u.port))
    })
}

/// The first value of a parameter; empty text where it has none.
fn parameter(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, names) = (call.text(0)?, call.text(1)?);
    texts(call, |row| {
        let (Some(url), Some(name)) = (values.get(row).and_then(Url::parse), names.get(row)) else {
            return Ok(None);
        };
        let found = url
            .query
            .into_iter()
            .flat_map(|q| q.split('&'))
            .find_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode_percent(key) == name).then(|| decode_percent(value))
            });
        Ok(found)
    })
}

/// As a form encodes it: letters, digits, `.-*_` as they are, a blank as `+`.
fn encode(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        Ok(values.get(row).map(|text| {
            let mut out = String::with_capacity(text.len());
            for byte in text.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                        out.push(char::from(byte));
                    }
                    b' ' => out.push('+'),
                    _ => out.push_str(&format!("%{byte:02X}")),
                }
            }
            out
        }))
    })
}

fn decode(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        let Some(text) = values.get(row) else {
            return Ok(None);
        };
        if !escapes_are_whole(text) {
            return exec_err!("url_decode: '{text}' has a '%' that two hex digits do not follow");
        }
        Ok(Some(
            String::from_utf8_lossy(&decoded(text, true)).into_owned(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn takes_any_text(text in "[a-z:/?#@\\[\\]%0-9&=é ]{0,30}") {
            let _ = Url::parse(&text);
            let _ = decoded(&text, true);
        }
    }
}
