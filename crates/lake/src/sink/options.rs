//! What a sink's files look like: format, compression, and the format's own options.

use std::fmt;
use std::str::FromStr;

use mastic_schema::names::closest;

use crate::error::{LakeError, Result};

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
}

impl OutputFormat {
    /// Its name, as scripts write it.
    pub fn name(self) -> &'static str {
        match self {
            OutputFormat::Parquet => "parquet",
            OutputFormat::Csv => "csv",
            OutputFormat::Json => "json",
            OutputFormat::Orc => "orc",
        }
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
            known @ ("avro" | "xml" | "ion" | "hudi" | "iceberg" | "delta") => {
                Err(LakeError::Option(format!(
                    "writing {known} is not built yet; a sink writes parquet, csv, json or orc"
                )))
            }
            _ => Err(LakeError::Option(format!(
                "'{name}' is no format that a sink writes{}",
                instead(name, &["parquet", "csv", "json", "orc"])
            ))),
        }
    }
}

/// How a sink's files are compressed: Parquet and ORC inside the file, CSV and JSON around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputCompression {
    /// Not at all.
    None,
    /// Snappy, within Parquet and ORC only.
    Snappy,
    /// Gzip; within ORC, which calls it `zlib`, without its header.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Bzip2, around text only.
    Bzip2,
    /// LZ4 blocks, within Parquet and ORC only.
    Lz4,
}

impl OutputCompression {
    /// Its name, as scripts write it.
    pub fn name(self) -> &'static str {
        match self {
            OutputCompression::None => "none",
            OutputCompression::Snappy => "snappy",
            OutputCompression::Gzip => "gzip",
            OutputCompression::Zstd => "zstd",
            OutputCompression::Bzip2 => "bzip2",
            OutputCompression::Lz4 => "lz4",
        }
    }
}

