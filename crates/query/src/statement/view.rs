//! Views: how the catalog keeps them, and how they are read.
//!
//! They are kept as Athena keeps them, so that views go to and fro: a table of the type `VIRTUAL_VIEW` with the parameter
//! `presto_view` and, in `ViewOriginalText`, `/* Presto View: … */` around a JSON document in base64 (Trino's
//! `ViewReaderUtil` and `ConnectorViewDefinition`). A text that is a query as it is, as Hive writes it, is read, too.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList, TableProvider};
use datafusion::common::Column as Reference;
use datafusion::datasource::ViewTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use mastic_catalog::{Column, StorageDescriptor, Table};
use mastic_schema::hive::{format_type, parse_type};
use serde_json::{Value, json};

use crate::error::{QueryError, Result};
use crate::session::CATALOG;
use crate::snapshot::Snapshot;

/// The table type of views.
pub(crate) const VIRTUAL_VIEW: &str = "VIRTUAL_VIEW";

const BEFORE: &str = "/* Presto View: ";
const BEHIND: &str = " */";

/// How many views may lie over each other: each is planned within the one above it, on the same stack.
const MAX_DEPTH: usize = 12;

/// A view as the catalog keeps it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The query.
    pub(super) query: String,
    /// The database of names without one.
    pub(super) database: String,
    /// What it is about.
    pub(super) comment: Option<String>,
}

impl Stored {
    /// What the catalog keeps of a view; none where the table is none.
    pub(super) fn of(table: &Table) -> Option<Result<Stored>> {
        super::run::is_view(table).then(|| Self::read(table))
    }

    fn read(table: &Table) -> Result<Stored> {
        let full = format!("{}.{}", table.database_name, table.name);
        let broken = |why: String| QueryError::Statement {
            message: format!("the view {full} cannot be read: {why}"),
            place: None,
            hint: Some("write it anew: CREATE OR REPLACE VIEW … AS".to_owned()),
        };
        let original = table
            .view_original_text
            .as_deref()
            .unwrap_or_default()
            .trim();
        let comment = table.description.clone();
        if let Some(encoded) = original.strip_prefix(BEFORE.trim_end()) {
            let encoded = encoded.strip_suffix(BEHIND.trim_start()).unwrap_or(encoded);
            let bytes = STANDARD
                .decode(encoded.trim())
                .map_err(|e| broken(format!("its text is no base64: {e}")))?;
            let document: Value = serde_json::from_slice(&bytes)
                .map_err(|e| broken(format!("its text is no JSON: {e}")))?;
            let text = |name: &str| document.get(name).and_then(Value::as_str);
            let query = text("originalSql").ok_or_else(|| broken("it has no query".to_owned()))?;
            return Ok(Stored {
                query: query.to_owned(),
                database: text("schema")
                    .unwrap_or(&table.database_name)
                    .to_lowercase(),
                comment: text("comment").map(str::to_owned).or(comment),
            });
        }
        let expanded = table.view_expanded_text.as_deref().map(str::trim);
        let plain = [expanded, Some(original)]
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty() && !text.starts_with("/* Presto"));
        match plain {
            Some(query) => Ok(Stored {
                query: query.to_owned(),
                database: table.database_name.clone(),
                comment,
            }),
            None => Err(broken("it has no text".to_owned())),
        }
    }

    /// The table of the catalog that a view is.
    pub(super) fn table(&self, name: &str, columns: Vec<Column>, types: &[DataType]) -> Table {
        let of_document = columns
            .iter()
            .zip(types)
            .map(|(column, data_type)| json!({"name": column.name, "type": trino_type(data_type)}));
        let mut document = json!({
            "originalSql": self.query,
            "catalog": CATALOG,
            "schema": self.database,
            "columns": of_document.collect::<Vec<_>>(),
            "runAsInvoker": false,
        });
        if let (Some(comment), Some(document)) = (&self.comment, document.as_object_mut()) {
            document.insert("comment".to_owned(), comment.as_str().into());
        }
        let encoded = STANDARD.encode(document.to_string());
        let mut table = Table::new(self.database.as_str(), name);
        table.table_type = Some(VIRTUAL_VIEW.to_owned());
        table.description.clone_from(&self.comment);
        table.view_original_text = Some(format!("{BEFORE}{encoded}{BEHIND}"));
        table.view_expanded_text = Some("/* Presto View */".to_owned());
        table.parameters = [("presto_view", "true"), ("comment", "Presto View")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        table.storage_descriptor = Some(StorageDescriptor {
            columns,
            ..StorageDescriptor::default()
        });
        table
    }
}

