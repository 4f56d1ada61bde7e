//! Glue's data model, in the JSON shapes of its API.
//!
//! Source of the shapes: the *Catalog* pages of the AWS Glue API reference
//! (`aws-glue-api-catalog-databases`, `-tables`, `-partitions`), and the *Crawlers and classifiers* pages. Empty and absent fields are left out when written;
//! fields that Mastic has no use for (`CatalogId`, `CreatedBy`, `IsRegisteredWithLakeFormation`…) are read over.

use std::collections::BTreeMap;
use std::fmt;

use arrow_schema::{Field, Fields};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{CatalogError, Result};

mod bookmark;
mod choices;
mod classifier;
mod crawl;
mod crawler;
pub(crate) mod named;
pub mod parameters;
mod process;
mod query;
mod run;
mod statistics;
mod time;
mod transform;
mod version;
mod workgroup;

pub use bookmark::{
    Bookmark, BookmarkCommit, BookmarkPosition, NewCommit, PendingCommit, PlannedBookmark,
    RewindTo, Seen, SinkCommit, SourceObject,
};
pub use choices::{chosen_columns, set_choices};
pub use classifier::{
    Classifier, CsvClassifier, CsvHeaderOption, CsvSerdeOption, GrokClassifier, JsonClassifier,
    XmlClassifier,
};
pub use crawl::{Crawl, CrawlState, NewCrawl};
pub use crawler::{
    Crawler, CrawlerTargets, DeleteBehavior, RecrawlBehavior, RecrawlPolicy, S3Target,
    SchemaChangePolicy, UpdateBehavior,
};
pub use process::RunProcess;
pub use query::{
    KEPT_QUERY_BYTES, PRIMARY_WORKGROUP, QUERY_BEAT_SECONDS, QUERY_DEAD_AFTER_SECONDS,
    QueryContext, QueryExecution, QueryFailure, QueryFilter, QueryPruning,
    QueryResultConfiguration, QueryReuse, QueryState, QueryStatistics, QueryStatus, StatementType,
};
pub(crate) use run::DIED;
pub use run::{
    DEAD_AFTER_SECONDS, HEARTBEAT_SECONDS, NewRun, Run, RunBeat, RunCast, RunOutcome, RunScript,
    RunState, RunStep, RunSummary, RunTotals, RunVolume,
};
pub use statistics::{
    BinaryColumnStatisticsData, BooleanColumnStatisticsData, ColumnStatistics,
    ColumnStatisticsData, DateColumnStatisticsData, DecimalColumnStatisticsData, DecimalNumber,
    DoubleColumnStatisticsData, LongColumnStatisticsData, StringColumnStatisticsData,
    TableStatistics,
};
pub(crate) use time::optional as optional_time;
pub use transform::MlTransform;
pub use version::VersionId;
pub use workgroup::{
    MAX_REUSE_MINUTES, WorkGroup, WorkGroupConfiguration, WorkGroupResults, WorkGroupState,
};

/// The value of a partition whose key is NULL, in paths and in [`Partition::values`].
///
/// Source: Hive's `hive.exec.default.partition.name`, which Glue and Athena share.
pub const HIVE_DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Free key–value pairs, sorted.
pub type Parameters = BTreeMap<String, String>;

/// A database: a named set of tables. Glue API: `Database`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Database {
    /// Its name, in lower case.
    pub name: String,
    /// What it is about, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where tables made without a location go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_uri: Option<String>,
    /// Free key–value pairs.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub parameters: Parameters,
    /// When it was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub create_time: Option<DateTime<Utc>>,
}

impl Database {
    /// A database with a name and nothing else.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Whether the two say the same, but for the time of creation.
    pub fn same_definition(&self, other: &Self) -> bool {
        let strip = |database: &Self| Self {
            create_time: None,
            ..database.clone()
        };
        strip(self) == strip(other)
    }
}

/// A table: what its files look like, and where they are. Glue API: `Table`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Table {
    /// Its name, in lower case.
    pub name: String,
    /// The database it is in.
    pub database_name: String,
    /// What it is about, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it was first made; the store sets it if it is not given.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub create_time: Option<DateTime<Utc>>,
    /// When this version was made; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub update_time: Option<DateTime<Utc>>,
    /// When its data was last read.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_access_time: Option<DateTime<Utc>>,
    /// Hive's retention time. Nothing in Mastic acts on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<i64>,
    /// Columns, location and format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_descriptor: Option<StorageDescriptor>,
    /// The keys its partitions have values of.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub partition_keys: Vec<Column>,
    /// A view's text as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_original_text: Option<String>,
    /// A view's text with everything spelt out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_expanded_text: Option<String>,
    /// `EXTERNAL_TABLE`, `VIRTUAL_VIEW`…
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_type: Option<String>,
    /// Free key–value pairs, `classification` among them.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub parameters: Parameters,
    /// Which version of the table this is; the store sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
}

