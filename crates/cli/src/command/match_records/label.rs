//! Labels pairs: in the terminal, or by way of a file.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use mastic_find_matches::{BATCH, LABEL, LABELING_SET_ID, Labelling, Question, Settings};
use mastic_query::Session;

use super::arguments::Label;
use super::labels::{self, Place, Sheet};
use super::{say, transforms};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{counted, cut};
use crate::progress::Line;

/// The most characters of a value that are shown.
const SHOWN: usize = 60;

pub(super) async fn run(arguments: &Label, setting: &Setting) -> Result<()> {
    let session = arguments.tables.session(setting).await?;
    let mut place = match (&arguments.labels, &arguments.transform) {
        (Some(file), _) => Place::File(file),
        (None, Some(name)) => Place::Transform(Box::new(transforms::get(&session, name).await?)),
        (None, None) => {
            return Err(CliError::Usage("say with --labels where labels go".into()));
        }
    };
    let saved = match &place {
        Place::File(_) => None,
        Place::Transform(of) => Some(&of.1.settings),
    };
    let settings = arguments.how.settings(saved, arguments.tables.one_to_one)?;
    if let Some(file) = &arguments.import {
        return import(arguments, &session, &settings, &mut place, file).await;
    }
    let sheet = place.sheet()?;
    let labels = match &sheet {
        Some(sheet) if !sheet.rows.is_empty() => Some(place.labels(&session).await?),
        _ => None,
    };
    let line = Line::new("reading …");
    let input = arguments.tables.open(&session).await?;
    let told = |stage| line.say(say(stage));
    let mut labelling =
        Labelling::open(session.context(), input, &settings, labels.as_ref(), &told).await?;
    drop(line);
    let sheet = sheet.unwrap_or_else(|| Sheet::new(labelling.columns()));
    match &arguments.export {
        Some(file) => export(arguments, &mut labelling, &sheet, file).await,
        None => ask(arguments, &session, &mut labelling, &mut place, sheet).await,
    }
}

/// Writes the questions to a file, to be answered there.
async fn export(
    arguments: &Label,
    labelling: &mut Labelling,
    sheet: &Sheet,
    file: &Path,
) -> Result<()> {
    let questions = labelling.ask(arguments.count as usize).await?;
    if questions.is_empty() {
        return Err(CliError::failed(
            "there is no pair that was not asked about",
        ));
    }
    let columns = labelling.columns().to_vec();
    let mut out = Sheet::new(&columns);
    for (question, set) in questions.iter().zip(sheet.next_set()..) {
        for record in &question.records {
            out.push(&set.to_string(), "", &columns, record);
        }
    }
    out.write(file)?;
    anstream::eprintln!(
        "{} → {}",
        counted(questions.len() as u64, "pair"),
        file.display()
    );
    anstream::eprintln!(
        "next: give the two rows of each set the same label if they match and different ones if not, and then --import {}",
        file.display()
    );
    Ok(())
}

/// Takes the labels of a file into the label file, if they do not contradict what is there.
async fn import(
    arguments: &Label,
    session: &Session,
    settings: &Settings,
    place: &mut Place<'_>,
    file: &Path,
) -> Result<()> {
    let new = Sheet::read(file)?;
    let mut sheet = place.sheet()?.unwrap_or_else(|| Sheet {
        columns: new.columns.clone(),
        rows: Vec::new(),
    });
    let sets: std::collections::HashSet<&str> = new
        .rows
        .iter()
        .map(|r| new.value(r, LABELING_SET_ID))
        .collect();
    let kept = sheet.clone();
    sheet
        .rows
        .retain(|row| !sets.contains(kept.value(row, LABELING_SET_ID)));
    for row in &new.rows {
        let values: Vec<Option<String>> = row.iter().cloned().map(Some).collect();
        let (set, label) = (new.value(row, LABELING_SET_ID), new.value(row, LABEL));
        sheet.push(set, label, &new.columns, &values);
    }
    // It is read as it will be, before it is what it will be.
    let folder = tempfile::tempdir()?;
    let name = file
        .file_name()
        .map_or_else(|| "labels.csv".into(), std::ffi::OsStr::to_os_string);
    let staged = folder.path().join(name);
    sheet.write(&staged)?;
    let labels = labels::read(session, &staged).await?;
    let line = Line::new("reading …");
    let input = arguments.tables.open(session).await?;
    let told = |stage| line.say(say(stage));
    let labelling =
        Labelling::open(session.context(), input, settings, Some(&labels), &told).await?;
    drop(line);
    place.write(session, &sheet).await?;
    told_labelled(place, &labelling);
    Ok(())
}

