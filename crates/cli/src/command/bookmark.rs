//! `mastic bookmark`.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use clap::{Args, Subcommand};
use mastic_catalog::{Bookmark as Stored, BookmarkPosition, CatalogStore, RewindTo, SourceObject};
use mastic_lake::store::Stores;
use serde_json::Value;

use crate::args::{Global, Output};
use crate::command::classifier::text_of;
use crate::command::runs::{lines, time};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{bytes, count, counted};
use crate::output::Listing;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  mastic bookmark show clean_orders                        what each source has seen
  mastic bookmark show clean_orders orders --objects       and which objects those are
  mastic bookmark rewind clean_orders --to-run jr_3f2a     what was seen after that run is new again
  mastic bookmark rewind clean_orders orders --to-time 2024-05-01
  mastic bookmark set clean_orders orders --up-to 2024-05-01T12:00:00Z
  mastic bookmark set clean_orders orders --from seen.txt  one path a line, or JSON
  mastic bookmark reset clean_orders                       all is new again

Moving a bookmark changes nothing of what a job has written. Times without an offset are UTC.")]
pub(crate) enum Bookmark {
    /// Show what a job has seen of its sources
    Show {
        /// The job; without it, all bookmarks
        job: Option<String>,
        /// The source; with it, the runs that the bookmark can be rewound to
        source: Option<String>,
        /// List the objects that were seen
        #[arg(long, requires = "source")]
        objects: bool,
        /// Only objects whose path begins so
        #[arg(long, requires = "objects", default_value = "", value_name = "TEXT")]
        prefix: String,
        /// How many commits
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// Forget everything that was seen
    Reset(Of),
    /// Make unseen again what was seen after a run or a time
    Rewind {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        to: To,
    },
    /// Go on reading what is new, and stop noting that it was seen
    Pause(Of),
    /// Note again what was seen
    Resume(Of),
    /// Say what was seen, whatever was before
    Set {
        /// The job
        job: String,
        /// The source
        source: String,
        /// Everything that was last modified at this time or before
        #[arg(long, value_name = "TIME", required_unless_present = "from")]
        up_to: Option<String>,
        /// The objects of this file: one path a line, or JSON as `show --objects -o json` and
        /// `aws s3api list-objects-v2` print it; - is standard input
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// What to put before each path: s3://BUCKET/ before the keys of a listing
        #[arg(long, requires = "from", value_name = "TEXT")]
        prefix: Option<String>,
    },
}

/// Whose bookmark.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The job
    job: String,
    /// The source; without it, all of the job
    source: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct To {
    /// To where this run left it; the beginning of its id is enough
    #[arg(long, value_name = "RUN")]
    to_run: Option<String>,
    /// To where it stood at this time
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
}

pub(crate) async fn run(command: Bookmark, global: &Global, setting: &Setting) -> Result<()> {
    let output = global.output;
    match command {
        Bookmark::Show {
            job,
            source,
            objects,
            prefix,
            limit,
        } => {
            let catalog = setting.existing_catalog().await?;
            let catalog = catalog.as_ref();
            match (job, source) {
                (Some(job), Some(source)) if objects => {
                    catalog.find_bookmarks(&job, Some(&source)).await?;
                    show_objects(catalog, (&job, &source), &prefix, output).await
                }
                (Some(job), Some(source)) => {
                    let found = catalog.find_bookmarks(&job, Some(&source)).await?;
                    list(&found, output)?;
                    if output != Output::Table {
                        return Ok(());
                    }
                    history(catalog, (&job, &source), limit, output).await
                }
                (job, _) => {
                    let found = match &job {
                        Some(job) => catalog.find_bookmarks(job, None).await?,
                        None => catalog.list_bookmarks(None).await?,
                    };
                    list(&found, output)?;
                    unsettled(catalog, job.as_deref()).await
                }
            }
        }
        Bookmark::Reset(Of { job, source }) => {
            let catalog = setting.existing_catalog().await?;
            list(
                &catalog.reset_bookmark(&job, source.as_deref()).await?,
                output,
            )
        }
        Bookmark::Rewind { of, to } => {
            let place = match (to.to_run, to.to_time) {
                (Some(run), _) => RewindTo::Run(run),
                (None, Some(text)) => RewindTo::Time(time_of("--to-time", &text)?),
                // The group of arguments demands one of them.
                (None, None) => return Ok(()),
            };
            let catalog = setting.existing_catalog().await?;
            let source = of.source.as_deref();
            list(
                &catalog.rewind_bookmark(&of.job, source, place).await?,
                output,
            )
        }
        Bookmark::Pause(of) => pause(&of, true, output, setting).await,
        Bookmark::Resume(of) => pause(&of, false, output, setting).await,
        Bookmark::Set {
            job,
            source,
            up_to,
            from,
            prefix,
        } => {
            let up_to = up_to.map(|text| time_of("--up-to", &text)).transpose()?;
            let objects = match &from {
                Some(file) => {
                    let told = |e: String| {
                        CliError::failed(format!("cannot read {}: {e}", file.display()))
                    };
                    let text = text_of(file)?;
                    objects_of(&text, prefix.as_deref(), &setting.stores).map_err(told)?
                }
                None => Vec::new(),
            };
            let catalog = setting.catalog().await?;
            if catalog.check_job(&job).await.is_err() {
                anstream::eprintln!("nothing is known of a job {job} yet");
            }
            let position = BookmarkPosition { objects, up_to };
            let set = catalog.set_bookmark(&job, &source, position).await?;
            list(&[set], output)
        }
    }
}

async fn pause(of: &Of, paused: bool, output: Output, setting: &Setting) -> Result<()> {
    let catalog = setting.existing_catalog().await?;
    let source = of.source.as_deref();
    list(
        &catalog.pause_bookmark(&of.job, source, paused).await?,
        output,
    )
}

fn list(bookmarks: &[Stored], output: Output) -> Result<()> {
    if output == Output::Json {
        return lines(bookmarks);
    }
    let mut listing = Listing::new(&[
        "job",
        "source",
        "version",
        "state",
        "objects",
        "oldest",
        "newest",
        "up to",
        "run",
        "committed",
    ]);
    for bookmark in bookmarks {
        let shown = |at: Option<DateTime<Utc>>| at.map(time).unwrap_or_default();
        listing.push(vec![
            bookmark.job_name.clone(),
            bookmark.source_name.clone(),
            bookmark.version.to_string(),
            if bookmark.paused { "paused" } else { "active" }.to_owned(),
            match output {
                Output::Table => count(bookmark.objects),
                _ => bookmark.objects.to_string(),
            },
            shown(bookmark.oldest),
            shown(bookmark.newest),
            shown(bookmark.up_to),
            bookmark.run_id.clone().unwrap_or_default(),
            shown(bookmark.committed_on),
        ]);
    }
    listing.write(output)
}

/// Says which runs are committing, or died while they were.
async fn unsettled(catalog: &dyn CatalogStore, job: Option<&str>) -> Result<()> {
    for commit in catalog.pending_commits(job).await? {
        let (job, run) = (&commit.job_name, &commit.run_id);
        if commit.alive {
            anstream::eprintln!("run {run} of job {job} is committing");
        } else {
            anstream::eprintln!(
                "run {run} of job {job} ended while it committed; the job's next run settles what it left"
            );
        }
    }
    Ok(())
}

async fn history(
    catalog: &dyn CatalogStore,
    (job, source): (&str, &str),
    limit: u32,
    output: Output,
) -> Result<()> {
    let mut listing = Listing::new(&["version", "run", "attempt", "committed", "added", "objects"]);
    for commit in catalog.list_bookmark_commits(job, source, limit).await? {
        listing.push(vec![
            commit.version.to_string(),
            commit.run_id.unwrap_or_else(|| "set by hand".to_owned()),
            commit.attempt.to_string(),
            time(commit.committed_on),
            count(commit.added),
            count(commit.objects),
        ]);
    }
    listing.write(output)
}

/// How many objects are read, and shown in one table, at once.
const AT_ONCE: usize = 10_000;

async fn show_objects(
    catalog: &dyn CatalogStore,
    (job, source): (&str, &str),
    prefix: &str,
    output: Output,
) -> Result<()> {
    let mut after: Option<String> = None;
    let mut shown = 0;
    // The tables of several pages, and CSV of them, would have a header each.
    let mut listing = Listing::new(&["path", "size", "modified", "etag"]);
    loop {
        let page = catalog
            .list_seen(job, source, prefix, after.as_deref(), AT_ONCE)
            .await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.path.clone());
        shown += page.len() as u64;
        if output == Output::Json {
            lines(&page)?;
            continue;
        }
        for object in page {
            let size = object.size.map(|size| match output {
                Output::Table => bytes(size),
                _ => size.to_string(),
            });
            let modified = object.last_modified.map(|at| match output {
                Output::Table => time(at),
                _ => at.to_rfc3339(),
            });
            listing.push(vec![
                object.path,
                size.unwrap_or_default(),
                modified.unwrap_or_default(),
                object.etag.unwrap_or_default(),
            ]);
        }
    }
    if output != Output::Json {
        listing.write(output)?;
    }
    anstream::eprintln!("{}", counted(shown, "object"));
    Ok(())
}

