//! `mastic queries`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mastic_catalog::{CatalogStore, QueryExecution, QueryFilter, QueryState};
use mastic_query::execution::read_result;

use crate::args::{Global, Output};
use crate::command::catalog::json;
use crate::command::runs::{lines, time};
use crate::config::Setting;
use crate::error::Result;
use crate::format::{bytes, count, counted, cut, duration};
use crate::output::{self, Listing};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  mastic queries                           the newest queries
  mastic queries --state failed            those that failed
  mastic queries show 5f2c                 what one read, returned and took; the beginning of its id is enough
  mastic queries result 5f2c               its rows again, without asking again
  mastic queries result 5f2c --to r.parquet
  mastic queries cancel 5f2c               stop one that another process runs
  mastic queries -o json                   one object a line, in the shape of Athena's QueryExecution"
)]
pub(crate) struct Queries {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only those in this state
    #[arg(long, value_enum, value_name = "STATE", ignore_case = true)]
    state: Option<State>,
    /// Only those of this workgroup
    #[arg(long, value_name = "NAME")]
    workgroup: Option<String>,
    /// How many queries
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one query: its text, state, what it read and left out, how long each phase took, and why it failed
    Show {
        /// Its id, or the beginning of it
        query: String,
    },
    /// Write a query's kept result to standard output, or to a file
    Result {
        /// Its id, or the beginning of it
        query: String,
        /// Write it to a file instead: .parquet, .arrow, .csv, .json, .orc, .avro or .xml
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// How many rows a table on a terminal shows; 0 shows all
        #[arg(long, default_value_t = 200, value_name = "ROWS")]
        max_rows: usize,
    },
    /// Stop a query, also one of another process
    Cancel {
        /// Its id, or the beginning of it
        query: String,
    },
}

/// The states of Athena's API.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// It waits for a place in its workgroup
    Queued,
    /// It is at work
    Running,
    /// It ended well
    Succeeded,
    /// It ended with an error, or its process was killed
    Failed,
    /// Somebody stopped it
    Cancelled,
}

impl From<State> for QueryState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => QueryState::Queued,
            State::Running => QueryState::Running,
            State::Succeeded => QueryState::Succeeded,
            State::Failed => QueryState::Failed,
            State::Cancelled => QueryState::Cancelled,
        }
    }
}

pub(crate) async fn run(arguments: Queries, global: &Global, setting: &Setting) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    match arguments.command {
        Some(Command::Show { query }) => show(&catalog.get_query(&query).await?, global.output),
        Some(Command::Result {
            query,
            to,
            max_rows,
        }) => {
            let query = catalog.get_query(&query).await?;
            let rows = read_result(&setting.stores, &query).await?;
            match to {
                Some(path) => {
                    let rows = output::to_file(rows, &path).await?;
                    anstream::eprintln!("{} → {}", counted(rows, "row"), path.display());
                    Ok(())
                }
                None => {
                    let format = global.output;
                    output::result(rows, output::Show { format, max_rows }).await
                }
            }
        }
        Some(Command::Cancel { query }) => {
            let query = catalog.cancel_query(&query).await?;
            let id = &query.query_execution_id;
            anstream::eprintln!("query {id} was asked to stop");
            Ok(())
        }
        None => {
            let filter = QueryFilter {
                state: arguments.state.map(QueryState::from),
                work_group: arguments.workgroup,
                limit: arguments.limit,
                before: None,
            };
            list(catalog.as_ref(), &filter, global.output).await
        }
    }
}

async fn list(catalog: &dyn CatalogStore, filter: &QueryFilter, output: Output) -> Result<()> {
    let queries = catalog.list_queries(filter).await?;
    if output == Output::Json {
        return lines(&queries);
    }
    let mut listing = Listing::new(&[
        "query",
        "state",
        "workgroup",
        "submitted",
        "took",
        "rows",
        "scanned",
        "statement",
    ]);
    for query in &queries {
        let people = output == Output::Table;
        let of = &query.statistics;
        let ended = query.status.state == QueryState::Succeeded;
        let number = |n: u64| if people { count(n) } else { n.to_string() };
        let text = query.query.split_whitespace().collect::<Vec<_>>().join(" ");
        listing.push(vec![
            query.query_execution_id.clone(),
            query.status.state.as_str().to_owned(),
            query.work_group.clone(),
            time(query.status.submission_date_time),
            millis(of.total_execution_time_in_millis),
            if ended {
                number(of.rows_returned)
            } else {
                String::new()
            },
            if people {
                bytes(of.data_scanned_in_bytes)
            } else {
                of.data_scanned_in_bytes.to_string()
            },
            if people { cut(&text, 60) } else { text },
        ]);
    }
    listing.write(output)
}

