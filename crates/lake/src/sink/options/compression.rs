//! How a sink's files can be compressed, format by format.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::OutputFormat;
use crate::error::{LakeError, Result};
use crate::option::instead;

/// How a sink's files are compressed: Parquet, ORC and Avro inside the file, text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputCompression {
    /// Not at all.
    None,
    /// Snappy: blocks within Parquet, ORC and Avro, its framing format around text.
    Snappy,
    /// Gzip; within Avro that is `deflate`, within ORC `zlib`, both without its header.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// LZ4: raw blocks (`LZ4_RAW`) within Parquet and ORC, its frame format around text.
    Lz4,
    /// Brotli, within Parquet.
    Brotli,
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
            OutputCompression::Xz => "xz",
            OutputCompression::Lz4 => "lz4",
            OutputCompression::Brotli => "brotli",
        }
    }

    /// The compressions that files of a format can have.
    pub fn of(format: OutputFormat) -> &'static [OutputCompression] {
        use OutputCompression::{Brotli, Bzip2, Gzip, Lz4, None, Snappy, Xz, Zstd};
        match format {
            OutputFormat::Parquet => &[None, Snappy, Gzip, Zstd, Lz4, Brotli],
            // The ORC specification's but LZO; its `zlib` is what gzip holds.
            OutputFormat::Orc => &[None, Snappy, Gzip, Zstd, Lz4],
            // The codecs that the Avro specification names.
            OutputFormat::Avro => &[None, Gzip, Snappy, Zstd, Bzip2, Xz],
            OutputFormat::Csv | OutputFormat::Json | OutputFormat::Xml => {
                &[None, Gzip, Zstd, Bzip2, Xz, Snappy, Lz4]
            }
        }
    }

    /// The levels that one may choose from, where there are any; a higher one takes longer and gives
    /// smaller files. Zstandard ends at 19 and xz at 6 although both go on: beyond, one open file
    /// takes hundreds of MB, and a sink may have many open.
    pub fn levels(self) -> Option<RangeInclusive<u32>> {
        match self {
            OutputCompression::Gzip => Some(0..=9),
            OutputCompression::Zstd => Some(1..=19),
            OutputCompression::Bzip2 => Some(1..=9),
            OutputCompression::Xz => Some(0..=6),
            OutputCompression::Brotli => Some(0..=11),
            OutputCompression::None | OutputCompression::Snappy | OutputCompression::Lz4 => None,
        }
    }

    /// How the names of text files end that are compressed so.
    pub(super) fn ending(self) -> &'static str {
        match self {
            OutputCompression::None => "",
            OutputCompression::Gzip => ".gz",
            OutputCompression::Zstd => ".zst",
            OutputCompression::Bzip2 => ".bz2",
            OutputCompression::Xz => ".xz",
            OutputCompression::Snappy => ".snappy",
            OutputCompression::Lz4 => ".lz4",
            OutputCompression::Brotli => ".br",
        }
    }
}

impl fmt::Display for OutputCompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OutputCompression {
    type Err = LakeError;

    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_lowercase().as_str() {
            "none" | "uncompressed" | "null" => Ok(OutputCompression::None),
            "snappy" => Ok(OutputCompression::Snappy),
            // Avro's name for what gzip holds.
            "gzip" | "gz" | "deflate" => Ok(OutputCompression::Gzip),
            "zstd" | "zst" | "zstandard" => Ok(OutputCompression::Zstd),
            "bzip2" | "bz2" => Ok(OutputCompression::Bzip2),
            "xz" => Ok(OutputCompression::Xz),
            "lz4" | "lz4_raw" => Ok(OutputCompression::Lz4),
            "brotli" | "br" => Ok(OutputCompression::Brotli),
            _ => Err(LakeError::Option(format!(
                "'{name}' is no compression that a sink writes{}",
                instead(
                    name,
                    &[
                        "none", "snappy", "gzip", "zstd", "bzip2", "xz", "lz4", "brotli"
                    ]
                )
            ))),
        }
    }
}

/// Whether files of a format can be compressed so, at this level.
pub(super) fn check(
    format: OutputFormat,
    compression: OutputCompression,
    level: Option<u32>,
) -> std::result::Result<(), String> {
    let possible = OutputCompression::of(format);
    if !possible.contains(&compression) {
        let names: Vec<&str> = possible.iter().map(|c| c.name()).collect();
        return Err(format!(
            "{format} has no {compression} compression; it has {}",
            names.join(", ")
        ));
    }
    match (level, compression.levels()) {
        (Some(level), None) => Err(format!(
            "compression_level is {level}, and {compression} has no levels"
        )),
        (Some(level), Some(levels)) if !levels.contains(&level) => Err(format!(
            "compression_level is {level}, and {compression} has levels from {} to {}",
            levels.start(),
            levels.end()
        )),
        _ => Ok(()),
    }
}
