//! A step's place in a plan: it counts the records that pass, and takes out those that the step could not
//! transform.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, is_null, not};
use arrow::datatypes::{DataType, Int64Type};
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{
    CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};
use mastic_functions::choice::{self, PlainChoices};
use mastic_schema::origin;

use super::errors::ErrorRecord;
use super::ledger::{Counter, Ledger};
use crate::FrameError;

/// The columns that a transform works with have names that begin so; they are none of the record's.
pub(crate) const WORKING: &str = "$step.";

fn is_hidden(name: &str) -> bool {
    origin::is_origin(name) || name.starts_with(WORKING)
}

/// The records that a step gives, counted; or, with a `reason`, those that it takes: where the reason is
/// not NULL the record is set aside with that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepNode {
    pub(crate) label: String,
    pub(crate) reason: Option<Expr>,
    /// Casts whose losses are counted; where there are any, records are not.
    pub(crate) casts: Vec<Watched>,
    pub(crate) input: LogicalPlan,
}

/// A cast of the step's: the column before and after it, and which of the values in it were cast.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Watched {
    pub(crate) cast: Cast,
    pub(crate) before: Expr,
    pub(crate) after: Expr,
}

/// Which values were cast, and to what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cast {
    /// As the script writes it.
    pub(crate) path: String,
    /// The way from the column to the values.
    pub(crate) steps: Vec<choice::Step>,
    /// Hive's name of the type.
    pub(crate) to: String,
}

impl Hash for StepNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.label.hash(state);
        self.reason.hash(state);
        self.casts.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for StepNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let by_label = self.label.partial_cmp(&other.label)?;
        (by_label.is_ne() || self == other).then_some(by_label)
    }
}

