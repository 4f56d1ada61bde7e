//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mastic_query::MemoryLimit;
use mastic_query::execution::{Size, Span};

use crate::command::bookmark::Bookmark;
use crate::command::generate::Generate;
use crate::command::match_records::Match;
use crate::command::queries::Queries;
use crate::command::runs::Runs;
use crate::command::workgroup::Workgroup;

/// Crawl files into a catalog, run ETL scripts over it, and query it with SQL.
#[derive(Debug, Parser)]
#[command(
    name = "mastic",
    version,
    after_help = "\
Examples:
  mastic demo                                        see all of it on the sample data
  mastic crawl data/ --database shop                 make tables of the files below data/
  mastic crawl s3://lake/raw --database shop         the same on S3, MinIO, Garage …
  mastic catalog tables                              what is known
  mastic sql 'SELECT count(*) FROM shop.orders'      ask
  mastic run clean_orders.yaml --set day=2024-05-01  run an ETL script
  mastic match customers.csv --output entities.csv   find duplicates

Stores and the catalog are set in the environment (AWS_*, MASTIC_CATALOG) or in mastic.toml."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The catalog: a SQLite file, or postgres://USER@HOST/DATABASE for one that is shared
    /// [default: .mastic/catalog.db]
    #[arg(long, global = true, env = "MASTIC_CATALOG", value_name = "URL")]
    pub(crate) catalog: Option<String>,
    /// How results are written
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
    pub(crate) output: Output,
}

/// How results are written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for people
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON object on each line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make tables of files
    Crawl(Crawl),
    /// Define, run and list crawlers, and show what crawls did
    #[command(subcommand)]
    Crawler(Crawler),
    /// Define formats of your own
    #[command(subcommand)]
    Classifier(Classifier),
    /// Run an ETL script
    Run(Run),
    /// List what runs of scripts read and wrote, and how they ended
    Runs(Runs),
    /// Write a script that maps every column of a source to a target, and resolves every choice
    Generate(Generate),
    /// Show and move what jobs have seen of their sources
    #[command(subcommand)]
    Bookmark(Bookmark),
    /// Answer SQL over the catalog's tables
    Sql(Box<Sql>),
    /// List queries, show what one read and how it ended, read its result again, or stop it
    Queries(Queries),
    /// Define workgroups: what queries may cost, and where their results go
    #[command(subcommand)]
    Workgroup(Box<Workgroup>),
    /// Find the records of a table, or of two, that mean the same thing
    Match(Box<Match>),
    /// Show and change the catalog
    #[command(subcommand)]
    Catalog(Catalog),
    /// Crawl, transform and query the sample data
    Demo(Demo),
    /// Write completions for a shell to standard output
    #[command(
        after_help = "Example:\n  mastic completions bash > ~/.local/share/bash-completion/completions/mastic"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mastic crawl data/ --database shop               folders become tables and partitions
  mastic crawl data/ --database shop --dry-run     what would change
  mastic crawl data/ --database shop --explain     and why
  mastic crawl s3://lake/raw s3://lake/more --database shop --exclude '**/tmp/**'
  mastic crawl s3://lake/raw --database shop --changed s3://lake/raw/orders/day=2024-05-01/

A crawl that is run again and again has a name better: see `mastic crawler --help`.")]
pub(crate) struct Crawl {
    /// Folders, files or s3://BUCKET/PREFIX
    #[arg(required = true, value_name = "URL")]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) policy: Policy,
    #[command(flatten)]
    pub(crate) how: How,
    /// Look at folders only that no crawl has seen
    #[arg(long)]
    pub(crate) new_folders_only: bool,
}

/// What a crawl does with what it finds: what a crawler's definition says.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// The database that the tables go to
    #[arg(long, short, default_value = "default", value_name = "NAME")]
    pub(crate) database: String,
    /// What every table's name begins with
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) prefix: String,
    /// Leave out files and folders, relative to each URL: * within a folder, ** across, ?, [a-z], {a,b}
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Ask a classifier of the catalog before the built-in ones
    #[arg(long = "classifier", value_name = "NAME")]
    pub(crate) classifiers: Vec<String>,
    /// What becomes of a table whose files have other columns than before
    #[arg(long, value_enum, default_value_t = OnUpdate::Merge)]
    pub(crate) on_update: OnUpdate,
    /// What becomes of tables and partitions whose files are gone
    #[arg(long, value_enum, default_value_t = OnDelete::Deprecate)]
    pub(crate) on_delete: OnDelete,
    /// One table for all folders of one format, however their columns differ
    #[arg(long)]
    pub(crate) combine_compatible_schemas: bool,
    /// On which level of folders tables are; 1 is the bucket, or the crawled folder on a local disk
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) table_level: Option<u16>,
    /// Fail, and write nothing, where there are more tables
    #[arg(long, value_name = "N")]
    pub(crate) table_threshold: Option<u32>,
    /// Give partitions no columns of their own where they differ from their table's
    #[arg(long)]
    pub(crate) inherit_from_table: bool,
}

