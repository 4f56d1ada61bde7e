//! `mastic match`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Arg, ArgMatches, Args, FromArgMatches};
use datafusion::dataframe::DataFrame;
use mastic_find_matches::{
    Comparison, Kind, MatchError, MatchInput, Matched, Settings, Stage, Table, find_matches,
};
use mastic_jobs::{JobOptions, Script, Source};
use mastic_query::{MemoryLimit, QueryError, Session};

use crate::args::{Global, Output};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{count, counted, duration};
use crate::output;
use crate::progress::Line;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mastic match customers.csv --output entities.csv               find duplicates
  mastic match customers.csv --dedupe-keep best --output clean.parquet
  mastic match shop.customers --output matched.parquet --pairs pairs.parquet --explain
  mastic match left.csv right.csv --one-to-one --output linked.csv
  mastic match shop.customers --compare name --compare born:code --blocking 'born' --output csv")]
pub(crate) struct Match {
    /// The table: DATABASE.TABLE of the catalog, or a file or folder
    #[arg(value_name = "TABLE")]
    left: String,
    /// Another table, to link the first one's records with
    #[arg(value_name = "OTHER")]
    right: Option<String>,
    #[command(flatten)]
    target: Target,
    /// Linking: a record has one partner at most
    #[arg(long, requires = "right")]
    one_to_one: bool,
    /// Write the compared pairs to a file, with the part of each comparison in their score
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Say what was decided, and why
    #[arg(long)]
    explain: bool,
    /// Print what was found as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// A column that tells rows apart; it is never compared
    #[arg(long, value_name = "COLUMN")]
    primary_key: Option<String>,
    /// From 0, for recall, to 1, for precision
    #[arg(long, value_name = "0..1", default_value_t = 0.5)]
    precision_recall: f64,
    /// From 0, for low cost, to 1, for accuracy: more pairs are compared
    #[arg(long, value_name = "0..1", default_value_t = 0.5)]
    accuracy_cost: f64,
    /// Compare only pairs that agree on all these columns, or on those of another --blocking
    #[arg(long, value_name = "COLUMN,…")]
    blocking: Vec<String>,
    /// Compare this column, and no others than those named so; as string, text, number or code
    #[arg(long, value_name = "COLUMN[:KIND]")]
    compare: Vec<String>,
    /// Do not compare this column
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Keep one record of each entity: the fullest, then that of the least primary key
    #[arg(long, value_name = "best", value_parser = ["best"])]
    dedupe_keep: Option<String>,
    /// Where a table lies that is new in the catalog
    #[arg(long, value_name = "FOLDER")]
    location: Option<String>,
    /// The database of table names without one
    #[arg(long, short, value_name = "NAME")]
    database: Option<String>,
    /// The most memory that sorts, groups and joins may hold, such as 512MB or 2GiB; what does not fit is
    /// spilled to disk [default: no limit]
    #[arg(long, env = "MASTIC_MEMORY_LIMIT", value_name = "SIZE")]
    memory_limit: Option<MemoryLimit>,
}

/// The command's own `--output`, in place of the one that all commands have.
#[derive(Debug)]
struct Target(Option<String>);

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

impl From<MatchError> for CliError {
    fn from(error: MatchError) -> Self {
        match error {
            MatchError::Engine(error) => QueryError::from(error).into(),
            other => {
                let hint = other.hint();
                CliError::hinted(other.to_string(), hint)
            }
        }
    }
}

/// Where rows go.
enum Goal {
    /// Nowhere.
    Nowhere,
    Screen(Output),
    File(PathBuf),
    Table(String),
}

const ENDINGS: [&str; 11] = [
    "parquet", "arrow", "ipc", "feather", "csv", "json", "jsonl", "ndjson", "orc", "avro", "xml",
];

fn ending(text: &str) -> Option<&str> {
    Path::new(text)
        .extension()
        .and_then(|e| e.to_str())
        .filter(|e| ENDINGS.contains(e))
}

