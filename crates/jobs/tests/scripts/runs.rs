//! Runs from script to files and catalog, and back by SQL.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_catalog::{CatalogStore, OpenMode, TableOutcome};
use mastic_jobs::{Prepared, Report, RunError, Script, ScriptErrors, Source, plan};
use mastic_lake::store::Stores;
use mastic_query::Session;

struct House {
    folder: tempfile::TempDir,
    catalog: Arc<dyn CatalogStore>,
    stores: Arc<Stores>,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db").display().to_string();
        let catalog = mastic_catalog::open(&path, OpenMode::CreateIfMissing)
            .await
            .unwrap();
        Self {
            folder,
            catalog,
            stores: Arc::new(Stores::default()),
        }
    }

    async fn session(&self) -> Session {
        Session::open(self.catalog.clone(), self.stores.clone(), None)
            .await
            .unwrap()
    }

    async fn prepare(&self, text: &str) -> Result<Prepared, ScriptErrors> {
        let given = [("out".to_owned(), self.folder.path().display().to_string())];
        let script = Script::parse(&Source::new("job.yaml", text), &given)?;
        let plan = plan(&script, &self.session().await).await?;
        Prepared::new(&script, plan, &self.stores, &*self.catalog).await
    }

    async fn run(&self, text: &str) -> Result<Report, RunError> {
        let prepared = self
            .prepare(text)
            .await
            .unwrap_or_else(|e| panic!("{}", e.render()));
        prepared
            .run(&*self.catalog, None, std::future::pending())
            .await
    }

    async fn sql(&self, query: &str) -> String {
        let rows = self
            .session()
            .await
            .sql(query)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        pretty_format_batches(&rows).unwrap().to_string()
    }

    fn visible(&self, folder: &str) -> usize {
        let path = self.folder.path().join(folder);
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .filter(|e| !e.file_name().to_string_lossy().starts_with('_'))
            .count()
    }
}

fn airlines(rest: &str) -> String {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/lake/airlines/airlines.json");
    format!(
        "parameters: {{out: x}}\nsources:\n  airlines: {{path: '{}'}}\n{rest}",
        file.display()
    )
}

const BY_LETTER: &str = "frames:
  out:
    - from: airlines
    - map: {letter: 'nullif(substr(carrier, 1, 1), ''9'')'}
sinks:
  - {frame: out, path: '${out}/airlines', partition_by: letter, mode: MODE, table: lake.airlines}
";

#[tokio::test]
async fn a_run_writes_files_and_catalog() {
    let house = House::new().await;
    let text = airlines(&BY_LETTER.replace("MODE", "overwrite"));
    let report = house.run(&text).await.unwrap();
    assert_eq!(report.sinks[0].written.rows, 16);
    assert_eq!(report.sinks[0].table.as_deref(), Some("lake.airlines"));
    assert!(matches!(
        report.catalog.tables[0].outcome,
        TableOutcome::Created { .. }
    ));
    insta::assert_snapshot!(
        "read_back",
        house.sql("SELECT letter, count(*) AS n, max(name) AS last FROM lake.airlines GROUP BY letter ORDER BY letter").await
    );
    // The same again makes no new version; added to, there are twice as many.
    let again = house.run(&text).await.unwrap();
    assert!(matches!(
        again.catalog.tables[0].outcome,
        TableOutcome::Unchanged { .. }
    ));
    house
        .run(&airlines(&BY_LETTER.replace("MODE", "append")))
        .await
        .unwrap();
    let counted = house.sql("SELECT count(*) AS n FROM lake.airlines").await;
    assert!(counted.contains("32"), "{counted}");
}

#[tokio::test]
async fn a_run_that_fails_changes_nothing() {
    let house = House::new().await;
    let sinks = "frames:
  bad:
    - from: airlines
    - map: {n: cast(name as bigint)}
sinks:
  - {frame: airlines, path: '${out}/good', table: lake.good}
  - {frame: bad, path: '${out}/bad', table: lake.bad}
";
    let error = house.run(&airlines(sinks)).await.unwrap_err();
    assert!(matches!(error, RunError::Write { .. }), "{error}");
    assert_eq!(house.visible("good") + house.visible("bad"), 0);
    assert!(
        house
            .catalog
            .list_databases()
            .await
            .unwrap()
            .iter()
            .all(|d| d.name != "lake")
    );
}

