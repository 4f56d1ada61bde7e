//! What every [`CatalogStore`] does, as a test that any implementation runs.
//!
//! ```no_run
//! # async fn example() {
//! use mastic_catalog::{OpenMode, conformance::conformance, open};
//!
//! conformance(async || open("/tmp/a-new-file-each-time.db", OpenMode::CreateIfMissing).await.unwrap()).await;
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test suite, made to panic"
)]

use std::sync::Arc;

use crate::model::{Column, Database, Partition, StorageDescriptor, Table};
use crate::predicate::PartitionPredicate;
use crate::store::{
    Applied, CatalogStore, Change, ChangeSet, Expected, PartitionChanges, TableOutcome,
};

mod bookmarks;
mod changes;
mod commits;
mod crawlers;
mod crawls;
mod databases;
mod memory;
mod partitions;
mod predicates;
mod queries;
mod retention;
mod runs;
mod statistics;
mod transfer;
mod transforms;
mod versions;

pub use changes::{add_one, assert_counted};

/// Runs the whole suite; each part on a new, empty store from `make`. Panics where the store does otherwise.
pub async fn conformance(make: impl AsyncFn() -> Arc<dyn CatalogStore>) {
    // In parts, each in a box: all together are too much for a test's stack.
    Box::pin(of_tables(&make)).await;
    Box::pin(of_definitions(&make)).await;
    Box::pin(of_jobs(&make)).await;
    Box::pin(of_queries(&make)).await;
}

async fn of_tables(make: &impl AsyncFn() -> Arc<dyn CatalogStore>) {
    databases::databases(&*make().await).await;
    databases::tables(&*make().await).await;
    databases::names(&*make().await).await;
    versions::swaps(&*make().await).await;
    versions::versions(&*make().await).await;
    retention::retention(&*make().await).await;
    retention::retention_by_default(&*make().await).await;
    partitions::partitions(&*make().await).await;
    partitions::partition_history(&*make().await).await;
    partitions::partitions_by_values(&*make().await).await;
    predicates::predicates(&*make().await).await;
    predicates::retyped_keys(&*make().await).await;
    predicates::many_keys(&*make().await).await;
    changes::all_or_nothing(&*make().await).await;
    changes::deletion(&*make().await).await;
}

async fn of_definitions(make: &impl AsyncFn() -> Arc<dyn CatalogStore>) {
    crawlers::classifiers(&*make().await).await;
    crawlers::crawlers(&*make().await).await;
    transforms::transforms(&*make().await).await;
    crawls::crawls(&*make().await).await;
    crawls::dead_crawls(&*make().await).await;
    crawls::crawl_history_is_bounded(&*make().await).await;
    memory::memory(&*make().await).await;
    statistics::statistics(&*make().await).await;
}

async fn of_queries(make: &impl AsyncFn() -> Arc<dyn CatalogStore>) {
    queries::queries(&*make().await).await;
    queries::killed_queries(&*make().await).await;
    queries::places_of_workgroups(&*make().await).await;
    queries::kept_results(&*make().await).await;
    queries::query_history_is_bounded(&*make().await).await;
    queries::workgroups(&*make().await).await;
}

async fn of_jobs(make: &impl AsyncFn() -> Arc<dyn CatalogStore>) {
    runs::runs(&*make().await).await;
    runs::killed_runs(&*make().await).await;
    runs::run_history_is_bounded(&*make().await).await;
    bookmarks::bookmarks(&*make().await).await;
    bookmarks::bookmark_conflicts(&*make().await).await;
    bookmarks::moved_bookmarks(&*make().await).await;
    bookmarks::paused_and_set_bookmarks(&*make().await).await;
    bookmarks::ranges_of_runs(&*make().await).await;
    bookmarks::many_objects(&*make().await).await;
    commits::crashes(&*make().await).await;
    commits::two_runs_at_once(&*make().await).await;
    commits::parts_of_commits(&*make().await).await;
    commits::racing_runs(make().await).await;
    transfer::transfer_of_crawlers(&*make().await, &*make().await).await;
    transfer::transfer_of_bookmarks(&*make().await, &*make().await).await;
    transfer::transfer_of_transforms(&*make().await, &*make().await).await;
    transfer::transfer(&*make().await, &*make().await).await;
    changes::concurrent_writers(make().await).await;
}

fn put(table: Table, expected: Expected, partitions: PartitionChanges) -> ChangeSet {
    ChangeSet::new("test").with(Change::PutTable {
        table,
        expected,
        partitions,
    })
}

async fn with_database(store: &dyn CatalogStore) {
    let database = Change::CreateDatabase {
        database: Database::new("d"),
        if_not_exists: true,
    };
    store
        .apply(ChangeSet::new("test").with(database))
        .await
        .unwrap();
}

/// A table `d.t` with two columns and the keys.
fn table(keys: &[(&str, &str)]) -> Table {
    let mut table = Table::new("d", "t");
    table.storage_descriptor = Some(StorageDescriptor {
        columns: vec![Column::new("id", "bigint"), Column::new("name", "string")],
        location: Some("s3://bucket/t/".into()),
        ..StorageDescriptor::default()
    });
    table.partition_keys = keys
        .iter()
        .map(|(name, text)| Column::new(*name, *text))
        .collect();
    table
}

fn partition(values: &[&str]) -> Partition {
    let mut partition = Partition::new(
        values.iter().copied(),
        format!("s3://bucket/t/{}/", values.join("/")),
    );
    if let Some(descriptor) = &mut partition.storage_descriptor {
        descriptor.columns = vec![Column::new("id", "bigint"), Column::new("name", "string")];
        descriptor
            .parameters
            .insert("objectCount".into(), values.len().to_string());
    }
    partition
}

fn outcome(applied: &Applied) -> TableOutcome {
    assert_eq!(applied.tables.len(), 1, "{applied:?}");
    applied.tables[0].outcome
}

fn values(partitions: &[Partition]) -> Vec<String> {
    partitions
        .iter()
        .map(|partition| partition.values.join("/"))
        .collect()
}

async fn current(store: &dyn CatalogStore, predicate: Option<&PartitionPredicate>) -> Vec<String> {
    let found = store
        .get_partitions("d", "t", None, predicate)
        .await
        .unwrap();
    let count = store
        .count_partitions("d", "t", None, predicate)
        .await
        .unwrap();
    assert_eq!(count, found.len() as u64);
    values(&found)
}
