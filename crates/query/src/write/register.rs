//! What the catalog is told of an insertion.
//!
//! Of partitions it is told before the files appear, and their appearing is the one moment from which the rows are there:
//! a partition without files has no rows. Where the files cannot be published, it is told that nothing was. Each change is
//! made for the version that was read; where somebody else was faster, it is read again, so that of two insertions at once both
//! are there afterwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Expected, Parameters, Partition,
    PartitionChanges, StorageDescriptor, Table, parameters,
};
use mastic_lake::sink::{DEFAULT_PARTITION, SinkMode, SinkSpec, Written, folder, unescape};
use mastic_lake::store::Location;

use super::columns::told;
use super::existing::{Existing, format_of, same_format};
use super::places::Places;
use super::run::full;
use crate::error::{QueryError, Result};
use crate::written::{folders, forget_counts, key_values, put_counts};

/// How often a change is tried where others change the same table.
const ATTEMPTS: u32 = 12;

/// Changes of the catalog for one insertion.
pub(super) struct Registration {
    catalog: Arc<dyn CatalogStore>,
    existing: Existing,
    places: Places,
    spec: SinkSpec,
    touched: Vec<Touched>,
    /// How many rows there are more, and files, and bytes.
    all: (u64, (u64, u64)),
}

/// A partition that rows are put into, or taken from.
struct Touched {
    /// Hive's folder for its values.
    hive: String,
    /// Its own, below the table's.
    path: String,
    /// Its values, as the catalog has them or will have them.
    values: Vec<String>,
    rows: u64,
    files: (u64, u64),
}

/// What was changed, to be changed back.
#[derive(Default)]
pub(super) struct Undo {
    before: Vec<Partition>,
    added: Vec<(Vec<String>, Location)>,
}

impl Registration {
    pub(super) fn new(
        catalog: Arc<dyn CatalogStore>,
        existing: Existing,
        places: Places,
        spec: SinkSpec,
        written: &Written,
        emptied: Option<String>,
    ) -> Self {
        let names: Vec<String> = existing.keys.iter().map(|k| k.name().clone()).collect();
        let mut touched: Vec<Touched> = Vec::new();
        if !existing.projected && !names.is_empty() {
            for one in folders(written) {
                let values = one.values.iter().map(Option::as_deref);
                let hive = folder(names.iter().map(String::as_str).zip(values));
                touched.push(Touched {
                    values: match places.known.get(&hive) {
                        Some(known) => known.values.clone(),
                        None => key_values(one.values).collect(),
                    },
                    hive,
                    path: one.path.to_owned(),
                    rows: one.rows,
                    files: one.files,
                });
            }
            if let Some(hive) = emptied
                && !touched.iter().any(|one| one.hive == hive)
                && let Some(known) = places.known.get(&hive)
            {
                touched.push(Touched {
                    values: known.values.clone(),
                    path: places.folder(&hive).to_owned(),
                    hive,
                    rows: 0,
                    files: (0, 0),
                });
            }
        }
        Registration {
            catalog,
            touched,
            all: (written.rows, (written.files.len() as u64, written.bytes)),
            existing,
            places,
            spec,
        }
    }

    /// The table's folder.
    pub(super) fn root(&self) -> &Location {
        &self.spec.root
    }

    /// Refuses to go on where the table is not any more what the rows were made for; its current version.
    pub(super) async fn unchanged(&self) -> Result<Table> {
        let own = &self.existing.table;
        let now = self
            .catalog
            .get_table(&own.database_name, &own.name)
            .await?;
        let shape = |table: &Table| {
            let descriptor = table.storage_descriptor.clone().map(|d| StorageDescriptor {
                parameters: Parameters::new(),
                ..d
            });
            (descriptor, table.partition_keys.clone())
        };
        if shape(&now) == shape(own) {
            return Ok(now);
        }
        Err(told(
            format!(
                "the table {} was changed while the query ran; nothing was written",
                self.existing.name()
            ),
            "run the statement again".to_owned(),
        ))
    }