#[tokio::test]
async fn a_run_that_is_stopped_changes_nothing() {
    let house = House::new().await;
    let text = airlines("sinks: {frame: airlines, path: '${out}/a', table: lake.a}\n");
    let prepared = house.prepare(&text).await.unwrap();
    let error = prepared
        .run(&*house.catalog, None, std::future::ready(()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("stopped"), "{error}");
    assert_eq!(house.visible("a"), 0);
}

#[tokio::test]
async fn sinks_that_do_not_fit_the_catalog() {
    let house = House::new().await;
    house
        .run(&airlines(&BY_LETTER.replace("MODE", "overwrite")))
        .await
        .unwrap();
    let cases = [
        (
            "other_place",
            "sinks: [{frame: airlines, path: '${out}/elsewhere', table: lake.airlines}]\n",
        ),
        (
            "other_keys",
            "sinks: [{frame: airlines, path: '${out}/airlines', table: lake.airlines}]\n",
        ),
        (
            "options",
            "sinks: [{frame: airlines, path: '${out}/o', options: {compresion: zstd}}, {frame: airlines, path: '${out}/p', format: csv, options: {delimiter: tab-ish}}]\n",
        ),
        (
            "no_table",
            "  x: lake.airline\nsinks: [{frame: x, path: '${out}/o'}]\n",
        ),
    ];
    for (name, rest) in cases {
        let said = house.prepare(&airlines(rest)).await.unwrap_err().render();
        let folder = house.folder.path().display().to_string();
        let said = said.replace(&folder, "TMP");
        let samples = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .display()
            .to_string();
        insta::assert_snapshot!(format!("catalog_{name}"), said.replace(&samples, "ROOT"));
    }
}

#[tokio::test]
async fn a_collection_is_written_in_one_go() {
    let house = House::new().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/lake/countries");
    let text = format!(
        "parameters: {{out: x}}
sources:
  countries: {{path: '{}'}}
frames:
  flat:
    - from: countries
    - select_fields: [cca3, name.common, borders, latlng]
    - relationalize: countries
sinks:
  - {{frame: flat, path: '${{out}}/flat', table: flat.t_}}
",
        file.display()
    );
    let report = house.run(&text).await.unwrap();
    let tables: Vec<_> = report
        .sinks
        .iter()
        .filter_map(|s| s.table.clone())
        .collect();
    assert_eq!(
        tables,
        [
            "flat.t_countries",
            "flat.t_countries_borders",
            "flat.t_countries_latlng"
        ]
    );
    // As many borders of a country as its record has (from the file, by Python: 649 in all, Germany's are nine).
    insta::assert_snapshot!(
        "collection_read_back",
        house
            .sql(
                "SELECT count(*) AS borders, count(DISTINCT c.cca3) AS countries,
                        count(CASE WHEN c.cca3 = 'DEU' THEN 1 END) AS of_germany
                 FROM flat.t_countries AS c JOIN flat.t_countries_borders AS b ON b.id = c.borders"
            )
            .await
    );
}

#[tokio::test]
async fn every_format_is_written_and_read_by_its_table() {
    let house = House::new().await;
    let typed = "frames:
  out:
    - from: airlines
    - map:
        small: 'arrow_cast(length(name), ''Int8'')'
        big: 'arrow_cast(length(name), ''UInt64'')'
        price: 'CAST(length(name) AS decimal(9,2)) / 4'
        day: CAST('2013-01-31' AS date)
        time: 'arrow_cast(''2013-01-31T10:00:00.25'', ''Timestamp(Nanosecond, None)'')'
        odd: concat(chr(60), chr(38), chr(34), carrier, chr(59))
        none: CAST(NULL AS double)
";
    let mut seen = Vec::new();
    for (format, options) in [
        ("parquet", "{compression: lz4}"),
        (
            "csv",
            "{quoteChar: '-1', separator: ';', escaper: '^', compression: xz}",
        ),
        (
            "csv",
            "{escape: '^', compression_level: 9, compression: gzip}",
        ),
        ("json", "{compression: lz4, target_file_rows: 5}"),
        ("avro", "{compression: deflate, single_file: true}"),
        ("xml", "{rowTag: airline, compression: snappy}"),
    ] {
        let sink = format!(
            "{typed}sinks:\n  - {{frame: out, path: '${{out}}/t', format: {format}, options: {options}, mode: overwrite, table: lake.t}}\n"
        );
        house.run(&airlines(&sink)).await.unwrap();
        let rows = house
            .sql("SELECT carrier, name, small + 1 AS small, big, price, day, time, odd, none FROM lake.t ORDER BY carrier")
            .await;
        seen.push((format, rows));
    }
    for (format, rows) in &seen {
        assert_eq!(rows, &seen[0].1, "{format}");
    }
    assert!(
        seen[0].1.contains("2013-01-31T10:00:00.250"),
        "{}",
        seen[0].1
    );
}

#[tokio::test]
async fn columns_that_a_format_cannot_hold_are_told_before_the_run() {
    let house = House::new().await;
    for (format, says) in [
        ("avro", "has no name that Avro can hold"),
        ("xml", "rename it, to 'a_b' for one"),
    ] {
        let text = airlines(&format!(
            "frames:\n  out:\n    - from: airlines\n    - rename_field: {{name: a b}}\nsinks: [{{frame: out, path: '${{out}}/o', format: {format}}}]\n"
        ));
        let told = house.prepare(&text).await.unwrap_err().render();
        assert!(told.contains(says), "{told}");
        assert!(told.contains("job.yaml:"), "{told}");
    }
}

#[tokio::test]
async fn sources_of_files_are_read_with_options() {
    let house = House::new().await;
    let folder = house.folder.path().join("in");
    std::fs::create_dir_all(folder.join("more")).unwrap();
    for (name, text) in [
        ("a.csv", "id\tname\n1\tx\n?\ty,z\n"),
        ("b.csv", "id\tname\n3\tw\n"),
        ("notes.tmp", "no table at all"),
        ("more/c.csv", "id\tname\n4\tv\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let given = "format: csv, options: {separator: \"\\t\", withHeader: true, names: [n, t], nulls: ['?'], exclusions: ['*.tmp'], recurse: false, groupFiles: inPartition}";
    let text = format!(
        "parameters: {{out: x}}\nsources:\n  s: {{path: '${{out}}/in', {given}}}\nsinks: [{{frame: s, path: '${{out}}/o', table: lake.o, mode: overwrite}}]\n"
    );
    house.run(&text).await.unwrap();
    let rows = house.sql("SELECT n, t FROM lake.o ORDER BY t").await;
    let cells: Vec<&str> = rows.lines().filter(|l| l.starts_with("| ")).collect();
    assert_eq!(
        cells,
        ["| n | t   |", "| 3 | w   |", "| 1 | x   |", "|   | y,z |"]
    );

    for (options, says) in [
        (
            "{path: '${out}/in', format: csv, options: {seperator: ','}}",
            "csv has no option 'seperator'; did you mean 'separator'?",
        ),
        (
            "{path: '${out}/in', options: {rowTag: a}}",
            "write format: xml",
        ),
        ("{path: '${out}/in', format: cvs}", "did you mean 'csv'?"),
        ("{path: '${out}/in', format: json}", "and json was expected"),
    ] {
        let text = format!(
            "parameters: {{out: x}}\nsources:\n  s: {options}\nsinks: [{{frame: s, path: '${{out}}/o'}}]\n"
        );
        let told = house.prepare(&text).await.unwrap_err().render();
        assert!(told.contains(says), "{told}");
        assert!(told.contains("job.yaml:3:"), "{told}");
    }
}
