//! A session: statements over one catalog.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use mastic_catalog::CatalogStore;
use mastic_functions::sql;
use mastic_lake::format::ReadOptions;
use mastic_lake::store::Stores;

use crate::compact::CompactSorted;
use crate::error::{QueryError, Result};
use crate::files::FilesTable;
use crate::frame;
use crate::memory::MemoryLimit;
use crate::relation::{Opened, TablePlanner};
use crate::snapshot::Snapshot;
use crate::table::LakeTable;

/// The name that the catalog has among DataFusion's catalogs. Athena's default is called the same.
pub(crate) const CATALOG: &str = "awsdatacatalog";
/// The database of names without one.
pub(crate) const DEFAULT_DATABASE: &str = "default";

/// How a session is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionOptions<'a> {
    /// Where names without a database are looked up.
    pub database: Option<&'a str>,
    /// How much memory operators may hold.
    pub memory_limit: Option<MemoryLimit>,
    /// The folder that operators spill to; the system's for temporary files where none is given.
    pub spill_dir: Option<&'a Path>,
}

/// Answers statements over one catalog.
pub struct Session {
    context: SessionContext,
    /// What plans statements: the same, but that operators mean what they mean in Athena.
    statements: SessionContext,
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
    database: Option<String>,
    choices: frame::Cache,
    /// Tables that a statement reads with hidden columns, or in another version, while it is planned.
    opened: Arc<Opened>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("catalog", &self.catalog)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session over a catalog; names without a database are looked up in `database`.
    ///
    /// # Errors
    /// When the catalog cannot be read or the database is not in it.
    pub async fn open(
        catalog: Arc<dyn CatalogStore>,
        stores: Arc<Stores>,
        database: Option<&str>,
    ) -> Result<Self> {
        Self::open_within(catalog, stores, database, None).await
    }

    /// A session like [`Session::open`]'s, whose operators keep within a memory limit.
    ///
    /// # Errors
    /// As [`Session::open`], and when there is no folder to spill to.
    pub async fn open_within(
        catalog: Arc<dyn CatalogStore>,
        stores: Arc<Stores>,
        database: Option<&str>,
        limit: Option<MemoryLimit>,
    ) -> Result<Self> {
        let options = SessionOptions {
            database,
            memory_limit: limit,
            spill_dir: None,
        };
        Self::open_with(catalog, stores, options).await
    }