/// A type as Trino writes it.
fn trino_type(data_type: &DataType) -> String {
    let of = |field: &Field| trino_type(field.data_type());
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 => "bigint".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            let zone = if zone.is_some() {
                " with time zone"
            } else {
                ""
            };
            format!("timestamp({digits}){zone}")
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "varbinary".to_owned(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("array({})", of(item))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => {
                let parts: Vec<String> = pair.iter().map(|field| of(field)).collect();
                format!("map({})", parts.join(", "))
            }
            _ => "map(varchar, varchar)".to_owned(),
        },
        DataType::Struct(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .map(|field| format!("\"{}\" {}", field.name().replace('"', "\"\""), of(field)))
                .collect();
            format!("row({})", parts.join(", "))
        }
        // Decimals are written alike.
        other => match format_type(other) {
            hive if hive.starts_with("decimal") => hive,
            _ => "varchar".to_owned(),
        },
    }
}

/// A view as a table of the engine, planned over the same snapshot.
///
/// # Errors
/// When it cannot be read, its query has other columns than when it was made, or views lie over themselves.
pub(crate) async fn provider(snapshot: &Snapshot, table: &Table) -> Result<Arc<dyn TableProvider>> {
    let full = format!("{}.{}", table.database_name, table.name);
    let stored = Stored::read(table)?;
    let state = snapshot.state().ok_or_else(|| {
        QueryError::Unsupported(format!(
            "{full} is a view, and there is no session to plan it"
        ))
    })?;
    let inner = within(snapshot, &full)?;
    let plan = plan(state, inner, &stored.database, &stored.query)
        .await
        .map_err(|e| of_view(&full, e))?;
    let plan = as_stored(table, plan).map_err(|e| of_view(&full, e))?;
    Ok(Arc::new(ViewTable::new(plan, Some(stored.query))))
}

/// The snapshot as a view sees it.
pub(super) fn within(snapshot: &Snapshot, view: &str) -> Result<Snapshot> {
    let views = snapshot.views();
    let wrong = |message: String| QueryError::Statement {
        message,
        place: None,
        hint: None,
    };
    if views.iter().any(|above| above == view) {
        let way: Vec<&str> = views.iter().map(String::as_str).chain([view]).collect();
        return Err(wrong(format!(
            "the view {view} reads itself: {}",
            way.join(" → ")
        )));
    }
    if views.len() >= MAX_DEPTH {
        return Err(wrong(format!(
            "more than {MAX_DEPTH} views lie over each other, down to {view}"
        )));
    }
    Ok(snapshot.within(view))
}

/// Plans a query whose names are looked up in a snapshot, those without a database in this one.
pub(super) async fn plan(
    state: SessionState,
    snapshot: Snapshot,
    database: &str,
    query: &str,
) -> Result<LogicalPlan> {
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(snapshot.clone()));
    let mut state = SessionStateBuilder::from(state)
        .with_catalog_list(Arc::new(list))
        .build();
    database.clone_into(&mut state.config_mut().options_mut().catalog.default_schema);
    super::plan_query(&state, &snapshot, Some(database), query).await
}

/// An error within a view, which is no mistake in the statement's own text.
fn of_view(view: &str, error: QueryError) -> QueryError {
    match error {
        QueryError::Statement { message, hint, .. } => QueryError::Statement {
            message: format!("in the view {view}: {message}"),
            place: None,
            hint,
        },
        QueryError::Unsupported(message) => {
            QueryError::Unsupported(format!("in the view {view}: {message}"))
        }
        other => other,
    }
}

/// The plan with the columns that the view was made with.
fn as_stored(table: &Table, plan: LogicalPlan) -> Result<LogicalPlan> {
    let columns = table.columns();
    let found: Vec<(Reference, DataType)> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Reference::new(qualifier.cloned(), field.name());
            (column, field.data_type().clone())
        })
        .collect();
    if columns.is_empty() {
        return Ok(plan);
    }
    let stale = |what: String| QueryError::Statement {
        message: format!("the view is stale: {what}"),
        place: None,
        hint: Some("write it anew: CREATE OR REPLACE VIEW … AS".to_owned()),
    };
    if found.len() != columns.len() {
        return Err(stale(format!(
            "its query has {} columns, and had {} when it was made",
            found.len(),
            columns.len()
        )));
    }
    let mut exprs = Vec::with_capacity(columns.len());
    for (column, (reference, data_type)) in columns.iter().zip(found) {
        if !reference.name.eq_ignore_ascii_case(&column.name) {
            return Err(stale(format!(
                "its query has a column '{}' where '{}' was when it was made",
                reference.name, column.name
            )));
        }
        let expr = Expr::Column(reference);
        // A type that only others know is left as the query has it.
        let wanted = parse_type(column.hive_type()).ok();
        let expr = match wanted.filter(|wanted| format_type(wanted) != format_type(&data_type)) {
            None => expr,
            Some(wanted) if widens(&data_type, &wanted) => cast(expr, wanted),
            Some(_) => {
                return Err(stale(format!(
                    "its column '{}' is {}, and was {} when it was made",
                    column.name,
                    format_type(&data_type),
                    column.hive_type()
                )));
            }
        };
        exprs.push(expr.alias(column.name.as_str()));
    }
    Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
}

