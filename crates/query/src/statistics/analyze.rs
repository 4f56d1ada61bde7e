//! Counting.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use chrono::Utc;
use datafusion::catalog::{Session as EngineSession, TableProvider};
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as EngineResult;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableSource, TableType, lit};
use datafusion::physical_plan::ExecutionPlan;
use mastic_catalog::{ColumnStatistics, Table, TableStatistics};

use super::data::Kind;
use super::fingerprint::fingerprint;
use crate::error::{QueryError, Result};
use crate::session::Session;
use crate::table::{FileSet, LakeTable};

/// How many columns one plan counts: each takes a sketch of 16 KiB in each thread, and a wider table is read more than
/// once.
const AT_ONCE: usize = 1_000;

/// The name of the table in the plan.
const NAME: &str = "t";

/// Counts the statistics of a table (of some of its columns, or of all) over all of its files, and keeps them in the
/// catalog. What is kept of other columns stays where it is about the same files.
///
/// The table is named by its own names, without regard to case. Nested columns have no statistics in Glue's model: they are left out of all, and an error by name. Numbers of different
/// values are estimates (HyperLogLog, off by about 1 %); all else is exact.
///
/// ```
/// # use std::sync::Arc;
/// # use mastic_catalog::OpenMode;
/// # use mastic_lake::store::Stores;
/// # use mastic_query::Session;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("c.db").display().to_string();
/// # let catalog = mastic_catalog::open(&path, OpenMode::CreateIfMissing).await?;
/// # let session = Session::open(catalog, Arc::new(Stores::default()), None).await?;
/// let error = mastic_query::analyze(&session, ("shop", "orders"), None).await.unwrap_err();
/// assert!(error.to_string().contains("shop"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When there is no such table or column, the column is nested, a file cannot be read, or the catalog cannot be written.
pub async fn analyze(
    session: &Session,
    (database, table): (&str, &str),
    columns: Option<&[String]>,
) -> Result<TableStatistics> {
    let table = session.catalog().get_table(database, table).await?;
    let all = LakeTable::new(
        Arc::new(table.clone()),
        session.catalog().clone(),
        session.stores().clone(),
    )?
    .schema();
    let columns = match columns {
        None => None,
        Some(names) => Some(
            names
                .iter()
                .map(|name| column(&table, &all, name))
                .collect::<Result<Vec<_>>>()?,
        ),
    };
    count_table(session, Arc::new(table), columns.as_deref()).await
}

/// The column of that name: in the same case, else in another.
pub(super) fn column(table: &Table, schema: &SchemaRef, name: &str) -> Result<String> {
    let fields = schema.fields();
    let found = fields.iter().find(|f| f.name() == name).or_else(|| {
        fields
            .iter()
            .find(|f| f.name().to_lowercase() == name.to_lowercase())
    });
    let wrong = |message: String, hint: Option<String>| QueryError::Statement {
        message,
        place: None,
        hint,
    };
    let Some(field) = found else {
        let names = fields.iter().map(|f| f.name().as_str());
        return Err(wrong(
            format!(
                "{}.{} has no column '{name}'",
                table.database_name, table.name
            ),
            crate::error::meant(name, &names.collect::<Vec<_>>()),
        ));
    };
    if Kind::of(field.data_type()).is_none() {
        return Err(wrong(
            format!(
                "column '{}' is {}: statistics are of columns that are not nested",
                field.name(),
                mastic_schema::hive::format_type(field.data_type())
            ),
            None,
        ));
    }
    Ok(field.name().clone())
}

