//! Mastic's benchmarks: each task beside DuckDB and Polars, in the same run, printed as ratios. See `benches/README.md`.

// A benchmark's report is its standard output, and its progress is its standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod compare;
mod crawl;
mod etl;
mod lake;
mod measure;
mod python;
mod report;
mod setting;
mod tpch;
mod tpch_data;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    report::Report,
    setting::{Options, Setting},
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
    },
    /// Write CSV as partitioned Parquet through a script with a filter and a derived column.
    Etl {
        /// TPC-H scale factor of the `lineitem` table.
        #[arg(long, default_value_t = 0.1)]
        scale: f64,
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
    /// All three, as large as they are by default.
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
        Command::MakeLake { dir, files } => return lake::make(&dir, files).map(|_| true),
        Command::MakeTpch { dir, scale } => {
            return tpch_data::make_csv(&dir, scale, &tpch_data::TABLES).map(|()| true);
        }
        Command::Crawl { .. } | Command::Etl { .. } | Command::Tpch { .. } | Command::All => {}
    }
    let setting = Setting::new(&cli.options)?;
    let mut report = Report::new(&setting)?;
    match cli.command {
        Command::Crawl { files } => crawl::run(&setting, &mut report, files)?,
        Command::Etl { scale } => etl::run(&setting, &mut report, scale)?,
        Command::Tpch { scale, queries } => tpch::run(&setting, &mut report, scale, &queries)?,
        _ => {
            crawl::run(&setting, &mut report, 10_000)?;
            etl::run(&setting, &mut report, 0.1)?;
            tpch::run(&setting, &mut report, 0.1, &[])?;
        }
    }
    Ok(report.mastic_is_right())
}
