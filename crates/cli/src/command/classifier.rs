//! `mastic classifier`.

use std::io::Read;
use std::path::Path;

use mastic_catalog::model::{
    CsvClassifier, CsvHeaderOption, GrokClassifier, JsonClassifier, XmlClassifier,
};
use mastic_catalog::{Classifier, DefinitionOutcome};
use mastic_crawler::custom_classifiers;
use serde_json::Value;

use crate::args::{Classifier as Command, Global, HeaderIs};
use crate::command::catalog::json;
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::output::Listing;

pub(crate) async fn run(command: Command, global: &Global, setting: &Setting) -> Result<()> {
    let (made, replace) = match command {
        Command::List => return list(setting, global).await,
        Command::Show { name } => {
            let catalog = setting.existing_catalog().await?;
            return json(&catalog.get_classifier(&name).await?);
        }
        Command::Delete { name } => {
            let catalog = setting.existing_catalog().await?;
            catalog.delete_classifier(&name).await?;
            anstream::eprintln!("deleted classifier {name}");
            return Ok(());
        }
        Command::Import { file, replace } => (read(&file)?, replace),
        Command::CreateGrok {
            name,
            classification,
            pattern,
            custom_patterns,
            replace,
        } => {
            let grok = GrokClassifier {
                name,
                classification,
                grok_pattern: pattern,
                custom_patterns,
                ..GrokClassifier::default()
            };
            (vec![Classifier::Grok(grok)], replace)
        }
        Command::CreateJson {
            name,
            path,
            replace,
        } => {
            let json = JsonClassifier {
                name,
                json_path: path,
                ..JsonClassifier::default()
            };
            (vec![Classifier::Json(json)], replace)
        }
        Command::CreateXml {
            name,
            row_tag,
            classification,
            replace,
        } => {
            let xml = XmlClassifier {
                name,
                classification,
                row_tag: Some(row_tag),
                ..XmlClassifier::default()
            };
            (vec![Classifier::Xml(xml)], replace)
        }
        Command::CreateCsv {
            name,
            delimiter,
            quote,
            header,
            names,
            types,
            no_trimming,
            allow_single_column,
            replace,
        } => {
            let csv = CsvClassifier {
                name,
                delimiter,
                quote_symbol: quote,
                contains_header: Some(match header {
                    HeaderIs::Unknown => CsvHeaderOption::Unknown,
                    HeaderIs::Present => CsvHeaderOption::Present,
                    HeaderIs::Absent => CsvHeaderOption::Absent,
                }),
                header: names,
                disable_value_trimming: no_trimming.then_some(true),
                allow_single_column: allow_single_column.then_some(true),
                custom_datatype_configured: (!types.is_empty()).then_some(true),
                custom_datatypes: types,
                ..CsvClassifier::default()
            };
            (vec![Classifier::Csv(csv)], replace)
        }
    };
    // What no file could be shown to is refused now, not when it is first used.
    custom_classifiers(&made)?;
    let catalog = setting.catalog().await?;
    for classifier in made {
        let name = classifier.name().to_owned();
        let done = match catalog.put_classifier(classifier, replace).await? {
            DefinitionOutcome::Created => "new",
            DefinitionOutcome::Unchanged => "unchanged",
            _ => "changed",
        };
        anstream::eprintln!("classifier {name}: {done}");
    }
    Ok(())
}

async fn list(setting: &Setting, global: &Global) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    let mut listing = Listing::new(&["classifier", "kind", "recognises", "version"]);
    for classifier in catalog.list_classifiers().await? {
        let what = match &classifier {
            Classifier::Grok(c) => c.grok_pattern.clone(),
            Classifier::Xml(c) => format!("<{}>", c.row_tag.as_deref().unwrap_or_default()),
            Classifier::Json(c) => c.json_path.clone(),
            Classifier::Csv(c) => {
                let between = c.delimiter.map(|d| format!("values between {d:?}"));
                between.unwrap_or_else(|| "values between any character".into())
            }
        };
        listing.push(vec![
            classifier.name().to_owned(),
            classifier.kind().to_owned(),
            what,
            classifier
                .version()
                .map(|v| v.to_string())
                .unwrap_or_default(),
        ]);
    }
    listing.write(global.output)
}

/// The text of a file, or of standard input.
pub(crate) fn text_of(file: &Path) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| CliError::failed(format!("cannot read standard input: {e}")))?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
        .map_err(|e| CliError::failed(format!("cannot read {}: {e}", file.display())))
}

/// Classifiers in the shape of Glue's API: one, an array of them, or what `aws glue get-classifiers` prints.
pub(crate) fn read(file: &Path) -> Result<Vec<Classifier>> {
    let bad = |e: &dyn std::fmt::Display| {
        CliError::hinted(
            format!("cannot read classifiers from {}: {e}", file.display()),
            Some("a classifier is written as in Glue's API: {\"CsvClassifier\": {\"Name\": \"pipes\", \"Delimiter\": \"|\"}}".into()),
        )
    };
    let value: Value = serde_json::from_str(&text_of(file)?).map_err(|e| bad(&e))?;
    let all = match value {
        Value::Object(mut object) if object.contains_key("Classifiers") => {
            object.remove("Classifiers").unwrap_or_default()
        }
        one @ Value::Object(_) => Value::Array(vec![one]),
        other => other,
    };
    serde_json::from_value(all).map_err(|e| bad(&e))
}
