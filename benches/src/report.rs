//! What was measured: kept, printed as tables, written as JSON lines.

use std::{
    fs::File,
    io::{BufWriter, Write},
};

use serde_json::{Value, json};

use crate::{
    Outcome,
    measure::Figures,
    python::Said,
    setting::{Setting, Who},
};

/// How a note begins that says that an answer was wrong.
pub(crate) const WRONG: &str = "WRONG";

/// One run of one task by one program.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) bench: &'static str,
    pub(crate) task: String,
    pub(crate) who: Who,
    pub(crate) figures: Figures,
    /// Seconds without the start of Python, for a peer.
    pub(crate) inside: Option<f64>,
    /// What a reader should know beside the figures.
    pub(crate) note: String,
}

impl Run {
    pub(crate) fn mastic(bench: &'static str, task: &str, figures: Figures) -> Self {
        Self {
            bench,
            task: task.to_owned(),
            who: Who::Mastic,
            figures,
            inside: None,
            note: String::new(),
        }
    }

    /// The same, of another program.
    pub(crate) fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    pub(crate) fn peer(bench: &'static str, task: &str, who: Who, said: &Said) -> Self {
        let figures = said.figures.clone();
        Self {
            bench,
            task: task.to_owned(),
            who,
            figures,
            inside: said.inside,
            note: String::new(),
        }
    }
}

/// All runs of one task by one program.
struct Summary {
    who: Who,
    wall: Spread,
    inside: Option<f64>,
    cpu: f64,
    peak_bytes: u64,
    error: Option<String>,
    note: String,
}

/// Smallest, middle and largest.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

/// Everything measured so far.
pub(crate) struct Report {
    runs: Vec<Run>,
    wrong: Vec<String>,
    out: Option<BufWriter<File>>,
    who: Vec<Who>,
}

impl Report {
    /// Prints who takes part.
    pub(crate) fn new(setting: &Setting) -> Outcome<Self> {
        let out = match &setting.out {
            Some(path) => Some(BufWriter::new(
                File::create(path).map_err(|e| format!("{}: {e}", path.display()))?,
            )),
            None => None,
        };
        let mut report = Self {
            runs: Vec::new(),
            wrong: Vec::new(),
            out,
            who: setting.who.clone(),
        };
        let mut facts = setting.facts.clone();
        let told: Vec<String> = facts
            .iter()
            .map(|(k, v)| format!("{k} {}", v.to_string().trim_matches('"')))
            .collect();
        println!("{}", told.join(" · "));
        if facts["load_before"].as_f64().is_some_and(|load| load > 0.5) {
            println!("Other work is running on this machine: expect wide spreads.");
        }
        facts.insert("kind".into(), "setting".into());
        facts.insert("runs".into(), setting.runs.into());
        report.line(&Value::Object(facts))?;
        Ok(report)
    }

    /// Keeps a run, and says so on standard error.
    pub(crate) fn add(&mut self, run: Run) -> Outcome<()> {
        let figures = &run.figures;
        let end = figures.error.as_deref().map_or_else(
            || format!("{:.3} s", figures.wall),
            |e| format!("failed: {e}"),
        );
        eprintln!("{} {} · {} · {end}", run.bench, run.task, run.who.name());
        self.add_quietly(run)
    }

    /// Keeps a run that was put together from others.
    pub(crate) fn add_quietly(&mut self, run: Run) -> Outcome<()> {
        let figures = &run.figures;
        if run.who == Who::Mastic
            && let Some(error) = &figures.error
        {
            self.wrong
                .push(format!("{} {}: {error}", run.bench, run.task));
        }
        let line = json!({
            "kind": "run",
            "bench": run.bench,
            "task": run.task,
            "who": run.who.name(),
            "wall_s": figures.wall,
            "inside_s": run.inside,
            "cpu_s": figures.cpu,
            "peak_bytes": figures.peak_bytes,
            "error": figures.error,
            "note": run.note,
        });
        self.runs.push(run);
        self.line(&line)
    }

