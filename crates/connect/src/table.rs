//! A database's table or query as a table of the engine.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableScan, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::column::{Column, schema};
use crate::error::{ConnectError, Result};
use crate::filter::condition;
use crate::location::Connection;
use crate::read::Fetch;
use crate::relation::Relation;

/// How many batches may wait for whoever reads them.
const BATCHES_AHEAD: usize = 2;

/// A table or query of a database. Each scan is a query of its own over a connection of its own; the columns that a
/// plan needs, its limit and what the database can see to of its conditions are in the query.
pub struct ConnectionTable {
    connection: Connection,
    relation: Relation,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl fmt::Debug for ConnectionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ConnectionTable({} of {})",
            self.relation, self.connection
        )
    }
}

impl ConnectionTable {
    /// Asks the database what columns the relation has. PostgreSQL plans the query and does not run it; of SQLite, whose
    /// columns may hold anything, all rows are looked at.
    ///
    /// # Errors
    /// When the database cannot be connected to, has no such table, or does not take the query; when two columns have
    /// one name.
    pub async fn open(connection: Connection, relation: Relation) -> Result<Self> {
        let columns = connection.describe(&relation).await?;
        Ok(Self {
            connection,
            relation,
            schema: Arc::new(schema(&columns)),
            columns,
        })
    }

    /// The relation as a frame, under a name that its conditions may use.
    ///
    /// # Errors
    /// When the engine makes no plan of it.
    pub fn into_dataframe(self, name: TableReference, state: SessionState) -> Result<DataFrame> {
        let engine = |error: DataFusionError| ConnectError::Engine(error.strip_backtrace());
        let source = provider_as_source(Arc::new(self));
        let plan = LogicalPlanBuilder::scan(name, source, None).and_then(|scan| scan.build());
        Ok(DataFrame::new(state, plan.map_err(engine)?))
    }

    /// The query that a scan sends.
    fn fetch(&self, projection: Option<&[usize]>, filters: &[Expr], limit: Option<usize>) -> Fetch {
        let columns: Vec<Column> = match projection {
            Some(wanted) => wanted
                .iter()
                .filter_map(|at| self.columns.get(*at).cloned())
                .collect(),
            None => self.columns.clone(),
        };
        let selected: Vec<&str> = columns.iter().map(|c| c.sql.as_str()).collect();
        let selected = match selected.is_empty() {
            // Only how many rows there are is asked.
            true => "1".to_owned(),
            false => selected.join(", "),
        };
        let mut sql = format!("SELECT {selected} FROM {}", self.relation.clause());
        let conditions: Vec<String> = filters
            .iter()
            .filter_map(|filter| condition(filter, &self.columns))
            .collect();
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        // A limit counts what is left of the engine's conditions, of which the database may know but some.
        if let Some(limit) = limit.filter(|_| filters.is_empty()) {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        Fetch {
            relation: self.relation.clone(),
            sql,
            schema: Arc::new(schema(&columns)),
            columns,
        }
    }
}

#[async_trait]
impl TableProvider for ConnectionTable {
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
        let each = filters
            .iter()
            .map(|filter| match condition(filter, &self.columns) {
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            });
        Ok(each.collect())
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let fetch = self.fetch(projection.map(Vec::as_slice), filters, limit);
        let schema = fetch.schema.clone();
        let rows = Rows {
            connection: self.connection.clone(),
            fetch,
        };
        let plan =
            StreamingTableExec::try_new(schema, vec![Arc::new(rows)], None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// The rows of one query.
#[derive(Debug)]
struct Rows {
    connection: Connection,
    fetch: Fetch,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.fetch.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder =
            RecordBatchReceiverStream::builder(self.fetch.schema.clone(), BATCHES_AHEAD);
        let (connection, fetch) = (self.connection.clone(), self.fetch.clone());
        let to = builder.tx();
        // It ends with the stream: whoever wants no more rows drops it.
        builder.spawn(async move {
            let send = |batch: RecordBatch| {
                let to = to.clone();
                async move { to.send(Ok(batch)).await.is_ok() }
            };
            connection
                .fetch(&fetch, send)
                .await
                .map_err(|error| DataFusionError::External(Box::new(error)))
        });
        builder.build()
    }
}

/// What a plan asks of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionScan {
    /// The source's name in the plan.
    pub name: String,
    /// The database, without a password.
    pub connection: String,
    /// The query that is sent.
    pub sql: String,
}

/// What a plan asks of databases: of a plan that is not optimised, all rows and columns.
pub fn connection_scans(plan: &LogicalPlan) -> Vec<ConnectionScan> {
    let mut all = Vec::new();
    // The visitor never fails.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            all.extend(described(scan));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    all
}

fn described(scan: &TableScan) -> Option<ConnectionScan> {
    let provider = source_as_provider(&scan.source).ok()?;
    let any: &dyn Any = provider.as_ref();
    let table = any.downcast_ref::<ConnectionTable>()?;
    let fetch = table.fetch(scan.projection.as_deref(), &scan.filters, scan.fetch);
    Some(ConnectionScan {
        name: scan.table_name.table().to_owned(),
        connection: table.connection.to_string(),
        sql: fetch.sql,
    })
}
