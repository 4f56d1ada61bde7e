//! `CREATE EXTERNAL TABLE`.

use std::collections::BTreeMap;

use datafusion::dataframe::DataFrame;
use mastic_catalog::{
    Change, Column, Expected, Order, Parameters, PartitionChanges, Table, parameters,
};

use super::super::command::CreateTable;
use super::{Context, columns, database, is_view, serde};
use crate::error::{QueryError, Result};

/// Of a table: the parameters of its columns, as a JSON object by column. Hive's statements have no place for them;
/// a table made with it gets them back, and not this.
pub(super) const COLUMN_PARAMETERS: &str = "mastic.column_parameters";

pub(super) async fn create(context: &Context<'_>, made: CreateTable) -> Result<DataFrame> {
    let database = context.database_of(&made.name).to_owned();
    let full = format!("{database}.{}", made.name.table);
    let mut changes = Vec::new();
    if database == crate::session::DEFAULT_DATABASE
        && !context.snapshot.database_names().contains(&database)
    {
        // Athena's is always there.
        changes.push(Change::CreateDatabase {
            database: mastic_catalog::Database::new(database.as_str()),
            if_not_exists: true,
        });
    } else {
        context.check_database(&database, made.name.start)?;
    }
    if let Some(there) = context.snapshot.table(&database, &made.name.table).await? {
        let what = if is_view(&there) { "view" } else { "table" };
        if made.if_not_exists {
            return context.status(format!("the {what} {full} is there already"));
        }
        return Err(context.wrong(
            made.name.start,
            format!("there is a {what} '{full}' already"),
            Some("write CREATE EXTERNAL TABLE IF NOT EXISTS, or drop it first".to_owned()),
        ));
    }
    let Some(place) = &made.location else {
        return Err(context.wrong(
            made.name.start,
            format!("the table '{full}' has no LOCATION"),
            Some(
                "write LOCATION 's3://bucket/folder/' or LOCATION '/folder' behind its format"
                    .to_owned(),
            ),
        ));
    };
    let location = database::locate(context, place)?;
    let table = definition(context, &made, &database, location)?;
    let partitioned = !table.partition_keys.is_empty();
    let table_place = table.location().unwrap_or_default().to_owned();
    changes.push(Change::PutTable {
        table,
        expected: Expected::Absent,
        partitions: PartitionChanges::none(),
    });
    context.apply(changes).await?;
    context.status(if partitioned {
        format!(
            "created the table {full} over {table_place}; `MSCK REPAIR TABLE {full}` finds its partitions, `ALTER TABLE {full} ADD PARTITION` adds one"
        )
    } else {
        format!("created the table {full} over {table_place}")
    })
}

fn definition(
    context: &Context<'_>,
    made: &CreateTable,
    database: &str,
    location: String,
) -> Result<Table> {
    let (mut descriptor, format) = serde::descriptor(context, made)?;
    let keys = columns::columns(context, &made.partitioned, &[])?;
    descriptor.columns = columns::columns(context, &made.columns, &keys)?;
    if descriptor.columns.is_empty() {
        return Err(context.wrong(
            made.name.start,
            "the table has no columns".to_owned(),
            Some("name them with their types: (id bigint, name string); `mastic crawl` finds them in the files".to_owned()),
        ));
    }
    let mut table = Table::new(database, made.name.table.as_str());
    table.description.clone_from(&made.comment);
    table.table_type = Some("EXTERNAL_TABLE".to_owned());
    table.partition_keys = keys;
    table.parameters = made.properties.iter().cloned().collect();
    table
        .parameters
        .entry(parameters::CLASSIFICATION.to_owned())
        .or_insert_with(|| format.classification().to_owned());
    let library = descriptor.serde_info.as_ref();
    let library = library.and_then(|s| s.serialization_library.as_deref());
    serde::as_athena(&mut table.parameters, library.unwrap_or_default(), &format);
    if let Some(text) = table.parameters.remove(COLUMN_PARAMETERS) {
        column_parameters(&text, &mut descriptor.columns)?;
    }
    descriptor.compressed = Some(is_compressed(&table.parameters));
    descriptor.location = Some(location);
    if let Some(buckets) = &made.buckets {
        let known = |name: &super::super::words::Name| {
            descriptor
                .columns
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(&name.value))
                .map(|c| c.name.clone())
                .ok_or_else(|| {
                    let names: Vec<&str> =
                        descriptor.columns.iter().map(|c| c.name.as_str()).collect();
                    context.wrong(
                        name.start,
                        format!("the table has no column '{}'", name.value),
                        crate::error::meant(&name.value, &names),
                    )
                })
        };
        let by = buckets.columns.iter().map(known).collect::<Result<_>>()?;
        let sorted = buckets.sorted.iter().map(|(name, ascending)| {
            Ok(Order {
                column: known(name)?,
                sort_order: i32::from(*ascending),
            })
        });
        descriptor.sort_columns = sorted.collect::<Result<_>>()?;
        descriptor.bucket_columns = by;
        descriptor.number_of_buckets = Some(buckets.count);
    }
    table.storage_descriptor = Some(descriptor);
    Ok(table)
}

/// Whether the parameters say that files are compressed as a whole, as a crawl writes it down.
fn is_compressed(parameters: &Parameters) -> bool {
    parameters
        .get(parameters::COMPRESSION_TYPE)
        .is_some_and(|types| types.split(',').any(|one| !one.is_empty() && one != "none"))
}

fn column_parameters(text: &str, columns: &mut [Column]) -> Result<()> {
    let all: BTreeMap<String, Parameters> =
        serde_json::from_str(text).map_err(|e| QueryError::Statement {
            message: format!("the property {COLUMN_PARAMETERS} is no JSON object of objects: {e}"),
            place: None,
            hint: None,
        })?;
    for column in columns {
        if let Some(own) = all.get(&column.name) {
            column.parameters.clone_from(own);
        }
    }
    Ok(())
}
