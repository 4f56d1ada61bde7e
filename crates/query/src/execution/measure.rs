//! What a query read and held, from the metrics of its physical plans.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use mastic_catalog::QueryStatistics;

/// Visits each operator of a plan, also those of its subqueries. A stack of its own: plans can be deep.
pub(super) fn walk(plan: &Arc<dyn ExecutionPlan>, mut visit: impl FnMut(&Arc<dyn ExecutionPlan>)) {
    let mut left = vec![plan.clone()];
    while let Some(plan) = left.pop() {
        visit(&plan);
        left.extend(plan.children().into_iter().cloned());
    }
}

/// The files that an operator reads, where it reads any.
pub(super) fn files(plan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    plan.downcast_ref::<DataSourceExec>()?
        .data_source()
        .downcast_ref::<FileScanConfig>()
}

fn count(metrics: &MetricsSet, name: &str) -> u64 {
    metrics
        .sum_by_name(name)
        .map_or(0, |value| value.as_usize() as u64)
}

/// How much a pruning left out.
fn pruned(metrics: &MetricsSet, wanted: &str) -> u64 {
    metrics
        .iter()
        .map(|metric| match metric.value() {
            MetricValue::PruningMetrics {
                name,
                pruning_metrics,
            } if name == wanted => pruning_metrics.pruned() as u64,
            _ => 0,
        })
        .sum()
}

/// How many bytes these plans have read of files so far.
pub(super) fn bytes_scanned(plans: &[Arc<dyn ExecutionPlan>]) -> u64 {
    let mut bytes = 0;
    for plan in plans {
        walk(plan, |plan| {
            if files(plan).is_some()
                && let Some(metrics) = plan.metrics()
            {
                bytes += count(&metrics, "bytes_scanned");
            }
        });
    }
    bytes
}

/// How many bytes a plan will read in any case, by the sizes of the files: of those that are read whole. `None` where a
/// limit, a join or Parquet may leave some of it unread.
pub(super) fn certain_bytes(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    let mut bytes = 0;
    let mut certain = true;
    walk(plan, |plan| {
        let several = plan.children().len() > 1 && plan.name() != "UnionExec";
        if several || plan.fetch().is_some() {
            certain = false;
        }
        if let Some(scan) = files(plan) {
            if scan.limit.is_some() || scan.file_source().file_type() == "parquet" {
                certain = false;
            }
            let groups = scan.file_groups.iter().flat_map(|group| group.files());
            bytes += groups.map(|file| file.object_meta.size).sum::<u64>();
        }
    });
    certain.then_some(bytes)
}

/// Fills in what these plans read, spilled and left out.
pub(super) fn measure(plans: &[Arc<dyn ExecutionPlan>], statistics: &mut QueryStatistics) {
    let mut paths: HashSet<(String, String)> = HashSet::new();
    let mut partitions: HashSet<(String, Vec<ScalarValue>)> = HashSet::new();
    let mut found = QueryStatistics::default();
    for plan in plans {
        walk(plan, |plan| {
            let metrics = plan.metrics();
            if let Some(metrics) = &metrics {
                found.spilled_bytes += metrics.spilled_bytes().unwrap_or(0) as u64;
            }
            let Some(scan) = files(plan) else { return };
            let store = scan.object_store_url.as_str();
            for file in scan.file_groups.iter().flat_map(|group| group.files()) {
                let path = file.object_meta.location.as_ref();
                // A large file is several: parts of it for several threads.
                if !paths.insert((store.to_owned(), path.to_owned())) {
                    continue;
                }
                if !file.partition_values.is_empty() {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    partitions.insert((folder.to_owned(), file.partition_values.clone()));
                }
            }
            let Some(metrics) = metrics else { return };
            let decoding = count(&metrics, "pushdown_rows_pruned");
            found.data_scanned_in_bytes += count(&metrics, "bytes_scanned");
            found.rows_scanned += metrics.output_rows().unwrap_or(0) as u64 + decoding;
            let out = &mut found.pruned;
            out.rows_while_decoding += decoding;
            out.files_by_statistics += pruned(&metrics, "files_ranges_pruned_statistics");
            out.row_groups_by_statistics += pruned(&metrics, "row_groups_pruned_statistics");
            out.row_groups_by_bloom_filter += pruned(&metrics, "row_groups_pruned_bloom_filter");
            out.row_groups_while_running += pruned(&metrics, "limit_pruned_row_groups")
                + count(&metrics, "row_groups_pruned_dynamic_filter");
            out.rows_by_page_index += pruned(&metrics, "page_index_rows_pruned");
        });
    }
    statistics.files_read = paths.len() as u64;
    statistics.partitions_read = partitions.len() as u64;
    statistics.spilled_bytes = found.spilled_bytes;
    statistics.data_scanned_in_bytes = found.data_scanned_in_bytes;
    statistics.rows_scanned = found.rows_scanned;
    let partitions = statistics.pruned.partitions;
    statistics.pruned = found.pruned;
    statistics.pruned.partitions = partitions;
}
