//! The way of a statement: it waits for its place, is planned, perhaps answered by another's result, and run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{TimeDelta, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use mastic_catalog::{CatalogStore, QueryExecution, StatementType};
use tokio::sync::{mpsc, oneshot};

use super::control::{Control, too_many_bytes};
use super::inputs::{reuse_key, tables};
use super::kind::Kept;
use super::measure::certain_bytes;
use super::peak::PeakPool;
use super::request::Settled;
use super::result::{ResultWriter, bytes_of, read_result};
use crate::error::{QueryError, Result};
use crate::session::{DEFAULT_DATABASE, Session};

/// How often one that waits asks whether there is a place.
const ASK: Duration = Duration::from_millis(100);

/// Where rows go while they come.
pub(super) type Rows = mpsc::Sender<RecordBatch>;

/// A statement at work.
pub(super) struct Work {
    pub(super) session: Arc<Session>,
    pub(super) control: Arc<Control>,
    pub(super) settled: Settled,
    pub(super) text: String,
    pub(super) workgroup: String,
    pub(super) statement: (StatementType, Kept),
    /// Told what the rows are like, as soon as that is known.
    pub(super) ready: Option<oneshot::Sender<SchemaRef>>,
    pub(super) rows: Option<Rows>,
    pub(super) recorded: bool,
    /// The result as far as it is written: for whoever has to take it back.
    pub(super) writer: Arc<tokio::sync::Mutex<Option<ResultWriter>>>,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Work {
    pub(super) async fn run(mut self) -> Result<()> {
        self.wait().await?;
        self.control.begin();
        let began = Instant::now();
        let frame = self.session.sql(&self.text).await?;
        let (state, bound) = frame.into_parts();
        let planned = state.optimize(&bound)?;
        let physical = state
            .query_planner()
            .create_physical_plan(&planned, &state)
            .await?;
        self.control.observe(physical.clone());
        self.check_bytes(&physical)?;
        let key = match self.settled.results.location {
            Some(_) if self.statement.1 == Kept::Csv => reuse_key(
                (&self.text, self.session.database(), &self.workgroup),
                &bound,
                &planned,
                &physical,
                Utc::now(),
            ),
            _ => None,
        };
        let planning = millis(began.elapsed());
        self.control.change(|query| {
            query.statistics.query_planning_time_in_millis = planning;
            query.reuse_key.clone_from(&key);
        });
        if let Some(key) = &key
            && let Some((other, rows)) = self.other(key).await?
        {
            return self.again(other, rows).await;
        }
        let began = Instant::now();
        let context = self.context(state.task_ctx())?;
        let rows = execute_stream(physical, context)?;
        let done = self.forward(rows).await;
        let running = millis(began.elapsed());
        self.control
            .change(|query| query.statistics.engine_execution_time_in_millis = running);
        done.map_err(|error| self.explain(error))?;
        self.count_partitions(&planned).await;
        Ok(())
    }

    /// Waits for a place in the workgroup.
    async fn wait(&self) -> Result<()> {
        let Some(limit) = self.settled.limits.concurrency.filter(|_| self.recorded) else {
            return Ok(());
        };
        let began = Instant::now();
        let query = self.control.query();
        let catalog = self.session.catalog();
        // From here on it is this, and not the watch, that says in the history what it is.
        self.control.recorded_before();
        catalog.record_query(&query).await?;
        while !catalog
            .admit_query(&query.query_execution_id, limit)
            .await?
        {
            tokio::time::sleep(ASK).await;
        }
        let waited = millis(began.elapsed());
        self.control
            .change(|query| query.statistics.query_queue_time_in_millis = waited);
        Ok(())
    }

    /// That a plan does not read more than it may, where the files alone tell that it does.
    fn check_bytes(&self, physical: &Arc<dyn ExecutionPlan>) -> Result<()> {
        match (self.settled.limits.bytes_scanned, certain_bytes(physical)) {
            (Some(limit), Some(bytes)) if bytes > limit => {
                Err(too_many_bytes(limit, bytes, "would read"))
            }
            _ => Ok(()),
        }
    }

    /// Another query's result that is this one's too, if it may be used and can be read.
    async fn other(
        &self,
        key: &str,
    ) -> Result<Option<(QueryExecution, SendableRecordBatchStream)>> {
        let minutes = self.settled.reuse_minutes;
        if minutes == 0 {
            return Ok(None);
        }
        let since = Utc::now() - TimeDelta::minutes(i64::from(minutes));
        let Some(other) = self.session.catalog().reusable_query(key, since).await? else {
            return Ok(None);
        };
        // One whose files are gone is no result.
        match read_result(self.session.stores(), &other).await {
            Ok(rows) => Ok(Some((other, rows))),
            Err(error) => {
                log::debug!(
                    "the result of {} is not used: {error}",
                    other.query_execution_id
                );
                Ok(None)
            }
        }
    }

    /// Gives another's rows, and says so.
    async fn again(
        &mut self,
        other: QueryExecution,
        mut rows: SendableRecordBatchStream,
    ) -> Result<()> {
        self.tell(rows.schema());
        while let Some(batch) = rows.next().await {
            self.give(batch?).await;
        }
        self.control.complete();
        self.rows = None;
        self.control.change(|query| {
            let reuse = &mut query.statistics.result_reuse_information;
            reuse.reused_previous_result = true;
            reuse.query_execution_id = Some(other.query_execution_id);
            let result = &mut query.result_configuration;
            result.output_location = other.result_configuration.output_location;
            result.arrow_location = other.result_configuration.arrow_location;
            query.reuse_key = None;
        });
        Ok(())
    }

    /// The engine's context, with a pool that remembers how much was held.
    fn context(&self, of: Arc<TaskContext>) -> Result<Arc<TaskContext>> {
        let runtime = of.runtime_env();
        let peak = Arc::new(PeakPool::new(runtime.memory_pool.clone()));
        self.control.hold(peak.clone());
        let runtime = RuntimeEnv {
            memory_pool: peak,
            ..runtime.as_ref().clone()
        };
        // It was made for this query, and nobody else has it.
        let own = Arc::into_inner(of)
            .ok_or_else(|| DataFusionError::Internal("a context that is shared".into()))?;
        Ok(Arc::new(own.with_runtime(Arc::new(runtime))))
    }

    fn tell(&mut self, schema: SchemaRef) {
        if let Some(ready) = self.ready.take() {
            // Whoever started it may not want to know.
            let _ = ready.send(schema);
        }
    }

    /// Counts rows, and gives them to whoever reads them; that nobody does any more changes nothing.
    async fn give(&mut self, batch: RecordBatch) {
        let (rows, bytes) = (batch.num_rows() as u64, bytes_of(&batch));
        self.control.change(|query| {
            query.statistics.rows_returned += rows;
            query.statistics.bytes_returned += bytes;
        });
        if let Some(to) = &self.rows
            && to.send(batch).await.is_err()
        {
            self.rows = None;
        }
    }

    /// Gives rows on while it writes them down.
    async fn forward(&mut self, mut rows: SendableRecordBatchStream) -> Result<()> {
        let schema = rows.schema();
        self.open(schema.clone()).await?;
        self.tell(schema);
        let mut writing = Duration::ZERO;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let began = Instant::now();
            self.keep(&batch).await?;
            writing += began.elapsed();
            self.give(batch).await;
        }
        // What was read between two looks counts as well.
        let read = self.control.bytes_scanned();
        if let Some(limit) = self.settled.limits.bytes_scanned
            && read > limit
        {
            return Err(too_many_bytes(limit, read, "has read"));
        }
        let began = Instant::now();
        self.control.close();
        let done = self.close().await;
        writing += began.elapsed();
        self.control
            .change(|query| query.statistics.result_writing_time_in_millis = millis(writing));
        if done.is_ok() {
            self.control.complete();
            self.rows = None;
        }
        done
    }

