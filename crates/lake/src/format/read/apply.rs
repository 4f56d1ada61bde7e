//! Files looked at with what is said of them.

use arrow::datatypes::{Field, FieldRef, Fields};
use mastic_schema::names::column_names;

use super::super::{
    Chosen, Considered, CsvOptions, Examined, FileFormat, Found, GrokOptions, Head, Inference,
    JsonOptions, Limits, classify, csv, examine_by, grok, json, xml,
};
use super::{Kind, ReadOptions};
use crate::error::{LakeError, Result};
use crate::input::Input;

/// What a log is called whose pattern is given.
pub(super) const GROK: &str = "grok";

/// Tells a file's format, compression and schema, as [`super::super::examine`] does, where some of it is
/// given; for a dynamic frame (`lenient`) records that cannot be read are passed over. Blocks: see [`Input`].
///
/// # Errors
/// As [`super::super::examine`], and when the file is not what is said of it.
pub fn examine_with(
    input: &Input,
    limits: &Limits,
    options: &ReadOptions,
    lenient: bool,
) -> Result<Examined> {
    options.check()?;
    let mut examined = examine_by(input, limits, lenient, |raw, text| {
        options.classify(raw, text)
    })?;
    let found = examined.format.classification();
    if let Some(expected) = options.expected().filter(|e| *e != found) {
        return Err(input.bad(format!("it is {found}, and {expected} was expected")));
    }
    let compression = examined.compression.to_string();
    if let Some(expected) = options.compression.as_ref().filter(|c| **c != compression) {
        return Err(input.bad(format!(
            "its compression is {compression}, and compressionType is {expected}"
        )));
    }
    options.describe(input, &mut examined.inference)?;
    Ok(examined)
}

fn given(format: FileFormat, reason: String) -> Chosen {
    Chosen {
        classifier: format.classification().to_owned(),
        format,
        certainty: 1.0,
        reason,
        custom: None,
    }
}

impl ReadOptions {
    fn classify(&self, raw: &Head<'_>, text: &Head<'_>) -> Result<Found> {
        let chosen = match self.kind {
            Some(Kind::Csv) => self.csv(raw)?,
            Some(Kind::Json) => self.json(text)?,
            Some(Kind::Xml) => self.xml(text)?,
            Some(Kind::Grok) => self.grok(text)?,
            _ => None,
        };
        let Some(chosen) = chosen else {
            return classify(raw, text, &[]);
        };
        Ok(Found {
            considered: vec![Considered {
                classifier: chosen.classifier.clone(),
                certainty: chosen.certainty,
                reason: chosen.reason.clone(),
            }],
            chosen: Some(chosen),
            unknown: String::new(),
        })
    }

    /// The dialect: what is given, and the rest as it is found under that.
    fn csv(&self, raw: &Head<'_>) -> Result<Option<Chosen>> {
        let said = &self.csv;
        if *said == super::CsvGiven::default() && self.schema.is_none() {
            return Ok(None);
        }
        let header = match (said.header, said.skip_first) {
            (None, true) => Some(false),
            (header, _) => header,
        };
        let forced = csv::Forced {
            delimiter: said.delimiter,
            quote: said.quote.flatten(),
            header,
            single_column: true,
        };
        let (mut options, reason) = match csv::sniff_with(raw, &forced) {
            Some((options, _, why)) => (options, format!("as is said of it: {why}")),
            // Too little to tell a dialect by: it is what is said of it, if it is text at all.
            None if !raw.bytes.contains(&0) => {
                let options = CsvOptions {
                    delimiter: said.delimiter.unwrap_or(b','),
                    header: header.unwrap_or(false),
                    ..CsvOptions::default()
                };
                (options, "it is said to be CSV".to_owned())
            }
            None => return Ok(None),
        };
        if let Some(quote) = said.quote {
            options.quote = quote;
        }
        if let Some(escape) = said.escape {
            options.escape = escape.filter(|e| options.quote != Some(*e));
        }
        if let Some(comment) = said.comment {
            options.comment = comment;
            options.per_file = false;
        }
        if let Some(lines) = said.skip.or(said.skip_first.then_some(1)) {
            options.preamble = lines;
            options.per_file = false;
        }
        if said.encoding.is_some() {
            options.encoding.clone_from(&said.encoding);
        }
        options.text_nulls.clone_from(&said.nulls);
        if !said.names.is_empty() {
            self.name_columns(raw, header, &mut options)?;
        }
        Ok(Some(given(FileFormat::Csv(options), reason)))
    }

    /// Whether the first row is a header, where the columns' names are given: where it is said to be one, or
    /// has those names. A header with other names is a line to skip, and columns go by their place.
    fn name_columns(
        &self,
        raw: &Head<'_>,
        header: Option<bool>,
        options: &mut CsvOptions,
    ) -> Result<()> {
        options.header = header != Some(false);
        let normal = |name: &String| name.trim().to_lowercase();
        let same = options.header
            && csv::first_row(raw, options)
                .map_err(LakeError::Option)?
                .iter()
                .map(normal)
                .eq(self.csv.names.iter().map(normal));
        if !same {
            options.preamble += u64::from(header == Some(true));
            options.per_file = options.per_file && header != Some(true);
            options.header = false;
        }
        Ok(())
    }

