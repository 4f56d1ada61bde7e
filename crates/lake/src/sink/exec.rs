//! The sink as an operator of a plan: rows in, staged files out, one row of manifest a file.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, AsArray, ListBuilder, RecordBatch, StringArray, StringBuilder, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, Time,
};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, stream};

use super::commit::Publish;
use super::partition::{Partition, Splitter};
use super::staging::Staging;
use super::writers::{Finished, Writers};
use super::{OnProgress, Progress, SinkSpec};

/// What every stream of one run shares.
pub(super) struct SinkContext {
    pub(super) spec: SinkSpec,
    pub(super) run: String,
    pub(super) staging: Arc<Staging>,
    /// The files' schema: the plan's without the keys.
    pub(super) file_schema: SchemaRef,
    /// The keys' positions in the plan's schema.
    pub(super) keys: Vec<usize>,
    /// The positions of the columns that rows are put in buckets by, and the number of buckets.
    pub(super) buckets: Option<(Vec<usize>, u32)>,
    /// Of one stream.
    pub(super) max_open_files: usize,
    /// Of one stream.
    pub(super) memory_bytes: usize,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) done: Done,
}

#[derive(Default)]
pub(super) struct Done {
    rows: AtomicU64,
    bytes: AtomicU64,
    files: AtomicU64,
}

impl fmt::Debug for SinkContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SinkContext").field(&self.spec.root).finish()
    }
}

impl SinkContext {
    /// Hive and Trino tell a file's bucket by the number that its name begins with.
    pub(super) fn file_name(&self, bucket: Option<i32>, stream: usize, number: usize) -> String {
        let (run, extension) = (&self.run, self.spec.options.extension());
        match bucket {
            None => format!("part-{run}-{stream:05}-{number:05}.{extension}"),
            Some(bucket) => format!("{bucket:06}_0_{run}-{stream:05}-{number:05}.{extension}"),
        }
    }

    pub(super) fn wrote(&self, files: u64, bytes: u64) {
        self.done.files.fetch_add(files, Ordering::Relaxed);
        self.done.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn took(&self, rows: usize) {
        self.done.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        if let Some(tell) = &self.on_progress {
            tell(Progress {
                rows: self.done.rows.load(Ordering::Relaxed),
                bytes: self.done.bytes.load(Ordering::Relaxed),
                files: self.done.files.load(Ordering::Relaxed),
            });
        }
    }
}

/// What `EXPLAIN ANALYZE` shows of a sink.
pub(super) struct SinkMetrics {
    pub(super) rows: Count,
    pub(super) bytes: Count,
    pub(super) files: Count,
    pub(super) partitions: Count,
    pub(super) sorted_streams: Count,
    pub(super) split_time: Time,
    pub(super) encode_time: Time,
    pub(super) store_time: Time,
}

impl SinkMetrics {
    fn new(set: &ExecutionPlanMetricsSet, stream: usize) -> Self {
        let count = |name| MetricBuilder::new(set).counter(name, stream);
        let time = |name| MetricBuilder::new(set).subset_time(name, stream);
        SinkMetrics {
            rows: count("rows_written"),
            bytes: count("bytes_written"),
            files: count("files_written"),
            partitions: count("partitions_written"),
            sorted_streams: count("sorted_streams"),
            split_time: time("split_time"),
            encode_time: time("encode_time"),
            store_time: time("store_time"),
        }
    }
}

/// Writes each of its input's streams into staged files; gives a row of manifest for each file.
///
/// Nothing that it writes is visible: [`super::write`] builds it, runs it, and hands back what a
/// commit needs. Dropping a stream of it leaves only staged data behind.
#[derive(Debug)]
pub struct WriteExec {
    input: Arc<dyn ExecutionPlan>,
    sink: Arc<SinkContext>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl WriteExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, sink: Arc<SinkContext>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(manifest_schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            input.boundedness(),
        );
        WriteExec {
            input,
            sink,
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &self.sink.spec;
        let keys = spec.partition_keys.join(", ");
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(
                f,
                "WriteExec: to={}, format={}, mode={}, partitioned_by=[{keys}]",
                spec.root.url, spec.options.format, spec.mode
            ),
            DisplayFormatType::TreeRender => write!(f, "to={}", spec.root.url),
        }
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &'static str {
        "WriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.pop()) {
            (Some(input), None) => Ok(Arc::new(WriteExec::new(input, self.sink.clone()))),
            _ => Err(DataFusionError::Internal("WriteExec has one input".into())),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mode = datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(mode))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context.clone())?;
        let metrics = SinkMetrics::new(&self.metrics, partition);
        let written = write_stream(self.sink.clone(), partition, input, context, metrics);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            manifest_schema(),
            stream::once(written),
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

