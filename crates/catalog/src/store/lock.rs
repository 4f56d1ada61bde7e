//! Who waits for whom.

use std::collections::BTreeMap;

use super::Change;
use super::bookmarks::job_of;
use super::dialect::Dialect;
use super::driver::{Tx, args};
use crate::error::Result;
use crate::model::Table;

/// On PostgreSQL, takes a lock for each table that changes, for its database, and for each job, in an order that all
/// writers share, so that none waits for another in a circle. SQLite has one writer at a time anyway.
pub(super) async fn lock(tx: &mut Tx, changes: &[Change]) -> Result<()> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    // Key to whether it is exclusive.
    let mut locks: BTreeMap<i64, bool> = BTreeMap::new();
    for change in changes {
        match change {
            Change::CreateDatabase { database, .. } | Change::UpdateDatabase { database } => {
                locks.insert(lock_key(&["database", &database.name]), true);
            }
            Change::DeleteDatabase { name, .. } => {
                locks.insert(lock_key(&["database", name]), true);
            }
            Change::PutTable {
                table:
                    Table {
                        database_name,
                        name,
                        ..
                    },
                ..
            }
            | Change::DeleteTable {
                database: database_name,
                name,
                ..
            }
            | Change::RestoreTable {
                database: database_name,
                name,
                ..
            } => {
                locks
                    .entry(lock_key(&["database", database_name]))
                    .or_insert(false);
                locks.insert(lock_key(&["table", database_name, name]), true);
            }
            // One for all: they are few, and refer to each other.
            Change::PutClassifier { .. }
            | Change::DeleteClassifier { .. }
            | Change::PutCrawler { .. }
            | Change::DeleteCrawler { .. }
            | Change::PutTransform { .. }
            | Change::DeleteTransform { .. } => {
                locks.insert(lock_key(&["definitions"]), true);
            }
            Change::CommitBookmark { job, .. } | Change::SetBookmark { job, .. } => {
                locks.insert(lock_key(&["job", job]), true);
            }
            Change::SettleCommit { run_id } | Change::FinishRun { run_id, .. } => {
                // A run's job never changes. Where there is no such run, the change fails for that.
                if let Some(job) = job_of(tx, run_id).await? {
                    locks.insert(lock_key(&["job", &job]), true);
                }
            }
        }
    }
    for (key, exclusive) in locks {
        let sql = if exclusive {
            "SELECT pg_advisory_xact_lock($1)"
        } else {
            "SELECT pg_advisory_xact_lock_shared($1)"
        };
        tx.execute("lock the tables", sql, args![key]).await?;
    }
    Ok(())
}

/// A number for a name. Two names with one number only wait for each other.
pub(super) fn lock_key(parts: &[&str]) -> i64 {
    super::fnv1a(parts.iter().flat_map(|part| part.bytes().chain([0])))
}