fn told_labelled(place: &Place<'_>, labelling: &Labelling) {
    let [yes, no] = labelling.labelled();
    anstream::eprintln!(
        "{} match and {} do not, of those that are compared, in {place}",
        counted(yes as u64, "labelled pair"),
        no,
    );
    if let Place::Transform(of) = place {
        anstream::eprintln!(
            "next: mastic match TABLE --save {} --replace learns from them",
            of.0.name
        );
    }
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Known(bool),
    Unsure,
    Back,
    Quit,
}

fn parse(text: &str) -> Option<Answer> {
    Some(match text.trim().to_lowercase().as_str() {
        "y" | "yes" => Answer::Known(true),
        "n" | "no" => Answer::Known(false),
        "u" | "unsure" => Answer::Unsure,
        "b" | "back" => Answer::Back,
        "q" | "quit" => Answer::Quit,
        _ => return None,
    })
}

/// Asks, and keeps each answer.
async fn ask(
    arguments: &Label,
    session: &Session,
    labelling: &mut Labelling,
    place: &mut Place<'_>,
    mut sheet: Sheet,
) -> Result<()> {
    let columns = labelling.columns().to_vec();
    let wanted = arguments.count as usize;
    let mut questions: Vec<Question> = Vec::new();
    // How many rows the sheet had before each answer.
    let mut before: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < wanted {
        if at == questions.len() {
            let more = labelling.ask(BATCH.min(wanted - at)).await?;
            if more.is_empty() {
                anstream::eprintln!("there is no pair that was not asked about");
                break;
            }
            questions.extend(more);
        }
        let Some(question) = questions.get(at) else {
            break;
        };
        show(&columns, question, at, wanted, labelling)?;
        let answer = match read_answer().await? {
            Answer::Quit => break,
            Answer::Back => {
                let Some(rows) = before.pop() else {
                    anstream::eprintln!("this is the first pair");
                    continue;
                };
                at -= 1;
                sheet.rows.truncate(rows);
                if let Some(question) = questions.get(at) {
                    labelling.take_back(question);
                }
                place.write(session, &sheet).await?;
                continue;
            }
            Answer::Known(is_match) => Some(is_match),
            Answer::Unsure => None,
        };
        if let Err(error) = labelling.answer(question, answer) {
            anstream::eprintln!("not kept, for it contradicts another answer: {error}");
            continue;
        }
        before.push(sheet.rows.len());
        let set = sheet.next_set().to_string();
        let labels = match answer {
            Some(true) => ["A", "A"],
            Some(false) => ["A", "B"],
            None => ["", ""],
        };
        for (record, label) in question.records.iter().zip(labels) {
            sheet.push(&set, label, &columns, record);
        }
        place.write(session, &sheet).await?;
        at += 1;
    }
    told_labelled(place, labelling);
    Ok(())
}

/// One line of standard input; at its end there is nobody to ask.
async fn read_answer() -> Result<Answer> {
    loop {
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map(|bytes| (bytes > 0).then_some(line))
        });
        let line = line.await.map_err(|e| CliError::failed(e.to_string()))??;
        match line.as_deref().map(parse) {
            None => return Ok(Answer::Quit),
            Some(Some(answer)) => return Ok(answer),
            Some(None) => {
                anstream::eprint!("y, n, u, b or q? ");
                std::io::stderr().flush()?;
            }
        }
    }
}

/// Both records side by side; what differs is marked.
fn show(
    columns: &[String],
    question: &Question,
    at: usize,
    wanted: usize,
    labelling: &Labelling,
) -> Result<()> {
    let mut out = anstream::stderr().lock();
    let [yes, no] = labelling.labelled();
    writeln!(
        out,
        "\npair {} of {wanted}; {yes} match and {no} do not; this one matches with {:.0} %",
        at + 1,
        100.0 * question.match_probability
    )?;
    let one = |text: &Option<String>| {
        cut(
            &text
                .as_deref()
                .unwrap_or_default()
                .replace(['\n', '\r', '\t'], " "),
            SHOWN,
        )
    };
    let [left, right] = question
        .records
        .each_ref()
        .map(|r| r.iter().map(one).collect::<Vec<_>>());
    let wide = |texts: &[String]| texts.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    let (names, values) = (wide(columns), wide(&left));
    let bold = match std::io::stderr().is_terminal() {
        true => Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
        false => Style::new(),
    };
    for ((name, a), b) in columns.iter().zip(&left).zip(&right) {
        let (mark, style) = match a == b {
            true => (" ", Style::new()),
            false => ("≠", bold),
        };
        let gap = " ".repeat(values - a.chars().count());
        writeln!(out, "{style}{mark} {name:names$}  {a}{gap}  {b}{style:#}")?;
    }
    write!(out, "a match? y, n, u(nsure), b(ack), q(uit): ")?;
    out.flush()?;
    Ok(())
}
