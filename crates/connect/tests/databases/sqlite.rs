use mastic_connect::ConnectError;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use crate::{answer, engine, query, sent, table, types};

/// A file with these statements run in it, and its URL.
async fn file(sql: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut open = options.connect().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut open).await.unwrap();
    open.close().await.unwrap();
    let url = format!("sqlite:{}", path.display());
    (folder, url)
}

const USERS: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, score REAL, price DECIMAL(10,2), active BOOLEAN,
                        born DATE, seen DATETIME, photo BLOB);
    INSERT INTO users VALUES
        (1, 'Anna', 1.5, 10, 1, '1990-02-28', '2024-01-01 10:00:00', x'00ff'),
        (2, 'O''Hara', -2, 12.25, 0, '2000-02-29', '2024-01-01 10:00:00.5', NULL),
        (9007199254740993, NULL, NULL, NULL, NULL, NULL, NULL, x'');";

#[tokio::test]
async fn columns_are_what_they_are_declared_as() {
    let (_folder, url) = file(USERS).await;
    let engine = engine(&url, table("users")).await.unwrap();
    assert_eq!(
        types(&engine).await,
        [
            "id Int64",
            "name Utf8View",
            "score Float64",
            "price Float64",
            "active Boolean",
            "born Date32",
            "seen Timestamp(µs)",
            "photo Binary"
        ]
    );
    // What sqlite3's shell shows of the same rows.
    let rows = answer(&engine, "SELECT * FROM t ORDER BY id").await;
    assert_eq!(
        rows,
        "\
+------------------+--------+-------+-------+--------+------------+-------------------------+-------+
| id               | name   | score | price | active | born       | seen                    | photo |
+------------------+--------+-------+-------+--------+------------+-------------------------+-------+
| 1                | Anna   | 1.5   | 10.0  | true   | 1990-02-28 | 2024-01-01T10:00:00     | 00ff  |
| 2                | O'Hara | -2.0  | 12.25 | false  | 2000-02-29 | 2024-01-01T10:00:00.500 |       |
| 9007199254740993 |        |       |       |        |            |                         |       |
+------------------+--------+-------+-------+--------+------------+-------------------------+-------+"
    );
}

#[tokio::test]
async fn a_column_whose_values_disagree_is_text() {
    let (_folder, url) = file(
        "CREATE TABLE t (id INTEGER, n INTEGER, big INTEGER, flag BOOLEAN, day DATE, price NUMERIC, any, none);
         INSERT INTO t VALUES (1, 1, 9007199254740993, 1, '2024-02-30', 1, 1, NULL),
                              (2, 'n/a', 0.5, 2, '2024-01-01', 'free', 2.5, NULL),
                              (3, x'0aff', 7, NULL, NULL, NULL, NULL, NULL);",
    )
    .await;
    let engine = engine(&url, table("t")).await.unwrap();
    assert_eq!(
        types(&engine).await,
        [
            "id Int64",
            "n Utf8View",
            // A double has no 9007199254740993.
            "big Utf8View",
            "flag Int64",
            "day Utf8View",
            "price Utf8View",
            "any Float64",
            "none Utf8View"
        ]
    );
    assert_eq!(
        answer(
            &engine,
            "SELECT n, big, flag, day, price, any FROM t ORDER BY id"
        )
        .await,
        "\
+------+------------------+------+------------+-------+-----+
| n    | big              | flag | day        | price | any |
+------+------------------+------+------------+-------+-----+
| 1    | 9007199254740993 | 1    | 2024-02-30 | 1     | 1.0 |
| n/a  | 0.5              | 2    | 2024-01-01 | free  | 2.5 |
| 0AFF | 7                |      |            |       |     |
+------+------------------+------+------------+-------+-----+"
    );
}

#[tokio::test]
async fn columns_conditions_and_limits_are_in_the_query() {
    let (_folder, url) = file(USERS).await;
    let engine = engine(&url, table("users")).await.unwrap();
    for (sql, sends, gives) in [
        (
            "SELECT name FROM t WHERE id = 2",
            "SELECT \"id\", \"name\" FROM \"users\" WHERE \"id\" = 2",
            "O'Hara",
        ),
        (
            "SELECT id FROM t WHERE name = 'O''Hara'",
            "SELECT \"id\", \"name\" FROM \"users\" WHERE \"name\" = 'O''Hara'",
            "2",
        ),
        (
            "SELECT id FROM t WHERE active AND born >= DATE '1990-01-01' AND price > 9.5",
            "SELECT \"id\", CAST(\"price\" AS REAL), \"active\", \"born\" FROM \"users\" \
             WHERE \"active\" AND \"born\" >= '1990-01-01' AND \"price\" > 9.5e0",
            "1",
        ),
        // Text is ordered by the engine.
        (
            "SELECT id FROM t WHERE name > 'B'",
            "SELECT \"id\", \"name\" FROM \"users\"",
            "2",
        ),
        (
            "SELECT id FROM t LIMIT 1",
            "SELECT \"id\" FROM \"users\" LIMIT 1",
            "1",
        ),
        ("SELECT count(*) FROM t", "SELECT 1 FROM \"users\"", "3"),
    ] {
        assert_eq!(sent(&engine, sql).await, sends);
        let rows = answer(&engine, sql).await;
        let cells: Vec<&str> = rows.lines().skip(3).filter(|l| l.contains('|')).collect();
        assert_eq!(cells.len(), 1, "{sql}\n{rows}");
        assert_eq!(cells[0].trim_matches(['|', ' ']), gives, "{sql}");
    }
}

