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
/// Tables and columns are named without quotes, in any case; partition keys are columns too. Nested columns have no
/// statistics in Glue's model: of all columns they are left out, and asked for by name they are an error. Numbers of
/// different values are estimates (HyperLogLog, off by about 1 %), and times are rounded outwards to seconds; all else
/// is exact. Lengths are in bytes, and averages over what is not NULL.
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
    let found = provider.files(&[]).await?.found;
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
    let state = session.context().state();
    let physical = DataFrame::new(state.clone(), plan)
        .create_physical_plan()
        .await?;
    crate::execution::observe(&physical);
    let batches = datafusion::physical_plan::collect(physical, state.task_ctx()).await?;
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

#[cfg(test)]
mod tests {
    use mastic_catalog::{Change, ChangeSet, Database, Expected, OpenMode, PartitionChanges};
    use mastic_lake::store::Stores;

    use super::*;

    /// A table of more columns than one pass counts, with one row of 0, 1, 2… and one of NULL.
    async fn wide(dir: &std::path::Path) -> Session {
        let names: Vec<String> = (0..=AT_ONCE).map(|n| format!("C{n}")).collect();
        let numbers: Vec<String> = (0..=AT_ONCE).map(|n| n.to_string()).collect();
        let nulls = ",".repeat(AT_ONCE);
        let text = format!("{}\n{}\n{nulls}\n", names.join(","), numbers.join(","));
        std::fs::create_dir(dir.join("w")).unwrap();
        std::fs::write(dir.join("w/a.csv"), text).unwrap();
        let column =
            |name: &String| serde_json::json!({"Name": name.to_lowercase(), "Type": "int"});
        let table: Table = serde_json::from_value(serde_json::json!({
            "DatabaseName": "d",
            "Name": "w",
            "Parameters": {"classification": "csv", "skip.header.line.count": "1"},
            "StorageDescriptor": {
                "Columns": names.iter().map(column).collect::<Vec<_>>(),
                "Location": dir.join("w").to_str().unwrap(),
            },
        }))
        .unwrap();
        let url = dir.join("c.db").display().to_string();
        let catalog = mastic_catalog::open(&url, OpenMode::CreateIfMissing)
            .await
            .unwrap();
        let changes = ChangeSet::new("test")
            .with(Change::CreateDatabase {
                database: Database::new("d"),
                if_not_exists: true,
            })
            .with(Change::PutTable {
                table,
                expected: Expected::Any,
                partitions: PartitionChanges::none(),
            });
        catalog.apply(changes).await.unwrap();
        let stores = Arc::new(Stores::default());
        Session::open(catalog, stores, None).await.unwrap()
    }

    #[tokio::test]
    async fn a_wide_table_is_counted_in_passes() {
        let dir = tempfile::tempdir().unwrap();
        let session = wide(dir.path()).await;
        let some = ["C1".to_owned(), "c1".to_owned(), "c7".to_owned()];
        let counted = analyze(&session, ("D", "W"), Some(&some)).await.unwrap();
        let names: Vec<&str> = counted
            .columns
            .iter()
            .map(|c| c.column_name.as_str())
            .collect();
        assert_eq!(names, ["c1", "c7"]);
        let counted = analyze(&session, ("d", "w"), None).await.unwrap();
        assert_eq!(counted.row_count, 2);
        assert_eq!(counted.columns.len(), AT_ONCE + 1);
        for (at, column) in counted.columns.iter().enumerate() {
            let mastic_catalog::ColumnStatisticsData::Long(data) = &column.statistics_data else {
                panic!("{column:?}");
            };
            let at = i64::try_from(at).unwrap();
            assert_eq!(column.column_name, format!("c{at}"));
            assert_eq!(
                (data.minimum_value, data.maximum_value),
                (Some(at), Some(at))
            );
            assert_eq!(
                (data.number_of_nulls, data.number_of_distinct_values),
                (1, 1)
            );
        }
        let kept = session
            .catalog()
            .get_column_statistics("d", "w")
            .await
            .unwrap();
        assert_eq!(kept, Some(counted));
    }

    #[tokio::test]
    async fn a_column_that_is_not_there_is_an_error_and_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let session = wide(dir.path()).await;
        let none = ["c1".to_owned(), "nothing".to_owned()];
        let error = analyze(&session, ("d", "w"), Some(&none))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "d.w has no column 'nothing'");
        assert!(error.hint().is_some(), "{error:?}");
        let kept = session
            .catalog()
            .get_column_statistics("d", "w")
            .await
            .unwrap();
        assert_eq!(kept, None);
    }
}
