//! What a run did, on the screen and for machines.

use std::io::Write;

use mastic_jobs::{Report, SinkReport, StepReport, Totals};
use serde_json::{Value, json};

use crate::args::Output;
use crate::error::Result;
use crate::format::{bytes, count, counted, cut, duration};
use crate::output::Listing;

/// What each sink wrote, on standard output; what each step did, and the sum, on standard error. For
/// machines it is one JSON object with all of it.
pub(crate) fn tell(report: &Report, output: Output) -> Result<()> {
    match output {
        Output::Json => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", object(report))?;
            Ok(())
        }
        Output::Csv => sinks(report, output),
        Output::Table => {
            steps(report);
            sinks(report, output)?;
            sum(report);
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
        anstream::eprintln!("{}", line.trim_end());
    }
}

fn sum(report: &Report) {
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
        "{} = {}, in {}",
        left.join(" + "),
        right.join(" + "),
        duration(report.elapsed)
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

fn object(report: &Report) -> Value {
    json!({
        "outcome": "SUCCEEDED",
        "elapsed_ms": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        "totals": {
            "read": report.totals.read,
            "made": report.totals.made,
            "dropped": report.totals.dropped,
            "errors": report.totals.errors,
            "written": report.totals.written,
            "shared": report.totals.shared,
        },
        "steps": report.steps.iter().map(step).collect::<Vec<_>>(),
        "sinks": report.sinks.iter().map(sink).collect::<Vec<_>>(),
    })
}

fn step(step: &StepReport) -> Value {
    json!({
        "step": step.step.label,
        "verb": step.step.verb,
        "rows_in": step.rows_in,
        "rows_out": step.rows_out,
        "dropped": step.dropped,
        "made": step.made,
        "errors": step.errors,
    })
}

fn sink(sink: &SinkReport) -> Value {
    json!({
        "url": sink.url,
        "table": sink.table,
        "rows": sink.written.rows,
        "bytes": sink.written.bytes,
        "files": sink.written.files.len(),
        "replaced": sink.written.replaced.len(),
        "partitions": sink.written.partitions().filter(|(_, values)| !values.is_empty()).count(),
    })
}
