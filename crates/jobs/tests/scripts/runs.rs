//! Runs from script to files and catalog, and back by SQL.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use mastic_catalog::{CatalogStore, OpenMode, RunState, TableOutcome};
use mastic_jobs::{
    BookmarkMode, JobError, JobOptions, Prepared, Report, RunError, Script, ScriptErrors, Source,
    plan, run_job,
};
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

    async fn job(&self, text: &str, bookmarks: BookmarkMode) -> Result<Report, JobError> {
        let given = [("out".to_owned(), self.folder.path().display().to_string())];
        let script = Script::parse(&Source::new("job.yaml", text), &given)?;
        let options = JobOptions {
            bookmarks,
            ..JobOptions::default()
        };
        let session = self.session().await;
        let stop = std::future::pending();
        let (_, report) = run_job(&script, &session, &self.stores, &options, stop).await?;
        Ok(report)
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

/// A column whose values disagree in type, as a source with a sink.
fn mixed(house: &House, records: &str, steps: &str) -> String {
    std::fs::write(house.folder.path().join("in.json"), records).unwrap();
    format!(
        "parameters: {{out: x}}\nsources:\n  mixed: {{path: '${{out}}/in.json'}}\nframes:\n  out:\n    - from: mixed\n{steps}sinks:\n  - {{frame: out, path: '${{out}}/out', mode: overwrite}}\n"
    )
}

#[tokio::test]
async fn what_a_cast_loses_is_counted() {
    let house = House::new().await;
    let records = "{\"n\": 1, \"a\": [{\"b\": 1}, {\"b\": \"x\"}]}\n{\"n\": \"n/a\", \"a\": []}\n{\"n\": \"7\"}\n{}\n";
    let text = mixed(
        &house,
        records,
        "    - resolve_choice: {n: 'cast:long', 'a[].b': 'cast:long'}\n",
    );
    let report = house.run(&text).await.unwrap();
    let step = report.steps.last().unwrap();
    assert_eq!((step.rows_in, step.rows_out), (4, 4));
    let casts: Vec<_> = step
        .casts
        .iter()
        .map(|c| (c.path.as_str(), c.kept, c.lost))
        .collect();
    assert_eq!(casts, [("a[].b", 1, 1), ("n", 2, 1)]);
    let summary = report.summary();
    assert_eq!(summary["Steps"][1]["Casts"][1]["Lost"], 1);
    // All choices at once are counted, too; what cannot fail is not.
    let all = mixed(&house, records, "    - resolve_choice: cast:long\n");
    let report = house.run(&all).await.unwrap();
    assert_eq!(report.steps.last().unwrap().casts.len(), 2);
    let text = mixed(&house, records, "    - resolve_choice: cast:string\n");
    assert_eq!(house.run(&text).await.unwrap().steps.len(), 1);
}

#[tokio::test]
async fn a_cast_that_fails_for_every_value_is_a_mistake() {
    let house = House::new().await;
    let records = "{\"n\": true, \"s\": \"a\"}\n{\"n\": \"n/a\", \"s\": null}\n{}\n";
    let steps = "    - resolve_choice: {n: 'cast:date'}\n";
    let error = house.run(&mixed(&house, records, steps)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "out: 2 resolve_choice: cast:date could take none of the 2 values of 'n': 'true' in field n is no date"
    );
    assert_eq!(house.visible("out"), 0);
    // Where a filter leaves one that can be cast, or none, it is none.
    for condition in ["n is null", "s is null and n is null"] {
        let steps = format!("    - filter: {condition}\n{steps}");
        house.run(&mixed(&house, records, &steps)).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_planned_is_a_run_that_failed() {
    let house = House::new().await;
    let text = airlines("sinks:\n  - {frame: airlines, path: '${out}/a', partition_by: nothing}\n");
    let error = house.job(&text, BookmarkMode::Enable).await.unwrap_err();
    let runs = house.catalog.list_runs(Some("job"), 5).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].job_run_state, RunState::Failed);
    assert_eq!(runs[0].error_message, Some(error.to_string()));
}

#[tokio::test]
async fn overwriting_is_refused_only_where_bookmarks_are_in_use() {
    let house = House::new().await;
    let text = airlines("sinks:\n  - {frame: airlines, path: '${out}/a', mode: overwrite}\n");
    let text = text.replace("airlines.json'}", "airlines.json', bookmark: true}");
    for bookmarks in [BookmarkMode::Enable, BookmarkMode::Pause] {
        let error = house.job(&text, bookmarks).await.unwrap_err();
        assert!(error.to_string().contains("would replace"), "{error}");
    }
    let report = house.job(&text, BookmarkMode::Disable).await.unwrap();
    assert_eq!(report.sinks[0].written.rows, 16);
}

#[tokio::test]
async fn choices_that_were_not_resolved_are_plain_values_in_text() {
    let house = House::new().await;
    let records =
        "{\"n\": 1, \"a\": [{\"b\": 1}, {\"b\": \"x\"}]}\n{\"n\": \"n/a\", \"a\": []}\n{}\n";
    let script = |format: &str, mode: &str| {
        let steps = match format {
            "csv" => "    - select_fields: n\n",
            _ => "    - filter: \"true\"\n",
        };
        let steps = mixed(&house, records, steps);
        let (head, _) = steps.split_once("sinks:").unwrap();
        format!(
            "{head}sinks:\n  - {{frame: out, path: '${{out}}/{format}', format: {format}, mode: {mode}, table: lake.t_{format}}}\n"
        )
    };
    house.run(&script("json", "overwrite")).await.unwrap();
    house.run(&script("csv", "overwrite")).await.unwrap();
    let read = |folder: &str| {
        let files = std::fs::read_dir(house.folder.path().join(folder)).unwrap();
        let files = files.flatten().filter(|f| f.path().is_file());
        let mut lines: Vec<String> = files
            .flat_map(|f| {
                let text = std::fs::read_to_string(f.path()).unwrap();
                text.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(
        read("json"),
        [
            "{\"n\":\"n/a\",\"a\":[]}",
            "{\"n\":1,\"a\":[{\"b\":1},{\"b\":\"x\"}]}",
            "{}"
        ]
    );
    assert_eq!(read("csv"), ["\"\"", "1", "n", "n/a"]);
    // As a crawl would have it: the type that holds all, and beside it the choice. It stays where rows are added.
    for _ in 0..2 {
        let table = house.catalog.get_table("lake", "t_json").await.unwrap();
        let told: Vec<_> = table
            .columns()
            .iter()
            .map(|c| {
                let chosen = c.parameters.get("mastic.choice").map(String::as_str);
                (
                    c.name.clone(),
                    c.hive_type().to_owned(),
                    chosen.unwrap_or_default().to_owned(),
                )
            })
            .collect();
        let own = |n: &str, t: &str, c: &str| (n.to_owned(), t.to_owned(), c.to_owned());
        assert_eq!(
            told,
            [
                own("n", "string", "choice<bigint,string>"),
                own(
                    "a",
                    "array<struct<b:string>>",
                    "array<struct<b:choice<bigint,string>>>"
                )
            ]
        );
        house.run(&script("json", "append")).await.unwrap();
    }
    let counted = house.sql("SELECT count(n) AS n FROM lake.t_json").await;
    assert!(counted.contains("| 6 |"), "{counted}");
}

/// The files of a folder below the house's, with what tells them from others of their names.
fn stamps(
    house: &House,
    folder: &str,
) -> std::collections::BTreeMap<String, std::time::SystemTime> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![house.folder.path().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with('_') {
                continue;
            }
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    let at = entry.metadata().unwrap().modified().unwrap();
                    found.insert(entry.path().display().to_string(), at);
                }
            }
        }
    }
    found
}