fn goal(target: Option<&str>) -> Result<Goal> {
    Ok(match target {
        None => Goal::Nowhere,
        Some("table") => Goal::Screen(Output::Table),
        Some("csv") => Goal::Screen(Output::Csv),
        Some("json") => Goal::Screen(Output::Json),
        Some(text) if ending(text).is_some() => Goal::File(text.into()),
        Some(text) if text.contains(['/', '\\']) || text.matches('.').count() > 1 => {
            return Err(CliError::Usage(format!(
                "the file name {text} has no ending to tell its format: {}",
                ENDINGS.map(|e| format!(".{e}")).join(", ")
            )));
        }
        Some(text) => Goal::Table(text.to_owned()),
    })
}

fn settings(arguments: &Match) -> Result<Settings> {
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
    Ok(Settings {
        primary_key: arguments.primary_key.clone(),
        one_to_one: arguments.one_to_one,
        comparisons: arguments
            .compare
            .iter()
            .map(comparison)
            .collect::<Result<_>>()?,
        ignore: arguments.ignore.clone(),
        blocking: arguments.blocking.iter().map(rule).collect(),
        precision_recall_tradeoff: arguments.precision_recall,
        accuracy_cost_tradeoff: arguments.accuracy_cost,
        ..Settings::default()
    })
}

/// A file or folder, or else a table of the catalog.
async fn open(session: &Session, text: &str) -> Result<Table> {
    let is_path = text.contains(['/', '\\']) || ending(text).is_some() || Path::new(text).exists();
    let name = match is_path {
        true => Path::new(text)
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or(text),
        false => text,
    };
    let rows: DataFrame = if is_path {
        session.path(text, None).await?
    } else {
        session.table(text).await?
    };
    Ok(Table {
        name: name.to_owned(),
        rows,
    })
}

fn say(stage: Stage) -> String {
    match stage {
        Stage::Reading => "reading …".into(),
        Stage::Profiling(rows) => format!("{}: looking at the columns …", counted(rows, "row")),
        Stage::Blocking => "looking for pairs …".into(),
        Stage::Comparing(pairs) => format!("comparing {} …", counted(pairs, "pair")),
        Stage::Learning => "learning weights …".into(),
        Stage::Deciding => "deciding …".into(),
    }
}

pub(crate) async fn run(arguments: Match, global: &Global, setting: &Setting) -> Result<()> {
    let work = find(&arguments, global, setting);
    // A plan that computes without a pause cannot be told to stop; the process can.
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            anstream::eprintln!("error: interrupted");
            #[allow(clippy::exit)]
            std::process::exit(1);
        }
    });
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(CliError::failed("interrupted")),
    }
}

async fn find(arguments: &Match, global: &Global, setting: &Setting) -> Result<()> {
    let settings = settings(arguments)?;
    let goal = goal(arguments.target.0.as_deref())?;
    let start = Instant::now();
    let session = Session::open_within(
        setting.catalog().await?,
        setting.stores.clone(),
        arguments.database.as_deref(),
        arguments.memory_limit.or(setting.memory_limit),
    )
    .await?;
    // What cannot be written is told before the work.
    let place = match &goal {
        Goal::Table(name) => Some(place(&session, name, arguments.location.as_deref()).await?),
        _ => None,
    };
    let line = Line::new("reading …");
    let left = open(&session, &arguments.left).await?;
    let right = match &arguments.right {
        Some(text) => Some(open(&session, text).await?),
        None => None,
    };
    let input = MatchInput { left, right };
    let matched = find_matches(session.context(), input, &settings, &|stage| {
        line.say(say(stage))
    })
    .await?;
    line.say("writing …".into());
    let rows = match arguments.dedupe_keep {
        Some(_) => matched.best.clone(),
        None => matched.rows.clone(),
    };
    if let Some(path) = &arguments.pairs {
        let stream = matched
            .pairs
            .clone()
            .execute_stream()
            .await
            .map_err(QueryError::from)?;
        output::to_file(stream, path).await?;
    }
    let written = match &goal {
        Goal::Nowhere => None,
        Goal::Screen(format) => {
            let stream = rows.execute_stream().await.map_err(QueryError::from)?;
            let first = Box::pin(crate::command::sql::first_batch(stream)).await;
            drop(line);
            output::result(first, *format, 200).await?;
            tell(arguments, &matched, start, None)?;
            return Ok(());
        }
        Goal::File(path) => {
            let stream = rows.execute_stream().await.map_err(QueryError::from)?;
            let rows = output::to_file(stream, path).await?;
            Some(format!("{} → {}", counted(rows, "row"), path.display()))
        }
        Goal::Table(name) => {
            let rows = match &place {
                Some(place) => to_table(&session, setting, rows, place).await?,
                None => 0,
            };
            Some(format!("{} → {name}", counted(rows, "row")))
        }
    };
    drop(line);
    tell(arguments, &matched, start, written)?;
    if let Goal::Table(name) = &goal {
        let option = setting.catalog_option(global);
        anstream::eprintln!(
            "next: mastic sql{option} 'SELECT * FROM {name} ORDER BY match_id LIMIT 20'"
        );
    }
    Ok(())
}

