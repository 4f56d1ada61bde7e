//! What a sink's files look like: format, compression, and the format's own options.

mod compression;

use std::fmt;
use std::str::FromStr;

pub use self::compression::OutputCompression;
use crate::error::{LakeError, Result};
use crate::option::{boolean, byte_or_none, bytes, instead, instead_or, one_byte, positive};

/// The format of the files that a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// Apache Parquet, with the Arrow schema embedded so that what Parquet cannot say survives.
    Parquet,
    /// Comma-separated values, quoted as RFC 4180 has it.
    Csv,
    /// One JSON object a line.
    Json,
    /// Apache ORC.
    Orc,
    /// Apache Avro object container files, with logical types.
    Avro,
    /// XML, one element a record.
    Xml,
}

/// The formats' names, as messages list them.
const FORMATS: &[&str] = &["parquet", "csv", "json", "orc", "avro", "xml"];

impl OutputFormat {
    /// Its name, as scripts write it.
    pub fn name(self) -> &'static str {
        match self {
            OutputFormat::Parquet => "parquet",
            OutputFormat::Csv => "csv",
            OutputFormat::Json => "json",
            OutputFormat::Orc => "orc",
            OutputFormat::Avro => "avro",
            OutputFormat::Xml => "xml",
        }
    }

    /// Whether its files are text, which is compressed as a whole.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            OutputFormat::Csv | OutputFormat::Json | OutputFormat::Xml
        )
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OutputFormat {
    type Err = LakeError;

    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_lowercase().as_str() {
            // Glue's own faster Parquet writer is the same format under another name.
            "parquet" | "glueparquet" => Ok(OutputFormat::Parquet),
            "csv" => Ok(OutputFormat::Csv),
            "json" | "jsonl" | "ndjson" | "jsonlines" => Ok(OutputFormat::Json),
            "orc" => Ok(OutputFormat::Orc),
            "avro" => Ok(OutputFormat::Avro),
            "xml" => Ok(OutputFormat::Xml),
            known @ ("ion" | "hudi" | "iceberg" | "delta") => Err(LakeError::Option(format!(
                "writing {known} is not built yet; a sink writes {}",
                FORMATS.join(", ")
            ))),
            _ => Err(LakeError::Option(format!(
                "'{name}' is no format that a sink writes{}",
                instead(name, FORMATS)
            ))),
        }
    }
}

/// Format, compression and the format's own options of a sink's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format.
    pub format: OutputFormat,
    /// The compression.
    pub compression: OutputCompression,
    /// The compression's level, where it has levels; without one, its own usual level.
    pub compression_level: Option<u32>,
    /// A file ends when it is about this large, where that is not left to the sink.
    pub target_file_bytes: Option<u64>,
    /// A file ends when it has this many rows, where that is not left to the sink.
    pub target_file_rows: Option<usize>,
    /// Whether all rows go into one file, through one stream, however large it gets.
    pub single_file: bool,
    /// CSV: what stands between two fields.
    pub delimiter: u8,
    /// CSV: what stands around a field that holds a delimiter, a quote or a line's end. Without one,
    /// fields are never quoted (Glue's `quoteChar: -1`): a value that would have to be is written with
    /// `escape` before each such character, and without that, too, is an error.
    pub quote: Option<u8>,
    /// CSV: what stands before a quote within quotes, which is doubled otherwise.
    pub escape: Option<u8>,
    /// CSV: whether the first line names the columns.
    pub header: bool,
    /// CSV: how NULL is written. Empty by default, and then like an empty string. XML: the text of a
    /// NULL's element; there is no element by default.
    pub null: String,
    /// JSON: whether NULL is written as `null`; otherwise the field is left out.
    pub explicit_nulls: bool,
    /// Parquet: the most rows of a row group; ORC: of a stripe; at least 1.
    pub row_group_rows: usize,
    /// Parquet: the most bytes of a row group, as encoded; ORC: of a stripe; at least 1.
    pub row_group_bytes: usize,
    /// Parquet: about how many bytes a data page has before compression; at least 1.
    pub page_bytes: usize,
    /// XML: the names of its elements, and how it begins.
    pub xml: XmlOutput,
}