    /// Tells the catalog of new partitions and of new numbers of rows, before the files are there.
    pub(super) async fn tell_partitions(&self) -> Result<Undo> {
        if self.touched.is_empty() {
            self.unchanged().await?;
            return Ok(Undo::default());
        }
        let mut attempt = 0;
        loop {
            let mut table = self.unchanged().await?;
            let found = self.found(&table).await?;
            let mut undo = Undo::default();
            let mut partitions = PartitionChanges::none();
            for one in &self.touched {
                let place = self.spec.root.child(&one.path);
                match found.get(&one.values) {
                    Some(before) => {
                        let after = self.changed(&table, before, one)?;
                        // One without files would be looked for in vain.
                        match one.files {
                            (0, _) => partitions.delete.push(one.values.clone()),
                            _ => partitions.put.push(after),
                        }
                        undo.before.push(before.clone());
                    }
                    None => {
                        self.check_new(one)?;
                        let mut new = Partition::new(one.values.clone(), place.url.clone());
                        put_counts(&mut new.parameters, one.rows, one.files);
                        partitions.put.push(new);
                        undo.added.push((one.values.clone(), place));
                    }
                }
            }
            if self.spec.mode == SinkMode::Append
                && let Some(stale) = self.stale(&undo).await?
            {
                // Another insertion has made it since the catalog was asked, or it has been there for longer.
                if attempt + 1 < ATTEMPTS.min(4) {
                    pause(attempt).await;
                    attempt += 1;
                    continue;
                }
                return Err(self.left_behind(&stale));
            }
            self.count(&mut table.parameters);
            match self.put(table, partitions).await {
                Ok(()) => return Ok(undo),
                Err(CatalogError::Conflict { .. }) if attempt < ATTEMPTS => {
                    pause(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The partitions that are there, by their values.
    async fn found(&self, table: &Table) -> Result<HashMap<Vec<String>, Partition>> {
        let values: Vec<Vec<String>> = self.touched.iter().map(|t| t.values.clone()).collect();
        let found = self
            .catalog
            .get_partitions_by_values(&table.database_name, &table.name, table.version_id, &values)
            .await?;
        Ok(found.into_iter().map(|p| (p.values.clone(), p)).collect())
    }

    /// Refuses a partition that is gone since the query began.
    fn check_new(&self, one: &Touched) -> Result<()> {
        match self.places.known.get(&one.hive) {
            None => Ok(()),
            Some(_) => Err(self.moved(one)),
        }
    }

    fn moved(&self, one: &Touched) -> QueryError {
        told(
            format!(
                "the partition {} of {} was changed while the query ran; nothing was written",
                shown(&one.hive),
                self.existing.name()
            ),
            "run the statement again".to_owned(),
        )
    }

    /// A partition that is there, with what comes to it or replaces it.
    fn changed(&self, table: &Table, before: &Partition, one: &Touched) -> Result<Partition> {
        let refuse = |why: &str, hint: &str| {
            let (partition, name) = (shown(&one.hive), self.existing.name());
            Err(told(
                format!("nothing can be written to the partition {partition} of {name}: {why}"),
                hint.to_owned(),
            ))
        };
        let known = self.places.known.get(&one.hive);
        let location = before.location().unwrap_or_default();
        match known {
            Some(known) if known.location != location => return Err(self.moved(one)),
            // Made meanwhile, and not where it was to be.
            None if location.trim_end_matches('/') != self.spec.root.child(&one.path).url => {
                return Err(self.moved(one));
            }
            _ => {}
        }
        let filled = |name: &str| {
            before
                .parameters
                .get(name)
                .is_some_and(|v| v.trim() != "[]")
        };
        if filled(parameters::INCLUDE) || filled(parameters::INCLUDE_BY_LOCATION) {
            return refuse(
                "its folder holds other tables' files too",
                "write a table of its own",
            );
        }
        let own = format_of(table, before.storage_descriptor.as_ref())?;
        if !same_format(&own, &format_of(table, None)?) {
            return refuse(
                "its files are of another format than the table's",
                "ALTER TABLE … DROP PARTITION takes it out; then its rows can be inserted again",
            );
        }
        let mut partition = before.clone();
        let below = known.is_none_or(|known| known.below);
        if self.spec.mode == SinkMode::Append {
            add_counts(&mut partition.parameters, one.rows, one.files);
            if !below {
                more_location(&mut partition, &self.spec.root.child(&one.path).url)?;
            }
            return Ok(partition);
        }
        if !below || filled(parameters::MORE_LOCATIONS) || known.is_some_and(|known| known.twice) {
            return refuse(
                "its files are not only in one folder below the table's",
                "ALTER TABLE … DROP PARTITION takes it out; then it can be written anew",
            );
        }
        forget_counts(&mut partition.parameters);
        put_counts(&mut partition.parameters, one.rows, one.files);
        Ok(partition)
    }

    /// A folder of a new partition that has files already, which would become rows of the table.
    async fn stale(&self, undo: &Undo) -> Result<Option<Location>> {
        let places = undo.added.iter().map(|(_, place)| place.clone());
        Ok(full(places.collect()).await?.into_iter().next())
    }

    fn left_behind(&self, place: &Location) -> QueryError {
        told(
            format!(
                "{} holds files already, and is no partition of {}: they would become its rows",
                place.url,
                self.existing.name()
            ),
            "MSCK REPAIR TABLE makes it a partition; INSERT OVERWRITE replaces it; or move the files away".to_owned(),
        )
    }

    /// Brings the table's own numbers up to date.
    fn count(&self, parameters: &mut Parameters) {
        match self.spec.mode {
            SinkMode::Append => add_counts(parameters, self.all.0, self.all.1),
            SinkMode::ReplaceFiles => {
                forget_counts(parameters);
                put_counts(parameters, self.all.0, self.all.1);
            }
            _ => forget_counts(parameters),
        }
    }

    async fn put(&self, table: Table, partitions: PartitionChanges) -> Result<(), CatalogError> {
        let expected = table.version_id.map_or(Expected::Any, Expected::Version);
        let change = Change::PutTable {
            table,
            expected,
            partitions,
        };
        let changes = ChangeSet::new("sql").with(change);
        self.catalog.apply(changes).await.map(|_| ())
    }

    /// Tells the catalog of a table's new numbers, once its files are there.
    pub(super) async fn tell_counts(&self) -> Result<()> {
        let mut attempt = 0;
        loop {
            let own = &self.existing.table;
            let told = async {
                let now = self
                    .catalog
                    .get_table(&own.database_name, &own.name)
                    .await?;
                let mut table = now.clone();
                self.count(&mut table.parameters);
                if table == now {
                    return Ok(());
                }
                self.put(table, PartitionChanges::none()).await
            };
            match told.await {
                // A table that is gone by now has no numbers.
                Ok(()) | Err(CatalogError::TableNotFound { .. }) => return Ok(()),
                Err(CatalogError::Conflict { .. }) if attempt < ATTEMPTS => {
                    pause(attempt).await;
                    attempt += 1;
                }
                Err(error) => {
                    return Err(columns_error(&error));
                }
            }
        }
    }

    /// Takes back what the catalog was told, as far as nobody else has built on it.
    pub(super) async fn undo(&self, undo: Undo) {
        let places = undo.added.iter().map(|(_, place)| place.clone());
        // Somebody else's files make the partition theirs.
        let Ok(used) = full(places.collect()).await else {
            return;
        };
        let added = undo.added.iter();
        let gone = added.filter(|(_, place)| !used.iter().any(|used| used.url == place.url));
        let changes = PartitionChanges {
            put: undo.before.clone(),
            delete: gone.map(|(values, _)| values.clone()).collect(),
            replace_all: false,
        };
        for attempt in 0..ATTEMPTS {
            let own = &self.existing.table;
            let Ok(mut table) = self.catalog.get_table(&own.database_name, &own.name).await else {
                return;
            };
            forget_counts(&mut table.parameters);
            match self.put(table, changes.clone()).await {
                Err(CatalogError::Conflict { .. }) => pause(attempt).await,
                _ => return,
            }
        }
    }
}

fn columns_error(error: &CatalogError) -> QueryError {
    told(
        format!(
            "the rows are written and committed, but the catalog's numbers of them could not be updated: {error}"
        ),
        "nothing has to be done again: ANALYZE TABLE counts anew".to_owned(),
    )
}

/// A partition's folder as people write it.
fn shown(hive: &str) -> String {
    unescape(&hive.replace(DEFAULT_PARTITION, "NULL"))
}

/// Waits a little longer each time, and not as long as others who wait.
async fn pause(attempt: u32) {
    let step = 5u64 << attempt.min(6);
    let own = u64::from(uuid::Uuid::new_v4().as_fields().0) % step.max(1);
    tokio::time::sleep(Duration::from_millis(step + own)).await;
}

/// Adds to numbers that are there. One that is not known stays unknown, and a crawl looks at what changed.
fn add_counts(own: &mut Parameters, rows: u64, (files, bytes): (u64, u64)) {
    own.remove(parameters::FINGERPRINT);
    own.remove(parameters::AVERAGE_RECORD_SIZE);
    for (name, more) in [
        (parameters::RECORD_COUNT, rows),
        (parameters::OBJECT_COUNT, files),
        (parameters::SIZE_KEY, bytes),
    ] {
        let known: Option<u64> = own.get(name).and_then(|text| text.parse().ok());
        match known {
            Some(known) => own.insert(name.to_owned(), known.saturating_add(more).to_string()),
            None => own.remove(name),
        };
    }
}

/// Adds a folder to those of a partition.
fn more_location(partition: &mut Partition, url: &str) -> Result<()> {
    let text = partition.parameters.get(parameters::MORE_LOCATIONS);
    let mut all: Vec<String> = match text {
        None => Vec::new(),
        Some(text) => serde_json::from_str(text).map_err(|e| {
            told(
                format!(
                    "the parameter {} cannot be read: {e}",
                    parameters::MORE_LOCATIONS
                ),
                None,
            )
        })?,
    };
    if !all.iter().any(|own| own == url) {
        all.push(url.to_owned());
    }
    let text = serde_json::Value::from(all).to_string();
    let name = parameters::MORE_LOCATIONS.to_owned();
    partition.parameters.extend(BTreeMap::from([(name, text)]));
    Ok(())
}