impl Table {
    /// A table with names and nothing else.
    pub fn new(database: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            database_name: database.into(),
            ..Self::default()
        }
    }

    /// The data columns, without the partition keys.
    pub fn columns(&self) -> &[Column] {
        self.storage_descriptor
            .as_ref()
            .map_or(&[], |descriptor| &descriptor.columns)
    }

    /// Where the table's files are.
    pub fn location(&self) -> Option<&str> {
        self.storage_descriptor.as_ref()?.location.as_deref()
    }

    /// The format of its files by the name the classifier gave it: `parquet`, `csv`…
    /// (the parameter `classification`, as Glue's crawlers set it).
    pub fn classification(&self) -> Option<&str> {
        self.parameters
            .get(parameters::CLASSIFICATION)
            .map(String::as_str)
    }

    /// The data columns as Arrow fields, all nullable, without the partition keys.
    pub fn arrow_columns(&self) -> Result<Fields> {
        self.arrow_fields(self.columns())
    }

    /// The partition keys as Arrow fields, all nullable.
    pub fn arrow_partition_keys(&self) -> Result<Fields> {
        self.arrow_fields(&self.partition_keys)
    }

    fn arrow_fields(&self, columns: &[Column]) -> Result<Fields> {
        columns
            .iter()
            .map(|column| {
                let data_type =
                    mastic_schema::hive::parse_type(column.hive_type()).map_err(|source| {
                        CatalogError::InvalidType {
                            table: format!("{}.{}", self.database_name, self.name),
                            column: column.name.clone(),
                            text: column.hive_type().to_owned(),
                            source: Box::new(source),
                        }
                    })?;
                Ok(Field::new(&column.name, data_type, true))
            })
            .collect()
    }

    /// Whether the two say the same, but for the times and the version.
    pub fn same_definition(&self, other: &Self) -> bool {
        let strip = |table: &Self| Self {
            create_time: None,
            update_time: None,
            last_access_time: None,
            version_id: None,
            ..table.clone()
        };
        strip(self) == strip(other)
    }
}

/// How files are laid out and read. Glue API: `StorageDescriptor`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StorageDescriptor {
    /// The columns in the files.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub columns: Vec<Column>,
    /// The folder or file, as a URL or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Hive's class name for reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_format: Option<String>,
    /// Hive's class name for writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_format: Option<String>,
    /// Whether the files are compressed as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<bool>,
    /// How many buckets there are; -1 in what Glue's crawlers write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_buckets: Option<i32>,
    /// How rows are read from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde_info: Option<SerDeInfo>,
    /// The columns rows are put in buckets by.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub bucket_columns: Vec<String>,
    /// The columns rows are sorted by.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub sort_columns: Vec<Order>,
    /// Free key–value pairs.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub parameters: Parameters,
    /// Values that are very frequent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skewed_info: Option<SkewedInfo>,
    /// Whether skewed values have folders of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_as_sub_directories: Option<bool>,
}

/// What turns bytes into rows. Glue API: `SerDeInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SerDeInfo {
    /// A name of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Hive's class name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serialization_library: Option<String>,
    /// The SerDe's settings, such as `field.delim`.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub parameters: Parameters,
}

/// A column or a partition key. Glue API: `Column`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Hive type, such as `bigint` or `array<struct<id:int>>`.
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// What it is about, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Free key–value pairs.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub parameters: Parameters,
}

impl Column {
    /// A column of a Hive type.
    pub fn new(name: impl Into<String>, hive_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            type_: Some(hive_type.into()),
            ..Self::default()
        }
    }

    /// Its Hive type; `string` where none is given.
    pub fn hive_type(&self) -> &str {
        self.type_.as_deref().unwrap_or("string")
    }
}

/// A column that rows are sorted by. Glue API: `Order`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Order {
    /// The column's name.
    pub column: String,
    /// 1: ascending, 0: descending.
    pub sort_order: i32,
}

/// Values that are very frequent. Glue API: `SkewedInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SkewedInfo {
    /// The columns that have them.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub skewed_column_names: Vec<String>,
    /// The values.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub skewed_column_values: Vec<String>,
    /// Where each is.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub skewed_column_value_location_maps: Parameters,
}

