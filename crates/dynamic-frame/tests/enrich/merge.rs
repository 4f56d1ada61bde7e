use crate::{frame, rows, run};

// "Merges this DynamicFrame with a staging DynamicFrame based on the specified primary keys to identify records.
// Duplicate records (records with the same primary keys) are not de-duplicated. All records (including
// duplicates) are retained from the source if there is no matching record in the staging DynamicFrame. If the
// staging DynamicFrame has matching records, the records from the staging DynamicFrame overwrite the records in the
// source" (aws-glue-api-crawler-pyspark-extensions-dynamic-frame).
#[tokio::test]
async fn staged_records_replace_those_with_the_same_keys() {
    let source = frame("SELECT * FROM (VALUES (1, 'old', 5), (1, 'older', 6), (2, 'kept', 7), (2, 'kept', 7), (NULL, 'n', 8)) AS s(id, name, n)").await;
    let staged = frame("SELECT * FROM (VALUES ('x', 1, 'new'), ('y', 3, 'added'), ('z', 3, 'added'), ('n', NULL, 'm')) AS s(n, id, name)").await;
    let merged = source
        .clone()
        .merge(staged.clone().counted("staged"), &["id"])
        .unwrap();
    assert_eq!(
        merged.pretty_schema(),
        "root\n|-- id: bigint\n|-- name: string\n|-- n: choice\n|    |-- long\n|    |-- string\n"
    );
    let (merged, _, ledger) = run(merged).await;
    assert_eq!(
        merged,
        "id|name|n\n1|new|{long: , string: x}\n2|kept|{long: 7, string: }\n2|kept|{long: 7, string: }\n\
         3|added|{long: , string: y}\n3|added|{long: , string: z}\n|m|{long: , string: n}\n|n|{long: 8, string: }"
    );
    // It is read twice, and counted once.
    assert_eq!(ledger.counts()[0].rows, 4);
    let two = source
        .merge(staged.drop_fields(&["n"]).unwrap(), &["ID", "name"])
        .unwrap();
    assert_eq!(
        rows(two).await,
        "id|name|n\n1|new|\n1|older|6\n1|old|5\n2|kept|7\n2|kept|7\n3|added|\n3|added|\n|m|\n|n|8"
    );
}
