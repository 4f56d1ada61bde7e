//! What can be changed, and what came of it.

use serde::Serialize;

use crate::model::{
    BookmarkPosition, Classifier, Crawler, Database, MlTransform, Partition, PlannedBookmark,
    RunOutcome, RunState, Table, VersionId,
};

/// How many versions of a table are kept unless a [`ChangeSet`] says otherwise. Glue keeps up to 100,000 and leaves
/// deleting them to its users; Mastic bounds them, since each may hold on to partitions that are long gone.
pub const KEPT_VERSIONS: u32 = 100;

/// Changes that are made together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// Who or what makes them: `crawl`, `run NAME`… It is kept with each version.
    pub by: String,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// How many versions a table has at most once the change that gives it a new one is made: older ones go with it.
    /// A table that gets no new version loses none. 0 is taken as 1: the current version always stays.
    pub keep_versions: u32,
}

impl Default for ChangeSet {
    fn default() -> Self {
        Self::new("")
    }
}

impl ChangeSet {
    /// An empty set.
    pub fn new(by: impl Into<String>) -> Self {
        Self {
            by: by.into(),
            changes: Vec::new(),
            keep_versions: KEPT_VERSIONS,
        }
    }

    /// The set, keeping this many versions of each table it makes a new version of (at least 1).
    #[must_use]
    pub fn keeping(mut self, versions: u32) -> Self {
        self.keep_versions = versions.max(1);
        self
    }

    /// The set with one change more.
    #[must_use]
    pub fn with(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "a set has few changes; a box would only be in the way of whoever builds one"
)]
pub enum Change {
    /// Makes a database.
    CreateDatabase {
        /// The database.
        database: Database,
        /// If it exists: leave it as it is, instead of failing.
        if_not_exists: bool,
    },
    /// Gives a database, found by its name, another definition.
    UpdateDatabase {
        /// The new definition.
        database: Database,
    },
    /// Deletes a database.
    DeleteDatabase {
        /// Its name.
        name: String,
        /// Its tables too; otherwise it must have none.
        cascade: bool,
    },
    /// Makes a table or a new version of it. If table and partitions are as they were but for times, there is no new
    /// version.
    PutTable {
        /// The table. Its `VersionId` and `UpdateTime` are of no account.
        table: Table,
        /// What must be there for the change to be made.
        expected: Expected,
        /// What becomes of its partitions.
        partitions: PartitionChanges,
    },
    /// Deletes a table with its partitions. Its versions are kept, and can be restored.
    DeleteTable {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
        /// What must be there for the change to be made.
        expected: Expected,
    },
    /// Makes a new version that is like an old one, partitions included; also of a deleted table.
    RestoreTable {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
        /// The version to go back to.
        version: VersionId,
        /// What must be there for the change to be made.
        expected: Expected,
    },
    /// Makes a classifier, or gives it another definition. Its times and its version are of no account.
    PutClassifier {
        /// The classifier.
        classifier: Classifier,
        /// If it exists: give it this definition, instead of failing.
        replace: bool,
    },
    /// Deletes a classifier, which no crawler may name.
    DeleteClassifier {
        /// Its name.
        name: String,
    },
    /// Makes a crawler, or gives it another definition. Its times and its version are of no account; the classifiers
    /// that it names must be there.
    PutCrawler {
        /// The crawler.
        crawler: Crawler,
        /// If it exists: give it this definition, instead of failing.
        replace: bool,
    },
    /// Deletes a crawler. Its history is kept.
    DeleteCrawler {
        /// Its name.
        name: String,
    },
    /// Makes a transform, or gives it another definition. Its times and its version are of no account.
    PutTransform {
        /// The transform.
        transform: Box<MlTransform>,
        /// If it exists: give it this definition, instead of failing.
        replace: bool,
    },
    /// Deletes a transform.
    DeleteTransform {
        /// Its name.
        name: String,
    },
    /// Advances a bookmark by what a run has processed. [`crate::CatalogError::BookmarkConflict`] if it is at another
    /// version than the run has read, [`crate::CatalogError::BookmarkBusy`] if another run is committing it. A paused
    /// bookmark stays where it is.
    CommitBookmark {
        /// The job.
        job: String,
        /// The run. What it has begun to commit of this bookmark is settled with it.
        run_id: String,
        /// Its attempt.
        attempt: u32,
        /// The source, the version that was read, and the objects.
        bookmark: PlannedBookmark,
    },
    /// Advances all bookmarks of the commit that a run has begun, by the objects it said then.
    /// [`crate::CatalogError::CommitNotFound`] if there is none, or somebody else has settled it.
    SettleCommit {
        /// The run.
        run_id: String,
    },
    /// Writes how a run ended. [`crate::CatalogError::RunEnded`] if it has ended already. A run cannot succeed while its
    /// commit is not settled; where it fails, its job's next run settles it.
    FinishRun {
        /// The run.
        run_id: String,
        /// How it ended.
        outcome: RunOutcome,
    },
    /// Puts a bookmark somewhere, whatever it said before.
    SetBookmark {
        /// The job.
        job: String,
        /// The source.
        source: String,
        /// Where.
        position: BookmarkPosition,
        /// Whether it is to be paused; one that is paused stays so.
        paused: bool,
        /// If there is one: leave it as it is.
        only_new: bool,
    },
}

