//! What `WITH (…)` of `CREATE TABLE … AS` and of `UNLOAD` can say.
//!
//! Names and meanings are Athena's ("CTAS table properties" and "UNLOAD", Athena user guide), and Trino's where Athena
//! has another name for the same. `CSV` and `XML` are formats beside Athena's.

use mastic_lake::sink::{Buckets, OutputFormat, OutputOptions};
use mastic_schema::names::closest;

use super::parse::{Property, Value, told};
use crate::error::{QueryError, Result};

/// What a statement's properties say.
#[derive(Debug)]
pub(super) struct Properties {
    /// What the files look like.
    pub(super) options: OutputOptions,
    /// Whether the table is one of Hive's `LazySimpleSerDe`, whatever separates its fields.
    pub(super) lazy: bool,
    /// Where the files go, where that is said.
    pub(super) location: Option<String>,
    pub(super) partitioned_by: Vec<String>,
    pub(super) buckets: Option<Buckets>,
}

/// Which statement has the properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    CreateTable,
    Unload,
}

const CREATE_TABLE: &[&str] = &[
    "format",
    "external_location",
    "partitioned_by",
    "bucketed_by",
    "bucket_count",
    "write_compression",
    "parquet_compression",
    "orc_compression",
    "compression_level",
    "field_delimiter",
    "is_external",
    "table_type",
];

const UNLOAD: &[&str] = &[
    "format",
    "compression",
    "compression_level",
    "field_delimiter",
    "partitioned_by",
];

/// Those of Iceberg's tables.
const ICEBERG: &[&str] = &[
    "location",
    "partitioning",
    "vacuum_min_snapshots_to_keep",
    "vacuum_max_snapshot_age_seconds",
    "optimize_rewrite_min_data_file_size_bytes",
    "optimize_rewrite_max_data_file_size_bytes",
    "optimize_rewrite_data_file_threshold",
    "optimize_rewrite_delete_file_threshold",
];

const FORMATS: &[&str] = &["PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE", "CSV", "XML"];

/// The field delimiter of Hive's text files: `^A`.
const HIVE_DELIMITER: u8 = 1;

impl Properties {
    /// Reads them, and checks that they go together.
    ///
    /// # Errors
    /// When a name or a value is none that the statement has, or two contradict each other.
    pub(super) fn read(of: Of, properties: &[Property]) -> Result<Self> {
        let known = match of {
            Of::CreateTable => CREATE_TABLE,
            Of::Unload => UNLOAD,
        };
        for property in properties {
            check_name(of, known, property)?;
        }
        let find = |name: &str| properties.iter().find(|p| p.name == name);
        if let Some(property) = find("table_type") {
            let kind = text(property)?.to_uppercase();
            if kind == "ICEBERG" {
                return Err(iceberg());
            }
            if kind != "HIVE" {
                return Err(wrong(property, "HIVE", Some("table_type = 'HIVE'")));
            }
        }
        if let Some(property) = find("is_external") {
            match property.value {
                Value::Bool(true) => {}
                Value::Bool(false) => {
                    return Err(told(
                        "is_external = false is for Iceberg tables, which are not built",
                        property.place,
                        Some("leave it out: every table is external".into()),
                    ));
                }
                _ => return Err(wrong(property, "true", None)),
            }
        }
        let format = match find("format") {
            None => "PARQUET".to_owned(),
            Some(property) => format_name(property)?,
        };
        let lazy = format == "TEXTFILE";
        let mut options = OutputOptions::new(if lazy {
            OutputFormat::Csv
        } else {
            format
                .parse()
                .map_err(|e: mastic_lake::LakeError| QueryError::from(e))?
        });
        if lazy {
            options.delimiter = HIVE_DELIMITER;
            options.quote = None;
            options.escape = Some(b'\\');
            options.header = false;
            "\\N".clone_into(&mut options.null);
        }
        for property in properties {
            let name = property.name.as_str();
            match name {
                "field_delimiter" => {
                    if options.format != OutputFormat::Csv {
                        return Err(told(
                            format!(
                                "field_delimiter is for text files, and the format is {format}"
                            ),
                            property.place,
                            Some("leave it out, or write format = 'TEXTFILE'".into()),
                        ));
                    }
                    set(&mut options, "delimiter", property)?;
                }
                "write_compression" | "compression" => set(&mut options, "compression", property)?,
                "parquet_compression" | "orc_compression" => {
                    let own = if name == "orc_compression" {
                        OutputFormat::Orc
                    } else {
                        OutputFormat::Parquet
                    };
                    if options.format != own {
                        return Err(told(
                            format!("{name} is for {own} files, and the format is {format}"),
                            property.place,
                            Some(format!(
                                "write_compression is for all formats, or write format = '{}'",
                                own.name().to_uppercase()
                            )),
                        ));
                    }
                    if find("write_compression").is_some() {
                        return Err(told(
                            format!("{name} and write_compression say the same"),
                            property.place,
                            Some("leave one of them out".into()),
                        ));
                    }
                    set(&mut options, "compression", property)?;
                }
                "compression_level" => set(&mut options, "compression_level", property)?,
                _ => {}
            }
        }
        options.check().map_err(|error| {
            match find("compression_level")
                .or(find("write_compression"))
                .or(find("compression"))
            {
                Some(property) => told(error.to_string(), property.value_place, None),
                None => error.into(),
            }
        })?;
        if lazy && options.escape == Some(options.delimiter) {
            options.escape = None;
        }
        Ok(Properties {
            location: find("external_location")
                .map(text)
                .transpose()?
                .map(str::to_owned),
            partitioned_by: match find("partitioned_by") {
                None => Vec::new(),
                Some(property) => names(property)?,
            },
            buckets: buckets(find("bucketed_by"), find("bucket_count"))?,
            lazy,
            options,
        })
    }
}

