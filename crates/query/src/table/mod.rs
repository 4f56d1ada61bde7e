//! A table of the catalog as a table of the engine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt, TryStreamExt};
use mastic_catalog::parameters as names;
use mastic_catalog::{
    CatalogStore, HIVE_DEFAULT_PARTITION, Partition, PartitionPredicate, StorageDescriptor, Table,
};
use mastic_lake::LakeError;
use mastic_lake::format::{AsFrame, FileFormat};
use mastic_lake::list::{Exclusions, fits, list};
use mastic_lake::scan::{Scan, ScanFile};
use mastic_lake::store::{Location, Stores};

use crate::error::{QueryError, Result};
use crate::predicate::translate;
use crate::statistics::inform;

/// Above this many partitions, the table's root is listed once instead of each of them.
const LIST_EACH: usize = 32;
/// How many listings run at once.
const LISTINGS: usize = 16;

/// A table of the catalog, in one version.
pub(crate) struct LakeTable {
    table: Arc<Table>,
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
    file_schema: SchemaRef,
    partition_fields: Vec<FieldRef>,
    schema: SchemaRef,
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "LakeTable({}.{})",
            self.table.database_name, self.table.name
        )
    }
}

/// Strings as views, which Parquet reads without copying and every operator is fastest on.
pub(crate) fn as_views(fields: &Fields) -> Vec<FieldRef> {
    fields
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 => Arc::new(Field::new(field.name(), DataType::Utf8View, true)),
            other => Arc::new(Field::new(field.name(), other.clone(), true)),
        })
        .collect()
}

/// The schema of files and partition keys together.
pub(crate) fn whole(file_schema: &Schema, partition_fields: &[FieldRef]) -> SchemaRef {
    let fields: Vec<FieldRef> = file_schema
        .fields()
        .iter()
        .chain(partition_fields)
        .cloned()
        .collect();
    Arc::new(Schema::new(fields))
}

/// The value of a partition key, which catalogs keep as text.
pub(crate) fn key_value(text: &str, field: &Field) -> Option<ScalarValue> {
    if text == HIVE_DEFAULT_PARTITION || text.is_empty() {
        return ScalarValue::try_from(field.data_type()).ok();
    }
    ScalarValue::try_from_string(text.to_owned(), field.data_type()).ok()
}

impl LakeTable {
    pub(crate) fn new(
        table: Arc<Table>,
        catalog: Arc<dyn CatalogStore>,
        stores: Arc<Stores>,
    ) -> Result<Self> {
        let partition_fields = as_views(&table.arrow_partition_keys()?);
        let columns = table.arrow_columns()?;
        let file_schema = Arc::new(Schema::new(as_views(&columns)));
        let schema = whole(&file_schema, &partition_fields);
        if table.storage_descriptor.is_none() {
            return Err(QueryError::Unsupported(format!(
                "{}.{} has no files: it is {}",
                table.database_name,
                table.name,
                table
                    .table_type
                    .as_deref()
                    .unwrap_or("a table without a location")
            )));
        }
        Ok(LakeTable {
            table,
            catalog,
            stores,
            file_schema,
            partition_fields,
            schema,
        })
    }

    fn name(&self) -> String {
        format!("{}.{}", self.table.database_name, self.table.name)
    }

    fn format(&self, own: Option<&StorageDescriptor>) -> Result<FileFormat> {
        let table = self.table.storage_descriptor.as_ref();
        let serde = own
            .and_then(|d| d.serde_info.as_ref())
            .filter(|s| s.serialization_library.is_some())
            .or_else(|| table.and_then(|d| d.serde_info.as_ref()));
        let mut parameters = self.table.parameters.clone();
        let mut library = None;
        if let Some(serde) = serde {
            parameters.extend(serde.parameters.clone());
            library = serde.serialization_library.as_deref();
        }
        let format = FileFormat::from_serde(self.table.classification(), library, &parameters)
            .map_err(|e| QueryError::Unsupported(format!("{} cannot be read: {e}", self.name())))?;
        // Null markers are the table's: one file tells them, and all files have them.
        Ok(match (format, own) {
            (FileFormat::Csv(mut options), Some(_)) => {
                if let Ok(FileFormat::Csv(of_table)) = self.format(None) {
                    options.null_markers = of_table.null_markers;
                    options.literal_columns = of_table.literal_columns;
                }
                FileFormat::Csv(options)
            }
            (format, _) => format,
        })
    }

