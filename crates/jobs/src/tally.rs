//! What a run did with its records, step by step: nothing disappears.
//!
//! For each step, `rows in + made = rows out + dropped + errors`; for the run as a whole, the records that
//! were read, and those that steps made, are the records that were written, dropped or set aside, and those
//! that went to nobody or to several.

use std::collections::BTreeMap;

use mastic_dynamic_frame::{CastCount, Ledger, StepCount};

/// A step, as it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepInfo {
    /// By which its counts and error records are known: `flights` for a source, `late: 2 filter` for the
    /// second step of the frame `late`.
    pub label: String,
    /// The step's verb; `read` for a source.
    pub verb: String,
    /// The labels of what it takes its records from.
    pub inputs: Vec<String>,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepReport {
    /// The step.
    pub step: StepInfo,
    /// The records that it took in; of a source, those that it read, bad ones included.
    pub rows_in: u64,
    /// The records that it gave.
    pub rows_out: u64,
    /// The records that it made beyond those that it took: by a join, or out of arrays.
    pub made: u64,
    /// The records that it left out.
    pub dropped: u64,
    /// The records that it set aside.
    pub errors: u64,
    /// What became of the values that it cast, where one that cannot be cast becomes NULL.
    pub casts: Vec<CastCount>,
}

/// The sum over a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Records read from sources, bad ones included.
    pub read: u64,
    /// Records that steps made.
    pub made: u64,
    /// Records that steps left out.
    pub dropped: u64,
    /// Error records.
    pub errors: u64,
    /// Records written, those of the frame `errors` not counted.
    pub written: u64,
    /// How many records more went to several steps or sinks (positive), or to none (negative).
    pub shared: i64,
}

/// Puts a run's counts to its steps.
pub(crate) fn report(steps: &[StepInfo], ledger: &Ledger) -> Vec<StepReport> {
    let counts: BTreeMap<String, StepCount> = ledger
        .counts()
        .into_iter()
        .map(|c| (c.step.clone(), c))
        .collect();
    let of = |label: &str| counts.get(label).map_or((0, 0), |c| (c.rows, c.errors));
    let reports = steps.iter().map(|step| {
        let (rows_out, errors) = of(&step.label);
        let casts = counts.get(&step.label).map(|c| c.casts.clone());
        let rows_in = match step.inputs.as_slice() {
            [] => rows_out + errors,
            inputs => inputs.iter().map(|label| of(label).0).sum(),
        };
        let left = rows_in.saturating_sub(errors);
        StepReport {
            step: step.clone(),
            rows_in,
            rows_out,
            made: rows_out.saturating_sub(left),
            dropped: left.saturating_sub(rows_out),
            errors,
            casts: casts.unwrap_or_default(),
        }
    });
    reports.collect()
}

/// Sums a run up.
pub(crate) fn totals(steps: &[StepReport], written: u64) -> Totals {
    let sum = |of: fn(&StepReport) -> u64| steps.iter().map(of).sum::<u64>();
    let sources = steps.iter().filter(|s| s.step.inputs.is_empty());
    let mut totals = Totals {
        read: sources.map(|s| s.rows_in).sum(),
        made: sum(|s| s.made),
        dropped: sum(|s| s.dropped),
        errors: sum(|s| s.errors),
        written,
        shared: 0,
    };
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    totals.shared =
        signed(totals.written + totals.dropped + totals.errors) - signed(totals.read + totals.made);
    totals
}