/// Whether Trino makes the one of the other without being asked.
fn widens(from: &DataType, to: &DataType) -> bool {
    let rank = |data_type: &DataType| match data_type {
        DataType::Int8 => Some(1),
        DataType::Int16 | DataType::UInt8 => Some(2),
        DataType::Int32 | DataType::UInt16 => Some(3),
        DataType::Int64 | DataType::UInt32 => Some(4),
        DataType::Decimal128(..) => Some(5),
        DataType::Float32 => Some(6),
        DataType::Float64 => Some(7),
        _ => None,
    };
    match (from, to) {
        (DataType::Null, _) => true,
        (DataType::Decimal128(p, s), DataType::Decimal128(wide, scale)) => {
            scale >= s && i16::from(*wide) - i16::from(*scale) >= i16::from(*p) - i16::from(*s)
        }
        (DataType::Date32, DataType::Timestamp(_, None)) => true,
        (DataType::Timestamp(_, a), DataType::Timestamp(_, b)) => a.is_some() == b.is_some(),
        _ => matches!((rank(from), rank(to)), (Some(a), Some(b)) if a < b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A view as Athena writes it ("Viewing and editing views" shows the JSON; the base64 was made with Python).
    #[test]
    fn a_view_of_athenas_is_read() {
        let mut table = Table::new("d", "v");
        table.table_type = Some(VIRTUAL_VIEW.into());
        table.view_original_text = Some("/* Presto View: eyJvcmlnaW5hbFNxbCI6IlNFTEVDVCAxIGEiLCJjYXRhbG9nIjoiYXdzZGF0YWNhdGFsb2ciLCJzY2hlbWEiOiJPdGhlciIsImNvbHVtbnMiOlt7Im5hbWUiOiJhIiwidHlwZSI6ImludGVnZXIifV19 */".into());
        assert_eq!(
            Stored::of(&table).unwrap().unwrap(),
            Stored {
                query: "SELECT 1 a".into(),
                database: "other".into(),
                comment: None
            }
        );
    }

    #[test]
    fn a_view_of_hives_is_its_expanded_text() {
        let mut table = Table::new("d", "v");
        table.table_type = Some(VIRTUAL_VIEW.into());
        table.view_original_text = Some("SELECT * FROM t".into());
        table.view_expanded_text = Some("SELECT `t`.`a` FROM `d`.`t`".into());
        let stored = Stored::of(&table).unwrap().unwrap();
        assert_eq!(stored.query, "SELECT `t`.`a` FROM `d`.`t`");
        table.view_expanded_text = None;
        assert_eq!(
            Stored::of(&table).unwrap().unwrap().query,
            "SELECT * FROM t"
        );
        table.view_original_text = None;
        assert!(Stored::of(&table).unwrap().is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let stored = Stored {
            query: "SELECT 'é */' AS a".into(),
            database: "d".into(),
            comment: Some("about".into()),
        };
        let table = stored.table("v", vec![Column::new("a", "string")], &[DataType::Utf8]);
        assert_eq!(Stored::of(&table).unwrap().unwrap(), stored);
        assert!(Stored::of(&Table::new("d", "t")).is_none());
    }

    // The names are those of Trino's documentation, "Data types".
    #[test]
    fn types_are_trinos() {
        for (hive, trino) in [
            ("int", "integer"),
            ("string", "varchar"),
            ("decimal(10,2)", "decimal(10,2)"),
            ("array<map<string,float>>", "array(map(varchar, real))"),
            (
                "struct<a:bigint,b:binary>",
                "row(\"a\" bigint, \"b\" varbinary)",
            ),
            ("timestamp", "timestamp(6)"),
        ] {
            assert_eq!(trino_type(&parse_type(hive).unwrap()), trino, "{hive}");
        }
    }
}
