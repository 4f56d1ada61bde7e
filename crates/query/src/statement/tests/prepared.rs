//! `PREPARE`, `EXECUTE`, parameters and `EXPLAIN`.

use super::*;

async fn lake() -> Lake {
    let lake = Lake::new().await;
    for (region, rows) in [("eu", "1,a\n2,b\n"), ("us", "3,a\n")] {
        lake.file(&format!("t/region={region}/x.csv"), rows);
    }
    lake.ok("CREATE EXTERNAL TABLE d.t (id int, name string) PARTITIONED BY (region string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{dir}/t'").await;
    lake.ok("MSCK REPAIR TABLE d.t").await;
    lake
}

#[tokio::test]
async fn statements_are_prepared_for_every_process() {
    let lake = lake().await;
    assert_eq!(
        lake.ok("PREPARE mine FROM SELECT id FROM d.t WHERE name = ? AND region IN (?, 'none') ORDER BY id").await,
        "prepared mine with 2 parameters"
    );
    assert_eq!(lake.rows("EXECUTE mine USING 'a', 'us'").await, ["3"]);
    let other = Session::open(lake.catalog().clone(), Arc::new(Stores::default()), None)
        .await
        .unwrap();
    let frame = other
        .sql_with("EXECUTE mine", &["concat('', 'b')".into(), "'eu'".into()])
        .await
        .unwrap();
    assert_eq!(frame.collect().await.unwrap()[0].num_rows(), 1);
    let (message, _) = lake.refused("EXECUTE mine USING 'a'").await;
    assert!(
        message.contains("2 parameters, and there are 1 value"),
        "{message}"
    );
    let (_, hint) = lake.refused("EXECUTE mina USING 1").await;
    assert_eq!(hint.as_deref(), Some("did you mean 'mine'?"));
    let error = lake
        .batches("PREPARE p FROM SELECT id FORM t")
        .await
        .unwrap_err();
    assert_eq!(error.place(), Some((1, 31)), "{error}");
    assert!(
        lake.refused("PREPARE p FROM EXECUTE mine")
            .await
            .0
            .contains("cannot be prepared")
    );
    lake.ok("DEALLOCATE PREPARE mine").await;
    assert!(
        lake.refused("EXECUTE mine USING 'a', 'us'")
            .await
            .0
            .contains("no prepared statement")
    );
}

#[tokio::test]
async fn values_for_question_marks() {
    let lake = lake().await;
    let values = ["'b'".to_owned(), "DATE '2024-01-31'".to_owned()];
    let frame = lake
        .session
        .sql_with(
            "SELECT id, '?', ? FROM d.t WHERE name = ?",
            &[values[1].clone(), values[0].clone()],
        )
        .await
        .unwrap();
    let batches = frame.collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let error = lake
        .session
        .sql_with("SELECT ?, nothing FROM d.t", &values[..1])
        .await
        .unwrap_err();
    assert_eq!(error.place(), Some((1, 11)), "{error}");
}

#[tokio::test]
async fn explain_is_for_people() {
    let lake = lake().await;
    let query = "SELECT name, count(*) AS n FROM d.t WHERE region = 'eu' GROUP BY name ORDER BY n DESC LIMIT 1";
    let plan = lake.ok(&format!("EXPLAIN {query}")).await;
    for part in [
        "Scan d.t",
        "partitions: 1 of 2",
        "files: 1 ",
        "First 1 by count(*) DESC",
        "Filter region = ",
        "Aggregate by name",
        "columns: ",
    ] {
        assert!(plan.contains(part), "{part}\n{plan}");
    }
    let plan = lake.ok(&format!("EXPLAIN ANALYZE {query}")).await;
    for part in ["1 row in ", "← most expensive", " ms", " %"] {
        assert!(plan.contains(part), "{part}\n{plan}");
    }
    assert!(
        lake.ok(&format!("EXPLAIN ANALYZE VERBOSE {query}"))
            .await
            .contains("output_rows=")
    );
    let plan = lake.ok(&format!("EXPLAIN (TYPE LOGICAL) {query}")).await;
    assert!(plan.contains("Scan d.t"), "{plan}");
    let json = lake.ok(&format!("EXPLAIN (FORMAT JSON) {query}")).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["inputs"].is_array(), "{json}");
    let io = lake
        .ok(&format!("EXPLAIN (TYPE IO, FORMAT JSON) {query}"))
        .await;
    let io: serde_json::Value = serde_json::from_str(&io).unwrap();
    assert_eq!(
        io["inputTableColumnInfos"][0]["table"]["schemaTable"]["table"],
        "t"
    );
    assert!(
        lake.ok(&format!("EXPLAIN (FORMAT GRAPHVIZ) {query}"))
            .await
            .starts_with("digraph")
    );
    assert_eq!(
        lake.rows(&format!("EXPLAIN (TYPE VALIDATE) {query}")).await,
        ["true"]
    );
    assert!(
        lake.ok(&format!("EXPLAIN VERBOSE {query}"))
            .await
            .contains("physical_plan")
    );
    assert!(
        lake.refused("EXPLAIN DROP TABLE d.t")
            .await
            .0
            .contains("EXPLAIN is of queries")
    );
    assert_eq!(
        lake.rows("EXPLAIN (TYPE VALIDATE) DROP TABLE d.t").await,
        ["true"]
    );
    let error = lake
        .batches("EXPLAIN SELECT nam FROM d.t")
        .await
        .unwrap_err();
    assert_eq!(error.place(), Some((1, 16)), "{error}");
    lake.ok("PREPARE p FROM SELECT id FROM d.t WHERE id = ?")
        .await;
    assert!(
        lake.ok("EXPLAIN EXECUTE p USING 1")
            .await
            .contains("Scan d.t")
    );
}
