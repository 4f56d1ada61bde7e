//! Crawlers. Glue API: "Crawler API" (`aws-glue-api-crawler-crawling`); what a field may hold is as the service model
//! of botocore says (`glue/2017-03-31`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::named::{Stamp, check_name, invalid, length, some};
use super::time;
use crate::error::Result;

/// Longest description and table prefix, in characters (Glue API).
const MAX_DESCRIPTION: usize = 2_048;
const MAX_TABLE_PREFIX: usize = 128;
/// How many files of a folder may be sampled (Glue API: `S3Target`).
const SAMPLE_SIZE: std::ops::RangeInclusive<i32> = 1..=249;

/// A crawl with a name: where to look, and what to do with what is found. Glue API: `Crawler`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Crawler {
    /// Its name; case counts.
    pub name: String,
    /// The IAM role it has in Glue. Kept, and of no use here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What it looks at.
    pub targets: CrawlerTargets,
    /// The database its tables go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,
    /// What it is about, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The names of the custom classifiers that it asks before the built-in ones, in order.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub classifiers: Vec<String>,
    /// What it does with what it has crawled before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recrawl_policy: Option<RecrawlPolicy>,
    /// What it does where the files no longer are as the catalog says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_change_policy: Option<SchemaChangePolicy>,
    /// What the names of its tables begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_prefix: Option<String>,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When it was last changed; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_updated: Option<DateTime<Utc>>,
    /// How often it was written, from 1; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Further settings: a JSON object as text ("Setting crawler configuration options", Glue developer guide).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
}

/// What a crawler looks at. Glue API: `CrawlerTargets`, of which Mastic knows the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CrawlerTargets {
    /// Folders in S3, and on any other store that Mastic reads.
    #[serde(
        rename = "S3Targets",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub s3_targets: Vec<S3Target>,
}

/// A folder to crawl. Glue API: `S3Target`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct S3Target {
    /// Its URL or path.
    pub path: String,
    /// Globs of what is left out, in Glue's grammar.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub exclusions: Vec<String>,
    /// How many files of each innermost folder are looked at (1 to 249); all of them if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_size: Option<i32>,
}

/// What a crawler does where files no longer are as the catalog says. Glue API: `SchemaChangePolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SchemaChangePolicy {
    /// Where a table's schema has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_behavior: Option<UpdateBehavior>,
    /// Where a table's files are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_behavior: Option<DeleteBehavior>,
}

/// What a crawler does where a table's schema has changed. Glue API: `UpdateBehavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateBehavior {
    /// It says so, and changes nothing.
    Log,
    /// It changes the table.
    UpdateInDatabase,
}

/// What a crawler does where a table's files are gone. Glue API: `DeleteBehavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeleteBehavior {
    /// It says so, and changes nothing.
    Log,
    /// It deletes the table.
    DeleteFromDatabase,
    /// It marks the table ([`super::parameters::DEPRECATED`]).
    DeprecateInDatabase,
}

/// What a crawler does with what it has crawled before. Glue API: `RecrawlPolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RecrawlPolicy {
    /// Which folders it looks at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recrawl_behavior: Option<RecrawlBehavior>,
}

/// Which folders a crawler looks at when it runs again. Glue API: `RecrawlBehavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecrawlBehavior {
    /// All of them.
    CrawlEverything,
    /// Those that were not there before.
    CrawlNewFoldersOnly,
    /// Those that S3 has sent events about.
    CrawlEventMode,
}

