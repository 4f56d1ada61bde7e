//! What examining a file told, in a form that is small and can be kept between crawls.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow_schema::Fields;
use mastic_lake::format::{Classifier, Considered, Examined, FileFormat, Serde, choice_fields_of};
use mastic_lake::infer::{Kind, Node, Sighting};
use mastic_lake::list::hive_folder;
use serde::{Deserialize, Serialize};

use crate::levels::is_date_part;
use crate::memory::fnv;

/// What files that look the same have in common. Most files of a lake share few shapes.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The format, with its dialect.
    pub(crate) format: FileFormat,
    /// The columns, by the names that a catalog gives them.
    pub(crate) fields: Fields,
    /// The columns by choosing and not widening, where those are others.
    pub(crate) choices: Option<Fields>,
    /// How the files are compressed as a whole.
    pub(crate) compression: String,
    /// Null markers of columns that hold nothing else, by column.
    pub(crate) lone_markers: Vec<(String, String)>,
    /// Which classifier recognised the first file, and why.
    pub(crate) reason: String,
}

/// A shape as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptShape {
    classification: String,
    library: String,
    parameters: std::collections::BTreeMap<String, String>,
    fields: Fields,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    choices: Option<Fields>,
    compression: String,
    lone_markers: Vec<(String, String)>,
    reason: String,
}

/// A shape's name: a hash of what it is, so that crawls that know nothing of each other name it alike.
pub(crate) type ShapeId = u64;

/// All shapes of a target, each once.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    all: HashMap<ShapeId, Arc<Shape>>,
    /// Those that are not kept yet, as they will be.
    new: Vec<(ShapeId, Vec<u8>)>,
}

impl Shapes {
    pub(crate) fn get(&self, id: ShapeId) -> Option<&Arc<Shape>> {
        self.all.get(&id)
    }

    pub(crate) fn intern(&mut self, shape: Shape) -> ShapeId {
        let (id, bytes) = kept(&shape);
        if let Entry::Vacant(free) = self.all.entry(id) {
            free.insert(Arc::new(shape));
            self.new.push((id, bytes));
        }
        id
    }

    /// Takes a shape from memory. One that cannot be read is one that its files have no more.
    pub(crate) fn restore(&mut self, bytes: &[u8]) {
        let Ok(kept_shape) = serde_json::from_slice::<KeptShape>(bytes) else {
            return;
        };
        let format = FileFormat::from_serde(
            Some(&kept_shape.classification),
            Some(&kept_shape.library),
            &kept_shape.parameters,
        );
        let Ok(format) = format else {
            return;
        };
        let shape = Shape {
            format,
            fields: kept_shape.fields,
            choices: kept_shape.choices,
            compression: kept_shape.compression,
            lone_markers: kept_shape.lone_markers,
            reason: kept_shape.reason,
        };
        let (id, _) = kept(&shape);
        self.all.insert(id, Arc::new(shape));
    }

    /// Shapes that are not kept yet, as they are to be.
    pub(crate) fn unkept(&mut self) -> Vec<(ShapeId, Vec<u8>)> {
        std::mem::take(&mut self.new)
    }
}

/// A shape's name, and the shape as it is kept.
fn kept(shape: &Shape) -> (ShapeId, Vec<u8>) {
    let Serde {
        classification,
        library,
        parameters,
        ..
    } = shape.format.serde();
    let mut kept = KeptShape {
        classification: classification.to_string(),
        library: library.to_string(),
        parameters,
        fields: shape.fields.clone(),
        choices: shape.choices.clone(),
        compression: shape.compression.clone(),
        lone_markers: shape.lone_markers.clone(),
        reason: String::new(),
    };
    // A schema is always valid JSON.
    let named = serde_json::to_vec(&kept).unwrap_or_default();
    kept.reason.clone_from(&shape.reason);
    let bytes = serde_json::to_vec(&kept).unwrap_or_default();
    (fnv(named.into_iter()), bytes)
}

/// What examining a file told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fact {
    #[serde(rename = "s")]
    pub(crate) shape: ShapeId,
    /// How many records there are; an estimate where not all of the file was looked at.
    #[serde(rename = "r")]
    pub(crate) rows: u64,
    /// Columns whose values are of several types.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) evidence: Vec<Evidence>,
    /// For columns that have a folder's key as their name, or a part of a date: whether every value is
    /// the folder's, for the folder of this depth.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) repeats: Vec<(String, usize, bool)>,
}

/// A column at odds with itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    #[serde(rename = "c")]
    pub(crate) column: String,
    #[serde(rename = "k")]
    pub(crate) kinds: Vec<Seen>,
}

/// Values of one kind: how many, and the first of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    #[serde(rename = "k")]
    pub(crate) kind: String,
    #[serde(rename = "n")]
    pub(crate) count: u64,
    #[serde(rename = "l")]
    pub(crate) line: u64,
    #[serde(rename = "v")]
    pub(crate) value: String,
}

/// How many columns of one file are kept as evidence.
const EVIDENCE: usize = 8;

