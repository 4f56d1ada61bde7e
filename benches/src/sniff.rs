//! How well CSV files are read that nobody here made: against names, rows and types that a person found in them
//! (`csv/truth.json`, with what is right and why in `csv/README.md`).

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    Outcome,
    judge::{Answer, Entry, Score, judge},
    measure::{self, Figures},
    python,
    report::{Report, Run, seconds},
    setting::{Setting, Who, package_file},
};

const BENCH: &str = "sniff";
const TASK: &str = "all files";

/// The benchmark. Only the files whose path holds `matching` take part; at most `show` of those that Mastic has not
/// right are named, and none that is held out.
pub(crate) fn run(
    setting: &Setting,
    report: &mut Report,
    matching: &str,
    show: usize,
) -> Outcome<()> {
    let truth = package_file("csv/truth.json");
    let packages = package_file("csv/packages.txt");
    let entries: Vec<Entry> = serde_json::from_slice(&fs::read(&truth)?)?;
    // A new truth is about other files.
    let name = format!("csv-{:08x}", fingerprint(&[&truth, &packages])?);
    let files = setting.data(&name, |dir| {
        fs::create_dir_all(dir)?;
        python::help(setting, "corpus", &[&packages, &truth, dir]).map(|_| ())
    })?;
    let entries: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| entry.path.contains(matching))
        .collect();
    if entries.is_empty() {
        return Err(format!("no file's path holds '{matching}'").into());
    }

    let mut scores: BTreeMap<Who, Vec<Score>> = BTreeMap::new();
    for &who in &setting.who {
        let (figures, answers) = if who == Who::Mastic {
            mastic(setting, &files, &entries)?
        } else {
            let said = python::run(setting, BENCH, who, &[&truth, &files])?;
            let figures = said.figures;
            (figures, theirs(&entries, &said.answer))
        };
        report.add(Run::mastic(BENCH, TASK, figures).by(who))?;
        let judged = entries
            .iter()
            .zip(&answers)
            .map(|(entry, answer)| judge(entry, answer))
            .collect();
        scores.insert(who, judged);
    }
    table(report, &entries, &scores)?;
    if let Some(ours) = scores.get(&Who::Mastic) {
        failures(&entries, ours, show);
    }
    Ok(())
}

/// Each file is crawled alone, into a catalog of its own, and its rows are counted by a query. The figures are sums, and
/// the largest peak.
fn mastic(setting: &Setting, files: &Path, entries: &[Entry]) -> Outcome<(Figures, Vec<Answer>)> {
    let mut sum = Figures {
        wall: 0.0,
        cpu: 0.0,
        peak_bytes: 0,
        error: None,
    };
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        let scratch = tempfile::tempdir_in(&setting.work)?;
        let lake = scratch.path().join("lake");
        fs::create_dir(&lake)?;
        let file = files.join(&entry.path);
        let name = file.file_name().ok_or("the truth names a folder")?;
        fs::copy(&file, lake.join(name))?;
        answers.push(alone(setting, scratch.path(), &lake, &mut sum)?);
    }
    Ok((sum, answers))
}

fn alone(setting: &Setting, scratch: &Path, lake: &Path, sum: &mut Figures) -> Outcome<Answer> {
    let said = scratch.join("said.json");
    let mut call = |args: &[OsString]| -> Outcome<Result<Value, String>> {
        let mut all = args.to_vec();
        all.extend(["--output".into(), "json".into(), "--catalog".into()]);
        all.push(scratch.join("catalog.db").into());
        let figures = measure::run(&setting.mastic, &all, scratch, Some(&said), setting.limits)?;
        sum.wall += figures.wall;
        sum.cpu += figures.cpu;
        sum.peak_bytes = sum.peak_bytes.max(figures.peak_bytes);
        if let Some(error) = figures.error {
            return Ok(Err(error));
        }
        let text = fs::read_to_string(&said)?;
        let line = text.lines().next_back().unwrap_or_default();
        Ok(serde_json::from_str(line).map_err(|e| format!("no JSON printed: {e}")))
    };
    let crawled = match call(&["crawl".into(), lake.into(), "--database".into(), "d".into()])? {
        Ok(crawled) => crawled,
        Err(error) => return Ok(Answer::failed(error)),
    };
    let tables = crawled["tables"].as_array().map_or(&[][..], Vec::as_slice);
    let [table] = tables else {
        return Ok(Answer::failed(format!("{} tables", tables.len())));
    };
    let (mut names, mut types) = (Vec::new(), Vec::new());
    for column in table["columns"].as_array().into_iter().flatten() {
        let (name, kind) = name_and_type(column.as_str().unwrap_or_default());
        names.push(name.to_owned());
        types.push(kind.to_owned());
    }
    let query = format!(
        "select count(*) from d.\"{}\"",
        table["name"].as_str().unwrap_or_default()
    );
    let rows = match call(&["sql".into(), query.into()])? {
        Ok(row) => row
            .as_object()
            .and_then(|r| r.values().next())
            .and_then(Value::as_u64),
        Err(error) => return Ok(Answer::failed(error)),
    };
    Ok(Answer {
        names,
        types,
        rows,
        error: None,
    })
}

