//! Avro data in binary encoding, without a file around them, by arrow-avro.
//!
//! "Binary encoding" and "Single-object encoding" of the Apache Avro 1.11 specification. A datum may
//! come bare or in the single-object encoding of the same schema, as bytes or as text in base64.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::DataType;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use datafusion::common::{Result, plan_datafusion_err, plan_err};

use super::rows::{Parsed, cut, decode_all};
use crate::args::Call;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) struct Avro {
    schema: String,
    /// What stands before a datum in single-object encoding: two marks and the schema's fingerprint.
    prefix: Vec<u8>,
    data_type: DataType,
}

impl Avro {
    pub(super) fn of(name: &str, schema: &str) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| {
            plan_datafusion_err!(
                "{name}: '{}' is no Avro schema to read: {error}",
                cut(schema)
            )
        };
        let avro = AvroSchema::new(schema.to_owned());
        let fingerprint = avro
            .fingerprint(FingerprintAlgorithm::Rabin)
            .map_err(|e| bad(&e))?;
        let Fingerprint::Rabin(number) = fingerprint else {
            return plan_err!("{name}: the schema has no Rabin fingerprint");
        };
        let mut prefix = vec![0xC3, 0x01];
        prefix.extend(number.to_le_bytes());
        let decoder = decoder(schema, 1).map_err(|e| bad(&e))?;
        let data_type = DataType::Struct(decoder.schema().fields().clone());
        if weightless(&data_type) || holds_weightless(&data_type) {
            return Err(bad(
                &"it has an array, a map or a record of values that take no bytes",
            ));
        }
        Ok(Self {
            schema: schema.to_owned(),
            prefix,
            data_type,
        })
    }

    pub(super) fn data_type(&self) -> DataType {
        self.data_type.clone()
    }

    pub(super) fn parse(&self, call: &Call<'_>, rows: usize) -> Result<Parsed> {
        let mut reasons = BTreeMap::new();
        let mut data: Vec<Vec<u8>> = vec![Vec::new(); rows];
        let mut there = Vec::new();
        let mut add = |row: usize, bytes: Option<&[u8]>| {
            let (Some(bytes), Some(slot)) = (bytes, data.get_mut(row)) else {
                return;
            };
            if !bytes.starts_with(&self.prefix) {
                slot.extend(&self.prefix);
            }
            slot.extend(bytes);
            there.push(row);
        };
        let array = call.array(0)?;
        if let Some(bytes) = array.as_byte_view_opt::<arrow::datatypes::BinaryViewType>() {
            for row in 0..rows {
                add(row, bytes.is_valid(row).then(|| bytes.value(row)));
            }
        } else {
            let texts = call.text(0)?;
            for row in 0..rows {
                let Some(text) = texts.get(row).map(str::trim).filter(|t| !t.is_empty()) else {
                    continue;
                };
                match BASE64.decode(text) {
                    Ok(bytes) => add(row, Some(&bytes)),
                    Err(error) => {
                        reasons.insert(row, format!("'{}' is no base64: {error}", cut(text)));
                    }
                }
            }
        }
        decode_all(&there, rows, &self.data_type, reasons, |part| {
            self.decode(part, &data).map_err(|why| {
                let bytes = part.first().and_then(|row| data.get(*row));
                let length = bytes.map_or(0, |b| b.len().saturating_sub(self.prefix.len()));
                format!("{length} bytes are no Avro datum of the schema: {why}")
            })
        })
    }

    fn decode(&self, part: &[usize], data: &[Vec<u8>]) -> Result<ArrayRef, String> {
        let mut decoder = decoder(&self.schema, part.len()).map_err(|e| e.to_string())?;
        for (count, row) in part.iter().enumerate() {
            let bytes = data.get(*row).map(Vec::as_slice).unwrap_or_default();
            let read = decoder.decode(bytes).map_err(|e| e.to_string())?;
            if decoder.capacity() != part.len() - count - 1 {
                return Err("it ends within the datum".to_owned());
            }
            if read != bytes.len() {
                return Err("it goes on behind the datum".to_owned());
            }
        }
        match decoder.flush().map_err(|e| e.to_string())? {
            Some(batch) if batch.num_rows() == part.len() => {
                Ok(std::sync::Arc::new(StructArray::from(batch)))
            }
            _ => Err("it holds no datum".to_owned()),
        }
    }
}

fn decoder(schema: &str, rows: usize) -> Result<Decoder, arrow::error::ArrowError> {
    let mut store = SchemaStore::new();
    let fingerprint = store.register(AvroSchema::new(schema.to_owned()))?;
    ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(fingerprint)
        .with_batch_size(rows)
        .build_decoder()
}

/// Whether a value of the type takes no byte. An array of such would hold as many as a few bytes say.
fn weightless(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null | DataType::FixedSizeBinary(0) => true,
        DataType::Struct(fields) => fields
            .iter()
            .all(|f| !f.is_nullable() && weightless(f.data_type()) || f.data_type().is_null()),
        _ => false,
    }
}

fn holds_weightless(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|f| holds_weightless(f.data_type())),
        // A map's entries have keys, which take a byte each.
        DataType::Map(entries, _) => holds_weightless(entries.data_type()),
        DataType::List(item) | DataType::LargeList(item) => {
            weightless(item.data_type()) || holds_weightless(item.data_type())
        }
        _ => false,
    }
}
