//! What can be checked in a script as a whole before any source is opened.

use std::collections::HashSet;

use crate::graph::{all_steps, base};
use crate::paths::{inside, normal};
use crate::script::ERRORS;
use crate::script::ast::{Origin, Script, Step};
use crate::script::reader::Reader;
use crate::source::Text;

pub(crate) fn check(script: &Script, reader: &mut Reader) {
    let mut names = reader.declared.clone();
    names.sort_unstable();
    names.dedup();
    for name in script
        .frames
        .iter()
        .map(|f| &f.name)
        .chain(script.sources.iter().map(|s| &s.name))
    {
        check_name(name, reader);
        if name.as_str() == ERRORS {
            reader
                .error(
                    name.span(),
                    "'errors' is the frame of the run's error records",
                )
                .hint = Some("give yours another name".to_owned());
        }
    }
    let mut look_up = |name: &Text, what: &str| {
        if !names.iter().any(|known| known == base(name.as_str())) {
            reader.unknown(name, what, names.iter().map(String::as_str));
        }
    };
    for frame in &script.frames {
        for step in all_steps(&frame.steps) {
            match &step.step {
                Step::From(name) => look_up(name, "source or frame"),
                Step::Join { with, .. } => look_up(with, "source or frame"),
                Step::Enrich(step) => step
                    .inputs()
                    .iter()
                    .for_each(|name| look_up(name, "source or frame")),
                Step::Union(others) => {
                    others
                        .iter()
                        .for_each(|name| look_up(name, "source or frame"));
                }
                _ => {}
            }
        }
    }
    for sink in &script.sinks {
        look_up(&sink.frame, "frame");
    }
    for frame in script.frames.iter().filter(|f| f.complete) {
        check_start(script, frame, reader);
    }
    check_paths(script, reader);
    for sink in &script.sinks {
        let mut seen = HashSet::new();
        for key in &sink.partition_by {
            if !seen.insert(key.as_str().to_lowercase()) {
                reader.error(key.span(), format!("'{key}' is a partition key twice"));
            }
        }
    }
}

/// A frame's name must be one that SQL can write without quotes.
fn check_name(name: &Text, reader: &mut Reader) {
    let text = name.as_str();
    let letter = |c: char| c == '_' || c.is_ascii_lowercase();
    if text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        return;
    }
    let mut fixed: String = text
        .to_lowercase()
        .chars()
        .map(|c| {
            if letter(c) || c.is_ascii_digit() {
                c
            } else {
                '_'
            }
        })
        .collect();
    if !fixed.starts_with(letter) {
        fixed.insert(0, '_');
    }
    reader
        .error(
            name.span(),
            format!("'{name}' cannot be used as a name in SQL"),
        )
        .hint = Some(format!(
        "use lower-case letters, digits and _, as in '{fixed}'"
    ));
}

/// A frame starts from something.
fn check_start(script: &Script, frame: &crate::script::ast::FrameDef, reader: &mut Reader) {
    let continues = script.sources.iter().any(|s| s.name == frame.name);
    let Some(first) = frame.steps.first() else {
        reader.error(
            frame.name.span(),
            format!("frame '{}' has no steps", frame.name),
        );
        return;
    };
    if !continues && !matches!(first.step, Step::From(_) | Step::Sql(_)) {
        reader
            .error(
                first.verb.span(),
                format!("frame '{}' does not say what it starts from", frame.name),
            )
            .hint = Some("make '- from: SOURCE' its first step".to_owned());
    }
    for step in all_steps(&frame.steps).into_iter().skip(1) {
        if matches!(step.step, Step::From(_)) {
            reader
                .error(step.verb.span(), "'from' is a frame's first step")
                .hint = Some("to bring in another frame use join or union".to_owned());
        }
    }
}

/// No two sinks write to one place, and none writes where the script reads.
fn check_paths(script: &Script, reader: &mut Reader) {
    let mut written: Vec<(String, &Text)> = Vec::new();
    let steps = script.frames.iter().flat_map(|f| all_steps(&f.steps));
    let aside = steps.filter_map(|step| match &step.step {
        Step::Enrich(step) => step.sink(),
        _ => None,
    });
    for sink in script.sinks.iter().chain(aside) {
        let path = normal(sink.path.as_str());
        for (other, _) in &written {
            if inside(&path, other) || inside(other, &path) {
                reader
                    .error(
                        sink.path.span(),
                        format!("two sinks write to '{}'", sink.path),
                    )
                    .hint = Some("give each sink a folder of its own".to_owned());
                break;
            }
        }
        for source in &script.sources {
            let Origin::Path { path: read, .. } = &source.origin else {
                continue;
            };
            let folder = read
                .as_str()
                .split(['*', '?', '{'])
                .next()
                .unwrap_or_default();
            let read = normal(folder);
            if inside(&path, &read) || inside(&read, &path) {
                let message = format!(
                    "the script reads what it writes here: source '{}'",
                    source.name
                );
                reader.error(sink.path.span(), message).hint =
                    Some("write to a folder of its own".to_owned());
            }
        }
        written.push((path, &sink.path));
    }
    let mut tables = HashSet::new();
    for table in script.sinks.iter().filter_map(|s| s.table.as_ref()) {
        if !tables.insert(table.as_str()) {
            reader.error(
                table.span(),
                format!("two sinks update the table '{table}'"),
            );
        }
    }
}
