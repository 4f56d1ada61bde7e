//! Entities of a table, or of two.

use std::path::{Path, PathBuf};
use std::time::Instant;

use datafusion::dataframe::DataFrame;
use mastic_catalog::{CatalogError, MlTransform};
use mastic_find_matches::{Given, Joined, Labels, Matched, Side, Transform, find_matches_with};
use mastic_jobs::{JobOptions, Script, Source};
use mastic_query::{QueryError, Session};

use super::arguments::Match;
use super::{ENDINGS, ending, labels, open, say, transforms};
use crate::args::{Global, Output};
use crate::config::Setting;
use crate::error::{CliError, Result};
use crate::format::{count, counted, duration};
use crate::output;
use crate::progress::Line;

/// How many pairs of entities that are perhaps one are told.
const TOLD: usize = 5;

/// Where rows go.
enum Goal {
    /// Nowhere.
    Nowhere,
    Screen(Output),
    File(PathBuf),
    Table(String),
}

impl Goal {
    /// What new records are to join, when they come.
    fn entities(&self) -> Result<Option<String>> {
        Ok(match self {
            Goal::Nowhere | Goal::Screen(_) => None,
            Goal::File(path) => {
                let path: &Path = path;
                Some(std::path::absolute(path)?.display().to_string())
            }
            Goal::Table(name) => Some(name.clone()),
        })
    }
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

pub(super) async fn run(arguments: &Match, global: &Global, setting: &Setting) -> Result<()> {
    let start = Instant::now();
    let session = arguments.tables.session(setting).await?;
    let transform = match &arguments.transform {
        Some(name) => Some(transforms::get(&session, name).await?),
        None => None,
    };
    let saved = transform.as_ref().map(|(_, learned)| &learned.settings);
    let mut settings = arguments.how.settings(saved, arguments.tables.one_to_one)?;
    settings.enforce_provided_labels = arguments.enforce_labels;
    let labels = given_labels(arguments, &session, transform.as_ref()).await?;
    let there = match &transform {
        Some((kept, _)) if arguments.incremental => Some(transforms::entities(kept)?),
        _ => None,
    };
    // New records go where the others are.
    let target = arguments.target.0.as_deref().or(there);
    let goal = goal(target)?;
    if let Some(name) = &arguments.save {
        transforms::may_save(&session, name, arguments.replace).await?;
    }
    // What cannot be written is told before the work.
    let place = match &goal {
        Goal::Table(name) => Some(place(&session, name, arguments.location.as_deref()).await?),
        _ => None,
    };
    let line = Line::new("reading …");
    let input = arguments.tables.open(&session).await?;
    let given = Given {
        labels,
        side: arguments.side.as_deref().map(|side| match side {
            "right" => Side::Right,
            _ => Side::Left,
        }),
        existing: match there {
            Some(there) => Some(open(&session, there).await?),
            None => None,
        },
        transform: transform.as_ref().map(|(_, learned)| learned.clone()),
        keep: arguments.save.is_some(),
        by_name: false,
    };
    let matched = find_matches_with(session.context(), input, &settings, given, &|stage| {
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
            output::result(
                first,
                output::Show {
                    format: *format,
                    max_rows: 200,
                },
            )
            .await?;
            if let (Some(name), Some(learned)) = (&arguments.save, &matched.transform) {
                transforms::save(&session, name, learned, None, arguments.replace).await?;
            }
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
    let entities = goal.entities()?;
    if let (Some(name), Some(learned)) = (&arguments.save, &matched.transform) {
        transforms::save(
            &session,
            name,
            learned,
            entities.as_deref(),
            arguments.replace,
        )
        .await?;
    }
    if let (Some((kept, _)), true, Some(entities)) = (&transform, arguments.incremental, &entities)
    {
        transforms::moved(&session, kept, entities).await?;
    }
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

/// The labels of the file, or else those that the transform keeps that is to be replaced. What the transform keeps
/// that is applied, it has by itself.
async fn given_labels(
    arguments: &Match,
    session: &Session,
    transform: Option<&(MlTransform, Transform)>,
) -> Result<Option<Labels>> {
    if let Some(file) = &arguments.labels {
        return Ok(Some(labels::read(session, file).await?));
    }
    if let Some(name) = arguments.save.as_ref().filter(|_| arguments.replace) {
        match session.catalog().get_transform(name).await {
            Ok(kept) => {
                let before = Transform::from_value(kept.model)?;
                if before.labels.is_some() {
                    let kept = labels::kept(session, name, &before)?;
                    anstream::eprintln!(
                        "by {} that transform {name} keeps",
                        counted(before.label_count(), "labelled pair")
                    );
                    return Ok(Some(kept));
                }
            }
            Err(CatalogError::TransformNotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match transform {
        _ if !arguments.enforce_labels => Ok(None),
        None => Err(CliError::Usage(
            "--enforce-labels needs --labels, or a --transform that keeps some".into(),
        )),
        Some((kept, learned)) if learned.labels.is_none() => Err(labels::without(&kept.name)),
        Some(_) => Ok(None),
    }
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
        if let (Some(object), Some(joined)) = (object.as_object_mut(), &matched.joined)
            && let Ok(joined) = serde_json::to_value(joined)
        {
            object.insert("joined".into(), joined);
        }
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
    if let Some(joined) = &matched.joined {
        tell_joined(joined);
    }
    if let Some(name) = &arguments.save {
        anstream::eprintln!("saved as transform {name}");
    }
    if let Some(written) = written {
        anstream::eprintln!("{written}");
    }
    Ok(())
}

fn tell_joined(joined: &Joined) {
    if joined.already_there > 0 {
        anstream::eprintln!(
            "{} there already{}",
            match joined.already_there {
                1 => "1 row is".to_owned(),
                n => format!("{} rows are", count(n)),
            },
            match joined.changed {
                0 => String::new(),
                n => format!(
                    ", {} of them with other values: the old ones stay",
                    count(n)
                ),
            }
        );
    }
    anstream::eprintln!(
        "{}: {} joined entities that were there, and the others make {}",
        counted(joined.new, "new record"),
        count(joined.joined),
        match joined.new_entities {
            1 => "1 entity".to_owned(),
            n => format!("{} entities", count(n)),
        }
    );
    for taken in joined.place_taken.iter().take(TOLD) {
        anstream::eprintln!(
            "place taken: the new record of entity {} matches entity {} ({:.0} % likely), which has its partner{}",
            taken.match_id,
            taken.entity,
            100.0 * taken.match_probability,
            match taken.present {
                Some(present) => format!(" ({:.0} %)", 100.0 * present),
                None => String::new(),
            }
        );
    }
    if joined.place_taken.len() > TOLD {
        anstream::eprintln!("… and {} more", joined.place_taken.len() - TOLD);
    }
    for (a, b, chance) in joined.perhaps_one.iter().take(TOLD) {
        anstream::eprintln!(
            "perhaps one: the entities {a} and {b}, which a new record both matches ({:.0} % likely)",
            100.0 * chance
        );
    }
    if joined.perhaps_one.len() > TOLD {
        anstream::eprintln!("… and {} more", joined.perhaps_one.len() - TOLD);
    }
}
