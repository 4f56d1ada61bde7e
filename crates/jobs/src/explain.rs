//! A script as a picture: what it reads, what it makes of that, and what it writes.

use std::fmt::Write as _;

use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use mastic_connect::{Connection, redacted};
use mastic_dynamic_frame::JoinKind;

use crate::graph::{Input, base, inputs, order};
use crate::plan::Plan;
use crate::script::{ERRORS, FrameDef, Origin, RelationDef, RowsDef, Script, ShapeStep, Step};
use crate::source::Text;

/// Draws the flow of frames, in the order in which they build on each other. With a plan, each
/// frame also says how many fields it has.
pub fn explain(script: &Script, plan: Option<&Plan>) -> String {
    let state = SessionContext::new().state();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", script.name);
    if let Some(description) = &script.description {
        let _ = writeln!(out, "{}", description.as_str().trim());
    }
    for parameter in &script.parameters {
        let _ = writeln!(out, "  ${{{}}} = {}", parameter.name, parameter.shown());
    }
    out.push('\n');
    draw_sources(script, plan, &mut out);
    // A circle was complained of before; here the order of the script will do.
    let frames = order(script, &state).unwrap_or_else(|_| (0..script.frames.len()).collect());
    for number in frames {
        draw_frame(script, &script.frames[number], plan, &state, &mut out);
    }
    draw_sinks(script, &mut out);
    out
}

fn draw_sources(script: &Script, plan: Option<&Plan>, out: &mut String) {
    let width = width(script.sources.iter().map(|s| &s.name));
    for source in &script.sources {
        let origin = match &source.origin {
            Origin::Table(table) => format!("table {table}"),
            Origin::Path { path, format, .. } => match format {
                Some(format) => format!("{format} files {path}"),
                None => format!("files {path}"),
            },
            Origin::Connection {
                connection,
                relation,
            } => {
                let known = connection.as_str().parse::<Connection>();
                let place = match known {
                    Ok(connection) => connection.to_string(),
                    Err(_) => redacted(connection.as_str()),
                };
                match relation {
                    RelationDef::Table(table) => format!("table {table} of {place}"),
                    RelationDef::Query(query) => {
                        format!("query of {place}: {}", one_line(query))
                    }
                }
            }
        };
        let fields = plan.map(|p| count(&p.sources, source.name.as_str()));
        let _ = write!(
            out,
            "  {:width$}  ◀── {origin}{}",
            source.name.as_str(),
            fields.unwrap_or_default()
        );
        if let Some(predicate) = &source.predicate {
            let _ = write!(out, "  where {}", one_line(predicate));
        }
        out.push('\n');
    }
}

fn draw_frame(
    script: &Script,
    frame: &FrameDef,
    plan: Option<&Plan>,
    state: &SessionState,
    out: &mut String,
) {
    let mut from: Vec<&str> = Vec::new();
    for (input, _) in inputs(script, frame, state) {
        let name = match input {
            Input::Source(number) => script.sources[number].name.as_str(),
            Input::Frame(number) => script.frames[number].name.as_str(),
            Input::Errors => ERRORS,
        };
        if !from.contains(&name) {
            from.push(name);
        }
    }
    let _ = writeln!(out, "\n  ╭─ {} ◀── {}", frame.name, from.join(", "));
    let width = width(frame.steps.iter().map(|s| &s.verb));
    for step in &frame.steps {
        let drawn = draw_step(&step.step);
        let mut lines = drawn.lines();
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(
            out,
            "{}",
            format!("  │  {:width$}  {first}", step.verb.as_str()).trim_end()
        );
        for line in lines {
            let _ = writeln!(out, "  │  {:width$}  {line}", "");
        }
    }
    let mut to: Vec<String> = Vec::new();
    for other in script.frames.iter().filter(|f| f.name != frame.name) {
        let uses = inputs(script, other, state).into_iter().any(
            |(input, _)| matches!(input, Input::Frame(n) if script.frames[n].name == frame.name),
        );
        if uses {
            to.push(other.name.to_string());
        }
    }
    to.extend(
        script
            .sinks
            .iter()
            .filter(|s| base(s.frame.as_str()) == frame.name.as_str())
            .map(|s| s.path.to_string()),
    );
    let fields = plan
        .map(|p| count(&p.frames, frame.name.as_str()))
        .unwrap_or_default();
    let to = if to.is_empty() {
        "nothing".to_owned()
    } else {
        to.join(", ")
    };
    let _ = writeln!(out, "  ╰─▶ {to}{fields}");
}

