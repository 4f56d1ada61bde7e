//! Partitions as rows: how they are written into columns, read back, counted and compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PartitionDiff;
use super::descriptors::Descriptors;
use super::driver::{Arg, Tx, args};
use super::lookup::{FoundTable, parse_time, time_text};
use crate::error::{CatalogError, Result};
use crate::model::{
    Column, Parameters, Partition, ShowValues, StorageDescriptor, Table, VersionId,
};
use crate::predicate::PartitionPredicate;
use crate::predicate::key::{KeyType, KeyValue};
use crate::predicate::sql::{KEY_COLUMNS, condition};

/// How long a partition's values may be as JSON, in bytes: what PostgreSQL takes in an index. Glue allows 1,024
/// characters a value; S3 allows 1,024 bytes for a whole key.
const MAX_VALUES: usize = 2_000;
/// Storage descriptors asked for at once.
const DESCRIPTORS_PER_LIST: usize = 500;
/// Values in one IN list.
const VALUES_PER_LIST: usize = 5_000;

/// What a partition has of its own; the rest of its storage descriptor is shared (table `descriptors`).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Own {
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    descriptor_parameters: Parameters,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: Parameters,
}

/// A row of `partitions` that is to be, or that was read.
#[derive(Debug, Clone)]
pub(super) struct PartitionRow {
    /// The values as JSON.
    pub(super) key: String,
    pub(super) values: Vec<String>,
    pub(super) created: Option<DateTime<Utc>>,
    pub(super) accessed: Option<DateTime<Utc>>,
    pub(super) descriptor: Option<i64>,
    pub(super) definition: String,
}

impl PartitionRow {
    /// Whether the two define the same partition, but for times.
    pub(super) fn same_definition(&self, other: &Self) -> bool {
        self.key == other.key
            && self.descriptor == other.descriptor
            && self.definition == other.definition
    }
}

/// A partition's values as the store has them.
pub(super) fn key_of(values: &[String]) -> Result<String> {
    to_json(values)
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| CatalogError::Store {
        action: "write a definition as JSON".to_owned(),
        source: source.into(),
    })
}

/// The partition as a row; refuses what does not fit the table. The row's descriptor is a place in `descriptors` until
/// [`Descriptors::resolve`] numbers it.
pub(super) fn encode(
    partition: Partition,
    table: &Table,
    descriptors: &mut Descriptors,
) -> Result<PartitionRow> {
    let refuse = |reason: String| CatalogError::InvalidPartition {
        table: format!("{}.{}", table.database_name, table.name),
        values: ShowValues(&partition.values).to_string(),
        reason,
    };
    check_count(&partition.values, table)?;
    if partition.values.iter().any(|value| value.contains('\0')) {
        return Err(refuse("a value contains a NUL character".to_owned()));
    }
    let key = key_of(&partition.values)?;
    if key.len() > MAX_VALUES {
        return Err(refuse(format!(
            "its values are {} bytes together, more than {MAX_VALUES}",
            key.len()
        )));
    }
    let mut own = Own {
        parameters: partition.parameters,
        ..Own::default()
    };
    let descriptor = match partition.storage_descriptor {
        Some(mut descriptor) => {
            own.location = descriptor.location.take();
            own.descriptor_parameters = std::mem::take(&mut descriptor.parameters);
            Some(descriptors.place_of(to_json(&descriptor)?))
        }
        None => None,
    };
    Ok(PartitionRow {
        key,
        values: partition.values,
        created: partition.creation_time,
        accessed: partition.last_access_time,
        descriptor,
        definition: to_json(&own)?,
    })
}

/// That there is one value for each key.
pub(super) fn check_count(values: &[String], table: &Table) -> Result<()> {
    if values.len() == table.partition_keys.len() {
        return Ok(());
    }
    Err(CatalogError::InvalidPartition {
        table: format!("{}.{}", table.database_name, table.name),
        values: ShowValues(values).to_string(),
        reason: format!(
            "it has {} value(s), and the table {} partition key(s)",
            values.len(),
            table.partition_keys.len()
        ),
    })
}