/// How XML is written. The options are spark-xml's, and so Glue's for reading; the elements' names are
/// `root` and `row` where spark-xml has `ROWS` and `ROW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlOutput {
    /// The element around all records.
    pub root_tag: String,
    /// The element that is a record.
    pub row_tag: String,
    /// What the names of fields begin with that are written as attributes, without it.
    pub attribute_prefix: String,
    /// The field that is written as its element's own text.
    pub value_tag: String,
    /// What stands in the XML declaration; nothing for none.
    pub declaration: String,
}

impl Default for XmlOutput {
    fn default() -> Self {
        XmlOutput {
            root_tag: "root".into(),
            row_tag: "row".into(),
            attribute_prefix: "_".into(),
            value_tag: "_VALUE".into(),
            declaration: "version=\"1.0\" encoding=\"UTF-8\"".into(),
        }
    }
}

/// An option: its name, Glue's or another customary name for it, and the formats that have it.
type Known = (
    &'static str,
    &'static [&'static str],
    &'static [OutputFormat],
);

const OPTIONS: &[Known] = {
    use OutputFormat::{Avro, Csv, Json, Orc, Parquet, Xml};
    const ALL: &[OutputFormat] = &[Parquet, Csv, Json, Orc, Avro, Xml];
    &[
        ("compression", &["codec", "compressionType"], ALL),
        ("compression_level", &[], ALL),
        ("target_file_size", &[], ALL),
        ("target_file_rows", &[], ALL),
        ("single_file", &[], ALL),
        ("delimiter", &["separator"], &[Csv]),
        ("quote", &["quoteChar"], &[Csv]),
        ("escape", &["escaper"], &[Csv]),
        ("header", &["writeHeader"], &[Csv]),
        ("null", &["nullValue"], &[Csv, Xml]),
        ("explicit_nulls", &[], &[Json]),
        ("row_group_rows", &[], &[Parquet, Orc]),
        ("row_group_bytes", &["blockSize"], &[Parquet, Orc]),
        ("page_bytes", &["pageSize"], &[Parquet]),
        ("version", &[], &[Avro]),
        ("root_tag", &["rootTag"], &[Xml]),
        ("row_tag", &["rowTag"], &[Xml]),
        ("attribute_prefix", &["attributePrefix"], &[Xml]),
        ("value_tag", &["valueTag"], &[Xml]),
        ("declaration", &[], &[Xml]),
    ]
};

impl OutputOptions {
    /// The defaults of a format: Parquet and ORC with zstd, Avro with snappy as Spark writes it, text
    /// uncompressed, CSV with a header.
    pub fn new(format: OutputFormat) -> Self {
        OutputOptions {
            format,
            compression: match format {
                OutputFormat::Parquet | OutputFormat::Orc => OutputCompression::Zstd,
                OutputFormat::Avro => OutputCompression::Snappy,
                OutputFormat::Csv | OutputFormat::Json | OutputFormat::Xml => {
                    OutputCompression::None
                }
            },
            compression_level: None,
            target_file_bytes: None,
            target_file_rows: None,
            single_file: false,
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            header: true,
            null: String::new(),
            explicit_nulls: false,
            row_group_rows: 1024 * 1024,
            row_group_bytes: 64 * 1024 * 1024,
            page_bytes: 1024 * 1024,
            xml: XmlOutput::default(),
        }
    }

