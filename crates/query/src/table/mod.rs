//! A table of the catalog as a table of the engine.

mod constant;
mod files;
mod format;
pub(crate) mod hidden;
mod listing;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use mastic_catalog::parameters as names;
use mastic_catalog::{CatalogStore, HIVE_DEFAULT_PARTITION, Table};
use mastic_lake::store::Stores;

pub(crate) use self::constant::{is_of, selected};
pub(crate) use self::files::Listed;
pub(crate) use self::scan::{FileSet, scan_all};
use crate::error::{QueryError, Result};
use crate::projection::Projection;
use crate::statistics::{inform, look};

/// A table of the catalog, in one version.
pub(crate) struct LakeTable {
    table: Arc<Table>,
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
    file_schema: SchemaRef,
    partition_fields: Vec<FieldRef>,
    /// What is the same for all records of a file: the partition keys, and hidden columns where they are asked for.
    constant: Vec<FieldRef>,
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
        let mut columns = as_views(&table.arrow_columns()?);
        // A key that files have too is the key: all engines take the folder's value.
        columns.retain(|column| {
            let own = |key: &FieldRef| key.name().eq_ignore_ascii_case(column.name());
            !partition_fields.iter().any(own)
        });
        let file_schema = Arc::new(Schema::new(columns));
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
            constant: partition_fields.clone(),
            partition_fields,
            schema,
        })
    }

    /// The same table with its hidden columns last.
    #[must_use]
    pub(crate) fn with_hidden(mut self) -> Self {
        let taken = self.file_schema.fields().iter();
        let hidden = hidden::fields(taken.chain(&self.partition_fields));
        self.constant = self.partition_fields.clone();
        self.constant.extend(hidden);
        self.schema = whole(&self.file_schema, &self.constant);
        self
    }

    /// The hidden columns, where they were asked for.
    fn hidden(&self) -> &[FieldRef] {
        self.constant
            .get(self.partition_fields.len()..)
            .unwrap_or_default()
    }

    /// Whether this is the name of one of its hidden columns.
    pub(crate) fn hides(&self, name: &str) -> bool {
        self.hidden().iter().any(|field| field.name() == name)
    }

    fn name(&self) -> String {
        format!("{}.{}", self.table.database_name, self.table.name)
    }

    /// The catalog's table.
    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The partition keys.
    pub(crate) fn partition_fields(&self) -> &[FieldRef] {
        &self.partition_fields
    }

    /// How many partitions there are in this version, read or not. Of projected partitions that cannot be counted it is
    /// the largest number there is.
    pub(crate) async fn count_partitions(&self) -> Result<u64> {
        let table = &self.table;
        if let Some(projection) = Projection::of(table)? {
            return Ok(projection.count().unwrap_or(u64::MAX));
        }
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
            &self.constant,
            found,
            projection,
            limit,
            None,
        )
    }
}

/// Glue's `recordCount`, which crawls and runs write.
fn record_count(parameters: &BTreeMap<String, String>) -> Option<usize> {
    parameters.get(names::RECORD_COUNT)?.parse().ok()
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
            mut found, pruned, ..
        } = self
            .select(Some(session), filters)
            .await
            .map_err(|e| DataFusionError::External(Box::new(e)))?;
        self.inform(&self.schema, pruned, &mut found).await;
        let (files, all) = (&self.file_schema, self.schema.fields().len());
        look(files, all, projection, filters, &mut found).await;
        // A limit counts rows after the filters.
        let limit = limit.filter(|_| filters.is_empty());
        self.plan(session, found, projection, limit)
    }
}
