//! The partitioned sink: a plan's rows become files that appear all at once, or not at all.
//!
//! DataFusion's own Hive-style writer turns NULL keys into `0` or the empty string, leaves files
//! behind when it fails, and holds a file open for every partition. This one:
//!
//! * runs as an operator ([`WriteExec`]) of the plan, so that rows move in parallel and within the
//!   engine's memory;
//! * names partition folders as Hive does ([`escape`]), with NULL as [`DEFAULT_PARTITION`];
//! * **stages** files, and makes them visible by one **commit** ([`Staged::commit`]).
//!
//! # The protocol
//!
//! On a disk, files are staged below `<root>/_mastic/<run>/data` and renamed by the commit. In an object
//! store they are multipart uploads to their final keys, whose parts are sent as they are written and
//! which are completed by the commit. This is what Hadoop's S3A "magic" committer does, for the same
//! reason: a rename in an object store is a copy, and an upload that is not completed is invisible
//! ("Committing work to S3 with the S3A Committers", Hadoop documentation). As there, uploads of a
//! process that died stay until the bucket's lifecycle rule removes them
//! (`AbortIncompleteMultipartUpload`; a few days are right).
//!
//! The commit is one file, `<root>/_mastic/<run>/commit.json`, that says what to publish and what to
//! delete. Once it is there it will be carried out: by the run itself, or, when that was stopped in the
//! middle, by the next reader or writer that calls [`recover`]. Before it is there, nothing has
//! changed. So a crash leaves the old state or the new one.
//!
//! Commits that replace files (every mode but [`SinkMode::Append`]) are taken one at a time under a
//! lock, and [`SinkMode::Overwrite`] and [`SinkMode::ReplaceFiles`] are refused when the files they saw at their
//! start have changed since.
//! `lock.rs` says what that is worth in stores without conditional puts.
//!
//! # Example
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use datafusion::execution::TaskContext;
//! # use datafusion::physical_plan::ExecutionPlan;
//! # use mastic_lake::{sink::{self, OutputOptions, SinkMode, SinkSpec}, store::Stores, Result};
//! # async fn example(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<()> {
//! let root = Stores::default().locate("lake/flights")?;
//! let options = OutputOptions::parse("parquet", [("compression", "zstd")])?;
//! let spec = SinkSpec::new(root, options, SinkMode::Overwrite).partitioned_by(["year", "month"]);
//! let staged = sink::write(plan, context, &spec, None).await?;
//! let written = staged.commit().await?;
//! assert_eq!(written.rows, written.files.iter().map(|file| file.rows).sum::<u64>());
//! # Ok(())
//! # }
//! ```

mod bucket;
mod commit;
mod encode;
mod exchange;
mod exec;
mod lock;
mod options;
mod orc;
mod partition;
mod recover;
mod resume;
mod run;
mod staged;
mod staging;
mod visible;
mod writers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mastic_schema::names::closest;

pub use bucket::Buckets;
pub use encode::{Encoder, check_schema, stored_schema};
pub use exec::WriteExec;
pub use options::{OutputCompression, OutputFormat, OutputOptions, XmlOutput};
pub use partition::{DEFAULT_PARTITION, escape, folder, key_texts, unescape};
pub use recover::{Recovered, pending_commit, recover};
pub use resume::{Intent, discard, resume, was_committed};
pub use run::{write, write_until};
pub use staged::Staged;

use crate::error::{LakeError, Result};
use crate::store::Location;

/// The folder below a sink's root that is the sink's own; readers skip it for its first letter.
pub const HIDDEN: &str = "_mastic";

/// What becomes of the files that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkMode {
    /// They stay, and the new ones come beside them.
    Append,
    /// The new files replace every visible file below the root, also when there are no rows.
    Overwrite,
    /// The new files replace the visible files of the partitions that have new rows.
    OverwritePartitions,
    /// The new files replace those that [`SinkSpec::replaces`] names; the others stay as they are.
    ReplaceFiles,
    /// Nothing may be there: the write fails when a visible file is.
    ErrorIfExists,
}

impl SinkMode {
    /// Its name, as scripts write it.
    pub fn name(self) -> &'static str {
        match self {
            SinkMode::Append => "append",
            SinkMode::Overwrite => "overwrite",
            SinkMode::OverwritePartitions => "overwrite_partitions",
            SinkMode::ReplaceFiles => "replace_files",
            SinkMode::ErrorIfExists => "error",
        }
    }
}

impl fmt::Display for SinkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SinkMode {
    type Err = LakeError;

    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_lowercase().as_str() {
            "append" => Ok(SinkMode::Append),
            "overwrite" => Ok(SinkMode::Overwrite),
            "overwrite_partitions" => Ok(SinkMode::OverwritePartitions),
            "replace_files" => Ok(SinkMode::ReplaceFiles),
            "error" | "error_if_exists" => Ok(SinkMode::ErrorIfExists),
            _ => {
                let modes = ["append", "overwrite", "overwrite_partitions", "error"];
                let instead = match closest(name, modes) {
                    Some(near) => format!("; did you mean '{near}'?"),
                    None => format!("; there are {}", modes.join(", ")),
                };
                Err(LakeError::Option(format!(
                    "'{name}' is no mode of a sink{instead}"
                )))
            }
        }
    }
}

