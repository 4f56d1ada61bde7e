//! Why columns are wider than most of their values.

use std::collections::BTreeSet;

use mastic_lake::store::Location;
use mastic_schema::choice::{self, has_choice};
use mastic_schema::hive::format_type;
use mastic_schema::merge::position;

use crate::found::Found;

/// How many columns are told of.
const SHOWN: usize = 20;

/// Which columns are choices to a dynamic frame.
pub(crate) fn choices(found: &Found) -> Vec<String> {
    let all = found.chosen().iter();
    let mut told: Vec<String> = all
        .filter(|f| has_choice(f.data_type()))
        .map(|f| {
            let chosen = choice::format_type(f.data_type());
            format!("column '{}' is {chosen} to a dynamic frame", f.name())
        })
        .collect();
    if told.len() > SHOWN {
        let more = told.len() - SHOWN;
        told.truncate(SHOWN);
        told.push(format!("… and {more} more columns are choices"));
    }
    told
}

/// What files, lines and values made columns wider than most of their values.
pub(crate) fn disagreements(found: &Found, root: &Location) -> Vec<String> {
    let url = |path: &str| root.url_of(&path.into());
    let mut told: Vec<String> = Vec::new();
    for (column, (file, evidence)) in &found.evidence {
        let Some(at) = position(&found.fields, column) else {
            continue;
        };
        let seen: Vec<String> = evidence
            .kinds
            .iter()
            .map(|seen| {
                let times = if seen.count == 1 {
                    "once".into()
                } else {
                    format!("{} times", seen.count)
                };
                let (kind, value, line) = (&seen.kind, &seen.value, seen.line);
                format!("{kind} {times} (first '{value}', line {line})")
            })
            .collect();
        told.push(format!(
            "column '{}' is {}: in {} it is {}",
            found.fields[at].name(),
            format_type(found.fields[at].data_type()),
            url(file),
            seen.join(", ")
        ));
    }
    let mut paths = BTreeSet::new();
    for (file, d) in &found.disagreements {
        if !(d.left.is_numeric() && d.right.is_numeric()) && paths.insert(d.path.clone()) {
            told.push(format!(
                "column '{}' is {}: {} before, {} in {}",
                d.path,
                format_type(&d.merged),
                format_type(&d.left),
                format_type(&d.right),
                url(file)
            ));
        }
    }
    if told.len() > SHOWN {
        let more = told.len() - SHOWN;
        told.truncate(SHOWN);
        told.push(format!(
            "… and {more} more columns with values of several types"
        ));
    }
    told
}
