//! Every file format: recognised by its bytes, its schema inferred, its records decoded.
//!
//! A file is opened once to be examined ([`examine`]): its first bytes tell the compression and,
//! decompressed, the format; what follows tells the schema. Decoding ([`decode`]) binds a file's
//! columns to a table's by name, the same case first, then any case.

mod adapt;
mod avro_gate;
mod avro_skip;
mod binary;
mod choice;
mod classifier;
mod columns;
mod csv;
mod frame;
mod grok;
mod guard;
mod json;
mod known;
mod predicate;
mod read;
mod serde;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_frame;
#[cfg(test)]
mod tests_hostile;
#[cfg(test)]
mod tests_odd;
mod text;
mod threads;
mod xml;

use std::fmt;
use std::io::{Cursor, Read};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;

pub use self::adapt::{ByName, ByNameInFrame};
pub use self::classifier::{Classifier, ClassifierError, HeaderPresence, character};
pub(crate) use self::columns::is_code;
pub use self::csv::CsvOptions;
pub use self::frame::{AsFrame, BadRecord, BadRecords, Odd};
pub use self::grok::{GrokError, GrokOptions};
pub use self::json::{JsonOptions, JsonPath, JsonPathError};
pub use self::known::{choice_fields_of, examine_as};
pub use self::read::{ReadOptions, examine_with, option_list};
pub use self::serde::Serde;
use self::threads::Threads;
pub use self::xml::XmlOptions;
use crate::compress::{Compression, Metered};
use crate::error::{LakeError, Result};
use crate::infer::{Choices, Node, Typing};
use crate::input::Input;

/// The format of a file, with what has to be known to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFormat {
    /// Delimited text.
    Csv(CsvOptions),
    /// JSON objects in any layout.
    Json(JsonOptions),
    /// Lines of a log that a grok pattern matches.
    Grok(GrokOptions),
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

impl Limits {
    /// Every record of every file.
    pub const EVERYTHING: Limits = Limits { bytes: u64::MAX };
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
    /// The columns as a dynamic frame has them, where that is otherwise: see [`Self::choice_fields`].
    pub choices: Option<Fields>,
}

impl Inference {
    /// The columns as a dynamic frame has them: where the values of one disagree it is a choice
    /// ([`mastic_schema::choice`]), and not the type that holds them all.
    pub fn choice_fields(&self) -> &Fields {
        self.choices.as_ref().unwrap_or(&self.fields)
    }
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
    /// The classifier that said so: a custom one's name, or a built-in one's classification.
    pub classifier: String,
    /// Every classifier that was asked, in their order, the one that said so among them.
    pub considered: Vec<Considered>,
    /// Its schema.
    pub inference: Inference,
}

/// What a classifier made of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Considered {
    /// Its name.
    pub classifier: String,
    /// How sure it was, from 0 to 1.
    pub certainty: f32,
    /// Why.
    pub reason: String,
}

/// How much of a file's beginning formats are told by.
const HEAD: usize = 1 << 20;

/// Tells a file's format, compression and schema. Blocks: see [`Input`].
///
/// Custom classifiers are asked first, in their order, and then the built-in ones in Glue's; the first that
/// is certain wins, else the most certain ("Adding classifiers to a crawler", AWS Glue developer guide).
///
/// # Errors
/// When the file cannot be read, is in no known format, is a decompression bomb, or its contents break its
/// format's rules; when a custom classifier cannot be used.
pub fn examine(input: &Input, limits: &Limits, classifiers: &[Classifier]) -> Result<Examined> {
    examine_custom(input, limits, classifiers, false)
}

/// As [`examine`], for a dynamic frame: records that cannot be read, which it will set aside, are passed over.
///
/// # Errors
/// As [`examine`], but for bad records behind which the next one can be found.
pub fn examine_frame(
    input: &Input,
    limits: &Limits,
    classifiers: &[Classifier],
) -> Result<Examined> {
    examine_custom(input, limits, classifiers, true)
}

