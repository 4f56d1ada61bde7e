//! A plan as a tree of operators, in words that are near SQL.

use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, displayable};

use super::scans::{Scan, bytes_shown, details};

/// How many nodes deep a tree is shown.
const MAX_DEPTH: usize = 200;

/// An operator and what it works on.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// What it is, such as `Join INNER`.
    pub(super) operator: String,
    /// What it does, such as `on a = b`.
    pub(super) does: String,
    /// More about it: a name and a value.
    pub(super) details: Vec<(String, String)>,
    /// How many rows the planner takes it to give, and whether it knows.
    pub(super) estimated: Option<(usize, bool)>,
    pub(super) measured: Option<Measured>,
    pub(super) inputs: Vec<Node>,
}

/// What was measured of an operator while it ran.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Measured {
    pub(super) rows: Option<usize>,
    /// Over all threads.
    pub(super) nanos: usize,
    pub(super) spilled: usize,
    pub(super) read: usize,
}

impl Node {
    /// The plan that is run.
    pub(super) fn physical(
        plan: &Arc<dyn ExecutionPlan>,
        scans: &[Scan],
        measured: bool,
        verbose: bool,
    ) -> Node {
        let statistics = StatisticsContext::new();
        let mut builder = Builder {
            scans,
            used: vec![false; scans.len()],
            statistics,
            measured,
            verbose,
        };
        builder.node(plan, 0)
    }

    /// The plan as the optimizer leaves it.
    pub(super) fn logical(plan: &LogicalPlan, scans: &[Scan]) -> Node {
        let mut used = vec![false; scans.len()];
        logical(plan, scans, &mut used, 0)
    }

    /// All that was measured below it and of it.
    pub(super) fn nanos(&self) -> usize {
        let own = self.measured.map_or(0, |m| m.nanos);
        self.inputs
            .iter()
            .fold(own, |all, input| all.saturating_add(input.nanos()))
    }

    /// The longest that any operator took.
    pub(super) fn longest(&self) -> usize {
        let own = self.measured.map_or(0, |m| m.nanos);
        self.inputs.iter().map(Node::longest).fold(own, usize::max)
    }
}

fn logical(plan: &LogicalPlan, scans: &[Scan], used: &mut [bool], depth: usize) -> Node {
    let line = plan.display().to_string();
    let (operator, does) = line.split_once(':').unwrap_or((line.as_str(), ""));
    let mut node = Node {
        operator: operator.trim().to_owned(),
        does: does.trim().to_owned(),
        ..Node::default()
    };
    if let LogicalPlan::TableScan(scan) = plan {
        let name = scan.table_name.table();
        let own = scans
            .iter()
            .zip(used.iter_mut())
            .find(|(scan, used)| !**used && scan.is_of(name));
        node.operator = "Scan".to_owned();
        name.clone_into(&mut node.does);
        if let Some((scan, used)) = own {
            *used = true;
            node.does.clone_from(&scan.table);
            node.details = details(scan);
        }
    }
    if depth < MAX_DEPTH {
        let inputs = plan.inputs();
        node.inputs = inputs
            .into_iter()
            .map(|input| logical(input, scans, used, depth + 1))
            .collect();
    }
    node
}

struct Builder<'a> {
    scans: &'a [Scan],
    used: Vec<bool>,
    statistics: StatisticsContext,
    measured: bool,
    verbose: bool,
}