/// A time as people type it; without an offset it is UTC.
fn time_of(option: &str, text: &str) -> Result<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z") {
        return Ok(time.to_utc());
    }
    let plain = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    for format in plain {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    day.and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|time| time.and_utc())
        .ok_or_else(|| {
            CliError::Usage(format!(
                "{option} wants a time such as 2024-05-01 or 2024-05-01T12:00:00Z, and got '{text}'"
            ))
        })
}

/// The objects that a file names: JSON (objects, arrays of them, or listings of S3, one after the other), or one path a
/// line, of which only the path counts.
fn objects_of(
    text: &str,
    prefix: Option<&str>,
    stores: &Stores,
) -> std::result::Result<Vec<SourceObject>, String> {
    let mut objects = Vec::new();
    if text.trim_start().starts_with(['{', '[']) {
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            take(value.map_err(|e| e.to_string())?, &mut objects)?;
        }
    } else {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        objects.extend(lines.map(SourceObject::any));
    }
    for object in &mut objects {
        object.path = match prefix {
            Some(prefix) => format!("{prefix}{}", object.path),
            // As a source names its objects, from wherever the command is run.
            None if !object.path.contains("://") => {
                let place = stores.locate(&object.path);
                place.map_err(|e| e.to_string())?.url
            }
            None => continue,
        };
    }
    Ok(objects)
}