fn examine_custom(
    input: &Input,
    limits: &Limits,
    classifiers: &[Classifier],
    lenient: bool,
) -> Result<Examined> {
    let mut custom = None;
    let mut examined = examine_by(input, limits, lenient, |raw, text| {
        let found = classify(raw, text, classifiers)?;
        custom = found.chosen.as_ref().and_then(|chosen| chosen.custom);
        Ok(found)
    })?;
    if let Some(custom) = custom.and_then(|at| classifiers.get(at)) {
        custom.describe(&mut examined.inference);
    }
    Ok(examined)
}

/// Tells what a file holds, its format as `classify` says; where `lenient`, records that cannot be read are
/// passed over.
fn examine_by(
    input: &Input,
    limits: &Limits,
    lenient: bool,
    classify: impl FnOnce(&Head<'_>, &Head<'_>) -> Result<Found>,
) -> Result<Examined> {
    let mut contents = input.contents()?;
    let compression = contents.compression;
    let mut meter = None;
    if compression != Compression::None {
        let (metered, own) = Metered::new(contents.reader, contents.taken.clone());
        contents.reader = Box::new(metered);
        meter = Some(own);
    }
    let mut raw = Vec::new();
    contents
        .reader
        .by_ref()
        .take(HEAD as u64)
        .read_to_end(&mut raw)
        .map_err(|e| input.unreadable(&e))?;
    let complete = raw.len() < HEAD;
    let name = input.url.rsplit('/').next().unwrap_or_default();
    let no_records = || LakeError::NoRecords {
        file: input.url.clone(),
    };
    let utf8 = text::head_as_utf8(&raw);
    let found = {
        let head = |bytes| Head {
            bytes,
            complete,
            name,
        };
        let (raw, text) = (head(&raw), head(utf8.as_deref().unwrap_or(&raw)));
        let text_begins = text.bytes.strip_prefix(b"\xef\xbb\xbf");
        if text_begins
            .unwrap_or(text.bytes)
            .iter()
            .all(u8::is_ascii_whitespace)
        {
            return Err(no_records());
        }
        classify(&raw, &text)?
    };
    let Some(mut chosen) = found.chosen else {
        return Err(LakeError::UnknownFormat {
            file: input.url.clone(),
            reason: found.unknown,
        });
    };
    let rest: Box<dyn Read + Send> = Box::new(Cursor::new(raw).chain(contents.reader));
    let inference = guard::guarded(&input.url, || {
        infer(input, rest, compression, limits, lenient, &mut chosen)
    });
    let inference = match (inference, &meter) {
        // Whatever went wrong with a bomb's contents, it is a bomb.
        (Err(error), Some(meter)) => {
            meter.check().map_err(|e| input.unreadable(&e))?;
            return Err(error);
        }
        (inference, _) => inference?,
    };
    if let Some(meter) = &meter {
        meter.check().map_err(|e| input.unreadable(&e))?;
    }
    if inference.fields.is_empty() {
        return Err(no_records());
    }
    Ok(Examined {
        format: chosen.format,
        compression,
        certainty: chosen.certainty,
        reason: chosen.reason,
        classifier: chosen.classifier,
        considered: found.considered,
        inference,
    })
}

const XML: Choices = Choices {
    single_is_array: true,
    date_order: None,
};

/// The format that was chosen.
struct Chosen {
    format: FileFormat,
    certainty: f32,
    reason: String,
    classifier: String,
    /// The number of the custom classifier.
    custom: Option<usize>,
}

/// What came of asking the classifiers.
struct Found {
    chosen: Option<Chosen>,
    considered: Vec<Considered>,
    /// The best reason why it is none, where it is none.
    unknown: String,
}

impl Found {
    /// Takes up what a classifier says; whether it is certain.
    fn hear(&mut self, said: Chosen) -> bool {
        self.considered.push(Considered {
            classifier: said.classifier.clone(),
            certainty: said.certainty,
            reason: said.reason.clone(),
        });
        let certain = said.certainty >= 1.0;
        if self
            .chosen
            .as_ref()
            .is_none_or(|best| said.certainty > best.certainty)
        {
            self.chosen = Some(said);
        }
        certain
    }

