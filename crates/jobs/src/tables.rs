//! The catalog tables that sinks create and update.

use datafusion::arrow::datatypes::{FieldRef, Fields};
use mastic_catalog::{
    CatalogError, CatalogStore, Change, Column, Database, Expected, HIVE_DEFAULT_PARTITION,
    Partition, PartitionChanges, SerDeInfo, StorageDescriptor, Table, chosen_columns, set_choices,
};
use mastic_lake::format::{CsvOptions, FileFormat, JsonOptions, XmlOptions};
use mastic_lake::sink::{
    OutputCompression, OutputFormat, SinkMode, SinkSpec, Written, stored_schema,
};
use mastic_schema::choice::choose_fields;
use mastic_schema::{hive, merge, names};

use crate::error::ScriptError;
use crate::plan::PlannedSink;
use crate::script::Script;
use crate::source::Text;

/// A table that a sink updates, as it was before the run.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) database: String,
    pub(crate) name: String,
    new_database: bool,
    /// What is there, to be compared and swapped with what will be.
    before: Option<Table>,
}

/// Looks a sink's table up, and refuses what would leave it wrong.
pub(crate) async fn find(
    script: &Script,
    sink: &PlannedSink,
    spec: &SinkSpec,
    catalog: &dyn CatalogStore,
) -> Result<Option<Target>, ScriptError> {
    let Some(text) = &sink.def.table else {
        return Ok(None);
    };
    let told = |message: String| ScriptError::new(&script.source, text.span(), message);
    let (database, name) = text
        .as_str()
        .split_once('.')
        .unwrap_or(("default", text.as_str()));
    let (database, name) = (database.to_lowercase(), name.to_lowercase());
    let before = match catalog.get_table(&database, &name).await {
        Ok(table) => Some(table),
        Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => None,
        Err(error) => return Err(told(error.to_string())),
    };
    let new_database = match catalog.get_database(&database).await {
        Ok(_) => false,
        Err(CatalogError::DatabaseNotFound { .. }) => true,
        Err(error) => return Err(told(error.to_string())),
    };
    if let Some(table) = &before {
        check(script, sink, spec, table, text)?;
    }
    Ok(Some(Target {
        database,
        name,
        new_database,
        before,
    }))
}

fn check(
    script: &Script,
    sink: &PlannedSink,
    spec: &SinkSpec,
    table: &Table,
    text: &Text,
) -> Result<(), ScriptError> {
    let told = |message: String| ScriptError::new(&script.source, text.span(), message);
    let place = |url: &str| crate::paths::normal(url);
    let location = table.location().unwrap_or_default();
    if place(location) != place(&spec.root.url) {
        return Err(
            told(format!("table '{text}' is somewhere else: at {location}"))
                .hint("write to that path, or to a table of another name"),
        );
    }
    if spec.mode == SinkMode::Overwrite {
        return Ok(());
    }
    // What is there stays, and must be readable together with what comes.
    let keys: Vec<String> = table
        .partition_keys
        .iter()
        .map(|k| k.name.clone())
        .collect();
    let own: Vec<String> = sink.partition_by.iter().map(|k| k.to_lowercase()).collect();
    if keys != own {
        let keys = if keys.is_empty() {
            "nothing".to_owned()
        } else {
            keys.join(", ")
        };
        return Err(told(format!("table '{text}' is partitioned by {keys}"))
            .hint("give the sink the same keys in the same order, or mode: overwrite"));
    }
    let format = sink.def.format.name();
    if let Some(other) = table.classification().filter(|c| *c != format) {
        return Err(told(format!(
            "table '{text}' holds {other}, and this sink writes {format}"
        ))
        .hint("write the table's format, or use mode: overwrite"));
    }
    Ok(())
}

