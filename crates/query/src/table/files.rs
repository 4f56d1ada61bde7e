//! Which files a statement reads: partitions by its conditions, then what lies in their folders.

use std::collections::{BTreeSet, HashMap};

use datafusion::catalog::Session;
use datafusion::logical_expr::Expr;
use futures::{StreamExt, TryStreamExt};
use mastic_catalog::parameters as names;
use mastic_catalog::{Partition, PartitionPredicate};
use mastic_lake::LakeError;
use mastic_lake::list::{Exclusions, fits, list, stream};
use mastic_lake::scan::ScanFile;
use mastic_lake::store::Location;
use object_store::ObjectMeta;

use super::constant::{is_of, selected};
use super::format::{About, Formats};
use super::scan::scan_file;
use super::{FileSet, LakeTable, hidden, record_count};
use crate::error::{QueryError, Result};
use crate::predicate::translate;
use crate::projection::Projection;

/// Above this many folders below the table's root, the folder they all lie in is listed once instead of each of them.
const LIST_EACH: usize = 32;
/// Where a statement reads a part of a table's partitions that is smaller than this, each is listed nonetheless: what
/// lies in the others is more than what it costs to ask for each.
const SMALL_PART: u64 = 50;
/// How many listings run at once.
const LISTINGS: usize = 16;

/// The files that were listed for a statement.
pub(crate) struct Listed {
    pub(crate) found: FileSet,
    /// Of how many partitions they are, where the table has any.
    pub(crate) partitions: Option<usize>,
    /// What the catalog store, or the projection, chose the partitions by.
    pub(crate) predicate: Option<PartitionPredicate>,
    /// Whether files of the table were left out.
    pub(super) pruned: bool,
}

/// A folder of a partition.
type Place = (Location, About);

/// The partitions that a statement reads.
struct Chosen {
    partitions: Vec<Partition>,
    predicate: Option<PartitionPredicate>,
    /// The folder that they lie in, in general.
    base: Option<Location>,
    /// Whether they were computed: then their folders need not be there.
    projected: bool,
    pruned: bool,
}

/// Which files of a folder are the table's.
struct Wanted {
    include: BTreeSet<String>,
    exclusions: Exclusions,
}

impl Wanted {
    fn has(&self, file: &ObjectMeta, place: &Location, include: &BTreeSet<String>) -> bool {
        let (path, folder) = (file.location.as_ref(), place.path.as_ref());
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        // Globs are for the files of one folder: what lies deeper belongs to other tables.
        let own = include.is_empty() || parent == folder || path == folder;
        let out = || {
            let url = place.url_of(&file.location);
            self.exclusions.excludes(url.trim_start_matches('/'))
        };
        own && fits(name, include) && !out()
    }
}

impl LakeTable {
    /// The files that a statement with these filters has to read.
    pub(crate) async fn files(&self, filters: &[Expr]) -> Result<Listed> {
        self.select(None, filters).await
    }

    /// As [`Self::files`]; with a session, conditions that the catalog store cannot answer are looked at here too.
    pub(super) async fn select(
        &self,
        session: Option<&dyn Session>,
        filters: &[Expr],
    ) -> Result<Listed> {
        let include = self.texts(&self.table.parameters, names::INCLUDE)?;
        let wanted = Wanted {
            include: include.into_iter().collect(),
            exclusions: self.exclusions()?,
        };
        let root = self.table.location().unwrap_or_default();
        let projection = Projection::of(&self.table)?;
        let root = match (&projection, root.is_empty()) {
            (_, false) => {
                let root = self.stores.locate(root)?;
                mastic_lake::sink::recover(&root).await?;
                Some(root)
            }
            // A template may say it all.
            (Some(_), true) => None,
            (None, true) => {
                return Err(QueryError::Unsupported(format!(
                    "{} has no location",
                    self.name()
                )));
            }
        };
        let mut listed = match root {
            Some(root) if self.partition_fields.is_empty() => self.whole(root, &wanted).await?,
            root => {
                let chosen = self.choose(session, filters, projection, root).await?;
                self.of_partitions(chosen, &wanted).await?
            }
        };
        // What tells of the file is known now.
        let conditions: Vec<Expr> = filters
            .iter()
            .filter(|f| is_of(f, &self.constant) && !is_of(f, &self.partition_fields))
            .cloned()
            .collect();
        if let (Some(session), false) = (session, conditions.is_empty()) {
            let kept = selected(session, &conditions, &self.constant, &listed.found.values())?;
            listed.pruned |= kept.contains(&false);
            listed.found.retain(kept);
        }
        Ok(listed)
    }

    /// The files of a table without partitions.
    async fn whole(&self, root: Location, wanted: &Wanted) -> Result<Listed> {
        let format = self.format(None)?;
        let hidden = self.hidden();
        let files: Vec<ScanFile> = self
            .listed(&root)
            .await?
            .into_iter()
            .filter(|file| wanted.has(file, &root, &wanted.include))
            .map(|meta| {
                let values = hidden::values(hidden, &root, &meta, None);
                scan_file(&meta, &format, &values)
            })
            .collect();
        let found = FileSet {
            rows: record_count(&self.table.parameters),
            places: vec![(root, files)],
            ..FileSet::default()
        };
        Ok(Listed {
            found,
            partitions: None,
            predicate: None,
            pruned: false,
        })
    }

