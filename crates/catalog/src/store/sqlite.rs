//! The embedded store: one SQLite file, which any number of processes on one machine may share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::driver::{BUSY_SECONDS, Pool, failed, is_busy};
use super::migrate::migrate;
use super::sql::SqlStore;
use super::{CatalogStore, OpenMode};
use crate::error::{CatalogError, Result};

/// How many rows the driver reads ahead.
const ROWS_AT_ONCE: usize = 1_000;

pub(super) async fn open(path: &Path, mode: OpenMode) -> Result<Arc<dyn CatalogStore>> {
    let location = path.display().to_string();
    let create = mode == OpenMode::CreateIfMissing;
    if create {
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            std::fs::create_dir_all(parent).map_err(|source| CatalogError::Store {
                action: format!("make the folder {}", parent.display()),
                source: source.into(),
            })?;
        }
    } else if !path.exists() {
        return Err(CatalogError::NoCatalog { location });
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With WAL this loses nothing but the last commits in a power cut, and never consistency.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS))
        // Rows come from a thread of the driver's: with 50 at a time (its default), most of reading many is waiting.
        .row_buffer_size(ROWS_AT_ONCE)
        // LIKE as in SQL, and as in PostgreSQL: upper case is not lower case.
        .pragma("case_sensitive_like", "ON");
    let pool = SqlitePoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(2 * BUSY_SECONDS));

    // Going over to WAL takes a lock that SQLite does not wait for: two processes that make the same catalog at the
    // same time meet here.
    let mut tries = 0;
    let pool = loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => break pool,
            Err(error) if is_busy(&error) && tries < 100 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(20 + tries)).await;
            }
            Err(error) => return Err(failed(&format!("open the catalog {location}"), error)),
        }
    };
    let pool = Pool::Sqlite(pool);
    if !migrate(&pool, create).await? {
        return Err(CatalogError::NoCatalog { location });
    }
    Ok(Arc::new(SqlStore::new(pool, location)))
}