/// What was found in a file, as its shape and its fact. `folders` are the names between the target and
/// the file, `size` is that of the file as stored.
pub(crate) fn of(
    found: Examined,
    custom: &[Classifier],
    folders: &[&str],
    size: u64,
    shapes: &mut Shapes,
) -> Fact {
    let reason = reason(
        &found.classifier,
        found.certainty,
        &found.reason,
        &found.considered,
        custom,
    );
    let inference = found.inference;
    let columns = || inference.node.iter().flat_map(Node::fields);
    let lone_markers = columns()
        .flat_map(|(name, node)| {
            node.lone_markers()
                .map(move |m| (name.to_lowercase(), m.to_owned()))
        })
        .collect();
    let evidence = columns()
        .filter_map(|(name, node)| evidence(name, node))
        .take(EVIDENCE)
        .collect();
    let repeats = columns()
        .flat_map(|(name, node)| repeats(name, node, folders))
        .collect();
    let rows = all_rows(&inference, size);
    // Columns are named as catalogs need them; files bind to them without regard to case.
    let named = |fields: &Fields| -> Fields {
        let names = mastic_schema::names::column_names(fields.iter().map(|f| f.name().as_str()));
        fields
            .iter()
            .zip(names)
            .map(|(field, name)| Arc::new(field.as_ref().clone().with_name(name)))
            .collect()
    };
    let fields = named(&inference.fields);
    let choices = Some(named(&choice_fields_of(&inference))).filter(|chosen| *chosen != fields);
    let shape = shapes.intern(Shape {
        format: found.format,
        fields,
        choices,
        compression: found.compression.to_string(),
        lone_markers,
        reason,
    });
    Fact {
        shape,
        rows,
        evidence,
        repeats,
    }
}

/// Which classifier won, by what margin, and why.
fn reason(
    winner: &str,
    certainty: f32,
    reason: &str,
    considered: &[Considered],
    custom: &[Classifier],
) -> String {
    let next = considered
        .iter()
        .filter(|c| c.classifier != winner && c.certainty > 0.0)
        .max_by(|a, b| a.certainty.total_cmp(&b.certainty));
    let margin = match next {
        None => String::new(),
        Some(next) => format!(
            ", before {} with {:.2} ({})",
            next.classifier, next.certainty, next.reason
        ),
    };
    // Who asked for a classifier wants to know why it was not taken.
    let asked =
        |c: &&Considered| c.certainty <= 0.0 && custom.iter().any(|own| own.name() == c.classifier);
    let declined: String = considered
        .iter()
        .filter(asked)
        .map(|c| format!("; the classifier '{}' declines: {}", c.classifier, c.reason))
        .collect();
    format!("{winner}, certainty {certainty:.2}{margin}: {reason}{declined}")
}

/// All records of a file, by its size where not all of it was looked at.
fn all_rows(inference: &mastic_lake::format::Inference, size: u64) -> u64 {
    if inference.complete || inference.bytes == 0 {
        return inference.rows;
    }
    let all = u128::from(inference.rows) * u128::from(size) / u128::from(inference.bytes);
    // A compressed file holds more than its size says, and never less than was seen.
    u64::try_from(all).unwrap_or(u64::MAX).max(inference.rows)
}

fn evidence(name: &str, node: &Node) -> Option<Evidence> {
    let kinds: Vec<(&Kind, &Sighting)> = node
        .sightings()
        .iter()
        .filter(|(kind, _)| **kind != Kind::Marker)
        .collect();
    // `32` beside `39.02` is how numbers are written, not a column at odds with itself.
    let numbers = kinds
        .iter()
        .all(|(kind, _)| matches!(kind, Kind::Integer | Kind::Real));
    if kinds.len() < 2 || numbers {
        return None;
    }
    Some(Evidence {
        column: name.to_owned(),
        kinds: kinds
            .into_iter()
            .map(|(kind, seen)| Seen {
                kind: kind.to_string(),
                count: seen.count,
                line: seen.line,
                value: seen.value.clone(),
            })
            .collect(),
    })
}

/// Whether a column that is named like a key has only the value of the key's folder.
fn repeats<'a>(
    name: &'a str,
    node: &'a Node,
    folders: &'a [&'a str],
) -> impl Iterator<Item = (String, usize, bool)> + 'a {
    let date_part = is_date_part(name);
    folders
        .iter()
        .enumerate()
        .filter_map(move |(depth, folder)| {
            let value = match hive_folder(folder) {
                Some((key, value)) => name.eq_ignore_ascii_case(&key).then_some(value)?,
                None if date_part && folder.bytes().all(|b| b.is_ascii_digit()) => {
                    (*folder).to_owned()
                }
                None => return None,
            };
            let mut kinds = node.sightings().values();
            let same = match (kinds.next(), kinds.next()) {
                (Some(only), None) => !only.varied && same_value(&only.value, &value),
                (None, _) => true,
                _ => false,
            };
            Some((name.to_lowercase(), depth, same))
        })
}

fn same_value(seen: &str, folder: &str) -> bool {
    seen == folder
        || matches!((seen.parse::<i64>(), folder.parse::<i64>()), (Ok(a), Ok(b)) if a == b)
}
