//! Holds what was found against what the catalog has, and writes the difference.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, Fields};
use mastic_catalog::{
    CatalogError, CatalogStore, Change, ChangeSet, Column, Database, Expected, Partition,
    PartitionChanges, Table, TableDiff, TableOutcome, ValueChange, diff_tables,
};
use mastic_lake::store::Location;
use mastic_schema::hive::format_type;
use mastic_schema::merge::{position, widen_fields};
use mastic_schema::names::table_name;

use crate::group::Found;
use crate::report::{CrawlReport, Outcome, TableReport};
use crate::table::{Proposal, propose};
use crate::{CrawlOptions, Result};

/// Glue's mark on a table whose files are gone.
const DEPRECATED: &str = "DEPRECATED_BY_CRAWLER";

pub(crate) async fn reconcile(
    catalog: &dyn CatalogStore,
    roots: &[Location],
    found: Vec<Found>,
    options: &CrawlOptions,
    report: &mut CrawlReport,
) -> Result<()> {
    let database = report.database.clone();
    let known: BTreeMap<String, Table> = match catalog.list_tables(&database).await {
        Ok(tables) => tables.into_iter().map(|t| (t.name.clone(), t)).collect(),
        Err(CatalogError::DatabaseNotFound { .. }) => BTreeMap::new(),
        Err(error) => return Err(error.into()),
    };
    let mut changes = ChangeSet::new("crawl").with(Change::CreateDatabase {
        database: Database::new(&database),
        if_not_exists: true,
    });
    let mut taken: BTreeSet<String> = known.keys().cloned().collect();
    let mut seen = BTreeSet::new();
    for found in found {
        let mut proposal = propose(found);
        proposal.table.database_name = database.clone();
        proposal.table.name = match twin(&known, &seen, &proposal.table) {
            Some(table) => table.name.clone(),
            None => fresh_name(&proposal.table, &options.prefix, &taken),
        };
        taken.insert(proposal.table.name.clone());
        seen.insert(proposal.table.name.clone());
        let old = known.get(&proposal.table.name);
        let mut entry = TableReport::of(&proposal);
        if let Some(old) = old {
            keep_what_was(old, &mut proposal);
            entry.set_schema(&proposal.table);
            let before = catalog
                .get_partitions(&database, &old.name, None, None)
                .await?;
            entry.changes = changes_of(
                &diff_tables(old, &proposal.table),
                &before,
                &proposal.partitions,
            );
            entry.outcome = if entry.changes.is_empty() {
                Outcome::Unchanged
            } else {
                Outcome::Updated
            };
            entry.version = version(old);
        }
        changes = changes.with(Change::PutTable {
            table: proposal.table,
            expected: expected(old),
            partitions: if report.problems.is_empty() {
                PartitionChanges::replace_all(proposal.partitions)
            } else {
                PartitionChanges::put(proposal.partitions)
            },
        });
        report.tables.push(entry);
    }
    for table in known.values() {
        // A file that could not be read is not gone.
        if seen.contains(&table.name) || !report.problems.is_empty() || !vanished(table, roots) {
            continue;
        }
        let mut marked = table.clone();
        marked.parameters.insert(DEPRECATED.into(), "mastic".into());
        let mut entry = TableReport::of_table(table, Outcome::Deprecated);
        entry
            .why
            .push("no file of it is left below the crawled place".into());
        changes = changes.with(Change::PutTable {
            table: marked,
            expected: expected(Some(table)),
            partitions: PartitionChanges::none(),
        });
        report.tables.push(entry);
    }
    if !options.dry_run {
        let applied = catalog.apply(changes).await?;
        for entry in &mut report.tables {
            if let Some(done) = applied.tables.iter().find(|t| t.name == entry.name) {
                entry.finish(&done.outcome);
            }
        }
    }
    report.tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

fn expected(old: Option<&Table>) -> Expected {
    match old.and_then(|t| t.version_id) {
        Some(version) => Expected::Version(version),
        None => Expected::Absent,
    }
}

fn version(table: &Table) -> Option<u64> {
    table.version_id.and_then(|v| u64::try_from(v.0).ok())
}

/// The table that the catalog already has for a location.
fn twin<'a>(
    known: &'a BTreeMap<String, Table>,
    seen: &BTreeSet<String>,
    table: &Table,
) -> Option<&'a Table> {
    let include = |t: &Table| t.parameters.get(crate::table::INCLUDE).cloned();
    let here = |old: &&Table| {
        !seen.contains(&old.name)
            && old.location().map(|l| l.trim_end_matches('/')) == table.location()
    };
    // Of several tables at one place, the one of the same format and files is meant.
    known
        .values()
        .filter(here)
        .max_by_key(|old| {
            (
                old.classification() == table.classification(),
                include(old) == include(table),
                old.name == table_name(&table.name),
            )
        })
        .filter(|old| {
            // Another format's table beside this one's is another table, unless it is alone there.
            old.classification() == table.classification() || include(table).is_none()
        })
}