impl Target {
    /// Whether the table is still in the version that the run was planned for.
    pub(crate) async fn unchanged(&self, catalog: &dyn CatalogStore) -> Result<(), CatalogError> {
        let expected = self.before.as_ref().and_then(|t| t.version_id);
        let found = match catalog.get_table(&self.database, &self.name).await {
            Ok(table) => table.version_id,
            Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        if found == expected {
            return Ok(());
        }
        Err(CatalogError::Conflict {
            table: format!("{}.{}", self.database, self.name),
            expected: expected.unwrap_or_default(),
            found: found.unwrap_or_default(),
        })
    }

    /// The changes that make the catalog say what was written.
    pub(crate) fn changes(&self, spec: &SinkSpec, written: &Written) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.new_database {
            changes.push(Change::CreateDatabase {
                database: Database::new(&self.database),
                if_not_exists: true,
            });
        }
        let partitions = partitions(spec, written);
        changes.push(Change::PutTable {
            table: self.table(spec, written),
            expected: match self.before.as_ref().map(|t| t.version_id) {
                None => Expected::Absent,
                Some(Some(version)) => Expected::Version(version),
                Some(None) => Expected::Any,
            },
            partitions: match spec.mode {
                SinkMode::Overwrite => PartitionChanges::replace_all(partitions),
                _ => PartitionChanges::put(partitions),
            },
        });
        changes
    }

    fn table(&self, spec: &SinkSpec, written: &Written) -> Table {
        let stored = stored_schema(&spec.options, &written.file_schema);
        let mut fields = lowered(stored.fields());
        // Where files hold a choice's plain values, the column is as a crawl of them would make it.
        let mut chosen = match spec.options.format {
            OutputFormat::Json | OutputFormat::Csv => lowered(written.file_schema.fields()),
            _ => fields.clone(),
        };
        let mut keys = lowered(written.key_schema.fields());
        let mut table = self
            .before
            .clone()
            .unwrap_or_else(|| Table::new(&self.database, &self.name));
        if spec.mode != SinkMode::Overwrite && self.before.is_some() {
            // Older files stay: the table's types hold theirs too.
            let widen = |old: Result<Fields, CatalogError>, new: Fields| match old {
                Ok(old) => merge::widen_fields(&old, &new, &mut |_| {}),
                Err(_) => new,
            };
            if let Ok(old) = table.arrow_columns() {
                chosen = choose_fields(&chosen_columns(&table, &old), &chosen);
            }
            fields = widen(table.arrow_columns(), fields);
            keys = widen(table.arrow_partition_keys(), keys);
        }
        let format = file_format(spec);
        let serde = format.serde();
        table.table_type = Some("EXTERNAL_TABLE".to_owned());
        table.partition_keys = self::columns(&keys, &table.partition_keys);
        let told_before = table.columns().to_vec();
        for (name, value) in [
            ("classification", serde.classification.to_owned()),
            ("typeOfData", "file".to_owned()),
            ("compressionType", whole_file_compression(spec).to_owned()),
        ] {
            table.parameters.insert(name.to_owned(), value);
        }
        // What a crawl counted is no longer so.
        for stale in [
            "recordCount",
            "averageRecordSize",
            "sizeKey",
            "objectCount",
            "mastic.fingerprint",
        ] {
            table.parameters.remove(stale);
        }
        if spec.mode == SinkMode::Overwrite {
            // Nothing else is there: what was written can be counted.
            for (name, number) in [
                ("recordCount", written.rows),
                ("objectCount", written.files.len() as u64),
                ("sizeKey", written.bytes),
            ] {
                table.parameters.insert(name.to_owned(), number.to_string());
            }
        }
        if let FileFormat::Csv(options) = &format {
            let delimiter = char::from(options.delimiter).to_string();
            let header = if options.header { "1" } else { "0" };
            table.parameters.insert("delimiter".to_owned(), delimiter);
            table
                .parameters
                .insert("skip.header.line.count".to_owned(), header.to_owned());
        }
        let mut columns = self::columns(&fields, &told_before);
        if matches!(spec.options.format, OutputFormat::Json | OutputFormat::Csv) {
            set_choices(&mut columns, &chosen);
        }
        table.storage_descriptor = Some(StorageDescriptor {
            columns,
            location: Some(spec.root.url.clone()),
            input_format: Some(serde.input_format.to_owned()),
            output_format: Some(serde.output_format.to_owned()),
            compressed: Some(whole_file_compression(spec) != "none"),
            number_of_buckets: Some(-1),
            serde_info: Some(SerDeInfo {
                name: None,
                serialization_library: Some(serde.library.to_owned()),
                parameters: serde.parameters,
            }),
            ..StorageDescriptor::default()
        });
        table
    }
}

