//! One module for each command.

pub(crate) mod bookmark;
mod catalog;
mod classifier;
mod crawl;
mod crawler;
mod demo;
pub(crate) mod generate;
pub(crate) mod match_records;
mod prompt;
pub(crate) mod queries;
mod report;
mod run;
pub(crate) mod runs;
mod sql;
pub(crate) mod workgroup;

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Arguments, Command};
use crate::config::Setting;
use crate::error::Result;

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let global = arguments.global;
    if let Command::Completions { shell } = arguments.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "mastic", &mut script);
        std::io::stdout().write_all(&script)?;
        return Ok(());
    }
    let setting = Setting::read(&global)?;
    match arguments.command {
        Command::Crawl(crawl) => crawl::run(crawl, &global, &setting).await,
        Command::Crawler(crawler) => crawler::run(crawler, &global, &setting).await,
        Command::Classifier(classifier) => classifier::run(classifier, &global, &setting).await,
        Command::Generate(arguments) => generate::run(arguments, &global, &setting).await,
        Command::Runs(runs) => runs::run(runs, &global, &setting).await,
        Command::Bookmark(bookmark) => bookmark::run(bookmark, &global, &setting).await,
        Command::Run(run) => run::run(run, &global, &setting).await,
        Command::Match(arguments) => match_records::run(*arguments, &global, &setting).await,
        Command::Sql(sql) => sql::run(*sql, &global, &setting).await,
        Command::Queries(queries) => queries::run(queries, &global, &setting).await,
        Command::Workgroup(group) => workgroup::run(*group, &global, &setting).await,
        Command::Catalog(catalog) => catalog::run(catalog, &global, &setting).await,
        Command::Demo(demo) => demo::run(demo, &global, &setting).await,
        Command::Completions { .. } => Ok(()),
    }
}
