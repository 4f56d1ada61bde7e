//! Some files replaced, the others as they are.

use std::collections::BTreeSet;

use super::*;

/// Three files; the names of the first two, and a sink that replaces the first.
async fn three(place: &Place) -> (Vec<String>, SinkSpec) {
    let append = place.spec(SinkMode::Append).partitioned_by(["k"]);
    let mut files = Vec::new();
    for (n, k) in [(1, "a b"), (2, "a b"), (3, "50%")] {
        let written = put_rows(&append, rows(&[(n, Some(k))])).await.unwrap();
        files.push(written.files[0].path.clone());
    }
    let first = place.root.child(&files[0]).url;
    let spec = SinkSpec {
        replaces: Arc::new(BTreeSet::from([first])),
        ..place.spec(SinkMode::ReplaceFiles).partitioned_by(["k"])
    };
    files.remove(0);
    (files, spec)
}

/// What tells files from others of their names.
async fn stamps(place: &Place, files: &[String]) -> Vec<(u64, chrono::DateTime<chrono::Utc>)> {
    let mut stamps = Vec::new();
    for file in files {
        let path = place.root.child(file).path;
        let meta = place.root.store.head(&path).await.unwrap();
        stamps.push((meta.size, meta.last_modified));
    }
    stamps
}

#[tokio::test]
async fn only_the_files_that_are_named_are_replaced() {
    for place in Place::both() {
        let (kept, spec) = three(&place).await;
        let before = stamps(&place, &kept).await;
        let written = put_rows(&spec, rows(&[(10, Some("a b")), (11, Some("c"))]))
            .await
            .unwrap();
        assert_eq!((written.replaced.len(), written.files.len()), (1, 2));
        assert_eq!(values(&place).await, [2, 3, 10, 11]);
        assert_eq!(stamps(&place, &kept).await, before);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn a_recorded_replacement_is_carried_out_by_the_next_who_comes() {
    for place in Place::both() {
        let (kept, spec) = three(&place).await;
        let before = stamps(&place, &kept).await;
        let mut staged = stage(&spec, vec![rows(&[(10, None)])]).await.unwrap();
        let commit = staged.record(None).await.unwrap().unwrap();
        assert_eq!((commit.publish.len(), commit.delete.len()), (1, 1));
        drop(staged);
        assert_eq!(values(&place).await, [1, 2, 3]);
        recover(&place.root).await.unwrap();
        assert_eq!(values(&place).await, [2, 3, 10]);
        assert_eq!(stamps(&place, &kept).await, before);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn what_a_dead_run_had_staged_replaces_the_same_files() {
    for place in Place::both() {
        let (kept, spec) = three(&place).await;
        let before = stamps(&place, &kept).await;
        let staged = stage(&spec, vec![rows(&[(10, None)])]).await.unwrap();
        // As the catalog keeps it for whoever finds the run dead.
        let told = serde_json::to_string(&staged.intent()).unwrap();
        std::mem::forget(staged);
        // A file that has come since stays.
        let append = place.spec(SinkMode::Append).partitioned_by(["k"]);
        put_rows(&append, rows(&[(4, Some("a b"))])).await.unwrap();
        let intent: Intent = serde_json::from_str(&told).unwrap();
        assert!(!was_committed(&place.root, &intent).await.unwrap());
        resume(&place.root, &intent).await.unwrap();
        assert!(was_committed(&place.root, &intent).await.unwrap());
        assert_eq!(values(&place).await, [2, 3, 4, 10]);
        assert_eq!(stamps(&place, &kept).await, before);
    }
}

#[tokio::test]
async fn files_that_were_changed_meanwhile_are_not_replaced() {
    for place in Place::both() {
        let (_, spec) = three(&place).await;
        let staged = stage(&spec, vec![rows(&[(10, None)])]).await.unwrap();
        // Its records might have the keys of new ones.
        let append = place.spec(SinkMode::Append).partitioned_by(["k"]);
        put_rows(&append, rows(&[(4, Some("a b"))])).await.unwrap();
        let error = staged.commit().await.unwrap_err().to_string();
        assert!(error.contains("changed by another run"), "{error}");
        // One that is not there any more was replaced by somebody else.
        let gone = SinkSpec {
            replaces: Arc::new(BTreeSet::from([place.root.child("k=z/gone.csv").url])),
            ..spec
        };
        let error = put_rows(&gone, rows(&[(10, None)])).await.unwrap_err();
        assert!(
            error.to_string().contains("changed by another run"),
            "{error}"
        );
        assert_eq!(values(&place).await, [1, 2, 3, 4]);
        place.assert_clean().await;
    }
}
