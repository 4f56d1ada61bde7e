//! Crawlers and classifiers that are defined in the catalog, in Glue's terms.

use mastic_catalog as catalog;
use mastic_catalog::model::{
    Crawler, CsvHeaderOption, DeleteBehavior as GlueDelete, RecrawlBehavior,
    UpdateBehavior as GlueUpdate,
};
use mastic_lake::LakeError;
use mastic_lake::format::{Classifier, HeaderPresence, character};
use mastic_lake::list::Exclusions;
use serde::Deserialize;

use crate::{CrawlError, CrawlOptions, DeleteBehavior, Recrawl, Result, Target, UpdateBehavior};

/// What the `Configuration` of a crawler may say ("Setting crawler configuration options", Glue developer
/// guide). As in Glue, a key that means nothing is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Configuration {
    #[serde(rename = "Version")]
    _version: Option<f64>,
    grouping: Grouping,
    crawler_output: Output,
    /// Keys of every table are indexed here anyway.
    #[serde(rename = "CreatePartitionIndex")]
    _create_partition_index: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Grouping {
    table_grouping_policy: Option<GroupingPolicy>,
    table_level_configuration: Option<usize>,
}

#[derive(Debug, Deserialize)]
enum GroupingPolicy {
    CombineCompatibleSchemas,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Output {
    tables: Tables,
    partitions: Partitions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Tables {
    add_or_update_behavior: Option<TablesBehavior>,
    table_threshold: Option<usize>,
}

#[derive(Debug, Deserialize)]
enum TablesBehavior {
    MergeNewColumns,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Partitions {
    add_or_update_behavior: Option<PartitionsBehavior>,
}

#[derive(Debug, Deserialize)]
enum PartitionsBehavior {
    InheritFromTable,
}

/// The options that a crawler's definition stands for, with its classifiers. In event mode `changed` names what
/// was changed.
///
/// # Errors
/// When the definition says something that cannot be followed.
pub fn options_of(
    crawler: &Crawler,
    classifiers: &[catalog::Classifier],
    changed: Option<Vec<String>>,
) -> Result<CrawlOptions> {
    let bad = |reason: String| CrawlError::Definition {
        crawler: crawler.name.clone(),
        reason,
    };
    let configuration: Configuration = match &crawler.configuration {
        None => Configuration::default(),
        Some(text) => serde_json::from_str(text)
            .map_err(|e| bad(format!("its Configuration cannot be read: {e}")))?,
    };
    let mut options = CrawlOptions::new([], crawler.database_name.as_deref().unwrap_or("default"));
    for target in &crawler.targets.s3_targets {
        if target.sample_size.is_some() {
            return Err(bad(format!(
                "{} has a SampleSize, and there is no sampling of files: every file is opened once, and never again while it stays as it is",
                target.path
            )));
        }
        Exclusions::new(&target.exclusions).map_err(LakeError::from)?;
        options.targets.push(Target {
            url: target.path.clone(),
            exclusions: target.exclusions.clone(),
        });
    }
    if options.targets.is_empty() {
        return Err(bad("it has no targets".into()));
    }
    options.crawler = Some(crawler.name.clone());
    options.prefix = crawler.table_prefix.clone().unwrap_or_default();
    options.classifiers = custom_classifiers(classifiers)?;
    let policy = crawler.schema_change_policy.unwrap_or_default();
    let merge = configuration
        .crawler_output
        .tables
        .add_or_update_behavior
        .is_some();
    options.update = match policy.update_behavior {
        Some(GlueUpdate::Log) => UpdateBehavior::Log,
        Some(GlueUpdate::UpdateInDatabase) if !merge => UpdateBehavior::UpdateInDatabase,
        _ => UpdateBehavior::MergeNewColumns,
    };
    options.delete = match policy.delete_behavior {
        Some(GlueDelete::Log) => DeleteBehavior::Log,
        Some(GlueDelete::DeleteFromDatabase) => DeleteBehavior::Delete,
        _ => DeleteBehavior::Deprecate,
    };
    let behavior = crawler
        .recrawl_policy
        .unwrap_or_default()
        .recrawl_behavior
        .unwrap_or(RecrawlBehavior::CrawlEverything);
    options.recrawl = match (behavior, changed) {
        (_, Some(changed)) => Recrawl::Changed(changed),
        (RecrawlBehavior::CrawlEverything, None) => Recrawl::Everything,
        (RecrawlBehavior::CrawlNewFoldersOnly, None) => Recrawl::NewFolders,
        (RecrawlBehavior::CrawlEventMode, None) => {
            return Err(bad(
                "it crawls by events, and none were given: name what was changed with --changed or --events".into(),
            ));
        }
    };
    let grouping = configuration.grouping;
    options.combine_compatible_schemas = grouping.table_grouping_policy.is_some();
    options.table_level = grouping.table_level_configuration;
    options.table_threshold = configuration.crawler_output.tables.table_threshold;
    options.inherit_from_table = configuration
        .crawler_output
        .partitions
        .add_or_update_behavior
        .is_some();
    Ok(options)
}

/// Classifiers of the catalog as those that files are shown to.
///
/// # Errors
/// When a pattern, path or character of one cannot be used.
pub fn custom_classifiers(definitions: &[catalog::Classifier]) -> Result<Vec<Classifier>> {
    definitions.iter().map(custom).collect()
}

fn custom(definition: &catalog::Classifier) -> Result<Classifier> {
    let name = definition.name().to_owned();
    let byte = |what: &str, given: Option<char>| {
        let given = given.map(|c| character(&name, what, &c.to_string()));
        given.transpose().map_err(LakeError::from)
    };
    let classifier = match definition {
        catalog::Classifier::Grok(c) => Classifier::Grok {
            classification: c.classification.clone(),
            pattern: c.grok_pattern.clone(),
            custom_patterns: c.custom_patterns.clone().unwrap_or_default(),
            name,
        },
        catalog::Classifier::Xml(c) => Classifier::Xml {
            classification: c.classification.clone(),
            row_tag: c.row_tag.clone().unwrap_or_default(),
            name,
        },
        catalog::Classifier::Json(c) => Classifier::Json {
            path: c.json_path.clone(),
            name,
        },
        catalog::Classifier::Csv(c) => Classifier::Csv {
            delimiter: byte("delimiter", c.delimiter)?,
            quote: byte("quote", c.quote_symbol)?,
            contains_header: match c.contains_header {
                None | Some(CsvHeaderOption::Unknown) => HeaderPresence::Unknown,
                Some(CsvHeaderOption::Present) => HeaderPresence::Present,
                Some(CsvHeaderOption::Absent) => HeaderPresence::Absent,
            },
            header: c.header.clone(),
            disable_trimming: c.disable_value_trimming.unwrap_or(false),
            allow_single_column: c.allow_single_column.unwrap_or(false),
            types: c.custom_datatypes.clone(),
            name,
        },
    };
    Ok(classifier.checked().map_err(LakeError::from)?)
}
