//! How a table's rows are read, from what `CREATE EXTERNAL TABLE` says of it.
//!
//! Sources: "Supported SerDes and data formats" and "CREATE TABLE" of the Athena user guide; Hive's `StorageFormat` and
//! `serdeConstants` for the classes and for the names of properties.

use std::collections::BTreeMap;

use mastic_catalog::{SerDeInfo, StorageDescriptor, parameters};
use mastic_lake::format::FileFormat;

use super::super::command::{CreateTable, Delimited, RowFormat, Stored};
use super::Context;
use crate::error::Result;

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
const LAZY_SIMPLE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
const HIVE_JSON: &str = "org.apache.hive.hcatalog.data.JsonSerDe";

/// The SerDe, input format and output format of a name behind `STORED AS`.
struct Classes {
    serde: String,
    input: String,
    output: String,
}

impl Classes {
    fn of(format: &FileFormat) -> Self {
        let own = format.serde();
        Classes {
            serde: own.library.to_owned(),
            input: own.input_format.to_owned(),
            output: own.output_format.to_owned(),
        }
    }

    fn text(serde: &str) -> Self {
        Classes {
            serde: serde.to_owned(),
            input: TEXT_INPUT.to_owned(),
            output: TEXT_OUTPUT.to_owned(),
        }
    }

    /// What a SerDe is stored as where nothing is said of it. Hive takes text for all; nobody means that of these.
    fn of_serde(class: &str) -> Self {
        let lower = class.to_ascii_lowercase();
        let format = [
            ("parquethiveserde", FileFormat::Parquet),
            ("orcserde", FileFormat::Orc),
            ("avroserde", FileFormat::Avro),
        ]
        .into_iter()
        .find(|(ending, _)| lower.ends_with(ending));
        let mut classes = match format {
            Some((_, format)) => Classes::of(&format),
            None => Classes::text(class),
        };
        if lower.ends_with("xmlserde") {
            classes.input = "com.ibm.spss.hive.serde2.xml.XmlInputFormat".to_owned();
        }
        class.clone_into(&mut classes.serde);
        classes
    }
}

/// What `STORED AS` may name.
const NAMES: [&str; 9] = [
    "PARQUET",
    "ORC",
    "AVRO",
    "TEXTFILE",
    "JSONFILE",
    "SEQUENCEFILE",
    "RCFILE",
    "ION",
    "INPUTFORMAT",
];

/// The descriptor of a new table, without its columns and its location, and the format that it is read in.
///
/// # Errors
/// When it is no format that Mastic reads, or its properties contradict each other.
pub(super) fn descriptor(
    context: &Context<'_>,
    table: &CreateTable,
) -> Result<(StorageDescriptor, FileFormat)> {
    let mut properties: BTreeMap<String, String> = BTreeMap::new();
    let mut classes = match &table.row_format {
        Some(RowFormat::Serde { class, .. }) => Some(Classes::of_serde(class)),
        Some(RowFormat::Delimited(_)) => Some(Classes::text(LAZY_SIMPLE)),
        None => None,
    };
    match &table.stored {
        Some(Stored::Named(name)) => {
            let named = match name.value.to_ascii_uppercase().as_str() {
                "PARQUET" | "PARQUETFILE" => Classes::of(&FileFormat::Parquet),
                "ORC" | "ORCFILE" => Classes::of(&FileFormat::Orc),
                "AVRO" | "AVROFILE" => Classes::of(&FileFormat::Avro),
                "TEXTFILE" => Classes::text(LAZY_SIMPLE),
                "JSONFILE" => Classes::text(HIVE_JSON),
                other if NAMES.contains(&other) => {
                    return Err(context.wrong(
                        name.start,
                        format!("STORED AS {other} is not built: Mastic reads Parquet, ORC, Avro and text"),
                        None,
                    ));
                }
                other => {
                    let hint = crate::error::closest(other, NAMES)
                        .map(|near| format!("did you mean {near}?"));
                    return Err(context.wrong(
                        name.start,
                        format!("there is no format '{other}'"),
                        hint,
                    ));
                }
            };
            classes = Some(match classes {
                Some(own) => Classes {
                    serde: own.serde,
                    ..named
                },
                None => named,
            });
        }
        Some(Stored::Classes { input, output }) => {
            let own = classes.unwrap_or_else(|| of_input(input));
            classes = Some(Classes {
                serde: own.serde,
                input: input.clone(),
                output: output.clone(),
            });
        }
        None => {}
    }
    let classes = classes.unwrap_or_else(|| Classes::text(LAZY_SIMPLE));
    if let Some(RowFormat::Delimited(delimited)) = &table.row_format {
        properties = delimiters(delimited);
    }
    properties.extend(table.serde_properties.iter().cloned());
    // Hive's default; a SerDe that is named has the properties that it is given.
    if !matches!(table.row_format, Some(RowFormat::Serde { .. })) {
        let format = properties.entry("serialization.format".to_owned());
        format.or_insert_with(|| "1".to_owned());
    }
    let of_table: BTreeMap<String, String> = table.properties.iter().cloned().collect();
    let format = read_as(&of_table, &classes.serde, &properties).map_err(|e| {
        let at = match &table.row_format {
            Some(RowFormat::Serde { start, .. }) => *start,
            _ => table.name.start,
        };
        context.wrong(at, e.to_string(), e.hint())
    })?;
    let descriptor = StorageDescriptor {
        input_format: Some(classes.input),
        output_format: Some(classes.output),
        number_of_buckets: Some(-1),
        serde_info: Some(SerDeInfo {
            name: None,
            serialization_library: Some(classes.serde),
            parameters: properties,
        }),
        ..StorageDescriptor::default()
    };
    Ok((descriptor, format))
}

