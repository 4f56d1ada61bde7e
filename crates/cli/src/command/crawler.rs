//! `mastic crawler`.

use chrono::{DateTime, Utc};
use mastic_catalog::model::{
    Crawler, CrawlerTargets, DeleteBehavior, RecrawlBehavior, RecrawlPolicy, S3Target,
    SchemaChangePolicy, UpdateBehavior,
};
use mastic_catalog::{CatalogStore, Crawl, DefinitionOutcome};
use mastic_crawler::{Undone, options_of, undo};
use serde_json::{Value, json};

use crate::args::{Crawler as Command, CreateCrawler, Global, How, OnDelete, OnRecrawl, OnUpdate};
use crate::command::catalog::json;
use crate::command::crawl;
use crate::config::Setting;
use crate::error::Result;
use crate::format::{count, duration};
use crate::output::Listing;

pub(crate) async fn run(command: Command, global: &Global, setting: &Setting) -> Result<()> {
    match command {
        Command::Create(create) => define(create, setting).await,
        Command::Run { name, how } => start(&name, &how, global, setting).await,
        Command::List => list(global, setting).await,
        Command::Show { name } => {
            let catalog = setting.existing_catalog().await?;
            json(&catalog.get_crawler(&name).await?)
        }
        Command::History { name, limit } => history(name.as_deref(), limit, global, setting).await,
        Command::Crawl { id } => {
            let catalog = setting.existing_catalog().await?;
            json(&catalog.get_crawl(id).await?)
        }
        Command::Undo { id } => {
            let catalog = setting.existing_catalog().await?;
            for table in undo(catalog.as_ref(), id).await? {
                match table {
                    Undone::Restored(name, version) => {
                        anstream::eprintln!("{name}: as it was in version {version}");
                    }
                    Undone::Deleted(name) => anstream::eprintln!("{name}: deleted"),
                }
            }
            Ok(())
        }
        Command::Delete { name } => {
            let catalog = setting.existing_catalog().await?;
            catalog.delete_crawler(&name).await?;
            anstream::eprintln!("deleted crawler {name}");
            Ok(())
        }
    }
}

