//! The tutorials in samples/scripts: join and relationalize, resolve choice, data cleaning.
//!
//! Expected values were counted in the source files by Python (`json`, `csv` and `gzip` of its standard library), not by
//! Mastic.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use mastic_tests::{Lake, repository};
use serde_json::Value;

const SCRIPTS: [&str; 3] = ["join_and_relationalize", "resolve_choice", "data_cleaning"];

/// A crawl of the samples, and what each tutorial's run told.
fn done() -> &'static (Lake, BTreeMap<&'static str, Value>) {
    static DONE: OnceLock<(Lake, BTreeMap<&'static str, Value>)> = OnceLock::new();
    DONE.get_or_init(|| {
        let lake = Lake::at(concat!(env!("CARGO_TARGET_TMPDIR"), "/tutorials"));
        let samples = repository().join("samples");
        let folder = samples.join("lake").display().to_string();
        lake.ok(["crawl", &folder, "--database", "demo"]);
        let run = |name| {
            let script = samples.join("scripts").join(format!("{name}.yaml"));
            let output = lake.ok(["run", script.to_str().unwrap(), "-o", "json"]);
            (name, serde_json::from_str(&output.stdout).unwrap())
        };
        let told = SCRIPTS.map(run).into();
        (lake, told)
    })
}

/// The rows of an answer, without their header.
#[track_caller]
fn rows(query: &str) -> String {
    let answer = done().0.sql(query);
    answer.split_once('\n').unwrap().1.trim_end().to_owned()
}

fn told(script: &str) -> &'static Value {
    &done().1[script]
}

/// How many rows each table got.
fn written(script: &str) -> Vec<(&'static str, u64)> {
    let sinks = told(script)["Sinks"].as_array().unwrap();
    sinks
        .iter()
        .map(|s| (s["Table"].as_str().unwrap(), s["Rows"].as_u64().unwrap()))
        .collect()
}

#[track_caller]
fn adds_up(script: &str) {
    let of = |name: &str| told(script)["Totals"][name].as_i64().unwrap();
    assert_eq!(
        of("Read") + of("Made") + of("Shared"),
        of("Written") + of("Dropped") + of("Errors"),
        "{}",
        told(script)["Totals"]
    );
}

#[test]
fn countries_are_four_tables_and_their_neighbours() {
    assert_eq!(
        written("join_and_relationalize"),
        [
            ("demo.world_countries", 250),
            ("demo.world_countries_currencies", 275),
            ("demo.world_countries_languages", 412),
            ("demo.world_countries_borders", 649),
            ("demo.world_neighbours", 649),
        ]
    );
    adds_up("join_and_relationalize");
    // No table has anything nested in it.
    let lake = &done().0;
    for (table, _) in written("join_and_relationalize") {
        for column in lake.columns(table) {
            assert!(!column.contains('<'), "{table}: {column}");
        }
    }
}

#[test]
fn the_ids_of_countries_join_their_tables_back() {
    // Their currencies are a list without anything in it.
    assert_eq!(
        rows("SELECT name FROM demo.world_countries WHERE currencies IS NULL ORDER BY name"),
        "Antarctica\nBouvet Island\nHeard Island and McDonald Islands\nMicronesia"
    );
    assert_eq!(
        rows(
            "SELECT count(DISTINCT currencies), count(DISTINCT languages), count(DISTINCT borders) \
             FROM demo.world_countries"
        ),
        "246,250,250"
    );
    let joined = |what: &str| {
        format!("demo.world_countries c JOIN demo.world_countries_{what} x ON x.id = c.{what}")
    };
    let (currencies, languages, borders) =
        (joined("currencies"), joined("languages"), joined("borders"));
    for (from, count) in [(&currencies, 275), (&languages, 412), (&borders, 649)] {
        let counted = rows(&format!("SELECT count(*) FROM {from}"));
        assert_eq!(counted, count.to_string(), "{from}");
    }
    assert_eq!(
        rows(&format!(
            "SELECT count(*), count(DISTINCT code) FROM {currencies} WHERE \"currencies.val.key\" = 'EUR'"
        )),
        "37,37"
    );
    assert_eq!(
        rows(&format!(
            "SELECT \"currencies.val.key\", \"currencies.val.value.name\", \"currencies.val.value.symbol\" \
             FROM {currencies} WHERE code = 'ZAF'"
        )),
        "ZAR,South African rand,R"
    );
    assert_eq!(
        rows(&format!(
            "SELECT \"languages.val.key\", \"languages.val.value\" FROM {languages} \
             WHERE code = 'CHE' ORDER BY 1"
        )),
        "fra,French\ngsw,Swiss German\nita,Italian\nroh,Romansh"
    );
    // 16 borders of China, counted from 0.
    assert_eq!(
        rows(&format!(
            "SELECT count(*), min(index), max(index) FROM {borders} WHERE code = 'CHN'"
        )),
        "16,0,15"
    );
    assert_eq!(
        rows("SELECT neighbour FROM demo.world_neighbours WHERE code = 'DEU' ORDER BY neighbour"),
        "Austria\nBelgium\nCzechia\nDenmark\nFrance\nLuxembourg\nNetherlands\nPoland\nSwitzerland"
    );
    // Who borders on whom; one country's list lacks a neighbour that has it in its own.
    assert_eq!(
        rows(
            "SELECT count(*) FROM demo.world_neighbours a LEFT JOIN demo.world_neighbours b \
             ON a.code = b.neighbour_code AND a.neighbour_code = b.code WHERE b.code IS NULL"
        ),
        "1"
    );
    assert_eq!(
        rows("SELECT count(DISTINCT code) FROM demo.world_neighbours"),
        // 85 of 250 have none.
        "165"
    );
}

