//! Custom classifiers. Glue API: "Classifier API" (`aws-glue-api-crawler-classifiers`); what a field may hold is as
//! the service model of botocore says (`glue/2017-03-31`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::named::{Stamp, check_name, invalid, length, some};
use super::time;
use crate::error::Result;

/// Longest grok pattern and longest set of custom patterns, in characters (Glue API).
const MAX_GROK_PATTERN: usize = 2_048;
const MAX_CUSTOM_PATTERNS: usize = 16_000;
/// What a CSV classifier's custom datatypes may be (Glue API: `CsvClassifier`).
const CUSTOM_DATATYPES: [&str; 11] = [
    "BINARY",
    "BOOLEAN",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "LONG",
    "SHORT",
    "STRING",
    "TIMESTAMP",
];

/// How a crawler recognises and reads files that nothing built in recognises as wanted. Glue API: `Classifier`, an
/// object with exactly one of the four kinds in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Shape")]
pub enum Classifier {
    /// Lines of text by a grok pattern.
    #[serde(rename = "GrokClassifier")]
    Grok(GrokClassifier),
    /// XML by the element that holds a record.
    #[serde(rename = "XMLClassifier")]
    Xml(XmlClassifier),
    /// JSON by the path to a record.
    #[serde(rename = "JsonClassifier")]
    Json(JsonClassifier),
    /// CSV by its characters and its header.
    #[serde(rename = "CsvClassifier")]
    Csv(CsvClassifier),
}

/// Lines of text by a grok pattern. Glue API: `GrokClassifier`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GrokClassifier {
    /// Its name; case counts.
    pub name: String,
    /// The format it stands for, which tables get as their `classification`.
    pub classification: String,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was last changed; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_updated: Option<DateTime<Utc>>,
    /// How often it was written, from 1; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The pattern of a line.
    pub grok_pattern: String,
    /// Patterns that it uses, one a line: a name, a space, a pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_patterns: Option<String>,
}

/// XML by the element that holds a record. Glue API: `XMLClassifier`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct XmlClassifier {
    /// Its name; case counts.
    pub name: String,
    /// The format it stands for, which tables get as their `classification`.
    pub classification: String,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was last changed; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_updated: Option<DateTime<Utc>>,
    /// How often it was written, from 1; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The name of the element that holds a record. Optional, as in Glue's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_tag: Option<String>,
}

/// JSON by the path to a record. Glue API: `JsonClassifier`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JsonClassifier {
    /// Its name; case counts.
    pub name: String,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was last changed; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_updated: Option<DateTime<Utc>>,
    /// How often it was written, from 1; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Where the records are, in Glue's subset of JsonPath.
    pub json_path: String,
}

/// CSV by its characters and its header. Glue API: `CsvClassifier`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CsvClassifier {
    /// Its name; case counts.
    pub name: String,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was last changed; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_updated: Option<DateTime<Utc>>,
    /// How often it was written, from 1; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The character between two fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// The character around a field; another than the delimiter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_symbol: Option<char>,
    /// Whether the first line names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains_header: Option<CsvHeaderOption>,
    /// The names of the columns.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub header: Vec<String>,
    /// Whether blanks around a value are kept before its type is sought. Glue's default is `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_value_trimming: Option<bool>,
    /// Whether files of one column are CSV, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_single_column: Option<bool>,
    /// Whether `custom_datatypes` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_datatype_configured: Option<bool>,
    /// The types of the columns, of `BINARY`, `BOOLEAN`, `DATE`, `DECIMAL`, `DOUBLE`, `FLOAT`, `INT`, `LONG`, `SHORT`,
    /// `STRING`, `TIMESTAMP`.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub custom_datatypes: Vec<String>,
    /// The SerDe that tables get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde: Option<CsvSerdeOption>,
}

/// Whether a CSV file's first line names the columns. Glue API: `CsvHeaderOption`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CsvHeaderOption {
    /// The crawler finds out.
    Unknown,
    /// It does.
    Present,
    /// It is a record.
    Absent,
}

/// The SerDe of a table of CSV files. Glue API: `CsvSerdeOption`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CsvSerdeOption {
    /// Quotes are understood, all columns are strings in Hive.
    #[serde(rename = "OpenCSVSerDe")]
    OpenCsvSerDe,
    /// Typed columns, no quotes in Hive.
    LazySimpleSerDe,
    /// The crawler chooses.
    None,
}

/// Glue's shape: a structure of which exactly one member is there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Shape {
    #[serde(rename = "GrokClassifier")]
    grok: Option<GrokClassifier>,
    #[serde(rename = "XMLClassifier")]
    xml: Option<XmlClassifier>,
    #[serde(rename = "JsonClassifier")]
    json: Option<JsonClassifier>,
    #[serde(rename = "CsvClassifier")]
    csv: Option<CsvClassifier>,
}

