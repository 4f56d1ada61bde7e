//! A crawl of what somebody says was changed: Glue's event mode.
//!
//! Only the partitions that the changed files lie in are listed, examined and written, so that the time it
//! takes depends on them, and not on how many partitions the table has.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::Fields;
use mastic_catalog::parameters as names;
use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Partition, PartitionChanges, Table, diff_tables,
};
use mastic_lake::format::FileFormat;
use mastic_lake::list::Exclusions;
use mastic_lake::store::{Location, Stores};
use object_store::ObjectStoreExt;

use crate::choices::same_columns;
use crate::facts::Shapes;
use crate::found::{Found, akin, same_kind};
use crate::group::Rules;
use crate::levels::{Level, is_date_part};
use crate::memory::Memory;
use crate::reconcile::{author, expected, version};
use crate::report::{CrawlReport, Outcome, TableReport};
use crate::survey::{Root, survey};
use crate::table::{Proposal, hex, inferred, print_of};
use crate::tree::Tree;
use crate::{
    CrawlOptions, DeleteBehavior, Progress, Result, UpdateBehavior, changes, columns, recover,
    refuse_bad_files,
};

/// A partition's folder, and what the levels above it are called.
struct Folder {
    place: Location,
    /// The names of the folders between the table and its files.
    names: Vec<String>,
}

/// A crawl of some partitions.
pub(crate) struct Changed<'a> {
    pub(crate) catalog: &'a dyn CatalogStore,
    pub(crate) stores: &'a Stores,
    pub(crate) roots: &'a [Root],
    pub(crate) options: &'a CrawlOptions,
    pub(crate) progress: &'a dyn Progress,
}

