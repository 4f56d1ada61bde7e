//! Whether two queries would read the same, and so have the same result.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use mastic_catalog::Table;
use mastic_lake::scan::LakeSource;

use super::measure::{files, walk};
use crate::statistics::Fnv;
use crate::table::LakeTable;

/// A file that was changed so shortly before it was listed could be changed again without a sign of it: clocks of file
/// systems tick. (Git calls such a file "racily clean".)
const SETTLED: TimeDelta = TimeDelta::seconds(2);

/// The catalog's tables that a plan reads with filters, and which of them have partitions.
pub(super) fn tables(plan: &LogicalPlan) -> Vec<(Arc<Table>, bool)> {
    let mut tables = Vec::new();
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(table) = provider.downcast_ref::<LakeTable>()
        {
            tables.push((table.table().clone(), !scan.filters.is_empty()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    tables
}

/// What tells a query from every other that could have another result: a digest of its text, database and workgroup, of
/// the plan (which holds the definitions of views), and of its tables' versions and files: path, size, time of change and
/// entity tag. `None` where its result must not be used again: it calls what does not depend on its inputs alone (`now()`,
/// `random()`, `uuid()`…), asks where files lie, reads what is not in the catalog, or files that were changed just now.
///
/// `bound` is the plan as it was written, `planned` and `physical` as it runs, over a fresh listing.
pub(super) fn reuse_key(
    query: (&str, Option<&str>, &str),
    bound: &LogicalPlan,
    planned: &LogicalPlan,
    physical: &Arc<dyn ExecutionPlan>,
    now: DateTime<Utc>,
) -> Option<String> {
    let (text, database, workgroup) = query;
    let mut hash = Fnv::new();
    hash.text(env!("CARGO_PKG_VERSION"));
    hash.text(text);
    hash.text(database.unwrap_or_default());
    hash.text(workgroup);
    if !told(bound, &mut hash) || !read(planned, &mut hash) {
        return None;
    }
    let listed = listing(physical, now)?;
    hash.text(&listed);
    Some(hash.hex())
}

/// Adds the plan; false where it does not depend on its inputs alone.
fn told(plan: &LogicalPlan, hash: &mut Fnv) -> bool {
    let mut sure = true;
    let walked = plan.apply_with_subqueries(|node| {
        sure &= is_query(node);
        hash.text(&node.display().to_string());
        hash.text(&format!("{:?}", node.schema()));
        node.apply_expressions(|expr| {
            hash.text(&format!("{expr:?}"));
            expr.apply(|expr| {
                let volatility = match expr {
                    Expr::ScalarFunction(call) => call.func.signature().volatility,
                    Expr::HigherOrderFunction(call) => call.func.signature().volatility,
                    Expr::AggregateFunction(call) => call.func.signature().volatility,
                    Expr::Column(column) if column.name.starts_with('$') => Volatility::Volatile,
                    Expr::Placeholder(_) | Expr::ScalarVariable(_, _) => Volatility::Volatile,
                    _ => Volatility::Immutable,
                };
                if volatility == Volatility::Immutable {
                    return Ok(TreeNodeRecursion::Continue);
                }
                sure = false;
                Ok(TreeNodeRecursion::Stop)
            })
        })
    });
    sure && walked.is_ok()
}

/// Whether an operator is one of a query, and does nothing but what it shows.
fn is_query(node: &LogicalPlan) -> bool {
    matches!(
        node,
        LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_)
    )
}

/// Adds the versions of the tables; false where one is not of the catalog.
fn read(plan: &LogicalPlan, hash: &mut Fnv) -> bool {
    let mut sure = true;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let Some(table) = provider.downcast_ref::<LakeTable>() else {
                sure = false;
                return Ok(TreeNodeRecursion::Stop);
            };
            let table = table.table();
            hash.text(&table.database_name);
            hash.text(&table.name);
            hash.bytes(&table.version_id.unwrap_or_default().0.to_le_bytes());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    sure && walked.is_ok()
}

/// A digest of all files of a plan, in whichever order they were listed. `None` where it reads anything else, or a file
/// that was changed just now.
fn listing(plan: &Arc<dyn ExecutionPlan>, now: DateTime<Utc>) -> Option<String> {
    let mut sure = true;
    let (mut all, mut count) = (0u128, 0u64);
    walk(plan, |plan| {
        let Some(scan) = files(plan) else {
            let known = plan.is::<EmptyExec>()
                || plan.is::<PlaceholderRowExec>()
                || plan.name() == "WorkTableExec"
                || plan
                    .downcast_ref::<datafusion::datasource::source::DataSourceExec>()
                    .is_some_and(is_values);
            sure &= known || !plan.children().is_empty();
            return;
        };
        let source = match scan.file_source().downcast_ref::<LakeSource>() {
            Some(source) => format!("{source:?}"),
            None => scan.file_source().file_type().to_owned(),
        };
        for file in scan.file_groups.iter().flat_map(|group| group.files()) {
            let meta = &file.object_meta;
            sure &= meta.last_modified < now - SETTLED;
            let mut one = Fnv::new();
            one.text(&source);
            one.text(scan.object_store_url.as_str());
            one.text(meta.location.as_ref());
            one.bytes(&meta.size.to_le_bytes());
            one.bytes(&meta.last_modified.timestamp().to_le_bytes());
            one.bytes(&meta.last_modified.timestamp_subsec_nanos().to_le_bytes());
            one.text(meta.e_tag.as_deref().unwrap_or_default());
            one.text(&format!("{:?}{:?}", file.partition_values, file.range));
            // A sum does not depend on the order.
            all = all.wrapping_add(one.value());
            count += 1;
        }
    });
    sure.then(|| format!("{count} {all:032x}"))
}

/// Rows that stand in the statement itself. No table of the catalog is held in memory, and [`read`] lets no other pass.
fn is_values(source: &datafusion::datasource::source::DataSourceExec) -> bool {
    source
        .data_source()
        .downcast_ref::<datafusion::datasource::memory::MemorySourceConfig>()
        .is_some()
}
