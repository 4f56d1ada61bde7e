//! A group of files as a table of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, Field, Fields};
use mastic_catalog::{Column, Partition, SerDeInfo, StorageDescriptor, Table};
use mastic_lake::compress::Compression;
use mastic_lake::format::{FileFormat, Serde};
use mastic_lake::infer::Kind;
use mastic_schema::hive::format_type;

use crate::group::Found;
use crate::levels::{Level, key_type};
use crate::survey::SeenFile;

/// The table parameter that holds globs for the names of a table's files, as a JSON array, where
/// its folder holds other tables' files too.
pub(crate) const INCLUDE: &str = "mastic.include";
/// The parameter of a partition that holds its folders beside its location, as a JSON array.
pub(crate) const MORE_LOCATIONS: &str = "mastic.more_locations";
/// The parameter by which a change of files is told: of their names, sizes and times.
pub(crate) const FINGERPRINT: &str = "mastic.fingerprint";

/// A table as the files say it is, before the catalog is asked.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) table: Table,
    /// The columns as they were inferred, with null for those of which nothing is known.
    pub(crate) fields: Fields,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) why: Vec<String>,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) compression: String,
}

pub(crate) fn propose(mut found: Found) -> Proposal {
    add_lone_markers(&mut found);
    let mut why = found.why.clone();
    if let Some((first, _)) = found.files.first() {
        why.push(format!("{}: {}", found.format, first.reason));
    }
    why.extend(disagreements(&found));

    let keys = key_names(&found, &mut why);
    let fields: Fields = found
        .fields
        .iter()
        .filter(|f| !keys.iter().any(|(name, _)| name == f.name()))
        .cloned()
        .collect();
    let columns: Vec<Column> = fields
        .iter()
        .map(|f: &std::sync::Arc<Field>| Column::new(f.name(), format_type(f.data_type())))
        .collect();

    let bytes = found.files.iter().map(|(f, _)| f.meta.size).sum();
    let records = found.files.iter().map(|(f, _)| records(f)).sum();
    let compressions: BTreeSet<Compression> =
        found.files.iter().map(|(f, _)| f.compression).collect();
    let compression = compressions
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",");

    let partitioned = !found.levels.is_empty();
    let partitions = if partitioned {
        partitions(&found)
    } else {
        Vec::new()
    };
    let serde = found.format.serde();
    let mut parameters = parameters(&found, &serde, bytes, records, &compression);
    if !partitioned {
        let print = fingerprint(found.files.iter().map(|(f, _)| f));
        parameters.insert(FINGERPRINT.into(), print);
    }
    let location = match found.files.as_slice() {
        // Glue, too, gives a table of one file among others the file as its location.
        [(only, values)] if !found.include.is_empty() && values.is_empty() => only.url.clone(),
        _ => found.location.url.clone(),
    };
    let mut table = Table::new("", &found.name);
    table.table_type = Some("EXTERNAL_TABLE".into());
    table.partition_keys = keys
        .into_iter()
        .map(|(name, hive_type)| Column::new(name, hive_type))
        .collect();
    table.parameters = parameters;
    table.storage_descriptor = Some(StorageDescriptor {
        columns,
        compressed: Some(compressions.iter().any(|c| *c != Compression::None)),
        ..descriptor(&serde, location)
    });
    Proposal {
        table,
        fields,
        partitions,
        why,
        files: found.files.len(),
        bytes,
        records,
        compression,
    }
}

/// A file that has only `NA` in a column says nothing of it; where other files make the column one of
/// numbers, its `NA` is their null.
fn add_lone_markers(found: &mut Found) {
    let FileFormat::Csv(options) = &mut found.format else {
        return;
    };
    for (file, _) in &found.files {
        for (column, marker) in &file.lone_markers {
            let typed = found.fields.iter().any(|f| {
                f.name().eq_ignore_ascii_case(column)
                    && !matches!(f.data_type(), DataType::Utf8 | DataType::Null)
            });
            if typed && !options.null_markers.contains(marker) {
                options.null_markers.push(marker.clone());
            }
        }
    }
    options.null_markers.sort();
}

fn descriptor(serde: &Serde, location: String) -> StorageDescriptor {
    StorageDescriptor {
        location: Some(location),
        input_format: Some(serde.input_format.into()),
        output_format: Some(serde.output_format.into()),
        number_of_buckets: Some(-1),
        serde_info: Some(SerDeInfo {
            name: None,
            serialization_library: Some(serde.library.into()),
            parameters: serde.parameters.clone(),
        }),
        ..StorageDescriptor::default()
    }
}

