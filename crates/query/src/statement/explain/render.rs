//! A tree of operators as text, as JSON, and as a graph.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::run::counted;
use super::node::{Measured, Node};
use super::scans::bytes_shown;

/// As lines, each operator above what it works on.
pub(super) fn text(root: &Node, total: Option<(usize, Duration)>) -> Vec<String> {
    let mut lines = Vec::new();
    let all = root.nanos();
    let longest = root.longest();
    write(root, "", "", all, longest, &mut lines);
    if let Some((rows, time)) = total {
        lines.push(String::new());
        lines.push(format!(
            "{} in {}; times of operators are summed over threads",
            counted(rows, "row"),
            time_shown(time)
        ));
    }
    lines
}

fn write(
    node: &Node,
    first: &str,
    rest: &str,
    all: usize,
    longest: usize,
    lines: &mut Vec<String>,
) {
    let mut line = format!("{first}{}", node.operator);
    if !node.does.is_empty() {
        let _ = write!(line, " {}", one_line(&node.does));
    }
    let notes = notes(node, all);
    if !notes.is_empty() {
        let _ = write!(line, "  [{}]", notes.join(", "));
    }
    if let Some(measured) = node.measured
        && longest > 0
        && measured.nanos == longest
    {
        line.push_str("  ← most expensive");
    }
    lines.push(line);
    let below = if node.inputs.is_empty() {
        "    "
    } else {
        "│   "
    };
    for (name, value) in &node.details {
        lines.push(format!("{rest}{below}{name}: {}", one_line(value)));
    }
    let last = node.inputs.len().saturating_sub(1);
    for (at, input) in node.inputs.iter().enumerate() {
        let (mine, others) = if at == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        write(
            input,
            &format!("{rest}{mine}"),
            &format!("{rest}{others}"),
            all,
            longest,
            lines,
        );
    }
}

/// A text without line breaks.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn notes(node: &Node, all: usize) -> Vec<String> {
    let mut notes = Vec::new();
    match node.measured {
        Some(measured) => {
            if let Some(rows) = measured.rows {
                let estimate = match node.estimated {
                    Some((estimated, false)) => format!(" (≈ {estimated} expected)"),
                    _ => String::new(),
                };
                notes.push(format!("{}{estimate}", counted(rows, "row")));
            }
            notes.push(time_shown(nanos(measured)));
            notes.push(format!("{} %", share(measured.nanos, all)));
            if measured.read > 0 {
                notes.push(format!("read {}", bytes_shown(measured.read as u64)));
            }
            if measured.spilled > 0 {
                notes.push(format!("spilled {}", bytes_shown(measured.spilled as u64)));
            }
        }
        None => match node.estimated {
            Some((rows, true)) => notes.push(counted(rows, "row")),
            Some((rows, false)) => notes.push(format!("≈ {}", counted(rows, "row"))),
            None => {}
        },
    }
    notes
}

fn nanos(measured: Measured) -> Duration {
    Duration::from_nanos(measured.nanos as u64)
}

fn share(part: usize, all: usize) -> usize {
    part.saturating_mul(100).checked_div(all).unwrap_or(0)
}

fn time_shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{:.2} ms", seconds * 1000.0)
    }
}

/// As JSON.
pub(super) fn json(node: &Node) -> Value {
    let details: serde_json::Map<String, Value> = node
        .details
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let mut object = json!({
        "operator": node.operator,
        "does": node.does,
        "details": details,
        "estimatedRows": node.estimated.map(|(rows, _)| rows),
        "inputs": node.inputs.iter().map(json).collect::<Vec<_>>(),
    });
    if let (Some(measured), Some(object)) = (node.measured, object.as_object_mut()) {
        let measured = json!({
            "rows": measured.rows,
            "seconds": nanos(measured).as_secs_f64(),
            "bytesRead": measured.read,
            "bytesSpilled": measured.spilled,
        });
        object.insert("measured".to_owned(), measured);
    }
    object
}

/// As a graph in the language of Graphviz.
pub(super) fn graphviz(root: &Node) -> String {
    let mut out = String::from("digraph plan {\n  rankdir = BT;\n  node [shape = box];\n");
    let mut count = 0;
    graph(root, None, &mut count, &mut out);
    out.push('}');
    out
}

fn graph(node: &Node, above: Option<usize>, count: &mut usize, out: &mut String) {
    let own = *count;
    *count += 1;
    let mut label = format!("{} {}", node.operator, node.does);
    for (name, value) in &node.details {
        let _ = write!(label, "\n{name}: {value}");
    }
    let label = label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    let _ = writeln!(out, "  n{own} [label = \"{label}\"];");
    if let Some(above) = above {
        let _ = writeln!(out, "  n{own} -> n{above};");
    }
    for input in &node.inputs {
        graph(input, Some(own), count, out);
    }
}
