//! What a run of this job left that died while it committed: finished, or undone.
//!
//! [`mastic_catalog::BookmarkStore`] has the protocol. A run leaves, with the record that its commit has begun, what
//! each sink is about to publish. Where one of them was committed, all are; where none was, none is.

use mastic_catalog::{CatalogStore, PendingCommit};
use mastic_lake::error::LakeError;
use mastic_lake::sink::{Intent, discard, resume, was_committed};
use mastic_lake::store::Stores;

use crate::job::JobError;

/// Settles the commits of dead runs of a job.
pub(crate) async fn settle(
    catalog: &dyn CatalogStore,
    stores: &Stores,
    job: &str,
) -> Result<(), JobError> {
    for pending in catalog.pending_commits(Some(job)).await? {
        if pending.alive {
            continue;
        }
        let applied = finish(stores, &pending)
            .await
            .map_err(|source| JobError::Unsettled {
                run: pending.run_id.clone(),
                source,
            })?;
        catalog.settle(&pending.run_id, applied).await?;
        log::warn!(
            "run {} died while it committed; its sinks were {}",
            pending.run_id,
            if applied { "committed" } else { "undone" }
        );
    }
    Ok(())
}

/// Commits all sinks of a dead run, or none of them; whether it was all.
async fn finish(stores: &Stores, pending: &PendingCommit) -> Result<bool, LakeError> {
    let intents: Vec<Intent> = match serde_json::from_value(pending.context.clone()) {
        Ok(intents) => intents,
        Err(error) => {
            return Err(LakeError::Option(format!(
                "what it was about to commit cannot be read: {error}"
            )));
        }
    };
    let mut committed = Vec::with_capacity(intents.len());
    for intent in &intents {
        let root = stores.locate(&intent.url)?;
        committed.push(was_committed(&root, intent).await?);
    }
    let any = committed.contains(&true);
    for (intent, committed) in intents.iter().zip(committed) {
        let root = stores.locate(&intent.url)?;
        match (any, committed) {
            (true, false) => resume(&root, intent).await?,
            (false, _) => discard(&root, intent).await?,
            (true, true) => {}
        }
    }
    Ok(any)
}
