//! Which files a statement reads: partitions by its conditions, then what lies in their folders.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::logical_expr::Expr;
use mastic_catalog::parameters as names;
use mastic_catalog::{Partition, PartitionPredicate};
use mastic_lake::list::{Exclusions, fits};
use mastic_lake::scan::ScanFile;
use mastic_lake::store::Location;
use object_store::ObjectMeta;

use super::constant::{is_of, selected};
use super::format::{About, Formats};
use super::listing::common;
use super::scan::scan_file;
use super::{FileSet, LakeTable, hidden, record_count};
use crate::error::{QueryError, Result};
use crate::predicate::translate;
use crate::projection::Projection;

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
pub(super) type Place = (Location, About);

/// The partitions that a statement reads.
pub(super) struct Chosen {
    pub(super) partitions: Vec<Partition>,
    pub(super) predicate: Option<PartitionPredicate>,
    /// The folder that they lie in, in general.
    pub(super) base: Option<Location>,
    /// Whether they were computed: then their folders need not be there.
    pub(super) projected: bool,
    pub(super) pruned: bool,
}

/// Which files of a folder are the table's.
pub(super) struct Wanted {
    pub(super) include: Arc<BTreeSet<String>>,
    pub(super) exclusions: Exclusions,
}

impl Wanted {
    pub(super) fn has(
        &self,
        file: &ObjectMeta,
        place: &Location,
        include: &BTreeSet<String>,
    ) -> bool {
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
            include: Arc::new(include.into_iter().collect()),
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
    async fn of_partitions(&self, mut chosen: Chosen, wanted: &Wanted) -> Result<Listed> {
        let rows = chosen.partitions.iter().try_fold(0usize, |all, p| {
            all.checked_add(record_count(&p.parameters)?)
        });
        let mut found = FileSet {
            rows,
            ..FileSet::default()
        };
        let count = chosen.partitions.len();
        let places = self.places(std::mem::take(&mut chosen.partitions), wanted)?;
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
            partitions: Some(count),
            predicate: chosen.predicate,
            pruned: chosen.pruned,
        })
    }

    /// Where the partitions lie, each folder of a partition once.
    fn places(&self, partitions: Vec<Partition>, wanted: &Wanted) -> Result<Vec<Place>> {
        let mut places = Vec::with_capacity(partitions.len());
        let mut formats = Formats::default();
        for partition in partitions {
            let values = self.values(&partition.values)?;
            let about = self.describe(&partition, values, &wanted.include, &mut formats)?;
            let by_location = self.include_by_location(&partition)?;
            let first = partition.location().unwrap_or_default().to_owned();
            let more = self.texts(&partition.parameters, names::MORE_LOCATIONS)?;
            let mut own: Vec<Location> = Vec::with_capacity(1);
            for location in std::iter::once(first).chain(more) {
                let mut about = about.clone();
                if let Some(by_location) = &by_location {
                    let own = by_location.get(&location).cloned();
                    about.include = Arc::new(own.unwrap_or_default());
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
}
