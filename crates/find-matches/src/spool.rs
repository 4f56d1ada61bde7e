//! Rows that are read more than once, kept in files of the engine's spill folder.
//!
//! A row's number is its place: first all rows of the plan's first stream, then those of its second. It is
//! there as the column [`ROW`] wherever the rows are read again.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::spill_file::SpillFile;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::error::{MatchError, Result};

/// The column of row numbers.
pub(crate) const ROW: &str = "$row";

/// Rows of one stream.
#[derive(Clone)]
struct Part {
    file: Arc<dyn SpillFile>,
    first: u64,
}

/// Rows on disk, which are gone when the last plan over them is dropped.
pub(crate) struct Spool {
    schema: SchemaRef,
    parts: Vec<Part>,
    rows: u64,
    numbered: bool,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

fn lost(error: impl std::fmt::Display) -> MatchError {
    MatchError::Spool(error.to_string())
}

impl Spool {
    /// Keeps the rows of some frames with the same columns, those of the first one first; `numbered` ones get a [`ROW`].
    pub(crate) async fn keep(
        context: &SessionContext,
        frames: Vec<DataFrame>,
        numbered: bool,
    ) -> Result<Arc<Spool>> {
        let disk = context.runtime_env().disk_manager.clone();
        let (mut writing, mut streams) = (Vec::new(), Vec::new());
        let mut schema = Arc::new(Schema::empty());
        for frame in frames {
            let plan = frame.create_physical_plan().await?;
            schema = plan.schema();
            streams.extend(execute_stream_partitioned(plan, context.task_ctx())?);
        }
        for stream in streams {
            let file = disk.create_tmp_file("records to be matched")?;
            let path = file
                .path()
                .map(PathBuf::from)
                .ok_or_else(|| lost("the spill folder is no local one"))?;
            let task = tokio::spawn(write(stream, path));
            writing.push((file, task));
        }
        let (mut parts, mut first) = (Vec::new(), 0);
        for (file, task) in writing {
            let rows = task.await.map_err(lost)??;
            parts.push(Part { file, first });
            first += rows;
        }
        if first > u64::from(u32::MAX) {
            return Err(MatchError::TooManyRows { rows: first });
        }
        // What one frame always has may be missing in another.
        let fields = schema
            .fields()
            .iter()
            .map(|f| Arc::new(f.as_ref().clone().with_nullable(true)));
        let mut fields: Vec<_> = fields.collect();
        if numbered {
            fields.push(Arc::new(Field::new(ROW, DataType::UInt32, false)));
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Arc::new(Spool {
            schema,
            parts,
            rows: first,
            numbered,
        }))
    }

    /// The rows of two spools with the same columns, the first one's first.
    pub(crate) fn concat(first: Arc<Spool>, second: Arc<Spool>) -> Result<Arc<Spool>> {
        let rows = first.rows + second.rows;
        if rows > u64::from(u32::MAX) {
            return Err(MatchError::TooManyRows { rows });
        }
        let later = second.parts.iter().cloned().map(|mut part| {
            part.first += first.rows;
            part
        });
        let parts = first.parts.iter().cloned().chain(later).collect();
        Ok(Arc::new(Spool {
            schema: first.schema.clone(),
            parts,
            rows,
            numbered: first.numbered,
        }))
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows, under a name.
    pub(crate) fn scan(
        self: &Arc<Self>,
        context: &SessionContext,
        name: &str,
    ) -> Result<DataFrame> {
        let table = Arc::new(SpoolTable(self.clone()));
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?.build()?;
        Ok(DataFrame::new(context.state(), plan))
    }
}

async fn write(mut stream: SendableRecordBatchStream, path: PathBuf) -> Result<u64> {
    let file = File::create(path).map_err(lost)?;
    let mut writer = FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), &stream.schema())
        .map_err(lost)?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(lost)?;
        }
    }
    writer.finish().map_err(lost)?;
    Ok(rows)
}

/// A spool as a table.
#[derive(Debug)]
struct SpoolTable(Arc<Spool>);

#[async_trait]
impl TableProvider for SpoolTable {
    fn schema(&self) -> SchemaRef {
        self.0.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = usize::try_from(self.0.rows).unwrap_or(usize::MAX);
        Some(Statistics {
            num_rows: Precision::Exact(rows),
            ..Statistics::new_unknown(&self.0.schema)
        })
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.0.schema.fields().len()).collect();
        let columns = projection.cloned().unwrap_or(all);
        let schema = Arc::new(self.0.schema.project(&columns)?);
        let streams = (0..self.0.parts.len()).map(|part| {
            Arc::new(PartScan {
                spool: self.0.clone(),
                part,
                columns: columns.clone(),
                schema: schema.clone(),
            }) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTableExec::try_new(
            schema.clone(),
            streams.collect(),
            None,
            [],
            false,
            limit,
        )?))
    }
}

struct PartScan {
    spool: Arc<Spool>,
    part: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl std::fmt::Debug for PartScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartScan")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

impl PartScan {
    fn read(&self) -> EngineResult<impl Iterator<Item = EngineResult<RecordBatch>> + Send + use<>> {
        let spool = self.spool.clone();
        let gone = || DataFusionError::Internal("a part of a spool is gone".into());
        let part = spool.parts.get(self.part).ok_or_else(gone)?;
        let path = part.file.path().ok_or_else(gone)?;
        let number = spool.numbered.then(|| spool.schema.fields().len() - 1);
        let stored: Vec<usize> = self
            .columns
            .iter()
            .copied()
            .filter(|c| Some(*c) != number)
            .collect();
        // The reader gives columns in the files' order, each once.
        let mut sorted = stored.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let reader = FileReader::try_new(file, Some(sorted.clone()))?;
        let (columns, schema) = (self.columns.clone(), self.schema.clone());
        let mut next = part.first;
        Ok(reader.map(move |batch| {
            let _held = &spool;
            let batch = batch?;
            let rows = batch.num_rows();
            let arrays = columns.iter().map(|column| -> EngineResult<ArrayRef> {
                if Some(*column) == number {
                    let numbers = (next..next + rows as u64).map(|n| n as u32);
                    return Ok(Arc::new(UInt32Array::from_iter_values(numbers)));
                }
                let at = sorted.binary_search(column).map_err(|_| gone())?;
                Ok(batch.column(at).clone())
            });
            let arrays = arrays.collect::<EngineResult<Vec<_>>>()?;
            next += rows as u64;
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
            Ok(RecordBatch::try_new_with_options(
                schema.clone(),
                arrays,
                &options,
            )?)
        }))
    }
}

impl PartitionStream for PartScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let stream = match self.read() {
            Ok(batches) => futures::stream::iter(batches).boxed(),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}
