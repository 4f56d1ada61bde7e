//! Custom classifiers: formats that a person describes.
//!
//! The four kinds and what they say are those of Glue ("Writing custom classifiers", AWS Glue developer guide).

use arrow::datatypes::{DataType, Field, Fields};
use mastic_schema::hive::parse_type;
use mastic_schema::names::column_names;

use super::csv::{Said, classify};
use super::{
    FileFormat, GrokOptions, Head, Inference, JsonOptions, JsonPath, XmlOptions, grok, json, xml,
};
use crate::error::LakeError;
use crate::infer::Node;

/// A format that a person describes. [`Classifier::checked`] makes sure that it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Classifier {
    /// Lines that a grok pattern matches.
    Grok {
        /// The classifier's name.
        name: String,
        /// What the format is called.
        classification: String,
        /// The pattern.
        pattern: String,
        /// Patterns that it refers to, a name and an expression on each line.
        custom_patterns: String,
    },
    /// JSON whose records are somewhere within.
    Json {
        /// The classifier's name.
        name: String,
        /// Where: see [`JsonPath`].
        path: String,
    },
    /// XML whose records are elements of this name.
    Xml {
        /// The classifier's name.
        name: String,
        /// What the format is called. Files are read as XML whatever it is.
        classification: String,
        /// The element that is a record.
        row_tag: String,
    },
    /// Delimited text.
    Csv {
        /// The classifier's name.
        name: String,
        /// What stands between cells; found out where it is not given.
        delimiter: Option<u8>,
        /// What cells may be quoted with; found out where it is not given.
        quote: Option<u8>,
        /// Whether the first row names the columns.
        contains_header: HeaderPresence,
        /// The columns' names. A file's own header must be the same.
        header: Vec<String>,
        /// Whether cells keep the blanks around them. Columns of text keep them in any case, and values of
        /// other types are read without them in any case: kept for catalogs.
        disable_trimming: bool,
        /// Whether a file of one column is a table.
        allow_single_column: bool,
        /// The columns' types, Hive's, in their order.
        types: Vec<String>,
    },
}

/// Whether a file has a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderPresence {
    /// To be found out.
    #[default]
    Unknown,
    /// It has one.
    Present,
    /// It has none.
    Absent,
}

/// A classifier that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the classifier '{classifier}' cannot be used: {reason}")]
pub struct ClassifierError {
    /// Its name.
    pub classifier: String,
    /// Why not.
    pub reason: String,
}

impl From<ClassifierError> for LakeError {
    fn from(error: ClassifierError) -> Self {
        LakeError::Option(error.to_string())
    }
}

/// The byte that a classifier's delimiter or quote is, which people give as text.
///
/// # Errors
/// When the text is no single one-byte character.
pub fn character(classifier: &str, what: &str, text: &str) -> Result<u8, ClassifierError> {
    let plain = match text {
        "\\t" => "\t",
        "\\u0001" => "\u{1}",
        other => other,
    };
    match plain.as_bytes() {
        [one] if one.is_ascii() && !matches!(one, 0 | b'\n' | b'\r') => Ok(*one),
        _ => Err(ClassifierError {
            classifier: classifier.to_owned(),
            reason: format!("its {what} is '{text}', and only one-byte characters can be one"),
        }),
    }
}

/// How sure a classifier is of a file, and why.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) format: Option<FileFormat>,
    pub(super) certainty: f32,
    pub(super) reason: String,
}

impl Verdict {
    fn none(reason: impl Into<String>) -> Self {
        Verdict {
            format: None,
            certainty: 0.0,
            reason: reason.into(),
        }
    }
}

impl Classifier {
    /// The classifier's name.
    pub fn name(&self) -> &str {
        match self {
            Classifier::Grok { name, .. }
            | Classifier::Json { name, .. }
            | Classifier::Xml { name, .. }
            | Classifier::Csv { name, .. } => name,
        }
    }

    fn bad(&self, reason: impl ToString) -> ClassifierError {
        ClassifierError {
            classifier: self.name().to_owned(),
            reason: reason.to_string(),
        }
    }