    /// The options of a script's sink, by name and value. Every format has `compression`,
    /// `compression_level`, `target_file_size` (bytes, or `128MB`, `1GiB`), `target_file_rows` and
    /// `single_file`. CSV: `delimiter`, `quote` (-1 for none), `escape`, `header`, `null`. JSON:
    /// `explicit_nulls`. Parquet: `row_group_rows`, `row_group_bytes`, `page_bytes`. ORC: `row_group_rows`,
    /// `row_group_bytes`, which are its stripes'. Avro: `version`,
    /// which is 1.8. XML: `root_tag`, `row_tag`, `attribute_prefix`, `value_tag`, `null`,
    /// `declaration`. Glue's names of the same (`separator`, `quoteChar`, `escaper`, `writeHeader`,
    /// `blockSize`, `pageSize`, `rowTag` …) are taken too.
    ///
    /// # Errors
    /// When a name or a value is none that the format has, with the closest one that it has.
    pub fn parse<'a>(
        format: &str,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let mut parsed = OutputOptions::new(format.parse()?);
        for (name, value) in options {
            parsed.set(name, value)?;
        }
        parsed.check()?;
        Ok(parsed)
    }

    /// Sets one option by its name, as [`OutputOptions::parse`] does.
    ///
    /// # Errors
    /// When the format has no such option, or the option no such value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match self.canonical(name)? {
            // ORC's own name.
            "compression"
                if self.format == OutputFormat::Orc
                    && value.trim().eq_ignore_ascii_case("zlib") =>
            {
                self.compression = OutputCompression::Gzip;
            }
            "compression" => self.compression = value.parse()?,
            "compression_level" => {
                let level = value.trim().parse().map_err(|_| {
                    LakeError::Option(format!("{name} is a whole number, not '{value}'"))
                })?;
                self.compression_level = Some(level);
            }
            "target_file_size" => self.target_file_bytes = Some(bytes(name, value)?),
            "target_file_rows" => self.target_file_rows = Some(positive(name, value)?),
            "single_file" => self.single_file = boolean(name, value)?,
            "delimiter" => self.delimiter = one_byte(name, value)?,
            "quote" => self.quote = byte_or_none(name, value)?,
            "escape" => self.escape = byte_or_none(name, value)?,
            "header" => self.header = boolean(name, value)?,
            "null" => value.clone_into(&mut self.null),
            "explicit_nulls" => self.explicit_nulls = boolean(name, value)?,
            "row_group_rows" => self.row_group_rows = positive(name, value)?,
            "row_group_bytes" => self.row_group_bytes = size(name, value)?,
            "page_bytes" => self.page_bytes = size(name, value)?,
            "root_tag" => value.clone_into(&mut self.xml.root_tag),
            "row_tag" => value.clone_into(&mut self.xml.row_tag),
            "attribute_prefix" => value.clone_into(&mut self.xml.attribute_prefix),
            "value_tag" => value.clone_into(&mut self.xml.value_tag),
            "declaration" => self.xml.declaration = declaration(name, value)?,
            // What is left is Avro's version: Glue's 1.8 writes logical types, and its 1.7 does not.
            _ if value.trim() == "1.8" => {}
            _ => {
                return Err(LakeError::Option(format!(
                    "{name} is 1.8, which has logical types for dates, times and decimals, not '{value}'; for plain numbers, cast the columns"
                )));
            }
        }
        Ok(())
    }

    /// The option's own name, by that or Glue's.
    fn canonical(&self, name: &str) -> Result<&'static str> {
        let found = OPTIONS
            .iter()
            .find(|(own, aliases, _)| *own == name || aliases.contains(&name));
        let format = self.format;
        match found {
            Some((own, _, formats)) if formats.contains(&format) => Ok(own),
            Some((_, _, formats)) => {
                let owners: Vec<&str> = formats.iter().map(|f| f.name()).collect();
                Err(LakeError::Option(format!(
                    "'{name}' is an option of {}, and this sink writes {format}",
                    owners.join(" and ")
                )))
            }
            None => {
                let of_format = OPTIONS.iter().filter(|o| o.2.contains(&format));
                let own: Vec<&str> = of_format.clone().map(|(own, ..)| *own).collect();
                let aliases: Vec<&str> = of_format.flat_map(|o| o.1).copied().collect();
                Err(LakeError::Option(format!(
                    "{format} has no option '{name}'{}",
                    instead_or(name, &own, &aliases)
                )))
            }
        }
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// When the format cannot be compressed so, a CSV's marks are the same, or a name is none of XML.
    pub fn check(&self) -> Result<()> {
        if self.single_file && (self.target_file_bytes.is_some() || self.target_file_rows.is_some())
        {
            return Err(LakeError::Option(
                "a single_file has no target size; leave one of them out".to_owned(),
            ));
        }
        let checked = compression::check(self.format, self.compression, self.compression_level)
            .and_then(|()| match self.format {
                OutputFormat::Csv => self.check_csv(),
                OutputFormat::Xml => super::encode::check_xml_options(self),
                OutputFormat::Parquet | OutputFormat::Orc
                    if self.row_group_rows == 0
                        || self.row_group_bytes == 0
                        || self.page_bytes == 0 =>
                {
                    Err("a row group and a page hold at least one row and one byte".to_owned())
                }
                _ => Ok(()),
            });
        checked.map_err(LakeError::Option)
    }

    fn check_csv(&self) -> std::result::Result<(), String> {
        if Some(self.delimiter) == self.quote {
            return Err("the delimiter and the quote are the same character".to_owned());
        }
        match self.escape {
            Some(escape) if escape == self.delimiter => {
                Err("the delimiter and the escape are the same character".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// How the files' names end, without the leading dot: `parquet`, `orc`, `avro`, `csv`, `json.gz`.
    pub fn extension(&self) -> String {
        match self.format.is_text() {
            true => format!("{}{}", self.format, self.compression.ending()),
            false => self.format.to_string(),
        }
    }
}

/// A number of bytes that memory can have.
fn size(name: &str, value: &str) -> Result<usize> {
    usize::try_from(bytes(name, value)?)
        .map_err(|_| LakeError::Option(format!("{name} is more than there is memory: {value}")))
}

/// The content of an XML declaration, which goes where spark-xml puts it: between `<?xml ` and `?>`.
fn declaration(name: &str, value: &str) -> Result<String> {
    match value.trim() {
        "true" => return Ok(XmlOutput::default().declaration),
        "false" | "none" => return Ok(String::new()),
        _ => {}
    }
    let lower = value.to_ascii_lowercase();
    let encoding = lower.split_once("encoding").map(|(_, rest)| {
        rest.trim_start_matches([' ', '=', '"', '\''])
            .starts_with("utf-8")
    });
    let version = lower.trim().is_empty() || lower.trim_start().starts_with("version=");
    if version && encoding != Some(false) && !value.contains(['<', '>', '?', '\n', '\r']) {
        return Ok(value.trim().to_owned());
    }
    Err(LakeError::Option(format!(
        "{name} is true, false, or what stands in an XML declaration, such as version=\"1.0\" encoding=\"UTF-8\", which is the only encoding; not '{value}'"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(format: &str, options: &[(&str, &str)]) -> String {
        OutputOptions::parse(format, options.iter().copied())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn names_and_values_are_checked_with_what_was_meant() {
        assert_eq!(
            message("parqet", &[]),
            "'parqet' is no format that a sink writes; did you mean 'parquet'? there are parquet, csv, json, orc, avro, xml"
        );
        assert_eq!(
            message("ion", &[]),
            "writing ion is not built yet; a sink writes parquet, csv, json, orc, avro, xml"
        );
        assert_eq!(
            message("json", &[("explicit_null", "true")]),
            "json has no option 'explicit_null'; did you mean 'explicit_nulls'? there are compression, compression_level, target_file_size, target_file_rows, single_file, explicit_nulls"
        );
        assert_eq!(
            message("json", &[("header", "true")]),
            "'header' is an option of csv, and this sink writes json"
        );
        assert_eq!(
            message("parquet", &[("nullValue", "")]),
            "'nullValue' is an option of csv and xml, and this sink writes parquet"
        );
        assert_eq!(
            message("csv", &[("delimiter", "||")]),
            "delimiter is one ASCII character (or 'tab'), not '||'"
        );
        assert_eq!(
            message("parquet", &[("compression", "gzp")]),
            "'gzp' is no compression that a sink writes; did you mean 'gzip'? there are none, snappy, gzip, zstd, bzip2, xz, lz4, brotli"
        );
        assert_eq!(
            message("parquet", &[("compression", "bz2")]),
            "parquet has no bzip2 compression; it has none, snappy, gzip, zstd, lz4, brotli"
        );
        assert!(message("avro", &[("compression", "lz4")]).contains("avro has no lz4"));
        assert_eq!(
            message("orc", &[("compression", "bz2")]),
            "orc has no bzip2 compression; it has none, snappy, gzip, zstd, lz4"
        );
        // Only ORC calls it so.
        assert!(message("parquet", &[("compression", "zlib")]).contains("no compression"));
        assert_eq!(
            message("orc", &[("delimiter", ";")]),
            "'delimiter' is an option of csv, and this sink writes orc"
        );
        assert!(message("orc", &[("blockSize", "0")]).contains("blockSize"));
        let leveled = |compression, level| {
            let options = [("compression", compression), ("compression_level", level)];
            message("csv", &options)
        };
        assert_eq!(
            leveled("zstd", "20"),
            "compression_level is 20, and zstd has levels from 1 to 19"
        );
        assert!(leveled("snappy", "1").contains("snappy has no levels"));
        assert!(leveled("gzip", "best").contains("whole number"));
        assert!(message("avro", &[("version", "1.7")]).contains("version is 1.8"));
        assert!(message("xml", &[("rowTag", "a b")]).contains("row_tag is 'a b'"));
        assert!(message("xml", &[("rootTag", "row")]).contains("both 'row'"));
        assert!(message("xml", &[("attributePrefix", "")]).contains("prefix is empty"));
        assert!(message("xml", &[("nullValue", "\u{0}")]).contains("null holds"));
        for declaration in [
            "version='1.0' encoding='latin1'",
            "foo",
            "version='1.0'?><a",
        ] {
            let told = message("xml", &[("declaration", declaration)]);
            assert!(told.starts_with("declaration is true, false"), "{told}");
        }
        let single = [("single_file", "true"), ("target_file_rows", "5")];
        assert!(message("csv", &single).contains("no target size"));
        assert!(message("csv", &[("escape", ",")]).contains("the same"));
        assert!(message("parquet", &[("row_group_rows", "0")]).contains("from 1"));
        assert!(message("csv", &[("quote", ",")]).contains("the same"));
    }

    #[test]
    fn options_are_taken_under_glues_names_too() {
        let options = OutputOptions::parse(
            "CSV",
            [
                ("separator", "\\t"),
                ("writeHeader", "false"),
                ("null", "\\N"),
                ("quoteChar", "-1"),
                ("escaper", "\\"),
                ("target_file_size", "1GiB"),
            ],
        )
        .unwrap();
        assert_eq!((options.quote, options.escape), (None, Some(b'\\')));
        assert_eq!(options.target_file_bytes, Some(1 << 30));
        assert_eq!((options.delimiter, options.header), (b'\t', false));
        assert_eq!(options.null, "\\N");
    }

    #[test]
    fn extensions_name_format_and_outer_compression() {
        let of = |format, compression| {
            OutputOptions::parse(format, [("compression", compression)])
                .unwrap()
                .extension()
        };
        assert_eq!(of("parquet", "gzip"), "parquet");
        assert_eq!(of("orc", "zlib"), "orc");
        assert_eq!(of("csv", "gzip"), "csv.gz");
        assert_eq!(of("json", "zstd"), "json.zst");
        assert_eq!(of("jsonl", "none"), "json");
        assert_eq!(of("csv", "bzip2"), "csv.bz2");
        assert_eq!(of("xml", "xz"), "xml.xz");
        assert_eq!(of("json", "snappy"), "json.snappy");
        assert_eq!(of("csv", "lz4"), "csv.lz4");
        assert_eq!(of("avro", "zstd"), "avro");
    }
}
