//! `ALTER TABLE`.

use datafusion::dataframe::DataFrame;
use mastic_catalog::{
    Change, Column, Expected, PartitionChanges, SerDeInfo, StorageDescriptor, Table,
};

use super::super::command::{Alter, ColumnDef, Position};
use super::super::words::{Name, Properties, TableName};
use super::{Context, columns, counted, expected, full_name, partitions, serde};
use crate::error::Result;

pub(super) async fn alter(
    context: &Context<'_>,
    name: &TableName,
    if_exists: bool,
    action: Alter,
) -> Result<DataFrame> {
    let table = match context.find_table(name).await {
        Err(_) if if_exists && context.find(name).await.is_err() => {
            let database = context.database_of(name);
            return context.status(format!("there is no table {database}.{}", name.table));
        }
        found => found?,
    };
    let full = full_name(&table);
    let mut changed = Table::clone(&table);
    let done = match action {
        Alter::AddPartitions {
            if_not_exists,
            partitions: wanted,
        } => return partitions::add(context, &table, if_not_exists, wanted).await,
        Alter::DropPartitions {
            if_exists,
            partitions: specs,
        } => return partitions::drop(context, &table, if_exists, &specs).await,
        Alter::RenamePartition { from, to } => {
            return partitions::rename(context, &table, &from, &to).await;
        }
        Alter::SetLocation {
            partition,
            location,
        } => return partitions::set_location(context, &table, partition.as_ref(), &location).await,
        Alter::RenameTo(to) => return rename(context, &table, &to).await,
        Alter::SetProperties(properties) => {
            let count = properties.len();
            for (key, value) in properties {
                if key.eq_ignore_ascii_case("comment") {
                    // Hive keeps a table's comment as a property.
                    changed.description = Some(value).filter(|text| !text.is_empty());
                } else {
                    changed.parameters.insert(key, value);
                }
            }
            format!("set {} of {full}", properties_of(count))
        }
        Alter::UnsetProperties { if_exists, names } => {
            for key in &names {
                if changed.parameters.remove(key).is_none() && !if_exists {
                    let known: Vec<&str> = changed.parameters.keys().map(String::as_str).collect();
                    let hint = crate::error::meant(key, &known);
                    let message = format!("{full} has no property '{key}'");
                    return Err(context.wrong(name.start, message, hint));
                }
            }
            format!("removed {} of {full}", properties_of(names.len()))
        }
        Alter::SetSerde { class, properties } => {
            set_serde(&mut changed, class, properties);
            format!("changed how rows of {full} are read")
        }
        Alter::AddColumns(defined) => {
            let taken: Vec<Column> = table
                .columns()
                .iter()
                .chain(&table.partition_keys)
                .cloned()
                .collect();
            let new = columns::columns(context, &defined, &taken)?;
            storage(&mut changed).columns.extend(new);
            format!("added {} to {full}", counted(defined.len(), "column"))
        }
        Alter::ReplaceColumns(defined) => {
            let new = columns::columns(context, &defined, &table.partition_keys)?;
            storage(&mut changed).columns = new;
            format!("{full} has {} now", counted(defined.len(), "column"))
        }
        Alter::ChangeColumn { old, new, position } => {
            change(context, &table, &mut changed, &old, new, position)?;
            format!("changed the column {} of {full}", old.value)
        }
        Alter::DropColumn(old) => {
            let at = columns::position(context, &table, &old)?;
            let left = storage(&mut changed);
            left.columns.remove(at);
            if left.columns.is_empty() {
                let message = format!("'{}' is the only column of {full}", old.value);
                return Err(context.wrong(old.start, message, None));
            }
            format!("dropped the column {} of {full}; files keep it", old.value)
        }
    };
    check(context, name, &changed)?;
    replace(context, &table, changed).await?;
    context.status(done)
}

fn properties_of(count: usize) -> String {
    if count == 1 {
        "1 property".to_owned()
    } else {
        format!("{count} properties")
    }
}

fn storage(table: &mut Table) -> &mut StorageDescriptor {
    table
        .storage_descriptor
        .get_or_insert_with(StorageDescriptor::default)
}