fn check_name(of: Of, known: &[&str], property: &Property) -> Result<()> {
    let name = property.name.as_str();
    if known.contains(&name) {
        return Ok(());
    }
    let statement = match of {
        Of::CreateTable => "CREATE TABLE … AS",
        Of::Unload => "UNLOAD",
    };
    if of == Of::CreateTable && ICEBERG.contains(&name) {
        let hint = match name {
            "location" => "of other tables it is external_location",
            "partitioning" => "of other tables it is partitioned_by = ARRAY['column', …]",
            _ => "leave it out",
        };
        return Err(told(
            format!("'{name}' is a property of Iceberg tables, which are not built"),
            property.place,
            Some(hint.into()),
        ));
    }
    let all = known.join(", ");
    Err(told(
        format!("{statement} has no property '{name}'"),
        property.place,
        Some(match closest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'? There are {all}"),
            None => format!("there are {all}"),
        }),
    ))
}

fn iceberg() -> QueryError {
    QueryError::Unsupported(
        "Iceberg tables are not built: leave table_type out, and the table is one of plain files"
            .into(),
    )
}

fn format_name(property: &Property) -> Result<String> {
    let name = text(property)?.trim().to_uppercase();
    if FORMATS.contains(&name.as_str()) {
        return Ok(name);
    }
    if name == "ICEBERG" {
        return Err(iceberg());
    }
    let all = FORMATS.join(", ");
    Err(told(
        match name.as_str() {
            "ION" | "RCBINARY" | "RCTEXT" | "SEQUENCEFILE" => {
                format!("writing {name} is not built")
            }
            _ => format!("'{name}' is no format that is written"),
        },
        property.value_place,
        Some(match closest(&name, FORMATS.iter().copied()) {
            Some(near) => format!("did you mean '{near}'? There are {all}"),
            None => format!("there are {all}"),
        }),
    ))
}

fn wrong(property: &Property, what: &str, hint: Option<&str>) -> QueryError {
    told(
        format!("{} is {what}", property.name),
        property.value_place,
        hint.map(str::to_owned),
    )
}

fn text(property: &Property) -> Result<&str> {
    match &property.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong(property, "a text in single quotes", None)),
    }
}

fn names(property: &Property) -> Result<Vec<String>> {
    let list = || {
        wrong(
            property,
            "a list of columns",
            Some("write ARRAY['one', 'two']"),
        )
    };
    let Value::Array(values) = &property.value else {
        return Err(list());
    };
    let names: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::Text(name) => Ok(name.to_lowercase()),
            _ => Err(list()),
        })
        .collect::<Result<_>>()?;
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(told(
                format!("{} has the column '{name}' twice", property.name),
                property.value_place,
                None,
            ));
        }
    }
    Ok(names)
}

fn buckets(by: Option<&Property>, count: Option<&Property>) -> Result<Option<Buckets>> {
    let (by, count) = match (by, count) {
        (None, None) => return Ok(None),
        (Some(by), Some(count)) => (by, count),
        (Some(one), None) | (None, Some(one)) => {
            return Err(told(
                "bucketed_by and bucket_count go together",
                one.place,
                Some("write bucketed_by = ARRAY['column'], bucket_count = 8".into()),
            ));
        }
    };
    let columns = names(by)?;
    if columns.is_empty() {
        return Err(wrong(by, "a list of at least one column", None));
    }
    let number = match &count.value {
        Value::Number(number) => number.parse().ok(),
        _ => None,
    };
    match number {
        // More files than this in each partition serve nobody.
        Some(number) if (1..=1_000_000).contains(&number) => Ok(Some(Buckets {
            columns,
            count: number,
        })),
        _ => Err(wrong(count, "a whole number from 1 to 1000000", None)),
    }
}

