//! What a person says of files that are read without a catalog: their format's options, and which of them.
//!
//! The options are Glue's ("Data format options for inputs and outputs" and "Connection types and options for
//! ETL: Amazon S3", AWS Glue developer guide), and a few that Glue lacks. What is given wins over what a
//! file seems to be; what is not given is found out from the file as ever.

mod apply;
mod schema;
#[cfg(test)]
mod tests;

use arrow::datatypes::Fields;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

pub use self::apply::examine_with;
use super::{GrokOptions, JsonPath, grok};
use crate::error::{LakeError, Result};
use crate::list::Exclusions;
use crate::option::{boolean, byte_or_none, bytes, instead, instead_or, one_byte, texts};

/// A format that options can be given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    Json,
    Xml,
    Grok,
    Parquet,
    Avro,
    Orc,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Csv => "csv",
            Kind::Json => "json",
            Kind::Xml => "xml",
            Kind::Grok => "grokLog",
            Kind::Parquet => "parquet",
            Kind::Avro => "avro",
            Kind::Orc => "orc",
        }
    }
}

const FORMATS: &[&str] = &["csv", "json", "xml", "parquet", "avro", "orc", "grokLog"];

/// What is said of a CSV's dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct CsvGiven {
    delimiter: Option<u8>,
    /// Whether there are quotes, and which.
    quote: Option<Option<u8>>,
    escape: Option<Option<u8>>,
    header: Option<bool>,
    names: Vec<String>,
    skip: Option<u64>,
    skip_first: bool,
    comment: Option<Option<u8>>,
    nulls: Vec<String>,
    encoding: Option<String>,
}

/// What is said of XML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct XmlGiven {
    row_tag: Option<String>,
    attribute_prefix: Option<String>,
    value_tag: Option<String>,
    exclude_attributes: Option<bool>,
    empty_is_null: Option<bool>,
    trim: Option<bool>,
    null: Option<String>,
    encoding: Option<String>,
}

/// What is said of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct GrokGiven {
    known: Option<GrokOptions>,
    pattern: Option<String>,
    custom_patterns: String,
    missing: Option<String>,
    strict: Option<bool>,
}

/// What is said of files that are to be read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    kind: Option<Kind>,
    exclusions: Vec<String>,
    recurse: Option<bool>,
    compression: Option<String>,
    schema: Option<Fields>,
    csv: CsvGiven,
    json: Option<JsonPath>,
    xml: XmlGiven,
    grok: GrokGiven,
}

