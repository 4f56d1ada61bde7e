//! Files as a DataFusion plan.
//!
//! A scan lowers to stock `DataSourceExec`s, one for each format among its files. Parquet is read
//! by DataFusion's own source (row-group and page pruning, late materialisation); every other
//! format by [`LakeSource`], which runs our decoders on blocking threads, a file at a time.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{
    FileGroup, FileOpenFuture, FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource,
    ParquetSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::{collect_columns, conjunction, reassign_expr_columns};
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use futures::StreamExt;
use object_store::{ObjectMeta, ObjectStore};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::error::LakeError;
use crate::footers::Footers;
use crate::format::{AsFrame, ByName, ByNameInFrame, Decode, FileFormat, decode_ahead};
use crate::input::Input;

/// Within a memory limit, one thread more decodes ahead for each so many bytes of it.
const AHEAD_BYTES: usize = 128 * 1024 * 1024;

/// A file of a scan.
#[derive(Debug, Clone)]
pub struct ScanFile {
    /// What the listing said of it.
    pub meta: ObjectMeta,
    /// Its format.
    pub format: FileFormat,
    /// The values of the table's partition keys, in their order.
    pub partition_values: Vec<ScalarValue>,
}

/// What is to be read.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The store that holds the files.
    pub store_url: ObjectStoreUrl,
    /// The columns that are kept in files.
    pub file_schema: SchemaRef,
    /// The partition keys, which come after them.
    pub partition_fields: Vec<FieldRef>,
    /// The files.
    pub files: Vec<ScanFile>,
    /// Which columns are wanted, of files and partitions together.
    pub projection: Option<Vec<usize>>,
    /// Rows to be read at most.
    pub limit: Option<usize>,
    /// How many rows the table has in all of its stores, about, where it is known: joins are ordered by it.
    pub rows: Option<usize>,
    /// What is known of the columns in all of its stores, partition keys last. Taken as an estimate, whatever it is.
    pub columns: Option<Vec<ColumnStatistics>>,
    /// How many bytes of files there are in all of its stores; these files have their share of the rows.
    pub all_bytes: u64,
    /// How a dynamic frame reads: see [`Decode::frame`].
    pub frame: Option<AsFrame>,
    /// Footers of Parquet files that were read already.
    pub footers: Option<Footers>,
    /// Whether rows of Parquet files are filtered while they are decoded, and not after.
    pub late: bool,
}

impl Scan {
    /// The schema of all columns, partition keys last.
    pub fn table_schema(&self) -> TableSchema {
        TableSchema::builder(self.file_schema.clone())
            .with_table_partition_cols(self.partition_fields.clone())
            .build()
    }

    /// The plan that reads it.
    ///
    /// # Errors
    /// When the projection names columns that are not there.
    pub fn plan(self, session: &dyn Session) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let table = self.table_schema();
        if self.files.is_empty() {
            let schema = match &self.projection {
                Some(columns) => Arc::new(table.table_schema().project(columns)?),
                None => table.table_schema().clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let mut groups: Vec<(FileFormat, bool, Vec<PartitionedFile>)> = Vec::new();
        for file in self.files {
            let own = file.format != FileFormat::Parquet || is_compressed(&file.meta);
            let mut partitioned = PartitionedFile::new_from_meta(file.meta);
            partitioned.partition_values = file.partition_values;
            match groups
                .iter_mut()
                .find(|(format, o, _)| *format == file.format && *o == own)
            {
                Some((.., files)) => files.push(partitioned),
                None => groups.push((file.format, own, vec![partitioned])),
            }
        }
        let targets = session.config().target_partitions().max(1);
        let mut plans = Vec::with_capacity(groups.len());
        for (format, own, files) in groups {
            let bytes: u64 = files.iter().map(|f| f.object_meta.size).sum();
            let file_groups = FileGroup::new(files).split_files(targets);
            let source: Arc<dyn FileSource> = if own {
                // Threads that have no files of their own help those that have.
                let threads = match session.runtime_env().memory_pool.memory_limit() {
                    // What is decoded ahead is in no pool.
                    MemoryLimit::Finite(bytes) => targets.min(bytes / AHEAD_BYTES),
                    _ => targets,
                } / file_groups.len().max(1);
                let source = LakeSource::new(table.clone(), format).with_threads(threads);
                Arc::new(source.as_frame(self.frame.clone()))
            } else {
                let mut options = session.config_options().execution.parquet.clone();
                // Nanoseconds of INT96 wrap in the year 2262; catalogs know microseconds.
                options.coerce_int96 = Some("us".to_owned());
                let options = datafusion::config::TableParquetOptions {
                    global: options,
                    ..Default::default()
                };
                let store = session.runtime_env().object_store(&self.store_url)?;
                let footers = self.footers.clone().unwrap_or_default();
                let source = ParquetSource::new(table.clone())
                    .with_table_parquet_options(options)
                    .with_pushdown_filters(self.late)
                    .with_parquet_file_reader_factory(footers.readers(store));
                Arc::new(source)
            };
            let statistics = Known {
                rows: self.rows,
                columns: self.columns.as_deref(),
                projection: self.projection.as_deref(),
                share: (bytes, self.all_bytes),
            }
            .statistics(&table);
            let config = FileScanConfigBuilder::new(self.store_url.clone(), source)
                .with_statistics(statistics)
                .with_file_groups(file_groups)
                .with_projection_indices(self.projection.clone())?
                .with_limit(self.limit)
                .with_expr_adapter(Some(match &self.frame {
                    Some(_) => Arc::new(ByNameInFrame),
                    None => Arc::new(ByName::default()),
                }))
                .build();
            plans.push(DataSourceExec::from_data_source(config) as Arc<dyn ExecutionPlan>);
        }
        match (plans.pop(), plans.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                plans.push(last);
                UnionExec::try_new(plans)
            }
            (None, _) => Err(DataFusionError::Internal("a scan without groups".into())),
        }
    }
}

