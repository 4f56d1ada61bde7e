//! What lies in the folders of partitions: few are listed one by one, many in one listing of what they lie in.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use mastic_catalog::parameters as names;
use mastic_lake::LakeError;
use mastic_lake::list::{Exclusions, list, stream};
use mastic_lake::scan::ScanFile;
use mastic_lake::store::Location;
use object_store::ObjectMeta;

use super::files::{Chosen, Place, Wanted};
use super::format::About;
use super::scan::scan_file;
use super::{FileSet, LakeTable, hidden};
use crate::error::{QueryError, Result};

/// Above this many folders below the table's root, the folder they all lie in is listed once instead of each of them.
const LIST_EACH: usize = 32;
/// Where a statement reads less than one in so many of a table's partitions, each is listed nonetheless: what lies in the
/// others is more than what it costs to ask for each.
const SMALL_PART: u64 = 50;
/// How many listings run at once.
const LISTINGS: usize = 16;

impl LakeTable {
    /// Whether so many folders are better found in one listing of what they lie in.
    pub(super) async fn at_once(&self, chosen: &Chosen, folders: usize) -> Result<bool> {
        if folders <= LIST_EACH {
            return Ok(false);
        }
        if chosen.projected || !chosen.pruned {
            return Ok(true);
        }
        let all = self.count_partitions().await?;
        Ok((folders as u64).saturating_mul(SMALL_PART) >= all)
    }

    /// Lists one folder, and finds the files of all the places below it.
    pub(super) async fn list_together(
        &self,
        base: &Location,
        places: &[Place],
        chosen: &Chosen,
        wanted: &Wanted,
        found: &mut FileSet,
    ) -> Result<()> {
        let mut by_folder: HashMap<&str, Vec<usize>> = HashMap::with_capacity(places.len());
        for (i, (place, _)) in places.iter().enumerate() {
            by_folder.entry(place.path.as_ref()).or_default().push(i);
        }
        let files = match self.listed(base).await {
            Err(error) if is_missing(&error) => return self.nothing_there(chosen).await,
            files => files?,
        };
        for meta in files {
            let mut folder = meta.location.as_ref();
            loop {
                for at in by_folder.get(folder).into_iter().flatten() {
                    if let Some((place, about)) = places.get(*at)
                        && wanted.has(&meta, place, &about.include)
                    {
                        found.add(place, self.file(&meta, place, about));
                    }
                }
                match folder.rsplit_once('/') {
                    Some((parent, _)) => folder = parent,
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Lists each place. One that is not there holds no rows, as in Athena.
    pub(super) async fn list_each(
        &self,
        places: Vec<Place>,
        chosen: &Chosen,
        wanted: &Wanted,
        found: &mut FileSet,
    ) -> Result<()> {
        let count = places.len();
        let mut missing = 0;
        let mut listings = futures::stream::iter(places.into_iter().map(async |(place, about)| {
            let files = match self.listed(&place).await {
                Err(error) if is_missing(&error) => None,
                files => Some(files?),
            };
            Ok::<_, QueryError>((place, about, files))
        }))
        .buffered(LISTINGS);
        while let Some((place, about, files)) = listings.try_next().await? {
            missing += usize::from(files.is_none());
            for meta in files.iter().flatten() {
                if wanted.has(meta, &place, &about.include) {
                    found.add(&place, self.file(meta, &place, &about));
                }
            }
        }
        if count > 0 && missing == count {
            self.nothing_there(chosen).await?;
        }
        Ok(())
    }

    /// None of the places is there. Where nothing of the table is, that is no table without rows, but a disk that is not
    /// mounted, say.
    async fn nothing_there(&self, chosen: &Chosen) -> Result<()> {
        let Some(base) = chosen.base.as_ref().filter(|_| !chosen.projected) else {
            return Ok(());
        };
        match stream(base, &Exclusions::default()).next().await {
            Some(Err(LakeError::NotFound { .. })) => Err(self.gone(&base.url)),
            _ => Ok(()),
        }
    }

    fn file(&self, meta: &ObjectMeta, place: &Location, about: &About) -> ScanFile {
        let mut values = about.values.clone();
        values.extend(hidden::values(
            self.hidden(),
            place,
            meta,
            Some(&about.name),
        ));
        scan_file(meta, &about.format, &values)
    }

    fn gone(&self, url: &str) -> QueryError {
        QueryError::Statement {
            message: format!(
                "the files of {} are gone: {url} does not exist",
                self.name()
            ),
            place: None,
            hint: Some("crawl again to bring the catalog up to date".into()),
        }
    }

    pub(super) async fn listed(&self, place: &Location) -> Result<Vec<ObjectMeta>> {
        match list(place).await {
            Ok(listing) => match listing.hidden.first() {
                None => Ok(listing.files),
                // Rows that may lie there must not be missing silently.
                Some((url, reason)) => Err(QueryError::Statement {
                    message: format!(
                        "the files of {} cannot all be read: {url}: {reason}",
                        self.name()
                    ),
                    place: None,
                    hint: None,
                }),
            },
            // A run that wrote no rows made no file, and an object store has no empty folders.
            Err(LakeError::NotFound { .. })
                if self
                    .table
                    .parameters
                    .get(names::OBJECT_COUNT)
                    .is_some_and(|n| n == "0") =>
            {
                Ok(Vec::new())
            }
            Err(error) if !self.partition_fields.is_empty() => Err(error.into()),
            Err(LakeError::NotFound { url }) => Err(self.gone(&url)),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_missing(error: &QueryError) -> bool {
    matches!(error, QueryError::Lake(LakeError::NotFound { .. }))
}

/// The deepest folder that all places lie in.
pub(super) fn common(places: &[Place]) -> Option<Location> {
    let (first, _) = places.first()?;
    let mut shared: Vec<&str> = first.path.as_ref().split('/').collect();
    for (place, _) in places {
        let same = shared
            .iter()
            .zip(place.path.as_ref().split('/'))
            .take_while(|(a, b)| **a == *b)
            .count();
        shared.truncate(same);
    }
    let path = object_store::path::Path::parse(shared.join("/")).ok()?;
    Some(Location {
        url: first.url_of(&path),
        path,
        ..first.clone()
    })
}
