//! Queries that were run. Athena API: `QueryExecution`, whose names this has where there is one.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::process::RunProcess;
use super::run::DIED;
use super::time;

/// How often a query that is at work says that it lives, and asks whether it shall stop.
pub const QUERY_BEAT_SECONDS: u64 = 1;

/// A query that has been silent for so long is taken for dead. Longer than another process may hold the store.
pub const QUERY_DEAD_AFTER_SECONDS: i64 = 60;

/// The workgroup of queries that name none. It exists in every catalog, as in Athena.
pub const PRIMARY_WORKGROUP: &str = "primary";

/// The most bytes of a statement that the history keeps. Athena takes no longer ones.
pub const KEPT_QUERY_BYTES: usize = 262_144;

/// One query that was run, or is at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueryExecution {
    /// Its id, a UUID.
    pub query_execution_id: String,
    /// Its text; of a text of more than [`KEPT_QUERY_BYTES`] the beginning.
    pub query: String,
    /// What kind of statement it is; `None` until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_type: Option<StatementType>,
    /// Where its result lies.
    #[serde(default)]
    pub result_configuration: QueryResultConfiguration,
    /// What names without a database mean.
    #[serde(default)]
    pub query_execution_context: QueryContext,
    /// What became of it.
    pub status: QueryStatus,
    /// What it read, returned and took.
    #[serde(default)]
    pub statistics: QueryStatistics,
    /// Its workgroup.
    pub work_group: String,
    /// Where it runs.
    #[serde(default)]
    pub process: RunProcess,
    /// A digest of its text, database, workgroup and inputs, where its result may be used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse_key: Option<String>,
}

/// Where a query's result lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryResultConfiguration {
    /// The result as Athena writes it: `….csv` or `….txt`. Of a query that used another's result: that one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_location: Option<String>,
    /// The same rows with exact types, as an Arrow IPC stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrow_location: Option<String>,
    /// All files of its own result; empty where it has none, or they are no longer kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// How many bytes these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why the result was not kept, where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
}

/// What names in a query mean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryContext {
    /// The database of names without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// What became of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueryStatus {
    /// Its state. A query whose process was killed is `FAILED` as soon as that can be told: at once by whoever asks on
    /// the same machine (Linux), and after [`QUERY_DEAD_AFTER_SECONDS`] by others.
    pub state: QueryState,
    /// Why it failed or was stopped, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_change_reason: Option<String>,
    /// When it was handed in.
    #[serde(with = "time::required")]
    pub submission_date_time: DateTime<Utc>,
    /// When it ended. Of a query whose process was killed: when it last said that it lived.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub completion_date_time: Option<DateTime<Utc>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub athena_error: Option<QueryFailure>,
}

/// Why a query failed. Athena API: `AthenaError`; its numbers of types are not ours, so there is a word instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryFailure {
    /// 1: the system's fault, 2: the statement's, 3: other.
    pub error_category: u8,
    /// What went wrong, in a word: `STATEMENT`, `UNSUPPORTED`, `CATALOG`, `FILES`, `ENGINE`, `LIMIT`, `DIED`…
    pub kind: String,
    /// The same in a sentence.
    pub error_message: String,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line of the statement that it is about, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
}

/// What kind of statement a query is. Athena API: `StatementType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatementType {
    /// Defines databases, tables and partitions.
    Ddl,
    /// Reads or writes rows.
    Dml,
    /// Shows: `SHOW`, `DESCRIBE`, `EXPLAIN`.
    Utility,
}

impl StatementType {
    /// The word of Athena's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ddl => "DDL",
            Self::Dml => "DML",
            Self::Utility => "UTILITY",
        }
    }
}

