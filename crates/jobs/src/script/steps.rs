//! The steps of frames.

mod enrich;
mod matching;
mod shape;

use mastic_dynamic_frame::{JoinKind, Mapping, OnError};

use crate::script::ast::{FrameDef, MappingDef, Step, StepDef};
use crate::script::enrich::EnrichStep;
use crate::script::reader::{Reader, first_line, get};
use crate::script::tree::{Kind, Node};
use crate::source::Text;

/// Every verb, as a script writes it.
pub(crate) const VERBS: [&str; 30] = [
    "from",
    "drop_fields",
    "drop_null_fields",
    "rename_field",
    "select_fields",
    "filter",
    "map",
    "join",
    "apply_mapping",
    "union",
    "sql",
    "resolve_choice",
    "unnest",
    "simplify_ddb_json",
    "unnest_ddb_json",
    "split_fields",
    "split_rows",
    "relationalize",
    "select_from_collection",
    "map_to_collection",
    "flat_map",
    "lookup",
    "merge",
    "unbox",
    "fill_missing_values",
    "kmeans",
    "find_matches",
    "repartition",
    "coalesce",
    "spigot",
];

/// The one key that stands beside a step's verb.
const STAGE_THRESHOLD: &str = "stage_threshold";

impl Reader {
    pub(crate) fn read_frames(&mut self, node: &Node) -> Vec<FrameDef> {
        let pairs = self.pairs(node, "a mapping of frames");
        let frames = pairs.into_iter().map(|(name, node)| {
            self.declared.push(name.as_str().to_owned());
            let before = self.errors.len();
            let steps = match &node.kind {
                Kind::Sequence(items) => items.iter().filter_map(|n| self.read_step(n)).collect(),
                Kind::Mapping(_) => self.read_step(node).into_iter().collect(),
                Kind::Scalar { .. } => {
                    let at = if node.is_null() {
                        name.span()
                    } else {
                        node.span
                    };
                    self.error(at, format!("frame '{name}' needs a list of steps"))
                        .hint = Some("start it with '- from: SOURCE'".to_owned());
                    Vec::new()
                }
            };
            FrameDef {
                name,
                steps,
                complete: self.errors.len() == before,
            }
        });
        frames.collect()
    }

    pub(crate) fn read_step(&mut self, node: &Node) -> Option<StepDef> {
        // `- drop_null_fields` takes nothing, so it needs no colon.
        if let Kind::Scalar { value, .. } = &node.kind {
            let verb = Text::aligned(value, self.source.text(), node.span);
            if value == "drop_null_fields" {
                return Some(StepDef {
                    verb,
                    step: Step::DropNullFields,
                    stage_threshold: None,
                });
            }
            if let Some(step) = shape::without_argument(&verb) {
                let step = Step::Shape(step);
                return Some(StepDef {
                    verb,
                    step,
                    stage_threshold: None,
                });
            }
            if value == "find_matches" {
                return Some(StepDef {
                    verb,
                    step: Step::Enrich(EnrichStep::Match(Box::default())),
                    stage_threshold: None,
                });
            }
            if VERBS.contains(&value.as_str()) {
                self.error(node.span, format!("'{value}' needs something to work on"))
                    .hint = Some(format!("write '{value}: ...'"));
            } else if let Some(verb) = VERBS.iter().find(|v| value.starts_with(**v)) {
                self.error(
                    node.span,
                    "a step is a verb, a colon, a blank, and what it works on",
                )
                .hint = Some(format!("write '{verb}: ...'"));
            } else {
                self.unknown(&verb, "step", VERBS);
            }
            return None;
        }
        let pairs = self.pairs(node, "a step");
        let (options, pairs): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .partition(|(key, _)| key.as_str() == STAGE_THRESHOLD);
        let stage_threshold = options
            .first()
            .and_then(|(_, node)| self.whole_number(node, STAGE_THRESHOLD));
        let Some(((verb, value), more)) = pairs.split_first() else {
            if let Some((option, _)) = options.first() {
                self.error(
                    option.span(),
                    format!("'{option}' needs a step to belong to"),
                );
            }
            return None;
        };
        if let Some((second, _)) = more.first() {
            let message = format!("a step has one verb, but here are '{verb}' and '{second}'");
            self.error(second.span(), message).hint = Some("begin a new step with '- '".to_owned());
            return None;
        }
        let step = self.read_verb(verb, value)?;
        Some(StepDef {
            verb: verb.clone(),
            step,
            stage_threshold,
        })
    }