impl TryFrom<Shape> for Classifier {
    type Error = String;

    fn try_from(shape: Shape) -> Result<Self, String> {
        let mut kinds = [
            shape.grok.map(Self::Grok),
            shape.xml.map(Self::Xml),
            shape.json.map(Self::Json),
            shape.csv.map(Self::Csv),
        ]
        .into_iter()
        .flatten();
        match (kinds.next(), kinds.next()) {
            (Some(only), None) => Ok(only),
            (Some(one), Some(other)) => Err(format!(
                "one classifier is of one kind, and this has {} ({:?}) and {} ({:?})",
                one.kind(),
                one.name(),
                other.kind(),
                other.name()
            )),
            (None, _) => Err(
                "a classifier has one of GrokClassifier, XMLClassifier, JsonClassifier and CsvClassifier, \
                 and this has none"
                    .to_owned(),
            ),
        }
    }
}

impl Classifier {
    /// Its name; case counts.
    pub fn name(&self) -> &str {
        match self {
            Self::Grok(classifier) => &classifier.name,
            Self::Xml(classifier) => &classifier.name,
            Self::Json(classifier) => &classifier.name,
            Self::Csv(classifier) => &classifier.name,
        }
    }

    /// Which of the four kinds it is, by the name of Glue's structure.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Grok(_) => "GrokClassifier",
            Self::Xml(_) => "XMLClassifier",
            Self::Json(_) => "JsonClassifier",
            Self::Csv(_) => "CsvClassifier",
        }
    }

    /// How often it was written, from 1; `None` before it is.
    pub fn version(&self) -> Option<i64> {
        match self {
            Self::Grok(classifier) => classifier.version,
            Self::Xml(classifier) => classifier.version,
            Self::Json(classifier) => classifier.version,
            Self::Csv(classifier) => classifier.version,
        }
    }

    /// What the store writes into it.
    pub(crate) fn stamp(&mut self) -> Stamp<'_> {
        macro_rules! stamp {
            ($classifier:expr) => {
                Stamp {
                    created: &mut $classifier.creation_time,
                    updated: &mut $classifier.last_updated,
                    version: &mut $classifier.version,
                }
            };
        }
        match self {
            Self::Grok(classifier) => stamp!(classifier),
            Self::Xml(classifier) => stamp!(classifier),
            Self::Json(classifier) => stamp!(classifier),
            Self::Csv(classifier) => stamp!(classifier),
        }
    }

    /// Whether the two say the same, but for times and version.
    pub fn same_definition(&self, other: &Self) -> bool {
        let strip = |classifier: &Self| {
            let mut classifier = classifier.clone();
            classifier.stamp().clear();
            classifier
        };
        strip(self) == strip(other)
    }

    /// That each field holds what Glue's API allows. Whether a grok pattern, a JSON path or a tag makes sense is for the
    /// crawler to say.
    ///
    /// # Errors
    ///
    /// [`crate::CatalogError::InvalidName`], [`crate::CatalogError::InvalidDefinition`].
    pub fn check(&self) -> Result<()> {
        check_name("classifier", self.name())?;
        let refuse = |reason: String| Err(invalid("classifier", self.name(), reason));
        let checked = match self {
            Self::Grok(grok) => some("Classification", &grok.classification)
                .and_then(|()| length("GrokPattern", &grok.grok_pattern, 1, MAX_GROK_PATTERN))
                .and_then(|()| {
                    let custom = grok.custom_patterns.as_deref().unwrap_or_default();
                    length("CustomPatterns", custom, 0, MAX_CUSTOM_PATTERNS)
                }),
            Self::Xml(xml) => some("Classification", &xml.classification)
                .and_then(|()| some("RowTag", xml.row_tag.as_deref().unwrap_or("row"))),
            Self::Json(json) => some("JsonPath", &json.json_path),
            Self::Csv(csv) => csv.check(),
        };
        checked.or_else(refuse)
    }
}

