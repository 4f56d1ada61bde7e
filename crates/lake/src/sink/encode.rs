//! Record batches to bytes: one encoder a file, into a buffer that its writer drains.

mod avro;
mod avro_schema;
mod compress;
mod csv;
mod csv_marks;
mod text;
mod xml;
mod xml_names;

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use mastic_schema::choice::widened;
use orc_rust::proto::CompressionKind;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use self::avro::AvroEncoder;
use self::text::TextEncoder;
pub(super) use self::xml_names::check_options as check_xml_options;
use super::options::{OutputCompression, OutputFormat, OutputOptions};
use super::orc::OrcWriter;

/// Between the parquet crate's default, 1, and Zstandard's own, 3, which DuckDB 2.0 and Polars 2.1 take for Parquet: of
/// TPC-H's lineitem it makes files a twentieth larger than level 3 and no larger than theirs are on the average, in a
/// twentieth less time for the whole job (`mastic-benches etl`).
const ZSTD_LEVEL: i32 = 2;
/// A column's dictionary in Parquet, at most, in bytes: beyond it most values are written for the first time, and
/// to look each of them up costs more than a dictionary saves.
const DICTIONARY_BYTES: usize = 256 * 1024;

/// The encoder of one file: batches in, bytes out. What a sink's writers use, and whoever writes the
/// same formats elsewhere (`mastic sql --output csv`).
pub struct Encoder(Kind);

enum Kind {
    /// Parquet compresses within.
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    /// ORC compresses within.
    Orc(Box<OrcWriter>),
    /// Avro compresses its blocks.
    Avro(Box<AvroEncoder>),
    /// Text, compressed as a whole.
    Text(Box<TextEncoder>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder of one file with this schema.
    ///
    /// # Errors
    /// When the format cannot hold a column of the schema.
    pub fn new(options: &OutputOptions, schema: &SchemaRef) -> Result<Self> {
        check_names(options, schema).map_err(DataFusionError::Plan)?;
        let kind = match options.format {
            OutputFormat::Parquet => {
                let properties = parquet_properties(options, schema)?;
                let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;
                Kind::Parquet(Box::new(writer))
            }
            OutputFormat::Orc => Kind::Orc(Box::new(orc_writer(options, schema)?)),
            OutputFormat::Avro => Kind::Avro(Box::new(AvroEncoder::new(options, schema)?)),
            OutputFormat::Csv | OutputFormat::Json | OutputFormat::Xml => {
                Kind::Text(Box::new(TextEncoder::new(options)?))
            }
        };
        Ok(Encoder(kind))
    }

    /// Takes in a batch.
    ///
    /// # Errors
    /// When a value cannot be written in the format.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.0 {
            Kind::Parquet(writer) => Ok(writer.write(batch)?),
            Kind::Orc(writer) => Ok(writer.write(batch)?),
            Kind::Avro(avro) => avro.write(batch),
            Kind::Text(text) => text.write(batch),
        }
    }

    /// Encodes what is held back, at the price of a smaller row group, stripe or block.
    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.0 {
            Kind::Parquet(writer) => Ok(writer.flush()?),
            Kind::Orc(writer) => Ok(writer.end_stripe()?),
            Kind::Avro(avro) => avro.flush(),
            Kind::Text(_) => Ok(()),
        }
    }

    /// How many bytes [`Encoder::take`] would give.
    pub(super) fn ready(&self) -> usize {
        match &self.0 {
            Kind::Parquet(writer) => writer.inner().len(),
            Kind::Orc(writer) => writer.ready(),
            Kind::Avro(avro) => avro.ready(),
            Kind::Text(text) => text.ready(),
        }
    }

    /// The bytes of the file that are ready and were not taken yet.
    pub fn take(&mut self) -> Vec<u8> {
        match &mut self.0 {
            Kind::Parquet(writer) => std::mem::take(writer.inner_mut()),
            Kind::Orc(writer) => writer.take(),
            Kind::Avro(avro) => avro.take(),
            Kind::Text(text) => text.take(),
        }
    }

    /// The memory in use, about.
    pub(super) fn memory(&self) -> usize {
        match &self.0 {
            Kind::Parquet(writer) => writer.memory_size() + writer.inner().capacity(),
            Kind::Orc(writer) => writer.memory(),
            Kind::Avro(avro) => avro.memory(),
            Kind::Text(text) => text.memory(),
        }
    }

    /// The size of the file so far: for Parquet, ORC and Avro as encoded, with what is in
    /// progress estimated; for text before compression.
    pub(super) fn size(&self) -> u64 {
        match &self.0 {
            Kind::Parquet(writer) => (writer.bytes_written() + writer.in_progress_size()) as u64,
            Kind::Orc(writer) => writer.size(),
            Kind::Avro(avro) => avro.size(),
            Kind::Text(text) => text.size(),
        }
    }

    /// The rest of the file's bytes.
    ///
    /// # Errors
    /// When what is held back cannot be encoded.
    pub fn finish(self) -> Result<Vec<u8>> {
        match self.0 {
            Kind::Parquet(writer) => Ok(writer.into_inner()?),
            Kind::Orc(writer) => Ok(writer.finish()?),
            Kind::Avro(avro) => avro.finish(),
            Kind::Text(text) => text.finish(),
        }
    }
}

