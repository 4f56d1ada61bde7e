//! Lists every file below a target and examines it, in parallel and bounded.

use std::sync::Arc;

use arrow_schema::Fields;
use futures::StreamExt;
use mastic_lake::LakeError;
use mastic_lake::compress::Compression;
use mastic_lake::format::{Examined, FileFormat, examine};
use mastic_lake::infer::{Kind, Sighting};
use mastic_lake::input::Input;
use mastic_lake::list::{hive_folder, list};
use mastic_lake::store::{Location, Stores};
use object_store::ObjectMeta;
use tokio::runtime::Handle;

use crate::{CrawlError, CrawlOptions, FileProblem, Progress, Result};

/// A file that was examined, without what only its own inference needed.
#[derive(Debug, Clone)]
pub(crate) struct SeenFile {
    pub(crate) meta: ObjectMeta,
    pub(crate) url: String,
    /// The folders between the target and the file, as their names are.
    pub(crate) folders: Vec<String>,
    pub(crate) name: String,
    pub(crate) format: FileFormat,
    pub(crate) compression: Compression,
    pub(crate) reason: String,
    pub(crate) fields: Fields,
    pub(crate) rows: u64,
    pub(crate) complete: bool,
    pub(crate) seen_bytes: u64,
    /// For each column with values of several kinds, or of one that a path may repeat: what was seen.
    pub(crate) sightings: Vec<(String, Vec<(Kind, Sighting)>)>,
    /// Null markers of columns that hold nothing else, by column.
    pub(crate) lone_markers: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) files: Vec<SeenFile>,
    pub(crate) empty: Vec<String>,
    pub(crate) problems: Vec<FileProblem>,
}

/// The targets' places. None may lie within another: its files would be in two tables.
pub(crate) fn locate(stores: &Stores, targets: &[String]) -> Result<Vec<Location>> {
    let mut roots: Vec<Location> = Vec::with_capacity(targets.len());
    for target in targets {
        roots.push(stores.locate(target)?);
    }
    for (i, inner) in roots.iter().enumerate() {
        for (j, outer) in roots.iter().enumerate() {
            let within = inner.url == outer.url && i > j
                || inner.url.starts_with(&format!("{}/", outer.url));
            if i != j && within {
                return Err(CrawlError::Overlap {
                    inner: inner.url.clone(),
                    outer: outer.url.clone(),
                });
            }
        }
    }
    Ok(roots)
}

pub(crate) async fn survey(
    root: &Location,
    options: &CrawlOptions,
    progress: &dyn Progress,
) -> Result<Survey> {
    let listing = list(root).await?;
    let mut survey = Survey {
        empty: listing
            .empty
            .iter()
            .map(|meta| root.url_of(&meta.location))
            .collect(),
        ..Survey::default()
    };
    if listing.files.is_empty() {
        return Err(LakeError::Empty {
            url: root.url.clone(),
        }
        .into());
    }
    progress.listed(&root.url, listing.files.len());
    let limits = options.limits;
    let depth = root.path.parts().count();
    let mut examined = futures::stream::iter(listing.files.into_iter().map(|meta| {
        let url = root.url_of(&meta.location);
        let input = Input::new(root.store.clone(), meta, url, Handle::current());
        tokio::task::spawn_blocking(move || {
            let result = examine(&input, &limits, &[]).map(|found| seen(&input, found, depth));
            (input, result)
        })
    }))
    .buffered(options.concurrency.max(1));
    // Most files of a lake share few schemas: one copy of each is kept.
    let mut schemas: Vec<Fields> = Vec::new();
    while let Some(done) = examined.next().await {
        let (input, result) = done?;
        progress.examined(&input.url, input.meta.size);
        match result {
            Ok(mut file) => {
                match schemas.iter().find(|s| **s == file.fields) {
                    Some(known) => file.fields = known.clone(),
                    None => schemas.push(file.fields.clone()),
                }
                survey.files.push(file);
            }
            Err(LakeError::NoRecords { file }) => survey.empty.push(file),
            Err(
                error @ (LakeError::Data { .. }
                | LakeError::UnknownFormat { .. }
                | LakeError::NotFound { .. }),
            ) => {
                survey.problems.push(FileProblem {
                    url: input.url.clone(),
                    reason: error.to_string(),
                });
            }
            // A store that refuses is no matter of one file.
            Err(error @ LakeError::Store { .. }) if !root.is_local() => return Err(error.into()),
            Err(error) => survey.problems.push(FileProblem {
                url: input.url.clone(),
                reason: error.to_string(),
            }),
        }
    }
    Ok(survey)
}

fn seen(input: &Input, found: Examined, depth: usize) -> SeenFile {
    let mut folders: Vec<String> = input
        .meta
        .location
        .parts()
        .skip(depth)
        .map(|part| part.as_ref().to_owned())
        .collect();
    // A target that is a file has no part below itself.
    let name = folders
        .pop()
        .or_else(|| input.meta.location.filename().map(str::to_owned))
        .unwrap_or_default();
    let inference = found.inference;
    let keys: Vec<String> = folders
        .iter()
        .filter_map(|f| Some(hive_folder(f)?.0))
        .collect();
    let lone_markers = inference
        .node
        .iter()
        .flat_map(mastic_lake::infer::Node::fields)
        .flat_map(|(name, node)| {
            node.lone_markers()
                .map(move |m| (name.to_lowercase(), m.to_owned()))
        })
        .collect();
    let sightings = inference
        .node
        .iter()
        .flat_map(mastic_lake::infer::Node::fields)
        .filter(|(name, node)| {
            // Kept are columns at odds with themselves, and those that a folder may repeat.
            node.sightings().len() > 1
                || crate::levels::is_date_part(name)
                || keys.iter().any(|key| name.eq_ignore_ascii_case(key))
        })
        .map(|(name, node)| {
            let kinds = node.sightings().iter().map(|(k, s)| (*k, s.clone()));
            (name.to_owned(), kinds.collect())
        })
        .collect();
    // Columns are named as catalogs need them; files bind to them without regard to case.
    let names =
        mastic_schema::names::column_names(inference.fields.iter().map(|f| f.name().as_str()));
    let fields = inference
        .fields
        .iter()
        .zip(names)
        .map(|(field, name)| Arc::new(field.as_ref().clone().with_name(name)))
        .collect();
    SeenFile {
        meta: input.meta.clone(),
        url: input.url.clone(),
        folders,
        name,
        format: found.format,
        compression: found.compression,
        reason: found.reason,
        fields,
        rows: inference.rows,
        complete: inference.complete,
        seen_bytes: inference.bytes,
        sightings,
        lone_markers,
    }
}
