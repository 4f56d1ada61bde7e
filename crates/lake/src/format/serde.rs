//! Formats by the names that Hive and Glue know them by.
//!
//! Classifications are those of Glue's built-in classifiers; SerDe libraries and input and output
//! formats those of Hive ("Supported SerDes and data formats", Athena user guide).

use std::collections::BTreeMap;

use super::{CsvOptions, FileFormat, GrokOptions, JsonOptions, JsonPath, XmlOptions, grok};
use crate::error::{LakeError, Result};
use crate::value::DateOrder;

/// How a format is written down in a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serde {
    /// Glue's classification.
    pub classification: String,
    /// The SerDe's class.
    pub library: &'static str,
    /// Hadoop's input format.
    pub input_format: &'static str,
    /// Hadoop's output format.
    pub output_format: &'static str,
    /// The SerDe's parameters.
    pub parameters: BTreeMap<String, String>,
}

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
const GROK: &str = "com.amazonaws.glue.serde.GrokSerDe";
const GROK_INPUT: &str = "input.format";
const GROK_CUSTOM: &str = "input.grokCustomPatterns";
/// What stands for nothing in a log, where it is not `-`.
const GROK_MISSING: &str = "mastic.missing";
/// Whether a line that does not match the pattern is an error.
const GROK_STRICT: &str = "mastic.strict";
const REGEX: &str = "org.apache.hadoop.hive.serde2.RegexSerDe";
const REGEX_INPUT: &str = "input.regex";
/// What a table of Hive's `RegexSerDe` is called here.
const REGEX_NAME: &str = "regex";

/// The path to the records, as in the options of Glue's `format="json"`. (`paths`, which Glue's crawler
/// writes, is a list of column names.)
const JSON_PATH: &str = "jsonPath";
/// The column that holds the keys of a map of records.
const JSON_KEY: &str = "mastic.key_column";

/// What `mapping.column` begins with, which says a column's key (the `openx` SerDe).
const JSON_MAPPING: &str = "mapping.";
/// Whether records that are no JSON are rows of nulls (the `openx` SerDe).
const JSON_MALFORMED: &str = "ignore.malformed.json";

const OPEN_CSV: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";

/// Null markers, as a JSON array.
const NULL_MARKERS: &str = "mastic.null_markers";
/// The null markers that are values in a dynamic frame, as a JSON array.
const RARE_MARKERS: &str = "mastic.rare_markers";
/// Columns of text in which null markers are values, as a JSON array.
const LITERAL_COLUMNS: &str = "mastic.literal_columns";
/// Texts that are null in every column, as a JSON array, where there are several.
const TEXT_NULLS: &str = "mastic.text_nulls";
/// The text that is null in every column: Hive's own property, which holds only one.
const NULL_FORMAT: &str = "serialization.null.format";
/// Lines before the first row: Hive's own property.
const SKIP_HEADER: &str = "skip.header.line.count";
/// Lines after the last row: Hive's own property.
const SKIP_FOOTER: &str = "skip.footer.line.count";
/// The encoding: the property of Hive's LazySimpleSerDe.
const ENCODING: &str = "serialization.encoding";
/// Whether the last of the skipped lines names the columns. Without it, it does.
const HEADER: &str = "mastic.header";
/// `file` where titles, comments and notes are found in each file anew, and Hive's counts are those of
/// one of them.
const LAYOUT: &str = "mastic.layout";
/// What comments begin with.
const COMMENT: &str = "mastic.comment";
/// `true` where delimiters in a row count as one.
const COLLAPSE: &str = "mastic.collapse";
/// `false` where quotes are characters like any other.
const QUOTED: &str = "mastic.quoted";
/// `true` where rows are read as Hive reads them: empty texts are texts, and cells beyond the columns are nothing.
const AS_HIVE: &str = "mastic.as_hive";
/// What stands between the items of nested values, and between their keys and values (Hive). The levels below have
/// the characters 4, 5 …
const ITEMS: [&str; 2] = ["collection.delim", "colelction.delim"];
const MAP_KEYS: &str = "mapkey.delim";
/// `dmy`, `mdy` or `ymd`.
const DATE_ORDER: &str = "mastic.date_order";

