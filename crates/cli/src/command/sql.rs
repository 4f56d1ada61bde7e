//! `mastic sql`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use mastic_catalog::{CatalogStore, PRIMARY_WORKGROUP, QueryExecution};
use mastic_query::execution::{Execution, Limits, Part, Request, Results, split};
use mastic_query::{QueryError, Session, SessionOptions};

use crate::args::{Global, Sql};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::counted;
use crate::output;
use crate::progress::Line;

/// How long a query that was stopped may take to say so, before the program ends without it.
const PATIENCE: Duration = Duration::from_secs(4);

pub(crate) async fn run(arguments: Sql, global: &Global, setting: &Setting) -> Result<()> {
    let (text, file) = match (&arguments.query, &arguments.file) {
        (Some(text), _) => (Some(text.clone()), None),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| CliError::failed(format!("cannot read {}: {e}", path.display())))?;
            (Some(text), Some(path.display().to_string()))
        }
        (None, None) => (None, None),
    };
    let catalog = setting.existing_catalog().await?;
    let asking = Asking::open(catalog, &arguments, global, setting).await?;
    let Some(text) = text else {
        return crate::command::prompt::run(&asking).await;
    };
    let parts = split(&text);
    if parts.is_empty() {
        return Err(CliError::failed("there is no statement"));
    }
    if arguments.to.is_some() && parts.len() > 1 {
        return Err(CliError::Usage(format!(
            "--to takes the result of one statement, and there are {}",
            parts.len()
        )));
    }
    for part in &parts {
        asking.answer(part, &text, file.as_deref()).await?;
    }
    Ok(())
}

/// How statements are asked, and where their answers go.
pub(crate) struct Asking {
    pub(crate) session: Arc<Session>,
    request: Request,
    output: output::Show,
    to: Option<std::path::PathBuf>,
}

impl Asking {
    async fn open(
        catalog: Arc<dyn CatalogStore>,
        arguments: &Sql,
        global: &Global,
        setting: &Setting,
    ) -> Result<Asking> {
        let named = arguments.workgroup.clone().or(setting.workgroup.clone());
        let workgroup = named.unwrap_or_else(|| PRIMARY_WORKGROUP.to_owned());
        let own = Limits {
            bytes_scanned: arguments.bytes_scanned_limit.map(|size| size.0),
            timeout: arguments.timeout.map(|span| span.0),
            concurrency: arguments.concurrency,
            memory: arguments.memory_limit.or(setting.memory_limit),
        };
        let limits = own.within(&catalog.get_workgroup(&workgroup).await?);
        let spill_dir = arguments.spill_dir.as_ref().or(setting.spill_dir.as_ref());
        let session = Session::open_with(
            catalog,
            setting.stores.clone(),
            SessionOptions {
                database: arguments.database.as_deref(),
                memory_limit: limits.memory,
                spill_dir: spill_dir.map(std::path::PathBuf::as_path),
            },
        )
        .await?;
        let results = match &arguments.results {
            None => setting.results(),
            Some(chosen) if chosen == "none" => Results::none(),
            Some(chosen) => Results {
                location: Some(chosen.clone()),
                chosen: true,
                ..setting.results()
            },
        };
        Ok(Asking {
            session: Arc::new(session),
            request: Request {
                workgroup,
                results,
                reuse_minutes: arguments.reuse,
                limits,
                streamed: true,
                ..Request::new("")
            },
            output: output::Show {
                format: global.output,
                max_rows: arguments.max_rows,
            },
            to: arguments.to.clone(),
        })
    }

    /// Answers one statement of a text.
    pub(crate) async fn answer(&self, part: &Part, whole: &str, file: Option<&str>) -> Result<()> {
        let request = Request {
            text: part.text.clone(),
            ..self.request.clone()
        };
        let mut execution = Execution::start(self.session.clone(), request).await?;
        let cancel = execution.canceller();
        let interrupted = Arc::new(AtomicBool::new(false));
        let told_so = interrupted.clone();
        let stop = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            told_so.store(true, Ordering::Relaxed);
            cancel();
            // A plan that computes without a pause cannot be told to stop; the process can.
            tokio::time::sleep(PATIENCE).await;
            anstream::eprintln!("error: interrupted");
            #[allow(clippy::exit)]
            std::process::exit(1);
        });
        let line = Line::new("running …");
        let shown = match execution.rows().await {
            Some(rows) => self.show(rows, line).await,
            None => Ok(()),
        };
        if shown.as_ref().is_err_and(|error| !error.is_of_query()) {
            // Nobody reads the rest.
            execution.cancel();
        }
        let done = execution.finish().await;
        stop.abort();
        match (done, shown) {
            (Err(QueryError::Cancelled(_)), _) if interrupted.load(Ordering::Relaxed) => {
                Err(CliError::failed("interrupted: the query was cancelled"))
            }
            // That nobody reads any more is why it was stopped.
            (_, Err(CliError::ClosedPipe)) => Err(CliError::ClosedPipe),
            (Err(QueryError::Cancelled(_)), Err(error)) if !error.is_of_query() => Err(error),
            (Err(error), _) => Err(CliError::of_part(&error, part, whole, file)),
            (Ok(_), Err(error)) => Err(error),
            (Ok(query), Ok(())) => {
                told(&query);
                Ok(())
            }
        }
    }

    async fn show(&self, rows: SendableRecordBatchStream, line: Line) -> Result<()> {
        match &self.to {
            Some(path) => {
                let rows = output::to_file(rows, path).await?;
                drop(line);
                anstream::eprintln!("{} → {}", counted(rows, "row"), path.display());
                Ok(())
            }
            None => {
                let rows = first_batch(rows).await;
                drop(line);
                output::result(rows, self.output).await
            }
        }
    }
}

/// Says what a person would not expect of a query that went well.
fn told(query: &QueryExecution) {
    if let Some(id) = &query.statistics.result_reuse_information.query_execution_id {
        anstream::eprintln!("the result is that of query {id}: nothing was read");
    }
}

/// Waits for the first batch, so that progress and data are not on the screen at once.
pub(crate) async fn first_batch(stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let mut stream = Box::pin(stream.peekable());
    stream.as_mut().peek().await;
    Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, stream))
}
