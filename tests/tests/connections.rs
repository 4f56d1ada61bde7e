//! Scripts whose sources lie in a PostgreSQL server, through the real binary. The server is the test's own; where none is
//! installed the test says that it is skipped.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

use mastic_catalog::testing::ThrowawayPostgres;
use mastic_tests::Lake;
use sqlx::{Connection, PgConnection};

const SCRIPT: &str = "\
name: orders_with_users
parameters: {server: , password: {type: string}}
sources:
  orders: {path: orders.csv}
  users:
    connection: postgresql://mastic:${password}@${server}/postgres
    table: public.users
    where: id < 3
frames:
  named:
    - from: orders
    - lookup: {with: users, on: {user: id}, fields: [name, joined]}
sinks:
  - {frame: named, path: out, table: t.named}
";

const USERS: &str = "
    CREATE TABLE users (id integer, name text, joined date);
    INSERT INTO users VALUES (1, 'Anna', '2020-02-29'), (2, 'O''Hara', NULL), (3, 'Zoe', '2021-01-01');";

#[test]
fn a_script_looks_up_in_postgres_and_shows_no_password() {
    let Some(server) = ThrowawayPostgres::start().expect("PostgreSQL starts") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut open = PgConnection::connect(&server.url()).await.unwrap();
        sqlx::raw_sql(USERS).execute(&mut open).await.unwrap();
        open.close().await.unwrap();
    });
    let lake = Lake::new();
    lake.file("orders.csv", "n,user\n10,1\n11,2\n12,3\n");
    // A host and its port are two parts of a URL.
    let text = SCRIPT.replace("${server}", &format!("${{server}}:{}", server.port()));
    lake.file("s.yaml", text);
    let password = "password=p@ss/wo:rd#1";
    let with = ["--set", "server=127.0.0.1", "--set", password];
    let mut shown = Vec::new();

    let explained = lake.ok(["run", "s.yaml", "--explain"].iter().chain(&with));
    let text = explained.to_string();
    assert!(
        text.contains(
            "SELECT \"id\", \"name\", \"joined\"::text FROM \"public\".\"users\" WHERE \"id\" < 3"
        ),
        "{text}"
    );
    shown.push(text);
    shown.push(lake.ok(["run", "s.yaml"].iter().chain(&with)).to_string());
    assert_eq!(
        lake.sql("SELECT n, name, joined FROM t.named ORDER BY n"),
        "n,name,joined\n10,Anna,2020-02-29\n11,O'Hara,\n12,,\n"
    );
    shown.push(lake.ok(["runs", "-o", "json"]).to_string());
    let wrong = ["--set", "server=nowhere.invalid", "--set", password];
    let failed = lake
        .mastic(["run", "s.yaml"].iter().chain(&wrong))
        .to_string();
    assert!(
        failed.contains("cannot connect to PostgreSQL database postgres"),
        "{failed}"
    );
    shown.push(failed);
    for text in shown {
        assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "{text}");
    }
}