    /// Puts a note on the runs of a task.
    pub(crate) fn note(&mut self, bench: &str, task: &str, who: Who, note: &str) {
        for run in self
            .runs
            .iter_mut()
            .filter(|r| r.bench == bench && r.task == task && r.who == who)
        {
            note.clone_into(&mut run.note);
        }
    }

    /// Mastic gave a wrong answer.
    pub(crate) fn wrong(&mut self, bench: &str, task: &str, what: &str) {
        self.note(bench, task, Who::Mastic, &format!("{WRONG}: {what}"));
        self.wrong.push(format!("{bench} {task}: {what}"));
    }

    /// Whether a program has failed at a task, so that it need not be tried again.
    pub(crate) fn has_failed(&self, bench: &str, task: &str, who: Who) -> bool {
        self.of(bench, task, who).any(|r| r.figures.error.is_some())
    }

    /// The runs of a task by a program, in order.
    pub(crate) fn of<'a>(
        &'a self,
        bench: &'a str,
        task: &'a str,
        who: Who,
    ) -> impl Iterator<Item = &'a Run> {
        self.runs
            .iter()
            .filter(move |r| r.bench == bench && r.task == task && r.who == who)
    }

    /// Whether Mastic failed at nothing and was wrong in nothing; says so if not.
    pub(crate) fn mastic_is_right(&mut self) -> bool {
        for what in &self.wrong {
            eprintln!("mastic failed: {what}");
        }
        self.wrong.is_empty()
    }

    /// Prints the table of a benchmark.
    pub(crate) fn table(
        &mut self,
        bench: &'static str,
        title: &str,
        tasks: &[String],
    ) -> Outcome<()> {
        println!("\n## {title}\n");
        println!(
            "| task | who | median s | min–max s | ratio | inside s | ratio | CPU s | peak MiB | |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---|");
        for task in tasks {
            let summaries: Vec<Summary> = self
                .who
                .iter()
                .filter_map(|&who| self.summary(bench, task, who))
                .collect();
            let ours = ours(&summaries);
            for s in &summaries {
                let name = s.who.name();
                if let Some(error) = &s.error {
                    println!(
                        "| {task} | {name} | failed | | | | | | {} | {error} |",
                        mib(s.peak_bytes)
                    );
                } else {
                    let Spread { min, median, max } = s.wall;
                    let (inside, ratio_inside) = match s.inside {
                        Some(inside) => (seconds(inside), ratio(ours, inside)),
                        None => (String::new(), String::new()),
                    };
                    println!(
                        "| {task} | {name} | {} | {}–{} | {} | {inside} | {ratio_inside} | {} | {} | {} |",
                        seconds(median),
                        seconds(min),
                        seconds(max),
                        if s.who == Who::Mastic {
                            String::new()
                        } else {
                            ratio(ours, median)
                        },
                        seconds(s.cpu),
                        mib(s.peak_bytes),
                        s.note,
                    );
                }
                let line = json!({
                    "kind": "summary",
                    "bench": bench,
                    "task": task,
                    "who": name,
                    "min_s": s.wall.min,
                    "median_s": s.wall.median,
                    "max_s": s.wall.max,
                    "inside_s": s.inside,
                    "mastic_ratio": ours.filter(|_| s.error.is_none()).map(|o| o / s.wall.median),
                    "mastic_ratio_inside": ours.filter(|_| s.error.is_none()).zip(s.inside).map(|(o, i)| o / i),
                    "cpu_s": s.cpu,
                    "peak_bytes": s.peak_bytes,
                    "error": s.error,
                    "note": s.note,
                });
                if let Some(out) = &mut self.out {
                    writeln!(out, "{line}")?;
                }
            }
        }
        if let Some(out) = &mut self.out {
            out.flush()?;
        }
        println!();
        println!(
            "Ratio: Mastic's median over this one's; below 1 Mastic is faster. Times are of whole processes;"
        );
        println!(
            "\"inside\" leaves out the start of Python and the import, which are not the peer's fault (Mastic's stays whole)."
        );
        Ok(())
    }

    /// Prints totals and geometric means over the tasks that both Mastic and the peer did.
    pub(crate) fn totals(&mut self, bench: &'static str, tasks: &[String]) -> Outcome<()> {
        println!(
            "\n| over | who | total s | mastic's | ratio | geometric mean | inside s | ratio | geometric mean |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
        for who in self.who.clone().into_iter().filter(|&w| w != Who::Mastic) {
            let pairs: Vec<(f64, f64, f64)> = tasks
                .iter()
                .filter_map(|task| {
                    let ours = self
                        .summary(bench, task, Who::Mastic)
                        .filter(|s| s.error.is_none())?;
                    let theirs = self
                        .summary(bench, task, who)
                        .filter(|s| s.error.is_none())?;
                    Some((ours.wall.median, theirs.wall.median, theirs.inside?))
                })
                .collect();
            if pairs.is_empty() {
                continue;
            }
            let n = pairs.len() as f64;
            let ours: f64 = pairs.iter().map(|p| p.0).sum();
            let total: f64 = pairs.iter().map(|p| p.1).sum();
            let inside: f64 = pairs.iter().map(|p| p.2).sum();
            let mean = (pairs.iter().map(|p| (p.0 / p.1).ln()).sum::<f64>() / n).exp();
            let mean_inside = (pairs.iter().map(|p| (p.0 / p.2).ln()).sum::<f64>() / n).exp();
            println!(
                "| {} of {} | {} | {} | {} | {:.2} | {mean:.2} | {} | {:.2} | {mean_inside:.2} |",
                pairs.len(),
                tasks.len(),
                who.name(),
                seconds(total),
                seconds(ours),
                ours / total,
                seconds(inside),
                ours / inside,
            );
            self.line(&json!({
                "kind": "total",
                "bench": bench,
                "who": who.name(),
                "tasks": pairs.len(),
                "total_s": total,
                "inside_s": inside,
                "mastic_s": ours,
                "mastic_ratio": ours / total,
                "mastic_ratio_geomean": mean,
                "mastic_ratio_inside": ours / inside,
                "mastic_ratio_inside_geomean": mean_inside,
            }))?;
        }
        Ok(())
    }

    fn summary(&self, bench: &str, task: &str, who: Who) -> Option<Summary> {
        let runs: Vec<&Run> = self.of(bench, task, who).collect();
        let last = runs.last()?;
        let wrong = runs.iter().find(|r| r.note.starts_with(WRONG));
        let note = wrong.unwrap_or(last).note.clone();
        let inside: Vec<f64> = runs.iter().filter_map(|r| r.inside).collect();
        Some(Summary {
            who,
            wall: Spread::of(runs.iter().map(|r| r.figures.wall).collect())?,
            inside: Spread::of(inside).map(|s| s.median),
            cpu: Spread::of(runs.iter().map(|r| r.figures.cpu).collect())?.median,
            peak_bytes: runs.iter().map(|r| r.figures.peak_bytes).max()?,
            // A wrong answer has no time: nothing is compared with it.
            error: runs
                .iter()
                .find_map(|r| r.figures.error.clone())
                .or_else(|| Some(note.clone()).filter(|n| n.starts_with(WRONG))),
            note,
        })
    }

    /// Writes a line of the JSON report, if there is one.
    pub(crate) fn line(&mut self, value: &Value) -> Outcome<()> {
        if let Some(out) = &mut self.out {
            writeln!(out, "{value}")?;
            out.flush()?;
        }
        Ok(())
    }
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { min, median, max })
    }
}

fn ours(summaries: &[Summary]) -> Option<f64> {
    summaries
        .iter()
        .find(|s| s.who == Who::Mastic && s.error.is_none())
        .map(|s| s.wall.median)
}

fn ratio(ours: Option<f64>, theirs: f64) -> String {
    ours.map_or_else(String::new, |ours| format!("{:.2}", ours / theirs))
}

/// Seconds for a table.
pub(crate) fn seconds(s: f64) -> String {
    if s < 10.0 {
        format!("{s:.3}")
    } else {
        format!("{s:.1}")
    }
}

/// Whole MiB for a table.
pub(crate) fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

/// The order of a round: each round starts with another program.
pub(crate) fn order(who: &[Who], round: u32) -> Vec<Who> {
    let mut order = who.to_vec();
    let len = order.len().max(1);
    order.rotate_left(round as usize % len);
    order
}