    fn read_verb(&mut self, verb: &Text, value: &Node) -> Option<Step> {
        let before = self.errors.len();
        let step = match verb.as_str() {
            "from" => Step::From(self.text(value, "a source or a frame")?),
            "drop_fields" => Step::DropFields(self.texts(value, "a field")),
            "drop_null_fields" => {
                if !value.is_null() && !matches!(&value.kind, Kind::Sequence(s) if s.is_empty()) {
                    self.error(first_line(value), "'drop_null_fields' takes nothing")
                        .hint = Some("to drop fields by name use drop_fields".to_owned());
                }
                Step::DropNullFields
            }
            "rename_field" => {
                let pairs = self.pairs(value, "a mapping of old names to new ones");
                let renames = pairs
                    .into_iter()
                    .filter_map(|(old, new)| Some((old, self.text(new, "a new name")?)));
                Step::RenameField(renames.collect())
            }
            "select_fields" => Step::SelectFields(self.texts(value, "a field")),
            "filter" => Step::Filter(self.sql(value, "a condition")?),
            "map" => {
                let pairs = self.pairs(value, "a mapping of fields to expressions");
                let mut changes = Vec::new();
                for (field, node) in pairs {
                    if node.is_null() {
                        changes.push((field, None));
                    } else if let Some(expression) = self.sql(node, "an expression") {
                        changes.push((field, Some(expression)));
                    }
                }
                Step::Map(changes)
            }
            "join" => self.read_join(verb, value)?,
            "apply_mapping" => {
                let (value, on_error) = self.read_on_error(value);
                let Kind::Sequence(items) = &value.kind else {
                    self.error(first_line(value), "a list of mappings was expected here")
                        .hint = Some("write one a line: - source type -> target type".to_owned());
                    return None;
                };
                let mappings = items.iter().filter_map(|n| self.read_mapping(n));
                Step::ApplyMapping(mappings.collect(), on_error)
            }
            "union" => match self.read_union(verb, value)? {
                (others, false) => Step::Union(others),
                (others, true) => Step::Enrich(EnrichStep::UnionWidened(others)),
            },
            "sql" => Step::Sql(self.sql(value, "a query")?),
            name if enrich::VERBS.contains(&name) => Step::Enrich(self.read_enrich(verb, value)?),
            _ => match self.read_shape(verb, value) {
                Some(step) => Step::Shape(step),
                None => return None,
            },
        };
        (self.errors.len() == before).then_some(step)
    }

    fn read_join(&mut self, verb: &Text, node: &Node) -> Option<Step> {
        let pairs = self.known(node, "a join", &["with", "on", "how", "prefix"]);
        if pairs.is_empty() {
            return None;
        }
        let how = get(&pairs, "how").and_then(|n| self.text(n, "a kind of join"));
        let how = match how {
            None => JoinKind::Inner,
            Some(text) => match text.as_str().parse() {
                Ok(kind) => kind,
                Err(_) => {
                    self.unknown(&text, "kind of join", JoinKind::NAMES);
                    JoinKind::Inner
                }
            },
        };
        let on = match get(&pairs, "on") {
            None => {
                self.error(
                    verb.span(),
                    "a join needs 'on': the fields that must be equal",
                )
                .hint =
                    Some("write on: name, on: [a, b], or on: {left_name: right_name}".to_owned());
                Vec::new()
            }
            Some(node) if matches!(node.kind, Kind::Mapping(_)) => {
                let keys = self.pairs(node, "a mapping of left fields to right ones");
                let keys = keys
                    .into_iter()
                    .filter_map(|(left, right)| Some((left, self.text(right, "a field")?)));
                keys.collect()
            }
            Some(node) => {
                let names = self.texts(node, "a field");
                names.into_iter().map(|name| (name.clone(), name)).collect()
            }
        };
        let with = match get(&pairs, "with") {
            Some(node) => self.text(node, "a frame")?,
            None => {
                self.error(verb.span(), "a join needs 'with': the other frame");
                return None;
            }
        };
        let prefix = get(&pairs, "prefix").and_then(|n| self.text(n, "a prefix"));
        Some(Step::Join {
            with,
            on,
            how,
            prefix,
        })
    }