impl Changed<'_> {
    /// Crawls the partitions that `urls` lie in. The reason comes back where that cannot be done, because they
    /// lie in no partition of a table that a crawl made: then everything must be crawled.
    pub(crate) async fn crawl(
        &self,
        urls: &[String],
        report: &mut CrawlReport,
    ) -> Result<Option<String>> {
        let tables = match self.catalog.list_tables(&report.database).await {
            Ok(tables) => tables,
            Err(CatalogError::DatabaseNotFound { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut by_table: BTreeMap<&str, (&Table, BTreeMap<String, Folder>)> = BTreeMap::new();
        for url in urls {
            let place = self.stores.locate(url)?;
            if !self
                .roots
                .iter()
                .any(|root| within(&place.url, &root.location.url).is_some())
            {
                report.notes.push(format!(
                    "{url} lies in none of the crawled places, and was not looked at"
                ));
                continue;
            }
            if self.is_hidden(&place) {
                continue;
            }
            let Some((table, folder)) = partition_of(&tables, &place, self.stores)? else {
                return Ok(Some(format!(
                    "{url} lies in no partition of a table that a crawl made"
                )));
            };
            // A file beside the folders is no partition.
            if folder.place.url == place.url.trim_end_matches('/')
                && place.store.head(&place.path).await.is_ok()
            {
                return Ok(Some(format!(
                    "{url} lies beside the partitions of its table"
                )));
            }
            by_table
                .entry(&table.name)
                .or_insert_with(|| (table, BTreeMap::new()))
                .1
                .insert(folder.place.url.clone(), folder);
        }
        let mut set = ChangeSet::new(author(self.options)).keeping(self.options.keep_versions);
        for (table, folders) in by_table.into_values() {
            match self.table(table, folders, report).await? {
                Ok(change) => set = set.with(change),
                Err(why) => return Ok(Some(why)),
            }
        }
        refuse_bad_files(self.options, report)?;
        if !self.options.dry_run {
            let applied = self.catalog.apply(set).await?;
            for entry in &mut report.tables {
                if let Some(done) = applied.tables.iter().find(|t| t.name == entry.name) {
                    entry.finish(&done.outcome);
                }
            }
        }
        Ok(None)
    }

    /// Whether Hive and Athena would not see it: the scratch folders of writers send events, too.
    fn is_hidden(&self, place: &Location) -> bool {
        self.roots.iter().any(|root| {
            within(&place.url, &root.location.url)
                .is_some_and(|below| below.split('/').any(mastic_lake::list::is_hidden))
        })
    }

    async fn table(
        &self,
        old: &Table,
        folders: BTreeMap<String, Folder>,
        report: &mut CrawlReport,
    ) -> Result<Result<Change, String>> {
        let Some(root) = folders.values().next().and_then(|f| {
            let within = |r: &&Root| within(&f.place.url, &r.location.url).is_some();
            self.roots.iter().find(within)
        }) else {
            return Ok(Err(format!(
                "{} lies in none of the crawled places",
                old.name
            )));
        };
        let format = match format_of(old) {
            Ok(format) => format,
            Err(why) => return Ok(Err(why)),
        };
        let mut shapes = Shapes::default();
        let mut memory =
            Memory::open_for_some(self.catalog, &root.location.url, self.options, &mut shapes)
                .await?;
        let mut merged: Option<Found> = None;
        let mut by_values: BTreeMap<Vec<String>, Option<usize>> = BTreeMap::new();
        let mut folders_of_values: BTreeSet<Vec<String>> = BTreeSet::new();
        for folder in folders.into_values() {
            let values = values_of(&folder.names);
            if !folders_of_values.insert(values.clone()) {
                return Ok(Err(format!(
                    "several folders of {} are one partition",
                    old.name
                )));
            }
            let found;
            (found, shapes) = self
                .folder(root, &folder.place, shapes, &mut memory, report)
                .await?;
            let unlike = || {
                format!(
                    "{} holds files that are not like those of {}",
                    folder.place.url, old.name
                )
            };
            let mut own = found.into_iter();
            let Some(mut found) = own.next() else {
                // What cannot be looked at is not gone.
                if !report.may_hide_below(&folder.place.url) {
                    by_values.insert(values, None);
                }
                continue;
            };
            if !found.levels.is_empty() || !same_kind(&found.format, &format) {
                return Ok(Err(unlike()));
            }
            // As they were found, whatever people made of them.
            let columns = match inferred(old) {
                Some(columns) => columns,
                None => old.arrow_columns()?,
            };
            let keys = &old.partition_keys;
            let without_keys = |fields: &Fields| -> Fields {
                fields
                    .iter()
                    .filter(|f| !keys.iter().any(|k| &k.name == f.name()))
                    .cloned()
                    .collect()
            };
            let fields = without_keys(&found.fields);
            found.choices = found.choices.as_ref().map(without_keys);
            // A folder of the table's own levels is a partition, as in a crawl of everything.
            if own.next().is_some() || !akin(&fields, &columns) {
                return Ok(Err(unlike()));
            }
            found.fields = fields;
            let below = within(&folder.place.url, &root.location.url).unwrap_or_default();
            for part in &mut found.parts {
                part.folder = below.into();
            }
            match &mut merged {
                Some(merged) => merged.absorb(found),
                None => merged = Some(found),
            }
            let at = merged
                .as_ref()
                .map_or(0, |m| m.parts.len().saturating_sub(1));
            by_values.insert(values, Some(at));
        }
        Ok(Ok(self
            .change(old, root, format, merged, by_values, &shapes, report)
            .await?))
    }

    /// The tables of one folder alone.
    async fn folder(
        &self,
        root: &Root,
        place: &Location,
        shapes: Shapes,
        memory: &mut Memory<'_>,
        report: &mut CrawlReport,
    ) -> Result<(Vec<Found>, Shapes)> {
        let here = Root {
            location: place.clone(),
            exclusions: Exclusions::default(),
            above: Some((root.exclusions.clone(), root.location.path.as_ref().len())),
        };
        let name = place.url.rsplit('/').next().unwrap_or_default();
        let mut tree = Tree::new(place.path.as_ref(), name, shapes, Rules::default());
        memory.begin_folder(place.path.as_ref()).await?;
        match survey(
            &here,
            self.options,
            memory,
            &mut tree,
            report,
            self.progress,
        )
        .await
        {
            Ok(None) => {}
            Ok(Some(pending)) => {
                recover(root, &pending).await?;
                memory.end_folder(place.path.as_ref()).await?;
                return Box::pin(self.folder(root, place, tree.finish().1, memory, report)).await;
            }
            // The folder is gone, and its partition with it.
            Err(crate::CrawlError::Lake(mastic_lake::LakeError::NotFound { .. })) => {}
            Err(error) => return Err(error),
        }
        memory.end_folder(place.path.as_ref()).await?;
        Ok(tree.finish())
    }

    /// Where a table's columns become others, the partitions that had its columns keep them as their own, and
    /// those that had the new ones need them no more. Only then are all partitions looked at.
    async fn own_columns(
        &self,
        old: &Table,
        table: &Table,
        by_values: &BTreeMap<Vec<String>, Option<usize>>,
        put: &mut Vec<Partition>,
    ) -> Result<()> {
        if self.options.inherit_from_table || same_columns(old.columns(), table.columns()) {
            return Ok(());
        }
        let all = self
            .catalog
            .get_partitions(&old.database_name, &old.name, None, None)
            .await?;
        for mut partition in all {
            if by_values.contains_key(&partition.values) {
                continue;
            }
            let Some(storage) = &mut partition.storage_descriptor else {
                continue;
            };
            if storage.columns.is_empty() {
                storage.columns = old.columns().to_vec();
                for column in &mut storage.columns {
                    // What frames make of a table's columns is the table's.
                    column.parameters.remove(names::CHOICE);
                }
            } else if same_columns(&storage.columns, table.columns()) {
                storage.columns.clear();
            } else {
                continue;
            }
            put.push(partition);
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // what was found of one table
    async fn change(
        &self,
        old: &Table,
        root: &Root,
        format: FileFormat,
        merged: Option<Found>,
        by_values: BTreeMap<Vec<String>, Option<usize>>,
        shapes: &Shapes,
        report: &mut CrawlReport,
    ) -> Result<Change> {
        let asked: Vec<Vec<String>> = by_values.keys().cloned().collect();
        let before: BTreeMap<Vec<String>, Partition> = self
            .catalog
            .get_partitions_by_values(&old.database_name, &old.name, None, &asked)
            .await?
            .into_iter()
            .map(|p| (p.values.clone(), p))
            .collect();
        let log = self.options.update == UpdateBehavior::Log;
        let mut table = old.clone();
        let mut entry = TableReport::of_table(old, Outcome::Unchanged);
        entry.from_version = entry.version;
        let mut put: Vec<Partition> = Vec::new();
        if let Some(found) = merged {
            let mut proposal = Proposal::of_changed(old, found, &root.location, format);
            columns::reconcile(old, &mut proposal, UpdateBehavior::MergeNewColumns);
            if !log {
                table = proposal.table.clone();
            }
            let own = !self.options.inherit_from_table;
            for (values, at) in &by_values {
                if let Some(part) = at.and_then(|at| proposal.parts.get(at)) {
                    put.push(proposal.partition(values.clone(), &[part], shapes, own));
                }
            }
            entry.why = proposal.why;
            entry.files = proposal.files;
            entry.bytes = proposal.bytes;
            entry.records = proposal.records;
            entry.compression = proposal.compression;
        }
        put.retain(|now| match before.get(&now.values) {
            None => true,
            Some(was) => {
                let print = |p: &Partition| p.parameters.get(names::FINGERPRINT).cloned();
                !log && print(was) != print(now)
            }
        });
        self.own_columns(old, &table, &by_values, &mut put).await?;
        let delete: Vec<Vec<String>> = by_values
            .iter()
            .filter(|(values, at)| at.is_none() && before.contains_key(*values))
            .filter(|_| self.options.delete != DeleteBehavior::Log)
            .map(|(values, _)| values.clone())
            .collect();
        for now in &mut put {
            if let Some(was) = before.get(&now.values) {
                now.creation_time = was.creation_time;
            }
        }
        let looked_at: Vec<Partition> = put
            .iter()
            .filter(|p| by_values.contains_key(&p.values))
            .cloned()
            .collect();
        count(&mut table, &before, &looked_at, &delete);
        entry.changes = changes::of_table(&diff_tables(old, &table));
        let is_new =
            |p: &&Partition| by_values.contains_key(&p.values) && !before.contains_key(&p.values);
        let (new, different): (Vec<&Partition>, Vec<&Partition>) = put.iter().partition(is_new);
        for (sign, some) in [('+', new), ('~', different)] {
            let values: Vec<&Vec<String>> = some.iter().map(|p| &p.values).collect();
            entry
                .changes
                .extend(changes::of_partitions(sign, values.into_iter()));
        }
        entry
            .changes
            .extend(changes::of_partitions('-', delete.iter()));
        entry.set_schema(&table);
        entry.partitions = by_values.len() as u64;
        if !entry.changes.is_empty() {
            entry.outcome = Outcome::Updated;
        }
        entry.version = version(old);
        report.tables.push(entry);
        Ok(Change::PutTable {
            table,
            expected: expected(Some(old)),
            partitions: PartitionChanges {
                put,
                delete,
                replace_all: false,
            },
        })
    }
}

/// Brings a table's counts up to date with those of its partitions that are different.
fn count(
    table: &mut Table,
    before: &BTreeMap<Vec<String>, Partition>,
    put: &[Partition],
    delete: &[Vec<String>],
) {
    let number = |p: &Partition, name: &str| -> u64 {
        p.parameters
            .get(name)
            .and_then(|n| n.parse().ok())
            .unwrap_or_default()
    };
    let gone = || {
        put.iter()
            .map(|p| &p.values)
            .chain(delete)
            .filter_map(|values| before.get(values))
    };
    for name in [names::RECORD_COUNT, names::SIZE_KEY, names::OBJECT_COUNT] {
        let Some(all) = table
            .parameters
            .get(name)
            .and_then(|n| n.parse::<u64>().ok())
        else {
            continue;
        };
        let minus: u64 = gone().map(|p| number(p, name)).sum();
        let plus: u64 = put.iter().map(|p| number(p, name)).sum();
        let sum = all.saturating_sub(minus).saturating_add(plus);
        table.parameters.insert(name.into(), sum.to_string());
    }
    let now = |name: &str| {
        table
            .parameters
            .get(name)
            .and_then(|n| n.parse::<u64>().ok())
    };
    if let (Some(bytes), Some(records)) = (now(names::SIZE_KEY), now(names::RECORD_COUNT)) {
        let average = bytes.checked_div(records).unwrap_or(0).to_string();
        table
            .parameters
            .insert(names::AVERAGE_RECORD_SIZE.into(), average);
    }
    let print = |p: &Partition| {
        let print = p.parameters.get(names::FINGERPRINT)?;
        Some(print_of(&p.values, u64::from_str_radix(print, 16).ok()?))
    };
    let known = table
        .parameters
        .get(names::FINGERPRINT)
        .and_then(|p| u64::from_str_radix(p, 16).ok());
    if let Some(sum) = known {
        let sum = gone().filter_map(print).fold(sum, u64::wrapping_sub);
        let sum = put.iter().filter_map(print).fold(sum, u64::wrapping_add);
        table.parameters.insert(names::FINGERPRINT.into(), hex(sum));
    }
}

/// What of `url` is below `above`.
fn within<'u>(url: &'u str, above: &str) -> Option<&'u str> {
    let above = above.trim_end_matches('/');
    match url.strip_prefix(above)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// The table whose partition a changed file or folder is, and the partition's folder.
fn partition_of<'t>(
    tables: &'t [Table],
    place: &Location,
    stores: &Stores,
) -> Result<Option<(&'t Table, Folder)>> {
    for table in tables {
        let made = table.parameters.contains_key(names::UPDATED_BY_CRAWLER)
            && !table.parameters.contains_key(names::DEPRECATED)
            && !table.parameters.contains_key(names::INCLUDE);
        let levels = table.partition_keys.len();
        let Some(location) = table.location().filter(|_| made && levels > 0) else {
            continue;
        };
        let Some(below) = within(place.url.trim_end_matches('/'), location) else {
            continue;
        };
        let names: Vec<String> = below.split('/').take(levels).map(str::to_owned).collect();
        if below.is_empty() || names.len() < levels || !are_keys(table, &names) {
            continue;
        }
        let place = stores.locate(location)?.child(&names.join("/"));
        return Ok(Some((table, Folder { place, names })));
    }
    Ok(None)
}

/// Whether folders of these names are on the levels of a table's keys, and their values of the keys' types.
fn are_keys(table: &Table, names: &[String]) -> bool {
    let mut above = table
        .location()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    table.partition_keys.iter().zip(names).all(|(key, name)| {
        let level = Level::of(name, above);
        above = name;
        let number = || level.value_of(name).parse::<i64>().is_ok();
        let typed = match key.hive_type() {
            "int" | "bigint" => {
                number() || level.value_of(name) == mastic_catalog::HIVE_DEFAULT_PARTITION
            }
            _ => true,
        };
        let own = key.name.strip_prefix("partition_").unwrap_or(&key.name);
        typed
            && match &level {
                Level::Hive(found) => *found == key.name || found == own,
                Level::Year | Level::Number => is_date_part(&key.name) || is_numbered(&key.name),
                Level::Other => is_numbered(&key.name),
            }
    })
}

/// Whether a key is one of those that folders without a name of their own get: `partition_0`.
fn is_numbered(key: &str) -> bool {
    key.strip_prefix("partition_")
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn values_of(names: &[String]) -> Vec<String> {
    let mut above = "";
    names
        .iter()
        .map(|name| {
            let value = Level::of(name, above).value_of(name);
            above = name;
            if value.is_empty() {
                mastic_catalog::HIVE_DEFAULT_PARTITION.to_owned()
            } else {
                value
            }
        })
        .collect()
}

fn format_of(table: &Table) -> Result<FileFormat, String> {
    let serde = table
        .storage_descriptor
        .as_ref()
        .and_then(|d| d.serde_info.as_ref());
    let mut parameters = table.parameters.clone();
    if let Some(serde) = serde {
        parameters.extend(serde.parameters.clone());
    }
    let library = serde.and_then(|s| s.serialization_library.as_deref());
    FileFormat::from_serde(table.classification(), library, &parameters)
        .map_err(|e| format!("{} cannot be read: {e}", table.name))
}
