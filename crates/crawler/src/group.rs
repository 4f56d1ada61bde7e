//! Files become tables: which folders belong together.
//!
//! Glue's rule: folders are partitions of one table where their files have one format and their
//! schemas are similar, more than 70 %, with at most five distinct ones; else each is a table of
//! its own ("How does the AWS Glue crawler detect the schema?", AWS re:Post). Folders that are
//! named `key=value` or as parts of a date say themselves that they are partitions: there, one
//! format is enough. Files of several kinds in one folder are told apart by the same similarity, and
//! by the families that their names form.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::Fields;
use mastic_schema::similarity::similarity;

use crate::facts::Shapes;
use crate::found::{Found, MAX_SCHEMAS, SIMILAR, akin, alike, same_dialect, same_kind};
use crate::levels::Level;
use crate::names::Names;
use crate::tree::{Alike, Folder, include, table_of};

/// How many families of names one folder may have.
const FAMILIES: usize = 20;

/// What a crawler was told about grouping.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// However much schemas differ, one format makes one table.
    pub(crate) combine: bool,
    /// How many folders below the target tables are, where that was said. It may be above the target.
    pub(crate) table_depth: Option<isize>,
    /// The folders, relative to the target, whose folders an earlier crawl made partitions: a stray file in one
    /// of them must not dissolve the table.
    pub(crate) established: BTreeSet<String>,
}

/// Where a folder is, seen from the level that tables were said to be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing was said.
    Free,
    /// Above it: folders are never partitions.
    Above,
    /// On it, or below: folders are always partitions.
    Within,
}

impl Rules {
    fn place(&self, folder: &Folder) -> Place {
        let depth = isize::try_from(folder.depth).unwrap_or(isize::MAX);
        match self.table_depth {
            None => Place::Free,
            Some(level) if depth < level => Place::Above,
            Some(_) => Place::Within,
        }
    }
}

/// The tables of a folder that the listing has left.
pub(crate) fn tables(folder: &mut Folder, shapes: &Shapes, rules: &Rules) -> Vec<Found> {
    let mut found = files(folder, shapes, rules);
    let children = std::mem::take(&mut folder.children);
    let place = rules.place(folder);
    // Folders of one level are held against each other; a `tmp` beside `year=…` is not one of them.
    let mut levels: Vec<(Level, Vec<Alike>)> = Vec::new();
    for child in children {
        match levels.iter_mut().find(|(level, _)| *level == child.level) {
            Some((_, same)) => same.push(child),
            None => levels.push((child.level.clone(), vec![child])),
        }
    }
    for (level, children) in levels {
        match (&level, place) {
            (_, Place::Above) => found.extend(apart(children)),
            (Level::Other, Place::Free) => found.extend(others(folder, children, rules)),
            _ => found.extend(partitions(folder, &level, children, place)),
        }
    }
    found
}

/// What there is to say of a table as a whole.
pub(crate) fn finish(table: &mut Found) {
    let files = match table.files() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let schemas = match table.schemas.len() {
        1 => "one schema".to_owned(),
        n => format!("{n} schemas that were widened into one"),
    };
    table.why.insert(0, format!("{files} with {schemas}"));
}

/// A group of files in one folder.
struct Group {
    table: Found,
    names: Names,
    /// The families that its names belong to.
    families: Vec<Option<String>>,
}