    /// A parameter that holds a JSON array of texts.
    fn texts(&self, parameters: &BTreeMap<String, String>, name: &str) -> Result<Vec<String>> {
        match parameters.get(name) {
            None => Ok(Vec::new()),
            Some(text) => serde_json::from_str(text).map_err(|e| {
                QueryError::Unsupported(format!(
                    "the parameter {name} of {} is no JSON array: {e}",
                    self.name()
                ))
            }),
        }
    }

    /// The globs of each location of a partition that has several.
    fn include_by_location(
        &self,
        partition: &Partition,
    ) -> Result<Option<HashMap<String, BTreeSet<String>>>> {
        let Some(text) = partition.parameters.get(names::INCLUDE_BY_LOCATION) else {
            return Ok(None);
        };
        serde_json::from_str(text).map(Some).map_err(|e| {
            QueryError::Unsupported(format!(
                "the parameter {} of a partition of {} cannot be read: {e}",
                names::INCLUDE_BY_LOCATION,
                self.name()
            ))
        })
    }

    /// What the crawler was told to leave out. Athena reads it nonetheless.
    fn exclusions(&self) -> Result<Exclusions> {
        let globs = self.texts(&self.table.parameters, names::EXCLUSIONS)?;
        Exclusions::new(globs).map_err(|e| {
            let (name, table) = (names::EXCLUSIONS, self.name());
            QueryError::Unsupported(format!("the parameter {name} of {table}: {e}"))
        })
    }

