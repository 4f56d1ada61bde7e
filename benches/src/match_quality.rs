//! How well matching records are found without labels, in sets of very different kinds: precision, recall and F1 over the
//! pairs of the final clusters, and which share of the true pairs was compared at all. Each program has one way for all
//! (Mastic) or for each kind (Splink), and sees no keys.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    Outcome,
    labelled::{self, Entry, Labelled},
    measure, python,
    report::{Report, Run, seconds},
    score::{Clusters, Score},
    setting::{Setting, Who},
};

const BENCH: &str = "match-quality";

/// Which thresholds Splink's clusters are made at: those of its documentation. The best of them counts.
const THRESHOLDS: [&str; 3] = ["0.5", "0.9", "0.95"];

/// What a program found in a set.
struct Found {
    score: Score,
    /// The share of true pairs that were compared, and how many pairs were.
    blocking: Option<(f64, u64)>,
    seconds: f64,
    note: String,
}

/// The benchmark. Each program is run once on each set: what is measured has no spread.
pub(crate) fn run(
    setting: &Setting,
    report: &mut Report,
    from: Option<&Path>,
    only: &[String],
) -> Outcome<()> {
    let entries = labelled::entries(only)?;
    let mut sets = Vec::new();
    let mut missing = Vec::new();
    for entry in entries {
        match labelled::lay_out(setting, &entry, from) {
            Ok(set) => sets.push((entry, set)),
            Err(error) => {
                eprintln!("{}: {error}", entry.name);
                missing.push(entry.name);
            }
        }
    }
    println!("\n## match-quality: labelled sets without labels\n");
    println!(
        "| set | rows | true pairs | who | F1 | precision | recall | blocking recall | pairs compared | s | |"
    );
    println!("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---|");
    for (entry, set) in &sets {
        for &who in &setting.who {
            one(setting, report, entry, set, who)?;
        }
    }
    println!(
        "\nA pair is right if both rows are the same entity, and found if they share a cluster; across the tables where two are linked."
    );
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("not there: {}", missing.join(", ")).into())
    }
}

fn one(
    setting: &Setting,
    report: &mut Report,
    entry: &Entry,
    set: &Labelled,
    who: Who,
) -> Outcome<()> {
    let scratch = tempfile::tempdir_in(&setting.work)?;
    let (found, figures) = match who {
        Who::Mastic => ours(setting, set, scratch.path())?,
        _ => theirs(setting, entry, set, who, scratch.path())?,
    };
    report.add(Run::mastic(BENCH, &entry.name, figures.clone()).by(who))?;
    let sizes: Vec<String> = set.rows.iter().map(usize::to_string).collect();
    let start = format!(
        "| {} | {} | {} | {} |",
        entry.name,
        sizes.join(" + "),
        set.truth.pairs(),
        who.name()
    );
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            println!("{start} failed | | | | | | {error} |");
            if figures.error.is_none() && who == Who::Mastic {
                report.wrong(BENCH, &entry.name, &error);
            }
            return Ok(());
        }
    };
    let Score {
        precision,
        recall,
        f1,
    } = found.score;
    let blocking = found
        .blocking
        .map_or((String::new(), String::new()), |(recall, pairs)| {
            (format!("{recall:.4}"), pairs.to_string())
        });
    let note = if who == Who::Mastic && f1 < entry.bar {
        format!("below {}", entry.bar)
    } else {
        found.note
    };
    println!(
        "{start} {f1:.4} | {precision:.4} | {recall:.4} | {} | {} | {} | {note} |",
        blocking.0,
        blocking.1,
        seconds(found.seconds),
    );
    report.line(&json!({
        "kind": "summary",
        "bench": BENCH,
        "task": entry.name,
        "who": who.name(),
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "blocking_recall": found.blocking.map(|b| b.0),
        "pairs": found.blocking.map(|b| b.1),
        "wall_s": found.seconds,
        "bar": entry.bar,
        "note": note,
    }))
}

/// What a program found or why not, and what it took.
type Asked = (Result<Found, String>, measure::Figures);

/// Mastic is given the tables and nothing else.
fn ours(setting: &Setting, set: &Labelled, scratch: &Path) -> Outcome<Asked> {
    let (out, pairs) = (scratch.join("out.csv"), scratch.join("pairs.csv"));
    let mut args: Vec<OsString> = vec!["match".into()];
    args.extend(set.tables.iter().map(|table| table.as_os_str().to_owned()));
    if set.tables.len() > 1 {
        args.push("--one-to-one".into());
    }
    args.extend(["--output".into(), out.as_os_str().to_owned()]);
    args.extend(["--pairs".into(), pairs.as_os_str().to_owned()]);
    let figures = measure::run(&setting.mastic, &args, scratch, None, setting.limits)?;
    if let Some(error) = &figures.error {
        return Ok((Err(error.clone()), figures));
    }
    let read = || -> Outcome<Found> {
        let tables: Vec<&Path> = set.tables.iter().map(PathBuf::as_path).collect();
        let clusters = Clusters::of_values(&out, &tables, &set.truth)?;
        Ok(Found {
            score: set.truth.score(&clusters),
            blocking: Some(set.truth.blocking_recall(&pairs)?),
            seconds: figures.wall,
            note: String::new(),
        })
    };
    Ok((
        read().map_err(|e| measure::shorten(&e.to_string())),
        figures,
    ))
}

/// Splink, by the recipe for the set's kind, with the best of its thresholds.
fn theirs(
    setting: &Setting,
    entry: &Entry,
    set: &Labelled,
    who: Who,
    scratch: &Path,
) -> Outcome<Asked> {
    let out = scratch.join("out");
    std::fs::create_dir(&out)?;
    let none = Path::new("-");
    let left = set.tables.first().map_or(none, PathBuf::as_path);
    let right = set.tables.get(1).map_or(none, PathBuf::as_path);
    let recipe = Path::new(&entry.recipe);
    let said = python::run(setting, "match_quality", who, &[recipe, left, right, &out])?;
    if let Some(error) = &said.figures.error {
        return Ok((Err(error.clone()), said.figures));
    }
    let mut best: Option<(Score, &str)> = None;
    for threshold in THRESHOLDS {
        let file = out.join(format!("clusters-{threshold}.csv"));
        let score = set
            .truth
            .score(&Clusters::of_rows(&file, "cluster", &set.truth)?);
        if best.is_none_or(|(b, _)| score.f1 > b.f1) {
            best = Some((score, threshold));
        }
    }
    let (score, threshold) = best.ok_or("no thresholds")?;
    let found = Found {
        score,
        blocking: Some(set.truth.blocking_recall(&out.join("pairs.csv"))?),
        seconds: said.figures.wall,
        note: format!("threshold {threshold}"),
    };
    Ok((Ok(found), said.figures))
}
