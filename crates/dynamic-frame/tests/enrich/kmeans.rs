use mastic_dynamic_frame::{FrameError, Kmeans};

use crate::{frame, run};

// Two heaps by hand: x around 0 and 100, whatever y; a record without y has no cluster.
#[tokio::test]
async fn records_get_the_number_of_their_cluster() {
    let points = frame(
        "SELECT x, (x % 2) * 100 + x * 0.1 AS a, CASE WHEN x <> 9 THEN x % 3 END AS b FROM generate_series(1, 30) AS g(x)",
    )
    .await
    .counted("read");
    let mut over = Kmeans::over(["a", "b"], 2);
    over.scale = false;
    over.output_column = "heap".to_owned();
    let clustered = points.clone().kmeans(&over).unwrap();
    let wrong = clustered.clone().filter("heap <> x % 2").unwrap();
    assert_eq!(wrong.into_dataframe().count().await.unwrap(), 0);
    let none = clustered
        .filter("heap is null")
        .unwrap()
        .select_fields(&["x"])
        .unwrap();
    let (none, _, ledger) = run(none).await;
    assert_eq!(none, "x\n9");
    assert_eq!(ledger.counts()[0].rows, 30);
    over.k = 0;
    let error = points.clone().kmeans(&over).unwrap_err();
    assert_eq!(error.to_string(), "k is 0, but must be from 1 to 1000");
    let error = points.clone().kmeans(&Kmeans::over(["c"], 2)).unwrap_err();
    assert!(matches!(error, FrameError::FieldNotFound { .. }), "{error}");
    let text = points
        .map(&[mastic_dynamic_frame::Change::set("t", "'x'")])
        .unwrap();
    let error = text.kmeans(&Kmeans::over(["t"], 2)).unwrap_err();
    assert!(matches!(error, FrameError::TypeMismatch { .. }), "{error}");
}
