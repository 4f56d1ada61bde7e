//! Databases made, changed and dropped.

use datafusion::dataframe::DataFrame;
use mastic_catalog::{Change, Database};

use super::super::command::{CreateDatabase, Located};
use super::super::words::{Name, Properties};
use super::{Context, counted};
use crate::error::Result;

/// `CREATE DATABASE`.
pub(super) async fn create(context: &Context<'_>, made: CreateDatabase) -> Result<DataFrame> {
    let name = made.name.value.to_lowercase();
    if context.snapshot.database_names().contains(&name) {
        if made.if_not_exists {
            return context.status(format!("the database {name} is there already"));
        }
        return Err(context.wrong(
            made.name.start,
            format!("there is a database '{name}' already"),
            Some("write CREATE DATABASE IF NOT EXISTS".to_owned()),
        ));
    }
    let location_uri = made
        .location
        .as_ref()
        .map(|place| locate(context, place))
        .transpose()?;
    let database = Database {
        description: made.comment,
        location_uri,
        parameters: made.properties.into_iter().collect(),
        ..Database::new(name.as_str())
    };
    let change = Change::CreateDatabase {
        database,
        if_not_exists: made.if_not_exists,
    };
    context.apply(vec![change]).await?;
    context.status(format!("created the database {name}"))
}

/// `DROP DATABASE`.
pub(super) async fn drop(
    context: &Context<'_>,
    name: &Name,
    if_exists: bool,
    cascade: bool,
) -> Result<DataFrame> {
    let lower = name.value.to_lowercase();
    if let Err(error) = context.check_database(&lower, name.start) {
        if if_exists {
            return context.status(format!("there is no database {lower}"));
        }
        return Err(error);
    }
    let tables = context.snapshot.table_names();
    let prefix = format!("{lower}.");
    let tables = tables.iter().filter(|t| t.starts_with(&prefix)).count();
    if tables > 0 && !cascade {
        return Err(context.wrong(
            name.start,
            format!("the database '{lower}' has {}", counted(tables, "table")),
            Some(
                "drop them first, or write DROP DATABASE … CASCADE; no file is deleted either way"
                    .to_owned(),
            ),
        ));
    }
    let change = Change::DeleteDatabase {
        name: lower.clone(),
        cascade,
    };
    context.apply(vec![change]).await?;
    context.status(match tables {
        0 => format!("dropped the database {lower}"),
        _ => format!(
            "dropped the database {lower} and {}",
            counted(tables, "table")
        ),
    })
}

/// `ALTER DATABASE … SET`.
pub(super) async fn alter(
    context: &Context<'_>,
    name: &Name,
    properties: Properties,
    location: Option<Located>,
) -> Result<DataFrame> {
    context.check_database(&name.value, name.start)?;
    let mut database = context.session.catalog().get_database(&name.value).await?;
    database.parameters.extend(properties);
    if let Some(place) = location {
        database.location_uri = Some(locate(context, &place)?);
    }
    let lower = database.name.clone();
    context
        .apply(vec![Change::UpdateDatabase { database }])
        .await?;
    context.status(format!("changed the database {lower}"))
}

/// A location as catalogs keep it.
pub(super) fn locate(context: &Context<'_>, place: &Located) -> Result<String> {
    let found = context.session.stores().locate(&place.url);
    let found = found.map_err(|e| context.wrong(place.start, e.to_string(), e.hint()))?;
    Ok(found.url)
}
