//! Partitions added, dropped, renamed and moved by hand.

use std::collections::HashSet;

use datafusion::dataframe::DataFrame;
use mastic_catalog::{
    Change, CompareOp, HIVE_DEFAULT_PARTITION, Partition, PartitionChanges, PartitionPredicate,
    StorageDescriptor, Table, Value, parameters,
};
use mastic_lake::sink::folder;

use super::super::command::{Located, Spec};
use super::{Context, counted, database, expected, full_name};
use crate::error::{QueryError, Result};
use crate::table::key_value;

/// How many comparisons are asked of the store at once.
const ASKED: usize = 1_000;

/// What is said of files that a partition or a table no longer has.
const OF_FILES: [&str; 9] = [
    parameters::RECORD_COUNT,
    parameters::AVERAGE_RECORD_SIZE,
    parameters::SIZE_KEY,
    parameters::OBJECT_COUNT,
    parameters::FINGERPRINT,
    parameters::MORE_LOCATIONS,
    parameters::INCLUDE,
    parameters::INCLUDE_BY_LOCATION,
    parameters::DEPRECATED,
];

/// The values of a partition that names all keys, in their order.
pub(super) fn values(context: &Context<'_>, table: &Table, spec: &Spec) -> Result<Vec<String>> {
    let keys = table.arrow_partition_keys()?;
    let mut values: Vec<Option<String>> = vec![None; keys.len()];
    let start = spec.first().map_or(0, |part| part.key.start);
    for part in spec {
        let at = context.key(table, &part.key)?;
        if part.op != CompareOp::Eq {
            let message = "a partition is named by key = value".to_owned();
            return Err(context.wrong(part.key.start, message, None));
        }
        let (Some(slot), Some(field)) = (values.get_mut(at), keys.get(at)) else {
            continue;
        };
        if slot.is_some() {
            let message = format!("the key '{}' is there twice", part.key.value);
            return Err(context.wrong(part.key.start, message, None));
        }
        if key_value(&part.value, field).is_none() {
            let wanted = mastic_schema::hive::format_type(field.data_type());
            let message = format!(
                "'{}' is no {wanted}, which the key '{}' is",
                part.value,
                field.name()
            );
            return Err(context.wrong(part.key.start, message, None));
        }
        *slot = Some(part.value.clone());
    }
    let missing = values.iter().zip(&keys).find(|(value, _)| value.is_none());
    if let Some((_, key)) = missing {
        let message = format!("the partition has no value of the key '{}'", key.name());
        return Err(context.wrong(
            start,
            message,
            Some("name all keys of the table".to_owned()),
        ));
    }
    Ok(values.into_iter().flatten().collect())
}

/// `key=value/key=value`, as messages show it.
pub(super) fn shown(table: &Table, values: &[String]) -> String {
    let keys = table.partition_keys.iter().zip(values);
    let parts: Vec<String> = keys
        .map(|(key, value)| format!("{}={value}", key.name))
        .collect();
    parts.join("/")
}

/// Where a partition without a location of its own is.
pub(super) fn usual_place(table: &Table, values: &[String]) -> String {
    let keys = table.partition_keys.iter().zip(values);
    let folder = folder(keys.map(|(key, value)| {
        let null = value == HIVE_DEFAULT_PARTITION;
        (key.name.as_str(), (!null).then_some(value.as_str()))
    }));
    let root = table.location().unwrap_or_default().trim_end_matches('/');
    format!("{root}/{folder}")
}

/// The one partition that all keys name.
pub(super) async fn one(context: &Context<'_>, table: &Table, spec: &Spec) -> Result<Partition> {
    let wanted = values(context, table, spec)?;
    let mut found = context.partitions(table, spec).await?;
    // `1` and `01` of a number are the same: the one that is written like it first.
    let exact = found.iter().position(|p| p.values == wanted);
    match exact {
        Some(at) => Ok(found.swap_remove(at)),
        None => found
            .into_iter()
            .next()
            .ok_or_else(|| no_partition(context, table, spec)),
    }
}

fn no_partition(context: &Context<'_>, table: &Table, spec: &Spec) -> QueryError {
    let parts: Vec<String> = spec
        .iter()
        .map(|part| format!("{} {} {}", part.key.value, part.op.as_sql(), part.value))
        .collect();
    let full = full_name(table);
    context.wrong(
        spec.first().map_or(0, |part| part.key.start),
        format!("{full} has no partition ({})", parts.join(", ")),
        Some(format!("`SHOW PARTITIONS {full}` lists them")),
    )
}

/// Those of these partitions that a table has, by their values as the table has them.
async fn known(
    context: &Context<'_>,
    table: &Table,
    wanted: &[Vec<String>],
) -> Result<Vec<Partition>> {
    let keys = &table.partition_keys;
    let mut found = Vec::new();
    for some in wanted.chunks(ASKED.checked_div(keys.len()).unwrap_or(ASKED).max(1)) {
        let any = some.iter().map(|values| {
            let all = keys.iter().zip(values).map(|(key, value)| {
                if value == HIVE_DEFAULT_PARTITION {
                    PartitionPredicate::IsNull(key.name.clone())
                } else {
                    PartitionPredicate::eq(key.name.clone(), Value::Str(value.clone()))
                }
            });
            PartitionPredicate::And(all.collect())
        });
        let any = PartitionPredicate::Or(any.collect());
        let (database, name) = (&table.database_name, &table.name);
        let catalog = context.session.catalog();
        found.extend(
            catalog
                .get_partitions(database, name, table.version_id, Some(&any))
                .await?,
        );
    }
    Ok(found)
}