fn draw_sinks(script: &Script, out: &mut String) {
    out.push('\n');
    for sink in &script.sinks {
        let _ = write!(
            out,
            "  {} ──▶ {}  {}, {}",
            sink.frame,
            sink.path,
            sink.format.name(),
            sink.mode.name()
        );
        if !sink.partition_by.is_empty() {
            let _ = write!(out, ", by {}", list(&sink.partition_by));
        }
        if let Some(table) = &sink.table {
            let _ = write!(out, "  ──▶ table {table}");
        }
        out.push('\n');
    }
}

fn draw_step(step: &Step) -> String {
    match step {
        Step::From(name) => name.to_string(),
        Step::DropFields(fields) | Step::SelectFields(fields) => list(fields),
        Step::DropNullFields => String::new(),
        Step::RenameField(pairs) => pairs
            .iter()
            .map(|(old, new)| format!("{old} → {new}"))
            .collect::<Vec<_>>()
            .join(", "),
        Step::Filter(condition) => one_line(condition),
        Step::Map(changes) => changes
            .iter()
            .map(|(field, expression)| match expression {
                Some(expression) => format!("{field} = {}", one_line(expression)),
                None => format!("{field} removed"),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Step::Join { with, on, how, .. } => {
            let keys = on.iter().map(|(left, right)| match left == right {
                true => left.to_string(),
                false => format!("{left} = {right}"),
            });
            let keys = keys.collect::<Vec<_>>().join(", ");
            let kind = match how {
                JoinKind::Inner => "",
                JoinKind::Left => ", keeping all on the left",
                JoinKind::Right => ", keeping all on the right",
                JoinKind::Full => ", keeping all",
                JoinKind::Semi => ", only whether there is one",
                _ => ", only where there is none",
            };
            format!("{with} on {keys}{kind}")
        }
        Step::ApplyMapping(mappings, _) => mappings
            .iter()
            .map(|m| {
                let m = &m.mapping;
                let typed = |path: &str, kind: &Option<String>| match kind {
                    Some(kind) => format!("{path} {kind}"),
                    None => path.to_owned(),
                };
                format!(
                    "{} → {}",
                    typed(&m.source, &m.source_type),
                    typed(&m.target, &m.target_type)
                )
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Step::Union(others) => list(others),
        Step::Sql(query) => query.as_str().trim_end().to_owned(),
        Step::Shape(step) => draw_shape(step),
        Step::Enrich(step) => step.draw(),
    }
}

fn draw_shape(step: &ShapeStep) -> String {
    match step {
        ShapeStep::ResolveChoice(specs) => specs
            .iter()
            .map(|(path, action, _)| format!("{path} {action}"))
            .collect::<Vec<_>>()
            .join("\n"),
        ShapeStep::ResolveChoices(action, _) => format!("all {action}"),
        ShapeStep::MatchCatalog(table) => format!("as in table {table}"),
        ShapeStep::Unnest => String::new(),
        ShapeStep::DynamoDb { numbers, .. } => match numbers {
            Some(numbers) => format!("numbers {numbers}"),
            None => String::new(),
        },
        ShapeStep::SplitFields {
            paths,
            names: (first, second),
        } => format!("{} to {first}, all else to {second}", list(paths)),
        ShapeStep::SplitRows {
            rows,
            names: (first, second),
        } => {
            let rows = match rows {
                RowsDef::Where(condition) => one_line(condition),
                RowsDef::Comparisons(all) => all
                    .iter()
                    .map(|(path, operator, value)| format!("{path} {operator} {value}"))
                    .collect::<Vec<_>>()
                    .join(" and "),
            };
            format!("{rows} to {first}, all else to {second}")
        }
        ShapeStep::Relationalize(name) | ShapeStep::Select(name) => name.to_string(),
        ShapeStep::MapEach(steps) => steps
            .iter()
            .map(|s| {
                format!("{} {}", s.verb, draw_step(&s.step))
                    .trim_end()
                    .to_owned()
            })
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn list(texts: &[Text]) -> String {
    texts
        .iter()
        .map(Text::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

fn one_line(text: &Text) -> String {
    text.as_str()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn width<'a>(names: impl Iterator<Item = &'a Text>) -> usize {
    names
        .map(|n| n.as_str().chars().count())
        .max()
        .unwrap_or_default()
}

fn count(frames: &[(String, mastic_dynamic_frame::DynamicFrame)], name: &str) -> String {
    let found = frames.iter().find(|(known, _)| known == name);
    let of_it = |known: &str| known.split_once('/').is_some_and(|(base, _)| base == name);
    match frames.iter().filter(|(known, _)| of_it(known)).count() {
        0 => {}
        1 => return "  (1 frame)".to_owned(),
        n => return format!("  ({n} frames)"),
    }
    found.map_or_else(String::new, |(_, frame)| match frame.fields().len() {
        1 => "  (1 field)".to_owned(),
        n => format!("  ({n} fields)"),
    })
}
