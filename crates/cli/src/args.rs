//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Run an ETL script
    Run(Run),
    /// Answer SQL over the catalog's tables
    Sql(Sql),
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
  mastic crawl s3://lake/raw s3://lake/more --database shop")]
pub(crate) struct Crawl {
    /// Folders, files or s3://BUCKET/PREFIX
    #[arg(required = true, value_name = "URL")]
    pub(crate) targets: Vec<String>,
    /// The database that the tables go to
    #[arg(long, short, default_value = "default", value_name = "NAME")]
    pub(crate) database: String,
    /// What every table's name begins with
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) prefix: String,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Say why each table came out as it did
    #[arg(long)]
    pub(crate) explain: bool,
    /// Go on without files that cannot be read or are in no known format
    #[arg(long)]
    pub(crate) skip_bad_files: bool,
    /// How many MiB of each file are looked at, decompressed
    #[arg(long, default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) sample: u64,
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
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mastic sql 'SELECT * FROM shop.orders LIMIT 5'
  mastic sql --database shop -f report.sql --output csv
  mastic sql 'SELECT * FROM shop.orders' --to orders.parquet
  mastic sql 'SHOW TABLES'
  mastic sql                           a prompt with history and completion")]
pub(crate) struct Sql {
    /// The statement; without one, a prompt
    pub(crate) query: Option<String>,
    /// Read the statement from a file
    #[arg(long, short, conflicts_with = "query", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The database of table names without one
    #[arg(long, short, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Write the result to a file instead: .parquet, .arrow, .csv or .json
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// How many rows a table on a terminal shows; 0 shows all
    #[arg(long, default_value_t = 200, value_name = "ROWS")]
    pub(crate) max_rows: usize,
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
