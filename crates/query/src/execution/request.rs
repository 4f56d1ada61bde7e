//! What is asked for: a statement, where its result goes, and what it may cost.

use std::time::Duration;

use mastic_catalog::{
    CatalogError, MAX_REUSE_MINUTES, PRIMARY_WORKGROUP, WorkGroup, WorkGroupState,
};

use super::result::Results;
use crate::error::{QueryError, Result};
use crate::memory::MemoryLimit;

/// A statement that is handed in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its text: one statement.
    pub text: String,
    /// Its workgroup.
    pub workgroup: String,
    /// Where its result is kept.
    pub results: Results,
    /// For how many minutes another's result may be used; 0: not at all; `None`: as the workgroup says.
    pub reuse_minutes: Option<u32>,
    /// What it may cost; the workgroup may allow less.
    pub limits: Limits,
    /// Whether somebody reads its rows while it runs ([`super::Execution::rows`]). It goes no faster than they are read.
    pub streamed: bool,
    /// Whether it is written into the catalog's history.
    pub recorded: bool,
}

impl Request {
    /// A statement in the workgroup `primary`, without limits, whose result is not kept.
    pub fn new(text: impl Into<String>) -> Self {
        Request {
            text: text.into(),
            workgroup: PRIMARY_WORKGROUP.to_owned(),
            results: Results::none(),
            reuse_minutes: None,
            limits: Limits::default(),
            streamed: false,
            recorded: true,
        }
    }
}

/// What a query may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes it may read of files.
    pub bytes_scanned: Option<u64>,
    /// For how long it may plan and run; waiting for a place does not count.
    pub timeout: Option<Duration>,
    /// How many queries of its workgroup run at once; it waits where there are as many.
    pub concurrency: Option<u32>,
    /// How much memory its operators may hold. A [`crate::Session`] is opened with it.
    pub memory: Option<MemoryLimit>,
}

impl Limits {
    /// The lower of these and the workgroup's.
    #[must_use]
    pub fn within(self, workgroup: &WorkGroup) -> Self {
        fn lower<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        }
        let of = &workgroup.configuration;
        Limits {
            bytes_scanned: lower(self.bytes_scanned, of.bytes_scanned_cutoff_per_query),
            timeout: lower(
                self.timeout,
                of.query_timeout_in_seconds.map(Duration::from_secs),
            ),
            concurrency: lower(self.concurrency, of.max_concurrent_queries),
            memory: lower(
                self.memory,
                of.memory_limit_in_bytes.map(MemoryLimit::at_least),
            ),
        }
    }
}

/// A request as its workgroup has it.
pub(super) struct Settled {
    pub(super) results: Results,
    pub(super) reuse_minutes: u32,
    pub(super) limits: Limits,
}

impl Settled {
    pub(super) fn of(request: &Request, workgroup: &WorkGroup) -> Result<Self> {
        let name = &workgroup.name;
        if workgroup.state == WorkGroupState::Disabled {
            return Err(QueryError::Limit {
                message: format!("workgroup {name} is disabled: it takes no queries"),
                hint: format!(
                    "enable it by `mastic workgroup update {name} --enable`, or name another"
                ),
            });
        }
        if let Some(minutes) = request.reuse_minutes
            && minutes > MAX_REUSE_MINUTES
        {
            return Err(QueryError::Catalog(CatalogError::InvalidDefinition {
                what: "reuse of results",
                name: minutes.to_string(),
                reason: format!("a result is used again for at most {MAX_REUSE_MINUTES} minutes"),
            }));
        }
        let given = &workgroup.configuration;
        let enforced = given.enforce_work_group_configuration;
        let mut results = request.results.clone();
        if let Some(location) = &given.result_configuration.output_location
            && (enforced || !results.chosen)
        {
            results.location = Some(location.clone());
            results.chosen = true;
        }
        let own = request.reuse_minutes.filter(|_| !enforced);
        Ok(Settled {
            results,
            reuse_minutes: own.or(given.result_reuse_max_age_in_minutes).unwrap_or(0),
            limits: request.limits.within(workgroup),
        })
    }
}
