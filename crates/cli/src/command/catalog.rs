//! `mastic catalog`.

use std::io::{Read, Write};

use anstyle::Style;
use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Expected, HIVE_DEFAULT_PARTITION, Table,
    TableDiff, TableOutcome, ValueChange, VersionId, diff_versions, export, import,
};

use crate::args::{Catalog, Global, Output};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::counted;
use crate::output::Listing;

pub(crate) async fn run(command: Catalog, global: &Global, setting: &Setting) -> Result<()> {
    let output = global.output;
    if let Catalog::Import { file, database } = &command {
        let text = if file.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| CliError::failed(format!("cannot read standard input: {e}")))?;
            text
        } else {
            std::fs::read_to_string(file)
                .map_err(|e| CliError::failed(format!("cannot read {}: {e}", file.display())))?
        };
        let catalog = setting.catalog().await?;
        let applied = import(catalog.as_ref(), &text, database.as_deref(), "import").await?;
        for table in &applied.tables {
            anstream::eprintln!(
                "{}.{}: {}",
                table.database,
                table.name,
                outcome(&table.outcome)
            );
        }
        let imported: Vec<String> = [
            (applied.databases.len(), "database"),
            (applied.tables.len(), "table"),
            (applied.classifiers.len(), "classifier"),
            (applied.crawlers.len(), "crawler"),
            (applied.bookmarks.len(), "bookmark"),
            (applied.transforms.len(), "transform"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| counted(number as u64, what))
        .collect();
        anstream::eprintln!(
            "imported {}",
            if imported.is_empty() {
                "nothing".to_owned()
            } else {
                imported.join(", ")
            }
        );
        return Ok(());
    }
    let catalog = setting.existing_catalog().await?;
    let store = catalog.as_ref();
    match command {
        Catalog::Databases => databases(store, output).await,
        Catalog::Tables { database } => tables(store, database.as_deref(), output).await,
        Catalog::Show { table, version } => show(store, &table, version, output).await,
        Catalog::Partitions { table, version } => partitions(store, &table, version, output).await,
        Catalog::Versions { table } => versions(store, &table, output).await,
        Catalog::Diff { table, from, to } => diff(store, &table, from, to, output).await,
        Catalog::Restore { table, version } => restore(store, &table, version).await,
        Catalog::Delete { name, cascade } => delete(store, &name, cascade).await,
        Catalog::Export { databases } => {
            let names: Vec<&str> = databases.iter().map(String::as_str).collect();
            let document = export(store, &names).await?;
            json(&document)
        }
        Catalog::Import { .. } => Ok(()),
    }
}

/// Writes a value as JSON for people.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| CliError::failed(e.to_string()))?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// `DATABASE.TABLE`; without a database, the one that is called `default`.
fn split(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or(("default", name))
}

fn outcome(outcome: &TableOutcome) -> String {
    match outcome {
        TableOutcome::Created { version } => format!("new, version {version}"),
        TableOutcome::Updated { to, .. } => format!("changed, version {to}"),
        TableOutcome::Unchanged { version } => format!("unchanged, version {version}"),
        TableOutcome::Deleted { .. } => "deleted".into(),
    }
}

async fn databases(store: &dyn CatalogStore, output: Output) -> Result<()> {
    let mut listing = Listing::new(&["database", "tables", "description"]);
    for database in store.list_databases().await? {
        let tables = store.list_tables(&database.name).await?.len();
        listing.push(vec![
            database.name,
            tables.to_string(),
            database.description.unwrap_or_default(),
        ]);
    }
    listing.write(output)
}

