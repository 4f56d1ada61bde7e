//! Sources that lie in databases: SQLite files here, as PostgreSQL's differences are `mastic-connect`'s.

use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_catalog::OpenMode;
use mastic_jobs::{JobOptions, Plan, explain, plan, run_job};
use mastic_lake::store::Stores;
use mastic_query::Session;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use crate::support::{Memory, parse};

const SHOP: &str = "
    CREATE TABLE planes (tailnum TEXT PRIMARY KEY, built INTEGER);
    INSERT INTO planes VALUES ('N1', 1999), ('N2', 2004), ('N9', 2020);";

/// A folder with a SQLite file, `shop.db`.
async fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .create_if_missing(true);
    let mut open = options.connect().await.unwrap();
    sqlx::raw_sql(SHOP).execute(&mut open).await.unwrap();
    open.close().await.unwrap();
    folder
}

/// A script whose source `planes` has these keys, beside flights.
fn script(planes: &str, steps: &str) -> String {
    format!(
        "parameters: {{folder: , password: {{default: 'a/b@c', type: string}}, year: 2000}}\n\
         sources:\n  flights: nyc.flights\n  planes: {{{planes}}}\n\
         frames:\n  f:\n{steps}\nsinks:\n  - {{frame: f, path: '${{folder}}/f'}}\n"
    )
}

const SQLITE: &str = "connection: 'sqlite:${folder}/shop.db'";

async fn planned(folder: &tempfile::TempDir, planes: &str, steps: &str) -> Result<Plan, String> {
    let place = folder.path().display().to_string();
    let text = script(planes, steps);
    let script = parse(&text, &[("folder", &place)]).map_err(|e| e.render())?;
    let planned = plan(&script, &Memory::new()).await;
    planned.map_err(|e| e.render())
}

async fn rows(plan: &Plan) -> String {
    let frame = plan.sinks[0].frame.clone().into_dataframe();
    let rows = frame.collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
}

#[tokio::test]
async fn a_lookup_reads_a_database_once() {
    let folder = shop().await;
    let steps = "    - from: flights\n    - lookup: {with: planes, on: tailnum}\n    \
                 - select_fields: [flight, built]\n    - sql: SELECT * FROM f ORDER BY flight";
    for planes in [
        format!("{SQLITE}, table: planes"),
        format!("{SQLITE}, query: 'SELECT tailnum, built FROM planes'"),
    ] {
        let plan = planned(&folder, &planes, steps).await.unwrap();
        let found = rows(&plan).await;
        let built = ["1999", "2004"].map(|year| found.matches(year).count());
        assert_eq!(built, [1, 1], "{found}");
        assert!(!found.contains("2020"), "{found}");
    }
}

#[tokio::test]
async fn conditions_and_columns_go_to_the_database() {
    let folder = shop().await;
    let steps = "    - from: planes\n    - filter: tailnum = 'N2'\n    - select_fields: [built]";
    let planes = format!("{SQLITE}, table: planes, where: 'built > ${{year}}'");
    let plan = planned(&folder, &planes, steps).await.unwrap();
    let queries = plan.sinks[0].queries().unwrap();
    assert_eq!(queries.len(), 1);
    assert_eq!(queries[0].name, "planes");
    assert_eq!(
        queries[0].sql,
        "SELECT \"tailnum\", \"built\" FROM \"planes\" WHERE \"built\" > 2000 AND \"tailnum\" = 'N2'"
    );
    assert_eq!(
        rows(&plan).await,
        "+-------+\n| built |\n+-------+\n| 2004  |\n+-------+"
    );

    // In a query a parameter is a literal.
    let planes = format!("{SQLITE}, query: 'SELECT * FROM planes WHERE built < ${{year}}'");
    let plan = planned(&folder, &planes, "    - from: planes")
        .await
        .unwrap();
    assert!(rows(&plan).await.contains("| N1      | 1999  |"));
}

