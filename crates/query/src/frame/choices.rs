//! A look at every record of a source.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion::error::DataFusionError;
use futures::StreamExt;
use mastic_lake::LakeError;
use mastic_lake::format::{
    CsvOptions, FileFormat, Inference, Limits, ReadOptions, choice_fields_of, examine_as,
    examine_with,
};
use mastic_lake::input::Input;
use mastic_schema::choice::{alternatives, choose, choose_fields, is_choice, settled};
use mastic_schema::hive::{list_of, map_of};
use mastic_schema::merge::{position, widen};
use tokio::runtime::Handle;

use super::look::is_textual;
use super::open::{Of, Opened, seen_object, table_columns};
use super::{SeenObject, memory};
use crate::error::Result;
use crate::files::{columns, named};
use crate::session::Session;

/// What full passes of a session found, by source: the digest of the files they were over, and the answer.
pub(crate) type Cache = Mutex<HashMap<String, (u64, Arc<Looked>)>>;

/// What a look at every record of a source found: what [`super::FrameOptions::looked`] takes.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The columns, with the types that hold every value as it was found.
    pub fields: Fields,
    /// What stands for null in its CSV files, and what comes first in their dates.
    pub(super) learned: CsvOptions,
    objects: HashSet<SeenObject>,
}

impl Looked {
    /// Whether these are among the files that were looked at, as they were then.
    pub fn covers<'a>(&self, objects: impl IntoIterator<Item = &'a SeenObject>) -> bool {
        objects.into_iter().all(|o| self.objects.contains(o))
    }
}

/// All of a file.
const ALL: Limits = Limits { bytes: u64::MAX };

fn digest(objects: &[SeenObject]) -> u64 {
    let mut hasher = DefaultHasher::new();
    objects.hash(&mut hasher);
    hasher.finish()
}

/// Examines every file to its end, as many at once as the engine has threads. Nothing is held of a file but its
/// columns, and that only until they are merged.
pub(super) async fn find(session: &Session, source: &Opened) -> Result<Arc<Looked>> {
    let mut objects = source.objects();
    objects.sort_unstable();
    let now = digest(&objects);
    {
        let cache = session.choices().lock();
        let cache = cache.unwrap_or_else(PoisonError::into_inner);
        if let Some((then, looked)) = cache.get(&source.key)
            && *then == now
        {
            return Ok(looked.clone());
        }
    }
    let threads = session
        .context()
        .state()
        .config()
        .target_partitions()
        .max(1);
    let said = match &source.of {
        Of::Table { .. } => ReadOptions::default(),
        Of::Folder { read, .. } => read.as_ref().clone(),
    };
    let mut looks =
        futures::stream::iter(inputs(source).into_iter().map(|(object, input, format)| {
            let said = said.clone();
            let look = tokio::task::spawn_blocking(move || match &format {
                Some(known) => examine_as(&input, known, &ALL),
                None => examine_with(&input, &ALL, &said, true).map(|f| (f.format, f.inference)),
            });
            async move { (object, look.await) }
        }))
        .buffered(threads);
    let mut fields = Fields::empty();
    let mut learned = CsvOptions::default();
    let mut orders_differ = false;
    let mut witnesses = Vec::new();
    let mut text = true;
    while let Some((object, looked)) = looks.next().await {
        let looked = looked.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let (format, inference) = match looked {
            Err(LakeError::NoRecords { .. }) => continue,
            looked => looked?,
        };
        let found = found_columns(source, &object.format, &inference);
        text &= matches!(
            object.format,
            Some(FileFormat::Csv(_) | FileFormat::Xml(_) | FileFormat::Grok(_))
        );
        let merged = choose_fields(&fields, &found);
        let before = learned.clone();
        if let FileFormat::Csv(options) = &format {
            learned.learn(options);
            orders_differ |= options
                .date_order
                .is_some_and(|o| learned.date_order != Some(o));
        }
        if merged != fields || learned != before {
            witnesses.push(object.object);
            fields = merged;
        }
    }
    drop(looks);
    // Files that tell no order of their own are told none where the others disagree.
    learned.date_order = learned.date_order.filter(|_| !orders_differ);
    let fields = match &source.of {
        Of::Folder { .. } => columns(&settled(&fields), &source.keys)
            .iter()
            .map(filled)
            .collect(),
        Of::Table { table, .. } => {
            let own = table_columns(table)?;
            let fields = settled(&fields);
            // Only what the table's maker left out stays away.
            let passed_over = source.passed_over();
            let kind = Kind {
                text,
                grows: passed_over.is_some(),
            };
            let known = each_field(&own, &fields, |own, found| settle(own, found, kind));
            match passed_over {
                None => known,
                Some(names) => {
                    let new = fields.iter().filter(|field| {
                        let lower = field.name().to_lowercase();
                        !names.iter().any(|name| name.to_lowercase() == lower)
                    });
                    let new: Fields = new.map(filled).collect();
                    added(&known, &new)
                }
            }
        }
    };
    let kept = memory::Kept {
        fields: fields.clone(),
        learned: learned.clone(),
    };
    memory::remember(session, &source.key, &source.basis()?, &kept, &witnesses).await;
    let looked = Arc::new(Looked {
        fields,
        learned,
        objects: objects.into_iter().collect(),
    });
    let cache = session.choices().lock();
    let mut cache = cache.unwrap_or_else(PoisonError::into_inner);
    cache.insert(source.key.clone(), (now, looked.clone()));
    Ok(looked)
}