/// Writes down that a text is read as Athena reads it, and not as a crawl finds it: lines that are skipped name no columns,
/// which have their places in the table's order, an empty text is no null, and what is beyond the last column is nothing. Of a table that a crawl or a run has
/// written, its own properties say how it is read.
pub(super) fn as_athena(table: &mut BTreeMap<String, String>, library: &str, format: &FileFormat) {
    let written = table.contains_key(parameters::UPDATED_BY_CRAWLER)
        || table.contains_key(parameters::COLUMNS_ORDERED);
    let lower = library.to_ascii_lowercase();
    let text = lower.ends_with("lazysimpleserde") || lower.ends_with("opencsvserde");
    if matches!(format, FileFormat::Csv(_)) && text && !written {
        let mut put = |name: &str, value: &str| {
            table
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        };
        put("mastic.header", "false");
        put("mastic.as_hive", "true");
        if lower.ends_with("opencsvserde") {
            // The SerDe's own, where its properties say nothing ("OpenCSVSerDe for processing CSV", Athena user guide).
            put("escapeChar", "\\");
        }
    }
}

/// The format that a table with these properties and this SerDe is read in.
pub(super) fn read_as(
    table: &BTreeMap<String, String>,
    library: &str,
    properties: &BTreeMap<String, String>,
) -> mastic_lake::error::Result<FileFormat> {
    let mut all = table.clone();
    all.extend(properties.clone());
    let classification = table.get(parameters::CLASSIFICATION);
    FileFormat::from_serde(classification.map(String::as_str), Some(library), &all)
}

/// The SerDe that Hive takes for an input format.
fn of_input(input: &str) -> Classes {
    let format = [FileFormat::Parquet, FileFormat::Orc, FileFormat::Avro]
        .into_iter()
        .find(|format| format.serde().input_format == input);
    format.map_or_else(|| Classes::text(LAZY_SIMPLE), |format| Classes::of(&format))
}

/// The properties of `ROW FORMAT DELIMITED` (Hive's `serdeConstants`).
fn delimiters(delimited: &Delimited) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    let mut put = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value.clone());
        }
    };
    put("field.delim", &delimited.fields);
    put("serialization.format", &delimited.fields);
    put("escape.delim", &delimited.escape);
    put("collection.delim", &delimited.items);
    put("mapkey.delim", &delimited.keys);
    put("line.delim", &delimited.lines);
    put("serialization.null.format", &delimited.null);
    properties
}