/// The files of one folder, told apart by format, schema and name.
fn files(folder: &mut Folder, shapes: &Shapes, rules: &Rules) -> Vec<Found> {
    let cells = folder.take_cells();
    let alone = folder.children.is_empty();
    let bad = std::mem::take(&mut folder.bad);
    let mut groups: Vec<Group> = Vec::new();
    // Two families of numbered names, each with several files, are two tables even where their
    // columns are the same: orders_2019, orders_2020, returns_2019, returns_2020.
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for cell in &cells {
        if let Some(family) = &cell.family {
            *sizes.entry(family).or_default() += cell.files;
        }
    }
    // Many of them are no families, but names that happen to have numbers in them.
    let few = sizes.len() <= FAMILIES;
    let several: BTreeSet<String> = sizes
        .into_iter()
        .filter(|(_, files)| few && *files > 1)
        .map(|(family, _)| family.to_owned())
        .collect();
    let apart = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b && several.contains(a) && several.contains(b));
    for cell in cells {
        let family = cell.family.clone();
        let Some((table, names)) = table_of(folder, cell, shapes) else {
            continue;
        };
        let twin = groups.iter_mut().find(|group| {
            let same_family = family.is_some() && group.families.contains(&family);
            let kept_apart = group.families.iter().any(|f| apart(f, &family));
            let fields = (&group.table.fields, &table.fields);
            same_dialect(&group.table.format, &table.format)
                && (rules.combine
                    || !kept_apart && alike(fields.0, fields.1)
                    || same_family && akin(fields.0, fields.1))
        });
        match twin {
            Some(group) => {
                group.table.absorb(table);
                group.names.absorb(names);
                if !group.families.contains(&family) {
                    group.families.push(family);
                }
            }
            None => groups.push(Group {
                table,
                names,
                families: vec![family],
            }),
        }
    }
    for group in &mut groups {
        group.table.join_parts();
    }
    if groups.len() <= 1 && alone && bad.is_empty() {
        return groups.into_iter().map(|g| g.table).collect();
    }
    let several = groups.len() > 1;
    let globs: Vec<_> = groups
        .iter()
        .enumerate()
        .map(|(i, group)| {
            let others = groups.iter().enumerate().filter(move |(j, _)| *j != i);
            let others = others.map(|(_, other)| &other.names);
            group.names.patterns(others.chain([&bad]))
        })
        .collect();
    let stems: Vec<Option<String>> = groups.iter().map(|g| g.names.stem()).collect();
    groups
        .into_iter()
        .zip(globs)
        .enumerate()
        .map(|(i, (group, globs))| {
            let mut table = group.table;
            if let Some(stem) = &stems[i]
                && (several || !alone)
            {
                table.named = true;
                // `orders.csv` beside `orders.json`.
                table.name = if stems[..i].contains(&stems[i]) {
                    format!("{stem}_{}", table.format.classification())
                } else {
                    stem.clone()
                };
            }
            include(&mut table, globs);
            table.why.push(if several {
                "its folder holds files of several formats, schemas or families of names, which became a table each".into()
            } else if alone {
                "its folder also holds files that cannot be read, which it leaves out".into()
            } else {
                "its files lie beside folders, and only folders become partitions".into()
            });
            table
        })
        .collect()
}

/// Folders that call themselves partitions, or were said to be: tables of the same format in all of
/// them are one.
fn partitions(folder: &Folder, level: &Level, children: Vec<Alike>, place: Place) -> Vec<Found> {
    // Folders that say nothing of themselves must be alike.
    let single = (*level != Level::Other || place != Place::Free)
        && children.iter().all(|child| child.tables.len() <= 1);
    let mut merged: Vec<Found> = Vec::new();
    for child in children {
        // Tables of one folder are tables of their own: the folder's files were told apart before.
        let mut own: Vec<usize> = Vec::new();
        for mut table in child.tables {
            if !table.named {
                // `year=2022` is a partition's name; the folder above is the table's.
                folder.name.clone_into(&mut table.name);
            }
            let name = table.named.then(|| table.name.clone());
            table.lift(&folder.path, level);
            let twin = merged.iter().enumerate().position(|(at, other)| {
                let named = other.named && table.named;
                !own.contains(&at)
                    && (&other.levels, &other.depths) == (&table.levels, &table.depths)
                    && same_kind(&other.format, &table.format)
                    && (single
                        || named && other.name == table.name && akin(&other.fields, &table.fields)
                        || alike(&other.fields, &table.fields))
            });
            own.push(twin.unwrap_or(merged.len()));
            match twin.and_then(|at| merged.get_mut(at)) {
                Some(other) => {
                    if other.named && name.as_ref() != Some(&other.name) {
                        // Its files have one name in one partition, and another in another.
                        folder.name.clone_into(&mut other.name);
                        other.named = false;
                    }
                    other.absorb(table);
                }
                None => merged.push(table),
            }
        }
    }
    let count = merged.len();
    for table in &mut merged {
        if count == 1 {
            folder.name.clone_into(&mut table.name);
            table.named = false;
        }
        let why = match (level, place) {
            (Level::Hive(key), _) => format!("folders named {key}=… are partitions"),
            (Level::Year, _) => "folders named as years are partitions".to_owned(),
            (Level::Number, _) => "folders named as parts of a date are partitions".to_owned(),
            (Level::Other, Place::Free) => {
                "folders stay partitions, as they were at the last crawl".to_owned()
            }
            (Level::Other, _) => "the crawler was told on which level tables are".to_owned(),
        };
        if !table.why.contains(&why) {
            table.why.insert(0, why);
        }
    }
    merged
}