/// What to write, where, and within which bounds.
#[derive(Clone, Debug)]
pub struct SinkSpec {
    /// The folder, or prefix, below which the files go.
    pub root: Location,
    /// What the files look like.
    pub options: OutputOptions,
    /// What becomes of the files that are there already.
    pub mode: SinkMode,
    /// With [`SinkMode::ReplaceFiles`]: the files that are replaced, by their URLs; a local file's is its path.
    pub replaces: Arc<BTreeSet<String>>,
    /// With [`SinkMode::OverwritePartitions`]: folders below the root whose visible files are replaced also where no row
    /// goes there.
    pub emptied: Arc<BTreeSet<String>>,
    /// Partitions that lie below the root elsewhere than in Hive's folder for their values: their folders, by Hive's.
    pub folders: Arc<HashMap<String, String>>,
    /// Hive's buckets: each is one file in its partition, whose name begins with the bucket's number.
    pub buckets: Option<Buckets>,
    /// Columns that become folders, outermost first, and are left out of the files.
    pub partition_keys: Vec<String>,
    /// Whether rows are sent to streams by their keys, so that a partition is written by one of them
    /// (the default). Otherwise each stream of the plan writes files of its own in each partition,
    /// which is faster where few partitions hold most rows.
    pub by_key: bool,
    /// A file ends when it is about this large: as encoded for Parquet, ORC and Avro, before
    /// compression for text.
    pub target_file_bytes: u64,
    /// A file ends when it has this many rows.
    pub target_file_rows: Option<usize>,
    /// The most files open at once, over all streams (at least one each). Beyond as many partitions
    /// a stream is sorted by its keys.
    pub max_open_files: usize,
    /// The most memory that open files may hold, over all streams; the engine's memory pool may allow
    /// less. Beyond it row groups and files get smaller.
    pub memory_bytes: usize,
    /// Local: whether files are made durable (`fsync`) before the commit, so that it survives not only
    /// a crash of the process but one of the machine.
    pub fsync: bool,
    /// Object stores: the size of an upload's part; S3 wants 5 MiB at least.
    pub upload_part_bytes: usize,
    /// Object stores: how many parts of one file are sent side by side.
    pub uploads_in_flight: usize,
}

impl SinkSpec {
    /// A sink with the usual bounds, or those that the options have, and no partition keys.
    pub fn new(root: Location, options: OutputOptions, mode: SinkMode) -> Self {
        SinkSpec {
            root,
            target_file_bytes: options.target_file_bytes.unwrap_or(128 * 1024 * 1024),
            target_file_rows: options.target_file_rows,
            options,
            mode,
            replaces: Arc::default(),
            emptied: Arc::default(),
            folders: Arc::default(),
            buckets: None,
            partition_keys: Vec::new(),
            by_key: true,
            max_open_files: 128,
            memory_bytes: 512 * 1024 * 1024,
            fsync: true,
            upload_part_bytes: 8 * 1024 * 1024,
            uploads_in_flight: 4,
        }
    }

    /// The same sink with these partition keys, outermost first.
    #[must_use]
    pub fn partitioned_by<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.partition_keys = keys.into_iter().map(Into::into).collect();
        self
    }
}

/// How far a write has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows taken in.
    pub rows: u64,
    /// Bytes written to staged files.
    pub bytes: u64,
    /// Files ended.
    pub files: u64,
}

/// Told after every batch, from any thread; it should return at once.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a sink wrote.
#[derive(Clone, Debug)]
pub struct Written {
    /// The run's id, which is part of its files' names.
    pub run: String,
    /// The files, ordered by folder and name.
    pub files: Vec<WrittenFile>,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files' schema: the plan's without the partition keys.
    pub file_schema: SchemaRef,
    /// The partition keys' fields, outermost first.
    pub key_schema: SchemaRef,
    /// The files that the commit deleted, as paths below the root; empty before it.
    pub replaced: Vec<String>,
}

impl Written {
    /// The partitions written, each once: its folder below the root, and its values. A table without
    /// partition keys has one, with neither, when it has rows.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, &[Option<String>])> {
        // Files are ordered by folder, so that those of a partition are together.
        self.files
            .chunk_by(|a, b| a.folder() == b.folder())
            .filter_map(<[WrittenFile]>::first)
            .map(|file| (file.folder(), file.partition.as_slice()))
    }
}

/// One file that a sink wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its path below the sink's root, as its key is: `year=2013/part-….parquet`.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The partition's values as text, outermost key first; `None` is NULL, the empty string included.
    pub partition: Vec<Option<String>>,
}

impl WrittenFile {
    /// Its partition's folder below the sink's root; empty without partition keys.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}