async fn write_stream(
    sink: Arc<SinkContext>,
    stream: usize,
    mut input: SendableRecordBatchStream,
    context: Arc<TaskContext>,
    metrics: SinkMetrics,
) -> Result<RecordBatch> {
    let mut splitter = Splitter::new(&input.schema(), &sink.keys, sink.buckets.clone())?
        .placed(sink.spec.folders.clone());
    let reservation =
        MemoryConsumer::new(format!("WriteExec[{stream}]")).register(context.memory_pool());
    let (split_time, partitions) = (metrics.split_time.clone(), metrics.partitions.clone());
    let sorted_streams = metrics.sorted_streams.clone();
    let mut writers = Writers::new(sink.clone(), stream, reservation, metrics);
    let mut sorted = false;
    while let Some(batch) = input.next().await.transpose()? {
        let parts = {
            let _timer = split_time.timer();
            splitter.split(&batch)?
        };
        if !sorted && splitter.partitions().len() > sink.max_open_files {
            // More partitions than files may be open. To close one and open another with every
            // batch would leave as many files as batches in each partition, so the rest comes
            // sorted, spilling where it must, as Spark does beyond maxConcurrentOutputFileWriters.
            input = sort_rest(batch, input, &sink.keys, &context)?;
            sorted = true;
            sorted_streams.add(1);
            continue;
        }
        for (number, part) in parts {
            let partition = &splitter.partitions()[number];
            writers.write(number, partition, &part).await?;
        }
        // What came back sorted was counted as it came in only once: here.
        sink.took(batch.num_rows());
    }
    let finished = writers.finish().await?;
    partitions.add(splitter.partitions().len());
    sink.tell();
    manifest(&finished, splitter.partitions())
}

/// The rest of a stream, sorted by the partition keys by the engine's own sort.
fn sort_rest(
    first: RecordBatch,
    rest: SendableRecordBatchStream,
    keys: &[usize],
    context: &Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let schema = rest.schema();
    let whole = stream::once(async { Ok(first) }).chain(rest);
    let whole: SendableRecordBatchStream =
        Box::pin(RecordBatchStreamAdapter::new(schema.clone(), whole));
    let ordering = keys.iter().map(|&key| {
        let column = Column::new(schema.field(key).name(), key);
        PhysicalSortExpr::new_default(Arc::new(column))
    });
    let Some(ordering) = LexOrdering::new(ordering) else {
        return Ok(whole);
    };
    let once = Arc::new(Once {
        schema: schema.clone(),
        rest: Mutex::new(Some(whole)),
    });
    let source = StreamingTableExec::try_new(schema, vec![once], None, None, false, None)?;
    SortExec::new(ordering, Arc::new(source)).execute(0, context.clone())
}

/// A stream as a plan's leaf; it runs once.
struct Once {
    schema: SchemaRef,
    rest: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rest = self
            .rest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        rest.unwrap_or_else(|| {
            let twice = DataFusionError::Internal("a sink's input cannot run twice".into());
            Box::pin(RecordBatchStreamAdapter::new(
                self.schema.clone(),
                stream::once(async { Err(twice) }),
            ))
        })
    }
}

/// The rows that [`WriteExec`] gives: all that a commit needs to publish the files, so that they
/// can come from another process.
fn manifest_schema() -> SchemaRef {
    let texts = |name: &str, nullable| {
        let item = Field::new_list_field(DataType::Utf8, true);
        Field::new(name, DataType::List(Arc::new(item)), nullable)
    };
    Arc::new(Schema::new(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
        texts("partition", false),
        Field::new("upload", DataType::Utf8, true),
        texts("parts", false),
    ]))
}

fn manifest(finished: &[Finished], partitions: &[Partition]) -> Result<RecordBatch> {
    let mut values = ListBuilder::new(StringBuilder::new());
    let mut parts = ListBuilder::new(StringBuilder::new());
    for file in finished {
        values.append_value(
            partitions[file.partition]
                .values
                .iter()
                .map(Option::as_deref),
        );
        let ids = file.staged.upload.iter().flat_map(|(_, parts)| parts);
        parts.append_value(ids.map(Some));
    }
    let upload = |file: &Finished| Some(file.staged.upload.as_ref()?.0.clone());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            finished
                .iter()
                .map(|f| Some(&f.path))
                .collect::<StringArray>(),
        ),
        Arc::new(finished.iter().map(|f| f.rows).collect::<UInt64Array>()),
        Arc::new(
            finished
                .iter()
                .map(|f| f.staged.bytes)
                .collect::<UInt64Array>(),
        ),
        Arc::new(values.finish()),
        Arc::new(finished.iter().map(upload).collect::<StringArray>()),
        Arc::new(parts.finish()),
    ];
    Ok(RecordBatch::try_new(manifest_schema(), columns)?)
}

/// The files of manifest rows, with their partitions' values.
pub(super) fn read_manifest(batch: &RecordBatch) -> Vec<(Publish, Vec<Option<String>>)> {
    let text = |list: ArrayRef| -> Vec<Option<String>> {
        let items = list.as_string::<i32>();
        items.iter().map(|v| v.map(str::to_owned)).collect()
    };
    let path = batch.column(0).as_string::<i32>();
    let rows = batch.column(1).as_primitive::<UInt64Type>();
    let bytes = batch.column(2).as_primitive::<UInt64Type>();
    let uploads = batch.column(4).as_string::<i32>();
    (0..batch.num_rows())
        .map(|row| {
            let parts = text(batch.column(5).as_list::<i32>().value(row));
            let publish = Publish {
                path: path.value(row).to_owned(),
                rows: rows.value(row),
                bytes: bytes.value(row),
                upload: uploads.iter().nth(row).flatten().map(str::to_owned),
                parts: parts.into_iter().flatten().collect(),
            };
            let values = text(batch.column(3).as_list::<i32>().value(row));
            (publish, values)
        })
        .collect()
}