/// What must be there for a change to be made: the *compare* of compare-and-swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No such table.
    Absent,
    /// The table in this version; otherwise the change fails with [`crate::CatalogError::Conflict`].
    Version(VersionId),
    /// Whatever is there.
    Any,
}

/// What becomes of a table's partitions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartitionChanges {
    /// Partitions to add, or to replace where there is one with the same values.
    pub put: Vec<Partition>,
    /// The values of partitions to remove. Those that are not there are no error.
    pub delete: Vec<Vec<String>>,
    /// Remove every partition that is not in `put`.
    pub replace_all: bool,
}

impl PartitionChanges {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds or replaces these.
    pub fn put(partitions: Vec<Partition>) -> Self {
        Self {
            put: partitions,
            ..Self::default()
        }
    }

    /// Removes those with these values.
    pub fn delete(values: Vec<Vec<String>>) -> Self {
        Self {
            delete: values,
            ..Self::default()
        }
    }

    /// Makes these all there are.
    pub fn replace_all(partitions: Vec<Partition>) -> Self {
        Self {
            put: partitions,
            replace_all: true,
            ..Self::default()
        }
    }
}

/// What came of a [`ChangeSet`]: one entry for each change, in order; deleting a database with its tables has one for
/// each of the tables, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// What became of databases.
    pub databases: Vec<AppliedDatabase>,
    /// What became of tables.
    pub tables: Vec<AppliedTable>,
    /// What became of classifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classifiers: Vec<AppliedDefinition>,
    /// What became of crawlers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crawlers: Vec<AppliedDefinition>,
    /// What became of transforms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<AppliedDefinition>,
    /// What became of bookmarks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bookmarks: Vec<AppliedBookmark>,
    /// The runs that ended, and those whose commits were settled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<AppliedRun>,
}

impl Applied {
    /// Whether anything is different now.
    pub fn changed(&self) -> bool {
        self.databases
            .iter()
            .any(|database| database.outcome != DatabaseOutcome::Unchanged)
            || self
                .tables
                .iter()
                .any(|table| !matches!(table.outcome, TableOutcome::Unchanged { .. }))
            || self
                .classifiers
                .iter()
                .chain(&self.crawlers)
                .chain(&self.transforms)
                .any(|definition| definition.outcome != DefinitionOutcome::Unchanged)
            || self
                .bookmarks
                .iter()
                .any(|bookmark| matches!(bookmark.outcome, BookmarkOutcome::Advanced { .. }))
            || !self.runs.is_empty()
    }
}

/// What became of a bookmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedBookmark {
    /// Its job.
    pub job: String,
    /// Its source.
    pub source: String,
    /// What became of it.
    pub outcome: BookmarkOutcome,
}

/// What became of a bookmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BookmarkOutcome {
    /// It has moved.
    Advanced {
        /// Its version now.
        version: i64,
        /// How many objects it has seen, those among them that have changed included.
        added: u64,
    },
    /// It is paused, and where it was.
    Paused,
    /// It is where it was.
    Unchanged {
        /// Its version.
        version: i64,
    },
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedRun {
    /// Its id.
    pub id: String,
    /// How it ended; `None`: its commit was settled.
    pub ended: Option<RunState>,
}

/// What became of a classifier, a crawler or a transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedDefinition {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: DefinitionOutcome,
}

/// What became of a classifier, a crawler or a transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DefinitionOutcome {
    /// It is new.
    Created,
    /// It has another definition, and a higher version.
    Updated,
    /// It is as it was.
    Unchanged,
    /// It is gone.
    Deleted,
}

/// What became of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedDatabase {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: DatabaseOutcome,
}

/// What became of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DatabaseOutcome {
    /// It is new.
    Created,
    /// It has another definition.
    Updated,
    /// It is as it was.
    Unchanged,
    /// It is gone.
    Deleted,
}

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedTable {
    /// Its database.
    pub database: String,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: TableOutcome,
    /// How many partitions it has more.
    pub partitions_added: u64,
    /// How many were removed.
    pub partitions_removed: u64,
    /// How many have another definition.
    pub partitions_changed: u64,
}

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TableOutcome {
    /// It is new, or was deleted before.
    Created {
        /// Its version now.
        version: VersionId,
    },
    /// It has a new version.
    Updated {
        /// Its version before.
        from: VersionId,
        /// Its version now.
        to: VersionId,
    },
    /// It is as it was.
    Unchanged {
        /// Its version, before and now.
        version: VersionId,
    },
    /// It is gone.
    Deleted {
        /// The last version it had.
        version: VersionId,
    },
}
