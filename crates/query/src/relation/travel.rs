//! Older versions of tables.
//!
//! A version of the catalog is a table's definition with its partitions, as they were. What lies in its folders is what
//! lies there now: files that were deleted since then are gone, and those that were added to a folder are read.

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use datafusion::dataframe::DataFrame;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, TableVersion, Value, Visit, Visitor,
};
use mastic_catalog::{CatalogError, Table, VersionId};
use mastic_functions::sql;

use super::place;
use crate::error::{QueryError, Result};
use crate::snapshot::Snapshot;
use crate::table::LakeTable;

/// Which version of a table is meant.
enum Wanted {
    Version(VersionId),
    At(DateTime<Utc>),
}

/// What names are looked up in, and expressions evaluated by.
pub(super) struct Within<'a> {
    pub(super) state: &'a SessionState,
    pub(super) snapshot: &'a Snapshot,
    pub(super) database: Option<&'a str>,
}

impl Within<'_> {
    /// The table of a name in a version, or in its current one; none where the engine knows better what it is.
    pub(super) async fn open(
        &self,
        name: &ObjectName,
        version: Option<TableVersion>,
    ) -> Result<Option<LakeTable>> {
        let reference = object_name_to_table_reference(name.clone(), true)?;
        let place = place(self.database, &reference);
        let no_versions = || statement(format!("'{name}' has no versions"), None);
        let (found, travels) = match (place, version) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(no_versions()),
            (Some((database, table)), None) => {
                (self.snapshot.table(&database, &table).await?, false)
            }
            (Some((database, table)), Some(version)) => {
                let wanted = self.wanted(version).await?;
                let found = self.in_version(&database, &table, wanted).await?;
                (Some(Arc::new(found)), true)
            }
        };
        // A view, or something else without files.
        let Some(found) = found.filter(|t| t.storage_descriptor.is_some() && !is_view(t)) else {
            return match travels {
                true => Err(no_versions()),
                false => Ok(None),
            };
        };
        let (catalog, stores) = (self.snapshot.catalog(), self.snapshot.stores());
        LakeTable::new(found, catalog.clone(), stores.clone()).map(Some)
    }

    /// What a version's expression says.
    async fn wanted(&self, version: TableVersion) -> Result<Wanted> {
        match version {
            TableVersion::VersionAsOf(Expr::Value(value)) => match &value.value {
                Value::Number(text, _) if text.parse::<i64>().is_ok_and(|n| n > 0) => {
                    Ok(Wanted::Version(VersionId(text.parse().unwrap_or_default())))
                }
                other => Err(statement(
                    format!("{other} is no version: versions are whole numbers from 1"),
                    None,
                )),
            },
            TableVersion::TimestampAsOf(expr) | TableVersion::ForSystemTimeAsOf(expr) => {
                self.time(expr).await.map(Wanted::At)
            }
            other => Err(QueryError::Unsupported(format!(
                "{other} is not built: write FOR VERSION AS OF or FOR TIMESTAMP AS OF"
            ))),
        }
    }

    /// The moment that a constant expression says; without a zone it is UTC, as all times of a session are.
    async fn time(&self, expr: Expr) -> Result<DateTime<Utc>> {
        let text = expr.to_string();
        let select = format!("SELECT {text}");
        let wrong = |what: &str| {
            statement(
                format!("FOR TIMESTAMP AS OF {text}: {what}"),
                Some("write FOR TIMESTAMP AS OF TIMESTAMP '2024-01-31 12:00:00 UTC'".to_owned()),
            )
        };
        if has_query(&expr) {
            return Err(wrong("a query is no constant"));
        }
        let mut one: Statement = sql::parse(&select)?
            .pop_front()
            .ok_or_else(|| wrong("it is no expression"))?;
        sql::rewrite(&mut one);
        let plan = self.state.statement_to_plan(one).await?;
        let batches = DataFrame::new(self.state.clone(), plan).collect().await?;
        let value = batches
            .first()
            .filter(|b| b.num_rows() == 1)
            .and_then(|b| b.columns().first())
            .ok_or_else(|| wrong("it is not one value"))?;
        if !matches!(
            value.data_type(),
            DataType::Timestamp(..) | DataType::Date32
        ) {
            return Err(wrong("it is no timestamp and no date"));
        }
        let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let value = cast(value, &utc).map_err(|e| wrong(&e.to_string()))?;
        let millis = value.as_primitive::<TimestampMillisecondType>();
        let millis = (!millis.is_empty() && millis.is_valid(0)).then(|| millis.value(0));
        millis
            .and_then(DateTime::from_timestamp_millis)
            .ok_or_else(|| wrong("it is NULL"))
    }

    async fn in_version(&self, database: &str, table: &str, wanted: Wanted) -> Result<Table> {
        let catalog = self.snapshot.catalog();
        match wanted {
            Wanted::Version(version) => {
                match catalog.get_table_version(database, table, version).await {
                    Err(CatalogError::VersionNotFound { oldest, newest, .. }) => Err(statement(
                        format!("{database}.{table} has no version {}", version.0),
                        Some(match oldest == newest {
                            true => format!("version {} is kept", newest.0),
                            false => format!("versions {} to {} are kept", oldest.0, newest.0),
                        }),
                    )),
                    found => Ok(found?),
                }
            }
            Wanted::At(time) => {
                let versions = catalog.list_table_versions(database, table).await?;
                let oldest = versions.last().map(|v| (v.version, v.created));
                // The newest first.
                let then = versions.into_iter().find(|v| v.created <= time);
                let then = then.map(|v| v.table);
                let shown = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
                then.ok_or_else(|| {
                    statement(
                        format!(
                            "no version of {database}.{table} is kept of {}",
                            shown(time)
                        ),
                        oldest.map(|(version, created)| {
                            let created = shown(created);
                            format!("the oldest, version {}, was made at {created}", version.0)
                        }),
                    )
                })
            }
        }
    }
}

fn is_view(table: &Table) -> bool {
    table.view_original_text.is_some() || table.table_type.as_deref() == Some("VIRTUAL_VIEW")
}

fn statement(message: String, hint: Option<String>) -> QueryError {
    QueryError::Statement {
        message,
        place: None,
        hint,
    }
}

/// Whether there is a query in an expression.
fn has_query(expr: &Expr) -> bool {
    struct Queries;
    impl Visitor for Queries {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    expr.visit(&mut Queries).is_break()
}
