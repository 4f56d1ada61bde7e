//! A choice resolved: a column of whole numbers one in a thousand of which is text, cast and written, beside the same job
//! over the column without text. What a choice costs is the ratio of the two. Mastic alone.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    Outcome,
    measure::Figures,
    python,
    random::Random,
    relationalize::{difference, script_run},
    report::{Report, Run, Spread, mib, seconds},
    setting::{Setting, Who},
};

const BENCH: &str = "choice";

/// How many values there are for each that is text.
const ODD: u64 = 1_000;

/// What a choice may cost: times the time of the same column without one.
const BOUND: f64 = 1.3;

/// The benchmark.
pub(crate) fn run(setting: &Setting, report: &mut Report, rows: u64) -> Outcome<()> {
    println!(
        "\n## choice: a column of {rows} values, one in {ODD} of them text, cast and written\n"
    );
    println!(
        "| source | without s | with s | ratio | min–max without | with | CPU ratio | peak MiB | |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---|");
    for format in ["csv", "json"] {
        let dir = setting.data(&format!("choice-{rows}-{format}"), |dir| {
            make(dir, format, rows)
        })?;
        compare(setting, report, format, &dir)?;
    }
    println!("\nA choice should take no more than {BOUND} times the time.");
    Ok(())
}

/// Measures the job over both columns of a format.
fn compare(setting: &Setting, report: &mut Report, format: &str, dir: &Path) -> Outcome<()> {
    let truth: Value = serde_json::from_slice(&fs::read(dir.join("truth.json"))?)?;
    let script = format!("scripts/choice_{format}.yaml");
    let names = ["without", "with"];
    let mut runs: [Vec<Figures>; 2] = [Vec::new(), Vec::new()];
    for round in 0..setting.runs {
        let mut order = [0, 1];
        order.rotate_left(round as usize % 2);
        for at in order {
            let task = format!("{format}, {} a choice", names[at]);
            if report.has_failed(BENCH, &task, Who::Mastic) {
                continue;
            }
            let scratch = tempfile::tempdir_in(&setting.work)?;
            let (file, out) = (data(dir, names[at], format), scratch.path().join("out"));
            let values = [("file", file.as_path()), ("out", out.as_path())];
            let figures = script_run(setting, &script, &values)?;
            let failed = figures.error.is_some();
            report.add(Run::mastic(BENCH, &task, figures.clone()))?;
            if failed {
                continue;
            }
            runs[at].push(figures);
            if round == 0 {
                let found = python::help(setting, "check_choice", &[&out])?;
                let kind = (found["type"] != "BIGINT").then(|| format!("type {}", found["type"]));
                let wrong = kind.or_else(|| difference(&found["found"], &truth[names[at]]));
                if let Some(what) = wrong {
                    report.wrong(BENCH, &task, &what);
                }
            }
        }
    }
    let spread =
        |runs: &[Figures], of: fn(&Figures) -> f64| Spread::of(runs.iter().map(of).collect());
    let (Some(without), Some(with)) = (spread(&runs[0], |f| f.wall), spread(&runs[1], |f| f.wall))
    else {
        println!("| {format} | failed | | | | | | | |");
        return Ok(());
    };
    let cpu = spread(&runs[0], |f| f.cpu).zip(spread(&runs[1], |f| f.cpu));
    let cpu = cpu.map_or(0.0, |(without, with)| with.median / without.median);
    let peak = runs.iter().flatten().map(|f| f.peak_bytes).max();
    let ratio = with.median / without.median;
    println!(
        "| {format}, {} MiB | {} | {} | {ratio:.2} | {}–{} | {}–{} | {cpu:.2} | {} | {} |",
        fs::metadata(data(dir, "with", format))?.len() >> 20,
        seconds(without.median),
        seconds(with.median),
        seconds(without.min),
        seconds(without.max),
        seconds(with.min),
        seconds(with.max),
        mib(peak.unwrap_or_default()),
        if ratio > BOUND { "too long" } else { "" },
    );
    report.line(&json!({
        "kind": "summary",
        "bench": BENCH,
        "task": format,
        "who": Who::Mastic.name(),
        "without_s": without.median,
        "with_s": with.median,
        "ratio": ratio,
        "cpu_ratio": cpu,
        "peak_bytes": peak,
    }))
}

fn data(dir: &Path, name: &str, format: &str) -> PathBuf {
    dir.join(format!("{name}.{format}"))
}

/// Makes both columns, and what is right about them.
fn make(dir: &Path, format: &str, rows: u64) -> Outcome<()> {
    fs::create_dir_all(dir)?;
    let mut truth = serde_json::Map::new();
    for name in ["without", "with"] {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(data(dir, name, format))?);
        let mut random = Random(13);
        let (mut values, mut sum, mut product, mut ids) = (0u64, 0.0, 0.0, 0.0);
        if format == "csv" {
            writeln!(out, "id,value")?;
        }
        for id in 1..=rows {
            let value = random.below(1_000_000);
            ids += id as f64;
            // At no regular places.
            let odd = random.below(ODD as usize) == 0;
            if odd && name == "with" {
                match format {
                    "csv" => writeln!(out, "{id},unknown")?,
                    _ => writeln!(out, r#"{{"id": {id}, "value": "unknown"}}"#)?,
                }
                continue;
            }
            values += 1;
            sum += value as f64;
            product += id as f64 * value as f64;
            match format {
                "csv" => writeln!(out, "{id},{value}")?,
                _ => writeln!(out, r#"{{"id": {id}, "value": {value}}}"#)?,
            }
        }
        out.into_inner()?.sync_all()?;
        let numbers = json!({
            "rows": rows, "values": values, "ids": ids, "sum": sum, "product": product,
        });
        truth.insert(name.to_owned(), json!({ "value": numbers }));
    }
    fs::write(dir.join("truth.json"), Value::Object(truth).to_string())?;
    Ok(())
}