/// `ADD PARTITION`.
pub(super) async fn add(
    context: &Context<'_>,
    table: &Table,
    if_not_exists: bool,
    wanted: Vec<(Spec, Option<Located>)>,
) -> Result<DataFrame> {
    let mut made = Vec::with_capacity(wanted.len());
    let mut seen = HashSet::new();
    for (spec, place) in &wanted {
        let values = values(context, table, spec)?;
        if !seen.insert(values.clone()) && !if_not_exists {
            let start = spec.first().map_or(0, |part| part.key.start);
            let message = format!("the partition {} is there twice", shown(table, &values));
            return Err(context.wrong(start, message, None));
        }
        let location = match place {
            Some(place) => database::locate(context, place)?,
            None => usual_place(table, &values),
        };
        made.push(Partition::new(values, location));
    }
    let values: Vec<Vec<String>> = made.iter().map(|p| p.values.clone()).collect();
    let there = known(context, table, &values).await?;
    let keys = table.arrow_partition_keys()?;
    // `01` and `1` of a number are one partition.
    let typed = |values: &[String]| -> Vec<_> {
        let both = values.iter().zip(&keys);
        both.map(|(value, key)| key_value(value, key)).collect()
    };
    let there: Vec<_> = there.iter().map(|p| typed(&p.values)).collect();
    let before = made.len();
    if let Some(at) = made.iter().position(|p| there.contains(&typed(&p.values)))
        && !if_not_exists
        && let (Some(partition), Some((spec, _))) = (made.get(at), wanted.get(at))
    {
        return Err(context.wrong(
            spec.first().map_or(0, |part| part.key.start),
            format!(
                "{} has the partition {} already",
                full_name(table),
                shown(table, &partition.values)
            ),
            Some("write ADD IF NOT EXISTS PARTITION, or SET LOCATION to move it".to_owned()),
        ));
    }
    made.retain(|p| !there.contains(&typed(&p.values)));
    let added = made.len();
    put(context, table, PartitionChanges::put(made)).await?;
    let full = full_name(table);
    let skipped = match before - added {
        0 => String::new(),
        skipped => format!(
            "; {} there already",
            if skipped == 1 {
                "1 was".to_owned()
            } else {
                format!("{skipped} were")
            }
        ),
    };
    context.status(format!(
        "added {} to {full}{skipped}",
        counted(added, "partition")
    ))
}

/// `DROP PARTITION`.
pub(super) async fn drop(
    context: &Context<'_>,
    table: &Table,
    if_exists: bool,
    specs: &[Spec],
) -> Result<DataFrame> {
    let mut gone: Vec<Vec<String>> = Vec::new();
    for spec in specs {
        let found = context.partitions(table, spec).await?;
        if found.is_empty() && !if_exists {
            return Err(no_partition(context, table, spec));
        }
        gone.extend(found.into_iter().map(|p| p.values));
    }
    gone.sort();
    gone.dedup();
    let count = gone.len();
    put(context, table, PartitionChanges::delete(gone)).await?;
    context.status(format!(
        "dropped {} of {}; no file was deleted",
        counted(count, "partition"),
        full_name(table)
    ))
}

/// `PARTITION (…) RENAME TO PARTITION (…)`.
pub(super) async fn rename(
    context: &Context<'_>,
    table: &Table,
    from: &Spec,
    to: &Spec,
) -> Result<DataFrame> {
    let old = one(context, table, from).await?;
    let new = values(context, table, to)?;
    if let Some(there) = known(context, table, std::slice::from_ref(&new))
        .await?
        .first()
        && there.values != old.values
    {
        return Err(context.wrong(
            to.first().map_or(0, |part| part.key.start),
            format!(
                "{} has the partition {} already",
                full_name(table),
                shown(table, &there.values)
            ),
            None,
        ));
    }
    let renamed = Partition {
        values: new.clone(),
        ..old.clone()
    };
    let changes = PartitionChanges {
        put: vec![renamed],
        delete: vec![old.values.clone()],
        replace_all: false,
    };
    let changes = if old.values == new {
        PartitionChanges::none()
    } else {
        changes
    };
    put(context, table, changes).await?;
    context.status(format!(
        "renamed the partition {} of {} to {}; its files are still in {}",
        shown(table, &old.values),
        full_name(table),
        shown(table, &new),
        old.location().unwrap_or_default()
    ))
}

/// `SET LOCATION`, of a table or of a partition.
pub(super) async fn set_location(
    context: &Context<'_>,
    table: &Table,
    spec: Option<&Spec>,
    place: &Located,
) -> Result<DataFrame> {
    let location = database::locate(context, place)?;
    let full = full_name(table);
    let Some(spec) = spec else {
        let mut moved = table.clone();
        moved
            .parameters
            .retain(|key, _| !OF_FILES.contains(&key.as_str()));
        moved
            .storage_descriptor
            .get_or_insert_with(StorageDescriptor::default)
            .location = Some(location.clone());
        super::alter::replace(context, table, moved).await?;
        return context.status(format!("{full} is in {location} now"));
    };
    let mut partition = one(context, table, spec).await?;
    let values = shown(table, &partition.values);
    partition
        .parameters
        .retain(|key, _| !OF_FILES.contains(&key.as_str()));
    partition
        .storage_descriptor
        .get_or_insert_with(StorageDescriptor::default)
        .location = Some(location.clone());
    put(context, table, PartitionChanges::put(vec![partition])).await?;
    context.status(format!(
        "the partition {values} of {full} is in {location} now"
    ))
}

/// Changes the partitions of a table.
pub(super) async fn put(
    context: &Context<'_>,
    table: &Table,
    partitions: PartitionChanges,
) -> Result<()> {
    let change = Change::PutTable {
        table: table.clone(),
        expected: expected(table),
        partitions,
    };
    context.apply(vec![change]).await
}
