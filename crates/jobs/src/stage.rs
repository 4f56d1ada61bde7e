//! Running the plans of sinks into staged files.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::DataFrame;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use mastic_dynamic_frame::{DynamicFrame, FrameError, Ledger};
use mastic_lake::error::LakeError;
use mastic_lake::sink::{self, OnProgress, SinkSpec, Staged};

/// A signal that ends a run before its commit.
pub(crate) type Stop = Shared<BoxFuture<'static, ()>>;

/// A sink that is to be staged.
pub(crate) struct Job<'a> {
    /// The records.
    pub(crate) frame: DynamicFrame,
    /// Where and how they are written.
    pub(crate) spec: &'a SinkSpec,
    /// Who is told how far it is.
    pub(crate) on_progress: Option<OnProgress>,
}

/// Stages sinks; all of them, or none: what was staged before one fails is removed. The error comes with
/// the number of the sink.
pub(crate) async fn stage(
    jobs: Vec<Job<'_>>,
    ledger: &Arc<Ledger>,
    stop: &Stop,
) -> Result<Vec<Staged>, (usize, LakeError)> {
    let mut staged = Vec::with_capacity(jobs.len());
    for (number, job) in jobs.into_iter().enumerate() {
        match one(job, ledger, stop.clone()).await {
            Ok(done) => staged.push(done),
            Err(error) => {
                abort(staged).await;
                return Err((number, error));
            }
        }
    }
    Ok(staged)
}

async fn one(job: Job<'_>, ledger: &Arc<Ledger>, stop: Stop) -> Result<Staged, LakeError> {
    let (mut state, plan) = job.frame.into_dataframe().into_parts();
    ledger.attach(&mut state);
    let frame = DataFrame::new(state, plan);
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    sink::write_until(plan, context, job.spec, job.on_progress, stop.map(|()| ())).await
}

/// Removes what was staged.
pub(crate) async fn abort(staged: impl IntoIterator<Item = Staged>) {
    for staged in staged {
        if let Err(left) = staged.abort().await {
            log::warn!("{left}");
        }
    }
}

/// The transforms' own error within one of the lake's, where there is one.
pub(crate) fn frame_error(error: &LakeError) -> Option<&FrameError> {
    let LakeError::Engine(engine) = error else {
        return None;
    };
    let mut current: Option<&(dyn std::error::Error + 'static)> = Some(engine);
    while let Some(error) = current {
        if let Some(ours) = error.downcast_ref::<FrameError>() {
            return Some(ours);
        }
        current = match error.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            _ => error.source(),
        };
    }
    None
}