/// What is known of all files together, of which some have a share of bytes.
struct Known<'a> {
    rows: Option<usize>,
    columns: Option<&'a [ColumnStatistics]>,
    projection: Option<&'a [usize]>,
    share: (u64, u64),
}

impl Known<'_> {
    fn part(&self, all: usize) -> usize {
        let (bytes, of) = self.share;
        let part = u128::from(bytes) * all as u128 / u128::from(of.max(1));
        usize::try_from(part).unwrap_or(usize::MAX)
    }

    /// As an estimate: nothing of it is exact.
    fn statistics(&self, table: &TableSchema) -> Statistics {
        let schema = table.table_schema();
        let mut all = Statistics::new_unknown(schema);
        let bytes = usize::try_from(self.share.0).unwrap_or(usize::MAX);
        all.total_byte_size = Precision::Inexact(bytes);
        if let Some(rows) = self.rows {
            all.num_rows = Precision::Inexact(self.part(rows));
        }
        let Some(columns) = self.columns.filter(|c| c.len() == schema.fields().len()) else {
            return all;
        };
        for (to, from) in all.column_statistics.iter_mut().zip(columns) {
            *to = from.clone().to_inexact();
            let count = |of: &Precision<usize>| match of.get_value() {
                Some(n) => Precision::Inexact(self.part(*n)),
                None => Precision::Absent,
            };
            to.null_count = count(&from.null_count);
            to.byte_size = count(&from.byte_size);
        }
        // A join builds on the side with fewer bytes, and those of files say little of that: they are compressed, and of
        // all columns.
        let every: Vec<usize>;
        let wanted = match self.projection {
            Some(projection) => projection,
            None => {
                every = (0..columns.len()).collect();
                &every
            }
        };
        let size = |at: &usize| all.column_statistics.get(*at)?.byte_size.get_value();
        let bytes = wanted
            .iter()
            .try_fold(0usize, |sum, at| Some(sum.saturating_add(*size(at)?)));
        if let Some(bytes) = bytes {
            all.total_byte_size = Precision::Inexact(bytes);
        }
        all
    }
}