    /// A session as the options say.
    ///
    /// # Errors
    /// As [`Session::open`], and when there is no folder to spill to.
    pub async fn open_with(
        catalog: Arc<dyn CatalogStore>,
        stores: Arc<Stores>,
        options: SessionOptions<'_>,
    ) -> Result<Self> {
        let SessionOptions {
            database,
            memory_limit: limit,
            spill_dir,
        } = options;
        if let Some(name) = database {
            catalog.get_database(name).await?;
        }
        let database = database.map(str::to_lowercase);
        let default = database.as_deref().unwrap_or(DEFAULT_DATABASE);
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, default);
        let options = config.options_mut();
        options.sql_parser.collect_spans = true;
        // As in Athena: nulls come last whichever way rows are ordered.
        options.sql_parser.default_null_ordering = "nulls_last".to_owned();
        // DataFusion 55.2 plans a struct's field above `t.a AS a` as an ambiguous reference with it.
        options.optimizer.enable_leaf_expression_pushdown = false;
        // Whether rows are filtered while Parquet is decoded is each scan's own decision.
        options.execution.parquet.reorder_filters = true;
        if let Some(limit) = &limit {
            limit.configure(&mut config);
        }
        let runtime = match (limit, spill_dir) {
            (Some(limit), dir) => Some(limit.runtime(dir)?),
            (None, Some(dir)) => Some(crate::memory::spilling_to(dir)?),
            (None, None) => None,
        };
        // Within a limit, what is sorted is made compact.
        let compact = limit.is_some();
        let state = || {
            let mut builder = SessionStateBuilder::new().with_default_features();
            if let Some(runtime) = &runtime {
                builder = builder.with_runtime_env(runtime.clone());
            }
            if compact {
                builder = builder.with_physical_optimizer_rule(Arc::new(CompactSorted));
            }
            builder.with_config(config.clone())
        };
        let mut context = SessionContext::new_with_state(state().build());
        mastic_functions::register_all(&mut context)?;
        // Operators mean what they mean in Athena: its planners are asked first. All else is shared.
        let planners = [sql::planners(), context.state().expr_planners().to_vec()].concat();
        let opened = Arc::new(Opened::default());
        let statements = state()
            .with_runtime_env(context.runtime_env())
            .with_catalog_list(context.state().catalog_list().clone())
            .with_expr_planners(planners)
            .with_relation_planners(vec![
                sql::relation_planner(),
                Arc::new(TablePlanner(opened.clone())),
            ])
            .build();
        let mut statements = SessionContext::new_with_state(statements);
        mastic_functions::register_all(&mut statements)?;
        let session = Session {
            context,
            statements,
            catalog,
            stores,
            database,
            choices: frame::Cache::default(),
            opened,
        };
        session.refresh();
        Ok(session)
    }

    /// Begins a new snapshot of the catalog, which the next statement is planned over.
    pub fn refresh(&self) -> Snapshot {
        let (catalog, stores) = (self.catalog.clone(), self.stores.clone());
        let snapshot = Snapshot::planned_with(catalog, stores, self.opened.clone());
        let snapshot = snapshot.planned_by(&self.statements);
        self.context
            .register_catalog(CATALOG, Arc::new(snapshot.clone()));
        snapshot
    }

    /// The engine's own context, for those who plan by themselves.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// What plans statements; the expressions of scripts are planned by [`Session::context`].
    pub(crate) fn statements(&self) -> &SessionContext {
        &self.statements
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<dyn CatalogStore> {
        &self.catalog
    }

    /// The stores.
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// What full passes found in this session.
    pub(crate) fn choices(&self) -> &frame::Cache {
        &self.choices
    }

    /// The database of names without one, where it was chosen.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Plans a statement over a fresh snapshot.
    ///
    /// # Errors
    /// When the statement is no SQL, is none that Mastic answers, or names what is not there.
    pub async fn sql(&self, text: &str) -> Result<DataFrame> {
        let snapshot = self.refresh();
        match lists(text) {
            Lists::Nothing => {}
            Lists::Names => snapshot.load_names().await?,
            Lists::Tables => snapshot.load().await?,
        }
        crate::statement::plan(self, &snapshot, text).await
    }

    /// As [`Session::sql`], with a value for each `?` of the statement, in their order. A value is written as in SQL: `5`,
    /// `'text'`, `DATE '2024-01-31'`, `NULL`.
    ///
    /// # Errors
    /// As [`Session::sql`], and when there are more or fewer values than question marks, or one is no value.
    pub async fn sql_with(&self, text: &str, values: &[String]) -> Result<DataFrame> {
        let snapshot = self.refresh();
        crate::statement::plan_with(self, &snapshot, text, values).await
    }

    /// A table of the catalog, named `table` or `database.table`, under its own name.
    ///
    /// # Errors
    /// When there is no such table, or it is none that can be read.
    pub async fn table(&self, name: &str) -> Result<DataFrame> {
        let reference = TableReference::parse_str(name);
        let database = reference
            .schema()
            .or(self.database())
            .unwrap_or(DEFAULT_DATABASE);
        let table = self.catalog.get_table(database, reference.table()).await?;
        let provider = LakeTable::new(Arc::new(table), self.catalog.clone(), self.stores.clone())?;
        let source = provider_as_source(Arc::new(provider));
        let plan = LogicalPlanBuilder::scan(reference.table(), source, None)?.build()?;
        Ok(DataFrame::new(self.context.state(), plan))
    }

    /// The files below a path, as one table.
    ///
    /// # Errors
    /// When nothing is there, or a file is not in the expected format.
    pub async fn path(&self, url: &str, format: Option<&str>) -> Result<DataFrame> {
        self.path_with(url, &ReadOptions::new(format)?).await
    }

    /// The files below a path, read as the options say, as one table.
    ///
    /// # Errors
    /// As [`Session::path`], and when a file is not what the options say.
    pub async fn path_with(&self, url: &str, read: &ReadOptions) -> Result<DataFrame> {
        let root = self.stores.locate(url)?;
        let name = root.path.filename().unwrap_or("files").to_owned();
        let table = FilesTable::open(root, read).await?;
        let source = provider_as_source(Arc::new(table));
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?.build()?;
        Ok(DataFrame::new(self.context.state(), plan))
    }
}

/// What a statement may list of what the catalog has.
#[derive(Debug, PartialEq, Eq)]
enum Lists {
    Nothing,
    Names,
    /// Every table, with its columns.
    Tables,
}

/// Only what a query names is read for it; all other statements may list names, and `information_schema` shows what there is.
fn lists(text: &str) -> Lists {
    let text = text.to_ascii_lowercase();
    let first = text
        .trim_start_matches(|c: char| c.is_whitespace() || c == '(')
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    let query = matches!(first, "select" | "with" | "values" | "from" | "explain");
    let schema = text.contains("information_schema");
    match (schema || first == "show", query) {
        (true, _) if text.contains("columns") || text.contains("views") => Lists::Tables,
        (false, true) => Lists::Nothing,
        _ => Lists::Names,
    }
}

impl From<QueryError> for datafusion::error::DataFusionError {
    fn from(error: QueryError) -> Self {
        datafusion::error::DataFusionError::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reads_no_more_than_it_names() {
        for (text, expected) in [
            ("SELECT * FROM columns", Lists::Nothing),
            (" (with x as (select 1) table x)", Lists::Nothing),
            ("EXPLAIN SELECT 1", Lists::Nothing),
            ("show tables", Lists::Names),
            ("DESCRIBE t", Lists::Names),
            ("-- a comment\nSELECT 1", Lists::Names),
            ("SELECT * FROM Information_Schema.tables", Lists::Names),
            ("SELECT * FROM information_schema.columns", Lists::Tables),
            ("SHOW COLUMNS FROM t", Lists::Tables),
        ] {
            assert_eq!(lists(text), expected, "{text}");
        }
    }
}
