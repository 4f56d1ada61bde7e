//! The shared store: a schema in a PostgreSQL database.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::driver::{BUSY_SECONDS, Pool, failed};
use super::location::without_password;
use super::migrate::migrate;
use super::sql::SqlStore;
use super::{CatalogStore, OpenMode};
use crate::error::{CatalogError, Result};

/// The schema a catalog lies in unless the URL names one.
const DEFAULT_SCHEMA: &str = "mastic";

pub(super) async fn open(url: &str, mode: OpenMode) -> Result<Arc<dyn CatalogStore>> {
    let location = without_password(url);
    let invalid = |reason: String| CatalogError::Url {
        url: location.clone(),
        reason,
    };
    let (url, schema) = split_schema(url).map_err(&invalid)?;
    let options = PgConnectOptions::from_url(&url)
        .map_err(|error| invalid(error.to_string()))?
        .application_name("mastic");
    let create = mode == OpenMode::CreateIfMissing;
    // Plans are made for the values at hand: one made for any list would read the whole table for a long one.
    let setup = format!(
        "SET search_path TO \"{schema}\"; SET lock_timeout TO '{BUSY_SECONDS}s';
         SET plan_cache_mode TO force_custom_plan"
    );
    // A pool tries a server that refuses again and again; the first connection says at once what is wrong.
    let action = format!("connect to the catalog {location}");
    let first = tokio::time::timeout(Duration::from_secs(BUSY_SECONDS), options.connect()).await;
    match first {
        Ok(connected) => {
            let connection = connected.map_err(|error| failed(&action, error))?;
            // It was only to see; that it closes well is of no account.
            let _ = connection.close().await;
        }
        Err(_) => {
            return Err(CatalogError::Store {
                action,
                source: format!("no answer within {BUSY_SECONDS} seconds").into(),
            });
        }
    }
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(BUSY_SECONDS))
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(setup))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(|error| failed(&action, error))?;
    let action = format!("open the catalog {location}");
    let encoding: String = sqlx::query_scalar("SHOW server_encoding")
        .fetch_one(&pool)
        .await
        .map_err(|error| failed(&action, error))?;
    if encoding != "UTF8" {
        return Err(CatalogError::Store {
            action,
            source: format!("the database's encoding is {encoding}, it must be UTF8").into(),
        });
    }
    if create {
        create_schema(&pool, &schema)
            .await
            .map_err(|error| failed(&action, error))?;
    }
    let pool = Pool::Postgres(pool);
    if !migrate(&pool, create).await? {
        return Err(CatalogError::NoCatalog { location });
    }
    Ok(Arc::new(SqlStore::new(pool, location)))
}

/// Only where it is missing: who may not make schemas can still use one that was made for them.
async fn create_schema(pool: &sqlx::PgPool, schema: &str) -> Result<(), sqlx::Error> {
    let exists = || {
        sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)",
        )
        .bind(schema)
        .fetch_one(pool)
    };
    if exists().await? {
        return Ok(());
    }
    let made = sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE SCHEMA IF NOT EXISTS \"{schema}\""
    )))
    .execute(pool)
    .await;
    match made {
        // IF NOT EXISTS does not save one who makes it at the same moment as another.
        Err(_) if exists().await? => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Takes `schema=NAME` out of the URL.
fn split_schema(url: &str) -> Result<(url::Url, String), String> {
    let mut url = url::Url::parse(url).map_err(|error| error.to_string())?;
    let mut schema = DEFAULT_SCHEMA.to_owned();
    let mut kept = Vec::new();
    for (name, value) in url.query_pairs() {
        if name == "schema" {
            schema = value.into_owned();
        } else {
            kept.push((name.into_owned(), value.into_owned()));
        }
    }
    let allowed = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
    };
    if schema.is_empty() || schema.len() > 63 || !schema.chars().all(allowed) {
        return Err(format!(
            "the schema name {schema:?} is not of a-z, 0-9 and _"
        ));
    }
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok((url, schema))
}

#[cfg(test)]
mod tests {
    use super::split_schema;

    #[test]
    fn the_schema_is_taken_out_of_the_url() {
        let (url, schema) = split_schema("postgres://u@h/d?schema=team_a&sslmode=require").unwrap();
        assert_eq!(
            (url.as_str(), schema.as_str()),
            ("postgres://u@h/d?sslmode=require", "team_a")
        );
        assert_eq!(split_schema("postgres://u@h/d").unwrap().1, "mastic");
        assert!(split_schema("postgres://u@h/d?schema=a\"b").is_err());
    }
}