/// Where a table of the catalog lies or is to lie, and in which format.
struct Place {
    table: String,
    location: String,
    format: String,
}

async fn place(session: &Session, name: &str, location: Option<&str>) -> Result<Place> {
    let (database, table) = match name.split_once('.') {
        Some((database, table)) => (database, table),
        None => (session.database().unwrap_or("default"), name),
    };
    let (location, format) = match session.catalog().get_table(database, table).await {
        Ok(found) => (
            found.location().map(str::to_owned),
            found.classification().unwrap_or("parquet").to_owned(),
        ),
        Err(_) => (location.map(str::to_owned), "parquet".to_owned()),
    };
    match location {
        Some(location) => Ok(Place {
            table: format!("{database}.{table}"),
            location,
            format,
        }),
        None => Err(CliError::hinted(
            format!("there is no table '{database}.{table}' yet"),
            Some(
                "say with --location in which folder its files go, or give a file such as out.parquet"
                    .into(),
            ),
        )),
    }
}

/// Replaces a table of the catalog, or makes one, as a job with that sink does.
async fn to_table(
    session: &Session,
    setting: &Setting,
    rows: DataFrame,
    place: &Place,
) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("matched.parquet");
    let stream = rows.execute_stream().await.map_err(QueryError::from)?;
    let count = output::to_file(stream, &file).await?;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let text = format!(
        "sources:\n  matched: {{path: {}}}\nsinks:\n  - {{frame: matched, path: {}, format: {}, mode: overwrite, table: {}}}\n",
        quoted(&file.to_string_lossy()),
        quoted(&place.location),
        place.format,
        quoted(&place.table),
    );
    let script = Script::parse(&Source::new("match", text), &[])?;
    crate::command::run::execute(&script, session, JobOptions::default(), setting).await?;
    Ok(count)
}

fn tell(
    arguments: &Match,
    matched: &Matched,
    start: Instant,
    written: Option<String>,
) -> Result<()> {
    use std::io::Write;
    let summary = &matched.summary;
    if arguments.json {
        let mut object = serde_json::json!({
            "rows": summary.rows,
            "pairs": summary.pairs,
            "matches": summary.matches,
            "entities": summary.entities,
            "duplicates": summary.duplicates,
            "threshold": matched.model.threshold,
            "seconds": start.elapsed().as_secs_f64(),
        });
        if arguments.explain
            && let (Some(object), Ok(explanation)) = (
                object.as_object_mut(),
                serde_json::to_value(&matched.explanation),
            )
        {
            object.insert("explanation".into(), explanation);
        }
        writeln!(std::io::stdout(), "{object}")?;
    } else if arguments.explain {
        write!(std::io::stderr(), "{}", matched.explanation)?;
    }
    let explanation = &matched.explanation;
    let names: Vec<&str> = explanation
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    anstream::eprintln!("compared: {}", names.join(", "));
    for dropped in &explanation.dropped {
        anstream::eprintln!("not compared: {}: {}", dropped.name, dropped.why);
    }
    anstream::eprintln!("by: {}", explanation.blocking.method);
    if explanation.decision.doubtful {
        anstream::eprintln!("decided: {}", explanation.decision.gate);
    }
    anstream::eprintln!(
        "{}, {} compared, {} match: {} ({} of an entity that is there already) in {}",
        counted(summary.rows, "row"),
        counted(summary.pairs, "pair"),
        count(summary.matches),
        match summary.entities {
            1 => "1 entity".to_owned(),
            n => format!("{} entities", count(n)),
        },
        counted(summary.duplicates, "row"),
        duration(start.elapsed())
    );
    if let Some(written) = written {
        anstream::eprintln!("{written}");
    }
    Ok(())
}
