//! Nested JSON lines to flat tables in Parquet with zstd: `relationalize` beside DuckDB's `unnest`.

use std::{ffi::OsString, fs, path::Path};

use serde_json::Value;

use crate::{
    Outcome, compare,
    measure::{self, Figures},
    orders, python,
    report::{Report, Run, WRONG, order},
    setting::{Setting, Who, package_file},
};

const BENCH: &str = "relationalize";

/// The benchmark. Polars takes no part: it has no numbers for the keys of a stream.
pub(crate) fn run(setting: &Setting, report: &mut Report, scale: f64) -> Outcome<()> {
    let (json, truth) = orders::json(setting, scale)?;
    let task = format!("orders, {} MiB of JSON", fs::metadata(&json)?.len() >> 20);
    let who: Vec<Who> = setting
        .who
        .iter()
        .copied()
        .filter(|who| *who != Who::Polars)
        .collect();
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let target = |who: Who| scratch.path().join(who.name());
    for round in 0..setting.runs {
        for who in order(&who, round) {
            if report.has_failed(BENCH, &task, who) {
                continue;
            }
            let out = target(who);
            if out.exists() {
                fs::remove_dir_all(&out)?;
            }
            let run = match who {
                Who::Mastic => {
                    let values = [("json", json.as_path()), ("out", out.as_path())];
                    let script = "scripts/relationalize.yaml";
                    Run::mastic(BENCH, &task, script_run(setting, script, &values)?)
                }
                Who::DuckDb | Who::Polars | Who::Splink => {
                    let said = python::run(setting, "relationalize", who, &[&json, &out])?;
                    Run::peer(BENCH, &task, who, &said)
                }
            };
            report.add(run)?;
        }
    }

    let mut columns: Option<Value> = None;
    for &who in who.iter().rev() {
        if report.has_failed(BENCH, &task, who) {
            continue;
        }
        let found = python::help(setting, "check_relationalize", &[&target(who)])?;
        let note = format!(
            "{} files, {} MiB",
            found["files"],
            found["bytes"].as_u64().unwrap_or_default() >> 20
        );
        let columns = columns.get_or_insert_with(|| found["columns"].clone());
        let wrong = difference(&found["found"], &truth).or_else(|| {
            (found["columns"] != *columns)
                .then(|| format!("columns are {}, not {columns}", found["columns"]))
        });
        match wrong {
            None => report.note(BENCH, &task, who, &note),
            Some(what) if who == Who::Mastic => report.wrong(BENCH, &task, &what),
            Some(what) => report.note(BENCH, &task, who, &format!("{WRONG}: {what}; {note}")),
        }
    }
    let title = format!("relationalize: nested orders at scale {scale} to flat tables");
    report.table(BENCH, &title, &[task])
}

/// Runs a script of this package with a catalog of its own.
pub(crate) fn script_run(
    setting: &Setting,
    script: &str,
    values: &[(&str, &Path)],
) -> Outcome<Figures> {
    let catalog = tempfile::tempdir_in(&setting.work)?;
    let mut args: Vec<OsString> = vec![
        "run".into(),
        package_file(script).into(),
        "--catalog".into(),
        catalog.path().join("catalog.db").into(),
    ];
    for (name, value) in values {
        let mut pair = OsString::from(format!("{name}="));
        pair.push(value);
        args.extend(["--set".into(), pair]);
    }
    measure::run(&setting.mastic, &args, catalog.path(), None, setting.limits)
}

/// Compares numbers of tables with what they should be.
pub(crate) fn difference(found: &Value, truth: &Value) -> Option<String> {
    let (Some(found), Some(truth)) = (found.as_object(), truth.as_object()) else {
        return Some(format!("not readable: {found}"));
    };
    truth.iter().find_map(|(table, numbers)| {
        numbers.as_object()?.iter().find_map(|(name, b)| {
            let a = found.get(table).map_or(&Value::Null, |t| &t[name]);
            let same = a.as_f64().zip(b.as_f64());
            let same = same.is_some_and(|(a, b)| compare::close(a, b));
            (!same).then(|| format!("{table}: {name} is {a}, not {b}"))
        })
    })
}
