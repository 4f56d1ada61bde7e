//! Which frame is made from which: the order in which frames are planned, and circles.

use datafusion::execution::SessionState;
use mastic_dynamic_frame::sql_frames;

use crate::error::ScriptError;
use crate::script::{ERRORS, FrameDef, Script, ShapeStep, Step, StepDef};
use crate::source::{Span, Text};

/// What a name in a step stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Source(usize),
    Frame(usize),
    /// The run's error records.
    Errors,
}

/// The frame or collection that a name leads to: `tables` of `tables/root_a`.
pub(crate) fn base(name: &str) -> &str {
    name.split_once('/').map_or(name, |(base, _)| base)
}

/// The steps, and those within them.
pub(crate) fn all_steps(steps: &[StepDef]) -> Vec<&StepDef> {
    let mut all = Vec::new();
    for step in steps {
        all.push(step);
        if let Step::Shape(ShapeStep::MapEach(inner)) = &step.step {
            all.extend(all_steps(inner));
        }
    }
    all
}

/// What a name means inside a frame. A frame's own name is the source of that name, which the
/// frame continues; any other name is the frame of that name before the source.
pub(crate) fn resolve(script: &Script, inside: &FrameDef, name: &str) -> Option<Input> {
    let name = base(name);
    let source = || {
        script
            .sources
            .iter()
            .position(|s| s.name.as_str() == name)
            .map(Input::Source)
    };
    let frame = || {
        script
            .frames
            .iter()
            .position(|f| f.name.as_str() == name)
            .map(Input::Frame)
    };
    if name == ERRORS {
        Some(Input::Errors)
    } else if inside.name.as_str() == name {
        source().or_else(frame)
    } else {
        frame().or_else(source)
    }
}

/// What a frame is made from, with the place of each name, in the order of its steps.
pub(crate) fn inputs(
    script: &Script,
    frame: &FrameDef,
    state: &SessionState,
) -> Vec<(Input, Span)> {
    let mut out = Vec::new();
    let own = || resolve(script, frame, frame.name.as_str());
    if let Some(first) = frame.steps.first()
        && !matches!(first.step, Step::From(_) | Step::Sql(_))
        && let Some(input @ Input::Source(_)) = own()
    {
        out.push((input, frame.name.span()));
    }
    for (number, step) in all_steps(&frame.steps).into_iter().enumerate() {
        let mut add = |name: &Text| {
            if let Some(input) = resolve(script, frame, name.as_str()) {
                out.push((input, name.span()));
            }
        };
        match &step.step {
            Step::From(name) | Step::Join { with: name, .. } => add(name),
            Step::Union(others) => others.iter().for_each(add),
            Step::Enrich(step) => step.inputs().iter().for_each(add),
            Step::Sql(query) => {
                // A query that cannot be read is complained of when it is planned.
                for name in sql_frames(state, query.as_str()).unwrap_or_default() {
                    // After the first step the frame's own name is what its steps made so far.
                    if number > 0 && name == frame.name.as_str() {
                        continue;
                    }
                    if let Some(input) = resolve(script, frame, &name) {
                        out.push((input, word(query, &name)));
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// The names of what a step takes its records from, beside what its frame has so far.
pub(crate) fn others(step: &StepDef, state: &SessionState) -> Vec<String> {
    match &step.step {
        Step::From(name) | Step::Join { with: name, .. } => vec![name.as_str().to_owned()],
        Step::Union(others) => others.iter().map(|name| name.as_str().to_owned()).collect(),
        Step::Enrich(step) => step
            .inputs()
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        // A query that cannot be read is complained of when it is planned.
        Step::Sql(query) => sql_frames(state, query.as_str()).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Where a name stands in a query.
fn word(query: &Text, name: &str) -> Span {
    let text = query.as_str();
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let lower = text.to_ascii_lowercase();
    let found = lower
        .match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|r| !text[..r.start].ends_with(letter) && !text[r.end..].starts_with(letter));
    found.map_or(query.span(), |range| query.locate(range))
}

/// The frames in an order in which each comes after those that it is made from.
pub(crate) fn order(script: &Script, state: &SessionState) -> Result<Vec<usize>, ScriptError> {
    let edges: Vec<Vec<(Input, Span)>> = script
        .frames
        .iter()
        .map(|f| inputs(script, f, state))
        .collect();
    let mut visit = Visit {
        script,
        edges: &edges,
        done: vec![false; edges.len()],
        path: Vec::new(),
        order: Vec::new(),
    };
    for frame in 0..edges.len() {
        visit.frame(frame, script.frames[frame].name.span())?;
    }
    Ok(visit.order)
}

struct Visit<'a> {
    script: &'a Script,
    edges: &'a [Vec<(Input, Span)>],
    done: Vec<bool>,
    path: Vec<usize>,
    order: Vec<usize>,
}

impl Visit<'_> {
    fn frame(&mut self, frame: usize, from: Span) -> Result<(), ScriptError> {
        if self.done[frame] {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|f| *f == frame) {
            let circle = self.path[start..].iter().chain([&frame]);
            let names = circle.map(|f| self.script.frames[*f].name.as_str());
            let drawn = names.collect::<Vec<_>>().join(" <- ");
            let name = &self.script.frames[frame].name;
            let error = ScriptError::new(
                &self.script.source,
                from,
                format!("frame '{name}' is made from itself: {drawn}"),
            );
            return Err(error.label("closes the circle"));
        }
        self.path.push(frame);
        for (input, span) in &self.edges[frame] {
            if let Input::Frame(other) = input {
                self.frame(*other, *span)?;
            }
        }
        self.path.pop();
        self.done[frame] = true;
        self.order.push(frame);
        Ok(())
    }
}

/// Which frames are made from the run's error records, and so can be written only when everything else is.
pub(crate) fn late(script: &Script, state: &SessionState) -> Vec<bool> {
    made_from(script, state, &|input| input == Input::Errors)
}

/// Which frames are made, by whatever ways, from an input like this.
pub(crate) fn made_from(
    script: &Script,
    state: &SessionState,
    like: &dyn Fn(Input) -> bool,
) -> Vec<bool> {
    let mut made = vec![false; script.frames.len()];
    // A chain is no longer than there are frames.
    for _ in 0..script.frames.len() {
        for (number, frame) in script.frames.iter().enumerate() {
            made[number] = made[number]
                || inputs(script, frame, state).iter().any(|(input, _)| {
                    like(*input) || matches!(input, Input::Frame(other) if made[*other])
                });
        }
    }
    made
}
