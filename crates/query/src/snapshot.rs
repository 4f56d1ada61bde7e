//! An immutable picture of a catalog, as DataFusion wants to see it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::TableType;
use datafusion::prelude::SessionContext;
use mastic_catalog::{CatalogStore, Table};
use mastic_lake::store::Stores;

use crate::error::Result;
use crate::relation::Opened;
use crate::table::LakeTable;

/// A database and a table in it, in lower case.
type Name = (String, String);

/// The tables of a catalog, each in the version it had when it was first asked for.
///
/// Nothing is read before it is asked for, so that a statement takes no longer where there are more tables; and what was
/// read stays as it is. Tables that are asked for together ([`Snapshot::resolve`]) are those of one moment. Lists of what
/// there is are empty until [`Snapshot::load`] has read them.
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
    /// What plans views. Its catalogs hold this snapshot, which must not hold them.
    planner: Option<Planner>,
    /// The views within which names are looked up, as `database.view`, the outermost first.
    views: Vec<String>,
}

struct Inner {
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
    /// What was asked for; none for what is not there.
    tables: Mutex<HashMap<Name, Option<Arc<Table>>>>,
    /// Tables that are made ready for a statement while it is planned.
    opened: Arc<Opened>,
    /// The names of all databases and tables.
    names: OnceLock<BTreeMap<String, BTreeSet<String>>>,
}

type Planner = Arc<dyn Fn() -> Option<SessionState> + Send + Sync>;

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("catalog", &self.inner.catalog)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// A snapshot that is yet to be asked.
    pub fn new(catalog: Arc<dyn CatalogStore>, stores: Arc<Stores>) -> Self {
        Self::planned_with(catalog, stores, Arc::default())
    }

    /// A snapshot whose statements are planned where these tables are known.
    pub(crate) fn planned_with(
        catalog: Arc<dyn CatalogStore>,
        stores: Arc<Stores>,
        opened: Arc<Opened>,
    ) -> Self {
        Snapshot {
            inner: Arc::new(Inner {
                catalog,
                stores,
                opened,
                tables: Mutex::default(),
                names: OnceLock::new(),
            }),
            planner: None,
            views: Vec::new(),
        }
    }

    /// The catalog.
    pub(crate) fn catalog(&self) -> &Arc<dyn CatalogStore> {
        &self.inner.catalog
    }

    /// The stores.
    pub(crate) fn stores(&self) -> &Arc<Stores> {
        &self.inner.stores
    }

    /// Tables that are made ready for a statement while it is planned.
    pub(crate) fn opened(&self) -> &Arc<Opened> {
        &self.inner.opened
    }

    /// Reads the names of all databases and tables.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn load_names(&self) -> Result<()> {
        if self.inner.names.get().is_some() {
            return Ok(());
        }
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for database in self.inner.catalog.list_databases().await? {
            names.insert(database.name, BTreeSet::new());
        }
        for (database, table) in self.inner.catalog.list_table_names().await? {
            // A database that was made since then is none of this snapshot.
            if let Some(tables) = names.get_mut(&database) {
                tables.insert(table);
            }
        }
        // Whoever was faster has said it.
        let _ = self.inner.names.set(names);
        Ok(())
    }

    /// Reads all tables, for what looks at each of them.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn load(&self) -> Result<()> {
        self.load_names().await?;
        for database in self.database_names() {
            let tables = match self.inner.catalog.list_tables(&database).await {
                Err(mastic_catalog::CatalogError::DatabaseNotFound { .. }) => continue,
                tables => tables?,
            };
            let tables = tables
                .into_iter()
                .map(|t| ((database.clone(), t.name.clone()), Some(Arc::new(t))));
            self.keep(tables);
        }
        Ok(())
    }

    /// Reads these tables, named by database and table, as they are at one moment.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn resolve(&self, names: impl IntoIterator<Item = (String, String)>) -> Result<()> {
        let wanted: BTreeSet<Name> = names
            .into_iter()
            .map(|(database, name)| (database.to_lowercase(), name.to_lowercase()))
            .filter(|name| self.known(name).is_none())
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<Name> = wanted.into_iter().collect();
        let found = self.inner.catalog.find_tables(&wanted).await?;
        self.keep(
            wanted
                .into_iter()
                .zip(found.into_iter().map(|t| t.map(Arc::new))),
        );
        Ok(())
    }

    /// Keeps what was read, unless something was kept before.
    fn keep(&self, read: impl IntoIterator<Item = (Name, Option<Arc<Table>>)>) {
        // A poisoned lock holds a map that is still whole: entries are only ever added.
        let tables = self.inner.tables.lock();
        let mut tables = tables.unwrap_or_else(PoisonError::into_inner);
        for (name, table) in read {
            tables.entry(name).or_insert(table);
        }
    }

    fn known(&self, name: &Name) -> Option<Option<Arc<Table>>> {
        let tables = self.inner.tables.lock();
        let tables = tables.unwrap_or_else(PoisonError::into_inner);
        tables.get(name).cloned()
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

    /// The names of all tables, as `database.table`, once they were read.
    pub fn table_names(&self) -> Vec<String> {
        let names = self.inner.names.get().into_iter().flatten();
        names
            .flat_map(|(database, tables)| tables.iter().map(move |t| format!("{database}.{t}")))
            .collect()
    }

    /// The names of all databases, once they were read.
    pub fn database_names(&self) -> Vec<String> {
        let names = self.inner.names.get().into_iter().flatten();
        names.map(|(database, _)| database.clone()).collect()
    }

    /// A table, in any case of its names.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn table(&self, database: &str, name: &str) -> Result<Option<Arc<Table>>> {
        let name = (database.to_lowercase(), name.to_lowercase());
        self.resolve([name.clone()]).await?;
        Ok(self.known(&name).flatten())
    }
}