    /// The mappings, and what becomes of records that cannot be cast where the step says so:
    /// `{mappings: […], on_error: null}`.
    fn read_on_error<'n>(&mut self, value: &'n Node) -> (&'n Node, OnError) {
        if !matches!(value.kind, Kind::Mapping(_)) {
            return (value, OnError::default());
        }
        let pairs = self.known(value, "apply_mapping", &["mappings", "on_error"]);
        let on_error = match get(&pairs, "on_error") {
            None => OnError::default(),
            Some(node) if node.is_null() => OnError::Null,
            Some(node) => match self.text(node, "set_aside or null") {
                None => OnError::default(),
                Some(text) => text.as_str().parse().unwrap_or_else(|_| {
                    self.unknown(&text, "way with errors", OnError::NAMES);
                    OnError::default()
                }),
            },
        };
        (get(&pairs, "mappings").unwrap_or(value), on_error)
    }

    fn read_mapping(&mut self, node: &Node) -> Option<MappingDef> {
        let forms = "write 'source type -> target type', or [source, type, target, type]";
        match &node.kind {
            Kind::Scalar { .. } => {
                let text = self.text(node, "a mapping")?;
                match text.as_str().parse::<Mapping>() {
                    Ok(mapping) => Some(MappingDef {
                        parts: parts_of(&text, &mapping),
                        mapping,
                        span: node.span,
                    }),
                    Err(error) => {
                        self.error(node.span, error.to_string()).hint = Some(forms.to_owned());
                        None
                    }
                }
            }
            // `- origin string -> route.origin: string` and the like.
            Kind::Mapping(_) => {
                self.error(first_line(node), "a mapping has no colons").hint =
                    Some(forms.to_owned());
                None
            }
            Kind::Sequence(items) => {
                let parts: Vec<Text> = items
                    .iter()
                    .filter_map(|n| self.text(n, "a path or a type"))
                    .collect();
                let words: Vec<&str> = parts.iter().map(Text::as_str).collect();
                let mapping = match words.as_slice() {
                    [source, target] => Mapping::new(*source, *target),
                    [source, source_type, target, target_type] => {
                        Mapping::typed(*source, *source_type, *target, *target_type)
                    }
                    _ => {
                        let count = items.len();
                        self.error(
                            node.span,
                            format!("a mapping has two or four parts, not {count}"),
                        )
                        .hint = Some(format!("{forms}; a comma in a type needs quotes"));
                        return None;
                    }
                };
                Some(MappingDef {
                    mapping,
                    parts,
                    span: node.span,
                })
            }
        }
    }
}

/// Where the parts of an arrow form stand.
fn parts_of(text: &Text, mapping: &Mapping) -> Vec<Text> {
    let all = [
        Some(&mapping.source),
        mapping.source_type.as_ref(),
        Some(&mapping.target),
        mapping.target_type.as_ref(),
    ];
    let mut at = 0;
    let mut parts = Vec::new();
    for part in all.into_iter().flatten() {
        if let Some(found) = text.as_str()[at..].find(part.as_str()) {
            let start = at + found;
            at = start + part.len();
            parts.push(text.slice(start..at));
        }
    }
    parts
}
