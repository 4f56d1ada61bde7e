//! Crawling a lake of small files, and crawling it again unchanged.
//!
//! The peers keep no catalog: they are asked for the schema of all files of each half, with whatever option of theirs
//! makes it the schema of *all* files. The whole lake is, for them, the sum of the halves, and nothing is cheaper the
//! second time.

use std::{ffi::OsString, fs, path::Path};

use serde_json::Value;

use crate::{
    Outcome, compare,
    lake::{self, Lake},
    measure::{self, Figures},
    python::{self, Said},
    report::{Report, Run, WRONG, order},
    setting::{Setting, Who},
};

const BENCH: &str = "crawl";
const CSV: &str = "readings (CSV)";
const JSON: &str = "events (JSON)";
const WHOLE: &str = "whole lake";
const AGAIN: &str = "whole lake, unchanged";

/// The benchmark.
pub(crate) fn run(setting: &Setting, report: &mut Report, files: usize) -> Outcome<()> {
    if files < 4 {
        return Err("a lake needs 4 files at least".into());
    }
    let lake = setting.data(&format!("lake-{files}"), |dir| {
        lake::make(dir, files).map(|_| ())
    })?;
    let facts = lake::describe(files)?;
    for round in 0..setting.runs {
        for who in order(&setting.who, round) {
            match who {
                Who::Mastic => mastic(setting, report, &lake, &facts)?,
                Who::DuckDb | Who::Polars | Who::Splink => peer(setting, report, &lake, who)?,
            }
        }
    }
    let title = format!(
        "crawl: {} files, half JSON lines, half CSV, with drift",
        facts.per_half * 2
    );
    report.table(BENCH, &title, &[CSV, JSON, WHOLE, AGAIN].map(str::to_owned))
}

fn mastic(setting: &Setting, report: &mut Report, lake: &Path, facts: &Lake) -> Outcome<()> {
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let crawl = |dir: &Path, catalog: &str| -> Outcome<Figures> {
        let catalog = scratch.path().join(catalog);
        let args: [OsString; 6] = [
            "crawl".into(),
            dir.into(),
            "--database".into(),
            "bench".into(),
            "--catalog".into(),
            catalog.into(),
        ];
        measure::run(&setting.mastic, &args, scratch.path(), None, setting.limits)
    };
    let tasks = [
        (CSV, lake.join("readings"), "csv.db"),
        (JSON, lake.join("events"), "json.db"),
        (WHOLE, lake.to_owned(), "whole.db"),
        (AGAIN, lake.to_owned(), "whole.db"),
    ];
    for (task, dir, catalog) in tasks {
        if !report.has_failed(BENCH, task, Who::Mastic) {
            report.add(Run::mastic(BENCH, task, crawl(&dir, catalog)?))?;
        }
    }
    if report.has_failed(BENCH, WHOLE, Who::Mastic) {
        return Ok(());
    }

    let query = scratch.path().join("check.sql");
    fs::write(
        &query,
        "select e.n as events, e.firmware, r.n as readings, r.total from \
         (select count(*) as n, count(firmware) as firmware from events) e, \
         (select count(*) as n, sum(value) as total from readings) r\n",
    )?;
    let expected = scratch.path().join("expected.csv");
    let total = facts.thousandths as f64 / 1000.0;
    fs::write(
        &expected,
        format!(
            "events,firmware,readings,total\n{0},{1},{0},{total}\n",
            facts.records, facts.with_firmware
        ),
    )?;
    let answer = scratch.path().join("answer.csv");
    let args: [OsString; 9] = [
        "sql".into(),
        "-f".into(),
        query.into(),
        "--database".into(),
        "bench".into(),
        "--output".into(),
        "csv".into(),
        "--catalog".into(),
        scratch.path().join("whole.db").into(),
    ];
    let figures = measure::run(
        &setting.mastic,
        &args,
        scratch.path(),
        Some(&answer),
        setting.limits,
    )?;
    let difference = match figures.error {
        Some(error) => Some(error),
        None => compare::csv_files(&answer, &expected)?,
    };
    if let Some(difference) = difference {
        report.wrong(
            BENCH,
            WHOLE,
            &format!("a query over the crawled tables: {difference}"),
        );
    }
    Ok(())
}

fn peer(setting: &Setting, report: &mut Report, lake: &Path, who: Who) -> Outcome<()> {
    let mut both: Vec<Said> = Vec::new();
    for (task, folder, format) in [(CSV, "readings", "csv"), (JSON, "events", "json")] {
        if report.has_failed(BENCH, task, who) {
            return Ok(());
        }
        let said = python::run(
            setting,
            "crawl",
            who,
            &[Path::new(format), &lake.join(folder)],
        )?;
        let mut run = Run::peer(BENCH, task, who, &said);
        if said.figures.error.is_none() {
            run.note = match missed(format, &said.answer) {
                note if note.is_empty() && who == Who::DuckDb && format == "json" => {
                    "memory_limit raised".to_owned()
                }
                note => note,
            };
        }
        report.add(run)?;
        both.push(said);
    }
    let [csv, json] = both.as_slice() else {
        return Ok(());
    };
    let sum = Said {
        figures: Figures {
            wall: csv.figures.wall + json.figures.wall,
            cpu: csv.figures.cpu + json.figures.cpu,
            peak_bytes: csv.figures.peak_bytes.max(json.figures.peak_bytes),
            error: csv
                .figures
                .error
                .clone()
                .or_else(|| json.figures.error.clone()),
        },
        inside: csv.inside.zip(json.inside).map(|(a, b)| a + b),
        answer: Value::Null,
    };
    for task in [WHOLE, AGAIN] {
        let mut run = Run::peer(BENCH, task, who, &sum);
        "sum of the halves".clone_into(&mut run.note);
        report.add_quietly(run)?;
    }
    Ok(())
}

/// What a peer's schema lacks of what is in the files.
fn missed(format: &str, schema: &Value) -> String {
    let kind = |column: &str| schema[column].as_str().unwrap_or("missing").to_lowercase();
    match format {
        "csv"
            if !["double", "float", "decimal"]
                .iter()
                .any(|t| kind("value").contains(t)) =>
        {
            format!(
                "{WRONG}: `value` is {}, and half the files have decimals",
                kind("value")
            )
        }
        "json" if kind("firmware") == "missing" => {
            format!("{WRONG}: no `firmware`, which half the files have")
        }
        "json" if kind("year") == "missing" => "no partition columns".to_owned(),
        _ => String::new(),
    }
}
