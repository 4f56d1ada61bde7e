use mastic_catalog::testing::ThrowawayPostgres;
use mastic_connect::ConnectError;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{answer, engine, query, sent, table, types};

async fn run(server: &ThrowawayPostgres, sql: &str) {
    let mut open = PgConnection::connect(&server.url()).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut open).await.unwrap();
    open.close().await.unwrap();
}

const KINDS: &str = r#"
    CREATE SCHEMA shop;
    CREATE SEQUENCE shop.made;
    CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN shop.cents AS numeric(6, 2);
    CREATE TABLE shop."Kinds" (
        b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
        n numeric(10, 2), any_n numeric, wide numeric(50, 3), d_n shop.cents,
        t text, v varchar(5), c char(4), u uuid, j jsonb, m shop.mood,
        d date, ts timestamp, tz timestamptz, tm time, a integer[], by bytea, "odd ""name" integer);
    INSERT INTO shop."Kinds" VALUES
        (true, -32768, 2147483647, 9223372036854775807, 0.1, 1e300,
         12345678.9, 0.1234567890123456789, 12345678901234567890123456789012345678901234567.125, 1234.5,
         E'a ''quote''\n', 'vc', 'c', '2b8e5b0e-0b56-4b9c-8c5e-6f1d3c1e2a11', '{"k": [1, null]}', 'ok',
         '2024-02-29', '2024-02-29 12:30:00.123456', '2024-02-29 12:30:00+02', '12:30', '{1,NULL}', '\x00ff', 7),
        (false, 1, 1, 1, 1, 1, -0.01, 1, 1, 1, '', '', '', NULL, 'null', 'sad',
         '0001-01-01', '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59.999999+00', '00:00', '{}', '', 0);
    INSERT INTO shop."Kinds" (b) VALUES (NULL);
    CREATE VIEW shop.few AS SELECT i4, n FROM shop."Kinds" WHERE i4 = 1;
"#;

#[tokio::test]
async fn kinds_of_columns_and_mistakes() {
    let Some(server) = ThrowawayPostgres::start().unwrap() else {
        return;
    };
    run(&server, KINDS).await;
    kinds(&server).await;
    conditions(&server).await;
    queries(&server).await;
    mistakes(&server).await;
}

