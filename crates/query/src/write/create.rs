//! `CREATE TABLE … AS`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Database, Expected, PartitionChanges, SerDeInfo,
    Table,
};
use mastic_lake::sink::{self, SinkMode, SinkSpec, Written};
use mastic_schema::names::closest;

use super::columns::{self, told};
use super::parse::{self, CreateAs};
use super::properties::{Of, Properties};
use super::run::{of_lake, refuse_full, stage, to_the_end, withdraw};
use super::{Target, outcome, plan_query};
use crate::error::{QueryError, Result};
use crate::session::{DEFAULT_DATABASE, Session};
use crate::snapshot::Snapshot;
use crate::written;

/// Hive's SerDe for plain text with delimiters, which is what `TEXTFILE` means.
const LAZY: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

/// Makes a table of a query's rows.
pub(super) async fn create(
    session: &Session,
    snapshot: &Snapshot,
    create: CreateAs,
) -> Result<DataFrame> {
    let target = Target::of(session, &create.table, create.place)?;
    let catalog = session.catalog().clone();
    let new_database = match catalog.get_database(&target.database).await {
        Ok(_) => false,
        // Every catalog of Athena's has it.
        Err(CatalogError::DatabaseNotFound { .. }) if target.database == DEFAULT_DATABASE => true,
        Err(CatalogError::DatabaseNotFound { .. }) => {
            let names: Vec<String> = catalog
                .list_databases()
                .await?
                .into_iter()
                .map(|d| d.name)
                .collect();
            let name = &target.database;
            return Err(parse::told(
                format!("there is no database '{name}'"),
                create.place,
                Some(match closest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("`CREATE DATABASE {name}` makes it"),
                }),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    match catalog.get_table(&target.database, &target.name).await {
        Ok(_) if create.if_not_exists => return outcome(session, 0, &[]),
        Ok(_) => return Err(exists(&target, Some(create.place))),
        Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let properties = Properties::read(Of::CreateTable, &create.properties)?;
    if create.columns.is_none() {
        columns::check_named(&create.query)?;
    }
    let frame = plan_query(session, snapshot, &create.query).await?;
    let frame = columns::stored(frame, create.columns.as_deref(), true)?;
    let location = match &properties.location {
        Some(location) => location.clone(),
        None => default_location(catalog.as_ref(), &target).await?,
    };
    let root = session.stores().locate(&location)?;
    if root.path.as_ref().is_empty() {
        return Err(told(
            format!(
                "a table's files want a folder of their own, and {} is all of a store",
                root.url
            ),
            "name a folder in it".to_owned(),
        ));
    }
    let mut spec = SinkSpec::new(root, properties.options.clone(), SinkMode::ErrorIfExists)
        .partitioned_by(properties.partitioned_by.clone());
    spec.buckets.clone_from(&properties.buckets);
    let schemas = check_columns(&frame, &spec, properties.lazy)?;
    refuse_full(
        &spec.root,
        "a new table's files want an empty folder: give another external_location, or leave it out",
    )
    .await?;

    let made = Made {
        catalog,
        target,
        new_database,
        comment: create.comment,
        lazy: properties.lazy,
        if_not_exists: create.if_not_exists,
    };
    if !create.with_data {
        let (file_schema, key_schema) = schemas;
        let nothing = Written {
            run: String::new(),
            files: Vec::new(),
            rows: 0,
            bytes: 0,
            file_schema,
            key_schema,
            replaced: Vec::new(),
        };
        to_the_end(async move { made.tell(&spec, &nothing).await.map(|_| ()) }).await?;
        return outcome(session, 0, &[]);
    }
    let (staged, spec) = stage(frame, spec).await?;
    let (rows, files) = to_the_end(async move {
        // Whoever was faster has made the table while the query ran.
        let found = made
            .catalog
            .get_table(&made.target.database, &made.target.name)
            .await;
        if found.is_ok() {
            let _ = staged.abort().await;
            return made.too_late();
        }
        let written = staged.commit().await.map_err(of_lake)?;
        match made.tell(&spec, &written).await {
            Ok(true) => {
                let urls = written.files.iter().map(|f| spec.root.child(&f.path).url);
                Ok((written.rows, urls.collect()))
            }
            Ok(false) => {
                withdraw(&spec.root, &written).await;
                Ok((0, Vec::new()))
            }
            Err(error) => {
                withdraw(&spec.root, &written).await;
                Err(error)
            }
        }
    })
    .await?;
    outcome(session, rows, &files)
}

fn exists(
    target: &Target,
    place: Option<datafusion::sql::sqlparser::tokenizer::Location>,
) -> QueryError {
    let message = format!("there is a table '{target}' already");
    let hint = "INSERT INTO adds rows to it; CREATE TABLE IF NOT EXISTS leaves it as it is; DROP TABLE removes it";
    match place {
        Some(place) => parse::told(message, place, Some(hint.into())),
        None => told(message, hint.to_owned()),
    }
}

/// A table that is about to be made.
struct Made {
    catalog: Arc<dyn CatalogStore>,
    target: Target,
    new_database: bool,
    comment: Option<String>,
    lazy: bool,
    if_not_exists: bool,
}

impl Made {
    /// Tells the catalog of the table and its partitions, in one change; whether the table is ours.
    async fn tell(&self, spec: &SinkSpec, files: &Written) -> Result<bool> {
        let mut table = written::table(None, &self.target.database, &self.target.name, spec, files);
        table.description.clone_from(&self.comment);
        if self.lazy {
            as_lazy(&mut table, spec);
        }
        let mut changes = ChangeSet::new("sql");
        if self.new_database {
            changes = changes.with(Change::CreateDatabase {
                database: Database::new(&self.target.database),
                if_not_exists: true,
            });
        }
        changes = changes.with(Change::PutTable {
            table,
            expected: Expected::Absent,
            partitions: PartitionChanges::put(written::partitions(spec, files)),
        });
        match self.catalog.apply(changes).await {
            Ok(_) => Ok(true),
            Err(CatalogError::Conflict { .. } | CatalogError::AlreadyExists { .. }) => {
                self.too_late().map(|_| false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What is said where somebody else has made the table meanwhile.
    fn too_late(&self) -> Result<(u64, Vec<String>)> {
        match self.if_not_exists {
            true => Ok((0, Vec::new())),
            false => Err(exists(&self.target, None)),
        }
    }
}

type Schemas = (Arc<Schema>, Arc<Schema>);

/// Whether the files can hold the columns, found out before anything is read; the schema of the files, and of the keys.
pub(super) fn check_columns(frame: &DataFrame, spec: &SinkSpec, lazy: bool) -> Result<Schemas> {
    let schema = frame.schema().as_arrow();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    for (wanted, what) in spec
        .partition_keys
        .iter()
        .map(|key| (key, "partitioned_by"))
        .chain(
            spec.buckets
                .iter()
                .flat_map(|b| b.columns.iter().map(|c| (c, "bucketed_by"))),
        )
    {
        if !names.iter().any(|name| same(name, wanted)) {
            return Err(told(
                format!("{what} names the column '{wanted}', which the query does not have"),
                crate::error::meant(wanted, &names),
            ));
        }
    }
    let is_key = |name: &str| spec.partition_keys.iter().any(|key| same(key, name));
    let (keys, data): (Vec<_>, Vec<_>) = schema
        .fields()
        .iter()
        .cloned()
        .partition(|field| is_key(field.name()));
    if data.is_empty() {
        return Err(told(
            "no column would be left for the files: all are in partitioned_by",
            "partition keys go into the names of folders, not into files".to_owned(),
        ));
    }
    if let Some(key) = keys.iter().find(|key| key.data_type().is_nested()) {
        return Err(told(
            format!(
                "'{}' is nested, and no folder can be named by it",
                key.name()
            ),
            "partition by plain values: texts, numbers, dates".to_owned(),
        ));
    }
    if spec.options.format == sink::OutputFormat::Csv
        && let Some(nested) = data.iter().find(|field| field.data_type().is_nested())
    {
        let kind = if lazy { "TEXTFILE" } else { "CSV" };
        return Err(told(
            format!(
                "{kind} cannot hold the column '{}', which is nested",
                nested.name()
            ),
            "write json_format(CAST(x AS json)) for its text, or format = 'JSON' or 'PARQUET'"
                .to_owned(),
        ));
    }
    let ordered: Vec<_> = spec
        .partition_keys
        .iter()
        .filter_map(|key| keys.iter().find(|field| same(field.name(), key)).cloned())
        .collect();
    let file_schema = Arc::new(Schema::new(data));
    match sink::check_schema(&spec.options, &file_schema) {
        Ok(()) => Ok((file_schema, Arc::new(Schema::new(ordered)))),
        Err(DataFusionError::Plan(message)) => Err(told(message, None)),
        Err(other) => Err(other.into()),
    }
}

/// The table as one of Hive's `LazySimpleSerDe`, which Athena's `TEXTFILE` is.
fn as_lazy(table: &mut Table, spec: &SinkSpec) {
    let delimiter = char::from(spec.options.delimiter).to_string();
    let mut parameters = BTreeMap::from([
        ("field.delim".to_owned(), delimiter.clone()),
        ("serialization.format".to_owned(), delimiter),
        (
            "serialization.null.format".to_owned(),
            spec.options.null.clone(),
        ),
    ]);
    if let Some(escape) = spec.options.escape {
        parameters.insert("escape.delim".to_owned(), char::from(escape).to_string());
    }
    table.parameters.remove("skip.header.line.count");
    if let Some(descriptor) = &mut table.storage_descriptor {
        descriptor.serde_info = Some(SerDeInfo {
            name: None,
            serialization_library: Some(LAZY.to_owned()),
            parameters,
        });
    }
}

/// Where a table goes whose place is not said: into a folder of its name in its database's place, or else, as Athena's do,
/// into one of its own in the folder `tables` beside the catalog: with an id in its name, so that what a table left that was
/// dropped is in nobody's way.
async fn default_location(catalog: &dyn CatalogStore, target: &Target) -> Result<String> {
    let database = match catalog.get_database(&target.database).await {
        Ok(database) => database.location_uri.filter(|uri| !uri.trim().is_empty()),
        Err(_) => None,
    };
    let folder = mastic_schema::names::table_name(&target.name);
    if let Some(uri) = database {
        return Ok(format!("{}/{folder}", uri.trim_end_matches('/')));
    }
    let store = catalog.location();
    if store.contains("://") {
        return Err(told(
            format!("where should the files of '{target}' go? Its database has no location"),
            "say WITH (external_location = 's3://bucket/folder/'), or give the database a location"
                .to_owned(),
        ));
    }
    let id = uuid::Uuid::now_v7().simple().to_string();
    let beside = std::path::Path::new(&store)
        .parent()
        .unwrap_or(std::path::Path::new(""));
    let place = beside.join("tables").join(&target.database);
    Ok(format!("{}/{folder}-{id}", place.display()))
}