/// How one crawl goes.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Say why each table came out as it did
    #[arg(long)]
    pub(crate) explain: bool,
    /// Fail, and write nothing, where a file cannot be read or is in no known format
    #[arg(long)]
    pub(crate) strict: bool,
    /// Ask the classifiers of a JSON file, in the shape of Glue's API, before all others
    #[arg(long, value_name = "FILE")]
    pub(crate) classifiers_file: Option<PathBuf>,
    /// Look at these files and folders only, which were changed
    #[arg(long, value_name = "URL")]
    pub(crate) changed: Vec<String>,
    /// Look at what these events of S3 name, or at one URL a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "changed")]
    pub(crate) events: Option<PathBuf>,
    /// Then compute the column statistics of each table that changed or has none, which the planner uses
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) statistics: bool,
    /// How many MiB of each file are looked at, decompressed
    #[arg(long, default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) sample: u64,
    /// How many versions of each table are kept
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_versions: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnUpdate {
    /// Add and widen columns, never drop or narrow one
    Merge,
    /// Make the columns what the files have now
    Replace,
    /// Change nothing, and say what differs
    Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnDelete {
    /// Mark tables, drop partitions
    Deprecate,
    /// Delete both
    Delete,
    /// Change nothing, and say what is gone
    Log,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  mastic crawler create orders s3://lake/orders --database shop --exclude '**.tmp'
  mastic crawler run orders
  mastic crawler history orders
  mastic crawler show orders > orders.json           in the shape of Glue's API
  aws glue get-crawlers | mastic catalog import -    those of Glue")]
pub(crate) enum Crawler {
    /// Define a crawler
    Create(CreateCrawler),
    /// List crawlers
    List,
    /// Show a crawler's definition as JSON, in the shape of Glue's API
    Show {
        /// The crawler
        name: String,
    },
    /// Run a crawler
    Run {
        /// The crawler
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// List what crawls saw, changed and skipped, the newest first
    History {
        /// Only the crawls of this crawler
        name: Option<String>,
        /// How many crawls
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// Show one crawl of the history: what it saw, changed and skipped, and why
    Crawl {
        /// Its number
        id: i64,
    },
    /// Bring every table that a crawl changed back to what it was before
    Undo {
        /// The crawl's number
        id: i64,
    },
    /// Delete a crawler's definition; its tables stay
    Delete {
        /// The crawler
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateCrawler {
    /// Its name
    pub(crate) name: String,
    /// Folders, files or s3://BUCKET/PREFIX
    #[arg(required = true, value_name = "URL")]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) policy: Policy,
    /// Which files it looks at when it is run again
    #[arg(long, value_enum, default_value_t = OnRecrawl::Everything)]
    pub(crate) recrawl: OnRecrawl,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Change the crawler where it exists
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnRecrawl {
    /// All; unchanged files are not opened again
    Everything,
    /// Only folders that no crawl has seen
    NewFolders,
    /// Only what --changed or --events name
    Events,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  mastic classifier create-grok app-log --classification app \\
      --pattern '%{TIMESTAMP_ISO8601:at} %{LOGLEVEL:level} %{GREEDYDATA:message}'
  mastic classifier create-csv pipes --delimiter '|' --header absent --names id,name,city
  mastic classifier create-json records --path '$.Records[*]'
  mastic classifier create-xml books --row-tag book
  mastic crawl logs/ --classifier app-log")]
pub(crate) enum Classifier {
    /// Lines that a grok pattern takes apart
    CreateGrok {
        /// Its name
        name: String,
        /// The format that it gives to what it recognises
        #[arg(long, value_name = "NAME")]
        classification: String,
        /// The pattern: %{PATTERN:column:type}
        #[arg(long, value_name = "PATTERN")]
        pattern: String,
        /// Patterns of its own, one NAME REGEX a line
        #[arg(long, value_name = "TEXT")]
        custom_patterns: Option<String>,
        /// Change the classifier where it exists
        #[arg(long)]
        replace: bool,
    },
    /// JSON whose records lie at a path
    CreateJson {
        /// Its name
        name: String,
        /// Where the records are: `$[*]`, `$.Records[*]`
        #[arg(long, value_name = "JSONPATH")]
        path: String,
        /// Change the classifier where it exists
        #[arg(long)]
        replace: bool,
    },
    /// XML whose records are one element
    CreateXml {
        /// Its name
        name: String,
        /// The element
        #[arg(long, value_name = "ELEMENT")]
        row_tag: String,
        /// The format that it gives to what it recognises
        #[arg(long, default_value = "xml", value_name = "NAME")]
        classification: String,
        /// Change the classifier where it exists
        #[arg(long)]
        replace: bool,
    },
    /// CSV of a known dialect
    CreateCsv {
        /// Its name
        name: String,
        /// What stands between values
        #[arg(long, value_name = "CHARACTER")]
        delimiter: Option<char>,
        /// What values are quoted with
        #[arg(long, value_name = "CHARACTER")]
        quote: Option<char>,
        /// Whether the first row names the columns
        #[arg(long, value_enum, default_value_t = HeaderIs::Unknown)]
        header: HeaderIs,
        /// The columns' names
        #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
        names: Vec<String>,
        /// The columns' types
        #[arg(long, value_delimiter = ',', value_name = "TYPE,…")]
        types: Vec<String>,
        /// Keep spaces around values
        #[arg(long)]
        no_trimming: bool,
        /// Take files of one column
        #[arg(long)]
        allow_single_column: bool,
        /// Change the classifier where it exists
        #[arg(long)]
        replace: bool,
    },
    /// Read classifiers from a JSON file, in the shape of Glue's API
    Import {
        /// The file; - is standard input
        file: PathBuf,
        /// Change those that exist
        #[arg(long)]
        replace: bool,
    },
    /// List classifiers
    List,
    /// Show a classifier as JSON, in the shape of Glue's API
    Show {
        /// The classifier
        name: String,
    },
    /// Delete a classifier that no crawler uses
    Delete {
        /// The classifier
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeaderIs {
    /// To be found out
    Unknown,
    /// It does
    Present,
    /// It does not
    Absent,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mastic run samples/scripts/flights_enriched.yaml
  mastic run clean.yaml --set day=2024-05-01 --set out=s3://lake/clean
  mastic run clean.yaml --check        find mistakes without running
  mastic run clean.yaml --explain      show the flow of frames and the plans")]
pub(crate) struct Run {
    /// The script, a YAML file
    pub(crate) script: PathBuf,
    /// Give a parameter a value
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Validate against the catalog, and run nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Show the flow of frames and the plan of each sink, and run nothing
    #[arg(long, conflicts_with = "check")]
    pub(crate) explain: bool,
    /// The database of table names without one
    #[arg(long, short, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// The most memory that sorts, groups, joins and open files may hold, such as 512MB or 2GiB; what does not
    /// fit is spilled to disk [default: no limit]
    #[arg(long, env = "MASTIC_MEMORY_LIMIT", value_name = "SIZE")]
    pub(crate) memory_limit: Option<MemoryLimit>,
    /// What becomes of the script's bookmarks: read what is new and advance; read what is new and stay; read all
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(crate) bookmarks: Bookmarks,
    /// With `--bookmarks pause`: read again what was committed after this run
    #[arg(long, value_name = "RUN", requires = "bookmarks")]
    pub(crate) bookmark_from: Option<String>,
    /// And up to this run
    #[arg(long, value_name = "RUN", requires = "bookmarks")]
    pub(crate) bookmark_to: Option<String>,
}

/// What a run does with bookmarks. Glue: `--job-bookmark-option`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bookmarks {
    /// Read what is new, and advance
    #[default]
    Enable,
    /// Read what is new, and do not advance
    Pause,
    /// Read everything, and do not advance
    Disable,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mastic sql 'SELECT * FROM shop.orders LIMIT 5'
  mastic sql --database shop -f report.sql --output csv
  mastic sql 'SELECT * FROM shop.orders' --to orders.parquet
  mastic sql 'SHOW TABLES'
  mastic sql --reuse 60 'SELECT …'     an hour-old result, while what it read is unchanged
  mastic sql --timeout 30s --memory-limit 1GB 'SELECT …'
  mastic sql                           a prompt with history and completion")]
pub(crate) struct Sql {
    /// The statement, or several with semicolons between them; without one, a prompt
    pub(crate) query: Option<String>,
    /// Read statements from a file: one after another, up to the first that fails
    #[arg(long, short, conflicts_with = "query", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The database of table names without one
    #[arg(long, short, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Write the result to a file instead: .parquet, .arrow, .csv, .json, .orc, .avro or .xml
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// How many rows a table on a terminal shows; 0 shows all. The kept result has all of them
    #[arg(long, default_value_t = 200, value_name = "ROWS")]
    pub(crate) max_rows: usize,
    /// The workgroup, whose limits hold [default: primary]
    #[arg(long, env = "MASTIC_WORKGROUP", value_name = "NAME")]
    pub(crate) workgroup: Option<String>,
    /// Where the result is kept: a folder, s3://BUCKET/PREFIX, or `none` [default: beside a local catalog]
    #[arg(long, env = "MASTIC_RESULTS", value_name = "URL")]
    pub(crate) results: Option<String>,
    /// Use the result of the same statement, if it is no older and nothing that it read has changed; up to 10080
    #[arg(long, value_name = "MINUTES")]
    pub(crate) reuse: Option<u32>,
    /// Stop where more bytes are read of files, such as 10GB
    #[arg(long, value_name = "SIZE")]
    pub(crate) bytes_scanned_limit: Option<Size>,
    /// Stop after so long, such as 30s or 5m
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
    /// Wait while so many queries of the workgroup are at work
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: Option<u32>,
    /// The most memory that sorts, groups, joins and open files may hold, such as 512MB or 2GiB; what does not
    /// fit is spilled to disk [default: no limit]
    #[arg(long, env = "MASTIC_MEMORY_LIMIT", value_name = "SIZE")]
    pub(crate) memory_limit: Option<MemoryLimit>,
    /// The folder to spill to [default: the system's for temporary files]
    #[arg(long, env = "MASTIC_SPILL_DIR", value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the sample data lies
    #[arg(long, default_value = "samples", value_name = "DIR")]
    pub(crate) samples: PathBuf,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  mastic catalog tables
  mastic catalog show shop.orders
  mastic catalog versions shop.orders
  mastic catalog diff shop.orders 3 4
  mastic catalog restore shop.orders 3
  mastic catalog export > catalog.json
  aws glue get-tables --database-name shop | mastic catalog import -")]
pub(crate) enum Catalog {
    /// List databases
    Databases,
    /// List tables
    #[command(visible_alias = "list")]
    Tables {
        /// Only those of this database
        database: Option<String>,
    },
    /// Show a table: columns, partition keys, format and location
    Show {
        /// DATABASE.TABLE
        table: String,
        /// An older version
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// List a table's partitions
    Partitions {
        /// DATABASE.TABLE
        table: String,
        /// Those of an older version
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// List a table's versions
    Versions {
        /// DATABASE.TABLE
        table: String,
    },
    /// Show what differs between two versions of a table
    Diff {
        /// DATABASE.TABLE
        table: String,
        /// The earlier version [default: the one before the later]
        from: Option<i64>,
        /// The later version [default: the current one]
        to: Option<i64>,
    },
    /// Bring back an older version of a table, also of a deleted one, as a new version
    Restore {
        /// DATABASE.TABLE
        table: String,
        /// The version to bring back
        version: i64,
    },
    /// Delete a table, or a database
    Delete {
        /// DATABASE.TABLE, or DATABASE
        name: String,
        /// Delete a database together with its tables
        #[arg(long)]
        cascade: bool,
    },
    /// Write databases, tables and partitions as JSON in Glue's shapes
    Export {
        /// Only these databases
        databases: Vec<String>,
    },
    /// Read what `export` wrote, or what `aws glue get-database(s)`, `get-table(s)` and
    /// `get-partitions` print
    Import {
        /// A JSON file; - is standard input
        file: PathBuf,
        /// The database of tables that name none
        #[arg(long, short, value_name = "NAME")]
        database: Option<String>,
    },
}
