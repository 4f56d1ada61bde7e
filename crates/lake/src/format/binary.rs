//! Avro, ORC and Parquet: formats that carry their schema.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow_avro::reader::ReaderBuilder as AvroReaderBuilder;
use bytes::{Buf, Bytes};
use orc_rust::ArrowReaderBuilder as OrcReaderBuilder;
use orc_rust::projection::ProjectionMask as OrcMask;
use orc_rust::reader::ChunkReader as OrcChunks;
use orc_rust::schema::TimestampPrecision;
use orc_rust::statistics::TypeStatistics;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::{ChunkReader, Length};

use super::adapt::{Batcher, plain};
use super::avro_gate::AvroGate;
use super::{Batches, Decode, Inference};
use crate::compress::Compression;
use crate::error::{LakeError, Result};
use crate::input::Input;

/// A file that is read from its end: by ranges, or from memory where it is compressed as a whole.
#[derive(Clone)]
enum Ranged {
    Stored(Input),
    Memory(Bytes),
}

impl Ranged {
    fn open(input: &Input) -> Result<Self> {
        let head = input.range(0, input.meta.size.min(crate::compress::MAGIC_LENGTH as u64))?;
        Self::of(input, input.compression(&head))
    }

    fn of(input: &Input, compression: Compression) -> Result<Self> {
        Ok(match compression {
            Compression::None => Ranged::Stored(input.clone()),
            _ => Ranged::Memory(input.to_bytes()?),
        })
    }

    fn length(&self) -> u64 {
        match self {
            Ranged::Stored(input) => input.meta.size,
            Ranged::Memory(bytes) => bytes.len() as u64,
        }
    }

    fn bytes(&self, start: u64, length: u64) -> io::Result<Bytes> {
        let end = start.saturating_add(length);
        if end > self.length() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is cut short",
            ));
        }
        // Stores refuse to give nothing; ORC has streams of nothing, where all values are null.
        if length == 0 {
            return Ok(Bytes::new());
        }
        match self {
            Ranged::Stored(input) => input.range(start, length).map_err(io::Error::other),
            Ranged::Memory(bytes) => {
                let at = |n: u64| usize::try_from(n).map_err(io::Error::other);
                Ok(bytes.slice(at(start)?..at(end)?))
            }
        }
    }

    /// From `start` on, fetched in steps.
    fn reader(&self, start: u64) -> Steps {
        Steps {
            file: self.clone(),
            at: start,
            step: Bytes::new(),
        }
    }
}

struct Steps {
    file: Ranged,
    at: u64,
    step: Bytes,
}

impl Read for Steps {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const STEP: u64 = 1 << 20;
        if self.step.is_empty() {
            let length = STEP.min(self.file.length().saturating_sub(self.at));
            self.step = self.file.bytes(self.at, length)?;
            self.at += length;
        }
        let count = buffer.len().min(self.step.len());
        self.step.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl Length for Ranged {
    fn len(&self) -> u64 {
        self.length()
    }
}

impl ChunkReader for Ranged {
    type T = BufReader<Steps>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        Ok(self.bytes(start, length as u64)?)
    }
}

impl OrcChunks for Ranged {
    type T = BufReader<Steps>;

    fn len(&self) -> u64 {
        self.length()
    }

    fn get_read(&self, start: u64) -> io::Result<Self::T> {
        Ok(BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: u64) -> io::Result<Bytes> {
        self.bytes(start, length)
    }
}

/// Columns as catalogs know them, all of them nullable: another file may lack them.
fn columns(schema: &Schema) -> Fields {
    schema
        .fields()
        .iter()
        .map(|f| Field::new(f.name(), plain(f.data_type()), true))
        .collect()
}

fn inference(schema: &Schema, rows: u64, bytes: u64, complete: bool) -> Inference {
    Inference {
        fields: columns(schema),
        rows,
        bytes,
        complete,
        node: None,
        choices: None,
    }
}

pub(super) fn infer_parquet(input: &Input, compression: Compression) -> Result<Inference> {
    let file = Ranged::of(input, compression)?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default())
        .map_err(|e| input.bad(e.to_string()))?;
    let rows = metadata.metadata().file_metadata().num_rows();
    Ok(inference(
        metadata.schema(),
        u64::try_from(rows).unwrap_or_default(),
        file.length(),
        true,
    ))
}

