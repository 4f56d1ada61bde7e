//! A table that rows are put into, and how its files are written.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Fields};
use mastic_catalog::{StorageDescriptor, Table, parameters};
use mastic_lake::format::{CsvOptions, FileFormat};
use mastic_lake::sink::{OutputFormat, OutputOptions, XmlOutput};
use mastic_lake::store::{Location, Stores};
use object_store::ObjectStoreExt;

use super::columns::told;
use crate::error::{QueryError, Result};

/// A table with all that a write into it has to know.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) table: Table,
    pub(super) root: Location,
    pub(super) options: OutputOptions,
    /// Its columns in files.
    pub(super) columns: Fields,
    pub(super) keys: Fields,
    /// Whether its partitions are computed, and none is kept in the catalog.
    pub(super) projected: bool,
}

/// Whose compression a table's files have, by the properties that Athena, Hive and Spark know it by.
const COMPRESSION: [&str; 2] = ["write.compression", "write_compression"];

impl Existing {
    pub(super) async fn open(table: Table, stores: &Stores) -> Result<Self> {
        let name = format!("{}.{}", table.database_name, table.name);
        let refuse = |why: String| {
            Err(told(
                format!("nothing can be inserted into {name}: {why}"),
                None,
            ))
        };
        let kind = table.table_type.as_deref().unwrap_or_default();
        if kind.eq_ignore_ascii_case("VIRTUAL_VIEW") {
            return refuse("it is a view".into());
        }
        let is_iceberg = table
            .parameters
            .get("table_type")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("iceberg"));
        if is_iceberg {
            return Err(QueryError::Unsupported(format!(
                "INSERT into Iceberg tables is not built, and {name} is one"
            )));
        }
        let Some(location) = table.location().filter(|location| !location.is_empty()) else {
            return refuse("it has no location".into());
        };
        let root = stores.locate(location)?;
        if table
            .parameters
            .get(parameters::INCLUDE)
            .is_some_and(|globs| globs.trim() != "[]")
        {
            return Err(told(
                format!(
                    "nothing can be inserted into {name}: its folder {} holds other tables' files too",
                    root.url
                ),
                "give it a folder of its own: CREATE TABLE … AS SELECT * FROM it".to_owned(),
            ));
        }
        let is_file = !root.path.as_ref().is_empty() && root.store.head(&root.path).await.is_ok();
        if is_file {
            return Err(told(
                format!(
                    "nothing can be inserted into {name}: its location is one file, {}",
                    root.url
                ),
                "give it a folder of its own: CREATE TABLE … AS SELECT * FROM it".to_owned(),
            ));
        }
        let format = format_of(&table, None)?;
        let mut options = match writable(&format) {
            Ok(options) => options,
            Err(why) => return refuse(why),
        };
        compress(&mut options, &table);
        options.check()?;
        let columns = table.arrow_columns()?;
        let keys = table.arrow_partition_keys()?;
        let projected = is_projected(&table);
        if projected {
            check_projection(&table, &name)?;
        }
        Ok(Existing {
            root,
            options,
            columns,
            keys,
            projected,
            table,
        })
    }

    /// The name with its database's.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.table.database_name, self.table.name)
    }

    /// Columns and keys, as a `SELECT *` gives them.
    pub(super) fn fields(&self) -> Vec<FieldRef> {
        let all = self.columns.iter().chain(self.keys.iter());
        all.map(|field| Arc::new(field.as_ref().clone().with_nullable(true)))
            .collect()
    }
}

/// The format of a table's files, or of those of a partition with a descriptor of its own.
pub(super) fn format_of(table: &Table, own: Option<&StorageDescriptor>) -> Result<FileFormat> {
    let serde = own
        .and_then(|d| d.serde_info.as_ref())
        .filter(|s| s.serialization_library.is_some())
        .or_else(|| table.storage_descriptor.as_ref()?.serde_info.as_ref());
    let mut parameters = table.parameters.clone();
    let mut library = None;
    if let Some(serde) = serde {
        parameters.extend(serde.parameters.clone());
        library = serde.serialization_library.as_deref();
    }
    Ok(FileFormat::from_serde(
        table.classification(),
        library,
        &parameters,
    )?)
}

