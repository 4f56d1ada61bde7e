//! What a sink wrote, as the catalog says it: a table with its columns, format and numbers, and its partitions.
//!
//! Statements that write and the sinks of scripts both tell the catalog by this.

use arrow::datatypes::{FieldRef, Fields};
use mastic_catalog::{
    CatalogError, Column, HIVE_DEFAULT_PARTITION, Parameters, Partition, SerDeInfo,
    StorageDescriptor, Table, chosen_columns, parameters, set_choices,
};
use mastic_lake::format::{CsvOptions, FileFormat, JsonOptions, XmlOptions};
use mastic_lake::sink::{
    OutputCompression, OutputFormat, OutputOptions, SinkMode, SinkSpec, Written, stored_schema,
};
use mastic_schema::choice::choose_fields;
use mastic_schema::{hive, merge, names};

/// The table that a sink made, or, where there was one before, what it is with what was written.
pub fn table(
    before: Option<&Table>,
    database: &str,
    name: &str,
    spec: &SinkSpec,
    written: &Written,
) -> Table {
    let stored = stored_schema(&spec.options, &written.file_schema);
    let mut fields = lowered(stored.fields());
    // Where files hold a choice's plain values, the column is as a crawl of them would make it.
    let mut chosen = match spec.options.format {
        OutputFormat::Json | OutputFormat::Csv => lowered(written.file_schema.fields()),
        _ => fields.clone(),
    };
    let mut keys = lowered(written.key_schema.fields());
    let is_new = before.is_none();
    let mut table = before
        .cloned()
        .unwrap_or_else(|| Table::new(database, name));
    if spec.mode != SinkMode::Overwrite && !is_new {
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
    let format = file_format(&spec.options);
    let serde = format.serde();
    table.table_type = Some("EXTERNAL_TABLE".to_owned());
    table.partition_keys = self::columns(&keys, &table.partition_keys);
    let told_before = table.columns().to_vec();
    let compression = whole_file_compression(&spec.options);
    for (name, value) in [
        (parameters::CLASSIFICATION, serde.classification.clone()),
        (parameters::TYPE_OF_DATA, "file".to_owned()),
        (parameters::COMPRESSION_TYPE, compression.to_owned()),
    ] {
        table.parameters.insert(name.to_owned(), value);
    }
    forget_counts(&mut table.parameters);
    if is_alone(spec) {
        let files = (written.files.len() as u64, written.bytes);
        put_counts(&mut table.parameters, written.rows, files);
    }
    if let FileFormat::Csv(options) = &format {
        let delimiter = char::from(options.delimiter).to_string();
        let header = if options.header { "1" } else { "0" };
        table
            .parameters
            .insert(parameters::DELIMITER.to_owned(), delimiter);
        table
            .parameters
            .insert(parameters::SKIP_HEADER.to_owned(), header.to_owned());
    }
    let mut columns = self::columns(&fields, &told_before);
    if matches!(spec.options.format, OutputFormat::Json | OutputFormat::Csv) {
        set_choices(&mut columns, &chosen);
    }
    let buckets = spec.buckets.as_ref();
    table.storage_descriptor = Some(StorageDescriptor {
        columns,
        location: Some(spec.root.url.clone()),
        input_format: Some(serde.input_format.to_owned()),
        output_format: Some(serde.output_format.to_owned()),
        compressed: Some(compression != "none"),
        number_of_buckets: Some(buckets.map_or(-1, |b| i32::try_from(b.count).unwrap_or(i32::MAX))),
        bucket_columns: buckets.map(|b| b.columns.clone()).unwrap_or_default(),
        serde_info: Some(SerDeInfo {
            name: None,
            serialization_library: Some(serde.library.to_owned()),
            parameters: serde.parameters,
        }),
        ..StorageDescriptor::default()
    });
    table
}

/// The partitions that a sink wrote, for the catalog.
pub fn partitions(spec: &SinkSpec, written: &Written) -> Vec<Partition> {
    let partitions = folders(written).filter(|folder| !folder.values.is_empty());
    partitions
        .map(|folder| {
            let location = spec.root.child(folder.path).url;
            let mut partition = Partition::new(key_values(folder.values), location);
            if is_alone(spec) || spec.mode == SinkMode::OverwritePartitions {
                put_counts(&mut partition.parameters, folder.rows, folder.files);
            }
            partition
        })
        .collect()
}

/// A folder that a sink wrote into.
pub(crate) struct Folder<'a> {
    /// Below the sink's root.
    pub(crate) path: &'a str,
    /// Its partition's.
    pub(crate) values: &'a [Option<String>],
    /// How many were written.
    pub(crate) rows: u64,
    /// How many were written, and their bytes.
    pub(crate) files: (u64, u64),
}

