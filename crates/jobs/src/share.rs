//! Which sources and frames of a script are read by several, and so computed once.

use std::collections::BTreeMap;

use datafusion::execution::SessionState;

use crate::graph::{Input, base, inputs};
use crate::script::{ERRORS, FrameDef, Script, Step};

/// How often each source and each frame is read, by frames and sinks.
pub(crate) struct Readers {
    sources: BTreeMap<usize, usize>,
    frames: BTreeMap<usize, usize>,
}

impl Readers {
    pub(crate) fn of(script: &Script, state: &SessionState) -> Self {
        let mut readers = Self {
            sources: BTreeMap::new(),
            frames: BTreeMap::new(),
        };
        for frame in &script.frames {
            for (input, _) in inputs(script, frame, state) {
                let times = match input {
                    Input::Source(number) => mentions(frame, script.sources[number].name.as_str()),
                    Input::Frame(number) => mentions(frame, script.frames[number].name.as_str()),
                    Input::Errors => 1,
                };
                readers.add(input, times);
            }
        }
        for sink in &script.sinks {
            let name = base(sink.frame.as_str());
            let frame = script.frames.iter().position(|f| f.name.as_str() == name);
            let source = script.sources.iter().position(|s| s.name.as_str() == name);
            match (frame, source) {
                _ if name == ERRORS => {}
                (Some(frame), _) => readers.add(Input::Frame(frame), 1),
                (None, Some(source)) => readers.add(Input::Source(source), 1),
                (None, None) => {}
            }
        }
        readers
    }

    fn add(&mut self, input: Input, times: usize) {
        let count = match input {
            Input::Source(number) => self.sources.entry(number).or_default(),
            Input::Frame(number) => self.frames.entry(number).or_default(),
            Input::Errors => return,
        };
        *count += times;
    }

    /// The id under which a source is shared, where several read it.
    pub(crate) fn source(&self, script: &Script, number: usize) -> Option<String> {
        let several = self.sources.get(&number).is_some_and(|n| *n > 1);
        several.then(|| format!("source {}", script.sources[number].name))
    }

    /// The id under which a frame, or each frame of a collection, is shared, where several read it.
    pub(crate) fn frame(&self, script: &Script, number: usize) -> Option<String> {
        let several = self.frames.get(&number).is_some_and(|n| *n > 1);
        several.then(|| format!("frame {}", script.frames[number].name))
    }
}

/// How often a frame reads a name that it reads once at least: a query may join a frame with itself. One too
/// many does no harm, for what turns out to have one reader is not shared.
fn mentions(frame: &FrameDef, name: &str) -> usize {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let queries = frame.steps.iter().filter_map(|step| match &step.step {
        Step::Sql(query) => Some(query.as_str().to_ascii_lowercase()),
        _ => None,
    });
    let words = queries.map(|query| query.split(|c| !letter(c)).filter(|w| *w == name).count());
    words.max().unwrap_or_default().max(1)
}
