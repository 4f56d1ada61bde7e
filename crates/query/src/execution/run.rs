//! An execution: started, watched, stopped, recorded.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{SubsecRound, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use mastic_catalog::{QueryExecution, QueryFailure, QueryState};
use tokio::sync::{mpsc, oneshot};

use super::control::{CURRENT, Control, Stop};
use super::kind::kind;
use super::request::{Request, Settled};
use super::result::{ResultWriter, Results, retain};
use super::work::{Work, database};
use crate::error::{QueryError, Result};
use crate::session::Session;

/// How long a query that was stopped may take to let go, before it is left to itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the error says that [`Execution::rows`] end with where the query fails: [`Execution::finish`] says why.
pub const ROWS_ENDED: &str = "the query failed";

/// Batches that wait to be read.
const AHEAD: usize = 2;

/// A query that was handed in. It goes on when this is dropped.
#[derive(Debug)]
pub struct Execution {
    id: String,
    control: Arc<Control>,
    ready: Option<oneshot::Receiver<SchemaRef>>,
    rows: Option<mpsc::Receiver<RecordBatch>>,
    done: oneshot::Receiver<Ended>,
}

/// What became of a query, with its error, which cannot be copied.
type Ended = (QueryExecution, Option<QueryError>);

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Control").field(&self.query()).finish()
    }
}

impl Execution {
    /// Hands a statement in. It runs by itself from here on, also when nobody asks for it any more.
    ///
    /// # Errors
    /// When the workgroup is not there or takes no queries. What is wrong with the statement is told by
    /// [`finish`](Self::finish), and in the history.
    pub async fn start(session: Arc<Session>, request: Request) -> Result<Execution> {
        let workgroup = session.catalog().get_workgroup(&request.workgroup).await?;
        let settled = Settled::of(&request, &workgroup)?;
        let mut query =
            QueryExecution::new(&request.text, &workgroup.name, Some(database(&session)));
        let statement = kind(&request.text);
        query.statement_type = Some(statement.0);
        let id = query.query_execution_id.clone();
        let control = Arc::new(Control::new(query));
        let (ready, is_ready) = oneshot::channel();
        let (rows, read) = mpsc::channel(AHEAD);
        let (ended, done) = oneshot::channel();
        let results = settled.results.clone();
        let limits = settled.limits;
        let writer: Arc<tokio::sync::Mutex<Option<ResultWriter>>> = Arc::default();
        let work = Work {
            session: session.clone(),
            control: control.clone(),
            settled,
            text: request.text,
            workgroup: workgroup.name,
            statement,
            ready: Some(ready),
            rows: request.streamed.then_some(rows),
            recorded: request.recorded,
            writer: writer.clone(),
        };
        let recorded = request.recorded;
        let own = control.clone();
        tokio::spawn(async move {
            let catalog = recorded.then(|| session.catalog().clone());
            let watch = tokio::spawn(own.clone().watch(catalog, limits));
            let error = attend(work, &own).await.err();
            // Nothing may be written after the end.
            watch.abort();
            let _ = watch.await;
            if error.is_some()
                && let Some(writer) = writer.lock().await.take()
            {
                writer.abort().await;
            }
            let query = end(&session, &own, error.as_ref(), recorded, &results).await;
            own.end();
            // Nobody may be waiting.
            let _ = ended.send((query, error));
        });
        Ok(Execution {
            id,
            control,
            ready: Some(is_ready),
            rows: request.streamed.then_some(read),
            done,
        })
    }

    /// The query's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The query as it is now, with what it has read so far.
    pub fn query(&self) -> QueryExecution {
        if self.control.query().is_alive() {
            self.control.measure();
        }
        self.control.query()
    }

    /// Asks for the query to be stopped. It ends as `CANCELLED`, unless it was about to end otherwise.
    pub fn cancel(&self) {
        self.control.stop(Stop::Cancelled);
    }