impl CsvClassifier {
    fn check(&self) -> Result<(), String> {
        for (field, character) in [
            ("Delimiter", self.delimiter),
            ("QuoteSymbol", self.quote_symbol),
        ] {
            if matches!(character, Some('\r' | '\n')) {
                return Err(format!("{field} is a line break"));
            }
        }
        if self.delimiter.is_some() && self.delimiter == self.quote_symbol {
            return Err("QuoteSymbol is the same as Delimiter".to_owned());
        }
        for name in &self.header {
            length("a name in Header", name, 1, super::named::MAX_NAME)?;
        }
        for datatype in &self.custom_datatypes {
            if !CUSTOM_DATATYPES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(datatype))
            {
                return Err(format!(
                    "the custom datatype {datatype:?} is none of {}",
                    CUSTOM_DATATYPES.join(", ")
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `aws glue get-classifiers` prints them (shapes: botocore, `glue/2017-03-31`).
    const PRINTED: &str = r#"[
        {"GrokClassifier": {"Name": "app log", "Classification": "applog", "CreationTime": "2024-05-01T10:00:00+02:00",
           "LastUpdated": 1714550400.0, "Version": 3, "GrokPattern": "%{LEVEL:level} %{GREEDYDATA:text}",
           "CustomPatterns": "LEVEL (INFO|WARN)\nX y"}},
        {"XMLClassifier": {"Name": "xml", "Classification": "xml", "Version": 1, "RowTag": "row"}},
        {"JsonClassifier": {"Name": "json", "JsonPath": "$.records[*]"}, "CsvClassifier": null},
        {"CsvClassifier": {"Name": "csv", "Delimiter": "\t", "QuoteSymbol": "'", "ContainsHeader": "PRESENT",
           "Header": ["a", "b"], "DisableValueTrimming": true, "AllowSingleColumn": false,
           "CustomDatatypeConfigured": true, "CustomDatatypes": ["INT", "date"], "Serde": "OpenCSVSerDe"}}]"#;

    #[test]
    fn what_the_aws_cli_prints_is_read_and_written() {
        let all: Vec<Classifier> = serde_json::from_str(PRINTED).unwrap();
        let names: Vec<(&str, &str)> = all.iter().map(|each| (each.kind(), each.name())).collect();
        assert_eq!(
            names,
            [
                ("GrokClassifier", "app log"),
                ("XMLClassifier", "xml"),
                ("JsonClassifier", "json"),
                ("CsvClassifier", "csv")
            ]
        );
        assert_eq!(all[0].version(), Some(3));
        let Classifier::Csv(csv) = &all[3] else {
            panic!("{:?}", all[3]);
        };
        assert_eq!(
            (csv.delimiter, csv.serde, csv.contains_header),
            (
                Some('\t'),
                Some(CsvSerdeOption::OpenCsvSerDe),
                Some(CsvHeaderOption::Present)
            )
        );
        for classifier in &all {
            classifier.check().unwrap();
            let written = serde_json::to_string(classifier).unwrap();
            assert!(
                written.starts_with(&format!("{{\"{}\":{{\"Name\":", classifier.kind())),
                "{written}"
            );
            assert_eq!(
                &serde_json::from_str::<Classifier>(&written).unwrap(),
                classifier
            );
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for (json, told) in [
            (
                r#"{"JsonClassifier": {"Name": "a", "JsonPath": "$"}, "XMLClassifier": {"Name": "b"}}"#,
                "XMLClassifier (\"b\") and JsonClassifier (\"a\")",
            ),
            ("{}", "this has none"),
            (r#"{"JsonClassifier": null}"#, "this has none"),
            (
                r#"{"CsvClassifier": {"ContainsHeader": "MAYBE"}}"#,
                "unknown variant `MAYBE`, expected one of `UNKNOWN`, `PRESENT`, `ABSENT`",
            ),
            (
                r#"{"CsvClassifier": {"Serde": "Other"}}"#,
                "expected one of `OpenCSVSerDe`, `LazySimpleSerDe`, `None`",
            ),
            (
                r#"{"CsvClassifier": {"Delimiter": "ab"}}"#,
                "expected a character",
            ),
        ] {
            let error = serde_json::from_str::<Classifier>(json)
                .unwrap_err()
                .to_string();
            assert!(error.contains(told), "{json}: {error}");
        }
        for (json, told) in [
            (r#"{"JsonClassifier": {"JsonPath": "$"}}"#, "it is empty"),
            (
                r#"{"JsonClassifier": {"Name": "a"}}"#,
                "JsonPath is missing",
            ),
            (
                r#"{"GrokClassifier": {"Name": "a", "Classification": "x"}}"#,
                "GrokPattern is missing",
            ),
            (
                r#"{"CsvClassifier": {"Name": "a", "Delimiter": "|", "QuoteSymbol": "|"}}"#,
                "QuoteSymbol is the same as Delimiter",
            ),
            (
                r#"{"CsvClassifier": {"Name": "a", "Delimiter": "\n"}}"#,
                "Delimiter is a line break",
            ),
            (
                r#"{"CsvClassifier": {"Name": "a", "CustomDatatypes": ["INTEGER"]}}"#,
                "\"INTEGER\" is none of BINARY",
            ),
        ] {
            let classifier: Classifier = serde_json::from_str(json).unwrap();
            let error = classifier.check().unwrap_err().to_string();
            assert!(error.contains(told), "{json}: {error}");
        }
    }
}