    /// The files that a statement with these filters has to read.
    pub(crate) async fn files(&self, filters: &[Expr]) -> Result<Listed> {
        let include = self.texts(&self.table.parameters, names::INCLUDE)?;
        let include = BTreeSet::from_iter(include);
        let exclusions = self.exclusions()?;
        // Globs are for the files of one folder: what lies deeper belongs to other tables.
        let wanted = |file: &object_store::ObjectMeta, place: &Location, include: &BTreeSet<_>| {
            let (path, folder) = (file.location.as_ref(), place.path.as_ref());
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let own = include.is_empty() || parent == folder || path == folder;
            let out = || exclusions.excludes(place.url_of(&file.location).trim_start_matches('/'));
            own && fits(name, include) && !out()
        };
        let root = self.table.location().unwrap_or_default();
        if root.is_empty() {
            return Err(QueryError::Unsupported(format!(
                "{} has no location",
                self.name()
            )));
        }
        let root = self.stores.locate(root)?;
        mastic_lake::sink::recover(&root).await?;
        if self.partition_fields.is_empty() {
            let format = self.format(None)?;
            let files = self.listed(&root).await?.into_iter();
            let files = files
                .filter(|file| wanted(file, &root, &include))
                .map(|meta| scan_file(&meta, &format, &[]));
            let found = FileSet {
                rows: record_count(&self.table.parameters),
                columns: None,
                places: vec![(root.clone(), files.collect())],
            };
            return Ok(Listed {
                found,
                partitions: None,
                predicate: None,
            });
        }
        let keys = &self.table.partition_keys;
        let predicate = filters
            .iter()
            .filter_map(|f| translate(f, keys))
            // Pruning is a help: what the store would refuse is left to the engine.
            .filter(|predicate| predicate.check(keys).is_ok())
            .reduce(PartitionPredicate::and);
        let partitions = self
            .catalog
            .get_partitions(
                &self.table.database_name,
                &self.table.name,
                self.table.version_id,
                predicate.as_ref(),
            )
            .await?;
        let rows = partitions.iter().try_fold(0usize, |all, p| {
            all.checked_add(record_count(&p.parameters)?)
        });
        let mut places = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            let about = self.describe(partition, &include)?;
            let by_location = self.include_by_location(partition)?;
            let first = partition.location().unwrap_or_default().to_owned();
            let more = self.texts(&partition.parameters, names::MORE_LOCATIONS)?;
            for location in std::iter::once(first).chain(more) {
                let mut about = about.clone();
                if let Some(by_location) = &by_location {
                    let own = by_location.get(&location).cloned();
                    about.include = own.unwrap_or_default();
                }
                places.push((self.stores.locate(&location)?, about));
            }
        }
        let mut found: Vec<(Location, Vec<ScanFile>)> = Vec::new();
        let mut add = |place: &Location, file: ScanFile| match found
            .iter_mut()
            .find(|(p, _)| p.store_url == place.store_url)
        {
            Some((_, files)) => files.push(file),
            None => found.push((place.clone(), vec![file])),
        };
        let below = |place: &Location| {
            place.store_url == root.store_url && place.path.prefix_matches(&root.path)
        };
        if places.len() > LIST_EACH && places.iter().all(|(place, _)| below(place)) {
            let by_folder: HashMap<&str, usize> = places
                .iter()
                .enumerate()
                .map(|(i, (place, _))| (place.path.as_ref(), i))
                .collect();
            for meta in self.listed(&root).await? {
                let mut folder = meta.location.as_ref();
                while let Some((parent, _)) = folder.rsplit_once('/') {
                    folder = parent;
                    if let Some(i) = by_folder.get(folder) {
                        let (place, about) = &places[*i];
                        if wanted(&meta, place, &about.include) {
                            add(place, scan_file(&meta, &about.format, &about.values));
                        }
                        break;
                    }
                }
            }
        } else {
            let mut listings =
                futures::stream::iter(places.into_iter().map(async |(place, about)| {
                    let files = self.listed(&place).await?;
                    Ok::<_, QueryError>((place, about, files))
                }))
                .buffered(LISTINGS);
            while let Some((place, about, files)) = listings.try_next().await? {
                for meta in files.iter().filter(|f| wanted(f, &place, &about.include)) {
                    add(&place, scan_file(meta, &about.format, &about.values));
                }
            }
        }
        let found = FileSet {
            places: found,
            rows,
            columns: None,
        };
        Ok(Listed {
            found,
            partitions: Some(partitions.len()),
            predicate,
        })
    }

    /// The catalog's table.
    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The partition keys.
    pub(crate) fn partition_fields(&self) -> &[FieldRef] {
        &self.partition_fields
    }

    /// How many partitions there are in this version, read or not.
    pub(crate) async fn count_partitions(&self) -> Result<u64> {
        let table = &self.table;
        let (database, name) = (&table.database_name, &table.name);
        let version = table.version_id;
        Ok(self
            .catalog
            .count_partitions(database, name, version, None)
            .await?)
    }

    /// Adds what was counted of the table to all of its files, or, where some are `pruned`, to these.
    pub(crate) async fn inform(&self, schema: &Schema, pruned: bool, found: &mut FileSet) {
        inform(self.catalog.as_ref(), &self.table, schema, pruned, found).await;
    }

    /// The plan that reads these files.
    pub(crate) fn plan(
        &self,
        session: &dyn Session,
        found: FileSet,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        scan_all(
            session,
            &self.file_schema,
            &self.partition_fields,
            found,
            projection,
            limit,
            None,
        )
    }

    async fn listed(&self, place: &Location) -> Result<Vec<object_store::ObjectMeta>> {
        match list(place).await {
            Ok(listing) => match listing.hidden.first() {
                None => Ok(listing.files),
                // Rows that may lie there must not be missing silently.
                Some((url, reason)) => Err(QueryError::Statement {
                    message: format!(
                        "the files of {} cannot all be read: {url}: {reason}",
                        self.name()
                    ),
                    place: None,
                    hint: None,
                }),
            },
            // A run that wrote no rows made no file, and an object store has no empty folders.
            Err(LakeError::NotFound { .. })
                if self
                    .table
                    .parameters
                    .get(names::OBJECT_COUNT)
                    .is_some_and(|n| n == "0") =>
            {
                Ok(Vec::new())
            }
            Err(LakeError::NotFound { url }) => Err(QueryError::Statement {
                message: format!(
                    "the files of {} are gone: {url} does not exist",
                    self.name()
                ),
                place: None,
                hint: Some("crawl again to bring the catalog up to date".into()),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// How the files of a partition are told and read; `include` are its table's globs.
    fn describe(&self, partition: &Partition, include: &BTreeSet<String>) -> Result<About> {
        let format = self.format(partition.storage_descriptor.as_ref())?;
        if partition.values.len() != self.partition_fields.len() {
            return Err(QueryError::Unsupported(format!(
                "a partition of {} has {} values for {} keys",
                self.name(),
                partition.values.len(),
                self.partition_fields.len()
            )));
        }
        let values = partition
            .values
            .iter()
            .zip(&self.partition_fields)
            .map(|(text, field)| {
                key_value(text, field).ok_or_else(|| {
                    QueryError::Unsupported(format!(
                        "the partition {} of {} has the value '{text}', which is no {}",
                        partition.values.join("/"),
                        self.name(),
                        mastic_schema::hive::format_type(field.data_type())
                    ))
                })
            })
            .collect::<Result<_>>()?;
        let own = self.texts(&partition.parameters, names::INCLUDE)?;
        let include = if own.is_empty() {
            include.clone()
        } else {
            own.into_iter().collect()
        };
        Ok(About {
            format,
            values,
            include,
        })
    }
}

/// The files that were listed for a statement.
pub(crate) struct Listed {
    pub(crate) found: FileSet,
    /// Of how many partitions they are, where the table has any.
    pub(crate) partitions: Option<usize>,
    /// What the catalog store chose the partitions by.
    pub(crate) predicate: Option<PartitionPredicate>,
}

/// How the files of a partition are told and read.
#[derive(Clone)]
struct About {
    format: FileFormat,
    values: Vec<ScalarValue>,
    /// Globs for their names, where other files lie beside them.
    include: BTreeSet<String>,
}

/// The files of a scan, by store, and how many rows they have, about.
#[derive(Clone)]
pub(crate) struct FileSet {
    pub(crate) places: Vec<(Location, Vec<ScanFile>)>,
    pub(crate) rows: Option<usize>,
    /// What is known of the columns, partition keys last.
    pub(crate) columns: Option<Vec<ColumnStatistics>>,
}

impl FileSet {
    /// How many bytes the files have.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.places.iter().flat_map(|(_, files)| files);
        files.fold(0, |all, f| all.saturating_add(f.meta.size))
    }
}

/// Glue's `recordCount`, which crawls and runs write.
fn record_count(parameters: &BTreeMap<String, String>) -> Option<usize> {
    parameters.get(names::RECORD_COUNT)?.parse().ok()
}

fn scan_file(
    meta: &object_store::ObjectMeta,
    format: &FileFormat,
    values: &[ScalarValue],
) -> ScanFile {
    ScanFile {
        meta: meta.clone(),
        format: format.clone(),
        partition_values: values.to_vec(),
    }
}

/// The plan that reads files of several stores.
pub(crate) fn scan_all(
    session: &dyn Session,
    file_schema: &SchemaRef,
    partition_fields: &[FieldRef],
    found: FileSet,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
    frame: Option<&AsFrame>,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let all_bytes = found.bytes();
    let scan = |store_url: ObjectStoreUrl, files| Scan {
        store_url,
        file_schema: file_schema.clone(),
        partition_fields: partition_fields.to_vec(),
        files,
        projection: projection.cloned(),
        limit,
        rows: found.rows,
        columns: found.columns.clone(),
        all_bytes,
        frame: frame.cloned(),
    };
    let mut plans = Vec::with_capacity(found.places.len());
    for (place, files) in found.places {
        session
            .runtime_env()
            .register_object_store(place.store_url.as_ref(), place.store.clone());
        plans.push(scan(place.store_url, files).plan(session)?);
    }
    match plans.len() {
        0 => scan(ObjectStoreUrl::local_filesystem(), Vec::new()).plan(session),
        1 => plans
            .pop()
            .ok_or_else(|| DataFusionError::Internal("one plan".into())),
        _ => UnionExec::try_new(plans),
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        // Pruning by partitions, row groups and pages all leave rows to be filtered.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let Listed {
            mut found,
            predicate,
            ..
        } = self
            .files(filters)
            .await
            .map_err(|e| DataFusionError::External(Box::new(e)))?;
        self.inform(&self.schema, predicate.is_some(), &mut found)
            .await;
        // A limit counts rows after the filters.
        let limit = limit.filter(|_| filters.is_empty());
        self.plan(session, found, projection, limit)
    }
}
