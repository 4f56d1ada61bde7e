//! `UNLOAD`.

use crate::support::{Lake, files};

#[tokio::test]
async fn files_are_written_and_told() {
    let lake = Lake::new().await;
    let place = lake.url("out");
    let told = lake
        .rows(&format!(
            "UNLOAD (SELECT * FROM (VALUES (1, 'a)'), (2, 'b'), (3, 'b')) AS t (n, k)) TO '{place}/' \
             WITH (format = 'TEXTFILE', field_delimiter = '|', compression = 'GZIP', partitioned_by = ARRAY['k'])"
        ))
        .await;
    let found = files(&lake.path("out"));
    assert_eq!(found.len(), 2);
    let mut told: Vec<(String, String)> = told
        .iter()
        .map(|row| {
            let mut cells = row.split('|');
            let file = cells
                .next()
                .unwrap()
                .strip_prefix(&format!("{place}/"))
                .unwrap()
                .to_owned();
            (file, cells.next().unwrap().to_owned())
        })
        .collect();
    told.sort();
    assert_eq!(
        told.iter()
            .map(|(file, _)| file.clone())
            .collect::<Vec<_>>(),
        found
    );
    assert_eq!(
        told.iter()
            .map(|(_, rows)| rows.as_str())
            .collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert!(
        found[0].starts_with("k=a)/") && found[0].ends_with(".csv.gz"),
        "{found:?}"
    );
    // No table knows of it.
    assert_eq!(lake.catalog.list_databases().await.unwrap().len(), 0);
    let again = lake
        .refused(&format!(
            "UNLOAD (SELECT 1 AS a) TO '{place}' WITH (format = 'PARQUET')"
        ))
        .await;
    assert!(
        again.contains("is not empty") && again.contains("empty folder"),
        "{again}"
    );
    assert_eq!(files(&lake.path("out")), found);
}

#[tokio::test]
async fn what_cannot_be_unloaded_is_told() {
    let lake = Lake::new().await;
    for (sql, wanted) in [
        (
            "UNLOAD (SELECT 1 AS a) TO 'x' WITH (external_location = 'y')",
            "UNLOAD has no property 'external_location'",
        ),
        ("UNLOAD (SELECT 1 AS a) TO 'gs://b/x'", "the scheme is 'gs'"),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://bucket/'",
            "a folder of their own",
        ),
        ("UNLOAD (INSERT INTO t SELECT 1) TO 'x'", "a query"),
        ("UNLOAD (SELECT 1/0 AS a) TO 'x'", "zero"),
    ] {
        let told = lake.refused(sql).await;
        assert!(
            told.to_lowercase().contains(&wanted.to_lowercase()),
            "{sql}: {told}"
        );
    }
}