impl CatalogProvider for Snapshot {
    fn schema_names(&self) -> Vec<String> {
        self.database_names()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let name = name.to_lowercase();
        if let Some(names) = self.inner.names.get() {
            names.get(&name)?;
        }
        Some(Arc::new(Database {
            name,
            snapshot: self.clone(),
        }))
    }
}

/// A database; whether it is there is seen when a table is asked for.
struct Database {
    name: String,
    snapshot: Snapshot,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.name).finish()
    }
}

#[async_trait]
impl SchemaProvider for Database {
    fn table_names(&self) -> Vec<String> {
        let names = self.snapshot.inner.names.get();
        let tables = names.and_then(|names| names.get(&self.name));
        tables.into_iter().flatten().cloned().collect()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let failed = |e| DataFusionError::External(Box::new(e));
        let table = self.snapshot.table(&self.name, name).await;
        let Some(table) = table.map_err(failed)? else {
            return Ok(None);
        };
        if table.table_type.as_deref() == Some(crate::statement::VIRTUAL_VIEW) {
            let view = crate::statement::provider(&self.snapshot, &table).await;
            return view
                .map(Some)
                .map_err(|e| DataFusionError::External(Box::new(e)));
        }
        let provider = LakeTable::new(
            table,
            self.snapshot.inner.catalog.clone(),
            self.snapshot.inner.stores.clone(),
        );
        let provider = provider.map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(Some(Arc::new(provider)))
    }

    /// Told without opening the table, so that one that cannot be read does not hide the others.
    async fn table_type(&self, name: &str) -> EngineResult<Option<TableType>> {
        let table = self.snapshot.table(&self.name, name).await;
        let table = table.map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(table.map(|table| match table.table_type.as_deref() {
            Some(crate::statement::VIRTUAL_VIEW) => TableType::View,
            _ => TableType::Base,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let names = self.snapshot.inner.names.get();
        let listed = names
            .and_then(|names| names.get(&self.name))
            .is_some_and(|tables| tables.contains(&name));
        listed
            || self
                .snapshot
                .known(&(self.name.clone(), name))
                .flatten()
                .is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Lake;

    #[tokio::test]
    async fn what_was_asked_for_stays_as_it_was() {
        let lake = Lake::new().await;
        let columns = [("n", "int")];
        for name in ["a", "b"] {
            lake.put(lake.table(name, "csv", &columns, &[]), vec![])
                .await;
        }
        let snapshot = Snapshot::new(lake.catalog.clone(), Arc::default());
        assert!(snapshot.table("d", "c").await.unwrap().is_none());
        let first = snapshot.table("D", "A").await.unwrap().unwrap();
        assert!(snapshot.table_names().is_empty());
        snapshot.load_names().await.unwrap();

        for name in ["a", "b", "c"] {
            let table = lake.table(name, "csv", &[("n", "bigint")], &[]);
            lake.put(table, vec![]).await;
        }
        snapshot.load().await.unwrap();
        assert_eq!(snapshot.table_names(), ["d.a", "d.b"]);
        assert!(snapshot.table("d", "c").await.unwrap().is_none());
        let again = snapshot.table("d", "a").await.unwrap().unwrap();
        assert_eq!(again.version_id, first.version_id);
        // What was not asked for before is as it was then.
        let b = snapshot.table("d", "b").await.unwrap().unwrap();
        assert_eq!(b.columns().first().unwrap().hive_type(), "bigint");
        let next = Snapshot::new(lake.catalog.clone(), Arc::default());
        let a = next.table("d", "a").await.unwrap().unwrap();
        assert!(a.version_id > first.version_id);
    }

    #[tokio::test]
    async fn names_are_suggested_though_only_what_is_named_is_read() {
        let lake = Lake::new().await;
        lake.put(lake.table("orders", "csv", &[("n", "int")], &[]), vec![])
            .await;
        let (message, hint) = lake.error("SELECT * FROM ordes").await;
        assert!(message.contains("there is no table 'd.ordes'"), "{message}");
        assert_eq!(hint, "did you mean 'd.orders'?");
        let (message, hint) = lake.error("SELECT * FROM x.orders").await;
        assert!(message.contains("'x.orders'"), "{message}");
        assert_eq!(hint, "did you mean 'd.orders'?");
        assert_eq!(lake.rows("SHOW TABLES").await, ["d,orders"]);
    }
}
