//! Frames and collections of frames, as a script names them: `tables` is a collection, `tables/root_a` the
//! frame of it under that key.

use mastic_dynamic_frame::{DynamicFrame, FrameCollection};
use mastic_schema::names;

use crate::error::ScriptError;
use crate::plan::Planner;
use crate::script::{FrameDef, SinkDef};
use crate::source::Text;

/// What a name of a script's stands for.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Frame(Box<DynamicFrame>),
    Collection(FrameCollection),
}

impl From<DynamicFrame> for Value {
    fn from(frame: DynamicFrame) -> Self {
        Self::Frame(Box::new(frame))
    }
}

impl Value {
    /// The frame, or each of the collection's, computed once for all that read it.
    pub(crate) fn shared(self, id: &str) -> Self {
        match self {
            Self::Frame(frame) => Self::from(frame.shared(id)),
            Self::Collection(all) => {
                let shared = all.iter().map(|(key, frame)| {
                    let frame = frame.clone().shared(&format!("{id}/{key}"));
                    (key.to_owned(), frame)
                });
                // The keys are those of a collection, each of its own.
                Self::Collection(FrameCollection::new(shared).unwrap_or(all))
            }
        }
    }

    /// The frame, or the collection's, under the names by which steps know them.
    pub(crate) fn frames(&self, name: &str) -> Vec<(String, DynamicFrame)> {
        match self {
            Self::Frame(frame) => vec![(name.to_owned(), frame.as_ref().clone())],
            Self::Collection(all) => all
                .iter()
                .map(|(key, frame)| (format!("{name}/{key}"), frame.clone()))
                .collect(),
        }
    }
}

impl Planner<'_> {
    /// What a name stands for in a frame, and the frame under the key that follows it.
    pub(crate) fn chosen(&mut self, def: &FrameDef, name: &Text) -> Option<Value> {
        let value = self.value(def, name.as_str())?;
        self.keyed(value, name)
    }

    fn keyed(&mut self, value: Value, name: &Text) -> Option<Value> {
        let Some((base, key)) = name.as_str().split_once('/') else {
            return Some(value);
        };
        let key_text = name.slice(base.len() + 1..base.len() + 1 + key.len());
        match value {
            Value::Collection(all) => {
                let frame = self.told(all.select(key), &[&key_text], name.span());
                frame.map(Value::from)
            }
            Value::Frame(_) => {
                let message = format!("'{base}' is one frame, and not a collection of frames");
                self.complain(name, message, format!("write {base}"));
                None
            }
        }
    }

    /// The one frame that a step works on.
    pub(crate) fn one(&mut self, value: Value, place: &Text) -> Option<DynamicFrame> {
        match value {
            Value::Frame(frame) => Some(*frame),
            Value::Collection(all) => {
                let keys: Vec<&str> = all.keys().collect();
                self.complain(
                    place,
                    format!("one frame is needed here, not a collection of {}", keys.len()),
                    format!(
                        "choose one by select_from_collection: KEY, or do it to each by map_to_collection; \
                         the keys are {}",
                        keys.join(", ")
                    ),
                );
                None
            }
        }
    }

    /// The collection that a step works on.
    pub(crate) fn several(&mut self, value: Value, place: &Text) -> Option<FrameCollection> {
        match value {
            Value::Collection(all) => Some(all),
            Value::Frame(_) => {
                self.complain(
                    place,
                    "a collection of frames is needed here, not one frame".to_owned(),
                    "relationalize, split_fields and split_rows make collections".to_owned(),
                );
                None
            }
        }
    }

    pub(crate) fn complain(&mut self, place: &Text, message: String, hint: String) {
        let error = ScriptError::new(&self.script.source, place.span(), message);
        self.errors.push(error.hint(hint));
    }

    /// The sinks of one that the script declares: of a collection each frame has its own, in a folder and a
    /// table that are called after its key.
    pub(crate) fn written(&mut self, sink: &SinkDef, value: Value) -> Vec<(SinkDef, DynamicFrame)> {
        let Some(value) = self.keyed(value, &sink.frame) else {
            return Vec::new();
        };
        let all = match value {
            Value::Frame(frame) => return vec![(sink.clone(), *frame)],
            Value::Collection(all) => all,
        };
        let mut out: Vec<(SinkDef, DynamicFrame)> = Vec::new();
        for (key, frame) in all.iter() {
            let folder = format!(
                "{}/{}",
                sink.path.as_str().trim_end_matches('/'),
                folder(key)
            );
            let table = sink.table.as_ref().map(|prefix| {
                let name = names::table_name(key);
                Text::made(format!("{prefix}{name}"), prefix.span())
            });
            let same = |other: &SinkDef| {
                other.path.as_str() == folder || (table.is_some() && other.table == table)
            };
            if let Some((other, _)) = out.iter().find(|(other, _)| same(other)) {
                let message = format!(
                    "'{key}' and '{}' would be written to one place",
                    other.frame
                );
                let hint = "give one of the fields that they come from another name".to_owned();
                self.complain(&sink.frame, message, hint);
                continue;
            }
            let def = SinkDef {
                frame: Text::made(format!("{}/{key}", sink.frame), sink.frame.span()),
                path: Text::made(folder, sink.path.span()),
                table,
                ..sink.clone()
            };
            out.push((def, frame.clone()));
        }
        out
    }
}

/// A key as the name of a folder: names of fields may hold anything.
fn folder(key: &str) -> String {
    let name: String = key
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => c,
            c if c.is_alphanumeric() => c,
            _ => '_',
        })
        .collect();
    // A folder that begins with a dot or an underscore is hidden.
    match name.trim_start_matches(['.', '_']) {
        "" => "frame".to_owned(),
        visible => visible.to_owned(),
    }
}