    /// What asks for the query to be stopped, to be kept apart from this.
    pub fn canceller(&self) -> impl Fn() + Send + Sync + 'static {
        let control = self.control.clone();
        move || control.stop(Stop::Cancelled)
    }

    /// The rows as they come, once, of a request that was to be `streamed`. Where the query fails, the stream ends with an
    /// error, and [`finish`](Self::finish) says which. `None`: it failed before there were any, or they were taken already.
    pub async fn rows(&mut self) -> Option<SendableRecordBatchStream> {
        let control = self.control.clone();
        let ready = self.ready.take()?;
        let schema = tokio::select! {
            biased;
            schema = ready => schema.ok()?,
            () = control.ended() => return None,
        };
        let rows = self.rows.take()?;
        let stream = futures::stream::unfold(Some(rows), move |rows| {
            let control = control.clone();
            async move {
                let mut rows = rows?;
                let batch = tokio::select! {
                    biased;
                    batch = rows.recv() => batch,
                    // A task that computes without a pause holds on to its end.
                    () = control.ended() => None,
                };
                match batch {
                    Some(batch) => Some((Ok(batch), Some(rows))),
                    // The last word comes with the end.
                    None if control.is_whole() => None,
                    None => Some((Err(DataFusionError::Execution(ROWS_ENDED.to_owned())), None)),
                }
            }
        });
        Some(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Why the query failed or was stopped.
    pub async fn finish(self) -> Result<QueryExecution> {
        let Execution { rows, done, .. } = self;
        // Rows that nobody will read hold nothing up.
        drop(rows);
        match done.await {
            Ok((query, None)) => Ok(query),
            Ok((_, Some(error))) => Err(error),
            Err(_) => Err(QueryError::Cancelled(
                "the program ended before the query did".to_owned(),
            )),
        }
    }
}

/// Runs the statement until it ends or is stopped.
async fn attend(work: Work, control: &Arc<Control>) -> Result<()> {
    let mut task = tokio::spawn(CURRENT.scope(control.clone(), work.run()));
    let done = tokio::select! {
        biased;
        done = &mut task => done,
        why = control.stopped() => {
            // One whose result is about to be visible is let go on.
            if !control.is_closing() {
                task.abort();
            }
            match tokio::time::timeout(PATIENCE, &mut task).await {
                // It ended by itself in the meantime, well or not.
                Ok(Ok(done)) => return done,
                _ => return Err(why.into_error()),
            }
        }
    };
    done.unwrap_or_else(|panicked| {
        Err(DataFusionError::Internal(format!("the query's task failed: {panicked}")).into())
    })
}

/// Writes down how the query ended, and makes room for newer results.
async fn end(
    session: &Session,
    control: &Control,
    error: Option<&QueryError>,
    recorded: bool,
    results: &Results,
) -> QueryExecution {
    control.measure();
    control.change(|query| {
        let now = Utc::now().trunc_subsecs(3);
        let status = &mut query.status;
        status.completion_date_time = Some(now);
        let took = (now - status.submission_date_time).num_milliseconds();
        query.statistics.total_execution_time_in_millis = u64::try_from(took).unwrap_or(0);
        status.state = match error {
            None => QueryState::Succeeded,
            Some(QueryError::Cancelled(_)) => QueryState::Cancelled,
            Some(_) => QueryState::Failed,
        };
        if let Some(error) = error {
            let text = error.to_string();
            status.state_change_reason = Some(text.clone());
            if status.state == QueryState::Failed {
                status.athena_error = Some(failure(error, text));
            }
            query.reuse_key = None;
        }
    });
    let query = control.query();
    if recorded {
        if let Err(error) = session.catalog().record_query(&query).await {
            log::warn!("the query is not in the history: {error}");
        }
        if query.result_configuration.bytes.is_some() {
            let kept = retain(session.catalog().as_ref(), session.stores(), results).await;
            if let Err(error) = kept {
                log::warn!("old results are not removed: {error}");
            }
        }
    }
    query
}

fn failure(error: &QueryError, error_message: String) -> QueryFailure {
    let (error_category, kind) = match error {
        QueryError::Statement { .. } => (2, "STATEMENT"),
        QueryError::Unsupported(_) => (2, "UNSUPPORTED"),
        QueryError::Limit { .. } => (2, "LIMIT"),
        QueryError::Cancelled(_) => (3, "CANCELLED"),
        QueryError::Catalog(_) => (1, "CATALOG"),
        QueryError::Lake(_) => (1, "FILES"),
        QueryError::Engine(inner) if mastic_lake::error::find(inner).is_some() => (1, "FILES"),
        QueryError::Engine(_) => (3, "ENGINE"),
    };
    let place = error.place();
    QueryFailure {
        error_category,
        kind: kind.to_owned(),
        error_message,
        hint: error.hint(),
        line: place.map(|place| place.0),
        column: place.map(|place| place.1),
    }
}
