//! What a change means for the rows of a table's partitions.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::PartitionChanges;
use super::descriptors::Descriptors;
use super::driver::Tx;
use super::partitions::{self, PartitionRow};
use crate::error::{CatalogError, Result};
use crate::model::{ShowValues, Table};

/// From so many partitions on, reading all of a table's is faster than asking for each.
const READ_ALL_FROM: usize = 20_000;

/// What is to be done to the rows of a table's partitions.
#[derive(Default)]
pub(super) struct PartitionPlan {
    /// Rows that end, by their values as JSON.
    pub(super) close: Vec<String>,
    /// Every current row ends.
    pub(super) close_all: bool,
    /// Rows that begin.
    pub(super) insert: Vec<PartitionRow>,
    pub(super) added: u64,
    pub(super) removed: u64,
    pub(super) changed: u64,
}

/// Compares what is to be with what is.
pub(super) async fn plan_partitions(
    tx: &mut Tx,
    table: &Table,
    table_id: Option<i64>,
    current: Option<(i64, &Table)>,
    changes: PartitionChanges,
    descriptors: &mut Descriptors,
) -> Result<PartitionPlan> {
    let mut puts: HashMap<String, PartitionRow> = HashMap::with_capacity(changes.put.len());
    let mut order = Vec::with_capacity(changes.put.len());
    for partition in changes.put {
        let row = partitions::encode(partition, table, descriptors)?;
        order.push(row.key.clone());
        if let Some(twice) = puts.insert(row.key.clone(), row) {
            return Err(CatalogError::InvalidPartition {
                table: format!("{}.{}", table.database_name, table.name),
                values: ShowValues(&twice.values).to_string(),
                reason: "it is given twice".to_owned(),
            });
        }
    }
    descriptors.resolve(tx, table_id, puts.values_mut()).await?;
    let deletes = changes
        .delete
        .iter()
        .map(|values| partitions::key_of(values))
        .collect::<Result<HashSet<String>>>()?;

    let mut plan = PartitionPlan::default();
    if let Some((table_id, old)) = current {
        // Sort keys are written by the keys' types: other types, other rows.
        let rekey = partitions::key_types(&old.partition_keys)
            != partitions::key_types(&table.partition_keys);
        let all = changes.replace_all || rekey || puts.len() + deletes.len() >= READ_ALL_FROM;
        // Each once, though it be both put and removed.
        let only: Option<BTreeSet<String>> =
            (!all).then(|| puts.keys().chain(&deletes).cloned().collect());
        let only: Option<Vec<&str>> = only
            .as_ref()
            .map(|only| only.iter().map(String::as_str).collect());
        let mut misfit = None;
        let mut kept = 0_u64;
        partitions::for_each_current(tx, table_id, only.as_deref(), |mut row| {
            if let Some(put) = puts.get_mut(&row.key) {
                let same = put.same_definition(&row);
                if same && !rekey {
                    kept += 1;
                    puts.remove(&row.key);
                    return;
                }
                plan.changed += u64::from(!same);
                put.created = row.created;
                plan.close.push(std::mem::take(&mut row.key));
            } else if changes.replace_all || deletes.contains(&row.key) {
                plan.removed += 1;
                plan.close.push(row.key);
            } else if rekey {
                if misfit.is_none() {
                    misfit = partitions::check_count(&row.values, table).err();
                }
                plan.close.push(row.key.clone());
                plan.insert.push(row);
            } else {
                kept += 1;
            }
        })
        .await?;
        if let Some(misfit) = misfit {
            return Err(misfit);
        }
        plan.close_all = all && kept == 0 && !plan.close.is_empty();
    }
    let closed: HashSet<&str> = plan.close.iter().map(String::as_str).collect();
    let (mut added, mut rows) = (0, Vec::with_capacity(puts.len()));
    for key in order {
        if let Some(row) = puts.remove(&key) {
            added += u64::from(!closed.contains(key.as_str()));
            rows.push(row);
        }
    }
    plan.insert.append(&mut rows);
    plan.added = added;
    Ok(plan)
}
