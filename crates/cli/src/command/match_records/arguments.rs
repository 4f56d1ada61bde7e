//! What can be typed after `mastic match`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, FromArgMatches, Subcommand};
use mastic_find_matches::{Comparison, Kind, Settings};
use mastic_query::MemoryLimit;

use crate::args::Output;
use crate::error::{CliError, Result};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "\
Examples:
  mastic match customers.csv --output entities.csv               find duplicates
  mastic match customers.csv --dedupe-keep best --output clean.parquet
  mastic match shop.customers --output matched.parquet --pairs pairs.parquet --explain
  mastic match left.csv right.csv --one-to-one --output linked.csv
  mastic match shop.customers --compare name --compare born:code --blocking 'born' --output csv

  mastic match label customers.csv --labels labels.csv           label the most telling pairs
  mastic match evaluate customers.csv --labels labels.csv        how good that makes it
  mastic match customers.csv --labels labels.csv --save customers --output entities.csv
  mastic match new.csv --transform customers --incremental       new records join entities.csv
  mastic match more.csv --transform linked --incremental --side right
                                                                 … of one of two tables that were linked

A table that is called like a command is written ./label or DATABASE.label."
)]
pub(crate) struct Match {
    #[command(subcommand)]
    pub(crate) command: Option<MatchCommand>,
    #[command(flatten)]
    pub(crate) tables: Tables,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) how: How,
    /// Learn from a label file: labeling_set_id, label, and the table's columns
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Have labelled pairs come out as they are labelled: by --labels, or by the labels of --transform
    #[arg(long)]
    pub(crate) enforce_labels: bool,
    /// Keep what was learned in the catalog, under a name, with the labels; with --replace and without --labels those
    /// teach that are kept there
    #[arg(long, value_name = "NAME", conflicts_with_all = ["transform", "dedupe_keep"])]
    pub(crate) save: Option<String>,
    /// Change the transform where it exists
    #[arg(long, requires = "save")]
    pub(crate) replace: bool,
    /// Apply what was learned before, and kept under a name
    #[arg(long, value_name = "NAME")]
    pub(crate) transform: Option<String>,
    /// Have new records join the entities that the transform was saved with; --output says where all go [default:
    /// where those are]
    #[arg(long, requires = "transform", conflicts_with = "dedupe_keep")]
    pub(crate) incremental: bool,
    /// With --incremental: which of the two tables that were linked the new records are of [default: told by their
    /// table's name; of two tables, the first is the left one]
    #[arg(long, value_name = "left|right", value_parser = ["left", "right"], requires = "incremental", conflicts_with = "right")]
    pub(crate) side: Option<String>,
    /// Write the compared pairs to a file, with the part of each comparison in their score
    #[arg(long, value_name = "FILE")]
    pub(crate) pairs: Option<PathBuf>,
    /// Say what was decided, and why
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print what was found as one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep one record of each entity: the fullest, then that of the least primary key
    #[arg(long, value_name = "best", value_parser = ["best"])]
    pub(crate) dedupe_keep: Option<String>,
    /// Where a table lies that is new in the catalog
    #[arg(long, value_name = "FOLDER")]
    pub(crate) location: Option<String>,
}

/// What is matched.
#[derive(Debug, Args)]
pub(crate) struct Tables {
    /// The table: DATABASE.TABLE of the catalog, or a file or folder
    #[arg(value_name = "TABLE", required = true)]
    pub(crate) left: Option<String>,
    /// Another table, to link the first one's records with
    #[arg(value_name = "OTHER")]
    pub(crate) right: Option<String>,
    /// Linking: a record has one partner at most
    #[arg(long, requires = "right")]
    pub(crate) one_to_one: bool,
    /// The database of table names without one
    #[arg(long, short, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// The most memory that sorts, groups and joins may hold, such as 512MB or 2GiB; what does not fit is
    /// spilled to disk [default: no limit]
    #[arg(long, env = "MASTIC_MEMORY_LIMIT", value_name = "SIZE")]
    pub(crate) memory_limit: Option<MemoryLimit>,
}