/// The folders that a sink wrote into.
pub(crate) fn folders(written: &Written) -> impl Iterator<Item = Folder<'_>> {
    // Files are ordered by folder, so that those of a partition are together.
    let together = written.files.chunk_by(|a, b| a.folder() == b.folder());
    together.filter_map(|files| {
        let first = files.first()?;
        Some(Folder {
            path: first.folder(),
            values: &first.partition,
            rows: files.iter().map(|f| f.rows).sum(),
            files: (files.len() as u64, files.iter().map(|f| f.bytes).sum()),
        })
    })
}

/// A partition's values, as the catalog keeps them.
pub(crate) fn key_values(values: &[Option<String>]) -> impl Iterator<Item = String> {
    values.iter().map(|value| {
        value
            .clone()
            .unwrap_or_else(|| HIVE_DEFAULT_PARTITION.to_owned())
    })
}

/// Whether nothing else is there than what was written, so that it can be counted.
fn is_alone(spec: &SinkSpec) -> bool {
    matches!(spec.mode, SinkMode::Overwrite | SinkMode::ErrorIfExists)
}

/// Takes out what a crawl counted, and is no longer so.
pub(crate) fn forget_counts(parameters: &mut Parameters) {
    for stale in [
        parameters::RECORD_COUNT,
        parameters::AVERAGE_RECORD_SIZE,
        parameters::SIZE_KEY,
        parameters::OBJECT_COUNT,
        parameters::FINGERPRINT,
    ] {
        parameters.remove(stale);
    }
}

/// Puts numbers in: of rows, of files, of bytes.
pub(crate) fn put_counts(parameters: &mut Parameters, rows: u64, (files, bytes): (u64, u64)) {
    for (name, number) in [
        (parameters::RECORD_COUNT, rows),
        (parameters::OBJECT_COUNT, files),
        (parameters::SIZE_KEY, bytes),
    ] {
        parameters.insert(name.to_owned(), number.to_string());
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

/// How what a sink writes is read.
pub fn file_format(options: &OutputOptions) -> FileFormat {
    match options.format {
        OutputFormat::Csv => FileFormat::Csv(CsvOptions {
            delimiter: options.delimiter,
            quote: options.quote,
            escape: options.escape,
            header: options.header,
            text_nulls: match options.null.as_str() {
                "" => Vec::new(),
                null => vec![null.to_owned()],
            },
            ..CsvOptions::default()
        }),
        OutputFormat::Json => FileFormat::Json(JsonOptions::default()),
        OutputFormat::Orc => FileFormat::Orc,
        OutputFormat::Avro => FileFormat::Avro,
        OutputFormat::Xml => FileFormat::Xml(XmlOptions {
            attribute_prefix: options.xml.attribute_prefix.clone(),
            value_tag: options.xml.value_tag.clone(),
            null: Some(options.null.clone()).filter(|null| !null.is_empty()),
            ..XmlOptions::new(&options.xml.row_tag)
        }),
        _ => FileFormat::Parquet,
    }
}

/// The compression of files as wholes, which only text has: other formats compress within.
fn whole_file_compression(options: &OutputOptions) -> &'static str {
    match options.format.is_text() {
        true => options.compression.name(),
        false => OutputCompression::None.name(),
    }
}