fn character(byte: u8) -> String {
    char::from(byte).to_string()
}

/// Classifications that say how a file is read.
const NAMES: [&str; 7] = [
    "csv",
    "json",
    "xml",
    "parquet",
    "avro",
    "orc",
    "glueparquet",
];

impl FileFormat {
    /// Glue's classification of the format.
    pub fn classification(&self) -> &str {
        match self {
            FileFormat::Csv(_) => "csv",
            FileFormat::Json(_) => "json",
            FileFormat::Grok(options) => &options.classification,
            FileFormat::Xml(_) => "xml",
            FileFormat::Parquet => "parquet",
            FileFormat::Avro => "avro",
            FileFormat::Orc => "orc",
        }
    }

    /// How the format is written down in a catalog.
    pub fn serde(&self) -> Serde {
        let (library, input_format, output_format) = match self {
            FileFormat::Csv(_) => (OPEN_CSV, TEXT_INPUT, TEXT_OUTPUT),
            FileFormat::Grok(options) if options.classification == REGEX_NAME => {
                (REGEX, TEXT_INPUT, TEXT_OUTPUT)
            }
            FileFormat::Grok(_) => (GROK, TEXT_INPUT, TEXT_OUTPUT),
            FileFormat::Json(_) => (
                "org.openx.data.jsonserde.JsonSerDe",
                TEXT_INPUT,
                TEXT_OUTPUT,
            ),
            FileFormat::Xml(_) => (
                "com.ibm.spss.hive.serde2.xml.XmlSerDe",
                "com.ibm.spss.hive.serde2.xml.XmlInputFormat",
                TEXT_OUTPUT,
            ),
            FileFormat::Parquet => (
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            ),
            FileFormat::Avro => (
                "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
                "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
            ),
            FileFormat::Orc => (
                "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
                "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
                "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
            ),
        };
        let mut parameters: BTreeMap<String, String> = BTreeMap::new();
        match self {
            FileFormat::Csv(options) => parameters = csv_parameters(options),
            FileFormat::Json(options) => {
                parameters.insert("serialization.format".into(), "1".into());
                if let Some(path) = &options.path {
                    parameters.insert(JSON_PATH.into(), path.to_string());
                }
                if let Some(key) = &options.keyed {
                    parameters.insert(JSON_KEY.into(), key.clone());
                }
                for (column, key) in &options.mapping {
                    parameters.insert(format!("{JSON_MAPPING}{column}"), key.clone());
                }
                if options.ignore_malformed {
                    parameters.insert(JSON_MALFORMED.into(), "true".into());
                }
            }
            FileFormat::Grok(options) if options.classification == REGEX_NAME => {
                let inner = whole_line(&options.pattern).unwrap_or(&options.pattern);
                parameters.insert(REGEX_INPUT.into(), inner.to_owned());
            }
            FileFormat::Grok(options) => {
                parameters.insert(GROK_INPUT.into(), options.pattern.clone());
                if !options.custom_patterns.is_empty() {
                    parameters.insert(GROK_CUSTOM.into(), options.custom_patterns.clone());
                }
                if let Some(missing) = &options.missing {
                    parameters.insert(GROK_MISSING.into(), missing.clone());
                }
                if options.strict {
                    parameters.insert(GROK_STRICT.into(), "true".into());
                }
            }
            FileFormat::Xml(options) => parameters = xml_parameters(options),
            _ => {
                parameters.insert("serialization.format".into(), "1".into());
            }
        }
        Serde {
            classification: self.classification().to_owned(),
            library,
            input_format,
            output_format,
            parameters,
        }
    }

