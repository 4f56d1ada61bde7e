//! Running a query into staged files, and what becomes of them.

use std::future::Future;
use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryLimit;
use futures::{StreamExt, TryStreamExt, stream};
use mastic_lake::LakeError;
use mastic_lake::list::list;
use mastic_lake::sink::{self, SinkSpec, Staged, Written};
use mastic_lake::store::Location;
use object_store::ObjectStoreExt;

use super::columns::told;
use crate::error::{QueryError, Result};

/// Of a session's memory limit, open files may have this part.
const SINKS_PART: usize = 4;
/// How many files are removed side by side.
const SIDE_BY_SIDE: usize = 16;

/// Runs a query and stages its rows; nothing is visible, and dropping what comes back removes it.
///
/// # Errors
/// When the query fails, or its rows cannot be written as asked. Nothing is left then.
pub(super) async fn stage(frame: DataFrame, mut spec: SinkSpec) -> Result<(Staged, SinkSpec)> {
    let context = Arc::new(frame.task_ctx());
    if let MemoryLimit::Finite(bytes) = context.memory_pool().memory_limit() {
        spec.memory_bytes = spec.memory_bytes.min(bytes / SINKS_PART);
    }
    let plan = frame.create_physical_plan().await?;
    crate::execution::observe(&plan);
    let staged = sink::write(plan, context, &spec, None).await;
    Ok((staged.map_err(of_lake)?, spec))
}

/// The lake's error as a statement's.
pub(super) fn of_lake(error: LakeError) -> QueryError {
    match error {
        LakeError::Engine(engine) => engine.into(),
        other => other.into(),
    }
}

/// Runs something to its end, even if whoever waits for it stops waiting: a commit, and what the catalog is told of it.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => Err(told(format!("the commit stopped: {error}"), None)),
    }
}

/// Removes what was published, where the catalog could not be told of it.
pub(super) async fn withdraw(root: &Location, written: &Written) {
    stream::iter(&written.files)
        .for_each_concurrent(SIDE_BY_SIDE, |file| async move {
            // What is left is nobody's: no table knows of it.
            let _ = root.store.delete(&root.child(&file.path).path).await;
        })
        .await;
    if !root.is_local() {
        return;
    }
    let folders = written.files.iter().map(|file| root.child(file.folder()));
    let mut paths: Vec<String> = folders.map(|folder| folder.url).collect();
    paths.dedup();
    let top = root.url.clone();
    let removed = tokio::task::spawn_blocking(move || {
        for path in paths {
            for folder in std::path::Path::new(&path).ancestors() {
                // Fails where something is left in the folder.
                if !folder.starts_with(&top) || std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
    });
    let _ = removed.await;
}

/// Refuses a place where a visible file is already.
pub(super) async fn refuse_full(root: &Location, hint: &str) -> Result<()> {
    let found = visible_files(root).await?;
    let Some(first) = found.first() else {
        return Ok(());
    };
    let others = match found.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Err(told(
        format!("{} is not empty: it holds {first}{others}", root.url),
        hint.to_owned(),
    ))
}

/// The visible files below a place, by their URLs; none where there is no such place.
pub(super) async fn visible_files(root: &Location) -> Result<Vec<String>> {
    match list(root).await {
        Ok(listing) => {
            let files = listing.files.iter().chain(&listing.empty);
            let mut found: Vec<String> = files.map(|f| root.url_of(&f.location)).collect();
            found.extend(listing.hidden.into_iter().map(|(url, _)| url));
            Ok(found)
        }
        Err(LakeError::NotFound { .. } | LakeError::Empty { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Which of these places hold a visible file.
pub(super) async fn full(places: Vec<Location>) -> Result<Vec<Location>> {
    stream::iter(places)
        .map(|place| async move {
            let is_full = !visible_files(&place).await?.is_empty();
            Ok::<_, QueryError>(is_full.then_some(place))
        })
        .buffered(SIDE_BY_SIDE)
        .try_filter_map(|place| async move { Ok(place) })
        .try_collect()
        .await
}
