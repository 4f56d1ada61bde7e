//! Running a plan into staged files.

use std::future::Future;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::TryStreamExt;
use mastic_schema::names::closest;
use tokio::task::JoinSet;

use super::bucket::can_bucket;
use super::encode::check_schema;
use super::exchange::PartitionExchangeExec;
use super::exec::{Done, SinkContext, WriteExec, read_manifest};
use super::partition::can_be_key;
use super::staged::Staged;
use super::staging::Staging;
use super::visible::{Visible, visible};
use super::{OnProgress, SinkMode, SinkSpec, recover};
use crate::error::{LakeError, Result};
use crate::list::is_hidden;

/// Streams that write, for each that may run at once.
const STREAMS_A_CORE: usize = 2;

/// Runs `plan` and stages its rows as files. Nothing is visible before [`Staged::commit`]; an error, or
/// dropping the future, removes what was staged (in an object store by a task of the current runtime:
/// see [`write_until`] for how to wait for it).
///
/// # Errors
/// When the plan fails, the store fails, or the rows cannot be written as asked.
pub async fn write(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    spec: &SinkSpec,
    on_progress: Option<OnProgress>,
) -> Result<Staged> {
    write_until(plan, context, spec, on_progress, std::future::pending()).await
}

/// Like [`write()`], but when `stop` is ready first, stops, removes what was staged, and only then
/// returns: for Ctrl-C.
///
/// # Errors
/// As [`write()`], and when stopped.
pub async fn write_until(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    spec: &SinkSpec,
    on_progress: Option<OnProgress>,
    stop: impl Future<Output = ()>,
) -> Result<Staged> {
    let schema = plan.schema();
    let spec = &bounded(spec);
    let keys = resolve_keys(spec, &schema)?;
    let data: Vec<usize> = (0..schema.fields().len())
        .filter(|i| !keys.contains(i))
        .collect();
    let file_schema: SchemaRef = Arc::new(schema.project(&data)?);
    let buckets = resolve_buckets(spec, &schema, &keys)?;
    check(spec, &file_schema)?;

    recover(&spec.root).await?;
    let before = seen_before(spec).await?;

    let plan = distribute(
        plan,
        spec,
        (&keys, buckets.clone()),
        context.session_config().target_partitions(),
    );
    let streams = plan.output_partitioning().partition_count().max(1);
    // Version 7, so that runs sort by their time.
    let run = uuid::Uuid::now_v7().simple().to_string();
    let staging = Arc::new(Staging::open(spec, &run).await?);
    let sink = Arc::new(SinkContext {
        spec: spec.clone(),
        run: run.clone(),
        staging: staging.clone(),
        file_schema: file_schema.clone(),
        keys: keys.clone(),
        buckets,
        max_open_files: (spec.max_open_files / streams).max(1),
        memory_bytes: spec.memory_bytes / streams,
        on_progress,
        done: Done::default(),
    });
    let exec: Arc<dyn ExecutionPlan> = Arc::new(WriteExec::new(plan, sink));
    let key_schema = Arc::new(Schema::new(
        keys.iter()
            .map(|&key| schema.fields()[key].clone())
            .collect::<Vec<_>>(),
    ));
    // From here on, whatever happens, it removes what is staged unless it is committed.
    let mut staged = Staged::new(
        spec,
        run,
        staging,
        before,
        exec.clone(),
        file_schema,
        key_schema,
    );

    let mut tasks = JoinSet::new();
    let started = (0..streams).try_for_each(|stream| {
        let mut stream = exec.execute(stream, context.clone())?;
        tasks.spawn(async move {
            let mut manifest = Vec::new();
            while let Some(batch) = stream.try_next().await? {
                manifest.push(batch);
            }
            Ok::<_, DataFusionError>(manifest)
        });
        Ok::<_, DataFusionError>(())
    });
    let result = match started {
        Err(error) => Err(from_engine(error)),
        Ok(()) => tokio::select! {
            result = collect(&mut tasks, spec) => result,
            () = stop => Err(LakeError::Sink {
                url: spec.root.url.clone(),
                message: "stopped before the commit; nothing was changed".into(),
            }),
        },
    };
    match result {
        Ok(manifest) => {
            staged.set_files(manifest.iter().flat_map(read_manifest).collect());
            Ok(staged)
        }
        Err(error) => {
            // Ended, not only told to end: nothing is written after the abort.
            tasks.shutdown().await;
            if let Err(left) = staged.abort().await {
                log::warn!("{left}");
            }
            Err(error)
        }
    }
}