fn upsert(house: &House, records: &str, rest: &str, mode: &str) -> String {
    std::fs::write(house.folder.path().join("new.json"), records).unwrap();
    format!(
        "parameters: {{out: x}}\nsources:\n  new: {{path: '${{out}}/new.json'}}\nsinks:\n  - {{frame: new, path: '${{out}}/t', {mode}{rest}}}\n"
    )
}

#[tokio::test]
async fn an_upsert_rewrites_only_files_that_hold_what_it_replaces() {
    for (format, partitioned) in [
        ("parquet", false),
        ("parquet", true),
        ("orc", false),
        ("avro", true),
        ("json", false),
        ("json", true),
    ] {
        let house = House::new().await;
        let mut rest = format!(", format: {format}, table: lake.t");
        if partitioned {
            rest.push_str(", partition_by: p");
        }
        // Three files, each of a run.
        for (from, p) in [(0, "a b"), (10, "50%/x"), (20, "a b")] {
            let rows: String = (from..from + 10)
                .map(|k| format!("{{\"k\": {k}, \"v\": \"old\", \"p\": \"{p}\"}}\n"))
                .collect();
            house
                .run(&upsert(&house, &rows, &rest, "mode: append"))
                .await
                .unwrap();
        }
        let before = stamps(&house, "t");
        assert_eq!(before.len(), 3, "{format}");
        let new = "{\"k\": 12, \"v\": \"new\", \"p\": \"c\"}\n{\"k\": 99, \"v\": \"new\", \"p\": \"a b\"}\n{\"k\": null, \"v\": \"new\", \"p\": \"c\"}\n";
        let text = upsert(&house, new, &rest, "mode: upsert, key: k");
        let report = house
            .run(&text)
            .await
            .unwrap_or_else(|e| panic!("{format}: {e}"));
        assert_eq!(report.sinks[0].written.replaced.len(), 1, "{format}");
        // 10 read of the one file and 3 new ones; one is replaced.
        assert_eq!(report.sinks[0].written.rows, 12, "{format}");
        assert_eq!(
            (
                report.totals.read,
                report.totals.dropped,
                report.totals.written
            ),
            (13, 1, 12),
            "{format}"
        );
        let after = stamps(&house, "t");
        let kept = before
            .iter()
            .filter(|(name, at)| after.get(*name) == Some(at));
        assert_eq!(kept.count(), 2, "{format}");
        let counted = "SELECT count(*) AS n, count(k) AS k, sum(k) AS s, count(DISTINCT k) AS d, count(CASE WHEN v = 'new' THEN 1 END) AS new FROM lake.t";
        // 0 to 29 are 435; 12 is replaced by itself, 99 is new.
        let answer = house.sql(counted).await;
        assert!(
            answer.contains("| 32 | 31 | 534 | 31 | 3   |"),
            "{format}: {answer}"
        );
        // Keys that are nowhere replace nothing.
        let text = upsert(
            &house,
            "{\"k\": 500, \"v\": \"new\", \"p\": \"c\"}\n",
            &rest,
            "mode: upsert, key: k",
        );
        let report = house.run(&text).await.unwrap();
        assert_eq!(
            (report.sinks[0].written.replaced.len(), report.totals.read),
            (0, 1)
        );
    }
}

#[tokio::test]
async fn an_upsert_into_other_files_writes_all_of_them_again() {
    let old = "{\"k\": 1, \"v\": \"old\"}\n{\"k\": 2, \"v\": \"old\"}\n";
    for format in ["csv", "json"] {
        let house = House::new().await;
        let rest = format!(", format: {format}");
        house
            .run(&upsert(&house, old, &rest, "mode: overwrite"))
            .await
            .unwrap();
        let new = "{\"k\": 2, \"v\": \"new\"}\n";
        let text = upsert(
            &house,
            new,
            ", format: parquet, table: lake.t",
            "mode: upsert, key: k",
        );
        let report = house.run(&text).await.unwrap();
        assert_eq!(report.sinks[0].written.rows, 2, "{format}");
        let answer = house
            .sql("SELECT min(v) AS a, max(v) AS b FROM lake.t")
            .await;
        assert!(answer.contains("| new | old |"), "{answer}");
    }
}