    fn json(&self, text: &Head<'_>) -> Result<Option<Chosen>> {
        let Some(path) = &self.json else {
            return Ok(None);
        };
        let reason = json::leads_to_records(text, path)
            .map_err(|why| LakeError::data(text.name, format!("jsonPath cannot be used: {why}")))?;
        let options = JsonOptions {
            path: Some(path.clone()),
            keyed: None,
            ..JsonOptions::default()
        };
        Ok(Some(given(FileFormat::Json(options), reason)))
    }

    fn xml(&self, text: &Head<'_>) -> Result<Option<Chosen>> {
        let said = &self.xml;
        let sniffed = match &said.row_tag {
            None => xml::sniff(text).map(|(options, _, reason)| (options.row_tag, reason)),
            Some(tag) if xml::holds(text, tag) => Some((
                tag.clone(),
                format!("the text is XML with the element <{tag}>"),
            )),
            Some(tag) if xml::sniff(text).is_some() => {
                return Err(LakeError::data(
                    text.name,
                    format!("it has no element <{tag}>, which rowTag asks for"),
                ));
            }
            Some(_) => None,
        };
        let Some((row_tag, reason)) = sniffed else {
            return Ok(None);
        };
        let mut options = xml::XmlOptions::new(row_tag);
        let text = |own: &mut String, said: &Option<String>| {
            if let Some(said) = said {
                own.clone_from(said);
            }
        };
        text(&mut options.attribute_prefix, &said.attribute_prefix);
        text(&mut options.value_tag, &said.value_tag);
        options.exclude_attributes = said.exclude_attributes.unwrap_or_default();
        options.empty_is_null = said.empty_is_null.unwrap_or(options.empty_is_null);
        options.trim = said.trim.unwrap_or(options.trim);
        options.null.clone_from(&said.null);
        options.encoding.clone_from(&said.encoding);
        Ok(Some(given(FileFormat::Xml(options), reason)))
    }

    /// The log's pattern, where there is one.
    pub(super) fn grok_options(&self) -> Option<GrokOptions> {
        let said = &self.grok;
        let mut options = match (&said.pattern, &said.known) {
            (Some(pattern), known) => GrokOptions {
                classification: known
                    .as_ref()
                    .map_or(GROK.to_owned(), |k| k.classification.clone()),
                pattern: pattern.clone(),
                ..GrokOptions::default()
            },
            (None, known) => known.clone()?,
        };
        options.custom_patterns.clone_from(&said.custom_patterns);
        options.missing.clone_from(&said.missing);
        options.strict = said.strict.unwrap_or(options.strict);
        Some(options)
    }

    fn grok(&self, text: &Head<'_>) -> Result<Option<Chosen>> {
        let bare = super::GrokGiven {
            known: self.grok.known.clone(),
            ..super::GrokGiven::default()
        };
        // A log that is known by name is told by its lines, as ever.
        let said = self.grok != bare && !text.bytes.contains(&0);
        let Some(options) = self.grok_options().filter(|_| said) else {
            return Ok(None);
        };
        let (share, reason) =
            grok::certainty(text, &options).map_err(|e| LakeError::Option(e.to_string()))?;
        if share == 0.0 {
            return Err(LakeError::data(
                text.name,
                format!("logFormat matches none of its lines: {reason}"),
            ));
        }
        Ok(Some(given(FileFormat::Grok(options), reason)))
    }

    /// The columns as they are named and typed.
    fn describe(&self, input: &Input, inference: &mut Inference) -> Result<()> {
        let names = &self.csv.names;
        if !names.is_empty() {
            let found = inference.fields.len();
            if found != names.len() {
                return Err(input.bad(format!(
                    "it has {found} columns, and {} are named",
                    names.len()
                )));
            }
            let names = column_names(names.iter().map(String::as_str));
            let renamed = |fields: &Fields| -> Fields {
                let fields = fields.iter().zip(&names);
                fields
                    .map(|(field, name)| Field::new(name, field.data_type().clone(), true))
                    .collect()
            };
            inference.choices = inference.choices.as_ref().map(&renamed);
            inference.fields = renamed(&inference.fields);
            inference.node = None;
        }
        let Some(schema) = &self.schema else {
            return Ok(());
        };
        let typed = |field: &FieldRef| match schema
            .iter()
            .find(|s| s.name().eq_ignore_ascii_case(field.name()))
        {
            Some(said) => field
                .as_ref()
                .clone()
                .with_data_type(said.data_type().clone()),
            None => field.as_ref().clone(),
        };
        // With names of their own, columns are only given types; otherwise these are the columns.
        (inference.fields, inference.choices) = match (names.is_empty(), &inference.choices) {
            (true, _) => (schema.clone(), None),
            (false, choices) => (
                inference.fields.iter().map(typed).collect(),
                choices.as_ref().map(|c| c.iter().map(typed).collect()),
            ),
        };
        inference.node = None;
        Ok(())
    }
}
