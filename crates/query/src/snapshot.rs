//! An immutable picture of a catalog, as DataFusion wants to see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::TableType;
use mastic_catalog::{CatalogStore, Table};
use mastic_lake::store::Stores;

use crate::error::Result;
use crate::table::LakeTable;

/// Every table of a catalog in the version it had at one moment.
#[derive(Clone)]
pub struct Snapshot {
    databases: BTreeMap<String, BTreeMap<String, Arc<Table>>>,
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("databases", &self.databases.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn take(catalog: Arc<dyn CatalogStore>, stores: Arc<Stores>) -> Result<Self> {
        let mut databases = BTreeMap::new();
        for database in catalog.list_databases().await? {
            let tables = catalog.list_tables(&database.name).await?;
            let tables = tables.into_iter().map(|t| (t.name.clone(), Arc::new(t)));
            databases.insert(database.name, tables.collect());
        }
        Ok(Snapshot {
            databases,
            catalog,
            stores,
        })
    }

    /// The names of all tables, as `database.table`.
    pub fn table_names(&self) -> Vec<String> {
        self.databases
            .iter()
            .flat_map(|(database, tables)| tables.keys().map(move |t| format!("{database}.{t}")))
            .collect()
    }

    /// The names of all databases.
    pub fn database_names(&self) -> Vec<String> {
        self.databases.keys().cloned().collect()
    }

    /// A table, in any case of its names.
    pub fn table(&self, database: &str, name: &str) -> Option<&Arc<Table>> {
        self.databases
            .get(&database.to_lowercase())?
            .get(&name.to_lowercase())
    }
}

impl CatalogProvider for Snapshot {
    fn schema_names(&self) -> Vec<String> {
        self.database_names()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let tables = self.databases.get(&name.to_lowercase())?;
        Some(Arc::new(Database {
            tables: tables.clone(),
            snapshot: self.clone(),
        }))
    }
}

struct Database {
    tables: BTreeMap<String, Arc<Table>>,
    snapshot: Snapshot,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database")
            .field(&self.tables.keys())
            .finish()
    }
}

#[async_trait]
impl SchemaProvider for Database {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let Some(table) = self.tables.get(&name.to_lowercase()) else {
            return Ok(None);
        };
        let provider = LakeTable::new(
            table.clone(),
            self.snapshot.catalog.clone(),
            self.snapshot.stores.clone(),
        )
        .map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(Some(Arc::new(provider)))
    }

    /// Told without opening the table, so that one that cannot be read does not hide the others.
    async fn table_type(&self, name: &str) -> EngineResult<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(&name.to_lowercase())
    }
}
