//! `INSERT INTO` and `INSERT OVERWRITE`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::ast::Ident;
use mastic_catalog::CatalogError;
use mastic_lake::sink::{SinkMode, SinkSpec, Staged, Written, folder, key_texts};

use super::columns::{self, Source};
use super::existing::Existing;
use super::parse::{Insert, Value, told};
use super::places::Places;
use super::register::Registration;
use super::run::{of_lake, stage, to_the_end, visible_files};
use super::{Target, outcome, plan_query};
use crate::error::{QueryError, Result};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::statement::no_table;
use crate::table::LakeTable;

/// What DataFusion says of `SELECT 1, 1` within a UNION.
const NOT_UNIQUE: &str = "require unique expression names";

/// Puts a query's rows into a table.
pub(super) async fn insert(
    session: &Session,
    snapshot: &Snapshot,
    insert: Insert,
) -> Result<DataFrame> {
    let target = Target::of(session, &insert.table, insert.place)?;
    let catalog = session.catalog().clone();
    let table = match catalog.get_table(&target.database, &target.name).await {
        Ok(table) => table,
        Err(CatalogError::TableNotFound { .. } | CatalogError::DatabaseNotFound { .. }) => {
            let place = (insert.place.line, insert.place.column);
            return Err(no_table(
                session,
                snapshot,
                &target.to_string(),
                Some(place),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let existing = Existing::open(table, session.stores()).await?;
    let fields = existing.fields();
    let constants = constants(&existing, &fields, &insert)?;
    let frame = match plan_query(session, snapshot, &insert.query).await {
        Err(error) if error.to_string().contains(NOT_UNIQUE) => {
            match columns::with_names(&insert.query)? {
                Some(query) => plan_query(session, snapshot, &query).await?,
                None => return Err(error),
            }
        }
        planned => planned?,
    };
    let given = frame.schema().fields().len();
    let sources = sources(
        &existing,
        &fields,
        &constants,
        insert.columns.as_deref(),
        given,
    )?;
    let frame = columns::bound(frame, &existing.name(), &fields, &sources)?;

    let keyed = !existing.keys.is_empty();
    let mode = match (insert.overwrite, keyed) {
        (false, _) => SinkMode::Append,
        (true, true) => SinkMode::OverwritePartitions,
        (true, false) => SinkMode::ReplaceFiles,
    };
    let keys = existing.keys.iter().map(|key| key.name().clone());
    let mut spec =
        SinkSpec::new(existing.root.clone(), existing.options.clone(), mode).partitioned_by(keys);
    if mode == SinkMode::ReplaceFiles {
        spec.replaces = Arc::new(own_files(session, &existing).await?);
    }
    let mut places = Places::default();
    if keyed && !existing.projected {
        places = Places::read(&existing, catalog.as_ref(), session.stores()).await?;
        spec.folders = places.folders.clone();
    }
    // A partition that is named is replaced also by no rows.
    let emptied = match (mode, all_constant(&existing, &constants)?) {
        (SinkMode::OverwritePartitions, Some(hive)) => {
            let own = places.folder(&hive).to_owned();
            spec.emptied = Arc::new(BTreeSet::from([own]));
            Some(hive)
        }
        _ => None,
    };
    let registered = keyed && !existing.projected;
    let (staged, spec) = stage(frame, spec).await?;
    let (rows, files) = to_the_end(async move {
        let files = staged.written().clone();
        let registration = Registration::new(catalog, existing, places, spec, &files, emptied);
        let written = match registered {
            true => publish_partitions(&registration, staged).await?,
            false => publish(&registration, staged).await?,
        };
        let urls = written.files.iter();
        let urls = urls.map(|file| registration.root().child(&file.path).url);
        Ok((written.rows, urls.collect::<Vec<_>>()))
    })
    .await?;
    outcome(session, rows, &files)
}

/// Makes rows visible in partitions: the catalog is told first, since a partition without files has no rows.
async fn publish_partitions(registration: &Registration, staged: Staged) -> Result<Written> {
    let undo = match registration.tell_partitions().await {
        Ok(undo) => undo,
        Err(error) => return Err(given_up(staged, error).await),
    };
    match staged.commit().await {
        Ok(written) => Ok(written),
        Err(error) => {
            registration.undo(undo).await;
            Err(of_lake(error))
        }
    }
}

/// Makes rows visible in a table that has no partitions, or computes them.
async fn publish(registration: &Registration, staged: Staged) -> Result<Written> {
    if let Err(error) = registration.unchanged().await {
        return Err(given_up(staged, error).await);
    }
    let written = staged.commit().await.map_err(of_lake)?;
    registration.tell_counts().await?;
    Ok(written)
}

/// Removes what was staged, for this reason.
async fn given_up(staged: Staged, error: QueryError) -> QueryError {
    // What is left, if anything, is invisible, and removed by who writes there next.
    let _ = staged.abort().await;
    error
}

/// The files that the table has now, all of which an overwrite replaces.
async fn own_files(session: &Session, existing: &Existing) -> Result<BTreeSet<String>> {
    if visible_files(&existing.root).await?.is_empty() {
        return Ok(BTreeSet::new());
    }
    let provider = LakeTable::new(
        Arc::new(existing.table.clone()),
        session.catalog().clone(),
        session.stores().clone(),
    )?;
    let places = provider.files(&[]).await?.found.places;
    let files = places.iter().flat_map(|(place, files)| {
        let urls = files.iter().map(|file| place.url_of(&file.meta.location));
        urls.collect::<Vec<_>>()
    });
    Ok(files.collect())
}

/// The constants of `PARTITION (k = 'v', …)`, by the places of the table's columns.
fn constants(
    existing: &Existing,
    fields: &[FieldRef],
    insert: &Insert,
) -> Result<Vec<(usize, ScalarValue)>> {
    let mut constants = Vec::new();
    let mut named = BTreeSet::new();
    for (name, value) in &insert.partition {
        let at = key_at(existing, fields, name)?;
        if !named.insert(at) {
            return Err(told(
                format!("the partition key '{}' is named twice", name.value),
                name.span.start,
                None,
            ));
        }
        let Some((value, field)) = value.as_ref().zip(fields.get(at)) else {
            continue;
        };
        let text = match value {
            Value::Text(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null => None,
            Value::Array(_) => {
                return Err(told(
                    format!("a list is no value of the partition key '{}'", name.value),
                    name.span.start,
                    None,
                ));
            }
        };
        let constant = columns::constant(field, text.as_deref())
            .map_err(|error| told(error.to_string(), name.span.start, None))?;
        constants.push((at, constant));
    }
    Ok(constants)
}

fn key_at(existing: &Existing, fields: &[FieldRef], name: &Ident) -> Result<usize> {
    let first = existing.columns.len();
    let keys = fields.iter().enumerate().skip(first);
    let found = keys
        .clone()
        .find(|(_, f)| f.name().eq_ignore_ascii_case(&name.value));
    if let Some((at, _)) = found {
        return Ok(at);
    }
    let names: Vec<&str> = keys.map(|(_, f)| f.name().as_str()).collect();
    let (message, hint) = if names.is_empty() {
        (
            format!("{} has no partitions", existing.name()),
            Some("leave PARTITION out".to_owned()),
        )
    } else {
        (
            format!(
                "'{}' is no partition key of {}",
                name.value,
                existing.name()
            ),
            crate::error::meant(&name.value, &names),
        )
    };
    Err(told(message, name.span.start, hint))
}

/// Where each of the table's columns comes from: by place, or by the names that the statement gives.
fn sources(
    existing: &Existing,
    fields: &[FieldRef],
    constants: &[(usize, ScalarValue)],
    names: Option<&[Ident]>,
    given: usize,
) -> Result<Vec<Source>> {
    let mut sources = vec![Source::Missing; fields.len()];
    let mut fixed = BTreeSet::new();
    for (at, value) in constants {
        fixed.insert(*at);
        if let Some(source) = sources.get_mut(*at) {
            *source = Source::Constant(value.clone());
        }
    }
    let open: Vec<usize> = match names {
        None => (0..fields.len()).filter(|at| !fixed.contains(at)).collect(),
        Some(names) => {
            let mut open = Vec::with_capacity(names.len());
            for name in names {
                let own = |f: &FieldRef| f.name().eq_ignore_ascii_case(&name.value);
                let Some(at) = fields.iter().position(own) else {
                    let known: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
                    return Err(told(
                        format!("{} has no column '{}'", existing.name(), name.value),
                        name.span.start,
                        crate::error::meant(&name.value, &known),
                    ));
                };
                if open.contains(&at) || fixed.contains(&at) {
                    return Err(told(
                        format!("the column '{}' is given twice", name.value),
                        name.span.start,
                        None,
                    ));
                }
                open.push(at);
            }
            open
        }
    };
    if open.len() != given {
        let wanted: Vec<&str> = open
            .iter()
            .filter_map(|at| fields.get(*at))
            .map(|f| f.name().as_str())
            .collect();
        let columns = |n: usize| match n {
            1 => "1 column".to_owned(),
            n => format!("{n} columns"),
        };
        let hint = match names {
            Some(_) => "the statement names".to_owned(),
            None if existing.keys.is_empty() => "the table has".to_owned(),
            None => "the table has, its partition keys last,".to_owned(),
        };
        return Err(columns::told(
            format!(
                "the query gives {}, and {} are wanted",
                columns(given),
                columns(open.len())
            ),
            format!("{hint} {}", wanted.join(", ")),
        ));
    }
    for (column, at) in open.into_iter().enumerate() {
        if let Some(source) = sources.get_mut(at) {
            *source = Source::Column(column);
        }
    }
    Ok(sources)
}

/// Hive's folder of the partition that a statement names; none where the query says a part of it.
fn all_constant(existing: &Existing, constants: &[(usize, ScalarValue)]) -> Result<Option<String>> {
    let first = existing.columns.len();
    let mut values = Vec::with_capacity(existing.keys.len());
    for at in first..first + existing.keys.len() {
        let Some((_, value)) = constants.iter().find(|(own, _)| *own == at) else {
            return Ok(None);
        };
        let texts = key_texts(&value.to_array()?).map_err(DataFusionError::from)?;
        values.push(texts.into_iter().next().flatten());
    }
    if values.is_empty() {
        return Ok(None);
    }
    let names = existing.keys.iter().map(|key| key.name().as_str());
    Ok(Some(folder(names.zip(values.iter().map(Option::as_deref)))))
}
