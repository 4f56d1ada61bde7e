//! The sink on a disk and in an object store (in memory, with uploads that are counted and faults to
//! order).
#![allow(clippy::unwrap_used)]

mod commits;
mod conflicts;
mod files;
mod formats;
mod layout;
mod replaced;
mod store;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionConfig;
use futures::{TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use self::store::TestStore;
use super::*;
use crate::store::Stores;

/// Somewhere to write to.
struct Place {
    root: Location,
    folder: Option<tempfile::TempDir>,
    store: Option<Arc<TestStore>>,
}

impl Place {
    fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lake/t 1");
        Place {
            root: Stores::default().locate(root.to_str().unwrap()).unwrap(),
            folder: Some(folder),
            store: None,
        }
    }

    fn uploads() -> Self {
        let store = Arc::new(TestStore::default());
        let root = Location {
            url: "memory://bucket/lake/t 1".into(),
            store_url: ObjectStoreUrl::parse("memory://bucket").unwrap(),
            store: store.clone(),
            path: Path::parse("lake/t 1").unwrap(),
            multipart: Some(store.clone()),
        };
        Place {
            root,
            folder: None,
            store: Some(store),
        }
    }

    fn both() -> [Self; 2] {
        [Place::local(), Place::uploads()]
    }

    fn spec(&self, mode: SinkMode) -> SinkSpec {
        SinkSpec {
            upload_part_bytes: 1000,
            // The in-memory store takes parts in their order only.
            uploads_in_flight: 1,
            ..SinkSpec::new(
                self.root.clone(),
                OutputOptions::new(OutputFormat::Csv),
                mode,
            )
        }
    }

    /// Every key or file below the root, hidden ones too.
    async fn everything(&self) -> Vec<String> {
        let found: Vec<_> = self
            .root
            .store
            .list(Some(&self.root.path))
            .try_collect()
            .await
            .unwrap();
        let mut paths: Vec<String> = found
            .iter()
            .map(|object| {
                let parts = object.location.prefix_match(&self.root.path).unwrap();
                parts
                    .map(|p| p.as_ref().to_owned())
                    .collect::<Vec<_>>()
                    .join("/")
            })
            .collect();
        paths.sort();
        paths
    }

    async fn put(&self, path: &str, text: &str) {
        let path = self.root.child(path).path;
        self.root
            .store
            .put(&path, text.to_owned().into())
            .await
            .unwrap();
    }

    async fn get(&self, path: &str) -> Bytes {
        let found = self
            .root
            .store
            .get(&self.root.child(path).path)
            .await
            .unwrap();
        found.bytes().await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        String::from_utf8(self.get(path).await.to_vec()).unwrap()
    }

    /// Nothing staged, no lock, no open upload; and nothing at all where no file is.
    async fn assert_clean(&self) {
        let left = self.everything().await;
        assert!(
            !left
                .iter()
                .any(|path| path.starts_with('_') || path.contains("/.")),
            "{left:?}"
        );
        if let Some(store) = &self.store {
            assert_eq!(store.open_uploads(), 0);
        }
        if let Some(folder) = &self.folder {
            assert!(!folder.path().join("lake/t 1/_mastic").exists());
        }
    }
}

/// Rows `(n, k)`.
fn rows(rows: &[(i32, Option<&str>)]) -> RecordBatch {
    let n: Int32Array = rows.iter().map(|(n, _)| Some(*n)).collect();
    let k: StringArray = rows.iter().map(|(_, k)| *k).collect();
    batch([("n", Arc::new(n) as ArrayRef), ("k", Arc::new(k))])
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn nk() -> SchemaRef {
    rows(&[]).schema()
}

/// A plan of one stream a list of batches.
fn plan(streams: &[Vec<RecordBatch>]) -> Arc<dyn ExecutionPlan> {
    let schema = streams
        .iter()
        .flatten()
        .next()
        .map_or_else(nk, RecordBatch::schema);
    MemorySourceConfig::try_new_exec(streams, schema, None).unwrap()
}

fn context() -> Arc<TaskContext> {
    let config = SessionConfig::new().with_target_partitions(2);
    Arc::new(TaskContext::default().with_session_config(config))
}

async fn stage(spec: &SinkSpec, batches: Vec<RecordBatch>) -> Result<Staged> {
    write(plan(&[batches]), context(), spec, None).await
}

async fn put_rows(spec: &SinkSpec, batch: RecordBatch) -> Result<Written> {
    stage(spec, vec![batch]).await?.commit().await
}

/// A plan that gives some batches and then waits for ever, or fails.
fn broken(batches: Vec<RecordBatch>, fails: bool) -> Arc<dyn ExecutionPlan> {
    #[derive(Debug)]
    struct Broken(SchemaRef, Vec<RecordBatch>, bool);
    impl PartitionStream for Broken {
        fn schema(&self) -> &SchemaRef {
            &self.0
        }
        fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
            use futures::StreamExt;
            let good = stream::iter(self.1.clone().into_iter().map(Ok));
            let fails = self.2;
            let bad = stream::once(async move {
                if !fails {
                    std::future::pending::<()>().await;
                }
                Err(DataFusionError::Execution("row 7 is bad".into()))
            });
            let all = good.chain(bad);
            Box::pin(RecordBatchStreamAdapter::new(self.0.clone(), all))
        }
    }
    let schema = batches[0].schema();
    let source = Arc::new(Broken(schema.clone(), batches, fails));
    Arc::new(StreamingTableExec::try_new(schema, vec![source], None, None, false, None).unwrap())
}

/// The values of `n` in all CSV files of a place, sorted.
async fn values(place: &Place) -> Vec<i32> {
    let mut all = Vec::new();
    for path in place.everything().await {
        if path.split('/').any(crate::list::is_hidden) {
            continue;
        }
        let text = place.text(&path).await;
        all.extend(
            text.lines()
                .skip(1)
                .map(|line| line.split(',').next().unwrap().parse::<i32>().unwrap()),
        );
    }
    all.sort_unstable();
    all
}