/// Gives a file's format what was learned of the null markers and dates of all.
pub(super) fn learn(format: &mut FileFormat, learned: &CsvOptions) {
    if let FileFormat::Csv(options) = format {
        options.learn(learned);
    }
}

/// What a table's files are.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Of a format whose values are all text, which any text column holds.
    text: bool,
    /// Objects in them may have fields that the table does not know.
    grows: bool,
}

/// A file that is looked at.
struct Look {
    object: SeenObject,
    /// What a catalog says that it is.
    format: Option<FileFormat>,
}

fn inputs(source: &Opened) -> Vec<(Look, Input, Option<FileFormat>)> {
    let input = |place: &mastic_lake::store::Location, meta: &object_store::ObjectMeta, format| {
        let url = place.url_of(&meta.location);
        let input = Input::new(place.store.clone(), meta.clone(), url, Handle::current());
        let object = seen_object(place, meta);
        let looked = Look {
            object,
            format: Option::clone(&format),
        };
        (looked, input, format)
    };
    match &source.of {
        Of::Table { found, .. } => found
            .places
            .iter()
            .flat_map(|(place, files)| files.iter().map(move |f| (place, f)))
            .map(|(place, f)| input(place, &f.meta, Some(f.format.clone())))
            .collect(),
        Of::Folder { folder, .. } => folder
            .files
            .iter()
            .map(|(meta, _)| input(&folder.root, meta, None))
            .collect(),
    }
}

/// A file's columns by the names that the source has them under.
fn found_columns(source: &Opened, format: &Option<FileFormat>, inference: &Inference) -> Fields {
    let own = choice_fields_of(inference);
    let (Of::Table { table, .. }, Some(FileFormat::Csv(options))) = (&source.of, format) else {
        return named(&own);
    };
    if options.header {
        return named(&own);
    }
    // Without a header it is the table that names the columns.
    let table = table.table().columns();
    own.iter()
        .zip(table)
        .map(|(f, column)| Arc::new(f.as_ref().clone().with_name(&column.name)))
        .collect()
}

/// The fields of `own`, each with what `merge` makes of its type and that of the field of its name in `other`.
pub(super) fn each_field(
    own: &Fields,
    other: &Fields,
    merge: impl Fn(&DataType, &DataType) -> DataType,
) -> Fields {
    own.iter()
        .map(|field| match position(other, field.name()) {
            Some(at) => {
                let merged = merge(field.data_type(), other[at].data_type());
                Arc::new(field.as_ref().clone().with_data_type(merged))
            }
            None => field.clone(),
        })
        .collect()
}

/// These fields, and those that only `other` has.
pub(super) fn added(own: &Fields, other: &Fields) -> Fields {
    let more = other.iter().filter(|f| position(own, f.name()).is_none());
    own.iter().chain(more).cloned().collect()
}

pub(super) fn entry(entries: &FieldRef) -> Option<(&DataType, &DataType)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key.data_type(), value.data_type())),
            _ => None,
        },
        _ => None,
    }
}

/// The type of a table's column once all of its values were `found` to be of a type: the catalog's where it holds them
/// as they are, and else what was found.
fn settle(own: &DataType, found: &DataType, kind: Kind) -> DataType {
    match (own, found) {
        _ if own == found || *found == DataType::Null => own.clone(),
        _ if is_choice(own) => choose(own, found),
        _ if alternatives(found).is_some() => without_nulls(found),
        (DataType::Struct(a), DataType::Struct(b)) => {
            let known = each_field(a, b, |a, b| settle(a, b, kind));
            match kind.grows {
                true => without_nulls(&DataType::Struct(added(&known, b))),
                false => DataType::Struct(known),
            }
        }
        (DataType::List(a), DataType::List(b)) => {
            list_of(settle(a.data_type(), b.data_type(), kind))
        }
        (DataType::Map(a, _), DataType::Map(b, _)) => match (entry(a), entry(b)) {
            (Some((key, own)), Some((_, found))) => map_of(key.clone(), settle(own, found, kind)),
            _ => own.clone(),
        },
        (DataType::Map(..), DataType::Struct(_)) => without_nulls(&choose(own, found)),
        (DataType::Utf8, _) if is_textual(found) || (kind.text && !found.is_nested()) => {
            own.clone()
        }
        (DataType::Utf8, _) => without_nulls(found),
        _ if widen(own, found) == *own => own.clone(),
        _ => without_nulls(found),
    }
}

/// What nothing is known of is text.
fn without_nulls(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Null => DataType::Utf8,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(filled).collect()),
        DataType::List(item) => DataType::List(filled(item)),
        DataType::Map(entries, sorted) => DataType::Map(filled(entries), *sorted),
        other => other.clone(),
    }
}

fn filled(field: &FieldRef) -> FieldRef {
    let known = without_nulls(field.data_type());
    Arc::new(field.as_ref().clone().with_data_type(known))
}
