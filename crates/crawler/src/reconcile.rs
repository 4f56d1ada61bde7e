//! Holds what was found against what the catalog has, and writes the difference.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mastic_catalog::parameters as names;
use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Column, Database, Expected, Partition,
    PartitionChanges, Table, TableOutcome, diff_tables,
};
use mastic_schema::names::table_name;

use crate::choices::same_columns;
use crate::facts::Shapes;
use crate::report::{CrawlReport, Outcome, TableReport};
use crate::survey::Root;
use crate::table::Proposal;
use crate::{
    CrawlError, CrawlOptions, DeleteBehavior, Recrawl, Result, UpdateBehavior, changes, columns,
};

/// The tables that were found below one target.
pub(crate) struct Surveyed {
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) shapes: Shapes,
}

/// Who the catalog is told to be changed by.
pub(crate) fn author(options: &CrawlOptions) -> String {
    match &options.crawler {
        Some(name) => format!("crawler {name}"),
        None => "crawl".to_owned(),
    }
}

pub(crate) async fn reconcile(
    catalog: &dyn CatalogStore,
    roots: &[Root],
    targets: Vec<Surveyed>,
    options: &CrawlOptions,
    report: &mut CrawlReport,
) -> Result<()> {
    let database = report.database.clone();
    let known: BTreeMap<String, Table> = match catalog.list_tables(&database).await {
        Ok(tables) => tables.into_iter().map(|t| (t.name.clone(), t)).collect(),
        Err(CatalogError::DatabaseNotFound { .. }) => BTreeMap::new(),
        Err(error) => return Err(error.into()),
    };
    let changes = ChangeSet::new(author(options)).keeping(options.keep_versions);
    let delete = match options.recrawl {
        // Files that are gone were not asked about; Glue, too, only logs in this mode.
        Recrawl::NewFolders => DeleteBehavior::Log,
        _ => options.delete,
    };
    let mut reconciler = Reconciler {
        delete,
        catalog,
        options,
        places: Places::of(&known),
        taken: known.keys().cloned().collect(),
        seen: BTreeSet::new(),
        known,
        changes: changes.with(Change::CreateDatabase {
            database: Database::new(&database),
            if_not_exists: true,
        }),
        report,
    };
    let found: usize = targets.iter().map(|t| t.proposals.len()).sum();
    if let Some(limit) = options.table_threshold
        && found > limit
    {
        let names = targets.iter().flat_map(|t| &t.proposals);
        return Err(CrawlError::TooManyTables {
            found,
            limit,
            some: names.take(10).map(|p| p.table.name.clone()).collect(),
        });
    }
    for target in targets {
        for proposal in target.proposals {
            reconciler.take(proposal, &target.shapes).await?;
        }
    }
    reconciler.vanished(roots);
    let changes = reconciler.changes;
    if !options.dry_run {
        let applied = catalog.apply(changes).await?;
        let done: HashMap<&str, &TableOutcome> = applied
            .tables
            .iter()
            .map(|t| (t.name.as_str(), &t.outcome))
            .collect();
        for entry in &mut report.tables {
            if let Some(outcome) = done.get(entry.name.as_str()) {
                entry.finish(outcome);
            }
        }
    }
    report.tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

struct Reconciler<'a> {
    catalog: &'a dyn CatalogStore,
    options: &'a CrawlOptions,
    delete: DeleteBehavior,
    known: BTreeMap<String, Table>,
    places: Places,
    taken: BTreeSet<String>,
    seen: BTreeSet<String>,
    changes: ChangeSet,
    report: &'a mut CrawlReport,
}

