//! Scripts as they are written: YAML to a tree that knows its places, and what is wrong with it.

mod ast;
mod check;
mod enrich;
mod parameters;
mod reader;
mod sections;
mod steps;
mod tree;

use std::path::Path;
use std::sync::Arc;

pub use ast::{
    FrameDef, MappingDef, Origin, RelationDef, RowsDef, Script, ShapeStep, SinkDef, SinkFormat,
    SinkMode, SourceDef, Step, StepDef,
};
pub use enrich::{EnrichStep, MatchStep};
pub(crate) use parameters::GIVEN;
pub use parameters::{Parameter, ParameterType};

use crate::error::{ScriptError, ScriptErrors};
use crate::source::{Source, Span};
use reader::{Reader, get};

const KEYS: [&str; 8] = [
    "name",
    "description",
    "parameters",
    "sources",
    "frames",
    "sinks",
    "stage_threshold",
    "total_threshold",
];

/// The frame of a run's error records, which every script has.
pub const ERRORS: &str = "errors";

impl Script {
    /// Reads a script, with values given for some of its parameters.
    ///
    /// All that can be found wrong without opening a source is found here, and all of it at once:
    /// YAML, keys, values of parameters, names of frames, circles, sinks in each other's way.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn parse(source: &Arc<Source>, given: &[(String, String)]) -> Result<Self, ScriptErrors> {
        // What is shown of the script, with every mistake, has no password in it.
        let shown = Source::new(source.name(), mastic_connect::redacted(source.text()));
        let root = tree::read(source).map_err(|mut error| {
            error.source = Arc::clone(&shown);
            ScriptErrors(vec![error])
        })?;
        let Some(root) = root.filter(|node| !node.is_null()) else {
            let error = ScriptError::new(&shown, Span::default(), "the script is empty")
                .hint("it needs sources and sinks, and frames between them");
            return Err(ScriptErrors(vec![error]));
        };
        let mut reader = Reader {
            source: shown,
            parameters: Vec::new(),
            errors: Vec::new(),
            declared: Vec::new(),
        };
        let script = reader.read_script(&root, given);
        check::check(&script, &mut reader);
        ScriptErrors::check(reader.errors)?;
        Ok(script)
    }
}

impl Reader {
    fn read_script(&mut self, root: &tree::Node, given: &[(String, String)]) -> Script {
        let pairs = self.known(root, "a script", &KEYS);
        if let Some(node) = get(&pairs, "parameters").filter(|n| !n.is_null()) {
            self.parameters = self.read_parameters(node);
        }
        let source = Arc::clone(&self.source);
        parameters::apply(&source, &mut self.parameters, given, &mut self.errors);

        let name = get(&pairs, "name").and_then(|n| self.text(n, "a name"));
        let stem = Path::new(source.name()).file_stem();
        let name = name.map_or_else(
            || stem.map_or_else(|| "script".to_owned(), |s| s.to_string_lossy().into_owned()),
            |text| text.as_str().to_owned(),
        );
        let description = get(&pairs, "description").and_then(|n| self.text(n, "a description"));
        let section = |key| get(&pairs, key).filter(|n| !n.is_null());
        let mut threshold = |key| section(key).and_then(|n| self.whole_number(n, key));
        let (stage_threshold, total_threshold) =
            (threshold("stage_threshold"), threshold("total_threshold"));
        self.declared.push(ERRORS.to_owned());
        let sources = section("sources").map_or_else(Vec::new, |n| self.read_sources(n));
        let frames = section("frames").map_or_else(Vec::new, |n| self.read_frames(n));
        let sinks = section("sinks").map_or_else(Vec::new, |n| self.read_sinks(n));
        for (key, what) in [("sources", "reads nothing"), ("sinks", "writes nothing")] {
            if section(key).is_none() && !pairs.is_empty() {
                let place = pairs.iter().find(|(k, _)| k.as_str() == key);
                let place = place.map_or(Span::default(), |(k, _)| k.span());
                self.error(place, format!("the script has no '{key}', so it {what}"));
            }
        }
        Script {
            source,
            name,
            description,
            parameters: self.parameters.clone(),
            sources,
            frames,
            sinks,
            total_threshold,
            stage_threshold,
        }
    }
}