fn millis(millis: u64) -> String {
    duration(std::time::Duration::from_millis(millis))
}

fn show(query: &QueryExecution, output: Output) -> Result<()> {
    if output == Output::Json {
        return json(query);
    }
    let mut out = std::io::stdout().lock();
    let (status, of, result) = (
        &query.status,
        &query.statistics,
        &query.result_configuration,
    );
    let mut told = vec![
        ("query", query.query_execution_id.clone()),
        ("state", status.state.as_str().to_owned()),
        (
            "type",
            query
                .statement_type
                .map(|t| t.as_str().to_owned())
                .unwrap_or_default(),
        ),
        ("workgroup", query.work_group.clone()),
        (
            "database",
            query
                .query_execution_context
                .database
                .clone()
                .unwrap_or_default(),
        ),
        ("submitted", time(status.submission_date_time)),
        (
            "ended",
            status.completion_date_time.map(time).unwrap_or_default(),
        ),
        ("took", {
            let mut phases = Vec::new();
            for (phase, took) in [
                ("waiting", of.query_queue_time_in_millis),
                ("planning", of.query_planning_time_in_millis),
                ("running", of.engine_execution_time_in_millis),
                ("writing the result", of.result_writing_time_in_millis),
            ] {
                if took > 0 {
                    phases.push(format!("{phase} {}", millis(took)));
                }
            }
            let all = millis(of.total_execution_time_in_millis);
            if phases.is_empty() {
                all
            } else {
                format!("{all} ({})", phases.join(", "))
            }
        }),
    ];
    if status.state == QueryState::Succeeded {
        let reuse = &of.result_reuse_information.query_execution_id;
        told.push((
            "reused",
            reuse
                .as_ref()
                .map(|id| format!("the result of {id}"))
                .unwrap_or_default(),
        ));
        told.push((
            "returned",
            format!(
                "{}, {}",
                counted(of.rows_returned, "row"),
                bytes(of.bytes_returned)
            ),
        ));
    }
    if of.files_read > 0 || of.data_scanned_in_bytes > 0 {
        let mut read = vec![
            counted(of.rows_scanned, "row"),
            counted(of.files_read, "file"),
        ];
        if of.partitions_read > 0 {
            read.push(counted(of.partitions_read, "partition"));
        }
        read.push(bytes(of.data_scanned_in_bytes));
        told.push(("read", read.join(", ")));
    }
    let left = &of.pruned;
    for (number, noun, why) in [
        (left.partitions, "partition", "by their values"),
        (left.files_by_statistics, "file", "by their statistics"),
        (
            left.row_groups_by_statistics,
            "row group",
            "by their statistics",
        ),
        (
            left.row_groups_by_bloom_filter,
            "row group",
            "by their Bloom filters",
        ),
        (
            left.row_groups_while_running,
            "row group",
            "by what was found meanwhile",
        ),
        (left.rows_by_page_index, "row", "by the page index"),
        (
            left.rows_while_decoding,
            "row",
            "before all of their columns were decoded",
        ),
    ] {
        if number > 0 {
            told.push(("left out", format!("{} {why}", counted(number, noun))));
        }
    }
    if of.peak_memory_bytes > 0 {
        told.push(("memory", format!("{} at most", bytes(of.peak_memory_bytes))));
    }
    if of.spilled_bytes > 0 {
        told.push(("spilled", bytes(of.spilled_bytes)));
    }
    told.push(("result", result.output_location.clone().unwrap_or_default()));
    told.push(("not kept", result.not_kept.clone().unwrap_or_default()));
    let process = &query.process;
    told.push((
        "process",
        match process.host.as_str() {
            "" => process.process_id.to_string(),
            host => format!("{} on {host}", process.process_id),
        },
    ));
    if let Some(failure) = &status.athena_error {
        let kind = &failure.kind;
        told.push(("error", format!("{} ({kind})", failure.error_message)));
        told.push(("hint", failure.hint.clone().unwrap_or_default()));
    } else {
        told.push((
            "reason",
            status.state_change_reason.clone().unwrap_or_default(),
        ));
    }
    for (name, value) in told.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<10} {}", value.replace('\n', "\n           "))?;
    }
    writeln!(out, "\n{}", query.query)?;
    out.flush()?;
    Ok(())
}