    /// The format that a catalog's entry stands for, also one that Glue or Hive wrote.
    /// `parameters` are those of the SerDe over those of the table.
    ///
    /// # Errors
    /// When neither the classification nor the SerDe is one that Mastic reads.
    pub fn from_serde(
        classification: Option<&str>,
        library: Option<&str>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<FileFormat> {
        let library = library.unwrap_or_default().to_ascii_lowercase();
        let by_library = [
            ("opencsvserde", "csv"),
            ("lazysimpleserde", "csv"),
            ("jsonserde", "json"),
            ("xmlserde", "xml"),
            ("parquethiveserde", "parquet"),
            ("avroserde", "avro"),
            ("orcserde", "orc"),
            ("grokserde", "grok"),
            ("regexserde", REGEX_NAME),
        ]
        .iter()
        .find(|(ending, _)| library.ends_with(ending))
        .map(|(_, name)| *name);
        let name = classification
            .map(str::to_ascii_lowercase)
            .filter(|c| !c.is_empty() && c != "unknown")
            .or_else(|| by_library.map(str::to_owned))
            .unwrap_or_default();
        // What people call their logs and their XML says nothing of how it is read: the SerDe does.
        let by_log = match by_library {
            Some(library @ ("grok" | "regex")) => Some(library),
            None if grok::known(&name).is_some() => Some("grok"),
            library => library.filter(|_| !NAMES.contains(&name.as_str())),
        };
        let own_name = classification.unwrap_or_default();
        let name = by_log.map_or(name.clone(), str::to_owned);
        Ok(match name.as_str() {
            "grok" => FileFormat::Grok(grok_options(own_name, parameters)?),
            REGEX_NAME => FileFormat::Grok(regex_options(parameters)?),
            "csv" => FileFormat::Csv(csv_options(&library, parameters)?),
            "json" => FileFormat::Json(json_options(parameters)?),
            "parquet" | "glueparquet" => FileFormat::Parquet,
            "avro" => FileFormat::Avro,
            "orc" => FileFormat::Orc,
            "xml" => match parameters.get("rowTag") {
                Some(row_tag) => FileFormat::Xml(xml_options(row_tag, parameters)?),
                None => {
                    return Err(LakeError::Option(
                        "an XML table needs the parameter rowTag".into(),
                    ));
                }
            },
            other => {
                return Err(LakeError::Option(format!(
                    "the format '{other}' (SerDe '{library}') is none that Mastic reads; there are csv, json, xml, parquet, avro and orc"
                )));
            }
        })
    }

    /// The format that a person names, with its default options.
    ///
    /// # Errors
    /// When there is no such format.
    pub fn named(name: &str) -> Result<FileFormat> {
        let lower = name.to_ascii_lowercase();
        if let Some(log) = grok::known(&lower) {
            return Ok(FileFormat::Grok(log));
        }
        let names = NAMES.into_iter().filter(|n| *n != "glueparquet");
        if NAMES.contains(&lower.as_str()) {
            return Self::from_serde(Some(&lower), None, &BTreeMap::new());
        }
        let meant = mastic_schema::names::closest(&lower, names)
            .map(|n| format!(" (did you mean '{n}'?)"))
            .unwrap_or_default();
        Err(LakeError::Option(format!(
            "there is no format '{name}'{meant}; there are csv, json, xml, parquet, avro and orc"
        )))
    }
}

fn json_options(parameters: &BTreeMap<String, String>) -> Result<JsonOptions> {
    let path = match parameters.get(JSON_PATH).filter(|p| !p.trim().is_empty()) {
        Some(path) => Some(JsonPath::parse(path).map_err(|e| LakeError::Option(e.to_string()))?),
        None => None,
    };
    let mapping = parameters.iter().filter_map(|(name, key)| {
        let column = name.strip_prefix(JSON_MAPPING)?;
        Some((column.to_owned(), key.clone()))
    });
    Ok(JsonOptions {
        path,
        keyed: parameters.get(JSON_KEY).cloned(),
        mapping: mapping.collect(),
        ignore_malformed: switch(parameters, JSON_MALFORMED)?.unwrap_or_default(),
    })
}

fn grok_options(
    classification: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<GrokOptions> {
    let known = grok::known(classification);
    let strict = parameters.get(GROK_STRICT).is_some_and(|v| v == "true");
    let pattern = match (parameters.get(GROK_INPUT), known) {
        (Some(pattern), _) => pattern.clone(),
        (None, Some(known)) => return Ok(GrokOptions { strict, ..known }),
        (None, None) => {
            return Err(LakeError::Option(format!(
                "a table of the GrokSerDe needs the parameter {GROK_INPUT}"
            )));
        }
    };
    let name = if classification.is_empty() {
        "grok"
    } else {
        classification
    };
    let options = GrokOptions {
        classification: name.to_owned(),
        pattern,
        custom_patterns: parameters.get(GROK_CUSTOM).cloned().unwrap_or_default(),
        missing: parameters.get(GROK_MISSING).cloned(),
        strict,
    };
    match options.check() {
        Ok(()) => Ok(options),
        Err(error) => Err(LakeError::Option(format!(
            "the parameter {GROK_INPUT} cannot be used: {error}"
        ))),
    }
}

/// The expression within, where a pattern is one for whole lines.
fn whole_line(pattern: &str) -> Option<&str> {
    pattern.strip_prefix("^(?:")?.strip_suffix(")$")
}

/// Hive's `RegexSerDe`: an expression for whole lines, whose groups are the columns in their order.
fn regex_options(parameters: &BTreeMap<String, String>) -> Result<GrokOptions> {
    let Some(regex) = parameters.get(REGEX_INPUT) else {
        return Err(LakeError::Option(format!(
            "a table of the RegexSerDe needs the parameter {REGEX_INPUT}"
        )));
    };
    let options = GrokOptions {
        classification: REGEX_NAME.to_owned(),
        pattern: format!("^(?:{regex})$"),
        ..GrokOptions::default()
    };
    match options.check() {
        Ok(()) => Ok(options),
        Err(error) => Err(LakeError::Option(format!(
            "the parameter {REGEX_INPUT} cannot be used: {error}"
        ))),
    }
}

fn byte(parameters: &BTreeMap<String, String>, keys: &[&str]) -> Result<Option<u8>> {
    let Some((key, text)) = keys.iter().find_map(|k| parameters.get_key_value(*k)) else {
        return Ok(None);
    };
    let text = match text.as_str() {
        "\\t" => "\t",
        "\\u0001" => "\u{1}",
        "\\\\" => "\\",
        other => other,
    };
    match text.as_bytes() {
        [] | [0] => Ok(None),
        [one] => Ok(Some(*one)),
        // Hive also takes the number of the character ("1" alone is ambiguous, and is the digit).
        _ => match text.parse::<u8>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(LakeError::Option(format!(
                "the parameter {key} is '{text}', and only one-byte characters can be read"
            ))),
        },
    }
}

/// What a catalog holds of XML: Glue's options by their names, where they are not as usual.
fn xml_parameters(options: &XmlOptions) -> BTreeMap<String, String> {
    let usual = XmlOptions::new(&options.row_tag);
    let mut parameters = BTreeMap::from([("rowTag".to_owned(), options.row_tag.clone())]);
    let mut put = |name: &str, own: String, usual: String| {
        if own != usual {
            parameters.insert(name.to_owned(), own);
        }
    };
    put(
        "attributePrefix",
        options.attribute_prefix.clone(),
        usual.attribute_prefix,
    );
    put("valueTag", options.value_tag.clone(), usual.value_tag);
    let flag = |flag: bool| flag.to_string();
    put(
        "excludeAttribute",
        flag(options.exclude_attributes),
        flag(false),
    );
    put(
        "treatEmptyValuesAsNulls",
        flag(options.empty_is_null),
        flag(true),
    );
    put("ignoreSurroundingSpaces", flag(options.trim), flag(true));
    put(
        "nullValue",
        options.null.clone().unwrap_or_default(),
        String::new(),
    );
    put(
        ENCODING,
        options.encoding.clone().unwrap_or_default(),
        String::new(),
    );
    parameters
}

fn xml_options(row_tag: &str, parameters: &BTreeMap<String, String>) -> Result<XmlOptions> {
    let mut options = XmlOptions::new(row_tag);
    let filled = |name: &str| parameters.get(name).filter(|v| !v.is_empty()).cloned();
    if let Some(prefix) = filled("attributePrefix") {
        options.attribute_prefix = prefix;
    }
    if let Some(tag) = filled("valueTag") {
        options.value_tag = tag;
    }
    options.exclude_attributes = switch(parameters, "excludeAttribute")?.unwrap_or(false);
    options.empty_is_null = switch(parameters, "treatEmptyValuesAsNulls")?.unwrap_or(true);
    options.trim = switch(parameters, "ignoreSurroundingSpaces")?.unwrap_or(true);
    options.null = filled("nullValue");
    options.encoding = filled(ENCODING);
    Ok(options)
}

/// What a catalog holds of a dialect: Hive's properties, and Mastic's where Hive has none.
fn csv_parameters(options: &CsvOptions) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let mut put = |key: &str, value: String| parameters.insert(key.to_owned(), value);
    put("separatorChar", character(options.delimiter));
    match options.quote {
        Some(quote) => put("quoteChar", character(quote)),
        None => put(QUOTED, "false".into()),
    };
    if let Some(escape) = options.escape {
        put("escapeChar", character(escape));
    }
    let skipped = options.preamble.saturating_add(options.header.into());
    put(SKIP_HEADER, skipped.to_string());
    if options.preamble > 0 || options.per_file {
        put(HEADER, options.header.to_string());
    }
    if options.footer > 0 {
        put(SKIP_FOOTER, options.footer.to_string());
    }
    if options.per_file {
        put(LAYOUT, "file".into());
    }
    if let Some(comment) = options.comment {
        put(COMMENT, character(comment));
    }
    if options.collapse {
        put(COLLAPSE, "true".into());
    }
    if let Some(encoding) = &options.encoding {
        put(ENCODING, encoding.clone());
    }
    if let Some(order) = options.date_order {
        put(DATE_ORDER, order.name().into());
    }
    let json = |markers: &[String]| serde_json::Value::from(markers).to_string();
    if !options.null_markers.is_empty() {
        put(NULL_MARKERS, json(&options.null_markers));
    }
    if !options.rare_markers.is_empty() {
        put(RARE_MARKERS, json(&options.rare_markers));
    }
    if !options.literal_columns.is_empty() {
        put(LITERAL_COLUMNS, json(&options.literal_columns));
    }
    if options.as_hive {
        put(AS_HIVE, "true".into());
    }
    match options.text_nulls.as_slice() {
        [] => {}
        [one] => {
            put(NULL_FORMAT, one.clone());
        }
        several => {
            put(TEXT_NULLS, json(several));
        }
    }
    parameters
}