/// The values are those that the INSERT says, as psql shows them.
async fn kinds(server: &ThrowawayPostgres) {
    let engine = engine(&server.url(), table("shop.Kinds")).await.unwrap();
    assert_eq!(
        types(&engine).await,
        [
            "b Boolean",
            "i2 Int16",
            "i4 Int32",
            "i8 Int64",
            "f4 Float32",
            "f8 Float64",
            "n Decimal128(10, 2)",
            "any_n Decimal128(38, 18)",
            "wide Utf8View",
            "d_n Decimal128(6, 2)",
            "t Utf8View",
            "v Utf8View",
            "c Utf8View",
            "u Utf8View",
            "j Utf8View",
            "m Utf8View",
            "d Date32",
            "ts Timestamp(µs)",
            "tz Timestamp(µs, \"UTC\")",
            "tm Utf8View",
            "a Utf8View",
            "by Binary",
            "odd \"name Int32"
        ]
    );
    let rows = answer(
        &engine,
        "SELECT b, i2, i4, i8, f4, f8, n, any_n, d_n FROM t ORDER BY i2",
    )
    .await;
    assert_eq!(
        rows,
        "\
+-------+--------+------------+---------------------+-----+-------+-------------+----------------------+---------+
| b     | i2     | i4         | i8                  | f4  | f8    | n           | any_n                | d_n     |
+-------+--------+------------+---------------------+-----+-------+-------------+----------------------+---------+
| true  | -32768 | 2147483647 | 9223372036854775807 | 0.1 | 1e300 | 12345678.90 | 0.123456789012345679 | 1234.50 |
| false | 1      | 1          | 1                   | 1.0 | 1.0   | -0.01       | 1.000000000000000000 | 1.00    |
|       |        |            |                     |     |       |             |                      |         |
+-------+--------+------------+---------------------+-----+-------+-------------+----------------------+---------+"
    );
    let rows = answer(
        &engine,
        "SELECT wide, v, c, u, j, m, tm, a, \"by\", \"odd \"\"name\" AS odd FROM t ORDER BY i2",
    )
    .await;
    assert_eq!(
        rows,
        "\
+-----------------------------------------------------+----+---+--------------------------------------+------------------+-----+----------+----------+------+-----+
| wide                                                | v  | c | u                                    | j                | m   | tm       | a        | by   | odd |
+-----------------------------------------------------+----+---+--------------------------------------+------------------+-----+----------+----------+------+-----+
| 12345678901234567890123456789012345678901234567.125 | vc | c | 2b8e5b0e-0b56-4b9c-8c5e-6f1d3c1e2a11 | {\"k\": [1, null]} | ok  | 12:30:00 | {1,NULL} | 00ff | 7   |
| 1.000                                               |    |   |                                      | null             | sad | 00:00:00 | {}       |      | 0   |
|                                                     |    |   |                                      |                  |     |          |          |      |     |
+-----------------------------------------------------+----+---+--------------------------------------+------------------+-----+----------+----------+------+-----+"
    );
    let rows = answer(&engine, "SELECT d, ts, tz FROM t ORDER BY i2").await;
    assert_eq!(
        rows,
        "\
+------------+----------------------------+-----------------------------+
| d          | ts                         | tz                          |
+------------+----------------------------+-----------------------------+
| 2024-02-29 | 2024-02-29T12:30:00.123456 | 2024-02-29T10:30:00Z        |
| 0001-01-01 | 1969-12-31T23:59:59.999999 | 1969-12-31T23:59:59.999999Z |
|            |                            |                             |
+------------+----------------------------+-----------------------------+"
    );
}

/// Each condition gives one row of three, in the database and after it.
async fn conditions(server: &ThrowawayPostgres) {
    let engine = engine(&server.url(), table("shop.Kinds")).await.unwrap();
    for (condition, sends) in [
        ("b", "\"b\""),
        ("NOT b", "NOT \"b\""),
        ("i2 < 0", "\"i2\" < 0"),
        ("i8 IN (1, 2)", "(\"i8\" = 1 OR \"i8\" = 2)"),
        ("i8 IN (1, 2, 3, 4)", "\"i8\" IN (1, 2, 3, 4)"),
        ("f8 > 1e299", "\"f8\" > 1e299"),
        ("n > 10", "\"n\" > 10.00"),
        (
            "n = arrow_cast('12345678.9', 'Decimal128(10, 2)')",
            "\"n\" = 12345678.90",
        ),
        ("t = 'a ''quote''\n'", "\"t\" = 'a ''quote''\n'"),
        ("c = 'c'", "\"c\"::text = 'c'"),
        ("m = 'ok'", "\"m\"::text = 'ok'"),
        (
            "u = '2b8e5b0e-0b56-4b9c-8c5e-6f1d3c1e2a11'",
            "\"u\"::text = '2b8e5b0e-0b56-4b9c-8c5e-6f1d3c1e2a11'",
        ),
        ("d > DATE '2000-01-01'", "\"d\" > '2000-01-01'"),
        (
            "ts < TIMESTAMP '1970-01-01 00:00:00'",
            "\"ts\" < '1970-01-01 00:00:00'",
        ),
        (
            "tz < TIMESTAMP '1970-01-01 00:00:00Z'",
            "\"tz\" < '1970-01-01 00:00:00+00'",
        ),
        ("j IS NULL", "\"j\" IS NULL"),
    ] {
        let sql = format!("SELECT i2 FROM t WHERE {condition}");
        let sent = sent(&engine, &sql).await;
        let (_, asked) = sent.split_once(" WHERE ").unwrap_or(("", &sent));
        assert_eq!(asked, sends, "{condition}");
        let rows = answer(&engine, &sql).await;
        assert_eq!(rows.lines().count(), 5, "{condition}\n{rows}");
    }
}

async fn queries(server: &ThrowawayPostgres) {
    let of = async |sql: &str| engine(&server.url(), query(sql)).await;
    let engine =
        of("SELECT i4, sum(n) AS total, max(d_n) FROM shop.\"Kinds\" GROUP BY 1 -- each").await;
    let engine = engine.unwrap();
    assert_eq!(
        types(&engine).await,
        [
            "i4 Int32",
            "total Decimal128(38, 18)",
            "max Decimal128(38, 18)"
        ]
    );
    let rows = answer(&engine, "SELECT i4, total FROM t WHERE total < 0").await;
    assert!(rows.contains("| 1  | -0.010000000000000000 |"), "{rows}");

    // A view's columns have the precision that the table's have.
    let few = crate::engine(&server.url(), table("shop.few"))
        .await
        .unwrap();
    assert_eq!(types(&few).await, ["i4 Int32", "n Decimal128(10, 2)"]);

    let many = of("SELECT i, repeat('x', 1000) AS s FROM generate_series(1, 30000) AS i").await;
    let many = many.unwrap();
    let rows = answer(&many, "SELECT count(*), sum(i), sum(length(s)) FROM t").await;
    assert!(rows.contains("| 30000    | 450015000 | 30000000"), "{rows}");
    // Who has had enough hangs up.
    let rows = answer(&many, "SELECT i FROM t WHERE s <> 'y' LIMIT 1").await;
    assert!(rows.contains("| 1 |"), "{rows}");
}

async fn mistakes(server: &ThrowawayPostgres) {
    let of = async |relation| engine(&server.url(), relation).await.err().unwrap();
    let missing = of(table("shop.kinds")).await;
    assert_eq!(missing.did_you_mean(), Some("shop.Kinds"));
    let missing = of(table("nowhere.few")).await;
    assert!(matches!(missing, ConnectError::NoTable { .. }), "{missing}");
    assert!(missing.hint().unwrap().contains("shop.few"));

    let wrong = of(query("SELECT i5 FROM shop.few")).await;
    assert!(
        wrong.to_string().ends_with("column \"i5\" does not exist"),
        "{wrong}"
    );
    assert!(wrong.hint().unwrap().contains("few.i4"), "{wrong:?}");
    let twice = of(query("SELECT i4, i4 FROM shop.few")).await;
    assert!(
        matches!(twice, ConnectError::DuplicateColumn { .. }),
        "{twice}"
    );
    for writes in [
        "DELETE FROM shop.\"Kinds\"",
        "WITH x AS (DELETE FROM shop.\"Kinds\" RETURNING 1) SELECT * FROM x",
        "SELECT 1) AS q; DROP SCHEMA shop CASCADE; SELECT * FROM (SELECT 1",
    ] {
        let error = of(query(writes)).await;
        assert!(matches!(error, ConnectError::Sql { .. }), "{error}");
    }
    // A function that writes does not, either.
    let writes = engine(&server.url(), query("SELECT nextval('shop.made') AS made"))
        .await
        .unwrap();
    let error = answer(&writes, "SELECT made FROM t").await;
    assert!(error.contains("read-only transaction"), "{error}");

    let broken = engine(
        &server.url(),
        query("SELECT 'NaN'::numeric AS n, 'infinity'::date AS d"),
    )
    .await
    .unwrap();
    for column in ["n", "d"] {
        let error = answer(&broken, &format!("SELECT {column} FROM t")).await;
        assert!(error.contains(&format!("column '{column}'")), "{error}");
    }

    let port = server.port();
    let refused = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let free = refused.local_addr().unwrap().port();
    drop(refused);
    for (url, reason, check) in [
        (
            format!("postgresql://mastic:secret@127.0.0.1:{free}/postgres"),
            "refused",
            "the host and port",
        ),
        (
            format!("postgresql://mastic:secret@127.0.0.1:{port}/shoop"),
            "\"shoop\" does not exist",
            "the name of the database",
        ),
        (
            format!("postgresql://nobody:secret@127.0.0.1:{port}/postgres"),
            "\"nobody\" does not exist",
            "PGPASSWORD",
        ),
    ] {
        let error = engine(&url, table("few")).await.err().unwrap();
        let told = format!("{error} {error:?}");
        assert!(
            error
                .to_string()
                .starts_with("cannot connect to PostgreSQL"),
            "{error}"
        );
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.hint().unwrap().contains(check), "{error:?}");
        assert!(!told.contains("secret"), "{told}");
    }
}