/// Gives a table another definition; its partitions stay.
pub(super) async fn replace(context: &Context<'_>, old: &Table, new: Table) -> Result<()> {
    let change = Change::PutTable {
        table: new,
        expected: expected(old),
        partitions: PartitionChanges::none(),
    };
    context.apply(vec![change]).await
}

/// That a table can be read as it is now.
fn check(context: &Context<'_>, name: &TableName, table: &Table) -> Result<()> {
    let serde = table
        .storage_descriptor
        .as_ref()
        .and_then(|storage| storage.serde_info.clone())
        .unwrap_or_default();
    let library = serde.serialization_library.unwrap_or_default();
    serde::read_as(&table.parameters, &library, &serde.parameters)
        .map(drop)
        .map_err(|e| context.wrong(name.start, e.to_string(), e.hint()))
}

fn set_serde(table: &mut Table, class: Option<(String, usize)>, properties: Properties) {
    let classified = table
        .parameters
        .get(mastic_catalog::parameters::CLASSIFICATION)
        .cloned();
    let serde = storage(table)
        .serde_info
        .get_or_insert_with(SerDeInfo::default);
    serde.parameters.extend(properties);
    if let Some((class, _)) = class {
        let parameters = serde.parameters.clone();
        serde.serialization_library = Some(class.clone());
        // The old format's name would say otherwise.
        let mut rest = table.parameters.clone();
        rest.remove(mastic_catalog::parameters::CLASSIFICATION);
        if classified.is_some()
            && let Ok(format) = serde::read_as(&rest, &class, &parameters)
        {
            table.parameters.insert(
                mastic_catalog::parameters::CLASSIFICATION.to_owned(),
                format.classification().to_owned(),
            );
        }
    }
}

fn change(
    context: &Context<'_>,
    table: &Table,
    changed: &mut Table,
    old: &Name,
    new: ColumnDef,
    position: Option<Position>,
) -> Result<()> {
    let at = columns::position(context, table, old)?;
    let mut others: Vec<Column> = table.columns().to_vec();
    let before = others.remove(at);
    let taken: Vec<Column> = others
        .iter()
        .chain(&table.partition_keys)
        .cloned()
        .collect();
    let hive_type = new.hive_type.clone();
    let Some(mut column) = columns::columns(context, &[new], &taken)?.pop() else {
        return Ok(());
    };
    if hive_type == before.hive_type() {
        // What is known of its values still holds.
        column.parameters.clone_from(&before.parameters);
    }
    column.comment = column.comment.or(before.comment);
    let to = match position {
        None => at,
        Some(Position::First) => 0,
        Some(Position::After(name)) => {
            let place = others
                .iter()
                .position(|c| c.name.eq_ignore_ascii_case(&name.value));
            let Some(place) = place else {
                let names: Vec<&str> = others.iter().map(|c| c.name.as_str()).collect();
                let message = format!("{} has no other column '{}'", full_name(table), name.value);
                return Err(context.wrong(
                    name.start,
                    message,
                    crate::error::meant(&name.value, &names),
                ));
            };
            place + 1
        }
    };
    others.insert(to.min(others.len()), column);
    storage(changed).columns = others;
    Ok(())
}

/// `RENAME TO`.
async fn rename(context: &Context<'_>, table: &Table, to: &TableName) -> Result<DataFrame> {
    let database = to
        .database
        .clone()
        .unwrap_or_else(|| table.database_name.clone());
    context.check_database(&database, to.start)?;
    let full = format!("{database}.{}", to.table);
    let there = context.snapshot.table(&database, &to.table).await?;
    if there.is_some() {
        return Err(context.wrong(to.start, format!("there is a table '{full}' already"), None));
    }
    let partitions = context.partitions(table, &Vec::new()).await?;
    let renamed = Table {
        name: to.table.clone(),
        database_name: database,
        ..table.clone()
    };
    let put = Change::PutTable {
        table: renamed,
        expected: Expected::Absent,
        partitions: PartitionChanges::replace_all(partitions),
    };
    let delete = Change::DeleteTable {
        database: table.database_name.clone(),
        name: table.name.clone(),
        expected: expected(table),
    };
    context.apply(vec![put, delete]).await?;
    context.status(format!("{} is called {full} now", full_name(table)))
}
