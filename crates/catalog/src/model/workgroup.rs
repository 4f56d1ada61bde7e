//! Workgroups: what queries may cost, and where their results go. Athena API: `WorkGroup`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::named::{Stamp, check_name, invalid};
use super::query::PRIMARY_WORKGROUP;
use super::time;
use crate::error::Result;

/// The longest time for which a result may be used again: 7 days, as in Athena.
pub const MAX_REUSE_MINUTES: u32 = 10_080;

/// A workgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WorkGroup {
    /// Its name; case counts.
    pub name: String,
    /// Whether it takes queries.
    pub state: WorkGroupState,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What holds for its queries.
    pub configuration: WorkGroupConfiguration,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was changed last; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_modified_on: Option<DateTime<Utc>>,
    /// Counts its changes; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// Whether a workgroup takes queries. Athena API: `WorkGroupState`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WorkGroupState {
    /// It does.
    #[default]
    Enabled,
    /// It does not.
    Disabled,
}

/// What holds for a workgroup's queries. Athena API: `WorkGroupConfiguration`; what it does not have comes last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WorkGroupConfiguration {
    /// Where results go.
    pub result_configuration: WorkGroupResults,
    /// Whether a query cannot say otherwise: where its result goes, and for how long results are used again.
    pub enforce_work_group_configuration: bool,
    /// The most bytes that a query may read; at least 10,000,000, as in Athena.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_scanned_cutoff_per_query: Option<u64>,
    /// For how many minutes a result is used again where a query does not say; 0: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_reuse_max_age_in_minutes: Option<u32>,
    /// How many queries run at once; others wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_queries: Option<u32>,
    /// For how many seconds a query may plan and run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_timeout_in_seconds: Option<u64>,
    /// How many bytes of memory its operators may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit_in_bytes: Option<u64>,
}

/// Where a workgroup's results go. Athena API: `ResultConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WorkGroupResults {
    /// A folder or `s3://BUCKET/PREFIX`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_location: Option<String>,
}

/// Athena's least `BytesScannedCutoffPerQuery`.
const LEAST_CUTOFF: u64 = 10_000_000;

impl WorkGroup {
    /// A workgroup without limits.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The one that every catalog has.
    pub(crate) fn primary() -> Self {
        Self::new(PRIMARY_WORKGROUP)
    }

    /// That it says what is allowed.
    pub(crate) fn check(&self) -> Result<()> {
        check_name("workgroup", &self.name)?;
        let wrong = |reason: String| Err(invalid("workgroup", &self.name, reason));
        let given = &self.configuration;
        if given
            .bytes_scanned_cutoff_per_query
            .is_some_and(|bytes| bytes < LEAST_CUTOFF)
        {
            return wrong(format!(
                "the limit on bytes scanned is at least {LEAST_CUTOFF} bytes"
            ));
        }
        if given
            .result_reuse_max_age_in_minutes
            .is_some_and(|minutes| minutes > MAX_REUSE_MINUTES)
        {
            return wrong(format!(
                "a result is used again for at most {MAX_REUSE_MINUTES} minutes"
            ));
        }
        for (what, zero) in [
            (
                "the number of queries at once",
                given.max_concurrent_queries == Some(0),
            ),
            ("the timeout", given.query_timeout_in_seconds == Some(0)),
            ("the memory limit", given.memory_limit_in_bytes == Some(0)),
        ] {
            if zero {
                return wrong(format!("{what} is 0, and no query could ever run"));
            }
        }
        Ok(())
    }

    /// Whether two say the same, whenever they were made.
    pub(crate) fn same_definition(&self, other: &Self) -> bool {
        let bare = |of: &Self| {
            let mut of = of.clone();
            of.stamp().clear();
            of
        };
        bare(self) == bare(other)
    }

    pub(crate) fn stamp(&mut self) -> Stamp<'_> {
        Stamp {
            created: &mut self.creation_time,
            updated: &mut self.last_modified_on,
            version: &mut self.version,
        }
    }
}
