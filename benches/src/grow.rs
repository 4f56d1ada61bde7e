//! How time and memory of a crawl grow with the number of files: the same lake at growing sizes, crawled into a new
//! catalog, and crawled again unchanged. What scales has ratios near those of the files, and memory that stays behind.

use std::{ffi::OsString, path::Path};

use serde_json::json;

use crate::{
    Outcome, lake,
    measure::{self, Figures},
    report::{Report, Run, Spread, mib, seconds},
    setting::{Setting, Who},
};

const BENCH: &str = "grow";

/// The lakes that are crawled, by their number of files.
pub(crate) const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// What a crawl of one size took, in the middle of all runs.
struct Size {
    files: usize,
    first: Took,
    again: Took,
}

#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    peak_bytes: u64,
}

/// The benchmark. Only Mastic takes part: a peer keeps nothing from one crawl to the next.
pub(crate) fn run(setting: &Setting, report: &mut Report, sizes: &[usize]) -> Outcome<()> {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.first().is_none_or(|&files| files < 4) {
        return Err("a lake needs 4 files at least".into());
    }
    let mut done: Vec<Size> = Vec::new();
    for files in sizes {
        let lake = setting.data(&format!("lake-{files}"), |dir| {
            lake::make(dir, files).map(|_| ())
        })?;
        let (first_task, again_task) = (
            format!("{files} files"),
            format!("{files} files, unchanged"),
        );
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..setting.runs {
            let scratch = tempfile::tempdir_in(&setting.work)?;
            for (task, kept) in [(&first_task, &mut first), (&again_task, &mut again)] {
                let figures = crawl(setting, &lake, scratch.path())?;
                report.add(Run::mastic(BENCH, task, figures.clone()))?;
                if figures.error.is_some() {
                    break;
                }
                kept.push(figures);
            }
        }
        // A failure is in the report already; larger lakes would tell nothing more.
        let (Some(first), Some(again)) = (middle(&first), middle(&again)) else {
            break;
        };
        done.push(Size {
            files,
            first,
            again,
        });
    }
    table(report, &done)
}

fn crawl(setting: &Setting, lake: &Path, scratch: &Path) -> Outcome<Figures> {
    let args: [OsString; 6] = [
        "crawl".into(),
        lake.into(),
        "--database".into(),
        "bench".into(),
        "--catalog".into(),
        scratch.join("catalog.db").into(),
    ];
    measure::run(&setting.mastic, &args, scratch, None, setting.limits)
}

/// The median time and the largest peak.
fn middle(runs: &[Figures]) -> Option<Took> {
    Some(Took {
        wall: Spread::of(runs.iter().map(|r| r.wall).collect())?.median,
        peak_bytes: runs.iter().map(|r| r.peak_bytes).max()?,
    })
}

fn table(report: &mut Report, sizes: &[Size]) -> Outcome<()> {
    println!("\n## grow: crawls of growing lakes\n");
    println!(
        "| files | × | crawl s | × | peak MiB | × | ms a file | unchanged s | × | peak MiB | × |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (at, size) in sizes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| sizes.get(at));
        let times = |of: fn(&Size) -> f64| before.map(|b| of(size) / of(b));
        let grown = [
            times(|s| s.files as f64),
            times(|s| s.first.wall),
            times(|s| s.first.peak_bytes as f64),
            times(|s| s.again.wall),
            times(|s| s.again.peak_bytes as f64),
        ];
        let [files, wall, peak, again, again_peak] =
            grown.map(|g| g.map_or_else(String::new, |g| format!("{g:.1}")));
        println!(
            "| {} | {files} | {} | {wall} | {} | {peak} | {:.3} | {} | {again} | {} | {again_peak} |",
            size.files,
            seconds(size.first.wall),
            mib(size.first.peak_bytes),
            size.first.wall * 1000.0 / size.files as f64,
            seconds(size.again.wall),
            mib(size.again.peak_bytes),
        );
        report.line(&json!({
            "kind": "summary",
            "bench": BENCH,
            "who": Who::Mastic.name(),
            "files": size.files,
            "wall_s": size.first.wall,
            "peak_bytes": size.first.peak_bytes,
            "again_wall_s": size.again.wall,
            "again_peak_bytes": size.again.peak_bytes,
            "times_files": grown[0],
            "times_wall": grown[1],
            "times_peak": grown[2],
            "times_again_wall": grown[3],
            "times_again_peak": grown[4],
        }))?;
    }
    println!("\n×: times the line above. Time may grow as files do; memory should grow by less.");
    Ok(())
}
