//! What is to be crawled, and how.

use mastic_lake::format::{Classifier, Limits};

/// A place to look for files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// A folder, a file or an `s3://` prefix.
    pub url: String,
    /// Globs, relative to the URL, of files and folders to leave out. The grammar is Glue's
    /// ("Defining crawlers", Glue developer guide).
    pub exclusions: Vec<String>,
}

impl Target {
    /// A place without exclusions.
    pub fn new(url: impl Into<String>) -> Self {
        Target {
            url: url.into(),
            exclusions: Vec::new(),
        }
    }
}

/// What becomes of a table whose files have another schema than before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UpdateBehavior {
    /// Columns are added and widened, never dropped or narrowed. Glue's `MergeNewColumns`, which does
    /// not widen.
    #[default]
    MergeNewColumns,
    /// The table gets the schema that its files have now: columns go and change their types, too. Glue's
    /// `UPDATE_IN_DATABASE`.
    UpdateInDatabase,
    /// The table stays as it is, and what differs is reported. Glue's `LOG`.
    Log,
}

/// What becomes of tables and partitions whose files are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeleteBehavior {
    /// Tables are marked; partitions leave their table's current version. Glue's
    /// `DEPRECATE_IN_DATABASE`.
    #[default]
    Deprecate,
    /// Tables and partitions are deleted; `restore` brings them back. Glue's `DELETE_FROM_DATABASE`.
    Delete,
    /// They stay, and are reported. Glue's `LOG`.
    Log,
}

/// Which files are looked at by a crawl that is not the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Recrawl {
    /// All; those that are as they were (size, time, ETag) are not opened.
    #[default]
    Everything,
    /// Only those of folders that no crawl has seen.
    NewFolders,
    /// Only these files and folders, which somebody says were changed: Glue's event mode.
    Changed(Vec<String>),
}

/// What is to be crawled, and how.
#[derive(Debug, Clone)]
pub struct CrawlOptions {
    /// Where to look.
    pub targets: Vec<Target>,
    /// The database that the tables go to. It is made where it is missing.
    pub database: String,
    /// What every table's name begins with.
    pub prefix: String,
    /// The crawler of the catalog that this is a run of.
    pub crawler: Option<String>,
    /// Classifiers that are asked before the built-in ones.
    pub classifiers: Vec<Classifier>,
    /// How much of each file is looked at.
    pub limits: Limits,
    /// How many files are examined at once.
    pub concurrency: usize,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
    /// Fail, and write nothing, where any file cannot be read or is in no known format.
    pub strict: bool,
    /// What becomes of tables whose files changed their schema.
    pub update: UpdateBehavior,
    /// What becomes of tables and partitions whose files are gone.
    pub delete: DeleteBehavior,
    /// Which files are looked at.
    pub recrawl: Recrawl,
    /// One table for all folders of one format, however their schemas differ. Glue's
    /// `CombineCompatibleSchemas`.
    pub combine_compatible_schemas: bool,
    /// At which level of folders tables are, where that is not to be found out: 1 is the bucket, or the
    /// crawled folder itself on a local disk. Glue's `TableLevelConfiguration`.
    pub table_level: Option<usize>,
    /// How many tables a crawl may make at most; it fails beyond that. Glue's `TableThreshold`.
    pub table_threshold: Option<usize>,
    /// Partitions are not given columns of their own where they differ from their table's. Glue's
    /// `InheritFromTable`.
    pub inherit_from_table: bool,
    /// How many versions of each table are kept.
    pub keep_versions: u32,
}

impl CrawlOptions {
    /// Options with everything at its default.
    pub fn new(targets: impl IntoIterator<Item = String>, database: impl Into<String>) -> Self {
        CrawlOptions {
            targets: targets.into_iter().map(Target::new).collect(),
            database: database.into(),
            prefix: String::new(),
            crawler: None,
            classifiers: Vec::new(),
            limits: Limits::default(),
            concurrency: 16,
            dry_run: false,
            strict: false,
            update: UpdateBehavior::default(),
            delete: DeleteBehavior::default(),
            recrawl: Recrawl::default(),
            combine_compatible_schemas: false,
            table_level: None,
            table_threshold: None,
            inherit_from_table: false,
            keep_versions: mastic_catalog::store::KEPT_VERSIONS,
        }
    }
}