async fn tables(store: &dyn CatalogStore, database: Option<&str>, output: Output) -> Result<()> {
    let names: Vec<String> = match database {
        Some(name) => vec![store.get_database(name).await?.name],
        None => store
            .list_databases()
            .await?
            .into_iter()
            .map(|d| d.name)
            .collect(),
    };
    let mut listing = Listing::new(&[
        "table",
        "version",
        "format",
        "columns",
        "partition keys",
        "location",
        "description",
    ]);
    for database in names {
        for table in store.list_tables(&database).await? {
            listing.push(vec![
                format!("{database}.{}", table.name),
                table.version_id.map(|v| v.to_string()).unwrap_or_default(),
                table.classification().unwrap_or_default().to_owned(),
                table.columns().len().to_string(),
                table
                    .partition_keys
                    .iter()
                    .map(|k| k.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                table.location().unwrap_or_default().to_owned(),
                table.description.clone().unwrap_or_default(),
            ]);
        }
    }
    listing.write(output)
}

async fn show(
    store: &dyn CatalogStore,
    name: &str,
    version: Option<i64>,
    output: Output,
) -> Result<()> {
    let (database, name) = split(name);
    let table = match version {
        Some(version) => {
            store
                .get_table_version(database, name, VersionId(version))
                .await?
        }
        None => store.get_table(database, name).await?,
    };
    if output == Output::Json {
        return json(&serde_json::json!({ "Table": table }));
    }
    let mut listing = Listing::new(&["column", "type", "partition key", "comment"]);
    let keys = table.partition_keys.iter().map(|c| (c, "yes"));
    for (column, key) in table.columns().iter().map(|c| (c, "")).chain(keys) {
        listing.push(vec![
            column.name.clone(),
            column.hive_type().to_owned(),
            key.to_owned(),
            column.comment.clone().unwrap_or_default(),
        ]);
    }
    if output == Output::Table {
        describe(store, &table, version).await?;
    }
    listing.write(output)
}

async fn describe(store: &dyn CatalogStore, table: &Table, version: Option<i64>) -> Result<()> {
    let bold = Style::new().bold();
    let mut out = anstream::stdout().lock();
    let number = table.version_id.map(|v| v.to_string()).unwrap_or_default();
    writeln!(
        out,
        "{bold}{}.{}{bold:#}, version {number}",
        table.database_name, table.name
    )?;
    if let Some(description) = &table.description {
        writeln!(out, "{description}")?;
    }
    writeln!(out, "location    {}", table.location().unwrap_or("none"))?;
    let mut format = table.classification().unwrap_or("unknown").to_owned();
    let settings = table
        .storage_descriptor
        .as_ref()
        .and_then(|d| d.serde_info.as_ref())
        .map(|s| {
            s.parameters
                .iter()
                // What crawls keep for themselves is in the export.
                .filter(|(k, _)| !k.starts_with("mastic."))
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
        })
        .unwrap_or_default();
    if !settings.is_empty() {
        format = format!("{format} ({})", settings.join(", "));
    }
    writeln!(out, "format      {format}")?;
    if !table.partition_keys.is_empty() {
        let count = store
            .count_partitions(
                &table.database_name,
                &table.name,
                version.map(VersionId),
                None,
            )
            .await?;
        writeln!(out, "partitions  {}", crate::format::count(count))?;
    }
    for (name, value) in &table.parameters {
        writeln!(
            out,
            "            {name} = {}",
            crate::format::cut(value, 100)
        )?;
    }
    Ok(())
}

async fn partitions(
    store: &dyn CatalogStore,
    name: &str,
    version: Option<i64>,
    output: Output,
) -> Result<()> {
    let (database, name) = split(name);
    let table = match version {
        Some(version) => {
            store
                .get_table_version(database, name, VersionId(version))
                .await?
        }
        None => store.get_table(database, name).await?,
    };
    let keys: Vec<&str> = table
        .partition_keys
        .iter()
        .map(|k| k.name.as_str())
        .collect();
    let mut listing = Listing::new(&["partition", "location", "rows", "files"]);
    let found = store
        .get_partitions(database, name, version.map(VersionId), None)
        .await?;
    for partition in found {
        let values: Vec<String> = keys
            .iter()
            .zip(&partition.values)
            .map(|(key, value)| match value.as_str() {
                HIVE_DEFAULT_PARTITION => format!("{key} is null"),
                value => format!("{key}={value}"),
            })
            .collect();
        let parameter = |name: &str| partition.parameters.get(name).cloned().unwrap_or_default();
        listing.push(vec![
            values.join("/"),
            partition.location().unwrap_or_default().to_owned(),
            parameter("recordCount"),
            parameter("objectCount"),
        ]);
    }
    listing.write(output)
}

async fn versions(store: &dyn CatalogStore, name: &str, output: Output) -> Result<()> {
    let (database, name) = split(name);
    let mut listing = Listing::new(&[
        "version",
        "made",
        "by",
        "columns",
        "partitions",
        "what changed",
    ]);
    let versions = store.list_table_versions(database, name).await?;
    for (i, version) in versions.iter().enumerate() {
        // Newest first: the one before is the next in the list.
        let changed = match versions.get(i + 1) {
            None => "the first version".to_owned(),
            Some(older) => {
                let diff = mastic_catalog::diff_tables(&older.table, &version.table);
                let mut parts = Vec::new();
                for change in diff.columns.iter().take(4) {
                    parts.push(line("", change));
                }
                if diff.columns.len() > 4 {
                    parts.push(format!("{} more columns", diff.columns.len() - 4));
                }
                if parts.is_empty()
                    && !(diff.properties.is_empty() && diff.partition_keys.is_empty())
                {
                    parts.push("definition".into());
                }
                if parts.is_empty() && !diff.parameters.is_empty() {
                    parts.push("parameters".into());
                }
                if parts.is_empty() {
                    "partitions".into()
                } else {
                    parts.join(", ")
                }
            }
        };
        let moved = format!(
            "+{} -{} ~{}",
            version.partitions_added, version.partitions_removed, version.partitions_changed
        );
        listing.push(vec![
            version.version.to_string(),
            version.created.format("%Y-%m-%d %H:%M:%S").to_string(),
            version.by.clone(),
            version.table.columns().len().to_string(),
            if version.table.partition_keys.is_empty() {
                String::new()
            } else {
                moved
            },
            changed,
        ]);
    }
    listing.write(output)
}

fn line(what: &str, change: &ValueChange) -> String {
    let name = if what.is_empty() {
        change.name.clone()
    } else {
        format!("{what} {}", change.name)
    };
    match (&change.from, &change.to) {
        (None, Some(to)) => format!("+ {name}: {to}"),
        (Some(from), None) => format!("- {name}: {from}"),
        (from, to) => format!(
            "~ {name}: {} → {}",
            from.as_deref().unwrap_or("nothing"),
            to.as_deref().unwrap_or("nothing")
        ),
    }
}

async fn diff(
    store: &dyn CatalogStore,
    name: &str,
    from: Option<i64>,
    to: Option<i64>,
    output: Output,
) -> Result<()> {
    let (database, name) = split(name);
    let versions = store.list_table_versions(database, name).await?;
    let newest = versions.first().map_or(1, |v| v.version.0);
    let to = to.unwrap_or(newest);
    let from = from.unwrap_or(to - 1);
    if from < 1 {
        return Err(CliError::failed(format!(
            "{database}.{name} has one version only, so there is nothing to compare it with"
        )));
    }
    let diff = diff_versions(store, database, name, VersionId(from), VersionId(to)).await?;
    if output == Output::Json {
        return json(&diff);
    }
    let mut listing = Listing::new(&["change", "what", "name", "from", "to"]);
    for (kind, what, change) in changes(&diff) {
        listing.push(vec![
            kind.to_owned(),
            what.to_owned(),
            change.name.clone(),
            change.from.clone().unwrap_or_default(),
            change.to.clone().unwrap_or_default(),
        ]);
    }
    for (kind, values) in [
        ("added", &diff.partitions.added),
        ("removed", &diff.partitions.removed),
        ("changed", &diff.partitions.changed),
    ] {
        for value in values {
            listing.push(vec![
                kind.into(),
                "partition".into(),
                value.join("/"),
                String::new(),
                String::new(),
            ]);
        }
    }
    if diff.is_empty() {
        anstream::eprintln!("versions {from} and {to} of {database}.{name} are the same");
        return Ok(());
    }
    anstream::eprintln!("{database}.{name}, version {from} → {to}");
    listing.write(output)
}

fn changes(diff: &TableDiff) -> impl Iterator<Item = (&'static str, &'static str, &ValueChange)> {
    let kind = |change: &ValueChange| match (&change.from, &change.to) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    [
        ("column", &diff.columns),
        ("partition key", &diff.partition_keys),
        ("property", &diff.properties),
        ("parameter", &diff.parameters),
    ]
    .into_iter()
    .flat_map(move |(what, changes)| changes.iter().map(move |c| (kind(c), what, c)))
    // What crawls keep for themselves.
    .filter(|(_, _, c)| !matches!(c.name.as_str(), "mastic.fingerprint" | "mastic.inferred"))
}

async fn restore(store: &dyn CatalogStore, name: &str, version: i64) -> Result<()> {
    let (database, name) = split(name);
    let current = match store.get_table(database, name).await {
        Ok(table) => table.version_id,
        // A deleted table comes back; its database must be there, which the store says if not.
        Err(CatalogError::TableNotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let change = Change::RestoreTable {
        database: database.to_owned(),
        name: name.to_owned(),
        version: VersionId(version),
        expected: match current {
            Some(version) => Expected::Version(version),
            None => Expected::Absent,
        },
    };
    let applied = store
        .apply(ChangeSet::new(format!("restore {version}")).with(change))
        .await?;
    for table in &applied.tables {
        anstream::eprintln!(
            "{}.{} is as in version {version}: {}",
            table.database,
            table.name,
            outcome(&table.outcome)
        );
    }
    Ok(())
}

async fn delete(store: &dyn CatalogStore, name: &str, cascade: bool) -> Result<()> {
    let change = match name.split_once('.') {
        Some((database, table)) => {
            let found = store.get_table(database, table).await?;
            Change::DeleteTable {
                database: database.to_owned(),
                name: table.to_owned(),
                expected: found.version_id.map_or(Expected::Any, Expected::Version),
            }
        }
        None => Change::DeleteDatabase {
            name: name.to_owned(),
            cascade,
        },
    };
    let applied = store.apply(ChangeSet::new("delete").with(change)).await?;
    for table in &applied.tables {
        anstream::eprintln!(
            "deleted {}.{}; its files are still there",
            table.database,
            table.name
        );
    }
    for database in &applied.databases {
        anstream::eprintln!("deleted database {}", database.name);
    }
    Ok(())
}