fn orc_writer(options: &OutputOptions, schema: &SchemaRef) -> Result<OrcWriter> {
    let compression = match options.compression {
        OutputCompression::Snappy => CompressionKind::Snappy,
        OutputCompression::Gzip => CompressionKind::Zlib,
        OutputCompression::Zstd => CompressionKind::Zstd,
        OutputCompression::Lz4 => CompressionKind::Lz4,
        OutputCompression::None
        | OutputCompression::Bzip2
        | OutputCompression::Xz
        | OutputCompression::Brotli => CompressionKind::None,
    };
    let (bytes, rows) = (options.row_group_bytes, options.row_group_rows);
    let level = options.compression_level;
    Ok(OrcWriter::new(schema, (compression, level), bytes, rows)?)
}

fn parquet_properties(options: &OutputOptions, schema: &SchemaRef) -> Result<WriterProperties> {
    let level = options.compression_level;
    let compression = match (options.compression, level) {
        (OutputCompression::Snappy, _) => Compression::SNAPPY,
        (OutputCompression::Lz4, _) => Compression::LZ4_RAW,
        (OutputCompression::Gzip, None) => Compression::GZIP(GzipLevel::default()),
        (OutputCompression::Gzip, Some(level)) => Compression::GZIP(GzipLevel::try_new(level)?),
        (OutputCompression::Brotli, None) => Compression::BROTLI(BrotliLevel::default()),
        (OutputCompression::Brotli, Some(level)) => {
            Compression::BROTLI(BrotliLevel::try_new(level)?)
        }
        (OutputCompression::Zstd, None) => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
        (OutputCompression::Zstd, Some(level)) => {
            let level = i32::try_from(level).unwrap_or(i32::MAX);
            Compression::ZSTD(ZstdLevel::try_new(level)?)
        }
        (OutputCompression::None | OutputCompression::Bzip2 | OutputCompression::Xz, _) => {
            Compression::UNCOMPRESSED
        }
    };
    let mut properties = WriterProperties::builder();
    for field in schema.fields().iter().filter(|f| is_whole(f.data_type())) {
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    Ok(properties
        .set_compression(compression)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_created_by(concat!("mastic ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_max_row_group_bytes(Some(options.row_group_bytes.max(1)))
        .set_data_page_size_limit(options.page_bytes.max(1))
        .build())
}

/// Whether differences between neighbours are worth more than the values where there are too many for a
/// dictionary: keys mostly grow. Trino, Spark since 3.3, DuckDB and pyarrow read the encoding (Parquet format,
/// "Delta encoding"), which has no need of the format's second version of pages.
fn is_whole(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int32 | DataType::Int64)
}

/// The columns as files of the format hold them: what a catalog has to say of them. Avro has fewer types
/// than Arrow, and holds values in the next one that takes them all. JSON and CSV hold a choice as the value that
/// it has, so that its column is of the type that holds all of them ([`widened`]); other formats hold the struct of
/// its alternatives.
pub fn stored_schema(options: &OutputOptions, schema: &SchemaRef) -> SchemaRef {
    let stored = match options.format {
        OutputFormat::Avro => avro_schema::stored,
        OutputFormat::Json | OutputFormat::Csv => widened,
        _ => return schema.clone(),
    };
    let fields = schema.fields().iter().map(|field| {
        let stored = stored(field.data_type());
        field.as_ref().clone().with_data_type(stored)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether the format can hold the columns' names and kinds: why not, by the first that it cannot.
fn check_names(options: &OutputOptions, schema: &SchemaRef) -> std::result::Result<(), String> {
    match options.format {
        OutputFormat::Avro => avro_schema::check(schema),
        OutputFormat::Xml => xml_names::check(&options.xml, schema),
        _ => Ok(()),
    }
}

/// Whether files of this schema can be written at all: found out before anything is.
///
/// # Errors
/// A [`DataFusionError::Plan`] that names the first column that the format cannot hold, and says why.
pub fn check_schema(options: &OutputOptions, schema: &SchemaRef) -> Result<()> {
    let refuse = |message: String| Err(DataFusionError::Plan(message));
    if schema.fields().is_empty() {
        return refuse("there is no column to write besides the partition keys".into());
    }
    for field in schema.fields() {
        // Arrow's Parquet writer panics on a union, its JSON writer fails on one.
        if holds_union(field.data_type()) {
            return refuse(format!(
                "column '{}' is a union, which {} cannot hold; cast it, or resolve the choice first",
                field.name(),
                options.format
            ));
        }
    }
    if let Err(message) = check_names(options, schema) {
        return refuse(message);
    }
    let nullable: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    // What is found here is about types: marks that a value may need come with the values.
    let tried = OutputOptions {
        quote: options
            .quote
            .or(Some(b'"'))
            .filter(|q| *q != options.delimiter),
        ..options.clone()
    };
    // One row of nulls through each column by itself finds the column that cannot be written.
    for field in nullable {
        let column = new_null_array(field.data_type(), 1);
        let one = Arc::new(Schema::new(vec![field.clone()]));
        let tried = RecordBatch::try_new(one.clone(), vec![column])
            .map_err(DataFusionError::from)
            .and_then(|batch| {
                let mut encoder = Encoder::new(&tried, &one)?;
                encoder.write(&batch)?;
                encoder.finish()
            });
        if let Err(error) = tried {
            return refuse(format!(
                "column '{}' ({}) cannot be written as {}: {}",
                field.name(),
                field.data_type(),
                options.format,
                error.strip_backtrace()
            ));
        }
    }
    Ok(())
}

fn holds_union(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(_, _) => true,
        DataType::Struct(fields) => fields.iter().any(|f| holds_union(f.data_type())),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => holds_union(f.data_type()),
        DataType::Dictionary(_, value) => holds_union(value),
        _ => false,
    }
}
