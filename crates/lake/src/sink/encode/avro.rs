//! Avro object container files: a header with the schema, then blocks of records.
//!
//! "Object container files", Apache Avro specification. Records are encoded by arrow-avro; the container is
//! made here, since arrow-avro's has one level for each codec and one block for each batch, however large.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use arrow_avro::schema::SCHEMA_METADATA_KEY;
use arrow_avro::writer::format::AvroBinaryFormat;
use arrow_avro::writer::{Encoder as RecordEncoder, WriterBuilder};
use datafusion::error::{DataFusionError, Result};

use super::super::options::{OutputCompression, OutputOptions};
use super::avro_schema::{avro_schema, stored_fields};

/// A block ends when its records have about this many bytes: more than the 16,000 of Avro's own Java writer,
/// since each is compressed by itself, and few enough to be held at once by any reader.
const BLOCK: usize = 256 * 1024;

/// The encoder of one Avro file.
pub(super) struct AvroEncoder {
    compression: OutputCompression,
    level: Option<u32>,
    schema: SchemaRef,
    encoder: RecordEncoder,
    /// The block in progress: its records, and how many.
    block: Vec<u8>,
    records: i64,
    sync: [u8; 16],
    out: Vec<u8>,
    taken: u64,
}

fn failed(error: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}

impl AvroEncoder {
    pub(super) fn new(options: &OutputOptions, schema: &SchemaRef) -> Result<Self> {
        let fields: Fields = stored_fields(schema);
        let json = avro_schema(&fields)
            .map_err(DataFusionError::Plan)?
            .to_string();
        let metadata = [(SCHEMA_METADATA_KEY.to_owned(), json.clone())];
        let schema = Schema::new_with_metadata(fields.clone(), metadata.into_iter().collect());
        let encoder = WriterBuilder::new(schema)
            .build_encoder::<AvroBinaryFormat>()
            .map_err(failed)?;
        let sync = *uuid::Uuid::new_v4().as_bytes();
        let mut out = Vec::new();
        header(&mut out, &json, options.compression, &sync);
        Ok(AvroEncoder {
            compression: options.compression,
            level: options.compression_level,
            schema: Arc::new(Schema::new(fields)),
            encoder,
            block: Vec::new(),
            records: 0,
            sync,
            out,
            taken: 0,
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        // A value that its Avro type cannot hold is an error, not null.
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| cast_with_options(column, field.data_type(), &strict))
            .collect::<std::result::Result<_, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        self.encoder.encode(&batch).map_err(failed)?;
        let rows = self.encoder.flush();
        let (bytes, offsets) = (rows.bytes(), rows.offsets());
        let mut start = offsets.first().copied().unwrap_or_default();
        let mut records = 0;
        for end in offsets.iter().skip(1) {
            records += 1;
            if self.block.len() + end - start >= BLOCK {
                self.add(bytes.get(start..*end), records)?;
                self.flush()?;
                (start, records) = (*end, 0);
            }
        }
        self.add(bytes.get(start..), records)
    }

    fn add(&mut self, bytes: Option<&[u8]>, records: i64) -> Result<()> {
        let outside = || DataFusionError::Internal("records end outside of their bytes".into());
        self.block.extend_from_slice(bytes.ok_or_else(outside)?);
        self.records += records;
        Ok(())
    }

    /// Ends the block in progress.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.records == 0 {
            return Ok(());
        }
        let block = compressed(self.compression, self.level, &self.block)?;
        long(&mut self.out, self.records);
        bytes(&mut self.out, &block);
        self.out.extend_from_slice(&self.sync);
        self.block.clear();
        self.records = 0;
        Ok(())
    }

    pub(super) fn ready(&self) -> usize {
        self.out.len()
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    pub(super) fn memory(&self) -> usize {
        self.out.capacity() + self.block.capacity()
    }

    /// The bytes of the file so far, with the block in progress as it is.
    pub(super) fn size(&self) -> u64 {
        self.taken + (self.out.len() + self.block.len()) as u64
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.flush()?;
        Ok(self.out)
    }
}

/// The codec's name in the header.
fn codec(compression: OutputCompression) -> &'static str {
    match compression {
        OutputCompression::Gzip => "deflate",
        OutputCompression::Snappy => "snappy",
        OutputCompression::Zstd => "zstandard",
        OutputCompression::Bzip2 => "bzip2",
        OutputCompression::Xz => "xz",
        OutputCompression::None | OutputCompression::Lz4 | OutputCompression::Brotli => "null",
    }
}

/// Magic, the metadata as one block of a map, the sync marker.
fn header(out: &mut Vec<u8>, schema: &str, compression: OutputCompression, sync: &[u8; 16]) {
    out.extend_from_slice(b"Obj\x01");
    long(out, 2);
    bytes(out, b"avro.schema");
    bytes(out, schema.as_bytes());
    bytes(out, b"avro.codec");
    bytes(out, codec(compression).as_bytes());
    long(out, 0);
    out.extend_from_slice(sync);
}

/// A number, zigzag and of variable length.
fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = (number << 1 ^ number >> 63).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(bytes);
}

/// A block's bytes: "Required codecs" and "Optional codecs", Apache Avro specification.
fn compressed(compression: OutputCompression, level: Option<u32>, plain: &[u8]) -> Result<Vec<u8>> {
    let buffer = Vec::with_capacity(plain.len() / 2);
    Ok(match compression {
        // Without the header and the checksum that gzip has around it.
        OutputCompression::Gzip => {
            let level = flate2::Compression::new(level.unwrap_or(6));
            let mut encoder = flate2::write::DeflateEncoder::new(buffer, level);
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        // One raw block, followed by the CRC-32 of what was compressed, in big-endian order.
        OutputCompression::Snappy => {
            let mut block = snap::raw::Encoder::new()
                .compress_vec(plain)
                .map_err(failed)?;
            let mut crc = flate2::Crc::new();
            crc.update(plain);
            block.extend_from_slice(&crc.sum().to_be_bytes());
            block
        }
        OutputCompression::Zstd => {
            let level = level.and_then(|l| i32::try_from(l).ok()).unwrap_or(0);
            zstd::stream::encode_all(plain, level)?
        }
        OutputCompression::Bzip2 => {
            let level = bzip2::Compression::new(level.unwrap_or(9));
            let mut encoder = bzip2::write::BzEncoder::new(buffer, level);
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        OutputCompression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(buffer, level.unwrap_or(3));
            encoder.write_all(plain)?;
            encoder.finish()?
        }
        OutputCompression::None | OutputCompression::Lz4 | OutputCompression::Brotli => {
            plain.to_vec()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_zigzag() {
        // The table under "Binary encoding", Apache Avro specification.
        for (number, encoded) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (-2, &[0x03]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
        ] {
            let mut out = Vec::new();
            long(&mut out, number);
            assert_eq!(out, encoded);
        }
    }
}
