//! Modes, and runs that get in each other's way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::lock::acquire;
use super::*;

#[tokio::test]
async fn overwriting_replaces_visible_files_only() {
    for place in Place::both() {
        place.put("old.csv", "n\n1\n").await;
        place.put("k=a/old.csv", "n\n2\n").await;
        place.put("_hidden/keep.csv", "x").await;
        place.put("k=a/.keep", "x").await;
        let spec = place.spec(SinkMode::Overwrite).partitioned_by(["k"]);
        let written = put_rows(&spec, rows(&[(3, Some("b"))])).await.unwrap();
        assert_eq!(written.replaced, ["k=a/old.csv", "old.csv"]);
        assert_eq!(values(&place).await, [3]);
        let left = place.everything().await;
        assert_eq!(left[..2], ["_hidden/keep.csv", "k=a/.keep"]);
    }
}

#[tokio::test]
async fn partitions_with_new_rows_are_replaced_and_no_others() {
    for place in Place::both() {
        let spec = place
            .spec(SinkMode::OverwritePartitions)
            .partitioned_by(["k"]);
        let old = [(1, Some("a")), (2, Some("b")), (3, None), (4, Some("a/b"))];
        put_rows(&spec, rows(&old)).await.unwrap();
        // A key whose folder begins like another's.
        place.put("k=ab/x.csv", "n\n9\n").await;
        let written = put_rows(&spec, rows(&[(5, Some("a")), (6, None), (7, Some("c"))]))
            .await
            .unwrap();
        assert_eq!(written.replaced.len(), 2);
        assert_eq!(values(&place).await, [2, 4, 5, 6, 7, 9]);
        place.assert_clean().await;
    }
    let spec = Place::local().spec(SinkMode::OverwritePartitions);
    let error = put_rows(&spec, rows(&[])).await.unwrap_err().to_string();
    assert!(error.contains("take overwrite"), "{error}");
}

#[tokio::test]
async fn error_if_exists_is_an_error_if_a_file_exists() {
    for place in Place::both() {
        place.put("_SUCCESS", "").await;
        let spec = place.spec(SinkMode::ErrorIfExists);
        let late = stage(&spec, vec![rows(&[(1, None)])]).await.unwrap();
        put_rows(&spec, rows(&[(2, None)])).await.unwrap();
        let error = put_rows(&spec, rows(&[(3, None)]))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("already; choose mode append or overwrite"),
            "{error}"
        );
        // Also when the file came while it wrote.
        let error = late.commit().await.unwrap_err().to_string();
        assert!(error.contains("already"), "{error}");
        assert_eq!(values_beside_success(&place).await, [2]);
    }
}

async fn values_beside_success(place: &Place) -> Vec<i32> {
    let found = values(place).await;
    assert_eq!(place.everything().await.len(), found.len() + 1);
    found
}

#[tokio::test]
async fn an_overwrite_of_files_that_changed_meanwhile_is_refused() {
    for place in Place::both() {
        let spec = place.spec(SinkMode::Overwrite);
        put_rows(&spec, rows(&[(0, None)])).await.unwrap();
        let first = stage(&spec, vec![rows(&[(1, None)])]).await.unwrap();
        let second = stage(&spec, vec![rows(&[(2, None)])]).await.unwrap();
        first.commit().await.unwrap();
        let error = second.commit().await.unwrap_err().to_string();
        assert!(error.contains("changed by another run"), "{error}");
        assert_eq!(values(&place).await, [1]);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn overwrites_at_once_leave_the_files_of_one() {
    for place in Place::both() {
        let spec = place.spec(SinkMode::Overwrite);
        put_rows(&spec, rows(&[(0, None)])).await.unwrap();
        let staged = futures::future::join_all(
            (1..5)
                .map(|n| stage(&spec, vec![rows(&[(n, None)])]))
                .collect::<Vec<_>>(),
        )
        .await;
        let commits = staged.into_iter().map(|staged| staged.unwrap().commit());
        let ended = futures::future::join_all(commits).await;
        assert_eq!(
            ended.iter().filter(|end| end.is_ok()).count(),
            1,
            "{ended:?}"
        );
        assert_eq!(values(&place).await.len(), 1);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn a_lock_is_one_runs_at_a_time() {
    for place in Place::both() {
        let lock = acquire(&place.root, "first", Duration::ZERO).await.unwrap();
        lock.check().unwrap();
        let error = acquire(&place.root, "second", Duration::from_millis(300))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("(run first"), "{error}");
        // Appending needs none.
        put_rows(&place.spec(SinkMode::Append), rows(&[(1, None)]))
            .await
            .unwrap();
        let waiting = acquire(&place.root, "third", Duration::from_secs(20));
        let (third, ()) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            lock.release().await;
        });
        third.unwrap().release().await;
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn an_expired_lock_is_taken_over() {
    let place = Place::uploads();
    place
        .put(
            "_mastic/lock",
            r#"{"owner":"dead","expires":"2020-01-01T00:00:00Z"}"#,
        )
        .await;
    put_rows(&place.spec(SinkMode::Overwrite), rows(&[(1, None)]))
        .await
        .unwrap();
    place.assert_clean().await;
}

#[tokio::test]
async fn a_store_that_ignores_conditions_still_has_a_lock_that_is_read_first() {
    let place = Place::uploads();
    let store = place.store.clone().unwrap();
    store.ignores_conditions.store(true, Ordering::Relaxed);
    let lock = acquire(&place.root, "first", Duration::ZERO).await.unwrap();
    assert!(
        acquire(&place.root, "second", Duration::ZERO)
            .await
            .is_err()
    );
    lock.release().await;
    put_rows(&place.spec(SinkMode::Overwrite), rows(&[(1, None)]))
        .await
        .unwrap();
    place.assert_clean().await;
}

#[tokio::test]
async fn what_stands_after_a_failure_to_publish_is_told_and_finished_later() {
    let place = Place::uploads();
    let store = place.store.clone().unwrap();
    let spec = place.spec(SinkMode::Overwrite);
    put_rows(&spec, rows(&[(1, None)])).await.unwrap();
    let staged = stage(&spec, vec![rows(&[(2, None)])]).await.unwrap();
    store.fail_on("complete ");
    let error = staged.commit().await.unwrap_err().to_string();
    assert!(error.contains("is recorded but not carried out"), "{error}");
    assert_eq!(values(&place).await, [1]);
    store.work();
    assert_eq!(recover(&place.root).await.unwrap().completed.len(), 1);
    assert_eq!(values(&place).await, [2]);
    place.assert_clean().await;
}

#[test]
fn modes_are_parsed_by_name() {
    for mode in ["append", "overwrite", "overwrite_partitions", "error"] {
        assert_eq!(mode.parse::<SinkMode>().unwrap().to_string(), mode);
    }
    let error = "overwrit".parse::<SinkMode>().unwrap_err().to_string();
    assert_eq!(
        error,
        "'overwrit' is no mode of a sink; did you mean 'overwrite'?"
    );
}
