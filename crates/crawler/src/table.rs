//! A group of files as a table of the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use mastic_catalog::parameters as names;
use mastic_catalog::{Column, Partition, SerDeInfo, StorageDescriptor, Table};
use mastic_lake::format::{FileFormat, Serde};
use mastic_lake::store::Location;
use mastic_schema::hive::{format_type, parse_type};
use mastic_schema::merge::{position, widen_fields};

use crate::choices::{self, same_columns};
use crate::facts::Shapes;
use crate::found::{Found, Part, same_dialect};
use crate::levels::{self, KeyType};
use crate::memory::fnv;
use crate::why;

/// Where the table's own columns differ from these, somebody edited them.
pub(crate) use mastic_catalog::parameters::INFERRED;

/// A table as the files say it is, before the catalog is asked.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) table: Table,
    /// The columns as they were inferred, with null for those of which nothing is known.
    pub(crate) fields: Fields,
    /// The columns by choosing and not widening: what a dynamic frame reads.
    pub(crate) choices: Fields,
    /// Whether only some of the table's files were looked at.
    pub(crate) some: bool,
    /// Its folders; each is a partition, or several are one, where the table has partition keys.
    pub(crate) parts: Vec<Part>,
    pub(crate) why: Vec<String>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) compression: String,
    format: FileFormat,
    levels: Vec<levels::Level>,
    /// Which of the folders below the target each level is.
    depths: Vec<usize>,
    /// The target.
    root: Location,
}

pub(crate) fn propose(mut found: Found, root: &Location, globs: &[String]) -> Proposal {
    add_lone_markers(&mut found);
    let mut why = std::mem::take(&mut found.why);
    why.push(std::mem::take(&mut found.reason));
    why.extend(why::disagreements(&found, root));
    why.extend(why::choices(&found));

    let keys = key_names(&found, &mut why);
    let without_keys = |fields: &Fields| -> Fields {
        fields
            .iter()
            .filter(|f| !keys.iter().any(|(name, _)| name == f.name()))
            .cloned()
            .collect()
    };
    let fields = without_keys(&found.fields);
    let choices = without_keys(found.chosen());
    let mut columns: Vec<Column> = fields
        .iter()
        .map(|f: &Arc<Field>| Column::new(f.name(), format_type(f.data_type())))
        .collect();
    choices::set(&mut columns, &choices);

    let (files, bytes, records) = (found.files(), found.bytes(), found.rows());
    let compression = Vec::from_iter(found.compressions.iter().map(String::as_str)).join(",");
    let serde = found.format.serde();
    let location = location(&found, root);
    let mut table = Table::new("", &found.name);
    table.table_type = Some("EXTERNAL_TABLE".into());
    table.partition_keys = keys
        .into_iter()
        .map(|(name, hive_type)| Column::new(name, hive_type))
        .collect();
    table.parameters = parameters(&found, &serde, &compression);
    if !globs.is_empty() {
        // As Glue keeps them: each with the crawled place before it.
        let globs: Vec<String> = globs
            .iter()
            .map(|g| format!("{}/{}", literal(&root.url), g.trim_start_matches('/')))
            .collect();
        let globs = serde_json::Value::from(globs).to_string();
        table.parameters.insert(names::EXCLUSIONS.into(), globs);
    }
    table.storage_descriptor = Some(StorageDescriptor {
        columns,
        compressed: Some(found.compressions.iter().any(|c| c != "none")),
        ..descriptor(&serde, location)
    });
    Proposal {
        table,
        fields,
        choices,
        some: false,
        parts: found.parts,
        why,
        files,
        bytes,
        records,
        compression,
        format: found.format,
        levels: found.levels,
        depths: found.depths,
        root: root.clone(),
    }
}

