//! What a run did, on the screen and for machines.

use std::io::Write;

use mastic_catalog::Run;
use mastic_jobs::{Report, Totals};
use mastic_query::frame::FrameScan;
use serde_json::{Value, json};

use crate::args::Output;
use crate::error::Result;
use crate::format::{bytes, count, counted, cut, duration};
use crate::output::Listing;

/// What each sink wrote, on standard output; what each step did, and the sum, on standard error. For
/// machines it is one JSON object with all of it.
pub(crate) fn tell(run: &Run, report: &Report, output: Output) -> Result<()> {
    match output {
        Output::Json => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", object(run, report))?;
            Ok(())
        }
        Output::Csv => sinks(report, output),
        Output::Table => {
            steps(report);
            sinks(report, output)?;
            sum(run, report);
            Ok(())
        }
    }
}

fn sinks(report: &Report, output: Output) -> Result<()> {
    let exact = output != Output::Table;
    let number = |n: u64| if exact { n.to_string() } else { count(n) };
    let mut listing = Listing::new(&["sink", "table", "rows", "files", "size", "partitions"]);
    for sink in &report.sinks {
        let written = &sink.written;
        listing.push(vec![
            sink.url.clone(),
            sink.table.clone().unwrap_or_default(),
            number(written.rows),
            written.files.len().to_string(),
            if exact {
                written.bytes.to_string()
            } else {
                bytes(written.bytes)
            },
            if written.key_schema.fields().is_empty() {
                String::new()
            } else {
                written.partitions().count().to_string()
            },
        ]);
    }
    listing.write(output)
}

/// The steps as a table on standard error: standard output is for what was written.
fn steps(report: &Report) {
    const WIDTH: usize = 44;
    if report.steps.is_empty() {
        return;
    }
    let width = report.steps.iter().map(|s| s.step.label.chars().count());
    let width = width.max().unwrap_or_default().clamp(4, WIDTH);
    let shown = |n: u64| if n == 0 { String::new() } else { count(n) };
    anstream::eprintln!(
        "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>8}",
        "step",
        "rows in",
        "rows out",
        "dropped",
        "made",
        "errors"
    );
    for step in &report.steps {
        let line = format!(
            "{:width$}  {:>12}  {:>12}  {:>12}  {:>12}  {:>8}",
            cut(&step.step.label, width),
            count(step.rows_in),
            count(step.rows_out),
            shown(step.dropped),
            shown(step.made),
            shown(step.errors)
        );
        let lost: Vec<String> = step
            .casts
            .iter()
            .filter(|cast| cast.lost > 0)
            .map(|cast| format!("{} of {} became NULL", count(cast.lost), cast.path))
            .collect();
        anstream::eprintln!("{}", format!("{line}  {}", lost.join(", ")).trim_end());
    }
}

fn sum(run: &Run, report: &Report) {
    let Totals {
        read,
        made,
        dropped,
        errors,
        written,
        shared,
        ..
    } = report.totals;
    let mut left = vec![format!("{} read", count(read))];
    if made > 0 {
        left.push(format!("{} made", count(made)));
    }
    if shared > 0 {
        left.push(format!("{} used again", count(shared.unsigned_abs())));
    }
    let mut right = vec![
        format!("{} written", count(written)),
        format!("{} dropped", count(dropped)),
        format!("{} set aside as errors", count(errors)),
    ];
    if shared < 0 {
        right.push(format!("{} not used", count(shared.unsigned_abs())));
    }
    anstream::eprintln!(
        "{} = {}, in {} (run {})",
        left.join(" + "),
        right.join(" + "),
        duration(report.elapsed),
        run.id.get(..11).unwrap_or(&run.id)
    );
    for (step, first) in &report.first_errors {
        let place = match (&first.file, first.line) {
            (Some(file), Some(line)) => format!(" ({file}, line {line})"),
            (Some(file), None) => format!(" ({file})"),
            _ => String::new(),
        };
        let number = report.steps.iter().find(|s| s.step.label == *step);
        anstream::eprintln!(
            "{step}: {}, the first: {}{place}",
            counted(number.map_or(1, |s| s.errors), "error record"),
            cut(&first.reason, 200)
        );
    }
    if errors > 0 && !report.errors_written {
        anstream::eprintln!("to keep error records, write them: a sink with 'frame: errors'");
    }
}

/// What a plan reads of a source, and what it was told to leave out.
pub(crate) fn scan(scan: &FrameScan) -> String {
    let mut out = format!(
        "reads {}: {}, {}",
        scan.name,
        counted(scan.files, "file"),
        bytes(scan.bytes)
    );
    if let Some(store) = &scan.store {
        out.push_str(&format!(
            "; {} of {}",
            count(store.selected),
            counted(store.partitions, "partition")
        ));
        if let Some(predicate) = &store.predicate {
            out.push_str(&format!(", chosen in the catalog store by {predicate}"));
        }
    }
    let mut told = |what: &str, filters: &[String]| {
        if !filters.is_empty() {
            out.push_str(&format!("\n  {what}: {}", filters.join(" and ")));
        }
    };
    told("partitions left out", &scan.partition_filters);
    told("filters for the reader", &scan.filters);
    out.push_str(&format!(
        "\n  columns: {} of {}",
        scan.columns.len(),
        scan.all_columns
    ));
    out
}

fn object(run: &Run, report: &Report) -> Value {
    let mut object = json!({
        "RunId": run.id,
        "JobName": run.job_name,
        "JobRunState": run.job_run_state.as_str(),
        "ElapsedMilliseconds": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
    });
    if let (Value::Object(object), Value::Object(summary)) = (&mut object, report.summary()) {
        object.extend(summary);
    }
    object
}
