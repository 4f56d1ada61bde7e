//! From a URL to a store.

use std::sync::Arc;

use super::CatalogStore;
use crate::error::{CatalogError, Result};

/// What to do where there is no catalog yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Make it, with the folders above it.
    CreateIfMissing,
    /// Fail with [`CatalogError::NoCatalog`], and leave nothing behind.
    MustExist,
}

/// Opens a catalog: a path or `sqlite:PATH` for SQLite, `postgres://USER@HOST/DATABASE` for PostgreSQL, where
/// `?schema=NAME` names the schema it lies in (`mastic` by default). A catalog of an older schema version is brought
/// up to date.
pub async fn open(url: &str, mode: OpenMode) -> Result<Arc<dyn CatalogStore>> {
    let invalid = |reason: &str| CatalogError::Url {
        url: without_password(url),
        reason: reason.to_owned(),
    };
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return super::postgres::open(url, mode).await;
    }
    let path = match url.strip_prefix("sqlite:") {
        // `sqlite:///a/b` is how other programs write `/a/b`.
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if url.contains("://") => {
            return Err(invalid("only sqlite: and postgres: are known"));
        }
        None => url,
    };
    if path.is_empty() {
        return Err(invalid("the path is empty"));
    }
    if path.contains(":memory:") {
        return Err(invalid(
            "a catalog in memory would be gone with the connection",
        ));
    }
    super::sqlite::open(path.as_ref(), mode).await
}

/// The URL as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        // Not a URL: a path holds no password, and whatever stands before an `@` is not worth the risk.
        return match url.rsplit_once('@') {
            Some((_, after)) if url.contains("://") => format!("…@{after}"),
            _ => url.to_owned(),
        };
    };
    if parsed.password().is_some() {
        let _ = parsed.set_password(Some("***"));
    }
    if parsed.query_pairs().any(|(name, _)| name == "password") {
        let kept: Vec<(String, String)> = parsed
            .query_pairs()
            .map(|(name, value)| {
                let value = if name == "password" {
                    "***".into()
                } else {
                    value
                };
                (name.into_owned(), value.into_owned())
            })
            .collect();
        parsed.query_pairs_mut().clear().extend_pairs(kept);
    }
    parsed.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for url in [
            "postgres://me:secret@host/db",
            "postgres://host/db?user=me&password=secret",
            "postgres://me:secret@ho st/db",
        ] {
            let shown = without_password(url);
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.contains("db"), "{shown}");
        }
    }

    #[tokio::test]
    async fn what_is_no_catalog_is_told() {
        for url in ["mysql://x/y", "sqlite:", "sqlite::memory:", ""] {
            let error = open(url, OpenMode::MustExist).await.unwrap_err();
            assert!(matches!(error, CatalogError::Url { .. }), "{url}: {error}");
            assert!(error.hint().is_some());
        }
    }
}