/// A name that no table of the database has. Where names collide the folders above tell tables
/// apart, and in the end a number does.
fn fresh_name(table: &Table, prefix: &str, taken: &BTreeSet<String>) -> String {
    let name = table_name(&format!("{prefix}{}", table.name));
    if !taken.contains(&name) {
        return name;
    }
    let mut parts: Vec<&str> = table.location().unwrap_or_default().split('/').collect();
    parts.pop();
    if let Some(parent) = parts.pop() {
        let longer = table_name(&format!("{prefix}{parent}_{}", table.name));
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
fn vanished(table: &Table, roots: &[Location]) -> bool {
    let Some(location) = table.location() else {
        return false;
    };
    table.parameters.contains_key("UPDATED_BY_CRAWLER")
        && !table.parameters.contains_key(DEPRECATED)
        && roots
            .iter()
            .any(|root| location == root.url || location.starts_with(&format!("{}/", root.url)))
}

/// Columns are added and widened, never dropped or narrowed (Glue's `MergeNewColumns`, which does
/// not even widen): partitions written earlier keep their readers. What people wrote to the table
/// (descriptions, comments, parameters of their own) stays.
fn keep_what_was(old: &Table, proposal: &mut Proposal) {
    let new = &mut proposal.table;
    let Ok(before) = old.arrow_columns() else {
        return;
    };
    let after = proposal.fields.clone();
    let keys: Vec<&str> = new.partition_keys.iter().map(|k| k.name.as_str()).collect();
    let before: Fields = before
        .iter()
        .filter(|f| !keys.contains(&f.name().as_str()))
        .cloned()
        .collect();
    // A column in which nothing but nulls was found is text in the catalog, and says nothing.
    let silent = |fields: &Fields, other: &Fields| -> Fields {
        fields
            .iter()
            .map(|f| match position(other, f.name()) {
                Some(at) if f.data_type() == &DataType::Null => other[at].clone(),
                _ => f.clone(),
            })
            .collect()
    };
    let merged = widen_fields(&before, &silent(&after, &before), &mut |_| ());
    let old_columns = old.columns();
    let columns: Vec<Column> = merged
        .iter()
        .map(|field| {
            let mut column = old_columns
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(field.name()))
                .cloned()
                .unwrap_or_else(|| Column::new(field.name(), ""));
            let same = before
                .iter()
                .any(|b| b.name() == field.name() && b.data_type() == field.data_type());
            if !same || column.hive_type().is_empty() {
                column.type_ = Some(format_type(field.data_type()));
            }
            column
        })
        .collect();
    if let Some(storage) = &mut new.storage_descriptor {
        storage.columns = columns;
    }
    for (key, was) in new.partition_keys.iter_mut().zip(&old.partition_keys) {
        if key.name == was.name {
            key.comment.clone_from(&was.comment);
        }
    }
    for (name, value) in &old.parameters {
        let ours = name == DEPRECATED || name.starts_with("mastic.");
        if !ours && !new.parameters.contains_key(name) {
            new.parameters.insert(name.clone(), value.clone());
        }
    }
    new.description.clone_from(&old.description);
    new.owner.clone_from(&old.owner);
    new.retention = old.retention;
    new.create_time = old.create_time;
}

fn line(what: &str, change: &ValueChange) -> String {
    let name = &change.name;
    match (&change.from, &change.to) {
        (None, Some(to)) => format!("+ {what} {name}: {to}"),
        (Some(from), None) => format!("- {what} {name}: {from}"),
        (from, to) => format!(
            "~ {what} {name}: {} → {}",
            from.as_deref().unwrap_or("nothing"),
            to.as_deref().unwrap_or("nothing")
        ),
    }
}

fn changes_of(diff: &TableDiff, before: &[Partition], after: &[Partition]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(diff.columns.iter().map(|c| line("column", c)));
    lines.extend(diff.partition_keys.iter().map(|c| line("partition key", c)));
    lines.extend(
        diff.properties
            .iter()
            .map(|c| line("", c).replace("  ", " ")),
    );
    lines.extend(
        diff.parameters
            .iter()
            .filter(|c| c.name != crate::table::FINGERPRINT)
            .map(|c| line("parameter", c)),
    );
    if lines.is_empty() && !diff.parameters.is_empty() {
        lines.push("~ files were changed".into());
    }
    let before: BTreeMap<&[String], &Partition> =
        before.iter().map(|p| (p.values.as_slice(), p)).collect();
    let after: BTreeMap<&[String], &Partition> =
        after.iter().map(|p| (p.values.as_slice(), p)).collect();
    let mut told = |sign: char, values: Vec<&[String]>| {
        const SHOWN: usize = 5;
        for values in values.iter().take(SHOWN) {
            lines.push(format!("{sign} partition {}", values.join("/")));
        }
        if values.len() > SHOWN {
            lines.push(format!(
                "{sign} … and {} more partitions",
                values.len() - SHOWN
            ));
        }
    };
    told(
        '+',
        after
            .keys()
            .filter(|v| !before.contains_key(*v))
            .copied()
            .collect(),
    );
    told(
        '-',
        before
            .keys()
            .filter(|v| !after.contains_key(*v))
            .copied()
            .collect(),
    );
    let differs = |old: &Partition, new: &Partition| {
        old.parameters != new.parameters || old.storage_descriptor != new.storage_descriptor
    };
    told(
        '~',
        after
            .iter()
            .filter(|(v, new)| before.get(*v).is_some_and(|old| differs(old, new)))
            .map(|(v, _)| *v)
            .collect(),
    );
    lines
}

impl TableReport {
    fn of(proposal: &Proposal) -> Self {
        let mut report = TableReport {
            files: proposal.files,
            bytes: proposal.bytes,
            records: proposal.records,
            compression: proposal.compression.clone(),
            partitions: proposal.partitions.len(),
            why: proposal.why.clone(),
            ..Self::of_table(&proposal.table, Outcome::Created)
        };
        report.set_schema(&proposal.table);
        report
    }

    fn of_table(table: &Table, outcome: Outcome) -> Self {
        let mut report = TableReport {
            name: table.name.clone(),
            outcome,
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

    fn set_schema(&mut self, table: &Table) {
        let shown = |columns: &[Column]| {
            columns
                .iter()
                .map(|c| format!("{} {}", c.name, c.hive_type()))
                .collect()
        };
        self.columns = shown(table.columns());
        self.partition_keys = shown(&table.partition_keys);
    }

    fn finish(&mut self, outcome: &TableOutcome) {
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
                self.outcome = Outcome::Unchanged;
                self.version = number(version);
            }
            _ => {}
        }
    }
}
