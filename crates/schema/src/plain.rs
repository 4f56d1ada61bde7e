//! Choices in JSON: the value alone, and not a struct of alternatives. What writes JSON, on whichever floor, takes
//! this, so that a choice looks the same in a file, an error record and a text.

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};

use crate::choice::alternatives;

/// For arrow's JSON writers: writes a choice as the value that it has, `1` and not `{"long":1}`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainChoices;

impl EncoderFactory for PlainChoices {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let (Some(all), Some(own)) = (alternatives(field.data_type()), array.as_struct_opt())
        else {
            return Ok(None);
        };
        if own.fields() != all {
            return Ok(None);
        }
        let mut encoders = Vec::with_capacity(all.len());
        let mut set: Option<NullBuffer> = None;
        let mut always = false;
        for (field, column) in all.iter().zip(own.columns()) {
            encoders.push(make_encoder(field, column.as_ref(), options)?);
            match (column.logical_nulls(), set) {
                (None, before) => {
                    always = true;
                    set = before;
                }
                (Some(next), None) => set = Some(next),
                (Some(next), Some(before)) => {
                    set = Some(NullBuffer::new(before.inner() | next.inner()));
                }
            }
        }
        let set = set.filter(|_| !always);
        let nulls = NullBuffer::union(own.nulls(), set.as_ref());
        let encoder = Box::new(Alternatives(encoders));
        Ok(Some(NullableEncoder::new(encoder, nulls)))
    }
}

struct Alternatives<'a>(Vec<NullableEncoder<'a>>);

impl Encoder for Alternatives<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        match self.0.iter_mut().find(|own| !own.is_null(row)) {
            Some(own) => own.encode(row, out),
            None => out.extend_from_slice(b"null"),
        }
    }
}