/// Takes `NAME TYPE` apart, where the name may have spaces, and of the types only the zoned timestamp.
fn name_and_type(column: &str) -> (&str, &str) {
    let at = if column.ends_with(" time zone") {
        column.rfind(" timestamp ")
    } else {
        column.rfind(' ')
    };
    at.map_or((column, ""), |at| (&column[..at], &column[at + 1..]))
}

/// What a peer's script says, in the order of the entries.
fn theirs(entries: &[Entry], said: &Value) -> Vec<Answer> {
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.map(|v| v.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    entries
        .iter()
        .map(|entry| {
            let answer = &said[&entry.path];
            let error = answer["error"].as_str().map(str::to_owned);
            Answer {
                names: texts(&answer["names"]),
                types: texts(&answer["types"]),
                rows: answer["rows"].as_u64(),
                error: error.or_else(|| answer.is_null().then(|| "no answer".to_owned())),
            }
        })
        .collect()
}

/// FNV-1a over the files' bytes, to name what was laid out from them.
fn fingerprint(paths: &[&Path]) -> Outcome<u32> {
    let mut hash = 0x811c_9dc5_u32;
    for path in paths {
        for byte in fs::read(path)? {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    Ok(hash)
}

fn table(
    report: &mut Report,
    entries: &[Entry],
    scores: &BTreeMap<Who, Vec<Score>>,
) -> Outcome<()> {
    println!(
        "\n## sniff: {} CSV files as their authors left them\n",
        entries.len()
    );
    println!("| files | | who | names % | rows % | types % | columns' types % | all right % |");
    println!("|---|---:|---|---:|---:|---:|---:|---:|");
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in entries.iter().flat_map(|entry| &entry.tags) {
        *tags.entry(tag).or_default() += 1;
    }
    let mut by_size: Vec<(&str, usize)> = tags.into_iter().filter(|&(_, n)| n > 1).collect();
    by_size.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    let groups = ["all", "to tune with", "held out"]
        .into_iter()
        .chain(by_size.iter().map(|&(tag, _)| tag));
    for group in groups {
        let belongs = |entry: &Entry| match group {
            "all" => true,
            "to tune with" => !entry.held_out,
            "held out" => entry.held_out,
            tag => entry.tags.iter().any(|t| t == tag),
        };
        for (&who, all) in scores {
            let of: Vec<&Score> = entries
                .iter()
                .zip(all)
                .filter(|(entry, _)| belongs(entry))
                .map(|(_, score)| score)
                .collect();
            if of.is_empty() {
                continue;
            }
            let share = |is: fn(&Score) -> bool| {
                100.0 * of.iter().filter(|s| is(s)).count() as f64 / of.len() as f64
            };
            let columns: usize = of.iter().map(|s| s.columns).sum();
            let right: usize = of.iter().map(|s| s.right_types).sum();
            let cells = 100.0 * right as f64 / columns.max(1) as f64;
            let figures = [
                share(|s| s.names),
                share(|s| s.rows),
                share(Score::types),
                cells,
                share(Score::all),
            ];
            let [names, rows, types, cells, whole] = figures;
            println!(
                "| {group} | {} | {} | {names:.1} | {rows:.1} | {types:.1} | {cells:.1} | {whole:.1} |",
                of.len(),
                who.name(),
            );
            report.line(&json!({
                "kind": "summary",
                "bench": BENCH,
                "group": group,
                "who": who.name(),
                "files": of.len(),
                "names_percent": names,
                "rows_percent": rows,
                "types_percent": types,
                "column_types_percent": cells,
                "all_percent": whole,
            }))?;
        }
    }
    for (run, who) in scores
        .keys()
        .filter_map(|&who| Some((report.of(BENCH, TASK, who).next()?, who)))
    {
        println!("\n{}: {} s", who.name(), seconds(run.figures.wall));
    }
    println!(
        "\nMastic's seconds are of two processes for each file, a peer's of one for all: they compare nothing."
    );
    Ok(())
}

fn failures(entries: &[Entry], scores: &[Score], show: usize) {
    let wrong: Vec<(&Entry, &Score)> = entries
        .iter()
        .zip(scores)
        .filter(|(_, score)| !score.all())
        .collect();
    let hidden = wrong.iter().filter(|(entry, _)| entry.held_out).count();
    println!(
        "\nNot all right: {} files; {hidden} of them held out, and not named.\n",
        wrong.len()
    );
    for (entry, score) in wrong
        .into_iter()
        .filter(|(entry, _)| !entry.held_out)
        .take(show)
    {
        println!(
            "- `{}`: {}",
            entry.path,
            measure::shorten(&score.why.join("; "))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_spaces() {
        for (column, parts) in [
            ("id bigint", ("id", "bigint")),
            ("unit price decimal(5,2)", ("unit price", "decimal(5,2)")),
            (
                "the time timestamp with local time zone",
                ("the time", "timestamp with local time zone"),
            ),
            (" string", ("", "string")),
        ] {
            assert_eq!(name_and_type(column), parts);
        }
    }
}