impl FromStr for OutputCompression {
    type Err = LakeError;

    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_lowercase().as_str() {
            "none" | "uncompressed" => Ok(OutputCompression::None),
            "snappy" => Ok(OutputCompression::Snappy),
            "gzip" | "gz" => Ok(OutputCompression::Gzip),
            "zstd" | "zst" => Ok(OutputCompression::Zstd),
            "bzip2" | "bz2" => Ok(OutputCompression::Bzip2),
            "lz4" => Ok(OutputCompression::Lz4),
            _ => Err(LakeError::Option(format!(
                "'{name}' is no compression that a sink writes{}",
                instead(name, &["none", "snappy", "gzip", "zstd", "bzip2", "lz4"])
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
    /// CSV: what stands between two fields.
    pub delimiter: u8,
    /// CSV: what stands around a field that holds a delimiter, a quote or a line's end.
    pub quote: u8,
    /// CSV: whether the first line names the columns.
    pub header: bool,
    /// CSV: how NULL is written. Empty by default, and then like an empty string.
    pub null: String,
    /// JSON: whether NULL is written as `null`; otherwise the field is left out.
    pub explicit_nulls: bool,
    /// Parquet: the most rows of a row group; ORC: of a stripe; at least 1.
    pub row_group_rows: usize,
    /// Parquet: the most bytes of a row group, as encoded; ORC: of a stripe; at least 1.
    pub row_group_bytes: usize,
}

/// Every option's name, with the formats that have it.
const OPTIONS: &[(&str, &[OutputFormat])] = {
    use OutputFormat::{Csv, Json, Orc, Parquet};
    &[
        ("compression", &[Parquet, Csv, Json, Orc]),
        ("delimiter", &[Csv]),
        ("quote", &[Csv]),
        ("header", &[Csv]),
        ("null", &[Csv]),
        ("explicit_nulls", &[Json]),
        ("row_group_rows", &[Parquet, Orc]),
        ("row_group_bytes", &[Parquet, Orc]),
    ]
};

impl OutputOptions {
    /// The defaults of a format: Parquet and ORC with zstd, text uncompressed, CSV with a header.
    pub fn new(format: OutputFormat) -> Self {
        OutputOptions {
            format,
            compression: match format {
                OutputFormat::Parquet | OutputFormat::Orc => OutputCompression::Zstd,
                OutputFormat::Csv | OutputFormat::Json => OutputCompression::None,
            },
            delimiter: b',',
            quote: b'"',
            header: true,
            null: String::new(),
            explicit_nulls: false,
            row_group_rows: 1024 * 1024,
            row_group_bytes: 64 * 1024 * 1024,
        }
    }

    /// The options of a script's sink: `compression`, `delimiter`, `quote`, `header`, `null`,
    /// `explicit_nulls`, `row_group_rows`, `row_group_bytes`; Glue's `separator`, `quoteChar`,
    /// `writeHeader` and `blockSize` are taken too.
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
        let canonical = match name {
            "separator" => "delimiter",
            "quoteChar" => "quote",
            "writeHeader" => "header",
            "blockSize" => "row_group_bytes",
            other => other,
        };
        let of_format: Vec<&str> = OPTIONS
            .iter()
            .filter(|(_, formats)| formats.contains(&self.format))
            .map(|(name, _)| *name)
            .collect();
        if !of_format.contains(&canonical) {
            let format = self.format;
            let message = match OPTIONS.iter().find(|(known, _)| *known == canonical) {
                Some((_, formats)) => {
                    let owners: Vec<&str> = formats.iter().map(|f| f.name()).collect();
                    format!(
                        "'{name}' is an option of {}, and this sink writes {format}",
                        owners.join(" and ")
                    )
                }
                None => format!(
                    "{format} has no option '{name}'{}",
                    instead(name, &of_format)
                ),
            };
            return Err(LakeError::Option(message));
        }
        match canonical {
            // ORC's own name.
            "compression"
                if self.format == OutputFormat::Orc && value.eq_ignore_ascii_case("zlib") =>
            {
                self.compression = OutputCompression::Gzip;
            }
            "compression" => self.compression = value.parse()?,
            "delimiter" => self.delimiter = one_byte(name, value)?,
            "quote" => self.quote = one_byte(name, value)?,
            "header" => self.header = boolean(name, value)?,
            "null" => value.clone_into(&mut self.null),
            "explicit_nulls" => self.explicit_nulls = boolean(name, value)?,
            "row_group_rows" => self.row_group_rows = positive(name, value)?,
            _ => self.row_group_bytes = positive(name, value)?,
        }
        Ok(())
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// When the format cannot be compressed so, or a CSV's marks are the same.
    pub fn check(&self) -> Result<()> {
        let bad = match (self.format, self.compression) {
            (OutputFormat::Parquet, OutputCompression::Bzip2) => {
                "Parquet has no bzip2 compression; it has zstd, snappy, gzip, lz4 and none"
                    .to_owned()
            }
            (OutputFormat::Orc, OutputCompression::Bzip2) => {
                "ORC has no bzip2 compression; it has zstd, snappy, zlib, lz4 and none".to_owned()
            }
            (
                OutputFormat::Csv | OutputFormat::Json,
                OutputCompression::Snappy | OutputCompression::Lz4,
            ) => format!(
                "{} files are not written with {}, which has no framing that all readers share; take zstd, gzip, bzip2 or none",
                self.format,
                self.compression.name()
            ),
            (OutputFormat::Csv, _) if self.delimiter == self.quote => {
                "the delimiter and the quote are the same character".to_owned()
            }
            (OutputFormat::Parquet | OutputFormat::Orc, _)
                if self.row_group_rows == 0 || self.row_group_bytes == 0 =>
            {
                "a row group holds at least one row and one byte".to_owned()
            }
            _ => return Ok(()),
        };
        Err(LakeError::Option(bad))
    }

    /// How the files' names end, without the leading dot: `parquet`, `csv`, `json.gz`.
    pub fn extension(&self) -> String {
        let outer = match (self.format, self.compression) {
            (OutputFormat::Parquet | OutputFormat::Orc, _) => "",
            (_, OutputCompression::Gzip) => ".gz",
            (_, OutputCompression::Zstd) => ".zst",
            (_, OutputCompression::Bzip2) => ".bz2",
            (_, OutputCompression::None | OutputCompression::Snappy | OutputCompression::Lz4) => "",
        };
        format!("{}{outer}", self.format)
    }
}

/// "did you mean …" where a known name is close, else all of them.
fn instead(name: &str, known: &[&str]) -> String {
    match closest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => format!("; there are {}", known.join(", ")),
    }
}

fn one_byte(option: &str, value: &str) -> Result<u8> {
    match value {
        "\\t" | "tab" => Ok(b'\t'),
        _ => match value.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
            _ => Err(LakeError::Option(format!(
                "{option} is one ASCII character (or 'tab'), not '{}'",
                value.escape_debug()
            ))),
        },
    }
}

fn boolean(option: &str, value: &str) -> Result<bool> {
    match value.to_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(LakeError::Option(format!(
            "{option} is true or false, not '{value}'"
        ))),
    }
}

fn positive(option: &str, value: &str) -> Result<usize> {
    match value.replace('_', "").parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(LakeError::Option(format!(
            "{option} is a whole number from 1, not '{value}'"
        ))),
    }
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
            "'parqet' is no format that a sink writes; did you mean 'parquet'?"
        );
        assert_eq!(
            message("avro", &[]),
            "writing avro is not built yet; a sink writes parquet, csv, json or orc"
        );
        assert_eq!(
            message("csv", &[("delimeter", ";")]),
            "csv has no option 'delimeter'; did you mean 'delimiter'?"
        );
        assert_eq!(
            message("json", &[("header", "true")]),
            "'header' is an option of csv, and this sink writes json"
        );
        assert_eq!(
            message("csv", &[("delimiter", "||")]),
            "delimiter is one ASCII character (or 'tab'), not '||'"
        );
        assert_eq!(
            message("parquet", &[("compression", "gzp")]),
            "'gzp' is no compression that a sink writes; did you mean 'gzip'?"
        );
        assert!(message("csv", &[("compression", "snappy")]).contains("take zstd"));
        assert!(message("parquet", &[("compression", "bz2")]).contains("no bzip2"));
        assert!(message("orc", &[("compression", "bz2")]).contains("ORC has no bzip2"));
        assert!(message("json", &[("compression", "lz4")]).contains("with lz4, which"));
        // Only ORC calls it so.
        assert!(message("parquet", &[("compression", "zlib")]).contains("no compression"));
        assert_eq!(
            message("orc", &[("delimiter", ";")]),
            "'delimiter' is an option of csv, and this sink writes orc"
        );
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
            ],
        )
        .unwrap();
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
    }
}