#[tokio::test]
async fn mistakes_say_where_and_what() {
    let folder = shop().await;
    let postgres = "connection: 'postgresql://anna:${password}@127.0.0.1:1/shop'";
    for (planes, said, help) in [
        (
            format!("{SQLITE}, table: plane"),
            "shop.db has no table 'plane'",
            "did you mean 'planes'?",
        ),
        (
            format!("{SQLITE}, query: SELECT bilt FROM planes"),
            "no such column: bilt",
            "",
        ),
        (
            format!("{SQLITE}, tabel: planes"),
            "'tabel' is no key of a source",
            "did you mean 'table'?",
        ),
        (
            SQLITE.to_owned(),
            "source 'planes' does not say what to read over its connection",
            "add 'table: schema.table'",
        ),
        (
            format!("{SQLITE}, table: planes, query: SELECT 1"),
            "source 'planes' has both a table and a query",
            "keep one",
        ),
        (
            "query: SELECT 1".to_owned(),
            "source 'planes' has a query and no connection",
            "connection: postgresql://",
        ),
        (
            format!("{SQLITE}, table: planes, bookmark: true"),
            "a connection has no bookmark",
            "'where', or a query",
        ),
        (
            format!("{SQLITE}, table: planes, path: x"),
            "a connection and a path are two places",
            "keep one",
        ),
        (
            "connection: 'mysql://host/db', table: planes".to_owned(),
            "databases of the kind 'mysql' are not known",
            "write postgresql://",
        ),
        (
            format!("{postgres}, table: planes"),
            "cannot connect to PostgreSQL database shop on 127.0.0.1:1",
            "the host and port are right",
        ),
        // A password that somebody did write into a script.
        (
            "connection: 'postgresql://anna:a/b@c@127.0.0.1:1/shop', table: planes".to_owned(),
            "'postgresql://anna:*****@127.0.0.1:1/shop'",
            "write postgresql://",
        ),
    ] {
        let told = planned(&folder, &planes, "    - from: planes")
            .await
            .err()
            .unwrap();
        assert!(told.contains(said), "{told}");
        assert!(told.contains(help), "{told}");
        assert!(!told.contains("a/b@c") && !told.contains("a%2Fb"), "{told}");
    }
}

#[tokio::test]
async fn a_password_is_neither_drawn_nor_recorded() {
    let folder = shop().await;
    let place = folder.path().display().to_string();
    let planes = "connection: 'postgresql://anna:${password}@db/shop', table: public.planes";
    let text = script(planes, "    - from: planes");
    let drawn = explain(&parse(&text, &[("folder", &place)]).unwrap(), None);
    assert!(drawn.contains("${password} = ***\n"), "{drawn}");
    assert!(
        drawn.contains("planes   ◀── table public.planes of PostgreSQL database shop on db:5432"),
        "{drawn}"
    );
    assert!(
        !drawn.contains("a/b@c") && !drawn.contains("a%2Fb"),
        "{drawn}"
    );

    // A whole URL may have a password in it, wherever it is a URL of.
    let text = "parameters: {shop: , out: }\nsources:\n  planes: {connection: '${shop}', table: planes}\n\
                sinks:\n  - {frame: planes, path: '${out}', table: t.planes}\n";
    let (url, out) = (format!("sqlite:{place}/shop.db"), format!("{place}/out"));
    let script = parse(text, &[("shop", &url), ("out", &out)]).unwrap();
    let catalog = mastic_catalog::open(&format!("{place}/catalog.db"), OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let stores = Arc::new(Stores::default());
    let session = Session::open(catalog, stores.clone(), None).await.unwrap();
    let options = JobOptions::default();
    let job = run_job(&script, &session, &stores, &options, std::future::pending());
    let (run, report) = job.await.unwrap();
    assert_eq!(report.sinks[0].written.rows, 3);
    let recorded = format!("{:?}", run.arguments);
    assert!(
        recorded.contains("***") && !recorded.contains("shop.db"),
        "{recorded}"
    );
}