    async fn open(&self, schema: SchemaRef) -> Result<()> {
        let results = &self.settled.results;
        let Some(location) = &results.location else {
            return Ok(());
        };
        let id = self.control.query().query_execution_id;
        let kept = self.statement.1;
        let stores = self.session.stores();
        let made = ResultWriter::new(stores, location, &id, kept, schema, results.max_bytes);
        match made {
            Ok(writer) => *self.writer.lock().await = Some(writer),
            Err(error) => self.give_up(error).await?,
        }
        Ok(())
    }

    async fn keep(&self, batch: &RecordBatch) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let Some(open) = writer.as_mut() else {
            return Ok(());
        };
        match open.write(batch).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let most = self.settled.results.max_bytes;
                let why =
                    format!("it is larger than the {most} bytes that are kept of all results");
                if let Some(writer) = writer.take() {
                    writer.abort().await;
                }
                self.not_kept(why);
                Ok(())
            }
            Err(error) => {
                drop(writer);
                self.give_up(error).await
            }
        }
    }

    async fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let Some(open) = writer.as_mut() else {
            return Ok(());
        };
        match open.finish(&self.control.written()).await {
            Ok(whole) => {
                *writer = None;
                self.control.change(|query| {
                    let result = &mut query.result_configuration;
                    result.output_location = Some(whole.output);
                    result.arrow_location = Some(whole.arrow);
                    result.files = whole.files;
                    result.bytes = Some(whole.bytes);
                });
                Ok(())
            }
            Err(error) => {
                drop(writer);
                self.give_up(error).await
            }
        }
    }

    /// A result that cannot be written is an error where somebody said where it goes.
    async fn give_up(&self, error: QueryError) -> Result<()> {
        if let Some(writer) = self.writer.lock().await.take() {
            writer.abort().await;
        }
        if self.settled.results.chosen {
            return Err(error);
        }
        log::warn!("the result is not kept: {error}");
        self.not_kept(error.to_string());
        Ok(())
    }

    fn not_kept(&self, why: String) {
        self.control.change(|query| {
            query.result_configuration.not_kept = Some(why);
            query.reuse_key = None;
        });
    }

    /// An error of the engine, with the limit by its name where there was too little memory.
    fn explain(&self, error: QueryError) -> QueryError {
        let QueryError::Engine(inner) = &error else {
            return error;
        };
        let DataFusionError::ResourcesExhausted(detail) = inner.find_root() else {
            return error;
        };
        let runtime = self.session.statements().runtime_env();
        let MemoryLimit::Finite(limit) = runtime.memory_pool.memory_limit() else {
            return error;
        };
        let detail = detail.lines().next().unwrap_or_default();
        QueryError::Limit {
            message: format!(
                "the query needs more memory than its limit of {} MB, and cannot spill the rest to disk: {detail}",
                limit / 1_000_000
            ),
            hint: "give it more with --memory-limit, or read fewer rows at a time".to_owned(),
        }
    }

    /// Counts the partitions that were pruned: those that the tables have and the plan does not read.
    async fn count_partitions(&self, planned: &LogicalPlan) {
        let mut all = 0;
        for (table, filtered) in tables(planned) {
            if !filtered || table.partition_keys.is_empty() {
                return;
            }
            let (database, name) = (&table.database_name, &table.name);
            let catalog: &dyn CatalogStore = self.session.catalog().as_ref();
            let counted = catalog.count_partitions(database, name, table.version_id, None);
            all += counted.await.unwrap_or(0);
        }
        self.control.measure();
        self.control.change(|query| {
            let statistics = &mut query.statistics;
            statistics.pruned.partitions = all.saturating_sub(statistics.partitions_read);
        });
    }
}

/// The database of names without one.
pub(super) fn database(session: &Session) -> &str {
    session.database().unwrap_or(DEFAULT_DATABASE)
}
