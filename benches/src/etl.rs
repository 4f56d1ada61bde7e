//! CSV to Parquet, partitioned and compressed with zstd, through a filter and a derived column.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    Outcome, compare,
    measure::{self, Figures},
    python,
    report::{Report, Run, WRONG, order},
    setting::{Setting, Who, package_file},
    tpch_data,
};

const BENCH: &str = "etl";

/// The benchmark.
pub(crate) fn run(setting: &Setting, report: &mut Report, scale: f64) -> Outcome<()> {
    let csv = tpch_data::lineitem_csv(setting, scale)?;
    let size = fs::metadata(&csv)?.len();
    let task = format!("lineitem, {} MiB of CSV", size >> 20);
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let target = |who: Who| scratch.path().join(who.name());
    for round in 0..setting.runs {
        for who in order(&setting.who, round) {
            if report.has_failed(BENCH, &task, who) {
                continue;
            }
            let out = target(who);
            if out.exists() {
                fs::remove_dir_all(&out)?;
            }
            let run = match who {
                Who::Mastic => Run::mastic(BENCH, &task, mastic(setting, &csv, &out)?),
                Who::DuckDb | Who::Polars | Who::Splink => Run::peer(
                    BENCH,
                    &task,
                    who,
                    &python::run(setting, "etl", who, &[&csv, &out])?,
                ),
            };
            report.add(run)?;
        }
    }

    let mut reference: Option<Value> = None;
    for &who in setting.who.iter().rev() {
        if report.has_failed(BENCH, &task, who) {
            continue;
        }
        let found = python::help(setting, "check_etl", &[&csv, &target(who)])?;
        let expected = reference.get_or_insert_with(|| found["expected"].clone());
        let note = format!("{} files, {} MiB", found["files"], mib(&found["bytes"]));
        match difference(&found["found"], expected) {
            None => report.note(BENCH, &task, who, &note),
            Some(what) if who == Who::Mastic => report.wrong(BENCH, &task, &what),
            Some(what) => report.note(BENCH, &task, who, &format!("{WRONG}: {what}; {note}")),
        }
    }
    report.table(
        BENCH,
        &format!("etl: TPC-H lineitem at scale {scale} to partitioned Parquet"),
        &[task],
    )
}

fn mastic(setting: &Setting, csv: &Path, out: &Path) -> Outcome<Figures> {
    let catalog = tempfile::tempdir_in(&setting.work)?;
    let set = |name: &str, value: &Path| {
        let mut pair = OsString::from(format!("{name}="));
        pair.push(value);
        pair
    };
    let script: PathBuf = package_file("scripts/lineitem.yaml");
    let args: [OsString; 8] = [
        "run".into(),
        script.into(),
        "--set".into(),
        set("csv", csv),
        "--set".into(),
        set("out", out),
        "--catalog".into(),
        catalog.path().join("catalog.db").into(),
    ];
    measure::run(&setting.mastic, &args, catalog.path(), None, setting.limits)
}

fn mib(bytes: &Value) -> u64 {
    bytes.as_u64().unwrap_or_default() >> 20
}

/// Compares what was written, partition by partition, with what should have been.
fn difference(found: &Value, expected: &Value) -> Option<String> {
    let (Some(found), Some(expected)) = (found.as_object(), expected.as_object()) else {
        return Some(format!("not readable: {found}"));
    };
    if !found.keys().eq(expected.keys()) {
        let keys: Vec<&String> = found.keys().collect();
        return Some(format!("partitions {keys:?}"));
    }
    found
        .iter()
        .zip(expected.values())
        .find_map(|((partition, a), b)| {
            let same = |key: &str| {
                a[key]
                    .as_f64()
                    .zip(b[key].as_f64())
                    .is_some_and(|(a, b)| compare::close(a, b))
            };
            ["rows", "columns", "revenue", "quantity"]
                .iter()
                .find(|key| !same(key))
                .map(|key| format!("{partition}: {key} is {}, not {}", a[*key], b[*key]))
        })
}