#[test]
fn the_films_whose_titles_are_numbers_in_every_resolution() {
    assert_eq!(
        written("resolve_choice"),
        [
            ("demo.films_cast", 3_201),
            ("demo.films_project", 9),
            ("demo.films_make_cols", 3_201),
            ("demo.films_make_struct", 3_201),
            ("demo.films_match_catalog", 3_201),
            ("demo.currencies", 250),
        ]
    );
    adds_up("resolve_choice");
    let numbers = "9\n21\n54\n300\n1408\n1776\n1941\n2012\n2046";
    assert_eq!(
        rows("SELECT title FROM demo.films_project ORDER BY title"),
        numbers
    );
    assert_eq!(rows("SELECT sum(title) FROM demo.films_project"), "9567");
    assert_eq!(
        rows("SELECT title_long FROM demo.films_make_cols WHERE title_long IS NOT NULL ORDER BY 1"),
        numbers
    );
    for table in ["films_cast", "films_match_catalog"] {
        assert_eq!(
            rows(&format!(
                "SELECT title FROM demo.{table} WHERE regexp_like(title, '^[0-9]+$') \
                 ORDER BY cast(title AS bigint)"
            )),
            numbers,
            "{table}"
        );
    }
    // One film has no title, in whichever form.
    for (table, titles) in [
        ("films_cast", "count(title)"),
        ("films_match_catalog", "count(title)"),
        ("films_make_cols", "count(title_long) + count(title_string)"),
        (
            "films_make_struct",
            "count(title['long']) + count(title['string'])",
        ),
    ] {
        assert_eq!(
            rows(&format!("SELECT {titles} FROM demo.{table}")),
            "3200",
            "{table}"
        );
    }
    let lake = &done().0;
    assert_eq!(lake.columns("demo.films_cast")[0], "title string");
    assert_eq!(lake.columns("demo.films_project")[0], "title bigint");
    assert_eq!(
        lake.columns("demo.films_make_cols")[..2],
        ["title_long bigint", "title_string string"]
    );
    assert_eq!(
        lake.columns("demo.films_make_struct")[0],
        "title struct<long:bigint,string:string>"
    );
    assert_eq!(lake.columns("demo.films_match_catalog")[0], "title string");
    // What is beside the title goes along.
    assert_eq!(
        rows("SELECT released, rating FROM demo.films_project WHERE title = 300"),
        "2007-03-09,7.8"
    );
}

#[test]
fn the_countries_whose_currencies_are_a_list() {
    let columns = done().0.columns("demo.currencies");
    assert_eq!(columns[0], "code string");
    assert!(
        columns
            .iter()
            .any(|c| c.starts_with("currencies_map map<string,"))
            && columns
                .iter()
                .any(|c| c == "currencies_array array<string>"),
        "{columns:?}"
    );
    assert_eq!(
        rows("SELECT code FROM demo.currencies WHERE currencies_array IS NOT NULL ORDER BY code"),
        "ATA\nBVT\nFSM\nHMD"
    );
    assert_eq!(
        rows(
            "SELECT count(*), sum(cardinality(currencies_map)) FROM demo.currencies \
             WHERE currencies_array IS NULL"
        ),
        "246,275"
    );
}

#[test]
fn flights_at_an_hour_that_no_day_has_are_set_aside() {
    adds_up("data_cleaning");
    let totals = &told("data_cleaning")["Totals"];
    for (name, count) in [
        ("Read", 80_789),
        ("Dropped", 2_643),
        ("Errors", 6),
        ("Written", 78_140),
        ("Made", 0),
        ("Shared", 0),
    ] {
        assert_eq!(totals[name], count, "{name}: {totals}");
    }
    assert_eq!(
        written("data_cleaning"),
        [("demo.flights_clean", 78_140), ("demo.flights_errors", 6)]
    );
    assert_eq!(
        rows(
            "SELECT sum(f.route['miles']), sum(f.delay['departure']), count(departed) FROM demo.flights_clean f"
        ),
        "79343460,891898,78140"
    );
    assert_eq!(
        rows("SELECT count(*) FROM demo.flights_clean WHERE date_part('hour', departed) = 5"),
        "1751"
    );
    // Where they lie, and which they are.
    let errors = rows(
        "SELECT regexp_replace(file, '^.*/', ''), line, step, regexp_like(record, 'N5|N6|N7') \
         FROM demo.flights_errors ORDER BY 1, 2",
    );
    let expected = [
        ("02", 6_079),
        ("02", 6_080),
        ("02", 9_383),
        ("03", 14_056),
        ("03", 20_609),
        ("03", 23_177),
    ]
    .map(|(month, line)| format!("flights_2013_{month}.csv.gz,{line},clean: 4 apply_mapping,true"));
    assert_eq!(errors, expected.join("\n"));
    let reason = rows(
        "SELECT DISTINCT regexp_replace(reason, '-[0-9]+ 24', '-DAY 24') FROM demo.flights_errors ORDER BY 1",
    );
    assert_eq!(
        reason,
        "'2013-02-DAY 24:00:00' in field departed is no timestamp\n\
         '2013-03-DAY 24:00:00' in field departed is no timestamp"
    );
}