/// A part of a table's data that shares one value of each partition key. Glue API: `Partition`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Partition {
    /// The values as text, in the order of the table's partition keys.
    /// NULL is [`HIVE_DEFAULT_PARTITION`].
    pub values: Vec<String>,
    /// The database of its table; the store sets it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub database_name: String,
    /// Its table; the store sets it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table_name: String,
    /// When it was first made; the store sets it if it is not given.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub creation_time: Option<DateTime<Utc>>,
    /// When its data was last read.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::optional")]
    pub last_access_time: Option<DateTime<Utc>>,
    /// Its location, and columns and format where it has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_descriptor: Option<StorageDescriptor>,
    /// Free key–value pairs.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "time::null_is_default"
    )]
    pub parameters: Parameters,
}

impl Partition {
    /// A partition with values and a location.
    pub fn new<V: Into<String>>(
        values: impl IntoIterator<Item = V>,
        location: impl Into<String>,
    ) -> Self {
        Self {
            values: values.into_iter().map(Into::into).collect(),
            storage_descriptor: Some(StorageDescriptor {
                location: Some(location.into()),
                ..StorageDescriptor::default()
            }),
            ..Self::default()
        }
    }

    /// Where the partition's files are.
    pub fn location(&self) -> Option<&str> {
        self.storage_descriptor.as_ref()?.location.as_deref()
    }
}

/// One version of a table, as [`crate::CatalogStore::list_table_versions`] tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TableVersion {
    /// Its number.
    pub version: VersionId,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Who or what made it: `crawl`, `run NAME`…
    pub by: String,
    /// The table as of this version.
    pub table: Table,
    /// How many partitions this version added.
    pub partitions_added: u64,
    /// How many it removed.
    pub partitions_removed: u64,
    /// How many it gave another definition.
    pub partitions_changed: u64,
}

/// Shows partition values as `a/b`, for messages.
pub(crate) struct ShowValues<'a>(pub(crate) &'a [String]);

impl fmt::Display for ShowValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_aws_cli_prints_is_read() {
        let json = r#"{"Name":"flights","DatabaseName":"demo","CreateTime":"2018-06-07T11:55:10-07:00",
            "UpdateTime":1528397710.25,"Retention":0,"PartitionKeys":null,"TableType":"EXTERNAL_TABLE",
            "StorageDescriptor":{"Columns":[{"Name":"id","Type":"bigint"},{"Name":"t","Type":"array<string>","Comment":"c"}],
              "Location":"s3://b/p/","InputFormat":"org.apache.hadoop.mapred.TextInputFormat","Compressed":false,"NumberOfBuckets":-1,
              "SerdeInfo":{"SerializationLibrary":"x","Parameters":{"field.delim":","}},"SortColumns":[{"Column":"id","SortOrder":1}],
              "StoredAsSubDirectories":false},
            "Parameters":{"classification":"csv"},"CreatedBy":"arn","IsRegisteredWithLakeFormation":false,"CatalogId":"1","VersionId":"17"}"#;
        let table: Table = serde_json::from_str(json).unwrap();
        assert_eq!(table.classification(), Some("csv"));
        assert_eq!(table.version_id, Some(VersionId(17)));
        assert_eq!(
            table.create_time.unwrap().to_rfc3339(),
            "2018-06-07T18:55:10+00:00"
        );
        assert_eq!(
            table.update_time.unwrap().timestamp_millis(),
            1_528_397_710_250
        );
        assert_eq!(table.columns().len(), 2);
        let written = serde_json::to_string(&table).unwrap();
        assert!(written.contains(r#""VersionId":"17""#), "{written}");
        assert!(
            written.contains(r#""CreateTime":"2018-06-07T18:55:10Z""#),
            "{written}"
        );
        assert_eq!(serde_json::from_str::<Table>(&written).unwrap(), table);
    }

    #[test]
    fn little_is_written_of_little() {
        let json = serde_json::to_string(&Table::new("d", "t")).unwrap();
        assert_eq!(json, r#"{"Name":"t","DatabaseName":"d"}"#);
    }

    #[test]
    fn a_type_that_is_none_is_told_with_table_and_column() {
        let mut table = Table::new("d", "t");
        table.storage_descriptor = Some(StorageDescriptor {
            columns: vec![Column::new("ok", "bigint"), Column::new("bad", "strin")],
            ..StorageDescriptor::default()
        });
        let message = table.arrow_columns().unwrap_err().to_string();
        assert!(
            message.contains("d.t") && message.contains("bad"),
            "{message}"
        );
    }
}
