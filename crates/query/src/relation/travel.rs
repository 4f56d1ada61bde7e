//! Older versions of tables.
//!
//! A version of the catalog is a table's definition with its partitions, as they were. What lies in its folders is what
//! lies there now: files that were deleted since then are gone, and those that were added to a folder are read.

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use datafusion::dataframe::DataFrame;
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, TableVersion, Value};
use mastic_catalog::{CatalogError, Table, VersionId};
use mastic_functions::sql;

use super::place;
use crate::error::{QueryError, Result};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::statement::no_table;
use crate::table::LakeTable;

/// Which version of a table is meant.
enum Wanted {
    Version(VersionId),
    At(DateTime<Utc>),
}

/// The table of a name in a version, or in its current one; none where the engine knows better what it is.
pub(super) async fn open(
    session: &Session,
    snapshot: &Snapshot,
    name: &ObjectName,
    version: Option<TableVersion>,
) -> Result<Option<LakeTable>> {
    let wanted = match version {
        None => None,
        Some(version) => Some(wanted(session, version).await?),
    };
    let reference = object_name_to_table_reference(name.clone(), true)?;
    let Some((database, table)) = place(session, &reference) else {
        return match wanted {
            None => Ok(None),
            Some(_) => Err(statement(format!("'{name}' has no versions"), None)),
        };
    };
    let found = match wanted {
        None => snapshot.table(&database, &table).await?,
        Some(wanted) => {
            let read = in_version(session, &database, &table, wanted).await;
            match read {
                Err(QueryError::Catalog(
                    CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. },
                )) => {
                    snapshot.load_names().await?;
                    let full = format!("{database}.{table}");
                    return Err(no_table(session, snapshot, &full, None));
                }
                read => Some(std::sync::Arc::new(read?)),
            }
        }
    };
    // A view, or something else without files.
    let Some(found) = found.filter(|t| t.storage_descriptor.is_some() && !is_view(t)) else {
        return Ok(None);
    };
    let (catalog, stores) = (session.catalog().clone(), session.stores().clone());
    LakeTable::new(found, catalog, stores).map(Some)
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

/// What a version's expression says.
async fn wanted(session: &Session, version: TableVersion) -> Result<Wanted> {
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
            time(session, expr).await.map(Wanted::At)
        }
        other => Err(QueryError::Unsupported(format!(
            "{other} is not built: write FOR VERSION AS OF or FOR TIMESTAMP AS OF"
        ))),
    }
}

/// The moment that a constant expression says; without a zone it is UTC, as all times of a session are.
async fn time(session: &Session, expr: Expr) -> Result<DateTime<Utc>> {
    let text = expr.to_string();
    let select = format!("SELECT {text}");
    let wrong = |what: &str| {
        statement(
            format!("FOR TIMESTAMP AS OF {text}: {what}"),
            Some("write FOR TIMESTAMP AS OF TIMESTAMP '2024-01-31 12:00:00 UTC'".to_owned()),
        )
    };
    let mut one: Statement = sql::parse(&select)?
        .pop_front()
        .ok_or_else(|| wrong("it is no expression"))?;
    sql::rewrite(&mut one);
    let state = session.statements().state();
    let plan = state.statement_to_plan(one).await?;
    let batches = DataFrame::new(state, plan).collect().await?;
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

async fn in_version(
    session: &Session,
    database: &str,
    table: &str,
    wanted: Wanted,
) -> Result<Table> {
    let catalog = session.catalog();
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
