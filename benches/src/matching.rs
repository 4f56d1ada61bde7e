//! Finding the records of the same person among synthetic ones whose truth is known: Mastic beside Splink, and how
//! Mastic's time and memory grow.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    Outcome,
    measure::{self, Figures},
    persons, python,
    report::{Report, Run, Spread, mib, order, seconds},
    score::{Clusters, Score, Truth},
    setting::{Setting, Who},
};

const BENCH: &str = "match";

/// The tables of `--grow`, by their number of records.
pub(crate) const SIZES: [usize; 3] = [100_000, 1_000_000, 10_000_000];

/// The benchmark.
pub(crate) fn run(setting: &Setting, report: &mut Report, rows: usize) -> Outcome<()> {
    let (data, truth) = persons::csv(setting, rows)?;
    let truth = Truth::of_entities(&truth)?;
    let task = format!("{rows} persons, {} MiB", fs::metadata(&data)?.len() >> 20);
    let mut f1: Vec<(Who, f64)> = Vec::new();
    for round in 0..setting.runs {
        for who in order(&setting.who, round) {
            if report.has_failed(BENCH, &task, who) {
                continue;
            }
            let scratch = tempfile::tempdir_in(&setting.work)?;
            let out = scratch.path().join("out.csv");
            let run = match who {
                Who::Mastic => Run::mastic(BENCH, &task, ours(setting, &data, &out)?),
                _ => Run::peer(
                    BENCH,
                    &task,
                    who,
                    &python::run(setting, BENCH, who, &[&data, &out])?,
                ),
            };
            let failed = run.figures.error.is_some();
            report.add(run)?;
            if failed || f1.iter().any(|(w, _)| *w == who) {
                continue;
            }
            match fit(who, &out, &data, &truth) {
                Ok(score) => {
                    f1.push((who, score.f1));
                    report.note(BENCH, &task, who, &told(score));
                    report.line(&line(who, rows, score))?;
                }
                Err(error) if who == Who::Mastic => report.wrong(BENCH, &task, &error.to_string()),
                Err(error) => return Err(error),
            }
        }
    }
    let title = format!(
        "match: {rows} records of persons, {} pairs of which are the same person",
        truth.pairs()
    );
    report.table(BENCH, &title, &[task])?;
    let of = |who: Who| f1.iter().find(|(w, _)| *w == who).map(|(_, f1)| *f1);
    if let (Some(ours), Some(theirs)) = (of(Who::Mastic), of(Who::Splink))
        && ours < theirs
    {
        println!("\nMastic's F1 is lower than Splink's: its time says little.");
    }
    Ok(())
}

fn ours(setting: &Setting, data: &Path, out: &Path) -> Outcome<Figures> {
    let args: [OsString; 4] = ["match".into(), data.into(), "--output".into(), out.into()];
    let dir = out.parent().unwrap_or(out);
    measure::run(&setting.mastic, &args, dir, None, setting.limits)
}

fn fit(who: Who, out: &Path, data: &Path, truth: &Truth) -> Outcome<Score> {
    let clusters = match who {
        Who::Mastic => Clusters::of_values(out, &[data], truth)?,
        _ => Clusters::of_rows(out, "cluster", truth)?,
    };
    Ok(truth.score(&clusters))
}

fn told(score: Score) -> String {
    let Score {
        precision,
        recall,
        f1,
    } = score;
    format!("F1 {f1:.4}, precision {precision:.4}, recall {recall:.4}")
}

fn line(who: Who, rows: usize, score: Score) -> serde_json::Value {
    json!({
        "kind": "quality",
        "bench": BENCH,
        "who": who.name(),
        "rows": rows,
        "f1": score.f1,
        "precision": score.precision,
        "recall": score.recall,
    })
}

/// What a table of one size took, in the middle of all runs.
struct Size {
    rows: usize,
    wall: f64,
    cpu: f64,
    peak_bytes: u64,
    score: Score,
}

/// How time and memory grow with the records.
pub(crate) fn grow(setting: &Setting, report: &mut Report, sizes: &[usize]) -> Outcome<()> {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    sizes.dedup();
    let mut done: Vec<Size> = Vec::new();
    for rows in sizes {
        // A failure is in the report already; larger tables would tell nothing more.
        let Some(size) = one_size(setting, report, rows)? else {
            break;
        };
        done.push(size);
    }
    println!("\n## match --grow: growing numbers of persons\n");
    println!("| rows | × | s | × | CPU s | × | peak MiB | × | µs a row | F1 |");
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (at, size) in done.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| done.get(at));
        let grown = |of: fn(&Size) -> f64| before.map(|b| of(size) / of(b));
        let times = [
            grown(|s| s.rows as f64),
            grown(|s| s.wall),
            grown(|s| s.cpu),
            grown(|s| s.peak_bytes as f64),
        ];
        let [rows, wall, cpu, peak] =
            times.map(|t| t.map_or_else(String::new, |t| format!("{t:.1}")));
        println!(
            "| {} | {rows} | {} | {wall} | {} | {cpu} | {} | {peak} | {:.1} | {:.4} |",
            size.rows,
            seconds(size.wall),
            seconds(size.cpu),
            mib(size.peak_bytes),
            size.wall * 1e6 / size.rows as f64,
            size.score.f1,
        );
        report.line(&json!({
            "kind": "summary",
            "bench": BENCH,
            "who": Who::Mastic.name(),
            "rows": size.rows,
            "wall_s": size.wall,
            "cpu_s": size.cpu,
            "peak_bytes": size.peak_bytes,
            "f1": size.score.f1,
            "times_rows": times[0],
            "times_wall": times[1],
            "times_cpu": times[2],
            "times_peak": times[3],
        }))?;
    }
    println!(
        "\n×: times the line above. Time should grow little faster than rows, and memory no faster."
    );
    Ok(())
}

fn one_size(setting: &Setting, report: &mut Report, rows: usize) -> Outcome<Option<Size>> {
    let (data, truth): (PathBuf, PathBuf) = persons::csv(setting, rows)?;
    let task = format!("{rows} persons");
    let mut runs: Vec<Figures> = Vec::new();
    let mut score = None;
    for _ in 0..setting.runs {
        let scratch = tempfile::tempdir_in(&setting.work)?;
        let out = scratch.path().join("out.csv");
        let figures = ours(setting, &data, &out)?;
        report.add(Run::mastic(BENCH, &task, figures.clone()))?;
        if figures.error.is_some() {
            return Ok(None);
        }
        runs.push(figures);
        if score.is_none() {
            let truth = Truth::of_entities(&truth)?;
            match fit(Who::Mastic, &out, &data, &truth) {
                Ok(fitted) => {
                    report.line(&line(Who::Mastic, rows, fitted))?;
                    score = Some(fitted);
                }
                Err(error) => {
                    report.wrong(BENCH, &task, &error.to_string());
                    return Ok(None);
                }
            }
        }
    }
    let middle =
        |of: fn(&Figures) -> f64| Spread::of(runs.iter().map(of).collect()).map(|s| s.median);
    let figures = middle(|f| f.wall).zip(middle(|f| f.cpu)).zip(score);
    Ok(figures.map(|((wall, cpu), score)| Size {
        rows,
        wall,
        cpu,
        peak_bytes: runs.iter().map(|r| r.peak_bytes).max().unwrap_or_default(),
        score,
    }))
}