impl Builder<'_> {
    fn node(&mut self, plan: &Arc<dyn ExecutionPlan>, depth: usize) -> Node {
        let children = plan.children();
        // What only hands batches on says nothing.
        if matches!(plan.name(), "CoalesceBatchesExec" | "CooperativeExec")
            && let [only] = children.as_slice()
        {
            return self.node(only, depth);
        }
        let line = displayable(plan.as_ref()).one_line().to_string();
        let (operator, does) = in_words(line.trim_end());
        let mut node = Node {
            operator,
            does,
            ..Node::default()
        };
        if let Some(config) = plan
            .downcast_ref::<DataSourceExec>()
            .and_then(|exec| exec.data_source().downcast_ref::<FileScanConfig>())
        {
            self.scan(config, &mut node);
        }
        let statistics = self
            .statistics
            .compute(plan.as_ref(), &StatisticsArgs::new());
        node.estimated = statistics.ok().and_then(|s| match s.num_rows {
            Precision::Exact(rows) => Some((rows, true)),
            Precision::Inexact(rows) => Some((rows, false)),
            Precision::Absent => None,
        });
        if self.measured
            && let Some(metrics) = plan.metrics()
        {
            node.measured = Some(measure(&metrics));
            if self.verbose {
                let all = metrics.aggregate_by_name().sorted_for_display();
                node.details.push(("measured".to_owned(), all.to_string()));
            }
        }
        if depth < MAX_DEPTH {
            node.inputs = children
                .into_iter()
                .map(|child| self.node(child, depth + 1))
                .collect();
        }
        node
    }

    fn scan(&mut self, config: &FileScanConfig, node: &mut Node) {
        let files = config.file_groups.iter().flat_map(|group| group.files());
        let (mut count, mut bytes) = (0usize, 0u64);
        let mut first = None;
        for file in files {
            first.get_or_insert_with(|| file.object_meta.location.clone());
            count += 1;
            bytes = bytes.saturating_add(file.object_meta.size);
        }
        let own = self.scans.iter().zip(&mut self.used).find(|(scan, used)| {
            !**used
                && match &first {
                    Some(path) => scan.paths.contains(path.as_ref()),
                    None => scan.paths.is_empty(),
                }
        });
        node.operator = "Scan".to_owned();
        node.does = match &own {
            Some((scan, _)) => scan.table.clone(),
            None => first.map(|path| format!("/{path}")).unwrap_or_default(),
        };
        let kind = config.file_source.file_type();
        node.details.push((
            "files".to_owned(),
            format!("{count} {kind}, {}", bytes_shown(bytes)),
        ));
        if let Some((scan, used)) = own {
            // A table of several formats has a scan for each.
            *used = count >= scan.paths.len();
            let mut more = details(scan);
            more.retain(|(name, _)| name != "files");
            node.details.extend(more);
        }
    }
}

fn measure(metrics: &MetricsSet) -> Measured {
    let sum = |name: &str| {
        metrics
            .sum_by_name(name)
            .map_or(0, |value| value.as_usize())
    };
    let compute = metrics.elapsed_compute().unwrap_or_default();
    Measured {
        rows: metrics.output_rows(),
        // A scan's time is not counted as computing.
        nanos: compute.max(sum("time_elapsed_processing")).max(1) - 1,
        spilled: metrics.spilled_bytes().unwrap_or_default(),
        read: sum("bytes_scanned"),
    }
}

/// An operator of the engine, as it writes itself, in words.
fn in_words(line: &str) -> (String, String) {
    let (name, rest) = line.split_once(": ").unwrap_or((line, ""));
    // As in SQL: nulls are last unless something else is said.
    let rest = without_numbers(rest)
        .replace("count(Int64(1))", "count(*)")
        .replace(" NULLS LAST", "");
    let part = |key: &str| between(&rest, &format!("{key}=["), ']');
    let value = |key: &str| {
        let from = rest.find(&format!("{key}="))? + key.len() + 1;
        let value = rest.get(from..)?;
        Some(value.split([',', ' ', ')']).next()?.to_owned())
    };
    match name.trim_end_matches(':') {
        "FilterExec" => {
            let condition = rest.split(", projection=[").next().unwrap_or_default();
            ("Filter".to_owned(), condition.to_owned())
        }
        "ProjectionExec" => (
            "Project".to_owned(),
            named_once(&part("expr").unwrap_or(rest)),
        ),
        "AggregateExec" => {
            let mode = value("mode").unwrap_or_default();
            let partial = if mode == "Partial" {
                " (each stream)"
            } else {
                ""
            };
            let by = part("gby")
                .map(|by| named_once(&by))
                .filter(|by| !by.is_empty());
            let functions = part("aggr").unwrap_or_default();
            let does = match by {
                Some(by) if functions.is_empty() => format!("by {by}"),
                Some(by) => format!("by {by}: {functions}"),
                None => functions,
            };
            (format!("Aggregate{partial}"), does)
        }
        join @ ("HashJoinExec"
        | "SortMergeJoinExec"
        | "NestedLoopJoinExec"
        | "SymmetricHashJoinExec") => {
            let kind = value("join_type").unwrap_or_default();
            let way = match join {
                "SortMergeJoinExec" => "sorted",
                "NestedLoopJoinExec" => "every pair",
                _ => "hash",
            };
            let on = part("on").map(|on| {
                let pairs: Vec<String> = on
                    .trim_matches(['(', ')'])
                    .split("), (")
                    .map(|pair| pair.replacen(", ", " = ", 1))
                    .collect();
                pairs.join(" AND ")
            });
            let filter = between(&rest, "filter=", ',').map(|f| format!("where {f}"));
            let does: Vec<String> = on
                .map(|on| format!("on {on}"))
                .into_iter()
                .chain(filter)
                .collect();
            (
                format!("Join {} ({way})", kind.to_uppercase()),
                does.join(" "),
            )
        }
        "CrossJoinExec" => ("Join CROSS".to_owned(), String::new()),
        "SortExec" | "PartialSortExec" => {
            let by = part("expr").unwrap_or_default();
            let first = between(&rest, "TopK(fetch=", ')');
            match first {
                Some(first) => (format!("First {first}"), format!("by {by}")),
                None => ("Sort".to_owned(), format!("by {by}")),
            }
        }
        "SortPreservingMergeExec" => {
            let by = between(&rest, "[", ']').unwrap_or_default();
            ("Merge sorted streams".to_owned(), format!("by {by}"))
        }
        "CoalescePartitionsExec" => ("Gather streams".to_owned(), String::new()),
        "RepartitionExec" => match between(&rest, "Hash([", ']') {
            Some(by) => ("Exchange".to_owned(), format!("by {by}")),
            None => ("Spread over streams".to_owned(), String::new()),
        },
        "GlobalLimitExec" | "LocalLimitExec" => {
            let skip = value("skip").filter(|skip| skip != "0");
            let fetch = value("fetch").filter(|fetch| fetch != "None");
            let mut does = fetch.unwrap_or_else(|| "all".to_owned());
            if let Some(skip) = skip {
                does = format!("{does} from row {skip} on");
            }
            ("Limit".to_owned(), does)
        }
        "UnionExec" | "InterleaveExec" => ("Union".to_owned(), String::new()),
        "PlaceholderRowExec" => ("One row".to_owned(), String::new()),
        "EmptyExec" => ("No rows".to_owned(), String::new()),
        "WindowAggExec" | "BoundedWindowAggExec" => {
            ("Window".to_owned(), part("wdw").unwrap_or(rest))
        }
        other => {
            let stem = other.strip_suffix("Exec").unwrap_or(other);
            let mut operator = String::new();
            for c in stem.chars() {
                if c.is_uppercase() && !operator.is_empty() {
                    operator.push(' ');
                    operator.extend(c.to_lowercase());
                } else {
                    operator.push(c);
                }
            }
            (operator, rest)
        }
    }
}