fn take(value: Value, objects: &mut Vec<SourceObject>) -> std::result::Result<(), String> {
    match value {
        Value::Array(values) => {
            for value in values {
                let object = serde_json::from_value(value)
                    .map_err(|e| format!("object {}: {e}", objects.len() + 1))?;
                objects.push(object);
            }
            Ok(())
        }
        Value::Object(mut listing) => match listing.remove("Contents") {
            Some(contents) => take(contents, objects),
            None => take(Value::Array(vec![Value::Object(listing)]), objects),
        },
        other => Err(format!("it holds {other}, which is no object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        for text in [
            "2024-05-01",
            "2024-05-01 00:00",
            "2024-05-01T02:00:00+02:00",
            " 2024-05-01 00:00:00.000 ",
            "2024-05-01 02:00:00+02:00",
        ] {
            let time = time_of("--up-to", text).unwrap();
            assert_eq!(time.to_rfc3339(), "2024-05-01T00:00:00+00:00", "{text}");
        }
        for text in ["", "yesterday", "2024-13-01", "01.05.2024"] {
            assert!(time_of("--up-to", text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_of_objects_are_read_in_every_shape() {
        let stores = Stores::default();
        let paths = |text: &str, prefix| -> Vec<String> {
            let objects = objects_of(text, prefix, &stores).unwrap();
            objects.into_iter().map(|object| object.path).collect()
        };
        let expected = ["s3://b/a", "s3://b/c d"];
        assert_eq!(paths("s3://b/a\r\n\n s3://b/c d", None), expected);
        assert_eq!(paths("a\nc d\n", Some("s3://b/")), expected);
        let lines = "{\"Path\":\"s3://b/a\",\"Size\":1}\n{\"Path\":\"s3://b/c d\"}\n";
        assert_eq!(paths(lines, None), expected);
        // As `aws s3api list-objects-v2` prints it.
        let listing = r#"{"Contents":[{"Key":"a","LastModified":"2024-05-01T10:00:00+00:00","ETag":"\"x\"","Size":7},{"Key":"c d"}],"RequestCharged":null}"#;
        assert_eq!(paths(listing, Some("s3://b/")), expected);
        assert_eq!(paths("/data/a.csv", None), ["/data/a.csv"]);
        assert_eq!(paths("", None), [""; 0]);
        for wrong in ["[1]", "{\"Size\":1}", "[{\"Path\":\"a\"", "{} 1"] {
            assert!(objects_of(wrong, None, &stores).is_err(), "{wrong}");
        }
    }
}
