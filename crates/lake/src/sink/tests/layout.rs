//! Partitions that lie elsewhere, partitions that are emptied, and buckets.

use super::super::Buckets;
use super::*;

#[tokio::test]
async fn partitions_are_written_and_replaced_where_they_lie() {
    for place in Place::both() {
        let mut spec = place.spec(SinkMode::Append).partitioned_by(["k"]);
        spec.folders = Arc::new(HashMap::from([("k=a".to_owned(), "2024/a".to_owned())]));
        let some = rows(&[(1, Some("a")), (2, Some("b"))]);
        let written = put_rows(&spec, some).await.unwrap();
        let folders: Vec<&str> = written.partitions().map(|(folder, _)| folder).collect();
        assert_eq!(folders, ["2024/a", "k=b"]);

        spec.mode = SinkMode::OverwritePartitions;
        put_rows(&spec, rows(&[(3, Some("a"))])).await.unwrap();
        assert_eq!(values(&place).await, [2, 3]);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn a_partition_is_emptied_by_no_rows() {
    for place in Place::both() {
        let mut spec = place.spec(SinkMode::Append).partitioned_by(["k"]);
        put_rows(&spec, rows(&[(1, Some("a")), (2, Some("b"))]))
            .await
            .unwrap();
        spec.mode = SinkMode::OverwritePartitions;
        spec.emptied = Arc::new(BTreeSet::from(["k=a".to_owned()]));
        let written = put_rows(&spec, rows(&[])).await.unwrap();
        assert_eq!((written.rows, written.replaced.len()), (0, 1));
        assert_eq!(values(&place).await, [2]);
        place.assert_clean().await;
    }
}

#[tokio::test]
async fn a_bucket_is_one_file_of_its_partition() {
    for place in Place::both() {
        let mut spec = place.spec(SinkMode::Append).partitioned_by(["k"]);
        // A file of its own for each row, but for buckets.
        spec.target_file_rows = Some(1);
        spec.buckets = Some(Buckets {
            columns: vec!["N".to_owned()],
            count: 2,
        });
        let all = rows(&[
            (1, Some("a")),
            (2, Some("a")),
            (3, Some("a")),
            (5, Some("b")),
        ]);
        let written = put_rows(&spec, all).await.unwrap();
        let files: Vec<(&str, u64)> = written
            .files
            .iter()
            .map(|file| (file.path.split("_0_").next().unwrap(), file.rows))
            .collect();
        // The hash of a whole number is itself.
        assert_eq!(
            files,
            [("k=a/000000", 1), ("k=a/000001", 2), ("k=b/000001", 1)]
        );
        for (columns, wanted) in [
            (vec!["k"], "partition key"),
            (vec!["x"], "no one column"),
            (vec![], "at least one"),
        ] {
            let columns = columns.into_iter().map(str::to_owned).collect();
            spec.buckets = Some(Buckets { columns, count: 2 });
            let error = put_rows(&spec, rows(&[(1, None)])).await.unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        }
        assert_eq!(values(&place).await, [1, 2, 3, 5]);
    }
}