/// An option: its name, other names for it, and the formats that have it; none for all of them.
type Known = (&'static str, &'static [&'static str], &'static [Kind]);

const OPTIONS: &[Known] = {
    use Kind::{Avro, Csv, Grok, Json, Xml};
    &[
        ("exclusions", &[], &[]),
        ("recurse", &[], &[]),
        ("compressionType", &["compression"], &[]),
        ("groupFiles", &[], &[]),
        ("groupSize", &[], &[]),
        ("schema", &[], &[Csv, Json, Xml, Grok]),
        ("separator", &["delimiter", "sep"], &[Csv]),
        ("quoteChar", &["quote"], &[Csv]),
        ("escaper", &["escape"], &[Csv]),
        ("withHeader", &["header"], &[Csv]),
        ("names", &["columns"], &[Csv]),
        ("skipFirst", &[], &[Csv]),
        ("skip", &[], &[Csv]),
        ("comment", &[], &[Csv]),
        ("nulls", &["null", "nullValue"], &[Csv, Xml]),
        ("encoding", &["charset"], &[Csv, Xml]),
        ("multiLine", &["multiline"], &[Csv, Json]),
        ("jsonPath", &[], &[Json]),
        ("rowTag", &["row_tag"], &[Xml]),
        ("attributePrefix", &["attribute_prefix"], &[Xml]),
        ("valueTag", &["value_tag"], &[Xml]),
        ("excludeAttribute", &[], &[Xml]),
        ("treatEmptyValuesAsNulls", &[], &[Xml]),
        ("ignoreSurroundingSpaces", &[], &[Xml]),
        ("withSchema", &[], &[Xml]),
        ("logFormat", &[], &[Grok]),
        ("customPatterns", &[], &[Grok]),
        ("MISSING", &["missing"], &[Grok]),
        ("LineCount", &[], &[Grok]),
        ("StrictMode", &["strictMode"], &[Grok]),
        ("version", &[], &[Avro]),
    ]
};

/// Several texts as the value of one option, which [`ReadOptions::set`] takes apart again.
pub fn option_list<S: AsRef<str>>(values: &[S]) -> String {
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    serde_json::Value::from(values).to_string()
}

fn bad<T>(message: impl Into<String>) -> Result<T> {
    Err(LakeError::Option(message.into()))
}

impl ReadOptions {
    /// Files of a format, where that is given, and nothing else said of them. Formats go by their names in
    /// Glue and in catalogs: `csv`, `json`, `xml`, `parquet`, `avro`, `orc`, `grokLog`, and the logs that
    /// are known by name.
    ///
    /// # Errors
    /// When there is no such format.
    pub fn new(format: Option<&str>) -> Result<Self> {
        let mut options = ReadOptions::default();
        let Some(name) = format else {
            return Ok(options);
        };
        let lower = name.trim().to_lowercase();
        options.grok.known = grok::known(&lower);
        options.kind = Some(match lower.as_str() {
            "csv" => Kind::Csv,
            "json" | "jsonl" | "ndjson" => Kind::Json,
            "xml" => Kind::Xml,
            "groklog" | "grok" => Kind::Grok,
            "parquet" | "glueparquet" => Kind::Parquet,
            "avro" => Kind::Avro,
            "orc" => Kind::Orc,
            _ if options.grok.known.is_some() => Kind::Grok,
            _ => {
                return bad(format!(
                    "there is no format '{name}'{}",
                    instead(&lower, FORMATS)
                ));
            }
        });
        Ok(options)
    }

    /// The options of a source, by name and value.
    ///
    /// Every format: `exclusions` (glob patterns), `recurse`, `compressionType`; `groupFiles` and `groupSize`
    /// are taken and change nothing, since small files are read many at a time in any case. Text:
    /// `schema` (`a bigint, b string`). CSV: `separator`, `quoteChar` (-1 for none), `escaper`, `withHeader`
    /// (or the columns' names, as `names`), `skipFirst`, `skip` (lines), `comment`, `nulls`, `encoding`.
    /// JSON: `jsonPath`. Both: `multiLine`, which changes nothing, since records may go over lines in any
    /// case. XML: `rowTag`, `attributePrefix`, `valueTag`, `excludeAttribute`, `treatEmptyValuesAsNulls`,
    /// `ignoreSurroundingSpaces`, `nullValue`, `encoding`. grokLog: `logFormat`, `customPatterns`,
    /// `MISSING`. Avro: `version`. `delimiter`, `quote`, `escape` and `header` are other names of CSV's.
    ///
    /// # Errors
    /// When a name or a value is none that the format has, with the closest one that it has.
    pub fn parse<'a>(
        format: Option<&str>,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let mut parsed = ReadOptions::new(format)?;
        for (name, value) in options {
            parsed.set(name, value)?;
        }
        parsed.check()?;
        Ok(parsed)
    }

    /// The classification that files have to be of, where a format is given.
    pub fn expected(&self) -> Option<&str> {
        let kind = self.kind?;
        Some(match (&self.grok.known, kind) {
            (Some(known), Kind::Grok) => known.classification.as_str(),
            (None, Kind::Grok) => apply::GROK,
            _ => kind.name(),
        })
    }

    /// Which files are left out, as keys below a place with this URL: Glue's patterns may be relative to it, or
    /// begin with it.
    ///
    /// # Errors
    /// When a pattern breaks the grammar of [`Exclusions`].
    pub fn exclusions(&self, url: &str) -> Result<Exclusions> {
        let own = self.exclusions.iter();
        let relative = own.map(|p| p.strip_prefix(url).unwrap_or(p));
        Ok(Exclusions::new(relative)?)
    }

    /// Whether it is said what all the columns are: what else is in the files is passed over.
    pub fn names_columns(&self) -> bool {
        self.schema.is_some()
    }

    /// Whether folders below the place are looked into: they are, unless `recurse` is false.
    pub fn recurses(&self) -> bool {
        self.recurse.unwrap_or(true)
    }

    /// The option's own name, by that or another one.
    fn canonical(&self, name: &str) -> Result<&'static str> {
        let has =
            |kinds: &[Kind]| kinds.is_empty() || self.kind.is_some_and(|k| kinds.contains(&k));
        let found = OPTIONS
            .iter()
            .find(|(own, aliases, _)| *own == name || aliases.contains(&name));
        match (found, self.kind) {
            (Some((own, _, kinds)), _) if has(kinds) => Ok(own),
            (Some((_, _, kinds)), kind) => {
                let owners: Vec<&str> = kinds.iter().map(|k| k.name()).collect();
                let owners = owners.join(" and ");
                bad(match kind {
                    None => format!(
                        "'{name}' is an option of {owners}, and the source's format is not given; write format: {}",
                        kinds.first().map_or("csv", |k| k.name())
                    ),
                    Some(kind) => format!(
                        "'{name}' is an option of {owners}, and this source is {}",
                        kind.name()
                    ),
                })
            }
            (None, kind) => {
                let of_format = OPTIONS.iter().filter(|(_, _, kinds)| has(kinds));
                let own: Vec<&str> = of_format.clone().map(|(own, ..)| *own).collect();
                let aliases: Vec<&str> = of_format.flat_map(|o| o.1).copied().collect();
                let source = kind.map_or("a source of files", Kind::name);
                bad(format!(
                    "{source} has no option '{name}'{}",
                    instead_or(name, &own, &aliases)
                ))
            }
        }
    }

    /// Sets one option by its name, as [`ReadOptions::parse`] does. [`ReadOptions::check`] is for when all
    /// are set.
    ///
    /// # Errors
    /// When the format has no such option, or the option no such value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let xml = self.kind == Some(Kind::Xml);
        match self.canonical(name)? {
            "exclusions" => {
                self.exclusions = texts(name, value)?;
                self.exclusions("")?;
            }
            "recurse" => self.recurse = Some(boolean(name, value)?),
            "compressionType" => self.compression = Some(compression(name, value)?),
            "groupFiles" => one_of(name, value, &["none", "inPartition", "acrossPartitions"])?,
            "groupSize" => {
                bytes(name, value)?;
            }
            "schema" => self.schema = Some(schema::parse(name, value)?),
            "separator" => self.csv.delimiter = Some(one_byte(name, value)?),
            "quoteChar" => self.csv.quote = Some(byte_or_none(name, value)?),
            "escaper" => self.csv.escape = Some(byte_or_none(name, value)?),
            "withHeader" if value.trim_start().starts_with('[') => self.name(name, value)?,
            "withHeader" => self.csv.header = Some(boolean(name, value)?),
            "names" => self.name(name, value)?,
            "skipFirst" => self.csv.skip_first = boolean(name, value)?,
            "skip" => {
                let lines = value.trim().parse().map_err(|_| {
                    LakeError::Option(format!("{name} is a number of lines, not '{value}'"))
                })?;
                self.csv.skip = Some(lines);
            }
            "comment" => self.csv.comment = Some(byte_or_none(name, value)?),
            "nulls" if xml => self.xml.null = Some(value.to_owned()),
            "nulls" => self.csv.nulls = texts(name, value)?,
            "encoding" if xml => self.xml.encoding = encoding(name, value)?,
            "encoding" => self.csv.encoding = encoding(name, value)?,
            "multiLine" => {
                boolean(name, value)?;
            }
            "jsonPath" => {
                let path = JsonPath::parse(value).map_err(|e| LakeError::Option(e.to_string()))?;
                self.json = Some(path);
            }
            "rowTag" => self.xml.row_tag = Some(filled(name, value)?),
            "attributePrefix" => self.xml.attribute_prefix = Some(value.to_owned()),
            "valueTag" => self.xml.value_tag = Some(filled(name, value)?),
            "excludeAttribute" => self.xml.exclude_attributes = Some(boolean(name, value)?),
            "treatEmptyValuesAsNulls" => self.xml.empty_is_null = Some(boolean(name, value)?),
            "ignoreSurroundingSpaces" => self.xml.trim = Some(boolean(name, value)?),
            "withSchema" => {
                return bad(format!(
                    "{name} takes a schema in Glue's JSON, which is not read; write it as schema: 'a bigint, b array<string>'"
                ));
            }
            "logFormat" => self.grok.pattern = Some(filled(name, value)?),
            "customPatterns" => value.clone_into(&mut self.grok.custom_patterns),
            "MISSING" => self.grok.missing = Some(value.to_owned()),
            "LineCount" => one_of(name, value, &["1"])?,
            "StrictMode" => self.grok.strict = Some(boolean(name, value)?),
            // What is left is Avro's version, which its files tell themselves.
            _ => one_of(name, value, &["1.7", "1.8"])?,
        }
        Ok(())
    }

    fn name(&mut self, option: &str, value: &str) -> Result<()> {
        let names = match value.trim_start().starts_with('[') {
            true => texts(option, value)?,
            false => value.split(',').map(|n| n.trim().to_owned()).collect(),
        };
        if names.iter().any(|n| n.trim().is_empty()) {
            return bad(format!("{option} names a column by nothing: {value}"));
        }
        self.csv.names = names;
        Ok(())
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(&self) -> Result<()> {
        let csv = &self.csv;
        if csv.delimiter.is_some() && csv.quote.flatten() == csv.delimiter {
            return bad("the separator and the quote are the same character");
        }
        if csv.skip_first && csv.header == Some(true) {
            return bad(
                "skipFirst skips the first line, which withHeader takes the columns' names from; give one of them, or skip for lines before the header",
            );
        }
        if csv.skip_first && csv.skip.is_some() {
            return bad("skipFirst and skip both say how many lines come first; give one of them");
        }
        if self.xml.attribute_prefix.as_deref() == Some("") {
            return bad(
                "attributePrefix is empty, so that attributes could not be told from elements",
            );
        }
        if self.kind == Some(Kind::Grok) {
            return self.check_grok();
        }
        Ok(())
    }

    fn check_grok(&self) -> Result<()> {
        match self.grok_options() {
            None => bad(
                "a grokLog is read by its logFormat, a grok pattern such as '%{COMMONAPACHELOG}'; give one, or a format that is known by name, such as apache",
            ),
            Some(options) => options
                .check()
                .map_err(|e| LakeError::Option(format!("logFormat cannot be used: {e}"))),
        }
    }
}

