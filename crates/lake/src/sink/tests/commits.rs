//! All or nothing: commits, aborts, failures and crashes.

use super::super::commit::{Outcome, record, roll_forward};
use super::*;

#[tokio::test]
async fn nothing_is_visible_before_the_commit_and_all_is_after() {
    for place in Place::both() {
        let spec = place.spec(SinkMode::Append).partitioned_by(["k"]);
        let some = rows(&[(1, Some("a")), (2, Some("b")), (3, Some("a"))]);
        let staged = stage(&spec, vec![some]).await.unwrap();
        assert_eq!(values(&place).await, Vec::<i32>::new());
        assert_eq!(staged.written().rows, 3);

        let written = staged.commit().await.unwrap();
        assert_eq!(values(&place).await, [1, 2, 3]);
        assert_eq!(written.files.len(), 2);
        let partitions: Vec<_> = written.partitions().collect();
        let (a, b) = ([Some("a".to_owned())], [Some("b".to_owned())]);
        assert_eq!(partitions, [("k=a", a.as_slice()), ("k=b", b.as_slice())]);
        assert_eq!(written.file_schema.fields().len(), 1);
        assert_eq!(written.key_schema.field(0).name(), "k");
        for file in &written.files {
            assert_eq!(place.get(&file.path).await.len() as u64, file.bytes);
        }
        place.assert_clean().await;

        // Appending again leaves the first files as they are.
        put_rows(&spec, rows(&[(4, Some("a"))])).await.unwrap();
        assert_eq!(values(&place).await, [1, 2, 3, 4]);
        assert_eq!(place.everything().await.len(), 3);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn an_abort_and_a_drop_leave_the_lake_as_it_was() {
    for place in Place::both() {
        let spec = place.spec(SinkMode::Append).partitioned_by(["k"]);
        let some = || vec![rows(&[(1, Some("a")), (2, Some("b"))])];
        stage(&spec, some()).await.unwrap().abort().await.unwrap();
        assert!(place.everything().await.is_empty());
        place.assert_clean().await;

        drop(stage(&spec, some()).await.unwrap());
        for _ in 0..10 {
            // The uploads are aborted by a task.
            tokio::task::yield_now().await;
        }
        place.assert_clean().await;
        if let Some(folder) = &place.folder {
            // The folders made for it are gone as well.
            assert!(!folder.path().join("lake").exists());
        }
    }
}

#[tokio::test]
async fn a_write_that_fails_midway_keeps_the_old_files() {
    for place in Place::both() {
        let spec = place.spec(SinkMode::Overwrite).partitioned_by(["k"]);
        put_rows(&spec, rows(&[(1, Some("a"))])).await.unwrap();
        let before = place.everything().await;
        let many: Vec<_> = (0..50)
            .map(|n| rows(&[(n, Some("a")), (n, Some("b"))]))
            .collect();
        let error = write(broken(many, true), context(), &spec, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("row 7 is bad"), "{error}");
        assert_eq!(place.everything().await, before);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn a_store_that_fails_leaves_nothing_behind() {
    let place = Place::uploads();
    let store = place.store.clone().unwrap();
    let spec = place.spec(SinkMode::Overwrite).partitioned_by(["k"]);
    put_rows(&spec, rows(&[(1, Some("a"))])).await.unwrap();
    let before = place.everything().await;
    for what in [
        "create lake/t 1/k=b",
        "part lake/t 1/k=b",
        "put lake/t 1/_mastic/lock",
        "commit.json",
    ] {
        store.fail_on(what);
        let some = rows(&[(2, Some("a")), (3, Some("b"))]);
        let error = put_rows(&spec, some).await.unwrap_err();
        assert!(error.to_string().contains("no "), "{what}: {error}");
        assert!(!error.to_string().contains("recorded"), "{what}: {error}");
        store.work();
        assert_eq!(place.everything().await, before, "{what}");
        place.assert_clean().await;
        assert!(recover(&place.root).await.unwrap().is_nothing());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_made_leaves_nothing_behind() {
    let place = Place::local();
    let spec = place.spec(SinkMode::Append).partitioned_by(["k"]);
    let long = "x".repeat(300);
    let error = put_rows(&spec, rows(&[(1, Some("a")), (2, Some(&long))]))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            LakeError::Io {
                action: "create",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!place.folder.as_ref().unwrap().path().join("lake").exists());

    // Where a folder should be made, a file is: found out before the commit is recorded.
    place.put("k=a", "a file").await;
    let error = put_rows(&spec, rows(&[(1, Some("0")), (2, Some("a"))]))
        .await
        .unwrap_err();
    assert!(matches!(error, LakeError::Io { .. }), "{error:?}");
    assert_eq!(place.everything().await, ["k=a"]);
    assert!(
        !place
            .folder
            .as_ref()
            .unwrap()
            .path()
            .join("lake/t 1/k=0")
            .exists()
    );
    place.assert_clean().await;

    // The root is a file.
    let file = SinkSpec {
        root: place.root.child("k=a"),
        ..place.spec(SinkMode::Append)
    };
    let error = put_rows(&file, rows(&[(1, None)])).await.unwrap_err();
    assert!(error.to_string().contains("it is a file"), "{error}");
}

#[tokio::test]
async fn a_stop_removes_what_was_staged() {
    for place in Place::both() {
        // Sent by key, the engine would hold so few rows back.
        let spec = SinkSpec {
            by_key: false,
            ..place.spec(SinkMode::Append).partitioned_by(["k"])
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        let on_progress: OnProgress = Arc::new(move |_| {
            if let Some(tell) = tell.lock().unwrap().take() {
                tell.send(()).unwrap();
            }
        });
        let plan = broken(vec![rows(&[(1, Some("a")), (2, Some("b"))])], false);
        let stop = async { told.await.unwrap() };
        let error = write_until(plan, context(), &spec, Some(on_progress), stop)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("stopped"), "{error}");
        assert!(place.everything().await.is_empty());
        place.assert_clean().await;
    }
}

/// The state after a crash right after the commit was recorded.
async fn crashed(place: &Place) -> String {
    let spec = place.spec(SinkMode::Overwrite).partitioned_by(["k"]);
    put_rows(&spec, rows(&[(1, Some("a")), (2, Some("old"))]))
        .await
        .unwrap();
    let some = rows(&[(3, Some("a")), (4, Some("b")), (5, None)]);
    let mut staged = stage(&spec, vec![some]).await.unwrap();
    let commit = staged.record(None).await.unwrap().unwrap();
    assert_eq!((commit.publish.len(), commit.delete.len()), (3, 2));
    drop(staged);
    assert_eq!(values(place).await, [1, 2]);
    commit.run
}

#[tokio::test]
async fn a_recorded_commit_is_carried_out_by_the_next_who_comes() {
    for place in Place::both() {
        let run = crashed(&place).await;
        let recovered = recover(&place.root).await.unwrap();
        assert_eq!(recovered.completed, [run]);
        assert_eq!(values(&place).await, [3, 4, 5]);
        place.assert_clean().await;
        assert!(recover(&place.root).await.unwrap().is_nothing());

        // The folder of the partition that was emptied is gone.
        if let Some(folder) = &place.folder {
            assert!(!folder.path().join("lake/t 1/k=old").exists());
        }

        // A writer comes upon one as well.
        crashed(&place).await;
        put_rows(&place.spec(SinkMode::Append), rows(&[(6, None)]))
            .await
            .unwrap();
        assert_eq!(values(&place).await, [3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn a_commit_stopped_in_the_middle_is_finished_by_several_at_once() {
    for place in Place::both() {
        let run = crashed(&place).await;
        let bytes = place.get(&format!("_mastic/{run}/commit.json")).await;
        let commit: super::super::commit::Commit = serde_json::from_slice(&bytes).unwrap();
        // One file is published, and one deleted, already.
        let first = &commit.publish[0];
        match (&first.upload, &place.store) {
            (Some(id), Some(store)) => {
                use object_store::multipart::{MultipartStore, PartId};
                let parts = first.parts.iter().map(|id| PartId {
                    content_id: id.clone(),
                });
                let path = place.root.child(&first.path).path;
                store
                    .complete_multipart(&path, id, parts.collect())
                    .await
                    .unwrap();
            }
            _ => {
                let root = std::path::PathBuf::from(&place.root.url);
                let staged = root.join(format!("_mastic/{run}/data")).join(&first.path);
                std::fs::rename(staged, root.join(&first.path)).unwrap();
            }
        }
        place
            .root
            .store
            .delete(&place.root.child(&commit.delete[0]).path)
            .await
            .unwrap();

        let all = futures::future::join_all((0..4).map(|_| recover(&place.root))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert_eq!(values(&place).await, [3, 4, 5]);
        place.assert_clean().await;
        // Whoever is late, with the record in hand, does no harm.
        place.put(&commit.delete[0], "n\n7\n").await;
        assert_eq!(
            roll_forward(&place.root, &commit).await.unwrap(),
            Outcome::Done
        );
        assert_eq!(values(&place).await, [3, 4, 5, 7]);
    }
}

#[tokio::test]
async fn a_record_whose_files_are_all_lost_is_void_and_one_that_lost_some_is_an_error() {
    for place in Place::both() {
        let run = crashed(&place).await;
        let bytes = place.get(&format!("_mastic/{run}/commit.json")).await;
        let commit: super::super::commit::Commit = serde_json::from_slice(&bytes).unwrap();
        let lose = |n: usize| {
            let (place, run, file) = (&place, &run, commit.publish[n].clone());
            async move {
                match (&file.upload, &place.store) {
                    (Some(id), Some(store)) => {
                        use object_store::multipart::MultipartStore;
                        let path = place.root.child(&file.path).path;
                        store.abort_multipart(&path, id).await.unwrap();
                    }
                    _ => {
                        let root = std::path::PathBuf::from(&place.root.url);
                        let path = root.join(format!("_mastic/{run}/data")).join(&file.path);
                        std::fs::remove_file(path).unwrap();
                    }
                }
            }
        };
        lose(0).await;
        lose(1).await;
        lose(2).await;
        assert_eq!(recover(&place.root).await.unwrap().discarded, [run]);
        assert_eq!(values(&place).await, [1, 2]);
        place.assert_clean().await;

        let run = crashed(&place).await;
        let file = record(&place.root, &run);
        let text = place.text(&format!("_mastic/{run}/commit.json")).await;
        let mut commit: super::super::commit::Commit = serde_json::from_str(&text).unwrap();
        commit.publish[0].path = "k=a/never.csv".into();
        let bytes = serde_json::to_vec(&commit).unwrap();
        place
            .root
            .store
            .put(&file.path, bytes.into())
            .await
            .unwrap();
        let error = recover(&place.root).await.unwrap_err().to_string();
        assert!(error.contains("1 of its 3 files are lost"), "{error}");
        // No old file was deleted.
        assert_eq!(values(&place).await, [1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn records_of_another_version_are_refused() {
    let place = Place::uploads();
    let text = r#"{"version":9,"run":"r","mode":"append","created":"","publish":[],"delete":[]}"#;
    place.put("_mastic/r/commit.json", text).await;
    let error = recover(&place.root).await.unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");
    place.put("_mastic/r/commit.json", "{").await;
    let error = recover(&place.root).await.unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn only_stale_staging_is_removed() {
    let place = Place::local();
    place.put("_mastic/young/data/part.csv", "x").await;
    place.put("_mastic/old/data/part.csv", "x").await;
    let old = std::path::PathBuf::from(&place.root.url).join("_mastic/old");
    let day = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 60 * 60);
    for path in ["data/part.csv", "data", ""] {
        let file = std::fs::File::open(old.join(path)).unwrap();
        file.set_modified(day).unwrap();
    }
    let recovered = recover(&place.root).await.unwrap();
    assert_eq!(recovered.removed, ["old"]);
    assert_eq!(place.everything().await, ["_mastic/young/data/part.csv"]);
}

#[tokio::test]
async fn no_rows_make_no_files_and_overwriting_with_none_empties() {
    for place in Place::both() {
        for mode in [
            SinkMode::Append,
            SinkMode::Overwrite,
            SinkMode::ErrorIfExists,
        ] {
            for empty in [vec![], vec![rows(&[])]] {
                let written = stage(&place.spec(mode), empty)
                    .await
                    .unwrap()
                    .commit()
                    .await
                    .unwrap();
                assert_eq!((written.files.len(), written.rows), (0, 0));
                assert_eq!(written.partitions().count(), 0);
                place.assert_clean().await;
                assert!(place.everything().await.is_empty());
            }
        }
        put_rows(&place.spec(SinkMode::Append), rows(&[(1, None), (2, None)]))
            .await
            .unwrap();
        let spec = place
            .spec(SinkMode::OverwritePartitions)
            .partitioned_by(["k"]);
        put_rows(&spec, rows(&[])).await.unwrap();
        assert_eq!(values(&place).await, [1, 2]);
        let written = put_rows(&place.spec(SinkMode::Overwrite), rows(&[]))
            .await
            .unwrap();
        assert_eq!((written.files.len(), written.replaced.len()), (0, 1));
        assert!(place.everything().await.is_empty());
        place.assert_clean().await;
    }
}
