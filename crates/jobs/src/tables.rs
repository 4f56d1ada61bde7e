//! The catalog tables that sinks create and update.

use mastic_catalog::{
    CatalogError, CatalogStore, Change, Database, Expected, PartitionChanges, Table,
};
use mastic_lake::sink::{SinkMode, SinkSpec, Written};
use mastic_query::written;

use crate::error::ScriptError;
use crate::plan::PlannedSink;
use crate::script::Script;
use crate::source::Text;

/// A table that a sink updates, as it was before the run.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) database: String,
    pub(crate) name: String,
    new_database: bool,
    /// What is there, to be compared and swapped with what will be.
    before: Option<Table>,
}

/// Looks a sink's table up, and refuses what would leave it wrong.
pub(crate) async fn find(
    script: &Script,
    sink: &PlannedSink,
    spec: &SinkSpec,
    catalog: &dyn CatalogStore,
) -> Result<Option<Target>, ScriptError> {
    let Some(text) = &sink.def.table else {
        return Ok(None);
    };
    let told = |message: String| ScriptError::new(&script.source, text.span(), message);
    let (database, name) = text
        .as_str()
        .split_once('.')
        .unwrap_or(("default", text.as_str()));
    let (database, name) = (database.to_lowercase(), name.to_lowercase());
    let before = match catalog.get_table(&database, &name).await {
        Ok(table) => Some(table),
        Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => None,
        Err(error) => return Err(told(error.to_string())),
    };
    let new_database = match catalog.get_database(&database).await {
        Ok(_) => false,
        Err(CatalogError::DatabaseNotFound { .. }) => true,
        Err(error) => return Err(told(error.to_string())),
    };
    if let Some(table) = &before {
        check(script, sink, spec, table, text)?;
    }
    Ok(Some(Target {
        database,
        name,
        new_database,
        before,
    }))
}

fn check(
    script: &Script,
    sink: &PlannedSink,
    spec: &SinkSpec,
    table: &Table,
    text: &Text,
) -> Result<(), ScriptError> {
    let told = |message: String| ScriptError::new(&script.source, text.span(), message);
    let place = |url: &str| crate::paths::normal(url);
    let location = table.location().unwrap_or_default();
    if place(location) != place(&spec.root.url) {
        return Err(
            told(format!("table '{text}' is somewhere else: at {location}"))
                .hint("write to that path, or to a table of another name"),
        );
    }
    if spec.mode == SinkMode::Overwrite {
        return Ok(());
    }
    // What is there stays, and must be readable together with what comes.
    let keys: Vec<String> = table
        .partition_keys
        .iter()
        .map(|k| k.name.clone())
        .collect();
    let own: Vec<String> = sink.partition_by.iter().map(|k| k.to_lowercase()).collect();
    if keys != own {
        let keys = if keys.is_empty() {
            "nothing".to_owned()
        } else {
            keys.join(", ")
        };
        return Err(told(format!("table '{text}' is partitioned by {keys}"))
            .hint("give the sink the same keys in the same order, or mode: overwrite"));
    }
    let format = sink.def.format.name();
    if let Some(other) = table.classification().filter(|c| *c != format) {
        return Err(told(format!(
            "table '{text}' holds {other}, and this sink writes {format}"
        ))
        .hint("write the table's format, or use mode: overwrite"));
    }
    Ok(())
}

impl Target {
    /// Whether the table is still in the version that the run was planned for.
    pub(crate) async fn unchanged(&self, catalog: &dyn CatalogStore) -> Result<(), CatalogError> {
        let expected = self.before.as_ref().and_then(|t| t.version_id);
        let found = match catalog.get_table(&self.database, &self.name).await {
            Ok(table) => table.version_id,
            Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        if found == expected {
            return Ok(());
        }
        Err(CatalogError::Conflict {
            table: format!("{}.{}", self.database, self.name),
            expected: expected.unwrap_or_default(),
            found: found.unwrap_or_default(),
        })
    }

    /// The changes that make the catalog say what was written.
    pub(crate) fn changes(&self, spec: &SinkSpec, files: &Written) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.new_database {
            changes.push(Change::CreateDatabase {
                database: Database::new(&self.database),
                if_not_exists: true,
            });
        }
        let partitions = written::partitions(spec, files);
        changes.push(Change::PutTable {
            table: written::table(
                self.before.as_ref(),
                &self.database,
                &self.name,
                spec,
                files,
            ),
            expected: match self.before.as_ref().map(|t| t.version_id) {
                None => Expected::Absent,
                Some(Some(version)) => Expected::Version(version),
                Some(None) => Expected::Any,
            },
            partitions: match spec.mode {
                SinkMode::Overwrite => PartitionChanges::replace_all(partitions),
                _ => PartitionChanges::put(partitions),
            },
        });
        changes
    }
}