/// Whether files of both formats are read alike.
pub(super) fn same_format(one: &FileFormat, other: &FileFormat) -> bool {
    match (one, other) {
        (FileFormat::Csv(one), FileFormat::Csv(other)) => one.same_dialect(other),
        _ => one == other,
    }
}

/// How files are written that are read so; why they cannot be.
fn writable(format: &FileFormat) -> std::result::Result<OutputOptions, String> {
    Ok(match format {
        FileFormat::Parquet => OutputOptions::new(OutputFormat::Parquet),
        FileFormat::Orc => OutputOptions::new(OutputFormat::Orc),
        FileFormat::Avro => OutputOptions::new(OutputFormat::Avro),
        FileFormat::Json(json) if json.path.is_none() && json.keyed.is_none() => {
            OutputOptions::new(OutputFormat::Json)
        }
        FileFormat::Json(_) => {
            return Err("its records lie within larger JSON documents, which are only read".into());
        }
        FileFormat::Csv(csv) => writable_csv(csv)?,
        FileFormat::Xml(xml) if !xml.exclude_attributes && xml.encoding.is_none() => {
            OutputOptions {
                null: xml.null.clone().unwrap_or_default(),
                xml: XmlOutput {
                    row_tag: xml.row_tag.clone(),
                    attribute_prefix: xml.attribute_prefix.clone(),
                    value_tag: xml.value_tag.clone(),
                    ..XmlOutput::default()
                },
                ..OutputOptions::new(OutputFormat::Xml)
            }
        }
        FileFormat::Xml(_) => return Err("its dialect of XML is only read".into()),
        other => return Err(format!("files of the format {other} are only read")),
    })
}

fn writable_csv(csv: &CsvOptions) -> std::result::Result<OutputOptions, String> {
    let told = if csv.collapse {
        "several delimiters in a row count as one in its files"
    } else if csv.preamble > 0 && !csv.per_file {
        "lines above the header are skipped in its files"
    } else if csv.footer > 0 && !csv.per_file {
        "the last lines of its files are skipped"
    } else if csv.comment.is_some() && !csv.per_file {
        "its files have comments"
    } else if csv.encoding.is_some() {
        "its files are not UTF-8"
    } else {
        ""
    };
    if !told.is_empty() {
        return Err(format!(
            "{told}, and new files that are read the same way are not written"
        ));
    }
    Ok(OutputOptions {
        delimiter: csv.delimiter,
        quote: csv.quote,
        escape: csv.escape,
        header: csv.header,
        null: csv.text_nulls.first().cloned().unwrap_or_default(),
        ..OutputOptions::new(OutputFormat::Csv)
    })
}

/// Compresses as the table says; what it says of a compression that is not written is left to the format's own.
fn compress(options: &mut OutputOptions, table: &Table) {
    let own: &[&str] = match options.format {
        OutputFormat::Parquet => &["parquet.compression", "parquet_compression"],
        OutputFormat::Orc => &["orc.compress", "orc_compression"],
        OutputFormat::Avro => &["avro.output.codec"],
        _ => &[parameters::COMPRESSION_TYPE],
    };
    let said = COMPRESSION
        .iter()
        .chain(own)
        .find_map(|name| table.parameters.get(*name));
    if let Some(name) = said {
        let mut tried = options.clone();
        if tried.set("compression", name).is_ok() && tried.check().is_ok() {
            *options = tried;
        }
    }
}

