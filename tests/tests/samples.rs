//! The samples, and the command that shows them. The numbers are from the packages that the samples are made of
//! (samples/README.md), counted with R, pandas and DuckDB, not with Mastic; tests/slt/samples.slt has more of them.

use mastic_tests::{Lake, Output, repository, snapshot};

fn samples() -> String {
    repository().join("samples").display().to_string()
}

#[test]
fn the_lake_is_eight_tables() {
    let lake = Lake::new();
    let folder = format!("{}/lake", samples());
    let output = lake.ok([
        "crawl",
        &folder,
        "--database",
        "demo",
        "--explain",
        "-o",
        "csv",
    ]);
    snapshot!(lake, "crawled", output);
    let sql = |query: &str| {
        let answer = lake.sql(query);
        answer.split_once('\n').unwrap().1.trim_end().to_owned()
    };
    assert_eq!(
        sql("SELECT count(*), sum(distance) FROM demo.flights"),
        "336776,350217607"
    );
    assert_eq!(
        sql("SELECT origin, count(*) FROM demo.flights GROUP BY origin ORDER BY origin"),
        "EWR,120835\nJFK,111279\nLGA,104662"
    );
    assert_eq!(
        sql("SELECT count(*), count(*) - count(year) FROM demo.planes"),
        "3322,70"
    );
    assert_eq!(sql("SELECT count(*) FROM demo.weather"), "26115");
    assert_eq!(sql("SELECT count(*) FROM demo.airlines"), "16");
    assert_eq!(sql("SELECT count(*) FROM demo.airports"), "1458");
    assert_eq!(sql("SELECT count(*) FROM demo.countries"), "250");
    assert_eq!(sql("SELECT count(*) FROM demo.countries_xml"), "250");
    assert_eq!(sql("SELECT count(*) FROM demo.movies"), "3201");
    assert_eq!(
        sql("SELECT count(*) FROM demo.movies WHERE regexp_like(title, '^[0-9]+$')"),
        "9"
    );
    let before = lake.catalog();
    let again = lake.ok(["crawl", &folder, "--database", "demo", "-o", "csv"]);
    assert_eq!(again.stdout.matches(",unchanged,1,").count(), 8, "{again}");
    assert_eq!(lake.catalog(), before);
}

#[test]
fn the_demo_goes_the_whole_way() {
    let lake = Lake::new();
    let demo = |lake: &Lake| -> Output { lake.ok(["demo", "--samples", &samples()]) };
    let output = demo(&lake);
    // Each step is shown with the command that does the same, and its outcome.
    for step in [
        format!(
            "$ mastic crawl {}/lake --database demo --explain",
            samples()
        ),
        format!("$ mastic run {}/scripts/flights_enriched.yaml", samples()),
        format!("$ mastic run {}/scripts/countries_flat.yaml", samples()),
        format!("$ mastic run {}/scripts/delays_by_carrier.yaml", samples()),
        format!(
            "$ mastic run {}/scripts/join_and_relationalize.yaml",
            samples()
        ),
        format!("$ mastic run {}/scripts/resolve_choice.yaml", samples()),
        format!("$ mastic run {}/scripts/data_cleaning.yaml", samples()),
        "$ mastic sql '".into(),
        "= 328,521 written".into(),
    ] {
        assert!(output.stderr.contains(&step), "{step}\n{output}");
    }
    for table in [
        "demo.flights ",
        "demo.flights_enriched",
        "demo.countries_flat",
        "percent_late",
    ] {
        assert!(output.stdout.contains(table), "{table}\n{output}");
    }
    let rows = |query: &str| {
        lake.sql(query)
            .lines()
            .skip(1)
            .collect::<Vec<_>>()
            .join("\n")
    };
    // 336,776 flights, of which 8,255 never took off.
    assert_eq!(rows("SELECT count(*) FROM demo.flights_enriched"), "328521");
    assert_eq!(rows("SELECT count(*) FROM demo.countries_flat"), "250");
    // What the samples are is as it was.
    assert_eq!(rows("SELECT count(*) FROM demo.flights"), "336776");
    // Twice is as good as once.
    demo(&lake);
    assert_eq!(rows("SELECT count(*) FROM demo.flights_enriched"), "328521");
    // It says what to type next, last.
    assert!(
        output
            .stderr
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("next: "),
        "{output}"
    );
}

#[test]
fn the_demo_without_its_samples() {
    let lake = Lake::new();
    snapshot!(lake, lake.fails(["demo"], "samples"));
    assert!(lake.names("").is_empty());
}
