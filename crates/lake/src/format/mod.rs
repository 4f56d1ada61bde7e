//! Every file format: recognised by its bytes, its schema inferred, its records decoded.
//!
//! A file is opened once to be examined ([`examine`]): its first bytes tell the compression and,
//! decompressed, the format; what follows tells the schema. Decoding ([`decode`]) binds a file's
//! columns to a table's by name, the same case first, then any case.

mod adapt;
mod binary;
mod columns;
mod csv;
mod json;
mod serde;
#[cfg(test)]
mod tests;
mod xml;

use std::fmt;
use std::io::{Cursor, Read};

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, SchemaRef};

pub use self::adapt::ByName;
pub use self::csv::CsvOptions;
pub use self::serde::Serde;
pub use self::xml::XmlOptions;
use crate::compress::Compression;
use crate::error::{LakeError, Result};
use crate::infer::{Choices, Node};
use crate::input::Input;

/// The format of a file, with what has to be known to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFormat {
    /// Delimited text.
    Csv(CsvOptions),
    /// JSON objects in any layout.
    Json,
    /// XML with a repeating element.
    Xml(XmlOptions),
    /// Apache Parquet.
    Parquet,
    /// Apache Avro object container files.
    Avro,
    /// Apache ORC.
    Orc,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.classification())
    }
}

/// The decompressed beginning of a file.
pub struct Head<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether they are the whole file.
    pub complete: bool,
    /// The file's name: a hint, never the judge.
    pub name: &'a str,
}

/// How far inference goes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Decompressed bytes of records that are looked at in each file.
    pub bytes: u64,
}

impl Default for Limits {
    /// 64 MiB of every file, where Glue looks at one.
    fn default() -> Self {
        Limits { bytes: 64 << 20 }
    }
}

/// What was inferred from one file.
#[derive(Debug, Clone)]
pub struct Inference {
    /// The columns, by the names that the file gives them.
    pub fields: Fields,
    /// How many records were seen; all of them where `complete`.
    pub rows: u64,
    /// How many decompressed bytes of records were seen.
    pub bytes: u64,
    /// Whether the whole file was looked at.
    pub complete: bool,
    /// What was seen in each column, for text formats.
    pub node: Option<Node>,
}

/// A file that was examined.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Its format.
    pub format: FileFormat,
    /// How it is compressed as a whole.
    pub compression: Compression,
    /// How sure the format is, from 0 to 1.
    pub certainty: f32,
    /// Why it is that format.
    pub reason: String,
    /// Its schema.
    pub inference: Inference,
}

/// How much of a file's beginning formats are told by.
const HEAD: usize = 1 << 20;

/// Tells a file's format, compression and schema. Blocks: see [`Input`].
///
/// # Errors
/// When the file cannot be read, is in no known format, or its contents break its format's rules.
pub fn examine(input: &Input, limits: &Limits) -> Result<Examined> {
    let mut contents = input.contents()?;
    let compression = contents.compression;
    let mut head = Vec::new();
    contents
        .reader
        .by_ref()
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(|e| input.unreadable(&e))?;
    let complete = head.len() < HEAD;
    let unknown = |reason: &str| LakeError::UnknownFormat {
        file: input.url.clone(),
        reason: reason.to_owned(),
    };
    let no_records = || LakeError::NoRecords {
        file: input.url.clone(),
    };
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(no_records());
    }
    let (mut format, certainty, mut reason) = {
        let name = input.url.rsplit('/').next().unwrap_or_default();
        let head = Head {
            bytes: &head,
            complete,
            name,
        };
        sniff(&head).ok_or_else(|| unknown(&describe(&head)))?
    };
    let rest = Cursor::new(head).chain(contents.reader);
    let file = &input.url;
    let inference = match &mut format {
        FileFormat::Csv(options) => {
            let again = || Ok(input.contents()?.reader);
            csv::infer(file, rest, again, options, limits, &mut reason)?
        }
        FileFormat::Json => json::infer(file, rest, limits, Choices::default())?,
        FileFormat::Xml(options) => {
            json::infer(file, xml::AsJson::new(rest, options), limits, XML)?
        }
        FileFormat::Avro => binary::infer_avro(file, rest)?,
        FileFormat::Parquet => binary::infer_parquet(input, compression)?,
        FileFormat::Orc => binary::infer_orc(input, compression)?,
    };
    if inference.fields.is_empty() {
        return Err(no_records());
    }
    Ok(Examined {
        format,
        compression,
        certainty,
        reason,
        inference,
    })
}

const XML: Choices = Choices {
    single_is_array: true,
    date_order: None,
};

/// Asks every format, in Glue's order; the first that is certain wins, else the most certain.
fn sniff(head: &Head<'_>) -> Option<(FileFormat, f32, String)> {
    let magic =
        |format, name: &str| Some((format, 1.0, format!("the file begins with {name}'s magic")));
    if head.bytes.starts_with(b"Obj\x01") {
        return magic(FileFormat::Avro, "Avro");
    }
    if head.bytes.starts_with(b"ORC") && !head.bytes.get(3..16).is_some_and(is_text) {
        return magic(FileFormat::Orc, "ORC");
    }
    if head.bytes.starts_with(b"PAR1") {
        return magic(FileFormat::Parquet, "Parquet");
    }
    if let Some((certainty, reason)) = json::sniff(head) {
        return Some((FileFormat::Json, certainty, reason));
    }
    if let Some((options, certainty, reason)) = xml::sniff(head) {
        return Some((FileFormat::Xml(options), certainty, reason));
    }
    csv::sniff(head)
        .map(|(options, certainty, reason)| (FileFormat::Csv(options), certainty, reason))
}

fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|b| (32..127).contains(b) || matches!(b, b'\n' | b'\r' | b'\t'))
}

fn describe(head: &Head<'_>) -> String {
    match std::str::from_utf8(head.bytes) {
        Err(e) if e.error_len().is_some() => "it is binary, or text that is not UTF-8".into(),
        _ if head.bytes.contains(&0) => "it is binary".into(),
        _ => match csv::problem(head) {
            Some(problem) => format!("it is text, but no table ({problem}), JSON or XML"),
            None => "it is text, but no table, JSON or XML".into(),
        },
    }
}

/// What a decoder is to make of a file.
#[derive(Debug, Clone)]
pub struct Decode {
    /// The file's name in messages.
    pub file: String,
    /// All columns of the table that are kept in files.
    pub schema: SchemaRef,
    /// Which of them are wanted, in this order.
    pub projection: Vec<usize>,
    /// How many rows a batch has at most.
    pub batch_size: usize,
}

/// The batches of a file.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Decodes a file. Blocks: see [`Input`].
///
/// # Errors
/// When the file cannot be read or a column can never be read as its table's type; bad records
/// are errors of the iterator.
pub fn decode(input: &Input, format: &FileFormat, decode: &Decode) -> Result<Batches> {
    Ok(match format {
        FileFormat::Csv(options) => Box::new(csv::Decoder::new(
            input.contents()?.reader,
            options,
            decode,
        )?),
        FileFormat::Json => Box::new(json::Decoder::new(input.contents()?.reader, decode, false)?),
        FileFormat::Xml(options) => {
            let json = xml::AsJson::new(input.contents()?.reader, options);
            Box::new(json::Decoder::new(json, decode, true)?)
        }
        FileFormat::Avro => binary::decode_avro(input, decode)?,
        FileFormat::Orc => binary::decode_orc(input, decode)?,
        FileFormat::Parquet => binary::decode_parquet(input, decode)?,
    })
}
