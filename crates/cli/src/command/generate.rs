//! `mastic generate`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use mastic_jobs::GenerateRequest;
use mastic_query::Session;

use crate::args::Global;
use crate::config::Setting;
use crate::error::{CliError, Result};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mastic generate shop.orders --to lake/clean_orders > clean_orders.yaml
  mastic generate raw/orders --to s3://lake/orders --table shop.orders -s orders.yaml
  mastic run clean_orders.yaml         a script runs as it is written")]
pub(crate) struct Generate {
    /// What is read: a table, DATABASE.TABLE, or a path
    source: String,
    /// The folder that is written
    #[arg(long, value_name = "PATH")]
    to: String,
    /// The table that is made or updated; where it is there already, its columns are mapped to
    #[arg(long, value_name = "DATABASE.TABLE")]
    table: Option<String>,
    /// The format that is written
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The file that the script goes to, which must not be there yet; standard output without it
    #[arg(long = "script", short = 's', value_name = "FILE")]
    script: Option<PathBuf>,
    /// The database of table names without one
    #[arg(long, short, value_name = "NAME")]
    database: Option<String>,
}

pub(crate) async fn run(arguments: Generate, global: &Global, setting: &Setting) -> Result<()> {
    let catalog = setting.catalog().await?;
    let database = arguments.database.as_deref();
    let session = Session::open(catalog, setting.stores.clone(), database).await?;
    let request = GenerateRequest {
        source: arguments.source,
        path: arguments.to,
        table: arguments.table,
        format: arguments.format,
    };
    let text = mastic_jobs::generate(&session, &request)
        .await
        .map_err(|e| CliError::hinted(e.to_string(), e.help()))?;
    match arguments.script {
        None => std::io::stdout().lock().write_all(text.as_bytes())?,
        Some(path) => {
            let cannot = |e: std::io::Error| {
                CliError::failed(format!("cannot write {}: {e}", path.display()))
            };
            let mut file = std::fs::File::create_new(&path).map_err(cannot)?;
            file.write_all(text.as_bytes()).map_err(cannot)?;
            let option = setting.catalog_option(global);
            anstream::eprintln!("next: mastic run{option} {}", path.display());
        }
    }
    Ok(())
}