async fn define(create: CreateCrawler, setting: &Setting) -> Result<()> {
    let policy = create.policy;
    let targets = create
        .targets
        .iter()
        .map(|path| {
            // A crawler is run from anywhere.
            Ok(S3Target {
                path: setting.stores.locate(path)?.url,
                exclusions: policy.exclude.clone(),
                sample_size: None,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let configuration = configuration(&policy);
    let crawler = Crawler {
        name: create.name,
        description: create.description,
        targets: CrawlerTargets {
            s3_targets: targets,
        },
        database_name: Some(policy.database),
        classifiers: policy.classifiers,
        table_prefix: Some(policy.prefix).filter(|p| !p.is_empty()),
        schema_change_policy: Some(SchemaChangePolicy {
            update_behavior: Some(match policy.on_update {
                OnUpdate::Log => UpdateBehavior::Log,
                OnUpdate::Merge | OnUpdate::Replace => UpdateBehavior::UpdateInDatabase,
            }),
            delete_behavior: Some(match policy.on_delete {
                OnDelete::Deprecate => DeleteBehavior::DeprecateInDatabase,
                OnDelete::Delete => DeleteBehavior::DeleteFromDatabase,
                OnDelete::Log => DeleteBehavior::Log,
            }),
        }),
        recrawl_policy: Some(RecrawlPolicy {
            recrawl_behavior: Some(match create.recrawl {
                OnRecrawl::Everything => RecrawlBehavior::CrawlEverything,
                OnRecrawl::NewFolders => RecrawlBehavior::CrawlNewFoldersOnly,
                OnRecrawl::Events => RecrawlBehavior::CrawlEventMode,
            }),
        }),
        configuration: Some(configuration),
        ..Crawler::default()
    };
    let catalog = setting.catalog().await?;
    let classifiers = classifiers(catalog.as_ref(), &crawler).await?;
    // What could not be run is refused now.
    options_of(&crawler, &classifiers, Some(Vec::new()))?;
    let name = crawler.name.clone();
    let done = match catalog.put_crawler(crawler, create.replace).await? {
        DefinitionOutcome::Created => "new",
        DefinitionOutcome::Unchanged => "unchanged",
        _ => "changed",
    };
    anstream::eprintln!("crawler {name}: {done}\nnext: mastic crawler run {name}");
    Ok(())
}

/// The options that have no field of their own, as Glue writes them ("Setting crawler configuration options").
fn configuration(policy: &crate::args::Policy) -> String {
    let mut configuration = json!({ "Version": 1.0 });
    let mut set = |path: [&str; 3], value: Value| {
        let mut at = &mut configuration;
        for key in path.into_iter().filter(|k| !k.is_empty()) {
            at = &mut at[key];
        }
        *at = value;
    };
    if policy.combine_compatible_schemas {
        set(
            ["Grouping", "TableGroupingPolicy", ""],
            "CombineCompatibleSchemas".into(),
        );
    }
    if let Some(level) = policy.table_level {
        set(["Grouping", "TableLevelConfiguration", ""], level.into());
    }
    if policy.on_update == OnUpdate::Merge {
        set(
            ["CrawlerOutput", "Tables", "AddOrUpdateBehavior"],
            "MergeNewColumns".into(),
        );
    }
    if let Some(threshold) = policy.table_threshold {
        set(
            ["CrawlerOutput", "Tables", "TableThreshold"],
            threshold.into(),
        );
    }
    if policy.inherit_from_table {
        set(
            ["CrawlerOutput", "Partitions", "AddOrUpdateBehavior"],
            "InheritFromTable".into(),
        );
    }
    configuration.to_string()
}

async fn classifiers(
    catalog: &dyn CatalogStore,
    crawler: &Crawler,
) -> Result<Vec<mastic_catalog::Classifier>> {
    let mut found = Vec::with_capacity(crawler.classifiers.len());
    for name in &crawler.classifiers {
        found.push(catalog.get_classifier(name).await?);
    }
    Ok(found)
}

async fn start(name: &str, how: &How, global: &Global, setting: &Setting) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    let crawler = catalog.get_crawler(name).await?;
    let classifiers = classifiers(catalog.as_ref(), &crawler).await?;
    let mut options = options_of(&crawler, &classifiers, crawl::changed(how)?)?;
    crawl::apply(how, &mut options)?;
    let report = crawl::watched(catalog.as_ref(), &options, setting).await?;
    crawl::tell(&report, how, global, setting)?;
    crawl::statistics(&report, how, catalog, setting).await
}

async fn list(global: &Global, setting: &Setting) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    let mut listing = Listing::new(&[
        "crawler",
        "database",
        "targets",
        "last crawl",
        "began",
        "description",
    ]);
    for crawler in catalog.list_crawlers().await? {
        let last = catalog.list_crawls(Some(&crawler.name), 1).await?;
        let targets = crawler.targets.s3_targets.iter().map(|t| t.path.as_str());
        listing.push(vec![
            crawler.name.clone(),
            crawler.database_name.clone().unwrap_or_default(),
            targets.collect::<Vec<_>>().join(", "),
            last.first()
                .map(|c| c.state.as_str().to_owned())
                .unwrap_or_default(),
            last.first()
                .map(|c| shown(c.start_time))
                .unwrap_or_default(),
            crawler.description.unwrap_or_default(),
        ]);
    }
    listing.write(global.output)
}

fn shown(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

async fn history(name: Option<&str>, limit: u32, global: &Global, setting: &Setting) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    if let Some(name) = name {
        let crawls = catalog.list_crawls(Some(name), 1).await?;
        if crawls.is_empty() {
            // A crawler that never ran has no history; a name that is no crawler is a mistake.
            catalog.get_crawler(name).await?;
        }
    }
    let mut listing = Listing::new(&[
        "crawl", "crawler", "database", "state", "began", "took", "files", "opened", "skipped",
        "tables", "changed", "error",
    ]);
    for crawl in catalog.list_crawls(name, limit).await? {
        listing.push(row(&crawl));
    }
    listing.write(global.output)
}

fn row(crawl: &Crawl) -> Vec<String> {
    let number = |name: &str| {
        let number = crawl.summary.get(name).and_then(Value::as_u64);
        number.map(count).unwrap_or_default()
    };
    let tables = crawl.summary.get("tables").and_then(Value::as_array);
    let changed = tables.map(|all| {
        let same = |t: &&Value| {
            let outcome = t.get("outcome").and_then(Value::as_str);
            outcome == Some("logged")
        };
        all.len() - all.iter().filter(same).count()
    });
    let took = crawl
        .end_time
        .and_then(|end| (end - crawl.start_time).to_std().ok());
    let error = crawl.error_message.as_deref().unwrap_or_default();
    vec![
        crawl.crawl_id.to_string(),
        crawl.crawler_name.clone().unwrap_or_default(),
        crawl.database_name.clone(),
        crawl.state.as_str().to_owned(),
        shown(crawl.start_time),
        took.map(duration).unwrap_or_default(),
        number("files"),
        number("opened"),
        number("problem_count"),
        number("table_count"),
        changed.map(|n| n.to_string()).unwrap_or_default(),
        error.lines().next().unwrap_or_default().to_owned(),
    ]
}