/// Folders that say nothing of themselves: Glue's rule.
fn others(folder: &Folder, children: Vec<Alike>, rules: &Rules) -> Vec<Found> {
    let count: usize = children.iter().map(|c| c.count).sum();
    if count < 2 {
        return apart(children);
    }
    if rules.combine {
        return combined(folder, children);
    }
    if let Some(count) = same_tables(&children) {
        return merge_each(folder, children, count);
    }
    let least = match one_table(&children) {
        Ok(least) => least,
        Err(_) if rules.established.contains(&folder.path) => {
            return partitions(folder, &Level::Other, children, Place::Free);
        }
        Err(why) => {
            let mut found = apart(children);
            for table in &mut found {
                table.why.push(why.clone());
            }
            return found;
        }
    };
    let mut merged = merge(folder, children);
    for table in &mut merged {
        let schemas = table.schemas.len();
        table.why.insert(
            0,
            format!(
                "{count} folders with similar schemas are partitions: at least {least:.0} % (more than 70 % are wanted), {schemas} distinct (at most {MAX_SCHEMAS})"
            ),
        );
    }
    merged
}

/// How many tables each of these folders has, where they are several, of the same names, and similar by
/// Glue's rule.
fn same_tables(children: &[Alike]) -> Option<usize> {
    let (first, rest) = children.split_first()?;
    let count = first.tables.len();
    let alike = |a: &Found, b: &Found| {
        a.named
            && b.named
            && a.name == b.name
            && (&a.levels, &a.depths) == (&b.levels, &b.depths)
            && same_dialect(&a.format, &b.format)
            && similarity(&a.fields, &b.fields) > SIMILAR
    };
    let same = count > 1
        && first.tables.iter().all(|t| t.named)
        && rest.iter().all(|child| {
            let mut pairs = first.tables.iter().zip(&child.tables);
            child.tables.len() == count && pairs.all(|(a, b)| alike(a, b))
        });
    same.then_some(count)
}

/// For each table that all of these folders have, one table with the folders as partitions.
fn merge_each(folder: &Folder, children: Vec<Alike>, count: usize) -> Vec<Found> {
    let folders: usize = children.iter().map(|c| c.count).sum();
    let mut merged: Vec<Found> = Vec::with_capacity(count);
    for child in children {
        for (at, mut table) in child.tables.into_iter().enumerate() {
            table.lift(&folder.path, &Level::Other);
            match merged.get_mut(at) {
                Some(known) => known.absorb(table),
                None => merged.push(table),
            }
        }
    }
    for table in &mut merged {
        table.why.insert(
            0,
            format!("{folders} folders hold tables of the same names and similar schemas, and are their partitions"),
        );
    }
    merged
}