/// Counts these columns of a table, or all that can be.
pub(super) async fn count_table(
    session: &Session,
    table: Arc<Table>,
    columns: Option<&[String]>,
) -> Result<TableStatistics> {
    let catalog = session.catalog();
    let provider = LakeTable::new(table.clone(), catalog.clone(), session.stores().clone())?;
    let (found, _) = provider.files(&[]).await?;
    let fingerprint = fingerprint(&table, &found);
    let total_bytes = found.bytes();
    let schema = provider.schema();
    let wanted: Vec<(&Field, Kind)> = schema
        .fields()
        .iter()
        .filter(|f| columns.is_none_or(|names| names.contains(f.name())))
        .filter_map(|f| Some((f.as_ref(), Kind::of(f.data_type())?)))
        .collect();
    let source = provider_as_source(Arc::new(Pinned {
        table: provider,
        found,
    }));
    let analyzed = Utc::now();
    let mut row_count = 0;
    let mut counted = Vec::with_capacity(wanted.len());
    let mut passes: Vec<&[(&Field, Kind)]> = wanted.chunks(AT_ONCE).collect();
    if passes.is_empty() {
        passes.push(&[]);
    }
    for pass in passes {
        let (rows, values) = aggregate(session, source.clone(), pass).await?;
        row_count = rows;
        for ((field, kind), values) in pass.iter().zip(values) {
            let hive = table
                .columns()
                .iter()
                .chain(&table.partition_keys)
                .find(|c| &c.name == field.name());
            counted.push(ColumnStatistics {
                column_name: field.name().clone(),
                column_type: hive.map(|c| c.hive_type().to_owned()).unwrap_or_default(),
                analyzed_time: analyzed,
                statistics_data: kind.data(rows, &values),
            });
        }
    }
    let (database, name) = (&table.database_name, &table.name);
    if let Some(before) = catalog.get_column_statistics(database, name).await?
        && before.fingerprint == fingerprint
    {
        let others = before.columns.into_iter();
        let others = others.filter(|old| !counted.iter().any(|c| c.column_name == old.column_name));
        let others: Vec<_> = others.collect();
        counted.extend(others);
        let place = |name: &str| schema.fields().iter().position(|f| f.name() == name);
        counted.sort_by_key(|c| place(&c.column_name));
    }
    let statistics = TableStatistics {
        row_count,
        total_bytes,
        analyzed,
        fingerprint,
        columns: counted,
    };
    catalog
        .put_column_statistics(database, name, statistics.clone())
        .await?;
    Ok(statistics)
}

/// How many rows there are, and what the aggregates of each column tell.
async fn aggregate(
    session: &Session,
    source: Arc<dyn TableSource>,
    columns: &[(&Field, Kind)],
) -> Result<(u64, Vec<Vec<ScalarValue>>)> {
    let mut all = vec![count(lit(1))];
    let mut ends = Vec::with_capacity(columns.len());
    for (field, kind) in columns {
        let column = Column::new(Some(TableReference::bare(NAME)), field.name());
        all.extend(kind.aggregates(&Expr::Column(column))?);
        ends.push(all.len());
    }
    let named = all.into_iter().enumerate();
    let named = named.map(|(at, aggregate)| aggregate.alias(at.to_string()));
    let plan = LogicalPlanBuilder::scan(NAME, source, None)?
        .aggregate(Vec::<Expr>::new(), named)?
        .build()?;
    let batches = DataFrame::new(session.context().state(), plan)
        .collect()
        .await?;
    let mut values = Vec::new();
    // An aggregate of all rows is one row.
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        for column in batch.columns() {
            values.push(ScalarValue::try_from_array(column, 0)?);
        }
    }
    let rows = match values.first() {
        Some(ScalarValue::Int64(Some(rows))) => u64::try_from(*rows).unwrap_or_default(),
        _ => 0,
    };
    let mut start = 1;
    let of_columns = ends.into_iter().map(|end| {
        let own = values.get(start..end).unwrap_or_default().to_vec();
        start = end;
        own
    });
    Ok((rows, of_columns.collect()))
}

/// A table with the files it had at one moment, so that what is counted is what the fingerprint is of.
struct Pinned {
    table: LakeTable,
    found: FileSet,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pinned").field(&self.table).finish()
    }
}

#[async_trait]
impl TableProvider for Pinned {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn EngineSession,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        self.table
            .plan(session, self.found.clone(), projection, limit)
    }
}
