//! What a plan reads of its frames' sources: for `--explain`, and for a run's summary.

use std::any::Any;
use std::collections::BTreeSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use mastic_lake::format::{FileFormat, JsonOptions};
use mastic_schema::origin::is_origin;

use super::SeenObject;
use super::keys::is_of;
use super::provider::FrameTable;

/// How the catalog store chose a table's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePruning {
    /// How many it chose.
    pub selected: u64,
    /// Of how many.
    pub partitions: u64,
    /// By what, in SQL; nothing where it was asked for all.
    pub predicate: Option<String>,
}

/// How a plan reads a frame's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameScan {
    /// The source's name in the plan.
    pub name: String,
    /// How its partitions were chosen, where it is a table that has any.
    pub store: Option<StorePruning>,
    /// The partition keys, outermost first.
    pub keys: Vec<String>,
    /// The formats of the files, by Glue's classification; of JSON whose records a path leads to, `json at a path`.
    pub formats: BTreeSet<String>,
    /// How many files the source's snapshot has.
    pub files: u64,
    /// How many bytes they have, as stored.
    pub bytes: u64,
    /// The files, as they were listed: what a run reads, and what a bookmark is to remember.
    pub objects: Vec<SeenObject>,
    /// The conditions on partition keys that the plan selects some of the snapshot's files by.
    pub partition_filters: Vec<String>,
    /// The other conditions that the files' reader got.
    pub filters: Vec<String>,
    /// The columns that are read, those of a record's origin left out.
    pub columns: Vec<String>,
    /// How many columns there are.
    pub all_columns: usize,
}

/// How a plan reads each of its frames' sources. Filters and columns are those that the plan's scans have: of a plan
/// that is not optimised, none and all.
pub fn frame_scans(plan: &LogicalPlan) -> Vec<FrameScan> {
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

fn described(scan: &TableScan) -> Option<FrameScan> {
    let provider = source_as_provider(&scan.source).ok()?;
    let any: &dyn Any = provider.as_ref();
    let table = any.downcast_ref::<FrameTable>()?;
    let texts = |of_keys: bool| {
        let filters = scan.filters.iter();
        let filters = filters.filter(|f| is_of(f, &table.keys) == of_keys);
        let bare = filters.map(|f| unnormalize_col(f.clone()));
        bare.map(|f| f.human_display().to_string()).collect()
    };
    let columns = scan.projected_schema.fields().iter();
    let columns = columns.filter(|f| !is_origin(f.name()));
    let objects = table.objects();
    let files = table.found.places.iter().flat_map(|(_, files)| files);
    Some(FrameScan {
        name: table.name.clone(),
        keys: table.keys.iter().map(|key| key.name().clone()).collect(),
        formats: files.map(|f| format_name(&f.format)).collect(),
        store: table.pruning.clone(),
        files: objects.len() as u64,
        bytes: table.found.bytes(),
        objects,
        partition_filters: texts(true),
        filters: texts(false),
        columns: columns.map(|f| f.name().clone()).collect(),
        all_columns: scan.source.schema().fields().len().saturating_sub(2),
    })
}

fn format_name(format: &FileFormat) -> String {
    match format {
        FileFormat::Json(options) if *options != JsonOptions::default() => {
            "json at a path".to_owned()
        }
        other => other.classification().to_owned(),
    }
}
