//! What is known of the data: databases, tables with their versions, partitions and statistics; and of how it is found:
//! crawlers, classifiers and the history of crawls; and of what is done with it: runs of jobs, and bookmarks that say what
//! they have processed. All of it has the shapes of AWS Glue's API, and is kept in a store that several programs can change at once without losing each other's work.
//!
//! The store is a SQLite file (the default) or a PostgreSQL schema; both are behind the trait [`CatalogStore`], take
//! the same migrations (the top-level folder `catalog/`), and run one public suite, `conformance`.
//!
//! # Opening, and making a table
//!
//! Every change is a [`ChangeSet`], applied as one transaction. A change of a table says what it expects to find
//! ([`Expected`]): if somebody was faster, it fails with [`CatalogError::Conflict`] and nothing is written.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mastic_catalog::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("catalog.db").display().to_string();
//! use mastic_catalog::{
//!     Change, ChangeSet, Column, Database, Expected, OpenMode, Partition, PartitionChanges, Table, TableOutcome,
//!     VersionId, open,
//! };
//!
//! let store = open(&path, OpenMode::CreateIfMissing).await?;
//!
//! let mut orders = Table::new("sales", "orders");
//! orders.partition_keys = vec![Column::new("year", "int")];
//! let changes = ChangeSet::new("crawl")
//!     .with(Change::CreateDatabase { database: Database::new("sales"), if_not_exists: true })
//!     .with(Change::PutTable {
//!         table: orders.clone(),
//!         expected: Expected::Absent,
//!         partitions: PartitionChanges::put(vec![
//!             Partition::new(["2023"], "s3://lake/orders/year=2023/"),
//!             Partition::new(["2024"], "s3://lake/orders/year=2024/"),
//!         ]),
//!     });
//! let applied = store.apply(changes).await?;
//! assert_eq!(applied.tables[0].outcome, TableOutcome::Created { version: VersionId(1) });
//!
//! // # Asking for partitions: the store answers from its indexes.
//! use mastic_catalog::{CompareOp, PartitionPredicate};
//!
//! let recent = PartitionPredicate::compare("year", CompareOp::Ge, 2024);
//! let found = store.get_partitions("sales", "orders", None, Some(&recent)).await?;
//! assert_eq!(found[0].location(), Some("s3://lake/orders/year=2024/"));
//!
//! // # Changing a table: only if it is still what was read.
//! let mut read = store.get_table("sales", "orders").await?;
//! read.description = Some("what was ordered".into());
//! let change = Change::PutTable {
//!     expected: Expected::Version(read.version_id.unwrap()),
//!     table: read,
//!     partitions: PartitionChanges::delete(vec![vec!["2023".into()]]),
//! };
//! store.apply(ChangeSet::new("me").with(change)).await?;
//!
//! // # Comparing versions, and going back: the partitions come along.
//! use mastic_catalog::diff_versions;
//!
//! let diff = diff_versions(&*store, "sales", "orders", VersionId(1), VersionId(2)).await?;
//! assert_eq!(diff.partitions.removed, [["2023"]]);
//! let undo = Change::RestoreTable {
//!     database: "sales".into(),
//!     name: "orders".into(),
//!     version: VersionId(1),
//!     expected: Expected::Version(VersionId(2)),
//! };
//! store.apply(ChangeSet::new("undo").with(undo)).await?;
//! assert_eq!(store.count_partitions("sales", "orders", None, None).await?, 2);
//!
//! // # Out as JSON, and in again; `import` also takes what `aws glue get-tables` prints.
//! use mastic_catalog::{export, import};
//!
//! let document = export(&*store, &["sales"]).await?;
//! let text = serde_json::to_string_pretty(&document).unwrap();
//! let applied = import(&*store, &text, None, "import").await?;
//! assert!(!applied.changed());
//! # Ok(())
//! # }
//! ```
//!
//! # Crawlers, their history, and what they remember
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mastic_catalog::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("catalog.db").display().to_string();
//! use mastic_catalog::{
//!     Classifier, CrawlState, Crawler, CrawlerTargets, CsvClassifier, NewCrawl, OpenMode, S3Target, open,
//! };
//! use serde_json::json;
//!
//! let store = open(&path, OpenMode::CreateIfMissing).await?;
//! let percent = CsvClassifier { name: "percent".into(), delimiter: Some('%'), ..CsvClassifier::default() };
//! store.put_classifier(Classifier::Csv(percent), false).await?;
//! let target = S3Target { path: "s3://lake/orders/".into(), ..S3Target::default() };
//! let nightly = Crawler {
//!     name: "nightly".into(),
//!     database_name: Some("sales".into()),
//!     targets: CrawlerTargets { s3_targets: vec![target] },
//!     classifiers: vec!["percent".into()],
//!     ..Crawler::default()
//! };
//! store.put_crawler(nightly, false).await?;
//! // It is named by a crawler now.
//! assert!(store.delete_classifier("percent").await.is_err());
//!
//! let crawl = NewCrawl {
//!     crawler_name: Some("nightly".into()),
//!     database_name: "sales".into(),
//!     targets: vec!["s3://lake/orders/".into()],
//!     start_time: None,
//! };
//! let id = store.start_crawl(crawl).await?;
//! // What is known of an object is remembered, so that it is not opened again while it is the same.
//! store.remember("s3://lake/orders/", vec![("2024.csv".into(), b"etag, schema".to_vec())]).await?;
//! store.finish_crawl(id, CrawlState::Succeeded, None, &json!({ "Files": 1 })).await?;
//!
//! assert_eq!(store.list_crawls(Some("nightly"), 10).await?[0].state, CrawlState::Succeeded);
//! assert_eq!(store.recall("s3://lake/orders/", None, 1_000).await?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Runs of jobs, and what they have seen
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mastic_catalog::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("catalog.db").display().to_string();
//! use chrono::Utc;
//! use mastic_catalog::{
//!     Change, ChangeSet, NewCommit, NewRun, OpenMode, PlannedBookmark, RunOutcome, RunState, Seen,
//!     SourceObject, open,
//! };
//!
//! let store = open(&path, OpenMode::CreateIfMissing).await?;
//! let run = store.start_run(NewRun::new("clean")).await?;
//! let bookmark = store.get_bookmark("clean", "orders").await?;
//! let listed = vec![SourceObject::new("s3://lake/orders/1.csv", 7, Utc::now(), None)];
//! assert_eq!(store.seen_objects("clean", "orders", &listed).await?, [Seen::New]);
//!
//! // Before anything that the run wrote becomes visible.
//! let orders = PlannedBookmark {
//!     source_name: "orders".into(),
//!     expected_version: bookmark.version,
//!     objects: listed.clone(),
//! };
//! let commit = NewCommit {
//!     job_name: "clean".into(),
//!     run_id: run.id.clone(),
//!     attempt: run.attempt,
//!     bookmarks: vec![orders],
//!     ..NewCommit::default()
//! };
//! store.begin_commit(commit).await?;
//! // … the sinks are committed; then, with the tables that were written:
//! let changes = ChangeSet::new("run clean")
//!     .with(Change::SettleCommit { run_id: run.id.clone() })
//!     .with(Change::FinishRun { run_id: run.id.clone(), outcome: RunOutcome::new(RunState::Succeeded) });
//! store.apply(changes).await?;
//! assert_eq!(store.seen_objects("clean", "orders", &listed).await?, [Seen::Unchanged]);
//! # Ok(())
//! # }
//! ```
//!
//! What a run that dies in between leaves behind, and who clears it up, is told at [`BookmarkStore`].
//!
//! # What holds
//!
//! * **A version is immutable.** What [`CatalogStore::get_table`] returned with its `version_id`, and the partitions
//!   of that version, read the same however much is changed afterwards.
//! * **No version without a difference.** Putting what is there already writes nothing, so a crawl that finds nothing
//!   new leaves no trace.
//! * **Nothing current is overwritten.** Deleted tables keep their versions, and can be restored.
//! * **Versions are bounded.** A table keeps its newest 100 ([`ChangeSet::keeping`] says otherwise); older ones go with
//!   the partitions that only they had, at a cost that depends on what goes and not on what stays.
//! * **A predicate on partition keys means what SQL means**, typed by the key: see [`predicate`].
//!
//! # What it never does
//!
//! It never opens, lists or deletes data files, and it does not depend on the query engine: it holds what is said
//! about data, and leaves it to others whether that is so.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that fails panics"
    )
)]