impl Reconciler<'_> {
    async fn take(&mut self, mut proposal: Proposal, shapes: &Shapes) -> Result<()> {
        proposal
            .table
            .database_name
            .clone_from(&self.report.database);
        proposal.table.name = match self.places.twin(&self.known, &self.seen, &proposal.table) {
            Some(table) => table.name.clone(),
            None => fresh_name(&proposal.table, &self.options.prefix, &self.taken),
        };
        if self.options.inherit_from_table {
            let parameters = &mut proposal.table.parameters;
            parameters.insert(names::INHERIT.into(), "true".into());
        }
        self.taken.insert(proposal.table.name.clone());
        self.seen.insert(proposal.table.name.clone());
        let own_columns = !self.options.inherit_from_table;
        let Some(old) = self.known.get(&proposal.table.name).cloned() else {
            columns::set_inferred(&mut proposal, None, self.options.update);
            let by_values = proposal.by_values();
            let partitions: Vec<Partition> = by_values
                .into_iter()
                .map(|(values, parts)| proposal.partition(values, &parts, shapes, own_columns))
                .collect();
            let entry = TableReport::of(&proposal, partitions.len());
            self.put(
                proposal.table,
                None,
                PartitionChanges::put(partitions),
                entry,
            );
            return Ok(());
        };
        columns::reconcile(&old, &mut proposal, self.options.update);
        let (partitions, mut lines, gone) = self.partitions(&old, &proposal, shapes).await?;
        let all = proposal.by_values().len();
        let mut entry = TableReport::of(&proposal, all);
        if let Some(gone) = gone {
            let note = format!("{}: {gone}", entry.name);
            self.report.notes.push(note);
            entry.why.push(gone);
        }
        let mut table = proposal.table;
        let differs = changes::of_table(&diff_tables(&old, &table));
        let log = self.options.update == UpdateBehavior::Log;
        if log && !differs.is_empty() {
            // New partitions are made even so, as in Glue.
            entry.outcome = Outcome::Logged;
            entry.why.push(
                "the table stays as it is, as the crawler was told: what differs is only reported"
                    .into(),
            );
            table = old.clone();
        }
        entry.set_schema(&table);
        entry.changes = differs;
        entry.changes.append(&mut lines);
        entry.version = version(&old);
        entry.from_version = entry.version;
        let moved = !partitions.put.is_empty() || !partitions.delete.is_empty();
        if entry.changes.is_empty() {
            // Files that were written anew with as many rows and bytes make no new version.
            entry.outcome = Outcome::Unchanged;
            self.report.tables.push(entry);
            return Ok(());
        }
        if !log || moved {
            entry.outcome = Outcome::Updated;
        }
        self.put(table, Some(&old), partitions, entry);
        Ok(())
    }

    fn put(
        &mut self,
        table: Table,
        old: Option<&Table>,
        partitions: PartitionChanges,
        entry: TableReport,
    ) {
        let changes = std::mem::take(&mut self.changes);
        self.changes = changes.with(Change::PutTable {
            table,
            expected: expected(old),
            partitions,
        });
        self.report.tables.push(entry);
    }

    /// The partitions that are new, different or gone, lines that say so, and which are gone but stay.
    async fn partitions(
        &self,
        old: &Table,
        proposal: &Proposal,
        shapes: &Shapes,
    ) -> Result<(PartitionChanges, Vec<String>, Option<String>)> {
        let mut by_values = proposal.by_values();
        // What a partition is depends on its files, and on what its table is.
        let serde = |t: &Table| t.storage_descriptor.clone().and_then(|d| d.serde_info);
        let of = |t: &Table, name: &str| t.parameters.get(name).cloned();
        let (was, now) = (old, &proposal.table);
        let same = of(was, names::FINGERPRINT) == of(now, names::FINGERPRINT)
            && of(was, names::INCLUDE) == of(now, names::INCLUDE)
            && of(was, names::INHERIT) == of(now, names::INHERIT)
            && was.partition_keys == now.partition_keys
            && same_columns(was.columns(), now.columns())
            && serde(was) == serde(now);
        let count = self
            .catalog
            .count_partitions(&old.database_name, &old.name, None, None)
            .await?;
        if same && count == by_values.len() as u64 {
            return Ok((PartitionChanges::none(), Vec::new(), None));
        }
        let own_columns = !self.options.inherit_from_table;
        let log = self.options.update == UpdateBehavior::Log;
        let (mut put, mut delete) = (Vec::new(), Vec::new());
        let mut left: Vec<String> = Vec::new();
        let mut different = Vec::new();
        let before = self
            .catalog
            .get_partitions(&old.database_name, &old.name, None, None)
            .await?;
        for was in before {
            let Some(parts) = by_values.remove(&was.values) else {
                let place = was.location().unwrap_or_default();
                let gone = !self.report.may_hide_below(place);
                if gone && self.delete == DeleteBehavior::Log {
                    left.push(was.values.join("/"));
                } else if gone {
                    delete.push(was.values);
                }
                continue;
            };
            if log {
                continue;
            }
            let mut now = proposal.partition(was.values.clone(), &parts, shapes, own_columns);
            now.creation_time = was.creation_time;
            for (name, value) in &was.parameters {
                if !name.starts_with("mastic.") {
                    let entry = now.parameters.entry(name.clone());
                    entry.or_insert_with(|| value.clone());
                }
            }
            if changes::is_same(&was.parameters, &now.parameters)
                && was.storage_descriptor == now.storage_descriptor
            {
                continue;
            }
            different.push(now.values.clone());
            put.push(now);
        }
        let new: Vec<Vec<String>> = by_values.keys().cloned().collect();
        put.extend(
            by_values
                .into_iter()
                .map(|(values, parts)| proposal.partition(values, &parts, shapes, own_columns)),
        );
        let mut lines = changes::of_partitions('+', new.iter());
        lines.extend(changes::of_partitions('-', delete.iter()));
        lines.extend(changes::of_partitions('~', different.iter()));
        let partitions = PartitionChanges {
            put,
            delete,
            replace_all: false,
        };
        let gone = (!left.is_empty()).then(|| {
            let all = left.len();
            left.truncate(10);
            format!(
                "the files of {all} partitions are gone, which stay as the crawler was told: {}{}",
                left.join(", "),
                if all > 10 { ", …" } else { "" }
            )
        });
        Ok((partitions, lines, gone))
    }

    /// Tables that a crawler made of files below these places, of which none is left.
    fn vanished(&mut self, roots: &[Root]) {
        let gone: Vec<Table> = self
            .known
            .values()
            // A file that could not be read is not gone.
            .filter(|t| !self.seen.contains(&t.name) && is_crawled_below(t, roots))
            .filter(|t| !self.report.may_hide_below(t.location().unwrap_or_default()))
            .cloned()
            .collect();
        for table in gone {
            let outcome = match self.delete {
                DeleteBehavior::Deprecate => Outcome::Deprecated,
                DeleteBehavior::Delete => Outcome::Deleted,
                DeleteBehavior::Log => Outcome::Logged,
            };
            let mut entry = TableReport::of_table(&table, outcome);
            entry.from_version = entry.version;
            entry
                .why
                .push("no file of it is left below the crawled place".into());
            let expected = expected(Some(&table));
            let changes = std::mem::take(&mut self.changes);
            self.changes = match self.delete {
                DeleteBehavior::Log => changes,
                DeleteBehavior::Delete => changes.with(Change::DeleteTable {
                    database: table.database_name.clone(),
                    name: table.name.clone(),
                    expected,
                }),
                DeleteBehavior::Deprecate => {
                    let mut marked = table;
                    marked
                        .parameters
                        .insert(names::DEPRECATED.into(), "mastic".into());
                    changes.with(Change::PutTable {
                        table: marked,
                        expected,
                        partitions: PartitionChanges::none(),
                    })
                }
            };
            self.report.tables.push(entry);
        }
    }
}

