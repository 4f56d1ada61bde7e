//! ORC files, version 1 as Hive 0.12 and everything since reads them
//! (<https://orc.apache.org/specification/ORCv1/>).
//!
//! Batches come in, and their values go to the streams of their columns at once ([`column`], [`leaf`],
//! [`text`]), which are encoded ([`integers`], [`bytes`]) and compressed ([`codec`]) as they fill. A stripe
//! ends by its size or its rows; then the streams are laid out one after the other. There are no row
//! indexes: a reader skips stripes by their statistics, and reads a stripe whole.

mod bytes;
mod codec;
mod column;
mod error;
mod integers;
mod leaf;
mod statistics;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod timestamp;
mod types;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Schema};
use orc_rust::proto::{self, CompressionKind};
use prost::Message;

use self::codec::{BLOCK, Codec};
use self::column::{Column, Stripe};
use self::error::Result;

const MAGIC: &str = "ORC";
/// What the C++ writer calls itself: timestamps' statistics are in UTC since ORC-135.
const WRITER_VERSION: u32 = 6;
/// The most rows that are encoded before streams are compressed and the stripe's size is looked at.
const STEP: usize = 16 * 1024;

/// A writer of one file: batches in, bytes out.
pub(super) struct OrcWriter {
    root: Column,
    types: Vec<proto::Type>,
    codec: Codec,
    /// The most bytes of a stripe, about.
    stripe_bytes: usize,
    /// The most rows of a stripe.
    stripe_rows: usize,
    /// The rows of the open stripe.
    rows: usize,
    /// Bytes that nobody took yet.
    out: Vec<u8>,
    /// How many bytes were taken.
    taken: u64,
    stripes: Vec<proto::StripeInformation>,
    statistics: Vec<proto::StripeStatistics>,
}

impl OrcWriter {
    /// A file of this schema, whose stripes end at so many bytes (as encoded) or rows. A compression may
    /// have a level: see [`Codec::new`].
    pub(super) fn new(
        schema: &Schema,
        (compression, level): (CompressionKind, Option<u32>),
        stripe_bytes: usize,
        stripe_rows: usize,
    ) -> Result<Self> {
        let mut types = Vec::new();
        let root = Column::new(&DataType::Struct(schema.fields().clone()), &mut types, 0)?;
        Ok(OrcWriter {
            root,
            types,
            codec: Codec::new(compression, level)?,
            stripe_bytes: stripe_bytes.max(1),
            stripe_rows: stripe_rows.max(1),
            rows: 0,
            out: MAGIC.as_bytes().to_vec(),
            taken: 0,
            stripes: Vec::new(),
            statistics: Vec::new(),
        })
    }

    /// Takes in a batch.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut start = 0;
        while start < batch.num_rows() {
            let room = STEP.min(self.stripe_rows.saturating_sub(self.rows).max(1));
            let step = batch.slice(start, room.min(batch.num_rows() - start));
            start += step.num_rows();
            self.rows += step.num_rows();
            let step: ArrayRef = Arc::new(StructArray::from(step));
            debug_assert_eq!(step.null_count(), 0);
            self.root.write(&step)?;
            self.root.spill(&mut self.codec)?;
            if self.rows >= self.stripe_rows || self.root.size() >= self.stripe_bytes {
                self.end_stripe()?;
            }
        }
        Ok(())
    }

    /// Ends the stripe, where one is open.
    pub(super) fn end_stripe(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let (offset, before) = (self.written(), self.out.len());
        let mut stripe = Stripe {
            codec: &mut self.codec,
            out: &mut self.out,
            streams: Vec::new(),
            encodings: Vec::new(),
            statistics: Vec::new(),
        };
        self.root.finish(&mut stripe)?;
        let footer = proto::StripeFooter {
            streams: stripe.streams,
            columns: stripe.encodings,
            // Times without a zone are as a clock in this zone shows them; readers in another show the same.
            writer_timezone: Some("UTC".to_owned()),
            encryption: Vec::new(),
        };
        let col_stats = stripe.statistics;
        let data = self.out.len() - before;
        self.codec.write(&footer.encode_to_vec(), &mut self.out)?;
        self.stripes.push(proto::StripeInformation {
            offset: Some(offset),
            index_length: Some(0),
            data_length: Some(data as u64),
            footer_length: Some((self.out.len() - before - data) as u64),
            number_of_rows: Some(self.rows as u64),
            ..Default::default()
        });
        self.statistics.push(proto::StripeStatistics { col_stats });
        self.rows = 0;
        Ok(())
    }

    /// Ends the file, and returns what was not taken of it.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.end_stripe()?;
        let content = self.written();
        let metadata = proto::Metadata {
            stripe_stats: std::mem::take(&mut self.statistics),
        };
        let metadata_length = self.append(&metadata.encode_to_vec())?;
        let mut statistics = Vec::new();
        self.root.whole(&mut statistics);
        let rows = self.stripes.iter().filter_map(|s| s.number_of_rows).sum();
        let mut footer = proto::Footer {
            header_length: Some(MAGIC.len() as u64),
            content_length: Some(content),
            stripes: std::mem::take(&mut self.stripes),
            types: std::mem::take(&mut self.types),
            number_of_rows: Some(rows),
            statistics,
            // No row indexes.
            row_index_stride: Some(0),
            software_version: Some(concat!("mastic ", env!("CARGO_PKG_VERSION")).to_owned()),
            ..Default::default()
        };
        // As Arrow's dates and times are.
        footer.set_calendar(proto::CalendarKind::ProlepticGregorian);
        let footer_length = self.append(&footer.encode_to_vec())?;
        let mut postscript = proto::PostScript {
            footer_length: Some(footer_length),
            compression_block_size: Some(BLOCK as u64),
            version: vec![0, 12],
            metadata_length: Some(metadata_length),
            writer_version: Some(WRITER_VERSION),
            magic: Some(MAGIC.to_owned()),
            ..Default::default()
        };
        postscript.set_compression(self.codec.kind());
        let postscript = postscript.encode_to_vec();
        self.out.extend_from_slice(&postscript);
        // A few dozen bytes.
        self.out.push(postscript.len() as u8);
        Ok(self.out)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let before = self.out.len();
        self.codec.write(bytes, &mut self.out)?;
        Ok((self.out.len() - before) as u64)
    }

    /// How many bytes of the file are ready, taken or not.
    fn written(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    /// How many bytes [`OrcWriter::take`] would give.
    pub(super) fn ready(&self) -> usize {
        self.out.len()
    }

    /// The bytes that are ready.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    /// The file's size so far, with the open stripe estimated.
    pub(super) fn size(&self) -> u64 {
        self.written() + self.root.size() as u64
    }

    /// The memory in use, about.
    pub(super) fn memory(&self) -> usize {
        self.root.memory() + self.out.capacity()
    }
}