impl UserDefinedLogicalNodeCore for StepNode {
    fn name(&self) -> &'static str {
        "Step"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        let casts = self.casts.iter().flat_map(|w| [&w.before, &w.after]);
        self.reason.iter().chain(casts).cloned().collect()
    }

    // The default of `prevent_predicate_push_down_columns` keeps filters above the step: below it they
    // would take away records that are to be counted.

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step: {}", self.label)?;
        for Watched { cast, .. } in &self.casts {
            write!(f, ", counts what {} loses as {}", cast.path, cast.to)?;
        }
        match &self.reason {
            Some(reason) => write!(f, ", sets aside where {reason} is not null"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .map_err(|_| DataFusionError::Internal("a step has one input".into()))?;
        let mut exprs = exprs.into_iter();
        let reason = self.reason.as_ref().and_then(|_| exprs.next());
        let mut casts = Vec::with_capacity(self.casts.len());
        for watched in &self.casts {
            let (Some(before), Some(after)) = (exprs.next(), exprs.next()) else {
                return Err(DataFusionError::Internal(
                    "a cast has a column before and after it".into(),
                ));
            };
            casts.push(Watched {
                cast: watched.cast.clone(),
                before,
                after,
            });
        }
        Ok(Self {
            label: self.label.clone(),
            reason,
            casts,
            input,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut wanted: HashSet<usize> = output_columns.iter().copied().collect();
        let own = self.expressions();
        if !own.is_empty() {
            let schema = self.input.schema();
            let read: HashSet<_> = own.iter().flat_map(Expr::column_refs).collect();
            let tells = self.reason.is_some();
            for (at, (table, field)) in schema.iter().enumerate() {
                let column = datafusion::common::Column::new(table.cloned(), field.name());
                if read.contains(&column) || tells && origin::is_origin(field.name()) {
                    wanted.insert(at);
                }
            }
        }
        let mut wanted: Vec<usize> = wanted.into_iter().collect();
        wanted.sort_unstable();
        Some(vec![wanted])
    }
}

/// The operator of a [`StepNode`].
#[derive(Debug)]
pub(super) struct StepExec {
    label: String,
    reason: Option<Arc<dyn PhysicalExpr>>,
    casts: Vec<WatchedExpr>,
    input: Arc<dyn ExecutionPlan>,
}

/// A [`Watched`] cast, to be run.
#[derive(Debug, Clone)]
pub(super) struct WatchedExpr {
    pub(super) cast: Cast,
    pub(super) before: Arc<dyn PhysicalExpr>,
    pub(super) after: Arc<dyn PhysicalExpr>,
}

impl StepExec {
    pub(super) fn new(
        label: String,
        reason: Option<Arc<dyn PhysicalExpr>>,
        casts: Vec<WatchedExpr>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        Self {
            label,
            reason,
            casts,
            input,
        }
    }
}

impl DisplayAs for StepExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepExec: {}", self.label)?;
        match &self.reason {
            Some(reason) => write!(f, ", sets aside where {reason} is not null"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for StepExec {
    fn name(&self) -> &'static str {
        "StepExec"
    }

    // Whatever holds of the input's order and partitions holds of what passes.
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let casts = self.casts.iter().flat_map(|w| [&w.before, &w.after]);
        for expr in self.reason.iter().chain(casts) {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("a step has one input".into()))?;
        let (label, reason) = (self.label.clone(), self.reason.clone());
        let casts = self.casts.clone();
        Ok(Arc::new(Self::new(label, reason, casts, input)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, mode)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let ledger = context.session_config().get_extension::<Ledger>();
        let work = Arc::new(Work {
            counter: ledger.as_ref().map(|l| l.counter(&self.label)),
            ledger,
            label: self.label.clone(),
            reason: self.reason.clone(),
            casts: self.casts.clone(),
        });
        let input = self.input.execute(partition, context)?;
        let schema = input.schema();
        let passed = input.map(move |batch| work.pass(batch?));
        let passed = passed.try_filter(|batch| std::future::ready(batch.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, passed)))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    // How many records there are, about: joins are ordered by it. Nothing exact, for an answer that is taken from
    // statistics would not be counted.
    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut about = Statistics::new_unknown(&self.schema());
        if let Some(input) = inputs.first() {
            about.num_rows = input.num_rows.to_inexact();
            about.total_byte_size = input.total_byte_size.to_inexact();
        }
        Ok(Arc::new(about))
    }

    // A reader may use the filters above to leave out what they would drop; it is not counted then, for it
    // was not read. A step that fails records takes all of them first.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        match self.reason {
            None => FilterDescription::from_children(filters, &self.children()),
            Some(_) => Ok(FilterDescription::all_unsupported(
                &filters,
                &self.children(),
            )),
        }
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}

struct Work {
    ledger: Option<Arc<Ledger>>,
    counter: Option<Arc<Counter>>,
    label: String,
    reason: Option<Arc<dyn PhysicalExpr>>,
    casts: Vec<WatchedExpr>,
}

impl Work {
    fn pass(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if !self.casts.is_empty() {
            self.watch(&batch)?;
            return Ok(batch);
        }
        let Some(reason) = &self.reason else {
            if let Some(counter) = &self.counter {
                counter.passed(batch.num_rows());
            }
            return Ok(batch);
        };
        let reasons = reason.evaluate(&batch)?.into_array(batch.num_rows())?;
        if reasons.logical_null_count() == batch.num_rows() {
            return Ok(batch);
        }
        let good = is_null(&reasons)?;
        self.set_aside(&batch, &reasons, &not(&good)?)?;
        Ok(filter_record_batch(&batch, &good)?)
    }

    /// Counts what the casts lost. The columns are there, so that none is computed for it.
    fn watch(&self, batch: &RecordBatch) -> Result<()> {
        let Some(counter) = &self.counter else {
            return Ok(());
        };
        let rows = batch.num_rows();
        for WatchedExpr {
            cast,
            before,
            after,
        } in &self.casts
        {
            let before = before.evaluate(batch)?.into_array(rows)?;
            let after = after.evaluate(batch)?.into_array(rows)?;
            let (path, to) = (&cast.path, &cast.to);
            let found = choice::conversion(&before, &after, &cast.steps, path, to)?;
            counter.cast(path, to, found);
        }
        Ok(())
    }

    fn set_aside(&self, batch: &RecordBatch, reasons: &ArrayRef, bad: &BooleanArray) -> Result<()> {
        let text = |array: &ArrayRef| cast(array, &DataType::Utf8);
        let reasons = text(&arrow::compute::filter(reasons, bad)?)?;
        let reasons = reasons.as_string::<i32>();
        let batch = filter_record_batch(batch, bad)?;
        let column = |name| batch.column_by_name(name).cloned();
        let files = column(origin::FILE).map(|c| text(&c)).transpose()?;
        let lines = column(origin::LINE)
            .map(|c| cast(&c, &DataType::Int64))
            .transpose()?;
        let schema = batch.schema();
        let own: Vec<usize> = (0..schema.fields().len())
            .filter(|at| !is_hidden(schema.field(*at).name()))
            .collect();
        let mut writer = WriterBuilder::new()
            .with_encoder_factory(Arc::new(PlainChoices))
            .build::<_, LineDelimited>(Vec::new());
        writer.write(&batch.project(&own)?)?;
        writer.finish()?;
        let json = String::from_utf8_lossy(&writer.into_inner()).into_owned();
        let records: Vec<ErrorRecord> = json
            .lines()
            .enumerate()
            .map(|(row, record)| ErrorRecord {
                step: self.label.clone(),
                reason: reasons.value(row).to_owned(),
                file: files.as_ref().and_then(|f| {
                    let f = f.as_string::<i32>();
                    f.is_valid(row).then(|| f.value(row).to_owned())
                }),
                line: lines.as_ref().and_then(|l| {
                    let l = l.as_primitive::<Int64Type>();
                    l.is_valid(row).then(|| l.value(row))
                }),
                record: record.to_owned(),
            })
            .collect();
        match &self.ledger {
            Some(ledger) => ledger.set_aside(&self.label, records),
            None => Err(DataFusionError::External(Box::new(
                FrameError::TooManyErrors {
                    step: self.label.clone(),
                    errors: records.len() as u64,
                    threshold: 0,
                    first: Box::new(records.into_iter().next().unwrap_or_default()),
                },
            ))),
        }
    }
}