/// Which of a file's columns any column of the table is bound to.
fn bound(file: &Schema, decode: &Decode) -> Vec<usize> {
    let mut wanted: Vec<usize> = decode
        .projection
        .iter()
        .filter(|i| !decode.is_line(**i))
        .filter_map(|i| {
            mastic_schema::merge::position(file.fields(), decode.schema.field(*i).name())
        })
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

fn adapted<E: std::fmt::Display>(
    batches: impl Iterator<Item = std::result::Result<arrow::array::RecordBatch, E>> + Send + 'static,
    decode: &Decode,
) -> Result<Batches> {
    let target = Arc::new(decode.schema.project(&decode.projection)?);
    let mut batcher = Batcher::new(target, decode.frame.is_some());
    let file = decode.file.clone();
    Ok(Box::new(batches.map(move |batch| {
        let batch = batch.map_err(|e| LakeError::data(&file, e.to_string()))?;
        batcher.adapt(&file, &batch)
    })))
}

pub(super) fn decode_parquet(input: &Input, decode: &Decode) -> Result<Batches> {
    let bad = |e: parquet::errors::ParquetError| input.bad(e.to_string());
    let builder = ParquetRecordBatchReaderBuilder::try_new(Ranged::open(input)?).map_err(bad)?;
    let wanted = bound(builder.schema(), decode);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(decode.batch_size)
        .build()
        .map_err(bad)?;
    adapted(reader, decode)
}

pub(super) fn infer_orc(input: &Input, compression: Compression) -> Result<Inference> {
    let file = Ranged::of(input, compression)?;
    let length = file.length();
    let builder = OrcReaderBuilder::try_new(file).map_err(|e| input.bad(e.to_string()))?;
    let rows = builder.file_metadata().number_of_rows();
    Ok(inference(&builder.schema(), rows, length, true))
}

/// orc-rust reads nanoseconds before 1970 wrongly, and microseconds as an error or rightly; but it
/// refuses nanoseconds that are no whole microseconds when asked for those. So files that reach beyond
/// what nanoseconds hold, or before 1970, are read in microseconds, and all others in nanoseconds.
fn orc_precision(metadata: &orc_rust::reader::metadata::FileMetadata) -> TimestampPrecision {
    // Milliseconds; nanoseconds of 64 bits end in 2262.
    const LAST: i64 = 9_200_000_000_000;
    let beyond = metadata.column_file_statistics().iter().any(|column| {
        matches!(
            column.type_statistics(),
            Some(TypeStatistics::Timestamp { min, max, min_utc, max_utc })
                if *min.min(min_utc) < 0 || *max.max(max_utc) > LAST
        )
    });
    if beyond {
        TimestampPrecision::Microsecond
    } else {
        TimestampPrecision::Nanosecond
    }
}

pub(super) fn decode_orc(input: &Input, decode: &Decode) -> Result<Batches> {
    let builder =
        OrcReaderBuilder::try_new(Ranged::open(input)?).map_err(|e| input.bad(e.to_string()))?;
    let wanted = bound(&builder.schema(), decode);
    let precision = orc_precision(builder.file_metadata());
    let mask = {
        let root = builder.file_metadata().root_data_type();
        let names: Vec<&str> = wanted
            .iter()
            .filter_map(|i| root.children().get(*i))
            .map(orc_rust::schema::NamedColumn::name)
            .collect();
        OrcMask::named_roots(root, &names)
    };
    let reader = builder
        .with_projection(mask)
        .with_batch_size(decode.batch_size)
        .with_timestamp_precision(precision)
        .build();
    adapted(reader, decode)
}

pub(super) fn infer_avro(file: &str, reader: impl Read) -> Result<Inference> {
    let bad = |message: String| LakeError::data(file, message);
    let mut reader = BufReader::new(AvroGate::new(reader));
    let avro = AvroReaderBuilder::new()
        .build(&mut reader)
        .map_err(|e| bad(e.to_string()))?;
    let schema = avro.schema();
    if let Some(union) = schema.fields().iter().find(|f| has_union(f.data_type())) {
        return Err(bad(format!(
            "column '{}' is a union of several types, which is not built: a union of null and one type can be read",
            union.name()
        )));
    }
    // Avro has no count of records but in its blocks: reading them also finds a file cut short.
    let mut rows = 0;
    for batch in avro {
        rows += batch.map_err(|e| bad(e.to_string()))?.num_rows() as u64;
    }
    Ok(inference(&schema, rows, 0, true))
}

fn has_union(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => true,
        DataType::Struct(fields) => fields.iter().any(|f| has_union(f.data_type())),
        DataType::List(item) | DataType::Map(item, _) => has_union(item.data_type()),
        _ => false,
    }
}

pub(super) fn decode_avro(input: &Input, decode: &Decode) -> Result<Batches> {
    let bad = |e: arrow::error::ArrowError| input.bad(e.to_string());
    let mut reader = input.buffered()?;
    if reader
        .fill_buf()
        .map_err(|e| input.unreadable(&e))?
        .is_empty()
    {
        return Ok(Box::new(std::iter::empty()));
    }
    let avro = AvroReaderBuilder::new()
        .with_batch_size(decode.batch_size)
        .build(BufReader::new(AvroGate::new(reader)))
        .map_err(bad)?;
    adapted(avro, decode)
}
