//! Record batches to bytes: one encoder a file, into a buffer that its writer drains.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryBuilder, RecordBatch, StringArray, new_null_array};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, LineDelimited, make_encoder};
use datafusion::error::{DataFusionError, Result};
use orc_rust::proto::CompressionKind;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::options::{OutputCompression, OutputFormat, OutputOptions};
use super::orc::OrcWriter;

/// Timestamps in CSV, as Hive and Athena read them (`yyyy-MM-dd HH:mm:ss[.f…]`): they do not take
/// the `T` of ISO 8601.
const CSV_TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";
const CSV_TIMESTAMP_TZ: &str = "%Y-%m-%d %H:%M:%S%.f%:z";

/// Zstandard's own default, and that of DuckDB 2.0 and Polars 2.1 for Parquet: without a level they write files of
/// the very size that level 3 gives. The parquet crate's is 1.
const ZSTD_LEVEL: i32 = 3;
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
    /// Text, compressed as a whole.
    Text(Box<TextEncoder>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

struct TextEncoder {
    options: OutputOptions,
    out: Compressor,
    begun: bool,
}

impl Encoder {
    /// An encoder of one file with this schema.
    ///
    /// # Errors
    /// When the format cannot hold a column of the schema.
    pub fn new(options: &OutputOptions, schema: &SchemaRef) -> Result<Self> {
        if options.format == OutputFormat::Parquet {
            let compression = match options.compression {
                OutputCompression::Snappy => Compression::SNAPPY,
                OutputCompression::Gzip => Compression::GZIP(GzipLevel::default()),
                OutputCompression::Zstd => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
                OutputCompression::Lz4 => Compression::LZ4_RAW,
                OutputCompression::None | OutputCompression::Bzip2 => Compression::UNCOMPRESSED,
            };
            let properties = WriterProperties::builder()
                .set_compression(compression)
                .set_dictionary_page_size_limit(DICTIONARY_BYTES)
                .set_created_by(concat!("mastic ", env!("CARGO_PKG_VERSION")).to_owned())
                .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
                .set_max_row_group_bytes(Some(options.row_group_bytes.max(1)))
                .build();
            let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;
            return Ok(Encoder(Kind::Parquet(Box::new(writer))));
        }
        if options.format == OutputFormat::Orc {
            let compression = match options.compression {
                OutputCompression::Snappy => CompressionKind::Snappy,
                OutputCompression::Gzip => CompressionKind::Zlib,
                OutputCompression::Zstd => CompressionKind::Zstd,
                OutputCompression::Lz4 => CompressionKind::Lz4,
                OutputCompression::None | OutputCompression::Bzip2 => CompressionKind::None,
            };
            let (bytes, rows) = (options.row_group_bytes, options.row_group_rows);
            let writer = OrcWriter::new(schema, compression, bytes, rows)?;
            return Ok(Encoder(Kind::Orc(Box::new(writer))));
        }
        Ok(Encoder(Kind::Text(Box::new(TextEncoder {
            options: options.clone(),
            out: Compressor::new(options.compression)?,
            begun: false,
        }))))
    }

    /// Takes in a batch.
    ///
    /// # Errors
    /// When a value cannot be written in the format.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.0 {
            Kind::Parquet(writer) => writer.write(batch)?,
            Kind::Orc(writer) => writer.write(batch)?,
            Kind::Text(text) => {
                let TextEncoder {
                    options,
                    out,
                    begun,
                } = text.as_mut();
                if options.format == OutputFormat::Csv {
                    let header = options.header && !*begun;
                    write_csv(options, header, batch, out)?;
                } else {
                    arrow::json::WriterBuilder::new()
                        .with_explicit_nulls(options.explicit_nulls)
                        .build::<_, LineDelimited>(out)
                        .write(batch)?;
                }
                *begun = true;
            }
        }
        Ok(())
    }

    /// Encodes what is held back, at the price of a smaller row group or stripe.
    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.0 {
            Kind::Parquet(writer) => writer.flush()?,
            Kind::Orc(writer) => writer.end_stripe()?,
            Kind::Text(_) => {}
        }
        Ok(())
    }

    /// How many bytes [`Encoder::take`] would give.
    pub(super) fn ready(&self) -> usize {
        match &self.0 {
            Kind::Parquet(writer) => writer.inner().len(),
            Kind::Orc(writer) => writer.ready(),
            Kind::Text(text) => text.out.ready(),
        }
    }

    /// The bytes of the file that are ready and were not taken yet.
    pub fn take(&mut self) -> Vec<u8> {
        match &mut self.0 {
            Kind::Parquet(writer) => std::mem::take(writer.inner_mut()),
            Kind::Orc(writer) => writer.take(),
            Kind::Text(text) => text.out.take(),
        }
    }

    /// The memory in use, about.
    pub(super) fn memory(&self) -> usize {
        match &self.0 {
            Kind::Parquet(writer) => writer.memory_size() + writer.inner().capacity(),
            Kind::Orc(writer) => writer.memory(),
            Kind::Text(text) => text.out.ready(),
        }
    }

    /// The size of the file so far: for Parquet and ORC as encoded, with what is in progress estimated;
    /// for text before compression.
    pub(super) fn size(&self) -> u64 {
        match &self.0 {
            Kind::Parquet(writer) => (writer.bytes_written() + writer.in_progress_size()) as u64,
            Kind::Orc(writer) => writer.size(),
            Kind::Text(text) => text.out.taken_in,
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
            Kind::Text(text) => Ok(text.out.finish()?),
        }
    }
}

