//! Versions that are no longer kept, and what only they had.
//!
//! Everything here is found by an index over what is to go, so that it costs nothing how much stays.

use super::driver::{Tx, args};
use crate::error::Result;
use crate::model::VersionId;

/// Descriptors looked at in one statement.
const DESCRIPTORS_PER_LIST: usize = 500;

/// Removes a table's versions but the newest `keep`, of which `newest` is the last; and the partitions and descriptors
/// that no kept version has.
pub(super) async fn prune(tx: &mut Tx, table_id: i64, newest: VersionId, keep: u32) -> Result<()> {
    let action = "remove versions that are no longer kept";
    // Versions are numbered without gaps.
    let oldest = newest.0 - i64::from(keep.max(1)) + 1;
    let removed = tx
        .execute(
            action,
            "DELETE FROM table_versions WHERE table_id = $1 AND version < $2",
            args![table_id, oldest],
        )
        .await?;
    if removed == 0 {
        return Ok(());
    }
    // A version shows the rows that begin at it or before, and end after it.
    let candidates = tx
        .rows(
            action,
            "SELECT DISTINCT descriptor_id FROM partitions
             WHERE table_id = $1 AND version_to <= $2 AND descriptor_id IS NOT NULL",
            args![table_id, oldest],
            |row| Ok(row.int(0)?),
        )
        .await?;
    let removed = tx
        .execute(
            action,
            "DELETE FROM partitions WHERE table_id = $1 AND version_to <= $2",
            args![table_id, oldest],
        )
        .await?;
    if removed == 0 {
        return Ok(());
    }
    for chunk in candidates.chunks(DESCRIPTORS_PER_LIST) {
        let ids: Vec<String> = chunk.iter().map(i64::to_string).collect();
        // Not NOT EXISTS: PostgreSQL would answer that by reading all partitions where most have one descriptor. The
        // least of an index's range is looked up in the index.
        let sql = format!(
            "DELETE FROM descriptors
             WHERE table_id = $1 AND descriptor_id IN ({})
               AND COALESCE((SELECT MIN(p.descriptor_id) FROM partitions p
                             WHERE p.table_id = $1 AND p.descriptor_id >= descriptors.descriptor_id), 0)
                   <> descriptors.descriptor_id",
            ids.join(", ")
        );
        tx.execute(action, sql, args![table_id]).await?;
    }
    Ok(())
}