/// Sets an option of the lake's to a property's value; what is wrong with it is told at its place.
fn set(options: &mut OutputOptions, name: &str, property: &Property) -> Result<()> {
    let value = match &property.value {
        Value::Text(text) => text.clone(),
        Value::Number(number) if name == "compression_level" => number.clone(),
        _ => return Err(wrong(property, "a text in single quotes", None)),
    };
    let value = match (name, value.as_str()) {
        // How Hive's DDL and Athena's users write them.
        ("delimiter", "\\001" | "\\u0001") => "\u{1}".to_owned(),
        _ => value,
    };
    options.set(name, &value).map_err(|error| {
        let message = error
            .to_string()
            .replace("that a sink writes", "that is written");
        told(message, property.value_place, None)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mastic_lake::sink::OutputCompression;

    use super::super::parse::{Command, parse};
    use super::*;

    fn read(with: &str) -> Result<Properties> {
        let text = format!("CREATE TABLE t WITH ({with}) AS SELECT 1 AS a");
        let Some(Command::CreateAs(create)) = parse(&text).unwrap() else {
            panic!("{text}");
        };
        Properties::read(Of::CreateTable, &create.properties)
    }

    fn message(with: &str) -> String {
        let error = read(with).unwrap_err();
        format!("{error} / {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn athenas_properties() {
        let all = read(
            "format = 'orc', external_location = 's3://b/x/', partitioned_by = ARRAY['A', 'b'], \
             bucketed_by = ARRAY['c'], bucket_count = 4, write_compression = 'ZLIB', table_type = 'hive', is_external = true",
        )
        .unwrap();
        assert_eq!(all.options.format, OutputFormat::Orc);
        assert_eq!(all.options.compression, OutputCompression::Gzip);
        assert_eq!(all.location.as_deref(), Some("s3://b/x/"));
        assert_eq!(all.partitioned_by, ["a", "b"]);
        assert_eq!(all.buckets.unwrap().count, 4);
        assert_eq!(read("").unwrap().options.format, OutputFormat::Parquet);
        let text =
            read("format = 'TEXTFILE', field_delimiter = ',', write_compression = 'GZIP'").unwrap();
        assert!(text.lazy);
        assert_eq!((text.options.delimiter, text.options.quote), (b',', None));
        assert_eq!(read("format = 'TEXTFILE'").unwrap().options.delimiter, 1);
        let level = read("parquet_compression = 'ZSTD', compression_level = 7").unwrap();
        assert_eq!(level.options.compression_level, Some(7));
    }

    #[test]
    fn mistakes_say_what_was_meant() {
        for (with, wanted) in [
            ("fromat = 'ORC'", "did you mean 'format'"),
            ("format = 'PARKET'", "did you mean 'PARQUET'"),
            ("format = PARQUET", "a text in single quotes"),
            ("format = 'ION'", "writing ION is not built"),
            ("format = 'ICEBERG'", "Iceberg tables are not built"),
            ("table_type = 'ICEBERG'", "Iceberg tables are not built"),
            ("location = 's3://x'", "external_location"),
            ("partitioning = ARRAY['day(x)']", "partitioned_by"),
            ("write_compression = 'GZP'", "did you mean 'gzip'"),
            ("orc_compression = 'ZLIB'", "is for orc files"),
            ("write_compression = 'BZIP2'", "parquet has no bzip2"),
            (
                "compression_level = 99, write_compression = 'ZSTD'",
                "levels from 1 to 19",
            ),
            ("field_delimiter = ','", "text files"),
            (
                "format = 'TEXTFILE', field_delimiter = '||'",
                "one ASCII character",
            ),
            ("partitioned_by = 'a'", "ARRAY['one', 'two']"),
            ("partitioned_by = ARRAY['a', 'A']", "twice"),
            ("bucket_count = 3", "go together"),
            ("bucketed_by = ARRAY['a'], bucket_count = 0", "from 1"),
            ("bucketed_by = ARRAY[], bucket_count = 1", "at least one"),
            ("is_external = false", "Iceberg"),
        ] {
            let text = format!("CREATE TABLE t WITH ({with}) AS SELECT 1 AS a");
            let told = match parse(&text) {
                Err(error) => error.to_string(),
                Ok(_) => message(with),
            };
            assert!(told.contains(wanted), "{with}: {told}");
        }
    }
}