/// Parquet within a whole-file compression, which DataFusion's source does not undo. Formats like
/// Parquet compress within, so only a name that says otherwise is taken at its word.
fn is_compressed(meta: &ObjectMeta) -> bool {
    let name = meta.location.filename().unwrap_or_default();
    [".gz", ".bz2", ".xz", ".zst", ".zip", ".sz"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Reads files through our own decoders.
#[derive(Clone)]
pub struct LakeSource {
    table: TableSchema,
    format: FileFormat,
    batch_size: usize,
    threads: usize,
    projection: SplitProjection,
    metrics: ExecutionPlanMetricsSet,
    frame: Option<AsFrame>,
    /// What filters above will keep, over all columns of the table.
    predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl LakeSource {
    /// A source of all columns of `table`.
    pub fn new(table: TableSchema, format: FileFormat) -> Self {
        LakeSource {
            projection: SplitProjection::unprojected(&table),
            table,
            format,
            batch_size: 8192,
            threads: 1,
            metrics: ExecutionPlanMetricsSet::new(),
            frame: None,
            predicate: None,
        }
    }

    /// What decoders can use of the predicate: it must look at wanted columns of files alone.
    fn decoders_predicate(&self) -> Option<Arc<dyn PhysicalExpr>> {
        let wanted = self
            .table
            .file_schema()
            .project(&self.projection.file_indices)
            .ok()?;
        let predicate = self.predicate.clone()?;
        let own = |c: &Column| wanted.index_of(c.name()).is_ok();
        match collect_columns(&predicate).iter().all(own) {
            true => reassign_expr_columns(predicate, &wanted).ok(),
            false => None,
        }
    }

    /// The same source, read as a dynamic frame: see [`Decode::frame`].
    #[must_use]
    pub fn as_frame(mut self, frame: Option<AsFrame>) -> Self {
        self.frame = frame;
        self
    }

    /// The same source, which may decode each file with so many threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

impl FileSource for LakeSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> EngineResult<Arc<dyn FileOpener>> {
        let opener = Arc::new(LakeOpener {
            store,
            // By the name that DataFusion's Parquet source has for it.
            read: MetricBuilder::new(&self.metrics).counter("bytes_scanned", partition),
            prefix: match config.object_store_url.as_str() {
                "file:///" => "/".to_owned(),
                url => url.to_owned(),
            },
            format: self.format.clone(),
            schema: self.table.file_schema().clone(),
            projection: self.projection.file_indices.clone(),
            batch_size: self.batch_size,
            frame: self.frame.clone(),
            threads: self.threads,
            predicate: self.decoders_predicate(),
        });
        ProjectionOpener::try_new(self.projection.clone(), opener, self.table.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(LakeSource {
            batch_size,
            ..self.clone()
        })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> EngineResult<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        Ok(Some(Arc::new(LakeSource {
            projection: SplitProjection::new(self.table.file_schema(), &merged),
            ..self.clone()
        })))
    }

    /// Takes filters as hints, and leaves them to whoever has them: see [`Decode::predicate`].
    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> EngineResult<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let left = FilterPushdownPropagation::with_parent_pushdown_result(vec![
            PushedDown::No;
            filters.len()
        ]);
        if !matches!(self.format, FileFormat::Csv(_)) {
            return Ok(left);
        }
        // What changes while it runs, or with each look at it, is not what the filter will find.
        let steady = filters.into_iter().filter(|f| {
            !is_volatile(f) && !DynamicFilterTracking::classify(f).contains_dynamic_filter()
        });
        let known = self.predicate.iter().cloned();
        let all: Vec<_> = known.chain(steady).collect();
        if all.is_empty() {
            return Ok(left);
        }
        Ok(left.with_updated_node(Arc::new(LakeSource {
            predicate: Some(conjunction(all)),
            ..self.clone()
        })))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        self.format.classification()
    }

    fn fmt_extra(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let FileFormat::Csv(options) = &self.format {
            write!(f, ", delimiter={:?}", char::from(options.delimiter))?;
        }
        Ok(())
    }

    /// A compressed file cannot be cut, and a quoted line break makes any cut of CSV a guess that only
    /// who has read all before it can judge: the decoder cuts by itself.
    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        for projected in self.projection.source.iter() {
            if f(&projected.expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

impl fmt::Debug for LakeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LakeSource").field(&self.format).finish()
    }
}

struct LakeOpener {
    store: Arc<dyn ObjectStore>,
    /// Counts the bytes that are read.
    read: Count,
    /// What makes a key a URL.
    prefix: String,
    format: FileFormat,
    schema: SchemaRef,
    projection: Vec<usize>,
    batch_size: usize,
    frame: Option<AsFrame>,
    threads: usize,
    predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl FileOpener for LakeOpener {
    fn open(&self, file: PartitionedFile) -> EngineResult<FileOpenFuture> {
        let url = format!("{}{}", self.prefix, file.object_meta.location);
        let input = Input::new(
            self.store.clone(),
            file.object_meta,
            url.clone(),
            Handle::current(),
        )
        .counted_by(self.read.clone());
        let wanted = Decode {
            file: url,
            schema: self.schema.clone(),
            projection: self.projection.clone(),
            batch_size: self.batch_size,
            frame: self.frame.clone(),
            predicate: self.predicate.clone(),
        };
        let (format, threads) = (self.format.clone(), self.threads);
        Ok(Box::pin(async move {
            // A few batches ahead: enough to keep the thread busy, not enough to fill memory.
            let (sender, receiver) = mpsc::channel(4);
            let reader = tokio::task::spawn_blocking(move || {
                let result = decode_ahead(&input, &format, &wanted, threads).map(|batches| {
                    for batch in batches {
                        let bad = batch.is_err();
                        let sent = sender.blocking_send(batch.map_err(LakeError::into_engine));
                        // Nobody listens any more: the query was cancelled or has its limit.
                        if sent.is_err() || bad {
                            break;
                        }
                    }
                });
                if let Err(error) = result {
                    // Where nobody listens, nobody misses the error either.
                    let _ = sender.blocking_send(Err(error.into_engine()));
                }
            });
            let stream = futures::stream::unfold(
                (receiver, Some(reader)),
                |(mut receiver, reader)| async move {
                    if let Some(batch) = receiver.recv().await {
                        return Some((batch, (receiver, reader)));
                    }
                    // A reader that panicked must not look like a file that ended.
                    match reader?.await {
                        Ok(()) => None,
                        Err(error) => Some((
                            Err(DataFusionError::Internal(format!(
                                "a reader failed: {error}"
                            ))),
                            (receiver, None),
                        )),
                    }
                },
            );
            Ok(stream.boxed())
        }))
    }
}