async fn collect(
    tasks: &mut JoinSet<datafusion::error::Result<Vec<RecordBatch>>>,
    spec: &SinkSpec,
) -> Result<Vec<RecordBatch>> {
    let mut manifest = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(Ok(batches)) => manifest.extend(batches),
            Ok(Err(error)) => return Err(from_engine(error)),
            Err(error) => {
                return Err(LakeError::Sink {
                    url: spec.root.url.clone(),
                    message: format!("a writing task stopped: {error}"),
                });
            }
        }
    }
    Ok(manifest)
}

/// The sink's own error as it was before the engine carried it, else the engine's.
fn from_engine(error: DataFusionError) -> LakeError {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<LakeError>() {
            Ok(ours) => *ours,
            Err(other) => LakeError::Engine(DataFusionError::External(other)),
        },
        other => LakeError::Engine(other),
    }
}

/// The keys' positions in the plan's schema: by name, or else by the only name that differs in case.
fn resolve_keys(spec: &SinkSpec, schema: &SchemaRef) -> Result<Vec<usize>> {
    let refuse = |message: String| {
        Err(LakeError::Sink {
            url: spec.root.url.clone(),
            message,
        })
    };
    let mut keys = Vec::new();
    for wanted in &spec.partition_keys {
        let exact: Vec<usize> = matching(schema, |name| name == wanted);
        let loose = matching(schema, |name| name.eq_ignore_ascii_case(wanted));
        let key = match (exact.as_slice(), loose.as_slice()) {
            ([key], _) | ([], [key]) => *key,
            ([], []) => {
                let names = schema.fields().iter().map(|f| f.name().as_str());
                return refuse(match closest(wanted, names) {
                    Some(near) => format!(
                        "there is no column '{wanted}' to partition by; did you mean '{near}'?"
                    ),
                    None => format!("there is no column '{wanted}' to partition by"),
                });
            }
            _ => {
                return refuse(format!(
                    "there are several columns '{wanted}' to partition by"
                ));
            }
        };
        let field = schema.field(key);
        if keys.contains(&key) {
            return refuse(format!("'{wanted}' is a partition key twice"));
        }
        if !can_be_key(field.data_type()) {
            return refuse(format!(
                "'{wanted}' is of type {}, which cannot name a folder; cast it to a string",
                field.data_type()
            ));
        }
        if is_hidden(field.name()) {
            return refuse(format!(
                "folders of the partition key '{}' would be hidden for their first letter; rename it",
                field.name()
            ));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// The positions of the columns that rows are put in buckets by, and the number of buckets.
fn resolve_buckets(
    spec: &SinkSpec,
    schema: &SchemaRef,
    keys: &[usize],
) -> Result<Option<(Vec<usize>, u32)>> {
    let refuse = |message: String| {
        Err(LakeError::Sink {
            url: spec.root.url.clone(),
            message,
        })
    };
    let Some(buckets) = &spec.buckets else {
        return Ok(None);
    };
    if buckets.columns.is_empty() || buckets.count == 0 {
        return refuse("buckets are at least one, by at least one column".into());
    }
    let mut columns = Vec::new();
    for wanted in &buckets.columns {
        let found = matching(schema, |name| name.eq_ignore_ascii_case(wanted));
        let [at] = found.as_slice() else {
            return refuse(format!("there is no one column '{wanted}' for buckets"));
        };
        if keys.contains(at) {
            return refuse(format!(
                "'{wanted}' is a partition key, and so the same in a whole partition: buckets are by other columns"
            ));
        }
        let data_type = schema.field(*at).data_type();
        if !can_bucket(data_type) {
            return refuse(format!(
                "'{wanted}' is of type {data_type}, which Hive's buckets are not made by; take whole numbers, texts, dates"
            ));
        }
        columns.push(*at);
    }
    Ok(Some((columns, buckets.count)))
}

fn matching(schema: &SchemaRef, is_it: impl Fn(&str) -> bool) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields
        .filter(|(_, field)| is_it(field.name()))
        .map(|(i, _)| i)
        .collect()
}

fn check(spec: &SinkSpec, file_schema: &SchemaRef) -> Result<()> {
    let refuse = |message: String| {
        Err(LakeError::Sink {
            url: spec.root.url.clone(),
            message,
        })
    };
    spec.options.check()?;
    if spec.mode == SinkMode::OverwritePartitions && spec.partition_keys.is_empty() {
        return refuse(
            "mode overwrite_partitions is for sinks with partition keys; take overwrite".into(),
        );
    }
    if spec.options.single_file && spec.buckets.is_some() {
        return refuse("a single_file has no buckets; leave one of them out".into());
    }
    if spec.options.single_file && !spec.partition_keys.is_empty() {
        return refuse(
            "single_file is for sinks without partition keys, whose partitions are files of their own; leave one of them out".into(),
        );
    }
    match check_schema(&spec.options, file_schema) {
        Ok(()) => Ok(()),
        Err(DataFusionError::Plan(message)) => refuse(message),
        Err(other) => Err(from_engine(other)),
    }
}

/// The files that the mode cares about, before anything is written.
async fn seen_before(spec: &SinkSpec) -> Result<Vec<Visible>> {
    match spec.mode {
        SinkMode::Append | SinkMode::OverwritePartitions => Ok(Vec::new()),
        SinkMode::Overwrite | SinkMode::ReplaceFiles => visible(&spec.root, "").await,
        SinkMode::ErrorIfExists => {
            let found = visible(&spec.root, "").await?;
            refuse_existing(spec, &found)?;
            Ok(found)
        }
    }
}

/// The refusal of [`SinkMode::ErrorIfExists`].
pub(super) fn refuse_existing(spec: &SinkSpec, found: &[Visible]) -> Result<()> {
    let Some(first) = found.first() else {
        return Ok(());
    };
    let others = match found.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Err(LakeError::Sink {
        url: spec.root.url.clone(),
        message: format!(
            "it holds {}{others} already; choose mode append or overwrite",
            first.path
        ),
    })
}

/// The sink with the bounds of its files that hold for it: a single file has none.
fn bounded(spec: &SinkSpec) -> SinkSpec {
    let mut spec = spec.clone();
    if spec.options.single_file {
        spec.target_file_bytes = u64::MAX;
        spec.target_file_rows = None;
    }
    if spec.buckets.is_some() {
        // A bucket is one file.
        spec.target_file_bytes = u64::MAX;
        spec.target_file_rows = None;
    }
    spec
}

/// All rows in one stream, in their order where they have one.
fn gather(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() <= 1 {
        return plan;
    }
    match plan.output_ordering().cloned() {
        Some(ordering) => Arc::new(SortPreservingMergeExec::new(ordering, plan)),
        None => Arc::new(CoalescePartitionsExec::new(plan)),
    }
}

/// Sends rows to streams by their keys, where that is asked for and there is more than one stream.
fn distribute(
    plan: Arc<dyn ExecutionPlan>,
    spec: &SinkSpec,
    (keys, buckets): (&[usize], Option<(Vec<usize>, u32)>),
    target: usize,
) -> Arc<dyn ExecutionPlan> {
    if spec.options.single_file {
        return gather(plan);
    }
    let streams = plan.output_partitioning().partition_count();
    let one_stream = streams <= 1 && target <= 1;
    let unkeyed = keys.is_empty() || !spec.by_key;
    if (unkeyed && buckets.is_none()) || one_stream {
        return plan;
    }
    // A few partitions are easier to share out evenly over more streams than there are cores.
    let target = target * STREAMS_A_CORE;
    Arc::new(PartitionExchangeExec::new(
        plan,
        keys.to_vec(),
        buckets,
        target,
    ))
}
