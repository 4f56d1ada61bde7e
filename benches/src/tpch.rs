//! The 22 TPC-H queries over crawled Parquet tables.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Outcome, compare,
    measure::{self, Figures},
    python,
    report::{Report, Run, WRONG, order},
    setting::{Setting, Who, package_file},
    tpch_data,
};

const BENCH: &str = "tpch";
const DATABASE: &str = "tpch";

/// The benchmark.
pub(crate) fn run(setting: &Setting, report: &mut Report, scale: f64, only: &[u8]) -> Outcome<()> {
    let numbers: Vec<u8> = if only.is_empty() {
        (1..=22).collect()
    } else {
        only.to_vec()
    };
    if let Some(wrong) = numbers.iter().find(|n| !(1..=22).contains(*n)) {
        return Err(format!("TPC-H has queries 1 to 22, not {wrong}").into());
    }
    let data = tpch_data::parquet(setting, scale)?;
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let catalog = scratch.path().join("catalog.db");
    if setting.who.contains(&Who::Mastic) {
        crawl(setting, &data, &catalog)?;
    }

    let tasks: Vec<String> = numbers.iter().map(|n| format!("q{n:02}")).collect();
    let answer = |task: &str, who: Who| scratch.path().join(format!("{task}.{}.csv", who.name()));
    for task in &tasks {
        fs::write(
            scratch.path().join(format!("{task}.sql")),
            query(&format!("queries/{task}.sql"), scale)?,
        )?;
    }
    for round in 0..setting.runs {
        for task in &tasks {
            for who in order(&setting.who, round) {
                if report.has_failed(BENCH, task, who) {
                    continue;
                }
                let sql = scratch.path().join(format!("{task}.sql"));
                let out = answer(task, who);
                let run = match who {
                    Who::Mastic => Run::mastic(BENCH, task, mastic(setting, &sql, &catalog, &out)?),
                    Who::DuckDb | Who::Polars | Who::Splink => Run::peer(
                        BENCH,
                        task,
                        who,
                        &python::run(setting, "sql", who, &[&sql, &data, &out])?,
                    ),
                };
                report.add(run)?;
            }
        }
    }

    // DuckDB's answers are the reference.
    for task in &tasks {
        for who in [Who::Mastic, Who::Polars] {
            let both = [who, Who::DuckDb];
            if both
                .iter()
                .any(|w| !setting.who.contains(w) || report.has_failed(BENCH, task, *w))
            {
                continue;
            }
            match compare::csv_files(&answer(task, who), &answer(task, Who::DuckDb))? {
                None => {}
                Some(what) if who == Who::Mastic => report.wrong(BENCH, task, &what),
                Some(what) => report.note(BENCH, task, who, &format!("{WRONG}: {what}")),
            }
        }
    }
    report.table(
        BENCH,
        &format!("tpch: queries at scale {scale} over crawled Parquet"),
        &tasks,
    )?;
    report.totals(BENCH, &tasks)
}

/// A query of this package, with what depends on the scale filled in.
fn query(name: &str, scale: f64) -> Outcome<String> {
    let path: PathBuf = package_file(name);
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text.replace("@FRACTION@", &format!("{:.10}", 0.0001 / scale)))
}

fn crawl(setting: &Setting, data: &Path, catalog: &Path) -> Outcome<()> {
    let args: [OsString; 6] = [
        "crawl".into(),
        data.into(),
        "--database".into(),
        DATABASE.into(),
        "--catalog".into(),
        catalog.into(),
    ];
    let Figures { wall, error, .. } =
        measure::run(&setting.mastic, &args, &setting.work, None, setting.limits)?;
    match error {
        Some(error) => Err(format!("mastic crawl {}: {error}", data.display()).into()),
        None => {
            eprintln!("{BENCH} crawl · mastic · {wall:.3} s");
            Ok(())
        }
    }
}

fn mastic(setting: &Setting, sql: &Path, catalog: &Path, out: &Path) -> Outcome<Figures> {
    let args: [OsString; 9] = [
        "sql".into(),
        "-f".into(),
        sql.into(),
        "--database".into(),
        DATABASE.into(),
        "--output".into(),
        "csv".into(),
        "--catalog".into(),
        catalog.into(),
    ];
    measure::run(
        &setting.mastic,
        &args,
        &setting.work,
        Some(out),
        setting.limits,
    )
}