#[tokio::test]
async fn many_rows_come_in_batches() {
    let (_folder, url) = file(
        "CREATE TABLE n (i INTEGER, s TEXT);
         WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
         INSERT INTO n SELECT i, 'row ' || i FROM c;",
    )
    .await;
    let engine = engine(&url, table("n")).await.unwrap();
    let rows = engine.table("t").await.unwrap().collect().await.unwrap();
    let sizes: Vec<usize> = rows.iter().map(|batch| batch.num_rows()).collect();
    assert_eq!(sizes, [8192, 8192, 3616]);
    let sum = answer(&engine, "SELECT sum(i), count(DISTINCT s) FROM t").await;
    assert!(
        sum.contains("| 200010000 ") && sum.contains("| 20000 "),
        "{sum}"
    );
}

#[tokio::test]
async fn a_query_is_a_source() {
    let (_folder, url) = file(USERS).await;
    let sql =
        "SELECT upper(name) AS name, id * 2 AS twice FROM users WHERE id < 10 -- the small ones";
    let engine = engine(&url, query(sql)).await.unwrap();
    assert_eq!(types(&engine).await, ["name Utf8View", "twice Int64"]);
    let rows = answer(&engine, "SELECT name FROM t WHERE twice = 4").await;
    assert!(rows.contains("O'HARA") && !rows.contains("ANNA"), "{rows}");
}

#[tokio::test]
async fn what_changes_under_a_plan_is_an_error_and_not_another_value() {
    let (folder, url) = file(USERS).await;
    let engine = engine(&url, table("users")).await.unwrap();
    let path = folder.path().join("shop.db");
    let options = SqliteConnectOptions::new().filename(&path);
    let mut open = options.connect().await.unwrap();
    sqlx::raw_sql(
        "UPDATE users SET price = 'free', score = 'none', name = x'ff' WHERE id = 1; \
                   CREATE TABLE more (n INTEGER); INSERT INTO more VALUES (1)",
    )
    .execute(&mut open)
    .await
    .unwrap();
    let error = answer(&engine, "SELECT name FROM t").await;
    assert!(error.contains("column 'name'"), "{error}");
}

#[tokio::test]
async fn mistakes_say_what_to_do() {
    let (folder, url) = file(USERS).await;
    let error = |relation| async { engine(&url, relation).await.err().unwrap() };
    let missing = error(table("user")).await;
    assert_eq!(missing.did_you_mean(), Some("users"));
    assert!(
        missing.to_string().ends_with("shop.db has no table 'user'"),
        "{missing}"
    );

    let wrong = error(query("SELECT nme FROM users")).await;
    assert!(matches!(wrong, ConnectError::Sql { .. }));
    assert!(
        wrong.to_string().ends_with("no such column: nme"),
        "{wrong}"
    );

    let writes = error(query("DELETE FROM users")).await;
    assert!(matches!(writes, ConnectError::Sql { .. }), "{writes}");
    let sly = "SELECT 1) AS q; DELETE FROM users; SELECT * FROM (SELECT 1";
    let sly = engine(&url, query(sly)).await.unwrap();
    let writes = answer(&sly, "SELECT * FROM t").await;
    assert!(writes.contains("readonly"), "{writes}");

    let nothing = folder.path().join("none.db");
    let nothing = format!("sqlite://{}", nothing.display());
    let nothing = engine(&nothing, table("users")).await.err().unwrap();
    assert!(matches!(nothing, ConnectError::Connect { .. }), "{nothing}");
    assert!(nothing.hint().unwrap().starts_with("there is no such file"));

    let other = folder.path().join("other.db");
    std::fs::write(
        &other,
        "not a database, but longer than its header".repeat(10),
    )
    .unwrap();
    let other = format!("sqlite:{}", other.display());
    let other = engine(&other, table("users")).await.err().unwrap();
    assert!(other.to_string().contains("not a database"), "{other}");
}
