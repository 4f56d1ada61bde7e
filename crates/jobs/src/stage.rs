//! Running the plans of sinks into staged files.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::DataFrame;
use futures::FutureExt;
use futures::future::{self, BoxFuture, Shared};
use mastic_dynamic_frame::{DynamicFrame, FrameError, Ledger, share};
use mastic_lake::error::LakeError;
use mastic_lake::sink::{self, OnProgress, SinkSpec, Staged};
use tokio::sync::Notify;

/// Of a run's memory limit, open files of its sinks may have this part.
const SINKS_PART: usize = 4;

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
///
/// Sinks that read frames in common are written at the same time, so that these are computed once; others one
/// after another.
pub(crate) async fn stage(
    jobs: Vec<Job<'_>>,
    ledger: &Arc<Ledger>,
    stop: &Stop,
) -> Result<Vec<Staged>, (usize, LakeError)> {
    let frames = jobs.iter().map(|job| job.frame.clone()).collect();
    let frames = share(frames).map_err(|error| (0, from_frame(error)))?;
    let ids: Vec<BTreeSet<String>> = frames.iter().map(DynamicFrame::shared_ids).collect();
    let mut waiting: Vec<Option<Job<'_>>> = jobs
        .into_iter()
        .zip(frames)
        .map(|(job, frame)| Some(Job { frame, ..job }))
        .collect();
    let mut all: Vec<Option<Staged>> = waiting.iter().map(|_| None).collect();
    for group in groups(&ids) {
        let jobs = group.iter().filter_map(|&number| {
            let job = waiting.get_mut(number).and_then(Option::take)?;
            Some((number, job))
        });
        match together(jobs.collect(), ledger, stop).await {
            Ok(staged) => {
                for (number, staged) in staged {
                    all[number] = Some(staged);
                }
            }
            Err(error) => {
                abort(all.into_iter().flatten()).await;
                return Err(error);
            }
        }
    }
    Ok(all.into_iter().flatten().collect())
}

/// The numbers of those that have ids in common, directly or through others, in order.
fn groups(ids: &[BTreeSet<String>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(BTreeSet<&String>, Vec<usize>)> = Vec::new();
    for (number, own) in ids.iter().enumerate() {
        let mut merged = (own.iter().collect::<BTreeSet<_>>(), Vec::new());
        let mut apart = Vec::new();
        for group in groups {
            if group.0.is_disjoint(&merged.0) {
                apart.push(group);
            } else {
                merged.0.extend(group.0);
                merged.1.extend(group.1);
            }
        }
        merged.1.push(number);
        merged.1.sort_unstable();
        groups = apart;
        groups.push(merged);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_iter().map(|(_, numbers)| numbers).collect();
    groups.sort_unstable();
    groups
}

/// Writes sinks at the same time. When one fails, the others are stopped, and what they staged is removed.
async fn together(
    jobs: Vec<(usize, Job<'_>)>,
    ledger: &Arc<Ledger>,
    stop: &Stop,
) -> Result<Vec<(usize, Staged)>, (usize, LakeError)> {
    let count = jobs.len();
    // All are planned before one begins to read.
    let mut planned = Vec::with_capacity(count);
    for (number, job) in jobs {
        let plan = plan(&job, count, ledger).await.map_err(|e| (number, e))?;
        planned.push((number, job, plan));
    }
    let failed = Notify::new();
    let first = OnceLock::new();
    let writes = planned.into_iter().map(|(number, job, planned)| {
        let (failed, first) = (&failed, &first);
        async move {
            let (plan, context, spec) = planned;
            // Registered before any of them can fail.
            let other = failed.notified();
            let stop = future::select(stop.clone(), Box::pin(other)).map(|_| ());
            let written = sink::write_until(plan, context, &spec, job.on_progress, stop).await;
            if written.is_err() && first.set(number).is_ok() {
                failed.notify_waiters();
            }
            (number, written)
        }
    });
    let mut staged = Vec::with_capacity(count);
    let mut error = None;
    for (number, written) in future::join_all(writes).await {
        match written {
            Ok(done) => staged.push((number, done)),
            // The others were stopped for it.
            Err(e) if first.get() == Some(&number) => error = Some((number, e)),
            Err(_) => {}
        }
    }
    match error {
        None => Ok(staged),
        Some(error) => {
            abort(staged.into_iter().map(|(_, staged)| staged)).await;
            Err(error)
        }
    }
}

type Planned = (Arc<dyn ExecutionPlan>, Arc<TaskContext>, SinkSpec);

/// What a sink runs, as one of so many that run at the same time.
async fn plan(job: &Job<'_>, count: usize, ledger: &Arc<Ledger>) -> Result<Planned, LakeError> {
    let (mut state, plan) = job.frame.clone().into_dataframe().into_parts();
    ledger.attach(&mut state);
    let frame = DataFrame::new(state, plan);
    let context = Arc::new(frame.task_ctx());
    let mut spec = job.spec.clone();
    if let MemoryLimit::Finite(bytes) = context.memory_pool().memory_limit() {
        spec.memory_bytes = spec.memory_bytes.min(bytes / SINKS_PART);
    }
    spec.memory_bytes /= count.max(1);
    spec.max_open_files = (spec.max_open_files / count.max(1)).max(1);
    let plan = frame.create_physical_plan().await?;
    Ok((plan, context, spec))
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

/// What is said of an operator that had to have more memory than there is.
pub(crate) fn memory(error: &LakeError) -> Option<String> {
    let text = exhausted(error)?;
    // `... with top memory consumers ... as:`, a line for each of them, and `Error:` with what was wanted.
    let lines = || text.lines().map(str::trim);
    let wanted = lines().find_map(|line| line.strip_prefix("Error: "));
    let held: Vec<&str> = lines().filter(|line| line.contains(" consumed ")).collect();
    Some(match (wanted, held.is_empty()) {
        (Some(wanted), false) => {
            let held = held.join(" ");
            format!("the run needs more memory than its limit: {wanted}; most is held by {held}")
        }
        _ => format!("the run needs more memory than its limit: {text}"),
    })
}

/// What to do about it.
pub(crate) fn memory_hint(error: &LakeError) -> Option<String> {
    exhausted(error)?;
    Some(
        "give it more with --memory-limit; array_agg and its like, ORDER BY with a large LIMIT, NOT IN, and joins \
         on no equality cannot spill to disk"
            .to_owned(),
    )
}

fn exhausted(error: &LakeError) -> Option<&str> {
    let LakeError::Engine(engine) = error else {
        return None;
    };
    match engine.find_root() {
        // The disk has a limit of its own.
        DataFusionError::ResourcesExhausted(text) if !text.contains("temp") => Some(text),
        _ => None,
    }
}

/// The engine's error within a frame's, for the lake to carry.
pub(crate) fn from_frame(error: FrameError) -> LakeError {
    LakeError::Engine(match error {
        FrameError::Engine { source } => source,
        other => DataFusionError::External(Box::new(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_are_grouped_by_what_they_share() {
        let set = |ids: &str| ids.chars().map(String::from).collect::<BTreeSet<_>>();
        let ids = ["a", "", "b", "c", "ab", "d", "cd"].map(set);
        assert_eq!(groups(&ids), [vec![0, 2, 4], vec![1], vec![3, 5, 6]]);
    }
}
