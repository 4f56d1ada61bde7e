//! A run's report as it is kept in the catalog, in the shape of [`mastic_catalog::Run::summary`].

use serde_json::{Value, json};

use crate::run::{Report, SinkReport};
use crate::tally::{StepReport, Totals};

/// What a run read of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceReport {
    /// The source's name in the script.
    pub source: String,
    /// The files that were to be read.
    pub files: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
}

impl Report {
    /// The report as the catalog keeps it, and as `--output json` shows it.
    pub fn summary(&self) -> Value {
        json!({
            "Sources": self.sources.iter().map(|s| self.source(s)).collect::<Vec<_>>(),
            "Steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "Sinks": self.sinks.iter().map(sink).collect::<Vec<_>>(),
            "Totals": totals(&self.totals),
        })
    }

    fn source(&self, source: &SourceReport) -> Value {
        let read = self.steps.iter().find(|s| s.step.label == source.source);
        json!({
            "Name": source.source,
            "Rows": read.map_or(0, |s| s.rows_in),
            "Files": source.files,
            "Bytes": source.bytes,
        })
    }
}

fn step(step: &StepReport) -> Value {
    let casts = step.casts.iter().map(|cast| {
        json!({
            "Path": cast.path,
            "Type": cast.to,
            "Kept": cast.kept,
            "Lost": cast.lost,
        })
    });
    let mut told = json!({
        "Name": step.step.label,
        "Verb": step.step.verb,
        "RowsIn": step.rows_in,
        "RowsOut": step.rows_out,
        "Dropped": step.dropped,
        "Made": step.made,
        "Errors": step.errors,
    });
    // Most steps cast nothing.
    if let (false, Some(told)) = (step.casts.is_empty(), told.as_object_mut()) {
        told.insert("Casts".to_owned(), casts.collect());
    }
    told
}

fn sink(sink: &SinkReport) -> Value {
    let partitions = sink.written.partitions();
    json!({
        "Name": sink.url,
        "Table": sink.table,
        "Rows": sink.written.rows,
        "Files": sink.written.files.len(),
        "Bytes": sink.written.bytes,
        "Replaced": sink.written.replaced.len(),
        "Partitions": partitions.filter(|(_, values)| !values.is_empty()).count(),
    })
}

fn totals(totals: &Totals) -> Value {
    json!({
        "Read": totals.read,
        "Made": totals.made,
        "Shared": totals.shared,
        "Written": totals.written,
        "Dropped": totals.dropped,
        "Errors": totals.errors,
    })
}
