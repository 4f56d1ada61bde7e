//! What a query reads: tables, partitions, files.

use std::collections::HashSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use serde_json::{Value, json};

use super::super::run::counted;
use crate::error::Result;
use crate::table::LakeTable;

/// A table that a query reads.
#[derive(Debug)]
pub(super) struct Scan {
    /// `database.table`.
    pub(super) table: String,
    /// The paths of the files that are left after pruning.
    pub(super) paths: HashSet<String>,
    bytes: u64,
    /// Of the partitions there are, how many are left, where the table has any.
    partitions: Option<(usize, u64)>,
    filters: Vec<String>,
    columns: Vec<String>,
    /// How many columns the table has.
    all_columns: usize,
}

/// The tables that a plan reads, in the plan's order.
pub(super) async fn find(plan: &LogicalPlan) -> Result<Vec<Scan>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.push(scan.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut scans = Vec::with_capacity(found.len());
    for scan in found {
        let Ok(provider) = source_as_provider(&scan.source) else {
            continue;
        };
        let Some(lake) = provider.downcast_ref::<LakeTable>() else {
            continue;
        };
        let listed = lake.files(&scan.filters).await?;
        let partitions = match listed.partitions {
            Some(left) => Some((left, lake.count_partitions().await?)),
            None => None,
        };
        let table = lake.table();
        let files = listed.found.places.iter().flat_map(|(_, files)| files);
        scans.push(Scan {
            table: format!("{}.{}", table.database_name, table.name),
            bytes: listed.found.bytes(),
            paths: files.map(|f| f.meta.location.to_string()).collect(),
            partitions,
            filters: scan
                .filters
                .iter()
                .map(|f| f.human_display().to_string())
                .collect(),
            columns: scan
                .projected_schema
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .collect(),
            all_columns: scan.source.schema().fields().len(),
        });
    }
    Ok(scans)
}

impl Scan {
    /// Whether its table has this name, in whatever database.
    pub(super) fn is_of(&self, table: &str) -> bool {
        self.table
            .split_once('.')
            .is_some_and(|(_, own)| own == table)
    }
}

/// What is said of a scan.
pub(super) fn details(scan: &Scan) -> Vec<(String, String)> {
    let mut details = Vec::new();
    let mut push = |name: &str, value: String| details.push((name.to_owned(), value));
    if let Some((left, all)) = scan.partitions {
        push("partitions", format!("{left} of {all}"));
    }
    push(
        "files",
        format!(
            "{}, {}",
            counted(scan.paths.len(), "file"),
            bytes_shown(scan.bytes)
        ),
    );
    if !scan.filters.is_empty() {
        push("filter", scan.filters.join(" AND "));
    }
    let names = scan.columns.join(", ");
    let count = scan.columns.len();
    push(
        "columns",
        if count == 0 {
            format!("none of {}", scan.all_columns)
        } else {
            format!("{count} of {}: {names}", scan.all_columns)
        },
    );
    details
}

/// `EXPLAIN (TYPE IO)`: the tables by Trino's names ("EXPLAIN", Trino documentation).
pub(super) fn io(scans: &[Scan]) -> Value {
    let tables = scans.iter().map(|scan| {
        let (schema, table) = scan.table.split_once('.').unwrap_or_default();
        json!({
            "table": {
                "catalog": crate::session::CATALOG,
                "schemaTable": {"schema": schema, "table": table},
            },
            "columns": scan.columns,
            "constraints": scan.filters,
            "files": scan.paths.len(),
            "partitions": scan.partitions.map(|(left, _)| left),
            "estimate": {"outputSizeInBytes": scan.bytes},
        })
    });
    json!({"inputTableColumnInfos": tables.collect::<Vec<_>>()})
}

/// A number of bytes for people.
#[allow(clippy::cast_precision_loss)] // it is rounded
pub(super) fn bytes_shown(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {unit}")
    }
}
