//! `mastic workgroup`.

use clap::{Args, Subcommand};
use mastic_catalog::{WorkGroup, WorkGroupState};
use mastic_query::execution::{Size, Span};

use crate::args::{Global, Output};
use crate::command::catalog::json;
use crate::command::runs::lines;
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{bytes, duration};
use crate::output::Listing;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  mastic workgroup create reports --bytes-scanned-limit 10GB --timeout 5m --concurrency 2
  mastic workgroup create shared --results s3://lake/results --enforce
  mastic workgroup update primary --reuse 60
  mastic workgroup update reports --no-timeout
  mastic sql --workgroup reports 'SELECT …'")]
pub(crate) enum Workgroup {
    /// Make a workgroup
    Create(Definition),
    /// Change a workgroup: what is not named stays
    Update(Definition),
    /// List workgroups
    List,
    /// Show a workgroup as JSON, in the shape of Athena's API
    Show {
        /// The workgroup
        name: String,
    },
    /// Delete a workgroup; the history of its queries stays
    Delete {
        /// The workgroup
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Definition {
    /// The workgroup
    name: String,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The most bytes that a query may read, such as 10GB; at least 10MB
    #[arg(long, value_name = "SIZE")]
    bytes_scanned_limit: Option<Size>,
    /// No limit on bytes
    #[arg(long, conflicts_with = "bytes_scanned_limit")]
    no_bytes_scanned_limit: bool,
    /// Where results go: a folder or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    results: Option<String>,
    /// Results go where each query says
    #[arg(long, conflicts_with = "results")]
    no_results: bool,
    /// Queries cannot say otherwise: where results go, and how long they are used again
    #[arg(long)]
    enforce: bool,
    /// They can
    #[arg(long, conflicts_with = "enforce")]
    no_enforce: bool,
    /// For how many minutes results are used again; 0: not at all
    #[arg(long, value_name = "MINUTES")]
    reuse: Option<u32>,
    /// How many queries run at once; others wait
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Any number of queries at once
    #[arg(long, conflicts_with = "concurrency")]
    no_concurrency: bool,
    /// For how long a query may plan and run, in whole seconds, such as 30s or 5m
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// No timeout
    #[arg(long, conflicts_with = "timeout")]
    no_timeout: bool,
    /// The most memory that a query's operators may hold, such as 2GiB
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<Size>,
    /// No limit on memory
    #[arg(long, conflicts_with = "memory_limit")]
    no_memory_limit: bool,
    /// Take no queries
    #[arg(long)]
    disable: bool,
    /// Take queries
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
}

impl Definition {
    /// Changes what is named.
    fn apply(&self, group: &mut WorkGroup) {
        fn set<T>(to: &mut Option<T>, given: Option<T>, none: bool) {
            if given.is_some() || none {
                *to = given;
            }
        }
        let of = &mut group.configuration;
        set(&mut group.description, self.description.clone(), false);
        set(
            &mut of.bytes_scanned_cutoff_per_query,
            self.bytes_scanned_limit.map(|size| size.0),
            self.no_bytes_scanned_limit,
        );
        set(
            &mut of.result_configuration.output_location,
            self.results.clone(),
            self.no_results,
        );
        if self.enforce || self.no_enforce {
            of.enforce_work_group_configuration = self.enforce;
        }
        set(&mut of.result_reuse_max_age_in_minutes, self.reuse, false);
        set(
            &mut of.max_concurrent_queries,
            self.concurrency,
            self.no_concurrency,
        );
        set(
            &mut of.query_timeout_in_seconds,
            self.timeout.map(|span| span.0.as_secs()),
            self.no_timeout,
        );
        set(
            &mut of.memory_limit_in_bytes,
            self.memory_limit.map(|size| size.0),
            self.no_memory_limit,
        );
        if self.disable || self.enable {
            group.state = if self.disable {
                WorkGroupState::Disabled
            } else {
                WorkGroupState::Enabled
            };
        }
    }
}

pub(crate) async fn run(arguments: Workgroup, global: &Global, setting: &Setting) -> Result<()> {
    match arguments {
        Workgroup::Create(definition) => {
            let mut group = WorkGroup::new(&definition.name);
            definition.apply(&mut group);
            let location = group
                .configuration
                .result_configuration
                .output_location
                .as_deref();
            check_location(location, setting)?;
            setting.catalog().await?.put_workgroup(group, false).await?;
            anstream::eprintln!("workgroup {} made", definition.name);
            Ok(())
        }
        Workgroup::Update(definition) => {
            let catalog = setting.existing_catalog().await?;
            let mut group = catalog.get_workgroup(&definition.name).await?;
            definition.apply(&mut group);
            check_location(definition.results.as_deref(), setting)?;
            catalog.put_workgroup(group, true).await?;
            anstream::eprintln!("workgroup {} changed", definition.name);
            Ok(())
        }
        Workgroup::List => list(
            &setting.existing_catalog().await?.list_workgroups().await?,
            global.output,
        ),
        Workgroup::Show { name } => json(
            &setting
                .existing_catalog()
                .await?
                .get_workgroup(&name)
                .await?,
        ),
        Workgroup::Delete { name } => {
            setting
                .existing_catalog()
                .await?
                .delete_workgroup(&name)
                .await?;
            anstream::eprintln!("workgroup {name} deleted");
            Ok(())
        }
    }
}

/// That results could go there.
fn check_location(location: Option<&str>, setting: &Setting) -> Result<()> {
    match location {
        Some(url) => setting.stores.locate(url).map(drop).map_err(CliError::from),
        None => Ok(()),
    }
}

fn list(groups: &[WorkGroup], output: Output) -> Result<()> {
    if output == Output::Json {
        return lines(groups);
    }
    let mut listing = Listing::new(&[
        "workgroup",
        "state",
        "bytes scanned",
        "timeout",
        "at once",
        "memory",
        "reuse",
        "results",
        "enforced",
        "description",
    ]);
    let size = |n: Option<u64>| n.map(bytes).unwrap_or_default();
    for group in groups {
        let of = &group.configuration;
        let timeout = of
            .query_timeout_in_seconds
            .map(std::time::Duration::from_secs);
        listing.push(vec![
            group.name.clone(),
            match group.state {
                WorkGroupState::Enabled => "ENABLED".to_owned(),
                WorkGroupState::Disabled => "DISABLED".to_owned(),
            },
            size(of.bytes_scanned_cutoff_per_query),
            timeout.map(duration).unwrap_or_default(),
            of.max_concurrent_queries
                .map(|n| n.to_string())
                .unwrap_or_default(),
            size(of.memory_limit_in_bytes),
            of.result_reuse_max_age_in_minutes
                .map(|n| format!("{n} min"))
                .unwrap_or_default(),
            of.result_configuration
                .output_location
                .clone()
                .unwrap_or_default(),
            if of.enforce_work_group_configuration {
                "yes"
            } else {
                ""
            }
            .to_owned(),
            group.description.clone().unwrap_or_default(),
        ]);
    }
    listing.write(output)
}