/// Names as Hive and Athena need them; files bind to them whatever their case.
fn lowered(fields: &Fields) -> Fields {
    let names = names::column_names(fields.iter().map(|f| f.name().as_str()));
    let named = fields
        .iter()
        .zip(names)
        .map(|(field, name)| FieldRef::new(field.as_ref().clone().with_name(name)));
    named.collect()
}

/// The columns, with the comments that they had.
fn columns(fields: &Fields, before: &[Column]) -> Vec<Column> {
    let columns = fields.iter().map(|field| {
        let mut column = Column::new(field.name(), hive::format_type(field.data_type()));
        column.comment = before
            .iter()
            .find(|c| c.name == *field.name())
            .and_then(|c| c.comment.clone());
        column
    });
    columns.collect()
}

fn partitions(spec: &SinkSpec, written: &Written) -> Vec<Partition> {
    let partitions = written
        .partitions()
        .filter(|(_, values)| !values.is_empty());
    partitions
        .map(|(folder, values)| {
            let values = values.iter().map(|v| {
                v.clone()
                    .unwrap_or_else(|| HIVE_DEFAULT_PARTITION.to_owned())
            });
            let mut partition = Partition::new(values, spec.root.child(folder).url);
            if matches!(
                spec.mode,
                SinkMode::Overwrite | SinkMode::OverwritePartitions
            ) {
                let files = written.files.iter().filter(|f| f.folder() == folder);
                for (name, number) in [
                    ("recordCount", files.clone().map(|f| f.rows).sum::<u64>()),
                    ("objectCount", files.clone().count() as u64),
                    ("sizeKey", files.map(|f| f.bytes).sum()),
                ] {
                    partition
                        .parameters
                        .insert(name.to_owned(), number.to_string());
                }
            }
            partition
        })
        .collect()
}

/// How what the sink writes is read.
fn file_format(spec: &SinkSpec) -> FileFormat {
    match spec.options.format {
        OutputFormat::Csv => FileFormat::Csv(CsvOptions {
            delimiter: spec.options.delimiter,
            quote: spec.options.quote,
            escape: spec.options.escape,
            header: spec.options.header,
            text_nulls: match spec.options.null.as_str() {
                "" => Vec::new(),
                null => vec![null.to_owned()],
            },
            ..CsvOptions::default()
        }),
        OutputFormat::Json => FileFormat::Json(JsonOptions::default()),
        OutputFormat::Orc => FileFormat::Orc,
        OutputFormat::Avro => FileFormat::Avro,
        OutputFormat::Xml => FileFormat::Xml(XmlOptions {
            attribute_prefix: spec.options.xml.attribute_prefix.clone(),
            value_tag: spec.options.xml.value_tag.clone(),
            null: Some(spec.options.null.clone()).filter(|null| !null.is_empty()),
            ..XmlOptions::new(&spec.options.xml.row_tag)
        }),
        _ => FileFormat::Parquet,
    }
}

/// The compression of files as wholes, which only text has: other formats compress within.
fn whole_file_compression(spec: &SinkSpec) -> &'static str {
    match spec.options.format.is_text() {
        true => spec.options.compression.name(),
        false => OutputCompression::None.name(),
    }
}
