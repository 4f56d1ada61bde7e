//! Runs of jobs. Glue API: `JobRun`, whose names this has where there is one.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::process::RunProcess;
use super::time;

/// A run that has not said for so long that it lives is taken for dead. A run says so ([`crate::RunStore::beat_run`])
/// every [`HEARTBEAT_SECONDS`].
pub const DEAD_AFTER_SECONDS: i64 = 120;

/// How often a run should say that it lives.
pub const HEARTBEAT_SECONDS: u64 = 15;

/// What is told of a run that was killed.
pub(crate) const DIED: &str = "the process ended without saying so";

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Run {
    /// Its id: `jr_` and 32 hexadecimal digits.
    pub id: String,
    /// Which attempt it is; the first is 1.
    pub attempt: u32,
    /// The run that it is another attempt of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_run_id: Option<String>,
    /// The job. Case counts.
    pub job_name: String,
    /// When it began.
    #[serde(with = "time::required")]
    pub started_on: DateTime<Utc>,
    /// When it ended. Of a run that was killed: when it last said that it lived.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub completed_on: Option<DateTime<Utc>>,
    /// What came of it. A run that was killed is `FAILED` as soon as that can be told: at once by whoever asks on the
    /// same machine (Linux), and after [`DEAD_AFTER_SECONDS`] by others.
    pub job_run_state: RunState,
    /// Its arguments.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long it took, or has taken so far, in whole seconds.
    pub execution_time: i64,
    /// The script that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<RunScript>,
    /// What it read, dropped and wrote, as whoever runs it writes it; `null` until there is something to say.
    #[serde(default)]
    pub summary: serde_json::Value,
    /// The bookmarks that it found, as whoever runs it writes them.
    #[serde(default)]
    pub bookmarks_before: serde_json::Value,
    /// The bookmarks that it left.
    #[serde(default)]
    pub bookmarks_after: serde_json::Value,
    /// Where it runs.
    pub process: RunProcess,
    /// When its process last said that it lives.
    #[serde(with = "time::required")]
    pub heartbeat_on: DateTime<Utc>,
}

impl Run {
    /// Whether it has not ended, and its process was not found dead.
    pub fn is_alive(&self) -> bool {
        !self.job_run_state.has_ended()
    }

    /// What can be told of a run as the store has it: that it was killed, and how long it took.
    pub(crate) fn seen_at(mut self, now: DateTime<Utc>) -> Self {
        let silent = now - self.heartbeat_on > TimeDelta::seconds(DEAD_AFTER_SECONDS);
        if self.is_alive() && (silent || self.process.is_gone()) {
            self.job_run_state = RunState::Failed;
            self.completed_on = Some(self.heartbeat_on);
            self.error_message = Some(DIED.to_owned());
        }
        let end = self.completed_on.unwrap_or(now);
        self.execution_time = (end - self.started_on).num_seconds().max(0);
        self
    }
}

/// What came of a run. Glue API: `JobRunState`, as far as there is no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunState {
    /// It is being prepared.
    Starting,
    /// It is at work.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error, or its process was killed.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// It took longer than it was given.
    Timeout,
}

impl RunState {
    /// The word of Glue's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
            Self::Timeout => "TIMEOUT",
        }
    }

    /// Whether a run in this state is over.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Starting | Self::Running)
    }
}

/// The script of a run: enough to tell whether two runs ran the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunScript {
    /// Where it lies.
    pub path: String,
    /// A digest of its text, with the name of the function: `sha256:…`.
    pub digest: String,
}

/// What a run read, dropped and wrote: the shape of [`Run::summary`]. More may stand beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunSummary {
    /// Each source, as the script orders them.
    pub sources: Vec<RunVolume>,
    /// Each step that counts.
    pub steps: Vec<RunStep>,
    /// Each sink, as the script orders them.
    pub sinks: Vec<RunVolume>,
    /// The sum of it, where the run has told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<RunTotals>,
}

/// What became of a run's records as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunTotals {
    /// Records read from sources, bad ones included.
    pub read: u64,
    /// Records written; those of sinks of error records and of samples are not among them.
    pub written: u64,
    /// Records that steps left out.
    pub dropped: u64,
    /// Error records.
    pub errors: u64,
}

impl RunSummary {
    /// What a summary says; nothing if it has another shape.
    pub fn of(summary: &serde_json::Value) -> Self {
        Self::deserialize(summary).unwrap_or_default()
    }

    /// As [`Run::summary`] has it.
    pub fn to_value(&self) -> serde_json::Value {
        // A structure of texts and numbers has a JSON value.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What was read from a source, or written to a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunVolume {
    /// The source's or sink's name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its files, or objects.
    pub files: u64,
    /// The bytes of its files.
    pub bytes: u64,
}

/// What a step did: `rows_in` = `rows_out` + `dropped` + `errors`, where it neither joins nor multiplies rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunStep {
    /// The step's name.
    pub name: String,
    /// Rows that it was given.
    pub rows_in: u64,
    /// Rows that it gave on.
    pub rows_out: u64,
    /// Rows that it left out because it says so.
    pub dropped: u64,
    /// Rows that became error records.
    pub errors: u64,
    /// What became of values that it cast, where one that cannot be cast becomes NULL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub casts: Vec<RunCast>,
}

/// What a step's cast did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunCast {
    /// The path of the values.
    pub path: String,
    /// The type that they were cast to, by Hive's name.
    pub r#type: String,
    /// Values that were there afterwards.
    pub kept: u64,
    /// Values that became NULL, or lost a value within.
    pub lost: u64,
}

/// A run that begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRun {
    /// The job.
    pub job_name: String,
    /// Which attempt it is; 0 is taken as 1.
    pub attempt: u32,
    /// The run that it is another attempt of.
    pub previous_run_id: Option<String>,
    /// Its arguments.
    pub arguments: BTreeMap<String, String>,
    /// Its script.
    pub script: Option<RunScript>,
    /// When it began; now if it is not given.
    pub started_on: Option<DateTime<Utc>>,
    /// The process that it runs in; this one if it is not given.
    pub process: Option<RunProcess>,
}

impl NewRun {
    /// The first attempt of a run without arguments.
    pub fn new(job_name: impl Into<String>) -> Self {
        Self {
            job_name: job_name.into(),
            attempt: 1,
            ..Self::default()
        }
    }
}

/// What a run that is at work says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunBeat {
    /// What it read and wrote so far; `None`: what it said before holds.
    pub summary: Option<serde_json::Value>,
    /// The bookmarks that it found; `None`: what it said before holds.
    pub bookmarks_before: Option<serde_json::Value>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// `SUCCEEDED`, `FAILED`, `STOPPED` or `TIMEOUT`.
    pub state: RunState,
    /// Why it failed.
    pub error_message: Option<String>,
    /// What it read, dropped and wrote; `None`: what its last heartbeat said holds.
    pub summary: Option<serde_json::Value>,
    /// The bookmarks that it found; `None`: what its last heartbeat said holds.
    pub bookmarks_before: Option<serde_json::Value>,
    /// The bookmarks that it leaves.
    pub bookmarks_after: Option<serde_json::Value>,
}

impl RunOutcome {
    /// It ended so, and there is nothing more to say.
    pub fn new(state: RunState) -> Self {
        Self {
            state,
            error_message: None,
            summary: None,
            bookmarks_before: None,
            bookmarks_after: None,
        }
    }
}
