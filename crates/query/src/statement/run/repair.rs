//! `MSCK REPAIR TABLE`: partitions as the folders of a table's location have them.
//!
//! Athena's misses keys that are not in lower case and folders whose names are escaped ("MSCK REPAIR TABLE", Athena user
//! guide); here both are found.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use datafusion::dataframe::DataFrame;
use futures::{StreamExt, TryStreamExt};
use mastic_catalog::{HIVE_DEFAULT_PARTITION, Partition, PartitionChanges, Table, parameters};
use mastic_lake::LakeError;
use mastic_lake::list::{folders, hive_folder};
use mastic_lake::store::Location;

use super::super::words::TableName;
use super::{Context, counted, full_name, partitions};
use crate::error::{QueryError, Result};
use crate::table::key_value;

/// How many folders are listed at once.
const LISTINGS: usize = 16;
/// How many partitions a table may have, at most: a limit of Athena's Glue catalog is ten million, and a listing is held in
/// memory.
const MOST: usize = 10_000_000;
/// How many partitions, and how many folders that are none, the answer names.
const SHOWN: usize = 1_000;

/// The folders of a table's location.
#[derive(Default)]
struct Found {
    /// Each with its locations: `k=1` and `K=1` are one partition.
    partitions: BTreeMap<Vec<String>, Vec<String>>,
    /// Folders that are no partition, and why.
    others: Vec<(String, String)>,
}

pub(super) async fn repair(
    context: &Context<'_>,
    name: &TableName,
    add: bool,
    drop: bool,
) -> Result<DataFrame> {
    let table = context.find_table(name).await?;
    let full = full_name(&table);
    if table.partition_keys.is_empty() {
        return Err(context.wrong(
            name.start,
            format!("{full} has no partitions to repair"),
            Some("it has no PARTITIONED BY: all files below its location are read".to_owned()),
        ));
    }
    let root = context
        .session
        .stores()
        .locate(table.location().unwrap_or_default())?;
    let found = find(&table, &root).await?;
    let known = context.partitions(&table, &Vec::new()).await?;
    let keys = table.arrow_partition_keys()?;
    // `01` and `1` of a number are one value.
    let typed = |values: &[String]| -> Vec<String> {
        let both = values.iter().zip(&keys);
        both.map(|(value, key)| {
            key_value(value, key).map_or_else(|| value.clone(), |v| format!("{v:?}"))
        })
        .collect()
    };
    let there: HashSet<Vec<String>> = known.iter().map(|p| typed(&p.values)).collect();
    let mut changes = PartitionChanges::none();
    let mut rows: Vec<(&str, String, Option<String>)> = Vec::new();
    if add {
        for (values, places) in &found.partitions {
            if !there.contains(&typed(values)) {
                let mut partition =
                    Partition::new(values.clone(), places.first().cloned().unwrap_or_default());
                let more: Vec<&String> = places.iter().skip(1).collect();
                if !more.is_empty() {
                    let more = serde_json::Value::from_iter(more.into_iter().cloned());
                    partition
                        .parameters
                        .insert(parameters::MORE_LOCATIONS.to_owned(), more.to_string());
                }
                rows.push((
                    "added",
                    partitions::shown(&table, values),
                    partition.location().map(str::to_owned),
                ));
                changes.put.push(partition);
            }
        }
    }
    if drop {
        let folders: BTreeSet<&str> = found
            .partitions
            .values()
            .flatten()
            .map(String::as_str)
            .collect();
        for partition in &known {
            let place = partition.location().unwrap_or_default();
            let place = context.session.stores().locate(place)?;
            // Only what lies in the table's folder can be missing there.
            let below = place.store_url == root.store_url && place.path.prefix_matches(&root.path);
            if below && !folders.contains(place.url.as_str()) && !exists(&place).await? {
                let shown = partitions::shown(&table, &partition.values);
                rows.push(("dropped", shown, Some(place.url)));
                changes.delete.push(partition.values.clone());
            }
        }
    }
    let (added, dropped) = (changes.put.len(), changes.delete.len());
    if added + dropped > 0 {
        partitions::put(context, &table, changes).await?;
    }
    let changed = added + dropped;
    if changed > SHOWN {
        rows.truncate(SHOWN);
        rows.push(("…", format!("and {} more", changed - SHOWN), None));
    }
    for (place, why) in found.others.iter().take(SHOWN) {
        rows.push(("no partition", why.clone(), Some(place.clone())));
    }
    if rows.is_empty() {
        let count = counted(known.len(), "partition");
        rows.push(("unchanged", format!("{full} has {count}"), None));
    }
    let mut columns: [Vec<Option<String>>; 3] = Default::default();
    for (what, partition, location) in rows {
        let [first, second, third] = &mut columns;
        first.push(Some(what.to_owned()));
        second.push(Some(partition));
        third.push(location);
    }
    let [what, partition, location] = columns;
    context.texts(&[
        ("status", what),
        ("partition", partition),
        ("location", location),
    ])
}

/// Walks through the folders, a level for each key.
async fn find(table: &Table, root: &Location) -> Result<Found> {
    let mut found = Found::default();
    let keys = table.arrow_partition_keys()?;
    let mut level = vec![(root.clone(), Vec::<String>::new())];
    for key in &keys {
        let mut next = Vec::new();
        let mut listings = futures::stream::iter(level.into_iter().map(async |(place, values)| {
            match folders(&place).await {
                Ok(below) => Ok((below, values)),
                Err(LakeError::NotFound { .. }) => Ok((Vec::new(), values)),
                Err(error) => Err(QueryError::from(error)),
            }
        }))
        .buffered(LISTINGS);
        while let Some((below, values)) = listings.try_next().await? {
            for folder in below {
                let name = folder.path.filename().unwrap_or_default();
                let why = match hive_folder(name) {
                    Some((folder_key, _)) if !folder_key.eq_ignore_ascii_case(key.name()) => {
                        format!("'{name}' is a folder of another key than {}", key.name())
                    }
                    Some((_, value)) => {
                        let value = if value.is_empty() {
                            HIVE_DEFAULT_PARTITION.to_owned()
                        } else {
                            value
                        };
                        if key_value(&value, key).is_some() {
                            let mut values = values.clone();
                            values.push(value);
                            next.push((folder, values));
                            continue;
                        }
                        let wanted = mastic_schema::hive::format_type(key.data_type());
                        format!("'{name}' has no {wanted}, which the key {} is", key.name())
                    }
                    None => format!("'{name}' is no folder of the key {}", key.name()),
                };
                found.others.push((folder.url.clone(), why));
            }
            if next.len() > MOST {
                return Err(QueryError::Unsupported(format!(
                    "there are more than {MOST} partitions in {}",
                    root.url
                )));
            }
        }
        level = next;
    }
    for (place, values) in level {
        found.partitions.entry(values).or_default().push(place.url);
    }
    Ok(found)
}

/// Whether anything is at a place.
async fn exists(place: &Location) -> Result<bool> {
    match mastic_lake::list::list(place).await {
        Ok(listing) => Ok(!listing.files.is_empty() || !listing.empty.is_empty()),
        Err(LakeError::NotFound { .. } | LakeError::Empty { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