fn filled(name: &str, value: &str) -> Result<String> {
    match value.trim() {
        "" => bad(format!("{name} is empty")),
        text => Ok(text.to_owned()),
    }
}

fn one_of(name: &str, value: &str, known: &[&str]) -> Result<()> {
    if known.iter().any(|k| k.eq_ignore_ascii_case(value.trim())) {
        return Ok(());
    }
    bad(match known {
        [one] => format!("{name} can only be {one}, not '{value}'"),
        _ => format!("{name} is one of {}, not '{value}'", known.join(", ")),
    })
}

/// A compression by the name that [`crate::compress::Compression`] shows.
fn compression(name: &str, value: &str) -> Result<String> {
    const KNOWN: &[&str] = &[
        "none", "gzip", "bzip2", "xz", "zstd", "snappy", "lz4", "zip",
    ];
    let lower = value.trim().to_lowercase();
    let own = match lower.as_str() {
        "gz" => "gzip",
        "bz2" | "bzip" => "bzip2",
        "zst" => "zstd",
        "uncompressed" => "none",
        other => other,
    };
    match KNOWN.contains(&own) {
        true => Ok(own.to_owned()),
        false => bad(format!(
            "{name} is '{value}', which is no compression that is read{}",
            instead(own, KNOWN)
        )),
    }
}

/// An encoding by its name in the WHATWG's list; none for UTF-8, which is what text is anyway.
fn encoding(name: &str, value: &str) -> Result<Option<String>> {
    let Some(found) = Encoding::for_label(value.trim().as_bytes()) else {
        return bad(format!(
            "{name} is '{value}', which is no encoding; there are UTF-8, ISO-8859-1, windows-1252, Shift_JIS and the others of the WHATWG's list"
        ));
    };
    // UTF-16 is told by each file itself.
    let plain = found == UTF_8 || found == UTF_16LE || found == UTF_16BE;
    Ok((!plain).then(|| found.name().to_owned()))
}