/// A text as a glob for itself.
fn literal(text: &str) -> String {
    let special = |c: char| "*?[]{},\\".contains(c);
    text.chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// The table's folder; of a table of one file among others, the file, as in Glue.
fn location(found: &Found, root: &Location) -> String {
    match found.parts.as_slice() {
        [
            Part {
                only: Some(path), ..
            },
        ] if found.levels.is_empty() => root.url_of(&path.as_ref().into()),
        _ => root.child(&found.folder).url,
    }
}

/// A file that has only `NA` in a column says nothing of it; where other files make the column one of
/// numbers, its `NA` is their null.
fn add_lone_markers(found: &mut Found) {
    let FileFormat::Csv(options) = &mut found.format else {
        return;
    };
    for (column, marker) in &found.lone_markers {
        let typed = found.fields.iter().any(|f| {
            f.name().eq_ignore_ascii_case(column)
                && !matches!(f.data_type(), DataType::Utf8 | DataType::Null)
        });
        if typed && !options.null_markers.contains(marker) {
            options.null_markers.push(marker.clone());
        }
    }
    options.null_markers.sort();
}

fn descriptor(serde: &Serde, location: String) -> StorageDescriptor {
    StorageDescriptor {
        location: Some(location),
        input_format: Some(serde.input_format.to_string()),
        output_format: Some(serde.output_format.to_string()),
        number_of_buckets: Some(-1),
        serde_info: Some(SerDeInfo {
            name: None,
            serialization_library: Some(serde.library.to_string()),
            parameters: serde.parameters.clone(),
        }),
        ..StorageDescriptor::default()
    }
}

/// The parameters that Glue's crawler writes ("Table properties set by crawlers").
fn parameters(found: &Found, serde: &Serde, compression: &str) -> BTreeMap<String, String> {
    let (files, bytes, records) = (found.files(), found.bytes(), found.rows());
    let mut parameters: BTreeMap<String, String> = [
        (names::CLASSIFICATION, serde.classification.to_string()),
        (names::COMPRESSION_TYPE, compression.to_owned()),
        (names::TYPE_OF_DATA, "file".to_owned()),
        (names::RECORD_COUNT, records.to_string()),
        (
            names::AVERAGE_RECORD_SIZE,
            bytes.checked_div(records).unwrap_or(0).to_string(),
        ),
        (names::SIZE_KEY, bytes.to_string()),
        (names::OBJECT_COUNT, files.to_string()),
        (names::UPDATED_BY_CRAWLER, "mastic".to_owned()),
        (names::CRAWLER_SCHEMA_SERIALIZER_VERSION, "1.0".to_owned()),
        (names::CRAWLER_SCHEMA_DESERIALIZER_VERSION, "1.0".to_owned()),
        (names::FINGERPRINT, hex(fingerprint(found))),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let FileFormat::Csv(options) = &found.format {
        let delimiter = char::from(options.delimiter).to_string();
        parameters.insert(names::DELIMITER.into(), delimiter);
        parameters.insert(names::COLUMNS_ORDERED.into(), "true".into());
        for name in [names::SKIP_HEADER, names::SKIP_FOOTER] {
            if let Some(lines) = serde.parameters.get(name) {
                parameters.insert(name.into(), lines.clone());
            }
        }
    }
    if let Some(globs) = common_include(&found.parts)
        && !globs.is_empty()
    {
        parameters.insert(names::INCLUDE.into(), json(globs));
    }
    parameters
}

fn json(texts: &BTreeSet<String>) -> String {
    serde_json::Value::from_iter(texts.iter().cloned()).to_string()
}

/// The globs that all folders of a table have; `None` where they differ.
fn common_include(parts: &[Part]) -> Option<&BTreeSet<String>> {
    let first = parts.first()?.include.as_ref()?;
    parts
        .iter()
        .all(|p| p.include.as_ref() == Some(first))
        .then_some(first.as_ref())
}

/// A hash of every file of a table. The sum over its partitions, so that it can be told anew from those
/// that are different.
fn fingerprint(found: &Found) -> u64 {
    found.parts.iter().fold(0, |sum, part| {
        let values = values(&found.levels, &found.depths, &part.folder);
        sum.wrapping_add(print_of(&values, part.mark()))
    })
}

/// What the files of a partition add to its table's fingerprint.
pub(crate) fn print_of(values: &[String], print: u64) -> u64 {
    let values = fnv(values.iter().flat_map(|v| v.bytes().chain([0])));
    // Several folders of one partition add up, as their own prints do.
    values.wrapping_add(1).wrapping_mul(print)
}

/// The names and types of the partition keys. A column of the files that repeats its key (a
/// `year` in files below `2024/`) is the key; one that merely has its name keeps it, and the key
/// gets another.
fn key_names(found: &Found, why: &mut Vec<String>) -> Vec<(String, &'static str)> {
    let mut names: Vec<String> = Vec::new();
    for (at, mut name) in levels::key_names(&found.levels).into_iter().enumerate() {
        if found.fields.iter().any(|f| f.name() == &name) {
            let repeats = found.repeats.get(&(name.clone(), found.depths[at]));
            // Files that do not tell (Parquet) are taken to repeat it, as Spark and Hive do.
            if *repeats.unwrap_or(&true) {
                why.push(format!(
                    "column '{name}' repeats its partition key, and is the key"
                ));
            } else {
                let clash = name.clone();
                name = format!("partition_{name}");
                why.push(format!(
                    "the key '{clash}' is called '{name}', because a column '{clash}' holds other values"
                ));
            }
        }
        while names.contains(&name) {
            name.push_str("_1");
        }
        names.push(name);
    }
    let mut types: Vec<KeyType> = names.iter().map(|name| KeyType::new(name)).collect();
    for part in &found.parts {
        for (key, value) in types
            .iter_mut()
            .zip(values(&found.levels, &found.depths, &part.folder))
        {
            key.see(&value);
        }
    }
    names
        .into_iter()
        .zip(types)
        .map(|(name, key)| (name, key.hive_type()))
        .collect()
}

/// The values that a folder gives its table's keys. Hive knows no empty key: it is written, and read, as
/// null.
fn values(levels: &[levels::Level], depths: &[usize], folder: &str) -> Vec<String> {
    let folders: Vec<&str> = folder.split('/').collect();
    levels
        .iter()
        .zip(depths)
        .map(|(level, at)| (level, folders.get(*at).copied().unwrap_or_default()))
        .map(|(level, folder)| match level.value_of(folder) {
            empty if empty.is_empty() => mastic_catalog::HIVE_DEFAULT_PARTITION.to_owned(),
            value => value,
        })
        .collect()
}

impl Proposal {
    /// A table that the catalog has, with new files for some of its partitions.
    pub(crate) fn of_changed(
        old: &Table,
        found: Found,
        root: &Location,
        format: FileFormat,
    ) -> Self {
        Proposal {
            table: old.clone(),
            files: found.files(),
            bytes: found.bytes(),
            records: found.rows(),
            compression: Vec::from_iter(found.compressions.iter().map(String::as_str)).join(","),
            why: why::disagreements(&found, root)
                .into_iter()
                .chain(why::choices(&found))
                .collect(),
            choices: found.chosen().clone(),
            some: true,
            fields: found.fields,
            parts: found.parts,
            levels: found.levels,
            depths: found.depths,
            root: root.clone(),
            format,
        }
    }

    /// Whether the table has partitions.
    pub(crate) fn partitioned(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The folders of each partition, by its values. `k=a b` and `k=a%20b`, `k=` and
    /// `k=__HIVE_DEFAULT_PARTITION__`: several folders may say the same, and are one partition.
    pub(crate) fn by_values(&self) -> BTreeMap<Vec<String>, Vec<&Part>> {
        let mut by_values: BTreeMap<Vec<String>, Vec<&Part>> = BTreeMap::new();
        if self.partitioned() {
            for part in &self.parts {
                let values = values(&self.levels, &self.depths, &part.folder);
                by_values.entry(values).or_default().push(part);
            }
        }
        by_values
    }

    /// A partition, with what it differs in from its table. `own_columns`: also the columns.
    pub(crate) fn partition(
        &self,
        values: Vec<String>,
        parts: &[&Part],
        shapes: &Shapes,
        own_columns: bool,
    ) -> Partition {
        let place = |part: &Part| self.root.child(&part.folder).url;
        let mut places = parts.iter().map(|p| place(p));
        let mut partition = Partition::new(values, places.next().unwrap_or_default());
        let more: Vec<String> = places.collect();
        let sum = |of: fn(&Part) -> u64| parts.iter().map(|p| of(p)).sum::<u64>();
        partition.parameters = [
            (names::RECORD_COUNT, sum(|p| p.rows).to_string()),
            (names::SIZE_KEY, sum(|p| p.bytes).to_string()),
            (names::OBJECT_COUNT, sum(|p| p.files).to_string()),
            (names::FINGERPRINT, print(parts)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        if !more.is_empty() {
            let more = serde_json::Value::from(more).to_string();
            partition
                .parameters
                .insert(names::MORE_LOCATIONS.into(), more);
        }
        if !self.table.parameters.contains_key(names::INCLUDE) {
            if let [only] = parts {
                if let Some(globs) = &only.include {
                    partition
                        .parameters
                        .insert(names::INCLUDE.into(), json(globs));
                }
            } else {
                // Each folder has its own, or none.
                let globs: serde_json::Map<String, serde_json::Value> = parts
                    .iter()
                    .filter_map(|p| Some((place(p), p.include.as_ref()?.iter().cloned().collect())))
                    .collect();
                if !globs.is_empty() {
                    let globs = serde_json::Value::Object(globs).to_string();
                    partition
                        .parameters
                        .insert(names::INCLUDE_BY_LOCATION.into(), globs);
                }
            }
        }
        self.differ(&mut partition, parts, shapes, own_columns);
        partition
    }

    /// A partition in another dialect of the table's format has its own SerDe, and one with other columns
    /// than its table's its own columns.
    fn differ(&self, partition: &mut Partition, parts: &[&Part], shapes: &Shapes, own: bool) {
        let all = parts
            .iter()
            .flat_map(|p| p.others.iter().chain([&p.shape]))
            .filter_map(|id| shapes.get(*id));
        let mut fields: Option<Fields> = None;
        let mut format = None;
        for shape in all {
            format.get_or_insert(&shape.format);
            fields = Some(match fields {
                None => shape.fields.clone(),
                Some(fields) => widen_fields(&fields, &shape.fields, &mut |_| ()),
            });
        }
        let (Some(fields), Some(format), Some(storage)) =
            (fields, format, &mut partition.storage_descriptor)
        else {
            return;
        };
        if !same_dialect(format, &self.format) {
            let location = storage.location.take().unwrap_or_default();
            *storage = descriptor(&format.serde(), location);
        }
        let keys = &self.table.partition_keys;
        let fields = fields
            .iter()
            .filter(|f| !keys.iter().any(|k| &k.name == f.name()));
        // A column in which only nulls were found is no other column than the table's.
        let columns: Vec<Column> = fields
            .map(|f| {
                let known = position(&self.fields, f.name()).map(|at| self.fields[at].data_type());
                let data_type = match (f.data_type(), known) {
                    (DataType::Null, Some(known)) => known,
                    (other, _) => other,
                };
                Column::new(f.name(), format_type(data_type))
            })
            .collect();
        // Without a header it is the table that names the columns.
        let named = !matches!(format, FileFormat::Csv(options) if !options.header);
        if own && named && !same_columns(&columns, self.table.columns()) {
            storage.columns = columns;
        }
    }
}

/// The fingerprint of a partition's files.
pub(crate) fn print(parts: &[&Part]) -> String {
    hex(parts
        .iter()
        .fold(0u64, |sum, part| sum.wrapping_add(part.mark())))
}

/// A fingerprint as it is kept.
pub(crate) fn hex(print: u64) -> String {
    format!("{print:016x}")
}

/// The columns as the last crawl of a table inferred them. Null are those in which it found nothing but
/// nulls: in the table they are text.
pub(crate) fn inferred(table: &Table) -> Option<Fields> {
    let text = table.parameters.get(INFERRED)?;
    let types: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    types
        .iter()
        .map(|(name, hive_type)| {
            let data_type = match hive_type.as_str()? {
                VOID => DataType::Null,
                other => parse_type(other).ok()?,
            };
            Some(Field::new(name, data_type, true))
        })
        .collect()
}

/// Hive's type of a column of nulls.
const VOID: &str = "void";

/// What [`inferred`] reads.
pub(crate) fn inferred_text(fields: &Fields) -> String {
    let types: serde_json::Map<String, serde_json::Value> = fields
        .iter()
        .map(|f| {
            let hive_type = match f.data_type() {
                DataType::Null => VOID.to_owned(),
                other => format_type(other),
            };
            (f.name().clone(), hive_type.into())
        })
        .collect();
    serde_json::Value::Object(types).to_string()
}
