//! Looking at a file whose format is known, as that of a catalog's table is.

use crate::compress::{Compression, Metered};
use crate::error::{LakeError, Result};
use crate::input::Input;

use arrow::datatypes::Fields;

use super::{Chosen, FileFormat, Inference, Limits, guard, infer};

/// Tells a file's schema, in a format that is known, as a frame reads it: bad records are passed over. With it comes the
/// format as the file has it: its own null markers and order of dates. Blocks: see [`Input`].
///
/// # Errors
/// When the file cannot be read, is a decompression bomb, or its contents break the format's rules.
pub fn examine_as(
    input: &Input,
    format: &FileFormat,
    limits: &Limits,
) -> Result<(FileFormat, Inference)> {
    let mut contents = input.contents()?;
    let compression = contents.compression;
    let mut meter = None;
    if compression != Compression::None {
        let (metered, own) = Metered::new(contents.reader, contents.taken.clone());
        contents.reader = Box::new(metered);
        meter = Some(own);
    }
    let mut chosen = Chosen {
        format: format.clone(),
        certainty: 1.0,
        reason: String::new(),
        classifier: String::new(),
        custom: None,
    };
    let found = guard::guarded(&input.url, || {
        infer(
            input,
            contents.reader,
            compression,
            limits,
            true,
            &mut chosen,
        )
    });
    if let Some(meter) = &meter {
        // Whatever went wrong with a bomb's contents, it is a bomb.
        meter.check().map_err(|e| input.unreadable(&e))?;
    }
    let found = found?;
    if found.fields.is_empty() {
        return Err(LakeError::NoRecords {
            file: input.url.clone(),
        });
    }
    Ok((chosen.format, found))
}

/// A file's columns by choosing and not widening: what a dynamic frame reads.
pub fn choice_fields_of(inference: &Inference) -> Fields {
    inference.choice_fields().clone()
}