    fn refuse(&mut self, classifier: &str, reason: impl Into<String>) {
        self.considered.push(Considered {
            classifier: classifier.to_owned(),
            certainty: 0.0,
            reason: reason.into(),
        });
    }
}

fn classify(raw: &Head<'_>, text: &Head<'_>, classifiers: &[Classifier]) -> Result<Found> {
    let mut found = Found {
        chosen: None,
        considered: Vec::new(),
        unknown: String::new(),
    };
    for (at, classifier) in classifiers.iter().enumerate() {
        let verdict = classifier.classify(raw, text)?;
        let Some(format) = verdict.format else {
            found.refuse(classifier.name(), verdict.reason);
            continue;
        };
        let certain = found.hear(Chosen {
            format,
            certainty: verdict.certainty,
            reason: verdict.reason,
            classifier: classifier.name().to_owned(),
            custom: Some(at),
        });
        if certain {
            return Ok(found);
        }
    }
    built_in(raw, text, &mut found);
    Ok(found)
}

/// Asks every built-in format, in Glue's order, until one is certain.
fn built_in(raw: &Head<'_>, text: &Head<'_>, found: &mut Found) {
    let said = |format: FileFormat, certainty, reason| Chosen {
        classifier: format.classification().to_owned(),
        format,
        certainty,
        reason,
        custom: None,
    };
    let magic = if raw.bytes.starts_with(b"Obj\x01") {
        Some((FileFormat::Avro, "Avro"))
    } else if raw.bytes.starts_with(b"ORC") && !raw.bytes.get(3..16).is_some_and(is_text) {
        Some((FileFormat::Orc, "ORC"))
    } else if raw.bytes.starts_with(b"PAR1") {
        Some((FileFormat::Parquet, "Parquet"))
    } else {
        None
    };
    if let Some((format, name)) = magic {
        let reason = format!("the file begins with {name}'s magic");
        found.hear(said(format, 1.0, reason));
        return;
    }
    if let Some((options, certainty, reason)) = json::sniff(text) {
        if found.hear(said(FileFormat::Json(options), certainty, reason)) {
            return;
        }
    } else if let Some(problem) = json::problem(text) {
        // It is JSON, and so nothing else.
        found.refuse("json", problem.as_str());
        found.unknown = problem;
        return;
    } else {
        found.refuse("json", "the text is no JSON");
    }
    match xml::sniff(text) {
        Some((options, certainty, reason)) => {
            if found.hear(said(FileFormat::Xml(options), certainty, reason)) {
                return;
            }
        }
        None => found.refuse("xml", "the text is no XML"),
    }
    match grok::sniff(text) {
        Some((options, certainty, reason)) => {
            if found.hear(said(FileFormat::Grok(options), certainty, reason)) {
                return;
            }
        }
        None => found.refuse("logs", "the lines are of no log format that is known"),
    }
    match csv::sniff(raw) {
        Some((options, certainty, reason)) => {
            found.hear(said(FileFormat::Csv(options), certainty, reason));
        }
        None => {
            found.unknown = describe(raw);
            let reason = found.unknown.clone();
            found.refuse("csv", reason);
        }
    }
}

