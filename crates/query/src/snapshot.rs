//! An immutable picture of a catalog, as DataFusion wants to see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::TableType;
use datafusion::prelude::SessionContext;
use mastic_catalog::{CatalogStore, Table};
use mastic_lake::store::Stores;

use crate::error::Result;
use crate::table::LakeTable;

/// Every table of a catalog in the version it had at one moment.
#[derive(Clone)]
pub struct Snapshot {
    databases: Arc<BTreeMap<String, BTreeMap<String, Arc<Table>>>>,
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
    /// What plans views. Its catalogs hold this snapshot, which must not hold them.
    planner: Option<Planner>,
    /// The views within which names are looked up, as `database.view`, the outermost first.
    views: Vec<String>,
}

type Planner = Arc<dyn Fn() -> Option<SessionState> + Send + Sync>;

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
            databases: Arc::new(databases),
            catalog,
            stores,
            planner: None,
            views: Vec::new(),
        })
    }

    /// The snapshot, whose views are planned as this context plans statements.
    #[must_use]
    pub fn planned_by(mut self, context: &SessionContext) -> Self {
        let state = context.state_weak_ref();
        self.planner = Some(Arc::new(move || Some(state.upgrade()?.read().clone())));
        self
    }

    /// What plans views, while there is a session.
    pub(crate) fn state(&self) -> Option<SessionState> {
        self.planner.as_ref()?()
    }

    /// The views within which names are looked up, the outermost first.
    pub(crate) fn views(&self) -> &[String] {
        &self.views
    }

    /// The snapshot as it is seen within a view, named `database.view`.
    pub(crate) fn within(&self, view: &str) -> Self {
        let mut inner = self.clone();
        inner.views.push(view.to_owned());
        inner
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
        if table.table_type.as_deref() == Some(crate::statement::VIRTUAL_VIEW) {
            let view = crate::statement::provider(&self.snapshot, table).await;
            return view
                .map(Some)
                .map_err(|e| DataFusionError::External(Box::new(e)));
        }
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
        let table = self.tables.get(&name.to_lowercase());
        Ok(table.map(|table| match table.table_type.as_deref() {
            Some(crate::statement::VIRTUAL_VIEW) => TableType::View,
            _ => TableType::Base,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(&name.to_lowercase())
    }
}