/// Whether a table's partitions are computed (Athena's partition projection).
fn is_projected(table: &Table) -> bool {
    table
        .parameters
        .get("projection.enabled")
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Refuses a projection by which a reader would not find the folders that a sink writes.
fn check_projection(table: &Table, name: &str) -> Result<()> {
    let refuse = |why: String| {
        Err(QueryError::Unsupported(format!(
            "INSERT into {name} is not built: {why}"
        )))
    };
    let get = |key: &str, what: &str| {
        let value = table.parameters.get(&format!("projection.{key}.{what}"));
        value.map(|value| value.trim())
    };
    for key in &table.partition_keys {
        let is_text = matches!(key.hive_type(), "string")
            || key.hive_type().starts_with("varchar")
            || key.hive_type().starts_with("char");
        if is_text {
            continue;
        }
        let kind = get(&key.name, "type").unwrap_or_default().to_lowercase();
        if kind == "integer" && get(&key.name, "digits").is_some() {
            return refuse(format!(
                "the projection of its partition key '{}' pads numbers with zeros",
                key.name
            ));
        }
        let plain = get(&key.name, "format").is_none_or(|format| format == "yyyy-MM-dd");
        if kind == "date" && !(plain && key.hive_type() == "date") {
            return refuse(format!(
                "the projection of its partition key '{}' has a format of its own",
                key.name
            ));
        }
    }
    if let Some(template) = table.parameters.get("storage.location.template") {
        let root = table.location().unwrap_or_default().trim_end_matches('/');
        let usual: Vec<String> = table
            .partition_keys
            .iter()
            .map(|key| format!("{0}=${{{0}}}", key.name))
            .collect();
        if template.trim_end_matches('/') != format!("{root}/{}", usual.join("/")) {
            return refuse(
                "its storage.location.template puts partitions elsewhere than in key=value folders"
                    .into(),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mastic_lake::sink::OutputCompression;

    use super::*;

    #[test]
    fn files_are_written_as_they_are_read() {
        let csv = CsvOptions {
            delimiter: b';',
            quote: None,
            escape: Some(b'\\'),
            header: false,
            text_nulls: vec!["\\N".into()],
            ..CsvOptions::default()
        };
        let options = writable(&FileFormat::Csv(csv.clone())).unwrap();
        assert_eq!((options.delimiter, options.header), (b';', false));
        // What is written so is read so.
        assert_eq!(
            crate::written::file_format(&options),
            FileFormat::Csv(csv.clone())
        );
        for other in [
            CsvOptions {
                preamble: 2,
                ..csv.clone()
            },
            CsvOptions {
                collapse: true,
                ..csv.clone()
            },
            CsvOptions {
                encoding: Some("latin1".into()),
                ..csv
            },
        ] {
            assert!(writable(&FileFormat::Csv(other)).is_err());
        }
        assert!(writable(&FileFormat::named("combined_apache").unwrap()).is_err());
    }

    #[test]
    fn a_table_says_how_its_files_are_compressed() {
        let of = |format: OutputFormat, parameters: &[(&str, &str)]| {
            let mut table = Table::new("d", "t");
            for (name, value) in parameters {
                table.parameters.insert((*name).into(), (*value).into());
            }
            let mut options = OutputOptions::new(format);
            compress(&mut options, &table);
            options.compression
        };
        use OutputCompression::{Gzip, None, Snappy, Zstd};
        assert_eq!(
            of(OutputFormat::Parquet, &[("parquet.compression", "GZIP")]),
            Gzip
        );
        assert_eq!(of(OutputFormat::Orc, &[("orc.compress", "SNAPPY")]), Snappy);
        assert_eq!(
            of(OutputFormat::Parquet, &[("write.compression", "LZO")]),
            Zstd
        );
        // That of Parquet's pages is not that of its files.
        assert_eq!(
            of(OutputFormat::Parquet, &[("compressionType", "none")]),
            Zstd
        );
        assert_eq!(of(OutputFormat::Csv, &[("compressionType", "gzip")]), Gzip);
        assert_eq!(
            of(OutputFormat::Csv, &[("compressionType", "gzip,none")]),
            None
        );
    }
}
