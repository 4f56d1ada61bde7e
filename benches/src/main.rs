//! Mastic's benchmarks: each task beside DuckDB and Polars, in the same run, printed as ratios. See `benches/README.md`.

// A benchmark's report is its standard output, and its progress is its standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod choice;
mod compare;
mod crawl;
mod etl;
mod grow;
mod json;
mod judge;
mod labelled;
mod lake;
mod match_quality;
mod matching;
mod measure;
mod orders;
mod partitions;
mod person_names;
mod persons;
mod python;
mod random;
mod relationalize;
mod report;
mod score;
mod setting;
mod sniff;
mod tpch;
mod tpch_data;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    report::Report,
    setting::{Options, Setting, Who},
};

/// Anything that ends a benchmark.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measure Mastic beside DuckDB and Polars.
#[derive(Parser)]
#[command(
    name = "mastic-benches",
    after_help = "First: cargo build --release\nThen:  cargo run --release -p mastic-benches -- crawl"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Find the schemas and partitions of a lake of small files, and look again when nothing changed.
    Crawl {
        /// How many files the lake has.
        #[arg(long, default_value_t = 10_000)]
        files: usize,
        /// Instead: how time and memory grow with the files, over lakes of `--sizes`.
        #[arg(long)]
        grow: bool,
        /// The lakes of `--grow`, by their number of files.
        #[arg(long, value_delimiter = ',', default_values_t = grow::SIZES, requires = "grow", value_name = "N")]
        sizes: Vec<usize>,
    },
    /// Find and add partitions of tables that have very many.
    Partitions {
        /// The tables, by their number of partitions.
        #[arg(long, value_delimiter = ',', default_values_t = partitions::SIZES, value_name = "N")]
        sizes: Vec<usize>,
        /// How many lookups of each kind.
        #[arg(long, default_value_t = 200)]
        lookups: usize,
    },
    /// Read CSV files that nobody here made, and compare with what a person found in them.
    Sniff {
        /// Only files whose path holds this.
        #[arg(long = "match", default_value = "", value_name = "TEXT")]
        matching: String,
        /// How many of the files that are not right are named.
        #[arg(long, default_value_t = 20)]
        show: usize,
    },
    /// Write CSV as partitioned Parquet through a script with a filter and a derived column.
    Etl {
        /// TPC-H scale factor of the `lineitem` table.
        #[arg(long, default_value_t = 0.1)]
        scale: f64,
    },
    /// Take nested JSON lines apart into flat tables, as Parquet.
    Relationalize {
        /// How much: 1 is about a gigabyte.
        #[arg(long, default_value_t = 0.1)]
        scale: f64,
    },
    /// Resolve a column whose values disagree in type, beside the same column without odd values. Mastic alone.
    Choice {
        /// How many rows the column has.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
    },
    /// Run the 22 TPC-H queries over crawled Parquet tables.
    Tpch {
        /// TPC-H scale factor.
        #[arg(long, default_value_t = 0.1)]
        scale: f64,
        /// Only these queries, such as `1,6,14`.
        #[arg(long, value_delimiter = ',', value_name = "N")]
        queries: Vec<u8>,
    },
    /// Read JSON into Arrow arrays on one thread, beside arrow-json. In this process, without a binary.
    Json {
        /// Megabytes of each kind of records.
        #[arg(long, default_value_t = 500)]
        megabytes: usize,
    },
    /// Find the records of the same person among synthetic ones, beside Splink.
    Match {
        /// How many records.
        #[arg(long, default_value_t = 100_000)]
        rows: usize,
        /// Instead: how time and memory grow with the records, over `--sizes`. Mastic alone.
        #[arg(long)]
        grow: bool,
        /// The tables of `--grow`, by their number of records.
        #[arg(long, value_delimiter = ',', default_values_t = matching::SIZES, requires = "grow", value_name = "N")]
        sizes: Vec<usize>,
    },
    /// Find matching records in labelled sets, beside Splink: precision, recall and F1, no time.
    MatchQuality {
        /// Where the sets' files are already, instead of taking them from where they are published.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Only these sets.
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        sets: Vec<String>,
    },
    /// `crawl`, `etl` and `tpch`, as large as they are by default.
    All,
    /// Only make a lake of small files, in a folder that does not exist yet.
    MakeLake {
        /// Where.
        dir: PathBuf,
        /// How many files.
        #[arg(long, default_value_t = 10_000)]
        files: usize,
    },
    /// Only make TPC-H's tables as CSV, in a folder that does not exist yet.
    MakeTpch {
        /// Where.
        dir: PathBuf,
        /// TPC-H scale factor.
        #[arg(long, default_value_t = 0.1)]
        scale: f64,
    },
    /// Only make records of persons, `persons.csv` and `truth.txt`, in a folder.
    MakePersons {
        /// Where.
        dir: PathBuf,
        /// How many records.
        #[arg(long, default_value_t = 100_000)]
        rows: usize,
    },
    /// Run one program and write down what it took (the other commands call this).
    #[command(name = measure::COMMAND, hide = true)]
    Measure(measure::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether Mastic did everything it was asked to, and with the right answers.
fn run(cli: Cli) -> Outcome<bool> {
    match cli.command {
        Command::Measure(args) => return measure::measure(&args).map(|()| true),
        Command::Json { megabytes } => return json::run(megabytes, cli.options.runs),
        Command::MakeLake { dir, files } => return lake::make(&dir, files).map(|_| true),
        Command::MakeTpch { dir, scale } => {
            return tpch_data::make_csv(&dir, scale, &tpch_data::TABLES).map(|()| true);
        }
        Command::MakePersons { dir, rows } => return persons::make(&dir, rows).map(|()| true),
        Command::Crawl { .. }
        | Command::Partitions { .. }
        | Command::Sniff { .. }
        | Command::Etl { .. }
        | Command::Relationalize { .. }
        | Command::Choice { .. }
        | Command::Tpch { .. }
        | Command::Match { .. }
        | Command::MatchQuality { .. }
        | Command::All => {}
    }
    let part: &[Who] = match cli.command {
        Command::Match { grow: true, .. } => &[Who::Mastic],
        Command::Match { .. } | Command::MatchQuality { .. } => &[Who::Mastic, Who::Splink],
        _ => &[Who::Mastic, Who::DuckDb, Who::Polars],
    };
    let setting = Setting::new(&cli.options, part)?;
    let mut report = Report::new(&setting)?;
    match cli.command {
        Command::Crawl {
            grow: true, sizes, ..
        } => grow::run(&setting, &mut report, &sizes)?,
        Command::Crawl { files, .. } => crawl::run(&setting, &mut report, files)?,
        Command::Partitions { sizes, lookups } => {
            partitions::run(&setting, &mut report, &sizes, lookups)?;
        }
        Command::Sniff { matching, show } => {
            sniff::run(&setting, &mut report, &matching, show)?;
        }
        Command::Etl { scale } => etl::run(&setting, &mut report, scale)?,
        Command::Relationalize { scale } => relationalize::run(&setting, &mut report, scale)?,
        Command::Choice { rows } => choice::run(&setting, &mut report, rows)?,
        Command::Tpch { scale, queries } => tpch::run(&setting, &mut report, scale, &queries)?,
        Command::Match {
            grow: true, sizes, ..
        } => matching::grow(&setting, &mut report, &sizes)?,
        Command::Match { rows, .. } => matching::run(&setting, &mut report, rows)?,
        Command::MatchQuality { data, sets } => {
            match_quality::run(&setting, &mut report, data.as_deref(), &sets)?;
        }
        _ => {
            crawl::run(&setting, &mut report, 10_000)?;
            etl::run(&setting, &mut report, 0.1)?;
            tpch::run(&setting, &mut report, 0.1, &[])?;
        }
    }
    Ok(report.mastic_is_right())
}