fn count(parameters: &BTreeMap<String, String>, key: &str) -> Result<Option<u64>> {
    let Some(text) = parameters.get(key) else {
        return Ok(None);
    };
    text.trim().parse().map(Some).map_err(|_| {
        LakeError::Option(format!(
            "the parameter {key} is '{text}', and not a number of lines"
        ))
    })
}

fn switch(parameters: &BTreeMap<String, String>, key: &str) -> Result<Option<bool>> {
    let Some(text) = parameters.get(key) else {
        return Ok(None);
    };
    text.trim()
        .to_ascii_lowercase()
        .parse()
        .map(Some)
        .map_err(|_| {
            LakeError::Option(format!(
                "the parameter {key} is '{text}', and neither true nor false"
            ))
        })
}

fn texts(parameters: &BTreeMap<String, String>, key: &str) -> Result<Vec<String>> {
    match parameters.get(key) {
        Some(text) => serde_json::from_str(text)
            .map_err(|e| LakeError::Option(format!("the parameter {key} is no JSON array: {e}"))),
        None => Ok(Vec::new()),
    }
}

fn csv_options(library: &str, parameters: &BTreeMap<String, String>) -> Result<CsvOptions> {
    let lazy = library.ends_with("lazysimpleserde");
    let defaults = CsvOptions::default();
    let delimiter = byte(parameters, &["separatorChar", "field.delim", "delimiter"])?;
    let quote = if switch(parameters, QUOTED)? == Some(false) {
        None
    } else if lazy {
        // LazySimpleSerDe knows no quotes; Glue's crawler uses it for unquoted files.
        byte(parameters, &["quoteChar"])?
    } else {
        byte(parameters, &["quoteChar"])?.or(defaults.quote)
    };
    // Hive only skips lines, and Glue's crawler skips the header that it found: the last of them.
    let skipped = count(parameters, SKIP_HEADER)?;
    let header = match (switch(parameters, HEADER)?, skipped) {
        (Some(header), _) => header,
        (None, Some(skipped)) => skipped > 0,
        (None, None) => !lazy && library.is_empty(),
    };
    let preamble = skipped.unwrap_or_default().saturating_sub(header.into());
    let date_order = match parameters.get(DATE_ORDER) {
        None => None,
        Some(name) => Some(DateOrder::of_name(name).ok_or_else(|| {
            LakeError::Option(format!(
                "the parameter {DATE_ORDER} is '{name}', and none of dmy, mdy and ymd"
            ))
        })?),
    };
    let mut text_nulls = texts(parameters, TEXT_NULLS)?;
    text_nulls.extend(parameters.get(NULL_FORMAT).cloned());
    let mut nested = Vec::new();
    if lazy {
        if text_nulls.is_empty() {
            // Hive's own, where nothing else is said.
            text_nulls.push("\\N".to_owned());
        }
        nested = vec![2, 3, 4, 5, 6, 7, 8];
        for (at, keys) in [&ITEMS[..], &[MAP_KEYS]].into_iter().enumerate() {
            if let (Some(own), Some(slot)) = (byte(parameters, keys)?, nested.get_mut(at)) {
                *slot = own;
            }
        }
    }
    Ok(CsvOptions {
        delimiter: delimiter.unwrap_or(if lazy { 1 } else { defaults.delimiter }),
        collapse: switch(parameters, COLLAPSE)?.unwrap_or_default(),
        quote,
        escape: byte(parameters, &["escapeChar", "escape.delim"])?.filter(|e| Some(*e) != quote),
        header,
        preamble,
        footer: count(parameters, SKIP_FOOTER)?.unwrap_or_default(),
        comment: byte(parameters, &[COMMENT])?,
        per_file: parameters.get(LAYOUT).is_some_and(|l| l == "file"),
        encoding: parameters
            .get(ENCODING)
            .filter(|name| {
                !name.eq_ignore_ascii_case("utf-8") && !name.eq_ignore_ascii_case("utf8")
            })
            .cloned(),
        date_order,
        null_markers: texts(parameters, NULL_MARKERS)?,
        rare_markers: texts(parameters, RARE_MARKERS)?,
        literal_columns: texts(parameters, LITERAL_COLUMNS)?,
        text_nulls,
        as_hive: switch(parameters, AS_HIVE)?.unwrap_or_default(),
        nested,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn formats_survive_the_catalog() {
        for format in [
            FileFormat::Csv(CsvOptions {
                delimiter: b'\t',
                quote: Some(b'\''),
                escape: Some(b'\\'),
                header: false,
                null_markers: vec!["NA".into(), "-".into()],
                rare_markers: vec!["-".into()],
                literal_columns: vec!["code".into(), "größe".into()],
                text_nulls: vec!["NULL".into(), "\\N".into()],
                ..CsvOptions::default()
            }),
            FileFormat::Csv(CsvOptions {
                delimiter: b' ',
                collapse: true,
                quote: None,
                escape: None,
                header: true,
                preamble: 3,
                footer: 2,
                comment: Some(b'#'),
                per_file: true,
                encoding: Some("windows-1252".into()),
                date_order: Some(DateOrder::MonthFirst),
                null_markers: Vec::new(),
                rare_markers: Vec::new(),
                literal_columns: Vec::new(),
                text_nulls: vec!["NULL".into()],
                as_hive: true,
                nested: Vec::new(),
            }),
            FileFormat::Csv(CsvOptions {
                header: false,
                preamble: 3,
                ..CsvOptions::default()
            }),
            FileFormat::Csv(CsvOptions::default()),
            FileFormat::Json(JsonOptions::default()),
            FileFormat::Json(JsonOptions {
                path: Some(JsonPath::parse("$.a['b c'][*]").unwrap()),
                keyed: Some("key_1".into()),
                mapping: vec![("ts".into(), "Time Stamp".into())],
                ignore_malformed: true,
            }),
            FileFormat::named("combined_apache").unwrap(),
            FileFormat::Grok(GrokOptions {
                classification: "my-log".into(),
                pattern: "%{LEVEL:level} %{GREEDYDATA:message}".into(),
                custom_patterns: "LEVEL [A-Z]+\nOTHER x".into(),
                missing: None,
                strict: true,
            }),
            FileFormat::Grok(GrokOptions {
                classification: "own".into(),
                pattern: "%{WORD:w}".into(),
                missing: Some("null".into()),
                ..GrokOptions::default()
            }),
            FileFormat::Xml(XmlOptions::new("r")),
            FileFormat::Xml(XmlOptions {
                attribute_prefix: "@".into(),
                value_tag: "text".into(),
                exclude_attributes: true,
                empty_is_null: false,
                trim: false,
                null: Some("NULL".into()),
                encoding: Some("windows-1252".into()),
                ..XmlOptions::new("r")
            }),
            FileFormat::Parquet,
            FileFormat::Avro,
            FileFormat::Orc,
        ] {
            let serde = format.serde();
            let back = FileFormat::from_serde(
                Some(&serde.classification),
                Some(serde.library),
                &serde.parameters,
            );
            assert_eq!(back.unwrap(), format);
        }
    }

    #[test]
    fn tables_that_glue_wrote_are_understood() {
        // As in the Athena user guide, "LazySimpleSerDe for CSV, TSV, and custom-delimited files".
        let parameters = [("field.delim".to_owned(), "\\t".to_owned())].into();
        let lazy = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
        let format = FileFormat::from_serde(None, Some(lazy), &parameters).unwrap();
        assert_eq!(
            format,
            FileFormat::Csv(CsvOptions {
                delimiter: b'\t',
                quote: None,
                escape: None,
                header: false,
                // Hive's own, where nothing else is said (`LazySerDeParameters`).
                text_nulls: vec!["\\N".into()],
                nested: vec![2, 3, 4, 5, 6, 7, 8],
                ..CsvOptions::default()
            })
        );
        // Lines above the header are skipped with it, as Hive does.
        let parameters = [("skip.header.line.count".to_owned(), "3".to_owned())].into();
        let format = FileFormat::from_serde(Some("csv"), None, &parameters).unwrap();
        assert_eq!(
            format,
            FileFormat::Csv(CsvOptions {
                header: true,
                preamble: 2,
                ..CsvOptions::default()
            })
        );
        // As in the Athena user guide, "Regex SerDe".
        let parameters = [("input.regex".to_owned(), "^([\\d.]+) (\\S+)".to_owned())].into();
        let regex = "org.apache.hadoop.hive.serde2.RegexSerDe";
        let format = FileFormat::from_serde(None, Some(regex), &parameters).unwrap();
        assert_eq!(format.serde().parameters, parameters);
        assert_eq!(format.serde().library, regex);
        let grok = "com.amazonaws.glue.serde.GrokSerDe";
        let parameters = [("input.format".to_owned(), "%{NUMBR:n}".to_owned())].into();
        let error = FileFormat::from_serde(Some("x"), Some(grok), &parameters).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the parameter input.format cannot be used: there is no grok pattern 'NUMBR' (did you mean 'NUMBER'?)"
        );
        let error = FileFormat::named("parket").unwrap_err().to_string();
        assert!(error.contains("did you mean 'parquet'?"), "{error}");
    }
}