#[cfg(feature = "test-util")]
pub mod conformance;
pub mod diff;
pub mod error;
pub mod model;
pub mod predicate;
pub mod store;
#[cfg(all(unix, feature = "test-util"))]
pub mod testing;
pub mod transfer;

pub use diff::{TableDiff, ValueChange, diff_tables, diff_versions};
pub use error::{CatalogError, Result};
pub use model::{
    BinaryColumnStatisticsData, Bookmark, BookmarkCommit, BookmarkPosition,
    BooleanColumnStatisticsData, Classifier, Column, ColumnStatistics, ColumnStatisticsData, Crawl,
    CrawlState, Crawler, CrawlerTargets, CsvClassifier, CsvHeaderOption, CsvSerdeOption,
    DEAD_AFTER_SECONDS, Database, DateColumnStatisticsData, DecimalColumnStatisticsData,
    DecimalNumber, DeleteBehavior, DoubleColumnStatisticsData, GrokClassifier, HEARTBEAT_SECONDS,
    HIVE_DEFAULT_PARTITION, JsonClassifier, KEPT_QUERY_BYTES, LongColumnStatisticsData,
    MAX_REUSE_MINUTES, MlTransform, NewCommit, NewCrawl, NewRun, Order, PRIMARY_WORKGROUP,
    Parameters, Partition, PendingCommit, PlannedBookmark, QUERY_BEAT_SECONDS,
    QUERY_DEAD_AFTER_SECONDS, QueryContext, QueryExecution, QueryFailure, QueryFilter,
    QueryPruning, QueryResultConfiguration, QueryReuse, QueryState, QueryStatistics, QueryStatus,
    RecrawlBehavior, RecrawlPolicy, RewindTo, Run, RunBeat, RunCast, RunOutcome, RunProcess,
    RunScript, RunState, RunStep, RunSummary, RunTotals, RunVolume, S3Target, SchemaChangePolicy,
    Seen, SerDeInfo, SinkCommit, SkewedInfo, SourceObject, StatementType, StorageDescriptor,
    StringColumnStatisticsData, Table, TableStatistics, TableVersion, UpdateBehavior, VersionId,
    WorkGroup, WorkGroupConfiguration, WorkGroupResults, WorkGroupState, XmlClassifier,
    chosen_columns, parameters, set_choices,
};
pub use predicate::{CompareOp, PartitionPredicate, Value};
pub use store::{
    Applied, AppliedBookmark, AppliedDatabase, AppliedDefinition, AppliedRun, AppliedTable,
    BookmarkOutcome, BookmarkStore, CatalogStore, Change, ChangeSet, DatabaseOutcome,
    DefinitionOutcome, Expected, KEPT_COMMITS, KEPT_CRAWLS, KEPT_QUERIES, KEPT_RUNS, KEPT_VERSIONS,
    KeptResult, OpenMode, PartitionChanges, PartitionDiff, QueryStore, RunStore, TableOutcome,
    open,
};
pub use transfer::{BookmarkDocument, DatabaseDocument, Document, TableDocument, export, import};