/// One table of folders that have a table each.
fn merge(folder: &Folder, children: Vec<Alike>) -> Vec<Found> {
    let mut merged: Option<Found> = None;
    for mut table in children.into_iter().flat_map(|child| child.tables) {
        table.lift(&folder.path, &Level::Other);
        match &mut merged {
            Some(merged) => {
                // `c1/orders/`, `c2/orders/`: the name of all of them.
                merged.named &= table.named && merged.name == table.name;
                merged.absorb(table);
            }
            None => merged = Some(table),
        }
    }
    if let Some(merged) = &mut merged
        && !merged.named
    {
        folder.name.clone_into(&mut merged.name);
    }
    merged.into_iter().collect()
}

/// One table for all folders of one format and dialect, whatever their schemas.
fn combined(folder: &Folder, children: Vec<Alike>) -> Vec<Found> {
    let (single, several): (Vec<_>, Vec<_>) =
        children.into_iter().partition(|c| c.tables.len() == 1);
    let mut clusters: Vec<Vec<Alike>> = Vec::new();
    for child in single {
        let table = &child.tables[0];
        let like = clusters.iter_mut().find(|cluster| {
            let known = &cluster[0].tables[0];
            same_dialect(&known.format, &table.format)
                && (&known.levels, &known.depths) == (&table.levels, &table.depths)
        });
        match like {
            Some(cluster) => cluster.push(child),
            None => clusters.push(vec![child]),
        }
    }
    let mut found = apart(several);
    for cluster in clusters {
        let count: usize = cluster.iter().map(|c| c.count).sum();
        if count < 2 {
            found.extend(apart(cluster));
            continue;
        }
        for mut table in merge(folder, cluster) {
            table.why.insert(
                0,
                format!("{count} folders of one format are partitions, as the crawler was told to combine them"),
            );
            found.push(table);
        }
    }
    found
}

/// Whether folders are one table by Glue's rule: how similar they are at least, in percent, or why not.
fn one_table(children: &[Alike]) -> Result<f64, String> {
    let mut least: f64 = 100.0;
    let mut first: Option<(&str, &Found)> = None;
    let mut schemas: Vec<&Fields> = Vec::new();
    for child in children {
        let [table] = child.tables.as_slice() else {
            return Err(format!(
                "folders are tables of their own, because '{}' holds {} tables",
                child.name,
                child.tables.len()
            ));
        };
        let Some((name, known)) = first else {
            first = Some((&child.name, table));
            schemas.extend(&table.schemas);
            continue;
        };
        if !same_dialect(&known.format, &table.format) {
            let (a, b) = (&known.format, &table.format);
            let dialects = if a.classification() == b.classification() {
                ", in another dialect"
            } else {
                ""
            };
            return Err(format!(
                "folders are tables of their own, because '{name}' is {a} and '{}' is {b}{dialects}",
                child.name
            ));
        }
        if (&known.levels, &known.depths) != (&table.levels, &table.depths) {
            return Err(format!(
                "folders are tables of their own, because '{name}' and '{}' have different levels of folders",
                child.name
            ));
        }
        let percent = similarity(&known.fields, &table.fields).abs() * 100.0;
        if percent <= SIMILAR * 100.0 {
            return Err(format!(
                "folders are tables of their own, because '{name}' and '{}' are {percent:.0} % similar, and more than 70 % would be one table",
                child.name
            ));
        }
        least = least.min(percent);
        for schema in &table.schemas {
            if schemas.len() <= MAX_SCHEMAS && !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
        if schemas.len() > MAX_SCHEMAS {
            return Err(format!(
                "folders are tables of their own, because they have more than {MAX_SCHEMAS} distinct schemas"
            ));
        }
    }
    Ok(least)
}

/// Each folder's tables as they are.
fn apart(children: Vec<Alike>) -> Vec<Found> {
    let mut found = Vec::new();
    for child in children {
        for table in child.tables {
            if child.count == 1 {
                found.push(table);
            } else {
                found.extend(table.split());
            }
        }
    }
    found
}
