//! `mastic sql`.

use mastic_query::Session;

use crate::args::{Global, Sql};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::counted;
use crate::output;
use crate::progress::Line;

pub(crate) async fn run(arguments: Sql, global: &Global, setting: &Setting) -> Result<()> {
    let (text, file) = match (arguments.query, &arguments.file) {
        (Some(text), _) => (Some(text), None),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| CliError::failed(format!("cannot read {}: {e}", path.display())))?;
            (Some(text), Some(path.display().to_string()))
        }
        (None, None) => (None, None),
    };
    let catalog = setting.existing_catalog().await?;
    let session = Session::open(
        catalog,
        setting.stores.clone(),
        arguments.database.as_deref(),
    )
    .await?;
    let Some(text) = text else {
        return crate::command::prompt::run(&session, global, arguments.max_rows).await;
    };
    let work = async {
        let line = Line::new("running …");
        let frame = session
            .sql(&text)
            .await
            .map_err(|e| CliError::of_query(&e, &text, file))?;
        let batches = frame
            .execute_stream()
            .await
            .map_err(mastic_query::QueryError::from)?;
        match &arguments.to {
            Some(path) => {
                let rows = output::to_file(batches, path).await?;
                drop(line);
                anstream::eprintln!("{} → {}", counted(rows, "row"), path.display());
                Ok(())
            }
            None => {
                let first = Box::pin(first_batch(batches)).await;
                drop(line);
                output::result(first, global.output, arguments.max_rows).await
            }
        }
    };
    // A plan that computes without a pause cannot be told to stop; the process can.
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            anstream::eprintln!("error: interrupted");
            #[allow(clippy::exit)]
            std::process::exit(1);
        }
    });
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(CliError::failed("interrupted")),
    }
}

/// Waits for the first batch, so that progress and data are not on the screen at once.
pub(crate) async fn first_batch(
    stream: datafusion::execution::SendableRecordBatchStream,
) -> datafusion::execution::SendableRecordBatchStream {
    use futures::StreamExt;
    let schema = stream.schema();
    let mut stream = Box::pin(stream.peekable());
    stream.as_mut().peek().await;
    Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, stream))
}