/// The state of a query. Athena API: `QueryExecutionState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum QueryState {
    /// It waits for a place in its workgroup.
    Queued,
    /// It is at work.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error, or its process was killed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl QueryState {
    /// The word of Athena's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether a query in this state is over.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What a query read, returned and took. Athena API: `QueryExecutionStatistics` and `QueryRuntimeStatistics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryStatistics {
    /// Milliseconds from its being handed in to its end.
    pub total_execution_time_in_millis: u64,
    /// Milliseconds that it waited for a place in its workgroup.
    pub query_queue_time_in_millis: u64,
    /// Milliseconds of parsing, planning and listing files.
    pub query_planning_time_in_millis: u64,
    /// Milliseconds of running the plan.
    pub engine_execution_time_in_millis: u64,
    /// Milliseconds, of those of running, that went into writing the kept result.
    pub result_writing_time_in_millis: u64,
    /// Bytes that were read of files.
    pub data_scanned_in_bytes: u64,
    /// Rows that were read of files, those included that a scan itself left out.
    pub rows_scanned: u64,
    /// Files that the plan had to read, after partitions were pruned.
    pub files_read: u64,
    /// Partitions of these files.
    pub partitions_read: u64,
    /// What was left out, and why.
    pub pruned: QueryPruning,
    /// Rows of the result.
    pub rows_returned: u64,
    /// Bytes of the result in memory.
    pub bytes_returned: u64,
    /// Bytes that operators wrote to disk for want of memory.
    pub spilled_bytes: u64,
    /// The most bytes that operators held at a time.
    pub peak_memory_bytes: u64,
    /// Whether the result is another query's.
    pub result_reuse_information: QueryReuse,
}

/// What of its tables a query did not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryPruning {
    /// Partitions whose values the statement excludes.
    pub partitions: u64,
    /// Files, or parts of files, by the statistics of the whole file.
    pub files_by_statistics: u64,
    /// Row groups of Parquet by their statistics.
    pub row_groups_by_statistics: u64,
    /// Row groups by their Bloom filters.
    pub row_groups_by_bloom_filter: u64,
    /// Row groups by what a join or a LIMIT had learned meanwhile.
    pub row_groups_while_running: u64,
    /// Rows of pages by the page index.
    pub rows_by_page_index: u64,
    /// Rows that a scan left out before it decoded all of their columns.
    pub rows_while_decoding: u64,
}

/// Whether a query's result is another's. Athena API: `ResultReuseInformation`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryReuse {
    /// Whether it is.
    pub reused_previous_result: bool,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_execution_id: Option<String>,
}

impl QueryExecution {
    /// A query that is handed in now by this process, `QUEUED`.
    pub fn new(query: &str, work_group: impl Into<String>, database: Option<&str>) -> Self {
        let end = query.floor_char_boundary(KEPT_QUERY_BYTES);
        Self {
            query_execution_id: uuid::Uuid::new_v4().to_string(),
            query: query[..end].to_owned(),
            statement_type: None,
            result_configuration: QueryResultConfiguration::default(),
            query_execution_context: QueryContext {
                database: database.map(str::to_owned),
            },
            status: QueryStatus {
                state: QueryState::Queued,
                state_change_reason: None,
                submission_date_time: Utc::now().trunc_subsecs(3),
                completion_date_time: None,
                athena_error: None,
            },
            statistics: QueryStatistics::default(),
            work_group: work_group.into(),
            process: RunProcess::this(),
            reuse_key: None,
        }
    }

    /// Whether it has not ended, and its process was not found dead.
    pub fn is_alive(&self) -> bool {
        !self.status.state.has_ended()
    }

    /// What can be told of a query as the store has it: that its process was killed.
    pub(crate) fn seen_at(mut self, heartbeat: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let silent = now - heartbeat > TimeDelta::seconds(QUERY_DEAD_AFTER_SECONDS);
        if self.is_alive() && (silent || self.process.is_gone()) {
            self.status.state = QueryState::Failed;
            self.status.state_change_reason = Some(DIED.to_owned());
            self.status.completion_date_time = Some(heartbeat);
            self.status.athena_error = Some(QueryFailure {
                error_category: 1,
                kind: "DIED".to_owned(),
                error_message: DIED.to_owned(),
                ..QueryFailure::default()
            });
        }
        let end = self.status.completion_date_time.unwrap_or(now);
        let took = (end - self.status.submission_date_time).num_milliseconds();
        if self.statistics.total_execution_time_in_millis == 0 {
            self.statistics.total_execution_time_in_millis = u64::try_from(took).unwrap_or(0);
        }
        self
    }
}

/// Which queries of the history are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryFilter {
    /// Only those in this state.
    pub state: Option<QueryState>,
    /// Only those of this workgroup.
    pub work_group: Option<String>,
    /// At most so many, the newest.
    pub limit: u32,
    /// Only those that are older than this one.
    pub before: Option<String>,
}