pub(crate) fn expected(old: Option<&Table>) -> Expected {
    match old.and_then(|t| t.version_id) {
        Some(version) => Expected::Version(version),
        None => Expected::Absent,
    }
}

pub(crate) fn version(table: &Table) -> Option<u64> {
    table.version_id.and_then(|v| u64::try_from(v.0).ok())
}

/// The tables that the catalog has, by where they are.
struct Places {
    /// By location, and those of one file or of some files of a folder also by the folder.
    by_place: HashMap<String, Vec<String>>,
}

impl Places {
    fn of(known: &BTreeMap<String, Table>) -> Self {
        let mut by_place: HashMap<String, Vec<String>> = HashMap::new();
        for (name, table) in known {
            let place = place(table);
            let folder = place.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            if let Some(folder) = folder.filter(|_| table.parameters.contains_key(names::INCLUDE)) {
                by_place.entry(folder).or_default().push(name.clone());
            }
            by_place.entry(place).or_default().push(name.clone());
        }
        Places { by_place }
    }

    /// The table that the catalog already has for what was found.
    fn twin<'a>(
        &self,
        known: &'a BTreeMap<String, Table>,
        seen: &BTreeSet<String>,
        table: &Table,
    ) -> Option<&'a Table> {
        let here = place(table);
        let folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
        let some = table.parameters.contains_key(names::INCLUDE);
        let at = |place: &str| self.by_place.get(place).into_iter().flatten();
        // A table of one file has the file as its location, and its folder once there are two.
        let near = at(folder).filter(|_| some);
        at(&here)
            .chain(near)
            .filter(|name| !seen.contains(*name))
            .filter_map(|name| known.get(name))
            .filter(|old| place(old) == here || shares_files(old, table) || widened(old, table))
            // Of several tables at one place, the one of the same format and files is meant.
            .max_by_key(|old| {
                (
                    old.classification() == table.classification(),
                    globs(old) == globs(table),
                    shares_files(old, table),
                    old.columns() == table.columns(),
                    old.name.ends_with(&table_name(&table.name)),
                )
            })
            .filter(|old| {
                // Another format's table beside this one's is another table, unless it is alone there.
                (old.classification() == table.classification() || !some)
                    && (globs(old) == globs(table)
                        || shares_files(old, table)
                        || !some
                        || globs(old).is_empty())
            })
    }
}

