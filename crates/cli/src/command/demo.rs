//! `mastic demo`: the whole way on the sample data, with the commands that go it.

use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use mastic_crawler::CrawlOptions;
use mastic_jobs::{JobOptions, explain, plan};
use mastic_query::{QueryError, Session};

use crate::args::{Demo, Global, Output};
use crate::command::run as script_run;
use crate::command::{crawl, report, sql};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::output;
use crate::progress::Line;

const DATABASE: &str = "demo";

const QUERY: &str = "\
SELECT airline,
       count(*)                                                      AS flights,
       round(avg(times.arr_delay), 1)                                AS average_delay,
       round(avg(CASE WHEN weather.precip > 0 THEN times.arr_delay END), 1) AS when_it_rains,
       round(100.0 * avg(CASE WHEN delayed THEN 1.0 ELSE 0.0 END), 1) AS percent_late
FROM demo.flights_enriched
WHERE month IN (6, 7)
GROUP BY airline
ORDER BY percent_late DESC
LIMIT 8";

fn step(number: usize, title: &str, command: &str) {
    let bold = Style::new().bold();
    let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
    anstream::eprintln!("\n{bold}{number}. {title}{bold:#}");
    anstream::eprintln!("{cyan}$ {command}{cyan:#}\n");
}

/// The scripts of the samples, by name.
fn scripts(samples: &Path) -> Result<Vec<PathBuf>> {
    let folder = samples.join("scripts");
    let bad =
        |e: std::io::Error| CliError::failed(format!("cannot read {}: {e}", folder.display()));
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(bad)? {
        let path = entry.map_err(bad)?.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}

pub(crate) async fn run(arguments: Demo, global: &Global, setting: &Setting) -> Result<()> {
    let samples = arguments.samples;
    let lake = samples.join("lake");
    if !lake.is_dir() {
        return Err(CliError::hinted(
            format!("there is no sample data at {}", lake.display()),
            Some(
                "run this in a clone of the repository, or say where it lies with --samples".into(),
            ),
        ));
    }
    let option = setting.catalog_option(global);
    step(
        1,
        "Files become tables",
        &format!(
            "mastic crawl{option} {} --database {DATABASE} --explain",
            lake.display()
        ),
    );
    let options = CrawlOptions::new([lake.display().to_string()], DATABASE);
    let catalog = setting.catalog().await?;
    let report = crawl::watched(catalog.as_ref(), &options, setting).await?;
    crawl::list(&report, global.output)?;
    crawl::explain(&report);
    crawl::summary(&report);

    for (i, path) in scripts(&samples)?.iter().enumerate() {
        let title = if i == 0 {
            "Scripts make new tables of them"
        } else {
            "And another"
        };
        step(
            2 + i,
            title,
            &format!("mastic run{option} {}", path.display()),
        );
        let script = script_run::read(path, &[])?;
        let session = Session::open(catalog.clone(), setting.stores.clone(), None).await?;
        let planned = plan(&script, &session).await?;
        anstream::eprintln!("{}\n", explain(&script, Some(&planned)).trim_end());
        let options = JobOptions::default();
        let (run, done) = script_run::execute(&script, &session, options, setting).await?;
        report::tell(&run, &done, global.output)?;
    }

    let number = 2 + scripts(&samples)?.len();
    step(
        number,
        "SQL answers over what they made",
        &format!("mastic sql{option} '{QUERY}'"),
    );
    let session = Session::open(catalog, setting.stores.clone(), None).await?;
    let batches = {
        let _line = Line::new("running …");
        let frame = session
            .sql(QUERY)
            .await
            .map_err(|e| CliError::of_query(&e, QUERY, None))?;
        let stream = frame.execute_stream().await.map_err(QueryError::from)?;
        sql::first_batch(stream).await
    };
    output::result(
        batches,
        output::Show {
            format: global.output,
            max_rows: 0,
        },
    )
    .await?;
    if global.output == Output::Table {
        anstream::eprintln!(
            "\nnext: mastic sql{option}  (a prompt over the same tables), or mastic crawl YOUR_FOLDER --database NAME"
        );
    }
    Ok(())
}