    /// The partitions for which the filters may be true.
    async fn choose(
        &self,
        session: Option<&dyn Session>,
        filters: &[Expr],
        projection: Option<Projection>,
        root: Option<Location>,
    ) -> Result<Chosen> {
        let keys = &self.table.partition_keys;
        let predicate = filters
            .iter()
            .filter_map(|f| translate(f, keys))
            // Pruning is a help: what the store would refuse is left to the engine.
            .filter(|predicate| predicate.check(keys).is_ok())
            .reduce(PartitionPredicate::and);
        let mut chosen = match projection {
            Some(projection) => {
                let found = projection.partitions(predicate.as_ref())?;
                let base = match projection.base() {
                    Some(base) if !base.is_empty() => self.stores.locate(base).ok(),
                    _ => None,
                };
                Chosen {
                    partitions: found
                        .into_iter()
                        .map(|p| Partition::new(p.values, p.location))
                        .map(|mut p| {
                            // As their table says.
                            if let Some(descriptor) = &mut p.storage_descriptor {
                                descriptor.serde_info = None;
                            }
                            p
                        })
                        .collect(),
                    pruned: predicate.is_some(),
                    predicate,
                    base,
                    projected: true,
                }
            }
            None => {
                let partitions = self
                    .catalog
                    .get_partitions(
                        &self.table.database_name,
                        &self.table.name,
                        self.table.version_id,
                        predicate.as_ref(),
                    )
                    .await?;
                Chosen {
                    partitions,
                    pruned: predicate.is_some(),
                    predicate,
                    base: root,
                    projected: false,
                }
            }
        };
        // What of the filters is about the keys alone is told by their values, before anything is listed.
        let conditions: Vec<Expr> = filters
            .iter()
            .filter(|f| is_of(f, &self.partition_fields))
            .cloned()
            .collect();
        if let (Some(session), false) = (session, conditions.is_empty()) {
            let values = chosen
                .partitions
                .iter()
                .map(|p| self.values(&p.values))
                .collect::<Result<Vec<_>>>()?;
            let rows: Vec<_> = values.iter().map(Vec::as_slice).collect();
            // A condition that fails for some partition fails, or not, when rows are filtered.
            if let Ok(kept) = selected(session, &conditions, &self.partition_fields, &rows) {
                chosen.pruned |= kept.contains(&false);
                let mut kept = kept.into_iter();
                chosen.partitions.retain(|_| kept.next().unwrap_or(true));
            }
        }
        Ok(chosen)
    }

    /// The files of partitions.
    async fn of_partitions(&self, chosen: Chosen, wanted: &Wanted) -> Result<Listed> {
        let partitions = &chosen.partitions;
        let rows = partitions.iter().try_fold(0usize, |all, p| {
            all.checked_add(record_count(&p.parameters)?)
        });
        let mut found = FileSet {
            rows,
            ..FileSet::default()
        };
        let places = self.places(partitions, wanted)?;
        let below = |place: &Location| {
            chosen.base.as_ref().is_some_and(|base| {
                place.store_url == base.store_url && place.path.prefix_matches(&base.path)
            })
        };
        let (mut each, mut together): (Vec<Place>, Vec<Place>) =
            places.into_iter().partition(|(place, _)| !below(place));
        if !self.at_once(&chosen, together.len()).await? {
            each.append(&mut together);
        }
        if let Some(base) = common(&together) {
            self.list_together(&base, &together, &chosen, wanted, &mut found)
                .await?;
        }
        self.list_each(each, &chosen, wanted, &mut found).await?;
        Ok(Listed {
            found,
            partitions: Some(partitions.len()),
            predicate: chosen.predicate,
            pruned: chosen.pruned,
        })
    }

    /// Where the partitions lie, each folder of a partition once.
    fn places(&self, partitions: &[Partition], wanted: &Wanted) -> Result<Vec<Place>> {
        let mut places = Vec::with_capacity(partitions.len());
        let mut formats = Formats::default();
        for partition in partitions {
            let values = self.values(&partition.values)?;
            let about = self.describe(partition, values, &wanted.include, &mut formats)?;
            let by_location = self.include_by_location(partition)?;
            let first = partition.location().unwrap_or_default().to_owned();
            let more = self.texts(&partition.parameters, names::MORE_LOCATIONS)?;
            let mut own: Vec<Location> = Vec::with_capacity(1);
            for location in std::iter::once(first).chain(more) {
                let mut about = about.clone();
                if let Some(by_location) = &by_location {
                    let own = by_location.get(&location).cloned();
                    about.include = own.unwrap_or_default();
                }
                let place = self.stores.locate(&location)?;
                if own.iter().any(|o| o.url == place.url) {
                    continue;
                }
                own.push(place.clone());
                places.push((place, about));
            }
        }
        Ok(places)
    }

    /// Whether so many folders are better found in one listing of what they lie in.
    async fn at_once(&self, chosen: &Chosen, folders: usize) -> Result<bool> {
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
    async fn list_together(
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
    async fn list_each(
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

    async fn listed(&self, place: &Location) -> Result<Vec<ObjectMeta>> {
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
fn common(places: &[Place]) -> Option<Location> {
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