    /// The classifier, if it can be used.
    ///
    /// # Errors
    /// When a pattern, path, element name, delimiter or type is none.
    pub fn checked(self) -> Result<Self, ClassifierError> {
        match &self {
            Classifier::Grok { .. } => self.grok_options().check().map_err(|e| self.bad(e))?,
            Classifier::Json { path, .. } => {
                JsonPath::parse(path).map_err(|e| self.bad(e))?;
            }
            Classifier::Xml { row_tag, .. } => {
                let named = |c: char| c.is_alphanumeric() || "_-.:".contains(c);
                let begins = row_tag.chars().next();
                if !begins.is_some_and(|c| c.is_alphabetic() || c == '_')
                    || !row_tag.chars().all(named)
                {
                    return Err(self.bad(format!("'{row_tag}' is no name of an element")));
                }
            }
            Classifier::Csv {
                delimiter,
                quote,
                header,
                types,
                ..
            } => {
                for (what, byte) in [("delimiter", delimiter), ("quote", quote)] {
                    let Some(byte) = byte else { continue };
                    if !byte.is_ascii() || matches!(byte, 0 | b'\n' | b'\r') {
                        return Err(self.bad(format!("its {what} is the byte 0x{byte:02x}")));
                    }
                }
                if delimiter.is_some() && delimiter == quote {
                    return Err(self.bad("its delimiter and its quote are the same"));
                }
                if !header.is_empty() && !types.is_empty() && header.len() != types.len() {
                    return Err(self.bad(format!(
                        "it names {} columns and {} types",
                        header.len(),
                        types.len()
                    )));
                }
                for name in types {
                    parse_type(name).map_err(|e| self.bad(e))?;
                }
            }
        }
        Ok(self)
    }

    fn grok_options(&self) -> GrokOptions {
        match self {
            Classifier::Grok {
                classification,
                pattern,
                custom_patterns,
                ..
            } => GrokOptions {
                classification: classification.clone(),
                pattern: pattern.clone(),
                custom_patterns: custom_patterns.clone(),
                ..GrokOptions::default()
            },
            other => GrokOptions {
                classification: other.name().to_owned(),
                ..GrokOptions::default()
            },
        }
    }

    /// What this classifier makes of a file: `text` is its head as UTF-8, `raw` as it is stored.
    pub(super) fn classify(
        &self,
        raw: &Head<'_>,
        text: &Head<'_>,
    ) -> Result<Verdict, ClassifierError> {
        match self {
            Classifier::Grok { .. } => {
                if text.bytes.contains(&0) {
                    return Ok(Verdict::none("it is binary"));
                }
                let options = self.grok_options();
                let (certainty, reason) =
                    grok::certainty(text, &options).map_err(|e| self.bad(e))?;
                Ok(Verdict {
                    format: (certainty > 0.0).then_some(FileFormat::Grok(options)),
                    certainty,
                    reason,
                })
            }
            Classifier::Json { path, .. } => {
                let path = JsonPath::parse(path).map_err(|e| self.bad(e))?;
                Ok(match json::leads_to_records(text, &path) {
                    Ok(reason) => Verdict {
                        format: Some(FileFormat::Json(JsonOptions {
                            path: Some(path),
                            keyed: None,
                            ..JsonOptions::default()
                        })),
                        certainty: 1.0,
                        reason,
                    },
                    Err(reason) => Verdict::none(reason),
                })
            }
            Classifier::Xml { row_tag, .. } => Ok(match xml::holds(text, row_tag) {
                true => Verdict {
                    format: Some(FileFormat::Xml(XmlOptions::new(row_tag.clone()))),
                    certainty: 1.0,
                    reason: format!("the text is XML with the element <{row_tag}>"),
                },
                false => Verdict::none(format!("it is no XML with the element <{row_tag}>")),
            }),
            Classifier::Csv {
                delimiter,
                quote,
                contains_header,
                header,
                allow_single_column,
                ..
            } => {
                let said = Said {
                    delimiter: *delimiter,
                    quote: *quote,
                    header: match contains_header {
                        HeaderPresence::Unknown => None,
                        HeaderPresence::Present => Some(true),
                        HeaderPresence::Absent => Some(false),
                    },
                    names: header,
                    single_column: *allow_single_column,
                };
                Ok(match classify(raw, &said) {
                    Ok((options, certainty, reason)) => Verdict {
                        format: Some(FileFormat::Csv(options)),
                        certainty,
                        reason,
                    },
                    Err(reason) => Verdict::none(reason),
                })
            }
        }
    }

    /// The columns as the classifier names and types them.
    pub(super) fn describe(&self, inference: &mut Inference) {
        let Classifier::Csv { header, types, .. } = self else {
            return;
        };
        let names = column_names(header.iter().map(String::as_str));
        let types: Vec<DataType> = types.iter().filter_map(|t| parse_type(t).ok()).collect();
        if let Some(node) = &mut inference.node {
            let mut renamed = Node::default();
            for (i, field) in inference.fields.iter().enumerate() {
                let name = names.get(i).unwrap_or(field.name());
                if let Some((_, seen)) = node.fields().find(|(n, _)| *n == field.name()) {
                    *renamed.field(name) = seen.clone();
                }
            }
            *node = renamed;
        }
        let all = [Some(&mut inference.fields), inference.choices.as_mut()];
        for fields in all.into_iter().flatten() {
            let described = fields.iter().enumerate().map(|(i, field)| {
                let name = names.get(i).unwrap_or(field.name());
                let data_type = types.get(i).unwrap_or(field.data_type());
                Field::new(name, data_type.clone(), true)
            });
            *fields = described.collect::<Fields>();
        }
    }
}
