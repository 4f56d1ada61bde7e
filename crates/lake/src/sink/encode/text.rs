//! Text files: CSV, JSON and XML, compressed as wholes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::json::writer::LineDelimited;
use datafusion::error::Result;
use mastic_schema::plain::PlainChoices;

use super::super::options::{OutputFormat, OutputOptions};
use super::compress::Compressor;
use super::csv::write_csv;
use super::xml::XmlWriter;

/// The encoder of one text file.
pub(super) struct TextEncoder {
    options: OutputOptions,
    out: Compressor,
    begun: bool,
    /// Rows taken in, so that a value that cannot be written can be pointed at.
    rows: u64,
    xml: Option<XmlWriter>,
}

impl TextEncoder {
    pub(super) fn new(options: &OutputOptions) -> Result<Self> {
        Ok(TextEncoder {
            out: Compressor::new(options.compression, options.compression_level)?,
            begun: false,
            rows: 0,
            xml: match options.format {
                OutputFormat::Xml => Some(XmlWriter::new(options)),
                _ => None,
            },
            options: options.clone(),
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let options = &self.options;
        match (&self.xml, options.format) {
            (Some(xml), _) => {
                if !self.begun {
                    xml.begin(&mut self.out)?;
                }
                xml.write(batch, self.rows, &mut self.out)?;
            }
            (None, OutputFormat::Csv) => {
                let header = options.header && !self.begun;
                write_csv(options, header, batch, self.rows, &mut self.out)?;
            }
            (None, _) => {
                arrow::json::WriterBuilder::new()
                    .with_explicit_nulls(options.explicit_nulls)
                    .with_encoder_factory(Arc::new(PlainChoices))
                    .build::<_, LineDelimited>(&mut self.out)
                    .write(batch)?;
            }
        }
        self.begun = true;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    pub(super) fn ready(&self) -> usize {
        self.out.ready()
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.out.take()
    }

    pub(super) fn memory(&self) -> usize {
        self.out.memory()
    }

    pub(super) fn size(&self) -> u64 {
        self.out.taken_in()
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        if let Some(xml) = &self.xml {
            if !self.begun {
                xml.begin(&mut self.out)?;
            }
            xml.end(&mut self.out)?;
        }
        Ok(self.out.finish()?)
    }
}