impl Crawler {
    /// What the store writes into it.
    pub(crate) fn stamp(&mut self) -> Stamp<'_> {
        Stamp {
            created: &mut self.creation_time,
            updated: &mut self.last_updated,
            version: &mut self.version,
        }
    }

    /// Whether the two say the same, but for times and version.
    pub fn same_definition(&self, other: &Self) -> bool {
        let strip = |crawler: &Self| {
            let mut crawler = crawler.clone();
            crawler.stamp().clear();
            crawler
        };
        strip(self) == strip(other)
    }

    /// That each field holds what Glue's API allows, and that it looks at files at all.
    ///
    /// # Errors
    ///
    /// [`crate::CatalogError::InvalidName`], [`crate::CatalogError::InvalidDefinition`].
    pub fn check(&self) -> Result<()> {
        check_name("crawler", &self.name)?;
        if let Some(database) = &self.database_name {
            check_name("database", database)?;
        }
        for classifier in &self.classifiers {
            check_name("classifier", classifier)?;
        }
        self.check_fields()
            .map_err(|reason| invalid("crawler", &self.name, reason))
    }

    fn check_fields(&self) -> Result<(), String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        length("Description", &text(&self.description), 0, MAX_DESCRIPTION)?;
        length(
            "TablePrefix",
            &text(&self.table_prefix),
            0,
            MAX_TABLE_PREFIX,
        )?;
        if self.targets.s3_targets.is_empty() {
            return Err("it has no S3Targets, and Mastic crawls files only".to_owned());
        }
        for target in &self.targets.s3_targets {
            some("the Path of a target", &target.path)?;
            if let Some(size) = target
                .sample_size
                .filter(|size| !SAMPLE_SIZE.contains(size))
            {
                return Err(format!(
                    "the SampleSize of {} is {size}, and it is from {} to {}",
                    target.path,
                    SAMPLE_SIZE.start(),
                    SAMPLE_SIZE.end()
                ));
            }
        }
        if let Some(configuration) = self
            .configuration
            .as_deref()
            .filter(|text| !text.is_empty())
            && let Err(error) =
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(configuration)
        {
            return Err(format!("its Configuration is no JSON object: {error}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `aws glue get-crawler` prints it (shape: botocore, `glue/2017-03-31`).
    const PRINTED: &str = r#"{"Name": "Sales crawler", "Role": "arn:aws:iam::1:role/x",
        "Targets": {"S3Targets": [{"Path": "s3://b/sales/", "Exclusions": ["**.tmp"], "SampleSize": 5}], "JdbcTargets": []},
        "DatabaseName": "sales", "Classifiers": ["csv"], "TablePrefix": "raw_", "State": "READY",
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"},
        "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"}, "CrawlElapsedTime": 0,
        "CreationTime": "2024-05-01T10:00:00+02:00", "LastUpdated": "2024-05-01T10:00:00+02:00",
        "LastCrawl": {"Status": "SUCCEEDED"}, "Version": 4,
        "Configuration": "{\"Version\":1.0,\"Grouping\":{\"TableLevelConfiguration\":2}}"}"#;

    #[test]
    fn what_the_aws_cli_prints_is_read_and_written() {
        let crawler: Crawler = serde_json::from_str(PRINTED).unwrap();
        crawler.check().unwrap();
        assert_eq!(crawler.targets.s3_targets[0].sample_size, Some(5));
        assert_eq!(
            crawler.schema_change_policy,
            Some(SchemaChangePolicy {
                update_behavior: Some(UpdateBehavior::UpdateInDatabase),
                delete_behavior: Some(DeleteBehavior::DeprecateInDatabase),
            })
        );
        let written = serde_json::to_string(&crawler).unwrap();
        for part in [
            r#""Targets":{"S3Targets":[{"Path":"s3://b/sales/","Exclusions":["**.tmp"],"SampleSize":5}]}"#,
            r#""RecrawlPolicy":{"RecrawlBehavior":"CRAWL_NEW_FOLDERS_ONLY"}"#,
            r#""CreationTime":"2024-05-01T08:00:00Z","LastUpdated":"2024-05-01T08:00:00Z","Version":4"#,
        ] {
            assert!(written.contains(part), "{written}");
        }
        assert_eq!(serde_json::from_str::<Crawler>(&written).unwrap(), crawler);
    }

    #[test]
    fn what_is_none_is_told() {
        let error = serde_json::from_str::<Crawler>(
            r#"{"SchemaChangePolicy": {"UpdateBehavior": "MERGE"}}"#,
        )
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("unknown variant `MERGE`, expected `LOG` or `UPDATE_IN_DATABASE`"),
            "{error}"
        );
        for (field, json, told) in [
            ("Name", "\"\"", "it is empty"),
            ("Targets", "{}", "it has no S3Targets"),
            (
                "Targets",
                r#"{"S3Targets": [{"Path": ""}]}"#,
                "the Path of a target is missing",
            ),
            (
                "Targets",
                r#"{"S3Targets": [{"Path": "x", "SampleSize": 250}]}"#,
                "the SampleSize of x is 250, and it is from 1 to 249",
            ),
            ("Configuration", "\"[1]\"", "no JSON object"),
            ("Classifiers", "[\"\"]", "classifier name"),
        ] {
            let mut value: serde_json::Value = serde_json::from_str(PRINTED).unwrap();
            value[field] = serde_json::from_str(json).unwrap();
            let crawler: Crawler = serde_json::from_value(value).unwrap();
            let error = crawler.check().unwrap_err().to_string();
            assert!(error.contains(told), "{field}: {error}");
        }
    }
}