/// How it is matched.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// A column that tells rows apart; it is never compared
    #[arg(long, value_name = "COLUMN")]
    primary_key: Option<String>,
    /// From 0, for recall, to 1, for precision [default: 0.5]
    #[arg(long, value_name = "0..1")]
    precision_recall: Option<f64>,
    /// From 0, for low cost, to 1, for accuracy: more pairs are compared [default: 0.5]
    #[arg(long, value_name = "0..1")]
    accuracy_cost: Option<f64>,
    /// Compare only pairs that agree on all these columns, or on those of another --blocking
    #[arg(long, value_name = "COLUMN,…")]
    blocking: Vec<String>,
    /// Compare this column, and no others than those named so; as string, text, number or code
    #[arg(long, value_name = "COLUMN[:KIND]")]
    compare: Vec<String>,
    /// Do not compare this column
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MatchCommand {
    /// Label the most telling pairs of a table: in the terminal, or in a file in Glue's form
    Label(Box<Label>),
    /// Measure how good labels make it, by labels that are held out in turn
    Evaluate(Box<Evaluate>),
    /// List the transforms that were saved
    List {
        /// How they are written
        #[arg(long, short, value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
        output: Output,
    },
    /// Show a transform as JSON
    Show {
        /// The transform
        name: String,
    },
    /// Delete a transform; the entities that it was saved with stay
    Delete {
        /// The transform
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Answer y (a match), n (none), u (unsure), b (back to the last pair) or q (quit), each with Enter. What was answered
is kept after each answer, and the next call goes on from there.

Examples:
  mastic match label customers.csv --labels labels.csv
  mastic match label customers.csv --labels labels.csv --export questions.csv     label them elsewhere …
  mastic match label customers.csv --labels labels.csv --import questions.csv     … and bring them back
  mastic match label customers.csv --transform customers          add to the labels that a transform keeps")]
pub(crate) struct Label {
    #[command(flatten)]
    pub(crate) tables: Tables,
    #[command(flatten)]
    pub(crate) how: How,
    /// The label file, which is made where it is missing
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "transform",
        conflicts_with = "transform"
    )]
    pub(crate) labels: Option<PathBuf>,
    /// Add to the labels that a transform keeps, in place of a file
    #[arg(long, value_name = "NAME")]
    pub(crate) transform: Option<String>,
    /// How many pairs
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) count: u32,
    /// Write the pairs to a file to be labelled there
    #[arg(long, value_name = "FILE", conflicts_with = "import")]
    pub(crate) export: Option<PathBuf>,
    /// Take labels from a file into the label file, or the transform; sets that are in both are those of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) import: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  mastic match evaluate customers.csv --labels labels.csv
  mastic match evaluate customers.csv --labels other_labels.csv --transform customers     what was learned, as it is
  mastic match evaluate customers.csv --transform customers       by the labels that it keeps, held out in turn")]
pub(crate) struct Evaluate {
    #[command(flatten)]
    pub(crate) tables: Tables,
    #[command(flatten)]
    pub(crate) how: How,
    /// The label file: labeling_set_id, label, and the table's columns
    #[arg(long, value_name = "FILE", required_unless_present = "transform")]
    pub(crate) labels: Option<PathBuf>,
    /// Have the labels that are shown come out as they are labelled; those that are held out never do
    #[arg(long)]
    pub(crate) enforce_labels: bool,
    /// Hold all labels against a transform, which they do not change; without --labels those that it keeps are held
    /// out in turn
    #[arg(long, value_name = "NAME")]
    pub(crate) transform: Option<String>,
    /// Print what was measured as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl How {
    /// What was asked for, over what a transform was saved with.
    pub(crate) fn settings(&self, saved: Option<&Settings>, one_to_one: bool) -> Result<Settings> {
        let comparison = |text: &String| -> Result<Comparison> {
            let Some((column, kind)) = text.rsplit_once(':') else {
                return Ok(Comparison {
                    column: text.clone(),
                    kind: None,
                });
            };
            match Kind::parse(kind) {
                Some(kind) => Ok(Comparison {
                    column: column.to_owned(),
                    kind: Some(kind),
                }),
                None => Err(CliError::Usage(format!(
                    "'{kind}' is no way to compare; there are string, text, number and code"
                ))),
            }
        };
        let rule = |text: &String| {
            text.split(',')
                .map(|c| c.trim().to_owned())
                .filter(|c| !c.is_empty())
                .collect()
        };
        if saved.is_some() && !(self.compare.is_empty() && self.ignore.is_empty()) {
            return Err(CliError::Usage(
                "a transform compares the columns that it was learned with: --compare and --ignore say nothing there"
                    .into(),
            ));
        }
        let mut out = saved.cloned().unwrap_or_default();
        out.one_to_one |= one_to_one;
        if self.primary_key.is_some() {
            out.primary_key.clone_from(&self.primary_key);
        }
        if let Some(trade_off) = self.precision_recall {
            out.precision_recall_tradeoff = trade_off;
        }
        if let Some(trade_off) = self.accuracy_cost {
            out.accuracy_cost_tradeoff = trade_off;
        }
        if !self.blocking.is_empty() {
            out.blocking = self.blocking.iter().map(rule).collect();
        }
        if saved.is_none() {
            out.comparisons = self.compare.iter().map(comparison).collect::<Result<_>>()?;
            out.ignore.clone_from(&self.ignore);
        }
        Ok(out)
    }
}

/// The command's own `--output`, in place of the one that all commands have.
#[derive(Debug)]
pub(crate) struct Target(pub(crate) Option<String>);

impl Args for Target {
    fn augment_args(command: clap::Command) -> clap::Command {
        let output = Arg::new("output")
            .long("output")
            .short('o')
            .value_name("FILE|TABLE")
            // What all commands have is of this type, and clap keeps one value for both.
            .value_parser(|_: &str| Ok::<Output, std::convert::Infallible>(Output::Table))
            .help(
                "A file (.parquet, .csv, .json, .jsonl, .orc, .avro or .xml), a table of the catalog, or table, csv or \
                 json for standard output [default: what was found, and no rows]",
            );
        command.arg(output)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Target {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.value_source("output") == Some(clap::parser::ValueSource::CommandLine);
        let raw = matches
            .get_raw("output")
            .filter(|_| given)
            .and_then(Iterator::last);
        Ok(Target(raw.map(|text| {
            OsString::from(text).to_string_lossy().into_owned()
        })))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
