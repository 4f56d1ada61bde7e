//! `mastic match`.

mod arguments;
mod evaluate;
mod find;
mod label;
mod labels;
mod transforms;

use std::path::Path;

use datafusion::dataframe::DataFrame;
use mastic_find_matches::{MatchError, MatchInput, Stage, Table};
use mastic_query::{QueryError, Session};

use crate::args::Global;
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::counted;

pub(crate) use arguments::Match;
use arguments::{MatchCommand, Tables};

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

const ENDINGS: [&str; 11] = [
    "parquet", "arrow", "ipc", "feather", "csv", "json", "jsonl", "ndjson", "orc", "avro", "xml",
];

fn ending(text: &str) -> Option<&str> {
    Path::new(text)
        .extension()
        .and_then(|e| e.to_str())
        .filter(|e| ENDINGS.contains(e))
}

impl Tables {
    /// A session over the catalog.
    async fn session(&self, setting: &Setting) -> Result<Session> {
        Ok(Session::open_within(
            setting.catalog().await?,
            setting.stores.clone(),
            self.database.as_deref(),
            self.memory_limit.or(setting.memory_limit),
        )
        .await?)
    }

    /// The tables.
    async fn open(&self, session: &Session) -> Result<MatchInput> {
        let left = self.left.as_deref().unwrap_or_default();
        Ok(MatchInput {
            left: open(session, left).await?,
            right: match &self.right {
                Some(text) => Some(open(session, text).await?),
                None => None,
            },
        })
    }
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
    let work = command(&arguments, global, setting);
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

async fn command(arguments: &Match, global: &Global, setting: &Setting) -> Result<()> {
    match &arguments.command {
        None => find::run(arguments, global, setting).await,
        Some(MatchCommand::Label(arguments)) => label::run(arguments, setting).await,
        Some(MatchCommand::Evaluate(arguments)) => evaluate::run(arguments, setting).await,
        Some(MatchCommand::List { output }) => transforms::list(setting, *output).await,
        Some(MatchCommand::Show { name }) => transforms::show(setting, name).await,
        Some(MatchCommand::Delete { name }) => transforms::delete(setting, name).await,
    }
}
