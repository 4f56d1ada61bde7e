use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};

async fn run(sql: &str, partitions: usize) -> Result<String, String> {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(16);
    let mut ctx = SessionContext::new_with_config(config);
    crate::register_all(&mut ctx).unwrap();
    let frame = ctx.sql(sql).await.map_err(|e| e.to_string())?;
    let rows = frame.collect().await.map_err(|e| e.to_string())?;
    Ok(pretty_format_batches(&rows).unwrap().to_string())
}

/// Three clear heaps of 100 points around (0, 0), (10, 1000) and (20, 0), and a few rows without a point.
const HEAPS: &str = "heaps AS (
    SELECT CASE WHEN x % 50 = 7 THEN NULL ELSE (x % 3) * 10.0 + (x % 7) / 7.0 END AS a,
           CASE WHEN x % 3 = 1 THEN 1000.0 ELSE 0.0 END + (x % 11) / 11.0 AS b, x % 3 AS heap
    FROM generate_series(1, 306) AS g(x))";

// By scikit-learn 1.9.1, KMeans(3, n_init=10) on the same rows, scaled and not: a heap is a cluster, with the heaps' means
// as centres.
#[tokio::test]
async fn clear_heaps_are_clusters() {
    for (scale, partitions) in [(false, 1), (true, 4)] {
        let sql = format!(
            "WITH {HEAPS}, model AS (SELECT kmeans([a, b], 3, 42, 50, {scale}) AS m FROM heaps)
             SELECT heap, nearest_centroid([a, b], m) AS cluster, count(*) > 90 AS most
             FROM heaps CROSS JOIN model GROUP BY 1, 2 HAVING nearest_centroid([a, b], m) IS NOT NULL ORDER BY 1, 2"
        );
        let answer = run(&sql, partitions).await.unwrap();
        let rows: Vec<&str> = answer
            .lines()
            .filter(|l| l.starts_with('|'))
            .skip(1)
            .collect();
        assert_eq!(
            rows,
            [
                "| 0    | 0       | true |",
                "| 1    | 1       | true |",
                "| 2    | 2       | true |"
            ],
            "{answer}"
        );
        let sql = format!("WITH {HEAPS}, model AS (SELECT kmeans([a, b], 3, 42, 50, {scale}) AS m FROM heaps)
             SELECT count(*) = count(a) + sum(CASE WHEN nearest_centroid([a, b], m) IS NULL THEN 1 END) AS ok FROM heaps, model");
        assert!(run(&sql, partitions).await.unwrap().contains("true"));
    }
    let means = format!(
        "WITH {HEAPS}, model AS (SELECT kmeans([a, b], 3, 42, 50, false) AS m FROM heaps),
         wanted AS (SELECT heap, avg(a) AS a, avg(b) AS b FROM heaps WHERE a IS NOT NULL GROUP BY heap)
         SELECT max(abs(m['centroids'][heap + 1][1] - a) + abs(m['centroids'][heap + 1][2] - b)) < 1e-9 AS same FROM wanted, model"
    );
    let answer = run(&means, 1).await.unwrap();
    assert!(answer.contains("true"), "{answer}");
}

#[tokio::test]
async fn fewer_points_than_clusters_and_none() {
    let answer = run(
        "SELECT kmeans([x], 5, 1, 10, false) AS m FROM (VALUES (1), (1), (3), (NULL)) AS t(x)",
        1,
    )
    .await
    .unwrap();
    assert!(
        answer.contains("{centroids: [[1.0], [3.0]], scale: [1.0]}"),
        "{answer}"
    );
    let answer = run("SELECT kmeans([x], 5, 1, 10, true) IS NULL AS m FROM (VALUES (CAST(NULL AS double))) AS t(x)", 1).await.unwrap();
    assert!(answer.contains("true"), "{answer}");
    let error = run("SELECT kmeans([1.0], 0, 1, 10, true)", 1)
        .await
        .unwrap_err();
    assert!(error.contains("must be from 1 to 1000, not 0"), "{error}");
}

#[tokio::test]
async fn the_same_seed_has_the_same_clusters() {
    let sql = "SELECT kmeans([sin(x), cos(x * 3.0)], 8, 7, 30, true) AS m FROM generate_series(1, 2000) AS g(x)";
    let one = run(sql, 1).await.unwrap();
    assert_eq!(one, run(sql, 1).await.unwrap());
    assert_eq!(one, run(sql, 4).await.unwrap());
}