fn infer(
    input: &Input,
    rest: Box<dyn Read + Send>,
    compression: Compression,
    limits: &Limits,
    lenient: bool,
    chosen: &mut Chosen,
) -> Result<Inference> {
    let file = &input.url;
    let text = |reader| text::utf8(reader).map_err(|e| input.unreadable(&e));
    match &mut chosen.format {
        FileFormat::Csv(options) => {
            let again = || Ok(input.contents()?.reader);
            csv::infer(
                file,
                rest,
                again,
                options,
                limits,
                lenient,
                &mut chosen.reason,
            )
        }
        FileFormat::Json(options) => {
            let watch = json::Watch {
                limits,
                choices: Choices::default(),
                typing: Typing::Values,
                lenient,
            };
            json::infer(file, text(rest)?, options, &watch)
        }
        FileFormat::Xml(options) => {
            let utf8 = text::utf8_in(rest, options.encoding.as_deref());
            let utf8 = utf8.map_err(|e| input.unreadable(&e))?;
            let records = xml::Elements::new(utf8, options, lenient);
            let watch = json::Watch {
                limits,
                choices: XML,
                typing: Typing::Text,
                lenient,
            };
            json::infer_from(file, records, &mut JsonOptions::default(), &watch)
        }
        FileFormat::Grok(options) => {
            let (inference, mismatches) = grok::infer(file, text(rest)?, options, limits)?;
            if let Some(told) = mismatches.told() {
                chosen.reason.push_str(&told);
            }
            Ok(inference)
        }
        FileFormat::Avro => binary::infer_avro(file, rest),
        FileFormat::Parquet => binary::infer_parquet(input, compression),
        FileFormat::Orc => binary::infer_orc(input, compression),
    }
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
    /// How a dynamic frame reads; without it the file is read as a table.
    ///
    /// A table's columns take every value that has the column's type, text takes anything, null markers are
    /// nulls, and the first bad record is an error. A frame sets bad records aside; its columns of choices
    /// take each value as the alternative that it is; a value that its column does not hold as it was found is
    /// [`LakeError::Misfit`], a key that no column has [`LakeError::UnknownKey`], or the record is a bad one
    /// ([`AsFrame`]); and a null marker that is rare among its column's values is a value.
    pub frame: Option<AsFrame>,
    /// What a filter above will keep, over the wanted columns by their places in `projection`. CSV does not look at the
    /// other cells of rows that it will drop, which then hold anything; other formats decode all.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
}

/// The batches of a file.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Decodes a file. Blocks: see [`Input`].
///
/// # Errors
/// When the file cannot be read or a column can never be read as its table's type; bad records
/// are errors of the iterator.
pub fn decode(input: &Input, format: &FileFormat, decode: &Decode) -> Result<Batches> {
    decode_ahead(input, format, decode, 1)
}

/// Like [`decode()`], with the help of so many threads where the format lets a file be cut (CSV,
/// and JSON whose records begin lines); one is none beside the caller's. Batches come in the file's order all the same.
///
/// # Errors
/// As [`decode()`].
pub fn decode_ahead(
    input: &Input,
    format: &FileFormat,
    decode: &Decode,
    threads: usize,
) -> Result<Batches> {
    let decode = &decode.watching(input);
    let text = || text::utf8(input.contents()?.reader).map_err(|e| input.unreadable(&e));
    let threads = || (threads > 1).then(|| Threads::new(threads, input.handle().clone()));
    let open = || -> Result<Batches> {
        Ok(match format {
            FileFormat::Csv(options) => {
                let reader = input.contents()?.reader;
                Box::new(csv::Decoder::new(reader, options, decode, threads())?)
            }
            FileFormat::Json(options) => {
                let threads = threads();
                Box::new(json::ParallelDecoder::new(
                    text()?,
                    options,
                    decode,
                    threads,
                )?)
            }
            FileFormat::Xml(options) => {
                let utf8 = text::utf8_in(input.contents()?.reader, options.encoding.as_deref());
                let utf8 = utf8.map_err(|e| input.unreadable(&e))?;
                let records = xml::Elements::new(utf8, options, decode.frame.is_some());
                let layout = JsonOptions::default();
                Box::new(json::Decoder::new(records, &layout, decode, true)?)
            }
            FileFormat::Grok(options) => Box::new(grok::Decoder::new(text()?, options, decode)?),
            FileFormat::Avro => binary::decode_avro(input, decode)?,
            FileFormat::Orc => binary::decode_orc(input, decode)?,
            FileFormat::Parquet => binary::decode_parquet(input, decode)?,
        })
    };
    let batches = guard::guarded(&input.url, open)?;
    Ok(Box::new(guard::Guarded::new(&input.url, batches)))
}
