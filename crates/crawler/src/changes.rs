//! What is different in a table, in lines for people.

use mastic_catalog::parameters as names;
use mastic_catalog::{Parameters, TableDiff, ValueChange};

use crate::table::INFERRED;

/// How many partitions of each kind of change are named.
const SHOWN: usize = 5;

fn line(what: &str, change: &ValueChange) -> String {
    let name = &change.name;
    let what = if what.is_empty() {
        String::new()
    } else {
        format!("{what} ")
    };
    match (&change.from, &change.to) {
        (None, Some(to)) => format!("+ {what}{name}: {to}"),
        (Some(from), None) => format!("- {what}{name}: {from}"),
        (from, to) => format!(
            "~ {what}{name}: {} → {}",
            from.as_deref().unwrap_or("nothing"),
            to.as_deref().unwrap_or("nothing")
        ),
    }
}

/// What is different in a table itself.
pub(crate) fn of_table(diff: &TableDiff) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(diff.columns.iter().map(|c| line("column", c)));
    lines.extend(diff.partition_keys.iter().map(|c| line("partition key", c)));
    lines.extend(diff.properties.iter().map(|c| line("", c)));
    lines.extend(
        diff.parameters
            .iter()
            .filter(|c| ![names::FINGERPRINT, INFERRED].contains(&c.name.as_str()))
            .map(|c| line("parameter", c)),
    );
    lines
}

/// Whether parameters say the same, but for the fingerprint of the files.
pub(crate) fn is_same(a: &Parameters, b: &Parameters) -> bool {
    let told = |p: &Parameters| {
        let mut p = p.clone();
        p.remove(names::FINGERPRINT);
        p
    };
    told(a) == told(b)
}

/// What is different in a table's partitions.
pub(crate) fn of_partitions<'a>(
    sign: char,
    values: impl ExactSizeIterator<Item = &'a Vec<String>>,
) -> Vec<String> {
    let all = values.len();
    let mut lines: Vec<String> = values
        .take(SHOWN)
        .map(|values| format!("{sign} partition {}", values.join("/")))
        .collect();
    if all > SHOWN {
        lines.push(format!("{sign} … and {} more partitions", all - SHOWN));
    }
    lines
}
