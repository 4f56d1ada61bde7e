//! Brings a store to the schema that this program knows.

use super::dialect::Dialect;
use super::driver::{Pool, Tx, args};
use crate::error::{CatalogError, Result};

/// What runs before the migrations on PostgreSQL.
const POSTGRES_PRELUDE: &str = include_str!("../../../../catalog/postgres.sql");

/// The migrations, oldest first; the place in the list, from 1, is the schema version.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../../catalog/0001_catalog.sql"),
    include_str!("../../../../catalog/0002_crawlers.sql"),
    include_str!("../../../../catalog/0003_jobs.sql"),
    include_str!("../../../../catalog/0004_transforms.sql"),
    include_str!("../../../../catalog/0005_queries.sql"),
];

/// The schema version this program knows.
pub(crate) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// Applies what is missing, in one transaction. Refuses a store that is newer than this program. If `may_create` is
/// false, a store without any schema is left alone, and `Ok(false)` returned.
pub(crate) async fn migrate(pool: &Pool, may_create: bool) -> Result<bool> {
    let mut tx = pool.begin_read().await?;
    let found = schema_version(&mut tx).await?;
    drop(tx);
    match found {
        Some(found) if found == known() => return Ok(true),
        Some(found) if found > known() => return Err(newer(found)),
        None if !may_create => return Ok(false),
        _ => {}
    }

    let mut tx = pool.begin_write().await?;
    if tx.dialect() == Dialect::Postgres {
        // Any number will do, as long as every mastic takes the same.
        tx.execute(
            "lock the catalog",
            "SELECT pg_advisory_xact_lock(7293019283746501)",
            vec![],
        )
        .await?;
    }
    // Again, now that nobody else can be doing the same.
    let found = schema_version(&mut tx).await?.unwrap_or(0);
    if found > known() {
        return Err(newer(found));
    }
    if found == 0 {
        if tx.dialect() == Dialect::Postgres {
            tx.script("make the catalog's schema", POSTGRES_PRELUDE)
                .await?;
        }
        tx.script(
            "make the catalog's schema",
            "CREATE TABLE schema_version (
                version     BIGINT NOT NULL PRIMARY KEY,
                applied_at  TEXT   NOT NULL,
                applied_by  TEXT   NOT NULL
            )",
        )
        .await?;
    }
    for (version, migration) in (1..)
        .zip(MIGRATIONS)
        .skip_while(|(version, _)| *version <= found)
    {
        let action = format!("bring the catalog to schema version {version}");
        tx.script(&action, *migration).await?;
        tx.execute(
            &action,
            "INSERT INTO schema_version (version, applied_at, applied_by) VALUES ($1, $2, $3)",
            args![
                version,
                super::lookup::now_text(),
                concat!("mastic ", env!("CARGO_PKG_VERSION"))
            ],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn newer(found: i64) -> CatalogError {
    CatalogError::Newer {
        found,
        known: known(),
    }
}

/// The store's schema version; `None` if it has no schema.
async fn schema_version(tx: &mut Tx) -> Result<Option<i64>> {
    let action = "read the catalog's schema version";
    let exists = match tx.dialect() {
        Dialect::Sqlite => {
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'"
        }
        // Not to_regclass: it may answer from what the session saw before it waited for the lock.
        Dialect::Postgres => {
            "SELECT COUNT(*) FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relname = 'schema_version' AND n.nspname = current_schema()"
        }
    };
    let exists = tx
        .row(action, exists, vec![], |row| Ok(row.int(0)?))
        .await?;
    if exists.unwrap_or(0) == 0 {
        return Ok(None);
    }
    tx.row(
        action,
        "SELECT COALESCE(MAX(version), 0) FROM schema_version",
        vec![],
        |row| Ok(row.int(0)?),
    )
    .await
}