/// The parameters that Glue's crawler writes ("Table properties set by crawlers").
fn parameters(
    found: &Found,
    serde: &Serde,
    bytes: u64,
    records: u64,
    compression: &str,
) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = [
        ("classification", serde.classification.to_owned()),
        ("compressionType", compression.to_owned()),
        ("typeOfData", "file".to_owned()),
        ("recordCount", records.to_string()),
        (
            "averageRecordSize",
            bytes.checked_div(records).unwrap_or(0).to_string(),
        ),
        ("sizeKey", bytes.to_string()),
        ("objectCount", found.files.len().to_string()),
        ("UPDATED_BY_CRAWLER", "mastic".to_owned()),
        ("CrawlerSchemaSerializerVersion", "1.0".to_owned()),
        ("CrawlerSchemaDeserializerVersion", "1.0".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let FileFormat::Csv(options) = &found.format {
        parameters.insert(
            "delimiter".into(),
            char::from(options.delimiter).to_string(),
        );
        parameters.insert(
            "skip.header.line.count".into(),
            if options.header { "1" } else { "0" }.into(),
        );
    }
    if !found.include.is_empty() {
        let globs = serde_json::Value::from_iter(found.include.iter().cloned());
        parameters.insert(INCLUDE.into(), globs.to_string());
    }
    parameters
}

/// All records of a file, by its size where not all of it was looked at.
fn records(file: &SeenFile) -> u64 {
    if file.complete || file.seen_bytes == 0 {
        return file.rows;
    }
    let seen = u128::from(file.seen_bytes);
    let all = u128::from(file.rows) * u128::from(file.meta.size) / seen;
    // A compressed file holds more than its size says, and never less than was seen.
    u64::try_from(all).unwrap_or(u64::MAX).max(file.rows)
}

fn fingerprint<'a>(files: impl Iterator<Item = &'a SeenFile>) -> String {
    let mut all: Vec<(&str, u64, i64)> = files
        .map(|f| {
            (
                f.name.as_str(),
                f.meta.size,
                f.meta.last_modified.timestamp_micros(),
            )
        })
        .collect();
    all.sort_unstable();
    // FNV-1a: what is kept in a catalog must not change with the compiler, as std's hasher may.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for (name, size, time) in all {
        let numbers = [size.to_le_bytes(), time.to_le_bytes()].concat();
        for byte in name.bytes().chain([0]).chain(numbers) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

/// The partitions, each with what its own files differ in.
fn partitions(found: &Found) -> Vec<Partition> {
    let mut by_values: BTreeMap<Vec<String>, Vec<&SeenFile>> = BTreeMap::new();
    for (file, values) in &found.files {
        let values = values.iter().map(|v| nonempty(v)).collect();
        by_values.entry(values).or_default().push(file);
    }
    by_values
        .into_iter()
        .map(|(values, files)| {
            // `k=a b` and `k=a%20b`, `k=` and `k=__HIVE_DEFAULT_PARTITION__`: several folders may say
            // the same, and are one partition.
            let mut places: Vec<String> = files.iter().map(|f| place(found, f)).collect();
            places.dedup();
            let mut places = places.into_iter();
            let mut partition = Partition::new(values, places.next().unwrap_or_default());
            let more: Vec<String> = places.collect();
            let bytes: u64 = files.iter().map(|f| f.meta.size).sum();
            let rows: u64 = files.iter().map(|f| records(f)).sum();
            partition.parameters = [
                ("recordCount", rows.to_string()),
                ("sizeKey", bytes.to_string()),
                ("objectCount", files.len().to_string()),
                (FINGERPRINT, fingerprint(files.iter().copied())),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
            if !more.is_empty() {
                let more = serde_json::Value::from(more).to_string();
                partition.parameters.insert(MORE_LOCATIONS.into(), more);
            }
            // A partition in another dialect of the table's format has its own SerDe.
            if let Some(first) = files.first()
                && dialect(&first.format) != dialect(&found.format)
                && let Some(place) = &mut partition.storage_descriptor
            {
                *place = descriptor(
                    &first.format.serde(),
                    place.location.take().unwrap_or_default(),
                );
            }
            partition
        })
        .collect()
}

/// The folder of a file's partition.
fn place(found: &Found, file: &SeenFile) -> String {
    let own = file.folders.len().saturating_sub(found.levels.len());
    let folders = &file.folders[own..];
    folders
        .iter()
        .fold(found.location.clone(), |place, folder| place.child(folder))
        .url
}

/// Hive knows no empty key: it is written, and read, as null.
fn nonempty(value: &str) -> String {
    if value.is_empty() {
        mastic_catalog::HIVE_DEFAULT_PARTITION.to_owned()
    } else {
        value.to_owned()
    }
}

/// A format without the null markers, which the table has for all its files.
fn dialect(format: &FileFormat) -> FileFormat {
    match format {
        FileFormat::Csv(options) => FileFormat::Csv(mastic_lake::format::CsvOptions {
            null_markers: Vec::new(),
            ..options.clone()
        }),
        other => other.clone(),
    }
}

/// The names and types of the partition keys. A column of the files that repeats its key (a
/// `year` in files below `2024/`) is the key; one that merely has its name keeps it, and the key
/// gets another.
fn key_names(found: &Found, why: &mut Vec<String>) -> Vec<(String, &'static str)> {
    let mut names: Vec<String> = Vec::new();
    let mut others = 0;
    for (depth, level) in found.levels.iter().enumerate() {
        let mut name = match level {
            Level::Hive(key) => key.clone(),
            Level::Date(part) => part.name().to_owned(),
            Level::Other => {
                others += 1;
                format!("partition_{}", others - 1)
            }
        };
        if found.fields.iter().any(|f| f.name() == &name) {
            if repeats(found, depth, &name) {
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
    names
        .into_iter()
        .enumerate()
        .map(|(depth, name)| {
            let values = found.files.iter().map(|(_, values)| values[depth].as_str());
            let key = key_type(&name, values);
            (name, key)
        })
        .collect()
}

/// Whether a column's first value in each file is that of the file's folder. Files that do not
/// tell (Parquet) are taken to repeat it, as Spark and Hive do.
fn repeats(found: &Found, depth: usize, name: &str) -> bool {
    found.files.iter().all(|(file, values)| {
        let Some((_, kinds)) = file
            .sightings
            .iter()
            .find(|(column, _)| column.eq_ignore_ascii_case(name))
        else {
            return true;
        };
        let same = |seen: &str| {
            seen == values[depth]
                || matches!((seen.parse::<i64>(), values[depth].parse::<i64>()), (Ok(a), Ok(b)) if a == b)
        };
        match kinds.as_slice() {
            [(_, sighting)] => !sighting.varied && same(&sighting.value),
            _ => false,
        }
    })
}

/// Why columns are wider than most of their values.
fn disagreements(found: &Found) -> Vec<String> {
    const SHOWN: usize = 20;
    let mut told: Vec<String> = Vec::new();
    for (file, _) in &found.files {
        for (column, kinds) in &file.sightings {
            let kinds: Vec<_> = kinds.iter().filter(|(k, _)| *k != Kind::Marker).collect();
            let Some(field) = found
                .fields
                .iter()
                .find(|f| f.name().eq_ignore_ascii_case(column))
            else {
                continue;
            };
            let numbers = kinds
                .iter()
                .all(|(k, _)| matches!(k, Kind::Integer | Kind::Real));
            if kinds.len() < 2 || numbers {
                // `32` beside `39.02` is how numbers are written, not a column at odds with itself.
                continue;
            }
            let about = format!(
                "column '{}' is {}",
                field.name(),
                format_type(field.data_type())
            );
            if told.iter().any(|t| t.starts_with(&about)) {
                continue;
            }
            let seen: Vec<String> = kinds
                .iter()
                .map(|(kind, s)| {
                    let times = if s.count == 1 {
                        "once".into()
                    } else {
                        format!("{} times", s.count)
                    };
                    format!("{kind} {times} (first '{}', line {})", s.value, s.line)
                })
                .collect();
            told.push(format!(
                "{about}: in {} it is {}",
                file.url,
                seen.join(", ")
            ));
        }
    }
    let mut paths = BTreeSet::new();
    for (url, d) in &found.disagreements {
        if !(d.left.is_numeric() && d.right.is_numeric()) && paths.insert(d.path.clone()) {
            told.push(format!(
                "column '{}' is {}: {} before, {} in {url}",
                d.path,
                format_type(&d.merged),
                format_type(&d.left),
                format_type(&d.right)
            ));
        }
    }
    if told.len() > SHOWN {
        let more = told.len() - SHOWN;
        told.truncate(SHOWN);
        told.push(format!(
            "… and {more} more columns with values of several types"
        ));
    }
    told
}
