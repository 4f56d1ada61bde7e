//! Where a database is: a URL, and what of it may be shown.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::error::{ConnectError, Result};

/// What stands in the place of a password.
const HIDDEN: u8 = b'*';

/// What a part of a URL keeps as it is: RFC 3986's unreserved characters.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A database that can be connected to. Its `Display` and `Debug` have no password.
#[derive(Clone)]
pub struct Connection {
    pub(crate) server: Server,
    shown: String,
}

#[derive(Clone)]
pub(crate) enum Server {
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({self})")
    }
}

impl FromStr for Connection {
    type Err = ConnectError;

    /// Reads `postgresql://user:password@host:port/database?sslmode=…` (or `postgres://`, as libpq has it), or
    /// `sqlite:FILE`. What a PostgreSQL URL does not say is taken from libpq's variables (`PGHOST`, `PGPORT`, `PGUSER`,
    /// `PGDATABASE`, `PGPASSWORD`) and its password file. A SQLite file is only read.
    fn from_str(url: &str) -> Result<Self> {
        let invalid = |reason: String| ConnectError::Url {
            url: redacted(url),
            reason,
        };
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        match scheme {
            Some("postgres" | "postgresql") => {
                let parsed = url::Url::parse(url).map_err(|e| invalid(e.to_string()))?;
                let options = sqlx::ConnectOptions::from_url(&parsed)
                    .map(|o: PgConnectOptions| o.application_name("mastic"))
                    .map_err(|e| invalid(reason(&e)))?;
                Ok(Self {
                    shown: shown_postgres(&options),
                    server: Server::Postgres(Box::new(options)),
                })
            }
            Some("sqlite") => {
                let options =
                    SqliteConnectOptions::from_str(url).map_err(|e| invalid(reason(&e)))?;
                let options = options.read_only(true).create_if_missing(false);
                let file = options.get_filename();
                if file == Path::new("") || file.to_string_lossy().starts_with("file:") {
                    return Err(invalid("a database in memory is empty".to_owned()));
                }
                Ok(Self {
                    shown: format!("SQLite file {}", file.display()),
                    server: Server::Sqlite(Box::new(options)),
                })
            }
            Some(scheme) if !scheme.contains(['/', '.']) => Err(invalid(format!(
                "databases of the kind '{scheme}' are not known"
            ))),
            _ => Err(invalid(
                "it does not begin with a kind of database".to_owned(),
            )),
        }
    }
}

fn shown_postgres(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("PostgreSQL database {database} on {place}")
}

/// What a configuration error says, without what it was passed through.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(inner) => inner.to_string(),
        other => other.to_string(),
    }
}

/// A value as a part of a URL: a password with any characters in it.
pub fn url_part(value: &str) -> String {
    utf8_percent_encode(value, PART).to_string()
}

/// A text without the passwords of the URLs in it. It is as many bytes long as the text, so that places in the one are
/// places in the other.
pub fn redacted(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in passwords(text) {
        if let Some(part) = bytes.get_mut(range) {
            part.fill(HIDDEN);
        }
    }
    // Whole characters were replaced, so that what is left is text.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where passwords stand: between the user and the host, and as a parameter of the URL. A password that is only the
/// name of a script's parameter, `${name}`, is none.
fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + "://".len();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let url = rest.get(..end).unwrap_or_default();
        // A password with a slash, a question mark or a sharp in it is wrong in a URL, and a password nevertheless.
        if let Some(host) = url.rfind('@')
            && let Some(colon) = url.get(..host).and_then(|user| user.find(':'))
        {
            found.push(start + colon + 1..start + host);
        }
        for key in ["?password=", "&password="] {
            if let Some(at) = url.find(key) {
                let value = at + key.len();
                let length = url
                    .get(value..)
                    .and_then(|v| v.find(['&', '#', '}', '"', '\'']));
                found.push(start + value..start + length.map_or(end, |length| value + length));
            }
        }
        from = start + end;
    }
    found.retain(|range| {
        let password = text.get(range.clone()).unwrap_or_default();
        let name = password
            .strip_prefix("${")
            .and_then(|p| p.strip_suffix('}'));
        name.is_none_or(|name| name.contains(['{', '}', '$']))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        for (text, shown) in [
            (
                "postgresql://anna:se:c/r@t@db/shop",
                "postgresql://anna:********@db/shop",
            ),
            (
                "postgres://anna@db/shop?password=x&a=b",
                "postgres://anna@db/shop?password=*&a=b",
            ),
            (
                "u: {connection: \"postgresql://a:b@c/d\", table: t}",
                "u: {connection: \"postgresql://a:*@c/d\", table: t}",
            ),
            (
                "postgresql://a:${password}@c/d",
                "postgresql://a:${password}@c/d",
            ),
            (
                "postgresql://a:x${password}@c/d",
                "postgresql://a:************@c/d",
            ),
            (
                "s3://bucket/a:b and sqlite:///a.db",
                "s3://bucket/a:b and sqlite:///a.db",
            ),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn a_connection_shows_no_password() {
        let url = format!(
            "postgresql://anna:{}@db.example.org:5433/shop",
            url_part("p@ss/w#rd")
        );
        let connection: Connection = url.parse().unwrap();
        assert_eq!(
            connection.to_string(),
            "PostgreSQL database shop on db.example.org:5433"
        );
        assert!(!format!("{connection:?}").contains("ss"));
        let wrong = "postgresql://anna:secret@:port/x"
            .parse::<Connection>()
            .unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("secret"), "{wrong}");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "mysql://host/db",
            "db.sqlite",
            "sqlite::memory:",
            "sqlite:",
            "",
        ] {
            let error = url.parse::<Connection>().unwrap_err();
            assert!(matches!(error, ConnectError::Url { .. }), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_hidden_keeps_its_length(text in ".{0,40}(://.{0,20}:.{0,20}@)?.{0,20}") {
            proptest::prop_assert_eq!(redacted(&text).len(), text.len());
        }
    }
}
