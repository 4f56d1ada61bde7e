//! Hidden columns and older versions, over real files. What Trino does is said in its documentation, "Metadata columns"
//! and "Querying table snapshots".
#![allow(clippy::unwrap_used)]

use mastic_catalog::Column;

use crate::testing::Lake;

/// `d.t` of two CSV files in two partitions, and `d.u` of one file without any.
async fn lake() -> Lake {
    let lake = Lake::new().await;
    lake.write("t/k=1/a.csv", "1,one\n2,two\n");
    lake.write("t/k=2/b.csv", "3,three\n");
    lake.write("u/c.csv", "1,eins\n3,drei\n");
    let columns = [("n", "bigint"), ("s", "string")];
    let table = lake.table("t", "csv", &columns, &[("k", "int")]);
    let partitions = vec![
        lake.partition("1", "t/k=1", None),
        lake.partition("2", "t/k=2", None),
    ];
    lake.put(table, partitions).await;
    lake.put(lake.table("u", "csv", &columns, &[]), vec![])
        .await;
    lake
}

#[tokio::test]
async fn a_record_tells_its_file_and_stars_do_not() {
    let lake = lake().await;
    let a = lake.path("t/k=1/a.csv");
    let b = lake.path("t/k=2/b.csv");
    assert_eq!(
        lake.rows(r#"SELECT n, "$path", "$file_size", "$partition" FROM t ORDER BY n"#)
            .await,
        [
            format!("1,{a},12,k=1"),
            format!("2,{a},12,k=1"),
            format!("3,{b},8,k=2")
        ]
    );
    let modified = std::fs::metadata(&b).unwrap().modified().unwrap();
    let modified = chrono::DateTime::<chrono::Utc>::from(modified);
    assert_eq!(
        lake.rows(r#"SELECT "$file_modified_time" FROM t WHERE n = 3"#)
            .await,
        [modified.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()]
    );
    assert_eq!(
        lake.rows(r#"SELECT count(*) FROM t WHERE "$file_modified_time" > TIMESTAMP '2000-01-01 00:00:00 UTC'"#).await,
        ["3"]
    );
    for star in [
        "SELECT * FROM t",
        r#"SELECT * FROM t WHERE "$path" LIKE '%.csv'"#,
        r#"SELECT t.* FROM t WHERE "$PATH" LIKE '%.csv'"#,
        r#"SELECT x.* FROM d.t AS x ORDER BY x."$path""#,
        r#"SELECT * FROM (SELECT * FROM t WHERE "$file_size" > 0)"#,
        r#"WITH t AS (SELECT * FROM t WHERE "$file_size" > 0) SELECT * FROM t"#,
        r#"SELECT * FROM t WHERE n IN (SELECT n FROM u WHERE "$path" <> '')"#,
    ] {
        assert_eq!(lake.columns(star).await, ["n", "s", "k"], "{star}");
    }
    assert_eq!(
        lake.columns(r#"SELECT "$path", *, "$file_size" AS size FROM t"#)
            .await,
        ["$path", "n", "s", "k", "size"]
    );
    // A table without partitions belongs to none.
    assert_eq!(
        lake.rows(r#"SELECT DISTINCT "$partition" FROM u"#).await,
        ["NULL"]
    );
}

#[tokio::test]
async fn files_are_pruned_by_what_tells_of_them() {
    let lake = lake().await;
    let b = lake.path("t/k=2/b.csv");
    // A file that is not read is not missed: it would be an error otherwise.
    lake.write("t/k=1/a.csv", "1,one\nx,two\n");
    assert_eq!(
        lake.rows(&format!(r#"SELECT n FROM t WHERE "$path" = '{b}'"#))
            .await,
        ["3"]
    );
    assert_eq!(
        lake.rows(r#"SELECT n FROM t WHERE "$path" LIKE '%/b.csv' AND k > 0"#)
            .await,
        ["3"]
    );
    assert_eq!(
        lake.rows(r#"SELECT n FROM t WHERE "$file_size" < 9"#).await,
        ["3"]
    );
    // So are partitions, by conditions that the catalog store cannot answer.
    assert_eq!(lake.rows("SELECT n FROM t WHERE k % 2 = 0").await, ["3"]);
    assert_eq!(
        lake.rows("SELECT n FROM t WHERE concat('k', CAST(k AS varchar)) = 'k2'")
            .await,
        ["3"]
    );
    let (message, _) = lake.error("SELECT n FROM t").await;
    assert!(
        message.contains("a.csv") && message.contains("line 2"),
        "{message}"
    );
}

#[tokio::test]
async fn hidden_columns_are_columns_in_every_place() {
    let lake = lake().await;
    let name = r#"regexp_extract("$path", '[^/]*$')"#;
    for (sql, expected) in [
        (
            format!(r#"SELECT {name} AS f, count(*) FROM t GROUP BY "$path" ORDER BY "$path" DESC"#),
            vec!["b.csv,1", "a.csv,2"],
        ),
        (
            r#"SELECT count(*) FROM t JOIN u ON t."$path" <> u."$path" AND t.n = u.n"#.to_owned(),
            vec!["2"],
        ),
        (
            r#"SELECT x.n FROM t x JOIN t y ON x."$path" = y."$path" AND x.n < y.n"#.to_owned(),
            vec!["1"],
        ),
        (
            r#"SELECT p FROM (SELECT n AS p, "$file_size" FROM t) v WHERE v."$file_size" = 8"#.to_owned(),
            vec!["3"],
        ),
        (
            r#"SELECT count(DISTINCT "$path"), max("$file_size") FROM t"#.to_owned(),
            vec!["2,12"],
        ),
        (
            r#"SELECT n FROM t o WHERE EXISTS (SELECT 1 FROM t i WHERE i."$path" = o."$path" AND i.n > o.n)"#.to_owned(),
            vec!["1"],
        ),
        (
            r#"SELECT row_number() OVER (PARTITION BY "$path" ORDER BY n DESC) FROM t ORDER BY n"#.to_owned(),
            vec!["2", "1", "1"],
        ),
        (
            r#"SELECT a, regexp_extract("$path", '[^/]*$') FROM t AS z (a, b, c) ORDER BY a LIMIT 1"#.to_owned(),
            vec!["1,a.csv"],
        ),
        (
            r#"SELECT count(*) FROM (SELECT "$path" FROM t UNION SELECT "$path" FROM u)"#.to_owned(),
            vec!["3"],
        ),
    ] {
        assert_eq!(lake.rows(&sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn stars_over_joins_leave_out_what_is_hidden_and_keep_what_was_asked_for() {
    let lake = lake().await;
    let on = r#"t."$file_size" > 0 AND t.n = u.n"#;
    for (sql, expected) in [
        (format!("SELECT * FROM t JOIN u ON {on}"), vec!["n", "s", "k", "n", "s"]),
        (format!("SELECT u.*, t.k FROM t, u WHERE {on}"), vec!["n", "s", "k"]),
        (
            r#"SELECT * FROM t JOIN u USING (n) WHERE t."$file_size" > 0"#.to_owned(),
            vec!["n", "s", "k", "s"],
        ),
        (
            r#"SELECT * FROM t JOIN (SELECT n AS m, "$path" FROM u) ON n = m WHERE t."$file_size" > 0"#.to_owned(),
            vec!["n", "s", "k", "m", "$path"],
        ),
        (
            r#"SELECT * EXCEPT (s) FROM t WHERE "$file_size" > 0"#.to_owned(),
            vec!["n", "k"],
        ),
        (
            r#"SELECT * FROM t CROSS JOIN UNNEST(ARRAY[1, 2]) AS v (w) WHERE "$file_size" > 0"#.to_owned(),
            vec!["n", "s", "k", "w"],
        ),
    ] {
        assert_eq!(lake.columns(&sql).await, expected, "{sql}");
        assert!(!lake.rows(&sql).await.is_empty(), "{sql}");
    }
    let (message, _) = lake
        .error(r#"SELECT * FROM t NATURAL JOIN u WHERE t."$path" = ''"#)
        .await;
    assert!(message.contains("NATURAL JOIN"), "{message}");
    let (message, _) = lake.error(r#"SELECT "$path" FROM (SELECT * FROM t)"#).await;
    assert!(message.contains("there is no column '$path'"), "{message}");
    let (message, _) = lake.error(r#"SELECT "$path" FROM t, u"#).await;
    assert!(message.to_lowercase().contains("ambiguous"), "{message}");
}

#[tokio::test]
async fn a_column_of_the_tables_own_goes_first() {
    let lake = Lake::new().await;
    lake.write("v/a.csv", "mine\n");
    let table = lake.table("v", "csv", &[("$path", "string")], &[]);
    lake.put(table, vec![]).await;
    assert_eq!(
        lake.rows(r#"SELECT * FROM v WHERE "$path" = 'mine'"#).await,
        ["mine"]
    );
}

#[tokio::test]
async fn older_versions_have_their_columns_and_their_partitions() {
    let lake = lake().await;
    let first = chrono::Utc::now();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    lake.write("t/k=3/c.csv", "4,four,true\n");
    let mut table = lake.catalog.get_table("d", "t").await.unwrap();
    if let Some(descriptor) = &mut table.storage_descriptor {
        descriptor.columns.push(Column::new("b", "boolean"));
    }
    lake.put(table, vec![lake.partition("3", "t/k=3", None)])
        .await;
    assert_eq!(
        lake.rows("SELECT * FROM t ORDER BY n").await,
        [
            "1,one,NULL,1",
            "2,two,NULL,1",
            "3,three,NULL,2",
            "4,four,true,3"
        ]
    );
    let old = ["1,one,1", "2,two,1", "3,three,2"];
    let first = first.format("%Y-%m-%d %H:%M:%S%.3f UTC");
    for of in [
        "d.t FOR VERSION AS OF 1".to_owned(),
        format!("t FOR TIMESTAMP AS OF TIMESTAMP '{first}'"),
        format!("t FOR TIMESTAMP AS OF (TIMESTAMP '{first}' + INTERVAL '1' MILLISECOND) AS x"),
    ] {
        let sql = format!("SELECT * FROM {of} ORDER BY n");
        assert_eq!(lake.rows(&sql).await, old, "{sql}");
    }
    // Beside the current version, and with hidden columns.
    assert_eq!(
        lake.rows("SELECT count(*) FROM t LEFT JOIN t FOR VERSION AS OF 1 AS o ON o.n = t.n WHERE o.n IS NULL").await,
        ["1"]
    );
    assert_eq!(
        lake.rows(r#"SELECT DISTINCT "$partition" FROM t FOR VERSION AS OF 1 WHERE k = 2"#)
            .await,
        ["k=2"]
    );
    assert_eq!(
        lake.rows("SELECT count(*) FROM t FOR TIMESTAMP AS OF current_timestamp")
            .await,
        ["4"]
    );
    for (of, message, hint) in [
        (
            "t FOR VERSION AS OF 9",
            "d.t has no version 9",
            "versions 1 to 2 are kept",
        ),
        ("t FOR VERSION AS OF 0", "0 is no version", ""),
        (
            "t FOR TIMESTAMP AS OF TIMESTAMP '2001-01-01 00:00:00'",
            "no version of d.t is kept of 2001-01-01T00:00:00.000Z",
            "the oldest, version 1",
        ),
        (
            "t FOR TIMESTAMP AS OF (SELECT max(now()) FROM t)",
            "a query is no constant",
            "",
        ),
        (
            "t FOR TIMESTAMP AS OF 5",
            "it is no timestamp",
            "TIMESTAMP '",
        ),
        ("tt FOR VERSION AS OF 1", "d.tt", "did you mean"),
    ] {
        let (found, help) = lake.error(&format!("SELECT * FROM {of}")).await;
        assert!(found.contains(message), "{found}");
        assert!(help.contains(hint), "{help}");
    }
    let (found, _) = lake
        .error("WITH w AS (SELECT 1) SELECT * FROM w FOR VERSION AS OF 1")
        .await;
    assert!(found.contains("'w' is a query of WITH"), "{found}");
}