/// Whether the one has all files of a folder, and the other one file or some files of it.
fn widened(a: &Table, b: &Table) -> bool {
    let has_some = |t: &Table| t.parameters.contains_key(names::INCLUDE);
    let (whole, some) = match (has_some(a), has_some(b)) {
        (false, true) => (a, b),
        (true, false) => (b, a),
        _ => return false,
    };
    let some = place(some);
    let folder = some.rsplit_once('/').map_or("", |(folder, _)| folder);
    a.classification() == b.classification()
        && whole.partition_keys.is_empty()
        && place(whole) == folder
}

fn place(table: &Table) -> String {
    let location = table.location().unwrap_or_default();
    location.trim_end_matches('/').to_owned()
}

/// The globs of a table that lies among other tables' files.
fn globs(table: &Table) -> BTreeSet<String> {
    let globs = table.parameters.get(names::INCLUDE);
    globs
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Whether any file of the one, as far as its globs name files, is one of the other.
fn shares_files(a: &Table, b: &Table) -> bool {
    let (own, other) = (globs(a), globs(b));
    let fits = |names: &BTreeSet<String>, globs: &BTreeSet<String>| {
        !globs.is_empty()
            && names
                .iter()
                .any(|name| mastic_lake::list::fits(name, globs))
    };
    fits(&own, &other) || fits(&other, &own)
}

/// A name that no table of the database has. Where names collide the folders above tell tables
/// apart, and in the end a number does.
fn fresh_name(table: &Table, prefix: &str, taken: &BTreeSet<String>) -> String {
    let name = table_name(&format!("{prefix}{}", table.name));
    if !taken.contains(&name) {
        return name;
    }
    // The nearest folder that is not what the table is called after.
    let parts = table.location().unwrap_or_default().rsplit('/');
    let own = table_name(&table.name);
    let above = parts
        .map(|part| (part, table_name(part.split('.').next().unwrap_or(part))))
        .find(|(part, stem)| !part.is_empty() && *stem != own && table_name(part) != own);
    if let Some((above, _)) = above {
        let longer = table_name(&format!("{prefix}{above}_{}", table.name));
        if !taken.contains(&longer) {
            return longer;
        }
    }
    // What is long is cut, but not the number that tells it apart.
    let base: String = name
        .chars()
        .take(mastic_schema::names::MAX_TABLE_NAME - 20)
        .collect();
    let mut number = 2u64;
    loop {
        let numbered = format!("{base}_{number}");
        if !taken.contains(&numbered) {
            return numbered;
        }
        number += 1;
    }
}

/// Whether a crawler made the table from files below one of these places.
pub(crate) fn is_crawled_below(table: &Table, roots: &[Root]) -> bool {
    let Some(location) = table.location() else {
        return false;
    };
    table.parameters.contains_key(names::UPDATED_BY_CRAWLER)
        && !table.parameters.contains_key(names::DEPRECATED)
        && roots.iter().any(|root| {
            let below = location.strip_prefix(root.location.url.as_str());
            below.is_some_and(|below| {
                let relative = below.trim_start_matches('/');
                let within = below.is_empty() || below.starts_with('/');
                // What is left out was not looked for.
                let out = root.exclusions.excludes(relative)
                    || root.exclusions.excludes_all_of(relative)
                    || root.exclusions.excludes(&format!("{relative}/"));
                within && (relative.is_empty() || !out)
            })
        })
}

impl TableReport {
    fn of(proposal: &Proposal, partitions: usize) -> Self {
        let mut report = TableReport {
            files: proposal.files,
            bytes: proposal.bytes,
            records: proposal.records,
            compression: proposal.compression.clone(),
            partitions: partitions as u64,
            why: proposal.why.clone(),
            ..Self::of_table(&proposal.table, Outcome::Created)
        };
        report.set_schema(&proposal.table);
        report
    }

    pub(crate) fn of_table(table: &Table, outcome: Outcome) -> Self {
        let mut report = TableReport {
            name: table.name.clone(),
            outcome,
            from_version: None,
            version: version(table),
            classification: table.classification().unwrap_or_default().to_owned(),
            compression: String::new(),
            location: table.location().unwrap_or_default().to_owned(),
            files: 0,
            bytes: 0,
            records: 0,
            columns: Vec::new(),
            partition_keys: Vec::new(),
            partitions: 0,
            why: Vec::new(),
            changes: Vec::new(),
        };
        report.set_schema(table);
        report
    }

    pub(crate) fn set_schema(&mut self, table: &Table) {
        let shown = |columns: &[Column]| {
            columns
                .iter()
                .map(|c| format!("{} {}", c.name, c.hive_type()))
                .collect()
        };
        self.columns = shown(table.columns());
        self.partition_keys = shown(&table.partition_keys);
    }

    pub(crate) fn finish(&mut self, outcome: &TableOutcome) {
        let number = |v: &mastic_catalog::VersionId| u64::try_from(v.0).ok();
        match outcome {
            TableOutcome::Created { version } => {
                self.outcome = Outcome::Created;
                self.version = number(version);
            }
            TableOutcome::Updated { to, .. } => {
                if self.outcome != Outcome::Deprecated {
                    self.outcome = Outcome::Updated;
                }
                self.version = number(to);
            }
            TableOutcome::Unchanged { version } => {
                if self.outcome != Outcome::Logged {
                    self.outcome = Outcome::Unchanged;
                }
                self.version = number(version);
            }
            _ => {}
        }
    }
}