/// Whether files of this schema can be written at all: found out before anything is.
pub(super) fn check_schema(options: &OutputOptions, schema: &SchemaRef) -> Result<()> {
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
    let nullable: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    // One row of nulls through each column by itself finds the column that cannot be written.
    for field in nullable {
        let column = new_null_array(field.data_type(), 1);
        let one = Arc::new(Schema::new(vec![field.clone()]));
        let tried = RecordBatch::try_new(one.clone(), vec![column])
            .map_err(DataFusionError::from)
            .and_then(|batch| {
                let mut encoder = Encoder::new(options, &one)?;
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

fn write_csv(
    options: &OutputOptions,
    header: bool,
    batch: &RecordBatch,
    out: &mut Compressor,
) -> Result<(), ArrowError> {
    let batch = nested_to_json(batch)?;
    csv::WriterBuilder::new()
        .with_header(header)
        .with_delimiter(options.delimiter)
        .with_quote(options.quote)
        .with_null(options.null.clone())
        .with_timestamp_format(CSV_TIMESTAMP.to_owned())
        .with_timestamp_tz_format(CSV_TIMESTAMP_TZ.to_owned())
        .build(out)
        .write(&batch)
}

/// Columns that CSV cannot hold, as JSON text.
fn nested_to_json(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch
        .schema_ref()
        .fields()
        .iter()
        .any(|f| f.data_type().is_nested())
    {
        return Ok(batch.clone());
    }
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if !field.data_type().is_nested() {
                return Ok((field.clone(), column.clone()));
            }
            let text = json_text(field, column)?;
            let field = Field::new(field.name(), DataType::Utf8, true);
            Ok((Arc::new(field), Arc::new(text) as ArrayRef))
        })
        .collect::<Result<Vec<_>, ArrowError>>()?
        .into_iter()
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn json_text(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut text = BinaryBuilder::with_capacity(column.len(), column.len() * 32);
    let mut one = Vec::new();
    for row in 0..column.len() {
        if encoder.is_null(row) {
            text.append_null();
            continue;
        }
        one.clear();
        encoder.encode(row, &mut one);
        text.append_value(&one);
    }
    StringArray::try_from_binary(text.finish())
}

/// Compression around a text file.
pub(super) struct Compressor {
    kind: CompressorKind,
    taken_in: u64,
}

enum CompressorKind {
    None(Vec<u8>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Bzip2(bzip2::write::BzEncoder<Vec<u8>>),
}

impl Compressor {
    fn new(compression: OutputCompression) -> std::io::Result<Self> {
        let buffer = Vec::new();
        let kind = match compression {
            OutputCompression::Gzip => CompressorKind::Gzip(flate2::write::GzEncoder::new(
                buffer,
                flate2::Compression::default(),
            )),
            OutputCompression::Zstd => {
                CompressorKind::Zstd(zstd::stream::write::Encoder::new(buffer, 0)?)
            }
            OutputCompression::Bzip2 => CompressorKind::Bzip2(bzip2::write::BzEncoder::new(
                buffer,
                bzip2::Compression::default(),
            )),
            OutputCompression::None | OutputCompression::Snappy | OutputCompression::Lz4 => {
                CompressorKind::None(buffer)
            }
        };
        Ok(Compressor { kind, taken_in: 0 })
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        match &mut self.kind {
            CompressorKind::None(buffer) => buffer,
            CompressorKind::Gzip(encoder) => encoder.get_mut(),
            CompressorKind::Zstd(encoder) => encoder.get_mut(),
            CompressorKind::Bzip2(encoder) => encoder.get_mut(),
        }
    }

    fn ready(&self) -> usize {
        match &self.kind {
            CompressorKind::None(buffer) => buffer.len(),
            CompressorKind::Gzip(encoder) => encoder.get_ref().len(),
            CompressorKind::Zstd(encoder) => encoder.get_ref().len(),
            CompressorKind::Bzip2(encoder) => encoder.get_ref().len(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.buffer())
    }

    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self.kind {
            CompressorKind::None(buffer) => Ok(buffer),
            CompressorKind::Gzip(encoder) => encoder.finish(),
            CompressorKind::Zstd(encoder) => encoder.finish(),
            CompressorKind::Bzip2(encoder) => encoder.finish(),
        }
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = match &mut self.kind {
            CompressorKind::None(buffer) => buffer.write(bytes),
            CompressorKind::Gzip(encoder) => encoder.write(bytes),
            CompressorKind::Zstd(encoder) => encoder.write(bytes),
            CompressorKind::Bzip2(encoder) => encoder.write(bytes),
        }?;
        self.taken_in += written as u64;
        Ok(written)
    }

    // The CSV writer flushes after each batch. Passed on, that would end a compressed block each
    // time, and cost much of the compression.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