/// What is between a beginning and the bracket or character that ends it, inner brackets and all.
fn between(text: &str, begin: &str, end: char) -> Option<String> {
    let from = text.find(begin)? + begin.len();
    let rest = text.get(from..)?;
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        if depth == 0 && c == end {
            return rest.get(..at).map(str::to_owned);
        }
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Some(rest.to_owned())
}

/// `a as a` as `a`.
fn named_once(list: &str) -> String {
    let parts = list.split(", ").map(|part| match part.split_once(" as ") {
        Some((what, name)) if what == name => what,
        _ => part,
    });
    parts.collect::<Vec<&str>>().join(", ")
}

/// A text without the numbers of columns: `a@0` as `a`.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let digits = behind.get(1..).map_or(0, |b| {
            b.find(|c: char| !c.is_ascii_digit()).unwrap_or(b.len())
        });
        let follows = behind.get(digits + 1..).and_then(|b| b.chars().next());
        if digits == 0 || follows.is_some_and(char::is_alphanumeric) {
            out.push('@');
            rest = behind.get(1..).unwrap_or_default();
        } else {
            rest = behind.get(digits + 1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_told_in_words() {
        for (line, operator, does) in [
            (
                "FilterExec: a@0 > 5 AND b@1 = x, projection=[a@0]",
                "Filter",
                "a > 5 AND b = x",
            ),
            (
                "ProjectionExec: expr=[a@0 as a, b@1 + 1 as n]",
                "Project",
                "a, b + 1 as n",
            ),
            (
                "AggregateExec: mode=FinalPartitioned, gby=[name@0 as name], aggr=[count(Int64(1))]",
                "Aggregate",
                "by name: count(*)",
            ),
            (
                "AggregateExec: mode=Partial, gby=[], aggr=[sum(t.a)]",
                "Aggregate (each stream)",
                "sum(t.a)",
            ),
            (
                "HashJoinExec: mode=Partitioned, join_type=Inner, on=[(a@0, b@1), (c@2, d@0)], projection=[a@0]",
                "Join INNER (hash)",
                "on a = b AND c = d",
            ),
            (
                "SortExec: TopK(fetch=10), expr=[n@1 DESC], preserve_partitioning=[true]",
                "First 10",
                "by n DESC",
            ),
            (
                "RepartitionExec: partitioning=Hash([name@0], 2), input_partitions=2",
                "Exchange",
                "by name",
            ),
            (
                "GlobalLimitExec: skip=5, fetch=10",
                "Limit",
                "10 from row 5 on",
            ),
            ("SomethingElseExec: x@y.de", "Something else", "x@y.de"),
        ] {
            assert_eq!(
                in_words(line),
                (operator.to_owned(), does.to_owned()),
                "{line}"
            );
        }
    }
}