/// What each key's values are compared as.
pub(super) fn key_types(keys: &[Column]) -> Vec<Option<KeyType>> {
    keys.iter().map(KeyType::of).collect()
}

const ROW_COLUMNS: &str = "partition_values, created_at, accessed_at, descriptor_id, definition";

fn row_of(row: &super::driver::Row<'_>) -> Result<PartitionRow, super::driver::RowError> {
    let key = row.text(0)?;
    let accessed = row.optional_text(2)?;
    Ok(PartitionRow {
        values: serde_json::from_str(&key)?,
        key,
        created: Some(parse_time(&row.text(1)?)?),
        accessed: accessed.as_deref().map(parse_time).transpose()?,
        descriptor: row.optional_int(3)?,
        definition: row.text(4)?,
    })
}

/// Gives each current row to `each`: all of them, or those with the values in `only` (as JSON), which are all different.
pub(super) async fn for_each_current(
    tx: &mut Tx,
    table_id: i64,
    only: Option<&[&str]>,
    mut each: impl FnMut(PartitionRow) + Send,
) -> Result<()> {
    let action = "read the partitions";
    let condition = "table_id = $1 AND version_to IS NULL";
    let Some(only) = only else {
        let sql = format!("SELECT {ROW_COLUMNS} FROM partitions WHERE {condition}");
        return tx
            .for_each_row(action, sql, args![table_id], |row| {
                each(row_of(&row)?);
                Ok(())
            })
            .await;
    };
    for chunk in only.chunks(VALUES_PER_LIST) {
        let sql = tx.dialect().select_by_list(
            ROW_COLUMNS,
            "partitions",
            condition,
            "partition_values",
            "$2",
        );
        let chunk: Vec<String> = chunk.iter().map(|key| (*key).to_owned()).collect();
        tx.for_each_row(action, sql, args![table_id, chunk], |row| {
            each(row_of(&row)?);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Ends current rows as of `version`: all of them, or those with the values in `only` (as JSON).
pub(super) async fn close(
    tx: &mut Tx,
    table_id: i64,
    version: VersionId,
    only: Option<&[String]>,
) -> Result<u64> {
    let action = "remove partitions";
    let update = "UPDATE partitions SET version_to = $1 WHERE table_id = $2 AND version_to IS NULL";
    let Some(only) = only else {
        return tx.execute(action, update, args![version.0, table_id]).await;
    };
    let mut closed = 0;
    for chunk in only.chunks(VALUES_PER_LIST) {
        let sql = format!(
            "{update} AND {}",
            tx.dialect().in_list("partition_values", "$3")
        );
        closed += tx
            .execute(action, sql, args![version.0, table_id, chunk.to_vec()])
            .await?;
    }
    Ok(closed)
}

/// Writes rows that are current from `version` on.
pub(super) async fn insert(
    tx: &mut Tx,
    table_id: i64,
    version: VersionId,
    keys: &[Column],
    rows: &[PartitionRow],
    now: DateTime<Utc>,
) -> Result<()> {
    let types = key_types(keys);
    let more = keys.len() > KEY_COLUMNS;
    let mut columns = ROW_COLUMNS.to_owned();
    for index in 0..keys.len().min(KEY_COLUMNS) {
        columns.push_str(&format!(", k{index}"));
    }
    if more {
        columns.push_str(", k_more");
    }
    let width = columns.split(',').count();
    for chunk in rows.chunks(tx.dialect().rows_per_insert()) {
        let mut sql = format!("INSERT INTO partitions (table_id, version_from, {columns}) VALUES ");
        let mut args: Vec<Arg> = Vec::with_capacity(2 + chunk.len() * width);
        args.extend(args![table_id, version.0]);
        for (index, row) in chunk.iter().enumerate() {
            sql.push_str(if index == 0 { "($1, $2" } else { ", ($1, $2" });
            for _ in 0..width {
                let next = args.len() + 1;
                sql.push_str(&format!(", ${next}"));
                // The place is taken now and filled below.
                args.push(Arg::Text(None));
            }
            sql.push(')');
            let mut sort_keys: Vec<Option<String>> = types
                .iter()
                .zip(&row.values)
                .map(|(key_type, value)| {
                    KeyValue::read((*key_type)?, value).map(|value| value.sort_key())
                })
                .collect();
            let rest = sort_keys.split_off(sort_keys.len().min(KEY_COLUMNS));
            let mut cells = args![
                row.key.as_str(),
                time_text(row.created.unwrap_or(now)),
                row.accessed.map(time_text),
                row.descriptor,
                row.definition.as_str(),
            ];
            cells.extend(sort_keys.into_iter().map(Arg::from));
            if more {
                cells.push(Arg::from(to_json(&rest)?));
            }
            let start = args.len() - width;
            for (place, cell) in args[start..].iter_mut().zip(cells) {
                *place = cell;
            }
        }
        tx.execute("write partitions", sql, args).await?;
    }
    Ok(())
}

/// The condition for the rows of a version for which the predicate is true, with its values.
fn selection(
    tx: &Tx,
    found: &FoundTable,
    table: &Table,
    predicate: Option<&PartitionPredicate>,
) -> Result<(String, Vec<Arg>)> {
    let mut args = args![found.id];
    let version = table.version_id.unwrap_or_default();
    let mut sql = if version == found.last_version && !found.dropped {
        "table_id = $1 AND version_to IS NULL".to_owned()
    } else {
        args.extend(args![version.0]);
        "table_id = $1 AND version_from <= $2 AND (version_to IS NULL OR version_to > $2)"
            .to_owned()
    };
    if let Some(predicate) = predicate {
        let condition = condition(predicate, &table.partition_keys, tx.dialect(), &mut args)?;
        sql.push_str(" AND ");
        sql.push_str(&condition);
    }
    Ok((sql, args))
}

/// The partitions of a table in its version, ordered by values.
pub(super) async fn read(
    tx: &mut Tx,
    found: &FoundTable,
    table: &Table,
    predicate: Option<&PartitionPredicate>,
) -> Result<Vec<Partition>> {
    let (condition, args) = selection(tx, found, table, predicate)?;
    let mut partitions = Vec::new();
    let sql = format!("SELECT {ROW_COLUMNS} FROM partitions WHERE {condition}");
    read_rows(tx, table, sql, args, &mut partitions).await?;
    with_descriptors(tx, found, partitions).await
}

/// Those of the partitions that have one of these lists of values, ordered by values.
pub(super) async fn read_by_values(
    tx: &mut Tx,
    found: &FoundTable,
    table: &Table,
    values: &[Vec<String>],
) -> Result<Vec<Partition>> {
    let keys = values
        .iter()
        .map(|values| key_of(values))
        .collect::<Result<BTreeSet<String>>>()?;
    let keys: Vec<String> = keys.into_iter().collect();
    let mut partitions = Vec::new();
    for chunk in keys.chunks(VALUES_PER_LIST) {
        let (condition, mut args) = selection(tx, found, table, None)?;
        args.push(Arg::from(chunk.to_vec()));
        let sql = tx.dialect().select_by_list(
            ROW_COLUMNS,
            "partitions",
            &condition,
            "partition_values",
            &format!("${}", args.len()),
        );
        read_rows(tx, table, sql, args, &mut partitions).await?;
    }
    with_descriptors(tx, found, partitions).await
}

/// Appends the partitions that the query selects, each with the number of its descriptor.
async fn read_rows(
    tx: &mut Tx,
    table: &Table,
    sql: String,
    args: Vec<Arg>,
    partitions: &mut Vec<(Option<i64>, Partition)>,
) -> Result<()> {
    tx.for_each_row("read the partitions", sql, args, |row| {
        let row = row_of(&row)?;
        let own: Own = serde_json::from_str(&row.definition)?;
        let partition = Partition {
            values: row.values,
            database_name: table.database_name.clone(),
            table_name: table.name.clone(),
            creation_time: row.created,
            last_access_time: row.accessed,
            storage_descriptor: row.descriptor.map(|_| StorageDescriptor {
                location: own.location,
                parameters: own.descriptor_parameters,
                ..StorageDescriptor::default()
            }),
            parameters: own.parameters,
        };
        partitions.push((row.descriptor, partition));
        Ok(())
    })
    .await
}

/// Completes partitions with the descriptors that they share, and orders them by values.
async fn with_descriptors(
    tx: &mut Tx,
    found: &FoundTable,
    mut partitions: Vec<(Option<i64>, Partition)>,
) -> Result<Vec<Partition>> {
    let wanted: BTreeSet<i64> = partitions
        .iter()
        .filter_map(|(descriptor, _)| *descriptor)
        .collect();
    let wanted: Vec<i64> = wanted.into_iter().collect();
    let mut shared: HashMap<i64, StorageDescriptor> = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(DESCRIPTORS_PER_LIST) {
        let ids: Vec<String> = chunk.iter().map(i64::to_string).collect();
        let sql = format!(
            "SELECT descriptor_id, definition FROM descriptors WHERE table_id = $1 AND descriptor_id IN ({})",
            ids.join(", ")
        );
        let read = tx
            .rows(
                "read the storage descriptors",
                sql,
                args![found.id],
                |row| Ok((row.int(0)?, serde_json::from_str(&row.text(1)?)?)),
            )
            .await?;
        shared.extend(read);
    }
    for (descriptor, partition) in &mut partitions {
        let shared = descriptor.and_then(|id| shared.get(&id));
        if let (Some(shared), Some(own)) = (shared, &mut partition.storage_descriptor) {
            *own = StorageDescriptor {
                location: own.location.take(),
                parameters: std::mem::take(&mut own.parameters),
                ..shared.clone()
            };
        }
    }
    let mut partitions: Vec<Partition> = partitions
        .into_iter()
        .map(|(_, partition)| partition)
        .collect();
    partitions.sort_unstable_by(|a, b| a.values.cmp(&b.values));
    Ok(partitions)
}

/// How many partitions [`read`] would return.
pub(super) async fn count(
    tx: &mut Tx,
    found: &FoundTable,
    table: &Table,
    predicate: Option<&PartitionPredicate>,
) -> Result<u64> {
    let (condition, args) = selection(tx, found, table, predicate)?;
    let sql = format!("SELECT COUNT(*) FROM partitions WHERE {condition}");
    let count = tx
        .row("count the partitions", sql, args, |row| Ok(row.int(0)?))
        .await?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

/// In which partitions two versions differ: only rows that one has and the other has not are looked at.
pub(super) async fn diff(
    tx: &mut Tx,
    found: &FoundTable,
    from: VersionId,
    to: VersionId,
) -> Result<PartitionDiff> {
    let mut earlier: BTreeMap<Vec<String>, PartitionRow> = BTreeMap::new();
    let mut later = earlier.clone();
    tx.for_each_row(
        "compare the partitions",
        format!(
            "SELECT {ROW_COLUMNS}, version_from, version_to FROM partitions
             WHERE table_id = $1
               AND (version_from <= $2 AND (version_to IS NULL OR version_to > $2))
                <> (version_from <= $3 AND (version_to IS NULL OR version_to > $3))"
        ),
        args![found.id, from.0, to.0],
        |row| {
            let visible_from =
                row.int(5)? <= from.0 && row.optional_int(6)?.is_none_or(|end| end > from.0);
            let side = if visible_from {
                &mut earlier
            } else {
                &mut later
            };
            let row = row_of(&row)?;
            side.insert(row.values.clone(), row);
            Ok(())
        },
    )
    .await?;
    let mut diff = PartitionDiff::default();
    for (values, row) in later {
        match earlier.remove(&values) {
            Some(old) if old.same_definition(&row) => {}
            Some(_) => diff.changed.push(values),
            None => diff.added.push(values),
        }
    }
    diff.removed = earlier.into_keys().collect();
    Ok(diff)
}
